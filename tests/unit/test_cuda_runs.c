/* tests/unit/test_cuda_runs.c - whole trainings on the cuda backend: loss curves beside those of the cpu backend, CUDA
 * graphs beside single launches, many runs in flight beside one alone. On the emulated card with few and small steps;
 * on a real one (NAB_CUDA_PLUGIN, `make gpu-check`) 200 steps and 16 runs.
 */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/helper_cuda.h"
#include "tests/helper_data.h"
#include "train/backend.h"

enum { BATCH = 16, CLASSES = 4, PIECE = 10, MOST_STEPS = 200, MOST_RUNS = 16 };

static const char *const models[] = {
	"{'name': 'plain', 'input': [3, 12, 12], 'classes': 4, 'layers': [{'conv2d': {'filters': 8, 'kernel': 3}}, "
	"'relu',"
	" {'maxpool2d': {'size': 2}}, {'dropout': {'rate': 0.2}}, 'flatten', {'dense': {'units': 24}}, 'relu',"
	" {'dense': {'units': 4}}]}",
	"{'name': 'normed', 'input': [3, 12, 12], 'classes': 4, 'layers': [{'conv2d': {'filters': 12, 'kernel': 3, "
	"'bias':"
	" false}}, 'batchnorm', 'silu', {'depthwise2d': {'kernel': 3, 'stride': 2}}, 'batchnorm', 'relu',"
	" {'conv2d': {'filters': 20, 'kernel': 1}}, 'gelu', 'globalavgpool', {'dense': {'units': 4}}]}",
};

struct job { /* one training */
	const struct backend *b;
	const struct graph *g;
	const struct recipe *r;
	const struct dataset *d;
	uint64_t seed;
	bool eager, tune;
	int steps;
	double curve[MOST_STEPS / PIECE]; /* mean loss of PIECE steps each */
	struct weights *w;                /* afterwards */
	struct err e;
};

static int steps_here(void)
{
	return cuda_test_emulated() ? 20 : MOST_STEPS;
}

static int train(struct job *j)
{
	struct backend_conf conf = { .threads = 1, .eager = j->eager, .tune = j->tune };
	struct net_spec spec = { .graph = j->g,
				 .recipe = j->r,
				 .data = j->d,
				 .train = j->d->split[SPLIT_TRAIN],
				 .n_train = j->d->n_split[SPLIT_TRAIN],
				 .seed = j->seed };
	struct backend_ctx *ctx = NULL;
	struct net *net = NULL;
	int rc = -1;

	j->w = weights_new(j->g, &j->e);
	weights_init(j->w, j->g, j->seed);
	TRY(j->b->open(&ctx, &conf, &j->e));
	TRY(j->b->net_create(&net, ctx, &spec, &j->e));
	TRY(j->b->set_weights(net, j->w, &j->e));
	for (int s = 0; s < j->steps; s += PIECE) {
		struct step_stats stats = { 0 };

		TRY(j->b->train_steps(net, s, PIECE, &stats, &j->e));
		j->curve[s / PIECE] = stats.loss / (double)stats.examples;
	}
	rc = j->b->get_weights(net, j->w, &j->e);
out:
	if (net)
		j->b->net_free(net);
	if (ctx)
		j->b->close(ctx);
	return rc;
}

static void trained(struct job *j)
{
	if (train(j) < 0)
		fail_msg("%s: %s: %s", j->b->name, j->e.where, j->e.msg);
}

static struct recipe recipe(enum precision precision)
{
	struct recipe r;

	recipe_defaults(&r);
	r.batch = BATCH;
	r.epochs = 100;
	r.precision = precision;
	r.optimizer.kind = OPTIMIZER_SGD;
	r.optimizer.lr = 0.05;
	r.optimizer.momentum = 0.9;
	r.n_augment = 2;
	r.augment[0] = (struct augment){ .kind = AUGMENT_CROP, .pad = 2 };
	r.augment[1] = (struct augment){ .kind = AUGMENT_HFLIP, .p = 0.5 };
	return r;
}

