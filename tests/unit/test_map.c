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
#include "tests/helper_ok.h"
#include "tests/helper_store.h"

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

static double raw_stress(const double (*x)[2], const double *d, int n)
{
	double sum = 0;

	for (int i = 0; i < n; i++)
		for (int j = 0; j < i; j++) {
			double gap = hypot(x[i][0] - x[j][0], x[i][1] - x[j][1]) - d[(size_t)i * (size_t)n + (size_t)j];

			sum += gap * gap;
		}
	return sum;
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
	for (int round = 0; round < 12; round++) {
		int n = 4 + (int)rng_below(&r, MOST - 4), steps;
		double x[MOST][2], y[MOST][2], best, classical, one, before;

		space_between(d, n, 3 + (int)rng_below(&r, 7), &r);
		OK(mds_classical(y, d, n, &bad));
		classical = raw_stress((const double(*)[2])y, d, n);
		OK(mds_map(x, NULL, d, n, &best, &bad));
		assert_true(fabs(best - raw_stress((const double(*)[2])x, d, n)) < 1e-9 * best);
		assert_true(best <= classical);
		assert_true(mds_stress1(best, d, n) > 0 && mds_stress1(best, d, n) < 1);
		draw(&r, y, n);
		before = raw_stress((const double(*)[2])y, d, n);
		one = mds_smacof(y, d, n, &steps);
		assert_true(one <= before && steps > 0 &&
			    fabs(one - raw_stress((const double(*)[2])y, d, n)) <= 1e-9 * one);
		/* where it stopped, another round brings next to nothing */
		before = one;
		one = mds_smacof(y, d, n, &steps);
		assert_true(one <= before && one > before * (1 - 1e-4));
		mds_settle(y[0], (const double(*)[2])(y + 1), d + 1, n - 1);
		assert_true(raw_stress((const double(*)[2])y, d, n) <= one * (1 + 1e-9));
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
	const char *dir, *store, *cache;
	struct arena *a;
};

static int setup(void **state)
{
	struct site *p = mem_new(sizeof *p);

	p->a = arena_new();
	p->dir = arena_strdup(p->a, temp_dir());
	p->store = arena_printf(p->a, "%s/a.db", p->dir);
	p->cache = cache_path(p->store, p->a);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct site *p = *state;

	arena_free(p->a);
	mem_free(p);
	return temp_teardown(state);
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

/* ---- the cache ------------------------------------------------------------------------------------------ */

static int64_t pairs(int64_t n)
{
	return n * (n - 1) / 2;
}

/* How many different architectures the rows have, or finished rows. */
static int models(const struct report *r, enum map_metric metric)
{
	int n = 0;

	for (int i = 0; i < r->n_rows; i++) {
		bool seen = metric == MAP_PREDICTIONS && r->rows[i].state != STATE_DONE;

		for (int k = 0; k < i && metric != MAP_PREDICTIONS; k++)
			seen |= strcmp(r->rows[i].hash, r->rows[k].hash) == 0;
		n += !seen;
	}
	return n;
}

/* The row of a candidate in another report. */
static int row_of(const struct report *r, int64_t candidate)
{
	for (int i = 0; i < r->n_rows; i++)
		if (r->rows[i].candidate->id == candidate)
			return i;
	fail_msg("no row of candidate %lld", (long long)candidate);
	return -1;
}

static double moved(const struct map *x, const struct report *rx, const struct map *y, const struct report *ry)
{
	double most = 0;

	for (int i = 0; i < rx->n_rows; i++) {
		int k = row_of(ry, rx->rows[i].candidate->id);

		if (!isnan(x->x[i]))
			most = fmax(most, hypot(x->x[i] - y->x[k], x->y[i] - y->y[k]));
	}
	return most;
}

static void only_new_pairs(void **state)
{
	struct site *p = *state;
	struct report *r, *later;

	more(p, "first", 24, 5);
	for (int k = 0; k < MAP_METRIC_COUNT; k++) {
		enum map_metric metric = (enum map_metric)k;
		struct map *cold = map_of(p, metric, p->cache, &r), *bare = map_of(p, metric, NULL, &r), *warm;

		assert_int_equal(cold->computed, pairs(models(r, metric)));
		assert_true(same_places(cold, bare));
		warm = map_of(p, metric, p->cache, &r);
		assert_int_equal(warm->computed, 0);
		assert_true(same_places(cold, warm));
		assert_string_equal(cold->note, warm->note);
	}
	more(p, "second", 8, 6);
	for (int k = 0; k < MAP_METRIC_COUNT; k++) {
		enum map_metric metric = (enum map_metric)k;
		struct map *old = map_of(p, metric, NULL, &r), *now = map_of(p, metric, p->cache, &later), *first;

		(void)old;
		first = map_of(p, metric, p->cache, &later);
		assert_true(same_places(now, first) && first->computed == 0);
		assert_true(now->n_placed > now->n_landmarks && now->n_landmarks > 0);
		assert_true(now->computed > 0 && now->computed < pairs(models(later, metric)));
		assert_true(strstr(now->note, "placed among them") != NULL);
	}
}

static void old_ones_stay(void **state)
{
	struct site *p = *state;
	struct report *r, *later, *last;
	struct map *before[MAP_METRIC_COUNT], *after[MAP_METRIC_COUNT];
	int n[MAP_METRIC_COUNT];

	more(p, "first", 30, 8);
	for (int k = 0; k < MAP_METRIC_COUNT; k++) {
		before[k] = map_of(p, (enum map_metric)k, p->cache, &r);
		n[k] = models(r, (enum map_metric)k);
	}
	more(p, "second", 12, 9);
	for (int k = 0; k < MAP_METRIC_COUNT; k++) {
		after[k] = map_of(p, (enum map_metric)k, p->cache, &later);
		assert_int_equal(after[k]->computed, pairs(models(later, (enum map_metric)k)) - pairs(n[k]));
		assert_true(moved(before[k], r, after[k], later) == 0);
		assert_true(before[k]->stress == after[k]->stress);
	}
	more(p, "third", 60, 10); /* more than were laid out: all again, but turned to where they were */
	for (int k = 0; k < MAP_METRIC_COUNT; k++) {
		struct map *m = map_of(p, (enum map_metric)k, p->cache, &last);
		double size = 0;

		assert_true(m->n_landmarks == m->n_placed);
		for (int i = 0; i < m->n; i++)
			size = isnan(m->x[i]) ? size : fmax(size, hypot(m->x[i], m->y[i]));
		assert_true(moved(before[k], r, m, last) < 2 * size);
		assert_true(m->computed ==
			    pairs(models(last, (enum map_metric)k)) - pairs(models(later, (enum map_metric)k)));
	}
}

/* A placed model lies about where a common layout would have it: near to what it is near to. */
static void placed_well(void **state)
{
	struct site *p = *state;
	struct report *r;
	struct map *m;
	double apart = 0, gap = 0;

	more(p, "first", 40, 18);
	map_of(p, MAP_STRUCTURE, p->cache, &r);
	more(p, "second", 12, 18); /* the same draws of models again: each lies on its twin */
	m = map_of(p, MAP_STRUCTURE, p->cache, &r);
	assert_true(m->n_placed == r->n_rows);
	for (int i = 0; i < m->n; i++)
		for (int k = 0; k < i; k++) {
			bool twins = strcmp(r->rows[i].hash, r->rows[k].hash) == 0;

			apart = fmax(apart, hypot(m->x[i] - m->x[k], m->y[i] - m->y[k]));
			gap = twins ? fmax(gap, hypot(m->x[i] - m->x[k], m->y[i] - m->y[k])) : gap;
		}
	assert_true(apart > 0 && gap == 0);
}

static void spoil(const char *path, long at, int with)
{
	FILE *f = fopen(path, "r+b");

	assert_non_null(f);
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	assert_int_equal(fputc(with, f), with);
	fclose(f);
}

static long size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

/* Whatever is done to the file, the map is the right one, and the next one is quick again. */
static void check_spoiled(struct site *p, const struct map *wanted, const char *what)
{
	struct report *r;
	struct map *m = map_of(p, MAP_LAYERS, p->cache, &r);

	if (!same_places(m, wanted))
		fail_msg("%s: another map", what);
	m = map_of(p, MAP_LAYERS, p->cache, &r);
	if (!same_places(m, wanted) || m->computed)
		fail_msg("%s: the next map is not from the cache", what);
}

static void damaged(void **state)
{
	struct site *p = *state;
	struct report *r;
	struct map *wanted, *m;
	char command[512];
	struct rng g;

	more(p, "first", 20, 5);
	wanted = map_of(p, MAP_LAYERS, NULL, &r);
	rng_init(&g, test_seed(), 9);
	check_spoiled(p, wanted, "new");
	for (int round = 0; round < 30; round++) {
		long size = size_of(p->cache), at = (long)rng_below(&g, (uint32_t)size);

		spoil(p->cache, at, (int)rng_below(&g, 256));
		check_spoiled(p, wanted, arena_printf(p->a, "byte %ld of %ld", at, size));
	}
	assert_int_equal(truncate(p->cache, size_of(p->cache) / 2), 0);
	check_spoiled(p, wanted, "half");
	assert_int_equal(truncate(p->cache, 0), 0);
	check_spoiled(p, wanted, "empty");
	temp_text(p->dir, "a.db.cache", "this is no database, and long enough to be seen as something else");
	m = map_of(p, MAP_LAYERS, p->cache, &r);
	assert_true(same_places(m, wanted) && strstr(m->note, "a.db.cache.damaged"));
	check_spoiled(p, wanted, "text");
	snprintf(command, sizeof command, "cp '%s' '%s'", p->store, p->cache); /* a store is no cache */
	assert_int_equal(system(command), 0);
	check_spoiled(p, wanted, "of another program");
	assert_int_equal(unlink(p->cache), 0);
	assert_int_equal(mkdir(p->cache, 0777), 0);
	m = map_of(p, MAP_LAYERS, p->cache, &r);
	assert_true(same_places(m, wanted) && strstr(m->note, "not kept"));
	assert_int_equal(rmdir(p->cache), 0);
	m = map_of(p, MAP_LAYERS, "/nonexistent/folder/a.cache", &r);
	assert_true(same_places(m, wanted) && strstr(m->note, "not kept"));
}

/* The cache of another store under this one's name: what it knows is not here. */
static void of_another_store(void **state)
{
	struct site *p = *state, other = { .a = p->a };
	struct report *r;
	struct map *wanted;

	other.store = arena_printf(p->a, "%s/b.db", temp_dir());
	more(p, "first", 20, 5);
	more(&other, "first", 25, 77);
	wanted = map_of(p, MAP_STRUCTURE, NULL, &r);
	map_of(&other, MAP_STRUCTURE, p->cache, &r);
	assert_true(same_places(map_of(p, MAP_STRUCTURE, p->cache, &r), wanted));
	assert_true(same_places(map_of(p, MAP_STRUCTURE, p->cache, &r), wanted));
}

static void two_at_once(void **state)
{
	struct site *p = *state;
	struct report *r;
	struct map *wanted, *m;
	pid_t child[4];
	int most = omp_get_max_threads();

	omp_set_num_threads(1); /* this is the first test: a fork would lose a team of threads */
	more(p, "first", 24, 5);
	wanted = map_of(p, MAP_LAYERS, NULL, &r);
	for (int i = 0; i < 4; i++) {
		child[i] = fork();
		if (child[i] == 0)
			_exit(same_places(map_of(p, MAP_LAYERS, p->cache, &r), wanted) ? 0 : 1);
	}
	for (int i = 0; i < 4; i++) {
		int status;

		assert_int_equal(waitpid(child[i], &status, 0), child[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	m = map_of(p, MAP_LAYERS, p->cache, &r);
	assert_true(same_places(m, wanted) && m->computed == 0);
	omp_set_num_threads(most);
}

static void threads_change_nothing(void **state)
{
	struct site *p = *state;
	struct report *r;
	int most = omp_get_max_threads();

	more(p, "first", 30, 12);
	for (int k = 0; k < MAP_METRIC_COUNT; k++) {
		struct map *one, *two;

		omp_set_num_threads(1);
		one = map_of(p, (enum map_metric)k, NULL, &r);
		omp_set_num_threads(2);
		two = map_of(p, (enum map_metric)k, NULL, &r);
		assert_true(same_places(one, two));
	}
	omp_set_num_threads(most);
}

/* Part of a store is shown where the whole is. */
static void one_study(void **state)
{
	struct site *p = *state;
	struct report *all, *part;
	struct map *whole, *m;
	struct store *s;

	more(p, "first", 20, 5);
	more(p, "second", 10, 6);
	whole = map_of(p, MAP_STRUCTURE, p->cache, &all);
	OK(store_open(&s, p->store, STORE_READ, &bad));
	OK(report_gather(&part, s, &(struct gather_opts){ .study = 2 }, p->a, &bad));
	OK(map_models(&m, part, MAP_STRUCTURE, p->cache, p->a, &bad));
	store_close(s);
	assert_true(part->n_rows < all->n_rows && m->computed == 0);
	assert_true(moved(m, part, whole, all) == 0);
	/* and the other way round: what is not shown is looked up in the store */
	unlink(p->cache);
	OK(store_open(&s, p->store, STORE_READ, &bad));
	OK(report_gather(&part, s, &(struct gather_opts){ .study = 1 }, p->a, &bad));
	OK(map_models(&m, part, MAP_STRUCTURE, p->cache, p->a, &bad));
	store_close(s);
	more(p, "third", 5, 7);
	OK(store_open(&s, p->store, STORE_READ, &bad));
	OK(report_gather(&part, s, &(struct gather_opts){ .study = 3 }, p->a, &bad));
	OK(map_models(&m, part, MAP_STRUCTURE, p->cache, p->a, &bad));
	store_close(s);
	assert_true(m->n_placed == part->n_rows && m->n_landmarks < part->n_rows);
	assert_true(m->computed > 0);
}

static void landmarks(void **state)
{
	struct site *p = *state;
	struct report *r, *later;
	struct map *cold, *warm;

	made_store_add(p->store,
		       &(struct made_store){
			   .study = "first", .candidates = 1150, .seeds = 1, .epochs = 1, .examples = 500, .seed = 5 });
	cold = map_of(p, MAP_PREDICTIONS, p->cache, &r);
	assert_true(models(r, MAP_PREDICTIONS) > MAP_WHOLE);
	assert_int_equal(cold->n_landmarks, MAP_SETTLED);
	assert_true(cold->n_placed > MAP_WHOLE);
	assert_true(cold->computed < (int64_t)MAP_SETTLED * models(r, MAP_PREDICTIONS));
	warm = map_of(p, MAP_PREDICTIONS, p->cache, &r);
	assert_true(same_places(cold, warm) && warm->computed == 0);
	more(p, "second", 6, 6);
	warm = map_of(p, MAP_PREDICTIONS, p->cache, &later);
	assert_int_equal(warm->computed, (int64_t)MAP_SETTLED * (warm->n_placed - cold->n_placed));
	assert_true(moved(cold, r, warm, later) == 0);
}

/* ---- for scikit-learn ----------------------------------------------------------------------------------- */

static int dump(int count)
{
	static double d[16 * MOST * MOST];
	double x[4 * MOST][2], stress;
	struct rng r;

	rng_init(&r, test_seed(), 20);
	for (int i = 0; i < count; i++) {
		int n = 5 + (int)rng_below(&r, i % 8 ? MOST : 2 * MOST), kind = i % 3;

		space_between(d, n, 2 + (int)rng_below(&r, 9), &r);
		for (int a = 0; a < n; a++)
			for (int b = 0; b < a && kind; b++) /* shares and counts, as between models */
				d[a * n + b] = d[b * n + a] = kind == 1 ? tanh(d[a * n + b]) : floor(3 * d[a * n + b]);
		if (mds_map(x, NULL, d, n, &stress, &bad) < 0)
			return 1;
		printf("{\"n\": %d, \"stress\": %.17g, \"d\": [", n, stress);
		for (int k = 0; k < n * n; k++)
			printf("%s%.17g", k ? ", " : "", d[k]);
		puts("]}");
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(two_at_once, setup, teardown),
		cmocka_unit_test(exact_in_a_plane),
		cmocka_unit_test(placing_is_exact),
		cmocka_unit_test(degenerate),
		cmocka_unit_test(stress_never_rises),
		cmocka_unit_test(aligned),
		cmocka_unit_test_setup_teardown(every_metric, setup, teardown),
		cmocka_unit_test_setup_teardown(only_new_pairs, setup, teardown),
		cmocka_unit_test_setup_teardown(old_ones_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(placed_well, setup, teardown),
		cmocka_unit_test_setup_teardown(damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(of_another_store, setup, teardown),
		cmocka_unit_test_setup_teardown(threads_change_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(one_study, setup, teardown),
		cmocka_unit_test_setup_teardown(landmarks, setup, teardown),
	};

	if (argc > 2 && strcmp(argv[1], "--dump") == 0)
		return dump(atoi(argv[2]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
