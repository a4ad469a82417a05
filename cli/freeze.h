/* cli/freeze.h - `--freeze`: which layers of a model keep the numbers that they start with. */
#ifndef NAB_CLI_FREEZE_H
#define NAB_CLI_FREEZE_H

#include "arch/graph.h"
#include "base/opt.h"

/* Each text is a list, separated by commas, of ids of layers or block instances, ranges of them ("conv2d_1..relu_4", in
 * the model's order), or "all-but-head" (all but the last layers with parameters). Marks the layers that have
 * parameters as frozen, in place: nothing that a graph has computed depends on that. ERR_USAGE with a suggestion if
 * something is not in the model, if there is nothing to freeze there, or if nothing would be left to train. */
int cli_freeze(struct graph *g, const struct opt_strs *what, struct err *e);

#endif
