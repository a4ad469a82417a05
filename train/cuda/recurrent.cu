/* train/cuda/recurrent.cu - recurrent layers: RECURRENT and RECURRENT_BACK (rnn, gru, lstm; PyTorch's formulas).
 *
 * cuDNN's recurrent calls take the sequences' lengths from the host, when they are launched: in a captured step, whose
 * lengths are gathered on the card, they cannot be used. So these are ours. What all steps have in common is done for
 * all at once, as products of matrices (input to gates, and all of the weights' gradients); the steps themselves are
 *one launch, in which a block takes some examples of one direction from the first step to the last: no example waits
 *for another's. Everything between input and output is fp32, sums have a fixed order.
 *
 * With g gates of H units (G = g H), a = W_ih x + b_ih and b = W_hh h + b_hh of a step:
 *	rnn	h = act(a + b)
 *	gru	r, z = sigmoid(a + b), n = tanh(a_n + r b_n), h = (1 - z) n + z h
 *	lstm	i, f, o = sigmoid(a + b), g = tanh(a_g + b_g), c = f c + i g, h = o tanh(c)
 * A direction's step k is time k, or length - 1 - k. States beyond the length are 0.
 */
#include "train/cuda/kernel.h"

#define MEMBER __device__ __forceinline__

enum { THREADS = 256, TILE = 64, DEEP = 16, MOST_SPLITS = 16, ROWS_OF_SPLIT = 512, MOST_TOGETHER = 4 };
enum { RNN, GRU, LSTM };
enum { MOST_UNITS = (48 << 10) / 12 }; /* three floats each in shared memory */

struct layer {
	int64_t N, T, C, P, H, G, D; /* examples, times, channels, pitch, units, gate rows, directions */
	int cell, relu, merge, last;
	cuda_dims y;
	const int32_t *length;
	/* weights in fp32, by direction: [G][C], [G][H] (forward: [H][G]), [G], [G] */
	float *ih, *hh, *bih, *bhh;
	/* kept for the backward, [D][N][T][...]: gates [G], h [H], c [H] (lstm), b_n [H] (gru) */
	float *gate, *h, *c, *bn;
	/* of the backward: gradients of a [D][N][T][G], of b_n [D][N][T][H] (gru) */
	float *da, *dbn;
};

static inline int64_t kept_floats(const cuda_op_recurrent *o)
{
	int64_t g = o->cell + (o->cell == RNN ? 1 : 2), extra = o->cell != RNN; /* 1, 3, 4 gates */

	return (1 + (int64_t)o->bidirectional) * o->x.n * o->x.w * o->units * (g + 1 + extra);
}

static inline int64_t weight_floats(const layer *y)
{
	return y->D * y->G * (y->C + y->H + 2);
}

static inline int64_t splits_of(const layer *y)
{
	int64_t s = ceil_div(y->N * y->T, ROWS_OF_SPLIT);

	return s < MOST_SPLITS ? s : (int64_t)MOST_SPLITS;
}

static layer layer_of(const cuda_op *op)
{
	const cuda_op_recurrent *o = &op->u.recurrent;
	layer y = {};

	y.N = o->x.n, y.T = o->x.w, y.C = o->x.c, y.P = o->x.pitch, y.H = o->units;
	y.G = y.H * (o->cell + (o->cell == RNN ? 1 : 2)); /* 1, 3, 4 gates */
	y.D = o->bidirectional ? 2 : 1;
	y.cell = o->cell, y.relu = o->relu, y.merge = o->merge, y.last = o->last;
	y.y = o->y;
	if (o->last)
		y.y.h = y.y.w = 1;
	return y;
}

/* The parts of what is kept, and of the weights. */
static void place(layer *y, float *kept, float *weights)
{
	int64_t steps = y->D * y->N * y->T;

	y->gate = kept;
	y->h = y->gate + steps * y->G;
	y->c = y->bn = y->h + steps * y->H;
	y->ih = weights;
	y->hh = y->ih + y->D * y->G * y->C;
	y->bih = y->hh + y->D * y->G * y->H;
	y->bhh = y->bih + y->D * y->G;
}

