/* arch/otmann_graph.c - what a model is to each preset of otmann.h. */
#include "arch/otmann.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arch/graph.h"
#include "arch/kinds.h"
#include "arch/otmann_parts.h"
#include "base/mem.h"

/* ---- wiring --------------------------------------------------------------------------------------------- */

/* A model becomes layers 0 (ip) and 1 (op), and more. Nodes that are passed over hand on what they read. */
struct wiring {
	const struct graph *g;
	struct arena *a;
	bool *live;               /* [nodes]: some output depends on it */
	int **sources, *n_source; /* [nodes]: layers that a reader of the node reads */
	struct otmann_edge *edges;
	int n_edges, cap_edges;
	int n_layers;
};

static void wiring_init(struct wiring *w, const struct graph *g, struct arena *a)
{
	*w = (struct wiring){ .g = g, .a = a, .n_layers = 2 };
	w->live = ARENA_ARRAY(a, bool, g->n_nodes + 1);
	w->sources = ARENA_ARRAY(a, int *, g->n_nodes + 1);
	w->n_source = ARENA_ARRAY(a, int, g->n_nodes + 1);
	for (int i = 0; i < g->n_outputs; i++)
		if (g->outputs[i].from.node >= 0)
			w->live[g->outputs[i].from.node] = true;
	for (int i = g->n_nodes - 1; i >= 0; i--)
		for (int k = 0; k < g->nodes[i].n_in && w->live[i]; k++)
			if (g->nodes[i].in[k].node >= 0)
				w->live[g->nodes[i].in[k].node] = true;
}

static void add_edge(struct wiring *w, int from, int to)
{
	GROW(w->edges, w->n_edges, w->cap_edges);
	w->edges[w->n_edges++] = (struct otmann_edge){ from, to };
}

/* The layers behind a list of edges, each once, in the arena. */
static int *sources_of(struct wiring *w, const struct edge *in, int n_in, int *n)
{
	int cap = 0, *out;

	for (int i = 0; i < n_in; i++)
		cap += in[i].node < 0 ? 1 : w->n_source[in[i].node];
	out = ARENA_ARRAY(w->a, int, cap + 1);
	*n = 0;
	for (int i = 0; i < n_in; i++) {
		int one = 0, count = in[i].node < 0 ? 1 : w->n_source[in[i].node];
		const int *from = in[i].node < 0 ? &one : w->sources[in[i].node];

		for (int k = 0; k < count; k++) {
			bool known = false;

			for (int q = 0; q < *n; q++)
				known |= out[q] == from[k];
			if (!known)
				out[(*n)++] = from[k];
		}
	}
	return out;
}

/* A layer that reads what `in` says; returns its number. */
static int add_layer(struct wiring *w, const struct edge *in, int n_in)
{
	int n, *from = sources_of(w, in, n_in, &n), at = w->n_layers++;

	for (int i = 0; i < n; i++)
		add_edge(w, from[i], at);
	return at;
}

static void stands_for(struct wiring *w, int node, int layer)
{
	w->sources[node] = ARENA_NEW(w->a, int);
	w->sources[node][0] = layer;
	w->n_source[node] = 1;
}

static void pass_over(struct wiring *w, int node)
{
	const struct node *d = &w->g->nodes[node];

	w->sources[node] = sources_of(w, d->in, d->n_in, &w->n_source[node]);
}

/* ---- options of layers ---------------------------------------------------------------------------------- */

static double mean_side(const struct opt_pair *p)
{
	return sqrt((double)p->v[0] * p->v[1]);
}

static int channels_in(const struct graph *g, int node)
{
	struct shape in[LAYER_INPUTS];

	graph_in_shapes(g, node, in);
	return in[0].d[0];
}

