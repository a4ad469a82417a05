/* base/stats_student.c - Student's t and the binomial distribution, by the incomplete beta function. */
#include "base/stats.h"

#include <float.h>
#include <math.h>

/* The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method as modified by Thompson and
 * Barnett (1986). Converges fast for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
	const double tiny = 1e-300;
	double c = 1, d = 1 - (a + b) * x / (a + 1), f;

	d = 1 / (fabs(d) < tiny ? tiny : d);
	f = d;
	for (int m = 1; m < 100000; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));

		for (int half = 0; half < 2; half++) {
			double term = half ? odd : even;

			d = 1 + term * d;
			d = 1 / (fabs(d) < tiny ? tiny : d);
			c = 1 + term / c;
			c = fabs(c) < tiny ? tiny : c;
			f *= c * d;
		}
		if (fabs(c * d - 1) < 4 * DBL_EPSILON)
			break;
	}
	return f;
}

/* log(gamma(a + b) / gamma(a)). The difference of two large logarithms would lose digits; for b = 1/2 there is an
 * asymptotic series (DLMF 5.11.13). */
static double log_gamma_ratio(double a, double b)
{
	double v = 1 / (a * a);

	if (b != 0.5 || a < 20)
		return lgamma(a + b) - lgamma(a);
	return log(a) / 2 - (1.0 / 8 - v * (1.0 / 192 - v * (1.0 / 640 - v * 17 / 14336))) / a;
}

/* Regularized incomplete beta function I_x(a, b); y = 1 - x is given apart, since either may be tiny. */
static double beta_share(double a, double b, double x, double y)
{
	double front;

	if (x <= 0)
		return 0;
	if (y <= 0)
		return 1;
	front = exp(log_gamma_ratio(a, b) - lgamma(b) + a * (x > 0.5 ? log1p(-y) : log(x)) + b * log(y));
	if (x < (a + 1) / (a + b + 2))
		return front * beta_fraction(a, b, x) / a;
	return 1 - front * beta_fraction(b, a, y) / b;
}

double stats_t_p(double t, double df)
{
	double square = t * t, z;

	if (isnan(t) || !(df > 0))
		return (double)NAN;
	if (isinf(t))
		return 0;
	if (df > 1e5) {
		/* the normal deviate of Wallace (1959), whose error falls with 1 / df^2 */
		z = isinf(df) ? fabs(t) : (8 * df + 1) / (8 * df + 3) * sqrt(df * log1p(square / df));
		return erfc(z / sqrt(2));
	}
	return beta_share(df / 2, 0.5, df / (df + square), square / (df + square));
}

double stats_t_point(double df)
{
	double low = 1, high = 4;

	if (!(df > 0))
		return (double)NAN;
	while (stats_t_p(high, df) > 0.05) {
		low = high;
		high *= high;
	}
	/* p falls steadily with t: halve the interval of log t */
	while (high / low - 1 > 4 * DBL_EPSILON) {
		double middle = sqrt(low) * sqrt(high);

		if (middle <= low || middle >= high)
			break;
		if (stats_t_p(middle, df) > 0.05)
			low = middle;
		else
			high = middle;
	}
	return high;
}

double stats_mcnemar(int64_t b, int64_t c)
{
	double least = (double)(b < c ? b : c), n = (double)b + (double)c;

	/* 2 P(X <= least), X binomial (n, 1/2) */
	return n < 1 ? 1 : fmin(1, 2 * beta_share(n - least, least + 1, 0.5, 0.5));
}
