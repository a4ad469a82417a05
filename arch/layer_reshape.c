/* arch/layer_reshape.c - kinds that move numbers about or drop them: flatten, reshape, identity, zero, zeropad2d. */
#include <stdio.h>
#include <string.h>

#include "arch/kinds.h"
#include "arch/layer_common.h"

static const unsigned every_type = 1U << TENSOR_IMAGE | 1U << TENSOR_VECTOR | 1U << TENSOR_SEQUENCE;

static void copy_forward(const struct layer_io *io)
{
	memcpy(io->out[0], io->in[0], (size_t)io->batch * (size_t)shape_count(io->in_shape) * sizeof(double));
	layer_mask(io, io->out[0], io->out_shape);
}

static void copy_backward(const struct layer_io *io)
{
	const double *dout = layer_masked(io, io->dout[0], io->out_shape);
	int64_t count = io->batch * shape_count(io->in_shape);

	for (int64_t i = 0; dout && io->din[0] && i < count; i++)
		io->din[0][i] += dout[i];
}

/* ---- flatten -------------------------------------------------------------------------------------------- */

static int flatten_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e)
{
	(void)cfg;
	(void)n_in;
	if (layer_need("flatten", in, every_type, e) < 0)
		return -1;
	if (in->open)
		return ERR(e, ERR_INVALID, NULL,
			   "flatten cannot take an open time axis: use \"globalavgpool\" or a recurrent layer with "
			   "\"last\"");
	if (layer_limit("flatten", shape_count(in), e) < 0)
		return -1;
	out[0] = shape_vector((int)shape_count(in));
	return 0;
}

const struct layer_class layer_flatten = {
	.name = "flatten",
	.symbol = "F",
	.help = "an image or sequence as one vector, channels first",
	.family = FAMILY_RESHAPE,
	.min_in = 1,
	.max_in = 1,
	.opts = empty_opts,
	.cfg_size = sizeof(struct empty),
	.shape = flatten_shape,
	.forward = copy_forward,
	.backward = copy_backward,
};

/* ---- reshape -------------------------------------------------------------------------------------------- */

static const struct opt reshape_opts[] = {
	OPT_INTS(struct reshape, shape, OPT_NEED, -1, SHAPE_DIM_MAX,
		 "3 numbers: an image, 2: a sequence, 1: a vector; one may be -1"),
	OPT_END,
};

/* Replaces the -1, if any; -1 if the counts cannot agree. */
static int fill_in(struct opt_ints *s, int64_t count)
{
	int64_t known = 1;
	int hole = -1;

	for (int i = 0; i < s->n; i++) {
		if (s->v[i] == 0 || (s->v[i] == -1 && hole >= 0))
			return -1;
		if (s->v[i] == -1)
			hole = i;
		else if (known > count / s->v[i])
			return -1;
		else
			known *= s->v[i];
	}
	if (hole < 0)
		return known == count ? 0 : -1;
	if (count % known || count / known > SHAPE_DIM_MAX)
		return -1;
	s->v[hole] = (int)(count / known);
	return 0;
}

static int reshape_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e)
{
	struct reshape *c = cfg;
	const int *d = c->shape.v;
	char text[48];

	(void)n_in;
	if (layer_need("reshape", in, every_type, e) < 0)
		return -1;
	if (in->open)
		return ERR(e, ERR_INVALID, NULL, "reshape cannot take an open time axis: fix the number of steps");
	if (c->shape.n < 1 || c->shape.n > SHAPE_DIMS)
		return ERR(e, ERR_INVALID, NULL, "reshape: \"shape\" needs 1 to 3 numbers, has %d", c->shape.n);
	if (fill_in(&c->shape, shape_count(in)) < 0)
		return ERR(e, ERR_INVALID, NULL,
			   "reshape: \"shape\" must hold the input's %lld elements (%s), with at most one -1 and no 0",
			   (long long)shape_count(in), shape_text(text, in));
	out[0] = c->shape.n == 1   ? shape_vector(d[0])
		 : c->shape.n == 2 ? shape_sequence(d[0], d[1], false)
				   : shape_image(d[0], d[1], d[2]);
	return 0;
}

const struct layer_class layer_reshape = {
	.name = "reshape",
	.symbol = "RS",
	.help = "the same elements in another shape, channels first",
	.family = FAMILY_RESHAPE,
	.min_in = 1,
	.max_in = 1,
	.opts = reshape_opts,
	.cfg_size = sizeof(struct reshape),
	.shape = reshape_shape,
	.forward = copy_forward,
	.backward = copy_backward,
};

/* ---- identity ------------------------------------------------------------------------------------------- */

static int identity_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e)
{
	(void)cfg;
	(void)n_in;
	(void)e;
	out[0] = in[0];
	return 0;
}

const struct layer_class layer_identity = {
	.name = "identity",
	.symbol = "I",
	.help = "its input, unchanged",
	.family = FAMILY_OTHER,
	.min_in = 1,
	.max_in = 1,
	.opts = empty_opts,
	.cfg_size = sizeof(struct empty),
	.shape = identity_shape,
	.forward = copy_forward,
	.backward = copy_backward,
};

/* ---- zero ----------------------------------------------------------------------------------------------- */

static const struct opt zero_opts[] = {
	OPT_INT(struct zero, stride, 1, 1, 64, "every stride-th position is kept (as a zero)"),
	OPT_END,
};

/* NAS-Bench-201's "none": x[:, :, ::s, ::s] * 0, so sizes are rounded up. */
static int zero_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e)
{
	int s = ((const struct zero *)cfg)->stride;

	(void)n_in;
	if (layer_need("zero", in, every_type, e) < 0)
		return -1;
	if (s != 1 && (in->open || in->type == TENSOR_VECTOR))
		return ERR(e, ERR_INVALID, NULL, "zero: %s needs \"stride\": 1",
			   in->open ? "an open time axis" : "a vector");
	out[0] = in[0];
	for (int i = 1; i < shape_rank(in); i++)
		out[0].d[i] = (in->d[i] - 1) / s + 1;
	return 0;
}

static void zero_forward(const struct layer_io *io)
{
	memset(io->out[0], 0, (size_t)io->batch * (size_t)shape_count(io->out_shape) * sizeof(double));
}

static void zero_backward(const struct layer_io *io)
{
	(void)io; /* no gradient passes: din keeps what was added before */
}

const struct layer_class layer_zero = {
	.name = "zero",
	.symbol = "Z",
	.help = "zeros of the input's shape: no connection",
	.family = FAMILY_OTHER,
	.min_in = 1,
	.max_in = 1,
	.opts = zero_opts,
	.cfg_size = sizeof(struct zero),
	.shape = zero_shape,
	.forward = zero_forward,
	.backward = zero_backward,
};
