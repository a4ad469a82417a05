# Event files for TensorBoard, while training and afterwards; what cannot be written does not harm a search.
. "$root/tests/cli/lib.inc"
. "$root/tests/cli/study.inc"
read_log() { python3 "$root/tests/unit/tensorboard_read.py" "$1" | grep -E '^(version|scalar [0-9]* loss/train|session|text [0-9]* findings)' | cut -d' ' -f1-3; }
"$nab" search study.json --set log=tensorboard --set train.epochs=2 --quiet >/dev/null
(cd tiny.db.tensorboard && find . -type f | sort)
ls -d tiny.db* # the store is one file again
read_log tiny.db.tensorboard/tiny/tiny-1/events.out.tfevents.nab
# resumed: the log may be switched on and off
"$nab" search study.json --set train.epochs=2 --set search.candidates=4 --quiet >/dev/null
"$nab" search study.json --set log=tensorboard --set train.epochs=2 --set search.candidates=5 --quiet >/dev/null
(cd tiny.db.tensorboard && find . -type f | sort)
# the same files afterwards, and again
t export --all --to tensorboard -o logs
for f in tiny.db.tensorboard/tiny/*; do cmp "$f/events.out.tfevents.nab" "logs/tiny/${f##*/}/events.out.tfevents.nab"; done
sum=$(cat logs/tiny/*/* | cksum)
t export best tiny-2 --to tensorboard -o logs --quiet
[ "$sum" = "$(cat logs/tiny/*/* | cksum)" ] && echo unchanged
t export --where "number < 2" --to tensorboard -o some --quiet
ls some/tiny
# mistakes
t search study.json --set log=tensorbord
t export --to tensorboard
t export best best --to pytorch
t export best --to tensorboard --weights w.safetensors
t export --where 'acc > 2' --to tensorboard
rm -rf tiny.db*
: >tiny.db.tensorboard
t search study.json --set log=tensorboard 2>&1 | grep -E 'warning|runs done' | sed 's/;.*//'
