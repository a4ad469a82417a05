/* report/snac.c - SNACs. See snac.h. First a plan (which nodes are drawn, which are folded into plates), then places
 * along the axis, then the drawing.
 */
#include "report/snac.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/kinds.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/canvas.h"

const char *const snac_size_names[] = { "small", "medium", "large", NULL };

#define TIMES "\xc3\x97"

enum { FOLD_UNITS = 16, TRACKS = 64 };

struct chip {
	int node; /* -1 - k: the model's input k */
	int plate;
	bool apart; /* does not read the chip before it */
	double x, w, h;
};

struct plate {
	int group; /* -1: a run of layers that is no block */
	int count;
	int parent;
	int first, last; /* chips */
	int inner;       /* levels of plates inside it */
};

struct bar {            /* a connection that is not "from the one before" */
	int from, to;   /* chips */
	int track, nth; /* nth of those that end at `to` */
};

struct plan {
	const struct graph *g;
	bool unfold;
	struct chip *chips;
	struct plate *plates;
	struct bar *bars;
	int *chip_of; /* node -> chip that shows it */
	int n_chips, n_plates, n_bars, cap_chips, cap_plates, cap_bars;
	int levels, tracks;
};

/* ---- folding -------------------------------------------------------------------------------------------- */

struct unit { /* what stands at one level: a node, or an instance of a block */
	int first, n, group;
};

static bool same_edges(const struct node *a, const struct node *b, int distance)
{
	for (int i = 0; i < a->n_in; i++)
		if (a->in[i].port != b->in[i].port || a->in[i].node < -1 || a->in[i].node + distance != b->in[i].node)
			return false;
	return true;
}

/* Node i + distance is a copy of node i: the same layer with the same result, reading what corresponds. */
static bool same_node(const struct graph *g, int i, int distance)
{
	const struct node *a = &g->nodes[i], *b = &g->nodes[i + distance];

	if (a->kind != b->kind || a->n_in != b->n_in || a->params != b->params || a->frozen != b->frozen ||
	    (a->share < 0) != (b->share < 0) || (a->group < 0) != (b->group < 0) ||
	    memcmp(a->cfg, b->cfg, layer_classes[a->kind]->cfg_size) != 0)
		return false;
	if (a->group >= 0 && strcmp(g->groups[a->group].block, g->groups[b->group].block) != 0)
		return false;
	for (int k = 0; k < a->n_out; k++)
		if (!shape_equal(&a->out[k], &b->out[k]))
			return false;
	return same_edges(a, b, distance);
}

static bool same_units(const struct graph *g, const struct unit *a, const struct unit *b, int n)
{
	int distance = b[0].first - a[0].first;

	for (int k = 0; k < n; k++) {
		if (a[k].n != b[k].n || (a[k].group < 0) != (b[k].group < 0) || b[k].first - a[k].first != distance)
			return false;
		for (int i = a[k].first; i < a[k].first + a[k].n; i++)
			if (!same_node(g, i, distance))
				return false;
	}
	return true;
}

/* How often units[0..len) stand there in a row. */
static int copies(const struct graph *g, const struct unit *units, int n, int len)
{
	int count = 1;

	while ((count + 1) * len <= n && same_units(g, units + (count - 1) * len, units + count * len, len))
		count++;
	return count;
}

/* The fold at the head of units[0..n) that hides most nodes. Returns the length of one copy, *count >= 1. */
static int best_fold(const struct graph *g, const struct unit *units, int n, int *count)
{
	int best = 0, len = 1, most = n / 2 < FOLD_UNITS ? n / 2 : FOLD_UNITS;

	*count = 1;
	for (int l = 1, span = 0; l <= most; l++) {
		int c = copies(g, units, n, l), hidden;

		span += units[l - 1].n;
		hidden = (c - 1) * span;
		if (span == 1 && c < 3) /* a plate around one layer takes more room than its copy */
			continue;
		if (hidden > best) {
			best = hidden;
			len = l;
			*count = c;
		}
	}
	return len;
}

static void plan_level(struct plan *p, int group, int first, int n, int plate);

