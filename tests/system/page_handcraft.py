"""The editor of models: it judges as nab does, builds and changes models by clicks and keys, and says what nab would do."""
import glob, json, os, random, re, shlex, subprocess, unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def editor(t, report="plain", **how):
    page = t.open(report + "/index.html", **how)
    if not page.eval("nab.data.handcraft.editor.length"):
        raise unittest.SkipTest("nab was built without clang, lld and wasi-libc")
    page.eval("localStorage.clear()")
    page.reload()
    ready(page)
    return page


def ready(page):
    page.eval("document.getElementById('handcraft').scrollIntoView({ behavior: 'instant' })")
    page.wait("document.getElementById('handcraft').dataset.ready === 'yes'")


def nab(t, *words, **how):
    return subprocess.run([os.path.abspath(t.nab), *words], capture_output=True, text=True, cwd=how.get("cwd", ROOT))


def state(page, what):
    return page.eval("nab.handcraft.state." + what)


def ids(page):
    return page.eval("nab.handcraft.state.doc.layers.map(l => l.id)")


def shown(page):
    return page.eval("document.getElementById('hc-json').value")


def put(page, selector, text):
    """Types into a field what replaces its content."""
    page.click(selector)
    page.eval("document.querySelector(%s).select()" % json.dumps(selector))
    page.type(text)


def add(page, name):
    page.click(".hc-left input")
    page.type(name)
    page.key("Enter")


def choose(page, path):
    page.click(".hc-row[data-path='%s'] > .hc-line > .hc-id" % path)


def validated(t, text, name="made.json"):
    with open(t.tmp(name), "w") as f:
        f.write(text)
    r = nab(t, "validate", t.tmp(name), "--json")
    assert r.returncode == 0, r.stderr
    return json.loads(r.stdout)


def compare(page, path, native, warnings):
    """Everything that `nab validate --json` says of a file against the editor's answer to the same text."""
    text = open(path).read()
    mine = page.eval("nab.handcraft.ask('check', %s)" % json.dumps(text))
    assert mine["ok"], (path, mine["errors"])
    for key in ("hash", "digest", "params", "macs", "depth", "layers", "train_bytes"):
        assert mine[key] == native[key], (path, key, mine[key], native[key])
    assert json.loads(mine["text"]) == native["model"], path
    lint = [w.split(": ", 2)[2] for w in warnings if w.startswith("warning: %s: " % path)]
    assert [("%s: " % m["where"] if m["where"] else "") + m["msg"] for m in mine["lint"]] == lint, (path, mine["lint"], lint)
    return mine


def test_answers_are_those_of_nab(t):
    page = editor(t)
    made = t.tmp("models")
    os.makedirs(made, exist_ok=True)
    for line in nab(t, "new").stdout.splitlines():
        if line.startswith("  "):
            name = line.split()[0]
            r = nab(t, "new", name, "-o", os.path.join(made, "design-%s.json" % name))
            assert r.returncode == 0, r.stderr
    for k, space in enumerate(sorted(glob.glob(ROOT + "/configs/spaces/*.json"))):
        r = nab(t, "sample", space, "--count", "25", "--seed", str(random.randrange(1 << 30)), "--output", os.path.join(made, str(k)))
        assert r.returncode == 0, r.stderr
    paths = sorted(glob.glob(ROOT + "/configs/models/*.json") + glob.glob(made + "/**/*.json", recursive=True))
    for path in paths:
        text = open(path).read()
        if '"name"' not in text:  # nab calls it after its file, which the editor cannot know
            with open(path, "w") as f:
                f.write(text.replace("{", '{"name": "drawn", ', 1))
    assert len(paths) > 120, len(paths)
    r = nab(t, "validate", "--json", *paths)
    assert r.returncode == 0, r.stderr
    decoder, at, warnings = json.JSONDecoder(), 0, r.stderr.splitlines()
    for path in paths:
        native, at = decoder.raw_decode(r.stdout, at)
        at += len(r.stdout[at:]) - len(r.stdout[at:].lstrip())
        compare(page, path, native, warnings)


