/* report/packed.c - canvases for a script to replay: a tenth of the size of SVG. See canvas.h. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/canvas.h"

enum look_tag { LOOK_RECT, LOOK_PATH, LOOK_DISC, LOOK_TEXT, LOOK_TAG_COUNT };

struct look {
	enum look_tag tag;
	enum ink fill;
	struct pen pen;
	double opacity, size; /* size: radius of corners, size of the font */
	enum anchor anchor;
	bool bold;
};

enum { MOST_LOOKS = 256 };

struct packer {
	struct arena *a;
	struct look look[MOST_LOOKS];
	int n;
};

struct packer *packer_new(struct arena *a)
{
	struct packer *p = ARENA_NEW(a, struct packer);

	p->a = a;
	return p;
}

static bool same_look(const struct look *x, const struct look *y)
{
	return x->tag == y->tag && x->fill == y->fill && x->pen.ink == y->pen.ink && x->pen.width == y->pen.width &&
	       x->pen.dash == y->pen.dash && x->opacity == y->opacity && x->size == y->size && x->anchor == y->anchor &&
	       x->bold == y->bold;
}

/* The number of this look; when there are too many, that of the last one. */
static int look_of(struct packer *p, struct look k)
{
	int i = 0;

	if (k.pen.ink == INK_NONE)
		k.pen = (struct pen){ 0 };
	while (i < p->n && !same_look(&p->look[i], &k))
		i++;
	if (i == MOST_LOOKS)
		return i - 1;
	if (i == p->n)
		p->look[p->n++] = k;
	return i;
}

/* ---- numbers --------------------------------------------------------------------------------------------- */

/* Printable characters that need no escape in JSON or a page: 90 of them. The first 64 stand for themselves, the next
 * 25 are the high part of a number of two characters, the last one announces four that make any number. */
static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
			     " !#$%'()*,-.:;=>?@[]^_`{|}~";

enum { BASE = 91, SHORT = 64, LONG = 26 };
static_assert(sizeof digits - 1 == BASE, "a character for each digit");

static void put_number(struct str *out, unsigned v)
{
	if (v < SHORT) {
		str_addc(out, digits[v]);
	} else if (v < SHORT + LONG * BASE) {
		str_addc(out, digits[SHORT + (v - SHORT) / BASE]);
		str_addc(out, digits[(v - SHORT) % BASE]);
	} else {
		str_addc(out, digits[BASE - 1]);
		for (unsigned k = BASE * BASE * BASE; k; k /= BASE)
			str_addc(out, digits[v / k % BASE]);
	}
}

struct pencil { /* where it is, in quarters of a pixel */
	struct packer *p;
	struct str *out;
	long x, y;
};

static void put_length(struct pencil *w, double v)
{
	long n = lround(4 * v);

	put_number(w->out, n < 0 ? (unsigned)(-2 * n - 1) : (unsigned)(2 * n));
}

static void move(struct pencil *w, double x, double y)
{
	long nx = lround(4 * x), ny = lround(4 * y);

	put_length(w, (double)(nx - w->x) / 4);
	put_length(w, (double)(ny - w->y) / 4);
	w->x = nx;
	w->y = ny;
}

/* ---- items ----------------------------------------------------------------------------------------------- */

enum path_op { OP_END, OP_MOVE, OP_LINE, OP_CURVE, OP_CLOSE, OP_RECT };

static void put_look(struct pencil *w, struct look k)
{
	put_number(w->out, (unsigned)look_of(w->p, k) + 1); /* 0: the end */
}

/* Corners of different radii are drawn with the largest: at this size nobody sees it. */
static void rect(struct pencil *w, const struct item *i)
{
	double x1 = i->x + i->w, y1 = i->y + i->h;
	double sides[4][4] = {
		{ i->x, i->y, x1, i->y }, { x1, i->y, x1, y1 }, { i->x, y1, x1, y1 }, { i->x, i->y, i->x, y1 }
	};
	struct look k = { .tag = LOOK_RECT, .fill = i->fill, .opacity = i->opacity };
	bool uniform = true;

	for (int c = 0; c < 4; c++) {
		k.size = fmax(k.size, i->radius[c]);
		uniform = uniform && i->side[c].ink == i->side[0].ink && i->side[c].width == i->side[0].width &&
			  i->side[c].dash == i->side[0].dash;
	}
	if (uniform)
		k.pen = i->side[0];
	if (k.fill != INK_NONE || k.pen.ink != INK_NONE) {
		put_look(w, k);
		move(w, i->x, i->y);
		put_length(w, i->w);
		put_length(w, i->h);
	}
	for (int c = 0; c < 4 && !uniform; c++) {
		if (i->side[c].ink == INK_NONE)
			continue;
		put_look(w, (struct look){ .tag = LOOK_PATH, .pen = i->side[c], .opacity = 1 });
		put_number(w->out, OP_MOVE);
		move(w, sides[c][0], sides[c][1]);
		put_number(w->out, OP_LINE);
		move(w, sides[c][2], sides[c][3]);
		put_number(w->out, OP_END);
	}
}

