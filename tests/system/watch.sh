#!/bin/sh
# `nab watch` and `nab report --watch` beside a running search and after it: on a terminal (made with Python's pty) and without one.
cd "$(dirname "$0")/../.." || exit 1
exec /usr/bin/env python3 tests/system/watch.py
