/* arch/retarget.c - see retarget.h.
 *
 * What is to be different stands in a plan beside the old graph: changed options, layers left out, poolings added. The
 * new graph is built from the plan in one pass. Where a merge then gets operands that no longer agree, the plan is
 * amended at an earlier layer and the pass starts again.
 */
#include "arch/retarget.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arch/kinds.h"
#include "arch/scale.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

enum { CFG_MAX = 1024, LINES_MAX = 400 };

enum front { FRONT_NONE, FRONT_FLATTEN, FRONT_RESHAPE };

struct plan {
	const struct graph *g;
	const struct retarget *to;
	struct arena *arena;
	char **cfg;    /* [n_nodes] options; widths included once scaled */
	bool *drop;    /* left out: its readers read its input */
	int *pool;     /* a max pool of this size is added after it; 0: none */
	bool *fixed;   /* its width is the output's */
	bool *rewidth; /* its width was set to fit a merge */
	enum front front;
	double width;
	int head; /* the last layer that makes a vector of an image or a sequence, or -1 */
};

struct build {
	struct plan *p;
	struct graph *to;
	struct edge *map; /* [n_nodes] where what a node gave comes from now (port 0) */
	int *at;          /* [n_nodes] its index in the new graph, or -1 */
	struct edge input;
	int blamed; /* the old node at which the pass failed, or -1 */
};

/* ---- what a layer does to sizes ------------------------------------------------------------------------- */

static bool spatial(const struct shape *s)
{
	return s->type == TENSOR_IMAGE || s->type == TENSOR_SEQUENCE;
}

/* The side of an image (the mean of both, geometrically) or the steps of a sequence. */
static double side(const struct shape *s)
{
	return s->type == TENSOR_IMAGE ? sqrt((double)s->d[1] * s->d[2]) : s->d[1];
}

/* A layer's stride, and how its window lies. */
struct window {
	int *stride[2], *size[2];
	int dilation[2];
	struct opt_pad *pad;
	int axes;
	bool pool;
};

static struct window window2(struct opt_pair *stride, struct opt_pair *size, const struct opt_pair *dilation,
			     struct opt_pad *pad, bool pool)
{
	return (struct window){ { &stride->v[0], &stride->v[1] },
				{ &size->v[0], &size->v[1] },
				{ dilation ? dilation->v[0] : 1, dilation ? dilation->v[1] : 1 },
				pad,
				2,
				pool };
}

static struct window window1(int *stride, int *size, int dilation, struct opt_pad *pad, bool pool)
{
	return (struct window){ { stride, NULL }, { size, NULL }, { dilation, 1 }, pad, 1, pool };
}

/* false: the kind has no window. */
static bool window_of(struct window *w, enum layer_kind kind, void *cfg)
{
	struct conv2d *c2 = cfg;
	struct conv1d *c1 = cfg;
	struct depthwise2d *dw = cfg;
	struct pool2d *p2 = cfg;
	struct pool1d *p1 = cfg;

	if (kind == LAYER_conv2d)
		*w = window2(&c2->stride, &c2->kernel, &c2->dilation, &c2->padding, false);
	else if (kind == LAYER_depthwise2d)
		*w = window2(&dw->stride, &dw->kernel, &dw->dilation, &dw->padding, false);
	else if (kind == LAYER_maxpool2d || kind == LAYER_avgpool2d)
		*w = window2(&p2->stride, &p2->size, NULL, &p2->padding, true);
	else if (kind == LAYER_conv1d)
		*w = window1(&c1->stride, &c1->kernel, c1->dilation, &c1->padding, false);
	else if (kind == LAYER_maxpool1d || kind == LAYER_avgpool1d)
		*w = window1(&p1->stride, &p1->size, 1, &p1->padding, true);
	else
		return false;
	return true;
}

static int stride_of(enum layer_kind kind, void *cfg)
{
	struct window w;

	if (kind == LAYER_zero)
		return ((struct zero *)cfg)->stride;
	if (!window_of(&w, kind, cfg))
		return 1;
	return w.axes == 2 && *w.stride[1] > *w.stride[0] ? *w.stride[1] : *w.stride[0];
}

/* Paddings with which stride 1 keeps the size: dilation * (size - 1) in all, the odd one after. */
static void pad_same(const struct window *w)
{
	for (int i = 0; i < w->axes; i++) {
		int axis = w->axes == 1 ? 1 : i, all = w->dilation[i] * (*w->size[i] - 1);

		w->pad->side[axis] = all / 2;
		w->pad->side[axis + 2] = all - all / 2;
	}
	w->pad->same = 0;
}

