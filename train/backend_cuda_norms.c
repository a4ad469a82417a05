/* train/backend_cuda_norms.c - normalisations on the cuda backend, and the addition, which takes a batch norm before it
 * and an activation and a pool after it into itself: y = pool(act(norm(x) + residual)) in one operation. */
#include "arch/kinds.h"
#include "base/mem.h"
#include "train/backend_cuda_build.h"

struct norm_saved {
	struct cuda_op_norm op;
	struct cuda_param *scale, *shift; /* NULL: not affine */
	int mean, variance;               /* parameters of batch norm: which ones, in b->params */
	int saved;                        /* buffer: mean and 1 / deviation */
	struct cuda_pool *pool;           /* or NULL */
	int node;                         /* whose parameters */
};

/* ---- batch norm ----------------------------------------------------------------------------------------- */

static void use_affine(struct cuda_build *b, const struct norm_saved *s)
{
	if (!s->scale)
		return;
	cuda_use(b->p, 2, cuda_master(b, s->scale));
	cuda_use(b->p, 3, cuda_master(b, s->shift));
}

/* Statistics: the running ones, or those that the forward kept. */
static void use_statistics(struct cuda_build *b, const struct norm_saved *s, bool forward)
{
	if (forward || !s->op.training) {
		cuda_use(b->p, 4, cuda_master(b, b->params->param + s->mean));
		cuda_use(b->p, 5, cuda_master(b, b->params->param + s->variance));
	}
	cuda_use(b->p, 6, s->saved);
}

/* in[0]: what is normalised; in[1]: the residual, if there is one. */
static void back_batchnorm(struct cuda_build *b, struct cuda_tape *t)
{
	const struct norm_saved *s = t->saved;
	struct cuda_val *in = t->in[0], *rest = t->n_in > 1 ? t->in[1] : NULL, *out = t->out[0];
	bool trains = s->scale && cuda_trains(b, s->node), act = s->op.act != CUDA_ACT_NONE;
	bool passes = rest && rest->wants, alters = act || s->pool;
	int dx = in->wants ? cuda_grad_buf(b, in) : -1;
	int drest = passes && alters ? cuda_grad_buf(b, rest) : -1;
	int dscale = trains ? cuda_param_out(b, s->scale, CUDA_F32) : -1;
	int dshift = trains ? cuda_param_out(b, s->shift, CUDA_F32) : -1;

	cuda_add(b->p, CUDA_OP_BATCHNORM_BACK)->u.norm = s->op;
	cuda_use(b->p, 0, in->buf);
	cuda_use(b->p, 1, out->grad);
	use_affine(b, s);
	use_statistics(b, s, false);
	cuda_use(b->p, 7, cuda_lengths(b, in));
	cuda_use(b->p, 8, rest && act ? rest->buf : -1);
	cuda_use(b->p, 9, s->pool ? s->pool->places : -1);
	cuda_use(b->p, 10, dx);
	cuda_use(b->p, 11, dscale);
	cuda_use(b->p, 12, dshift);
	cuda_use(b->p, 13, drest);
	for (int i = 0; i < out->n_more; i++)
		cuda_use(b->p, 14 + i, out->more[i]);
	if (trains) {
		cuda_param_done(b, s->scale);
		cuda_param_done(b, s->shift);
	}
	if (dx >= 0)
		cuda_give(b, in, dx);
	if (passes)
		cuda_give(b, rest, alters ? drest : out->grad);
	for (int i = 0; passes && !alters && i < out->n_more; i++)
		cuda_give(b, rest, out->more[i]);
}

static struct norm_saved *batchnorm_saved(struct cuda_build *b, int node, const struct cuda_dims *x,
					  struct cuda_activation act)
{
	const struct batchnorm *cfg = b->g->nodes[node].cfg;
	struct norm_saved *s = ARENA_NEW(b->a, struct norm_saved);
	bool measures = b->training && !plan_is_frozen(b->g, node);
	int at = cfg->affine ? 2 : 0;

