/* arch/layer_dropout.c - dropout (Srivastava et al. 2014), inverted: survivors are scaled by 1 / (1 - rate), evaluation
 * is the identity.
 *
 * Element i of an example falls iff philox_real(u) < rate, where u is word i % 4 of philox4x32(key, i / 4, sample,
 * epoch, 0). So the mask depends on neither batch nor worker, and the backward finds it again.
 */
#include "arch/kinds.h"
#include "arch/layer_common.h"

static const struct opt dropout_opts[] = {
	OPT_REAL(struct dropout, rate, 0.5, 0, 1, "share of elements that fall, below 1"),
	OPT_END,
};

static int dropout_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e)
{
	(void)n_in;
	if (layer_need("dropout", in, 1U << TENSOR_IMAGE | 1U << TENSOR_VECTOR | 1U << TENSOR_SEQUENCE, e) < 0)
		return -1;
	if (((const struct dropout *)cfg)->rate >= 1)
		return ERR(e, ERR_INVALID, NULL, "dropout: a rate of 1 would leave nothing: use less than 1");
	out[0] = in[0];
	return 0;
}

/* to[i] = (add ? to[i] : 0) + from[i] * factor of element i */
static void apply(const struct layer_io *io, double *to, const double *from, bool add)
{
	double rate = io->training ? ((const struct dropout *)io->cfg)->rate : 0;
	int64_t count = shape_count(io->in_shape);
	uint32_t u[4] = { 0 };

	for (int n = 0; n < io->batch; n++)
		for (int64_t i = 0; i < count; i++, to++, from++) {
			double y = *from / (1 - rate);

			if (rate > 0 && i % 4 == 0)
				philox4x32(u, io->key, (uint32_t)(i / 4), io->sample[n], io->epoch, 0);
			if (rate > 0 && philox_real(u[i % 4]) < rate)
				y = 0;
			*to = add ? *to + y : y;
		}
}

static void dropout_forward(const struct layer_io *io)
{
	apply(io, io->out[0], io->in[0], false);
	layer_mask(io, io->out[0], io->out_shape);
}

static void dropout_backward(const struct layer_io *io)
{
	const double *dout = layer_masked(io, io->dout[0], io->out_shape);

	if (dout && io->din[0])
		apply(io, io->din[0], dout, true);
}

const struct layer_class layer_dropout = {
	.name = "dropout",
	.symbol = "X",
	.help = "sets random elements to zero while training",
	.family = FAMILY_DROPOUT,
	.min_in = 1,
	.max_in = 1,
	.opts = dropout_opts,
	.cfg_size = sizeof(struct dropout),
	.shape = dropout_shape,
	.forward = dropout_forward,
	.backward = dropout_backward,
};
