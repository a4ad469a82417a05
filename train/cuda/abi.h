/* train/cuda/abi.h - what stands between nab and its CUDA plugin (backend_cuda.so): plain C, no CUDA type.
 *
 * nab lowers a network to programs: lists of operations over buffers (train/backend_cuda*.c), and finds where the
 * buffers lie. The plugin knows cards: memory, streams, CUDA graphs, cuDNN, cuBLASLt, and a kernel for every operation.
 * The plugin exports one symbol, nab_cuda_plugin(); both sides must agree on CUDA_ABI and the sizes in struct
 * cuda_plugin. tests/cuda/ builds the same kernels for the processor behind the same symbol: that is how lowering and
 * kernels are compared with the reference without a card.
 *
 * Tensors. Activations and their gradients are rows of channels, channels last: [n][h][w][pitch]; pitch is c rounded up
 * to a multiple of CUDA_PITCH. Channels c .. pitch - 1 are zero in every tensor, forward and backward: an operation
 * keeps that so whatever it computes. A vector has h = w = 1, a sequence of t steps h = 1, w = t. An image that was
 * flattened keeps its form: element i of the vector is channel i / (h * w), position i % (h * w) ("logical index",
 * channels first). Tokens are int32 [n][w], pitch and c 1.
 *
 * Elements. fp32 and tf32 programs store CUDA_F32, bf16 programs CUDA_BF16. Sums, statistics, master weights and
 * moments are fp32 or wider in either. Every reduction has a fixed order: no float atomics. Same card, program, plan
 * and inputs: the same bits.
 *
 * Parameters. One index space of floats for all (struct weights' tensors, each in its own layout, padding zero):
 * CUDA_PARAMS fp32 masters, CUDA_PARAMS16 bf16 copies at the same index (bf16 programs only), CUDA_GRADS gradients, 4
 * bytes an index (a bf16 gradient fills the first half of its tensor's range), CUDA_MOMENT1, CUDA_MOMENT2. Layouts:
 * convolution [k pitch][kh][kw][c pitch], or groups > 1 [k][kh][kw][c / groups] without padding; dense
 * [units pitch][h][w][pitch] of its input; vectors [pitch]. Running statistics: CUDA_STATS, fp32 [pitch].
 */
#ifndef NAB_TRAIN_CUDA_ABI_H
#define NAB_TRAIN_CUDA_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CUDA_ABI = 4 };
enum { CUDA_ALIGN = 256 /* bytes, of every buffer */, CUDA_PITCH = 8 };

enum cuda_elem { CUDA_F32, CUDA_BF16, CUDA_I32 };
enum cuda_math { CUDA_STRICT, CUDA_TF32 }; /* products of fp32 numbers */

static inline int32_t cuda_pitch(int32_t c)
{
	return (c + CUDA_PITCH - 1) / CUDA_PITCH * CUDA_PITCH;
}

/* ---- where things lie ----------------------------------------------------------------------------------- */

enum cuda_base {
	CUDA_NONE, /* no such buffer */
	CUDA_SLAB, /* activations, gradients of activations, scratch */
	CUDA_PARAMS,
	CUDA_PARAMS16,
	CUDA_GRADS,
	CUDA_MOMENT1,
	CUDA_MOMENT2,
	CUDA_STATS,
	CUDA_DATA,   /* the data set: struct cuda_op_gather's offsets */
	CUDA_INDEX,  /* uint32: examples to visit (source CUDA_LIST); floats of CUDA_RAW [n][...shape] channels first */
	CUDA_OUT,    /* fp32 [visited][width]: logits */
	CUDA_STEPS,  /* struct cuda_step [n] of the steps to come */
	CUDA_CHUNKS, /* struct cuda_chunk [n] */
	CUDA_BASES
};

struct cuda_ref {
	int32_t base;
	int32_t elem;   /* enum cuda_elem */
	int64_t offset; /* bytes */
};

struct cuda_dims {
	int32_t n, h, w, c, pitch;
};

/* ---- state on the card ---------------------------------------------------------------------------------- */

