/* tests/fuzz/fuzz_study.c - study documents. What is accepted renders to something that reads back as itself. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/study.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void again(const struct study *y, struct arena *a)
{
	struct str first = { 0 }, second = { 0 };
	struct json *doc = NULL;
	struct diag d = { 0 };
	struct json_in in;
	struct study z;

	json_print(&first, y->doc);
	if (json_parse(&doc, first.s, first.len, "rendered", NULL) < 0)
		abort();
	in = (struct json_in){ doc, &d, NULL };
	if (study_read(&z, doc, NULL, NULL, false, a, &in) < 0)
		abort();
	json_print(&second, z.doc);
	if (strcmp(first.s, second.s) != 0)
		abort();
	json_free(doc);
	str_release(&first);
	str_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *a = arena_new();
	struct json *doc = NULL;
	struct diag d = { 0 };
	struct json_in in;
	struct study y;

	if (json_parse(&doc, (const char *)data, n, "fuzz", NULL) == 0) {
		in = (struct json_in){ doc, &d, NULL };
		if (study_read(&y, doc, NULL, NULL, false, a, &in) == 0)
			again(&y, a);
		diag_release(&d);
		json_free(doc);
	}
	arena_free(a);
	return 0;
}
