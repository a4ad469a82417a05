/* train/backend_cpu_norms.c - normalisations on the cpu backend: batchnorm by oneDNN, layernorm and groupnorm by a
 * kernel of our own. */
#include <string.h>

#include "arch/kinds.h"
#include "base/mem.h"
#include "train/backend_cpu_build.h"

/* ---- batch normalisation -------------------------------------------------------------------------------- */

struct norm_saved {
	struct dn_norm c;
	struct dn_prim *forward;
	const struct dn_md *vector, *workspace;
	int mean, variance, space; /* buffers */
	struct cpu_param *scale, *shift;
};

static void back_norm_args(struct cpu_build *b, const struct norm_saved *s, struct cpu_op *op, bool wanted)
{
	int dscale, dshift;

	if (!s->c.affine)
		return;
	dscale = cpu_param_out(b, s->scale, s->vector, wanted);
	dshift = cpu_param_out(b, s->shift, s->vector, wanted);
	program_arg(b->p, op, DN_SCALE, s->vector, cpu_param_buf(b, s->scale));
	program_arg(b->p, op, DN_SHIFT, s->vector, cpu_param_buf(b, s->shift));
	program_arg(b->p, op, DN_DIFF_SCALE, s->vector, dscale);
	program_arg(b->p, op, DN_DIFF_SHIFT, s->vector, dshift);
	cpu_param_done(b, s->scale, s->vector, dscale, wanted);
	cpu_param_done(b, s->shift, s->vector, dshift, wanted);
}

static void back_norm(struct cpu_build *b, struct cpu_tape *t)
{
	const struct norm_saved *s = t->saved;
	struct cpu_val *in = t->in[0], *out = t->out;
	struct cpu_op *op = program_prim(b->p, dn_norm_backward(b->dn, &s->c, s->forward));
	int to = cpu_reuse_grad(b, out);

	if (!op)
		return;
	program_arg(b->p, op, DN_SRC, in->md, in->buf);
	program_arg(b->p, op, DN_MEAN, s->vector, s->mean);
	program_arg(b->p, op, DN_VARIANCE, s->vector, s->variance);
	program_arg(b->p, op, DN_DIFF_DST, out->md, out->grad);
	program_arg(b->p, op, DN_DIFF_SRC, in->md, to);
	if (s->c.relu)
		program_arg(b->p, op, DN_WORKSPACE, s->workspace, s->space);
	back_norm_args(b, s, op, cpu_trains(b, t->node));
	cpu_give(b, in, to);
}

/* running += momentum * (batch - running), the variance unbiased */
static void track(struct cpu_build *b, int running, int now, int64_t channels, double momentum, double factor)
{
	struct cpu_op *op = program_kernel(b->p, k_track);

	op->count = channels;
	op->a = (float)momentum;
	op->b = (float)factor;
	program_use(b->p, op, running);
	program_use(b->p, op, now);
}

/* A vector normalised per feature: its dimensions are [n][f], or [n][f][1][1] after a global pooling. */
static struct cpu_val *norm_input(struct cpu_build *b, int node)
{
	struct cpu_val *in = cpu_input(b, node, 0);
	const int64_t *dims = dn_dims(in->md);

	if (cpu_in_shape(b, node, 0)->type == TENSOR_VECTOR && dn_rank(in->md) == 4 && dims[2] == 1 && dims[3] == 1)
		return in;
	return cpu_shaped_input(b, node, 0);
}

struct cpu_val *cpu_build_batchnorm(struct cpu_build *b, int node)
{
	const struct batchnorm *cfg = b->g->nodes[node].cfg;
	struct norm_saved *s = ARENA_NEW(b->a, struct norm_saved);
	struct cpu_val *in = norm_input(b, node), *out;
	int at = cfg->affine ? 2 : 0, scale = -1, shift = -1, mean, variance;
	int64_t channels = cpu_in_shape(b, node, 0)->d[0], n;
	bool measures = b->training && !plan_is_frozen(b->g, node);
	struct cpu_op *op;

	if (!in)
		return NULL;
	n = b->batch * shape_count(cpu_in_shape(b, node, 0)) / channels;
	s->vector = dn_plain(b->dn, 1, &channels);
	s->c = (struct dn_norm){ .data = in->md,
				 .eps = (float)cfg->eps,
				 .affine = cfg->affine,
				 .relu = cpu_fused_act(b, node).act == DN_RELU,
				 .training = b->training,
				 .running = !measures };
	s->forward = dn_norm_forward(b->dn, &s->c);
	if (cfg->affine) {
		s->scale = cpu_param_of(b, node, 0);
		s->shift = cpu_param_of(b, node, 1);
		scale = cpu_vector_param(b, s->scale, channels);
		shift = cpu_vector_param(b, s->shift, channels);
	}
	mean = cpu_vector_param(b, cpu_param_of(b, node, at), channels);
	variance = cpu_vector_param(b, cpu_param_of(b, node, at + 1), channels);
	s->mean = measures ? program_buf(b->p, channels * (int64_t)sizeof(float)) : mean;
	s->variance = measures ? program_buf(b->p, channels * (int64_t)sizeof(float)) : variance;
	out = cpu_val_new(b, in->md, b->plan->flows[node]);
	op = program_prim(b->p, s->forward);
	if (!op)
		return NULL;
	program_arg(b->p, op, DN_SRC, in->md, in->buf);
	program_arg(b->p, op, DN_DST, out->md, out->buf);
	program_arg(b->p, op, DN_MEAN, s->vector, s->mean);
	program_arg(b->p, op, DN_VARIANCE, s->vector, s->variance);
	if (cfg->affine) {
		program_arg(b->p, op, DN_SCALE, s->vector, scale);
		program_arg(b->p, op, DN_SHIFT, s->vector, shift);
	}
	s->workspace = dn_prim_md(b->dn, s->forward, DN_WORKSPACE);
	if (s->workspace) {
		s->space = program_buf(b->p, (int64_t)dn_bytes(s->workspace));
		program_arg(b->p, op, DN_WORKSPACE, s->workspace, s->space);
	}
	if (measures) {
		track(b, mean, s->mean, channels, cfg->momentum, 1);
		track(b, variance, s->variance, channels, cfg->momentum, n > 1 ? (double)n / (double)(n - 1) : 1);
	}
	in->kept |= b->training;
	cpu_tape_add(b, back_norm, out, 1, &in, s);
	return out;
}

