/* report/svg.c - the canvas as SVG 1.1. See canvas.h. */
#include "base/str.h"
#include "report/canvas.h"
#include "report/escape.h"
#include "report/outline.h"

struct writer {
	struct str *out;
	const struct svg_opts *o;
	bool used[INK_COUNT]; /* inks that the style sheet of SVG_AUTO must know */
};

static const char sans[] = "Helvetica, Arial, 'Liberation Sans', sans-serif";
static const char mono[] = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace";

static void attribute(struct str *out, const char *name, double v)
{
	str_addf(out, " %s=\"", name);
	outline_number(out, v);
	str_addc(out, '"');
}

static void xy(struct str *out, double x, double y)
{
	outline_number(out, x);
	str_addc(out, ' ');
	outline_number(out, y);
}

/* Colours of an element: attributes for any viewer, classes where a style sheet decides. */
static void colours(struct writer *w, enum ink fill, enum ink stroke)
{
	bool attributes = w->o->theme != SVG_INLINE;

	w->used[fill] = w->used[stroke] = true;
	if (attributes) {
		bool dark = w->o->theme == SVG_DARK;

		if (fill == INK_NONE)
			str_add(w->out, " fill=\"none\"");
		else
			str_addf(w->out, " fill=\"#%06x\"", dark ? inks[fill].dark : inks[fill].light);
		if (stroke != INK_NONE)
			str_addf(w->out, " stroke=\"#%06x\"", dark ? inks[stroke].dark : inks[stroke].light);
	} else if (fill == INK_NONE) {
		str_add(w->out, " fill=\"none\"");
	}
	if (w->o->theme != SVG_INLINE && w->o->theme != SVG_AUTO)
		return;
	if (fill != INK_NONE || stroke != INK_NONE) {
		str_add(w->out, " class=\"");
		if (fill != INK_NONE)
			str_addf(w->out, "f-%s", inks[fill].name);
		if (stroke != INK_NONE)
			str_addf(w->out, "%ss-%s", fill != INK_NONE ? " " : "", inks[stroke].name);
		str_addc(w->out, '"');
	}
}

static void pen_attributes(struct str *out, const struct pen *p)
{
	if (p->ink == INK_NONE)
		return;
	if (p->width != 1)
		attribute(out, "stroke-width", p->width);
	if (p->dash == DASH_DOTTED) {
		str_add(out, " stroke-linecap=\"round\" stroke-dasharray=\"0.01 ");
		outline_number(out, 2 * p->width);
		str_addc(out, '"');
	} else if (p->dash == DASH_DASHED) {
		str_add(out, " stroke-dasharray=\"");
		xy(out, 3 * p->width, 2 * p->width);
		str_addc(out, '"');
	}
}

static void outline(struct str *out, const struct item *i)
{
	/* clockwise from the top left; quarter circles as arcs */
	double x0 = i->x, y0 = i->y, x1 = i->x + i->w, y1 = i->y + i->h;
	const double *r = i->radius;
	struct {
		double lx, ly, r, ax, ay;
	} corner[4] = { { x1 - r[1], y0, r[1], x1, y0 + r[1] },
			{ x1, y1 - r[2], r[2], x1 - r[2], y1 },
			{ x0 + r[3], y1, r[3], x0, y1 - r[3] },
			{ x0, y0 + r[0], r[0], x0 + r[0], y0 } };

	str_add(out, "M");
	xy(out, x0 + r[0], y0);
	for (int k = 0; k < 4; k++) {
		str_add(out, "L");
		xy(out, corner[k].lx, corner[k].ly);
		if (corner[k].r <= 0)
			continue;
		str_add(out, "A");
		xy(out, corner[k].r, corner[k].r);
		str_add(out, " 0 0 1 ");
		xy(out, corner[k].ax, corner[k].ay);
	}
	str_add(out, "Z");
}

static void side(struct writer *w, const struct item *i, int k)
{
	const struct pen *p = &i->side[k];
	struct point ends[2];

	if (p->ink == INK_NONE)
		return;
	outline_side(ends, i, k);
	str_add(w->out, "<path d=\"M");
	xy(w->out, ends[0].x, ends[0].y);
	str_add(w->out, "L");
	xy(w->out, ends[1].x, ends[1].y);
	str_addc(w->out, '"');
	colours(w, INK_NONE, p->ink);
	pen_attributes(w->out, p);
	str_add(w->out, "/>");
}

