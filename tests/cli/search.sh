# A search from start to report, resumed, extended, edited; scores depend on the processor and are left out.
. "$root/tests/cli/lib.inc"
. "$root/tests/cli/study.inc"
bare() { untimed | sed -E 's/[0-9]+\.[0-9]+ ?%?/N/g; s/is run [0-9]+/is run R/'; }
t preview study.json --no-measure | bare
for seeds in 2 5; do
	t preview study.json --no-measure --count 1 --set replicates=$seeds | bare
done
t search study.json --quiet | bare
t search study.json | bare
t search study.json --set search.seed=6 --set train.epochs=2
t search study.json --set search.candidates=4 --quiet | bare
t search study.json --set stop.epochs=2 --quiet | bare
t ls --sort id | bare
"$nab" ls --json | python3 -c "import json, sys; json.load(sys.stdin)"
t ls --failed
t status | bare
t show tiny-1 --no-epochs --no-confusion --no-classes | grep -v finding | bare
t show 99
t show nonsense
"$nab" show tiny-1 --model >model.json && "$nab" validate model.json --no-draw --no-lint
t test tiny-1 | bare
t test tiny-1 | grep -c 'been read 2 times'
"$nab" predict tiny-1 | wc -l
t export tiny-1 --to tensorflow
t export tiny-1 --output code --quiet
ls code
t report --quiet
ls report
t train model.json --quiet --epochs 1 --store tiny.db --data glyphs --set dataset.options.n_train=200 --set dataset.options.n_test=50 --name again | bare
t status | bare
# a run's profile is kept in its store
"$nab" profile best --store tiny.db --steps 1 --quiet >/dev/null && sqlite3 tiny.db 'select count(*) from profiles'
