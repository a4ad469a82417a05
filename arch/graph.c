/* arch/graph.c - building graphs and adding up their costs. See graph.h. */
#include "arch/graph.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "arch/kinds.h"
#include "base/mem.h"

const char *const task_names[] = { "classification", "regression", "multi-label", NULL };

/* ---- ids ------------------------------------------------------------------------------------------------ */

/* Open addressing from flat id to what it names: a node, or a group as -1 - index. */
struct id_table {
	struct slot {
		const char *id;
		int what;
	} * slots;
	int size, used;
	struct counter *scopes; /* [1 + groups]: next number per kind, 0 = top level */
	int cap_scopes;
};

struct counter {
	int next[LAYER_KIND_COUNT];
};

static struct slot *id_slot(const struct id_table *t, const char *id)
{
	uint64_t h = hash64_text(id);

	for (int i = (int)(h & (uint64_t)(t->size - 1));; i = (i + 1) & (t->size - 1))
		if (!t->slots[i].id || strcmp(t->slots[i].id, id) == 0)
			return &t->slots[i];
}

static void id_put(struct graph *g, const char *id, int what)
{
	struct id_table *t = g->ids;

	if (2 * (t->used + 1) > t->size) {
		struct id_table old = *t;

		t->size = 2 * old.size;
		t->slots = ARENA_ARRAY(g->arena, struct slot, t->size);
		for (int i = 0; i < old.size; i++)
			if (old.slots[i].id)
				*id_slot(t, old.slots[i].id) = old.slots[i];
	}
	t->used++;
	*id_slot(t, id) = (struct slot){ id, what };
}

static struct counter *id_counter(struct graph *g)
{
	struct id_table *t = g->ids;
	int at = g->open_group + 1;

	if (at >= t->cap_scopes) {
		int cap = 2 * at + 2;
		struct counter *scopes = ARENA_ARRAY(g->arena, struct counter, cap);

		if (t->cap_scopes)
			memcpy(scopes, t->scopes, (size_t)t->cap_scopes * sizeof *scopes);
		t->scopes = scopes;
		t->cap_scopes = cap;
	}
	return &t->scopes[at];
}

bool graph_id_valid(const char *id)
{
	size_t n = strlen(id);

	if (!n || n > 64 || id[0] == '_' || id[n - 1] == '_' || strstr(id, "__") || strcmp(id, "prev") == 0 ||
	    strcmp(id, "in") == 0)
		return false;
	for (const char *s = id; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '_')
			return false;
	return true;
}

/* The flat id of `local` in the open block, or the first free "<stem>_<n>". NULL with e if it is taken or malformed. */
static const char *make_id(struct graph *g, const char *local, const char *stem, int *next, struct err *e)
{
	const char *prefix = g->open_group < 0 ? "" : g->groups[g->open_group].id;
	const char *sep = g->open_group < 0 ? "" : "__";
	char id[GRAPH_ID_MAX];
	int n;

	if (local && !graph_id_valid(local)) {
		ERR(e, ERR_INVALID, NULL,
		    "\"%.64s\" cannot be an id: letters, digits and single underscores only, and not \"in\" or "
		    "\"prev\"",
		    local);
		return NULL;
	}
	do {
		if (local)
			n = snprintf(id, sizeof id, "%s%s%s", prefix, sep, local);
		else
			n = snprintf(id, sizeof id, "%s%s%s_%d", prefix, sep, stem, ++*next);
		if (n >= (int)sizeof id) {
			ERR(e, ERR_INVALID, NULL, "the id of a layer in '%.60s' is longer than %d characters", prefix,
			    GRAPH_ID_MAX - 1);
			return NULL;
		}
		if (!id_slot(g->ids, id)->id)
			return memcpy(arena_alloc(g->arena, (size_t)n + 1), id, (size_t)n + 1);
	} while (!local);
	ERR(e, ERR_INVALID, NULL, "the id \"%s\" is given twice", local);
	return NULL;
}

/* ---- building ------------------------------------------------------------------------------------------- */

struct graph *graph_new(struct arena *a)
{
	struct graph *g = ARENA_NEW(a, struct graph);

	g->arena = a;
	g->open_group = -1;
	g->ids = ARENA_NEW(a, struct id_table);
	g->ids->size = 64;
	g->ids->slots = ARENA_ARRAY(a, struct slot, g->ids->size);
	return g;
}

