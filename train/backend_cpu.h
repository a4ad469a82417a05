/* train/backend_cpu.h - inside of the cpu backend: a network as a fixed program.
 *
 * A program is a list of operations (oneDNN primitives and own kernels) over buffers. Building it chooses layouts and
 * implementations and costs no memory worth speaking of; program_place() then finds where buffers lie, program_bind()
 * makes the primitives and ties everything to memory, program_run() executes it without allocating anything.
 *
 * backend_cpu_program.c   buffers, operations, placement
 * backend_cpu_build.c     values, layouts, gradients, the two directions
 * backend_cpu_products.c, backend_cpu_norms.c, backend_cpu_layers.c
 *                         per layer kind: which operations make its forward and its backward
 * backend_cpu_kernels.c   the loops of our own
 * backend_cpu_tune.c      measuring implementations
 * backend_cpu.c           parameters, steps, the table of functions
 */
#ifndef NAB_TRAIN_BACKEND_CPU_H
#define NAB_TRAIN_BACKEND_CPU_H

#include "arch/graph.h"
#include "arch/weights.h"
#include "base/rng.h"
#include "train/dnnl_shim.h"
#include "train/plan.h"

struct arena;
struct batch;
struct loss;
struct loss_sum;
struct cpu_op;

enum cpu_base { /* what a buffer's offset counts from */
		CPU_ARENA,
		CPU_WEIGHTS,
		CPU_GRADS,
		CPU_STATS,
		CPU_INPUT, /* the batch as gathered: plain */
		CPU_BASES
};

struct cpu_buf {
	enum cpu_base base;
	int64_t offset, bytes;
	int node; /* whose memory it counts as, or -1 */
};

struct cpu_now { /* what changes from step to step; read by kernels */
	const struct batch *batch;
	uint32_t epoch;
	const struct loss *loss;
	struct loss_sum *sum;
};

typedef void cpu_kernel(const struct cpu_op *op);

enum { CPU_NUMBERS = 20 };

struct cpu_op {
	struct dn_prim *prim; /* or: */
	cpu_kernel *run;
	int node; /* for the profile; -1: none */
	bool backward;
	bool once; /* depends on weights alone: run once per call, not once per batch */
	int n_bufs, cap_bufs;
	int *buf;                /* touched buffers */
	int *arg;                /* primitives: enum dn_arg */
	const struct dn_md **md; /* primitives */
	float **p;               /* after binding: where the buffers lie */
	int64_t count;           /* kernels: elements, padding included */
	int64_t n[CPU_NUMBERS];  /* kernels: sizes, see each */
	float a, b;              /* kernels: factors */
	double rate;             /* dropout */
	struct philox_key key;   /* dropout */
	int threads;
	const struct cpu_now *now;
};

struct cpu_program {
	struct arena *a;
	struct dn *dn;
	int threads;
	struct cpu_now *now;
	struct cpu_op *ops;
	int n_ops, cap_ops;
	struct cpu_buf *bufs;
	int n_bufs, cap_bufs;
	int n_prologue; /* the first operations: once per call instead of once per batch */
	int64_t arena_bytes, scratch_bytes;
	/* while it is built */
	int node;
	bool backward;
};

void program_init(struct cpu_program *p, struct arena *a, struct dn *dn, int threads, struct cpu_now *now);
void program_release(struct cpu_program *p); /* what does not live in the arena */

int program_buf(struct cpu_program *p, int64_t bytes);
int program_buf_at(struct cpu_program *p, enum cpu_base base, int64_t offset, int64_t bytes);

/* Adds an operation. The pointer is valid until the next one is added. */
struct cpu_op *program_kernel(struct cpu_program *p, cpu_kernel *run);
void program_use(struct cpu_program *p, struct cpu_op *op, int buf);
/* prim may be NULL: the failure sticks in p->dn, nothing is added and NULL returned. */
struct cpu_op *program_prim(struct cpu_program *p, struct dn_prim *prim);
void program_arg(struct cpu_program *p, struct cpu_op *op, int arg, const struct dn_md *md, int buf);

/* Finds arena offsets; -1 if the bytes overflow. */
int program_place(struct cpu_program *p, struct err *e);
int program_bind(struct cpu_program *p, float *const base[CPU_BASES], struct err *e);
/* Operations [from, to). */
int program_run(const struct cpu_program *p, int from, int to, struct err *e);

/* ---- parameters ------------------------------------------------------------------------------ */

struct cpu_param {
	struct param_spec spec;
	int64_t plain_first;       /* in the data of struct weights */
	const struct dn_md *plain; /* PyTorch's layout, with the dimensions that the primitive uses */
	const struct dn_md *md;    /* the master copy's; NULL: not decided yet */
	int64_t first, count;      /* floats in the block of weights (or of statistics), padding included */
	bool stat, frozen;
	bool written; /* while building: some operation writes its gradient */
};

struct cpu_params {
	struct cpu_param *param; /* in the order of struct weights */
	int n;
	const int *of_node;
	int64_t weight_floats, stat_floats;
};

/* Whether the backend knows a node; -1 with e: why not. */
int cpu_supports_node(const struct graph *g, int node, struct err *e);
plan_fuses cpu_fuses;

/* Gives what no operation uses a plain layout, so that every parameter has its place. */
void cpu_settle_rest(struct cpu_params *params, struct dn *dn);

/* ---- kernels: op->p[...] and numbers as stated in backend_cpu_kernels.c --------------------------------- */

cpu_kernel k_sum, k_sum_relu, k_relu, k_relu_back, k_relu6, k_relu6_back, k_hard_swish, k_hard_swish_back;
cpu_kernel k_zero, k_product, k_dropout, k_dropout_back, k_softmax, k_softmax_back;
cpu_kernel k_norm, k_norm_back, k_norm_params, k_track, k_global_max, k_global_max_back, k_avg, k_avg_back;
cpu_kernel k_pad, k_pad_back, k_upsample, k_upsample_back, k_copy_part, k_loss;

#endif
