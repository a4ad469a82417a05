/* arch/layer_norm.c - batchnorm (Ioffe and Szegedy 2015), layernorm (Ba et al. 2016), groupnorm (Wu and He 2018).
 *
 *	y = (x - mean) / sqrt(var + eps) * weight + bias
 *
 * The three differ in the set of elements that share a mean and a (biased) variance: a channel over the batch, an
 * example (a step of a sequence), a group of channels of an example.
 */
#include <math.h>
#include <stdint.h>

#include "arch/kinds.h"
#include "arch/layer_common.h"

static const unsigned any_type = 1U << TENSOR_IMAGE | 1U << TENSOR_VECTOR | 1U << TENSOR_SEQUENCE;

static int norm_param(struct param_spec *out, const char *name, enum param_role role, enum param_init init, int n)
{
	*out = (struct param_spec){ .name = name, .role = role, .init = init, .rank = 1, .d = { n } };
	return 1;
}

/* ---- one set of elements -------------------------------------------------------------------------------- */

struct set { /* elements base + a * outer_stride + b * inner_stride, a < outer, b < inner (or length[a]) */
	int64_t base, outer, outer_stride, inner, inner_stride;
	const int *length;     /* NULL: inner */
	int64_t weight, share; /* element b uses weight[weight + b / share] */
};

struct moments {
	int64_t n;
	double mean, scale; /* scale = 1 / sqrt(var + eps) */
	double var;         /* biased */
};

#define EACH_ELEMENT(s, at, w, ...)                                                               \
	for (int64_t a_ = 0; a_ < (s)->outer; a_++)                                               \
		for (int64_t b_ = 0; b_ < ((s)->length ? (s)->length[a_] : (s)->inner); b_++) {   \
			int64_t at = (s)->base + a_ * (s)->outer_stride + b_ * (s)->inner_stride; \
			int64_t w = (s)->weight + b_ / (s)->share;                                \
			(void)w;                                                                  \
			__VA_ARGS__;                                                              \
		}

static struct moments measure(const struct set *s, const double *x, double eps)
{
	struct moments m = { 0 };

	EACH_ELEMENT(s, at, w, {
		m.n++;
		m.mean += x[at];
	});
	if (m.n == 0)
		return m;
	m.mean /= (double)m.n;
	EACH_ELEMENT(s, at, w, m.var += (x[at] - m.mean) * (x[at] - m.mean));
	m.var /= (double)m.n;
	m.scale = 1 / sqrt(m.var + eps);
	return m;
}

static void set_forward(const struct layer_io *io, const struct set *s, const struct moments *m, bool affine)
{
	EACH_ELEMENT(s, at, w, {
		double y = (io->in[0][at] - m->mean) * m->scale;

		io->out[0][at] = affine ? y * io->param[0][w] + io->param[1][w] : y;
	});
}

/* With g = dy * weight and the normalised x^:
 *	dx = scale * (g - mean(g) - x^ * mean(g * x^))	if mean and variance are the set's own,
 *	dx = scale * g					if they are constants.
 */
static void set_backward(const struct layer_io *io, const struct set *s, const struct moments *m, bool affine,
			 bool constants)
{
	const double *x = io->in[0], *dy = io->dout[0];
	double *dw = affine ? io->dparam[0] : NULL, *db = affine ? io->dparam[1] : NULL, sum = 0, dot = 0;

	EACH_ELEMENT(s, at, w, {
		double norm = (x[at] - m->mean) * m->scale, g = affine ? dy[at] * io->param[0][w] : dy[at];

		sum += g;
		dot += g * norm;
		if (dw)
			dw[w] += dy[at] * norm;
		if (db)
			db[w] += dy[at];
	});
	if (!io->din[0])
		return;
	EACH_ELEMENT(s, at, w, {
		double norm = (x[at] - m->mean) * m->scale, g = affine ? dy[at] * io->param[0][w] : dy[at];

		io->din[0][at] += m->scale * (constants ? g : g - (sum + norm * dot) / (double)m->n);
	});
}

/* ---- batchnorm ------------------------------------------------------------------------------------------ */

static const struct opt batchnorm_opts[] = {
	OPT_REAL(struct batchnorm, eps, 1e-5, 1e-12, 1, "added to the variance"),
	OPT_REAL(struct batchnorm, momentum, 0.1, 0, 1, "share by which running statistics move to the batch's"),
	OPT_BOOL(struct batchnorm, affine, 1, "learn a scale and a shift per channel"),
	OPT_END,
};

static int batchnorm_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e)
{
	(void)cfg;
	(void)n_in;
	out[0] = in[0];
	return layer_need("batchnorm", in, any_type, e);
}

static int batchnorm_params(const void *cfg, const struct shape *in, int n_in, struct param_spec *out)
{
	const struct batchnorm *c = cfg;
	int n = 0, channels = in->d[0];

	(void)n_in;
	if (c->affine) {
		n += norm_param(out + n, "weight", PARAM_NORM, INIT_ONES, channels);
		n += norm_param(out + n, "bias", PARAM_NORM, INIT_ZEROS, channels);
	}
	n += norm_param(out + n, "running_mean", PARAM_STAT, INIT_ZEROS, channels);
	n += norm_param(out + n, "running_var", PARAM_STAT, INIT_ONES, channels);
	return n;
}

