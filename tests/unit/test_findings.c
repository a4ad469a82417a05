/* tests/unit/test_findings.c - the rules of findings on made-up epochs and gradients, each on both sides of its limit.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/helper_data.h"
#include "train/findings.h"

static const struct finding *find(const struct run_result *r, const char *code)
{
	for (int i = 0; i < r->n_findings; i++)
		if (strcmp(r->findings[i].code, code) == 0)
			return &r->findings[i];
	return NULL;
}

static struct run_result of_losses(const double (*loss)[2], int n) /* training, validation */
{
	struct epoch_record h[8] = { { 0 } };
	struct run_result r = { 0 };

	for (int i = 0; i < n; i++)
		h[i] = (struct epoch_record){ .epoch = i + 1, .train_loss = loss[i][0], .val_loss = loss[i][1] };
	findings_history(&r, h, n, 2.0);
	return r;
}

static void from_epochs(void **state)
{
	const double overfit[5][2] = { { 1.5, 1.4 }, { 1.2, 1.0 }, { 1.0, 1.1 }, { 0.8, 1.2 }, { 0.6, 1.3 } };
	const double calm[4][2] = { { 1.5, 1.4 }, { 1.2, 1.0 }, { 1.0, 1.01 }, { 0.8, 1.04 } };
	const double noisy[4][2] = { { 1.5, 1.4 }, { 1.2, 1.0 }, { 1.3, 1.3 }, { 1.25, 1.3 } };
	const double better[4][2] = { { 1.5, 1.4 }, { 1.2, 1.2 }, { 1.0, 1.1 }, { 0.8, 1.0 } };
	const double flat[4][2] = { { 1.5, 1.4 }, { 1.2, 1.01 }, { 1.0, 1.005 }, { 0.8, 1.0 } };
	const double stuck[3][2] = { { 2.1, 2.0 }, { 2.0, 2.0 }, { 1.99, 1.99 } };
	struct run_result r = of_losses(overfit, 5);

	(void)state;
	assert_int_equal(r.n_findings, 1);
	assert_non_null(strstr(find(&r, "overfit")->text, "since epoch 2"));
	r = of_losses(calm, 4);
	assert_int_equal(r.n_findings, 0);
	r = of_losses(noisy, 4); /* training loss rose as well */
	assert_int_equal(r.n_findings, 0);
	r = of_losses(better, 4);
	assert_int_equal(r.n_findings, 1);
	assert_non_null(find(&r, "still-improving"));
	r = of_losses(flat, 4);
	assert_int_equal(r.n_findings, 0);
	r = of_losses(stuck, 3);
	assert_int_equal(r.n_findings, 1);
	assert_non_null(find(&r, "not-learning"));
	r = of_losses(stuck, 0);
	assert_int_equal(r.n_findings, 0);
}

/* A backend whose gradients are what the test says: one number for every tensor, some units nothing. */
static double scale[8];
static int dead, calls;

static int gradients(struct net *net, const uint32_t *index, int64_t n, struct weights *out, double *loss,
		     struct err *e)
{
	(void)net;
	(void)index;
	(void)e;
	assert_int_equal(n, 10);
	*loss = 1;
	calls++;
	for (int i = 0; i < out->n; i++)
		for (int64_t k = 0; k < out->tensors[i].count; k++) {
			int64_t unit = k / (out->tensors[i].count / out->tensors[i].spec.d[0]);

			out->data[out->tensors[i].first + k] = i < 2 && unit < dead ? 0 : (float)scale[i];
		}
	return 0;
}

static const struct backend fake = { .name = "fake", .gradients = gradients };

static struct run_result of_gradients(double first, double last, int dead_units, int64_t examples)
{
	static const uint32_t index[2000];
	struct arena *a = arena_new();
	struct graph *g = graph_of(a, "{'inputs': {'in': {'type': 'vector', 'shape': [6]}}, 'classes': 3, 'layers': ["
				      "{'dense': {'units': 40}}, 'relu', {'dense': {'units': 3}}]}");
	struct weights *w = weights_new(g, NULL);
	struct recipe r;
	struct trained t = { &fake, NULL, g, &r, NULL };
	struct run_result out = { 0 };

	recipe_defaults(&r);
	r.batch = 10;
	for (int64_t i = 0; i < w->total; i++)
		w->data[i] = 0.5f;
	scale[0] = scale[1] = first;
	scale[2] = scale[3] = last;
	dead = dead_units;
	calls = 0;
	findings_gradients(&out, &t, w, index, examples);
	weights_free(w);
	arena_free(a);
	return out;
}

static void from_gradients(void **state)
{
	struct run_result r = of_gradients(1, 1, 1, 25);

	(void)state;
	assert_int_equal(calls, 2); /* whole batches */
	assert_int_equal(r.n_findings, 0);
	r = of_gradients(1, 1, 2, 25);
	assert_int_equal(r.n_findings, 1);
	assert_non_null(strstr(find(&r, "dead-units")->text, "2 of 40 units before relu_1"));
	assert_int_equal(find(&r, "dead-units")->node, 1);
	r = of_gradients(1, 1e5, 0, 10);
	assert_int_equal(r.n_findings, 1);
	assert_non_null(strstr(find(&r, "vanishing")->text, "dense_1.weight"));
	r = of_gradients(1, 5e3, 0, 10);
	assert_int_equal(r.n_findings, 0);
	r = of_gradients(2e3, 1, 0, 10);
	assert_int_equal(r.n_findings, 1);
	assert_int_equal(find(&r, "exploding")->node, 0);
	r = of_gradients(500, 1, 0, 2000);
	assert_int_equal(r.n_findings, 0);
	assert_int_equal(calls, 103); /* 1024 examples are enough */
	r = of_gradients(1, 1, 40, 9);
	assert_int_equal(r.n_findings, 0); /* no whole batch */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_epochs),
		cmocka_unit_test(from_gradients),
	};

	return cmocka_run_group_tests_name("findings", tests, NULL, NULL);
}
