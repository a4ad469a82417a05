# Mistakes on the command line: exit 2 and a suggestion.
. "$root/tests/cli/lib.inc"
t validat model.json
t frobnicate
t validate
t validate --lnt model.json
t validate --zzzzzz model.json
t validate -x model.json
t validate --color green model.json
t sample --count
t sample --count=many space.json
t sample --count 0 space.json
t sample one.json two.json
t sample "$root/configs/spaces/mlp.json" --seed later
t schema house
t completion tcsh
t data draw
t --version
t >/dev/null
echo "no command: exit $code"
