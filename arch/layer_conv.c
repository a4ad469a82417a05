/* arch/layer_conv.c - convolutions (cross-correlations): conv2d, conv1d, depthwise2d. One computation serves the three:
 * conv1d is conv2d with one row, depthwise is a convolution with as many groups as input channels.
 *
 *	out[n][o][y][x] = bias[o] + sum_{c,i,j} weight[o][c][i][j] * in[n][g(o) + c][y * s - p + i * d][x * s - p + j *
 *d]
 *
 * 'same' pads dilation * (kernel - 1) in all, the odd one after: independent of stride and input size (PyTorch's
 * padding = kernel / 2 for odd kernels), so that the output is ceil(in / stride).
 */
#include "arch/kinds.h"
#include "arch/layer_common.h"

/* ---- shape, parameters, cost ---------------------------------------------------------------------------- */

static int check_groups(const char *name, int in, int filters, int groups, struct err *e)
{
	if (in % groups)
		return ERR(e, ERR_INVALID, NULL, "%s: %d input channels are not divisible into %d groups", name, in,
			   groups);
	if (filters % groups)
		return ERR(e, ERR_INVALID, NULL, "%s: %d filters are not divisible into %d groups", name, filters,
			   groups);
	return 0;
}

/* One axis: the size after the window, or -1 with a message that says what would fit. */
static int fit(const char *name, int in, int axis, const struct conv2d *c, struct err *e)
{
	const struct opt_pad *p = &c->padding;
	int k = c->kernel.v[axis], d = c->dilation.v[axis];
	int out = layer_window(in, k, c->stride.v[axis], d, p->side[axis], p->side[axis + 2], false);

	if (out < 1)
		return ERR(e, ERR_INVALID, NULL,
			   "%s %dx%d does not fit a %s of %d: use \"padding\": \"same\" or a kernel of at most %d",
			   name, c->kernel.v[0], c->kernel.v[1], axis ? "width" : "height", in,
			   (in + p->side[axis] + p->side[axis + 2] - 1) / d + 1);
	return out;
}

static int conv_out(const char *name, struct conv2d *c, int channels, int h, int w, int *oh, int *ow, struct err *e)
{
	layer_same(&c->padding, &c->kernel, &c->dilation);
	if (check_groups(name, channels, c->filters, c->groups, e) < 0)
		return -1;
	*oh = fit(name, h, 0, c, e);
	*ow = *oh < 0 ? -1 : fit(name, w, 1, c, e);
	return *ow < 0 ? -1 : 0;
}

static int conv_params(const struct conv2d *c, int channels, bool one_d, struct param_spec *out)
{
	int64_t field = (int64_t)c->kernel.v[0] * c->kernel.v[1];
	struct param_spec w = { .name = "weight",
				.role = PARAM_WEIGHT,
				.init = (enum param_init)c->init,
				.rank = one_d ? 3 : 4,
				.d = { c->filters, channels / c->groups, c->kernel.v[0], c->kernel.v[1] },
				.fan_in = field * (channels / c->groups),
				.fan_out = field * (c->filters / c->groups) };

	if (one_d) {
		w.d[2] = c->kernel.v[1];
		w.d[3] = 0;
	}
	out[0] = w;
	if (!c->bias)
		return 1;
	out[1] = (struct param_spec){ .name = "bias", .role = PARAM_BIAS, .rank = 1, .d = { c->filters } };
	return 2;
}

static int64_t conv_macs(const struct conv2d *c, int channels, int oh, int ow)
{
	int64_t f[] = { c->filters, channels / c->groups, c->kernel.v[0], c->kernel.v[1], oh, ow }, n = 1;

	for (int i = 0; i < 6; i++)
		if (__builtin_mul_overflow(n, f[i], &n))
			return -1;
	return n;
}

/* ---- forward and backward ------------------------------------------------------------------------------- */

struct plane { /* geometry of one call */
	const struct conv2d *c;
	int batch, ic, ih, iw, oh, ow;
};

static inline size_t at4(int n, int c, int y, int x, int C, int H, int W)
{
	return (((size_t)n * (size_t)C + (size_t)c) * (size_t)H + (size_t)y) * (size_t)W + (size_t)x;
}

