/* mutate/ablate_units.h - what an ablation can take out of a model. For mutate/ablate*.c only.
 *
 * A unit is a list of layers and blocks that go together, or a change of the recipe.
 */
#ifndef NAB_MUTATE_ABLATE_UNITS_H
#define NAB_MUTATE_ABLATE_UNITS_H

#include "mutate/ablate.h"

struct ablate_unit {
	enum ablate_by by;
	const char *name;
	const char **ids; /* layers and blocks that are removed, in the model's order; n_ids 0: the recipe changes */
	int n_ids;
	struct json *recipe; /* overrides, or NULL; in the arena's care */
	const char *words;   /* of a change of the recipe: "without label smoothing (0.1)" */
	const char *refusal; /* known without trying, or NULL */
};

struct ablate_units {
	struct ablate_unit *items;
	int n, cap;
	struct arena *arena;
	const struct graph *graph;
	const struct json *recipe;
	const struct ablate_opts *opts;
};

/* A new unit without anything in it. `name` is borrowed. Valid until the next call. */
struct ablate_unit *ablate_unit_add(struct ablate_units *u, enum ablate_by by, const char *name);
void ablate_unit_id(struct ablate_units *u, struct ablate_unit *unit, const char *id); /* borrowed */

/* All units that the options ask for, in the order layers, blocks, kinds, groups, features. -1: a mistake in them. */
int ablate_units_find(struct ablate_units *u, struct err *e);
void ablate_units_release(struct ablate_units *u);

/* Those that are features (mutate/ablate_feature.c). */
void ablate_features_find(struct ablate_units *u);
extern const char *const ablate_feature_names[]; /* NULL-terminated */

#endif
