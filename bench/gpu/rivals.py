"""What PyTorch reaches on a GPU with the models of a set: bench/gpu/run.sh calls it.

    rivals.py MODE --models DIR --data DIR [--batch B] [--epochs E] [--processes K] [--limit SECONDS] [--some N] [--seed S]

MODE is one of
    ceilings   the card alone: copy bandwidth, bf16 matrix product, nodes of CUDA graphs
    eager      P0: data on the card as uint8, channels last, bf16 autocast, fused SGD
    graph      P1: the same, forward, backward and update captured once in a CUDA graph
    compile    P2: the same net through torch.compile(mode="max-autotune")
--processes K shares the set among K processes that run at the same time (P3).

DIR of --models holds a folder for every model, as `nab export` writes it. Every model trains for E epochs and is evaluated
after each, as nab does it: order, batches and recipe alike (no augmentation). Models are begun until --limit
seconds have passed; the rate counts those that were finished. Prints one line of JSON.
"""

import argparse
import importlib.util
import json
import math
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


def load_model(folder):
    spec = importlib.util.spec_from_file_location("model_" + folder.name, folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load()


class Data:
    """Training and validation examples on the device, with the training split's mean and deviation."""

    def __init__(self, folder, dev):
        part = lambda name: torch.from_numpy(np.load(Path(folder) / name))
        x, y = part("images.npy"), part("labels.npy").long()
        held = len(x) // 6
        pick = lambda t: t.to(dev).contiguous(memory_format=torch.channels_last)
        self.train, self.train_y = pick(x[:-held]), y[:-held].to(dev)
        self.val, self.val_y = pick(x[-held:]), y[-held:].to(dev)
        values = x[:-held].float()
        self.mean = values.mean((0, 2, 3), keepdim=True).to(dev)
        self.scale = 1 / values.std((0, 2, 3), keepdim=True).to(dev)


class Trainer:
    def __init__(self, net, data, mode, batch, steps, dev, seed):
        self.data, self.dev, self.batch, self.total = data, dev, batch, steps
        torch.manual_seed(seed)
        self.net = net.to(dev).to(memory_format=torch.channels_last).train()
        fast = torch.compile(self.net, mode="max-autotune") if mode == "compile" else self.net
        self.forward = fast
        rate = torch.tensor(LR, device=dev) if mode == "graph" else LR
        fused = {"fused": True} if dev == "cuda" else {}
        weights = list(self.net.parameters())
        groups = [{"params": [w for w in weights if w.ndim > 1], "weight_decay": DECAY},
                  {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0}]
        self.opt = torch.optim.SGD([g for g in groups if g["params"]], lr=rate, momentum=MOMENTUM, nesterov=True, **fused)
        self.index = torch.zeros(batch, dtype=torch.long, device=dev)
        self.graph = self.capture() if mode == "graph" else None

    def input(self, x):
        kind = torch.bfloat16 if self.dev == "cuda" else torch.float32
        return ((x.float() - self.data.mean) * self.data.scale).to(kind)

    def once(self):
        self.opt.zero_grad(set_to_none=True)
        with torch.autocast(self.dev, dtype=torch.bfloat16, enabled=self.dev == "cuda"):
            z = self.forward(self.input(self.data.train[self.index]))
            loss = F.cross_entropy(z, self.data.train_y[self.index])
        loss.backward()
        self.opt.step()

    def capture(self):
        """Warms up on copies of the state, so that the captured run starts from the given weights."""
        kept = {k: v.clone() for k, v in self.net.state_dict().items()}
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.once()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.once()
        with torch.no_grad():
            for k, v in self.net.state_dict().items():
                v.copy_(kept[k])
            for state in self.opt.state.values():
                for v in state.values():
                    if torch.is_tensor(v):
                        v.zero_()
        return graph

    def set_rate(self, step):
        rate = LR * 0.5 * (1 + math.cos(math.pi * step / self.total))
        for group in self.opt.param_groups:
            if torch.is_tensor(group["lr"]):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def epoch(self, first):
        order = torch.randperm(len(self.data.train), device=self.dev)
        for k in range(len(order) // self.batch):
            self.index.copy_(order[k * self.batch:(k + 1) * self.batch])
            self.set_rate(first + k)
            self.graph.replay() if self.graph else self.once()

    def accuracy(self):
        self.net.eval()
        right = torch.zeros((), dtype=torch.long, device=self.dev)
        with torch.no_grad(), torch.autocast(self.dev, dtype=torch.bfloat16, enabled=self.dev == "cuda"):
            for k in range(0, len(self.data.val), EVAL_BATCH):
                z = self.net(self.input(self.data.val[k:k + EVAL_BATCH]))
                right += (z.argmax(1) == self.data.val_y[k:k + EVAL_BATCH]).sum()
        self.net.train()
        return right.item() / len(self.data.val)


def train_set(args, dev):
    folders = sorted(p for p in Path(args.models).iterdir() if (p / "model.py").exists())
    if args.some:
        folders = folders[::max(1, len(folders) // args.some)][:args.some]
    folders = folders[args.part::args.parts]
    began = time.perf_counter()
    data = Data(args.data, dev)
    per_epoch = len(data.train) // args.batch
    out = {}
    for folder in folders:
        if time.perf_counter() - began > args.limit:
            break
        start = time.perf_counter()
        t = Trainer(load_model(folder), data, args.mode, args.batch, args.epochs * per_epoch, dev, args.seed)
        ready = None
        for k in range(args.epochs):
            t.epoch(k * per_epoch)
            ready = ready or sync(dev)
            accuracy = t.accuracy()
        out[folder.name] = {"accuracy": accuracy, "seconds": sync(dev) - start, "first_epoch": ready - start}
    return out, time.perf_counter() - began


def share(args):
    """The set in several processes at once; each is this program with a part of the set."""
    began = time.perf_counter()
    own = [sys.executable, __file__, args.mode, "--models", args.models, "--data", args.data, "--batch", str(args.batch),
           "--epochs", str(args.epochs), "--limit", str(args.limit), "--some", str(args.some), "--seed", str(args.seed),
           "--parts", str(args.processes), "--device", args.device]
    jobs = [subprocess.Popen(own + ["--part", str(k)], stdout=subprocess.PIPE) for k in range(args.processes)]
    out = {}
    for job in jobs:
        text, _ = job.communicate()
        if job.returncode == 0:
            out.update(json.loads(text)["models"])
    return out, time.perf_counter() - began


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


def ceilings():
    x = torch.randn(1 << 29, device="cuda")
    y = torch.empty_like(x)
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    b = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)

    def median(f):
        times = []
        for _ in range(12):
            start = sync("cuda")
            f()
            times.append(sync("cuda") - start)
        return statistics.median(times[2:])

    return {"copy_TB_per_s": 8 * x.numel() / median(lambda: y.copy_(x)) / 1e12,
            "bf16_TFLOP_per_s": 2 * 8192 ** 3 / median(lambda: torch.matmul(a, b)) / 1e12,
            "us_per_graph_node": {str(k): graph_nodes(k) for k in (1, 4, 16)}}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("mode", choices=["ceilings", "eager", "graph", "compile"])
    p.add_argument("--models")
    p.add_argument("--data")
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--epochs", type=int, default=10)
    p.add_argument("--processes", type=int, default=1)
    p.add_argument("--limit", type=float, default=400)
    p.add_argument("--some", type=int, default=0)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--device", default="cuda")
    p.add_argument("--part", type=int, default=0)
    p.add_argument("--parts", type=int, default=1)
    args = p.parse_args()
    card = torch.cuda.get_device_name() if args.device == "cuda" else "cpu"
    line = {"who": args.mode, "batch": args.batch, "epochs": args.epochs, "processes": args.processes, "card": card,
            "torch": torch.__version__}
    if args.mode == "ceilings":
        line.update(ceilings())
    else:
        models, seconds = share(args) if args.processes > 1 else train_set(args, args.device)
        line.update(seconds=seconds, done=len(models), per_hour=3600 * len(models) / seconds, models=models)
    print(json.dumps(line))


if __name__ == "__main__":
    main()
