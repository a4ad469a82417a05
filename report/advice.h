/* report/advice.h - what an ablation's numbers allow one to say, in words, with the evidence and the next command.
 *
 * Never more than the interval holds: a unit may be pruned if even the low end of its interval costs no more than the
 * tolerance; an interval that includes zero and reaches below the tolerance, or is not reliable, decides nothing, and
 * what is advised then is more seeds.
 */
#ifndef NAB_REPORT_ADVICE_H
#define NAB_REPORT_ADVICE_H

#include <stdbool.h>

#include "report/compare.h"

struct arena;
struct json;
struct str;

enum advice_unit { UNIT_LAYERS, UNIT_FEATURE, UNIT_RECIPE }; /* layers, blocks; of the graph; of the recipe */

struct advice_row { /* what a row of the comparison is; row 0 is the parent */
	enum advice_unit kind;
	const char *by, *name;      /* as --by and --only take them: "block", "residual_2" */
	const char *const *removed; /* [n_removed] ids, for the command that makes the change last */
	int n_removed;
	const char *set;   /* of the recipe: "train.label_smoothing=0" */
	int first, second; /* a pair: its rows; else 0 */
	int control_of;    /* a control: of this row; else 0 */
};

struct advice_opts {
	const char *model; /* as commands name it: "best --store fashion.db", "my.json" */
	const char *again; /* the ablation's command without --seeds, --by and --only */
	double tolerance;  /* accuracy that may be given up: 0.005 */
	int seeds;         /* of every row */
};

enum advice_kind {
	ADVICE_PRUNE,     /* can go */
	ADVICE_DUPLICATE, /* carries most per parameter */
	ADVICE_DROP,      /* a regulariser, norm ... that does not help */
	ADVICE_KEEP,      /* its loss is significant */
	ADVICE_UNSURE,    /* cannot tell */
	ADVICE_CAPACITY,  /* what a control says about a unit */
	ADVICE_PAIR,      /* an interaction */
	ADVICE_KIND_COUNT
};
extern const char *const advice_kind_names[]; /* "prune", ... NULL-terminated */

struct advice {
	enum advice_kind kind;
	const char *text;    /* "residual_4: -0.02 points (-0.31 to +0.27), saves 4,640 parameters: can go" */
	const char *command; /* or NULL */
};

/* rows[c->n_rows]. Most useful first. Everything lives in a; returns the number. */
int advice_make(struct advice **out, const struct comparison *c, const struct advice_row *rows,
		const struct advice_opts *o, struct arena *a);

/* Pairs against their parts: delta of the pair less the sum of the single deltas, seed by seed, so that 0 is "they do
 * not interact". NAN where a part has no numbers. */
struct advice_interaction {
	int row, first, second;
	double pair, sum;           /* deltas */
	struct stats_effect effect; /* of pair - sum, over seeds */
	double p;                   /* adjusted over the pairs (Holm) */
};
int advice_interactions(struct advice_interaction **out, const struct comparison *c, const struct advice_row *rows,
			struct arena *a);

void advice_text(struct str *out, const struct advice *v, int n, const char *bullet);
struct json *advice_json(const struct advice *v, int n); /* caller frees */

#endif
