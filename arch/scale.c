/* arch/scale.c - the same design at another size: image sides and channel counts scaled (fidelity of a search). */
#include <math.h>
#include <string.h>

#include "arch/graph.h"
#include "arch/kinds.h"
#include "arch/scale.h"
#include "base/mem.h"

struct scaler {
	const struct graph *from;
	struct graph *to;
	double width;
	bool *fixed; /* [n_nodes] its width is what an output needs */
};

static int scaled(int n, double by, int multiple)
{
	int k = (int)lround(n * by / multiple);

	return (k < 1 ? 1 : k) * multiple;
}

void scale_fixed(const struct graph *g, bool *fixed)
{
	for (int k = 0; k < g->n_outputs; k++)
		if (g->outputs[k].from.node >= 0)
			fixed[g->outputs[k].from.node] = true;
	for (int i = g->n_nodes - 1; i >= 0; i--) {
		enum layer_family f = layer_classes[g->nodes[i].kind]->family;
		bool keeps = f != FAMILY_CONV && f != FAMILY_DENSE && f != FAMILY_RECURRENT && f != FAMILY_EMBEDDING;

		for (int j = 0; fixed[i] && keeps && j < g->nodes[i].n_in; j++)
			if (g->nodes[i].in[j].node >= 0)
				fixed[g->nodes[i].in[j].node] = true;
	}
}

int *layer_width(enum layer_kind kind, void *cfg)
{
	switch (layer_classes[kind]->family) {
	case FAMILY_CONV: /* a depthwise convolution follows its input */
		return kind == LAYER_conv2d   ? &((struct conv2d *)cfg)->filters
		       : kind == LAYER_conv1d ? &((struct conv1d *)cfg)->filters
					      : NULL;
	case FAMILY_DENSE:
		return &((struct dense *)cfg)->units;
	case FAMILY_RECURRENT:
		return &((struct rnn *)cfg)->units;
	case FAMILY_EMBEDDING:
		return &((struct embedding *)cfg)->features;
	case FAMILY_POOL:
	case FAMILY_NORM:
	case FAMILY_ACTIVATION:
	case FAMILY_DROPOUT:
	case FAMILY_MERGE:
	case FAMILY_RESHAPE:
	case FAMILY_OTHER:
	case FAMILY_COUNT:
		break;
	}
	return NULL;
}

void scale_width(enum layer_kind kind, void *cfg, double by)
{
	int *width = layer_width(kind, cfg);
	int groups = kind == LAYER_conv2d   ? ((struct conv2d *)cfg)->groups
		     : kind == LAYER_conv1d ? ((struct conv1d *)cfg)->groups
					    : 1;

	if (width)
		*width = scaled(*width, by, groups);
}

static const char *local(const struct graph *g, const char *flat, int group)
{
	return group < 0 ? flat : flat + strlen(g->groups[group].id) + 2;
}

/* A reshape keeps its other sides and lets the first follow what arrives. */
static void follow_input(const struct graph *to, const struct node *n, void *cfg)
{
	struct opt_ints *v = &((struct reshape *)cfg)->shape;
	int64_t others = 1, count = shape_count(graph_shape(to, n->in[0]));

	if (n->kind != LAYER_reshape)
		return;
	for (int i = 1; i < v->n; i++)
		others *= v->v[i];
	if (count % others == 0 && count / others <= SHAPE_DIM_MAX)
		v->v[0] = (int)(count / others);
}

/* Closes the instances that end at node i and opens those that begin there. */
static int cross_blocks(struct scaler *s, int i, struct err *e)
{
	const struct graph *g = s->from;

	while (s->to->open_group >= 0) {
		const struct group *b = &g->groups[s->to->open_group];

		if (i < b->first + b->n)
			break;
		if (graph_block_end(s->to, b->out_names, b->out, b->n_out, e) < 0)
			return -1;
	}
	for (int k = s->to->n_groups; k < g->n_groups && g->groups[k].first == i; k++) {
		const struct group *b = &g->groups[k];

		if (graph_block_begin(s->to, b->block, s->width == 1 ? b->args : "{}", local(g, b->id, b->parent),
				      b->in_names, b->in, b->n_in, e) < 0)
			return -1;
	}
	return 0;
}

static int copy_node(struct scaler *s, int i, struct err *e)
{
	const struct node *n = &s->from->nodes[i];
	const struct layer_class *k = layer_classes[n->kind];
	_Alignas(16) char cfg[1024];
	int at;

	memcpy(cfg, n->cfg, k->cfg_size);
	if (!s->fixed[i] && s->width != 1)
		scale_width(n->kind, cfg, s->width);
	follow_input(s->to, n, cfg);
	if (cross_blocks(s, i, e) < 0)
		return -1;
	at = graph_add(s->to, n->kind, cfg, n->in, n->n_in, local(s->from, n->id, n->group), e);
	if (at < 0 || (n->share >= 0 && graph_share(s->to, at, n->share, e) < 0)) {
		err_within(e, n->id);
		return -1;
	}
	s->to->nodes[at].frozen = n->frozen;
	s->to->nodes[at].device = n->device;
	return 0;
}

int graph_scale(struct graph **out, const struct graph *g, double image, double width, struct arena *a, struct err *e)
{
	struct scaler s = { g, graph_new(a), width, mem_new((size_t)g->n_nodes + 1) };
	int rc = -1;

	scale_fixed(g, s.fixed);
	for (int i = 0; i < g->n_inputs; i++) {
		struct shape shape = g->inputs[i].shape;

		if (shape.type == TENSOR_IMAGE) {
			shape.d[1] = scaled(shape.d[1], image, 1);
			shape.d[2] = scaled(shape.d[2], image, 1);
		}
		TRY(graph_input(s.to, g->inputs[i].name, &shape, e));
	}
	for (int i = 0; i < g->n_nodes; i++)
		TRY(copy_node(&s, i, e));
	TRY(cross_blocks(&s, g->n_nodes, e));
	for (int k = 0; k < g->n_outputs; k++)
		TRY(graph_output(s.to, g->outputs[k].name, g->outputs[k].task, g->outputs[k].classes,
				 g->outputs[k].from, e));
	TRY(graph_finish(s.to, e));
	s.to->name = g->name ? arena_strdup(a, g->name) : NULL;
	s.to->note = g->note ? arena_strdup(a, g->note) : NULL;
	s.to->sources = g->sources ? arena_strdup(a, g->sources) : NULL;
	*out = s.to;
	rc = 0;
out:
	mem_free(s.fixed);
	return rc;
}
