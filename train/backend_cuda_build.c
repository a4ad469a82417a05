/* train/backend_cuda_build.c - values, their forms and gradients, parameters, and the two directions in which a program
 * is built: see backend_cuda_build.h. */
#include <assert.h>
#include <string.h>

#include "arch/kinds.h"
#include "base/mem.h"
#include "train/backend_cuda_build.h"
#include "train/optim.h"

/* ---- values --------------------------------------------------------------------------------------------- */

struct cuda_dims cuda_dims_of(const struct cuda_build *b, const struct shape *s)
{
	struct cuda_dims d = { .n = b->batch, .h = 1, .w = 1, .c = s->d[0] };

	if (s->type == TENSOR_IMAGE) {
		d.h = s->d[1];
		d.w = s->d[2];
	} else if (s->type == TENSOR_SEQUENCE) {
		d.w = s->d[1];
	} else if (s->type == TENSOR_TOKENS) {
		d.w = s->d[0];
		d.c = 1;
	}
	d.pitch = s->type == TENSOR_TOKENS ? 1 : cuda_pitch(d.c);
	return d;
}

const struct shape *cuda_out_shape(const struct cuda_build *b, int node)
{
	return b->g->nodes[node].out;
}

const struct shape *cuda_in_shape(const struct cuda_build *b, int node, int k)
{
	return graph_shape(b->g, b->g->nodes[node].in[k]);
}

bool cuda_same_form(const struct cuda_dims *a, const struct cuda_dims *b)
{
	return a->h == b->h && a->w == b->w && a->c == b->c;
}

int64_t cuda_dims_bytes(const struct cuda_dims *d, enum cuda_elem elem)
{
	return (int64_t)d->n * d->h * d->w * d->pitch * (elem == CUDA_BF16 ? 2 : 4);
}

struct cuda_val *cuda_val_at(struct cuda_build *b, const struct cuda_dims *dims, int buf, bool wants)
{
	struct cuda_val *v = ARENA_NEW(b->a, struct cuda_val);

	*v = (struct cuda_val){ .dims = *dims, .buf = buf, .readers = 1, .wants = wants, .grad = -1 };
	GROW(b->vals, b->n_vals, b->cap_vals);
	b->vals[b->n_vals++] = v;
	return v;
}

struct cuda_val *cuda_val_new(struct cuda_build *b, const struct cuda_dims *dims, bool wants)
{
	return cuda_val_at(b, dims, cuda_buffer(b->p, b->elem, cuda_dims_bytes(dims, b->elem)), wants);
}

struct cuda_val *cuda_val_over(struct cuda_build *b, struct cuda_val *in, bool reads_in)
{
	bool free = in->readers == 1 && !in->kept && !(reads_in && b->training);
	struct cuda_val *out =
	    free ? cuda_val_at(b, &in->dims, in->buf, in->wants) : cuda_val_new(b, &in->dims, in->wants);

	out->open = in->open;
	return out;
}

struct cuda_val *cuda_input(struct cuda_build *b, int node, int k)
{
	struct edge from = b->g->nodes[node].in[k];

	return from.node < 0 ? b->input : b->val[from.node * LAYER_PORTS + from.port];
}

static void reorder(struct cuda_build *b, const struct cuda_dims *from, int in, const struct cuda_dims *to, int out)
{
	struct cuda_op *op = cuda_add(b->p, CUDA_OP_REORDER);

	op->u.order = (struct cuda_op_order){ .in = *from, .out = *to };
	cuda_use(b->p, 0, in);
	cuda_use(b->p, 1, out);
}

static void back_reorder(struct cuda_build *b, struct cuda_tape *t)
{
	int buf = cuda_grad_buf(b, t->in[0]);

	reorder(b, &t->out[0]->dims, t->out[0]->grad, &t->in[0]->dims, buf);
	cuda_give(b, t->in[0], buf);
}

struct cuda_val *cuda_with_form(struct cuda_build *b, struct cuda_val *v, const struct cuda_dims *form)
{
	struct cuda_val *out;

