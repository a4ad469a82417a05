"""The oracle of every layer kind against PyTorch, in float64: values, gradients of inputs and parameters, running
statistics. Reads the JSON lines of `test_layers --dump`, prints TAP. Called by torch_layers.sh.

A kind that PyTorch lacks (dropout's mask, zero) is written out here in a line or two, from its definition."""

import json
import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
TOLERANCE = 1e-9


def pair(v):
    return v if isinstance(v, list) else [v, v]


def sides(v):
    """top, left, bottom, right of an explicit padding"""
    if isinstance(v, list):
        return v if len(v) == 4 else [v[0], v[1], v[0], v[1]]
    return [v] * 4


def pad2d(x, v, fill=0.0):
    top, left, bottom, right = sides(v)
    return F.pad(x, (left, right, top, bottom), value=fill)


def conv2d(o, p, x):
    return F.conv2d(pad2d(x, o["padding"]), p["weight"], p.get("bias"), o["stride"], 0, o["dilation"], o["groups"])


def conv1d(o, p, x):
    _, before, _, after = sides(o["padding"])
    x = F.pad(x, (before, after))
    return F.conv1d(x, p["weight"], p.get("bias"), o["stride"], 0, o["dilation"], o["groups"])


def depthwise2d(o, p, x):
    x, channels = pad2d(x, o["padding"]), x.shape[1]
    return F.conv2d(x, p["weight"], p.get("bias"), o["stride"], 0, o["dilation"], channels)


def symmetric(v, size):
    """The padding as PyTorch's pools take it, or None."""
    top, left, bottom, right = sides(v)
    ok = top == bottom and left == right and 2 * top <= size[0] and 2 * left <= size[1]
    return [top, left] if ok else None


def maxpool2d(o, p, x):
    size, stride, own = pair(o["size"]), pair(o["stride"]), symmetric(o["padding"], pair(o["size"]))
    if own:
        return F.max_pool2d(x, size, stride, own, ceil_mode=o["ceil"])
    return None if o["ceil"] else F.max_pool2d(pad2d(x, o["padding"], float("-inf")), size, stride)


def avgpool2d(o, p, x):
    size, stride, own = pair(o["size"]), pair(o["stride"]), symmetric(o["padding"], pair(o["size"]))
    if own:
        return F.avg_pool2d(x, size, stride, own, o["ceil"], o["count_pad"])
    if o["ceil"]:
        return None
    total = F.avg_pool2d(pad2d(x, o["padding"]), size, stride)
    share = F.avg_pool2d(pad2d(torch.ones_like(x), o["padding"]), size, stride)
    return total if o["count_pad"] else total / share


def on_row(pool):
    def run(o, p, x):
        _, before, _, after = sides(o["padding"])
        wide = dict(o, size=[1, o["size"]], stride=[1, o["stride"]], padding=[0, before, 0, after])
        y = pool(wide, p, x.unsqueeze(2))
        return None if y is None else y.squeeze(2)

    return run


def batchnorm(o, p, x, training):
    return F.batch_norm(
        x, p["running_mean"], p["running_var"], p.get("weight"), p.get("bias"), training, o["momentum"], o["eps"]
    )


def layernorm(o, p, x):
    if x.dim() == 3:
        return F.layer_norm(x.transpose(1, 2), x.shape[1:2], p.get("weight"), p.get("bias"), o["eps"]).transpose(1, 2)
    return F.layer_norm(x, x.shape[1:], p.get("weight"), p.get("bias"), o["eps"])


def groupnorm(o, p, x):
    return F.group_norm(x, o["groups"], p.get("weight"), p.get("bias"), o["eps"])


def zero(o, p, x):
    s = o["stride"]
    return 0 * (x[:, :, ::s, ::s] if x.dim() == 4 else x[:, :, ::s] if x.dim() == 3 else x)


