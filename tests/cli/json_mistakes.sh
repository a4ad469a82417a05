# Files that are not JSON, or JSON that no reader may accept: line and column, exit 3.
. "$root/tests/cli/lib.inc"
t validate missing.json
t validate .
model text 'hello'
model empty ''
model unclosed-comment '{ /* a comment
  "input": [1, 2, 3] }'
model unclosed-object '{ "input": [1, 2, 3],
  "classes": 10'
model trailing '{ "input": [8], "classes": 2, "layers": ["relu"] } and more'
model comma '{ "input": [8], "classes": 2,, "layers": ["relu"] }'
model twice '{ "input": [8], "classes": 2, "layers": [{ "dense": { "units": 2, "bias": true, "units": 3 } }] }'
model huge '{ "input": [8], "classes": 1e999, "layers": ["relu"] }'
model inexact '{ "input": [8], "classes": 9007199254740993000, "layers": ["relu"] }'
printf '{ "name": "a\0b" }' >nul.json
t validate nul.json
printf '{ "name":\n  "\377" }' >latin.json
t validate latin.json
printf '\377\376{' >utf16.json
t validate utf16.json
head -c 200000 /dev/zero | tr '\0' '[' >deep.json
t validate deep.json
model list '[1, 2]'
