/* report/terminal.c - the canvas in the character cells of a terminal.
 *
 * A cell has two pixels, above each other, for what is filled (half blocks), and 2 x 4 dots (Braille) for lines. Texts
 * are written over both, a character a cell, and yield to texts that are already there: they move by a row or a few
 * columns, or are shortened. Pixels are not blended at edges: a colour always means what the legend says.
 * Where a fill begins or ends within a cell, it wins over a line.
 *
 * The terminal's own background shows through where there is only paper, and its own foreground writes the texts on it;
 * so both dark and light terminals are readable. Without colour fills have outlines, and cover what is below them.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "report/canvas.h"
#include "report/escape.h"
#include "report/font.h"
#include "report/outline.h"

#define CELL_WIDTH  5.5 /* canvas units that a character of the usual sizes takes */
#define CELL_HEIGHT 11
#define CELL_MOST   16 /* height where columns are few */

enum { MOST_COLUMNS = 4000, MOST_ROWS = 20000, CLEAR = -1 };

struct cell {
	int pixel[2];       /* 0xrrggbb or CLEAR: upper, lower */
	int line;           /* colour of the dots, or CLEAR: the terminal's */
	int ink;            /* of the text, or CLEAR */
	unsigned char dots; /* as in U+2800 */
	bool own;           /* the text belongs to the chip below it */
	bool edge;          /* a chip begins here: a thin line at the left */
	bool bold, taken;   /* taken: by a text, also its right half */
	unsigned text;      /* character, or 0 */
};

struct screen {
	struct cell *cell; /* [rows][columns] */
	int columns, rows;
	double cw, ch; /* canvas units of a cell */
	bool colour;
};

static struct cell *at(const struct screen *s, int column, int row)
{
	if (column < 0 || row < 0 || column >= s->columns || row >= s->rows)
		return NULL;
	return &s->cell[row * s->columns + column];
}

/* ---- fills ---------------------------------------------------------------------------------------------- */

static int mix(int over, int under, double opacity)
{
	int out = 0;

	if (over == CLEAR || opacity >= 1)
		return over;
	for (int k = 0; k < 3; k++) {
		int a = over >> (8 * k) & 255, b = under == CLEAR ? 0x80 : under >> (8 * k) & 255;

		out |= (int)lround(opacity * a + (1 - opacity) * b) << (8 * k);
	}
	return out;
}

/* What an ink is on a background that may be light or dark. */
static int colour_of(enum ink ink)
{
	switch (ink) {
	case INK_NONE:
	case INK_PAPER:
	case INK_TEXT:
		return CLEAR;
	case INK_MUTED:
		return 0x878787;
	case INK_GRID:
		return 0x767676;
	default:
		/* lines lie on the terminal's own background: between the colours for light and for dark paper */
		return ink >= INK_LINE || ink == INK_ACCENT ? mix((int)inks[ink].light, (int)inks[ink].dark, 0.5)
							    : (int)inks[ink].light;
	}
}

struct crossing {
	double x;
	int way;
};

struct scan { /* crossings of an outline with one horizontal line */
	double y, step_y;
	struct crossing *c;
	int n, cap;
};

static void cross(void *arg, struct point a, struct point b, bool closing)
{
	struct scan *k = arg;

	(void)closing;
	if ((a.y <= k->y) == (b.y <= k->y))
		return;
	GROW(k->c, k->n, k->cap);
	k->c[k->n++] = (struct crossing){ a.x + (k->y - a.y) / (b.y - a.y) * (b.x - a.x), a.y < b.y ? 1 : -1 };
}

static int by_x(const void *a, const void *b)
{
	const struct crossing *p = a, *q = b;

	return (p->x > q->x) - (p->x < q->x);
}

static void paint(struct screen *s, int column, int y, const struct item *i)
{
	struct cell *c = at(s, column, y / 2);

	if (!c)
		return;
	if (s->colour)
		c->pixel[y % 2] = mix(colour_of(i->fill), c->pixel[y % 2], i->opacity);
	/* what lies below is hidden, as far as the pixel reaches */
	if (i->opacity >= 1)
		c->dots &= y % 2 ? 0x1b : 0xe4;
}

