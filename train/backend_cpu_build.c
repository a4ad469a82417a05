/* train/backend_cpu_build.c - values, their layouts and gradients, parameters, and the two directions in which a
 * program is built: see backend_cpu_build.h. */
#include <string.h>

#include "arch/kinds.h"
#include "base/mem.h"
#include "train/backend_cpu_build.h"

/* ---- values --------------------------------------------------------------------------------------------- */

int cpu_dims(const struct cpu_build *b, const struct shape *s, int64_t dims[DN_RANK_MAX])
{
	dims[0] = b->batch;
	dims[1] = s->d[0];
	if (s->type == TENSOR_VECTOR)
		return 2;
	dims[2] = s->type == TENSOR_IMAGE ? s->d[1] : 1;
	dims[3] = s->type == TENSOR_IMAGE ? s->d[2] : s->d[1];
	return 4;
}

const struct dn_md *cpu_plain_of(const struct cpu_build *b, const struct shape *s)
{
	int64_t dims[DN_RANK_MAX];
	int rank = cpu_dims(b, s, dims);

	return dn_plain(b->dn, rank, dims);
}

const struct shape *cpu_out_shape(const struct cpu_build *b, int node)
{
	return b->g->nodes[node].out;
}

const struct shape *cpu_in_shape(const struct cpu_build *b, int node, int k)
{
	return graph_shape(b->g, b->g->nodes[node].in[k]);
}

struct cpu_val *cpu_val_at(struct cpu_build *b, const struct dn_md *md, int buf, bool wants)
{
	struct cpu_val *v = ARENA_NEW(b->a, struct cpu_val);

	*v = (struct cpu_val){ .md = md, .buf = buf, .readers = 1, .wants = wants, .grad = -1 };
	return v;
}

int64_t cpu_floats(const struct dn_md *md)
{
	return (int64_t)(dn_bytes(md) / sizeof(float));
}

struct cpu_val *cpu_val_new(struct cpu_build *b, const struct dn_md *md, bool wants)
{
	return md ? cpu_val_at(b, md, program_buf(b->p, (int64_t)dn_bytes(md)), wants) : NULL;
}

struct cpu_val *cpu_input(struct cpu_build *b, int node, int k)
{
	struct edge from = b->g->nodes[node].in[k];

	return from.node < 0 ? b->input : b->val[from.node];
}

void cpu_tape_add(struct cpu_build *b, cpu_backward *backward, struct cpu_val *out, int n_in, struct cpu_val **in,
		  void *saved)
{
	struct cpu_tape *t;

	if (!out->wants)
		return;
	GROW(b->tape, b->n_tape, b->cap_tape);
	t = &b->tape[b->n_tape++];
	*t = (struct cpu_tape){ .backward = backward, .node = b->p->node, .out = out, .n_in = n_in, .saved = saved };
	t->in = ARENA_ARRAY(b->a, struct cpu_val *, n_in);
	memcpy(t->in, in, (size_t)n_in * sizeof *in);
}

bool cpu_may_overwrite(const struct cpu_val *v)
{
	return v->readers == 1 && !v->kept;
}

/* ---- gradients of values -------------------------------------------------------------------------------- */

static int *refs_of(struct cpu_build *b, int buf)
{
	if (buf >= b->cap_refs) {
		int cap = 2 * buf + 64;

		b->refs = mem_resize(b->refs, (size_t)cap * sizeof *b->refs);
		memset(b->refs + b->cap_refs, 0, (size_t)(cap - b->cap_refs) * sizeof *b->refs);
		b->cap_refs = cap;
	}
	return b->refs + buf;
}

void cpu_set_grad(struct cpu_build *b, struct cpu_val *v, int buf)
{
	if (v->grad >= 0)
		--*refs_of(b, v->grad);
	v->grad = buf;
	if (buf >= 0)
		++*refs_of(b, buf);
}

int cpu_grad_buf(struct cpu_build *b, const struct cpu_val *v)
{
	return program_buf(b->p, (int64_t)dn_bytes(v->md));
}

