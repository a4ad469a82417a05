/* export/torch.h - what the parts of the PyTorch exporter share: layers as Python expressions, and the texts of
 * model.py and train.py.
 */
#ifndef NAB_EXPORT_TORCH_H
#define NAB_EXPORT_TORCH_H

#include "export/export.h"
#include "export/python.h"

/* A layer on its way to Python. */
struct torch_node {
	const struct graph *g;
	const struct node *n;
	struct shape in[LAYER_INPUTS];
	const char *arg[LAYER_INPUTS]; /* variables that hold its inputs */
	bool norm_constant;            /* options of batchnorm stand in the constant NORM */
};

enum { /* functions that model.py must define for some layers */
       TORCH_AVGPOOL = 1,
       TORCH_RECURRENT = 2
};

struct torch_kind {
	/* The module that holds its parameters, as an expression. NULL: it has none. */
	void (*module)(struct str *out, const struct torch_node *t);
	/* The output as an expression (recurrent layers: a tuple of their ports). self: the module. NULL: it cannot be
	 * exported. */
	void (*call)(struct str *out, const struct torch_node *t, const char *self);
};

extern const struct torch_kind torch_kinds[LAYER_KIND_COUNT];

/* What a layer needs, a set of TORCH_ bits. */
unsigned torch_needs(const struct graph *g, int node);

/* One value for "the same in both directions", else a tuple: "3", "(3, 5)". */
void torch_pair(struct str *out, int a, int b);

/* model.py into p; -1 with e if a layer cannot be exported. hash: of the model. */
int torch_model(struct py *p, const struct export_job *job, const char *hash, struct err *e);

/* train.py into p; -1 with e if the recipe cannot be written for this model. */
int torch_train(struct py *p, const struct export_job *job, struct err *e);

#endif
