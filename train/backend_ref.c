/* train/backend_ref.c - the reference: every layer by its oracle (arch/layer_*.c), one after the other, everything in
 * double, nothing fused and nothing reused. Slow and obviously right; the other backends are compared with it.
 *
 * All outputs and all gradients of a net stand in one block, node by node and port by port; a gradient that nobody
 * reads is not computed.
 */
#include "train/backend.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "train/batch.h"
#include "train/loss.h"
#include "train/optim.h"
#include "train/plan.h"

struct backend_ctx {
	struct backend_conf conf;
};

struct sizes { /* in doubles */
	int64_t weights, moments, activations, input;
};

struct net {
	const struct backend_ctx *ctx;
	struct net_spec spec;
	const struct graph *g;
	int cap; /* examples at a time */
	struct arena *arena, *scratch;
	struct weights *layout;
	struct sizes size;
	double *block;
	size_t block_bytes;
	double *w, *dw;       /* [layout->total] */
	double *m1, *m2;      /* moments, or NULL; m2 follows m1 */
	double *x;            /* [cap][...input] */
	double **out, **dout; /* [n_nodes * LAYER_PORTS] into the block; NULL: no such port */
	bool *flows;          /* [n_nodes * LAYER_PORTS] a gradient has arrived */
	struct optim_range *ranges;
	int n_ranges;
	struct batcher *batcher; /* NULL without data */
	struct batch batch;
	struct loss loss;
	struct layer_time *times; /* while profiling, else NULL */
};

/* ---- context ------------------------------------------------------------------------------------------------ */

static int ref_probe(struct err *e)
{
	(void)e;
	return 0;
}

static void ref_describe(char *buf, size_t size)
{
	snprintf(buf, size, "reference oracles in double precision");
}

static int ref_open(struct backend_ctx **out, const struct backend_conf *conf, struct err *e)
{
	(void)e;
	*out = mem_new(sizeof **out);
	(*out)->conf = *conf;
	return 0;
}

static void ref_close(struct backend_ctx *ctx)
{
	mem_free(ctx);
}

static int ref_supports(const struct graph *g, const struct recipe *r, struct err *e)
{
	if (g->n_inputs != 1)
		return ERR(e, ERR_INVALID, NULL, "ref: %d inputs: only networks with one input can be trained",
			   g->n_inputs);
	for (int i = 0; i < g->n_nodes; i++)
		if (g->nodes[i].kind == LAYER_choice)
			return ERR(e, ERR_INVALID, g->nodes[i].id,
				   "ref: a choice cannot be trained: pick one of its layers");
	if (r->precision != PRECISION_FP32)
		return ERR(e, ERR_INVALID, "precision", "ref: only \"fp32\" (it computes in double)");
	return loss_supports(g, r, e);
}

/* ---- planning ----------------------------------------------------------------------------------------------- */

static int capacity(const struct net_spec *s)
{
	int n = s->data ? s->recipe->batch : s->batch;

	return n > 0 ? n : 1;
}

static int64_t count_weights(const struct graph *g)
{
	struct param_spec p[LAYER_PARAMS];
	int64_t total = 0;

	for (int i = 0; i < g->n_nodes; i++)
		for (int k = 0, n = g->nodes[i].share < 0 ? graph_params(g, i, p) : 0; k < n; k++)
			total += param_count(&p[k]);
	return total;
}

static struct sizes plan(const struct net_spec *s)
{
	const struct graph *g = s->graph;
	struct sizes z = { .weights = count_weights(g) };

	z.moments = optim_moments(&s->recipe->optimizer) * z.weights;
	z.input = capacity(s) * shape_count(&g->inputs[0].shape);
	for (int i = 0; i < g->n_nodes; i++)
		for (int k = 0; k < g->nodes[i].n_out; k++)
			z.activations += capacity(s) * shape_count(&g->nodes[i].out[k]);
	return z;
}

static int64_t plan_doubles(const struct sizes *z)
{
	return 2 * z->weights + z->moments + 2 * z->activations + z->input;
}

