/* arch/draw.c - graphs as text: a layer in words, a model in one line, a table for the terminal. See graph.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arch/graph.h"
#include "arch/kinds.h"
#include "base/json.h"
#include "base/str.h"

/* "3x3" for windows; used for options that every reader expects first. */
static void add_pair(struct str *out, const struct opt_pair *p)
{
	str_addf(out, "%dx%d", p->v[0], p->v[1]);
}

static bool is_default(const void *cfg, const struct opt *o)
{
	struct json *v = opt_write_value(cfg, o);
	bool same = false;

	if (json_type(v) == JSON_NUMBER)
		same = json_number(v) == o->def;
	else if (json_type(v) == JSON_BOOL)
		same = json_true(v) == (o->def != 0);
	else if (o->type == OPT_T_ENUM)
		same = strcmp(json_string(v), o->names[isnan(o->def) ? 0 : (int)o->def]) == 0;
	else if (json_type(v) == JSON_ARRAY)
		same = json_count(v) == 0;
	if (o->type == OPT_T_PAD)
		same = json_number(v) == 0;
	json_free(v);
	return same;
}

static void add_option(struct str *out, const void *cfg, const struct opt *o, const char **sep)
{
	const void *f = (const char *)cfg + o->offset;
	bool bare = strcmp(o->name, "kernel") == 0 || strcmp(o->name, "size") == 0 || strcmp(o->name, "rate") == 0;
	struct json *v;

	if (strcmp(o->name, "init") == 0 || (is_default(cfg, o) && !bare))
		return;
	str_add(out, *sep);
	*sep = ", ";
	if (bare && o->type == OPT_T_PAIR) {
		add_pair(out, f);
		return;
	}
	v = opt_write_value(cfg, o);
	if (o->type == OPT_T_BOOL)
		str_addf(out, "%s%s", json_true(v) ? "" : "no ", o->name);
	else if (bare || isnan(o->def) || o->type == OPT_T_ENUM)
		json_brief(out, v);
	else {
		str_addf(out, "%s ", o->type == OPT_T_PAD ? "pad" : o->name);
		json_brief(out, v);
	}
	json_free(v);
}

/* The stride of a pool that equals its size is what everybody expects. */
static bool is_plain_stride(const struct node *n, const struct opt *o)
{
	const struct pool2d *p = n->cfg;
	const struct pool1d *q = n->cfg;

	if (strcmp(o->name, "stride"))
		return false;
	if (n->kind == LAYER_maxpool2d || n->kind == LAYER_avgpool2d)
		return p->stride.v[0] == p->size.v[0] && p->stride.v[1] == p->size.v[1];
	if (n->kind == LAYER_maxpool1d || n->kind == LAYER_avgpool1d)
		return q->stride == q->size;
	return false;
}

void node_summary(struct str *out, const struct graph *g, int node)
{
	const struct node *n = &g->nodes[node];
	const struct layer_class *k = layer_classes[n->kind];
	const char *sep = " ";

	str_add(out, k->name);
	for (const struct opt *o = k->opts; o->name; o++)
		if (!is_plain_stride(n, o))
			add_option(out, n->cfg, o, &sep);
	if (n->kind == LAYER_choice) {
		const struct choice *c = n->cfg;

		for (int i = 0; i < c->n; i++)
			str_addf(out, "%s%s", i ? " | " : " ", layer_classes[c->items[i].kind]->name);
	}
	if (n->share >= 0)
		str_addf(out, " (shares %s)", g->nodes[n->share].id);
	if (n->frozen)
		str_add(out, " (frozen)");
}

/* ---- one line ------------------------------------------------------------------------------------------- */

/* The top-level unit that begins at node i: a layer or a block instance. Returns the node after it. */
static int unit_text(struct str *out, const struct graph *g, int i)
{
	int b = g->nodes[i].group;

	if (b < 0) {
		node_summary(out, g, i);
		return i + 1;
	}
	while (g->groups[b].parent >= 0)
		b = g->groups[b].parent;
	str_add(out, g->groups[b].block);
	if (strcmp(g->groups[b].args, "{}")) {
		struct json *args = NULL;

		if (json_parse(&args, g->groups[b].args, strlen(g->groups[b].args), "args", NULL) == 0) {
			const char *sep = "(";

			JSON_EACH(v, args) {
				str_add(out, sep);
				sep = ", ";
				json_brief(out, v);
			}
			str_addc(out, ')');
			json_free(args);
		}
	}
	return g->groups[b].first + g->groups[b].n;
}

