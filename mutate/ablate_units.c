/* mutate/ablate_units.c - layers, blocks, kinds and groups of a model as units; see ablate_units.h. */
#include "mutate/ablate_units.h"

#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

struct ablate_unit *ablate_unit_add(struct ablate_units *u, enum ablate_by by, const char *name)
{
	struct ablate_unit *unit;

	GROW(u->items, u->n, u->cap);
	unit = &u->items[u->n++];
	*unit = (struct ablate_unit){ .by = by, .name = name };
	return unit;
}

void ablate_unit_id(struct ablate_units *u, struct ablate_unit *unit, const char *id)
{
	const char **more = ARENA_ARRAY(u->arena, const char *, unit->n_ids + 1);

	if (unit->n_ids)
		memcpy(more, unit->ids, (size_t)unit->n_ids * sizeof *more);
	more[unit->n_ids++] = id;
	unit->ids = more;
}

void ablate_units_release(struct ablate_units *u)
{
	mem_free(u->items);
}

static bool named(const struct ablate_opts *o, const char *name)
{
	for (int i = 0; i < o->n_only; i++)
		if (strcmp(o->only[i], name) == 0)
			return true;
	return false;
}

/* ---- layers and blocks ---------------------------------------------------------------------------------- */

static void one(struct ablate_units *u, enum ablate_by by, const char *id)
{
	ablate_unit_id(u, ablate_unit_add(u, by, id), id);
}

/* A block inside another one is a unit only where it is asked for by its id. */
static void find_blocks(struct ablate_units *u)
{
	for (int i = 0; i < u->graph->n_groups; i++)
		if (u->graph->groups[i].parent < 0 || named(u->opts, u->graph->groups[i].id))
			one(u, ABLATE_BLOCK, u->graph->groups[i].id);
}

static void find_layers(struct ablate_units *u)
{
	for (int i = 0; i < u->graph->n_nodes; i++)
		one(u, ABLATE_LAYER, u->graph->nodes[i].id);
}

/* All layers of a kind, the classifier apart. */
static void find_kinds(struct ablate_units *u)
{
	const struct graph *g = u->graph;

	for (int k = 0; k < LAYER_KIND_COUNT; k++) {
		struct ablate_unit *unit = NULL;
		const char *why = NULL;

		for (int i = 0; i < g->n_nodes; i++) {
			if ((int)g->nodes[i].kind != k)
				continue;
			if (!unit)
				unit = ablate_unit_add(u, ABLATE_OP, layer_classes[k]->name);
			if (!mutate_is_fixed(g, i, &why))
				ablate_unit_id(u, unit, g->nodes[i].id);
		}
		if (unit && !unit->n_ids)
			unit->refusal = why;
	}
}

/* ---- groups --------------------------------------------------------------------------------------------- */

struct span {
	int first, end; /* nodes [first, end) */
};

static int suggest(const struct ablate_units *u, const char *id, const char *where, struct err *e)
{
	const struct graph *g = u->graph;
	const char **names = mem_new((size_t)(g->n_nodes + g->n_groups + 1) * sizeof *names), *near;
	int n = 0, rc;

	for (int i = 0; i < g->n_groups; i++)
		names[n++] = g->groups[i].id;
	for (int i = 0; i < g->n_nodes; i++)
		names[n++] = g->nodes[i].id;
	near = str_nearest(id, names, n);
	rc = ERR(e, ERR_USAGE, where, "no layer or block is called \"%s\"%s%s%s", id, near ? " (did you mean " : "",
		 near ? near : "", near ? "?)" : "");
	mem_free(names);
	return rc;
}

static int span_of(const struct ablate_units *u, const char *id, const char *where, struct span *out, struct err *e)
{
	struct place p;

	if (!mutate_place(&p, u->graph, id))
		return suggest(u, id, where, e);
	if (p.node >= 0)
		*out = (struct span){ p.node, p.node + 1 };
	else
		*out = (struct span){ u->graph->groups[p.group].first,
				      u->graph->groups[p.group].first + u->graph->groups[p.group].n };
	return 0;
}

/* The largest blocks and single layers that make up the nodes of the span. A flatten stays: what is left needs it. */
static void add_span(struct ablate_units *u, struct ablate_unit *unit, struct span s)
{
	const struct graph *g = u->graph;

	for (int i = s.first; i < s.end;) {
		int group = g->nodes[i].group, whole = -1;

		for (; group >= 0; group = g->groups[group].parent)
			if (g->groups[group].first == i && i + g->groups[group].n <= s.end)
				whole = group;
		if (whole >= 0 || g->nodes[i].kind != LAYER_flatten)
			ablate_unit_id(u, unit, whole >= 0 ? g->groups[whole].id : g->nodes[i].id);
		i += whole >= 0 ? g->groups[whole].n : 1;
	}
}