	*s = (struct norm_saved){ .op = { .x = *x,
					  .training = measures,
					  .act = (int32_t)act.act,
					  .a = act.a,
					  .eps = cfg->eps,
					  .momentum = cfg->momentum },
				  .mean = (int)(cuda_param_of(b, node, at) - b->params->param),
				  .saved = -1,
				  .node = node };
	s->variance = s->mean + 1;
	if (cfg->affine) {
		s->scale = cuda_param_of(b, node, 0);
		s->shift = cuda_param_of(b, node, 1);
	}
	for (int k = 0; k < at + 2; k++)
		cuda_settle_vector(b, cuda_param_of(b, node, k));
	if (measures)
		s->saved = cuda_buffer(b->p, CUDA_F32, 2L * x->pitch * (int64_t)sizeof(float));
	return s;
}

/* The batch norm of a node, with what follows in the group that begins with `lead`: the norm itself, or the addition
 * that adds `rest` to it. */
static struct cuda_val *batchnorm(struct cuda_build *b, int node, int lead, struct cuda_val *rest)
{
	struct cuda_val *in[2] = { cuda_plain_input(b, node, 0), rest }, *out;
	struct cuda_activation act = cuda_fused_act(b, lead);
	struct norm_saved *s = batchnorm_saved(b, node, &in[0]->dims, act);
	struct cuda_tape *t;
	int tail = plan_tail(b->plan, lead);
	bool wants = b->plan->flows[tail];

	s->pool = cuda_pools(b->g->nodes[tail].kind) ? cuda_pool_of(b, tail) : NULL;
	if (s->pool) {
		cuda_pool_keep(b, s->pool, wants);
		s->op.pooled = (int32_t)s->pool->how;
		s->op.pool = s->pool->op;
	}
	out = cuda_val_new(b, s->pool ? &s->pool->op.y : &in[0]->dims, wants);
	cuda_add(b->p, CUDA_OP_BATCHNORM)->u.norm = s->op;
	cuda_use(b->p, 0, in[0]->buf);
	cuda_use(b->p, 1, out->buf);
	use_affine(b, s);
	use_statistics(b, s, true);
	cuda_use(b->p, 7, cuda_lengths(b, in[0]));
	cuda_use(b->p, 8, rest ? rest->buf : -1);
	cuda_use(b->p, 9, s->pool ? s->pool->places : -1);
	in[0]->kept |= b->training;
	if (rest)
		rest->kept |= b->training && act.act != CUDA_ACT_NONE;
	out->open = in[0]->open && s->op.pooled != CUDA_POOLED_WHOLE;
	t = cuda_tape_add(b, back_batchnorm, out, rest ? 2 : 1, in, s);
	if (t && !s->pool)
		t->terms = CUDA_TERMS;
	return out;
}

struct cuda_val *cuda_build_batchnorm(struct cuda_build *b, int node)
{
	return batchnorm(b, node, node, NULL);
}

/* ---- addition ------------------------------------------------------------------------------------------- */

static int count_readers(const struct graph *g, int node, int most)
{
	int n = g->outputs[0].from.node == node;

	for (int i = node + 1; i < g->n_nodes && n <= most; i++)
		for (int k = 0; k < g->nodes[i].n_in; k++)
			n += g->nodes[i].in[k].node == node;
	return n;
}

/* The later of two: the one before it, on the way past, is the residual as a rule. */
int cuda_absorbs(const struct graph *g, int add)
{
	const struct node *n = g->nodes + add;
	int best = -1;

	if (n->kind != LAYER_add || n->n_in != 2)
		return -1;
	for (int k = 0; k < 2; k++) {
		int from = n->in[k].node;

		if (from < 0 || g->nodes[from].kind != LAYER_batchnorm || count_readers(g, from, 1) != 1)
			continue;
		if (best < 0 || from > n->in[best].node)
			best = k;
	}
	return best;
}

static void back_add(struct cuda_build *b, struct cuda_tape *t)
{
	for (int k = 0; k < t->n_in; k++)
		cuda_give(b, t->in[k], t->out[0]->grad);
}

struct cuda_val *cuda_build_add(struct cuda_build *b, int node)
{
	const struct node *n = b->g->nodes + node;
	struct cuda_val *in[LAYER_INPUTS], *out;
	int k = cuda_absorbs(b->g, node);