static int open_plate(struct plan *p, int group, int count, int parent)
{
	GROW(p->plates, p->n_plates, p->cap_plates);
	p->plates[p->n_plates] =
	    (struct plate){ .group = group, .count = count, .parent = parent, .first = p->n_chips };
	return p->n_plates++;
}

static void close_plate(struct plan *p, int plate)
{
	int up = 1;

	p->plates[plate].last = p->n_chips - 1;
	for (int b = p->plates[plate].parent; b >= 0; b = p->plates[b].parent, up++)
		if (p->plates[b].inner < up)
			p->plates[b].inner = up;
	p->levels = up > p->levels ? up : p->levels;
}

static void add_chip(struct plan *p, int node, int plate)
{
	GROW(p->chips, p->n_chips, p->cap_chips);
	p->chips[p->n_chips] = (struct chip){ .node = node, .plate = plate };
	if (node >= 0)
		p->chip_of[node] = p->n_chips;
	p->n_chips++;
}

static void plan_unit(struct plan *p, const struct unit *u, int plate)
{
	int inside;

	if (u->group < 0) {
		add_chip(p, u->first, plate);
		return;
	}
	inside = open_plate(p, u->group, 1, plate);
	plan_level(p, u->group, u->first, u->n, inside);
	close_plate(p, inside);
}

static void plan_fold(struct plan *p, const struct unit *units, int len, int count, int plate)
{
	int first = units[0].first, span = units[len - 1].first + units[len - 1].n - first, inside;

	if (count == 1) {
		plan_unit(p, units, plate);
		return;
	}
	inside = open_plate(p, len == 1 ? units[0].group : -1, count, plate);
	if (len == 1 && units[0].group >= 0)
		plan_level(p, units[0].group, first, units[0].n, inside);
	for (int k = 0; k < len && (len > 1 || units[0].group < 0); k++)
		plan_unit(p, &units[k], inside);
	close_plate(p, inside);
	for (int i = first + span; i < first + count * span; i++)
		p->chip_of[i] = p->chip_of[i - span];
}

/* The instance directly below `group` that node i belongs to, or -1 if it is a layer of that level. */
static int below(const struct graph *g, int i, int group)
{
	int b = g->nodes[i].group;

	if (b == group)
		return -1;
	while (g->groups[b].parent != group)
		b = g->groups[b].parent;
	return b;
}

static void plan_level(struct plan *p, int group, int first, int n, int plate)
{
	struct unit *units = mem_new((size_t)n * sizeof *units);
	int n_units = 0;

	for (int i = first; i < first + n; i += units[n_units - 1].n) {
		int b = below(p->g, i, group);

		units[n_units++] = (struct unit){ i, b < 0 ? 1 : p->g->groups[b].n, b };
	}
	for (int u = 0; u < n_units;) {
		int count = 1, len = p->unfold ? 1 : best_fold(p->g, units + u, n_units - u, &count);

		if (count == 1)
			len = 1;
		plan_fold(p, units + u, len, count, plate);
		u += len * count;
	}
	mem_free(units);
}

/* ---- connections ---------------------------------------------------------------------------------------- */

static int source_chip(const struct plan *p, struct edge e)
{
	return e.node < 0 ? -1 - e.node : p->chip_of[e.node];
}

static void add_bar(struct plan *p, int from, int to)
{
	int nth = 0;

	for (int i = p->n_bars - 1; i >= 0 && p->bars[i].to == to; i--, nth++)
		if (p->bars[i].from == from)
			return;
	GROW(p->bars, p->n_bars, p->cap_bars);
	p->bars[p->n_bars++] = (struct bar){ .from = from, .to = to, .nth = nth };
}

static int by_span(const void *a, const void *b)
{
	const struct bar *x = a, *y = b;
	int d = (x->to - x->from) - (y->to - y->from);

	return d ? d : x->to != y->to ? x->to - y->to : x->from - y->from;
}

/* Lowest track on which no bar lies over the same chips; short ones first, so they stand below long ones. */
static void place_bars(struct plan *p)
{
	if (p->n_bars)
		qsort(p->bars, (size_t)p->n_bars, sizeof *p->bars, by_span);
	for (int i = 0; i < p->n_bars; i++) {
		struct bar *b = &p->bars[i];

		for (int k = 0; k < i; k++) {
			const struct bar *o = &p->bars[k];

			if (o->from < b->to && b->from < o->to && o->track >= b->track)
				b->track = o->track + 1;
		}
		p->tracks = b->track + 1 > p->tracks ? b->track + 1 : p->tracks;
	}
}

