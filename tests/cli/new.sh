# Well-known networks: the list, one in full, mistakes; all that fit a data set train and export.
. "$root/tests/cli/lib.inc"
t new
t new lenet5
t new resnet20 --input 3,224,224 --classes 100 --width 0.5 --depth 14
t new gru --input 3,32,32 --depth 3
t new lenet5 --data glyphs -o lenet5.json
t validate lenet5.json --no-draw
t new mlp --input 16 --classes 3 --json
t new resnet21
t new transformer
t new resnet20 --depth 21
t new resnet20 --depth 1000000
t new vgg11 --depth 3
t new vgg11 --input 12,29
t new lenet5 --input 1,8,8
t new lenet5 --input 1,28
t new lenet5 --input big
t new lenet5 --data glyphs --classes 3
t new lenet5 --data nowhere:here
t new lenet5 -o no/such/folder/x.json
t new lenet5 --width 0
rm lenet5.json
for m in $("$nab" new --json 2>/dev/null | sed -n 's/.*"name": "\([a-z0-9]*\)".*/\1/p'); do
	case $m in resnet110 | resnet56 | resnet44 | resnet50 | resnet34 | vgg1[369]) continue ;; esac
	"$nab" new "$m" --data glyphs --width 0.1 -o "$m.json" -q || echo "$m: not made"
	"$nab" export "$m.json" --to pytorch -o "$m" -q >/dev/null 2>&1 || echo "$m: not exported"
	[ -f "$m/model.py" ] || echo "$m: no code"
done
train() { # train STORE MODEL... [flags]
	store=$1
	shift
	"$nab" train "$@" --data glyphs --epochs 1 --set dataset.limit=60 --set dataset.limit_test=20 --set train.batch=16 -q --store "$store" >/dev/null ||
		echo "not trained"
	"$nab" ls --store "$store" --json | sed -n 's/.*"label": "\([^"]*\)".*/\1/p; s/.*"state": "\([a-z]*\)".*/  \1/p'
}
train recurrent.db lstm.json gru.json rnn.json --backend ref
rm lstm.json gru.json rnn.json
train others.db ./*.json
