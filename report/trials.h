/* report/trials.h - the ablations and variations among the studies of a report, compared with their parents as `nab
 * ablate` and `nab vary` do it, with what an ablation lets one say.
 */
#ifndef NAB_REPORT_TRIALS_H
#define NAB_REPORT_TRIALS_H

#include <stdbool.h>

#include "report/advice.h"
#include "report/compare.h"

struct report;

struct trial {
	const char *study;
	bool ablation;
	struct comparison *c; /* row 0: the parent */
	struct advice *advice;
	int n_advice;
	char file[80]; /* name for files: "ablation-lenet5-ablate" */
};

/* In the order of the report's studies; those without a child left out. Everything lives in a. */
int trials_gather(struct trial **out, int *n, const struct report *r, struct store *s, struct arena *a, struct err *e);

#endif
