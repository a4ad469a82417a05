/* train/backend_cuda_build.h - how a network becomes programs for a card: what the files of layer kinds share.
 *
 * A builder adds a node's forward operations and puts its outputs into b->val; on the way it puts entries on a tape
 * that is read backwards to add the operations of the gradient.
 *
 * Forms: a value knows how it lies (h, w, c). That of a shape as such is its plain form: an image [h][w][c], a sequence
 * [1][t][c], a vector [1][1][c]. A flattened or reshaped tensor keeps the form it had; who needs the plain one gets a
 * reordered copy, which is a value of its own with its own entry on the tape.
 *
 * Open sequences: the rule of arch/layer_common.h. Values of such a shape hold zeros past the end of each example: a
 * layer whose operation does not keep that so masks its output. Gradients past the end may be anything: who sums over
 * steps masks them, or gives the operation the lengths.
 *
 * Gradients: what the readers of a value hand back is collected and summed in one operation when its turn comes. A
 * buffer may be the gradient of several values at once (an addition hands its own on), counted in refs; it is
 * overwritten only where the count is 1.
 */
#ifndef NAB_TRAIN_BACKEND_CUDA_BUILD_H
#define NAB_TRAIN_BACKEND_CUDA_BUILD_H

#include "arch/graph.h"
#include "arch/recipe.h"
#include "arch/weights.h"
#include "train/backend_cuda_program.h"
#include "train/plan.h"

struct arena;

/* ---- parameters ------------------------------------------------------------------------------ */

struct cuda_layout { /* PyTorch's [k][c][h][w] lies as [k_pitch][h][w][c_pitch] */
	int64_t k, c, h, w, k_pitch, c_pitch;
};

struct cuda_param {
	struct param_spec spec;
	int64_t plain_first; /* in the data of struct weights */
	struct cuda_layout layout;
	int64_t first, count; /* floats in CUDA_PARAMS (or CUDA_STATS), padding included */
	bool settled;         /* the layout is decided: by the first use */
	bool stat, frozen;
	bool written;             /* some operation writes its gradient, */
	enum cuda_elem grad_elem; /* as these; */
	int aside;                /* while another does: the buffer that holds what is there already */
};

struct cuda_params {
	struct cuda_param *param; /* in the order of struct weights */
	int n;
	int *of_node;                       /* first parameter of a node */
	int64_t plain_floats;               /* of struct weights */
	int64_t weight_floats, stat_floats; /* of CUDA_PARAMS and CUDA_STATS */
};

/* The parameters of a graph, shared ones once. They live in `a`. */
void cuda_params_init(struct cuda_params *params, const struct graph *g, struct arena *a);
/* Decides the layout, unless that was done before: then the old one stays. */
void cuda_param_settle(struct cuda_params *params, struct cuda_param *w, struct cuda_layout layout);
/* A place for what no operation uses. */
void cuda_params_settle_rest(struct cuda_params *params);

/* Copies between PyTorch's layout (all of struct weights) and CUDA_PARAMS' (weights) or CUDA_STATS' (stats; NULL:
 * statistics are left out). Coming in, padding is not touched: it must be zero. */
enum cuda_way { CUDA_COME_IN, CUDA_GO_OUT };
void cuda_params_copy(const struct cuda_params *params, enum cuda_way way, float *plain, float *weights, float *stats);
/* The same for gradients as they lie in CUDA_GRADS, out only; zeros where there is none. */
void cuda_params_gradients(const struct cuda_params *params, float *plain, const void *grads);

/* Rounds to nearest, ties to even; what is not a number stays so. */
uint16_t cuda_bf16(float v);
float cuda_bf16_value(uint16_t v);

/* ---- values --------------------------------------------------------------------------------------------- */

struct cuda_pool { /* a pool, as operations take it that pool on the way */
	struct cuda_op_pool op;
	enum cuda_pooled how;
	int places; /* buffer: where the maxima were; -1: averages */
	int relu;   /* buffer: its result, if its backward undoes the relu before it; or -1 */
};

