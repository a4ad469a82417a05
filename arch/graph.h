/* arch/graph.h - the model: an expanded directed acyclic graph of layers, with the blocks it came from.
 *
 * Nodes stand in an order in which every input comes first, and the nodes of one block instance stand together. A
 * node's shapes, parameters and costs are computed when it is added, before anything is allocated for training.
 * Everything of a graph lives in the arena it was made with; a finished graph is never changed (mutations build a new
 * one).
 *
 * Building:  graph_new, graph_input..., (graph_block_begin, graph_add..., graph_block_end)..., graph_output...,
 *            graph_finish.
 */
#ifndef NAB_ARCH_GRAPH_H
#define NAB_ARCH_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/layer.h"
#include "base/err.h"
#include "base/hash.h"

struct arena;
struct diag;
struct json;
struct str;

enum { GRAPH_NODES_MAX = 20000, GRAPH_ID_MAX = 200 };

/* Where a tensor comes from: port `port` of node `node`; node = -1 - k is the model's input k. */
struct edge {
	int node, port;
};

struct node {
	enum layer_kind kind;
	void *cfg;      /* of layer_classes[kind]->cfg_size bytes, explicit */
	const char *id; /* flat path: "residual_2__conv2d_1"; unique */
	struct edge *in;
	int n_in;
	struct shape out[LAYER_PORTS];
	int n_out;
	int group;          /* innermost block instance, index into groups, or -1 */
	int share;          /* the earlier node whose parameters this one uses, or -1 */
	bool frozen;        /* its parameters are not trained, nor do its statistics move: see train/plan.h */
	const char *device; /* placement hint, or NULL */
	int64_t params;     /* trainable numbers of its own (0 if shared; frozen ones count) */
	int64_t stats;      /* running statistics of its own */
	int64_t macs;       /* multiply-adds per example, forward */
};

/* One instance of a block. Instances nest; the nodes are nodes[first .. first + n). */
struct group {
	const char *id;    /* flat path */
	const char *block; /* name of the block it is an instance of */
	const char *args;  /* its arguments as compact JSON text, "{}" if none */
	int parent;        /* enclosing instance, or -1 */
	int first, n;
	struct edge *in; /* what it reads */
	int n_in;
	struct edge *out; /* what it hands out (of its own nodes); out_names are the port names */
	const char **out_names;
	int n_out;
	const char **in_names; /* n_in names */
};

enum task { TASK_CLASSIFY, TASK_REGRESS, TASK_MULTILABEL, TASK_COUNT };
extern const char *const task_names[]; /* "classification", "regression", "multi-label" */

struct graph_input {
	const char *name;
	struct shape shape;
};

struct graph_output {
	const char *name;
	enum task task;
	int classes; /* width of the logits */
	struct edge from;
};

struct graph {
	struct arena *arena;
	const char *name; /* may be NULL */
	const char *note; /* free text of the author, or NULL */
	struct graph_input *inputs;
	struct graph_output *outputs;
	struct node *nodes;
	struct group *groups;
	int n_inputs, n_outputs, n_nodes, n_groups;
	const char *sources; /* JSON text: the parameterised definitions of its blocks by name, or NULL */
	/* private to the builder */
	int cap_nodes, cap_groups, open_group;
	struct id_table *ids;
};

struct graph *graph_new(struct arena *a);
int graph_input(struct graph *g, const char *name, const struct shape *shape, struct err *e);

/* Adds a layer reading in[0..n_in). cfg is copied; it must be zeroed before opt_defaults()/opt_read(). local_id is the
 * id inside the open block, or NULL: "<kind>_<n>". Returns the index of the node, or -1 with e (may be NULL). */
int graph_add(struct graph *g, enum layer_kind kind, const void *cfg, const struct edge *in, int n_in,
	      const char *local_id, struct err *e);

/* The node before counts as shared with `with` (same kind and options, same parameter shapes), or -1 with e. */
int graph_share(struct graph *g, int node, int with, struct err *e);

/* Opens an instance of `block`; local_id NULL: "<block>_<n>". Returns its index, or -1 with e. */
int graph_block_begin(struct graph *g, const char *block, const char *args, const char *local_id,
		      const char *const *in_names, const struct edge *in, int n_in, struct err *e);
/* Closes the innermost open instance. It must have added at least one node. */
int graph_block_end(struct graph *g, const char *const *out_names, const struct edge *out, int n_out, struct err *e);

int graph_output(struct graph *g, const char *name, enum task task, int classes, struct edge from, struct err *e);

/* Last checks: at least one input and output, logits are vectors of the right width. */
int graph_finish(struct graph *g, struct err *e);

/* An edge to the node added last (or the first input when there is none). */
struct edge graph_last(const struct graph *g);
const struct shape *graph_shape(const struct graph *g, struct edge from);
int graph_find(const struct graph *g, const char *id);       /* node index by flat id, or -1 */
int graph_find_group(const struct graph *g, const char *id); /* the same for block instances */
bool graph_id_valid(const char *local_id);

/* How `from` is called inside block instance `group` (-1: the model): a local id, an inner block or one of its outputs
 * ("residual_1:y"), or the block's input. Into buf; returns it. */
char *graph_reference(char *buf, size_t size, const struct graph *g, int group, struct edge from);

/* Parameter specifications of a node (also of a sharing one). Returns their number. */
int graph_params(const struct graph *g, int node, struct param_spec out[LAYER_PARAMS]);
/* Input shapes of a node, into in[LAYER_INPUTS]. */
void graph_in_shapes(const struct graph *g, int node, struct shape in[LAYER_INPUTS]);

struct cost {
	int64_t params;       /* trainable numbers, frozen ones included, shared ones once */
	int64_t stats;        /* running statistics of its own */
	int64_t frozen;       /* of these, frozen */
	int64_t macs;         /* multiply-adds per example, forward */
	int64_t activations;  /* elements of all layer outputs per example */
	int64_t largest;      /* elements of the largest single tensor per example */
	int64_t weight_bytes; /* parameters and statistics in fp32 */
	int64_t train_bytes;  /* logical memory of a training step with batch 1 in fp32, without reuse: weights,
				 gradients,  two optimizer moments, activations and their gradients */
	int depth;            /* layers on the longest path */
	int layers;
};

/* Exact; -1 with e if a total exceeds 63 bits. */
int graph_cost(const struct graph *g, struct cost *out, struct err *e);

/* Equal for isomorphic graphs, whatever their ids, names, blocks and order; operands of commuting merges may be
 * exchanged. Dead branches, zero layers, sharing and freezing count. */
struct hash128 graph_hash(const struct graph *g);

/* Advice: dead branches, layers that do nothing, unbalanced parameters ... Warnings into d; where = the layer's id. */
void graph_lint(const struct graph *g, struct diag *d);

/* The same design at another size, in arena a: image sides times `image`, channels and units times `width` (rounded, at
 * least 1; what an output needs is kept; blocks lose their arguments then). ERR_INVALID if a layer does not fit. */
int graph_scale(struct graph **out, const struct graph *g, double image, double width, struct arena *a, struct err *e);

/* A drawing for the terminal: a line a layer, blocks indented, shapes, parameters, multiply-adds. */
void graph_draw(struct str *out, const struct graph *g);

/* One line: "conv2d 16 3x3, batchnorm, relu, residual x2 [...]". */
void graph_summary(struct str *out, const struct graph *g);
/* A layer in words: "conv2d 16, 3x3, stride 2". */
void node_summary(struct str *out, const struct graph *g, int node);

#endif
