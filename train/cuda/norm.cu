/* train/cuda/norm.cu - batch normalisation (Ioffe and Szegedy 2015) with residual, activation, and a pool after that:
 *
 *	pre = (x - mean) * inv * weight + bias + residual,	y = act(pre),	inv = 1 / sqrt(var + eps)
 *
 * Backward, with g = dy * act'(pre), x^ = (x - mean) * inv and the means over the n rows that count:
 *
 *	dbias = sum g,	dweight = sum g * x^,	dx = weight * inv * (g - dbias / n - x^ * dweight / n)
 *
 * With a pool, y is only in registers on its way into the windows, and dy is gathered from the pool's gradient.
 *
 * One launch where a tile of channels is little work for a block, otherwise two: sums, then values. Moments are
 * Welford's in each thread, and joined two by two: a mean that is large beside the deviation costs no digits.
 */
#include "train/cuda/act.h"
#include "train/cuda/pool.h"
#include "train/cuda/rows.h"

struct batchnorm {
	struct rows rows;
	struct pool pool;                          /* the way of y and dy, if it is pooled */
	const void *x, *dy[CUDA_TERMS], *residual; /* dy: the sum of them */
	void *y, *dx, *dresidual;
	const float *weight, *bias;
	float *running_mean, *running_var, *saved, *dweight, *dbias, *scratch, *means; /* means: of g and g * x^ */
	const int32_t *length;
	uint32_t *tickets;
	int32_t c, pitch, steps, training, act, pooled;
	float a;
	double eps, momentum;
};

/* What all rows of a thread share: eight channels. */
struct scale8 {
	float mean[8], inv[8], weight[8], bias[8];
};

DEVICE void scale8_load(struct scale8 &s, const struct batchnorm &b, int vector)
{
	int64_t at = 8LL * vector;

	vector_or(s.weight, b.weight, at, 1);
	vector_or(s.bias, b.bias, at, 0);
	load8(s.mean, b.training ? b.saved + at : b.running_mean + at);
	load8(s.inv, b.training ? b.saved + b.pitch + at : b.running_var + at);
	for (int k = 0; k < 8 && !b.training; k++)
		s.inv[k] = (float)(1 / sqrt((double)s.inv[k] + b.eps));
}

/* ---- forward -------------------------------------------------------------------------------------------- */

template <typename T> DEVICE void measure(struct pair8 &m, const struct batchnorm &b, const struct rows_place &p)
{
	pair8_zero(m);
	for (int64_t row = p.first; p.on && row < p.last; row += b.rows.slots) {
		float v[8], share;

		load8(v, (const T *)b.x + row * b.pitch + 8 * p.vector);
		if (!row_counts(b.length, b.steps, row))
			continue;
		m.n += 1;
		share = 1 / m.n;
		for (int k = 0; k < 8; k++) {
			float d = v[k] - m.a[k];

			m.a[k] += d * share;
			m.b[k] += d * (v[k] - m.a[k]);
		}
	}
}

/* Moments become mean and inv; where `keep`, they are saved and the running statistics move, by the unbiased variance
 * (the biased one of a single row). */
DEVICE void settle(struct scale8 &s, const struct pair8 &m, const struct batchnorm &b, int vector, bool keep)
{
	double n = (double)m.n, move = b.momentum;

	for (int k = 0; k < 8; k++) {
		bool some = n > 0 && 8 * vector + k < b.c;
		double var = some ? (double)m.b[k] / n : 0, unbiased = n > 1 ? var * n / (n - 1) : var;
		int at = 8 * vector + k;

		s.mean[k] = some ? m.a[k] : 0;
		s.inv[k] = some ? (float)(1 / sqrt(var + b.eps)) : 0;
		if (!keep)
			continue;
		b.saved[at] = s.mean[k];
		b.saved[b.pitch + at] = s.inv[k];
		if (!some)
			continue;
		b.running_mean[at] = (float)((1 - move) * (double)b.running_mean[at] + move * (double)m.a[k]);
		b.running_var[at] = (float)((1 - move) * (double)b.running_var[at] + move * unbiased);
	}
}