/* Everything of size: the block, the batch and the float copy of the weights that is their layout. */
static int64_t ref_plan_bytes(struct backend_ctx *ctx, const struct net_spec *spec, struct err *e)
{
	struct sizes z = plan(spec);
	const struct shape *in = &spec->graph->inputs[0].shape;

	(void)ctx;
	(void)e;
	return plan_doubles(&z) * (int64_t)sizeof(double) + z.weights * (int64_t)sizeof(float) +
	       (int64_t)batch_bytes(in, capacity(spec)) + (spec->data ? batcher_bytes(spec->data, in) : 0);
}

static double *take(double **at, int64_t n)
{
	double *p = *at;

	*at += n;
	return p;
}

static void place(struct net *n)
{
	const struct graph *g = n->g;
	double *at = n->block;
	int moments = optim_moments(&n->spec.recipe->optimizer);

	n->w = take(&at, n->size.weights);
	n->dw = take(&at, n->size.weights);
	n->m1 = moments > 0 ? take(&at, n->size.weights) : NULL;
	n->m2 = moments > 1 ? take(&at, n->size.weights) : NULL;
	n->x = take(&at, n->size.input);
	n->out = ARENA_ARRAY(n->arena, double *, g->n_nodes *LAYER_PORTS);
	n->dout = ARENA_ARRAY(n->arena, double *, g->n_nodes *LAYER_PORTS);
	n->flows = ARENA_ARRAY(n->arena, bool, g->n_nodes *LAYER_PORTS);
	for (int i = 0; i < g->n_nodes; i++)
		for (int k = 0; k < g->nodes[i].n_out; k++) {
			int64_t count = n->cap * shape_count(&g->nodes[i].out[k]);

			n->out[i * LAYER_PORTS + k] = take(&at, count);
			n->dout[i * LAYER_PORTS + k] = take(&at, count);
		}
}

static void ref_net_free(struct net *n)
{
	if (!n)
		return;
	batcher_free(n->batcher);
	batch_release(&n->batch);
	weights_free(n->layout);
	block_free(n->block, n->block_bytes);
	arena_free(n->scratch);
	arena_free(n->arena);
	mem_free(n);
}

static int64_t ref_net_bytes(const struct net *n)
{
	return ref_plan_bytes(NULL, &n->spec, NULL);
}

static int allocate(struct net *n, struct err *e)
{
	const struct shape *in = &n->g->inputs[0].shape;
	int64_t want = ref_net_bytes(n), most = n->ctx->conf.most_bytes;

	if (most > 0 && want > most) {
		ERR(e, ERR_RUNTIME, NULL, "ref: the network needs %lld bytes, %lld are allowed", (long long)want,
		    (long long)most);
		return NET_OOM;
	}
	n->block_bytes = (size_t)plan_doubles(&n->size) * sizeof(double);
	n->block = block_new(n->block_bytes);
	n->layout = n->block ? weights_new(n->g, e) : NULL;
	if (!n->layout || batch_init(&n->batch, in, n->cap, e) < 0) {
		ERR(e, ERR_RUNTIME, NULL, "ref: out of memory: the network needs %lld bytes", (long long)want);
		return NET_OOM;
	}
	return 0;
}

static int ref_net_create(struct net **out, struct backend_ctx *ctx, const struct net_spec *spec, struct err *e)
{
	struct net *n;
	int rc;

	if (ref_supports(spec->graph, spec->recipe, e) < 0)
		return -1;
	n = mem_new(sizeof *n);
	*n = (struct net){ .ctx = ctx, .spec = *spec, .g = spec->graph, .cap = capacity(spec), .size = plan(spec) };
	n->arena = arena_new();
	n->scratch = arena_new();
	rc = allocate(n, e);
	if (rc == 0 && spec->data)
		rc = batcher_new(&n->batcher, spec->data, spec->recipe, &n->g->inputs[0].shape, spec->train,
				 spec->n_train, spec->seed, e);
	if (rc < 0) {
		ref_net_free(n);
		return rc;
	}
	place(n);
	loss_init(&n->loss, n->g, spec->recipe, n->arena);
	n->n_ranges = optim_ranges(&n->ranges, n->layout, n->g, n->arena);
	*out = n;
	return 0;
}

