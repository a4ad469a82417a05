/* mutate/copies.c - see copies.h. */
#include "mutate/copies.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"

static bool same_edge(struct edge a, struct edge b)
{
	return a.node == b.node && a.port == b.port;
}

void copy_read_instead(struct draft *d, struct edge from, struct edge to, int n_nodes, int n_groups, int group)
{
	for (int i = 0; i < n_nodes; i++) {
		struct dnode *n = &d->nodes[i];

		if (n->gone || (group >= 0 && draft_within_group(d, n->group, group)))
			continue;
		for (int j = 0; j < n->n_in; j++)
			if (same_edge(n->in[j], from))
				n->in[j] = to;
	}
	for (int i = 0; i < n_groups; i++) {
		struct dgroup *b = &d->groups[i];

		if (b->gone || (group >= 0 && draft_within_group(d, i, group)))
			continue;
		for (int j = 0; j < b->n_in; j++)
			if (same_edge(b->in[j], from))
				b->in[j] = to;
		for (int j = 0; j < b->n_out; j++)
			if (same_edge(b->out[j], from))
				b->out[j] = to;
	}
	for (int i = 0; i < d->from->n_outputs; i++)
		if (same_edge(d->outputs[i], from))
			d->outputs[i] = to;
}

bool copy_has_sense(const struct graph *g, struct place at)
{
	const struct node *n;
	struct shape in[LAYER_INPUTS];

	if (at.node < 0)
		return g->groups[at.group].n_out == 1;
	n = &g->nodes[at.node];
	if (n->params == 0 || n->n_in != 1 || mutate_is_fixed(g, at.node, NULL))
		return false;
	if (layer_classes[n->kind]->family == FAMILY_NORM)
		return false;
	graph_in_shapes(g, at.node, in);
	return in[0].type == n->out[0].type;
}

/* ---- without the reduction ------------------------------------------------------------------------------ */

/* Stride 1, and paddings that keep the size. */
static bool calm_window(struct draft *d, int node)
{
	struct window w;
	bool changed = false;

	if (!draft_window(d, node, &w))
		return false;
	for (int axis = 0; axis < 2; axis++) {
		int total;

		if (!w.stride[axis] || *w.stride[axis] == 1)
			continue;
		total = (w.dilation[axis] ? *w.dilation[axis] : 1) * (*w.kernel[axis] - 1);
		*w.stride[axis] = 1;
		w.padding->side[axis] = total / 2;
		w.padding->side[axis + 2] = total - total / 2;
		changed = true;
	}
	return changed;
}

/* Whether what comes out is smaller than what goes in, in some direction of the positions. */
static bool reduces(struct draft *d, struct edge in, struct edge out)
{
	struct shape a, b;

	if (!draft_shape(d, in, &a) || !draft_shape(d, out, &b) || a.type != b.type)
		return false;
	for (int i = 1; i < shape_rank(&a); i++)
		if (b.d[i] < a.d[i])
			return true;
	return false;
}

/* ---- layers --------------------------------------------------------------------------------------------- */

static int copy_node(struct draft *d, int node, const char *name, struct place *copy)
{
	struct dnode *n = &d->nodes[node];
	struct edge from = { node, 0 };
	const char *why = NULL;
	struct shape unused;
	int made;

	if (draft_is_fixed(d, node, &why))
		return draft_refuse(d, "%s %s: a second one after it has no sense", name, why);
	if (n->n_in != 1)
		return draft_refuse(d, "%s reads %d tensors, and its copy would read only one", name, n->n_in);
	made = draft_add(d, node, n->group, n->kind, n->cfg, &from, 1);
	n = &d->nodes[node];
	d->nodes[made].frozen = n->frozen;
	d->nodes[made].device = n->device;
	if (layer_classes[n->kind]->family == FAMILY_CONV && reduces(d, n->in[0], from) && calm_window(d, made))
		draft_repair(d, "the copy of %s has stride 1: the size is reduced once", name);
	if (!draft_shape(d, (struct edge){ made, 0 }, &unused))
		return draft_refuse(d, "a second %s does not fit what %s hands out", layer_classes[n->kind]->name,
				    name);
	for (int port = 0; port < LAYER_PORTS; port++)
		copy_read_instead(d, (struct edge){ node, port }, (struct edge){ made, port }, made, d->n_groups, -1);
	*copy = (struct place){ made, -1 };
	return 1;
}

