/* tests/unit/test_map.c - places of models: exact where the distances are of a plane, old ones stay, the cache spares
 * work and is never in the way, threads change nothing. With --dump N it prints N distance matrices with our stress as
 * JSON lines for tests/unit/mds_sklearn.py instead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mds.h"
#include "base/mem.h"
#include "base/rng.h"
#include "report/gather.h"
#include "report/map.h"
#include "store/cache.h"
#include "tests/helper_files.h"
#include "tests/helper_layers.h"
#include "tests/helper_store.h"

static struct err bad;

#define OK(call)                                                                           \
	do {                                                                               \
		err_clear(&bad);                                                           \
		if ((call) < 0)                                                            \
			fail_msg("%s:%d: %s: %s", __FILE__, __LINE__, bad.where, bad.msg); \
	} while (0)

/* ---- points --------------------------------------------------------------------------------------------- */

enum { MOST = 60 };

static void draw(struct rng *r, double (*p)[2], int n)
{
	for (int i = 0; i < n; i++) {
		p[i][0] = 3 * rng_normal(r) + 7;
		p[i][1] = rng_normal(r) - 2;
	}
}

static double between(const double a[2], const double b[2])
{
	return hypot(a[0] - b[0], a[1] - b[1]);
}

static void all_between(double *d, const double (*p)[2], int n)
{
	for (int i = 0; i < n; i++)
		for (int k = 0; k < n; k++)
			d[i * n + k] = between(p[i], p[k]);
}

/* In a space of `dims` dimensions: no plane shows these distances. */
static void space_between(double *d, int n, int dims, struct rng *r)
{
	double p[MOST * 4][10];

	for (int i = 0; i < n; i++)
		for (int k = 0; k < dims; k++)
			p[i][k] = rng_normal(r);
	for (int i = 0; i < n; i++)
		for (int k = 0; k < n; k++) {
			double sum = 0;

			for (int q = 0; q < dims; q++)
				sum += (p[i][q] - p[k][q]) * (p[i][q] - p[k][q]);
			d[i * n + k] = sqrt(sum);
		}
}

static void exact_in_a_plane(void **state)
{
	struct rng r;

	(void)state;
	rng_init(&r, test_seed(), 1);
	for (int round = 0; round < 50; round++) {
		int n = 1 + (int)rng_below(&r, MOST);
		double p[MOST][2], y[MOST][2], x[MOST][2], d[MOST * MOST], stress;

		draw(&r, p, n);
		all_between(d, (const double(*)[2])p, n);
		OK(mds_classical(y, d, n, &bad));
		OK(mds_map(x, NULL, d, n, &stress, &bad));
		assert_true(stress < 1e-18 * n * n);
		for (int i = 0; i < n; i++)
			for (int k = 0; k < n; k++) {
				assert_true(fabs(between(y[i], y[k]) - d[i * n + k]) < 1e-9);
				assert_true(fabs(between(x[i], x[k]) - d[i * n + k]) < 1e-9);
			}
	}
}

static void placing_is_exact(void **state)
{
	struct rng r;

	(void)state;
	rng_init(&r, test_seed(), 2);
	for (int round = 0; round < 200; round++) {
		int n = 3 + (int)rng_below(&r, MOST - 3);
		double p[MOST][2], d[MOST * MOST], y[MOST][2], squares[MOST], one[2], to[MOST], at[2], settled[2];
		struct mds_base b;

		draw(&r, p, n);
		draw(&r, &one, 1);
		all_between(d, (const double(*)[2])p, n);
		OK(mds_classical(y, d, n, &bad));
		for (int i = 0; i < n; i++) { /* the formula must add the mean back */
			y[i][0] += 5;
			to[i] = between(one, p[i]);
		}
		mds_squares(squares, d, n);
		mds_base(&b, (const double(*)[2])y, squares, n);
		mds_place(at, &b, to);
		memcpy(settled, at, sizeof at);
		mds_settle(settled, (const double(*)[2])y, to, n);
		for (int i = 0; i < n; i++) {
			assert_true(fabs(between(at, y[i]) - to[i]) < 1e-7);
			assert_true(fabs(between(settled, y[i]) - to[i]) < 1e-7);
		}
	}
}

/* On a line, one place for all, one point, none. */
static void degenerate(void **state)
{
	double d[9] = { 0, 1, 3, 1, 0, 2, 3, 2, 0 }, x[3][2], zero[9] = { 0 }, stress, squares[3], at[2];
	struct mds_base b;

	(void)state;
	OK(mds_map(x, NULL, d, 3, &stress, &bad));
	assert_true(stress < 1e-18 && fabs(fabs(x[0][0] - x[2][0]) - 3) < 1e-9 && fabs(x[1][1]) < 1e-6);
	mds_squares(squares, d, 3);
	mds_base(&b, (const double(*)[2])x, squares, 3);
	mds_place(at, &b, (double[3]){ 4, 3, 1 });
	assert_true(fabs(fabs(at[0] - x[0][0]) - 4) < 1e-6);
	OK(mds_map(x, NULL, zero, 3, &stress, &bad));
	assert_true(stress == 0 && x[0][0] == 0 && x[2][1] == 0 && mds_stress1(stress, zero, 3) == 0);
	OK(mds_map(x, NULL, zero, 1, &stress, &bad));
	assert_true(stress == 0 && x[0][0] == 0);
	OK(mds_map(x, NULL, zero, 0, &stress, &bad));
	OK(mds_map(x, NULL, (double[4]){ 0, 2, 2, 0 }, 2, &stress, &bad));
	assert_true(fabs(between(x[0], x[1]) - 2) < 1e-12);
}

