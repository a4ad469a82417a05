/* arch/weights.h - the numbers of a model: one float block for all parameters and statistics, named as PyTorch names
 * them ("residual_1.conv2d_1.weight"), and their file (safetensors).
 */
#ifndef NAB_ARCH_WEIGHTS_H
#define NAB_ARCH_WEIGHTS_H

#include "arch/graph.h"

struct tensor {
	const char *name; /* the flat id with '__' as '.', then '.', then the parameter's name */
	struct param_spec spec;
	int node;             /* owner */
	int64_t first, count; /* in data */
};

struct weights {
	struct tensor *tensors;
	int n;
	int *of_node; /* [n_nodes] index of the node's first tensor (of the owner's, if shared); -1: none */
	float *data;  /* [total], PyTorch's layout tensor by tensor, in the order of the nodes */
	int64_t total;
	struct arena *arena;
};

/* All tensors of g, zeroed. NULL with e if memory is short. Free with weights_free. */
struct weights *weights_new(const struct graph *g, struct err *e);
void weights_free(struct weights *w);

/* Initial values: a function of (seed, id of the layer, name of the tensor) alone, so that a child starts like its
 * parent where they share layers. */
void weights_init(struct weights *w, const struct graph *g, uint64_t seed);

/* safetensors (https://github.com/huggingface/safetensors, format description in its README). meta: object of texts for
 * __metadata__ (may be NULL). */
int weights_save(const struct weights *w, const char *path, const struct json *meta, struct err *e);

/* Fills w from a file: every tensor must be there with its shape (F32); further ones are an error. */
int weights_load(struct weights *w, const char *path, struct err *e);
int weights_parse(struct weights *w, const char *bytes, size_t len, const char *name, struct err *e);

#endif
