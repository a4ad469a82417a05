"""Lines and tables of the GPU benchmark (bench/gpu/run.sh).

    table.py event WHAT TEXT                 what could not be measured, as a line of JSON
    nab doctor | table.py machine BACKEND PART
    nab ls --json | table.py line WHO SET BATCH EPOCHS START END CPU0 CPU1 STORE     what nab trained
    table.py profile WHO FILE                of `nab profile --json`
    table.py workers STORE | epochs STORE | children PID       who trains now; epochs that are stored
    table.py report FOLDER                   Markdown of all parts that are there
"""

import hashlib
import json
import math
import os
import platform
import re
import sqlite3
import statistics
import subprocess
import sys
import time
from pathlib import Path

RIVALS = {"eager": "P0 PyTorch eager", "graph": "P1 PyTorch in a CUDA graph", "compile": "P2 torch.compile, compiling counted"}
SETS = [("X", 128), ("Y", 128), ("X", 512), ("Y", 512), ("Fashion-MNIST", 128)]
# Bytes that training moves for each picture if every tensor is read and written once by whoever needs it, in bf16,
# with normalisation, activation and pooling fused.
BYTES = {"a": 1.57e6, "b": 0.53e6}

# ---- lines --------------------------------------------------------------------------------------------------


def say(**line):
    print(json.dumps(line))


def shell(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def machine(backend, part):
    found = [" ".join(l.split()) for l in sys.stdin.read().splitlines()]
    text = lambda *words: [l for l in found if l.split(" ")[0].split(":")[0] in words]
    smi = shell("nvidia-smi", "--query-gpu=name,driver_version,power.limit,clocks.max.sm", "--format=csv,noheader")
    say(who="machine", part=part, backend=backend, date=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), nab=found[0] if found else "",
        processor="; ".join(text("processor")), card=smi, cuda="; ".join(text("plugin", "driver", "runtime", "cudnn", "cublaslt", "cuda")),
        python=platform.python_version(), commit=shell("git", "rev-parse", "--short", "HEAD"))


def reading(store):
    return sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=5)


def asked(store, question):
    try:
        with reading(store) as db:
            return db.execute(question).fetchall()
    except sqlite3.Error:  # it is not there yet, or being made
        return []


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.exists() else None


def line(who, name, batch, epochs, start, end, cpu0, cpu1, store):
    runs = json.load(sys.stdin)
    seconds = float(end) - float(start)
    used = sum(map(int, cpu1.split())) - sum(map(int, cpu0.split()))
    times = asked(store, "SELECT min(started), max(ended) FROM attempts")
    models = {}
    for r in runs:
        models[r["label"] + (f"#{r['replicate']}" if r["replicate"] else "")] = {
            "state": r["state"], "accuracy": r["val_accuracy"], "seconds": r["seconds"], "attempts": r["attempts"],
            "weights": digest(Path(store + ".files") / f"run-{r['run']}.safetensors")}
    done = sum(m["state"] == "done" for m in models.values())
    say(who=who, set=name, batch=int(batch), epochs=int(epochs), seconds=seconds, done=done, per_hour=3600 * done / seconds,
        active_s=times[0][1] - times[0][0] if times and times[0][1] else None,
        processor_s=used / os.sysconf("SC_CLK_TCK"), models=models)


def profile(who, path):
    p = json.loads(Path(path).read_text() or "null")
    if p:
        say(who=who, **p)


def workers(store):
    print(*{pid for pid, in asked(store, "SELECT pid FROM attempts WHERE state = 'running'")})


def epochs(store):
    rows = asked(store, "SELECT count(*) FROM epochs")
    print(rows[0][0] if rows else 0)


def children(parent):
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if stat.read_text().rpartition(")")[2].split()[1] == parent:
                print(stat.parent.name)
        except OSError:  # it has just ended
            pass


# ---- what the lines say -------------------------------------------------------------------------------------


