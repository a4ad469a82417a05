"""What PyTorch reaches on a GPU with the models of a set: bench/gpu/run.sh calls it.

    rivals.py MODE --models DIR --data DIR [--set NAME] [--batch B] [--epochs E] [--processes K] [--limit SECONDS] [--some N] [--seed S]

MODE is one of
    ceilings   the card alone: copy bandwidth, bf16 matrix product, nodes of CUDA graphs
    eager      P0: data on the card, normalised once, channels last, bf16 autocast, fused SGD, cudnn.benchmark
    graph      P1: the same, and the whole step (batch, forward, backward, update, schedule) is one CUDA graph; so is evaluation
    compile    P2: network and loss through torch.compile at max-autotune, and the whole step as in P1 (if that cannot be
               captured, torch.compile's own CUDA graphs)
--processes K shares the set among K processes that run at the same time (P3). Nothing waits for the card within an epoch.

DIR of --models holds a folder for every model, as `nab export` writes it. Every model trains for E epochs and is evaluated
after each, as nab does it: the same initial weights, batches and recipe (no augmentation). Models are begun until --limit
seconds have passed. Prints a line of JSON when the data are ready, and one for every model, when it is done: what is cut
off loses one model. A model that fails is a line with the reason.

    start_s    from the start of the process until the data are on the card
    first_s    from the network to the end of its first training step: capture, compilation and all
    train_s    of the other steps;  eval_s  of the evaluations;  at: end, counted from when the data were ready
"""

import argparse
import importlib.util
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

LR, MOMENTUM, DECAY = 0.05, 0.9, 5e-4
EVAL_BATCH = 1000


def sync(dev):
    if dev == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def say(line):
    """In one write: several processes share the output."""
    sys.stdout.flush()
    os.write(1, (json.dumps(line) + "\n").encode())


