/* tests/unit/test_torch_parity.c - a CNN, an MLP, a small residual net and a recurrent one, trained for 20 steps here
 * and in PyTorch (tests/torch_parity.py, float64) from the same weights and batches: losses, final weights and logits
 * agree. Skipped where there is no Python with torch; NAB_PYTHON names one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/helper_data.h"
#include "tests/helper_skip.h"
#include "train/batch.h"
#include "train/train.h"

enum { STEPS = 20, BATCH = 8, CLASSES = 4 };

static const struct parity {
	const char *name, *model;
	struct shape shape;
	struct optimizer optimizer;
	double smoothing, clip;
} cases[] = {
	{ "cnn",
	  "{'input': [2,8,8], 'classes': 4, 'layers': [{'conv2d': {'filters': 6, 'kernel': 3, 'padding': 'same'}},"
	  "'batchnorm', 'relu', {'maxpool2d': {'size': 2}}, {'depthwise2d': {'multiplier': 2, 'kernel': 3, 'stride': 2,"
	  "'padding': 'same', 'bias': false}}, 'batchnorm', 'hard_swish', 'globalavgpool', {'dense': {'units': 4}}]}",
	  { TENSOR_IMAGE, false, { 2, 8, 8 } },
	  { .kind = OPTIMIZER_SGD, .lr = 0.1, .momentum = 0.9, .nesterov = true, .weight_decay = 1e-2 },
	  0.1,
	  0 },
	{ "mlp",
	  "{'input': [2,8,8], 'classes': 4, 'layers': ['flatten', {'dense': {'units': 24}}, 'layernorm', 'gelu',"
	  "{'dense': {'units': 16}}, 'tanh', {'dense': {'units': 4}}]}",
	  { TENSOR_IMAGE, false, { 2, 8, 8 } },
	  { .kind = OPTIMIZER_ADAMW, .lr = 0.01, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-6, .weight_decay = 0.1 },
	  0,
	  0.5 },
	{ "residual",
	  "{'input': [2,8,8], 'classes': 4, 'layers': ["
	  "{'id': 'stem', 'conv2d': {'filters': 4, 'kernel': 3, 'padding': 'same', 'bias': false}},"
	  "{'id': 'norm0', 'batchnorm': {}}, {'id': 'entry', 'relu': {}},"
	  "{'id': 'conv1', 'conv2d': {'filters': 8, 'kernel': 3, 'stride': 2, 'padding': 'same', 'bias': false}},"
	  "{'id': 'norm1', 'batchnorm': {}}, 'relu',"
	  "{'id': 'conv2', 'conv2d': {'filters': 8, 'kernel': 3, 'padding': 'same', 'bias': false}},"
	  "{'id': 'norm2', 'batchnorm': {}},"
	  "{'id': 'project', 'conv2d': {'filters': 8, 'kernel': 1, 'stride': 2}, 'from': 'entry'},"
	  "{'add': {}, 'from': ['norm2', 'prev']}, 'relu', 'globalavgpool', {'id': 'head', 'dense': {'units': 4}}]}",
	  { TENSOR_IMAGE, false, { 2, 8, 8 } },
	  { .kind = OPTIMIZER_ADAM, .lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 1e-2 },
	  0,
	  0 },
	{ "recurrent",
	  "{'inputs': {'in': {'type': 'sequence', 'shape': [3, 7]}}, 'classes': 4, 'layers': ["
	  "{'lstm': {'units': 5, 'bidirectional': true, 'last': 'sequence'}}, {'gru': {'units': 6, 'last': 'last'}},"
	  "{'dense': {'units': 4}}]}",
	  { TENSOR_SEQUENCE, false, { 3, 7, 0 } },
	  { .kind = OPTIMIZER_SGD, .lr = 0.2, .momentum = 0.8, .weight_decay = 1e-3 },
	  0,
	  2 },
};
enum { CASES = sizeof cases / sizeof *cases };

static char folder[64];

struct setup {
	struct arena *a;
	struct dataset *data;
	struct graph *g;
	struct recipe r;
	struct weights *w;
};

static void set_up(struct setup *t, const struct parity *c)
{
	struct blobs b = { .shape = c->shape, .classes = CLASSES, .n = { 50, 0, 0 }, .noise = 1, .seed = 7 };

	t->a = arena_new();
	t->data = blobs_new(&b, t->a);
	t->g = graph_of(t->a, c->model);
	recipe_defaults(&t->r);
	t->r.batch = BATCH;
	t->r.n_augment = 0;
	t->r.epochs = 4;
	t->r.optimizer = c->optimizer;
	t->r.schedule.kind = SCHEDULE_COSINE;
	t->r.label_smoothing = c->smoothing;
	t->r.clip = c->clip;
	t->w = weights_new(t->g, NULL);
	weights_init(t->w, t->g, 3);
}

static void tear_down(struct setup *t)
{
	weights_free(t->w);
	arena_free(t->a);
}

static const char *path_of(struct arena *a, const char *name, const char *ending)
{
	return arena_printf(a, "%s/%s.%s", folder, name, ending);
}

static void write_json(struct setup *t, const struct parity *c)
{
	static const char *const kinds[] = { "sgd", "adam", "adamw" };
	const struct optimizer *o = &c->optimizer;
	struct json *j = json_object(), *opt = json_put(j, "optimizer", json_object()), *rates, *shape;
	struct str text = { 0 };

	json_put(j, "model", json_str(c->name));
	json_put(j, "batch", json_num(BATCH));
	json_put(j, "smoothing", json_num(c->smoothing));
	json_put(j, "clip", json_num(c->clip));
	json_put(opt, "kind", json_str(kinds[o->kind]));
	json_put(opt, "momentum", json_num(o->momentum));
	json_put(opt, "nesterov", json_bool(o->nesterov));
	json_put(opt, "beta1", json_num(o->beta1));
	json_put(opt, "beta2", json_num(o->beta2));
	json_put(opt, "eps", json_num(o->eps));
	json_put(opt, "weight_decay", json_num(o->weight_decay));
	rates = json_put(j, "rates", json_array());
	for (int s = 0; s < STEPS; s++)
		json_push(rates, json_num(recipe_rate(&t->r, s, 50 / BATCH)));
	shape = json_put(j, "shape", json_array());
	for (int k = 0; k < shape_rank(&c->shape); k++)
		json_push(shape, json_num(c->shape.d[k]));
	json_print(&text, j);
	assert_int_equal(file_write(path_of(t->a, c->name, "json"), text.s, text.len, NULL), 0);
	str_release(&text);
	json_free(j);
}

static void write_batches(struct setup *t, const struct parity *c)
{
	size_t per = (size_t)(BATCH * shape_count(&c->shape));
	float *x = ARENA_ARRAY(t->a, float, STEPS *per);
	int32_t *y = ARENA_ARRAY(t->a, int32_t, STEPS * BATCH);
	struct batcher *b;
	struct batch one;

	assert_int_equal(batcher_new(&b, t->data, &t->r, &c->shape, t->data->split[0], 50, 3, NULL), 0);
	batch_init(&one, &c->shape, BATCH, NULL);
	for (int s = 0; s < STEPS; s++) {
		batcher_step(b, s, &one);
		memcpy(x + (size_t)s * per, one.x, per * sizeof *x);
		memcpy(y + s * BATCH, one.label, BATCH * sizeof *y);
	}
	file_write(path_of(t->a, c->name, "x"), x, STEPS * per * sizeof *x, NULL);
	file_write(path_of(t->a, c->name, "y"), y, STEPS * BATCH * sizeof *y, NULL);
	batch_release(&one);
	batcher_free(b);
}

/* Writes all inputs and runs PyTorch once. 0, or -1 if there is no torch. */
static int run_torch(void **state)
{
	const char *named = getenv("NAB_PYTHON"), *pythons[] = { named ? named : "python3", "/usr/bin/python3" };
	char line[256];

	(void)state;
	snprintf(folder, sizeof folder, "/tmp/nab-parity-%d", (int)getpid());
	assert_int_equal(file_mkdirs(folder, NULL), 0);
	for (int i = 0; i < CASES; i++) {
		struct setup t;

		set_up(&t, &cases[i]);
		write_json(&t, &cases[i]);
		write_batches(&t, &cases[i]);
		assert_int_equal(weights_save(t.w, path_of(t.a, cases[i].name, "safetensors"), NULL, NULL), 0);
		tear_down(&t);
	}
	for (int i = 0; i < 2; i++) {
		snprintf(line, sizeof line, "%s -c 'import torch' 2>/dev/null", pythons[i]);
		if (system(line) != 0)
			continue;
		snprintf(line, sizeof line, "%s tests/torch_parity.py %s", pythons[i], folder);
		return system(line) == 0 ? 0 : 1;
	}
	folder[0] = 0;
	return 0;
}

