/* train/backend_cuda_program.h - a network as a list of operations for the CUDA plugin (train/cuda/abi.h), over buffers
 * that are placed once it is known how long each lives.
 *
 * Order: program_begin; buffers and operations are added; the plugin says how much scratch and reserve they take
 * (cuda_program_scratch); cuda_program_place finds the offsets. What an operation writes is defined only as long as
 * somebody reads it: buffers of the slab share memory where their lives do not meet.
 *
 * backend_cuda_program.c   buffers, operations, placement
 * backend_cuda_params.c    where parameters lie, and their way from and to PyTorch's layout
 * backend_cuda_build.c     values, forms, gradients, the two directions
 * backend_cuda_products.c, backend_cuda_norms.c, backend_cuda_layers.c, backend_cuda_steps.c
 *                          per layer kind: which operations make its forward and its backward
 * backend_cuda_card.c      what all contexts on one card share: memory, data sets
 * backend_cuda.c           nets, steps, the table of functions
 */
#ifndef NAB_TRAIN_BACKEND_CUDA_PROGRAM_H
#define NAB_TRAIN_BACKEND_CUDA_PROGRAM_H

#include <stdbool.h>

#include "base/err.h"
#include "train/cuda/abi.h"

struct str;

struct cuda_buffer {
	enum cuda_base base;
	enum cuda_elem elem;
	int64_t offset, bytes;
	int node; /* whose memory it counts as, or -1 */
};

struct cuda_uses { /* the buffers of an operation, as indices; -1: none */
	int buf[CUDA_REFS], scratch;
};

struct cuda_program {
	struct cuda_op *ops;
	struct cuda_uses *uses; /* of each operation */
	int n_ops, cap_ops, cap_uses;
	struct cuda_buffer *bufs;
	int n_bufs, cap_bufs;
	int64_t slab_bytes, scratch_bytes; /* after placement; the largest scratch */
	/* while it is built */
	int node;
	bool backward;
};

void cuda_program_begin(struct cuda_program *p);
void cuda_program_release(struct cuda_program *p);

int cuda_buffer(struct cuda_program *p, enum cuda_elem elem, int64_t bytes); /* in the slab */
int cuda_buffer_at(struct cuda_program *p, enum cuda_base base, enum cuda_elem elem, int64_t offset, int64_t bytes);

/* Adds an operation without buffers. The pointer is valid until the next one is added. */
struct cuda_op *cuda_add(struct cuda_program *p, enum cuda_op_kind kind);
/* Buffer `slot` of the operation added last; buf -1: none. */
void cuda_use(struct cuda_program *p, int slot, int buf);

/* Takes what the plugin's plan() said of each operation: bytes of scratch and reserve. */
void cuda_program_scratch(struct cuda_program *p, const int64_t *scratch, const int64_t *reserve);
/* Finds the offsets of the slab's buffers and writes all of them into the operations; -1 if the bytes overflow. */
int cuda_program_place(struct cuda_program *p, struct err *e);

/* A line for each operation: name, dimensions, buffers by number ("#3"); for tests. */
void cuda_program_text(struct str *out, const struct cuda_program *p);

#endif
