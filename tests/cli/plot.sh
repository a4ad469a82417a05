# Figures for papers: what is written where, and what is said when something is wrong. The numbers are not shown.
. "$root/tests/cli/lib.inc"
. "$root/tests/cli/study.inc"
"$nab" search study.json --quiet >/dev/null 2>&1
t plot pareto
ls pareto.*
t plot curves best --metric loss --json -o figures/loss.pdf
ls figures
t plot confusion best -o c.tex --quiet
ls c.*
grep "^# " c.dat
for k in parallel progress map; do "$nab" plot $k --quiet && head -n 1 $k.gp; done
grep "set output" progress.gp
"$nab" report -o rep --quiet 2>/dev/null && ls rep/figures | sed 's/-.*\././' | sort | uniq -c

# mistakes
t plot paretto
t plot
t plot pareto -o pareto.gif
t plot pareto -o pareto
t plot pareto -o "-x.svg"
t plot pareto -o "|touch pwned.svg"
t plot pareto -o '`touch pwned`.svg'
t plot pareto nobody
t plot progress best
t plot confusion 1 2
t plot curves 1 1 2 2 3 3 1 2 3
t plot ablation
t plot pareto --study none
t plot pareto --width 3
t plot curves --metric accuracies
t plot pareto --where 'params < 0'

# without gnuplot script and data are there all the same
PATH=/nowhere "$nab" plot pareto -o alone.svg 2>&1
echo "= exit $?"
ls alone.*
[ ! -e pwned ]
