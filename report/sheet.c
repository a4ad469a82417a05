/* report/sheet.c - see sheet.h. Charts are laid out first, which gives the scales and sizes; then places; then paint.
 */
#include "report/sheet.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "report/canvas.h"
#include "report/escape.h"
#include "report/metric.h"
#include "report/snac_label.h"
#include "report/snac_layout.h"
#include "report/snac_legend.h"

#define MINUS "\xe2\x88\x92"

enum { MARGIN = 16, HEAD = 26, COLUMNS = 6, WIDTH = 1400 };

static const struct font name_font = { 11, ANCHOR_START, true, false, INK_TEXT };
static const struct font title_font = { 17, ANCHOR_START, true, false, INK_TEXT };
static const struct font number_font = { 11, ANCHOR_END, false, false, INK_TEXT };
static const struct font head_font = { 10, ANCHOR_END, false, false, INK_MUTED };
static const struct pen rule = { INK_GRID, 1, DASH_NONE };
static const struct pen strong = { INK_MUTED, 1, DASH_NONE };

struct sheet {
	const struct sheet_model *models;
	int n;
	const struct sheet_opts *o;
	struct snac_style style;
	struct layout *charts;
	struct legend key;
	struct canvas *c;
	double width, height, names, chips, legend;
};

void sheet_model_of(struct sheet_model *out, const struct graph *g)
{
	struct cost cost = { 0 };

	graph_cost(g, &cost, NULL);
	*out = (struct sheet_model){ g, g->name ? g->name : "model", (double)NAN, cost.params, cost.macs };
}

const char *sheet_text(struct canvas *c, const char *text, const struct font *font, double width)
{
	struct str clean = { 0 };
	const char *out;

	escape_plain(&clean, text ? text : "");
	out = text_fit(c, arena_strdup(canvas_arena(c), str_get(&clean)), font, width);
	str_release(&clean);
	return out;
}

/* Texts may be shown in a wider typeface than the one that is measured. */
static double roomy(const char *text, const struct font *f)
{
	return text_width(text, f) * 1.12;
}

/* ---- numbers -------------------------------------------------------------------------------------------- */

enum column { COL_ACCURACY, COL_ACCURACY_DELTA, COL_PARAMS, COL_PARAMS_DELTA, COL_MACS, COL_MACS_DELTA };

static const char *const column_titles[COLUMNS] = { NULL,         "difference",    "parameters",
						    "difference", "multiply-adds", "difference" };

/* Models of one sheet predict the same; if they do not, the first one gives the word. */
static const struct metric *metric_of(const struct sheet *s)
{
	return metric_of_task(s->models[0].graph->outputs[0].task);
}

static const char *column_title(const struct sheet *s, int k)
{
	return column_titles[k] ? column_titles[k] : s->n && metric_of(s)->share ? "val. accuracy" : "val. R2";
}

static bool any_accuracy(const struct sheet *s)
{
	for (int i = 0; i < s->n; i++)
		if (!isnan(s->models[i].accuracy))
			return true;
	return false;
}

static bool has_column(const struct sheet *s, int k)
{
	if (k % 2 && s->o->against < 0)
		return false;
	return k / 2 != COL_ACCURACY / 2 || any_accuracy(s);
}

static void signed_text(char out[40], double v, const char *digits)
{
	snprintf(out, 40, "%s%s", v < 0 ? MINUS : v > 0 ? "+" : "\xc2\xb1", digits);
}

/* What stands in a cell; *better: -1 worse, 1 better than the model it is compared with. */
static void cell_text(const struct sheet *s, int i, int k, char out[40], int *better)
{
	const struct sheet_model *m = &s->models[i], *to = s->o->against >= 0 ? &s->models[s->o->against] : m;
	int64_t v = k <= COL_PARAMS_DELTA ? m->params : m->macs, base = k <= COL_PARAMS_DELTA ? to->params : to->macs;
	double accuracy = m->accuracy - to->accuracy;
	char digits[METRIC_TEXT];

	*better = 0;
	out[0] = 0;
	if (k % 2 && m == to)
		return;
	if (k == COL_ACCURACY && !isnan(m->accuracy))
		metric_text(out, metric_of(s), m->accuracy);
	if (k == COL_ACCURACY_DELTA && !isnan(accuracy)) {
		signed_text(out, accuracy, metric_number(digits, metric_of(s), fabs(accuracy)));
		*better = accuracy > 0 ? 1 : accuracy < 0 ? -1 : 0;
	}
	if (k == COL_PARAMS || k == COL_MACS)
		str_thousands(out, v);
	if (k == COL_PARAMS_DELTA || k == COL_MACS_DELTA) {
		signed_text(out, (double)(v - base), str_thousands(digits, v < base ? base - v : v - base));
		*better = v < base ? 1 : v > base ? -1 : 0;
	}
}

