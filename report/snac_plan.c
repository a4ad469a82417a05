/* report/snac_plan.c - see snac_plan.h. First the folds, then the connections. */
#include "report/snac_plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { FOLD_UNITS = 16 };

/* ---- folding -------------------------------------------------------------------------------------------- */

struct unit { /* what stands at one level: a node, or an instance of a block */
	int first, n, group;
};

static bool same_edges(const struct node *a, const struct node *b, int distance)
{
	for (int i = 0; i < a->n_in; i++)
		if (a->in[i].port != b->in[i].port || a->in[i].node < -1 || a->in[i].node + distance != b->in[i].node)
			return false;
	return true;
}

/* Node i + distance is a copy of node i: the same layer with the same result, reading what corresponds. */
static bool same_node(const struct graph *g, int i, int distance)
{
	const struct node *a = &g->nodes[i], *b = &g->nodes[i + distance];

	if (a->kind != b->kind || a->n_in != b->n_in || a->params != b->params || a->frozen != b->frozen ||
	    (a->share < 0) != (b->share < 0) || (a->group < 0) != (b->group < 0) ||
	    memcmp(a->cfg, b->cfg, layer_classes[a->kind]->cfg_size) != 0)
		return false;
	if (a->group >= 0 && strcmp(g->groups[a->group].block, g->groups[b->group].block) != 0)
		return false;
	for (int k = 0; k < a->n_out; k++)
		if (!shape_equal(&a->out[k], &b->out[k]))
			return false;
	return same_edges(a, b, distance);
}

static bool same_units(const struct graph *g, const struct unit *a, const struct unit *b, int n)
{
	int distance = b[0].first - a[0].first;

	for (int k = 0; k < n; k++) {
		if (a[k].n != b[k].n || (a[k].group < 0) != (b[k].group < 0) || b[k].first - a[k].first != distance)
			return false;
		for (int i = a[k].first; i < a[k].first + a[k].n; i++)
			if (!same_node(g, i, distance))
				return false;
	}
	return true;
}

/* How often units[0..len) stand there in a row. */
static int copies(const struct graph *g, const struct unit *units, int n, int len)
{
	int count = 1;

	while ((count + 1) * len <= n && same_units(g, units + (count - 1) * len, units + count * len, len))
		count++;
	return count;
}

/* The fold at the head of units[0..n) that hides most nodes. Returns the length of one copy, *count >= 1. */
static int best_fold(const struct graph *g, const struct unit *units, int n, int *count)
{
	int best = 0, len = 1, most = n / 2 < FOLD_UNITS ? n / 2 : FOLD_UNITS;

	*count = 1;
	for (int l = 1, span = 0; l <= most; l++) {
		int c = copies(g, units, n, l), hidden;

		span += units[l - 1].n;
		hidden = (c - 1) * span;
		if (span == 1 && c < 3) /* a plate around one layer takes more room than its copy */
			continue;
		if (hidden > best) {
			best = hidden;
			len = l;
			*count = c;
		}
	}
	return len;
}

static void plan_level(struct plan *p, int group, int first, int n, int plate);

static int open_plate(struct plan *p, int group, int count, int parent)
{
	GROW(p->plates, p->n_plates, p->cap_plates);
	p->plates[p->n_plates] =
	    (struct plate){ .group = group, .count = count, .parent = parent, .first = p->n_chips };
	return p->n_plates++;
}

static void close_plate(struct plan *p, int plate)
{
	int up = 1;

	p->plates[plate].last = p->n_chips - 1;
	for (int b = p->plates[plate].parent; b >= 0; b = p->plates[b].parent, up++)
		if (p->plates[b].inner < up)
			p->plates[b].inner = up;
	p->levels = up > p->levels ? up : p->levels;
}

static void add_chip(struct plan *p, int node, int plate)
{
	GROW(p->chips, p->n_chips, p->cap_chips);
	p->chips[p->n_chips] = (struct chip){ .node = node, .plate = plate };
	if (node >= 0)
		p->chip_of[node] = p->n_chips;
	p->n_chips++;
}

static void plan_unit(struct plan *p, const struct unit *u, int plate)
{
	int inside;

	if (u->group < 0) {
		add_chip(p, u->first, plate);
		return;
	}
	inside = open_plate(p, u->group, 1, plate);
	plan_level(p, u->group, u->first, u->n, inside);
	close_plate(p, inside);
}

static void plan_fold(struct plan *p, const struct unit *units, int len, int count, int plate)
{
	int first = units[0].first, span = units[len - 1].first + units[len - 1].n - first, inside;

	if (count == 1) {
		plan_unit(p, units, plate);
		return;
	}
	inside = open_plate(p, len == 1 ? units[0].group : -1, count, plate);
	if (len == 1 && units[0].group >= 0)
		plan_level(p, units[0].group, first, units[0].n, inside);
	for (int k = 0; k < len && (len > 1 || units[0].group < 0); k++)
		plan_unit(p, &units[k], inside);
	close_plate(p, inside);
	for (int i = first + span; i < first + count * span; i++)
		p->chip_of[i] = p->chip_of[i - span];
}

/* The instance directly below `group` that node i belongs to, or -1 if it is a layer of that level. */
static int below(const struct graph *g, int i, int group)
{
	int b = g->nodes[i].group;

	if (b == group)
		return -1;
	while (g->groups[b].parent != group)
		b = g->groups[b].parent;
	return b;
}

