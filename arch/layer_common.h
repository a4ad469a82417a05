/* arch/layer_common.h - what several layer kinds share: checks of the input's type, paddings, and the rule for open
 * sequences.
 *
 * The rule: a step past the end of its example holds zero in every tensor of the net. So every forward writes zeros
 * there, whatever it computes; every backward takes the gradient of such a step as zero, whatever the reader handed
 * back; and nothing that is summed, averaged or compared over steps sees them. An example's result then does not depend
 * on how far it was padded.
 */
#ifndef NAB_ARCH_LAYER_COMMON_H
#define NAB_ARCH_LAYER_COMMON_H

#include "arch/layer.h"
#include "base/opt.h"

/* -1 with a message unless the input is of one of the types in `types` (bits 1 << TENSOR_x). */
int layer_need(const char *name, const struct shape *in, unsigned types, struct err *e);

/* "same" becomes numbers: dilation * (kernel - 1) in all per axis, the odd one after. */
void layer_same(struct opt_pad *p, const struct opt_pair *kernel, const struct opt_pair *dilation);

/* -1 with a message if a layer's output of n elements along one axis is too large. */
int layer_limit(const char *name, int64_t n, struct err *e);

/* n * a, or -1 if either is negative or the product overflows: for multiply-adds. */
int64_t layer_mul(int64_t n, int64_t a);

/* Valid steps of example n of a sequence or tokens tensor. */
int layer_steps(const struct layer_io *io, const struct shape *s, int n);

/* Zeroes the steps past the end of each example of t [batch][s]. Does nothing for tensors without a time axis. */
void layer_mask(const struct layer_io *io, double *t, const struct shape *s);

/* t itself if no step of it lies past an end, otherwise a masked copy in io->scratch. NULL stays NULL. */
const double *layer_masked(const struct layer_io *io, const double *t, const struct shape *s);

/* A tensor seen as [outer][channels][inner]: image (1, c, h * w), sequence (1, c, steps), vector (1, n, 1). */
struct layer_view {
	int channels;
	int64_t inner, count; /* count = channels * inner, elements of one example */
};

struct layer_view layer_view(const struct shape *s);

/* Whether element i of example n of a tensor s lies in a valid step (always, if it has no open time axis). */
static inline bool layer_valid(const struct layer_io *io, const struct shape *s, int n, int64_t i)
{
	if (!io->length || !s->open)
		return true;
	return i % s->d[s->type == TENSOR_SEQUENCE] < io->length[n];
}

#endif
