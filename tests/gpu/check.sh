#!/bin/bash
# tests/gpu/check.sh - the CUDA backend on a real card: check.sh [FOLDER]. `make gpu-check` calls it. At most 8 minutes.
#
# Runs the same test programs as `make check` runs on the emulated card: every operation against plain C in double, whole
# networks against the reference backend, runs in flight against runs alone; then NVIDIA's compute-sanitizer over the
# operations. Prints a table; everything that was printed stands in FOLDER (build/gpu-check). Where no GPU is, it says SKIP and
# why, and ends with 0.
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build/release}
out=${1:-build/gpu-check}
mkdir -p "$out"
out=$(cd "$out" && pwd)
began=$(date +%s)
most=470 # seconds in all

[ -x ./nab ] || { echo "gpu-check: ./nab is missing: make all" >&2; exit 1; }
./nab doctor >"$out/doctor.txt" 2>&1
./nab doctor --json >"$out/doctor.json" 2>&1
if ! grep -q '"cuda:0"' "$out/doctor.json"; then
	echo "SKIP: no GPU that nab can use:"
	grep -iE 'cuda|driver|cudnn|cublas' "$out/doctor.txt"
	exit 0
fi
command -v nvidia-smi >/dev/null && nvidia-smi >"$out/nvidia-smi.txt" 2>&1
# The plugin that doctor found, by its path: tests use an emulated one otherwise.
plugin=${NAB_CUDA_PLUGIN:-$(sed -n 's|.*[ "]\(/[^ "]*backend_cuda\.so\).*|\1|p' "$out/doctor.txt" | head -n 1)}
[ -e "$plugin" ] || plugin=$PWD/$B/backend_cuda.so
export NAB_CUDA_PLUGIN=$plugin CMOCKA_MESSAGE_OUTPUT=TAP
failures=0

row() { printf '%-44s %s\n' "$1" "$2"; }

run() { # run NAME SECONDS COMMAND...: one TAP program
	name=$1 limit=$2
	shift 2
	left=$((most - ($(date +%s) - began)))
	if [ $left -lt 5 ]; then
		row "$name" "not run: no time left"
		return
	fi
	timeout $((limit < left ? limit : left)) "$@" >"$out/$name.txt" 2>&1
	rc=$?
	good=$(grep -c '^ok ' "$out/$name.txt")
	skipped=$(grep -c '^not ok [0-9]* # SKIP' "$out/$name.txt") # how cmocka writes it
	bad=$(($(grep -c '^not ok ' "$out/$name.txt") - skipped))
	if [ $rc -eq 124 ]; then
		row "$name" "$good ok, $bad failed, then out of time ($limit s)"
		failures=$((failures + 1))
	elif [ $rc -ne 0 ] || [ "$bad" -gt 0 ]; then
		row "$name" "FAILED: $good ok, $bad failed, status $rc: $out/$name.txt"
		failures=$((failures + 1))
	else
		row "$name" "$good ok$([ "$skipped" -eq 0 ] || echo ", $skipped SKIPPED: $(grep -m 1 '^# skipped' "$out/$name.txt")")"
	fi
}

sanitize() { # sanitize TOOL PROGRAM SECONDS
	name=sanitizer-$1-$(basename "$2")
	left=$((most - ($(date +%s) - began)))
	[ $left -lt 20 ] && { row "$name" "not run: no time left"; return; }
	timeout $(($3 < left ? $3 : left)) compute-sanitizer --tool "$1" --error-exitcode 9 "$2" >"$out/$name.txt" 2>&1
	rc=$?
	case $rc in
	0) row "$name" "$(grep -c '^ok ' "$out/$name.txt") ok, no error" ;;
	124) row "$name" "$(grep -c '^ok ' "$out/$name.txt") ok without error, then out of time" ;;
	9)
		row "$name" "FAILED: $out/$name.txt"
		failures=$((failures + 1))
		;;
	*) row "$name" "does not work here (status $rc): $out/$name.txt" ;;
	esac
}

sed -n 's/^ *\(cuda:[0-9].*\)/\1/p' "$out/doctor.txt"
for t in "$B"/tests/unit/test_cuda* "$B/tests/unit/test_train"; do
	case $t in *.o | *.d | *'*'*) continue ;; esac
	run "$(basename "$t")" 200 "$t"
done
if command -v compute-sanitizer >/dev/null; then
	for t in "$B"/tests/unit/test_cuda_ops*; do
		case $t in *.o | *.d | *'*'*) continue ;; esac
		sanitize memcheck "$t" 100
	done
	for t in "$B"/tests/unit/test_cuda_ops*; do
		case $t in *.o | *.d | *'*'*) continue ;; esac
		sanitize racecheck "$t" 60
	done
else
	row compute-sanitizer "not installed"
fi
row seconds $(($(date +%s) - began))
if [ $failures -eq 0 ]; then echo "gpu-check: all passed"; else echo "gpu-check: $failures failed"; fi
exit $((failures > 0))
