#!/bin/sh
# Every header compiles by itself. Prints TAP.
cd "$(dirname "$0")/.." || exit 1
n=0
for h in */*.h; do
	n=$((n + 1))
	if printf '#include "%s"\n' "$h" | ${1:-cc} -std=c11 -D_GNU_SOURCE -I. -Wall -Wextra -fsyntax-only -x c - 2>&1; then
		echo "ok $n - $h"
	else
		echo "not ok $n - $h"
	fi
done
echo "1..$n"