/* The results of rows that count, of one vector of channels: what is pooled. */
template <typename T, int ACT> struct normalised {
	const struct scale8 &s;
	const struct batchnorm &b;
	int vector;
};

template <typename T, int ACT> DEVICE void read8(float v[8], const struct normalised<T, ACT> &in, int64_t at)
{
	int act = ACT == ANY_ACT ? in.b.act : ACT;
	float more[8] = { 0 };

	load8(v, (const T *)in.b.x + at);
	if (in.b.residual)
		load8(more, (const T *)in.b.residual + at);
	for (int k = 0; k < 8; k++) {
		float pre = (v[k] - in.s.mean[k]) * in.s.inv[k] * in.s.weight[k] + in.s.bias[k] + more[k];

		v[k] = 8 * in.vector + k < in.b.c ? act_value(act, in.b.a, pre) : 0;
	}
}

template <typename T, int ACT>
DEVICE void normalise(const struct scale8 &s, const struct batchnorm &b, const struct rows_place &p)
{
	struct normalised<T, ACT> in = {
		s, b, p.vector
	};

	for (int64_t row = p.first; p.on && row < p.last; row += b.rows.slots) {
		int64_t at = row * b.pitch + 8 * p.vector;
		float v[8] = { 0 };

		if (row_counts(b.length, b.steps, row))
			read8(v, in, at);
		store8((T *)b.y + at, v);
	}
}

/* The pool's results of rows first, first + slots, ... below last. */
template <typename T, int ACT>
DEVICE void pool_rows(const struct scale8 &s, const struct batchnorm &b, int vector, int64_t first, int64_t last)
{
	struct normalised<T, ACT> in = {
		s, b, vector
	};

	for (int64_t row = first; row < last; row += b.rows.slots)
		pool_place<T>(in, b.pool, place_of(row, b.pool.out), vector);
}

template <typename T> __global__ void __launch_bounds__(ROWS_THREADS, 2) batchnorm_measure(struct batchnorm b)
{
	struct rows_place p = rows_place(b.rows);
	struct scale8 s;
	struct pair8 m;

	measure<T>(m, b, p);
	if (rows_total<true>(m, b.rows, p, b.scratch, b.tickets) && p.on && p.slot == 0)
		settle(s, m, b, p.vector, true);
}

template <typename T, int ACT>
__global__ void __launch_bounds__(ROWS_THREADS, 2) batchnorm_normalise(struct batchnorm b)
{
	struct rows_place p = rows_place(b.rows);
	struct scale8 s;

	if (!p.on)
		return;
	scale8_load(s, b, p.vector);
	normalise<T, ACT>(s, b, p);
}

/* rows are those of the pool's result */
template <typename T, int ACT> __global__ void __launch_bounds__(ROWS_THREADS, 2) batchnorm_pool(struct batchnorm b)
{
	struct rows_place p = rows_place(b.rows);
	struct scale8 s;

	if (!p.on)
		return;
	scale8_load(s, b, p.vector);
	pool_rows<T, ACT>(s, b, p.vector, p.first, p.last);
}

template <typename T, int ACT, bool MAX>
__global__ void __launch_bounds__(GLOBAL_THREADS, 2) batchnorm_pool_whole(struct batchnorm b)
{
	struct global_cut c = global_cut(b.pool.o);
	int vector = (int)blockIdx.x % c.tiles * c.lanes + (int)threadIdx.x % c.lanes;
	struct scale8 s;
	struct normalised<T, ACT> in = {
		s, b, vector
	};

	if (8 * vector < b.pitch)
		scale8_load(s, b, vector);
	global_place<T, MAX>(in, b.pool, blockIdx.x / c.tiles, vector, c.lanes);
}

template <typename T, int ACT, bool POOLED>
__global__ void __launch_bounds__(ROWS_THREADS, 2) batchnorm_at_once(struct batchnorm b)
{
	struct rows_place p = rows_place(b.rows);
	struct scale8 s;
	struct pair8 m;

	measure<T>(m, b, p);
	rows_join<true>(m, b.rows, p);
	if (!p.on)
		return;
	settle(s, m, b, p.vector, p.slot == 0);
	vector_or(s.weight, b.weight, 8LL * p.vector, 1);
	vector_or(s.bias, b.bias, 8LL * p.vector, 0);
	if (POOLED)
		pool_rows<T, ACT>(s, b, p.vector, p.slot, (int64_t)b.pool.o.y.n * b.pool.o.y.h * b.pool.o.y.w);
	else
		normalise<T, ACT>(s, b, p);
}