void cpu_give(struct cpu_build *b, struct cpu_val *v, int buf)
{
	struct cpu_op *op;
	int to;

	if (!v->wants)
		return;
	if (v->grad < 0) {
		cpu_set_grad(b, v, buf);
		return;
	}
	to = *refs_of(b, v->grad) == 1 ? v->grad : *refs_of(b, buf) == 0 ? buf : cpu_grad_buf(b, v);
	op = program_kernel(b->p, k_sum);
	op->count = cpu_floats(v->md);
	program_use(b->p, op, to);
	program_use(b->p, op, v->grad);
	program_use(b->p, op, buf);
	cpu_set_grad(b, v, to);
}

int cpu_reuse_grad(struct cpu_build *b, const struct cpu_val *out)
{
	return *refs_of(b, out->grad) == 1 ? out->grad : cpu_grad_buf(b, out);
}

/* ---- changing layout and dimensions --------------------------------------------------------------------- */

static void reorder(struct cpu_build *b, const struct dn_md *from, int from_buf, const struct dn_md *to, int to_buf,
		    bool once)
{
	struct cpu_op *op = program_prim(b->p, dn_reorder(b->dn, from, to));

	if (!op)
		return;
	op->once = once;
	program_arg(b->p, op, DN_SRC, from, from_buf);
	program_arg(b->p, op, DN_DST, to, to_buf);
}

static void back_reorder(struct cpu_build *b, struct cpu_tape *t)
{
	int buf = cpu_grad_buf(b, t->in[0]);

	reorder(b, t->out->md, t->out->grad, t->in[0]->md, buf, false);
	cpu_give(b, t->in[0], buf);
}

struct cpu_val *cpu_with_layout(struct cpu_build *b, struct cpu_val *v, const struct dn_md *md)
{
	struct cpu_val *out;

	if (!v || !md)
		return NULL;
	if (dn_equal(v->md, md))
		return v;
	out = cpu_val_new(b, md, v->wants);
	reorder(b, v->md, v->buf, md, out->buf, false);
	cpu_tape_add(b, back_reorder, out, 1, &v, NULL);
	return out;
}

static void back_same(struct cpu_build *b, struct cpu_tape *t)
{
	cpu_give(b, t->in[0], t->out->grad);
}

struct cpu_val *cpu_same_memory(struct cpu_build *b, struct cpu_val *v, const struct dn_md *md, int readers)
{
	struct cpu_val *out = cpu_val_at(b, md, v->buf, v->wants);

	out->readers = v->readers == 1 ? readers : CPU_MANY_READERS;
	out->kept = v->kept;
	cpu_tape_add(b, back_same, out, 1, &v, NULL);
	return out;
}

const struct dn_md *cpu_plain_like(struct cpu_build *b, const struct dn_md *md)
{
	return dn_plain(b->dn, dn_rank(md), dn_dims(md));
}

bool cpu_has_dims(const struct dn_md *md, int rank, const int64_t *dims)
{
	return dn_rank(md) == rank && memcmp(dn_dims(md), dims, (size_t)rank * sizeof *dims) == 0;
}

struct cpu_val *cpu_with_dims(struct cpu_build *b, struct cpu_val *v, int rank, const int64_t *dims)
{
	const struct dn_md *md;

	if (!v || cpu_has_dims(v->md, rank, dims))
		return v;
	md = dn_plain(b->dn, rank, dims);
	v = cpu_with_layout(b, v, cpu_plain_like(b, v->md));
	return v && md ? cpu_same_memory(b, v, md, 1) : NULL;
}

struct cpu_val *cpu_shaped_input(struct cpu_build *b, int node, int k)
{
	int64_t dims[DN_RANK_MAX];
	int rank = cpu_dims(b, cpu_in_shape(b, node, k), dims);

	return cpu_with_dims(b, cpu_input(b, node, k), rank, dims);
}

