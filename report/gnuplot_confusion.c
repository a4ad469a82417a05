/* report/gnuplot_confusion.c - the confusion matrix of a model, summed over its seeds: rows are the true classes, the
 * shade is the share of the row. Shades follow the square root of the share, so that a confusion of 1 % is seen beside
 * a diagonal of 95 %.
 */
#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "report/figure.h"
#include "report/gather.h"

enum {
	NUMBERS = 15, /* classes up to which cells have numbers */
	NAMES = 64,   /* up to which all of them are named */
	NAME = 18     /* characters of a name */
};

/* The sum over finished runs; NULL if none has one. */
static int64_t *sum_of(const struct report *r, const struct report_row *w, int *classes)
{
	int64_t *sum = NULL;

	for (int i = 0; i < w->n_runs; i++) {
		const struct store_evaluation *v = &w->runs[i].val;
		int n = v->classes;

		if (!v->confusion || n < 1 || (sum && n != *classes))
			continue;
		if (!sum)
			sum = ARENA_ARRAY(r->a, int64_t, n * n);
		*classes = n;
		for (int k = 0; k < n * n; k++)
			sum[k] += v->confusion[k];
	}
	return sum;
}

static double share(const int64_t *m, int n, int row, int column)
{
	int64_t all = 0;

	for (int k = 0; k < n; k++)
		all += m[row * n + k];
	return all ? 100.0 * (double)m[row * n + column] / (double)all : (double)NAN;
}

static void cells(struct figure *f, const int64_t *m, int n)
{
	figure_block(f, "predicted class, true class, share of the true class in %, examples");
	for (int i = 0; i < n; i++)
		for (int k = 0; k < n; k++) {
			figure_value(f, k);
			figure_value(f, i);
			figure_value(f, share(m, n, i, k));
			figure_value(f, (double)m[i * n + k]);
			figure_row(f);
		}
}

/* Whole percents; what rounds to nothing stays empty. dark: those that stand on a dark cell. */
static void numbers(struct figure *f, const int64_t *m, int n, bool dark)
{
	char text[16];

	figure_block(f, dark ? "numbers on dark cells" : "numbers on light cells");
	for (int i = 0; i < n && n <= NUMBERS; i++)
		for (int k = 0; k < n; k++) {
			double s = share(m, n, i, k);

			if (!(s >= 0.5) || (s >= 30) != dark)
				continue;
			snprintf(text, sizeof text, "%.0f", s);
			figure_value(f, k);
			figure_value(f, i);
			figure_field(f, text);
			figure_row(f);
		}
}

static void names(struct figure *f, const struct report *r, int n)
{
	int every = (n + NAMES - 1) / NAMES;
	char number[16];

	figure_block(f, "classes: number, name");
	for (int i = 0; i < n; i += every) {
		snprintf(number, sizeof number, "%d", i);
		figure_value(f, i);
		figure_field(f, figure_short(r->a, i < r->n_classes && *r->classes[i] ? r->classes[i] : number, NAME));
		figure_row(f);
	}
}

/* Points of the names of classes. */
static double name_size(const struct figure *f, int n)
{
	return (n <= NUMBERS ? 9 : n <= 30 ? 7 : 5) * f->points / 9;
}

static double widest_name(const struct figure *f, const struct report *r, int n)
{
	double w = 0.6;

	for (int i = 0; i < n && i < r->n_classes; i++)
		w = fmax(w, figure_text_width(figure_short(r->a, r->classes[i], NAME), name_size(f, n)));
	return w;
}

static void script(struct figure *f, const struct report *r, int n)
{
	double size = name_size(f, n), names = widest_name(f, r, n) + 1.3;

	if (f->format == FIGURE_SVG) /* pixels */
		size *= 4.0 / 3;
	figure_margins(f, names, 2.9, 0.3, names);
	figure_titles(f, "predicted class", "true class");
	figure_colours(f, "share of the true class, %", 0, 10); /* square roots */
	str_addf(&f->gp,
		 "set border 15 lw 0.7\nunset grid\nunset key\n"
		 "set xrange [-0.5:%g]\nset yrange [%g:-0.5]\n"
		 "set cbtics ('0' 0, '1' 1, '5' 2.236, '10' 3.162, '25' 5, '50' 7.071, '100' 10)\n"
		 "set xtics rotate by 90 right scale 0 offset 0,0 font ',%g'\nset ytics scale 0 font ',%g'\n"
		 "set palette defined (0 '#ffffff', 1 '#deebf7', 2 '#c6dbef', 3 '#9ecae1', 4 '#6baed6', 5 '#4292c6', "
		 "6 '#2171b5', 7 '#08519c', 8 '#08306b')\n",
		 n - 0.5, n - 0.5, size, size);
	str_add(&f->gp, "plot ");
	figure_data(f);
	str_add(&f->gp,
		" index 0 using 1:2:($1-0.5):($1+0.5):($2-0.5):($2+0.5):(sqrt($3)) with boxxyerror fs solid 1 noborder "
		"lc palette, \\\n     ");
	figure_data(f);
	str_add(&f->gp, " index 1 using 1:2:3 with labels center tc rgb '#1c2330', \\\n     ");
	figure_data(f);
	str_add(&f->gp, " index 2 using 1:2:3 with labels center tc rgb '#ffffff', \\\n     ");
	figure_data(f);
	str_add(&f->gp, " index 3 using 1:(0):xtic(2) with lines lt nodraw, \\\n     ");
	figure_data(f);
	str_add(&f->gp, " index 3 using (0):1:ytic(2) with lines lt nodraw\n");
}

static int write(struct figure *f, const struct plot_request *q, struct err *e)
{
	const struct report *r = q->report;
	const int64_t *m = NULL;
	double side;
	int n = 0;

	(void)e;
	for (int i = 0; i < (q->n_rows ? 1 : r->n_ranked) && !m; i++)
		m = sum_of(r, &r->rows[q->n_rows ? q->rows[i] : i], &n);
	side = n <= NUMBERS ? 8.5 : 12;
	figure_begin(f, q, side + widest_name(f, r, n) + 4.2, side + widest_name(f, r, n) + 1.6); /* square cells */
	if (!m) {
		f->why = "no confusion matrix is stored";
		return 1;
	}
	cells(f, m, n);
	numbers(f, m, n, false);
	numbers(f, m, n, true);
	names(f, r, n);
	figure_end(f);
	script(f, r, n);
	return 0;
}

const struct gnuplot_plot gnuplot_confusion = {
	.name = "confusion",
	.help =
	    "confusion matrix of a model, summed over its seeds, rows are the true classes; default: the best model",
	.most = 1,
	.write = write,
};
