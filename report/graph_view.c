/* report/graph_view.c - see graph_view.h. Every plate is laid out by itself, innermost first, and is then a box in the
 * drawing around it: what it reads enters at its upper edge, what others read of it leaves at the lower one.
 */
#include "report/graph_view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "report/canvas.h"
#include "report/layered.h"
#include "report/sheet.h"
#include "report/snac_label.h"
#include "report/snac_plan.h"

#define TIMES "\xc3\x97"

enum { MARGIN = 18, PAD = 8, HEADER = 17, LABEL = 13, PASSAGES = 4000 };

static const struct font kind_font = { 11, ANCHOR_MIDDLE, true, false, INK_CHIP_TEXT };
static const struct font size_font = { 9.5, ANCHOR_MIDDLE, false, false, INK_CHIP_TEXT };
static const struct font shape_font = { 9, ANCHOR_START, false, false, INK_MUTED };
static const struct font plate_font = { 10, ANCHOR_START, false, false, INK_MUTED };
static const struct pen line_pen = { INK_MUTED, 1.2, DASH_NONE };

struct flow { /* a tensor from chip to chip */
	int from, to;
};

struct ints {
	int *v;
	int n, cap;
};

struct level { /* what stands directly in a plate, or in the model */
	struct layered l;
	int *chip, *plate;    /* of a box, or -1 */
	struct ints in, out;  /* chips outside that it reads; chips inside that others read */
	struct ints flows;    /* of the model that take part here */
	double x, y;          /* of its drawing within the plate */
	double width, height; /* with frame and name */
};

struct view {
	const struct graph_view_opts *o;
	struct plan p;
	struct arena *a;
	struct canvas *c;
	struct flow *flows;
	int n_flows, cap_flows;
	struct level *levels; /* of the plates; [n_plates]: the model */
	int *box_of_chip, *box_of_plate;
	double *half; /* of a chip: half the width of its box */
	int n_cut, cut_span;
};

/* ---- who reads what ---------------------------------------------------------------------------------------- */

static struct level *level_of(const struct view *v, int plate)
{
	return &v->levels[plate < 0 ? v->p.n_plates : plate];
}

static int outer(const struct view *v, int plate)
{
	return v->p.plates[plate].parent;
}

static bool within(const struct view *v, int chip, int plate)
{
	int b = v->p.chips[chip].plate;

	while (b > plate)
		b = outer(v, b);
	return plate < 0 || b == plate;
}

static void add_int(struct ints *list, int x)
{
	GROW(list->v, list->n, list->cap);
	list->v[list->n++] = x;
}

static void add_once(struct ints *list, int x)
{
	for (int i = 0; i < list->n; i++)
		if (list->v[i] == x)
			return;
	add_int(list, x);
}

/* Notes a tensor in every plate that it leaves or enters, and where it passes from one to the other. */
static void add_flow(struct view *v, int from, int to)
{
	int b;

	GROW(v->flows, v->n_flows, v->cap_flows);
	v->flows[v->n_flows] = (struct flow){ from, to };
	for (b = v->p.chips[from].plate; !within(v, to, b); b = outer(v, b)) {
		add_once(&level_of(v, b)->out, from);
		add_int(&level_of(v, b)->flows, v->n_flows);
	}
	add_int(&level_of(v, b)->flows, v->n_flows);
	for (b = v->p.chips[to].plate; !within(v, from, b); b = outer(v, b)) {
		add_once(&level_of(v, b)->in, from);
		add_int(&level_of(v, b)->flows, v->n_flows);
	}
	v->n_flows++;
}

static void find_flows(struct view *v)
{
	for (int c = 0; c < v->p.n_chips; c++) {
		const struct node *n = v->p.chips[c].node < 0 ? NULL : &v->p.g->nodes[v->p.chips[c].node];

		for (int i = 0; n && i < n->n_in; i++) {
			int from = plan_source(&v->p, n->in[i]);

			if (from < c)
				add_flow(v, from, c);
		}
	}
}

/* ---- boxes --------------------------------------------------------------------------------------------------- */

static const char *kind_name(const struct view *v, const struct chip *c)
{
	return c->node < 0 ? v->p.g->inputs[-1 - c->node].name : layer_classes[v->p.g->nodes[c->node].kind]->name;
}

