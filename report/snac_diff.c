/* report/snac_diff.c - see snac_diff.h. Both rows are laid out as charts of their own; then their chips move to common
 * columns, one for every step of the alignment. The lower row is mirrored, so that the sizes of both face each other.
 */
#include "report/snac_diff.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/canvas.h"
#include "report/sheet.h"
#include "report/snac_layout.h"
#include "report/snac_legend.h"

#define MINUS "\xe2\x88\x92"
#define TO    " to "

enum { MARGIN = 16, LANE = 30, KEEP = 2, RUN = 7, GAP = 44, NOTES = 30, NOTE = 17, HEAD = 44 };

static const struct kind_look {
	const char *sign;
	enum ink ink;
} looks[DIFF_KIND_COUNT] = {
	[DIFF_SAME] = { "", INK_MUTED },
	[DIFF_CHANGED] = { "~", INK_LINE + 0 },
	[DIFF_RESHAPED] = { "\xc2\xb7", INK_MUTED },
	[DIFF_REMOVED] = { MINUS, INK_ACCENT },
	[DIFF_ADDED] = { "+", INK_LINE + 2 },
};

struct column {
	double u, w;
	bool hidden;  /* of a run of equal layers */
	int left_out; /* > 0: the first hidden one, which stands for so many */
	int number;   /* of its note, from 1; 0: none. A block that is removed or added as a whole has one note */
	int group;    /* that block, at its first layer; else -1 */
};

struct pair {
	const struct model_diff *d;
	const struct snac_diff_opts *o;
	struct layout row[2];
	struct column *columns;
	int notes;
	double length, x;
	struct canvas *c;
};

/* The chip of a step in a row, or -1. */
static int chip_of(const struct pair *p, int side, int step)
{
	int node = side ? p->d->steps[step].b : p->d->steps[step].a;

	return node < 0 ? -1 : p->row[side].p.chip_of[node];
}

/* What was done to the model. That layers after a change have another size is shown, but needs no words. */
static bool noted(const struct pair *p, int step)
{
	return p->d->steps[step].kind != DIFF_SAME && p->d->steps[step].kind != DIFF_RESHAPED;
}

/* ---- columns -------------------------------------------------------------------------------------------- */

static void hide_runs(struct pair *p)
{
	for (int i = 0, n; i<p->d->n; i += n> 0 ? n : 1) {
		for (n = 0; i + n < p->d->n && p->d->steps[i + n].kind == DIFF_SAME; n++)
			;
		if (n < RUN || p->o->style.unfold)
			continue;
		for (int k = i + KEEP; k < i + n - KEEP; k++)
			p->columns[k].hidden = true;
		p->columns[i + KEEP].left_out = n - 2 * KEEP;
	}
}

/* How many plates open (close) at the chip of a step, in the row where more do. */
static int plates_at(const struct pair *p, int step, bool end)
{
	int most = 0;

	for (int side = 0; side < 2; side++) {
		const struct plan *plan = &p->row[side].p;
		int chip = chip_of(p, side, step), n = 0;

		for (int b = chip < 0 ? -1 : plan->chips[chip].plate; b >= 0; b = plan->plates[b].parent)
			n += (end ? plan->plates[b].last : plan->plates[b].first) == chip;
		most = n > most ? n : most;
	}
	return most;
}

/* The largest block that begins at a step and is removed (added) as a whole, or -1. */
static int whole_block(const struct pair *p, int step)
{
	const struct diff_step *s = &p->d->steps[step];
	const struct graph *g = s->kind == DIFF_REMOVED ? p->d->a : p->d->b;
	int node = s->kind == DIFF_REMOVED ? s->a : s->b, run = 0, best = -1;

	while (step + run < p->d->n && s[run].kind == s->kind)
		run++;
	if (s->kind == DIFF_REMOVED || s->kind == DIFF_ADDED)
		for (int b = g->nodes[node].group; b >= 0; b = g->groups[b].parent)
			if (g->groups[b].first == node && g->groups[b].n <= run && g->groups[b].n > 1)
				best = b;
	return best;
}

static void number_notes(struct pair *p)
{
	for (int i = 0, n; i < p->d->n; i += n) {
		const struct graph *g = p->d->steps[i].kind == DIFF_REMOVED ? p->d->a : p->d->b;
		int block = whole_block(p, i);

		n = block < 0 ? 1 : g->groups[block].n;
		p->columns[i].group = block;
		if (!noted(p, i))
			continue;
		p->notes++;
		for (int k = i; k < i + n; k++)
			p->columns[k].number = p->notes;
	}
}