def load_model(folder):
    spec = importlib.util.spec_from_file_location("model_" + folder.name, folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load()


class Data:
    """Training and validation examples on the device, channels last, normalised by the training split's mean and deviation.
    validation.csv names those for validation in its first column, as `nab predict` writes it."""

    def __init__(self, folder, dev):
        x, y = (torch.from_numpy(np.load(Path(folder) / name)) for name in ("images.npy", "labels.npy"))
        kind = torch.bfloat16 if dev == "cuda" else torch.float32
        held = np.loadtxt(Path(folder) / "validation.csv", delimiter=",", skiprows=1, usecols=0, dtype=np.int64)
        held = torch.zeros(len(x), dtype=torch.bool).index_fill_(0, torch.from_numpy(held), True).to(dev)
        x, y = x.to(dev).permute(0, 2, 3, 1).contiguous(), y.long().to(dev)
        train = x[~held]
        pieces = [part.float() for part in train.split(5000)]
        n = train[..., 0].numel()
        mean = sum(p.sum((0, 1, 2)).double() for p in pieces) / n
        std = (sum((p - mean.float()).square().sum((0, 1, 2)).double() for p in pieces) / n).sqrt()
        x = torch.cat([((part.float() - mean.float()) / std.float()).to(kind) for part in x.split(5000)])
        self.train, self.train_y, self.val, self.val_y = x[~held], y[~held], x[held], y[held]


class Trainer:
    def __init__(self, net, data, mode, batch, epochs, dev, seed, own_graph=True):
        self.data, self.dev, self.batch, self.mode = data, dev, batch, mode
        self.on_card = mode == "graph" or (mode == "compile" and own_graph)  # the step finds its batch and rate by itself
        self.per_epoch = len(data.train) // batch
        torch.manual_seed(seed)
        self.net = net.to(dev).to(memory_format=torch.channels_last).train()
        self.loss = self.make_loss(own_graph)
        total = epochs * self.per_epoch
        self.rates = [LR * 0.5 * (1 + math.cos(math.pi * step / total)) for step in range(total + 8)]
        self.rate = torch.tensor(LR, device=dev) if self.on_card else LR
        weights = list(self.net.parameters())
        groups = [{"params": [w for w in weights if w.ndim > 1], "weight_decay": DECAY},
                  {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0}]
        fused = {"fused": True} if dev == "cuda" else {}
        self.opt = torch.optim.SGD([g for g in groups if g["params"]], lr=self.rate, momentum=MOMENTUM, nesterov=True, **fused)
        self.order = torch.zeros(len(data.train), dtype=torch.long, device=dev)
        if self.on_card:
            for group in self.opt.param_groups:
                group["lr"] = self.rate
            self.rates = torch.tensor(self.rates, dtype=torch.float32, device=dev)
            self.step, self.at = (torch.zeros(1, dtype=torch.long, device=dev) for _ in range(2))
            self.count = torch.arange(batch, device=dev)
        self.prepare_evaluation()
        if self.on_card:
            self.run = self.captured_step()

    def autocast(self):
        return torch.autocast(self.dev, dtype=torch.bfloat16, enabled=self.dev == "cuda")

    def make_loss(self, own_graph):
        net, autocast = self.net, self.autocast

        def loss(x, y):
            with autocast():
                return F.cross_entropy(net(x), y)

        if self.mode != "compile":
            return loss
        return torch.compile(loss, mode="max-autotune-no-cudagraphs" if own_graph else "max-autotune")

    def once(self, index):
        self.opt.zero_grad(set_to_none=True)
        self.loss(self.data.train[index].permute(0, 3, 1, 2), self.data.train_y[index]).backward()
        self.opt.step()

    # ---- steps on the host's word

    def host_step(self, step):
        k = step % self.per_epoch
        for group in self.opt.param_groups:
            group["lr"] = self.rates[step]
        self.once(self.order[k * self.batch:(k + 1) * self.batch])

    # ---- steps that find all they need on the card

    def card_step(self):
        self.rate.copy_(self.rates[self.step][0])
        self.once(self.order[self.at + self.count])
        self.step += 1
        self.at += self.batch

    def capture(self, f, warm=3):
        if self.dev != "cuda":
            return f
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(warm):
                self.at.zero_()
                self.eval_at.zero_()
                f()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            f()
        return graph.replay

    def captured_step(self):
        """Warms up on a copy of the state, so that the captured run starts from the given weights."""
        kept = {k: v.clone() for k, v in self.net.state_dict().items()}
        if self.dev != "cuda":
            self.card_step()
        run = self.capture(self.card_step)
        with torch.no_grad():
            for k, v in self.net.state_dict().items():
                v.copy_(kept[k])
            for state in self.opt.state.values():
                for v in state.values():
                    if torch.is_tensor(v):
                        v.zero_()
        self.step.zero_()
        return run

    def begin_epoch(self):
        self.order.copy_(torch.randperm(len(self.order), device=self.dev))
        if self.on_card:
            self.at.zero_()

    def steps(self, first, n):
        for step in range(first, first + n):
            if self.on_card:
                self.run()
            else:
                self.host_step(step)

    # ---- evaluation

    def prepare_evaluation(self):
        n = len(self.data.val)
        self.pieces = max(1, n // EVAL_BATCH)
        while n % self.pieces:
            self.pieces += 1
        self.eval_count = torch.arange(n // self.pieces, device=self.dev)
        self.eval_at, self.right = (torch.zeros(1, dtype=torch.long, device=self.dev) for _ in range(2))
        self.eval_run = None

    def eval_piece(self):
        index = self.eval_at + self.eval_count
        with torch.no_grad(), self.autocast():
            z = self.net(self.data.val[index].permute(0, 3, 1, 2))
        self.right += (z.argmax(1) == self.data.val_y[index]).sum()
        self.eval_at += len(self.eval_count)

    def accuracy(self):
        self.net.eval()
        if not self.eval_run:
            self.eval_run = self.capture(self.eval_piece) if self.on_card else self.eval_piece
        self.eval_at.zero_()
        self.right.zero_()
        for _ in range(self.pieces):
            self.eval_run()
        self.net.train()
        return self.right.item() / len(self.data.val)


def train_model(folder, data, args, own_graph):
    start = sync(args.device)
    t = Trainer(load_model(folder), data, args.mode, args.batch, args.epochs, args.device, args.seed, own_graph)
    t.begin_epoch()
    t.steps(0, 1)
    first = time_ = sync(args.device)
    train = evaluate = 0
    for k in range(args.epochs):
        if k:
            t.begin_epoch()
        t.steps(k * t.per_epoch + (k == 0), t.per_epoch - (k == 0))
        trained = sync(args.device)
        accuracy = t.accuracy()
        done = sync(args.device)
        train, evaluate, time_ = train + trained - time_, evaluate + done - trained, done
    out = {"accuracy": accuracy, "first_s": first - start, "train_s": train, "eval_s": evaluate,
           "us_per_step": 1e6 * train / max(1, args.epochs * t.per_epoch - 1), "seconds": time_ - start}
    return out if args.mode != "compile" else {**out, "one_graph": own_graph}


def forget():
    if hasattr(torch, "_dynamo"):
        torch._dynamo.reset()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def try_model(folder, data, args):
    """The strongest form first; a model that fails is a line with the reason."""
    why = ""
    for own_graph in (True, False) if args.mode == "compile" else (True,):
        try:
            return {**train_model(folder, data, args, own_graph), **({"first_try": why} if why else {})}
        except Exception as e:  # noqa: whatever a compiler throws
            why = (f"{type(e).__name__}: {e}".strip().splitlines() or ["?"])[0][:300]
        finally:
            forget()
    return {"failed": why}


def train_set(args, about):
    folders = sorted(p for p in Path(args.models).iterdir() if (p / "model.py").exists())
    of = len(folders)
    if args.some:
        folders = folders[::max(1, len(folders) // args.some)][:args.some]
    folders = folders[args.part::args.parts]
    data = Data(args.data, args.device)
    began = sync(args.device)
    say({**about, "begin": True, "of": of, "n_train": len(data.train), "n_val": len(data.val), "start_s": time.time() - args.began})
    for folder in folders:
        if time.perf_counter() - began > args.limit:
            break
        result = try_model(folder, data, args)
        say({**about, "model": folder.name, **result, "at": time.perf_counter() - began})


def share(args):
    """The set in several processes at once; each is this program with a part of the set, and prints its own lines."""
    own = [sys.executable, __file__, *sys.argv[1:], "--parts", str(args.processes), "--began", str(args.began)]
    jobs = [subprocess.Popen(own + ["--part", str(k)]) for k in range(args.processes)]

    def stop(*_):
        for job in jobs:
            job.terminate()
        sys.exit(143)

    signal.signal(signal.SIGTERM, stop)
    return max(abs(job.wait()) for job in jobs)


def graph_nodes(streams, nodes=30, repeats=200):
    """Microseconds per node when `streams` graphs of tiny kernels are in flight."""
    graphs = []
    for _ in range(streams):
        x, s = torch.zeros(128, device="cuda"), torch.cuda.Stream()
        with torch.cuda.stream(s):
            x.add_(1)
            g = torch.cuda.CUDAGraph()
            with torch.cuda.graph(g, stream=s):
                for _ in range(nodes):
                    x.add_(1)
        graphs.append((g, s, x))
    start = sync("cuda")
    for _ in range(repeats):
        for g, s, _ in graphs:
            with torch.cuda.stream(s):
                g.replay()
    return (sync("cuda") - start) / (repeats * nodes * streams) * 1e6


def ceilings(dev):
    """Random numbers, never zeros: products of zeros are faster."""
    small = dev != "cuda"
    x = torch.randn(1 << (20 if small else 29), device=dev)
    y = torch.empty_like(x)
    side = 256 if small else 8192
    a, b = (torch.randn(side, side, device=dev, dtype=torch.float32 if small else torch.bfloat16) for _ in range(2))

    def median(f):
        times = []
        for _ in range(12):
            start = sync(dev)
            f()
            times.append(sync(dev) - start)
        return statistics.median(times[2:])

    return {"copy_TB_per_s": 8 * x.numel() / median(lambda: y.copy_(x)) / 1e12,
            "bf16_TFLOP_per_s": 2 * side ** 3 / median(lambda: torch.matmul(a, b)) / 1e12,
            "us_per_graph_node": {} if small else {str(k): graph_nodes(k) for k in (1, 4, 16)}}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("mode", choices=["ceilings", "eager", "graph", "compile"])
    p.add_argument("--models")
    p.add_argument("--data")
    p.add_argument("--set", default="")
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--epochs", type=int, default=10)
    p.add_argument("--processes", type=int, default=1)
    p.add_argument("--limit", type=float, default=400)
    p.add_argument("--some", type=int, default=0)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    p.add_argument("--part", type=int, default=-1)
    p.add_argument("--parts", type=int, default=1)
    p.add_argument("--began", type=float, default=time.time())
    args = p.parse_args()
    if args.processes > 1 and args.part < 0:
        sys.exit(share(args))
    args.part = max(args.part, 0)
    torch.backends.cudnn.benchmark = True
    card = torch.cuda.get_device_name() if args.device == "cuda" else "cpu"
    about = {"who": args.mode, "card": card, "torch": torch.__version__}
    if args.mode == "ceilings":
        say({**about, **ceilings(args.device)})
    else:
        train_set(args, {**about, "set": args.set, "batch": args.batch, "epochs": args.epochs, "processes": args.processes,
                         "part": args.part, "seed": args.seed, "run": args.began})


if __name__ == "__main__":
    main()
