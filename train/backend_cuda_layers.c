/* train/backend_cuda_layers.c - the other layer kinds on the cuda backend, and the table of all. */
#include <string.h>

#include "arch/kinds.h"
#include "base/mem.h"
#include "train/backend.h"
#include "train/backend_cuda_build.h"

/* ---- activations ---------------------------------------------------------------------------------------- */

struct cuda_activation cuda_act_of(const struct graph *g, int node)
{
	static const enum cuda_act acts[LAYER_KIND_COUNT] = {
		[LAYER_relu] = CUDA_ACT_RELU,       [LAYER_relu6] = CUDA_ACT_RELU6,
		[LAYER_tanh] = CUDA_ACT_TANH,       [LAYER_leaky_relu] = CUDA_ACT_LEAKY_RELU,
		[LAYER_elu] = CUDA_ACT_ELU,         [LAYER_gelu] = CUDA_ACT_GELU,
		[LAYER_silu] = CUDA_ACT_SILU,       [LAYER_hard_swish] = CUDA_ACT_HARD_SWISH,
		[LAYER_sigmoid] = CUDA_ACT_SIGMOID,
	};
	const struct node *n = g->nodes + node;
	struct cuda_activation act = { acts[n->kind], 0 };

	if (n->kind == LAYER_leaky_relu)
		act.a = (float)((const struct leaky_relu *)n->cfg)->slope;
	else if (n->kind == LAYER_elu)
		act.a = (float)((const struct elu *)n->cfg)->alpha;
	else if (n->kind == LAYER_gelu && ((const struct gelu *)n->cfg)->approximate)
		act.act = CUDA_ACT_GELU_TANH;
	return act;
}

static bool is_norm(const struct graph *g, int node)
{
	return g->nodes[node].kind == LAYER_batchnorm || cuda_absorbs(g, node) >= 0;
}

/* What a norm pools on its way is computed once for each window, forward, and looked for twice backward: not worth it
 * where windows overlap much. */
static bool pools_once(const struct node *n)
{
	struct pool2d c;

	if (!cuda_pools(n->kind))
		return false;
	if (n->kind == LAYER_globalavgpool || n->kind == LAYER_globalmaxpool)
		return true;
	c = pool_as_2d(n->kind, n->cfg);
	return (int64_t)c.size.v[0] * c.size.v[1] <= 3LL * c.stride.v[0] * c.stride.v[1];
}

bool cuda_fuses(const struct graph *g, int first, int last, int next, bool training)
{
	enum cuda_act act = cuda_act_of(g, next).act;

	(void)training;
	if (is_norm(g, first) && pools_once(g->nodes + next))
		return !cuda_pools(g->nodes[last].kind);
	if (last != first || act == CUDA_ACT_NONE)
		return false;
	switch (g->nodes[first].kind) {
	case LAYER_conv1d:
	case LAYER_conv2d:
	case LAYER_depthwise2d:
	case LAYER_dense:
		return act == CUDA_ACT_RELU;
	default:
		return is_norm(g, first);
	}
}

struct cuda_activation cuda_fused_act(const struct cuda_build *b, int node)
{
	int next = b->plan->next[node];

	return next < 0 ? (struct cuda_activation){ CUDA_ACT_NONE, 0 } : cuda_act_of(b->g, next);
}

void cuda_undo_act(struct cuda_build *b, struct cuda_activation act, struct cuda_val *out, int x)
{
	int to;

	if (act.act == CUDA_ACT_NONE || out->undone)
		return;
	to = cuda_reuse_grad(b, out);
	cuda_add(b->p, CUDA_OP_ACTIVATE_BACK)->u.act =
	    (struct cuda_op_act){ .x = out->dims, .act = (int32_t)act.act, .a = act.a };
	cuda_use(b->p, 0, x);
	cuda_use(b->p, 1, out->grad);
	cuda_use(b->p, 2, to);
	cuda_set_grad(b, out, to);
}

static void back_act(struct cuda_build *b, struct cuda_tape *t)
{
	struct cuda_activation act = cuda_act_of(b->g, t->node);

	cuda_undo_act(b, act, t->out[0], act.act == CUDA_ACT_RELU ? t->out[0]->buf : t->in[0]->buf);
	cuda_give(b, t->in[0], t->out[0]->grad);
}

