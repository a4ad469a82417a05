/* Models for another data set: valid, with the input, classes and limits asked for, and comparable before the head. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/retarget.h"

#include "arch/design.h"
#include "arch/model.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "space/space.h"
#include "tests/helper_graphs.h"
#include "tests/helper_layers.h"

static const char *const dirs[] = { "configs/blocks" };
static const struct block_path lib = { dirs, 1 };

static struct graph *load(const char *name, struct arena *a)
{
	struct diag d = { 0 };
	struct err e = { 0 };
	struct graph *g;

	if (model_load(&g, arena_printf(a, "configs/models/%s.json", name), &lib, a, &d, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	diag_release(&d);
	return g;
}

static struct graph *parse(const char *text, struct arena *a)
{
	struct diag d = { 0 };
	struct json *doc;
	struct graph *g = NULL;
	char *s = arena_strdup(a, text);

	for (char *p = s; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	assert_int_equal(json_parse(&doc, s, strlen(s), "model", NULL), 0);
	if (model_read(&g, doc, NULL, &lib, a, &(struct json_in){ doc, &d, NULL }) < 0)
		fail_msg("%s: %s", d.items[0].where, d.items[0].msg);
	diag_release(&d);
	json_free(doc);
	return g;
}

static struct retarget to(const char *input, int classes)
{
	struct retarget t = { .task = TASK_CLASSIFY, .classes = classes, .width = 1 };

	assert_int_equal(design_shape(&t.input, input, NULL), 0);
	return t;
}

static bool same(struct hash128 a, struct hash128 b)
{
	return memcmp(&a, &b, sizeof a) == 0;
}

/* Valid, prints and reads back, and says what it is; returns its parameters. */
static int64_t check(const struct graph *g, const struct retarget *t, struct arena *a)
{
	struct diag d = { 0 };
	struct json *doc = model_write(g);
	struct graph *again = NULL;
	struct cost c;

	assert_true(shape_equal(&g->inputs[0].shape, &t->input));
	assert_int_equal(g->outputs[0].classes, t->classes);
	if (model_read(&again, doc, NULL, &lib, a, &(struct json_in){ doc, &d, NULL }) < 0)
		fail_msg("%s: %s", d.items[0].where, d.items[0].msg);
	assert_true(same(graph_digest(g), graph_digest(again)));
	assert_int_equal(graph_cost(g, &c, NULL), 0);
	json_free(doc);
	diag_release(&d);
	return c.params;
}

/* Side of the map that the head reads. */
static double head_side(const struct graph *g)
{
	double side = 0;

	for (int i = 0; i < g->n_nodes; i++) {
		const struct shape *s = graph_shape(g, g->nodes[i].in[0]);

		if (s->type == TENSOR_IMAGE && g->nodes[i].out[0].type == TENSOR_VECTOR)
			side = sqrt((double)s->d[1] * s->d[2]);
	}
	return side;
}

static void shipped(void **state)
{
	static const char *const names[] = { "lenet5", "mlp", "resnet8", "resnet20", "vgg-small", "mobilenet-small" };
	static const char *const inputs[] = { "1,28,28", "3,32,32", "3,224,224", "1,64,48",
					      "4,20,20", "1,9,11",  "2,1,1",     "3,500,300" };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		for (size_t k = 0; k < sizeof inputs / sizeof *inputs; k++) {
			struct arena *a = arena_new();
			struct graph *g = load(names[i], a), *out;
			struct retarget t = to(inputs[k], 3 + (int)k);
			struct retarget_log log;
			struct err e = { 0 };
			double ratio;

			if (graph_retarget(&out, &log, g, &t, a, &e) < 0)
				fail_msg("%s for %s: %s: %s", names[i], inputs[k], e.where, e.msg);
			check(out, &t, a);
			assert_true(log.n > 0);
			ratio = head_side(out) / head_side(g);
			if (strcmp(names[i], "mlp") && t.input.d[1] >= 16 && (ratio < 0.4 || ratio > 2.1))
				fail_msg("%s for %s: the head reads a map %.2f times as large", names[i], inputs[k],
					 ratio);
			arena_free(a);
		}
	}
}

