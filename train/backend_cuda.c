/* train/backend_cuda.c - the cuda backend: programs for a card (train/backend_cuda_program.h), run by the plugin.
 *
 * A net has two programs, for training steps and for evaluation, which run side by side: each has a lane and a slab of
 * its own, and evaluation reads a copy of the weights that is taken between two training steps. (A net that does not
 * train has no copy.) Everything of a net lies in one block on the card, whose size is known before it is asked for.
 * What changes from step to step stands on the card, too (struct cuda_control, struct cuda_step): the host sends a list
 * of steps and waits for the sums. States are those of the cpu backend: PyTorch's layout.
 */
#include "train/backend.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "train/backend_cuda_build.h"
#include "train/backend_cuda_card.h"
#include "train/backend_cuda_load.h"
#include "train/batch.h"
#include "train/loss.h"
#include "train/optim.h"

struct backend_ctx {
	struct backend_conf conf;
	struct cuda_common *common;
	const struct cuda_plugin *plugin;
	struct cuda_lane *lane, *beside; /* of everything; of evaluation */
	int nets;                        /* alive: with one in hand it does not wait for memory */
};

enum { MOMENTS_MAX = 2, STEPS_MOST = 1024, PIECE_BYTES = 1 << 24 };

enum region { /* of a net's block: those of the same name in enum cuda_base, and */
	      TRAIN_LIST = CUDA_BASES,
	      TRAIN_CONTROL,
	      EVAL_CONTROL,
	      EVAL_SLAB, /* what evaluation has in the place of CUDA_SLAB and, of a net that trains, of these: */
	      EVAL_PARAMS,
	      EVAL_PARAMS16,
	      EVAL_STATS,
	      REGIONS
};

static const struct {
	int of, copy;
} snapshot[] = { { CUDA_PARAMS, EVAL_PARAMS }, { CUDA_PARAMS16, EVAL_PARAMS16 }, { CUDA_STATS, EVAL_STATS } };
enum { SNAPSHOT = sizeof snapshot / sizeof *snapshot };

struct net {
	struct backend_ctx *ctx;
	struct net_spec spec;
	const struct graph *g;
	struct arena *arena;
	int cap;      /* examples of a batch */
	bool trains;  /* there is a training program; */
	bool updates; /* it ends in a step of the optimizer */
	bool once;    /* it gives gradients a few times: no CUDA graph, no evaluation */
	struct cuda_params params;
	struct plan train_plan, eval_plan;
	struct cuda_program train, eval;
	int moments;
	struct cuda_chunk *chunks;
	int n_chunks, cap_chunks;
	int64_t piece; /* examples that are evaluated at once */
	struct {       /* the evaluation under way */
		const uint32_t *index;
		int64_t n;
		int64_t first; /* example whose logits are the first in CUDA_OUT, a piece in all */
	} asked;
	int64_t at[REGIONS], bytes[REGIONS], total;
	struct cuda_lease lease;
	struct cuda_exec *train_exec, *eval_exec;
	struct net *probe; /* for gradients of so many examples, made when they are first asked for */
};

/* ---- context -------------------------------------------------------------------------------------------- */

static int cuda_probe(struct err *e)
{
	struct cuda_found *found = mem_new(sizeof *found);
	int rc = cuda_find(found, e);

	mem_free(found);
	return rc;
}

static void cuda_describe(char *buf, size_t size)
{
	struct cuda_found *found = mem_new(sizeof *found);
	struct str text = { 0 };

	cuda_find(found, NULL);
	for (int i = 0; i < found->n_parts; i++)
		str_addf(&text, "%s%s %s", i ? ", " : "", found->part[i].name, found->part[i].text);
	if (found->n_devices > 0)
		str_addf(&text, ", %s", found->device[0].name);
	snprintf(buf, size, "%s", str_get(&text));
	str_release(&text);
	mem_free(found);
}

static void cuda_close(struct backend_ctx *ctx)
{
	if (!ctx)
		return;
	if (ctx->beside)
		ctx->plugin->lane_close(ctx->beside); /* first: it follows the other one */
	if (ctx->lane)
		ctx->plugin->lane_close(ctx->lane);
	mem_free(ctx);
}

static int cuda_open(struct backend_ctx **out, const struct backend_conf *conf, struct err *e)
{
	struct backend_ctx *ctx = mem_new(sizeof *ctx);
	struct cuda_error failure = { 0 };

	ctx->conf = *conf;
	if (cuda_common_open(&ctx->common, conf->device, e) < 0)
		goto fail;
	ctx->plugin = cuda_common_plugin(ctx->common);
	if (ctx->plugin->lane_open(&ctx->lane, cuda_common_card(ctx->common), &failure) < 0 ||
	    ctx->plugin->lane_open(&ctx->beside, cuda_common_card(ctx->common), &failure) < 0) {
		cuda_failed(ctx->common, &failure, e);
		goto fail;
	}
	*out = ctx;
	return 0;
fail:
	cuda_close(ctx);
	return -1;
}

