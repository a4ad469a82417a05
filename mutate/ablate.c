/* mutate/ablate.c - the plan of an ablation; see ablate.h.
 *
 * Every child is a list of "remove" edits (mutate/op_remove.c) of the parent, applied in one go, or the parent with
 * another recipe. A child that cannot be made, or that would be a model that is in the plan already, stays in it with
 * its reason: nothing is left out in silence.
 */
#include "mutate/ablate.h"

#include <assert.h>
#include <string.h>

#include "arch/graph.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "mutate/ablate_match.h"
#include "mutate/ablate_units.h"

const char *const ablate_by_names[] = { "layer", "block", "op", "group", "feature", NULL };
const char *const ablate_match_names[] = { "none", "params", "macs", NULL };
_Static_assert(sizeof ablate_by_names / sizeof *ablate_by_names == ABLATE_BY_COUNT + 1, "a name per kind of unit");

struct planner {
	const struct graph *graph;
	const struct ablate_opts *opts;
	const struct mutate_env *env;
	struct arena *arena;
	struct ablate_unit *units;
	struct ablate_child *children; /* child i is unit i; pairs and controls follow */
	int n, cap;
};

static struct ablate_child *add_child(struct planner *p, enum ablate_by by, const char *unit)
{
	struct ablate_child *c;

	GROW(p->children, p->n, p->cap);
	c = &p->children[p->n++];
	*c = (struct ablate_child){ .by = by, .unit = unit, .first = -1, .second = -1, .control_of = -1 };
	return c;
}

static bool label_taken(const struct planner *p, const char *label)
{
	for (int i = 0; i < p->n; i++)
		if (p->children[i].label && strcmp(p->children[i].label, label) == 0)
			return true;
	return false;
}

static const char *free_label(const struct planner *p, const char *label)
{
	const char *out = label;

	for (int i = 2; label_taken(p, out); i++)
		out = arena_printf(p->arena, "%s-%d", label, i);
	return out;
}

static void drop_json(void *v)
{
	json_free(v);
}

static struct json *no_edits(const struct planner *p)
{
	struct json *list = json_array();

	arena_defer(p->arena, drop_json, list);
	return list;
}

/* ---- edits ---------------------------------------------------------------------------------------------- */

static void push_removals(struct json *edits, const struct ablate_unit *u)
{
	for (int i = 0; i < u->n_ids; i++) {
		struct json *edit = json_push(edits, json_object());

		json_put(edit, "remove", json_str(u->ids[i]));
	}
}

/* Applies removals. What cannot be applied, for whatever reason, is a refusal: the ids are the model's own. */
static void apply(struct planner *p, struct ablate_child *c, const struct json *edits)
{
	struct diag d = { 0 };
	struct json_in in = { edits, &d, NULL };
	struct graph *g = NULL;
	int rc = mutate_apply(&g, p->graph, edits, p->env, &c->log, p->arena, &in);

	if (rc < 0)
		c->log.refusal = arena_strdup(p->arena, d.n ? d.items[0].msg : "cannot be removed");
	else if (rc == 0 && c->log.n_repairs) /* the repair put back what was removed, or did not get further */
		c->log.refusal = arena_printf(p->arena, "%s (%s)", c->log.refusal, c->log.repairs[0]);
	c->graph = rc > 0 ? g : NULL;
	diag_release(&d);
}

static bool same_recipe(const struct json *a, const struct json *b)
{
	return a && b ? json_equal(a, b) : !a && !b;
}

static bool same_graph(const struct graph *a, const struct graph *b)
{
	struct hash128 x = graph_hash(a), y = graph_hash(b);

	return x.lo == y.lo && x.hi == y.hi;
}

static void refuse(struct ablate_child *c, const char *why)
{
	c->log.refusal = why;
	c->graph = NULL;
}

/* Refuses what would not be a new model, or too large a one. */
static void check(struct planner *p, struct ablate_child *c)
{
	struct cost cost;

	for (int i = 0; i < p->n; i++) {
		const struct ablate_child *o = &p->children[i];

		if (o == c || !o->graph || o->control_of >= 0 || !same_recipe(o->recipe, c->recipe) ||
		    !same_graph(o->graph, c->graph))
			continue;
		refuse(c, arena_printf(p->arena, "gives the same model as %s", o->label));
		return;
	}
	if (graph_cost(c->graph, &cost, NULL) < 0)
		refuse(c, "its parameters cannot be counted");
	else if (p->opts->max_params && cost.params > p->opts->max_params)
		refuse(c, arena_printf(p->arena, "would have %lld parameters, more than the %lld allowed",
				       (long long)cost.params, (long long)p->opts->max_params));
}

/* ---- single units --------------------------------------------------------------------------------------- */

/* One line for what would be a list of a dozen. */
static const char *words_of(struct planner *p, const struct ablate_unit *u, const char *listed)
{
	if (u->n_ids <= 3)
		return listed;
	if (u->by == ABLATE_GROUP)
		return arena_printf(p->arena, "removed %s (%d layers and blocks)", u->name, u->n_ids);
	if (strcmp(u->name, "skip") == 0)
		return arena_printf(p->arena, "removed %d skip connections", u->n_ids);
	return arena_printf(p->arena, "removed %d layers %s", u->n_ids, u->name);
}

