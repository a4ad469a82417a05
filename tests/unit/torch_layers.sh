#!/bin/sh
# The oracles against PyTorch: random cases of every layer kind, values and gradients in float64. Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build/release}
for python in python3 /usr/bin/python3; do
	"$python" -c 'import torch' 2>/dev/null && break
	python=
done
if [ -z "$python" ]; then
	echo "ok 1 - layers against PyTorch # SKIP no python3 with torch"
	echo "1..1"
	exit 0
fi
"$B"/tests/unit/test_layers --dump 12 | "$python" tests/unit/torch_layers.py