static void connect(struct plan *p)
{
	for (int c = 0; c < p->n_chips; c++) {
		struct chip *chip = &p->chips[c];
		const struct node *n = chip->node < 0 ? NULL : &p->g->nodes[chip->node];

		chip->apart = c > 0;
		for (int i = 0; n && i < n->n_in; i++) {
			int from = source_chip(p, n->in[i]);

			if (from == c - 1)
				chip->apart = false;
			else if (from < c)
				add_bar(p, from, c);
		}
	}
	place_bars(p);
}

static void plan_graph(struct plan *p, const struct graph *g, bool unfold)
{
	*p = (struct plan){ .g = g, .unfold = unfold };
	p->chip_of = mem_new((size_t)(g->n_nodes ? g->n_nodes : 1) * sizeof *p->chip_of);
	for (int i = 0; i < g->n_inputs; i++)
		add_chip(p, -1 - i, -1);
	if (g->n_nodes)
		plan_level(p, -1, 0, g->n_nodes, -1);
	connect(p);
}

static void plan_release(struct plan *p)
{
	mem_free(p->chips);
	mem_free(p->plates);
	mem_free(p->bars);
	mem_free(p->chip_of);
}

/* ---- places --------------------------------------------------------------------------------------------- */

struct metric { /* of a size of chart, in pixels */
	double chip, input, gap;
	double low;   /* height of a chip with 16 elements; the highest is twice that */
	double pad;   /* of a plate */
	double label; /* room for a plate's label */
	double text;  /* room for the sizes below the chips */
	double track; /* distance of connection bars */
	double font, small_font, line;
};

static const struct metric metrics[SNAC_SIZE_COUNT] = {
	[SNAC_SMALL] = { 8, 3, 3, 12, 1.5, 7, 0, 2.5, 0, 6.5, 0.8 },
	[SNAC_MEDIUM] = { 15, 5, 5, 17, 2.5, 9, 0, 4, 8, 7.5, 1.2 },
	[SNAC_LARGE] = { 32, 8, 9, 34, 5, 13, 21, 6, 13, 8.5, 1.4 },
};

struct layout {
	struct plan p;
	struct metric m;
	enum snac_size size;
	bool silent;
	struct canvas *c;
	double largest, width, height, axis; /* axis: y of the chips' centres */
	double tallest;                      /* chip */
	double top;                          /* of the outermost plate */
};

static const struct shape *chip_shape(const struct plan *p, const struct chip *c)
{
	return c->node < 0 ? &p->g->inputs[-1 - c->node].shape : &p->g->nodes[c->node].out[0];
}

double snac_largest(const struct graph *g)
{
	double most = 0;

	for (int i = 0; i < g->n_inputs; i++)
		most = fmax(most, (double)shape_count(&g->inputs[i].shape));
	for (int i = 0; i < g->n_nodes; i++)
		most = fmax(most, (double)shape_count(&g->nodes[i].out[0]));
	return most;
}

/* h = low (1 + (t^.15 - 16^.15) / (T^.15 - 16^.15)): from low to 2 low. */
static double chip_height(const struct layout *l, double elements)
{
	double least = pow(16, 0.15), span = pow(fmax(l->largest, 16), 0.15) - least;
	double share = span > 0 ? (pow(fmax(elements, 16), 0.15) - least) / span : 0;

	return l->m.low * (1 + fmin(share, 1));
}

static bool labelled(const struct layout *l)
{
	for (int i = 0; i < l->p.n_plates; i++)
		if (l->size != SNAC_SMALL || l->p.plates[i].count > 1)
			return true;
	return false;
}

/* Room that opens before (and closes after) a chip for the plates that begin (end) there. */
static double plate_room(const struct layout *l, int chip, bool end)
{
	double room = 0;

	for (int b = l->p.chips[chip].plate; b >= 0; b = l->p.plates[b].parent)
		if ((end ? l->p.plates[b].last : l->p.plates[b].first) == chip)
			room += l->m.pad;
	return room;
}

