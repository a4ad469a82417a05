/* report/snac.c - the drawing of SNACs. See snac.h; what is drawn and where: snac_plan.h, snac_layout.h. */
#include "report/snac.h"

#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "report/canvas.h"
#include "report/snac_label.h"
#include "report/snac_layout.h"

#define TIMES "\xc3\x97"

const char *const snac_size_names[] = { "small", "medium", "large", NULL };

static const struct pen no_pen = { INK_NONE, 0, DASH_NONE };

static enum snac_size size_of(const struct layout *l)
{
	return l->style->size;
}

/* Small charts without tooltips are a few paths. */
static bool in_bulk(const struct layout *l)
{
	return l->style->silent && size_of(l) == SNAC_SMALL;
}

static void open_titled(const struct layout *l, const char *class, const char *key, const struct str *title)
{
	if (!l->style->silent)
		canvas_open(l->c, class, key, title->len ? title->s : NULL);
}

static void close_titled(const struct layout *l)
{
	if (!l->style->silent)
		canvas_close(l->c);
}

/* ---- chips ---------------------------------------------------------------------------------------------- */

static double chip_edge(const struct layout *l)
{
	return size_of(l) == SNAC_SMALL ? 0.5 : 0.8;
}

static double dots(const struct layout *l)
{
	return size_of(l) == SNAC_SMALL ? 1.2 : 2;
}

static void draw_input(const struct layout *l, const struct chip *c)
{
	struct item *r = layout_rect(l, c->u, -c->h / 2, c->u + c->w, c->h / 2, INK_PAPER);

	rect_round(r, fmin(2, c->w / 3));
	rect_frame(r, (struct pen){ INK_MUTED, size_of(l) == SNAC_SMALL ? 0.7 : 1, DASH_NONE });
}

/* Sides of a chip as drawn: the end of a dropout layer, and the side of the sizes for a frozen one. */
static void mark_sides(const struct layout *l, struct item *r, const struct node *n)
{
	bool upright = l->style->vertical;

	if (layer_classes[n->kind]->family == FAMILY_DROPOUT)
		r->side[upright ? 2 : 1] = (struct pen){ INK_CHIP_EDGE, dots(l), DASH_DOTTED };
	if (n->frozen)
		r->side[upright   ? 1
			: l->flip ? 0
				  : 2] = (struct pen){ INK_CHIP_EDGE, size_of(l) == SNAC_SMALL ? 1.5 : 3, DASH_NONE };
}

/* A layer that hands out zeros is hollow. */
static void draw_layer(const struct layout *l, const struct chip *c, const struct node *n)
{
	enum ink family = INK_FAMILY + layer_classes[n->kind]->family;
	bool hollow = n->kind == LAYER_zero;
	struct item *r = layout_rect(l, c->u, -c->h / 2, c->u + c->w, c->h / 2, hollow ? INK_PAPER : family);
	struct point mid = layout_at(l, c->u + c->w / 2, 0);

	rect_round(r, fmin(2, c->w / 3));
	rect_frame(r, (struct pen){ hollow ? family : INK_CHIP_EDGE, chip_edge(l), DASH_NONE });
	mark_sides(l, r, n);
	label_symbol(l->c, n->kind, mid.x, mid.y, l->m.font, l->m.line, (l->style->vertical ? c->h : c->w) - 1,
		     hollow ? INK_TEXT : INK_CHIP_TEXT);
}

static void draw_sizes(const struct layout *l, const struct chip *c, const struct node *n)
{
	bool upright = l->style->vertical;
	struct font f = { l->m.small_font, upright ? ANCHOR_START : ANCHOR_MIDDLE, false, false, INK_TEXT };
	double u = c->u + c->w / 2, v = l->tallest / 2;
	char text[2][24], line[52];

	if (l->m.text <= 0 || !label_sizes(text, n))
		return;
	if (upright) {
		snprintf(line, sizeof line, "%s %s", text[0], text[1]);
		layout_text(l, u, v + 5, f, text_fit(l->c, line, &f, l->m.side_text - 8));
		return;
	}
	for (int k = 0; k < 2; k++)
		layout_text(l, u, v + 7 + 9.5 * k, f, text_fit(l->c, text[k], &f, c->w));
}

