/* train/backend_cpu_products.c - convolutions and dense layers on the cpu backend: three primitives each, for the
 * result and for the gradients of input and weights, each with the implementation and the layout of weights that suit
 * it.
 */
#include <string.h>

#include "arch/kinds.h"
#include "base/mem.h"
#include "train/backend_cpu_build.h"

/* ---- convolutions --------------------------------------------------------------------------------------- */

struct conv_saved {
	struct dn_conv c;
	bool winograd; /* suits the layer */
	struct dn_prim *forward;
	struct cpu_act act;
	struct cpu_param *w, *bias; /* bias may be NULL */
	const struct dn_md *weights_any;
};

struct conv_geometry { /* of conv2d, conv1d, depthwise2d alike */
	int filters, groups, kernel[2], stride[2], dilation[2], before[2];
	bool bias;
};

static struct conv_geometry geometry_of(const struct cpu_build *b, int node)
{
	const struct node *n = b->g->nodes + node;
	const struct conv2d *c = n->cfg;
	const struct conv1d *line = n->cfg;
	const struct depthwise2d *deep = n->cfg;

	if (n->kind == LAYER_conv1d)
		return (struct conv_geometry){ line->filters,       line->groups,          { 1, line->kernel },
					       { 1, line->stride }, { 1, line->dilation }, { 0, line->padding.side[1] },
					       line->bias };
	if (n->kind == LAYER_depthwise2d)
		return (struct conv_geometry){ cpu_out_shape(b, node)->d[0],
					       cpu_in_shape(b, node, 0)->d[0],
					       { deep->kernel.v[0], deep->kernel.v[1] },
					       { deep->stride.v[0], deep->stride.v[1] },
					       { deep->dilation.v[0], deep->dilation.v[1] },
					       { deep->padding.side[0], deep->padding.side[1] },
					       deep->bias };
	return (struct conv_geometry){ c->filters,
				       c->groups,
				       { c->kernel.v[0], c->kernel.v[1] },
				       { c->stride.v[0], c->stride.v[1] },
				       { c->dilation.v[0], c->dilation.v[1] },
				       { c->padding.side[0], c->padding.side[1] },
				       c->bias };
}

/* Strides and paddings; the padding after is what the output's size implies (it may be negative: then the last rows or
 * columns are not read). */
static void conv_windows(struct dn_conv *c, const struct conv_geometry *g, const int64_t *in, const int64_t *out)
{
	for (int i = 0; i < 2; i++) {
		c->stride[i] = g->stride[i];
		c->dilation[i] = g->dilation[i];
		c->before[i] = g->before[i];
		c->after[i] = (out[2 + i] - 1) * g->stride[i] + (int64_t)g->dilation[i] * (g->kernel[i] - 1) + 1 -
			      in[2 + i] - g->before[i];
	}
}

/* Winograd F(4x4, 3x3) where it wins as a rule (docs/measurements/cpu-vs-pytorch.md): dense 3x3 kernels with more than
 * one block of 16 channels on both sides. Equal paddings only: oneDNN 2.6.3 computes a wrong backward-data for others.
 */
static bool suits_winograd(const struct conv_geometry *g, int64_t channels, const struct dn_conv *c)
{
	return g->groups == 1 && g->kernel[0] == 3 && g->kernel[1] == 3 && g->stride[0] == 1 && g->stride[1] == 1 &&
	       g->dilation[0] == 1 && g->dilation[1] == 1 && g->filters > 16 && channels > 16 &&
	       c->before[0] == c->after[0] && c->before[1] == c->after[1];
}

/* For the gradient of the weights it wins on small pictures, and with many filters on middling ones. */
static bool suits_winograd_weights(const struct dn_md *out)
{
	const int64_t *d = dn_dims(out), positions = d[2] * d[3];

	return positions <= 64 || (positions <= 256 && d[1] > 48);
}

static int weight_dims(const struct conv_geometry *g, int64_t channels, int64_t dims[DN_RANK_MAX])
{
	int n = 0;

	if (g->groups > 1)
		dims[n++] = g->groups;
	dims[n++] = g->filters / g->groups;
	dims[n++] = channels / g->groups;
	dims[n++] = g->kernel[0];
	dims[n++] = g->kernel[1];
	return n;
}

/* A primitive of the backward: Winograd's if it is likely to win and exists, else the direct one; or what measuring
 * says. */
static struct dn_prim *choose_back(struct cpu_build *b, enum cpu_pass pass, const struct conv_saved *s,
				   struct dn_conv *c, bool winograd)
{
	struct dn_prim *prim = NULL;

