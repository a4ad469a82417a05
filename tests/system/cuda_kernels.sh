#!/bin/sh
# What ptxas said when the CUDA plugin's kernels were compiled (kept beside their objects): every file has kernels for
# every generation, none spills registers. Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build/release}
n=0
if [ ! -f "$B/backend_cuda.so" ]; then
	why="no CUDA plugin was built" # a build with sanitizers leaves it out
	[ -f "$B/no-plugin" ] && why=$(cat "$B/no-plugin")
	echo "ok 1 - kernels compile for every generation without spills # SKIP $why"
	echo "1..1"
	exit 0
fi
for source in train/cuda/*.cu; do
	n=$((n + 1))
	log=$B/cuda/${source##*/}.ptxas
	# a line that names the kernel and its generation, then one with its spills
	awk -v q="'" '
		/Compiling entry function/ { split($0, w, q); kernel = w[2] " for " w[4]; count[w[4]]++ }
		/bytes spill stores/ && !/ 0 bytes spill stores, 0 bytes spill loads/ { sub(/^ */, ""); print "# " kernel ": " $0; bad = 1 }
		END {
			split("sm_75 sm_80 sm_90", arch, " ")
			for (i = 1; i <= 3; i++)
				if (!count[arch[i]]) { print "# no kernel for " arch[i]; bad = 1 }
			print "# " count["sm_90"] " kernels"
			exit bad
		}' "$log"
	if [ $? -eq 0 ]; then echo "ok $n - $source"; else echo "not ok $n - $source"; fi
done
echo "1..$n"
