#!/bin/sh
# The structural distance against SciPy: random networks, the transport problem as a linear program. Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build/release}
for python in python3 /usr/bin/python3; do
	"$python" -c 'import scipy.optimize' 2>/dev/null && break
	python=
done
if [ -z "$python" ]; then
	echo "ok 1 - OTMANN against SciPy # SKIP no python3 with scipy"
	echo "1..1"
	exit 0
fi
"$B"/tests/unit/test_otmann --dump 200 | "$python" tests/unit/otmann_scipy.py
