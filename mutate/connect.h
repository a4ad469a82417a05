/* mutate/connect.h - points between which operators draw connections. For files of mutate/ only. */
#ifndef NAB_MUTATE_CONNECT_H
#define NAB_MUTATE_CONNECT_H

#include "mutate/draft.h"

enum { MERGE_ADD, MERGE_CONCAT };
extern const char *const merge_kind_names[]; /* "add", "concat", NULL */

/* A layer, or a block instance as a whole, seen from the scope it stands in. */
struct point {
	struct place at;
	const char *name;
	int scope;       /* the block instance it stands in, or -1 */
	struct edge out; /* what it hands out first */
	int last;        /* its last node in the order */
};

void point_of(struct point *p, struct draft *d, struct place at);

/* Everything outside the point that reads it reads `to` instead; but not `except`. */
void point_redirect(struct draft *d, const struct point *p, struct edge to, int except);

/* A layer without bias of window 1 that brings `from` to the shape `to` (for concat: to its size, with its own
 * channels), behind node `after`. *out becomes its output. 0: refused, no stride does that. */
int connect_project(struct draft *d, struct edge from, const struct shape *to, bool concat, int after, int scope,
		    enum start start, struct edge *out);
/* Whether the shapes fit a merge as they are. */
bool connect_fits(const struct shape *a, const struct shape *b, bool concat);

/* Merges a point's output with `with`: its readers read the merge. Returns the new node. */
int connect_merge(struct draft *d, const struct point *p, struct edge with, int after, bool concat);

#endif
