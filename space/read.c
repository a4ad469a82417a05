/* space/read.c - reading a space: its grammar is in space.h. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "space/internal.h"

struct reader {
	struct space *s;
	struct arena *a;
	const struct json_in *in;
};

/* ---- layers --------------------------------------------------------------------------------------------- */

/* A value as a list of entries: what is written as one layer is wrapped in the document itself. */
static int read_layers(const struct reader *r, struct layers *l, const struct json *v)
{
	const struct space *s = r->s;

	l->entries = v;
	if (json_type(v) != JSON_ARRAY)
		return json_bad(r->in, v, "must be a list of layers");
	if (layers_check(v, s->blocks, s->with, r->in) < 0)
		return -1;
	layers_compile(l, s->blocks, r->a);
	return 0;
}

static void wrap_states(struct json *states)
{
	struct json *wrapped;

	if (json_type(states) != JSON_OBJECT)
		return;
	wrapped = json_object();
	JSON_EACH(v, states) {
		if (json_type(v) == JSON_ARRAY)
			json_put(wrapped, json_key(v), json_copy(v));
		else
			json_push(json_put(wrapped, json_key(v), json_array()), json_copy(v));
	}
	JSON_EACH(v, wrapped)
		json_put(states, json_key(v), json_copy(v));
	json_free(wrapped);
}

/* Every state as a list, so that what is read later can point into the document. */
static void wrap_all(struct json *doc)
{
	struct json *after = json_mutable(doc, "after");

	wrap_states(json_mutable(doc, "states"));
	JSON_EACH(v, after)
		wrap_states(json_mutable(json_mutable(after, json_key(v)), "states"));
}

/* ---- chains --------------------------------------------------------------------------------------------- */

static int state_index(const struct space *s, const char *name)
{
	for (int i = 0; i < s->n_states; i++)
		if (strcmp(s->states[i], name) == 0)
			return i;
	return -1;
}

static int unknown_state(const struct reader *r, const struct json *v, bool end)
{
	const char *near = str_nearest(json_key(v), r->s->states, r->s->n_states);

	if (near)
		return json_bad(r->in, v, "there is no state of this name (did you mean \"%s\"?)", near);
	return json_bad(r->in, v, "there is no state of this name%s", end ? " (\"end\" ends the model)" : "");
}

/* {"plain": 2, "end": 1} as weights [n_states + 1]. NULL with a message if it is malformed. */
static const double *read_weights(const struct reader *r, const struct json *v)
{
	double *w = ARENA_ARRAY(r->a, double, r->s->n_states + 1), total = 0;
	int bad = 0;

	if (json_type(v) != JSON_OBJECT) {
		json_bad(r->in, v, "must be an object of states and their weights");
		return NULL;
	}
	JSON_EACH(m, v) {
		int to = strcmp(json_key(m), "end") == 0 ? r->s->n_states : state_index(r->s, json_key(m));

		if (to < 0)
			bad |= unknown_state(r, m, true);
		else if (!(json_number(m) >= 0) || json_number(m) > 1e9)
			bad |= json_bad(r->in, m, "a weight must be a number from 0 to 1e9");
		else
			total += w[to] = json_number(m);
	}
	if (!bad && !(total > 0))
		bad = json_bad(r->in, v, "needs a weight above 0");
	return bad ? NULL : w;
}

static int read_rows(const struct reader *r, struct chain *c, const struct json *v)
{
	const double **rows = ARENA_ARRAY(r->a, const double *, r->s->n_states);
	int rc = 0;

	c->rows = rows;
	if (json_type(v) != JSON_OBJECT)
		return json_bad(r->in, v, "must be an object: from each state, the weights of what follows");
	JSON_EACH(m, v) {
		int from = state_index(r->s, json_key(m));

		if (from < 0) {
			rc = unknown_state(r, m, false);
			continue;
		}
		rows[from] = read_weights(r, m);
		if (!rows[from])
			rc = -1;
	}
	return rc;
}