/* Pixels whose centres are inside (non-zero winding), of one row of pixels. Returns how many. */
static int paint_row(struct screen *s, const struct item *i, struct scan *k, int y)
{
	int painted = 0, way = 0;

	if (k->n)
		qsort(k->c, (size_t)k->n, sizeof *k->c, by_x);
	for (int j = 0; j + 1 < k->n; j++) {
		way += k->c[j].way;
		if (!way)
			continue;
		int first = (int)ceil(fmax(k->c[j].x / s->cw - 0.5, 0)),
		    last = (int)ceil(fmin(k->c[j + 1].x / s->cw - 0.5, s->columns));

		for (int x = first; x < last; x++, painted++)
			paint(s, x, y, i);
	}
	return painted;
}

struct extent {
	double x0, y0, x1, y1;
};

static struct extent extent_of(const struct outline *o)
{
	struct extent e = { INFINITY, INFINITY, -INFINITY, -INFINITY };

	for (int k = 0; k < o->n_points; k++) {
		e.x0 = fmin(e.x0, o->point[k].x);
		e.y0 = fmin(e.y0, o->point[k].y);
		e.x1 = fmax(e.x1, o->point[k].x);
		e.y1 = fmax(e.y1, o->point[k].y);
	}
	return e;
}

static void fill(struct screen *s, const struct item *i, const struct outline *o)
{
	struct scan k = { 0 };
	struct extent e = extent_of(o);
	double half = s->ch / 2;
	int first = (int)fmax(floor(e.y0 / half), 0), last = (int)fmin(ceil(e.y1 / half), 2 * s->rows), painted = 0;

	for (int y = first; y < last; y++) {
		k.n = 0;
		k.y = (y + 0.5) * half;
		outline_walk(o, s->cw / 2, cross, &k);
		painted += paint_row(s, i, &k, y);
	}
	if (!painted && e.x1 > e.x0 && e.y1 > e.y0) /* nothing is too small to be seen */
		paint(s, (int)((e.x0 + e.x1) / 2 / s->cw), (int)((e.y0 + e.y1) / 2 / half), i);
	mem_free(k.c);
}

/* ---- lines ---------------------------------------------------------------------------------------------- */

struct brush {
	struct screen *s;
	const struct pen *pen;
	double way; /* along the line, in dots, for dashes */
};

static void dot(struct brush *b, double x, double y)
{
	/* bits of the dots of U+2800 by [row][column] */
	static const unsigned char bit[4][2] = { { 0x01, 0x08 }, { 0x02, 0x10 }, { 0x04, 0x20 }, { 0x40, 0x80 } };
	int dx = (int)floor(x), dy = (int)floor(y);
	struct cell *c = dx < 0 || dy < 0 ? NULL : at(b->s, dx / 2, dy / 4);

	if (!c)
		return;
	c->dots |= bit[dy % 4][dx % 2];
	c->line = colour_of(b->pen->ink);
}

static bool shown(const struct brush *b)
{
	switch (b->pen->dash) {
	case DASH_NONE:
		return true;
	case DASH_DOTTED:
		return fmod(b->way, 2) < 1;
	case DASH_DASHED:
		return fmod(b->way, 5) < 3;
	}
	return true;
}

static void stroke(void *arg, struct point a, struct point p, bool closing)
{
	struct brush *b = arg;
	/* just inside: what ends at the right or lower end of the paper is on it */
	double sx = 2 / b->s->cw, sy = 4 / b->s->ch, x0 = a.x * sx - 1e-3, y0 = a.y * sy - 1e-3, x1 = p.x * sx - 1e-3,
	       y1 = p.y * sy - 1e-3;
	double way = fmax(fabs(x1 - x0), fabs(y1 - y0));
	int n = (int)fmin(ceil(way), 100000);

	if (closing)
		return;
	for (int k = 0; k < n; k++, b->way += way / n)
		if (shown(b))
			dot(b, fmax(x0 + (x1 - x0) * k / n, 0), fmax(y0 + (y1 - y0) * k / n, 0));
	if (shown(b))
		dot(b, fmax(x1, 0), fmax(y1, 0));
}

