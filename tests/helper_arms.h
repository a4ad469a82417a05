/* tests/helper_arms.h - simulated arms of a comparison whose true difference is known exactly.
 *
 * Arm a, trained with seed s, is right on example i where
 *
 *     threshold_a + seed_s + seed_as + example_i + example_ai + rest_asi > 0
 *
 * all terms normal. Over seeds and examples the sum is normal, so the accuracy of an arm is exactly what its threshold
 * was set for, and the difference of two arms is known without simulation.
 */
#ifndef TESTS_HELPER_ARMS_H
#define TESTS_HELPER_ARMS_H

#include "base/rng.h"

enum { ARMS_MOST_SEEDS = 10, ARMS_MOST_EXAMPLES = 10000, ARMS_MOST = 11 };

struct arms_design {
	const char *name;
	int n;                                    /* examples */
	double accuracy, effect;                  /* of arm 0, and what the others are better by */
	double seed, arm_seed, arm_example, rest; /* standard deviations; that of examples is 1 */
};

/* right[arm][seed * n + example]: 1 where it is right. Arm 0 is the parent; arms 1 .. with_effect - 1 are better by the
 * effect, the others are as good as it. */
void arms_draw(signed char **right, const struct arms_design *d, int arms, int with_effect, int seeds, struct rng *r);

/* y = a - b, as stats_crossed() takes it. */
void arms_subtract(signed char *y, const signed char *a, const signed char *b, int cells);

#endif
