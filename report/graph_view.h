/* report/graph_view.h - a model as nodes and connections: layers from top to bottom, blocks and repeated runs as plates
 * that hold their own drawing, the shape of every tensor beside the connection that carries it.
 */
#ifndef NAB_REPORT_GRAPH_VIEW_H
#define NAB_REPORT_GRAPH_VIEW_H

#include <stdbool.h>

#include "arch/graph.h"

struct arena;
struct canvas;
struct str;

struct graph_view_opts {
	const char *name; /* any text; NULL: no title */
	bool unfold;      /* draw every copy */
};

struct canvas *graph_view_draw(const struct graph *g, const struct graph_view_opts *o, struct arena *a);

/* The same for Graphviz: a digraph whose blocks are clusters. */
void graph_view_dot(struct str *out, const struct graph *g, const struct graph_view_opts *o);

#endif
