/* tests/long/test_coverage.c - what the intervals and the corrected p-values of comparisons are worth, by simulation.
 * With --markdown it prints the tables of docs/measurements/coverage.md instead. About a minute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/stats.h"
#include "tests/helper_arms.h"

enum { REPS = 2000, RESAMPLES = 200, CHILDREN = 10 };

/* From seed-dominated to example-dominated, and where the rest rules, which is a seed's own luck with an example. */
static const struct arms_design designs[] = {
	{ "seeds", 10000, 0.90, 0.01, 0.02, 0.10, 0.02, 0.10 },
	{ "seeds", 1000, 0.85, 0.02, 0.05, 0.20, 0.05, 0.20 },
	{ "seeds", 200, 0.70, 0.05, 0.10, 0.40, 0.05, 0.20 },
	{ "seeds and examples", 1000, 0.85, 0.02, 0.03, 0.05, 0.30, 0.20 },
	{ "seeds and examples, large effect", 500, 0.60, 0.30, 0.05, 0.10, 0.40, 0.40 },
	{ "all three", 1000, 0.80, 0.03, 0.03, 0.03, 0.25, 0.40 },
	{ "all three", 200, 0.80, 0.05, 0.05, 0.10, 0.25, 0.40 },
	{ "all three, no effect", 1000, 0.90, 0, 0.02, 0.03, 0.20, 0.30 },
	{ "rest", 1000, 0.85, 0.02, 0, 0, 0, 0.60 },
	{ "rest", 200, 0.90, 0.02, 0, 0, 0, 0.40 },
	{ "examples", 5000, 0.90, 0.01, 0, 0.005, 0.40, 0.10 },
	{ "examples", 1000, 0.80, 0.05, 0, 0, 0.50, 0.05 },
	{ "examples", 200, 0.80, 0.05, 0, 0, 0.50, 0.05 },
};
/* Fewer than 10 differing examples per seed: the table marks such intervals. */
static const struct arms_design near_equal[] = {
	{ "examples, no effect", 1000, 0.90, 0, 0, 0, 0.02, 0.005 },
	{ "examples, no effect", 200, 0.90, 0, 0, 0, 0.10, 0.01 },
	{ "rest, no effect", 1000, 0.90, 0, 0, 0, 0, 0.02 },
	{ "rest, no effect", 200, 0.90, 0, 0, 0, 0, 0.03 },
	{ "examples and rest, no effect", 200, 0.95, 0, 0, 0, 0.03, 0.03 },
	{ "examples", 500, 0.90, 0.01, 0, 0, 0.01, 0.01 },
	{ "examples", 200, 0.90, 0.02, 0, 0, 0.05, 0.01 },
	{ "examples and rest", 200, 0.90, 0.03, 0, 0, 0.05, 0.05 },
	{ "rest", 200, 0.90, 0.02, 0, 0, 0, 0.10 },
};
static const struct arms_design families[] = {
	{ "seeds", 1000, 0.85, 0.04, 0.05, 0.20, 0.05, 0.20 },
	{ "all three", 1000, 0.90, 0.03, 0.02, 0.03, 0.20, 0.30 },
	{ "all three", 200, 0.80, 0.05, 0.05, 0.10, 0.25, 0.40 },
	{ "rest", 1000, 0.85, 0.02, 0, 0, 0, 0.60 },
	{ "examples", 1000, 0.80, 0.05, 0, 0, 0.50, 0.05 },
	{ "nearly equal", 1000, 0.90, 0.005, 0, 0, 0.02, 0.02 },
};
static const int seeds[] = { 2, 3, 4, 5, 7, 10 };
enum {
	DESIGNS = sizeof designs / sizeof *designs,
	NEAR = sizeof near_equal / sizeof *near_equal,
	FAMILIES = sizeof families / sizeof *families,
	SEEDS = sizeof seeds / sizeof *seeds
};

static bool markdown;
static signed char *right[ARMS_MOST], *y;

struct tally {
	int covered, reliable;
	double width, differ, seed, example, rest; /* means */
};

static bool covers(double mean, double half, double mu)
{
	return fabs(mean - mu) <= half;
}

static void coverage(struct tally *t, const struct arms_design *d, int n_seeds, int reps)
{
	struct stats_effect e;
	struct rng r;

	*t = (struct tally){ 0 };
	rng_init(&r, (uint64_t)(d->n + n_seeds), 16);
	for (int k = 0; k < reps; k++) {
		double all;

		arms_draw(right, d, 2, 2, n_seeds, &r);
		arms_subtract(y, right[1], right[0], n_seeds * d->n);
		stats_crossed(&e, y, n_seeds, d->n);
		t->covered += e.low <= d->effect && d->effect <= e.high;
		t->reliable += e.reliable;
		t->width += (e.high - e.low) / reps;
		for (int i = 0; i < n_seeds * d->n; i++)
			t->differ += y[i] ? 1.0 / reps / n_seeds : 0;
		all = e.seed / n_seeds + e.example / d->n + e.rest / n_seeds / d->n;
		t->seed += all > 0 ? e.seed / n_seeds / all / reps : 0;
		t->example += all > 0 ? e.example / d->n / all / reps : 0;
		t->rest += all > 0 ? e.rest / n_seeds / d->n / all / reps : 0;
	}
}

