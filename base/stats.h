/* base/stats.h - small statistics: what a measured accuracy is worth. */
#ifndef NAB_BASE_STATS_H
#define NAB_BASE_STATS_H

#include <stdbool.h>
#include <stdint.h>

/* 95 % score interval of a share p seen in n trials (Wilson 1927; Newcombe 1998, method 3). NAN for n < 1. */
void stats_wilson(double p, int64_t n, double *low, double *high);

/* 97.5 % point of Student's t with df degrees of freedom (two-sided 95 %). */
double stats_t95(int df);

/* Of v[0..n): mean, and standard deviation with n - 1 (NAN for n < 2). NAN entries are not counted; returns how many
 * were. */
int stats_mean(const double *v, int n, double *mean, double *sd);

/* An interval for the mean accuracy of several seeds on one set of n examples: the examples' half-widths (Wilson) and
 * the seeds' (t, from the standard deviation sd between seeds, known with df degrees of freedom) added in quadrature,
 * since either may have fallen out well by chance. df 0: the spread is not known; Wilson's alone. */
void stats_interval(double mean, int seeds, double sd, int df, int64_t n, double *low, double *high);

/* ---- comparing two arms on the same seeds and the same examples ---------------------------------------------------
 *
 * Seeds and examples are crossed: every seed's model is judged on the same examples. The difference of seed s on
 * example i is y[s][i] = mu + seed_s + example_i + rest_si; an interval for mu must hold for other seeds and other
 * examples.
 */

enum {
	STATS_LEAST_SEEDS = 3,    /* from here on the interval covers, docs/measurements/coverage.md */
	STATS_LEAST_DIFFERS = 10, /* examples per seed on which two arms must differ for it */
	STATS_MOST_SEEDS = 100    /* that anybody would think of training */
};

struct stats_effect {
	double mean;                /* of the differences */
	double low, high;           /* 95 % interval for mu */
	double error, df;           /* standard error and the degrees of freedom behind it */
	double p;                   /* two-sided, for mu = 0: below 0.05 just when the interval excludes 0 */
	double seed, example, rest; /* variance components, not negative */
	bool reliable;              /* the interval covers 95 % by simulation, whatever dominates */
	const char *doubt;          /* why it is not reliable, for a note under the table; or NULL */
};

/* y: [seeds][n] row by row, differences of 0/1 correctness (-1, 0, 1). seeds >= 1, n >= 1; with one seed the seeds'
 * variance is unknown: the interval is over examples alone, and not reliable. NAN for one example too. The method:
 * base/stats_crossed.c, its simulated coverage: docs/measurements/coverage.md. */
void stats_crossed(struct stats_effect *out, const signed char *y, int seeds, int64_t n);
/* The same where only the means of the seeds are known (no examples): paired t over seeds. NAN entries are left out.
 * p is NAN where all differences are the same but not zero, and the interval has no width. */
void stats_paired_t(struct stats_effect *out, const double *d, int n);

/* Exact two-sided Wilcoxon signed-rank test (Wilcoxon 1945): zeros and NANs are left out, ties get middle ranks, the
 * null distribution is enumerated (n <= 50, beyond it the normal approximation with tie correction). Differences that
 * are equal but for rounding (1e-9 of their size) are ties. NAN if nothing is left. */
double stats_wilcoxon(const double *d, int n);
/* The least p that it can give with n pairs: 2 / 2^n, at most 1. */
double stats_wilcoxon_least(int n);

/* McNemar's exact test (binomial, two-sided): b and c are the counts of discordant pairs. 1 if there are none. */
double stats_mcnemar(int64_t b, int64_t c);
/* The same over several seeds: discordant counts of every seed are summed per example first (majority of the seeds), so
 * that examples are counted once. y as above. */
double stats_mcnemar_seeds(const signed char *y, int seeds, int64_t n);

/* p-values adjusted for n comparisons (Holm 1979), in place, order kept; NAN entries are not comparisons. */
void stats_holm(double *p, int n);

/* Cliff's delta of a against b (Cliff 1993): share of pairs a > b less that of a < b, -1 .. 1. NAN if one is empty. */
double stats_cliff(const double *a, int n_a, const double *b, int n_b);
/* "negligible", "small", "medium", "large" (Romano et al. 2006: 0.147, 0.33, 0.474). */
const char *stats_cliff_word(double delta);

/* Two-sided p of Student's t with (fractional) df, and the point for a two-sided 95 % interval. */
double stats_t_p(double t, double df);
double stats_t_point(double df);

/* The smallest difference in accuracy that `seeds` seeds on n examples are likely (80 %) to show at 5 %, given the
 * standard deviation between seeds of a difference and the share of examples on which two models disagree (the same
 * ones for every seed: the worst case). In normal theory. NAN for one seed. */
double stats_detectable(int seeds, int64_t n, double seed_sd, double disagree);
/* The least number of seeds that is likely to show the difference; 0: not even STATS_MOST_SEEDS would. */
int stats_seeds_needed(double difference, int64_t n, double seed_sd, double disagree);

#endif