static int read_word(const struct reader *r, const struct json *v, const char *const *words)
{
	const char *text = json_string(v);
	struct str list = { 0 };

	for (int i = 0; words[i]; i++)
		if (text && strcmp(text, words[i]) == 0)
			return i;
	for (int i = 0; words[i]; i++)
		str_addf(&list, "%s\"%s\"", i ? ", " : "", words[i]);
	json_bad(r->in, v, "must be one of %s", str_get(&list));
	str_release(&list);
	return -1;
}

static int read_misfit(const struct reader *r, enum misfit *out, const struct json *v)
{
	static const char *const words[] = { "redraw", "end", "reject", NULL };
	int i = v ? read_word(r, v, words) : (int)*out;

	*out = i < 0 ? MISFIT_REDRAW : (enum misfit)i;
	return i < 0 ? -1 : 0;
}

static int read_defs(const struct reader *r, struct layers *defs, const struct json *v)
{
	int rc = 0;

	JSON_EACH(m, v) {
		int at = state_index(r->s, json_key(m));

		if (at < 0)
			rc = unknown_state(r, m, false);
		else
			rc |= read_layers(r, &defs[at], m);
	}
	return rc;
}

static int read_first_chain(const struct reader *r, const struct json *doc)
{
	struct chain *c = &r->s->chains[0];
	struct layers *defs = ARENA_ARRAY(r->a, struct layers, r->s->n_states);
	int rc = read_misfit(r, &c->on_misfit, json_get(doc, "on_misfit"));

	c->defs = defs;
	rc |= read_defs(r, defs, json_get(doc, "states"));
	if (!json_get(doc, "start"))
		rc |= json_bad(r->in, doc, "\"start\" (the weights of the first state) is missing");
	else if (!(c->start = read_weights(r, json_get(doc, "start"))))
		rc = -1;
	if (!json_get(doc, "transitions"))
		rc |= json_bad(r->in, doc, "\"transitions\" is missing");
	else
		rc |= read_rows(r, c, json_get(doc, "transitions"));
	if (json_get(doc, "head"))
		rc |= read_layers(r, &c->head, json_get(doc, "head"));
	return rc;
}

/* A chain of "after": what it does not say is as in the first one. */
static int read_later_chain(const struct reader *r, struct chain *c, const struct json *v)
{
	static const char *const known[] = { "transitions", "states", "head", "on_misfit" };
	struct layers *defs = ARENA_ARRAY(r->a, struct layers, r->s->n_states);
	int rc;

	if (json_type(v) != JSON_OBJECT)
		return json_bad(r->in, v, "must be an object with \"transitions\"");
	rc = json_unknown(r->in, v, known, 4) ? -1 : 0;
	*c = r->s->chains[0];
	c->start = NULL;
	memcpy(defs, r->s->chains[0].defs, (size_t)r->s->n_states * sizeof *defs);
	c->defs = defs;
	rc |= read_misfit(r, &c->on_misfit, json_get(v, "on_misfit"));
	if (json_get(v, "states"))
		rc |= read_defs(r, defs, json_get(v, "states"));
	if (json_get(v, "head"))
		rc |= read_layers(r, &c->head, json_get(v, "head"));
	if (json_get(v, "transitions"))
		rc |= read_rows(r, c, json_get(v, "transitions"));
	else
		rc |= json_bad(r->in, v, "\"transitions\" is missing");
	return rc;
}

static int read_after(const struct reader *r, const struct json *after)
{
	int *triggers = ARENA_ARRAY(r->a, int, r->s->n_states), rc = 0;

	r->s->triggers = triggers;
	if (after && json_type(after) != JSON_OBJECT)
		return json_bad(r->in, after, "must be an object: for a state, the chain that follows it");
	JSON_EACH(v, after) {
		int at = state_index(r->s, json_key(v));

		if (at < 0) {
			rc = unknown_state(r, v, false);
			continue;
		}
		triggers[at] = r->s->n_chains;
		rc |= read_later_chain(r, &r->s->chains[r->s->n_chains++], v);
	}
	return rc;
}