static struct cuda_val *build_act(struct cuda_build *b, int node)
{
	struct cuda_activation act = cuda_act_of(b->g, node);
	bool from_result = act.act == CUDA_ACT_RELU;
	struct cuda_val *in = cuda_input(b, node, 0), *out = cuda_val_over(b, in, !from_result);

	cuda_add(b->p, CUDA_OP_ACTIVATE)->u.act =
	    (struct cuda_op_act){ .x = in->dims, .act = (int32_t)act.act, .a = act.a };
	cuda_use(b->p, 0, in->buf);
	cuda_use(b->p, 1, out->buf);
	if (act.act == CUDA_ACT_SIGMOID)
		cuda_mask(b, out, out->buf);
	out->relu = from_result;
	if (from_result)
		out->kept = b->training;
	else
		in->kept |= b->training;
	cuda_tape_add(b, back_act, out, 1, &in, NULL);
	return out;
}

static void back_softmax(struct cuda_build *b, struct cuda_tape *t)
{
	struct cuda_val *out = t->out[0];
	int to = cuda_grad_buf(b, t->in[0]);

	cuda_add(b->p, CUDA_OP_SOFTMAX_BACK)->u.map = (struct cuda_op_map){ .x = out->dims };
	cuda_use(b->p, 0, out->buf);
	cuda_use(b->p, 1, out->grad);
	cuda_use(b->p, 2, to);
	cuda_give(b, t->in[0], to);
}

static struct cuda_val *build_softmax(struct cuda_build *b, int node)
{
	struct cuda_val *in = cuda_plain_input(b, node, 0);
	struct cuda_val *out = cuda_val_new(b, &in->dims, in->wants);

	cuda_add(b->p, CUDA_OP_SOFTMAX)->u.map = (struct cuda_op_map){ .x = in->dims };
	cuda_use(b->p, 0, in->buf);
	cuda_use(b->p, 1, out->buf);
	out->open = in->open;
	cuda_mask(b, out, out->buf);
	out->kept = b->training;
	cuda_tape_add(b, back_softmax, out, 1, &in, NULL);
	return out;
}

/* ---- pooling -------------------------------------------------------------------------------------------- */

bool cuda_pools(enum layer_kind kind)
{
	return kind == LAYER_maxpool1d || kind == LAYER_maxpool2d || kind == LAYER_avgpool1d ||
	       kind == LAYER_avgpool2d || kind == LAYER_globalavgpool || kind == LAYER_globalmaxpool;
}

struct cuda_pool *cuda_pool_of(struct cuda_build *b, int node)
{
	const struct node *n = b->g->nodes + node;
	bool whole = n->kind == LAYER_globalmaxpool || n->kind == LAYER_globalavgpool;
	struct pool2d c = whole ? (struct pool2d){ 0 } : pool_as_2d(n->kind, n->cfg);
	struct cuda_pool *p = ARENA_NEW(b->a, struct cuda_pool);

	*p = (struct cuda_pool){ .how = whole ? CUDA_POOLED_WHOLE : CUDA_POOLED, .places = -1, .relu = -1 };
	p->op = (struct cuda_op_pool){ .x = cuda_dims_of(b, cuda_in_shape(b, node, 0)),
				       .y = cuda_dims_of(b, cuda_out_shape(b, node)),
				       .max = n->kind == LAYER_maxpool2d || n->kind == LAYER_maxpool1d ||
					      n->kind == LAYER_globalmaxpool,
				       .count_pad = c.count_pad };
	for (int i = 0; i < 2; i++) {
		p->op.size[i] = c.size.v[i];
		p->op.stride[i] = c.stride.v[i];
		p->op.before[i] = c.padding.side[i];
		p->op.after[i] = c.padding.side[i + 2];
	}
	return p;
}

void cuda_pool_keep(struct cuda_build *b, struct cuda_pool *pool, bool wants)
{
	bool large = pool->how == CUDA_POOLED_WHOLE || pool->op.size[0] * pool->op.size[1] > 255;

	if (pool->op.max && wants)
		pool->places = cuda_buffer(b->p, large ? CUDA_I32 : CUDA_F32,
					   cuda_dims_bytes(&pool->op.y, CUDA_F32) / (large ? 1 : 4));
}

