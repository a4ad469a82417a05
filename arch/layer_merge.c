/* arch/layer_merge.c - several inputs become one: add, multiply (equal shapes), concat (along the channels). */
#include <string.h>

#include "arch/kinds.h"
#include "arch/layer_common.h"

static int merge_shape(const char *name, const char *advice, const struct shape *in, int n_in, struct shape *out,
		       struct err *e)
{
	char a[48], b[48];

	for (int i = 0; i < n_in; i++) {
		if (layer_need(name, in + i, 1U << TENSOR_IMAGE | 1U << TENSOR_VECTOR | 1U << TENSOR_SEQUENCE, e) < 0)
			return -1;
		if (!shape_equal(in, in + i))
			return ERR(e, ERR_INVALID, NULL,
				   "%s needs inputs of one shape: input 1 is %s %s, input %d is %s %s%s", name,
				   tensor_type_names[in->type], shape_text(a, in), i + 1, tensor_type_names[in[i].type],
				   shape_text(b, in + i), advice);
	}
	out[0] = in[0];
	return 0;
}

/* ---- add ------------------------------------------------------------------------------------------------ */

static int add_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e)
{
	(void)cfg;
	return merge_shape("add", ": \"project\": true inserts a projection", in, n_in, out, e);
}

static void add_forward(const struct layer_io *io)
{
	int64_t count = io->batch * shape_count(io->out_shape);

	for (int64_t i = 0; i < count; i++) {
		double sum = 0;

		for (int k = 0; k < io->n_in; k++)
			sum += io->in[k][i];
		io->out[0][i] = sum;
	}
	layer_mask(io, io->out[0], io->out_shape);
}

static void add_backward(const struct layer_io *io)
{
	int64_t count = io->batch * shape_count(io->out_shape);
	const double *dout = layer_masked(io, io->dout[0], io->out_shape);

	for (int k = 0; dout && k < io->n_in; k++)
		for (int64_t i = 0; io->din[k] && i < count; i++)
			io->din[k][i] += dout[i];
}

const struct layer_class layer_add = {
	.name = "add",
	.symbol = "+",
	.help = "sum of inputs of one shape",
	.family = FAMILY_MERGE,
	.min_in = 2,
	.max_in = LAYER_INPUTS,
	.commutes = true,
	.opts = empty_opts,
	.cfg_size = sizeof(struct empty),
	.shape = add_shape,
	.forward = add_forward,
	.backward = add_backward,
};

/* ---- multiply ------------------------------------------------------------------------------------------- */

static int multiply_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e)
{
	(void)cfg;
	return merge_shape("multiply", "", in, n_in, out, e);
}

/* Product of all inputs but `skip` at element i. */
static double product(const struct layer_io *io, int64_t i, int skip)
{
	double p = 1;

	for (int k = 0; k < io->n_in; k++)
		if (k != skip)
			p *= io->in[k][i];
	return p;
}

static void multiply_forward(const struct layer_io *io)
{
	int64_t count = io->batch * shape_count(io->out_shape);

	for (int64_t i = 0; i < count; i++)
		io->out[0][i] = product(io, i, -1);
	layer_mask(io, io->out[0], io->out_shape);
}

static void multiply_backward(const struct layer_io *io)
{
	int64_t count = io->batch * shape_count(io->out_shape);
	const double *dout = layer_masked(io, io->dout[0], io->out_shape);

	for (int k = 0; dout && k < io->n_in; k++)
		for (int64_t i = 0; io->din[k] && i < count; i++)
			io->din[k][i] += dout[i] * product(io, i, k);
}

const struct layer_class layer_multiply = {
	.name = "multiply",
	.symbol = "x",
	.help = "elementwise product of inputs of one shape",
	.family = FAMILY_MERGE,
	.min_in = 2,
	.max_in = LAYER_INPUTS,
	.commutes = true,
	.opts = empty_opts,
	.cfg_size = sizeof(struct empty),
	.shape = multiply_shape,
	.forward = multiply_forward,
	.backward = multiply_backward,
};

/* ---- concat --------------------------------------------------------------------------------------------- */

static int concat_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e)
{
	int64_t channels = 0;
	char a[48], b[48];

	(void)cfg;
	for (int i = 0; i < n_in; i++) {
		if (layer_need("concat", in + i, 1U << TENSOR_IMAGE | 1U << TENSOR_VECTOR | 1U << TENSOR_SEQUENCE, e) <
		    0)
			return -1;
		if (in[i].type != in->type || in[i].open != in->open || in[i].d[1] != in->d[1] ||
		    in[i].d[2] != in->d[2])
			return ERR(
			    e, ERR_INVALID, NULL,
			    "concat needs inputs that differ in channels only: input 1 is %s %s, input %d is %s %s",
			    tensor_type_names[in->type], shape_text(a, in), i + 1, tensor_type_names[in[i].type],
			    shape_text(b, in + i));
		channels += in[i].d[0];
	}
	if (layer_limit("concat", channels, e) < 0)
		return -1;
	out[0] = in[0];
	out[0].d[0] = (int)channels;
	return 0;
}

static void concat_forward(const struct layer_io *io)
{
	double *out = io->out[0];

	for (int n = 0; n < io->batch; n++)
		for (int k = 0; k < io->n_in; k++) {
			int64_t count = shape_count(io->in_shape + k);

			memcpy(out, io->in[k] + n * count, (size_t)count * sizeof *out);
			out += count;
		}
	layer_mask(io, io->out[0], io->out_shape);
}

static void concat_backward(const struct layer_io *io)
{
	const double *dout = layer_masked(io, io->dout[0], io->out_shape);

	for (int n = 0; dout && n < io->batch; n++)
		for (int k = 0; k < io->n_in; k++) {
			int64_t count = shape_count(io->in_shape + k);

			for (int64_t i = 0; io->din[k] && i < count; i++)
				io->din[k][n * count + i] += dout[i];
			dout += count;
		}
}

const struct layer_class layer_concat = {
	.name = "concat",
	.symbol = "&",
	.help = "inputs side by side along the channels",
	.family = FAMILY_MERGE,
	.min_in = 2,
	.max_in = LAYER_INPUTS,
	.opts = empty_opts,
	.cfg_size = sizeof(struct empty),
	.shape = concat_shape,
	.forward = concat_forward,
	.backward = concat_backward,
};