	c->winograd = winograd;
	c->skip = 0;
	if (winograd)
		prim = cpu_conv(b->dn, pass, c, s->forward);
	c->winograd = prim != NULL;
	if (!prim)
		prim = cpu_conv(b->dn, pass, c, s->forward);
	return b->tune ? cpu_tune_conv(b->dn, pass, c, s->winograd, s->forward, prim) : prim;
}

static void back_conv_data(struct cpu_build *b, const struct conv_saved *s, struct cpu_val *in, struct cpu_val *out)
{
	struct dn_conv c = s->c;
	struct dn_prim *prim;
	const struct dn_md *md;
	struct cpu_op *op;
	int weights, to;

	c.src = in->md;
	c.dst = out->md;
	c.weights = s->weights_any;
	prim = choose_back(b, CPU_BACKWARD_DATA, s, &c, s->winograd);
	md = dn_prim_md(b->dn, prim, DN_WEIGHTS);
	weights = cpu_param_in(b, s->w, md);
	to = cpu_grad_buf(b, in);
	op = program_prim(b->p, prim);
	if (!op)
		return;
	program_arg(b->p, op, DN_DIFF_DST, out->md, out->grad);
	program_arg(b->p, op, DN_WEIGHTS, md, weights);
	program_arg(b->p, op, DN_DIFF_SRC, in->md, to);
	cpu_give(b, in, to);
}

static void back_conv_weights(struct cpu_build *b, const struct conv_saved *s, struct cpu_val *in, struct cpu_val *out)
{
	struct dn_conv c = s->c;
	struct dn_prim *prim;
	const struct dn_md *md;
	struct cpu_op *op;
	int to, bias = -1;

	c.src = in->md;
	c.dst = out->md;
	c.weights = s->weights_any;
	prim = choose_back(b, CPU_BACKWARD_WEIGHTS, s, &c, s->winograd && suits_winograd_weights(out->md));
	md = dn_prim_md(b->dn, prim, DN_DIFF_WEIGHTS);
	if (!md)
		return;
	to = cpu_param_out(b, s->w, md, true);
	if (s->bias)
		bias = cpu_param_out(b, s->bias, s->bias->md, true);
	op = program_prim(b->p, prim);
	program_arg(b->p, op, DN_SRC, in->md, in->buf);
	program_arg(b->p, op, DN_DIFF_DST, out->md, out->grad);
	program_arg(b->p, op, DN_DIFF_WEIGHTS, md, to);
	if (s->bias)
		program_arg(b->p, op, DN_DIFF_BIAS, s->bias->md, bias);
	cpu_param_done(b, s->w, md, to, true);
	if (s->bias)
		cpu_param_done(b, s->bias, s->bias->md, bias, true);
}

static void back_conv(struct cpu_build *b, struct cpu_tape *t)
{
	const struct conv_saved *s = t->saved;

	cpu_undo_fused(b, s->act, t->out);
	if (cpu_trains(b, t->node))
		back_conv_weights(b, s, t->in[0], t->out);
	if (t->in[0]->wants)
		back_conv_data(b, s, t->in[0], t->out);
}

static struct dn_prim *choose_conv(struct cpu_build *b, struct conv_saved *s)
{
	struct dn_prim *prim;

	s->c.winograd = s->winograd;
	prim = dn_conv_forward(b->dn, &s->c);
	if (!prim && s->winograd) {
		s->c.winograd = false;
		prim = dn_conv_forward(b->dn, &s->c);
	}
	return b->tune ? cpu_tune_conv(b->dn, CPU_FORWARD, &s->c, s->winograd, NULL, prim) : prim;
}

/* Whether a convolution with this forward would train by oneDNN's unoptimised loops, which are a thousand times slower.
 */
static bool trains_slowly(struct cpu_build *b, int node, const struct conv_saved *s, const struct cpu_val *in)
{
	struct dn_conv c = s->c;

	if (!b->training || !s->forward)
		return false;
	c.src = dn_prim_md(b->dn, s->forward, DN_SRC);
	c.dst = dn_prim_md(b->dn, s->forward, DN_DST);
	c.weights = s->weights_any;
	c.winograd = false;
	c.skip = 0;
	return cpu_is_slow(s->forward) || (in->wants && cpu_is_slow(dn_conv_backward_data(b->dn, &c, s->forward))) ||
	       (cpu_trains(b, node) && cpu_is_slow(dn_conv_backward_weights(b->dn, &c, s->forward)));
}