def upsample2d(o, p, x):
    size = [n * f for n, f in zip(x.shape[2:], pair(o["factor"]))]
    if o["mode"] == "nearest":
        return F.interpolate(x, size)
    return F.interpolate(x, size, mode="bilinear", align_corners=False)


def recurrent(kind):
    def run(o, p, x):
        two, units = o["bidirectional"], o["units"]
        name = {"rnn": "rnn_" + o.get("activation", ""), "gru": "gru", "lstm": "lstm"}[kind]
        start = torch.zeros(2 if two else 1, x.shape[0], units)
        start = (start, start) if kind == "lstm" else start
        # arguments: layers, dropout, training, bidirectional, batch first
        y, h, *c = getattr(torch, name)(x.transpose(1, 2), start, list(p.values()), o["bias"], 1, 0.0, False, two, True)
        rows = lambda s: s.transpose(0, 1).reshape(x.shape[0], -1)
        forward, backward = y[:, :, :units], y[:, :, units:]
        if two and o["merge"] == "add":
            y = forward + backward
        if o["last"] == "last":
            y = h.sum(0) if o["merge"] == "add" else rows(h)
        else:
            y = y.transpose(1, 2)
        return [y, rows(h)] + [rows(s) for s in c]

    return run


KINDS = {
    "conv1d": conv1d,
    "conv2d": conv2d,
    "depthwise2d": depthwise2d,
    "dense": lambda o, p, x: F.linear(x, p["weight"], p.get("bias")),
    "maxpool1d": on_row(maxpool2d),
    "maxpool2d": maxpool2d,
    "avgpool1d": on_row(avgpool2d),
    "avgpool2d": avgpool2d,
    "globalavgpool": lambda o, p, x: x.flatten(2).mean(2),
    "globalmaxpool": lambda o, p, x: x.flatten(2).max(2)[0],
    "layernorm": layernorm,
    "groupnorm": groupnorm,
    "relu": lambda o, p, x: F.relu(x),
    "relu6": lambda o, p, x: F.relu6(x),
    "leaky_relu": lambda o, p, x: F.leaky_relu(x, o["slope"]),
    "elu": lambda o, p, x: F.elu(x, o["alpha"]),
    "gelu": lambda o, p, x: F.gelu(x, approximate="tanh" if o["approximate"] else "none"),
    "silu": lambda o, p, x: F.silu(x),
    "hard_swish": lambda o, p, x: F.hardswish(x),
    "tanh": lambda o, p, x: torch.tanh(x),
    "sigmoid": lambda o, p, x: torch.sigmoid(x),
    "softmax": lambda o, p, x: F.softmax(x, 1),
    "flatten": lambda o, p, x: x.flatten(1),
    "reshape": lambda o, p, x: x.reshape([x.shape[0]] + (o["shape"] if isinstance(o["shape"], list) else [o["shape"]])),
    "add": lambda o, p, *x: sum(x),
    "multiply": lambda o, p, *x: torch.stack(x).prod(0),
    "concat": lambda o, p, *x: torch.cat(x, 1),
    "zeropad2d": lambda o, p, x: pad2d(x, o["padding"]),
    "upsample2d": upsample2d,
    "identity": lambda o, p, x: x,
    "zero": zero,
    "embedding": lambda o, p, x: F.embedding(x.long(), p["weight"]).transpose(1, 2),
    "rnn": recurrent("rnn"),
    "gru": recurrent("gru"),
    "lstm": recurrent("lstm"),
}


def tensor(t, batch, key="value"):
    return torch.tensor(t[key]).reshape([batch] + t["shape"])


def calls(case):
    """(rows, steps) of calls: all at once, or each open example by itself, cut to its length, without any padding."""
    if "length" not in case:
        return [(slice(None), None)]
    return [(slice(n, n + 1), length) for n, length in enumerate(case["length"])]


def cut(t, spec, length):
    return t[..., :length] if length is not None and spec["type"] in ("sequence", "tokens") else t