static void place_chips(struct layout *l)
{
	double x = 1.5;

	for (int i = 0; i < l->p.n_chips; i++) {
		struct chip *c = &l->p.chips[i];

		x += c->apart ? l->m.gap : 0;
		x += plate_room(l, i, false);
		c->x = x;
		c->w = c->node < 0 ? l->m.input : l->m.chip;
		c->h = chip_height(l, (double)shape_count(chip_shape(&l->p, c)));
		l->tallest = fmax(l->tallest, c->h);
		x += c->w + plate_room(l, i, true);
	}
	l->width = x + 1.5;
}

static double level_height(const struct layout *l, int level)
{
	return l->m.pad + (level + 1) * (l->m.pad + l->m.label);
}

/* Narrower chips first; where that is not enough, narrower gaps, too. Heights keep their scale. */
static void squeeze(struct layout *l, double width)
{
	static const double least[SNAC_SIZE_COUNT] = { 2, 4, 25 };
	int layers = l->p.n_chips - l->p.g->n_inputs;
	double rest = l->width - layers * l->m.chip, share;

	l->m.chip = fmax((width - rest) / (layers ? layers : 1), least[l->size]);
	share = (width - layers * l->m.chip) / rest;
	if (share < 1 && l->size != SNAC_LARGE) {
		l->m.gap *= fmax(share, 0.2);
		l->m.pad *= fmax(share, 0.2);
		l->m.input *= fmax(share, 0.2);
	}
	l->tallest = 0;
	place_chips(l);
}

static void place(struct layout *l, double width)
{
	place_chips(l);
	if (width > 0 && l->width > width)
		squeeze(l, width);
	if (!labelled(l))
		l->m.label = 0;
	if (l->p.tracks > 12)
		l->m.track = fmax(12 * l->m.track / l->p.tracks, 1);
	l->top = 1.5 + (l->p.tracks ? 2 + l->p.tracks * l->m.track : 0);
	l->axis = l->top + (l->p.levels ? (l->p.levels) * l->m.pad : 0) + l->tallest / 2;
	l->height = l->axis + l->tallest / 2 + l->m.text +
		    (l->p.levels ? level_height(l, l->p.levels - 1) - l->m.pad : 0) + 1.5;
}

/* ---- what is written on chips --------------------------------------------------------------------------- */

/* Glyphs in a box of 1000 x 1000, y downward. Kinds without one show their symbol. */
static const char *const glyphs[LAYER_KIND_COUNT] = {
	[LAYER_relu] = "M0 500L500 500L1000 50",
	[LAYER_relu6] = "M0 800L330 800L670 200L1000 200",
	[LAYER_leaky_relu] = "M0 800L500 560L1000 50",
	[LAYER_elu] = "M0 820C250 820 400 700 500 560L1000 50",
	[LAYER_sigmoid] = "M0 850L150 850C500 850 500 150 850 150L1000 150",
	[LAYER_tanh] = "M0 950L250 950C500 950 500 50 750 50L1000 50M0 500L1000 500",
};

static void draw_glyph(struct canvas *c, const char *glyph, double x, double y, double size, double width)
{
	double v[6];

	canvas_path(c, INK_NONE, (struct pen){ INK_CHIP_TEXT, width, DASH_NONE });
	while (*glyph) {
		char verb = *glyph++;
		int n = verb == 'C' ? 6 : 2;
		char *end;

		for (int i = 0; i < n; i++) {
			v[i] = (i % 2 ? y : x) + strtod(glyph, &end) / 1000 * size;
			glyph = end;
		}
		if (verb == 'M')
			path_move(c, v[0], v[1]);
		else if (verb == 'L')
			path_line(c, v[0], v[1]);
		else
			path_curve(c, v[0], v[1], v[2], v[3], v[4], v[5]);
	}
}

/* The symbol or glyph of a kind, centred in a chip. */
static void draw_symbol(struct canvas *c, enum layer_kind kind, double cx, double cy, double font, double line)
{
	struct font f = { font, ANCHOR_MIDDLE, true, true, INK_CHIP_TEXT };
	double size = font * 1.05;

	if (glyphs[kind])
		draw_glyph(c, glyphs[kind], cx - size / 2, cy - size / 2, size, line);
	else
		canvas_text(c, cx, cy + font * 0.35, f, layer_classes[kind]->symbol);
}

