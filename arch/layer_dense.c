/* arch/layer_dense.c - dense: a matrix product and a bias. Takes a vector only, so that no axis is folded silently.
 *
 *	out[n][u] = bias[u] + sum_f weight[u][f] * in[n][f]
 */
#include "arch/kinds.h"
#include "arch/layer_common.h"

static const struct opt dense_opts[] = {
	OPT_INT(struct dense, units, OPT_NEED, 1, 1048576, "output features"),
	OPT_BOOL(struct dense, bias, 1, "add a bias per unit"),
	OPT_ENUM(struct dense, init, INIT_HE_NORMAL, param_init_names, "how the weights start"),
	OPT_END,
};

static int dense_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e)
{
	const struct dense *c = cfg;
	char text[48];

	(void)n_in;
	if (in->type == TENSOR_IMAGE || in->type == TENSOR_SEQUENCE)
		return ERR(e, ERR_INVALID, NULL, "dense needs a vector, its input is %s %s: put %s before it",
			   in->type == TENSOR_IMAGE ? "an image" : "a sequence", shape_text(text, in),
			   in->open ? "\"globalavgpool\" or a recurrent layer with \"last\""
				    : "\"flatten\" or \"globalavgpool\"");
	if (layer_need("dense", in, 1U << TENSOR_VECTOR, e) < 0)
		return -1;
	out[0] = shape_vector(c->units);
	return 0;
}

static int dense_params(const void *cfg, const struct shape *in, int n_in, struct param_spec *out)
{
	const struct dense *c = cfg;

	(void)n_in;
	out[0] = (struct param_spec){ .name = "weight",
				      .role = PARAM_WEIGHT,
				      .init = (enum param_init)c->init,
				      .rank = 2,
				      .d = { c->units, in->d[0] },
				      .fan_in = in->d[0],
				      .fan_out = c->units };
	if (!c->bias)
		return 1;
	out[1] = (struct param_spec){ .name = "bias", .role = PARAM_BIAS, .rank = 1, .d = { c->units } };
	return 2;
}

static int64_t dense_macs(const void *cfg, const struct shape *in, int n_in, const struct shape *out)
{
	(void)cfg;
	(void)n_in;
	return layer_mul(in->d[0], out->d[0]);
}

static void dense_forward(const struct layer_io *io)
{
	const struct dense *c = io->cfg;
	int features = io->in_shape->d[0];

	for (int n = 0; n < io->batch; n++)
		for (int u = 0; u < c->units; u++) {
			const double *x = io->in[0] + (int64_t)n * features, *w = io->param[0] + (int64_t)u * features;
			double sum = c->bias ? io->param[1][u] : 0;

			for (int f = 0; f < features; f++)
				sum += w[f] * x[f];
			io->out[0][(int64_t)n * c->units + u] = sum;
		}
}

static void dense_backward(const struct layer_io *io)
{
	const struct dense *c = io->cfg;
	int features = io->in_shape->d[0];
	double *din = io->din[0], *dw = io->dparam[0], *db = c->bias ? io->dparam[1] : NULL;

	for (int n = 0; io->dout[0] && n < io->batch; n++)
		for (int u = 0; u < c->units; u++) {
			double d = io->dout[0][(int64_t)n * c->units + u];

			if (db)
				db[u] += d;
			for (int f = 0; f < features; f++) {
				int64_t x = (int64_t)n * features + f, w = (int64_t)u * features + f;

				if (dw)
					dw[w] += d * io->in[0][x];
				if (din)
					din[x] += d * io->param[0][w];
			}
		}
}

const struct layer_class layer_dense = {
	.name = "dense",
	.symbol = "D",
	.help = "fully connected layer on a vector",
	.family = FAMILY_DENSE,
	.min_in = 1,
	.max_in = 1,
	.opts = dense_opts,
	.cfg_size = sizeof(struct dense),
	.shape = dense_shape,
	.params = dense_params,
	.macs = dense_macs,
	.forward = dense_forward,
	.backward = dense_backward,
};
