/* train/cuda/pool.h - windows of pools, for the kernels that pool by themselves or on the way: pool.cu, norm.cu (behind
 * a normalisation) and bias.cu (backwards, before a sum over rows). A thread has eight channels of a place.
 *
 * A pool over a whole picture is one window of its size. The backward gathers: every input place asks the windows that
 * it lies in, in the order of rows.
 *
 * What is pooled is read by read8(v, in, at), `at` being the offset of its first element; PLAIN below is a tensor as it
 * lies in memory.
 */
#ifndef NAB_TRAIN_CUDA_POOL_H
#define NAB_TRAIN_CUDA_POOL_H

#include "train/cuda/picture.h"

enum { GLOBAL_THREADS = 256 };

struct pool {
	const void *dy, *relu; /* relu: abi.h, POOL_BACK's buffer 4 */
	void *y, *saved;
	const int32_t *length;
	struct cuda_op_pool o;
	int32_t bytes;                           /* saved places are bytes, not int32 */
	struct divider stride[2], in[2], out[2]; /* in, out: rows and columns of x and y */
};

struct place { /* of a picture */
	int64_t n;
	int y, x;
};

/* The place of a row of channels; size: of the pictures. */
DEVICE struct place place_of(int64_t row, const struct divider size[2])
{
	int64_t line = divided(row, size[1]), n = divided(line, size[0]);
	struct place at = { n, (int)(line - n * size[0].by), (int)(row - line * size[1].by) };

	return at;
}

struct window { /* rows [y0, y1) and columns [x0, x1) of a picture; its first place is at (top, left) */
	int top, left, y0, y1, x0, x1;
	int divisor;
};

template <typename T> struct plain {
	const T *p;
};

template <typename T> DEVICE void read8(float v[8], const struct plain<T> &in, int64_t at)
{
	load8(v, in.p + at);
}

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

/* ---- saved places --------------------------------------------------------------------------------------- */

DEVICE void save8(const struct pool &p, int64_t at, const int32_t v[8])
{
	uint32_t u[2] = { 0, 0 };

	if (!p.bytes) {
		int4 *to = (int4 *)((int32_t *)p.saved + at);

		to[0] = make_int4(v[0], v[1], v[2], v[3]);
		to[1] = make_int4(v[4], v[5], v[6], v[7]);
		return;
	}
	for (int k = 0; k < 8; k++)
		u[k / 4] |= (uint32_t)(v[k] & 255) << 8 * (k % 4);
	*(uint2 *)((uint8_t *)p.saved + at) = make_uint2(u[0], u[1]);
}

/* Bit k: of channel k, `here` was saved. */
DEVICE uint32_t saved_here(const struct pool &p, int64_t at, int32_t here)
{
	uint32_t hits = 0;

	if (p.bytes) {
		uint2 u = *(const uint2 *)((const uint8_t *)p.saved + at);

		for (int k = 0; k < 8; k++)
			hits |= (uint32_t)(((k < 4 ? u.x : u.y) >> 8 * (k % 4) & 255) == (uint32_t)here) << k;
	} else {
		const int4 *from = (const int4 *)((const int32_t *)p.saved + at);
		int4 a = from[0], b = from[1];

		hits = (uint32_t)(a.x == here) | (uint32_t)(a.y == here) << 1 | (uint32_t)(a.z == here) << 2 |
		       (uint32_t)(a.w == here) << 3 | (uint32_t)(b.x == here) << 4 | (uint32_t)(b.y == here) << 5 |
		       (uint32_t)(b.z == here) << 6 | (uint32_t)(b.w == here) << 7;
	}
	return hits;
}

/* ---- forward -------------------------------------------------------------------------------------------- */

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
template <typename IN>
DEVICE void window_max(float v[8], int32_t best[8], const IN &in, const struct pool &p, const struct window &w,
		       int64_t n, int vector)
{
	for (int y = w.y0; y < w.y1; y++)
		for (int x = w.x0; x < w.x1; x++) {
			int32_t place = (y - w.top) * p.o.size[1] + x - w.left;
			float one[8];

			read8(one, in, picture_offset(p.o.x, n, y, x, vector));
			for (int k = 0; k < 8; k++)
				if (beats(one[k], place, v[k], best[k]))
					v[k] = one[k], best[k] = place;
		}
}

template <typename IN>
DEVICE void window_mean(float v[8], const IN &in, const struct pool &p, const struct window &w, int64_t n, int vector)
{
	for (int y = w.y0; y < w.y1; y++)
		for (int x = w.x0; x < w.x1; x++) {
			float one[8];

			read8(one, in, picture_offset(p.o.x, n, y, x, vector));
			for (int k = 0; k < 8; k++)
				v[k] += one[k];
		}
	for (int k = 0; k < 8; k++)
		v[k] /= (float)w.divisor;
}