int graph_input(struct graph *g, const char *name, const struct shape *shape, struct err *e)
{
	struct graph_input *more;

	for (int i = 0; i < g->n_inputs; i++)
		if (strcmp(g->inputs[i].name, name) == 0)
			return ERR(e, ERR_INVALID, name, "the input is declared twice");
	for (int i = 0; i < shape_rank(shape); i++)
		if (shape->d[i] < 1 || shape->d[i] > SHAPE_DIM_MAX)
			return ERR(e, ERR_INVALID, name, "a dimension of the input must be between 1 and %d, got %d",
				   SHAPE_DIM_MAX, shape->d[i]);
	if (shape_count(shape) > INT32_MAX)
		return ERR(e, ERR_INVALID, name, "the input holds more than 2^31 values per example");
	more = ARENA_ARRAY(g->arena, struct graph_input, g->n_inputs + 1);
	if (g->n_inputs)
		memcpy(more, g->inputs, (size_t)g->n_inputs * sizeof *more);
	more[g->n_inputs] = (struct graph_input){ arena_strdup(g->arena, name), *shape };
	g->inputs = more;
	return g->n_inputs++;
}

const struct shape *graph_shape(const struct graph *g, struct edge from)
{
	if (from.node < 0)
		return &g->inputs[-1 - from.node].shape;
	return &g->nodes[from.node].out[from.port];
}

struct edge graph_last(const struct graph *g)
{
	return g->n_nodes ? (struct edge){ g->n_nodes - 1, 0 } : (struct edge){ -1, 0 };
}

int graph_find(const struct graph *g, const char *id)
{
	const struct slot *s = id_slot(g->ids, id);

	return s->id && s->what >= 0 ? s->what : -1;
}

int graph_find_group(const struct graph *g, const char *id)
{
	const struct slot *s = id_slot(g->ids, id);

	return s->id && s->what < 0 ? -1 - s->what : -1;
}

void graph_in_shapes(const struct graph *g, int node, struct shape in[LAYER_INPUTS])
{
	for (int i = 0; i < g->nodes[node].n_in; i++)
		in[i] = *graph_shape(g, g->nodes[node].in[i]);
}

int graph_params(const struct graph *g, int node, struct param_spec out[LAYER_PARAMS])
{
	const struct node *n = &g->nodes[node];
	const struct layer_class *k = layer_classes[n->kind];
	struct shape in[LAYER_INPUTS];

	if (!k->params)
		return 0;
	graph_in_shapes(g, node, in);
	return k->params(n->cfg, in, n->n_in, out);
}

static int count_params(struct node *n, const struct layer_class *k, const struct shape *in, struct err *e)
{
	struct param_spec p[LAYER_PARAMS];
	int count = k->params ? k->params(n->cfg, in, n->n_in, p) : 0;

	for (int i = 0; i < count; i++) {
		int64_t size = 1;

		for (int j = 0; j < p[i].rank; j++)
			if (__builtin_mul_overflow(size, (int64_t)p[i].d[j], &size))
				return ERR(e, ERR_INVALID, NULL, "%s: its %s would hold more than 2^63 numbers",
					   k->name, p[i].name);
		if (__builtin_add_overflow(p[i].role == PARAM_STAT ? n->stats : n->params, size,
					   p[i].role == PARAM_STAT ? &n->stats : &n->params))
			return ERR(e, ERR_INVALID, NULL, "%s: more than 2^63 parameters", k->name);
	}
	n->macs = k->macs ? k->macs(n->cfg, in, n->n_in, n->out) : 0;
	if (n->macs < 0)
		return ERR(e, ERR_INVALID, NULL, "%s: more than 2^63 multiply-adds", k->name);
	return 0;
}

static int port_count(const struct layer_class *k)
{
	int n = 0;

	if (!k->ports)
		return 1;
	while (k->ports[n])
		n++;
	return n;
}

/* Fills a new node's shapes and costs. */
static int fit_node(struct graph *g, struct node *n, struct err *e)
{
	const struct layer_class *k = layer_classes[n->kind];
	struct shape in[LAYER_INPUTS];

	if (n->n_in < k->min_in || n->n_in > k->max_in)
		return ERR(e, ERR_INVALID, NULL, "%s takes %s%d input%s, got %d", k->name,
			   k->min_in == k->max_in ? "" : (n->n_in < k->min_in ? "at least " : "at most "),
			   n->n_in < k->min_in ? k->min_in : k->max_in, k->max_in == 1 ? "" : "s", n->n_in);
	for (int i = 0; i < n->n_in; i++)
		in[i] = *graph_shape(g, n->in[i]);
	n->n_out = port_count(k);
	if (k->shape(n->cfg, in, n->n_in, n->out, e) < 0)
		return -1;
	for (int i = 0; i < n->n_out; i++)
		if (shape_count(&n->out[i]) > INT32_MAX)
			return ERR(e, ERR_INVALID, NULL, "%s: its output would hold more than 2^31 values per example",
				   k->name);
	return count_params(n, k, in, e);
}

