/* export/torch_scope.h - the blocks of a graph as Python classes.
 *
 * A scope is a block instance, or the model itself (group -1). Instances whose text is the same share a class; what
 * differs between them only in the shapes that flow is the same text.
 */
#ifndef NAB_EXPORT_TORCH_SCOPE_H
#define NAB_EXPORT_TORCH_SCOPE_H

#include "export/torch.h"

struct torch_classes;

/* Finds the classes of all blocks of g. -1 with e if a layer cannot be exported. Lives in `a`; free nevertheless. */
int torch_classes_find(struct torch_classes **out, const struct graph *g, struct arena *a, struct err *e);
void torch_classes_free(struct torch_classes *c); /* accepts NULL */

/* A batch norm, if all of them have the same options, which then stand in the constant NORM; else NULL. */
const struct node *torch_classes_norm(const struct torch_classes *c);

/* Writes the classes of the blocks, those that others use first, and then class Model. */
void torch_classes_write(struct py *p, struct torch_classes *c);

#endif
