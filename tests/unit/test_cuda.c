/* tests/unit/test_cuda.c - the cuda backend against the reference (tests/helper_backend.h): through the emulated
 * plugin, or through the one that NAB_CUDA_PLUGIN names. */
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "tests/helper_backend.h"
#include "tests/helper_cuda.h"
#include "tests/helper_skip.h"
#include "train/backend_cuda_build.h"

extern const struct backend backend_cuda;

static const struct backend *cuda = &backend_cuda;

/* ---- against the reference ------------------------------------------------------------------------------ */

static bool takes(const struct layer_case *c)
{
	return c->in_shape[0].type != TENSOR_TOKENS || c->kind == LAYER_embedding;
}

static void test_kinds(void **state)
{
	struct rng r;

	(void)state;
	cuda_test_plugin();
	rng_init(&r, test_seed(), 1);
	for (int kind = 0; kind < LAYER_KIND_COUNT; kind++)
		for (int i = 0; i < 8 && kind != LAYER_choice; i++)
			try_kind(cuda, kind, takes, &r, i);
}

static void test_random_nets(void **state)
{
	(void)state;
	cuda_test_plugin();
	try_random_nets(cuda, 24);
}

static void test_spaces(void **state)
{
	(void)state;
	cuda_test_plugin();
	try_spaces(cuda);
}

static void test_repeats_and_resumes(void **state)
{
	(void)state;
	cuda_test_plugin();
	try_repeats_and_resumes(cuda, 1);
}

static void test_raw_inputs(void **state)
{
	(void)state;
	cuda_test_plugin();
	try_raw_inputs(cuda);
}

static void test_sharing_and_freezing(void **state)
{
	(void)state;
	cuda_test_plugin();
	try_sharing_and_freezing(cuda);
}

static void test_profile(void **state)
{
	struct layer_time layer[32];
	struct net_profile p = { .layer = layer };
	struct trial t;
	struct err e = { 0 };

	(void)state;
	cuda_test_plugin();
	try_profile(cuda);
	small_trial(&t, cuda);
	open_side(&t, &t.own, cuda, 1);
	assert_int_equal(cuda->profile(t.own.net, 2, &p, &e), 0);
	for (int i = 2; i < 4; i++) { /* relu and pool into the batch norm */
		assert_int_equal(layer[i].fused_into, 1);
		assert_true(layer[i].forward_s == 0 && layer[i].backward_s == 0 && layer[i].bytes == 0);
	}
	trial_free(&t);
}

/* ---- what only this backend does ------------------------------------------------------------------------ */

static void test_fusions(void **state)
{
	(void)state;
	cuda_test_plugin();
	compare_model(
	    cuda,
	    "{'input': [3, 8, 8], 'classes': 3, 'layers': ["
	    "{'conv2d': {'filters': 10, 'kernel': 3, 'padding': 'same'}}, 'batchnorm', {'silu': {}, 'id': 'a'},"
	    "{'conv2d': {'filters': 10, 'kernel': 3, 'padding': 'same'}}, 'batchnorm', 'relu',"
	    "{'conv2d': {'filters': 10, 'kernel': 3, 'padding': 'same'}}, 'batchnorm',"
	    "{'add': {}, 'from': ['prev', 'a']}, 'relu', {'maxpool2d': {'size': 2}, 'id': 'm'},"
	    "{'conv2d': {'filters': 12, 'kernel': 1}}, {'batchnorm': {}, 'id': 'n'},"
	    "{'conv2d': {'filters': 12, 'kernel': 1}, 'from': ['m']}, {'batchnorm': {}, 'id': 'o'},"
	    "{'add': {}, 'from': ['n', 'o']}, 'gelu', {'avgpool2d': {'size': 2}, 'id': 'p'},"
	    "{'conv2d': {'filters': 12, 'kernel': 1}}, 'batchnorm', {'add': {}, 'from': ['prev', 'p']},"
	    "'globalavgpool', {'dense': {'units': 3}}]}",
	    shape_image(3, 8, 8), "batch norms with additions and activations");
	compare_model(
	    cuda,
	    "{'input': [3, 6, 6], 'classes': 3, 'layers': ["
	    "{'conv2d': {'filters': 5, 'kernel': 3, 'padding': 'same'}}, {'batchnorm': {}, 'frozen': true},"
	    "{'add': {}, 'from': ['prev', 'prev']}, 'relu', {'conv2d': {'filters': 5, 'kernel': 1}, 'id': 'c'},"
	    "{'batchnorm': {}, 'frozen': true, 'id': 'f'}, {'add': {}, 'from': ['c', 'f']}, 'sigmoid',"
	    "'flatten', 'tanh', {'dropout': {'rate': 0.2}}, {'dense': {'units': 7}}, 'relu',"
	    "{'dense': {'units': 3}}]}",
	    shape_image(3, 6, 6), "frozen batch norms and their additions");
}

/* Norms and products with pools behind them: of every kind, with windows that overlap, leave gaps, or reach into
 * padding; pools that more than the norm's output goes to; sequences. */