/* ---- blocks, from their definition ---------------------------------------------------------------------- */

bool copy_has_arguments(const struct graph *g, const char *block, const char *args)
{
	struct json *sources = NULL;
	bool has = args && strcmp(args, "{}") != 0 && g->sources &&
		   json_parse(&sources, g->sources, strlen(g->sources), "sources", NULL) == 0 &&
		   json_get(sources, block);

	json_free(sources);
	return has;
}

/* Its entry in "layers", with stride 1 if `calm`; NULL: it has no definition, or no stride that could be changed. */
static struct json *entry_of(const struct draft *d, int group, bool calm)
{
	const struct dgroup *b = &d->groups[group];
	struct json *args = NULL, *entry = NULL;

	if (!copy_has_arguments(d->from, b->block, b->args) || b->n_in != 1 ||
	    json_parse(&args, b->args, strlen(b->args), b->block, NULL) < 0)
		return NULL;
	if (!calm || json_get(args, "stride")) {
		if (calm)
			json_put(args, "stride", json_num(1));
		entry = json_object();
		json_put(entry, b->block, args);
	} else {
		json_free(args);
	}
	return entry;
}

/* ---- blocks that were edited: layer by layer ------------------------------------------------------------ */

struct cloning {
	struct draft *d;
	int group;       /* the original */
	int *node, *box; /* old -> new, -1 */
	struct edge in;  /* read in place of the original's first input */
};

static int clone_group(struct cloning *c, int group)
{
	struct draft *d = c->d;
	struct dgroup *b;

	if (c->box[group] >= 0)
		return c->box[group];
	c->box[group] = group == c->group ? d->groups[group].parent : clone_group(c, d->groups[group].parent);
	if (d->n_groups == d->cap_groups) {
		struct dgroup *more = ARENA_ARRAY(d->arena, struct dgroup, 2 * d->cap_groups + 4);

		memcpy(more, d->groups, (size_t)d->n_groups * sizeof *more);
		d->groups = more;
		d->cap_groups = 2 * d->cap_groups + 4;
	}
	b = &d->groups[d->n_groups];
	*b = d->groups[group];
	b->parent = c->box[group];
	b->id = b->prefer = NULL;
	b->named = false;
	b->origin = -1;
	return c->box[group] = d->n_groups++;
}

static struct edge clone_edge(const struct cloning *c, struct edge at)
{
	if (same_edge(at, c->d->groups[c->group].in[0]))
		return c->in;
	return at.node >= 0 && c->node[at.node] >= 0 ? (struct edge){ c->node[at.node], at.port } : at;
}

static struct edge *clone_edges(const struct cloning *c, const struct edge *at, int n)
{
	struct edge *out = ARENA_ARRAY(c->d->arena, struct edge, n + 1);

	for (int i = 0; i < n; i++)
		out[i] = clone_edge(c, at[i]);
	return out;
}

static int clone_nodes(struct cloning *c, int after, bool calm)
{
	struct draft *d = c->d;
	int *list = ARENA_ARRAY(d->arena, int, d->n_order + 1), n = 0, changed = 0;

	for (int k = 0; k < d->n_order; k++)
		if (draft_within_group(d, d->nodes[d->order[k]].group, c->group))
			list[n++] = d->order[k];
	for (int k = 0; k < n; k++) {
		struct dnode old = d->nodes[list[k]];
		int group = clone_group(c, old.group);

		after = draft_add(d, after, group, old.kind, old.cfg, clone_edges(c, old.in, old.n_in), old.n_in);
		c->node[list[k]] = after;
		d->nodes[after].frozen = old.frozen;
		d->nodes[after].device = old.device;
		d->nodes[after].share = old.share >= 0 ? c->node[old.share] : -1;
		changed += calm && calm_window(d, after);
	}
	return changed;
}

