/* base/hash.h - non-cryptographic hashing by xxHash (XXH3), which is stable across versions and machines.
 * 128 bits serve as identity of models and data; 64 bits as keys of tables and random streams. */
#ifndef NAB_BASE_HASH_H
#define NAB_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash128 {
	uint64_t lo, hi;
};

enum { HASH_TEXT = 33 }; /* bytes of the hexadecimal text with its NUL */

uint64_t hash64(const void *data, size_t n, uint64_t seed);
uint64_t hash64_text(const char *s);
struct hash128 hash128(const void *data, size_t n);
char *hash_text(char buf[HASH_TEXT], struct hash128 h); /* 32 lower-case hexadecimal digits */

static inline uint64_t hash_mix(uint64_t h, uint64_t v) /* order matters */
{
	h = (h ^ v) * 0x9fb21c651e98df25ULL;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93ULL;
	return h ^ (h >> 29);
}

/* Incremental 128-bit hash, for data sets. */
struct hasher;
struct hasher *hasher_new(void);
void hasher_add(struct hasher *h, const void *data, size_t n);
struct hash128 hasher_done(struct hasher *h); /* frees h */

#endif
