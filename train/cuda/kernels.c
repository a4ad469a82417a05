/* train/cuda/kernels.c - see kernels.h: the table of what kernels.def lists. */
#include "train/cuda/kernels.h"

static cuda_kernel *const launchers[CUDA_OP_COUNT] = {
#define KERNEL(op, name) [CUDA_OP_##op] = kernel_##name,
#define KERNEL_SCRATCH(op, name)
#include "train/cuda/kernels.def"
#undef KERNEL
#undef KERNEL_SCRATCH
};

static cuda_kernel_scratch *const scratches[CUDA_OP_COUNT] = {
#define KERNEL(op, name)
#define KERNEL_SCRATCH(op, name) [CUDA_OP_##op] = kernel_##name##_scratch,
#include "train/cuda/kernels.def"
#undef KERNEL
#undef KERNEL_SCRATCH
};

int cuda_launch(const struct cuda_op *op, const struct launch *l)
{
	return launchers[op->kind] ? launchers[op->kind](op, l) : CUDA_NOT_OURS;
}

int64_t cuda_scratch(const struct cuda_op *op)
{
	if (!launchers[op->kind])
		return CUDA_NOT_OURS;
	return scratches[op->kind] ? scratches[op->kind](op) : 0;
}
