/* train/cuda/slice.cu - a range of channels of one tensor becomes a range of another: concat and its backward. Vectors
 * of eight where both ranges begin at whole vectors, and what is written ends with one. */
#include "train/cuda/kernel.h"

enum { THREADS = 256 };

struct slice {
	const void *from;
	void *to;
	struct cuda_op_slice o;
	int64_t rows;
	int32_t wide; /* channels written in each row: with the padding, if it is written */
};

template <typename T> __global__ void __launch_bounds__(THREADS) slice_elements(struct slice s)
{
	for (int64_t i = grid_first(); i < s.rows * s.wide; i += grid_step()) {
		int64_t row = i / s.wide;
		int c = (int)(i % s.wide);

		store((T *)s.to + row * s.o.out.pitch + s.o.to + c,
		      c < s.o.count ? load((const T *)s.from + row * s.o.in.pitch + s.o.from + c) : 0);
	}
}

template <typename T> __global__ void __launch_bounds__(THREADS) slice_vectors(struct slice s)
{
	int vectors = s.wide / 8;

	for (int64_t i = grid_first(); i < s.rows * vectors; i += grid_step()) {
		int64_t row = i / vectors;
		int c = (int)(i % vectors) * 8;
		float v[8] = { 0 };

		if (c < s.o.count)
			load8(v, (const T *)s.from + row * s.o.in.pitch + s.o.from + c);
		for (int k = 0; k < 8; k++)
			v[k] = c + k < s.o.count ? v[k] : 0;
		store8((T *)s.to + row * s.o.out.pitch + s.o.to + c, v);
	}
}

template <typename T> static int copy(const struct slice &s, const struct launch *l)
{
	if (s.o.from % 8 || s.o.to % 8 || s.wide % 8)
		return launch(slice_elements<T>, grid_of(l, s.rows * s.wide, THREADS), THREADS, 0, l, s);
	return launch(slice_vectors<T>, grid_of(l, s.rows * (s.wide / 8), THREADS), THREADS, 0, l, s);
}

int kernel_channels(const struct cuda_op *op, const struct launch *l)
{
	struct slice s = { at<void>(l, op->buf[0]), at<void>(l, op->buf[1]), op->u.slice, 0, 0 };
	int rc;

	s.rows = (int64_t)s.o.out.n * s.o.out.h * s.o.out.w;
	s.wide = s.o.count + (s.o.last ? s.o.out.pitch - s.o.out.c : 0);
	BY_ELEM(op->buf[0].elem, rc = copy<T>(s, l));
	return rc;
}