	if (cuda_same_form(&v->dims, form))
		return v;
	out = cuda_val_new(b, form, v->wants);
	reorder(b, &v->dims, v->buf, form, out->buf);
	cuda_tape_add(b, back_reorder, out, 1, &v, NULL);
	return out;
}

struct cuda_val *cuda_plain_input(struct cuda_build *b, int node, int k)
{
	struct cuda_dims form = cuda_dims_of(b, cuda_in_shape(b, node, k));

	return cuda_with_form(b, cuda_input(b, node, k), &form);
}

void cuda_common_inputs(struct cuda_build *b, int node, struct cuda_val **in)
{
	int n = b->g->nodes[node].n_in;
	bool plain = false;

	for (int k = 0; k < n; k++) {
		in[k] = cuda_input(b, node, k);
		plain |= !cuda_same_form(&in[k]->dims, &in[0]->dims);
	}
	for (int k = 0; plain && k < n; k++)
		in[k] = cuda_plain_input(b, node, k);
}

int cuda_lengths(const struct cuda_build *b, const struct cuda_val *v)
{
	return v->open ? b->length : -1;
}

void cuda_mask(struct cuda_build *b, const struct cuda_val *v, int buf)
{
	if (!v->open)
		return;
	cuda_add(b->p, CUDA_OP_MASK)->u.map = (struct cuda_op_map){ .x = v->dims };
	cuda_use(b->p, 0, buf);
	cuda_use(b->p, 1, b->length);
}

/* ---- gradients of values -------------------------------------------------------------------------------- */

struct cuda_tape *cuda_tape_add(struct cuda_build *b, cuda_backward *backward, struct cuda_val *out, int n_in,
				struct cuda_val **in, void *saved)
{
	struct cuda_tape *t;

	if (!out->wants)
		return NULL;
	GROW(b->tape, b->n_tape, b->cap_tape);
	t = &b->tape[b->n_tape++];
	*t = (struct cuda_tape){ .backward = backward, .node = b->p->node, .n_in = n_in, .saved = saved, .terms = 1 };
	t->out[t->n_out++] = out;
	t->in = ARENA_ARRAY(b->a, struct cuda_val *, n_in);
	memcpy(t->in, in, (size_t)n_in * sizeof *in);
	return t;
}

static int *refs_of(struct cuda_build *b, int buf)
{
	if (buf >= b->cap_refs) {
		int cap = 2 * buf + 64;

		b->refs = mem_resize(b->refs, (size_t)cap * sizeof *b->refs);
		memset(b->refs + b->cap_refs, 0, (size_t)(cap - b->cap_refs) * sizeof *b->refs);
		b->cap_refs = cap;
	}
	return b->refs + buf;
}

int cuda_grad_buf(struct cuda_build *b, const struct cuda_val *v)
{
	return cuda_buffer(b->p, b->elem, cuda_dims_bytes(&v->dims, b->elem));
}

void cuda_give(struct cuda_build *b, struct cuda_val *v, int buf)
{
	if (!v->wants)
		return;
	GROW(v->given, v->n_given, v->cap_given);
	v->given[v->n_given++] = buf;
	++*refs_of(b, buf);
}

void cuda_set_grad(struct cuda_build *b, struct cuda_val *v, int buf)
{
	if (v->grad >= 0)
		--*refs_of(b, v->grad);
	v->grad = buf;
	if (buf >= 0)
		++*refs_of(b, buf);
}

int cuda_reuse_grad(struct cuda_build *b, const struct cuda_val *out)
{
	return *refs_of(b, out->grad) == 1 ? out->grad : cuda_grad_buf(b, out);
}

/* to = the sum of n buffers: as many at a time as an operation takes; `to` may be one of them. */
static void add_sum(struct cuda_build *b, const struct cuda_dims *d, int to, const int *from, int n)
{
	for (int at = 0; at < n;) {
		int k = 0, first = at;

		cuda_add(b->p, CUDA_OP_SUM);
		cuda_use(b->p, 0, to);
		if (first > 0)
			cuda_use(b->p, ++k, to);
		while (at < n && k < CUDA_INPUTS)
			cuda_use(b->p, ++k, from[at++]);
		b->p->ops[b->p->n_ops - 1].u.map = (struct cuda_op_map){ .x = *d, .k = k };
	}
}