/* "32 3x3/2, 4.6k" below the kind; "" if there is nothing to say. */
static void details(const struct view *v, const struct chip *c, char out[80])
{
	const struct node *n = c->node < 0 ? NULL : &v->p.g->nodes[c->node];
	char sizes[2][24], params[16];

	out[0] = 0;
	if (!n)
		return;
	if (label_sizes(sizes, n))
		snprintf(out, 80, "%s%s%s", sizes[0], sizes[1][0] && sizes[1][0] != '/' ? ", " : "", sizes[1]);
	if (n->params)
		snprintf(out + strlen(out), 80 - strlen(out), "%s%s par.", out[0] ? ", " : "",
			 label_count(params, n->params));
}

static void shapes(const struct view *v, const struct chip *c, char out[160])
{
	const struct node *n = c->node < 0 ? NULL : &v->p.g->nodes[c->node];

	shape_text(out, chip_shape(&v->p, c));
	for (int k = 1; n && k < n->n_out; k++) {
		size_t used = strlen(out);

		snprintf(out + used, 160 - used, ", ");
		shape_text(out + used + 2, &n->out[k]);
	}
}

static double box_height(const struct view *v, const struct chip *c)
{
	char text[80];

	details(v, c, text);
	return text[0] ? 33 : 21;
}

static void chip_box(struct view *v, int chip, struct lbox *box)
{
	const struct chip *c = &v->p.chips[chip];
	char text[160];
	double w = text_width(kind_name(v, c), &kind_font) * 1.12, shape;

	details(v, c, text);
	w = fmax(fmax(w, text_width(text, &size_font) * 1.12) + 18, 58);
	shapes(v, c, text);
	shape = text_width(text, &shape_font) * 1.15 + 8;
	v->half[chip] = fmin(w, 190) / 2;
	*box = (struct lbox){ .w = 2 * fmax(v->half[chip], shape), .h = box_height(v, c) + LABEL };
}

/* The box of a level that holds a chip. */
static int box_holding(const struct view *v, int plate, int chip)
{
	int b = v->p.chips[chip].plate;

	if (b == plate)
		return v->box_of_chip[chip];
	while (outer(v, b) != plate)
		b = outer(v, b);
	return v->box_of_plate[b];
}

static int index_of(const struct ints *list, int x)
{
	for (int i = 0; i < list->n; i++)
		if (list->v[i] == x)
			return i;
	return -1;
}

/* Where a tensor leaves (enters) a box of a level, from the box's left side. */
static double port(const struct view *v, const struct level *w, int box, int from, bool enters)
{
	const struct level *inner;
	const struct lbox *b;
	int k;

	if (w->plate[box] < 0)
		return w->l.box[box].w / 2;
	inner = &v->levels[w->plate[box]];
	k = enters ? index_of(&inner->in, from) : inner->l.n_boxes - inner->out.n + index_of(&inner->out, from);
	b = &inner->l.box[k];
	return inner->x + b->x + b->w / 2;
}

static void fill_links(struct view *v, struct level *w, int plate)
{
	w->l.link = ARENA_ARRAY(v->a, struct llink, w->flows.n + 1);
	for (int i = 0; i < w->flows.n; i++) {
		const struct flow *f = &v->flows[w->flows.v[i]];
		struct llink *k = &w->l.link[w->l.n_links++];

		k->tensor = f->from;
		k->from = within(v, f->from, plate) ? box_holding(v, plate, f->from) : index_of(&w->in, f->from);
		k->to = within(v, f->to, plate) ? box_holding(v, plate, f->to)
						: w->l.n_boxes - w->out.n + index_of(&w->out, f->from);
		k->out_at = port(v, w, k->from, f->from, false);
		k->in_at = port(v, w, k->to, f->from, true);
	}
}

