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

#include "arch/kinds.h"
#include "tests/helper_cuda.h"
#include "tests/helper_layers.h"

static struct rng rng;

static const struct cuda_dims shapes[] = {
	{ 1, 1, 1, 1, 8 },    { 3, 1, 1, 10, 16 }, { 2, 3, 5, 7, 8 },     { 5, 4, 4, 32, 32 },
	{ 9, 7, 11, 13, 16 }, { 4, 1, 9, 40, 40 }, { 3, 1, 1, 801, 808 },
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

/* ---- BIAS_GRADIENT, SOFTMAX ------------------------------------------------------------------------------ */

/* undo: a relu, in place or not */
static void bias_gradient(struct cuda_dims d, int elem, bool undo, bool over)
{
	struct op_run r;
	double *dy, *want, *g, *y = NULL;

	op_begin(&r, CUDA_OP_BIAS_GRADIENT, &rng);
	dy = op_tensor(&r, 0, elem, d);
	want = ARENA_ARRAY(r.arena, double, d.pitch);
	g = ARENA_ARRAY(r.arena, double, op_count(&d));
	if (undo)
		y = op_tensor(&r, 2, elem, d);
	for (int64_t i = 0; undo && i < op_count(&d); i++)
		y[i] = fmax(y[i], 0);
	for (int64_t i = 0; i < op_count(&d); i++) {
		g[i] = !undo || y[i] > 0 ? dy[i] : 0;
		want[i % d.pitch] += g[i];
	}
	op_result(&r, 1, CUDA_F32, (struct cuda_dims){ 1, 1, 1, d.c, d.pitch });
	op_base(&r, 1, CUDA_GRADS);
	if (undo && over) {
		op_same(&r, 3, 0);
		op_changes(&r, 0);
	} else if (undo) {
		op_result(&r, 3, elem, d);
	}
	r.op.u.bias = (struct cuda_op_bias){ .x = d };
	op_run(&r);
	op_expect(&r, 1, want);
	if (undo)
		op_expect_bits(&r, over ? 0 : 3, g);
	op_end(&r);
}

static void test_bias_gradient(void **state)
{
	(void)state;
	cuda_test_plugin();
	EACH_CASE(d, elem)
	{
		bias_gradient(d, elem, false, false);
		bias_gradient(d, elem, true, true);
		bias_gradient(op_dims(d.n * 20, d.h, d.w, d.c), elem, true, false);
	}
	bias_gradient(op_dims(128, 1, 1, 3000), CUDA_F32, false, false);
	bias_gradient(op_dims(1, 300, 300, 3), CUDA_BF16, true, true);
}

static void test_softmax(void **state)
{
	(void)state;
	cuda_test_plugin();
	EACH_CASE(d, elem)
	{
		struct op_run f, b;
		double *x, *y, *dy, *want;

		op_begin(&f, CUDA_OP_SOFTMAX, &rng);
		x = op_tensor(&f, 0, elem, d);
		for (int64_t i = 0; i < op_count(&d); i++)
			x[i] = i % d.pitch < d.c ? op_rounded(elem, x[i] * 20 + 200) : 0; /* exp() of it is no float */
		want = ARENA_ARRAY(f.arena, double, op_count(&d));
		for (int64_t at = 0; at < op_count(&d); at += d.pitch) {
			double top = -INFINITY, sum = 0;

			for (int c = 0; c < d.c; c++)
				top = fmax(top, x[at + c]);
			for (int c = 0; c < d.c; c++)
				sum += want[at + c] = exp(x[at + c] - top);
			for (int c = 0; c < d.c; c++)
				want[at + c] /= sum;
		}
		op_result(&f, 1, elem, d);
		f.op.u.map = (struct cuda_op_map){ .x = d };
		op_run(&f);
		op_expect(&f, 1, want);

		op_begin(&b, CUDA_OP_SOFTMAX_BACK, &rng);
		y = op_values(&b, 0, elem, op_count(&d), op_got(&f, 1));
		dy = op_tensor(&b, 1, elem, d);
		for (int64_t at = 0; at < op_count(&d); at += d.pitch) {
			double dot = 0;

			for (int c = 0; c < d.c; c++)
				dot += y[at + c] * dy[at + c];
			for (int c = 0; c < d.c; c++)
				want[at + c] = y[at + c] * (dy[at + c] - dot);
		}
		op_result(&b, 2, elem, d);
		b.op.u.map = (struct cuda_op_map){ .x = d };
		op_run(&b);
		if (d.c > 1)
			op_expect(&b, 2, want);
		else
			op_expect_bits(&b, 2, want); /* nothing but zeros */
		op_end(&f);
		op_end(&b);
	}
}

/* ---- ACTIVATE -------------------------------------------------------------------------------------------- */

/* An activation's oracle: its layer, and the options. */
static const struct act_case {
	enum cuda_act act;
	enum layer_kind kind;
	float a;
	union {
		struct leaky_relu leaky;
		struct elu elu;
		struct gelu gelu;
	} cfg;
} act_cases[] = {
	{ CUDA_ACT_RELU, LAYER_relu, 0, { { 0 } } },
	{ CUDA_ACT_RELU6, LAYER_relu6, 0, { { 0 } } },
	{ CUDA_ACT_LEAKY_RELU, LAYER_leaky_relu, 0.125f, { .leaky = { .slope = 0.125 } } },
	{ CUDA_ACT_ELU, LAYER_elu, 1.5f, { .elu = { .alpha = 1.5 } } },
	{ CUDA_ACT_GELU, LAYER_gelu, 0, { .gelu = { .approximate = 0 } } },
	{ CUDA_ACT_GELU_TANH, LAYER_gelu, 0, { .gelu = { .approximate = 1 } } },
	{ CUDA_ACT_SILU, LAYER_silu, 0, { { 0 } } },
	{ CUDA_ACT_HARD_SWISH, LAYER_hard_swish, 0, { { 0 } } },
	{ CUDA_ACT_TANH, LAYER_tanh, 0, { { 0 } } },
	{ CUDA_ACT_SIGMOID, LAYER_sigmoid, 0, { { 0 } } },
};

/* Values around every kink, and far out. */
static double spread_out(int64_t i)
{
	static const double special[] = { 0, 6, -6, 3, -3, 1e-3, -1e-3, 40, -40, 100, -100 };

	return i % 17 < 11 ? special[i % 17] : 5 * rng_normal(&rng);
}

static void activate(const struct act_case *c, struct cuda_dims d, int elem, bool in_place)
{
	int64_t n = op_count(&d);
	struct shape shape = shape_vector((int)n);
	const double *in, *dout;
	double *y, *dx;
	struct layer_io io = { .cfg = &c->cfg,
			       .batch = 1,
			       .in_shape = &shape,
			       .out_shape = &shape,
			       .in = &in,
			       .out = &y,
			       .din = &dx,
			       .dout = &dout };
	struct op_run f, b;
	double *x;

	op_begin(&f, CUDA_OP_ACTIVATE, &rng);
	op_begin(&b, CUDA_OP_ACTIVATE_BACK, &rng);
	x = op_tensor(&f, 0, elem, d);
	for (int64_t i = 0; i < n; i++)
		x[i] = spread_out(i);
	op_round(&f, 0);
	y = ARENA_ARRAY(f.arena, double, n);
	dx = ARENA_ARRAY(f.arena, double, n);
	op_values(&b, 0, elem, n, x);
	in = x;
	dout = op_tensor(&b, 1, elem, d);
	layer_classes[c->kind]->forward(&io);
	layer_classes[c->kind]->backward(&io);
	for (int64_t i = 0; i < n; i++)
		if (i % d.pitch >= d.c)
			y[i] = 0;
	op_result(&f, 1, elem, d);
	f.op.u.act = b.op.u.act = (struct cuda_op_act){ .x = d, .act = (int32_t)c->act, .a = c->a };
	op_run(&f);
	op_expect(&f, 1, y);
	if (in_place) {
		op_changes(&b, 1);
		op_same(&b, 2, 1);
	} else {
		op_result(&b, 2, elem, d);
	}
	op_run(&b);
	op_expect(&b, 2, dx);
	op_end(&f);
	op_end(&b);
}

static void test_activate(void **state)
{
	(void)state;
	cuda_test_plugin();
	EACH_CASE(d, elem)
	{
		for (size_t i = 0; i < sizeof act_cases / sizeof *act_cases; i++)
			if (d.n > 1) /* one number alone may be 0 */
				activate(&act_cases[i], d, elem, i % 2);
	}
}

/* ---- DROPOUT --------------------------------------------------------------------------------------------- */

static void drop(struct cuda_dims d, int elem, double rate, bool active, bool in_place)
{
	struct cuda_step steps[3] = { { 0 }, { .epoch = 1 + rng_below(&rng, 50) } };
	struct philox_key key = philox_key(rng_u32(&rng), PURPOSE_DROPOUT, 5);
	int64_t places = (int64_t)d.h * d.w;
	double *x, *want, sample[16];
	struct op_run r;

	op_begin(&r, CUDA_OP_DROPOUT, &rng);
	x = op_tensor(&r, 0, elem, d);
	for (int i = 0; i < d.n; i++)
		sample[i] = rng_below(&rng, 60000);
	op_values(&r, 2, CUDA_I32, d.n, sample);
	want = ARENA_ARRAY(r.arena, double, op_count(&d));
	for (int64_t i = 0; i < op_count(&d); i++) {
		int64_t c = i % d.pitch, place = i / d.pitch % places, e = i / d.pitch / places,
			at = c * places + place;
		uint32_t u[4];

		philox4x32(u, key, (uint32_t)(at / 4), (uint32_t)sample[e], steps[1].epoch, 0);
		want[i] = !active ? x[i]
			  : philox_real(u[at % 4]) < rate
			      ? 0
			      : op_rounded(elem, (double)((float)x[i] * (float)(1 / (1 - rate))));
	}
	if (in_place) {
		op_changes(&r, 0);
		op_same(&r, 1, 0);
	} else {
		op_result(&r, 1, elem, d);
	}
	op_bytes(&r, CUDA_STEPS, steps, sizeof steps, false);
	r.op.u.drop = (struct cuda_op_drop){ d, { key.k[0], key.k[1] }, rate };
	r.control = (struct cuda_control){ .at = 1, .source = CUDA_TRAIN, .drop = active };
	op_run(&r);
	op_expect_bits(&r, in_place ? 0 : 1, want);
	op_end(&r);
}

static void test_dropout(void **state)
{
	(void)state;
	cuda_test_plugin();
	EACH_CASE(d, elem)
	{
		drop(d, elem, 0.5, true, true);
		drop(d, elem, 0.1, true, false);
		drop(d, elem, 1 - 1e-12, true, false);
		drop(d, elem, 0, true, false);
		drop(d, elem, 0.5, false, false);
	}
}

/* To bf16: to the nearest, ties to even; what is too large becomes infinite. */
static void test_bf16(void **state)
{
	static const struct {
		float from;
		double to;
	} cases[] = { { 1.00390625f, 1 },
		      { 1.01171875f, 1.015625 },
		      { 0x1.010002p0f, 1.0078125 },
		      { -1.00390625f, -1 },
		      { 3.4e38f, (double)INFINITY },
		      { 1e-40f, 0x1p-133 },
		      { 3.3895314e38f, 3.3895314e38f },
		      { 0.1f, 0.10009765625 } };

	(void)state;
	cuda_test_plugin();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct op_run r;

		op_begin(&r, CUDA_OP_FILL, &rng);
		op_result(&r, 0, CUDA_BF16, op_dims(1, 1, 1, 3));
		r.op.u.map = (struct cuda_op_map){ .x = r.buf[0].dims, .value = cases[i].from };
		op_run(&r);
		if (op_got(&r, 0)[2] != cases[i].to)
			fail_msg("%.9g becomes %.9g instead of %.9g", (double)cases[i].from, op_got(&r, 0)[2],
				 cases[i].to);
		op_end(&r);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_combine),  cmocka_unit_test(test_mask),          cmocka_unit_test(test_fill),
		cmocka_unit_test(test_bf16),     cmocka_unit_test(test_bias_gradient), cmocka_unit_test(test_softmax),
		cmocka_unit_test(test_activate), cmocka_unit_test(test_dropout),
	};

	rng_init(&rng, test_seed(), 77);
	return cmocka_run_group_tests_name("cuda_ops_a", tests, NULL, NULL);
}