void cuda_sum(struct cuda_build *b, const struct cuda_val *out, struct cuda_val **in, int n)
{
	int from[LAYER_INPUTS];

	for (int k = 0; k < n; k++)
		from[k] = in[k]->buf;
	add_sum(b, &out->dims, out->buf, from, n);
}

void cuda_mask_grad(struct cuda_build *b, struct cuda_val *v)
{
	int to;

	if (!v->open)
		return;
	to = cuda_reuse_grad(b, v);
	if (to != v->grad) {
		add_sum(b, &v->dims, to, &v->grad, 1);
		cuda_set_grad(b, v, to);
	}
	cuda_mask(b, v, to);
}

/* Makes one gradient of what v was given, or leaves it in several buffers. */
static void collect(struct cuda_build *b, struct cuda_val *v, int terms)
{
	int to = -1;

	if (v->n_given == 0)
		return;
	if (v->n_given <= terms) {
		to = v->given[0];
		while (v->n_given > 1)
			v->more[v->n_more++] = v->given[--v->n_given];
	} else {
		for (int i = 0; i < v->n_given && i < CUDA_INPUTS && to < 0; i++)
			to = *refs_of(b, v->given[i]) == 1 ? v->given[i] : -1;
		to = to < 0 ? cuda_grad_buf(b, v) : to;
		add_sum(b, &v->dims, to, v->given, v->n_given);
	}
	cuda_set_grad(b, v, to);
	for (int i = 0; i < v->n_given; i++)
		--*refs_of(b, v->given[i]);
	v->n_given = 0;
}

static void drop_grad(struct cuda_build *b, struct cuda_val *v)
{
	cuda_set_grad(b, v, -1);
	while (v->n_more > 0)
		--*refs_of(b, v->more[--v->n_more]);
}

/* ---- parameters ----------------------------------------------------------------------------------------- */

struct cuda_param *cuda_param_of(struct cuda_build *b, int node, int k)
{
	int owner = b->g->nodes[node].share >= 0 ? b->g->nodes[node].share : node;

	return b->params->param + b->params->of_node[owner] + k;
}

bool cuda_trains(const struct cuda_build *b, int node)
{
	return b->training && plan_trains(b->g, node);
}

int cuda_master(struct cuda_build *b, const struct cuda_param *w)
{
	return cuda_buffer_at(b->p, w->stat ? CUDA_STATS : CUDA_PARAMS, CUDA_F32, w->first * 4, w->count * 4);
}

int cuda_operand(struct cuda_build *b, const struct cuda_param *w)
{
	if (b->elem != CUDA_BF16)
		return cuda_master(b, w);
	return cuda_buffer_at(b->p, CUDA_PARAMS16, CUDA_BF16, w->first * 2, w->count * 2);
}

void cuda_settle_vector(struct cuda_build *b, struct cuda_param *w)
{
	int64_t n = param_count(&w->spec);

	cuda_param_settle(b->params, w, (struct cuda_layout){ 1, n, 1, 1, 1, cuda_pitch((int32_t)n) });
}

static int gradient_of(struct cuda_build *b, const struct cuda_param *w)
{
	return cuda_buffer_at(b->p, CUDA_GRADS, w->grad_elem, w->first * 4, w->count * 4);
}

/* A parameter as a tensor, for sums of gradients. */
static struct cuda_dims flat(const struct cuda_param *w)
{
	bool whole = w->count % CUDA_PITCH == 0;
	int32_t c = whole ? CUDA_PITCH : (int32_t)w->count;

	return (struct cuda_dims){ 1, 1, whole ? (int32_t)(w->count / CUDA_PITCH) : 1, c, cuda_pitch(c) };
}