/* v where the parameter bars begin. */
static double bars_base(const struct layout *l)
{
	return l->tallest / 2 + (l->style->vertical ? l->m.side_text : l->m.text) + 2;
}

static double params_half(const struct layout *l, const struct chip *c)
{
	return fmin(l->m.chip * 0.14 + 0.5, c->w * 0.4);
}

static void draw_params(const struct layout *l, const struct chip *c, const struct node *n)
{
	bool upright = l->style->vertical;
	struct font f = { l->m.small_font, upright ? ANCHOR_START : ANCHOR_MIDDLE, false, false, INK_MUTED };
	double mid = c->u + c->w / 2, half = params_half(l, c), base = bars_base(l);
	char text[16];

	if (!n->params)
		return;
	layout_rect(l, mid - half, base, mid + half, base + layout_params(&l->m, n->params), INK_MUTED);
	if (l->m.number <= 0)
		return;
	label_count(text, n->params);
	layout_text(l, mid, base + l->bars + (upright ? 3 : l->m.number / 2), f,
		    text_fit(l->c, text, &f, upright ? 24 : c->w));
}

static void draw_chip(const struct layout *l, const struct chip *c)
{
	struct str title = { 0 };
	char key[16];

	if (c->hidden)
		return;
	if (!l->style->silent)
		label_chip(&title, &l->p, c);
	snprintf(key, sizeof key, "%d", c->node);
	open_titled(l, "chip", key, &title);
	if (c->node < 0) {
		draw_input(l, c);
	} else {
		draw_layer(l, c, &l->p.g->nodes[c->node]);
		draw_sizes(l, c, &l->p.g->nodes[c->node]);
		draw_params(l, c, &l->p.g->nodes[c->node]);
	}
	close_titled(l);
	str_release(&title);
}

/* ---- chips in bulk: without tooltips and symbols, a few paths hold them all -------------------------------- */

static void add_box(const struct layout *l, double u0, double v0, double u1, double v1)
{
	struct point a = layout_at(l, u0, v0), b = layout_at(l, u1, v1);

	path_move(l->c, a.x, a.y);
	path_line(l->c, b.x, a.y);
	path_line(l->c, b.x, b.y);
	path_line(l->c, a.x, b.y);
	path_close(l->c);
}

static const struct node *node_of(const struct layout *l, int chip)
{
	int node = l->p.chips[chip].node;

	return node < 0 ? NULL : &l->p.g->nodes[node];
}

/* The chips of a family; of FAMILY_OTHER those that are hollow, or those that are not. */
static void draw_family(const struct layout *l, int family, bool hollow)
{
	enum ink ink = INK_FAMILY + family;
	bool open = false;

	for (int i = 0; i < l->p.n_chips; i++) {
		const struct chip *c = &l->p.chips[i];
		const struct node *n = node_of(l, i);

		if (!n || (int)layer_classes[n->kind]->family != family || (n->kind == LAYER_zero) != hollow)
			continue;
		if (!open)
			canvas_path(l->c, hollow ? INK_PAPER : ink,
				    (struct pen){ hollow ? ink : INK_CHIP_EDGE, chip_edge(l), DASH_NONE });
		open = true;
		add_box(l, c->u, -c->h / 2, c->u + c->w, c->h / 2);
	}
}

/* The dotted ends of dropout layers. */
static void draw_dots(const struct layout *l)
{
	bool open = false;

	for (int i = 0; i < l->p.n_chips; i++) {
		const struct chip *c = &l->p.chips[i];
		double u = l->style->vertical ? c->u : c->u + c->w;
		struct point a = layout_at(l, u, -c->h / 2), b = layout_at(l, u, c->h / 2);

		if (!node_of(l, i) || layer_classes[node_of(l, i)->kind]->family != FAMILY_DROPOUT)
			continue;
		if (!open)
			canvas_path(l->c, INK_NONE, (struct pen){ INK_CHIP_EDGE, dots(l), DASH_DOTTED });
		open = true;
		path_move(l->c, a.x, a.y);
		path_line(l->c, b.x, b.y);
	}
}

