#!/bin/bash
# bench/gpu/run.sh - the GPU benchmark, in parts of at most 9 minutes that add up: run.sh PART [FOLDER].
#
#   PART  1  the card's ceilings; nets a and b beside the roofline, by operation, and in PyTorch; first steps of new networks
#         2  set X at batch 128: nab three times; PyTorch eager (P0), in a CUDA graph (P1), compiled (P2, some of the
#            models), in several processes (P3)
#         3  set Y at batch 128: nab twice and with one run in flight, P0, P1, P2, P3; sets X and Y at batch 512: nab, P0
#         4  the same bits after kill -9; faults; with FASHION=FOLDER (the files of Fashion-MNIST) a search of 64 models;
#            P0 again with another seed; set X with tune
#
# Set X: 64 networks of 100,000 to 1,000,000 parameters drawn from configs/spaces/blocks-100k.json with seed 1; set Y: 64 of
# 20,000 to 100,000 from bench/gpu/small.json. Both train 10 epochs on 50,000 pictures of 3x32x32 and are evaluated on
# 10,000 after each. The clock covers everything from the command to the last stored result. Every step has a limit, and what
# was cut off or not reached is said. Measurements are appended to FOLDER (build/gpu-bench) as lines of JSON, as they
# come; bench/gpu/table.py makes FOLDER/gpu.md of all that is there, which is what belongs into docs/measurements/gpu.md.
# To try the script itself: BACKEND=cpu DEVICE=cpu:0 RIVAL=cpu EXAMPLES=600 MODELS=2 EPOCHS=2 BATCHES=16 IN_FLIGHT=1 run.sh 1
set -eu
cd "$(dirname "$0")/../.."
part=${1:?run.sh PART [FOLDER]}
out=$(mkdir -p "${2:-build/gpu-bench}" && cd "${2:-build/gpu-bench}" && pwd)
BACKEND=${BACKEND:-cuda} DEVICE=${DEVICE:-cuda:0} RIVAL=${RIVAL:-cuda} EXAMPLES=${EXAMPLES:-60000} MODELS=${MODELS:-64}
EPOCHS=${EPOCHS:-10} PYTHON=${PYTHON:-python3} BATCHES=${BATCHES:-128 512} IN_FLIGHT=${IN_FLIGHT:-1 4 16} MOST=${MOST:-520} FASHION=${FASHION:-}
lines=$out/part-$part.jsonl
export TORCHINDUCTOR_CACHE_DIR=$out/inductor TRITON_CACHE_DIR=$out/inductor/triton # of one rival: each compiles by itself
case $part in
[1-4]) ;;
*)
	echo "run.sh: PART is 1 to 4" >&2
	exit 2
	;;
esac

[ -x ./nab ] || make all
if [ "$BACKEND" = cuda ] && ! ./nab doctor --json | "$PYTHON" -c 'import json, sys; sys.exit("cuda:0" not in json.load(sys.stdin)["devices"])'; then
	echo "SKIP: no GPU that nab can use:"
	./nab doctor | grep -iE 'cuda|driver|cudnn|cublas' || true
	exit 0
fi
torch=yes
"$PYTHON" -c 'import torch, numpy, sys; sys.exit(not torch.cuda.is_available() and sys.argv[1] == "cuda")' "$RIVAL" 2>/dev/null ||
	{ torch=; echo "# $PYTHON has no PyTorch with a GPU: only nab is measured"; }

# ---- steps ------------------------------------------------------------------------------------------------

table() { "$PYTHON" bench/gpu/table.py "$@"; }
add() { tee -a "$lines"; }
event() { table event "$@" | add >&2; }
left() { echo $((MOST - SECONDS)); } # of this part, which began when this script did

limited() { # limited SECONDS WHAT COMMAND...: what is not reached or cut off is said; 1 if it is
	limit=$(($1 < $(left) ? $1 : $(left))) what=$2 status=0
	shift 2
	[ "$limit" -ge 3 ] || { event "$what" "not reached: the time of part $part was over"; return 1; }
	timeout -k 5 "$limit" "$@" || status=$?
	[ $status -ne 124 ] || event "$what" "cut off after $limit s"
	[ $status -eq 124 ] || [ $status -eq 0 ] || event "$what" "ended with status $status"
	return $((status != 0))
}

