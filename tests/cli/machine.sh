# What depends on the machine is only checked for its form.
. "$root/tests/cli/lib.inc"
"$nab" doctor >plain && grep -c '^for a study: "devices": \["cpu:0"' plain
"$nab" doctor --json >doctor.json && python3 - <<'P'
import json
d = json.load(open("doctor.json"))
print(sorted(d), [b["name"] for b in d["backends"]])
assert all(b["ok"] for b in d["backends"] if b["name"] != "cuda") and d["devices"][0] == "cpu:0"
P
for s in model recipe; do
	"$nab" schema $s --json >schema.json && python3 -c 'import json; d = json.load(open("schema.json")); print(d["$schema"], d["type"], d["title"])'
done
"$nab" schema layers | grep -c 'chart symbol'
"$nab" completion bash >completion && bash -n completion && bash -c '
	. ./completion
	ask() { COMP_WORDS=(nab "$@"); COMP_CWORD=$#; COMPREPLY=(); _nab; echo "$*: ${COMPREPLY[*]}"; }
	ask val
	ask validate --can
	ask show --mo'
echo "= exit $?"
t ls
t status
t show best
t ls --store nothing.db
