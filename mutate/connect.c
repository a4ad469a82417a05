/* mutate/connect.c - see connect.h. */
#include "mutate/connect.h"

#include "arch/kinds.h"

const char *const merge_kind_names[] = { "add", "concat", NULL };

void point_of(struct point *p, struct draft *d, struct place at)
{
	*p = (struct point){ .at = at, .last = at.node };
	if (at.node >= 0) {
		p->name = draft_name(d, at.node);
		p->scope = d->nodes[at.node].group;
		p->out = (struct edge){ at.node, 0 };
		return;
	}
	p->name = d->groups[at.group].id ? d->groups[at.group].id : d->groups[at.group].prefer;
	p->scope = d->groups[at.group].parent;
	p->out = d->groups[at.group].out[0];
	for (int k = 0; k < d->n_order; k++)
		if (draft_within_group(d, d->nodes[d->order[k]].group, at.group))
			p->last = d->order[k];
}

static bool is_edge(struct edge a, struct edge b)
{
	return a.node == b.node && a.port == b.port;
}

static bool inside(const struct draft *d, const struct point *p, int group)
{
	return p->at.group >= 0 && draft_within_group(d, group, p->at.group);
}

void point_redirect(struct draft *d, const struct point *p, struct edge to, int except)
{
	if (p->at.node >= 0) {
		draft_redirect(d, p->out, to, except);
		return;
	}
	for (int k = 0; k < d->n_order; k++) {
		struct dnode *n = &d->nodes[d->order[k]];

		for (int j = 0; j < n->n_in && d->order[k] != except && !inside(d, p, n->group); j++)
			if (is_edge(n->in[j], p->out))
				n->in[j] = to;
	}
	for (int b = 0; b < d->n_groups; b++) {
		for (int j = 0; j < d->groups[b].n_in && !inside(d, p, b); j++)
			if (is_edge(d->groups[b].in[j], p->out))
				d->groups[b].in[j] = to;
		for (int j = 0; j < d->groups[b].n_out && !inside(d, p, b); j++)
			if (is_edge(d->groups[b].out[j], p->out))
				d->groups[b].out[j] = to;
	}
	for (int k = 0; k < d->from->n_outputs; k++)
		if (is_edge(d->outputs[k], p->out))
			d->outputs[k] = to;
}

bool connect_fits(const struct shape *a, const struct shape *b, bool concat)
{
	return a->type == b->type && a->open == b->open && a->d[1] == b->d[1] && a->d[2] == b->d[2] &&
	       (concat || a->d[0] == b->d[0]);
}

/* The stride that takes `from` positions to `to` by windows of one, or 0. */
static int stride_of(int from, int to)
{
	for (int s = 1; s <= from && s <= 64; s++)
		if ((from - 1) / s + 1 == to)
			return s;
	return 0;
}

int connect_project(struct draft *d, struct edge from, const struct shape *to, bool concat, int after, int scope,
		    enum start start, struct edge *out)
{
	struct conv2d image = { 0 };
	struct conv1d line = { 0 };
	struct dense vector = { 0 };
	struct shape s = { 0 };
	int width, rows, columns, made;

	if (!draft_shape(d, from, &s) || s.type != to->type || s.open != to->open || s.type == TENSOR_TOKENS)
		return draft_refuse(d, "an output of another type cannot be projected: %s and %s",
				    tensor_type_names[s.type], tensor_type_names[to->type]);
	width = concat ? s.d[0] : to->d[0];
	rows = stride_of(s.d[1], to->d[1]);
	columns = s.type == TENSOR_IMAGE ? stride_of(s.d[2], to->d[2]) : 1;
	if (s.type != TENSOR_VECTOR && (!rows || !columns))
		return draft_refuse(d, "no stride takes %dx%d to %dx%d", s.d[1], s.d[2], to->d[1], to->d[2]);
	opt_defaults(&image, layer_classes[LAYER_conv2d]->opts);
	opt_defaults(&line, layer_classes[LAYER_conv1d]->opts);
	opt_defaults(&vector, layer_classes[LAYER_dense]->opts);
	image.filters = line.filters = vector.units = width;
	image.kernel = (struct opt_pair){ { 1, 1 } };
	image.stride = (struct opt_pair){ { rows, columns } };
	line.kernel = 1;
	line.stride = rows;
	image.bias = line.bias = vector.bias = false;
	made = s.type == TENSOR_IMAGE      ? draft_add(d, after, scope, LAYER_conv2d, &image, &from, 1)
	       : s.type == TENSOR_SEQUENCE ? draft_add(d, after, scope, LAYER_conv1d, &line, &from, 1)
					   : draft_add(d, after, scope, LAYER_dense, &vector, &from, 1);
	d->nodes[made].start = start;
	*out = (struct edge){ made, 0 };
	return 1;
}

int connect_merge(struct draft *d, const struct point *p, struct edge with, int after, bool concat)
{
	struct edge in[2] = { p->out, with };
	struct empty none = { 0 };
	int made = draft_add(d, after, p->scope, concat ? LAYER_concat : LAYER_add, &none, in, 2);

	point_redirect(d, p, (struct edge){ made, 0 }, made);
	return made;
}