struct cuda_val { /* one tensor of the batch */
	struct cuda_dims dims;
	int buf;
	bool open;               /* an open time axis: zeros past the end of each example */
	int readers;             /* who reads the memory: 1 allows to overwrite it */
	bool kept;               /* some backward reads it: must not be overwritten */
	bool wants;              /* a gradient with respect to it */
	bool relu;               /* its producer ends in a relu and undoes it in its backward, */
	bool undone;             /* unless its only reader has done so */
	struct cuda_param *bias; /* whose gradient its own, summed over rows, is: its producer finds it, and undoes a
				    relu and a pool on the way. NULL: there is none, or it takes more */
	bool summed;             /* unless its only reader has done so */
	const struct cuda_pool *pooled; /* its only reader, which leaves its backward to the producer: the gradient is
					   that of the pool's result */
	int *given;                     /* buffers that together are its gradient */
	int n_given, cap_given;
	int grad;                         /* while its producer's turn is: the one buffer that holds it, or -1; */
	int more[CUDA_TERMS - 1], n_more; /* with others, if the producer adds them up itself */
};

enum { CUDA_MANY_READERS = 2 };

struct cuda_tape;
struct cuda_build;
typedef void cuda_backward(struct cuda_build *b, struct cuda_tape *t);

/* The output of a node (of its whole group). Kinds with several ports put the others into b->val. */
typedef struct cuda_val *cuda_builder(struct cuda_build *b, int node);

struct cuda_tape { /* one entry per forward step that gradients go back through */
	cuda_backward *backward;
	int node;
	struct cuda_val **in, *out[LAYER_PORTS]; /* outputs that nobody handed a gradient have grad -1 */
	int n_in, n_out;
	void *saved; /* of the kind */
	int terms;   /* buffers that backward adds up itself as the gradient of out[0], at most */
};

struct cuda_build {
	const struct graph *g;
	const struct recipe *recipe;
	struct plan *plan;
	struct cuda_program *p;
	struct arena *a;
	struct cuda_params *params;
	int batch;
	uint64_t seed;
	bool training;
	bool update; /* training: the program ends in a step of the optimizer */
	/* private */
	enum cuda_elem elem; /* of activations */
	enum cuda_math math;
	struct cuda_val **val; /* [n_nodes * LAYER_PORTS] */
	struct cuda_val *input;
	int label, target, length, sample; /* buffers of the batch */
	struct cuda_tape *tape;
	int n_tape, cap_tape;
	struct cuda_val **vals; /* all of them */
	int n_vals, cap_vals;
	int *refs; /* per buffer: values whose gradient it is */
	int cap_refs;
	bool *absorbed; /* [n_nodes] batch norms that an addition builds */
};

/* Builds everything: the batch, the forward, and the loss, backward and update, or the logits. The caller has filled *b
 * from the top to `update` and made the plan with cuda_fuses. -1 with e: a layer that cannot be run. */
int cuda_build_program(struct cuda_build *b, struct err *e);
void cuda_build_release(struct cuda_build *b); /* what does not live in the arena */

extern cuda_builder *const cuda_builders[LAYER_KIND_COUNT]; /* NULL: not supported */
cuda_builder cuda_build_conv, cuda_build_dense;
cuda_builder cuda_build_batchnorm, cuda_build_layernorm, cuda_build_groupnorm, cuda_build_add;
cuda_builder cuda_build_embedding, cuda_build_recurrent;
plan_fuses cuda_fuses;

struct cuda_dims cuda_dims_of(const struct cuda_build *b, const struct shape *s); /* the plain form */
const struct shape *cuda_out_shape(const struct cuda_build *b, int node);
const struct shape *cuda_in_shape(const struct cuda_build *b, int node, int k);
bool cuda_same_form(const struct cuda_dims *a, const struct cuda_dims *b);
int64_t cuda_dims_bytes(const struct cuda_dims *d, enum cuda_elem elem);

struct cuda_val *cuda_val_at(struct cuda_build *b, const struct cuda_dims *dims, int buf, bool wants);
struct cuda_val *cuda_val_new(struct cuda_build *b, const struct cuda_dims *dims, bool wants);
/* Where an elementwise result goes: over its input if nobody else needs that. */
struct cuda_val *cuda_val_over(struct cuda_build *b, struct cuda_val *in, bool reads_in);
struct cuda_val *cuda_with_form(struct cuda_build *b, struct cuda_val *v, const struct cuda_dims *form);

