"""The table of models: sorting over all rows, pages, rows that only the script makes, pins."""


def rows(page):
    return page.eval("nab.all('#board tbody tr').map(tr => +tr.dataset.row)")


def test_rows_beyond_the_detailed_ones_are_made_when_looked_at(t):
    page = t.open("doodles/index.html")
    ranked = page.eval("nab.data.ranked")
    detailed = page.eval("nab.rows.detailed.filter(Boolean).length")
    assert ranked > 250 and detailed < 100, (ranked, detailed)
    assert rows(page) == list(range(100))
    assert page.eval("nab.all('#board tbody tr').every(tr => tr.querySelector('.a svg').childElementCount > 1)")
    page.click("#board-pages button[aria-label='next page']")
    assert rows(page) == list(range(100, 200))
    page.click("#board-pages button[aria-label='last page']")
    assert rows(page)[-1] == ranked - 1
    for row in (rows(page)[0], rows(page)[-1]):
        cells = page.eval("nab.all('#board tr[data-row=\"%d\"] td').map(td => td.textContent)" % row)
        assert any("%.2f" % (100 * page.eval("nab.rows.accuracy[%d]" % row)) in c for c in cells), cells
        assert any(c == "{:,}".format(page.eval("nab.rows.params[%d]" % row)) for c in cells), cells
        assert len(cells) == page.count("#board thead th")


def test_sorting_is_over_all_rows(t):
    page = t.open("doodles/index.html")
    params = page.eval("nab.rows.params.slice(0, nab.data.ranked)")
    page.click("#board th[data-sort=params]")
    assert [params[r] for r in rows(page)] == sorted(params)[:100]
    page.click("#board th[data-sort=params]")
    assert [params[r] for r in rows(page)] == sorted(params, reverse=True)[:100]
    assert page.eval("document.querySelector('th[data-sort=params]').getAttribute('aria-sort')") == "descending"
    page.eval("var s = document.getElementById('sort'); s.value = 'per_params'; s.dispatchEvent(new Event('change')); 0")
    best = page.eval("nab.rows.accuracy.slice(0, nab.data.ranked)"
                     ".map((a, i) => a / Math.log10(nab.rows.params[i])).sort((a, b) => b - a).slice(0, 100)")
    shown = page.eval("nab.all('#board td.by').map(td => td.textContent)")
    assert shown == ["%.4f" % b for b in best]
    page.eval("document.querySelector('th[data-sort=rank]').focus()")
    page.key("Enter")
    assert rows(page) == list(range(100)) and page.count("#board td.by") == 0


def test_forward_time_sorts_those_without_one_last(t):
    page = t.open("plain/index.html")
    page.eval("var s = document.getElementById('sort'); s.value = 'forward'; s.dispatchEvent(new Event('change')); 0")
    times = [page.eval("nab.rows.forward[%d]" % r) for r in rows(page)]
    known = [v for v in times if v is not None]
    assert len(known) > 3 and len(known) < len(times)
    assert times == sorted(known) + [None] * (len(times) - len(known))


def test_stars_pin_and_survive(t):
    page = t.open("plain/index.html")
    page.click("#board .pin", 3)
    page.click("#board .pin", 1)
    pinned = page.eval("nab.state.pinned")
    assert len(pinned) == 2
    page.reload()
    assert page.eval("nab.state.pinned") == pinned
    assert page.count("#board .pin[aria-pressed=true]") == 2
    page.eval("nab.all('#board-bar button').find(b => b.textContent === 'pinned only').click()")
    assert sorted(rows(page)) == sorted(pinned)
    page.click("#board .pin", 0)
    page.click("#board .pin", 0)
    assert page.eval("nab.state.pinned") == []
