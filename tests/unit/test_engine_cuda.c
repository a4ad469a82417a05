/* tests/unit/test_engine_cuda.c - searches on cards, with workers of their own: the bits do not depend on how many
 * cards there are and how many runs are in flight, nor on lost cards and killed workers. On the emulated plugin, or on
 * the one that NAB_CUDA_PLUGIN names. This program is the workers' binary, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/study.h"
#include "store/store.h"
#include "tests/helper_cuda.h"
#include "tests/helper_engine.h"
#include "tests/helper_skip.h"

enum { LANES = 4 };

struct seen {
	struct site *site;
	const char *store;
	int busy, most; /* runs in flight: now, at most */
	int kills;      /* so many times the worker is killed when all lanes are at work */
	bool hide;      /* the card is not there any more for later workers; the others linger until it is given up */
	bool killed;
	bool interrupt;    /* at an epoch's end when all lanes are at work */
	const char *note;  /* the last one */
	char *environment; /* of a worker */
	size_t environment_bytes;
};

static void on_event(void *arg, const struct engine_event *v)
{
	struct seen *seen = arg;
	struct arena *a = seen->site->a;

	if (v->kind == ENGINE_NOTE && v->text)
		seen->note = arena_strdup(a, v->text);
	if (v->kind == ENGINE_RUN) {
		seen->busy++;
		seen->most = seen->busy > seen->most ? seen->busy : seen->most;
		if (!seen->environment)
			file_read(&seen->environment, &seen->environment_bytes,
				  arena_printf(a, "/proc/%d/environ", worker_of(seen->site, seen->store, v->run)),
				  1 << 20, false, NULL);
	}
	seen->busy -= v->kind == ENGINE_RETRY || (v->kind == ENGINE_RESULT && v->slot >= 0);
	if (v->kind == ENGINE_EPOCH && seen->hide && seen->killed && !(seen->note && strstr(seen->note, "without it")))
		usleep(500000);
	if (v->kind == ENGINE_EPOCH && seen->interrupt && seen->busy == LANES) {
		seen->interrupt = false; /* twice would be: at once */
		raise(SIGINT);
	}
	if (v->kind == ENGINE_EPOCH && seen->kills) {
		seen->kills--;
		seen->killed = true;
		if (seen->hide)
			setenv("NAB_EMULATED_DEVICES", "0", 1);
		kill(worker_of(seen->site, seen->store, v->run), SIGKILL);
	}
}

static int search(struct site *p, const struct study *y, const char *name, struct seen *seen,
		  struct engine_outcome *out, struct err *e)
{
	struct engine_conf c = { .program = engine_program, .on_event = on_event, .arg = seen };

	c.store = seen->store = arena_printf(p->a, "%s/%s.db", p->dir, name);
	seen->site = p;
	memset(e, 0, sizeof *e);
	return engine_search(y, &c, out, e);
}

static char *searched(struct site *p, const struct study *y, const char *name, struct seen *seen)
{
	struct engine_outcome out;
	struct err e;

	if (search(p, y, name, seen, &out, &e) < 0)
		fail_msg("%s: %s: %s", name, e.where, e.msg);
	mem_free(seen->environment);
	return table_of(p, seen->store, "tiny");
}

static char *undisturbed(struct site *p, const struct study *y, const char *name)
{
	struct seen seen = { 0 };

	return searched(p, y, name, &seen);
}

/* The runs of a store. */
static int items_of(struct site *p, const char *name, struct store_item **items)
{
	struct store *s;
	struct err e = { 0 };
	int n;

	assert_int_equal(store_open(&s, arena_printf(p->a, "%s/%s.db", p->dir, name), STORE_READ, &e), 0);
	assert_int_equal(store_list(s, &(struct store_query){ 0 }, items, &n, p->a, &e), 0);
	store_close(s);
	return n;
}

static int cards(struct site *p)
{
	struct cuda_found *found = ARENA_NEW(p->a, struct cuda_found);

	return cuda_test_plugin()->find(found) < 0 ? 0 : found->n_devices;
}

static const char *uuid(struct site *p, int card)
{
	struct cuda_found *found = ARENA_NEW(p->a, struct cuda_found);

	assert_int_equal(cuda_test_plugin()->find(found), 0);
	return arena_strdup(p->a, found->device[card].uuid);
}