/* ---- the plan ------------------------------------------------------------------------------------------- */

static void plan_init(struct plan *p, const struct graph *g, const struct retarget *to, double width, struct arena *a)
{
	*p = (struct plan){ .g = g, .to = to, .arena = a, .width = width, .head = -1 };
	p->cfg = ARENA_ARRAY(a, char *, g->n_nodes);
	p->drop = ARENA_ARRAY(a, bool, g->n_nodes);
	p->pool = ARENA_ARRAY(a, int, g->n_nodes);
	p->fixed = ARENA_ARRAY(a, bool, g->n_nodes);
	p->rewidth = ARENA_ARRAY(a, bool, g->n_nodes);
	scale_fixed(g, p->fixed);
	for (int i = 0; i < g->n_nodes; i++) {
		const struct node *n = &g->nodes[i];
		size_t size = layer_classes[n->kind]->cfg_size;

		p->cfg[i] = memcpy(arena_alloc(a, size), n->cfg, size);
		if (spatial(graph_shape(g, n->in[0])) && n->out[0].type == TENSOR_VECTOR)
			p->head = i;
	}
}

static void plan_widths(struct plan *p)
{
	for (int i = 0; i < p->g->n_nodes; i++) {
		enum layer_kind kind = p->g->nodes[i].kind;
		int *width = layer_width(kind, p->cfg[i]);

		if (p->fixed[i] && width && *width == p->g->outputs[0].classes)
			*width = p->to->classes;
		else if (!p->fixed[i] && p->width != 1)
			scale_width(kind, p->cfg[i], p->width);
	}
}

/* Whether all that comes after node i depends on what is before it through i's first output alone. */
static void find_cuts(const struct graph *g, bool *cut)
{
	int reach = -1; /* the last reader of what stands before i */

	for (int i = 0; i < g->n_nodes; i++)
		for (int j = 0; j < g->nodes[i].n_in; j++)
			if (g->nodes[i].in[j].node < 0 && i > reach)
				reach = i;
	for (int i = 0; i < g->n_nodes; i++) {
		cut[i] = reach <= i;
		for (int v = i + 1; v < g->n_nodes; v++)
			for (int j = 0; j < g->nodes[v].n_in; j++)
				if (g->nodes[v].in[j].node == i) {
					reach = v > reach ? v : reach;
					cut[i] = cut[i] && g->nodes[v].in[j].port == 0;
				}
	}
}

/* Whether a layer may be put after node i on the top level: i stands there or ends an instance that hands it out. */
static bool top_level(const struct graph *g, int i)
{
	int b = g->nodes[i].group;

	while (b >= 0 && g->groups[b].parent >= 0)
		b = g->groups[b].parent;
	return b < 0 || (g->groups[b].first + g->groups[b].n - 1 == i && g->groups[b].n_out == 1 &&
			 g->groups[b].out[0].node == i);
}

static bool belongs_before(const struct graph *g, int i)
{
	enum layer_family f;

	if (i >= g->n_nodes)
		return false;
	f = layer_classes[g->nodes[i].kind]->family;
	return f == FAMILY_NORM || f == FAMILY_ACTIVATION || f == FAMILY_DROPOUT || f == FAMILY_POOL;
}

/* The first convolution on the trunk whose stride can be raised, or -1. */
static int find_stem(const struct plan *p, const bool *cut)
{
	for (int i = 0; i < p->head; i++) {
		enum layer_kind kind = p->g->nodes[i].kind;
		struct window w;

		if (cut[i] && window_of(&w, kind, p->cfg[i]) && !w.pool)
			return stride_of(kind, p->cfg[i]) == 1 && *w.size[0] >= 3 ? i : -1;
	}
	return -1;
}

/* More halvings: a stride at the stem, a pooling after it, then poolings spread over the rest. */
static void plan_larger(struct plan *p, int k)
{
	bool *cut = ARENA_ARRAY(p->arena, bool, p->g->n_nodes);
	int *places = ARENA_ARRAY(p->arena, int, p->g->n_nodes + 1), n = 0, stem;
	struct window w;

	find_cuts(p->g, cut);
	stem = find_stem(p, cut);
	if (stem >= 0) {
		window_of(&w, p->g->nodes[stem].kind, p->cfg[stem]);
		for (int i = 0; i < w.axes; i++)
			*w.stride[i] = 2;
		k--;
	}
	for (int i = stem < 0 ? 0 : stem; i < p->head; i++)
		if (cut[i] && top_level(p->g, i) && !belongs_before(p->g, i + 1) && spatial(&p->g->nodes[i].out[0]))
			places[n++] = i;
	if (!n || k < 1)
		return;
	p->pool[places[0]] = 2;
	for (int j = 1; j < k; j++) {
		int i = places[j * n / k];

		p->pool[i] = p->pool[i] ? 2 * p->pool[i] : 2;
	}
}

