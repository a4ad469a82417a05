/* arch/layer_string.c - see layer_string.h. */
#include "arch/layer_string.h"

#include <math.h>

#include "arch/graph.h"
#include "arch/kinds.h"
#include "arch/scale.h"
#include "base/mem.h"

static double width_of(const struct node *d)
{
	const int *width = layer_width(d->kind, d->cfg);

	if (d->kind == LAYER_dropout)
		return ((const struct dropout *)d->cfg)->rate;
	return width ? *width : 0;
}

struct layer_string layer_string(const struct graph *g, struct arena *a)
{
	struct layer_string s = { g->n_nodes, ARENA_ARRAY(a, struct layer_letter, g->n_nodes + 1) };

	for (int i = 0; i < g->n_nodes; i++)
		s.letter[i] = (struct layer_letter){ g->nodes[i].kind, width_of(&g->nodes[i]) };
	return s;
}

static double exchange(const struct layer_letter *x, const struct layer_letter *y, bool weighted)
{
	if (x->kind != y->kind)
		return 1;
	return weighted && x->width != y->width ? fabs(x->width - y->width) / fmax(x->width, y->width) : 0;
}

double layer_string_distance(const struct layer_string *x, const struct layer_string *y, bool weighted)
{
	double *row = mem_new((size_t)(y->n + 1) * sizeof *row), v;

	for (int k = 0; k <= y->n; k++)
		row[k] = k;
	for (int i = 0; i < x->n; i++) {
		double corner = row[0];

		row[0] = i + 1;
		for (int k = 0; k < y->n; k++) {
			double up = row[k + 1];

			v = corner + exchange(&x->letter[i], &y->letter[k], weighted);
			row[k + 1] = fmin(v, 1 + fmin(up, row[k]));
			corner = up;
		}
	}
	v = row[y->n];
	mem_free(row);
	return v;
}
