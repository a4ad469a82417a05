/* report/pdf.c - the canvas as one page of PDF 1.4 (ISO 32000-1 describes all of it).
 *
 * Fonts are the standard ones that every reader has: Helvetica, Helvetica-Bold, Courier and Courier-Bold, in
 * WinAnsiEncoding; what that lacks is shown as '?'. Texts are plain strings, without links, actions or scripts. A CSS
 * pixel is 3/4 point. Nothing depends on the clock or the machine: equal canvases give equal bytes. Streams are not
 * compressed, so that this also holds across versions of zlib, and the file can be read and patched by hand.
 */
#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "report/canvas.h"
#include "report/escape.h"
#include "report/font.h"
#include "report/outline.h"

enum { OBJ_CATALOG = 1, OBJ_PAGES, OBJ_PAGE, OBJ_CONTENT, OBJ_RESOURCES, OBJ_INFO, OBJ_FORM };

#define POINT    0.75  /* points of a CSS pixel */
#define MAX_SIDE 14400 /* points: what readers of PDF 1.4 accept; larger pictures are scaled down */

struct pdf {
	struct str *out;
	struct str page; /* the content stream */
	size_t *offset;  /* of object k, from the start of the file */
	int n_objects, cap_objects;
	bool alpha[256]; /* opacities in use, in 1/255 */
	int n_forms, replaced;
	bool dark;
	double width, height; /* of the canvas */
};

/* ---- content -------------------------------------------------------------------------------------------- */

static void numbers(struct str *s, const double *v, int n)
{
	for (int k = 0; k < n; k++) {
		outline_number(s, v[k]);
		str_addc(s, ' ');
	}
}

static void colour(struct str *s, const struct pdf *p, enum ink ink, const char *operator)
{
	double rgb[3];
	char buf[32];

	outline_rgb(rgb, ink, p->dark);
	for (int k = 0; k < 3; k++) {
		snprintf(buf, sizeof buf, "%.4g ", rgb[k]);
		str_add(s, buf);
	}
	str_addf(s, "%s\n", operator);
}

static void stroke_state(struct str *s, const struct pdf *p, const struct pen *pen, bool round)
{
	colour(s, p, pen->ink, "RG");
	outline_number(s, pen->width);
	str_addf(s, " w %d j 4 M\n", round);
	if (pen->dash == DASH_DOTTED) {
		str_add(s, "1 J [0.01 ");
		outline_number(s, 2 * pen->width);
		str_add(s, "] 0 d\n");
	} else if (pen->dash == DASH_DASHED) {
		str_addc(s, '[');
		numbers(s, (double[]){ 3 * pen->width, 2 * pen->width }, 2);
		str_add(s, "] 0 d\n");
	}
}

static void trace(struct str *s, const struct outline *o)
{
	static const char *const operators[] = { "m", "l", "c", "h" };
	static const int points[] = { 1, 1, 3, 0 };
	const struct point *p = o->point;

	for (int k = 0; k < o->n_verbs; k++) {
		for (int j = 0; j < points[o->verb[k]]; j++, p++)
			numbers(s, (double[]){ p->x, p->y }, 2);
		str_addf(s, "%s\n", operators[o->verb[k]]);
	}
}

static void use_alpha(struct pdf *p, struct str *s, double opacity)
{
	int a = (int)lround(255 * fmin(fmax(opacity, 0), 1));

	p->alpha[a] = true;
	str_addf(s, "/A%d gs\n", a);
}

static void begin_object(struct pdf *p, int number)
{
	while (p->n_objects <= number) {
		GROW(p->offset, p->n_objects, p->cap_objects);
		p->offset[p->n_objects++] = 0;
	}
	p->offset[number] = p->out->len;
	str_addf(p->out, "%d 0 obj\n", number);
}

static void stream(struct pdf *p, int number, const char *entries, const struct str *content)
{
	begin_object(p, number);
	str_addf(p->out, "<< %s/Length %zu >>\nstream\n", entries, content->len);
	str_addn(p->out, str_get(content), content->len);
	str_add(p->out, "\nendstream\nendobj\n");
}

