# Choosing and ordering runs by expressions; scores depend on the processor and are not shown.
. "$root/tests/cli/lib.inc"
. "$root/tests/cli/study.inc"
"$nab" search study.json --set search.candidates=6 --quiet >/dev/null
labels() {
	echo "\$ nab ls $*"
	"$nab" ls --quiet "$@" | sed 1d | awk '{ print "  " $2, $(NF > 8 ? 6 : 5) }'
}
labels --sort params
labels --sort 'params' --reverse --limit 2
labels --sort '-params' --limit 2
labels --sort label
labels --where 'params > 10k and not label ~ "[13]$"' --sort 'log10(params)'
labels --where "known(acc) and (state = 'done' or acc > 200%) and number < 2" --sort run
labels --where 'acc / 0 > 1'
t ls --where 'acc >'
t ls --where 'parms < 100k'
t ls --where 'acc > 0.9 and colour = 3'
t ls --where "label ~ '('"
t ls --sort 'acc >  0.9'
t ls --sort accurcy
t ls --where "state = 'failed'"
"$nab" ls --names | awk '{ print $1 }' | wc -l
t report --where 'params < 10k' --json --no-figures | grep models
t report --where 'oops' --json
t report --where 'acc > 2' --no-figures
grep -o 'No model with a result[^<]*' report/index.html
for where in 'number < 2' 'number >= 0'; do
	"$nab" report --where "$where" --no-figures --quiet >/dev/null
	grep -o '[0-9]* epochs in [0-9]* runs' report/index.html | head -n 1
done
echo '$ nab compare tiny-0 --where ...'
"$nab" compare tiny-0 --where 'params > 100k' --format csv | cut -d, -f1
"$nab" compare --study tiny --where 'params < 10k' --format csv | cut -d, -f1
t compare --where 'params < 3'
