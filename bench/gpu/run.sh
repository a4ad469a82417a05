#!/bin/bash
# bench/gpu/run.sh - the GPU benchmark, in parts of at most 9 minutes that add up: run.sh PART [FOLDER].
#
#   PART  1  the card's ceilings; set X at batch 128: nab, PyTorch eager (P0)
#         2  set X at batch 128: nab, PyTorch in a CUDA graph (P1), torch.compile (P2, on 8 of the models)
#         3  set X at batch 128: nab, PyTorch in 2, 4 and 8 processes (P3)
#         4  set Y at batch 128: nab, P0, P1, P2 (on 8)
#         5  sets X and Y at batch 512: nab, P0
#         6  nab with one run in flight and with many: the same bits; the cost of a new architecture
#
# Set X: 64 networks of 100,000 to 1,000,000 parameters drawn from configs/spaces/blocks-100k.json with seed 1; set Y: 64 of
# 20,000 to 100,000 from bench/gpu/small.json. Both train 10 epochs on 50,000 pictures of 3x32x32 and are evaluated on
# 10,000 after each. The clock covers everything from the command to the last stored result. Measurements are appended to FOLDER
# (build/gpu-bench) as lines of JSON; bench/gpu/table.py makes docs/measurements/gpu.md of them.
# To try the script itself: BACKEND=cpu DEVICE=cpu:0 RIVAL=cpu EXAMPLES=600 MODELS=2 EPOCHS=1 run.sh 1
set -eu
cd "$(dirname "$0")/../.."
part=${1:?run.sh PART [FOLDER]}
out=$(mkdir -p "${2:-build/gpu-bench}" && cd "${2:-build/gpu-bench}" && pwd)
BACKEND=${BACKEND:-cuda} DEVICE=${DEVICE:-cuda:0} RIVAL=${RIVAL:-cuda} EXAMPLES=${EXAMPLES:-60000} MODELS=${MODELS:-64}
EPOCHS=${EPOCHS:-10} PYTHON=${PYTHON:-python3}
lines=$out/part-$part.jsonl

[ -x ./nab ] || make all
if [ "$BACKEND" = cuda ] && ! ./nab doctor --json | "$PYTHON" -c 'import json, sys; sys.exit("cuda:0" not in json.load(sys.stdin)["devices"])'; then
	echo "SKIP: no GPU that nab can use:"
	./nab doctor | grep -iE 'cuda|driver|cudnn|cublas' || true
	exit 0
fi
torch=yes
"$PYTHON" -c 'import torch, numpy, sys; sys.exit(not torch.cuda.is_available() and sys.argv[1] == "cuda")' "$RIVAL" 2>/dev/null ||
	{ torch=; echo "# $PYTHON has no PyTorch with a GPU: only nab is measured"; }
[ -s "$out/data/images.npy" ] || "$PYTHON" bench/gpu/data.py "$out/data" "$EXAMPLES"

models() { # models SET: its model files, and PyTorch's code of each
	[ -d "$out/$1" ] && return
	case $1 in
	X) ./nab sample configs/spaces/blocks-100k.json --data "npy:$out/data" --count "$MODELS" --seed 1 --output "$out/$1.part" \
		--set limits.params.min=100000 --set limits.params.max=1000000 --set limits.macs.max=100000000 --quiet ;;
	Y) ./nab sample bench/gpu/small.json --data "npy:$out/data" --count "$MODELS" --seed 1 --output "$out/$1.part" --quiet ;;
	esac >/dev/null
	mkdir -p "$out/$1-pytorch"
	for m in "$out/$1.part"/*.json; do
		./nab export "$m" --quiet -o "$out/$1-pytorch/$(basename "$m" .json)" >/dev/null
	done
	mv "$out/$1.part" "$out/$1"
}

nab() { # nab SET BATCH NAME FLAGS...: trains the set, from the command to the last stored result
	set=$1 batch=$2 name=$3
	shift 3
	models "$set"
	store=$out/nab-$set-$batch-$name.db
	rm -f "$store"*
	start=$(date +%s.%N)
	cpu=$(cut -d' ' -f16,17 /proc/$$/stat)
	timeout 500 ./nab train "$out/$set"/*.json --study bench/gpu/study.json --set "dataset.dir=$out/data" --set "train.batch=$batch" \
		--epochs "$EPOCHS" --backend "$BACKEND" --devices "$DEVICE" --store "$store" --quiet "$@" || echo "# nab ended with status $?"
	end=$(date +%s.%N)
	./nab ls --store "$store" --json | "$PYTHON" bench/gpu/table.py line "nab $name" "$set" "$batch" "$EPOCHS" "$start" "$end" \
		"$cpu" "$(cut -d' ' -f16,17 /proc/$$/stat)" | tee -a "$lines"
}

rival() { # rival SET BATCH MODE LIMIT FLAGS...
	set=$1 batch=$2 mode=$3 limit=$4
	shift 4
	[ -n "$torch" ] || return 0
	models "$set"
	"$PYTHON" bench/gpu/rivals.py "$mode" --models "$out/$set-pytorch" --data "$out/data" --batch "$batch" --epochs "$EPOCHS" \
		--limit "$limit" --device "$RIVAL" "$@" | sed "s/^{/{\"set\": \"$set\", /" | tee -a "$lines"
}

case $part in
1)
	[ -z "$torch" ] || [ "$RIVAL" = cpu ] || "$PYTHON" bench/gpu/rivals.py ceilings | tee -a "$lines"
	nab X 128 default
	rival X 128 eager 330
	;;
2)
	nab X 128 default
	rival X 128 graph 180
	rival X 128 compile 200 --some 8
	;;
3)
	nab X 128 default
	for k in 2 4 8; do rival X 128 graph 120 --processes $k; done
	;;
4)
	nab Y 128 default
	rival Y 128 eager 180
	[ "$RIVAL" = cpu ] || rival Y 128 graph 90
	[ "$RIVAL" = cpu ] || rival Y 128 compile 160 --some 8
	;;
5)
	nab X 512 default
	rival X 512 eager 150
	nab Y 512 default
	rival Y 512 eager 120
	;;
6)
	nab Y 128 many
	nab Y 128 one --set in_flight=1
	for n in many one; do ./nab ls --store "$out/nab-Y-128-$n.db" --json >"$out/$n.json"; done
	"$PYTHON" bench/gpu/table.py same "$out/many.json" "$out/one.json" && same=true || same=false
	echo "{\"who\": \"bits\", \"same\": $same}" | tee -a "$lines"
	;;
*)
	echo "run.sh: PART is 1 to 6" >&2
	exit 2
	;;
esac
"$PYTHON" bench/gpu/table.py report "$out" | tee "$out/gpu.md"
