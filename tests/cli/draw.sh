# Models as drawings: formats, views, and what is refused.
. "$root/tests/cli/lib.inc"
. "$root/tests/cli/study.inc"
cat >a.json <<A
{ "name": "a", "input": [1, 28, 28], "classes": 10, "layers": [
  { "conv2d": { "filters": 8, "kernel": 3, "padding": "same" } }, "batchnorm", "relu",
  { "maxpool2d": { "size": 2 } }, "flatten", { "dense": { "units": 10 } } ] }
A
sed 's/"a"/"b"/; s/"batchnorm", //' a.json >b.json
t draw a.json -o a.svg -o a.pdf -o a.tex -o a.txt -o a.dot
for f in a.svg a.pdf a.tex a.dot; do printf '%s: ' $f; head -c 8 $f | tr -d '\n'; echo; done
grep -c '^digraph' a.dot
python3 -c 'import xml.dom.minidom as m; print(m.parse("a.svg").documentElement.tagName)'
t draw a.json --as dot
t draw a.json b.json --diff --json
t draw a.json b.json --against a --to svg | grep -c '<svg'
t draw a.json --as graph --theme dark -o graph.svg
t draw a.json b.json --vertical -o upright.svg --no-legend
grep -c 'multiply-adds' graph.svg upright.svg
t draw
t draw a.json -o a.jpg
t draw a.json --to gif
t draw a.json --to png
t draw missing.json
t draw a.json --diff
t draw a.json b.json --as graph
t draw a.json b.json --diff --vertical
t draw a.json --against c
t draw a.json -o nowhere/a.svg
"$nab" search study.json --quiet >/dev/null 2>&1
t draw --all --store tiny.db --json | grep -c '"name"'
t draw --study tiny --limit 2 --vertical --store tiny.db -o search.svg --json | grep -c '"name"'
t draw best tiny-0 --diff --store tiny.db -o diff.svg
t draw --study other --store tiny.db
t draw --where "label = 'tiny-1'" --store tiny.db --json | grep -c '"name"'
t draw --where 'params < 0' --store tiny.db
t draw --where 'nonsense <' --store tiny.db | sed 's|;.*||'