/* What enters, then chips and plates in their order, then what leaves. */
static void fill_boxes(struct view *v, struct level *w, const struct ints *members)
{
	int n = w->in.n + members->n + w->out.n, at = w->in.n;

	w->l = (struct layered){
		.a = v->a, .n_boxes = n, .gap_x = 16, .gap_y = 17, .lane_gap = 9, .passages_max = PASSAGES
	};
	w->l.box = ARENA_ARRAY(v->a, struct lbox, n + 1);
	w->chip = ARENA_ARRAY(v->a, int, n + 1);
	w->plate = ARENA_ARRAY(v->a, int, n + 1);
	for (int i = 0; i < n; i++) {
		w->l.box[i] = (struct lbox){ .w = 1, .last = i >= n - w->out.n };
		w->chip[i] = w->plate[i] = -1;
	}
	for (int i = 0; i < members->n; i++, at++) {
		int m = members->v[i];

		if (m >= 0) {
			w->chip[at] = m;
			v->box_of_chip[m] = at;
			chip_box(v, m, &w->l.box[at]);
		} else {
			w->plate[at] = -1 - m;
			v->box_of_plate[-1 - m] = at;
			w->l.box[at].w = v->levels[-1 - m].width;
			w->l.box[at].h = v->levels[-1 - m].height;
		}
	}
}

/* ---- plates --------------------------------------------------------------------------------------------------- */

static const char *plate_name(struct view *v, int plate)
{
	const struct plate *b = &v->p.plates[plate];
	const char *name = b->group >= 0 ? v->p.g->groups[b->group].block : "";

	if (b->count == 1)
		return name;
	return arena_printf(v->a, "%s%s" TIMES "%d", name, *name ? " " : "", b->count);
}

/* The name stands in the upper left corner; what enters there moves the drawing to the right. */
static void size_plate(struct view *v, struct level *w, int plate)
{
	double name, entry = INFINITY;

	if (plate < 0) {
		w->width = w->l.width;
		w->height = w->l.height;
		return;
	}
	name = text_width(plate_name(v, plate), &plate_font) * 1.2 + 2 * PAD;
	for (int i = 0; i < w->in.n; i++)
		entry = fmin(entry, w->l.box[i].x);
	w->x = fmax(PAD, name - entry);
	w->y = HEADER;
	w->width = fmax(w->x + w->l.width + PAD, name);
	w->height = HEADER + w->l.height + PAD;
}

static void lay_out(struct view *v)
{
	struct ints *members = ARENA_ARRAY(v->a, struct ints, v->p.n_plates + 1);

	for (int c = 0, b = 0; c < v->p.n_chips; c++) {
		for (; b < v->p.n_plates && v->p.plates[b].first == c; b++)
			add_int(&members[v->p.plates[b].parent < 0 ? v->p.n_plates : v->p.plates[b].parent], -1 - b);
		add_int(&members[v->p.chips[c].plate < 0 ? v->p.n_plates : v->p.chips[c].plate], c);
	}
	for (int k = v->p.n_plates - 1; k >= -1; k--) {
		int at = k < 0 ? v->p.n_plates : k;
		struct level *w = &v->levels[at];

		fill_boxes(v, w, &members[at]);
		fill_links(v, w, k);
		layered_place(&w->l);
		size_plate(v, w, k);
		v->n_cut += w->l.n_cut;
		v->cut_span = w->l.n_cut && (!v->cut_span || w->l.cut_span < v->cut_span) ? w->l.cut_span : v->cut_span;
	}
	for (int k = 0; k <= v->p.n_plates; k++)
		mem_free(members[k].v);
}

/* ---- painting --------------------------------------------------------------------------------------------------- */

static void paint_chip(struct view *v, const struct chip *c, double half, double x, double y)
{
	const struct node *n = c->node < 0 ? NULL : &v->p.g->nodes[c->node];
	bool hollow = !n || n->kind == LAYER_zero;
	enum ink family = n ? INK_FAMILY + layer_classes[n->kind]->family : INK_MUTED;
	struct font kind = kind_font, size = size_font;
	double h = box_height(v, c);
	struct str title = { 0 };
	char text[160];
	struct item *r;

	kind.ink = size.ink = hollow ? INK_TEXT : INK_CHIP_TEXT;
	label_chip(&title, &v->p, c);
	canvas_open(v->c, "chip", NULL, str_get(&title));
	r = canvas_rect(v->c, x - half, y, 2 * half, h, hollow ? INK_PAPER : family);
	rect_round(r, 4);
	rect_frame(r, (struct pen){ hollow ? family : INK_CHIP_EDGE, 0.9, DASH_NONE });
	if (n && layer_classes[n->kind]->family == FAMILY_DROPOUT)
		r->side[2] = (struct pen){ INK_CHIP_EDGE, 2, DASH_DOTTED };
	canvas_text(v->c, x, y + 14.5, kind, sheet_text(v->c, kind_name(v, c), &kind, 2 * half - 8));
	details(v, c, text);
	canvas_text(v->c, x, y + 27, size, text_fit(v->c, text, &size, 2 * half - 6));
	canvas_close(v->c);
	shapes(v, c, text);
	canvas_text(v->c, x + 5, y + h + 10, shape_font, text);
	str_release(&title);
}

