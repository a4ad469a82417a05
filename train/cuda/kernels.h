/* train/cuda/kernels.h - the plugin's own kernels, behind plain C: one call for every operation that no library does.
 * Rows in train/cuda/kernels.def; each kernel lives in a .cu file of its own and includes train/cuda/kernel.h.
 *
 * cuda_launch() puts the operation into the stream and returns at once: 0, or the runtime's error number (never a
 * sticky one that was there before: that is the caller's). It may be captured into a graph: it neither allocates nor
 * synchronises. Thread-safe for different streams.
 */
#ifndef NAB_TRAIN_CUDA_KERNELS_H
#define NAB_TRAIN_CUDA_KERNELS_H

#include "train/cuda/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

struct launch {                       /* what operations of an executable have in common */
	void *stream;                 /* cudaStream_t */
	int32_t processors;           /* multiprocessors of the device: a bound on grids */
	int32_t load_only;            /* kernels are loaded into the device, and not run: before a capture */
	uint64_t base[CUDA_BASES];    /* addresses; base[CUDA_NONE] is 0 */
	struct cuda_control *control; /* in device memory */
};

enum { CUDA_NOT_OURS = -1 };

/* CUDA_NOT_OURS for the kinds that cuDNN and cuBLASLt do. */
int cuda_launch(const struct cuda_op *op, const struct launch *l);

/* Bytes of scratch that the operation takes (struct cuda_op's `scratch`), or CUDA_NOT_OURS. */
int64_t cuda_scratch(const struct cuda_op *op);

/* Bytes of what the backward needs of the forward (RECURRENT's buffer 5), 0 for all others. */
int64_t cuda_reserve(const struct cuda_op *op);

/* y = act(y + bias) in place, of CONV and DENSE whose plan is the bare product (library.h: library_leaves_bias). */
int cuda_bias_act(const struct cuda_op *op, const struct launch *l);

typedef int cuda_kernel(const struct cuda_op *op, const struct launch *l);
typedef int64_t cuda_kernel_scratch(const struct cuda_op *op);

#define KERNEL(op, name)         cuda_kernel kernel_##name;
#define KERNEL_SCRATCH(op, name) cuda_kernel_scratch kernel_##name##_scratch;
#include "train/cuda/kernels.def"
#undef KERNEL
#undef KERNEL_SCRATCH

#ifdef __cplusplus
}
#endif

#endif
