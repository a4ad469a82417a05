/* report/plots.c - see plots.h. */
#include "report/plots.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "report/chart.h"
#include "report/gather.h"

enum { CROWD = 1000 }; /* marks of a plot from which on it shows not all */

const char *const plot_x_names[] = { "params", "macs", "seconds", "order", NULL };
const char *const plot_x_titles[] = { "parameters", "multiply-adds per example", "seconds of training",
				      "order of the search", NULL };

static double x_of(const struct report_row *w, enum plot_x x)
{
	switch (x) {
	case PLOT_PARAMS:
		return (double)w->params;
	case PLOT_MACS:
		return (double)w->macs;
	case PLOT_SECONDS:
		return w->seconds;
	case PLOT_ORDER:
		return w->candidate->origin == ORIGIN_SEARCH ? (double)w->candidate->number + 1 : (double)NAN;
	case PLOT_X_COUNT:
		break;
	}
	return (double)NAN;
}

static int by_x(const void *a, const void *b)
{
	const struct point *p = a, *q = b;

	if (p->x != q->x)
		return p->x < q->x ? -1 : 1;
	return p->y > q->y ? -1 : p->y < q->y;
}

/* The best y so far from left to right: over costs that is the Pareto front. p is sorted in place; returns how many
 * points the line has, in out. */
static int front(struct point *p, int n, struct point *out, bool to_the_end)
{
	double best = -INFINITY, last = 0;
	int m = 0;

	qsort(p, (size_t)n, sizeof *p, by_x);
	for (int i = 0; i < n; i++) {
		last = p[i].x;
		if (p[i].y <= best)
			continue;
		best = p[i].y;
		out[m++] = p[i];
	}
	if (m && to_the_end)
		out[m++] = (struct point){ last, best };
	return m;
}

static void fill_mark(struct mark *m, const struct report *r, int i, enum plot_x x)
{
	const struct report_row *w = &r->rows[i];
	bool baseline = w->candidate->origin == ORIGIN_BASELINE;
	struct str title = { 0 };
	char params[32], text[METRIC_TEXT], interval[METRIC_INTERVAL];

	str_addf(&title, "%s\n%s %s", w->label, r->metric->name, metric_text(text, r->metric, w->accuracy));
	if (!isnan(w->low))
		str_addf(&title, " %s", metric_interval(interval, r->metric, w->low, w->high));
	str_addf(&title, "\n%s parameters", str_thousands(params, w->params));
	*m = (struct mark){ .x = x_of(w, x),
			    .y = w->accuracy,
			    .low = w->low,
			    .high = w->high,
			    .ink = baseline ? INK_LINE + 1 : INK_LINE + 0,
			    .square = baseline,
			    .hollow = false,
			    .radius = baseline ? 4.5 : 4.5,
			    .key = arena_printf(r->a, "%d", i),
			    .title = arena_strdup(r->a, str_get(&title)),
			    .label = baseline ? w->label : NULL };
	str_release(&title);
}

/* Of very many models only those with details and those on the line are drawn: nobody can tell the others apart, and a
 * page with all of them would be slow. Returns how many are left. */
static int thin_out(const struct report *r, struct mark *marks, int n)
{
	int kept = 0;

	if (n <= CROWD)
		return n;
	for (int i = 0; i < n; i++)
		if (marks[i].label || r->rows[atoi(marks[i].key)].detailed)
			marks[kept++] = marks[i];
	return kept;
}

struct canvas *plot_merit(const struct report *r, enum plot_x x, double width, double height)
{
	struct mark *marks = ARENA_ARRAY(r->a, struct mark, r->n_ranked + 1);
	struct point *p = ARENA_ARRAY(r->a, struct point, r->n_ranked + 1);
	struct point *line = ARENA_ARRAY(r->a, struct point, r->n_ranked + 2);
	struct series best = { .point = line, .ink = INK_MUTED, .width = 1.5, .steps = true, .opacity = 0.8 };
	struct chart c = { .width = width, .height = height, .marks = marks, .a = r->a };
	int n = 0;

	for (int i = 0; i < r->n_ranked; i++) {
		double v = x_of(&r->rows[i], x);

		if (isnan(v) || isnan(r->rows[i].accuracy) || (x != PLOT_ORDER && v <= 0))
			continue;
		fill_mark(&marks[n], r, i, x);
		p[n++] = (struct point){ v, r->rows[i].accuracy };
	}
	best.n = front(p, n, line, true);
	for (int i = 0; i < n; i++) /* who stands on the line is named */
		for (int k = 0; k + 1 < best.n; k++)
			if (line[k].x == marks[i].x && line[k].y == marks[i].y)
				marks[i].label = r->rows[atoi(marks[i].key)].label;
	c.n_marks = thin_out(r, marks, n);
	c.series = &best;
	c.n_series = 1;
	c.x = (struct axis){ .title = c.n_marks == n
					  ? plot_x_titles[x]
					  : arena_printf(r->a, "%s (%d of %d models: the detailed ones, and the line)",
							 plot_x_titles[x], c.n_marks, n),
			     .log = x != PLOT_ORDER,
			     .unit = x == PLOT_ORDER ? AXIS_WHOLE : AXIS_PLAIN };
	c.y = (struct axis){ .title = arena_printf(r->a, "validation %s", r->metric->name),
			     .unit = r->classify ? AXIS_SHARE : AXIS_PLAIN };
	return chart_draw(&c);
}

