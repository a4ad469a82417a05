/* arch/layer_string.h - a model as the string of its layers, and how many edits turn one into another.
 *
 * The letters are the layer kinds in the order of the model. Plain: Levenshtein's distance (1966), the least number of
 * layers to insert, to delete or to exchange for another kind. Weighted: layers of one kind but of different width
 * (filters, units, features, a dropout's rate) cost |a - b| / max(a, b). Wiring does not count, nor do kernels.
 * REMAP's own weighted form has the cost inverted (1 less that), which is not copied.
 */
#ifndef NAB_ARCH_LAYER_STRING_H
#define NAB_ARCH_LAYER_STRING_H

#include <stdbool.h>

struct arena;
struct graph;

struct layer_letter {
	int kind;     /* enum layer_kind */
	double width; /* 0: the kind has none */
};

struct layer_string {
	int n;
	struct layer_letter *letter;
};

struct layer_string layer_string(const struct graph *g, struct arena *a);
double layer_string_distance(const struct layer_string *x, const struct layer_string *y, bool weighted);

#endif
