#!/bin/sh
# Runs the tests of the wanted tiers, shows what failed, and ends with the plain line "N passed, N failed, N skipped".
#   tests/run.sh unit|cli|long|all     B= names the build folder, NAB_GOLDEN=1 rewrites command-line goldens
# Every test program prints TAP: "ok N - name", "not ok N - name", "ok N - name # SKIP reason".
cd "$(dirname "$0")/.." || exit 1
B=${B:-build/release}
tier=${1:-all}
log=$B/test.log
: >"$log"
export CMOCKA_MESSAGE_OUTPUT=TAP

run() { # run NAME COMMAND...: one TAP program
	name=$1
	shift
	out=$B/test.out
	start=$(date +%s)
	"$@" >"$out" 2>&1
	rc=$?
	sed -i 's/^not ok \([0-9]*\) # SKIP \(.*\)/ok \1 - \2 # SKIP/' "$out" # how cmocka writes a skipped test
	awk 'NR == FNR { if ($1 == "#" && $2 == "skipped") { t = $3; sub(/:$/, "", t); sub(/^# skipped [^ ]* /, ""); why[t] = $0 }; next }
	     / # SKIP$/ && ($4 in why) { $0 = $0 " " why[$4] }
	     { print }' "$out" "$out" >"$out.named" && mv "$out.named" "$out"
	sed "s|^|$name: |" "$out" >>"$log"
	good=$(grep -c '^ok ' "$out")
	bad=$(grep -c '^not ok ' "$out")
	skipped=$(grep -c '^ok .*# SKIP' "$out")
	if [ $rc -ne 0 ] && [ "$bad" -eq 0 ]; then
		echo "$name: not ok - ended with status $rc" >>"$log"
		bad=1
	elif [ "$good" -eq 0 ] && [ "$bad" -eq 0 ]; then
		echo "$name: not ok - ran no test" >>"$log"
		bad=1
	fi
	printf '%-44s %4d ok  %3d skipped  %3d failed  %4ds\n' "$name" $((good - skipped)) "$skipped" "$bad" $(($(date +%s) - start))
	[ "$bad" -gt 0 ] && { grep -v '^ok ' "$out" | tail -n 40 | sed 's/^/    /'; }
}

unit() {
	run check-headers tests/check-headers.sh
	run check-layers tests/check-layers.sh
	for t in "$B"/tests/unit/test_* "$B"/tests/prop/test_*; do
		case $t in *.o | *.d | *'*') continue ;; esac
		run "${t#"$B"/tests/}" "$t"
	done
	for t in "$B"/tests/fuzz/fuzz_*; do
		case $t in *.o | *.d | *'*') continue ;; esac
		name=${t##*/}
		run "fuzz/$name" tests/fuzz/replay.sh "$t" "tests/fuzz/corpus/${name#fuzz_}"
	done
	for t in tests/unit/*.sh; do
		[ -x "$t" ] && run "${t#tests/}" "$t"
	done
}

case $tier in
unit) unit ;;
cli) run cli tests/cli/run.sh ;;
long)
	for t in "$B"/tests/long/test_* tests/long/*.sh; do
		case $t in *.o | *.d | *'*'*) continue ;; esac
		run "long/${t##*/}" "$t"
	done ;;
all)
	unit
	run check-fault tests/check-fault.sh
	run cli tests/cli/run.sh
	for t in tests/system/*.sh; do
		[ -x "$t" ] && run "${t#tests/}" "$t"
	done ;;
esac

passed=$(grep -c ': ok ' "$log")
skipped=$(grep -c ': ok .*# SKIP' "$log")
failed=$(grep -c ': not ok ' "$log")
grep ': ok .*# SKIP' "$log" | sed 's/.*: ok [0-9]* *-* */skipped: /; s/ # SKIP */: /'
grep ': not ok ' "$log" | sed 's/^/FAILED  /'
echo "$((passed - skipped)) passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
