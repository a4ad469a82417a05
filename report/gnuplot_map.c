/* report/gnuplot_map.c - the map of the models (report/map.h): near means alike; the darker a mark, the more accurate,
 * the larger, the more parameters (on a logarithmic scale). The axes of a map mean nothing, so it has none.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "report/figure.h"
#include "report/gather.h"
#include "report/map.h"

#define SIDE 0.9 /* cm of paper round the marks */
#define HEAD 0.8
#define BAR  2.9 /* at the right, for the scale of accuracies */

enum { NAMED = 8 };

struct sheet {
	const struct plot_request *q;
	const struct map *map;
	int *row; /* drawn rows, large marks first, so that none is hidden */
	int n;
	double x0, y0, unit; /* lower left corner, and cm of a unit of the map */
	double w, h;         /* cm of the area */
	double least, most;  /* parameters */
	double worst, best;  /* accuracy, as plotted */
};

static const struct report_row *row_of(const struct sheet *s, int i)
{
	return &s->q->report->rows[s->row[i]];
}

static bool shown(const struct sheet *s, int row)
{
	return !isnan(s->map->x[row]) && !isnan(s->q->report->rows[row].accuracy);
}

struct sized {
	int64_t params;
	int row;
};

static int by_size(const void *a, const void *b)
{
	const struct sized *p = a, *q = b;

	return p->params != q->params ? (p->params > q->params ? -1 : 1) : p->row - q->row;
}

static void choose(struct sheet *s)
{
	const struct plot_request *q = s->q;
	double scale = q->report->metric->scale;
	int n = q->n_rows ? q->n_rows : q->report->n_rows;
	struct sized *list = ARENA_ARRAY(q->report->a, struct sized, n + 1);

	s->row = ARENA_ARRAY(q->report->a, int, n + 1);
	s->least = s->worst = INFINITY;
	s->most = 0;
	s->best = -INFINITY;
	for (int i = 0; i < n; i++) {
		int row = q->n_rows ? q->rows[i] : i;
		double params = fmax((double)q->report->rows[row].params, 1);

		if (!shown(s, row))
			continue;
		list[s->n++] = (struct sized){ q->report->rows[row].params, row };
		s->least = fmin(s->least, params);
		s->most = fmax(s->most, params);
		s->worst = fmin(s->worst, scale * q->report->rows[row].accuracy);
		s->best = fmax(s->best, scale * q->report->rows[row].accuracy);
	}
	qsort(list, (size_t)s->n, sizeof *list, by_size);
	for (int i = 0; i < s->n; i++)
		s->row[i] = list[i].row;
}

/* One scale for both directions: distances on the paper are distances. */
static void fit(struct sheet *s, const struct figure *f)
{
	double x1 = -INFINITY, y1 = -INFINITY;

	s->w = f->width - 2 * SIDE - BAR;
	s->h = f->height - SIDE - HEAD;
	s->x0 = s->y0 = INFINITY;
	for (int i = 0; i < s->n; i++) {
		s->x0 = fmin(s->x0, s->map->x[s->row[i]]);
		s->y0 = fmin(s->y0, s->map->y[s->row[i]]);
		x1 = fmax(x1, s->map->x[s->row[i]]);
		y1 = fmax(y1, s->map->y[s->row[i]]);
	}
	s->unit = fmin((s->w - 0.6) / fmax(x1 - s->x0, 1e-9), (s->h - 0.6) / fmax(y1 - s->y0, 1e-9));
	s->x0 = (s->x0 + x1) / 2 - s->w / 2 / s->unit;
	s->y0 = (s->y0 + y1) / 2 - s->h / 2 / s->unit;
}

static struct point place_of(const struct sheet *s, int i)
{
	return (struct point){ (s->map->x[s->row[i]] - s->x0) * s->unit, (s->map->y[s->row[i]] - s->y0) * s->unit };
}

/* Radius by the logarithm of the parameters, the largest 7/3 of the smallest. */
static double size_of(const struct sheet *s, int64_t params)
{
	double span = log(s->most / s->least);

	return 0.6 + (span > 0 ? 0.8 * log(fmax((double)params, 1) / s->least) / span : 0.4);
}

