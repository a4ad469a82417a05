/* arch/layer_globalpool.c - globalavgpool and globalmaxpool: one number per channel, over all positions of an image or
 * the valid steps of a sequence. An example without any step gives zeros. A tie of maxima goes to the first.
 */
#include "arch/kinds.h"
#include "arch/layer_common.h"

static int global_shape(const char *name, const struct shape *in, struct shape *out, struct err *e)
{
	if (in->type == TENSOR_VECTOR)
		return ERR(e, ERR_INVALID, NULL, "%s needs an image or a sequence, its input is a vector: leave it out",
			   name);
	if (layer_need(name, in, 1U << TENSOR_IMAGE | 1U << TENSOR_SEQUENCE, e) < 0)
		return -1;
	out[0] = shape_vector(in->d[0]);
	return 0;
}

static int64_t positions(const struct layer_io *io, int n)
{
	const struct shape *s = io->in_shape;

	return s->type == TENSOR_IMAGE ? (int64_t)s->d[1] * s->d[2] : layer_steps(io, s, n);
}

static int64_t first_max(const double *x, int64_t n)
{
	int64_t best = 0;

	for (int64_t i = 1; i < n; i++)
		if (x[i] > x[best])
			best = i;
	return best;
}

static double mean(const double *x, int64_t n)
{
	double sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum += x[i];
	return sum / (double)n;
}

static void global_forward(const struct layer_io *io, bool max)
{
	struct layer_view v = layer_view(io->in_shape);

	for (int i = 0; i < io->batch * v.channels; i++) {
		const double *x = io->in[0] + i * v.inner;
		int64_t n = positions(io, i / v.channels);

		io->out[0][i] = n == 0 ? 0 : max ? x[first_max(x, n)] : mean(x, n);
	}
}

static void global_backward(const struct layer_io *io, bool max)
{
	struct layer_view v = layer_view(io->in_shape);

	if (!io->dout[0] || !io->din[0])
		return;
	for (int i = 0; i < io->batch * v.channels; i++) {
		double *dx = io->din[0] + i * v.inner, d = io->dout[0][i];
		int64_t n = positions(io, i / v.channels);

		if (max && n > 0)
			dx[first_max(io->in[0] + i * v.inner, n)] += d;
		for (int64_t k = 0; !max && k < n; k++)
			dx[k] += d / (double)n;
	}
}

#define GLOBAL(kind, sym, text, is_max)                                                                        \
	static int kind##_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e) \
	{                                                                                                      \
		(void)cfg;                                                                                     \
		(void)n_in;                                                                                    \
		return global_shape(#kind, in, out, e);                                                        \
	}                                                                                                      \
	static void kind##_forward(const struct layer_io *io)                                                  \
	{                                                                                                      \
		global_forward(io, is_max);                                                                    \
	}                                                                                                      \
	static void kind##_backward(const struct layer_io *io)                                                 \
	{                                                                                                      \
		global_backward(io, is_max);                                                                   \
	}                                                                                                      \
	const struct layer_class layer_##kind = {                                                              \
		.name = #kind,                                                                                 \
		.symbol = sym,                                                                                 \
		.help = text,                                                                                  \
		.family = FAMILY_POOL,                                                                         \
		.min_in = 1,                                                                                   \
		.max_in = 1,                                                                                   \
		.opts = empty_opts,                                                                            \
		.cfg_size = sizeof(struct empty),                                                              \
		.shape = kind##_shape,                                                                         \
		.forward = kind##_forward,                                                                     \
		.backward = kind##_backward,                                                                   \
	}

GLOBAL(globalavgpool, "GA", "average of each channel over all positions", false);
GLOBAL(globalmaxpool, "GM", "maximum of each channel over all positions", true);
