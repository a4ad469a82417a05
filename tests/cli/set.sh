# --set reaches every key; on paths that are not there it says so.
. "$root/tests/cli/lib.inc"
m=$root/configs/models/mlp.json
t validate "$m" --no-draw --no-lint --set layers[1].dense.units=32
t validate "$m" --no-draw --no-lint --set layers.1.dense.units=32 --set layers.4.dense.bias=false
t validate "$m" --no-draw --no-lint --set layers
t validate "$m" --no-draw --no-lint --set =3
t validate "$m" --no-draw --no-lint --set layers[9].dense.units=3
t validate "$m" --no-draw --no-lint --set name.first=3
t validate "$m" --no-draw --no-lint --set nam=three
t validate "$m" --no-draw --no-lint --set layers[1].dense.units=three
t validate "$m" --no-draw --no-lint --set name
# files in flags are relative to the working directory, not to the study
t preview "$root/configs/fashion-mnist.json" --set dataset.dir=nowhere
