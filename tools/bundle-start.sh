#!/bin/sh
# nab, gpu-check and gpu-bench of a bundle (tools/bundle.sh): one script by three names.
here=$(dirname "$(readlink -f "$0")")
nab=$here/build/release/nab

# libstdc++ and libgcc_s are the machine's where nab starts with them, as cuDNN may want newer ones than ours; else ours.
if [ ! -e "$here/lib/libstdc++.so.6" ] && ! "$nab" --version >/dev/null 2>&1; then
	ln -sf gcc/libstdc++.so.6 gcc/libgcc_s.so.1 "$here/lib/"
	if ! "$nab" --version >/dev/null; then
		rm -f "$here/lib/libstdc++.so.6" "$here/lib/libgcc_s.so.1"
		exit 1
	fi
fi
export NAB_SHARE="${NAB_SHARE:-$here}"
case ${0##*/} in
gpu-check) exec "$here/tests/gpu/check.sh" "$@" ;;
gpu-bench) exec "$here/bench/gpu/run.sh" "$@" ;;
*) exec "$nab" "$@" ;;
esac
