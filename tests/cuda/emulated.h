/* tests/cuda/emulated.h - what the emulated plugin computes itself, where a card would call a library: plain loops in
 * double over the buffers of train/cuda/abi.h, results rounded to their element type.
 */
#ifndef NAB_TESTS_CUDA_EMULATED_H
#define NAB_TESTS_CUDA_EMULATED_H

#include "train/cuda/kernels.h"

void emulate_order(int reverse); /* emulate.h */
void emulate_dry(int *launches);

/* Exported beside nab_cuda_plugin(): how many kernels a run of each operation launches, into launches[n]. What a
 * library does on a card counts as one. */
typedef void emulated_count(const struct cuda_op *ops, int n, int *launches);
#define EMULATED_COUNT "nab_emulated_count"

/* Elements of a buffer as doubles (free with free()), zeros if it is NONE; and back. */
double *emulated_read(const struct launch *l, const struct cuda_ref *r, int64_t n);
void emulated_write(const struct launch *l, const struct cuda_ref *r, const double *from, int64_t n);
void *emulated_at(const struct launch *l, const struct cuda_ref *r); /* NULL if it is NONE */

void emulated_conv(const struct cuda_op *op, const struct launch *l);
void emulated_conv_data(const struct cuda_op *op, const struct launch *l);
void emulated_conv_weight(const struct cuda_op *op, const struct launch *l);
void emulated_dense(const struct cuda_op *op, const struct launch *l);
void emulated_dense_data(const struct cuda_op *op, const struct launch *l);
void emulated_dense_weight(const struct cuda_op *op, const struct launch *l);

#endif