def call(case, params, x):
    if case["kind"] == "batchnorm":
        return batchnorm(case["options"], params, x[0], case["training"])
    if case["kind"] == "dropout":
        return x[0]
    return KINDS[case["kind"]](case["options"], params, *x)


def worst(a, b):
    return 0.0 if a.numel() == 0 else float(((a - b).abs() / (1 + b.abs())).max())


def compare(case):
    """The largest difference, or None where PyTorch has no such thing."""
    batch = case["batch"]
    params = {q["name"]: torch.tensor(q["value"]).reshape(q["shape"]) for q in case["params"]}
    trained = [q for q in case["params"] if "grad" in q]
    for q in trained:
        params[q["name"]].requires_grad_()
    diff = 0.0
    for rows, length in calls(case):
        x = [cut(tensor(t, batch)[rows], t, length).clone().requires_grad_(t["type"] != "tokens") for t in case["in"]]
        y = call(case, params, x)
        if y is None:
            return None
        y = y if isinstance(y, list) else [y]
        loss = 0
        for t, got in zip(case["out"], y):
            want = cut(tensor(t, batch)[rows], t, length)
            if want.shape != got.shape:
                raise ValueError(f"shape {list(want.shape)}, PyTorch {list(got.shape)}")
            diff = max(diff, worst(want, got))
            loss = loss + (cut(tensor(t, batch, "grad")[rows], t, length) * got).sum()
        if loss.requires_grad:
            loss.backward()
        for t, leaf in zip(case["in"], x):
            if t["type"] == "tokens":
                continue
            want = cut(tensor(t, batch, "grad")[rows], t, length)
            got = leaf.grad if leaf.grad is not None else torch.zeros_like(want)
            diff = max(diff, worst(want, got))
    for q in trained:
        got = params[q["name"]].grad
        want = torch.tensor(q["grad"]).reshape(q["shape"])
        diff = max(diff, worst(want, torch.zeros_like(want) if got is None else got))
    for q in case["params"]:
        if "grad" not in q:
            diff = max(diff, worst(torch.tensor(q["after"]), params[q["name"]]))
    return diff


def comparable(case):
    """PyTorch has no masks of valid steps for batch norm, draws other dropout masks, and wants two values to a norm."""
    shape = case["in"][0]["shape"]
    values = case["batch"]
    for n in shape[1:]:
        values *= n
    if case["kind"] == "dropout":
        return not case["training"]
    if case["kind"] == "batchnorm":
        return "length" not in case and (values > 1 or not case["training"])
    if case["kind"] == "groupnorm":
        return values * shape[0] // case["options"]["groups"] > 1
    return True


def main():
    kinds = {}
    for line in sys.stdin:
        case = json.loads(line)
        tally = kinds.setdefault(case["kind"], {"cases": 0, "left": 0, "worst": 0.0, "bad": []})
        try:
            diff = compare(case) if comparable(case) else None
        except Exception as e:  # a case that PyTorch refuses is a finding, not a crash
            diff = float("nan")
            tally["bad"].append(f"{e} {json.dumps(case['options'])}")
        if diff is None:
            tally["left"] += 1
            continue
        tally["cases"] += 1
        tally["worst"] = max(tally["worst"], diff)
        if not diff <= TOLERANCE:
            tally["bad"].append(f"differs by {diff:g}: {json.dumps(case['options'])}")
    for n, (kind, t) in enumerate(kinds.items(), 1):
        for text in t["bad"][:3]:
            print(f"# {kind}: {text}")
        good = t["cases"] > 0 and not t["bad"]
        note = f"{t['cases']} cases, worst {t['worst']:.1e}" + (f", {t['left']} without counterpart" if t["left"] else "")
        print(f"{'ok' if good else 'not ok'} {n} - {kind} equals PyTorch ({note})")
    print(f"1..{len(kinds)}")
    return 0


sys.exit(main())