static void place_columns(struct pair *p)
{
	const struct snac_measures *m = &p->row[0].m;
	int inputs = p->d->a->n_inputs > p->d->b->n_inputs ? p->d->a->n_inputs : p->d->b->n_inputs;
	double u = 1.5 + inputs * (m->input + m->gap);

	for (int i = 0; i < p->d->n; i++) {
		struct column *c = &p->columns[i];

		if (!c->hidden)
			u += plates_at(p, i, false) * m->pad;
		c->u = u;
		c->w = c->hidden ? 0 : m->chip;
		if (c->left_out)
			u += GAP;
		if (c->hidden)
			c->u = u - GAP / 2.0;
		else
			u += c->w + plates_at(p, i, true) * m->pad + 1;
	}
	p->length = u + 1.5;
}

/* Plates inside it that begin or end at the same chip, itself included. */
static int depth_at(const struct plan *plan, int plate, bool end)
{
	const struct plate *b = &plan->plates[plate];
	int chip = end ? b->last : b->first, n = 1;

	for (int k = plan->chips[chip].plate; k >= 0 && k != plate; k = plan->plates[k].parent)
		n += (end ? plan->plates[k].last : plan->plates[k].first) == chip;
	return n;
}

static void move_row(struct pair *p, int side)
{
	struct layout *l = &p->row[side];

	for (int i = 0; i < p->d->n; i++) {
		int chip = chip_of(p, side, i);

		if (chip < 0)
			continue;
		l->p.chips[chip].u = p->columns[i].u;
		l->p.chips[chip].w = p->columns[i].w;
		l->p.chips[chip].hidden = p->columns[i].hidden;
	}
	for (int b = 0; b < l->p.n_plates; b++) {
		struct plate *q = &l->p.plates[b];
		const struct chip *first = &l->p.chips[q->first], *last = &l->p.chips[q->last];

		q->u0 = first->u - (first->hidden ? GAP / 2.0 - 2 : depth_at(&l->p, b, false) * l->m.pad);
		q->u1 = last->u + last->w + (last->hidden ? GAP / 2.0 - 2 : depth_at(&l->p, b, true) * l->m.pad);
		q->hidden = first->hidden && last->hidden;
	}
	l->length = p->length;
	layout_across(l);
}

/* ---- words ---------------------------------------------------------------------------------------------- */

static void add_value(struct str *out, const struct json *v)
{
	if (json_string(v))
		str_add(out, json_string(v));
	else if (v)
		json_print(out, v);
}

static void add_shapes(struct str *out, const struct node *x, const struct node *y)
{
	char old[48], now[48];

	if (!shape_equal(&x->out[0], &y->out[0]))
		str_addf(out, ", %s" TO "%s", shape_text(old, &x->out[0]), shape_text(now, &y->out[0]));
	if (x->params != y->params)
		str_addf(out, ", %s" TO "%s parameters", str_thousands(old, x->params), str_thousands(now, y->params));
}

/* "conv2d_2: filters 16 to 24, 4,640 to 14,424 parameters" */
static void note_text(struct str *out, const struct pair *p, int step)
{
	const struct diff_step *s = &p->d->steps[step];
	const struct graph *g = s->a >= 0 ? p->d->a : p->d->b;
	int node = s->a >= 0 ? s->a : s->b, block = p->columns[step].group;
	const char *between = "";

	if (block >= 0) {
		str_addf(out, "%s: %s, %s of %d layers", g->groups[block].id, s->a < 0 ? "added" : "removed",
			 g->groups[block].block, g->groups[block].n);
		return;
	}
	str_addf(out, "%s: ", g->nodes[node].id);
	if (s->a < 0 || s->b < 0) {
		str_add(out, s->a < 0 ? "added, " : "removed, ");
		node_summary(out, g, node);
		return;
	}
	JSON_EACH(v, s->options) {
		str_addf(out, "%s%s ", between, json_string(json_get(v, "key")));
		add_value(out, json_get(v, "old"));
		str_add(out, TO);
		add_value(out, json_get(v, "new"));
		between = ", ";
	}
	if (s->reads_a)
		str_addf(out, "%sreads %s" TO "%s", between, s->reads_a, s->reads_b);
	add_shapes(out, &p->d->a->nodes[s->a], &p->d->b->nodes[s->b]);
}

static int shown_notes(const struct pair *p)
{
	return p->notes <= NOTES ? p->notes : NOTES + 1;
}