static struct dataset *pictures(struct arena *a)
{
	struct blobs b = { .shape = shape_image(3, 12, 12),
			   .classes = CLASSES,
			   .n = { 8 * BATCH, BATCH, 0 },
			   .noise = 1,
			   .bytes = true,
			   .seed = 3 };

	return blobs_new(&b, a);
}

/* The same pixels and the same start: first steps agree to rounding; later ones as far as a descent does that rounding
 * has set on another way. */
static void compare_curves(const struct job *cpu, const struct job *gpu, double first, double all)
{
	for (int k = 0; k < gpu->steps / PIECE; k++) {
		double tolerance = k == 0 ? first : all, difference = fabs(gpu->curve[k] - cpu->curve[k]);

		if (!(difference <= tolerance * (0.1 + cpu->curve[k])))
			fail_msg("%s: mean loss of steps %d to %d is %g instead of %g", gpu->g->name, k * PIECE,
				 (k + 1) * PIECE - 1, gpu->curve[k], cpu->curve[k]);
	}
}

static void test_curves(void **state)
{
	static const struct {
		enum precision precision;
		double first, all;
	} rows[] = { { PRECISION_FP32, 1e-3, 0.1 }, { PRECISION_TF32, 1e-2, 0.2 }, { PRECISION_BF16, 3e-2, 0.35 } };

	(void)state;
	cuda_test_plugin();
	for (size_t m = 0; m < sizeof models / sizeof *models; m++)
		for (size_t p = 0; p < sizeof rows / sizeof *rows; p++) {
			struct arena *a = arena_new();
			struct recipe exact = recipe(PRECISION_FP32), r = recipe(rows[p].precision);
			struct job cpu = { .b = backend_find("cpu"), .r = &exact, .seed = 7, .steps = steps_here() };
			struct job gpu;

			cpu.g = graph_of(a, models[m]);
			cpu.d = pictures(a);
			gpu = cpu;
			gpu.b = backend_find("cuda");
			gpu.r = &r;
			trained(&cpu);
			trained(&gpu);
			compare_curves(&cpu, &gpu, rows[p].first, rows[p].all);
			if (gpu.steps == MOST_STEPS)
				assert_true(gpu.curve[gpu.steps / PIECE - 1] < gpu.curve[0]);
			weights_free(cpu.w);
			weights_free(gpu.w);
			arena_free(a);
		}
}

static void assert_same_bits(const struct job *a, const struct job *b, const char *what)
{
	if (memcmp(a->curve, b->curve, sizeof a->curve) != 0 ||
	    memcmp(a->w->data, b->w->data, (size_t)a->w->total * sizeof *a->w->data) != 0)
		fail_msg("%s: %s gives other bits", a->g->name, what);
}

static void test_graphs(void **state)
{
	(void)state;
	cuda_test_plugin();
	for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
		struct arena *a = arena_new();
		struct recipe r = recipe(PRECISION_BF16);
		struct job one = { .b = backend_find("cuda"), .r = &r, .seed = 9, .steps = steps_here() }, other;

		one.g = graph_of(a, models[m]);
		one.d = pictures(a);
		other = one;
		other.eager = true;
		trained(&one);
		trained(&other);
		assert_same_bits(&one, &other, "launching operations one by one");
		weights_free(one.w);
		weights_free(other.w);
		arena_free(a);
	}
}

/* Whatever engines the clock prefers: the numbers are right, and once chosen they stay. */
static void test_tuned(void **state)
{
	(void)state;
	cuda_test_plugin();
	for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
		struct arena *a = arena_new();
		struct recipe exact = recipe(PRECISION_FP32), r = recipe(PRECISION_BF16);
		struct job cpu = { .b = backend_find("cpu"), .r = &exact, .seed = 9, .steps = steps_here() };
		struct job one, other;

		cpu.g = graph_of(a, models[m]);
		cpu.d = pictures(a);
		one = cpu;
		one.b = backend_find("cuda");
		one.r = &r;
		one.tune = true;
		other = one;
		trained(&cpu);
		trained(&one);
		trained(&other);
		compare_curves(&cpu, &one, 3e-2, 0.35);
		assert_same_bits(&one, &other, "a second run with timed engines");
		weights_free(cpu.w);
		weights_free(one.w);
		weights_free(other.w);
		arena_free(a);
	}
}

