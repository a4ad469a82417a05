/* tests/helper_graphs.c - see helper_graphs.h. */
#include "tests/helper_graphs.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/kinds.h"
#include "arch/model.h"
#include "base/json.h"
#include "tests/helper_layers.h"

enum { POOL = 64, MOST_ELEMENTS = 1500, TRIES = 200, VOCABULARY = 3 };

static int must(int rc)
{
	if (rc < 0)
		abort();
	return rc;
}

struct pool { /* edges that a new layer may read */
	struct edge e[POOL];
	int n;
};

static void keep(struct pool *p, struct edge e)
{
	if (p->n < POOL)
		p->e[p->n++] = e;
}

/* Late ones more often, so that graphs grow deep. */
static struct edge pick(const struct pool *p, struct rng *r)
{
	int a = (int)rng_below(r, (uint32_t)p->n), b = (int)rng_below(r, (uint32_t)p->n);

	return p->e[a > b ? a : b];
}

/* What the layer would give, without adding it. */
static bool fits(const struct graph *g, enum layer_kind kind, void *cfg, const struct edge *in, int n)
{
	struct shape shapes[LAYER_INPUTS], out[LAYER_PORTS] = { 0 };

	for (int i = 0; i < n; i++)
		shapes[i] = *graph_shape(g, in[i]);
	if (n < layer_classes[kind]->min_in || n > layer_classes[kind]->max_in)
		return false;
	return layer_classes[kind]->shape(cfg, shapes, n, out, NULL) == 0 && shape_count(&out[0]) <= MOST_ELEMENTS;
}

static void add_some(struct graph *g, struct pool *p, struct rng *r, int depth);

/* A layer of a random kind; false if it does not fit what it drew to read. */
static bool try_layer(struct graph *g, struct pool *p, struct rng *r)
{
	enum layer_kind kind = (enum layer_kind)rng_below(r, LAYER_KIND_COUNT);
	const struct layer_class *k = layer_classes[kind];
	_Alignas(16) char cfg[256] = { 0 };
	struct edge in[3];
	int n = k->min_in + (k->max_in > k->min_in ? (int)rng_below(r, 2) : 0), node;

	assert(k->cfg_size <= sizeof cfg || kind == LAYER_choice);
	if (kind == LAYER_choice || n > 3)
		return false;
	for (const struct opt *o = k->opts; o->name; o++)
		random_option(cfg, o, r);
	if (kind == LAYER_embedding)
		((struct embedding *)(void *)cfg)->vocabulary = VOCABULARY + (int)rng_below(r, 3);
	for (int i = 0; i < n; i++)
		in[i] = pick(p, r);
	if (!fits(g, kind, cfg, in, n))
		return false;
	node = must(graph_add(g, kind, cfg, in, n, NULL, NULL));
	g->nodes[node].frozen = rng_below(r, 8) == 0;
	for (int port = 0; port < g->nodes[node].n_out; port++)
		keep(p, (struct edge){ node, port });
	return true;
}

/* The same layer as an earlier one, with its parameters, on another input of the same shape. */
static bool try_share(struct graph *g, struct pool *p, struct rng *r)
{
	int with = g->n_nodes ? (int)rng_below(r, (uint32_t)g->n_nodes) : -1, node;
	struct edge in = pick(p, r);

	if (with < 0 || !(g->nodes[with].params + g->nodes[with].stats) || g->nodes[with].n_in != 1)
		return false;
	if (!shape_equal(graph_shape(g, in), graph_shape(g, g->nodes[with].in[0])))
		return false;
	node = must(graph_add(g, g->nodes[with].kind, g->nodes[with].cfg, &in, 1, NULL, NULL));
	must(graph_share(g, node, with, NULL));
	keep(p, (struct edge){ node, 0 });
	return true;
}

