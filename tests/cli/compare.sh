# Comparing a study's models, and confirming its winner. Numbers depend on the processor: digits are hidden.
. "$root/tests/cli/lib.inc"
cat >study.json <<S
{ "study": "tiny",
  "dataset": { "format": "glyphs", "options": { "n_train": 200, "n_test": 50 },
               "slices": { "legs": ["R", "K"] }, "validation": 0.2 },
  "space": "$root/configs/spaces/mlp.json",
  "search": { "candidates": 2, "seed": "5" }, "replicates": 2, "objective": "slice:legs",
  "train": { "epochs": 1, "batch": 50 },
  "devices": ["cpu:0"], "store": "tiny.db" }
S
"$nab" search study.json --quiet >/dev/null 2>&1
unset COLUMNS
# shape of a table: words and signs, no numbers, no widths
bare() { sed -E 's/\*? +/ /g; s/(\[|\]|,|!|\+|%)//g; s/<?-?[0-9.]*[0-9]/N/g; s/( N)+/ N/g; s/(=|-) N/N/g; /rely on|differ on/d; s/^Bold.*/Bold/' ; }
t compare tiny-0 tiny-1 | head -3 | bare
t compare --study tiny --format json --slice legs >out.json
python3 - <<'P'
import json
d = json.loads("".join(open("out.json").readlines()[1:]))
print(d["title"], d["split"], d["primary"], d["examples"])
r = d["rows"]
print([x["model"] for x in r], [x["paired"] for x in r], [x["slice:legs:n"] for x in r])
assert abs(r[1]["delta"] - (r[1]["accuracy"] - r[0]["accuracy"])) < 1e-12
assert r[0]["delta"] is None and r[1]["delta_low"] <= r[1]["delta"] <= r[1]["delta_high"]
P
"$nab" compare --study tiny --format csv -o t.csv && head -1 t.csv | tr , '\n' | head -12 | paste -sd,
"$nab" compare --study tiny --format latex | grep -c toprule
"$nab" compare --study tiny --format markdown | head -2
t compare
t compare tiny-0 nonsense
t compare tiny-0 tiny-1 --slice leg
t ls --slice leg
"$nab" ls --slice legs --limit 3 --json >ls.json
python3 - <<'P'
import json
rows = json.load(open("ls.json"))
shares = [r["slice"]["accuracy"] for r in rows]
assert shares == sorted(shares, reverse=True) and len(rows) == 3
assert all(abs(r["slice"]["accuracy"] - r["score"]) < 1e-12 for r in rows)  # the study's objective
assert all(r["slice"]["low"] <= r["slice"]["accuracy"] <= r["slice"]["high"] for r in rows)
print("ls --slice:", {r["slice"]["n"] for r in rows})
P
t compare --study other
t compare tiny-0 --format word
t compare tiny-0 tiny-1 --test | sed -n 3,5p | bare
# the winner on fresh seeds; once more trains nothing and reads nothing
t confirm tiny-1 --seeds 2 --quiet --format csv | cut -d, -f1,2,4 | tail -1
sqlite3 tiny.db 'select count(*) from test_reads; select s.name, r.seed from runs r join candidates c on c.id=r.candidate join studies s on s.id=c.study where s.name<>"tiny"'
"$nab" confirm tiny-1 --seeds 2 --quiet >/dev/null 2>&1
sqlite3 tiny.db 'select count(*), (select count(*) from runs) from test_reads'
t compare tiny-1 --test --study tiny-confirm | sed -n 1,4p | bare
t confirm model.json
t confirm tiny-1 tiny-1
