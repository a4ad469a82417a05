/* bench/bench_cpu.c - training speed of the cpu backend: bench_cpu MODEL.json [threads [seconds [repeats]]] prints one
 * line of JSON with samples per second (of the clock on the wall, and of processor time, which other processes disturb
 * less), medians over the repeats. With "layers" as a last argument it prints where the time goes instead. NAB_TUNE=1
 * measures the choice of algorithms. Batch 128, SGD with momentum, examples in memory, gathered and normalised anew in
 * each step. bench/cpu.py is the same for PyTorch, bench/cpu.sh runs the two in turn.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "arch/model.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "train/backend.h"

enum { EXAMPLES = 1280, BATCH = 128, REPEATS_MAX = 50 };

extern const struct backend backend_cpu;

struct bench {
	struct arena *a;
	struct graph *g;
	struct dataset data;
	struct recipe recipe;
	struct backend_ctx *ctx;
	struct net *net;
	struct weights *w;
};

static void make_data(struct bench *b)
{
	int64_t per = shape_count(&b->g->inputs[0].shape);
	uint8_t *x = arena_alloc(b->a, (size_t)(EXAMPLES * per));
	int32_t *label = ARENA_ARRAY(b->a, int32_t, EXAMPLES);
	uint32_t *index = ARENA_ARRAY(b->a, uint32_t, EXAMPLES);
	float *mean = ARENA_ARRAY(b->a, float, 8), *std = ARENA_ARRAY(b->a, float, 8);
	struct rng r;

	rng_init(&r, 1, PURPOSE_DATA);
	for (int64_t i = 0; i < EXAMPLES * per; i++)
		x[i] = (uint8_t)rng_below(&r, 256);
	for (int i = 0; i < EXAMPLES; i++) {
		label[i] = (int32_t)rng_below(&r, 10);
		index[i] = (uint32_t)i;
	}
	for (int i = 0; i < 8; i++) {
		mean[i] = 127;
		std[i] = 74;
	}
	b->data = (struct dataset){ .name = "noise",
				    .shape = b->g->inputs[0].shape,
				    .classes = 10,
				    .n = EXAMPLES,
				    .u8 = x,
				    .label = label,
				    .split = { index },
				    .n_split = { EXAMPLES },
				    .channels = b->g->inputs[0].shape.d[0],
				    .mean = mean,
				    .std = std };
}

static int start(struct bench *b, const char *path, int threads, struct err *e)
{
	struct backend_conf conf = { .threads = threads, .tune = getenv("NAB_TUNE") != NULL };
	struct net_spec spec = { .recipe = &b->recipe, .data = &b->data, .n_train = EXAMPLES, .seed = 1 };
	struct diag d = { 0 };
	int rc = -1;

	TRY(model_load(&b->g, path, NULL, b->a, &d, e));
	make_data(b);
	recipe_defaults(&b->recipe);
	b->recipe.batch = BATCH;
	b->recipe.n_augment = 0;
	b->recipe.optimizer = (struct optimizer){ .kind = OPTIMIZER_SGD, .lr = 1e-3, .momentum = 0.9 };
	spec.graph = b->g;
	spec.train = b->data.split[SPLIT_TRAIN];
	TRY(backend_cpu.open(&b->ctx, &conf, e));
	TRY(backend_cpu.net_create(&b->net, b->ctx, &spec, e));
	b->w = weights_new(b->g, e);
	if (!b->w)
		goto out;
	weights_init(b->w, b->g, 1);
	rc = backend_cpu.set_weights(b->net, b->w, e);
out:
	diag_release(&d);
	return rc;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double processor_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int measure(struct bench *b, const char *path, int threads, double seconds, int repeats, struct err *e)
{
	struct step_stats stats = { 0 };
	double begin = clock_mono(), busy, wall[REPEATS_MAX], cpu[REPEATS_MAX];
	int64_t at = 0, n;
	char text[120];

	while (clock_mono() - begin < (seconds < 0.5 ? 0.5 : seconds)) /* warm up, and find a number of steps */
		if (backend_cpu.train_steps(b->net, at++, 1, &stats, e) < 0)
			return -1;
	n = (int64_t)ceil((double)at * seconds / (clock_mono() - begin));
	for (int i = 0; i < repeats; i++, at += n) {
		begin = clock_mono();
		busy = processor_time();
		if (backend_cpu.train_steps(b->net, at, n, &stats, e) < 0)
			return -1;
		wall[i] = (double)(n * BATCH) / (clock_mono() - begin);
		cpu[i] = (double)(n * BATCH) / (processor_time() - busy);
	}
	qsort(wall, (size_t)repeats, sizeof *wall, by_size);
	qsort(cpu, (size_t)repeats, sizeof *cpu, by_size);
	backend_cpu.describe(text, sizeof text);
	printf("{\"model\": \"%s\", \"threads\": %d, \"samples_per_s\": %.1f, \"samples_per_cpu_s\": %.1f, "
	       "\"least\": %.1f, \"most\": %.1f, \"loss\": %.4f, \"by\": \"%s\"}\n",
	       path, threads, wall[repeats / 2], cpu[repeats / 2], wall[0], wall[repeats - 1],
	       stats.loss / (double)stats.examples, text);
	return 0;
}

static int print_layers(struct bench *b, struct err *e)
{
	struct net_profile p = { .layer = ARENA_ARRAY(b->a, struct layer_time, b->g->n_nodes) };

	if (backend_cpu.profile(b->net, 20, &p, e) < 0)
		return -1;
	for (int i = 0; i < b->g->n_nodes; i++)
		if (p.layer[i].fused_into == i)
			printf("%8.3f %8.3f ms %10lld bytes  %s\n", p.layer[i].forward_s * 1e3,
			       p.layer[i].backward_s * 1e3, (long long)p.layer[i].bytes, b->g->nodes[i].id);
	printf(
	    "input %.3f loss %.3f optimizer %.3f ms; weights %lld activations %lld workspace %lld total %lld bytes\n",
	    p.input_s * 1e3, p.loss_s * 1e3, p.optimizer_s * 1e3, (long long)p.weight_bytes,
	    (long long)p.activation_bytes, (long long)p.workspace_bytes, (long long)p.total_bytes);
	return 0;
}

int main(int argc, char **argv)
{
	struct bench b = { .a = arena_new() };
	struct err e = { 0 };
	char text[512];
	int threads = argc > 2 ? atoi(argv[2]) : 1, repeats = argc > 4 ? atoi(argv[4]) : 5, rc;
	double seconds = argc > 3 ? atof(argv[3]) : 0.6;

	if (argc < 2 || repeats < 1 || repeats > REPEATS_MAX) {
		fprintf(stderr, "usage: bench_cpu MODEL.json [threads [seconds [repeats [layers]]]]\n");
		return 2;
	}
	rc = start(&b, argv[1], threads, &e);
	if (rc == 0)
		rc = argc > 5 ? print_layers(&b, &e) : measure(&b, argv[1], threads, seconds, repeats, &e);
	if (rc < 0)
		fprintf(stderr, "%s\n", err_text(&e, text, sizeof text));
	weights_free(b.w);
	backend_cpu.net_free(b.net);
	backend_cpu.close(b.ctx);
	arena_free(b.a);
	return rc < 0;
}