/* What the copied instances read and hand out. Building takes the arguments away where a stride was changed. */
static void settle_groups(struct cloning *c, int n_groups)
{
	for (int i = 0; i < n_groups; i++) {
		struct dgroup *b;

		if (c->box[i] < n_groups)
			continue;
		b = &c->d->groups[c->box[i]];
		b->in = clone_edges(c, b->in, b->n_in);
		b->out = clone_edges(c, b->out, b->n_out);
		b->args = c->d->groups[i].args;
	}
}

static void copy_cloned(struct draft *d, int group, bool calm, const char *name)
{
	struct cloning c = { .d = d, .group = group, .in = d->groups[group].out[0] };
	int n_groups = d->n_groups, n_nodes = d->n_nodes, changed;

	c.node = ARENA_ARRAY(d->arena, int, n_nodes);
	c.box = ARENA_ARRAY(d->arena, int, n_groups);
	memset(c.node, -1, (size_t)n_nodes * sizeof *c.node);
	memset(c.box, -1, (size_t)n_groups * sizeof *c.box);
	changed = clone_nodes(&c, c.in.node, calm);
	settle_groups(&c, n_groups);
	if (changed)
		draft_repair(d, "the copy of %s has stride 1: the size is reduced once", name);
}

static bool holds_fixed(const struct draft *d, int group, const char **why)
{
	for (int k = 0; k < d->n_order; k++)
		if (draft_within_group(d, d->nodes[d->order[k]].group, group) && draft_is_fixed(d, d->order[k], why))
			return true;
	return false;
}

bool copy_is_whole(const struct draft *d, int group)
{
	const struct dgroup *b = &d->groups[group];

	for (int j = 0; j < b->n_out; j++)
		if (b->out[j].node < 0 || d->nodes[b->out[j].node].gone ||
		    !draft_within_group(d, d->nodes[b->out[j].node].group, group))
			return false;
	return b->n_in > 0 && b->n_out > 0;
}

static int copy_group(struct draft *d, int group, const char *name, struct place *copy, struct err *e)
{
	const struct dgroup *b = &d->groups[group];
	int n_nodes = d->n_nodes, n_groups = d->n_groups, rc = 1;
	struct edge out, last;
	const char *why = NULL;
	struct json *entry;
	bool calm;

	if (holds_fixed(d, group, &why))
		return draft_refuse(d, "%s %s: a second one after it has no sense", name, why);
	if (!copy_is_whole(d, group))
		return draft_refuse(d, "an earlier edit has taken %s apart", name);
	if (b->n_out != 1)
		return draft_refuse(d, "%s hands out %d tensors, and its copy would read only one", name, b->n_out);
	out = b->out[0];
	calm = reduces(d, b->in[0], out);
	entry = entry_of(d, group, calm);
	if (entry) {
		rc = draft_expand(d, entry, out.node, b->parent, out, &last, e);
		if (rc > 0 && calm)
			draft_repair(d, "the copy of %s has stride 1: the size is reduced once", name);
	} else {
		copy_cloned(d, group, calm, name);
	}
	json_free(entry);
	if (rc <= 0)
		return rc;
	*copy = (struct place){ -1, n_groups };
	copy_read_instead(d, out, d->groups[n_groups].out[0], n_nodes, n_groups, group);
	return 1;
}

int copy_after(struct draft *d, struct place at, const char *name, struct place *copy, struct err *e)
{
	return at.node >= 0 ? copy_node(d, at.node, name, copy) : copy_group(d, at.group, name, copy, e);
}
