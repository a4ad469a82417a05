/* tests/unit/test_stats_paired.c - comparing two arms: against brute force, published values and simulation. With
 * --dump N it prints N random cases of every function as JSON lines for tests/unit/stats_scipy.py instead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/stats.h"

static void near(double a, double b, double most)
{
	if (!(fabs(a - b) <= most))
		fail_msg("%.12g is not %.12g", a, b);
}

/* NIST/SEMATECH e-Handbook 1.3.6.7.2, and closed forms for 1 and 2 degrees of freedom. */
static void student(void **state)
{
	(void)state;
	for (double t = -40; t < 40; t += 0.37) {
		near(stats_t_p(t, 1), 1 - 2 / acos(-1) * atan(fabs(t)), 1e-13);
		near(stats_t_p(t, 2), 1 - fabs(t) / sqrt(2 + t * t), 1e-13);
		near(stats_t_p(t, INFINITY), erfc(fabs(t) / sqrt(2)), 1e-15);
	}
	near(stats_t_point(1), tan(0.95 * acos(-1) / 2), 1e-10);
	near(stats_t_point(2), 4.302652729696, 1e-10);
	near(stats_t_point(30), 2.042272456301, 1e-10);
	near(stats_t_point(INFINITY), 1.959963984540, 1e-10);
	for (double df = 0.2; df < 1e9; df *= 1.7) {
		near(stats_t_p(stats_t_point(df), df), 0.05, 1e-12);
		assert_true(stats_t_point(df * 1.7) < stats_t_point(df));
	}
	near(stats_t_p(2, 99999), stats_t_p(2, 100001), 1e-8); /* where the method changes */
	assert_true(stats_t_p(INFINITY, 3) == 0 && stats_t_p(0, 3) == 1);
	assert_true(isnan(stats_t_p(1, 0)) && isnan(stats_t_p((double)NAN, 3)) && isnan(stats_t_point(-1)));
}

/* All sign patterns of the middle ranks, counted one by one. */
static double wilcoxon_by_hand(const double *d, int n)
{
	double rank[16], size[16], seen = 0, all = 0;
	int m = 0, extreme = 0;
	bool up[16];

	for (int i = 0; i < n; i++)
		if (d[i] != 0) {
			size[m] = fabs(d[i]);
			up[m++] = d[i] > 0;
		}
	for (int i = 0; i < m; i++) {
		rank[i] = 0.5;
		for (int j = 0; j < m; j++)
			rank[i] += size[j] < size[i] ? 1 : size[j] == size[i] ? 0.5 : 0;
		all += rank[i];
		seen += up[i] ? rank[i] : 0;
	}
	for (int pattern = 0; pattern < 1 << m; pattern++) {
		double sum = 0;

		for (int i = 0; i < m; i++)
			sum += pattern >> i & 1 ? rank[i] : 0;
		extreme += fabs(sum - all / 2) >= fabs(seen - all / 2);
	}
	return m ? (double)extreme / (1 << m) : (double)NAN;
}

static void wilcoxon_by_enumeration(void **state)
{
	struct rng r;
	double d[12];

	(void)state;
	rng_init(&r, 11, 1);
	for (int k = 0; k < 600; k++) {
		int n = 1 + (int)rng_below(&r, 12), kinds = k % 3 == 0 ? 1000000 : 7;
		double hand;

		for (int i = 0; i < n; i++)
			d[i] = (double)rng_below(&r, (uint32_t)kinds) - kinds / 3;
		hand = wilcoxon_by_hand(d, n);
		if (isnan(hand))
			assert_true(isnan(stats_wilcoxon(d, n)));
		else
			near(stats_wilcoxon(d, n), hand, 1e-14);
	}
}

