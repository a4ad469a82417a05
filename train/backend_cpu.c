/* train/backend_cpu.c - the cpu backend: oneDNN primitives and own kernels as a fixed program (see backend_cpu.h).
 *
 * A net has two programs over the same parameters, for training steps and for evaluation, which never run at the same
 * time and share one block of memory. Parameters have one master copy in fp32, in the layout of the training forward;
 * gradients and moments have the same layout, so that the optimizer runs over flat arrays (padding is zero everywhere
 * and stays so). PyTorch's layout appears only where weights and states come in and go out.
 */
#include "train/backend.h"

#include <assert.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "train/backend_cpu_build.h"
#include "train/batch.h"
#include "train/loss.h"
#include "train/optim.h"

struct backend_ctx {
	struct backend_conf conf;
};

enum { MOMENTS_MAX = 2 };

struct net {
	const struct backend_ctx *ctx;
	struct net_spec spec;
	const struct graph *g;
	struct arena *arena;
	struct dn *dn;
	int cap;      /* examples of a batch */
	bool dropout; /* active in training steps */
	bool tune;
	struct cpu_params params;
	int64_t plain_floats; /* of struct weights */
	struct plan train_plan, eval_plan;
	struct cpu_program train, eval; /* train: empty without data */
	struct cpu_now now;
	int eval_logits; /* buffer */
	int moments;
	float *block;
	size_t block_bytes;
	float *weights, *grads, *moment[MOMENTS_MAX], *stats, *tensors;
	struct optim_range *ranges;
	int n_ranges;
	struct batcher *batcher; /* NULL without data */
	struct batch batch;
	struct loss loss;
	struct loss_sum sum; /* of the batch */
};

/* ---- context -------------------------------------------------------------------------------------------- */

static int cpu_probe(struct err *e)
{
	struct dn *dn = NULL;

	if (dn_open(&dn, 1, e) < 0)
		return -1;
	dn_close(dn);
	return 0;
}

static int cpu_open(struct backend_ctx **out, const struct backend_conf *conf, struct err *e)
{
	if (conf->threads < 1)
		return ERR(e, ERR_INVALID, "threads", "cpu: at least 1 thread, not %d", conf->threads);
	*out = mem_new(sizeof **out);
	(*out)->conf = *conf;
	return 0;
}

static void cpu_close(struct backend_ctx *ctx)
{
	mem_free(ctx);
}

static int cpu_supports(const struct graph *g, const struct recipe *r, struct err *e)
{
	if (g->n_inputs != 1)
		return ERR(e, ERR_INVALID, NULL, "cpu: %d inputs: only networks with one input can be trained",
			   g->n_inputs);
	if (r->precision != PRECISION_FP32)
		return ERR(e, ERR_INVALID, "precision", "the cpu backend computes in \"fp32\" only");
	for (int i = 0; i < g->n_nodes; i++)
		if (cpu_supports_node(g, i, e) < 0)
			return -1;
	return loss_supports(g, r, e);
}

/* ---- planning ------------------------------------------------------------------------------------------- */

static void add_params(struct net *n, int node, int *of_node)
{
	struct param_spec spec[LAYER_PARAMS];
	int count = n->g->nodes[node].share >= 0 ? 0 : graph_params(n->g, node, spec);

	of_node[node] = n->params.n;
	for (int k = 0; k < count; k++) {
		n->params.param[n->params.n++] = (struct cpu_param){ .spec = spec[k],
								     .plain_first = n->plain_floats,
								     .stat = spec[k].role == PARAM_STAT,
								     .frozen = n->g->nodes[node].frozen };
		n->plain_floats += param_count(spec + k);
	}
}

/* The parameters in the order of struct weights: node by node, shared ones once. */
static void list_params(struct net *n)
{
	struct param_spec spec[LAYER_PARAMS];
	int *of_node = ARENA_ARRAY(n->arena, int, n->g->n_nodes), count = 0;

	for (int i = 0; i < n->g->n_nodes; i++)
		count += graph_params(n->g, i, spec);
	n->params.param = ARENA_ARRAY(n->arena, struct cpu_param, count);
	n->params.of_node = of_node;
	for (int i = 0; i < n->g->n_nodes; i++)
		add_params(n, i, of_node);
}