static void paint_frame(struct view *v, int plate, double x, double y)
{
	const struct plate *b = &v->p.plates[plate];
	const struct level *w = &v->levels[plate];
	struct font f = plate_font;
	struct item *r;

	r = canvas_rect(v->c, x, y, w->width, w->height, INK_GRID);
	rect_round(r, 5);
	r->opacity = 0.45;
	r = canvas_rect(v->c, x, y, w->width, w->height, INK_NONE);
	rect_round(r, 5);
	rect_frame(r, (struct pen){ INK_MUTED, b->count > 1 ? 1.2 : 0.6, b->count > 1 ? DASH_DOTTED : DASH_NONE });
	f.bold = b->count > 1;
	f.ink = b->count > 1 ? INK_TEXT : INK_MUTED;
	canvas_text(v->c, x + PAD, y + 12, f, plate_name(v, plate));
}

static void curve(struct view *v, double x0, double y0, double x1, double y1)
{
	double mid = (y0 + y1) / 2;

	if (fabs(x1 - x0) < 0.01)
		path_line(v->c, x1, y1);
	else
		path_curve(v->c, x0, mid, x1, mid, x1, y1);
}

static void paint_lanes(struct view *v, const struct level *w, double x, double y)
{
	const struct layered *l = &w->l;

	for (int i = 0; i < l->n_lanes; i++)
		for (int k = 0; k < l->lanes[i].n_stops; k++) {
			const struct lpoint *s = &l->lanes[i].stop[k];

			path_move(v->c, x + s->x, y + s->top);
			path_line(v->c, x + s->x, y + s->bottom);
			if (k + 1 < l->lanes[i].n_stops)
				curve(v, x + s->x, y + s->bottom, x + s[1].x, y + s[1].top);
		}
	for (int i = 0; i < l->n_links; i++) {
		const struct llink *k = &l->link[i];
		const struct lpoint *s;

		if (k->cut)
			continue;
		s = &l->lanes[l->lane_of[i]].stop[l->box[k->to].layer - l->box[k->from].layer - 1];
		path_move(v->c, x + s->x, y + s->bottom);
		curve(v, x + s->x, y + s->bottom, x + l->box[k->to].x + k->in_at, y + l->box[k->to].y);
	}
}

static void paint_tips(struct view *v, const struct level *w, double x, double y)
{
	const struct layered *l = &w->l;

	for (int i = 0; i < l->n_links; i++) {
		const struct llink *k = &l->link[i];
		double tx = x + l->box[k->to].x + k->in_at, ty = y + l->box[k->to].y;

		if (w->chip[k->to] < 0 || k->cut)
			continue;
		path_move(v->c, tx, ty);
		path_line(v->c, tx - 3, ty - 5);
		path_line(v->c, tx + 3, ty - 5);
		path_close(v->c);
	}
}

/* Through the frame of a plate to its drawing, and out of it; and from the chips down past their shapes. */
static void paint_line_ends(struct view *v, const struct level *w, int plate, double x, double y)
{
	const struct layered *l = &w->l;

	for (int i = 0; i < l->n_links; i++) {
		const struct llink *k = &l->link[i];
		const struct lbox *b = &l->box[k->from];

		if (w->chip[k->from] < 0)
			continue;
		path_move(v->c, x + b->x + k->out_at, y + b->y + b->h - LABEL);
		path_line(v->c, x + b->x + k->out_at, y + b->y + b->h);
	}
	for (int i = 0; plate >= 0 && i < w->in.n; i++) {
		path_move(v->c, x + l->box[i].x + 0.5, y - HEADER);
		path_line(v->c, x + l->box[i].x + 0.5, y);
	}
	for (int i = l->n_boxes - w->out.n; plate >= 0 && i < l->n_boxes; i++) {
		path_move(v->c, x + l->box[i].x + 0.5, y + l->box[i].y);
		path_line(v->c, x + l->box[i].x + 0.5, y + l->height + PAD);
	}
}

