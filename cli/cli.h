/* cli/cli.h - the command line: one file cli/cmd_<name>.c per command, one row in cli/commands.def.
 *
 * Flags are rows of an option table over the command's own struct: the field `max_params` is the flag --max-params.
 * Booleans are switches (--json, --no-lint). Lists of texts may be given several times. Conventions (DESIGN.md section
 * 5): stdout is data, stderr is messages; flags win over the environment, that over files, these over defaults.
 */
#ifndef NAB_CLI_CLI_H
#define NAB_CLI_CLI_H

#include <stdio.h>

#include "arch/model.h"
#include "base/err.h"
#include "base/opt.h"

struct arena;
struct str;

struct cli {
	struct arena *arena;   /* of the whole command */
	struct opt_strs set;   /* --set key=value */
	bool set_data;         /* it is meant for the data set, not for a model or a space */
	bool set_used;         /* somebody applied it */
	struct block_path lib; /* the block library's folders */
	const char *share;     /* the folder that holds configs/ */
	bool json, quiet, verbose;
	const char *color;         /* "auto", "always", "never" */
	bool paint_out, paint_err; /* colours on stdout, on stderr */
	const char *program;       /* path of this binary, to start workers */
	void *flags;               /* the command's struct, filled */
	int n_args;
	const char **args; /* what is left after the flags */
};

struct command {
	const char *name;
	const char *usage;       /* after "nab <name>": "MODEL... [flags]" */
	const char *help;        /* one line */
	const char *more;        /* paragraphs and examples for --help; may be NULL */
	const struct opt *flags; /* may be NULL */
	size_t flags_size;
	int min_args, max_args; /* max_args < 0: any number */
	bool hidden;            /* not listed by --help */
	int (*run)(struct cli *c, struct err *e);

	/* Flags of its own, beside the table: for commands to which the order across flags matters. May be NULL. */
	const struct command_own *own;
};

struct command_own {
	/* A word "--flag" (dashes as underscores) with its value (NULL: there is none). 1: taken; 0: not one of mine;
	 * -1: e. */
	int (*read)(struct cli *c, const char *flag, const char *value, struct err *e);
	int (*names)(const char **out, int most); /* for suggestions and completion; returns their number */
	void (*help)(struct str *out);
};

extern const struct command *const commands[]; /* NULL-terminated */

/* Prints the diagnostics of a file to stderr and releases them; -1 with e set (without text) if one is an error. */
int cli_report(const struct cli *c, struct diag *d, const char *file, struct err *e);

/* Prints an error to stderr, unless it has no text. */
void cli_say(const struct cli *c, const struct err *e);

/* A hint about what to run next, on stderr unless --quiet or --json. */
void cli_next(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prints a JSON value, pretty, to stdout and frees it; a text, control characters replaced. */
void cli_print_json(struct json *v);
void cli_print(const struct str *t);

/* Appends a copy of a text to a list in the arena. */
void cli_add_text(struct opt_strs *list, const char *text, struct arena *a);
/* "a,b" and repeated flags are one list. */
struct opt_strs cli_split(const struct opt_strs *given, struct arena *a);

/* ANSI sequence if colours are on, else "". */
const char *cli_paint(bool on, const char *code);

/* Applies --set to a document; loads one and does so. A command that ends without having done so refuses --set. */
int cli_apply_set(struct cli *c, struct json *doc, struct err *e);
int cli_load_document(struct cli *c, struct json **out, const char *path, struct err *e);

/* Loads a model file and reports what is wrong with it. */
int cli_load_model(struct cli *c, struct graph **out, const char *path, struct err *e);

#endif
