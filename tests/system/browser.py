"""tests/system/browser.py - drives a headless Chromium over its debugging pipe; needs nothing but Python and Chromium.

    with Browser() as b:
        page = b.open("report/index.html", width=1300, height=900, dark=False)
        page.eval("nab.data.n")             # the value of an expression (awaits promises), as JSON allows
        page.click("#classes button")       # a real click in the middle of the first element that fits
        page.key("Enter"); page.type("text"); page.wait("document.title === 'x'")
        page.screenshot("a.png", full=True)
        page.errors                         # what the console said at levels error and warning, and exceptions
        page.reload()

Several pages of one Browser share localStorage. Browser.find() is None where there is no Chromium.
"""
import base64, json, os, shutil, subprocess, tempfile, time


class Browser:
    NAMES = ("chromium", "chromium-browser", "google-chrome")

    @staticmethod
    def find():
        return next((shutil.which(n) for n in Browser.NAMES if shutil.which(n)), None)

    def __enter__(self):
        self.profile = tempfile.mkdtemp(prefix="nab-browser-")
        to_read, self.to = os.pipe()
        self.back, back_write = os.pipe()
        os.set_inheritable(to_read, True)
        os.set_inheritable(back_write, True)

        def descriptors():  # Chromium reads commands from 3 and writes answers to 4
            a, b = os.dup(to_read), os.dup(back_write)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(
            [self.find(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
             "--allow-file-access-from-files", "--force-device-scale-factor=1", "--remote-debugging-pipe",
             "--user-data-dir=" + self.profile, "about:blank"],
            close_fds=False, preexec_fn=descriptors, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(back_write)
        self.buffer, self.id, self.events = b"", 0, []
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.to)
        os.close(self.back)
        shutil.rmtree(self.profile, ignore_errors=True)

    def message(self):
        while b"\0" not in self.buffer:
            part = os.read(self.back, 1 << 20)
            if not part:
                raise RuntimeError("the browser has ended")
            self.buffer += part
        one, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(one)

    def send(self, method, params=None, session=None):
        self.id += 1
        command = {"id": self.id, "method": method, "params": params or {}}
        if session:
            command["sessionId"] = session
        data = json.dumps(command).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        while True:
            m = self.message()
            if m.get("id") == self.id:
                if "error" in m:
                    raise RuntimeError("%s: %s" % (method, m["error"]["message"]))
                return m["result"]
            self.events.append(m)

    def open(self, path, **how):
        return Page(self, path, **how)


class Page:
    def __init__(self, browser, path, width=1300, height=900, dark=False, scheme_reduced=True):
        self.browser, self.errors = browser, []
        target = browser.send("Target.createTarget", {"url": "about:blank"})["targetId"]
        self.session = browser.send("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(domain + ".enable")
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        if scheme_reduced:  # smooth scrolling would move what is to be clicked
            features.append({"name": "prefers-reduced-motion", "value": "reduce"})
        self.send("Emulation.setEmulatedMedia", {"features": features})
        self.send("Emulation.setDeviceMetricsOverride",
                  {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
        self.go(path)

    def send(self, method, params=None):
        return self.browser.send(method, params, self.session)

    def go(self, path):
        self.path = path
        self.send("Page.navigate", {"url": path if "://" in path else "file://" + os.path.abspath(path)})
        self.settle()

    def reload(self):
        self.eval("window.before = true")  # the old page stays for a while
        self.send("Page.reload")
        self.wait("window.before === undefined")
        self.settle()

    def settle(self):
        start = time.time()
        while self.eval("location.href === 'about:blank' || document.readyState !== 'complete'"):
            if time.time() - start > 60:
                raise RuntimeError("the page does not load")
            time.sleep(0.02)
        self.collect()

    def collect(self):
        for m in self.browser.events:
            if m.get("sessionId") != self.session:
                continue
            p = m["params"]
            if m["method"] == "Runtime.exceptionThrown":
                d = p["exceptionDetails"]
                self.errors.append(d.get("exception", {}).get("description") or d["text"])
            elif m["method"] == "Runtime.consoleAPICalled" and p["type"] in ("error", "warning", "assert"):
                self.errors.append(" ".join(str(a.get("value", a.get("description"))) for a in p["args"]))
            elif m["method"] == "Log.entryAdded" and p["entry"]["level"] in ("error", "warning"):
                self.errors.append(p["entry"]["text"])
            elif m["method"] == "Network.requestWillBeSent":
                url = p["request"]["url"]
                if not url.startswith(("file:", "data:", "blob:", "about:")):
                    self.errors.append("the page asks the network for " + url)
        self.browser.events = [m for m in self.browser.events if m.get("sessionId") != self.session]

    def eval(self, expression):
        r = self.send("Runtime.evaluate", {"expression": expression, "returnByValue": True, "awaitPromise": True})
        if "exceptionDetails" in r:
            d = r["exceptionDetails"]
            raise RuntimeError(d.get("exception", {}).get("description") or d["text"])
        return r["result"].get("value")

    def wait(self, expression, seconds=30):
        start = time.time()
        while not self.eval(expression):
            if time.time() - start > seconds:
                raise RuntimeError("waited in vain for " + expression)
            time.sleep(0.02)

    def centre(self, selector, index=0):
        # what is painted in the next frame, or a scroll position that comes back after a reload, moves things: look twice
        at = self.eval("""(async function () {
            var last = null, e, r;
            for (var k = 0; k < 20; k++) {
                e = document.querySelectorAll(%s)[%d];
                if (!e) return null;
                e.scrollIntoView({ block: "center", inline: "nearest", behavior: "instant" });
                r = e.getBoundingClientRect();
                if (last && last[0] === r.left && last[1] === r.top) break;
                last = [r.left, r.top];
                await new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)));
            }
            return [r.left + r.width / 2, r.top + r.height / 2];
        })()""" % (json.dumps(selector), index))
        if at is None:
            raise RuntimeError("there is no " + selector)
        return at

    def where(self, selector, index=0):
        return self.eval("(function () { var r = document.querySelectorAll(%s)[%d].getBoundingClientRect(); "
                         "return [r.left + r.width / 2, r.top + r.height / 2]; })()" % (json.dumps(selector), index))

    def mouse(self, kind, at, **more):
        self.send("Input.dispatchMouseEvent", dict({"type": kind, "x": at[0], "y": at[1], "button": "none"}, **more))

    def hover(self, selector, index=0):
        self.mouse("mouseMoved", self.centre(selector, index))

    def click(self, selector, index=0):
        at = self.centre(selector, index)
        self.mouse("mouseMoved", at)
        self.mouse("mousePressed", at, button="left", clickCount=1)
        self.mouse("mouseReleased", at, button="left", clickCount=1)

    def drag(self, selector, to, index=0, to_index=0):
        self.centre(selector, index)
        b, a = self.centre(to, to_index), self.where(selector, index)
        if not 0 < a[1] < self.eval("innerHeight"):  # too far from each other to be seen at once
            a, b = self.centre(selector, index), self.where(to, to_index)
        self.mouse("mouseMoved", a)
        self.mouse("mousePressed", a, button="left", clickCount=1)
        for k in range(1, 9):
            self.mouse("mouseMoved", [a[0] + (b[0] - a[0]) * k / 8, a[1] + (b[1] - a[1]) * k / 8], buttons=1)
        self.mouse("mouseReleased", b, button="left", clickCount=1)

    def key(self, name, alt=False, ctrl=False):
        codes = {"Enter": (13, "\r"), "Tab": (9, ""), "Escape": (27, ""), " ": (32, " "), "ArrowDown": (40, ""),
                 "ArrowUp": (38, ""), "ArrowLeft": (37, ""), "ArrowRight": (39, ""), "Delete": (46, "")}
        code, text = codes[name] if name in codes else (ord(name.upper()), "" if ctrl else name)
        what = {"key": name, "code": "Space" if name == " " else name, "windowsVirtualKeyCode": code,
                "modifiers": (1 if alt else 0) + (2 if ctrl else 0)}
        self.send("Input.dispatchKeyEvent", dict(what, type="keyDown", **({"text": text} if text else {})))
        self.send("Input.dispatchKeyEvent", dict(what, type="keyUp"))

    def type(self, text):
        self.send("Input.insertText", {"text": text})

    def text(self, selector):
        return self.eval("(document.querySelector(%s) || {}).textContent" % json.dumps(selector))

    def count(self, selector):
        return self.eval("document.querySelectorAll(%s).length" % json.dumps(selector))

    def screenshot(self, path, full=False, selector=None):
        how = {"format": "png", "captureBeyondViewport": full}
        if selector:
            r = self.eval("(function () { var r = document.querySelector(%s).getBoundingClientRect(); return "
                          "[r.left + scrollX, r.top + scrollY, r.width, r.height]; })()" % json.dumps(selector))
            how.update(captureBeyondViewport=True, clip=dict(zip(("x", "y", "width", "height"), r), scale=1))
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.send("Page.captureScreenshot", how)["data"]))
        self.collect()