/* Calls body with every (input index, weight index) pair that contributes to output (n, o, y, x). */
#define EACH_TAP(P, n, o, y, x, body)                                                                                 \
	do {                                                                                                          \
		const struct conv2d *c_ = (P)->c;                                                                     \
		int per_ = (P)->ic / c_->groups, g_ = (o) / (c_->filters / c_->groups);                               \
		for (int k_ = 0; k_ < per_; k_++)                                                                     \
			for (int i_ = 0; i_ < c_->kernel.v[0]; i_++) {                                                \
				int yy_ = (y)*c_->stride.v[0] - c_->padding.side[0] + i_ * c_->dilation.v[0];         \
				if (yy_ < 0 || yy_ >= (P)->ih)                                                        \
					continue;                                                                     \
				for (int j_ = 0; j_ < c_->kernel.v[1]; j_++) {                                        \
					int xx_ = (x)*c_->stride.v[1] - c_->padding.side[1] + j_ * c_->dilation.v[1]; \
					if (xx_ < 0 || xx_ >= (P)->iw)                                                \
						continue;                                                             \
					size_t in_at = at4(n, g_ * per_ + k_, yy_, xx_, (P)->ic, (P)->ih, (P)->iw);   \
					size_t w_at = at4(o, k_, i_, j_, per_, c_->kernel.v[0], c_->kernel.v[1]);     \
					body;                                                                         \
				}                                                                                     \
			}                                                                                             \
	} while (0)

static void conv_forward(const struct plane *p, const struct layer_io *io)
{
	const double *in = io->in[0], *w = io->param[0];
	double *out = io->out[0];

	for (int n = 0; n < p->batch; n++)
		for (int o = 0; o < p->c->filters; o++)
			for (int y = 0; y < p->oh; y++)
				for (int x = 0; x < p->ow; x++) {
					double sum = p->c->bias ? io->param[1][o] : 0;

					EACH_TAP(p, n, o, y, x, sum += w[w_at] * in[in_at]);
					out[at4(n, o, y, x, p->c->filters, p->oh, p->ow)] = sum;
				}
}

static void conv_backward(const struct plane *p, const struct layer_io *io)
{
	const double *in = io->in[0], *w = io->param[0], *dout = layer_masked(io, io->dout[0], io->out_shape);
	double *din = io->din[0], *dw = io->dparam[0], *db = p->c->bias ? io->dparam[1] : NULL;

	if (!dout)
		return;
	for (int n = 0; n < p->batch; n++)
		for (int o = 0; o < p->c->filters; o++)
			for (int y = 0; y < p->oh; y++)
				for (int x = 0; x < p->ow; x++) {
					double d = dout[at4(n, o, y, x, p->c->filters, p->oh, p->ow)];

					if (db)
						db[o] += d;
					EACH_TAP(p, n, o, y, x, {
						if (dw)
							dw[w_at] += d * in[in_at];
						if (din)
							din[in_at] += d * w[w_at];
					});
				}
}

/* ---- conv2d --------------------------------------------------------------------------------------------- */

static const struct opt conv2d_opts[] = {
	OPT_INT(struct conv2d, filters, OPT_NEED, 1, 65536, "output channels"),
	OPT_PAIR(struct conv2d, kernel, 3, 1, 255, "window"),
	OPT_PAIR(struct conv2d, stride, 1, 1, 64, "step of the window"),
	OPT_PAD(struct conv2d, padding, "zeros around the input"),
	OPT_PAIR(struct conv2d, dilation, 1, 1, 64, "distance between taps"),
	OPT_INT(struct conv2d, groups, 1, 1, 65536, "channel groups that see only their own inputs"),
	OPT_BOOL(struct conv2d, bias, 1, "add a bias per filter"),
	OPT_ENUM(struct conv2d, init, INIT_HE_NORMAL, param_init_names, "how the weights start"),
	OPT_END,
};

static int need_image(const char *name, const struct shape *in, struct err *e)
{
	if (in->type == TENSOR_SEQUENCE)
		return ERR(e, ERR_INVALID, NULL, "%s needs an image, its input is a sequence: use \"conv1d\"", name);
	return layer_need(name, in, 1U << TENSOR_IMAGE, e);
}

static int conv2d_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e)
{
	struct conv2d *c = cfg;
	int h, w;

	(void)n_in;
	if (need_image("conv2d", in, e) < 0 || conv_out("conv2d", c, in->d[0], in->d[1], in->d[2], &h, &w, e) < 0)
		return -1;
	out[0] = shape_image(c->filters, h, w);
	return 0;
}

