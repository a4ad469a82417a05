/* report/distance.h - how different models are, by three measures.
 *
 *   structure     what they are built of and how it is wired: OTMANN (arch/otmann.h), by default the normalised
 * distance of preset nab predictions   the share of the validation examples to which they give different classes
 * (Hamming). REMAP used its test set for this; here the test split is not touched. layers        the edits that turn
 * one string of layers into the other (arch/layer_string.h)
 */
#ifndef NAB_REPORT_DISTANCE_H
#define NAB_REPORT_DISTANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/otmann.h"

struct arena;
struct graph;

enum map_metric { MAP_STRUCTURE, MAP_PREDICTIONS, MAP_LAYERS, MAP_METRIC_COUNT };
extern const char *const map_metric_names[];  /* "structure", "predictions", "layers", NULL */
extern const char *const map_metric_titles[]; /* for people */

struct distance_opts { /* zeroed: what maps are made of */
	enum map_metric metric;
	enum otmann_preset preset;
	bool raw;      /* structure: d, not divided by the masses */
	bool weighted; /* layers: widths count */
};

struct distances; /* models prepared for comparison; pairs may be asked for by several threads */

struct distances *distances_new(const struct distance_opts *o, struct arena *a);
/* Adds models, numbered from 0. The graph need not live on. -1 with e if the preset has no place for it, or if
 * predictions are on another number of examples than those before. */
int distances_add_graph(struct distances *d, const struct graph *g, struct err *e);
int distances_add_predictions(struct distances *d, const uint16_t *predicted, int64_t n, struct err *e);
int distances_count(const struct distances *d);

/* The lower triangle without its diagonal, row by row: of pair (i, k < i) at i * (i - 1) / 2 + k. */
static inline int64_t triangle_at(int i, int k)
{
	return (int64_t)i * (i - 1) / 2 + k;
}
static inline double triangle_get(const double *tri, int i, int k)
{
	return i == k ? 0 : i > k ? tri[triangle_at(i, k)] : tri[triangle_at(k, i)];
}

/* Rows from .. n - 1 of it, on all cores. number[i]: model of row i. */
void distances_rows(const struct distances *d, double *tri, const int *number, int from, int n);
/* to[n] = distances of model `one` from models list[0..n). */
void distances_from(const struct distances *d, double *to, int one, const int *list, int n);

#endif