static double column_width(const struct sheet *s, int k)
{
	double w = roomy(column_title(s, k), &head_font);
	char text[40];
	int better;

	for (int i = 0; i < s->n; i++) {
		cell_text(s, i, k, text, &better);
		w = fmax(w, roomy(text, &number_font));
	}
	return w + 18;
}

/* ---- common parts --------------------------------------------------------------------------------------- */

static double names_width(const struct sheet *s, double most)
{
	double w = 0;

	for (int i = 0; i < s->n; i++)
		w = fmax(w, s->models[i].name ? 1.1 * roomy(s->models[i].name, &name_font) : 0);
	return fmin(w, most);
}

static void lay_out(struct sheet *s)
{
	s->key.upright = s->style.vertical;
	for (int i = 0; i < s->n; i++) {
		s->style.largest = fmax(s->style.largest, snac_largest(s->models[i].graph));
		snac_kinds(s->models[i].graph, s->key.used);
	}
	for (int i = 0; i < s->n; i++) {
		layout_begin(&s->charts[i], s->models[i].graph, &s->style);
		s->key.skips = s->key.skips || s->charts[i].p.n_bars;
		for (int b = 0; b < s->charts[i].p.n_plates; b++)
			s->key.copies = s->key.copies || s->charts[i].p.plates[b].count > 1;
		s->chips =
		    fmax(s->chips, s->style.vertical ? layout_height(&s->charts[i]) : layout_width(&s->charts[i]));
	}
	s->legend = s->o->legend ? 14 : 0;
}

static void paint_legend(struct sheet *s, double y)
{
	if (s->o->legend)
		legend_paint(s->c, &s->key, s->width - 2 * MARGIN, MARGIN, y + 14);
}

/* ---- one model ------------------------------------------------------------------------------------------ */

static const char *about(struct sheet *s)
{
	const struct sheet_model *m = &s->models[0];
	char params[32], macs[32], shape[48], number[METRIC_TEXT];
	const char *accuracy = isnan(m->accuracy)
				   ? ""
				   : arena_printf(canvas_arena(s->c), "%s validation %s, ",
						  metric_text(number, metric_of(s), m->accuracy), metric_of(s)->name);

	return arena_printf(canvas_arena(s->c), "%s%s parameters, %s multiply-adds, %d layers, input %s", accuracy,
			    str_thousands(params, m->params), str_thousands(macs, m->macs), m->graph->n_nodes,
			    shape_text(shape, &m->graph->inputs[0].shape));
}

static void draw_one(struct sheet *s, struct arena *a)
{
	static const struct font about_font = { 11, ANCHOR_START, false, false, INK_MUTED };
	double top = 54;

	lay_out(s);
	s->width = fmax(layout_width(&s->charts[0]) + 2 * MARGIN, 420);
	if (s->o->legend)
		s->legend += legend_height(&s->key, s->width - 2 * MARGIN);
	s->height = top + layout_height(&s->charts[0]) + s->legend + MARGIN;
	s->c = canvas_new(a, ceil(s->width), ceil(s->height));
	canvas_text(s->c, MARGIN, 26, title_font,
		    sheet_text(s->c, s->models[0].name, &title_font, s->width - 2 * MARGIN));
	canvas_text(s->c, MARGIN, 43, about_font, text_fit(s->c, about(s), &about_font, s->width - 2 * MARGIN));
	layout_paint(&s->charts[0], s->c, MARGIN, top);
	paint_legend(s, top + layout_height(&s->charts[0]));
}

