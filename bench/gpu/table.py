"""Lines and tables of the GPU benchmark (bench/gpu/run.sh).

    nab ls --json | table.py line WHO SET BATCH EPOCHS START END CPU0 CPU1     nab's measurement as a line of JSON
    table.py same A.json B.json                                               exit 0 if two stores (`nab ls --json`) hold the same scores
    table.py report FOLDER                                                    Markdown of all parts there are
"""

import json
import os
import statistics
import sys
from pathlib import Path

GOALS = {  # GPU.md section 5: (set, batch) -> what is compared, pass, stretch
    ("X", 128): [("arch/hour", None, 8000, 12000), ("P0", "eager 1", 10, 15), ("P1", "graph 1", 4, 6),
                 ("P2, compiling counted", "compile 1", 3, 5), ("P3", "processes", 2, 3)],
    ("Y", 128): [("arch/hour", None, 25000, 40000), ("P0", "eager 1", 25, 40)],
    ("X", 512): [("P0", "eager 1", 4, 6)],
    ("Y", 512): [("P0", "eager 1", 8, 12)],
}


def line(argv):
    who, name, batch, epochs, start, end, cpu0, cpu1 = argv
    runs = [r for r in json.load(sys.stdin) if r["state"] == "done"]
    seconds = float(end) - float(start)
    used = sum(map(int, cpu1.split())) - sum(map(int, cpu0.split()))
    models = {r["label"]: {"accuracy": r["val_accuracy"], "seconds": r["seconds"]} for r in runs}
    print(json.dumps({"set": name, "who": who, "batch": int(batch), "epochs": int(epochs), "seconds": seconds, "done": len(runs),
                      "per_hour": 3600 * len(runs) / seconds, "processor_s": used / os.sysconf("SC_CLK_TCK"), "models": models}))


def same(argv):
    scores = [{(r["label"], r["replicate"]): (r["state"], r["val_loss"], r["val_accuracy"]) for r in json.load(open(p))} for p in argv]
    sys.exit(scores[0] != scores[1] or not scores[0])


def title(r):
    names = {"eager": "P0 PyTorch eager", "graph": "P1 PyTorch in a CUDA graph", "compile": "P2 torch.compile"}
    if r.get("processes", 1) > 1:
        return f"P3 PyTorch in a CUDA graph, {r['processes']} processes"
    return names.get(r["who"], r["who"])


def key(r):
    return "processes" if r.get("processes", 1) > 1 else f"{r['who']} 1"


def accuracy_over(r, labels):
    return statistics.mean(r["models"][k]["accuracy"] for k in labels)


def measured(rows, out):
    """The latest line of each who, and a table."""
    latest = {}
    for r in rows:
        latest[title(r)] = r
    ours = next((r for t, r in latest.items() if r["who"].startswith("nab")), None)
    out.append("| | models | seconds | models/hour | nab is faster by | mean accuracy | nab's on the same models |")
    out.append("|---|---:|---:|---:|---:|---:|---:|")
    for t, r in latest.items():
        common = sorted(set(r["models"]) & set(ours["models"])) if ours else []
        cells = [t, f"{r['done']}", f"{r['seconds']:.1f}", f"{r['per_hour']:,.0f}",
                 "" if not ours or r is ours else f"{ours['per_hour'] / r['per_hour']:.2f}" if r["per_hour"] else "-"]
        cells += [f"{accuracy_over(r, common):.4f}", f"{accuracy_over(ours, common):.4f}"] if common else ["", ""]
        out.append("| " + " | ".join(cells) + " |")
    return ours, latest


def judged(ours, latest, goals, out):
    if not ours:
        return
    for name, rival, wanted, stretch in goals:
        if rival is None:
            got = ours["per_hour"]
        else:
            rates = [r["per_hour"] for r in latest.values() if key(r) == rival and r["per_hour"]]
            if not rates:
                continue
            got = ours["per_hour"] / max(rates)
        verdict = "stretch goal met" if got >= stretch else "met" if got >= wanted else "missed"
        out.append(f"- goal {name}: {got:,.1f}, wanted {wanted:,} (stretch {stretch:,}): {verdict}")


def report(argv):
    folder = Path(argv[0])
    rows = [json.loads(l) for p in sorted(folder.glob("part-*.jsonl")) for l in p.read_text().splitlines() if l.startswith("{")]
    out = ["# nab on a GPU against PyTorch", "", "Made by `make gpu-bench PART=n` (bench/gpu/run.sh says what each part does). Losers are listed like winners.", ""]
    for r in rows:
        if r["who"] == "ceilings":
            nodes = ", ".join(f"{v:.2f} with {k} in flight" for k, v in r["us_per_graph_node"].items())
            out += [f"Card: {r['card']}, PyTorch {r['torch']}. Copies {r['copy_TB_per_s']:.2f} TB/s, bf16 products {r['bf16_TFLOP_per_s']:.0f} TFLOP/s, "
                    f"microseconds per node of a CUDA graph: {nodes}.", ""]
        if r["who"] == "bits":
            out += [f"Scores with one run in flight and with many: {'the same bits' if r['same'] else 'DIFFERENT'}.", ""]
    for (name, batch), goals in GOALS.items():
        part = [r for r in rows if r.get("set") == name and r["batch"] == batch]
        if not part:
            continue
        out += [f"## Set {name}, batch {batch}, {part[0]['epochs']} epochs", ""]
        ours, latest = measured(part, out)
        out.append("")
        judged(ours, latest, goals, out)
        out.append("")
    print("\n".join(out))


if __name__ == "__main__":
    {"line": line, "same": same, "report": report}[sys.argv[1]](sys.argv[2:])
