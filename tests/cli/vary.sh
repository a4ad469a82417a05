# Variations of a stored run: drawn, trained under its conditions, resumed; scores depend on the processor and are left
# out. The operators are named, so that new ones draw nothing else here.
. "$root/tests/cli/lib.inc"
. "$root/tests/cli/study.inc"
rows() { python3 -c "
import json, sys
for r in json.load(sys.stdin)['rows']: print(r['model'], r['seeds'], r['params'], r.get('change'))"; }
"$nab" search study.json --quiet >/dev/null
t vary tiny-1 --count 3 --ops remove,duplicate -n
t vary tiny-1 --count 2 --ops remove,duplicate -n --quiet -o variations
ls variations
t validate variations/tiny-1-v2.json --no-draw --no-lint
echo '{"dense_1": ["duplicate"], "*": []}' >allow.json
t vary tiny-1 --allow allow.json -n --quiet
echo '{"batch": {"any": [20, 25]}}' >recipe.json
t vary tiny-1 --count 2 --changes 1 --ops remove --layers gelu_1,gelu_2 --recipe recipe.json -n --json
# training: the parent's own result is reused; again it is all there; more variations add to it
"$nab" vary tiny-1 --count 1 --ops remove --seeds 2 --format json 2>err | rows
grep -c done err
"$nab" vary tiny-1 --count 1 --ops remove --seeds 2 --format json 2>err | rows
grep resumed err
"$nab" vary tiny-1 --count 2 --ops remove --seeds 2 --format json 2>err | rows
grep -c done err
# mistakes
t vary tiny-1 --ops remov
t vary tiny-1 --layers gelu_2..gelu_1
t vary tiny-1 --layers dense_9
t vary tiny-1 --ops remove --max-params 10
t vary tiny-1 --seed x
echo '{"dense_1": "duplicate"}' >allow.json
t vary tiny-1 --allow allow.json
t vary nowhere.json
t vary best --store none.db
