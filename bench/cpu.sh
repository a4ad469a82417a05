#!/bin/bash
# bench/cpu.sh - the cpu backend against PyTorch, in turns, one thread each: cpu.sh [rounds [seconds]]. Prints a table of
# medians over the rounds. PYTHON names a Python with torch (default /usr/bin/python3); without torch only our side runs.
# Debian's torch multiplies matrices with whatever libblas.so.3 is: with the reference BLAS it is slow without need. The
# last line says which one it was; install libopenblas0 (or point LD_LIBRARY_PATH to it) for a fair comparison.
set -eu
cd "$(dirname "$0")/.."
B=${B:-build/release}
PYTHON=${PYTHON:-/usr/bin/python3}
rounds=${1:-3}
seconds=${2:-0.6}
out=$(mktemp)
trap 'rm -f "$out"' EXIT

[ -x "$B/bench/bench_cpu" ] || { echo "bench/cpu.sh: build it first: make bench" >&2; exit 1; }
torch=yes
"$PYTHON" -c 'import torch' 2>/dev/null || { torch=; echo "# no torch in $PYTHON: PyTorch is left out"; }

for _ in $(seq "$rounds"); do
	for m in a b r8 r20 d; do
		"$B/bench/bench_cpu" "bench/models/$m.json" 1 "$seconds" 3 >>"$out"
		[ -z "$torch" ] || "$PYTHON" bench/cpu.py "$m" 1 "$seconds" 3 >>"$out"
	done
done

"$PYTHON" - "$out" <<'PY'
import json, os, statistics, sys

runs = {}
for line in open(sys.argv[1]):
    r = json.loads(line)
    side = "torch" if r["by"].startswith("PyTorch") else "nab"
    name = os.path.basename(r["model"]).replace(".json", "")
    runs.setdefault(name, {}).setdefault(side, []).append(r)
print("| model | nab, samples/s | PyTorch, samples/s | ratio | nab, per second of processor | PyTorch | ratio |")
print("|---|---|---|---|---|---|---|")
for name, sides in runs.items():
    cells = []
    for key in ("samples_per_s", "samples_per_cpu_s"):
        v = {s: statistics.median(r[key] for r in rs) for s, rs in sides.items()}
        cells.append("%.0f" % v["nab"])
        cells.append("%.0f" % v["torch"] if "torch" in v else "-")
        cells.append("%.2f" % (v["nab"] / v["torch"]) if "torch" in v else "-")
    print("| %s | %s |" % (name, " | ".join(cells)))
print()
print("nab: %s. rival: %s." % tuple(next((r["by"] for s in runs.values() for r in s.get(side, [])), "-")
                                    for side in ("nab", "torch")))
PY
