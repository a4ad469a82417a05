/* train/cuda/loss.cu - LOSS (train/loss.h's formulas, in double) and LOGITS.
 *
 * A warp takes a row of logits. The rows' losses lie in scratch, and the block that comes last sums them in the order
 * of the rows, and the gradients for the bias.
 */
#include "train/cuda/rows.h"

enum { THREADS = ROWS_THREADS, ROWS = THREADS / WARP /* at a time, of a block */ };

struct loss_of { /* arguments */
	const void *z;
	const int32_t *label;
	const float *target;
	void *dz;
	float *db;
	double *rows;   /* [n] scratch: loss of each */
	int32_t *right; /* [n] scratch: 1 where the arg max is the label */
	struct cuda_control *control;
	int n, width, pitch, mse, regress, ends;
	double smoothing;
	struct rows cut; /* of dz, which a single block sums */
};

DEVICE double target_of(const loss_of &l, int c, int label, float number)
{
	if (l.regress)
		return (double)number;
	return (c == label ? 1 - l.smoothing : 0) + l.smoothing / l.width;
}

/* The largest logit, and the first place where it stands; all lanes get both. */
template <typename T> DEVICE double row_top(const T *z, int width, int lane, int *first)
{
	float top = -INFINITY;
	int at = INT32_MAX;

	for (int c = lane; c < width; c += WARP) {
		float v = load(z + c);

		if (v > top || at == INT32_MAX)
			top = v, at = c;
	}
	for (int away = WARP / 2; away > 0; away /= 2) {
		float v = __shfl_xor_sync(WHOLE_WARP, top, away);
		int where = __shfl_xor_sync(WHOLE_WARP, at, away);

		if (where != INT32_MAX && (at == INT32_MAX || v > top || (v == top && where < at)))
			top = v, at = where;
	}
	*first = at;
	return (double)top;
}

template <typename T> DEVICE void put_gradient(const loss_of &l, T *dz, int c, double g)
{
	if (dz)
		store(dz + c, (float)(g / l.n));
}

/* L = log sum_c exp(z_c - top) - sum_c t_c * (z_c - top);  dL/dz_c = softmax(z)_c - t_c */
template <typename T> DEVICE double cross_entropy(const loss_of &l, const T *z, T *dz, int lane, double top, int label)
{
	double sum = 0, dot = 0;

	for (int c = lane; c < l.width; c += WARP) {
		double v = (double)load(z + c) - top;

		dot += target_of(l, c, label, 0) * v;
		sum += exp(v);
	}
	sum = warp_sum(sum);
	dot = warp_sum(dot);
	for (int c = lane; dz && c < l.width; c += WARP)
		put_gradient(l, dz, c, exp((double)load(z + c) - top) / sum - target_of(l, c, label, 0));
	return log(sum) - dot;
}

/* L = sum_c (z_c - t_c)^2 / width;  dL/dz_c = 2 * (z_c - t_c) / width */
template <typename T>
DEVICE double squared_error(const loss_of &l, const T *z, T *dz, int lane, int label, float number)
{
	double sum = 0;

	for (int c = lane; c < l.width; c += WARP) {
		double d = (double)load(z + c) - target_of(l, c, label, number);

		sum += d * d;
		put_gradient(l, dz, c, 2 * d / l.width);
	}
	return warp_sum(sum) / l.width;
}

template <typename T> DEVICE void loss_row(const loss_of &l, int row, int lane)
{
	const T *z = (const T *)l.z + (int64_t)row * l.pitch;
	T *dz = l.dz ? (T *)l.dz + (int64_t)row * l.pitch : NULL;
	int label = l.label ? l.label[row] : 0, first;
	float number = l.target ? l.target[row] : 0;
	double top = row_top(z, l.width, lane, &first), loss;

	if (l.mse)
		loss = squared_error(l, z, dz, lane, label, number);
	else
		loss = cross_entropy(l, z, dz, lane, top, label);
	for (int c = l.width + lane; dz && c < l.pitch; c += WARP)
		store(dz + c, 0);
	if (lane == 0) {
		l.rows[row] = loss;
		l.right[row] = !l.regress && first == label;
	}
}