DEVICE int64_t length_of(const layer &y, int64_t n)
{
	int64_t len = y.length ? y.length[n] : y.T;

	return len < 0 ? 0 : len < y.T ? len : y.T;
}

/* Row of [D][N][T] of an example's step k. */
DEVICE int64_t row_of(const layer &y, int dir, int64_t n, int64_t k, int64_t len)
{
	return (dir * y.N + n) * y.T + (dir ? len - 1 - k : k);
}

DEVICE float sigmoid(float v)
{
	return 1 / (1 + expf(-v));
}

/* ---- weights ---------------------------------------------------------------------------------------------- */

struct params {
	const void *p[8]; /* weight_ih, weight_hh, bias_ih, bias_hh; of the reverse direction; NULL: zeros */
};

/* From the parameters to y.ih .. y.bhh, W_hh transposed if wanted. */
template <typename W>
__global__ void spread(const __grid_constant__ layer y, const __grid_constant__ params from, int transposed)
{
	int64_t n_ih = y.G * y.C, n_hh = y.G * y.H, n = n_ih + n_hh + 2 * y.G;

	for (int64_t at = grid_first(); at < y.D * n; at += grid_step()) {
		int64_t dir = at / n, i = at % n, g;
		const W *const *p = (const W *const *)from.p + 4 * dir;

		if (i < n_ih) {
			y.ih[dir * n_ih + i] = load(p[0] + i);
		} else if (i < n_ih + n_hh) {
			i -= n_ih;
			y.hh[dir * n_hh + (transposed ? i % y.H * y.G + i / y.H : i)] = load(p[1] + i);
		} else {
			i -= n_ih + n_hh;
			g = i % y.G;
			(i < y.G ? y.bih : y.bhh)[dir * y.G + g] = p[2 + i / y.G] ? load(p[2 + i / y.G] + g) : 0;
		}
	}
}

static int launch_spread(const layer *y, const cuda_op *op, const struct launch *l, int transposed)
{
	params from = {};

	for (int i = 0; i < 4 * y->D; i++)
		from.p[i] = at<void>(l, op->buf[7 + i]);
	BY_ELEM(op->buf[7].elem,
		return launch(spread<T>, grid_of(l, weight_floats(y), THREADS), THREADS, 0, l, *y, from, transposed));
}

/* ---- products --------------------------------------------------------------------------------------------- */

/* sum[i][j] = sum over k0 <= k < k1 of a(m0 + ty + 16 i, k) b(n0 + tx + 16 j, k), by a block of 256 threads. a and b
 * give 0 outside of their matrix; k_fast: neighbours along k are neighbours in memory. */
template <typename A, typename B>
DEVICE void tile_product(float sum[4][4], const A &a, const B &b, int64_t m0, int64_t n0, int64_t k0, int64_t k1)
{
	SHARED(float, as, DEEP *(TILE + 1));
	SHARED(float, bs, DEEP *(TILE + 1));
	int tx = threadIdx.x % 16, ty = threadIdx.x / 16;

	for (int i = 0; i < 16; i++)
		sum[i / 4][i % 4] = 0;
	for (int64_t k = k0; k < k1; k += DEEP) {
		for (int e = threadIdx.x; e < TILE * DEEP; e += THREADS) {
			int ka = A::k_fast ? e % DEEP : e / TILE, m = A::k_fast ? e / DEEP : e % TILE;
			int kb = B::k_fast ? e % DEEP : e / TILE, n = B::k_fast ? e / DEEP : e % TILE;

			as[ka * (TILE + 1) + m] = k + ka < k1 ? a(m0 + m, k + ka) : 0;
			bs[kb * (TILE + 1) + n] = k + kb < k1 ? b(n0 + n, k + kb) : 0;
		}
		__syncthreads();
		for (int d = 0; d < DEEP; d++)
			for (int i = 0; i < 4; i++)
				for (int j = 0; j < 4; j++)
					sum[i][j] +=
					    as[d * (TILE + 1) + ty + 16 * i] * bs[d * (TILE + 1) + tx + 16 * j];
		__syncthreads();
	}
}

