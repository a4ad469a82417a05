/* report/literature.h - results that others have published, to stand beside one's own: as they were published, not
 * checked again, never ranked with runs of the store.
 */
#ifndef NAB_REPORT_LITERATURE_H
#define NAB_REPORT_LITERATURE_H

#include "base/err.h"

struct arena;

struct literature_row {
	const char *name;
	double accuracy;         /* share, on the test set of the data; NAN: not given */
	double params, gpu_days; /* NAN: not given */
	const char *note;        /* "with cutout", or NULL */
};

struct literature {
	const char *name, *source; /* where the numbers were collected; may be NULL */
	struct literature_row *rows;
	int n;
};

extern const char *const literature_names[]; /* sets that are built in: "cifar-10", NULL */

/* `what` is the name of a set that is built in, or a file: {"name": text, "source": text, "rows": [{"name": text,
 * "error": per cent or "accuracy": share, "params": n, "gpu_days": n, "note": text}]}. ERR_INVALID says what is wrong
 * with the file. Lives in a. */
int literature_read(struct literature *out, const char *what, struct arena *a, struct err *e);

#endif
