/* arch/hash.c - the canonical hash of a graph (graph_hash in graph.h).
 *
 * Weisfeiler-Lehman refinement on a DAG: each round every node gets a forward hash (its label and those of its inputs)
 * and then a backward hash (its consumers and in which place they read it); both together are its label in the next
 * round. A node used twice and two equal copies differ in their consumers, so they are told apart. Operands of a
 * commuting merge enter as a multiset. The graph's hash is that of the multiset of final labels, its inputs and its
 * outputs.
 */
#include <string.h>

#include "arch/graph.h"
#include "arch/kinds.h"
#include "base/mem.h"

enum { ROUNDS = 2, FEW = 64 };

static uint64_t kind_hash(enum layer_kind kind)
{
	static uint64_t table[LAYER_KIND_COUNT]; /* the same values whoever fills it first */

	if (!table[kind])
		table[kind] = hash64_text(layer_classes[kind]->name);
	return table[kind];
}

static uint64_t cfg_hash(enum layer_kind kind, const void *cfg)
{
	uint64_t h = opt_hash(cfg, layer_classes[kind]->opts, kind_hash(kind));

	if (kind == LAYER_choice) {
		const struct choice *c = cfg;

		for (int i = 0; i < c->n; i++)
			h = hash_mix(h, cfg_hash(c->items[i].kind, c->items[i].cfg));
	}
	return h;
}

static uint64_t shape_hash(const struct shape *s)
{
	uint64_t h = hash_mix((uint64_t)s->type + 1, s->open);

	for (int i = 0; i < SHAPE_DIMS; i++)
		h = hash_mix(h, (uint64_t)s->d[i]);
	return h;
}

struct labels {
	uint64_t *now, *fwd, *bwd; /* [n_nodes] */
};

static uint64_t edge_hash(const struct graph *g, const struct labels *l, struct edge from)
{
	if (from.node < 0)
		return hash_mix(hash_mix(0x1b87, (uint64_t)-from.node), shape_hash(&g->inputs[-1 - from.node].shape));
	return hash_mix(l->fwd[from.node], (uint64_t)from.port);
}

static void forward_round(const struct graph *g, struct labels *l)
{
	for (int i = 0; i < g->n_nodes; i++) {
		const struct node *n = &g->nodes[i];
		bool commutes = layer_classes[n->kind]->commutes;
		uint64_t all = 0;

		for (int j = 0; j < n->n_in; j++) {
			uint64_t in = hash_mix(0x51ed, edge_hash(g, l, n->in[j]));

			all = commutes ? all + in : hash_mix(all, in);
		}
		l->fwd[i] = hash_mix(hash_mix(l->now[i], all), (uint64_t)n->n_in);
		if (n->share >= 0)
			l->fwd[i] = hash_mix(l->fwd[i], l->fwd[n->share]);
	}
}

static void backward_round(const struct graph *g, struct labels *l)
{
	memset(l->bwd, 0, (size_t)g->n_nodes * sizeof *l->bwd);
	for (int k = 0; k < g->n_outputs; k++)
		if (g->outputs[k].from.node >= 0)
			l->bwd[g->outputs[k].from.node] += hash_mix(0x7a3d, (uint64_t)k);
	for (int i = g->n_nodes - 1; i >= 0; i--) {
		const struct node *n = &g->nodes[i];
		uint64_t me = hash_mix(l->fwd[i], l->bwd[i]);

		for (int j = 0; j < n->n_in; j++) {
			uint64_t place = layer_classes[n->kind]->commutes ? 0 : (uint64_t)j + 1;

			if (n->in[j].node >= 0)
				l->bwd[n->in[j].node] += hash_mix(hash_mix(me, place), (uint64_t)n->in[j].port);
		}
	}
}

struct hash128 graph_hash(const struct graph *g)
{
	uint64_t few[3 * FEW], *buf = g->n_nodes > FEW ? mem_new(3 * (size_t)g->n_nodes * sizeof *buf) : few, nodes = 0;
	struct labels l = { buf, buf + g->n_nodes, buf + 2 * g->n_nodes };
	struct hash128 h = { 0x2545f491, 0x9e3779b9 };

	for (int i = 0; i < g->n_nodes; i++)
		l.now[i] = hash_mix(cfg_hash(g->nodes[i].kind, g->nodes[i].cfg), g->nodes[i].frozen);
	for (int round = 0; round < ROUNDS; round++) {
		forward_round(g, &l);
		backward_round(g, &l);
		for (int i = 0; i < g->n_nodes; i++)
			l.now[i] = hash_mix(l.fwd[i], l.bwd[i]);
	}
	for (int i = 0; i < g->n_nodes; i++) {
		nodes += hash_mix(0x33, l.now[i]);
		h.hi += hash_mix(0x77, l.now[i]);
	}
	h.lo = hash_mix(h.lo, nodes);
	h.hi = hash_mix(h.hi, (uint64_t)g->n_nodes);
	for (int k = 0; k < g->n_inputs; k++) {
		h.lo = hash_mix(h.lo, shape_hash(&g->inputs[k].shape));
		h.hi = hash_mix(h.hi, h.lo);
	}
	for (int k = 0; k < g->n_outputs; k++) {
		const struct graph_output *o = &g->outputs[k];

		h.lo = hash_mix(h.lo, edge_hash(g, &l, o->from));
		h.hi = hash_mix(h.hi, hash_mix((uint64_t)o->task, (uint64_t)o->classes) ^ h.lo);
	}
	if (buf != few)
		mem_free(buf);
	return h;
}