/* ---- backward ------------------------------------------------------------------------------------------- */

/* g and x^ of eight channels of a row; zero where the row does not count. */
template <typename T, int ACT, bool POOLED>
DEVICE void undo(float g[8], float norm[8], const struct scale8 &s, const struct batchnorm &b, int64_t row, int vector)
{
	int64_t at = row * b.pitch + 8LL * vector;
	int act = ACT == ANY_ACT ? b.act : ACT;
	bool counts = row_counts(b.length, b.steps, row);
	float more[8];

	load8(norm, (const T *)b.x + at);
	if (POOLED)
		pool_gather<T>(g, b.pool, place_of(row, b.pool.in), vector);
	else
		load8(g, (const T *)b.dy[0] + at);
	for (int i = 1; !POOLED && i < CUDA_TERMS && b.dy[i]; i++) {
		load8(more, (const T *)b.dy[i] + at);
		for (int k = 0; k < 8; k++)
			g[k] += more[k];
	}
	for (int k = 0; k < 8; k++)
		more[k] = 0;
	if (ACT != CUDA_ACT_NONE && b.residual)
		load8(more, (const T *)b.residual + at);
	for (int k = 0; k < 8; k++) {
		norm[k] = counts ? (norm[k] - s.mean[k]) * s.inv[k] : 0;
		g[k] = counts ? g[k] * act_slope(act, b.a, norm[k] * s.weight[k] + s.bias[k] + more[k]) : 0;
	}
}

template <typename T, int ACT, bool POOLED>
DEVICE void add_up(struct pair8 &m, const struct scale8 &s, const struct batchnorm &b, const struct rows_place &p)
{
	pair8_zero(m);
	for (int64_t row = p.first; p.on && row < p.last; row += b.rows.slots) {
		float g[8], norm[8];

		undo<T, ACT, POOLED>(g, norm, s, b, row, p.vector);
		m.n += row_counts(b.length, b.steps, row) ? 1 : 0;
		for (int k = 0; k < 8; k++) {
			m.a[k] += g[k];
			m.b[k] += g[k] * norm[k];
		}
	}
}

/* The sums become gradients of the parameters, then means: none where the statistics are constants. */
DEVICE void settle_sums(struct pair8 &m, const struct batchnorm &b, int vector, bool keep)
{
	if (keep && b.dbias)
		store8(b.dbias + 8LL * vector, m.a);
	if (keep && b.dweight)
		store8(b.dweight + 8LL * vector, m.b);
	for (int k = 0; k < 8; k++) {
		m.a[k] = b.training && m.n > 0 ? m.a[k] / m.n : 0;
		m.b[k] = b.training && m.n > 0 ? m.b[k] / m.n : 0;
	}
	if (keep && b.means) {
		store8(b.means + 8LL * vector, m.a);
		store8(b.means + b.pitch + 8LL * vector, m.b);
	}
}

template <typename T, int ACT, bool POOLED>
DEVICE void spread(const struct pair8 &m, const struct scale8 &s, const struct batchnorm &b, const struct rows_place &p)
{
	for (int64_t row = p.first; p.on && row < p.last; row += b.rows.slots) {
		int64_t at = row * b.pitch + 8LL * p.vector;
		bool counts = row_counts(b.length, b.steps, row);
		float g[8], norm[8];

		undo<T, ACT, POOLED>(g, norm, s, b, row, p.vector);
		if (b.dresidual)
			store8((T *)b.dresidual + at, g);
		for (int k = 0; k < 8; k++)
			g[k] = counts ? s.weight[k] * s.inv[k] * (g[k] - m.a[k] - norm[k] * m.b[k]) : 0;
		if (b.dx)
			store8((T *)b.dx + at, g);
	}
}

