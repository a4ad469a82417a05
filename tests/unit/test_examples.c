/* tests/unit/test_examples.c - who misses what, against counting by hand over random answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "report/examples.h"

enum { MOST = 300, RUNS = 9 };

static void check_taken(const struct examples *x, uint16_t said[RUNS][MOST], int64_t i, int runs)
{
	uint32_t times, most = 0;
	int c = examples_taken(x, i, &times), first = -1;

	for (int k = 0; k < x->classes; k++) {
		uint32_t n = 0;

		for (int r = 0; r < runs; r++)
			n += said[r][i] == k;
		if (k != x->truth[i] && n > most) {
			most = n;
			first = k;
		}
	}
	assert_int_equal(c, first);
	assert_int_equal(times, most);
}

static void one_round(struct rng *r, struct arena *a)
{
	uint16_t truth[MOST], said[RUNS][MOST];
	int n = (int)rng_below(r, MOST) + 1, classes = (int)rng_below(r, 12) + 1, runs = (int)rng_below(r, RUNS + 1);
	struct examples *x;
	int64_t *order;

	for (int i = 0; i < n; i++)
		truth[i] = (uint16_t)rng_below(r, (uint32_t)classes);
	x = examples_new(truth, n, classes, a);
	for (int k = 0; k < runs; k++) {
		for (int i = 0; i < n; i++)
			said[k][i] = rng_below(r, 3) ? truth[i] : (uint16_t)rng_below(r, (uint32_t)classes);
		examples_count(x, said[k], n);
	}
	examples_count(x, said[0], n + 1); /* of other data: not counted */
	examples_count(x, NULL, n);
	examples_count(NULL, truth, n);
	assert_int_equal(x->runs, runs);
	for (int i = 0; i < n; i++) {
		uint32_t wrong = 0;

		for (int k = 0; k < runs; k++)
			wrong += said[k][i] != truth[i];
		assert_int_equal(x->missed[i], wrong);
		check_taken(x, said, i, runs);
	}
	order = examples_order(x, a);
	for (int i = 1; i < n; i++) {
		uint32_t u = x->missed[order[i - 1]], v = x->missed[order[i]];

		assert_true(u > v || (u == v && order[i - 1] < order[i]));
	}
}

static void counts_are_right(void **state)
{
	struct arena *a = arena_new();
	struct rng r;

	(void)state;
	rng_init(&r, 31, 7);
	for (int i = 0; i < 300; i++) {
		one_round(&r, a);
		arena_reset(a);
	}
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(counts_are_right) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
