/* base/rng.h - the project's random numbers. No other source of randomness is used anywhere.
 *
 * struct rng: PCG32 (O'Neill, PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms, 2014), for
 * draws in order: sampling architectures, weight initialisation. Pinned by pcg32-demo's published output.
 *
 * philox4x32(): Philox4x32-10 (Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011), for order-free
 * draws: what a sample's crop or a unit's dropout is depends on its key and counter alone, never on who came first.
 * Pinned by Random123's known-answer vectors. Every backend computes the same numbers.
 */
#ifndef NAB_BASE_RNG_H
#define NAB_BASE_RNG_H

#include <stdint.h>

#include "base/philox.h"

struct rng {
	uint64_t state, inc;
};

void rng_init(struct rng *r, uint64_t seed, uint64_t stream);
uint32_t rng_u32(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t n); /* uniform in [0, n), without bias; n > 0 */
double rng_real(struct rng *r);                /* uniform in [0, 1), 53 bits */
double rng_normal(struct rng *r);              /* mean 0, variance 1 (Box-Muller, one of the pair) */

/* One index drawn with probability proportional to weight[i] >= 0; -1 if all are zero. */
int rng_pick(struct rng *r, const double *weight, int n);

/* What a stream of numbers is for: part of its key, so that streams of one seed are independent. */
enum purpose {
	PURPOSE_INIT = 1,
	PURPOSE_SHUFFLE,
	PURPOSE_AUGMENT,
	PURPOSE_DROPOUT,
	PURPOSE_SPLIT,
	PURPOSE_SUBSET,
	PURPOSE_DATA,  /* synthetic data sets */
	PURPOSE_SAMPLE /* architectures */
};

/* The key of (replicate seed, purpose, id): id is a layer's id hash, a class, or 0. */
struct philox_key philox_key(uint64_t seed, enum purpose purpose, uint64_t id);

/* out[4] = Philox4x32-10 of the counter (c0, c1, c2, c3). House use: c0 = block index inside the item, c1 = item
 * (sample index), c2 = epoch, c3 = 0 unless said otherwise. */
void philox4x32(uint32_t out[4], struct philox_key key, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3);

/* A keyed pseudo-random permutation of [0, n): a balanced Feistel network of 6 rounds over the next even number of
 * bits, with cycle walking. perm_at() needs no table, so every backend shuffles alike. */
void perm_init(struct perm *p, uint32_t n, struct philox_key key, uint32_t tweak);
uint32_t perm_at(const struct perm *p, uint32_t i); /* i < n */

#endif
