/* cli/slice_score.h - stored runs judged on a named part of the validation examples. */
#ifndef NAB_CLI_SLICE_SCORE_H
#define NAB_CLI_SLICE_SCORE_H

#include "store/store.h"

struct slice_score {
	int64_t n; /* examples of the slice; 0: this run has no predictions, or its data no such slice */
	double accuracy, low, high; /* 95 % interval; NAN if n is 0 */
};

/* out[i] for items[i], read from the stored predictions. ERR_USAGE if no data set of the items has that slice. */
int slice_scores(struct slice_score *out, struct store *s, const char *name, const struct store_item *items, int n,
		 struct arena *a, struct err *e);

#endif
