/* train/cuda/embed.cu - rows of a table for tokens, and the sums of gradients that every row gets, in the order of the
 * tokens: no atomics.
 *
 * Backward: places are sorted by token in tiles (a bitonic network in shared memory), the tiles are merged at once (the
 * rank of a key is its rank in its own tile and the number of smaller keys in each other one, by bisection), and every
 * row of the table then finds its places side by side. Keys are (token, place): all different, so there is one order.
 */
#include "train/cuda/kernel.h"

enum { THREADS = 256, TILE = 2048, UNROLL = 4 };

struct embed {
	const int32_t *tokens, *length;
	const void *table, *dy;
	void *y;
	float *dtable;
	uint64_t *keys, *sorted;
	struct cuda_dims d;
	int32_t vocabulary, elem; /* of the table */
	int64_t places;
};

/* The token of a place; -1: past the end of its example, or no token at all. */
DEVICE int32_t token_at(const struct embed &e, int64_t place)
{
	int32_t token = e.tokens[place];

	if (e.length && (int32_t)(place % e.d.w) >= e.length[place / e.d.w])
		return -1;
	return token >= 0 && token < e.vocabulary ? token : -1;
}

template <typename T> __global__ void __launch_bounds__(THREADS) embed_forward(struct embed e)
{
	int vectors = e.d.pitch / 8;

	for (int64_t i = grid_first(); i < e.places * vectors; i += grid_step()) {
		int64_t place = i / vectors, at = i % vectors * 8;
		int32_t token = token_at(e, place);
		float v[8] = { 0 };

		if (token >= 0 && e.elem == CUDA_BF16)
			load8(v, (const bf16 *)e.table + (int64_t)token * e.d.pitch + at);
		else if (token >= 0)
			load8(v, (const float *)e.table + (int64_t)token * e.d.pitch + at);
		store8((T *)e.y + place * e.d.pitch + at, v);
	}
}

/* ---- sorting -------------------------------------------------------------------------------------------- */

DEVICE void exchange(uint64_t *k, int i, int j, bool up)
{
	uint64_t a = k[i], b = k[j];

	if ((a > b) == up)
		k[i] = b, k[j] = a;
}

/* Batcher 1968. Places without a token come last. */
static __global__ void __launch_bounds__(THREADS) embed_sort(struct embed e)
{
	SHARED(uint64_t, k, TILE);
	int64_t first = (int64_t)blockIdx.x * TILE;

	for (int i = (int)threadIdx.x; i < TILE; i += THREADS) {
		int32_t token = first + i < e.places ? token_at(e, first + i) : -1;

		k[i] = (uint64_t)(token < 0 ? (uint32_t)e.vocabulary : (uint32_t)token) << 32 | (uint32_t)(first + i);
	}
	for (int size = 2; size <= TILE; size *= 2)
		for (int away = size / 2; away > 0; away /= 2) {
			__syncthreads();
			for (int i = (int)threadIdx.x; i < TILE / 2; i += THREADS) {
				int low = i / away * away * 2 + i % away;

				exchange(k, low, low + away, (low & size) == 0);
			}
		}
	__syncthreads();
	for (int i = (int)threadIdx.x; i < TILE; i += THREADS)
		e.keys[first + i] = k[i];
}

