# A study that predicts a value: what it is judged by is called R2, a plain number with three decimals, wherever the models
# of a store are listed. Numbers depend on the processor: digits are hidden.
. "$root/tests/cli/lib.inc"
. "$root/tests/cli/study.inc"
python3 - <<'P'
import math
with open("slope.csv", "w") as f:
    f.write("a,b,y\n")
    for i in range(240):
        a, b = math.sin(1.7 * i), math.cos(2.3 * i)
        f.write("%.4f,%.4f,%.4f\n" % (a, b, 2 * a - b + 0.5))
P
cat >study.json <<S
{ "study": "slope",
  "dataset": { "format": "csv", "dir": "slope.csv", "options": { "task": "regression" }, "validation": 0.25 },
  "space": "$root/configs/spaces/mlp.json",
  "search": { "candidates": 2, "seed": "5" }, "replicates": 2,
  "train": { "epochs": 30, "batch": 20, "loss": "mse" },
  "devices": ["cpu:0"], "store": "slope.db" }
S
"$nab" search study.json --quiet >/dev/null
unset COLUMNS
# every number with its decimals, but for times and learning rates
bare() { untimed | sed -E 's/[-+]?[0-9]+\.[0-9]{3}\b/N.NNN/g; s/[-+]?[0-9]+\.[0-9]{2}\b/N.NN/g; s/[-+]?[0-9]+\.[0-9]+/N.N/g; s/\*//g; s/ +/ /g'; }
t ls --sort id | bare
t show slope-0 --no-chart | grep -E '^validation .* loss|^best|^epoch' | sed -E 's/ epoch [0-9]+ / epoch E /; s/loss [0-9.]+/loss L/g' | bare
t show slope-0 --no-chart | grep -oE '^(training|validation) (R2|accuracy) +-?[0-9]+\.[0-9]+( %)?' | bare
t show slope-0 --no-chart | grep -E '^    1 ' | cut -c 1-54 | sed -E 's/[0-9]\.[0-9]{4}/L/g' | bare
t compare slope-0 slope-1 >table
sed -n 1,3p table | bare
grep -E '^(R2|Accuracy|Delta)' table
"$nab" compare slope-0 slope-1 --format latex | grep -E 'R2|accuracy'
"$nab" compare slope-0 slope-1 --format json | python3 -c "
import json, sys
for r in json.load(sys.stdin)['rows']:
    print(r['model'], 'interval of R2:', r['accuracy_low'], r['accuracy_high'])"
t diff slope-0 slope-1 | grep '^validation' | bare
t test slope-0 | sed -n 2p | bare
t eval slope-0 | tail -1 | sed 's/loss [0-9.]*/loss L/' | bare
t confirm slope-0 --seeds 1 --quiet | sed -n 2,3p | bare
t report --quiet
head -1 report/leaderboard.csv | cut -d, -f8-12
grep -m 2 '|' report/leaderboard.md | bare
grep -oE 'validation, last epoch[^<]*|"metric":\{[^}]*\}|<div class="k">best validation [^<]*|validation accuracy|accuracy %' report/index.html | sort | uniq -c | sed -E 's/^ +//'
"$nab" draw --all --to text | sed -n 1,2p | cut -c 1-22 | bare
"$nab" draw --all -o all.svg --quiet
"$nab" draw --all --vertical -o upright.svg --quiet
"$nab" draw slope-0 -o one.svg --quiet
cat all.svg upright.svg one.svg | grep -oE 'val\. (R2|accuracy)|(-?[0-9.]+( %)? validation )?(R2|accuracy)\b[^<]{0,3}|>-?[0-9]+\.[0-9]+( %)?<' | bare | sort -u
"$nab" watch --once | sed -n '/best so far/{n;p}' | sed -E 's/[0-9]\.[0-9]{4}/L/g' | cut -c 1-48 | bare