#define TINY(p, ...)                                                                                    \
	study_of(p, "backend", "\"cuda\"", "devices", "[\"cuda:0\"]", "dataset.options.n_train", "100", \
		 "search.candidates", "5", __VA_ARGS__, NULL)

static void faults_need_the_emulator(void)
{
	cuda_test_plugin();
	if (!cuda_test_emulated())
		SKIP_BECAUSE("a real card does not fail on demand");
}

/* ---- the same numbers ----------------------------------------------------------------------------------- */

static void flights_do_not_matter(void **state)
{
	struct site *p = *state;
	struct seen one = { 0 }, many = { 0 };
	const char *expect;

	cuda_test_plugin();
	expect = searched(p, TINY(p, "in_flight", "1"), "one", &one);
	assert_string_equal(searched(p, TINY(p, "in_flight", "4"), "many", &many), expect);
	assert_int_equal(one.most, 1);
	assert_int_equal(many.most, LANES);
}

static bool environment_has(const struct seen *seen, const char *variable)
{
	for (size_t at = 0; at < seen->environment_bytes; at += strlen(seen->environment + at) + 1)
		if (strcmp(seen->environment + at, variable) == 0)
			return true;
	return false;
}

/* Numbers and names of cards; a worker sees its card alone. */
static void cards_are_assigned(void **state)
{
	struct site *p = *state;
	struct seen seen = { 0 };
	struct store_item *items;
	struct engine_outcome out;
	const char *expect, *one, *list;
	bool first = false, second = false;
	struct err e;
	int n;

	if (cards(p) < 2)
		SKIP_BECAUSE("there is one card only");
	one = arena_printf(p->a, "[\"cuda:%s\"]", uuid(p, 1));
	expect = undisturbed(p, TINY(p, "search.candidates", "8"), "first");
	assert_string_equal(
	    undisturbed(p, TINY(p, "search.candidates", "8", "devices", "[\"cuda:1\", \"cuda:0\"]"), "both"), expect);
	n = items_of(p, "both", &items);
	for (int i = 0; i < n; i++) {
		first = first || strcmp(items[i].device, "cuda:0") == 0;
		second = second || strcmp(items[i].device, "cuda:1") == 0;
	}
	assert_true(first && second);

	if (search(p, TINY(p, "search.candidates", "1", "devices", one), "named", &seen, &out, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	assert_true(environment_has(&seen, arena_printf(p->a, "CUDA_VISIBLE_DEVICES=%s", uuid(p, 1))));
	mem_free(seen.environment);
	n = items_of(p, "named", &items);
	assert_string_equal(items[0].device, arena_printf(p->a, "cuda:%s", uuid(p, 1)));

	list = arena_printf(p->a, "[\"cuda:1\", \"cuda:%s\"]", uuid(p, 1));
	assert_int_equal(search(p, TINY(p, "devices", list), "twice", &(struct seen){ 0 }, &out, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_non_null(strstr(e.msg, "same card"));
}

/* Before anything is stored. */
static void absent_cards(void **state)
{
	struct site *p = *state;
	struct engine_outcome out;
	struct seen seen = { 0 };
	struct err e;

	cuda_test_plugin();
	assert_int_equal(search(p, TINY(p, "devices", "[\"cuda:0\", \"cuda:63\"]"), "absent", &seen, &out, &e), -1);
	assert_int_equal(e.code, ERR_RUNTIME);
	assert_string_equal(e.where, "cuda:63");
	assert_non_null(strstr(e.msg, "no such device"));
	assert_false(file_exists(seen.store));
}

static const char *precision_of(struct site *p, const struct store_item *item)
{
	struct json *recipe;
	const char *out;

	assert_int_equal(json_parse(&recipe, item->candidate.recipe, strlen(item->candidate.recipe), "recipe", NULL),
			 0);
	out = arena_strdup(p->a, json_string(json_get(recipe, "precision")));
	json_free(recipe);
	return out;
}

/* Where devices are mixed, a model that is pinned to the other kind is trained there, in its precision. */
static void precisions_and_pins(void **state)
{
	static const char baseline[] = "[{\"name\": \"linear\", \"input\": [1, 28, 28], \"classes\": 10, \"layers\": "
				       "[\"flatten\", {\"dense\": {\"units\": 10}, \"device\": \"cpu\"}]}]";
	struct site *p = *state;
	struct store_item *items;
	int n;

	cuda_test_plugin();
	undisturbed(p,
		    study_of(p, "backend", "\"cuda\"", "devices", "[\"cpu:0\", \"cuda:0\"]", "baselines", baseline,
			     "search.candidates", "4", NULL),
		    "mixed");
	n = items_of(p, "mixed", &items);
	assert_int_equal(n, 5);
	for (int i = 0; i < n; i++) {
		bool pinned = items[i].candidate.origin == ORIGIN_BASELINE;

		assert_int_equal(items[i].run.state, STATE_DONE);
		assert_string_equal(items[i].device, pinned ? "cpu:0" : "cuda:0");
		assert_string_equal(precision_of(p, &items[i]), pinned ? "fp32" : "bf16");
	}
	undisturbed(p, TINY(p, "search.candidates", "1", "train.precision", "\"fp32\""), "strict");
	items_of(p, "strict", &items);
	assert_string_equal(precision_of(p, &items[0]), "fp32");
}

/* ---- what goes wrong ------------------------------------------------------------------------------------ */

static void killed_workers(void **state)
{
	struct site *p = *state;
	struct seen hurt = { .kills = 3 };
	const char *expect;

	cuda_test_plugin();
	expect = undisturbed(p, TINY(p, "train.epochs", "6"), "calm");
	assert_string_equal(searched(p, TINY(p, "train.epochs", "6"), "hurt", &hurt), expect);
	assert_true(hurt.killed);
}

static int died(struct site *p, const char *name)
{
	struct store_item *items;
	struct store *s;
	struct err e = { 0 };
	int n = items_of(p, name, &items), count = 0;

	assert_int_equal(store_open(&s, arena_printf(p->a, "%s/%s.db", p->dir, name), STORE_READ, &e), 0);
	for (int i = 0; i < n; i++) {
		struct store_attempt *all;
		int m;

		assert_int_equal(store_attempts(s, items[i].run.id, &all, &m, p->a, &e), 0);
		for (int k = 0; k < m; k++) {
			if (all[k].state != ATTEMPT_DIED)
				continue;
			count++;
			assert_non_null(strstr(all[k].reason, "device lost"));
		}
	}
	store_close(s);
	return count;
}

/* Every worker loses its card after a while; every run comes to its end all the same, with the same bits. */
static void lost_cards(void **state)
{
	struct site *p = *state;
	const struct study *y = TINY(p, "train.epochs", "4", "in_flight", "4");
	const char *expect;

	faults_need_the_emulator();
	expect = undisturbed(p, y, "calm");
	setenv("NAB_EMULATED_FAULT", "lost:after:40", 1);
	assert_string_equal(undisturbed(p, y, "lost"), expect);
	unsetenv("NAB_EMULATED_FAULT");
	assert_true(died(p, "lost") > 0);
}

/* A card that is lost at every step: runs are given up with the reason, the search comes to its end. */
static void useless_card(void **state)
{
	struct site *p = *state;
	struct seen seen = { 0 };
	struct engine_outcome out;
	struct store_item *items;
	struct err e;
	int n;

	faults_need_the_emulator();
	setenv("NAB_EMULATED_FAULT", "lost:after:1", 1);
	assert_int_equal(search(p, TINY(p, "search.candidates", "2"), "bad", &seen, &out, &e), -1);
	mem_free(seen.environment);
	unsetenv("NAB_EMULATED_FAULT");
	assert_int_equal(e.code, ERR_LOST);
	n = items_of(p, "bad", &items);
	assert_int_equal(n, 2);
	for (int i = 0; i < n; i++) {
		assert_int_equal(items[i].run.state, STATE_FAILED);
		assert_non_null(strstr(items[i].result.reason, "device lost"));
		assert_non_null(strstr(items[i].result.reason, "3 times"));
	}
}

/* A card that is gone for good: the search stops, or goes on with the others; no run is given up for it. */
static void vanished_card(void **state)
{
	struct site *p = *state;
	const struct study *y = TINY(p, "train.epochs", "6", "in_flight", "2");
	struct seen alone = { .kills = 1, .hide = true }, two = { .kills = 1, .hide = true };
	struct engine_outcome out;
	const char *expect;
	struct err e;
	int rc;

	faults_need_the_emulator();
	expect = undisturbed(p, y, "calm");
	rc = search(p, y, "alone", &alone, &out, &e);
	mem_free(alone.environment);
	setenv("NAB_EMULATED_DEVICES", "2", 1);
	assert_int_equal(rc, -1);
	assert_int_equal(e.code, ERR_RUNTIME);
	assert_non_null(strstr(e.msg, "before it was ready: "));
	assert_string_equal(undisturbed(p, y, "alone"), expect); /* the card is back */

	y = TINY(p, "train.epochs", "6", "in_flight", "2", "devices", "[\"cuda:0\", \"cuda:1\"]");
	assert_string_equal(searched(p, y, "two", &two), expect);
	setenv("NAB_EMULATED_DEVICES", "2", 1);
	assert_non_null(two.note);
	/* the last word is that on the card that is gone, unless the other one has done everything before that is sure
	 */
	assert_true(strstr(two.note, "go on without it") || strstr(two.note, "its worker"));
}

/* What never fits is out of memory before it begins; what does not fit now waits. */
static void too_large(void **state)
{
	static const char big[] =
	    "[{\"name\": \"big\", \"input\": [1, 28, 28], \"classes\": 10, \"layers\": [\"flatten\", "
	    "{\"dense\": {\"units\": 9000}}, \"relu\", {\"dense\": {\"units\": 10}}]}]";
	struct site *p = *state;
	struct store_item *items;
	const char *expect;
	int n;

	faults_need_the_emulator();
	expect = undisturbed(p, TINY(p, "in_flight", "1"), "calm");
	setenv("NAB_EMULATED_MEMORY", "2000000", 1);
	assert_string_equal(undisturbed(p, TINY(p, "in_flight", "5"), "small"), expect);
	undisturbed(p, TINY(p, "search.candidates", "1", "baselines", big), "big");
	unsetenv("NAB_EMULATED_MEMORY");
	n = items_of(p, "big", &items);
	assert_int_equal(n, 2);
	assert_int_equal(items[0].run.state, STATE_OOM);
	assert_non_null(strstr(items[0].result.reason, "memory"));
	assert_int_equal(items[1].run.state, STATE_DONE);
}

static int runs_with_epochs(struct site *p, const char *name)
{
	struct store_item *items;
	int n = items_of(p, name, &items), count = 0;
	struct store *s;
	struct err e = { 0 };

	assert_int_equal(store_open(&s, arena_printf(p->a, "%s/%s.db", p->dir, name), STORE_READ, &e), 0);
	for (int i = 0; i < n; i++) {
		struct store_epoch *epochs;
		int m;

		assert_int_equal(store_epochs(s, items[i].run.id, &epochs, &m, p->a, &e), 0);
		count += m > 0;
	}
	store_close(s);
	return count;
}

/* Interrupted while most runs wait for the card's memory: those end without having trained, and nothing is lost. */
static void interrupted_while_they_wait(void **state)
{
	struct site *p = *state;
	const struct study *y = TINY(p, "train.epochs", "40", "in_flight", "4");
	struct seen cut = { .interrupt = true };
	struct engine_outcome out;
	const char *expect;
	struct err e;
	int rc;

	faults_need_the_emulator();
	expect = undisturbed(p, y, "calm");
	setenv("NAB_EMULATED_MEMORY", "2000000", 1);
	rc = search(p, y, "cut", &cut, &out, &e);
	mem_free(cut.environment);
	unsetenv("NAB_EMULATED_MEMORY");
	assert_int_equal(rc, -1);
	assert_int_equal(e.code, ERR_INTERRUPTED);
	assert_in_range(runs_with_epochs(p, "cut"), 1, LANES - 1);
	assert_string_equal(undisturbed(p, y, "cut"), expect);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, site_setup, site_teardown)

int main(int argc, char **argv)
{
	int status = engine_test_main(argc, argv);
	const struct CMUnitTest tests[] = {
		TEST(flights_do_not_matter),
		TEST(cards_are_assigned),
		TEST(absent_cards),
		TEST(precisions_and_pins),
		TEST(killed_workers),
		TEST(lost_cards),
		TEST(useless_card),
		TEST(vanished_card),
		TEST(too_large),
		TEST(interrupted_while_they_wait),
	};

	if (status >= 0)
		return status;
	setenv("NAB_EMULATED_DEVICES", "2", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