static int clean_up(void **state)
{
	char line[128];

	(void)state;
	snprintf(line, sizeof line, "rm -rf /tmp/nab-parity-%d", (int)getpid());
	return system(line) != 0;
}

static double *read_doubles(struct setup *t, const char *name, const char *ending, int64_t n)
{
	char *bytes;
	size_t len;
	double *out = ARENA_ARRAY(t->a, double, n);

	assert_int_equal(file_read(&bytes, &len, path_of(t->a, name, ending), 1 << 24, false, NULL), 0);
	assert_int_equal(len, (size_t)n * sizeof *out);
	memcpy(out, bytes, len);
	mem_free(bytes);
	return out;
}

static void agree(const char *name, const char *what, int64_t i, double got, double want, double tolerance)
{
	if (!(fabs(got - want) <= tolerance * (0.1 + fabs(want))))
		fail_msg("%s: %s %d is %.10g, PyTorch says %.10g", name, what, (int)i, got, want);
}

static void train_here(struct setup *t, struct net *net, const struct backend *b, const struct parity *c, double tol)
{
	double *loss = read_doubles(t, c->name, "loss", STEPS);
	double *last = read_doubles(t, c->name, "end", t->w->total + BATCH * CLASSES);
	uint32_t first[BATCH];
	float z[BATCH * CLASSES];
	struct batcher *order;

	for (int s = 0; s < STEPS; s++) {
		struct step_stats stats = { 0 };

		assert_int_equal(b->train_steps(net, s, 1, &stats, NULL), 0);
		agree(c->name, "loss of step", s, stats.loss / BATCH, loss[s], tol);
	}
	b->get_weights(net, t->w, NULL);
	for (int64_t i = 0; i < t->w->total; i++)
		agree(c->name, "number", i, (double)t->w->data[i], last[i], fmax(tol, 1e-6));
	batcher_new(&order, t->data, &t->r, &c->shape, t->data->split[0], 50, 3, NULL);
	batcher_order(order, 0, first);
	batcher_free(order);
	b->evaluate(net, first, BATCH, z, NULL);
	for (int i = 0; i < BATCH * CLASSES; i++)
		agree(c->name, "logit", i, (double)z[i], last[t->w->total + i], fmax(tol, 1e-6));
}