/* "- 2 removed   + 1 added ...": also the key to the signs. */
static void paint_counts(struct pair *p, double y)
{
	static const char *const words[DIFF_KIND_COUNT] = {
		[DIFF_SAME] = "the same",   [DIFF_CHANGED] = "changed", [DIFF_RESHAPED] = "the same, of another size",
		[DIFF_REMOVED] = "removed", [DIFF_ADDED] = "added",
	};
	static const enum diff_kind order[] = { DIFF_REMOVED, DIFF_ADDED, DIFF_CHANGED, DIFF_RESHAPED, DIFF_SAME };
	struct font sign = { 12, ANCHOR_START, true, false, INK_TEXT },
		    f = { 11, ANCHOR_START, false, false, INK_TEXT };
	double x = MARGIN;

	for (int i = 0; i < DIFF_KIND_COUNT; i++) {
		const char *text = arena_printf(canvas_arena(p->c), "%d %s", p->d->count[order[i]], words[order[i]]);

		sign.ink = looks[order[i]].ink;
		canvas_text(p->c, x, y, sign, looks[order[i]].sign);
		x += looks[order[i]].sign[0] ? 13 : 0;
		canvas_text(p->c, x, y, f, text);
		x += text_width(text, &f) * 1.15 + 16;
	}
}

static void paint_notes(struct pair *p, double y, double width)
{
	struct font sign = { 11, ANCHOR_START, true, false, INK_TEXT },
		    words = { 11, ANCHOR_START, false, false, INK_TEXT };
	int n = 0;

	for (int i = 0; i < p->d->n && n < NOTES; i++) {
		const struct diff_step *s = &p->d->steps[i];
		struct str text = { 0 };

		if (p->columns[i].number != n + 1)
			continue;
		y += NOTE;
		sign.ink = looks[s->kind].ink;
		canvas_textf(p->c, MARGIN, y, sign, "%s%d", looks[s->kind].sign, ++n);
		note_text(&text, p, i);
		canvas_text(p->c, MARGIN + 32, y, words,
			    sheet_text(p->c, str_get(&text), &words, (width - 2 * MARGIN - 32) / 1.15));
		str_release(&text);
	}
	if (p->notes > NOTES)
		canvas_textf(p->c, MARGIN, y + NOTE, words, "and %d more: `nab diff` lists all", p->notes - NOTES);
}

/* ---- painting ------------------------------------------------------------------------------------------- */

static void paint_name(struct pair *p, int side, double y, double width)
{
	struct font f = { 14, ANCHOR_START, true, false, INK_TEXT },
		    small = { 11, ANCHOR_START, false, false, INK_MUTED };
	char params[32], macs[32];
	struct cost cost = { 0 };
	const char *name, *about;
	double room;

	graph_cost(side ? p->d->b : p->d->a, &cost, NULL);
	about = arena_printf(canvas_arena(p->c), "%s parameters, %s multiply-adds, %d layers",
			     str_thousands(params, cost.params), str_thousands(macs, cost.macs), cost.layers);
	room = width - 2 * MARGIN - 14 - text_width(about, &small) * 1.15;
	name = sheet_text(p->c, side ? p->o->name_b : p->o->name_a, &f, room / 1.2);
	canvas_text(p->c, MARGIN, y, f, name);
	canvas_text(p->c, MARGIN + text_width(name, &f) * 1.2 + 14, y, small, about);
}

/* The soft band behind a step that differs, and the sign between the rows. */
static void paint_step(struct pair *p, int i, double top, double lane, double bottom)
{
	const struct column *c = &p->columns[i];
	enum diff_kind kind = p->d->steps[i].kind;
	double x = p->x + c->u, mid = x + c->w / 2, w = fmin(c->w - 2, 24);
	struct font f = { fmin(10, c->w * 0.55), ANCHOR_MIDDLE, true, false, looks[kind].ink };
	struct item *r;

	if (!c->number)
		canvas_line(p->c, mid, lane + 4, mid, lane + LANE - 4, (struct pen){ INK_GRID, 1.2, DASH_NONE });
	if (kind == DIFF_RESHAPED)
		canvas_disc(p->c, mid, lane + LANE / 2.0, 1.8, looks[kind].ink);
	if (!c->number)
		return;
	r = canvas_rect(p->c, x - 0.5, top, c->w + 1, bottom - top, looks[kind].ink);
	r->opacity = 0.13;
	r = canvas_rect(p->c, mid - w / 2, lane + 2, w, LANE - 4, INK_PAPER);
	rect_round(r, 4);
	rect_frame(r, (struct pen){ looks[kind].ink, 1.5, DASH_NONE });
	canvas_text(p->c, mid, lane + LANE / 2.0 - 2, f, looks[kind].sign);
	canvas_text(p->c, mid, lane + LANE / 2.0 + 9, f,
		    text_fit(p->c, arena_printf(canvas_arena(p->c), "%d", c->number), &f, w - 2));
}

