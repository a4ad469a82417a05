#!/bin/sh
# The JSON Schema that nab prints against python's jsonschema: both must accept and refuse alike. Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
py=/usr/bin/python3
[ -x $py ] && $py -c 'import jsonschema' 2>/dev/null || py=python3
if ! $py -c 'import jsonschema' 2>/dev/null; then
	echo "not ok 1 - python's jsonschema is not installed (make check installs it)"
	exit 1
fi
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
$py tests/system/schema.py "$PWD/nab" "$PWD" "$tmp"
