/* report/gather.h - what a report shows, read from the store once: a row per candidate with its runs, in order of
 * merit, with intervals and ranks. Tables, charts and the page all draw from this, so they cannot disagree.
 */
#ifndef NAB_REPORT_GATHER_H
#define NAB_REPORT_GATHER_H

#include <stdbool.h>

#include "report/literature.h"
#include "report/metric.h"
#include "store/store.h"

struct arena;
struct graph;
struct json;

struct examples;

struct report_run {
	struct store_item item;
	struct store_epoch *epochs;
	int n_epochs;
	struct store_evaluation val; /* classes 0: none */
	int64_t *slice_right; /* [n_slices of the report] right answers among its examples, -1: unknown; or NULL */
	struct store_finding *findings;
	int n_findings;
};

enum report_kind { /* how a candidate came to be */
		   KIND_SEARCH,
		   KIND_BASELINE,
		   KIND_ABLATION,
		   KIND_VARIATION,
		   KIND_HANDCRAFTED,
		   KIND_COUNT
};
extern const char *const report_kind_names[]; /* "search", "baseline", "ablation", "variation", "handcrafted" */

struct report_slice { /* a named subset of the validation examples */
	const char *name;
	int64_t n;
};

struct report_row { /* a candidate; numbers are means over its finished runs, NAN if none is */
	const struct store_candidate *candidate;
	const char *label, *study, *summary, *hash;
	struct report_run *runs;
	int n_runs, n_done;
	const struct report_run *best;  /* finished run of the highest score, or NULL */
	enum run_state state;           /* done if any run is done, else that of its last run */
	const char *reason;             /* why it is not done, or NULL */
	double score, accuracy, spread; /* spread: standard deviation over seeds */
	double low, high;               /* 95 % interval of the accuracy, see stats_interval() */
	double best_epoch_accuracy;     /* optimistic: the epoch was chosen by what it is judged on */
	double train_accuracy, loss, test_accuracy;
	double seconds, epochs;
	int place_first, place_last; /* places it may hold: rows whose intervals overlap are not ordered; 0: unranked */
	bool inherited;              /* starts from trained weights: not ranked with those trained from scratch */
	bool front;                  /* no other row is at least as accurate with fewer parameters */
	bool detailed;               /* among the top ones, a baseline, or pinned: charts are drawn */
	enum report_kind kind;
	int parent;         /* row of the model that it was made from, or -1 */
	const char *change; /* what was changed, in words, or NULL */
	int64_t params, macs, weight_bytes;
	int depth, layers;
	struct graph *graph; /* NULL if this program cannot read the stored model */
	struct store_profile profile;
	bool profiled;
	char file[64]; /* name for files: unique, safe */
};

struct report {
	struct arena *a;
	struct store *store;         /* borrowed: for what is read when it is asked for */
	struct store_study *studies; /* shown; [0] is the one asked for, or the newest */
	int n_studies, n_left_out;   /* left out: on other data */
	int n_copies;                /* candidates left out because they repeat the results of another one shown */
	struct store_data data;
	struct json *info; /* of the data, or NULL */
	const char **classes;
	int n_classes;
	int64_t n_validation;
	struct examples *examples; /* what the finished runs say of each, or NULL: no truth is stored */
	struct report_slice *slices;
	int n_slices;
	bool limited;                /* to the runs that a condition holds for */
	bool classify;               /* accuracies are shares of examples: intervals make sense */
	const struct metric *metric; /* what "accuracy" is, and how it is written */
	double spread; /* standard deviation between seeds, pooled over the rows, with spread_df degrees of freedom */
	int spread_df;
	bool by_accuracy;        /* score and accuracy are the same */
	struct report_row *rows; /* ranked ones first, best first; then the others */
	int n_rows, n_ranked, n_detailed, n_baselines, n_inherited;
	int n_runs;
	double largest; /* common scale of SNACs */
	double started, ended, train_seconds;
	int64_t epochs;
	int test_reads;
	struct literature literature; /* results of others, n 0: none */
	int64_t failed;               /* runs in a final state without success */
};

struct gather_opts {
	int64_t study;           /* 0: the newest and all others on the same data */
	int top;                 /* rows with details; 0: 300 */
	const char *const *pins; /* [n_pins] labels of models that have details in any case */
	int n_pins;
	const char *literature; /* a set that is built in, or a file (report/literature.h); NULL: none */
	const char *where;      /* only candidates with a run for which this holds (store/select.h); NULL: all */
};

/* Everything lives in a. ERR_USAGE: no such study, no model of a pinned label; ERR_INVALID: the store holds no study.
 */
int report_gather(struct report **out, struct store *s, const struct gather_opts *o, struct arena *a, struct err *e);

/* Leaves out the rows whose runs were all taken from those of another row; their number goes to n_copies. Part of
 * report_gather(), before anything is ranked. */
void report_drop_copies(struct report *r);

/* A stored model's graph, in a; NULL if it is of a newer program. */
struct graph *gather_graph(const struct store_model *m, struct arena *a);

/* Whether all finished runs of a row (at least one) have a confusion matrix of the report's classes; their right
 * answers in its slices. What is summed over the runs is known only then. */
bool row_has_confusion(const struct report *r, const struct report_row *w);
bool row_has_slices(const struct report *r, const struct report_row *w);

/* "1", "2-5", or "" into buf; the dash is the text given. */
char *place_text(char buf[32], const struct report_row *r, const char *dash);

#endif
