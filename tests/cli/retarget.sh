# The same design for another data set: what changes is said, drawn and written; what cannot be is refused.
. "$root/tests/cli/lib.inc"
m=$root/configs/models
t retarget "$m/lenet5.json" --input 3,224,224 --classes 100 -o large.json
t validate large.json --no-draw --no-lint
t retarget large.json --input 1,28,28 --classes 10 --quiet
t retarget "$m/lenet5.json" --data glyphs --width 0.5 -o narrow.json
t retarget "$m/resnet20.json" --input 1,28,28 --max-params 20000 -o small.json
t retarget "$m/mlp.json" --input 20 --classes 2 --max-params 5000 --json
t retarget "$m/lstm.json" --input 3,32,32 -o columns.json
t retarget "$m/mlp.json"
t retarget "$m/mlp.json" --input 20 --max-params 20
t retarget "$m/resnet8.json" --input 20,100
t retarget "$m/resnet8.json" --input 20,
t retarget "$m/resnet8.json" --data glyphs --classes 3
t retarget nowhere.json --classes 3
"$nab" train narrow.json small.json --data glyphs --epochs 1 --set dataset.limit=60 --set dataset.limit_test=20 --set train.batch=16 -q --store all.db >/dev/null || echo "not trained"
