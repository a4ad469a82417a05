/* mutate/build.c - a draft becomes a graph: order, ports of blocks, sharing, ids, and the record of what followed. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "arch/kinds.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "mutate/draft.h"

static bool same_edge(struct edge a, struct edge b)
{
	return a.node == b.node && a.port == b.port;
}

/* ---- order ---------------------------------------------------------------------------------------------- */

/* Items of a scope are its own layers and its inner blocks; a block counts as one. Each stands where it stood, but
 * after what it reads. */
struct sorter {
	struct draft *d;
	int *out, n;
	char *state; /* [n_nodes + n_groups]: 0 to do, 1 being placed, 2 placed */
	bool cycle;
};

/* The item of scope `group` that holds a node: a node index, or n_nodes + group; -1 if it is outside. */
static int item_of(const struct draft *d, int node, int group)
{
	int at = d->nodes[node].group, below = -1;

	while (at >= 0 && at != group) {
		below = at;
		at = d->groups[at].parent;
	}
	return at != group ? -1 : below < 0 ? node : d->n_nodes + below;
}

static void place_item(struct sorter *s, int item, int scope);

static void place_reads(struct sorter *s, int node, int scope, int self)
{
	const struct dnode *n = &s->d->nodes[node];

	for (int j = 0; j < n->n_in; j++) {
		int item = n->in[j].node < 0 ? -1 : item_of(s->d, n->in[j].node, scope);

		if (item >= 0 && item != self)
			place_item(s, item, scope);
	}
}

static void place_item(struct sorter *s, int item, int scope)
{
	struct draft *d = s->d;
	int group = item - d->n_nodes;

	if (s->state[item] == 1)
		s->cycle = true;
	if (s->state[item])
		return;
	s->state[item] = 1;
	if (group < 0) {
		place_reads(s, item, scope, item);
		s->out[s->n++] = item;
	} else {
		for (int k = 0; k < d->n_order; k++)
			if (draft_within_group(d, d->nodes[d->order[k]].group, group))
				place_reads(s, d->order[k], scope, item);
		for (int k = 0; k < d->n_order; k++)
			if (draft_within_group(d, d->nodes[d->order[k]].group, group))
				place_item(s, item_of(d, d->order[k], group), group);
	}
	s->state[item] = 2;
}

int draft_sort(struct draft *d)
{
	struct sorter s = { .d = d };

	s.out = mem_new((size_t)d->n_nodes * sizeof *s.out + 1);
	s.state = mem_new((size_t)(d->n_nodes + d->n_groups) + 1);
	for (int k = 0; k < d->n_order; k++)
		place_item(&s, item_of(d, d->order[k], -1), -1);
	assert(s.cycle || s.n == d->n_order);
	if (!s.cycle)
		memcpy(d->order, s.out, (size_t)s.n * sizeof *s.out);
	mem_free(s.out);
	mem_free(s.state);
	return s.cycle ? draft_refuse(d, "the layers would form a cycle") : 1;
}

/* ---- ports of blocks ------------------------------------------------------------------------------------ */

/* Whether an edge leaves from inside `group` (a model input does not). */
static bool from_inside(const struct draft *d, struct edge at, int group)
{
	return at.node >= 0 && draft_within_group(d, d->nodes[at.node].group, group);
}

static bool name_in_use(const struct draft *d, int group, const char *name, bool input)
{
	const struct dgroup *b = &d->groups[group];

	for (int j = 0; j < (input ? b->n_in : b->n_out); j++)
		if (strcmp(input ? b->in_names[j] : b->out_names[j], name) == 0)
			return true;
	for (int i = 0; input && i < d->n_nodes; i++) /* an input's name would hide a layer's id */
		if (!d->nodes[i].gone && d->nodes[i].group == group) {
			const char *id = draft_name(d, i), *local = id + strlen(id);

			while (local > id && !(local[-1] == '_' && local - 2 >= id && local[-2] == '_'))
				local--;
			if (strcmp(local, name) == 0)
				return true;
		}
	return false;
}

static void add_port(struct draft *d, int group, struct edge at, bool input)
{
	struct dgroup *b = &d->groups[group];
	struct edge **edges = input ? &b->in : &b->out, *more;
	const char ***names = input ? &b->in_names : &b->out_names, **more_names, *name = input ? "in" : "out";
	int *n = input ? &b->n_in : &b->n_out;

	for (int j = 0; j < *n; j++)
		if (same_edge((*edges)[j], at))
			return;
	for (int k = 2; name_in_use(d, group, name, input); k++)
		name = arena_printf(d->arena, "%s%d", input ? "in" : "out", k);
	more = ARENA_ARRAY(d->arena, struct edge, *n + 1);
	more_names = ARENA_ARRAY(d->arena, const char *, *n + 1);
	if (*n) {
		memcpy(more, *edges, (size_t)*n * sizeof *more);
		memcpy(more_names, *names, (size_t)*n * sizeof *more_names);
	}
	more[*n] = at;
	more_names[(*n)++] = name;
	*edges = more;
	*names = more_names;
	draft_touch(d, group);
}

