/* mutate/draft.c - a model taken apart: the primitives that operators are made of. See draft.h. */
#include "mutate/draft.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "arch/kinds.h"
#include "arch/scale.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "space/space.h"

enum { CFG_MAX = 1024 };

static void *copied(struct arena *a, const void *p, size_t bytes)
{
	void *q = arena_alloc(a, bytes ? bytes : 1);

	return bytes ? memcpy(q, p, bytes) : q;
}

static struct dnode node_of(struct arena *a, const struct node *n, int i)
{
	return (struct dnode){ .kind = n->kind,
			       .cfg = copied(a, n->cfg, layer_classes[n->kind]->cfg_size),
			       .id = n->id,
			       .in = copied(a, n->in, (size_t)n->n_in * sizeof *n->in),
			       .n_in = n->n_in,
			       .group = n->group,
			       .share = n->share,
			       .frozen = n->frozen,
			       .device = n->device,
			       .origin = i,
			       .given = n->cfg };
}

static struct dgroup group_of(struct arena *a, const struct group *b, int i)
{
	return (struct dgroup){ .id = b->id,
				.block = b->block,
				.args = b->args,
				.parent = b->parent,
				.in = copied(a, b->in, (size_t)b->n_in * sizeof *b->in),
				.out = copied(a, b->out, (size_t)b->n_out * sizeof *b->out),
				.in_names = copied(a, b->in_names, (size_t)b->n_in * sizeof *b->in_names),
				.out_names = copied(a, b->out_names, (size_t)b->n_out * sizeof *b->out_names),
				.n_in = b->n_in,
				.n_out = b->n_out,
				.origin = i };
}

struct draft *draft_new(const struct graph *g, const struct mutate_env *env, struct mutate_log *log, struct arena *a)
{
	static const struct mutate_env none;
	struct draft *d = ARENA_NEW(a, struct draft);

	*d = (struct draft){ .arena = a, .from = g, .env = env ? env : &none, .log = log };
	d->n_nodes = d->n_order = g->n_nodes;
	d->n_groups = g->n_groups;
	d->cap_nodes = d->cap_order = g->n_nodes + 16;
	d->cap_groups = g->n_groups + 4;
	d->nodes = ARENA_ARRAY(a, struct dnode, d->cap_nodes);
	d->groups = ARENA_ARRAY(a, struct dgroup, d->cap_groups);
	d->order = ARENA_ARRAY(a, int, d->cap_order);
	d->outputs = ARENA_ARRAY(a, struct edge, g->n_outputs);
	for (int i = 0; i < g->n_nodes; i++) {
		d->nodes[i] = node_of(a, &g->nodes[i], i);
		d->order[i] = i;
	}
	for (int i = 0; i < g->n_groups; i++)
		d->groups[i] = group_of(a, &g->groups[i], i);
	for (int i = 0; i < g->n_outputs; i++)
		d->outputs[i] = g->outputs[i].from;
	return d;
}

/* ---- what is said about it ------------------------------------------------------------------------------ */

static const char *print_text(struct arena *a, const char *fmt, va_list ap)
{
	struct str t = { 0 };
	const char *s;

	str_vaddf(&t, fmt, ap);
	s = arena_strdup(a, str_get(&t));
	str_release(&t);
	return s;
}

int draft_refuse(struct draft *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (!d->log->refusal)
		d->log->refusal = print_text(d->arena, fmt, ap);
	va_end(ap);
	return 0;
}

void draft_words(struct draft *d, const char *fmt, ...)
{
	const char *more, *before = d->log->words;
	va_list ap;

	va_start(ap, fmt);
	more = print_text(d->arena, fmt, ap);
	va_end(ap);
	d->log->words = before && before[0] ? arena_printf(d->arena, "%s; %s", before, more) : more;
}

