# The embedded data set: what it is, a contact sheet, written in every format and read back.
. "$root/tests/cli/lib.inc"
t data info
t data info --json
t data show --per-class 4 --zoom 1 --output sheet.png
od -A n -t x1 -N 8 sheet.png
set -- --set options.n_train=200 --set options.n_test=50
for format in idx npy png; do
	t data make glyphs "$@" --format $format --output $format
done
find idx npy png/test/A -type f | sort
t data info glyphs "$@"
t data info idx:idx
t data info npy:npy
t data info png:png
printf '// a comment\n{ "format": "idx", "dir": "idx", "classes": ["B", "A"], "limit": 20 }' >spec.json
t data info spec.json
t data info spec.json --set limit=30 --set classes='["8"]'
