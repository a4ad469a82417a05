/* train/cuda/library.h - NVIDIA's libraries inside the plugin: cuDNN (convolutions) and cuBLASLt (dense
 * layers). Both are opened with dlopen where they are found, never linked; plain C.
 *
 * Order of calls: library_find() (for nab doctor; may be left out); library_open() once for a device, or
 * library_described() for one that is not here; library_plan() for every operation that library_runs() names, from any
 * thread; library_lane_open() for each stream; library_run() as often as wanted, also while the stream is captured, but
 * run each operation once before (the first run loads kernels). A plan's number stands in the operation (u.conv.engine,
 * u.dense.engine) and belongs to the struct library that made it.
 *
 * Every plan is deterministic and precompiled. fp32 programs (CUDA_STRICT) never use TF32 or smaller numbers. Choices
 * are kept in a file (train/cuda/choices.h), so that they are made again in the same way, and quickly.
 *
 * All functions that can fail return 0, or -1 with e (never NULL).
 */
#ifndef NAB_TRAIN_CUDA_LIBRARY_H
#define NAB_TRAIN_CUDA_LIBRARY_H

#include <cuda_runtime_api.h>
#include <stdbool.h>

#include "train/cuda/abi.h"

struct library;      /* plans for one device */
struct library_lane; /* handles for one stream */

/* Whether an operation of this kind is done here, and by a library: CONV*, DENSE*. */
bool library_runs(enum cuda_op_kind kind);

/* Looks for the libraries: fills "cudnn" and "cublaslt" with version and path, or with what is missing and where it was
 * looked for. Whether both are there. Needs no driver. NAB_CUDNN and NAB_CUBLASLT name a file or folder to look at
 * instead of everywhere else. */
bool library_find(struct cuda_part *cudnn, struct cuda_part *cublaslt);

/* For a device of this machine: it must be the current one of the calling thread (cudaSetDevice). CUDA_FAILED if a
 * library is missing. */
int library_open(struct library **out, int device, struct cuda_error *e);
void library_close(struct library *l);

/* For the device that cuDNN's JSON text describes (train/cuda/devices/): plans only, no driver needed. One for each
 * text, made at the first call, owned by the process. description NULL: the one that was asked for last, or NULL. */
struct library *library_described(const char *description, struct cuda_error *e);

/* Chooses how op is computed: writes its engine and the bytes of scratch (op->scratch). CUDA_UNSUPPORTED if the
 * libraries cannot do it. Reads dims, elements and bases of buf, not the offsets. tune: engines that come into question
 * are timed on the card, and what was found is kept, so that it is chosen again; not for a described device. */
int library_plan(struct library *l, struct cuda_op *op, bool tune, int64_t *scratch, struct cuda_error *e);

/* After the last operation of a program was planned: writes what was newly chosen to the file of choices. */
void library_planned(void);

/* The chosen engine in words, without newline, e.g. "cuDNN engine 37, tensor cores, 0 B". */
void library_describe(struct library *l, const struct cuda_op *op, char *buf, size_t size);

/* CONV and DENSE: whether the plan is the bare product, so that bias and activation of buf 3 must be done by the
 * caller after library_run() (no engine fuses them for these elements). */
bool library_leaves_bias(struct library *l, const struct cuda_op *op);

/* The stream is the caller's; used by one thread at a time. */
int library_lane_open(struct library_lane **out, struct library *l, cudaStream_t stream, struct cuda_error *e);
void library_lane_close(struct library_lane *lane);

/* Launches op on the lane's stream. Buffer b lies at base[op->buf[b].base] + op->buf[b].offset. Status CUDA_LOST only
 * if the runtime says that the context is gone. */
int library_run(struct library_lane *lane, const struct cuda_op *op, const uint64_t base[CUDA_BASES],
		struct cuda_error *e);

#endif
