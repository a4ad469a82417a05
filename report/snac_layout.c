/* report/snac_layout.c - see snac_layout.h. */
#include "report/snac_layout.h"

#include <math.h>
#include <stdio.h>

#include "arch/shape.h"
#include "base/mem.h"

#define EDGE 1.5 /* room for half a line at the ends */

const struct snac_measures snac_measures[SNAC_SIZE_COUNT] = {
	[SNAC_SMALL] = { .chip = 8,
			 .upright = 6,
			 .input = 3,
			 .gap = 3,
			 .low = 12,
			 .pad = 1.5,
			 .label = 7,
			 .column = 15,
			 .decade = 1.6,
			 .track = 2.5,
			 .small_font = 6.5,
			 .line = 0.8 },
	[SNAC_MEDIUM] = { .chip = 15,
			  .upright = 12,
			  .input = 5,
			  .gap = 5,
			  .low = 17,
			  .pad = 2.5,
			  .label = 9,
			  .column = 20,
			  .decade = 2.5,
			  .track = 4,
			  .font = 8,
			  .small_font = 7.5,
			  .line = 1.2 },
	[SNAC_LARGE] = { .chip = 32,
			 .upright = 22,
			 .input = 8,
			 .gap = 9,
			 .low = 34,
			 .pad = 5,
			 .label = 13,
			 .column = 74,
			 .text = 22,
			 .side_text = 56,
			 .decade = 4,
			 .number = 12,
			 .track = 6,
			 .font = 13,
			 .small_font = 8.5,
			 .line = 1.4 },
};

double snac_largest(const struct graph *g)
{
	double most = 0;

	for (int i = 0; i < g->n_inputs; i++)
		most = fmax(most, (double)shape_count(&g->inputs[i].shape));
	for (int i = 0; i < g->n_nodes; i++)
		most = fmax(most, (double)shape_count(&g->nodes[i].out[0]));
	return most;
}

double layout_params(const struct snac_measures *m, int64_t params)
{
	return params > 0 ? fmax(m->decade * log10((double)params), 0.4 * m->decade) : 0;
}

/* h = low (1 + (t^.15 - 16^.15) / (T^.15 - 16^.15)): from low to 2 low. */
static double chip_height(const struct layout *l, double elements)
{
	double least = pow(16, 0.15), span = pow(fmax(l->largest, 16), 0.15) - least;
	double share = span > 0 ? (pow(fmax(elements, 16), 0.15) - least) / span : 0;

	return l->m.low * (1 + fmin(share, 1));
}

/* ---- along the axis ------------------------------------------------------------------------------------- */

double plate_inset(const struct layout *l)
{
	return l->style->size == SNAC_SMALL ? 0.5 : 1.2;
}

/* What a plate's name needs at least: "x12", upright beside a column. */
static double least_length(const struct layout *l, const struct plate *b)
{
	struct font f = { l->m.small_font, ANCHOR_START, true, false, INK_TEXT };
	char text[24];

	if (b->count == 1)
		return 0;
	snprintf(text, sizeof text, "\xc3\x97%d", b->count);
	return l->style->vertical ? f.size + 2 : text_width(text, &f) + 2 * (plate_inset(l) + fmin(l->m.pad, 2)) + 0.1;
}

/* Opens the plates that begin at chip i, outer ones first. */
static double open_plates(struct layout *l, int i, int *next, double u)
{
	for (; *next < l->p.n_plates && l->p.plates[*next].first == i; ++*next) {
		l->p.plates[*next].u0 = u;
		u += l->m.pad;
	}
	return u;
}

/* Closes those that end there, inner ones first. */
static double close_plates(struct layout *l, int i, double u)
{
	for (int b = l->p.chips[i].plate; b >= 0 && l->p.plates[b].last == i; b = l->p.plates[b].parent) {
		struct plate *p = &l->p.plates[b];

		p->u1 = u = fmax(u + l->m.pad, p->u0 + least_length(l, p));
	}
	return u;
}

static void place_chips(struct layout *l)
{
	double u = EDGE;
	int next = 0;

	for (int i = 0; i < l->p.n_chips; i++) {
		struct chip *c = &l->p.chips[i];

		u += c->apart ? l->m.gap : 0;
		u = open_plates(l, i, &next, u);
		c->u = u;
		c->w = c->node < 0 ? l->m.input : l->style->vertical ? l->m.upright : l->m.chip;
		c->h = chip_height(l, (double)shape_count(chip_shape(&l->p, c)));
		u = close_plates(l, i, u + c->w);
	}
	l->length = u + EDGE;
}

