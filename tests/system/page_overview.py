"""The pictures of all models: places, colours, front and brushes are compared with what follows from the store alone."""
import math, os, sqlite3, struct


def wait(page):
    page.eval("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")


def stored(path):
    """label -> (params, right answers by class or None, examples by class, runs) of the done runs of a store."""
    out = {}
    db = sqlite3.connect(path)
    for label, params, classes, blob in db.execute(
            "SELECT c.label, m.params, e.classes, e.confusion FROM candidates c JOIN models m ON m.id = c.model "
            "JOIN runs r ON r.candidate = c.id JOIN evaluations e ON e.run = r.id "
            "WHERE r.state = 'done' AND e.split = 'validation'"):
        m = struct.unpack("<%dq" % (classes * classes), blob)
        right = [m[k * classes + k] for k in range(classes)]
        n = [sum(m[k * classes:(k + 1) * classes]) for k in range(classes)]
        old = out.get(label)
        out[label] = (params, [a + b for a, b in zip(old[1], right)] if old else right,
                      [a + b for a, b in zip(old[2], n)] if old else n)
    db.close()
    return out


def accuracies(t, page, store, classes=None):
    """row -> accuracy on these classes, from the store."""
    known = stored(os.path.join(t.dir, store))
    out = {}
    for row, label in enumerate(page.eval("nab.rows.label")):
        if label in known:
            _, right, n = known[label]
            list_ = range(len(n)) if classes is None else classes
            out[row] = sum(right[k] for k in list_) / sum(n[k] for k in list_)
    return out


def ramp(share, dark=False):
    stops = (["#403f73", "#3a6397", "#3b90a8", "#56bfa8", "#a5dfbf", "#effaf0"] if dark else
             ["#dbeee2", "#93d2b8", "#48a7a6", "#35789d", "#384983", "#231a3c"])
    rgb = [[int(s[k:k + 2], 16) for k in (1, 3, 5)] for s in stops]
    x = share * 5
    k = min(4, int(x))
    return [rgb[k][i] + (rgb[k + 1][i] - rgb[k][i]) * (x - k) for i in range(3)]


def check_colours(t, page, store, classes, dark=False):
    v = accuracies(t, page, store, classes)
    low, high = min(v.values()), max(v.values())
    seen = 0
    for row, a in v.items():
        p = page.eval("nab.overview.point(%d)" % row)
        if not p:
            continue
        drawn = [int(x) for x in p["fill"][4:-1].split(",")]
        want = ramp((a - low) / (high - low), dark)
        assert all(abs(x - y) <= 1 for x, y in zip(drawn, want)), (row, a, drawn, want)
        seen += 1
    assert seen > 10, seen


def test_darkness_is_the_accuracy_by_what_is_judged(t):
    for dark in (False, True):
        page = t.open("plain/index.html", dark=dark)
        page.eval("nab.set({ classes: [], slice: null, pinned: [] })")
        for classes in (None, [2], [0, 6]):
            page.eval("nab.set({ classes: %s })" % (classes or []))
            wait(page)
            check_colours(t, page, "plain.db", classes, dark)
    # what the accessor says is on the canvas: the pixel in the middle of a mark that stands alone
    page.eval("nab.set({ classes: [] })")
    wait(page)
    points = page.eval("nab.rows.label.map((l, row) => nab.overview.point(row))")
    alone = [p for p in points if p and p["how"] == "disc" and p["r"] > 3.5 and "rgb" in p["fill"] and
             all(q is p or not q or math.hypot(q["x"] - p["x"], q["y"] - p["y"]) > 20 for q in points)]
    assert alone
    alone = alone[:5]
    pixels = page.eval("(function () { var c = document.querySelector('#overview canvas'), "
                       "d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; return %s.map(p => "
                       "Array.from(d.slice(4 * (p[1] * c.width + p[0]), 4 * (p[1] * c.width + p[0]) + 3))); })()"
                       % [[round(p["x"]), round(p["y"])] for p in alone])
    for p, pixel in zip(alone, pixels):
        want = [int(x) for x in p["fill"][4:-1].split(",")]
        assert all(abs(a - b) <= 2 for a, b in zip(pixel, want)), (pixel, want)


def choose(page, selector, value):
    page.eval("(function () { var s = document.querySelector('%s'); s.value = '%s'; "
              "s.dispatchEvent(new Event('change')); })()" % (selector, value))
    wait(page)


