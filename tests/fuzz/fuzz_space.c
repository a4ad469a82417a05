/* tests/fuzz/fuzz_space.c - search spaces: what reads must sample without harm, read back as itself, and be drawn the
 * same twice. The input is a space document; files that it wants to use do not exist. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "space/space.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void draw_some(const struct space *s, struct arena *a)
{
	struct space_target t = { shape_image(1, 12, 12), TASK_CLASSIFY, 4 };
	struct space_stats st = { 0 };
	int64_t points = space_count(s);

	for (int i = 0; i < 4; i++) {
		struct rng x, y;
		enum space_cause cause = CAUSE_COUNT, again = CAUSE_COUNT;
		struct graph *g, *h;
		int rc;

		rng_init(&x, 1, (uint64_t)i);
		y = x;
		rc = space_draw(&g, s, &t, &x, a, &st, &cause, NULL);
		assert(space_draw(&h, s, &t, &y, a, NULL, &again, NULL) == rc && again == cause);
		assert((rc == 1) == (g != NULL) && (rc == 1 || cause < CAUSE_COUNT));
		assert(!g || graph_hash(g).lo == graph_hash(h).lo);
		if (i < points)
			space_nth(&g, s, &t, points - 1 - i, a, &st, &cause, NULL);
	}
	assert(st.drawn == 4 + (points > 4 ? 4 : points > 0 ? points : 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json *doc;
	struct arena *a;
	struct diag d = { 0 };
	struct space *s, *again;

	if (size > 20000 || json_parse(&doc, (const char *)data, size, "fuzz", NULL) < 0)
		return 0;
	a = arena_new();
	if (space_read(&s, doc, NULL, NULL, a, &(struct json_in){ doc, &d, NULL }) == 0) {
		draw_some(s, a);
		if (space_read(&again, space_json(s), NULL, NULL, a, &(struct json_in){ space_json(s), &d, NULL }) < 0)
			abort();
		assert(json_equal(space_json(s), space_json(again)));
	} else {
		assert(d.errors > 0);
	}
	json_free(doc);
	diag_release(&d);
	arena_free(a);
	return 0;
}
