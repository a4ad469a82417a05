/* train/cuda/rows.h - tensors as rows of channels, for kernels that reduce over rows: which thread takes what.
 *
 * A block works on a tile of channels, `lanes` vectors of eight, and `slots` rows at a time; the rows are cut into
 * `parts`, one block for each part and tile. What the parts found is put together by the block that ends last, in the
 * order of the parts. Sizes alone decide the cut: not the card, so that the same sums come out on every card.
 */
#ifndef NAB_TRAIN_CUDA_ROWS_H
#define NAB_TRAIN_CUDA_ROWS_H

#include "train/cuda/kernel.h"

/* Whether a row counts: all but the steps past the end of an open sequence. */
DEVICE bool row_counts(const int32_t *length, int32_t steps, int64_t row)
{
	return !length || (int32_t)(row % steps) < length[row / steps];
}

DEVICE void vector_or(float v[8], const float *p, int64_t at, float otherwise)
{
	if (p)
		load8(v, p + at);
	else
		for (int k = 0; k < 8; k++)
			v[k] = otherwise;
}

enum {
	ROWS_THREADS = 256,
	ROWS_LANES = 8,
	ROWS_EACH = 8 /* rows of a thread, at least, before rows are cut */,
	ROWS_BLOCKS = 512 /* that pay */
};

struct rows {
	int64_t rows, per; /* per: rows of a part */
	int32_t lanes, slots, tiles, parts, vectors;
};

/* For `copies` sums of every tile, `each` of them in one block. Few rows take narrow tiles: more blocks, each of which
 * sees all rows. */
static inline struct rows rows_cut(int64_t rows, int64_t pitch, int64_t copies, int64_t each = 1)
{
	struct rows r = { rows, rows, 2, 0, 0, 1, (int32_t)(pitch / 8) };

	while (r.lanes < ROWS_LANES && (ROWS_THREADS / r.lanes > rows || rows > 16 * ROWS_THREADS / r.lanes))
		r.lanes *= 2;
	r.lanes = r.vectors < r.lanes ? r.vectors : r.lanes;
	r.slots = ROWS_THREADS / r.lanes;
	r.tiles = (int32_t)ceil_div(r.vectors, r.lanes);
	if (rows > 2 * ROWS_EACH * r.slots && r.tiles * copies <= CUDA_TICKETS) {
		int64_t want = ceil_div(rows, ROWS_EACH * r.slots),
			cap = ROWS_BLOCKS / (r.tiles * ceil_div(copies, each));

		r.parts = (int32_t)(want < cap ? want : cap < 1 ? 1 : cap);
	}
	r.per = ceil_div(rows, r.parts);
	return r;
}

static inline dim3 rows_grid(const struct rows *r)
{
	return dim3((unsigned)(r->tiles * r->parts));
}

struct rows_place { /* of a thread */
	int32_t lane, slot, vector, tile, part;
	bool on;             /* has a vector of channels at all */
	int64_t first, last; /* rows first, first + slots, ... below last */
};

DEVICE struct rows_place rows_place(const struct rows &r)
{
	struct rows_place p;

	p.lane = (int)threadIdx.x % r.lanes;
	p.slot = (int)threadIdx.x / r.lanes;
	p.tile = (int)blockIdx.x % r.tiles;
	p.part = (int)blockIdx.x / r.tiles;
	p.vector = p.tile * r.lanes + p.lane;
	p.on = p.slot < r.slots && p.vector < r.vectors;
	p.first = p.part * r.per + p.slot;
	p.last = (p.part + 1) * r.per < r.rows ? (p.part + 1) * r.per : r.rows;
	return p;
}

struct pair8 { /* of eight channels, over n rows: two sums; or mean and sum of squared distances from it */
	float n, a[8], b[8];
};

DEVICE void pair8_zero(struct pair8 &m)
{
	m.n = 0;
	for (int k = 0; k < 8; k++)
		m.a[k] = m.b[k] = 0;
}

/* Chan, Golub and LeVeque 1979: the moments of two sets together. */
DEVICE void join_moments(float n, float &mean, float &squares, float more, float mean2, float squares2)
{
	float share = more / (n + more), d = mean2 - mean;

	mean += d * share;
	squares += squares2 + d * d * n * share;
}

