/* train/backend_cuda_products.c - convolutions and dense layers on the cuda backend. Gradients of their weights are
 * summed in fp32 and, of ungrouped convolutions in bf16 programs, handed out in bf16: cuDNN has no engine for more. */
#include "arch/kinds.h"
#include "base/mem.h"
#include "train/backend_cuda_build.h"

struct product {           /* what the backward must know */
	struct cuda_op op; /* of the forward: kind and options */
	struct cuda_activation act;
	struct cuda_param *w, *bias; /* bias may be NULL */
	enum cuda_op_kind data, weight;
	enum cuda_elem grad_elem;
};

/* ---- backward, for both --------------------------------------------------------------------------------- */

static struct cuda_op *add_like(struct cuda_build *b, enum cuda_op_kind kind, const struct product *s)
{
	struct cuda_op *op = cuda_add(b->p, kind);

	op->u = s->op.u;
	return op;
}

/* The activation's and the pool's backward on the way. */
static void back_bias(struct cuda_build *b, const struct product *s, struct cuda_val *out)
{
	const struct cuda_pool *pool = out->pooled;
	bool undo = out->bias && s->act.act != CUDA_ACT_NONE && !out->undone;
	int to = cuda_param_out(b, s->bias, CUDA_F32), g = -1;
	struct cuda_op_bias op = { .x = out->dims };

	if (pool) {
		op.pooled = (int32_t)pool->how;
		op.pool = pool->op;
		g = cuda_grad_buf(b, out);
	} else if (undo) {
		g = cuda_reuse_grad(b, out);
	}
	cuda_add(b->p, CUDA_OP_BIAS_GRADIENT)->u.bias = op;
	cuda_use(b->p, 0, out->grad);
	cuda_use(b->p, 1, to);
	cuda_use(b->p, 2, pool ? pool->relu : undo ? out->buf : -1);
	cuda_use(b->p, 3, g);
	cuda_use(b->p, 4, pool ? pool->places : -1);
	cuda_param_done(b, s->bias);
	if (g >= 0)
		cuda_set_grad(b, out, g);
}

static void back_weights(struct cuda_build *b, const struct product *s, const struct cuda_val *in,
			 const struct cuda_val *out)
{
	int to = cuda_param_out(b, s->w, s->grad_elem);

	add_like(b, s->weight, s);
	cuda_use(b->p, 0, in->buf);
	cuda_use(b->p, 1, out->grad);
	cuda_use(b->p, 2, to);
	cuda_param_done(b, s->w);
}

static void back_data(struct cuda_build *b, const struct product *s, struct cuda_val *in, const struct cuda_val *out)
{
	int w = cuda_operand(b, s->w), to = cuda_grad_buf(b, in);

	add_like(b, s->data, s);
	cuda_use(b->p, 0, out->grad);
	cuda_use(b->p, 1, w);
	cuda_use(b->p, 2, to);
	cuda_give(b, in, to);
}

static void back_product(struct cuda_build *b, struct cuda_tape *t)
{
	const struct product *s = t->saved;
	struct cuda_val *in = t->in[0], *out = t->out[0];

	if (!out->bias) {
		cuda_undo_act(b, s->act, out, out->buf);
		cuda_mask_grad(b, out);
	}
	if (cuda_trains(b, t->node)) {
		if (s->bias && !out->summed)
			back_bias(b, s, out);
		back_weights(b, s, in, out);
	}
	if (in->wants)
		back_data(b, s, in, out);
}

/* ---- forward, for both ---------------------------------------------------------------------------------- */

static struct cuda_val *build_product(struct cuda_build *b, int node, struct product *s, struct cuda_val *in,
				      const struct cuda_dims *y)
{
	struct cuda_val *out = cuda_val_new(b, y, b->plan->flows[node]);
	int w = cuda_operand(b, s->w), bias = -1;

	if (s->bias) {
		cuda_settle_vector(b, s->bias);
		bias = cuda_operand(b, s->bias);
	}
	add_like(b, (enum cuda_op_kind)s->op.kind, s);
	cuda_use(b->p, 0, in->buf);
	cuda_use(b->p, 1, w);
	cuda_use(b->p, 2, bias);
	cuda_use(b->p, 3, out->buf);
	out->open = in->open;
	cuda_mask(b, out, out->buf);
	in->kept |= cuda_trains(b, node);
	out->kept = b->training && s->act.act != CUDA_ACT_NONE;
	out->relu = s->act.act == CUDA_ACT_RELU;
	out->bias = cuda_trains(b, node) && !out->open ? s->bias : NULL;
	cuda_tape_add(b, back_product, out, 1, &in, s);
	return out;
}

/* ---- convolutions --------------------------------------------------------------------------------------- */

struct geometry { /* of conv2d, conv1d, depthwise2d alike */
	int groups, kernel[2], stride[2], dilation[2];
	const int *pad; /* top, left, bottom, right */
	bool bias;
};

