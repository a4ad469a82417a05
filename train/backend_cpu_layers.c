/* train/backend_cpu_layers.c - the other layer kinds on the cpu backend, and the table of all. */
#include <string.h>

#include "arch/kinds.h"
#include "base/mem.h"
#include "train/backend.h"
#include "train/backend_cpu_build.h"

/* ---- activations ---------------------------------------------------------------------------------------- */

/* The activations that oneDNN computes as the oracle does, also right after a convolution. */
static struct cpu_act act_of(const struct graph *g, int node)
{
	const struct node *n = g->nodes + node;

	switch (n->kind) {
	case LAYER_relu:
		return (struct cpu_act){ DN_RELU, 0, true };
	case LAYER_leaky_relu:
		return (struct cpu_act){ DN_RELU, (float)((const struct leaky_relu *)n->cfg)->slope, true };
	case LAYER_elu:
		return (struct cpu_act){ DN_ELU, (float)((const struct elu *)n->cfg)->alpha, true };
	case LAYER_tanh:
		return (struct cpu_act){ DN_TANH, 0, true };
	case LAYER_sigmoid:
		return (struct cpu_act){ DN_LOGISTIC, 0, true };
	case LAYER_silu:
		return (struct cpu_act){ DN_SWISH, 1, false };
	case LAYER_gelu:
		return (struct cpu_act){ ((const struct gelu *)n->cfg)->approximate ? DN_GELU_TANH : DN_GELU_ERF, 0,
					 false };
	default:
		return (struct cpu_act){ DN_ACT_NONE, 0, false };
	}
}

static bool is_product(enum layer_kind k)
{
	return k == LAYER_conv2d || k == LAYER_conv1d || k == LAYER_depthwise2d || k == LAYER_dense;
}

bool cpu_fuses(const struct graph *g, int first, int last, int next, bool training)
{
	enum layer_kind kind = g->nodes[first].kind;
	struct cpu_act act = act_of(g, next);

	if (last != first || act.act == DN_ACT_NONE)
		return false;
	if (is_product(kind))
		return act.from_dst || !training;
	return (kind == LAYER_batchnorm || kind == LAYER_add) && g->nodes[next].kind == LAYER_relu;
}

/* The activation that is computed together with a node: DN_ACT_NONE if there is none. */
struct cpu_act cpu_fused_act(const struct cpu_build *b, int node)
{
	int next = b->plan->next[node];

	return next < 0 ? (struct cpu_act){ DN_ACT_NONE, 0, false } : act_of(b->g, next);
}

/* d with respect to the input of an activation from its result `y`, into `to`. */
static void act_back(struct cpu_build *b, struct cpu_act act, const struct dn_md *md, int to, int d, int data)
{
	struct cpu_op *op;

	if (act.act == DN_RELU) {
		op = program_kernel(b->p, k_relu_back);
		op->count = cpu_floats(md);
		op->a = act.alpha;
		program_use(b->p, op, to);
		program_use(b->p, op, d);
		program_use(b->p, op, data);
		return;
	}
	op = program_prim(b->p, dn_act_backward(b->dn, act.act, act.alpha, md, act.from_dst,
						dn_act_forward(b->dn, act.act, act.alpha, md, act.from_dst)));
	if (!op)
		return;
	program_arg(b->p, op, DN_DIFF_SRC, md, to);
	program_arg(b->p, op, DN_DIFF_DST, md, d);
	program_arg(b->p, op, act.from_dst ? DN_DST : DN_SRC, md, data);
}

void cpu_undo_fused(struct cpu_build *b, struct cpu_act act, struct cpu_val *out)
{
	int to;

	if (act.act == DN_ACT_NONE || out->undone)
		return;
	to = cpu_reuse_grad(b, out);
	act_back(b, act, out->md, to, out->grad, out->buf);
	if (to != out->grad)
		cpu_set_grad(b, out, to);
}

/* Where an elementwise result goes: over its input if nobody else needs that. */
static struct cpu_val *elementwise_out(struct cpu_build *b, struct cpu_val *in, bool reads_in)
{
	if (cpu_may_overwrite(in) && !(reads_in && b->training))
		return cpu_val_at(b, in->md, in->buf, in->wants);
	return cpu_val_new(b, in->md, in->wants);
}

