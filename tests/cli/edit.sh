# Edits by hand: in order, repaired, logged, refused with reasons; training records parent and change, undo gives it back.
. "$root/tests/cli/lib.inc"
m=$root/configs/models
t edit "$m/lenet5.json" --remove relu_1 --set conv2d_1.filters=24 -o narrow.json
t validate narrow.json --no-draw --no-lint
t edit "$m/lenet5.json" --replace relu_2 --with gelu --insert 'conv2d:16,3,padding=same,bias=false batchnorm' --after relu_1 --log log.json -o other.json
cat log.json
"$nab" edit "$m/lenet5.json" --script log.json -q >one.json
"$nab" edit "$m/lenet5.json" --insert '[{"conv2d": {"filters": 16, "kernel": 3, "padding": "same", "bias": false}}, "batchnorm"]' --after relu_1 --replace relu_2 --with '"gelu"' -q >two.json
"$nab" validate one.json two.json --json --no-lint | grep '"hash"' | uniq | wc -l
"$nab" edit "$m/resnet8.json" --arguments residual_1 --set filters=24 --repeat residual_3 --times 2 --set conv2d_1.kernel=5 --json -q |
	sed '/"model"/,$d'
t edit "$m/resnet8.json" --remove residual_2 --replace relu_1 --with 'squeeze_excite:reduction=8' -o blocks.json
t edit "$m/lenet5.json"
t edit "$m/lenet5.json" --remov relu_1
t edit "$m/lenet5.json" --remove relu_11
t edit "$m/lenet5.json" --remove dense_3
t edit "$m/lenet5.json" --remove relu_1 --remove dense_3
t edit "$m/lenet5.json" --remove
t edit "$m/lenet5.json" --remove --insert relu
t edit "$m/lenet5.json" --insert dens:3 --after relu_1
t edit "$m/lenet5.json" --insert relu
t edit "$m/lenet5.json" --insert relu --aftr relu_1
t edit "$m/lenet5.json" --insert '{"relu"' --after relu_1
t edit "$m/lenet5.json" --insert ' ' --after relu_1
t edit "$m/lenet5.json" --set conv2d_1.filtrs=3
t edit "$m/lenet5.json" --set conv2d_1
t edit "$m/lenet5.json" --undo
t edit "$m/lenet5.json" --undo --remove relu_1
t edit "$m/lenet5.json" --script nowhere.json
echo '[{"remove": "nope"}, {"shrink": "conv2d_1"}, {"insert": "relu", "befor": "dense_1"}, 3]' >mistakes.json
t edit "$m/lenet5.json" --script mistakes.json
t edit "$m/lenet5.json" --remove relu_1 --train --data glyphs --epochs 1 --set relu_2.x=1
printf '{"format": "glyphs", "limit": 60, "limit_test": 20}' >data.json
"$nab" train "$m/lenet5.json" --data data.json --set train.batch=16 --epochs 1 --store edit.db -q >/dev/null
"$nab" edit lenet5 --store edit.db --set conv2d_1.filters=3 --remove relu_3 --train -q >/dev/null
"$nab" ls --store edit.db --json | sed -n 's/.*"label": "\([^"]*\)".*/\1/p; s/.*"state": "\([a-z]*\)".*/  \1/p'
"$nab" show lenet5-edit --store edit.db -q | sed -n '/^made/,/^valid/p' | grep -v '^valid'
"$nab" edit lenet5-edit --store edit.db --undo -o parent.json
"$nab" validate parent.json "$m/lenet5.json" --json --no-lint | grep '"hash"' | uniq | wc -l
t edit lenet5 --store edit.db --undo
t edit lenet --store edit.db --remove relu_1
"$nab" schema edits --json | head -3
