/* report/gnuplot_parallel.c - parallel coordinates: a line a model through its hyper-parameters to its accuracy, which
 * colours it.
 *
 * An axis is logarithmic where its values are positive and span more than two decades; where a value is no number,
 * the values are categories, and their names stand on the axis. Finished models alone decide the range of an axis; a
 * failed one is drawn thin and gray, ends before the accuracy, and leaves an axis where it lies outside its range.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "report/chart.h"
#include "report/figure.h"
#include "report/gather.h"
#include "report/hyper.h"

enum { MOST_AXES = 10, MOST_NAMES = 12, MOST_LINES = 400 };

#define LEAST 1.5 /* cm between two axes */

struct coordinate {
	const char *name;
	double *v;            /* [rows] number, or number of the category, or NAN */
	const char **name_of; /* [n_names] categories, or NULL */
	int n_names;
	struct axis axis;
};

struct bundle {
	const struct plot_request *q;
	const int *row; /* rows of the report that are drawn */
	int n;
	struct coordinate axis[MOST_AXES];
	int n_axes;
	struct arena *a;
};

static bool finished(const struct report_row *w)
{
	return w->n_done > 0 && !isnan(w->accuracy);
}

static const struct report_row *row_of(const struct bundle *b, int i)
{
	return &b->q->report->rows[b->row[i]];
}

/* ---- axes ----------------------------------------------------------------------------------------------- */

/* From finished models; false if they have fewer than two values, and the axis would say nothing. */
static bool set_range(const struct bundle *b, struct coordinate *c)
{
	double low = INFINITY, high = -INFINITY;

	for (int i = 0; i < b->n; i++)
		if (finished(row_of(b, i)) && !isnan(c->v[i])) {
			low = fmin(low, c->v[i]);
			high = fmax(high, c->v[i]);
		}
	if (!(high > low))
		return false;
	c->axis.log = !c->name_of && low > 0 && high / low > 100;
	c->axis.low = low;
	c->axis.high = high;
	return true;
}

