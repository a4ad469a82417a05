/* mutate/vary.c - see vary.h. */
#include "mutate/vary.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/opt.h"
#include "base/rng.h"
#include "base/str.h"
#include "space/draw.h"
#include "space/space.h"

enum { OPS_MAX = 64 }; /* operators; a bit of a word each */

struct site { /* a place that may be changed */
	struct place at;
	int first, last; /* the layers it covers */
	uint64_t ops;    /* allowed there: bit i is mutations[i] */
};

struct varying {
	const struct graph *g;
	const struct vary_opts *o;
	const struct mutate_env *env;
	struct vary_stats *st;
	struct site *sites;
	int n_sites;
	struct hash128 parent, *taken; /* of the children so far */
	int n_taken;
	struct arena *arena;
};

/* ---- which operators may act where ---------------------------------------------------------------------- */

static int unknown_id(const struct graph *g, const char *what, const char *id, struct err *e)
{
	const char **ids = mem_new((size_t)(g->n_nodes + g->n_groups + 1) * sizeof *ids), *near;
	int n = 0, rc;

	for (int i = 0; i < g->n_nodes; i++)
		ids[n++] = g->nodes[i].id;
	for (int i = 0; i < g->n_groups; i++)
		ids[n++] = g->groups[i].id;
	near = str_nearest(id, ids, n);
	rc = ERR(e, ERR_USAGE, what, "the model has no layer or block \"%s\"%s%s%s", id,
		 near ? "; did you mean \"" : " (`nab show` and `nab validate` list them)", near ? near : "",
		 near ? "\"?" : "");
	mem_free(ids);
	return rc;
}

static int unknown_op(const char *what, const char *name, struct err *e)
{
	const char *names[OPS_MAX], *near;
	int n = 0;

	for (; mutations[n]; n++)
		names[n] = mutations[n]->name;
	near = str_nearest(name, names, n);
	return ERR(e, ERR_USAGE, what, "there is no operator \"%s\"%s%s%s", name, near ? "; did you mean \"" : "",
		   near ? near : "", near ? "\"?" : "");
}

/* The bit of an operator that can be drawn; 0 with e. */
static uint64_t op_bit(const char *what, const char *name, struct err *e)
{
	for (int i = 0; mutations[i]; i++) {
		if (strcmp(mutations[i]->name, name) != 0)
			continue;
		if (mutations[i]->draw)
			return UINT64_C(1) << i;
		ERR(e, ERR_USAGE, what, "the operator \"%s\" is never drawn at random", name);
		return 0;
	}
	unknown_op(what, name, e);
	return 0;
}

static int ops_of_flag(const struct vary_opts *o, uint64_t *out, struct err *e)
{
	*out = 0;
	for (int i = 0; mutations[i]; i++)
		if (!o->ops && mutations[i]->draw)
			*out |= UINT64_C(1) << i;
	for (int i = 0; o->ops && i < o->n_ops; i++) {
		uint64_t bit = op_bit("--ops", o->ops[i], e);

		if (!bit)
			return -1;
		*out |= bit;
	}
	return 0;
}

static int ops_of_list(const struct json *list, uint64_t *out, struct err *e)
{
	*out = 0;
	if (json_type(list) != JSON_ARRAY)
		return ERR(e, ERR_INVALID, "--allow", "\"%s\" must have a list of operators, not %s", json_key(list),
			   json_type_name(json_type(list)));
	JSON_EACH(v, list) {
		uint64_t bit;

		if (!json_string(v))
			return ERR(e, ERR_INVALID, "--allow", "\"%s\": operators are named by texts", json_key(list));
		bit = op_bit("--allow", json_string(v), e);
		if (!bit) {
			e->code = ERR_INVALID;
			return -1;
		}
		*out |= bit;
	}
	return 0;
}