/* Of all slots of each lane; all of them get it. The order is that of a tree over slots. */
template <bool MOMENTS> DEVICE void rows_join(struct pair8 &m, const struct rows &r, const struct rows_place &p)
{
	SHARED(float, n, ROWS_THREADS);
	SHARED(float, a, 8 * ROWS_THREADS);
	SHARED(float, b, 8 * ROWS_THREADS);
	int self = (int)threadIdx.x, half = 1;

	while (half * 2 < r.slots)
		half *= 2;
	__syncthreads(); /* they may still be read from the time before */
	n[self] = m.n;
	for (int k = 0; k < 8; k++) {
		a[k * ROWS_THREADS + self] = m.a[k];
		b[k * ROWS_THREADS + self] = m.b[k];
	}
	__syncthreads();
	for (; half > 0; half /= 2) {
		int other = self + half * r.lanes;

		if (p.slot < half && p.slot + half < r.slots && n[other] > 0) {
			for (int k = 0; k < 8; k++) {
				float &a1 = a[k * ROWS_THREADS + self], &b1 = b[k * ROWS_THREADS + self];
				float a2 = a[k * ROWS_THREADS + other], b2 = b[k * ROWS_THREADS + other];

				if (MOMENTS)
					join_moments(n[self], a1, b1, n[other], a2, b2);
				else
					a1 += a2, b1 += b2;
			}
			n[self] += n[other];
		}
		__syncthreads();
	}
	m.n = n[p.lane];
	for (int k = 0; k < 8; k++) {
		m.a[k] = a[k * ROWS_THREADS + p.lane];
		m.b[k] = b[k * ROWS_THREADS + p.lane];
	}
}

/* Floats of scratch of rows_total(): [parts][vectors][16], then a count for each part and tile; whole vectors. */
static inline __host__ __device__ int64_t rows_floats(const struct rows *r)
{
	return r->parts > 1 ? ceil_div((int64_t)r->parts * (16LL * r->vectors + r->tiles), 16) * 16 : 0;
}

DEVICE void pair8_put(float *scratch, const struct rows &r, const struct rows_place &p, const struct pair8 &m)
{
	float *to = scratch + ((int64_t)p.part * r.vectors + p.vector) * 16;

	store8(to, m.a);
	store8(to + 8, m.b);
	if (p.lane == 0)
		scratch[(int64_t)r.parts * r.vectors * 16 + (int64_t)p.part * r.tiles + p.tile] = m.n;
}

template <bool MOMENTS>
DEVICE void pair8_add(struct pair8 &m, const float *scratch, const struct rows &r, const struct rows_place &p, int part)
{
	const float *from = scratch + ((int64_t)part * r.vectors + p.vector) * 16;
	float more = scratch[(int64_t)r.parts * r.vectors * 16 + (int64_t)part * r.tiles + p.tile], a[8], b[8];

	load8(a, from);
	load8(b, from + 8);
	for (int k = 0; k < 8 && more > 0; k++)
		if (MOMENTS)
			join_moments(m.n, m.a[k], m.b[k], more, a[k], b[k]);
		else
			m.a[k] += a[k], m.b[k] += b[k];
	m.n += more;
}

/* Of all slots and all parts. False in the blocks whose work is done: another one has the result. */
template <bool MOMENTS>
DEVICE bool rows_total(struct pair8 &m, const struct rows &r, const struct rows_place &p, float *scratch,
		       uint32_t *tickets)
{
	rows_join<MOMENTS>(m, r, p);
	if (r.parts == 1)
		return true;
	if (p.on && p.slot == 0)
		pair8_put(scratch, r, p, m);
	if (!last_block(tickets + p.tile, (uint32_t)r.parts))
		return false;
	pair8_zero(m);
	for (int part = p.slot; p.on && part < r.parts; part += r.slots)
		pair8_add<MOMENTS>(m, scratch, r, p, part);
	rows_join<MOMENTS>(m, r, p);
	return true;
}

#endif