struct cpu_val *cpu_plain_input(struct cpu_build *b, int node, int k)
{
	struct cpu_val *v = cpu_shaped_input(b, node, k);

	return v ? cpu_with_layout(b, v, cpu_plain_like(b, v->md)) : NULL;
}

/* ---- parameters ----------------------------------------------------------------------------------------- */

struct cpu_param *cpu_param_of(struct cpu_build *b, int node, int k)
{
	int owner = b->g->nodes[node].share >= 0 ? b->g->nodes[node].share : node;

	return b->params->param + b->params->of_node[owner] + k;
}

/* Decides the layout of the master copy, once. */
static void settle(struct cpu_params *params, struct dn *dn, struct cpu_param *w, const struct dn_md *md)
{
	int64_t *total = w->stat ? &params->stat_floats : &params->weight_floats;

	if (w->md || !md)
		return;
	w->md = dn_opaque(md) ? dn_weights_blocked(dn, dn_rank(md), dn_dims(md)) : md;
	w->plain = dn_plain(dn, dn_rank(md), dn_dims(md));
	w->first = *total;
	w->count = (cpu_floats(w->md) + 15) / 16 * 16;
	*total += w->count;
}

int cpu_param_buf(struct cpu_build *b, const struct cpu_param *w)
{
	return program_buf_at(b->p, w->stat ? CPU_STATS : CPU_WEIGHTS, w->first * (int64_t)sizeof(float),
			      w->count * (int64_t)sizeof(float));
}

void cpu_settle_rest(struct cpu_params *params, struct dn *dn)
{
	for (int i = 0; i < params->n; i++) {
		struct cpu_param *w = params->param + i;
		int64_t dims[PARAM_DIMS];

		for (int k = 0; k < w->spec.rank; k++)
			dims[k] = w->spec.d[k];
		settle(params, dn, w, dn_plain(dn, w->spec.rank, dims));
	}
}

int cpu_vector_param(struct cpu_build *b, struct cpu_param *w, int64_t n)
{
	settle(b->params, b->dn, w, dn_plain(b->dn, 1, &n));
	return cpu_param_buf(b, w);
}

/* Weights in another layout. The same matrix may be seen as [units][features] and as [units][c][h][w] (a dense layer
 * that is shared): then by way of the plain layout, which is the same memory for both. */
static void convert(struct cpu_build *b, const struct dn_md *from, int from_buf, const struct dn_md *to, int to_buf,
		    bool once)
{
	const struct dn_md *plain;
	int buf;

	if (cpu_has_dims(from, dn_rank(to), dn_dims(to)) && (!dn_opaque(to) || dn_block(from) == 1)) {
		reorder(b, from, from_buf, to, to_buf, once);
		return;
	}
	plain = cpu_plain_like(b, from);
	buf = program_buf(b->p, (int64_t)dn_bytes(plain));
	reorder(b, from, from_buf, plain, buf, once);
	reorder(b, dn_plain(b->dn, dn_rank(to), dn_dims(to)), buf, to, to_buf, once);
}

int cpu_param_in(struct cpu_build *b, struct cpu_param *w, const struct dn_md *md)
{
	int buf, master;

	if (!md)
		return -1;
	settle(b->params, b->dn, w, md);
	master = cpu_param_buf(b, w);
	if (dn_equal(w->md, md))
		return master;
	buf = program_buf(b->p, (int64_t)dn_bytes(md));
	convert(b, w->md, master, md, buf, !b->training);
	return buf;
}

static int param_grad(struct cpu_build *b, const struct cpu_param *w)
{
	return program_buf_at(b->p, CPU_GRADS, w->first * (int64_t)sizeof(float), w->count * (int64_t)sizeof(float));
}

int cpu_param_out(struct cpu_build *b, const struct cpu_param *w, const struct dn_md *md, bool wanted)
{
	if (wanted && !w->written && dn_equal(md, w->md))
		return param_grad(b, w);
	return program_buf(b->p, (int64_t)dn_bytes(md));
}