/* A block of random layers on 1 or 2 inputs that hands out 1 or 2 of its tensors. */
static void add_block(struct graph *g, struct pool *p, struct rng *r, int depth, const char *name, struct edge *first)
{
	static const char *const in_names[] = { "in", "side" }, *const out_names[] = { "out", "extra" };
	struct edge in[2] = { first ? *first : pick(p, r), pick(p, r) }, out[2];
	int n_in = 1 + (!first && rng_below(r, 3) == 0), n_out = 1 + (rng_below(r, 4) == 0), begin = g->n_nodes;
	struct pool inner = { .n = 0 };

	must(graph_block_begin(g, name, "{\"size\":3}", NULL, in_names, in, n_in, NULL));
	for (int i = 0; i < n_in; i++)
		keep(&inner, in[i]);
	do
		add_some(g, &inner, r, depth + 1);
	while (g->n_nodes == begin);
	for (int i = 0; i < n_out; i++) {
		do
			out[i] = i ? pick(&inner, r) : inner.e[inner.n - 1];
		while (out[i].node < begin);
		keep(p, out[i]);
	}
	must(graph_block_end(g, out_names, out, n_out, NULL));
	if (first)
		*first = out[0];
}

/* Copies of one block in a row. Drawn from the same numbers, so equal where shapes allow it. */
static void add_repeats(struct graph *g, struct pool *p, struct rng *r, int depth)
{
	struct edge at = pick(p, r);
	uint64_t seed = rng_u32(r);
	int n = 2 + (int)rng_below(r, 4);

	for (int i = 0; i < n; i++) {
		struct rng same;

		rng_init(&same, seed, 1);
		add_block(g, p, &same, depth, "unit", &at);
	}
}

static void add_some(struct graph *g, struct pool *p, struct rng *r, int depth)
{
	int want = 1 + (int)rng_below(r, depth ? 4 : 9);

	for (int tries = 0; want > 0 && tries < TRIES; tries++) {
		uint32_t what = rng_below(r, 40);

		if (what == 0 && depth < 2)
			add_block(g, p, r, depth, "stage", NULL);
		else if (what == 1 && depth < 2)
			add_repeats(g, p, r, depth);
		else if (what < 4 ? !try_share(g, p, r) : !try_layer(g, p, r))
			continue;
		want--;
	}
}

static struct edge add_plain(struct graph *g, enum layer_kind kind, const void *cfg, struct edge in)
{
	return (struct edge){ must(graph_add(g, kind, cfg, &in, 1, NULL, NULL)), 0 };
}

/* Ends a tensor of any type in logits. */
static void add_head(struct graph *g, struct edge at, const char *name, int classes, struct rng *r)
{
	struct dense d = { .units = classes, .bias = true, .init = INIT_TORCH };
	struct embedding em = { VOCABULARY + 1, 4 };
	struct empty none = { 0 };

	if (graph_shape(g, at)->type == TENSOR_TOKENS)
		at = add_plain(g, LAYER_embedding, &em, at);
	if (graph_shape(g, at)->type != TENSOR_VECTOR)
		at = add_plain(g, !graph_shape(g, at)->open && rng_below(r, 2) ? LAYER_flatten : LAYER_globalavgpool,
			       &none, at);
	at = add_plain(g, LAYER_dense, &d, at);
	must(graph_output(g, name, TASK_CLASSIFY, classes, at, NULL));
}

struct graph *random_graph(struct arena *a, struct rng *r)
{
	static const char *const names[] = { "image", "second" }, *const outputs[] = { "logits", "other" };
	struct graph *g = graph_new(a);
	struct pool p = { .n = 0 };
	int n_in = 1 + (rng_below(r, 4) == 0), n_out = 1 + (rng_below(r, 4) == 0);

	for (int i = 0; i < n_in; i++) {
		struct shape s = random_shape(r, (enum tensor_type)rng_below(r, TENSOR_TYPE_COUNT), 8);

		must(graph_input(g, names[i], &s, NULL));
		keep(&p, (struct edge){ -1 - i, 0 });
	}
	add_some(g, &p, r, 0);
	for (int i = 0; i < n_out; i++)
		add_head(g, i ? pick(&p, r) : p.e[p.n - 1], outputs[i], 2 + (int)rng_below(r, 9), r);
	must(graph_finish(g, NULL));
	return g;
}

