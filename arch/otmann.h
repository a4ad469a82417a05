/* arch/otmann.h - how different two networks are built: the optimal-transport distance of NASBOT (OTMANN; Kandasamy,
 * Neiswanger, Schneider, Poczos and Xing 2018, "Neural Architecture Search with Bayesian Optimisation and Optimal
 * Transport"), in the forms that were published and in a corrected one.
 *
 * Every layer has a mass (about how much it computes). The mass of one network is matched to that of the other at the
 * least cost: a pair of layers costs a * (how unlike their labels are) + s * (how unlike their places are, in lengths
 * of paths to the input and to the output); what is left over costs nu for each unit, on either side. The least total
 * is d; d / (mass of both) is the normalised distance, in [0, 1] if nu is 1. Both are pseudo-distances: 0 does not mean
 * equal (two parallel convolutions of 8 channels are one of 16), and no triangle inequality is promised.
 *
 * Presets: which layers count, their labels, masses and groups.
 *
 *   nab         (the default) every layer of arch/layers.def as it stands; identity and dead branches are left out.
 *               Mass: convolutions in * out / groups channels, depthwise ones their output channels; dense 0.1 * in *
 *               out; recurrent (in + units) * units per direction; what has no connections of its own (pooling,
 *               activations, norms, dropout, merges, embeddings, reshaping) its output channels. The channels of a
 *               flattened image are those of the image. Input, output, and all decision layers together: a tenth of the
 *               total, at least 100.
 *               Labels: convolutions differ by (sqrt 2 / 10) * sqrt|k - k'| for the kernels' sides (square root of the
 *               area), + 0.1 each for another stride, dilation or grouping (full, grouped, depthwise); pooling by 0.5
 *               for another function (maximum, average), 0.5 for global against local, and the sizes as kernels; two
 *               rectifier-like activations or two sigmoid-like ones by 0.1, else 0.25; norms by 0.25; merges by 0.5;
 *               gru and lstm by 0.1, others of the recurrent by 0.25, + 0.1 for another number of directions; dropout
 *               by the difference of the rates; flatten and reshape by 0.25. At most 1 in all; different families, and
 *               1-D against 2-D, never match.
 *               Groups: all, convolutions, pooling, layers that are dense or recurrent.
 *   remap       as REMAP used it, its faults included: labels dense, dropout, conv1, pool3 (maximum and average are
 *               one), relu ...; activations and dropout weigh the square of their channels; two of four groups are
 *               empty; the classifier is a dense layer and a softmax.
 *   nasbot-cnn  as published for CNNs: conv3, res5, max-pool, avg-pool, fc; a conv stands for itself with its norm and
 *               activation, which are passed over, as dropout and reshaping are.
 *   nasbot-mlp  as published for MLPs: a hidden layer is its activation with the dense layer's units.
 *
 * A prepared model (struct otmann) lives in an arena, is never changed, and may be used by several threads at a time.
 */
#ifndef NAB_ARCH_OTMANN_H
#define NAB_ARCH_OTMANN_H

#include "base/err.h"

struct arena;
struct graph;
struct otmann;

enum otmann_preset { OTMANN_NAB, OTMANN_REMAP, OTMANN_NASBOT_CNN, OTMANN_NASBOT_MLP, OTMANN_PRESET_COUNT };
extern const char *const otmann_preset_names[]; /* "nab", "remap", "nasbot-cnn", "nasbot-mlp", NULL */

/* A network in the terms of the published presets: "ip", "op", decision layers "softmax" or "linear" before it, and
 * layers such as "conv3", "max-pool", "fc", "relu" with their units; units 0: as many as come in. */
struct otmann_layer {
	const char *label;
	double units;
};

struct otmann_edge {
	int from, to;
};

struct otmann_net {
	const struct otmann_layer *layers;
	int n_layers;
	const struct otmann_edge *edges;
	int n_edges;
};

struct otmann_cost {
	double mismatch, structure, unmatched; /* a, s, nu */
};
#define OTMANN_COST ((struct otmann_cost){ 1, 1, 1 })

/* Prepares a network for comparisons. ERR_INVALID if it has not one ip and one op with decision layers alone before it,
 * or has a cycle, or a layer that lies on no path between them; or if the preset is nab, which has graphs only. */
int otmann_of_net(struct otmann **out, const struct otmann_net *net, enum otmann_preset preset, struct arena *a,
		  struct err *e);
/* The same for a model. */
int otmann_of_graph(struct otmann **out, const struct graph *g, enum otmann_preset preset, struct arena *a,
		    struct err *e);

double otmann_mass(const struct otmann *m);                  /* the total */
const double *otmann_masses(const struct otmann *m, int *n); /* of each layer; of a net: in its order */
const char *otmann_label(const struct otmann *m, int layer); /* for people */

/* d, exact but for rounding. Both were prepared with one preset. */
double otmann_distance(const struct otmann *x, const struct otmann *y, const struct otmann_cost *c);
/* d / (mass of both). */
double otmann_normalised(const struct otmann *x, const struct otmann *y, const struct otmann_cost *c);

#endif
