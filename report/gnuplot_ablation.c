/* report/gnuplot_ablation.c - what the parts of a model are worth: the change of the accuracy when each is left out,
 * with its 95 % interval (report/compare.h), the greatest loss on top.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/compare.h"
#include "report/figure.h"
#include "report/gather.h"

/* ---- which study ---------------------------------------------------------------------------------------- */

static bool has_child_of(const struct report *r, int64_t study, int64_t model)
{
	for (int i = 0; i < r->n_rows; i++) {
		const struct report_row *w = &r->rows[i];

		if (w->kind == KIND_ABLATION && w->candidate->study == study &&
		    (!model || w->candidate->parent == model))
			return true;
	}
	return false;
}

/* The newest ablation, of the model asked for if one is; 0: there is none. */
static int64_t find_study(const struct plot_request *q)
{
	const struct report *r = q->report;
	const struct store_candidate *asked = q->n_rows ? r->rows[q->rows[0]].candidate : NULL;
	int64_t best = 0;

	for (int s = 0; s < r->n_studies; s++) {
		int64_t id = r->studies[s].id;

		if (has_child_of(r, id, asked ? asked->model : 0) && (!q->study || q->study == id) && id > best)
			best = id;
	}
	return best;
}

/* ---- rows ----------------------------------------------------------------------------------------------- */

static int by_effect(const void *a, const void *b)
{
	const struct compare_row *p = *(const struct compare_row *const *)a;
	const struct compare_row *q = *(const struct compare_row *const *)b;
	double x = p->effect.mean, y = q->effect.mean;

	if (isnan(x) || isnan(y))
		return isnan(x) - isnan(y);
	return x != y ? (x > y) - (x < y) : strcmp(p->label, q->label);
}

static const char *name_of(const struct compare_row *w, struct arena *a)
{
	const char *name = w->control_of ? arena_printf(a, "control of %s", w->control_of)
			   : w->unit     ? w->unit
					 : w->label;

	if (isnan(w->effect.mean) && w->state && strcmp(w->state, "done") != 0)
		name = arena_printf(a, "%s (%s)", name, w->state);
	return figure_short(a, name, 34);
}

/* reliable: intervals that cover what they say; the others are hollow. */
static void rows_of(struct figure *f, const struct report *r, const struct compare_row **row, int n, int reliable)
{
	double scale = r->metric->scale;

	figure_block(f,
		     reliable ? "change, interval, row, unit" : "the same where the interval is doubtful (few seeds)");
	for (int i = 0; i < n; i++) {
		const struct stats_effect *d = &row[i]->effect;

		if (isnan(d->mean) || d->reliable != (reliable == 1))
			continue;
		figure_value(f, scale * d->mean);
		figure_value(f, scale * (isnan(d->low) ? d->mean : d->low));
		figure_value(f, scale * (isnan(d->high) ? d->mean : d->high));
		figure_value(f, i);
		figure_field(f, name_of(row[i], r->a));
		figure_row(f);
	}
}

static void names(struct figure *f, const struct report *r, const struct compare_row **row, int n)
{
	figure_block(f, "row, unit");
	for (int i = 0; i < n; i++) {
		figure_value(f, i);
		figure_field(f, name_of(row[i], r->a));
		figure_row(f);
	}
}

/* ---- script --------------------------------------------------------------------------------------------- */

static void script(struct figure *f, const struct report *r, int n, double widest, bool doubt)
{
	figure_margins(f, widest + 0.5, 0.5, doubt ? 0.9 : 0.3, 1.5);
	figure_titles(f,
		      r->classify ? f->width < 11 ? "change of accuracy, % points (95 % interval)"
						  : "change of accuracy without it, percentage points (95 % interval)"
				  : "change of the metric without it (95 % interval)",
		      NULL);
	if (doubt)
		figure_key_above(f);
	else
		str_add(&f->gp, "unset key\n");
	str_addf(&f->gp,
		 "unset grid\nset grid xtics lt 1 lw 0.7 lc rgb '#e4e7ec'\nset border 1\nset ytics scale 0\n"
		 "set yrange [%g:-0.7]\nset offsets graph 0.04, graph 0.04, 0, 0\n"
		 "set arrow 1 from 0, graph 0 to 0, graph 1 nohead lw 1 lc rgb '#667085'\n",
		 n - 0.3);
	str_add(&f->gp, "plot ");
	for (int k = 0; k < 2; k++) {
		figure_data(f);
		str_addf(&f->gp, " index %d using 1:4:2:3 with xerrorbars pt %d ps 0.8 lw 1.5", k, k ? 6 : 7);
		figure_colour(f, figure_series(0));
		str_addf(&f->gp, " title '%s', \\\n     ", k ? "doubtful interval" : "reliable interval");
	}
	figure_data(f);
	str_add(&f->gp, " index 2 using (0):1:ytic(2) with lines lt nodraw notitle\n");
}

static int compare(const struct plot_request *q, int64_t study, struct comparison **out, struct err *e)
{
	struct store_candidate *all;
	int64_t *id;
	int n, m = 0;

	if (store_candidates(q->store, study, &all, &n, q->report->a, e) < 0)
		return -1;
	id = ARENA_ARRAY(q->report->a, int64_t, n + 1);
	id[m++] = compare_reference(all, n);
	for (int i = 0; i < n; i++)
		if (all[i].id != id[0] && all[i].change)
			id[m++] = all[i].id;
	return compare_gather(out, q->store, id, m, &(struct compare_opts){ .title = NULL }, q->report->a, e);
}

static int write(struct figure *f, const struct plot_request *q, struct err *e)
{
	const struct report *r = q->report;
	const struct compare_row **row;
	struct comparison *c;
	int64_t study = q->store ? find_study(q) : 0;
	int n = 0, known = 0, doubt = 0;
	double widest = 0;

	f->why = "there is no ablation study of it in the store (`nab ablate` makes one)";
	if (!study)
		return 1;
	if (compare(q, study, &c, e) < 0)
		return -1;
	row = ARENA_ARRAY(r->a, const struct compare_row *, c->n_rows + 1);
	for (int i = 1; i < c->n_rows; i++) {
		row[n++] = &c->rows[i];
		known += !isnan(c->rows[i].effect.mean);
		doubt += !isnan(c->rows[i].effect.mean) && !c->rows[i].effect.reliable;
	}
	f->why = "no part of the ablation has been trained together with its parent yet";
	if (!known)
		return 1;
	qsort(row, (size_t)n, sizeof *row, by_effect);
	figure_begin(f, q, 14, 2.6 + 0.55 * n);
	for (int i = 0; i < n; i++)
		widest = fmax(widest, figure_text_width(name_of(row[i], r->a), f->points));
	rows_of(f, r, row, n, 1);
	rows_of(f, r, row, n, 0);
	names(f, r, row, n);
	figure_end(f);
	script(f, r, n, widest, doubt > 0);
	return 0;
}

const struct gnuplot_plot gnuplot_ablation = {
	.name = "ablation",
	.help = "change of the accuracy when a part is left out, with 95 % intervals (--study, or the model that was "
		"ablated)",
	.most = 1,
	.write = write,
};