static bool same_step(const struct graph *g, int a, int b)
{
	const struct shape *x = graph_shape(g, g->nodes[a].in[0]), *y = graph_shape(g, g->nodes[b].in[0]);
	const struct shape *u = &g->nodes[a].out[0], *v = &g->nodes[b].out[0];

	return x->type == y->type && x->d[1] == y->d[1] && x->d[2] == y->d[2] && u->d[1] == v->d[1] &&
	       u->d[2] == v->d[2];
}

/* Stride 1, and the size stays: a pool is left out. */
static void unstride(struct plan *p, int i)
{
	enum layer_kind kind = p->g->nodes[i].kind;
	struct window w;

	if (kind == LAYER_zero) {
		((struct zero *)(void *)p->cfg[i])->stride = 1;
		return;
	}
	if (!window_of(&w, kind, p->cfg[i]))
		return;
	p->drop[i] = w.pool;
	for (int k = 0; k < w.axes; k++)
		*w.stride[k] = 1;
	pad_same(&w);
}

/* Fewer halvings: the first steps from one size to the next are left out, in all branches that take them. */
static void plan_smaller(struct plan *p, int k)
{
	const struct graph *g = p->g;
	bool *done = ARENA_ARRAY(p->arena, bool, g->n_nodes);

	for (int i = 0; i < g->n_nodes && k > 0; i++) {
		if (done[i] || !spatial(&g->nodes[i].out[0]) || stride_of(g->nodes[i].kind, p->cfg[i]) < 2)
			continue;
		for (int j = i; j < g->n_nodes; j++) {
			if (!spatial(&g->nodes[j].out[0]) || !same_step(g, i, j) ||
			    stride_of(g->nodes[j].kind, p->cfg[j]) < 2)
				continue;
			done[j] = true;
			unstride(p, j);
		}
		k--;
	}
}

static void plan_sizes(struct plan *p)
{
	const struct shape *old = &p->g->inputs[0].shape, *new = &p->to->input;
	int k;

	if (old->type != new->type || !spatial(old) || new->open || p->head < 1)
		return;
	k = (int)lround(log2(side(new) / side(old)));
	if (k > 0)
		plan_larger(p, k);
	else if (k < 0)
		plan_smaller(p, -k);
}

/* Layers that read the input: how another type of input gets to them. */
static int plan_front(struct plan *p, struct err *e)
{
	enum tensor_type old = p->g->inputs[0].shape.type, new = p->to->input.type;
	const char *reader = NULL;
	bool flattens = true, columns = true;

	if (old == new)
		return 0;
	for (int i = 0; i < p->g->n_nodes; i++) {
		const struct node *n = &p->g->nodes[i];

		if (n->in[0].node >= 0)
			continue;
		reader = reader ? reader : n->id;
		flattens = flattens && n->kind == LAYER_flatten;
		columns = columns && n->kind == LAYER_reshape && n->out[0].type == TENSOR_SEQUENCE;
	}
	if (!p->to->input.open && flattens && new != TENSOR_TOKENS &&new != TENSOR_VECTOR)
		return 0;
	if ((flattens && new == TENSOR_VECTOR) || (columns && new == TENSOR_SEQUENCE)) {
		for (int i = 0; i < p->g->n_nodes; i++)
			p->drop[i] = p->g->nodes[i].in[0].node < 0;
		return 0;
	}
	p->front = FRONT_FLATTEN;
	if (old == TENSOR_VECTOR && new != TENSOR_TOKENS && !p->to->input.open)
		return 0;
	p->front = FRONT_RESHAPE;
	if (old == TENSOR_SEQUENCE && new == TENSOR_IMAGE)
		return 0;
	return ERR(e, ERR_INVALID, reader,
		   "reads inputs of type %s and cannot read %s: `nab new` lists networks that do",
		   tensor_type_names[old], tensor_type_names[new]);
}

/* ---- building ------------------------------------------------------------------------------------------- */

