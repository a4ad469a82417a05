# Every command explains itself, in lines that fit a terminal of 120 columns, and with status 0.
"$nab" --help >all || echo "status $?"
awk 'length > 120 { print "too long: " $0 }' all
for c in $(sed -n 's/^COMMAND(\(.*\))$/\1/p' "$root/cli/commands.def"); do
	"$nab" "$c" --help >out 2>err || echo "$c: status $?"
	[ -s err ] && echo "$c: writes to stderr"
	head -n 1 out | grep -q "^nab $c" || echo "$c: does not begin with its name"
	grep -q '^flags of every command:' out || echo "$c: no flags"
	awk -v c="$c" 'length > 160 { print c ": too long: " $0 }' out
	grep -q "^  $c " all || [ "$c" = worker ] || echo "$c is not listed"
done
echo done
