/* report/gnuplot_curves.c - learning curves: the mean over seeds, with a band from the lowest to the highest of them;
 * validation solid, training dashed, a colour a model.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "report/figure.h"
#include "report/gather.h"

enum { OWN_CHOICE = 5 };

#define NARROW    12                 /* cm of figure: below, the legend stands under the curves */
#define LEGEND(n) (0.42 * ((n) + 3)) /* cm of it there */

struct curve_range {
	double *v; /* what lines and bands reach, in no order */
	int n, cap, epochs;
	double widest; /* label, cm */
};

static double value_of(const struct store_epoch *p, bool loss, bool train, double scale)
{
	if (loss)
		return train ? p->train_loss : p->val_loss;
	return scale * (train ? p->train_accuracy : p->val_accuracy);
}

static int longest(const struct report_row *w)
{
	int n = 0;

	for (int i = 0; i < w->n_runs; i++)
		for (int k = 0; k < w->runs[i].n_epochs; k++)
			n = w->runs[i].epochs[k].epoch > n ? w->runs[i].epochs[k].epoch : n;
	return n;
}

struct summary {
	double mean, low, high;
	int n;
};

/* Over the seeds that came to this epoch. */
static struct summary at_epoch(const struct report_row *w, int epoch, bool loss, bool train, double scale)
{
	struct summary s = { 0, INFINITY, -INFINITY, 0 };

	for (int i = 0; i < w->n_runs; i++)
		for (int k = 0; k < w->runs[i].n_epochs; k++) {
			double v = value_of(&w->runs[i].epochs[k], loss, train, scale);

			if (w->runs[i].epochs[k].epoch != epoch || !isfinite(v))
				continue;
			s.mean += v;
			s.low = fmin(s.low, v);
			s.high = fmax(s.high, v);
			s.n++;
		}
	s.mean = s.n ? s.mean / s.n : (double)NAN;
	return s;
}

static void note_value(struct curve_range *r, double v)
{
	if (!isfinite(v))
		return;
	GROW(r->v, r->n, r->cap);
	r->v[r->n++] = v;
}

static void model_block(struct figure *f, const struct plot_request *q, const struct report_row *w,
			struct curve_range *r)
{
	double scale = q->report->metric->scale;
	const char *label = figure_short(q->report->a, w->label, 28);
	int epochs = longest(w);

