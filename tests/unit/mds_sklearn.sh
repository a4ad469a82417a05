#!/bin/sh
# The stress of maps against scikit-learn's on the same distances. Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build/release}
for python in python3 /usr/bin/python3; do
	"$python" -c 'import sklearn.manifold' 2>/dev/null && break
	python=
done
if [ -z "$python" ]; then
	echo "ok 1 - stress of maps against scikit-learn # SKIP no python3 with sklearn"
	echo "1..1"
	exit 0
fi
"$B"/tests/unit/test_map --dump 16 | OMP_NUM_THREADS=1 "$python" tests/unit/mds_sklearn.py
