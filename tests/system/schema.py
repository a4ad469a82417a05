"""The JSON Schema of models against nab's own judgement: what the schema refuses, nab refuses; what nab accepts, the schema
accepts; and a mistake that a schema can express (an unknown key, a wrong type, a value out of range) both refuse.
Usage: schema.py NAB ROOT SCRATCH. Prints TAP."""
import copy, glob, json, os, random, re, subprocess, sys
from jsonschema import Draft7Validator

nab, root, scratch = sys.argv[1:4]
count = 0


def ok(good, name):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}")


def load(path):
    text = re.sub(r"^\s*//.*$", "", open(path).read(), flags=re.M)
    return json.loads(text)


def schema(*words):
    return json.loads(subprocess.run([nab, "schema", *words], capture_output=True, check=True).stdout)


def judged(docs):
    """What nab says of each model: files are validated one by one."""
    out = []
    for doc in docs:
        path = os.path.join(scratch, "m.json")
        json.dump(doc, open(path, "w"))
        r = subprocess.run([nab, "validate", path, "--no-draw", "--no-lint", "--quiet"], capture_output=True, text=True)
        assert r.returncode in (0, 3), (r.returncode, r.stderr, doc)
        out.append((r.returncode == 0, r.stderr.strip()))
    return out


def options(doc):
    """Every object of options of a layer, with the layer's entry."""
    def walk(entries):
        for e in entries:
            if isinstance(e, dict):
                for kind, v in e.items():
                    if kind in KINDS and isinstance(v, dict) and v:
                        yield e, kind, v
    yield from walk(doc["layers"])
    for block in doc.get("blocks", {}).values():
        yield from walk(block.get("layers", []))


model = schema("model")
Draft7Validator.check_schema(model)
validator = Draft7Validator(model)
KINDS = set(model["definitions"]["layer"]["anyOf"][1]["properties"])
for s in ("study", "recipe"):
    Draft7Validator.check_schema(schema(s, "--json"))
ok(True, "the schemas of models, studies and recipes are schemas")

shipped = {os.path.basename(p): load(p) for p in sorted(glob.glob(root + "/configs/models/*.json"))}
canonical = []
for p in sorted(glob.glob(root + "/configs/models/*.json")):
    r = subprocess.run([nab, "validate", p, "--canonical", "--no-lint"], capture_output=True, text=True, check=True)
    canonical.append(json.loads(r.stdout))
space = root + "/configs/spaces/blocks-100k.json"
r = subprocess.run([nab, "sample", space, "--count", "20", "--json", "--quiet"], capture_output=True, text=True, check=True)
drawn = [json.loads(line)["model"] for line in r.stdout.splitlines()]
for name, docs in (("shipped", list(shipped.values())), ("canonical", canonical), ("drawn", drawn)):
    bad = [e.message for d in docs for e in validator.iter_errors(d)]
    print("".join(f"# {b[:200]}\n" for b in bad), end="")
    ok(not bad and all(a for a, _ in judged([] if name == "shipped" else docs)), f"{len(docs)} {name} models suit the schema and nab")

study = Draft7Validator(schema("study", "--json"))
bad = [f"{p}: {e.message}" for p in sorted(glob.glob(root + "/configs/*.json")) for e in study.iter_errors(load(p))]
print("".join(f"# {b[:200]}\n" for b in bad), end="")
ok(not bad, "the shipped studies suit their schema")

random.seed(20240607)
SPOILERS = {
    "an unknown key": lambda d, v: v.__setitem__("colour", 1),
    "a text for a value": lambda d, v: v.__setitem__(random.choice(list(v)), "many"),
    "an object for a value": lambda d, v: v.__setitem__(random.choice(list(v)), {"a": 1}),
    "a number beyond all bounds": lambda d, v: v.__setitem__(random.choice(list(v)), -1e12),
    "an unknown key at the top": lambda d, v: d.__setitem__("colour", 1),
    "layers that are no list": lambda d, v: d.__setitem__("layers", {"relu": {}}),
    "classes that are no number": lambda d, v: (d.pop("outputs", None), d.__setitem__("classes", "ten")),
}
for name, spoil in SPOILERS.items():
    docs = []
    for d in canonical + drawn[:8]:
        d = copy.deepcopy(d)
        places = list(options(d))
        if not places:
            continue
        spoil(d, random.choice(places)[2])
        docs.append(d)
    wrong = []
    for d, (accepted, said) in zip(docs, judged(docs)):
        suits = validator.is_valid(d)
        if accepted or suits:
            wrong.append(f"nab {'accepts' if accepted else 'refuses'}, the schema {'accepts' if suits else 'refuses'}: {said[:150]}")
    print("".join(f"# {w}\n" for w in wrong), end="")
    ok(not wrong and len(docs) > 5, f"{name}: refused by both in {len(docs)} models")
print(f"1..{count}")
