#!/bin/sh
# replay.sh PROGRAM FOLDER: the fuzz target over its committed corpus.
exec "$1" "$2"/*
