/* report/canvas.c - the display list. See canvas.h. */
#include "report/canvas.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "report/escape.h"
#include "report/font.h"

/* Families: from Paul Tol's "light" scheme, made for filled, labelled cells (SRON technical note EPS/TN/09-002), moved
 * until any two differ by at least 15 (CIE 1976) for protanopia and deuteranopia, too, on light and on dark paper;
 * series: his "bright" scheme, lightened for dark paper. */
const struct ink_value inks[INK_COUNT] = {
	[INK_NONE] = { "none", 0, 0 },
	[INK_PAPER] = { "paper", 0xffffff, 0x16191f },
	[INK_TEXT] = { "text", 0x1c2330, 0xe6e9ef },
	[INK_MUTED] = { "muted", 0x667085, 0x98a2b3 },
	[INK_GRID] = { "grid", 0xe4e7ec, 0x2c323d },
	[INK_CHIP_TEXT] = { "chip-text", 0x1a1a1a, 0x14171c },
	[INK_CHIP_EDGE] = { "chip-edge", 0x4b5565, 0x0c0e12 },
	[INK_ACCENT] = { "accent", 0xd1480f, 0xff8a4c },
	[INK_FAMILY + FAMILY_CONV] = { "conv", 0xee8866, 0xe98465 },
	[INK_FAMILY + FAMILY_DENSE] = { "dense", 0x77aadd, 0x77aadd },
	[INK_FAMILY + FAMILY_POOL] = { "pool", 0xeedd88, 0xe5d583 },
	[INK_FAMILY + FAMILY_NORM] = { "norm", 0xd1d2da, 0xdfe3df },
	[INK_FAMILY + FAMILY_ACTIVATION] = { "activation", 0x99ddff, 0x8fd0f0 },
	[INK_FAMILY + FAMILY_DROPOUT] = { "dropout", 0xfd90ab, 0xff8c97 },
	[INK_FAMILY + FAMILY_MERGE] = { "merge", 0x33a58a, 0x34d2ae },
	[INK_FAMILY + FAMILY_RESHAPE] = { "reshape", 0xfcfff7, 0x8ca2b8 },
	[INK_FAMILY + FAMILY_RECURRENT] = { "recurrent", 0xb0d633, 0xb8cf40 },
	[INK_FAMILY + FAMILY_EMBEDDING] = { "embedding", 0x9a7cff, 0x9a7cff },
	[INK_FAMILY + FAMILY_OTHER] = { "other", 0xb39008, 0xb59537 },
	[INK_LINE + 0] = { "line-0", 0x2f6db5, 0x6aa9f4 },
	[INK_LINE + 1] = { "line-1", 0xd1480f, 0xff8a4c },
	[INK_LINE + 2] = { "line-2", 0x228833, 0x5cc96f },
	[INK_LINE + 3] = { "line-3", 0xaa3377, 0xe27bb6 },
	[INK_LINE + 4] = { "line-4", 0x9a8500, 0xd6c33a },
	[INK_LINE + 5] = { "line-5", 0x3a9cb5, 0x66ccee },
	[INK_LINE + 6] = { "line-6", 0x6f6f6f, 0xbbbbbb },
	[INK_LINE + 7] = { "line-7", 0x6a4fc0, 0xa994f5 },
};

struct canvas {
	struct arena *a;
	double width, height;
	struct item *items;
	int n, cap;
	int cap_verbs, cap_points; /* of the path that is open */
};

static void release(void *arg)
{
	struct canvas *c = arg;

	for (int i = 0; i < c->n; i++) {
		mem_free(c->items[i].verb);
		mem_free(c->items[i].point);
	}
	mem_free(c->items);
}

struct canvas *canvas_new(struct arena *a, double width, double height)
{
	struct canvas *c = ARENA_NEW(a, struct canvas);

	*c = (struct canvas){ .a = a, .width = width, .height = height };
	arena_defer(a, release, c);
	return c;
}

struct arena *canvas_arena(const struct canvas *c)
{
	return c->a;
}

double canvas_width(const struct canvas *c)
{
	return c->width;
}

double canvas_height(const struct canvas *c)
{
	return c->height;
}

const struct item *canvas_items(const struct canvas *c, int *n)
{
	*n = c->n;
	return c->items;
}

static struct item *add(struct canvas *c, enum item_type type)
{
	GROW(c->items, c->n, c->cap);
	c->items[c->n] = (struct item){ .type = type, .opacity = 1 };
	return &c->items[c->n++];
}

struct item *canvas_rect(struct canvas *c, double x, double y, double w, double h, enum ink fill)
{
	struct item *i = add(c, ITEM_RECT);