static void back_act(struct cpu_build *b, struct cpu_tape *t)
{
	struct cpu_act act = act_of(b->g, t->node);
	int to = cpu_reuse_grad(b, t->out);

	act_back(b, act, t->out->md, to, t->out->grad, act.from_dst ? t->out->buf : t->in[0]->buf);
	cpu_give(b, t->in[0], to);
}

static struct cpu_val *build_act(struct cpu_build *b, int node)
{
	struct cpu_act act = act_of(b->g, node);
	struct cpu_val *in = cpu_input(b, node, 0), *out = elementwise_out(b, in, !act.from_dst);
	struct cpu_op *op;

	if (act.act == DN_RELU) {
		op = program_kernel(b->p, k_relu);
		op->count = cpu_floats(in->md);
		op->a = act.alpha;
		program_use(b->p, op, out->buf);
		program_use(b->p, op, in->buf);
	} else {
		op = program_prim(b->p, dn_act_forward(b->dn, act.act, act.alpha, in->md, act.from_dst));
		if (!op)
			return NULL;
		program_arg(b->p, op, DN_SRC, in->md, in->buf);
		program_arg(b->p, op, DN_DST, in->md, out->buf);
	}
	if (act.from_dst)
		out->kept = b->training;
	else
		in->kept |= b->training;
	cpu_tape_add(b, back_act, out, 1, &in, NULL);
	return out;
}

struct own_act { /* kernels of our own */
	cpu_kernel *forward, *backward;
	bool from_dst;
};

static void back_own_act(struct cpu_build *b, struct cpu_tape *t)
{
	const struct own_act *act = t->saved;
	struct cpu_op *op;
	int to = cpu_reuse_grad(b, t->out);

	op = program_kernel(b->p, act->backward);
	op->count = cpu_floats(t->out->md);
	program_use(b->p, op, to);
	program_use(b->p, op, t->out->grad);
	program_use(b->p, op, act->from_dst ? t->out->buf : t->in[0]->buf);
	cpu_give(b, t->in[0], to);
}

static struct cpu_val *build_own_act(struct cpu_build *b, int node)
{
	static struct own_act relu6 = { k_relu6, k_relu6_back, true };
	static struct own_act hard_swish = { k_hard_swish, k_hard_swish_back, false };
	struct own_act *act = b->g->nodes[node].kind == LAYER_relu6 ? &relu6 : &hard_swish;
	struct cpu_val *in = cpu_input(b, node, 0), *out = elementwise_out(b, in, !act->from_dst);
	struct cpu_op *op = program_kernel(b->p, act->forward);

	op->count = cpu_floats(in->md);
	program_use(b->p, op, out->buf);
	program_use(b->p, op, in->buf);
	if (act->from_dst)
		out->kept = b->training;
	else
		in->kept |= b->training;
	cpu_tape_add(b, back_own_act, out, 1, &in, act);
	return out;
}

/* ---- pooling -------------------------------------------------------------------------------------------- */

struct pool_saved {
	bool undoes; /* the relu before it */
	struct dn_pool c;
	struct dn_prim *forward;
	const struct dn_md *workspace;
	int space;
	int64_t n[CPU_NUMBERS]; /* of our own kernel */
};

static void back_pool(struct cpu_build *b, struct cpu_tape *t)
{
	const struct pool_saved *s = t->saved;
	struct dn_pool c = s->c;
	struct cpu_op *op;
	int to = cpu_grad_buf(b, t->in[0]);

	if (s->undoes) {
		cpu_undo_fused(b, (struct cpu_act){ DN_RELU, 0, true }, t->out);
		t->in[0]->undone = true;
	}
	c.dst = t->out->md;
	op = program_prim(b->p, dn_pool_backward(b->dn, &c, s->forward));
	if (!op)
		return;
	program_arg(b->p, op, DN_DIFF_DST, t->out->md, t->out->grad);
	program_arg(b->p, op, DN_DIFF_SRC, t->in[0]->md, to);
	if (s->workspace)
		program_arg(b->p, op, DN_WORKSPACE, s->workspace, s->space);
	cpu_give(b, t->in[0], to);
}