static void print_head(void)
{
	printf("\n| what dominates | examples | true difference | differ per seed | variance at 5 seeds: seeds, "
	       "examples, rest |");
	for (int k = 0; k < SEEDS; k++)
		printf(" %d seeds |", seeds[k]);
	printf("\n|---|---|---|---|---|");
	for (int k = 0; k < SEEDS; k++)
		printf("---|");
	printf("\n");
}

static void print_row(const struct arms_design *d, const struct tally *t)
{
	const struct tally *five = &t[3];

	printf("| %s | %d | %.1f points | %.0f | %.0f, %.0f, %.0f %% |", d->name, d->n, 100 * d->effect, five->differ,
	       100 * five->seed, 100 * five->example, 100 * five->rest);
	for (int k = 0; k < SEEDS; k++)
		printf(t[k].reliable * 2 > REPS ? " %.1f %% |" : " (%.1f %%) |", 100.0 * t[k].covered / REPS);
	printf("\n");
}

/* 93 to 97 % where the interval says that it is reliable. */
static void intervals_cover(void **state)
{
	struct tally t[SEEDS];

	(void)state;
	if (markdown)
		print_head();
	for (int i = 0; i < DESIGNS; i++) {
		for (int k = 0; k < SEEDS; k++) {
			coverage(&t[k], &designs[i], seeds[k], REPS);
			assert_int_equal(t[k].reliable * 2 > REPS, seeds[k] >= STATS_LEAST_SEEDS);
			if (seeds[k] < STATS_LEAST_SEEDS)
				continue;
			if (t[k].covered < 0.93 * REPS || t[k].covered > 0.97 * REPS)
				fail_msg("%s, %d examples, %d seeds: %d of %d", designs[i].name, designs[i].n, seeds[k],
					 t[k].covered, REPS);
		}
		if (markdown)
			print_row(&designs[i], t);
	}
}

/* Hardly any examples to go by: marked as not reliable, and still not far off below. */
static void intervals_of_near_equals_are_marked(void **state)
{
	struct tally t[SEEDS];

	(void)state;
	if (markdown)
		print_head();
	for (int i = 0; i < NEAR; i++) {
		for (int k = 0; k < SEEDS; k++) {
			coverage(&t[k], &near_equal[i], seeds[k], REPS);
			assert_true(t[k].reliable * 2 < REPS && t[k].covered > 0.91 * REPS);
		}
		if (markdown)
			print_row(&near_equal[i], t);
	}
}

/* ---- other methods, for the choice ---- */

enum { OURS, SATTERTHWAITE, BOOTSTRAP, SEEDS_ALONE, EXAMPLES_ALONE, METHODS };

/* (MS_s + MS_e - MS_r) / (S n), and Satterthwaite's degrees of freedom of the three. */
static double half_satterthwaite(const struct stats_effect *e, const double *means, int n_seeds, int n)
{
	double mean, sd, s, x, v;

	stats_mean(means, n_seeds, &mean, &sd);
	s = sd * sd * n;
	x = e->example * n_seeds + e->rest;
	v = fmax(s + x - e->rest, 0);
	if (!(v > 0))
		return 0;
	return sqrt(v / n_seeds / n) *
	       stats_t_point(v * v /
			     (s * s / (n_seeds - 1) + x * x / (n - 1) + e->rest * e->rest / (n_seeds - 1) / (n - 1)));
}

/* The pigeonhole bootstrap (Owen 2007): seeds and examples drawn with replacement, independently; its standard
 * deviation widened by sqrt(S / (S - 1)) and by Student's t. */
static double half_bootstrap(int n_seeds, int n, double mean, struct rng *r)
{
	static int weight[ARMS_MOST_EXAMPLES];
	double sum = 0, of[ARMS_MOST_SEEDS];

	for (int b = 0; b < RESAMPLES; b++) {
		double m = 0;

		memset(weight, 0, sizeof *weight * (size_t)n);
		for (int i = 0; i < n; i++)
			weight[rng_below(r, (uint32_t)n)]++;
		for (int s = 0; s < n_seeds; s++) {
			int w = 0;

			for (int i = 0; i < n; i++)
				w += weight[i] * y[s * n + i];
			of[s] = (double)w / n;
		}
		for (int s = 0; s < n_seeds; s++)
			m += of[rng_below(r, (uint32_t)n_seeds)] / n_seeds;
		sum += (m - mean) * (m - mean);
	}
	return stats_t_point(n_seeds - 1) * sqrt(sum / RESAMPLES * n_seeds / (n_seeds - 1));
}

