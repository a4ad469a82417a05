/* tests/unit/test_weights.c - names, sharing, initial values and the file of a model's weights. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "arch/kinds.h"
#include "arch/weights.h"
#include "base/json.h"
#include "base/mem.h"

static struct edge add_conv(struct graph *g, struct edge from, int filters, int init, const char *id)
{
	struct conv2d c = { 0 };

	opt_defaults(&c, layer_classes[LAYER_conv2d]->opts);
	c.filters = filters;
	c.kernel = (struct opt_pair){ { 3, 3 } };
	c.padding.same = 1;
	c.init = init;
	assert_true(graph_add(g, LAYER_conv2d, &c, &from, 1, id, NULL) >= 0);
	return graph_last(g);
}

static struct edge add_norm(struct graph *g, struct edge from)
{
	struct batchnorm b = { 0 };

	opt_defaults(&b, layer_classes[LAYER_batchnorm]->opts);
	assert_true(graph_add(g, LAYER_batchnorm, &b, &from, 1, NULL, NULL) >= 0);
	return graph_last(g);
}

/* conv -> [stage: conv -> norm] -> conv shared with the one in the block -> pool -> dense */
static struct graph *small(struct arena *a, int init)
{
	static const char *const names[] = { "in" };
	static const char *const out[] = { "out" };
	struct graph *g = graph_new(a);
	struct shape in = shape_image(4, 8, 8);
	struct dense d = { .units = 10, .bias = true };
	struct empty none = { 0 };
	struct edge at;

	opt_defaults(&d, layer_classes[LAYER_dense]->opts);
	d.units = 10;
	assert_true(graph_input(g, "image", &in, NULL) >= 0);
	at = add_conv(g, (struct edge){ -1, 0 }, 16, init, NULL);
	assert_true(graph_block_begin(g, "stage", "{}", NULL, names, &at, 1, NULL) >= 0);
	at = add_norm(g, add_conv(g, at, 16, init, "inner"));
	assert_true(graph_block_end(g, out, &at, 1, NULL) >= 0);
	at = add_conv(g, at, 16, init, "again");
	assert_int_equal(graph_share(g, at.node, 1, NULL), 0);
	assert_true(graph_add(g, LAYER_globalavgpool, &none, &at, 1, NULL, NULL) >= 0);
	at = graph_last(g);
	assert_true(graph_add(g, LAYER_dense, &d, &at, 1, "head", NULL) >= 0);
	assert_int_equal(graph_output(g, "logits", TASK_CLASSIFY, 10, graph_last(g), NULL), 0);
	assert_int_equal(graph_finish(g, NULL), 0);
	return g;
}

static const struct tensor *find(const struct weights *w, const char *name)
{
	for (int i = 0; i < w->n; i++)
		if (strcmp(w->tensors[i].name, name) == 0)
			return &w->tensors[i];
	return NULL;
}

static void names_follow_pytorch_and_shared_layers_have_none(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = small(a, INIT_HE_NORMAL);
	struct weights *w = weights_new(g, NULL);
	struct cost cost;
	int64_t trained = 0, at = 0;

	(void)state;
	assert_non_null(w);
	assert_non_null(find(w, "conv2d_1.weight"));
	assert_non_null(find(w, "stage_1.inner.weight"));
	assert_non_null(find(w, "stage_1.batchnorm_1.running_var"));
	assert_non_null(find(w, "head.bias"));
	assert_null(find(w, "again.weight"));
	assert_int_equal(w->of_node[3], w->of_node[1]);
	assert_int_equal(w->of_node[4], -1);
	for (int i = 0; i < w->n; i++) {
		assert_int_equal(w->tensors[i].first, at);
		at += w->tensors[i].count;
		trained += w->tensors[i].spec.role == PARAM_STAT ? 0 : w->tensors[i].count;
	}
	assert_int_equal(at, w->total);
	assert_int_equal(graph_cost(g, &cost, NULL), 0);
	assert_int_equal(trained, cost.params);
	weights_free(w);
	arena_free(a);
}

/* Standard deviation and largest magnitude of a tensor. */
static void spread(double *std, double *most, const struct weights *w, const char *name)
{
	const struct tensor *t = find(w, name);
	double sum = 0, square = 0;

	*most = 0;
	for (int64_t i = 0; i < t->count; i++) {
		double x = (double)w->data[t->first + i];

		sum += x;
		square += x * x;
		*most = fabs(x) > *most ? fabs(x) : *most;
	}
	sum /= (double)t->count;
	*std = sqrt(square / (double)t->count - sum * sum);
}