/* With fewer than 16 input channels oneDNN takes the layer for the network's first and chooses a plain input, for which
 * it has no fast backward. Blocks of 8 on both sides have one, but for odd geometries; plain on both sides (a matrix
 * product) always. */
static void avoid_slow(struct cpu_build *b, int node, struct conv_saved *s, const struct cpu_val *in)
{
	const int64_t *src = dn_dims(s->c.src), *dst = dn_dims(s->c.dst);

	if (!trains_slowly(b, node, s, in))
		return;
	for (int plain = 0; plain < 2; plain++) {
		struct conv_saved other = *s;

		other.c.src = plain ? dn_plain(b->dn, 4, src) : dn_blocked(b->dn, src, 8);
		other.c.dst = plain ? dn_plain(b->dn, 4, dst) : dn_blocked(b->dn, dst, 8);
		other.forward = dn_conv_forward(b->dn, &other.c);
		if (!other.forward || trains_slowly(b, node, &other, in))
			continue;
		*s = other;
		return;
	}
}

struct cpu_val *cpu_build_conv(struct cpu_build *b, int node)
{
	struct conv_saved *s = ARENA_NEW(b->a, struct conv_saved);
	struct conv_geometry g = geometry_of(b, node);
	struct cpu_val *in = cpu_shaped_input(b, node, 0), *out;
	int64_t dst[DN_RANK_MAX], dims[DN_RANK_MAX], filters = g.filters;
	const struct dn_md *md;
	struct cpu_op *op;
	int weights, bias = -1;

	if (!in)
		return NULL;
	cpu_dims(b, cpu_out_shape(b, node), dst);
	s->w = cpu_param_of(b, node, 0);
	s->bias = g.bias ? cpu_param_of(b, node, 1) : NULL;
	s->act = cpu_fused_act(b, node);
	s->weights_any = dn_any(b->dn, weight_dims(&g, dn_dims(in->md)[1], dims), dims);
	s->c = (struct dn_conv){ .src = dn_any(b->dn, 4, dn_dims(in->md)),
				 .weights = s->weights_any,
				 .bias = g.bias ? dn_plain(b->dn, 1, &filters) : NULL,
				 .dst = dn_any(b->dn, 4, dst),
				 .training = b->training,
				 .act = s->act.act,
				 .alpha = s->act.alpha };
	conv_windows(&s->c, &g, dn_dims(in->md), dst);
	s->winograd = suits_winograd(&g, dn_dims(in->md)[1], &s->c);
	s->forward = choose_conv(b, s);
	avoid_slow(b, node, s, in);
	in = cpu_with_layout(b, in, dn_prim_md(b->dn, s->forward, DN_SRC));
	out = cpu_val_new(b, dn_prim_md(b->dn, s->forward, DN_DST), b->plan->flows[node]);
	if (!in || !out)
		return NULL;
	md = dn_prim_md(b->dn, s->forward, DN_WEIGHTS);
	weights = cpu_param_in(b, s->w, md);
	if (s->bias)
		bias = cpu_vector_param(b, s->bias, filters);
	op = program_prim(b->p, s->forward);
	program_arg(b->p, op, DN_SRC, in->md, in->buf);
	program_arg(b->p, op, DN_WEIGHTS, md, weights);
	if (s->bias)
		program_arg(b->p, op, DN_BIAS, s->bias->md, bias);
	program_arg(b->p, op, DN_DST, out->md, out->buf);
	in->kept |= cpu_trains(b, node);
	out->kept = b->training && s->act.act != DN_ACT_NONE;
	out->relu = s->act.act == DN_RELU && s->act.alpha == 0;
	cpu_tape_add(b, back_conv, out, 1, &in, s);
	return out;
}

/* ---- dense ---------------------------------------------------------------------------------------------- */

struct dense_saved {
	struct dn_dense c;
	struct dn_prim *forward;
	struct cpu_act act;
	struct cpu_param *w, *bias;
	const struct dn_md *weights_any;
};

static void back_dense_data(struct cpu_build *b, const struct dense_saved *s, struct cpu_val *in, struct cpu_val *out)
{
	struct dn_dense c = { .src = in->md, .weights = s->weights_any, .dst = out->md };
	struct dn_prim *prim = dn_dense_backward_data(b->dn, &c, s->forward);
	const struct dn_md *md = dn_prim_md(b->dn, prim, DN_WEIGHTS);
	int weights = cpu_param_in(b, s->w, md), to = cpu_grad_buf(b, in);
	struct cpu_op *op = program_prim(b->p, prim);

	if (!op)
		return;
	program_arg(b->p, op, DN_DIFF_DST, out->md, out->grad);
	program_arg(b->p, op, DN_WEIGHTS, md, weights);
	program_arg(b->p, op, DN_DIFF_SRC, in->md, to);
	cpu_give(b, in, to);
}

