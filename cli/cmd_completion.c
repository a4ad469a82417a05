/* cli/cmd_completion.c - nab completion bash: a completion script made from the tables of commands and flags. */
#include <string.h>

#include "base/str.h"
#include "cli/cli.h"

static void add_flags(struct str *t, const struct opt *o)
{
	for (; o && o->name; o++) {
		str_add(t, " --");
		for (const char *s = o->name; *s; s++)
			str_addc(t, *s == '_' ? '-' : *s);
	}
}

static void add_own(struct str *t, const struct command_own *own)
{
	const char *names[80];
	int n = own ? own->names(names, 80) : 0;

	for (int i = 0; i < n; i++) {
		const struct opt row[] = { { .name = names[i] }, OPT_END };

		add_flags(t, row);
	}
}

static int run(struct cli *c, struct err *e)
{
	struct str t = { 0 };

	if (strcmp(c->args[0], "bash"))
		return ERR(e, ERR_USAGE, NULL, "only bash is known, not \"%s\"", c->args[0]);
	str_add(&t, "# eval \"$(nab completion bash)\"\n_nab()\n{\n\tlocal word=${COMP_WORDS[COMP_CWORD]} flags=\n"
		    "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n\t\tCOMPREPLY=($(compgen -W \"");
	for (int i = 0; commands[i]; i++)
		str_addf(&t, "%s%s", i ? " " : "", commands[i]->name);
	str_add(&t, "\" -- \"$word\"))\n\t\treturn\n\tfi\n\tcase ${COMP_WORDS[1]} in\n");
	for (int i = 0; commands[i]; i++) {
		str_addf(&t, "\t%s) flags=\"", commands[i]->name);
		add_flags(&t, commands[i]->flags);
		add_own(&t, commands[i]->own);
		str_add(&t, "\" ;;\n");
	}
	str_add(
	    &t,
	    "\tesac\n\tcase $word in\n"
	    "\t-*) COMPREPLY=($(compgen -W \"$flags --help --set --json --quiet --verbose --color\" -- \"$word\")) ;;\n"
	    "\t*) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n\tesac\n}\n"
	    "complete -o filenames -F _nab nab\n");
	cli_print(&t);
	str_release(&t);
	return 0;
}

const struct command command_completion = {
	.name = "completion",
	.usage = "bash",
	.help = "print the shell completion: eval \"$(nab completion bash)\"",
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
