/* arch/lint.c - advice about a graph that is valid but perhaps not meant so. One function per rule, a table of rules.
 */
#include <stdio.h>
#include <string.h>

#include "arch/graph.h"
#include "arch/kinds.h"
#include "base/mem.h"
#include "base/str.h"

struct view {
	const struct graph *g;
	struct diag *d;
	bool *live;   /* [n_nodes] some output depends on it */
	int *readers; /* [n_nodes] edges that read it (outputs of the model included) */
	int64_t params;
};

static enum layer_family family(const struct graph *g, int node)
{
	return layer_classes[g->nodes[node].kind]->family;
}

#define WARN(v, node, ...) diag_add((v)->d, DIAG_WARNING, (v)->g->nodes[node].id, __VA_ARGS__)

static void dead_branch(const struct view *v, int i)
{
	char n[32];

	if (v->live[i] || v->readers[i])
		return; /* only the end of a dead branch is reported */
	if (v->g->nodes[i].params)
		WARN(v, i,
		     "no output depends on it: its branch does nothing (its own %s parameters never learn); "
		     "connect it or remove it",
		     str_thousands(n, v->g->nodes[i].params));
	else
		WARN(v, i, "no output depends on it: its branch does nothing; connect it or remove it");
}

static void softmax_before_loss(const struct view *v, int i)
{
	if (v->g->nodes[i].kind != LAYER_softmax)
		return;
	for (int k = 0; k < v->g->n_outputs; k++)
		if (v->g->outputs[k].from.node == i && v->g->outputs[k].task == TASK_CLASSIFY)
			WARN(v, i,
			     "models end in logits: the loss applies softmax itself, twice flattens the gradients; "
			     "remove this layer");
}

static void top_heavy(const struct view *v, int i)
{
	const struct node *n = &v->g->nodes[i];
	double share = v->params ? 100.0 * (double)n->params / (double)v->params : 0;
	bool flat = n->kind == LAYER_dense && n->in[0].node >= 0 && v->g->nodes[n->in[0].node].kind == LAYER_flatten;

	if (v->params >= 10000 && share >= 80 && v->g->n_nodes > 3 && n->kind == LAYER_dense)
		WARN(v, i, "%.0f %% of the parameters are in this layer%s", share,
		     flat ? ": try \"globalavgpool\" instead of the \"flatten\" before it"
			  : ": fewer units may do as well");
}

static void bias_before_norm(const struct view *v, int i)
{
	const struct node *n = &v->g->nodes[i];
	const struct node *in = n->in[0].node >= 0 ? &v->g->nodes[n->in[0].node] : NULL;

	if (n->kind != LAYER_batchnorm || !in || v->readers[n->in[0].node] != 1)
		return;
	if ((in->kind == LAYER_conv2d && ((const struct conv2d *)in->cfg)->bias) ||
	    (in->kind == LAYER_conv1d && ((const struct conv1d *)in->cfg)->bias) ||
	    (in->kind == LAYER_depthwise2d && ((const struct depthwise2d *)in->cfg)->bias) ||
	    (in->kind == LAYER_dense && ((const struct dense *)in->cfg)->bias))
		diag_add(v->d, DIAG_WARNING, in->id,
			 "its bias has no effect before the batch norm %s: set \"bias\": false", n->id);
}

static void twice_the_same(const struct view *v, int i)
{
	const struct node *n = &v->g->nodes[i];

	if (family(v->g, i) == FAMILY_ACTIVATION && n->in[0].node >= 0 &&
	    family(v->g, n->in[0].node) == FAMILY_ACTIVATION)
		WARN(v, i, "it follows another activation (%s): one of the two is enough",
		     v->g->nodes[n->in[0].node].id);
	if (n->kind == LAYER_dropout && n->in[0].node >= 0 && v->g->nodes[n->in[0].node].kind == LAYER_dropout)
		WARN(v, i, "it follows another dropout (%s): merge their rates", v->g->nodes[n->in[0].node].id);
}

static void linear_pair(const struct view *v, int i)
{
	const struct node *n = &v->g->nodes[i];
	int in = n->n_in ? n->in[0].node : -1;

	if (in < 0 || n->params == 0 || v->g->nodes[in].kind != n->kind || v->readers[in] != 1)
		return;
	if (family(v->g, i) == FAMILY_DENSE || family(v->g, i) == FAMILY_CONV)
		WARN(v, i, "no activation stands between it and %s: two linear layers in a row compute a linear one",
		     v->g->nodes[in].id);
}

static void idle_window(const struct view *v, int i)
{
	const struct node *n = &v->g->nodes[i];
	const struct shape *s = n->n_in ? graph_shape(v->g, n->in[0]) : NULL;
	const struct conv2d *c = n->cfg;

	if (n->kind == LAYER_conv2d && s->d[1] == 1 && s->d[2] == 1 && (c->kernel.v[0] > 1 || c->kernel.v[1] > 1))
		WARN(v, i, "its input is 1x1: the %dx%d kernel sees only padding beside it; use a kernel of 1",
		     c->kernel.v[0], c->kernel.v[1]);
}

static void same_operand(const struct view *v, int i)
{
	const struct node *n = &v->g->nodes[i];

	if (family(v->g, i) != FAMILY_MERGE)
		return;
	for (int a = 0; a < n->n_in; a++) {
		for (int b = a + 1; b < n->n_in; b++) {
			if (n->in[a].node == n->in[b].node && n->in[a].port == n->in[b].port) {
				WARN(v, i, "it reads the same tensor twice");
				return;
			}
		}
	}
}

static void high_dropout(const struct view *v, int i)
{
	const struct node *n = &v->g->nodes[i];

	if (n->kind == LAYER_dropout && ((const struct dropout *)n->cfg)->rate > 0.8)
		WARN(v, i, "a rate of %g drops nearly everything: above 0.5 is rarely of use",
		     ((const struct dropout *)n->cfg)->rate);
}

static void (*const rules[])(const struct view *v, int node) = {
	dead_branch, softmax_before_loss, top_heavy,    bias_before_norm, twice_the_same,
	linear_pair, idle_window,         same_operand, high_dropout,
};

static void mark_live(struct view *v, int node)
{
	const struct graph *g = v->g;

	for (int k = 0; k < g->n_outputs; k++) {
		if (g->outputs[k].from.node >= 0) {
			v->live[g->outputs[k].from.node] = true;
			v->readers[g->outputs[k].from.node]++;
		}
	}
	for (int i = node; i >= 0; i--) {
		for (int j = 0; j < g->nodes[i].n_in; j++) {
			int in = g->nodes[i].in[j].node;

			if (in < 0)
				continue;
			v->live[in] |= v->live[i];
			v->readers[in]++;
		}
	}
}

void graph_lint(const struct graph *g, struct diag *d)
{
	size_t n = (size_t)g->n_nodes + 1;
	struct view v = { g, d, mem_new(n * sizeof(bool)), mem_new(n * sizeof(int)), 0 };
	bool trains = false;

	for (int i = 0; i < g->n_nodes; i++) {
		v.params += g->nodes[i].params;
		trains |= g->nodes[i].params && !g->nodes[i].frozen;
	}
	mark_live(&v, g->n_nodes - 1);
	for (int i = 0; i < g->n_nodes; i++)
		for (size_t r = 0; r < sizeof rules / sizeof *rules; r++)
			rules[r](&v, i);
	if (!trains)
		diag_add(d, DIAG_WARNING, "", "the model has no parameter that is trained");
	mem_free(v.live);
	mem_free(v.readers);
}