/* The same target gives the same network; a detour by another one that only changes the head, too. */
static void unchanged(void **state)
{
	static const char *const names[] = { "lenet5", "lstm", "mlp", "resnet20", "vgg-small", "mobilenet-small" };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct arena *a = arena_new();
		struct graph *g = load(names[i], a), *out, *back;
		struct retarget t = { g->inputs[0].shape, TASK_CLASSIFY, g->outputs[0].classes, 1, 0 };
		struct retarget_log log;

		assert_int_equal(graph_retarget(&out, &log, g, &t, a, NULL), 0);
		assert_int_equal(log.n, 0);
		assert_true(same(graph_digest(g), graph_digest(out)));
		t.classes = 77;
		assert_int_equal(graph_retarget(&out, &log, g, &t, a, NULL), 0);
		assert_int_equal(log.n, 1);
		assert_false(same(graph_hash(g), graph_hash(out)));
		t.classes = g->outputs[0].classes;
		assert_int_equal(graph_retarget(&back, &log, out, &t, a, NULL), 0);
		assert_true(same(graph_hash(g), graph_hash(back)));
		arena_free(a);
	}
}

static void limits(void **state)
{
	static const char *const names[] = { "lenet5", "lstm", "mlp", "resnet20", "mobilenet-small" };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct arena *a = arena_new();
		struct graph *g = load(names[i], a), *out;
		struct retarget t = { g->inputs[0].shape, TASK_CLASSIFY, 10, 1, 0 };
		struct retarget_log log;
		struct err e = { 0 };
		int64_t n;

		t.max_params = 8000;
		assert_int_equal(graph_retarget(&out, &log, g, &t, a, &e), 0);
		n = check(out, &t, a);
		assert_in_range(n, 5000, 8000); /* widths are whole: not much is given away */
		assert_true(log.width < 1);
		t.width = log.width + 0.05; /* a little wider is too much */
		t.max_params = 0;
		assert_int_equal(graph_retarget(&out, &log, g, &t, a, &e), 0);
		assert_true(check(out, &t, a) > 8000);
		t.max_params = 3;
		assert_int_equal(graph_retarget(&out, &log, g, &t, a, &e), -1);
		assert_int_equal(e.code, ERR_INVALID);
		arena_free(a);
	}
}

/* Torchvision's network for 224x224 becomes the common variant for CIFAR-10: no stride and no pooling at the start. */
static void from_large_images(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = parse(
			 "{'input': [3, 224, 224], 'classes': 1000, 'use': 'residual.json', 'layers': ["
			 " {'conv2d': {'filters': 64, 'kernel': 7, 'stride': 2, 'padding': 'same', 'bias': false}},"
			 " 'batchnorm', 'relu', {'maxpool2d': {'size': 3, 'stride': 2, 'padding': 1}, 'id': 'p'},"
			 " {'residual': {'filters': 64}, 'repeat': 2}, 'globalavgpool',"
			 " {'dense': {'units': '$classes'}}]}",
			 a),
		     *out;
	struct retarget t = to("3,56,56", 10);
	struct retarget_log log;

	(void)state;
	assert_int_equal(graph_retarget(&out, &log, g, &t, a, NULL), 0);
	assert_int_equal(graph_find(out, "p"), -1);
	assert_int_equal(out->nodes[graph_find(out, "conv2d_1")].out[0].d[1], 56);
	assert_int_equal(out->nodes[graph_find(out, "residual_2__relu_2")].out[0].d[1], 56);
	arena_free(a);
}

/* By hand: 8x8 before flattening in both, pools where the repairs put them. */
static void by_hand(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = parse("{'input': [1, 16, 16], 'classes': 5, 'layers': [{'conv2d': {'filters': 4, 'kernel': 3,"
				" 'padding': 'same'}}, 'relu', {'maxpool2d': {'size': 2}}, 'flatten',"
				" {'dense': {'units': '$classes'}}]}",
				a),
		     *out;
	struct retarget t = to("3,64,64", 7);
	struct retarget_log log;
	int64_t n;

	(void)state;
	assert_int_equal(graph_retarget(&out, &log, g, &t, a, NULL), 0);
	n = check(out, &t, a);
	assert_int_equal(n, 4 * 3 * 9 + 4 + 4 * 8 * 8 * 7 + 7);
	t = to("1,4,4", 5);
	assert_int_equal(graph_retarget(&out, &log, g, &t, a, NULL), 0);
	assert_int_equal(check(out, &t, a), 4 * 9 + 4 + 4 * 4 * 4 * 5 + 5); /* the pooling is left out */
	arena_free(a);
}

