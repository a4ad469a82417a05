# Every shipped model is valid, and what validate says of one.
. "$root/tests/cli/lib.inc"
for m in "$root"/configs/models/*.json; do
	t validate "$m" --no-draw
done
t validate "$root/configs/models/resnet8.json"
t validate "$root/configs/models/lstm.json" --json
"$nab" validate "$root/configs/models/resnet20.json" --canonical >one.json
"$nab" validate one.json --canonical >two.json
cmp one.json two.json && echo "the canonical form is its own canonical form"
