/* tests/helper_store.h - a store as a search would have left it, made through the store's own calls: models of several
 * forms, learning curves that rise and over-fit, confusion matrices that agree with the accuracies, failures.
 */
#ifndef NAB_TESTS_HELPER_STORE_H
#define NAB_TESTS_HELPER_STORE_H

#include <stdbool.h>
#include <stdint.h>

struct made_store {
	const char *study; /* its name */
	int candidates;    /* of the search; every eighth one fails, each in its own way */
	int baselines;     /* at most 3 */
	int seeds;         /* runs of each candidate */
	int epochs;
	int64_t examples;           /* of the validation split */
	const char *const *classes; /* 10 names, or NULL: "zero" ... */
	bool hostile;    /* names, labels, reasons and findings are markup, formulas and control characters */
	bool scored;     /* the score is not the accuracy: it also counts parameters */
	bool inherited;  /* every second candidate of the search starts from trained weights */
	bool unfinished; /* two runs are still queued or running */
	uint64_t seed;
};

/* Adds to the store at `path` (made if it is not there); the test fails with the message if a call does. */
void made_store_add(const char *path, const struct made_store *m);

#endif
