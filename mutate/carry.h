/* mutate/carry.h - inheriting weights: what a child starts from, given its trained parent.
 *
 * Layers that survive keep their numbers; widened channels repeat a parent's channel and what reads them divides by the
 * number of copies (Net2Wider), through norms, pools, activations, flattening and concatenation; a deepening layer
 * starts as the identity; an enlarged kernel gets a border of zeros; a new branch that ends in a sum or a
 * concatenation starts at zero. Everything else starts as an untrained layer would with this seed.
 */
#ifndef NAB_MUTATE_CARRY_H
#define NAB_MUTATE_CARRY_H

#include "mutate/mutate.h"

struct carry_result {
	int inherited, drawn; /* tensors, the statistics apart */
	bool preserves;       /* parent and child are the same function (evaluation mode) by construction */
	const char *why;      /* if they are not: the first reason, static or in the arena; else NULL */
};

/* The starting weights of the child that `edits` make of `parent`; `noise` > 0 breaks the symmetry of copied channels:
 * a standard deviation as a share of each tensor's own (Net2Net suggests 0.01), 0: exact. The child must be what
 * mutate_apply() gives. *out: caller frees. -1: e (memory, or edits that do not apply). */
int mutate_carry(struct weights **out, const struct graph *child, const struct graph *parent,
		 const struct weights *parent_weights, const struct json *edits, const struct mutate_env *env,
		 uint64_t seed, double noise, struct carry_result *result, struct arena *a, struct err *e);

#endif
