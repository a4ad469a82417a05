/* tests/fuzz/fuzz_filter.c - filters from arbitrary text: what is accepted gives a value, for known and unknown names.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/filter.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct filter_name names[] = { { "acc", FILTER_NUMBER, "a number" },
					    { "params", FILTER_NUMBER, "a number" },
					    { "label", FILTER_TEXT, "a text" },
					    { "state", FILTER_TEXT, "a text" },
					    { "cached", FILTER_CONDITION, "a condition" } };

static void ask(const char *text, enum filter_use use)
{
	const struct filter_value known[] = {
		{ 0.5, NULL }, { 1e4, NULL }, { 0, "demo-1" }, { 0, "done" }, { 1, NULL }
	};
	const struct filter_value unknown[] = {
		{ (double)NAN, NULL }, { (double)NAN, NULL }, { 0, NULL }, { 0, NULL }, { (double)NAN, NULL }
	};
	struct arena *a = arena_new();
	struct err e = { 0 };
	struct filter *f;

	if (filter_read(&f, text, use, names, 5, "fuzz", a, &e) < 0) {
		if (e.code != ERR_USAGE || !e.msg[0])
			abort();
	} else if (use == FILTER_WHERE) {
		filter_true(f, known);
		filter_true(f, unknown);
	} else if (isinf(filter_value(f, known).number) || isinf(filter_value(f, unknown).number)) {
		abort();
	}
	arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_new(size + 1);

	memcpy(text, data, size);
	ask(text, FILTER_WHERE);
	ask(text, FILTER_SORT);
	mem_free(text);
	return 0;
}
