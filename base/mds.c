/* base/mds.c - see mds.h. OpenBLAS works with one thread: how it splits sums depends on their number. */
#include "base/mds.h"

#include <lapacke.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

void openblas_set_num_threads(int n); /* its own header is not on every system's path */

/* ---- turning -------------------------------------------------------------------------------------------- */

static void mean_of(double mean[2], const double (*x)[2], int n)
{
	mean[0] = mean[1] = 0;
	for (int i = 0; i < n; i++)
		for (int k = 0; k < 2; k++)
			mean[k] += x[i][k] / n;
}

static void fix_signs(double (*x)[2], int n)
{
	for (int k = 0; k < 2; k++) {
		double most = 0;

		for (int i = 0; i < n; i++)
			if (fabs(x[i][k]) > fabs(most) * (1 + 1e-9))
				most = x[i][k];
		for (int i = 0; i < n; i++) /* and no -0 */
			x[i][k] = most < 0 ? 0 - x[i][k] : x[i][k] + 0.0;
	}
}

/* Mean at 0, the axes along the largest and the least spread. */
static void principal(double (*x)[2], int n)
{
	double mean[2], s00 = 0, s01 = 0, s11 = 0, angle;

	mean_of(mean, (const double(*)[2])x, n);
	for (int i = 0; i < n; i++) {
		x[i][0] -= mean[0];
		x[i][1] -= mean[1];
		s00 += x[i][0] * x[i][0];
		s01 += x[i][0] * x[i][1];
		s11 += x[i][1] * x[i][1];
	}
	angle = 0.5 * atan2(2 * s01, s00 - s11);
	for (int i = 0; i < n; i++) {
		double u = x[i][0], v = x[i][1];

		x[i][0] = cos(angle) * u + sin(angle) * v;
		x[i][1] = cos(angle) * v - sin(angle) * u;
	}
	fix_signs(x, n);
}

/* ---- classical ------------------------------------------------------------------------------------------ */

void mds_squares(double *squares, const double *d, int n)
{
	for (int i = 0; i < n; i++) {
		double sum = 0;

		for (int j = 0; j < n; j++)
			sum += d[(size_t)i * (size_t)n + (size_t)j] * d[(size_t)i * (size_t)n + (size_t)j];
		squares[i] = sum / n;
	}
}

/* b = -1/2 J D^2 J */
static void centre(double *b, const double *d, int n)
{
	double *mean = mem_new((size_t)n * sizeof *mean), all = 0;

	mds_squares(mean, d, n);
	for (int i = 0; i < n; i++)
		all += mean[i] / n;
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++) {
			size_t at = (size_t)i * (size_t)n + (size_t)j;

			b[at] = -0.5 * (d[at] * d[at] - mean[i] - mean[j] + all);
		}
	mem_free(mean);
}

int mds_classical(double (*y)[2], const double *d, int n, struct err *e)
{
	size_t cells = (size_t)n * (size_t)n;
	int want = n < 2 ? n : 2, found = 0, rc = -1;
	double *b, *value, *vector;
	lapack_int *support, info;

	memset(y, 0, (size_t)n * sizeof *y);
	if (n < 2)
		return 0;
	b = block_new(cells * sizeof *b);
	if (!b)
		return ERR(e, ERR_RUNTIME, NULL, "there is no memory for a map of %d models", n);
	value = mem_new((size_t)n * sizeof *value);
	vector = mem_new(2 * (size_t)n * sizeof *vector);
	support = mem_new(4 * sizeof *support);
	centre(b, d, n);
	openblas_set_num_threads(1);
	info = LAPACKE_dsyevr(LAPACK_COL_MAJOR, 'V', 'I', 'U', n, b, n, 0, 0, n - want + 1, n, 0, &found, value, vector,
			      n, support);
	if (info != 0) {
		ERR(e, ERR_RUNTIME, NULL, "the map of %d models cannot be computed (LAPACK dsyevr: %d)", n, (int)info);
		goto out;
	}
	for (int i = 0; i < n; i++)
		for (int k = 0; k < found; k++) /* ascending: the last is the leading one */
			y[i][k] = vector[(size_t)(found - 1 - k) * (size_t)n + (size_t)i] *
				  sqrt(fmax(value[found - 1 - k], 0));
	fix_signs(y, n);
	rc = 0;
out:
	mem_free(support);
	mem_free(vector);
	mem_free(value);
	block_free(b, cells * sizeof *b);
	return rc;
}

