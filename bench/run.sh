#!/bin/bash
# bench/run.sh - every benchmark in turn: programs bench_* on their own, then the comparisons with rivals.
set -eu
cd "$(dirname "$0")/.."
B=${B:-build/release}

for p in "$B"/bench/bench_*; do
	case $p in
	*.o | *.d | */bench_cpu | */bench_report) continue ;; # run by the scripts below
	esac
	echo "# $(basename "$p")"
	"$p"
done
for s in bench/*.sh; do
	[ "$s" = bench/run.sh ] && continue
	echo "# $s"
	B=$B "$s"
done
