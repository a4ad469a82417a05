/* train/plan.h - what every backend has to know before it can run a graph, and where its tensors lie.
 *
 * Two parts, both without arithmetic:
 * - struct plan: which nodes are computed at all (those that the first output depends on), which nodes melt into the
 *   one before them (fusion groups; the backend says what it can melt), and through which nodes gradients flow.
 * - plan_place(): one block of memory for many tensors that do not all live at the same time.
 */
#ifndef NAB_TRAIN_PLAN_H
#define NAB_TRAIN_PLAN_H

#include "arch/graph.h"

struct arena;

/* Whether `next`, the only reader of what the group has computed so far (its last node is `last`), may be computed
 * together with it. */
typedef bool plan_fuses(const struct graph *g, int first, int last, int next, bool training);

struct plan {
	bool training;
	bool *live;   /* [n_nodes] the first output depends on it */
	int *readers; /* [n_nodes] edges of live nodes that read it, and 1 if it is the first output */
	bool *flows;  /* [n_nodes] training: the loss depends on it and it depends on a trained parameter, so the
			 gradient with respect to its output is wanted. Nothing passes a zero layer */
	int *lead;    /* [n_nodes] first node of its group: itself if it is computed alone */
	int *next;    /* [n_nodes] the next node of its group, or -1 */
	int *order;   /* [n_order] the first nodes of the live groups, inputs before readers */
	int n_order;
};

/* Everything lives in `a`. fuses may be NULL: nothing is melted. */
void plan_init(struct plan *p, const struct graph *g, bool training, plan_fuses *fuses, struct arena *a);

/* The last node of a group: the one whose output the others see. */
int plan_tail(const struct plan *p, int lead);

/* Whether a node's parameters (its own or shared ones) are frozen: what their owner says. A frozen batch norm also
 * normalises with its running statistics while training, and keeps them: PyTorch's eval() on that layer. */
bool plan_is_frozen(const struct graph *g, int node);

/* Whether a node has parameters (its own or shared ones) that are trained. */
bool plan_trains(const struct graph *g, int node);

/* The first node whose batch of outputs, or whose parameters, no machine could hold (2^44 numbers), or -1: to be asked
 * before anything counts bytes without checks. */
int plan_too_large(const struct graph *g, int batch);

struct plan_buffer {
	int64_t bytes;   /* 0: takes no room */
	int first, last; /* the steps from the first write to the last read, both included */
	int64_t offset;  /* out: a multiple of PLAN_ALIGN */
};

enum { PLAN_ALIGN = 64 };

/* Assigns offsets so that no two buffers that live in a common step overlap. Deterministic. Returns the bytes of the
 * whole block, or -1 if they exceed 63 bits. */
int64_t plan_place(struct plan_buffer *b, int n);

#endif
