/* report/examples.h - the validation examples over all finished runs: how often each is missed, and what it is taken
 * for then. Counted while the runs are read (report/gather.c).
 */
#ifndef NAB_REPORT_EXAMPLES_H
#define NAB_REPORT_EXAMPLES_H

#include <stdint.h>

struct arena;
struct str;

struct examples {
	int64_t n;
	int classes;
	const uint16_t *truth; /* [n], borrowed */
	int runs;              /* whose predictions were counted */
	uint32_t *missed;      /* [n] runs that miss it */
	uint32_t *taken;       /* [n][classes] answers, or NULL: too many */
};

struct examples *examples_new(const uint16_t *truth, int64_t n, int classes, struct arena *a);
/* A run's predictions; those of another number of examples are ignored. */
void examples_count(struct examples *x, const uint16_t *predicted, int64_t n);
/* The commonest wrong class of an example (the first of equals), or -1, and how many runs say so. */
int examples_taken(const struct examples *x, int64_t i, uint32_t *times);
/* All examples, those that most runs miss first, equal ones by number: [n] in a. */
int64_t *examples_order(const struct examples *x, struct arena *a);

#endif