class Rival:
    """One way of training a set in PyTorch: the lines of its processes."""

    def __init__(self, rows):
        first = next(r for r in rows if r.get("begin"))
        self.who, self.processes, self.seed = first["who"], first["processes"], first["seed"]
        self.start_s = max(r.get("start_s", 0) for r in rows)
        self.of = first["of"]
        ended = [r for r in rows if "model" in r]
        self.models = {r["model"]: r for r in ended if "failed" not in r}
        self.failed = {r["model"]: r["failed"] for r in ended if "failed" in r}
        rate = 0
        for part in {r["part"] for r in ended}:
            own = [r for r in ended if r["part"] == part]
            rate += sum("failed" not in r for r in own) / max(r["at"] for r in own)
        self.per_hour = 3600 * self.of / (self.start_s + self.of / rate) if rate else 0
        self.steady = 3600 / statistics.mean(r["train_s"] + r["eval_s"] for r in self.models.values()) if self.models else 0

    def title(self):
        name = RIVALS[self.who] + (f", seed {self.seed}" if self.seed != 1 else "")
        return f"P3: {name[3:]}, {self.processes} processes" if self.processes > 1 else name


def rivals_of(rows, name, batch):
    groups = {}
    for r in rows:
        if r["who"] in RIVALS and (r["set"], r["batch"]) == (name, batch):
            groups.setdefault((r["who"], r["processes"], r["seed"], r["epochs"]), []).append(r)
    latest = [[r for r in group if r["run"] == group[-1]["run"]] for group in groups.values()]
    return [Rival(group) for group in latest if any(r.get("begin") for r in group)]


def kendall(a, b):
    """Tau-b."""
    keys = sorted(set(a) & set(b))
    agree = ties_a = ties_b = pairs = 0
    for i, x in enumerate(keys):
        for y in keys[:i]:
            da, db = a[x] - a[y], b[x] - b[y]
            pairs += 1
            ties_a += da == 0
            ties_b += db == 0
            agree += (da * db > 0) - (da * db < 0)
    scale = math.sqrt((pairs - ties_a) * (pairs - ties_b))
    return agree / scale if scale else None


def scores(models):
    return {k: m["accuracy"] for k, m in models.items() if m.get("accuracy") is not None and m.get("state", "done") == "done"}