template <typename T> struct of_input { /* (row, channel) of x */
	static const bool k_fast = true;
	const T *x;
	int64_t rows, P;
	MEMBER float operator()(int64_t row, int64_t c) const
	{
		return row < rows ? load(x + row * P + c) : 0;
	}
};

struct of_rows { /* (row, column) of a matrix */
	static const bool k_fast = true;
	const float *p;
	int64_t rows, columns;
	MEMBER float operator()(int64_t row, int64_t column) const
	{
		return row < rows ? p[row * columns + column] : 0;
	}
};

/* a of all steps into y.gate. */
template <typename T> __global__ void input_gates(const __grid_constant__ layer y, const T *x)
{
	int dir = blockIdx.z, tx = threadIdx.x % 16, ty = threadIdx.x / 16;
	int64_t m0 = (int64_t)blockIdx.x * TILE, n0 = (int64_t)blockIdx.y * TILE, rows = y.N * y.T;
	of_input<T> a = { x, rows, y.P };
	of_rows b = { y.ih + dir * y.G * y.C, y.G, y.C };
	float sum[4][4];

	tile_product(sum, a, b, m0, n0, 0, y.C);
	for (int i = 0; i < 4; i++) {
		for (int j = 0; j < 4; j++) {
			int64_t m = m0 + ty + 16 * i, n = n0 + tx + 16 * j;

			if (m < rows && n < y.G)
				y.gate[(dir * rows + m) * y.G + n] = sum[i][j] + y.bih[dir * y.G + n];
		}
	}
}

/* ---- forward ---------------------------------------------------------------------------------------------- */

/* One unit's step, from a + b (gru's n: a, and b in bn) to the gates' values and states. Returns h. */
DEVICE float cell_forward(const layer &y, int64_t row, int64_t before, int64_t j, float h)
{
	float *g = y.gate + row * y.G + j;

	if (y.cell == RNN) {
		g[0] = h = !y.relu ? tanhf(g[0]) : g[0] < 0 ? 0 : g[0];
	} else if (y.cell == GRU) {
		float r = sigmoid(g[0]), z = sigmoid(g[y.H]), n = tanhf(g[2 * y.H] + r * y.bn[row * y.H + j]);

		g[0] = r, g[y.H] = z, g[2 * y.H] = n;
		h = (1 - z) * n + z * h;
	} else {
		float in = sigmoid(g[0]), f = sigmoid(g[y.H]), m = tanhf(g[2 * y.H]), o = sigmoid(g[3 * y.H]);
		float c = in * m + (before >= 0 ? f * y.c[before * y.H + j] : 0);

		g[0] = in, g[y.H] = f, g[2 * y.H] = m, g[3 * y.H] = o;
		y.c[row * y.H + j] = c;
		h = o * tanhf(c);
	}
	y.h[row * y.H + j] = h;
	return h;
}

/* The lengths of the block's R examples (0 beyond the last example), for all threads; returns the longest. */
template <int R> DEVICE int64_t lengths_of(int64_t *len, const layer &y, int64_t n0)
{
	int64_t most = 0;

	if (threadIdx.x < R)
		len[threadIdx.x] = n0 + threadIdx.x < y.N ? length_of(y, n0 + threadIdx.x) : 0;
	__syncthreads();
	for (int r = 0; r < R; r++)
		most = len[r] > most ? len[r] : most;
	return most;
}

