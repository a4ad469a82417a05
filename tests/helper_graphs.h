/* tests/helper_graphs.h - random networks of every layer kind, and their outputs by the oracle.
 */
#ifndef NAB_TESTS_HELPER_GRAPHS_H
#define NAB_TESTS_HELPER_GRAPHS_H

#include "arch/weights.h"
#include "base/mem.h"

/* A random network: 1 or 2 inputs of any type, blocks (nested, repeated, with several inputs and outputs), ports,
 * shared and frozen layers, dead branches, 1 or 2 outputs. Every kind but choice occurs sooner or later. */
struct graph *random_graph(struct arena *a, struct rng *r);

/* The model that a text prints; the running test fails with the first mistake. */
struct graph *graph_reread(struct arena *a, const char *text, size_t len);

/* Random weights: initial ones, and random statistics, scales and biases. Free with weights_free. */
struct weights *random_weights(const struct graph *g, struct rng *r);

/* A random batch for input k: normal numbers, or tokens small enough for any embedding. */
float *random_input(const struct graph *g, int k, int batch, struct arena *a, struct rng *r);

/* Logits by the oracle in evaluation mode: out[output][batch][classes]. */
double **oracle_logits(const struct graph *g, const struct weights *w, const float *const *in, int batch,
		       struct arena *a);

#endif