/* ---- layernorm, groupnorm ------------------------------------------------------------------------------- */

struct slab_saved {
	int64_t n[CPU_NUMBERS];
	double eps;
	int stats;
	struct cpu_param *scale, *shift; /* NULL: not affine */
	int64_t scales;
};

static void back_slabs(struct cpu_build *b, struct cpu_tape *t)
{
	const struct slab_saved *s = t->saved;
	struct cpu_op *op;
	int to = cpu_grad_buf(b, t->in[0]);

	if (s->scale && cpu_trains(b, t->node)) {
		int dscale = cpu_param_out(b, s->scale, s->scale->md, true);
		int dshift = cpu_param_out(b, s->shift, s->shift->md, true);

		op = program_kernel(b->p, k_norm_params);
		memcpy(op->n, s->n, sizeof s->n);
		program_use(b->p, op, dscale);
		program_use(b->p, op, dshift);
		program_use(b->p, op, t->out->grad);
		program_use(b->p, op, t->in[0]->buf);
		program_use(b->p, op, s->stats);
		cpu_param_done(b, s->scale, s->scale->md, dscale, true);
		cpu_param_done(b, s->shift, s->shift->md, dshift, true);
	}
	if (!t->in[0]->wants)
		return;
	op = program_kernel(b->p, k_norm_back);
	memcpy(op->n, s->n, sizeof s->n);
	program_use(b->p, op, to);
	program_use(b->p, op, t->out->grad);
	program_use(b->p, op, t->in[0]->buf);
	program_use(b->p, op, s->stats);
	if (s->scale)
		program_use(b->p, op, cpu_param_buf(b, s->scale));
	cpu_give(b, t->in[0], to);
}

static struct cpu_val *slabs(struct cpu_build *b, int node, bool affine, struct slab_saved *s)
{
	struct cpu_val *in = cpu_plain_input(b, node, 0), *out;
	struct cpu_op *op;
	int scale = -1, shift = -1;

	if (!in)
		return NULL;
	out = cpu_val_new(b, in->md, b->plan->flows[node]);
	if (affine) {
		s->scale = cpu_param_of(b, node, 0);
		s->shift = cpu_param_of(b, node, 1);
		scale = cpu_vector_param(b, s->scale, s->n[8]);
		shift = cpu_vector_param(b, s->shift, s->n[8]);
	}
	s->stats = program_buf(b->p, 2 * s->n[0] * (int64_t)sizeof(float));
	op = program_kernel(b->p, k_norm);
	memcpy(op->n, s->n, sizeof s->n);
	op->rate = s->eps;
	program_use(b->p, op, out->buf);
	program_use(b->p, op, in->buf);
	program_use(b->p, op, s->stats);
	if (affine) {
		program_use(b->p, op, scale);
		program_use(b->p, op, shift);
	}
	in->kept |= b->training;
	cpu_tape_add(b, back_slabs, out, 1, &in, s);
	return out;
}

struct cpu_val *cpu_build_layernorm(struct cpu_build *b, int node)
{
	const struct layernorm *cfg = b->g->nodes[node].cfg;
	const struct shape *i = cpu_in_shape(b, node, 0);
	struct slab_saved *s = ARENA_NEW(b->a, struct slab_saved);
	int64_t count = shape_count(i), steps = i->type == TENSOR_SEQUENCE ? i->d[1] : 1, channels = count / steps;
	const int64_t n[] = { b->batch * steps, steps, count, 1, channels, steps, 0, 1, channels };

	s->eps = cfg->eps;
	memcpy(s->n, n, sizeof n);
	return slabs(b, node, cfg->affine, s);
}

struct cpu_val *cpu_build_groupnorm(struct cpu_build *b, int node)
{
	const struct groupnorm *cfg = b->g->nodes[node].cfg;
	const struct shape *i = cpu_in_shape(b, node, 0);
	struct slab_saved *s = ARENA_NEW(b->a, struct slab_saved);
	int64_t count = shape_count(i), per = i->d[0] / cfg->groups, inner = count / i->d[0];
	const int64_t n[] = {
		(int64_t)b->batch * cfg->groups, cfg->groups, count, per * inner, per * inner, 1, per, inner, i->d[0]
	};

	s->eps = cfg->eps;
	memcpy(s->n, n, sizeof n);
	return slabs(b, node, cfg->affine, s);
}