static bool read_inside(const struct draft *d, struct edge at, int group)
{
	for (int k = 0; k < d->n_order; k++) {
		const struct dnode *n = &d->nodes[d->order[k]];

		for (int j = 0; j < n->n_in && draft_within_group(d, n->group, group); j++)
			if (same_edge(n->in[j], at))
				return true;
	}
	return false;
}

/* Keeps the ports that `stays` says; new arrays, as those of copied blocks may be shared. */
static int keep_ports(struct draft *d, struct edge **edges, const char ***names, int n, const bool *stays)
{
	struct edge *left = ARENA_ARRAY(d->arena, struct edge, n);
	const char **left_names = ARENA_ARRAY(d->arena, const char *, n);
	int k = 0;

	for (int j = 0; j < n; j++) {
		if (!stays[j])
			continue;
		left[k] = (*edges)[j];
		left_names[k++] = (*names)[j];
	}
	*edges = left;
	*names = left_names;
	return k;
}

/* Ports that lead nowhere any more go; an input that an unedited block does not read stays as long as it exists. */
static void drop_ports(struct draft *d, int group)
{
	struct dgroup *b = &d->groups[group];
	int n_in = b->n_in, n_out = b->n_out;
	bool *stays = mem_new((size_t)(n_in > n_out ? n_in : n_out) + 1);

	for (int j = 0; j < n_in; j++) {
		bool exists = b->in[j].node < 0 || !d->nodes[b->in[j].node].gone;

		stays[j] = exists && !from_inside(d, b->in[j], group) && (b->args || read_inside(d, b->in[j], group));
	}
	b->n_in = keep_ports(d, &b->in, &b->in_names, n_in, stays);
	for (int j = 0; j < n_out; j++)
		stays[j] = from_inside(d, b->out[j], group) && !d->nodes[b->out[j].node].gone;
	b->n_out = keep_ports(d, &b->out, &b->out_names, n_out, stays);
	if (b->n_in < n_in || b->n_out < n_out)
		draft_touch(d, group);
	mem_free(stays);
}

/* Every edge that crosses the border of a block is one of its ports. */
static void connect_ports(struct draft *d)
{
	for (int k = 0; k < d->n_order; k++) {
		const struct dnode *n = &d->nodes[d->order[k]];

		for (int j = 0; j < n->n_in; j++) {
			for (int b = n->group; b >= 0; b = d->groups[b].parent)
				if (!from_inside(d, n->in[j], b))
					add_port(d, b, n->in[j], true);
			for (int b = n->in[j].node < 0 ? -1 : d->nodes[n->in[j].node].group; b >= 0;
			     b = d->groups[b].parent)
				if (!draft_within_group(d, n->group, b))
					add_port(d, b, n->in[j], false);
		}
	}
	for (int i = 0; i < d->from->n_outputs; i++)
		for (int b = d->outputs[i].node < 0 ? -1 : d->nodes[d->outputs[i].node].group; b >= 0;
		     b = d->groups[b].parent)
			add_port(d, b, d->outputs[i], false);
}

static int port_of(const struct edge *ports, int n, struct edge at)
{
	for (int j = 0; j < n; j++)
		if (same_edge(ports[j], at))
			return j;
	return -1;
}

/* An edge of the parent is still the same one as seen from within the block: the same inner layer, or its same port. */
static bool same_within(const struct draft *d, int group, struct edge was, struct edge now)
{
	const struct group *before = &d->from->groups[group];
	const struct dgroup *b = &d->groups[group];

	if (from_inside(d, was, group) || from_inside(d, now, group))
		return same_edge(was, now);
	return port_of(before->in, before->n_in, was) == port_of(b->in, b->n_in, now);
}

/* The layer, or what it reads, is not what the arguments of the block around it say. */
static bool changed_inside(const struct draft *d, int node, int group)
{
	const struct dnode *n = &d->nodes[node];
	const struct node *was = n->origin == node ? &d->from->nodes[node] : NULL;

	if (memcmp(n->cfg, n->given, layer_classes[n->kind]->cfg_size))
		return true;
	if (!was || d->groups[group].origin != group)
		return false;
	if (was->n_in != n->n_in || was->frozen != n->frozen || was->share != n->share)
		return true;
	for (int j = 0; j < n->n_in; j++)
		if (!same_within(d, group, was->in[j], n->in[j]))
			return true;
	return false;
}