static void plan_level(struct plan *p, int group, int first, int n, int plate)
{
	struct unit *units = mem_new((size_t)n * sizeof *units);
	int n_units = 0;

	for (int i = first; i < first + n; i += units[n_units - 1].n) {
		int b = below(p->g, i, group);

		units[n_units++] = (struct unit){ i, b < 0 ? 1 : p->g->groups[b].n, b };
	}
	for (int u = 0; u < n_units;) {
		int count = 1, len = p->unfold ? 1 : best_fold(p->g, units + u, n_units - u, &count);

		if (count == 1)
			len = 1;
		plan_fold(p, units + u, len, count, plate);
		u += len * count;
	}
	mem_free(units);
}

/* ---- connections ---------------------------------------------------------------------------------------- */

int plan_source(const struct plan *p, struct edge e)
{
	return e.node < 0 ? -1 - e.node : p->chip_of[e.node];
}

static void add_bar(struct plan *p, int from, int to)
{
	int nth = 0;

	for (int i = p->n_bars - 1; i >= 0 && p->bars[i].to == to; i--, nth++)
		if (p->bars[i].from == from)
			return;
	GROW(p->bars, p->n_bars, p->cap_bars);
	p->bars[p->n_bars++] = (struct bar){ .from = from, .to = to, .nth = nth };
}

static int by_span(const void *a, const void *b)
{
	const struct bar *x = a, *y = b;
	int d = (x->to - x->from) - (y->to - y->from);

	return d ? d : x->to != y->to ? x->to - y->to : x->from - y->from;
}

/* Highest track in use over every stretch between two chips: a segment tree, so that thousands of connections take
 * their places in n log n steps. */
struct tracks {
	int size;  /* leaves, a power of two */
	int *most; /* of a stretch and all below it */
	int *all;  /* at least so much everywhere in it */
};

static int highest(const struct tracks *t, int at, int first, int n, int from, int to)
{
	int half = n / 2, left, right;

	if (to <= first || from >= first + n)
		return 0;
	if (from <= first && to >= first + n)
		return t->most[at];
	left = highest(t, 2 * at, first, half, from, to);
	right = highest(t, 2 * at + 1, first + half, half, from, to);
	left = left > right ? left : right;
	return left > t->all[at] ? left : t->all[at];
}

static void raise_to(struct tracks *t, int at, int first, int n, int from, int to, int track)
{
	if (to <= first || from >= first + n)
		return;
	t->most[at] = track > t->most[at] ? track : t->most[at];
	if (from <= first && to >= first + n) {
		t->all[at] = track > t->all[at] ? track : t->all[at];
		return;
	}
	raise_to(t, 2 * at, first, n / 2, from, to, track);
	raise_to(t, 2 * at + 1, first + n / 2, n / 2, from, to, track);
}

/* Above all bars that lie over the same chips; short ones first, so they stand below long ones. */
static void place_bars(struct plan *p)
{
	struct tracks t = { .size = 1 };

	if (!p->n_bars)
		return;
	while (t.size < p->n_chips)
		t.size *= 2;
	t.most = mem_new((size_t)t.size * 2 * sizeof *t.most);
	t.all = mem_new((size_t)t.size * 2 * sizeof *t.all);
	qsort(p->bars, (size_t)p->n_bars, sizeof *p->bars, by_span);
	for (int i = 0; i < p->n_bars; i++) {
		struct bar *b = &p->bars[i];

		b->track = highest(&t, 1, 0, t.size, b->from, b->to);
		raise_to(&t, 1, 0, t.size, b->from, b->to, b->track + 1);
		p->tracks = b->track + 1 > p->tracks ? b->track + 1 : p->tracks;
	}
	mem_free(t.most);
	mem_free(t.all);
}

static void connect(struct plan *p)
{
	for (int c = 0; c < p->n_chips; c++) {
		struct chip *chip = &p->chips[c];
		const struct node *n = chip->node < 0 ? NULL : &p->g->nodes[chip->node];

		chip->apart = c > 0;
		for (int i = 0; n && i < n->n_in; i++) {
			int from = plan_source(p, n->in[i]);

			if (from == c - 1)
				chip->apart = false;
			else if (from < c)
				add_bar(p, from, c);
		}
	}
	place_bars(p);
}

void plan_graph(struct plan *p, const struct graph *g, bool unfold)
{
	*p = (struct plan){ .g = g, .unfold = unfold };
	p->chip_of = mem_new((size_t)(g->n_nodes ? g->n_nodes : 1) * sizeof *p->chip_of);
	for (int i = 0; i < g->n_inputs; i++)
		add_chip(p, -1 - i, -1);
	if (g->n_nodes)
		plan_level(p, -1, 0, g->n_nodes, -1);
	connect(p);
}

void plan_release(struct plan *p)
{
	mem_free(p->chips);
	mem_free(p->plates);
	mem_free(p->bars);
	mem_free(p->chip_of);
}

const struct shape *chip_shape(const struct plan *p, const struct chip *c)
{
	return c->node < 0 ? &p->g->inputs[-1 - c->node].shape : &p->g->nodes[c->node].out[0];
}