static void methods_of(double half[METHODS], struct stats_effect *e, int n_seeds, int n, struct rng *r)
{
	struct stats_effect other;
	double means[ARMS_MOST_SEEDS];

	stats_crossed(e, y, n_seeds, n);
	for (int s = 0; s < n_seeds; s++) {
		stats_crossed(&other, y + s * n, 1, n);
		means[s] = other.mean;
	}
	half[OURS] = e->high - e->mean;
	half[SATTERTHWAITE] = half_satterthwaite(e, means, n_seeds, n);
	half[BOOTSTRAP] = half_bootstrap(n_seeds, n, e->mean, r);
	stats_paired_t(&other, means, n_seeds);
	half[SEEDS_ALONE] = other.high - other.mean;
	half[EXAMPLES_ALONE] = stats_t_point(INFINITY) * sqrt(e->example / n + e->rest / n / n_seeds);
}

static void compare_methods(const struct arms_design *d, int n_seeds)
{
	int covered[METHODS] = { 0 };
	struct stats_effect e;
	struct rng r;

	rng_init(&r, (uint64_t)(d->n + n_seeds), 17);
	for (int k = 0; k < REPS; k++) {
		double half[METHODS];

		arms_draw(right, d, 2, 2, n_seeds, &r);
		arms_subtract(y, right[1], right[0], n_seeds * d->n);
		methods_of(half, &e, n_seeds, d->n, &r);
		for (int m = 0; m < METHODS; m++)
			covered[m] += covers(e.mean, half[m], d->effect);
	}
	printf("| %s | %d | %d |", d->name, d->n, n_seeds);
	for (int m = 0; m < METHODS; m++)
		printf(" %.1f %% |", 100.0 * covered[m] / REPS);
	printf("\n");
}

static void print_methods(void)
{
	static const int which[] = { 1, 3, 5, 6, 8, 9, 11 };

	printf("\n| what dominates | examples | seeds | nab | Satterthwaite | bootstrap, corrected | seeds alone (t) | "
	       "examples alone |\n|---|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < sizeof which / sizeof *which; i++)
		for (int k = 1; k < SEEDS; k += 2)
			compare_methods(&designs[which[i]], seeds[k]);
}

/* ---- families ---- */

/* Families of 10 children against one parent in which Holm's correction lets one of those without effect through. */
static int wrong_families(const struct arms_design *d, int with_effect, int n_seeds, int reps)
{
	struct stats_effect e;
	struct rng r;
	int wrong = 0;

	rng_init(&r, (uint64_t)(d->n + n_seeds), 18);
	for (int k = 0; k < reps; k++) {
		double p[CHILDREN];
		bool any = false;

		arms_draw(right, d, CHILDREN + 1, with_effect + 1, n_seeds, &r);
		for (int c = 0; c < CHILDREN; c++) {
			arms_subtract(y, right[c + 1], right[0], n_seeds * d->n);
			stats_crossed(&e, y, n_seeds, d->n);
			p[c] = e.p;
		}
		stats_holm(p, CHILDREN);
		for (int c = with_effect; c < CHILDREN; c++)
			any |= p[c] <= 0.05;
		wrong += any;
	}
	return wrong;
}

static void families_hold(void **state)
{
	static const int of[] = { 1, 3, 5 }; /* 3, 5, 10 seeds */

	(void)state;
	if (markdown)
		printf("\n| what dominates | examples | children with an effect | 3 seeds | 5 seeds | 10 seeds |\n"
		       "|---|---|---|---|---|---|\n");
	for (int i = 0; i < FAMILIES; i++)
		for (int with = 0; with <= 5; with += 5) {
			if (markdown)
				printf("| %s | %d | %d of 10 |", families[i].name, families[i].n, with);
			for (int k = 0; k < 3; k++) {
				int wrong = wrong_families(&families[i], with, seeds[of[k]], REPS);

				if (markdown)
					printf(" %.1f %% |", 100.0 * wrong / REPS);
				/* 5 % and three standard errors of the simulation */
				assert_true(wrong <= REPS * (0.05 + 3 * sqrt(0.05 * 0.95 / REPS)));
			}
			if (markdown)
				printf("\n");
		}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(intervals_cover),
		cmocka_unit_test(intervals_of_near_equals_are_marked),
		cmocka_unit_test(families_hold),
	};
	int rc;

	markdown = argc == 2 && !strcmp(argv[1], "--markdown");
	y = mem_new(ARMS_MOST_SEEDS * ARMS_MOST_EXAMPLES);
	for (int a = 0; a < ARMS_MOST; a++)
		right[a] = mem_new(ARMS_MOST_SEEDS * ARMS_MOST_EXAMPLES);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	if (markdown)
		print_methods();
	for (int a = 0; a < ARMS_MOST; a++)
		mem_free(right[a]);
	mem_free(y);
	return rc;
}