static void settle_groups(struct draft *d)
{
	bool *used = mem_new((size_t)d->n_groups + 1);

	for (int k = 0; k < d->n_order; k++)
		for (int b = d->nodes[d->order[k]].group; b >= 0; b = d->groups[b].parent) {
			used[b] = true;
			if (changed_inside(d, d->order[k], b))
				draft_touch(d, b);
		}
	for (int b = 0; b < d->n_groups; b++) {
		d->groups[b].gone = !used[b];
		if (used[b])
			drop_ports(d, b);
	}
	mem_free(used);
	connect_ports(d);
	for (int b = 0; b < d->n_groups;
	     b++) /* nothing reads a block that was a dead end: it hands out its last layer */
		for (int k = d->n_order - 1; !d->groups[b].gone && !d->groups[b].n_out; k--)
			if (draft_within_group(d, d->nodes[d->order[k]].group, b))
				add_port(d, b, (struct edge){ d->order[k], 0 }, false);
}

/* ---- emission ------------------------------------------------------------------------------------------- */

struct emitter {
	struct draft *d;
	struct graph *g;
	int *at;  /* draft node -> node of g, or -1 */
	int *box; /* open instances, outermost first: draft groups */
	int n_open;
	struct err *why;
};

static const char *local_id(const char *flat)
{
	const char *s = flat, *next;

	while ((next = strstr(s, "__")))
		s = next + 2;
	return s;
}

static struct edge mapped(const struct emitter *m, struct edge at)
{
	return at.node < 0 ? at : (struct edge){ m->at[at.node], at.port };
}

static const struct edge *map_edges(const struct emitter *m, const struct edge *at, int n)
{
	struct edge *out = ARENA_ARRAY(m->d->arena, struct edge, n);

	for (int i = 0; i < n; i++)
		out[i] = mapped(m, at[i]);
	return out;
}

static int close_to(struct emitter *m, int group)
{
	while (m->n_open && !draft_within_group(m->d, group, m->box[m->n_open - 1])) {
		const struct dgroup *b = &m->d->groups[m->box[--m->n_open]];

		if (graph_block_end(m->g, b->out_names, map_edges(m, b->out, b->n_out), b->n_out, m->why) < 0)
			return -1;
	}
	return 0;
}

static int open_to(struct emitter *m, int group)
{
	const struct dgroup *b;

	if (group < 0 || (m->n_open && m->box[m->n_open - 1] == group))
		return 0;
	b = &m->d->groups[group];
	if (open_to(m, b->parent) < 0)
		return -1;
	m->box[m->n_open++] = group;
	return graph_block_begin(m->g, b->block, b->args ? b->args : "{}", b->id ? local_id(b->id) : b->prefer,
				 b->in_names, map_edges(m, b->in, b->n_in), b->n_in, m->why);
}

static int emit_node(struct emitter *m, int i)
{
	const struct dnode *n = &m->d->nodes[i];
	int at;

	if (close_to(m, n->group) < 0 || open_to(m, n->group) < 0)
		return -1;
	at = graph_add(m->g, n->kind, n->cfg, map_edges(m, n->in, n->n_in), n->n_in,
		       n->id ? local_id(n->id) : n->prefer, m->why);
	if (at < 0)
		return -1;
	m->at[i] = at;
	m->g->nodes[at].frozen = n->frozen;
	m->g->nodes[at].device = n->device;
	return 0;
}

/* The first survivor of those that share their parameters owns them; who differs now has its own. Whether anything
 * was changed. */
static bool settle_share(struct emitter *m)
{
	struct draft *d = m->d;
	int *owner = mem_new((size_t)d->n_nodes * sizeof *owner + 1);
	bool changed = false;

	for (int i = 0; i < d->n_nodes; i++)
		owner[i] = -1;
	for (int k = 0; k < d->n_order; k++) {
		int i = d->order[k], root = d->nodes[i].share >= 0 ? d->nodes[i].share : i;

		if (owner[root] < 0) {
			owner[root] = i;
			changed = changed || d->nodes[i].share >= 0;
			d->nodes[i].share = -1;
			continue;
		}
		changed = changed || d->nodes[i].share != owner[root];
		d->nodes[i].share = owner[root];
		if (graph_share(m->g, m->at[i], m->at[owner[root]], NULL) == 0)
			continue;
		d->nodes[i].share = -1;
		changed = true;
		draft_repair(d, "%s has parameters of its own: those of %s do not fit it any more", draft_name(d, i),
			     draft_name(d, owner[root]));
	}
	mem_free(owner);
	return changed;
}

