/* train/cuda/grouped.cu - convolutions in groups. Depthwise ones (a group is one input channel) read vectors of eight
 * channels and hold the weights of a tap side by side; others give a thread one channel of four places, so that a
 * weight is read once for the four. The gradient of the input is a convolution that gathers: places of y in x's order.
 * Weights are [k][kh][kw][c / groups]. Sums over taps and channels have the order of the weights; sums over rows of y
 * are cut by size (train/cuda/rows.h).
 */
#include "train/cuda/act.h"
#include "train/cuda/picture.h"
#include "train/cuda/rows.h"

enum {
	MOST_SHARED = 48 << 10,
	THREADS = 256,
	PLACES = 4,             /* of a thread */
	SLOTS = THREADS / WARP, /* of a block: each WARP channels wide */
	CHUNK = 256,            /* weights of a channel in shared memory */
	LINES = 4,              /* of a part, at least, where lines of y are cut */
	MOST_BLOCKS = 1024,
	PAIRS = 3,     /* of taps, of a block */
	FEW_BLOCKS = 8 /* each of which first loads the weights */
};

struct grouped { /* source -> target: x -> y, or (back) dy -> dx */
	const void *source, *weight, *bias;
	void *target;
	struct cuda_dims s, t;
	struct cuda_op_conv o;
	int32_t taps, per_source, per_target; /* channels of a group */
};

/* Where the target's place at `t` reads along an axis through tap `k`; -1: nowhere. */
template <bool BACK> DEVICE int tap_at(const struct cuda_op_conv &o, int axis, int t, int k, int size)
{
	int at;

	if (!BACK) {
		at = t * o.stride[axis] - o.before[axis] + k * o.dilation[axis];
		return at < size ? at : -1;
	}
	at = t + o.before[axis] - k * o.dilation[axis];
	if (at < 0 || at % o.stride[axis])
		return -1;
	return at / o.stride[axis] < size ? at / o.stride[axis] : -1;
}

/* ---- depthwise ------------------------------------------------------------------------------------------ */

/* The weights as floats [taps][pitch], pitch of the channels of y, padding zero. */
template <typename T> DEVICE void tap_weights(float *w, const struct grouped &g, int channels, int pitch)
{
	for (int i = (int)threadIdx.x + (int)(threadIdx.y * blockDim.x); i < pitch * g.taps;
	     i += (int)(blockDim.x * blockDim.y)) {
		int k = i / g.taps, tap = i % g.taps;

		w[tap * pitch + k] = k < channels ? load((const T *)g.weight + i) : 0;
	}
	__syncthreads();
}

/* A multiplier of one: source and target have the same channels. */
template <typename T> DEVICE void add_same(float v[8], const T *source, const float *w)
{
	float in[8], by[8];

	load8(in, source);
	load8(by, w);
	for (int k = 0; k < 8; k++)
		v[k] += in[k] * by[k];
}

/* Channels first .. first + 7 of the target; `source` and w point to channel 0. */
template <typename T, bool BACK>
DEVICE void add_multiple(float v[8], const T *source, const float *w, int first, int channels, int multiplier)
{
	for (int k = 0; k < 8 && first + k < channels; k++) {
		int at = first + k;

		if (!BACK)
			v[k] += load(source + at / multiplier) * w[at];
		for (int i = at * multiplier; BACK && i < (at + 1) * multiplier; i++)
			v[k] += load(source + i) * w[i];
	}
}

template <typename T, bool BACK>
DEVICE void depthwise_at(float v[8], const struct grouped &g, const float *w, int64_t row, int x, int vector)
{
	int pitch = BACK ? g.s.pitch : g.t.pitch, multiplier = BACK ? g.per_source : g.per_target;
	int64_t n = row / g.t.h;
	int y = (int)(row % g.t.h);

	for (int ky = 0; ky < g.o.kh; ky++) {
		int sy = tap_at<BACK>(g.o, 0, y, ky, g.s.h);

		for (int kx = 0; sy >= 0 && kx < g.o.kw; kx++) {
			int sx = tap_at<BACK>(g.o, 1, x, kx, g.s.w);
			const float *by = w + (ky * g.o.kw + kx) * pitch;

			if (sx < 0)
				continue;
			if (multiplier == 1)
				add_same(v, picture_at((const T *)g.source, g.s, n, sy, sx, vector), by + 8 * vector);
			else
				add_multiple<T, BACK>(v, picture_at((const T *)g.source, g.s, n, sy, sx, 0), by,
						      8 * vector, g.t.c, multiplier);
		}
	}
}

