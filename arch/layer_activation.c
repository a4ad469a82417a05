/* arch/layer_activation.c - the activations. All but softmax are elementwise: a row of a table holds f and f'.
 *
 * Kinks: relu'(0) = 0, relu6'(6) = 0, leaky_relu'(0) = slope, elu'(0) = alpha, hard_swish'(-3) = 0 and hard_swish'(3)
 * = 1.5. Softmax runs over the channels of an image, the features of a vector, the channels of each
 * step.
 */
#include <math.h>

#include "arch/kinds.h"
#include "arch/layer_common.h"

static int same_shape(const char *name, const struct shape *in, struct shape *out, struct err *e)
{
	if (layer_need(name, in, 1U << TENSOR_IMAGE | 1U << TENSOR_VECTOR | 1U << TENSOR_SEQUENCE, e) < 0)
		return -1;
	out[0] = in[0];
	return 0;
}

typedef double scalar_fn(const void *cfg, double x);

static void map_forward(const struct layer_io *io, scalar_fn *f)
{
	int64_t count = io->batch * shape_count(io->in_shape);

	for (int64_t i = 0; i < count; i++)
		io->out[0][i] = f(io->cfg, io->in[0][i]);
	layer_mask(io, io->out[0], io->out_shape);
}

static void map_backward(const struct layer_io *io, scalar_fn *df)
{
	int64_t count = io->batch * shape_count(io->in_shape);
	const double *dout = layer_masked(io, io->dout[0], io->out_shape);

	for (int64_t i = 0; dout && io->din[0] && i < count; i++)
		io->din[0][i] += dout[i] * df(io->cfg, io->in[0][i]);
}

/* ---- f and f' ------------------------------------------------------------------------------------------- */

static double relu_f(const void *cfg, double x)
{
	(void)cfg;
	return x > 0 ? x : 0;
}

static double relu_df(const void *cfg, double x)
{
	(void)cfg;
	return x > 0 ? 1 : 0;
}

static double relu6_f(const void *cfg, double x)
{
	(void)cfg;
	return x > 6 ? 6 : x > 0 ? x : 0;
}

static double relu6_df(const void *cfg, double x)
{
	(void)cfg;
	return x > 0 && x < 6 ? 1 : 0;
}

static double leaky_relu_f(const void *cfg, double x)
{
	return x > 0 ? x : ((const struct leaky_relu *)cfg)->slope * x;
}

static double leaky_relu_df(const void *cfg, double x)
{
	return x > 0 ? 1 : ((const struct leaky_relu *)cfg)->slope;
}

static double elu_f(const void *cfg, double x)
{
	return x > 0 ? x : ((const struct elu *)cfg)->alpha * expm1(x);
}

static double elu_df(const void *cfg, double x)
{
	return x > 0 ? 1 : ((const struct elu *)cfg)->alpha * exp(x);
}

static double sigmoid_f(const void *cfg, double x)
{
	(void)cfg;
	return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)); /* never overflows */
}

static double sigmoid_df(const void *cfg, double x)
{
	double s = sigmoid_f(cfg, x);

	return s * (1 - s);
}

static double tanh_f(const void *cfg, double x)
{
	(void)cfg;
	return tanh(x);
}

static double tanh_df(const void *cfg, double x)
{
	double t = tanh(x);

	(void)cfg;
	return 1 - t * t;
}

static double silu_f(const void *cfg, double x)
{
	return x * sigmoid_f(cfg, x);
}

static double silu_df(const void *cfg, double x)
{
	double s = sigmoid_f(cfg, x);

	return s * (1 + x * (1 - s));
}

/* x * relu6(x + 3) / 6: Howard et al., Searching for MobileNetV3, 2019. */
static double hard_swish_f(const void *cfg, double x)
{
	return x * relu6_f(cfg, x + 3) / 6;
}

static double hard_swish_df(const void *cfg, double x)
{
	(void)cfg;
	return x <= -3 ? 0 : x <= 3 ? x / 3 + 0.5 : 1;
}

/* Exact: x * Phi(x). Approximate: x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))). Hendrycks and Gimpel 2016.
 */
static double gelu_inner(double x)
{
	return sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
}

static double gelu_f(const void *cfg, double x)
{
	if (((const struct gelu *)cfg)->approximate)
		return x / 2 * (1 + tanh(gelu_inner(x)));
	return x / 2 * (1 + erf(x / M_SQRT2));
}

static double gelu_df(const void *cfg, double x)
{
	if (((const struct gelu *)cfg)->approximate) {
		double t = tanh(gelu_inner(x));

		return (1 + t) / 2 + x / 2 * (1 - t * t) * sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
	}
	return (1 + erf(x / M_SQRT2)) / 2 + x * exp(-x * x / 2) / sqrt(2 * M_PI);
}

/* ---- the elementwise kinds ------------------------------------------------------------------------------ */