static void test_pools(void **state)
{
	(void)state;
	cuda_test_plugin();
	compare_model(
	    cuda,
	    "{'input': [3, 7, 8], 'classes': 3, 'layers': ["
	    "{'conv2d': {'filters': 6, 'kernel': 3}, 'id': 'c'}, {'conv2d': {'filters': 6, 'kernel': 1}}, 'batchnorm',"
	    "{'add': {}, 'from': ['prev', 'c']}, {'maxpool2d': {'size': 2}},"
	    "{'conv2d': {'filters': 7, 'kernel': 1}}, 'batchnorm', {'avgpool2d': {'size': 2}}, 'flatten',"
	    "{'dense': {'units': 3}}]}",
	    shape_image(3, 7, 8), "norms and additions with pools, but no activation");
	compare_model(cuda,
		      "{'input': [3, 13, 11], 'classes': 3, 'layers': ["
		      "{'conv2d': {'filters': 10, 'kernel': 3, 'padding': 'same'}}, 'batchnorm', 'silu',"
		      "{'maxpool2d': {'size': 3, 'stride': 2, 'padding': 'same'}},"
		      "{'conv2d': {'filters': 9, 'kernel': 3, 'padding': 'same'}}, 'batchnorm', 'tanh',"
		      "{'avgpool2d': {'size': 2, 'stride': 3, 'ceil': true}},"
		      "{'conv2d': {'filters': 12, 'kernel': 1}}, 'batchnorm', {'relu': {}, 'id': 'r'}, {'maxpool2d': "
		      "{'size': 2, 'stride': 1}, 'id': 'm'},"
		      "{'conv2d': {'filters': 12, 'kernel': 2}, 'from': ['r']}, 'batchnorm', {'add': {}, 'from': "
		      "['prev', 'm']}, 'gelu',"
		      "'globalmaxpool', {'dense': {'units': 3}}]}",
		      shape_image(3, 13, 11), "batch norms with pools");
	compare_model(
	    cuda,
	    "{'input': [3, 12, 12], 'classes': 3, 'layers': ["
	    "{'conv2d': {'filters': 5, 'kernel': 3, 'padding': 'same'}}, {'maxpool2d': {'size': 3, 'stride': 2, "
	    "'padding': 1}},"
	    "{'conv2d': {'filters': 5, 'kernel': 3, 'padding': 'same'}}, 'relu', {'avgpool2d': {'size': 2}},"
	    "{'conv2d': {'filters': 6, 'kernel': 1}}, 'relu', {'batchnorm': {}, 'frozen': true}, {'maxpool2d': "
	    "{'size': 2, 'stride': 1}, 'id': 'a'},"
	    "{'conv2d': {'filters': 6, 'kernel': 1, 'bias': false}}, 'relu', {'maxpool2d': {'size': 1}, 'id': 'b'},"
	    "{'add': {}, 'from': ['a', 'b']}, {'conv2d': {'filters': 5, 'kernel': 1}, 'id': 'c'}, 'globalavgpool', "
	    "{'id': 'd', 'batchnorm': {}},"
	    "{'globalmaxpool': {}, 'from': ['c']}, {'add': {}, 'from': ['d', 'prev']}, {'dense': {'units': 3}}]}",
	    shape_image(3, 12, 12), "products with pools, shared and alone");
	compare_model(
	    cuda,
	    "{'input': {'type': 'sequence', 'shape': [3, 9], 'open': true}, 'classes': 3, 'layers': ["
	    "{'conv1d': {'filters': 5, 'kernel': 3, 'padding': 'same'}}, 'batchnorm', 'sigmoid',"
	    "{'avgpool1d': {'size': 2, 'stride': 1, 'padding': 'same'}}, {'conv1d': {'filters': 6, 'kernel': 1}}, "
	    "'relu',"
	    "{'maxpool1d': {'size': 2, 'stride': 1, 'padding': 'same'}}, 'batchnorm', 'sigmoid', 'globalavgpool',"
	    "{'dense': {'units': 3}}]}",
	    shape_sequence(3, 9, true), "open sequences with pools");
}

static void test_forms(void **state)
{
	(void)state;
	cuda_test_plugin();
	compare_model(cuda,
		      "{'input': [3, 4, 4], 'classes': 3, 'layers': ["
		      "{'conv2d': {'filters': 5, 'kernel': 3, 'padding': 'same'}}, {'flatten': {}, 'id': 'f'},"
		      "{'dense': {'units': 80}, 'id': 'd'}, 'tanh', {'dense': {'units': 80}, 'share': 'd'},"
		      "{'add': {}, 'from': ['prev', 'f']}, {'reshape': {'shape': [4, 20]}}, 'softmax',"
		      "{'conv1d': {'filters': 6, 'kernel': 3}}, {'reshape': {'shape': [3, 6, 6]}}, 'maxpool2d',"
		      "{'reshape': {'shape': [27]}}, 'batchnorm', {'dense': {'units': 3}}]}",
		      shape_image(3, 4, 4), "flattened, reshaped, shared in two forms");
	compare_model(cuda,
		      "{'input': [3, 4, 4], 'classes': 3, 'layers': ["
		      "{'conv2d': {'filters': 3, 'kernel': 3}}, 'layernorm', 'flatten', 'layernorm', 'relu6',"
		      "{'dense': {'units': 3}}, 'identity']}",
		      shape_image(3, 4, 4), "layer norms in both forms");
	compare_model(cuda, "{'input': [3, 1, 1], 'classes': 3, 'layers': ['flatten']}", shape_image(3, 1, 1),
		      "a net without parameters");
}

