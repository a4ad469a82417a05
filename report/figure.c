/* report/figure.c - see figure.h. */
#include "report/figure.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "report/escape.h"

#define PIXELS 37.795 /* of a centimetre in CSS */
#define NARROW 11     /* cm: below, texts are smaller, as in a column of a paper */

/* ---- the script ----------------------------------------------------------------------------------------- */

static void terminal(struct figure *f)
{
	double w = f->width, h = f->height;

	switch (f->format) {
	case FIGURE_SVG:
		str_addf(
		    &f->gp,
		    "set terminal svg size %.0f,%.0f dynamic noenhanced font 'Helvetica,%.4g' background rgb 'white'\n",
		    w * PIXELS, h * PIXELS, f->points * 4 / 3);
		break;
	case FIGURE_PDF:
		str_addf(&f->gp,
			 "set terminal pdfcairo size %gcm,%gcm noenhanced font 'Helvetica,%g' fontscale 0.75 linewidth "
			 "1.5\n",
			 w, h, f->points);
		break;
	case FIGURE_PNG:
		str_addf(
		    &f->gp,
		    "set terminal pngcairo size %.0f,%.0f noenhanced font 'Helvetica,%g' fontscale 2.2 linewidth 2.2 "
		    "pointscale 2.2 background rgb 'white'\n",
		    2.2 * w * PIXELS, 2.2 * h * PIXELS, f->points);
		break;
	case FIGURE_TEX:
		str_addf(&f->gp,
			 "# In a document with \\usepackage{graphicx,color}: \\input{%s.tex}; the lines are in %s.pdf\n"
			 "set terminal cairolatex pdf input colortext size %gcm,%gcm font ',%g' linewidth 1.5\n",
			 f->name, f->name, w, h, f->points);
		break;
	case FIGURE_FORMAT_COUNT:
		break;
	}
}

void figure_begin(struct figure *f, const struct plot_request *q, double width, double height)
{
	f->width = q->width > 0 ? q->width : width;
	f->points = f->width < NARROW ? 7 : 9;
	f->height = q->height > 0 ? q->height : height * fmax(fmin(f->width / width, 1), 0.65); /* keeps its form */
	str_addf(
	    &f->gp,
	    "# Made by nab. Draw again with: gnuplot '%s.gp'\n"
	    "# Other formats: set terminal svg | pdfcairo | pngcairo | cairolatex, and another ending for the output\n",
	    f->name);
	terminal(f);
	str_addf(&f->gp,
		 "set output '%s.%s'\n"
		 "set encoding utf8\nset datafile missing 'NaN'\n"
		 "set border 3 lc rgb '#667085'\nset tics nomirror out scale 0.6\nset xtics offset 0,0.3\n"
		 "set grid ytics lt 1 lw 0.7 lc rgb '#e4e7ec'\n",
		 f->name, figure_format_names[f->format]);
}

void figure_release(struct figure *f)
{
	str_release(&f->gp);
	str_release(&f->dat);
}

/* Our own words as a string of the script, without its quotes: LaTeX's special characters are escaped where it reads
 * them. */
static void put_words(struct figure *f, const char *text)
{
	struct str words = { 0 };

	if (f->format == FIGURE_TEX)
		escape_latex(&words, text);
	else
		str_add(&words, text);
	escape_gnuplot(&f->gp, str_get(&words));
	str_release(&words);
}

void figure_margins(struct figure *f, double left, double right, double top, double bottom)
{
	f->left = left;
	f->right = right;
	f->top = top;
	f->bottom = bottom;
	str_addf(&f->gp,
		 "set lmargin at screen %.4f\nset rmargin at screen %.4f\nset bmargin at screen %.4f\n"
		 "set tmargin at screen %.4f\n",
		 left / f->width, 1 - right / f->width, bottom / f->height, 1 - top / f->height);
}