def test_axes_place_the_models(t):
    page = t.open("plain/index.html")
    page.eval("nab.set({ classes: [], pinned: [] })")
    v = accuracies(t, page, "plain.db")
    for x in ("params", "macs", "depth"):
        choose(page, "#overview-x", x)
        a, values = page.eval("nab.overview.axes()"), page.eval("nab.rows." + x)
        left, top, w, h = a["box"]
        log = math.log10 if a["x"][2] else float
        for row, accuracy in v.items():
            p = page.eval("nab.overview.point(%d)" % row)
            at = (log(values[row]) - log(a["x"][0])) / (log(a["x"][1]) - log(a["x"][0]))
            up = (accuracy - a["y"][0]) / (a["y"][1] - a["y"][0])
            assert abs(p["x"] - left - w * at) < 0.5 and abs(p["y"] - top - h * (1 - up)) < 0.5, (x, row, p)
            assert 0 <= at <= 1 and 0 <= up <= 1
    radius = page.eval("nab.rows.label.map((l, row) => (nab.overview.point(row) || {}).r)")
    params = page.eval("nab.rows.params")
    low, high = min(params), max(params)
    for row in v:
        assert abs(radius[row] - 3 - 4 * math.log(params[row] / low) / math.log(high / low)) < 0.01


def brute(v, cost, low, high):
    on = sorted(r for r in v if not any(cost[o] <= cost[r] and v[o] >= v[r] and (cost[o] < cost[r] or v[o] > v[r]) for o in v))
    maybe = sorted(r for r in v if not any(o != r and cost[o] <= cost[r] and low[o] > high[r] for o in v))
    return on, maybe


def test_the_front_is_that_of_all_pairs(t):
    page = t.open("plain/index.html")
    for classes in ([], [4], [1, 3, 8]):
        page.eval("nab.set({ classes: %s })" % classes)
        ranked = page.eval("nab.data.ranked")
        v = {r: a for r, a in accuracies(t, page, "plain.db", classes or None).items() if r < ranked}
        cost = page.eval("nab.rows.params")
        low, high = page.eval("nab.rows.label.map((l, r) => (nab.judge(r) || {}).low)"), page.eval("nab.rows.label.map((l, r) => (nab.judge(r) || {}).high)")
        on, maybe = brute(v, cost, low, high)
        choose(page, "#overview-front", "possible")
        assert sorted(page.eval("nab.overview.front()")) == on
        assert sorted(page.eval("nab.overview.possible()")) == maybe and set(maybe) >= set(on)
        choose(page, "#overview-front", "certain")
        sure = page.eval("nab.overview.front()")
        assert set(sure) <= set(on) and all(low[b] > high[a] for a, b in zip(sure, sure[1:])), sure
        choose(page, "#overview-front", "value")
    page.eval("nab.set({ classes: [] })")


def test_maps_show_the_coordinates_of_the_page(t):
    page = t.open("plain/index.html")
    maps = page.eval("nab.data.overview.maps")
    assert [m["id"] for m in maps] == ["structure", "predictions", "layers"]
    for m in maps:
        page.click("[data-view=%s]" % m["id"])
        wait(page)
        a = page.eval("nab.overview.axes()")
        left, top, w, h = a["box"]
        assert abs((a["x"][1] - a["x"][0]) / w - (a["y"][1] - a["y"][0]) / h) < 1e-9 * (a["x"][1] - a["x"][0])
        placed = 0
        for row in range(len(m["x"])):
            p = page.eval("nab.overview.point(%d)" % row)
            if m["x"][row] is None:
                assert p is None
                continue
            x, y = (m["x"][row] - a["x"][0]) / (a["x"][1] - a["x"][0]), (m["y"][row] - a["y"][0]) / (a["y"][1] - a["y"][0])
            assert abs(p["x"] - left - w * x) < 0.5 and abs(p["y"] - top - h * (1 - y)) < 0.5
            placed += 1
        assert placed > 10 and page.text("#overview .note") == m["note"]


def test_a_click_chooses_and_a_key_pins(t):
    page = t.open("plain/index.html")
    page.eval("nab.set({ pinned: [], classes: [] })")
    page.centre("#overview .surface")
    at = page.eval("(function () { var r = document.querySelector('#overview .surface').getBoundingClientRect(), "
                   "p = nab.overview.point(0); return [r.left + p.x, r.top + p.y]; })()")
    page.mouse("mouseMoved", at)
    assert page.eval("nab.state.hover") == 0 and page.eval("!document.querySelector('.tip').hidden")
    assert page.text(".tip b") == page.eval("nab.rows.label[0]")
    page.mouse("mousePressed", at, button="left", clickCount=1)
    page.mouse("mouseReleased", at, button="left", clickCount=1)
    assert page.eval("nab.state.current") == 0
    page.mouse("mousePressed", at, button="left", clickCount=1, modifiers=8)
    page.mouse("mouseReleased", at, button="left", clickCount=1, modifiers=8)
    assert page.eval("nab.state.pinned") == [0]
    wait(page)
    page.eval("document.querySelector('#overview .point').focus()")
    first = page.eval("+document.activeElement.dataset.point")
    page.key("ArrowRight")
    second = page.eval("+document.activeElement.dataset.point")
    assert first != second and page.eval("nab.state.hover") == second
    page.eval("document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'p', bubbles: true }))")
    assert second in page.eval("nab.state.pinned")
    page.eval("nab.set({ pinned: [] })")


