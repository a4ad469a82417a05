/* report/distance.c - see distance.h. */
#include "report/distance.h"

#include <assert.h>
#include <string.h>

#include "arch/graph.h"
#include "arch/layer_string.h"
#include "base/mem.h"

const char *const map_metric_names[] = { "structure", "predictions", "layers", NULL };
const char *const map_metric_titles[] = { "How they are built", "What they predict", "Their layers in order", NULL };

struct prepared {
	struct otmann *net;
	struct layer_string layers;
	uint8_t *predicted; /* [n][bytes]: one byte a class where that is enough */
};

struct distances {
	struct distance_opts o;
	struct arena *a;
	struct prepared *m;
	int n, cap;
	int64_t n_predicted;
	bool wide; /* two bytes a class */
};

struct distances *distances_new(const struct distance_opts *o, struct arena *a)
{
	struct distances *d = ARENA_NEW(a, struct distances);

	d->o = *o;
	d->a = a;
	return d;
}

int distances_count(const struct distances *d)
{
	return d->n;
}

static struct prepared *more(struct distances *d)
{
	if (d->n == d->cap) {
		struct prepared *m = ARENA_ARRAY(d->a, struct prepared, d->cap ? 2 * d->cap : 16);

		if (d->n)
			memcpy(m, d->m, (size_t)d->n * sizeof *m);
		d->m = m;
		d->cap = d->cap ? 2 * d->cap : 16;
	}
	return &d->m[d->n];
}

int distances_add_graph(struct distances *d, const struct graph *g, struct err *e)
{
	struct prepared *m = more(d);

	assert(d->o.metric != MAP_PREDICTIONS);
	if (d->o.metric == MAP_LAYERS)
		m->layers = layer_string(g, d->a);
	else if (otmann_of_graph(&m->net, g, d->o.preset, d->a, e) < 0)
		return -1;
	return d->n++;
}

static void widen(struct distances *d)
{
	for (int i = 0; i < d->n; i++) {
		uint16_t *w = arena_alloc(d->a, (size_t)d->n_predicted * sizeof *w);

		for (int64_t k = 0; k < d->n_predicted; k++)
			w[k] = d->m[i].predicted[k];
		d->m[i].predicted = (uint8_t *)w;
	}
	d->wide = true;
}

int distances_add_predictions(struct distances *d, const uint16_t *predicted, int64_t n, struct err *e)
{
	struct prepared *m = more(d);
	uint16_t most = 0;

	assert(d->o.metric == MAP_PREDICTIONS && n > 0);
	if (d->n && n != d->n_predicted)
		return ERR(e, ERR_INVALID, NULL, "predictions on %lld examples cannot be compared with those on %lld",
			   (long long)n, (long long)d->n_predicted);
	d->n_predicted = n;
	for (int64_t k = 0; k < n; k++)
		most = predicted[k] > most ? predicted[k] : most;
	if (most > 255 && !d->wide)
		widen(d);
	m->predicted = arena_alloc(d->a, (size_t)n * (d->wide ? 2 : 1));
	if (d->wide)
		memcpy(m->predicted, predicted, (size_t)n * 2);
	for (int64_t k = 0; k < n && !d->wide; k++)
		m->predicted[k] = (uint8_t)predicted[k];
	return d->n++;
}

/* Counts in short runs, so that the compiler may add bytes side by side. */
static int64_t differing_bytes(const uint8_t *x, const uint8_t *y, int64_t n)
{
	int64_t sum = 0;

	for (int64_t at = 0; at < n; at += 240) {
		uint8_t part = 0;
		int end = n - at < 240 ? (int)(n - at) : 240;

		for (int k = 0; k < end; k++)
			part = (uint8_t)(part + (x[at + k] != y[at + k]));
		sum += part;
	}
	return sum;
}

static int64_t differing(const struct distances *d, int i, int k)
{
	const uint16_t *x = (const uint16_t *)d->m[i].predicted, *y = (const uint16_t *)d->m[k].predicted;
	int64_t sum = 0;

	if (!d->wide)
		return differing_bytes(d->m[i].predicted, d->m[k].predicted, d->n_predicted);
	for (int64_t q = 0; q < d->n_predicted; q++)
		sum += x[q] != y[q];
	return sum;
}

static double between(const struct distances *d, int i, int k)
{
	const struct prepared *x = &d->m[i], *y = &d->m[k];

	if (i == k)
		return 0;
	switch (d->o.metric) {
	case MAP_STRUCTURE:
		return d->o.raw ? otmann_distance(x->net, y->net, &OTMANN_COST)
				: otmann_normalised(x->net, y->net, &OTMANN_COST);
	case MAP_PREDICTIONS:
		return (double)differing(d, i, k) / (double)d->n_predicted;
	case MAP_LAYERS:
		return layer_string_distance(&x->layers, &y->layers, d->o.weighted);
	case MAP_METRIC_COUNT:
		break;
	}
	return 0;
}

void distances_rows(const struct distances *d, double *tri, const int *number, int from, int n)
{
#pragma omp parallel for schedule(dynamic) if (n > 100)
	for (int i = n - 1; i >= from; i--) /* long rows first */
		for (int k = 0; k < i; k++)
			tri[triangle_at(i, k)] = between(d, number[i], number[k]);
}

void distances_from(const struct distances *d, double *to, int one, const int *list, int n)
{
#pragma omp parallel for schedule(dynamic, 16) if (n > 100)
	for (int i = 0; i < n; i++)
		to[i] = between(d, one, list[i]);
}