double figure_text_width(const char *text, double size)
{
	struct font font = { size, ANCHOR_START, false, false, INK_TEXT };

	return text_width(text, &font) * 2.54 / 72 * 1.15;
}

static void title(struct figure *f, int tag, const char *words, double x, double y, const char *how)
{
	str_addf(&f->gp, "set label %d '", tag);
	put_words(f, words);
	str_addf(&f->gp, "' at screen %.4f, screen %.4f center%s\n", x / f->width, y / f->height, how);
}

void figure_titles(struct figure *f, const char *x, const char *y)
{
	double half = x ? figure_text_width(x, f->points) / 2 + 0.1 : 0, middle = (f->left + f->width - f->right) / 2;

	if (x) /* a long one may stick out of the plot area, not out of the figure */
		title(f, 1, x, fmax(fmin(middle, f->width - half), half), f->below + 0.4, "");
	if (y)
		title(f, 2, y, 0.4, (f->bottom + f->height - f->top) / 2, " rotate by 90");
}

void figure_colours(struct figure *f, const char *words, double low, double high)
{
	double least = 1e-3 * fmax(fabs(low), 1); /* gnuplot refuses an empty range */

	if (!(high - low >= least)) {
		low -= least;
		high += least;
	}
	str_addf(&f->gp, "set cbrange [%.8g:%.8g]\n", low, high);
	title(f, 3, words, f->width - 0.4, (f->bottom + f->height - f->top) / 2, " rotate by 90");
	str_addf(&f->gp,
		 "set colorbox user origin screen %.4f, screen %.4f size screen %.4f, screen %.4f\nset cbtics\n",
		 1 - 2.2 / f->width, f->bottom / f->height, 0.4 / f->width, 1 - (f->top + f->bottom) / f->height);
}

void figure_ticks(struct figure *f, const char *which, const struct axis *axis, int most)
{
	double v[AXIS_TICKS];
	char text[32];
	int n = axis_ticks(v, axis, most);

	str_addf(&f->gp, "set %s (", which);
	for (int i = 0; i < n; i++)
		str_addf(&f->gp, "%s'%s' %.10g", i ? ", " : "", axis_text(text, axis, v[i]), v[i]);
	str_add(&f->gp, ")\n");
}

void figure_key_above(struct figure *f)
{
	str_addf(&f->gp, "set key at screen %.4f, screen %.4f center horizontal maxrows 1 Left reverse samplen 1.5\n",
		 (f->left + f->width - f->right) / 2 / f->width, 1 - 0.35 / f->height);
}

void figure_key_at(struct figure *f, double x, double y)
{
	str_addf(&f->gp, "set key at screen %.4f, screen %.4f left top vertical Left reverse samplen 2 spacing 1.2\n",
		 x / f->width, y / f->height);
}

void figure_key_beside(struct figure *f)
{
	figure_key_at(f, f->width - f->right + 0.2, f->height - f->top);
}

void figure_data(struct figure *f)
{
	str_addf(&f->gp, "'%s.dat'", f->name);
}

void figure_colour(struct figure *f, enum ink ink)
{
	str_addf(&f->gp, " lc rgb '#%06x'", inks[ink].light);
}

enum ink figure_series(int k)
{
	return (enum ink)(INK_LINE + k % INK_SERIES);
}

/* ---- the data ------------------------------------------------------------------------------------------- */

static void close_block(struct figure *f)
{
	if (f->blocks && !f->rows)
		str_add(&f->dat, "NaN NaN NaN NaN NaN NaN \"\"\n");
	f->rows = 0;
}

int figure_block(struct figure *f, const char *columns)
{
	close_block(f);
	str_addf(&f->dat, "%s# %s\n", f->blocks ? "\n\n" : "", columns);
	return f->blocks++;
}

void figure_value(struct figure *f, double v)
{
	if (isfinite(v))
		str_addf(&f->dat, "%.8g ", v);
	else
		str_add(&f->dat, "NaN ");
}

