/* train/cuda/bias.cu - bias and activation of a convolution or dense layer in place, for plans that leave them
 * (library.h: library_leaves_bias). The padding stays 0: the bias is 0 there.
 */
#include "train/cuda/kernel.h"

enum { THREADS = 256 };

template <typename T, typename B> __global__ void add_bias(T *y, const B *bias, bool relu, int64_t per_row, int64_t n)
{
	float v[8], b[8];

	for (int64_t i = grid_first(); i < n; i += grid_step()) {
		load8(v, y + 8 * i);
		if (bias) {
			load8(b, bias + 8 * (i % per_row));
			for (int c = 0; c < 8; c++)
				v[c] += b[c];
		}
		for (int c = 0; c < 8 && relu; c++)
			v[c] = v[c] > 0 || v[c] != v[c] ? v[c] : 0; /* what is not a number stays one */
		store8(y + 8 * i, v);
	}
}

template <typename T, typename B>
static int launch_bias(const struct cuda_op *op, const struct launch *l, const struct cuda_dims *d, bool relu)
{
	int64_t per_row = d->pitch / CUDA_PITCH, n = (int64_t)d->n * d->h * d->w * per_row;

	return launch(add_bias<T, B>, grid_of(l, n, THREADS), THREADS, 0, l, at<T>(l, op->buf[3]), at<B>(l, op->buf[2]),
		      relu, per_row, n);
}

int cuda_bias_act(const struct cuda_op *op, const struct launch *l)
{
	const struct cuda_dims *d = op->kind == CUDA_OP_DENSE ? &op->u.dense.y : &op->u.conv.y;
	bool relu = (op->kind == CUDA_OP_DENSE ? op->u.dense.act : op->u.conv.act) == CUDA_ACT_RELU;

	if (op->buf[2].base == CUDA_NONE && !relu)
		return 0;
	if (op->buf[3].elem == CUDA_F32)
		return launch_bias<float, float>(op, l, d, relu);
	if (op->buf[2].elem == CUDA_F32)
		return launch_bias<bf16, float>(op, l, d, relu);
	return launch_bias<bf16, bf16>(op, l, d, relu);
}
