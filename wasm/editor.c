/* wasm/editor.c - what the page's editor of models asks: base/, arch/, mutate/ and the SNACs of report/, as they are,
 *in WebAssembly. Questions and answers are JSON texts.
 *
 *	editor_new(n)       memory for a question of n bytes; editor_free(p) gives it, and answers, back
 *	editor_layers()     the kinds of layers with their options, from the tables of arch/layers.def
 *	editor_blocks()     the block library: definitions by name
 *	editor_check(model) what a model is: its canonical text, layers, costs, advice, drawing; or its mistakes
 *	editor_edit(q)      {"model":, "edits":}: the model after edits in the terms of `nab edit`
 */
#include <math.h>
#include <string.h>

#include "arch/kinds.h"
#include "arch/model.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/opt.h"
#include "base/str.h"
#include "mutate/mutate.h"
#include "report/canvas.h"
#include "report/snac.h"
#include "wasm/library.h"

#define EXPORT(name) __attribute__((export_name(name), used))

enum { DRAW_NODES = 600 };

static const char *const library_dirs[] = { "" };
static const struct block_path library = { library_dirs, 1 };

static char *answer(struct json *v)
{
	struct str text = { 0 };

	json_print(&text, v);
	json_free(v);
	return str_detach(&text);
}

EXPORT("editor_new") char *editor_new(size_t bytes);
EXPORT("editor_free") void editor_free(char *p);
EXPORT("editor_layers") char *editor_layers(void);
EXPORT("editor_blocks") char *editor_blocks(void);
EXPORT("editor_check") char *editor_check(const char *text);
EXPORT("editor_edit") char *editor_edit(const char *text);

char *editor_new(size_t bytes)
{
	return mem_new(bytes);
}

void editor_free(char *p)
{
	mem_free(p);
}

/* ---- what there is to build with ------------------------------------------------------------------------ */

static const char *type_name(enum opt_type t)
{
	static const char *const names[] = { [OPT_T_INT] = "int",   [OPT_T_LONG] = "int", [OPT_T_REAL] = "real",
					     [OPT_T_BOOL] = "bool", [OPT_T_STR] = "text", [OPT_T_ENUM] = "enum",
					     [OPT_T_PAIR] = "pair", [OPT_T_PAD] = "pad",  [OPT_T_INTS] = "ints" };

	return (size_t)t < sizeof names / sizeof *names && names[t] ? names[t] : "json";
}

static struct json *option(const struct opt *o, const void *defaults)
{
	struct json *v = json_object(), *list;

	json_put(v, "name", json_str(o->name));
	json_put(v, "type", json_str(type_name(o->type)));
	json_put(v, "help", json_str(o->help));
	json_put(v, "needed", json_bool(isnan(o->def)));
	json_put(v, "default", isnan(o->def) ? json_null() : opt_write_value(defaults, o));
	json_put(v, "min", json_num(o->min));
	json_put(v, "max", json_num(o->max));
	if (o->type != OPT_T_ENUM)
		return v;
	list = json_put(v, "names", json_array());
	for (int i = 0; o->names[i]; i++)
		json_push(list, json_str(o->names[i]));
	return v;
}

char *editor_layers(void)
{
	struct json *list = json_array();

	for (int i = 0; i < LAYER_KIND_COUNT; i++) {
		const struct layer_class *k = layer_classes[i];
		struct json *v = json_push(list, json_object()), *options = json_array();
		void *cfg = mem_new(k->cfg_size);

		opt_defaults(cfg, k->opts);
		json_put(v, "name", json_str(k->name));
		json_put(v, "symbol", json_str(k->symbol));
		json_put(v, "help", json_str(k->help));
		json_put(v, "family", json_str(layer_family_names[k->family]));
		json_put(v, "min", json_num(k->min_in));
		json_put(v, "max", json_num(k->max_in));
		json_put(v, "options", options);
		for (const struct opt *o = k->opts; o->name; o++)
			json_push(options, option(o, cfg));
		mem_free(cfg);
	}
	return answer(list);
}