static bool cuda_lost(struct backend_ctx *ctx)
{
	return cuda_common_lost(ctx->common);
}

static int cuda_supports(const struct graph *g, const struct recipe *r, struct err *e)
{
	if (g->n_inputs != 1)
		return ERR(e, ERR_INVALID, NULL, "cuda: %d inputs: only networks with one input can be trained",
			   g->n_inputs);
	for (int i = 0; i < g->n_nodes; i++)
		if (!cuda_builders[g->nodes[i].kind])
			return ERR(e, ERR_INVALID, g->nodes[i].id, "the cuda backend cannot run %s layers",
				   layer_classes[g->nodes[i].kind]->name);
	return loss_supports(g, r, e);
}

/* ---- planning ------------------------------------------------------------------------------------------- */

static struct net *net_new(struct backend_ctx *ctx, const struct net_spec *spec)
{
	struct net *n = mem_new(sizeof *n);

	*n = (struct net){ .ctx = ctx, .spec = *spec, .g = spec->graph };
	n->cap = spec->data ? spec->recipe->batch : spec->batch;
	n->cap = n->cap > 0 ? n->cap : 1;
	n->trains = spec->data && spec->n_train > 0;
	n->arena = arena_new();
	for (int i = 0; i < n->g->n_nodes && n->trains; i++)
		n->updates |= plan_trains(n->g, i);
	return n;
}

static void cuda_net_free(struct net *n)
{
	const struct cuda_plugin *plugin = n ? n->ctx->plugin : NULL;
	struct cuda_error nobody = { 0 };

	if (!n)
		return;
	cuda_net_free(n->probe);
	if (n->lease.common) { /* others may have the memory next */
		plugin->wait(n->ctx->lane, &nobody);
		plugin->wait(n->ctx->beside, &nobody);
	}
	if (n->train_exec)
		plugin->exec_free(n->train_exec);
	if (n->eval_exec)
		plugin->exec_free(n->eval_exec);
	n->ctx->nets -= n->lease.common != NULL;
	cuda_lease_give(&n->lease);
	cuda_program_release(&n->train);
	cuda_program_release(&n->eval);
	mem_free(n->chunks);
	arena_free(n->arena);
	mem_free(n);
}

/* What is beyond any card is sorted out before bytes are counted. */
static int check_sizes(const struct net *n, struct err *e)
{
	int node = plan_too_large(n->g, n->cap);

	if (node < 0)
		return 0;
	ERR(e, ERR_RUNTIME, n->g->nodes[node].id, "cuda: out of memory: the layer is too large for any card");
	return NET_OOM;
}

static int build(struct net *n, bool training, struct err *e)
{
	struct cuda_build b = { .g = n->g,
				.recipe = n->spec.recipe,
				.plan = training ? &n->train_plan : &n->eval_plan,
				.p = training ? &n->train : &n->eval,
				.a = n->arena,
				.params = &n->params,
				.batch = n->cap,
				.seed = n->spec.seed,
				.training = training,
				.update = n->updates };
	int rc;

	plan_init(b.plan, n->g, training, cuda_fuses, n->arena);
	cuda_program_begin(b.p);
	rc = cuda_build_program(&b, e);
	cuda_build_release(&b);
	return rc;
}

static void add_chunks(struct net *n, const struct cuda_param *w)
{
	enum cuda_elem elem = w->written ? w->grad_elem : CUDA_F32;

	for (int64_t at = 0; at < w->count; at += CUDA_CHUNK) {
		int64_t left = w->count - at;

		GROW(n->chunks, n->n_chunks, n->cap_chunks);
		n->chunks[n->n_chunks++] =
		    (struct cuda_chunk){ .first = w->first + at,
					 .grad = w->first * 4 + at * (elem == CUDA_BF16 ? 2 : 4),
					 .count = (int32_t)(left < CUDA_CHUNK ? left : CUDA_CHUNK),
					 .decay = w->spec.role == PARAM_WEIGHT,
					 .elem = elem };
	}
}

static void list_chunks(struct net *n)
{
	for (int i = 0; i < n->params.n && n->updates; i++)
		if (!n->params.param[i].stat && !n->params.param[i].frozen)
			add_chunks(n, n->params.param + i);
	for (int i = 0; i < n->train.n_ops; i++) {
		struct cuda_op *op = n->train.ops + i;

		if (op->kind == CUDA_OP_NORM_OF_GRADIENT || op->kind == CUDA_OP_OPTIMIZE)
			op->u.update.n_chunks = n->n_chunks;
	}
}

