# Studies, stores and devices that cannot be used.
. "$root/tests/cli/lib.inc"
. "$root/tests/cli/study.inc"
t search nothing.json
t search "$root/configs/models/mlp.json"
t search study.json --set trian.epochs=2 --set train.optimizer.adamw.lr=-1 --set train.schedule=cosin \
	--set search.candidates=many --set dataset.dirr=x --set baselines='["none.json"]'
t search study.json --set search.strategy=markow
t search study.json --set space=nothing.json
t search study.json --set objective=speed
t search study.json --set devices='["tpu:0"]'
NAB_CUDA_PLUGIN=/nonexistent/backend_cuda.so
export NAB_CUDA_PLUGIN
t search study.json --set backend=cuda --set devices='[]'
t search study.json --set devices='["cuda:0"]'
t search study.json --set devices='["cpu:0","cuda:0"]' --set backend=cpu
t train "$root/configs/models/mlp.json" --devices cuda:0
ls -- *.db *.db.files 2>/dev/null
ls *.db 2>/dev/null
unset NAB_CUDA_PLUGIN
t search study.json --set devices='["cuda:0"]' --set backend=cpu
t search study.json --set devices='["cpu:0"]' --set backend=cuda
"$nab" search study.json --set devices='["cpu:9999"]' >/dev/null 2>&1
echo "a slot beyond the cores: exit $?"
rm -rf tiny.db*
t search study.json --set backend=cpux
t search study.json --set space='{"layers":["flatten",{"dense":{"units":{"any":[20,30]}}},{"dense":{"units":"$classes"}}],"limits":{"params":{"max":5}}}' --store five.db
rm -rf five.db*
t search study.json --store nowhere/a.db
t search study.json --store /dev/full --set limits.disk_wait=0
echo hello >junk.db
t ls --store junk.db
t search study.json --store junk.db
rm junk.db

"$nab" search study.json --quiet >/dev/null
cp tiny.db newer.db
python3 - <<'P'
import sqlite3
sqlite3.connect("newer.db").execute("pragma user_version = 999")
P
t ls --store newer.db
t search study.json --store newer.db
rm newer.db*
python3 - <<'P' &
import fcntl, os, time
f = open("tiny.db.lock", "a+")
fcntl.flock(f, fcntl.LOCK_EX)
fcntl.lockf(f, fcntl.LOCK_EX)
open("locked", "w")
until = time.time() + 60
while not os.path.exists("tried") and time.time() < until:
    time.sleep(0.05)
P
while [ ! -e locked ]; do sleep 0.05; done
t search study.json --set search.candidates=5
touch tried
wait
