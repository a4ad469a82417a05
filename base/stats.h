/* base/stats.h - small statistics: what a measured accuracy is worth. */
#ifndef NAB_BASE_STATS_H
#define NAB_BASE_STATS_H

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

#endif