/* Steps of R examples of a direction. Shared: h [R][H]. */
template <int R> __global__ void steps_forward(const __grid_constant__ layer y)
{
	SHARED_BYTES(float, h);
	SHARED(int64_t, len, MOST_TOGETHER);
	int dir = blockIdx.y;
	int64_t n0 = (int64_t)blockIdx.x * R, steps = lengths_of<R>(len, y, n0);
	const float *w = y.hh + dir * y.G * y.H, *bias = y.bhh + dir * y.G;

	for (int64_t i = threadIdx.x; i < R * y.H; i += THREADS)
		h[i] = 0;
	__syncthreads();
	for (int64_t k = 0; k < steps; k++) {
		for (int64_t i = threadIdx.x; i < y.G; i += THREADS) {
			float sum[R] = {};

			for (int64_t j = 0; j < y.H; j++)
				for (int r = 0; r < R; r++)
					sum[r] += w[j * y.G + i] * h[r * y.H + j];
			for (int r = 0; r < R; r++) {
				int64_t row = row_of(y, dir, n0 + r, k, len[r]);

				if (k >= len[r])
					continue;
				if (y.cell == GRU && i >= 2 * y.H)
					y.bn[row * y.H + i - 2 * y.H] = sum[r] + bias[i];
				else
					y.gate[row * y.G + i] += sum[r] + bias[i];
			}
		}
		__syncthreads();
		for (int64_t i = threadIdx.x; i < R * y.H; i += THREADS) {
			int r = (int)(i / y.H);
			int64_t row = row_of(y, dir, n0 + r, k, len[r]);

			if (k < len[r])
				h[i] = cell_forward(y, row, k ? row + (dir ? 1 : -1) : -1, i % y.H, h[i]);
		}
		__syncthreads();
	}
	for (int r = 0; r < R && n0 + r < y.N; r++)
		for (int64_t i = len[r] * y.H + threadIdx.x; i < y.T * y.H; i += THREADS)
			y.h[(dir * y.N + n0 + r) * y.T * y.H + i] = 0;
}

/* The state of an example in a direction after its last step: of h or c; 0 if it has none. */
DEVICE float final_state(const layer &y, const float *of, int dir, int64_t n, int64_t j)
{
	int64_t len = length_of(y, n);

	return len ? of[row_of(y, dir, n, len - 1, len) * y.H + j] : 0;
}

/* Channel c of an output that has both directions side by side, or their sum. */
DEVICE float merged(const layer &y, int64_t n, int64_t t, int64_t c)
{
	int64_t width = y.merge ? y.H : y.D * y.H;
	float v = 0;

	if (c >= width)
		return 0;
	for (int dir = 0; dir < y.D; dir++) {
		if (!y.merge && c / y.H != dir)
			continue;
		v += y.last ? final_state(y, y.h, dir, n, c % y.H) : y.h[((dir * y.N + n) * y.T + t) * y.H + c % y.H];
	}
	return v;
}

template <typename T> __global__ void outputs(const __grid_constant__ layer y, T *out, T *state, T *cell)
{
	int64_t times = y.y.w, pitch = y.y.pitch, wide = (y.D * y.H + CUDA_PITCH - 1) / CUDA_PITCH * CUDA_PITCH;
	int64_t n_out = y.N * times * pitch, n_state = y.N * wide;

	for (int64_t i = grid_first(); i < n_out + 2 * n_state; i += grid_step()) {
		int64_t j = i - n_out, c = j % wide, n = j % n_state / wide;
		bool second = j >= n_state;
		T *to = second ? cell : state;
		float v = 0;

		if (i < n_out) {
			store(out + i, merged(y, i / pitch / times, i / pitch % times, i % pitch));
		} else if (to) {
			if (c < y.D * y.H)
				v = final_state(y, second ? y.c : y.h, (int)(c / y.H), n, c % y.H);
			store(to + j % n_state, v);
		}
	}
}

/* Examples of a block: as many as may share the loads of weights while all multiprocessors have work. */
static int together(const layer *y, const struct launch *l)
{
	int r = 1;

	while (r < MOST_TOGETHER && y->N * y->D > (int64_t)2 * r * l->processors && 2 * r * y->H <= MOST_UNITS)
		r *= 2;
	return r;
}

