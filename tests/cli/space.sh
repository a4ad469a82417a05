# Search spaces: draws are a function of the seed, mistakes have a place, limits that nothing meets end with exit 5.
. "$root/tests/cli/lib.inc"
s=$root/configs/spaces
for f in "$s"/*.json; do
	t sample "$f" --count 2 --seed 3
done
"$nab" sample "$s/blocks-100k.json" --count 50 --json >a 2>a.err
"$nab" sample "$s/blocks-100k.json" --count 50 --json >b 2>b.err
cmp a b && cmp a.err b.err && wc -l <a
t sample "$s/mlp.json" --count 1 --output models
"$nab" validate models/0000.json --no-draw --no-lint
t sample "$s/blocks-100k.json" --set limits.params.max=2000
t sample "$s/blocks-100k.json" --set limits.params.min=0 --set limits.params.max=100
t sample "$s/blocks-100k.json" --set limits.params.mx=10
t sample "$s/blocks-100k.json" --set limits.params.max=lots
t sample "$s/blocks-100k.json" --set limits.states.min=0 --set start.nowhere=1
t sample "$s/blocks-100k.json" --set on_misfit=ignore
t sample "$s/mlp.json" --data "csv:$root/nothing.csv"
