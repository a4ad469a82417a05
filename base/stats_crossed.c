/* base/stats_crossed.c - the mean of paired differences when seeds and examples are crossed.
 *
 * The two-way layout without replication gives the mean squares of seeds, examples and rest (Searle, Casella and
 * McCulloch, Variance Components, 1992, section 4.5); the variance of the mean of all cells is
 *
 *     V = (MS_seed + MS_example - MS_rest) / (S n) = MS_seed / (S n) + (MS_example - MS_rest) / (S n) = V_s + V_e
 *
 * V_s is the variance of the seeds' means over S: it is never negative and has S - 1 degrees of freedom, exactly. V_e,
 * what examples have in common over the seeds, is set to zero where it is negative; its degrees of freedom are many.
 * Satterthwaite's degrees of freedom of the sum, (S - 1) / share^2 with share = V_s / V, are too many for 3 or 4 seeds
 * when V_s happens to fall out small: the interval would cover 92 %. V_e is therefore taken (S - 1) / (S + 1) times in
 * the share, which holds the coverage between 93.9 and 95.6 % in normal theory for every true share and S >= 3.
 *
 * Two corrections matter only where the arms differ on a handful of examples, and keep the interval from having no
 * width: seeds' means are known to a step of 1 / n only, which adds 1/4 of its square to their variance; and D
 * examples on which the arms differ tell V_e as from D + 2 (as Agresti and Min, Statistics in Medicine 24, 2005, add
 * pseudo-pairs to a 2 x 2 table).
 */
#include <math.h>
#include <stddef.h>

#include "base/stats.h"

static const char one_seed[] = "one seed: the spread between seeds is unknown";
static const char few_seeds[] = "fewer than 3 seeds";
static const char few_examples[] = "the two differ on fewer than 10 examples per seed";

struct layout {
	double seeds, n;
	double mean;                /* of all cells */
	double seed, example, rest; /* mean squares; 0 where there is nothing to tell them from */
	int64_t cells, examples;    /* where the arms differ: cells, examples with at least one such cell */
};

static void read_layout(struct layout *l, const signed char *y, int seeds, int64_t n)
{
	double by_seed = 0, by_example, total, all;
	int64_t sum = 0, squares = 0;

	*l = (struct layout){ .seeds = seeds, .n = (double)n };
	for (int s = 0; s < seeds; s++) {
		int64_t row = 0;

		for (int64_t i = 0; i < n; i++) {
			row += y[s * n + i];
			l->cells += y[s * n + i] != 0;
		}
		sum += row;
		by_seed += (double)row * (double)row / l->n;
	}
	for (int64_t i = 0; i < n; i++) {
		int64_t column = 0;
		bool any = false;

		for (int s = 0; s < seeds; s++) {
			column += y[s * n + i];
			any |= y[s * n + i] != 0;
		}
		squares += column * column;
		l->examples += any;
	}
	by_example = (double)squares / seeds;
	all = (double)sum * (double)sum / (l->seeds * l->n);
	total = (double)l->cells - all; /* the square of -1 and 1 is 1 */
	l->mean = (double)sum / (l->seeds * l->n);
	l->seed = seeds > 1 ? fmax(by_seed - all, 0) / (seeds - 1) : 0;
	l->example = n > 1 ? fmax(by_example - all, 0) / (l->n - 1) : 0;
	if (seeds > 1)
		l->rest = fmax(total - (by_seed - all) - (by_example - all), 0) / ((seeds - 1) * (l->n - 1));
}

/* Degrees of freedom of V_s + V_e, the first known with k of them, the other with very many. */
static double sum_df(double v_s, double v_e, double k)
{
	double share = v_s / (v_s + v_e * k / (k + 2));

	return k / (share * share);
}

static void judge(struct stats_effect *out)
{
	double half = stats_t_point(out->df) * out->error;

	out->low = out->mean - half;
	out->high = out->mean + half;
	out->p = stats_t_p(out->mean / out->error, out->df);
}

/* The z that a normal deviate exceeds in size with probability p. Newton's method on the logarithm, which is concave:
 * from above it comes down without passing the root. */
static double normal_point(double p)
{
	double z = sqrt(-2 * log(p)), step = 1, tail;

	for (int i = 0; i < 60 && fabs(step) > 1e-13 * z; i++) {
		tail = erfc(z / sqrt(2));
		step = log(tail / p) * tail / (2 * exp(-z * z / 2) / sqrt(2 * acos(-1)));
		z += step;
	}
	return z;
}

/* Degrees of freedom that are themselves estimated serve at 5 %, not in the far tail where Holm's correction reads:
 * with 3 seeds a p of 0.005 would come up by chance three times as often. There the point is interpolated between
 * Student's with k degrees of freedom and the normal one, c(p)^2 = share t(p)^2 + (1 - share) z(p)^2, which is never
 * too small. At 5 % it is narrowed to the interval's own; the narrowing fades with p. Solved for p by halving the
 * interval of t(p). */