template <typename T, bool BACK> __global__ void __launch_bounds__(PICTURE_THREADS, 2) depthwise(struct grouped g)
{
	SHARED_BYTES(float, w);
	int vectors = g.t.pitch / 8;

	tap_weights<T>(w, g, BACK ? g.s.c : g.t.c, BACK ? g.s.pitch : g.t.pitch);
	EACH_OF_PICTURE(g.t, row, place)
	{
		int vector = (int)place % vectors;
		float v[8] = { 0 };

		for (int k = 0; k < 8 && g.bias; k++)
			v[k] = load((const T *)g.bias + 8 * vector + k);
		depthwise_at<T, BACK>(v, g, w, row, (int)place / vectors, vector);
		for (int k = 0; k < 8; k++)
			v[k] = 8 * vector + k < g.t.c ? act_value(g.o.act, 0, v[k]) : 0;
		store8((T *)g.target + row * g.t.w * g.t.pitch + 8LL * place, v);
	}
}

/* ---- any groups ----------------------------------------------------------------------------------------- */

/* Element r of the weights that target channel j adds up: tap r / per_source, channel r % per_source of the group. */
template <typename T, bool BACK> DEVICE float weight_at(const struct grouped &g, int j, int r)
{
	int group = j / g.per_target, tap = r / g.per_source, in = r % g.per_source;
	int64_t k = BACK ? (int64_t)group * g.per_source + in : j;
	int c = BACK ? j % g.per_target : in;

	return load((const T *)g.weight + (k * g.taps + tap) * (BACK ? g.per_target : g.per_source) + c);
}

/* Elements [from, to) for the WARP channels of a tile, side by side. */
template <typename T, bool BACK> DEVICE void weight_tile(float *w, const struct grouped &g, int first, int from, int to)
{
	__syncthreads();
	for (int i = (int)threadIdx.x; i < (to - from) * WARP; i += THREADS) {
		int j = first + i / (to - from), r = i % (to - from);

		w[r * (WARP + 1) + i / (to - from)] = j < g.t.c ? weight_at<T, BACK>(g, j, from + r) : 0;
	}
	__syncthreads();
}

struct place { /* of the target */
	int64_t n;
	int y, x; /* y -1: beyond the last */
};

DEVICE struct place place_at(const struct cuda_dims &d, int64_t i)
{
	int64_t row;

	if (i >= (int64_t)d.n * d.h * d.w)
		return { 0, -1, 0 };
	if (i >> 31 == 0) { /* the quick division */
		uint32_t q = (uint32_t)i / (uint32_t)d.w;

		return { q / (uint32_t)d.h, (int)(q % (uint32_t)d.h), (int)((uint32_t)i % (uint32_t)d.w) };
	}
	row = i / d.w;
	return { row / d.h, (int)(row % d.h), (int)(i % d.w) };
}

/* Adds elements [from, to) of the sums of PLACES places. */
template <typename T, bool BACK>
DEVICE void add_elements(float v[PLACES], const struct grouped &g, const struct place *p, const float *w, int j,
			 int from, int to)
{
	int first = j / g.per_target * g.per_source, run;

	for (int r = from; r < to; r += run) {
		int tap = r / g.per_source, in = r % g.per_source;
		const T *at[PLACES];

		run = g.per_source - in < to - r ? g.per_source - in : to - r;
		for (int i = 0; i < PLACES; i++) {
			int y = p[i].y < 0 ? -1 : tap_at<BACK>(g.o, 0, p[i].y, tap / g.o.kw, g.s.h);
			int x = tap_at<BACK>(g.o, 1, p[i].x, tap % g.o.kw, g.s.w);

			at[i] =
			    y < 0 || x < 0 ? NULL : picture_at((const T *)g.source, g.s, p[i].n, y, x, 0) + first + in;
		}
		for (int e = 0; e < run; e++) {
			float by = w[(r - from + e) * (WARP + 1)];

			for (int i = 0; i < PLACES; i++)
				v[i] += at[i] ? load(at[i] + e) * by : 0;
		}
	}
}