static void gradients(const struct backend *b, struct net *net, const struct dataset *d, int count, struct weights *out)
{
	struct err e = { 0 };
	double loss;

	if (b->gradients(net, d->split[SPLIT_TRAIN], count, out, &loss, &e) < 0)
		fail_msg("%s", e.msg);
}

/* Of as many examples as before, of others, and after more training. */
static void test_gradients_again(void **state)
{
	const struct backend *b = backend_find("cuda");
	struct backend_conf conf = { .threads = 1 };
	struct recipe r = recipe(PRECISION_BF16);
	struct arena *a = arena_new();
	const struct graph *g = graph_of(a, models[1]);
	const struct dataset *d = pictures(a);
	struct net_spec spec = {
		.graph = g, .recipe = &r, .data = d, .train = d->split[SPLIT_TRAIN], .n_train = 4 * BATCH
	};
	struct step_stats stats = { 0 };
	struct weights *w[5];
	struct backend_ctx *ctx;
	struct net *net;
	struct err e;
	size_t bytes;

	(void)state;
	cuda_test_plugin();
	for (int i = 0; i < 5; i++)
		w[i] = weights_new(g, &e);
	bytes = (size_t)w[0]->total * sizeof *w[0]->data;
	weights_init(w[0], g, 5);
	assert_int_equal(b->open(&ctx, &conf, &e), 0);
	assert_int_equal(b->net_create(&net, ctx, &spec, &e), 0);
	assert_int_equal(b->set_weights(net, w[0], &e), 0);
	gradients(b, net, d, 8, w[1]);
	gradients(b, net, d, 24, w[2]);
	gradients(b, net, d, 8, w[3]);
	assert_memory_equal(w[1]->data, w[3]->data, bytes);
	assert_memory_not_equal(w[1]->data, w[2]->data, bytes);
	assert_int_equal(b->train_steps(net, 0, 2, &stats, &e), 0);
	gradients(b, net, d, 8, w[4]);
	assert_memory_not_equal(w[1]->data, w[4]->data, bytes);
	b->net_free(net);
	b->close(ctx);
	for (int i = 0; i < 5; i++)
		weights_free(w[i]);
	arena_free(a);
}

static void *in_flight(void *arg)
{
	return train(arg) < 0 ? arg : NULL;
}

static void test_in_flight(void **state)
{
	int runs = cuda_test_emulated() ? 4 : MOST_RUNS;
	struct arena *a = arena_new();
	struct recipe r = recipe(PRECISION_BF16);
	struct job alone[2], many[MOST_RUNS];
	const struct dataset *d = pictures(a);
	pthread_t thread[MOST_RUNS];
	void *failed;

	(void)state;
	cuda_test_plugin();
	for (int m = 0; m < 2; m++) {
		alone[m] = (struct job){ .b = backend_find("cuda"), .r = &r, .d = d, .seed = 4, .steps = steps_here() };
		alone[m].g = graph_of(a, models[m]);
	}
	for (int i = 0; i < runs; i++) {
		many[i] = alone[i % 2];
		assert_int_equal(pthread_create(&thread[i], NULL, in_flight, &many[i]), 0);
	}
	for (int m = 0; m < 2; m++)
		trained(&alone[m]);
	for (int i = 0; i < runs; i++) {
		assert_int_equal(pthread_join(thread[i], &failed), 0);
		if (failed)
			fail_msg("%s: %s", many[i].e.where, many[i].e.msg);
		assert_same_bits(&alone[i % 2], &many[i], "training beside others");
		weights_free(many[i].w);
	}
	for (int m = 0; m < 2; m++)
		weights_free(alone[m].w);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_curves),          cmocka_unit_test(test_graphs),    cmocka_unit_test(test_tuned),
		cmocka_unit_test(test_gradients_again), cmocka_unit_test(test_in_flight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
