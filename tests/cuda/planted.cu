/* tests/cuda/planted.cu - see planted.h. Every kernel is sound where SOUND is true. */
#include "train/cuda/kernel.h"

#include "tests/cuda/planted.h"

enum { THREADS = 64, BLOCKS = 5, WORDS = 1024 };

/* ---- threads of a block ---------------------------------------------------------------------------------- */

template <bool SOUND> __global__ void overwritten_too_early(uint32_t *x)
{
	SHARED(uint32_t, s, THREADS);
	int t = (int)threadIdx.x;

	s[t] = x[t];
	__syncthreads();
	uint32_t v = s[THREADS - 1 - t];
	if (SOUND)
		__syncthreads();
	s[t] = v;
	x[t] = s[t];
}

template <bool SOUND> __global__ void read_too_early(uint32_t *x)
{
	int t = (int)threadIdx.x, other = t ^ 32;

	x[t] = (uint32_t)t;
	if (SOUND)
		__syncthreads();
	x[THREADS + t] = x[other];
}

/* All have read it when thread 40 writes it. */
template <bool SOUND> __global__ void many_readers(uint32_t *x)
{
	x[THREADS + threadIdx.x] = x[0];
	if (SOUND)
		__syncthreads();
	if (threadIdx.x == 40)
		x[0] = 1;
}

template <bool SOUND> __global__ void same_value(uint32_t *x)
{
	if (!SOUND || threadIdx.x == 0)
		x[0] = 7;
}

template <bool SOUND> __global__ void not_written(uint32_t *x)
{
	SHARED(uint32_t, s, THREADS);
	int t = (int)threadIdx.x;

	if (SOUND || t != 5)
		s[t] = (uint32_t)t;
	__syncthreads();
	x[t] = s[THREADS - 1 - t];
}

template <bool SOUND> __global__ void dynamic_not_written(uint32_t *x)
{
	SHARED_BYTES(uint32_t, s);
	int t = (int)threadIdx.x;

	if (SOUND || blockIdx.x == 0) /* what another block left there is not this one's */
		s[t] = (uint32_t)t;
	x[blockIdx.x * THREADS + t] = s[t];
}

template <bool SOUND> __global__ void others_local(uint32_t *x)
{
	SHARED(const uint32_t *, where, 1);
	uint32_t own = x[threadIdx.x];

	if (threadIdx.x == 0)
		where[0] = &own;
	__syncthreads();
	x[threadIdx.x] = SOUND ? own : *where[0];
	__syncthreads();
}

/* Threads may share words, if not bytes. */
template <bool SOUND> __global__ void bytes_of_a_word(uint32_t *x)
{
	((unsigned char *)x)[threadIdx.x] = 1;
	__syncthreads();
	((uint16_t *)x)[threadIdx.x] = 2;
}

/* ---- threads of a warp ----------------------------------------------------------------------------------- */

template <bool SOUND> __global__ void no_syncwarp(uint32_t *x)
{
	SHARED(uint32_t, s, THREADS);
	int t = (int)threadIdx.x;

	s[t] = x[t];
	__syncwarp();
	uint32_t v = s[t ^ 1];
	if (SOUND)
		__syncwarp();
	s[t] = v;
	x[t] = s[t];
}

template <bool SOUND> __global__ void shuffles_order_nothing(uint32_t *x)
{
	SHARED(uint32_t, s, THREADS);
	int t = (int)threadIdx.x;
	uint32_t v = x[t];

	s[t] = 0;
	__syncthreads();
	s[t] = v;
	v += __shfl_xor_sync(WHOLE_WARP, v, 1);
	if (SOUND)
		__syncwarp();
	x[t] = v + s[t ^ 1];
}

template <bool SOUND> __global__ void syncwarp_among_warps(uint32_t *x)
{
	SHARED(uint32_t, s, THREADS);
	int t = (int)threadIdx.x;

	s[t] = 0;
	__syncthreads();
	s[t] = x[t];
	__syncwarp();
	x[t] = s[SOUND ? t ^ 1 : t ^ 32];
}

template <bool SOUND> __global__ void half_a_warp(uint32_t *x)
{
	SHARED(uint32_t, s, THREADS);
	int t = (int)threadIdx.x;

	s[t] = 0;
	__syncthreads();
	s[t] = x[t];
	__syncwarp(t % 32 < 16 ? 0xffffU : 0xffff0000U);
	x[t] = s[SOUND ? t ^ 15 : t ^ 16];
}

/* ---- blocks ---------------------------------------------------------------------------------------------- */

template <bool SOUND> __global__ void two_blocks_write(uint32_t *x)
{
	if (threadIdx.x == 0)
		x[SOUND ? blockIdx.x : 0] = 1;
}

template <bool SOUND> __global__ void neighbour_block(uint32_t *x)
{
	int64_t i = grid_first();

	x[SOUND ? i + 512 : i] = x[i + THREADS];
}

template <bool SOUND> __global__ void ticket_without_atomic(uint32_t *x)
{
	if (threadIdx.x == 0) {
		if (SOUND)
			atomicAdd(x, 1U);
		else
			x[0]++;
	}
}

enum part { FENCE_BEFORE = 1, BARRIER_BEFORE = 2, BARRIER_AFTER = 4, FENCE_AFTER = 8, ALL = 15 };

