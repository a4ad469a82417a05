/* arch/scale.h - widths of layers, for those who build the same design at another size. */
#ifndef NAB_ARCH_SCALE_H
#define NAB_ARCH_SCALE_H

#include "arch/graph.h"

/* The option that says how wide a layer's output is: filters, units or features, in its cfg. NULL for kinds that follow
 * their input. */
int *layer_width(enum layer_kind kind, void *cfg);

/* Channels, units or features times `by`, rounded, at least one (per group). Kinds that follow their input are left. */
void scale_width(enum layer_kind kind, void *cfg, double by);

/* fixed[n_nodes]: widths that reach an output through layers that keep them: what the output needs, not to be scaled.
 */
void scale_fixed(const struct graph *g, bool *fixed);

#endif
