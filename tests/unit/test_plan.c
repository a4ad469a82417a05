/* tests/unit/test_plan.c - the planner: placement of buffers of random lives, fusion groups, gradient flow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "tests/helper_data.h"
#include "train/plan.h"

enum { BUFFERS = 120, STEPS = 60 };

static int64_t live_bytes(const struct plan_buffer *b, int n, int step)
{
	int64_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += b[i].first <= step && step <= b[i].last ? b[i].bytes : 0;
	return sum;
}

/* No two that live together overlap, all lie inside, and the block is no smaller than what lives at any step. */
static void check_placement(const struct plan_buffer *b, int n, int64_t total)
{
	for (int i = 0; i < n; i++) {
		assert_int_equal(b[i].offset % PLAN_ALIGN, 0);
		assert_true(b[i].offset >= 0 && b[i].offset + b[i].bytes <= total);
		for (int k = 0; k < i; k++) {
			bool together = b[i].first <= b[k].last && b[k].first <= b[i].last;
			bool apart = b[i].offset + b[i].bytes <= b[k].offset ||
				     b[k].offset + b[k].bytes <= b[i].offset || b[i].bytes == 0 || b[k].bytes == 0;

			assert_true(!together || apart);
		}
	}
	for (int s = 0; s < STEPS; s++)
		assert_true(live_bytes(b, n, s) <= total);
}

static void test_random_lives(void **state)
{
	struct plan_buffer b[BUFFERS], again[BUFFERS];
	struct rng r;

	(void)state;
	rng_init(&r, 3, 1);
	for (int round = 0; round < 300; round++) {
		int n = 1 + (int)rng_below(&r, BUFFERS);
		int64_t total, sum = 0;

		for (int i = 0; i < n; i++) {
			int first = (int)rng_below(&r, STEPS), length = (int)rng_below(&r, round % 2 ? STEPS : 5);

			b[i] = (struct plan_buffer){ .bytes = rng_below(&r, 8) ? 1 + rng_below(&r, 5000) : 0,
						     .first = first,
						     .last = first + length < STEPS ? first + length : STEPS - 1 };
			sum += b[i].bytes + PLAN_ALIGN;
		}
		memcpy(again, b, sizeof b);
		total = plan_place(b, n);
		assert_true(total >= 0 && total <= sum);
		check_placement(b, n, total);
		assert_int_equal(plan_place(again, n), total);
		for (int i = 0; i < n; i++)
			assert_int_equal(again[i].offset, b[i].offset);
	}
}

/* A chain of equal tensors, each read by the next alone, needs room for two of them only. */
static void test_chain_reuses(void **state)
{
	struct plan_buffer b[50];

	(void)state;
	for (int i = 0; i < 50; i++)
		b[i] = (struct plan_buffer){ .bytes = 640, .first = i, .last = i + 1 };
	assert_int_equal(plan_place(b, 50), 1280);
	assert_int_equal(plan_place(b, 0), 0);
	b[0].bytes = b[1].bytes = INT64_MAX - 10;
	assert_int_equal(plan_place(b, 50), -1);
}

static bool fuses_relu(const struct graph *g, int first, int last, int next, bool training)
{
	(void)g;
	(void)training;
	return first == last && g->nodes[next].kind == LAYER_relu;
}

static void test_groups_and_flow(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = graph_of(a, "{'input': [3, 6, 6], 'classes': 2, 'layers': ["
				      "{'conv2d': {'filters': 4}, 'frozen': true, 'id': 'c0'}, 'relu',"
				      "{'conv2d': {'filters': 4, 'kernel': 1}, 'id': 'c1'}, {'relu': {}, 'id': 'r1'},"
				      "{'conv2d': {'filters': 4, 'kernel': 1}, 'id': 'dead'},"
				      "{'relu': {}, 'id': 'r2', 'from': ['c1']}, {'add': {}, 'from': ['r1', 'r2']},"
				      "'flatten', {'dense': {'units': 2}}]}");
	struct plan p;
	int c0 = graph_find(g, "c0"), c1 = graph_find(g, "c1"), dead = graph_find(g, "dead"), order = -1;

	(void)state;
	plan_init(&p, g, true, fuses_relu, a);
	assert_true(p.live[c0] && !p.live[dead] && !p.flows[dead]);
	assert_int_equal(p.lead[c0 + 1], c0); /* the only reader is a relu */
	assert_int_equal(plan_tail(&p, c0), c0 + 1);
	assert_int_equal(p.readers[c1], 2);
	assert_int_equal(p.lead[graph_find(g, "r1")], graph_find(g, "r1")); /* c1 has two readers */
	assert_false(p.flows[c0] || p.flows[c0 + 1]);
	assert_true(p.flows[c1] && plan_trains(g, c1) && !plan_trains(g, c0));
	for (int i = 0; i < p.n_order; i++) {
		assert_true(p.order[i] > order && p.lead[p.order[i]] == p.order[i] && p.live[p.order[i]]);
		order = p.order[i];
	}
	plan_init(&p, g, false, NULL, a);
	assert_int_equal(p.n_order, g->n_nodes - 1);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_lives),
		cmocka_unit_test(test_chain_reuses),
		cmocka_unit_test(test_groups_and_flow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