/* ---- a table: a row a model ----------------------------------------------------------------------------- */

static double row_height(const struct sheet *s, int i)
{
	return fmax(layout_height(&s->charts[i]), 16) + 8;
}

static void draw_cells(struct sheet *s, int i, double y, const double *widths)
{
	double x = MARGIN + s->names + 14 + s->chips;

	for (int k = 0; k < COLUMNS; k++) {
		struct font f = number_font;
		char text[40];
		int better;

		if (!has_column(s, k))
			continue;
		x += widths[k];
		cell_text(s, i, k, text, &better);
		if (k % 2)
			f.ink = better > 0 ? INK_LINE + 2 : better < 0 ? INK_ACCENT : INK_MUTED;
		canvas_text(s->c, x, y, f, text);
	}
}

static void draw_heads(struct sheet *s, const double *widths)
{
	struct font left = head_font;
	double x = MARGIN + s->names + 14 + s->chips;

	left.anchor = ANCHOR_START;
	canvas_text(s->c, MARGIN, MARGIN + 8, left, "model");
	canvas_text(s->c, MARGIN + s->names + 14, MARGIN + 8, left, "layers, first to last");
	for (int k = 0; k < COLUMNS; k++)
		if (has_column(s, k)) {
			x += widths[k];
			canvas_text(s->c, x, MARGIN + 8, head_font, column_title(s, k));
		}
	canvas_line(s->c, MARGIN, MARGIN + 15, s->width - MARGIN, MARGIN + 15, strong);
}

static void draw_row(struct sheet *s, int i, double y, const double *widths)
{
	double h = row_height(s, i), axis = y + 4 + s->charts[i].before;

	if (layout_height(&s->charts[i]) < 16)
		axis = y + h / 2;
	canvas_text(s->c, MARGIN, axis + 4, name_font, sheet_text(s->c, s->models[i].name, &name_font, s->names / 1.2));
	layout_paint(&s->charts[i], s->c, MARGIN + s->names + 14, axis - s->charts[i].before);
	draw_cells(s, i, axis + 4, widths);
	canvas_line(s->c, MARGIN, y + h, s->width - MARGIN, y + h, rule);
}

static void draw_table(struct sheet *s, struct arena *a)
{
	double widths[COLUMNS] = { 0 }, numbers = 0, y = MARGIN + HEAD - 8;

	s->names = fmax(names_width(s, 210), 40);
	for (int k = 0; k < COLUMNS; k++)
		if (has_column(s, k))
			numbers += widths[k] = column_width(s, k);
	if (s->style.width <= 0)
		s->style.width =
		    fmax((s->o->width > 0 ? s->o->width : WIDTH) - 2 * MARGIN - s->names - 14 - numbers, 200);
	lay_out(s);
	s->chips = fmax(s->chips, 560 - 2 * MARGIN - s->names - 14 - numbers);
	s->width = 2 * MARGIN + s->names + 14 + s->chips + numbers;
	if (s->o->legend)
		s->legend += legend_height(&s->key, s->width - 2 * MARGIN);
	s->height = y + s->legend + MARGIN;
	for (int i = 0; i < s->n; i++)
		s->height += row_height(s, i);
	s->c = canvas_new(a, ceil(s->width), ceil(s->height));
	draw_heads(s, widths);
	for (int i = 0; i < s->n; i++) {
		draw_row(s, i, y, widths);
		y += row_height(s, i);
	}
	paint_legend(s, y);
}

/* ---- upright: a column a model ---------------------------------------------------------------------------- */

enum { LINE = 15, PROGRESS = 86 };

static const struct font under_font = { 10, ANCHOR_MIDDLE, false, false, INK_TEXT };

/* Names often begin alike, as in "fashion-7", "fashion-12": what stands before the last '-', '_' or '/' that all share.
 */
static int common_prefix(const struct sheet *s)
{
	int n = 0;

	for (int k = 0;; k++) {
		for (int i = 0; i < s->n; i++)
			if (!s->models[i].name || !s->models[i].name[k] || s->models[i].name[k] != s->models[0].name[k])
				return n;
		if (strchr("-_/", s->models[0].name[k]))
			n = k + 1;
	}
}