/* All definitions of the library, in one set. */
static struct block_set *library_set(void)
{
	struct block_set *set = block_set_new();
	struct json *files = json_array();

	for (const struct library_file *f = library_files; f->name; f++)
		json_push(files, json_str(f->name));
	if (json_count(files))
		block_set_use(set, files, NULL, &library, NULL);
	json_free(files);
	return set;
}

char *editor_blocks(void)
{
	struct block_set *set = library_set();
	struct json *all = json_object();
	const char *names[256];
	int n = block_set_names(set, names, 256);

	for (int i = 0; i < n; i++)
		json_put(all, names[i], json_copy(block_set_find(set, names[i])));
	block_set_free(set);
	return answer(all);
}

/* ---- what a model is ------------------------------------------------------------------------------------ */

static struct json *diagnostics(const struct diag *d)
{
	struct json *list = json_array();

	for (int i = 0; i < d->n; i++) {
		struct json *v = json_push(list, json_object());

		json_put(v, "where", json_str(d->items[i].where));
		json_put(v, "msg", json_str(d->items[i].msg));
	}
	return list;
}

static struct json *node_json(const struct graph *g, int i)
{
	const struct node *n = &g->nodes[i];
	struct json *v = json_object(), *in = json_array();
	struct str words = { 0 };
	char shape[48];

	node_summary(&words, g, i);
	json_put(v, "id", json_str(n->id));
	json_put(v, "kind", json_str(layer_classes[n->kind]->name));
	json_put(v, "group", n->group < 0 ? json_null() : json_str(g->groups[n->group].id));
	json_put(v, "summary", json_str(str_get(&words)));
	for (int k = 0; k < n->n_in; k++)
		json_push(
		    in, json_str(n->in[k].node < 0 ? g->inputs[-1 - n->in[k].node].name : g->nodes[n->in[k].node].id));
	json_put(v, "in", in);
	json_put(v, "shape", json_str(shape_text(shape, &n->out[0])));
	json_put(v, "type", json_str(tensor_type_names[n->out[0].type]));
	json_put(v, "params", json_num((double)n->params));
	json_put(v, "macs", json_num((double)n->macs));
	str_release(&words);
	return v;
}

static void put_nodes(struct json *out, const struct graph *g)
{
	struct json *nodes = json_put(out, "nodes", json_array()), *groups = json_put(out, "groups", json_array());

	for (int i = 0; i < g->n_nodes; i++)
		json_push(nodes, node_json(g, i));
	for (int i = 0; i < g->n_groups; i++) {
		struct json *v = json_push(groups, json_object());

		json_put(v, "id", json_str(g->groups[i].id));
		json_put(v, "block", json_str(g->groups[i].block));
		json_put(v, "first", json_num(g->groups[i].first));
		json_put(v, "n", json_num(g->groups[i].n));
	}
}

static void put_text(struct json *out, const struct graph *g)
{
	struct str text = { 0 };

	model_print(&text, g);
	json_put(out, "text", json_str(str_get(&text)));
	str_release(&text);
}

static void put_drawing(struct json *out, const struct graph *g, struct arena *a)
{
	struct snac_style style = { .size = SNAC_LARGE, .width = 1200 };
	struct svg_opts opts = { .theme = SVG_INLINE, .label = "the model as it is now" };
	struct str svg = { 0 };

	if (!g->n_nodes || g->n_nodes > DRAW_NODES)
		return;
	canvas_svg(&svg, snac_draw(g, &style, a), &opts);
	json_put(out, "svg", json_str(str_get(&svg)));
	str_release(&svg);
}

static void put_hash(struct json *out, const char *key, struct hash128 h)
{
	char text[HASH_TEXT];

	json_put(out, key, json_str(hash_text(text, h)));
}