/* The gradient of a maximum over relu's results goes to positions whose value is the maximum: it is zero where that is,
 * so relu can be undone after the pooling, on a fraction of the elements. */
static struct cpu_val *pool_with(struct cpu_build *b, struct pool_saved *s, struct cpu_val *in)
{
	struct cpu_val *out;
	struct cpu_op *op;

	s->forward = dn_pool_forward(b->dn, &s->c);
	out = cpu_val_new(b, dn_prim_md(b->dn, s->forward, DN_DST), in->wants);
	if (!out)
		return NULL;
	op = program_prim(b->p, s->forward);
	program_arg(b->p, op, DN_SRC, in->md, in->buf);
	program_arg(b->p, op, DN_DST, out->md, out->buf);
	s->workspace = b->training ? dn_prim_md(b->dn, s->forward, DN_WORKSPACE) : NULL;
	if (s->workspace) {
		s->space = program_buf(b->p, (int64_t)dn_bytes(s->workspace));
		program_arg(b->p, op, DN_WORKSPACE, s->workspace, s->space);
	}
	s->undoes = b->training && s->c.kind == DN_POOL_MAX && in->relu && in->readers == 1;
	out->kept = s->undoes;
	cpu_tape_add(b, back_pool, out, 1, &in, s);
	return out;
}

static void back_avg(struct cpu_build *b, struct cpu_tape *t)
{
	const struct pool_saved *s = t->saved;
	struct cpu_op *op = program_kernel(b->p, k_avg_back);
	int to = cpu_grad_buf(b, t->in[0]);

	memcpy(op->n, s->n, sizeof s->n);
	program_use(b->p, op, to);
	program_use(b->p, op, t->out->grad);
	cpu_give(b, t->in[0], to);
}

static struct cpu_val *own_avg(struct cpu_build *b, int node, struct pool_saved *s, const int side[4])
{
	struct cpu_val *in = cpu_plain_input(b, node, 0),
		       *out = cpu_val_new(b, cpu_plain_of(b, cpu_out_shape(b, node)), in->wants);
	const int64_t *i = dn_dims(in->md), *o = dn_dims(out->md);
	const int64_t n[] = { i[0] * i[1],    i[2],           i[3],    o[2],    o[3],    s->c.size[0], s->c.size[1],
			      s->c.stride[0], s->c.stride[1], side[0], side[1], side[2], side[3] };
	struct cpu_op *op = program_kernel(b->p, k_avg);

	memcpy(s->n, n, sizeof n);
	memcpy(op->n, n, sizeof n);
	program_use(b->p, op, out->buf);
	program_use(b->p, op, in->buf);
	cpu_tape_add(b, back_avg, out, 1, &in, s);
	return out;
}

static struct cpu_val *build_pool(struct cpu_build *b, int node)
{
	const struct node *n = b->g->nodes + node;
	struct pool2d cfg = pool_as_2d(n->kind, n->cfg);
	struct pool_saved *s = ARENA_NEW(b->a, struct pool_saved);
	bool max = n->kind == LAYER_maxpool2d || n->kind == LAYER_maxpool1d, beyond = false;
	struct cpu_val *in = cpu_shaped_input(b, node, 0);
	int64_t dst[DN_RANK_MAX];

	if (!in)
		return NULL;
	cpu_dims(b, cpu_out_shape(b, node), dst);
	s->c = (struct dn_pool){ .kind = max             ? DN_POOL_MAX
					 : cfg.count_pad ? DN_POOL_AVG_ALL
							 : DN_POOL_AVG_VALID,
				 .src = in->md,
				 .dst = dn_any(b->dn, 4, dst),
				 .training = b->training };
	for (int i = 0; i < 2; i++) {
		s->c.size[i] = cfg.size.v[i];
		s->c.stride[i] = cfg.stride.v[i];
		s->c.before[i] = cfg.padding.side[i];
		s->c.after[i] =
		    (dst[2 + i] - 1) * cfg.stride.v[i] + cfg.size.v[i] - dn_dims(in->md)[2 + i] - cfg.padding.side[i];
		beyond |= s->c.after[i] > cfg.padding.side[i + 2];
	}
	if (!max && cfg.count_pad && beyond)
		return own_avg(b, node, s, cfg.padding.side);
	return pool_with(b, s, in);
}