template <typename T> static int forward(const cuda_op *op, const struct launch *l)
{
	layer y = layer_of(op);
	float *scratch = at<float>(l, op->scratch), *kept = op->u.recurrent.training ? at<float>(l, op->buf[5]) : NULL;
	dim3 tiles((unsigned)ceil_div(y.N * y.T, TILE), (unsigned)ceil_div(y.G, TILE), (unsigned)y.D);
	int together_ = together(&y, l), rc;
	dim3 blocks((unsigned)ceil_div(y.N, together_), (unsigned)y.D);
	size_t shared = sizeof(float) * (size_t)(together_ * y.H);
	int64_t n = y.N * (y.y.w * y.y.pitch + 2 * cuda_pitch((int32_t)(y.D * y.H)));

	place(&y, kept ? kept : scratch + weight_floats(&y), scratch);
	y.length = at<int32_t>(l, op->buf[1]);
	rc = launch_spread(&y, op, l, 1);
	if (!rc)
		rc = launch(input_gates<T>, tiles, THREADS, 0, l, y, at<T>(l, op->buf[0]));
	if (!rc)
		rc = together_ == 1   ? launch(steps_forward<1>, blocks, THREADS, shared, l, y)
		     : together_ == 2 ? launch(steps_forward<2>, blocks, THREADS, shared, l, y)
				      : launch(steps_forward<4>, blocks, THREADS, shared, l, y);
	if (!rc)
		rc = launch(outputs<T>, grid_of(l, n, THREADS), THREADS, 0, l, y, at<T>(l, op->buf[2]),
			    at<T>(l, op->buf[3]), y.cell == LSTM ? at<T>(l, op->buf[4]) : (T *)NULL);
	return rc;
}

int kernel_recurrent(const cuda_op *op, const struct launch *l)
{
	BY_ELEM(op->buf[0].elem, return forward<T>(op, l));
}

int64_t kernel_recurrent_scratch(const cuda_op *op)
{
	const cuda_op_recurrent *o = &op->u.recurrent;
	layer y = layer_of(op);

	if (y.H > MOST_UNITS)
		return CUDA_NOT_OURS;
	return (int64_t)sizeof(float) * (weight_floats(&y) + (o->training ? 0 : kept_floats(o)));
}

/* ---- backward --------------------------------------------------------------------------------------------- */

template <typename T> struct gradients { /* what comes in; NULL: none */
	const T *out, *state, *cell;
};

/* The gradient that reaches a unit's state from outside at a step. */
template <typename T>
DEVICE float reaches(const layer &y, const gradients<T> &d, int dir, int64_t n, int64_t t, int64_t j, bool end)
{
	int64_t c = y.merge ? j : dir * y.H + j, wide = (y.D * y.H + CUDA_PITCH - 1) / CUDA_PITCH * CUDA_PITCH;
	float v = 0;

	if (d.out && (!y.last || end))
		v += load(d.out + (y.last ? n : n * y.T + t) * y.y.pitch + c);
	if (d.state && end)
		v += load(d.state + n * wide + dir * y.H + j);
	return v;
}

/* One unit's step: from the gradients of h and c after it to those of a, b_n and c before it. Returns what of h's goes
 * to h before without W_hh. */
DEVICE float cell_backward(const layer &y, int64_t row, int64_t before, int64_t j, float dh, float *ds)
{
	const float *g = y.gate + row * y.G + j;
	float *da = y.da + row * y.G + j, h = before >= 0 ? y.h[before * y.H + j] : 0;

	if (y.cell == RNN) {
		da[0] = !y.relu ? dh * (1 - g[0] * g[0]) : g[0] > 0 ? dh : 0;
		return 0;
	}
	if (y.cell == GRU) {
		float r = g[0], z = g[y.H], n = g[2 * y.H], dn = dh * (1 - z) * (1 - n * n);

		da[0] = dn * y.bn[row * y.H + j] * r * (1 - r);
		da[y.H] = dh * (h - n) * z * (1 - z);
		da[2 * y.H] = dn;
		y.dbn[row * y.H + j] = dn * r;
		return dh * z;
	}
	float i = g[0], f = g[y.H], m = g[2 * y.H], o = g[3 * y.H], t = tanhf(y.c[row * y.H + j]);
	float dc = *ds + dh * o * (1 - t * t);

	da[0] = dc * m * i * (1 - i);
	da[y.H] = dc * (before >= 0 ? y.c[before * y.H + j] : 0) * f * (1 - f);
	da[2 * y.H] = dc * i * (1 - m * m);
	da[3 * y.H] = dh * t * o * (1 - o);
	*ds = dc * f;
	return 0;
}