/* ---- weights and state -------------------------------------------------------------------------------------- */

static int same_size(const struct net *n, const struct weights *w, struct err *e)
{
	if (w->total == n->layout->total && w->n == n->layout->n)
		return 0;
	return ERR(e, ERR_INVALID, NULL, "weights of another network: %lld numbers instead of %lld",
		   (long long)w->total, (long long)n->layout->total);
}

static int ref_set_weights(struct net *n, const struct weights *w, struct err *e)
{
	if (same_size(n, w, e) < 0)
		return -1;
	for (int64_t i = 0; i < w->total; i++)
		n->w[i] = (double)w->data[i];
	if (n->m1)
		memset(n->m1, 0, (size_t)n->size.moments * sizeof *n->m1);
	return 0;
}

static int ref_get_weights(struct net *n, struct weights *w, struct err *e)
{
	if (same_size(n, w, e) < 0)
		return -1;
	for (int64_t i = 0; i < w->total; i++)
		w->data[i] = (float)n->w[i];
	return 0;
}

static size_t ref_state_bytes(const struct net *n)
{
	return (size_t)(n->size.weights + n->size.moments) * sizeof(double);
}

static int ref_save_state(struct net *n, void *out, struct err *e)
{
	size_t bytes = (size_t)n->size.weights * sizeof(double);

	(void)e;
	memcpy(out, n->w, bytes);
	if (n->m1)
		memcpy((char *)out + bytes, n->m1, (size_t)n->size.moments * sizeof(double));
	return 0;
}

static int ref_load_state(struct net *n, const void *in, size_t bytes, struct err *e)
{
	size_t own = (size_t)n->size.weights * sizeof(double);

	if (bytes != ref_state_bytes(n))
		return ERR(e, ERR_INVALID, NULL, "ref: a state of %zu bytes instead of %zu: of another network", bytes,
			   ref_state_bytes(n));
	memcpy(n->w, in, own);
	if (n->m1)
		memcpy(n->m1, (const char *)in + own, (size_t)n->size.moments * sizeof(double));
	return 0;
}

/* ---- one pass ----------------------------------------------------------------------------------------------- */

struct pass {
	int batch;
	bool training, drop; /* batch statistics; dropout active */
	uint32_t epoch;
	const int *length; /* NULL: full */
	const uint32_t *sample;
};

struct call { /* the arrays that one struct layer_io points to */
	struct shape shape[LAYER_INPUTS];
	const double *in[LAYER_INPUTS];
	double *din[LAYER_INPUTS], *param[LAYER_PARAMS], *dparam[LAYER_PARAMS];
	const double *dout[LAYER_PORTS];
};

static int slot(struct edge from)
{
	return from.node * LAYER_PORTS + from.port;
}

static void fill_params(struct net *n, int node, struct call *c)
{
	struct param_spec spec[LAYER_PARAMS];
	int first = n->layout->of_node[node], count = first < 0 ? 0 : graph_params(n->g, node, spec);

	for (int k = 0; k < count; k++) {
		const struct tensor *t = &n->layout->tensors[first + k];
		bool fixed = t->spec.role == PARAM_STAT || n->g->nodes[t->node].frozen;

		c->param[k] = n->w + t->first;
		c->dparam[k] = fixed ? NULL : n->dw + t->first;
	}
}

/* Training mode, as far as a layer is in it: frozen layers compute as they do when they are evaluated. Dropout has
 * nothing to freeze. */
static bool in_training(const struct net *n, int node, const struct pass *p)
{
	if (n->g->nodes[node].kind == LAYER_dropout)
		return p->training && p->drop;
	return p->training && !plan_is_frozen(n->g, node);
}