static struct cpu_val *build_global_avg(struct cpu_build *b, int node)
{
	struct pool_saved *s = ARENA_NEW(b->a, struct pool_saved);
	struct cpu_val *in = cpu_shaped_input(b, node, 0);
	int64_t dst[4];

	if (!in)
		return NULL;
	memcpy(dst, dn_dims(in->md), sizeof dst);
	s->c = (struct dn_pool){ .kind = DN_POOL_AVG_VALID, .src = in->md, .training = b->training };
	for (int i = 0; i < 2; i++) {
		s->c.size[i] = s->c.stride[i] = dst[2 + i];
		dst[2 + i] = 1;
	}
	s->c.dst = dn_any(b->dn, 4, dst);
	return pool_with(b, s, in);
}

/* ---- kernels over planes: one plain input, one plain output --------------------------------------------- */

struct plane_saved {
	cpu_kernel *backward;
	bool reads_in, reads_out;
	int64_t n[CPU_NUMBERS];
	float a;
};

static void back_plane(struct cpu_build *b, struct cpu_tape *t)
{
	const struct plane_saved *s = t->saved;
	struct cpu_op *op = program_kernel(b->p, s->backward);
	int to = cpu_grad_buf(b, t->in[0]);

	memcpy(op->n, s->n, sizeof s->n);
	op->a = s->a;
	program_use(b->p, op, to);
	program_use(b->p, op, t->out->grad);
	if (s->reads_in)
		program_use(b->p, op, t->in[0]->buf);
	if (s->reads_out)
		program_use(b->p, op, t->out->buf);
	cpu_give(b, t->in[0], to);
}

static struct cpu_val *plane_kernel(struct cpu_build *b, int node, struct cpu_val *in, cpu_kernel *run,
				    const struct plane_saved *saved)
{
	struct cpu_val *out = cpu_val_new(b, cpu_plain_of(b, cpu_out_shape(b, node)), in->wants);
	struct plane_saved *s = ARENA_NEW(b->a, struct plane_saved);
	struct cpu_op *op = program_kernel(b->p, run);

	*s = *saved;
	memcpy(op->n, s->n, sizeof s->n);
	op->a = s->a;
	program_use(b->p, op, out->buf);
	program_use(b->p, op, in->buf);
	in->kept |= s->reads_in && b->training;
	out->kept = s->reads_out && b->training;
	cpu_tape_add(b, back_plane, out, 1, &in, s);
	return out;
}

static struct cpu_val *build_global_max(struct cpu_build *b, int node)
{
	const struct shape *s = cpu_in_shape(b, node, 0);
	struct cpu_val *in = cpu_plain_input(b, node, 0);
	struct plane_saved saved = { .backward = k_global_max_back,
				     .reads_in = true,
				     .n = { (int64_t)b->batch * s->d[0], shape_count(s) / s->d[0] } };

	return in ? plane_kernel(b, node, in, k_global_max, &saved) : NULL;
}

static struct cpu_val *build_softmax(struct cpu_build *b, int node)
{
	const struct shape *s = cpu_in_shape(b, node, 0);
	int64_t inner = shape_count(s) / s->d[0];
	struct cpu_val *in = cpu_plain_input(b, node, 0);
	struct plane_saved saved = { .backward = k_softmax_back,
				     .reads_out = true,
				     .n = { b->batch * inner, s->d[0], inner } };

	return in ? plane_kernel(b, node, in, k_softmax, &saved) : NULL;
}

static struct cpu_val *build_zeropad(struct cpu_build *b, int node)
{
	const struct zeropad2d *cfg = b->g->nodes[node].cfg;
	const struct shape *i = cpu_in_shape(b, node, 0), *o = cpu_out_shape(b, node);
	struct cpu_val *in = cpu_plain_input(b, node, 0);
	struct plane_saved saved = { .backward = k_pad_back,
				     .n = { (int64_t)b->batch * i->d[0], i->d[1], i->d[2], o->d[1], o->d[2], 0, 0, 0, 0,
					    cfg->padding.side[0], cfg->padding.side[1] } };