static int put_valid(struct json *out, const struct graph *g, struct err *e)
{
	struct diag lint = { 0 };
	struct cost c;

	if (graph_cost(g, &c, e) < 0)
		return -1;
	graph_lint(g, &lint);
	json_put(out, "lint", diagnostics(&lint));
	diag_release(&lint);
	put_hash(out, "hash", graph_hash(g));
	put_hash(out, "digest", graph_digest(g));
	json_put(out, "params", json_num((double)c.params));
	json_put(out, "macs", json_num((double)c.macs));
	json_put(out, "depth", json_num(c.depth));
	json_put(out, "layers", json_num(c.layers));
	json_put(out, "weight_bytes", json_num((double)c.weight_bytes));
	json_put(out, "train_bytes", json_num((double)c.train_bytes));
	return 0;
}

/* {"ok":, "whole":, "errors": [...], "nodes":, "groups":, "text":, "svg":, and of an acceptable model also "lint",
 * hashes and costs}. whole: every layer fits, if perhaps not the output. */
static void check(struct json *out, const struct json *doc, struct arena *a)
{
	struct diag d = { 0 };
	struct json_in in = { doc, &d, NULL };
	struct graph *g = NULL;
	struct err e = { 0 };
	bool ok = model_read(&g, doc, NULL, &library, a, &in) == 0, whole = ok;

	if (!ok)
		g = model_read_part(doc, &library, a, &whole);
	if (ok && put_valid(out, g, &e) < 0) {
		diag_add(&d, DIAG_ERROR, "layers", "%s", e.msg);
		ok = false;
	}
	json_put(out, "ok", json_bool(ok));
	json_put(out, "whole", json_bool(g && whole));
	json_put(out, "errors", diagnostics(&d));
	if (g)
		put_nodes(out, g);
	if (g && whole) {
		put_text(out, g);
		put_drawing(out, g, a);
	}
	diag_release(&d);
}

static struct json *parse(const char *text, struct json *out)
{
	struct json *doc, *list, *v;
	struct err e = { 0 };

	if (json_parse(&doc, text, strlen(text), "model", &e) == 0)
		return doc;
	json_put(out, "ok", json_bool(false));
	json_put(out, "whole", json_bool(false));
	list = json_put(out, "errors", json_array());
	v = json_push(list, json_object());
	json_put(v, "where", json_str(e.where));
	json_put(v, "msg", json_str(e.msg));
	return NULL;
}

char *editor_check(const char *text)
{
	struct json *out = json_object(), *doc = parse(text, out);
	struct arena *a = arena_new();

	if (doc)
		check(out, doc, a);
	json_free(doc);
	arena_free(a);
	return answer(out);
}

/* ---- the same in the terms of nab edit ------------------------------------------------------------------ */

static void put_edited(struct json *out, const struct graph *g, const struct mutate_log *log)
{
	struct json *repairs = json_put(out, "repairs", json_array());

	put_hash(out, "hash", graph_hash(g));
	put_text(out, g);
	json_put(out, "words", json_str(log->words));
	for (int i = 0; i < log->n_repairs; i++)
		json_push(repairs, json_str(log->repairs[i]));
}

static void edit(struct json *out, const struct json *doc, struct arena *a)
{
	struct block_set *set = library_set();
	const struct json *model = json_get(doc, "model");
	struct diag d = { 0 };
	struct json_in in = { model, &d, NULL };
	struct mutate_env env = { .blocks = set };
	struct mutate_log log = { 0 };
	struct graph *parent = NULL, *child = NULL;
	int rc = model_read(&parent, model, NULL, &library, a, &in);

	in.root = json_get(doc, "edits");
	if (rc == 0)
		rc = mutate_apply(&child, parent, json_get(doc, "edits"), &env, &log, a, &in);
	json_put(out, "ok", json_bool(rc > 0));
	json_put(out, "errors", diagnostics(&d));
	if (rc > 0)
		put_edited(out, child, &log);
	else if (log.refusal)
		json_put(out, "refusal", json_str(log.refusal));
	diag_release(&d);
	block_set_free(set);
}

char *editor_edit(const char *text)
{
	struct json *out = json_object(), *doc = parse(text, out);
	struct arena *a = arena_new();

	if (doc)
		edit(out, doc, a);
	json_free(doc);
	arena_free(a);
	return answer(out);
}