static void wilcoxon_at_its_edges(void **state)
{
	static const double rounded[] = { 0.91 - 0.90, 0.80 - 0.81, 0.71 - 0.70, 0.3 - 0.1 - 0.2 };
	static const double whole[] = { 1, -1, 1, 0 };
	double d[60];

	(void)state;
	for (int i = 0; i < 60; i++)
		d[i] = i + 1;
	for (int n = 1; n <= 50; n++)
		near(stats_wilcoxon(d, n), fmin(1, stats_wilcoxon_least(n)), 1e-15);
	near(stats_wilcoxon_least(5), 0.0625, 0);
	near(stats_wilcoxon_least(1), 1, 0);
	near(stats_wilcoxon_least(0), 1, 0);
	assert_true(isnan(stats_wilcoxon(d, 0)));
	/* what only rounding tells apart is tied, what only rounding tells from zero is zero */
	near(stats_wilcoxon(rounded, 4), stats_wilcoxon(whole, 4), 1e-15);
	/* 51 pairs: the sum 26 below its mean of 663, and the largest */
	for (int i = 0; i < 51; i++)
		d[i] = i % 4 == 0 || i % 4 == 3 ? i + 1 : -(i + 1);
	near(stats_wilcoxon(d, 51), erfc(26 / sqrt(2 * 51.0 * 52 * 103 / 24)), 1e-14);
	for (int i = 0; i < 51; i++)
		d[i] = i + 1;
	near(stats_wilcoxon(d, 51), erfc(663 / sqrt(2 * 51.0 * 52 * 103 / 24)), 1e-16);
}

static void mcnemar(void **state)
{
	static const signed char y[] = { 1, 0, -1, 0, 1, /**/ 1, 0, -1, 1, -1, /**/ 0, 0, 1, -1, -1 };
	double fact = 1;

	(void)state;
	near(stats_mcnemar(0, 0), 1, 0);
	near(stats_mcnemar(5, 5), 1, 0);
	near(stats_mcnemar(0, 6), 2.0 / 64, 1e-15);
	near(stats_mcnemar(2, 8), 2 * (1 + 10 + 45) / 1024.0, 1e-15);
	near(stats_mcnemar(8, 2), stats_mcnemar(2, 8), 0);
	for (int n = 1; n < 60; n++) { /* 2 P(X = 0) */
		fact *= 0.5;
		near(stats_mcnemar(n, 0) / fact, 2, 1e-11);
	}
	assert_true(stats_mcnemar(5000000, 5010000) < 0.01 && stats_mcnemar(5000000, 5001000) > 0.5);
	/* sums per example: 2, 0, -1, 0, -1 */
	near(stats_mcnemar_seeds(y, 3, 5), stats_mcnemar(1, 2), 0);
	near(stats_mcnemar_seeds(y, 1, 5), stats_mcnemar(2, 1), 0);
}

/* Holm, Scandinavian Journal of Statistics 6 (1979): the example of section 3 by hand. */
static void holm(void **state)
{
	double p[] = { 0.04, (double)NAN, 0.01, 0.03, 0.005 }, one = 0.2;

	(void)state;
	stats_holm(p, 5);
	near(p[4], 0.02, 1e-15);
	near(p[2], 0.03, 1e-15);
	near(p[3], 0.06, 1e-15);
	near(p[0], 0.06, 1e-15); /* never below one that came before */
	assert_true(isnan(p[1]));
	stats_holm(&one, 1);
	near(one, 0.2, 0);
	stats_holm(p, 0);
}

static void cliff(void **state)
{
	static const double a[] = { 0.9, 0.7, 0.8 }, b[] = { 0.7, 0.6, 0.8, 0.95 };

	(void)state;
	near(stats_cliff(a, 3, b, 4), (3 + 1 + 2 - 1 - 2 - 1) / 12.0, 1e-15);
	near(stats_cliff(b, 4, a, 3), -stats_cliff(a, 3, b, 4), 0);
	near(stats_cliff(a, 3, a, 3), 0, 0);
	assert_true(isnan(stats_cliff(a, 3, b, 0)));
	assert_string_equal(stats_cliff_word(-0.146), "negligible");
	assert_string_equal(stats_cliff_word(0.147), "small");
	assert_string_equal(stats_cliff_word(-0.4), "medium");
	assert_string_equal(stats_cliff_word(1), "large");
	assert_string_equal(stats_cliff_word((double)NAN), "unknown");
}