enum cuda_source { CUDA_TRAIN, CUDA_LIST, CUDA_RAW };

struct cuda_step { /* what the host knows of a training step */
	uint32_t epoch;
	uint32_t position;               /* of its first example within the epoch */
	double rate, correct1, correct2; /* struct optim_step's */
	double momentum, beta1, beta2, eps, weight_decay;
};

/* One for each executable, in device memory; the host writes it before a call and reads it after. */
struct cuda_control {
	int64_t at;            /* index of the step in CUDA_STEPS, or of the batch of a list: operations that end a step
				  (OPTIMIZE, LOGITS, LOSS of a program without update) count it up */
	int64_t listed;        /* examples in CUDA_INDEX (LIST, RAW); beyond them example 0 is repeated */
	int32_t source;        /* enum cuda_source */
	int32_t augment, drop; /* whether augmentation and dropout are active */
	int32_t diverged;      /* a loss or norm was not finite: it stays 1, and OPTIMIZE does nothing any more */
	double loss, norm;     /* sums over steps, of the examples' losses and of the steps' gradient norms */
	int64_t correct, examples;
	double step_loss, step_norm; /* of the last step */
	double scale;                /* of its gradient: optim_clip_scale() */
	uint32_t ticket[256];        /* CUDA_TICKETS: of kernels whose last block ends the work; 0 between operations */
};
enum { CUDA_TICKETS = 256 };

struct cuda_chunk {    /* what one block of NORM_OF_GRADIENT and OPTIMIZE works on; trained parameters only */
	int64_t first; /* index of the first float */
	int64_t grad;  /* bytes into CUDA_GRADS of its gradient */
	int32_t count; /* at most CUDA_CHUNK */
	int32_t decay; /* weight decay applies */
	int32_t elem;  /* of the gradient */
	int32_t unused;
};
enum { CUDA_CHUNK = 2048 };

/* ---- operations ----------------------------------------------------------------------------------------- */

enum cuda_op_kind {
#define OP(name, member) CUDA_OP_##name,
#include "train/cuda/ops.def"
#undef OP
	CUDA_OP_COUNT
};

enum cuda_act { /* y of x; a is the slope or alpha */
		CUDA_ACT_NONE,
		CUDA_ACT_RELU,
		CUDA_ACT_RELU6,
		CUDA_ACT_LEAKY_RELU,
		CUDA_ACT_ELU,
		CUDA_ACT_GELU,
		CUDA_ACT_GELU_TANH,
		CUDA_ACT_SILU,
		CUDA_ACT_HARD_SWISH,
		CUDA_ACT_TANH,
		CUDA_ACT_SIGMOID
};

enum { CUDA_MEANS = 32, CUDA_AUGMENTS = 8, CUDA_INPUTS = 16, CUDA_TERMS = 3, CUDA_REFS = 20 };

/* GATHER: the batch of the step. buf: 0 x out [n][h][w][pitch] (CUDA_I32 for tokens), 1 label out int32 [n], 2 target
 * out float [n], 3 length out int32 [n] (full where the data have none), 4 sample out uint32 [n]. The data set lies at
 * CUDA_DATA: pictures channels last without padding, sequences [t][c]; mean and std fp32 [c]. Order and augmentation:
 * train/batch.h, bit for bit. CUDA_LIST: example index[at * n + i]; CUDA_RAW: row at * n + i of the floats in
 * CUDA_INDEX, not normalised. */
struct cuda_op_gather {
	struct cuda_dims x;
	int32_t bytes; /* 1: uint8 examples, 0: floats (tokens: floats that hold whole numbers) */
	int32_t n_augment;
	int64_t data, label, target, length, train, mean, std; /* offsets from CUDA_DATA, also negative; -1: none */
	uint32_t n_train;
	uint32_t shuffle_key[2];
	struct cuda_augment {
		int32_t kind, pad, size; /* enum augment_kind */
		uint32_t key[2];
		double p;
	} augment[CUDA_AUGMENTS];
};

