/* store/cache.h - what is merely computed and dear: distances between models and their places on a map, in a file of
 * its own beside the store, <store>.cache. It may be removed at any time, and is never worth an error: a file that
 * cannot be read or written, is damaged or of another program is passed over with a note (a damaged one is set aside as
 * <store>.cache.damaged and made anew).
 *
 * Reports and commands open it, not the coordinator: they alone compute distances, and they may do so beside a running
 * search, several at a time. A change is one transaction, made only if nobody changed the map since it was read;
 * otherwise it is dropped, since the other has computed the same.
 */
#ifndef NAB_STORE_CACHE_H
#define NAB_STORE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"

struct arena;
struct cache;

struct cached_model {
	char key[HASH_TEXT];
	bool base;     /* took part in the layout */
	double x, y;   /* on the map */
	double cx, cy; /* in classical scaling: base only */
	double square; /* mean of its squared distances from the base: base only */
};

struct cached_map {
	int64_t generation; /* 0: nothing is kept */
	double stress;
	int n;      /* models, in the order in which they came */
	int n_rows; /* of the first n_rows of them all distances to those before are kept */
	struct cached_model *model;
};

/* The path of a store's cache, in a. */
const char *cache_path(const char *store, struct arena *a);

/* NULL if it cannot be used; then (and when it was made anew) note says why, else it is "". */
struct cache *cache_open(const char *path, char *note, size_t size);
void cache_close(struct cache *c); /* accepts NULL */

/* Reads a map by its name; it is empty if it is not there, or cannot be read. c may be NULL. */
void cache_read(struct cache *c, const char *name, struct cached_map *out, struct arena *a);
/* The distances of the first n_rows models: tri[n_rows * (n_rows - 1) / 2], rows of the lower triangle. false if they
 * cannot be read. */
bool cache_distances(struct cache *c, const char *name, const struct cached_map *m, double *tri);
/* Keeps a map: models from `from` on are new (0: all is new, what was kept goes), so are rows from from_row on. Returns
 * whether it was kept; m->generation moves on then. */
bool cache_write(struct cache *c, const char *name, struct cached_map *m, int from, const double *tri, int from_row);

#endif
