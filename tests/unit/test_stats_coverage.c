/* tests/unit/test_stats_coverage.c - the smallest part of tests/long/test_coverage.c: intervals of simulated
 * comparisons cover their true difference, and corrected p-values do not cry wolf. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/stats.h"
#include "tests/helper_arms.h"

enum { REPS = 400, MOST = 5 * 400, CHILDREN = 10 };

static signed char arms[CHILDREN + 1][MOST], *right[CHILDREN + 1], y[MOST];

static int setup(void **state)
{
	(void)state;
	for (int a = 0; a <= CHILDREN; a++)
		right[a] = arms[a];
	return 0;
}

static void intervals_cover(void **state)
{
	static const struct arms_design t[] = {
		{ "seeds", 200, 0.70, 0.05, 0.10, 0.40, 0.05, 0.20 },
		{ "all three", 400, 0.80, 0.05, 0.05, 0.10, 0.25, 0.40 },
		{ "rest", 400, 0.85, 0.02, 0, 0, 0, 0.60 },
		{ "examples", 400, 0.80, 0.05, 0, 0, 0.50, 0.05 },
	};
	struct stats_effect e;
	struct rng r;

	(void)state;
	rng_init(&r, 19, 1);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		for (int seeds = 3; seeds <= 5; seeds += 2) {
			int covered = 0, reliable = 0;

			for (int k = 0; k < REPS; k++) {
				arms_draw(right, &t[i], 2, 2, seeds, &r);
				arms_subtract(y, right[1], right[0], seeds * t[i].n);
				stats_crossed(&e, y, seeds, t[i].n);
				covered += e.low <= t[i].effect && t[i].effect <= e.high;
				reliable += e.reliable;
			}
			/* 95 %, give or take three standard errors of the simulation */
			if (covered < REPS * 0.917 || covered > REPS * 0.983)
				fail_msg("%s, %d seeds: %d of %d", t[i].name, seeds, covered, REPS);
			assert_true(reliable > 0.99 * REPS);
		}
}

/* 10 children without effect share their parent: its bad luck is everybody's. */
static void families_hold(void **state)
{
	static const struct arms_design d = { "all three", 400, 0.85, 0, 0.03, 0.05, 0.20, 0.30 };
	struct stats_effect e;
	double p[CHILDREN];
	struct rng r;
	int wrong = 0;

	(void)state;
	rng_init(&r, 20, 1);
	for (int k = 0; k < REPS; k++) {
		bool any = false;

		arms_draw(right, &d, CHILDREN + 1, 0, 3, &r);
		for (int c = 0; c < CHILDREN; c++) {
			arms_subtract(y, right[c + 1], right[0], 3 * d.n);
			stats_crossed(&e, y, 3, d.n);
			p[c] = e.p;
		}
		stats_holm(p, CHILDREN);
		for (int c = 0; c < CHILDREN; c++)
			any |= p[c] <= 0.05;
		wrong += any;
	}
	assert_in_range(wrong, 0, REPS * 0.083);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(intervals_cover),
		cmocka_unit_test(families_hold),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
