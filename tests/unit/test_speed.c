/* tests/unit/test_speed.c - copies of a network trained side by side: as many as wanted, or as find memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/helper_cuda.h"
#include "tests/helper_data.h"
#include "train/speed.h"

enum { BATCH = 8, CLASSES = 3 };

static void measure(struct speed *out, const char *backend, const char *model, int in_flight)
{
	struct arena *a = arena_new();
	struct blobs blobs = {
		.shape = shape_image(1, 6, 6), .classes = CLASSES, .n = { 4 * BATCH, BATCH, 0 }, .noise = 1, .seed = 5
	};
	struct dataset *d = blobs_new(&blobs, a);
	struct backend_conf conf = { .threads = 1 };
	struct recipe r;
	struct net_spec spec = { .recipe = &r, .data = d, .train = d->split[0], .n_train = d->n_split[0], .seed = 1 };
	struct err e = { 0 };

	recipe_defaults(&r);
	r.batch = BATCH;
	spec.graph = graph_of(a, model);
	if (speed_measure(out, backend_find(backend), &conf, &spec, in_flight, 0.1, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	arena_free(a);
}

static void expect_sense(const struct speed *s, int in_flight)
{
	assert_int_equal(s->in_flight, in_flight);
	assert_true(s->first_s > 0 && s->again_s > 0 && s->steps_per_s > 0 && s->processors > 0);
}

static void as_many_as_wanted_train(void **state)
{
	static const char model[] = "{'input': [1,6,6], 'classes': 3, 'layers': ['flatten', {'dense': {'units': 3}}]}";
	struct speed s;

	(void)state;
	measure(&s, "cpu", model, 1);
	expect_sense(&s, 1);
	measure(&s, "cpu", model, 5);
	expect_sense(&s, 5);
}

/* 15 MiB, of which three quarters may be used; with 300 thousand parameters a network takes half of these and more. */
static void those_without_memory_do_not_stop_the_others(void **state)
{
	static const char model[] = "{'input': [1,6,6], 'classes': 3, 'layers': ['flatten', {'dense': {'units': 300}},"
				    " 'relu', {'dense': {'units': 1000}}, {'dense': {'units': 3}}]}";
	struct speed s;

	(void)state;
	cuda_test_plugin();
	if (!cuda_test_emulated())
		skip();
	measure(&s, "cuda", model, 3);
	expect_sense(&s, 1);
}

static void what_fails_is_told(void **state)
{
	struct arena *a = arena_new();
	struct blobs blobs = { .shape = shape_image(1, 6, 6), .classes = CLASSES, .n = { BATCH, 0, 0 }, .seed = 5 };
	struct dataset *d = blobs_new(&blobs, a);
	struct backend_conf conf = { .threads = 1 };
	struct recipe r;
	struct net_spec spec = { .recipe = &r, .data = d, .train = d->split[0], .n_train = d->n_split[0], .seed = 1 };
	struct speed s;
	struct err e = { 0 };

	(void)state;
	recipe_defaults(&r);
	r.batch = BATCH + 1; /* there is no full batch */
	spec.graph = graph_of(a, "{'input': [1,6,6], 'classes': 3, 'layers': ['flatten', {'dense': {'units': 3}}]}");
	assert_int_equal(speed_measure(&s, backend_find("cpu"), &conf, &spec, 2, 0.1, &e), -1);
	assert_true(e.msg[0]);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_as_wanted_train),
		cmocka_unit_test(those_without_memory_do_not_stop_the_others),
		cmocka_unit_test(what_fails_is_told),
	};

	setenv("NAB_EMULATED_MEMORY", "15728640", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