template <typename T, bool BACK>
__global__ void __launch_bounds__(THREADS, 2) grouped(struct grouped g, int64_t per_block)
{
	SHARED(float, w, CHUNK *(WARP + 1));
	int tiles = (g.t.pitch + WARP - 1) / WARP, first = (int)blockIdx.x % tiles * WARP, all = g.taps * g.per_source;
	int lane = (int)threadIdx.x % WARP, slot = (int)threadIdx.x / WARP, j = first + lane;
	int64_t base = blockIdx.x / (unsigned)tiles * per_block, total = (int64_t)g.t.n * g.t.h * g.t.w;
	float bias = g.bias && j < g.t.c ? load((const T *)g.bias + j) : 0;

	if (all <= CHUNK)
		weight_tile<T, BACK>(w, g, first, 0, all);
	for (int64_t at = base; at < base + per_block && at < total; at += SLOTS * PLACES) {
		struct place p[PLACES];
		float v[PLACES];

		for (int i = 0; i < PLACES; i++) {
			p[i] = place_at(g.t, at + slot * PLACES + i);
			v[i] = bias;
		}
		for (int from = 0; from < all; from += CHUNK) {
			int to = from + CHUNK < all ? from + CHUNK : all;

			if (all > CHUNK)
				weight_tile<T, BACK>(w, g, first, from, to);
			if (j < g.t.c)
				add_elements<T, BACK>(v, g, p, w + lane, j, from, to);
		}
		for (int i = 0; i < PLACES; i++)
			if (p[i].y >= 0 && j < g.t.pitch)
				store((T *)g.target + (at + slot * PLACES + i) * g.t.pitch + j,
				      j < g.t.c ? act_value(g.o.act, 0, v[i]) : 0);
	}
}

/* ---- the gradient of the weights ------------------------------------------------------------------------- */

struct grouped_weight {
	const void *x, *dy;
	void *dw;
	float *scratch;
	uint32_t *tickets;
	struct cuda_op_conv o;
	struct rows rows; /* depthwise */
	int32_t taps, in_group, out_group, parts, tiles, elem;
	int64_t count, per; /* weights; lines of a part */
};

DEVICE void put(const struct grouped_weight &g, int64_t i, float v)
{
	if (g.elem == CUDA_BF16)
		store((bf16 *)g.dw + i, v);
	else
		store((float *)g.dw + i, v);
}

/* dy of eight channels at a place, times x where tap `tap` reads: into sum */
template <typename T>
DEVICE void add_tap(float sum[8], const struct grouped_weight &g, const struct place &p, const float d[8], int tap,
		    int first)
{
	int y = tap_at<false>(g.o, 0, p.y, tap / g.o.kw, g.o.x.h),
	    x = tap_at<false>(g.o, 1, p.x, tap % g.o.kw, g.o.x.w);
	const T *from;
	float in[8];

	if (tap >= g.taps || y < 0 || x < 0)
		return;
	from = picture_at((const T *)g.x, g.o.x, p.n, y, x, 0);
	if (g.out_group == 1)
		load8(in, from + first);
	for (int k = 0; k < 8; k++)
		if (first + k < g.o.y.c)
			sum[k] += d[k] * (g.out_group == 1 ? in[k] : load(from + (first + k) / g.out_group));
}

/* Taps 2 * pair and 2 * pair + 1 of all blocks together. */
DEVICE void settle_taps(struct pair8 &m, const struct grouped_weight &g, const struct rows_place &p, int pair)
{
	float *scratch = g.scratch + pair * rows_floats(&g.rows);

	if (!rows_total<false>(m, g.rows, p, scratch, g.tickets + pair * g.rows.tiles) || !p.on || p.slot > 0)
		return;
	for (int k = 0; k < 8 && 8 * p.vector + k < g.o.y.c; k++) {
		put(g, (8LL * p.vector + k) * g.taps + 2 * pair, m.a[k]);
		if (2 * pair + 1 < g.taps)
			put(g, (8LL * p.vector + k) * g.taps + 2 * pair + 1, m.b[k]);
	}
}

