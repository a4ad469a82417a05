/* report/tikz.c - the canvas as a TikZ picture, for LaTeX documents that shall use their own fonts.
 *
 * The file is both a document (pdflatex FILE.tex gives a page of the picture's size) and a part of one (\input{FILE},
 * with \usepackage{tikz} in the preamble; \resizebox around it scales it). It tells the two apart by whether a document
 * has begun: LaTeX makes \@nodocument empty then. It needs TikZ and geometry, and works with pdflatex, lualatex and
 * xelatex. A CSS pixel is 3/4 of a PostScript point (bp), less where the picture would exceed what TeX can measure.
 */
#include <math.h>

#include "base/str.h"
#include "report/canvas.h"
#include "report/escape.h"
#include "report/outline.h"

#define POINT    0.75
#define MAX_SIDE 14000 /* bp, of TeX's 16383 pt */

struct tikz {
	struct str *out;
	double unit; /* bp of a pixel */
	bool dark;
};

static void length(struct tikz *t, double pixels)
{
	str_addf(t->out, "%.4gbp", pixels * t->unit);
}

static void xy(struct tikz *t, struct point p)
{
	str_addc(t->out, '(');
	outline_number(t->out, p.x);
	str_addc(t->out, ',');
	outline_number(t->out, p.y);
	str_addc(t->out, ')');
}

static void pen_options(struct tikz *t, const struct pen *p)
{
	str_addf(t->out, "draw=nab-%s,line width=", inks[p->ink].name);
	length(t, p->width);
	str_addc(t->out, ',');
	if (p->dash == DASH_DOTTED) {
		str_add(t->out, "line cap=round,dash pattern=on 0.01bp off ");
		length(t, 2 * p->width);
		str_addc(t->out, ',');
	} else if (p->dash == DASH_DASHED) {
		str_add(t->out, "dash pattern=on ");
		length(t, 3 * p->width);
		str_add(t->out, " off ");
		length(t, 2 * p->width);
		str_addc(t->out, ',');
	}
}

static void trace(struct tikz *t, const struct outline *o)
{
	const struct point *p = o->point;

	for (int k = 0; k < o->n_verbs; k++)
		switch (o->verb[k]) {
		case VERB_MOVE:
			str_add(t->out, k ? " " : "");
			xy(t, *p++);
			break;
		case VERB_LINE:
			str_add(t->out, " -- ");
			xy(t, *p++);
			break;
		case VERB_CURVE:
			str_add(t->out, " .. controls ");
			xy(t, p[0]);
			str_add(t->out, " and ");
			xy(t, p[1]);
			str_add(t->out, " .. ");
			xy(t, p[2]);
			p += 3;
			break;
		case VERB_CLOSE:
			str_add(t->out, " -- cycle");
			break;
		}
	str_add(t->out, ";\n");
}

static void side(struct tikz *t, const struct item *i, int k)
{
	struct point ends[2];

	if (i->side[k].ink == INK_NONE)
		return;
	outline_side(ends, i, k);
	str_add(t->out, "\\path[");
	pen_options(t, &i->side[k]);
	str_add(t->out, "] ");
	xy(t, ends[0]);
	str_add(t->out, " -- ");
	xy(t, ends[1]);
	str_add(t->out, ";\n");
}

static void shape(struct tikz *t, const struct item *i)
{
	struct outline o;
	struct pen pen = outline_pen(i);
	bool filled = i->fill != INK_NONE, drawn = pen.ink != INK_NONE, group = i->opacity < 1 && filled && drawn;

	outline_of(&o, i);
	if (o.n_verbs && (filled || drawn)) {
		if (group) /* the pen does not show the fill below it */
			str_addf(t->out, "\\begin{scope}[opacity=%.4g,transparency group]\n", i->opacity);
		str_add(t->out, "\\path[");
		if (filled)
			str_addf(t->out, "fill=nab-%s,", inks[i->fill].name);
		if (drawn)
			pen_options(t, &pen);
		if (drawn && i->type == ITEM_PATH)
			str_add(t->out, "line join=round,");
		if (i->opacity < 1 && !group)
			str_addf(t->out, "opacity=%.4g,", i->opacity);
		str_add(t->out, "] ");
		trace(t, &o);
		if (group)
			str_add(t->out, "\\end{scope}\n");
	}
	for (int k = 0; i->type == ITEM_RECT && !outline_uniform(i) && k < 4; k++)
		side(t, i, k);
}