/* The components that the mean squares must give, from means subtracted cell by cell. */
static void components_by_hand(double out[3], const signed char *y, int seeds, int n)
{
	double all = 0, of_seed[8] = { 0 }, of_example[64] = { 0 }, ms[3] = { 0 };

	for (int s = 0; s < seeds; s++)
		for (int i = 0; i < n; i++) {
			all += y[s * n + i] / (double)(seeds * n);
			of_seed[s] += y[s * n + i] / (double)n;
			of_example[i] += y[s * n + i] / (double)seeds;
		}
	for (int s = 0; s < seeds; s++)
		ms[0] += n * pow(of_seed[s] - all, 2) / (seeds - 1);
	for (int i = 0; i < n; i++)
		ms[1] += seeds * pow(of_example[i] - all, 2) / (n - 1);
	for (int s = 0; s < seeds; s++)
		for (int i = 0; i < n; i++)
			ms[2] += pow(y[s * n + i] - of_seed[s] - of_example[i] + all, 2) / (seeds - 1) / (n - 1);
	out[0] = fmax(ms[0] - ms[2], 0) / n;
	out[1] = fmax(ms[1] - ms[2], 0) / seeds;
	out[2] = ms[2];
}

static void fill(signed char *y, int cells, struct rng *r)
{
	double differs = rng_real(r), up = rng_real(r);

	for (int i = 0; i < cells; i++)
		y[i] = rng_real(r) > differs ? 0 : rng_real(r) < up ? 1 : -1;
}

static void crossed_components(void **state)
{
	signed char y[8 * 64], other[8 * 64];
	struct stats_effect e, m;
	double hand[3];
	struct rng r;

	(void)state;
	rng_init(&r, 12, 1);
	for (int k = 0; k < 300; k++) {
		int seeds = 2 + (int)rng_below(&r, 7), n = 2 + (int)rng_below(&r, 63);

		fill(y, seeds * n, &r);
		stats_crossed(&e, y, seeds, n);
		components_by_hand(hand, y, seeds, n);
		near(e.seed, hand[0], 1e-12);
		near(e.example, hand[1], 1e-12);
		near(e.rest, hand[2], 1e-12);
		near((e.low + e.high) / 2, e.mean, 1e-12);
		assert_true(e.high > e.low && e.df >= seeds - 1.0 - 1e-9);
		assert_int_equal(e.p<0.05, e.low> 0 || e.high < 0);
		assert_int_equal(e.reliable, e.doubt == NULL);
		for (int i = 0; i < seeds * n; i++) /* the mirror image */
			other[i] = (signed char)-y[i];
		stats_crossed(&m, other, seeds, n);
		assert_true(m.low == -e.high && m.high == -e.low && m.p == e.p && m.df == e.df);
		for (int i = 0; i < seeds * n; i++) /* another order of seeds and examples */
			other[i] = y[(seeds - 1 - i / n) * n + (n - 1 - i % n)];
		stats_crossed(&m, other, seeds, n);
		near(m.low, e.low, 1e-12);
	}
}

/* What the interval becomes where only one source varies. */
static void crossed_limits(void **state)
{
	static signed char y[5 * 1000];
	double means[5], sd, mean;
	struct stats_effect e, t;
	struct rng r;

	(void)state;
	rng_init(&r, 13, 1);
	for (int i = 0; i < 5000; i++) /* nothing but rest: seeds' means are all there is */
		y[i] = (signed char)((int)rng_below(&r, 3) - 1);
	for (int s = 0; s < 5; s++) {
		means[s] = 0;
		for (int i = 0; i < 1000; i++)
			means[s] += y[s * 1000 + i] / 1000.0;
	}
	stats_crossed(&e, y, 5, 1000);
	stats_paired_t(&t, means, 5);
	near(e.mean, t.mean, 1e-12);
	near(e.high - e.low, t.high - t.low, 0.15 * (t.high - t.low));
	near(e.rest, 2.0 / 3, 0.05);
	for (int i = 0; i < 5000; i++) /* nothing but examples: every seed the same */
		y[i] = y[i % 1000];
	stats_crossed(&e, y, 5, 1000);
	for (int s = 1; s < 5; s++)
		means[s] = means[0];
	mean = means[0];
	sd = sqrt((2.0 / 3 - mean * mean) / 1000);
	near(e.error, sd, 0.02 * sd);
	near(e.high - e.mean, 1.96 * e.error, 0.01 * e.error);
	assert_true(e.reliable);
	stats_paired_t(&t, means, 5); /* no spread: no test */
	assert_true(isnan(t.p) && t.low == t.high);
}

/* The p of the interval's own point is 5 %, with one source it is Student's or the normal one, and it falls steadily.
 */
