/* tests/long/test_nb101.c - NAS-Bench-101's cells (Ying et al., 2019): at most 7 vertices and 9 edges, the inner ones a
 * 3x3 convolution, a 1x1 convolution or a 3x3 max-pool. Every labelled cell in which all vertices lie on a path from
 * input to output is built as a graph of ours (inputs of a vertex joined by a commuting add); the published number of
 * different cells is 423,624, so the canonical hash must be equal for isomorphic graphs and different for all others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/graph.h"
#include "arch/kinds.h"
#include "base/mem.h"
#include "base/opt.h"

enum { VERTICES = 7, EDGES = 9, PUBLISHED = 423624, SLOTS = 1 << 21 };

static struct hash128 *slots;
static int distinct;

static void note(struct hash128 h)
{
	uint64_t at = h.lo & (SLOTS - 1);

	for (; slots[at].lo | slots[at].hi; at = (at + 1) & (SLOTS - 1))
		if (slots[at].lo == h.lo && slots[at].hi == h.hi)
			return;
	slots[at] = h;
	distinct++;
	assert_true(distinct < SLOTS / 2);
}

/* in[v]: bits of the vertices that v reads. Vertex 0 is the input, n - 1 the output. */
static bool all_on_a_path(const unsigned *in, int n)
{
	unsigned from_input = 1, to_output = 1U << (n - 1);

	for (int v = 1; v < n; v++)
		if (in[v] & from_input)
			from_input |= 1U << v;
	for (int v = n - 1; v > 0; v--)
		if (to_output >> v & 1)
			to_output |= in[v];
	return (from_input & to_output) == (1U << n) - 1;
}

struct ops {
	struct conv2d conv3, conv1;
	struct pool2d pool;
	struct empty none;
};

static void ops_init(struct ops *o)
{
	memset(o, 0, sizeof *o);
	opt_defaults(&o->conv3, layer_classes[LAYER_conv2d]->opts);
	o->conv3.filters = 4;
	o->conv3.padding.same = 1;
	o->conv1 = o->conv3;
	o->conv1.kernel = (struct opt_pair){ { 1, 1 } };
	opt_defaults(&o->pool, layer_classes[LAYER_maxpool2d]->opts);
	o->pool.size = (struct opt_pair){ { 3, 3 } };
	o->pool.stride = (struct opt_pair){ { 1, 1 } };
	o->pool.padding.same = 1;
}

static int add_op(struct graph *g, const struct ops *o, int op, struct edge from)
{
	switch (op) {
	case 0:
		return graph_add(g, LAYER_conv2d, &o->conv3, &from, 1, NULL, NULL);
	case 1:
		return graph_add(g, LAYER_conv2d, &o->conv1, &from, 1, NULL, NULL);
	case 2:
		return graph_add(g, LAYER_maxpool2d, &o->pool, &from, 1, NULL, NULL);
	}
	return graph_add(g, LAYER_identity, &o->none, &from, 1, NULL, NULL); /* the output vertex */
}

static struct hash128 cell_hash(struct arena *a, const struct ops *o, const unsigned *in, const int *op, int n)
{
	const struct shape shape = shape_image(4, 8, 8);
	struct edge vertex[VERTICES] = { { -1, 0 } };
	struct graph *g;

	arena_reset(a);
	g = graph_new(a);
	graph_input(g, "in", &shape, NULL);
	for (int v = 1; v < n; v++) {
		struct edge from[VERTICES];
		int k = 0, node;

		for (int u = 0; u < v; u++)
			if (in[v] >> u & 1)
				from[k++] = vertex[u];
		if (k > 1)
			from[0] = (struct edge){ graph_add(g, LAYER_add, &o->none, from, k, NULL, NULL), 0 };
		node = add_op(g, o, v == n - 1 ? 3 : op[v], from[0]);
		assert_true(node >= 0);
		vertex[v] = (struct edge){ node, 0 };
	}
	graph_output(g, "out", TASK_CLASSIFY, 10, vertex[n - 1], NULL);
	return graph_hash(g);
}

static long label_all(struct arena *a, const struct ops *o, const unsigned *in, int n)
{
	int op[VERTICES] = { 0 }, labels = 1;

	for (int v = 1; v < n - 1; v++)
		labels *= 3;
	for (int l = 0; l < labels; l++) {
		for (int v = 1, rest = l; v < n - 1; v++, rest /= 3)
			op[v] = rest % 3;
		note(cell_hash(a, o, in, op, n));
	}
	return labels;
}

static void published_number_of_cells(void **state)
{
	struct arena *a = arena_new();
	struct ops o;
	long built = 0;

	(void)state;
	slots = mem_new(SLOTS * sizeof *slots);
	ops_init(&o);
	for (int n = 2; n <= VERTICES; n++) {
		int pairs = n * (n - 1) / 2;

		for (unsigned bits = 1; bits < 1U << pairs; bits++) {
			unsigned in[VERTICES] = { 0 }, rest = bits;

			if (__builtin_popcount(bits) > EDGES)
				continue;
			for (int v = 1; v < n; rest >>= v, v++)
				in[v] = rest & ((1U << v) - 1);
			if (all_on_a_path(in, n))
				built += label_all(a, &o, in, n);
		}
		printf("# up to %d vertices: %ld labelled cells, %d different ones\n", n, built, distinct);
		fflush(stdout);
	}
	assert_int_equal(distinct, PUBLISHED);
	mem_free(slots);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(published_number_of_cells) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