static void paint_missing(struct pair *p, int i)
{
	const struct diff_step *s = &p->d->steps[i];
	const struct column *c = &p->columns[i];
	struct layout *l = &p->row[s->a < 0 ? 0 : 1];
	struct item *r = layout_rect(l, c->u + 2, -l->m.low / 2, c->u + c->w - 2, l->m.low / 2, INK_NONE);

	rect_round(r, 2);
	rect_frame(r, (struct pen){ INK_MUTED, 1, DASH_DOTTED });
}

/* A frame on the chips that differ: another form for every kind. */
static void paint_frames(struct pair *p, int i)
{
	static const enum dash dashes[DIFF_KIND_COUNT] = {
		[DIFF_REMOVED] = DASH_DASHED, [DIFF_RESHAPED] = DASH_DOTTED
	};
	enum diff_kind kind = p->d->steps[i].kind;
	const struct column *c = &p->columns[i];

	for (int side = 0; side < 2; side++) {
		int chip = chip_of(p, side, i);
		struct layout *l = &p->row[side];
		double h = chip < 0 ? 0 : l->p.chips[chip].h / 2;
		struct item *r;

		if (chip < 0)
			continue;
		r = layout_rect(l, c->u, -h, c->u + c->w, h, INK_NONE);
		rect_round(r, 2);
		rect_frame(r, (struct pen){ looks[kind].ink, kind == DIFF_RESHAPED ? 1.4 : 2.2, dashes[kind] });
	}
	if (kind == DIFF_REMOVED || kind == DIFF_ADDED)
		paint_missing(p, i);
}

static void paint_gap(struct pair *p, int i, double lane)
{
	struct font f = { 10, ANCHOR_MIDDLE, false, false, INK_MUTED };
	double x = p->x + p->columns[i].u;

	for (int side = 0; side < 2; side++)
		for (int k = -1; k <= 1; k++) {
			struct point at = layout_at(&p->row[side], p->columns[i].u + 7 * k, 0);

			canvas_disc(p->c, at.x, at.y, 1.6, INK_MUTED);
		}
	canvas_textf(p->c, x, lane + LANE / 2.0 - 2, f, "%d", p->columns[i].left_out);
	canvas_text(p->c, x, lane + LANE / 2.0 + 9, f, "equal");
}

static void paint_rows(struct pair *p, double top)
{
	double lane = top + layout_height(&p->row[0]), bottom = lane + LANE + layout_height(&p->row[1]);

	p->x = MARGIN;
	for (int i = 0; i < p->d->n; i++)
		if (!p->columns[i].hidden)
			paint_step(p, i, top, lane, bottom);
	layout_paint(&p->row[0], p->c, MARGIN, top);
	layout_paint(&p->row[1], p->c, MARGIN, lane + LANE);
	for (int i = 0; i < p->d->n; i++) {
		if (p->columns[i].left_out)
			paint_gap(p, i, lane);
		if (p->d->steps[i].kind != DIFF_SAME)
			paint_frames(p, i);
	}
}

static void paint(struct pair *p, struct arena *a)
{
	struct legend key = { .skips = p->row[0].p.n_bars + p->row[1].p.n_bars > 0 };
	double rows = layout_height(&p->row[0]) + LANE + layout_height(&p->row[1]);
	double width = fmax(p->length + 2 * MARGIN, 680), y = HEAD + rows + 48, legend = 0;
	double notes = 14 + NOTE * shown_notes(p) + 10;

	snac_kinds(p->d->a, key.used);
	snac_kinds(p->d->b, key.used);
	if (p->o->legend)
		legend = legend_height(&key, width - 2 * MARGIN) + 8;
	p->c = canvas_new(a, ceil(width), ceil(y + notes + legend + MARGIN));
	paint_name(p, 0, 30, width);
	paint_rows(p, HEAD);
	paint_name(p, 1, HEAD + rows + 22, width);
	paint_counts(p, y + 4);
	paint_notes(p, y + 14, width);
	if (p->o->legend)
		legend_paint(p->c, &key, width - 2 * MARGIN, MARGIN, y + notes + 8);
}

struct canvas *snac_diff_draw(const struct model_diff *d, const struct snac_diff_opts *o, struct arena *a)
{
	struct pair p = { .d = d, .o = o };
	struct snac_style style = { .size = o->style.size,
				    .unfold = true,
				    .largest = fmax(snac_largest(d->a), snac_largest(d->b)) };

	layout_begin(&p.row[0], d->a, &style);
	layout_begin(&p.row[1], d->b, &style);
	p.row[1].flip = true;
	p.columns = mem_new((size_t)(d->n + 1) * sizeof *p.columns);
	hide_runs(&p);
	number_notes(&p);
	place_columns(&p);
	move_row(&p, 0);
	move_row(&p, 1);
	paint(&p, a);
	layout_release(&p.row[0]);
	layout_release(&p.row[1]);
	mem_free(p.columns);
	return p.c;
}
