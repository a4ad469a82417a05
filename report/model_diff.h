/* report/model_diff.h - two models aligned layer by layer: what was added, removed, changed.
 *
 * Layers keep their order. A pair is of one kind; pairs are chosen so that the sum of what agrees is largest: the id,
 * the options. Where one model was made from the other (related), ids were kept on purpose and decide; else a shared id
 * such as conv2d_2 is a weak hint, since it only counts layers.
 */
#ifndef NAB_REPORT_MODEL_DIFF_H
#define NAB_REPORT_MODEL_DIFF_H

#include <stdbool.h>

#include "arch/graph.h"

struct arena;
struct json;

enum diff_kind {
	DIFF_SAME,
	DIFF_CHANGED,  /* options, or what it reads */
	DIFF_RESHAPED, /* the same layer with another output shape or number of parameters */
	DIFF_REMOVED,
	DIFF_ADDED,
	DIFF_KIND_COUNT
};
extern const char *const diff_kind_names[]; /* "same", "changed", "reshaped", "removed", "added", NULL */

struct diff_step {
	enum diff_kind kind;
	int a, b;                   /* nodes; -1: none */
	const struct json *options; /* [{"key", "old", "new"}], in the arena's care; NULL: none */
	const char *reads_a,
	    *reads_b; /* ids of its inputs, where they differ although nothing was put between; or NULL */
};

struct model_diff {
	const struct graph *a, *b;
	struct diff_step *steps; /* in the order of the layers */
	int n;
	int count[DIFF_KIND_COUNT];
};

struct model_diff *model_diff(const struct graph *a, const struct graph *b, bool related, struct arena *arena);

/* What differs between two values, a line a leaf: appends {"key": path, "old", "new"} to list. */
void json_changes(struct json *list, const char *path, const struct json *old, const struct json *now);

#endif