/* The gradient of b: that of a, but for gru's n. */
struct of_b { /* (row, gate) */
	static const bool k_fast = false;
	const float *da, *dbn; /* dbn: gru, else NULL */
	int64_t G, H;
	MEMBER float operator()(int64_t row, int64_t i) const
	{
		return dbn && i >= 2 * H ? dbn[row * H + i - 2 * H] : da[row * G + i];
	}
};

/* Of the sum over all gates that goes to a unit's state before, so that no thread of the block is idle. */
static inline __host__ __device__ int64_t parts_of(const layer &y)
{
	return y.H < THREADS ? THREADS / y.H : 1;
}

/* Steps of R examples of a direction, from the last to the first. Shared: gradients of h and c, [R][H] each; parts of
 * sums, [parts][H][R]. Beyond the length the gradients of a and b are 0. */
template <typename T, int R>
__global__ void steps_backward(const __grid_constant__ layer y, const __grid_constant__ gradients<T> d)
{
	SHARED_BYTES(float, dh);
	SHARED(int64_t, len, MOST_TOGETHER);
	int dir = blockIdx.y;
	int64_t n0 = (int64_t)blockIdx.x * R, steps = lengths_of<R>(len, y, n0),
		wide = ceil_div(y.D * y.H, CUDA_PITCH) * CUDA_PITCH;
	const float *w = y.hh + dir * y.G * y.H;
	float *ds = dh + R * y.H, *part = ds + R * y.H;
	int64_t parts = parts_of(y);
	of_b b = { y.da, y.dbn, y.G, y.H };

	for (int r = 0; r < R && n0 + r < y.N; r++) {
		int64_t first = (dir * y.N + n0 + r) * y.T;

		for (int64_t i = len[r] * y.G + threadIdx.x; i < y.T * y.G; i += THREADS)
			y.da[first * y.G + i] = 0;
		for (int64_t i = len[r] * y.H + threadIdx.x; y.dbn && i < y.T * y.H; i += THREADS)
			y.dbn[first * y.H + i] = 0;
	}
	for (int64_t i = threadIdx.x; i < R * y.H; i += THREADS) {
		int64_t n = n0 + i / y.H;

		dh[i] = 0;
		ds[i] = d.cell && n < y.N ? load(d.cell + n * wide + dir * y.H + i % y.H) : 0;
	}
	__syncthreads();
	for (int64_t k = steps - 1; k >= 0; k--) {
		for (int64_t i = threadIdx.x; i < R * y.H; i += THREADS) {
			int r = (int)(i / y.H);
			int64_t j = i % y.H, row = row_of(y, dir, n0 + r, k, len[r]),
				before = k ? row + (dir ? 1 : -1) : -1;

			if (k >= len[r])
				continue;
			dh[i] += reaches(y, d, dir, n0 + r, row % y.T, j, k == len[r] - 1);
			dh[i] = cell_backward(y, row, before, j, dh[i], ds + i);
		}
		__syncthreads();
		for (int64_t at = threadIdx.x; at < parts * y.H; at += THREADS) {
			int64_t j = at % y.H, first = at / y.H * y.G / parts, end = (at / y.H + 1) * y.G / parts;
			float sum[R] = {};

			for (int64_t i = first; i < end; i++)
				for (int r = 0; r < R; r++)
					if (k < len[r])
						sum[r] += w[i * y.H + j] * b(row_of(y, dir, n0 + r, k, len[r]), i);
			for (int r = 0; r < R; r++)
				part[at * R + r] = sum[r];
		}
		__syncthreads();
		for (int64_t i = threadIdx.x; i < R * y.H; i += THREADS)
			for (int64_t at = i % y.H; at < parts * y.H; at += y.H)
				dh[i] += part[at * R + i / y.H];
		__syncthreads();
	}
}

struct of_da { /* (row of [N][T], gate of one direction after the other) */
	static const bool k_fast = true;
	const float *da;
	int64_t rows, G;
	MEMBER float operator()(int64_t row, int64_t k) const
	{
		return row < rows ? da[(k / G * rows + row) * G + k % G] : 0;
	}
};

struct of_ih { /* (channel, gate of one direction after the other) */
	static const bool k_fast = false;
	const float *ih;
	int64_t C;
	MEMBER float operator()(int64_t c, int64_t k) const
	{
		return c < C ? ih[k * C + c] : 0;
	}
};

