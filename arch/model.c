/* arch/model.c - reading models from JSON: layers, blocks with parameters, repeats, references. See model.h.
 *
 * Everything that a shorthand implies becomes visible layers and explicit options while the graph is built, because the
 * shapes are known at that moment. After the first layer that does not fit, the rest is still checked for mistakes that
 * need no shapes, so that they are reported together.
 */
#include "arch/model.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arch/kinds.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

enum { CFG_MAX = 1024, BLOCK_DEPTH = 24, REPEAT_MAX = 1000 };

static const char *const sibling_keys[] = { "id", "from", "repeat", "first", "share", "frozen", "device", NULL };

struct builder {
	struct graph *g; /* NULL: only check what needs no shapes */
	const struct block_set *blocks;
	const struct json *siblings; /* the list of layers being read, for better messages; may be NULL */
	int depth;
};

static int append(struct builder *b, const struct json *entry, const struct scope *scope, struct edge *prev,
		  const struct json_in *in);

static bool is_sibling_key(const char *key)
{
	for (int i = 0; sibling_keys[i]; i++)
		if (strcmp(sibling_keys[i], key) == 0)
			return true;
	return false;
}

/* ---- references ----------------------------------------------------------------------------------------- */

/* The port of a node by name ("" or "out": the first), or -1. */
static int node_port(const struct node *n, const char *name)
{
	const char *const *ports = layer_classes[n->kind]->ports;

	if (!name[0])
		return 0;
	for (int i = 0; i < n->n_out; i++)
		if (strcmp(ports ? ports[i] : "out", name) == 0)
			return i;
	return -1;
}

/* Follows a flat id and a port name. 1 if found, 0 if there is no such id, -1 if there is no such port. */
static int resolve_flat(const struct graph *g, const char *id, const char *port, struct edge *out)
{
	int n = graph_find(g, id), b = graph_find_group(g, id);

	if (n >= 0) {
		*out = (struct edge){ n, node_port(&g->nodes[n], port) };
		return out->port < 0 ? -1 : 1;
	}
	if (b < 0)
		return 0;
	for (int i = 0; i < g->groups[b].n_out; i++) {
		if (!port[0] || strcmp(g->groups[b].out_names[i], port) == 0) {
			*out = g->groups[b].out[i];
			return 1;
		}
	}
	return -1;
}

static const struct json *sibling_by_id(const struct json *list, const char *id)
{
	JSON_EACH(s, list)
		if (json_string(json_get(s, "id")) && strcmp(json_string(json_get(s, "id")), id) == 0)
			return s;
	return NULL;
}

/* Does `entry` of `list` read `target`, directly or through others? Entries without "from" read the one before. Paths
 * can be very many: after *budget steps the answer is no. */
static bool depends(const struct json *list, const struct json *entry, const struct json *target, int depth,
		    int *budget)
{
	const struct json *from = json_get(entry, "from"), *before = NULL;

	if (entry == target)
		return true;
	if (depth > 1000 || --*budget < 0)
		return false;
	for (const struct json *s = json_first(list); s && s != entry; s = json_next(s))
		before = s;
	if (!from)
		return before && depends(list, before, target, depth + 1, budget);
	for (const struct json *f = json_type(from) == JSON_ARRAY ? json_first(from) : from; f;
	     f = json_type(from) == JSON_ARRAY ? json_next(f) : NULL) {
		const char *name = json_string(f);
		const struct json *s = name ? sibling_by_id(list, name) : NULL;

		if (name && strcmp(name, "prev") == 0)
			s = before;
		if (s && depends(list, s, target, depth + 1, budget))
			return true;
	}
	return false;
}

