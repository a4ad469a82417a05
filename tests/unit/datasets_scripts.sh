#!/bin/sh
# The fetch scripts against local stand-ins: good files are checked, converted and left alone the second time; wrong and
# truncated ones are refused and leave nothing behind. Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
S=datasets-scripts
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
check() { # check NAME COMMAND...
	n=$((n + 1))
	name=$1
	shift
	if "$@" >"$tmp/out" 2>&1; then echo "ok $n - $name"; else
		sed 's/^/# /' "$tmp/out"
		echo "not ok $n - $name"
	fi
}
status() { # status N COMMAND...: it must end with this status
	want=$1
	shift
	"$@" >"$tmp/said" 2>&1
	got=$?
	cat "$tmp/said"
	[ "$got" -eq "$want" ]
}
says() { grep -q "$1" "$tmp/said"; }
empty() { [ -z "$(find "$1" -type f ! -path '*/.dl/*' 2>/dev/null)" ]; }

# stand-ins: two pictures of 2x2 and their labels, four times
src=$tmp/src
mkdir -p "$src"
for part in train t10k; do
	printf '\0\0\010\003\0\0\0\002\0\0\0\002\0\0\0\002abcdefgh' | gzip -nc >"$src/$part-images-idx3-ubyte.gz"
	printf '\0\0\010\001\0\0\0\002\0\001' | gzip -nc >"$src/$part-labels-idx1-ubyte.gz"
