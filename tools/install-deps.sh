#!/bin/sh
# Installs the packages that are missing on Debian 12/13 or Ubuntu 24.04, through sudo when not root, saying what.
#   tools/install-deps.sh build    what building and the demo need
#   tools/install-deps.sh check    also what the tests need
build="gcc make libcjson-dev libxxhash-dev libsqlite3-dev libdnnl-dev libpng-dev zlib1g-dev liblapacke-dev libopenblas-serial-dev gnuplot-nox librsvg2-bin"
check="libcmocka-dev poppler-utils libxml2-utils python3 python3-torch python3-numpy python3-scipy python3-sklearn python3-jsonschema sqlite3 chromium strace"
# For the editor of models on the page (WebAssembly), 45 MB to fetch; without them everything else works.
editor="clang lld wasi-libc libclang-rt-dev-wasm32"
wanted=$build
[ "$1" = check ] && wanted="$build $check"

command -v dpkg-query >/dev/null || { echo "not a Debian or Ubuntu system; please install the equivalents of: $wanted" >&2; exit 0; }
missing=
for p in $wanted; do
	case $p in # an equivalent that is already there serves as well
	gcc) command -v cc >/dev/null && continue ;;
	chromium) command -v chromium >/dev/null || command -v chromium-browser >/dev/null && continue ;;
	gnuplot-nox) command -v gnuplot >/dev/null && continue ;;
	libopenblas-serial-dev) [ -n "$(find /usr/lib -maxdepth 3 -name libopenblas.so 2>/dev/null | head -n 1)" ] && continue ;;
	esac
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
echo 'int main(void) { return 0; }' | clang --target=wasm32-wasi -x c - -o /dev/null 2>/dev/null && editor=
[ -z "$missing$editor" ] && exit 0
echo "installing:$missing $editor"
sudo=
[ "$(id -u)" -ne 0 ] && sudo=sudo
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get -o DPkg::Lock::Timeout=300 update -qq >/dev/null
# shellcheck disable=SC2086
[ -z "$missing" ] || $sudo apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $missing >/dev/null || {
	echo "could not install:$missing" >&2
	exit 1
}
# shellcheck disable=SC2086
[ -z "$editor" ] || $sudo apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $editor >/dev/null ||
	echo "could not install: $editor; the page will have no editor of models" >&2
