/* report/compare.h - candidates against a reference, with numbers that can be defended: what `nab compare`, `nab
 * ablate` and `nab vary` print. Row 0 is the reference (the parent).
 *
 * Runs are paired by replicate seed, predictions by example: differences are crossed effects (base/stats.h). Where
 * predictions or labels are missing, the interval is over seeds alone, and the note says so. Rows that start from
 * inherited weights are marked and never ranked together with rows trained from scratch.
 */
#ifndef NAB_REPORT_COMPARE_H
#define NAB_REPORT_COMPARE_H

#include <stdbool.h>

#include "base/stats.h"
#include "report/metric.h"
#include "report/table.h"
#include "store/store.h"

struct compare_slice { /* a named subset of the examples, of one row */
	const char *name;
	int64_t n;
	double accuracy, low, high;
	struct stats_effect effect; /* against row 0; all NAN where it is not known, as in row 0 */
	double p;                   /* adjusted over rows and slices */
	bool fell;                  /* significantly, also when the total rose */
};

struct compare_row {
	int64_t candidate; /* 0: there is no such model; only label, unit and state (the reason) are shown */
	const char *label;
	const char *study;            /* its name */
	const char *change;           /* in words ("words" of the stored change), or NULL */
	const char *snac;             /* the model as a SNAC in text, or NULL */
	const char *unit;             /* of an ablation ("unit" of the change): what is missing; or NULL */
	const char *control_of;       /* a capacity-matched control ("control_of"): of this label; or NULL */
	bool inherited;               /* starts from weights, not from scratch */
	int n_runs, n_done, n_paired; /* seeds */
	int64_t params, macs;
	double seconds;                     /* mean training time of a run */
	double accuracy, low, high, spread; /* low, high: NAN if it is no share of the examples */
	double *per_seed;                   /* [n_done] accuracies */
	uint64_t *seed;                     /* [n_done] of them */
	struct stats_effect effect; /* accuracy less that of row 0; all NAN where it is not known, as in row 0 */
	double wilcoxon, wilcoxon_least, mcnemar, cliff; /* against row 0, or NAN */
	double p, p_holm;                                /* of the primary test */
	bool best;       /* not significantly worse than the best row of its kind (scratch or inherited) */
	bool other_data; /* trained on other data than row 0: not compared */
	bool in_order;   /* no seed in common with row 0: runs are paired in their order */
	struct compare_slice *slices;
	const char *state; /* "done", or why there are no numbers */
};

struct comparison {
	const char *title, *split;   /* "validation" or "test" */
	const struct metric *metric; /* what "accuracy" is, and how it is written */
	struct compare_row *rows;
	int n_rows;
	const char *const *slices;
	int n_slices;
	int64_t n_examples;  /* 0: unknown */
	const char *primary; /* name of the primary test */
	const char **notes;  /* what the reader must know: "with 3 seeds Wilcoxon cannot go below 0.25" */
	int n_notes;
};

struct compare_opts {
	const char *const *slices; /* names of the data set's slices; NULL: all it has */
	int n_slices;
	bool test; /* the test split's stored predictions */
	const char *title;
};

/* candidates[0] is the reference. Everything lives in a. Runs of one seed in both arms are a pair; if no seed is shared
 * at all, runs are paired in their order, which is valid (they are independent) but weaker. ERR_USAGE: a slice that the
 * data do not have, or whose members the store does not know. */
int compare_gather(struct comparison **out, struct store *s, const int64_t *candidates, int n,
		   const struct compare_opts *o, struct arena *a, struct err *e);

/* What a study is compared with: the candidate that others were made from, else the first baseline, else the first of
 * all. Its id; n > 0. */
int64_t compare_reference(const struct store_candidate *all, int n);

/* As a table: text, Markdown, LaTeX (booktabs), CSV, JSON by report/table.h. */
struct table *compare_table(const struct comparison *c, struct arena *a);

#endif