static int unknown_reference(const struct builder *b, const struct json *ref, const char *id, const struct json_in *in)
{
	const struct json *later = sibling_by_id(b->siblings, id), *me = NULL;
	const char *names[256], *near;
	int n = 0, budget = 10000;

	JSON_EACH(s, b->siblings) {
		const char *name = json_string(json_get(s, "id"));

		const struct json *from = json_get(s, "from");

		if (from == ref)
			me = s;
		JSON_EACH(f, from)
			if (f == ref)
				me = s;
		if (name && n < 256)
			names[n++] = name;
	}
	near = str_nearest(id, names, n);
	if (later && me && depends(b->siblings, later, me, 0, &budget))
		return json_bad(in, ref, "\"%s\" itself depends on this layer: the layers form a cycle", id);
	if (later)
		return json_bad(in, ref,
				"\"%s\" comes later in the list: layers stand in the order in which they are "
				"computed, move it up",
				id);
	return json_bad(in, ref, "there is no layer, block or input \"%s\" here%s%s%s", id,
			near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
}

static int resolve(const struct builder *b, const struct json *ref, struct edge prev, struct edge *out,
		   const struct json_in *in)
{
	const struct graph *g = b->g;
	const struct group *box = g->open_group >= 0 ? &g->groups[g->open_group] : NULL;
	const char *text = json_string(ref), *colon;
	char id[GRAPH_ID_MAX], flat[2 * GRAPH_ID_MAX + 4];
	int found;

	if (!text)
		return json_bad(in, ref, "must be the id of a layer, not %s", json_type_name(json_type(ref)));
	if (strlen(text) >= sizeof id)
		return json_bad(in, ref, "is too long for an id");
	if (strcmp(text, "prev") == 0) {
		*out = prev;
		return 0;
	}
	for (int i = 0; i < (box ? box->n_in : g->n_inputs); i++) {
		if (strcmp(text, box ? box->in_names[i] : g->inputs[i].name) == 0) {
			*out = box ? box->in[i] : (struct edge){ -1 - i, 0 };
			return 0;
		}
	}
	if (strcmp(text, "in") == 0) {
		*out = box ? box->in[0] : (struct edge){ -1, 0 };
		return 0;
	}
	colon = strchr(text, ':');
	snprintf(id, sizeof id, "%.*s", (int)(colon ? colon - text : (long)strlen(text)), text);
	snprintf(flat, sizeof flat, "%s%s%s", box ? box->id : "", box ? "__" : "", id);
	found = resolve_flat(g, flat, colon ? colon + 1 : "", out);
	if (found < 0)
		return json_bad(in, ref, "\"%s\" has no output \"%s\"", id, colon ? colon + 1 : "");
	return found ? 0 : unknown_reference(b, ref, id, in);
}

/* The inputs of an entry into edges[LAYER_INPUTS]: "from", or what came before. Returns their number, or -1. */
static int read_from(const struct builder *b, const struct json *entry, struct edge prev, struct edge *edges,
		     const struct json_in *in)
{
	const struct json *from = json_get(entry, "from");
	int n = 0;

	if (!from) {
		edges[0] = prev;
		return 1;
	}
	if (json_type(from) != JSON_ARRAY)
		return resolve(b, from, prev, &edges[0], in) < 0 ? -1 : 1;
	if (json_count(from) < 1 || json_count(from) > LAYER_INPUTS)
		return json_bad(in, from, "must name 1 to %d layers, names %d", LAYER_INPUTS, json_count(from));
	JSON_EACH(ref, from)
		if (resolve(b, ref, prev, &edges[n++], in) < 0)
			return -1;
	return n;
}

/* ---- layers --------------------------------------------------------------------------------------------- */

static int read_cfg(void *cfg, int kind, const struct json *options, struct arena *a, const struct json_in *in);

/* {"choice": ["relu", {"conv2d": {...}}]} */
static int read_choice(struct choice *c, const struct json *list, struct arena *a, const struct json_in *in)
{
	if (json_type(list) != JSON_ARRAY || json_count(list) < 2 || json_count(list) > CHOICE_MAX)
		return json_bad(in, list, "must be a list of 2 to %d layers", CHOICE_MAX);
	JSON_EACH(v, list) {
		const struct json *one = json_string(v) ? NULL : json_first(v);
		const char *name = json_string(v) ? json_string(v) : json_key(one);
		int kind = name ? layer_find(name) : -1;

		if (kind < 0 || kind == LAYER_choice || (one && json_next(one)))
			return json_bad(in, v, "a candidate of \"choice\" must be one plain layer");
		c->items[c->n].kind = (enum layer_kind)kind;
		c->items[c->n].cfg = arena_alloc(a, layer_classes[kind]->cfg_size);
		if (read_cfg(c->items[c->n++].cfg, kind, one, a, in) < 0)
			return -1;
	}
	return 0;
}

static int read_cfg(void *cfg, int kind, const struct json *options, struct arena *a, const struct json_in *in)
{
	static const char *const add_keys[] = { "project", NULL };

	if (kind == LAYER_choice)
		return read_choice(cfg, options, a, in);
	if (options && json_type(options) != JSON_OBJECT && json_type(options) != JSON_NULL)
		return json_bad(in, options, "the options of %s must be an object, not %s", layer_classes[kind]->name,
				json_type_name(json_type(options)));
	return opt_read(cfg, layer_classes[kind]->opts, options, kind == LAYER_add ? add_keys : NULL, a, in);
}

/* Adds a layer with options given as JSON text pieces that we make ourselves (projections). */
static int add_plain(struct graph *g, enum layer_kind kind, const void *cfg, struct edge from, struct edge *out,
		     struct err *e)
{
	int n = graph_add(g, kind, cfg, &from, 1, NULL, e);

	*out = (struct edge){ n, 0 };
	return n < 0 ? -1 : 0;
}

/* The stride that takes `from` to `to` by a 1x1 window, or 0. */
static int project_stride(int from, int to)
{
	for (int s = 1; s <= from; s++)
		if ((from - 1) / s + 1 == to)
			return s;
	return 0;
}

static int project_image(struct graph *g, const struct shape *from, const struct shape *to, struct edge *edge,
			 struct err *e)
{
	struct conv2d c = { 0 };

	opt_defaults(&c, layer_classes[LAYER_conv2d]->opts);
	c.filters = to->d[0];
	c.kernel = (struct opt_pair){ { 1, 1 } };
	c.stride = (struct opt_pair){ { project_stride(from->d[1], to->d[1]), project_stride(from->d[2], to->d[2]) } };
	c.bias = false;
	if (!c.stride.v[0] || !c.stride.v[1])
		return ERR(e, ERR_INVALID, NULL, "no stride takes %dx%d to %dx%d: the shortcut cannot be projected",
			   from->d[1], from->d[2], to->d[1], to->d[2]);
	return add_plain(g, LAYER_conv2d, &c, *edge, edge, e);
}

static int project_sequence(struct graph *g, const struct shape *from, const struct shape *to, struct edge *edge,
			    struct err *e)
{
	struct conv1d c = { 0 };

	opt_defaults(&c, layer_classes[LAYER_conv1d]->opts);
	c.filters = to->d[0];
	c.kernel = 1;
	c.stride = project_stride(from->d[1], to->d[1]);
	c.bias = false;
	if (!c.stride)
		return ERR(e, ERR_INVALID, NULL, "no stride takes %d steps to %d: the shortcut cannot be projected",
			   from->d[1], to->d[1]);
	return add_plain(g, LAYER_conv1d, &c, *edge, edge, e);
}

/* "project": true on an add: every operand whose shape differs from the first one's goes through a 1x1 convolution (or
 * a dense layer) without bias and a batch norm. */
static int project(struct graph *g, struct edge *edges, int n, struct err *e)
{
	const struct shape to = *graph_shape(g, edges[0]);

	for (int i = 1; i < n; i++) {
		const struct shape from = *graph_shape(g, edges[i]);
		struct batchnorm bn = { 0 };
		struct dense d = { 0 };

		if (shape_equal(&from, &to))
			continue;
		if (from.type != to.type || from.open != to.open || to.type == TENSOR_TOKENS)
			return ERR(e, ERR_INVALID, NULL, "an operand of another type cannot be projected");
		if (to.type == TENSOR_IMAGE && project_image(g, &from, &to, &edges[i], e) < 0)
			return -1;
		if (to.type == TENSOR_SEQUENCE && project_sequence(g, &from, &to, &edges[i], e) < 0)
			return -1;
		if (to.type == TENSOR_VECTOR) {
			opt_defaults(&d, layer_classes[LAYER_dense]->opts);
			d.units = to.d[0];
			d.bias = false;
			if (add_plain(g, LAYER_dense, &d, edges[i], &edges[i], e) < 0)
				return -1;
		}
		opt_defaults(&bn, layer_classes[LAYER_batchnorm]->opts);
		if (add_plain(g, LAYER_batchnorm, &bn, edges[i], &edges[i], e) < 0)
			return -1;
	}
	return 0;
}

static int read_share(struct builder *b, int node, const struct json *share, const struct json_in *in)
{
	struct graph *g = b->g;
	char flat[2 * GRAPH_ID_MAX + 4];
	struct err e = { 0 };
	int with = -1;

	if (!json_string(share) || strlen(json_string(share)) >= GRAPH_ID_MAX)
		return json_bad(in, share, "must be the id of a layer whose parameters are used");
	if (g->open_group >= 0) {
		snprintf(flat, sizeof flat, "%s__%s", g->groups[g->open_group].id, json_string(share));
		with = graph_find(g, flat);
	}
	if (with < 0 || with >= node) /* a layer may be called as the one outside that it shares with */
		with = graph_find(g, json_string(share));
	if (with < 0 || with >= node)
		return json_bad(in, share, "there is no earlier layer \"%s\"", json_string(share));
	if (graph_share(g, node, with, &e) < 0)
		return json_bad(in, share, "%s", e.msg);
	return 0;
}

static int read_marks(struct builder *b, int node, const struct json *entry, const struct json_in *in)
{
	const struct json *frozen = json_get(entry, "frozen"), *device = json_get(entry, "device");
	struct node *n = &b->g->nodes[node];

	if (json_get(entry, "share") && read_share(b, node, json_get(entry, "share"), in) < 0)
		return -1;
	if (frozen && json_type(frozen) != JSON_BOOL)
		return json_bad(in, frozen, "must be true or false");
	n->frozen = json_true(frozen);
	if (device && !json_string(device))
		return json_bad(in, device, "must be the name of a device");
	n->device = device ? arena_strdup(b->g->arena, json_string(device)) : NULL;
	return 0;
}

static int add_layer(struct builder *b, int kind, const struct json *options, const struct json *entry, const char *id,
		     struct edge *prev, const struct json_in *in)
{
	_Alignas(16) char cfg[CFG_MAX] = { 0 };
	struct edge edges[LAYER_INPUTS];
	struct arena *scratch = b->g ? NULL : arena_new();
	struct err e = { 0 };
	int rc, n, node;

	assert(layer_classes[kind]->cfg_size <= CFG_MAX);
	rc = read_cfg(cfg, kind, options, b->g ? b->g->arena : scratch, in);
	arena_free(scratch);
	if (rc < 0 || !b->g)
		return rc;
	n = read_from(b, entry, *prev, edges, in);
	if (n < 0)
		return -1;
	if (kind == LAYER_add && json_true(json_get(options, "project")) && project(b->g, edges, n, &e) < 0)
		return json_bad(in, entry, "%s", e.msg);
	node = graph_add(b->g, (enum layer_kind)kind, cfg, edges, n, id, &e);
	if (node < 0)
		return json_bad(in, entry, "%s", e.msg);
	*prev = (struct edge){ node, 0 };
	return read_marks(b, node, entry, in);
}

/* ---- blocks --------------------------------------------------------------------------------------------- */

/* The arguments of an instance over the defaults of the definition. NULL with a message if they do not match. */
static struct json *bind_args(const struct json *def, const struct json *args, const struct json_in *in)
{
	const struct json *with = json_get(def, "with");
	struct json *vars = with ? json_copy(with) : json_object();
	const char *known[64];
	int n = 0;

	if (args && json_type(args) != JSON_OBJECT && json_type(args) != JSON_NULL) {
		json_bad(in, args, "the arguments of %s must be an object, not %s", json_key(def),
			 json_type_name(json_type(args)));
		goto bad;
	}
	JSON_EACH(w, with)
		if (n < 64)
			known[n++] = json_key(w);
	if (json_unknown(in, args, known, n))
		goto bad;
	JSON_EACH(a, args)
		json_put(vars, json_key(a), json_copy(a));
	JSON_EACH(v, vars) {
		if (json_type(v) == JSON_NULL) {
			json_bad(in, args ? args : in ? in->root : NULL, "%s needs \"%s\"", json_key(def), json_key(v));
			goto bad;
		}
	}
	return vars;
bad:
	json_free(vars);
	return NULL;
}

/* The list of layers of a scope, in order. After one that does not fit, the rest is checked without shapes. */
static int append_list(struct builder *b, const struct json *layers, const struct scope *scope, struct edge *prev,
		       const struct json_in *in)
{
	struct builder inner = *b;
	int rc = 0;

	inner.siblings = layers;
	JSON_EACH(entry, layers) {
		if (append(&inner, entry, scope, prev, in) < 0) {
			rc = -1;
			inner.g = NULL;
		}
	}
	return rc;
}

/* The declared outputs of a block: "out" is a reference, a list of them (out, out2 ...) or an object by name. */
static int read_outs(const struct builder *b, const struct json *def, struct edge last, const char **names,
		     struct edge *edges, const struct json_in *in)
{
	static const char *const numbered[] = { "out", "out2", "out3", "out4", "out5", "out6", "out7", "out8" };
	const struct json *out = json_get(def, "out");
	int n = 0;

	names[0] = "out";
	edges[0] = last;
	if (!out)
		return 1;
	if (json_type(out) == JSON_STRING)
		return resolve(b, out, last, &edges[0], in) < 0 ? -1 : 1;
	if (json_count(out) < 1 || json_count(out) > 8)
		return json_bad(in, out, "a block has 1 to 8 outputs");
	JSON_EACH(o, out) {
		names[n] = json_key(o) ? json_key(o) : numbered[n];
		if (resolve(b, o, last, &edges[n++], in) < 0)
			return -1;
	}
	return n;
}

static int block_inputs(const struct json *def, const char **names)
{
	const struct json *inputs = json_get(def, "inputs");
	int n = 0;

	names[0] = "in";
	JSON_EACH(i, inputs)
		if (n < LAYER_INPUTS)
			names[n++] = json_string(i);
	return n ? n : 1;
}

static int expand_block(struct builder *b, const struct json *def, const struct json *vars, const char *args_text,
			const struct edge *edges, int n_in, const char *id, const struct scope *scope,
			struct edge *prev, const struct json_in *in)
{
	const char *in_names[LAYER_INPUTS], *out_names[8];
	const struct json *of = json_get(def, "of"), *args = json_get(def, "args");
	const struct shape *shape = graph_shape(b->g, edges[0]);
	struct scope inner = { NULL, vars, shape };
	struct edge last = edges[0], outs[8];
	struct str text = { 0 };
	struct err e = { 0 };
	int n, rc;

	while (scope && scope->outer)
		scope = scope->outer;
	inner.outer = scope; /* only what the model itself declares: $classes */
	n = block_inputs(def, in_names);
	if (n != n_in)
		return json_bad(in, def, "\"%s\" takes %d input%s, got %d", json_key(def), n, n == 1 ? "" : "s", n_in);
	if (args)
		json_print(&text, args);
	rc = graph_block_begin(b->g, json_string(of) ? json_string(of) : json_key(def),
			       args ? str_get(&text) : args_text, id, in_names, edges, n_in, &e);
	str_release(&text);
	if (rc < 0)
		return json_bad(in, def, "%s", e.msg);
	if (append_list(b, json_get(def, "layers"), &inner, &last, in) < 0)
		return -1;
	n = read_outs(b, def, last, out_names, outs, in);
	if (n < 0)
		return -1;
	if (graph_block_end(b->g, out_names, outs, n, &e) < 0)
		return json_bad(in, def, "%s", e.msg);
	*prev = outs[0];
	return 0;
}

static int add_block(struct builder *b, const struct json *def, const struct json *args, const struct json *entry,
		     const char *id, const struct scope *scope, struct edge *prev, const struct json_in *in)
{
	struct json *vars = bind_args(def, args, in);
	struct json_in inner = { def, in ? in->diag : NULL, NULL };
	struct edge edges[LAYER_INPUTS];
	struct str text = { 0 };
	char at[256], path[160];
	int rc = -1, n;

	if (!vars)
		return -1;
	if (b->depth >= BLOCK_DEPTH) {
		json_bad(in, entry, "blocks are nested more than %d deep: does \"%s\" use itself?", BLOCK_DEPTH,
			 json_key(def));
		goto out;
	}
	if (!b->g) {
		rc = 0;
		goto out;
	}
	n = read_from(b, entry, *prev, edges, in);
	if (n < 0)
		goto out;
	if (in) { /* messages from inside say which use of the block they are about */
		json_path(in->root, entry, path, sizeof path);
		snprintf(at, sizeof at, "%.80s%s%.80s -> %.60s", in->at ? in->at : "", in->at ? "." : "", path,
			 json_key(def));
		inner.at = at;
	}
	json_print(&text, vars);
	b->depth++;
	rc = expand_block(b, def, vars, str_get(&text), edges, n, id, scope, prev, &inner);
	b->depth--;
out:
	str_release(&text);
	json_free(vars);
	return rc;
}

/* ---- entries -------------------------------------------------------------------------------------------- */

static int unknown_kind(const struct builder *b, const struct json *where, const char *name, const struct json_in *in)
{
	const char *names[256], *near = layer_suggest(name);

	if (!near)
		near = str_nearest(name, names, block_set_names(b->blocks, names, 256));
	if (near)
		return json_bad(in, where, "unknown layer or block \"%s\" (did you mean \"%s\"?)", name, near);
	return json_bad(in, where, "unknown layer or block \"%s\" (`nab schema layers` lists the kinds)", name);
}

/* One copy of an entry whose name and options are known. */
static int append_one(struct builder *b, const char *name, const struct json *options, const struct json *entry,
		      const char *id, const struct scope *scope, struct edge *prev, const struct json_in *in,
		      const struct json_in *opt_in)
{
	const struct json *def = block_set_find(b->blocks, name);
	int kind = layer_find(name);
	struct json_in merged = *in;

	/* options that were evaluated or merged are not part of the document: their errors need the entry's path */
	if (opt_in->root != in->root)
		merged = *opt_in;
	if (kind >= 0) {
		_Alignas(16) char cfg[CFG_MAX] = { 0 };
		struct arena *scratch;

		if (opt_in->root == in->root)
			return add_layer(b, kind, options, entry, id, prev, in);
		scratch = arena_new();
		if (read_cfg(cfg, kind, options, scratch, &merged) < 0) {
			arena_free(scratch);
			return -1;
		}
		arena_free(scratch);
		return add_layer(b, kind, options, entry, id, prev, in);
	}
	if (!def)
		return unknown_kind(b, entry, name, in);
	return add_block(b, def, options, entry, id, scope, prev, in);
}

static bool has_variable(const struct json *v)
{
	if (json_string(v) && strchr(json_string(v), '$'))
		return true;
	JSON_EACH(c, v)
		if (has_variable(c))
			return true;
	return false;
}

/* base with the members of `over` put on top; a new value. */
static struct json *overlay(const struct json *base, const struct json *over)
{
	struct json *out = json_type(base) == JSON_OBJECT ? json_copy(base) : json_object();

	JSON_EACH(v, over)
		json_put(out, json_key(v), json_copy(v));
	return out;
}

static int read_repeat(const struct json *entry, const struct scope *scope, int *count, const struct json_in *in)
{
	const struct json *repeat = json_get(entry, "repeat"), *from = json_get(entry, "from");
	struct json *v;
	double x;

	*count = 1;
	if (!repeat)
		return 0;
	v = scope_eval(repeat, scope, in);
	if (!v)
		return -1;
	x = json_number(v);
	json_free(v);
	if (!(x >= 1 && x <= REPEAT_MAX && x == floor(x)))
		return json_bad(in, repeat, "must be a whole number between 1 and %d", REPEAT_MAX);
	*count = (int)x;
	if (json_type(from) == JSON_ARRAY && json_count(from) > 1 && *count > 1)
		return json_bad(in, from, "\"repeat\" needs a single input: each copy reads the one before");
	return 0;
}

/* All copies of an entry; `value` holds the options, already free of variables. */
static int append_copies(struct builder *b, const char *name, const struct json *value, const struct json *first,
			 const struct json *entry, const struct scope *scope, struct edge *prev,
			 const struct json_in *in, const struct json_in *opt_in)
{
	const struct json *id = json_get(entry, "id");
	int count;

	if (read_repeat(entry, scope, &count, in) < 0)
		return -1;
	if (id && !json_string(id))
		return json_bad(in, id, "must be a text");
	for (int i = 0; i < count; i++) {
		struct json *merged = i == 0 && first ? overlay(value, first) : NULL;
		struct json *chained = i > 0 && json_get(entry, "from") ? json_copy(entry) : NULL;
		struct json_in of_merged = { merged, in->diag, opt_in->at };
		char local[GRAPH_ID_MAX];
		int rc;

		if (chained)
			json_drop(chained, "from");
		if (id)
			snprintf(local, sizeof local, count > 1 ? "%.64s_%d" : "%.64s", json_string(id), i + 1);
		rc = append_one(b, name, merged ? merged : value, chained ? chained : entry, id ? local : NULL, scope,
				prev, in, merged ? &of_merged : opt_in);
		json_free(merged);
		json_free(chained);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int append_object(struct builder *b, const struct json *entry, const struct scope *scope, struct edge *prev,
			 const struct json_in *in)
{
	const struct json *value = NULL, *first = json_get(entry, "first");
	struct json *options = NULL, *first_eval = NULL, *name_eval = NULL;
	char at[256], path[160];
	struct json_in opt_in;
	const char *name;
	int rc = -1;

	JSON_EACH(v, entry) {
		if (is_sibling_key(json_key(v)))
			continue;
		if (value)
			return json_bad(in, v, "an entry holds one layer: \"%s\" or \"%s\"?", json_key(value),
					json_key(v));
		value = v;
	}
	if (!value)
		return json_bad(in, entry, "the layer's kind is missing");
	name = json_key(value);
	json_path(in->root, value, path, sizeof path);
	snprintf(at, sizeof at, "%.100s%s%.150s", in->at ? in->at : "", in->at ? "." : "", path);
	if (name[0] == '$') { /* the kind itself is a parameter */
		struct json *text = json_str(name);

		name_eval = scope_eval(text, scope, in);
		json_free(text);
		if (!json_string(name_eval)) {
			json_bad(in, value, "%s is not the name of a layer or block", name);
			goto out;
		}
		name = json_string(name_eval);
	}
	if (has_variable(value)) {
		options = scope_eval(value, scope, in);
		if (!options)
			goto out;
	}
	if (first) {
		first_eval = scope_eval(first, scope, in);
		if (!first_eval)
			goto out;
		if (json_type(first_eval) != JSON_OBJECT) {
			json_bad(in, first, "must be an object of options for the first copy");
			goto out;
		}
	}
	opt_in = options ? (struct json_in){ options, in->diag, at } : *in;
	rc = append_copies(b, name, options ? options : value, first_eval, entry, scope, prev, in, &opt_in);
out:
	json_free(name_eval);
	json_free(options);
	json_free(first_eval);
	return rc;
}

/* "relu", "residual", or "$activation" whose value may be a name or an object. */
static int append_text(struct builder *b, const struct json *entry, const struct scope *scope, struct edge *prev,
		       const struct json_in *in)
{
	const char *name = json_string(entry);
	struct json *value;
	int rc;

	if (name[0] != '$')
		return append_one(b, name, NULL, entry, NULL, scope, prev, in, in);
	value = scope_eval(entry, scope, in);
	if (!value)
		return -1;
	if (json_string(value))
		rc = append_one(b, json_string(value), NULL, entry, NULL, scope, prev, in, in);
	else if (json_type(value) == JSON_OBJECT) {
		char at[256], path[160];
		struct json_in of_value = { value, in->diag, at };

		json_path(in->root, entry, path, sizeof path);
		snprintf(at, sizeof at, "%.100s%s%.150s", in->at ? in->at : "", in->at ? "." : "", path);
		rc = append_object(b, value, scope, prev, &of_value);
	} else {
		rc = json_bad(in, entry, "%s is not the name of a layer or block", name);
	}
	json_free(value);
	return rc;
}

static int append(struct builder *b, const struct json *entry, const struct scope *scope, struct edge *prev,
		  const struct json_in *in)
{
	static const struct json_in silent;

	if (!in)
		in = &silent;
	if (json_type(entry) == JSON_STRING)
		return append_text(b, entry, scope, prev, in);
	if (json_type(entry) == JSON_OBJECT)
		return append_object(b, entry, scope, prev, in);
	return json_bad(in, entry, "a layer is a name or an object, not %s", json_type_name(json_type(entry)));
}

int model_append(struct graph *g, const struct json *entry, const struct block_set *blocks, const struct scope *scope,
		 struct edge *prev, const struct json_in *in)
{
	struct builder b = { g, blocks, NULL, 0 };

	return append(&b, entry, scope, prev, in);
}

/* ---- whole documents ------------------------------------------------------------------------------------ */

static int read_shape(struct shape *s, const struct json *dims, const struct json_in *in)
{
	static const enum tensor_type by_rank[] = { TENSOR_VECTOR, TENSOR_SEQUENCE, TENSOR_IMAGE };
	int n = 0;

	if (json_type(dims) != JSON_ARRAY || json_count(dims) < 1 || json_count(dims) > 3)
		return json_bad(in, dims, "must be [features], [channels, steps] or [channels, height, width]");
	*s = (struct shape){ .type = by_rank[json_count(dims) - 1] };
	JSON_EACH(d, dims) {
		double x = json_number(d);

		if (!(x >= 1 && x <= SHAPE_DIM_MAX && x == floor(x)))
			return json_bad(in, d, "a dimension must be a whole number between 1 and %d", SHAPE_DIM_MAX);
		s->d[n++] = (int)x;
	}
	return 0;
}

int model_read_input(struct shape *s, const struct json *v, const struct json_in *in)
{
	static const char *const keys[] = { "type", "shape", "open" };
	const char *type = json_string(json_get(v, "type"));
	int t = 0;

	if (json_type(v) != JSON_OBJECT)
		return read_shape(s, v, in);
	if (json_unknown(in, v, keys, 3))
		return -1;
	if (!json_get(v, "shape"))
		return json_bad(in, v, "\"shape\" is missing");
	if (read_shape(s, json_get(v, "shape"), in) < 0)
		return -1;
	while (type && t < TENSOR_TYPE_COUNT && strcmp(tensor_type_names[t], type))
		t++;
	if (t == TENSOR_TYPE_COUNT)
		return json_bad(in, json_get(v, "type"), "must be \"image\", \"vector\", \"sequence\" or \"tokens\"");
	if (type) {
		int rank = shape_rank(s);

		s->type = (enum tensor_type)t;
		if (shape_rank(s) != rank)
			return json_bad(in, v, "%s needs %d dimensions, got %d", type, shape_rank(s), rank);
	}
	s->open = json_true(json_get(v, "open"));
	if (s->open && s->type != TENSOR_SEQUENCE && s->type != TENSOR_TOKENS)
		return json_bad(in, json_get(v, "open"), "only sequences and tokens have a time axis that can be open");
	return 0;
}

static int read_inputs(struct graph *g, const struct json *doc, const struct json_in *in)
{
	const struct json *one = json_get(doc, "input"), *many = json_get(doc, "inputs");
	struct err e = { 0 };
	struct shape s;

	if ((one != NULL) == (many != NULL))
		return json_bad(in, doc, "a model needs \"input\" (or \"inputs\" by name)");
	if (one) {
		if (model_read_input(&s, one, in) < 0)
			return -1;
		return graph_input(g, "in", &s, &e) < 0 ? json_bad(in, one, "%s", e.msg) : 0;
	}
	if (json_type(many) != JSON_OBJECT || json_count(many) < 1)
		return json_bad(in, many, "must be an object of inputs by name");
	JSON_EACH(v, many) {
		if (model_read_input(&s, v, in) < 0)
			return -1;
		if (!graph_id_valid(json_key(v)) && strcmp(json_key(v), "in"))
			return json_bad(in, v, "an input's name may hold letters, digits and single underscores only");
		if (graph_input(g, json_key(v), &s, &e) < 0)
			return json_bad(in, v, "%s", e.msg);
	}
	return 0;
}

static int read_classes(const struct json *v, int *classes, const struct json_in *in)
{
	double x = json_number(v);

	if (!(x >= 1 && x <= 65536 && x == floor(x)))
		return json_bad(in, v, "must be a whole number between 1 and 65536");
	*classes = (int)x;
	return 0;
}

static int read_output(struct builder *b, const struct json *v, struct edge last, const struct json_in *in)
{
	static const char *const keys[] = { "task", "classes", "from" };
	const char *task = json_string(json_get(v, "task"));
	struct err e = { 0 };
	int t = 0, classes = 0;

	if (json_type(v) != JSON_OBJECT)
		return json_bad(in, v, "must be an object with \"task\", \"classes\" and \"from\"");
	if (json_unknown(in, v, keys, 3))
		return -1;
	while (task && t < TASK_COUNT && strcmp(task_names[t], task))
		t++;
	if (t == TASK_COUNT)
		return json_bad(in, json_get(v, "task"),
				"must be \"classification\", \"regression\" or \"multi-label\"");
	if (!json_get(v, "classes"))
		return json_bad(in, v, "\"classes\" (the width of the output) is missing");
	if (read_classes(json_get(v, "classes"), &classes, in) < 0)
		return -1;
	if (json_get(v, "from") && resolve(b, json_get(v, "from"), last, &last, in) < 0)
		return -1;
	if (graph_output(b->g, json_key(v), (enum task)t, classes, last, &e) < 0)
		return json_bad(in, v, "%s", e.msg);
	return 0;
}

static int read_outputs(struct builder *b, const struct json *doc, struct edge last, const struct json_in *in)
{
	const struct json *many = json_get(doc, "outputs");
	struct err e = { 0 };
	int classes = 0;

	if (!many) {
		if (read_classes(json_get(doc, "classes"), &classes, in) < 0)
			return -1;
		return graph_output(b->g, "out", TASK_CLASSIFY, classes, last, &e) < 0 ? -1 : 0;
	}
	JSON_EACH(v, many)
		if (read_output(b, v, last, in) < 0)
			return -1;
	return 0;
}

/* $classes: the width of the only (or first) output. */
static struct json *global_vars(const struct json *doc)
{
	struct json *vars = json_object();
	const struct json *classes = json_get(doc, "classes"), *outputs = json_get(doc, "outputs");

	if (!classes && outputs)
		classes = json_get(json_first(outputs), "classes");
	if (json_type(classes) == JSON_NUMBER)
		json_put(vars, "classes", json_copy(classes));
	return vars;
}

/* What a stored model embeds: the definitions with parameters that its layers use. */
static void keep_sources(struct graph *g, const struct block_set *set, const struct json *doc)
{
	const struct json *given = json_get(doc, "sources");
	struct json *needed = block_set_needed(set, json_get(doc, "layers")),
		    *keep = given ? json_copy(given) : json_object();
	struct str text = { 0 };

	JSON_EACH(d, needed)
		if (!json_get(d, "of") && !json_get(keep, json_key(d)))
			json_put(keep, json_key(d), json_copy(d));
	if (json_count(keep)) {
		json_print(&text, keep);
		g->sources = arena_strdup(g->arena, str_get(&text));
		str_release(&text);
	}
	json_free(keep);
	json_free(needed);
}

static const char *const model_keys[] = { "$schema", "name",   "note", "input",   "classes", "inputs",
					  "outputs", "blocks", "use",  "sources", "layers" };

/* Checks the frame of the document: 1 if it has mistakes but its layers can be looked at all the same, -1 if not. */
static int check_frame(const struct json *doc, const struct json_in *in)
{
	int bad, unknown;

	if (json_type(doc) != JSON_OBJECT)
		return json_bad(in, doc, "a model must be an object, not %s", json_type_name(json_type(doc)));
	unknown = json_unknown(in, doc, model_keys, (int)(sizeof model_keys / sizeof *model_keys));
	bad = 0;
	if (!json_get(doc, "classes") == !json_get(doc, "outputs"))
		bad += json_bad(in, doc, "a model needs \"classes\" (or \"outputs\" by name)") < 0;
	if (json_get(doc, "outputs") && json_type(json_get(doc, "outputs")) != JSON_OBJECT)
		bad += json_bad(in, json_get(doc, "outputs"), "must be an object of outputs by name") < 0;
	if (json_type(json_get(doc, "layers")) != JSON_ARRAY || !json_count(json_get(doc, "layers")))
		bad += json_bad(in, doc, "a model needs \"layers\", a list of at least one layer") < 0;
	if (json_get(doc, "name") && !json_string(json_get(doc, "name")))
		bad += json_bad(in, json_get(doc, "name"), "must be a text") < 0;
	return bad ? -1 : unknown ? 1 : 0;
}

static int read_graph(struct graph *g, const struct json *doc, const struct block_set *set, const struct json_in *in)
{
	struct json *vars = global_vars(doc);
	struct builder b = { g, set, NULL, 0 };
	struct edge last = { -1, 0 };
	struct err e = { 0 };
	struct scope scope = { NULL, vars, NULL };
	int rc = -1;

	TRY(read_inputs(g, doc, in));
	scope.in = &g->inputs[0].shape;
	TRY(append_list(&b, json_get(doc, "layers"), &scope, &last, in));
	TRY(read_outputs(&b, doc, last, in));
	rc = graph_finish(g, &e);
	if (rc < 0)
		json_bad(in, json_get(doc, "layers"), "%s", e.msg);
out:
	json_free(vars);
	return rc;
}

static int read_blocks(struct block_set *set, const struct json *doc, const char *dir, const struct block_path *lib,
		       const struct json_in *in)
{
	if (json_get(doc, "use") && block_set_use(set, json_get(doc, "use"), dir, lib, in) < 0)
		return -1;
	if (json_get(doc, "sources") && block_set_add(set, json_get(doc, "sources"), true, in) < 0)
		return -1;
	return json_get(doc, "blocks") ? block_set_add(set, json_get(doc, "blocks"), true, in) : 0;
}

static void read_names(struct graph *g, const struct json *doc)
{
	const char *name = json_string(json_get(doc, "name")), *note = json_string(json_get(doc, "note"));

	g->name = name ? arena_strdup(g->arena, name) : NULL;
	g->note = note ? arena_strdup(g->arena, note) : NULL;
}

int model_read(struct graph **out, const struct json *doc, const char *dir, const struct block_path *lib,
	       struct arena *a, const struct json_in *in)
{
	struct block_set *set = block_set_new();
	struct graph *g = graph_new(a);
	int rc = -1, frame;

	*out = NULL;
	TRY(frame = check_frame(doc, in));
	TRY(read_blocks(set, doc, dir, lib, in));
	read_names(g, doc);
	TRY(read_graph(g, doc, set, in));
	keep_sources(g, set, doc);
	if (frame == 0) {
		*out = g;
		rc = 0;
	}
out:
	block_set_free(set);
	return rc;
}

struct graph *model_read_part(const struct json *doc, const struct block_path *lib, struct arena *a, bool *whole)
{
	struct block_set *set = block_set_new();
	struct graph *g = graph_new(a), *out = NULL;
	struct json *vars = global_vars(doc);
	struct edge prev = { -1, 0 };
	struct scope scope = { NULL, vars, NULL };

	*whole = json_count(json_get(doc, "layers")) > 0;
	TRY(read_blocks(set, doc, NULL, lib, NULL));
	TRY(read_inputs(g, doc, NULL));
	read_names(g, doc);
	scope.in = &g->inputs[0].shape;
	JSON_EACH(entry, json_get(doc, "layers")) {
		if (model_append(g, entry, set, &scope, &prev, NULL) < 0) {
			*whole = false;
			break;
		}
	}
	keep_sources(g, set, doc);
	out = g;
out:
	json_free(vars);
	block_set_free(set);
	return out;
}

int model_load(struct graph **out, const char *path, const struct block_path *lib, struct arena *a, struct diag *d,
	       struct err *e)
{
	struct json *doc = NULL;
	struct json_in in;
	int rc;

	*out = NULL;
	if (json_load(&doc, path, e) < 0)
		return -1;
	in = (struct json_in){ doc, d, NULL };
	rc = model_read(out, doc, path_dir(a, path), lib, a, &in);
	if (rc == 0 && *out && !(*out)->name) {
		const char *base = path_base(path), *dot = strrchr(base, '.');

		(*out)->name = arena_printf(a, "%.*s", (int)(dot ? dot - base : (long)strlen(base)), base);
	}
	json_free(doc);
	if (rc < 0 && diag_check(d, ERR_INVALID, path, e) == 0)
		ERR(e, ERR_INVALID, path, "is not a valid model");
	return rc;
}
