/* mutate/fresh.c - see fresh.h. */
#include "mutate/fresh.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "space/draw.h"
#include "space/space.h"

enum { DRAWS = 12 };

/* ---- the state that a layer belongs to ------------------------------------------------------------------ */

static const char *const siblings[] = { "id", "from", "repeat", "first", "share", "frozen", "device", NULL };

static const struct json *main_key(const struct json *entry)
{
	JSON_EACH(v, entry) {
		bool sibling = false;

		for (int i = 0; siblings[i]; i++)
			sibling = sibling || strcmp(siblings[i], json_key(v)) == 0;
		if (!sibling)
			return v;
	}
	return NULL;
}

/* Whether an entry with open places can be a layer or block of this name. */
static bool may_be(const struct json *entry, const struct json *with, const char *name, int depth)
{
	const char *text = json_string(entry) ? json_string(entry) : json_key(main_key(entry));

	if (draw_kind(entry) == DRAW_ANY) {
		JSON_EACH(v, json_get(entry, "any"))
			if (may_be(v, with, name, depth))
				return true;
		return false;
	}
	if (text && text[0] == '$' && depth < 4 && json_get(with, text + 1))
		return may_be(json_get(with, text + 1), with, name, depth + 1);
	return text && strcmp(text, name) == 0;
}

static const struct json *last_entry(const struct json *state)
{
	const struct json *last = state;

	if (json_type(state) == JSON_ARRAY)
		JSON_EACH(v, state)
			last = v;
	return last;
}

/* A state whose layers end in this kind or block; -1: none. */
static int state_of(const struct space *s, const char *name)
{
	const struct json *doc = space_json(s);

	for (int i = 0; i < space_states(s); i++)
		if (may_be(last_entry(json_get(json_get(doc, "states"), space_state_name(s, i))), json_get(doc, "with"),
			   name, 0))
			return i;
	return -1;
}

/* By the outermost block that knows it, else by the layer's kind. */
static int state_of_node(const struct space *s, const struct graph *g, int node)
{
	int state = state_of(s, layer_classes[g->nodes[node].kind]->name);

	for (int b = g->nodes[node].group; b >= 0; b = g->groups[b].parent) {
		int outer = state_of(s, g->groups[b].block);

		state = outer >= 0 ? outer : state;
	}
	return state;
}

/* The state at an edge, and the chain that is in force there. */
static int state_before(const struct space *s, const struct graph *g, struct edge at, int *chain)
{
	int state = -1;

	*chain = 0;
	for (int i = 0; i <= at.node; i++) {
		int known = state_of_node(s, g, i);

		if (known >= 0)
			*chain = space_chain(s, *chain, known);
	}
	while (at.node >= 0 && (state = state_of_node(s, g, at.node)) < 0)
		at = g->nodes[at.node].in[0];
	return state < 0 ? SPACE_START : state;
}

/* ---- what fits ------------------------------------------------------------------------------------------ */

static bool holds_softmax(const struct json *v)
{
	if ((json_string(v) && strcmp(json_string(v), "softmax") == 0) ||
	    (json_key(v) && strcmp(json_key(v), "softmax") == 0))
		return true;
	JSON_EACH(c, v)
		if (holds_softmax(c))
			return true;
	return false;
}

static bool fits(const struct json *entries, const struct shape *at, const struct block_set *blocks)
{
	struct arena *a = arena_new();
	struct graph *trial = graph_new(a);
	struct edge last = { -1, 0 };
	bool ok = !holds_softmax(entries) && graph_input(trial, "in", at, NULL) == 0;

	for (const struct json *v = json_first(entries); v && ok; v = json_next(v)) {
		struct scope scope = { NULL, NULL, graph_shape(trial, last) };

		ok = model_append(trial, v, blocks, &scope, &last, NULL) == 0;
	}
	ok = ok && graph_shape(trial, last)->type == at->type;
	arena_free(a);
	return ok;
}

/* A list of one is written as what it holds. */
static struct json *unwrapped(struct json *entries)
{
	struct json *one;

	if (json_count(entries) != 1)
		return entries;
	one = json_copy(json_first(entries));
	json_free(entries);
	return one;
}

static struct json *from_space(const struct space *s, const struct graph *g, struct edge before, struct rng *rng)
{
	const struct json *with = json_get(space_json(s), "with");
	int chain, prev = state_before(s, g, before, &chain);
	struct json *vars = with ? draw_value(with, rng) : json_object(), *found = NULL;
	const struct scope scope = { NULL, vars, graph_shape(g, before) };

	json_put(vars, "classes", json_num(g->outputs[0].classes));
	for (int i = 0; i < DRAWS && !found; i++) {
		int state = space_next(s, chain, prev, rng);
		struct json *drawn = state >= 0 ? space_state_draw(s, chain, state, rng) : NULL;

		found = drawn ? scope_eval(drawn, &scope, NULL) : NULL;
		json_free(drawn);
		if (found && !fits(found, scope.in, space_blocks(s))) {
			json_free(found);
			found = NULL;
		}
	}
	json_free(vars);
	return found ? unwrapped(found) : NULL;
}