static void window_text(char out[2][24], const struct opt_pair *size, const struct opt_pair *stride, int line)
{
	char *s = out[line];

	snprintf(s, 24, "%d" TIMES "%d", size->v[0], size->v[1]);
	if (stride->v[0] != 1 || stride->v[1] != 1)
		snprintf(s + strlen(s), 24 - strlen(s), "/%d", stride->v[0]);
}

static void conv2d_text(char out[2][24], const struct node *n)
{
	const struct conv2d *k = n->cfg;

	snprintf(out[0], 24, "%d", k->filters);
	window_text(out, &k->kernel, &k->stride, 1);
}

static void conv1d_text(char out[2][24], const struct node *n)
{
	const struct conv1d *k = n->cfg;

	snprintf(out[0], 24, "%d", k->filters);
	snprintf(out[1], 24, k->stride > 1 ? "%d/%d" : "%d", k->kernel, k->stride);
}

static void depthwise_text(char out[2][24], const struct node *n)
{
	const struct depthwise2d *k = n->cfg;

	snprintf(out[0], 24, "%d", n->out[0].d[0]);
	window_text(out, &k->kernel, &k->stride, 1);
}

static void dense_text(char out[2][24], const struct node *n)
{
	snprintf(out[0], 24, "%d", ((const struct dense *)n->cfg)->units);
}

static void pool2d_text(char out[2][24], const struct node *n)
{
	static const struct opt_pair plain = { { 1, 1 } };
	const struct pool2d *k = n->cfg;

	window_text(out, &k->size, memcmp(&k->stride, &k->size, sizeof k->size) ? &k->stride : &plain, 0);
	if (k->stride.v[0] == 1 && k->size.v[0] > 1)
		snprintf(out[1], 24, "/1");
}

static void pool1d_text(char out[2][24], const struct node *n)
{
	snprintf(out[0], 24, "%d", ((const struct pool1d *)n->cfg)->size);
}

static void dropout_text(char out[2][24], const struct node *n)
{
	snprintf(out[0], 24, "%.2g", ((const struct dropout *)n->cfg)->rate);
}

static void groupnorm_text(char out[2][24], const struct node *n)
{
	snprintf(out[0], 24, "%d", ((const struct groupnorm *)n->cfg)->groups);
}

static void embedding_text(char out[2][24], const struct node *n)
{
	snprintf(out[0], 24, "%d", ((const struct embedding *)n->cfg)->features);
}

static void recurrent_text(char out[2][24], const struct node *n)
{
	const struct rnn *k = n->cfg;

	snprintf(out[0], 24, "%d", k->units);
	snprintf(out[1], 24, "%s", k->bidirectional ? "bi" : "");
}

static void upsample_text(char out[2][24], const struct node *n)
{
	snprintf(out[0], 24, TIMES "%d", ((const struct upsample2d *)n->cfg)->factor.v[0]);
}

/* Two short lines below a large chip: how wide, which window. */
static void (*const size_texts[LAYER_KIND_COUNT])(char out[2][24], const struct node *n) = {
	[LAYER_conv1d] = conv1d_text,       [LAYER_conv2d] = conv2d_text,       [LAYER_depthwise2d] = depthwise_text,
	[LAYER_dense] = dense_text,         [LAYER_maxpool1d] = pool1d_text,    [LAYER_avgpool1d] = pool1d_text,
	[LAYER_maxpool2d] = pool2d_text,    [LAYER_avgpool2d] = pool2d_text,    [LAYER_dropout] = dropout_text,
	[LAYER_groupnorm] = groupnorm_text, [LAYER_embedding] = embedding_text, [LAYER_rnn] = recurrent_text,
	[LAYER_gru] = recurrent_text,       [LAYER_lstm] = recurrent_text,      [LAYER_upsample2d] = upsample_text,
};

