/* tests/unit/test_export.c - exported PyTorch code gives the oracle's logits on random networks of every kind; what it
 * looks like is a golden (NAB_GOLDEN=1 rewrites it); what cannot be exported is refused.
 *
 * NAB_EXPORTS sets how many random networks (60), NAB_TEST_SEED which. Skipped where there is no Python with torch;
 * NAB_PYTHON names one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/kinds.h"
#include "arch/model.h"
#include "arch/safetensors.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "export/export.h"
#include "export/torch.h"
#include "space/space.h"
#include "tests/helper_data.h"
#include "tests/helper_files.h"
#include "tests/helper_graphs.h"
#include "tests/helper_layers.h"
#include "tests/helper_skip.h"
#include "train/backend.h"

enum { EXAMPLES = 3 };

static const char *python(void)
{
	static const char *const all[] = { "python3", "/usr/bin/python3" };
	const char *named = getenv("NAB_PYTHON");
	char line[200];

	for (int i = 0; i < 2; i++) {
		snprintf(line, sizeof line, "%s -c 'import torch' 2>/dev/null", named ? named : all[i]);
		if (system(line) == 0)
			return named ? named : all[i];
	}
	return NULL;
}

static float *narrow(const double *v, int64_t n, struct arena *a)
{
	float *out = ARENA_ARRAY(a, float, n);

	for (int64_t i = 0; i < n; i++)
		out[i] = (float)v[i];
	return out;
}

static bool moderate(const float *v, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (!(v[i] > -1e6F && v[i] < 1e6F))
			return false;
	return true;
}

/* Exports g with random weights and the oracle's logits of random inputs; false if those overflow, as products of
 * products may. */