static int conv2d_params(const void *cfg, const struct shape *in, int n_in, struct param_spec *out)
{
	(void)n_in;
	return conv_params(cfg, in->d[0], false, out);
}

static int64_t conv2d_macs(const void *cfg, const struct shape *in, int n_in, const struct shape *out)
{
	(void)n_in;
	return conv_macs(cfg, in->d[0], out->d[1], out->d[2]);
}

static struct plane image_plane(const struct conv2d *c, const struct layer_io *io)
{
	const struct shape *i = io->in_shape, *o = io->out_shape;

	return (struct plane){ c, io->batch, i->d[0], i->d[1], i->d[2], o->d[1], o->d[2] };
}

static void conv2d_forward(const struct layer_io *io)
{
	struct plane p = image_plane(io->cfg, io);

	conv_forward(&p, io);
}

static void conv2d_backward(const struct layer_io *io)
{
	struct plane p = image_plane(io->cfg, io);

	conv_backward(&p, io);
}

const struct layer_class layer_conv2d = {
	.name = "conv2d",
	.symbol = "C",
	.help = "2-D convolution",
	.family = FAMILY_CONV,
	.min_in = 1,
	.max_in = 1,
	.opts = conv2d_opts,
	.cfg_size = sizeof(struct conv2d),
	.shape = conv2d_shape,
	.params = conv2d_params,
	.macs = conv2d_macs,
	.forward = conv2d_forward,
	.backward = conv2d_backward,
};

/* ---- conv1d --------------------------------------------------------------------------------------------- */

static const struct opt conv1d_opts[] = {
	OPT_INT(struct conv1d, filters, OPT_NEED, 1, 65536, "output channels"),
	OPT_INT(struct conv1d, kernel, 3, 1, 1024, "window, in steps"),
	OPT_INT(struct conv1d, stride, 1, 1, 64, "step of the window"),
	OPT_PAD(struct conv1d, padding, "zeros around the steps (the column values count)"),
	OPT_INT(struct conv1d, dilation, 1, 1, 1024, "distance between taps"),
	OPT_INT(struct conv1d, groups, 1, 1, 65536, "channel groups that see only their own inputs"),
	OPT_BOOL(struct conv1d, bias, 1, "add a bias per filter"),
	OPT_ENUM(struct conv1d, init, INIT_HE_NORMAL, param_init_names, "how the weights start"),
	OPT_END,
};

static struct conv2d widen1d(const struct conv1d *c)
{
	struct conv2d out = { .filters = c->filters,
			      .groups = c->groups,
			      .kernel = { { 1, c->kernel } },
			      .stride = { { 1, c->stride } },
			      .dilation = { { 1, c->dilation } },
			      .padding = c->padding,
			      .bias = c->bias,
			      .init = c->init };

	out.padding.side[0] = out.padding.side[2] = 0;
	return out;
}

static int conv1d_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e)
{
	struct conv1d *c = cfg;
	struct conv2d wide = widen1d(c);
	int h, w;

	(void)n_in;
	if (layer_need("conv1d", in, 1U << TENSOR_SEQUENCE, e) < 0)
		return -1;
	if (in->open && (c->stride != 1 || !(c->padding.same ||
					     c->padding.side[1] + c->padding.side[3] == c->dilation * (c->kernel - 1))))
		return ERR(e, ERR_INVALID, NULL,
			   "conv1d on an open time axis must keep its length: use stride 1 and \"padding\": \"same\"");
	if (conv_out("conv1d", &wide, in->d[0], 1, in->d[1], &h, &w, e) < 0)
		return -1;
	c->padding = wide.padding;
	out[0] = shape_sequence(c->filters, w, in->open);
	return 0;
}

static int conv1d_params(const void *cfg, const struct shape *in, int n_in, struct param_spec *out)
{
	struct conv2d wide = widen1d(cfg);

	(void)n_in;
	return conv_params(&wide, in->d[0], true, out);
}

static int64_t conv1d_macs(const void *cfg, const struct shape *in, int n_in, const struct shape *out)
{
	struct conv2d wide = widen1d(cfg);

	(void)n_in;
	return conv_macs(&wide, in->d[0], 1, out->d[1]);
}

static struct plane line_plane(const struct conv2d *wide, const struct layer_io *io)
{
	return (struct plane){ wide, io->batch, io->in_shape->d[0], 1, io->in_shape->d[1], 1, io->out_shape->d[1] };
}

