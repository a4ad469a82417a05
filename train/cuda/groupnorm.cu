/* train/cuda/groupnorm.cu - group norm (Wu and He 2018) and layer norm (Ba et al. 2016): sets of elements of one
 * example that share a mean and a variance; formulas as in norm.cu, the means over the elements of the set.
 *
 * A set is `rows` rows of `width` channels. Small sets are the work of a warp, large ones of a block; each reads its
 * set again for the mean, the squares about it, and the values: the second and third time from a cache. The gradients
 * of the parameters are sums over rows of their own (train/cuda/rows.h); a weight for every element makes a row of an
 * example.
 */
#include "train/cuda/act.h"
#include "train/cuda/rows.h"

enum { TEAM_THREADS = 256 };

struct groupnorm {
	struct rows cut; /* of the parameters' gradients */
	const void *x, *dy, *residual;
	void *y, *dx, *dresidual;
	const float *weight, *bias;
	float *saved, *dweight, *dbias, *scratch;
	const int32_t *length;
	uint32_t *tickets;
	int64_t sets, rows; /* rows: of a set */
	int32_t width, groups, c, pitch, steps, whole, act;
	int64_t param_pitch; /* floats of weight: pitch, or of a whole example */
	float a;
	double eps;
};

struct set {                          /* one of them, for the threads of a team */
	int64_t base;                 /* of its first element */
	int32_t first, zeros, groups; /* its first channel; channels of padding that it looks after */
	bool counts;
};

DEVICE struct set set_at(const struct groupnorm &g, int64_t i)
{
	struct set s;

	s.groups = (int)(i % g.groups);
	s.first = s.groups * g.width;
	s.base = i / g.groups * g.rows * g.pitch + s.first;
	s.zeros = s.groups == g.groups - 1 ? g.pitch - g.c : 0;
	s.counts = !g.steps || row_counts(g.length, g.steps, i);
	return s;
}

/* Sum over a team of a warp or of the block; all get it. */
template <int TEAM> DEVICE float team_sum(float v)
{
	return TEAM == WARP ? warp_sum(v) : block_sum(v);
}

template <int N, typename T> DEVICE void load_n(float *v, const T *p)
{
	if (N == 8)
		load8(v, p);
	else
		v[0] = load(p);
}

template <int N, typename T> DEVICE void store_n(T *p, const float *v)
{
	if (N == 8)
		store8(p, v);
	else
		store(p, v[0]);
}

/* The statement for every N neighbours of the set that are this thread's: `off` from its base, `chan` from the first
 * channel, `param` in weight and bias. */
#define EACH_OF_SET(g, s, N, TEAM, ...)                                                        \
	do {                                                                                   \
		uint32_t wide_ = (uint32_t)(g).width / (N), all_ = (uint32_t)(g).rows * wide_; \
		for (uint32_t e_ = threadIdx.x % (TEAM); e_ < all_; e_ += (TEAM)) {            \
			int64_t row_ = e_ / wide_;                                             \
			int32_t chan = (int32_t)(e_ % wide_) * (N) + (s).first;                \
			int64_t off = (s).base - (s).first + row_ * (g).pitch + chan;          \
			int64_t param = (g).whole ? row_ * (g).pitch + chan : chan;            \
			(void)param;                                                           \
			__VA_ARGS__;                                                           \
		}                                                                              \
	} while (0)

/* Padding of the rows of a set stays zero. */
template <int TEAM, typename T> DEVICE void clear_padding(T *t, const struct groupnorm &g, const struct set &s)
{
	for (int64_t row = threadIdx.x % TEAM; t && s.zeros && row < g.rows; row += TEAM)
		for (int k = 0; k < s.zeros; k++)
			store(t + s.base - s.first + row * g.pitch + g.c + k, 0);
}

template <int N, int TEAM, typename T> DEVICE void clear_set(T *t, const struct groupnorm &g, const struct set &s)
{
	const float zero[8] = { 0 };

	if (t)
		EACH_OF_SET(g, s, N, TEAM, store_n<N>(t + off, zero));
}