/* Engines, scratch and places. */
static int plan_program(struct net *n, struct cuda_program *p, struct err *e)
{
	int64_t *scratch = mem_new((size_t)(p->n_ops + 1) * sizeof *scratch);
	int64_t *reserve = mem_new((size_t)(p->n_ops + 1) * sizeof *reserve);
	struct cuda_error failure = { .op = -1 };
	int rc = n->ctx->plugin->plan(cuda_common_card(n->ctx->common), NULL, p->ops, p->n_ops, n->ctx->conf.tune,
				      scratch, reserve, &failure);

	if (rc == 0) {
		cuda_program_scratch(p, scratch, reserve);
		rc = cuda_program_place(p, e);
	} else if (failure.status == CUDA_UNSUPPORTED) {
		int node = failure.op >= 0 && failure.op < p->n_ops ? p->ops[failure.op].node : -1;

		rc = ERR(e, ERR_INVALID, node < 0 ? NULL : n->g->nodes[node].id, "cuda: %s", failure.text);
	} else {
		rc = cuda_failed(n->ctx->common, &failure, e);
	}
	mem_free(scratch);
	mem_free(reserve);
	return rc;
}

/* Examples that are evaluated at once: as many as fit some megabytes of logits, whole batches, not more than the data
 * hold. */
static int64_t piece_of(const struct net *n)
{
	int64_t batch = (int64_t)n->g->outputs[0].classes * 4 * n->cap, most = PIECE_BYTES / batch;
	int64_t all = n->spec.data ? (n->spec.data->n + n->cap - 1) / n->cap : 1;

	most = most < all ? most : all;
	return (most > 0 ? most : 1) * n->cap;
}

static bool has_copies(const struct net *n)
{
	return n->trains && !n->once;
}

static void lay_out(struct net *n)
{
	int64_t weights = n->params.weight_floats * 4, raw = shape_count(&n->g->inputs[0].shape) * 4 * n->cap;

	n->piece = piece_of(n);
	n->bytes[CUDA_SLAB] = n->train.slab_bytes;
	n->bytes[EVAL_SLAB] = n->eval.slab_bytes;
	n->bytes[CUDA_PARAMS] = weights;
	n->bytes[CUDA_PARAMS16] = n->spec.recipe->precision == PRECISION_BF16 ? weights / 2 : 0;
	n->bytes[CUDA_GRADS] = n->trains ? weights : 0;
	for (int k = 0; k < n->moments; k++)
		n->bytes[CUDA_MOMENT1 + k] = weights;
	n->bytes[CUDA_STATS] = n->params.stat_floats * 4;
	n->bytes[CUDA_INDEX] = raw > n->piece * 4 ? raw : n->piece * 4;
	n->bytes[CUDA_OUT] = n->piece * n->g->outputs[0].classes * 4;
	n->bytes[CUDA_STEPS] = n->trains ? STEPS_MOST * (int64_t)sizeof(struct cuda_step) : 0;
	n->bytes[CUDA_CHUNKS] = n->n_chunks * (int64_t)sizeof(struct cuda_chunk);
	n->bytes[TRAIN_LIST] = n->trains ? n->spec.n_train * 4 : 0;
	n->bytes[TRAIN_CONTROL] = n->bytes[EVAL_CONTROL] = sizeof(struct cuda_control);
	for (int i = 0; i < SNAPSHOT && has_copies(n); i++)
		n->bytes[snapshot[i].copy] = n->bytes[snapshot[i].of];
	n->total = 0;
	for (int i = 0; i < REGIONS; i++) {
		n->at[i] = n->total;
		n->total += (n->bytes[i] + CUDA_ALIGN - 1) / CUDA_ALIGN * CUDA_ALIGN;
	}
}

static int plan_net(struct net *n, struct err *e)
{
	int rc = cuda_supports(n->g, n->spec.recipe, e);

	if (rc == 0)
		rc = check_sizes(n, e);
	if (rc == 0 && n->spec.data)
		rc = batcher_check(n->spec.data, n->spec.recipe, &n->g->inputs[0].shape, n->spec.n_train, e);
	if (rc < 0)
		return rc;
	n->moments = n->updates ? optim_moments(&n->spec.recipe->optimizer) : 0;
	cuda_params_init(&n->params, n->g, n->arena);
	if ((n->trains && build(n, true, e) < 0) || (!n->once && build(n, false, e) < 0))
		return -1;
	cuda_params_settle_rest(&n->params);
	list_chunks(n);
	rc = n->trains ? plan_program(n, &n->train, e) : 0;
	if (rc == 0 && !n->once)
		rc = plan_program(n, &n->eval, e);
	if (rc == 0)
		lay_out(n);
	return rc;
}

static int64_t cuda_plan_bytes(struct backend_ctx *ctx, const struct net_spec *spec, struct err *e)
{
	struct net *n = net_new(ctx, spec);
	int64_t bytes = plan_net(n, e) < 0 ? -1 : n->total;

	cuda_net_free(n);
	return bytes;
}

static int64_t cuda_net_bytes(const struct net *n)
{
	return n->total;
}

/* ---- making --------------------------------------------------------------------------------------------- */

static uint64_t address(const struct net *n, int region)
{
	return n->lease.address + (uint64_t)n->at[region];
}