/* ---- without a space ------------------------------------------------------------------------------------ */

/* Open places are drawn; 0 in "filters" and "units" stands for as many as arrive. */
static const char *const table[TENSOR_TYPE_COUNT] = {
	[TENSOR_IMAGE] =
	    "[{\"conv2d\": {\"filters\": {\"any\": [0, 0, 8, 16, 32, 64]}, \"kernel\": {\"any\": [1, 3, 3, 5]}, "
	    "\"padding\": \"same\"}},"
	    "{\"depthwise2d\": {\"kernel\": {\"any\": [3, 5]}, \"padding\": \"same\"}},"
	    "\"batchnorm\", \"relu\", {\"any\": [\"silu\", \"tanh\", \"leaky_relu\"]},"
	    "{\"maxpool2d\": {\"size\": {\"any\": [2, 3]}, \"stride\": 2}}, {\"avgpool2d\": {\"size\": 2}},"
	    "{\"dropout\": {\"rate\": {\"any\": [0.1, 0.25, 0.5]}}}]",
	[TENSOR_VECTOR] =
	    "[{\"dense\": {\"units\": {\"any\": [0, 32, 64, 128]}}}, {\"dense\": {\"units\": {\"any\": [0, 16, "
	    "256]}}}, \"relu\", {\"any\": [\"silu\", \"tanh\", \"sigmoid\"]}, \"batchnorm\","
	    "{\"dropout\": {\"rate\": {\"any\": [0.1, 0.25, 0.5]}}}]",
	[TENSOR_SEQUENCE] = "[{\"conv1d\": {\"filters\": {\"any\": [0, 16, 32, 64]}, \"kernel\": {\"any\": [3, 5]}, "
			    "\"padding\": \"same\"}},"
			    "{\"gru\": {\"units\": {\"any\": [0, 16, 32, 64]}}}, \"layernorm\", \"relu\","
			    "{\"dropout\": {\"rate\": {\"any\": [0.1, 0.25, 0.5]}}}]",
	[TENSOR_TOKENS] = "[]",
};

/* A drawn entry whose "filters" or "units" are 0 gets as many as arrive. */
static struct json *with_width(struct json *entry, const struct shape *at)
{
	static const char *const keys[] = { "filters", "units" };
	const struct json *first = json_type(entry) == JSON_OBJECT ? json_first(entry) : NULL;
	struct json *options = first ? json_mutable(entry, json_key(first)) : NULL;

	for (int i = 0; options && i < 2; i++)
		if (json_number(json_get(options, keys[i])) == 0)
			json_put(options, keys[i], json_num(at->d[0]));
	return entry;
}

static struct json *from_table(const struct graph *g, struct edge before, struct rng *rng)
{
	const struct shape *at = graph_shape(g, before);
	struct json *all = NULL, *found = NULL;
	struct err e = { 0 };

	if (json_parse(&all, table[at->type], strlen(table[at->type]), "table", &e) < 0 || !json_count(all))
		goto out;
	for (int i = 0; i < DRAWS && !found; i++) {
		const struct json *v = json_first(all);

		for (int k = (int)rng_below(rng, (uint32_t)json_count(all)); k > 0; k--)
			v = json_next(v);
		found = json_array();
		json_push(found, with_width(draw_value(v, rng), at));
		if (!fits(found, at, NULL)) {
			json_free(found);
			found = NULL;
		}
	}
out:
	json_free(all);
	return found ? unwrapped(found) : NULL;
}

struct json *fresh_layers(const struct graph *g, struct edge before, const struct mutate_env *env, struct rng *rng)
{
	struct json *found = NULL;

	if (env->space && space_form(env->space) == SPACE_MARKOV)
		found = from_space(env->space, g, before, rng);
	return found ? found : from_table(g, before, rng);
}

/* ---- options -------------------------------------------------------------------------------------------- */

static const struct json *choices_in(const struct json *v, const char *kind, const char *option)
{
	const struct json *mine = json_type(v) == JSON_OBJECT ? json_get(json_get(v, kind), option) : NULL;

	if (mine && draw_kind(mine) != DRAW_FIXED)
		return mine;
	JSON_EACH(c, v) {
		mine = choices_in(c, kind, option);
		if (mine)
			return mine;
	}
	return NULL;
}

const struct json *fresh_choices(const struct space *s, const char *kind, const char *option)
{
	static const char *const parts[] = { "states", "stem", "layers", "cell" };
	const struct json *found = NULL;

	for (int i = 0; i < 4 && !found; i++)
		found = choices_in(json_get(space_json(s), parts[i]), kind, option);
	return found;
}