static void conv_label(struct label *l, const struct graph *g, int node)
{
	const struct node *d = &g->nodes[node];
	int groups = 1, channels = channels_in(g, node);

	l->type = LABEL_CONV;
	l->text = "conv2d";
	l->dims = 2;
	if (d->kind == LAYER_conv2d) {
		const struct conv2d *c = d->cfg;

		l->side = mean_side(&c->kernel);
		l->stride = mean_side(&c->stride);
		l->dilation = mean_side(&c->dilation);
		groups = c->groups;
	} else if (d->kind == LAYER_depthwise2d) {
		const struct depthwise2d *c = d->cfg;

		l->side = mean_side(&c->kernel);
		l->stride = mean_side(&c->stride);
		l->dilation = mean_side(&c->dilation);
		groups = channels;
	} else {
		const struct conv1d *c = d->cfg;

		l->text = "conv1d";
		l->dims = 1;
		l->side = c->kernel;
		l->stride = c->stride;
		l->dilation = c->dilation;
		groups = c->groups;
	}
	l->grouping = groups == 1 ? 0 : groups < channels ? 1 : 2;
}

static void pool_label(struct label *l, const struct node *d)
{
	l->type = LABEL_POOL;
	l->average = d->kind == LAYER_avgpool1d || d->kind == LAYER_avgpool2d || d->kind == LAYER_globalavgpool;
	l->dims = d->out[0].type == TENSOR_SEQUENCE ? 1 : 2;
	if (d->kind == LAYER_maxpool2d || d->kind == LAYER_avgpool2d) {
		const struct pool2d *c = d->cfg;

		l->side = mean_side(&c->size);
		l->stride = mean_side(&c->stride);
	} else if (d->kind == LAYER_maxpool1d || d->kind == LAYER_avgpool1d) {
		const struct pool1d *c = d->cfg;

		l->side = c->size;
		l->stride = c->stride;
	}
}

static bool is_recurrent(enum layer_kind k)
{
	return k == LAYER_rnn || k == LAYER_gru || k == LAYER_lstm;
}

static bool is_global(enum layer_kind k)
{
	return k == LAYER_globalavgpool || k == LAYER_globalmaxpool;
}

static enum label_type activation_of(enum layer_kind k)
{
	if (k == LAYER_softmax)
		return LABEL_ACTIVATION;
	return k == LAYER_tanh || k == LAYER_sigmoid ? LABEL_SIGMOID : LABEL_RECTIFIER;
}

/* ---- nab ------------------------------------------------------------------------------------------------ */

static struct label nab_label(const struct graph *g, int node)
{
	const struct node *d = &g->nodes[node];
	struct label l = { .type = LABEL_OTHER, .text = layer_classes[d->kind]->name };
	struct shape in[LAYER_INPUTS];

	switch (layer_classes[d->kind]->family) {
	case FAMILY_CONV:
		conv_label(&l, g, node);
		break;
	case FAMILY_DENSE:
		l.type = LABEL_DENSE;
		break;
	case FAMILY_POOL:
		pool_label(&l, d);
		graph_in_shapes(g, node, in);
		if (is_global(d->kind))
			l.dims = in[0].type == TENSOR_SEQUENCE ? 1 : 2;
		break;
	case FAMILY_NORM:
		l.type = LABEL_NORM;
		break;
	case FAMILY_ACTIVATION:
		l.type = activation_of(d->kind);
		break;
	case FAMILY_DROPOUT:
		l.type = LABEL_DROPOUT;
		l.rate = ((const struct dropout *)d->cfg)->rate;
		break;
	case FAMILY_MERGE:
		l.type = LABEL_MERGE;
		break;
	case FAMILY_RECURRENT:
		l.type = LABEL_RECURRENT;
		l.directions = ((const struct rnn *)d->cfg)->bidirectional ? 2 : 1;
		break;
	case FAMILY_RESHAPE:
		if (d->kind == LAYER_flatten || d->kind == LAYER_reshape)
			l.type = LABEL_RESHAPE;
		break;
	case FAMILY_EMBEDDING:
	case FAMILY_OTHER:
	case FAMILY_COUNT:
		break;
	}
	return l;
}

static double input_channels(const struct shape *s)
{
	return s->type == TENSOR_TOKENS ? 1 : s->d[0];
}

