/* report/layered.h - places for boxes that are connected from top to bottom (Sugiyama, Tagawa and Toda 1981): layers by
 * longest path, order within a layer by the mean of the neighbours, places along it by least squares (pool adjacent
 * violators). A connection over several layers passes between their boxes on a lane of its own; all connections that
 * carry the same tensor share one. So no line lies over a box, and no two boxes over each other.
 *
 * The caller fills boxes and links (from < to: boxes stand in topological order), calls layered_place, and reads places
 * and lanes. Links are sorted, equal ones become one. Everything lives in the arena.
 */
#ifndef NAB_REPORT_LAYERED_H
#define NAB_REPORT_LAYERED_H

#include <stdbool.h>

struct arena;

struct lbox {
	double w, h;
	bool last; /* below everything else */
	/* results */
	int layer;
	double x, y; /* upper left corner */
};

struct llink {
	int from, to;
	int tensor;           /* links of one box with the same tensor share a lane */
	double out_at, in_at; /* where it leaves and enters, from the boxes' left sides */
	bool cut;             /* result: it passes over too many layers and has no lane, see passages_max */
};

struct lpoint {
	double x, top, bottom; /* a vertical stretch */
};

struct lane { /* what is drawn for one tensor of one box */
	int from, tensor;
	struct lpoint *stop; /* [0] from the box to the end of its layer, then through layer after layer */
	int n_stops;
};

struct layered {
	struct arena *a;
	struct lbox *box;
	struct llink *link;
	int n_boxes, n_links;
	double gap_x, gap_y, lane_gap;
	int passages_max; /* of lanes through layers; beyond it the longest links are cut. 0: any number */
	/* results */
	double width, height;
	struct lane *lanes;
	int n_lanes;
	int *lane_of;        /* of a link; -1: cut */
	int n_cut, cut_span; /* how many were cut; over more than so many layers */
};

void layered_place(struct layered *l);

#endif
