/* report/gnuplot_progress.c - how a search went: the accuracy of every candidate and the best so far, against the order
 * of the search and against the time that devices spent on it.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "report/figure.h"
#include "report/gather.h"

#define NARROW 12  /* cm of figure: below, the panels stand over each other, under the legend */
#define BESIDE 3.9 /* cm for the legend */
#define ABOVE  1.6
#define GAP    0.7 /* between panels, and for the title of the upper one */
#define TITLE  1.7

struct unit {
	const char *title;
	double seconds;
};

/* One in which the whole search is a number of two to four digits. */
static struct unit unit_of(double seconds)
{
	return seconds < 600      ? (struct unit){ "device time, s", 1 }
	       : seconds < 36000  ? (struct unit){ "device time, min", 60 }
	       : seconds < 864000 ? (struct unit){ "device time, h", 3600 }
				  : (struct unit){ "device time, days", 86400 };
}

static int by_order(const void *a, const void *b)
{
	const struct report_row *p = *(const struct report_row *const *)a, *q = *(const struct report_row *const *)b;

	if (p->candidate->study != q->candidate->study)
		return p->candidate->study < q->candidate->study ? -1 : 1;
	return (p->candidate->number > q->candidate->number) - (p->candidate->number < q->candidate->number);
}

/* The candidates of the search of one study, in its order. */
static int searched(const struct plot_request *q, const struct report_row ***out)
{
	const struct report *r = q->report;
	const struct report_row **list = ARENA_ARRAY(r->a, const struct report_row *, r->n_rows + 1);
	int64_t study = 0;
	int n = 0;

	for (int s = 0; s < r->n_studies && !study; s++)
		for (int i = 0; i < r->n_rows && !study; i++)
			if (r->rows[i].kind == KIND_SEARCH && r->rows[i].candidate->study == r->studies[s].id)
				study = r->studies[s].id;
	for (int i = 0; i < r->n_rows; i++)
		if (r->rows[i].kind == KIND_SEARCH && r->rows[i].candidate->study == study)
			list[n++] = &r->rows[i];
	qsort(list, (size_t)n, sizeof *list, by_order);
	*out = list;
	return n;
}

/* What its runs took, whatever became of them. */
static double seconds_of(const struct report_row *w)
{
	double sum = 0;

	for (int i = 0; i < w->n_runs; i++) {
		double s = w->runs[i].item.result.seconds;

		sum += isfinite(s) ? s : 0;
	}
	return sum;
}

/* Failed candidates take time, and have no accuracy. Models that start from trained weights are left out of "best". */
static void candidates(struct figure *f, const struct plot_request *q, const struct report_row **list, int n,
		       const struct unit *u)
{
	double scale = q->report->metric->scale, best = (double)NAN, spent = 0;

	figure_block(f, "candidate, device time spent, accuracy, best so far, model");
	for (int i = 0; i < n; i++) {
		double v = scale * list[i]->accuracy;

		spent += seconds_of(list[i]);
		if (!isnan(v) && !(v <= best) && !list[i]->inherited)
			best = v;
		figure_value(f, (double)list[i]->candidate->number + 1);
		figure_value(f, spent / u->seconds);
		figure_value(f, v);
		figure_value(f, best);
		figure_field(f, list[i]->label);
		figure_row(f);
	}
}

static bool baseline(struct figure *f, const struct plot_request *q)
{
	const struct report *r = q->report;

	figure_block(f, "best baseline: accuracy, model");
	for (int i = 0; i < r->n_ranked; i++)
		if (r->rows[i].candidate->origin == ORIGIN_BASELINE && !isnan(r->rows[i].accuracy)) {
			figure_value(f, r->metric->scale * r->rows[i].accuracy);
			figure_field(f, r->rows[i].label);
			figure_row(f);
			return true;
		}
	return false;
}

