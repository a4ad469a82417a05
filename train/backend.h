/* train/backend.h - what a backend is: the code that runs a network. Rows in train/backends.def.
 *
 * Call order: probe; open a context (one per device slot); net_create; then train_steps and evaluate as wanted,
 * save_state / load_state in between, net_free; close. A context and its nets belong to one thread; several contexts
 * may work side by side, also on one card: net_create then waits until its memory is free. Everything
 * that is not arithmetic (shapes, initial values, order of examples, augmentation, rates) is common code, so that all
 * backends see the same numbers. Same binary, processor, threads and choices: the same bits.
 */
#ifndef NAB_TRAIN_BACKEND_H
#define NAB_TRAIN_BACKEND_H

#include "arch/graph.h"
#include "arch/recipe.h"
#include "arch/weights.h"
#include "base/err.h"
#include "dataset/dataset.h"

struct backend_ctx;
struct net;

/* What net_create and train_steps return instead of -1 when memory does not suffice: e says how much was wanted; a run
 * then ends with the status "oom". NET_STOPPED: net_create was asked to stop while it waited for memory; e is empty. */
enum { NET_OOM = -2, NET_STOPPED = -3 };

struct backend_conf {
	int threads;        /* of one context; 1 is the default of a device slot */
	int device;         /* cuda: index of the card among those that the process sees */
	bool tune;          /* measure algorithm choices; else the fixed rule */
	bool eager;         /* cuda: operations are launched one by one, not as a CUDA graph: to compare the two */
	int64_t most_bytes; /* memory that one net may take; 0: no limit */
};

struct net_spec {
	const struct graph *graph;
	const struct recipe *recipe;
	const struct dataset *data; /* NULL: only forward_raw() may be called */
	const uint32_t *train;      /* indices of the training examples (fidelity applied) */
	int64_t n_train;
	uint64_t seed;              /* replicate seed: shuffles, augmentation, dropout */
	int batch;                  /* of evaluation when data is NULL */
	bool (*stopped)(void *arg); /* asked now and then while net_create waits: true ends that; may be NULL */
	void *arg;
};

struct step_stats { /* sums over steps, which train_steps adds to one by one: calls of 5 and 3 steps give the bits of 8
		     */
	int64_t examples;
	double loss;      /* sum over examples of the training loss */
	int64_t correct;  /* arg max = label (classification) */
	double grad_norm; /* sum over steps of the global norm before clipping */
	bool diverged;    /* a loss or norm was not finite: the net's state is then void */
};

struct layer_time {                   /* profile: one entry per node */
	double forward_s, backward_s; /* per step, mean; fused layers are charged to the first of the group */
	int64_t bytes;                /* of activations that the plan gives to the node */
	int fused_into;               /* node that does its work, or its own index */
};

struct net_profile {
	struct layer_time *layer; /* [n_nodes], caller allocates */
	double optimizer_s, input_s, loss_s;
	int64_t weight_bytes, gradient_bytes, moment_bytes, activation_bytes, workspace_bytes;
	int64_t total_bytes; /* of these and of what is for evaluation alone */
};

struct backend {
	const char *name; /* "ref", "cpu", "cuda" */
	const char *help;

	/* 0 if it can work here; -1 with e: what is missing. */
	int (*probe)(struct err *e);
	/* One line about versions and instruction set, into buf: part of a result's provenance. */
	void (*describe)(char *buf, size_t size);

	int (*open)(struct backend_ctx **out, const struct backend_conf *conf, struct err *e);
	void (*close)(struct backend_ctx *ctx);
	/* Whether the device is lost: every later call fails, the process should end. NULL: never. */
	bool (*lost)(struct backend_ctx *ctx);

	/* -1 with e naming the layer if this net cannot be run (a kind, an option, a precision, a task). */
	int (*supports)(const struct graph *g, const struct recipe *r, struct err *e);
	/* Bytes that net_create would take, or -1 with e. Nothing large is allocated. Who makes the net asks net_bytes,
	 * which does not plan again. */
	int64_t (*plan_bytes)(struct backend_ctx *ctx, const struct net_spec *spec, struct err *e);

	/* Plans and allocates; weights are undefined until set_weights or load_state. NET_OOM if most_bytes or the
	 * machine does not allow it. */
	int (*net_create)(struct net **out, struct backend_ctx *ctx, const struct net_spec *spec, struct err *e);
	void (*net_free)(struct net *net);
	int64_t (*net_bytes)(const struct net *net); /* what it takes: what plan_bytes says */

	int (*set_weights)(struct net *net, const struct weights *w, struct err *e);
	int (*get_weights)(struct net *net, struct weights *w, struct err *e);

	/* Trains steps first .. first + n of the run (step s belongs to epoch s / steps_per_epoch; steps_per_epoch =
	 * n_train / recipe.batch). Adds to *stats. -1 with e only for a failure of the backend itself. */
	int (*train_steps)(struct net *net, int64_t first, int64_t n, struct step_stats *stats, struct err *e);

	/* Logits of examples index[0..n) in evaluation mode, out[n][width of the first output]. */
	int (*evaluate)(struct net *net, const uint32_t *index, int64_t n, float *out, struct err *e);

	/* The same beside training; both NULL: the backend has nothing that would idle. evaluate_start() begins, with
	 * the weights as they are then, and returns at once; n > 0, and index stays the caller's until the end.
	 * evaluate_read() waits for the logits of examples first .. first + n of these: in rising order, without gaps.
	 * Until all are read, only train_steps, save_state and net_free may be called. */
	int (*evaluate_start)(struct net *net, const uint32_t *index, int64_t n, struct err *e);
	int (*evaluate_read)(struct net *net, int64_t first, int64_t n, float *out, struct err *e);

	/* Logits of raw inputs as the net sees them (after normalisation), for checks and exports: in[n][...shape]. */
	int (*forward_raw)(struct net *net, const float *in, int64_t n, float *out, struct err *e);

	/* Gradients of the mean loss over the given examples (no augmentation, dropout off, batch statistics as in
	 * training) with respect to all tensors, in the layout of weights; for tests. NULL: not offered. */
	int (*gradients)(struct net *net, const uint32_t *index, int64_t n, struct weights *out, double *loss,
			 struct err *e);

	/* The complete training state (weights, statistics, moments) as bytes: exact resume. */
	size_t (*state_bytes)(const struct net *net);
	int (*save_state)(struct net *net, void *out, struct err *e);
	int (*load_state)(struct net *net, const void *in, size_t bytes, struct err *e);

	/* Times `steps` training steps layer by layer (state is void afterwards). */
	int (*profile)(struct net *net, int steps, struct net_profile *out, struct err *e);
};

/* Key of a dropout layer's draws (struct layer_io.key): of the replicate seed and the layer's id. */
struct philox_key dropout_key(uint64_t seed, const struct node *n);

#define BACKEND(name) extern const struct backend backend_##name;
#include "train/backends.def"
#undef BACKEND

extern const struct backend *const backends[];        /* NULL-terminated */
const struct backend *backend_find(const char *name); /* NULL if there is none */

#endif