/* What is filled and drawn with one opacity is one picture: the pen does not show the fill below it. */
static void form(struct pdf *p, const struct str *content)
{
	struct str entries = { 0 };

	str_add(&entries, "/Type /XObject /Subtype /Form /Group << /S /Transparency >> /BBox [0 0 ");
	numbers(&entries, (double[]){ p->width, p->height }, 2);
	str_add(&entries, "] ");
	stream(p, OBJ_FORM + p->n_forms, str_get(&entries), content);
	str_addf(&p->page, "/F%d Do\n", p->n_forms++);
	str_release(&entries);
}

static void side(struct pdf *p, const struct item *i, int k)
{
	struct point ends[2];

	if (i->side[k].ink == INK_NONE)
		return;
	outline_side(ends, i, k);
	str_add(&p->page, "q\n");
	stroke_state(&p->page, p, &i->side[k], false);
	numbers(&p->page, (double[]){ ends[0].x, ends[0].y }, 2);
	str_add(&p->page, "m ");
	numbers(&p->page, (double[]){ ends[1].x, ends[1].y }, 2);
	str_add(&p->page, "l S\nQ\n");
}

static void shape(struct pdf *p, const struct item *i)
{
	struct outline o;
	struct pen pen = outline_pen(i);
	struct str s = { 0 };
	bool both = i->fill != INK_NONE && pen.ink != INK_NONE;

	outline_of(&o, i);
	if (o.n_verbs && (i->fill != INK_NONE || pen.ink != INK_NONE)) {
		if (i->fill != INK_NONE)
			colour(&s, p, i->fill, "rg");
		if (pen.ink != INK_NONE)
			stroke_state(&s, p, &pen, i->type == ITEM_PATH);
		trace(&s, &o);
		str_add(&s, both ? "B\n" : i->fill != INK_NONE ? "f\n" : "S\n");
		str_add(&p->page, "q\n");
		if (i->opacity < 1)
			use_alpha(p, &p->page, i->opacity);
		if (i->opacity < 1 && both)
			form(p, &s);
		else
			str_add(&p->page, str_get(&s));
		str_add(&p->page, "Q\n");
	}
	str_release(&s);
	for (int k = 0; i->type == ITEM_RECT && !outline_uniform(i) && k < 4; k++)
		side(p, i, k);
}

static void text(struct pdf *p, const struct item *i)
{
	const struct font *f = &i->font;
	struct str code = { 0 };
	double back;

	p->replaced += font_encode(&code, i->text);
	back = f->anchor == ANCHOR_START ? 0 : font_width(str_get(&code), f) / (f->anchor == ANCHOR_MIDDLE ? 2 : 1);
	str_addf(&p->page, "BT /T%d ", f->mono * 2 + f->bold);
	outline_number(&p->page, f->size);
	str_add(&p->page, " Tf ");
	colour(&p->page, p, f->ink, "rg");
	str_add(&p->page, "1 0 0 -1 "); /* the page's y axis points down, letters stand upright */
	numbers(&p->page, (double[]){ i->x - back, i->y }, 2);
	str_add(&p->page, "Tm (");
	for (const unsigned char *c = (const unsigned char *)str_get(&code); *c; c++)
		if (*c == '(' || *c == ')' || *c == '\\')
			str_addf(&p->page, "\\%c", *c);
		else
			str_addf(&p->page, *c < 0x7f ? "%c" : "\\%03o", *c);
	str_add(&p->page, ") Tj ET\n");
	str_release(&code);
}

static void draw(struct pdf *p, const struct item *i)
{
	switch (i->type) {
	case ITEM_RECT:
	case ITEM_PATH:
	case ITEM_DISC:
		shape(p, i);
		break;
	case ITEM_TEXT:
		text(p, i);
		break;
	case ITEM_OPEN:
	case ITEM_CLOSE:
		break; /* tooltips are for screens */
	}
}

/* ---- the file around it --------------------------------------------------------------------------------- */

