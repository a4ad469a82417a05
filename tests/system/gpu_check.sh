#!/bin/bash
# tests/gpu/check.sh with test programs that are made up: what fails, crashes or hangs is told in one row each, with its
# reason, and the next one runs. Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/tests/gpu" "$dir/build/release/tests/unit" "$dir/bin"
cp tests/gpu/check.sh "$dir/tests/gpu/"
unset NAB_CUDA_PLUGIN CUDA_HOME B MOST NAB_TEST
n=0

program() { # program PATH: a script from standard input
	{ echo '#!/bin/bash' && cat; } >"$dir/$1"
	chmod 755 "$dir/$1"
}
check() { # check [VARIABLE=VALUE]...: runs it
	(cd / && env PATH="$dir/bin:$PATH" "$@" "$dir/tests/gpu/check.sh" "$dir/out") >"$dir/printed" 2>&1
	status=$?
}
says() { # says NAME STATUS ROW...: it ended so, and these regular expressions match lines of what was printed
	local name=$1 wrong=
	n=$((n + 1))
	[ "$status" -eq "$2" ] || wrong="status $status"
	shift 2
	for row in "$@"; do grep -qE -- "$row" "$dir/printed" || wrong="$wrong; no row: $row"; done
	[ -z "$wrong" ] && echo "ok $n - $name" && return
	sed 's/^/# /' "$dir/printed"
	echo "# $wrong"
	echo "not ok $n - $name"
}

program nab <<'T'
[ "$1" = doctor ] && echo 'CUDA' && echo "  plugin         ok       $PWD/build/release/backend_cuda.so, built with a test" && echo '  cuda:0         ok       made up'
echo 'for a study: "devices": ["cuda:0"]'
T
for t in cuda_exec cuda_ops_a cuda_ops_b cuda_step cuda_products cuda cuda_runs train engine_cuda cuda_plans; do
	program "build/release/tests/unit/test_$t" <<'T'
printf '%s\n' 1..2 "ok 1 - one" "# skipped two: ${NAB_CUDA_PLUGIN##*/} says so" "not ok 2 # SKIP two" "# ok - tests"
T
done
program bin/compute-sanitizer <<'T'
[ "$NAB_TEST" = test_b ] || exec "${@: -1}"
printf '%s\n' "========= COMPUTE-SANITIZER" "========= Invalid __global__ write of size 4 bytes" "=========     at pool_back+0x90 in pool.cu:12"
exit 99
T
echo 'echo a new one; exit 3' | program build/release/tests/unit/test_cuda_new
check
says "programs that pass, and one that ends too early" 1 '^  cuda:0 +ok +made up$' \
	'^test_cuda_exec +1 ok, 1 SKIPPED: two: backend_cuda.so says so \([0-9]+ s\)$' '^test_engine_cuda +1 ok' \
	'^test_cuda_new +0 ok, ended with status 3: a new one' '^memcheck test_cuda_ops_a +1 ok, no error' '^gpu-check: 1 failed, 0 not run$'
rm "$dir/build/release/tests/unit/test_cuda_new"
check
says "all pass" 0 '^gpu-check: all passed$'

program build/release/tests/unit/test_cuda_exec <<'T'
printf '%s\n' 1..3 "ok 1 - test_a" "ERROR: POOL_BACK: wait: an illegal memory access was encountered" "not ok 2 - test_b" \
	"# helper.c:12: error: Failure!" "ERROR: another" "not ok 3 - test_c" "# helper.c:13: error: Failure!"
exit 2
T
program build/release/tests/unit/test_cuda_ops_a <<'T'
printf '%s\n' 1..3 "not ok 1 - test_d" "# 0x3 != 0x4" "# t.c:12: error: Failure!" "ok 2 - test_e" "free(): invalid pointer"
kill -ABRT $$
T
rm "$dir/build/release/tests/unit/test_train"
check
says "failures and crashes are told with their first reason" 1 \
	'^test_cuda_exec +1 ok, 2 FAILED, first test_b: POOL_BACK: wait: an illegal memory access was encountered \(' \
	'^test_cuda_ops_a +1 ok, 1 FAILED, first test_d: 0x3 != 0x4, then DIED of SIGABRT in test 3 of 3, after test_e: free\(\): invalid pointer \(' \
	'^test_train +NOT BUILT' '^test_cuda_ops_b +1 ok' \
	'^memcheck test_b +FAILED: Invalid __global__ write of size 4 bytes at pool_back\+0x90 in pool.cu:12 \(' \
	'^memcheck test_cuda_ops_a +no error, but the program ended' '^gpu-check: 4 failed, 0 not run$'
n=$((n + 1))
if [ "$(cd "$dir/out" && echo *)" = "doctor.txt log.txt table.txt" ] && cmp -s "$dir/out/table.txt" "$dir/printed" && grep -q '^ERROR: another$' "$dir/out/log.txt"; then
	echo "ok $n - three files"
else
	diff "$dir/out/table.txt" "$dir/printed" | sed 's/^/# /'
	echo "not ok $n - three files"
fi

program build/release/tests/unit/test_cuda_exec <<'T'
printf '%s\n' 1..3 "ok 1 - test_a"
sleep 100
T
check MOST=6
says "what hangs is ended, and what there is no time for is named" 1 '^test_cuda_exec +1 ok, then OUT OF TIME in test 2 of 3, after test_a \([0-9]+ s\)$' \
	'^test_cuda_ops_a +NOT RUN' '^gpu-check: 2 failed, 8 not run$'

program nab <<'T'
echo "cannot go on" && kill -SEGV $$
T
check
says "a doctor that crashes" 1 '^gpu-check: FAILED: nab doctor ended with status 139: cannot go on$'
echo "1..$n"