static void back_dense_weights(struct cpu_build *b, const struct dense_saved *s, struct cpu_val *in,
			       struct cpu_val *out)
{
	struct dn_dense c = {
		.src = in->md, .weights = s->weights_any, .bias = s->bias ? s->bias->md : NULL, .dst = out->md
	};
	struct dn_prim *prim = dn_dense_backward_weights(b->dn, &c, s->forward);
	const struct dn_md *md = dn_prim_md(b->dn, prim, DN_DIFF_WEIGHTS);
	struct cpu_op *op;
	int to, bias = -1;

	if (!md)
		return;
	to = cpu_param_out(b, s->w, md, true);
	if (s->bias)
		bias = cpu_param_out(b, s->bias, s->bias->md, true);
	op = program_prim(b->p, prim);
	program_arg(b->p, op, DN_SRC, in->md, in->buf);
	program_arg(b->p, op, DN_DIFF_DST, out->md, out->grad);
	program_arg(b->p, op, DN_DIFF_WEIGHTS, md, to);
	if (s->bias)
		program_arg(b->p, op, DN_DIFF_BIAS, s->bias->md, bias);
	cpu_param_done(b, s->w, md, to, true);
	if (s->bias)
		cpu_param_done(b, s->bias, s->bias->md, bias, true);
}

static void back_dense(struct cpu_build *b, struct cpu_tape *t)
{
	const struct dense_saved *s = t->saved;

	cpu_undo_fused(b, s->act, t->out);
	if (cpu_trains(b, t->node))
		back_dense_weights(b, s, t->in[0], t->out);
	if (t->in[0]->wants)
		back_dense_data(b, s, t->in[0], t->out);
}

/* A flattened image is taken as it lies: oneDNN's inner product reads it in blocks, with weights [units][c][h][w]. */
struct cpu_val *cpu_build_dense(struct cpu_build *b, int node)
{
	const struct dense *cfg = b->g->nodes[node].cfg;
	struct dense_saved *s = ARENA_NEW(b->a, struct dense_saved);
	struct cpu_val *in = cpu_input(b, node, 0), *out;
	int64_t dims[DN_RANK_MAX], dst[2] = { b->batch, cfg->units }, units = cfg->units;
	int rank = dn_rank(in->md), weights, bias = -1;
	const struct dn_md *md;
	struct cpu_op *op;

	memcpy(dims, dn_dims(in->md), (size_t)rank * sizeof *dims);
	dims[0] = units;
	s->w = cpu_param_of(b, node, 0);
	s->bias = cfg->bias ? cpu_param_of(b, node, 1) : NULL;
	s->act = cpu_fused_act(b, node);
	s->weights_any = dn_any(b->dn, rank, dims);
	s->c = (struct dn_dense){ .src = in->md,
				  .weights = s->weights_any,
				  .bias = cfg->bias ? dn_plain(b->dn, 1, &units) : NULL,
				  .dst = dn_any(b->dn, 2, dst),
				  .training = b->training,
				  .act = s->act.act,
				  .alpha = s->act.alpha };
	s->forward = dn_dense_forward(b->dn, &s->c);
	out = cpu_val_new(b, dn_prim_md(b->dn, s->forward, DN_DST), b->plan->flows[node]);
	if (!out)
		return NULL;
	md = dn_prim_md(b->dn, s->forward, DN_WEIGHTS);
	weights = cpu_param_in(b, s->w, md);
	if (s->bias)
		bias = cpu_vector_param(b, s->bias, units);
	op = program_prim(b->p, s->forward);
	program_arg(b->p, op, DN_SRC, in->md, in->buf);
	program_arg(b->p, op, DN_WEIGHTS, md, weights);
	if (s->bias)
		program_arg(b->p, op, DN_BIAS, s->bias->md, bias);
	program_arg(b->p, op, DN_DST, out->md, out->buf);
	in->kept |= cpu_trains(b, node);
	out->kept = b->training && s->act.act != DN_ACT_NONE;
	out->relu = s->act.act == DN_RELU && s->act.alpha == 0;
	cpu_tape_add(b, back_dense, out, 1, &in, s);
	return out;
}