/* A block sums 2 * PAIRS taps (blockIdx.y says which) of a tile of channels. */
template <typename T> __global__ void __launch_bounds__(ROWS_THREADS, 2) depthwise_weight(struct grouped_weight g)
{
	struct rows_place p = rows_place(g.rows);
	int first = (int)blockIdx.y * PAIRS;
	struct pair8 m[PAIRS];

	for (int i = 0; i < PAIRS; i++) {
		pair8_zero(m[i]);
		m[i].n = 1;
	}
	for (int64_t row = p.first; p.on && row < p.last; row += g.rows.slots) {
		struct place at = place_at(g.o.y, row);
		float d[8];

		load8(d, (const T *)g.dy + row * g.o.y.pitch + 8LL * p.vector);
		UNROLLED
		for (int i = 0; i < PAIRS; i++) {
			add_tap<T>(m[i].a, g, at, d, 2 * (first + i), 8 * p.vector);
			add_tap<T>(m[i].b, g, at, d, 2 * (first + i) + 1, 8 * p.vector);
		}
	}
	UNROLLED
	for (int i = 0; i < PAIRS; i++)
		if (2 * (first + i) < g.taps)
			settle_taps(m[i], g, p, first + i);
}

/* The first place at or after 0 whose tap k lies inside x, and how many have theirs inside. */
DEVICE void inside(const struct cuda_op_conv &o, int k, int &from, int &to)
{
	int shift = k * o.dilation[1] - o.before[1], step = o.stride[1], last = o.x.w - 1 - shift;

	from = shift >= 0 ? 0 : (-shift + step - 1) / step;
	to = last < 0 ? 0 : last / step + 1;
	to = to < o.y.w ? to : o.y.w;
}

/* Weight i over lines [first, last) of y. */
template <typename T> DEVICE float weight_sum(const struct grouped_weight &g, int64_t i, int64_t first, int64_t last)
{
	int in = (int)(i % g.in_group), tap = (int)(i / g.in_group % g.taps), k = (int)(i / g.in_group / g.taps);
	int channel = k / g.out_group * g.in_group + in, from, to;
	float sum = 0;

	inside(g.o, tap % g.o.kw, from, to);
	for (int64_t line = first; line < last; line++) {
		int y = tap_at<false>(g.o, 0, (int)(line % g.o.y.h), tap / g.o.kw, g.o.x.h);
		const T *d = (const T *)g.dy + (line * g.o.y.w + from) * g.o.y.pitch + k;
		int x = from * g.o.stride[1] - g.o.before[1] + tap % g.o.kw * g.o.dilation[1];
		const T *v = (const T *)g.x + ((line / g.o.y.h * g.o.x.h + y) * g.o.x.w + x) * g.o.x.pitch + channel;

		for (int n = from; y >= 0 && n < to; n++, d += g.o.y.pitch, v += g.o.stride[1] * g.o.x.pitch)
			sum += load(d) * load(v);
	}
	return sum;
}

/* A thread has a weight, a block a part of the lines; the block that ends last adds the parts. */
template <typename T> __global__ void __launch_bounds__(THREADS) grouped_weight(struct grouped_weight g)
{
	int tile = (int)blockIdx.x % g.tiles, part = (int)blockIdx.x / g.tiles;
	int64_t i = (int64_t)tile * THREADS + threadIdx.x, lines = (int64_t)g.o.y.n * g.o.y.h;
	int64_t first = part * g.per, last = first + g.per < lines ? first + g.per : lines;
	float sum = i < g.count ? weight_sum<T>(g, i, first, last) : 0;

	if (g.parts > 1) {
		if (i < g.count)
			g.scratch[part * g.count + i] = sum;
		if (!last_block(g.tickets + tile, (uint32_t)g.parts))
			return;
		sum = 0;
		for (int k = 0; i < g.count && k < g.parts; k++)
			sum += g.scratch[k * g.count + i];
	}
	if (i < g.count)
		put(g, i, sum);
}

/* ---- launches ------------------------------------------------------------------------------------------- */

static struct grouped grouped_of(const struct cuda_op *op, const struct launch *l, bool back)
{
	const struct cuda_op_conv *o = &op->u.conv;
	struct grouped g = {};

