#!/bin/sh
# The main job on the embedded data set, called by `make demo`: searches, lists, reports. Everything it makes is in
# demo/; run again, it goes on from what is stored there.
cd "$(dirname "$0")/.." || exit 1
root=$PWD
mkdir -p demo && cd demo || exit 1

say() { printf '\n%s\n' "$*"; }

say "Ten small networks drawn from configs/spaces/blocks-100k.json, and two baselines, each trained for five epochs:"
"$root/nab" search ../configs/demo.json || exit
say "All of them, best first:"
"$root/nab" ls --store demo.db | cut -c 1-"${COLUMNS:-150}"
say "The report, and the best model as PyTorch code:"
"$root/nab" report --store demo.db --output report --quiet || exit
"$root/nab" export best --store demo.db --to pytorch --output best --quiet || exit
say "Open the report in a browser: $root/demo/report/index.html"
