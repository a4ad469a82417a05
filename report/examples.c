/* report/examples.c - see examples.h. */
#include "report/examples.h"

#include <stddef.h>

#include "base/mem.h"

enum { MOST_ANSWERS = 32 << 20 }; /* cells of the table of answers */

struct examples *examples_new(const uint16_t *truth, int64_t n, int classes, struct arena *a)
{
	struct examples *x = ARENA_NEW(a, struct examples);

	*x = (struct examples){ .n = n, .classes = classes, .truth = truth };
	x->missed = ARENA_ARRAY(a, uint32_t, n + 1);
	if (classes > 0 && n <= MOST_ANSWERS / classes)
		x->taken = ARENA_ARRAY(a, uint32_t, n * classes + 1);
	return x;
}

void examples_count(struct examples *x, const uint16_t *predicted, int64_t n)
{
	if (!x || !predicted || n != x->n)
		return;
	x->runs++;
	for (int64_t i = 0; i < n; i++) {
		x->missed[i] += predicted[i] != x->truth[i];
		if (x->taken && predicted[i] < x->classes)
			x->taken[i * x->classes + predicted[i]]++;
	}
}

int examples_taken(const struct examples *x, int64_t i, uint32_t *times)
{
	int best = -1;

	*times = 0;
	for (int c = 0; x->taken && c < x->classes; c++)
		if (c != x->truth[i] && x->taken[i * x->classes + c] > *times) {
			best = c;
			*times = x->taken[i * x->classes + c];
		}
	return best;
}

int64_t *examples_order(const struct examples *x, struct arena *a)
{
	int64_t *order = ARENA_ARRAY(a, int64_t, x->n + 1), *start = mem_new((size_t)(x->runs + 2) * sizeof *start);

	/* Counting sort: bucket k begins behind all examples that are missed more often than k times. */
	for (int64_t i = 0; i < x->n; i++)
		start[x->missed[i]]++;
	for (int64_t k = x->runs, at = 0; k >= 0; k--) {
		int64_t many = start[k];

		start[k] = at;
		at += many;
	}
	for (int64_t i = 0; i < x->n; i++)
		order[start[x->missed[i]]++] = i;
	mem_free(start);
	return order;
}
