/* train/cuda/bias.cu - what stands between a convolution or dense layer and the tensors around it: bias and activation
 * in place, for plans that leave them (library.h: library_leaves_bias); and on the way back BIAS_GRADIENT. The padding
 * stays 0: the bias is 0 there.
 */
#include "train/cuda/pool.h"
#include "train/cuda/rows.h"

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

/* ---- BIAS_GRADIENT -------------------------------------------------------------------------------------- */

struct bias_gradient {
	struct rows rows;
	struct pool pool; /* not POOLED: dy and relu alone */
	void *g;
	float *db, *scratch;
	uint32_t *tickets;
	int32_t pitch;
};

template <typename T, bool POOLED>
__global__ void __launch_bounds__(ROWS_THREADS, 2) bias_gradient(struct bias_gradient b)
{
	const T *dy = (const T *)b.pool.dy, *relu = (const T *)b.pool.relu;
	struct rows_place p = rows_place(b.rows);
	struct pair8 m;
	float v[8];

	pair8_zero(m);
	m.n = 1;
	for (int64_t row = p.first; p.on && row < p.last; row += b.rows.slots) {
		int64_t at = row * b.pitch + 8LL * p.vector;

		if (POOLED)
			pool_gather<T>(v, b.pool, place_of(row, b.pool.in), p.vector);
		else
			load_undone(v, dy + at, relu ? relu + at : NULL);
		if (b.g)
			store8((T *)b.g + at, v);
		for (int k = 0; k < 8; k++)
			m.a[k] += v[k];
	}
	if (rows_total<false>(m, b.rows, p, b.scratch, b.tickets) && p.on && p.slot == 0)
		store8(b.db + 8LL * p.vector, m.a);
}

static struct rows bias_rows(const struct cuda_op *op)
{
	const struct cuda_dims *d = &op->u.bias.x;

	return rows_cut((int64_t)d->n * d->h * d->w, d->pitch, 1);
}

int64_t kernel_bias_gradient_scratch(const struct cuda_op *op)
{
	struct rows r = bias_rows(op);

	return rows_floats(&r) * (int64_t)sizeof(float);
}

int kernel_bias_gradient(const struct cuda_op *op, const struct launch *l)
{
	bool pooled = op->u.bias.pooled != CUDA_NOT_POOLED;
	struct bias_gradient b = {};
	int rc;

	b.rows = bias_rows(op);
	if (pooled)
		b.pool = pool_of(op->u.bias.pool, op->u.bias.pooled == CUDA_POOLED_WHOLE);
	b.pool.dy = at<void>(l, op->buf[0]);
	b.pool.relu = at<void>(l, op->buf[2]);
	b.pool.saved = at<void>(l, op->buf[4]);
	b.db = at<float>(l, op->buf[1]);
	b.g = at<void>(l, op->buf[3]);
	b.scratch = at<float>(l, op->scratch);
	b.tickets = l->control->ticket;
	b.pitch = op->u.bias.x.pitch;
	BY_ELEM(op->buf[0].elem, rc = launch(pooled ? bias_gradient<T, true> : bias_gradient<T, false>,
					     rows_grid(&b.rows), ROWS_THREADS, 0, l, b));
	return rc;
}