/* ---- SMACOF --------------------------------------------------------------------------------------------- */

/* The Guttman transform of x: (1/n) B(X) X. Returns the raw stress of x, twice. */
static double transform(double (*out)[2], const double (*x)[2], const double *d, int n)
{
	double sum = 0;

	for (int i = 0; i < n; i++) {
		const double *want = d + (size_t)i * (size_t)n;
		double u = 0, v = 0;

		for (int j = 0; j < n; j++) {
			double dx = x[i][0] - x[j][0], dy = x[i][1] - x[j][1], is = sqrt(dx * dx + dy * dy);
			double share = is > 0 ? want[j] / is : 0;

			u += share * dx;
			v += share * dy;
			sum += (is - want[j]) * (is - want[j]);
		}
		out[i][0] = u / n;
		out[i][1] = v / n;
	}
	return sum;
}

static double sum_of_squares(const double *d, int n)
{
	double sum = 0;

	for (int i = 0; i < n; i++)
		for (int j = 0; j < i; j++)
			sum += d[(size_t)i * (size_t)n + (size_t)j] * d[(size_t)i * (size_t)n + (size_t)j];
	return sum;
}

double mds_stress1(double raw, const double *d, int n)
{
	double sum = sum_of_squares(d, n);

	return sum > 0 ? sqrt(raw / sum) : 0;
}

enum { STEPS_MAX = 3000 };

/* Stress below these shares of the sum of squares is rounding, and nothing that a start at random could better. */
static const double nothing = 1e-24, next_to_nothing = 1e-12;

/* So that thousands of points take seconds. */
static int steps_most(int n)
{
	double most = 3e8 / ((double)n * n);

	return most > STEPS_MAX ? STEPS_MAX : most < 300 ? 300 : (int)most;
}

/* Until the stress falls by less than `least` of itself. */
static double descend(double (*x)[2], const double *d, int n, double least, int *steps)
{
	double(*next)[2] = mem_new((size_t)(n + 1) * sizeof *next);
	double before = transform(next, (const double(*)[2])x, d, n), enough = nothing * sum_of_squares(d, n);
	int k = 0;

	for (; k < steps_most(n) && before > enough; k++) {
		double was = before;

		memcpy(x, next, (size_t)n * sizeof *x);
		before = transform(next, (const double(*)[2])x, d, n);
		if (!(was - before > least * was))
			break;
	}
	if (steps)
		*steps = k;
	mem_free(next);
	return before / 2;
}

double mds_smacof(double (*x)[2], const double *d, int n, int *steps)
{
	return descend(x, d, n, 1e-6, steps);
}

/* Points at random: about as far apart as the distances say, or in a heap, from where they end elsewhere. */
static void scatter(double (*x)[2], const double *d, int n, uint64_t seed)
{
	struct rng r;
	double size = 0;

	for (int i = 0; i < n; i++)
		size += d[i] / n;
	rng_init(&r, seed, PURPOSE_SAMPLE);
	for (int i = 0; i < n; i++)
		for (int k = 0; k < 2; k++)
			x[i][k] = (seed % 2 ? 0.01 : 1) * size * rng_normal(&r);
}

/* As many as take about the same time for any number of points. */
static int random_starts(int n)
{
	double many = 3e5 / ((double)n * n);

	return many > 100 ? 100 : many < 2 ? 2 : (int)many;
}

enum { FINISH = 24 };
static const double at_last = 1e-8; /* where starts that have almost converged part */

static int finishers(int n)
{
	return n <= 40 ? FINISH : 3;
}