static void chip_title(struct str *out, const struct plan *p, const struct chip *c)
{
	char shape[48], params[32], macs[32];
	const struct shape *s = chip_shape(p, c);
	const struct node *n;

	if (c->node < 0) {
		str_addf(out, "input %s\n%s %s", p->g->inputs[-1 - c->node].name, tensor_type_names[s->type],
			 shape_text(shape, s));
		return;
	}
	n = &p->g->nodes[c->node];
	str_addf(out, "%s\n", n->id);
	node_summary(out, p->g, c->node);
	str_addf(out, "\noutput %s", shape_text(shape, s));
	if (n->params)
		str_addf(out, "\n%s parameters", str_thousands(params, n->params));
	if (n->macs)
		str_addf(out, "\n%s multiply-adds", str_thousands(macs, n->macs));
	for (int b = c->plate; b >= 0; b = p->plates[b].parent)
		if (p->plates[b].group >= 0)
			str_addf(out, "\nin %s", p->g->groups[p->plates[b].group].id);
}

/* ---- drawing -------------------------------------------------------------------------------------------- */

static void draw_input(struct layout *l, const struct chip *c, double y)
{
	struct item *r = canvas_rect(l->c, c->x, y, c->w, c->h, INK_PAPER);

	rect_round(r, fmin(2, c->w / 3));
	rect_frame(r, (struct pen){ INK_MUTED, l->size == SNAC_SMALL ? 0.7 : 1, DASH_NONE });
}

static void draw_sizes(struct layout *l, const struct chip *c, const struct node *n)
{
	struct font f = { l->m.small_font, ANCHOR_MIDDLE, false, false, INK_MUTED };
	char text[2][24] = { "", "" };
	double y = l->axis + l->tallest / 2;

	if (l->m.text <= 0 || !size_texts[n->kind])
		return;
	size_texts[n->kind](text, n);
	for (int k = 0; k < 2; k++)
		canvas_text(l->c, c->x + c->w / 2, y + 9.5 + 9.5 * k, f,
			    text_fit(l->c, text[k], &f, c->w + (text[1][0] ? 0 : 8)));
}

static void draw_layer(struct layout *l, const struct chip *c, double y)
{
	const struct node *n = &l->p.g->nodes[c->node];
	enum layer_family family = layer_classes[n->kind]->family;
	double edge = l->size == SNAC_SMALL ? 0.5 : 0.8;
	struct item *r = canvas_rect(l->c, c->x, y, c->w, c->h, INK_FAMILY + family);

	rect_round(r, fmin(2, c->w / 3));
	rect_frame(r, (struct pen){ INK_CHIP_EDGE, edge, DASH_NONE });
	if (family == FAMILY_DROPOUT)
		r->side[1] = (struct pen){ INK_CHIP_EDGE, l->size == SNAC_SMALL ? 1.2 : 2, DASH_DOTTED };
	if (n->frozen)
		r->side[2] = (struct pen){ INK_CHIP_EDGE, l->size == SNAC_SMALL ? 1.5 : 3, DASH_NONE };
	if (l->m.font > 0 && c->w >= 9)
		draw_symbol(l->c, n->kind, c->x + c->w / 2, l->axis, l->m.font, l->m.line);
	draw_sizes(l, c, n);
}

static void draw_chip(struct layout *l, const struct chip *c)
{
	struct str title = { 0 };
	char key[16];
	double y = l->axis - c->h / 2;

	if (!l->silent)
		chip_title(&title, &l->p, c);
	snprintf(key, sizeof key, "%d", c->node);
	canvas_open(l->c, "chip", key, title.len ? title.s : NULL);
	if (c->node < 0)
		draw_input(l, c, y);
	else
		draw_layer(l, c, y);
	canvas_close(l->c);
	str_release(&title);
}

static const char *plate_name(const struct layout *l, const struct plate *b, const struct font *f, double width)
{
	static char text[GRAPH_ID_MAX + 24];
	const char *name = b->group >= 0 ? l->p.g->groups[b->group].block : "";

	snprintf(text, sizeof text, b->count > 1 ? "%s%s" TIMES "%d" : "%s", name, *name ? " " : "", b->count);
	if (l->size != SNAC_SMALL && text_width(text, f) <= width)
		return text;
	if (b->count == 1)
		return l->size == SNAC_SMALL ? "" : text_fit(l->c, name, f, width);
	snprintf(text, sizeof text, TIMES "%d", b->count);
	return text;
}

