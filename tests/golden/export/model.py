"""small-res, exported by nab for PyTorch.

model         bbd33535ac5ef7583903a3861bd66360
parameters    117,178
multiply-adds 28,211,776
tool          nab 0.1
dataset       fashion-mnist (idx), digest 0123456789abcdef
run           17
seed          42
metric        validation accuracy 0.913 of 6,000

    from model import load
    model = load()  # evaluation mode
    logits = model(normalise(raw))  # raw: [n, *INPUT]

`python3 model.py --check` compares stored logits with this code's.

This file is yours: use, change and license it as you like.
"""

import json
import struct
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

HERE = Path(__file__).resolve().parent
INPUT = (1, 28, 28)  # channels, height, width
CLASSES = 10
CLASS_NAMES = [
    "T-shirt",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
]
MEAN = [72.94035339355469]  # of the training examples, per channel
STD = [90.02118682861328]
NORM = {"eps": 1e-05, "momentum": 0.1}  # of every batch norm


class Residual1(nn.Module):
    """residual(filters=16, stride=1): 16x28x28 -> 16x28x28."""

    def __init__(self):
        super().__init__()
        self.conv2d_1 = nn.Conv2d(16, 16, 3, stride=1, padding=1, bias=False)
        self.batchnorm_1 = nn.BatchNorm2d(16, **NORM)
        self.conv2d_2 = nn.Conv2d(16, 16, 3, stride=1, padding=1, bias=False)
        self.batchnorm_2 = nn.BatchNorm2d(16, **NORM)

    def forward(self, x):
        y = self.conv2d_1(x)  # 16x28x28
        y = self.batchnorm_1(y)  # 16x28x28
        y = F.relu(y)  # 16x28x28
        y = self.conv2d_2(y)  # 16x28x28
        y = self.batchnorm_2(y)  # 16x28x28
        y = y + x  # 16x28x28
        y = F.relu(y)  # 16x28x28
        return y


class Residual2(nn.Module):
    """residual(filters=32, stride=2): 16x28x28 -> 32x14x14."""

    def __init__(self):
        super().__init__()
        self.conv2d_1 = nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False)
        self.batchnorm_1 = nn.BatchNorm2d(32, **NORM)
        self.conv2d_2 = nn.Conv2d(32, 32, 3, stride=1, padding=1, bias=False)
        self.batchnorm_2 = nn.BatchNorm2d(32, **NORM)
        self.conv2d_3 = nn.Conv2d(16, 32, 1, stride=2, padding=0, bias=False)
        self.batchnorm_3 = nn.BatchNorm2d(32, **NORM)

    def forward(self, x):
        y = self.conv2d_1(x)  # 32x14x14
        y = self.batchnorm_1(y)  # 32x14x14
        y = F.relu(y)  # 32x14x14
        y = self.conv2d_2(y)  # 32x14x14
        batchnorm_2 = self.batchnorm_2(y)  # 32x14x14
        y = self.conv2d_3(x)  # 32x14x14
        y = self.batchnorm_3(y)  # 32x14x14
        y = batchnorm_2 + y  # 32x14x14
        y = F.relu(y)  # 32x14x14
        return y


class Residual3(nn.Module):
    """residual(filters=32, stride=1): 32x14x14 -> 32x14x14."""

    def __init__(self):
        super().__init__()
        self.conv2d_1 = nn.Conv2d(32, 32, 3, stride=1, padding=1, bias=False)
        self.batchnorm_1 = nn.BatchNorm2d(32, **NORM)
        self.conv2d_2 = nn.Conv2d(32, 32, 3, stride=1, padding=1, bias=False)
        self.batchnorm_2 = nn.BatchNorm2d(32, **NORM)

    def forward(self, x):
        y = self.conv2d_1(x)  # 32x14x14
        y = self.batchnorm_1(y)  # 32x14x14
        y = F.relu(y)  # 32x14x14
        y = self.conv2d_2(y)  # 32x14x14
        y = self.batchnorm_2(y)  # 32x14x14
        y = y + x  # 32x14x14
        y = F.relu(y)  # 32x14x14
        return y


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv2d_1 = nn.Conv2d(1, 16, 3, stride=1, padding=1, bias=False)
        self.batchnorm_1 = nn.BatchNorm2d(16, **NORM)
        self.residual_1 = Residual1()
        self.residual_2 = Residual1()
        self.residual_3 = Residual2()
        for i in range(4, 9):
            self.add_module(f"residual_{i}", Residual3())
        self.dense_1 = nn.Linear(32, 10, bias=True)

    def forward(self, x):
        x = self.conv2d_1(x)  # 16x28x28
        x = self.batchnorm_1(x)  # 16x28x28
        x = F.relu(x)  # 16x28x28
        x = self.residual_1(x)  # 16x28x28
        x = self.residual_2(x)  # 16x28x28
        x = self.residual_3(x)  # 32x14x14
        for i in range(4, 9):
            x = self.get_submodule(f"residual_{i}")(x)  # 32x14x14
        x = x.mean(dim=(2, 3))  # 32
        x = F.dropout(x, 0.2, training=self.training)  # 32
        x = self.dense_1(x)  # 10
        return x


def normalise(raw):
    """What the network sees: (raw - MEAN) / STD per channel."""
    shape = (-1,) + (1,) * (raw.ndim - 2)
    return (raw.float() - torch.tensor(MEAN).view(shape)) / torch.tensor(STD).view(shape)


def read_safetensors(path):
    """Float32 tensors by name (https://github.com/huggingface/safetensors)."""
    raw = bytearray(Path(path).read_bytes())
    start = 8 + struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:start])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32", f"{path}: {name} is {entry['dtype']}"
        begin, end = entry["data_offsets"]
        flat = torch.frombuffer(
            raw, dtype=torch.float32, offset=start + begin, count=(end - begin) // 4
        )
        tensors[name] = flat.reshape(entry["shape"]).clone()
    return tensors


def load(path=HERE / "weights.safetensors"):
    """The trained model, in evaluation mode."""
    model = Model()
    model.load_state_dict(read_safetensors(path), strict=True)
    return model.eval()


def check():
    """Compares the stored logits with this code's; the exit status."""
    stored = read_safetensors(HERE / "check.safetensors")
    with torch.no_grad():
        logits = load()(stored["input.in"])
    expected = stored["output.out"]
    difference = (logits - expected).abs().max().item()
    bound = 1e-5 * max(1.0, expected.abs().max().item())
    verdict = "ok" if difference <= bound else "FAILED"
    print(f"max abs difference {difference:.3g}, bound {bound:.3g}: {verdict}")
    return 0 if difference <= bound else 1


if __name__ == "__main__":
    if sys.argv[1:] != ["--check"]:
        sys.exit(f"usage: python3 {sys.argv[0]} --check")
    sys.exit(check())