static struct geometry geometry_of(const struct cuda_build *b, int node)
{
	const struct node *n = b->g->nodes + node;
	const struct conv2d *c = n->cfg;
	const struct conv1d *line = n->cfg;
	const struct depthwise2d *deep = n->cfg;

	if (n->kind == LAYER_conv1d)
		return (struct geometry){ line->groups,          { 1, line->kernel }, { 1, line->stride },
					  { 1, line->dilation }, line->padding.side,  line->bias };
	if (n->kind == LAYER_depthwise2d)
		return (struct geometry){ cuda_in_shape(b, node, 0)->d[0],
					  { deep->kernel.v[0], deep->kernel.v[1] },
					  { deep->stride.v[0], deep->stride.v[1] },
					  { deep->dilation.v[0], deep->dilation.v[1] },
					  deep->padding.side,
					  deep->bias };
	return (struct geometry){ c->groups,
				  { c->kernel.v[0], c->kernel.v[1] },
				  { c->stride.v[0], c->stride.v[1] },
				  { c->dilation.v[0], c->dilation.v[1] },
				  c->padding.side,
				  c->bias };
}

static struct cuda_op_conv conv_of(const struct cuda_build *b, int node, const struct geometry *g,
				   const struct cuda_dims *x, const struct cuda_dims *y)
{
	bool line = b->g->nodes[node].kind == LAYER_conv1d; /* its padding has no rows */

	return (struct cuda_op_conv){ .x = *x,
				      .y = *y,
				      .kh = g->kernel[0],
				      .kw = g->kernel[1],
				      .stride = { g->stride[0], g->stride[1] },
				      .dilation = { g->dilation[0], g->dilation[1] },
				      .before = { line ? 0 : g->pad[0], g->pad[1] },
				      .after = { line ? 0 : g->pad[2], g->pad[3] },
				      .groups = g->groups,
				      .act = (int32_t)cuda_fused_act(b, node).act,
				      .math = b->math };
}

struct cuda_val *cuda_build_conv(struct cuda_build *b, int node)
{
	struct product *s = ARENA_NEW(b->a, struct product);
	struct geometry g = geometry_of(b, node);
	struct cuda_val *in = cuda_plain_input(b, node, 0);
	struct cuda_dims y = cuda_dims_of(b, cuda_out_shape(b, node));
	struct cuda_layout l = { y.c, in->dims.c / g.groups, g.kernel[0], g.kernel[1], y.pitch, in->dims.pitch };
	bool grouped = g.groups > 1;

	if (grouped) {
		l.k_pitch = l.k;
		l.c_pitch = l.c;
	}
	*s = (struct product){ .act = cuda_fused_act(b, node),
			       .w = cuda_param_of(b, node, 0),
			       .bias = g.bias ? cuda_param_of(b, node, 1) : NULL,
			       .data = grouped ? CUDA_OP_GROUPED_DATA : CUDA_OP_CONV_DATA,
			       .weight = grouped ? CUDA_OP_GROUPED_WEIGHT : CUDA_OP_CONV_WEIGHT,
			       .grad_elem = grouped ? CUDA_F32 : b->elem };
	s->op.kind = grouped ? CUDA_OP_GROUPED : CUDA_OP_CONV;
	s->op.u.conv = conv_of(b, node, &g, &in->dims, &y);
	cuda_param_settle(b->params, s->w, l);
	return build_product(b, node, s, in, &y);
}

/* ---- dense ---------------------------------------------------------------------------------------------- */

/* A flattened image is taken as it lies, and the weights follow it; if they are shared and follow another form already,
 * it takes that. */
struct cuda_val *cuda_build_dense(struct cuda_build *b, int node)
{
	const struct dense *cfg = b->g->nodes[node].cfg;
	struct product *s = ARENA_NEW(b->a, struct product);
	struct cuda_val *in = cuda_input(b, node, 0);
	struct cuda_dims y = cuda_dims_of(b, cuda_out_shape(b, node)), *x = &in->dims, form;
	const struct cuda_layout *l;

	*s = (struct product){ .act = cuda_fused_act(b, node),
			       .w = cuda_param_of(b, node, 0),
			       .bias = cfg->bias ? cuda_param_of(b, node, 1) : NULL,
			       .data = CUDA_OP_DENSE_DATA,
			       .weight = CUDA_OP_DENSE_WEIGHT,
			       .grad_elem = CUDA_F32 };
	cuda_param_settle(b->params, s->w, (struct cuda_layout){ y.c, x->c, x->h, x->w, y.pitch, x->pitch });
	l = &s->w->layout;
	form = (struct cuda_dims){ b->batch, (int32_t)l->h, (int32_t)l->w, (int32_t)l->c, (int32_t)l->c_pitch };
	in = cuda_with_form(b, in, &form);
	s->op.kind = CUDA_OP_DENSE;
	s->op.u.dense = (struct cuda_op_dense){ .x = in->dims, .y = y, .act = (int32_t)s->act.act, .math = b->math };
	return build_product(b, node, s, in, &y);
}