static void crossed_p(void **state)
{
	static signed char y[4 * 300], all[4 * 300];
	struct stats_effect e;
	struct rng r;

	(void)state;
	rng_init(&r, 21, 1);
	for (int k = 0; k < 200; k++) {
		int seeds = 2 + k % 3;

		fill(y, seeds * 300, &r);
		stats_crossed(&e, y, seeds, 300);
		assert_true(e.p >= 0 && e.p <= 1);
		if (e.mean != 0 && fabs(e.mean) - (e.high - e.mean) > 0)
			assert_true(e.p < 0.05);
		/* never below what a known spread would give, never above what the seeds alone would */
		assert_true(e.p > 0.04 || e.p >= stats_t_p(e.mean / e.error, INFINITY) * (1 - 1e-9));
		assert_true(e.p >= 0.05 || e.p <= stats_t_p(e.mean / e.error, seeds - 1) * (1 + 1e-9));
	}
	for (int i = 0; i < 300; i++) /* nothing but examples */
		for (int s = 0; s < 4; s++)
			all[s * 300 + i] = (signed char)(i % 10 == 0 ? -1 : i % 10 < 3);
	stats_crossed(&e, all, 4, 300);
	near(e.p, stats_t_p(e.mean / e.error, INFINITY), 0.06 * e.p);
	for (int i = 0; i < 1200; i++) /* one arm is right alone on most examples */
		y[i] = (signed char)(rng_below(&r, 5) > 0);
	stats_crossed(&e, y, 4, 300);
	assert_true(e.p < 1e-3);
}

static void crossed_says_when_not_to_trust(void **state)
{
	static signed char y[4 * 100];
	struct stats_effect e;

	(void)state;
	stats_crossed(&e, y, 4, 100); /* identical arms: the interval still has a width, and p is 1 */
	assert_true(e.mean == 0 && e.p == 1 && e.low < 0 && e.high > 0 && !e.reliable);
	assert_non_null(strstr(e.doubt, "10 examples"));
	for (int s = 0; s < 4; s++)
		y[s * 100] = 1; /* one example, the same for all seeds: no reason to believe in a difference */
	stats_crossed(&e, y, 4, 100);
	assert_true(e.p > 0.05 && !e.reliable);
	for (int i = 0; i < 400; i++)
		y[i] = (i * 7 % 100) < 12 ? 1 : (i * 3 % 100) < 10 ? -1 : 0;
	stats_crossed(&e, y, 3, 100);
	assert_true(e.reliable && !e.doubt);
	stats_crossed(&e, y, 2, 100);
	assert_string_equal(e.doubt, "fewer than 3 seeds");
	stats_crossed(&e, y, 1, 100);
	assert_true(!e.reliable && e.seed == 0 && e.low < e.mean && e.df == 99);
	assert_non_null(strstr(e.doubt, "one seed"));
	stats_crossed(&e, y, 1, 1);
	assert_true(isnan(e.low) && isnan(e.high));
}

static void paired_t(void **state)
{
	static const double d[] = { 1, 2, (double)NAN, 3, 6 };
	struct stats_effect e;

	(void)state;
	stats_paired_t(&e, d, 5); /* mean 3, sd sqrt(14 / 3), 3 degrees of freedom */
	near(e.mean, 3, 1e-12);
	near(e.error, sqrt(14.0 / 12), 1e-12);
	near(e.high - 3, 3.182446305284 * sqrt(14.0 / 12), 1e-9);
	assert_true(e.df == 3 && e.reliable);
	stats_paired_t(&e, d, 2);
	assert_true(!e.reliable && e.low < 1 && e.high > 2);
	stats_paired_t(&e, d, 1);
	assert_true(e.mean == 1 && isnan(e.low) && isnan(e.p) && !e.reliable);
	stats_paired_t(&e, d, 0);
	assert_true(isnan(e.mean) && isnan(e.low));
	stats_paired_t(&e, (const double[]){ 0, 0, 0 }, 3);
	assert_true(e.p == 1 && e.low == 0 && e.high == 0);
}