/* LOGITS: buf 0 z [n][pitch]: to CUDA_OUT rows at * n .. (those below `listed`) as fp32 [width]; then at + 1. */
struct cuda_op_logits {
	struct cuda_dims z;
};

/* LOSS (train/loss.h): buf 0 z in, 1 label, 2 target, 3 dz out (gradient of the mean; may be NONE), 4 db out [pitch]
 * (fp32 in CUDA_GRADS): sums of dz over rows, by one block; or NONE. Adds to control: step_loss =, loss +=, correct +=,
 * examples +=. `ends`: the program has no OPTIMIZE: at + 1. */
struct cuda_op_loss {
	struct cuda_dims z;
	int32_t mse, regress, ends;
	double smoothing;
};

/* NORM_OF_GRADIENT: sums of squares over the chunks in double: step_norm, norm +=, scale, diverged (also if step_loss
 * is not finite: then step_norm counts as it). OPTIMIZE: one step of optim.h's rules on the masters and
 * moments, writes CUDA_PARAMS16 where `copies`; at + 1 when all is done. With `clip` it takes the scale that
 * NORM_OF_GRADIENT left; without, it does the work of both in one pass over the gradients, so that the step whose norm
 * is not finite has changed the masters: they are void then. */
struct cuda_op_update {
	int32_t kind, nesterov; /* enum optimizer_kind */
	int32_t copies, n_chunks, moments, unused;
	double clip;
};

/* CONV: buf 0 x, 1 w, 2 bias or NONE, 3 y. act: NONE or RELU. CONV_DATA: 0 dy, 1 w, 2 dx. CONV_WEIGHT: 0 x, 1 dy, 2 dw.
 * GROUPED*: the same for groups > 1 (depthwise: c = groups), own kernels. pad: before (top, left),
 * after. */
struct cuda_op_conv {
	struct cuda_dims x, y;
	int32_t kh, kw, stride[2], dilation[2], before[2], after[2], groups;
	int32_t act, math;
	int32_t engine; /* which of cuDNN's plans; set by plan() */
	int32_t unused;
};

/* DENSE: y[rows][units] = x[rows][features] . w[units][features]^T + bias; features = x.h * x.w * x.pitch.
 * buf as CONV (0 x, 1 w, 2 bias, 3 y; DATA 0 dy, 1 w, 2 dx; WEIGHT 0 x, 1 dy, 2 dw). y has h = w = 1. */
struct cuda_op_dense {
	struct cuda_dims x, y;
	int32_t act, math, engine, unused;
};

/* clang-format off: a table */
/* map: elementwise and row by row over x.
 *	SOFTMAX		0 x, 1 y: over the channels of each position
 *	SOFTMAX_BACK	0 y, 1 dy, 2 dx
 *	SUM		0 out, 1 .. k in (k inputs; out may be one of them)
 *	PRODUCT		0 out, 1 .. k in: product of k tensors
 *	MASK		0 x in place, 1 length: zeroes steps w >= length[n]
 *	FILL		0 out: the value (never in the padding)
 */
/* clang-format on */
struct cuda_op_map {
	struct cuda_dims x;
	int32_t k;
	float value;
};

/* ACTIVATE: 0 x, 1 y. ACTIVATE_BACK: 0 x (of the forward; for RELU it may be y), 1 dy, 2 dx (may be dy's). */
struct cuda_op_act {
	struct cuda_dims x;
	int32_t act;
	float a;
};

/* POOL: 0 x, 1 y, 2 saved out: uint8 [y] index in the window (max), or NONE, 3 length or NONE. _BACK: 0 saved, 1 dy, 2
 * dx, 3 length, 4 y or NONE: results of a relu at dy's places: where they are not above 0, dy counts as 0. Of an open
 * sequence windows end with the valid steps, what lies past them is 0 in y and without weight
 * in dy. GLOBALPOOL: 0 x, 1 y, 2 saved out: int32 [n][pitch] position (max), 3 length or NONE. _BACK: as POOL_BACK.
 * Ties go to the first position in rows of the picture. Windows of more than 255 places save int32: elem
 * of buf 2 (_BACK: of buf 0) is CUDA_I32. Where a window holds nothing, 255 or -1 is saved. before, after:
 * the paddings of the layer; windows may reach beyond (ceil), which counts in no divisor. */
