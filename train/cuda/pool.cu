/* train/cuda/pool.cu - pools over windows and over whole pictures. A thread has eight channels of a place. The backward
 * of a window pool gathers: every input place asks the windows that it lies in, in the order of rows.
 */
#include "train/cuda/picture.h"

enum { GLOBAL_THREADS = 256 };

struct pool {
	const void *x, *dy;
	void *y, *dx, *saved;
	const int32_t *length;
	struct cuda_op_pool o;
};

struct window { /* rows [y0, y1) and columns [x0, x1) of a picture; its first place is at (top, left) */
	int top, left, y0, y1, x0, x1;
	int divisor;
};

/* What of one axis lies inside; returns the size that counts with padding (not what ceil mode adds beyond it). */
DEVICE int span(const struct cuda_op_pool &o, int axis, int place, int size, int &first, int &from, int &to)
{
	int last, padded = size + o.after[axis];

	first = place * o.stride[axis] - o.before[axis];
	last = first + o.size[axis];
	from = first < 0 ? 0 : first;
	to = last > size ? size : last;
	return (last > padded ? padded : last) - first;
}

DEVICE struct window window_at(const struct cuda_op_pool &o, int y, int x, int valid)
{
	struct window w;
	int rows = span(o, 0, y, o.x.h, w.top, w.y0, w.y1), columns = span(o, 1, x, valid, w.left, w.x0, w.x1);

	w.divisor = o.count_pad ? rows * columns : (w.y1 - w.y0) * (w.x1 - w.x0);
	return w;
}

DEVICE void save8(uint8_t *p, const int32_t v[8])
{
	uint32_t u[2] = { 0, 0 };

	for (int k = 0; k < 8; k++)
		u[k / 4] |= (uint32_t)(v[k] & 255) << 8 * (k % 4);
	*(uint2 *)p = make_uint2(u[0], u[1]);
}

DEVICE void save8(int32_t *p, const int32_t v[8])
{
	((int4 *)p)[0] = make_int4(v[0], v[1], v[2], v[3]);
	((int4 *)p)[1] = make_int4(v[4], v[5], v[6], v[7]);
}

DEVICE void saved8(int32_t v[8], const uint8_t *p)
{
	uint2 u = *(const uint2 *)p;

	for (int k = 0; k < 8; k++)
		v[k] = (int32_t)((k < 4 ? u.x : u.y) >> 8 * (k % 4) & 255);
}

DEVICE void saved8(int32_t v[8], const int32_t *p)
{
	int4 a = ((const int4 *)p)[0], b = ((const int4 *)p)[1];

	v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w;
	v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
}

DEVICE int valid_columns(const struct pool &p, int64_t n)
{
	return p.length ? p.length[n] : p.o.x.w;
}

/* Whether a maximum is rather a, found at i, than b at j (none: -1). NaN wins, of equals the first. */
DEVICE bool beats(float a, int32_t i, float b, int32_t j)
{
	bool no_a = a != a, no_b = b != b;

	if (i < 0 || j < 0)
		return j < 0 && i >= 0;
	if (no_a || no_b)
		return no_a && (!no_b || i < j);
	return a > b || (a == b && i < j);
}

/* The maximum of a window and where it is. */
template <typename T>
DEVICE void window_max(float v[8], int32_t best[8], const struct pool &p, const struct window &w, int64_t n, int vector)
{
	for (int k = 0; k < 8; k++)
		v[k] = 0, best[k] = -1;
	for (int y = w.y0; y < w.y1; y++)
		for (int x = w.x0; x < w.x1; x++) {
			int32_t place = (y - w.top) * p.o.size[1] + x - w.left;
			float in[8];

			load8(in, picture_at((const T *)p.x, p.o.x, n, y, x, vector));
			for (int k = 0; k < 8; k++)
				if (beats(in[k], place, v[k], best[k]))
					v[k] = in[k], best[k] = place;
		}
}

template <typename T>
DEVICE void window_mean(float v[8], const struct pool &p, const struct window &w, int64_t n, int vector)
{
	for (int k = 0; k < 8; k++)
		v[k] = 0;
	for (int y = w.y0; y < w.y1; y++)
		for (int x = w.x0; x < w.x1; x++) {
			float in[8];

			load8(in, picture_at((const T *)p.x, p.o.x, n, y, x, vector));
			for (int k = 0; k < 8; k++)
				v[k] += in[k];
		}
	for (int k = 0; k < 8; k++)
		v[k] /= (float)w.divisor;
}

