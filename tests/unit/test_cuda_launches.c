/* tests/unit/test_cuda_launches.c - what a training step of two small nets is made of: operations, and how many kernels
 * each launches. Steps of small nets are bound by that number, so a fusion that is lost must be seen. The emulated
 * plugin counts: launches of the kernels that a card runs, and one for an operation of a library.
 */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "tests/cuda/emulated.h"
#include "tests/helper_backend.h"
#include "tests/helper_cuda.h"
#include "tests/helper_skip.h"
#include "train/backend_cuda_program.h"

extern const struct backend backend_cuda;

/* Counts the launches of each operation of p into launches[], and returns their sum. */
static int count(const struct cuda_program *p, int *launches)
{
	void *plugin = dlopen(getenv("NAB_CUDA_PLUGIN"), RTLD_NOW | RTLD_LOCAL);
	emulated_count *each = plugin ? (emulated_count *)(uintptr_t)dlsym(plugin, EMULATED_COUNT) : NULL;
	int sum = 0;

	assert_non_null(each);
	each(p->ops, p->n_ops, launches);
	for (int i = 0; i < p->n_ops; i++)
		sum += launches[i];
	dlclose(plugin);
	return sum;
}

/* A line for each operation of a step: name, and launches if not one. Returns the sum of launches. */
static int describe(struct str *out, const char *model, double clip)
{
	static const char *const names[CUDA_OP_COUNT] = {
#define OP(name, member) #name,
#include "train/cuda/ops.def"
#undef OP
	};
	struct cuda_program p;
	struct trial t;
	int *launches, sum;

	trial_init(&t, &backend_cuda, shape_image(3, 32, 32), 1);
	t.g = graph_of(t.a, model);
	t.r.precision = PRECISION_BF16;
	t.r.clip = clip;
	cuda_test_lower(&p, t.g, &t.r, 128, true, t.a);
	launches = ARENA_ARRAY(t.a, int, p.n_ops);
	sum = count(&p, launches);
	for (int i = 0; i < p.n_ops; i++)
		if (launches[i] == 1)
			str_addf(out, "%s\n", names[p.ops[i].kind]);
		else
			str_addf(out, "%s x%d\n", names[p.ops[i].kind], launches[i]);
	cuda_program_release(&p);
	trial_free(&t);
	return sum;
}

/* launches: of a step at batch 128 in bf16. */
static void expect_step(const char *model, int launches, const char *want)
{
	struct str text = { 0 };
	int sum = describe(&text, model, 0);

	if (strcmp(str_get(&text), want) != 0)
		fail_msg("a step is now\n%s", str_get(&text));
	assert_int_equal(sum, launches);
	str_clear(&text);
	assert_int_equal(describe(&text, model, 1), launches + 1); /* the norm before the update */
	str_release(&text);
}

static void test_plain(void **state)
{
	(void)state;
	cuda_test_plugin();
	if (!cuda_test_emulated())
		SKIP_BECAUSE("only the emulated plugin counts launches");
	expect_step("{'input': [3, 32, 32], 'classes': 10, 'layers': ["
		    "{'conv2d': {'filters': 32, 'kernel': 3, 'padding': 'same'}}, 'relu',"
		    "{'conv2d': {'filters': 32, 'kernel': 3, 'padding': 'same'}}, 'relu', 'maxpool2d',"
		    "{'conv2d': {'filters': 64, 'kernel': 3, 'padding': 'same'}}, 'relu',"
		    "{'conv2d': {'filters': 64, 'kernel': 3, 'padding': 'same'}}, 'relu', 'maxpool2d', 'flatten',"
		    "{'dense': {'units': 256}}, 'relu', {'dense': {'units': 10}}]}",
		    27,
		    "GATHER\n"
		    "CONV\n"
		    "CONV\n"
		    "POOL\n"
		    "CONV\n"
		    "CONV\n"
		    "POOL\n"
		    "DENSE\n"
		    "DENSE\n"
		    "LOSS\n"
		    "DENSE_WEIGHT\n"
		    "DENSE_DATA\n"
		    "BIAS_GRADIENT\n"
		    "DENSE_WEIGHT\n"
		    "DENSE_DATA\n"
		    "BIAS_GRADIENT\n"
		    "CONV_WEIGHT\n"
		    "CONV_DATA\n"
		    "BIAS_GRADIENT\n"
		    "CONV_WEIGHT\n"
		    "CONV_DATA\n"
		    "BIAS_GRADIENT\n"
		    "CONV_WEIGHT\n"
		    "CONV_DATA\n"
		    "BIAS_GRADIENT\n"
		    "CONV_WEIGHT\n"
		    "OPTIMIZE\n");
}

#define CONV(filters) "{'conv2d': {'filters': " #filters ", 'kernel': 3, 'padding': 'same', 'bias': false}}"

static void test_normalised(void **state)
{
	(void)state;
	cuda_test_plugin();
	if (!cuda_test_emulated())
		SKIP_BECAUSE("only the emulated plugin counts launches");
	expect_step(
	    "{'input': [3, 32, 32], 'classes': 10, 'layers': [" CONV(16) ", 'batchnorm', 'relu', 'maxpool2d'," CONV(
		32) ", 'batchnorm', 'relu', 'maxpool2d'," CONV(64) ", 'batchnorm', 'relu', 'globalavgpool', {'dense': "
								   "{'units': 10}}]}",
	    26,
	    "GATHER\n"
	    "CONV\n"
	    "BATCHNORM x2\n"
	    "CONV\n"
	    "BATCHNORM x2\n"
	    "CONV\n"
	    "BATCHNORM x2\n"
	    "DENSE\n"
	    "LOSS\n"
	    "DENSE_WEIGHT\n"
	    "DENSE_DATA\n"
	    "BATCHNORM_BACK x2\n"
	    "CONV_WEIGHT\n"
	    "CONV_DATA\n"
	    "BATCHNORM_BACK x2\n"
	    "CONV_WEIGHT\n"
	    "CONV_DATA\n"
	    "BATCHNORM_BACK x2\n"
	    "CONV_WEIGHT\n"
	    "OPTIMIZE\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_normalised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