static const char *sources_of(const struct draft *d)
{
	struct json *all = NULL;
	struct str text = { 0 };
	const char *out;

	if (!d->sources)
		return d->from->sources ? arena_strdup(d->arena, d->from->sources) : NULL;
	if (!d->from->sources || json_parse(&all, d->from->sources, strlen(d->from->sources), "sources", NULL) < 0)
		all = json_object();
	JSON_EACH(def, d->sources)
		if (!json_get(all, json_key(def)))
			json_put(all, json_key(def), json_copy(def));
	json_print(&text, all);
	out = arena_strdup(d->arena, str_get(&text));
	str_release(&text);
	json_free(all);
	return out;
}

static int emit(struct emitter *m, bool *again)
{
	const struct graph *from = m->d->from;

	m->g = graph_new(m->d->arena);
	m->n_open = 0;
	for (int i = 0; i < from->n_inputs; i++)
		if (graph_input(m->g, from->inputs[i].name, &from->inputs[i].shape, m->why) < 0)
			return -1;
	for (int k = 0; k < m->d->n_order; k++)
		if (emit_node(m, m->d->order[k]) < 0)
			return -1;
	if (close_to(m, -1) < 0)
		return -1;
	for (int k = 0; k < from->n_outputs; k++)
		if (graph_output(m->g, from->outputs[k].name, from->outputs[k].task, from->outputs[k].classes,
				 mapped(m, m->d->outputs[k]), m->why) < 0)
			return -1;
	*again = settle_share(m);
	m->g->name = from->name ? arena_strdup(m->d->arena, from->name) : NULL;
	m->g->note = from->note ? arena_strdup(m->d->arena, from->note) : NULL;
	m->g->sources = sources_of(m->d);
	return graph_finish(m->g, m->why);
}

/* ---- what followed -------------------------------------------------------------------------------------- */

static const char *followed(enum layer_kind kind)
{
	switch (layer_classes[kind]->family) {
	case FAMILY_CONV:
		return "input channels";
	case FAMILY_DENSE:
	case FAMILY_RECURRENT:
		return "features";
	case FAMILY_NORM:
		return "channels";
	case FAMILY_POOL:
	case FAMILY_ACTIVATION:
	case FAMILY_DROPOUT:
	case FAMILY_MERGE:
	case FAMILY_RESHAPE:
	case FAMILY_EMBEDDING:
	case FAMILY_OTHER:
	case FAMILY_COUNT:
		break;
	}
	return NULL;
}

/* Layers with parameters that see another number of channels than in the parent. */
static void record_followers(struct emitter *m)
{
	struct draft *d = m->d;

	for (int k = 0; k < d->n_order; k++) {
		int i = d->order[k];
		const struct node *now = &m->g->nodes[m->at[i]], *was;
		int a, b;

		if (d->nodes[i].origin != i || !followed(now->kind) || !now->n_in)
			continue;
		was = &d->from->nodes[i];
		a = graph_shape(d->from, was->in[0])->d[0];
		b = graph_shape(m->g, now->in[0])->d[0];
		if (a != b)
			draft_repair(d, "%s: %d -> %d %s", now->id, a, b, followed(now->kind));
	}
}

int draft_build(struct graph **out, struct draft *d, int **at, struct err *e)
{
	struct err why = { 0 };
	struct emitter m = { .d = d, .why = &why };
	bool again;

	(void)e;
	if (d->log->refusal)
		return 0;
	draft_prune(d);
	if (!d->n_order)
		return draft_refuse(d, "no layer would be left");
	if (!draft_sort(d) || !draft_settle(d) || !draft_sort(d))
		return 0;
	draft_name_new(d);
	m.at = ARENA_ARRAY(d->arena, int, d->n_nodes);
	m.box = ARENA_ARRAY(d->arena, int, d->n_groups);
	memset(m.at, -1, (size_t)d->n_nodes * sizeof *m.at);
	do { /* sharing is known after the shapes, and what a block is called after its sharing */
		settle_groups(d);
		if (emit(&m, &again) < 0)
			return draft_refuse(d, "%s%s%s", why.where, why.where[0] ? ": " : "", why.msg);
	} while (again);
	record_followers(&m);
	if (at)
		*at = m.at;
	*out = m.g;
	return 1;
}