/* Every place that the chain can reach must lead on, and the end must be reachable. */
static int check_reach(const struct reader *r, const struct json *doc)
{
	const struct space *s = r->s;
	bool *seen = ARENA_ARRAY(r->a, bool, s->n_chains * s->n_states), ends = s->chains[0].start[s->n_states] > 0;
	int(*todo)[2] = arena_alloc(r->a, (size_t)(s->n_chains * s->n_states + 1) * sizeof *todo), n = 0, rc = 0;

	todo[n][0] = 0;
	todo[n++][1] = SPACE_START;
	while (n > 0) {
		int chain = todo[--n][0], state = todo[n][1];
		const struct chain *c = &s->chains[chain];
		const double *row = state == SPACE_START ? c->start : c->rows[state];

		if (!row) {
			rc = json_bad(r->in, json_get(doc, chain ? "after" : "transitions"),
				      "nothing is said about what follows \"%s\"", s->states[state]);
			continue;
		}
		ends |= row[s->n_states] > 0 || c->on_misfit == MISFIT_END;
		for (int i = 0; i < s->n_states; i++) {
			int next = space_chain(s, chain, i);

			if (row[i] <= 0 || seen[next * s->n_states + i])
				continue;
			seen[next * s->n_states + i] = true;
			todo[n][0] = next;
			todo[n++][1] = i;
		}
	}
	if (!rc && !ends)
		rc = json_bad(r->in, json_get(doc, "transitions"), "no model ever ends: give \"end\" a weight");
	return rc;
}

static int read_markov(const struct reader *r, const struct json *doc)
{
	static const char *const limit_words[] = { "reject", NULL };
	const struct json *states = json_get(doc, "states"), *after = json_get(doc, "after");
	struct space *s = r->s;
	int rc = 0;

	if (json_type(states) != JSON_OBJECT || json_count(states) < 1 || json_count(states) > SPACE_STATES_MAX)
		return json_bad(r->in, states, "must be an object of 1 to %d states", SPACE_STATES_MAX);
	s->states = ARENA_ARRAY(r->a, const char *, json_count(states));
	JSON_EACH(v, states) {
		if (strcmp(json_key(v), "end") == 0)
			rc = json_bad(r->in, v, "\"end\" cannot be a state: it ends the model");
		s->states[s->n_states++] = json_key(v);
	}
	s->chains = ARENA_ARRAY(r->a, struct chain, 1 + json_count(after));
	s->n_chains = 1;
	if (json_get(doc, "on_limit") && read_word(r, json_get(doc, "on_limit"), limit_words) < 0)
		rc = -1;
	if (json_get(doc, "stem"))
		rc |= read_layers(r, &s->stem, json_get(doc, "stem"));
	rc |= read_first_chain(r, doc);
	rc |= read_after(r, after);
	return rc ? rc : check_reach(r, doc);
}

/* ---- the rest ------------------------------------------------------------------------------------------- */

static int read_bound(const struct reader *r, int64_t *out, const struct json *v)
{
	double x = json_number(v);

	if (!v)
		return 0;
	if (!(x >= 0 && x <= 9e15 && x == floor(x)))
		return json_bad(r->in, v, "must be a whole number of at least 0");
	*out = (int64_t)x;
	return 0;
}

static int read_limits(const struct reader *r, const struct json *v)
{
	static const char *const known[] = { "min", "max" };
	int rc = 0;

	for (int i = 0; i < LIMIT_COUNT; i++)
		r->s->limits[i] = (struct limit){ INT64_MIN, INT64_MAX };
	if (!v)
		return 0;
	if (json_type(v) != JSON_OBJECT)
		return json_bad(r->in, v, "must be an object such as {\"params\": {\"max\": 100000}}");
	if (json_unknown(r->in, v, space_limit_names, LIMIT_COUNT))
		rc = -1;
	for (int i = 0; i < LIMIT_COUNT; i++) {
		const struct json *one = json_get(v, space_limit_names[i]);
		struct limit *l = &r->s->limits[i];

		if (!one)
			continue;
		if (json_type(one) != JSON_OBJECT) {
			rc = json_bad(r->in, one, "must be an object with \"min\" or \"max\"");
			continue;
		}
		rc |= json_unknown(r->in, one, known, 2) ? -1 : 0;
		rc |= read_bound(r, &l->min, json_get(one, "min"));
		rc |= read_bound(r, &l->max, json_get(one, "max"));
		if (i == LIMIT_DEPTH || i == LIMIT_TRAIN_BYTES)
			r->s->limited_cost = true;
		if (i == LIMIT_STATES && r->s->form != SPACE_MARKOV)
			rc = json_bad(r->in, one, "only a Markov space has states");
	}
	return rc;
}

