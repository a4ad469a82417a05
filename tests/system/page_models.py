"""The inspection of a model against the store, read by another program: confusions and their examples, curves, lineage,
layers, names."""
import array, json, os, sqlite3, unittest


def store(t, name="plain"):
    return sqlite3.connect("file:%s?mode=ro" % t.tmp(name + ".db"), uri=True)


def runs_of(db, run):
    """Finished runs of the candidate that a run belongs to."""
    return [r for (r,) in db.execute("SELECT id FROM runs WHERE state='done' AND candidate="
                                     "(SELECT candidate FROM runs WHERE id=?) ORDER BY replicate", (run,))]


def shorts(blob):
    a = array.array("H")
    a.frombytes(blob)
    return list(a)


def truth_of(db):
    return shorts(db.execute("SELECT labels FROM truths WHERE split='validation'").fetchone()[0])


def said_by(db, run):
    return shorts(db.execute("SELECT predicted FROM predictions JOIN evaluations e ON e.id=evaluation "
                             "WHERE run=? AND split='validation'", (run,)).fetchone()[0])


def choose(page, row):
    page.eval("nab.choose(%d, false)" % row)


def listed(page):
    return page.eval("nab.all('.found figure').map(f => +f.dataset.example).concat("
                     "((document.querySelector('.found .numbers') || {}).textContent || '').match(/#\\d+/g) || [])")


def examples(page):
    page.eval("nab.all('.found .examples > button').forEach(b => b.click())")
    return sorted(int(str(i).lstrip("#")) for i in listed(page))


def detailed(page):
    return page.eval("Object.keys(nab.data.models.rows).map(Number)")