/* How many of n sorted keys are smaller. */
DEVICE int64_t rank_in(const uint64_t *keys, int64_t n, uint64_t key)
{
	int64_t low = 0, high = n;

	while (low < high) {
		int64_t middle = (low + high) / 2;

		if (keys[middle] < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static __global__ void __launch_bounds__(THREADS) embed_merge(struct embed e, int64_t tiles)
{
	for (int64_t i = grid_first(); i < tiles * TILE; i += grid_step()) {
		uint64_t key = e.keys[i];
		int64_t rank = i % TILE;

		for (int64_t t = 0; t < tiles; t++)
			if (t != i / TILE)
				rank += rank_in(e.keys + t * TILE, TILE, key);
		e.sorted[rank] = key;
	}
}

/* ---- sums ----------------------------------------------------------------------------------------------- */

/* Adds dy of places first, first + step, ... below last, for the vector of this thread. */
template <typename T>
DEVICE void add_places(float sum[8], const struct embed &e, int64_t first, int64_t last, int step, int vector)
{
	for (int64_t i = first; i < last; i += (int64_t)UNROLL * step) {
		float v[UNROLL][8];

		for (int u = 0; u < UNROLL; u++) {
			int64_t at = i + (int64_t)u * step;

			for (int k = 0; k < 8; k++)
				v[u][k] = 0;
			if (at < last)
				load8(v[u], (const T *)e.dy + (int64_t)(uint32_t)e.sorted[at] * e.d.pitch + 8 * vector);
		}
		for (int u = 0; u < UNROLL; u++)
			for (int k = 0; k < 8; k++)
				sum[k] += v[u][k];
	}
}

/* A block for a row of the table and a tile of `lanes` vectors; slots take places in turn. */
template <typename T> __global__ void __launch_bounds__(THREADS, 2) embed_rows(struct embed e, int64_t keys, int lanes)
{
	SHARED(int64_t, range, 2);
	SHARED(float, part, 8 * THREADS);
	int vectors = e.d.pitch / 8, slots = (int)blockDim.x / lanes, lane = (int)threadIdx.x % lanes;
	int slot = (int)threadIdx.x / lanes, vector = (int)blockIdx.y * lanes + lane;

	for (int64_t row = blockIdx.x; row < e.vocabulary; row += gridDim.x) {
		float sum[8] = { 0 };

		__syncthreads();
		if (threadIdx.x < 2)
			range[threadIdx.x] = rank_in(e.sorted, keys, (uint64_t)(row + threadIdx.x) << 32);
		__syncthreads();
		if (slot < slots && vector < vectors)
			add_places<T>(sum, e, range[0] + slot, range[1], slots, vector);
		for (int k = 0; k < 8; k++)
			part[k * THREADS + (int)threadIdx.x] = sum[k];
		__syncthreads();
		for (int s = 1; s < slots && s < range[1] - range[0] && slot == 0; s++)
			for (int k = 0; k < 8; k++)
				sum[k] += part[k * THREADS + s * lanes + lane];
		if (slot == 0 && vector < vectors)
			store8(e.dtable + row * e.d.pitch + 8 * vector, sum);
	}
}

/* ---- launches ------------------------------------------------------------------------------------------- */

static struct embed embed_of(const struct cuda_op *op, const struct launch *l)
{
	struct embed e = {};

	e.d = op->u.embed.y;
	e.vocabulary = op->u.embed.vocabulary;
	e.places = (int64_t)e.d.n * e.d.w;
	e.tokens = at<int32_t>(l, op->buf[0]);
	e.length = at<int32_t>(l, op->buf[3]);
	return e;
}

int kernel_embed(const struct cuda_op *op, const struct launch *l)
{
	struct embed e = embed_of(op, l);
	dim3 grid = grid_of(l, e.places * e.d.pitch / 8, THREADS);
	int rc;

	e.table = at<void>(l, op->buf[1]);
	e.elem = op->buf[1].elem;
	e.y = at<void>(l, op->buf[2]);
	BY_ELEM(op->buf[2].elem, rc = launch(embed_forward<T>, grid, THREADS, 0, l, e));
	return rc;
}

/* Tokens that come often are summed by many threads, tables of rare ones by small blocks. */
template <typename T> static int sum_rows(const struct embed &e, const struct launch *l, int64_t keys)
{
	int64_t vectors = e.d.pitch / 8, lanes = vectors < 8 ? vectors : 8;
	unsigned threads = e.places / e.vocabulary < 16 && lanes <= 8 ? 64 : THREADS;
	dim3 grid = grid_of(l, e.vocabulary, 1);

	grid.y = (unsigned)ceil_div(vectors, lanes);
	return launch(embed_rows<T>, grid, dim3(threads), 0, l, e, keys, (int)lanes);
}

int kernel_embed_back(const struct cuda_op *op, const struct launch *l)
{
	struct embed e = embed_of(op, l);
	int64_t tiles = ceil_div(e.places, TILE);
	int rc;

	e.dy = at<void>(l, op->buf[1]);
	e.dtable = at<float>(l, op->buf[2]);
	e.keys = at<uint64_t>(l, op->scratch);
	e.sorted = tiles > 1 ? e.keys + tiles * TILE : e.keys;
	rc = launch(embed_sort, dim3((unsigned)tiles), THREADS, 0, l, e);
	if (!rc && tiles > 1)
		rc = launch(embed_merge, grid_of(l, tiles * TILE, THREADS), THREADS, 0, l, e, tiles);
	if (!rc)
		BY_ELEM(op->buf[1].elem, rc = sum_rows<T>(e, l, tiles * TILE));
	return rc;
}

int64_t kernel_embed_back_scratch(const struct cuda_op *op)
{
	int64_t tiles = ceil_div((int64_t)op->u.embed.y.n * op->u.embed.y.w, TILE);

	return tiles * TILE * (tiles > 1 ? 2 : 1) * (int64_t)sizeof(uint64_t);
}
