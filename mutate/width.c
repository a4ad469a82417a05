/* mutate/width.c - see width.h. */
#include "mutate/width.h"

#include "arch/kinds.h"
#include "arch/scale.h"
#include "base/mem.h"
#include "base/str.h"

enum { TIES_MAX = 4096 };

struct flood { /* over the tensors that have the same channels */
	struct draft *d;
	bool *seen; /* [n_nodes * LAYER_PORTS] */
	int *makers, n;
	bool stuck; /* reached what cannot be resized */
};

/* Whether a layer hands out as many channels as it reads, in the same order. */
static bool keeps_channels(struct draft *d, int node)
{
	const struct dnode *n = &d->nodes[node];
	struct shape in, out;

	switch (layer_classes[n->kind]->family) {
	case FAMILY_NORM:
	case FAMILY_POOL:
	case FAMILY_ACTIVATION:
	case FAMILY_DROPOUT:
		return true;
	case FAMILY_CONV:
		return n->kind == LAYER_depthwise2d && ((const struct depthwise2d *)n->cfg)->multiplier == 1;
	case FAMILY_RESHAPE:
		if (n->kind == LAYER_zeropad2d || n->kind == LAYER_upsample2d)
			return true;
		return n->kind == LAYER_reshape && draft_shape(d, n->in[0], &in) &&
		       draft_shape(d, (struct edge){ node, 0 }, &out) && in.d[0] == out.d[0];
	case FAMILY_OTHER:
		return n->kind == LAYER_identity || n->kind == LAYER_zero;
	case FAMILY_DENSE:
	case FAMILY_MERGE:
	case FAMILY_RECURRENT:
	case FAMILY_EMBEDDING:
	case FAMILY_COUNT:
		break;
	}
	return false;
}

static bool joins(const struct draft *d, int node)
{
	return d->nodes[node].kind == LAYER_add || d->nodes[node].kind == LAYER_multiply;
}

static void visit(struct flood *f, struct edge at);

static void visit_maker(struct flood *f, int node)
{
	struct draft *d = f->d;

	if (joins(d, node) || keeps_channels(d, node)) {
		for (int j = 0; j < d->nodes[node].n_in; j++)
			visit(f, d->nodes[node].in[j]);
		return;
	}
	if (!draft_width(d, node) || f->n == TIES_MAX) {
		f->stuck = true;
		return;
	}
	for (int i = 0; i < f->n; i++)
		if (f->makers[i] == node)
			return;
	f->makers[f->n++] = node;
}

static void visit(struct flood *f, struct edge at)
{
	struct draft *d = f->d;

	if (at.node < 0) {
		f->stuck = true;
		return;
	}
	if (f->seen[at.node * LAYER_PORTS + at.port])
		return;
	f->seen[at.node * LAYER_PORTS + at.port] = true;
	visit_maker(f, at.node);
	for (int k = 0; k < d->n_order; k++) {
		int i = d->order[k];

		for (int j = 0; j < d->nodes[i].n_in; j++)
			if (d->nodes[i].in[j].node == at.node && d->nodes[i].in[j].port == at.port &&
			    (joins(d, i) || keeps_channels(d, i)))
				visit(f, (struct edge){ i, 0 });
	}
}

/* All that share their parameters change together or not at all. */
static int check_shared(struct draft *d, const int *nodes, int n)
{
	for (int k = 0; k < d->n_order; k++) {
		int i = d->order[k], with = -1;
		bool member = false;

		for (int m = 0; m < n; m++) {
			int a = d->nodes[nodes[m]].share, b = d->nodes[i].share;

			member = member || nodes[m] == i;
			if (a == i || b == nodes[m] || (a >= 0 && a == b))
				with = nodes[m];
		}
		if (with >= 0 && !member)
			return draft_refuse(d, "%s shares its parameters with %s, which would keep its width",
					    draft_name(d, with), draft_name(d, i));
	}
	return 1;
}

static bool doubles(const struct draft *d, int node)
{
	const struct rnn *c = d->nodes[node].cfg;

	return layer_classes[d->nodes[node].kind]->family == FAMILY_RECURRENT && c->bidirectional;
}

int *width_tied(struct draft *d, int node, int *n)
{
	struct flood f = { .d = d };
	const char *why;

	if (!draft_width(d, node)) {
		draft_refuse(d, "%s has no width of its own", draft_name(d, node));
		return NULL;
	}
	f.seen = mem_new((size_t)d->n_nodes * LAYER_PORTS);
	f.makers = ARENA_ARRAY(d->arena, int, TIES_MAX);
	f.makers[f.n++] = node;
	for (int port = 0; port < (layer_classes[d->nodes[node].kind]->ports ? LAYER_PORTS : 1); port++)
		visit(&f, (struct edge){ node, port });
	mem_free(f.seen);
	for (int i = 0; i < f.n; i++)
		f.stuck = f.stuck || (f.n > 1 && doubles(d, f.makers[i]));
	if (f.stuck)
		f.n = 1;
	for (int i = 0; i < f.n; i++)
		if (draft_is_fixed(d, f.makers[i], &why)) {
			draft_refuse(d, "%s %s", draft_name(d, f.makers[i]), why);
			return NULL;
		}
	*n = f.n;
	return check_shared(d, f.makers, f.n) ? f.makers : NULL;
}

static int groups_of(enum layer_kind kind, const void *cfg)
{
	if (kind == LAYER_conv2d)
		return ((const struct conv2d *)cfg)->groups;
	return kind == LAYER_conv1d ? ((const struct conv1d *)cfg)->groups : 1;
}

int width_set(struct draft *d, const int *nodes, int n, int to, const int *from)
{
	for (int i = 0; i < n; i++) {
		int groups = groups_of(d->nodes[nodes[i]].kind, d->nodes[nodes[i]].cfg);

		if (to % groups)
			return draft_refuse(d, "%s: %d %s are not divisible into its %d groups",
					    draft_name(d, nodes[i]), to, width_unit(d->nodes[nodes[i]].kind), groups);
	}
	for (int i = 0; i < n; i++) {
		struct dnode *x = &d->nodes[nodes[i]];
		int *map = ARENA_ARRAY(d->arena, int, to);

		for (int k = 0; k < to; k++)
			map[k] = x->out_map ? x->out_map[from[k]] : from[k];
		x->out_map = map;
		x->n_out_map = to;
		*draft_width(d, nodes[i]) = to;
	}
	return 1;
}

const char *width_names(struct draft *d, const int *nodes, int n)
{
	struct str t = { 0 };
	const char *out;

	str_add(&t, draft_name(d, nodes[0]));
	for (int i = 1; i < n; i++)
		str_addf(&t, "%s%s", i == 1 ? " (and with it " : ", ", draft_name(d, nodes[i]));
	if (n > 1)
		str_addc(&t, ')');
	out = arena_strdup(d->arena, str_get(&t));
	str_release(&t);
	return out;
}

const char *width_unit(enum layer_kind kind)
{
	enum layer_family f = layer_classes[kind]->family;

	return f == FAMILY_CONV ? "channels" : f == FAMILY_EMBEDDING ? "features" : "units";
}

int width_of(const struct node *n, int *groups)
{
	const int *width = layer_width(n->kind, n->cfg);

	*groups = groups_of(n->kind, n->cfg);
	return width ? *width : 0;
}