	if (k >= 0)
		return batchnorm(b, n->in[k].node, node, cuda_plain_input(b, node, 1 - k));
	cuda_common_inputs(b, node, in);
	out = cuda_val_new(b, &in[0]->dims, b->plan->flows[node]);
	out->open = in[0]->open;
	cuda_sum(b, out, in, n->n_in);
	cuda_tape_add(b, back_add, out, n->n_in, in, NULL);
	return out;
}

/* ---- layer norm, group norm ----------------------------------------------------------------------------- */

static void back_groupnorm(struct cuda_build *b, struct cuda_tape *t)
{
	const struct norm_saved *s = t->saved;
	struct cuda_val *in = t->in[0], *out = t->out[0];
	bool trains = s->scale && cuda_trains(b, s->node);
	int dx = in->wants ? cuda_grad_buf(b, in) : -1;
	int dscale = trains ? cuda_param_out(b, s->scale, CUDA_F32) : -1;
	int dshift = trains ? cuda_param_out(b, s->shift, CUDA_F32) : -1;

	cuda_add(b->p, CUDA_OP_GROUPNORM_BACK)->u.norm = s->op;
	cuda_use(b->p, 0, in->buf);
	cuda_use(b->p, 1, out->grad);
	use_affine(b, s);
	cuda_use(b->p, 6, s->saved);
	cuda_use(b->p, 7, cuda_lengths(b, in));
	cuda_use(b->p, 10, dx);
	cuda_use(b->p, 11, dscale);
	cuda_use(b->p, 12, dshift);
	if (trains) {
		cuda_param_done(b, s->scale);
		cuda_param_done(b, s->shift);
	}
	if (dx >= 0)
		cuda_give(b, in, dx);
}

/* The buffer of scale and shift is one vector, or for an image's layer norm an image of them. */
static void settle_affine(struct cuda_build *b, struct cuda_param *w, const struct cuda_op_norm *op)
{
	const struct cuda_dims *x = &op->x;

	if (op->whole)
		cuda_param_settle(b->params, w, (struct cuda_layout){ 1, x->c, x->h, x->w, 1, x->pitch });
	else
		cuda_settle_vector(b, w);
}

static struct cuda_val *groupnorm(struct cuda_build *b, int node, bool affine, struct cuda_op_norm op)
{
	struct cuda_val *in = cuda_plain_input(b, node, 0), *out;
	struct norm_saved *s = ARENA_NEW(b->a, struct norm_saved);
	int64_t sets = (int64_t)op.groups * (op.steps ? in->dims.w : 1);

	op.x = in->dims;
	op.training = b->training;
	*s = (struct norm_saved){ .op = op, .node = node };
	if (affine) {
		s->scale = cuda_param_of(b, node, 0);
		s->shift = cuda_param_of(b, node, 1);
		settle_affine(b, s->scale, &op);
		settle_affine(b, s->shift, &op);
	}
	s->saved = cuda_buffer(b->p, CUDA_F32, b->batch * sets * 2 * (int64_t)sizeof(float));
	out = cuda_val_new(b, &in->dims, b->plan->flows[node]);
	out->open = in->open;
	cuda_add(b->p, CUDA_OP_GROUPNORM)->u.norm = op;
	cuda_use(b->p, 0, in->buf);
	cuda_use(b->p, 1, out->buf);
	use_affine(b, s);
	cuda_use(b->p, 6, s->saved);
	cuda_use(b->p, 7, cuda_lengths(b, in));
	in->kept |= b->training;
	cuda_tape_add(b, back_groupnorm, out, 1, &in, s);
	return out;
}

struct cuda_val *cuda_build_layernorm(struct cuda_build *b, int node)
{
	const struct layernorm *cfg = b->g->nodes[node].cfg;
	enum tensor_type type = cuda_in_shape(b, node, 0)->type;

	return groupnorm(
	    b, node, cfg->affine,
	    (struct cuda_op_norm){
		.groups = 1, .whole = type == TENSOR_IMAGE, .steps = type == TENSOR_SEQUENCE, .eps = cfg->eps });
}

struct cuda_val *cuda_build_groupnorm(struct cuda_build *b, int node)
{
	const struct groupnorm *cfg = b->g->nodes[node].cfg;

	return groupnorm(b, node, cfg->affine, (struct cuda_op_norm){ .groups = cfg->groups, .eps = cfg->eps });
}