/* Channels that a node hands on. Vectors that came of an image keep its channels. */
static double channels_of(const struct graph *g, int node, const double *channels)
{
	const struct node *d = &g->nodes[node];
	double sum = 0, most = 0;

	for (int k = 0; k < d->n_in; k++) {
		double v =
		    d->in[k].node < 0 ? input_channels(&g->inputs[-1 - d->in[k].node].shape) : channels[d->in[k].node];

		sum += v;
		most = fmax(most, v);
	}
	if (d->kind == LAYER_concat)
		return sum;
	switch (layer_classes[d->kind]->family) {
	case FAMILY_CONV:
	case FAMILY_DENSE:
	case FAMILY_EMBEDDING:
	case FAMILY_RECURRENT:
		return d->out[0].d[0];
	case FAMILY_RESHAPE:
		return d->out[0].type == TENSOR_VECTOR ? most : d->out[0].d[0];
	case FAMILY_POOL:
	case FAMILY_NORM:
	case FAMILY_ACTIVATION:
	case FAMILY_DROPOUT:
	case FAMILY_MERGE:
	case FAMILY_OTHER:
	case FAMILY_COUNT:
		break;
	}
	return most;
}

static double nab_mass(const struct graph *g, int node, const double *channels)
{
	const struct node *d = &g->nodes[node];
	double in = d->in[0].node < 0 ? input_channels(&g->inputs[-1 - d->in[0].node].shape) : channels[d->in[0].node];
	double out = channels[node];

	if (d->kind == LAYER_conv2d)
		return in * out / ((const struct conv2d *)d->cfg)->groups;
	if (d->kind == LAYER_conv1d)
		return in * out / ((const struct conv1d *)d->cfg)->groups;
	if (d->kind == LAYER_dense)
		return otmann_presets[OTMANN_NAB].dense * in * out;
	if (is_recurrent(d->kind)) {
		const struct rnn *c = d->cfg;

		return (in + c->units) * c->units * (c->bidirectional ? 2 : 1);
	}
	return out;
}

static int nab_model(struct otmann **out, const struct graph *g, struct arena *a, struct err *e)
{
	struct otmann *m = ARENA_NEW(a, struct otmann);
	double *channels = ARENA_ARRAY(a, double, g->n_nodes + 1), sum = 0, ends;
	int most = g->n_nodes + g->n_outputs + 2, rc;
	struct wiring w;

	wiring_init(&w, g, a);
	m->preset = &otmann_presets[OTMANN_NAB];
	m->masses = ARENA_ARRAY(a, double, most);
	m->labels = ARENA_ARRAY(a, struct label, most);
	m->labels[0] = (struct label){ .type = LABEL_IP, .text = "input" };
	m->labels[1] = (struct label){ .type = LABEL_OP, .text = "output" };
	for (int i = 0; i < g->n_nodes; i++) {
		const struct node *d = &g->nodes[i];
		int at;

		channels[i] = channels_of(g, i, channels);
		if (!w.live[i] || d->kind == LAYER_identity) {
			pass_over(&w, i);
			continue;
		}
		stands_for(&w, i, at = add_layer(&w, d->in, d->n_in));
		m->labels[at] = nab_label(g, i);
		sum += m->masses[at] = nab_mass(g, i, channels);
	}
	ends = fmax(0.1 * sum, 100);
	m->masses[0] = m->masses[1] = ends;
	for (int i = 0; i < g->n_outputs; i++) {
		int at = add_layer(&w, &g->outputs[i].from, 1);

		m->labels[at] = (struct label){ .type = LABEL_DECISION, .text = task_names[g->outputs[i].task] };
		m->masses[at] = ends / g->n_outputs;
		add_edge(&w, at, 1);
	}
	m->n_layers = w.n_layers;
	*out = m;
	rc = otmann_finish(m, w.edges, w.n_edges, a, e);
	mem_free(w.edges);
	return rc;
}

/* ---- as published --------------------------------------------------------------------------------------- */

static const char *sized(struct arena *a, const char *word, double side)
{
	return arena_printf(a, "%s%.0f", word, side);
}

/* The one reader of a node, or -1. */
static int only_reader(const struct graph *g, int node)
{
	int found = -1;

	for (int i = node + 1; i < g->n_nodes; i++)
		for (int k = 0; k < g->nodes[i].n_in; k++)
			if (g->nodes[i].in[k].node == node) {
				if (found >= 0 && found != i)
					return -1;
				found = i;
			}
	return found;
}