static struct cpu_build build_of(struct net *n, bool training)
{
	return (struct cpu_build){ .g = n->g,
				   .plan = training ? &n->train_plan : &n->eval_plan,
				   .p = training ? &n->train : &n->eval,
				   .dn = n->dn,
				   .a = n->arena,
				   .params = &n->params,
				   .batch = n->cap,
				   .training = training,
				   .dropout = n->dropout,
				   .tune = n->tune,
				   .seed = n->spec.seed };
}

static int build_train(struct net *n, struct err *e)
{
	struct cpu_build b = build_of(n, true);
	struct cpu_val *logits;
	int rc = -1;

	plan_init(&n->train_plan, n->g, true, cpu_fuses, n->arena);
	logits = cpu_build_forward(&b, e);
	if (logits)
		rc = cpu_build_backward(&b, logits, e);
	cpu_build_release(&b);
	return rc < 0 ? -1 : program_place(&n->train, e);
}

static int build_eval(struct net *n, struct err *e)
{
	struct cpu_build b = build_of(n, false);
	struct cpu_val *logits;

	plan_init(&n->eval_plan, n->g, false, cpu_fuses, n->arena);
	logits = cpu_build_forward(&b, e);
	cpu_build_release(&b);
	if (!logits)
		return -1;
	n->eval_logits = logits->buf;
	return program_place(&n->eval, e);
}

/* oneDNN counts in 64 bits without checks: what is beyond any machine is sorted out before it is asked. */
static int check_sizes(const struct net *n, struct err *e)
{
	int node = plan_too_large(n->g, n->cap);

	if (node < 0)
		return 0;
	ERR(e, ERR_RUNTIME, n->g->nodes[node].id, "cpu: out of memory: the layer is too large for any machine");
	return NET_OOM;
}

static int plan_net(struct net *n, struct err *e)
{
	int threads = n->ctx->conf.threads, rc = cpu_supports(n->g, n->spec.recipe, e);

	if (rc == 0)
		rc = check_sizes(n, e);
	if (rc < 0)
		return rc;
	if (dn_open(&n->dn, threads, e) < 0)
		return -1;
	n->moments = n->spec.data ? optim_moments(&n->spec.recipe->optimizer) : 0;
	list_params(n);
	program_init(&n->train, n->arena, n->dn, threads, &n->now);
	program_init(&n->eval, n->arena, n->dn, threads, &n->now);
	if (n->spec.data && build_train(n, e) < 0)
		return -1;
	if (build_eval(n, e) < 0)
		return -1;
	cpu_settle_rest(&n->params, n->dn);
	return dn_check(n->dn, e);
}

static int64_t floats_of(int64_t bytes)
{
	return (bytes + PLAN_ALIGN - 1) / PLAN_ALIGN * (PLAN_ALIGN / (int64_t)sizeof(float));
}

static int64_t tensor_floats(const struct net *n)
{
	int64_t most = n->train.arena_bytes > n->eval.arena_bytes ? n->train.arena_bytes : n->eval.arena_bytes;

	return floats_of(most);
}

/* Copies of the weights: the master, and for training the gradient and the moments. */
static int64_t block_floats(const struct net *n)
{
	int copies = n->spec.data ? 2 + n->moments : 1;

	return copies * n->params.weight_floats + n->params.stat_floats + tensor_floats(n) + 16;
}

static int64_t cpu_net_bytes(const struct net *n)
{
	const struct shape *in = &n->g->inputs[0].shape;

	return block_floats(n) * (int64_t)sizeof(float) + (int64_t)batch_bytes(in, n->cap) +
	       (n->spec.data ? batcher_bytes(n->spec.data, in) : 0);
}

static struct net *net_new(struct backend_ctx *ctx, const struct net_spec *spec)
{
	struct net *n = mem_new(sizeof *n);

	*n = (struct net){ .ctx = ctx, .spec = *spec, .g = spec->graph, .dropout = true };
	n->cap = spec->data ? spec->recipe->batch : spec->batch;
	n->cap = n->cap > 0 ? n->cap : 1;
	n->arena = arena_new();
	return n;
}

