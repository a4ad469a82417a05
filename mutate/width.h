/* mutate/width.h - the width of layers, and who must have the same. For files of mutate/ only. */
#ifndef NAB_MUTATE_WIDTH_H
#define NAB_MUTATE_WIDTH_H

#include "mutate/draft.h"

/* The layers that must be as wide as `node`, since sums and products join what they hand out: node itself first. *n of
 * them. If one of those cannot be resized (a model's input, a concat), only node: then the merge is repaired. NULL:
 * refused (it has no width, makes an output, shares parameters with a layer that would keep its width). */
int *width_tied(struct draft *d, int node, int *n);

/* All of them get `to` outputs; output i goes on with output from[i] of what it was. Refused (0) where their groups
 * do not divide `to`. */
int width_set(struct draft *d, const int *nodes, int n, int to, const int *from);

/* "conv2d_1" or "conv2d_1 (and with it conv2d_4)". */
const char *width_names(struct draft *d, const int *nodes, int n);

/* "channels", "units" or "features". */
const char *width_unit(enum layer_kind kind);
/* The number, and the groups of a convolution (1 for others); 0 if the kind has none. */
int width_of(const struct node *n, int *groups);

#endif