static void add_axis(struct bundle *b, struct coordinate *c)
{
	if (b->n_axes < MOST_AXES && set_range(b, c))
		b->axis[b->n_axes++] = *c;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *plain(struct arena *a, const char *json)
{
	struct str text = { 0 };
	struct json *v = NULL;
	const char *out = json;

	if (json_parse(&v, json, strlen(json), "value", NULL) == 0) {
		json_brief(&text, v);
		out = arena_strdup(a, str_get(&text));
	}
	json_free(v);
	str_release(&text);
	return out;
}

/* The categories that occur, in alphabetical order; more than a few are no axis that can be read. */
static bool categories(const struct bundle *b, struct coordinate *c, const struct hyper *h)
{
	const char **names = ARENA_ARRAY(b->a, const char *, b->n + 1), **at;
	int n = 0;

	for (int i = 0; i < b->n; i++)
		if (h->value[b->row[i]])
			names[n++] = plain(b->a, h->value[b->row[i]]);
	qsort(names, (size_t)n, sizeof *names, by_name);
	for (int i = 0; i < n; i++)
		if (!i || strcmp(names[i], names[c->n_names - 1]) != 0)
			names[c->n_names++] = names[i];
	c->name_of = names;
	for (int i = 0; i < b->n; i++) {
		const char *value = h->value[b->row[i]] ? plain(b->a, h->value[b->row[i]]) : NULL;

		at = value ? bsearch(&value, names, (size_t)c->n_names, sizeof *names, by_name) : NULL;
		c->v[i] = at ? (double)(at - names) : (double)NAN;
	}
	return c->n_names <= MOST_NAMES;
}

static bool all_numbers(const struct bundle *b, const struct hyper *h)
{
	for (int i = 0; i < b->n; i++) {
		const char *s = h->value[b->row[i]];

		if (s && *s != '-' && (*s < '0' || *s > '9'))
			return false;
	}
	return true;
}

static void hyper_axis(struct bundle *b, const struct hyper *h)
{
	struct coordinate c = { .name = h->name, .v = ARENA_ARRAY(b->a, double, b->n + 1) };

	if (all_numbers(b, h)) {
		for (int i = 0; i < b->n; i++)
			c.v[i] = h->value[b->row[i]] ? strtod(h->value[b->row[i]], NULL) : (double)NAN;
	} else if (!categories(b, &c, h)) {
		return;
	}
	add_axis(b, &c);
}

static double depth_of(const struct report_row *w)
{
	return w->depth;
}

static double params_of(const struct report_row *w)
{
	return (double)w->params;
}

static double macs_of(const struct report_row *w)
{
	return (double)w->macs;
}

static double accuracy_of(const struct report_row *w)
{
	return finished(w) ? w->accuracy : (double)NAN;
}

static void row_axis(struct bundle *b, const char *name, double (*value)(const struct report_row *),
		     enum axis_unit unit)
{
	struct coordinate c = { .name = name, .v = ARENA_ARRAY(b->a, double, b->n + 1), .axis.unit = unit };

	for (int i = 0; i < b->n; i++)
		c.v[i] = value(row_of(b, i));
	add_axis(b, &c);
}

/* Hyper-parameters, then the model's own sizes, and the accuracy at the right. */
static void make_axes(struct bundle *b)
{
	struct hyper *h;
	int n = hyper_gather(&h, b->q->report, b->a);

	for (int i = 0; i < n && b->n_axes < MOST_AXES - 4; i++)
		hyper_axis(b, &h[i]);
	row_axis(b, "depth", depth_of, AXIS_WHOLE);
	row_axis(b, "multiply-adds", macs_of, AXIS_PLAIN);
	row_axis(b, "parameters", params_of, AXIS_PLAIN);
	row_axis(b, b->q->report->metric->axis, accuracy_of, b->q->report->classify ? AXIS_SHARE : AXIS_PLAIN);
}

/* 0 at the lower end, 1 at the upper one. */
static double height(const struct coordinate *c, double v)
{
	if (c->axis.log)
		return v > 0 ? log(v / c->axis.low) / log(c->axis.high / c->axis.low) : (double)NAN;
	return (v - c->axis.low) / (c->axis.high - c->axis.low);
}

/* ---- data ----------------------------------------------------------------------------------------------- */

static void line(struct figure *f, const struct bundle *b, int i)
{
	const struct report_row *w = row_of(b, i);

	str_add(&f->dat, "# ");
	figure_field(f, w->label);
	str_addc(&f->dat, '\n');
	for (int k = 0; k < b->n_axes; k++) {
		double y = height(&b->axis[k], b->axis[k].v[i]);

		if (isnan(y)) /* a recipe that does not have it: the line goes on to the next axis */
			continue;
		figure_value(f, k);
		figure_value(f, fmin(fmax(y, -0.04), 1.04));
		figure_value(f, b->q->report->metric->scale * w->accuracy);
		figure_row(f);
	}
	figure_gap(f);
}

static int by_accuracy(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return x[0] != y[0] ? (x[0] > y[0]) - (x[0] < y[0]) : (x[1] > y[1]) - (x[1] < y[1]);
}

/* The best are drawn last, over the others. */
static void lines(struct figure *f, const struct bundle *b)
{
	double(*order)[2] = mem_new((size_t)(b->n + 1) * sizeof *order);

	for (int i = 0; i < b->n; i++) {
		order[i][0] = finished(row_of(b, i)) ? row_of(b, i)->accuracy : (double)-INFINITY;
		order[i][1] = i;
	}
	qsort(order, (size_t)b->n, sizeof *order, by_accuracy);
	for (int pass = 0; pass < 2; pass++) {
		figure_block(f, pass ? "finished models, the best last: axis, place on it, accuracy"
				     : "failed models: axis, place on it");
		for (int k = 0; k < b->n; k++)
			if (finished(row_of(b, (int)order[k][1])) == (pass == 1))
				line(f, b, (int)order[k][1]);
	}
	mem_free(order);
}

static void tick(struct figure *f, int axis, double y, const char *text)
{
	figure_value(f, axis);
	figure_value(f, y);
	figure_field(f, text);
	figure_row(f);
}

static void ticks(struct figure *f, const struct bundle *b)
{
	figure_block(f, "ticks: axis, place on it, text");
	for (int k = 0; k < b->n_axes; k++) {
		const struct coordinate *c = &b->axis[k];
		double v[AXIS_TICKS];
		char text[32], *end;
		int n = c->name_of ? 0 : axis_ticks(v, &c->axis, 6);

		for (int i = 0; i < c->n_names; i++)
			tick(f, k, height(c, i), figure_short(b->a, c->name_of[i], 14));
		for (int i = 0; i < n; i++) {
			axis_text(text, &c->axis, v[i]);
			end = strstr(text, " %"); /* the axis' title says it */
			if (end)
				*end = 0;
			tick(f, k, height(c, v[i]), text);
		}
	}
	figure_block(f, "axes: number, lower and upper end, title");
	for (int k = 0; k < b->n_axes; k++) {
		figure_value(f, k);
		figure_value(f, 0);
		figure_value(f, 1);
		figure_field(f, figure_short(b->a, b->axis[k].name, 20));
		figure_row(f);
	}
}

/* ---- script --------------------------------------------------------------------------------------------- */

static void script(struct figure *f, const struct bundle *b)
{
	double scale = b->q->report->metric->scale, low = INFINITY, high = -INFINITY;

	for (int i = 0; i < b->n; i++)
		if (finished(row_of(b, i))) {
			low = fmin(low, scale * row_of(b, i)->accuracy);
			high = fmax(high, scale * row_of(b, i)->accuracy);
		}
	figure_margins(f, 0.4, 3, 0.3, 0.3);
	figure_colours(f, arena_printf(b->q->report->a, "validation %s", b->q->report->metric->axis), low, high);
	str_addf(&f->gp,
		 "unset border\nunset grid\nunset xtics\nunset ytics\nunset key\nset style textbox opaque noborder "
		 "margins 0.3,0.3\n"
		 "set xrange [-0.45:%g]\nset yrange [-0.06:1.12]\n"
		 /* viridis: even steps of lightness, for all kinds of colour vision, and in print */
		 "set palette defined (0 '#440154', 1 '#46327e', 2 '#365c8d', 3 '#277f8e', 4 '#1fa187', 5 '#4ac16d', "
		 "6 '#a0da39', 7 '#e8d71e')\n",
		 b->n_axes - 1 + 0.3);
	str_add(&f->gp, "plot ");
	figure_data(f);
	str_add(&f->gp, " index 0 using 1:2 with lines lw 0.8 dt (4,3) lc rgb '#8c8c8c', \\\n     ");
	figure_data(f);
	str_add(&f->gp, " index 1 using 1:2:3 with lines lw 1.2 lc palette, \\\n     ");
	figure_data(f);
	str_add(&f->gp, " index 3 using 1:2:(0):($3-$2) with vectors nohead lw 1.5 lc rgb '#1c2330', \\\n     ");
	figure_data(f);
	str_add(&f->gp, " index 2 using 1:2 with points pt 7 ps 0.25 lc rgb '#1c2330', \\\n     ");
	/* paper behind the numbers, so that lines do not cross them out; in LaTeX it would need another package */
	figure_data(f);
	str_addf(&f->gp, " index 2 using 1:2:3 with labels right offset -0.6,0%s, \\\n     ",
		 f->format == FIGURE_TEX ? "" : " boxed");
	figure_data(f);
	str_add(&f->gp, " index 3 using 1:(1.09):4 with labels center\n");
}

/* Of very many models every second, third, ... in order of merit: more lines are a blot. */
static int thin_out(int *row, int n)
{
	int step = (n + MOST_LINES - 1) / MOST_LINES, kept = 0;

	for (int i = 0; i < n; i += step)
		row[kept++] = row[i];
	return kept;
}

static int write(struct figure *f, const struct plot_request *q, struct err *e)
{
	const struct report *r = q->report;
	int *all = ARENA_ARRAY(r->a, int, r->n_rows + 1);
	struct bundle b = { .q = q, .row = q->n_rows ? q->rows : all, .n = q->n_rows, .a = r->a };
	int done = 0;

	(void)e;
	for (int i = 0; i < r->n_rows && !q->n_rows; i++)
		if (finished(&r->rows[i]) || run_state_final(r->rows[i].state))
			all[b.n++] = i;
	if (!q->n_rows)
		b.n = thin_out(all, b.n);
	make_axes(&b);
	figure_begin(f, q, fmax(2.6 * b.n_axes + 2.6, 12), 8);
	f->why = arena_printf(b.a, "its %d axes need a width of %.0f cm at least", b.n_axes, LEAST * b.n_axes + 4);
	if (f->width < LEAST * b.n_axes + 4)
		return 1;
	for (int i = 0; i < b.n; i++)
		done += finished(row_of(&b, i));
	if (done < 2 || b.n_axes < 2) {
		f->why = "it takes at least two finished models that differ in something";
		return 1;
	}
	lines(f, &b);
	ticks(f, &b);
	figure_end(f);
	script(f, &b);
	return 0;
}

const struct gnuplot_plot gnuplot_parallel = {
	.name = "parallel",
	.help = "parallel coordinates: hyper-parameters and sizes of every model, coloured by accuracy",
	.most = 1 << 20,
	.write = write,
};