static struct edge map_edge(const struct build *b, struct edge from)
{
	struct edge to;

	if (from.node < 0)
		return b->input;
	to = b->map[from.node];
	return from.port ? (struct edge){ to.node, from.port } : to;
}

static struct edge *map_edges(const struct build *b, const struct edge *in, int n)
{
	struct edge *out = ARENA_ARRAY(b->p->arena, struct edge, n);

	for (int i = 0; i < n; i++)
		out[i] = map_edge(b, in[i]);
	return out;
}

static const char *local(const struct graph *g, const char *flat, int group)
{
	return group < 0 ? flat : flat + strlen(g->groups[group].id) + 2;
}

/* Whether anything in the instance (or an inner one) differs from what its arguments say. */
static bool changed_inside(const struct plan *p, const struct group *b)
{
	if (p->width != 1)
		return true;
	for (int i = b->first; i < b->first + b->n; i++)
		if (p->drop[i] || memcmp(p->cfg[i], p->g->nodes[i].cfg, layer_classes[p->g->nodes[i].kind]->cfg_size))
			return true;
	return false;
}

/* Closes the instances that end before node i. */
static int close_blocks(struct build *b, int i, struct err *e)
{
	while (b->to->open_group >= 0) {
		const struct group *x = &b->p->g->groups[b->to->open_group];

		if (i < x->first + x->n)
			break;
		if (graph_block_end(b->to, x->out_names, map_edges(b, x->out, x->n_out), x->n_out, e) < 0)
			return -1;
	}
	return 0;
}

static int open_blocks(struct build *b, int i, struct err *e)
{
	const struct graph *g = b->p->g;

	for (int k = b->to->n_groups; k < g->n_groups && g->groups[k].first == i; k++) {
		const struct group *x = &g->groups[k];

		if (graph_block_begin(b->to, x->block, changed_inside(b->p, x) ? "{}" : x->args,
				      local(g, x->id, x->parent), x->in_names, map_edges(b, x->in, x->n_in), x->n_in,
				      e) < 0)
			return -1;
	}
	return 0;
}

/* The first id of this form that neither the old graph nor the new one has. */
static const char *new_id(const struct build *b, const char *stem)
{
	char *id;

	for (int k = 1;; k++) {
		id = arena_printf(b->p->arena, "%s_%d", stem, k);
		if (graph_find(b->p->g, id) < 0 && graph_find_group(b->p->g, id) < 0 && graph_find(b->to, id) < 0)
			return id;
	}
}

static int add_pool(struct build *b, int after, struct err *e)
{
	bool image = graph_shape(b->to, b->map[after])->type == TENSOR_IMAGE;
	enum layer_kind kind = image ? LAYER_maxpool2d : LAYER_maxpool1d;
	_Alignas(16) char cfg[CFG_MAX] = { 0 };
	struct edge from = b->map[after];
	int size = b->p->pool[after], at;

	opt_defaults(cfg, layer_classes[kind]->opts);
	if (image)
		((struct pool2d *)(void *)cfg)->size = (struct opt_pair){ { size, size } };
	else
		((struct pool1d *)(void *)cfg)->size = size;
	at = graph_add(b->to, kind, cfg, &from, 1, new_id(b, "reduce"), e);
	b->map[after] = (struct edge){ at, 0 };
	return at < 0 ? -1 : 0;
}

/* A window larger than what it gets: convolutions are padded, pools shrink, or go where nothing is left to pool. */
static void fit_window(struct plan *p, int i, const struct shape *in)
{
	enum layer_kind kind = p->g->nodes[i].kind;
	struct window w;

	if (!window_of(&w, kind, p->cfg[i]) || !spatial(in))
		return;
	if (!w.pool) {
		pad_same(&w);
		return;
	}
	for (int k = 0; k < w.axes; k++) {
		int have = in->d[1 + k];

		p->drop[i] = p->drop[i] || have < 2;
		*w.size[k] = *w.size[k] < have ? *w.size[k] : have;
		*w.stride[k] = *w.stride[k] < *w.size[k] ? *w.stride[k] : *w.size[k];
	}
	memset(w.pad, 0, sizeof *w.pad);
}

static int gcd(int a, int b)
{
	return b ? gcd(b, a % b) : a;
}