static struct layer_io layer_call(struct net *n, int node, const struct pass *p, struct call *c)
{
	const struct node *nd = &n->g->nodes[node];
	bool open = false;

	memset(c, 0, sizeof *c);
	graph_in_shapes(n->g, node, c->shape);
	for (int k = 0; k < nd->n_in; k++) {
		c->in[k] = nd->in[k].node < 0 ? n->x : n->out[slot(nd->in[k])];
		c->din[k] = nd->in[k].node < 0 ? NULL : n->dout[slot(nd->in[k])];
		open |= c->shape[k].open;
	}
	for (int k = 0; k < nd->n_out; k++)
		c->dout[k] = n->flows[node * LAYER_PORTS + k] ? n->dout[node * LAYER_PORTS + k] : NULL;
	fill_params(n, node, c);
	return (struct layer_io){ .cfg = nd->cfg,
				  .batch = p->batch,
				  .n_in = nd->n_in,
				  .n_out = nd->n_out,
				  .in_shape = c->shape,
				  .out_shape = nd->out,
				  .in = c->in,
				  .out = n->out + node * LAYER_PORTS,
				  .param = c->param,
				  .training = in_training(n, node, p),
				  .length = open ? p->length : NULL,
				  .dout = c->dout,
				  .din = c->din,
				  .dparam = c->dparam,
				  .key = dropout_key(n->spec.seed, nd),
				  .epoch = p->epoch,
				  .sample = p->sample,
				  .scratch = n->scratch };
}

static void forward(struct net *n, const struct pass *p)
{
	struct call c;

	memset(n->flows, 0, (size_t)(n->g->n_nodes * LAYER_PORTS) * sizeof *n->flows);
	for (int i = 0; i < n->g->n_nodes; i++) {
		struct layer_io io = layer_call(n, i, p, &c);
		double start = n->times ? clock_mono() : 0;

		layer_classes[n->g->nodes[i].kind]->forward(&io);
		arena_reset(n->scratch);
		if (n->times)
			n->times[i].forward_s += clock_mono() - start;
	}
}

static void clear_gradients(struct net *n, int batch)
{
	memset(n->dw, 0, (size_t)n->size.weights * sizeof *n->dw);
	for (int i = 0; i < n->g->n_nodes; i++)
		for (int k = 0; k < n->g->nodes[i].n_out; k++)
			memset(n->dout[i * LAYER_PORTS + k], 0,
			       (size_t)batch * (size_t)shape_count(&n->g->nodes[i].out[k]) * sizeof(double));
}

/* From the gradient that stands in dout of the first output's node. */
static void backward(struct net *n, const struct pass *p)
{
	struct call c;

	for (int i = n->g->n_nodes - 1; i >= 0; i--) {
		const struct node *nd = &n->g->nodes[i];
		struct layer_io io = layer_call(n, i, p, &c);
		double start = n->times ? clock_mono() : 0;
		bool reached = false;

		for (int k = 0; k < nd->n_out; k++)
			reached |= n->flows[i * LAYER_PORTS + k];
		if (!reached)
			continue;
		for (int k = 0; k < nd->n_in; k++)
			if (nd->in[k].node >= 0)
				n->flows[slot(nd->in[k])] = true;
		layer_classes[nd->kind]->backward(&io);
		arena_reset(n->scratch);
		if (n->times)
			n->times[i].backward_s += clock_mono() - start;
	}
}

static double *logits(struct net *n)
{
	struct edge from = n->g->outputs[0].from;

	return from.node < 0 ? n->x : n->out[slot(from)];
}

/* Takes n->batch to n->x. */
static void take_batch(struct net *n)
{
	int64_t count = n->batch.n * shape_count(&n->g->inputs[0].shape);

	for (int64_t i = 0; i < count; i++)
		n->x[i] = (double)n->batch.x[i];
}

