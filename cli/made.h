/* cli/made.h - what commands that make a model of another one show and write. */
#ifndef NAB_CLI_MADE_H
#define NAB_CLI_MADE_H

#include "cli/cli.h"

struct made {
	const struct graph *from;
	struct graph *graph;
	const char *verb;         /* "retargeted", "edited": for the note */
	const char *const *lines; /* what was changed */
	int n_lines;
	const char *output; /* file, or NULL: the model goes to stdout and what is said of it to stderr */
	bool kept;          /* it is recorded elsewhere: without a file it is shown, not printed */
	struct json *extra; /* members of the --json object, taken over; may be NULL */
};

/* Checks (lint), names, notes where it comes from, shows the changes, costs before and after and a drawing, writes. */
int cli_made(struct cli *c, const struct made *m, struct err *e);

#endif
