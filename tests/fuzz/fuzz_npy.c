/* tests/fuzz/fuzz_npy.c - NPY files: parsed, then taken as examples and as labels. */
#include <stdint.h>

#include "base/mem.h"
#include "dataset/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct raw r = { .arena = arena_new(), .task = TASK_CLASSIFY };
	struct arena *a = r.arena;
	struct array_view v;

	if (npy_parse(&v, data, size, "fuzz", NULL) == 0 && array_shape(&r.shape, &v, "fuzz", NULL) == 0) {
		r.n_train = v.d[0];
		if (raw_alloc(&r, v.kind != 'u', "fuzz", NULL) == 0) {
			array_copy(&r, 0, &v);
			if (v.rank == 1)
				array_labels(&r, 0, &v, "fuzz", NULL);
		}
	}
	raw_release(&r);
	arena_free(a);
	return 0;
}
