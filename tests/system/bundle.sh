#!/bin/sh
# `make bundle`, without packing it: every library is inside or the machine's C library, nab and gpu-check work from
# there, and our libstdc++ is taken only where nab does not start without it. Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build/release}
dir=$(cd "$(mktemp -d)" && pwd -P)
trap 'rm -rf "$dir"' EXIT
bundle=$dir/nab-bundle
unset NAB_CUDA_PLUGIN NAB_SHARE

why=
[ "$B" = build/release ] || why="a build of its own kind, $B"
for tool in make ldd strip objdump; do
	command -v $tool >/dev/null || why="$tool is not installed"
done
[ -z "$why" ] || { echo "ok 1 - a bundle # SKIP $why"; echo "1..1"; exit 0; }

verdict() { # verdict N NAME STATUS, $dir/out is shown if it is not 0
	[ "$3" -eq 0 ] || sed 's/^/# /' "$dir/out"
	echo "$([ "$3" -eq 0 ] || echo "not ")ok $1 - $2"
}

# As it was built: other flags would build everything anew.
set -- BUNDLE="$bundle"
grep -q -- -Werror "$B/flags" && set -- "$@" WERROR=1
[ -f "$B/backend_cuda.so" ] || set -- "$@" CUDA=0
make --no-print-directory bundle-folder "$@" >"$dir/out" 2>&1
verdict 1 "it is made" $?

find "$bundle/build" -type f -exec ldd {} + 2>&1 | grep -E '=>|not found' |
	grep -vE " => $bundle/|^[[:space:]]*(linux-vdso|ld-linux|lib(c|m|mvec|dl|pthread|rt|resolv|util|stdc\+\+|gcc_s))[.]" >"$dir/out"
verdict 2 "nothing comes from outside but the machine's C library" $(($(wc -l <"$dir/out") > 0))

cat >"$dir/net.json" <<'J'
{"name": "net", "input": [1, 28, 28], "classes": 10, "layers": [{"avgpool2d": {"size": 4}}, "flatten", {"dense": {"units": 10}}]}
J
(cd "$dir" && env -i PATH="$PATH" "$bundle/nab" train net.json --data glyphs --set dataset.options.n_train=200 --set dataset.options.n_test=20 \
	--set train.batch=20 --epochs 1 --store s.db --quiet && env -i PATH="$PATH" "$bundle/nab" doctor) >"$dir/out" 2>&1 &&
	grep -qE '^  cpu +ok' "$dir/out" && grep -q "^configurations and block library: $bundle/configs$" "$dir/out"
verdict 3 "nab works from there" $?

NAB_CUDA_PLUGIN=/nonexistent "$bundle/gpu-check" >"$dir/out" 2>&1 && grep -q '^SKIP: no GPU' "$dir/out"
verdict 4 "gpu-check without a GPU" $?

ls "$bundle"/lib/libstdc++* >"$dir/out" 2>&1
taken=$?
printf '#!/bin/sh\n[ -e "%s/lib/libstdc++.so.6" ] && [ -e "%s/lib/libgcc_s.so.1" ] && echo "started: $*"\n' "$bundle" "$bundle" >"$bundle/build/release/nab"
[ $taken -ne 0 ] && "$bundle/nab" any words >"$dir/out" 2>&1 && grep -qx 'started: any words' "$dir/out"
verdict 5 "our libstdc++ is taken where the machine has none that serves, and nowhere else" $?
echo "1..5"
