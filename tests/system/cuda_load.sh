#!/bin/sh
# What can be wrong with the CUDA plugin, the driver and NVIDIA's libraries: in every case `nab doctor` says exactly that
# and ends well, and the other backends work. Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
root=$PWD
B=$root/${B:-build/release}
cc=${CC:-cc}
plugin=$B/backend_cuda.so
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
unset NAB_CUDA_PLUGIN NAB_CUDNN NAB_CUBLASLT CUDA_VISIBLE_DEVICES
n=0 nab=$root/nab from=$root

ok() { n=$((n + 1)) && echo "ok $n - $1"; }
not_ok() { n=$((n + 1)) && sed 's/^/# /' "$tmp/out" && echo "not ok $n - $1"; }
skip() { n=$((n + 1)) && echo "ok $n - $1 # SKIP $2"; }

# says NAME PART WORDS [VARIABLE=VALUE...]: with these variables, doctor ends with 0, and the row of the part is
# "missing", with a text that the words (a regular expression) match; "cpu" is all right, and no card is listed.
says() {
	name=$1 part=$2 words=$3
	shift 3
	(cd "$from" && exec env "$@" "$nab" doctor) >"$tmp/out" 2>&1
	rc=$?
	if [ $rc -eq 0 ] && grep -qE "^  $part +missing +.*($words)" "$tmp/out" && grep -qE '^  cpu +ok' "$tmp/out" &&
		! grep -q '"cuda:' "$tmp/out"; then
		ok "$name"
	else
		echo "status $rc; wanted $part: $words" >>"$tmp/out"
		not_ok "$name"
	fi
}

library() { # library NAME C-TEXT: a shared library
	printf '%s\n' "$2" >"$tmp/$1.c" && $cc -shared -fPIC -std=c11 -I. -o "$tmp/$1.so" "$tmp/$1.c" 2>"$tmp/out"
}
table() { # table NAME FIELDS...: a plugin whose table has these fields
	library "$1" "#include \"train/cuda/abi.h\"
const struct cuda_plugin *nab_cuda_plugin(void);
const struct cuda_plugin *nab_cuda_plugin(void) { static const struct cuda_plugin p = { $2 }; return &p; }"
}

# ---- the plugin itself

mkdir -p "$tmp/alone/bin" && cp nab "$tmp/alone/bin/"
nab=$tmp/alone/bin/nab
says "no plugin: where it was looked for" plugin \
	"no backend_cuda.so in $tmp/alone/bin, $tmp/alone/lib/nab or $tmp/alone/bin/build/release" NAB_SHARE="$root"
nab=$root/nab
says "a file that is not there" plugin "$tmp/none.so: cannot open shared object file" NAB_CUDA_PLUGIN="$tmp/none.so"
echo "this is no library" >"$tmp/text.so"
says "a file that is no library" plugin "$tmp/text.so: (file too short|invalid ELF header)" NAB_CUDA_PLUGIN="$tmp/text.so"
if library other 'int nothing(void); int nothing(void) { return 0; }'; then
	says "a library that is no plugin" plugin "other.so is no plugin of nab: it has no nab_cuda_plugin\(\)" NAB_CUDA_PLUGIN="$tmp/other.so"
	table old ".abi = CUDA_ABI + 1, .op_size = sizeof(struct cuda_op)"
	says "a plugin of another version" plugin "old.so does not belong to this nab: its interface is version" NAB_CUDA_PLUGIN="$tmp/old.so"
	table sizes ".abi = CUDA_ABI, .op_size = 3"
	says "a plugin with other structs" plugin "sizes.so does not belong to this nab: its operation takes 3 bytes" NAB_CUDA_PLUGIN="$tmp/sizes.so"
	cp "$tmp/old.so" "$tmp/bare.so"
	from=$tmp
	says "a path without a folder" plugin "bare.so does not belong" NAB_CUDA_PLUGIN=bare.so
	from=$root
else
	not_ok "$cc makes a shared library"
fi

# ---- driver and libraries: where the plugin is built