static void back_pool(struct cuda_build *b, struct cuda_tape *t)
{
	const struct cuda_pool *p = t->saved;
	struct cuda_val *in = t->in[0], *out = t->out[0];
	bool undoes = p->relu >= 0;
	int to;

	in->undone = undoes;
	if (in->bias && in->readers == 1 && (undoes || !in->relu)) {
		in->pooled = p;
		cuda_give(b, in, out->grad);
		return;
	}
	to = cuda_grad_buf(b, in);
	cuda_add(b->p, p->how == CUDA_POOLED_WHOLE ? CUDA_OP_GLOBALPOOL_BACK : CUDA_OP_POOL_BACK)->u.pool = p->op;
	cuda_use(b->p, 0, p->places);
	cuda_use(b->p, 1, out->grad);
	cuda_use(b->p, 2, to);
	cuda_use(b->p, 3, cuda_lengths(b, in));
	cuda_use(b->p, 4, p->relu);
	cuda_give(b, in, to);
}

/* The gradient of a maximum over relu's results goes to positions whose value is the maximum: it is zero where that is,
 * so relu can be undone with the pooling, on a fraction of the elements. */
static struct cuda_val *build_pool(struct cuda_build *b, int node)
{
	struct cuda_val *in = cuda_plain_input(b, node, 0), *out;
	struct cuda_pool *p = cuda_pool_of(b, node);

	cuda_pool_keep(b, p, in->wants);
	out = cuda_val_new(b, &p->op.y, in->wants);
	out->open = in->open && p->how == CUDA_POOLED;
	cuda_add(b->p, p->how == CUDA_POOLED_WHOLE ? CUDA_OP_GLOBALPOOL : CUDA_OP_POOL)->u.pool = p->op;
	cuda_use(b->p, 0, in->buf);
	cuda_use(b->p, 1, out->buf);
	cuda_use(b->p, 2, p->places);
	cuda_use(b->p, 3, cuda_lengths(b, in));
	if (p->places >= 0 && in->relu && in->readers == 1) {
		p->relu = out->buf;
		out->kept = true;
	}
	cuda_tape_add(b, back_pool, out, 1, &in, p);
	return out;
}

/* ---- padding, enlarging --------------------------------------------------------------------------------- */

struct window_saved {
	struct cuda_op_window op;
	enum cuda_op_kind back;
};

static void back_window(struct cuda_build *b, struct cuda_tape *t)
{
	const struct window_saved *s = t->saved;
	int to = cuda_grad_buf(b, t->in[0]);

	cuda_add(b->p, s->back)->u.window = s->op;
	cuda_use(b->p, 0, t->out[0]->grad);
	cuda_use(b->p, 1, to);
	cuda_give(b, t->in[0], to);
}

static struct cuda_val *window(struct cuda_build *b, int node, enum cuda_op_kind kind, struct window_saved *s)
{
	struct cuda_val *in = cuda_plain_input(b, node, 0), *out;

	s->op.x = in->dims;
	s->op.y = cuda_dims_of(b, cuda_out_shape(b, node));
	out = cuda_val_new(b, &s->op.y, in->wants);
	cuda_add(b->p, kind)->u.window = s->op;
	cuda_use(b->p, 0, in->buf);
	cuda_use(b->p, 1, out->buf);
	cuda_tape_add(b, back_window, out, 1, &in, s);
	return out;
}

static struct cuda_val *build_zeropad(struct cuda_build *b, int node)
{
	const int *side = ((const struct zeropad2d *)b->g->nodes[node].cfg)->padding.side;
	struct window_saved *s = ARENA_NEW(b->a, struct window_saved);

	s->back = CUDA_OP_PAD_BACK;
	s->op = (struct cuda_op_window){ .before = { side[0], side[1] }, .after = { side[2], side[3] } };
	return window(b, node, CUDA_OP_PAD, s);
}

static struct cuda_val *build_upsample(struct cuda_build *b, int node)
{
	const struct upsample2d *c = b->g->nodes[node].cfg;
	struct window_saved *s = ARENA_NEW(b->a, struct window_saved);