/* Groups of channels that no longer divide what arrives. */
static void fit_groups(void *cfg, enum layer_kind kind, const struct shape *in)
{
	int *groups = kind == LAYER_conv2d      ? &((struct conv2d *)cfg)->groups
		      : kind == LAYER_conv1d    ? &((struct conv1d *)cfg)->groups
		      : kind == LAYER_groupnorm ? &((struct groupnorm *)cfg)->groups
						: NULL;

	if (groups)
		*groups = gcd(*groups, in->d[0]);
}

/* The columns of an image as steps stay that; otherwise the first side of a reshape follows what arrives. */
static void fit_reshape(void *cfg, const struct shape *old, const struct shape *in)
{
	struct opt_ints *v = &((struct reshape *)cfg)->shape;
	int64_t others = 1, count = shape_count(in);

	if (old->type == TENSOR_IMAGE && in->type == TENSOR_IMAGE && v->n == 2 && v->v[1] == old->d[2]) {
		v->v[0] = in->d[0] * in->d[1];
		v->v[1] = in->d[2];
		return;
	}
	for (int i = 1; i < v->n; i++)
		others *= v->v[i];
	if (others > 0 && count % others == 0 && count / others <= SHAPE_DIM_MAX)
		v->v[0] = (int)(count / others);
}

/* What an upsampling is merged with: its factor follows that operand's size. */
static void fit_upsample(struct build *b, int i, const struct shape *in)
{
	const struct graph *g = b->p->g;
	struct upsample2d *u = (void *)b->p->cfg[i];

	for (int v = i + 1; v < g->n_nodes; v++) {
		const struct node *n = &g->nodes[v];
		int reads = -1, other = -1;

		for (int j = 0; j < n->n_in; j++) {
			if (n->in[j].node == i)
				reads = j;
			else if (n->in[j].node < i)
				other = j;
		}
		if (reads < 0 || other < 0)
			continue;
		for (int axis = 0; axis < 2; axis++) {
			int want = graph_shape(b->to, map_edge(b, n->in[other]))->d[1 + axis];

			if (want % in->d[1 + axis] == 0)
				u->factor.v[axis] = want / in->d[1 + axis];
		}
		return;
	}
}

static void fit_node(struct build *b, int i, const struct shape *in)
{
	const struct node *n = &b->p->g->nodes[i];

	if (n->kind == LAYER_reshape)
		fit_reshape(b->p->cfg[i], graph_shape(b->p->g, n->in[0]), in);
	else if (n->kind == LAYER_upsample2d)
		fit_upsample(b, i, in);
	else if (in->type == TENSOR_IMAGE || in->type == TENSOR_SEQUENCE)
		fit_groups(b->p->cfg[i], n->kind, in);
}

static bool fits(const struct build *b, int i, const struct edge *in)
{
	const struct node *n = &b->p->g->nodes[i];
	const struct layer_class *k = layer_classes[n->kind];
	struct shape from[LAYER_INPUTS], out[LAYER_PORTS];
	_Alignas(16) char cfg[CFG_MAX];

	memcpy(cfg, b->p->cfg[i], k->cfg_size);
	for (int j = 0; j < n->n_in; j++)
		from[j] = *graph_shape(b->to, in[j]);
	return k->shape(cfg, from, n->n_in, out, NULL) == 0;
}

/* Inside a block a layer that is left out becomes an identity: an instance must not become empty. */
static int copy_node(struct build *b, int i, struct err *e)
{
	const struct graph *g = b->p->g;
	const struct node *n = &g->nodes[i];
	struct edge *in = map_edges(b, n->in, n->n_in);
	const struct shape first = *graph_shape(b->to, in[0]);
	struct empty nothing = { 0 };
	bool gone;

	fit_node(b, i, &first);
	if (!b->p->drop[i] && !fits(b, i, in))
		fit_window(b->p, i, &first);
	gone = b->p->drop[i];
	b->map[i] = in[0];
	if (gone && n->group < 0)
		return 0;
	b->at[i] = graph_add(b->to, gone ? LAYER_identity : n->kind, gone ? (void *)&nothing : (void *)b->p->cfg[i], in,
			     n->n_in, local(g, n->id, n->group), e);
	if (b->at[i] < 0 ||
	    (n->share >= 0 && b->at[n->share] >= 0 && graph_share(b->to, b->at[i], b->at[n->share], e) < 0)) {
		b->blamed = i;
		err_within(e, n->id);
		return -1;
	}
	b->map[i] = (struct edge){ b->at[i], 0 };
	b->to->nodes[b->at[i]].frozen = n->frozen;
	b->to->nodes[b->at[i]].device = n->device ? arena_strdup(b->to->arena, n->device) : NULL;
	return 0;
}

