/* mutate/ablate_feature.c - features of a graph (norms, dropout, skip connections) and of a recipe (augmentation,
 * decay, smoothing ...) as units; see ablate_units.h.
 *
 * A feature that a model or a recipe does not have is no unit.
 */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "mutate/ablate_units.h"

/* ---- of the graph --------------------------------------------------------------------------------------- */

static void find_kind(struct ablate_units *u, enum layer_kind kind)
{
	struct ablate_unit *unit = NULL;

	for (int i = 0; i < u->graph->n_nodes; i++) {
		if (u->graph->nodes[i].kind != kind)
			continue;
		if (!unit)
			unit = ablate_unit_add(u, ABLATE_FEATURE, layer_classes[kind]->name);
		ablate_unit_id(u, unit, u->graph->nodes[i].id);
	}
}

/* Marks every node that `to` is computed from, itself included. */
static void mark_sources(const struct graph *g, int to, bool *mark)
{
	memset(mark, 0, (size_t)g->n_nodes);
	mark[to] = true;
	for (int i = to; i >= 0; i--)
		for (int k = 0; mark[i] && k < g->nodes[i].n_in; k++)
			if (g->nodes[i].in[k].node >= 0)
				mark[g->nodes[i].in[k].node] = true;
}

static bool is_projection(const struct node *n)
{
	enum layer_family f = layer_classes[n->kind]->family;

	return n->n_in == 1 && (f == FAMILY_CONV || f == FAMILY_NORM || f == FAMILY_POOL || n->kind == LAYER_identity);
}

/* Whether input `a` of a sum is a shortcut past what input `b` computes: it comes, perhaps through a projection of at
 * most two layers, from where b comes from. mark: the sources of b, b included. */
static bool is_shortcut(const struct graph *g, struct edge a, int b, const bool *mark)
{
	for (int steps = 0; steps <= 2; steps++) {
		if (a.node < 0 || (mark[a.node] && a.node != b))
			return true;
		if (mark[a.node] || !is_projection(&g->nodes[a.node]))
			return false;
		a = g->nodes[a.node].in[0];
	}
	return false;
}

/* A sum of two of which one is a shortcut past the other: removing it leaves the longer one (mutate/op_remove.c). */
static bool is_skip(const struct graph *g, int node, bool *mark)
{
	const struct node *n = &g->nodes[node];
	bool skip = false;

	for (int k = 0; n->kind == LAYER_add && n->n_in == 2 && k < 2; k++) {
		int branch = n->in[k].node;

		if (branch < 0)
			continue;
		mark_sources(g, branch, mark);
		skip = skip || is_shortcut(g, n->in[1 - k], branch, mark);
	}
	return skip;
}

static void find_skips(struct ablate_units *u)
{
	bool *mark = mem_new((size_t)u->graph->n_nodes + 1);
	struct ablate_unit *unit = NULL;

	for (int i = 0; i < u->graph->n_nodes; i++) {
		if (!is_skip(u->graph, i, mark))
			continue;
		if (!unit)
			unit = ablate_unit_add(u, ABLATE_FEATURE, "skip");
		ablate_unit_id(u, unit, u->graph->nodes[i].id);
	}
	mem_free(mark);
}

/* ---- of the recipe -------------------------------------------------------------------------------------- */

static void drop_json(void *v)
{
	json_free(v);
}

static void change(struct ablate_units *u, const char *name, struct json *recipe, const char *words)
{
	struct ablate_unit *unit = ablate_unit_add(u, ABLATE_FEATURE, name);

	unit->recipe = recipe;
	unit->words = words;
	arena_defer(u->arena, drop_json, recipe);
}

static struct json *member(const char *key, struct json *value)
{
	struct json *v = json_object();

	json_put(v, key, value);
	return v;
}

/* {"adamw": {...}} -> its one member. */
static const struct json *variant(const struct json *v)
{
	return json_type(v) == JSON_OBJECT ? json_first(v) : NULL;
}

static void find_augmentation(struct ablate_units *u)
{
	const struct json *list = json_get(u->recipe, "augment");
	struct str words = { 0 };

	if (json_count(list) < 1)
		return;
	str_add(&words, "without augmentation (");
	JSON_EACH(v, list)
		str_addf(&words, "%s%s", v == json_first(list) ? "" : ", ",
			 json_string(v) ? json_string(v)
			 : variant(v)   ? json_key(variant(v))
					: "?");
	str_addc(&words, ')');
	change(u, "augmentation", member("augment", json_array()), arena_strdup(u->arena, str_get(&words)));
	str_release(&words);
}

static void find_weight_decay(struct ablate_units *u)
{
	const struct json *kind = variant(json_get(u->recipe, "optimizer"));
	double decay = json_number(json_get(kind, "weight_decay"));
	struct json *options;

	if (!kind || isnan(decay) || decay <= 0)
		return;
	options = json_copy(kind);
	json_put(options, "weight_decay", json_num(0));
	change(u, "weight_decay", member("optimizer", member(json_key(kind), options)),
	       arena_printf(u->arena, "without weight decay (%g)", decay));
}

static void find_schedule(struct ablate_units *u)
{
	const struct json *kind = variant(json_get(u->recipe, "schedule"));
	const char *name = kind ? json_key(kind) : json_string(json_get(u->recipe, "schedule"));

	if (name && strcmp(name, "constant") != 0)
		change(u, "schedule", member("schedule", member("constant", json_object())),
		       arena_printf(u->arena, "a constant learning rate (not %s)", name));
}

/* A key of which 0 means "none". */
static void find_number(struct ablate_units *u, const char *key, const char *words)
{
	double v = json_number(json_get(u->recipe, key));

	if (v > 0)
		change(u, key, member(key, json_num(0)), arena_printf(u->arena, "without %s (%g)", words, v));
}

static void find_early_stop(struct ablate_units *u)
{
	const struct json *old = json_get(u->recipe, "early_stop");
	double patience = json_number(json_get(old, "patience"));
	struct json *stop;

	if (!(patience > 0))
		return;
	stop = json_copy(old);
	json_put(stop, "patience", json_num(0));
	change(u, "early_stop", member("early_stop", stop),
	       arena_printf(u->arena, "without early stopping (patience %g)", patience));
}

const char *const ablate_feature_names[] = { "batchnorm", "layernorm",    "groupnorm",    "dropout",
					     "skip",      "augmentation", "weight_decay", "label_smoothing",
					     "clip",      "schedule",     "early_stop",   NULL };

void ablate_features_find(struct ablate_units *u)
{
	find_kind(u, LAYER_batchnorm);
	find_kind(u, LAYER_layernorm);
	find_kind(u, LAYER_groupnorm);
	find_kind(u, LAYER_dropout);
	find_skips(u);
	find_augmentation(u);
	find_weight_decay(u);
	find_number(u, "label_smoothing", "label smoothing");
	find_number(u, "clip", "gradient clipping");
	find_schedule(u);
	find_early_stop(u);
}
