#!/bin/sh
# The include law (CONTRIBUTING.md): who may include whom, and each third-party header's one home. Prints TAP.
cd "$(dirname "$0")/.." || exit 1
n=0
ok() {
	n=$((n + 1))
	if [ -z "$2" ]; then echo "ok $n - $1"; else
		echo "$2" | sed 's/^/# /'
		echo "not ok $n - $1"
	fi
}
law() { # law FOLDER ALLOWED...: project headers that its files may include
	dir=$1
	shift
	allowed="$dir $*"
	bad=$(grep -HnoE '^#include "[a-z]+/' "$dir"/*.[ch] "$dir"/*/*.[ch] 2>/dev/null | while IFS= read -r hit; do
		to=${hit##*\"}
		to=${to%/}
		case " $allowed " in *" $to "*) ;; *) echo "$hit" ;; esac
	done)
	ok "$dir includes only: $allowed" "$bad"
}
home() { # home HEADER-REGEX FILE...: only these files may include it
	what=$1
	shift
	bad=$(grep -lE "^#include <$what" */*.[ch] */*/*.[ch] 2>/dev/null | while IFS= read -r f; do
		case " $* " in *" $f "*) ;; *) case $f in tests/*|bench/*) ;; *) echo "$f" ;; esac ;; esac
	done)
	ok "<$what> is included only by: $*" "$bad"
}
law base
law arch base
law dataset base arch
law space base arch
law mutate base arch space
law search base arch space mutate
law train base arch dataset
law store base arch
law engine base arch dataset space mutate search train store
law report base arch dataset store
law export base arch dataset store
law wasm base arch mutate report
home 'cjson/' base/json.c wasm/cjson.c
home 'xxhash' base/hash.c
home 'zlib' base/file.c base/pack.c base/png.c
home 'png\.h' base/png.c
home '(lapacke|cblas|openblas)' base/mds.c
home 'sqlite3' $(echo store/*.c store/*.h)
home '(cuda|cudnn|cublas)' $(echo train/cuda/*)
home '(oneapi|dnnl)' $(echo train/*.c train/*.h)
bad=$(grep -nE '(^|[^_.a-z])(exit|abort)\(|fprintf\(stderr|[^a-z_.](rand|srand|malloc|calloc|realloc|strdup)\(' \
	base/*.c arch/*.c dataset/*.c space/*.c mutate/*.c search/*.c train/*.c store/*.c engine/*.c report/*.c export/*.c wasm/*.c 2>/dev/null |
	grep -vE '^base/mem\.c:|_exit\(|^[^:]*:[0-9]*:[[:space:]]*(/?\*|//)')
ok "no exit, stderr, rand or private allocation below cli/" "$bad"
echo "1..$n"
