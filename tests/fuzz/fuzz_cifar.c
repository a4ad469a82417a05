/* tests/fuzz/fuzz_cifar.c - CIFAR batches; the first byte chooses between the two data sets. */
#include <assert.h>
#include <stdint.h>

#include "dataset/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fine = size > 0 && data[0] & 1;
	int64_t n;

	if (size < 1)
		return 0;
	if (cifar_parse(&n, data + 1, size - 1, 1 + fine, fine, fine ? 100 : 10, "fuzz", NULL) == 0)
		assert(n > 0 && (size_t)n * (size_t)(3073 + fine) == size - 1);
	return 0;
}