/* The difference named is found in 80 % of simulated comparisons in normal theory. */
static void detectable(void **state)
{
	static const struct {
		int seeds, n;
		double sd, disagree;
	} t[] = { { 2, 1000, 0.005, 0.05 }, { 3, 10000, 0.01, 0.01 }, { 5, 2000, 0.004, 0.1 }, { 8, 500, 0, 0.1 } };
	struct rng r;

	(void)state;
	rng_init(&r, 14, 1);
	for (size_t k = 0; k < sizeof t / sizeof *t; k++) {
		double mu = stats_detectable(t[k].seeds, t[k].n, t[k].sd, t[k].disagree), d[8];
		double examples = t[k].disagree / t[k].n;
		int found = 0;

		for (int rep = 0; rep < 4000; rep++) {
			double mean, sd, shift = sqrt(examples) * rng_normal(&r), v, df, share;

			for (int s = 0; s < t[k].seeds; s++)
				d[s] = mu + shift + t[k].sd * rng_normal(&r);
			stats_mean(d, t[k].seeds, &mean, &sd);
			v = sd * sd / t[k].seeds;
			share = v / (v + examples * (t[k].seeds - 1) / (t[k].seeds + 1));
			df = (t[k].seeds - 1) / (share * share);
			found += mean > stats_t_point(df) * sqrt(v + examples);
		}
		near(found / 4000.0, 0.8, 0.022);
	}
	assert_true(stats_detectable(6, 1000, 0.01, 0.1) < stats_detectable(5, 1000, 0.01, 0.1));
	assert_true(stats_detectable(5, 2000, 0.01, 0.1) < stats_detectable(5, 1000, 0.01, 0.1));
	assert_true(isnan(stats_detectable(1, 1000, 0.01, 0.1)));
	for (int s = 3; s < 12; s++)
		assert_int_equal(stats_seeds_needed(stats_detectable(s, 5000, 0.01, 0.02) + 1e-6, 5000, 0.01, 0.02), s);
	assert_int_equal(stats_seeds_needed(0.001, 100, 0.01, 0.1), 0);
}

static void dump_list(const char *name, const double *v, int n)
{
	printf(", \"%s\": [", name);
	for (int i = 0; i < n; i++)
		printf("%s%.17g", i ? ", " : "", v[i]);
	printf("]");
}

static void number(const char *name, double v)
{
	printf(isnan(v) ? ", \"%s\": null" : ", \"%s\": %.17g", name, v);
}

static void dump_case(struct rng *r)
{
	double d[80], b[80], p[20], t = rng_normal(r) * exp(3 * rng_normal(r)), df = exp(12 * rng_real(r) - 1);
	int n = 2 + (int)rng_below(r, rng_below(r, 4) ? 20 : 78), m = 1 + (int)rng_below(r, 20);
	int steps = rng_below(r, 2) ? 4 : 1000000;
	int64_t x = rng_below(r, 1u << rng_below(r, 18)), y = rng_below(r, 1u << rng_below(r, 18));
	struct stats_effect e;

	for (int i = 0; i < n; i++) {
		d[i] = (double)((int)rng_below(r, (uint32_t)(2 * steps + 1)) - steps) / steps + 0.25;
		b[i] = (double)((int)rng_below(r, (uint32_t)(2 * steps + 1)) - steps) / steps;
	}
	for (int i = 0; i < m; i++)
		p[i] = pow(rng_real(r), 3);
	stats_paired_t(&e, d, n);
	printf("{\"x\": %lld, \"y\": %lld", (long long)x, (long long)y);
	dump_list("d", d, n);
	dump_list("b", b, n / 2);
	dump_list("p", p, m);
	stats_holm(p, m);
	dump_list("holm", p, m);
	number("t", t);
	number("df", df);
	number("t_p", stats_t_p(t, df));
	number("t_point", stats_t_point(df));
	number("wilcoxon", stats_wilcoxon(d, n));
	number("mcnemar", stats_mcnemar(x, y));
	number("cliff", stats_cliff(d, n, b, n / 2));
	number("low", e.low);
	number("high", e.high);
	number("p_t", e.p);
	printf("}\n");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(student),
		cmocka_unit_test(wilcoxon_by_enumeration),
		cmocka_unit_test(wilcoxon_at_its_edges),
		cmocka_unit_test(mcnemar),
		cmocka_unit_test(holm),
		cmocka_unit_test(cliff),
		cmocka_unit_test(crossed_components),
		cmocka_unit_test(crossed_limits),
		cmocka_unit_test(crossed_p),
		cmocka_unit_test(crossed_says_when_not_to_trust),
		cmocka_unit_test(paired_t),
		cmocka_unit_test(detectable),
	};
	struct rng r;

	if (argc == 3 && !strcmp(argv[1], "--dump")) {
		rng_init(&r, 15, 1);
		for (int i = 0; i < atoi(argv[2]); i++)
			dump_case(&r);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
