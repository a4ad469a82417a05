/* report/gnuplot_pareto.c - accuracy against cost, with 95 % intervals, the front of what nothing cheaper reaches, and
 * the names of who stands on it and of the baselines, where there is room.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "report/figure.h"
#include "report/gather.h"

/* Margins of the plot area in cm: labels are placed here, so its size must be known. */
#define LEFT   1.9
#define RIGHT  0.4
#define TOP    0.9
#define BOTTOM 1.5

struct cloud {
	const struct plot_request *q;
	struct point *p; /* cost and accuracy as they are plotted */
	const struct report_row **row;
	int n;
	double x0, x1, y0, y1; /* ranges of the axes; x: of position() */
	bool log;              /* costs span more than a factor of 4 */
	double scale;
};

static double cost_of(const struct report_row *w, enum plot_x x)
{
	return x == PLOT_SECONDS ? w->seconds : x == PLOT_MACS ? (double)w->macs : (double)w->params;
}

/* Where a cost lies on the axis, and the other way round. */
static double position(const struct cloud *c, double cost)
{
	return c->log ? log10(cost) : cost;
}

static double cost_at(const struct cloud *c, double position)
{
	return c->log ? pow(10, position) : position;
}

static bool is_baseline(const struct report_row *w)
{
	return w->candidate->origin == ORIGIN_BASELINE;
}

static void add_row(struct cloud *c, const struct report_row *w)
{
	double x = cost_of(w, c->q->x), y = c->scale * w->accuracy;

	if (!(x > 0) || !isfinite(x) || isnan(y))
		return;
	c->p[c->n] = (struct point){ x, y };
	c->row[c->n++] = w;
	c->x0 = fmin(c->x0, x);
	c->x1 = fmax(c->x1, x);
	c->y0 = fmin(c->y0, isnan(w->low) ? y : c->scale * w->low);
	c->y1 = fmax(c->y1, isnan(w->high) ? y : c->scale * w->high);
}

static void collect(struct cloud *c)
{
	const struct plot_request *q = c->q;
	const struct report *r = q->report;
	int n = q->n_rows ? q->n_rows : r->n_ranked;
	double wide, high;

	c->scale = r->metric->scale;
	c->p = ARENA_ARRAY(r->a, struct point, n + 1);
	c->row = ARENA_ARRAY(r->a, const struct report_row *, n + 1);
	c->x0 = c->y0 = INFINITY;
	c->x1 = c->y1 = -INFINITY;
	for (int i = 0; i < n; i++)
		add_row(c, &r->rows[q->n_rows ? q->rows[i] : i]);
	c->log = c->x1 > 4 * c->x0;
	c->x0 = position(c, c->x0);
	c->x1 = position(c, c->x1);
	wide = c->x1 > c->x0 ? c->x1 - c->x0 : fmax(fabs(c->x0) / 2, 1e-9);
	high = fmax(c->y1 - c->y0, 1e-3 * c->scale);
	c->x0 -= 0.06 * wide;
	c->x1 += 0.06 * wide;
	c->y0 -= 0.06 * high;
	c->y1 += 0.06 * high;
}

static void points(struct figure *f, const struct cloud *c, bool baselines)
{
	figure_block(f, baselines ? "baselines: cost, accuracy, lower and upper end of the 95 % interval, model"
				  : "models: cost, accuracy, lower and upper end of the 95 % interval, model");
	for (int i = 0; i < c->n; i++) {
		const struct report_row *w = c->row[i];

		if (is_baseline(w) != baselines)
			continue;
		figure_value(f, c->p[i].x);
		figure_value(f, c->p[i].y);
		figure_value(f, isnan(w->low) ? c->p[i].y : c->scale * w->low);
		figure_value(f, isnan(w->high) ? c->p[i].y : c->scale * w->high);
		figure_field(f, w->label);
		figure_row(f);
	}
}

struct place {
	struct point p;
	int row;
};

static int by_cost(const void *a, const void *b)
{
	const struct place *p = a, *q = b;

	if (p->p.x != q->p.x)
		return p->p.x < q->p.x ? -1 : 1;
	return p->p.y != q->p.y ? (p->p.y > q->p.y ? -1 : 1) : p->row - q->row;
}

/* The front as corners from left to right, up to the right end. on[i]: who stands on it. */
static void front(struct figure *f, const struct cloud *c, bool *on)
{
	struct place *s = mem_new((size_t)(c->n + 1) * sizeof *s);
	double best = -INFINITY;

	for (int i = 0; i < c->n; i++)
		s[i] = (struct place){ c->p[i], i };
	qsort(s, (size_t)c->n, sizeof *s, by_cost);
	figure_block(f, "front: cost, accuracy");
	for (int i = 0; i < c->n; i++) {
		if (s[i].p.y <= best)
			continue;
		best = s[i].p.y;
		on[s[i].row] = true;
		figure_value(f, s[i].p.x);
		figure_value(f, best);
		figure_row(f);
	}
	if (c->n) {
		figure_value(f, cost_at(c, c->x1));
		figure_value(f, best);
		figure_row(f);
	}
	mem_free(s);
}