static int failed(const struct net *n, const struct cuda_error *failure, struct err *e)
{
	return cuda_failed(n->ctx->common, failure, e);
}

static int upload(const struct net *n, int region, const void *from, int64_t bytes, struct err *e)
{
	struct cuda_error failure = { 0 };

	assert(bytes <= n->bytes[region]);
	if (n->ctx->plugin->upload(n->ctx->lane, address(n, region), from, bytes, &failure) < 0)
		return failed(n, &failure, e);
	return 0;
}

static int download(const struct net *n, int region, void *to, int64_t bytes, struct err *e)
{
	struct cuda_error failure = { 0 };

	assert(bytes <= n->bytes[region]);
	if (n->ctx->plugin->download(n->ctx->lane, to, address(n, region), bytes, &failure) < 0)
		return failed(n, &failure, e);
	return 0;
}

static int clear(const struct net *n, int region, struct err *e)
{
	struct cuda_error failure = { 0 };

	if (n->bytes[region] == 0)
		return 0;
	if (n->ctx->plugin->fill(n->ctx->lane, address(n, region), 0, n->bytes[region], &failure) < 0)
		return failed(n, &failure, e);
	return 0;
}

static int out_of_memory(int64_t want, int64_t most, struct err *e)
{
	ERR(e, ERR_RUNTIME, NULL, "cuda: the network needs %lld bytes, %lld are allowed", (long long)want,
	    (long long)most);
	return NET_OOM;
}

/* The list of training examples lies in the net's own block: its offset counts from the data set's address all the
 * same. */
static void fill_gather(const struct net *n, struct cuda_program *p)
{
	const struct recipe *r = n->spec.recipe;
	const struct cuda_data *d = n->lease.data;
	struct cuda_op_gather *g = &p->ops[0].u.gather;
	struct philox_key key = batch_order_key(n->spec.seed), keys[RECIPE_AUGMENTS];

	g->data = g->label = g->target = g->length = g->train = g->mean = g->std = -1;
	if (!d)
		return;
	g->bytes = d->bytes;
	g->data = d->data;
	g->label = d->label;
	g->target = d->target;
	g->length = d->length;
	g->mean = d->mean;
	g->std = d->std;
	g->train = n->trains ? (int64_t)(address(n, TRAIN_LIST) - d->address) : -1;
	g->n_train = (uint32_t)n->spec.n_train;
	memcpy(g->shuffle_key, key.k, sizeof key.k);
	batch_augment_keys(keys, r, n->spec.seed);
	g->n_augment = r->n_augment;
	for (int i = 0; i < r->n_augment; i++) {
		g->augment[i] = (struct cuda_augment){ .kind = (int32_t)r->augment[i].kind,
						       .pad = r->augment[i].pad,
						       .size = r->augment[i].size,
						       .p = r->augment[i].p };
		memcpy(g->augment[i].key, keys[i].k, sizeof keys[i].k);
	}
}

static bool as_graph(const struct net *n)
{
	return !n->ctx->conf.eager && !n->once;
}

static int make_train_exec(struct net *n, const uint64_t base[CUDA_BASES], struct err *e)
{
	struct cuda_error failure = { 0 };

	fill_gather(n, &n->train);
	if (n->ctx->plugin->exec_new(&n->train_exec, n->ctx->lane, n->train.ops, n->train.n_ops, base,
				     address(n, TRAIN_CONTROL), as_graph(n), &failure) < 0)
		return failed(n, &failure, e);
	return 0;
}

static int make_eval_exec(struct net *n, uint64_t base[CUDA_BASES], struct err *e)
{
	struct cuda_error failure = { 0 };

	fill_gather(n, &n->eval);
	base[CUDA_SLAB] = address(n, EVAL_SLAB);
	for (int i = 0; i < SNAPSHOT && has_copies(n); i++)
		base[snapshot[i].of] = address(n, snapshot[i].copy);
	if (n->ctx->plugin->exec_new(&n->eval_exec, n->ctx->beside, n->eval.ops, n->eval.n_ops, base,
				     address(n, EVAL_CONTROL), as_graph(n), &failure) < 0)
		return failed(n, &failure, e);
	return 0;
}

static int make_execs(struct net *n, struct err *e)
{
	uint64_t base[CUDA_BASES] = { 0 };

	for (int i = 1; i < CUDA_BASES; i++)
		base[i] = address(n, i);
	base[CUDA_DATA] = n->lease.data ? n->lease.data->address : 0;
	if (n->trains && make_train_exec(n, base, e) < 0)
		return -1;
	return n->once ? 0 : make_eval_exec(n, base, e);
}