void draft_repair(struct draft *d, const char *fmt, ...)
{
	struct mutate_log *log = d->log;
	const char *line;
	va_list ap;

	va_start(ap, fmt);
	line = print_text(d->arena, fmt, ap);
	va_end(ap);
	if ((log->n_repairs & (log->n_repairs + 1)) == 0) { /* full at 0, 1, 3, 7 ... */
		const char **more = ARENA_ARRAY(d->arena, const char *, 2 * log->n_repairs + 2);

		if (log->n_repairs)
			memcpy(more, log->repairs, (size_t)log->n_repairs * sizeof *more);
		log->repairs = more;
	}
	log->repairs[log->n_repairs++] = line;
}

static const char *group_name(const struct draft *d, int group)
{
	const struct dgroup *b = &d->groups[group];

	if (b->id)
		return b->id;
	if (!b->named)
		return arena_printf(d->arena, "the new %s", b->block);
	return b->parent < 0 ? b->prefer : arena_printf(d->arena, "%s__%s", group_name(d, b->parent), b->prefer);
}

const char *draft_name(const struct draft *d, int node)
{
	const struct dnode *n = &d->nodes[node];

	if (n->id)
		return n->id;
	if (!n->named)
		return arena_printf(d->arena, "the new %s", layer_classes[n->kind]->name);
	return n->group < 0 ? n->prefer : arena_printf(d->arena, "%s__%s", group_name(d, n->group), n->prefer);
}

/* ---- names ---------------------------------------------------------------------------------------------- */

/* Neither the parent nor what was added has this id, and no input in reach is called so. */
static bool is_free(const struct draft *d, int group, const char *local)
{
	const char *flat = group < 0 ? local : arena_printf(d->arena, "%s__%s", group_name(d, group), local);

	if (graph_find(d->from, flat) >= 0 || graph_find_group(d->from, flat) >= 0)
		return false;
	for (int i = d->from->n_nodes; i < d->n_nodes; i++)
		if (d->nodes[i].named && d->nodes[i].group == group && strcmp(d->nodes[i].prefer, local) == 0)
			return false;
	for (int i = d->from->n_groups; i < d->n_groups; i++)
		if (d->groups[i].named && d->groups[i].parent == group && strcmp(d->groups[i].prefer, local) == 0)
			return false;
	for (int i = 0; i < (group < 0 ? d->from->n_inputs : d->groups[group].n_in); i++)
		if (strcmp(group < 0 ? d->from->inputs[i].name : d->groups[group].in_names[i], local) == 0)
			return false;
	return true;
}

static const char *free_name(const struct draft *d, int group, const char *prefer, const char *stem)
{
	const char *name = prefer;

	for (int n = 1; !name || !is_free(d, group, name); n++)
		name = arena_printf(d->arena, "%s_%d", stem, n);
	return name;
}

void draft_name_new(struct draft *d)
{
	for (int i = d->from->n_groups; i < d->n_groups; i++) {
		struct dgroup *b = &d->groups[i];

		if (!b->named && !b->gone)
			b->prefer = free_name(d, b->parent, b->prefer, b->block);
		b->named = !b->gone;
	}
	for (int i = d->from->n_nodes; i < d->n_nodes; i++) {
		struct dnode *n = &d->nodes[i];

		if (!n->named && !n->gone)
			n->prefer = free_name(d, n->group, n->prefer, layer_classes[n->kind]->name);
		n->named = !n->gone;
	}
}

static const char *nearest_id(struct draft *d, const char *id)
{
	int n = d->n_nodes + d->n_groups, k = 0;
	const char **names = ARENA_ARRAY(d->arena, const char *, n);

	for (int i = 0; i < d->n_nodes; i++)
		if (!d->nodes[i].gone && (d->nodes[i].id || d->nodes[i].named))
			names[k++] = draft_name(d, i);
	for (int i = 0; i < d->n_groups; i++)
		if (!d->groups[i].gone && (d->groups[i].id || d->groups[i].named))
			names[k++] = group_name(d, i);
	return str_nearest(id, names, k);
}

