/* tests/fuzz/fuzz_png.c - pictures, as they are and converted. */
#include <stdint.h>

#include "base/png.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int color = PICTURE_AS_IS; color <= PICTURE_RGB; color++) {
		struct picture p;

		if (picture_decode(&p, data, size, (enum picture_color)color, "fuzz", NULL) < 0 && p.data)
			__builtin_trap();
		picture_release(&p);
	}
	return 0;
}
