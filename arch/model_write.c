/* arch/model_write.c - the canonical print of a graph. See model.h.
 *
 * Every distinct expansion of a block becomes one explicit definition under "blocks" (two instances with the same
 * layers inside share it), marked with the block it came from ("of") and its arguments. References are ids of the same
 * block, of its inputs, or outputs of inner blocks; "from" is left out where it is just the layer before.
 */
#include "arch/model.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "arch/kinds.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

struct printer {
	const struct graph *g;
	struct json *blocks; /* definitions printed so far */
	char **def_text;     /* parallel to blocks: compact text of each definition */
	char **def_key;
	int n_defs;
};

static const char *local_id(const struct graph *g, const char *flat, int group)
{
	return group < 0 ? flat : flat + strlen(g->groups[group].id) + 2;
}

/* The child of `group` (or top-level group, -1) that holds node n; -1 if n belongs to `group` itself, -2 if outside. */
static int child_holding(const struct graph *g, int group, int n)
{
	int at = g->nodes[n].group, below = -1;

	while (at >= 0 && at != group) {
		below = at;
		at = g->groups[at].parent;
	}
	return at == group ? below : -2;
}

static const char *port_name(const struct node *n, int port)
{
	const char *const *ports = layer_classes[n->kind]->ports;

	return ports ? ports[port] : "out";
}

char *graph_reference(char *buf, size_t size, const struct graph *g, int group, struct edge from)
{
	int child = from.node >= 0 ? child_holding(g, group, from.node) : -2;

	if (child == -1) {
		const struct node *n = &g->nodes[from.node];
		bool first = from.port == 0;

		snprintf(buf, size, "%s%s%s", local_id(g, n->id, group), first ? "" : ":",
			 first ? "" : port_name(n, from.port));
		return buf;
	}
	if (child >= 0) {
		const struct group *b = &g->groups[child];

		for (int i = 0; i < b->n_out; i++) {
			if (b->out[i].node != from.node || b->out[i].port != from.port)
				continue;
			snprintf(buf, size, "%s%s%s", local_id(g, b->id, group), i ? ":" : "",
				 i ? b->out_names[i] : "");
			return buf;
		}
		assert(!"an edge leaves a block that does not hand it out");
	}
	for (int i = 0; group >= 0 && i < g->groups[group].n_in; i++) {
		if (g->groups[group].in[i].node == from.node && g->groups[group].in[i].port == from.port) {
			snprintf(buf, size, "%s", g->groups[group].in_names[i]);
			return buf;
		}
	}
	assert(group < 0 || !"an edge enters a block that does not read it");
	snprintf(buf, size, "%s", g->inputs[-1 - from.node].name);
	return buf;
}

static struct json *write_ref(const struct graph *g, int group, struct edge from)
{
	char text[GRAPH_ID_MAX + 80];

	return json_str(graph_reference(text, sizeof text, g, group, from));
}

static struct json *write_options(const struct node *n)
{
	const struct choice *c = n->cfg;
	struct json *list;

	if (n->kind != LAYER_choice)
		return opt_write(n->cfg, layer_classes[n->kind]->opts);
	list = json_array();
	for (int i = 0; i < c->n; i++) {
		const struct layer_class *k = layer_classes[c->items[i].kind];

		json_put(json_push(list, json_object()), k->name, opt_write(c->items[i].cfg, k->opts));
	}
	return list;
}

static void write_from(struct json *entry, const struct graph *g, int group, const struct edge *in, int n,
		       struct edge prev)
{
	struct json *list;

	if (n == 1 && in[0].node == prev.node && in[0].port == prev.port)
		return;
	list = json_put(entry, "from", json_array());
	for (int i = 0; i < n; i++)
		json_push(list, write_ref(g, group, in[i]));
}

static struct json *write_node(const struct graph *g, int i, struct edge prev)
{
	const struct node *n = &g->nodes[i];
	struct json *entry = json_object();

	json_put(entry, layer_classes[n->kind]->name, write_options(n));
	json_put(entry, "id", json_str(local_id(g, n->id, n->group)));
	write_from(entry, g, n->group, n->in, n->n_in, prev);
	if (n->share >= 0)
		json_put(entry, "share",
			 json_str(g->nodes[n->share].group == n->group ? local_id(g, g->nodes[n->share].id, n->group)
								       : g->nodes[n->share].id));
	if (n->frozen)
		json_put(entry, "frozen", json_bool(true));
	if (n->device)
		json_put(entry, "device", json_str(n->device));
	return entry;
}

static const char *define(struct printer *p, int group);

/* The entries of a group (or -1: the model), each a layer or an instance of a block. */
static struct json *write_layers(struct printer *p, int group)
{
	const struct graph *g = p->g;
	int first = group < 0 ? 0 : g->groups[group].first, end = group < 0 ? g->n_nodes : first + g->groups[group].n;
	struct edge prev = group < 0 ? (struct edge){ -1, 0 } : g->groups[group].in[0];
	struct json *list = json_array();