static double tail_p(const struct stats_effect *e, double share, double k)
{
	double t5 = stats_t_point(k), z5 = stats_t_point(INFINITY), own = stats_t_point(e->df);
	double narrow = own * own / (share * t5 * t5 + (1 - share) * z5 * z5), t = fabs(e->mean / e->error);
	double low = t, high = t / sqrt(share * narrow);

	if (!(t > 0) || !(high < 1e100))
		return stats_t_p(t, INFINITY);
	for (int i = 0; i < 60 && high - low > 1e-13 * high; i++) {
		double middle = (low + high) / 2, p = stats_t_p(middle, k), z = p > 1e-300 ? normal_point(p) : 37;
		double square = share * middle * middle + (1 - share) * z * z;

		if (square * (1 - (1 - narrow) * fmin(p / 0.05, 1)) < t * t)
			low = middle;
		else
			high = middle;
	}
	return stats_t_p(high, k);
}

void stats_crossed(struct stats_effect *out, const signed char *y, int seeds, int64_t n)
{
	struct layout l;
	double cells = (double)seeds * (double)n, v_s, v_e;

	read_layout(&l, y, seeds, n);
	*out = (struct stats_effect){ .mean = l.mean, .rest = l.rest };
	out->seed = fmax(l.seed - l.rest, 0) / l.n;
	out->example = fmax(l.example - l.rest, 0) / l.seeds;
	v_s = seeds > 1 ? (l.seed + 0.25 / l.n) / cells : 0;
	v_e = l.examples ? out->example / l.n * (1 + 2.0 / (double)l.examples) : 2 / (l.n * l.n);
	out->error = sqrt(v_s + v_e);
	out->df = seeds > 1 ? sum_df(v_s, v_e, seeds - 1) : l.n - 1;
	out->doubt = seeds < 2                                        ? one_seed
		     : seeds < STATS_LEAST_SEEDS                      ? few_seeds
		     : l.cells < (int64_t)seeds * STATS_LEAST_DIFFERS ? few_examples
								      : NULL;
	out->reliable = !out->doubt;
	judge(out);
	if (seeds > 1)
		out->p = tail_p(out, v_s / (v_s + v_e), seeds - 1);
}

void stats_paired_t(struct stats_effect *out, const double *d, int n)
{
	double sd;
	int count;

	*out = (struct stats_effect){ 0 };
	count = stats_mean(d, n, &out->mean, &sd);
	out->error = sd / sqrt(count);
	out->df = count - 1;
	out->seed = count > 1 ? sd * sd : 0;
	out->doubt = count < 2 ? one_seed : count < STATS_LEAST_SEEDS ? few_seeds : NULL;
	out->reliable = !out->doubt;
	if (count < 2)
		out->error = out->low = out->high = out->p = NAN;
	else if (sd > 1e-12) /* rounding alone leaves less */
		judge(out);
	else { /* no spread at all says nothing about the spread: equal arms are equal, others are not judged */
		out->low = out->high = out->mean;
		out->p = fabs(out->mean) > 1e-12 ? (double)NAN : 1;
	}
}

/* ---- before training ---- */

enum { STEPS = 200 };

struct plan {                 /* nodes of chi^2 / k on a scale of logarithms, and what is decided at each */
	double weight[STEPS]; /* sum 1 */
	double needs[STEPS];  /* the interval's half-width there */
	double error;         /* true standard error */
};

static void make_plan(struct plan *p, double v_s, double v_e, double k)
{
	double sum = 0;

	for (int i = 0; i < STEPS; i++) {
		double u = -24 + 27.0 * i / STEPS, x = exp(u), v = v_s * x + v_e; /* x = chi^2 / k */

		p->weight[i] = exp(k / 2 * (u - x + 1)); /* density of log x, but for a factor */
		p->needs[i] = stats_t_point(sum_df(v_s * x, v_e, k)) * sqrt(v);
		sum += p->weight[i];
	}
	for (int i = 0; i < STEPS; i++)
		p->weight[i] /= sum;
	p->error = sqrt(v_s + v_e);
}

/* P(the interval is wholly above zero) when the true difference is mu. */
static double power(const struct plan *p, double mu)
{
	double sum = 0;

	for (int i = 0; i < STEPS; i++)
		sum += p->weight[i] * 0.5 * erfc((p->needs[i] - mu) / p->error / sqrt(2));
	return sum;
}

double stats_detectable(int seeds, int64_t n, double seed_sd, double disagree)
{
	double low = 0, high = 1, middle;
	struct plan p;

	if (seeds < 2 || n < 1)
		return NAN;
	make_plan(&p, seed_sd * seed_sd / seeds, disagree / (double)n, seeds - 1);
	if (!(power(&p, high) >= 0.8))
		return NAN;
	while (high - low > 1e-7) {
		middle = (low + high) / 2;
		if (power(&p, middle) < 0.8)
			low = middle;
		else
			high = middle;
	}
	return high;
}

int stats_seeds_needed(double difference, int64_t n, double seed_sd, double disagree)
{
	int few = 1, enough = STATS_MOST_SEEDS;

	if (!(stats_detectable(enough, n, seed_sd, disagree) <= difference))
		return 0;
	while (enough - few > 1) {
		int middle = (few + enough) / 2;

		if (stats_detectable(middle, n, seed_sd, disagree) <= difference)
			enough = middle;
		else
			few = middle;
	}
	return enough;
}