/* For evaluation: the weights as they are after what the lane holds by now. */
static int take_copies(const struct net *n, struct err *e)
{
	const struct cuda_plugin *plugin = n->ctx->plugin;
	struct cuda_error failure = { 0 };
	int rc = 0;

	for (int i = 0; i < SNAPSHOT && has_copies(n) && rc == 0; i++)
		if (n->bytes[snapshot[i].of] > 0)
			rc = plugin->copy(n->ctx->lane, address(n, snapshot[i].copy), address(n, snapshot[i].of),
					  n->bytes[snapshot[i].of], &failure);
	if (rc == 0)
		rc = plugin->follow(n->ctx->beside, n->ctx->lane, &failure);
	return rc < 0 ? failed(n, &failure, e) : 0;
}

static int bind(struct net *n, struct err *e)
{
	int rc = 0;

	for (int i = CUDA_PARAMS; i <= CUDA_STATS && rc == 0; i++)
		rc = clear(n, i, e);
	if (rc == 0 && n->n_chunks > 0)
		rc = upload(n, CUDA_CHUNKS, n->chunks, n->bytes[CUDA_CHUNKS], e);
	if (rc == 0 && n->trains)
		rc = upload(n, TRAIN_LIST, n->spec.train, n->spec.n_train * 4, e);
	if (rc == 0)
		rc = take_copies(n, e);
	if (rc == 0)
		rc = make_execs(n, e);
	return rc;
}

static int make_net(struct net *n, struct err *e)
{
	struct backend_ctx *ctx = n->ctx;
	int rc = plan_net(n, e);

	if (rc < 0)
		return rc;
	if (ctx->conf.most_bytes > 0 && n->total > ctx->conf.most_bytes)
		return out_of_memory(n->total, ctx->conf.most_bytes, e);
	rc = cuda_lease_take(&n->lease, ctx->common, ctx->lane, n->total,
			     ctx->nets == 0 ? &(struct cuda_patience){ n->spec.stopped, n->spec.arg } : NULL,
			     n->spec.data, n->spec.recipe, &n->g->inputs[0].shape, e);
	if (rc < 0)
		return rc;
	ctx->nets++;
	return bind(n, e);
}

static int cuda_net_create(struct net **out, struct backend_ctx *ctx, const struct net_spec *spec, struct err *e)
{
	struct net *n = net_new(ctx, spec);
	int rc = make_net(n, e);

	if (rc < 0)
		cuda_net_free(n);
	else
		*out = n;
	return rc;
}

/* ---- weights and state ---------------------------------------------------------------------------------- */

static int no_host_memory(int64_t bytes, struct err *e)
{
	return ERR(e, ERR_RUNTIME, NULL, "cuda: out of memory for a copy of the weights: %lld bytes", (long long)bytes);
}

static int send_copies(const struct net *n, const float *weights, struct err *e)
{
	int64_t bytes = n->bytes[CUDA_PARAMS16], count = n->params.weight_floats;
	uint16_t *copies;
	int rc;

	if (bytes == 0)
		return 0;
	copies = block_new((size_t)bytes);
	if (!copies)
		return no_host_memory(bytes, e);
	for (int64_t i = 0; i < count; i++)
		copies[i] = cuda_bf16(weights[i]);
	rc = upload(n, CUDA_PARAMS16, copies, bytes, e);
	block_free(copies, (size_t)bytes);
	return rc;
}

/* One of the arrays of parameters, with the statistics if `stats`: from `plain` to the card, or back. */
static int transfer(struct net *n, enum cuda_way way, float *plain, int region, bool stats, struct err *e)
{
	int64_t bytes = n->bytes[region], all = bytes + n->bytes[CUDA_STATS];
	float *own = block_new((size_t)all + 1), *own_stats = own ? own + bytes / 4 : NULL;
	int rc = -1;

	if (!own)
		return no_host_memory(all, e);
	if (way == CUDA_GO_OUT) {
		TRY(download(n, region, own, bytes, e));
		if (stats)
			TRY(download(n, CUDA_STATS, own_stats, n->bytes[CUDA_STATS], e));
	}
	cuda_params_copy(&n->params, way, plain, own, stats ? own_stats : NULL);
	if (way == CUDA_COME_IN) {
		TRY(upload(n, region, own, bytes, e));
		if (stats)
			TRY(upload(n, CUDA_STATS, own_stats, n->bytes[CUDA_STATS], e));
		if (region == CUDA_PARAMS)
			TRY(send_copies(n, own, e));
	}
	rc = 0;
out:
	block_free(own, (size_t)all + 1);
	return rc;
}

static int same_size(const struct net *n, const struct weights *w, struct err *e)
{
	if (w->total == n->params.plain_floats && w->n == n->params.n)
		return 0;
	return ERR(e, ERR_INVALID, NULL, "weights of another network: %lld numbers instead of %lld",
		   (long long)w->total, (long long)n->params.plain_floats);
}

static int cuda_set_weights(struct net *n, const struct weights *w, struct err *e)
{
	if (same_size(n, w, e) < 0)
		return -1;
	for (int k = 0; k < MOMENTS_MAX; k++)
		if (clear(n, CUDA_MOMENT1 + k, e) < 0)
			return -1;
	return transfer(n, CUDA_COME_IN, w->data, CUDA_PARAMS, true, e);
}