done
(cd "$src" && sha256sum ./*.gz | sed 's|\./||') >"$tmp/sums"

check "mnist: good files are placed" status 0 $S/fetch-mnist -u "file://$src" -c "$tmp/sums" "$tmp/mnist"
check "mnist: they are the ones that came" cmp "$src/t10k-images-idx3-ubyte.gz" "$tmp/mnist/t10k-images-idx3-ubyte.gz"
check "mnist: nothing is left over" [ ! -e "$tmp/mnist/.dl" ]
check "mnist: a second call loads nothing" status 0 $S/fetch-mnist -u file:///nowhere -c "$tmp/sums" "$tmp/mnist"
check "mnist: published checksums refuse stand-ins" status 3 $S/fetch-mnist -u "file://$src" "$tmp/refused"
check "mnist: and say so" says 'train-images-idx3-ubyte.gz: wrong checksum'
check "mnist: and leave nothing" empty "$tmp/refused"
check "mnist: the environment gives the URL" status 0 env NAB_MNIST_URL="file://$src" $S/fetch-mnist -c "$tmp/sums" "$tmp/env"

mkdir -p "$tmp/cut"
cp "$src"/*.gz "$tmp/cut"
head -c 20 "$src/train-images-idx3-ubyte.gz" >"$tmp/cut/train-images-idx3-ubyte.gz"
check "fashion: a truncated file is refused" status 3 $S/fetch-fashion-mnist -u "file://$tmp/cut" -c "$tmp/sums" "$tmp/fashion"
check "fashion: its size is named" says 'the file of 20 bytes'
check "fashion: nothing is left" empty "$tmp/fashion"
(cd "$tmp/cut" && sha256sum ./*.gz | sed 's|\./||') >"$tmp/cutsums"
check "fashion: damaged gzip is refused though its checksum is right" status 3 \
	$S/fetch-fashion-mnist -u "file://$tmp/cut" -c "$tmp/cutsums" "$tmp/fashion"
check "fashion: good files are placed" status 0 $S/fetch-fashion-mnist -u "file://$src" -c "$tmp/sums" "$tmp/fashion"
check "fashion: with the names of the classes" [ "$(sed -n 10p "$tmp/fashion/class_names.txt" 2>/dev/null)" = "Ankle boot" ]
check "a missing file is an error" status 1 $S/fetch-mnist -u "file://$tmp/none" -c "$tmp/sums" "$tmp/x"
check "a checksum that is not listed is an error" status 3 $S/fetch-mnist -u "file://$src" -c /dev/null "$tmp/x"
check "an unknown flag is a usage error" status 2 $S/fetch-mnist -z

mkdir -p "$tmp/c10/cifar-10-batches-bin" "$tmp/c100/cifar-100-binary"
for f in data_batch_1 data_batch_2 data_batch_3 data_batch_4 data_batch_5 test_batch; do
	head -c 3073 /dev/zero >"$tmp/c10/cifar-10-batches-bin/$f.bin"
done
printf '%s\n' a b c d e f g h i j >"$tmp/c10/cifar-10-batches-bin/batches.meta.txt"
echo not wanted >"$tmp/c10/cifar-10-batches-bin/readme.html"
tar -czf "$src/cifar-10-binary.tar.gz" -C "$tmp/c10" cifar-10-batches-bin
head -c 3074 /dev/zero >"$tmp/c100/cifar-100-binary/train.bin"
cp "$tmp/c100/cifar-100-binary/train.bin" "$tmp/c100/cifar-100-binary/test.bin"
touch "$tmp/c100/cifar-100-binary/fine_label_names.txt"
tar -czf "$src/cifar-100-binary.tar.gz" -C "$tmp/c100" cifar-100-binary
(cd "$src" && md5sum cifar-*.gz) >"$tmp/md5"
check "cifar10: good archive is unpacked" status 0 $S/fetch-cifar10 -u "file://$src" -c "$tmp/md5" "$tmp/cifar10"
check "cifar10: batches are there" cmp "$tmp/c10/cifar-10-batches-bin/data_batch_5.bin" "$tmp/cifar10/data_batch_5.bin"
check "cifar10: and nothing else" [ "$(find "$tmp/cifar10" -type f | wc -l)" -eq 7 ]
check "cifar10: wrong checksum is refused" status 3 $S/fetch-cifar10 -u "file://$src" "$tmp/refused"
check "cifar10: and leaves nothing" empty "$tmp/refused"
check "cifar100: an archive without its files is refused" status 3 \
	$S/fetch-cifar100 -u "file://$src" -c "$tmp/md5" "$tmp/cifar100"
check "cifar100: and leaves nothing" empty "$tmp/cifar100"
touch "$tmp/c100/cifar-100-binary/coarse_label_names.txt"
tar -czf "$src/cifar-100-binary.tar.gz" -C "$tmp/c100" cifar-100-binary
(cd "$src" && md5sum cifar-*.gz) >"$tmp/md5"
check "cifar100: good archive is unpacked" status 0 $S/fetch-cifar100 -u "file://$src" -c "$tmp/md5" "$tmp/cifar100"
check "cifar100: with both lists of names" [ -f "$tmp/cifar100/coarse_label_names.txt" ]

printf '\223NUMPY\001\0rest' >"$src/cat.npy"
printf '\223NUMPY\001\0more' >"$src/ice cream.npy"
check "quickdraw: without checksums it stops" status 3 $S/fetch-quickdraw -u "file://$src" "$tmp/qd" cat "ice cream"
check "quickdraw: and prints them" says '^[0-9a-f]\{64\}  ice cream.npy'
check "quickdraw: and places nothing" empty "$tmp/qd"
grep '\.npy' "$tmp/said" | grep -v : >"$tmp/qdsums"
check "quickdraw: with them it uses what it has" status 0 $S/fetch-quickdraw -u file:///nowhere -c "$tmp/qdsums" "$tmp/qd" cat "ice cream"
check "quickdraw: files are placed" cmp "$src/ice cream.npy" "$tmp/qd/ice cream.npy"
echo damage >>"$src/cat.npy"
check "quickdraw: a changed file is refused" status 3 $S/fetch-quickdraw -u "file://$src" -c "$tmp/qdsums" "$tmp/qd2" cat
check "quickdraw: a path is no class" status 2 $S/fetch-quickdraw -u "file://$src" "$tmp/qd3" ../cat
echo "1..$n"