/* Narrower chips first; where that is not enough, narrower gaps, too. Sizes across keep their scale. */
static void squeeze(struct layout *l, double width)
{
	static const double least[SNAC_SIZE_COUNT] = { 2, 4, 25 };
	int layers = l->p.n_chips - l->p.g->n_inputs;
	double rest = l->length - layers * l->m.chip, share;

	l->m.chip = fmax((width - rest) / (layers ? layers : 1), least[l->style->size]);
	if (l->style->size == SNAC_MEDIUM && l->m.chip < 11)
		l->m.font = 0; /* symbols on all chips or on none */
	share = (width - layers * l->m.chip) / rest;
	if (share < 1 && l->style->size != SNAC_LARGE) {
		l->m.gap *= fmax(share, 0.2);
		l->m.pad *= fmax(share, 0.2);
		l->m.input *= fmax(share, 0.2);
	}
	place_chips(l);
}

/* ---- across --------------------------------------------------------------------------------------------- */

bool plate_named(const struct layout *l, const struct plate *b)
{
	return b->count > 1 || l->style->size == SNAC_LARGE || (l->style->size == SNAC_MEDIUM && !l->style->vertical);
}

/* An inner plate's name stands nearer to the chips than the names of those around it. */
static void count_rows(struct layout *l)
{
	l->rows = 0;
	for (int i = 0; i < l->p.n_plates; i++)
		l->p.plates[i].rows = 0;
	for (int i = l->p.n_plates - 1; i >= 0; i--) {
		struct plate *b = &l->p.plates[i];
		int *outer = b->parent >= 0 ? &l->p.plates[b->parent].rows : &l->rows;

		b->rows += plate_named(l, b);
		*outer = b->rows > *outer ? b->rows : *outer;
	}
}

/* Chips, sizes and parameters reach so far. */
double layout_under(const struct layout *l)
{
	return l->tallest / 2 + (l->style->vertical ? l->m.side_text : l->m.text) + (l->bars > 0 ? l->bars + 2 : 0) +
	       (l->bars > 0 && l->m.number > 0 ? (l->style->vertical ? 26 : l->m.number) : 0);
}

void layout_across(struct layout *l)
{
	int64_t params = 0;

	count_rows(l);
	l->names = l->style->vertical ? l->m.column : l->m.label;
	l->tallest = 0;
	for (int i = 0; i < l->p.n_chips; i++) {
		const struct chip *c = &l->p.chips[i];

		l->tallest = fmax(l->tallest, c->h);
		if (c->node >= 0 && l->p.g->nodes[c->node].params > params)
			params = l->p.g->nodes[c->node].params;
	}
	l->bars = layout_params(&l->m, params);
	if (l->p.tracks > 12)
		l->m.track = fmax(12 * snac_measures[l->style->size].track / l->p.tracks, 0.25);
	l->top = l->tallest / 2 + l->p.levels * l->m.pad;
	l->before = l->top + (l->p.tracks ? 2 + l->p.tracks * l->m.track : 0) + EDGE;
	l->after = layout_under(l) + l->p.levels * l->m.pad + l->rows * l->names + EDGE;
}

void layout_begin(struct layout *l, const struct graph *g, const struct snac_style *style)
{
	*l = (struct layout){ .style = style, .m = snac_measures[style->size] };
	l->largest = style->largest > 0 ? style->largest : snac_largest(g);
	plan_graph(&l->p, g, style->unfold);
	place_chips(l);
	if (style->width > 0 && l->length > style->width && !style->vertical)
		squeeze(l, style->width);
	layout_across(l);
}

enum snac_size snac_size_for(const struct graph *g, bool unfold, double width)
{
	enum snac_size size = SNAC_LARGE;

	for (; size > SNAC_SMALL; size--) {
		struct snac_style style = { .size = size, .unfold = unfold, .width = width };
		struct layout l;
		bool fits;

		layout_begin(&l, g, &style);
		fits = l.length <= width + 0.01; /* it was squeezed to be just so wide */
		layout_release(&l);
		if (fits)
			break;
	}
	return size;
}

void layout_release(struct layout *l)
{
	plan_release(&l->p);
}

/* ---- from the chart's coordinates to the canvas --------------------------------------------------------- */

double layout_width(const struct layout *l)
{
	return ceil(l->style->vertical ? l->before + l->after : l->length);
}

double layout_height(const struct layout *l)
{
	return ceil(l->style->vertical ? l->length : l->before + l->after);
}

struct point layout_at(const struct layout *l, double u, double v)
{
	if (l->flip)
		v = -v;
	return l->style->vertical ? (struct point){ l->x + v, l->y - u } : (struct point){ l->x + u, l->y + v };
}

struct item *layout_rect(const struct layout *l, double u0, double v0, double u1, double v1, enum ink fill)
{
	struct point a = layout_at(l, u0, v0), b = layout_at(l, u1, v1);

	return canvas_rect(l->c, fmin(a.x, b.x), fmin(a.y, b.y), fabs(b.x - a.x), fabs(b.y - a.y), fill);
}

void layout_text(const struct layout *l, double u, double v, struct font font, const char *text)
{
	struct point p = layout_at(l, u, v);

	canvas_text(l->c, p.x, p.y + 0.36 * font.size, font, text);
}