class Report:
    def __init__(self, rows, found):
        self.rows, self.found, self.out, self.goals = rows, found, [], []

    def put(self, *lines):
        self.out += lines

    def goal(self, name, wanted, got, good, text="{:,.2f}", best=None):
        """got None: not measured; good, best: of it, whether the goal and the stretch goal are met."""
        if got is None:
            self.goals.append(f"| {name} | {wanted} | - | not measured |")
            return
        verdict = "stretch goal met" if best and best(got) else "met" if good(got) else "missed"
        self.goals.append(f"| {name} | {wanted} | {text.format(got)} | {verdict} |")

    def at_least(self, name, got, wanted, stretch=None, unit=""):
        words = f">= {wanted:,}{unit}" + (f" (stretch {stretch:,}{unit})" if stretch else "")
        self.goal(name, words, got, lambda v: v >= wanted, "{:,.0f}" if wanted >= 1000 else "{:,.2f}" + unit,
                  stretch and (lambda v: v >= stretch))

    def at_most(self, name, got, wanted, stretch=None, unit=""):
        words = f"<= {wanted:,}{unit}" + (f" (stretch {stretch:,}{unit})" if stretch else "")
        self.goal(name, words, got, lambda v: v <= wanted, "{:,.3g}" + unit, stretch and (lambda v: v <= stretch))

    def nab(self, name, batch):
        return [r for r in self.rows if r["who"].startswith("nab") and (r.get("set"), r.get("batch")) == (name, batch)
                and r["who"] not in ("nab alone", "nab killed", "nab healthy", "nab faults", "nab tuned")]

    def last(self, who):
        return next((r for r in reversed(self.rows) if r["who"] == who), None)

    # ---- sets

    def set_table(self, name, batch):
        ours = [r for r in self.rows if r["who"].startswith("nab") and (r.get("set"), r.get("batch")) == (name, batch)]
        rivals = rivals_of(self.rows, name, batch)
        if not ours and not rivals:
            return
        main = self.nab(name, batch)
        per_hour = statistics.median(r["per_hour"] for r in main) if main else None
        head = (ours or [r for r in self.rows if r.get("set") == name])[0]
        self.put(f"## Set {name}, batch {batch}, {head['epochs']} epochs", "",
                 "| | models | seconds | models/hour | without set-up | nab is faster by | mean accuracy | nab's on the same models | processors |",
                 "|---|---:|---:|---:|---:|---:|---:|---:|---:|")
        for r in ours:
            steady = f"{3600 * r['done'] / r['active_s']:,.0f}" if r.get("active_s") else ""
            right = scores(r["models"])
            self.put(f"| {r['who']} | {r['done']} | {r['seconds']:.1f} | {r['per_hour']:,.0f} | {steady} | | "
                     f"{statistics.mean(right.values()) if right else 0:.4f} | | {r['processor_s'] / r['seconds']:.2f} |")
        for r in rivals:
            right, own = scores(r.models), scores(main[0]["models"]) if main else {}
            both = sorted(set(right) & set(own))
            cells = [f"{r.title()}", f"{len(r.models)} of {r.of}", f"{max([0] + [m['at'] for m in r.models.values()]):.1f}", f"{r.per_hour:,.0f}",
                     f"{r.steady:,.0f}" if r.processes == 1 and r.steady else "", f"{per_hour / r.per_hour:.2f}" if per_hour and r.per_hour else "-"]
            cells += [f"{statistics.mean(s[k] for k in both):.4f}" if both else "" for s in (right, own)] + [""]
            self.put("| " + " | ".join(cells) + " |")
        self.put("")
        for r in rivals:
            for model, why in list(r.failed.items())[:3]:
                self.put(f"- {r.title()}: {model} failed: {why}")
            tried = [m["first_try"] for m in r.models.values() if m.get("first_try")]
            if tried:
                self.put(f"- {r.title()}: {len(tried)} models not as one graph, since: {tried[0]}")
        self.put("")

    def speed_goals(self):
        def rate(name, batch, steady=False):
            rows = self.nab(name, batch)
            rates = [3600 * r["done"] / r["active_s"] if steady and r.get("active_s") else r["per_hour"] for r in rows]
            return statistics.median(rates) if rates else None

        def best(name, batch, pick, steady=False):
            rates = [r.steady if steady else r.per_hour for r in rivals_of(self.rows, name, batch) if r.seed == 1 and pick(r)]
            return max(rates) if rates and max(rates) > 0 else None

        def by(name, batch, pick, steady=False):
            a, b = rate(name, batch, steady), best(name, batch, pick, steady)
            return a / b if a and b else None

        def only(who):
            return lambda r: r.processes == 1 and r.who == who

        self.at_least("G1 X at 128, models/hour", rate("X", 128), 8000, 12000)
        self.at_least("G1 X at 128, against P0", by("X", 128, only("eager")), 10, 15, "x")
        self.at_least("G1 X at 128, against P1", by("X", 128, only("graph")), 4, 6, "x")
        self.at_least("G1 X at 128, against the best single process", by("X", 128, lambda r: r.processes == 1), 3, 5, "x")
        self.at_least("G1 X at 128, against P3", by("X", 128, lambda r: r.processes > 1), 2, 3, "x")
        self.at_least("G2 X at 128, against P2, compiling not counted", by("X", 128, only("compile"), True), 1.7, 3, "x")
        self.at_least("G3 Y at 128, models/hour", rate("Y", 128), 25000, 40000)
        self.at_least("G3 Y at 128, against P0", by("Y", 128, only("eager")), 25, 40, "x")
        self.at_least("G3 Y at 128, against P2, compiling not counted", by("Y", 128, only("compile"), True), 3.5, None, "x")
        self.at_least("G4 X at 512, against P0", by("X", 512, only("eager")), 4, 6, "x")
        self.at_least("G4 Y at 512, against P0", by("Y", 512, only("eager")), 8, 12, "x")

    # ---- the card

    def ceilings(self):
        launch = {}
        for r in self.rows:
            if r["who"] == "launch":
                launch.update(r)
        c = self.last("ceilings") or {}
        if c:
            nodes = ", ".join(f"{v:.2f} with {k} in flight" for k, v in c["us_per_graph_node"].items())
            self.put(f"- by PyTorch {c['torch']} on {c['card']}: copies {c['copy_TB_per_s']:.2f} TB/s, bf16 products {c['bf16_TFLOP_per_s']:.0f} TFLOP/s"
                     + (f"; microseconds per node of a CUDA graph: {nodes}" if nodes else ""))
        if launch:
            nodes = ", ".join(f"{launch[k]:.2f} with {k[8:]}" for k in launch if k.startswith("node_us_"))
            rest = [f"{launch[k]:.3g} {text}" for k, text in (("launch_us", "us for a launch alone"), ("loop_node_us", "us per node in a loop on the card"),
                                                              ("copy_TB_per_s", "TB/s of copies")) if k in launch]
            self.put(f"- bench/gpu/launch.cu: microseconds per node of a graph: {nodes} in flight; " + ", ".join(rest))
        copy = max(c.get("copy_TB_per_s", 0), launch.get("copy_TB_per_s", 0))
        return (copy * 1e12, c["bf16_TFLOP_per_s"] * 1e12) if copy and c else None

    def roofline(self, rates):
        rows = {(r["model"], r["batch"], r["in_flight"]): r for r in self.rows if r["who"] == "roofline" and r.get("in_flight")}
        if not rows:
            return
        self.put("", "## Nets a and b beside the roofline", "",
                 "The floor of a step is the larger of FLOP / (measured rate of bf16 products) and bytes / (measured rate of copies). FLOP: 2 x multiply-adds x 3, "
                 "less the gradient of the pictures; bytes: every tensor written once and read once by each who needs it, "
                 + ", ".join(f"{v / 1e6:.2f} MB a picture for {k}" for k, v in BYTES.items()) + ".", "",
                 "| net | batch | in flight | us/step | floor, us | over the floor | examples/s | processors |", "|---|---:|---:|---:|---:|---:|---:|---:|")
        over = {}
        for (model, batch, k), r in sorted(rows.items()):
            us = 1e6 / r["steps_per_second"]
            macs = [l["macs"] for l in r["layers"] if l["macs"]]
            floor = 1e6 * batch * max(2 * (3 * sum(macs) - macs[0]) / rates[1], BYTES[model] / rates[0]) if rates else None
            over.setdefault((model, batch), []).append(us / floor if floor else None)
            cells = [model, batch, k, f"{us:.1f}", f"{floor:.1f}" if floor else "-", f"{us / floor:.2f}" if floor else "-",
                     f"{batch * r['steps_per_second']:,.0f}", f"{r['processors']:.2f}"]
            self.put("| " + " | ".join(map(str, cells)) + " |")
        for model, batch, most in (("a", 512, 2.0), ("a", 128, 2.4), ("b", 512, 1.8), ("b", 128, 2.5)):
            got = [v for v in over.get((model, batch), []) if v]
            self.at_most(f"G5 net {model} at {batch}, over the floor", min(got) if got else None, most, 1.5, "x")
        many = [r["processors"] for (_, _, k), r in rows.items() if k >= 16]
        self.at_most("G7 processors with 16 in flight, steady training", max(many) if many else None, 1, 0.2)
        self.put("", "PyTorch on the same nets, microseconds per step (one at a time):", "")
        for r in rivals_of(self.rows, "ab", min(b for _, b, _ in rows)):
            self.put(f"- {r.title()}: " + ", ".join([f"{k} {m['us_per_step']:.0f}" for k, m in r.models.items()] + [f"{k} failed: {why}" for k, why in r.failed.items()]))
        self.put("", "### Where the time of a step goes", "",
                 "Microseconds by operation, launched one by one with events between: an operation of under some 5 us is mostly its launch, so "
                 "the sum is more than a captured step.", "")
        for (model, batch, k), r in sorted(rows.items()):
            if k == 1:
                self.operations(model, batch, r)

    def operations(self, model, batch, r):
        self.put(f"{model} at {batch} ({r['precision']}): input {1e6 * r['input_seconds']:.1f}, loss {1e6 * r['loss_seconds']:.1f}, optimizer "
                 f"{1e6 * r['optimizer_seconds']:.1f}, all {1e6 * r['step_seconds']:.1f}", "", "| layer | forward | backward |", "|---|---:|---:|")
        for l in r["layers"]:
            if l["fused_into"] == l["id"]:
                self.put(f"| {l['id']} | {1e6 * l['forward_seconds']:.1f} | {1e6 * l['backward_seconds']:.1f} |")
        self.put("")

    def first_steps(self):
        rows = [r for r in self.rows if r["who"] in ("first", "roofline") and r.get("in_flight") == 1]
        cold, known = ([1e3 * r[k] for r in rows] for k in ("first_step_seconds", "known_first_step_seconds"))
        compiled = [1e3 * m["first_s"] for s in ("ab", "X") for r in rivals_of(self.rows, s, 128) if r.who == "compile" for m in r.models.values()]
        self.at_most("G6 first step of a new network, shapes new, median", statistics.median(cold) if cold else None, 150, 50, " ms")
        self.at_most("G6 first step of a new network, shapes known, median", statistics.median(known) if known else None, 20, 10, " ms")
        self.at_least("G6 first step, against torch.compile", statistics.median(compiled) / statistics.median(cold) if cold and compiled else None, 100, None, "x")
        if cold:
            self.put("", "## From a new network to the end of its first step, ms", "", "| model | batch | shapes new | shapes known |", "|---|---:|---:|---:|")
            for r, a, b in zip(rows, cold, known):
                self.put(f"| {r['model']} | {r['batch']} | {a:.1f} | {b:.1f} |")
        lines = [f"- {r.title()}, {name}: {1e3 * statistics.median(m['first_s'] for m in r.models.values()):,.0f}" for name in ("ab", "X")
                 for r in rivals_of(self.rows, name, 128) if r.models and r.processes == 1 and r.seed == 1]
        if lines:
            self.put("", "PyTorch, medians over a and b and over the models of X that it trained:", "", *lines)

    # ---- quality

    def same_bits(self):
        def compare(title, rows):
            first, differ, n = rows[0]["models"], 0, 0
            for r in rows[1:]:
                for k, m in r["models"].items():
                    if k in first and m["weights"] and first[k]["weights"]:
                        n += 1
                        differ += m["weights"] != first[k]["weights"]
            if n:
                self.put(f"- {title}: {n} pairs of weights compared, {differ} differ")
            return [differ] if n else []

        named = lambda *who: [r for r in self.rows if r.get("set") == "Y" and r.get("batch") == 128 and r["who"] in who]
        self.put("", "## The same bits", "")
        start = len(self.out)
        many = self.nab("X", 128)
        found = compare("X at 128, run again", many) if len(many) > 1 else []
        ys = self.nab("Y", 128) or named("nab healthy")
        for who, title in (("nab alone", "one in flight against many"), ("nab killed", "after kill -9 of engine and workers"), ("nab faults", "with workers killed, beside networks that fail")):
            if ys and named(who):
                found += compare(f"Y at 128, {title}", ys[:1] + named(who))
        if len(ys) > 1:
            found += compare("Y at 128, run again", ys)
        if len(self.out) == start:
            self.put("not measured")
        self.put("", "The deterministic mode is the only one: what it costs cannot be told apart.")
        self.goal("G8 weights that differ: again, alone, after kill -9", "0", sum(found) if found else None, lambda v: v == 0, "{}")

    def quality(self):
        ours = self.nab("X", 128)
        p0 = {r.seed: scores(r.models) for r in rivals_of(self.rows, "X", 128) if r.who == "eager" and r.processes == 1}
        both = sorted(set(scores(ours[0]["models"])) & set(p0.get(1, {}))) if ours else []
        gap = tau = tau_p0 = None
        if both:
            own = {k: scores(ours[0]["models"])[k] for k in both}
            gap = 100 * (statistics.mean(own.values()) - statistics.mean(p0[1][k] for k in both))
            tau = kendall(own, p0[1])
            tau_p0 = kendall(p0[1], p0[2]) if 2 in p0 else None
            self.put("", "## Quality", "", f"Mean accuracy of nab less that of P0 over the {len(both)} models of X that P0 trained: {gap:+.2f} points. "
                     f"Kendall's tau: nab and P0 {tau if tau is None else round(tau, 3)}, P0 and P0 with another seed {tau_p0 if tau_p0 is None else round(tau_p0, 3)}.")
        self.goal("G9 mean accuracy over X, points from P0", "within 0.3 (stretch 0.15)", gap, lambda v: abs(v) <= 0.3, "{:+.2f}", lambda v: abs(v) <= 0.15)
        self.goal("G9 tau against P0, less tau of P0 with another seed", ">= -0.02", tau - tau_p0 if tau is not None and tau_p0 is not None else None, lambda v: v >= -0.02)

    def faults(self):
        well, ill = self.last("nab healthy"), self.last("nab faults")
        lost = wrong = late = None
        if well and ill:
            runs = ill["models"]
            lost = sum(runs.get(k, {}).get("state") != "done" for k in well["models"])
            wrong = sum(k in runs and runs[k]["weights"] != m["weights"] for k, m in well["models"].items() if runs.get(k, {}).get("state") == "done")
            late = 100 * (ill["seconds"] / well["seconds"] - 1)
            odd = {k: m["state"] for k, m in runs.items() if k not in well["models"]}
            again = sum(m["attempts"] > 1 for m in runs.values())
            self.put("", "## Faults", "", f"{len(runs)} runs with the workers killed twice (kill -9): {lost} healthy ones lost, {wrong} with other weights, {again} tried more than once, "
                     f"{ill['seconds']:.1f} s instead of {well['seconds']:.1f} s. Of those that had to fail: " + (", ".join(f"{k} {v}" for k, v in odd.items()) or "none") + ".",
                     "Illegal accesses are injected on the emulated card only (`make check`).")
        self.goal("G10 healthy runs lost", "0", lost, lambda v: v == 0, "{}")
        self.goal("G10 healthy runs with wrong results", "0", wrong, lambda v: v == 0, "{}")
        self.at_most("G10 time lost to faults", late, 5, None, " %")

    def write(self):
        ok = [r for r in self.rows if r["who"] == "machine"]
        rates = self.ceilings()
        top, self.out = self.out, []
        self.speed_goals()
        self.roofline(rates)
        self.first_steps()
        for name, batch in SETS:
            self.put("")
            self.set_table(name, batch)
        if self.found:
            self.put("The best of the search on Fashion-MNIST:", "", "```", self.found.rstrip(), "```")
        whole = [r["processor_s"] / r["seconds"] for r in self.nab("X", 128)]
        self.at_most("G7 processors, set X at 128 from the command to the end", statistics.median(whole) if whole else None, 1, 0.2)
        self.goals.append("| G7 allocations and waits per step | 0 | 0 | by test: `steps_are_launches_and_nothing_else`, `test_steps_do_not_wait` |")
        self.same_bits()
        self.quality()
        self.faults()
        self.goals.append("| G11 without a GPU | start <= 5 ms, plans, no spills | - | by `make check` |")
        self.goals.append("| G12 airbench94's recipe | >= 94.0 % | - | not measured: not part of this benchmark |")
        body, self.out = self.out, []
        self.put("# nab on a GPU against PyTorch", "")
        if any(r["backend"] != "cuda" or "emulated" in r["cuda"] for r in ok):
            self.put("**A trial of the script without a card: no number here is a measurement of a GPU.**", "")
        self.put("Made by `make gpu-bench PART=n` (bench/gpu/run.sh says what each part does). Losers are listed like winners.", "")
        for m in {r["part"]: r for r in ok}.values():
            self.put(f"- part {m['part']}: {m['date']}; {m['nab']}, commit {m['commit']}; {m['processor']}; card: {m['card'] or 'none'}; {m['cuda']}; Python {m['python']}")
        self.put(*top, "", "## Goals", "", "| goal | wanted | got | |", "|---|---|---:|---|", *self.goals, "")
        events = [r for r in self.rows if r["who"] == "event"]
        if events:
            self.put("Not reached, cut off, or worth knowing:", "", *[f"- {r['what']}: {r['text']}" for r in events], "")
        self.put(*body, "", "Rates of rivals are for the whole set: the start of the process once, then as fast as the models that were trained (\"n of 64\"). "
                 "\"Without set-up\": PyTorch's steps and evaluations alone; of nab the time from its first run's start to its last run's end, in "
                 "which planning and capturing are hidden or not. P1 and P2 replay one CUDA graph a step. nab's rate is the median of its runs.")
        return re.sub("\n{3,}", "\n\n", "\n".join(self.out))


def report(folder):
    rows = []
    for path in sorted(Path(folder).glob("part-*.jsonl")):
        for text in path.read_text().splitlines():
            try:
                row = json.loads(text)
            except ValueError:  # cut off in the middle of a line
                continue
            rows += [row] if isinstance(row, dict) and "who" in row else []
    found = Path(folder) / "fashion.txt"
    print(Report(rows, found.read_text() if found.exists() else "").write())


if __name__ == "__main__":
    commands = {"event": lambda what, text: say(who="event", what=what, text=text), "machine": machine, "line": line, "profile": profile,
                "workers": workers, "epochs": epochs, "children": children, "report": report}
    commands[sys.argv[1]](*sys.argv[2:])