	s->back = CUDA_OP_UPSAMPLE_BACK;
	s->op = (struct cuda_op_window){ .factor = { c->factor.v[0], c->factor.v[1] }, .mode = c->mode };
	return window(b, node, CUDA_OP_UPSAMPLE, s);
}

/* ---- dropout -------------------------------------------------------------------------------------------- */

static void dropout(struct cuda_build *b, int node, const struct cuda_dims *x, int from, int to)
{
	const struct node *n = b->g->nodes + node;
	struct philox_key key = dropout_key(b->seed, n);

	cuda_add(b->p, CUDA_OP_DROPOUT)->u.drop = (struct cuda_op_drop){
		.x = *x, .key = { key.k[0], key.k[1] }, .rate = ((const struct dropout *)n->cfg)->rate
	};
	cuda_use(b->p, 0, from);
	cuda_use(b->p, 1, to);
	cuda_use(b->p, 2, b->sample);
}

static void back_dropout(struct cuda_build *b, struct cuda_tape *t)
{
	int to = cuda_reuse_grad(b, t->out[0]);

	dropout(b, t->node, &t->out[0]->dims, t->out[0]->grad, to);
	cuda_give(b, t->in[0], to);
}

static struct cuda_val *build_same(struct cuda_build *b, int node)
{
	return cuda_input(b, node, 0);
}

static struct cuda_val *build_dropout(struct cuda_build *b, int node)
{
	struct cuda_val *in = cuda_input(b, node, 0), *out;

	if (!b->training || ((const struct dropout *)b->g->nodes[node].cfg)->rate == 0)
		return in;
	out = cuda_val_over(b, in, false);
	dropout(b, node, &in->dims, in->buf, out->buf);
	cuda_tape_add(b, back_dropout, out, 1, &in, NULL);
	return out;
}

/* ---- merging -------------------------------------------------------------------------------------------- */

/* to = the product of from[0..n), as many at a time as an operation takes. */
static void product(struct cuda_build *b, const struct cuda_dims *d, int to, const int *from, int n)
{
	int done = -1;

	for (int at = 0; at < n;) {
		int k = 0, out = n - at < CUDA_INPUTS ? to : cuda_buffer(b->p, b->elem, cuda_dims_bytes(d, b->elem));

		cuda_add(b->p, CUDA_OP_PRODUCT);
		cuda_use(b->p, 0, out);
		if (done >= 0)
			cuda_use(b->p, ++k, done);
		while (at < n && k < CUDA_INPUTS)
			cuda_use(b->p, ++k, from[at++]);
		b->p->ops[b->p->n_ops - 1].u.map = (struct cuda_op_map){ .x = *d, .k = k };
		done = out;
	}
}

static void back_multiply(struct cuda_build *b, struct cuda_tape *t)
{
	for (int k = 0; k < t->n_in; k++) {
		int from[LAYER_INPUTS + 1] = { t->out[0]->grad }, n = 1, to;

		if (!t->in[k]->wants)
			continue;
		for (int i = 0; i < t->n_in; i++)
			if (i != k)
				from[n++] = t->in[i]->buf;
		to = cuda_grad_buf(b, t->in[k]);
		product(b, &t->out[0]->dims, to, from, n);
		cuda_give(b, t->in[k], to);
	}
}

static struct cuda_val *build_multiply(struct cuda_build *b, int node)
{
	struct cuda_val *in[LAYER_INPUTS], *out;
	int from[LAYER_INPUTS], n = b->g->nodes[node].n_in;

	cuda_common_inputs(b, node, in);
	out = cuda_val_new(b, &in[0]->dims, b->plan->flows[node]);
	out->open = in[0]->open;
	for (int k = 0; k < n; k++) {
		from[k] = in[k]->buf;
		in[k]->kept |= b->training;
	}
	product(b, &out->dims, out->buf, from, n);
	cuda_tape_add(b, back_multiply, out, n, in, NULL);
	return out;
}

static void copy_channels(struct cuda_build *b, const struct cuda_op_slice *s, int from, int to)
{
	cuda_add(b->p, CUDA_OP_CHANNELS)->u.slice = *s;
	cuda_use(b->p, 0, from);
	cuda_use(b->p, 1, to);
}