static int add_front(struct build *b, struct err *e)
{
	const struct shape *s = &b->p->to->input;
	enum layer_kind kind = b->p->front == FRONT_FLATTEN ? LAYER_flatten : LAYER_reshape;
	struct reshape columns = { { 2, { s->d[0] * s->d[1], s->d[2] } } };
	struct empty nothing = { 0 };
	int at;

	if (b->p->front == FRONT_NONE)
		return 0;
	at = graph_add(b->to, kind, kind == LAYER_flatten ? (void *)&nothing : (void *)&columns, &b->input, 1,
		       new_id(b, layer_classes[kind]->name), e);
	b->input = (struct edge){ at, 0 };
	return at < 0 ? -1 : 0;
}

static int build(struct build *b, struct plan *p, struct err *e)
{
	const struct graph *g = p->g;

	*b = (struct build){ .p = p, .to = graph_new(p->arena), .input = { -1, 0 }, .blamed = -1 };
	b->map = ARENA_ARRAY(p->arena, struct edge, g->n_nodes);
	b->at = ARENA_ARRAY(p->arena, int, g->n_nodes);
	for (int i = 0; i < g->n_nodes; i++)
		b->at[i] = -1;
	if (graph_input(b->to, g->inputs[0].name, &p->to->input, e) < 0 || add_front(b, e) < 0)
		return -1;
	for (int i = 0; i < g->n_nodes; i++) {
		if (close_blocks(b, i, e) < 0 || (i && p->pool[i - 1] && add_pool(b, i - 1, e) < 0) ||
		    open_blocks(b, i, e) < 0 || copy_node(b, i, e) < 0)
			return -1;
	}
	if (close_blocks(b, g->n_nodes, e) < 0)
		return -1;
	if (graph_output(b->to, g->outputs[0].name, p->to->task, p->to->classes, map_edge(b, g->outputs[0].from), e) <
	    0)
		return -1;
	return graph_finish(b->to, e);
}

/* ---- merges that no longer agree ------------------------------------------------------------------------ */

static bool keeps_channels(enum layer_kind kind)
{
	enum layer_family f = layer_classes[kind]->family;

	return f == FAMILY_POOL || f == FAMILY_NORM || f == FAMILY_ACTIVATION || f == FAMILY_DROPOUT ||
	       kind == LAYER_identity || kind == LAYER_zeropad2d || kind == LAYER_upsample2d;
}

/* Sets the channels of what `from` comes from; false if nothing on the way has a number to set. */
static bool set_channels(struct plan *p, struct edge from, int channels)
{
	for (int i = from.node; i >= 0; i = p->g->nodes[i].in[0].node) {
		int *width = layer_width(p->g->nodes[i].kind, p->cfg[i]);

		if (width && !p->rewidth[i] && !p->fixed[i]) {
			*width = channels;
			return p->rewidth[i] = true;
		}
		if (width || !keeps_channels(p->g->nodes[i].kind))
			return false;
	}
	return false;
}

/* A pool on the way that rounds down where a convolution rounds up. */
static bool round_up(struct plan *p, struct edge from)
{
	for (int i = from.node; i >= 0; i = p->g->nodes[i].in[0].node) {
		enum layer_kind kind = p->g->nodes[i].kind;
		bool *ceil =
		    kind == LAYER_maxpool2d || kind == LAYER_avgpool2d   ? &((struct pool2d *)(void *)p->cfg[i])->ceil
		    : kind == LAYER_maxpool1d || kind == LAYER_avgpool1d ? &((struct pool1d *)(void *)p->cfg[i])->ceil
									 : NULL;

		if (ceil && !*ceil && !p->drop[i])
			return *ceil = true;
		if (stride_of(kind, p->cfg[i]) > 1 || p->g->nodes[i].n_in > 1)
			return false;
	}
	return false;
}

/* A projection of the shortcut (1x1): its stride was that of a map one pixel wide, and follows the main path's. */
static bool restride(struct build *b, struct edge from, const struct shape *want)
{
	struct plan *p = b->p;
	bool changed = false;
	struct window w;
	int i = from.node;

	while (i >= 0 && keeps_channels(p->g->nodes[i].kind) && p->g->nodes[i].in[0].node >= 0)
		i = p->g->nodes[i].in[0].node;
	if (i < 0 || !window_of(&w, p->g->nodes[i].kind, p->cfg[i]) || w.pool)
		return false;
	for (int k = 0; k < w.axes; k++) {
		int have = graph_shape(b->to, map_edge(b, p->g->nodes[i].in[0]))->d[1 + k], stride = *w.stride[k];

		if (*w.size[k] != 1)
			return false;
		while (stride < have && (have - 1) / stride + 1 > want->d[1 + k])
			stride++;
		changed = changed || stride != *w.stride[k];
		*w.stride[k] = stride;
	}
	return changed;
}