/* Channel c over the batch: all positions of an image, the valid steps of a sequence. */
static struct set channel_set(const struct layer_io *io, int c)
{
	struct layer_view v = layer_view(io->in_shape);

	return (struct set){ .base = c * v.inner,
			     .outer = io->batch,
			     .outer_stride = v.count,
			     .inner = v.inner,
			     .inner_stride = 1,
			     .length = io->in_shape->open ? io->length : NULL,
			     .weight = c,
			     .share = v.inner };
}

/* The moments that normalise channel c: the batch's while training, the running ones otherwise. */
static struct moments channel_moments(const struct layer_io *io, const struct set *s, int c)
{
	const struct batchnorm *cfg = io->cfg;
	double *const *stat = io->param + (cfg->affine ? 2 : 0);

	if (io->training)
		return measure(s, io->in[0], cfg->eps);
	return (struct moments){ 1, stat[0][c], 1 / sqrt(stat[1][c] + cfg->eps), stat[1][c] };
}

/* A single element has no unbiased variance; then the biased one (zero) counts. */
static void move_running(const struct layer_io *io, const struct moments *m, int c)
{
	const struct batchnorm *cfg = io->cfg;
	double *const *stat = io->param + (cfg->affine ? 2 : 0), p = cfg->momentum;
	double unbiased = m->n > 1 ? m->var * (double)m->n / (double)(m->n - 1) : m->var;

	if (m->n == 0)
		return;
	stat[0][c] = (1 - p) * stat[0][c] + p * m->mean;
	stat[1][c] = (1 - p) * stat[1][c] + p * unbiased;
}

static void batchnorm_forward(const struct layer_io *io)
{
	const struct batchnorm *cfg = io->cfg;

	for (int c = 0; c < io->in_shape->d[0]; c++) {
		struct set s = channel_set(io, c);
		struct moments m = channel_moments(io, &s, c);

		set_forward(io, &s, &m, cfg->affine);
		if (io->training)
			move_running(io, &m, c);
	}
	layer_mask(io, io->out[0], io->out_shape);
}

static void batchnorm_backward(const struct layer_io *io)
{
	const struct batchnorm *cfg = io->cfg;

	for (int c = 0; io->dout[0] && c < io->in_shape->d[0]; c++) {
		struct set s = channel_set(io, c);
		struct moments m = channel_moments(io, &s, c);

		set_backward(io, &s, &m, cfg->affine, !io->training);
	}
}

const struct layer_class layer_batchnorm = {
	.name = "batchnorm",
	.symbol = "B",
	.help = "batch normalisation per channel",
	.family = FAMILY_NORM,
	.min_in = 1,
	.max_in = 1,
	.opts = batchnorm_opts,
	.cfg_size = sizeof(struct batchnorm),
	.shape = batchnorm_shape,
	.params = batchnorm_params,
	.forward = batchnorm_forward,
	.backward = batchnorm_backward,
};

/* ---- layernorm ------------------------------------------------------------------------------------------ */

static const struct opt layernorm_opts[] = {
	OPT_REAL(struct layernorm, eps, 1e-5, 1e-12, 1, "added to the variance"),
	OPT_BOOL(struct layernorm, affine, 1, "learn a scale and a shift per element"),
	OPT_END,
};

static int layernorm_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e)
{
	(void)cfg;
	(void)n_in;
	if (layer_need("layernorm", in, any_type, e) < 0)
		return -1;
	if (in->type == TENSOR_IMAGE && shape_count(in) > SHAPE_DIM_MAX)
		return ERR(e, ERR_INVALID, NULL,
			   "layernorm: an image of more than %d elements is too large: use \"groupnorm\"",
			   SHAPE_DIM_MAX);
	out[0] = in[0];
	return 0;
}

static int layernorm_params(const void *cfg, const struct shape *in, int n_in, struct param_spec *out)
{
	const struct layernorm *c = cfg;

	(void)n_in;
	if (!c->affine)
		return 0;
	norm_param(out, "weight", PARAM_NORM, INIT_ONES, in->d[0]);
	norm_param(out + 1, "bias", PARAM_NORM, INIT_ZEROS, in->d[0]);
	for (int i = 0; i < 2 && in->type == TENSOR_IMAGE; i++) {
		out[i].rank = 3;
		out[i].d[1] = in->d[1];
		out[i].d[2] = in->d[2];
	}
	return 2;
}

/* Set i of one call: example i, or step i % steps of example i / steps of a sequence (none if past its end). */
static struct set layer_set(const struct layer_io *io, int64_t i)
{
	struct layer_view v = layer_view(io->in_shape);
	struct set s = { .base = i * v.count, .outer = 1, .inner = v.count, .inner_stride = 1, .share = 1 };