def test_a_box_zooms_and_goes_back(t):
    page = t.open("plain/index.html")
    wait(page)
    whole = page.eval("nab.overview.axes()")
    page.centre("#overview .surface")
    box = page.eval("(function () { var r = document.querySelector('#overview .surface').getBoundingClientRect(); return [r.left, r.top]; })()")
    left, top, w, h = whole["box"]
    a, b = [box[0] + left + 0.25 * w, box[1] + top + 0.25 * h], [box[0] + left + 0.75 * w, box[1] + top + 0.75 * h]
    page.mouse("mouseMoved", a)
    page.mouse("mousePressed", a, button="left", clickCount=1)
    for k in range(1, 5):
        page.mouse("mouseMoved", [a[0] + (b[0] - a[0]) * k / 4, a[1] + (b[1] - a[1]) * k / 4], buttons=1)
    page.mouse("mouseReleased", b, button="left", clickCount=1)
    wait(page)
    near = page.eval("nab.overview.axes()")
    low, high = whole["y"][0], whole["y"][1]
    assert abs(near["y"][0] - (low + 0.25 * (high - low))) < 0.01 * (high - low)
    assert abs(near["y"][1] - (low + 0.75 * (high - low))) < 0.01 * (high - low)
    page.eval("document.querySelector('#overview .point, #overview .surface').dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))")
    wait(page)
    assert page.eval("nab.overview.axes()") == whole


def test_a_brush_keeps_the_right_models(t):
    page = t.open("plain/index.html")
    page.eval("nab.set({ classes: [], filter: '', most: null })")
    wait(page)
    known = stored(os.path.join(t.dir, "plain.db"))
    page.eval("nab.parallel.brush('params', [nab.parallel.at('params', 0) - 0.01, 1])")
    params = page.eval("nab.rows.params")
    kept = page.eval("nab.parallel.shown()")
    edge = page.eval("nab.parallel.at('params', 0) - 0.01")
    at = page.eval("nab.rows.label.map((l, r) => nab.parallel.at('params', r))")
    order = sorted(range(len(params)), key=lambda r: params[r])
    assert all(at[a] <= at[b] for a, b in zip(order, order[1:]))
    assert kept == [r for r in range(len(params)) if at[r] >= edge] and 0 in kept and 0 < len(kept) < len(params)
    wait(page)
    for row in range(len(params)):  # the scatter fades the others
        p = page.eval("nab.overview.point(%d)" % row)
        assert not p or p["on"] == (row in kept)
    # a drag on the axis of accuracy: only models with a result remain
    page.eval("nab.parallel.brush('params', null)")
    assert len(page.eval("nab.parallel.shown()")) == len(params)
    page.centre("#parallel .surface")
    corner = page.eval("(function () { var r = document.querySelector('#parallel .surface').getBoundingClientRect(); return [r.left, r.top]; })()")
    a, b = page.eval("nab.parallel.place('accuracy', 0.5)"), page.eval("nab.parallel.place('accuracy', 1)")
    a, b = [a[0] + corner[0], a[1] + corner[1]], [b[0] + corner[0], b[1] + corner[1]]
    page.mouse("mouseMoved", a)
    page.mouse("mousePressed", a, button="left", clickCount=1)
    for k in range(1, 5):
        page.mouse("mouseMoved", [a[0], a[1] + (b[1] - a[1]) * k / 4], buttons=1)
    page.mouse("mouseReleased", b, button="left", clickCount=1)
    kept = page.eval("nab.parallel.shown()")
    v = accuracies(t, page, "plain.db")
    at = page.eval("nab.rows.label.map((l, r) => nab.parallel.at('accuracy', r))")
    sure = [r for r in v if at[r] is not None and at[r] > 0.51]
    out = [r for r in v if at[r] < 0.49] + [r for r in range(len(params)) if r not in v]
    assert set(sure) <= set(kept) and not set(out) & set(kept) and sure and out
    page.click("#parallel .bar button")
    assert len(page.eval("nab.parallel.shown()")) == len(params)
    # the best tenth
    page.eval("(function () { var s = document.querySelector('#parallel-top'); s.value = 10; s.dispatchEvent(new Event('input')); })()")
    best = sorted(v, key=lambda r: -v[r])[:math.ceil(len(v) / 10)]
    assert sorted(page.eval("nab.parallel.shown()")) == sorted(best)
    assert known