void graph_summary(struct str *out, const struct graph *g)
{
	struct str unit = { 0 }, last = { 0 };
	const char *sep = "";
	int copies = 0;

	for (int i = 0; i <= g->n_nodes;) {
		str_clear(&unit);
		i = i < g->n_nodes ? unit_text(&unit, g, i) : i + 1;
		if (copies && strcmp(str_get(&unit), str_get(&last)) == 0) {
			copies++;
			continue;
		}
		if (copies) {
			str_addf(out, "%s%s", sep, str_get(&last));
			if (copies > 1)
				str_addf(out, " x%d", copies);
			sep = ", ";
		}
		copies = 1;
		str_clear(&last);
		str_add(&last, str_get(&unit));
	}
	str_release(&unit);
	str_release(&last);
}

/* ---- table ---------------------------------------------------------------------------------------------- */

static int depth_of(const struct graph *g, int group)
{
	int d = 0;

	for (; group >= 0; group = g->groups[group].parent)
		d++;
	return d;
}

static const char *short_id(const struct graph *g, const struct node *n)
{
	return n->group < 0 ? n->id : n->id + strlen(g->groups[n->group].id) + 2;
}

static bool reads_last(const struct graph *g, int i)
{
	const struct node *n = &g->nodes[i];

	return n->n_in == 1 && n->in[0].port == 0 && n->in[0].node == i - 1;
}

static void from_text(struct str *out, const struct graph *g, int i)
{
	const struct node *n = &g->nodes[i];
	char ref[GRAPH_ID_MAX + 80];

	if (reads_last(g, i))
		return;
	for (int j = 0; j < n->n_in; j++)
		str_addf(out, "%s%s", j ? ", " : "<- ", graph_reference(ref, sizeof ref, g, n->group, n->in[j]));
}

static void group_rows(struct str *out, const struct graph *g, int i, int width)
{
	/* every block that begins at this node, outermost first */
	int chain[64], n = 0;

	for (int b = g->nodes[i].group; b >= 0 && n < 64; b = g->groups[b].parent)
		if (g->groups[b].first == i)
			chain[n++] = b;
	while (n--) {
		const struct group *b = &g->groups[chain[n]];
		int indent = 2 * depth_of(g, b->parent);
		const char *id = b->parent < 0 ? b->id : b->id + strlen(g->groups[b->parent].id) + 2;

		str_addf(out, "%*s%-*s  %s %s\n", indent, "", width - indent, id, b->block,
			 strcmp(b->args, "{}") ? b->args : "");
	}
}

void graph_draw(struct str *out, const struct graph *g)
{
	int width = 8, words = 12;
	struct str text = { 0 };
	char shape[48], params[32], macs[32];
	struct cost c;

	for (int i = 0; i < g->n_nodes; i++) {
		int w = (int)strlen(short_id(g, &g->nodes[i])) + 2 * depth_of(g, g->nodes[i].group);

		str_clear(&text);
		node_summary(&text, g, i);
		width = w > width ? w : width;
		words = (int)text.len > words ? (int)text.len : words;
	}
	width = width > 40 ? 40 : width;
	words = words > 44 ? 44 : words;
	str_addf(out, "%-*s  %-*s  %-14s %12s %14s\n", width, "layer", words, "what", "output", "parameters",
		 "multiply-adds");
	for (int i = 0; i < g->n_inputs; i++)
		str_addf(out, "%-*s  %-*s  %-14s\n", width, g->inputs[i].name, words,
			 tensor_type_names[g->inputs[i].shape.type], shape_text(shape, &g->inputs[i].shape));
	for (int i = 0; i < g->n_nodes; i++) {
		const struct node *n = &g->nodes[i];
		int indent = 2 * depth_of(g, n->group);

		group_rows(out, g, i, width);
		str_clear(&text);
		node_summary(&text, g, i);
		str_addf(out, "%*s%-*s  %-*s  %-14s %12s %14s  ", indent, "", width - indent, short_id(g, n), words,
			 str_get(&text), shape_text(shape, &n->out[0]),
			 n->params ? str_thousands(params, n->params) : "",
			 n->macs ? str_thousands(macs, n->macs) : "");
		from_text(out, g, i);
		while (out->len && out->s[out->len - 1] == ' ')
			out->s[--out->len] = 0;
		str_addc(out, '\n');
	}
	if (graph_cost(g, &c, NULL) == 0)
		str_addf(out, "%s parameters, %s multiply-adds per example, depth %d\n",
			 str_thousands(params, c.params), str_thousands(macs, c.macs), c.depth);
	str_release(&text);
}