static void draw_line(struct screen *s, const struct outline *o, const struct pen *pen)
{
	struct brush b = { s, pen, 0 };

	if (pen->ink != INK_NONE)
		outline_walk(o, s->cw / 2, stroke, &b);
}

/* Chips that touch are told apart by a thin line between them. */
static void mark_edge(struct screen *s, const struct item *i)
{
	int column = (int)ceil(i->x / s->cw - 0.5);

	for (int y = (int)ceil(2 * i->y / s->ch - 0.5); y < 2 * (i->y + i->h) / s->ch - 0.5; y++) {
		struct cell *c = at(s, column, y / 2);

		if (c)
			c->edge = true;
	}
}

static void sides(struct screen *s, const struct item *i, bool chip)
{
	for (int k = 0; k < 4; k++) {
		struct brush b = { s, &i->side[k], 0 };
		struct point ends[2];

		if (i->side[k].ink == INK_NONE || (chip && i->side[k].dash == DASH_NONE))
			continue;
		outline_side(ends, i, k);
		stroke(&b, ends[0], ends[1], false);
	}
}

static void shape(struct screen *s, const struct item *i)
{
	static const struct pen plain = { INK_TEXT, 1, DASH_NONE };
	struct outline o;
	struct pen pen = outline_pen(i);
	bool solid = i->fill != INK_NONE && i->fill != INK_PAPER;

	outline_of(&o, i);
	if (i->fill != INK_NONE)
		fill(s, i, &o);
	if (i->type == ITEM_RECT && s->colour && solid) {
		mark_edge(s, i);
		sides(s, i, true);
	} else if (i->type == ITEM_RECT && !outline_uniform(i)) {
		sides(s, i, false);
	} else if (pen.ink != INK_NONE && !(s->colour && solid)) {
		draw_line(s, &o, &pen);
	} else if (!s->colour && solid && i->opacity >= 1) {
		draw_line(s, &o, &plain);
	}
}

/* ---- texts ---------------------------------------------------------------------------------------------- */

enum { LONGEST = 512 };

struct words { /* a text cut to characters */
	unsigned c[LONGEST];
	int n, columns;
};

static void read_words(struct words *w, const char *text)
{
	w->n = w->columns = 0;
	for (unsigned u; (u = escape_char(&text)) && w->n < LONGEST;) {
		int columns = font_columns(u);

		if (!columns)
			continue;
		w->c[w->n++] = u;
		w->columns += columns;
	}
}

static bool is_free(const struct screen *s, int column, int row, int n)
{
	for (int k = -1; k <= n; k++) { /* a gap between two texts */
		const struct cell *c = at(s, column + k, row);

		if ((!c && k >= 0 && k < n) || (c && c->taken))
			return false;
	}
	return true;
}

static void write_at(struct screen *s, int column, int row, const struct words *w, const struct font *f)
{
	for (int k = 0; k < w->n; k++) {
		int columns = font_columns(w->c[k]);

		for (int j = 0; j < columns; j++, column++) {
			struct cell *c = at(s, column, row);

			c->taken = true;
			c->text = j ? 0 : w->c[k];
			c->bold = f->bold;
			c->own = f->ink == INK_CHIP_TEXT;
			c->ink = colour_of(f->ink);
			c->dots = 0;
		}
	}
}

static void shorten(struct words *w)
{
	if (w->n > 1 && w->c[w->n - 1] == 0x2026)
		w->columns -= font_columns(w->c[--w->n - 1]);
	else
		w->columns -= font_columns(w->c[w->n - 1]) - 1;
	w->c[w->n - 1] = 0x2026;
}