static void test_steps(void **state)
{
	(void)state;
	cuda_test_plugin();
	compare_model(cuda,
		      "{'input': {'type': 'sequence', 'shape': [3, 7], 'open': true}, 'classes': 3, 'layers': ["
		      "{'conv1d': {'filters': 5, 'kernel': 3, 'padding': 'same'}}, 'sigmoid', 'batchnorm', 'sigmoid',"
		      "{'gru': {'units': 4, 'bidirectional': true}, 'id': 'g'}, 'layernorm',"
		      "{'maxpool1d': {'size': 3, 'stride': 1, 'padding': 'same'}}, {'lstm': {'units': 5}, 'id': 'l'},"
		      "{'globalmaxpool': {}, 'from': ['l']},"
		      "{'concat': {}, 'from': ['prev', 'l:cell', 'l:state', 'g:state']}, {'dense': {'units': 3}}]}",
		      shape_sequence(3, 7, true), "open sequences, states and cells");
	compare_model(
	    cuda,
	    "{'input': {'type': 'sequence', 'shape': [4, 6]}, 'classes': 3, 'layers': ["
	    "{'rnn': {'units': 4, 'activation': 'relu'}, 'id': 'r'}, {'rnn': {'units': 4, 'activation': 'relu'},"
	    " 'share': 'r'}, {'lstm': {'units': 3, 'bidirectional': true, 'merge': 'add', 'bias': false},"
	    " 'frozen': true}, {'gru': {'units': 3, 'last': 'last', 'bias': false}}, {'dense': {'units': 3}}]}",
	    shape_sequence(4, 6, false), "shared and frozen recurrent layers");
	compare_model(cuda,
		      "{'input': {'type': 'tokens', 'shape': [9], 'open': true}, 'classes': 3, 'layers': ["
		      "'identity', {'embedding': {'vocabulary': 8, 'features': 6}, 'id': 'e'},"
		      "{'lstm': {'units': 5, 'bidirectional': true, 'last': 'last'}}, {'dense': {'units': 3}}]}",
		      (struct shape){ TENSOR_TOKENS, true, { 9 } }, "tokens");
}

/* ---- recipes -------------------------------------------------------------------------------------------- */

/* One number to predict, from the same patterns. */
static void make_regression(struct trial *t)
{
	struct blobs blobs = { .shape = t->data->shape, .n = { 16, 10, 0 }, .noise = 1, .seed = 4 };

	t->data = blobs_new(&blobs, t->a);
	t->g =
	    graph_of(t->a, "{'input': [3, 8, 8], 'outputs': {'out': {'task': 'regression', 'classes': 1}}, 'layers': ["
			   "{'conv2d': {'filters': 9, 'kernel': 3}}, 'tanh', 'flatten', {'dense': {'units': 1}}]}");
	t->r.loss = LOSS_MSE;
}

static void compare_recipe(void (*change)(struct trial *t), const char *what)
{
	struct trial t;

	small_trial(&t, cuda);
	t.r.optimizer = (struct optimizer){ .kind = OPTIMIZER_SGD, .lr = 0.02 };
	change(&t);
	trial_open(&t, 1);
	compare_gradients(&t, what);
	compare_training(&t, what);
	trial_free(&t);
}

static void smooth_and_clip(struct trial *t)
{
	t->r.label_smoothing = 0.1;
	t->r.clip = 0.05;
}

static void squared(struct trial *t)
{
	t->r.loss = LOSS_MSE;
	t->r.optimizer.momentum = 0.9;
	t->r.optimizer.nesterov = true;
	t->r.optimizer.weight_decay = 0.01;
}

static void augmented(struct trial *t)
{
	struct blobs blobs = {
		.shape = t->data->shape, .classes = CLASSES, .n = { 16, 10, 0 }, .noise = 1, .bytes = true, .seed = 4
	};

	t->data = blobs_new(&blobs, t->a);
	t->r.n_augment = 4;
	t->r.augment[0] = (struct augment){ .kind = AUGMENT_HFLIP, .p = 0.5 };
	t->r.augment[1] = (struct augment){ .kind = AUGMENT_CROP, .pad = 2 };
	t->r.augment[2] = (struct augment){ .kind = AUGMENT_CUTOUT, .p = 0.7, .size = 3 };
	t->r.augment[3] = (struct augment){ .kind = AUGMENT_VFLIP, .p = 0.5 };
}

static void adam(struct trial *t)
{
	t->r.optimizer = (struct optimizer){
		.kind = OPTIMIZER_ADAM, .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-3, .weight_decay = 0.01
	};
	t->r.schedule.kind = SCHEDULE_COSINE;
}

/* The pictures are resampled to the network's input. */
static void smaller(struct trial *t)
{
	t->g = graph_of(t->a, "{'input': [3, 5, 6], 'classes': 3, 'layers': ["
			      "{'conv2d': {'filters': 9, 'kernel': 3}}, 'relu', 'flatten', {'dense': {'units': 3}}]}");
}

