#!/bin/sh
# The page in a real browser: every tests/system/page_*.py, over the reports of tests/unit/test_report.c. Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build/release}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
NAB_REPORT_KEEP="$tmp" CMOCKA_MESSAGE_OUTPUT=STDOUT "$B/tests/unit/test_report" >"$tmp/log" 2>&1 || {
	tail -n 20 "$tmp/log" | sed 's/^/# /'
	echo "not ok 1 - reports are made"
	exit 1
}
PYTHONDONTWRITEBYTECODE=1 exec python3 tests/system/page.py "$PWD/nab" "$tmp"
