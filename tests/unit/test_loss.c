/* tests/unit/test_loss.c - losses against PyTorch 1.13 in float64 (constants below), and against differences. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "train/loss.h"

static const double logits[12] = { 0.5, -1.25, 2.0, 0.125, 3.0, -2.5, 0.75, 1.5, -0.375, 0.0, -4.0, 0.625 };
static const int32_t labels[3] = { 2, 1, 3 };

static struct graph one_output(struct graph_output *out, enum task task, int classes)
{
	*out = (struct graph_output){ "out", task, classes, { 0, 0 } };
	return (struct graph){ .outputs = out, .n_outputs = 1 };
}

static struct loss make(struct arena *a, enum loss_kind kind, enum task task, int classes, double smoothing)
{
	struct graph_output out;
	struct graph g = one_output(&out, task, classes);
	struct recipe r = { .loss = kind, .label_smoothing = smoothing };
	struct loss l;

	assert_int_equal(loss_supports(&g, &r, NULL), 0);
	loss_init(&l, &g, &r, a);
	return l;
}

static void close_to(const double *got, const double *want, int n)
{
	for (int i = 0; i < n; i++)
		if (!(fabs(got[i] - want[i]) <= 1e-14 + 1e-13 * fabs(want[i])))
			fail_msg("element %d: %.17g instead of %.17g", i, got[i], want[i]);
}

/* torch.nn.functional.cross_entropy(z, y, label_smoothing=s) and mse_loss(z, one_hot(y)): value times 3, gradient. */
static void like_torch(void **state)
{
	static const struct {
		enum loss_kind kind;
		double smoothing, loss, grad[12];
	} want[] = {
		{ LOSS_CROSS_ENTROPY,
		  0,
		  6.7831005255895249,
		  { 0.052553421284212351, 0.0091324152583701357, -0.097805239555006973, 0.036119403012424438,
		    0.25013454309053396, -0.33231109062685765, 0.026363986877878526, 0.055812560658445171,
		    0.064103521458903162, 0.093270073369497747, 0.0017083009829614636, -0.15908189581136237 } },
		{ LOSS_CROSS_ENTROPY,
		  0.1,
		  6.7862255255895247,
		  { 0.044220087950879026, 0.00079908192503680463, -0.072805239555006965, 0.02778606967909111,
		    0.24180120975720074, -0.30731109062685769, 0.018030653544545201, 0.047479227325111853,
		    0.055770188125569845, 0.084936740036164429, -0.006625032350371869, -0.13408189581136237 } },
		{ LOSS_MSE,
		  0,
		  10.79296875,
		  { 0.083333333333333329, -0.20833333333333331, 0.16666666666666666, 0.020833333333333332, 0.5,
		    -0.58333333333333326, 0.125, 0.25, -0.0625, 0, -0.66666666666666663, -0.0625 } },
	};
	struct arena *a = arena_new();

	(void)state;
	for (int k = 0; k < 3; k++) {
		struct loss l = make(a, want[k].kind, TASK_CLASSIFY, 4, want[k].smoothing);
		struct loss_sum sum = { 0 };
		double grad[12];
		float z[12], g[12];

		loss_f64(&l, logits, 3, labels, NULL, grad, &sum);
		close_to(&sum.loss, &want[k].loss, 1);
		close_to(grad, want[k].grad, 12);
		assert_int_equal(sum.correct, 2);
		for (int i = 0; i < 12; i++)
			z[i] = (float)logits[i]; /* exact */
		sum = (struct loss_sum){ 0 };
		loss_f32(&l, z, 3, labels, NULL, g, &sum);
		close_to(&sum.loss, &want[k].loss, 1);
		for (int i = 0; i < 12; i++)
			assert_true(fabs((double)g[i] - want[k].grad[i]) < 1e-7);
	}
	arena_free(a);
}

static void gradient_is_the_derivative(void **state)
{
	enum { N = 5, C = 7 };
	struct arena *a = arena_new();
	struct rng r;

	(void)state;
	rng_init(&r, 11, 3);
	for (int k = 0; k < 20; k++) {
		struct loss l = make(a, k % 2 ? LOSS_MSE : LOSS_CROSS_ENTROPY, TASK_CLASSIFY, C, k % 3 * 0.2);
		double z[N * C], g[N * C], h = 1e-5;
		int32_t y[N];
		int at = (int)rng_below(&r, N * C);
		struct loss_sum up = { 0 }, down = { 0 }, sum = { 0 };

		for (int i = 0; i < N * C; i++)
			z[i] = 3 * rng_normal(&r);
		for (int i = 0; i < N; i++)
			y[i] = (int32_t)rng_below(&r, C);
		loss_f64(&l, z, N, y, NULL, g, &sum);
		z[at] += h;
		loss_f64(&l, z, N, y, NULL, NULL, &up);
		z[at] -= 2 * h;
		loss_f64(&l, z, N, y, NULL, NULL, &down);
		assert_true(fabs((up.loss - down.loss) / N / (2 * h) - g[at]) < 1e-8);
	}
	arena_free(a);
}

static void regression(void **state)
{
	struct arena *a = arena_new();
	struct loss l = make(a, LOSS_MSE, TASK_REGRESS, 1, 0);
	float z[2] = { 1, -2 }, t[2] = { 3, -1 }, g[2];
	struct loss_sum sum = { 0 };

	(void)state;
	loss_f32(&l, z, 2, NULL, t, g, &sum);
	assert_true(sum.loss == 5 && sum.correct == 0);
	assert_true(g[0] == -2 && g[1] == -1);
	arena_free(a);
}

static void ties_and_extremes(void **state)
{
	struct arena *a = arena_new();
	struct loss l = make(a, LOSS_CROSS_ENTROPY, TASK_CLASSIFY, 3, 0);
	float tie[3] = { 1, 1, 0 }, huge[3] = { 3e38f, -3e38f, 0 }, bad[3] = { NAN, 0, 0 }, g[3];
	int32_t first = 0, second = 1;
	struct loss_sum sum = { 0 };

	(void)state;
	loss_f32(&l, tie, 1, &first, NULL, g, &sum);
	assert_int_equal(sum.correct, 1);
	loss_f32(&l, tie, 1, &second, NULL, g, &sum);
	assert_int_equal(sum.correct, 1);
	assert_int_equal(loss_argmax(tie, 3), 0);
	sum = (struct loss_sum){ 0 };
	loss_f32(&l, huge, 1, &first, NULL, g, &sum);
	assert_true(sum.loss == 0 && g[0] == 0);
	loss_f32(&l, bad, 1, &first, NULL, g, &sum);
	assert_false(isfinite(sum.loss));
	arena_free(a);
}

static void refusals(void **state)
{
	struct graph_output out;
	struct graph g = one_output(&out, TASK_MULTILABEL, 3);
	struct recipe r = { .loss = LOSS_CROSS_ENTROPY };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(loss_supports(&g, &r, &e), -1);
	assert_non_null(strstr(e.msg, "multi-label"));
	err_clear(&e);
	g = one_output(&out, TASK_REGRESS, 1);
	assert_int_equal(loss_supports(&g, &r, &e), -1);
	assert_non_null(strstr(e.msg, "mse"));
	r.loss = LOSS_MSE;
	assert_int_equal(loss_supports(&g, &r, NULL), 0);
	g = one_output(&out, TASK_REGRESS, 2);
	assert_int_equal(loss_supports(&g, &r, NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(like_torch), cmocka_unit_test(gradient_is_the_derivative),
		cmocka_unit_test(regression), cmocka_unit_test(ties_and_extremes),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests_name("loss", tests, NULL, NULL);
}