/* The activation that follows a dense layer, be there norms or dropout between; NULL: none. */
static const char *activation_after(const struct graph *g, int node)
{
	for (int at = only_reader(g, node); at >= 0; at = only_reader(g, at)) {
		enum layer_family f = layer_classes[g->nodes[at].kind]->family;

		if (f == FAMILY_ACTIVATION)
			return g->nodes[at].kind == LAYER_leaky_relu ? "leaky-relu"
			       : g->nodes[at].kind == LAYER_sigmoid  ? "logistic"
								     : layer_classes[g->nodes[at].kind]->name;
		if (f != FAMILY_NORM && f != FAMILY_DROPOUT)
			break;
	}
	return NULL;
}

static bool is_output(const struct graph *g, int node)
{
	for (int i = 0; i < g->n_outputs; i++)
		if (g->outputs[i].from.node == node)
			return true;
	return false;
}

/* What a node is to a preset; label NULL: it is passed over. */
static struct otmann_layer published_layer(const struct graph *g, int node, enum otmann_preset p, struct arena *a)
{
	const struct node *d = &g->nodes[node];
	enum layer_family f = layer_classes[d->kind]->family;
	struct otmann_layer none = { NULL, 0 }, own = { layer_classes[d->kind]->name, 0 };
	bool remap = p == OTMANN_REMAP;
	struct label l = { 0 };

	if (f == FAMILY_NORM || f == FAMILY_MERGE || f == FAMILY_RESHAPE || d->kind == LAYER_identity)
		return none;
	if (f == FAMILY_ACTIVATION || f == FAMILY_DROPOUT)
		return remap ? own : none;
	if (f == FAMILY_DENSE && p == OTMANN_NASBOT_MLP)
		return (struct otmann_layer){ activation_after(g, node) ? activation_after(g, node) : "no-activation",
					      d->out[0].d[0] };
	if (f == FAMILY_DENSE)
		return (struct otmann_layer){ remap ? "dense" : "fc", d->out[0].d[0] };
	if (f == FAMILY_CONV) {
		conv_label(&l, g, node);
		return (struct otmann_layer){ sized(a, "conv", l.side), d->out[0].d[0] };
	}
	if (f == FAMILY_POOL) {
		pool_label(&l, d);
		own.label = !remap       ? (l.average ? "avg-pool" : "max-pool")
			    : l.side > 0 ? sized(a, "pool", l.side)
					 : own.label;
		return own;
	}
	own.units = d->out[0].type == TENSOR_TOKENS ? 0 : d->out[0].d[0];
	return own;
}

static const char *decision(const struct graph_output *o)
{
	return o->task == TASK_REGRESS ? "linear" : "softmax";
}

static int published_model(struct otmann **out, const struct graph *g, enum otmann_preset p, struct arena *a,
			   struct err *e)
{
	struct otmann_layer *layers = ARENA_ARRAY(a, struct otmann_layer, g->n_nodes + g->n_outputs + 2);
	struct wiring w;
	int rc;

	wiring_init(&w, g, a);
	layers[0].label = "ip";
	layers[1].label = "op";
	for (int i = 0; i < g->n_nodes; i++) {
		const struct node *d = &g->nodes[i];
		struct otmann_layer l = published_layer(g, i, p, a);
		/* to NASBOT the classifier is part of the decision layer, to REMAP a layer before it */
		bool classifier = p != OTMANN_REMAP && d->kind == LAYER_dense && is_output(g, i);

		if (!w.live[i] || !l.label || classifier) {
			pass_over(&w, i);
			continue;
		}
		stands_for(&w, i, add_layer(&w, d->in, d->n_in));
		layers[w.sources[i][0]] = l;
	}
	for (int i = 0; i < g->n_outputs; i++) {
		int at = add_layer(&w, &g->outputs[i].from, 1);

		layers[at].label = decision(&g->outputs[i]);
		add_edge(&w, at, 1);
	}
	rc = otmann_of_net(out, &(struct otmann_net){ layers, w.n_layers, w.edges, w.n_edges }, p, a, e);
	mem_free(w.edges);
	return rc;
}

int otmann_of_graph(struct otmann **out, const struct graph *g, enum otmann_preset preset, struct arena *a,
		    struct err *e)
{
	return preset == OTMANN_NAB ? nab_model(out, g, a, e) : published_model(out, g, preset, a, e);
}
