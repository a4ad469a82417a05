/* base/hash.c - see hash.h. The only home of xxhash.h. */
#include "base/hash.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"

uint64_t hash64(const void *data, size_t n, uint64_t seed)
{
	return XXH3_64bits_withSeed(data, n, seed);
}

uint64_t hash64_text(const char *s)
{
	return XXH3_64bits(s, strlen(s));
}

static struct hash128 from_xxh(XXH128_hash_t h)
{
	return (struct hash128){ h.low64, h.high64 };
}

struct hash128 hash128(const void *data, size_t n)
{
	return from_xxh(XXH3_128bits(data, n));
}

char *hash_text(char buf[HASH_TEXT], struct hash128 h)
{
	snprintf(buf, HASH_TEXT, "%016llx%016llx", (unsigned long long)h.hi, (unsigned long long)h.lo);
	return buf;
}

struct hasher {
	XXH3_state_t *state;
};

struct hasher *hasher_new(void)
{
	struct hasher *h = mem_new(sizeof *h);

	h->state = XXH3_createState();
	XXH3_128bits_reset(h->state);
	return h;
}

void hasher_add(struct hasher *h, const void *data, size_t n)
{
	XXH3_128bits_update(h->state, data, n);
}

struct hash128 hasher_done(struct hasher *h)
{
	struct hash128 out = from_xxh(XXH3_128bits_digest(h->state));

	XXH3_freeState(h->state);
	mem_free(h);
	return out;
}