struct columns {
	struct sheet *s;
	double left, width; /* of the titles; of a column */
	double axis;        /* of its chips, from its left side */
	int per_band, prefix;
	double progress, numbers;
	int lines;
};

/* One digit less than elsewhere: there is little room. */
static char *short_number(char out[40], const struct metric *m, double v)
{
	snprintf(out, 40, "%.*f", m->digits - 1, m->scale * v);
	return out;
}

static void number_lines(const struct columns *k, int i, char text[3][40])
{
	const struct sheet_model *m = &k->s->models[i];
	char params[16], macs[16];
	int line = 0;

	if (any_accuracy(k->s)) {
		text[line][0] = 0;
		if (!isnan(m->accuracy))
			short_number(text[line], metric_of(k->s), m->accuracy);
		line++;
	}
	snprintf(text[line++], 40, "%s", label_count(params, m->params));
	snprintf(text[line], 40, "%s", label_count(macs, m->macs));
}

static double column_mid(const struct columns *k, int i)
{
	return MARGIN + k->left + (i % k->per_band) * k->width + k->axis;
}

/* ---- accuracies in the order of a search ------------------------------------------------------------------ */

enum { WINDOW = 7 };

struct progress {
	const struct columns *k;
	double top, height, least, most; /* of the accuracies */
};

static double progress_y(const struct progress *p, double v)
{
	return p->top + p->height - (p->most > p->least ? (v - p->least) / (p->most - p->least) * (p->height - 6) : 0);
}

static void find_range(struct progress *p)
{
	const struct sheet *s = p->k->s;

	p->least = INFINITY;
	p->most = -INFINITY;
	for (int i = 0; i < s->n; i++)
		if (!isnan(s->models[i].accuracy)) {
			p->least = fmin(p->least, s->models[i].accuracy);
			p->most = fmax(p->most, s->models[i].accuracy);
		}
}

/* Mean and standard deviation of the accuracies around model i; false if there are fewer than three. */
static bool around(const struct sheet *s, int i, double *mean, double *sd)
{
	double sum = 0, squares = 0;
	int n = 0;

	for (int k = i - WINDOW / 2; k <= i + WINDOW / 2; k++)
		if (k >= 0 && k < s->n && !isnan(s->models[k].accuracy)) {
			sum += s->models[k].accuracy;
			squares += s->models[k].accuracy * s->models[k].accuracy;
			n++;
		}
	*mean = n ? sum / n : 0;
	*sd = n ? sqrt(fmax(squares / n - *mean * *mean, 0)) : 0;
	return n >= 3;
}

/* Moving mean, and one standard deviation on either side. */
static bool paint_mean(const struct progress *p, int first, int n)
{
	struct point *mean = ARENA_ARRAY(canvas_arena(p->k->s->c), struct point, n + 1);
	double low, high, m, sd;
	struct item *band;

	for (int i = 0; i < n; i++)
		if (!around(p->k->s, first + i, &m, &sd))
			return false;
	band = canvas_path(p->k->s->c, INK_LINE, (struct pen){ INK_NONE, 0, DASH_NONE });
	band->opacity = 0.14;
	for (int i = 0; i < 2 * n; i++) { /* there along the upper edge, back along the lower one */
		int at = i < n ? i : 2 * n - 1 - i;

		around(p->k->s, first + at, &m, &sd);
		low = fmax(m - sd, p->least);
		high = fmin(m + sd, p->most);
		(i ? path_line : path_move)(p->k->s->c, column_mid(p->k, first + at),
					    progress_y(p, i < n ? high : low));
		mean[at] = (struct point){ column_mid(p->k, first + at), progress_y(p, m) };
	}
	path_close(p->k->s->c);
	canvas_polyline(p->k->s->c, mean, n, (struct pen){ INK_LINE, 1, DASH_DASHED });
	return true;
}

