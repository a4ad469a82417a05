/* tests/unit/test_optim.c - update rules against PyTorch 1.13 in float64 (constants below). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "tests/helper_data.h"
#include "train/optim.h"

/* Five steps from w = (0.5, -1, 2), gradient i of step t (from 0) = 0.3 sin(t + i + 1), rate 0.1 / (t + 1). */
static const struct {
	struct optimizer o;
	double w[3];
} torch[] = {
	{ { .kind = OPTIMIZER_SGD }, { 0.47113477333556747, -1.0129592729234222, 2.0148613765786334 } },
	{ { .kind = OPTIMIZER_SGD, .momentum = 0.9, .weight_decay = 0.05 },
	  { 0.41907559127171257, -1.006949621539371, 1.9926804064006489 } },
	{ { .kind = OPTIMIZER_SGD, .momentum = 0.9, .nesterov = true, .weight_decay = 0.05 },
	  { 0.39347842361179536, -1.0073564107583106, 1.985648150713897 } },
	{ { .kind = OPTIMIZER_ADAM, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-3, .weight_decay = 0.05 },
	  { 0.32014545182306009, -1.0905935362238892, 1.9259988835165418 } },
	{ { .kind = OPTIMIZER_ADAMW, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-3, .weight_decay = 0.05 },
	  { 0.31951580229311322, -1.1032355841524601, 1.9642210833694977 } },
};
enum { CASES = sizeof torch / sizeof *torch };

static void like_torch(void **state)
{
	(void)state;
	for (int k = 0; k < CASES; k++) {
		double w[3] = { 0.5, -1, 2 }, m1[3] = { 0 }, m2[3] = { 0 };
		float wf[3] = { 0.5f, -1, 2 }, m1f[3] = { 0 }, m2f[3] = { 0 };
		struct optim_range all = { 0, 3, true, false };
		int moments = optim_moments(&torch[k].o);

		for (int t = 0; t < 5; t++) {
			struct optim_step s;
			double g[3];
			float gf[3];

			for (int i = 0; i < 3; i++)
				gf[i] = (float)(g[i] = 0.3 * sin(t + i + 1));
			optim_step_init(&s, &torch[k].o, 0.1 / (t + 1), t);
			optim_update_f64(&s, w, g, moments > 0 ? m1 : NULL, moments > 1 ? m2 : NULL, &all, 1);
			optim_update_f32(&s, wf, gf, moments > 0 ? m1f : NULL, moments > 1 ? m2f : NULL, &all, 1);
		}
		for (int i = 0; i < 3; i++) {
			assert_true(fabs(w[i] - torch[k].w[i]) < 1e-14);
			assert_true(fabs((double)wf[i] - torch[k].w[i]) < 1e-6);
		}
	}
}

/* torch.nn.utils.clip_grad_norm_([3, 4, 12], 2): norm 13. */
static void clipping(void **state)
{
	double g[3] = { 3, 4, 12 }, scale;
	struct optim_range all = { 0, 3, true, false };
	double norm = sqrt(optim_square_sum_f64(g, &all, 1));

	(void)state;
	assert_true(norm == 13);
	scale = optim_clip_scale(norm, 2);
	assert_true(fabs(3 * scale - 0.46153842603550577) < 1e-15);
	assert_true(optim_clip_scale(1.5, 2) == 1);
	assert_true(optim_clip_scale(1e9, 0) == 1);
}

/* The vectorised loops against one element at a time, over ranges of all lengths. */
static void ranges_are_kept_to(void **state)
{
	enum { N = 200 };
	struct rng r;

	(void)state;
	rng_init(&r, 5, 1);
	for (int k = 0; k < CASES; k++) {
		struct optim_range cut[3] = { { 0, 0, true, false }, { 0, 0, true, true }, { 0, 0, false, false } };
		float w[N], v[N], g[N], m1[N] = { 0 }, m2[N] = { 0 }, n1[N] = { 0 }, n2[N] = { 0 };
		int moments = optim_moments(&torch[k].o);
		struct optim_step s;
		double sum = 0;

		cut[0].count = 1 + rng_below(&r, 90);
		cut[1].first = cut[0].count;
		cut[1].count = 1 + rng_below(&r, 50);
		cut[2].first = cut[1].first + cut[1].count;
		cut[2].count = N - cut[2].first;
		for (int i = 0; i < N; i++) {
			v[i] = w[i] = (float)rng_normal(&r);
			g[i] = (float)rng_normal(&r);
		}
		for (int t = 0; t < 3; t++) {
			optim_step_init(&s, &torch[k].o, 0.05, t);
			optim_update_f32(&s, w, g, moments > 0 ? m1 : NULL, moments > 1 ? m2 : NULL, cut, 3);
			for (int i = 0; i < N; i++) {
				struct optim_range one = { i, 1, i < cut[1].first,
							   i >= cut[1].first && i < cut[2].first };

				optim_update_f32(&s, v, g, moments > 0 ? n1 : NULL, moments > 1 ? n2 : NULL, &one, 1);
			}
		}
		assert_memory_equal(w, v, sizeof w);
		for (int i = 0; i < N; i++)
			if (i < cut[1].first || i >= cut[2].first)
				sum += (double)g[i] * (double)g[i];
		assert_true(fabs(optim_square_sum_f32(g, cut, 3) - sum) < 1e-10 * sum);
	}
}

static void ranges_of_a_network(void **state)
{
	struct arena *a = arena_new();
	struct graph *g =
	    graph_of(a, "{'input': [1,8,8], 'classes': 3, 'layers': [{'conv2d': {'filters': 4, 'kernel': 3}},"
			"'batchnorm', 'relu', {'conv2d': {'filters': 4, 'kernel': 3}, 'frozen': true},"
			"'flatten', {'dense': {'units': 3}}]}");
	struct weights *w = weights_new(g, NULL);
	struct optim_range *r;
	int n = optim_ranges(&r, w, g, a);
	int64_t next = 0, trained = 0, decayed = 0;

	(void)state;
	for (int i = 0; i < n; i++) {
		assert_int_equal(r[i].first, next);
		next += r[i].count;
		trained += r[i].frozen ? 0 : r[i].count;
		decayed += r[i].frozen || !r[i].decay ? 0 : r[i].count;
	}
	assert_int_equal(next, w->total);
	assert_int_equal(decayed, 36 + 192);             /* the kernels of conv2d_1 and dense_1 */
	assert_int_equal(trained, 36 + 4 + 8 + 192 + 3); /* biases and the norm's affine part, too */
	weights_free(w);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(like_torch),
		cmocka_unit_test(clipping),
		cmocka_unit_test(ranges_are_kept_to),
		cmocka_unit_test(ranges_of_a_network),
	};

	return cmocka_run_group_tests_name("optim", tests, NULL, NULL);
}