static void opacity(struct str *out, const struct item *i)
{
	if (i->opacity < 1)
		attribute(out, "opacity", i->opacity);
}

static void rect(struct writer *w, const struct item *i)
{
	struct pen p = outline_pen(i);

	if (outline_uniform(i)) {
		str_add(w->out, "<rect");
		attribute(w->out, "x", i->x);
		attribute(w->out, "y", i->y);
		attribute(w->out, "width", i->w);
		attribute(w->out, "height", i->h);
		if (i->radius[0] > 0)
			attribute(w->out, "rx", i->radius[0]);
	} else {
		str_add(w->out, "<path d=\"");
		outline(w->out, i);
		str_addc(w->out, '"');
	}
	colours(w, i->fill, p.ink);
	pen_attributes(w->out, &p);
	opacity(w->out, i);
	str_add(w->out, "/>");
	for (int k = 0; !outline_uniform(i) && k < 4; k++)
		side(w, i, k);
}

/* p: its points; follows: p[-1] is where the path is. Lines along an axis are written short. */
static void verb(struct str *out, enum verb v, const struct point *p, bool follows)
{
	switch (v) {
	case VERB_MOVE:
	case VERB_LINE:
		if (v == VERB_LINE && follows && p->y == p[-1].y) {
			str_addc(out, 'H');
			outline_number(out, p->x);
		} else if (v == VERB_LINE && follows && p->x == p[-1].x) {
			str_addc(out, 'V');
			outline_number(out, p->y);
		} else {
			str_addc(out, v == VERB_MOVE ? 'M' : 'L');
			xy(out, p->x, p->y);
		}
		break;
	case VERB_CURVE:
		str_addc(out, 'C');
		for (int k = 0; k < 3; k++) {
			if (k)
				str_addc(out, ' ');
			xy(out, p[k].x, p[k].y);
		}
		break;
	case VERB_CLOSE:
		str_addc(out, 'Z');
		break;
	}
}

static void path(struct writer *w, const struct item *i)
{
	static const int points[] = { 1, 1, 3, 0 };
	const struct point *p = i->point;

	str_add(w->out, "<path d=\"");
	for (int k = 0; k < i->n_verbs; k++) {
		verb(w->out, i->verb[k], p, k && i->verb[k - 1] != VERB_CLOSE);
		p += points[i->verb[k]];
	}
	str_addc(w->out, '"');
	colours(w, i->fill, i->pen.ink);
	if (i->pen.ink != INK_NONE)
		str_add(w->out, " stroke-linejoin=\"round\"");
	pen_attributes(w->out, &i->pen);
	opacity(w->out, i);
	str_add(w->out, "/>");
}

static void disc(struct writer *w, const struct item *i)
{
	str_add(w->out, "<circle");
	attribute(w->out, "cx", i->x);
	attribute(w->out, "cy", i->y);
	attribute(w->out, "r", i->w);
	colours(w, i->fill, i->pen.ink);
	pen_attributes(w->out, &i->pen);
	opacity(w->out, i);
	str_add(w->out, "/>");
}

static void text(struct writer *w, const struct item *i)
{
	static const char *const anchors[] = { "start", "middle", "end" };
	const struct font *f = &i->font;

	str_add(w->out, "<text");
	attribute(w->out, "x", i->x);
	attribute(w->out, "y", i->y);
	attribute(w->out, "font-size", f->size);
	if (f->anchor != ANCHOR_START)
		str_addf(w->out, " text-anchor=\"%s\"", anchors[f->anchor]);
	if (f->bold)
		str_add(w->out, " font-weight=\"700\"");
	if (f->mono)
		str_addf(w->out, " font-family=\"%s\"", mono);
	colours(w, f->ink, INK_NONE);
	str_addc(w->out, '>');
	escape_xml(w->out, i->text);
	str_add(w->out, "</text>");
}

