/* tests/unit/test_cuda_ops_a.c - operations of the CUDA backend against plain C in double: elementwise ones, softmax,
 * activations, dropout, the loss, the optimizers, the batch. On the emulated plugin, or on the one that NAB_CUDA_PLUGIN
 * names.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/helper_cuda.h"
#include "tests/helper_layers.h"

static struct rng rng;

static const struct cuda_dims shapes[] = {
	{ 1, 1, 1, 1, 8 },   { 3, 1, 1, 10, 16 },  { 2, 3, 5, 7, 8 },
	{ 5, 4, 4, 32, 32 }, { 9, 7, 11, 13, 16 }, { 4, 1, 9, 40, 40 },
};

#define EACH_CASE(d, elem)                                                          \
	for (size_t case_ = 0; case_ < 2 * sizeof shapes / sizeof *shapes; case_++) \
		for (int once_ = 1, elem = (int)(case_ % 2); once_; once_ = 0)      \
			for (struct cuda_dims d = shapes[case_ / 2]; once_; once_ = 0)

/* ---- SUM, PRODUCT, MASK, FILL ---------------------------------------------------------------------------- */

static void combine(bool product, int elem, struct cuda_dims d, int k, bool in_place)
{
	struct op_run r;
	double *x[CUDA_INPUTS], *want;

	op_begin(&r, product ? CUDA_OP_PRODUCT : CUDA_OP_SUM, &rng);
	for (int i = 0; i < k; i++)
		x[i] = op_tensor(&r, 1 + i, elem, d);
	want = ARENA_ARRAY(r.arena, double, op_count(&d));
	for (int64_t i = 0; i < op_count(&d); i++) {
		want[i] = x[0][i];
		for (int j = 1; j < k; j++)
			want[i] = product ? want[i] * x[j][i] : want[i] + x[j][i];
	}
	if (in_place) {
		op_changes(&r, k);
		op_same(&r, 0, k);
	} else {
		op_result(&r, 0, elem, d);
	}
	r.op.u.map = (struct cuda_op_map){ .x = d, .k = k };
	op_run(&r);
	op_expect(&r, 0, want);
	op_end(&r);
}

static void test_combine(void **state)
{
	(void)state;
	cuda_test_plugin();
	EACH_CASE(d, elem)
	{
		for (int k = 1; k <= CUDA_INPUTS; k += 3)
			for (int product = 0; product < 2; product++)
				combine(product, elem, d, k, k % 2);
	}
}

static void test_mask(void **state)
{
	(void)state;
	cuda_test_plugin();
	EACH_CASE(d, elem)
	{
		struct op_run r;
		double *want, *x, length[16];

		d.w *= d.h;
		d.h = 1;
		op_begin(&r, CUDA_OP_MASK, &rng);
		x = op_tensor(&r, 0, elem, d);
		for (int n = 0; n < d.n; n++)
			length[n] = rng_below(&rng, (uint32_t)d.w + 1);
		op_values(&r, 1, CUDA_I32, d.n, length);
		want = ARENA_ARRAY(r.arena, double, op_count(&d));
		for (int64_t i = 0; i < op_count(&d); i++)
			want[i] = i / d.pitch % d.w < length[i / d.pitch / d.w] ? x[i] : 0;
		op_changes(&r, 0);
		r.op.u.map = (struct cuda_op_map){ .x = d };
		op_run(&r);
		op_expect_bits(&r, 0, want);
		op_end(&r);
	}
}

static void test_fill(void **state)
{
	(void)state;
	cuda_test_plugin();
	EACH_CASE(d, elem)
	{
		struct op_run r;
		double *want;

		op_begin(&r, CUDA_OP_FILL, &rng);
		op_result(&r, 0, elem, d);
		want = ARENA_ARRAY(r.arena, double, op_count(&d));
		for (int64_t i = 0; i < op_count(&d); i++)
			want[i] = i % d.pitch < d.c ? 1.5 : 0;
		r.op.u.map = (struct cuda_op_map){ .x = d, .value = 1.5f };
		op_run(&r);
		op_expect_bits(&r, 0, want);
		op_end(&r);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_combine),
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_fill),
	};

	rng_init(&rng, test_seed(), 77);
	return cmocka_run_group_tests_name("cuda_ops_a", tests, NULL, NULL);
}
