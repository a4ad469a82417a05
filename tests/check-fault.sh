#!/bin/sh
# Makes the n-th allocation of a command fail, for n = 1, 2, 3 ... in growing strides until n is beyond the last one:
# every run must end with status 1 and a message about memory, or succeed with the same output; never by a signal,
# never with something else. Prints TAP.
cd "$(dirname "$0")/.." || exit 1
root=$PWD
nab=$root/nab
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1
cases=0

# fault NAME COMMAND...: \$reset, if set, is run before each try
fault() {
	name=$1
	shift
	cases=$((cases + 1))
	n=0 runs=0 refused=0 bad=
	$reset
	"$@" >want 2>err </dev/null || bad="without a failing allocation: status $?: $(tail -n 1 err)"
	while [ -z "$bad" ]; do
		n=$((n + 1 + n / stride))
		runs=$((runs + 1))
		$reset
		NAB_TEST_FAIL_ALLOC=$n "$@" >got 2>err </dev/null
		rc=$?
		if [ $rc -eq 0 ]; then
			cmp -s want got || bad="n = $n: success with another output"
			break
		elif [ $rc -ne 1 ]; then
			bad="n = $n: status $rc: $(tail -n 1 err)"
		elif ! grep -q 'memory' err; then
			bad="n = $n: no word of memory: $(tail -n 1 err)"
		fi
		refused=$((refused + 1))
	done
	[ "$refused" -gt 0 ] || bad=${bad:-no allocation was made to fail}
	if [ -z "$bad" ]; then
		echo "ok $cases - $name: $refused refused allocations, the last tried was number $n"
	else
		echo "# $bad"
		echo "not ok $cases - $name"
	fi
}

forget() { rm -rf run.db run.db-* run.files; }

reset=:
stride=20
fault validate "$nab" validate "$root/configs/models/resnet20.json"
fault sample "$nab" sample "$root/configs/spaces/blocks-100k.json" --count 20
fault schema "$nab" schema model
fault draw "$nab" draw "$root/configs/models/resnet20.json" "$root/configs/models/resnet8.json" --to svg
fault "draw --as graph" "$nab" draw "$root/configs/models/resnet8.json" --as graph --to pdf
stride=10
fault data "$nab" data info

# The workers of a search inherit the number, and fail in their own places.
cat >study.json <<S
{ "study": "tiny", "dataset": { "format": "glyphs", "options": { "n_train": 100, "n_test": 50 } },
  "space": "$root/configs/spaces/mlp.json", "search": { "candidates": 1 },
  "train": { "epochs": 1, "batch": 50 }, "devices": ["cpu:0"], "store": "run.db" }
S
reset=forget
stride=4
fault search "$nab" search study.json --quiet
echo "1..$cases"