static void other_types(void **state)
{
	struct arena *a = arena_new();
	struct graph *out;
	struct retarget t = to("3,32,32", 4);
	struct retarget_log log;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(graph_retarget(&out, &log, load("lstm", a), &t, a, NULL), 0); /* columns are steps */
	check(out, &t, a);
	t = to("12", 4);
	assert_int_equal(graph_retarget(&out, &log, load("mlp", a), &t, a, NULL), 0);
	check(out, &t, a);
	assert_int_equal(graph_find(out, "flatten_1"), -1);
	t = to("3,8,8", 4);
	assert_int_equal(graph_retarget(&out, &log, out, &t, a, NULL), 0); /* and back to images */
	check(out, &t, a);
	t = to("6,50", 4);
	assert_int_equal(graph_retarget(&out, &log, load("resnet8", a), &t, a, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_string_equal(e.where, "conv2d_1");
	arena_free(a);
}

/* The factors of a squeeze-and-excitation block follow its input; odd sizes keep shortcuts and paths together. */
static void merges(void **state)
{
	static const char *const inputs[] = { "3,32,32", "3,30,30", "3,17,23", "3,66,66", "1,9,9", "3,100,60" };
	struct arena *a = arena_new();
	struct graph *se = parse("{'input': [3, 32, 32], 'classes': 4, 'use': 'squeeze_excite.json', 'layers': ["
				 " {'se_residual': {'filters': 8, 'stride': 2}}, {'se_residual': {'filters': 8}},"
				 " 'globalavgpool', {'dense': {'units': '$classes'}}]}",
				 a);
	struct graph *nb = parse(
			 "{'input': [3, 32, 32], 'classes': 4, 'use': 'nb201.json', 'layers': [{'nb201_stem': {}},"
			 " {'nb201_reduce': {'filters': 32}}, {'nb201_reduce': {'filters': 64}},"
			 " 'globalavgpool', {'dense': {'units': '$classes'}}]}",
			 a),
		     *out;
	struct retarget_log log;
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
		struct retarget t = to(inputs[i], 4);

		t.width = i % 2 ? 0.4 : 1.3;
		if (graph_retarget(&out, &log, se, &t, a, &e) < 0 || graph_retarget(&out, &log, nb, &t, a, &e) < 0)
			fail_msg("%s: %s: %s", inputs[i], e.where, e.msg);
		check(out, &t, a);
	}
	arena_free(a);
}

static struct graph *draw_model(const char *name, struct arena *a, struct rng *r)
{
	struct space_target target = { shape_image(3, 32, 32), TASK_CLASSIFY, 10 };
	struct diag d = { 0 };
	struct err e = { 0 };
	struct space *s;
	struct graph *g;

	if (space_load(&s, arena_printf(a, "configs/spaces/%s.json", name), &lib, a, &d, &e) < 0 ||
	    space_sample(&g, s, &target, r, a, NULL, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	diag_release(&d);
	return g;
}

/* Models of the shipped spaces at random sizes and widths: nearly all can be retargeted, the others say why not. */
static void random_models(void **state)
{
	static const char *const spaces[] = { "blocks-100k", "nas-bench-201", "remap" };
	struct rng r;
	int refused = 0;

	(void)state;
	rng_init(&r, test_seed(), 91);
	for (int i = 0; i < 150; i++) {
		struct arena *a = arena_new();
		struct graph *g = draw_model(spaces[i % 3], a, &r), *out;
		struct retarget t = { shape_image(1 + (int)rng_below(&r, 4), 6 + (int)rng_below(&r, 90),
						  6 + (int)rng_below(&r, 90)),
				      TASK_CLASSIFY, 2 + (int)rng_below(&r, 20), 0.2 + 1.5 * rng_real(&r), 0 };
		struct retarget_log log;
		struct err e = { 0 };

		if (graph_retarget(&out, &log, g, &t, a, &e) < 0) {
			assert_int_equal(e.code, ERR_INVALID);
			print_message("%s: %s\n", e.where, e.msg);
			refused++;
		} else {
			check(out, &t, a);
		}
		arena_free(a);
	}
	assert_true(refused <= 8);
}

/* Any graph at all: a valid result or a reason. */
static void random_graphs(void **state)
{
	struct rng r;

	(void)state;
	rng_init(&r, test_seed(), 92);
	for (int i = 0; i < 400; i++) {
		struct arena *a = arena_new();
		struct graph *g = random_graph(a, &r), *out;
		struct retarget t = { g->inputs[0].shape, TASK_CLASSIFY, 3, 0.5 + rng_real(&r), 0 };
		struct retarget_log log;
		struct err e = { 0 };

		if (i % 3 == 0)
			t.input = shape_image(3, 20, 20);
		else if (i % 3 == 1)
			t.input.d[0]++;
		if (graph_retarget(&out, &log, g, &t, a, &e) < 0) {
			assert_int_equal(e.code, ERR_INVALID);
			assert_true(e.msg[0]);
		} else {
			check(out, &t, a);
		}
		arena_free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shipped),       cmocka_unit_test(unchanged),
		cmocka_unit_test(limits),        cmocka_unit_test(from_large_images),
		cmocka_unit_test(by_hand),       cmocka_unit_test(other_types),
		cmocka_unit_test(merges),        cmocka_unit_test(random_models),
		cmocka_unit_test(random_graphs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