/* The places of the least entries of v[n], the least first; returns their number. */
static int least_of(int out[FINISH], const double *v, int n)
{
	int found = 0;

	for (int i = 0; i < n; i++) {
		int k = found;

		for (; k > 0 && v[i] < v[out[k - 1]]; k--)
			if (k < FINISH)
				out[k] = out[k - 1];
		if (k < FINISH)
			out[k] = i;
		found += found < FINISH;
	}
	return found;
}

/* Replaces x by the best of the random starts, if that is better. Each start is its own, the best ones are followed
 * farther; of equals the first counts. */
static double try_starts(double (*x)[2], const double *d, int n, double best)
{
	int starts = random_starts(n), list[FINISH], finish;
	double *stress = mem_new((size_t)starts * sizeof *stress);
	double(*trial)[2] = mem_new((size_t)starts * (size_t)n * sizeof *trial);

#pragma omp parallel for schedule(dynamic)
	for (int i = 0; i < starts; i++) {
		scatter(trial + (size_t)i * (size_t)n, d, n, (uint64_t)i + 1);
		stress[i] = mds_smacof(trial + (size_t)i * (size_t)n, d, n, NULL);
	}
	finish = least_of(list, stress, starts);
	finish = finish < finishers(n) ? finish : finishers(n);
#pragma omp parallel for schedule(dynamic)
	for (int k = 0; k < finish; k++)
		stress[list[k]] = descend(trial + (size_t)list[k] * (size_t)n, d, n, at_last, NULL);
	for (int k = 0; k < finish; k++)
		if (stress[list[k]] < best * (1 - 1e-9)) {
			best = stress[list[k]];
			memcpy(x, trial + (size_t)list[k] * (size_t)n, (size_t)n * sizeof *x);
		}
	mem_free(trial);
	mem_free(stress);
	return best;
}

static double point_stress(const double at[2], int point, const double (*x)[2], const double *to, int n)
{
	double sum = 0;

	for (int j = 0; j < n; j++) {
		double dx = at[0] - x[j][0], dy = at[1] - x[j][1], gap = sqrt(dx * dx + dy * dy) - to[j];

		sum += j == point ? 0 : gap * gap;
	}
	return sum;
}

/* A point that is caught on the wrong side of others cannot leave step by step: each is tried at the places of others
 * and across the middle. Returns whether any moved. */
static bool relocate(double (*x)[2], const double *d, int n)
{
	int stride = n / 100 + 1;
	bool any = false;

	for (int i = 0; i < n; i++) {
		const double *to = d + (size_t)i * (size_t)n;
		double now = point_stress(x[i], i, (const double(*)[2])x, to, n), best = now,
		       at[2] = { x[i][0], x[i][1] };

		for (int k = i % stride; k < n; k += stride) {
			double other[2] = { k == i ? -x[i][0] : x[k][0], k == i ? -x[i][1] : x[k][1] };
			double v = point_stress(other, i, (const double(*)[2])x, to, n);

			if (v < best) {
				best = v;
				memcpy(at, other, sizeof at);
			}
		}
		if (best < now * (1 - 1e-6)) {
			memcpy(x[i], at, sizeof at);
			any = true;
		}
	}
	return any;
}

static int rounds_most(int n)
{
	return n <= 200 ? 5 : 1;
}

int mds_map(double (*x)[2], double (*classical)[2], const double *d, int n, double *stress, struct err *e)
{
	double(*trial)[2] = mem_new((size_t)(n + 1) * sizeof *trial), best, v;
	double little = next_to_nothing * sum_of_squares(d, n);
	int rc = -1;

	TRY(mds_classical(x, d, n, e));
	if (classical)
		memcpy(classical, x, (size_t)n * sizeof *x);
	best = mds_smacof(x, d, n, NULL);
	if (best > little)
		best = descend(x, d, n, at_last, NULL);
	if (best > little)
		best = try_starts(x, d, n, best);
	for (int i = 0; i < rounds_most(n) && best > little; i++) {
		memcpy(trial, x, (size_t)n * sizeof *x);
		if (!relocate(trial, d, n) || !((v = descend(trial, d, n, at_last, NULL)) < best * (1 - 1e-9)))
			break;
		best = v;
		memcpy(x, trial, (size_t)n * sizeof *x);
	}
	if (n)
		principal(x, n);
	if (stress)
		*stress = best;
	rc = 0;
out:
	mem_free(trial);
	return rc;
}

