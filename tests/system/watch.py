"""Runs `nab watch` and `nab report --watch` beside a search that is under way, on a terminal and without one, and after it. Waits for what is
shown, never for a time. Prints TAP."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import termios
import time

ROOT = os.getcwd()
NAB = ROOT + "/nab"
PATIENCE = 120  # seconds, for a machine that is very slow
COUNT = 0


def result(good, name):
    global COUNT
    COUNT += 1
    print("%s %d - %s" % ("ok" if good else "not ok", COUNT, name), flush=True)


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, args, rows, columns):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8")
            os.environ.pop("NO_COLOR", None)
            os.execv(NAB, [NAB] + args)
        self.text = ""
        self.resize(rows, columns)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.text += data.decode("utf-8", "replace")
        return bool(data)

    def until(self, pattern, start=0):
        """Reads until the pattern is there; its end, or -1."""
        end = time.time() + PATIENCE
        while time.time() < end:
            found = re.compile(pattern, re.S).search(self.text, start)
            if found:
                return found.end()
            if not self.read(0.2):
                break
        return -1

    def finish(self):
        end = time.time() + PATIENCE
        while time.time() < end and self.read(0.2):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def study(path, candidates):
    with open(path, "w") as file:
        file.write(
            '{ "study": "watched", "dataset": { "format": "glyphs", "options": { "n_train": 400, "n_test": 50 } },'
            '  "space": "%s/configs/spaces/mlp.json", "search": { "candidates": %d, "seed": "5" },'
            '  "train": { "epochs": 30, "batch": 50 }, "devices": ["cpu:0"], "store": "watched.db" }'
            % (ROOT, candidates)
        )


def widths(text):
    plain = re.sub("\033\\[[0-9;?]*[a-zA-Z]", "", text)
    return [len(line.rstrip("\r")) for line in plain.split("\n")]


def on_a_terminal():
    screen = Terminal(["watch", "--interval", "0.1"], 40, 120)
    first = screen.until(r"watched .* of 5000 runs.*running.*cpu:0.*epoch +\d+/30.*best so far")
    result(first >= 0, "the terminal shows the study, a device, its epoch, the best so far")
    result(screen.text.startswith("\033[?1049h\033[?25l"), "a screen of its own, without a cursor")
    mark = len(screen.text)
    screen.resize(12, 50)
    # frames that were begun after the change; the first may still have the old size
    after = screen.until(r"\033\[J.*\033\[H.*\033\[J.*\033\[H.*\033\[J", mark)
    frames = screen.text[mark:after].split("\033[H")
    result(after >= 0 and max(widths(frames[-1])) <= 50 and frames[-1].count("\n") < 12, "it follows the size of the terminal")
    os.kill(screen.pid, signal.SIGINT)
    code = screen.finish()
    result(code == 130, "SIGINT ends it with 130")
    tail = screen.text.rfind("\033[?25h\033[?1049l")
    result(tail >= 0 and "watched" in screen.text[tail:], "the terminal is restored, the last state stays visible")


def whole(path):
    with open(path) as file:
        return file.read().rstrip().endswith("</html>")


def reports():
    """One that is interrupted; one that goes on, which is returned."""
    command = [NAB, "report", "--watch", "--interval", "0.1", "--no-figures", "--top", "3", "--output"]
    first = subprocess.Popen(command + ["one"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = [first.stderr.readline() for _ in range(2)]
    good = all(re.match(r"one/index.html: \d+ models", line) for line in lines)
    for _ in range(20):
        good = good and whole("one/index.html")
    first.send_signal(signal.SIGINT)
    result(good, "a report is written again while the search runs, and is whole at any time")
    first.communicate()
    result(first.returncode == 130 and whole("one/index.html"), "SIGINT ends it with 130; the page stays")
    second = subprocess.Popen(command + ["two"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    second.stderr.readline()
    return second


def many_runs(n):
    """A store that says so many runs are under way."""
    with sqlite3.connect("watched.db") as store:
        store.execute(
            "WITH RECURSIVE k(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM k WHERE i < ?)"
            " INSERT INTO runs(candidate, replicate, seed, state, identity)"
            " SELECT (SELECT min(id) FROM candidates), i, i, 'running', '' FROM k",
            (99 + n,),
        )
    store.close()
    shown = subprocess.run([NAB, "watch", "--once", "--json"], capture_output=True, text=True)
    running = json.loads(shown.stdout)["running"] if shown.returncode == 0 else []
    result(len(running) == n, "%d runs under way are as many" % n)


def main():
    os.chdir(tempfile.mkdtemp(prefix="nab-watch-"))
    study("study.json", 5000)
    quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    search = subprocess.Popen([NAB, "search", "study.json", "--quiet"], **quiet)
    end = time.time() + PATIENCE
    while time.time() < end and subprocess.run([NAB, "watch", "--once"], capture_output=True).returncode:
        time.sleep(0.1)
    on_a_terminal()
    plain = subprocess.Popen([NAB, "watch", "--interval", "0.1"], stdout=subprocess.PIPE, text=True)
    line = plain.stdout.readline()
    result("watched: open" in line and "of 5000 runs" in line and "\033" not in line, "without a terminal: plain lines")
    while line.startswith("watched: open"):
        line = plain.stdout.readline()
    result(re.match(r"done +watched-\d+ +score [01]\.\d+", line), "a line a run that has ended")
    report = reports()
    search.send_signal(signal.SIGINT)
    search.wait(PATIENCE)
    rest = plain.stdout.read()
    result(plain.wait() == 0 and "no coordinator is at work" in rest.splitlines()[-1], "it ends when the coordinator does")
    report.communicate()
    left = [name for _, _, names in os.walk("two") for name in names if name.endswith(".tmp")]
    result(report.returncode == 0 and whole("two/index.html") and not left, "so does the report")
    os.remove("watched.db")
    study("study.json", 2)
    subprocess.run([NAB, "search", "study.json", "--quiet"], **quiet)
    done = subprocess.run([NAB, "watch"], capture_output=True, text=True)
    result(done.returncode == 0 and "watched: finished, 2 of 2 runs" in done.stdout, "a finished study: said, and over")
    after = Terminal(["watch"], 30, 100)
    result(after.finish() == 0 and "2 of 2 runs, finished" in after.text, "the same on a terminal")
    many_runs(9000)
    print("1..%d" % COUNT)


main()