static int add_member(struct ablate_units *u, struct ablate_unit *unit, char *text, const char *where, struct err *e)
{
	char *dots = strstr(text, "..");
	struct span from, to;
	struct place p;

	if (!dots) {
		if (!mutate_place(&p, u->graph, text))
			return suggest(u, text, where, e);
		ablate_unit_id(u, unit, text);
		return 0;
	}
	*dots = 0;
	if (span_of(u, text, where, &from, e) < 0 || span_of(u, dots + 2, where, &to, e) < 0)
		return -1;
	if (to.end <= from.first)
		return ERR(e, ERR_USAGE, where, "%s does not come after %s", dots + 2, text);
	add_span(u, unit, (struct span){ from.first, to.end });
	return 0;
}

static int add_group(struct ablate_units *u, const char *text, struct err *e)
{
	char *copy = arena_strdup(u->arena, text), *list = strchr(copy, '='), *save = NULL;
	struct ablate_unit *unit;

	if (!list || list == copy || !list[1])
		return ERR(e, ERR_USAGE, "--group", "write NAME=ID,ID or NAME=FIRST..LAST, not \"%s\"", text);
	*list++ = 0;
	unit = ablate_unit_add(u, ABLATE_GROUP, copy);
	for (char *s = strtok_r(list, ",", &save); s; s = strtok_r(NULL, ",", &save))
		if (add_member(u, unit, s, "--group", e) < 0)
			return -1;
	return unit->n_ids ? 0 : ERR(e, ERR_USAGE, "--group", "\"%s\" names no layer", text);
}

/* ---- --only --------------------------------------------------------------------------------------------- */

static bool of_kind(const struct ablate_units *u, const struct ablate_unit *unit, const char *kind)
{
	int node = unit->by == ABLATE_LAYER ? graph_find(u->graph, unit->name) : -1;
	int group = unit->by == ABLATE_BLOCK ? graph_find_group(u->graph, unit->name) : -1;

	return (node >= 0 && strcmp(layer_classes[u->graph->nodes[node].kind]->name, kind) == 0) ||
	       (group >= 0 && strcmp(u->graph->groups[group].block, kind) == 0);
}

static bool wanted(const struct ablate_units *u, const struct ablate_unit *unit, bool *used)
{
	bool any = false;

	for (int i = 0; i < u->opts->n_only; i++) {
		const char *name = u->opts->only[i];

		if (strcmp(name, unit->name) == 0 || of_kind(u, unit, name))
			used[i] = any = true;
	}
	return any;
}

static int no_such_unit(const struct ablate_units *all, const char *name, struct err *e)
{
	const char **names = mem_new((size_t)(all->n + 1) * sizeof *names), *near;
	int rc;

	for (int i = 0; i < all->n; i++)
		names[i] = all->items[i].name;
	near = str_nearest(name, names, all->n);
	rc = ERR(e, ERR_USAGE, "--only", "\"%s\" is no unit of this model by what --by says%s%s%s", name,
		 near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
	mem_free(names);
	return rc;
}

static int keep_wanted(struct ablate_units *u, struct err *e)
{
	bool *used = mem_new((size_t)u->opts->n_only + 1), *keep = mem_new((size_t)u->n + 1);
	int kept = 0, rc = 0;

	for (int i = 0; i < u->n; i++)
		keep[i] = wanted(u, &u->items[i], used);
	for (int i = 0; i < u->opts->n_only && rc == 0; i++)
		if (!used[i])
			rc = no_such_unit(u, u->opts->only[i], e);
	for (int i = 0; i < u->n; i++)
		if (keep[i])
			u->items[kept++] = u->items[i];
	u->n = kept;
	mem_free(used);
	mem_free(keep);
	return rc;
}

int ablate_units_find(struct ablate_units *u, struct err *e)
{
	const struct ablate_opts *o = u->opts;

	if (o->by & 1U << ABLATE_LAYER)
		find_layers(u);
	if (o->by & 1U << ABLATE_BLOCK)
		find_blocks(u);
	if (o->by & 1U << ABLATE_OP)
		find_kinds(u);
	for (int i = 0; o->by & 1U << ABLATE_GROUP && i < o->n_groups; i++)
		if (add_group(u, o->groups[i], e) < 0)
			return -1;
	if (o->by & 1U << ABLATE_FEATURE)
		ablate_features_find(u);
	return o->only ? keep_wanted(u, e) : 0;
}
