#!/bin/sh
# Fuzzes every target with clang's libFuzzer, address and undefined-behaviour sanitizers; SECONDS each (default 60).
# New findings and corpus files land in build/fuzz/NAME.   tests/fuzz/run.sh [NAME...]
cd "$(dirname "$0")/../.." || exit 1
secs=${FUZZ_SECONDS:-60}
out=build/fuzz
mkdir -p $out
srcs=$(ls base/*.c arch/*.c dataset/*.c space/*.c search/*.c mutate/*.c train/*.c store/*.c engine/*.c report/*.c export/*.c 2>/dev/null)
status=0
for src in ${*:-$(ls tests/fuzz/fuzz_*.c)}; do
	name=${src##*/fuzz_}
	name=${name%.c}
	mkdir -p "$out/$name"
	clang -std=c11 -D_GNU_SOURCE -I. -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -w \
		"tests/fuzz/fuzz_$name.c" $srcs -o "$out/fuzz_$name" -lcjson -lxxhash -lsqlite3 -ldnnl -lpng -lz -lm -ldl -lpthread -lgomp || exit 1
	echo "== $name"
	"$out/fuzz_$name" -max_total_time="$secs" -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 \
		-artifact_prefix="$out/$name-" "$out/$name" "tests/fuzz/corpus/$name" 2>&1 | grep -E 'stat::|ERROR|SUMMARY|DONE' || status=1
	ls "$out/$name"-crash* "$out/$name"-oom* "$out/$name"-timeout* 2>/dev/null && status=1
done
exit $status
