/* arch/layer_pool.c - maximum and average over windows: maxpool2d, avgpool2d and their 1-D forms, which are the 2-D
 * ones on a single row.
 *
 * Maximum: padding never wins; the gradient goes to the first maximum in row-major order. Average: the divisor counts
 * the elements inside the input, with count_pad also those in the padding (but never what lies beyond it, as ceil's
 * last window may). Where the time axis is open, an example ends where its steps end: what follows is padding.
 */
#include <assert.h>
#include <math.h>

#include "arch/kinds.h"
#include "arch/layer_common.h"

/* ---- shape ---------------------------------------------------------------------------------------------- */

static int check_axis(const char *name, const struct pool2d *c, int axis, struct err *e)
{
	int k = c->size.v[axis], before = c->padding.side[axis], after = c->padding.side[axis + 2];

	if (before < k && after < k)
		return 0;
	return ERR(e, ERR_INVALID, NULL,
		   "%s: padding %d of a window of %d would leave a window wholly in the padding: use at most %d", name,
		   before > after ? before : after, k, k - 1);
}

static int pool_axis(const char *name, const struct pool2d *c, int in, int axis, struct err *e)
{
	int k = c->size.v[axis], before = c->padding.side[axis], after = c->padding.side[axis + 2];
	int out = layer_window(in, k, c->stride.v[axis], 1, before, after, c->ceil);

	if (out < 1)
		return ERR(e, ERR_INVALID, NULL,
			   "%s %dx%d does not fit a %s of %d: use \"padding\": \"same\" or a size of at most %d", name,
			   c->size.v[0], c->size.v[1], axis ? "width" : "height", in, in + before + after);
	return out;
}

/* Makes stride and padding explicit and finds the output's size. */
static int pool_out(const char *name, struct pool2d *c, int h, int w, int *oh, int *ow, struct err *e)
{
	static const struct opt_pair one = { { 1, 1 } };

	for (int axis = 0; axis < 2; axis++)
		if (c->stride.v[axis] == 0)
			c->stride.v[axis] = c->size.v[axis];
	layer_same(&c->padding, &c->size, &one);
	if (check_axis(name, c, 0, e) < 0 || check_axis(name, c, 1, e) < 0)
		return -1;
	*oh = pool_axis(name, c, h, 0, e);
	*ow = *oh < 0 ? -1 : pool_axis(name, c, w, 1, e);
	return *ow < 0 ? -1 : 0;
}

static int shape2d(const char *name, struct pool2d *c, const struct shape *in, struct shape *out, struct err *e)
{
	int h, w;

	if (in->type == TENSOR_SEQUENCE)
		return ERR(e, ERR_INVALID, NULL, "%s needs an image, its input is a sequence: use \"%.3spool1d\"", name,
			   name);
	if (layer_need(name, in, 1U << TENSOR_IMAGE, e) < 0 || pool_out(name, c, in->d[1], in->d[2], &h, &w, e) < 0)
		return -1;
	out[0] = shape_image(in->d[0], h, w);
	return 0;
}

static struct pool2d widen(const struct pool1d *c)
{
	struct pool2d out = { .size = { { 1, c->size } },
			      .stride = { { 1, c->stride } },
			      .padding = c->padding,
			      .ceil = c->ceil,
			      .count_pad = c->count_pad };

	out.padding.side[0] = out.padding.side[2] = 0;
	return out;
}

struct pool2d pool_as_2d(enum layer_kind kind, const void *cfg)
{
	return kind == LAYER_maxpool1d || kind == LAYER_avgpool1d ? widen(cfg) : *(const struct pool2d *)cfg;
}

static int shape1d(const char *name, struct pool1d *c, const struct shape *in, struct shape *out, struct err *e)
{
	struct pool2d wide = widen(c);
	int h, w;

	if (layer_need(name, in, 1U << TENSOR_SEQUENCE, e) < 0 || pool_out(name, &wide, 1, in->d[1], &h, &w, e) < 0)
		return -1;
	if (in->open && (wide.stride.v[1] != 1 || wide.padding.side[1] + wide.padding.side[3] != c->size - 1))
		return ERR(e, ERR_INVALID, NULL,
			   "%s on an open time axis must keep its length: use \"stride\": 1 and \"padding\": \"same\"",
			   name);
	c->padding = wide.padding;
	c->stride = wide.stride.v[1];
	out[0] = shape_sequence(in->d[0], w, in->open);
	return 0;
}