/* Baselines first, then the front from its upper end. */
static int wanted(const struct cloud *c, const bool *on, struct figure_label *l, double w, double h)
{
	int n = 0;

	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < c->n; i++)
			if (is_baseline(c->row[i]) ? !pass : pass && on[i])
				l[n++] = (struct figure_label){ (position(c, c->p[i].x) - c->x0) / (c->x1 - c->x0) * w,
								(c->p[i].y - c->y0) / (c->y1 - c->y0) * h,
								figure_short(c->q->report->a, c->row[i]->label, 28) };
	return n;
}

static void labels(struct figure *f, const struct cloud *c, const bool *on)
{
	struct figure_label *l = ARENA_ARRAY(c->q->report->a, struct figure_label, c->n + 1);
	struct point *mark = ARENA_ARRAY(c->q->report->a, struct point, c->n + 1);
	double w = f->width - LEFT - RIGHT, h = f->height - TOP - BOTTOM;
	int n = wanted(c, on, l, w, h);

	for (int i = 0; i < c->n; i++)
		mark[i] = (struct point){ (position(c, c->p[i].x) - c->x0) / (c->x1 - c->x0) * w,
					  (c->p[i].y - c->y0) / (c->y1 - c->y0) * h };
	figure_place(f, l, n, mark, c->n);
	figure_block(f, "names, where there is room: place, model");
	for (int i = 0; i < n; i++) {
		if (isnan(l[i].x))
			continue;
		figure_value(f, cost_at(c, c->x0 + l[i].x / w * (c->x1 - c->x0)));
		figure_value(f, c->y0 + l[i].y / h * (c->y1 - c->y0));
		figure_field(f, l[i].text);
		figure_row(f);
	}
}

static void script(struct figure *f, const struct cloud *c)
{
	static const char *const titles[] = { [PLOT_PARAMS] = "parameters",
					      [PLOT_MACS] = "multiply-adds per example",
					      [PLOT_SECONDS] = "training time of a run, s" };

	const struct axis x = { .low = cost_at(c, c->x0), .high = cost_at(c, c->x1), .log = c->log };

	figure_titles(f, titles[c->q->x],
		      c->q->report->classify
			  ? f->width < 10 ? "accuracy, % (95 % interval)" : "validation accuracy, % (95 % interval)"
			  : "validation R2");
	str_addf(&f->gp, "%sset xrange [%.6g:%.6g]\nset yrange [%.6g:%.6g]\n", c->log ? "set logscale x\n" : "", x.low,
		 x.high, c->y0, c->y1);
	figure_ticks(f, "xtics", &x, f->width < 10 ? 5 : 8);
	figure_key_above(f);
	str_add(&f->gp, "plot ");
	figure_data(f);
	str_add(&f->gp, " index 2 using 1:2 with steps lw 1.5 lc rgb '#98a2b3' title 'front', \\\n     ");
	for (int b = 0; b < 2; b++) {
		figure_data(f);
		str_addf(
		    &f->gp,
		    " index %d using 1:3:(0):($4-$3) with vectors nohead lw 0.8 lc rgb '#80%06x' notitle, \\\n     ", b,
		    inks[figure_series(b)].light);
		figure_data(f);
		str_addf(&f->gp, " index %d using 1:2 with points pt %d ps %s", b, b ? 5 : 7, b ? "0.8" : "0.6");
		figure_colour(f, figure_series(b));
		str_addf(&f->gp, " title '%s', \\\n     ", b ? "baselines" : "models");
	}
	figure_data(f);
	str_add(&f->gp, " index 3 using 1:2:3 with labels center notitle\n");
}

static int write(struct figure *f, const struct plot_request *q, struct err *e)
{
	struct cloud c = { .q = q };
	bool *on;

	(void)e;
	figure_begin(f, q, 14, 9);
	collect(&c);
	if (!c.n) {
		f->why = "no model has finished yet";
		return 1;
	}
	on = ARENA_ARRAY(q->report->a, bool, c.n + 1);
	figure_margins(f, LEFT, RIGHT, TOP, BOTTOM);
	points(f, &c, false);
	points(f, &c, true);
	front(f, &c, on);
	labels(f, &c, on);
	figure_end(f);
	script(f, &c);
	return 0;
}

const struct gnuplot_plot gnuplot_pareto = {
	.name = "pareto",
	.help = "accuracy against parameters, multiply-adds or training time (--x), with 95 % intervals and the front",
	.most = 1 << 20,
	.write = write,
};