static void draw_bulk(const struct layout *l)
{
	canvas_path(l->c, INK_PAPER, (struct pen){ INK_MUTED, 0.7, DASH_NONE });
	for (int i = 0; i < l->p.g->n_inputs; i++) {
		const struct chip *c = &l->p.chips[i];

		add_box(l, c->u, -c->h / 2, c->u + c->w, c->h / 2);
	}
	for (int f = 0; f < FAMILY_COUNT; f++)
		draw_family(l, f, false);
	draw_family(l, FAMILY_OTHER, true);
	draw_dots(l);
	if (l->bars <= 0)
		return;
	canvas_path(l->c, INK_MUTED, no_pen);
	for (int i = 0; i < l->p.n_chips; i++) {
		const struct chip *c = &l->p.chips[i];
		const struct node *n = node_of(l, i);
		double mid = c->u + c->w / 2, half = params_half(l, c), base = bars_base(l);

		if (n && n->params)
			add_box(l, mid - half, base, mid + half, base + layout_params(&l->m, n->params));
	}
}

/* ---- plates --------------------------------------------------------------------------------------------- */

/* At least its number of copies; room for that is in the layout. Names keep a little away from their neighbours: they
 * may be shown in a wider typeface than the one that is measured. */
static const char *plate_name(const struct layout *l, const struct plate *b, const struct font *f, double room)
{
	const char *name = b->group >= 0 ? l->p.g->groups[b->group].block : "", *text;

	room /= 1.12;
	if (b->count == 1)
		return room < 5 * f->size && text_width(name, f) > room ? "" : text_fit(l->c, name, f, room);
	text = arena_printf(canvas_arena(l->c), "%s " TIMES "%d", name, b->count);
	if (*name && size_of(l) != SNAC_SMALL && text_width(text, f) <= room)
		return text;
	return arena_printf(canvas_arena(l->c), TIMES "%d", b->count);
}

static void name_plate(const struct layout *l, const struct plate *b, double inset, double under)
{
	struct font f = { l->m.small_font, ANCHOR_START, b->count > 1, false, b->count > 1 ? INK_TEXT : INK_MUTED };
	double margin = inset + fmin(l->m.pad, 2);

	if (l->style->vertical)
		layout_text(l, (b->u0 + b->u1) / 2, under - l->names + margin - l->m.pad, f,
			    plate_name(l, b, &f, l->names - margin));
	else
		layout_text(l, b->u0 + margin, under - l->names / 2 + 0.3, f,
			    plate_name(l, b, &f, b->u1 - b->u0 - 2 * margin));
}

static void draw_plate(const struct layout *l, int i)
{
	const struct plate *b = &l->p.plates[i];
	double inset = plate_inset(l), u0 = b->u0 + inset, u1 = b->u1 - inset;
	double v0 = -l->tallest / 2 - (b->inner + 1) * l->m.pad + inset;
	double v1 = layout_under(l) + (b->inner + 1) * l->m.pad + b->rows * l->names - inset;
	struct str title = { 0 };
	struct item *r;

	if (!l->style->silent)
		label_plate(&title, &l->p, i);
	open_titled(l, "plate", NULL, &title);
	r = layout_rect(l, u0, v0, u1, v1, INK_GRID);
	rect_round(r, fmin(l->m.pad, 3));
	r->opacity = 0.55;
	if (b->count > 1) {
		r = layout_rect(l, u0, v0, u1, v1, INK_NONE);
		rect_round(r, fmin(l->m.pad, 3));
		rect_frame(r, (struct pen){ INK_MUTED, size_of(l) == SNAC_SMALL ? 0.8 : 1.2, DASH_DOTTED });
	}
	if (plate_named(l, b))
		name_plate(l, b, inset, v1);
	close_titled(l);
	str_release(&title);
}

/* ---- connections ---------------------------------------------------------------------------------------- */

static double bar_width(const struct layout *l)
{
	return size_of(l) == SNAC_SMALL ? 0.8 : size_of(l) == SNAC_MEDIUM ? 1 : 1.3;
}

/* It leaves a chip on the half that is nearer to its end, and arrives on the other half: bars that meet at one chip do
 * not seem to be one. */