template <typename T> __global__ void input_gradient(const __grid_constant__ layer y, T *dx)
{
	int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
	int64_t m0 = (int64_t)blockIdx.x * TILE, n0 = (int64_t)blockIdx.y * TILE, rows = y.N * y.T;
	of_da a = { y.da, rows, y.G };
	of_ih b = { y.ih, y.C };
	float sum[4][4];

	tile_product(sum, a, b, m0, n0, 0, y.D * y.G);
	for (int i = 0; i < 4; i++) {
		for (int j = 0; j < 4; j++) {
			int64_t m = m0 + ty + 16 * i, n = n0 + tx + 16 * j;

			if (m < rows && n < y.P)
				store(dx + m * y.P + n, sum[i][j]);
		}
	}
}

struct gate_of_row { /* (gate, row): of_b, or the gradient of a */
	static const bool k_fast = false;
	of_b b;
	MEMBER float operator()(int64_t i, int64_t row) const
	{
		return i < b.G ? b(row, i) : 0;
	}
};

/* What a weight is multiplied with: x, or h before; the column after the last one is of ones, for the bias. */
template <typename T> struct factor { /* (column, row of [N][T]) */
	static const bool k_fast = false;
	const T *x;     /* NULL: h */
	const float *h; /* of the direction */
	int64_t columns, P, T_;
	int back; /* the step before is the time after */
	MEMBER float operator()(int64_t c, int64_t row) const
	{
		int64_t t = row % T_ + (back ? 1 : -1);

		if (c >= columns)
			return c == columns;
		if (x)
			return load(x + row * P + c);
		return t < 0 || t >= T_ ? 0 : h[(row + (back ? 1 : -1)) * columns + c];
	}
};

static inline __host__ __device__ int64_t partial_floats(const layer &y) /* of one split of one direction */
{
	return y.G * (y.C + 1 + y.H + 1);
}

/* A part of the sums over all steps: partial [splits][D]: [G][C + 1] for W_ih, b_ih, then [G][H + 1]. */
template <typename T>
__global__ void weight_gradients(const __grid_constant__ layer y, const T *x, float *partial, int splits)
{
	int own = blockIdx.z % 2, dir = blockIdx.z / 2 % (int)y.D, split = blockIdx.z / 2 / (int)y.D;
	int64_t m0 = (int64_t)blockIdx.x * TILE, n0 = (int64_t)blockIdx.y * TILE, rows = y.N * y.T;
	int64_t each = ceil_div(rows, splits), first = split * each, end = first + each < rows ? first + each : rows;
	int64_t columns = own ? y.H : y.C, base = dir * rows;
	gate_of_row a = { { y.da + base * y.G, own && y.dbn ? y.dbn + base * y.H : NULL, y.G, y.H } };
	factor<T> b = { own ? NULL : x, y.h + base * y.H, columns, y.P, y.T, dir };
	float *to = partial + (split * y.D + dir) * partial_floats(y) + (own ? y.G * (y.C + 1) : 0), sum[4][4];

	if (n0 > columns)
		return; /* the whole block */
	tile_product(sum, a, b, m0, n0, first, end);
	for (int i = 0; i < 4; i++) {
		for (int j = 0; j < 4; j++) {
			int64_t m = m0 + threadIdx.x / 16 + 16 * i, n = n0 + threadIdx.x % 16 + 16 * j;

			if (m < y.G && n <= columns)
				to[m * (columns + 1) + n] = sum[i][j];
		}
	}
}

struct results {
	float *p[8]; /* gradients of the parameters; NULL: not wanted */
};

__global__ void add_splits(const __grid_constant__ layer y, const __grid_constant__ results to, const float *partial,
			   int splits)
{
	int64_t n = partial_floats(y), n_ih = y.G * (y.C + 1);

	for (int64_t at = grid_first(); at < y.D * n; at += grid_step()) {
		int64_t dir = at / n, i = at % n;
		bool own = i >= n_ih;
		int64_t columns = own ? y.H : y.C, in = own ? i - n_ih : i, g = in / (columns + 1),
			c = in % (columns + 1);
		float *weight = to.p[4 * dir + own], *bias = to.p[4 * dir + 2 + own], sum = 0;

		for (int s = 0; s < splits; s++)
			sum += partial[s * y.D * n + at];
		if (c == columns && bias)
			bias[g] = sum;
		if (c < columns && weight)
			weight[g * columns + c] = sum;
	}
}