static struct pass batch_pass(const struct net *n, bool training, bool drop, uint32_t epoch)
{
	return (struct pass){ .batch = n->batch.n,
			      .training = training,
			      .drop = drop,
			      .epoch = epoch,
			      .length = n->g->inputs[0].shape.open ? n->batch.length : NULL,
			      .sample = n->batch.sample };
}

/* Forward, loss and backward of the batch in n->batch. */
static void gradient_pass(struct net *n, const struct pass *p, struct loss_sum *sum)
{
	struct edge from = n->g->outputs[0].from;

	take_batch(n);
	forward(n, p);
	clear_gradients(n, p->batch);
	loss_f64(&n->loss, logits(n), p->batch, n->batch.label, n->batch.target,
		 from.node < 0 ? NULL : n->dout[slot(from)], sum);
	if (from.node < 0)
		return;
	n->flows[slot(from)] = true;
	backward(n, p);
}

/* ---- training and evaluation -------------------------------------------------------------------------------- */

static double update(struct net *n, int64_t step)
{
	const struct recipe *r = n->spec.recipe;
	double norm = sqrt(optim_square_sum_f64(n->dw, n->ranges, n->n_ranges));
	struct optim_step s;

	if (!isfinite(norm))
		return norm;
	optim_step_init(&s, &r->optimizer, recipe_rate(r, step, batcher_steps_per_epoch(n->batcher)), step);
	s.scale = optim_clip_scale(norm, r->clip);
	optim_update_f64(&s, n->w, n->dw, n->m1, n->m2, n->ranges, n->n_ranges);
	return norm;
}

static int ref_train_steps(struct net *n, int64_t first, int64_t count, struct step_stats *stats, struct err *e)
{
	(void)e;
	assert(n->batcher && n->spec.n_train > 0);
	for (int64_t s = first; s < first + count && !stats->diverged; s++) {
		uint32_t epoch = (uint32_t)(s / batcher_steps_per_epoch(n->batcher));
		struct pass p;
		struct loss_sum sum = { 0 };
		double norm;

		batcher_step(n->batcher, s, &n->batch);
		p = batch_pass(n, true, true, epoch);
		gradient_pass(n, &p, &sum);
		norm = isfinite(sum.loss) ? update(n, s) : sum.loss;
		stats->examples += p.batch;
		stats->loss += sum.loss;
		stats->correct += sum.correct;
		stats->grad_norm += norm;
		stats->diverged = !isfinite(norm);
	}
	return 0;
}

static void put_logits(struct net *n, int batch, float *out)
{
	int64_t count = (int64_t)batch * n->g->outputs[0].classes;
	const double *z = logits(n);

	for (int64_t i = 0; i < count; i++)
		out[i] = (float)z[i];
}

static int ref_evaluate(struct net *n, const uint32_t *index, int64_t count, float *out, struct err *e)
{
	(void)e;
	assert(n->batcher);
	for (int64_t at = 0; at < count; at += n->cap) {
		int batch = (int)(count - at < n->cap ? count - at : n->cap);
		struct pass p;

		batcher_gather(n->batcher, index + at, batch, &n->batch);
		take_batch(n);
		p = batch_pass(n, false, false, 0);
		forward(n, &p);
		put_logits(n, batch, out + at * n->g->outputs[0].classes);
	}
	return 0;
}

static int ref_forward_raw(struct net *n, const float *in, int64_t count, float *out, struct err *e)
{
	int64_t per = shape_count(&n->g->inputs[0].shape);

	(void)e;
	for (int64_t at = 0; at < count; at += n->cap) {
		int batch = (int)(count - at < n->cap ? count - at : n->cap);
		struct pass p = { .batch = batch };

		for (int64_t i = 0; i < batch * per; i++)
			n->x[i] = (double)in[at * per + i];
		forward(n, &p);
		put_logits(n, batch, out + at * n->g->outputs[0].classes);
	}
	return 0;
}

static int ref_gradients(struct net *n, const uint32_t *index, int64_t count, struct weights *out, double *loss,
			 struct err *e)
{
	size_t bytes = (size_t)n->size.weights * sizeof(double);
	struct loss_sum sum = { 0 };
	struct pass p;
	double *kept;

