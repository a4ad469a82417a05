/* train/cuda/picture.h - kernels that walk over the vectors of eight channels of pictures [n][h][w][pitch]: blocks of
 * `x` places of a picture's row by `y` rows, so that no thread divides a large number.
 *
 *	EACH_OF_PICTURE(d, row, place)
 *		... row of all pictures; place / vectors is the column, place % vectors the vector
 */
#ifndef NAB_TRAIN_CUDA_PICTURE_H
#define NAB_TRAIN_CUDA_PICTURE_H

#include "train/cuda/kernel.h"

enum { PICTURE_THREADS = 256, PICTURE_BLOCKS = 32 /* of a multiprocessor, at most: they take rows in turn */ };

#define EACH_OF_PICTURE(d, row, place)                                                                               \
	for (int64_t row = (int64_t)blockIdx.y * blockDim.y + threadIdx.y; row < (int64_t)(d).n * (d).h;             \
	     row += (int64_t)gridDim.y * blockDim.y)                                                                 \
		for (uint32_t place = blockIdx.x * blockDim.x + threadIdx.x, end_ = (uint32_t)(d).w * (d).pitch / 8; \
		     place < end_; place += gridDim.x * blockDim.x)

static inline dim3 picture_block(const struct cuda_dims *d)
{
	int64_t places = (int64_t)d->w * d->pitch / 8;
	unsigned x = 8;

	while (x < PICTURE_THREADS && x < places)
		x *= 2;
	return dim3(x, PICTURE_THREADS / x);
}

static inline dim3 picture_grid(const struct launch *l, const struct cuda_dims *d, int blocks = PICTURE_BLOCKS)
{
	dim3 block = picture_block(d);
	int64_t x = ceil_div((int64_t)d->w * d->pitch / 8, block.x), y = ceil_div((int64_t)d->n * d->h, block.y);
	int64_t most = (int64_t)l->processors * blocks;

	x = x < most ? x : most;
	most = ceil_div(most, x);
	return dim3((unsigned)x, (unsigned)(y < most ? y : most));
}

/* The element at picture n, row y, column x, first channel of a vector. */
DEVICE int64_t picture_offset(const struct cuda_dims &d, int64_t n, int y, int x, int vector)
{
	return ((n * d.h + y) * d.w + x) * d.pitch + 8 * vector;
}

template <typename T> DEVICE T *picture_at(T *t, const struct cuda_dims &d, int64_t n, int y, int x, int vector)
{
	return t + picture_offset(d, n, y, x, vector);
}

#endif