static int launch_weights(const layer *y, const cuda_op *op, const struct launch *l, float *partial)
{
	int64_t widest = (y->C > y->H ? y->C : y->H) + 1;
	int splits = (int)splits_of(y), rc;
	dim3 tiles((unsigned)ceil_div(y->G, TILE), (unsigned)ceil_div(widest, TILE), (unsigned)(2 * y->D * splits));
	char *grads = (char *)(uintptr_t)l->base[CUDA_GRADS];
	results to = {};

	for (int i = 0; i < 4 * y->D; i++)
		to.p[i] = op->u.recurrent.grads[i] < 0 ? NULL : (float *)(grads + op->u.recurrent.grads[i]);
	BY_ELEM(op->buf[0].elem,
		rc = launch(weight_gradients<T>, tiles, THREADS, 0, l, *y, at<T>(l, op->buf[0]), partial, splits));
	if (!rc)
		rc = launch(add_splits, grid_of(l, y->D * partial_floats(*y), THREADS), THREADS, 0, l, *y, to, partial,
			    splits);
	return rc;
}

template <typename T> static int backward(const cuda_op *op, const struct launch *l)
{
	layer y = layer_of(op);
	float *scratch = at<float>(l, op->scratch);
	int together_ = together(&y, l), rc;
	dim3 blocks((unsigned)ceil_div(y.N, together_), (unsigned)y.D);
	dim3 tiles((unsigned)ceil_div(y.N * y.T, TILE), (unsigned)ceil_div(y.P, TILE));
	size_t shared = sizeof(float) * (size_t)(together_ * y.H * (2 + parts_of(y)));
	gradients<T> d = { at<T>(l, op->buf[3]), at<T>(l, op->buf[4]), y.cell == LSTM ? at<T>(l, op->buf[15]) : NULL };

	place(&y, at<float>(l, op->buf[5]), scratch);
	y.length = at<int32_t>(l, op->buf[1]);
	y.da = scratch + weight_floats(&y);
	y.dbn = y.cell == GRU ? y.da + y.D * y.N * y.T * y.G : NULL;
	rc = launch_spread(&y, op, l, 0);
	if (!rc)
		rc = together_ == 1   ? launch(steps_backward<T, 1>, blocks, THREADS, shared, l, y, d)
		     : together_ == 2 ? launch(steps_backward<T, 2>, blocks, THREADS, shared, l, y, d)
				      : launch(steps_backward<T, 4>, blocks, THREADS, shared, l, y, d);
	if (!rc && op->buf[16].base != CUDA_NONE)
		rc = launch(input_gradient<T>, tiles, THREADS, 0, l, y, at<T>(l, op->buf[16]));
	if (!rc && op->buf[17].base != CUDA_NONE)
		rc = launch_weights(&y, op, l, y.da + y.D * y.N * y.T * (y.G + (y.dbn ? y.H : 0)));
	return rc;
}

int kernel_recurrent_back(const cuda_op *op, const struct launch *l)
{
	BY_ELEM(op->buf[0].elem, return backward<T>(op, l));
}

int64_t kernel_recurrent_back_scratch(const cuda_op *op)
{
	layer y = layer_of(op);
	int64_t steps = y.D * y.N * y.T, gradients_ = steps * (y.G + (y.cell == GRU ? y.H : 0));

	if (y.H > MOST_UNITS)
		return CUDA_NOT_OURS;
	return (int64_t)sizeof(float) * (weight_floats(&y) + gradients_ + splits_of(&y) * y.D * partial_floats(y));
}

int64_t cuda_reserve(const cuda_op *op)
{
	bool keeps = op->kind == CUDA_OP_RECURRENT && op->u.recurrent.training;

	return keeps ? (int64_t)sizeof(float) * kept_floats(&op->u.recurrent) : 0;
}