static void conv1d_forward(const struct layer_io *io)
{
	struct conv2d wide = widen1d(io->cfg);
	struct plane p = line_plane(&wide, io);

	conv_forward(&p, io);
	layer_mask(io, io->out[0], io->out_shape);
}

static void conv1d_backward(const struct layer_io *io)
{
	struct conv2d wide = widen1d(io->cfg);
	struct plane p = line_plane(&wide, io);

	conv_backward(&p, io);
}

const struct layer_class layer_conv1d = {
	.name = "conv1d",
	.symbol = "C1",
	.help = "1-D convolution over the steps of a sequence",
	.family = FAMILY_CONV,
	.min_in = 1,
	.max_in = 1,
	.opts = conv1d_opts,
	.cfg_size = sizeof(struct conv1d),
	.shape = conv1d_shape,
	.params = conv1d_params,
	.macs = conv1d_macs,
	.forward = conv1d_forward,
	.backward = conv1d_backward,
};

/* ---- depthwise2d ---------------------------------------------------------------------------------------- */

static const struct opt depthwise2d_opts[] = {
	OPT_INT(struct depthwise2d, multiplier, 1, 1, 64, "filters per input channel"),
	OPT_PAIR(struct depthwise2d, kernel, 3, 1, 255, "window"),
	OPT_PAIR(struct depthwise2d, stride, 1, 1, 64, "step of the window"),
	OPT_PAD(struct depthwise2d, padding, "zeros around the input"),
	OPT_PAIR(struct depthwise2d, dilation, 1, 1, 64, "distance between taps"),
	OPT_BOOL(struct depthwise2d, bias, 1, "add a bias per filter"),
	OPT_ENUM(struct depthwise2d, init, INIT_HE_NORMAL, param_init_names, "how the weights start"),
	OPT_END,
};

static struct conv2d group_all(const struct depthwise2d *c, int channels)
{
	return (struct conv2d){ .filters = c->multiplier * channels,
				.groups = channels,
				.kernel = c->kernel,
				.stride = c->stride,
				.dilation = c->dilation,
				.padding = c->padding,
				.bias = c->bias,
				.init = c->init };
}

static int depthwise2d_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e)
{
	struct depthwise2d *c = cfg;
	struct conv2d all;
	int h, w;

	(void)n_in;
	if (need_image("depthwise2d", in, e) < 0)
		return -1;
	if ((int64_t)c->multiplier * in->d[0] > SHAPE_DIM_MAX)
		return ERR(e, ERR_INVALID, NULL, "depthwise2d: %d x %d output channels are too many", c->multiplier,
			   in->d[0]);
	all = group_all(c, in->d[0]);
	if (conv_out("depthwise2d", &all, in->d[0], in->d[1], in->d[2], &h, &w, e) < 0)
		return -1;
	c->padding = all.padding;
	out[0] = shape_image(all.filters, h, w);
	return 0;
}

static int depthwise2d_params(const void *cfg, const struct shape *in, int n_in, struct param_spec *out)
{
	struct conv2d all = group_all(cfg, in->d[0]);

	(void)n_in;
	return conv_params(&all, in->d[0], false, out);
}

static int64_t depthwise2d_macs(const void *cfg, const struct shape *in, int n_in, const struct shape *out)
{
	struct conv2d all = group_all(cfg, in->d[0]);

	(void)n_in;
	return conv_macs(&all, in->d[0], out->d[1], out->d[2]);
}

static void depthwise2d_forward(const struct layer_io *io)
{
	struct conv2d all = group_all(io->cfg, io->in_shape->d[0]);
	struct plane p = image_plane(&all, io);

	conv_forward(&p, io);
}

static void depthwise2d_backward(const struct layer_io *io)
{
	struct conv2d all = group_all(io->cfg, io->in_shape->d[0]);
	struct plane p = image_plane(&all, io);

	conv_backward(&p, io);
}

const struct layer_class layer_depthwise2d = {
	.name = "depthwise2d",
	.symbol = "W",
	.help = "depthwise 2-D convolution: every channel by itself",
	.family = FAMILY_CONV,
	.min_in = 1,
	.max_in = 1,
	.opts = depthwise2d_opts,
	.cfg_size = sizeof(struct depthwise2d),
	.shape = depthwise2d_shape,
	.params = depthwise2d_params,
	.macs = depthwise2d_macs,
	.forward = depthwise2d_forward,
	.backward = depthwise2d_backward,
};