/* last_block() of kernel.h with some of its parts. */
template <int PARTS> DEVICE bool comes_last(uint32_t *ticket)
{
	SHARED(uint32_t, came, 1);

	if (PARTS & FENCE_BEFORE)
		__threadfence();
	if (PARTS & BARRIER_BEFORE)
		__syncthreads();
	if (threadIdx.x == 0)
		came[0] = atomicInc(ticket, BLOCKS - 1);
	__syncthreads();
	if (PARTS & FENCE_AFTER)
		__threadfence();
	return came[0] == BLOCKS - 1;
}

template <int PARTS> DEVICE void sum_by_last(uint32_t *x)
{
	x[THREADS + grid_first()] = threadIdx.x;
	if (!comes_last<PARTS>(x))
		return;
	uint32_t sum = 0;
	for (int b = 0; b < BLOCKS; b++)
		sum += x[THREADS + b * THREADS + (threadIdx.x ^ 33)];
	x[512 + threadIdx.x] = sum;
}

template <bool SOUND> __global__ void no_fence_before_ticket(uint32_t *x)
{
	sum_by_last<SOUND ? ALL : ALL - FENCE_BEFORE>(x);
}

template <bool SOUND> __global__ void no_barrier_before_ticket(uint32_t *x)
{
	sum_by_last<SOUND ? ALL : ALL - BARRIER_BEFORE>(x);
}

template <bool SOUND> __global__ void no_fence_after_ticket(uint32_t *x)
{
	sum_by_last<SOUND ? ALL : ALL - FENCE_AFTER>(x);
}

template <bool SOUND> __global__ void ticket_of_kernel_h(uint32_t *x)
{
	x[THREADS + grid_first()] = 1;
	if (SOUND ? last_block(x, BLOCKS) : comes_last<ALL>(x))
		x[512 + threadIdx.x] = x[THREADS + threadIdx.x];
}

/* One thread of each block writes, fences, and takes the ticket. */
template <bool SOUND> __global__ void one_thread_fences(uint32_t *x)
{
	if (threadIdx.x)
		return;
	x[1 + blockIdx.x] = 1;
	if (SOUND)
		__threadfence();
	if (atomicInc(x, BLOCKS - 1) < BLOCKS - 1)
		return;
	__threadfence();
	for (int b = 0; b < BLOCKS; b++)
		x[100] += x[1 + b];
}

template <bool SOUND> __global__ void changed_under_a_reader(uint32_t *x)
{
	x[512 + grid_first()] = x[1];
	if (SOUND ? comes_last<ALL>(x) : blockIdx.x == BLOCKS - 1) {
		__syncthreads();
		if (threadIdx.x == 0)
			x[1] = 3;
	}
}

/* ---- the table ------------------------------------------------------------------------------------------- */

static uint32_t *memory(void)
{
	alignas(64) static uint32_t x[WORDS];

	memset(x, 0, sizeof x);
	return x;
}

#define LAUNCH(kernel, blocks) launch(kernel, blocks, THREADS, THREADS * sizeof(uint32_t), NULL, memory())
#define ROW(name, blocks, says)                                                                                \
	{                                                                                                      \
#name, says,                                                                                   \
		    [](int sound) { return sound ? LAUNCH(name<true>, blocks) : LAUNCH(name<false>, blocks); } \
	}

extern "C" __attribute__((visibility("default"))) const planted planted[] = {
	ROW(overwritten_too_early, 1, "with no __syncthreads() between"),
	ROW(read_too_early, 1, "with no __syncthreads() between"),
	ROW(many_readers, 1, "with no __syncthreads() between"),
	ROW(same_value, 1, "with no __syncwarp() between"),
	ROW(not_written, 1, "byte 20 of a shared array of 256 is read before it was written"),
	ROW(dynamic_not_written, 2, "byte 0 of a shared array of 256 is read before it was written"),
	ROW(others_local, 1, "another one's local variables"),
	ROW(bytes_of_a_word, 1, NULL),
	ROW(no_syncwarp, 1, "with no __syncwarp() between"),
	ROW(shuffles_order_nothing, 1, "with no __syncwarp() between"),
	ROW(syncwarp_among_warps, 1, "with no __syncthreads() between"),
	ROW(half_a_warp, 1, "with no __syncwarp() between"),
	ROW(two_blocks_write, 2, "what thread 0 of block 0 wrote, with no ticket and fences between"),
	ROW(neighbour_block, 2, "of block 0 read, with no ticket and fences between"),
	ROW(ticket_without_atomic, 2, "of block 0 wrote, with no ticket and fences between"),
	ROW(no_fence_before_ticket, BLOCKS, "with no ticket and fences between"),
	ROW(no_barrier_before_ticket, BLOCKS, "with no ticket and fences between"),
	ROW(no_fence_after_ticket, BLOCKS, "with no ticket and fences between"),
	ROW(ticket_of_kernel_h, BLOCKS, NULL),
	ROW(one_thread_fences, BLOCKS, "with no ticket and fences between"),
	ROW(changed_under_a_reader, BLOCKS, "with no ticket and fences between"),
	{ NULL, NULL, NULL },
};
