/* mutate/mutate.c - the registry of operators, and lists of edits carried out. See mutate.h. */
#include "mutate/mutate.h"

#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/opt.h"
#include "base/str.h"
#include "mutate/draft.h"

enum { EDIT_CFG_MAX = 256, OPERATORS_MAX = 64 };

const struct mutation *const mutations[] = {
#define MUTATION(name) &mutation_##name,
#include "mutate/ops.def"
#undef MUTATION
	NULL
};

const struct mutation *mutation_find(const char *name)
{
	for (int i = 0; mutations[i]; i++)
		if (strcmp(mutations[i]->name, name) == 0)
			return mutations[i];
	return NULL;
}

/* ---- places --------------------------------------------------------------------------------------------- */

bool mutate_place(struct place *out, const struct graph *g, const char *id)
{
	*out = (struct place){ graph_find(g, id), -1 };
	if (out->node < 0)
		out->group = graph_find_group(g, id);
	return out->node >= 0 || out->group >= 0;
}

const char *mutate_place_id(const struct graph *g, struct place at)
{
	return at.node >= 0 ? g->nodes[at.node].id : g->groups[at.group].id;
}

static bool is_global_pool(enum layer_kind kind)
{
	return kind == LAYER_globalavgpool || kind == LAYER_globalmaxpool;
}

static bool makes_width(const struct node *n)
{
	enum layer_family f = layer_classes[n->kind]->family;

	return f == FAMILY_CONV || f == FAMILY_DENSE || f == FAMILY_RECURRENT || f == FAMILY_EMBEDDING;
}

/* Back from the outputs to `node`, through layers that keep the number of units: is it reached? */
static bool reaches_output(const struct graph *g, int node)
{
	char *kept = mem_new((size_t)g->n_nodes + 1);
	bool reached;

	for (int k = 0; k < g->n_outputs; k++)
		if (g->outputs[k].from.node >= 0)
			kept[g->outputs[k].from.node] = 1;
	for (int i = g->n_nodes - 1; i > node; i--)
		for (int j = 0; kept[i] && !makes_width(&g->nodes[i]) && j < g->nodes[i].n_in; j++)
			if (g->nodes[i].in[j].node >= 0)
				kept[g->nodes[i].in[j].node] = 1;
	reached = kept[node];
	mem_free(kept);
	return reached;
}

bool mutate_is_fixed(const struct graph *g, int node, const char **why)
{
	static const char *const classifier = "makes the output: it stays", *const only = "is the only layer: it stays";
	const struct node *n = &g->nodes[node];
	bool shapes = makes_width(n) || layer_classes[n->kind]->family == FAMILY_RESHAPE || n->kind == LAYER_concat ||
		      is_global_pool(n->kind);

	if (why)
		*why = g->n_nodes == 1 ? only : classifier;
	return g->n_nodes == 1 || (shapes && reaches_output(g, node));
}

/* ---- edits ---------------------------------------------------------------------------------------------- */

struct edit {
	const struct json *json;
	const struct mutation *op;
	const struct json *value;
	_Alignas(16) char cfg[EDIT_CFG_MAX];
};

/* The operator is the one key that names one. */
static int find_operator(struct edit *x, const struct json_in *in)
{
	const char *names[OPERATORS_MAX], *near = NULL, *unknown = NULL;
	int n = 0;

	for (; mutations[n]; n++)
		names[n] = mutations[n]->name;
	JSON_EACH(v, x->json) {
		const struct mutation *op = mutation_find(json_key(v));

		if (op && !x->op) {
			x->op = op;
			x->value = v;
		} else if (op && !opt_find(x->op->opts, json_key(v)) && opt_find(op->opts, x->op->name)) {
			x->op = op; /* {"with": ..., "replace": ...}: a key may be an option of the other */
			x->value = v;
		}
		if (!op && !unknown)
			unknown = json_key(v);
	}
	if (x->op)
		return 0;
	near = unknown ? str_nearest(unknown, names, n) : NULL;
	if (near)
		return json_bad(in, x->json, "\"%.40s\" is not an operator (did you mean \"%s\"?)", unknown, near);
	return json_bad(in, x->json, "names no operator, such as {\"remove\": \"relu_1\"}");
}

