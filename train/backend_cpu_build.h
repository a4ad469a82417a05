/* train/backend_cpu_build.h - how programs of the cpu backend are built: what the files of layer kinds share.
 *
 * A builder adds a node's forward operations and returns its output; on the way it puts entries on a tape that is read
 * backwards to add the operations of the gradient.
 *
 * Layouts: convolutions choose (blocks of 16 channels as a rule) and everything elementwise follows its input; kernels
 * of our own that need plain tensors get a reordered copy. A reordered copy, or the same memory seen with other
 * dimensions, is a value of its own with its own entry on the tape, so gradients find their way back.
 *
 * Gradients: a buffer may be the gradient of several values at once (an addition hands its own on), counted in refs;
 * it is overwritten only where the count is 1. A value that is read several times sums what it is given.
 *
 * Failures of oneDNN stick in b->dn: functions pass NULL on, and the caller of a builder asks once.
 */
#ifndef NAB_TRAIN_BACKEND_CPU_BUILD_H
#define NAB_TRAIN_BACKEND_CPU_BUILD_H

#include "train/backend_cpu.h"

struct cpu_val { /* one tensor of the batch */
	const struct dn_md *md;
	int buf;
	int readers; /* who reads the memory: 1 allows to overwrite it */
	bool kept;   /* some backward reads it: must not be overwritten */
	bool wants;  /* a gradient with respect to it */
	int grad;    /* buffer, or -1: none yet */
	bool relu;   /* its producer ends in a relu and undoes it in its backward, */
	bool undone; /* unless its only reader has done so */
};

enum { CPU_MANY_READERS = 2 };

struct cpu_tape;
struct cpu_build;
typedef void cpu_backward(struct cpu_build *b, struct cpu_tape *t);
/* The output of a node (of its whole group), or NULL. */
typedef struct cpu_val *cpu_builder(struct cpu_build *b, int node);

struct cpu_tape { /* one entry per forward step that gradients go back through */
	cpu_backward *backward;
	int node;
	struct cpu_val *out, **in;
	int n_in;
	void *saved; /* of the kind */
};

struct cpu_build {
	const struct graph *g;
	struct plan *plan;
	struct cpu_program *p;
	struct dn *dn;
	struct arena *a;
	struct cpu_params *params;
	int batch;
	bool training, dropout; /* dropout: active */
	bool tune;
	uint64_t seed;
	/* private */
	struct cpu_val **val; /* [n_nodes] */
	struct cpu_val *input;
	struct cpu_tape *tape;
	int n_tape, cap_tape;
	int *refs; /* per buffer: values whose gradient it is */
	int cap_refs;
};

extern cpu_builder *const cpu_builders[LAYER_KIND_COUNT]; /* NULL: not supported */
cpu_builder cpu_build_conv, cpu_build_dense, cpu_build_batchnorm, cpu_build_layernorm, cpu_build_groupnorm;

/* ---- directions ----------------------------------------------------------------------------------------- */

/* Builds the forward operations of all groups; returns the plain logits [batch][classes], or NULL with e. The caller
 * has filled *b from the top to `seed`. */
struct cpu_val *cpu_build_forward(struct cpu_build *b, struct err *e);
/* Builds the loss and everything backward from it. */
int cpu_build_backward(struct cpu_build *b, struct cpu_val *logits, struct err *e);
void cpu_build_release(struct cpu_build *b); /* what does not live in the arena */

/* ---- values --------------------------------------------------------------------------------------------- */

/* Dimensions of a batch of this shape: [n][f], [n][c][h][w], a sequence as [n][c][1][t]. Returns the rank. */
int cpu_dims(const struct cpu_build *b, const struct shape *s, int64_t dims[DN_RANK_MAX]);
const struct dn_md *cpu_plain_of(const struct cpu_build *b, const struct shape *s);
const struct shape *cpu_out_shape(const struct cpu_build *b, int node);
const struct shape *cpu_in_shape(const struct cpu_build *b, int node, int k);
int64_t cpu_floats(const struct dn_md *md); /* padding included */
bool cpu_has_dims(const struct dn_md *md, int rank, const int64_t *dims);
const struct dn_md *cpu_plain_like(struct cpu_build *b, const struct dn_md *md);