static void text(struct tikz *t, const struct item *i)
{
	static const char *const anchors[] = { "base west", "base", "base east" };
	const struct font *f = &i->font;
	double size = f->size * t->unit;

	str_addf(t->out, "\\node[nab text,anchor=%s,text=nab-%s,font=%s%s\\fontsize{%.4gbp}{%.4gbp}\\selectfont] at ",
		 anchors[f->anchor], inks[f->ink].name, f->mono ? "\\ttfamily" : "\\sffamily",
		 f->bold ? "\\bfseries" : "", size, 1.2 * size);
	xy(t, (struct point){ i->x, i->y });
	str_add(t->out, " {");
	escape_latex(t->out, i->text);
	str_add(t->out, "};\n");
}

static void draw(struct tikz *t, const struct item *i)
{
	switch (i->type) {
	case ITEM_RECT:
	case ITEM_PATH:
	case ITEM_DISC:
		shape(t, i);
		break;
	case ITEM_TEXT:
		text(t, i);
		break;
	case ITEM_OPEN:
	case ITEM_CLOSE:
		break;
	}
}

static void head(struct tikz *t, const struct canvas *c, const char *label)
{
	double w = fmax(canvas_width(c), 1), h = fmax(canvas_height(c), 1);

	str_add(t->out, "% Made by nab: a document of its own, or \\input it where \\usepackage{tikz} was said.\n");
	if (label) {
		str_add(t->out, "% ");
		escape_plain(t->out, label);
		str_addc(t->out, '\n');
	}
	str_addf(t->out,
		 "\\expandafter\\ifx\\csname @nodocument\\endcsname\\relax\\let\\nabend\\relax\\else\n"
		 "\\documentclass{article}\n"
		 "\\usepackage[paperwidth=%.2fbp,paperheight=%.2fbp,margin=0bp]{geometry}\n"
		 "\\usepackage{helvet,courier}\n\\usepackage{tikz}\n"
		 "\\pagestyle{empty}\\parindent0pt\\topskip0pt\\parskip0pt\n"
		 "\\def\\nabend{\\end{document}}\n\\begin{document}%%\n\\fi\n",
		 w * t->unit, h * t->unit);
	str_addf(t->out, "\\begin{tikzpicture}[x=%.6gbp,y=-%.6gbp,nab text/.style={inner sep=0pt,outer sep=0pt}]\n",
		 t->unit, t->unit);
}

static void colours(struct tikz *t, const struct canvas *c)
{
	bool used[INK_COUNT] = { [INK_PAPER] = true };
	int n;
	const struct item *it = canvas_items(c, &n);

	for (int i = 0; i < n; i++) {
		used[it[i].fill] = used[it[i].pen.ink] = used[it[i].font.ink] = true;
		for (int k = 0; k < 4; k++)
			used[it[i].side[k].ink] = true;
	}
	for (int k = INK_NONE + 1; k < INK_COUNT; k++)
		if (used[k])
			str_addf(t->out, "\\definecolor{nab-%s}{HTML}{%06X}\n", inks[k].name,
				 t->dark ? inks[k].dark : inks[k].light);
}

void canvas_tikz(struct str *out, const struct canvas *c, const struct svg_opts *o)
{
	double w = fmax(canvas_width(c), 1), h = fmax(canvas_height(c), 1);
	struct tikz t = { out, fmin(POINT, MAX_SIDE / fmax(w, h)), o->theme == SVG_DARK };
	struct item paper = { .type = ITEM_RECT, .w = w, .h = h, .fill = INK_PAPER, .opacity = 1 };
	int n;
	const struct item *items = canvas_items(c, &n);

	head(&t, c, o->label);
	colours(&t, c);
	str_add(out, "\\useasboundingbox (0,0) rectangle ");
	xy(&t, (struct point){ w, h });
	str_add(out, ";\n");
	if (o->paper)
		draw(&t, &paper);
	for (int k = 0; k < n; k++)
		draw(&t, &items[k]);
	str_add(out, "\\end{tikzpicture}%\n\\nabend\n");
}
