/* report/graph_dot.c - the node-link view as text for Graphviz. See graph_view.h. */
#include <stdio.h>

#include "base/str.h"
#include "report/canvas.h"
#include "report/escape.h"
#include "report/graph_view.h"
#include "report/snac_label.h"
#include "report/snac_plan.h"

/* A quoted string of the DOT language; no control characters. */
static void quoted(struct str *out, const char *text)
{
	struct str clean = { 0 };

	escape_plain(&clean, text);
	str_addc(out, '"');
	for (const char *s = str_get(&clean); *s; s++) {
		if (*s == '"' || *s == '\\')
			str_addc(out, '\\');
		str_addc(out, *s);
	}
	str_addc(out, '"');
	str_release(&clean);
}

static void chip_line(struct str *out, const struct plan *p, int i)
{
	const struct chip *c = &p->chips[i];
	struct str label = { 0 };

	str_addf(out, "\tn%d [label=", i);
	if (c->node < 0) {
		quoted(out, p->g->inputs[-1 - c->node].name);
		str_add(out, ", fillcolor=\"#ffffff\"];\n");
		return;
	}
	node_summary(&label, p->g, c->node);
	quoted(out, str_get(&label));
	str_addf(out, ", fillcolor=\"#%06x\", tooltip=",
		 inks[INK_FAMILY + layer_classes[p->g->nodes[c->node].kind]->family].light);
	quoted(out, p->g->nodes[c->node].id);
	str_add(out, "];\n");
	str_release(&label);
}

static void open_cluster(struct str *out, const struct plan *p, int plate)
{
	const struct plate *b = &p->plates[plate];
	struct str label = { 0 };

	str_addf(out, "\tsubgraph cluster_%d { style=\"%s\"; label=", plate,
		 b->count > 1 ? "rounded,dotted" : "rounded");
	str_add(&label, b->group >= 0 ? p->g->groups[b->group].block : "");
	if (b->count > 1)
		str_addf(&label, "%sx%d", label.len ? " " : "", b->count);
	quoted(out, str_get(&label));
	str_add(out, ";\n");
	str_release(&label);
}

static void edges(struct str *out, const struct plan *p, int i)
{
	const struct node *n = p->chips[i].node < 0 ? NULL : &p->g->nodes[p->chips[i].node];
	char shape[48];

	for (int k = 0; n && k < n->n_in; k++) {
		int from = plan_source(p, n->in[k]);

		if (from < i)
			str_addf(out, "\tn%d -> n%d [label=\"%s\"];\n", from, i,
				 shape_text(shape, graph_shape(p->g, n->in[k])));
	}
}

void graph_view_dot(struct str *out, const struct graph *g, const struct graph_view_opts *o)
{
	struct plan p;

	plan_graph(&p, g, o->unfold);
	str_add(out, "digraph ");
	quoted(out, o->name ? o->name : "model");
	str_add(out, " {\n\tnode [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=10];\n"
		     "\tedge [fontname=\"Helvetica\", fontsize=8, color=\"#667085\", fontcolor=\"#667085\"];\n"
		     "\tgraph [fontname=\"Helvetica\", fontsize=9, color=\"#667085\", fontcolor=\"#667085\"];\n");
	for (int i = 0, b = 0; i < p.n_chips; i++) {
		for (; b < p.n_plates && p.plates[b].first == i; b++)
			open_cluster(out, &p, b);
		chip_line(out, &p, i);
		for (int k = p.chips[i].plate; k >= 0 && p.plates[k].last == i; k = p.plates[k].parent)
			str_add(out, "\t}\n");
	}
	for (int i = 0; i < p.n_chips; i++)
		edges(out, &p, i);
	str_add(out, "}\n");
	plan_release(&p);
}
