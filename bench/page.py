"""bench/page.py PAGE - how long a report takes to open in headless Chromium, and to answer; the best of five openings."""
import os, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "system"))
from browser import Browser

if not Browser.find():
    sys.exit("chromium is not installed")
with Browser() as b:
    opened = []
    for _ in range(5):
        page = b.open(sys.argv[1])
        page.collect()
        opened.append(page.eval("performance.getEntriesByType('navigation')[0].loadEventEnd"))
    answers = {}
    for name, action in (("a class is chosen", "nab.set({ classes: [2] })"), ("all classes again", "nab.set({ classes: [] })"),
                         ("a regular expression", "nab.set({ filter: '1$' })")):
        start = time.time()
        page.eval("(%s, new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))))" % action)
        answers[name] = time.time() - start
    print("opened and at rest  %.2f s (%s)" % (min(opened) / 1e3, ", ".join("%.2f" % (t / 1e3) for t in opened)))
    for name, t in answers.items():
        print("%-20s%.2f s until it is drawn" % (name, t))
    print("console             %s" % ("; ".join(page.errors) or "not a word"))
