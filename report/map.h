/* report/map.h - a place in the plane for every model of a report, near to those it resembles.
 *
 * The distances (report/distance.h) are embedded as they are: classical scaling, then SMACOF (base/mds.h). REMAP
 * embedded distances between the rows of its distance matrix by mistake.
 *
 * Models that come later are placed among the others, which stay where they are, as long as no more have come than were
 * laid out together; then all are laid out again, turned so that the old ones move as little as possible. From
 * MAP_SETTLED models laid out together on nothing moves any more. Beyond MAP_WHOLE models, landmarks are laid out, each
 * the one farthest from those before it, and the others placed among them. What was computed is kept in the cache.
 */
#ifndef NAB_REPORT_MAP_H
#define NAB_REPORT_MAP_H

#include "base/err.h"
#include "report/distance.h"

struct arena;
struct report;

enum { MAP_WHOLE = 1000, MAP_SETTLED = 300 };

struct map {
	enum map_metric metric;
	int n;            /* rows of the report */
	double *x, *y;    /* [n] by row; NAN: not placed */
	double stress;    /* of the layout, as a share (Kruskal's stress 1): 0 the map shows all distances as they are,
			     from    about 0.2 on look at the matrix before you believe a detail */
	int n_landmarks;  /* rows that took part in the layout; == placed rows if all did */
	int n_placed;     /* rows that have a place */
	int64_t computed; /* distances that were not in the cache */
	const char *note; /* what the reader must know: split, seed, how many were placed later */
};

/* Rows of r. Rows of one architecture (the same hash) share a place, but for predictions, where each row has its own:
 * those of its first finished seed. cache: path of the cache file or NULL. Everything lives in a. */
int map_models(struct map **out, const struct report *r, enum map_metric metric, const char *cache, struct arena *a,
	       struct err *e);

#endif