static void resources(struct pdf *p)
{
	static const char *const fonts[] = { "Helvetica", "Helvetica-Bold", "Courier", "Courier-Bold" };

	begin_object(p, OBJ_RESOURCES);
	str_add(p->out, "<< /Font <<\n");
	for (int k = 0; k < 4; k++)
		str_addf(p->out, "/T%d << /Type /Font /Subtype /Type1 /BaseFont /%s /Encoding /WinAnsiEncoding >>\n", k,
			 fonts[k]);
	str_add(p->out, ">> /ExtGState <<\n");
	for (int k = 0; k < 256; k++)
		if (p->alpha[k])
			str_addf(p->out, "/A%d << /ca %.4f /CA %.4f >>\n", k, k / 255.0, k / 255.0);
	str_add(p->out, ">> /XObject <<\n");
	for (int k = 0; k < p->n_forms; k++)
		str_addf(p->out, "/F%d %d 0 R\n", k, OBJ_FORM + k);
	str_add(p->out, ">> >>\nendobj\n");
}

/* A title in UTF-16 as hexadecimal digits: no character in it means anything. */
static void info(struct pdf *p, const char *title)
{
	begin_object(p, OBJ_INFO);
	str_add(p->out, "<< /Producer (nab)");
	if (title) {
		str_add(p->out, " /Title <FEFF");
		for (unsigned u; (u = escape_char(&title));)
			if (u < 0x10000)
				str_addf(p->out, "%04X", u);
			else
				str_addf(p->out, "%04X%04X", 0xd800 + ((u - 0x10000) >> 10), 0xdc00 + (u & 0x3ff));
		str_addc(p->out, '>');
	}
	str_add(p->out, " >>\nendobj\n");
}

static void page(struct pdf *p, double scale)
{
	begin_object(p, OBJ_CATALOG);
	str_addf(p->out, "<< /Type /Catalog /Pages %d 0 R >>\nendobj\n", OBJ_PAGES);
	begin_object(p, OBJ_PAGES);
	str_addf(p->out, "<< /Type /Pages /Kids [%d 0 R] /Count 1 >>\nendobj\n", OBJ_PAGE);
	begin_object(p, OBJ_PAGE);
	str_addf(p->out, "<< /Type /Page /Parent %d 0 R /MediaBox [0 0 ", OBJ_PAGES);
	numbers(p->out, (double[]){ p->width * scale, p->height * scale }, 2);
	/* the group says in which colours transparency is mixed */
	str_addf(p->out,
		 "] /Group << /S /Transparency /CS /DeviceRGB >> /Resources %d 0 R /Contents %d 0 R >>\nendobj\n",
		 OBJ_RESOURCES, OBJ_CONTENT);
}

/* Every entry of the table has exactly 20 bytes. */
static void trailer(struct pdf *p)
{
	size_t start = p->out->len;

	str_addf(p->out, "xref\n0 %d\n0000000000 65535 f \n", p->n_objects);
	for (int k = 1; k < p->n_objects; k++)
		str_addf(p->out, "%010zu 00000 n \n", p->offset[k]);
	str_addf(p->out, "trailer\n<< /Size %d /Root %d 0 R /Info %d 0 R >>\nstartxref\n%zu\n%%%%EOF\n", p->n_objects,
		 OBJ_CATALOG, OBJ_INFO, start);
}

int canvas_pdf(struct str *out, const struct canvas *c, const struct svg_opts *o)
{
	struct str file = { 0 };
	struct pdf p = { .out = &file,
			 .dark = o->theme == SVG_DARK,
			 .width = fmax(canvas_width(c), 1),
			 .height = fmax(canvas_height(c), 1) };
	double scale = fmin(POINT, MAX_SIDE / fmax(p.width, p.height));
	struct item paper = { .type = ITEM_RECT, .w = p.width, .h = p.height, .fill = INK_PAPER, .opacity = 1 };
	int n;
	const struct item *items = canvas_items(c, &n);

	str_add(&file, "%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"); /* bytes that tell it from text */
	str_addf(&p.page, "%.6f 0 0 %.6f 0 ", scale, -scale);
	outline_number(&p.page, p.height * scale);
	str_add(&p.page, " cm\n");
	if (o->paper)
		draw(&p, &paper);
	for (int k = 0; k < n; k++)
		draw(&p, &items[k]);
	page(&p, scale);
	stream(&p, OBJ_CONTENT, "", &p.page);
	resources(&p);
	info(&p, o->label);
	trailer(&p);
	str_addn(out, str_get(&file), file.len);
	str_release(&file);
	str_release(&p.page);
	mem_free(p.offset);
	return p.replaced;
}
