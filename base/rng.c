/* base/rng.c - see rng.h. */
#include "base/rng.h"

#include <assert.h>
#include <math.h>

uint32_t rng_u32(struct rng *r)
{
	uint64_t old = r->state;
	uint32_t xorshifted = (uint32_t)(((old >> 18) ^ old) >> 27);
	uint32_t rot = (uint32_t)(old >> 59);

	r->state = old * 6364136223846793005ULL + r->inc;
	return (xorshifted >> rot) | (xorshifted << ((32 - rot) & 31));
}

void rng_init(struct rng *r, uint64_t seed, uint64_t stream)
{
	r->state = 0;
	r->inc = (stream << 1) | 1;
	rng_u32(r);
	r->state += seed;
	rng_u32(r);
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
	uint32_t threshold = -n % n; /* 2^32 mod n: values below it would be over-represented */
	uint32_t v;

	assert(n > 0);
	do
		v = rng_u32(r);
	while (v < threshold);
	return v % n;
}

double rng_real(struct rng *r)
{
	uint64_t hi = rng_u32(r) >> 5, lo = rng_u32(r) >> 6;

	return (double)(hi * 67108864 + lo) * (1.0 / 9007199254740992.0);
}

double rng_normal(struct rng *r)
{
	double u = 1.0 - rng_real(r), v = rng_real(r);

	return sqrt(-2.0 * log(u)) * cos(2.0 * 3.14159265358979323846 * v);
}

int rng_pick(struct rng *r, const double *weight, int n)
{
	double total = 0, x;
	int last = -1;

	for (int i = 0; i < n; i++)
		total += weight[i];
	if (!(total > 0))
		return -1;
	x = rng_real(r) * total;
	for (int i = 0; i < n; i++) {
		if (weight[i] <= 0)
			continue;
		last = i;
		if (x < weight[i])
			return i;
		x -= weight[i];
	}
	return last;
}

static uint64_t mix64(uint64_t x) /* the finaliser of SplitMix64 */
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

struct philox_key philox_key(uint64_t seed, enum purpose purpose, uint64_t id)
{
	uint64_t k = mix64(mix64(mix64(seed) + (uint64_t)purpose) + id);

	return (struct philox_key){ { (uint32_t)k, (uint32_t)(k >> 32) } };
}

void philox4x32(uint32_t out[4], struct philox_key key, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3)
{
	uint32_t k0 = key.k[0], k1 = key.k[1];

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

void perm_init(struct perm *p, uint32_t n, struct philox_key key, uint32_t tweak)
{
	*p = (struct perm){ .n = n, .half_bits = 1, .key = key, .tweak = tweak };
	while (p->half_bits < 16 && (1ULL << (2 * p->half_bits)) < n)
		p->half_bits++;
}

uint32_t perm_at(const struct perm *p, uint32_t i)
{
	uint32_t mask = (1U << p->half_bits) - 1;

	assert(i < p->n);
	do {
		uint32_t left = i >> p->half_bits, right = i & mask;

		for (uint32_t round = 0; round < 6; round++) {
			uint32_t out[4], next;

			philox4x32(out, p->key, right, round, p->tweak, 1);
			next = left ^ (out[0] & mask);
			left = right;
			right = next;
		}
		i = left << p->half_bits | right;
	} while (i >= p->n);
	return i;
}