	i->x = x;
	i->y = y;
	i->w = w;
	i->h = h;
	i->fill = fill;
	return i;
}

void rect_round(struct item *rect, double radius)
{
	for (int i = 0; i < 4; i++)
		rect->radius[i] = radius;
}

void rect_frame(struct item *rect, struct pen pen)
{
	for (int i = 0; i < 4; i++)
		rect->side[i] = pen;
}

struct item *canvas_disc(struct canvas *c, double x, double y, double radius, enum ink fill)
{
	struct item *i = add(c, ITEM_DISC);

	i->x = x;
	i->y = y;
	i->w = radius;
	i->fill = fill;
	return i;
}

void canvas_text(struct canvas *c, double x, double y, struct font font, const char *text)
{
	struct item *i;

	if (!text || !*text)
		return;
	i = add(c, ITEM_TEXT);
	i->x = x;
	i->y = y;
	i->font = font;
	i->text = arena_strdup(c->a, text);
}

void canvas_textf(struct canvas *c, double x, double y, struct font font, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	canvas_text(c, x, y, font, text);
}

void canvas_open(struct canvas *c, const char *class, const char *key, const char *title)
{
	struct item *i = add(c, ITEM_OPEN);

	i->class = class ? arena_strdup(c->a, class) : NULL;
	i->key = key ? arena_strdup(c->a, key) : NULL;
	i->title = title ? arena_strdup(c->a, title) : NULL;
}

void canvas_close(struct canvas *c)
{
	add(c, ITEM_CLOSE);
}

/* ---- paths ---------------------------------------------------------------------------------------------- */

struct item *canvas_path(struct canvas *c, enum ink fill, struct pen pen)
{
	struct item *i = add(c, ITEM_PATH);

	i->fill = fill;
	i->pen = pen;
	c->cap_verbs = c->cap_points = 0;
	return i;
}

static void step(struct canvas *c, enum verb verb, int n, const struct point *p)
{
	struct item *i = &c->items[c->n - 1];

	assert(c->n && i->type == ITEM_PATH);
	GROW(i->verb, i->n_verbs, c->cap_verbs);
	i->verb[i->n_verbs++] = verb;
	for (int k = 0; k < n; k++) {
		GROW(i->point, i->n_points, c->cap_points);
		i->point[i->n_points++] = p[k];
	}
}

void path_move(struct canvas *c, double x, double y)
{
	step(c, VERB_MOVE, 1, &(struct point){ x, y });
}

void path_line(struct canvas *c, double x, double y)
{
	step(c, VERB_LINE, 1, &(struct point){ x, y });
}

void path_curve(struct canvas *c, double x1, double y1, double x2, double y2, double x, double y)
{
	step(c, VERB_CURVE, 3, (struct point[]){ { x1, y1 }, { x2, y2 }, { x, y } });
}

void path_close(struct canvas *c)
{
	step(c, VERB_CLOSE, 0, NULL);
}

void canvas_polyline(struct canvas *c, const struct point *p, int n, struct pen pen)
{
	if (n < 2)
		return;
	canvas_path(c, INK_NONE, pen);
	path_move(c, p[0].x, p[0].y);
	for (int i = 1; i < n; i++)
		path_line(c, p[i].x, p[i].y);
}

void canvas_line(struct canvas *c, double x1, double y1, double x2, double y2, struct pen pen)
{
	canvas_polyline(c, (struct point[]){ { x1, y1 }, { x2, y2 } }, 2, pen);
}

/* ---- text metrics --------------------------------------------------------------------------------------- */

/* Characters outside WinAnsi: as wide as an 'n' up to Greek and Cyrillic, a full em beyond. */
static double advance(unsigned u, const struct font *f)
{
	int code = font_code(u);

	if (code >= 0)
		return font_advance(code, f->bold, f->mono) / 1000.0;
	return f->mono || u < 0x800 ? 0.6 : 1;
}

double text_width(const char *text, const struct font *font)
{
	double w = 0;

	for (unsigned u; text && (u = escape_char(&text));)
		w += advance(u, font);
	return w * font->size;
}

const char *text_fit(struct canvas *c, const char *text, const struct font *font, double width)
{
	static const char dots[] = "\xe2\x80\xa6";
	size_t n = text ? strlen(text) : 0;
	char *cut;

	if (!n || text_width(text, font) <= width)
		return n ? text : "";
	cut = arena_printf(c->a, "%s%s", text, dots);
	for (size_t k = n; k-- > 3;) {
		if (((unsigned char)cut[k] & 0xc0) == 0x80)
			continue;
		memcpy(cut + k, dots, sizeof dots);
		if (text_width(cut, font) <= width)
			return cut;
	}
	return "";
}