/* ---- new points ----------------------------------------------------------------------------------------- */

void mds_base(struct mds_base *b, const double (*y)[2], const double *squares, int n)
{
	double s00 = 0, s01 = 0, s11 = 0, det;

	memset(b, 0, sizeof *b);
	b->n = n;
	b->y = y;
	b->squares = squares;
	mean_of(b->mean, y, n);
	for (int i = 0; i < n; i++) {
		double u = y[i][0] - b->mean[0], v = y[i][1] - b->mean[1];

		s00 += u * u;
		s01 += u * v;
		s11 += v * v;
	}
	det = s00 * s11 - s01 * s01;
	if (det > 1e-12 * s00 * s00 && det > 0) {
		b->inverse[0][0] = 0.5 * s11 / det;
		b->inverse[1][1] = 0.5 * s00 / det;
		b->inverse[0][1] = b->inverse[1][0] = -0.5 * s01 / det;
	} else if (s00 > 0) { /* all on a line: the first axis, as classical scaling leaves it */
		b->inverse[0][0] = 0.5 / s00;
	}
}

void mds_place(double out[2], const struct mds_base *b, const double *to)
{
	double p[2] = { 0, 0 };

	for (int i = 0; i < b->n; i++) {
		double gap = b->squares[i] - to[i] * to[i];

		p[0] += (b->y[i][0] - b->mean[0]) * gap;
		p[1] += (b->y[i][1] - b->mean[1]) * gap;
	}
	for (int k = 0; k < 2; k++)
		out[k] = b->inverse[k][0] * p[0] + b->inverse[k][1] * p[1] + b->mean[k];
}

void mds_settle(double point[2], const double (*x)[2], const double *to, int n)
{
	double before = INFINITY;

	for (int step = 0; step < STEPS_MAX && n; step++) {
		double u = 0, v = 0, stress = 0;

		for (int j = 0; j < n; j++) {
			double dx = point[0] - x[j][0], dy = point[1] - x[j][1], is = sqrt(dx * dx + dy * dy);
			double share = is > 0 ? to[j] / is : 0;

			u += x[j][0] + share * dx;
			v += x[j][1] + share * dy;
			stress += (is - to[j]) * (is - to[j]);
		}
		if (stress <= 0 || !(before - stress > 1e-6 * before))
			break;
		before = stress;
		point[0] = u / n;
		point[1] = v / n;
	}
}

void mds_align(double (*x)[2], const double (*like)[2], int n, double (*more)[2], int n_more)
{
	double from[2], to[2], a = 0, b = 0, c = 0, d = 0, turn, mirror, side, angle;

	mean_of(from, (const double(*)[2])x, n);
	mean_of(to, like, n);
	for (int i = 0; i < n; i++) {
		double u = x[i][0] - from[0], v = x[i][1] - from[1], p = like[i][0] - to[0], q = like[i][1] - to[1];

		a += u * p + v * q; /* of a turn */
		b += u * q - v * p;
		c += u * p - v * q; /* of a turn after y -> -y */
		d += u * q + v * p;
	}
	turn = hypot(a, b);
	mirror = hypot(c, d);
	side = mirror > turn * (1 + 1e-12) ? -1 : 1;
	angle = side > 0 ? atan2(b, a) : atan2(d, c);
	for (int i = 0; i < n + n_more; i++) {
		double *p = i < n ? x[i] : more[i - n], u = p[0] - from[0], v = side * (p[1] - from[1]);

		p[0] = cos(angle) * u - sin(angle) * v + to[0];
		p[1] = sin(angle) * u + cos(angle) * v + to[1];
	}
}