models() { # models SET: its model files, and PyTorch's code of each
	[ ! -d "$out/$1" ] || return 0
	case $1 in
	X) ./nab sample configs/spaces/blocks-100k.json --data "$out/study.json" --count "$MODELS" --seed 1 --output "$out/$1.part" \
		--set limits.params.min=100000 --set limits.params.max=1000000 --set limits.macs.max=100000000 --quiet ;;
	Y) ./nab sample bench/gpu/small.json --data "$out/study.json" --count "$MODELS" --seed 1 --output "$out/$1.part" --quiet ;;
	ab) mkdir -p "$out/$1.part" && cp bench/gpu/a.json bench/gpu/b.json "$out/$1.part" ;;
	esac >/dev/null
	mkdir -p "$out/$1-pytorch"
	for m in "$out/$1.part"/*.json; do
		./nab export "$m" --quiet -o "$out/$1-pytorch/$(basename "$m" .json)" >/dev/null 2>&1
	done
	mv "$out/$1.part" "$out/$1"
}

train() { # train STORE BATCH FILE... [FLAGS]: nab's side
	store=$1 batch=$2
	shift 2
	./nab train "$@" --study "$out/study.json" --set "train.batch=$batch" \
		--epochs "$EPOCHS" --backend "$BACKEND" --devices "$DEVICE" --store "$store" --quiet
}
export -f train
export out EPOCHS BACKEND DEVICE

begin() { start=$(date +%s.%N) cpu=$(cut -d' ' -f16,17 /proc/$$/stat); }
record() { # record WHO SET BATCH STORE: what was stored since begin
	end=$(date +%s.%N)
	table line "$1" "$2" "$3" "$EPOCHS" "$start" "$end" "$cpu" "$(cut -d' ' -f16,17 /proc/$$/stat)" "$4" <<<"$(./nab ls --store "$4" --json)" | add
}

nab() { # nab SET BATCH NAME SECONDS FLAGS...: trains the set, from the command to the last stored result
	set=$1 batch=$2 name=$3 most=$4
	shift 4
	store=$out/nab-$set-$batch-$name.db
	rm -rf "$store"*
	begin
	limited "$most" "nab $name on $set at $batch" bash -c 'train "$@"' bash "$store" "$batch" "$out/$set"/*.json "$@" || true
	[ ! -e "$store" ] || record "nab $name" "$set" "$batch" "$store"
}

rival() { # rival SET BATCH MODE SECONDS FLAGS...: models are begun until so many seconds have passed
	set=$1 batch=$2 mode=$3 most=$4
	shift 4
	[ -n "$torch" ] || return 0
	rm -rf "$out/inductor"
	{ limited $((most + 40)) "PyTorch, $mode on $set at $batch $*" "$PYTHON" bench/gpu/rivals.py "$mode" --models "$out/$set-pytorch" --set "$set" \
		--data "$out/data" --batch "$batch" --epochs "$EPOCHS" --limit "$most" --device "$RIVAL" "$@" || true; } | add
}

# ---- parts ------------------------------------------------------------------------------------------------

ceilings() {
	[ -z "$torch" ] || limited 60 "ceilings by PyTorch" "$PYTHON" bench/gpu/rivals.py ceilings --device "$RIVAL" | add || true
	nvcc=$(command -v nvcc || ls "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" 2>/dev/null || true)
	if [ -z "$nvcc" ]; then
		event "launches" "not measured: no nvcc here"
	elif limited 60 "building bench/gpu/launch.cu" "$nvcc" -O3 -o "$out/launch" bench/gpu/launch.cu; then
		limited 30 "launches" "$out/launch" | add || true
	fi
}

# Each with an empty cache of plans, so that its first step is that of shapes which nobody has seen.
profiles() {
	for batch in $BATCHES; do
		echo "{\"batch\": $batch, \"optimizer\": {\"sgd\": {\"lr\": 0.05, \"momentum\": 0.9, \"nesterov\": true, \"weight_decay\": 5e-4}}}" >"$out/recipe-$batch.json"
		for m in "$out"/ab/*.json; do
			for k in $IN_FLIGHT; do profile roofline "$m" "$batch" $k; done
		done
	done
	for m in $(ls "$out"/X/*.json | head -n 8); do profile first "$m" "${BATCHES%% *}" 1; done
}

profile() { # profile WHO MODEL BATCH IN-FLIGHT
	rm -rf "$out/cache"
	NAB_CACHE=$out/cache limited 40 "profile of $(basename "$2" .json) at $3, $4 in flight" ./nab profile "$2" --data "$out/study.json" \
		--recipe "$out/recipe-$3.json" --backend "$BACKEND" --steps 50 --in-flight "$4" --json --quiet >"$out/profile.json" || return 0
	table profile "$1" "$out/profile.json" | add
}

# The processes that train now are killed; the engine starts others.
kill_workers() {
	for pid in $(table workers "$1"); do kill -9 "$pid" 2>/dev/null || true; done
}

# Nobody may notice, in the weights, that engine and workers were killed and the command was given again.
killed() {
	store=$out/nab-Y-128-killed.db
	rm -rf "$store"*
	begin
	train "$store" 128 "$out"/Y/*.json 2>/dev/null &
	for _ in $(seq 600); do
		sleep 0.1
		[ "$(table epochs "$store")" -lt "$((EPOCHS * MODELS / 3))" ] || break
	done
	for pid in $! $(table children $!) $(table workers "$store"); do kill -9 "$pid" 2>/dev/null || true; done
	wait $! 2>/dev/null || true
	event "kill -9 of the engine" "$(table epochs "$store") of $((EPOCHS * MODELS)) epochs were stored"
	limited 90 "nab on Y after kill -9" bash -c 'train "$@"' bash "$store" 128 "$out"/Y/*.json || true
	record "nab killed" Y 128 "$store"
}

# 3 x 64 runs, undisturbed; then again with a network that fits no card and one that diverges among them, and with the
# workers killed twice.
faults() {
	nab Y 128 healthy 100 --seeds 3
	store=$out/nab-Y-128-faults.db
	rm -rf "$store"*
	{ # some 17 GB a layer at batch 128, and few parameters
		echo '{"name": "huge", "input": [3, 32, 32], "classes": 10, "layers": [{"conv2d": {"filters": 65536, "kernel": 1}},'
		printf '{"depthwise2d": {"kernel": 3, "padding": "same"}}, %.0s' $(seq 12)
		echo '"globalavgpool", {"dense": {"units": 10}}]}'
	} >"$out/huge.json"
	cp bench/gpu/a.json "$out/diverging.json" # at the largest learning rate there is
	huge=$out/huge.json
	[ "$BACKEND" = cuda ] || huge= # no other backend knows its memory beforehand
	begin
	limited 150 "faults" bash -c 'train "$@"' bash "$store" 128 "$out"/Y/*.json $huge --seeds 3 &
	all=$((EPOCHS * MODELS * 3))
	for kill in 1 2; do
		for _ in $(seq 600); do
			sleep 0.1
			[ "$(table epochs "$store")" -lt "$((kill * all / 3))" ] || break
		done
		[ $kill -ne 1 ] || train "$store" 128 "$out/diverging.json" --set train.optimizer.sgd.lr=100 --name diverging --no-wait || true
		kill_workers "$store"
	done
	wait $! || true
	record "nab faults" Y 128 "$store"
}

fashion() {
	[ -n "$FASHION" ] || { event "search on Fashion-MNIST" "not run: FASHION=FOLDER names the folder of its files"; return 0; }
	store=$out/fashion.db
	rm -rf "$store"*
	begin
	limited 150 "search on Fashion-MNIST" ./nab search configs/fashion-mnist.json --set "dataset.dir=$FASHION" --set "search.candidates=$MODELS" \
		--set "backend=$BACKEND" --set "devices=[\"$DEVICE\"]" --set "train.epochs=$EPOCHS" --store "$store" --quiet || true
	record "nab search" Fashion-MNIST 128 "$store"
	./nab ls --store "$store" --limit 10 >"$out/fashion.txt"
}

# Both sides train on the same pictures: nab says which ones are for validation.
prepare() {
	[ ! -s "$out/data/validation.csv" ] || return 0
	"$PYTHON" bench/gpu/data.py "$out/data" "$EXAMPLES"
	sed "s|\"dir\": \"data\"|\"dir\": \"$out/data\"|" bench/gpu/study.json >"$out/study.json"
	echo '{"input": [3, 32, 32], "classes": 10, "layers": ["globalavgpool", {"dense": {"units": 10}}]}' >"$out/any.json"
	./nab export "$out/any.json" --quiet -o "$out/any" >/dev/null 2>&1
	./nab predict "$out/any.json" --weights "$out/any/weights.safetensors" --data "$out/study.json" --backend cpu --quiet \
		--output "$out/data/validation.csv"
}

prepare
table machine "$BACKEND" "$part" <<<"$(./nab doctor)" | add
for s in ab X Y; do models $s; done
case $part in
1)
	ceilings
	profiles
	for mode in eager graph compile; do rival ab "${BATCHES%% *}" $mode 60; done
	;;
2)
	nab X 128 first 100
	rival X 128 eager 75
	rival X 128 graph 45
	nab X 128 second 60
	rival X 128 compile 70 --some 6
	nab X 128 third 60
	for k in 2 4 8; do rival X 128 graph 15 --processes $k; done
	rival X 128 eager 20 --processes 8
	;;
3)
	nab Y 128 first 60
	rival Y 128 eager 45
	rival Y 128 graph 30
	rival Y 128 compile 60 --some 4
	rival Y 128 graph 15 --processes 4
	nab Y 128 second 60
	nab Y 128 alone 90 --set in_flight=1
	nab X 512 first 90
	rival X 512 eager 45
	nab Y 512 first 60
	rival Y 512 eager 30
	;;
4)
	killed
	faults
	fashion
	rival X 128 eager 75 --seed 2
	nab X 128 tuned 100 --set tune=true
	;;
esac
table report "$out" >"$out/gpu.md"
cat "$out/gpu.md"