static int read_with(const struct reader *r, const struct json *v)
{
	int rc = 0;

	r->s->with = v;
	if (!v)
		return 0;
	if (json_type(v) != JSON_OBJECT || draw_kind(v) != DRAW_FIXED)
		return json_bad(r->in, v, "must be an object of names and their values");
	JSON_EACH(m, v)
		if (strcmp(json_key(m), "classes") == 0 || strcmp(json_key(m), "in") == 0)
			rc = json_bad(r->in, m, "this name is taken");
	return draw_check(v, r->in) < 0 ? -1 : rc;
}

static int read_target(const struct reader *r, const struct json *doc)
{
	const struct json *input = json_get(doc, "input"), *classes = json_get(doc, "classes");
	double n = json_number(classes);

	if (!input && !classes)
		return 0;
	if (!input || !classes)
		return json_bad(r->in, doc, "\"input\" and \"classes\" go together");
	if (model_read_input(&r->s->own.input, input, r->in) < 0)
		return -1;
	if (!(n >= 1 && n <= 65536 && n == floor(n)))
		return json_bad(r->in, classes, "must be a whole number between 1 and 65536");
	r->s->own.classes = (int)n;
	r->s->own.task = TASK_CLASSIFY;
	return 0;
}

static const char *const common_keys[] = { "$schema", "name",   "note",  "use",     "blocks",
					   "with",    "limits", "input", "classes", "fit" };

static int read_form(const struct reader *r, const struct json *doc)
{
	static const char *const markov[] = { "states", "start", "transitions", "after",
					      "stem",   "head",  "on_misfit",   "on_limit" };
	static const char *const cell[] = { "cell", "stack" }, *const template[] = { "layers" };
	const char *known[sizeof common_keys / sizeof *common_keys + 8];
	const char *const *more = template;
	int n = sizeof common_keys / sizeof *common_keys, extra = 1;

	r->s->form = SPACE_TEMPLATE;
	if (json_get(doc, "states") || json_get(doc, "transitions")) {
		r->s->form = SPACE_MARKOV;
		more = markov;
		extra = 8;
	} else if (json_get(doc, "cell") || json_get(doc, "stack")) {
		r->s->form = SPACE_CELL;
		more = cell;
		extra = 2;
	} else if (!json_get(doc, "layers")) {
		return json_bad(r->in, doc, "a space needs \"states\", \"cell\" or \"layers\"");
	}
	memcpy(known, common_keys, sizeof common_keys);
	memcpy(known + n, more, (size_t)extra * sizeof *more);
	return json_unknown(r->in, doc, known, n + extra) ? -1 : 0;
}

static bool uses_cell(const struct json *v)
{
	if (json_get(v, "cell") || (json_string(v) && strcmp(json_string(v), "cell") == 0))
		return true;
	if (json_type(v) == JSON_ARRAY || json_type(v) == JSON_OBJECT)
		JSON_EACH(m, v)
			if (uses_cell(m))
				return true;
	return false;
}

static int read_body(const struct reader *r, const struct json *doc)
{
	const struct json *stack = json_get(doc, "stack");
	struct space *s = r->s;

	switch (s->form) {
	case SPACE_MARKOV:
		return read_markov(r, doc);
	case SPACE_TEMPLATE:
		return read_layers(r, &s->body, json_get(doc, "layers"));
	case SPACE_CELL:
		break;
	}
	if (!json_get(doc, "cell") || !stack)
		return json_bad(r->in, doc, "a cell space needs \"cell\" and \"stack\"");
	if (block_set_find(s->blocks, "cell"))
		return json_bad(r->in, json_get(doc, "blocks"), "the name \"cell\" is taken by the cell itself");
	if (cell_read(&s->cell, json_get(doc, "cell"), s->blocks, s->with, r->a, r->in) < 0)
		return -1;
	if (!uses_cell(stack))
		return json_bad(r->in, stack, "does not use {\"cell\": {}}");
	return read_layers(r, &s->body, stack);
}