void cpu_param_done(struct cpu_build *b, struct cpu_param *w, const struct dn_md *md, int buf, bool wanted)
{
	struct cpu_op *op;

	if (!wanted)
		return;
	if (!dn_equal(md, w->md)) {
		int to = w->written ? program_buf(b->p, w->count * (int64_t)sizeof(float)) : param_grad(b, w);

		convert(b, md, buf, w->md, to, false);
		buf = to;
	}
	if (w->written) { /* a shared parameter: its second use */
		op = program_kernel(b->p, k_sum);
		op->count = cpu_floats(w->md);
		program_use(b->p, op, param_grad(b, w));
		program_use(b->p, op, param_grad(b, w));
		program_use(b->p, op, buf);
	}
	w->written = true;
}

bool cpu_trains(const struct cpu_build *b, int node)
{
	return b->training && plan_trains(b->g, node);
}

/* ---- the two directions --------------------------------------------------------------------------------- */

static int node_failed(const struct cpu_build *b, int node, struct err *e)
{
	const struct node *n = b->g->nodes + node;

	if (dn_check(b->dn, e) < 0)
		return -1;
	return ERR(e, ERR_INVALID, n->id, "oneDNN has no implementation of this %s on this processor",
		   layer_classes[n->kind]->name);
}

static struct cpu_val *build_logits(struct cpu_build *b)
{
	const struct graph_output *o = b->g->outputs;
	int64_t dims[2] = { b->batch, o->classes };
	struct cpu_val *v = o->from.node < 0 ? b->input : b->val[o->from.node];

	v = cpu_with_dims(b, v, 2, dims);
	return v ? cpu_with_layout(b, v, dn_plain(b->dn, 2, dims)) : NULL;
}

struct cpu_val *cpu_build_forward(struct cpu_build *b, struct err *e)
{
	const struct dn_md *md = cpu_plain_of(b, &b->g->inputs[0].shape);
	struct cpu_val *logits;

	b->val = ARENA_ARRAY(b->a, struct cpu_val *, b->g->n_nodes);
	b->input = cpu_val_at(b, md, program_buf_at(b->p, CPU_INPUT, 0, (int64_t)dn_bytes(md)), false);
	b->input->kept = true;
	for (int i = 0; i < b->plan->n_order; i++) {
		int node = b->plan->order[i], tail = plan_tail(b->plan, node);
		struct cpu_val *v;

		b->p->node = node;
		v = cpu_builders[b->g->nodes[node].kind](b, node);
		if (!v || dn_check(b->dn, NULL) < 0) {
			node_failed(b, node, e);
			return NULL;
		}
		v->readers = v->readers == 1 ? b->plan->readers[tail] : v->readers;
		b->val[tail] = v;
	}
	b->p->node = -1;
	logits = build_logits(b);
	if (!logits || dn_check(b->dn, e) < 0)
		return NULL;
	return logits;
}

int cpu_build_backward(struct cpu_build *b, struct cpu_val *logits, struct err *e)
{
	int d = program_buf(b->p, (int64_t)dn_bytes(logits->md));
	struct cpu_op *op = program_kernel(b->p, k_loss);

	op->n[0] = b->batch;
	program_use(b->p, op, d);
	program_use(b->p, op, logits->buf);
	cpu_give(b, logits, d);
	b->p->backward = true;
	for (int i = b->n_tape - 1; i >= 0; i--) {
		struct cpu_tape *t = b->tape + i;

		if (t->out->grad < 0)
			continue;
		b->p->node = t->node;
		t->backward(b, t);
		if (dn_check(b->dn, NULL) < 0)
			return node_failed(b, t->node < 0 ? 0 : t->node, e);
		cpu_set_grad(b, t->out, -1);
	}
	b->p->node = -1;
	b->p->backward = false;
	return 0;
}

void cpu_build_release(struct cpu_build *b)
{
	mem_free(b->tape);
	mem_free(b->refs);
	*b = (struct cpu_build){ 0 };
}
