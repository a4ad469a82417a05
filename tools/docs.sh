#!/bin/sh
# Writes what the binary says of itself into the manual: docs/commands.md as a whole, and in docs/configuration.md and
# docs/filters.md everything between "<!-- nab ARGUMENTS -->" and "<!-- end -->".   tools/docs.sh [FOLDER], by default docs
cd "$(dirname "$0")/.." || exit 1
out=${1:-docs}
nab=./nab

commands() {
	cat <<'T'
# Commands

What `nab COMMAND --help` prints; the file is written by `make docs`. Conventions of all commands: data go to standard output and
messages to standard error; flags win over the environment (`NAB_STORE`, `NO_COLOR`), that over files, these over
defaults; `--set key=value` reaches every key of the configuration file; file names in flags are relative to the working
directory, those in a configuration file to that file. `best` names the run with the best score, and a number, a label
or the beginning of a model's hash names another.

```
T
	$nab --help
	echo '```'
	sed -n 's/^COMMAND(\(.*\))$/\1/p' cli/commands.def | while read -r c; do
		[ "$c" = worker ] && continue
		printf '\n## %s\n\n```\n' "$c"
		$nab "$c" --help | sed '/^flags of every command:/,$d' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
		echo '```'
	done
	printf '\n## Flags of every command\n\n```\n'
	$nab ls --help | sed '1,/^flags of every command:/d'
	echo '```'
}

commands >"$out/commands.md"
for name in configuration filters; do
	skip=
	while IFS= read -r line; do
		case $line in
		'<!-- nab '*)
			printf '%s\n```\n' "$line"
			words=${line#<!-- nab }
			# shellcheck disable=SC2086
			$nab ${words% -->}
			printf '```\n<!-- end -->\n'
			skip=1 ;;
		'<!-- end -->') skip= ;;
		*) [ -n "$skip" ] || printf '%s\n' "$line" ;;
		esac
	done <docs/$name.md >"$out/$name.tmp"
	mv "$out/$name.tmp" "$out/$name.md"
done