static void cpu_net_free(struct net *n)
{
	if (!n)
		return;
	program_release(&n->train);
	program_release(&n->eval);
	dn_close(n->dn);
	batcher_free(n->batcher);
	batch_release(&n->batch);
	block_free(n->block, n->block_bytes);
	arena_free(n->arena);
	mem_free(n);
}

static int64_t cpu_plan_bytes(struct backend_ctx *ctx, const struct net_spec *spec, struct err *e)
{
	struct net *n = net_new(ctx, spec);
	int64_t bytes = plan_net(n, e) < 0 ? -1 : cpu_net_bytes(n);

	cpu_net_free(n);
	return bytes;
}

/* ---- making --------------------------------------------------------------------------------------------- */

static void list_ranges(struct net *n)
{
	n->ranges = ARENA_ARRAY(n->arena, struct optim_range, n->params.n + 1);
	for (int i = 0; i < n->params.n; i++) {
		const struct cpu_param *w = n->params.param + i;

		if (w->stat)
			continue;
		n->ranges[n->n_ranges++] = (struct optim_range){
			.first = w->first, .count = w->count, .decay = w->spec.role == PARAM_WEIGHT, .frozen = w->frozen
		};
	}
}

static int out_of_memory(int64_t want, int64_t most, struct err *e)
{
	if (most > 0)
		ERR(e, ERR_RUNTIME, NULL, "cpu: the network needs %lld bytes, %lld are allowed", (long long)want,
		    (long long)most);
	else
		ERR(e, ERR_RUNTIME, NULL, "cpu: out of memory: the network needs %lld bytes", (long long)want);
	return NET_OOM;
}

static int allocate(struct net *n, struct err *e)
{
	int64_t want = cpu_net_bytes(n), most = n->ctx->conf.most_bytes, size = n->params.weight_floats;
	float *at;

	if (most > 0 && want > most)
		return out_of_memory(want, most, e);
	n->block_bytes = (size_t)block_floats(n) * sizeof(float);
	n->block = block_new(n->block_bytes);
	if (!n->block || batch_init(&n->batch, &n->g->inputs[0].shape, n->cap, NULL) < 0)
		return out_of_memory(want, 0, e);
	at = n->block;
	n->tensors = at; /* first: it wants the alignment of the block */
	at += tensor_floats(n);
	n->weights = at;
	at += size;
	n->grads = n->spec.data ? at : NULL;
	at += n->spec.data ? size : 0;
	for (int k = 0; k < n->moments; k++, at += size)
		n->moment[k] = at;
	n->stats = at;
	return 0;
}

static int bind(struct net *n, struct err *e)
{
	float *const base[CPU_BASES] = { [CPU_ARENA] = n->tensors,
					 [CPU_WEIGHTS] = n->weights,
					 [CPU_GRADS] = n->grads,
					 [CPU_STATS] = n->stats,
					 [CPU_INPUT] = n->batch.x };

	if (program_bind(&n->train, base, e) < 0)
		return -1;
	return program_bind(&n->eval, base, e);
}

static int make_net(struct net *n, struct err *e)
{
	int rc = plan_net(n, e);

	if (rc == 0)
		rc = allocate(n, e);
	if (rc < 0)
		return rc;
	list_ranges(n);
	loss_init(&n->loss, n->g, n->spec.recipe, n->arena);
	n->now = (struct cpu_now){ .batch = &n->batch, .loss = &n->loss, .sum = &n->sum };
	if (n->spec.data && batcher_new(&n->batcher, n->spec.data, n->spec.recipe, &n->g->inputs[0].shape,
					n->spec.train, n->spec.n_train, n->spec.seed, e) < 0)
		return -1;
	return bind(n, e);
}

static int cpu_net_create(struct net **out, struct backend_ctx *ctx, const struct net_spec *spec, struct err *e)
{
	struct net *n = net_new(ctx, spec);
	int rc;

	n->tune = ctx->conf.tune;
	rc = make_net(n, e);

	if (rc < 0)
		cpu_net_free(n);
	else
		*out = n;
	return rc;
}

/* ---- weights and state ---------------------------------------------------------------------------------- */

/* One tensor from one layout to another, outside of the programs. */
static int convert(struct net *n, const struct dn_md *from, const void *src, const struct dn_md *to, void *dst,
		   struct err *e)
{
	struct dn_prim *p = dn_reorder(n->dn, from, to);
	size_t scratch = p ? dn_prim_scratch(p) : 0;
	void *space = scratch ? block_new(scratch) : NULL;
	int rc = -1;