enum cuda_pooled { CUDA_NOT_POOLED, CUDA_POOLED, CUDA_POOLED_WHOLE }; /* of others' operations: as POOL, GLOBALPOOL */
struct cuda_op_pool {
	struct cuda_dims x, y;
	int32_t max, count_pad;
	int32_t size[2], stride[2], before[2], after[2];
};

/* BATCHNORM, training: 0 x, 1 y, 2 weight or NONE, 3 bias or NONE, 4 running_mean, 5 running_var, 6 saved out: fp32
 * [2][pitch] mean and 1 / sqrt(var + eps), 7 length or NONE (open sequences: only valid steps count, others become 0),
 * 8 residual in or NONE: y = act(normalised + residual). `training` 0: by the running statistics, which
 * stay. BATCHNORM_BACK: 0 x, 1 dy, 2 weight, 3 bias, 6 saved (training 0: 4, 5 the running statistics), 7 length, 8
 * residual in of the forward, 10 dx out or NONE, 11 dweight or NONE, 12 dbias or NONE, 13 dresidual out or
 * NONE, 14, 15 (up to CUDA_TERMS - 1; not `pooled`) more of dy, which is the sum of them. The activation is undone from
 * the recomputed pre-activation. With `pooled`, BATCHNORM's y is the pool of what
 * it says above, before that is rounded (so the place of a maximum is that of the largest value in fp32, the first of
 * equals), and 9 saved as POOL's 2; BATCHNORM_BACK's dy is of the pool's result, 9 saved. GROUPNORM(_BACK): per example
 * and group of channels (layer norm: groups = 1 and weight [h][w][pitch] of every element when `whole`; sequences of a
 * layer norm: `steps` 1, a set per step). The same buffers but 4, 5; saved fp32 [n * sets][2]. */
struct cuda_op_norm {
	struct cuda_dims x;
	int32_t training, act;
	int32_t groups, whole, steps;
	float a;
	double eps, momentum;
	int32_t pooled, unused; /* enum cuda_pooled; 0 of GROUPNORM */
	struct cuda_op_pool pool;
};

/* BIAS_GRADIENT: 0 dy in, 1 db out [pitch] (fp32 in CUDA_GRADS): the sums of g over rows; g is dy, but 0 where 2 y is
 * not above 0 (results of a relu at dy's places; NONE: no relu), 3 g out [x] or NONE. With `pooled` dy and y are of the
 * pool's result, and g is what reaches x through the pool: 4 saved (max) as POOL_BACK's 0. Otherwise 3 may be 0's
 * buffer. */
struct cuda_op_bias {
	struct cuda_dims x;
	int32_t pooled, unused; /* enum cuda_pooled */
	struct cuda_op_pool pool;
};

/* DROPOUT: 0 in, 1 out (may be the same), 2 sample. Element of logical index i: arch/layer_dropout.c. Its own backward.
 */
struct cuda_op_drop {
	struct cuda_dims x;
	uint32_t key[2];
	double rate;
};

/* CHANNELS: copies channels [from, from + count) of buf 0 to [to, to + count) of buf 1; with `last` it writes the zeros
 * of buf 1's padding. */
struct cuda_op_slice {
	struct cuda_dims in, out;
	int32_t from, to, count, last;
};

/* PAD: 0 x, 1 y, zeros around. UPSAMPLE: nearest (mode 0) or bilinear (1, align_corners = false) by whole factors.
 * _BACK: 0 dy, 1 dx. */
struct cuda_op_window {
	struct cuda_dims x, y;
	int32_t before[2], after[2], factor[2], mode, unused;
};

/* REORDER: the same logical elements in another form (h, w, c): 0 in, 1 out. Its own backward with the forms exchanged.
 */
struct cuda_op_order {
	struct cuda_dims in, out;
};

