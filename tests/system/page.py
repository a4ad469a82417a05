"""tests/system/page.py NAB DIR - runs test_*(page tests) of every page_*.py beside it in one browser; prints TAP.

A test is a function test_x(t): t.browser (browser.py), t.nab (the program), t.dir (holds the reports that
tests/unit/test_report.c keeps: plain/index.html, hostile, many (classes), doodles (models)), t.tmp(name) a path for files of its own. It fails by an
exception (assert); unittest.SkipTest("why") skips it. A test that leaves words in page.errors must check them itself: t.open(...) pages are checked here.
"""
import glob, importlib.util, os, sys, traceback, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from browser import Browser


class Tools:
    def __init__(self, browser, nab, folder):
        self.browser, self.nab, self.dir, self.pages = browser, nab, folder, []

    def tmp(self, name):
        return os.path.join(self.dir, name)

    def open(self, path, **how):
        page = self.browser.open(os.path.join(self.dir, path), **how)
        self.pages.append(page)
        return page


def tests():
    for path in sorted(glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "page_*.py"))):
        name = os.path.basename(path)[:-3]
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for k, f in list(vars(module).items()):
            if k.startswith("test_"):
                yield name[5:] + ": " + k[5:].replace("_", " "), f


def main():
    n, found = 0, list(tests())
    if not Browser.find():
        for n, (name, _) in enumerate(found, 1):
            print("ok %d - %s # SKIP chromium is not installed" % (n, name))
        return
    with Browser() as b:
        for n, (name, f) in enumerate(found, 1):
            t = Tools(b, sys.argv[1], sys.argv[2])
            try:
                f(t)
                for p in t.pages:
                    p.eval("0")
                    p.collect()
                    assert not p.errors, "the console said: " + "; ".join(p.errors)
                print("ok %d - %s" % (n, name), flush=True)
            except unittest.SkipTest as why:
                print("ok %d - %s # SKIP %s" % (n, name, why), flush=True)
            except Exception:
                for line in traceback.format_exc().splitlines():
                    print("# " + line)
                print("not ok %d - %s" % (n, name), flush=True)
    print("1..%d" % n)


main()