/* Inside the quotes gnuplot reads a backslash and what follows as C does. Its SVG escapes '<' and '&', but neither the
 * end of a CDATA section nor a reference by number, which XML refuses or reads as something else: they are parted. */
void figure_field(struct figure *f, const char *text)
{
	struct str clean = { 0 };
	char before = 0;

	if (f->format == FIGURE_TEX)
		escape_latex(&clean, text);
	else
		escape_plain(&clean, text);
	str_addc(&f->dat, '"');
	for (const char *s = str_get(&clean); *s; before = *s++) {
		if (f->format == FIGURE_SVG && ((before == '&' && *s == '#') || (before == ']' && *s == '>')))
			str_addc(&f->dat, ' ');
		if (*s == '"')
			str_add(&f->dat, "\\042");
		else
			str_addf(&f->dat, *s == '\\' ? "\\\\" : "%c", *s);
	}
	str_add(&f->dat, "\" ");
	str_release(&clean);
}

void figure_row(struct figure *f)
{
	if (f->dat.len && f->dat.s[f->dat.len - 1] == ' ')
		f->dat.s[--f->dat.len] = 0;
	str_addc(&f->dat, '\n');
	f->rows++;
}

void figure_gap(struct figure *f)
{
	if (f->rows)
		str_addc(&f->dat, '\n');
}

void figure_end(struct figure *f)
{
	close_block(f);
}

/* ---- labels --------------------------------------------------------------------------------------------- */

const char *figure_short(struct arena *a, const char *label, int most)
{
	const char *s = label, *cut = label;
	int n = 0;

	for (; escape_char(&s); n++)
		if (n < most - 1)
			cut = s;
	return n <= most ? label : arena_printf(a, "%.*s\xe2\x80\xa6", (int)(cut - label), label);
}

struct box {
	double x, y, w, h; /* centre and extent */
};

static bool apart(const struct box *a, const struct box *b)
{
	return fabs(a->x - b->x) >= (a->w + b->w) / 2 || fabs(a->y - b->y) >= (a->h + b->h) / 2;
}

static bool is_free(const struct box *b, const struct box *placed, int n, const struct point *mark, int n_marks)
{
	for (int k = 0; k < n; k++)
		if (!apart(b, &placed[k]))
			return false;
	for (int k = 0; k < n_marks; k++)
		if (!apart(b, &(struct box){ mark[k].x, mark[k].y, 0.18, 0.18 }))
			return false;
	return true;
}

void figure_place(const struct figure *f, struct figure_label *label, int n, const struct point *mark, int n_marks)
{
	/* right, left, above, below, and the corners */
	static const double way[8][2] = { { 1, 0 }, { -1, 0 }, { 0, 1 },  { 0, -1 },
					  { 1, 1 }, { -1, 1 }, { 1, -1 }, { -1, -1 } };
	double w = f->width - f->left - f->right, h = f->height - f->top - f->bottom, line = 0.038 * f->points;
	struct box *placed = mem_new((size_t)(n + 1) * sizeof *placed);
	int m = 0;

	for (int i = 0; i < n; i++) {
		struct box b = { .w = figure_text_width(label[i].text, f->points), .h = line };
		bool found = false;

		for (int k = 0; k < 8 && !found; k++) {
			b.x = label[i].x + way[k][0] * (b.w / 2 + 0.2);
			b.y = label[i].y + way[k][1] * (line - 0.02);
			found = b.x - b.w / 2 >= 0 && b.x + b.w / 2 <= w && b.y - b.h / 2 >= 0 && b.y + b.h / 2 <= h &&
				is_free(&b, placed, m, mark, n_marks);
		}
		label[i].x = found ? b.x : (double)NAN;
		label[i].y = found ? b.y : (double)NAN;
		if (found)
			placed[m++] = b;
	}
	mem_free(placed);
}
