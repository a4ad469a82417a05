/* report/copies.c - candidates that only repeat what another study holds. See gather.h.
 *
 * An ablation's parent is a candidate of the ablation too, with the results of the study that it came from. Shown twice
 * it would be ranked against itself, and be counted among the models that cannot be told apart from the best.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "report/gather.h"

struct run_row {
	int64_t run;
	int row;
};

static int by_run(const void *a, const void *b)
{
	const struct run_row *x = a, *y = b;

	return x->run < y->run ? -1 : x->run > y->run;
}

/* The row that holds all the runs which those of w were taken from, or -1. */
static int original_of(const struct report_row *w, const struct run_row *list, int n)
{
	int row = -1;

	for (int i = 0; i < w->n_runs; i++) {
		struct run_row key = { w->runs[i].item.run.cached_from, -1 };
		const struct run_row *found = key.run ? bsearch(&key, list, (size_t)n, sizeof *list, by_run) : NULL;

		if (!found || (row >= 0 && found->row != row))
			return -1;
		row = found->row;
	}
	return row;
}

static void leave_out(struct report *r, struct report_row *w, struct report_row *original)
{
	if (isnan(original->test_accuracy)) /* whichever of them was tested: it is one result */
		original->test_accuracy = w->test_accuracy;
	r->n_copies++;
	r->n_runs -= w->n_runs;
	r->n_baselines -= w->candidate->origin == ORIGIN_BASELINE;
	r->n_inherited -= w->inherited;
	w->n_runs = 0; /* marked: a row that stays has runs */
}

void report_drop_copies(struct report *r)
{
	struct run_row *list = mem_new((size_t)(r->n_runs + 1) * sizeof *list);
	int n = 0, kept = 0;

	for (int i = 0; i < r->n_rows; i++)
		for (int k = 0; k < r->rows[i].n_runs; k++)
			list[n++] = (struct run_row){ r->rows[i].runs[k].item.run.id, i };
	qsort(list, (size_t)n, sizeof *list, by_run);
	for (int i = 0; i < r->n_rows; i++) {
		int original = original_of(&r->rows[i], list, n);

		if (original >= 0 && original != i)
			leave_out(r, &r->rows[i], &r->rows[original]);
	}
	for (int i = 0; i < r->n_rows; i++)
		if (r->rows[i].n_runs)
			r->rows[kept++] = r->rows[i];
	r->n_rows = kept;
	mem_free(list);
}