struct cpu_val *cpu_val_new(struct cpu_build *b, const struct dn_md *md, bool wants); /* NULL for a NULL md */
struct cpu_val *cpu_val_at(struct cpu_build *b, const struct dn_md *md, int buf, bool wants);
/* The memory of v as a value of its own, read by `readers`. */
struct cpu_val *cpu_same_memory(struct cpu_build *b, struct cpu_val *v, const struct dn_md *md, int readers);
bool cpu_may_overwrite(const struct cpu_val *v);

/* v in layout md (same dimensions). */
struct cpu_val *cpu_with_layout(struct cpu_build *b, struct cpu_val *v, const struct dn_md *md);
/* v with these dimensions, in its own layout if it has them already, else plain. */
struct cpu_val *cpu_with_dims(struct cpu_build *b, struct cpu_val *v, int rank, const int64_t *dims);

/* Input k of a node: as it lies; with the dimensions of its shape; and plain. */
struct cpu_val *cpu_input(struct cpu_build *b, int node, int k);
struct cpu_val *cpu_shaped_input(struct cpu_build *b, int node, int k);
struct cpu_val *cpu_plain_input(struct cpu_build *b, int node, int k);

/* ---- gradients of values -------------------------------------------------------------------------------- */

/* Nothing if no gradient of out is wanted. */
void cpu_tape_add(struct cpu_build *b, cpu_backward *backward, struct cpu_val *out, int n_in, struct cpu_val **in,
		  void *saved);
int cpu_grad_buf(struct cpu_build *b, const struct cpu_val *v); /* a new buffer of v's size */
/* A buffer for a result that may overwrite out's gradient, which nobody reads after it: that buffer if out alone holds
 * it, else a new one. */
int cpu_reuse_grad(struct cpu_build *b, const struct cpu_val *out);
void cpu_set_grad(struct cpu_build *b, struct cpu_val *v, int buf);
/* Adds what lies in buf (in v's layout) to the gradient of v. */
void cpu_give(struct cpu_build *b, struct cpu_val *v, int buf);

/* ---- parameters ----------------------------------------------------------------------------------------- */

bool cpu_trains(const struct cpu_build *b, int node);
struct cpu_param *cpu_param_of(struct cpu_build *b, int node, int k);
int cpu_param_buf(struct cpu_build *b, const struct cpu_param *w);
int cpu_vector_param(struct cpu_build *b, struct cpu_param *w, int64_t n); /* buffer of a plain vector */
/* Buffer of the parameter in the layout that a primitive wants. */
int cpu_param_in(struct cpu_build *b, struct cpu_param *w, const struct dn_md *md);
/* Where an operation may write the gradient of w in layout md; then cpu_param_done() with the same. A gradient that is
 * not wanted goes into a buffer that nobody reads. */
int cpu_param_out(struct cpu_build *b, const struct cpu_param *w, const struct dn_md *md, bool wanted);
void cpu_param_done(struct cpu_build *b, struct cpu_param *w, const struct dn_md *md, int buf, bool wanted);

/* ---- convolutions --------------------------------------------------------------------------------------- */

enum cpu_pass { CPU_FORWARD, CPU_BACKWARD_DATA, CPU_BACKWARD_WEIGHTS };

struct dn_prim *cpu_conv(struct dn *dn, enum cpu_pass pass, const struct dn_conv *c, const struct dn_prim *forward);
bool cpu_is_slow(const struct dn_prim *p); /* one of oneDNN's unoptimised loops */
/* Instead of `rule` (which becomes invalid), what proves to be fastest; c gets its algorithm. winograd: may be tried.
 */
struct dn_prim *cpu_tune_conv(struct dn *dn, enum cpu_pass pass, struct dn_conv *c, bool winograd,
			      const struct dn_prim *forward, struct dn_prim *rule);

/* ---- activations that are computed together with the layer before them ----------------------------------- */

struct cpu_act {
	enum dn_act act; /* DN_ACT_NONE: none */
	float alpha;
	bool from_dst; /* the derivative is a function of the result */
};

struct cpu_act cpu_fused_act(const struct cpu_build *b, int node);
/* The gradient before the fused activation of out: replaces out's (unless out->undone). */
void cpu_undo_fused(struct cpu_build *b, struct cpu_act act, struct cpu_val *out);

#endif
