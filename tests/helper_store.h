/* tests/helper_store.h - a store as a search would have left it, made through the store's own calls: models of several
 * forms, learning curves that rise and over-fit, failures, lineage, recipes that vary, times of layers; predictions of
 * examples that are hard for all models alike, of models that are good at different classes and slices, and confusion
 * matrices and accuracies that agree with them.
 */
#ifndef NAB_TESTS_HELPER_STORE_H
#define NAB_TESTS_HELPER_STORE_H

#include <stdbool.h>
#include <stdint.h>

struct made_store {
	const char *study; /* its name */
	const char *kind;  /* "search" (also if NULL), "ablate", "vary": a parent and its children */
	int candidates;    /* of the search, or children at most; of a search every eighth one fails, in its own way */
	int baselines;     /* at most 3 */
	int seeds;         /* runs of each candidate */
	int epochs;
	int64_t examples;           /* of the validation split */
	int n_classes;              /* 0: 10; at most 256 */
	const char *const *classes; /* names, or NULL: digits; of more than 10 those of drawings */
	const char *last_class;     /* a name for the last of them, or NULL: as the others */
	bool hostile;    /* names, labels, reasons and findings are markup, formulas and control characters */
	bool scored;     /* the score is not the accuracy: it also counts parameters */
	bool inherited;  /* every second candidate of the search starts from trained weights */
	bool unfinished; /* two runs are still queued or running */
	bool bare;       /* neither predictions nor labels nor slices are stored */
	uint64_t seed;
};

/* Adds to the store at `path` (made if it is not there); the test fails with the message if a call does. */
void made_store_add(const char *path, const struct made_store *m);

#endif