/* Puts the needed definitions into the document and takes "use" out. */
static int embed_blocks(const struct reader *r, struct json *doc, const char *dir, const struct block_path *lib)
{
	const struct json *use = json_get(doc, "use"), *own = json_get(doc, "blocks");
	struct json *rest, *needed;

	if (use && block_set_use(r->s->blocks, use, dir, lib, r->in) < 0)
		return -1;
	if (own && block_set_add(r->s->blocks, own, true, r->in) < 0)
		return -1;
	rest = json_copy(doc);
	json_drop(rest, "use");
	json_drop(rest, "blocks");
	json_drop(rest, "name");
	json_drop(rest, "note");
	needed = block_set_needed(r->s->blocks, rest);
	json_free(rest);
	json_drop(doc, "use");
	json_drop(doc, "blocks");
	if (json_count(needed))
		json_put(doc, "blocks", needed);
	else
		json_free(needed);
	return 0;
}

static void free_doc(void *doc)
{
	json_free(doc);
}

static void free_blocks(void *set)
{
	block_set_free(set);
}

static int read_fit(const struct reader *r, const struct json *v)
{
	static const char *const words[] = { "any", "strict", NULL };
	int i = v ? read_word(r, v, words) : 0;

	r->s->strict = i == 1;
	return i < 0 ? -1 : 0;
}

int space_read(struct space **out, const struct json *doc, const char *dir, const struct block_path *lib,
	       struct arena *a, const struct json_in *in)
{
	struct space *s = ARENA_NEW(a, struct space);
	struct json_in inner = { NULL, in ? in->diag : NULL, in ? in->at : NULL };
	struct reader r = { s, a, &inner };
	struct json *copy;
	int rc;

	*out = NULL;
	if (json_type(doc) != JSON_OBJECT)
		return json_bad(in, doc, "a space must be an object, not %s", json_type_name(json_type(doc)));
	copy = json_copy(doc);
	inner.root = copy;
	arena_defer(a, free_doc, copy);
	s->doc = copy;
	s->blocks = block_set_new();
	arena_defer(a, free_blocks, s->blocks);
	s->name = json_string(json_get(copy, "name")) ? json_string(json_get(copy, "name")) : "space";
	rc = read_form(&r, copy);
	if (rc < 0 || embed_blocks(&r, copy, dir, lib) < 0)
		return -1;
	wrap_all(copy);
	rc |= read_with(&r, json_get(copy, "with"));
	rc |= read_limits(&r, json_get(copy, "limits"));
	rc |= read_fit(&r, json_get(copy, "fit"));
	rc |= read_target(&r, copy);
	if (rc == 0 || json_get(copy, "with") == NULL)
		rc |= read_body(&r, copy);
	if (rc < 0)
		return -1;
	*out = s;
	return 0;
}

int space_load(struct space **out, const char *path, const struct block_path *lib, struct arena *a, struct diag *d,
	       struct err *e)
{
	struct json *doc = NULL;
	struct json_in in;
	int rc;

	*out = NULL;
	if (json_load(&doc, path, e) < 0)
		return -1;
	in = (struct json_in){ doc, d, NULL };
	rc = space_read(out, doc, path_dir(a, path), lib, a, &in);
	json_free(doc);
	if (rc < 0 && diag_check(d, ERR_INVALID, path, e) == 0)
		ERR(e, ERR_INVALID, path, "is not a valid search space");
	return rc;
}

/* ---- looking at it -------------------------------------------------------------------------------------- */

const char *space_name(const struct space *s)
{
	return s->name;
}

enum space_form space_form(const struct space *s)
{
	return s->form;
}

const struct json *space_json(const struct space *s)
{
	return s->doc;
}

int space_own_target(const struct space *s, struct space_target *out)
{
	*out = s->own;
	return s->own.classes ? 0 : -1;
}

int space_states(const struct space *s)
{
	return s->n_states;
}

const char *space_state_name(const struct space *s, int state)
{
	return s->states[state];
}

int space_state(const struct space *s, const char *name)
{
	return state_index(s, name);
}

const struct block_set *space_blocks(const struct space *s)
{
	return s->blocks;
}