static void back_concat(struct cuda_build *b, struct cuda_tape *t)
{
	for (int k = 0, at = 0; k < t->n_in; at += t->in[k++]->dims.c) {
		const struct cuda_dims *d = &t->in[k]->dims;
		struct cuda_op_slice s = { .in = t->out[0]->dims, .out = *d, .from = at, .count = d->c, .last = 1 };
		int to;

		if (!t->in[k]->wants)
			continue;
		to = cuda_grad_buf(b, t->in[k]);
		copy_channels(b, &s, t->out[0]->grad, to);
		cuda_give(b, t->in[k], to);
	}
}

static struct cuda_val *build_concat(struct cuda_build *b, int node)
{
	int n = b->g->nodes[node].n_in, at = 0;
	struct cuda_dims y = cuda_dims_of(b, cuda_out_shape(b, node));
	struct cuda_val *in[LAYER_INPUTS], *out;

	for (int k = 0; k < n; k++)
		in[k] = cuda_plain_input(b, node, k);
	out = cuda_val_new(b, &y, b->plan->flows[node]);
	out->open = in[0]->open;
	for (int k = 0; k < n; at += in[k++]->dims.c) {
		const struct cuda_dims *d = &in[k]->dims;
		struct cuda_op_slice s = { .in = *d, .out = y, .to = at, .count = d->c, .last = k == n - 1 };

		copy_channels(b, &s, in[k]->buf, out->buf);
	}
	cuda_tape_add(b, back_concat, out, n, in, NULL);
	return out;
}

static struct cuda_val *build_zero(struct cuda_build *b, int node)
{
	struct cuda_dims y = cuda_dims_of(b, cuda_out_shape(b, node));
	struct cuda_val *out = cuda_val_new(b, &y, false);

	out->open = cuda_out_shape(b, node)->open;
	cuda_add(b->p, CUDA_OP_FILL)->u.map = (struct cuda_op_map){ .x = y };
	cuda_use(b->p, 0, out->buf);
	return out;
}

/* ---- all kinds ------------------------------------------------------------------------------------------ */

cuda_builder *const cuda_builders[LAYER_KIND_COUNT] = {
	[LAYER_conv1d] = cuda_build_conv,
	[LAYER_conv2d] = cuda_build_conv,
	[LAYER_depthwise2d] = cuda_build_conv,
	[LAYER_dense] = cuda_build_dense,
	[LAYER_maxpool1d] = build_pool,
	[LAYER_maxpool2d] = build_pool,
	[LAYER_avgpool1d] = build_pool,
	[LAYER_avgpool2d] = build_pool,
	[LAYER_globalavgpool] = build_pool,
	[LAYER_globalmaxpool] = build_pool,
	[LAYER_batchnorm] = cuda_build_batchnorm,
	[LAYER_layernorm] = cuda_build_layernorm,
	[LAYER_groupnorm] = cuda_build_groupnorm,
	[LAYER_dropout] = build_dropout,
	[LAYER_relu] = build_act,
	[LAYER_relu6] = build_act,
	[LAYER_leaky_relu] = build_act,
	[LAYER_elu] = build_act,
	[LAYER_gelu] = build_act,
	[LAYER_silu] = build_act,
	[LAYER_hard_swish] = build_act,
	[LAYER_tanh] = build_act,
	[LAYER_sigmoid] = build_act,
	[LAYER_softmax] = build_softmax,
	[LAYER_flatten] = build_same,
	[LAYER_reshape] = build_same,
	[LAYER_add] = cuda_build_add,
	[LAYER_concat] = build_concat,
	[LAYER_multiply] = build_multiply,
	[LAYER_zeropad2d] = build_zeropad,
	[LAYER_upsample2d] = build_upsample,
	[LAYER_identity] = build_same,
	[LAYER_zero] = build_zero,
	[LAYER_embedding] = cuda_build_embedding,
	[LAYER_rnn] = cuda_build_recurrent,
	[LAYER_gru] = cuda_build_recurrent,
	[LAYER_lstm] = cuda_build_recurrent,
	/* choice: nobody trains it */
};