static void plan_single(struct planner *p, const struct ablate_unit *u)
{
	const char *label = free_label(p, arena_printf(p->arena, "without-%s", u->name));
	struct ablate_child *c = add_child(p, u->by, u->name);
	struct json *edits;

	c->label = label;
	c->recipe = u->recipe;
	if (u->refusal) {
		c->log.refusal = u->refusal;
		return;
	}
	if (u->recipe) {
		c->graph = p->graph;
		c->log.edits = no_edits(p);
		c->log.words = u->words;
		return;
	}
	edits = no_edits(p);
	push_removals(edits, u);
	apply(p, c, edits);
	c->log.words = words_of(p, u, c->log.words);
	if (c->graph)
		check(p, c);
}

/* ---- pairs ---------------------------------------------------------------------------------------------- */

/* Whether one of these is, or lies in, what the other one names. */
static bool overlaps(const char *a, const char *b)
{
	size_t n = strlen(a);

	return strcmp(a, b) == 0 || (strncmp(a, b, n) == 0 && strncmp(b + n, "__", 2) == 0);
}

static bool units_overlap(const struct ablate_unit *a, const struct ablate_unit *b)
{
	for (int i = 0; i < a->n_ids; i++)
		for (int k = 0; k < b->n_ids; k++)
			if (overlaps(a->ids[i], b->ids[k]) || overlaps(b->ids[k], a->ids[i]))
				return true;
	if (a->recipe && b->recipe)
		JSON_EACH(v, a->recipe)
			if (json_get(b->recipe, json_key(v)))
				return true;
	return false;
}

static const struct json *both_recipes(struct planner *p, const struct ablate_unit *a, const struct ablate_unit *b)
{
	struct json *out;

	if (!a->recipe || !b->recipe)
		return a->recipe ? a->recipe : b->recipe;
	out = json_copy(a->recipe);
	JSON_EACH(v, b->recipe)
		json_put(out, json_key(v), json_copy(v));
	arena_defer(p->arena, drop_json, out);
	return out;
}

static void plan_pair(struct planner *p, int first, int second)
{
	const struct ablate_unit *a = &p->units[first], *b = &p->units[second];
	const char *unit = arena_printf(p->arena, "%s+%s", a->name, b->name);
	const char *label = free_label(p, arena_printf(p->arena, "without-%s", unit));
	struct ablate_child *c = add_child(p, a->by, unit);
	struct json *edits = no_edits(p);

	c->label = label;
	c->first = first;
	c->second = second;
	c->recipe = both_recipes(p, a, b);
	push_removals(edits, a);
	push_removals(edits, b);
	if (json_count(edits)) {
		apply(p, c, edits);
	} else {
		c->graph = p->graph;
		c->log.edits = edits;
	}
	c->log.words = arena_printf(p->arena, "%s; %s", p->children[first].log.words, p->children[second].log.words);
	if (c->graph)
		check(p, c);
}

static void plan_pairs(struct planner *p)
{
	int n = p->n;

	for (int i = 0; i < n; i++)
		for (int k = i + 1; k < n; k++)
			if (p->children[i].graph && p->children[k].graph && !units_overlap(&p->units[i], &p->units[k]))
				plan_pair(p, i, k);
}

/* ---- controls ------------------------------------------------------------------------------------------- */

static void plan_control(struct planner *p, int of)
{
	const char *label = free_label(p, arena_printf(p->arena, "%s-matched", p->children[of].label));
	struct ablate_child *c = add_child(p, p->children[of].by, p->children[of].unit);

	c->label = label;
	c->control_of = of;
	c->recipe = p->children[of].recipe;
	ablate_match_build(c, &p->children[of], p->graph, p->opts->match, p->env, p->arena);
}

/* A child that is as large as its parent needs no control. */
static void plan_controls(struct planner *p)
{
	int n = p->n;

	for (int i = 0; i < n; i++)
		if (p->children[i].graph && ablate_match_needed(p->children[i].graph, p->graph, p->opts->match))
			plan_control(p, i);
}

/* --------------------------------------------------------------------------------------------------------- */

static void finish(struct planner *p, struct ablate_plan **out)
{
	struct ablate_plan *plan = ARENA_NEW(p->arena, struct ablate_plan);

	plan->n = p->n;
	plan->children = ARENA_ARRAY(p->arena, struct ablate_child, p->n + 1);
	if (p->n)
		memcpy(plan->children, p->children, (size_t)p->n * sizeof *p->children);
	for (int i = 0; i < p->n; i++)
		plan->n_trainable += p->children[i].graph != NULL;
	*out = plan;
}

int ablate_plan(struct ablate_plan **out, const struct graph *g, const struct json *recipe, const struct ablate_opts *o,
		const struct mutate_env *env, struct arena *a, struct err *e)
{
	struct ablate_units units = { .arena = a, .graph = g, .recipe = recipe, .opts = o };
	struct planner p = { .graph = g, .opts = o, .env = env, .arena = a };
	int rc = -1;

	TRY(ablate_units_find(&units, e));
	p.units = units.items;
	for (int i = 0; i < units.n; i++)
		plan_single(&p, &units.items[i]);
	if (o->pairs)
		plan_pairs(&p);
	if (o->match != MATCH_NONE)
		plan_controls(&p);
	finish(&p, out);
	rc = 0;
out:
	ablate_units_release(&units);
	mem_free(p.children);
	return rc;
}