/* A step after one that diverged counts nowhere. */
DEVICE void loss_account(const loss_of &l, double loss, int correct)
{
	struct cuda_control *k = l.control;

	k->step_loss = loss;
	if (!k->diverged) {
		k->loss += loss;
		k->correct += correct;
		k->examples += l.n;
	}
	if (l.ends) {
		k->diverged |= !isfinite(loss);
		k->at++;
	}
}

/* The block's sums of dz over rows, tile by tile. */
template <typename T> DEVICE void sum_gradients(const loss_of &l)
{
	struct rows_place p = rows_place(l.cut);
	struct pair8 m;
	float v[8];

	for (int tile = 0; tile < l.cut.tiles; tile++) {
		int vector = tile * l.cut.lanes + p.lane;
		bool on = p.slot < l.cut.slots && vector < l.cut.vectors;

		pair8_zero(m);
		m.n = 1;
		for (int row = p.slot; on && row < l.n; row += l.cut.slots) {
			load8(v, (const T *)l.dz + (int64_t)row * l.pitch + 8 * vector);
			for (int k = 0; k < 8; k++)
				m.a[k] += v[k];
		}
		rows_join<false>(m, l.cut, p);
		if (on && p.slot == 0)
			store8(l.db + 8 * vector, m.a);
	}
}

template <typename T> __global__ void __launch_bounds__(THREADS) loss_of_rows(const __grid_constant__ loss_of l)
{
	int warp = (int)threadIdx.x / WARP, lane = (int)threadIdx.x % WARP, correct = 0;
	double loss = 0;

	for (int row = (int)blockIdx.x * ROWS + warp; row < l.n; row += (int)gridDim.x * ROWS)
		loss_row<T>(l, row, lane);
	if (!last_block(l.control->ticket, gridDim.x))
		return;
	for (int row = (int)threadIdx.x; row < l.n; row += THREADS) {
		loss += l.rows[row];
		correct += l.right[row];
	}
	loss = block_sum(loss);
	correct = block_sum(correct);
	if (threadIdx.x == 0)
		loss_account(l, loss, correct);
	if (l.db)
		sum_gradients<T>(l);
}

int64_t kernel_loss_scratch(const struct cuda_op *op)
{
	return (int64_t)op->u.loss.z.n * (int64_t)(sizeof(double) + sizeof(int32_t));
}

int kernel_loss(const struct cuda_op *op, const struct launch *l)
{
	const struct cuda_op_loss *o = &op->u.loss;
	double *rows = at<double>(l, op->scratch);
	loss_of a = { at<void>(l, op->buf[0]),
		      at<int32_t>(l, op->buf[1]),
		      at<float>(l, op->buf[2]),
		      at<void>(l, op->buf[3]),
		      at<float>(l, op->buf[4]),
		      rows,
		      (int32_t *)(rows + o->z.n),
		      l->control,
		      o->z.n,
		      o->z.c,
		      o->z.pitch,
		      o->mse,
		      o->regress,
		      o->ends,
		      o->smoothing,
		      rows_cut(o->z.n, o->z.pitch, 1) };

	BY_ELEM(op->buf[0].elem, return launch(loss_of_rows<T>, grid_of(l, o->z.n, ROWS), THREADS, 0, l, a));
}

/* ---- LOGITS ---------------------------------------------------------------------------------------------- */

template <typename T>
__global__ void __launch_bounds__(THREADS)
    logits(const T *z, float *out, struct cuda_control *k, int n, int width, int pitch)
{
	int64_t first = k->at * n, left = k->listed - first;
	int64_t count = (left < n ? left : n) * width;

	for (int64_t i = grid_first(); i < count; i += grid_step())
		out[first * width + i] = load(z + i / width * pitch + i % width);
	if (last_block(k->ticket, gridDim.x) && threadIdx.x == 0)
		k->at++;
}

int kernel_logits(const struct cuda_op *op, const struct launch *l)
{
	const struct cuda_dims *d = &op->u.logits.z;

	BY_ELEM(op->buf[0].elem, return launch(logits<T>, grid_of(l, (int64_t)d->n * d->c, THREADS), THREADS, 0, l,
					       at<const T>(l, op->buf[0]), (float *)(uintptr_t)l->base[CUDA_OUT],
					       l->control, d->n, d->c, d->pitch));
}
