/* tests/fuzz/fuzz_safetensors.c - the reader of weights on arbitrary bytes. What it accepts it must have filled. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	float a[2], b[3];
	struct safetensor t[2] = { { "a", 1, { 2 }, a }, { "b", 2, { 1, 3 }, b } };
	struct err e = { 0 };

	memset(a, 0xff, sizeof a);
	memset(b, 0xff, sizeof b);
	if (safetensors_parse(t, 2, (const char *)data, size, "fuzz", &e) < 0) {
		if (e.code != ERR_INVALID || !e.msg[0])
			abort();
		return 0;
	}
	/* Accepted: the five numbers are the last 20 bytes of the file, in one order or the other. */
	if (!(memcmp(data + size - 20, a, 8) == 0 && memcmp(data + size - 12, b, 12) == 0) &&
	    !(memcmp(data + size - 20, b, 12) == 0 && memcmp(data + size - 8, a, 8) == 0))
		abort();
	return 0;
}