/* EMBED: 0 tokens int32 [n][w], 1 weight fp32 master or bf16 copy [vocabulary][pitch], 2 y, 3 length or NONE.
 * _BACK: 0 tokens, 1 dy, 2 dweight (fp32, all rows written), 3 length. Deterministic. */
struct cuda_op_embed {
	struct cuda_dims y;
	int32_t vocabulary, unused;
};

/* RECURRENT: a whole layer, arch/kinds.h's struct rnn with `cell` 0 rnn, 1 gru, 2 lstm; PyTorch's parameters, each a
 * tensor of its own: weight_ih [g * units][channels], weight_hh, bias_ih, bias_hh, without padding, and those of the
 * reverse direction. 0 x, 1 length or NONE (all steps), 2 out (sequence [n][1][t][pitch], or last [n][pitch]), 3 state,
 * 4 cell or NONE, 5 reserve (kept for the backward), 7 .. 14 parameters. _BACK: 0 x, 1 length, 2 out, 3 dout or NONE, 4
 * dstate or NONE, 5 reserve, 7 .. 14 parameters, 15 dcell or NONE, 16 dx or NONE, 17 dparameters: the first of 8
 * consecutive offsets in `grads` (bytes in CUDA_GRADS, fp32; -1: none). Steps beyond the length are 0. */
struct cuda_op_recurrent {
	struct cuda_dims x, y;
	int32_t cell, units, bidirectional, merge, last, relu, bias, training;
	int32_t math, unused; /* sums are fp32 whatever math says */
	int64_t grads[8];
};

struct cuda_op {
	int32_t kind; /* enum cuda_op_kind */
	int32_t node; /* of the graph, for profiles; -1: none */
	int32_t backward, n_bufs;
	struct cuda_ref buf[CUDA_REFS];
	struct cuda_ref scratch; /* of the operation alone, as many bytes as plan() said */
	union {
		struct cuda_op_gather gather;
		struct cuda_op_logits logits;
		struct cuda_op_loss loss;
		struct cuda_op_update update;
		struct cuda_op_conv conv;
		struct cuda_op_dense dense;
		struct cuda_op_map map;
		struct cuda_op_act act;
		struct cuda_op_norm norm;
		struct cuda_op_pool pool;
		struct cuda_op_bias bias;
		struct cuda_op_drop drop;
		struct cuda_op_slice slice;
		struct cuda_op_window window;
		struct cuda_op_order order;
		struct cuda_op_embed embed;
		struct cuda_op_recurrent recurrent;
	} u;
};

/* ---- the plugin ----------------------------------------------------------------------------------------- */

enum cuda_status {
	CUDA_OK,
	CUDA_FAILED,      /* of a call, the context lives on */
	CUDA_UNSUPPORTED, /* no plan for an operation */
	CUDA_NO_MEMORY,
	CUDA_LOST /* sticky: the process must end (illegal access, lost device) */
};

struct cuda_error {
	int32_t status; /* enum cuda_status */
	int32_t op;     /* index of the operation concerned, or -1 */
	char text[480];
};

struct cuda_device {
	char name[128], uuid[48];         /* "GPU-..." */
	int64_t bytes, free_bytes;        /* free_bytes -1: unknown */
	int32_t major, minor, processors; /* compute capability; multiprocessors */
	int32_t too_old;                  /* for the plugin's kernels: it cannot be opened */
};

/* What was found, for `nab doctor`. Texts are complete phrases ("libcudnn.so.9: not found; looked in ..."). */
enum { CUDA_PARTS = 8, CUDA_DEVICES = 64 };
struct cuda_found {
	int32_t n_parts, n_devices;
	struct cuda_part { /* "driver", "runtime", "cudnn", "cublaslt", "device" (only if there is none) */
		char name[24];
		int32_t ok;
		char text[508]; /* version and path, or what is missing and where it was looked for */
	} part[CUDA_PARTS];
	struct cuda_device device[CUDA_DEVICES];
};

struct cuda_card; /* an opened device; one for each process and device, shared by threads */
struct cuda_lane; /* a stream with its handles; belongs to one thread */
struct cuda_exec; /* a program that is bound to memory, captured into a CUDA graph */

