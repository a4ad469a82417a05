#!/bin/bash
# The commands for a machine with a GPU: without one they say SKIP and end well; the benchmark's script works (on the cpu
# backend, with one small model). Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build/release}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
PYTHON=python3
for p in /usr/bin/python3 python3; do
	"$p" -c 'import numpy' 2>/dev/null && PYTHON=$p && break
done
export PYTHON

if ! NAB_CUDA_PLUGIN=/nonexistent B=$B tests/gpu/check.sh "$dir/check" >"$dir/check.txt" 2>&1 || ! grep -q '^SKIP: no GPU' "$dir/check.txt"; then
	sed 's/^/# /' "$dir/check.txt"
	echo "not ok 1 - gpu-check without a GPU"
else
	echo "ok 1 - gpu-check without a GPU"
fi
if ! NAB_CUDA_PLUGIN=/nonexistent bench/gpu/run.sh 1 "$dir/none" >"$dir/none.txt" 2>&1 || ! grep -q '^SKIP: no GPU' "$dir/none.txt"; then
	sed 's/^/# /' "$dir/none.txt"
	echo "not ok 2 - gpu-bench without a GPU"
else
	echo "ok 2 - gpu-bench without a GPU"
fi
if ! "$PYTHON" -c 'import numpy' 2>/dev/null; then
	echo "# skipped gpu-bench: no Python with numpy"
	echo "ok 3 - gpu-bench # SKIP"
	echo "1..3"
	exit 0
fi

# In miniature, into one folder, as on a card: each part ends well, and every step of it left its line.
bench() { # bench NUMBER PART ROW...: rows that gpu.md must hold then
	number=$1 part=$2 missing=
	shift 2
	BACKEND=cpu DEVICE=cpu:0 RIVAL=cpu EXAMPLES=300 MODELS=1 EPOCHS=1 BATCHES=8 IN_FLIGHT=1 bench/gpu/run.sh "$part" "$dir/bench" >"$dir/bench.txt" 2>&1 ||
		missing="status $?"
	for row in "$@"; do grep -q -- "$row" "$dir/bench/gpu.md" || missing="$missing; no $row"; done
	! grep -q Traceback "$dir/bench.txt" || missing="$missing; a Python error"
	if [ -z "$missing" ]; then
		echo "ok $number - gpu-bench, part $part, with the cpu backend"
	else
		sed 's/^/# /' "$dir/bench.txt"
		echo "# $missing"
		echo "not ok $number - gpu-bench, part $part, with the cpu backend"
	fi
}
bench 3 1 '^| a | 8 | 1 |' '^| b | 8 | 1 |' '^| 0000 | 8 |' '^| conv2d_4 |' 'no number here is a measurement of a GPU'
bench 4 4 '^| nab killed | 1 |' '^| nab faults | [34] |' 'after kill -9 of engine and workers: 1 pairs of weights compared, 0 differ' \
	'0 healthy ones lost, 0 with other weights' '^| G8 .* 0 | met |'

# Both sides see the same split.
if ./nab data info --data "$dir/bench/study.json" | grep -q '250 train, 50 validation, 0 test' &&
	{ ! grep -q '"begin"' "$dir/bench/part-4.jsonl" || grep -q '"n_train": 250, "n_val": 50' "$dir/bench/part-4.jsonl"; }; then
	echo "ok 5 - gpu-bench: nab and its rivals train on the same pictures"
else
	./nab data info --data "$dir/bench/study.json" | sed 's/^/# /'
	grep '"begin"' "$dir/bench/part-4.jsonl" | sed 's/^/# /'
	echo "not ok 5 - gpu-bench: nab and its rivals train on the same pictures"
fi
echo "1..5"
