"""Trains the network of model.py from scratch by the recipe that nab used.

    python3 train.py data.safetensors

reads the float32 arrays "x" [n, *INPUT], as the network sees them, and "y" [n]; if they
are there, "x_val" and "y_val"; and writes trained.safetensors. Random numbers are
PyTorch's, so a result differs from nab's as two seeds differ.
"""

import json
import math
import struct
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from model import Model, read_safetensors

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SEED = 42
EPOCHS = 5
HORIZON = 5  # epochs that the schedule spans
BATCH = 128
LR = 0.002  # peak learning rate
WEIGHT_DECAY = 0.01  # decoupled; on weights alone
LABEL_SMOOTHING = 0.1


def initialise(model):
    """Initial values; norms, embeddings and recurrent layers start as PyTorch's do."""
    for name, module in model.named_modules():
        if not isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Linear)):
            continue
        field = math.prod(module.weight.shape[2:])
        fan_in = module.weight.shape[1] * field
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_in))
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def make_optimizer(model):
    norms = (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)
    decayed, plain = [], []
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            weight = name.startswith("weight") and not isinstance(module, norms)
            if p.requires_grad:
                (decayed if weight else plain).append(p)
    groups = [
        {"params": decayed, "weight_decay": WEIGHT_DECAY},
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=LR, betas=(0.9, 0.999), eps=1e-08)


def anneal(a, b, share):
    """From a to b along half a cosine."""
    share = min(max(share, 0.0), 1.0)
    return b + (a - b) / 2 * (1 + math.cos(math.pi * share))


def rate(step, steps_per_epoch):
    """Learning rate of a step, counted from 0."""
    total = HORIZON * steps_per_epoch
    peak = 0.3 * total - 1
    if 0 < peak and step <= peak:
        return LR * anneal(0.04, 1.0, step / peak)
    share = (step - peak) / (total - 1 - peak) if total - 1 > peak else 0.0
    return LR * anneal(1.0, 0.0, share)


def augment(x):
    """Each picture of a batch on its own."""
    h, v = x.shape[2:]
    flip = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5  # left and right
    x = torch.where(flip, x.flip(3), x)
    wide = F.pad(x, (2, 2, 2, 2))  # what comes in is the mean: zero
    at = torch.randint(0, 5, (len(x), 2)).tolist()
    x = torch.stack([w[:, i : i + h, j : j + v] for w, (i, j) in zip(wide, at)])
    drawn = torch.rand(len(x), device=x.device)  # squares of zeros, which may stick out
    cut = (drawn < 1.0).view(-1, 1, 1)
    i, j = (torch.randint(0, s, (len(x), 1), device=x.device) for s in (h, v))
    rows = torch.arange(h, device=x.device) - i + 4
    columns = torch.arange(v, device=x.device) - j + 4
    cut = cut & ((rows >= 0) & (rows < 8)).unsqueeze(2)
    cut = cut & ((columns >= 0) & (columns < 8)).unsqueeze(1)
    x = x.masked_fill(cut.unsqueeze(1), 0.0)
    return x


def loss_of(logits, y, smoothing=0.0):
    return F.cross_entropy(logits, y, label_smoothing=smoothing)


def train_step(model, optimizer, x, y, lr):
    """One update; the loss before it."""
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.zero_grad()
    loss = loss_of(model(x), y, smoothing=LABEL_SMOOTHING)
    loss.backward()
    optimizer.step()
    return loss.item()


@torch.no_grad()
def evaluate(model, x, y):
    """Mean loss and share of right answers."""
    model.eval()
    parts = [model(part.to(DEVICE)).cpu() for part in x.split(512)]
    logits = torch.cat(parts)
    return loss_of(logits, y).item(), (logits.argmax(1) == y).float().mean().item()


def train(x, y, x_val=None, y_val=None):
    torch.manual_seed(SEED)
    model = Model().to(DEVICE)
    initialise(model)
    optimizer = make_optimizer(model)
    steps = len(x) // BATCH  # what is left of an epoch is dropped
    assert steps > 0, f"at least {BATCH} examples are needed"
    for epoch in range(EPOCHS):
        model.train()
        order, total = torch.randperm(len(x)), 0.0
        for step in range(steps):
            pick = order[step * BATCH : (step + 1) * BATCH]
            lr = rate(epoch * steps + step, steps)
            batch = augment(x[pick].to(DEVICE))
            total += train_step(model, optimizer, batch, y[pick].to(DEVICE), lr)
        print(f"epoch {epoch + 1}: training loss {total / steps:.4f}")
        if x_val is not None:
            val_loss, accuracy = evaluate(model, x_val, y_val)
            print(f"  validation loss {val_loss:.4f}, accuracy {accuracy:.4f}")
    return model.cpu().eval()


def save(model, path):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue  # of no use with a fixed momentum
        raw = bytes(tensor.float().contiguous().view(-1).numpy())
        header[name] = {
            "dtype": "F32",
            "shape": list(tensor.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: python3 {sys.argv[0]} data.safetensors")
    data = read_safetensors(sys.argv[1])
    validation = ()
    if "x_val" in data:
        validation = (data["x_val"], data["y_val"].long())
    trained = train(data["x"], data["y"].long(), *validation)
    save(trained, "trained.safetensors")