/* ---- forward and backward ------------------------------------------------------------------------------- */

struct window { /* rows [y0, y1), columns [x0, x1) inside the input; the divisor of an average */
	int y0, y1, x0, x1, divisor;
};

struct pool { /* one call, as planes of h x w */
	const struct layer_io *io;
	const struct pool2d *c;
	int channels, h, w, oh, ow;
};

static int span(const struct pool2d *c, int axis, int at, int size, int *from, int *to)
{
	int first = at * c->stride.v[axis] - c->padding.side[axis], last = first + c->size.v[axis];
	int padded = size + c->padding.side[axis + 2];

	*from = first < 0 ? 0 : first;
	*to = last > size ? size : last;
	return (last > padded ? padded : last) - first;
}

/* valid: columns of this example. Empty windows (past the end of the example) give x0 >= x1. */
static struct window window_at(const struct pool *p, int y, int x, int valid)
{
	struct window w;
	int rows = span(p->c, 0, y, p->h, &w.y0, &w.y1), columns = span(p->c, 1, x, valid, &w.x0, &w.x1);

	w.divisor = p->c->count_pad ? rows * columns : (w.y1 - w.y0) * (w.x1 - w.x0);
	return w;
}

static int64_t first_max(const struct pool *p, const double *plane, const struct window *w)
{
	int64_t best = (int64_t)w->y0 * p->w + w->x0;

	for (int y = w->y0; y < w->y1; y++)
		for (int x = w->x0; x < w->x1; x++) {
			int64_t at = (int64_t)y * p->w + x;

			if (plane[at] > plane[best] || (isnan(plane[at]) && !isnan(plane[best])))
				best = at;
		}
	return best;
}

static double mean(const struct pool *p, const double *plane, const struct window *w)
{
	double sum = 0;

	for (int y = w->y0; y < w->y1; y++)
		for (int x = w->x0; x < w->x1; x++)
			sum += plane[(int64_t)y * p->w + x];
	return sum / w->divisor;
}

/* Columns of example n: all of them, or its valid steps. */
static int valid_columns(const struct pool *p, int n)
{
	return p->io->in_shape->type == TENSOR_SEQUENCE ? layer_steps(p->io, p->io->in_shape, n) : p->w;
}

static void pool_forward(const struct pool *p, bool max)
{
	double *out = p->io->out[0];

	for (int plane = 0; plane < p->io->batch * p->channels; plane++) {
		const double *in = p->io->in[0] + (int64_t)plane * p->h * p->w;
		int valid = valid_columns(p, plane / p->channels);

		for (int i = 0; i < p->oh * p->ow; i++) {
			struct window w = window_at(p, i / p->ow, i % p->ow, valid);

			if (w.x0 >= w.x1)
				*out++ = 0;
			else
				*out++ = max ? in[first_max(p, in, &w)] : mean(p, in, &w);
		}
	}
	layer_mask(p->io, p->io->out[0], p->io->out_shape);
}

static void spread(const struct pool *p, double *plane, const struct window *w, double d)
{
	for (int y = w->y0; y < w->y1; y++)
		for (int x = w->x0; x < w->x1; x++)
			plane[(int64_t)y * p->w + x] += d / w->divisor;
}

static void pool_backward(const struct pool *p, bool max)
{
	const double *dout = layer_masked(p->io, p->io->dout[0], p->io->out_shape);

	if (!dout || !p->io->din[0])
		return;
	for (int plane = 0; plane < p->io->batch * p->channels; plane++) {
		const double *in = p->io->in[0] + (int64_t)plane * p->h * p->w;
		double *din = p->io->din[0] + (int64_t)plane * p->h * p->w;
		int valid = valid_columns(p, plane / p->channels);

		for (int i = 0; i < p->oh * p->ow; i++, dout++) {
			struct window w = window_at(p, i / p->ow, i % p->ow, valid);

			if (w.x0 >= w.x1)
				continue;
			if (max)
				din[first_max(p, in, &w)] += *dout;
			else
				spread(p, din, &w, *dout);
		}
	}
}