no_plugin="no CUDA plugin was built" # a build with sanitizers leaves it out
[ -f "$B/no-plugin" ] && no_plugin=$(cat "$B/no-plugin")
if [ ! -f "$plugin" ]; then
	for name in "no driver" "the toolkit's stub instead of a driver" "a driver that is none" "no cuDNN" "no cuBLASLt" "libraries of another kind"; do
		skip "$name" "$no_plugin"
	done
else
	if ldconfig -p 2>/dev/null | grep -q 'libcuda\.so\.1'; then
		skip "no driver" "this machine has one"
	else
		says "no driver" driver "libcuda.so.1: cannot open shared object file.*; looked in"
	fi
	stub=
	for d in "${CUDA_HOME:-/usr/local/cuda}"/lib64/stubs "${CUDA_HOME:-/usr/local/cuda}"/targets/*/lib/stubs /usr/lib/*-linux-gnu/stubs; do
		[ -f "$d/libcuda.so" ] && stub=$d/libcuda.so
	done
	if [ "$stub" ]; then
		mkdir "$tmp/stub" && ln -s "$stub" "$tmp/stub/libcuda.so.1"
		says "the toolkit's stub instead of a driver" driver "$tmp/stub/libcuda.so.1 is not a driver but the CUDA toolkit's stub" \
			LD_LIBRARY_PATH="$tmp/stub"
	else
		skip "the toolkit's stub instead of a driver" "no stubs/libcuda.so here"
	fi
	mkdir "$tmp/fake" && library fake 'int nothing(void); int nothing(void) { return 0; }' && cp "$tmp/fake.so" "$tmp/fake/libcuda.so.1"
	says "a driver that is none" driver "$tmp/fake/libcuda.so.1 (is too old|does not work)" LD_LIBRARY_PATH="$tmp/fake"
	says "no cuDNN" cudnn "$tmp/none" NAB_CUDNN="$tmp/none/libcudnn.so.9"
	says "no cuBLASLt" cublaslt "$tmp/none" NAB_CUBLASLT="$tmp/none/libcublasLt.so.13"
	says "libraries of another kind" cudnn "$tmp/fake/libcuda.so.1 has no cudnnGetVersion" NAB_CUDNN="$tmp/fake/libcuda.so.1"
	if ! NAB_CUDNN=$tmp/none ./nab doctor | grep -qE '^  plugin +ok +/.*backend_cuda.so, built with CUDA'; then
		not_ok "the plugin says what it was built with"
	else
		ok "the plugin says what it was built with"
	fi
	nm -D --defined-only "$plugin" | awk '$2 ~ /[TDBR]/ { print $3 }' >"$tmp/out"
	if [ "$(cat "$tmp/out")" = nab_cuda_plugin ]; then ok "it exports one symbol"; else not_ok "it exports one symbol"; fi
	ldd "$plugin" >"$tmp/out"
	if grep -qE 'stdc\+\+|cudart|cudnn|cublas|libcuda' "$tmp/out"; then not_ok "it is linked to libc alone"; else ok "it is linked to libc alone"; fi
fi

# ---- other backends, with a plugin that cannot be opened

cat >"$tmp/net.json" <<'J'
{"name": "net", "input": [1, 28, 28], "classes": 10, "layers": [{"avgpool2d": {"size": 4}}, "flatten", {"dense": {"units": 10}}]}
J
if NAB_CUDA_PLUGIN=$tmp/text.so ./nab train "$tmp/net.json" --data glyphs --set dataset.options.n_train=200 --set dataset.options.n_test=20 \
	--set train.batch=20 --epochs 1 --store "$tmp/s.db" --quiet >"$tmp/out" 2>&1; then
	ok "training on the processor goes on"
else
	not_ok "training on the processor goes on"
fi
NAB_CUDA_PLUGIN=$tmp/text.so ./nab train "$tmp/net.json" --data glyphs --backend cuda --epochs 1 --store "$tmp/none.db" >"$tmp/out" 2>&1
rc=$?
if [ $rc -eq 1 ] && [ ! -e "$tmp/none.db" ] && grep -q "$tmp/text.so" "$tmp/out"; then
	ok "training on a card ends before anything is recorded"
else
	echo "status $rc" >>"$tmp/out"
	not_ok "training on a card ends before anything is recorded"
fi
echo "1..$n"