/* The entry that rules a place: its own, else that of the nearest block around it, else "*"; NULL: none. */
static const struct json *allow_entry(const struct varying *v, struct place at)
{
	const struct json *found = NULL;
	int group = at.node >= 0 ? v->g->nodes[at.node].group : at.group;

	if (at.node >= 0)
		found = json_get(v->o->allow, v->g->nodes[at.node].id);
	for (; !found && group >= 0; group = v->g->groups[group].parent)
		found = json_get(v->o->allow, v->g->groups[group].id);
	return found ? found : json_get(v->o->allow, "*");
}

static int check_allow(const struct varying *v, struct err *e)
{
	struct place at;
	uint64_t ops;

	if (v->o->allow && json_type(v->o->allow) != JSON_OBJECT)
		return ERR(e, ERR_INVALID, "--allow", "must be an object: {\"conv2d_1\": [\"widen\"], ...}");
	JSON_EACH(list, v->o->allow) {
		if (strcmp(json_key(list), "*") != 0 && !mutate_place(&at, v->g, json_key(list))) {
			unknown_id(v->g, "--allow", json_key(list), e);
			e->code = ERR_INVALID;
			return -1;
		}
		if (ops_of_list(list, &ops, e) < 0)
			return -1;
	}
	return 0;
}

static void span(const struct graph *g, struct place at, int *first, int *last)
{
	*first = at.node >= 0 ? at.node : g->groups[at.group].first;
	*last = at.node >= 0 ? at.node : g->groups[at.group].first + g->groups[at.group].n - 1;
}

/* Marks the layers and blocks that an id, or a range "a..b", names: a block with everything in it. */
static int mark_named(const struct varying *v, const char *text, bool *marks, struct err *e)
{
	const char *dots = strstr(text, ".."), *id[2];
	const struct graph *g = v->g;
	struct place at[2];
	int first, last, from, to;

	id[0] = dots ? arena_printf(v->arena, "%.*s", (int)(dots - text), text) : text;
	id[1] = dots ? dots + 2 : text;
	for (int i = 0; i < 2; i++)
		if (!mutate_place(&at[i], g, id[i]))
			return unknown_id(g, "--layers", id[i], e);
	span(g, at[0], &from, &last);
	span(g, at[1], &first, &to);
	if (first < from)
		return ERR(e, ERR_USAGE, "--layers", "\"%s\" stands before \"%s\": write \"%s..%s\"", id[1], id[0],
			   id[1], id[0]);
	for (int i = from; i <= to; i++)
		marks[i] = true;
	for (int i = 0; i < g->n_groups; i++)
		if (g->groups[i].first >= from && g->groups[i].first + g->groups[i].n - 1 <= to)
			marks[g->n_nodes + i] |= dots || at[0].node < 0;
	return 0;
}

static int add_site(struct varying *v, struct place at, uint64_t ops, struct err *e)
{
	const struct json *entry = allow_entry(v, at);
	struct site *s = &v->sites[v->n_sites];
	uint64_t here = ops;

	if (entry && ops_of_list(entry, &here, e) < 0)
		return -1;
	here &= ops;
	for (int i = 0; mutations[i]; i++)
		if (!(mutations[i]->at & (at.node >= 0 ? MUTATE_LAYER : MUTATE_BLOCK)))
			here &= ~(UINT64_C(1) << i);
	if (!here)
		return 0;
	s->at = at;
	s->ops = here;
	span(v->g, at, &s->first, &s->last);
	v->n_sites++;
	return 0;
}