template <typename T, int ACT, bool POOLED>
__global__ void __launch_bounds__(ROWS_THREADS, 2) batchnorm_sums(struct batchnorm b)
{
	struct rows_place p = rows_place(b.rows);
	struct scale8 s;
	struct pair8 m;

	if (p.on)
		scale8_load(s, b, p.vector);
	add_up<T, ACT, POOLED>(m, s, b, p);
	if (rows_total<false>(m, b.rows, p, b.scratch, b.tickets) && p.on && p.slot == 0)
		settle_sums(m, b, p.vector, true);
}

template <typename T, int ACT, bool POOLED>
__global__ void __launch_bounds__(ROWS_THREADS, 2) batchnorm_spread(struct batchnorm b)
{
	struct rows_place p = rows_place(b.rows);
	struct scale8 s;
	struct pair8 m;

	if (!p.on)
		return;
	scale8_load(s, b, p.vector);
	pair8_zero(m);
	if (b.training) {
		load8(m.a, b.means + 8LL * p.vector);
		load8(m.b, b.means + b.pitch + 8LL * p.vector);
	}
	spread<T, ACT, POOLED>(m, s, b, p);
}

template <typename T, int ACT, bool POOLED>
__global__ void __launch_bounds__(ROWS_THREADS, 2) batchnorm_back_at_once(struct batchnorm b)
{
	struct rows_place p = rows_place(b.rows);
	struct scale8 s;
	struct pair8 m;

	if (p.on)
		scale8_load(s, b, p.vector);
	add_up<T, ACT, POOLED>(m, s, b, p);
	rows_join<false>(m, b.rows, p);
	if (!p.on)
		return;
	settle_sums(m, b, p.vector, p.slot == 0);
	spread<T, ACT, POOLED>(m, s, b, p);
}

/* ---- launches ------------------------------------------------------------------------------------------- */

static struct rows cut_of(const struct cuda_dims *d)
{
	return rows_cut((int64_t)d->n * d->h * d->w, d->pitch, 1);
}

/* Rows of a pass that sums nothing are cut to fill the card. */
static struct rows cut_freely(const struct cuda_dims *d, const struct launch *l)
{
	struct rows r = cut_of(d);
	int64_t want, most;

	r.lanes = r.vectors < ROWS_LANES ? r.vectors : ROWS_LANES;
	r.slots = ROWS_THREADS / r.lanes;
	r.tiles = (int32_t)ceil_div(r.vectors, r.lanes);
	want = ceil_div(r.rows, 4LL * r.slots);
	most = ceil_div(8LL * l->processors, r.tiles);
	r.parts = (int32_t)(want < most ? want : most);
	r.per = ceil_div(r.rows, r.parts);
	return r;
}

static struct batchnorm batchnorm_of(const struct cuda_op *op, const struct launch *l)
{
	const struct cuda_op_norm *o = &op->u.norm;
	struct batchnorm b = {};

	b.rows = cut_of(&o->x);
	b.pooled = o->pooled;
	if (b.pooled != CUDA_NOT_POOLED)
		b.pool = pool_of(o->pool, b.pooled == CUDA_POOLED_WHOLE);
	b.pool.saved = at<void>(l, op->buf[9]);
	b.pool.length = at<int32_t>(l, op->buf[7]);
	b.x = at<void>(l, op->buf[0]);
	b.weight = at<float>(l, op->buf[2]);
	b.bias = at<float>(l, op->buf[3]);
	b.running_mean = at<float>(l, op->buf[4]);
	b.running_var = at<float>(l, op->buf[5]);
	b.saved = at<float>(l, op->buf[6]);
	b.length = at<int32_t>(l, op->buf[7]);
	b.residual = at<void>(l, op->buf[8]);
	b.scratch = at<float>(l, op->scratch);
	b.tickets = l->control->ticket;
	b.c = o->x.c, b.pitch = o->x.pitch, b.steps = o->x.w;
	b.training = o->training, b.act = o->act, b.a = o->a;
	b.eps = o->eps, b.momentum = o->momentum;
	return b;
}

