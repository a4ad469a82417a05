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
	philox_rounds(out, key.k[0], key.k[1], c0, c1, c2, c3);
}

void perm_init(struct perm *p, uint32_t n, struct philox_key key, uint32_t tweak)
{
	*p = (struct perm){ .n = n, .half_bits = perm_half_bits(n), .key = key, .tweak = tweak };
}

uint32_t perm_at(const struct perm *p, uint32_t i)
{
	assert(i < p->n);
	return perm_walk(p, i);
}