def check_confusion(t, name):
    page, db = t.open(name + "/index.html"), store(t, name)
    rows, n = detailed(page), page.eval("nab.data.classes.length")
    truth = truth_of(db)
    for row in rows[:3] + rows[-1:]:
        runs = runs_of(db, page.eval("nab.data.models.run[%d]" % row))
        expected = [0] * (n * n)
        for run in runs:
            for a, b in zip(truth, said_by(db, run)):
                expected[a * n + b] += 1
        choose(page, row)
        assert page.eval("nab.model(%d).confusion" % row) == expected
        if n <= 25:
            shown = page.eval("nab.all('.matrix td').map(t => [t.dataset.cell, +t.textContent || 0])")
            assert {c: v for c, v in shown} == {"%d,%d" % (c // n, c % n): v for c, v in enumerate(expected)}
    return page, db, truth, n


def test_confusions_are_those_of_the_store(t):
    check_confusion(t, "plain")
    check_confusion(t, "hostile")


def test_a_cell_opens_its_examples(t):
    page, db, truth, n = check_confusion(t, "plain")
    said = said_by(db, page.eval("nab.data.models.run[nab.state.current]"))
    cells = sorted({(a, b) for a, b in zip(truth, said)})
    wrong, right = next(c for c in cells if c[0] != c[1]), next(c for c in cells if c[0] == c[1])
    for a, b in (wrong, right):
        page.click("[data-cell='%d,%d']" % (a, b))
        assert examples(page) == [i for i, v in enumerate(zip(truth, said)) if v == (a, b)], (a, b)
    # by keyboard: Tab stops once in the matrix, arrows move, Enter opens
    page.eval("document.querySelector('.found button').click()")
    assert page.eval("nab.all('.matrix [tabindex=\"0\"]').length") == 1
    page.eval("document.querySelector('.matrix [tabindex=\"0\"]').focus()")
    for _ in range(wrong[0]):
        page.key("ArrowDown")
    for _ in range(wrong[1]):
        page.key("ArrowRight")
    assert page.eval("document.activeElement.dataset.cell") == "%d,%d" % wrong
    page.key("Enter")
    assert examples(page) == [i for i, v in enumerate(zip(truth, said)) if v == wrong]


def test_seeds_are_counted_in_a_cell(t):
    page, db, truth, n = check_confusion(t, "hostile")
    row = page.eval("nab.state.current")
    runs = runs_of(db, page.eval("nab.data.models.run[%d]" % row))
    assert len(runs) == 2
    said = [said_by(db, r) for r in runs]
    cell = page.eval("(function () { var m = nab.model(%d).confusion, b = -1; m.forEach((v, c) => { if (c %% %d && (b < 0 "
                     "|| v > m[b])) b = c; }); return b; })()" % (row, n + 1))
    a, b = divmod(cell, n)
    expected = {i: sum(s[i] == b for s in said) for i in range(len(truth)) if truth[i] == a and any(s[i] == b for s in said)}
    found = page.eval("nab.confusion.members(nab.model(%d), %d, %d)" % (row, a, b))
    assert {m["i"]: m["times"] for m in found} == expected


def test_curves_are_the_stored_epochs(t):
    page, db = t.open("hostile/index.html"), store(t, "hostile")
    keys = {"ta": "train_accuracy", "tl": "train_loss", "va": "val_accuracy", "vl": "val_loss", "rate": "rate", "grad": "grad_norm"}
    for row in detailed(page)[:4]:
        for run in page.eval("nab.model(%d).runs.map(r => r.run)" % row):
            stored = db.execute("SELECT epoch, steps, %s FROM epochs WHERE run=? ORDER BY epoch" % ", ".join(keys.values()), (run,)).fetchall()
            shown = page.eval("(function (r) { return r; })(nab.model(%d).runs.filter(r => r.run === %d)[0])" % (row, run))
            assert shown["epoch"] == [s[0] for s in stored] and shown["steps"] == [s[1] for s in stored]
            for k, key in enumerate(keys):
                assert all(abs(a - s[k + 2]) <= 6e-6 * abs(s[k + 2]) for a, s in zip(shown[key], stored)), key
    choose(page, detailed(page)[0])
    assert page.count("figure.curve") == 4
    marks = page.eval("nab.all('[data-metric=loss] circle').map(c => +c.dataset.y)")
    both = page.eval("nab.model(nab.state.current).runs.map(r => r.vl)")
    assert all(abs(m - (a + b) / 2) < 1e-9 for m, a, b in zip(marks, *both)) and len(marks) == len(both[0])


def test_smoothing_is_as_defined(t):
    page = t.open("plain/index.html")
    row = detailed(page)[0]
    raw = page.eval("nab.model(%d).runs[0].vl" % row)
    before = page.eval("document.querySelector('[data-metric=loss] .mean.valid').getAttribute('d')")
    page.eval("(function (s) { s.value = 0.6; s.dispatchEvent(new Event('input')); })(document.querySelector('[data-curve=smooth]'))")
    smooth = [sum(0.6 ** (k - j) * raw[j] for j in range(k + 1)) / sum(0.6 ** j for j in range(k + 1)) for k in range(len(raw))]
    marks = page.eval("nab.all('[data-metric=loss] circle').map(c => +c.dataset.y)")
    assert all(abs(a - b) < 1e-9 for a, b in zip(marks, smooth)), (marks, smooth)
    assert page.eval("document.querySelector('[data-metric=loss] .mean.valid').getAttribute('d')") != before
    page.eval("(function (s) { s.value = 'step'; s.dispatchEvent(new Event('change')); })(document.querySelector('[data-curve=x]'))")
    steps = page.eval("nab.curves.lines(nab.model(%d), 'loss', nab.curves.how).filter(l => l.part === 'valid')[0].x" % row)
    each = page.eval("nab.model(%d).runs[0].steps" % row)
    assert steps == [sum(each[:k + 1]) for k in range(len(each))]
    page.click("[data-curve=log]")
    assert page.count("figure.curve svg") == 4


def test_lineage_leads_from_model_to_model(t):
    page = t.open("plain/index.html")
    child = page.eval("nab.rows.parent.findIndex((p, row) => p !== null && nab.data.models.rows[row] && nab.data.models.rows[p])")
    assert child >= 0
    choose(page, child)
    parent = page.eval("nab.rows.parent[%d]" % child)
    words = page.eval("nab.model(%d).change.words" % child)
    assert words and words in page.text("article")
    assert page.eval("nab.model(%d).diff.length" % child) > 0 and page.count(".diff li") > 0
    page.click(".chain .link")
    assert page.eval("nab.state.current") in (parent, page.eval("nab.rows.parent[%d]" % parent))
    choose(page, parent)
    assert page.count(".children [data-row='%d']" % child) == 1
    page.click(".children [data-row='%d']" % child)
    assert page.eval("nab.state.current") == child and page.eval("+document.querySelector('article').dataset.row") == child


def test_layers_add_up(t):
    page, db = t.open("plain/index.html"), store(t)
    row = page.eval("Object.keys(nab.data.models.rows).map(Number).find(r => nab.model(r).profile && nab.model(r).groups.length)")
    choose(page, row)
    root = page.eval("(function (r) { return [r.params, r.macs, r.forward, r.bytes]; })(nab.layers.tree(nab.model(%d)))" % row)
    run = page.eval("nab.data.models.run[%d]" % row)
    params, macs, model = db.execute("SELECT params, macs, m.id FROM models m JOIN candidates c ON c.model=m.id JOIN runs r ON r.candidate=c.id "
                                     "WHERE r.id=?", (run,)).fetchone()
    forward, size = db.execute("SELECT sum(forward_s), sum(bytes) FROM layer_times WHERE model=?", (model,)).fetchone()
    assert root[0] == params and root[1] == macs and root[3] == size
    assert abs(root[2] - 1e3 * forward) < 1e-4 * root[2]
    hidden = page.eval("nab.all('.layers tbody tr').filter(r => r.hidden).length")
    assert hidden > 0
    page.click(".layers .fold")
    assert page.eval("nab.all('.layers tbody tr').filter(r => r.hidden).length") < hidden
    page.click(".layers .fold")
    assert page.eval("nab.all('.layers tbody tr').filter(r => r.hidden).length") == hidden


def test_by_class_is_counted_right(t):
    page, db, truth, n = check_confusion(t, "plain")
    said = said_by(db, page.eval("nab.data.models.run[nab.state.current]"))
    for d in page.eval("nab.confusion.measures(nab.model(nab.state.current))"):
        c = d["c"]
        right, of, called = sum(a == b == c for a, b in zip(truth, said)), truth.count(c), said.count(c)
        assert d["n"] == of and abs(d["recall"] - right / of) < 1e-12 and abs(d["precision"] - right / called) < 1e-12
        assert abs(d["f1"] - 2 * right / (of + called)) < 1e-12
    page.eval("(function (e) { e.value = 100000; e.dispatchEvent(new Event('input')); })(document.querySelector('[data-classes=least]'))")
    assert page.count(".bars2 tr.few") == n


def test_commands_name_the_model(t):
    import shlex, subprocess
    for name in ("plain", "hostile"):
        page = t.open(name + "/index.html")
        for row in detailed(page)[:3]:
            choose(page, row)
            line = shlex.split(page.text(".command code"))
            assert line[:2] == ["nab", "show"], line
            out = subprocess.run([t.nab] + line[1:] + ["--json"], capture_output=True, text=True)
            assert out.returncode == 0, out.stderr
            assert json.loads(out.stdout)["label"] == page.eval("nab.rows.label[%d]" % row)
    page.eval("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.eval("document.execCommand = () => false")
    page.click(".command button")
    assert page.eval("document.querySelector('.by-hand').value") == page.text(".command code")


def test_compact_rows_say_how_to_get_more(t):
    page = t.open("plain/index.html")
    row = page.eval("nab.rows.state.findIndex((s, row) => !nab.data.models.rows[row])")
    assert row >= 0
    choose(page, row)
    assert "--pin" in page.text("article") and page.count("article .command") >= 3
    assert page.text("article h3") == page.eval("nab.rows.label[%d]" % row)


def test_hostile_text_stays_text_in_the_inspection(t):
    page = t.open("hostile/index.html")
    for row in detailed(page)[:6]:
        choose(page, row)
        cells = page.eval("nab.all('.matrix td').filter(t => t.className).map(t => t.dataset.cell)")
        page.click("[data-cell='%s']" % cells[1])
        assert page.count("script") == 2 and page.count("img, iframe, object, #inspect b b") == 0
    assert page.eval("nab.all('#models, #missed').every(s => s.scrollWidth <= s.clientWidth)")


def test_the_missed_are_those_that_most_runs_miss(t):
    page, db = t.open("hostile/index.html"), store(t, "hostile")
    truth, missed, answers = truth_of(db), {}, {}
    runs = [r for (r,) in db.execute("SELECT r.id FROM runs r JOIN evaluations e ON e.run=r.id JOIN predictions p ON p.evaluation=e.id "
                                     "WHERE r.state='done' AND e.split='validation'")]
    for run in runs:
        for i, (a, b) in enumerate(zip(truth, said_by(db, run))):
            if a != b:
                missed[i] = missed.get(i, 0) + 1
                answers.setdefault(i, {}).setdefault(b, 0)
                answers[i][b] += 1
    def brute(keep):
        out = [{"i": i, "missed": k, "taken": min(c for c in answers[i] if answers[i][c] == max(answers[i].values())),
                "times": max(answers[i].values())} for i, k in missed.items() if keep(i)]
        return sorted(out, key=lambda e: (-e["missed"], e["i"]))
    assert page.eval("nab.examples.get().runs") == len(runs)
    assert page.eval("nab.missed()") == brute(lambda i: True)
    page.eval("nab.set({ classes: [3, 5] })")
    assert page.eval("nab.missed()") == brute(lambda i: truth[i] in (3, 5))
    members = db.execute("SELECT member FROM members WHERE split='validation' ORDER BY number").fetchone()[0]
    page.eval("nab.set({ classes: [], slice: 0 })")
    assert page.eval("nab.missed()") == brute(lambda i: members[i])
    page.eval("document.getElementById('missed').scrollIntoView()")
    page.wait("!!document.querySelector('#missed-list .examples')")
    shown = page.eval("document.querySelector('#missed-list').textContent")
    assert all("#%d" % e["i"] in shown for e in brute(lambda i: members[i])[:20])
    page.eval("nab.set({ slice: null })")
    page.eval("document.querySelectorAll('.balance tbody .link')[0].click()")
    assert page.eval("nab.state.classes") == [0]
    page.eval("nab.set({ classes: [] })")


OVERLAP = """(function (selector) {
    var boxes = nab.all(selector).map(e => e.getBoundingClientRect()).filter(r => r.width && r.height), bad = 0;
    boxes.forEach((a, i) => boxes.forEach((b, k) => {
        bad += k > i && Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
    }));
    return [boxes.length, bad];
})(%s)"""


def test_fifty_classes_stay_readable(t):
    check_confusion(t, "many")
    for width in (1300, 800):
        page = t.open("many/index.html", width=width)
        for order in ("data", "alike", "worst"):
            page.eval("(function (e) { e.value = '%s'; e.dispatchEvent(new Event('change')); })(document.querySelector('[data-confusion=order]'))" % order)
            n = 12 if order == "worst" else 50
            labels, bad = page.eval(OVERLAP % json.dumps(".matrix th span"))
            assert labels == 2 * n and bad == 0, (width, order, labels, bad)
            assert page.count(".matrix td") == n * n
            assert page.eval("nab.all('.matrix th').every(h => !h.title || h.textContent.length)")
        assert page.eval("new Set(nab.all('.matrix tbody th').map(t => t.textContent)).size") == 12
        labels, bad = page.eval(OVERLAP % json.dumps(".byclasses [data-class] .cut"))
        assert labels == 50 and bad == 0
        assert page.eval("nab.all('#models, #missed').every(s => s.scrollWidth <= s.clientWidth)")
    page.eval("(function (e) { e.value = 'alike'; e.dispatchEvent(new Event('change')); })(document.querySelector('[data-confusion=order]'))")
    m = page.eval("nab.model(nab.state.current).confusion")
    chain = page.eval("nab.all('.matrix tbody tr').map(r => +r.querySelector('td').dataset.cell.split(',')[0])")
    sums = [sum(m[c * 50:c * 50 + 50]) for c in range(50)]
    like = lambda a, b: m[a * 50 + b] / sums[a] + m[b * 50 + a] / sums[b]
    together = sum(like(a, b) for a, b in zip(chain, chain[1:]))
    assert sorted(chain) == list(range(50)) and together >= sum(like(c, c + 1) for c in range(49)) - 1e-9


def test_pictures_are_the_data(t):
    """Trains a linear model on Fashion-MNIST: every picture on the page is, pixel by pixel, the example it says it is."""
    import gzip, subprocess
    folder = os.path.join(os.path.dirname(os.path.abspath(t.nab)), "..", "shared", "data", "fashion-mnist")
    files = {k: os.path.join(folder, "train-%s.gz" % v) for k, v in (("x", "images-idx3-ubyte"), ("y", "labels-idx1-ubyte"))}
    if not all(os.path.exists(f) for f in files.values()):
        raise unittest.SkipTest("no Fashion-MNIST in ../shared/data")
    with open(t.tmp("linear.json"), "w") as f:
        f.write('{"name": "linear", "input": [1, 28, 28], "classes": 10, "layers": ["flatten", {"dense": {"units": 10}}]}')
    for args in (["train", t.tmp("linear.json"), "--data", "idx:" + folder, "--epochs", "1", "--store", t.tmp("real.db")],
                 ["report", "--store", t.tmp("real.db"), "-o", t.tmp("real"), "--no-figures"]):
        out = subprocess.run([t.nab] + args, capture_output=True, text=True)
        assert out.returncode == 0, out.stderr
    images, labels = gzip.open(files["x"]).read()[16:], gzip.open(files["y"]).read()[8:]
    page = t.open("real/index.html")
    shown = page.eval("nab.data.examples.shown.of.length")
    assert 1000 <= shown <= 2000
    assert page.eval("nab.examples.get().n") == 6000
    sheets = page.eval("""(async function () {
        var all = nab.examples.get(), out = [], of = all.pictures.of;
        for (var k = 0; k < of.length; k += 37) {
            var c = nab.examples.picture(of[k]);
            for (var w = 0; !c.dataset.drawn && w < 500; w++) await new Promise(r => setTimeout(r, 10));
            var p = c.getContext("2d").getImageData(0, 0, 28, 28).data, grey = [];
            for (var i = 0; i < p.length; i += 4) grey.push(p[i]);
            out.push([of[k], all.source[of[k]], all.truth[of[k]], grey]);
        }
        return out;
    })()""")
    assert len(sheets) > 20
    for i, source, label, pixels in sheets:
        assert bytes(pixels) == images[784 * source:784 * source + 784], i
        assert labels[source] == label
    cell = page.eval("nab.all('.matrix td').filter(t => /^w/.test(t.className) && +t.textContent > 3)[0].dataset.cell")
    page.click("[data-cell='%s']" % cell)
    assert page.count(".found canvas") > 0
    found = page.eval("nab.all('.found figure').map(f => +f.dataset.example)")
    assert all(page.eval("nab.examples.get().truth[%d]" % i) == int(cell.split(",")[0]) for i in found)
    os.remove(t.tmp("real.db"))


def test_without_the_data_there_are_numbers(t):
    page = t.open("plain/index.html")
    page.click("[data-cell].w5, [data-cell].w6, [data-cell].w4")
    words = page.text(".found")
    assert "No pictures" in words and "#" in words, words
    assert page.count(".found canvas") == 0
