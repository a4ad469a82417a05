/* mutate/ablate.h - the plan of an ablation: one child per unit that can be removed, and why the others cannot.
 *
 * Units: single layers; block instances; all layers of a kind; named groups of layers or ranges of them; features of
 * the recipe or of the graph ("batchnorm", "skip", "dropout", "augmentation", "weight_decay", "label_smoothing"). A
 * child is the parent without the unit, everything else as it was, shapes recomputed; or the parent's graph with a
 * changed recipe.
 */
#ifndef NAB_MUTATE_ABLATE_H
#define NAB_MUTATE_ABLATE_H

#include "mutate/mutate.h"

enum ablate_by { ABLATE_LAYER, ABLATE_BLOCK, ABLATE_OP, ABLATE_GROUP, ABLATE_FEATURE, ABLATE_BY_COUNT };
extern const char *const ablate_by_names[]; /* "layer", "block", "op", "group", "feature", NULL */

enum ablate_match { MATCH_NONE, MATCH_PARAMS, MATCH_MACS };
extern const char *const ablate_match_names[]; /* "none", "params", "macs", NULL */

struct ablate_opts {
	unsigned by;               /* bit set 1 << ablate_by */
	const char *const *groups; /* "name=id,id" or "name=first..last", for ABLATE_GROUP */
	int n_groups;
	const char *const *only; /* ids, kinds or features: no others; NULL: all */
	int n_only;
	bool pairs;              /* also two units at a time */
	enum ablate_match match; /* also a control: the child widened until it has as many parameters again */
	int64_t max_params;      /* children beyond are refused; 0: no limit */
};

struct ablate_child {
	enum ablate_by by;
	const char *label;         /* "without-residual_2", unique in the plan */
	const char *unit;          /* "residual_2", "batchnorm", "dropout" */
	int first, second;         /* of a pair: the two children it joins; else -1 */
	int control_of;            /* a capacity-matched control: of this child; else -1 */
	const struct graph *graph; /* NULL: refused */
	const struct json *recipe; /* overrides of the recipe, or NULL; in the arena's care */
	struct mutate_log log;     /* log.refusal: why it cannot be removed */
};

struct ablate_plan {
	struct ablate_child *children; /* refused ones among them */
	int n, n_trainable;
};

/* recipe: the parent's, complete (JSON): features that it does not use are not units. Everything lives in a. */
int ablate_plan(struct ablate_plan **out, const struct graph *g, const struct json *recipe, const struct ablate_opts *o,
		const struct mutate_env *env, struct arena *a, struct err *e);

#endif
