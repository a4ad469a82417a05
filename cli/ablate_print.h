/* cli/ablate_print.h - what `nab ablate` prints: the plan, and the comparison with its advice, in every format; file:
 * not for stdout.
 */
#ifndef NAB_CLI_ABLATE_PRINT_H
#define NAB_CLI_ABLATE_PRINT_H

#include "cli/comparison.h"
#include "mutate/ablate.h"
#include "report/advice.h"

struct ablate_bill { /* what the plan costs */
	int models, seeds, slots;
	double seconds;  /* of all trainings on the slots together; NAN: no measured time to go by */
	double measured; /* of one run of the parent */
};

/* "13 models x 3 seeds: 39 trainings at most, about 41 min on 2 slots (...)" */
void ablate_bill_line(struct str *out, const struct ablate_bill *b);

/* Every unit with what would be removed, what is repaired, what changes in size, and why some cannot be removed. */
void ablate_print_plan(struct str *out, const struct cli *c, const struct ablate_plan *p, const struct graph *parent,
		       const struct ablate_bill *b, enum table_format format, bool file);

/* The comparison, whose rows are the parent, the trainable children in the plan's order and the refused ones; with
 * interactions and advice. rows: as in report/advice.h. */
void ablate_print_result(struct str *out, const struct cli *c, const struct comparison *m,
			 const struct advice_row *rows, const struct advice_opts *o, enum table_format format,
			 bool file);

#endif
