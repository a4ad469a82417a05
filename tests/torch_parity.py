"""Trains the networks of tests/unit/test_torch_parity.c in PyTorch (float64) from the same weights and batches.

torch_parity.py DIR: for every NAME.json in DIR (model, batch, shape, optimizer, rates), NAME.safetensors (start), NAME.x
(float32 batches) and NAME.y (int32 labels), writes NAME.loss (float64 per step) and NAME.end (float64: all tensors in the order
of the file, then the logits of the first batch in evaluation mode).
"""
import glob, json, struct, sys
import torch
from torch import nn
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def safetensors(path):
    data = open(path, "rb").read()
    n = struct.unpack("<Q", data[:8])[0]
    head, body, out = json.loads(data[8:8 + n]), data[8 + n:], {}
    for name, t in head.items():
        if name == "__metadata__":
            continue
        a, b = t["data_offsets"]
        out[name] = torch.frombuffer(bytearray(body[a:b]), dtype=torch.float32).reshape(t["shape"]).double()
    return dict(sorted(out.items(), key=lambda kv: head[kv[0]]["data_offsets"][0]))


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv2d_1 = nn.Conv2d(2, 6, 3, padding=1)
        self.batchnorm_1 = nn.BatchNorm2d(6)
        self.depthwise2d_1 = nn.Conv2d(6, 12, 3, stride=2, padding=1, groups=6, bias=False)
        self.batchnorm_2 = nn.BatchNorm2d(12)
        self.dense_1 = nn.Linear(12, 4)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.batchnorm_1(self.conv2d_1(x))), 2)
        x = F.hardswish(self.batchnorm_2(self.depthwise2d_1(x)))
        return self.dense_1(x.mean((2, 3)))


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense_1 = nn.Linear(128, 24)
        self.layernorm_1 = nn.LayerNorm(24)
        self.dense_2 = nn.Linear(24, 16)
        self.dense_3 = nn.Linear(16, 4)

    def forward(self, x):
        x = F.gelu(self.layernorm_1(self.dense_1(x.flatten(1))))
        return self.dense_3(torch.tanh(self.dense_2(x)))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.norm0 = nn.BatchNorm2d(4)
        self.conv1 = nn.Conv2d(4, 8, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(8)
        self.project = nn.Conv2d(4, 8, 1, stride=2)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        x = F.relu(self.norm0(self.stem(x)))
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return self.head(F.relu(y + self.project(x)).mean((2, 3)))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm_1 = nn.LSTM(3, 5, batch_first=True, bidirectional=True)
        self.gru_1 = nn.GRU(10, 6, batch_first=True)
        self.dense_1 = nn.Linear(6, 4)

    def forward(self, x):
        y, _ = self.lstm_1(x.transpose(1, 2))
        y, _ = self.gru_1(y)
        return self.dense_1(y[:, -1])


MODELS = {"cnn": Cnn, "mlp": Mlp, "residual": Residual, "recurrent": Recurrent}


def optimizer(o, net):
    decay = [p for n, p in net.named_parameters() if "weight" in n and not n.split(".")[0].rstrip("_0123456789") in
             ("batchnorm", "layernorm", "norm")]
    rest = [p for p in net.parameters() if not any(p is q for q in decay)]
    groups = [{"params": decay, "weight_decay": o["weight_decay"]}, {"params": rest, "weight_decay": 0.0}]
    if o["kind"] == "sgd":
        return torch.optim.SGD(groups, lr=1, momentum=o["momentum"], nesterov=o["nesterov"])
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[o["kind"]]
    return kind(groups, lr=1, betas=(o["beta1"], o["beta2"]), eps=o["eps"])


def run(stem):
    c = json.load(open(stem + ".json"))
    net, start = MODELS[c["model"]](), safetensors(stem + ".safetensors")
    steps, batch = len(c["rates"]), c["batch"]
    net.load_state_dict({**start, **{k: v for k, v in net.state_dict().items() if "num_batches" in k}})
    x = torch.frombuffer(bytearray(open(stem + ".x", "rb").read()), dtype=torch.float32).double()
    y = torch.frombuffer(bytearray(open(stem + ".y", "rb").read()), dtype=torch.int32).long().reshape(steps, batch)
    x = x.reshape([steps, batch] + c["shape"])
    o, losses = optimizer(c["optimizer"], net), []
    net.train()
    for s in range(steps):
        for g in o.param_groups:
            g["lr"] = c["rates"][s]
        loss = F.cross_entropy(net(x[s]), y[s], label_smoothing=c["smoothing"])
        o.zero_grad()
        loss.backward()
        if c["clip"] > 0:
            nn.utils.clip_grad_norm_(net.parameters(), c["clip"])
        o.step()
        losses.append(loss.item())
    net.eval()
    end = net.state_dict()
    flat = [v for k in start for v in end[k].reshape(-1).tolist()] + net(x[0]).reshape(-1).tolist()
    open(stem + ".loss", "wb").write(struct.pack("<%dd" % steps, *losses))
    open(stem + ".end", "wb").write(struct.pack("<%dd" % len(flat), *flat))


for path in sorted(glob.glob(sys.argv[1] + "/*.json")):
    run(path[:-5])
