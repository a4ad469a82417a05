/* train/cuda/kernel.h - what a file of kernels (train/cuda/x.cu) is written with.
 *
 * The same files are compiled by nvcc for cards, and by a plain C++ compiler for the processor: tests/cuda/emulate.h,
 * given with -include, then stands for CUDA's words. So kernels keep to a subset: templates for the element type, no
 * library, no exceptions, and shared memory by SHARED() or SHARED_BYTES().
 *
 * Every sum has a fixed order that depends on sizes alone. Blocks are multiples of a warp, and whole blocks reach every
 * barrier and every warp function here.
 */
#ifndef NAB_TRAIN_CUDA_KERNEL_H
#define NAB_TRAIN_CUDA_KERNEL_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __CUDACC__
#include <cuda_runtime.h>
#endif

#include "base/philox.h"
#include "train/cuda/kernels.h"

#define DEVICE static __device__ __forceinline__

enum { WARP = 32 };
#define WHOLE_WARP 0xffffffffU

/* Shared memory of a known size: SHARED(float, tile, 32 * 33) is an array tile[32 * 33]. SHARED_BYTES(T, name): of the
 * size that launch() was given. */
#ifdef __CUDACC__
#define SHARED(T, name, n) __shared__ T name[n]
#define SHARED_BYTES(T, name)                                          \
	extern __shared__ __align__(16) unsigned char shared_bytes_[]; \
	T *name = (T *)shared_bytes_
#endif

/* Before a loop whose index picks among registers. */
#ifdef __CUDACC__
#define UNROLLED _Pragma("unroll")
#else
#define UNROLLED
#endif

/* ---- elements ------------------------------------------------------------------------------------------- */

struct alignas(2) bf16 {
	uint16_t bits;
};

DEVICE float load(const float *p)
{
	return *p;
}

DEVICE float load(const bf16 *p)
{
	return __uint_as_float((uint32_t)p->bits << 16);
}

/* Round to nearest even; every NaN is 0x7fff, as the card's own instruction makes it. */
DEVICE uint32_t bf16_bits(float v)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
	uint16_t h;

	asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(h) : "f"(v));
	return h;
#else
	uint32_t u = __float_as_uint(v);

	return v != v ? 0x7fffU : (u + 0x7fffU + (u >> 16 & 1)) >> 16;
#endif
}

DEVICE void store(float *p, float v)
{
	*p = v;
}

DEVICE void store(bf16 *p, float v)
{
	p->bits = (uint16_t)bf16_bits(v);
}

/* Eight neighbours: p is a multiple of eight elements from the start of a buffer (whole channels of a pitch). */
DEVICE void load8(float v[8], const float *p)
{
	float4 a = ((const float4 *)p)[0], b = ((const float4 *)p)[1];

	v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w;
	v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
}

DEVICE void load8(float v[8], const bf16 *p)
{
	uint4 a = *(const uint4 *)p;
	uint32_t u[4] = { a.x, a.y, a.z, a.w };

	for (int i = 0; i < 4; i++) {
		v[2 * i] = __uint_as_float(u[i] << 16);
		v[2 * i + 1] = __uint_as_float(u[i] & 0xffff0000U);
	}
}

DEVICE void store8(float *p, const float v[8])
{
	((float4 *)p)[0] = make_float4(v[0], v[1], v[2], v[3]);
	((float4 *)p)[1] = make_float4(v[4], v[5], v[6], v[7]);
}

DEVICE void store8(bf16 *p, const float v[8])
{
	uint32_t u[4];

	for (int i = 0; i < 4; i++)
		u[i] = bf16_bits(v[2 * i]) | bf16_bits(v[2 * i + 1]) << 16;
	*(uint4 *)p = make_uint4(u[0], u[1], u[2], u[3]);
}

/* Runs the statement with T as the type of elements of `elem` (enum cuda_elem: CUDA_F32 or CUDA_BF16). */
#define BY_ELEM(elem, statement)           \
	do {                               \
		if ((elem) == CUDA_BF16) { \
			typedef bf16 T;    \
			statement;         \
		} else {                   \
			typedef float T;   \
			statement;         \
		}                          \
	} while (0)