/* S: uint8_t or int32_t */
template <typename T, typename S> __global__ void __launch_bounds__(PICTURE_THREADS, 2) pool_forward(struct pool p)
{
	int vectors = p.o.y.pitch / 8;

	EACH_OF_PICTURE(p.o.y, row, place)
	{
		int64_t n = row / p.o.y.h, out = row * p.o.y.w * p.o.y.pitch + 8LL * place;
		int x = (int)place / vectors, vector = (int)place % vectors, valid = valid_columns(p, n);
		struct window w = window_at(p.o, (int)(row % p.o.y.h), x, valid);
		float v[8] = { 0 };
		int32_t best[8] = { -1, -1, -1, -1, -1, -1, -1, -1 };

		if (w.x0 >= w.x1 || x >= (p.length ? valid : p.o.y.w)) {
		} else if (p.o.max)
			window_max<T>(v, best, p, w, n, vector);
		else
			window_mean<T>(v, p, w, n, vector);
		store8((T *)p.y + out, v);
		if (p.o.max && p.saved)
			save8((S *)p.saved + out, best);
	}
}

/* Windows [*from, *to] along an axis that place `at` lies in. */
DEVICE void windows_of(const struct cuda_op_pool &o, int axis, int place, int count, int &from, int &to)
{
	int high = place + o.before[axis], low = high - o.size[axis] + o.stride[axis];

	from = low <= 0 ? 0 : low / o.stride[axis];
	to = high / o.stride[axis];
	to = to < count ? to : count - 1;
}

template <typename T, typename S>
DEVICE void pool_gather(float v[8], const struct pool &p, int64_t n, int y, int x, int valid, int vector)
{
	int y0, y1, x0, x1;

	windows_of(p.o, 0, y, p.o.y.h, y0, y1);
	windows_of(p.o, 1, x, p.length ? valid : p.o.y.w, x0, x1);
	for (int oy = y0; oy <= y1; oy++)
		for (int ox = x0; ox <= x1; ox++) {
			int64_t out = ((n * p.o.y.h + oy) * p.o.y.w + ox) * p.o.y.pitch + 8LL * vector;
			struct window w = window_at(p.o, oy, ox, valid);
			int32_t here = (y - w.top) * p.o.size[1] + x - w.left, best[8];
			float d[8], share = 1 / (float)w.divisor;

			load8(d, (const T *)p.dy + out);
			if (p.o.max)
				saved8(best, (const S *)p.saved + out);
			for (int k = 0; k < 8; k++)
				v[k] += !p.o.max ? d[k] * share : best[k] == here ? d[k] : 0;
		}
}

template <typename T, typename S> __global__ void __launch_bounds__(PICTURE_THREADS, 2) pool_backward(struct pool p)
{
	int vectors = p.o.x.pitch / 8;

	EACH_OF_PICTURE(p.o.x, row, place)
	{
		int64_t n = row / p.o.x.h;
		int x = (int)place / vectors, valid = valid_columns(p, n);
		float v[8] = { 0 };

		if (x < valid)
			pool_gather<T, S>(v, p, n, (int)(row % p.o.x.h), x, valid, (int)place % vectors);
		store8((T *)p.dx + row * p.o.x.w * p.o.x.pitch + 8LL * place, v);
	}
}

/* ---- over all positions --------------------------------------------------------------------------------- */

DEVICE int64_t positions_of(const struct pool &p, int64_t n)
{
	return p.length ? p.length[n] : (int64_t)p.o.x.h * p.o.x.w;
}

/* What the slots of a block found for a lane, put together pair by pair. */
template <bool MAX> DEVICE void global_join(float v[8], int32_t best[8], int lanes, int slots)
{
	SHARED(float, value, 8 * GLOBAL_THREADS);
	SHARED(int32_t, where, 8 * GLOBAL_THREADS);
	int self = (int)threadIdx.x, slot = self / lanes, half = 1;

	while (half * 2 < slots)
		half *= 2;
	__syncthreads();
	for (int k = 0; k < 8; k++)
		value[k * GLOBAL_THREADS + self] = v[k], where[k * GLOBAL_THREADS + self] = best[k];
	__syncthreads();
	for (; half > 0; half /= 2) {
		for (int k = 0; slot < half && slot + half < slots && k < 8; k++) {
			int mine = k * GLOBAL_THREADS + self, other = mine + half * lanes;

			if (!MAX)
				value[mine] += value[other];
			else if (beats(value[other], where[other], value[mine], where[mine]))
				value[mine] = value[other], where[mine] = where[other];
		}
		__syncthreads();
	}
	for (int k = 0; k < 8; k++)
		v[k] = value[k * GLOBAL_THREADS + self], best[k] = where[k * GLOBAL_THREADS + self];
}