int cuda_param_out(struct cuda_build *b, struct cuda_param *w, enum cuda_elem elem)
{
	struct cuda_dims d = flat(w);
	int own, aside;

	assert(w->settled && (!w->written || w->grad_elem == elem));
	w->grad_elem = elem;
	own = gradient_of(b, w);
	if (w->written) {
		aside = cuda_buffer(b->p, elem, cuda_dims_bytes(&d, elem));
		add_sum(b, &d, aside, &own, 1);
		w->aside = aside;
	}
	return own;
}

void cuda_param_done(struct cuda_build *b, struct cuda_param *w)
{
	struct cuda_dims d = flat(w);
	int both[2];

	if (w->written) {
		both[0] = gradient_of(b, w);
		both[1] = w->aside;
		add_sum(b, &d, both[0], both, 2);
	}
	w->written = true;
}

/* ---- the batch, the loss, the update -------------------------------------------------------------------- */

static void build_batch(struct cuda_build *b)
{
	const struct shape *s = &b->g->inputs[0].shape;
	struct cuda_dims d = cuda_dims_of(b, s);
	enum cuda_elem elem = s->type == TENSOR_TOKENS ? CUDA_I32 : b->elem;
	struct cuda_op *op;

	b->input = cuda_val_at(b, &d, cuda_buffer(b->p, elem, cuda_dims_bytes(&d, elem)), false);
	b->input->kept = true;
	b->input->open = s->open;
	b->label = cuda_buffer(b->p, CUDA_I32, b->batch * 4L);
	b->target = cuda_buffer(b->p, CUDA_F32, b->batch * 4L);
	b->length = cuda_buffer(b->p, CUDA_I32, b->batch * 4L);
	b->sample = cuda_buffer(b->p, CUDA_I32, b->batch * 4L);
	op = cuda_add(b->p, CUDA_OP_GATHER);
	op->u.gather = (struct cuda_op_gather){ .x = d };
	cuda_use(b->p, 0, b->input->buf);
	cuda_use(b->p, 1, b->label);
	cuda_use(b->p, 2, b->target);
	cuda_use(b->p, 3, b->length);
	cuda_use(b->p, 4, b->sample);
}

/* A gradient of few enough numbers for one block to sum. */
enum { SUMMED_ROWS = 4096, SUMMED_PITCH = 64 };

static void build_loss(struct cuda_build *b, struct cuda_val *logits)
{
	const struct cuda_dims *z = &logits->dims;
	int d = logits->wants ? cuda_grad_buf(b, logits) : -1, db = -1;

	logits->summed =
	    logits->bias && !logits->relu && logits->readers == 1 && z->n <= SUMMED_ROWS && z->pitch <= SUMMED_PITCH;
	if (logits->summed)
		db = cuda_param_out(b, logits->bias, CUDA_F32);
	cuda_add(b->p, CUDA_OP_LOSS)->u.loss = (struct cuda_op_loss){ .z = *z,
								      .mse = b->recipe->loss == LOSS_MSE,
								      .regress = b->g->outputs[0].task == TASK_REGRESS,
								      .ends = !b->update,
								      .smoothing = b->recipe->label_smoothing };
	cuda_use(b->p, 0, logits->buf);
	cuda_use(b->p, 1, b->label);
	cuda_use(b->p, 2, b->target);
	cuda_use(b->p, 3, d);
	cuda_use(b->p, 4, db);
	if (logits->summed)
		cuda_param_done(b, logits->bias);
	if (d >= 0)
		cuda_give(b, logits, d);
}

/* The chunks are counted when all parameters have their place. */
static void build_update(struct cuda_build *b)
{
	struct cuda_op_update u = { .kind = (int32_t)b->recipe->optimizer.kind,
				    .nesterov = b->recipe->optimizer.nesterov,
				    .copies = b->elem == CUDA_BF16,
				    .moments = optim_moments(&b->recipe->optimizer),
				    .clip = b->recipe->clip };

	if (u.clip > 0)
		cuda_add(b->p, CUDA_OP_NORM_OF_GRADIENT)->u.update = u;
	cuda_add(b->p, CUDA_OP_OPTIMIZE)->u.update = u;
}

