/* base/stats_ranks.c - tests that need no distribution: signed ranks, dominance; and Holm's correction. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/stats.h"

enum { EXACT = 50 }; /* pairs; the counts of 2^50 sign patterns are still whole numbers in a double */

struct pair {
	double size;
	bool positive;
	int rank2; /* twice the rank, since middle ranks may end in a half */
};

static int by_size(const void *a, const void *b)
{
	double x = ((const struct pair *)a)->size, y = ((const struct pair *)b)->size;

	return (x > y) - (x < y);
}

/* Differences of shares such as 0.91 - 0.90 and 0.81 - 0.80 are equal but for the last bits. */
static bool same(double a, double b)
{
	return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b)) + 1e-12;
}

/* Drops zeros, sorts by size, sets ranks. Returns how many are left, in *ties the sum of t^3 - t. */
static int rank_pairs(struct pair *p, double *ties, const double *d, int n)
{
	int m = 0;

	for (int i = 0; i < n; i++)
		if (!isnan(d[i]) && !same(d[i], 0))
			p[m++] = (struct pair){ fabs(d[i]), d[i] > 0, 0 };
	qsort(p, (size_t)m, sizeof *p, by_size);
	*ties = 0;
	for (int i = 0, j; i < m; i = j) {
		for (j = i + 1; j < m && same(p[j].size, p[j - 1].size); j++)
			;
		for (int k = i; k < j; k++)
			p[k].rank2 = i + 1 + j; /* the middle of i + 1 .. j, twice */
		*ties += pow(j - i, 3) - (j - i);
	}
	return m;
}

/* P(sum of the positive ranks <= sum2 / 2) when every sign is a fair coin: counts of sign patterns by their sum. */
static double share_below(const struct pair *p, int m, int sum2)
{
	int most = m * (m + 1), reach = 0;
	double *count = mem_new(((size_t)most + 1) * sizeof *count), below = 0;

	count[0] = 1;
	for (int i = 0; i < m; i++) {
		reach += p[i].rank2;
		for (int s = reach; s >= p[i].rank2; s--)
			count[s] += count[s - p[i].rank2];
	}
	for (int s = 0; s <= sum2; s++)
		below += count[s];
	mem_free(count);
	return ldexp(below, -m);
}

double stats_wilcoxon(const double *d, int n)
{
	struct pair *p = mem_new((size_t)(n > 0 ? n : 1) * sizeof *p);
	double ties, above = 0, all, variance, p_value = (double)NAN;
	int m = rank_pairs(p, &ties, d, n);

	for (int i = 0; i < m; i++)
		above += p[i].positive ? p[i].rank2 / 2.0 : 0;
	all = m * (m + 1.0) / 2;
	if (m > EXACT) {
		variance = m * (m + 1.0) * (2.0 * m + 1) / 24 - ties / 48;
		p_value = erfc(fabs(above - all / 2) / sqrt(2 * variance));
	} else if (m > 0) { /* the distribution is symmetrical, also with ties */
		p_value = fmin(1, 2 * share_below(p, m, (int)(2 * fmin(above, all - above))));
	}
	mem_free(p);
	return p_value;
}

double stats_wilcoxon_least(int n)
{
	return n < 1 ? 1 : ldexp(2, -n);
}

struct held {
	double p;
	int at;
};

static int by_p(const void *a, const void *b)
{
	double x = ((const struct held *)a)->p, y = ((const struct held *)b)->p;

	return (x > y) - (x < y);
}

void stats_holm(double *p, int n)
{
	struct held *h = mem_new((size_t)(n > 0 ? n : 1) * sizeof *h);
	double most = 0;
	int m = 0;

	for (int i = 0; i < n; i++)
		if (!isnan(p[i]))
			h[m++] = (struct held){ p[i], i };
	qsort(h, (size_t)m, sizeof *h, by_p);
	for (int k = 0; k < m; k++) {
		most = fmax(most, fmin(1, (m - k) * h[k].p));
		p[h[k].at] = most;
	}
	mem_free(h);
}

double stats_cliff(const double *a, int n_a, const double *b, int n_b)
{
	double sum = 0;

	for (int i = 0; i < n_a; i++)
		for (int j = 0; j < n_b; j++)
			if (!same(a[i], b[j]))
				sum += a[i] > b[j] ? 1 : -1;
	return n_a > 0 && n_b > 0 ? sum / ((double)n_a * n_b) : (double)NAN;
}

const char *stats_cliff_word(double delta)
{
	double size = fabs(delta);

	if (isnan(delta))
		return "unknown";
	return size < 0.147 ? "negligible" : size < 0.33 ? "small" : size < 0.474 ? "medium" : "large";
}

double stats_mcnemar_seeds(const signed char *y, int seeds, int64_t n)
{
	int64_t up = 0, down = 0;

	for (int64_t i = 0; i < n; i++) {
		int sum = 0;

		for (int s = 0; s < seeds; s++)
			sum += y[s * n + i];
		up += sum > 0;
		down += sum < 0;
	}
	return stats_mcnemar(up, down);
}
