#!/bin/sh
# The manual says what the binary says (`make docs` writes it), its links lead somewhere, and its examples are accepted.
cd "$(dirname "$0")/../.." || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
result() { # result NAME: ok if the last command was
	rc=$?
	n=$((n + 1))
	[ $rc -eq 0 ] && echo "ok $n - $1" || echo "not ok $n - $1"
}
tools/docs.sh "$tmp"
diff -u docs/commands.md "$tmp/commands.md" | sed 's/^/# /' >"$tmp/d"; cat "$tmp/d"; [ ! -s "$tmp/d" ]
result "docs/commands.md is current"
diff -u docs/configuration.md "$tmp/configuration.md" | sed 's/^/# /' >"$tmp/d"; cat "$tmp/d"; [ ! -s "$tmp/d" ]
result "docs/configuration.md is current"
diff -u docs/filters.md "$tmp/filters.md" | sed 's/^/# /' >"$tmp/d"; cat "$tmp/d"; [ ! -s "$tmp/d" ]
result "docs/filters.md is current"
for f in README.md CONTRIBUTING.md docs/*.md; do
	grep -oE '\]\([^)#]+\)|src="[^"]+"' "$f" | sed -e 's/^](//; s/)$//; s/^src="//; s/"$//' | grep -v '://' | while read -r to; do
		[ -e "$(dirname "$f")/$to" ] || echo "# $f: $to is not there"
	done
done >"$tmp/d"; cat "$tmp/d"; [ ! -s "$tmp/d" ]
result "links lead to files"
example() { # example K FILE: the K-th jsonc block of the configuration's manual
	awk -v k="$1" '/^```jsonc/ { n++; on = n == k; next } /^```/ { on = 0 } on' docs/configuration.md >"$tmp/$2"
}
example 2 model.json && ./nab validate "$tmp/model.json" --no-draw >"$tmp/d" 2>&1
result "the model of the manual is valid" && example 3 space.json
./nab sample "$tmp/space.json" --count 5 >"$tmp/d" 2>&1
result "the space of the manual can be sampled"
example 1 study.json
./nab preview "$tmp/study.json" --no-measure --count 2 --set dataset='{}' --set baselines='[]' --set space="$PWD/configs/spaces/blocks-100k.json" >"$tmp/d" 2>&1 || { sed 's/^/# /' "$tmp/d"; false; }
result "the study of the manual can be previewed"
echo "1..$n"
