/* report/outline.h - the shape of a canvas item as a path, and what back ends without arcs and rectangles of their own
 * need: quarter circles as curves, curves as short lines, numbers as short texts.
 */
#ifndef NAB_REPORT_OUTLINE_H
#define NAB_REPORT_OUTLINE_H

#include "report/canvas.h"

enum { OUTLINE_VERBS = 12, OUTLINE_POINTS = 20 };

struct outline {
	const enum verb *verb;
	const struct point *point;
	int n_verbs, n_points;
	enum verb own_verb[OUTLINE_VERBS]; /* of rectangles and discs; a path's are borrowed from the item */
	struct point own_point[OUTLINE_POINTS];
};

/* Fills *o; the item and *o must stay where they are while it is used. Texts, groups and what has no extent have none:
 * n_verbs is 0. */
void outline_of(struct outline *o, const struct item *i);

/* All four sides and corners of a rectangle are the same: its outline is drawn with side[0]. Else every side is a
 * straight line of its own, from corner to corner, over the filled outline. */
bool outline_uniform(const struct item *rect);
void outline_side(struct point ends[2], const struct item *rect, int side);
/* What the outline itself is drawn with: of a path and a disc their pen, of a uniform rectangle its side, else none. */
struct pen outline_pen(const struct item *i);

/* Calls line(arg, from, to, open) for every piece of the outline; curves are cut into lines that are at most `step`
 * long, but not into more than 64. closing: the line that closes a part for filling, not drawn by a pen. */
typedef void outline_line(void *arg, struct point from, struct point to, bool closing);
void outline_walk(const struct outline *o, double step, outline_line *line, void *arg);

/* At most two decimals, no trailing zeros: "3", "3.5", "-0.25"; not a number: "0". */
void outline_number(struct str *out, double v);

/* An ink in light or dark colours, each part in 0 .. 1. */
void outline_rgb(double rgb[3], enum ink ink, bool dark);

#endif
