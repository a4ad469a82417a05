/* tests/unit/test_cpu.c - the cpu backend against the reference (tests/helper_backend.h), and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "tests/helper_backend.h"

extern const struct backend backend_cpu;

static bool takes(const struct layer_case *c)
{
	return !c->in_shape[0].open && c->in_shape[0].type != TENSOR_TOKENS;
}

static bool supported(enum layer_kind kind)
{
	return kind != LAYER_embedding && kind != LAYER_rnn && kind != LAYER_gru && kind != LAYER_lstm &&
	       kind != LAYER_choice;
}

static void test_kinds(void **state)
{
	struct rng r;

	(void)state;
	rng_init(&r, test_seed(), 1);
	for (int kind = 0; kind < LAYER_KIND_COUNT; kind++)
		for (int i = 0; i < 8 && supported(kind); i++)
			try_kind(&backend_cpu, kind, takes, &r, i);
}

static void test_random_nets(void **state)
{
	(void)state;
	try_random_nets(&backend_cpu, 24);
}

static void test_spaces(void **state)
{
	(void)state;
	try_spaces(&backend_cpu);
}

static void test_repeats_and_resumes(void **state)
{
	(void)state;
	try_repeats_and_resumes(&backend_cpu, 1);
	try_repeats_and_resumes(&backend_cpu, 2);
}

static void test_raw_inputs(void **state)
{
	(void)state;
	try_raw_inputs(&backend_cpu);
}

static void test_winograd(void **state)
{
	(void)state;
	compare_model(&backend_cpu,
		      "{'input': [3, 9, 9], 'classes': 3, 'layers': ["
		      "{'conv2d': {'filters': 32, 'kernel': 3}}, 'tanh',"
		      "{'conv2d': {'filters': 48, 'kernel': 3, 'padding': 'same'}}, 'relu',"
		      "{'conv2d': {'filters': 64, 'kernel': 3, 'padding': [1, 0, 0, 1]}}, 'batchnorm', 'relu',"
		      "{'conv2d': {'filters': 32, 'kernel': 3}}, 'globalavgpool', {'dense': {'units': 3}}]}",
		      shape_image(3, 9, 9), "3x3 convolutions of whole blocks of channels");
	compare_model(&backend_cpu,
		      "{'input': [3, 9, 9], 'classes': 3, 'layers': ["
		      "{'conv2d': {'filters': 20, 'kernel': 3}}, 'tanh',"
		      "{'conv2d': {'filters': 35, 'kernel': 3, 'padding': 'same'}}, 'relu',"
		      "{'conv2d': {'filters': 64, 'kernel': 3, 'padding': [1, 0, 0, 1]}}, 'batchnorm', 'relu',"
		      "{'conv2d': {'filters': 17, 'kernel': 3}}, 'globalavgpool', {'dense': {'units': 3}}]}",
		      shape_image(3, 9, 9), "3x3 convolutions of odd channels");
}

/* Relu is undone after a maximum where that is its only reader, and before it otherwise. */
static void test_relu_before_maximum(void **state)
{
	(void)state;
	compare_model(
	    &backend_cpu,
	    "{'input': [3, 8, 8], 'classes': 3, 'layers': ["
	    "{'conv2d': {'filters': 18, 'kernel': 3}}, 'relu', {'maxpool2d': {'size': 3, 'stride': 1, 'padding': 1}},"
	    "{'dropout': {'rate': 0.3}}, {'conv2d': {'filters': 16, 'kernel': 1}}, 'relu', 'maxpool2d', 'sigmoid',"
	    "'flatten', {'dense': {'units': 3}}]}",
	    shape_image(3, 8, 8), "conv, relu, maximum");
	compare_model(
	    &backend_cpu,
	    "{'input': [2, 8, 8], 'classes': 3, 'layers': ["
	    "{'conv2d': {'filters': 5, 'kernel': 3}, 'id': 'c'}, {'conv2d': {'filters': 5, 'kernel': 1}},"
	    "{'add': {}, 'from': ['prev', 'c']}, {'relu': {}, 'id': 'r'}, {'maxpool2d': {'size': 2}, 'id': 'm'},"
	    "{'avgpool2d': {'size': 2}, 'from': ['r']}, {'add': {}, 'from': ['prev', 'm']}, 'relu', 'maxpool2d',"
	    "'globalavgpool', {'dense': {'units': 3}}]}",
	    shape_image(2, 8, 8), "add, relu, two readers");
}

static void test_sharing_and_freezing(void **state)
{
	(void)state;
	try_sharing_and_freezing(&backend_cpu);
}

static void test_profile(void **state)
{
	(void)state;
	try_profile(&backend_cpu);
}

static void test_refusals(void **state)
{
	struct backend_conf conf = { .threads = 1, .most_bytes = 10000 };
	struct trial t;
	struct net_spec spec;
	struct backend_ctx *ctx;
	struct net *net;
	struct err e = { 0 };

	(void)state;
	small_trial(&t, &backend_cpu);
	spec = (struct net_spec){ .graph = t.g,
				  .recipe = &t.r,
				  .data = t.data,
				  .train = t.data->split[SPLIT_TRAIN],
				  .n_train = t.data->n_split[SPLIT_TRAIN] };
	assert_int_equal(backend_cpu.open(&ctx, &conf, &e), 0);
	assert_int_equal(backend_cpu.net_create(&net, ctx, &spec, &e), NET_OOM);
	assert_non_null(strstr(e.msg, "10000 are allowed"));
	backend_cpu.close(ctx);

	err_clear(&e);
	assert_int_equal(backend_cpu.open(&ctx, &(struct backend_conf){ .threads = 1 }, &e), 0);
	spec = (struct net_spec){ .recipe = &t.r, .batch = 1 << 20 };
	spec.graph = graph_of(t.a, "{'input': [1, 8, 8], 'classes': 3, 'layers': [{'upsample2d': {'factor': 64}},"
				   "{'upsample2d': {'factor': 64}}, 'globalavgpool', {'dense': {'units': 3}}]}");
	assert_int_equal(backend_cpu.net_create(&net, ctx, &spec, &e), NET_OOM);
	assert_int_equal(backend_cpu.plan_bytes(ctx, &spec, &e), -1);
	spec.batch = 1;
	assert_true(backend_cpu.plan_bytes(ctx, &spec, &e) > (int64_t)4 << 30);
	backend_cpu.close(ctx);

	err_clear(&e);
	t.r.precision = PRECISION_BF16;
	assert_int_equal(backend_cpu.supports(t.g, &t.r, &e), -1);
	t.r.precision = PRECISION_FP32;
	err_clear(&e);
	assert_int_equal(backend_cpu.supports(t.g, &t.r, &e), 0);
	t.g = graph_of(t.a, "{'input': {'type': 'sequence', 'shape': [4, 5]}, 'classes': 3, 'layers': ["
			    "{'lstm': {'units': 3, 'last': 'last'}}, {'dense': {'units': 3}}]}");
	assert_int_equal(backend_cpu.supports(t.g, &t.r, &e), -1);
	assert_non_null(strstr(e.where, "lstm"));
	trial_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_random_nets),
		cmocka_unit_test(test_spaces),
		cmocka_unit_test(test_repeats_and_resumes),
		cmocka_unit_test(test_raw_inputs),
		cmocka_unit_test(test_winograd),
		cmocka_unit_test(test_relu_before_maximum),
		cmocka_unit_test(test_sharing_and_freezing),
		cmocka_unit_test(test_profile),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