static double bar_start(const struct layout *l, const struct bar *b)
{
	const struct chip *s = &l->p.chips[b->from];

	return s->u + s->w * 0.62;
}

static double bar_end(const struct layout *l, const struct bar *b)
{
	const struct chip *t = &l->p.chips[b->to];

	return t->u + t->w * (0.38 - 0.12 * (b->nth % 3));
}

static void go(const struct layout *l, double u, double v)
{
	struct point p = layout_at(l, u, v);

	path_line(l->c, p.x, p.y);
}

static void bend(const struct layout *l, double u1, double v1, double u2, double v2, double u, double v)
{
	struct point a = layout_at(l, u1, v1), b = layout_at(l, u2, v2), p = layout_at(l, u, v);

	path_curve(l->c, a.x, a.y, b.x, b.y, p.x, p.y);
}

static void bar_line(const struct layout *l, const struct bar *b)
{
	double u0 = bar_start(l, b), u1 = bar_end(l, b), v0 = -l->p.chips[b->from].h / 2;
	double v1 = -l->p.chips[b->to].h / 2 - 2 * bar_width(l), v = -l->top - 2 - b->track * l->m.track;
	double r = fmin(fmin(fmin(l->m.track, 5), (u1 - u0) / 2), fmin(v0 - v, v1 - v));
	struct point start = layout_at(l, u0, v0);

	path_move(l->c, start.x, start.y);
	if (in_bulk(l)) { /* square corners: a third of the text */
		go(l, u0, v);
		go(l, u1, v);
		go(l, u1, v1);
		return;
	}
	go(l, u0, v + r);
	bend(l, u0, v + r / 2, u0 + r / 2, v, u0 + r, v);
	go(l, u1 - r, v);
	bend(l, u1 - r / 2, v, u1, v + r / 2, u1, v + r);
	go(l, u1, v1);
}

static void bar_tip(const struct layout *l, const struct bar *b)
{
	double u = bar_end(l, b), v = -l->p.chips[b->to].h / 2, tip = 2.2 * bar_width(l);
	struct point start = layout_at(l, u, v);

	path_move(l->c, start.x, start.y);
	go(l, u - tip, v - 1.6 * tip);
	go(l, u + tip, v - 1.6 * tip);
	path_close(l->c);
}

static bool bar_shown(const struct layout *l, const struct bar *b)
{
	const struct chip *s = &l->p.chips[b->from], *t = &l->p.chips[b->to];

	return bar_end(l, b) > bar_start(l, b) && !(s->hidden && t->hidden && s->u == t->u);
}

static void draw_bars(const struct layout *l)
{
	if (!l->p.n_bars)
		return;
	canvas_path(l->c, INK_NONE, (struct pen){ INK_MUTED, bar_width(l), DASH_NONE });
	for (int i = 0; i < l->p.n_bars; i++)
		if (bar_shown(l, &l->p.bars[i]))
			bar_line(l, &l->p.bars[i]);
	canvas_path(l->c, INK_MUTED, no_pen);
	for (int i = 0; i < l->p.n_bars; i++)
		if (bar_shown(l, &l->p.bars[i]) && !l->p.chips[l->p.bars[i].to].hidden)
			bar_tip(l, &l->p.bars[i]);
}

/* ---- the chart ------------------------------------------------------------------------------------------ */

void layout_paint(struct layout *l, struct canvas *c, double x, double y)
{
	l->c = c;
	l->x = l->style->vertical ? x + l->before : x;
	l->y = l->style->vertical ? y + l->length : y + (l->flip ? l->after : l->before);
	for (int i = 0; i < l->p.n_plates; i++)
		if (!l->p.plates[i].hidden)
			draw_plate(l, i);
	draw_bars(l);
	if (in_bulk(l)) {
		draw_bulk(l);
		return;
	}
	for (int i = 0; i < l->p.n_chips; i++)
		draw_chip(l, &l->p.chips[i]);
}

struct canvas *snac_draw(const struct graph *g, const struct snac_style *style, struct arena *a)
{
	struct canvas *c;
	struct layout l;

	layout_begin(&l, g, style);
	c = canvas_new(a, layout_width(&l), layout_height(&l));
	layout_paint(&l, c, 0, 0);
	layout_release(&l);
	return c;
}