static int read_edit(struct edit *x, const struct json *v, struct arena *a, const struct json_in *in)
{
	const char *reserved[2] = { NULL, NULL };

	x->json = v;
	if (json_type(v) != JSON_OBJECT)
		return json_bad(in, v, "an edit is an object like {\"remove\": \"relu_1\"}, not %s",
				json_type_name(json_type(v)));
	if (find_operator(x, in) < 0)
		return -1;
	assert(x->op->cfg_size <= EDIT_CFG_MAX);
	reserved[0] = x->op->name;
	if (opt_read(x->cfg, x->op->opts, v, reserved, a, in) < 0)
		return -1;
	if (!x->op->entry && !json_string(x->value)) {
		const struct mutation *op = x->op;

		x->op = NULL;
		return json_bad(in, x->value, "must be the id of a layer%s, not %s",
				op->at & MUTATE_BLOCK ? " or block" : "", json_type_name(json_type(x->value)));
	}
	return 0;
}

/* Returns their number, also where some are wrong (*bad; those have no operator). */
static int read_edits(struct edit **out, const struct json *edits, bool *bad, struct arena *a, const struct json_in *in)
{
	bool list = json_type(edits) == JSON_ARRAY;
	int n = list ? json_count(edits) : 1, k = 0, rc = 0;

	if (!n)
		return json_bad(in, edits, "holds no edit");
	*out = ARENA_ARRAY(a, struct edit, n);
	if (list)
		JSON_EACH(v, edits)
			rc |= read_edit(&(*out)[k++], v, a, in);
	else
		rc = read_edit(*out, edits, a, in);
	*bad = rc < 0;
	return n;
}

/* The place that an edit names, in the draft as it is then. */
static int find_place(struct place *at, struct draft *d, const struct edit *x, struct err *e)
{
	*at = (struct place){ -1, -1 };
	if (x->op->entry)
		return 0;
	if (draft_find(d, at, json_string(x->value), e) < 0)
		return -1;
	if (at->node >= 0 && !(x->op->at & MUTATE_LAYER))
		return ERR(e, ERR_INVALID, NULL, "\"%s\" is a layer: %s acts on blocks", json_string(x->value),
			   x->op->name);
	if (at->group >= 0 && !(x->op->at & MUTATE_BLOCK))
		return ERR(e, ERR_INVALID, NULL, "\"%s\" is a block: %s acts on layers", json_string(x->value),
			   x->op->name);
	return 0;
}

/* Ids of the parent can be checked before anything is done; later edits may name what earlier ones made. */
static int check_places(struct draft *d, const struct edit *x, int n, const struct json_in *in)
{
	int rc = 0;

	for (int i = 0; i < n; i++) {
		struct err why = { 0 };
		struct place at;
		bool made = false;

		for (int k = 0; k <= i; k++)
			made = made || !x[k].op || (k < i && (x[k].op->entry || x[k].op->morph || x[k].op->opts->name));
		if (!made && find_place(&at, d, &x[i], &why) < 0)
			rc = json_bad(in, x[i].value, "%s", why.msg);
	}
	return rc;
}

static struct json *canonical(const struct edit *x)
{
	struct json *v = json_object(), *options = opt_write(x->cfg, x->op->opts);

	json_put(v, x->op->name, json_copy(x->value));
	JSON_EACH(o, options)
		json_put(v, json_key(o), json_copy(o));
	json_free(options);
	return v;
}

static int run_edit(struct draft *d, const struct edit *x, const struct json_in *in)
{
	struct err why = { 0 };
	struct place at;
	int rc = find_place(&at, d, x, &why);

	if (rc == 0)
		rc = x->op->apply(d, at, x->value, x->cfg, &why);
	if (rc < 0)
		return json_bad(in, x->json, "%s%s%s", why.where, why.where[0] ? ": " : "", why.msg);
	json_push(d->log->edits, canonical(x));
	if (rc > 0)
		draft_name_new(d);
	return rc;
}