int graph_add(struct graph *g, enum layer_kind kind, const void *cfg, const struct edge *in, int n_in,
	      const char *local_id, struct err *e)
{
	const struct layer_class *k = layer_classes[kind];
	struct node *n;

	if (g->n_nodes == GRAPH_NODES_MAX)
		return ERR(e, ERR_INVALID, NULL, "the model has more than %d layers", GRAPH_NODES_MAX);
	if (n_in > LAYER_INPUTS)
		return ERR(e, ERR_INVALID, NULL, "%s takes at most %d inputs, got %d", k->name, LAYER_INPUTS, n_in);
	if (g->n_nodes == g->cap_nodes) {
		struct node *more = ARENA_ARRAY(g->arena, struct node, g->cap_nodes ? 2 * g->cap_nodes : 16);

		if (g->n_nodes)
			memcpy(more, g->nodes, (size_t)g->n_nodes * sizeof *more);
		g->nodes = more;
		g->cap_nodes = g->cap_nodes ? 2 * g->cap_nodes : 16;
	}
	n = &g->nodes[g->n_nodes];
	*n = (struct node){ .kind = kind, .n_in = n_in, .group = g->open_group, .share = -1 };
	n->cfg = memcpy(arena_alloc(g->arena, k->cfg_size), cfg, k->cfg_size);
	n->in = memcpy(ARENA_ARRAY(g->arena, struct edge, n_in), in, (size_t)n_in * sizeof *in);
	if (fit_node(g, n, e) < 0)
		return -1;
	n->id = make_id(g, local_id, k->name, &id_counter(g)->next[kind], e);
	if (!n->id)
		return -1;
	id_put(g, n->id, g->n_nodes);
	return g->n_nodes++;
}

int graph_share(struct graph *g, int node, int with, struct err *e)
{
	struct node *n = &g->nodes[node], *w;
	struct param_spec a[LAYER_PARAMS], b[LAYER_PARAMS];
	int count;

	if (g->nodes[with].share >= 0)
		with = g->nodes[with].share;
	w = &g->nodes[with];
	assert(with < node);
	if (n->kind != w->kind || memcmp(n->cfg, w->cfg, layer_classes[n->kind]->cfg_size))
		return ERR(e, ERR_INVALID, NULL, "cannot share the parameters of %s: kind and options must be the same",
			   w->id);
	count = graph_params(g, node, a);
	if (count == 0)
		return ERR(e, ERR_INVALID, NULL, "%s has no parameters to share", layer_classes[n->kind]->name);
	graph_params(g, with, b);
	for (int i = 0; i < count; i++)
		if (a[i].rank != b[i].rank || memcmp(a[i].d, b[i].d, sizeof a[i].d))
			return ERR(e, ERR_INVALID, NULL,
				   "cannot share the parameters of %s: its input has another number of channels",
				   w->id);
	n->share = with;
	n->params = n->stats = 0;
	return 0;
}

int graph_block_begin(struct graph *g, const char *block, const char *args, const char *local_id,
		      const char *const *in_names, const struct edge *in, int n_in, struct err *e)
{
	struct group *b;
	const char *id;
	int n = 0;

	for (int i = 0; i < g->n_groups; i++)
		n += g->groups[i].parent == g->open_group && strcmp(g->groups[i].block, block) == 0;
	id = make_id(g, local_id, block, &n, e);
	if (!id)
		return -1;
	if (g->n_groups == g->cap_groups) {
		struct group *more = ARENA_ARRAY(g->arena, struct group, g->cap_groups ? 2 * g->cap_groups : 8);

		if (g->n_groups)
			memcpy(more, g->groups, (size_t)g->n_groups * sizeof *more);
		g->groups = more;
		g->cap_groups = g->cap_groups ? 2 * g->cap_groups : 8;
	}
	b = &g->groups[g->n_groups];
	*b = (struct group){ .id = id, .parent = g->open_group, .first = g->n_nodes, .n_in = n_in };
	b->block = arena_strdup(g->arena, block);
	b->args = arena_strdup(g->arena, args ? args : "{}");
	b->in = memcpy(ARENA_ARRAY(g->arena, struct edge, n_in), in, (size_t)n_in * sizeof *in);
	b->in_names = ARENA_ARRAY(g->arena, const char *, n_in);
	for (int i = 0; i < n_in; i++)
		b->in_names[i] = arena_strdup(g->arena, in_names[i]);
	id_put(g, id, -1 - g->n_groups);
	g->open_group = g->n_groups;
	return g->n_groups++;
}