static int start_column(const struct screen *s, const struct item *i, int columns)
{
	double x = i->x / s->cw;
	int c = i->font.anchor == ANCHOR_START    ? (int)floor(x + 0.25)
		: i->font.anchor == ANCHOR_MIDDLE ? (int)floor(x - columns / 2.0 + 0.25)
						  : (int)floor(x + 0.25) - columns;

	return c + columns > s->columns ? s->columns - columns : c;
}

/* Where it belongs, else a row above or below, else a few columns beside. */
static bool place(struct screen *s, const struct item *i, const struct words *w)
{
	static const int moves[][2] = { { 0, 0 }, { 0, -1 }, { 0, 1 }, { -1, 0 }, { 1, 0 }, { -2, 0 }, { 2, 0 } };
	int column = (int)fmax(start_column(s, i, w->columns), 0);
	int row = (int)fmin(fmax(floor((i->y - 0.35 * i->font.size) / s->ch), 0), s->rows - 1);

	for (size_t k = 0; k < sizeof moves / sizeof *moves; k++)
		if (is_free(s, column + moves[k][0], row + moves[k][1], w->columns)) {
			write_at(s, column + moves[k][0], row + moves[k][1], w, &i->font);
			return true;
		}
	return false;
}

static void text(struct screen *s, const struct item *i)
{
	struct words w;

	read_words(&w, i->text);
	while (w.columns > s->columns && w.n > 1)
		shorten(&w);
	while (w.n && !place(s, i, &w)) {
		if (w.n <= 2) /* a letter and dots say nothing */
			return;
		shorten(&w);
	}
}

static void draw(struct screen *s, const struct item *i)
{
	switch (i->type) {
	case ITEM_RECT:
	case ITEM_PATH:
	case ITEM_DISC:
		shape(s, i);
		break;
	case ITEM_TEXT:
		text(s, i);
		break;
	case ITEM_OPEN:
	case ITEM_CLOSE:
		break;
	}
}

/* ---- output --------------------------------------------------------------------------------------------- */

/* The nearest of the 6 x 6 x 6 cube and of the 24 grays. */
static int ansi(int rgb)
{
	static const int level[6] = { 0, 95, 135, 175, 215, 255 };
	int cube = 16, off = 0, part[3], gray, gray_off = 0;

	for (int k = 0; k < 3; k++) {
		int best = 0;

		part[k] = rgb >> (16 - 8 * k) & 255;
		for (int j = 1; j < 6; j++)
			if (abs(level[j] - part[k]) < abs(level[best] - part[k]))
				best = j;
		cube += best * (k == 0 ? 36 : k == 1 ? 6 : 1);
		off += (level[best] - part[k]) * (level[best] - part[k]);
	}
	gray = ((part[0] + part[1] + part[2]) / 3 - 3) / 10;
	gray = gray < 0 ? 0 : gray > 23 ? 23 : gray;
	for (int k = 0; k < 3; k++)
		gray_off += (8 + 10 * gray - part[k]) * (8 + 10 * gray - part[k]);
	return gray_off < off ? 232 + gray : cube;
}

static bool is_light(int rgb)
{
	return 0.3 * (rgb >> 16 & 255) + 0.59 * (rgb >> 8 & 255) + 0.11 * (rgb & 255) > 110;
}

static void utf8(struct str *out, unsigned u)
{
	if (u < 0x80) {
		str_addc(out, (char)u);
		return;
	}
	if (u < 0x800) {
		str_addc(out, (char)(0xc0 | u >> 6));
	} else {
		if (u < 0x10000) {
			str_addc(out, (char)(0xe0 | u >> 12));
		} else {
			str_addc(out, (char)(0xf0 | u >> 18));
			str_addc(out, (char)(0x80 | (u >> 12 & 63)));
		}
		str_addc(out, (char)(0x80 | (u >> 6 & 63)));
	}
	str_addc(out, (char)(0x80 | (u & 63)));
}

struct look { /* what a cell shows */
	unsigned c;
	int fore, back; /* 0xrrggbb or CLEAR */
	bool bold;
};

/* The background of something written. A chip's own letters stay on its colour where it fills half of their cell;
 * other texts there stand beside it. */