	for (int i = first; i < end; i++) {
		int child = child_holding(g, group, i);
		const struct group *b = child >= 0 ? &g->groups[child] : NULL;
		struct json *entry;

		if (!b) {
			json_push(list, write_node(g, i, prev));
			prev = (struct edge){ i, 0 };
			continue;
		}
		entry = json_push(list, json_object());
		json_put(entry, define(p, child), json_object());
		json_put(entry, "id", json_str(local_id(g, b->id, group)));
		write_from(entry, g, group, b->in, b->n_in, prev);
		prev = b->out[0];
		i = b->first + b->n - 1;
	}
	return list;
}

static struct json *write_def(struct printer *p, int group)
{
	const struct group *b = &p->g->groups[group];
	struct json *def = json_object(), *list, *args = NULL;

	json_put(def, "of", json_str(b->block));
	if (json_parse(&args, b->args, strlen(b->args), "args", NULL) == 0)
		json_put(def, "args", args);
	list = json_put(def, "inputs", json_array());
	for (int i = 0; i < b->n_in; i++)
		json_push(list, json_str(b->in_names[i]));
	json_put(def, "layers", write_layers(p, group));
	list = json_put(def, "out", json_object());
	for (int i = 0; i < b->n_out; i++)
		json_put(list, b->out_names[i], write_ref(p->g, group, b->out[i]));
	return def;
}

static bool name_taken(const struct printer *p, const char *name)
{
	for (int i = 0; i < p->n_defs; i++)
		if (strcmp(p->def_key[i], name) == 0)
			return true;
	return false;
}

/* The name of the definition that an instance expands to; made on first sight: block, block_2, block_3 ... */
static const char *define(struct printer *p, int group)
{
	struct json *def = write_def(p, group);
	struct str text = { 0 };
	char name[160];

	json_print(&text, def);
	for (int i = 0; i < p->n_defs; i++) {
		if (strcmp(p->def_text[i], str_get(&text)) == 0) {
			str_release(&text);
			json_free(def);
			return p->def_key[i];
		}
	}
	snprintf(name, sizeof name, "%s", p->g->groups[group].block);
	for (int k = 2; name_taken(p, name); k++)
		snprintf(name, sizeof name, "%.120s_%d", p->g->groups[group].block, k);
	json_put(p->blocks, name, def);
	p->def_key[p->n_defs] = mem_strdup(name);
	p->def_text[p->n_defs] = str_detach(&text);
	return p->def_key[p->n_defs++];
}

struct json *model_write_input(const struct shape *s)
{
	struct json *v = json_object(), *dims;

	json_put(v, "type", json_str(tensor_type_names[s->type]));
	dims = json_put(v, "shape", json_array());
	for (int i = 0; i < shape_rank(s); i++)
		json_push(dims, json_num(s->d[i]));
	if (s->open)
		json_put(v, "open", json_bool(true));
	return v;
}

static void write_ports(struct json *doc, const struct graph *g)
{
	struct json *inputs = json_put(doc, "inputs", json_object()),
		    *outputs = json_put(doc, "outputs", json_object());

	for (int i = 0; i < g->n_inputs; i++)
		json_put(inputs, g->inputs[i].name, model_write_input(&g->inputs[i].shape));
	for (int i = 0; i < g->n_outputs; i++) {
		const struct graph_output *o = &g->outputs[i];
		struct json *v = json_put(outputs, o->name, json_object());

		json_put(v, "task", json_str(task_names[o->task]));
		json_put(v, "classes", json_num(o->classes));
		json_put(v, "from", write_ref(g, -1, o->from));
	}
}

struct json *model_write(const struct graph *g)
{
	struct json *doc = json_object(), *layers, *sources;
	struct printer p = { .g = g, .blocks = json_object() };

	p.def_text = mem_new(((size_t)g->n_groups + 1) * sizeof *p.def_text);
	p.def_key = mem_new(((size_t)g->n_groups + 1) * sizeof *p.def_key);
	if (g->name)
		json_put(doc, "name", json_str(g->name));
	if (g->note)
		json_put(doc, "note", json_str(g->note));
	write_ports(doc, g);
	layers = write_layers(&p, -1);
	if (g->sources && json_parse(&sources, g->sources, strlen(g->sources), "sources", NULL) == 0)
		json_put(doc, "sources", sources);
	if (json_count(p.blocks))
		json_put(doc, "blocks", p.blocks);
	else
		json_free(p.blocks);
	json_put(doc, "layers", layers);
	for (int i = 0; i < p.n_defs; i++) {
		mem_free(p.def_text[i]);
		mem_free(p.def_key[i]);
	}
	mem_free(p.def_text);
	mem_free(p.def_key);
	return doc;
}

void model_print(struct str *out, const struct graph *g)
{
	struct json *doc = model_write(g);

	json_pretty(out, doc);
	str_addc(out, '\n');
	json_free(doc);
}

struct hash128 graph_digest(const struct graph *g)
{
	struct json *doc = model_write(g);
	struct str text = { 0 };
	struct hash128 h;

	json_drop(doc, "name");
	json_drop(doc, "note");
	json_drop(doc, "sources");
	json_print(&text, doc);
	h = hash128(str_get(&text), text.len);
	str_release(&text);
	json_free(doc);
	return h;
}