/* Writes the result of one window. */
template <typename T, typename IN>
DEVICE void pool_place(const IN &in, const struct pool &p, const struct place &at, int vector)
{
	int64_t out = picture_offset(p.o.y, at.n, at.y, at.x, vector);
	int valid = valid_columns(p, at.n);
	struct window w = window_at(p.o, at.y, at.x, valid);
	float v[8] = { 0 };
	int32_t best[8] = { -1, -1, -1, -1, -1, -1, -1, -1 };

	if (w.x0 >= w.x1 || at.x >= (p.length ? valid : p.o.y.w)) {
	} else if (p.o.max)
		window_max(v, best, in, p, w, at.n, vector);
	else
		window_mean(v, in, p, w, at.n, vector);
	store8((T *)p.y + out, v);
	if (p.o.max && p.saved)
		save8(p, out, best);
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

/* The block's part of a pool over whole pictures: an example and a tile of `lanes` vectors, this thread's being
 * `vector`. */
template <typename T, bool MAX, typename IN>
DEVICE void global_place(const IN &in, const struct pool &p, int64_t n, int vector, int lanes)
{
	int vectors = p.o.x.pitch / 8, slots = GLOBAL_THREADS / lanes, slot = (int)threadIdx.x / lanes;
	int64_t count = p.length ? p.length[n] : (int64_t)p.o.x.h * p.o.x.w;
	int64_t first = n * p.o.x.h * p.o.x.w * p.o.x.pitch + 8LL * vector, out = n * p.o.y.pitch + 8LL * vector;
	float v[8] = { 0 };
	int32_t best[8] = { -1, -1, -1, -1, -1, -1, -1, -1 };

	for (int64_t i = slot; slot < slots && vector < vectors && i < count; i += slots) {
		float one[8];

		read8(one, in, first + i * p.o.x.pitch);
		for (int k = 0; k < 8; k++)
			if (!MAX)
				v[k] += one[k];
			else if (beats(one[k], (int32_t)i, v[k], best[k]))
				v[k] = one[k], best[k] = (int32_t)i;
	}
	global_join<MAX>(v, best, lanes, slots);
	if (slot > 0 || vector >= vectors)
		return;
	for (int k = 0; k < 8 && !MAX; k++)
		v[k] = count > 0 ? v[k] / (float)count : 0;
	store8((T *)p.y + out, v);
	if (MAX && p.saved)
		save8(p, out, best);
}

struct global_cut { /* of blocks: `lanes` vectors of an example each */
	int lanes, tiles;
};

static inline __host__ __device__ struct global_cut global_cut(const struct cuda_op_pool &o)
{
	struct global_cut c;

	c.lanes = o.x.pitch < 64 ? o.x.pitch / 8 : 8;
	c.tiles = (int)ceil_div(o.x.pitch / 8, c.lanes);
	return c;
}

static inline dim3 global_grid(const struct cuda_op_pool &o)
{
	return dim3((unsigned)((int64_t)o.x.n * global_cut(o).tiles));
}

/* ---- backward ------------------------------------------------------------------------------------------- */

/* dy, and 0 where relu's result is (relu NULL: there is none). */
template <typename T> DEVICE void load_undone(float v[8], const T *dy, const T *relu)
{
	float r[8];

	load8(v, dy);
	if (!relu)
		return;
	load8(r, relu);
	for (int k = 0; k < 8; k++)
		v[k] *= r[k] > 0 ? 1 : 0;
}

/* Windows [*from, *to] along an axis that place `at` lies in. */
DEVICE void windows_of(const struct pool &p, int axis, int place, int count, int &from, int &to)
{
	int high = place + p.o.before[axis], low = high - p.o.size[axis] + p.o.stride[axis];

	from = low <= 0 ? 0 : (int)divided(low, p.stride[axis]);
	to = (int)divided(high, p.stride[axis]);
	to = to < count ? to : count - 1;
}

/* The gradient of eight channels of an input place. */
template <typename T> DEVICE void pool_gather(float v[8], const struct pool &p, const struct place &at, int vector)
{
	int y0, y1, x0, x1, valid = valid_columns(p, at.n);

	for (int k = 0; k < 8; k++)
		v[k] = 0;
	if (at.x >= valid)
		return;
	windows_of(p, 0, at.y, p.o.y.h, y0, y1);
	windows_of(p, 1, at.x, p.length && valid < p.o.y.w ? valid : p.o.y.w, x0, x1);
	for (int y = y0; y <= y1; y++)
		for (int x = x0; x <= x1; x++) {
			int64_t out = picture_offset(p.o.y, at.n, y, x, vector);
			struct window w = window_at(p.o, y, x, valid);
			int32_t here = (at.y - w.top) * p.o.size[1] + at.x - w.left;
			uint32_t hits = p.o.max ? saved_here(p, out, here) : 0xff;
			float d[8], share = p.o.max ? 1 : 1 / (float)w.divisor;

			load_undone(d, (const T *)p.dy + out, p.relu ? (const T *)p.relu + out : NULL);
			for (int k = 0; k < 8; k++)
				v[k] += hits >> k & 1 ? d[k] * share : 0;
		}
}

/* ---- the host's side ------------------------------------------------------------------------------------ */

/* Of a pool over windows, or over whole pictures. */
static inline struct pool pool_of(const struct cuda_op_pool &o, bool whole)
{
	struct pool p = {};

	p.o = o;
	for (int i = 0; i < 2 && whole; i++) {
		p.o.size[i] = p.o.stride[i] = i ? o.x.w : o.x.h;
		p.o.before[i] = p.o.after[i] = p.o.count_pad = 0;
	}
	p.bytes = !whole && (int64_t)o.size[0] * o.size[1] <= 255;
	for (int i = 0; i < 2; i++) {
		p.stride[i] = divider_of(p.o.stride[i]);
		p.in[i] = divider_of(i ? o.x.w : o.x.h);
		p.out[i] = divider_of(i ? o.y.w : o.y.h);
	}
	return p;
}

#endif
