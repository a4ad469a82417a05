#!/bin/sh
# bench/page.sh [RUNS] - a report of many runs: written without and with a cache of distances, and opened in Chromium.
cd "$(dirname "$0")/.." || exit 1
B=${B:-build/release}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
"$B/bench/bench_report" "${1:-10000}" "$dir" || exit 1
python3 bench/page.py "$dir/report/index.html"
