/* bench/bench_draw.c - milliseconds to draw networks of 2,000 layers (at most 50 are promised) as chips, as nodes and
 * connections, as a comparison, and as SVG; and 10,000 small charts for a page, with the bytes they take. Best of
 * three.
 */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "arch/graph.h"
#include "arch/kinds.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "report/canvas.h"
#include "report/graph_view.h"
#include "report/snac.h"
#include "report/snac_diff.h"

enum { LAYERS = 2000, PAGE = 10000 };

/* Seconds of this process: others may share the machine. */
static double now(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

enum { MANY = 12 };

/* Every second layer adds the one before it and the one `reach` layers back (0: reads only the one before; -1: any; -2:
 * MANY of any). */
static struct graph *network(struct arena *a, int reach, int n)
{
	static const char zeros[256]; /* options of layers that have none to speak of */
	const struct shape in = shape_vector(16);
	struct graph *g = graph_new(a);
	struct err e = { 0 };
	struct rng r;

	rng_init(&r, 5, 5);
	if (graph_input(g, "in", &in, &e) < 0)
		return NULL;
	for (int i = 0; i < n; i++) {
		struct edge from[MANY] = { graph_last(g) };
		int reads = reach == -2 ? MANY : 2;

		for (int k = 1; k < reads && i > 1; k++)
			from[k] = (struct edge){ reach < 0 ? (int)(rng_u32(&r) % (unsigned)i) : i - reach - 1, 0 };
		if (reach && i % 2 && i > reach + 1) {
			graph_add(g, LAYER_add, zeros, from, reads, NULL, &e);
		} else {
			graph_add(g, i % 3 ? LAYER_relu : LAYER_tanh, zeros, from, 1, NULL, &e);
		}
	}
	graph_output(g, "out", TASK_CLASSIFY, 16, graph_last(g), &e);
	if (graph_finish(g, &e) == 0)
		return g;
	fprintf(stderr, "%s: %s\n", e.where, e.msg);
	return NULL;
}

static double chips(const struct graph *g, struct arena *a)
{
	struct snac_style style = { .size = SNAC_LARGE, .unfold = true };
	double start = now();
	struct str svg = { 0 };

	canvas_svg(&svg, snac_draw(g, &style, a), &(struct svg_opts){ .theme = SVG_LIGHT });
	str_release(&svg);
	return now() - start;
}

static double nodes(const struct graph *g, struct arena *a)
{
	double start = now();
	struct str svg = { 0 };

	canvas_svg(&svg, graph_view_draw(g, &(struct graph_view_opts){ NULL, true }, a),
		   &(struct svg_opts){ .theme = SVG_LIGHT });
	str_release(&svg);
	return now() - start;
}

static double difference(const struct graph *g, struct arena *a)
{
	struct snac_diff_opts o = { .style = { .size = SNAC_LARGE, .unfold = true }, .name_a = "a", .name_b = "b" };
	const struct model_diff *d = model_diff(g, g, true, a);
	double start = now();

	snac_diff_draw(d, &o, a);
	return now() - start;
}

static void measure(const char *what, double (*fn)(const struct graph *, struct arena *), const struct graph *g)
{
	double best = INFINITY;

	for (int i = 0; i < 3; i++) {
		struct arena *a = arena_new();

		best = fmin(best, fn(g, a));
		arena_free(a);
	}
	printf("%-44s %8.1f ms\n", what, 1000 * best);
}

/* Small charts of 30 layers, one after the other, as a page holds them. */
static double page(const struct graph *g, struct arena *a)
{
	struct snac_style style = { .size = SNAC_SMALL, .silent = true };
	double start = now();
	struct str svg = { 0 };

	for (int i = 0; i < PAGE; i++) {
		canvas_svg(&svg, snac_draw(g, &style, a), &(struct svg_opts){ .theme = SVG_INLINE });
		arena_reset(a);
	}
	printf("%-44s %8.1f MB, %zu KiB of memory at a time\n", "10,000 small charts of 30 layers",
	       (double)svg.len / 1e6, arena_bytes(a) / 1024);
	str_release(&svg);
	return now() - start;
}

int main(void)
{
	static const struct {
		const char *name;
		int reach;
	} forms[] = { { "chain", 0 }, { "residual", 3 }, { "any layer before", -1 }, { "12 of any before", -2 } };
	struct arena *a = arena_new();

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		const struct graph *g = network(a, forms[i].reach, LAYERS);
		char what[80];

		if (!g)
			return 1;
		snprintf(what, sizeof what, "2,000 layers, %s: chips", forms[i].name);
		measure(what, chips, g);
		snprintf(what, sizeof what, "2,000 layers, %s: nodes", forms[i].name);
		measure(what, nodes, g);
		snprintf(what, sizeof what, "2,000 layers, %s: difference", forms[i].name);
		measure(what, difference, g);
	}
	measure("10,000 small charts", page, network(a, 3, 30));
	arena_free(a);
	return 0;
}