	if (!p || (scratch && !space)) {
		ERR(e, ERR_RUNTIME, NULL, "cpu: out of memory for a change of layout");
		goto out;
	}
	TRY(dn_make(p, e));
	TRY(dn_bind(p, DN_SRC, from, (void *)src, e));
	TRY(dn_bind(p, DN_DST, to, dst, e));
	TRY(dn_bind_scratch(p, space, scratch, e));
	rc = dn_run(p) < 0 ? ERR(e, ERR_RUNTIME, NULL, "oneDNN failed in a change of layout") : 0;
out:
	dn_drop(n->dn, p);
	block_free(space, scratch);
	return rc;
}

enum direction { COME_IN, GO_OUT };

/* Copies parameters between PyTorch's layout (`plain`, all of struct weights) and flat arrays of the master's layout;
 * statistics only where `stats` is given. */
static int transfer(struct net *n, enum direction way, float *plain, float *weights, float *stats, struct err *e)
{
	for (int i = 0; i < n->params.n; i++) {
		const struct cpu_param *w = n->params.param + i;
		float *own = (w->stat ? stats : weights), *other = plain + w->plain_first;
		int rc;

		if (!own)
			continue;
		own += w->first;
		rc = way == COME_IN ? convert(n, w->plain, other, w->md, own, e)
				    : convert(n, w->md, own, w->plain, other, e);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int same_size(const struct net *n, const struct weights *w, struct err *e)
{
	if (w->total == n->plain_floats && w->n == n->params.n)
		return 0;
	return ERR(e, ERR_INVALID, NULL, "weights of another network: %lld numbers instead of %lld",
		   (long long)w->total, (long long)n->plain_floats);
}

static int cpu_set_weights(struct net *n, const struct weights *w, struct err *e)
{
	if (same_size(n, w, e) < 0)
		return -1;
	for (int k = 0; k < n->moments; k++)
		memset(n->moment[k], 0, (size_t)n->params.weight_floats * sizeof(float));
	return transfer(n, COME_IN, w->data, n->weights, n->stats, e);
}

static int cpu_get_weights(struct net *n, struct weights *w, struct err *e)
{
	if (same_size(n, w, e) < 0)
		return -1;
	return transfer(n, GO_OUT, w->data, n->weights, n->stats, e);
}

/* A state is a sequence of plain copies: weights and statistics, then each moment (zeros for statistics). So it does
 * not depend on the layouts that this machine prefers. */
static size_t cpu_state_bytes(const struct net *n)
{
	return (size_t)((1 + n->moments) * n->plain_floats) * sizeof(float);
}

static int cpu_save_state(struct net *n, void *out, struct err *e)
{
	float *to = out;

	memset(out, 0, cpu_state_bytes(n));
	if (transfer(n, GO_OUT, to, n->weights, n->stats, e) < 0)
		return -1;
	for (int k = 0; k < n->moments; k++)
		if (transfer(n, GO_OUT, to + (k + 1) * n->plain_floats, n->moment[k], NULL, e) < 0)
			return -1;
	return 0;
}

static int cpu_load_state(struct net *n, const void *in, size_t bytes, struct err *e)
{
	float *from = (float *)in; /* only read */

	if (bytes != cpu_state_bytes(n))
		return ERR(e, ERR_INVALID, NULL, "cpu: a state of %zu bytes instead of %zu: of another network", bytes,
			   cpu_state_bytes(n));
	if (transfer(n, COME_IN, from, n->weights, n->stats, e) < 0)
		return -1;
	for (int k = 0; k < n->moments; k++)
		if (transfer(n, COME_IN, from + (k + 1) * n->plain_floats, n->moment[k], NULL, e) < 0)
			return -1;
	return 0;
}

/* ---- training and evaluation ---------------------------------------------------------------------------- */

/* OpenMP counts threads per calling thread, and primitives were made for this many. */
static void take_threads(const struct net *n)
{
	omp_set_num_threads(n->ctx->conf.threads);
}

static double update(struct net *n, int64_t step)
{
	const struct recipe *r = n->spec.recipe;
	double norm = sqrt(optim_square_sum_f32(n->grads, n->ranges, n->n_ranges));
	struct optim_step s;

	if (!isfinite(norm))
		return norm;
	optim_step_init(&s, &r->optimizer, recipe_rate(r, step, batcher_steps_per_epoch(n->batcher)), step);
	s.scale = optim_clip_scale(norm, r->clip);
	optim_update_f32(&s, n->weights, n->grads, n->moment[0], n->moment[1], n->ranges, n->n_ranges);
	return norm;
}

static int cpu_train_steps(struct net *n, int64_t first, int64_t count, struct step_stats *stats, struct err *e)
{
	assert(n->batcher);
	take_threads(n);
	for (int64_t s = first; s < first + count && !stats->diverged; s++) {
		double norm;

		batcher_step(n->batcher, s, &n->batch);
		n->now.epoch = (uint32_t)(s / batcher_steps_per_epoch(n->batcher));
		n->sum = (struct loss_sum){ 0 };
		if (program_run(&n->train, 0, n->train.n_ops, e) < 0)
			return -1;
		norm = isfinite(n->sum.loss) ? update(n, s) : n->sum.loss;
		stats->examples += n->cap;
		stats->loss += n->sum.loss;
		stats->correct += n->sum.correct;
		stats->grad_norm += norm;
		stats->diverged = !isfinite(norm);
	}
	return 0;
}

static float *eval_logits(const struct net *n)
{
	const struct cpu_buf *b = n->eval.bufs + n->eval_logits;

	return b->base == CPU_INPUT ? n->batch.x : (float *)((char *)n->tensors + b->offset);
}

/* Runs the first `batch` examples of n->batch, the rest zeros, and writes their logits. */
static int eval_batch(struct net *n, int batch, bool first, float *out, struct err *e)
{
	int64_t per = shape_count(&n->g->inputs[0].shape);

	memset(n->batch.x + batch * per, 0, (size_t)((n->cap - batch) * per) * sizeof(float));
	if (program_run(&n->eval, first ? 0 : n->eval.n_prologue, n->eval.n_ops, e) < 0)
		return -1;
	memcpy(out, eval_logits(n), (size_t)batch * (size_t)n->g->outputs[0].classes * sizeof(float));
	return 0;
}

static int cpu_evaluate(struct net *n, const uint32_t *index, int64_t count, float *out, struct err *e)
{
	assert(n->batcher);
	take_threads(n);
	for (int64_t at = 0; at < count; at += n->cap) {
		int batch = (int)(count - at < n->cap ? count - at : n->cap);

		batcher_gather(n->batcher, index + at, batch, &n->batch);
		if (eval_batch(n, batch, at == 0, out + at * n->g->outputs[0].classes, e) < 0)
			return -1;
	}
	return 0;
}

static int cpu_forward_raw(struct net *n, const float *in, int64_t count, float *out, struct err *e)
{
	int64_t per = shape_count(&n->g->inputs[0].shape);

	take_threads(n);
	for (int64_t at = 0; at < count; at += n->cap) {
		int batch = (int)(count - at < n->cap ? count - at : n->cap);

		memcpy(n->batch.x, in + at * per, (size_t)(batch * per) * sizeof(float));
		if (eval_batch(n, batch, at == 0, out + at * n->g->outputs[0].classes, e) < 0)
			return -1;
	}
	return 0;
}

/* The gradients of a net whose batch is exactly these examples. */
static int batch_gradients(struct net *n, const uint32_t *index, struct weights *out, double *loss, struct err *e)
{
	batcher_gather(n->batcher, index, n->cap, &n->batch);
	n->now.epoch = 0;
	n->sum = (struct loss_sum){ 0 };
	if (program_run(&n->train, 0, n->train.n_ops, e) < 0)
		return -1;
	memset(out->data, 0, (size_t)out->total * sizeof(float));
	if (loss)
		*loss = n->sum.loss / n->cap;
	return transfer(n, GO_OUT, out->data, n->grads, NULL, e);
}

/* In a net of its own: of that batch size, without dropout, and its running statistics are not this one's. */
static int cpu_gradients(struct net *n, const uint32_t *index, int64_t count, struct weights *out, double *loss,
			 struct err *e)
{
	struct recipe recipe = *n->spec.recipe;
	struct net_spec spec = n->spec;
	struct net *other;
	void *state = NULL;
	int rc = -1;

	if (same_size(n, out, e) < 0)
		return -1;
	recipe.batch = (int)count;
	spec.recipe = &recipe;
	spec.train = index;
	spec.n_train = count;
	other = net_new((struct backend_ctx *)n->ctx, &spec);
	other->dropout = false;
	TRY(make_net(other, e));
	state = block_new(cpu_state_bytes(n));
	if (!state) {
		ERR(e, ERR_RUNTIME, NULL, "cpu: out of memory for a copy of the weights");
		goto out;
	}
	TRY(cpu_save_state(n, state, e));
	TRY(cpu_load_state(other, state, cpu_state_bytes(other), e));
	rc = batch_gradients(other, index, out, loss, e);
out:
	block_free(state, state ? cpu_state_bytes(n) : 0);
	cpu_net_free(other);
	return rc;
}

/* ---- profile -------------------------------------------------------------------------------------------- */

static int run_timed(struct net *n, struct net_profile *out, double share, struct err *e)
{
	for (int i = 0; i < n->train.n_ops; i++) {
		const struct cpu_op *op = n->train.ops + i;
		double start = clock_mono(), took;

		if (program_run(&n->train, i, i + 1, e) < 0)
			return -1;
		took = (clock_mono() - start) * share;
		if (op->node < 0)
			out->loss_s += took;
		else if (op->backward)
			out->layer[op->node].backward_s += took;
		else
			out->layer[op->node].forward_s += took;
	}
	return 0;
}

static void profile_bytes(const struct net *n, struct net_profile *out)
{
	int64_t size = (int64_t)sizeof(float), weights = n->params.weight_floats * size;

	for (int i = 0; i < n->g->n_nodes; i++)
		out->layer[i].fused_into = n->train_plan.lead[i];
	for (int i = 0; i < n->train.n_bufs; i++) {
		const struct cpu_buf *b = n->train.bufs + i;

		if (b->base == CPU_ARENA && b->node >= 0)
			out->layer[b->node].bytes += b->bytes;
	}
	out->weight_bytes = weights + n->params.stat_floats * size;
	out->gradient_bytes = weights;
	out->moment_bytes = n->moments * weights;
	out->workspace_bytes = n->train.scratch_bytes;
	out->activation_bytes = tensor_floats(n) * size - out->workspace_bytes;
	out->total_bytes = cpu_net_bytes(n);
}

static int cpu_profile(struct net *n, int steps, struct net_profile *out, struct err *e)
{
	struct layer_time *layer = out->layer;

	assert(n->batcher && steps > 0);
	take_threads(n);
	memset(layer, 0, (size_t)n->g->n_nodes * sizeof *layer);
	*out = (struct net_profile){ .layer = layer };
	for (int s = 0; s < steps; s++) {
		double start = clock_mono();

		batcher_step(n->batcher, s, &n->batch);
		out->input_s += (clock_mono() - start) / steps;
		n->now.epoch = 0;
		if (run_timed(n, out, 1.0 / steps, e) < 0)
			return -1;
		start = clock_mono();
		update(n, s);
		out->optimizer_s += (clock_mono() - start) / steps;
	}
	profile_bytes(n, out);
	return 0;
}

const struct backend backend_cpu = {
	.name = "cpu",
	.help = "one or more cores of this machine, through oneDNN",
	.probe = cpu_probe,
	.describe = dn_describe,
	.open = cpu_open,
	.close = cpu_close,
	.supports = cpu_supports,
	.plan_bytes = cpu_plan_bytes,
	.net_create = cpu_net_create,
	.net_free = cpu_net_free,
	.net_bytes = cpu_net_bytes,
	.set_weights = cpu_set_weights,
	.get_weights = cpu_get_weights,
	.train_steps = cpu_train_steps,
	.evaluate = cpu_evaluate,
	.forward_raw = cpu_forward_raw,
	.gradients = cpu_gradients,
	.state_bytes = cpu_state_bytes,
	.save_state = cpu_save_state,
	.load_state = cpu_load_state,
	.profile = cpu_profile,
};
