/* tests/fuzz/fuzz_recipe.c - recipes from arbitrary bytes: what is accepted prints to something that reads back. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/recipe.h"
#include "base/json.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_recipe(struct recipe *r, const struct json *j, struct arena *a)
{
	struct diag d = { 0 };
	int rc = recipe_read(r, j, a, &(struct json_in){ .root = j, .diag = &d });

	diag_release(&d);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct json *j = NULL, *again;
	struct recipe r, s;

	if (json_parse(&j, (const char *)data, size, "fuzz", NULL) == 0 && read_recipe(&r, j, a) == 0) {
		again = recipe_write(&r);
		if (read_recipe(&s, again, a) < 0 || memcmp(&r, &s, sizeof r) != 0)
			abort();
		for (int64_t step = 0; step < 3; step++)
			if (!(recipe_rate(&r, step * 1000, 7) >= 0))
				abort();
		json_free(again);
	}
	json_free(j);
	arena_free(a);
	return 0;
}
