#!/bin/sh
# The CUDA kernels have no races (tests/cuda/races.h): the tests of single operations, and of the programs of a few, once
# more on the emulated plugin whose kernels are watched. Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
B=$PWD/${B:-build/release}
tests="ops_a ops_b products step exec"
n=0

for t in $tests; do
	n=$((n + 1))
	name="no races: test_cuda_$t"
	if [ ! -e "$B/tests/cuda/emulated_races.so" ]; then
		echo "ok $n - $name # SKIP no kernels are watched: that needs a C++ compiler with -fsanitize=thread, and no SAN"
	elif CMOCKA_MESSAGE_OUTPUT=STDOUT NAB_CUDA_PLUGIN=$B/tests/cuda/emulated_races.so "$B/tests/unit/test_cuda_$t" \
		>"$B/cuda_races.out" 2>&1; then
		echo "ok $n - $name"
	else
		sed 's/^/# /' "$B/cuda_races.out" | tail -n 40
		echo "not ok $n - $name"
	fi
done
rm -f "$B/cuda_races.out"
echo "1..$n"