def test_shapes_and_costs_of_layers_are_those_of_nab(t):
    page = editor(t)
    for path in glob.glob(ROOT + "/configs/models/*.json"):
        mine = page.eval("nab.handcraft.ask('check', %s)" % json.dumps(open(path).read()))
        drawn = nab(t, "validate", path, "--no-lint", "--color", "never").stdout
        for n in mine["nodes"]:
            local = n["id"].split("__")[-1]
            assert re.search(r"\b%s\b.*\s%s\b" % (local, n["shape"]), drawn), (path, n)
        assert sum(n["params"] for n in mine["nodes"]) == mine["params"]
        assert sum(n["macs"] for n in mine["nodes"]) == mine["macs"]


def test_mistakes_are_told_as_nab_tells_them(t):
    page = editor(t)
    sound = '{"name": "m", "input": [1, 8, 8], "classes": 2, "layers": [%s, "flatten", {"dense": {"units": 2}}]}'
    texts = [sound % x for x in (
        '{"conv2d": {"filters": 4, "kernel": 9}}', '{"conv2d": {"filters": 0}}', '{"conv2d": {"filtres": 3}}', '"convd2"',
        '{"relu": {}, "from": "later"}', '{"conv2d": {"filters": "x"}}', '{"residual": {}}', '{"conv2d": {"filters": 1e99}}',
        '{"relu": {}, "id": "a__b"}', '{"relu": {}, "relu": {}}', '{"use": 3}', '{"dropout": {"rate": 2}}', '{"add": {}, "from": ["in"]}')]
    texts += ['', '{', '[]', '{"a": [1,}', '{"a": "\\u12"}', '{"a": "\\ud800x"}', '{"a": nul}', '{"a" 1}', '{"a": 1} x', '{"a": "b', '{"a": 1,,}',
              '{"a": -}', '{"a": 01e}', '/* open', '[' * 1100, '{"\\x": 1}', '{"name": "\\u00e9\\ud83d\\ude00\\n"}', '[1, 2', '{"a": tru', '{"a": "\\'
              , '{"a": [1 2]}', '"text"', 'null', '-1.5e3', '{"name": 7, "input": [1, 8], "classes": 2, "layers": ["flatten"]}']
    for k, text in enumerate(texts):
        with open(t.tmp("bad.json"), "w") as f:
            f.write(text)
        r = nab(t, "validate", t.tmp("bad.json"), "--no-lint")
        mine = page.eval("nab.handcraft.ask('check', %s)" % json.dumps(text))
        assert r.returncode == 3 and not mine["ok"], (text[:60], r.stderr, mine)
        for e in mine["errors"]:
            assert e["msg"] in r.stderr, (text[:60], e, r.stderr)
        place = mine["errors"][0]["where"].replace("model:", "bad.json:") if mine["errors"][0]["where"].startswith("model:") else ""
        assert place in r.stderr, (text[:60], place, r.stderr)


