/* tests/prop/test_spaces.c - every shipped space and model: 1000 seeded models of each space (fewer where they are
 * large) are valid, within the limits, print and read back as themselves, and are the same for the same seed. A new
 * file in configs/spaces or configs/models is tested without an edit here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/model.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "search/search.h"
#include "space/draw.h"
#include "space/space.h"
#include "tests/helper_files.h"
#include "tests/helper_graphs.h"

static const char *const dirs[] = { "configs/blocks" };
static const struct block_path lib = { dirs, 1 };

/* Print, read, print: the same text, the same hashes, the same cost. */
static void round_trip(const struct graph *g, struct arena *a)
{
	struct str one = { 0 }, two = { 0 };
	struct hash128 x = graph_hash(g), y;
	struct graph *again;
	struct cost c, d;

	model_print(&one, g);
	again = graph_reread(a, one.s, one.len);
	model_print(&two, again);
	assert_string_equal(str_get(&one), str_get(&two));
	y = graph_hash(again);
	assert_true(x.lo == y.lo && x.hi == y.hi);
	x = graph_digest(g);
	y = graph_digest(again);
	assert_true(x.lo == y.lo && x.hi == y.hi);
	assert_int_equal(graph_cost(g, &c, NULL), 0);
	assert_int_equal(graph_cost(again, &d, NULL), 0);
	assert_memory_equal(&c, &d, sizeof c);
	str_release(&one);
	str_release(&two);
}

static struct space *load_space(struct arena *a, const char *path)
{
	struct diag d = { 0 };
	struct err e = { 0 };
	struct space *s;

	if (space_load(&s, path, &lib, a, &d, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	diag_release(&d);
	return s;
}

/* What a study stores of a space reads back as the same space, without any file. */
static struct space *stored_space(struct arena *a, const struct space *s)
{
	struct diag d = { 0 };
	struct json_in in = { space_json(s), &d, NULL };
	struct space *again = NULL;

	if (space_read(&again, space_json(s), NULL, NULL, a, &in) < 0)
		fail_msg("%s: %s", d.items[0].where, d.items[0].msg);
	assert_true(json_equal(space_json(s), space_json(again)));
	return again;
}

static void try_space(const char *path)
{
	struct arena *run = arena_new(), *a = arena_new();
	struct space *s = load_space(run, path), *stored = stored_space(run, s);
	int n = space_form(s) == SPACE_CELL ? 40 : 1000, different = 0;
	struct hash128 before = { 0, 0 };
	struct space_target t;
	struct err e = { 0 };

	assert_int_equal(space_own_target(s, &t), 0); /* shipped spaces can be sampled without data */
	for (int i = 0; i < n; i++) {
		struct rng x, y;
		enum space_cause cause;
		struct graph *g, *h;
		struct hash128 hash;

		arena_reset(a);
		rng_init(&x, 2026, (uint64_t)i);
		y = x;
		if (space_sample(&g, s, &t, &x, a, NULL, &e) < 0)
			fail_msg("%s: %s", path, e.msg);
		assert_int_equal(space_sample(&h, stored, &t, &y, a, NULL, &e), 0);
		assert_int_equal(space_accepts(s, g, &cause, &e), 1);
		assert_true(g->outputs[0].classes == t.classes);
		round_trip(g, a);
		hash = graph_hash(h);
		assert_true(hash.lo == graph_hash(g).lo);
		different += hash.lo != before.lo;
		before = hash;
	}
	assert_true(different > n * 9 / 10); /* of neighbours: the space has more than one model */
	arena_free(run);
	arena_free(a);
}

static void try_model(const char *path)
{
	struct arena *a = arena_new();
	struct diag d = { 0 };
	struct err e = { 0 };
	struct graph *g;

	if (model_load(&g, path, &lib, a, &d, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	assert_non_null(g->name);
	round_trip(g, a);
	diag_release(&d);
	arena_free(a);
}

/* Studies: their recipes hold what they may draw, and what they name is there. */
static void try_study(const char *path)
{
	struct arena *a = arena_new();
	struct diag d = { 0 };
	struct json_in in = { NULL, &d, NULL };
	struct search_cfg c;
	struct json *doc;
	char file[300];

	assert_int_equal(json_load(&doc, path, NULL), 0);
	in.root = doc;
	if (search_recipe_check(json_get(doc, "train"), &in) < 0 ||
	    search_cfg_read(&c, json_get(doc, "search"), a, &in) < 0)
		fail_msg("%s: %s: %s", path, d.items[0].where, d.items[0].msg);
	if (json_get(doc, "space")) { /* an ablation's has none */
		snprintf(file, sizeof file, "configs/%s", json_string(json_get(doc, "space")));
		load_space(a, file);
	}
	JSON_EACH(m, json_get(doc, "baselines")) {
		snprintf(file, sizeof file, "configs/%s", json_string(m));
		try_model(file);
	}
	json_free(doc);
	diag_release(&d);
	arena_free(a);
}

/* Every file of the block library by itself: what it uses is named in it. */
static void try_blocks(const char *path)
{
	struct json *use = json_str(path);
	struct block_set *set = block_set_new();
	struct diag d = { 0 };
	struct json_in in = { use, &d, NULL };
	const char *names[64];

	if (block_set_use(set, use, NULL, &lib, &in) < 0)
		fail_msg("%s: %s", d.items[0].where, d.items[0].msg);
	assert_true(block_set_names(set, names, 64) > 0);
	block_set_free(set);
	json_free(use);
	diag_release(&d);
}

/* Every block of the library, used in a model: on an image that suits it, with its needed arguments given. */
static void try_each_block(const char *path)
{
	struct json *file;

	assert_int_equal(json_load(&file, path, NULL), 0);
	JSON_EACH(def, json_get(file, "blocks")) {
		struct json *doc = json_object(), *layers, *args;
		struct arena *a = arena_new();
		struct diag d = { 0 };
		struct json_in in = { doc, &d, NULL };
		struct graph *g;
		char text[64];

		json_set_path(doc, "input", "[16, 12, 12]", NULL);
		json_put(doc, "classes", json_num(10));
		json_put(doc, "use", json_str(path));
		layers = json_put(doc, "layers", json_array());
		args = json_put(json_push(layers, json_object()), json_key(def), json_object());
		JSON_EACH(w, json_get(def, "with"))
			if (json_type(w) == JSON_NULL)
				json_put(args, json_key(w), json_num(32));
		json_push(layers, json_str("globalavgpool"));
		json_put(json_put(json_push(layers, json_object()), "dense", json_object()), "units", json_num(10));
		snprintf(text, sizeof text, "%s", json_key(def));
		if (model_read(&g, doc, NULL, &lib, a, &in) < 0)
			fail_msg("%s: %s: %s", text, d.items[0].where, d.items[0].msg);
		round_trip(g, a);
		json_free(doc);
		diag_release(&d);
		arena_free(a);
	}
	json_free(file);
}

static void shipped_blocks(void **state)
{
	(void)state;
	assert_true(each_json("configs/blocks", try_blocks) >= 8);
	each_json("configs/blocks", try_each_block);
}

static void shipped_spaces(void **state)
{
	(void)state;
	assert_true(each_json("configs/spaces", try_space) >= 4);
}

static void shipped_models(void **state)
{
	(void)state;
	assert_true(each_json("configs/models", try_model) >= 7);
}

static void shipped_studies(void **state)
{
	(void)state;
	assert_true(each_json("configs", try_study) >= 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shipped_blocks),
		cmocka_unit_test(shipped_spaces),
		cmocka_unit_test(shipped_models),
		cmocka_unit_test(shipped_studies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
