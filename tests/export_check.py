"""Runs the check of every exported folder under DIR (tests/unit/test_export.c), in one process.

Prints a line per folder that fails, and at the end how many passed. Arithmetic is judged in float64, where rounding
cannot hide a wrong rule; float32, as the file itself checks, may miss its bound only where that is rounding (nets that
amplify it), and in one of 50 folders at most. Where a folder holds train.py, an epoch on random data must run, too;
where it holds rates.json, its rates must be those; where it holds gradients.safetensors, one backward pass over
batch.safetensors in training mode (dropout off) must give them.
"""
import contextlib
import importlib.util
import io
import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F


def module(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


def keys_match(model):
    """Names of the file and of the module, the counter of batches apart."""
    file = set(model.read_safetensors(model.HERE / "weights.safetensors"))
    own = set(k for k in model.Model().state_dict() if not k.endswith("num_batches_tracked"))
    return file == own


def load_inputs(tensor):
    """Tokens are whole numbers."""
    return tensor.long() if (tensor == tensor.round()).all() else tensor.double()


def exact(model):
    """Largest difference in float64, as a share of the largest logit."""
    stored = model.read_safetensors(model.HERE / "check.safetensors")
    inputs = [v for k, v in stored.items() if k.startswith("input.")]
    expected = torch.cat([v for k, v in stored.items() if k.startswith("output.")], dim=1)
    inputs = [load_inputs(x) for x in inputs]
    with torch.no_grad():
        logits = model.load().double()(*inputs)
    if isinstance(logits, tuple):
        logits = torch.cat(logits, dim=1)
    return (logits - expected).abs().max().item() / max(1.0, expected.abs().max().item())


def same_rates(folder, train):
    expected = json.loads((folder / "rates.json").read_text())
    got = [train.rate(step, 7) for step in range(len(expected))]
    return all(abs(a - b) <= 1e-9 * train.LR for a, b in zip(got, expected))


def same_gradients(folder, model, train):
    """Largest difference of a gradient within 1e-6 of the largest gradient."""
    batch = model.read_safetensors(folder / "batch.safetensors")
    expected = model.read_safetensors(folder / "gradients.safetensors")
    net = model.load().double().train()
    dropout, F.dropout = F.dropout, lambda x, *args, **options: x
    try:
        train.loss_of(net(load_inputs(batch["x"])), batch["y"].long()).backward()
    finally:
        F.dropout = dropout
    for name, p in net.named_parameters():
        grad = torch.zeros_like(p) if p.grad is None else p.grad
        if p.requires_grad and (grad - expected[name]).abs().max() > 1e-6 * max(1.0, grad.abs().max()):
            raise ValueError(f"gradient of {name}: {(grad - expected[name]).abs().max()}")
    return True


def trains(folder, model, train):
    train.EPOCHS = train.HORIZON = 1
    train.BATCH = 2
    x = torch.randn(5, *model.INPUT)
    y = torch.arange(5) % model.CLASSES
    with contextlib.redirect_stdout(io.StringIO()):
        trained = train.train(x, y, x, y)
    train.save(trained, folder / "trained.safetensors")
    model.load(folder / "trained.safetensors")
    return True


def main(top):
    passed = failed = rounded = 0
    for folder in sorted(p.parent for p in Path(top).glob("*/model.py")):
        said = io.StringIO()
        try:
            model = module(folder / "model.py", "model")
            with contextlib.redirect_stdout(said):
                close = model.check() == 0
            good = exact(model) < 1e-6
            rounded += good and not close
            if not keys_match(model):
                said.write("names of parameters differ")
                good = False
            if (folder / "train.py").exists():
                train = module(folder / "train.py", "train")
                if (folder / "rates.json").exists():
                    good = good and same_rates(folder, train) and trains(folder, model, train)
                if (folder / "gradients.safetensors").exists():
                    good = good and same_gradients(folder, model, train)
        except Exception as problem:  # any failure of generated code is a finding
            said.write(f"{type(problem).__name__}: {problem}")
            good = False
        passed, failed = passed + good, failed + (not good)
        if not good:
            print(f"{folder}: {said.getvalue().strip()}")
    print(f"{passed} passed, {failed} failed; float32 rounding beyond the bound: {rounded}")
    return 1 if failed or not passed or rounded > 1 + passed // 50 else 0


sys.exit(main(sys.argv[1]))
