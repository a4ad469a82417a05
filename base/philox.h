/* base/philox.h - the arithmetic of base/rng.h's order-free numbers: one source for the processor and for cards, so
 * that both draw the same bits. Integers only, and one product in double that is exact.
 */
#ifndef NAB_BASE_PHILOX_H
#define NAB_BASE_PHILOX_H

#include <stdint.h>

#ifdef __CUDACC__
#define PHILOX_FN static __host__ __device__ __forceinline__
#else
#define PHILOX_FN static inline
#endif

struct philox_key {
	uint32_t k[2];
};

struct perm { /* see rng.h */
	uint32_t n, half_bits;
	struct philox_key key;
	uint32_t tweak; /* epoch */
};

PHILOX_FN double philox_real(uint32_t u) /* uniform in [0, 1), 32 bits */
{
	return u * (1.0 / 4294967296.0);
}

/* The ten rounds of philox4x32(). */
PHILOX_FN void philox_rounds(uint32_t out[4], uint32_t k0, uint32_t k1, uint32_t c0, uint32_t c1, uint32_t c2,
			     uint32_t c3)
{
	for (int round = 0; round < 10; round++) {
		uint64_t p0 = (uint64_t)0xD2511F53U * c0, p1 = (uint64_t)0xCD9E8D57U * c2;

		c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
		c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
		c1 = (uint32_t)p1;
		c3 = (uint32_t)p0;
		k0 += 0x9E3779B9U;
		k1 += 0xBB67AE85U;
	}
	out[0] = c0;
	out[1] = c1;
	out[2] = c2;
	out[3] = c3;
}

/* Bits of half of an index below n. */
PHILOX_FN uint32_t perm_half_bits(uint32_t n)
{
	uint32_t bits = 1;

	while (bits < 16 && (1ULL << (2 * bits)) < n)
		bits++;
	return bits;
}

/* perm_at(): six Feistel rounds, again until the index is below n. */
PHILOX_FN uint32_t perm_walk(const struct perm *p, uint32_t i)
{
	uint32_t mask = (1U << p->half_bits) - 1;

	do {
		uint32_t left = i >> p->half_bits, right = i & mask;

		for (uint32_t round = 0; round < 6; round++) {
			uint32_t out[4], next;

			philox_rounds(out, p->key.k[0], p->key.k[1], right, round, p->tweak, 1);
			next = left ^ (out[0] & mask);
			left = right;
			right = next;
		}
		i = left << p->half_bits | right;
	} while (i >= p->n);
	return i;
}

#endif