static void test_recipes(void **state)
{
	(void)state;
	cuda_test_plugin();
	compare_recipe(make_regression, "regression");
	compare_recipe(smooth_and_clip, "smoothing and clipping");
	compare_recipe(squared, "squared error, Nesterov");
	compare_recipe(augmented, "bytes and augmentations");
	compare_recipe(adam, "Adam");
	compare_recipe(smaller, "smaller pictures");
}

/* ---- precision ------------------------------------------------------------------------------------------ */

/* Kinks and maxima decide differently where numbers are rounded to 8 bits: those kinds are left to whole networks. */
static bool smooth(enum layer_kind kind)
{
	return kind != LAYER_choice && kind != LAYER_relu && kind != LAYER_relu6 && kind != LAYER_leaky_relu &&
	       kind != LAYER_maxpool1d && kind != LAYER_maxpool2d && kind != LAYER_globalmaxpool &&
	       kind != LAYER_hard_swish && kind != LAYER_elu && kind != LAYER_rnn;
}

static void test_bf16_kinds(void **state)
{
	struct rng r;

	(void)state;
	cuda_test_plugin();
	rng_init(&r, test_seed(), 3);
	for (int kind = 0; kind < LAYER_KIND_COUNT; kind++)
		for (int i = 0; i < 4 && smooth(kind); i++)
			try_kind_at(cuda, kind, takes, &r, i, PRECISION_BF16, 600);
}

/* Mean training loss of the last half of 60 steps. */
static double late_loss(struct side *s)
{
	struct step_stats stats = { 0 };
	struct err e = { 0 };
	double early;

	assert_int_equal(s->b->train_steps(s->net, 0, 30, &stats, &e), 0);
	early = stats.loss;
	assert_int_equal(s->b->train_steps(s->net, 30, 30, &stats, &e), 0);
	assert_false(stats.diverged);
	return (stats.loss - early) / (30 * BATCH);
}

static void compare_curves(enum precision precision, double tolerance)
{
	double want, got;
	struct trial t;

	small_trial(&t, cuda);
	t.precision = precision;
	trial_open(&t, 1);
	want = late_loss(&t.ref);
	got = late_loss(&t.own);
	if (!(fabs(got - want) <= tolerance * want))
		fail_msg("the loss is %g instead of %g", got, want);
	trial_free(&t);
}

static void test_curves(void **state)
{
	(void)state;
	cuda_test_plugin();
	compare_curves(PRECISION_FP32, 1e-3);
	compare_curves(PRECISION_TF32, 1e-2);
	compare_curves(PRECISION_BF16, 5e-2);
}

/* ---- the same bits -------------------------------------------------------------------------------------- */

/* Trains `steps` steps, `at_once` of them in a call, and hands out the state and the sums. */
static void *trained(struct trial *t, struct side *s, int steps, int at_once, struct step_stats *stats, size_t *bytes)
{
	struct err e = { 0 };

	memset(stats, 0, sizeof *stats);
	for (int at = 0; at < steps; at += at_once)
		assert_int_equal(s->b->train_steps(s->net, at, at_once, stats, &e), 0);
	(void)t;
	return side_state(s, bytes);
}

static void test_steps_at_once(void **state)
{
	struct step_stats stats[2];
	struct side one = { 0 }, many = { 0 };
	struct trial t;
	size_t bytes;
	void *a, *b;

	(void)state;
	cuda_test_plugin();
	small_trial(&t, cuda);
	t.precision = PRECISION_BF16;
	open_side(&t, &one, cuda, 1);
	open_side(&t, &many, cuda, 1);
	a = trained(&t, &one, 12, 1, &stats[0], &bytes);
	b = trained(&t, &many, 12, 12, &stats[1], &bytes);
	assert_memory_equal(a, b, bytes);
	assert_memory_equal(&stats[0].loss, &stats[1].loss, sizeof stats[0].loss);
	assert_memory_equal(&stats[0].grad_norm, &stats[1].grad_norm, sizeof stats[0].grad_norm);
	assert_int_equal(stats[0].correct, stats[1].correct);
	assert_int_equal(stats[1].examples, 12 * BATCH);
	mem_free(a);
	mem_free(b);
	close_side(&one);
	close_side(&many);
	trial_free(&t);
}

/* However many steps a call trains: it takes no memory, and waits as often as for one. */
static void test_steps_do_not_wait(void **state)
{
	static const int steps[] = { 1, 2, 40 };
	_Atomic int64_t *allocs, *waits;
	int64_t before, first = 0;
	struct step_stats stats = { 0 };
	struct side side = { 0 };
	struct trial t;
	struct err e = { 0 };
	void *plugin;

	(void)state;
	cuda_test_plugin();
	if (!cuda_test_emulated())
		skip();
	plugin = dlopen(getenv("NAB_CUDA_PLUGIN"), RTLD_NOW | RTLD_NOLOAD);
	assert_non_null(plugin);
	allocs = dlsym(plugin, "emulated_allocs");
	waits = dlsym(plugin, "emulated_waits");
	small_trial(&t, cuda);
	open_side(&t, &side, cuda, 1);
	*allocs = 0;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		before = *waits;
		assert_int_equal(side.b->train_steps(side.net, 0, steps[i], &stats, &e), 0);
		first = i == 0 ? *waits - before : first;
		assert_int_equal(*waits - before, first);
	}
	assert_true(first > 0);
	assert_int_equal(*allocs, 0);
	close_side(&side);
	trial_free(&t);
	dlclose(plugin);
}