/* Whether one block for a tile of channels does it all. */
static bool little(const struct rows &r)
{
	return r.parts == 1 && r.rows <= 16LL * r.slots;
}

template <typename T, int ACT> static int values(struct batchnorm b, const struct launch *l)
{
	const struct cuda_op_pool *o = &b.pool.o;

	if (b.pooled == CUDA_POOLED_WHOLE)
		return launch(o->max ? batchnorm_pool_whole<T, ACT, true> : batchnorm_pool_whole<T, ACT, false>,
			      global_grid(*o), GLOBAL_THREADS, 0, l, b);
	return launch(b.pooled ? batchnorm_pool<T, ACT> : batchnorm_normalise<T, ACT>, rows_grid(&b.rows), ROWS_THREADS,
		      0, l, b);
}

template <typename T, int ACT> static int forward(struct batchnorm b, const struct launch *l, const struct rows &freely)
{
	int rc = 0;

	if (b.training && little(b.rows))
		return launch(b.pooled ? batchnorm_at_once<T, ACT, true> : batchnorm_at_once<T, ACT, false>,
			      rows_grid(&b.rows), ROWS_THREADS, 0, l, b);
	if (b.training)
		rc = launch(batchnorm_measure<T>, rows_grid(&b.rows), ROWS_THREADS, 0, l, b);
	b.rows = freely;
	return rc ? rc : values<T, ACT>(b, l);
}

int kernel_batchnorm(const struct cuda_op *op, const struct launch *l)
{
	struct batchnorm b = batchnorm_of(op, l);
	struct rows freely = cut_freely(b.pooled ? &op->u.norm.pool.y : &op->u.norm.x, l);
	int rc;

	b.y = b.pool.y = at<void>(l, op->buf[1]);
	BY_ELEM(op->buf[0].elem, BY_ACT(b.act, rc = (forward<T, ACT>(b, l, freely))));
	return rc;
}

template <typename T, int ACT, bool POOLED>
static int backward(struct batchnorm b, const struct launch *l, const struct rows &freely)
{
	bool sums = b.training || b.dweight || b.dbias, values = b.dx || b.dresidual;
	int rc = 0;

	if (sums && values && little(b.rows))
		return launch(batchnorm_back_at_once<T, ACT, POOLED>, rows_grid(&b.rows), ROWS_THREADS, 0, l, b);
	if (sums)
		rc = launch(batchnorm_sums<T, ACT, POOLED>, rows_grid(&b.rows), ROWS_THREADS, 0, l, b);
	b.rows = freely;
	if (rc || !values)
		return rc;
	return launch(batchnorm_spread<T, ACT, POOLED>, rows_grid(&b.rows), ROWS_THREADS, 0, l, b);
}

int kernel_batchnorm_back(const struct cuda_op *op, const struct launch *l)
{
	struct batchnorm b = batchnorm_of(op, l);
	struct rows freely = cut_freely(&op->u.norm.x, l);
	int rc;

	b.dy[0] = b.pool.dy = at<void>(l, op->buf[1]);
	for (int i = 1; i < CUDA_TERMS; i++)
		b.dy[i] = at<void>(l, op->buf[13 + i]);
	b.dx = at<void>(l, op->buf[10]);
	b.dweight = at<float>(l, op->buf[11]);
	b.dbias = at<float>(l, op->buf[12]);
	b.dresidual = at<void>(l, op->buf[13]);
	b.means = b.scratch;
	b.scratch += 2LL * b.pitch;
	BY_ELEM(op->buf[0].elem, BY_ACT(b.act, rc = b.pooled ? (backward<T, ACT, true>(b, l, freely))
							     : (backward<T, ACT, false>(b, l, freely))));
	return rc;
}

int64_t kernel_batchnorm_scratch(const struct cuda_op *op)
{
	struct rows r = cut_of(&op->u.norm.x);

	return rows_floats(&r) * (int64_t)sizeof(float);
}

int64_t kernel_batchnorm_back_scratch(const struct cuda_op *op)
{
	return 2LL * op->u.norm.x.pitch * (int64_t)sizeof(float) + kernel_batchnorm_scratch(op);
}
