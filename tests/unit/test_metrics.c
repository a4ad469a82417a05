/* tests/unit/test_metrics.c - figures of an evaluation against hand calculation, closed forms and naive counting. */
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
#include "train/metrics.h"

static void near(double got, double want)
{
	if (!(fabs(got - want) < 1e-12))
		fail_msg("%.17g instead of %.17g", got, want);
}

/* Three classes; class 2 is never predicted, class 3 neither occurs nor is predicted. By hand:
 * recalls 4/5, 1/2, 0/3; precisions 4/7, 1/3, 0; F1 8/12, 2/5, 0. */
static void by_hand(void **state)
{
	int64_t confusion[16] = { 4, 1, 0, 0, 1, 1, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0 };
	struct evaluation v = { .classes = 4, .confusion = confusion };

	(void)state;
	metrics_derive(&v);
	near(v.balanced_accuracy, (4 / 5.0 + 1 / 2.0) / 3);
	near(v.recall_macro, v.balanced_accuracy);
	near(v.precision_macro, (4 / 7.0 + 1 / 3.0) / 3);
	near(v.f1_macro, (8 / 12.0 + 2 / 5.0) / 3);
}

/* q right in each of k classes of m examples, the wrong ones spread evenly: all figures are q. */
static void closed_form(void **state)
{
	enum { K = 6 };
	int64_t confusion[K * K];
	struct evaluation v = { .classes = K, .confusion = confusion };

	(void)state;
	for (int i = 0; i < K * K; i++)
		confusion[i] = i % (K + 1) ? 3 : 85;
	metrics_derive(&v);
	near(v.balanced_accuracy, 0.85);
	near(v.precision_macro, 0.85);
	near(v.f1_macro, 0.85);
}

/* A backend whose logits are a table: what evaluation makes of given logits. */
static const float *table;
static int width;

static int look_up(struct net *net, const uint32_t *index, int64_t n, float *out, struct err *e)
{
	(void)net;
	(void)e;
	for (int64_t i = 0; i < n; i++)
		memcpy(out + i * width, table + (int64_t)index[i] * width, sizeof *out * (size_t)width);
	return 0;
}

static const struct backend lookup = { .name = "lookup", .evaluate = look_up };

static int rank_naively(const float *z, int label) /* by sorting out the largest again and again */
{
	char gone[12] = { 0 };

	for (int rank = 0;; rank++) {
		int top = -1;

		for (int c = 0; c < width; c++)
			if (!gone[c] && (top < 0 || z[c] > z[top]))
				top = c;
		if (top == label)
			return rank;
		gone[top] = 1;
	}
}

static void like_naive_counting(void **state)
{
	enum { N = 3000, K = 9 };
	struct arena *a = arena_new();
	struct blobs b = { .shape = shape_vector(1), .classes = K, .n = { 9, N, 0 } };
	struct dataset *d = blobs_new(&b, a);
	float *z = ARENA_ARRAY(a, float, (N + 9) * K);
	struct graph_output o = { "out", TASK_CLASSIFY, K, { 0, 0 } };
	struct graph g = { .outputs = &o };
	struct recipe r;
	struct trained t = { &lookup, NULL, &g, &r, d };
	struct evaluation v = { 0 };
	double loss = 0;
	int64_t first = 0, five = 0;
	struct rng rng;

	(void)state;
	recipe_defaults(&r);
	r.label_smoothing = 0.3; /* must not matter */
	rng_init(&rng, 3, 3);
	for (int i = 0; i < (N + 9) * K; i++)
		z[i] = (float)rng_below(&rng, 7) / 2; /* many ties */
	table = z;
	width = K;
	assert_int_equal(metrics_evaluate(&v, &t, SPLIT_VALIDATION, NULL), 0);
	for (int i = 9; i < N + 9; i++) {
		double sum = 0;
		int rank = rank_naively(z + i * K, d->label[i]);

		for (int c = 0; c < K; c++)
			sum += exp((double)z[i * K + c]);
		loss += log(sum) - (double)z[i * K + d->label[i]];
		first += rank == 0;
		five += rank < 5;
		assert_int_equal(rank_naively(z + i * K, v.predicted[i - 9]), 0);
	}
	assert_true(fabs(v.loss - loss / N) < 1e-9);
	near(v.accuracy, (double)first / N);
	near(v.top5, (double)five / N);
	for (int c = 0, sum = 0; c < K * K; c++) {
		sum += (int)v.confusion[c];
		if (c == K * K - 1)
			assert_int_equal(sum, N);
	}
	evaluation_release(&v);
	arena_free(a);
}

static void slices(void **state)
{
	int64_t confusion[9] = { 5, 1, 0, 2, 6, 2, 1, 0, 9 };
	struct evaluation v = { .classes = 3, .confusion = confusion };
	int of[2] = { 0, 2 };
	struct slice s = { "ends", 2, of, NULL };
	int64_t n;

	(void)state;
	near(evaluation_slice(&v, NULL, &s, &n), 14 / 16.0);
	assert_int_equal(n, 16);
}

static void baselines(void **state)
{
	struct arena *a = arena_new();
	struct blobs b = { .shape = shape_vector(1), .classes = 4, .n = { 40, 0, 0 } };
	struct dataset *d = blobs_new(&b, a);
	uint32_t some[3] = { 0, 1, 4 }; /* labels 0, 1, 0 */

	(void)state;
	near(metrics_baseline(d, LOSS_CROSS_ENTROPY, d->split[0], 40), log(4));
	near(metrics_baseline(d, LOSS_MSE, d->split[0], 40), 0.25 * 0.75);
	near(metrics_baseline(d, LOSS_CROSS_ENTROPY, some, 3), -(2 / 3.0) * log(2 / 3.0) - log(1 / 3.0) / 3);
	b.classes = 0;
	d = blobs_new(&b, a);
	((float *)(uintptr_t)d->target)[0] = 1;
	((float *)(uintptr_t)d->target)[1] = 2;
	((float *)(uintptr_t)d->target)[4] = 6;
	near(metrics_baseline(d, LOSS_MSE, some, 3), (4 + 1 + 9) / 3.0);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_hand), cmocka_unit_test(closed_form), cmocka_unit_test(like_naive_counting),
		cmocka_unit_test(slices),  cmocka_unit_test(baselines),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