static void marks(struct figure *f, const struct sheet *s)
{
	double scale = s->q->report->metric->scale;

	for (int b = 0; b < 2; b++) {
		figure_block(f, b ? "baselines: place in cm, size, accuracy, parameters, model"
				  : "models: place in cm, size, accuracy, parameters, model");
		for (int i = 0; i < s->n; i++) {
			const struct report_row *w = row_of(s, i);
			struct point p = place_of(s, i);

			if ((w->candidate->origin == ORIGIN_BASELINE) != (b == 1))
				continue;
			figure_value(f, round(1000 * p.x) / 1000);
			figure_value(f, round(1000 * p.y) / 1000);
			figure_value(f, round(100 * size_of(s, w->params)) / 100);
			figure_value(f, scale * w->accuracy);
			figure_value(f, (double)w->params);
			figure_field(f, w->label);
			figure_row(f);
		}
	}
}

/* Baselines and the most accurate models have names where there is room. */
static void names(struct figure *f, const struct sheet *s)
{
	struct arena *a = s->q->report->a;
	struct figure_label *l = ARENA_ARRAY(a, struct figure_label, s->n + 1);
	struct point *mark = ARENA_ARRAY(a, struct point, s->n + 1);
	int n = 0;

	for (int i = 0; i < s->n; i++) {
		const struct report_row *w = row_of(s, i);

		mark[i] = place_of(s, i);
		if (w->candidate->origin == ORIGIN_BASELINE || s->n <= NAMED ||
		    (w->place_first && w->place_first <= NAMED && s->row[i] < NAMED))
			l[n++] = (struct figure_label){ mark[i].x, mark[i].y, figure_short(a, w->label, 24) };
	}
	figure_place(f, l, n, mark, s->n);
	figure_block(f, "names, where there is room: place in cm, model");
	for (int i = 0; i < n; i++) {
		if (isnan(l[i].x))
			continue;
		figure_value(f, round(1000 * l[i].x) / 1000);
		figure_value(f, round(1000 * l[i].y) / 1000);
		figure_field(f, l[i].text);
		figure_row(f);
	}
}

static void script(struct figure *f, const struct sheet *s)
{
	char title[160];

	snprintf(title, sizeof title, "%s; stress %.2f; larger marks: more parameters",
		 map_metric_titles[s->map->metric], s->map->stress);
	figure_titles(f, title, NULL);
	figure_colours(f, arena_printf(s->q->report->a, "validation %s", s->q->report->metric->axis), s->worst,
		       s->best);
	str_addf(&f->gp,
		 "unset border\nunset grid\nunset xtics\nunset ytics\n"
		 "set xrange [0:%g]\nset yrange [0:%g]\n"
		 /* grays: darkness is the accuracy (REMAP's ramp, in even steps) */
		 "set palette defined (0 '#f2f2f2', 1 '#cccccc', 2 '#969696', 3 '#525252', 4 '#1a1a1a')\n",
		 s->w, s->h);
	figure_key_above(f);
	str_add(&f->gp, "plot ");
	for (int b = 0; b < 2; b++) {
		figure_data(f);
		str_addf(&f->gp, " index %d using 1:2:3:4 with points pt %d ps variable lc palette notitle, \\\n     ",
			 b, b ? 5 : 7);
		figure_data(f);
		str_addf(&f->gp, " index %d using 1:2:3 with points pt %d ps variable lw 0.7", b, b ? 4 : 6);
		figure_colour(f, b ? figure_series(1) : INK_MUTED);
		str_add(&f->gp, " notitle, \\\n     ");
	}
	figure_data(f);
	str_add(&f->gp, " index 2 using 1:2:3 with labels center notitle, \\\n"
			"     keyentry with points pt 7 ps 1 lc rgb '#969696' title 'models', \\\n"
			"     keyentry with points pt 4 ps 1");
	figure_colour(f, figure_series(1));
	str_add(&f->gp, " title 'baselines'\n");
}

static int write(struct figure *f, const struct plot_request *q, struct err *e)
{
	struct sheet s = { .q = q };
	struct map *map;

	if (map_models(&map, q->report, (enum map_metric)q->distance, q->cache, q->report->a, e) < 0)
		return -1;
	s.map = map;
	figure_begin(f, q, 14, 10.5);
	choose(&s);
	if (s.n < 2) {
		f->why = "it takes at least two finished models that can be compared";
		return 1;
	}
	fit(&s, f);
	figure_margins(f, SIDE, f->width - SIDE - s.w, HEAD, SIDE);
	marks(f, &s);
	names(f, &s);
	figure_end(f);
	script(f, &s);
	return 0;
}

const struct gnuplot_plot gnuplot_map = {
	.name = "map",
	.help =
	    "the map of the models by what they are built of, what they predict, or their layers (--distance); darker: "
	    "more accurate, larger: more parameters",
	.most = 1 << 20,
	.write = write,
};
