/* tests/helper_engine.c - see helper_engine.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/store.h"
#include "tests/helper_engine.h"
#include "tests/helper_files.h"

char engine_program[PATH_MAX];

static const char document[] =
    "{ \"study\": \"tiny\", \"backend\": \"ref\", \"threads\": 1,"
    "  \"dataset\": {\"format\": \"glyphs\", \"validation\": 0.2, \"options\": {\"n_train\": 220, \"n_test\": 40}},"
    "  \"space\": {\"name\": \"tiny\", \"states\": {\"hidden\": {\"dense\": {\"units\": {\"any\": [4, 6, 8, 10]}}},"
    "     \"act\": {\"any\": [\"relu\", \"tanh\", \"elu\"]}}, \"start\": {\"hidden\": 1},"
    "     \"stem\": [{\"avgpool2d\": {\"size\": 4}}, \"flatten\"],"
    "     \"transitions\": {\"hidden\": {\"act\": 1}, \"act\": {\"hidden\": 1, \"end\": 2}},"
    "     \"head\": [{\"dense\": {\"units\": \"$classes\"}}], \"limits\": {\"states\": {\"max\": 8}}},"
    "  \"search\": {\"candidates\": 6, \"seed\": \"3\"},"
    "  \"train\": {\"epochs\": 2, \"batch\": 20, \"optimizer\": {\"adamw\": {\"lr\": {\"any\": [0.01, 0.02]}}}},"
    "  \"devices\": [\"cpu:0\"] }";

int engine_test_main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "worker") == 0)
		return engine_worker_main(3);
	return realpath("/proc/self/exe", engine_program) ? -1 : 1;
}

int site_setup(void **state)
{
	struct site *p = mem_new(sizeof *p);

	p->a = arena_new();
	p->dir = temp_dir();
	p->path = arena_printf(p->a, "%s/a.db", p->dir);
	*state = p;
	return 0;
}

int site_teardown(void **state)
{
	struct site *p = *state;

	arena_free(p->a);
	mem_free(p);
	return temp_teardown(state);
}

struct study *study_of(struct site *p, ...)
{
	struct study *y = ARENA_NEW(p->a, struct study);
	struct err e = { 0 };
	struct diag d = { 0 };
	struct json_in in;
	struct json *doc;
	const char *key;
	va_list ap;

	assert_int_equal(json_parse(&doc, document, strlen(document), "test", &e), 0);
	va_start(ap, p);
	while ((key = va_arg(ap, const char *)))
		assert_int_equal(json_set_path(doc, key, va_arg(ap, const char *), &e), 0);
	va_end(ap);
	in = (struct json_in){ doc, &d, NULL };
	if (study_read(y, doc, NULL, NULL, true, p->a, &in) < 0)
		fail_msg("%s: %s", d.items[0].where, d.items[0].msg);
	diag_release(&d);
	arena_defer(p->a, (void (*)(void *))json_free, doc);
	return y;
}

const char *two_slots(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) < 2)
		return "[\"cpu:0\"]";
	return "[\"cpu:0\", \"cpu:1\"]";
}

struct graph *model_of(struct site *p, const char *text)
{
	struct err e = { 0 };
	struct diag d = { 0 };
	struct json_in in;
	struct json *doc;
	struct graph *g;

	assert_int_equal(json_parse(&doc, text, strlen(text), "model", &e), 0);
	in = (struct json_in){ doc, &d, NULL };
	if (model_read(&g, doc, NULL, NULL, p->a, &in) < 0)
		fail_msg("%s: %s", d.items[0].where, d.items[0].msg);
	json_free(doc);
	diag_release(&d);
	return g;
}

struct graph *layers_of(struct site *p, const char *name, const char *layers)
{
	return model_of(p, arena_printf(p->a,
					"{\"name\": \"%s\", \"input\": [1, 28, 28], \"classes\": 10, \"layers\": [%s]}",
					name, layers));
}

char *table_of(struct site *p, const char *store, const char *study)
{
	struct str t = { 0 };
	struct store_study y;
	struct err e = { 0 };
	struct store *s;
	char *out;

	if (store_open(&s, store, STORE_READ, &e) < 0 || store_study_find(s, study, &y, p->a, &e) != 1 ||
	    store_trajectory(s, y.id, &t, &e) < 0 || store_check(s, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	store_close(s);
	out = arena_strdup(p->a, str_get(&t));
	str_release(&t);
	return out;
}

int train_items(struct site *p, const char *store, const struct study *y, const char *kind,
		const struct engine_item *items, int n, int64_t *runs, struct engine_outcome *out, struct err *e)
{
	struct engine_conf c = { .program = engine_program, .store = store };
	struct engine_outcome own;
	struct err bad = { 0 };
	int rc = engine_train(y, kind, items, n, runs, &c, out ? out : &own, &bad);

	(void)p;
	if (rc < 0 && !e)
		fail_msg("%s: %s", bad.where, bad.msg);
	if (e)
		*e = bad;
	return rc < 0 ? (int)bad.code : 0;
}

int worker_of(struct site *p, const char *store, int64_t run)
{
	struct store_attempt *all;
	struct store *s;
	struct err e = { 0 };
	int n;

	assert_int_equal(store_open(&s, store, STORE_READ, &e), 0);
	assert_int_equal(store_attempts(s, run, &all, &n, p->a, &e), 0);
	assert_true(n > 0);
	store_close(s);
	return all[n - 1].pid;
}