/* The best so far as a line of steps; a disc for every model. */
static void paint_best(const struct progress *p, int first, int n)
{
	const struct sheet *s = p->k->s;
	const struct pen pen = { INK_ACCENT, 1.5, DASH_NONE };
	double best = -INFINITY, before = column_mid(p->k, first) - p->k->axis;

	for (int i = 0; i < first; i++)
		best = fmax(best, isnan(s->models[i].accuracy) ? best : s->models[i].accuracy);
	for (int i = first; i < first + n; i++) {
		double x = column_mid(p->k, i), v = s->models[i].accuracy, now = isnan(v) ? best : fmax(best, v);

		if (isfinite(best))
			canvas_line(s->c, before, progress_y(p, best), x, progress_y(p, best), pen);
		if (isfinite(best) && now > best)
			canvas_line(s->c, x, progress_y(p, best), x, progress_y(p, now), pen);
		if (!isnan(v))
			canvas_disc(s->c, x, progress_y(p, v), 2.6, v == now ? INK_ACCENT : INK_MUTED);
		best = now;
		before = x;
	}
}

static void draw_progress(const struct columns *k, double top, int first, int n)
{
	struct progress p = { .k = k, .top = top, .height = PROGRESS - 22 };
	struct font f = { 9, ANCHOR_END, false, false, INK_MUTED };
	struct sheet *s = k->s;
	double left = MARGIN + k->left, base = top + p.height;
	const struct metric *m = metric_of(s);
	char text[40];

	find_range(&p);
	canvas_textf(s->c, left - 8, top + 9, f, "%s%s", short_number(text, m, p.most), m->unit);
	canvas_textf(s->c, left - 8, base + 3, f, "%s%s", short_number(text, m, p.least), m->unit);
	canvas_line(s->c, left, base + 6, left + n * k->width, base + 6, rule);
	if (paint_mean(&p, first, n)) {
		f.ink = INK_LINE;
		canvas_textf(s->c, left - 8, top + 46, f, "mean of %d", WINDOW);
	}
	f.ink = INK_ACCENT;
	canvas_text(s->c, left - 8, top + 34, f, "best so far");
	paint_best(&p, first, n);
}

static void draw_column(const struct columns *k, int i, double base)
{
	struct sheet *s = k->s;
	struct layout *l = &s->charts[i];
	struct font f = { 10, ANCHOR_MIDDLE, true, false, INK_TEXT };
	double x = column_mid(k, i), room = 2 * fmin(k->axis, k->width - k->axis) - 4;
	char text[3][40];

	layout_paint(l, s->c, x - l->before, base - layout_height(l));
	canvas_text(s->c, x, base + 15, f,
		    sheet_text(s->c, s->models[i].name ? s->models[i].name + k->prefix : "", &f, room));
	number_lines(k, i, text);
	for (int line = 0; line < k->lines; line++)
		canvas_text(s->c, x, base + 15 + (line + 1) * LINE, under_font,
			    text_fit(s->c, text[line], &under_font, room));
}

static double draw_band(const struct columns *k, int first, double y)
{
	struct sheet *s = k->s;
	const char *const titles[] = { metric_of(s)->axis, "parameters", "multiply-adds" };
	int n = s->n - first < k->per_band ? s->n - first : k->per_band;
	struct font f = head_font;
	double highest = 0, base;

	for (int i = first; i < first + n; i++)
		highest = fmax(highest, layout_height(&s->charts[i]));
	base = y + k->progress + highest;
	f.anchor = ANCHOR_START;
	if (k->prefix)
		canvas_text(s->c, MARGIN, base + 15, f,
			    sheet_text(s->c, arena_printf(canvas_arena(s->c), "%.*s", k->prefix, s->models[0].name), &f,
				       k->left - 8));
	for (int line = 0; line < k->lines; line++)
		canvas_text(s->c, MARGIN, base + 15 + (line + 1) * LINE, f, titles[3 - k->lines + line]);
	canvas_line(s->c, MARGIN + k->left, base + 2, MARGIN + k->left + n * k->width, base + 2, strong);
	if (k->progress > 0)
		draw_progress(k, y, first, n);
	for (int i = first; i < first + n; i++)
		draw_column(k, i, base);
	return base + k->numbers;
}