static void plate_title(struct str *out, const struct layout *l, const struct plate *b)
{
	const struct group *g = b->group >= 0 ? &l->p.g->groups[b->group] : NULL;

	if (g)
		str_addf(out, "%s %s", g->block, strcmp(g->args, "{}") ? g->args : "");
	else
		str_add(out, "repeated layers");
	if (b->count > 1)
		str_addf(out, "\n%d copies in a row", b->count);
}

static double plates_right(const struct layout *l, int i)
{
	const struct plate *b = &l->p.plates[i];
	const struct chip *c = &l->p.chips[b->last];
	double x = c->x + c->w;

	for (int k = c->plate; k != b->parent; k = l->p.plates[k].parent)
		x += l->p.plates[k].last == b->last ? l->m.pad : 0;
	return x;
}

static double plates_left(const struct layout *l, int i)
{
	const struct plate *b = &l->p.plates[i];
	const struct chip *c = &l->p.chips[b->first];
	double x = c->x;

	for (int k = c->plate; k != b->parent; k = l->p.plates[k].parent)
		x -= l->p.plates[k].first == b->first ? l->m.pad : 0;
	return x;
}

static void draw_plate(struct layout *l, int i)
{
	const struct plate *b = &l->p.plates[i];
	struct font f = { l->m.small_font, ANCHOR_START, b->count > 1, false, b->count > 1 ? INK_TEXT : INK_MUTED };
	double inset = l->size == SNAC_SMALL ? 0.5 : 1.2, x = plates_left(l, i) + inset,
	       w = plates_right(l, i) - inset - x;
	double y = l->axis - l->tallest / 2 - (b->inner + 1) * l->m.pad + inset;
	double bottom = l->axis + l->tallest / 2 + l->m.text + level_height(l, b->inner) - l->m.pad - inset;
	struct str title = { 0 };
	struct item *r;

	if (!l->silent)
		plate_title(&title, l, b);
	canvas_open(l->c, "plate", NULL, title.len ? title.s : NULL);
	r = canvas_rect(l->c, x, y, w, bottom - y, INK_GRID);
	rect_round(r, fmin(l->m.pad, 3));
	r->opacity = 0.55;
	r = canvas_rect(l->c, x, y, w, bottom - y, INK_NONE);
	rect_round(r, fmin(l->m.pad, 3));
	if (b->count > 1)
		rect_frame(r, (struct pen){ INK_MUTED, l->size == SNAC_SMALL ? 0.8 : 1.2, DASH_DOTTED });
	canvas_text(l->c, x + fmin(l->m.pad, 2), bottom - l->m.label * 0.27, f,
		    plate_name(l, b, &f, w - 2 * fmin(l->m.pad, 2)));
	canvas_close(l->c);
	str_release(&title);
}

static void draw_bar(struct layout *l, const struct bar *b)
{
	const struct chip *s = &l->p.chips[b->from], *t = &l->p.chips[b->to];
	double width = l->size == SNAC_SMALL ? 0.8 : l->size == SNAC_MEDIUM ? 1 : 1.3, tip = 2.2 * width;
	struct pen pen = { INK_MUTED, width, DASH_NONE };
	double x0 = s->x + s->w / 2, x1 = t->x + t->w / 2 + (b->nth % 3 - (b->nth ? 1 : 0)) * t->w / 4;
	double y0 = s->h / -2 + l->axis, y1 = t->h / -2 + l->axis, y = l->top - 2 - b->track * l->m.track;
	double r = fmin(fmin(l->m.track, 5), (x1 - x0) / 2);

	canvas_path(l->c, INK_NONE, pen);
	path_move(l->c, x0, y0);
	path_line(l->c, x0, y + r);
	path_curve(l->c, x0, y + r / 2, x0 + r / 2, y, x0 + r, y);
	path_line(l->c, x1 - r, y);
	path_curve(l->c, x1 - r / 2, y, x1, y + r / 2, x1, y + r);
	path_line(l->c, x1, y1 - tip);
	canvas_path(l->c, INK_MUTED, (struct pen){ INK_NONE, 0, DASH_NONE });
	path_move(l->c, x1 - tip, y1 - 1.6 * tip);
	path_line(l->c, x1 + tip, y1 - 1.6 * tip);
	path_line(l->c, x1, y1);
	path_close(l->c);
}

