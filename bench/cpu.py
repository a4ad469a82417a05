# bench/cpu.py - training speed of PyTorch on the models of bench/models: cpu.py MODEL [threads [seconds [repeats]]].
# The same work and the same line of JSON as bench_cpu prints, but the batch stays in memory and is never gathered anew.
# The environment is left as it comes.
import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 128


def blas():
    """The library that PyTorch's matrix products come from: Debian's torch takes whatever libblas.so.3 is."""
    with open("/proc/self/maps") as f:
        names = {line.split()[-1].rsplit("/", 1)[-1] for line in f if ".so" in line}
    for known in ("openblas", "mkl_", "blis", "libblas"):
        for name in sorted(names):
            if known in name and "torch" not in name:
                return name
    return "its own"


def conv(i, o, kernel=3, stride=1, bias=False):
    return nn.Conv2d(i, o, kernel, stride, kernel // 2, bias=bias)


class Block(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.body = nn.Sequential(conv(i, o, 3, stride), nn.BatchNorm2d(o), nn.ReLU(), conv(o, o), nn.BatchNorm2d(o))
        plain = stride == 1 and i == o
        self.short = nn.Identity() if plain else nn.Sequential(conv(i, o, 1, stride), nn.BatchNorm2d(o))

    def forward(self, x):
        return F.relu(self.body(x) + self.short(x))


def resnet(n):
    layers = [conv(3, 16), nn.BatchNorm2d(16), nn.ReLU()]
    i = 16
    for o, stride in ((16, 1), (32, 2), (64, 2)):
        for k in range(n):
            layers.append(Block(i, o, stride if k == 0 else 1))
            i = o
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def model(name):
    if name == "a":
        return nn.Sequential(
            conv(3, 32, bias=True), nn.ReLU(), conv(32, 32, bias=True), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25),
            conv(32, 64, bias=True), nn.ReLU(), conv(64, 64, bias=True), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(4096, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 10))
    if name == "b":
        return nn.Sequential(
            conv(3, 16), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            conv(16, 32), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            conv(32, 64), nn.BatchNorm2d(64), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    if name == "d":
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(),
                             nn.Linear(256, 10))
    return resnet((int(name[1:]) - 2) // 6)


def main():
    name = sys.argv[1]
    threads = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 0.6
    repeats = int(sys.argv[4]) if len(sys.argv) > 4 else 5
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    net = model(name).train()
    x = torch.randn(BATCH, *((1, 28, 28) if name == "d" else (3, 32, 32)))
    y = torch.randint(0, 10, (BATCH,))
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)

    def steps(n):
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(n):
            optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
        return time.perf_counter() - wall, time.process_time() - cpu, loss.item()

    begin, n = time.perf_counter(), 0
    while time.perf_counter() - begin < max(0.5, seconds):
        steps(1)
        n += 1
    n = max(1, int(n * seconds / (time.perf_counter() - begin)))
    times = [steps(n) for _ in range(repeats)]
    wall = sorted(n * BATCH / t[0] for t in times)
    cpu = sorted(n * BATCH / t[1] for t in times)
    print(json.dumps({
        "model": name, "threads": threads, "samples_per_s": round(statistics.median(wall), 1),
        "samples_per_cpu_s": round(statistics.median(cpu), 1), "least": round(wall[0], 1),
        "most": round(wall[-1], 1), "loss": round(times[-1][2], 4), "by": "PyTorch %s, BLAS: %s" % (torch.__version__, blas()),
        "params": sum(p.numel() for p in net.parameters())}))


main()
