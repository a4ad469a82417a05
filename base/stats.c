/* base/stats.c - see stats.h. */
#include "base/stats.h"

#include <math.h>

static const double z = 1.959963984540054;

void stats_wilson(double p, int64_t n, double *low, double *high)
{
	double m = (double)n, middle, half;

	*low = *high = NAN;
	if (n < 1 || !(p >= 0 && p <= 1))
		return;
	/* (p + z2/2n -+ z sqrt(p (1 - p) / n + z2/4n2)) / (1 + z2/n) */
	middle = (p + z * z / (2 * m)) / (1 + z * z / m);
	half = z * sqrt(p * (1 - p) / m + z * z / (4 * m * m)) / (1 + z * z / m);
	*low = fmax(middle - half, 0);
	*high = fmin(middle + half, 1);
}

double stats_t95(int df)
{
	return stats_t_point(df);
}

int stats_mean(const double *v, int n, double *mean, double *sd)
{
	double sum = 0, square = 0;
	int count = 0;

	*mean = *sd = NAN;
	for (int i = 0; i < n; i++)
		if (!isnan(v[i])) {
			sum += v[i];
			count++;
		}
	if (!count)
		return 0;
	*mean = sum / count;
	for (int i = 0; i < n; i++)
		if (!isnan(v[i]))
			square += (v[i] - *mean) * (v[i] - *mean);
	if (count > 1)
		*sd = sqrt(square / (count - 1));
	return count;
}

void stats_interval(double mean, int seeds, double sd, int df, int64_t n, double *low, double *high)
{
	double half;

	stats_wilson(mean, n, low, high);
	if (df < 1 || seeds < 1 || isnan(*low))
		return;
	half = stats_t95(df) * sd / sqrt(seeds);
	*low = fmax(mean - hypot(mean - *low, half), 0);
	*high = fmin(mean + hypot(*high - mean, half), 1);
}
