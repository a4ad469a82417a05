# datasets-scripts/lib.sh - what the fetch scripts share. Sourced, never run; POSIX sh.
#
# Files are loaded into FOLDER/.dl, checked, and only then moved to their place: what stands in the folder itself has the
# right checksum. What is there already and right is not loaded again. A checksum of 64 digits is SHA-256, one of 32 MD5
# (where the publisher states no other).
set -eu

say() { echo "${0##*/}: $*" >&2; }
die() { # die STATUS TEXT
	status=$1
	shift
	say "$*"
	exit "$status"
}

need() { command -v "$1" >/dev/null 2>&1 || die 1 "needs the program $1"; }

# options "$@": sets base (URL), sums (file of checksums, or empty), dir; what is left over stays in rest.
options() {
	sums=
	while getopts u:c:h opt; do
		case $opt in
		u) base=$OPTARG ;;
		c) sums=$OPTARG ;;
		h)
			usage
			exit 0
			;;
		*)
			usage >&2
			exit 2
			;;
		esac
	done
	used=$((OPTIND - 1))
	[ -z "$sums" ] || [ -r "$sums" ] || die 2 "cannot read the checksums in $sums"
	base=${base%/}
}

digest() { # digest FILE LENGTH: its checksum in lower-case digits
	case $2 in
	64) if command -v sha256sum >/dev/null 2>&1; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi ;;
	32) if command -v md5sum >/dev/null 2>&1; then md5sum <"$1"; else md5 -q "$1"; fi ;;
	*) echo bad ;;
	esac | cut -d' ' -f1
}

expected() { # expected NAME PUBLISHED: the checksum of NAME in the user's file, else the published one
	if [ -n "$sums" ]; then
		found=$(awk -v n="$1" '{ sum = $1; sub(/^[^ ]+ +\*?/, ""); if ($0 == n) print sum }' "$sums" | tail -n 1)
		[ -n "$found" ] || die 3 "$sums holds no checksum of $1"
		echo "$found" | tr 'A-F' 'a-f'
	else
		echo "$2"
	fi
}

download() { # download URL FILE
	case $1 in
	file://*) cp "${1#file://}" "$2" 2>/dev/null || die 1 "cannot read ${1#file://}" ;;
	*)
		if command -v curl >/dev/null 2>&1; then
			curl -fL --retry 3 --connect-timeout 30 -o "$2" "$1" || die 1 "cannot load $1"
		elif command -v wget >/dev/null 2>&1; then
			wget -O "$2" "$1" || die 1 "cannot load $1"
		else
			die 1 "needs curl or wget"
		fi
		;;
	esac
}

# fetch NAME [PUBLISHED [URL]]: DIR/.dl/NAME with the right checksum; the URL is base/NAME unless given.
fetch() {
	want=$(expected "$1" "${2:-}")
	mkdir -p "$dir/.dl"
	file=$dir/.dl/$1
	if [ -f "$file" ] && [ "$(digest "$file" ${#want})" = "$want" ]; then
		return 0
	fi
	say "loading $1"
	download "${3:-$base/$1}" "$file.part"
	got=$(digest "$file.part" ${#want})
	if [ "$got" != "$want" ]; then
		size=$(wc -c <"$file.part" | tr -d ' ')
		rm -f "$file.part"
		die 3 "$1: wrong checksum: the file of $size bytes that came has $got, expected was $want; it was removed"
	fi
	mv "$file.part" "$file"
}

place() { # place NAME...: from .dl to the folder
	for name in "$@"; do mv "$dir/.dl/$name" "$dir/$name"; done
	rmdir "$dir/.dl" 2>/dev/null || true
}

present() { # present NAME PUBLISHED: DIR/NAME is there and right
	[ -f "$dir/$1" ] || return 1
	want=$(expected "$1" "$2")
	[ "$(digest "$dir/$1" ${#want})" = "$want" ]
}

# fetch_idx: the four files of an MNIST-like set; $published holds lines "NAME CHECKSUM".
fetch_idx() {
	need gzip
	for name in train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz t10k-images-idx3-ubyte.gz t10k-labels-idx1-ubyte.gz; do
		sum=$(echo "$published" | awk -v n="$name" '$1 == n { print $2 }')
		if present "$name" "$sum"; then continue; fi
		fetch "$name" "$sum"
		gzip -t "$dir/.dl/$name" || die 3 "$name: is no sound gzip file"
		place "$name"
	done
}

# fetch_cifar ARCHIVE CHECKSUM FOLDER FILE...: unpacks these files, and no others, from FOLDER of the archive.
fetch_cifar() {
	archive=$1 sum=$2 inner=$3
	shift 3
	need tar
	fetch "$archive" "$sum"
	tmp=$dir/.dl/unpack
	rm -rf "$tmp"
	mkdir -p "$tmp"
	for name in "$@"; do set -- "$@" "$inner/$name"; shift; done
	tar -xzf "$dir/.dl/$archive" -C "$tmp" "$@" || die 3 "$archive: does not hold the files it should"
	for name in "$@"; do mv "$tmp/$name" "$dir/${name##*/}"; done
	rm -rf "$dir/.dl"
}