def test_a_model_from_blank_by_clicks_and_keys(t):
    page = editor(t)
    assert ids(page) == [] and page.text("#handcraft .badge") == "empty"
    for name in ("conv2d", "batchnorm", "relu", "maxpool2d", "conv_bn_act", "globalavgpool"):
        add(page, name)
    assert not state(page, "result.ok") and state(page, "result.whole")
    assert "the output needs a vector" in page.text(".hc-tree")
    page.eval("document.activeElement.blur()")
    page.click("[data-item=classifier]")
    assert state(page, "result.ok"), state(page, "result.errors")
    assert ids(page) == ["conv2d_1", "batchnorm_1", "relu_1", "maxpool2d_1", "conv_bn_act_1", "globalavgpool_1", "dense_1"]
    choose(page, "conv2d_1")
    put(page, "#hc-filters", "12")
    put(page, "#hc-kernel", "5, 3")
    page.click("#hc-bias")
    page.key("Escape")
    choose(page, "relu_1")
    page.key("d")
    page.key("Delete")
    choose(page, "relu_1")
    page.key("ArrowDown", alt=True)
    assert ids(page)[2:4] == ["maxpool2d_1", "relu_1"]
    put(page, "#hc-name", "by hand")
    text = shown(page)
    native = validated(t, text)
    assert native["params"] == state(page, "result.params") and native["hash"] == state(page, "result.hash")
    conv = native["model"]["layers"][0]["conv2d"]
    assert conv["filters"] == 12 and conv["kernel"] == [5, 3] and conv["bias"] is False and native["name"] == "by hand"
    page.eval("navigator.clipboard && (navigator.clipboard.writeText = t => { window.copied = t; return Promise.resolve(); })")
    page.click("#hc-copy-json")
    if page.eval("!!navigator.clipboard"):
        assert page.eval("copied") == text
    page.eval("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.eval("document.execCommand = () => false")
    page.click(".hc-cmds button")
    assert page.eval("document.querySelector('.by-hand').value") == "nab validate by-hand.json"
    page.reload()
    ready(page)
    assert shown(page) == text


def test_drag_and_drop(t):
    page = editor(t)
    for name, gap in (("flatten", 0), ("classifier", 1), ("relu", 0)):
        put(page, ".hc-left input", name)  # the palette is longer than the window
        page.drag("[data-item=%s]" % name, ".hc-gap", 0, gap)
    assert ids(page) == ["relu_1", "flatten_1", "dense_1"], ids(page)
    page.drag(".hc-row[data-path=relu_1] .hc-grip", ".hc-gap", 0, 2)
    assert ids(page) == ["flatten_1", "relu_1", "dense_1"], ids(page)
    page.drag(".hc-row[data-path=relu_1] .hc-grip", "h1")
    assert ids(page) == ["flatten_1", "relu_1", "dense_1"], ids(page)
    assert validated(t, shown(page))["hash"] == state(page, "result.hash")


def first_with(page, kind):
    """The number of a row whose model has a block or layer of this kind."""
    return page.eval("""Object.keys(nab.data.handcraft.of).map(Number).find(r =>
        JSON.parse(nab.unpack(nab.data.handcraft.models[nab.data.handcraft.of[r]])).layers.some(l => %s in l))""" % json.dumps(kind))


def start(page, row):
    page.eval("(e => { e.value = '%d'; e.dispatchEvent(new Event('change')); })(document.getElementById('hc-from'))" % row)


def test_a_stored_model_changed_undone_and_made_again_by_nab(t):
    page = editor(t)
    row = first_with(page, "residual")
    start(page, row)
    seen = [shown(page)]
    assert validated(t, seen[0])["params"] == page.eval("nab.rows.params[%d]" % row)
    choose(page, "relu_1")
    page.key("Delete")
    seen.append(shown(page))
    choose(page, "conv2d_1")
    add(page, "silu")
    seen.append(shown(page))
    choose(page, "conv2d_1")
    put(page, "#hc-filters", "6")
    seen.append(shown(page))
    choose(page, "silu_1")
    page.eval("(w => { w.querySelectorAll('select')[0].value = 'conv2d_1'; })(nab.all('.hc-wire').pop())")
    page.click(".hc-wire:last-child button")
    assert "add" in " ".join(ids(page)), ids(page)
    seen.append(shown(page))
    assert len(set(seen)) == 5 and state(page, "result.ok"), state(page, "result.errors")
    command = page.eval("nab.all('.hc-cmds code').map(c => c.textContent).find(c => / -o /.test(c) && /^nab edit/.test(c))")
    assert command, page.text(".hc-cmds")
    words = shlex.split(command)
    r = nab(t, *words[1:], cwd=t.dir)
    assert r.returncode == 0, (command, r.stderr)
    native = json.loads(nab(t, "validate", words[-1], "--json", cwd=t.dir).stdout)
    assert native["hash"] == state(page, "result.hash"), command
    for k in (3, 2, 1, 0):
        page.key("z", ctrl=True)
        assert shown(page) == seen[k], k
    for k in (1, 2, 3, 4):
        page.key("y", ctrl=True)
        assert shown(page) == seen[k], k


def test_blocks_are_edited_together_or_alone(t):
    page = editor(t)
    for name in ("residual", "residual", "globalavgpool", "classifier"):
        add(page, name)
    choose(page, "residual_2")
    put(page, "#hc-filters", "16")
    choose(page, "residual_1")
    put(page, "#hc-filters", "16")
    page.key("Escape")
    choose(page, "residual_2")
    page.key("d")
    assert ids(page)[:3] == ["residual_1", "residual_2", "residual_3"], ids(page)
    page.click(".hc-row[data-path=residual_2] .hc-fold")
    choose(page, "residual_2__conv2d_1")
    before = state(page, "result.params")
    put(page, "#hc-kernel", "1")
    kernels = "nab.handcraft.state.result.nodes.filter(n => /^residual_[23]__conv2d_1$/.test(n.id)).map(n => /1x1/.test(n.summary))"
    put(page, "#hc-padding", "0")
    assert page.eval(kernels) == [True, True]
    page.click(".hc-share button", 1)
    choose(page, "residual_2__conv2d_1")
    put(page, "#hc-padding", "1")
    put(page, "#hc-kernel", "3")
    assert page.eval(kernels) == [False, True] and state(page, "result.params") < before
    assert validated(t, shown(page))["params"] == state(page, "result.params")


def test_what_does_not_fit_is_said_beside_the_layer_and_repaired(t):
    page = editor(t)
    for name in ("conv2d", "maxpool2d", "flatten", "classifier"):
        add(page, name)
    good = shown(page)
    choose(page, "conv2d_1")
    put(page, "#hc-padding", "0")
    put(page, "#hc-kernel", "200")
    assert not state(page, "result.ok") and page.text("#handcraft .badge") == "not yet a model"
    assert "kernel" in page.text(".hc-row[data-path=conv2d_1] .hc-msg.bad")
    put(page, "#hc-kernel", "999999")
    assert "255" in page.text("#hc-kernel-msg"), page.text("#hc-kernel-msg")
    put(page, "#hc-kernel", "tall")
    assert page.text("#hc-kernel-msg") and page.eval("document.activeElement.id") == "hc-kernel"
    put(page, "#hc-kernel", "3")
    put(page, "#hc-padding", "same")
    assert state(page, "result.ok") and shown(page) == good
    page.eval("nab.all('details').forEach(d => d.open = true)")
    put(page, "#hc-json", '{"input": [1, 8, 8], "classes": 3, "layers": ["flaten"]}')
    page.wait("document.querySelector('#hc-json + .hc-err').textContent")
    assert 'did you mean "flatten"' in page.text("#hc-json + .hc-err") and len(ids(page)) == 4
    put(page, "#hc-json", '{"input": [1, 8, 8], "classes": 3, "layers": ["flatten", {"dense": {"units": "$classes"}}]}')
    page.wait("nab.handcraft.state.doc.layers.length === 2")
    assert state(page, "result.ok") and ids(page) == ["flatten_1", "dense_1"]
    row = first_with(page, "conv2d")
    start(page, row)
    choose(page, "conv2d_1")
    put(page, "#hc-kernel", "1")
    put(page, "#hc-padding", "0")
    put(page, "#hc-stride", "40")
    if not state(page, "result.ok") and page.count(".hc-repair button"):
        page.click(".hc-repair button")
        assert state(page, "result.ok") and validated(t, shown(page))["hash"] == state(page, "result.hash")


def test_hostile_names_are_text_in_the_editor(t):
    page = editor(t, "hostile")
    rows = page.eval("Object.keys(nab.data.handcraft.of).map(Number)")
    for row in rows[:6]:
        start(page, row)
        put(page, "#hc-name", "<img src=x onerror=alert(1)>'\"$(touch nab-was-here)")
        page.click(".hc-row .hc-id")
        page.key("Delete")
    assert page.count("#handcraft img, #handcraft script, #handcraft iframe") == 0
    assert page.eval("nab.all('#handcraft *').every(e => !e.onerror && !e.onclick && !e.hasAttribute('style') || e.classList.contains('hc-ghost'))")
    for command in page.eval("nab.all('.hc-cmds code').map(c => c.textContent)"):
        words = shlex.split(command)
        assert words[0] == "nab" and "touch" not in words, command
        assert not any(w.startswith(("$", "`", ";")) for w in words), command


def test_a_page_without_the_editor_says_what_is_missing(t):
    with open(t.tmp("plain/index.html"), encoding="utf-8") as f:
        text = re.sub(r'"editor":"[^"]*"', '"editor":""', f.read())
    with open(t.tmp("plain/without.html"), "w", encoding="utf-8") as f:
        f.write(text)
    page = t.open("plain/without.html")
    page.eval("document.getElementById('handcraft').scrollIntoView({ behavior: 'instant' })")
    assert "apt-get install clang lld wasi-libc" in page.text("#handcraft") and page.count("#handcraft button") == 0