#define ACTIVATION(kind, sym, text, options, config)                                                           \
	static int kind##_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e) \
	{                                                                                                      \
		(void)cfg;                                                                                     \
		(void)n_in;                                                                                    \
		return same_shape(#kind, in, out, e);                                                          \
	}                                                                                                      \
	static void kind##_forward(const struct layer_io *io)                                                  \
	{                                                                                                      \
		map_forward(io, kind##_f);                                                                     \
	}                                                                                                      \
	static void kind##_backward(const struct layer_io *io)                                                 \
	{                                                                                                      \
		map_backward(io, kind##_df);                                                                   \
	}                                                                                                      \
	const struct layer_class layer_##kind = {                                                              \
		.name = #kind,                                                                                 \
		.symbol = sym,                                                                                 \
		.help = text,                                                                                  \
		.family = FAMILY_ACTIVATION,                                                                   \
		.min_in = 1,                                                                                   \
		.max_in = 1,                                                                                   \
		.opts = options,                                                                               \
		.cfg_size = sizeof(config),                                                                    \
		.shape = kind##_shape,                                                                         \
		.forward = kind##_forward,                                                                     \
		.backward = kind##_backward,                                                                   \
	}

static const struct opt leaky_relu_opts[] = {
	OPT_REAL(struct leaky_relu, slope, 0.01, 0, 1, "factor of negative inputs"),
	OPT_END,
};

static const struct opt elu_opts[] = {
	OPT_REAL(struct elu, alpha, 1, 0, 100, "limit of large negative inputs is -alpha"),
	OPT_END,
};

static const struct opt gelu_opts[] = {
	OPT_BOOL(struct gelu, approximate, 0, "the tanh form instead of the exact one"),
	OPT_END,
};

ACTIVATION(relu, "R", "max(0, x)", empty_opts, struct empty);
ACTIVATION(relu6, "R6", "min(max(0, x), 6)", empty_opts, struct empty);
ACTIVATION(leaky_relu, "LR", "x, and slope * x below 0", leaky_relu_opts, struct leaky_relu);
ACTIVATION(elu, "E", "x, and alpha * (exp(x) - 1) below 0", elu_opts, struct elu);
ACTIVATION(gelu, "GE", "x times the normal distribution function of x", gelu_opts, struct gelu);
ACTIVATION(silu, "SI", "x * sigmoid(x), also called swish", empty_opts, struct empty);
ACTIVATION(hard_swish, "HS", "x * relu6(x + 3) / 6", empty_opts, struct empty);
ACTIVATION(tanh, "T", "hyperbolic tangent", empty_opts, struct empty);
ACTIVATION(sigmoid, "SG", "1 / (1 + exp(-x))", empty_opts, struct empty);

/* ---- softmax -------------------------------------------------------------------------------------------- */

static int softmax_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e)
{
	(void)cfg;
	(void)n_in;
	return same_shape("softmax", in, out, e);
}

/* y_c = exp(x_c - max) / sum; at t, element c lies at t[c * v.inner] */
static void softmax_forward(const struct layer_io *io)
{
	struct layer_view v = layer_view(io->in_shape);

	for (int64_t at = 0; at < io->batch * v.inner; at++) {
		int64_t first = at / v.inner * v.count + at % v.inner;
		const double *x = io->in[0] + first;
		double *y = io->out[0] + first, top = -INFINITY, sum = 0;

		for (int c = 0; c < v.channels; c++)
			top = fmax(top, x[c * v.inner]);
		for (int c = 0; c < v.channels; c++)
			sum += y[c * v.inner] = exp(x[c * v.inner] - top);
		for (int c = 0; c < v.channels; c++)
			y[c * v.inner] /= sum;
	}
	layer_mask(io, io->out[0], io->out_shape);
}

/* dx_c = y_c * (dy_c - sum_k y_k * dy_k); y is zero in masked steps, and so is dx */
static void softmax_backward(const struct layer_io *io)
{
	struct layer_view v = layer_view(io->in_shape);

	if (!io->dout[0] || !io->din[0])
		return;
	for (int64_t at = 0; at < io->batch * v.inner; at++) {
		int64_t first = at / v.inner * v.count + at % v.inner;
		const double *y = io->out[0] + first, *dy = io->dout[0] + first;
		double *dx = io->din[0] + first, dot = 0;

		for (int c = 0; c < v.channels; c++)
			dot += y[c * v.inner] * dy[c * v.inner];
		for (int c = 0; c < v.channels; c++)
			dx[c * v.inner] += y[c * v.inner] * (dy[c * v.inner] - dot);
	}
}

const struct layer_class layer_softmax = {
	.name = "softmax",
	.symbol = "SM",
	.help = "exponentials that sum to 1 over the channels",
	.family = FAMILY_ACTIVATION,
	.min_in = 1,
	.max_in = 1,
	.opts = empty_opts,
	.cfg_size = sizeof(struct empty),
	.shape = softmax_shape,
	.forward = softmax_forward,
	.backward = softmax_backward,
};
