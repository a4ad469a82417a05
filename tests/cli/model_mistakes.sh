# Models that cannot be accepted: every mistake with its place and what to do, all in one go; exit 3.
. "$root/tests/cli/lib.inc"
model unknown-key '{ "input": [1, 8, 8], "classes": 2, "layer": ["flatten"] }'
model unknown-option '{ "input": [1, 8, 8], "classes": 2, "layers": [{ "conv2d": { "filters": 3, "kernal": 3 } }] }'
model wrong-type '{ "input": [1, 8, 8], "classes": 2, "layers": [{ "conv2d": { "filters": "three", "kernel": 3 } }] }'
model several '{ "input": [1, 8, 8], "classes": 2, "color": 1, "layers": [
  { "conv2d": { "filters": 0, "kernel": 3.5 } }, "flaten", { "dense": { "units": true, "unit": 1 } }] }'
model no-input '{ "classes": 2, "layers": ["flatten"] }'
model no-layers '{ "input": [8], "classes": 2, "layers": [] }'
model kernel '{ "input": [1, 4, 4], "classes": 2, "layers": [{ "conv2d": { "filters": 3, "kernel": 5 } }, "flatten",
  { "dense": { "units": 2 } }] }'
model pool '{ "input": [1, 4, 4], "classes": 2, "layers": [{ "maxpool2d": { "size": 5 } }, "flatten", { "dense": { "units": 2 } }] }'
model overflow-input '{ "input": [60000, 60000, 60000], "classes": 2, "layers": ["flatten", { "dense": { "units": 2 } }] }'
model overflow-layer '{ "input": [1, 4096, 4096], "classes": 2, "layers": [{ "conv2d": { "filters": 65536, "kernel": 1 } },
  "globalavgpool", { "dense": { "units": 2 } }] }'
model overflow-dense '{ "input": [1, 30000, 30000], "classes": 2, "layers": ["flatten", { "dense": { "units": 99999999999 } }] }'
model cycle '{ "input": [8], "classes": 2, "layers": [{ "dense": { "units": 8 }, "id": "a", "from": "b" },
  { "dense": { "units": 8 }, "id": "b" }, { "dense": { "units": 2 } }] }'
model self '{ "input": [8], "classes": 2, "layers": [{ "dense": { "units": 2 }, "id": "a", "from": "a" }] }'
model port '{ "input": [8, 4], "classes": 2, "layers": [{ "lstm": { "units": 8 }, "id": "l" },
  { "dense": { "units": 2 }, "from": "l:sate" }] }'
model no-port '{ "input": [8], "classes": 2, "layers": [{ "dense": { "units": 8 }, "id": "d" },
  { "dense": { "units": 2 }, "from": "d:state" }] }'
model from '{ "input": [8], "classes": 2, "layers": [{ "dense": { "units": 8 }, "id": "first" },
  { "dense": { "units": 2 }, "from": "frist" }] }'
model layer '{ "input": [1, 8, 8], "classes": 2, "layers": ["flatten", { "dens": { "units": 2 } }] }'
model two-layers '{ "input": [8], "classes": 2, "layers": [{ "dense": { "units": 2 }, "relu": {} }] }'
model recursion '{ "input": [8], "classes": 2, "blocks": { "b": { "layers": ["relu", "b"] } }, "layers": ["b", { "dense": { "units": 2 } }] }'
model recursion-of-two '{ "input": [8], "classes": 2, "blocks": { "a": { "layers": ["b"] }, "b": { "layers": ["a"] } },
  "layers": ["a", { "dense": { "units": 2 } }] }'
model dense-on-image '{ "input": [1, 8, 8], "classes": 2, "layers": [{ "dense": { "units": 2 } }] }'
model classes '{ "input": [8], "classes": 3, "layers": [{ "dense": { "units": 2 } }] }'
model id-twice '{ "input": [8], "classes": 2, "layers": [{ "dense": { "units": 2 }, "id": "x" }, { "dense": { "units": 2 }, "id": "x" }] }'
model id '{ "input": [8], "classes": 2, "layers": [{ "dense": { "units": 2 }, "id": "x y" }] }'
model shapes '{ "input": [8], "classes": 2, "layers": [{ "dense": { "units": 4 }, "id": "a" }, { "dense": { "units": 6 } },
  { "add": {}, "from": ["prev", "a"] }, { "dense": { "units": 2 } }] }'
model parameter '{ "input": [8], "classes": 2, "blocks": { "b": { "with": { "n": 4 }, "layers": [{ "dense": { "units": "$m*2" } }] } },
  "layers": [{ "b": {} }, { "dense": { "units": 2 } }] }'
model division '{ "input": [8], "classes": 2, "blocks": { "b": { "with": { "n": 4 }, "layers": [{ "dense": { "units": "$n/0" } }] } },
  "layers": [{ "b": {} }, { "dense": { "units": 2 } }] }'
model argument '{ "input": [8], "classes": 2, "blocks": { "b": { "with": { "width": 4 }, "layers": [{ "dense": { "units": "$width" } }] } },
  "layers": [{ "b": { "widht": 3 } }, { "dense": { "units": 2 } }] }'
model use '{ "input": [8], "classes": 2, "use": "nothere.json", "layers": [{ "dense": { "units": 2 } }] }'
t validate "$root/configs/spaces/mlp.json"
t validate "$root/configs/demo.json"
t validate from.json nothing.json "$root/configs/models/mlp.json" --no-lint --no-draw