struct canvas *snac_draw(const struct graph *g, const struct snac_style *style, struct arena *a)
{
	struct layout l = { .size = style->size, .silent = style->silent, .m = metrics[style->size] };
	struct canvas *c;

	l.largest = style->largest > 0 ? style->largest : snac_largest(g);
	plan_graph(&l.p, g, style->unfold);
	place(&l, style->width);
	c = l.c = canvas_new(a, ceil(l.width), ceil(l.height));
	for (int i = 0; i < l.p.n_plates; i++)
		draw_plate(&l, i);
	for (int i = 0; i < l.p.n_bars; i++)
		draw_bar(&l, &l.p.bars[i]);
	for (int i = 0; i < l.p.n_chips; i++)
		draw_chip(&l, &l.p.chips[i]);
	plan_release(&l.p);
	return c;
}

/* ---- legend --------------------------------------------------------------------------------------------- */

void snac_kinds(const struct graph *g, bool used[LAYER_KIND_COUNT])
{
	if (!g)
		for (int k = 0; k < LAYER_KIND_COUNT; k++)
			used[k] = true;
	for (int i = 0; g && i < g->n_nodes; i++)
		used[g->nodes[i].kind] = true;
}

static const struct font legend_font = { 11, ANCHOR_START, false, false, INK_TEXT };

enum { LEGEND_CHIP = 18, LEGEND_LINE = 24 };

static double legend_width(int kind)
{
	return LEGEND_CHIP + 6 + text_width(layer_classes[kind]->name, &legend_font) * 1.1 + 16;
}

static void legend_item(struct canvas *c, int kind, double x, double y)
{
	const struct layer_class *k = layer_classes[kind];
	struct item *r;

	canvas_open(c, "chip", NULL, k->help);
	r = canvas_rect(c, x, y, LEGEND_CHIP, LEGEND_CHIP, INK_FAMILY + k->family);
	rect_round(r, 2);
	rect_frame(r, (struct pen){ INK_CHIP_EDGE, 0.8, DASH_NONE });
	if (k->family == FAMILY_DROPOUT)
		r->side[1] = (struct pen){ INK_CHIP_EDGE, 2, DASH_DOTTED };
	draw_symbol(c, (enum layer_kind)kind, x + LEGEND_CHIP / 2.0, y + LEGEND_CHIP / 2.0, 9, 1.2);
	canvas_text(c, x + LEGEND_CHIP + 6, y + 13, legend_font, k->name);
	canvas_close(c);
}

/* Places the items; draws them if c is not NULL. Returns the number of lines. */
static int legend_lines(struct canvas *c, const bool used[LAYER_KIND_COUNT], double width)
{
	double x = 1;
	int line = 0;

	for (int f = 0; f < FAMILY_COUNT; f++)
		for (int k = 0; k < LAYER_KIND_COUNT; k++) {
			if (!used[k] || (int)layer_classes[k]->family != f)
				continue;
			if (x > 1 && x + legend_width(k) > width) {
				x = 1;
				line++;
			}
			if (c)
				legend_item(c, k, x, 2 + line * LEGEND_LINE);
			x += legend_width(k);
		}
	return line + 1;
}

struct canvas *snac_legend(const bool used[LAYER_KIND_COUNT], double width, struct arena *a)
{
	struct canvas *c = canvas_new(a, width, legend_lines(NULL, used, width) * LEGEND_LINE);

	legend_lines(c, used, width);
	return c;
}

/* ---- terminal ------------------------------------------------------------------------------------------- */

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

static void line_chip(struct line *w, const struct plan *p, int i)
{
	const struct chip *c = &p->chips[i];
	const struct layer_class *k = layer_classes[p->g->nodes[c->node].kind];
	bool opened = false;
	char text[16];

	for (int b = 0; b < p->n_plates; b++)
		if (p->plates[b].count > 1 && p->plates[b].first == i) {
			add_word(w, "[", -1, opened);
			opened = true;
		}
	add_word(w, k->symbol, (int)k->family, opened);
	for (int b = p->n_plates - 1; b >= 0; b--)
		if (p->plates[b].count > 1 && p->plates[b].last == i) {
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