	return in ? plane_kernel(b, node, in, k_pad, &saved) : NULL;
}

static struct cpu_val *build_upsample(struct cpu_build *b, int node)
{
	const struct upsample2d *cfg = b->g->nodes[node].cfg;
	const struct shape *i = cpu_in_shape(b, node, 0), *o = cpu_out_shape(b, node);
	struct cpu_val *in = cpu_plain_input(b, node, 0);
	struct plane_saved saved = { .backward = k_upsample_back,
				     .n = { (int64_t)b->batch * i->d[0], i->d[1], i->d[2], o->d[1], o->d[2],
					    cfg->factor.v[0], cfg->factor.v[1] },
				     .a = cfg->mode ? 1 : 0 };

	return in ? plane_kernel(b, node, in, k_upsample, &saved) : NULL;
}

/* ---- dropout -------------------------------------------------------------------------------------------- */

static void back_dropout(struct cpu_build *b, struct cpu_tape *t)
{
	double rate = ((const struct dropout *)b->g->nodes[t->node].cfg)->rate;
	struct cpu_op *op;
	int to = cpu_reuse_grad(b, t->out);

	op = program_kernel(b->p, k_dropout_back);
	op->count = cpu_floats(t->out->md);
	op->a = (float)(1 / (1 - rate));
	program_use(b->p, op, to);
	program_use(b->p, op, t->out->grad);
	program_use(b->p, op, *(int *)t->saved);
	cpu_give(b, t->in[0], to);
}

static struct cpu_val *build_same(struct cpu_build *b, int node)
{
	struct cpu_val *in = cpu_input(b, node, 0);

	return cpu_same_memory(b, in, in->md, b->plan->readers[node]);
}

static struct cpu_val *build_dropout(struct cpu_build *b, int node)
{
	const struct node *n = b->g->nodes + node;
	double rate = ((const struct dropout *)n->cfg)->rate;
	struct cpu_val *in = cpu_input(b, node, 0), *out;
	int *keep = ARENA_NEW(b->a, int);
	struct cpu_op *op;

	if (!b->training || !b->dropout || rate == 0)
		return build_same(b, node);
	if (dn_block(in->md) == 0)
		in = cpu_with_layout(b, in, cpu_plain_like(b, in->md));
	if (!in)
		return NULL;
	out = elementwise_out(b, in, false);
	*keep = program_buf(b->p, cpu_floats(in->md));
	op = program_kernel(b->p, k_dropout);
	op->rate = rate;
	op->a = (float)(1 / (1 - rate));
	op->key = dropout_key(b->seed, n);
	op->n[0] = b->batch;
	op->n[1] = shape_count(cpu_in_shape(b, node, 0));
	op->n[2] = dn_block(in->md);
	op->n[3] = op->n[1] / dn_dims(in->md)[1];
	op->n[4] = cpu_floats(in->md) / b->batch;
	program_use(b->p, op, out->buf);
	program_use(b->p, op, in->buf);
	program_use(b->p, op, *keep);
	cpu_tape_add(b, back_dropout, out, 1, &in, keep);
	return out;
}

/* ---- merging -------------------------------------------------------------------------------------------- */

/* All inputs of a node in one common layout, into in[]: the first one's if the dimensions agree, else plain. */
static int common_inputs(struct cpu_build *b, int node, struct cpu_val **in, bool plain)
{
	int n = b->g->nodes[node].n_in;

	for (int k = 0; k < n; k++) {
		in[k] = cpu_input(b, node, k);
		plain |= dn_rank(in[k]->md) != dn_rank(in[0]->md) ||
			 !cpu_has_dims(in[k]->md, dn_rank(in[0]->md), dn_dims(in[0]->md));
	}
	for (int k = 0; k < n; k++) {
		in[k] = plain ? cpu_plain_input(b, node, k) : cpu_with_layout(b, in[k], in[0]->md);
		if (!in[k])
			return -1;
	}
	return n;
}

