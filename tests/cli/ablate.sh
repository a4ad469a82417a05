# Ablations: plans in full, results without the numbers that training gives.
. "$root/tests/cli/lib.inc"
cat >remap.json <<'J'
{ "name": "remap", "input": [1, 28, 28], "classes": 10, "layers": [
  { "conv2d": { "filters": 16, "kernel": 3 } }, "relu", { "maxpool2d": { "size": 2 } },
  "flatten", { "dense": { "units": 64 } }, "relu", { "dense": { "units": "$classes" } } ] }
J
cat >tiny.json <<'J'
{ "name": "tiny", "input": [1, 28, 28], "classes": 10,
  "blocks": { "hidden": { "with": { "units": 24 }, "layers": [ { "dense": { "units": "$units" } }, "relu" ] } },
  "layers": [ { "maxpool2d": { "size": 4 } }, "flatten", { "hidden": { "units": 24 } }, { "hidden": { "units": 16 } },
              { "dropout": { "rate": 0.05 } }, { "dense": { "units": "$classes" } } ] }
J
slots="--devices cpu:0"
t ablate remap.json -n $slots
t ablate remap.json --dry-run --only maxpool2d_1,dense --match params --format markdown $slots
t ablate remap.json -n --by op,group --group "tail=flatten_1..relu_2" --format csv $slots | tr -d '\r'
t ablate tiny.json -n --pairs --by block,feature --seeds 3 --format csv $slots | tr -d "\r"
t ablate "$root/configs/models/residual-6.json" -n --max-params 50000 $slots
"$nab" ablate tiny.json -n --json --by layer | python3 -c "
import json, sys
d = json.load(sys.stdin)
print(d['trainings'], [(r['model'], r['params_delta']) for r in d['rows'] if r['refused'] is None])"

# mistakes
t ablate remap.json --by layers
t ablate remap.json --by group
t ablate remap.json --group tail=dense_3..relu_1
t ablate remap.json --group tail=relu_2..relu_1
t ablate remap.json --only conv2d_2
t ablate remap.json --epochs actual
t ablate remap.json --epochs none
t ablate remap.json --only flatten_1 $slots --quiet

# training: what does not depend on the numbers
small="--set dataset.options.n_train=200 --set dataset.options.n_test=50"
rows() { tr -d '\r' | python3 -c "
import csv, sys
for r in csv.DictReader(sys.stdin):
    print(r['model'], r['unit'] or '-', r['seeds'] or '-', r['state'], r['delta_params'] or '-', r['delta_macs'] or '-')"; }
t ablate tiny.json --epochs 1 --by layer,feature --seeds 2 $slots $small --format csv --quiet | tail -n +2 >out.csv
rows <out.csv
"$nab" ablate tiny.json --epochs 1 --by layer,feature --seeds 2 $slots $small --format csv --quiet | rows >again && rows <out.csv | cmp - again && echo "again: the same rows"
"$nab" ls --store ablate.db | wc -l
"$nab" ablate tiny.json --epochs 1 --by block --pairs --seeds 2 $slots $small --json | python3 -c "
import json, sys
d = json.load(sys.stdin)
print([r['model'] for r in d['rows']], [x['pair'] for x in d['interactions']], len(d['advice']) > 0)"
t ablate tiny --store ablate.db --epochs actual --by block --only hidden_1 --no-wait --quiet --format latex -o table.tex
grep -c toprule table.tex