int draft_find(struct draft *d, struct place *out, const char *id, struct err *e)
{
	const char *near;

	for (int i = 0; i < d->n_nodes; i++) {
		if ((!d->nodes[i].id && !d->nodes[i].named) || strcmp(draft_name(d, i), id))
			continue;
		*out = (struct place){ i, -1 };
		return d->nodes[i].gone ? ERR(e, ERR_INVALID, NULL, "\"%s\" is gone: an earlier edit removed it", id)
					: 0;
	}
	for (int i = 0; i < d->n_groups; i++) {
		if ((!d->groups[i].id && !d->groups[i].named) || strcmp(group_name(d, i), id))
			continue;
		*out = (struct place){ -1, i };
		return d->groups[i].gone ? ERR(e, ERR_INVALID, NULL, "\"%s\" is gone: an earlier edit removed it", id)
					 : 0;
	}
	near = nearest_id(d, id);
	return ERR(e, ERR_INVALID, NULL, "there is no layer or block \"%.80s\"%s%s%s", id,
		   near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
}

bool draft_is_fixed(const struct draft *d, int node, const char **why)
{
	int origin = d->nodes[node].origin;

	return origin >= 0 && mutate_is_fixed(d->from, origin, why);
}

/* ---- looking -------------------------------------------------------------------------------------------- */

bool draft_within_group(const struct draft *d, int group, int outer)
{
	while (group >= 0 && group != outer)
		group = d->groups[group].parent;
	return group == outer;
}

int draft_readers(const struct draft *d, struct edge at)
{
	int n = 0;

	for (int k = 0; k < d->n_order; k++) {
		const struct dnode *r = &d->nodes[d->order[k]];

		for (int j = 0; j < r->n_in; j++)
			n += r->in[j].node == at.node && r->in[j].port == at.port;
	}
	for (int i = 0; i < d->from->n_outputs; i++)
		n += d->outputs[i].node == at.node && d->outputs[i].port == at.port;
	return n;
}

int draft_depth(const struct draft *d, struct edge at)
{
	int *depth = mem_new((size_t)d->n_nodes * sizeof *depth + 1), result;

	for (int k = 0; k < d->n_order; k++) {
		const struct dnode *n = &d->nodes[d->order[k]];

		depth[d->order[k]] = 1;
		for (int j = 0; j < n->n_in; j++)
			if (n->in[j].node >= 0 && depth[n->in[j].node] >= depth[d->order[k]])
				depth[d->order[k]] = depth[n->in[j].node] + 1;
	}
	result = at.node < 0 ? 0 : depth[at.node];
	mem_free(depth);
	return result;
}

bool draft_shape(struct draft *d, struct edge at, struct shape *out)
{
	struct shape(*table)[LAYER_PORTS], in[LAYER_INPUTS];
	_Alignas(16) char cfg[CFG_MAX];
	bool *known, fits = at.node < 0;

	if (at.node < 0) {
		*out = d->from->inputs[-1 - at.node].shape;
		return true;
	}
	table = mem_new((size_t)d->n_nodes * sizeof *table);
	known = mem_new((size_t)d->n_nodes);
	for (int k = 0; k < d->n_order && !known[at.node]; k++) {
		int i = d->order[k];
		const struct dnode *n = &d->nodes[i];
		const struct layer_class *c = layer_classes[n->kind];

		known[i] = n->n_in >= c->min_in && n->n_in <= c->max_in;
		for (int j = 0; j < n->n_in && known[i]; j++) {
			known[i] = n->in[j].node < 0 || known[n->in[j].node];
			in[j] = n->in[j].node < 0 ? d->from->inputs[-1 - n->in[j].node].shape
						  : table[n->in[j].node][n->in[j].port];
		}
		memcpy(cfg, n->cfg, c->cfg_size);
		known[i] = known[i] && c->shape(cfg, in, n->n_in, table[i], NULL) == 0;
	}
	fits = known[at.node];
	*out = table[at.node][at.port];
	mem_free(table);
	mem_free(known);
	return fits;
}

/* Whether every operand of `node` is computed from operand j. */
static bool is_root(const struct draft *d, int node, int j)
{
	struct edge from = d->nodes[node].in[j];
	bool *after = mem_new((size_t)d->n_nodes + 1), all = true;

	for (int k = 0; k < d->n_order; k++) {
		const struct dnode *n = &d->nodes[d->order[k]];

		after[d->order[k]] = d->order[k] == from.node;
		for (int i = 0; i < n->n_in; i++)
			if (n->in[i].node == from.node || (n->in[i].node >= 0 && after[n->in[i].node]))
				after[d->order[k]] = true;
	}
	for (int i = 0; i < d->nodes[node].n_in; i++) {
		struct edge at = d->nodes[node].in[i];

		all = all && (at.node == from.node || (at.node >= 0 && after[at.node]));
	}
	mem_free(after);
	return all;
}

int draft_main_operand(const struct draft *d, int node)
{
	const struct dnode *n = &d->nodes[node];
	int best = 0;

	for (int j = 0; n->kind == LAYER_multiply && j < n->n_in; j++)
		if (is_root(d, node, j))
			return j;
	for (int j = 1; j < n->n_in; j++)
		if (draft_depth(d, n->in[j]) > draft_depth(d, n->in[best]))
			best = j;
	return best;
}

/* ---- primitives ----------------------------------------------------------------------------------------- */

void draft_touch(struct draft *d, int group)
{
	for (; group >= 0; group = d->groups[group].parent)
		d->groups[group].args = NULL;
}

static bool same_edge(struct edge a, struct edge b)
{
	return a.node == b.node && a.port == b.port;
}

void draft_redirect(struct draft *d, struct edge from, struct edge to, int except)
{
	for (int k = 0; k < d->n_order; k++) {
		struct dnode *n = &d->nodes[d->order[k]];

		for (int j = 0; j < n->n_in && d->order[k] != except; j++) {
			if (!same_edge(n->in[j], from))
				continue;
			n->in[j] = to;
			/* what its group reads from outside may be another tensor without its inside changing */
			if (n->group >= 0 && from.node >= 0 &&
			    draft_within_group(d, d->nodes[from.node].group, n->group))
				draft_touch(d, n->group);
		}
	}
	for (int i = 0; i < d->n_groups; i++) {
		struct dgroup *b = &d->groups[i];

		for (int j = 0; j < b->n_in; j++)
			if (same_edge(b->in[j], from) &&
			    (to.node < 0 || !draft_within_group(d, d->nodes[to.node].group, i)))
				b->in[j] = to;
		for (int j = 0; j < b->n_out; j++)
			if (same_edge(b->out[j], from))
				b->out[j] = to;
	}
	for (int i = 0; i < d->from->n_outputs; i++)
		if (same_edge(d->outputs[i], from))
			d->outputs[i] = to;
}

void draft_divert(struct draft *d, struct edge from, struct edge to, int inside, int first_node, int first_group)
{
	int home = to.node < 0 ? -1 : d->nodes[to.node].group;

	for (int k = 0; k < d->n_order; k++) {
		struct dnode *n = &d->nodes[d->order[k]];

		if (d->order[k] >= first_node || (inside >= 0 && draft_within_group(d, n->group, inside)))
			continue;
		for (int j = 0; j < n->n_in; j++)
			if (same_edge(n->in[j], from))
				n->in[j] = to;
	}
	for (int i = 0; i < d->n_groups && i < first_group; i++) {
		struct dgroup *b = &d->groups[i];
		bool around = draft_within_group(d, home, i); /* then `to` is one of its own */

		if (inside >= 0 && draft_within_group(d, i, inside))
			continue;
		for (int j = 0; j < b->n_in; j++)
			if (!around && same_edge(b->in[j], from))
				b->in[j] = to;
		for (int j = 0; j < b->n_out; j++)
			if (around && same_edge(b->out[j], from))
				b->out[j] = to;
	}
	for (int i = 0; i < d->from->n_outputs; i++)
		if (same_edge(d->outputs[i], from))
			d->outputs[i] = to;
}

void draft_divert_one(struct draft *d, struct place at, struct edge to)
{
	struct edge from = draft_place_in(d, at);

	if (at.node >= 0) {
		d->nodes[at.node].in[0] = to;
		draft_touch(d, d->nodes[at.node].group);
		return;
	}
	for (int k = 0; k < d->n_order; k++) {
		struct dnode *n = &d->nodes[d->order[k]];

		for (int j = 0; j < n->n_in && draft_within_group(d, n->group, at.group); j++)
			if (same_edge(n->in[j], from))
				n->in[j] = to;
	}
	for (int i = 0; i < d->n_groups; i++)
		for (int j = 0; j < d->groups[i].n_in && draft_within_group(d, i, at.group); j++)
			if (same_edge(d->groups[i].in[j], from))
				d->groups[i].in[j] = to;
}

struct edge draft_place_in(const struct draft *d, struct place at)
{
	return at.node >= 0 ? d->nodes[at.node].in[0] : d->groups[at.group].in[0];
}

struct edge draft_place_out(const struct draft *d, struct place at)
{
	struct edge out;

	if (at.node >= 0)
		return (struct edge){ at.node, 0 };
	return draft_only_output(d, at.group, &out) == 0 ? out : d->groups[at.group].out[0];
}

int draft_place_group(const struct draft *d, struct place at)
{
	return at.node >= 0 ? d->nodes[at.node].group : d->groups[at.group].parent;
}

bool draft_in_place(const struct draft *d, int node, struct place at)
{
	return at.node >= 0 ? node == at.node : draft_within_group(d, d->nodes[node].group, at.group);
}

int draft_place_last(const struct draft *d, struct place at)
{
	for (int k = d->n_order - 1; k >= 0; k--)
		if (draft_in_place(d, d->order[k], at))
			return d->order[k];
	return -1;
}

const char *draft_place_name(const struct draft *d, struct place at)
{
	return at.node >= 0 ? draft_name(d, at.node) : group_name(d, at.group);
}

static int order_of(const struct draft *d, int node)
{
	for (int k = 0; k < d->n_order; k++)
		if (d->order[k] == node)
			return k;
	return -1;
}

static void drop_node(struct draft *d, int node)
{
	int k = order_of(d, node);

	d->nodes[node].gone = true;
	draft_touch(d, d->nodes[node].group);
	if (k >= 0)
		memmove(&d->order[k], &d->order[k + 1], (size_t)(--d->n_order - k) * sizeof *d->order);
}

static int readers_before(const struct graph *g, int node)
{
	int n = 0;

	for (int i = 0; i < g->n_nodes; i++)
		for (int j = 0; j < g->nodes[i].n_in; j++)
			n += g->nodes[i].in[j].node == node;
	for (int i = 0; i < g->n_outputs; i++)
		n += g->outputs[i].from.node == node;
	return n;
}

void draft_prune(struct draft *d)
{
	int *readers = mem_new((size_t)d->n_nodes * sizeof *readers + 1);

	for (int k = 0; k < d->n_order; k++)
		for (int j = 0; j < d->nodes[d->order[k]].n_in; j++)
			if (d->nodes[d->order[k]].in[j].node >= 0)
				readers[d->nodes[d->order[k]].in[j].node]++;
	for (int i = 0; i < d->from->n_outputs; i++)
		if (d->outputs[i].node >= 0)
			readers[d->outputs[i].node]++;
	for (int k = d->n_order - 1; k >= 0; k--) {
		int i = d->order[k], origin = d->nodes[i].origin;

		if (readers[i] || (origin == i && !readers_before(d->from, origin)))
			continue;
		for (int j = 0; j < d->nodes[i].n_in; j++)
			if (d->nodes[i].in[j].node >= 0)
				readers[d->nodes[i].in[j].node]--;
		draft_repair(d, "%s went too: nothing reads it any more", draft_name(d, i));
		drop_node(d, i);
	}
	mem_free(readers);
}

void draft_drop_place(struct draft *d, struct place at)
{
	for (int k = d->n_order - 1; k >= 0; k--)
		if (draft_in_place(d, d->order[k], at))
			drop_node(d, d->order[k]);
	for (int i = 0; i < d->n_groups && at.group >= 0; i++)
		if (draft_within_group(d, i, at.group))
			d->groups[i].gone = true;
	draft_prune(d);
}

void draft_bypass(struct draft *d, int node, int keep)
{
	struct edge to = d->nodes[node].in[keep];

	for (int port = 0; port < LAYER_PORTS; port++)
		draft_redirect(d, (struct edge){ node, port }, to, -1);
	drop_node(d, node);
	draft_prune(d);
}

int draft_only_output(const struct draft *d, int group, struct edge *out)
{
	int found = 0;

	for (int j = 0; j < d->groups[group].n_out; j++) {
		struct edge at = d->groups[group].out[j];
		int inside = 0;

		for (int k = 0; k < d->n_order; k++)
			for (int m = 0; m < d->nodes[d->order[k]].n_in; m++)
				inside += same_edge(d->nodes[d->order[k]].in[m], at) &&
					  draft_within_group(d, d->nodes[d->order[k]].group, group);
		if (draft_readers(d, at) == inside || (found && same_edge(*out, at)))
			continue;
		*out = at;
		found++;
	}
	return found == 1 ? 0 : -1;
}

int draft_bypass_group(struct draft *d, int group)
{
	struct edge out, to = d->groups[group].in[0];
	const char *why = NULL;

	for (int k = 0; k < d->n_order; k++) {
		int i = d->order[k];

		if (draft_within_group(d, d->nodes[i].group, group) && draft_is_fixed(d, i, &why))
			return draft_refuse(d, "%s: %s %s", group_name(d, group), draft_name(d, i), why);
	}
	if (draft_only_output(d, group, &out) < 0)
		return draft_refuse(d, "%s: several of its outputs are read, nothing can stand for them",
				    group_name(d, group));
	if (to.node < 0 && d->from->inputs[-1 - to.node].shape.type == TENSOR_TOKENS)
		return draft_refuse(d, "%s reads tokens, and what reads it cannot", group_name(d, group));
	draft_redirect(d, out, to, -1);
	draft_drop_place(d, (struct place){ -1, group });
	return 1;
}

/* Where in the order a layer of `group` stands that comes after node `after`. */
static int position(const struct draft *d, int after, int group)
{
	int k;

	while (after >= 0 && d->nodes[after].gone)
		after = d->nodes[after].n_in ? d->nodes[after].in[0].node : -1;
	k = after < 0 ? -1 : order_of(d, after);
	if (after >= 0 && draft_within_group(d, d->nodes[after].group, group)) {
		int child = d->nodes[after].group; /* of the group: its nodes stand together */

		while (child != group && d->groups[child].parent != group)
			child = d->groups[child].parent;
		while (child != group && k + 1 < d->n_order &&
		       draft_within_group(d, d->nodes[d->order[k + 1]].group, child))
			k++;
		return k + 1;
	}
	for (int i = 0; i < d->n_order; i++)
		if (draft_within_group(d, d->nodes[d->order[i]].group, group))
			return i;
	return group < 0 ? 0 : position(d, after, d->groups[group].parent);
}

static void *grown(struct arena *a, const void *p, int n, int *cap, size_t size)
{
	void *q = arena_alloc(a, (size_t)(2 * *cap + 8) * size);

	if (n)
		memcpy(q, p, (size_t)n * size);
	*cap = 2 * *cap + 8;
	return q;
}

int draft_add(struct draft *d, int after, int group, enum layer_kind kind, const void *cfg, const struct edge *in,
	      int n_in)
{
	int at = position(d, after, group), node = d->n_nodes;
	size_t size = layer_classes[kind]->cfg_size;

	if (d->n_nodes == d->cap_nodes)
		d->nodes = grown(d->arena, d->nodes, d->n_nodes, &d->cap_nodes, sizeof *d->nodes);
	if (d->n_order == d->cap_order)
		d->order = grown(d->arena, d->order, d->n_order, &d->cap_order, sizeof *d->order);
	d->nodes[d->n_nodes++] = (struct dnode){ .kind = kind,
						 .cfg = copied(d->arena, cfg, size),
						 .given = copied(d->arena, cfg, size),
						 .in = copied(d->arena, in, (size_t)n_in * sizeof *in),
						 .n_in = n_in,
						 .group = group,
						 .share = -1,
						 .origin = -1 };
	memmove(&d->order[at + 1], &d->order[at], (size_t)(d->n_order++ - at) * sizeof *d->order);
	d->order[at] = node;
	draft_touch(d, group);
	return node;
}

bool draft_window(struct draft *d, int node, struct window *w)
{
	void *cfg = d->nodes[node].cfg;

	*w = (struct window){ .pool = layer_classes[d->nodes[node].kind]->family == FAMILY_POOL };
	switch ((int)d->nodes[node].kind) {
	case LAYER_conv2d: {
		struct conv2d *c = cfg;

		*w = (struct window){ { c->kernel.v, c->kernel.v + 1 },
				      { c->stride.v, c->stride.v + 1 },
				      { c->dilation.v, c->dilation.v + 1 },
				      &c->padding,
				      false };
		return true;
	}
	case LAYER_depthwise2d: {
		struct depthwise2d *c = cfg;

		*w = (struct window){ { c->kernel.v, c->kernel.v + 1 },
				      { c->stride.v, c->stride.v + 1 },
				      { c->dilation.v, c->dilation.v + 1 },
				      &c->padding,
				      false };
		return true;
	}
	case LAYER_conv1d: {
		struct conv1d *c = cfg;

		*w = (struct window){
			{ NULL, &c->kernel }, { NULL, &c->stride }, { NULL, &c->dilation }, &c->padding, false
		};
		return true;
	}
	case LAYER_maxpool2d:
	case LAYER_avgpool2d: {
		struct pool2d *c = cfg;

		*w = (struct window){ { c->size.v, c->size.v + 1 },
				      { c->stride.v, c->stride.v + 1 },
				      { NULL, NULL },
				      &c->padding,
				      true };
		return true;
	}
	case LAYER_maxpool1d:
	case LAYER_avgpool1d: {
		struct pool1d *c = cfg;

		*w = (struct window){ { NULL, &c->size }, { NULL, &c->stride }, { NULL, NULL }, &c->padding, true };
		return true;
	}
	}
	return false;
}

bool draft_set_kernel(struct draft *d, int node, int rows, int columns)
{
	const int size[2] = { rows, columns };
	struct window w;

	if (!draft_window(d, node, &w))
		return false;
	for (int axis = 0; axis < 2; axis++) {
		int *pad = w.padding->side, dilation = w.dilation[axis] ? *w.dilation[axis] : 1, total;

		if (!w.kernel[axis])
			continue;
		total = pad[axis] + pad[axis + 2];
		if (total == dilation * (*w.kernel[axis] - 1)) {
			total = dilation * (size[axis] - 1);
			pad[axis] = total / 2;
			pad[axis + 2] = total - total / 2;
		}
		if (w.pool && *w.stride[axis] == *w.kernel[axis])
			*w.stride[axis] = size[axis];
		*w.kernel[axis] = size[axis];
	}
	return true;
}

int *draft_width(struct draft *d, int node)
{
	return layer_width(d->nodes[node].kind, d->nodes[node].cfg);
}
