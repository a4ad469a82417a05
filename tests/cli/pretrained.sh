# Starting from the weights of a file, with frozen layers; what does not fit is said in one go.
. "$root/tests/cli/lib.inc"
net() { # net NAME UNITS LAYER...
	name=$1 units=$2
	shift 2
	printf '{"name": "%s", "input": [1, 28, 28], "classes": 10, "layers": [{"avgpool2d": {"size": 4}}, "flatten", {"dense": {"units": %s}, "id": "a"}, "batchnorm", "relu", {"dense": {"units": 10}, "id": "head"}%s]}\n' "$name" "$units" "$*" >"$name.json"
}
small="--data glyphs --set dataset.options.n_train=200 --set dataset.options.n_test=20 --set train.batch=20 --epochs 1 --store s.db"
net first 8
net wider 9
net longer 8 ', {"tanh": {}, "id": "t"}, {"dense": {"units": 10}, "id": "last"}'
"$nab" train first.json $small --quiet --backend ref >/dev/null
cp s.db.files/run-1.safetensors w.safetensors
t train wider.json $small --weights w.safetensors
t train longer.json $small --weights w.safetensors
t train first.json $small --weights nothing.safetensors
t train first.json $small --freeze b
t train first.json $small --freeze relu_1
t train first.json $small --freeze relu_1..a
t train first.json $small --freeze a..relu_1,head
"$nab" train first.json $small --backend ref --name again --weights w.safetensors --freeze all-but-head --quiet >/dev/null
sqlite3 s.db "select layer, code, text from findings where code='pretrained'"
sqlite3 s.db "select count(*) from models where json like '%frozen%'"
# frozen: as they were, bit for bit; the head was trained
python3 - <<'P'
import json, struct
def tensors(path):
    b = open(path, "rb").read()
    n = struct.unpack("<Q", b[:8])[0]
    h = json.loads(b[8:8 + n])
    return {k: b[8 + n:][slice(*v["data_offsets"])] for k, v in h.items() if k != "__metadata__"}
old, new = tensors("w.safetensors"), tensors("s.db.files/run-2.safetensors")
for k in sorted(old):
    print(k, "kept" if old[k] == new[k] else "moved")
P
# what started from trained weights cannot be repeated with fresh seeds
t confirm 2 --store s.db
"$nab" compare 1 2 --store s.db 2>/dev/null | grep -c '(inherited)'
"$nab" report --store s.db --output rep 2>&1 | grep -c 'gnuplot ended'
grep -c ',inherited,' rep/*.csv
ls rep/figures | grep -c progress
