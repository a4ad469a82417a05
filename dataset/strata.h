/* dataset/strata.h - keyed stratified choice: some of every class, decided by seed and class name alone.
 *
 * Member j of a class (in order of position) is chosen if its place in the class's keyed permutation is below the
 * quota; so a smaller quota chooses a subset of what a larger one does, and other classes do not matter.
 */
#ifndef NAB_DATASET_STRATA_H
#define NAB_DATASET_STRATA_H

#include <stdint.h>

#include "base/rng.h"

struct strata {
	const int32_t *label; /* NULL: one class of all */
	int classes;          /* 1 without labels */
	const char *const *names;
	const uint32_t *index; /* the examples looked at, or NULL: from, from + 1, ... */
	int64_t from, n;
};

/* count[classes] of s. */
void strata_count(const struct strata *s, int64_t *count);

/* quota[c] = `share` of count[c], rounded; at least `least`, at most all but `spare`. */
void strata_share(int64_t *quota, const int64_t *count, int classes, double share, int64_t least, int64_t spare);

/* quota[c] in proportion to count[c], `limit` together (largest remainders first), at least one of every class that has
 * any while the limit allows that. */
void strata_limit(int64_t *quota, const int64_t *count, int classes, int64_t limit);

/* chosen[i] = 1 or 0 for the i-th example of s; returns how many were chosen. */
int64_t strata_choose(const struct strata *s, const int64_t *quota, uint64_t seed, enum purpose purpose, uint32_t tweak,
		      uint8_t *chosen);

#endif
