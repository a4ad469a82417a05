/* arch/layer_resize.c - kinds that enlarge an image: zeropad2d, upsample2d. */
#include <math.h>
#include <string.h>

#include "arch/kinds.h"
#include "arch/layer_common.h"

static int image_of(const char *name, int channels, int64_t h, int64_t w, struct shape *out, struct err *e)
{
	if (layer_limit(name, h, e) < 0 || layer_limit(name, w, e) < 0)
		return -1;
	out[0] = shape_image(channels, (int)h, (int)w);
	return 0;
}

/* ---- zeropad2d ------------------------------------------------------------------------------------------ */

static const struct opt zeropad2d_opts[] = {
	OPT_PAD(struct zeropad2d, padding, "zeros around the image"),
	OPT_END,
};

static int zeropad2d_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e)
{
	const struct zeropad2d *c = cfg;
	const int *s = c->padding.side;

	(void)n_in;
	if (layer_need("zeropad2d", in, 1U << TENSOR_IMAGE, e) < 0)
		return -1;
	if (c->padding.same)
		return ERR(
		    e, ERR_INVALID, NULL,
		    "zeropad2d: \"same\" has no meaning without a window: give numbers, [top, left, bottom, right]");
	return image_of("zeropad2d", in->d[0], (int64_t)in->d[1] + s[0] + s[2], (int64_t)in->d[2] + s[1] + s[3], out,
			e);
}

/* Where row y of plane `plane` of the input stands in the output. */
static int64_t padded_row(const struct layer_io *io, int64_t plane, int y)
{
	const struct zeropad2d *c = io->cfg;
	const struct shape *o = io->out_shape;

	return (plane * o->d[1] + y + c->padding.side[0]) * o->d[2] + c->padding.side[1];
}

static void zeropad2d_forward(const struct layer_io *io)
{
	const struct shape *i = io->in_shape;
	const double *in = io->in[0];

	memset(io->out[0], 0, (size_t)io->batch * (size_t)shape_count(io->out_shape) * sizeof(double));
	for (int64_t plane = 0; plane < (int64_t)io->batch * i->d[0]; plane++)
		for (int y = 0; y < i->d[1]; y++, in += i->d[2])
			memcpy(io->out[0] + padded_row(io, plane, y), in, (size_t)i->d[2] * sizeof *in);
}

static void zeropad2d_backward(const struct layer_io *io)
{
	const struct shape *i = io->in_shape;
	double *din = io->din[0];

	if (!io->dout[0] || !din)
		return;
	for (int64_t plane = 0; plane < (int64_t)io->batch * i->d[0]; plane++)
		for (int y = 0; y < i->d[1]; y++)
			for (int x = 0; x < i->d[2]; x++)
				*din++ += io->dout[0][padded_row(io, plane, y) + x];
}

const struct layer_class layer_zeropad2d = {
	.name = "zeropad2d",
	.symbol = "ZP",
	.help = "zeros around an image",
	.family = FAMILY_RESHAPE,
	.min_in = 1,
	.max_in = 1,
	.opts = zeropad2d_opts,
	.cfg_size = sizeof(struct zeropad2d),
	.shape = zeropad2d_shape,
	.forward = zeropad2d_forward,
	.backward = zeropad2d_backward,
};

/* ---- upsample2d ----------------------------------------------------------------------------------------- */

static const char *const upsample_modes[] = { "nearest", "bilinear", NULL };

static const struct opt upsample2d_opts[] = {
	OPT_PAIR(struct upsample2d, factor, 2, 1, 64, "how many times larger"),
	OPT_ENUM(struct upsample2d, mode, 0, upsample_modes, "where new pixels come from"),
	OPT_END,
};

static int upsample2d_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e)
{
	const struct upsample2d *c = cfg;

	(void)n_in;
	if (layer_need("upsample2d", in, 1U << TENSOR_IMAGE, e) < 0)
		return -1;
	return image_of("upsample2d", in->d[0], (int64_t)in->d[1] * c->factor.v[0], (int64_t)in->d[2] * c->factor.v[1],
			out, e);
}

struct taps { /* an output coordinate is w[0] * input at[0] + w[1] * input at[1] */
	int at[2];
	double w[2];
};

/* Pixels are squares with their values in the middle (align_corners = false): s = (o + 0.5) / factor - 0.5. */
static struct taps taps(const struct upsample2d *c, int axis, int o, int size)
{
	int factor = c->factor.v[axis], low;
	double s = fmax((o + 0.5) / factor - 0.5, 0);

	if (c->mode == 0)
		return (struct taps){ { o / factor, o / factor }, { 1, 0 } };
	low = (int)s;
	return (struct taps){ { low, low + 1 < size ? low + 1 : low }, { 1 - (s - low), s - low } };
}

/* Reads the four taps of every output pixel, or spreads its gradient over them. */
static void upsample(const struct layer_io *io, double *out, const double *in, const double *dout, double *din)
{
	const struct shape *i = io->in_shape, *o = io->out_shape;
	int64_t planes = (int64_t)io->batch * i->d[0], at = 0;

	for (int64_t plane = 0; plane < planes; plane++)
		for (int y = 0; y < o->d[1]; y++)
			for (int x = 0; x < o->d[2]; x++, at++) {
				struct taps r = taps(io->cfg, 0, y, i->d[1]), q = taps(io->cfg, 1, x, i->d[2]);
				double sum = 0;

				for (int k = 0; k < 4; k++) {
					int64_t from = (plane * i->d[1] + r.at[k / 2]) * i->d[2] + q.at[k % 2];
					double w = r.w[k / 2] * q.w[k % 2];

					if (din)
						din[from] += w * dout[at];
					else
						sum += w * in[from];
				}
				if (out)
					out[at] = sum;
			}
}

static void upsample2d_forward(const struct layer_io *io)
{
	upsample(io, io->out[0], io->in[0], NULL, NULL);
}

static void upsample2d_backward(const struct layer_io *io)
{
	if (io->dout[0] && io->din[0])
		upsample(io, NULL, NULL, io->dout[0], io->din[0]);
}

const struct layer_class layer_upsample2d = {
	.name = "upsample2d",
	.symbol = "U",
	.help = "a larger image, nearest or bilinear",
	.family = FAMILY_RESHAPE,
	.min_in = 1,
	.max_in = 1,
	.opts = upsample2d_opts,
	.cfg_size = sizeof(struct upsample2d),
	.shape = upsample2d_shape,
	.forward = upsample2d_forward,
	.backward = upsample2d_backward,
};
