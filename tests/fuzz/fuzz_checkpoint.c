/* tests/fuzz/fuzz_checkpoint.c - checkpoint_parse() on any bytes: an error, or something that can be read to its end.
 * Every input is tried again with its checksum put right, or nothing behind the checksum would be reached. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "train/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const uint8_t *data, size_t size)
{
	struct checkpoint c;
	struct err e = { 0 };
	volatile unsigned sum = 0;

	if (checkpoint_parse(&c, data, size, "fuzz", &e) < 0) {
		if (e.code != ERR_INVALID || !e.msg[0])
			abort();
		return;
	}
	for (size_t i = 0; i < c.state_bytes; i++)
		sum += ((const uint8_t *)c.state)[i];
	for (size_t i = 0; i < c.best_bytes; i++)
		sum += ((const uint8_t *)c.best)[i];
	for (int i = 0; i < c.n_epochs; i++)
		sum += (unsigned)c.epochs[i].epoch;
	checkpoint_release(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hash128 h;
	uint8_t *copy;

	parse(data, size);
	if (size < sizeof h)
		return 0;
	copy = mem_new(size);
	memcpy(copy, data, size);
	h = hash128(copy, size - sizeof h);
	memcpy(copy + size - sizeof h, &h, sizeof h);
	parse(copy, size);
	mem_free(copy);
	return 0;
}