static void stress_never_rises(void **state)
{
	struct rng r;
	static double d[MOST * MOST];

	(void)state;
	rng_init(&r, test_seed(), 3);
	for (int round = 0; round < 30; round++) {
		int n = 4 + (int)rng_below(&r, MOST - 4), steps;
		double x[MOST][2], y[MOST][2], best, classical, one, before;

		space_between(d, n, 3 + (int)rng_below(&r, 7), &r);
		OK(mds_classical(y, d, n, &bad));
		classical = mds_stress((const double(*)[2])y, d, n);
		OK(mds_map(x, NULL, d, n, &best, &bad));
		assert_true(fabs(best - mds_stress((const double(*)[2])x, d, n)) < 1e-9 * best);
		assert_true(best <= classical);
		assert_true(mds_stress1(best, d, n) > 0 && mds_stress1(best, d, n) < 1);
		draw(&r, y, n);
		before = mds_stress((const double(*)[2])y, d, n);
		one = mds_smacof(y, d, n, &steps);
		assert_true(one <= before && steps > 0 &&
			    fabs(one - mds_stress((const double(*)[2])y, d, n)) <= 1e-9 * one);
		/* where it stopped, another round brings next to nothing */
		before = one;
		one = mds_smacof(y, d, n, &steps);
		assert_true(one <= before && one > before * (1 - 1e-4));
		mds_settle(y[0], (const double(*)[2])(y + 1), d + 1, n - 1);
		assert_true(mds_stress((const double(*)[2])y, d, n) <= one * (1 + 1e-9));
	}
}

static void aligned(void **state)
{
	struct rng r;

	(void)state;
	rng_init(&r, test_seed(), 4);
	for (int round = 0; round < 50; round++) {
		int n = 3 + (int)rng_below(&r, 20), side = rng_below(&r, 2) ? 1 : -1;
		double p[MOST][2], q[MOST][2], turn = 6 * rng_real(&r);

		draw(&r, p, n);
		for (int i = 0; i < n; i++) {
			q[i][0] = cos(turn) * p[i][0] - sin(turn) * side * p[i][1] + 3;
			q[i][1] = sin(turn) * p[i][0] + cos(turn) * side * p[i][1] - 8;
		}
		mds_align(p, (const double(*)[2])q, n - 1, p + n - 1, 1);
		for (int i = 0; i < n; i++)
			assert_true(between(p[i], q[i]) < 1e-9);
	}
}

/* ---- maps of a store ------------------------------------------------------------------------------------ */

struct site {
	const char *store, *cache;
	struct arena *a;
};

static int setup(void **state)
{
	struct site *p = mem_new(sizeof *p);

	p->a = arena_new();
	p->store = arena_printf(p->a, "%s/a.db", temp_dir());
	p->cache = cache_path(p->store, p->a);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct site *p = *state;

	arena_free(p->a);
	mem_free(p);
	temp_clean();
	return 0;
}

static void more(struct site *p, const char *study, int candidates, uint64_t seed)
{
	made_store_add(p->store, &(struct made_store){ .study = study,
						       .candidates = candidates,
						       .baselines = 2,
						       .seeds = 2,
						       .epochs = 2,
						       .examples = 500,
						       .seed = seed });
}

/* The map, with the report's rows by candidate in *r. */
static struct map *map_of(struct site *p, enum map_metric metric, const char *cache, struct report **r)
{
	struct store *s;
	struct map *m;

	OK(store_open(&s, p->store, STORE_READ, &bad));
	OK(report_gather(r, s, &(struct gather_opts){ 0 }, p->a, &bad));
	OK(map_models(&m, *r, metric, cache, p->a, &bad));
	(*r)->store = NULL;
	store_close(s);
	return m;
}

static bool same_places(const struct map *x, const struct map *y)
{
	size_t bytes = (size_t)x->n * sizeof *x->x;

	return x->n == y->n && memcmp(x->x, y->x, bytes) == 0 && memcmp(x->y, y->y, bytes) == 0 &&
	       x->stress == y->stress;
}

static void every_metric(void **state)
{
	struct site *p = *state;
	struct report *r;

	more(p, "first", 30, 5);
	for (int k = 0; k < MAP_METRIC_COUNT; k++) {
		struct map *m = map_of(p, (enum map_metric)k, NULL, &r),
			   *again = map_of(p, (enum map_metric)k, NULL, &r);
		int placed = 0;

		assert_int_equal(m->n, r->n_rows);
		assert_true(same_places(m, again));
		for (int i = 0; i < m->n; i++) {
			bool done = r->rows[i].state == STATE_DONE;

			placed += !isnan(m->x[i]);
			assert_true(isnan(m->x[i]) == isnan(m->y[i]));
			assert_true(!isnan(m->x[i]) == (k != MAP_PREDICTIONS || done));
			for (int q = 0; q < i && k != MAP_PREDICTIONS; q++)
				if (strcmp(r->rows[i].hash, r->rows[q].hash) == 0)
					assert_true(m->x[i] == m->x[q] && m->y[i] == m->y[q]);
		}
		assert_true(placed == m->n_placed && placed == m->n_landmarks);
		assert_true(m->stress > 0 && m->stress < 0.5);
		assert_true(strstr(m->note, k == MAP_PREDICTIONS ? "validation" : "Near") != NULL);
		assert_true(!strstr(m->note, "REMAP") == (k != MAP_PREDICTIONS));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact_in_a_plane), cmocka_unit_test(placing_is_exact),
		cmocka_unit_test(degenerate),       cmocka_unit_test(stress_never_rises),
		cmocka_unit_test(aligned),          cmocka_unit_test_setup_teardown(every_metric, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