/* Input k of a node: as it lies, and in the plain form of its shape. */
struct cuda_val *cuda_input(struct cuda_build *b, int node, int k);
struct cuda_val *cuda_plain_input(struct cuda_build *b, int node, int k);

/* All inputs of a node in one form, into in[]: the first one's if all have it, else the plain one. */
void cuda_common_inputs(struct cuda_build *b, int node, struct cuda_val **in);
/* out = the sum of in[0..n). */
void cuda_sum(struct cuda_build *b, const struct cuda_val *out, struct cuda_val **in, int n);

/* Zeroes what lies past the end of each example, if v has an open time axis. */
void cuda_mask(struct cuda_build *b, const struct cuda_val *v, int buf);
/* The buffer of lengths if v has an open time axis, else -1. */
int cuda_lengths(const struct cuda_build *b, const struct cuda_val *v);

/* ---- gradients of values -------------------------------------------------------------------------------- */

/* Nothing if no gradient of out is wanted. */
struct cuda_tape *cuda_tape_add(struct cuda_build *b, cuda_backward *backward, struct cuda_val *out, int n_in,
				struct cuda_val **in, void *saved);
int cuda_grad_buf(struct cuda_build *b, const struct cuda_val *v); /* a new buffer of v's size */
/* A buffer for a result that may overwrite out's gradient, which nobody reads after it: that buffer if out alone holds
 * it, else a new one. */
int cuda_reuse_grad(struct cuda_build *b, const struct cuda_val *out);
/* Puts another buffer in the place of v's gradient. */
void cuda_set_grad(struct cuda_build *b, struct cuda_val *v, int buf);
/* Zeroes what v's gradient holds past the end of each example, if v has an open time axis. */
void cuda_mask_grad(struct cuda_build *b, struct cuda_val *v);
/* Hands v a part of its gradient. */
void cuda_give(struct cuda_build *b, struct cuda_val *v, int buf);

/* ---- parameters of nodes -------------------------------------------------------------------------------- */

bool cuda_trains(const struct cuda_build *b, int node);
struct cuda_param *cuda_param_of(struct cuda_build *b, int node, int k);
/* Buffers: the master; what products read (bf16 programs: the copy); a vector of n channels, or -1 for NULL. */
int cuda_master(struct cuda_build *b, const struct cuda_param *w);
int cuda_operand(struct cuda_build *b, const struct cuda_param *w);
void cuda_settle_vector(struct cuda_build *b, struct cuda_param *w);
/* Where an operation writes the gradient of w; then cuda_param_done(). In between, the gradient of an earlier use (a
 * shared parameter) stands aside. */
int cuda_param_out(struct cuda_build *b, struct cuda_param *w, enum cuda_elem elem);
void cuda_param_done(struct cuda_build *b, struct cuda_param *w);

/* ---- activations ---------------------------------------------------------------------------------------- */

struct cuda_activation {
	enum cuda_act act; /* CUDA_ACT_NONE: none */
	float a;
};

struct cuda_activation cuda_act_of(const struct graph *g, int node);
/* The one that is computed together with a node. */
struct cuda_activation cuda_fused_act(const struct cuda_build *b, int node);
/* The gradient before the activation: replaces out's (unless out->undone). x: what was read, or for relu what was
 * written. */
void cuda_undo_act(struct cuda_build *b, struct cuda_activation act, struct cuda_val *out, int x);

/* ---- pools ---------------------------------------------------------------------------------------------- */

bool cuda_pools(enum layer_kind kind);
/* Of a pooling layer's input in plain form; without places and relu. */
struct cuda_pool *cuda_pool_of(struct cuda_build *b, int node);
/* The buffer for the places of its maxima, if `wants`. */
void cuda_pool_keep(struct cuda_build *b, struct cuda_pool *pool, bool wants);

/* The batch norm that an addition takes into itself (the other input is its residual): which input it is, or -1. */
int cuda_absorbs(const struct graph *g, int add);

#endif