static struct pool pool_image(const struct layer_io *io)
{
	const struct shape *i = io->in_shape, *o = io->out_shape;

	return (struct pool){ io, io->cfg, i->d[0], i->d[1], i->d[2], o->d[1], o->d[2] };
}

static struct pool pool_line(const struct layer_io *io, const struct pool2d *wide)
{
	return (struct pool){ io, wide, io->in_shape->d[0], 1, io->in_shape->d[1], 1, io->out_shape->d[1] };
}

/* ---- the four kinds ------------------------------------------------------------------------------------- */

#define POOL2D_OPTS                                                                           \
	OPT_PAIR(struct pool2d, size, 2, 1, 1024, "window"),                                  \
	    OPT_PAIR(struct pool2d, stride, 0, 0, 1024, "step of the window; 0: its size"),   \
	    OPT_PAD(struct pool2d, padding, "border around the input, less than the window"), \
	    OPT_BOOL(struct pool2d, ceil, 0, "round the output's size up")
#define POOL1D_OPTS                                                                               \
	OPT_INT(struct pool1d, size, 2, 1, 1024, "window, in steps"),                             \
	    OPT_INT(struct pool1d, stride, 0, 0, 1024, "step of the window; 0: its size"),        \
	    OPT_PAD(struct pool1d, padding, "border around the steps (the column values count)"), \
	    OPT_BOOL(struct pool1d, ceil, 0, "round the output's size up")

static const struct opt maxpool2d_opts[] = { POOL2D_OPTS, OPT_END };
static const struct opt maxpool1d_opts[] = { POOL1D_OPTS, OPT_END };
static const struct opt avgpool2d_opts[] = {
	POOL2D_OPTS,
	OPT_BOOL(struct pool2d, count_pad, 0, "padding counts in the divisor"),
	OPT_END,
};
static const struct opt avgpool1d_opts[] = {
	POOL1D_OPTS,
	OPT_BOOL(struct pool1d, count_pad, 0, "padding counts in the divisor"),
	OPT_END,
};

#define POOL(kind, sym, text, dims, config, is_max, setup)                                                     \
	static int kind##_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e) \
	{                                                                                                      \
		(void)n_in;                                                                                    \
		return shape##dims(#kind, cfg, in, out, e);                                                    \
	}                                                                                                      \
	static void kind##_forward(const struct layer_io *io)                                                  \
	{                                                                                                      \
		setup;                                                                                         \
		pool_forward(&p, is_max);                                                                      \
	}                                                                                                      \
	static void kind##_backward(const struct layer_io *io)                                                 \
	{                                                                                                      \
		setup;                                                                                         \
		pool_backward(&p, is_max);                                                                     \
	}                                                                                                      \
	const struct layer_class layer_##kind = {                                                              \
		.name = #kind,                                                                                 \
		.symbol = sym,                                                                                 \
		.help = text,                                                                                  \
		.family = FAMILY_POOL,                                                                         \
		.min_in = 1,                                                                                   \
		.max_in = 1,                                                                                   \
		.opts = kind##_opts,                                                                           \
		.cfg_size = sizeof(config),                                                                    \
		.shape = kind##_shape,                                                                         \
		.forward = kind##_forward,                                                                     \
		.backward = kind##_backward,                                                                   \
	}

#define SETUP2D struct pool p = pool_image(io)
#define SETUP1D                              \
	struct pool2d wide = widen(io->cfg); \
	struct pool p = pool_line(io, &wide)

POOL(maxpool2d, "MP", "maximum over windows of an image", 2d, struct pool2d, true, SETUP2D);
POOL(avgpool2d, "AP", "average over windows of an image", 2d, struct pool2d, false, SETUP2D);
POOL(maxpool1d, "M1", "maximum over windows of steps", 1d, struct pool1d, true, SETUP1D);
POOL(avgpool1d, "A1", "average over windows of steps", 1d, struct pool1d, false, SETUP1D);