static int cuda_get_weights(struct net *n, struct weights *w, struct err *e)
{
	if (same_size(n, w, e) < 0)
		return -1;
	return transfer(n, CUDA_GO_OUT, w->data, CUDA_PARAMS, true, e);
}

/* Weights and statistics, then each moment (zeros for statistics), as the cpu backend writes them. */
static size_t cuda_state_bytes(const struct net *n)
{
	return (size_t)((1 + n->moments) * n->params.plain_floats) * sizeof(float);
}

static int cuda_save_state(struct net *n, void *out, struct err *e)
{
	float *to = out;

	memset(out, 0, cuda_state_bytes(n));
	for (int k = 0; k <= n->moments; k++, to += n->params.plain_floats)
		if (transfer(n, CUDA_GO_OUT, to, k ? CUDA_MOMENT1 + k - 1 : CUDA_PARAMS, k == 0, e) < 0)
			return -1;
	return 0;
}

static int cuda_load_state(struct net *n, const void *in, size_t bytes, struct err *e)
{
	float *from = (float *)in; /* only read */

	if (bytes != cuda_state_bytes(n))
		return ERR(e, ERR_INVALID, NULL, "cuda: a state of %zu bytes instead of %zu: of another network", bytes,
			   cuda_state_bytes(n));
	for (int k = 0; k <= n->moments; k++, from += n->params.plain_floats)
		if (transfer(n, CUDA_COME_IN, from, k ? CUDA_MOMENT1 + k - 1 : CUDA_PARAMS, k == 0, e) < 0)
			return -1;
	return 0;
}

/* ---- training and evaluation ---------------------------------------------------------------------------- */

static int run_training(const struct net *n, int64_t times, struct err *e)
{
	struct cuda_error failure = { 0 };

	if (n->ctx->plugin->exec_run(n->train_exec, times, &failure) < 0 ||
	    n->ctx->plugin->wait(n->ctx->lane, &failure) < 0)
		return failed(n, &failure, e);
	return 0;
}

static int64_t steps_per_epoch(const struct net *n)
{
	return n->spec.n_train / n->cap;
}

static int send_steps(const struct net *n, int64_t first, int64_t count, struct err *e)
{
	const struct recipe *r = n->spec.recipe;
	struct cuda_step steps[STEPS_MOST];
	int64_t per = steps_per_epoch(n);

	for (int64_t i = 0; i < count; i++) {
		int64_t s = first + i;
		struct optim_step o;

		optim_step_init(&o, &r->optimizer, recipe_rate(r, s, per), s);
		steps[i] = (struct cuda_step){ .epoch = (uint32_t)(s / per),
					       .position = (uint32_t)(s % per * n->cap),
					       .rate = o.rate,
					       .correct1 = o.correct1,
					       .correct2 = o.correct2,
					       .momentum = o.momentum,
					       .beta1 = o.beta1,
					       .beta2 = o.beta2,
					       .eps = o.eps,
					       .weight_decay = o.weight_decay };
	}
	return upload(n, CUDA_STEPS, steps, count * (int64_t)sizeof *steps, e);
}

/* The sums go on from those of the caller, so that the bits do not depend on how many steps run at once. */
static int run_steps(struct net *n, int64_t first, int64_t count, struct step_stats *stats, struct err *e)
{
	struct cuda_control c = {
		.source = CUDA_TRAIN, .augment = 1, .drop = 1, .loss = stats->loss, .norm = stats->grad_norm
	};

	if (send_steps(n, first, count, e) < 0 || upload(n, TRAIN_CONTROL, &c, sizeof c, e) < 0 ||
	    run_training(n, count, e) < 0 || download(n, TRAIN_CONTROL, &c, sizeof c, e) < 0)
		return -1;
	stats->examples += c.examples;
	stats->correct += c.correct;
	stats->loss = c.loss;
	stats->grad_norm = c.norm;
	stats->diverged = c.diverged || !isfinite(c.loss) || !isfinite(c.norm);
	return 0;
}

static int cuda_train_steps(struct net *n, int64_t first, int64_t count, struct step_stats *stats, struct err *e)
{
	int64_t piece;

	assert(n->trains);
	for (int64_t at = 0; at < count && !stats->diverged; at += piece) {
		piece = count - at < STEPS_MOST ? count - at : STEPS_MOST;
		if (run_steps(n, first + at, piece, stats, e) < 0)
			return -1;
	}
	return 0;
}

/* Puts the evaluation of `count` examples into its lane; `bytes` of `from` say which they are. */
static int begin_logits(struct net *n, enum cuda_source source, const void *from, int64_t bytes, int64_t count,
			struct err *e)
{
	struct cuda_control c = { .source = (int32_t)source, .listed = count };
	const struct cuda_plugin *plugin = n->ctx->plugin;
	struct cuda_lane *lane = n->ctx->beside;
	struct cuda_error failure = { 0 };

