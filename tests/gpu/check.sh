#!/bin/bash
# tests/gpu/check.sh - the CUDA backend on a real card: check.sh [FOLDER]. `make gpu-check` calls it. At most 8 minutes.
#
# Runs the same test programs as `make check` runs on the emulated card, what the others stand on first: memory and programs,
# every operation against plain C in double, whole networks against the reference backend, graphs against single
# launches, runs in flight against runs alone, searches; then NVIDIA's compute-sanitizer. A program that crashes or hangs is
# a row of the table, and the next one runs. FOLDER (build/gpu-check) gets three files: table.txt, as printed;
# log.txt, everything that the programs said; doctor.txt. Where no GPU is, it says SKIP and why, and ends with 0.
# Status 1: something failed, or was not run for lack of time. MOST=SECONDS gives it other than 470 in all.
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build/release}
most=${MOST:-470} # seconds in all
out=${1:-build/gpu-check}
mkdir -p "$out"
out=$(cd "$out" && pwd)
running=$out/running.txt # of the program that runs; left there if this script is killed
: >"$out/table.txt"
: >"$out/log.txt"
ulimit -c 0
failures=0 missed=0 deadline=0 suspects=()

say() { printf '%s\n' "$*" | tee -a "$out/table.txt"; }
row() { say "$(printf '%-28s %s' "$1" "$2")"; }

record() { # record TITLE: what the program said goes into the log, most of a flood left out
	{ echo "==== $1" && sed -n '1,5000p' "$running" && echo; } >>"$out/log.txt"
}

limited() { # limited SECONDS COMMAND...: 124 or 137 after that time; $took
	local from=$SECONDS
	{ timeout -k 5 "$@" >"$running" 2>&1 </dev/null; } 2>/dev/null # no word of the shell's own on crashes
	local rc=$?
	took=$((SECONDS - from))
	return $rc
}

# How a TAP program fared, in words: cmocka gives the reason of fail_msg() before the test's line, others after it.
verdict='
/^1\.\.[0-9]/ && !planned { planned = substr($0, 4) }
/^(not )?ok / { last = $NF }
/^ok / { good++ }
/^not ok [0-9]+ # SKIP/ { skipped++ }
/^# skipped / && !why { why = substr($0, 11) }
/^not ok [0-9]+ - / { bad++; if (bad == 1) { first = $NF; message = error; ask = !error } }
/^(not )?ok / { error = ""; next }
/^ERROR: / { error = substr($0, 8) }
/^# / && ask && !/^# (not )?ok - / { message = substr($0, 3); ask = 0 }
NF && !/^(#|1\.\.)/ { word = $0 }
END {
	text = good + 0 " ok"
	if (skipped) text = text ", " skipped " SKIPPED: " why
	if (bad) text = text ", " bad " FAILED, first " first ": " message
	late = status == 124 || status == 137
	if (late || status > 128) text = text ", then " (late ? "OUT OF TIME" : "DIED of SIG" signal) " in test " good + bad + skipped + 1 \
		" of " planned + 0 (last ? ", after " last : "") (word ? ": " word : "")
	else if (status && !bad) text = text ", ended with status " status (word ? ": " word : "")
	else if (!good && !bad && !skipped) text = "ran no test"
	print text
	print (status || bad || text == "ran no test" ? "failed" : "passed"), first
}'

# The name of a test whose kernel went astray is kept: its program knows nothing of the card after that, and memcheck tells
# the kernel and the line. A program may take what earlier ones left of their time.
run() { # run PROGRAM SECONDS
	local name=${1##*/} rc result end
	if [ ! -x "$1" ]; then
		row "$name" "NOT BUILT: $1 is missing"
		failures=$((failures + 1))
		return
	fi
	deadline=$((deadline + $2 < most ? deadline + $2 : most))
	if [ $((deadline - SECONDS)) -lt 5 ]; then
		row "$name" "NOT RUN: no time left"
		missed=$((missed + 1))
		return
	fi
	limited $((deadline - SECONDS)) "$1"
	rc=$?
	result=$(awk -v status=$rc -v signal="$(kill -l $((rc > 128 ? rc - 128 : 0)))" "$verdict" "$running")
	end=${result##*$'\n'}
	record "$name: status $rc, $took s"
	row "$name" "${result%$'\n'*} ($took s)"
	[ "${end% *}" = passed ] && return
	failures=$((failures + 1))
	grep -qE 'illegal|misaligned|launch failure|out-of-range' "$running" && suspects+=("$1 ${end#* }")
}

sanitize() { # sanitize TOOL PROGRAM SECONDS [TEST]
	local name rc left=$((most - SECONDS))
	name="$1 ${4:-$(basename "$2")}"
	if [ $left -lt 20 ]; then
		row "$name" "not run: no time left"
		return
	fi
	NAB_TEST=${4:-} limited $(($3 < left ? $3 : left)) "$sanitizer" --tool "$1" --print-limit 20 --error-exitcode 99 "$2"
	rc=$?
	record "compute-sanitizer $name: status $rc, $took s"
	local ok found
	ok=$(grep -c '^ok ' "$running")
	# "========= Invalid __global__ write of size 4 bytes" and "=========     at kernel+0x90 in file.cu:12"
	found=$(sed -n '/^========= \(Invalid\|Misaligned\|Error\|Warning\|Race\|Program hit\|Uninit\)/{N;s/^=* *//;s/\n=* */ /p;q}' "$running")
	case $rc in
	0) row "$name" "$ok ok, no error ($took s)" ;;
	124 | 137) row "$name" "$ok ok, ${found:-no error}, then out of time ($took s)" ;;
	99) row "$name" "FAILED: ${found:-see log.txt} ($took s)" ;;
	*)
		if grep -q '^1\.\.' "$running"; then
			row "$name" "${found:-no error}, but the program ended with status $rc after $ok ok ($took s)"
		else
			row "$name" "does not work here (status $rc): $(grep -m 1 . "$running")"
		fi
		;;
	esac
	[ $rc -ne 99 ] && [ -z "$found" ] || failures=$((failures + 1))
}

