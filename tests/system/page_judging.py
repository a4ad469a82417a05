"""Choosing classes re-ranks every model, as calculated from the data; it survives a reload."""


def test_a_class_re_ranks_the_models(t):
    page = t.open("plain/index.html")
    before = page.eval("nab.all('#board tbody tr').map(tr => +tr.dataset.row)")
    page.click("#classes button", 2)
    after = page.eval("nab.all('#board tbody tr').map(tr => +tr.dataset.row)")
    right = page.eval("nab.rows.right.map(r => r && r[2])")
    ranked = sorted(before, key=lambda row: (-right[row], row))
    assert after == ranked, (before, after, ranked)
    share = right[after[0]] / page.eval("nab.data.class_n[2] * nab.rows.seeds[%d]" % after[0])
    assert page.text("#board tbody tr .acc") == "%.2f" % (100 * share)
    page.reload()
    assert page.eval("nab.state.classes") == [2]
    page.click("#classes button", 2)
    assert page.eval("nab.state.classes") == []
    assert page.text("#board tbody tr .acc") == "%.2f" % (100 * page.eval("nab.rows.accuracy[0]"))


def test_hostile_names_are_text(t):
    page = t.open("hostile/index.html")
    assert page.count("script") == 2 and page.count("img, iframe, object") == 0
    assert page.eval("nab.all('*').every(e => !e.onclick && !e.onerror)")
    labels = page.eval("nab.rows.label")
    assert any("<" in label for label in labels)
    page.click("#classes button", 0)
    assert page.eval("document.title").startswith("<script>")