	assert(bytes <= n->bytes[CUDA_INDEX] && count <= n->piece);
	if (plugin->upload(lane, address(n, CUDA_INDEX), from, bytes, &failure) < 0 ||
	    plugin->upload(lane, address(n, EVAL_CONTROL), &c, sizeof c, &failure) < 0 ||
	    plugin->exec_run(n->eval_exec, (count + n->cap - 1) / n->cap, &failure) < 0)
		return failed(n, &failure, e);
	return 0;
}

/* The logits of examples first .. first + count of those in CUDA_OUT, when they are there. */
static int read_logits(const struct net *n, int64_t first, int64_t count, float *out, struct err *e)
{
	int64_t row = n->g->outputs[0].classes * 4L;
	struct cuda_error failure = { 0 };

	if (n->ctx->plugin->download(n->ctx->beside, out, address(n, CUDA_OUT) + (uint64_t)(first * row), count * row,
				     &failure) < 0)
		return failed(n, &failure, e);
	return 0;
}

static int begin_piece(struct net *n, int64_t first, struct err *e)
{
	int64_t left = n->asked.n - first, count = left < n->piece ? left : n->piece;

	n->asked.first = first;
	return begin_logits(n, CUDA_LIST, n->asked.index + first, count * 4, count, e);
}

static int cuda_evaluate_start(struct net *n, const uint32_t *index, int64_t count, struct err *e)
{
	assert(n->spec.data && count > 0);
	n->asked.index = index;
	n->asked.n = count;
	return take_copies(n, e) < 0 ? -1 : begin_piece(n, 0, e);
}

static int cuda_evaluate_read(struct net *n, int64_t first, int64_t count, float *out, struct err *e)
{
	assert(first >= n->asked.first && first + count <= n->asked.n);
	for (int64_t some; count > 0; first += some, count -= some) {
		int64_t end = n->asked.first + n->piece;

		if (first >= end && begin_piece(n, end, e) < 0)
			return -1;
		some = n->asked.first + n->piece - first;
		some = some < count ? some : count;
		if (read_logits(n, first - n->asked.first, some, out, e) < 0)
			return -1;
		out += some * n->g->outputs[0].classes;
	}
	return 0;
}

static int cuda_evaluate(struct net *n, const uint32_t *index, int64_t count, float *out, struct err *e)
{
	if (count == 0)
		return 0;
	if (cuda_evaluate_start(n, index, count, e) < 0)
		return -1;
	return cuda_evaluate_read(n, 0, count, out, e);
}

static int cuda_forward_raw(struct net *n, const float *in, int64_t count, float *out, struct err *e)
{
	int64_t per = shape_count(&n->g->inputs[0].shape);

	if (take_copies(n, e) < 0)
		return -1;
	for (int64_t at = 0, some; at < count; at += some) {
		some = count - at < n->cap ? count - at : n->cap;
		if (begin_logits(n, CUDA_RAW, in + at * per, some * per * 4, some, e) < 0 ||
		    read_logits(n, 0, some, out + at * n->g->outputs[0].classes, e) < 0)
			return -1;
	}
	return 0;
}

/* The gradients of a net whose batch is exactly these examples, and which has no update. */
static int batch_gradients(struct net *n, const uint32_t *index, struct weights *out, double *loss, struct err *e)
{
	struct cuda_control c = { .source = CUDA_LIST, .listed = n->cap };
	struct cuda_step step = { 0 };
	int64_t bytes = n->bytes[CUDA_GRADS];
	void *grads = block_new((size_t)bytes + 1);
	int rc = -1;

	if (!grads)
		return no_host_memory(bytes, e);
	TRY(upload(n, CUDA_INDEX, index, n->cap * 4L, e));
	TRY(upload(n, CUDA_STEPS, &step, sizeof step, e));
	TRY(upload(n, TRAIN_CONTROL, &c, sizeof c, e));
	TRY(run_training(n, 1, e));
	TRY(download(n, TRAIN_CONTROL, &c, sizeof c, e));
	TRY(download(n, CUDA_GRADS, grads, bytes, e));
	cuda_params_gradients(&n->params, out->data, grads);
	if (loss)
		*loss = c.loss / n->cap;
	rc = 0;
out:
	block_free(grads, (size_t)bytes + 1);
	return rc;
}

/* The net that gradients of `count` examples are computed with. */
static int make_probe(struct net *n, const uint32_t *index, int64_t count, struct err *e)
{
	struct net_spec spec = n->spec;
	struct recipe *recipe;

	if (n->probe && n->probe->cap == count)
		return 0;
	cuda_net_free(n->probe);
	spec.train = index;
	spec.n_train = count;
	n->probe = net_new(n->ctx, &spec);
	recipe = ARENA_ARRAY(n->probe->arena, struct recipe, 1);
	*recipe = *n->spec.recipe;
	recipe->batch = n->probe->cap = (int)count;
	n->probe->spec.recipe = recipe;
	n->probe->updates = false;
	n->probe->once = true;
	if (make_net(n->probe, e) == 0) {
		n->probe->spec.train = NULL; /* the caller's; the card has it */
		return 0;
	}
	cuda_net_free(n->probe);
	n->probe = NULL;
	return -1;
}