static void paint_level(struct view *v, int plate, double x, double y)
{
	const struct level *w = level_of(v, plate);

	if (plate >= 0)
		paint_frame(v, plate, x, y);
	x += w->x;
	y += w->y;
	canvas_path(v->c, INK_NONE, line_pen);
	paint_lanes(v, w, x, y);
	paint_line_ends(v, w, plate, x, y);
	canvas_path(v->c, INK_MUTED, (struct pen){ INK_NONE, 0, DASH_NONE });
	paint_tips(v, w, x, y);
	for (int i = 0; i < w->l.n_boxes; i++) {
		const struct lbox *b = &w->l.box[i];

		if (w->chip[i] >= 0)
			paint_chip(v, &v->p.chips[w->chip[i]], v->half[w->chip[i]], x + b->x + b->w / 2, y + b->y);
		else if (w->plate[i] >= 0)
			paint_level(v, w->plate[i], x + b->x, y + b->y);
	}
}

/* ---- the view -----------------------------------------------------------------------------------------------------
 */

static void view_begin(struct view *v, const struct graph *g, const struct graph_view_opts *o)
{
	*v = (struct view){ .o = o, .a = arena_new() };
	plan_graph(&v->p, g, o->unfold);
	v->levels = ARENA_ARRAY(v->a, struct level, v->p.n_plates + 1);
	v->box_of_chip = ARENA_ARRAY(v->a, int, v->p.n_chips + 1);
	v->box_of_plate = ARENA_ARRAY(v->a, int, v->p.n_plates + 1);
	v->half = ARENA_ARRAY(v->a, double, v->p.n_chips + 1);
	find_flows(v);
}

static void view_end(struct view *v)
{
	for (int i = 0; i <= v->p.n_plates; i++) {
		mem_free(v->levels[i].in.v);
		mem_free(v->levels[i].out.v);
		mem_free(v->levels[i].flows.v);
	}
	mem_free(v->flows);
	plan_release(&v->p);
	arena_free(v->a);
}

static void paint_title(struct view *v, const struct graph *g, double width)
{
	static const struct font title = { 17, ANCHOR_START, true, false, INK_TEXT };
	static const struct font about = { 11, ANCHOR_START, false, false, INK_MUTED };
	char params[32], macs[32];
	struct cost cost = { 0 };
	struct str text = { 0 };

	graph_cost(g, &cost, NULL);
	canvas_text(v->c, MARGIN, 28, title, sheet_text(v->c, v->o->name, &title, (width - 2 * MARGIN) / 1.15));
	str_addf(&text, "%s parameters, %s multiply-adds", str_thousands(params, cost.params),
		 str_thousands(macs, cost.macs));
	if (v->n_cut)
		str_addf(&text, "; %d connections over more than %d rows are not drawn", v->n_cut, v->cut_span);
	canvas_text(v->c, MARGIN, 45, about, text_fit(v->c, str_get(&text), &about, (width - 2 * MARGIN) / 1.15));
	str_release(&text);
}

struct canvas *graph_view_draw(const struct graph *g, const struct graph_view_opts *o, struct arena *a)
{
	double top = o->name ? 60 : MARGIN, width;
	struct canvas *c;
	struct view v;

	view_begin(&v, g, o);
	lay_out(&v);
	width = fmax(level_of(&v, -1)->width + 2 * MARGIN, o->name ? 360 : 0);
	c = v.c = canvas_new(a, ceil(width), ceil(top + level_of(&v, -1)->height + MARGIN));
	if (o->name)
		paint_title(&v, g, width);
	paint_level(&v, -1, (width - level_of(&v, -1)->width) / 2, top);
	view_end(&v);
	return c;
}