/* Mean and inv of a set; the mean is found from its first element on. */
template <typename T, int N, int TEAM>
DEVICE void set_measure(float &mean, float &inv, const struct groupnorm &g, const struct set &s)
{
	const T *x = (const T *)g.x;
	float first = load(x + s.base), sum = 0, squares = 0, v[N], count = (float)(g.rows * g.width);

	EACH_OF_SET(g, s, N, TEAM, {
		load_n<N>(v, x + off);
		for (int k = 0; k < N; k++)
			sum += v[k] - first;
	});
	mean = first + team_sum<TEAM>(sum) / count;
	EACH_OF_SET(g, s, N, TEAM, {
		load_n<N>(v, x + off);
		for (int k = 0; k < N; k++)
			squares += (v[k] - mean) * (v[k] - mean);
	});
	inv = (float)(1 / sqrt((double)(team_sum<TEAM>(squares) / count) + g.eps));
}

/* x becomes x^, and more the value before the activation. */
template <int N>
DEVICE void set_pre(float *x, float *more, const struct groupnorm &g, float mean, float inv, int64_t param,
		    float *weight)
{
	float bias[N];

	for (int k = 0; k < N; k++) {
		weight[k] = g.weight ? g.weight[param + k] : 1;
		bias[k] = g.bias ? g.bias[param + k] : 0;
		x[k] = (x[k] - mean) * inv;
		more[k] += x[k] * weight[k] + bias[k];
	}
}

template <typename T, int N, int TEAM> DEVICE void set_forward(const struct groupnorm &g, int64_t i)
{
	struct set s = set_at(g, i);
	float mean = 0, inv = 0, v[N], pre[N], weight[N];

	if (s.counts)
		set_measure<T, N, TEAM>(mean, inv, g, s);
	else
		clear_set<N, TEAM>((T *)g.y, g, s);
	if (threadIdx.x % TEAM == 0 && g.saved) {
		g.saved[2 * i] = mean;
		g.saved[2 * i + 1] = inv;
	}
	clear_padding<TEAM>((T *)g.y, g, s);
	if (!s.counts)
		return;
	EACH_OF_SET(g, s, N, TEAM, {
		for (int k = 0; k < N; k++)
			pre[k] = 0;
		load_n<N>(v, (const T *)g.x + off);
		if (g.residual)
			load_n<N>(pre, (const T *)g.residual + off);
		set_pre<N>(v, pre, g, mean, inv, param, weight);
		for (int k = 0; k < N; k++)
			v[k] = act_value(g.act, g.a, pre[k]);
		store_n<N>((T *)g.y + off, v);
	});
}

/* Teams take sets in turn. All threads of a team stay together. */
template <typename T, int N, int TEAM>
__global__ void __launch_bounds__(TEAM_THREADS, 2) groupnorm_forward(struct groupnorm g)
{
	enum { TEAMS = TEAM_THREADS / TEAM };

	for (int64_t i = (int64_t)blockIdx.x * TEAMS + threadIdx.x / TEAM; i < g.sets; i += (int64_t)gridDim.x * TEAMS)
		set_forward<T, N, TEAM>(g, i);
}

/* ---- backward ------------------------------------------------------------------------------------------- */

/* x^ and g of N neighbours, and the weight */
template <typename T, int N>
DEVICE void set_undo(float *norm, float *grad, float *weight, const struct groupnorm &g, float mean, float inv,
		     int64_t off, int64_t param)
{
	float pre[N];

	for (int k = 0; k < N; k++)
		pre[k] = 0;
	load_n<N>(norm, (const T *)g.x + off);
	load_n<N>(grad, (const T *)g.dy + off);
	if (g.residual)
		load_n<N>(pre, (const T *)g.residual + off);
	set_pre<N>(norm, pre, g, mean, inv, param, weight);
	for (int k = 0; k < N; k++)
		grad[k] *= act_slope(g.act, g.a, pre[k]);
}

