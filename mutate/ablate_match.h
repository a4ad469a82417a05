/* mutate/ablate_match.h - capacity-matched controls: a child made wider (or narrower) until it is as large as its
 * parent again, so that what a removed unit did and what its size did can be told apart. For mutate/ablate.c only.
 */
#ifndef NAB_MUTATE_ABLATE_MATCH_H
#define NAB_MUTATE_ABLATE_MATCH_H

#include "mutate/ablate.h"

/* Whether a child differs from its parent in size by more than the tolerance. */
bool ablate_match_needed(const struct graph *child, const struct graph *parent, enum ablate_match match);

/* Fills out->graph and out->log: `child` with all its widths scaled by one factor and rounded, then single ones moved
 * until it is within 2 % of the parent. What must have one width (through a sum) keeps it. Or out->log.refusal. */
void ablate_match_build(struct ablate_child *out, const struct ablate_child *child, const struct graph *parent,
			enum ablate_match match, const struct mutate_env *env, struct arena *a);

#endif