/* stage_1.inner: fan-in 16 * 9 = 144, fan-out 16 * 9 = 144, 2,304 numbers: the deviation is within 6 % (4 sigma of a
 * normal sample: 4 / sqrt(2 * 2304)). */
static void initial_values_have_their_spread(void **state)
{
	static const struct {
		int init;
		double std, bound;
	} cases[] = {
		{ INIT_HE_NORMAL, 0.11785113, INFINITY },         /* sqrt(2 / 144) */
		{ INIT_HE_UNIFORM, 0.11785113, 0.20412415 },      /* sqrt(6 / 144) / sqrt(3) */
		{ INIT_GLOROT_NORMAL, 0.083333333, INFINITY },    /* sqrt(2 / 288) */
		{ INIT_GLOROT_UNIFORM, 0.083333333, 0.14433757 }, /* sqrt(6 / 288) / sqrt(3) */
		{ INIT_TORCH, 0.048112522, 0.083333334 },         /* 1 / sqrt(144) / sqrt(3) */
		{ INIT_NORMAL, 1, INFINITY },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena *a = arena_new();
		struct graph *g = small(a, cases[i].init);
		struct weights *w = weights_new(g, NULL);
		double std, most;

		weights_init(w, g, 42);
		spread(&std, &most, w, "stage_1.inner.weight");
		assert_true(fabs(std / cases[i].std - 1) < 0.06);
		assert_true(most <= cases[i].bound);
		assert_true(w->data[find(w, "stage_1.batchnorm_1.weight")->first] == 1);
		assert_true(w->data[find(w, "stage_1.batchnorm_1.bias")->first] == 0);
		weights_free(w);
		arena_free(a);
	}
}

static bool same(const struct weights *v, const struct weights *w, const char *name)
{
	const struct tensor *a = find(v, name), *b = find(w, name);

	return memcmp(v->data + a->first, w->data + b->first, (size_t)a->count * sizeof(float)) == 0;
}

static void a_child_starts_like_its_parent(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = small(a, INIT_HE_NORMAL), *child = graph_new(a);
	struct shape in = shape_image(4, 8, 8);
	struct weights *w = weights_new(g, NULL), *other = weights_new(g, NULL), *v;

	(void)state;
	assert_true(graph_input(child, "image", &in, NULL) >= 0);
	add_conv(child, add_conv(child, (struct edge){ -1, 0 }, 4, INIT_HE_NORMAL, "new"), 16, INIT_HE_NORMAL,
		 "conv2d_1");
	v = weights_new(child, NULL);
	weights_init(w, g, 7);
	weights_init(other, g, 8);
	weights_init(v, child, 7);
	assert_true(same(w, v, "conv2d_1.weight")); /* other place, same id and seed */
	assert_false(same(w, other, "conv2d_1.weight"));
	assert_false(memcmp(v->data + find(v, "new.weight")->first, v->data + find(v, "conv2d_1.weight")->first, 64) ==
		     0);
	weights_init(other, g, 7);
	assert_memory_equal(w->data, other->data, (size_t)w->total * sizeof(float));
	weights_free(w);
	weights_free(other);
	weights_free(v);
	arena_free(a);
}

static void the_file_gives_back_the_bits(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = small(a, INIT_TORCH);
	struct weights *w = weights_new(g, NULL), *v = weights_new(g, NULL);
	struct json *meta = json_object();
	struct err e = { 0 };
	char path[64];

	(void)state;
	snprintf(path, sizeof path, "/tmp/nab-test-%d.weights", (int)getpid());
	json_put(meta, "run", json_str("7"));
	weights_init(w, g, 3);
	assert_int_equal(weights_save(w, path, meta, &e), 0);
	assert_int_equal(weights_load(v, path, &e), 0);
	assert_memory_equal(w->data, v->data, (size_t)w->total * sizeof(float));
	assert_int_equal(weights_parse(v, "\1", 1, "x", &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	unlink(path);
	json_free(meta);
	weights_free(w);
	weights_free(v);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_follow_pytorch_and_shared_layers_have_none),
		cmocka_unit_test(initial_values_have_their_spread),
		cmocka_unit_test(a_child_starts_like_its_parent),
		cmocka_unit_test(the_file_gives_back_the_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
