/* mutate/vary.h - random variations of a model: k changes each, valid, within limits, none twice.
 *
 * For every child: k ~ U{1 .. changes}; k times a place is chosen uniformly among those that are free and not changed
 * yet, and an operator uniformly among those allowed there. A child that is refused, beyond a limit, or equal
 * (canonical hash and recipe) to the parent or an earlier child is drawn again, from its own stream of random numbers,
 * so that child n does not depend on how many were asked for.
 */
#ifndef NAB_MUTATE_VARY_H
#define NAB_MUTATE_VARY_H

#include "base/hash.h"
#include "mutate/mutate.h"

struct vary_opts {
	int changes;            /* at most, of one child */
	const char *const *ops; /* names of operators; NULL: all that can be drawn */
	int n_ops;
	const char *const *layers; /* ids of layers and blocks, or ranges "a..b": only these; NULL: all */
	int n_layers;
	const struct json
	    *allow; /* {"conv2d_1": ["widen", "remove"], "dense_1": []}: per-layer operators; NULL: none */
	int64_t max_params, max_macs; /* 0: the space's limits alone */
	const struct json
	    *recipe; /* a recipe with open places ({"any": ...}) that is drawn anew for every child; NULL */
	uint64_t seed;
	int tries; /* in a row without a new child until the neighbourhood counts as exhausted */
};

struct vary_child {
	const struct graph *graph;
	const struct json *recipe; /* drawn overrides, or NULL */
	struct mutate_log log;
	const char *label; /* "resnet8-v3" is left to the caller; here: "v3" */
};

struct vary_stats {
	int64_t drawn, refused, beyond, duplicates;
};

/* Draws up to n children; known[] (n_known hashes) are models that exist already. *found < n: exhausted. -1: a mistake
 * in the options (unknown id or operator: with suggestions). */
int vary_draw(struct vary_child **out, int *found, int n, const struct graph *g, const struct vary_opts *o,
	      const struct hash128 *known, int n_known, const struct mutate_env *env, struct vary_stats *st,
	      struct arena *a, struct err *e);

#endif