static void back_add(struct cpu_build *b, struct cpu_tape *t)
{
	cpu_undo_fused(b, *(const struct cpu_act *)t->saved, t->out);
	for (int k = 0; k < t->n_in; k++)
		cpu_give(b, t->in[k], t->out->grad);
}

static struct cpu_val *build_add(struct cpu_build *b, int node)
{
	struct cpu_val *in[LAYER_INPUTS], *out;
	struct cpu_act *act = ARENA_NEW(b->a, struct cpu_act);
	int n = common_inputs(b, node, in, false);
	struct cpu_op *op;

	if (n < 0)
		return NULL;
	*act = cpu_fused_act(b, node);
	out = cpu_val_new(b, in[0]->md, b->plan->flows[node]);
	op = program_kernel(b->p, act->act == DN_RELU ? k_sum_relu : k_sum);
	op->count = cpu_floats(out->md);
	program_use(b->p, op, out->buf);
	for (int k = 0; k < n; k++)
		program_use(b->p, op, in[k]->buf);
	out->kept = b->training && act->act != DN_ACT_NONE;
	out->relu = act->act == DN_RELU && act->alpha == 0;
	cpu_tape_add(b, back_add, out, n, in, act);
	return out;
}

static void back_multiply(struct cpu_build *b, struct cpu_tape *t)
{
	for (int k = 0; k < t->n_in; k++) {
		struct cpu_op *op;
		int to;

		if (!t->in[k]->wants)
			continue;
		to = cpu_grad_buf(b, t->in[k]);
		op = program_kernel(b->p, k_product);
		op->count = cpu_floats(t->out->md);
		program_use(b->p, op, to);
		program_use(b->p, op, t->out->grad);
		for (int i = 0; i < t->n_in; i++)
			if (i != k)
				program_use(b->p, op, t->in[i]->buf);
		cpu_give(b, t->in[k], to);
	}
}

static struct cpu_val *build_multiply(struct cpu_build *b, int node)
{
	struct cpu_val *in[LAYER_INPUTS], *out;
	int n = common_inputs(b, node, in, false);
	struct cpu_op *op;

	if (n < 0)
		return NULL;
	out = cpu_val_new(b, in[0]->md, b->plan->flows[node]);
	op = program_kernel(b->p, k_product);
	op->count = cpu_floats(out->md);
	program_use(b->p, op, out->buf);
	for (int k = 0; k < n; k++) {
		program_use(b->p, op, in[k]->buf);
		in[k]->kept |= b->training;
	}
	cpu_tape_add(b, back_multiply, out, n, in, NULL);
	return out;
}

/* One part of a concatenation: channels lie one after the other, in plain tensors and in whole blocks alike. */
static void copy_part(struct cpu_build *b, int to, int64_t to_size, int64_t to_first, int from, int64_t from_size,
		      int64_t from_first, int64_t count)
{
	struct cpu_op *op = program_kernel(b->p, k_copy_part);
	const int64_t n[] = { b->batch, to_size, to_first, from_size, from_first, count };

	memcpy(op->n, n, sizeof n);
	program_use(b->p, op, to);
	program_use(b->p, op, from);
}

static void back_concat(struct cpu_build *b, struct cpu_tape *t)
{
	int64_t size = cpu_floats(t->out->md) / b->batch, at = 0;

	for (int k = 0; k < t->n_in; k++) {
		int64_t count = cpu_floats(t->in[k]->md) / b->batch;
		int to;

		if (t->in[k]->wants) {
			to = cpu_grad_buf(b, t->in[k]);
			copy_part(b, to, count, 0, t->out->grad, size, at, count);
			cpu_give(b, t->in[k], to);
		}
		at += count;
	}
}

/* The block of channels that all inputs have in common and fill completely, or 1. */
static int common_block(struct cpu_build *b, int node)
{
	int block = 0;

	for (int k = 0; k < b->g->nodes[node].n_in; k++) {
		const struct dn_md *md = cpu_input(b, node, k)->md;
		int64_t dims[DN_RANK_MAX];
		int rank = cpu_dims(b, cpu_in_shape(b, node, k), dims), own = dn_block(md);

		if (!cpu_has_dims(md, rank, dims) || own <= 1 || dims[1] % own || (block && own != block))
			return 1;
		block = own;
	}
	return block;
}