[ -x ./nab ] || { echo "gpu-check: ./nab is missing: make all" >&2; exit 1; }
limited 60 ./nab doctor
rc=$?
cp "$running" "$out/doctor.txt"
if [ $rc -ne 0 ]; then
	say "gpu-check: FAILED: nab doctor ended with status $rc: $(tail -n 1 "$out/doctor.txt")"
	exit 1
fi
if ! grep -q '"cuda:0"' "$out/doctor.txt"; then
	say "SKIP: no GPU that nab can use:"
	say "$(grep -iE 'cuda|driver|cudnn|cublas' "$out/doctor.txt")"
	exit 0
fi
say "$(sed -n '/^CUDA$/,/^[a-z]/{/^ /p}' "$out/doctor.txt")"
command -v nvidia-smi >/dev/null && limited 20 nvidia-smi && record nvidia-smi

# The plugin that doctor found, by its path: tests use an emulated one otherwise.
plugin=${NAB_CUDA_PLUGIN:-$(sed -n 's|.*[ "]\(/[^ "]*backend_cuda\.so\).*|\1|p' "$out/doctor.txt" | head -n 1)}
export NAB_CUDA_PLUGIN=${plugin:-$PWD/$B/backend_cuda.so} CMOCKA_MESSAGE_OUTPUT=TAP

order="cuda_exec:40 cuda_ops_a:30 cuda_ops_b:50 cuda_step:30 cuda_products:50 cuda:90 cuda_runs:60 train:40 engine_cuda:40 cuda_plans:20"
for t in $order; do run "$B/tests/unit/test_${t%:*}" "${t#*:}"; done
for t in "$B"/tests/unit/test_cuda*; do # those that are not in the list yet; these make up their card, or ask the emulator
	case " $order cuda_card: cuda_library: cuda_measure: cuda_launches: cuda_races:" in *" ${t##*/test_}:"*) continue ;; esac
	case $t in *.o | *.d) ;; *) run "$t" 20 ;; esac
done

sanitizer=
for s in "$(command -v compute-sanitizer)" "${CUDA_HOME:-/usr/local/cuda}/bin/compute-sanitizer"; do
	[ -z "$sanitizer" ] && [ -x "$s" ] && sanitizer=$s
done
if [ "$sanitizer" ]; then
	for s in "${suspects[@]}"; do sanitize memcheck "${s% *}" 60 "${s#* }"; done
	for tool in memcheck racecheck; do
		for t in ops_a ops_b step products; do sanitize $tool "$B/tests/unit/test_cuda_$t" 60; done
	done
else
	row compute-sanitizer "not installed"
fi
rm -f "$running"
row seconds $SECONDS
if [ $((failures + missed)) -eq 0 ]; then say "gpu-check: all passed"; else say "gpu-check: $failures failed, $missed not run"; fi
exit $((failures + missed > 0))
