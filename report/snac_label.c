/* report/snac_label.c - see snac_label.h. */
#include "report/snac_label.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/kinds.h"
#include "base/str.h"
#include "report/canvas.h"
#include "report/snac_plan.h"

#define TIMES "\xc3\x97"

/* Glyphs in a box of 1000 x 1000, y downward. Kinds without one show their symbol. */
static const char *const glyphs[LAYER_KIND_COUNT] = {
	[LAYER_relu] = "M0 500L500 500L1000 50",
	[LAYER_relu6] = "M0 800L330 800L670 200L1000 200",
	[LAYER_leaky_relu] = "M0 800L500 560L1000 50",
	[LAYER_elu] = "M0 820C250 820 400 700 500 560L1000 50",
	[LAYER_sigmoid] = "M0 850L150 850C500 850 500 150 850 150L1000 150",
	[LAYER_tanh] = "M0 950L250 950C500 950 500 50 750 50L1000 50M0 500L1000 500",
};

static void draw_glyph(struct canvas *c, const char *glyph, double x, double y, double size, double width, enum ink ink)
{
	double v[6];

	canvas_path(c, INK_NONE, (struct pen){ ink, width, DASH_NONE });
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

void label_symbol(struct canvas *c, enum layer_kind kind, double cx, double cy, double font, double line, double room,
		  enum ink ink)
{
	struct font f = { font, ANCHOR_MIDDLE, true, true, ink };
	const char *symbol = layer_classes[kind]->symbol;
	double size = font * 1.05;

	if (font <= 0 || (glyphs[kind] ? size : text_width(symbol, &f)) > room)
		return;
	if (glyphs[kind])
		draw_glyph(c, glyphs[kind], cx - size / 2, cy - size / 2, size, line, ink);
	else
		canvas_text(c, cx, cy + font * 0.35, f, symbol);
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

bool label_sizes(char out[2][24], const struct node *n)
{
	out[0][0] = out[1][0] = 0;
	if (!size_texts[n->kind])
		return false;
	size_texts[n->kind](out, n);
	return true;
}

char *label_count(char out[16], int64_t n)
{
	static const char unit[] = "kMGTPE";
	double v = (double)n;
	int k = -1;

	for (; v >= 999.5; k++)
		v /= 1000;
	if (k < 0)
		snprintf(out, 16, "%d", (int)n);
	else
		snprintf(out, 16, v < 9.95 ? "%.1f%c" : "%.0f%c", v, unit[k]);
	return out;
}

void label_chip(struct str *out, const struct plan *p, const struct chip *c)
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

void label_plate(struct str *out, const struct plan *p, int plate)
{
	const struct plate *b = &p->plates[plate];
	const struct group *g = b->group >= 0 ? &p->g->groups[b->group] : NULL;

	if (g)
		str_addf(out, "%s %s", g->block, strcmp(g->args, "{}") ? g->args : "");
	else
		str_add(out, "repeated layers");
	if (b->count > 1)
		str_addf(out, "\n%d copies in a row", b->count);
}
