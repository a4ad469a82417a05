/* train/plan.c - see plan.h. Memory: largest buffer first, each at the lowest offset where it collides with none of the
 * placed ones that live at the same time ("greedy by size": Pisarchyk and Lee, Efficient Memory Management for Deep
 * Neural Net Inference, 2020). */
#include "train/plan.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

bool plan_is_frozen(const struct graph *g, int node)
{
	return g->nodes[g->nodes[node].share >= 0 ? g->nodes[node].share : node].frozen;
}

bool plan_trains(const struct graph *g, int node)
{
	struct param_spec spec[LAYER_PARAMS];
	int count = graph_params(g, node, spec);

	if (plan_is_frozen(g, node))
		return false;
	for (int i = 0; i < count; i++)
		if (spec[i].role != PARAM_STAT)
			return true;
	return false;
}

int plan_too_large(const struct graph *g, int batch)
{
	static const int64_t most = (int64_t)1 << 44;

	for (int i = 0; i < g->n_nodes; i++)
		if (shape_count(g->nodes[i].out) >= most / batch || g->nodes[i].params >= most)
			return i;
	return -1;
}

static void find_live(struct plan *p, const struct graph *g)
{
	int out = g->outputs[0].from.node;

	if (out < 0)
		return;
	p->live[out] = true;
	p->readers[out]++;
	for (int i = out; i >= 0; i--)
		for (int k = 0; p->live[i] && k < g->nodes[i].n_in; k++) {
			int from = g->nodes[i].in[k].node;

			if (from < 0)
				continue;
			p->live[from] = true;
			p->readers[from]++;
		}
}

static void find_flow(struct plan *p, const struct graph *g)
{
	for (int i = 0; i < g->n_nodes; i++) {
		const struct node *n = g->nodes + i;

		if (!p->training || !p->live[i] || n->kind == LAYER_zero)
			continue;
		p->flows[i] = plan_trains(g, i);
		for (int k = 0; k < n->n_in; k++)
			p->flows[i] |= n->in[k].node >= 0 && p->flows[n->in[k].node];
	}
}

/* Node i joins the group of the node before it if it is that node's only reader and reads nothing else. */
static void join(struct plan *p, const struct graph *g, int i, plan_fuses *fuses)
{
	const struct node *n = g->nodes + i;
	int before = n->n_in == 1 && n->in[0].port == 0 ? n->in[0].node : -1;

	if (!fuses || before < 0 || p->readers[before] != 1 || g->nodes[before].n_out != 1)
		return;
	if (!fuses(g, p->lead[before], before, i, p->training))
		return;
	p->lead[i] = p->lead[before];
	p->next[before] = i;
}

void plan_init(struct plan *p, const struct graph *g, bool training, plan_fuses *fuses, struct arena *a)
{
	int n = g->n_nodes;

	*p = (struct plan){ .training = training,
			    .live = ARENA_ARRAY(a, bool, n),
			    .readers = ARENA_ARRAY(a, int, n),
			    .flows = ARENA_ARRAY(a, bool, n),
			    .lead = ARENA_ARRAY(a, int, n),
			    .next = ARENA_ARRAY(a, int, n),
			    .order = ARENA_ARRAY(a, int, n) };
	find_live(p, g);
	find_flow(p, g);
	for (int i = 0; i < n; i++) {
		p->lead[i] = i;
		p->next[i] = -1;
		if (!p->live[i])
			continue;
		join(p, g, i, fuses);
		if (p->lead[i] == i)
			p->order[p->n_order++] = i;
	}
}

int plan_tail(const struct plan *p, int lead)
{
	while (p->next[lead] >= 0)
		lead = p->next[lead];
	return lead;
}

/* ---- memory --------------------------------------------------------------------------------------------- */

static int larger_first(const void *a, const void *b)
{
	const struct plan_buffer *x = *(struct plan_buffer *const *)a, *y = *(struct plan_buffer *const *)b;

	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return x < y ? -1 : x > y; /* the order of the array, so that the result does not depend on the sort */
}

static bool together(const struct plan_buffer *x, const struct plan_buffer *y)
{
	return x->first <= y->last && y->first <= x->last;
}

/* The lowest offset for b among placed[0..n), which are in the order of their offsets. */
static int64_t lowest_gap(const struct plan_buffer *b, struct plan_buffer *const *placed, int n)
{
	int64_t at = 0;

	for (int i = 0; i < n; i++) {
		const struct plan_buffer *other = placed[i];

		if (!together(b, other))
			continue;
		if (other->offset >= at + b->bytes)
			break;
		if (other->offset + other->bytes > at)
			at = other->offset + other->bytes;
		at = (at + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN;
	}
	return at;
}

static void insert(struct plan_buffer **placed, int n, struct plan_buffer *b)
{
	int i = n;

	for (; i > 0 && placed[i - 1]->offset > b->offset; i--)
		placed[i] = placed[i - 1];
	placed[i] = b;
}

int64_t plan_place(struct plan_buffer *b, int n)
{
	struct plan_buffer **sorted = mem_new((size_t)(n + 1) * sizeof *sorted);
	struct plan_buffer **placed = mem_new((size_t)(n + 1) * sizeof *placed);
	int64_t total = 0, sum = 0, end;
	int n_sorted = 0;

	for (int i = 0; i < n; i++) {
		assert(b[i].bytes >= 0 && b[i].first <= b[i].last);
		b[i].offset = 0;
		if (b[i].bytes == 0)
			continue;
		sorted[n_sorted++] = b + i;
		if (b[i].bytes > INT64_MAX - PLAN_ALIGN || __builtin_add_overflow(sum, b[i].bytes + PLAN_ALIGN, &sum))
			total = -1;
	}
	qsort(sorted, (size_t)n_sorted, sizeof *sorted, larger_first);
	for (int i = 0; total >= 0 && i < n_sorted; i++) {
		sorted[i]->offset = lowest_gap(sorted[i], placed, i);
		insert(placed, i, sorted[i]);
		end = sorted[i]->offset + sorted[i]->bytes;
		total = end > total ? end : total;
	}
	mem_free(sorted);
	mem_free(placed);
	return total;
}
