/* tests/cuda/emulate.h - CUDA's words for a plain C++ compiler, so that the kernels of train/cuda/ run on the
 * processor.
 *
 * Given with -include before a .cu file. Blocks run one after the other on the calling thread; the threads of a block
 * are fibers that run until they reach a barrier or a warp function, warp by warp. Several threads may launch at once.
 * What a card would not forgive ends the program with a message: a barrier that not all threads reach, a shuffle with
 * threads that have ended, a launch with too large a block or too much shared memory. Shared memory of SHARED() and
 * SHARED_BYTES() holds NaN before it is written.
 *
 * emulate_order(1) makes the calling thread run blocks and threads from the last to the first from now on: a missing
 * barrier changes results. Kernels compiled with -fsanitize=thread are watched, too: what threads do to memory with
 * nothing that orders them ends the program, whether results change or not (races.h).
 * emulate_dry(&n) makes it count its launches in n from now on instead of running them, emulate_dry(NULL) run them
 * again.
 */
#ifndef NAB_TESTS_CUDA_EMULATE_H
#define NAB_TESTS_CUDA_EMULATE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__
#define __grid_constant__
#define __restrict__ __restrict
#define __shared__   static __thread
#define __align__(n) alignas(n)
#define __launch_bounds__(...)

struct dim3 {
	unsigned x, y, z;
	constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
	{
	}
};
struct uint3 {
	unsigned x, y, z;
};

#define EMULATE_VECTORS(T, name, size)                           \
	struct alignas(2 * size) name##2                         \
	{                                                        \
		T x, y;                                          \
	};                                                       \
	struct alignas(4 * size > 16 ? 16 : 4 * size) name##4    \
	{                                                        \
		T x, y, z, w;                                    \
	};                                                       \
	static inline name##2 make_##name##2(T x, T y)           \
	{                                                        \
		return { x, y };                                 \
	}                                                        \
	static inline name##4 make_##name##4(T x, T y, T z, T w) \
	{                                                        \
		return { x, y, z, w };                           \
	}
EMULATE_VECTORS(float, float, 4)
EMULATE_VECTORS(int, int, 4)
EMULATE_VECTORS(unsigned, uint, 4)
EMULATE_VECTORS(double, double, 8)
EMULATE_VECTORS(unsigned char, uchar, 1)
EMULATE_VECTORS(unsigned short, ushort, 2)

/* ---- the running thread --------------------------------------------------------------------------------- */

struct emulate_now {
	uint3 thread, block;
	dim3 threads, blocks; /* blockDim, gridDim */
	unsigned linear;      /* of the thread in its block */
	void *dynamic;        /* shared memory of the size that the launch gave */
	struct races *watch;  /* NULL outside of kernels */
};
extern __thread emulate_now emulate_self;

#define threadIdx (emulate_self.thread)
#define blockIdx  (emulate_self.block)
#define blockDim  (emulate_self.threads)
#define gridDim   (emulate_self.blocks)
#define warpSize  32

[[noreturn]] void emulate_stop(const char *what); /* ends the program, naming kernel, block and thread */
void emulate_block_barrier(void);
void emulate_warp_barrier(unsigned mask);
/* Leaves `bits` for the warp, waits for it, and takes what thread `lane` left. */
uint64_t emulate_exchange(unsigned mask, uint64_t bits, unsigned lane);
unsigned emulate_ballot(unsigned mask, int predicate);
void emulate_poison(void *at, size_t bytes); /* once a block */

extern "C" void emulate_order(int reverse);
extern "C" void emulate_dry(int *launches);
struct launch;

struct emulate_kernel {
	const char *name; /* as the source calls it; what follows a < or a comma does not belong to it */
	const struct launch *launch;
	void (*body)(void *);
	void *arg;
};

extern "C" int emulate_launch(dim3 grid, dim3 block, size_t shared, const emulate_kernel *k);

#define SHARED(T, name, n)         \
	static __thread T name[n]; \
	emulate_poison(name, sizeof name)
#define SHARED_BYTES(T, name) T *name = (T *)emulate_self.dynamic

#define __syncthreads() emulate_block_barrier()

static inline void __syncwarp(unsigned mask = 0xffffffffU)
{
	emulate_warp_barrier(mask);
}

template <typename V> static inline V emulate_shuffle(unsigned mask, V v, unsigned lane)
{
	uint64_t bits = 0;
	V out;

	static_assert(sizeof(V) == 4 || sizeof(V) == 8, "what a shuffle can carry");
	memcpy(&bits, &v, sizeof v);
	bits = emulate_exchange(mask, bits, lane);
	memcpy(&out, &bits, sizeof out);
	return out;
}

template <typename V> static inline V __shfl_sync(unsigned mask, V v, int lane, int width = 32)
{
	unsigned self = emulate_self.linear % 32;

	return emulate_shuffle(mask, v, (self & ~(unsigned)(width - 1)) + ((unsigned)lane & (unsigned)(width - 1)));
}

template <typename V> static inline V __shfl_xor_sync(unsigned mask, V v, int away, int width = 32)
{
	unsigned self = emulate_self.linear % 32, other = self ^ (unsigned)away;

	return emulate_shuffle(mask, v, other / (unsigned)width == self / (unsigned)width ? other : self);
}

template <typename V> static inline V __shfl_down_sync(unsigned mask, V v, unsigned by, int width = 32)
{
	unsigned self = emulate_self.linear % 32;

	return emulate_shuffle(mask, v, self % (unsigned)width + by < (unsigned)width ? self + by : self);
}

template <typename V> static inline V __shfl_up_sync(unsigned mask, V v, unsigned by, int width = 32)
{
	unsigned self = emulate_self.linear % 32;

	return emulate_shuffle(mask, v, self % (unsigned)width >= by ? self - by : self);
}