static int cuda_gradients(struct net *n, const uint32_t *index, int64_t count, struct weights *out, double *loss,
			  struct err *e)
{
	if (same_size(n, out, e) < 0 || make_probe(n, index, count, e) < 0 ||
	    transfer(n, CUDA_GO_OUT, out->data, CUDA_PARAMS, true, e) < 0 ||
	    transfer(n->probe, CUDA_COME_IN, out->data, CUDA_PARAMS, true, e) < 0)
		return -1;
	return batch_gradients(n->probe, index, out, loss, e);
}

/* ---- profile -------------------------------------------------------------------------------------------- */

static void add_times(const struct net *n, const double *seconds, double share, struct net_profile *out)
{
	for (int i = 0; i < n->train.n_ops; i++) {
		const struct cuda_op *op = n->train.ops + i;
		double took = seconds[i] * share;

		if (op->node >= 0 && op->backward)
			out->layer[op->node].backward_s += took;
		else if (op->node >= 0)
			out->layer[op->node].forward_s += took;
		else if (op->kind == CUDA_OP_GATHER)
			out->input_s += took;
		else if (op->kind == CUDA_OP_NORM_OF_GRADIENT || op->kind == CUDA_OP_OPTIMIZE)
			out->optimizer_s += took;
		else
			out->loss_s += took;
	}
}

static void profile_bytes(const struct net *n, struct net_profile *out)
{
	for (int i = 0; i < n->g->n_nodes; i++)
		out->layer[i].fused_into = n->train_plan.lead[i];
	for (int i = 0; i < n->train.n_bufs; i++) {
		const struct cuda_buffer *b = n->train.bufs + i;

		if (b->base == CUDA_SLAB && b->node >= 0)
			out->layer[b->node].bytes += b->bytes;
	}
	out->weight_bytes = n->bytes[CUDA_PARAMS] + n->bytes[CUDA_PARAMS16] + n->bytes[CUDA_STATS];
	out->gradient_bytes = n->bytes[CUDA_GRADS];
	out->moment_bytes = n->bytes[CUDA_MOMENT1] + n->bytes[CUDA_MOMENT2];
	out->workspace_bytes = n->train.scratch_bytes;
	out->activation_bytes = n->bytes[CUDA_SLAB] - out->workspace_bytes;
	out->total_bytes = n->total;
}

static int cuda_profile(struct net *n, int steps, struct net_profile *out, struct err *e)
{
	struct cuda_control c = { .source = CUDA_TRAIN, .augment = 1, .drop = 1 };
	double *seconds = mem_new((size_t)(n->train.n_ops + 1) * sizeof *seconds);
	struct layer_time *layer = out->layer;
	struct cuda_error failure = { 0 };
	int rc = 0;

	assert(n->trains && steps > 0);
	memset(layer, 0, (size_t)n->g->n_nodes * sizeof *layer);
	*out = (struct net_profile){ .layer = layer };
	for (int s = 0; s < steps && rc == 0; s++) {
		rc = send_steps(n, s, 1, e);
		if (rc == 0)
			rc = upload(n, TRAIN_CONTROL, &c, sizeof c, e);
		if (rc == 0 && n->ctx->plugin->exec_time(n->train_exec, seconds, &failure) < 0)
			rc = failed(n, &failure, e);
		if (rc == 0)
			add_times(n, seconds, 1.0 / steps, out);
	}
	mem_free(seconds);
	profile_bytes(n, out);
	return rc < 0 ? -1 : 0;
}

const struct backend backend_cuda = {
	.name = "cuda",
	.help = "an NVIDIA GPU, by a plugin that needs CUDA and cuDNN",
	.probe = cuda_probe,
	.describe = cuda_describe,
	.open = cuda_open,
	.close = cuda_close,
	.lost = cuda_lost,
	.supports = cuda_supports,
	.plan_bytes = cuda_plan_bytes,
	.net_create = cuda_net_create,
	.net_free = cuda_net_free,
	.net_bytes = cuda_net_bytes,
	.set_weights = cuda_set_weights,
	.get_weights = cuda_get_weights,
	.train_steps = cuda_train_steps,
	.evaluate = cuda_evaluate,
	.evaluate_start = cuda_evaluate_start,
	.evaluate_read = cuda_evaluate_read,
	.forward_raw = cuda_forward_raw,
	.gradients = cuda_gradients,
	.state_bytes = cuda_state_bytes,
	.save_state = cuda_save_state,
	.load_state = cuda_load_state,
	.profile = cuda_profile,
};