static bool export_to(const char *dir, const struct graph *g, const struct recipe *recipe, struct rng *r)
{
	struct arena *a = arena_new();
	struct weights *w = random_weights(g, r);
	const float **in = ARENA_ARRAY(a, const float *, g->n_inputs), **out = ARENA_ARRAY(a, const float *, 2);
	struct export_job job = { .graph = g, .weights = w, .recipe = recipe, .examples = EXAMPLES, .dir = dir };
	struct err e = { 0 };
	double **logits;
	bool fine = true;

	for (int k = 0; k < g->n_inputs; k++)
		in[k] = random_input(g, k, EXAMPLES, a, r);
	logits = oracle_logits(g, w, in, EXAMPLES, a);
	for (int k = 0; k < g->n_outputs; k++) {
		out[k] = narrow(logits[k], EXAMPLES * g->outputs[k].classes, a);
		fine &= moderate(out[k], EXAMPLES * g->outputs[k].classes);
	}
	job.input = in;
	job.logits = out;
	if (fine && exporter_find("pytorch", &e)->run(&job, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	weights_free(w);
	arena_free(a);
	return fine;
}

static void run_checks(const char *py, const char *dir)
{
	char line[400];

	snprintf(line, sizeof line, "%s tests/export_check.py %s 1>&2", py, dir);
	assert_int_equal(system(line), 0);
}

/* A random network that has a layer of this kind. */
static struct graph *graph_with(struct arena *a, enum layer_kind kind, struct rng *r)
{
	for (;;) {
		struct graph *g = random_graph(a, r);

		for (int k = 0; k < g->n_nodes; k++)
			if (g->nodes[k].kind == kind || kind == LAYER_choice)
				return g;
	}
}

static void random_networks_give_the_oracles_logits(void **state)
{
	const char *py = python(), *dir = temp_dir();
	int n = getenv("NAB_EXPORTS") ? atoi(getenv("NAB_EXPORTS")) : 60, seen[LAYER_KIND_COUNT] = { 0 };
	struct rng r;

	(void)state;
	if (!py) {
		SKIP_BECAUSE("no Python with torch");
	}
	rng_init(&r, test_seed(), 77);
	for (int i = 0; i < n;) {
		struct arena *a = arena_new();
		struct graph *g = graph_with(a, (enum layer_kind)(i % LAYER_KIND_COUNT), &r);
		char path[300];

		for (int k = 0; k < g->n_nodes; k++)
			seen[g->nodes[k].kind]++;
		snprintf(path, sizeof path, "%s/%04d", dir, i);
		i += export_to(path, g, NULL, &r);
		arena_free(a);
	}
	for (int k = 0; k < LAYER_KIND_COUNT; k++)
		if (k != LAYER_choice && !seen[k])
			fail_msg("no network had a %s: more networks are needed", layer_classes[k]->name);
	run_checks(py, dir);
}

static const char residual[] =
    "{'name': 'small-res', 'input': [1, 28, 28], 'classes': 10, 'blocks': {'residual': {'with': {'filters': 32,"
    "'stride': 1}, 'layers': [{'conv2d': {'filters': '$filters', 'kernel': 3, 'stride': '$stride', 'padding': 'same',"
    "'bias': false}}, 'batchnorm', 'relu', {'conv2d': {'filters': '$filters', 'kernel': 3, 'padding': 'same', 'bias':"
    "false}}, 'batchnorm', {'add': {'project': true}, 'from': ['prev', 'in']}, 'relu']}}, 'layers': [{'conv2d':"
    "{'filters': 16, 'kernel': 3, 'padding': 'same', 'bias': false}}, 'batchnorm', 'relu', {'residual': {'filters':"
    "16}, 'repeat': 2}, {'residual': {'filters': 32}, 'first': {'stride': 2}, 'repeat': 6}, 'globalavgpool',"
    "{'dropout': {'rate': 0.2}}, {'dense': {'units': '$classes'}}]}";

static void expect_golden(const char *dir, const char *name)
{
	char path[300], golden[300];
	char *text, *want;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	snprintf(golden, sizeof golden, "tests/golden/export/%s", name);
	assert_int_equal(file_read(&text, NULL, path, 1 << 20, false, NULL), 0);
	if (getenv("NAB_GOLDEN")) {
		assert_int_equal(file_mkdirs("tests/golden/export", NULL), 0);
		assert_int_equal(file_write(golden, text, strlen(text), NULL), 0);
	}
	assert_int_equal(file_read(&want, NULL, golden, 1 << 20, false, NULL), 0);
	assert_string_equal(text, want);
	mem_free(text);
	mem_free(want);
}

static void golden_recipe(struct recipe *r, struct arena *a)
{
	static const char text[] =
	    "{\"epochs\": 5, \"optimizer\": {\"adamw\": {\"lr\": 0.002}}, \"label_smoothing\": 0.1,"
	    "\"augment\": [\"hflip\", {\"crop\": {\"pad\": 2}}, \"cutout\"]}";
	struct diag d = { 0 };
	struct json *j;

	assert_int_equal(json_parse(&j, text, strlen(text), "recipe", NULL), 0);
	assert_int_equal(recipe_read(r, j, a, &(struct json_in){ .root = j, .diag = &d }), 0);
	json_free(j);
}

static void code_looks_as_it_did(void **state)
{
	static const char *const classes[] = { "T-shirt", "Trouser", "Pullover", "Dress", "Coat",
					       "Sandal",  "Shirt",   "Sneaker",  "Bag",   "Ankle boot" };
	static const float mean = 72.94035F, std = 90.021184F, zeros[EXAMPLES * 784];
	const float *in[] = { zeros }, *out[] = { zeros };
	struct arena *a = arena_new();
	struct graph *g = graph_of(a, residual);
	struct weights *w = weights_new(g, NULL);
	struct json *from = json_object();
	struct recipe recipe;
	struct export_job job = { .graph = g,
				  .weights = w,
				  .recipe = &recipe,
				  .provenance = from,
				  .mean = &mean,
				  .std = &std,
				  .channels = 1,
				  .class_names = classes,
				  .examples = EXAMPLES,
				  .input = in,
				  .logits = out,
				  .dir = temp_dir() };
	struct err e = { 0 };

	(void)state;
	golden_recipe(&recipe, a);
	json_put(from, "tool", json_str("nab 0.1"));
	json_put(from, "dataset", json_str("fashion-mnist (idx), digest 0123456789abcdef"));
	json_put(from, "run", json_str("17"));
	json_put(from, "seed", json_str("42"));
	json_put(from, "metric", json_str("validation accuracy 0.913 of 6,000"));
	assert_int_equal(exporter_find("pytorch", &e)->run(&job, &e), 0);
	expect_golden(job.dir, "model.py");
	expect_golden(job.dir, "train.py");
	json_free(from);
	weights_free(w);
	arena_free(a);
}

/* ---- the shipped models and spaces ---------------------------------------------------------------------- */

static int export_models(const char *dir, const struct block_path *lib, struct rng *r)
{
	static const char *const files[] = { "lenet5", "lstm", "mlp", "mobilenet-small", "resnet8", "vgg-small" };
	int n = 0;

	for (size_t i = 0; i < sizeof files / sizeof *files; i++, n++) {
		struct arena *a = arena_new();
		struct diag d = { 0 };
		struct err e = { 0 };
		struct graph *g;
		char path[300];

		snprintf(path, sizeof path, "configs/models/%s.json", files[i]);
		if (model_load(&g, path, lib, a, &d, &e) < 0)
			fail_msg("%s: %s", e.where, e.msg);
		snprintf(path, sizeof path, "%s/%s", dir, files[i]);
		while (!export_to(path, g, NULL, r))
			continue;
		diag_release(&d);
		arena_free(a);
	}
	return n;
}

static void export_space(const char *dir, const char *name, const struct block_path *lib, int n, struct rng *r)
{
	struct arena *a = arena_new();
	struct space_target target = { shape_image(2, 16, 16), TASK_CLASSIFY, 5 };
	struct diag d = { 0 };
	struct err e = { 0 };
	struct space *s;
	char path[300];

	snprintf(path, sizeof path, "configs/spaces/%s.json", name);
	if (space_load(&s, path, lib, a, &d, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	for (int i = 0; i < n;) {
		struct graph *g;

		if (space_sample(&g, s, &target, r, a, NULL, &e) < 0)
			fail_msg("%s: %s", e.where, e.msg);
		snprintf(path, sizeof path, "%s/%s-%d", dir, name, i);
		i += export_to(path, g, NULL, r);
	}
	diag_release(&d);
	arena_free(a);
}

static void shipped_models_and_spaces_are_exported(void **state)
{
	static const char *const dirs[] = { "configs/blocks" };
	static const struct block_path lib = { dirs, 1 };
	const char *py = python(), *dir = temp_dir();
	struct rng r;

	(void)state;
	if (!py)
		SKIP_BECAUSE("no Python with torch");
	rng_init(&r, test_seed(), 78);
	export_models(dir, &lib, &r);
	export_space(dir, "blocks-100k", &lib, 6, &r);
	export_space(dir, "remap", &lib, 6, &r);
	export_space(dir, "mlp", &lib, 4, &r);
	export_space(dir, "nas-bench-201", &lib, 1, &r);
	run_checks(py, dir);
}

/* ---- training code -------------------------------------------------------------------------------------- */

static void read_recipe(struct recipe *r, const char *text)
{
	struct arena *a = arena_new();
	struct diag d = { 0 };
	struct json *j;

	assert_int_equal(json_parse(&j, text, strlen(text), "recipe", NULL), 0);
	if (recipe_read(r, j, a, &(struct json_in){ .root = j, .diag = &d }) < 0)
		fail_msg("%s: %s", d.items[0].where, d.items[0].msg);
	json_free(j);
	diag_release(&d);
	arena_free(a);
}

/* The rates that train.py must give with 7 steps an epoch. */
static void write_rates(const char *dir, const struct recipe *r)
{
	struct json *list = json_array();
	struct str text = { 0 };
	char path[300];

	for (int64_t step = 0; step < 7 * (r->horizon ? r->horizon : r->epochs); step++)
		json_push(list, json_num(recipe_rate(r, step, 7)));
	json_print(&text, list);
	snprintf(path, sizeof path, "%.250s/rates.json", dir);
	assert_int_equal(file_write(path, text.s, text.len, NULL), 0);
	str_release(&text);
	json_free(list);
}

static void every_recipe_becomes_code_that_trains(void **state)
{
	static const char *const recipes[] = {
		"{}",
		"{\"optimizer\": \"sgd\", \"schedule\": {\"step\": {\"every\": 2}}, \"clip\": 1, \"augment\": "
		"[\"vflip\"]}",
		"{\"optimizer\": {\"adam\": {\"weight_decay\": 0.01}}, \"schedule\": {\"cosine\": {\"warmup\": 1.5}}}",
		"{\"optimizer\": {\"sgd\": {\"momentum\": 0}}, \"schedule\": \"constant\", \"loss\": \"mse\"}",
		"{\"schedule\": {\"constant\": {\"warmup\": 2}}, \"augment\": [{\"cutout\": {\"size\": 3}}, "
		"\"hflip\"]}",
		"{\"schedule\": {\"step\": {\"gamma\": 0.5, \"every\": 1.5, \"warmup\": 1}}, \"label_smoothing\": 0.2}",
		"{\"epochs\": 4, \"horizon\": 9, \"schedule\": {\"cosine\": {\"final\": 0.1}}, \"augment\": "
		"[\"crop\"]}",
		"{\"early_stop\": {\"patience\": 2}, \"schedule\": {\"onecycle\": {\"rise\": 0}}}",
		"{\"early_stop\": {\"patience\": 1, \"restore\": false}, \"precision\": \"bf16\", \"fidelity\": "
		"{\"data\": 0.5}}",
		"{\"precision\": \"tf32\", \"clip\": 0.5, \"augment\": [\"hflip\", \"hflip\", \"crop\", \"cutout\"]}",
	};
	static const char model[] =
	    "{'input': [2, 9, 8], 'classes': 3, 'layers': [{'conv2d': {'filters': 4, 'kernel': 3, 'init':"
	    "'glorot_uniform'}}, 'batchnorm', 'relu', {'conv2d': {'filters': 4, 'kernel': 3, 'groups': 2, 'init':"
	    "'glorot_normal'}}, {'dropout': {'rate': 0.1}}, 'globalavgpool', {'dense': {'units': 8, 'init': 'torch'}},"
	    "{'dense': {'units': 8}}, {'dense': {'units': '$classes'}}]}";
	const char *py = python(), *dir = temp_dir();
	struct rng r;

	(void)state;
	if (!py)
		SKIP_BECAUSE("no Python with torch");
	rng_init(&r, test_seed(), 79);
	for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
		struct arena *a = arena_new();
		struct recipe recipe;
		char path[300];

		read_recipe(&recipe, recipes[i]);
		snprintf(path, sizeof path, "%s/recipe-%zu", dir, i);
		assert_true(export_to(path, graph_of(a, model), &recipe, &r));
		write_rates(path, &recipe);
		arena_free(a);
	}
	run_checks(py, dir);
}

/* One batch as a data set: full sequences, no normalisation. */
static struct dataset batch_of(const struct graph *g, const float *x, int n, struct arena *a, struct rng *r)
{
	struct dataset d = { .name = "batch", .shape = g->inputs[0].shape, .task = TASK_CLASSIFY, .n = n, .f32 = x };
	uint32_t *index = ARENA_ARRAY(a, uint32_t, n);
	int32_t *label = ARENA_ARRAY(a, int32_t, n);
	float *mean = ARENA_ARRAY(a, float, 64), *std = ARENA_ARRAY(a, float, 64);

	d.classes = g->outputs[0].classes;
	for (int i = 0; i < n; i++) {
		index[i] = (uint32_t)i;
		label[i] = (int32_t)rng_below(r, (uint32_t)d.classes);
	}
	for (int i = 0; i < 64; i++)
		std[i] = 1;
	d.label = label;
	d.split[SPLIT_TRAIN] = index;
	d.n_split[SPLIT_TRAIN] = n;
	d.channels = d.shape.type == TENSOR_TOKENS ? 0 : d.shape.d[0];
	d.mean = mean;
	d.std = std;
	return d;
}

static void save_batch(const char *dir, const struct dataset *d, struct arena *a)
{
	struct safetensor t[2] = {
		{ .name = "x", .rank = 1 + shape_rank(&d->shape), .data = (float *)(uintptr_t)d->f32 },
		{ .name = "y", .rank = 1, .data = ARENA_ARRAY(a, float, d->n) }
	};

	t[0].d[0] = t[1].d[0] = d->n;
	for (int i = 1; i < t[0].rank; i++)
		t[0].d[i] = d->shape.d[i - 1];
	for (int64_t i = 0; i < d->n; i++)
		t[1].data[i] = (float)d->label[i];
	assert_int_equal(safetensors_save(path_join(a, dir, "batch.safetensors"), t, 2, NULL, NULL), 0);
}

/* What the reference backend says about the batch that stands in d. */
static void save_gradients(const char *dir, const struct graph *g, const struct recipe *recipe, const struct dataset *d,
			   struct arena *a)
{
	const struct backend *ref = backend_find("ref");
	struct backend_conf conf = { .threads = 1 };
	struct net_spec spec = { .graph = g, .recipe = recipe, .data = d, .train = d->split[SPLIT_TRAIN] };
	struct weights *w = weights_new(g, NULL);
	struct backend_ctx *ctx;
	struct err e = { 0 };
	struct net *net;
	double loss;

	spec.n_train = d->n;
	assert_int_equal(weights_load(w, path_join(a, dir, "weights.safetensors"), &e), 0);
	assert_int_equal(ref->open(&ctx, &conf, &e), 0);
	if (ref->net_create(&net, ctx, &spec, &e) < 0 || ref->set_weights(net, w, &e) < 0 ||
	    ref->gradients(net, d->split[SPLIT_TRAIN], d->n, w, &loss, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	assert_int_equal(weights_save(w, path_join(a, dir, "gradients.safetensors"), NULL, &e), 0);
	ref->net_free(net);
	ref->close(ctx);
	weights_free(w);
}

static void gradients_are_the_reference_backends(void **state)
{
	const char *py = python(), *dir = temp_dir();
	struct recipe recipe;
	struct rng r;

	(void)state;
	if (!py)
		SKIP_BECAUSE("no Python with torch");
	rng_init(&r, test_seed(), 80);
	read_recipe(&recipe, "{\"batch\": 4, \"schedule\": \"constant\"}");
	for (int i = 0; i < 40;) {
		struct arena *a = arena_new();
		struct graph *g = random_graph(a, &r);
		const char *path = arena_printf(a, "%s/%03d", dir, i);
		struct dataset d;

		if (g->n_inputs == 1 && g->n_outputs == 1 && export_to(path, g, &recipe, &r)) {
			i++;
			d = batch_of(g, random_input(g, 0, 4, a, &r), 4, a, &r);
			save_batch(path, &d, a);
			save_gradients(path, g, &recipe, &d, a);
		}
		arena_free(a);
	}
	run_checks(py, dir);
}

/* ---- names, refusals, the command ----------------------------------------------------------------------- */

/* Ids that Python or PyTorch has taken, and inputs of a block that are called like its layers. */
static void awkward_names_are_exported(void **state)
{
	static const char model[] =
	    "{'name': 'a \\'\\'\\' \\\\ name', 'input': [2, 8, 8], 'classes': 3, 'blocks': {"
	    "'path': {'inputs': ['lambda', 'x'], 'layers': [{'add': {}, 'id': 'y', 'from': ['lambda', 'x']},"
	    "{'conv2d': {'filters': 2, 'kernel': 1}, 'id': 'forward'}, {'add': {}, 'from': ['prev', 'lambda', 'x']}]},"
	    "'model': {'layers': [{'conv2d': {'filters': 2, 'kernel': 1}, 'id': 'F'}]},"
	    "'Model': {'layers': [{'conv2d': {'filters': 2, 'kernel': 1, 'bias': false}}, 'relu', {'add': {}, 'from':"
	    "['prev', 'in']}]}}, 'layers': [{'conv2d': {'filters': 2, 'kernel': 1}, 'id': 'type'},"
	    "{'conv2d': {'filters': 2, 'kernel': 1}, 'id': '1st'}, {'conv2d': {'filters': 2, 'kernel': 1}, 'id': "
	    "'train'},"
	    "{'relu': {}, 'id': 'self'}, {'path': {}, 'from': ['type', 'self'], 'id': 'class'}, {'model': {}, "
	    "'repeat': 4},"
	    "{'Model': {}, 'id': 'eval'}, {'add': {}, 'from': ['prev', 'class', 'self']}, 'globalavgpool',"
	    "{'dense': {'units': '$classes'}, 'id': 'torch'}]}";
	const char *py = python(), *dir = temp_dir();
	struct arena *a = arena_new();
	struct rng r;

	(void)state;
	if (!py)
		SKIP_BECAUSE("no Python with torch");
	rng_init(&r, test_seed(), 81);
	assert_true(export_to(arena_printf(a, "%s/awkward", dir), graph_of(a, model), NULL, &r));
	run_checks(py, dir);
	arena_free(a);
}

static int command(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* In training, a frozen norm uses and keeps its running statistics, also inside a block; another one does not. */
static void frozen_norms_stay(void **state)
{
	static const char model[] =
	    "{'input': [2, 6, 6], 'classes': 3, 'blocks': {'unit': {'layers': [{'conv2d': {'filters': 4, 'kernel': 3},"
	    "'frozen': true}, {'batchnorm': {}, 'frozen': true, 'id': 'kept'}, 'relu']}}, 'layers': [{'unit': {}},"
	    "{'batchnorm': {}, 'frozen': true, 'id': 'first'}, {'batchnorm': {}, 'id': 'second'}, 'globalavgpool',"
	    "{'dense': {'units': 3}}]}";
	static const char script[] =
	    "import sys, torch\n"
	    "sys.path.insert(0, sys.argv[1])\n"
	    "import model\n"
	    "m = [v for v in vars(model).values() if isinstance(v, type)\n"
	    "     and issubclass(v, torch.nn.Module) and v.__name__ == 'Model'][0]()\n"
	    "stats = lambda: {k: v.clone() for k, v in m.named_buffers() if 'running' in k}\n"
	    "old = stats()\n"
	    "assert m.train() is m and m.training\n"
	    "m(torch.randn(5, 2, 6, 6))\n"
	    "moved = {k.split('.')[-2] for k, v in stats().items() if not torch.equal(v, old[k])}\n"
	    "assert moved == {'second'}, moved\n";
	const char *py = python(), *dir = temp_dir();
	struct arena *a = arena_new();
	const char *path = path_join(a, dir, "frozen.py");
	struct rng r;

	(void)state;
	if (!py)
		SKIP_BECAUSE("no Python with torch");
	rng_init(&r, test_seed(), 83);
	assert_true(export_to(dir, graph_of(a, model), NULL, &r));
	assert_int_equal(file_write(path, script, strlen(script), NULL), 0);
	assert_int_equal(command("%s %s %s", py, path, dir), 0);
	arena_free(a);
}

static int command(const char *fmt, ...)
{
	char line[600];
	va_list ap;
	int rc;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	rc = system(line);
	return rc < 0 ? -1 : rc >> 8;
}

static void the_check_fails_when_it_should(void **state)
{
	const char *py = python(), *dir = temp_dir();
	struct arena *a = arena_new();
	struct graph *g = graph_of(a, "{'input': [4], 'classes': 3, 'layers': [{'dense': {'units': 3}}]}");
	struct weights *w = weights_new(g, NULL);
	struct rng r;

	(void)state;
	if (!py)
		SKIP_BECAUSE("no Python with torch");
	rng_init(&r, test_seed(), 82);
	assert_true(export_to(dir, g, NULL, &r));
	assert_int_equal(command("%s %s/model.py --check >/dev/null", py, dir), 0);
	assert_int_equal(command("%s %s/model.py 2>/dev/null", py, dir), 1);
	assert_int_equal(weights_load(w, path_join(a, dir, "weights.safetensors"), NULL), 0);
	w->data[0] += 0.01F;
	assert_int_equal(weights_save(w, path_join(a, dir, "weights.safetensors"), NULL, NULL), 0);
	assert_int_equal(command("%s %s/model.py --check | grep -q FAILED", py, dir), 0);
	assert_int_equal(command("%s %s/model.py --check >/dev/null", py, dir), 1);
	w->n--;
	assert_int_equal(weights_save(w, path_join(a, dir, "weights.safetensors"), NULL, NULL), 0);
	assert_int_equal(command("%s %s/model.py --check >/dev/null 2>&1", py, dir), 1);
	w->n++;
	weights_free(w);
	arena_free(a);
}

static void a_choice_is_refused(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = graph_new(a);
	struct choice c = { .n = 2 };
	struct shape in = shape_image(2, 4, 4);
	struct empty none = { 0 };
	struct dense d = { .units = 3 };
	struct edge at = { -1, 0 };
	struct export_job job = { .graph = g, .dir = "/nonexistent/nab" };
	struct err e = { 0 };

	(void)state;
	c.items[0] = (struct choice_item){ LAYER_relu, &none };
	c.items[1] = (struct choice_item){ LAYER_identity, &none };
	assert_int_equal(graph_input(g, "in", &in, &e), 0);
	assert_int_equal(graph_add(g, LAYER_choice, &c, &at, 1, NULL, &e), 0);
	at = graph_last(g);
	assert_int_equal(graph_add(g, LAYER_globalavgpool, &none, &at, 1, NULL, &e), 1);
	at = graph_last(g);
	assert_int_equal(graph_add(g, LAYER_dense, &d, &at, 1, NULL, &e), 2);
	assert_int_equal(graph_output(g, "out", TASK_CLASSIFY, 3, graph_last(g), &e), 0);
	assert_int_equal(exporter_find("pytorch", NULL)->run(&job, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_string_equal(e.where, "choice_1");
	assert_string_equal(e.msg, "choice cannot be exported: decide for one of its candidates first");
	arena_free(a);
}

static void the_tables_are_complete(void **state)
{
	struct err e = { 0 };

	(void)state;
	for (int k = 0; k < LAYER_KIND_COUNT; k++) {
		if (k == LAYER_choice)
			continue;
		assert_non_null(torch_kinds[k].call);
		assert_true(!layer_classes[k]->params || torch_kinds[k].module);
	}
	for (int i = 0; exporters[i]; i++) {
		assert_ptr_equal(exporter_find(exporters[i]->name, NULL), exporters[i]);
		assert_true(exporters[i]->help[0] && !exporters[i]->run != !exporters[i]->stored);
	}
	assert_null(exporter_find("pytorhc", &e));
	assert_int_equal(e.code, ERR_USAGE);
	assert_string_equal(e.msg, "unknown format \"pytorhc\" (did you mean \"pytorch\"?)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(code_looks_as_it_did),
		cmocka_unit_test(the_tables_are_complete),
		cmocka_unit_test(a_choice_is_refused),
		cmocka_unit_test(the_check_fails_when_it_should),
		cmocka_unit_test(frozen_norms_stay),
		cmocka_unit_test(awkward_names_are_exported),
		cmocka_unit_test(random_networks_give_the_oracles_logits),
		cmocka_unit_test(shipped_models_and_spaces_are_exported),
		cmocka_unit_test(every_recipe_becomes_code_that_trains),
		cmocka_unit_test(gradients_are_the_reference_backends),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	if (!getenv("NAB_KEEP"))
		temp_clean();
	return rc;
}