struct cuda_plugin {
	uint32_t abi;                                          /* CUDA_ABI */
	uint32_t op_size, control_size, found_size, step_size; /* sizeof of the structs */
	char built[120];                                       /* "CUDA 13.0, sm_75 sm_80 sm_90, cuDNN 9.19 headers" */

	/* Looks for driver, libraries and devices. 0, or -1 if nothing can be trained: found says why. Never fails
	 * loudly. */
	int (*find)(struct cuda_found *out);

	/* Every function below: 0, or -1 with e. Device memory is addressed by 64-bit numbers. */
	int (*card_open)(struct cuda_card **out, int device, struct cuda_error *e);
	void (*card_close)(struct cuda_card *card);
	int (*memory_free)(struct cuda_card *card, int64_t *bytes, struct cuda_error *e);
	int (*alloc)(struct cuda_card *card, int64_t bytes, uint64_t *out, struct cuda_error *e);
	void (*release)(struct cuda_card *card, uint64_t address); /* nothing that runs may still use it */

	int (*lane_open)(struct cuda_lane **out, struct cuda_card *card, struct cuda_error *e);
	void (*lane_close)(struct cuda_lane *lane);
	/* In the order of the lane. upload returns when `from` may be changed, download when `to` is there. */
	int (*upload)(struct cuda_lane *lane, uint64_t to, const void *from, int64_t bytes, struct cuda_error *e);
	int (*download)(struct cuda_lane *lane, void *to, uint64_t from, int64_t bytes, struct cuda_error *e);
	int (*fill)(struct cuda_lane *lane, uint64_t at, int byte, int64_t bytes, struct cuda_error *e);
	int (*copy)(struct cuda_lane *lane, uint64_t to, uint64_t from, int64_t bytes, struct cuda_error *e);
	/* What is put into the lane from now on begins when all that is in the other one by now is done; the host does
	 * not wait. Both belong to the calling thread. */
	int (*follow)(struct cuda_lane *lane, struct cuda_lane *other, struct cuda_error *e);

	/* Chooses an engine for every operation (writes u.conv.engine and the like) and says how many bytes of scratch
	 * each takes: scratch[n]. card NULL: for the device described by JSON text `description` (cuDNN's device
	 * properties), so that plans can be made without a card. tune: libraries' engines are timed on the card, where
	 * there is one. reserve[n]: bytes of RECURRENT's buffer 5. */
	int (*plan)(struct cuda_card *card, const char *description, struct cuda_op *ops, int n, int tune,
		    int64_t *scratch, int64_t *reserve, struct cuda_error *e);

	/* Binds a program to memory: base[CUDA_BASES] addresses; control: address of a struct cuda_control. ops are
	 * copied. graph 0: operations are launched one by one (to compare, and to profile). */
	int (*exec_new)(struct cuda_exec **out, struct cuda_lane *lane, const struct cuda_op *ops, int n,
			const uint64_t base[CUDA_BASES], uint64_t control, int graph, struct cuda_error *e);
	void (*exec_free)(struct cuda_exec *x); /* waits for the lane */
	/* Runs it `times` times, without waiting. */
	int (*exec_run)(struct cuda_exec *x, int64_t times, struct cuda_error *e);
	/* Runs it once, operation by operation, and says how long each took: seconds[n]. */
	int (*exec_time)(struct cuda_exec *x, double *seconds, struct cuda_error *e);
	/* Waits for everything in the lane, without burning a core. */
	int (*wait)(struct cuda_lane *lane, struct cuda_error *e);

	/* The chosen engines in words, one line for each operation that a library does, for provenance; NULL if there
	 * are none. card NULL: as plan() chose for its last description. Free with free().
	 */
	char *(*describe)(struct cuda_card *card, const struct cuda_op *ops, int n);
};

typedef const struct cuda_plugin *cuda_plugin_entry(void);
#define CUDA_PLUGIN_SYMBOL "nab_cuda_plugin"

#ifdef __cplusplus
}
#endif

#endif