struct runner { /* a thread with a context and a net of its own */
	struct trial *t;
	struct side side;
	struct step_stats stats;
	void *state;
	size_t bytes;
};

static void *run_runner(void *arg)
{
	struct runner *r = arg;

	r->state = trained(r->t, &r->side, 20, 5, &r->stats, &r->bytes);
	return NULL;
}

static void test_side_by_side(void **state)
{
	enum { N = 3 };
	struct runner alone = { 0 }, with[N];
	pthread_t thread[N];
	struct trial t;

	(void)state;
	cuda_test_plugin();
	small_trial(&t, cuda);
	alone.t = &t;
	open_side(&t, &alone.side, cuda, 1);
	run_runner(&alone);
	memset(with, 0, sizeof with);
	for (int i = 0; i < N; i++) {
		with[i].t = &t;
		open_side(&t, &with[i].side, cuda, 1);
	}
	for (int i = 0; i < N; i++)
		pthread_create(&thread[i], NULL, run_runner, &with[i]);
	for (int i = 0; i < N; i++) {
		pthread_join(thread[i], NULL);
		assert_int_equal(with[i].bytes, alone.bytes);
		assert_memory_equal(with[i].state, alone.state, alone.bytes);
		assert_true(with[i].stats.loss == alone.stats.loss);
		mem_free(with[i].state);
		close_side(&with[i].side);
	}
	mem_free(alone.state);
	close_side(&alone.side);
	trial_free(&t);
}

/* A state is PyTorch's layout, as the cpu backend writes it: each reads the other's. */
static void test_other_backend(void **state)
{
	extern const struct backend backend_cpu;
	struct side here = { 0 }, there = { 0 };
	struct trial t;
	size_t bytes, other;
	void *a, *b;
	struct err e = { 0 };

	(void)state;
	cuda_test_plugin();
	small_trial(&t, cuda);
	t.r.optimizer = (struct optimizer){ .kind = OPTIMIZER_SGD, .lr = 0.02, .momentum = 0.9 };
	open_side(&t, &here, cuda, 1);
	open_side(&t, &there, &backend_cpu, 1);
	side_steps(&here, 0, 3);
	a = side_state(&here, &bytes);
	assert_int_equal(backend_cpu.load_state(there.net, a, bytes, &e), 0);
	b = side_state(&there, &other);
	assert_int_equal(bytes, other);
	assert_memory_equal(a, b, bytes);
	side_steps(&there, 3, 3);
	side_steps(&here, 3, 3);
	assert_int_equal(cuda->get_weights(here.net, here.w, &e), 0);
	assert_int_equal(backend_cpu.get_weights(there.net, there.w, &e), 0);
	assert_true(distance(here.w->data, there.w->data, here.w->total, 0) < 1e-4);
	mem_free(a);
	mem_free(b);
	close_side(&here);
	close_side(&there);
	trial_free(&t);
}

/* ---- programs ------------------------------------------------------------------------------------------- */

static int last_use(const struct cuda_program *p, int buf, int from)
{
	int last = -1;

	for (int i = from; i < p->n_ops; i++) {
		for (int k = 0; k < CUDA_REFS; k++)
			last = p->uses[i].buf[k] == buf ? i : last;
		last = p->uses[i].scratch == buf ? i : last;
	}
	return last;
}

static int first_use(const struct cuda_program *p, int buf)
{
	for (int i = 0; i < p->n_ops; i++) {
		for (int k = 0; k < CUDA_REFS; k++)
			if (p->uses[i].buf[k] == buf)
				return i;
		if (p->uses[i].scratch == buf)
			return i;
	}
	return -1;
}

static void check_places(const struct cuda_program *p)
{
	int *first = mem_new((size_t)(p->n_bufs + 1) * sizeof *first),
	    *last = mem_new((size_t)(p->n_bufs + 1) * sizeof *last);

	for (int i = 0; i < p->n_bufs; i++) {
		first[i] = first_use(p, i);
		last[i] = last_use(p, i, 0);
	}
	for (int i = 0; i < p->n_bufs; i++) {
		const struct cuda_buffer *x = p->bufs + i;

		if (x->base != CUDA_SLAB || first[i] < 0)
			continue;
		assert_int_equal(x->offset % CUDA_ALIGN, 0);
		assert_true(x->offset >= 0 && x->offset + x->bytes <= p->slab_bytes);
		for (int k = 0; k < i; k++) {
			const struct cuda_buffer *y = p->bufs + k;
			bool apart = x->offset + x->bytes <= y->offset || y->offset + y->bytes <= x->offset;

			if (y->base == CUDA_SLAB && first[k] >= 0 && first[i] <= last[k] && first[k] <= last[i] &&
			    x->bytes && y->bytes)
				assert_true(apart);
		}
	}
	mem_free(first);
	mem_free(last);
}

