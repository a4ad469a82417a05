"""Pinned models: they survive a reload, sort, move and are compared with what the store says."""
import os, sqlite3, struct


def cards(page):
    return page.eval("nab.all('#drawer .strip li').map(li => +li.dataset.row)")


def test_two_pins_survive_a_reload(t):
    page = t.open("plain/index.html")
    page.eval("nab.set({ pinned: [], classes: [], slice: null })")
    assert page.count("#drawer .strip li") == 0 and "Nothing is pinned" in page.text("#drawer")
    page.eval("nab.pin(4)")
    page.eval("nab.pin(1)")
    assert cards(page) == [4, 1]
    page.reload()
    assert page.eval("nab.state.pinned") == [4, 1] and cards(page) == [4, 1]
    page.click("#drawer .strip li [data-tool=unpin]", 0)
    assert cards(page) == [1]
    page.eval("nab.set({ pinned: [] })")
    page.reload()
    assert cards(page) == []


def test_cards_sort_and_move(t):
    page = t.open("plain/index.html")
    page.eval("nab.set({ pinned: [7, 2, 11, 0], classes: [] })")

    def sort(key):
        page.eval("(function () { var s = document.querySelector('#drawer-sort'); s.value = '%s'; s.dispatchEvent(new Event('change')); })()" % key)
        return cards(page)

    params = page.eval("nab.rows.params")
    assert sort("params") == sorted([7, 2, 11, 0], key=lambda r: params[r])
    page.eval("nab.set({ classes: [3] })")
    right = page.eval("nab.rows.right.map(r => r && r[3])")
    assert sort("accuracy") == sorted(cards(page), key=lambda r: (-right[r], r))
    page.eval("nab.set({ classes: [], pinned: [7, 2, 11] })")
    page.click("#drawer .strip li [data-tool='move right']", 0)
    assert cards(page) == [2, 7, 11]
    page.key("Enter")  # the focus stays on the card that moved
    assert cards(page) == [2, 11, 7]
    page.drag("#drawer .grip", "#drawer .strip li", 0, 2)
    assert cards(page) == [11, 7, 2] == page.eval("nab.state.pinned")
    page.eval("nab.set({ pinned: [] })")


def test_numbers_and_classes_are_those_of_the_store(t):
    page = t.open("plain/index.html")
    page.eval("nab.set({ pinned: [5, 3], classes: [] })")
    labels = page.eval("nab.rows.label")
    db = sqlite3.connect(os.path.join(t.dir, "plain.db"))
    row = "SELECT r.id, m.params, q.val_accuracy, e.classes, e.confusion FROM candidates c JOIN models m ON m.id = c.model " \
          "JOIN runs r ON r.candidate = c.id JOIN results q ON q.run = r.id JOIN evaluations e ON e.run = r.id " \
          "AND e.split = 'validation' WHERE c.label = ?"
    a, b = (db.execute(row, (labels[k],)).fetchone() for k in (5, 3))
    db.close()
    cells = {tr[0]: tr[1:] for tr in page.eval("nab.all('#drawer .versus tbody tr').map(tr => Array.from(tr.cells).map(c => c.textContent))")}
    assert cells["accuracy"][0].startswith("%.2f %%" % (100 * a[2])) and cells["accuracy"][1].startswith("%.2f %%" % (100 * b[2]))
    difference = 100 * (b[2] - a[2])
    assert ("+" if difference >= 0 else "\u2212") + "%.2f" % abs(difference) in cells["accuracy"][1]
    assert cells["parameters"][0] == f"{a[1]:,}" and cells["parameters"][1].startswith(f"{b[1]:,}")
    for k, (_, _, _, n, blob) in enumerate((a, b)):
        m = struct.unpack("<%dq" % (n * n), blob)
        want = ["%.2f" % (100 * m[c * n + c] / sum(m[c * n:c * n + n])) for c in range(n)]
        assert page.eval("nab.all('#drawer .by-class .one').map(o => o.querySelectorAll('.v')[%d].textContent)" % k) == want
    assert page.eval("nab.drawer.commands()")[:2] == ["nab compare %d %d --store %s" % (a[0], b[0], os.path.join(t.dir, "plain.db")),
                                                      "nab diff %d %d --store %s" % (a[0], b[0], os.path.join(t.dir, "plain.db"))]
    assert page.count("#drawer .stack svg") == 2 and page.count("#drawer .versus-curves path") == 2
    page.eval("nab.set({ pinned: [] })")


def test_hostile_models_are_compared_as_text(t):
    page = t.open("hostile/index.html", width=800, dark=True)
    page.eval("nab.set({ pinned: [0, 1, 2] })")
    labels = page.eval("nab.rows.label")
    assert page.eval("nab.all('#drawer .strip .link').map(b => b.textContent)") == labels[:3]
    assert page.eval("nab.all('#drawer .by-class .l').map(b => b.textContent)") == page.eval("nab.data.classes.map(c => c || '(empty)')")
    assert page.count("#drawer img, #drawer script, #drawer iframe") == 0
    page.eval("nab.set({ pinned: [] })")