static int find_sites(struct varying *v, struct err *e)
{
	const struct graph *g = v->g;
	bool *marks = ARENA_ARRAY(v->arena, bool, g->n_nodes + g->n_groups);
	uint64_t ops;

	v->sites = ARENA_ARRAY(v->arena, struct site, g->n_nodes + g->n_groups);
	if (ops_of_flag(v->o, &ops, e) < 0 || check_allow(v, e) < 0)
		return -1;
	for (int i = 0; v->o->layers && i < v->o->n_layers; i++)
		if (mark_named(v, v->o->layers[i], marks, e) < 0)
			return -1;
	for (int i = 0; i < g->n_nodes + g->n_groups; i++) {
		struct place at = { i < g->n_nodes ? i : -1, i < g->n_nodes ? -1 : i - g->n_nodes };

		if ((!v->o->layers || marks[i]) && add_site(v, at, ops, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- one draw ------------------------------------------------------------------------------------------- */

/* An edit at this place, of an operator that is as likely as the others that make sense there; NULL if none does. */
static struct json *draw_edit(const struct varying *v, const struct site *s, struct rng *rng)
{
	int ops[OPS_MAX], n = 0;

	for (int i = 0; mutations[i]; i++)
		if (s->ops >> i & 1)
			ops[n++] = i;
	while (n > 0) {
		int k = (int)rng_below(rng, (uint32_t)n);
		struct json *edit = mutate_draw(mutations[ops[k]], v->g, s->at, v->env, rng);

		if (edit)
			return edit;
		ops[k] = ops[--n];
	}
	return NULL;
}

/* Up to k edits at places that do not overlap; caller frees. */
static struct json *draw_edits(const struct varying *v, struct rng *rng)
{
	int *left = mem_new((size_t)(v->n_sites + 1) * sizeof *left), n = v->n_sites;
	int k = 1 + (int)rng_below(rng, (uint32_t)v->o->changes);
	struct json *edits = json_array();

	for (int i = 0; i < n; i++)
		left[i] = i;
	while (k > 0 && n > 0) {
		int pick = (int)rng_below(rng, (uint32_t)n), kept = 0;
		const struct site *s = &v->sites[left[pick]];
		struct json *edit = draw_edit(v, s, rng);

		left[pick] = left[--n];
		if (!edit)
			continue;
		json_push(edits, edit);
		k--;
		for (int i = 0; i < n; i++)
			if (v->sites[left[i]].last < s->first || v->sites[left[i]].first > s->last)
				left[kept++] = left[i];
		n = kept;
	}
	mem_free(left);
	return edits;
}

/* What was drawn at the open places: "optimizer.adamw.lr 0.002, batch 64". */
static void recipe_words(struct str *out, const struct json *open, const struct json *drawn, const char *path)
{
	if (draw_kind(open) != DRAW_FIXED) {
		str_addf(out, "%s%s ", out->len ? ", " : "", path);
		json_print(out, drawn);
		return;
	}
	if (json_type(open) != JSON_OBJECT && json_type(open) != JSON_ARRAY)
		return;
	JSON_EACH(o, open) {
		struct str sub = { 0 };
		const struct json *d = json_first(drawn);

		if (json_key(o)) {
			d = json_get(drawn, json_key(o));
			str_addf(&sub, "%s%s%s", path, path[0] ? "." : "", json_key(o));
		} else {
			for (const struct json *at = json_first(open); at != o; at = json_next(at))
				d = json_next(d);
			str_add(&sub, path);
		}
		recipe_words(out, o, d, str_get(&sub));
		str_release(&sub);
	}
}

static void draw_recipe(const struct varying *v, struct vary_child *c, struct rng *rng, struct arena *a)
{
	struct json *drawn;
	struct str words = { 0 };

	if (!v->o->recipe)
		return;
	drawn = draw_value(v->o->recipe, rng);
	arena_defer(a, (void (*)(void *))json_free, drawn);
	c->recipe = drawn;
	recipe_words(&words, v->o->recipe, drawn, "");
	c->log.words = arena_printf(a, "%s; recipe: %s", c->log.words, str_get(&words));
	str_release(&words);
}

static struct hash128 identity(const struct vary_child *c)
{
	struct hash128 h = graph_hash(c->graph);
	struct str t = { 0 };

	if (!c->recipe)
		return h;
	str_addf(&t, "%llx %llx ", (unsigned long long)h.hi, (unsigned long long)h.lo);
	json_print(&t, c->recipe);
	h = hash128(t.s, t.len);
	str_release(&t);
	return h;
}

static bool same_hash(struct hash128 a, struct hash128 b)
{
	return a.lo == b.lo && a.hi == b.hi;
}

/* 1: within the limits, 0: beyond, -1: e. */
static int within(const struct varying *v, const struct graph *g, struct err *e)
{
	enum space_cause cause;
	struct cost c;

	if (graph_cost(g, &c, e) < 0)
		return -1;
	if ((v->o->max_params && c.params > v->o->max_params) || (v->o->max_macs && c.macs > v->o->max_macs))
		return 0;
	return v->env->space ? space_accepts(v->env->space, g, &cause, e) : 1;
}

static bool is_known(const struct varying *v, const struct vary_child *c, const struct hash128 *known, int n_known)
{
	struct hash128 plain = graph_hash(c->graph), whole = identity(c);

	if (same_hash(plain, v->parent))
		return true;
	for (int i = 0; i < n_known; i++)
		if (same_hash(plain, known[i]))
			return true;
	for (int i = 0; i < v->n_taken; i++)
		if (same_hash(whole, v->taken[i]))
			return true;
	return false;
}

/* One attempt at a child: 1, 0: it came to nothing (counted), -1: e. */
static int try_child(struct varying *v, struct vary_child *c, struct rng *rng, const struct hash128 *known, int n_known,
		     struct err *e)
{
	struct json *edits = draw_edits(v, rng);
	struct json_in in = { edits, NULL, NULL };
	struct graph *g = NULL;
	int rc = 0;

	memset(c, 0, sizeof *c);
	v->st->drawn++;
	if (json_count(edits) > 0)
		rc = mutate_apply(&g, v->g, edits, v->env, &c->log, v->arena, &in);
	json_free(edits);
	if (rc <= 0) { /* two edits may also exclude each other: one removes what the other needs */
		v->st->refused++;
		return 0;
	}
	c->graph = g;
	draw_recipe(v, c, rng, v->arena);
	rc = within(v, g, e);
	if (rc == 0)
		v->st->beyond++;
	if (rc == 1 && is_known(v, c, known, n_known)) {
		v->st->duplicates++;
		rc = 0;
	}
	return rc;
}

/* Child i from its own stream: 1, 0: none was found in `tries` draws. */
static int draw_child(struct varying *v, struct vary_child *c, int i, const struct hash128 *known, int n_known,
		      struct err *e)
{
	struct rng rng;
	int rc = 0;

	rng_init(&rng, v->o->seed, (uint64_t)i);
	for (int t = 0; t < v->o->tries && rc == 0; t++) {
		struct arena_mark mark = arena_mark(v->arena);

		rc = try_child(v, c, &rng, known, n_known, e);
		if (rc <= 0)
			arena_rewind(v->arena, mark);
	}
	if (rc == 1)
		c->label = arena_printf(v->arena, "v%d", i + 1);
	return rc;
}

int vary_draw(struct vary_child **out, int *found, int n, const struct graph *g, const struct vary_opts *o,
	      const struct hash128 *known, int n_known, const struct mutate_env *env, struct vary_stats *st,
	      struct arena *a, struct err *e)
{
	static const struct mutate_env bare;
	struct varying v = { .g = g, .o = o, .env = env ? env : &bare, .st = st, .arena = a };
	int rc = 1;

	memset(st, 0, sizeof *st);
	*found = 0;
	*out = ARENA_ARRAY(a, struct vary_child, n + 1);
	v.parent = graph_hash(g);
	v.taken = ARENA_ARRAY(a, struct hash128, n + 1);
	if (find_sites(&v, e) < 0)
		return -1;
	for (int i = 0; i < n && v.n_sites > 0; i++) {
		rc = draw_child(&v, &(*out)[i], i, known, n_known, e);
		if (rc <= 0)
			break;
		v.taken[v.n_taken++] = identity(&(*out)[i]);
		++*found;
	}
	return rc < 0 ? -1 : 0;
}
