/* tests/fuzz/fuzz_model.c - bytes as a model: reading never crashes, and what was read prints, reads back and prints the
 * same; costs, hash, lint and drawing work on whatever was accepted. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/model.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static struct graph *read_text(const char *text, size_t len, struct arena *a)
{
	struct json *doc = NULL;
	struct diag d = { 0 };
	struct graph *g = NULL;
	struct json_in in;

	if (json_parse(&doc, text, len, "fuzz", NULL) < 0)
		return NULL;
	in = (struct json_in){ doc, &d, NULL };
	if (model_read(&g, doc, "/nonexistent", NULL, a, &in) < 0) {
		must(d.errors > 0); /* a refusal says why */
		g = NULL;
	}
	json_free(doc);
	diag_release(&d);
	return g;
}

static void check(const struct graph *g, struct arena *a)
{
	struct str one = { 0 }, two = { 0 }, drawing = { 0 };
	struct hash128 h1 = graph_hash(g), h2;
	struct diag d = { 0 };
	struct graph *again;
	struct cost c;

	model_print(&one, g);
	again = read_text(str_get(&one), one.len, a);
	must(again != NULL);
	model_print(&two, again);
	must(strcmp(str_get(&one), str_get(&two)) == 0);
	h2 = graph_hash(again);
	must(memcmp(&h1, &h2, sizeof h1) == 0);
	graph_cost(g, &c, NULL);
	graph_lint(g, &d);
	graph_draw(&drawing, g);
	graph_summary(&drawing, g);
	diag_release(&d);
	str_release(&one);
	str_release(&two);
	str_release(&drawing);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct graph *g = size < 20000 ? read_text((const char *)data, size, a) : NULL;

	if (g)
		check(g, a);
	arena_free(a);
	return 0;
}