/* Double against double: far below the 1e-5 that would do; single precision: 1e-3. */
static void backend_agrees(const struct backend *b)
{
	struct backend_conf conf = { .threads = 1 };
	struct backend_ctx *ctx = NULL;

	assert_int_equal(b->open(&ctx, &conf, NULL), 0);
	for (int i = 0; i < CASES; i++) {
		struct setup t;
		struct net *net = NULL;

		set_up(&t, &cases[i]);
		struct net_spec spec = { .graph = t.g,
					 .recipe = &t.r,
					 .data = t.data,
					 .train = t.data->split[0],
					 .n_train = 50,
					 .seed = 3 };

		if (b->supports(t.g, &t.r, NULL) == 0) {
			assert_int_equal(b->net_create(&net, ctx, &spec, NULL), 0);
			b->set_weights(net, t.w, NULL);
			train_here(&t, net, b, &cases[i], strcmp(b->name, "ref") == 0 ? 1e-9 : 1e-3);
			b->net_free(net);
		}
		tear_down(&t);
	}
	b->close(ctx);
}

static void ref_is_torch(void **state)
{
	(void)state;
	if (!folder[0]) {
		SKIP_BECAUSE("no Python with torch");
	}
	backend_agrees(backend_find("ref"));
}

static void cpu_is_torch(void **state)
{
	(void)state;
	if (!folder[0] || !backend_find("cpu"))
		SKIP_BECAUSE("no Python with torch");
	backend_agrees(backend_find("cpu"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ref_is_torch),
		cmocka_unit_test(cpu_is_torch),
	};

	return cmocka_run_group_tests_name("torch_parity", tests, run_torch, clean_up);
}
