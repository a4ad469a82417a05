/* cli/comparison.h - how `nab compare`, `nab ablate` and `nab vary` print what they compared. */
#ifndef NAB_CLI_COMPARISON_H
#define NAB_CLI_COMPARISON_H

#include "cli/cli.h"
#include "report/compare.h"

/* Columns of the terminal that stdout is, else $COLUMNS, else 0: any width. */
int cli_width(void);

/* In the format given (--json wins), on stdout or into the file `output` (may be NULL), preceded by its title in text.
 * JSON has the rows and notes of the table and "title", "split", "primary", "examples". */
int cli_print_comparison(struct cli *c, const struct comparison *m, enum table_format format, const char *output,
			 struct err *e);

/* The parts of it, for commands that add something: the text (not JSON) for a file or for stdout, and the object. */
void cli_render_comparison(struct str *out, const struct cli *c, const struct comparison *m, enum table_format format,
			   bool file);
struct json *cli_comparison_json(const struct comparison *m, struct arena *a); /* caller frees */

#endif