/* ---- indices -------------------------------------------------------------------------------------------- */

static inline __host__ __device__ int64_t ceil_div(int64_t a, int64_t b)
{
	return (a + b - 1) / b;
}

/* Division by a number that all threads share, without a division for what fits 31 bits: Granlund and Montgomery, 1994
 * (the quotient is (n * multiply / 2^32 + n) / 2^shift). */
struct divider {
	uint32_t by, multiply, shift;
};

static inline struct divider divider_of(int32_t by)
{
	struct divider d = { (uint32_t)by, 0, 0 };

	while ((uint32_t)1 << d.shift < d.by)
		d.shift++;
	d.multiply = (uint32_t)((((uint64_t)1 << 32) * (((uint64_t)1 << d.shift) - d.by)) / d.by + 1);
	return d;
}

/* n >= 0 */
DEVICE int64_t divided(int64_t n, const struct divider &d)
{
	return n <= INT32_MAX ? (__umulhi((uint32_t)n, d.multiply) + (uint32_t)n) >> d.shift : n / d.by;
}

/* for (int64_t i = grid_first(); i < n; i += grid_step()): every thread of the grid its share. */
DEVICE int64_t grid_first(void)
{
	return (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
}

DEVICE int64_t grid_step(void)
{
	return (int64_t)gridDim.x * blockDim.x;
}

/* ---- sums in a fixed order ------------------------------------------------------------------------------- */

/* Of all threads of a warp; all of them get it. */
template <typename V> DEVICE V warp_sum(V v)
{
	for (int away = WARP / 2; away > 0; away /= 2)
		v += __shfl_xor_sync(WHOLE_WARP, v, away);
	return v;
}

template <typename V> DEVICE V warp_max(V v)
{
	for (int away = WARP / 2; away > 0; away /= 2) {
		V other = __shfl_xor_sync(WHOLE_WARP, v, away);

		v = other > v ? other : v;
	}
	return v;
}

/* Of all threads of a block of one dimension, at most 1024; all of them get it. */
template <typename V> DEVICE V block_sum(V v)
{
	SHARED(V, part, WARP);
	int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;

	v = warp_sum(v);
	__syncthreads(); /* part may still be read from the sum before */
	if (lane == 0)
		part[warp] = v;
	__syncthreads();
	v = warp_sum(lane < (int)blockDim.x / WARP ? part[lane] : (V)0);
	return v;
}

/* True in all threads of the block that comes last of `blocks`: it sees what the others wrote before. The ticket
 * (struct cuda_control's, one for every group of blocks) is 0 again afterwards. */
DEVICE bool last_block(uint32_t *ticket, uint32_t blocks)
{
	SHARED(uint32_t, came, 1);

	__threadfence();
	__syncthreads();
	if (threadIdx.x == 0)
		came[0] = atomicInc(ticket, blocks - 1);
	__syncthreads();
	__threadfence();
	return came[0] == blocks - 1;
}

/* ---- the host's side ------------------------------------------------------------------------------------- */

template <typename T> static inline T *at(const struct launch *l, const struct cuda_ref &r)
{
	return r.base == CUDA_NONE ? (T *)NULL : (T *)(uintptr_t)(l->base[r.base] + (uint64_t)r.offset);
}

/* Blocks of a grid-stride loop over `count` items, `each` of which a block takes at once: enough to fill the card. */
static inline dim3 grid_of(const struct launch *l, int64_t count, int each)
{
	int64_t need = ceil_div(count, each), most = (int64_t)l->processors * 16;

	return dim3((unsigned)(need < 1 ? 1 : need < most ? need : most));
}

#ifdef __CUDACC__
/* 0, or the runtime's error number. At most 48 kB of shared memory. */
template <typename... P, typename... A>
static inline int launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, const struct launch *l, A... args)
{
	cudaFuncAttributes unused;

	if (l->load_only)
		return (int)cudaFuncGetAttributes(&unused, kernel);
	kernel<<<grid, block, shared, (cudaStream_t)l->stream>>>(P(args)...);
	return (int)cudaGetLastError();
}
#endif

#endif