template <typename T, int N, int TEAM> DEVICE void set_backward(const struct groupnorm &g, int64_t i)
{
	struct set s = set_at(g, i);
	float mean = g.saved[2 * i], inv = g.saved[2 * i + 1], sum = 0, dot = 0, norm[N], grad[N], weight[N];
	float count = (float)(g.rows * g.width);

	clear_padding<TEAM>((T *)g.dx, g, s);
	clear_padding<TEAM>((T *)g.dresidual, g, s);
	if (!s.counts) {
		clear_set<N, TEAM>((T *)g.dx, g, s);
		clear_set<N, TEAM>((T *)g.dresidual, g, s);
		return;
	}
	EACH_OF_SET(g, s, N, TEAM, {
		set_undo<T, N>(norm, grad, weight, g, mean, inv, off, param);
		for (int k = 0; k < N; k++) {
			sum += grad[k] * weight[k];
			dot += grad[k] * weight[k] * norm[k];
		}
	});
	sum = team_sum<TEAM>(sum) / count;
	dot = team_sum<TEAM>(dot) / count;
	EACH_OF_SET(g, s, N, TEAM, {
		set_undo<T, N>(norm, grad, weight, g, mean, inv, off, param);
		if (g.dresidual)
			store_n<N>((T *)g.dresidual + off, grad);
		for (int k = 0; k < N; k++)
			grad[k] = inv * (grad[k] * weight[k] - sum - norm[k] * dot);
		if (g.dx)
			store_n<N>((T *)g.dx + off, grad);
	});
}

template <typename T, int N, int TEAM>
__global__ void __launch_bounds__(TEAM_THREADS, 2) groupnorm_backward(struct groupnorm g)
{
	enum { TEAMS = TEAM_THREADS / TEAM };

	for (int64_t i = (int64_t)blockIdx.x * TEAMS + threadIdx.x / TEAM; i < g.sets; i += (int64_t)gridDim.x * TEAMS)
		set_backward<T, N, TEAM>(g, i);
}

/* g and g * x^ of eight channels of a row, whose sets may differ. A row of an example (`whole`) is one set. */
template <typename T> DEVICE void row_add(struct pair8 &m, const struct groupnorm &g, int64_t row, int vector)
{
	int64_t at = row * g.param_pitch + 8LL * vector;
	float norm[8], grad[8], weight[8], bias[8], pre[8] = { 0 };

	load8(norm, (const T *)g.x + at);
	load8(grad, (const T *)g.dy + at);
	if (g.residual)
		load8(pre, (const T *)g.residual + at);
	vector_or(weight, g.weight, 8LL * vector, 1);
	vector_or(bias, g.bias, 8LL * vector, 0);
	for (int k = 0; k < 8; k++) {
		int group = g.groups == 1 ? 0 : (8 * vector + k) / g.width;
		int64_t set = g.steps || g.whole ? row : row / g.rows * g.groups + group;

		if (!g.whole && 8 * vector + k >= g.c)
			continue;
		norm[k] = (norm[k] - g.saved[2 * set]) * g.saved[2 * set + 1];
		grad[k] *= act_slope(g.act, g.a, norm[k] * weight[k] + bias[k] + pre[k]);
		m.a[k] += grad[k];
		m.b[k] += grad[k] * norm[k];
	}
}

template <typename T> __global__ void __launch_bounds__(ROWS_THREADS, 2) groupnorm_params(struct groupnorm g)
{
	struct rows_place p = rows_place(g.cut);
	struct pair8 m;

	pair8_zero(m);
	m.n = 1; /* as rows_total() asks */
	for (int64_t row = p.first; p.on && row < p.last; row += g.cut.slots)
		if (!g.steps || row_counts(g.length, g.steps, row))
			row_add<T>(m, g, row, p.vector);
	if (!rows_total<false>(m, g.cut, p, g.scratch, g.tickets) || !p.on || p.slot > 0)
		return;
	if (g.dbias)
		store8(g.dbias + 8LL * p.vector, m.a);
	if (g.dweight)
		store8(g.dweight + 8LL * p.vector, m.b);
}

/* ---- launches ------------------------------------------------------------------------------------------- */

