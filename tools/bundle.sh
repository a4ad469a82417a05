#!/bin/sh
# tools/bundle.sh FOLDER TEST... - what a machine needs on which nab cannot be built: `make bundle` links nab and these tests into
# $B/bundle, calls this, and packs FOLDER. It holds the tree's layout: nab, the checks of a GPU, the CUDA plugin if it was built, and every library
# that they need but glibc and NVIDIA's (the plugin opens those where it finds them), with its licence.
set -eu
cd "$(dirname "$0")/.."
B=${B:-build/release}
out=${1:?bundle.sh FOLDER TEST...}
shift
programs=$out/build/release
plugin=$programs/backend_cuda.so

rm -rf "$out"
mkdir -p "$programs/tests/unit" "$out/lib/gcc" "$out/tests/gpu" "$out/bench/gpu" "$out/train/cuda" "$out/licences"
cp "$B/bundle/nab" "$programs/"
for test in "$@"; do cp "$B/bundle/$test" "$programs/tests/unit/"; done
[ ! -f "$B/backend_cuda.so" ] || strip -g -o "$plugin" "$B/backend_cuda.so"
cp -r configs LICENSE "$out/"
cp tests/gpu/check.sh "$out/tests/gpu/"
cp bench/gpu/*.* "$out/bench/gpu/"
cp -r train/cuda/devices "$out/train/cuda/"
for program in nab gpu-check gpu-bench; do cp tools/bundle-start.sh "$out/$program"; done

# name => path of every library, glibc's and the loader left out: those belong to the machine
libraries() {
	find "$programs" -type f -exec ldd {} + | awk '/=>/ && $1 !~ /^(linux-vdso|ld-linux|lib(c|m|mvec|dl|pthread|rt|resolv|util)\.so)/ { print $1, $3 }' | sort -u
}

licence() { # licence PATH: of the package that the library is from
	real=$(readlink -f "$1")
	package=$(dpkg -S "$real" 2>/dev/null || dpkg -S "${real#/usr}" 2>/dev/null) || return 0
	package=${package%%:*}
	[ ! -f "/usr/share/doc/$package/copyright" ] || cp -L "/usr/share/doc/$package/copyright" "$out/licences/$package"
}

libraries | while read -r name path; do
	case $path in /*) ;; *) echo "bundle.sh: $name is not found" >&2 && exit 1 ;; esac
	case $name in libstdc++.* | libgcc_s.*) to=lib/gcc ;; *) to=lib ;; esac
	strip --strip-unneeded -o "$out/$to/$name" "$path"
	licence "$path"
done

# the texts that those name as "/usr/share/common-licenses/GPL-3"
grep -rhoE '/usr/share/common-licenses/[A-Za-z0-9.-]*[A-Za-z0-9]' "$out/licences" | sort -u | while read -r text; do
	[ ! -f "$text" ] || cp -L "$text" "$out/licences/"
done

glibc=$(find "$programs" "$out/lib" -path "$out/lib/gcc" -prune -o -type f -exec objdump -T {} + 2>/dev/null | grep -oE 'GLIBC_[0-9.]+' | sort -uV | tail -n 1)
if [ -f "$plugin" ]; then
	cuda="It trains on NVIDIA cards where there is a driver, cuDNN 9 and cuBLASLt (a PyTorch installed with pip has both)."
else
	cuda="Without the CUDA plugin: it was built where that could not be ($(sed 's/^no CUDA plugin: //' "$B/no-plugin" 2>/dev/null || echo "no reason known")). It trains on the processor."
fi
cat >"$out/README" <<T
nab (Neural Architecture Bench) for a machine on which it cannot be built.

It needs Linux on $(uname -m) with glibc ${glibc#GLIBC_} or newer (ldd --version tells), and nothing else.
$cuda

  ./nab doctor         what works here; ./nab --help lists the commands
  ./gpu-check          the checks on a GPU, 8 minutes at most; everything that is printed stands in build/gpu-check
  ./gpu-bench PART     the benchmark against PyTorch, PART 1 to 4, 9 minutes at most each; python3 with numpy is needed

The libraries of nab are in lib/ and seen by nab alone; licences/ holds what their authors ask for. The plugin contains NVIDIA's
CUDA runtime. lib/gcc/ is used only where the machine's own libstdc++ does not serve.
T