static void test_places(void **state)
{
	struct rng r;

	(void)state;
	rng_init(&r, test_seed(), 5);
	for (int i = 0; i < 12; i++) {
		struct cuda_program p;
		struct trial t;

		trial_init(&t, cuda, shape_image(2, 6, 7), (uint64_t)i);
		t.g = random_net(t.a, &r, shape_image(2, 6, 7));
		for (int training = 0; training < 2; training++) {
			cuda_test_lower(&p, t.g, &t.r, BATCH, training, t.a);
			check_places(&p);
			cuda_program_release(&p);
		}
		trial_free(&t);
	}
}

static void expect_program(const char *model, struct shape shape, bool training, const char *want)
{
	struct cuda_program p;
	struct str text = { 0 };
	struct trial t;

	trial_init(&t, cuda, shape, 1);
	t.g = graph_of(t.a, model);
	t.r.precision = PRECISION_BF16;
	cuda_test_lower(&p, t.g, &t.r, BATCH, training, t.a);
	cuda_program_text(&text, &p);
	if (strcmp(str_get(&text), want) != 0) {
		for (char *line = strtok(text.s, "\n"); line; line = strtok(NULL, "\n"))
			print_message("# %s\n", line);
		fail_msg("these are not the operations that were expected");
	}
	str_release(&text);
	cuda_program_release(&p);
	trial_free(&t);
}

/* What two small nets become, fusions and all: "#n" is buffer n of the slab, h bf16, i whole numbers. */
static void test_programs(void **state)
{
	(void)state;
	expect_program("{'input': [3, 8, 8], 'classes': 3, 'layers': ["
		       "{'conv2d': {'filters': 16, 'kernel': 3, 'padding': 'same'}}, 'relu', 'maxpool2d', 'flatten',"
		       "{'dense': {'units': 10}}, 'relu', {'dropout': {'rate': 0.5}}, {'dense': {'units': 3}}]}",
		       shape_image(3, 8, 8), true,
		       "GATHER 4x8x8x3 0=#0h 1=#1i 2=#2 3=#3i 4=#4i\n"
		       "CONV 4x8x8x3 0=#0h 1=params16:0h 2=params16:2304h 3=#5h\n"
		       "POOL 4x8x8x16 0=#5h 1=#9h 2=#8\n"
		       "DENSE 4x4x4x16 0=#9h 1=params16:2560h 2=params16:10752h 3=#10h\n"
		       "DROPOUT 4x1x1x10 0=#10h 1=#13h 2=#4i\n"
		       "DENSE 4x1x1x10 0=#13h 1=params16:11008h 2=params16:11264h 3=#14h\n"
		       "LOSS 4x1x1x3 0=#14h 1=#1i 2=#2 3=#17h 4=grads:22528\n"
		       "DENSE_WEIGHT 4x1x1x10 0=#13h 1=#17h 2=grads:22016\n"
		       "DENSE_DATA 4x1x1x10 0=#17h 1=params16:11008h 2=#21h\n"
		       "DROPOUT 4x1x1x10 0=#21h 1=#21h 2=#4i\n"
		       "BIAS_GRADIENT 4x1x1x10 0=#21h 1=grads:21504 2=#10h 3=#21h\n"
		       "DENSE_WEIGHT 4x4x4x16 0=#9h 1=#21h 2=grads:5120\n"
		       "DENSE_DATA 4x4x4x16 0=#21h 1=params16:2560h 2=#25h\n"
		       "BIAS_GRADIENT 4x8x8x16 0=#25h 1=grads:4608 2=#9h 3=#27h 4=#8\n"
		       "CONV_WEIGHT 4x8x8x3 0=#0h 1=#27h 2=grads:0h\n"
		       "OPTIMIZE\n");
	expect_program(
	    "{'input': [3, 8, 8], 'classes': 3, 'layers': ["
	    "{'conv2d': {'filters': 8, 'kernel': 1, 'bias': false}}, 'batchnorm', {'relu': {}, 'id': 'r'},"
	    "{'depthwise2d': {'kernel': 3, 'padding': 'same', 'bias': false}}, 'batchnorm',"
	    "{'add': {}, 'from': ['prev', 'r']}, 'relu', 'globalavgpool', {'dense': {'units': 3}}]}",
	    shape_image(3, 8, 8), true,
	    "GATHER 4x8x8x3 0=#0h 1=#1i 2=#2 3=#3i 4=#4i\n"
	    "CONV 4x8x8x3 0=#0h 1=params16:0h 3=#5h\n"
	    "BATCHNORM 4x8x8x8 0=#5h 1=#8h 2=params:512 3=params:1024 4=stats:0 5=stats:512 6=#7\n"
	    "GROUPED 4x8x8x8 0=#8h 1=params16:768h 3=#13h\n"
	    "BATCHNORM 4x8x8x8 0=#13h 1=#16h 2=params:2048 3=params:2560 4=stats:1024 5=stats:1536 6=#15 8=#8h\n"
	    "DENSE 4x1x1x8 0=#16h 1=params16:1536h 2=params16:1792h 3=#21h\n"
	    "LOSS 4x1x1x3 0=#21h 1=#1i 2=#2 3=#24h 4=grads:3584\n"
	    "DENSE_WEIGHT 4x1x1x8 0=#16h 1=#24h 2=grads:3072\n"
	    "DENSE_DATA 4x1x1x8 0=#24h 1=params16:1536h 2=#28h\n"
	    "BATCHNORM_BACK 4x8x8x8 0=#13h 1=#28h 2=params:2048 3=params:2560 6=#15 8=#8h 10=#29h 11=grads:2048 "
	    "12=grads:2560 13=#30h\n"
	    "GROUPED_WEIGHT 4x8x8x8 0=#8h 1=#29h 2=grads:1536\n"
	    "GROUPED_DATA 4x8x8x8 0=#29h 1=params16:768h 2=#37h\n"
	    "BATCHNORM_BACK 4x8x8x8 0=#5h 1=#30h 2=params:512 3=params:1024 6=#7 10=#38h 11=grads:512 12=grads:1024 "
	    "14=#37h\n"
	    "CONV_WEIGHT 4x8x8x3 0=#0h 1=#38h 2=grads:0h\n"
	    "OPTIMIZE\n");
	expect_program("{'input': [3, 8, 8], 'classes': 3, 'layers': ["
		       "{'conv2d': {'filters': 8, 'kernel': 1}}, 'batchnorm', 'relu', {'dropout': {'rate': 0.5}},"
		       "'flatten', 'softmax', {'dense': {'units': 3}}]}",
		       shape_image(3, 8, 8), false,
		       "GATHER 4x8x8x3 0=#0h 1=#1i 2=#2 3=#3i 4=#4i\n"
		       "CONV 4x8x8x3 0=#0h 1=params16:0h 2=params16:256h 3=#5h\n"
		       "BATCHNORM 4x8x8x8 0=#5h 1=#8h 2=params:1024 3=params:1536 4=stats:0 5=stats:512\n"
		       "REORDER 4x8x8x8 0=#8h 1=#13h\n"
		       "SOFTMAX 4x1x1x512 0=#13h 1=#14h\n"
		       "DENSE 4x1x1x512 0=#14h 1=params16:1024h 2=params16:9216h 3=#15h\n"
		       "LOGITS 4x1x1x3 0=#15h\n");
}

