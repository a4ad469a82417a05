/* dataset/strata.c - see strata.h. */
#include "dataset/strata.h"

#include <math.h>

#include "base/hash.h"
#include "base/mem.h"

static int class_of(const struct strata *s, int64_t i)
{
	if (!s->label)
		return 0;
	return s->label[s->index ? (int64_t)s->index[i] : s->from + i];
}

void strata_count(const struct strata *s, int64_t *count)
{
	for (int c = 0; c < s->classes; c++)
		count[c] = 0;
	for (int64_t i = 0; i < s->n; i++)
		count[class_of(s, i)]++;
}

void strata_share(int64_t *quota, const int64_t *count, int classes, double share, int64_t least, int64_t spare)
{
	for (int c = 0; c < classes; c++) {
		int64_t q = (int64_t)floor(share * (double)count[c] + 0.5);

		if (q < least)
			q = least;
		if (q > count[c] - spare)
			q = count[c] - spare;
		quota[c] = q > 0 ? q : 0;
	}
}

void strata_limit(int64_t *quota, const int64_t *count, int classes, int64_t limit)
{
	int64_t total = 0, given = 0, nonempty = 0;

	for (int c = 0; c < classes; c++) {
		total += count[c];
		nonempty += count[c] > 0;
	}
	for (int c = 0; c < classes; c++) {
		quota[c] = total <= limit ? count[c] : (int64_t)((double)limit * ((double)count[c] / (double)total));
		if (quota[c] == 0 && count[c] > 0 && nonempty <= limit)
			quota[c] = 1;
		given += quota[c];
	}
	while (given < limit && given < total) { /* the class that is furthest below its due gets one more */
		double most = -INFINITY;
		int best = -1;

		for (int c = 0; c < classes; c++) {
			double due = (double)limit * ((double)count[c] / (double)total) - (double)quota[c];

			if (quota[c] < count[c] && due > most) {
				most = due;
				best = c;
			}
		}
		quota[best]++;
		given++;
	}
	while (given > limit) { /* only after single examples were given to small classes */
		int big = 0;

		for (int c = 1; c < classes; c++)
			if (quota[c] > quota[big])
				big = c;
		quota[big]--;
		given--;
	}
}

int64_t strata_choose(const struct strata *s, const int64_t *quota, uint64_t seed, enum purpose purpose, uint32_t tweak,
		      uint8_t *chosen)
{
	struct perm *perm = mem_new((size_t)s->classes * sizeof *perm);
	int64_t *count = mem_new((size_t)s->classes * sizeof *count), total = 0;
	uint32_t *seen = mem_new((size_t)s->classes * sizeof *seen);

	strata_count(s, count);
	for (int c = 0; c < s->classes; c++) {
		uint64_t id = s->label ? hash64_text(s->names[c]) : 0;

		if (count[c])
			perm_init(&perm[c], (uint32_t)count[c], philox_key(seed, purpose, id), tweak);
	}
	for (int64_t i = 0; i < s->n; i++) {
		int c = class_of(s, i);

		chosen[i] = perm_at(&perm[c], seen[c]++) < quota[c];
		total += chosen[i];
	}
	mem_free(perm);
	mem_free(count);
	mem_free(seen);
	return total;
}