struct weights *random_weights(const struct graph *g, struct rng *r)
{
	struct weights *w = weights_new(g, NULL);

	weights_init(w, g, rng_u32(r));
	for (int i = 0; i < w->n; i++) {
		const struct tensor *t = &w->tensors[i];
		bool variance = strcmp(t->spec.name, "running_var") == 0;

		for (int64_t k = t->first; t->spec.role != PARAM_WEIGHT && k < t->first + t->count; k++)
			w->data[k] = (float)(variance ? random_between(r, 0.5, 2) : random_between(r, -1, 1));
	}
	return w;
}

float *random_input(const struct graph *g, int k, int batch, struct arena *a, struct rng *r)
{
	const struct shape *s = &g->inputs[k].shape;
	int64_t n = shape_count(s) * batch;
	float *x = ARENA_ARRAY(a, float, n);

	for (int64_t i = 0; i < n; i++)
		x[i] = s->type == TENSOR_TOKENS ? (float)rng_below(r, VOCABULARY) : (float)rng_normal(r);
	return x;
}

static double *widen(const float *v, int64_t n, struct arena *a)
{
	double *out = ARENA_ARRAY(a, double, n);

	for (int64_t i = 0; i < n; i++)
		out[i] = (double)v[i];
	return out;
}

static const double *value(double *const *out, double *const *in, struct edge e)
{
	return e.node < 0 ? in[-1 - e.node] : out[e.node * LAYER_PORTS + e.port];
}

double **oracle_logits(const struct graph *g, const struct weights *w, const float *const *in, int batch,
		       struct arena *a)
{
	double **out = ARENA_ARRAY(a, double *, g->n_nodes *LAYER_PORTS), **x = ARENA_ARRAY(a, double *, g->n_inputs);
	double *numbers = widen(w->data, w->total, a), **logits = ARENA_ARRAY(a, double *, g->n_outputs);

	for (int k = 0; k < g->n_inputs; k++)
		x[k] = widen(in[k], batch * shape_count(&g->inputs[k].shape), a);
	for (int i = 0; i < g->n_nodes; i++) {
		const struct node *n = &g->nodes[i];
		const double *args[LAYER_INPUTS];
		double *param[LAYER_PARAMS] = { 0 };
		struct shape shapes[LAYER_INPUTS];
		struct param_spec spec[LAYER_PARAMS];
		struct layer_io io = { .cfg = n->cfg, .batch = batch, .n_in = n->n_in, .n_out = n->n_out };

		graph_in_shapes(g, i, shapes);
		for (int k = 0; k < n->n_in; k++)
			args[k] = value(out, x, n->in[k]);
		for (int k = 0; k < n->n_out; k++)
			out[i * LAYER_PORTS + k] = ARENA_ARRAY(a, double, batch *shape_count(&n->out[k]));
		for (int k = 0; k < graph_params(g, i, spec); k++)
			param[k] = numbers + w->tensors[w->of_node[i] + k].first;
		io.in_shape = shapes;
		io.out_shape = n->out;
		io.in = args;
		io.out = out + i * LAYER_PORTS;
		io.param = param;
		io.scratch = a;
		layer_classes[n->kind]->forward(&io);
	}
	for (int k = 0; k < g->n_outputs; k++)
		logits[k] = (double *)(uintptr_t)value(out, x, g->outputs[k].from);
	return logits;
}

struct graph *graph_reread(struct arena *a, const char *text, size_t len)
{
	struct diag d = { 0 };
	struct json_in in = { NULL, &d, NULL };
	struct graph *g = NULL;
	struct json *doc;

	assert_int_equal(json_parse(&doc, text, len, "model", NULL), 0);
	in.root = doc;
	if (model_read(&g, doc, NULL, NULL, a, &in) < 0)
		fail_msg("%s: %s in\n%s", d.items[0].where, d.items[0].msg, text);
	json_free(doc);
	diag_release(&d);
	return g;
}