static void free_doc(void *doc)
{
	json_free(doc);
}

/* Which one of several edits was refused. */
static int blame(struct draft *d, const struct edit *x, int i, int n)
{
	if (n > 1)
		d->log->refusal = arena_printf(d->arena, "edit %d (%s): %s", i + 1, x->op->name, d->log->refusal);
	return 0;
}

static int build(struct graph **out, struct draft *d, int **at)
{
	struct err e = { 0 };
	struct graph *g;
	struct hash128 was, is;

	if (draft_build(&g, d, at, &e) == 0)
		return 0;
	was = graph_hash(d->from);
	is = graph_hash(g);
	if (memcmp(&was, &is, sizeof was) == 0)
		return draft_refuse(d, "changes nothing");
	*out = g;
	return 1;
}

int mutate_draft(struct draft **made, int **at, struct graph **out, const struct graph *g, const struct json *edits,
		 const struct mutate_env *env, struct mutate_log *log, const struct json_in *in, struct arena *a)
{
	struct edit *x = NULL;
	struct draft *d;
	bool bad = false;
	int n, rc = 1;

	*out = NULL;
	*at = NULL;
	*log = (struct mutate_log){ .edits = json_array(), .words = "" };
	arena_defer(a, free_doc, log->edits);
	n = read_edits(&x, edits, &bad, a, in);
	if (n < 0)
		return -1;
	d = *made = draft_new(g, env, log, a);
	if (check_places(d, x, n, in) < 0 || bad)
		return -1;
	for (int i = 0; i < n && rc > 0; i++) {
		rc = run_edit(d, &x[i], in);
		if (rc == 0)
			blame(d, &x[i], i, n);
	}
	return rc > 0 ? build(out, d, at) : rc;
}

int mutate_apply(struct graph **out, const struct graph *g, const struct json *edits, const struct mutate_env *env,
		 struct mutate_log *log, struct arena *a, const struct json_in *in)
{
	struct draft *made;
	int *at;

	return mutate_draft(&made, &at, out, g, edits, env, log, in, a);
}

struct json *mutate_change(const struct mutate_log *log)
{
	struct json *v = json_object(), *repairs;

	json_put(v, "edits", json_copy(log->edits));
	json_put(v, "words", json_str(log->words));
	repairs = json_put(v, "repairs", json_array());
	for (int i = 0; i < log->n_repairs; i++)
		json_push(repairs, json_str(log->repairs[i]));
	return v;
}

struct json *mutate_draw(const struct mutation *m, const struct graph *g, struct place at, const struct mutate_env *env,
			 struct rng *rng)
{
	static const struct mutate_env none;

	if (!m->draw || !(m->at & (at.node >= 0 ? MUTATE_LAYER : MUTATE_BLOCK)))
		return NULL;
	return m->draw(g, at, env ? env : &none, rng);
}

/* ---- help ----------------------------------------------------------------------------------------------- */

struct json *mutate_schema(void)
{
	struct json *list = json_object(), *any = json_array();

	json_put(list, "$schema", json_str("http://json-schema.org/draft-07/schema#"));
	json_put(list, "type", json_str("array"));
	for (int i = 0; mutations[i]; i++) {
		struct json *extra = json_object(), *value = json_object(), *one, *needed;

		json_put(value, "description", json_str(mutations[i]->help));
		if (!mutations[i]->entry)
			json_put(value, "type", json_str("string"));
		json_put(extra, mutations[i]->name, value);
		one = json_push(any, opt_schema(mutations[i]->opts, extra));
		needed = json_mutable(one, "required");
		if (!needed)
			needed = json_put(one, "required", json_array());
		json_push(needed, json_str(mutations[i]->name));
	}
	json_put(json_put(list, "items", json_object()), "anyOf", any);
	return list;
}

void mutate_help(struct str *out)
{
	for (int i = 0; mutations[i]; i++) {
		str_addf(out, "  %-16s %s\n", mutations[i]->name, mutations[i]->help);
		opt_help(out, mutations[i]->opts, "    ");
	}
}
