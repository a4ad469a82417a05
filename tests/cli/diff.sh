# What differs between two models, and between two runs.
. "$root/tests/cli/lib.inc"
. "$root/tests/cli/study.inc"
cat >a.json <<A
{ "name": "a", "input": [1, 28, 28], "classes": 10, "layers": [
  { "conv2d": { "filters": 8, "kernel": 3, "padding": "same" } }, "batchnorm", "relu",
  { "conv2d": { "filters": 16, "kernel": 3, "padding": "same" } }, "batchnorm", "relu",
  { "maxpool2d": { "size": 2 } }, "flatten", { "dense": { "units": 10 } } ] }
A
sed 's/"a"/"b"/; s/16, "kernel": 3/24, "kernel": 5/; s/"batchnorm", "relu",$/"relu",/' a.json >b.json
t diff a.json b.json
t diff a.json a.json
t diff a.json b.json --all | grep -c .
t diff a.json b.json --json >out.json
python3 - <<'P'
import json
d = json.loads("".join(open("out.json").readlines()[1:]))
for s in d["layers"]:
    print(s["status"], (s.get("old") or s["new"])["id"], [(o["key"], o["old"], o["new"]) for o in s.get("options", [])])
print(d["recipe"], d["metric"])
P
"$nab" search study.json --quiet >/dev/null 2>&1
"$nab" train tiny-1 --store tiny.db --epochs 2 --seeds 2 --name longer --quiet >/dev/null 2>&1
longer=$(sqlite3 tiny.db "select r.id from runs r join candidates c on c.id=r.candidate join studies s on s.id=c.study where s.name='longer' limit 1")
first=$(sqlite3 tiny.db "select r.id from runs r join candidates c on c.id=r.candidate where c.label='tiny-1' limit 1")
t diff "$first" "$longer" --store tiny.db | sed -E '/accuracy/s/[-+]?[0-9]+\.[0-9]+/N/g'
t diff tiny-0 nonsense --store tiny.db
t diff a.json