/* A block for an example and a tile of lanes. */
template <typename T, bool MAX>
__global__ void __launch_bounds__(GLOBAL_THREADS) global_forward(struct pool p, int lanes)
{
	int vectors = p.o.x.pitch / 8, tiles = (vectors + lanes - 1) / lanes, slots = GLOBAL_THREADS / lanes;
	int64_t n = blockIdx.x / tiles, count = positions_of(p, n);
	int slot = (int)threadIdx.x / lanes, vector = (int)blockIdx.x % tiles * lanes + (int)threadIdx.x % lanes;
	const T *x = (const T *)p.x + n * p.o.x.h * p.o.x.w * p.o.x.pitch + 8LL * vector;
	float v[8] = { 0 };
	int32_t best[8] = { -1, -1, -1, -1, -1, -1, -1, -1 };

	for (int64_t i = slot; slot < slots && vector < vectors && i < count; i += slots) {
		float in[8];

		load8(in, x + i * p.o.x.pitch);
		for (int k = 0; k < 8; k++)
			if (!MAX)
				v[k] += in[k];
			else if (beats(in[k], (int32_t)i, v[k], best[k]))
				v[k] = in[k], best[k] = (int32_t)i;
	}
	global_join<MAX>(v, best, lanes, slots);
	if (slot > 0 || vector >= vectors)
		return;
	for (int k = 0; k < 8 && !MAX; k++)
		v[k] = count > 0 ? v[k] / (float)count : 0;
	store8((T *)p.y + n * p.o.y.pitch + 8LL * vector, v);
	if (MAX && p.saved)
		save8((int32_t *)p.saved + n * p.o.y.pitch + 8LL * vector, best);
}

template <typename T> __global__ void __launch_bounds__(PICTURE_THREADS, 2) global_backward(struct pool p)
{
	int vectors = p.o.x.pitch / 8;

	EACH_OF_PICTURE(p.o.x, row, place)
	{
		int64_t n = row / p.o.x.h, count = positions_of(p, n);
		int64_t from = n * p.o.y.pitch + 8LL * (place % (uint32_t)vectors);
		int32_t here = (int)(row % p.o.x.h) * p.o.x.w + (int)place / vectors, best[8];
		float v[8], share = 1 / (float)count;

		load8(v, (const T *)p.dy + from);
		if (p.o.max)
			saved8(best, (const int32_t *)p.saved + from);
		for (int k = 0; k < 8; k++)
			v[k] = here >= count ? 0 : !p.o.max ? v[k] * share : best[k] == here ? v[k] : 0;
		store8((T *)p.dx + row * p.o.x.w * p.o.x.pitch + 8LL * place, v);
	}
}

/* ---- launches ------------------------------------------------------------------------------------------- */

static struct pool pool_of(const struct cuda_op *op, const struct launch *l)
{
	struct pool p = {};

	p.o = op->u.pool;
	p.length = at<int32_t>(l, op->buf[3]);
	return p;
}

static bool saves_bytes(const struct cuda_op_pool &o)
{
	return (int64_t)o.size[0] * o.size[1] <= 255;
}

template <typename T> static int forward(const struct pool &p, const struct launch *l)
{
	return launch(saves_bytes(p.o) ? pool_forward<T, uint8_t> : pool_forward<T, int32_t>, picture_grid(l, &p.o.y),
		      picture_block(&p.o.y), 0, l, p);
}

template <typename T> static int backward(const struct pool &p, const struct launch *l)
{
	return launch(saves_bytes(p.o) ? pool_backward<T, uint8_t> : pool_backward<T, int32_t>, picture_grid(l, &p.o.x),
		      picture_block(&p.o.x), 0, l, p);
}

int kernel_pool(const struct cuda_op *op, const struct launch *l)
{
	struct pool p = pool_of(op, l);
	int rc;

	p.x = at<void>(l, op->buf[0]);
	p.y = at<void>(l, op->buf[1]);
	p.saved = at<void>(l, op->buf[2]);
	BY_ELEM(op->buf[0].elem, rc = forward<T>(p, l));
	return rc;
}

static struct pool pool_back_of(const struct cuda_op *op, const struct launch *l)
{
	struct pool p = pool_of(op, l);

	p.saved = at<void>(l, op->buf[0]);
	p.dy = at<void>(l, op->buf[1]);
	p.dx = at<void>(l, op->buf[2]);
	return p;
}

int kernel_pool_back(const struct cuda_op *op, const struct launch *l)
{
	struct pool p = pool_back_of(op, l);
	int rc;

	BY_ELEM(op->buf[1].elem, rc = backward<T>(p, l));
	return rc;
}

int kernel_globalpool(const struct cuda_op *op, const struct launch *l)
{
	struct pool p = pool_of(op, l);
	int vectors = p.o.x.pitch / 8, lanes = vectors < 8 ? vectors : 8;
	dim3 grid((unsigned)(p.o.x.n * ceil_div(vectors, lanes)));
	int rc;

	p.x = at<void>(l, op->buf[0]);
	p.y = at<void>(l, op->buf[1]);
	p.saved = at<void>(l, op->buf[2]);
	BY_ELEM(op->buf[0].elem, rc = p.o.max ? launch(global_forward<T, true>, grid, GLOBAL_THREADS, 0, l, p, lanes)
					      : launch(global_forward<T, false>, grid, GLOBAL_THREADS, 0, l, p, lanes));
	return rc;
}

int kernel_globalpool_back(const struct cuda_op *op, const struct launch *l)
{
	struct pool p = pool_back_of(op, l);
	int rc;

	BY_ELEM(op->buf[1].elem,
		rc = launch(global_backward<T>, picture_grid(l, &p.o.x), picture_block(&p.o.x), 0, l, p));
	return rc;
}