static int behind(const struct cell *c)
{
	if (c->pixel[0] == CLEAR || c->pixel[1] == CLEAR)
		return !c->own ? CLEAR : c->pixel[0] == CLEAR ? c->pixel[1] : c->pixel[0];
	return c->pixel[1];
}

static struct look look_of(const struct cell *c)
{
	int back = behind(c);
	bool full = c->pixel[0] == c->pixel[1];

	if (c->text || c->taken)
		return (struct look){ c->text,
				      back == CLEAR    ? c->ink
				      : is_light(back) ? 0x1a1a1a
						       : 0xffffff,
				      back, c->bold };
	if (c->dots && full)
		return (struct look){ 0x2800 + c->dots,
				      back == CLEAR || c->line != CLEAR ? c->line
				      : is_light(back)                  ? 0x1a1a1a
									: 0xffffff,
				      back, false };
	if (full && back != CLEAR)
		return (struct look){ c->edge ? 0x258f : ' ', c->edge ? 0x3a3a3a : CLEAR, back, false };
	if (c->pixel[0] == CLEAR && c->pixel[1] != CLEAR)
		return (struct look){ 0x2584, c->pixel[1], CLEAR, false };
	if (c->pixel[0] != CLEAR)
		return (struct look){ 0x2580, c->pixel[0], c->pixel[1], false };
	return (struct look){ ' ', CLEAR, CLEAR, false };
}

static void set_look(struct str *out, const struct look *from, const struct look *to)
{
	if (from->fore == to->fore && from->back == to->back && from->bold == to->bold)
		return;
	str_add(out, "\x1b[0");
	if (to->bold)
		str_add(out, ";1");
	if (to->fore != CLEAR)
		str_addf(out, ";38;5;%d", ansi(to->fore));
	if (to->back != CLEAR)
		str_addf(out, ";48;5;%d", ansi(to->back));
	str_addc(out, 'm');
}

static void print_row(struct str *out, const struct screen *s, int row)
{
	static const struct look none = { ' ', CLEAR, CLEAR, false };
	struct look now = none;
	int n = s->columns;

	for (; n; n--) { /* nothing hangs over the end */
		struct look l = look_of(at(s, n - 1, row));

		if (l.c != ' ' || l.back != CLEAR)
			break;
	}
	for (int k = 0; k < n; k++) {
		struct look l = look_of(at(s, k, row));

		if (s->colour)
			set_look(out, &now, &l);
		if (l.c)
			utf8(out, l.c);
		now = l;
	}
	if (s->colour)
		set_look(out, &now, &none);
	str_addc(out, '\n');
}

void canvas_terminal(struct str *out, const struct canvas *c, int columns, bool colour)
{
	double w = fmax(canvas_width(c), 1), h = fmax(canvas_height(c), 1);
	struct screen s = { .colour = colour };
	int n;
	const struct item *items = canvas_items(c, &n);
	size_t end;

	if (columns < 1 || columns > MOST_COLUMNS)
		columns = MOST_COLUMNS;
	s.cw = fmax(CELL_WIDTH, w / columns);
	s.ch = fmin(fmax(CELL_HEIGHT, 2 * s.cw), CELL_MOST);
	s.ch = fmax(s.ch, h / MOST_ROWS);
	s.columns = (int)fmax(ceil(w / s.cw - 1e-9), 1);
	s.rows = (int)fmax(ceil(h / s.ch - 1e-9), 1);
	s.cell = mem_new((size_t)s.columns * (size_t)s.rows * sizeof *s.cell);
	for (int k = 0; k < s.columns * s.rows; k++)
		s.cell[k] = (struct cell){ .pixel = { CLEAR, CLEAR }, .line = CLEAR, .ink = CLEAR };
	for (int k = 0; k < n; k++)
		draw(&s, &items[k]);
	end = out->len;
	for (int k = 0; k < s.rows; k++)
		print_row(out, &s, k);
	while (out->len > end + 1 && out->s[out->len - 1] == '\n' && out->s[out->len - 2] == '\n')
		out->s[--out->len] = 0;
	mem_free(s.cell);
}
