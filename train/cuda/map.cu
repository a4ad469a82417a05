/* train/cuda/map.cu - elementwise operations over whole tensors, and row by row: struct cuda_op_map.
 *
 * Eight channels at a time. What is not 0 for inputs of 0 has to keep the padding 0 by itself.
 */
#include "train/cuda/kernel.h"

enum { THREADS = 256 };

struct inputs {
	const void *p[CUDA_INPUTS];
};

static inline int64_t eighths(const struct cuda_dims *d)
{
	return (int64_t)d->n * d->h * d->w * (d->pitch / CUDA_PITCH);
}

static inputs inputs_of(const struct cuda_op *op, const struct launch *l)
{
	inputs in = {};

	for (int i = 0; i < op->u.map.k; i++)
		in.p[i] = at<void>(l, op->buf[1 + i]);
	return in;
}

/* ---- SUM, PRODUCT ---------------------------------------------------------------------------------------- */

template <typename T, bool product> __global__ void combine(T *out, const __grid_constant__ inputs in, int k, int64_t n)
{
	for (int64_t i = grid_first(); i < n; i += grid_step()) {
		float sum[8], v[8];

		load8(sum, (const T *)in.p[0] + 8 * i);
		for (int j = 1; j < k; j++) {
			load8(v, (const T *)in.p[j] + 8 * i);
			for (int c = 0; c < 8; c++)
				sum[c] = product ? sum[c] * v[c] : sum[c] + v[c];
		}
		store8(out + 8 * i, sum);
	}
}

template <bool product> static int launch_combine(const struct cuda_op *op, const struct launch *l)
{
	int64_t n = eighths(&op->u.map.x);

	BY_ELEM(op->buf[0].elem, return launch(combine<T, product>, grid_of(l, n, THREADS), THREADS, 0, l,
					       at<T>(l, op->buf[0]), inputs_of(op, l), op->u.map.k, n));
}

int kernel_sum(const struct cuda_op *op, const struct launch *l)
{
	return launch_combine<false>(op, l);
}

int kernel_product(const struct cuda_op *op, const struct launch *l)
{
	return launch_combine<true>(op, l);
}

/* ---- MASK ------------------------------------------------------------------------------------------------ */

template <typename T>
__global__ void mask(T *x, const int32_t *length, int64_t per_step, int64_t per_example, int64_t n)
{
	const float none[8] = { 0 };

	for (int64_t i = grid_first(); i < n; i += grid_step())
		if (i % per_example / per_step >= length[i / per_example])
			store8(x + 8 * i, none);
}

int kernel_mask(const struct cuda_op *op, const struct launch *l)
{
	const struct cuda_dims *d = &op->u.map.x;
	int64_t per_step = d->pitch / CUDA_PITCH, n = eighths(d);

	BY_ELEM(op->buf[0].elem, return launch(mask<T>, grid_of(l, n, THREADS), THREADS, 0, l, at<T>(l, op->buf[0]),
					       at<int32_t>(l, op->buf[1]), per_step, d->h * d->w * per_step, n));
}

/* ---- FILL ------------------------------------------------------------------------------------------------ */

template <typename T> __global__ void fill(T *out, float value, int c, int groups, int64_t n)
{
	for (int64_t i = grid_first(); i < n; i += grid_step()) {
		int first = (int)(i % groups) * 8;
		float v[8];

		for (int j = 0; j < 8; j++)
			v[j] = first + j < c ? value : 0;
		store8(out + 8 * i, v);
	}
}

int kernel_fill(const struct cuda_op *op, const struct launch *l)
{
	const struct cuda_dims *d = &op->u.map.x;
	int64_t n = eighths(d);

	BY_ELEM(op->buf[0].elem, return launch(fill<T>, grid_of(l, n, THREADS), THREADS, 0, l, at<T>(l, op->buf[0]),
					       op->u.map.value, d->c, d->pitch / CUDA_PITCH, n));
}

/* ---- SOFTMAX: a warp takes a row ------------------------------------------------------------------------------ */

enum { ROWS_AT_ONCE = THREADS / WARP };

/* y_c = exp(x_c - top) / sum */
template <typename T> __global__ void softmax(const T *x, T *y, int c, int pitch, int64_t rows)
{
	int lane = (int)threadIdx.x % WARP;

	for (int64_t row = (int64_t)blockIdx.x * ROWS_AT_ONCE + threadIdx.x / WARP; row < rows;
	     row += (int64_t)gridDim.x * ROWS_AT_ONCE) {
		const T *from = x + row * pitch;
		float top = -INFINITY, sum = 0;

		for (int i = lane; i < c; i += WARP)
			top = fmaxf(top, load(from + i));
		top = warp_max(top);
		for (int i = lane; i < c; i += WARP)
			sum += expf(load(from + i) - top);
		sum = warp_sum(sum);
		for (int i = lane; i < pitch; i += WARP)
			store(y + row * pitch + i, i < c ? expf(load(from + i) - top) / sum : 0);
	}
}

/* dx_c = y_c * (dy_c - sum_k y_k * dy_k), where the difference may be small beside its terms. The padding is 0 as y is
 * there. */
template <typename T> __global__ void softmax_back(const T *y, const T *dy, T *dx, int c, int pitch, int64_t rows)
{
	int lane = (int)threadIdx.x % WARP;

	for (int64_t row = (int64_t)blockIdx.x * ROWS_AT_ONCE + threadIdx.x / WARP; row < rows;
	     row += (int64_t)gridDim.x * ROWS_AT_ONCE) {
		int64_t at = row * pitch;
		double dot = 0;

		for (int i = lane; i < c; i += WARP)
			dot += (double)load(y + at + i) * (double)load(dy + at + i);
		dot = warp_sum(dot);
		for (int i = lane; i < pitch; i += WARP)
			store(dx + at + i, load(y + at + i) * (float)((double)load(dy + at + i) - dot));
	}
}

int kernel_softmax(const struct cuda_op *op, const struct launch *l)
{
	const struct cuda_dims *d = &op->u.map.x;
	int64_t rows = (int64_t)d->n * d->h * d->w;

	BY_ELEM(op->buf[0].elem, return launch(softmax<T>, grid_of(l, rows, ROWS_AT_ONCE), THREADS, 0, l,
					       at<const T>(l, op->buf[0]), at<T>(l, op->buf[1]), d->c, d->pitch, rows));
}

int kernel_softmax_back(const struct cuda_op *op, const struct launch *l)
{
	const struct cuda_dims *d = &op->u.map.x;
	int64_t rows = (int64_t)d->n * d->h * d->w;

	BY_ELEM(op->buf[0].elem, return launch(softmax_back<T>, grid_of(l, rows, ROWS_AT_ONCE), THREADS, 0, l,
					       at<const T>(l, op->buf[0]), at<const T>(l, op->buf[1]),
					       at<T>(l, op->buf[2]), d->c, d->pitch, rows));
}
