#!/bin/sh
# Golden tests of the command line. Each tests/cli/<case>.sh runs in a scratch folder with $nab and $root set; its
# stdout, stderr and exit status must equal <case>.stdout, .stderr (absent: empty) and .exit (absent: 0). The scratch folder's
# and the project's paths are replaced by SCRATCH and ROOT before comparing. NAB_GOLDEN=1 rewrites the goldens. Prints TAP.
cd "$(dirname "$0")" || exit 1
root=$(cd ../.. && pwd)
nab=$root/nab
export nab root NO_COLOR=1 LC_ALL=C
unset NAB_STORE NAB_SHARE
n=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

normal() { sed -e "s|$scratch/work|SCRATCH|g" -e "s|$root|ROOT|g" -e 's/this one reads up to [0-9]*/this one reads up to N/' -e 's/process [0-9]* on [^ ,;)]*/process PID on HOST/g' "$1"; }

for script in ${*:-*.sh}; do
	case=${script%.sh}
	[ "$case" = run ] && continue
	n=$((n + 1))
	mkdir -p "$scratch/work"
	(cd "$scratch/work" && timeout 120 sh "$root/tests/cli/$case.sh") >"$scratch/out" 2>"$scratch/err" </dev/null
	echo $? >"$scratch/status"
	normal "$scratch/out" >"$scratch/stdout"
	normal "$scratch/err" >"$scratch/stderr"
	if [ -n "$NAB_GOLDEN" ]; then
		cp "$scratch/stdout" "$case.stdout"
		cp "$scratch/stderr" "$case.stderr"
		cp "$scratch/status" "$case.exit"
		[ -s "$case.stderr" ] || rm "$case.stderr"
		[ "$(cat "$case.exit")" != 0 ] || rm "$case.exit"
	fi
	bad=
	diff -u "$case.stdout" "$scratch/stdout" || bad=1
	if [ -f "$case.stderr" ]; then err=$case.stderr; else err=/dev/null; fi
	diff -u "$err" "$scratch/stderr" || bad=1
	want=0
	[ -f "$case.exit" ] && want=$(cat "$case.exit")
	[ "$(cat "$scratch/status")" = "$want" ] || { echo "# exit status $(cat "$scratch/status"), expected $want"; bad=1; }
	if [ -z "$bad" ]; then echo "ok $n - $case"; else echo "not ok $n - $case"; fi
	chmod -R u+w "$scratch/work"
	rm -rf "$scratch/work"
done
echo "1..$n"
