#!/bin/sh
# The report in a real browser, from file://: no error on its console, nothing of a hostile store runs, the script has
# done its work. And what others think of our SVG and HTML. Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build/release}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
n=0
check() { # check NAME COMMAND...
	n=$((n + 1))
	name=$1
	shift
	if "$@" >"$dir/out" 2>&1; then echo "ok $n - $name"; else
		echo "not ok $n - $name"
		sed 's/^/# /' "$dir/out" | tail -n 20
	fi
}
skip() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

check "reports are made" env NAB_REPORT_KEEP="$dir" CMOCKA_MESSAGE_OUTPUT=STDOUT "$B/tests/unit/test_report"

well_formed() {
	/usr/bin/env python3 - "$dir" <<'PY'
import glob, sys, xml.dom.minidom
files = glob.glob(sys.argv[1] + "/*/snac/*.svg") + glob.glob(sys.argv[1] + "/*/figures/*.svg")
for f in files:
    xml.dom.minidom.parse(f)
sys.exit(0 if len(files) > 20 else "only %d files" % len(files))
PY
}
if command -v python3 >/dev/null; then check "python reads every SVG" well_formed; else skip "python reads every SVG" "python3 is not installed"; fi

drawn() { # an SVG as a picture that is not empty
	rsvg-convert "$dir"/plain/snac/lenet5-*.svg -o "$dir/a.png" && [ "$(wc -c <"$dir/a.png")" -gt 2000 ]
}
if command -v rsvg-convert >/dev/null; then check "rsvg draws a chart" drawn; else skip "rsvg draws a chart" "rsvg-convert is not installed"; fi

browser=
for b in chromium chromium-browser google-chrome; do command -v $b >/dev/null && browser=$b && break; done

browse() { # browse PAGE: its DOM after the script, in $dir/dom; what the console said, in $dir/log
	timeout 120 "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$dir/profile" \
		--enable-logging=stderr --v=0 --virtual-time-budget=4000 --window-size=1300,900 \
		--dump-dom "file://$1" >"$dir/dom" 2>"$dir/log"
}
quiet() {
	browse "$1" || return 1
	grep CONSOLE "$dir/log" && return 1
	grep -q 'class="js"' "$dir/dom" || { echo "the script did not run"; return 1; }
	grep -q 'data-cell="' "$dir/dom" || { echo "no confusion matrix was drawn"; return 1; }
	grep -q 'aria-sort="ascending"' "$dir/dom" || { echo "the table was not sorted"; return 1; }
	[ "$(grep -c '<script' "$dir/dom")" -eq 2 ] || { echo "foreign scripts"; grep -n '<script' "$dir/dom"; return 1; }
	! grep -E '<img|onerror="|onclick="|onmouseover="' "$dir/dom"
}
# The same page with a script of somebody else in it: the policy must stop it, or the check above proves nothing.
policy_works() {
	sed 's|<main id="main">|<main><script>document.title="foreign"</script><p style="color:red">x</p>|' "$dir/plain/index.html" >"$dir/foreign.html"
	browse "$dir/foreign.html" || return 1
	[ "$(grep -c 'CONSOLE.*Content Security Policy' "$dir/log")" -ge 2 ] || { cat "$dir/log"; return 1; }
	! grep -q '<title>foreign' "$dir/dom"
}
if [ -n "$browser" ]; then
	check "a report opens without a word on the console" quiet "$dir/plain/index.html"
	check "hostile names stay text" quiet "$dir/hostile/index.html"
	check "the policy stops foreign scripts and styles" policy_works
else
	skip "reports in a browser" "chromium is not installed"
fi
[ ! -e nab-was-here ] || check "nothing ran commands" false
echo "1..$n"
