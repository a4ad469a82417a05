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
elif BACKEND=cpu DEVICE=cpu:0 RIVAL=cpu EXAMPLES=900 MODELS=1 EPOCHS=1 bench/gpu/run.sh 4 "$dir/bench" >"$dir/bench.txt" 2>&1 &&
	grep -q '^| nab default | 1 |' "$dir/bench/gpu.md"; then
	echo "ok 3 - gpu-bench with the cpu backend"
else
	sed 's/^/# /' "$dir/bench.txt"
	echo "not ok 3 - gpu-bench with the cpu backend"
fi
echo "1..3"