static inline unsigned __ballot_sync(unsigned mask, int predicate)
{
	return emulate_ballot(mask, predicate);
}

static inline int __any_sync(unsigned mask, int predicate)
{
	return emulate_ballot(mask, predicate) != 0;
}

static inline int __all_sync(unsigned mask, int predicate)
{
	return emulate_ballot(mask, predicate) == mask;
}

/* ---- atomics and fences: one thread at a time anyway ---------------------------------------------------- */

void emulate_fence(void);
void emulate_atomic(const void *p, size_t bytes);

static inline void __threadfence(void)
{
	emulate_fence();
}

static inline void __threadfence_block(void)
{
}

#define EMULATE_ATOMIC __attribute__((no_sanitize("thread")))

template <typename V> EMULATE_ATOMIC static inline V emulate_replace(V *p, V old, V v)
{
	emulate_atomic(p, sizeof *p);
	*p = v;
	return old;
}

template <typename V> EMULATE_ATOMIC static inline V atomicAdd(V *p, V v)
{
	static_assert((V)0.5 == (V)0, "sums of floats by atomics have no fixed order");
	return emulate_replace<V>(p, *p, *p + v);
}

template <typename V> EMULATE_ATOMIC static inline V atomicMax(V *p, V v)
{
	return emulate_replace(p, *p, v > *p ? v : *p);
}

template <typename V> EMULATE_ATOMIC static inline V atomicMin(V *p, V v)
{
	return emulate_replace(p, *p, v < *p ? v : *p);
}

template <typename V> EMULATE_ATOMIC static inline V atomicExch(V *p, V v)
{
	return emulate_replace(p, *p, v);
}

template <typename V> EMULATE_ATOMIC static inline V atomicCAS(V *p, V compare, V v)
{
	return emulate_replace(p, *p, *p == compare ? v : *p);
}

EMULATE_ATOMIC static inline unsigned atomicInc(unsigned *p, unsigned most)
{
	return emulate_replace(p, *p, *p >= most ? 0 : *p + 1);
}

EMULATE_ATOMIC static inline unsigned atomicOr(unsigned *p, unsigned v)
{
	return emulate_replace(p, *p, *p | v);
}

/* ---- arithmetic ------------------------------------------------------------------------------------------ */

template <typename V> static inline V min(V a, V b)
{
	return b < a ? b : a;
}

template <typename V> static inline V max(V a, V b)
{
	return a < b ? b : a;
}

template <typename V> static inline V __ldg(const V *p)
{
	return *p;
}

static inline float __uint_as_float(unsigned u)
{
	float f;

	memcpy(&f, &u, sizeof f);
	return f;
}

static inline unsigned __float_as_uint(float f)
{
	unsigned u;

	memcpy(&u, &f, sizeof u);
	return u;
}

static inline float __int_as_float(int i)
{
	return __uint_as_float((unsigned)i);
}

static inline int __float_as_int(float f)
{
	return (int)__float_as_uint(f);
}

/* Compiled with -ffp-contract=off: every operation is rounded by itself. */
#define EMULATE_ROUNDED(T, p)                   \
	static inline T __##p##add_rn(T a, T b) \
	{                                       \
		return a + b;                   \
	}                                       \
	static inline T __##p##sub_rn(T a, T b) \
	{                                       \
		return a - b;                   \
	}                                       \
	static inline T __##p##mul_rn(T a, T b) \
	{                                       \
		return a * b;                   \
	}
EMULATE_ROUNDED(float, f)
EMULATE_ROUNDED(double, d)

static inline float __fdiv_rn(float a, float b)
{
	return a / b;
}

static inline double __ddiv_rn(double a, double b)
{
	return a / b;
}

static inline float __fsqrt_rn(float a)
{
	return sqrtf(a);
}

static inline double __dsqrt_rn(double a)
{
	return sqrt(a);
}

static inline float __fmaf_rn(float a, float b, float c)
{
	return fmaf(a, b, c);
}

static inline float __frcp_rn(float a)
{
	return 1 / a;
}

static inline float __fdividef(float a, float b)
{
	return a / b;
}

#define __expf(x) expf(x) /* glibc has functions of these names */
#define __logf(x) logf(x)

static inline float rsqrtf(float a)
{
	return 1 / sqrtf(a);
}

static inline double rsqrt(double a)
{
	return 1 / sqrt(a);
}

static inline int __float2int_rn(float a)
{
	return (int)lrintf(a);
}

static inline int __float2int_rd(float a)
{
	return (int)floorf(a);
}

static inline unsigned __umulhi(unsigned a, unsigned b)
{
	return (unsigned)((uint64_t)a * b >> 32);
}

static inline int __popc(unsigned u)
{
	return __builtin_popcount(u);
}

static inline int __clz(int i)
{
	return i ? __builtin_clz((unsigned)i) : 32;
}

static inline int __ffs(int i)
{
	return __builtin_ffs(i);
}

/* ---- launches -------------------------------------------------------------------------------------------- */

template <typename F> static void emulate_body(void *arg)
{
	(*(F *)arg)();
}

template <typename... P, typename... A>
static inline int emulate_launch_of(const char *name, void (*kernel)(P...), dim3 grid, dim3 block, size_t shared,
				    const struct launch *l, A... args)
{
	auto body = [&] { kernel(P(args)...); };
	emulate_kernel k = { name, l, emulate_body<decltype(body)>, &body };

	return emulate_launch(grid, block, shared, &k);
}

#define launch(...) emulate_launch_of(#__VA_ARGS__, __VA_ARGS__)

#endif
