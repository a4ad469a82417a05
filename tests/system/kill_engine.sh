#!/bin/sh
# A short version of tests/long/test_kill_engine.c: a search, and an ablation, survive kill -9 of their workers
# and coordinator.
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build/release}
make -s "$B/tests/long/test_kill_engine" >&2 || exit 1
NAB_KILLS=8 NAB_CANDIDATES=8 CMOCKA_MESSAGE_OUTPUT=TAP "$B/tests/long/test_kill_engine"