/* Verbs v.. draw a rectangle that starts at its top left corner and is closed: how charts draw many chips at once. */
static bool is_rect(const struct item *i, int v, const struct point *q)
{
	static const enum verb verbs[] = { VERB_MOVE, VERB_LINE, VERB_LINE, VERB_LINE, VERB_CLOSE };

	for (int k = 0; k < 5; k++)
		if (v + k >= i->n_verbs || i->verb[v + k] != verbs[k])
			return false;
	return q[1].y == q[0].y && q[2].x == q[1].x && q[3].y == q[2].y && q[3].x == q[0].x;
}

static void path(struct pencil *w, const struct item *i)
{
	static const enum path_op ops[] = { OP_MOVE, OP_LINE, OP_CURVE, OP_CLOSE };
	static const int points[] = { 1, 1, 3, 0 };
	const struct point *q = i->point;

	put_look(w, (struct look){ .tag = LOOK_PATH, .fill = i->fill, .pen = i->pen, .opacity = i->opacity });
	for (int v = 0; v < i->n_verbs; v++) {
		if (is_rect(i, v, q)) {
			put_number(w->out, OP_RECT);
			move(w, q[0].x, q[0].y);
			put_length(w, q[1].x - q[0].x);
			put_length(w, q[2].y - q[1].y);
			q += 4;
			v += 4;
			continue;
		}
		put_number(w->out, ops[i->verb[v]]);
		for (int j = 0; j < points[i->verb[v]]; j++, q++)
			move(w, q->x, q->y);
	}
	put_number(w->out, OP_END);
}

static void text(struct pencil *w, const struct item *i)
{
	struct look k = { .tag = LOOK_TEXT, .fill = i->font.ink, .opacity = 1, .size = i->font.size };
	struct str quoted = { 0 };

	k.anchor = i->font.anchor;
	k.bold = i->font.bold;
	put_look(w, k);
	move(w, i->x, i->y);
	json_quote(&quoted, i->text);
	str_addf(w->out, "%.*s\\n", (int)quoted.len - 2, str_get(&quoted) + 1);
	str_release(&quoted);
}

void packer_add(struct packer *p, struct str *out, const struct canvas *c)
{
	struct pencil w = { p, out, 0, 0 };
	int n;
	const struct item *items = canvas_items(c, &n);

	str_addc(out, '"');
	put_length(&w, ceil(canvas_width(c)));
	put_length(&w, ceil(canvas_height(c)));
	for (int i = 0; i < n; i++) {
		const struct item *t = &items[i];

		if (t->type == ITEM_RECT) {
			rect(&w, t);
		} else if (t->type == ITEM_PATH) {
			path(&w, t);
		} else if (t->type == ITEM_DISC) {
			put_look(&w, (struct look){
					 .tag = LOOK_DISC, .fill = t->fill, .pen = t->pen, .opacity = t->opacity });
			move(&w, t->x, t->y);
			put_length(&w, t->w);
		} else if (t->type == ITEM_TEXT) {
			text(&w, t);
		}
	}
	str_addc(out, '"');
}

/* ---- looks ----------------------------------------------------------------------------------------------- */

static void dashes(struct str *out, const struct pen *p)
{
	char a[32], b[32];

	if (p->dash == DASH_NONE)
		str_add(out, "\"\"");
	else if (p->dash == DASH_DOTTED)
		str_addf(out, "\"0.01 %s\"", str_real(a, 2 * p->width));
	else
		str_addf(out, "\"%s %s\"", str_real(a, 3 * p->width), str_real(b, 2 * p->width));
}

void packer_looks(struct str *out, const struct packer *p)
{
	static const char *const tags[LOOK_TAG_COUNT] = { "rect", "path", "circle", "text" };
	static const char *const anchors[] = { "start", "middle", "end" };
	char a[32], b[32], c[32];

	str_addc(out, '[');
	for (int i = 0; i < p->n; i++) {
		const struct look *k = &p->look[i];

		str_addf(out, "%s[\"%s\",\"%s\",\"%s\",%s,", i ? "," : "", tags[k->tag],
			 k->fill != INK_NONE ? inks[k->fill].name : "",
			 k->pen.ink != INK_NONE ? inks[k->pen.ink].name : "", str_real(a, k->pen.width));
		dashes(out, &k->pen);
		str_addf(out, ",%s,%s,\"%s\",%s]", str_real(b, k->opacity), str_real(c, k->size), anchors[k->anchor],
			 k->bold ? "true" : "false");
	}
	str_addc(out, ']');
}
