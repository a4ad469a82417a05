#!/bin/sh
# The paired statistics against SciPy, and statsmodels where it is there: random cases of every function. Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build/release}
for python in python3 /usr/bin/python3; do
	"$python" -c 'import scipy' 2>/dev/null && break
	python=
done
if [ -z "$python" ]; then
	echo "ok 1 - statistics against SciPy # SKIP no python3 with scipy"
	echo "1..1"
	exit 0
fi
"$B"/tests/unit/test_stats_paired --dump 400 | "$python" tests/unit/stats_scipy.py