	g.source = at<void>(l, op->buf[0]);
	g.weight = at<void>(l, op->buf[1]);
	g.bias = back ? NULL : at<void>(l, op->buf[2]);
	g.target = at<void>(l, op->buf[back ? 2 : 3]);
	g.o = *o;
	if (back)
		g.o.act = CUDA_ACT_NONE;
	g.s = back ? o->y : o->x;
	g.t = back ? o->x : o->y;
	g.taps = o->kh * o->kw;
	g.per_source = g.s.c / o->groups;
	g.per_target = g.t.c / o->groups;
	return g;
}

template <typename T, bool BACK> static int convolve(const struct grouped &g, const struct launch *l)
{
	size_t shared = (size_t)g.taps * (size_t)g.o.y.pitch * sizeof(float);
	int64_t total = (int64_t)g.t.n * g.t.h * g.t.w, tiles = ceil_div(g.t.pitch, WARP), blocks, per;

	if (g.o.x.c == g.o.groups && shared <= MOST_SHARED)
		return launch(depthwise<T, BACK>, picture_grid(l, &g.t, FEW_BLOCKS), picture_block(&g.t), shared, l, g);
	blocks = ceil_div(16LL * l->processors, tiles);
	per = ceil_div(ceil_div(total, SLOTS * PLACES), blocks) * SLOTS * PLACES;
	return launch(grouped<T, BACK>, dim3((unsigned)(tiles * ceil_div(total, per))), THREADS, 0, l, g, per);
}

int kernel_grouped(const struct cuda_op *op, const struct launch *l)
{
	struct grouped g = grouped_of(op, l, false);
	int rc;

	BY_ELEM(op->buf[0].elem, rc = (convolve<T, false>(g, l)));
	return rc;
}

int kernel_grouped_data(const struct cuda_op *op, const struct launch *l)
{
	struct grouped g = grouped_of(op, l, true);
	int rc;

	BY_ELEM(op->buf[0].elem, rc = (convolve<T, true>(g, l)));
	return rc;
}

static struct grouped_weight weight_of(const struct cuda_op_conv *o)
{
	struct grouped_weight g = {};
	int64_t lines = (int64_t)o->y.n * o->y.h, parts;

	g.o = *o;
	g.taps = o->kh * o->kw;
	g.in_group = o->x.c / o->groups;
	g.out_group = o->y.c / o->groups;
	g.count = (int64_t)o->y.c * g.taps * g.in_group;
	g.tiles = (int32_t)ceil_div(g.count, THREADS);
	parts = g.tiles > CUDA_TICKETS ? 1 : MOST_BLOCKS / g.tiles;
	parts = parts < ceil_div(lines, LINES) ? parts : ceil_div(lines, LINES);
	g.per = ceil_div(lines, parts);
	g.parts = (int32_t)ceil_div(lines, g.per);
	g.rows = rows_cut(lines * o->y.w, o->y.pitch, ceil_div(g.taps, 2), PAIRS);
	return g;
}

int kernel_grouped_weight(const struct cuda_op *op, const struct launch *l)
{
	struct grouped_weight g = weight_of(&op->u.conv);
	dim3 grid = rows_grid(&g.rows);
	int rc;

	g.x = at<void>(l, op->buf[0]);
	g.dy = at<void>(l, op->buf[1]);
	g.dw = at<void>(l, op->buf[2]);
	g.elem = op->buf[2].elem;
	g.scratch = at<float>(l, op->scratch);
	g.tickets = l->control->ticket;
	grid.y = (unsigned)ceil_div(g.taps, 2 * PAIRS);
	if (g.in_group == 1)
		BY_ELEM(op->buf[0].elem, rc = launch(depthwise_weight<T>, grid, ROWS_THREADS, 0, l, g));
	else
		BY_ELEM(op->buf[0].elem,
			rc = launch(grouped_weight<T>, dim3((unsigned)(g.tiles * g.parts)), THREADS, 0, l, g));
	return rc;
}

int64_t kernel_grouped_weight_scratch(const struct cuda_op *op)
{
	struct grouped_weight g = weight_of(&op->u.conv);

	if (g.in_group == 1)
		return rows_floats(&g.rows) * ceil_div(g.taps, 2) * (int64_t)sizeof(float);
	return g.parts > 1 ? g.parts * g.count * (int64_t)sizeof(float) : 0;
}