static void build_logits(struct cuda_build *b, const struct cuda_val *logits)
{
	cuda_add(b->p, CUDA_OP_LOGITS)->u.logits = (struct cuda_op_logits){ .z = logits->dims };
	cuda_use(b->p, 0, logits->buf);
}

/* ---- the two directions --------------------------------------------------------------------------------- */

static int build_node(struct cuda_build *b, int node, struct err *e)
{
	const struct node *n = b->g->nodes + node;
	int tail = plan_tail(b->plan, node);
	struct cuda_val *v;

	b->p->node = node;
	v = cuda_builders[n->kind](b, node);
	if (!v)
		return ERR(e, ERR_INVALID, n->id, "the cuda backend cannot run this %s", layer_classes[n->kind]->name);
	v->readers = v->readers == 1 ? b->plan->readers[tail] : v->readers;
	b->val[tail * LAYER_PORTS] = v;
	return 0;
}

/* Batch norms that an addition takes into itself are built with it. */
static void find_absorbed(struct cuda_build *b)
{
	b->absorbed = ARENA_ARRAY(b->a, bool, b->g->n_nodes);
	for (int i = 0; i < b->g->n_nodes; i++) {
		int k = b->plan->live[i] ? cuda_absorbs(b->g, i) : -1, norm = k < 0 ? -1 : b->g->nodes[i].in[k].node;

		if (norm < 0)
			continue;
		b->absorbed[norm] = true;
		b->plan->lead[norm] = i;
	}
}

static struct cuda_val *build_forward(struct cuda_build *b, struct err *e)
{
	const struct graph_output *o = b->g->outputs;
	struct cuda_dims form = { b->batch, 1, 1, o->classes, cuda_pitch(o->classes) };
	struct cuda_val *v;

	b->val = ARENA_ARRAY(b->a, struct cuda_val *, b->g->n_nodes * LAYER_PORTS);
	find_absorbed(b);
	for (int i = 0; i < b->plan->n_order; i++)
		if (!b->absorbed[b->plan->order[i]] && build_node(b, b->plan->order[i], e) < 0)
			return NULL;
	b->p->node = -1;
	v = o->from.node < 0 ? b->input : b->val[o->from.node * LAYER_PORTS + o->from.port];
	return cuda_with_form(b, v, &form);
}

static void build_backward(struct cuda_build *b)
{
	b->p->backward = true;
	for (int i = b->n_tape - 1; i >= 0; i--) {
		struct cuda_tape *t = b->tape + i;
		bool any = false;

		b->p->node = t->node;
		for (int k = 0; k < t->n_out; k++) {
			collect(b, t->out[k], k ? 1 : t->terms);
			any |= t->out[k]->grad >= 0;
		}
		if (any)
			t->backward(b, t);
		for (int k = 0; k < t->n_out; k++)
			drop_grad(b, t->out[k]);
	}
	b->p->node = -1;
}

int cuda_build_program(struct cuda_build *b, struct err *e)
{
	struct cuda_val *logits;

	b->elem = b->recipe->precision == PRECISION_BF16 ? CUDA_BF16 : CUDA_F32;
	b->math = b->recipe->precision == PRECISION_TF32 ? CUDA_TF32 : CUDA_STRICT;
	build_batch(b);
	logits = build_forward(b, e);
	if (!logits)
		return -1;
	if (!b->training) {
		build_logits(b, logits);
		return 0;
	}
	build_loss(b, logits);
	build_backward(b);
	if (b->update)
		build_update(b);
	b->p->backward = false;
	return 0;
}

void cuda_build_release(struct cuda_build *b)
{
	for (int i = 0; i < b->n_vals; i++)
		mem_free(b->vals[i]->given);
	mem_free(b->vals);
	mem_free(b->tape);
	mem_free(b->refs);
	*b = (struct cuda_build){ 0 };
}