static void attribute_text(struct str *out, const char *name, const char *value)
{
	if (!value)
		return;
	str_addf(out, " %s=\"", name);
	escape_xml(out, value);
	str_addc(out, '"');
}

static void open_group(struct writer *w, const struct item *i)
{
	str_add(w->out, "<g");
	attribute_text(w->out, "class", i->class);
	attribute_text(w->out, "data-key", i->key);
	str_addc(w->out, '>');
	if (i->title) {
		str_add(w->out, "<title>");
		escape_xml(w->out, i->title);
		str_add(w->out, "</title>");
	}
}

static void draw(struct writer *w, const struct item *i)
{
	switch (i->type) {
	case ITEM_RECT:
		rect(w, i);
		break;
	case ITEM_PATH:
		path(w, i);
		break;
	case ITEM_DISC:
		disc(w, i);
		break;
	case ITEM_TEXT:
		text(w, i);
		break;
	case ITEM_OPEN:
		open_group(w, i);
		return;
	case ITEM_CLOSE:
		str_add(w->out, "</g>");
		break;
	}
	str_addc(w->out, '\n');
}

/* Rules that win over the colour attributes when the reader's system is dark. */
static void dark_sheet(struct str *out, const bool used[INK_COUNT])
{
	str_add(out, "<style>@media (prefers-color-scheme: dark){");
	for (int k = 1; k < INK_COUNT; k++)
		if (used[k])
			str_addf(out, ".f-%s{fill:#%06x}.s-%s{stroke:#%06x}", inks[k].name, inks[k].dark, inks[k].name,
				 inks[k].dark);
	str_add(out, "}</style>\n");
}

static void head(struct str *out, const struct canvas *c, const struct svg_opts *o)
{
	str_add(out, "<svg");
	if (o->theme != SVG_INLINE)
		str_add(out, " xmlns=\"http://www.w3.org/2000/svg\"");
	else
		attribute_text(out, "class", o->class);
	attribute(out, "width", canvas_width(c));
	attribute(out, "height", canvas_height(c));
	str_add(out, " viewBox=\"0 0 ");
	xy(out, canvas_width(c), canvas_height(c));
	str_addf(out, "\" font-family=\"%s\"", sans);
	if (o->label) {
		str_add(out, " role=\"img\"");
		attribute_text(out, "aria-label", o->label);
	}
	str_add(out, ">\n");
	if (o->label && o->theme != SVG_INLINE) {
		str_add(out, "<title>");
		escape_xml(out, o->label);
		str_add(out, "</title>\n");
	}
}

void canvas_svg(struct str *out, const struct canvas *c, const struct svg_opts *o)
{
	struct str body = { 0 };
	struct writer w = { &body, o, { false } };
	int n;
	const struct item *items = canvas_items(c, &n);

	if (o->paper) {
		struct item paper = {
			.type = ITEM_RECT, .w = canvas_width(c), .h = canvas_height(c), .fill = INK_PAPER, .opacity = 1
		};

		draw(&w, &paper);
	}
	for (int i = 0; i < n; i++)
		draw(&w, &items[i]);
	head(out, c, o);
	if (o->theme == SVG_AUTO)
		dark_sheet(out, w.used);
	str_add(out, str_get(&body));
	str_add(out, "</svg>\n");
	str_release(&body);
}

static void variables(struct str *out, const char *selector, bool dark)
{
	str_addf(out, "%s{color-scheme:%s", selector, dark ? "dark" : "light");
	for (int k = 1; k < INK_COUNT; k++)
		str_addf(out, ";--%s:#%06x", inks[k].name, dark ? inks[k].dark : inks[k].light);
	str_add(out, "}");
}

void canvas_css(struct str *out)
{
	variables(out, ":root", false);
	str_add(out, "\n@media screen and (prefers-color-scheme: dark){");
	variables(out, ":root:not([data-theme=light])", true);
	str_add(out, "}\n@media screen{");
	variables(out, ":root[data-theme=dark]", true);
	str_add(out, "}\n");
	for (int k = 1; k < INK_COUNT; k++)
		str_addf(out, ".f-%s{fill:var(--%s)}.s-%s{stroke:var(--%s)}\n", inks[k].name, inks[k].name,
			 inks[k].name, inks[k].name);
}