	r->widest = fmax(r->widest, figure_text_width(label, f->points));
	figure_block(f, "epoch, validation: mean, lowest and highest seed, training: mean");
	figure_field(f, "epoch");
	figure_field(f, label);
	figure_field(f, "lowest");
	figure_field(f, "highest");
	figure_field(f, "training");
	figure_row(f);
	for (int e = 1; e <= epochs; e++) {
		struct summary val = at_epoch(w, e, q->loss, false, scale),
			       train = at_epoch(w, e, q->loss, true, scale);

		if (!val.n && !train.n)
			continue;
		figure_value(f, e);
		figure_value(f, val.mean);
		figure_value(f, val.low);
		figure_value(f, val.high);
		figure_value(f, train.mean);
		figure_row(f);
		note_value(r, val.low);
		note_value(r, val.high);
		note_value(r, train.mean);
	}
	r->epochs = epochs > r->epochs ? epochs : r->epochs;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Without what only first epochs or a divergence would stretch: the upper end is the 98th percentile if the largest
 * value is more than twice as far from the smallest. */
static void loss_range(struct figure *f, struct curve_range *r)
{
	double low, high, top;

	if (r->n < 8)
		return;
	qsort(r->v, (size_t)r->n, sizeof *r->v, by_value);
	low = r->v[0];
	top = r->v[r->n - 1];
	high = r->v[(int)(0.98 * (r->n - 1))];
	if (top - low > 2 * (high - low) && high > low)
		str_addf(&f->gp, "set yrange [%.6g:%.6g] # up to %.4g in the data\n", low - 0.04 * (high - low),
			 high + 0.04 * (high - low), top);
}

static const char band[] = "lowest to highest seed";

static void script(struct figure *f, const struct plot_request *q, int n, bool seeds, struct curve_range *r)
{
	if (f->width < NARROW) {
		figure_margins(f, 1.6, 0.4, 0.4, 1.6 + LEGEND(n));
		f->below = LEGEND(n) + 0.1;
		figure_key_at(f, 1.4, LEGEND(n) + 0.2);
	} else {
		figure_margins(f, 1.9, fmax(r->widest, figure_text_width(band, f->points)) + 2, 0.4, 1.5);
		figure_key_beside(f);
	}
	figure_titles(f, "epoch", q->loss ? "loss" : q->report->metric->axis);
	str_add(&f->gp, "set key autotitle columnheader\n");
	str_addf(&f->gp, "set xrange [%g:%g]\n%s", r->epochs > 1 ? 1 : 0.5, r->epochs > 1 ? r->epochs : 1.5,
		 r->epochs <= 10 ? "set xtics 1\n" : "");
	if (q->loss)
		loss_range(f, r);
	str_add(&f->gp, "plot ");
	for (int k = 0; seeds && k < n; k++) {
		figure_data(f);
		str_addf(&f->gp, " index %d using 1:3:4 with filledcurves fs transparent solid 0.15 noborder", k);
		figure_colour(f, figure_series(k));
		str_add(&f->gp, " notitle, \\\n     ");
	}
	for (int k = 0; k < n; k++) {
		figure_data(f);
		str_addf(&f->gp, " index %d using 1:5 with lines lw 1.5 dt (6,4)", k);
		figure_colour(f, figure_series(k));
		str_add(&f->gp, " notitle, \\\n     ");
		figure_data(f);
		str_addf(&f->gp, " index %d using 1:2 with lines lw 2", k);
		figure_colour(f, figure_series(k));
		str_add(&f->gp, " title columnheader(2), \\\n     ");
	}
	str_add(&f->gp, "keyentry with lines lw 2 lc rgb '#667085' title 'validation', \\\n"
			"     keyentry with lines lw 1.5 dt (6,4) lc rgb '#667085' title 'training'");
	if (seeds)
		str_addf(&f->gp,
			 ", \\\n     keyentry with filledcurves fs transparent solid 0.25 noborder lc rgb '#667085' "
			 "title '%s'",
			 band);
	str_addc(&f->gp, '\n');
}

static bool has_epochs(const struct report_row *w)
{
	return longest(w) > 0;
}

static int write(struct figure *f, const struct plot_request *q, struct err *e)
{
	const struct report *r = q->report;
	struct curve_range range = { 0 };
	bool seeds = false;
	int n = 0;

	(void)e;
	if (q->width > 0 && q->width < NARROW)
		figure_begin(f, q, q->width, 0.5 * q->width + 2 + LEGEND(q->n_rows ? q->n_rows : OWN_CHOICE));
	else
		figure_begin(f, q, 16, 8);
	for (int i = 0; i < (q->n_rows ? q->n_rows : r->n_ranked) && n < (q->n_rows ? q->n_rows : OWN_CHOICE); i++) {
		const struct report_row *w = &r->rows[q->n_rows ? q->rows[i] : i];

		if (!has_epochs(w))
			continue;
		model_block(f, q, w, &range);
		seeds = seeds || w->n_runs > 1;
		n++;
	}
	figure_end(f);
	if (n)
		script(f, q, n, seeds, &range);
	else
		f->why = "no epoch of these models was recorded";
	mem_free(range.v);
	return !n;
}

const struct gnuplot_plot gnuplot_curves = {
	.name = "curves",
	.help =
	    "learning curves, mean and range over seeds: validation solid, training dashed (--metric); default: the "
	    "best five models",
	.most = INK_SERIES,
	.write = write,
};