static void draw_columns(struct sheet *s, struct arena *a)
{
	struct columns k = { .s = s, .left = 84, .axis = 20, .prefix = s->n > 1 ? common_prefix(s) : 0 };
	double most = s->o->width > 0 ? s->o->width : WIDTH, y = MARGIN, height = 0, after = 20;
	int bands;

	lay_out(s);
	k.lines = any_accuracy(s) ? 3 : 2;
	k.numbers = 20 + (k.lines + 1) * LINE;
	k.progress = s->o->searched && any_accuracy(s) ? PROGRESS : 0;
	for (int i = 0; i < s->n; i++) {
		k.axis = fmax(k.axis, s->charts[i].before + 3);
		after = fmax(after, s->charts[i].after + 3);
	}
	k.width = k.axis + after;
	k.per_band = (int)fmax(1, (most - 2 * MARGIN - k.left) / k.width);
	bands = (s->n + k.per_band - 1) / k.per_band;
	k.per_band = (s->n + bands - 1) / bands; /* of about the same length */
	s->width = fmax(2 * MARGIN + k.left + k.per_band * k.width, 420);
	for (int i = 0; i < s->n; i += k.per_band) {
		double highest = 0;

		for (int j = i; j < s->n && j < i + k.per_band; j++)
			highest = fmax(highest, layout_height(&s->charts[j]));
		height += k.progress + highest + k.numbers;
	}
	if (s->o->legend)
		s->legend += legend_height(&s->key, s->width - 2 * MARGIN);
	s->height = MARGIN + height + s->legend + MARGIN;
	s->c = canvas_new(a, ceil(s->width), ceil(s->height));
	for (int i = 0; i < s->n; i += k.per_band)
		y = draw_band(&k, i, y);
	paint_legend(s, y);
}

struct canvas *sheet_draw(const struct sheet_model *models, int n, const struct sheet_opts *o, struct arena *a)
{
	struct sheet s = { .models = models, .n = n, .o = o, .style = o->style };

	s.charts = mem_new((size_t)(n > 0 ? n : 1) * sizeof *s.charts);
	if (n == 1 && !o->style.vertical)
		draw_one(&s, a);
	else if (o->style.vertical)
		draw_columns(&s, a);
	else
		draw_table(&s, a);
	for (int i = 0; i < n; i++)
		layout_release(&s.charts[i]);
	mem_free(s.charts);
	return s.c;
}

/* ---- lines of text ---------------------------------------------------------------------------------------- */

/* The first `width` characters of a clean text, and blanks up to there. */
static void add_cell(struct str *out, const char *text, int width)
{
	struct str clean = { 0 };
	const char *s;
	int n = 0;

	escape_plain(&clean, text ? text : "");
	for (s = str_get(&clean); *s && n < width; n++)
		do
			str_addc(out, *s++);
		while (((unsigned char)*s & 0xc0) == 0x80);
	for (; n < width; n++)
		str_addc(out, ' ');
	str_release(&clean);
}

void sheet_lines(struct str *out, const struct sheet_model *models, int n, bool colour, int columns)
{
	struct sheet s = { .models = models, .n = n };
	bool accuracy = any_accuracy(&s);
	int name = 5;
	char params[32], macs[32], number[METRIC_TEXT];

	for (int i = 0; i < n; i++) {
		int w = models[i].name ? (int)strlen(models[i].name) : 0;

		name = w > name ? w : name;
	}
	name = name < 28 ? name : 28;
	add_cell(out, "model", name);
	str_addf(out, "%s %12s %14s  layers\n",
		 !accuracy              ? ""
		 : metric_of(&s)->share ? "  val acc"
					: "   val R2",
		 "parameters", "multiply-adds");
	for (int i = 0; i < n; i++) {
		int rest = columns - name - (accuracy ? 9 : 0) - 30;

		add_cell(out, models[i].name, name);
		if (accuracy && isnan(models[i].accuracy))
			str_addf(out, " %8s", "-");
		else if (accuracy)
			str_addf(out, metric_of(&s)->share ? " %7s%%" : " %8s",
				 metric_number(number, metric_of(&s), models[i].accuracy));
		str_addf(out, " %12s %14s  ", str_thousands(params, models[i].params),
			 str_thousands(macs, models[i].macs));
		snac_line(out, models[i].graph, colour, columns > 0 && rest > 20 ? rest : 0);
		str_addc(out, '\n');
	}
}