/* Amends the plan so that the operands of the merge that failed agree; false if it knows no way. */
static bool amend(struct build *b)
{
	const struct node *n = b->blamed >= 0 ? &b->p->g->nodes[b->blamed] : NULL;
	const struct shape *first;

	if (!n || layer_classes[n->kind]->family != FAMILY_MERGE)
		return false;
	first = graph_shape(b->to, map_edge(b, n->in[0]));
	for (int j = 1; j < n->n_in; j++) {
		const struct shape *s = graph_shape(b->to, map_edge(b, n->in[j]));

		if (s->type != first->type)
			return false;
		if (n->kind != LAYER_concat && s->d[0] != first->d[0])
			return set_channels(b->p, n->in[j], first->d[0]) || set_channels(b->p, n->in[0], s->d[0]);
		if (spatial(s) && (s->d[1] != first->d[1] || s->d[2] != first->d[2]))
			return round_up(b->p, n->in[side(s) < side(first) ? j : 0]) ||
			       restride(b, n->in[side(s) < side(first) ? 0 : j], side(s) < side(first) ? s : first);
	}
	return false;
}

static int attempt(struct build *b, struct plan *p, const struct graph *g, const struct retarget *to, double width,
		   struct arena *a, struct err *e)
{
	plan_init(p, g, to, width, a);
	if (plan_front(p, e) < 0)
		return -1;
	plan_widths(p);
	plan_sizes(p);
	for (int tries = 0;; tries++) {
		struct err one = { 0 };

		if (build(b, p, &one) == 0)
			return 0;
		if (tries == 2 * g->n_nodes || !amend(b)) {
			if (e)
				*e = one;
			return -1;
		}
	}
}

/* ---- the words ------------------------------------------------------------------------------------------ */

