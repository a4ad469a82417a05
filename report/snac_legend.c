/* report/snac_legend.c - the key to SNACs: the kinds that occur, in order of their families, and how sizes, parameters,
 * plates and connections are drawn. See snac.h.
 */
#include "report/snac_legend.h"

#include <string.h>

#include "base/mem.h"
#include "report/canvas.h"
#include "report/snac.h"
#include "report/snac_label.h"

static const struct font legend_font = { 11, ANCHOR_START, false, false, INK_TEXT };
static const struct pen edge = { INK_CHIP_EDGE, 0.8, DASH_NONE };

enum { LEGEND_CHIP = 18, LEGEND_LINE = 24, MARK = 30 };

void snac_kinds(const struct graph *g, bool used[LAYER_KIND_COUNT])
{
	if (!g)
		for (int k = 0; k < LAYER_KIND_COUNT; k++)
			used[k] = true;
	for (int i = 0; g && i < g->n_nodes; i++)
		used[g->nodes[i].kind] = true;
}

static void draw_kind(struct canvas *c, int kind, double x, double y)
{
	const struct layer_class *k = layer_classes[kind];
	bool hollow = kind == LAYER_zero;
	struct item *r;

	canvas_open(c, "chip", NULL, k->help);
	r = canvas_rect(c, x, y, LEGEND_CHIP, LEGEND_CHIP, hollow ? INK_PAPER : INK_FAMILY + k->family);
	rect_round(r, 2);
	rect_frame(r, hollow ? (struct pen){ INK_FAMILY + k->family, 0.8, DASH_NONE } : edge);
	if (k->family == FAMILY_DROPOUT)
		r->side[1] = (struct pen){ INK_CHIP_EDGE, 2, DASH_DOTTED };
	label_symbol(c, (enum layer_kind)kind, x + LEGEND_CHIP / 2.0, y + LEGEND_CHIP / 2.0, 9, 1.2, LEGEND_CHIP,
		     hollow ? INK_TEXT : INK_CHIP_TEXT);
	canvas_text(c, x + LEGEND_CHIP + 6, y + 13, legend_font, k->name);
	canvas_close(c);
}

/* ---- how to read the rest ------------------------------------------------------------------------------- */

static void draw_growth(struct canvas *c, double x, double y)
{
	for (int i = 0; i < 3; i++) {
		double h = 9 + 4.5 * i;

		rect_frame(canvas_rect(c, x + 9 * i, y + (LEGEND_CHIP - h) / 2, 9, h, INK_FAMILY + FAMILY_CONV), edge);
	}
}

static void draw_decades(struct canvas *c, double x, double y)
{
	for (int i = 0; i < 3; i++)
		canvas_rect(c, x + 2.5 + 9 * i, y + 3, 5, 4 * (i + 1), INK_MUTED);
}

static void draw_copies(struct canvas *c, double x, double y)
{
	struct item *r = canvas_rect(c, x, y + 0.6, 27, LEGEND_CHIP - 1.2, INK_GRID);

	rect_round(r, 3);
	rect_frame(r, (struct pen){ INK_MUTED, 1.2, DASH_DOTTED });
	canvas_text(c, x + 13.5, y + 12.5, (struct font){ 9, ANCHOR_MIDDLE, true, false, INK_TEXT },
		    "\xc3\x97"
		    "3");
}

static void draw_skip(struct canvas *c, double x, double y)
{
	canvas_polyline(c,
			(struct point[]){ { x + 2, y + 15 }, { x + 2, y + 5 }, { x + 23, y + 5 }, { x + 23, y + 12 } },
			4, (struct pen){ INK_MUTED, 1.3, DASH_NONE });
	canvas_path(c, INK_MUTED, (struct pen){ INK_NONE, 0, DASH_NONE });
	path_move(c, x + 23, y + 15);
	path_line(c, x + 20.2, y + 10.5);
	path_line(c, x + 25.8, y + 10.5);
	path_close(c);
}

static const struct mark {
	const char *text, *upright; /* upright NULL: the same */
	void (*draw)(struct canvas *c, double x, double y);
} marks[] = {
	{ "higher: larger output", "wider: larger output", draw_growth },
	{ "bar below: parameters, each step 10 times as many", "bar beside: parameters, each step 10 times as many",
	  draw_decades },
	{ "copies in a row", NULL, draw_copies },
	{ "reads an earlier layer", NULL, draw_skip },
};
enum { MARKS = sizeof marks / sizeof *marks };

/* ---- lines ---------------------------------------------------------------------------------------------- */

/* Texts may be shown in a wider typeface than the one that is measured. */
static double item_width(const char *text, double sample)
{
	return sample + 6 + text_width(text, &legend_font) * 1.15 + 14;
}

struct flow {
	struct canvas *c; /* NULL: only counts lines */
	double width, x0, y0, x;
	int line;
};

/* Room for an item; its place in *x and *y. */
static void flow_next(struct flow *f, double width, double *x, double *y)
{
	if (f->x > 0 && f->x + width > f->width) {
		f->x = 0;
		f->line++;
	}
	*x = f->x0 + f->x;
	*y = f->y0 + 3 + f->line * LEGEND_LINE;
	f->x += width;
}

static int flow_all(struct flow *f, const struct legend *l)
{
	double x, y;

	for (int family = 0; family < FAMILY_COUNT; family++)
		for (int k = 0; k < LAYER_KIND_COUNT; k++) {
			if (!l->used[k] || (int)layer_classes[k]->family != family)
				continue;
			flow_next(f, item_width(layer_classes[k]->name, LEGEND_CHIP), &x, &y);
			if (f->c)
				draw_kind(f->c, k, x, y);
		}
	f->line += f->x > 0;
	f->x = 0;
	for (int i = 0; i < MARKS; i++) {
		const char *text = l->upright && marks[i].upright ? marks[i].upright : marks[i].text;

		if ((marks[i].draw == draw_copies && !l->copies) || (marks[i].draw == draw_skip && !l->skips))
			continue;
		flow_next(f, item_width(text, MARK), &x, &y);
		if (!f->c)
			continue;
		marks[i].draw(f->c, x, y);
		canvas_text(f->c, x + MARK + 6, y + 13, legend_font, text);
	}
	return f->line + 1;
}

double legend_height(const struct legend *l, double width)
{
	return flow_all(&(struct flow){ .width = width }, l) * LEGEND_LINE;
}

void legend_paint(struct canvas *c, const struct legend *l, double width, double x, double y)
{
	flow_all(&(struct flow){ .c = c, .width = width, .x0 = x, .y0 = y }, l);
}

struct canvas *snac_legend(const bool used[LAYER_KIND_COUNT], double width, struct arena *a)
{
	struct legend l = { .copies = true, .skips = true };
	struct canvas *c;

	memcpy(l.used, used, sizeof l.used);
	c = canvas_new(a, width, legend_height(&l, width));
	legend_paint(c, &l, width, 1, 0);
	return c;
}