static void panel(struct figure *f, int column, bool base)
{
	str_add(&f->gp, "plot ");
	figure_data(f);
	str_addf(&f->gp, " index 0 using %d:3 with points pt 7 ps 0.5 lc rgb '#98a2b3' title 'candidates', \\\n     ",
		 column);
	if (base) {
		/* one value, drawn over the whole width of the panel */
		str_add(&f->gp, "level lw 1.5 dt (6,4)");
		figure_colour(f, figure_series(1));
		str_add(&f->gp, " title 'best baseline', \\\n     ");
	}
	figure_data(f);
	str_addf(&f->gp, " index 0 using %d:4 with steps lw 2", column);
	figure_colour(f, figure_series(0));
	str_add(&f->gp, " title 'best so far'\n");
}

static void panel_title(struct figure *f, const char *words, double x, double y)
{
	str_addf(&f->gp, "set label 1 '%s' at screen %.4f, screen %.4f center\n", words, x / f->width, y / f->height);
}

/* Two panels, and where the title of the first one's axis belongs. */
static struct point arrange(struct figure *f)
{
	bool narrow = f->width < NARROW;

	figure_margins(f, 1.9, narrow ? 0.4 : BESIDE, narrow ? ABOVE : 0.4, 1.5);
	str_addf(
	    &f->gp,
	    "set multiplot layout %s margins screen %.4f, screen %.4f, screen %.4f, screen %.4f spacing screen %.4f\n"
	    "set offsets 0, 0, graph 0.05, graph 0.02\n",
	    narrow ? "2,1" : "1,2", f->left / f->width, 1 - f->right / f->width, f->bottom / f->height,
	    1 - f->top / f->height, narrow ? TITLE / f->height : GAP / f->width);
	if (narrow) {
		figure_key_at(f, 1.6, f->height - 0.1);
		return (struct point){ (f->left + f->width - f->right) / 2,
				       (f->bottom + f->height - f->top + TITLE) / 2 - 1.1 };
	}
	figure_key_beside(f);
	return (struct point){ f->left + (f->width - f->left - f->right - GAP) / 4, 0.4 };
}

static void script(struct figure *f, const struct plot_request *q, const struct unit *u, bool base, int n)
{
	struct point first;

	if (base) {
		str_add(&f->gp, "stats ");
		figure_data(f);
		str_add(&f->gp, " index 1 using 1 nooutput\nlevel = STATS_max\n");
	}
	first = arrange(f);
	panel_title(f, "candidate", first.x, first.y);
	figure_titles(f, NULL, arena_printf(q->report->a, "validation %s", q->report->metric->axis));
	str_addf(&f->gp, "set xrange [0:%d]\n", n + 1);
	panel(f, 1, base);
	if (f->width < NARROW) {
		panel_title(f, u->title, first.x, 0.4);
	} else {
		panel_title(f, u->title, f->left + f->width - f->right - first.x, 0.4);
		str_add(&f->gp, "set format y ''\n");
	}
	str_add(&f->gp, "unset label 2\nset xrange [0:*]\nunset key\n");
	panel(f, 2, base);
	str_add(&f->gp, "unset multiplot\n");
}

static int write(struct figure *f, const struct plot_request *q, struct err *e)
{
	const struct report_row **list;
	int n = searched(q, &list), done = 0;
	double spent = 0;
	struct unit u;
	bool base;

	(void)e;
	if (q->width > 0 && q->width < NARROW)
		figure_begin(f, q, q->width, 10);
	else
		figure_begin(f, q, 17.5, 6.5);
	for (int i = 0; i < n; i++) {
		spent += seconds_of(list[i]);
		done += !isnan(list[i]->accuracy);
	}
	if (!done) {
		f->why = "no candidate of a search has finished";
		return 1;
	}
	u = unit_of(spent);
	candidates(f, q, list, n, &u);
	base = baseline(f, q);
	figure_end(f);
	script(f, q, &u, base, (int)list[n - 1]->candidate->number + 1);
	return 0;
}

const struct gnuplot_plot gnuplot_progress = {
	.name = "progress",
	.help = "the best so far against candidates and against device time",
	.most = 0,
	.write = write,
};