/* The range of a curve without what only its first epochs or a divergence would stretch: from the smallest to the 98th
 * percentile, and all of it when that is not much more. */
static void calm_range(struct axis *y, double *v, int n)
{
	double high;

	for (int i = n; i-- > 0;)
		if (!isfinite(v[i]))
			v[i] = v[--n];
	if (n < 8)
		return;
	for (int i = 1; i < n; i++) /* insertion: curves are short and nearly sorted */
		for (int k = i; k > 0 && v[k - 1] > v[k]; k--) {
			double t = v[k];

			v[k] = v[k - 1];
			v[k - 1] = t;
		}
	high = v[(int)(0.98 * (n - 1))];
	if (v[n - 1] - v[0] <= 2 * (high - v[0]))
		return;
	y->low = v[0] - 0.04 * (high - v[0]);
	y->high = high + 0.04 * (high - v[0]);
}

static double curve_value(const struct store_epoch *p, enum plot_curve which, bool train)
{
	if (which == CURVE_LOSS)
		return train ? p->train_loss : p->val_loss;
	return train ? p->train_accuracy : p->val_accuracy;
}

struct canvas *plot_curves(const struct report *r, const struct report_row *w, enum plot_curve which, double width,
			   double height)
{
	struct series *s = ARENA_ARRAY(r->a, struct series, 2 * w->n_runs + 1);
	struct chart c = { .width = width, .height = height, .series = s, .a = r->a };
	int total = 0, n = 0, longest = 1;
	double *all;

	for (int i = 0; i < w->n_runs; i++) {
		total += 2 * w->runs[i].n_epochs;
		for (int k = 0; k < w->runs[i].n_epochs; k++)
			longest = w->runs[i].epochs[k].epoch > longest ? w->runs[i].epochs[k].epoch : longest;
	}
	all = ARENA_ARRAY(r->a, double, total + 1);
	for (int i = 0; i < 2 * w->n_runs; i++) {
		const struct report_run *u = &w->runs[i / 2];
		bool train = i % 2 == 0;
		struct point *p = ARENA_ARRAY(r->a, struct point, u->n_epochs + 1);

		for (int k = 0; k < u->n_epochs; k++) {
			p[k] = (struct point){ u->epochs[k].epoch, curve_value(&u->epochs[k], which, train) };
			all[n++] = p[k].y;
		}
		s[i] = (struct series){ .name = i == 0   ? "training"
						: i == 1 ? "validation"
							 : NULL,
					.point = p,
					.n = u->n_epochs,
					.ink = train ? INK_LINE + 6 : INK_LINE + 0,
					.dash = train ? DASH_DASHED : DASH_NONE,
					.width = w->n_runs > 1 ? 1.1 : 1.8,
					.opacity = w->n_runs > 1 ? 0.75 : 1 };
	}
	c.n_series = 2 * w->n_runs;
	c.title = which == CURVE_LOSS ? "Loss" : r->classify ? "Accuracy" : r->metric->name;
	c.x = (struct axis){
		.title = "epoch", .unit = AXIS_WHOLE, .low = longest > 1 ? 1 : 0.5, .high = longest > 1 ? longest : 1.5
	};
	c.y = (struct axis){ .unit = which == CURVE_ACCURACY && r->classify ? AXIS_SHARE : AXIS_PLAIN };
	if (which == CURVE_LOSS)
		calm_range(&c.y, all, n);
	return chart_draw(&c);
}

struct canvas *plot_whisker(const struct report *r, const struct report_row *w, double width, double height)
{
	struct canvas *c = canvas_new(r->a, width, height);
	double low = INFINITY, high = -INFINITY, y = height / 2, scale;
	enum ink ink = w->candidate->origin == ORIGIN_BASELINE ? INK_LINE + 1 : INK_LINE + 0;

	for (int i = 0; i < r->n_ranked; i++) {
		const struct report_row *o = &r->rows[i];

		if (isnan(o->accuracy))
			continue;
		low = fmin(low, isnan(o->low) ? o->accuracy : o->low);
		high = fmax(high, isnan(o->high) ? o->accuracy : o->high);
	}
	if (isnan(w->accuracy) || !(high >= low))
		return c;
	scale = high > low ? (width - 10) / (high - low) : 0;
	canvas_line(c, 0, y, width, y, (struct pen){ INK_GRID, 1, DASH_NONE });
	if (!isnan(w->low))
		canvas_line(c, 5 + (w->low - low) * scale, y, 5 + (w->high - low) * scale, y,
			    (struct pen){ ink, 2.5, DASH_NONE });
	canvas_disc(c, 5 + (w->accuracy - low) * scale, y, 3, ink);
	return c;
}