int graph_block_end(struct graph *g, const char *const *out_names, const struct edge *out, int n_out, struct err *e)
{
	struct group *b = &g->groups[g->open_group];

	assert(g->open_group >= 0 && n_out > 0);
	b->n = g->n_nodes - b->first;
	if (b->n == 0)
		return ERR(e, ERR_INVALID, NULL, "the block \"%s\" has no layers", b->block);
	b->out = memcpy(ARENA_ARRAY(g->arena, struct edge, n_out), out, (size_t)n_out * sizeof *out);
	b->out_names = ARENA_ARRAY(g->arena, const char *, n_out);
	for (int i = 0; i < n_out; i++)
		b->out_names[i] = arena_strdup(g->arena, out_names[i]);
	b->n_out = n_out;
	g->open_group = b->parent;
	return 0;
}

int graph_output(struct graph *g, const char *name, enum task task, int classes, struct edge from, struct err *e)
{
	struct graph_output *more;

	for (int i = 0; i < g->n_outputs; i++)
		if (strcmp(g->outputs[i].name, name) == 0)
			return ERR(e, ERR_INVALID, name, "the output is declared twice");
	more = ARENA_ARRAY(g->arena, struct graph_output, g->n_outputs + 1);
	if (g->n_outputs)
		memcpy(more, g->outputs, (size_t)g->n_outputs * sizeof *more);
	more[g->n_outputs] = (struct graph_output){ arena_strdup(g->arena, name), task, classes, from };
	g->outputs = more;
	return g->n_outputs++;
}

int graph_finish(struct graph *g, struct err *e)
{
	char text[48];

	assert(g->open_group < 0);
	if (!g->n_inputs || !g->n_outputs || !g->n_nodes)
		return ERR(e, ERR_INVALID, NULL, "a model needs an input, at least one layer and an output");
	for (int i = 0; i < g->n_outputs; i++) {
		const struct graph_output *o = &g->outputs[i];
		const struct shape *s = graph_shape(g, o->from);

		if (s->type == TENSOR_VECTOR && s->d[0] == o->classes)
			continue;
		return ERR(e, ERR_INVALID, o->name,
			   "the output needs a vector of %d, but the last layer gives %s %s: end with %s{\"dense\": "
			   "{\"units\": \"$classes\"}}",
			   o->classes,
			   s->type == TENSOR_IMAGE    ? "an image"
			   : s->type == TENSOR_VECTOR ? "a vector"
						      : "a sequence",
			   shape_text(text, s),
			   s->type == TENSOR_VECTOR ? "" : "\"globalavgpool\" or \"flatten\", then ");
	}
	return 0;
}

/* ---- costs ---------------------------------------------------------------------------------------------- */

static int add_to(int64_t *sum, int64_t v)
{
	return __builtin_add_overflow(*sum, v, sum) ? -1 : 0;
}

static int sum_costs(const struct graph *g, struct cost *c, int64_t *stats, int *depth)
{
	for (int i = 0; i < g->n_nodes; i++) {
		const struct node *n = &g->nodes[i];

		depth[i] = 1;
		for (int j = 0; j < n->n_in; j++)
			if (n->in[j].node >= 0 && depth[n->in[j].node] >= depth[i])
				depth[i] = depth[n->in[j].node] + 1;
		c->depth = depth[i] > c->depth ? depth[i] : c->depth;
		if (add_to(&c->params, n->params) < 0 || add_to(&c->macs, n->macs) < 0 ||
		    add_to(&c->frozen, n->frozen ? n->params : 0) < 0)
			return -1;
		for (int j = 0; j < n->n_out; j++) {
			int64_t size = shape_count(&n->out[j]);

			c->largest = size > c->largest ? size : c->largest;
			if (add_to(&c->activations, size) < 0)
				return -1;
		}
		*stats += n->stats;
	}
	return 0;
}

int graph_cost(const struct graph *g, struct cost *out, struct err *e)
{
	int few[256], *depth = g->n_nodes > 256 ? mem_new((size_t)g->n_nodes * sizeof *depth) : few, rc;
	int64_t stats = 0, numbers;

	*out = (struct cost){ .layers = g->n_nodes };
	rc = sum_costs(g, out, &stats, depth);
	if (depth != few)
		mem_free(depth);
	/* weights + gradients + two moments, and every activation with its gradient, 4 bytes each */
	if (rc < 0 || __builtin_mul_overflow(out->params, (int64_t)16, &numbers) ||
	    __builtin_add_overflow(numbers, 4 * stats, &numbers) || out->activations > INT64_MAX / 16 ||
	    __builtin_add_overflow(numbers, 8 * out->activations, &numbers))
		return ERR(e, ERR_INVALID, NULL, "the model's costs exceed 2^63");
	out->weight_bytes = 4 * (out->params + stats);
	out->train_bytes = numbers;
	return 0;
}