	if (same_size(n, out, e) < 0)
		return -1;
	if (count > n->cap)
		return ERR(e, ERR_INVALID, NULL, "ref: gradients of %lld examples: the batch is %d", (long long)count,
			   n->cap);
	kept = block_new(bytes + 1); /* the pass moves the running statistics */
	if (!kept)
		return ERR(e, ERR_RUNTIME, NULL, "ref: out of memory for a copy of the weights");
	memcpy(kept, n->w, bytes);
	batcher_gather(n->batcher, index, (int)count, &n->batch);
	p = batch_pass(n, true, false, 0);
	gradient_pass(n, &p, &sum);
	memcpy(n->w, kept, bytes);
	block_free(kept, bytes + 1);
	for (int64_t i = 0; i < out->total; i++)
		out->data[i] = (float)n->dw[i];
	if (loss)
		*loss = sum.loss / (double)count;
	return 0;
}

/* ---- profile ------------------------------------------------------------------------------------------------ */

static void profile_bytes(const struct net *n, struct net_profile *out)
{
	int64_t d = sizeof(double);

	for (int i = 0; i < n->g->n_nodes; i++) {
		out->layer[i].fused_into = i;
		for (int k = 0; k < n->g->nodes[i].n_out; k++)
			out->layer[i].bytes += 2 * d * n->cap * shape_count(&n->g->nodes[i].out[k]);
	}
	out->weight_bytes = n->size.weights * d;
	out->gradient_bytes = n->size.weights * d;
	out->moment_bytes = n->size.moments * d;
	out->activation_bytes = 2 * n->size.activations * d;
	out->total_bytes = ref_net_bytes(n);
	out->workspace_bytes =
	    out->total_bytes - out->weight_bytes - out->gradient_bytes - out->moment_bytes - out->activation_bytes;
}

static int ref_profile(struct net *n, int steps, struct net_profile *out, struct err *e)
{
	struct layer_time *layer = out->layer;

	(void)e;
	assert(n->batcher && steps > 0);
	memset(layer, 0, (size_t)n->g->n_nodes * sizeof *layer);
	*out = (struct net_profile){ .layer = layer };
	n->times = layer;
	for (int s = 0; s < steps; s++) {
		double start = clock_mono(), loaded, ran;
		struct loss_sum sum = { 0 };
		struct pass p;

		batcher_step(n->batcher, s, &n->batch);
		loaded = clock_mono();
		p = batch_pass(n, true, true, 0);
		gradient_pass(n, &p, &sum);
		ran = clock_mono();
		update(n, s);
		out->input_s += (loaded - start) / steps;
		out->optimizer_s += (clock_mono() - ran) / steps;
		out->loss_s += (ran - loaded) / steps; /* what the layers leave of it, below */
	}
	n->times = NULL;
	for (int i = 0; i < n->g->n_nodes; i++) {
		layer[i].forward_s /= steps;
		layer[i].backward_s /= steps;
		out->loss_s -= layer[i].forward_s + layer[i].backward_s;
	}
	profile_bytes(n, out);
	return 0;
}

const struct backend backend_ref = {
	.name = "ref",
	.help = "the reference: every layer in plain C and double precision; slow",
	.probe = ref_probe,
	.describe = ref_describe,
	.open = ref_open,
	.close = ref_close,
	.supports = ref_supports,
	.plan_bytes = ref_plan_bytes,
	.net_create = ref_net_create,
	.net_free = ref_net_free,
	.net_bytes = ref_net_bytes,
	.set_weights = ref_set_weights,
	.get_weights = ref_get_weights,
	.train_steps = ref_train_steps,
	.evaluate = ref_evaluate,
	.forward_raw = ref_forward_raw,
	.gradients = ref_gradients,
	.state_bytes = ref_state_bytes,
	.save_state = ref_save_state,
	.load_state = ref_load_state,
	.profile = ref_profile,
};