static struct cpu_val *build_concat(struct cpu_build *b, int node)
{
	int n = b->g->nodes[node].n_in, block = common_block(b, node);
	struct cpu_val *in[LAYER_INPUTS], *out;
	int64_t dims[DN_RANK_MAX], at = 0;
	int rank = cpu_dims(b, cpu_out_shape(b, node), dims);

	for (int k = 0; k < n; k++) {
		in[k] = block > 1 ? cpu_input(b, node, k) : cpu_plain_input(b, node, k);
		if (!in[k])
			return NULL;
	}
	out = cpu_val_new(b, block > 1 ? dn_blocked(b->dn, dims, block) : dn_plain(b->dn, rank, dims),
			  b->plan->flows[node]);
	if (!out)
		return NULL;
	for (int k = 0; k < n; k++) {
		int64_t count = cpu_floats(in[k]->md) / b->batch;

		copy_part(b, out->buf, cpu_floats(out->md) / b->batch, at, in[k]->buf, count, 0, count);
		at += count;
	}
	cpu_tape_add(b, back_concat, out, n, in, NULL);
	return out;
}

static struct cpu_val *build_zero(struct cpu_build *b, int node)
{
	struct cpu_val *out = cpu_val_new(b, cpu_plain_of(b, cpu_out_shape(b, node)), false);
	struct cpu_op *op;

	if (!out)
		return NULL;
	op = program_kernel(b->p, k_zero);
	op->count = cpu_floats(out->md);
	program_use(b->p, op, out->buf);
	return out;
}

/* ---- all kinds ------------------------------------------------------------------------------------------ */

cpu_builder *const cpu_builders[LAYER_KIND_COUNT] = {
	[LAYER_conv1d] = cpu_build_conv,
	[LAYER_conv2d] = cpu_build_conv,
	[LAYER_depthwise2d] = cpu_build_conv,
	[LAYER_dense] = cpu_build_dense,
	[LAYER_maxpool1d] = build_pool,
	[LAYER_maxpool2d] = build_pool,
	[LAYER_avgpool1d] = build_pool,
	[LAYER_avgpool2d] = build_pool,
	[LAYER_globalavgpool] = build_global_avg,
	[LAYER_globalmaxpool] = build_global_max,
	[LAYER_batchnorm] = cpu_build_batchnorm,
	[LAYER_layernorm] = cpu_build_layernorm,
	[LAYER_groupnorm] = cpu_build_groupnorm,
	[LAYER_dropout] = build_dropout,
	[LAYER_relu] = build_act,
	[LAYER_relu6] = build_own_act,
	[LAYER_leaky_relu] = build_act,
	[LAYER_elu] = build_act,
	[LAYER_gelu] = build_act,
	[LAYER_silu] = build_act,
	[LAYER_hard_swish] = build_own_act,
	[LAYER_tanh] = build_act,
	[LAYER_sigmoid] = build_act,
	[LAYER_softmax] = build_softmax,
	[LAYER_flatten] = build_same,
	[LAYER_reshape] = build_same,
	[LAYER_add] = build_add,
	[LAYER_concat] = build_concat,
	[LAYER_multiply] = build_multiply,
	[LAYER_zeropad2d] = build_zeropad,
	[LAYER_upsample2d] = build_upsample,
	[LAYER_identity] = build_same,
	[LAYER_zero] = build_zero,
	/* embedding, rnn, gru, lstm, choice: cpu_supports_node() refuses them */
};

int cpu_supports_node(const struct graph *g, int node, struct err *e)
{
	const struct node *n = g->nodes + node;

	if (!cpu_builders[n->kind] || graph_shape(g, n->in[0])->type == TENSOR_TOKENS)
		return ERR(e, ERR_INVALID, n->id, "the cpu backend cannot run %s layers: use the ref backend",
			   layer_classes[n->kind]->name);
	for (int k = 0; k < n->n_in; k++)
		if (graph_shape(g, n->in[k])->open)
			return ERR(e, ERR_INVALID, n->id,
				   "the cpu backend needs sequences of a fixed length: use the ref backend");
	return 0;
}
