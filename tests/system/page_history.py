"""Queue and history: every run with its state and reason, differences to the parent; ablations and variations."""
import os, sqlite3, time


def minus(text):
    return float(text.split()[-1].replace("\u2212", "-").replace("+", "").replace(",", ""))


def test_every_run_is_there_with_its_state(t):
    page = t.open("plain/index.html")
    runs = page.eval("nab.data.history.runs.length")
    assert page.count(".history tbody tr") == min(50, runs) and runs == page.eval("nab.data.n")
    page.eval("document.querySelector('[data-group=\"without a result\"]').click()")
    failed = page.eval("nab.rows.state.filter(s => s !== 'done').length")
    assert failed > 1 and page.count(".history tbody tr") == failed
    reasons = page.eval("nab.all('.history tbody tr td:last-child').map(td => td.textContent)")
    assert any("the loss was not finite" in r for r in reasons), reasons
    page.eval("document.querySelector('[data-group=all]').click()")
    page.eval("nab.set({ filter: 'lenet5' })")
    assert page.count(".history tbody tr") == 1
    page.eval("nab.set({ filter: '' })")


def test_differences_are_to_the_parent(t):
    page = t.open("plain/index.html")
    row = page.eval("nab.rows.parent.findIndex((p, i) => p !== null && nab.rows.accuracy[i] !== null && "
                    "nab.rows.accuracy[p] !== null && nab.rows.params[i] !== nab.rows.params[p])")
    assert row >= 0
    gap = page.eval("nab.rows.accuracy[%d] - nab.rows.accuracy[nab.rows.parent[%d]]" % (row, row))
    more = page.eval("nab.rows.params[%d] - nab.rows.params[nab.rows.parent[%d]]" % (row, row))
    cells = page.eval("nab.all('.history tr[data-run=\"%d\"] .delta').map(d => [d.textContent, d.className])" % row)
    assert minus(cells[0][0]) == more and ("good" in cells[0][1]) == (more < 0), (cells, more)
    if len(cells) > 1:
        assert abs(minus(cells[1][0]) - 100 * gap) < 0.006 and ("good" in cells[1][1]) == (gap > 0), (cells, gap)
    assert page.count(".history svg[aria-label^=validation] path") > 5


def test_ablations_stand_against_the_parent(t):
    page = t.open("trials/index.html")
    assert page.count("#trials table.trial") == 2
    first = page.eval("nab.all('#trials table.trial').map(table => table.tBodies[0].rows[0].textContent)")
    assert all(text.startswith("parent") and "the parent" in text for text in first), first
    wrong = page.eval("""nab.all('#trials table.trial').map(function (table) {
        var lines = nab.all('tbody tr', table), own = parseFloat(lines[0].cells[1].textContent);
        return lines.slice(1).filter(function (tr) {
            var text = tr.cells[2].textContent.replace('\u2212', '-').replace(/[^-.0-9]/g, '');
            return Math.abs(parseFloat(tr.cells[1].textContent) - own - parseFloat(text)) > 0.011;
        }).length;
    })""")
    assert wrong == [0, 0], wrong
    assert page.count("#trials ul.advice li") > 0
    assert page.count("#literature tbody tr") == 15 and page.eval("nab.rows.label.indexOf('Wistuba 2018')") == -1


def test_runs_began_when_the_store_says(t):
    db = sqlite3.connect(os.path.join(t.dir, "plain.db"))
    want = sorted(time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(round(s)))
                  for s, in db.execute("SELECT min(started) FROM attempts GROUP BY run"))
    db.close()
    page = t.open("plain/index.html")
    text = page.eval("nab.all('.history tbody tr').map(tr => tr.textContent).join(' ')")
    assert want and all(w in text for w in want), (want, text)
