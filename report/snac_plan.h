/* report/snac_plan.h - what a chart of a model shows, before any place or size: which layers are chips, which blocks
 * and repeated runs are plates, which connections are not "from the one before". Used by the SNAC, the line for
 * terminals and the node-link view.
 */
#ifndef NAB_REPORT_SNAC_PLAN_H
#define NAB_REPORT_SNAC_PLAN_H

#include <stdbool.h>

#include "arch/graph.h"

struct chip {
	int node;       /* -1 - k: the model's input k */
	int plate;      /* innermost, or -1 */
	bool apart;     /* does not read the chip before it */
	bool hidden;    /* takes part in places, is not drawn */
	double u, w, h; /* place along the axis, length along it, size across it */
};

struct plate {
	int group; /* -1: a run of layers that is no block */
	int count; /* copies in a row */
	int parent;
	int first, last; /* chips */
	int inner;       /* levels of plates inside it */
	int rows;        /* of names: its own and those of plates inside it */
	bool hidden;
	double u0, u1;
};

struct bar { /* a connection that is not "from the one before" */
	int from, to;
	int track, nth; /* nth of those that end at `to` */
};

struct plan {
	const struct graph *g;
	bool unfold;
	struct chip *chips;   /* inputs first, then layers in order */
	struct plate *plates; /* an outer one before those inside it */
	struct bar *bars;
	int *chip_of; /* node -> chip that shows it */
	int n_chips, n_plates, n_bars, cap_chips, cap_plates, cap_bars;
	int levels, tracks;
};

void plan_graph(struct plan *p, const struct graph *g, bool unfold);
void plan_release(struct plan *p);

/* The chip that shows where an edge comes from. */
int plan_source(const struct plan *p, struct edge e);
const struct shape *chip_shape(const struct plan *p, const struct chip *c);

#endif
