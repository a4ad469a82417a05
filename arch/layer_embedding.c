/* arch/layer_embedding.c - embedding: a row of a table for every token.
 *
 *	out[n][f][t] = weight[token[n][t]][f]
 *
 * Tokens come as doubles that hold whole numbers in [0, vocabulary): the reader of the data has checked that.
 */
#include <assert.h>

#include "arch/kinds.h"
#include "arch/layer_common.h"

static const struct opt embedding_opts[] = {
	OPT_INT(struct embedding, vocabulary, OPT_NEED, 1, 16777216, "how many different tokens there are"),
	OPT_INT(struct embedding, features, OPT_NEED, 1, 65536, "numbers per token"),
	OPT_END,
};

static int embedding_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e)
{
	const struct embedding *c = cfg;

	(void)n_in;
	if (layer_need("embedding", in, 1U << TENSOR_TOKENS, e) < 0)
		return -1;
	out[0] = shape_sequence(c->features, in->d[0], in->open);
	return 0;
}

static int embedding_params(const void *cfg, const struct shape *in, int n_in, struct param_spec *out)
{
	const struct embedding *c = cfg;

	(void)in;
	(void)n_in;
	out[0] = (struct param_spec){ .name = "weight",
				      .role = PARAM_WEIGHT,
				      .init = INIT_NORMAL,
				      .rank = 2,
				      .d = { c->vocabulary, c->features },
				      .fan_in = c->vocabulary,
				      .fan_out = c->features };
	return 1;
}

/* The row of the table for step t of example n. */
static double *row(const struct layer_io *io, double *table, int n, int t)
{
	const struct embedding *c = io->cfg;
	double token = io->in[0][(int64_t)n * io->in_shape->d[0] + t];

	assert(token >= 0 && token < c->vocabulary && token == (int)token);
	return table + (int64_t)token * c->features;
}

static void embedding_forward(const struct layer_io *io)
{
	const struct embedding *c = io->cfg;
	int steps = io->in_shape->d[0];

	for (int n = 0; n < io->batch; n++)
		for (int t = 0; t < steps; t++) {
			double *out = io->out[0] + (int64_t)n * c->features * steps + t;
			const double *w = t < layer_steps(io, io->in_shape, n) ? row(io, io->param[0], n, t) : NULL;

			for (int f = 0; f < c->features; f++)
				out[(int64_t)f * steps] = w ? w[f] : 0;
		}
}

static void embedding_backward(const struct layer_io *io)
{
	const struct embedding *c = io->cfg;
	int steps = io->in_shape->d[0];

	if (!io->dout[0] || !io->dparam[0])
		return;
	for (int n = 0; n < io->batch; n++)
		for (int t = 0; t < layer_steps(io, io->in_shape, n); t++) {
			const double *dout = io->dout[0] + (int64_t)n * c->features * steps + t;
			double *dw = row(io, io->dparam[0], n, t);

			for (int f = 0; f < c->features; f++)
				dw[f] += dout[(int64_t)f * steps];
		}
}

const struct layer_class layer_embedding = {
	.name = "embedding",
	.symbol = "EM",
	.help = "a learned vector for every token",
	.family = FAMILY_EMBEDDING,
	.min_in = 1,
	.max_in = 1,
	.opts = embedding_opts,
	.cfg_size = sizeof(struct embedding),
	.shape = embedding_shape,
	.params = embedding_params,
	.forward = embedding_forward,
	.backward = embedding_backward,
};
