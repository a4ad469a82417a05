# Distances between model files, and between runs of a store. What was trained depends on the processor: only its form.
. "$root/tests/cli/lib.inc"
. "$root/tests/cli/study.inc"
m=$root/configs/models
unset COLUMNS
t distance "$m/lenet5.json" "$m/mlp.json" "$m/resnet8.json"
t distance "$m/lenet5.json" "$m/mlp.json" --normalised --format markdown
t distance "$m/lenet5.json" "$m/mlp.json" --preset remap --format csv
t distance "$m/lenet5.json" "$m/mlp.json" "$m/resnet8.json" --metric layers --nearest 1
t distance "$m/lenet5.json" "$m/mlp.json" --metric layers --weighted --json
t distance "$m/lenet5.json" "$m/lenet5.json" --map
t distance "$m/lenet5.json"
t distance "$m/lenet5.json" "$m/mlp.json" --metric predictions
t distance "$m/lenet5.json" "$m/mlp.json" --metric layers --preset remap
t distance "$m/lenet5.json" "$m/mlp.json" --weighted
t distance --all "$m/lenet5.json"
"$nab" search study.json --quiet >/dev/null 2>&1
for metric in structure predictions layers; do
	"$nab" distance --all --metric $metric --json >all.json
	"$nab" distance --all --metric $metric --map --json >map.json
	"$nab" distance --all --metric $metric --map --json | cmp - map.json
	"$nab" distance --all --metric $metric --map --json --no-cache | cmp - map.json
	python3 - $metric <<'P'
import json, sys
a, m = json.load(open("all.json")), json.load(open("map.json"))
d, n = a["distances"], len(a["models"])
assert all(d[i][i] == 0 and d[i][k] == d[k][i] >= 0 for i in range(n) for k in range(n))
print(sys.argv[1], a["metric"], sorted(a["models"]), len(m["rows"]), sorted(m["rows"][0]), "REMAP" in a["note"])
P
done
ls tiny.db.cache
t distance --all --study nonsense
t distance --study tiny --map --metric layers --weighted
t distance tiny-0 tiny-1 "$m/mlp.json" --metric layers
# nothing that has finished: no predictions, but models
"$nab" search study.json --set limits.memory=1 --store none.db --quiet >/dev/null 2>&1
t distance --all --metric predictions --store none.db
t distance --all --metric layers --store none.db