def test_an_axis_moves_by_keys(t):
    page = t.open("plain/index.html")
    before = page.eval("nab.parallel.axes()")
    page.eval("document.querySelectorAll('#parallel .axis')[1].focus()")
    page.key("ArrowRight")
    after = page.eval("nab.parallel.axes()")
    assert after[2] == before[1] and after[1] == before[2] and sorted(after) == sorted(before)
    assert page.eval("document.activeElement.dataset.axis") == before[1]


def test_progress_is_the_best_so_far(t):
    page = t.open("plain/index.html")
    for classes in (None, [5]):
        page.eval("nab.set({ classes: %s })" % (classes or []))
        wait(page)
        v = accuracies(t, page, "plain.db", classes)
        db = sqlite3.connect(os.path.join(t.dir, "plain.db"))
        order = [r[0] for r in db.execute("SELECT label FROM candidates WHERE origin <> 'baseline' ORDER BY id")]
        db.close()
        labels = page.eval("nab.rows.label")
        rows = [labels.index(label) for label in order]
        top, steps = -1, []
        for row in rows:
            if row in v and v[row] > top:
                top = v[row]
                steps.append(row)
        assert page.eval("nab.progress.best()") == steps
        known = [v[r] for r in rows if r in v]
        mean = page.eval("nab.progress.average()")
        assert abs(mean[-1]["mean"] - sum(known[-5:]) / 5) < 1e-9
    page.eval("nab.set({ classes: [] })")


def test_hostile_names_stay_text_in_pictures(t):
    page = t.open("hostile/index.html", width=800)
    wait(page)
    page.eval("document.querySelector('#overview .point').focus()")
    row = page.eval("+document.activeElement.dataset.point")
    assert page.text(".tip b") == page.eval("nab.rows.label[%d]" % row)
    assert page.eval("document.activeElement.getAttribute('aria-label')").startswith(page.eval("nab.rows.label[%d]" % row))
    assert page.count("img, iframe, object") == 0
    for m in page.eval("nab.overview.maps.map(m => m.id)"):
        page.click("[data-view=%s]" % m)
        wait(page)
    page.eval("nab.parallel.brush('accuracy', [0.5, 1])")
    assert page.text("#parallel .note")


def test_hundreds_of_models_stay_within_the_page(t):
    for width in (1300, 800):
        page = t.open("doodles/index.html", width=width)
        page.eval("nab.set({ classes: [], filter: '', pinned: [0, 1] })")
        wait(page)
        box = page.eval("nab.overview.axes().box")
        seen = [p for p in page.eval("nab.rows.label.map((l, row) => nab.overview.point(row))") if p]
        assert len(seen) > 200
        assert all(box[0] <= p["x"] <= box[0] + box[2] and box[1] <= p["y"] <= box[1] + box[3] for p in seen)
        for part in ("overview", "drawer", "parallel", "progress"):
            assert page.eval("document.querySelector('#%s').scrollWidth <= document.querySelector('#%s').clientWidth" % (part, part)), part
        assert page.count("#overview .point") == 40 and page.count("#overview .point[tabindex='0']") == 1
    page.eval("nab.set({ pinned: [] })")


def test_paper_has_the_plots_that_stand_still(t):
    page = t.open("plain/index.html", dark=True)
    page.send("Emulation.setEmulatedMedia", {"media": "print"})
    for part in ("overview", "progress"):
        assert page.eval("document.querySelector('#%s .still svg').getBoundingClientRect().height > 100" % part)
        assert page.eval("document.querySelector('#%s .live').getBoundingClientRect().height === 0" % part)
    page.send("Emulation.setEmulatedMedia", {"media": ""})
    assert page.eval("document.querySelector('#overview .still').getBoundingClientRect().height === 0")


def test_a_theme_repaints(t):
    page = t.open("plain/index.html")
    page.click("#theme")
    wait(page)
    check_colours(t, page, "plain.db", None, True)
    page.click("#theme")
    wait(page)
    check_colours(t, page, "plain.db", None, False)


def test_neighbouring_ticks_have_different_texts(t):
    page = t.open("plain/index.html")
    for low, high in ((1350, 1900), (0.0160, 0.0170), (99000, 101000), (2e6, 2.1e6), (0.1, 0.9)):
        texts = page.eval("(function () { var a = nab.plot.axis({ low: %r, high: %r }); return a.ticks(12).map(a.text); })()" % (low, high))
        assert len(texts) > 3 and len(set(texts)) == len(texts), texts


def test_the_theme_can_be_changed_at_any_width(t):
    for width in (600, 1100, 1500):
        page = t.open("plain/index.html", width=width)
        assert page.eval("document.getElementById('theme').getBoundingClientRect().right") <= width