/* ---- memory --------------------------------------------------------------------------------------------- */

static void test_refusals(void **state)
{
	struct backend_conf conf = { .threads = 1, .most_bytes = 10000 };
	struct trial t;
	struct net_spec spec;
	struct backend_ctx *ctx;
	struct net *net;
	struct err e = { 0 };

	(void)state;
	cuda_test_plugin();
	small_trial(&t, cuda);
	spec = (struct net_spec){ .graph = t.g,
				  .recipe = &t.r,
				  .data = t.data,
				  .train = t.data->split[SPLIT_TRAIN],
				  .n_train = t.data->n_split[SPLIT_TRAIN] };
	assert_int_equal(cuda->open(&ctx, &conf, &e), 0);
	assert_int_equal(cuda->net_create(&net, ctx, &spec, &e), NET_OOM);
	assert_non_null(strstr(e.msg, "10000 are allowed"));
	cuda->close(ctx);

	err_clear(&e);
	assert_int_equal(cuda->open(&ctx, &(struct backend_conf){ .threads = 1 }, &e), 0);
	spec.n_train = 3;
	assert_int_equal(cuda->net_create(&net, ctx, &spec, &e), -1);
	assert_non_null(strstr(e.msg, "smaller batch"));
	err_clear(&e);
	spec = (struct net_spec){ .recipe = &t.r, .batch = 1 << 20 };
	spec.graph = graph_of(t.a, "{'input': [1, 8, 8], 'classes': 3, 'layers': [{'upsample2d': {'factor': 64}},"
				   "{'upsample2d': {'factor': 64}}, 'globalavgpool', {'dense': {'units': 3}}]}");
	assert_int_equal(cuda->net_create(&net, ctx, &spec, &e), NET_OOM);
	assert_int_equal(cuda->plan_bytes(ctx, &spec, &e), -1);
	spec.batch = 100;
	err_clear(&e);
	assert_true(cuda->plan_bytes(ctx, &spec, &e) > (int64_t)400 << 30);
	assert_int_equal(cuda->net_create(&net, ctx, &spec, &e), NET_OOM);
	assert_non_null(strstr(e.msg, "are there"));
	cuda->close(ctx);

	err_clear(&e);
	assert_int_equal(cuda->open(&ctx, &(struct backend_conf){ .threads = 1, .device = 60 }, &e), -1);
	assert_non_null(strstr(e.msg, "60"));
	trial_free(&t);
}

enum { SMALL_CARD = 1, LOST_CARD = 2 };

struct stop {
	atomic_bool now;
	atomic_int asked;
};

static bool is_stopped(void *arg)
{
	struct stop *stop = arg;

	atomic_fetch_add(&stop->asked, 1);
	return atomic_load(&stop->now);
}

/* A card of its own kind: what the environment says of memory and faults counts from when it is opened. */
static struct net *net_on(struct trial *t, struct backend_ctx **ctx, int device, struct stop *stop, int *rc,
			  struct err *e)
{
	struct backend_conf conf = { .threads = 1, .device = device };
	struct net_spec spec = { .graph = t->g,
				 .recipe = &t->r,
				 .data = t->data,
				 .train = t->data->split[SPLIT_TRAIN],
				 .n_train = t->data->n_split[SPLIT_TRAIN],
				 .seed = 5,
				 .stopped = stop ? is_stopped : NULL,
				 .arg = stop };
	struct net *net = NULL;