	if (io->in_shape->type != TENSOR_SEQUENCE)
		return s;
	s.base = i / v.inner * v.count + i % v.inner;
	s.inner = i % v.inner < layer_steps(io, io->in_shape, (int)(i / v.inner)) ? v.channels : 0;
	s.inner_stride = v.inner;
	return s;
}

static int64_t layer_sets(const struct layer_io *io)
{
	return io->in_shape->type == TENSOR_SEQUENCE ? (int64_t)io->batch * io->in_shape->d[1] : io->batch;
}

static void layernorm_forward(const struct layer_io *io)
{
	const struct layernorm *c = io->cfg;

	for (int64_t i = 0; i < layer_sets(io); i++) {
		struct set s = layer_set(io, i);
		struct moments m = measure(&s, io->in[0], c->eps);

		set_forward(io, &s, &m, c->affine);
	}
	layer_mask(io, io->out[0], io->out_shape);
}

static void layernorm_backward(const struct layer_io *io)
{
	const struct layernorm *c = io->cfg;

	for (int64_t i = 0; io->dout[0] && i < layer_sets(io); i++) {
		struct set s = layer_set(io, i);
		struct moments m = measure(&s, io->in[0], c->eps);

		set_backward(io, &s, &m, c->affine, false);
	}
}

const struct layer_class layer_layernorm = {
	.name = "layernorm",
	.symbol = "LN",
	.help = "normalisation of each example (of each step of a sequence)",
	.family = FAMILY_NORM,
	.min_in = 1,
	.max_in = 1,
	.opts = layernorm_opts,
	.cfg_size = sizeof(struct layernorm),
	.shape = layernorm_shape,
	.params = layernorm_params,
	.forward = layernorm_forward,
	.backward = layernorm_backward,
};

/* ---- groupnorm ------------------------------------------------------------------------------------------ */

static const struct opt groupnorm_opts[] = {
	OPT_INT(struct groupnorm, groups, OPT_NEED, 1, 65536, "groups of channels normalised together"),
	OPT_REAL(struct groupnorm, eps, 1e-5, 1e-12, 1, "added to the variance"),
	OPT_BOOL(struct groupnorm, affine, 1, "learn a scale and a shift per channel"),
	OPT_END,
};

static int groupnorm_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e)
{
	const struct groupnorm *c = cfg;

	(void)n_in;
	if (layer_need("groupnorm", in, 1U << TENSOR_IMAGE | 1U << TENSOR_SEQUENCE, e) < 0)
		return -1;
	if (in->open)
		return ERR(e, ERR_INVALID, NULL, "groupnorm cannot take an open time axis: use \"layernorm\"");
	if (in->d[0] % c->groups)
		return ERR(e, ERR_INVALID, NULL, "groupnorm: %d channels are not divisible into %d groups", in->d[0],
			   c->groups);
	out[0] = in[0];
	return 0;
}

static int groupnorm_params(const void *cfg, const struct shape *in, int n_in, struct param_spec *out)
{
	const struct groupnorm *c = cfg;

	(void)n_in;
	if (!c->affine)
		return 0;
	norm_param(out, "weight", PARAM_NORM, INIT_ONES, in->d[0]);
	norm_param(out + 1, "bias", PARAM_NORM, INIT_ZEROS, in->d[0]);
	return 2;
}

/* Set i: group i % groups of example i / groups. */
static struct set group_set(const struct layer_io *io, int64_t i)
{
	const struct groupnorm *c = io->cfg;
	struct layer_view v = layer_view(io->in_shape);
	int64_t channels = v.channels / c->groups;

	return (struct set){ .base = i * channels * v.inner,
			     .outer = 1,
			     .inner = channels * v.inner,
			     .inner_stride = 1,
			     .weight = i % c->groups * channels,
			     .share = v.inner };
}

static void groupnorm_forward(const struct layer_io *io)
{
	const struct groupnorm *c = io->cfg;

	for (int64_t i = 0; i < (int64_t)io->batch * c->groups; i++) {
		struct set s = group_set(io, i);
		struct moments m = measure(&s, io->in[0], c->eps);

		set_forward(io, &s, &m, c->affine);
	}
}

static void groupnorm_backward(const struct layer_io *io)
{
	const struct groupnorm *c = io->cfg;

	for (int64_t i = 0; io->dout[0] && i < (int64_t)io->batch * c->groups; i++) {
		struct set s = group_set(io, i);
		struct moments m = measure(&s, io->in[0], c->eps);

		set_backward(io, &s, &m, c->affine, false);
	}
}

const struct layer_class layer_groupnorm = {
	.name = "groupnorm",
	.symbol = "GN",
	.help = "normalisation of groups of channels of each example",
	.family = FAMILY_NORM,
	.min_in = 1,
	.max_in = 1,
	.opts = groupnorm_opts,
	.cfg_size = sizeof(struct groupnorm),
	.shape = groupnorm_shape,
	.params = groupnorm_params,
	.forward = groupnorm_forward,
	.backward = groupnorm_backward,
};
