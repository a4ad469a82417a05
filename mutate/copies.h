/* mutate/copies.h - a layer or block again, right after itself: what duplicate and repeat share. For files of mutate/
 * only. */
#ifndef NAB_MUTATE_COPIES_H
#define NAB_MUTATE_COPIES_H

#include "mutate/draft.h"

/* Adds a copy of `at` that reads what `at` hands out, and is read in its stead. Where the original reduces the size,
 * the copy does not: a block has the stride 1 then, and its shortcut is made anew. *copy is the new place. 1; 0:
 * refused; -1: e. `name` is what users call the original. */
int copy_after(struct draft *d, struct place at, const char *name, struct place *copy, struct err *e);

/* Whether a copy right after it may help: layers with weights that hand out what they can read, and blocks. */
bool copy_has_sense(const struct graph *g, struct place at);

/* All old readers of `from` (nodes below n_nodes, groups below n_groups, outside of block `group` if that is not -1;
 * and the model's outputs) read `to` instead. */
void copy_read_instead(struct draft *d, struct edge from, struct edge to, int n_nodes, int n_groups, int group);

/* Whether an instance of `block` has arguments that it can be expanded from again: it has parameters, their definition
 * is among the model's sources, and it was not edited inside. */
bool copy_has_arguments(const struct graph *g, const char *block, const char *args);

/* Whether all that a block hands out is still there: an earlier edit may have removed its layers. */
bool copy_is_whole(const struct draft *d, int group);

#endif
