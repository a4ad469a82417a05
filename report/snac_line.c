/* report/snac_line.c - a model as one line for terminals. See snac.h. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "report/snac.h"
#include "report/snac_plan.h"

static const int ansi[FAMILY_COUNT] = {
	/* of the 256 colours, near the inks */
	[FAMILY_CONV] = 209,       [FAMILY_DENSE] = 110,     [FAMILY_POOL] = 222,  [FAMILY_NORM] = 252,
	[FAMILY_ACTIVATION] = 117, [FAMILY_DROPOUT] = 217,   [FAMILY_MERGE] = 73,  [FAMILY_RESHAPE] = 231,
	[FAMILY_RECURRENT] = 149,  [FAMILY_EMBEDDING] = 140, [FAMILY_OTHER] = 142,
};

struct line {
	struct str *out;
	bool colour, full, first;
	int columns, most;
};

/* One word of the line; false once it is full. */
static bool add_word(struct line *w, const char *word, int family, bool glue)
{
	int need = (int)strlen(word) + (w->first || glue ? 0 : 1);

	if (w->full)
		return false;
	if (w->most && w->columns + need > w->most - 4) {
		str_add(w->out, " ...");
		w->full = true;
		return false;
	}
	if (!w->first && !glue)
		str_addc(w->out, ' ');
	if (w->colour && family >= 0)
		str_addf(w->out, "\x1b[30;48;5;%dm%s\x1b[0m", ansi[family], word);
	else
		str_add(w->out, word);
	w->columns += need;
	w->first = false;
	return true;
}

/* The plates of several copies that begin at chip i, from plate b outward: "[" for each, outer ones first. */
static int open_brackets(struct line *w, const struct plan *p, int b, int i)
{
	int before;

	if (b < 0 || p->plates[b].first != i)
		return 0;
	before = open_brackets(w, p, p->plates[b].parent, i);
	if (p->plates[b].count == 1)
		return before;
	add_word(w, "[", -1, before > 0);
	return before + 1;
}

static void line_chip(struct line *w, const struct plan *p, int i)
{
	const struct chip *c = &p->chips[i];
	const struct layer_class *k = layer_classes[p->g->nodes[c->node].kind];
	char text[16];

	add_word(w, k->symbol, (int)k->family, open_brackets(w, p, c->plate, i) > 0);
	for (int b = c->plate; b >= 0 && p->plates[b].last == i; b = p->plates[b].parent)
		if (p->plates[b].count > 1) {
			snprintf(text, sizeof text, "]x%d", p->plates[b].count);
			add_word(w, text, -1, true);
		}
}

void snac_line(struct str *out, const struct graph *g, bool colour, int width)
{
	struct line w = { .out = out, .colour = colour, .first = true, .most = width };
	struct plan p;

	plan_graph(&p, g, false);
	for (int i = g->n_inputs; i < p.n_chips && !w.full; i++)
		line_chip(&w, &p, i);
	plan_release(&p);
}
