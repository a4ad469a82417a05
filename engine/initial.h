/* engine/initial.h - the numbers that a run starts from when it does not start from scratch: those of a trained parent,
 * or of a file. A function of what is passed alone, so that a run that begins again begins with the same numbers.
 */
#ifndef NAB_ENGINE_INITIAL_H
#define NAB_ENGINE_INITIAL_H

#include "arch/weights.h"
#include "base/err.h"
#include "base/hash.h"

struct arena;
struct diag;
struct json;

/* Channels that a wider child copies differ by this share of their tensor's standard deviation, so that they do not
 * stay copies for ever (Net2Net). */
#define INITIAL_NOISE 0.01

struct initial {
	struct weights *weights; /* caller frees */
	int inherited, drawn;    /* tensors, the statistics apart; drawn: started as an untrained layer's */
	struct hash128 digest;   /* of the file, where there is one */
	char text[320];          /* in words: "34 of 36 tensors; the function is preserved" */
};

struct initial_parent {
	const struct graph *graph;
	const char *path;         /* of its weights */
	const struct json *edits; /* that made the child of it (mutate/carry.h), or NULL: names and shapes decide */
};

/* `seed` draws what the parent does not give. */
int initial_inherit(struct initial *out, const struct graph *g, const struct initial_parent *p, uint64_t seed,
		    struct arena *a, struct err *e);

/* Every tensor must be in the file by name and shape, and nothing else; only a head (a last layer with parameters, see
 * initial_is_head) may be there for another number of classes: then it starts as an untrained one. Tensors that do not
 * fit go to d, all of them (d may be NULL). */
int initial_load(struct initial *out, const struct graph *g, const char *path, uint64_t seed, struct diag *d,
		 struct err *e);

/* Whether a layer is a head: it has parameters, and between it and an output of the model no other layer has. */
bool initial_is_head(const struct graph *g, int node);

#endif