static int64_t row_floats(const struct cuda_op_norm *o)
{
	return o->whole ? (int64_t)o->x.h * o->x.w * o->x.pitch : o->x.pitch;
}

static struct rows cut_of(const struct cuda_op_norm *o)
{
	int64_t examples = o->x.n, positions = (int64_t)o->x.h * o->x.w;

	return rows_cut(o->whole ? examples : examples * positions, row_floats(o), 1);
}

static struct groupnorm groupnorm_of(const struct cuda_op *op, const struct launch *l)
{
	const struct cuda_op_norm *o = &op->u.norm;
	struct groupnorm g = {};

	g.cut = cut_of(o);
	g.x = at<void>(l, op->buf[0]);
	g.weight = at<float>(l, op->buf[2]);
	g.bias = at<float>(l, op->buf[3]);
	g.saved = at<float>(l, op->buf[6]);
	g.length = at<int32_t>(l, op->buf[7]);
	g.residual = at<void>(l, op->buf[8]);
	g.scratch = at<float>(l, op->scratch);
	g.tickets = l->control->ticket;
	g.c = o->x.c, g.pitch = o->x.pitch, g.whole = o->whole;
	g.act = o->act, g.a = o->a, g.eps = o->eps;
	g.param_pitch = row_floats(o);
	g.steps = o->steps ? o->x.w : 0;
	g.groups = o->steps ? 1 : o->groups;
	g.width = o->x.c / g.groups;
	g.rows = o->steps ? 1 : (int64_t)o->x.h * o->x.w;
	g.sets = (int64_t)o->x.n * (o->steps ? (int64_t)o->x.h * o->x.w : g.groups);
	return g;
}

/* Eight at a time where groups are whole vectors; a warp where that leaves each thread little. */
template <typename T, int N> static int sets(struct groupnorm g, const struct launch *l, bool back)
{
	int64_t each = g.rows * g.width / N;

	if (each <= 8 * WARP)
		return launch(back ? groupnorm_backward<T, N, WARP> : groupnorm_forward<T, N, WARP>,
			      grid_of(l, g.sets, TEAM_THREADS / WARP), TEAM_THREADS, 0, l, g);
	return launch(back ? groupnorm_backward<T, N, TEAM_THREADS> : groupnorm_forward<T, N, TEAM_THREADS>,
		      grid_of(l, g.sets, 1), TEAM_THREADS, 0, l, g);
}

template <typename T> static int sets_of(struct groupnorm g, const struct launch *l, bool back)
{
	return g.width % 8 == 0 ? sets<T, 8>(g, l, back) : sets<T, 1>(g, l, back);
}

int kernel_groupnorm(const struct cuda_op *op, const struct launch *l)
{
	struct groupnorm g = groupnorm_of(op, l);
	int rc;

	g.y = at<void>(l, op->buf[1]);
	BY_ELEM(op->buf[0].elem, rc = sets_of<T>(g, l, false));
	return rc;
}

/* The parameters' gradients first: dx may lie where dy does. */
int kernel_groupnorm_back(const struct cuda_op *op, const struct launch *l)
{
	struct groupnorm g = groupnorm_of(op, l);
	int rc = 0;

	g.dy = at<void>(l, op->buf[1]);
	g.dx = at<void>(l, op->buf[10]);
	g.dweight = at<float>(l, op->buf[11]);
	g.dbias = at<float>(l, op->buf[12]);
	g.dresidual = at<void>(l, op->buf[13]);
	if (g.dweight || g.dbias)
		BY_ELEM(op->buf[0].elem, rc = launch(groupnorm_params<T>, rows_grid(&g.cut), ROWS_THREADS, 0, l, g));
	if (!rc && (g.dx || g.dresidual))
		BY_ELEM(op->buf[0].elem, rc = sets_of<T>(g, l, true));
	return rc;
}

int64_t kernel_groupnorm_back_scratch(const struct cuda_op *op)
{
	struct rows r = cut_of(&op->u.norm);

	return rows_floats(&r) * (int64_t)sizeof(float);
}