static void say(struct retarget_log *log, struct arena *a, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void say(struct retarget_log *log, struct arena *a, const char *fmt, ...)
{
	struct str t = { 0 };
	va_list ap;

	if (log->n == LINES_MAX)
		return;
	va_start(ap, fmt);
	str_vaddf(&t, fmt, ap);
	va_end(ap);
	log->lines[log->n++] = arena_strdup(a, str_get(&t));
	str_release(&t);
}

/* Options that differ from the old ones, widths apart (they are one line for all). */
static void say_options(struct retarget_log *log, const struct plan *p, int i, struct arena *a)
{
	const struct node *n = &p->g->nodes[i];
	int *width = layer_width(n->kind, p->cfg[i]);
	struct str t = { 0 };

	if (n->kind == LAYER_choice)
		return;
	for (const struct opt *o = layer_classes[n->kind]->opts; o->name; o++) {
		struct json *old = opt_write_value(n->cfg, o), *new = opt_write_value(p->cfg[i], o);

		if (!json_equal(old, new) && ((char *)width != p->cfg[i] + o->offset || p->rewidth[i])) {
			str_addf(&t, "%s%s ", t.len ? ", " : "", o->name);
			json_print(&t, old);
			str_add(&t, " -> ");
			json_print(&t, new);
		}
		json_free(old);
		json_free(new);
	}
	if (t.len)
		say(log, a, "%s: %s", n->id, str_get(&t));
	str_release(&t);
}

/* The layer, or the outermost instance that ends with it. */
static const char *place_name(const struct graph *g, int i)
{
	const char *id = g->nodes[i].id;

	for (int b = g->nodes[i].group; b >= 0; b = g->groups[b].parent)
		id = g->groups[b].id;
	return id;
}

static void say_head(struct retarget_log *log, const struct build *b, struct arena *a)
{
	const struct plan *p = b->p;
	char was[48], is[48];

	for (int i = 0; i < p->g->n_nodes; i++) {
		int *old = layer_width(p->g->nodes[i].kind, p->g->nodes[i].cfg);
		int *new = layer_width(p->g->nodes[i].kind, p->cfg[i]);

		if (p->fixed[i] && old && *old != *new)
			say(log, a, "%s, the head: %d -> %d outputs", p->g->nodes[i].id, *old, *new);
	}
	if (p->head >= 0 && b->at[p->head] >= 0) {
		const struct shape *old = graph_shape(p->g, p->g->nodes[p->head].in[0]);
		const struct shape *new = graph_shape(b->to, b->to->nodes[b->at[p->head]].in[0]);

		if (!shape_equal(old, new))
			say(log, a, "%s reads %s instead of %s", p->g->nodes[p->head].id, shape_text(is, new),
			    shape_text(was, old));
	}
}

static void say_all(struct retarget_log *log, const struct build *b, struct arena *a)
{
	const struct plan *p = b->p;
	char was[48], is[48], by[32];

	log->lines = ARENA_ARRAY(a, const char *, LINES_MAX);
	log->width = p->width;
	if (!shape_equal(&p->g->inputs[0].shape, &p->to->input))
		say(log, a, "input: %s %s -> %s %s", tensor_type_names[p->g->inputs[0].shape.type],
		    shape_text(was, &p->g->inputs[0].shape), tensor_type_names[p->to->input.type],
		    shape_text(is, &p->to->input));
	if (p->front != FRONT_NONE)
		say(log, a, "%s added before everything else%s", p->front == FRONT_FLATTEN ? "flatten" : "reshape",
		    p->front == FRONT_RESHAPE ? ": the columns of the image are the steps" : "");
	if (p->width != 1)
		say(log, a, "channels and units times %s", str_real(by, p->width));
	for (int i = 0; i < p->g->n_nodes; i++) {
		if (p->drop[i])
			say(log, a, "%s (%s) left out%s", p->g->nodes[i].id, layer_classes[p->g->nodes[i].kind]->name,
			    p->g->nodes[i].group < 0 ? "" : ": an identity stands in its place");
		else
			say_options(log, p, i, a);
		if (p->pool[i])
			say(log, a, "max pooling by %d added after %s: the input is larger", p->pool[i],
			    place_name(p->g, i));
	}
	say_head(log, b, a);
}

/* ---- the limit ------------------------------------------------------------------------------------------ */

static int64_t count_at(const struct graph *g, const struct retarget *to, double width, struct err *e)
{
	struct arena *trial = arena_new();
	struct build b;
	struct plan p;
	struct cost c;
	int64_t n = -1;

	if (attempt(&b, &p, g, to, width, trial, e) == 0 && graph_cost(b.to, &c, e) == 0)
		n = c.params;
	arena_free(trial);
	return n;
}

/* The largest width up to the one asked for that meets the limit, to a thousandth; -1 if none does. */
static double find_width(const struct graph *g, const struct retarget *to, struct err *e)
{
	double low = 0.001, high = to->width;
	int64_t n = count_at(g, to, high, e);
	char least[32], most[32];

	if (n < 0 || n <= to->max_params)
		return n < 0 ? -1 : high;
	n = count_at(g, to, low, e);
	if (n > to->max_params)
		ERR(e, ERR_INVALID, g->name, "has %s parameters at its narrowest: more than %s",
		    str_thousands(least, n), str_thousands(most, to->max_params));
	if (n < 0 || n > to->max_params)
		return -1;
	while (high - low > 0.0005) {
		double middle = floor((low + high) * 500 + 0.5) / 1000;

		if (middle <= low || middle >= high)
			break;
		n = count_at(g, to, middle, NULL);
		if (n >= 0 && n <= to->max_params)
			low = middle;
		else
			high = middle;
	}
	return low;
}

int graph_retarget(struct graph **out, struct retarget_log *log, const struct graph *g, const struct retarget *to,
		   struct arena *a, struct err *e)
{
	double width = to->width;
	struct build b;
	struct plan p;

	*log = (struct retarget_log){ 0 };
	if (g->n_inputs != 1 || g->n_outputs != 1)
		return ERR(e, ERR_INVALID, g->name,
			   "has %d inputs and %d outputs: only models with one of each can be "
			   "retargeted",
			   g->n_inputs, g->n_outputs);
	if (to->max_params && (width = find_width(g, to, e)) < 0)
		return -1;
	if (attempt(&b, &p, g, to, width, a, e) < 0)
		return -1;
	say_all(log, &b, a);
	*out = b.to;
	b.to->name = g->name ? arena_strdup(a, g->name) : NULL;
	b.to->note = g->note ? arena_strdup(a, g->note) : NULL;
	b.to->sources = g->sources ? arena_strdup(a, g->sources) : NULL;
	return 0;
}
