"""Choosing classes or a slice re-ranks every model, as calculated from the data; it survives a reload."""


def order(page):
    return page.eval("nab.all('#board tbody tr').map(tr => +tr.dataset.row)")


def by_right(before, right):
    return sorted(before, key=lambda row: (right[row] is None, -(right[row] or 0), row))


def test_a_class_re_ranks_the_models(t):
    page = t.open("plain/index.html")
    before = order(page)
    page.click("#classes button", 2)
    right = page.eval("nab.rows.right.map(r => r && r[2])")
    after = order(page)
    assert after == by_right(before, right), (before, after)
    assert after != before and after[0] != before[0], "models that are all alike show nothing"
    share = right[after[0]] / page.eval("nab.data.class_n[2] * nab.rows.seeds[%d]" % after[0])
    assert page.text("#board tbody tr .acc b") == "%.2f" % (100 * share)
    page.reload()
    assert page.eval("nab.state.classes") == [2]
    page.click("#classes button", 2)
    assert page.eval("nab.state.classes") == []
    assert page.text("#board tbody tr .acc b") == "%.2f" % (100 * page.eval("nab.rows.accuracy[0]"))
    assert order(page) == before


def test_a_slice_re_ranks_the_models(t):
    page = t.open("plain/index.html")
    before = order(page)
    assert page.eval("nab.data.slices.map(s => s.name)") == ["faint", "first-half"]
    page.eval("nab.set({ classes: [], slice: 0 })")
    right = page.eval("nab.rows.slice_right.map(r => r && r[0])")
    after = order(page)
    assert after == by_right(before, right), (before, after)
    assert after != before
    assert page.eval("nab.judgedBy()") == "slice faint"
    page.eval("nab.set({ slice: null })")


def test_rows_know_their_parents_and_recipes(t):
    page = t.open("plain/index.html")
    assert page.eval("nab.rows.parent.some((p, row) => p !== null && p !== row && nab.rows.change[row])")
    keys = page.eval("Object.keys(nab.rows.hyper).sort()")
    assert keys == ["batch", "label_smoothing", "optimizer", "optimizer.lr"], keys
    assert page.eval("Object.values(nab.rows.hyper).every(c => c.length === nab.data.n)")
    assert set(page.eval("nab.rows.kind")) == {"search", "baseline"}


def test_hostile_names_are_text(t):
    page = t.open("hostile/index.html")
    assert page.count("script") == 2 and page.count("img, iframe, object") == 0
    assert page.eval("nab.all('*').every(e => !e.onclick && !e.onerror)")
    labels = page.eval("nab.rows.label")
    assert any("<" in label for label in labels)
    page.click("#classes button", 0)
    assert page.eval("document.title").startswith("<script>")
    page.click("#classes button", 0)


def test_the_filter_hides_models_and_says_how_many(t):
    page = t.open("plain/index.html")
    n = len(order(page))
    page.click("#filter")
    page.type("lenet|linear")
    page.wait("nab.state.filter === 'lenet|linear'")
    assert sorted(page.eval("nab.all('#board tbody .link').map(b => b.textContent)")) == ["lenet5", "linear"]
    assert page.text("#filter-said").startswith("2 of ")
    page.eval("document.getElementById('filter').value = ''")
    page.type("(")
    page.wait("nab.state.filter === '('")
    assert "not a regular expression" in page.text("#filter-said")
    assert page.eval("document.getElementById('filter').getAttribute('aria-invalid')") == "true"
    assert len(order(page)) == n
    page.click("#clear")
    page.click("#limit")
    page.type("20000")
    page.wait("nab.state.most === 20000")
    few = order(page)
    assert few and all(p <= 20000 for p in page.eval("%s.map(row => nab.rows.params[row])" % few))
    page.click("#clear")
    assert len(order(page)) == n


def test_many_classes_have_a_panel_by_keyboard(t):
    page = t.open("doodles/index.html")
    assert page.count("#classes button") == 50 and not page.eval("document.getElementById('class-panel').offsetHeight")
    page.eval("document.getElementById('class-open').focus()")
    page.key("Enter")
    page.wait("document.getElementById('class-panel').offsetHeight > 100")
    page.type("b")  # the search field has the focus
    page.type("ird")
    shown = page.eval("nab.all('#classes button:not([hidden])').map(b => +b.dataset.class)")
    names = page.eval("nab.data.classes")
    assert shown and all("bird" in names[c] for c in shown) and len(shown) < 5
    page.key("Tab")
    page.key("Enter")  # choose those shown
    assert sorted(page.eval("nab.state.classes")) == shown
    page.key("Escape")
    assert not page.eval("document.getElementById('class-panel').offsetHeight")
    assert page.eval("document.activeElement.id") == "class-open"
    assert "%d of 50" % len(shown) in page.text("#class-open")
    page.click("#clear")
    assert page.eval("nab.state.classes") == []