	if (!*ctx)
		assert_int_equal(cuda->open(ctx, &conf, e), 0);
	*rc = cuda->net_create(&net, *ctx, &spec, e);
	return net;
}

struct waiter {
	struct trial *t;
	struct stop stop;
	atomic_bool done;
	int rc;
};

static void *wait_for_room(void *arg)
{
	struct waiter *w = arg;
	struct backend_ctx *ctx = NULL;
	struct err e = { 0 };
	struct net *net = net_on(w->t, &ctx, SMALL_CARD, &w->stop, &w->rc, &e);

	atomic_store(&w->done, true);
	cuda->net_free(net);
	cuda->close(ctx);
	return NULL;
}

static void wait_until_asked(struct waiter *w)
{
	while (atomic_load(&w->stop.asked) < 2)
		usleep(1000);
	assert_false(atomic_load(&w->done));
}

/* A card with room for one net and a half: the second waits, a second of the same thread is refused; of two that wait
 * the first one is stopped, and the other one gets its place. */
static void test_waits(void **state)
{
	struct backend_ctx *ctx = NULL;
	struct waiter w[2] = { 0 };
	struct trial t;
	pthread_t thread[2];
	struct net *net;
	char bytes[32];
	struct err e = { 0 };
	int rc;

	(void)state;
	cuda_test_plugin();
	if (!cuda_test_emulated())
		SKIP_BECAUSE("only the emulated card can be made small");
	small_trial(&t, cuda);
	setenv("NAB_EMULATED_DEVICES", "3", 1);
	open_side(&t, &t.own, cuda, 1);
	snprintf(bytes, sizeof bytes, "%lld",
		 2 * (long long)cuda->plan_bytes(t.own.ctx,
						 &(struct net_spec){ .graph = t.g,
								     .recipe = &t.r,
								     .data = t.data,
								     .train = t.data->split[SPLIT_TRAIN],
								     .n_train = 16 },
						 &e));
	setenv("NAB_EMULATED_MEMORY", bytes, 1);
	net = net_on(&t, &ctx, SMALL_CARD, NULL, &rc, &e);
	assert_int_equal(rc, 0);
	assert_null(net_on(&t, &ctx, SMALL_CARD, NULL, &rc, &e));
	assert_int_equal(rc, NET_OOM);
	assert_non_null(strstr(e.msg, "are free"));
	for (int i = 0; i < 2; i++) {
		w[i].t = &t;
		pthread_create(&thread[i], NULL, wait_for_room, &w[i]);
		wait_until_asked(&w[i]);
	}
	atomic_store(&w[0].stop.now, true);
	pthread_join(thread[0], NULL);
	assert_int_equal(w[0].rc, NET_STOPPED);
	assert_false(atomic_load(&w[1].done));
	cuda->net_free(net);
	pthread_join(thread[1], NULL);
	assert_int_equal(w[1].rc, 0);
	unsetenv("NAB_EMULATED_MEMORY");
	cuda->close(ctx);
	trial_free(&t);
}

static void test_lost(void **state)
{
	struct step_stats stats = { 0 };
	struct backend_ctx *ctx = NULL;
	struct trial t;
	struct net *net;
	struct err e = { 0 };
	int rc;

	(void)state;
	cuda_test_plugin();
	if (!cuda_test_emulated())
		SKIP_BECAUSE("only the emulated card can be lost");
	small_trial(&t, cuda);
	setenv("NAB_EMULATED_DEVICES", "3", 1);
	net = net_on(&t, &ctx, LOST_CARD, NULL, &rc, &e);
	assert_int_equal(rc, 0);
	assert_false(cuda->lost(ctx));
	setenv("NAB_EMULATED_FAULT", "lost:after:1", 1);
	assert_int_equal(cuda->train_steps(net, 0, 2, &stats, &e), -1);
	unsetenv("NAB_EMULATED_FAULT");
	assert_int_equal(strncmp(e.msg, "cuda: device lost", 17), 0);
	assert_true(cuda->lost(ctx));
	err_clear(&e);
	assert_null(net_on(&t, &ctx, LOST_CARD, NULL, &rc, &e));
	assert_int_equal(rc, -1);
	cuda->net_free(net);
	cuda->close(ctx);
	trial_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),         cmocka_unit_test(test_random_nets),
		cmocka_unit_test(test_spaces),        cmocka_unit_test(test_repeats_and_resumes),
		cmocka_unit_test(test_raw_inputs),    cmocka_unit_test(test_sharing_and_freezing),
		cmocka_unit_test(test_profile),       cmocka_unit_test(test_fusions),
		cmocka_unit_test(test_pools),         cmocka_unit_test(test_forms),
		cmocka_unit_test(test_steps),         cmocka_unit_test(test_recipes),
		cmocka_unit_test(test_bf16_kinds),    cmocka_unit_test(test_curves),
		cmocka_unit_test(test_steps_at_once), cmocka_unit_test(test_steps_do_not_wait),
		cmocka_unit_test(test_side_by_side),  cmocka_unit_test(test_other_backend),
		cmocka_unit_test(test_places),        cmocka_unit_test(test_programs),
		cmocka_unit_test(test_refusals),      cmocka_unit_test(test_waits),
		cmocka_unit_test(test_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
