/* tests/unit/test_engine_lanes.c - several runs in flight on one device: the same table as with one, whatever ends the
 * worker that they share; suspects are tried alone; models that are pinned to a device. This program is the workers'
 * binary, too.
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

#include "base/json.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/internal.h"
#include "engine/study.h"
#include "store/store.h"
#include "tests/helper_engine.h"

enum { RUNS = 64, LANES = 4 };

struct seen {
	struct site *site;
	const char *store;
	int lanes;
	int busy, most; /* runs in flight: now, at most */
	int results, kills, signal;
	bool killed;    /* at least once */
	int stop_after; /* epochs until the search is interrupted; 0: never */
};

static void on_event(void *arg, const struct engine_event *v)
{
	struct seen *seen = arg;

	if (v->kind == ENGINE_RUN) {
		seen->busy++;
		seen->most = seen->busy > seen->most ? seen->busy : seen->most;
	}
	seen->busy -= v->kind == ENGINE_RETRY || (v->kind == ENGINE_RESULT && v->slot >= 0);
	seen->results += v->kind == ENGINE_RESULT;
	assert_true(v->in_flight <= seen->lanes);
	if (v->kind == ENGINE_EPOCH && seen->stop_after && --seen->stop_after == 0)
		raise(SIGINT);
	if (v->kind == ENGINE_EPOCH && seen->kills && seen->busy == seen->lanes) {
		seen->kills--;
		seen->killed = true;
		kill(worker_of(seen->site, seen->store, v->run), seen->signal);
	}
}

static int search(struct site *p, const struct study *y, const char *store, struct seen *seen,
		  struct engine_outcome *out, struct err *e)
{
	struct engine_conf c = {
		.program = engine_program, .store = store, .on_event = on_event, .arg = seen, .lanes = seen->lanes
	};

	seen->site = p;
	seen->store = store;
	memset(e, 0, sizeof *e);
	return engine_search(y, &c, out, e);
}

static char *searched(struct site *p, const struct study *y, const char *name, struct seen *seen)
{
	char *store = arena_printf(p->a, "%s/%s.db", p->dir, name);
	struct engine_outcome out;
	struct err e;

	if (search(p, y, store, seen, &out, &e) < 0)
		fail_msg("%s: %s: %s", name, e.where, e.msg);
	return table_of(p, store, "tiny");
}

/* ---- the same numbers ----------------------------------------------------------------------------------- */

static void many_give_the_bits_of_one(void **state)
{
	static const char *const backends_here[] = { "\"ref\"", "\"cpu\"" };
	struct site *p = *state;

	for (size_t i = 0; i < 2; i++) {
		const struct study *y =
		    study_of(p, "backend", backends_here[i], "search.candidates", "10", "replicates", "2", NULL);
		struct seen one = { .lanes = 1 }, many = { .lanes = LANES };
		const char *expect = searched(p, y, arena_printf(p->a, "one%zu", i), &one);

		assert_string_equal(searched(p, y, arena_printf(p->a, "many%zu", i), &many), expect);
		assert_int_equal(one.most, 1);
		assert_int_equal(many.most, LANES);
		assert_int_equal(many.results, 20);
	}
}

static void interrupted(void **state)
{
	struct site *p = *state;
	const struct study *y = study_of(p, "search.candidates", "8", "train.epochs", "20", NULL);
	struct seen one = { .lanes = 1 }, cut = { .lanes = LANES, .stop_after = 30 }, rest = { .lanes = LANES };
	const char *expect = searched(p, y, "one", &one);
	struct engine_outcome out;
	struct err e;

	assert_int_equal(search(p, y, arena_printf(p->a, "%s/cut.db", p->dir), &cut, &out, &e), -1);
	assert_int_equal(e.code, ERR_INTERRUPTED);
	assert_true(cut.results < 8);
	assert_string_equal(searched(p, y, "cut", &rest), expect);
}

/* ---- ends of the worker that they share ----------------------------------------------------------------- */

/* How many attempts died by their worker's fault. */
static int deaths_in(struct site *p, const char *name)
{
	struct store_item *items;
	struct store *s;
	struct err e = { 0 };
	int n, died = 0;

	assert_int_equal(store_open(&s, arena_printf(p->a, "%s/%s.db", p->dir, name), STORE_READ, &e), 0);
	assert_int_equal(store_list(s, &(struct store_query){ 0 }, &items, &n, p->a, &e), 0);
	for (int i = 0; i < n; i++) {
		struct store_attempt *all;
		int m;

		assert_int_equal(store_attempts(s, items[i].run.id, &all, &m, p->a, &e), 0);
		for (int k = 0; k < m; k++)
			died += all[k].state == ATTEMPT_DIED;
	}
	store_close(s);
	return died;
}

/* Every attempt that follows a death of its run begins when nothing else is in flight. */
static void assert_tried_alone(struct site *p, const char *name)
{
	struct store_attempt *all[RUNS];
	struct store_item *items;
	int n, m[RUNS];
	struct store *s;
	struct err e = { 0 };

	assert_int_equal(store_open(&s, arena_printf(p->a, "%s/%s.db", p->dir, name), STORE_READ, &e), 0);
	assert_int_equal(store_list(s, &(struct store_query){ 0 }, &items, &n, p->a, &e), 0);
	assert_true(n <= RUNS);
	for (int i = 0; i < n; i++)
		assert_int_equal(store_attempts(s, items[i].run.id, &all[i], &m[i], p->a, &e), 0);
	store_close(s);
	for (int i = 0; i < n; i++)
		for (int k = 1; k < m[i]; k++) {
			const struct store_attempt *t = &all[i][k];

			if (t[-1].state != ATTEMPT_DIED)
				continue;
			for (int j = 0; j < n; j++)
				for (int l = 0; j != i && l < m[j]; l++)
					if (all[j][l].started <= t->started && all[j][l].ended > t->started)
						fail_msg("run %lld has company", (long long)items[i].run.id);
		}
}

static void a_crash_is_nobodys(void **state)
{
	struct site *p = *state;
	const struct study *y =
	    study_of(p, "search.candidates", "8", "train.epochs", "30", "limits.attempts", "2", NULL);
	struct seen calm = { .lanes = 1 }, crash = { .lanes = LANES, .kills = 2, .signal = SIGSEGV };
	const char *expect = searched(p, y, "calm", &calm);

	assert_string_equal(searched(p, y, "crash", &crash), expect);
	assert_true(crash.killed);
	assert_in_range(deaths_in(p, "crash"), 1, 2 * LANES);
	assert_tried_alone(p, "crash");
}

static void killed_from_outside(void **state)
{
	struct site *p = *state;
	const struct study *y =
	    study_of(p, "search.candidates", "8", "train.epochs", "30", "limits.attempts", "1", NULL);
	struct seen calm = { .lanes = 1 }, hurt = { .lanes = LANES, .kills = 3, .signal = SIGKILL };
	const char *expect = searched(p, y, "calm", &calm);

	assert_string_equal(searched(p, y, "hurt", &hurt), expect);
	assert_true(hurt.killed);
	assert_int_equal(deaths_in(p, "hurt"), 0);
}

/* ---- rules ---------------------------------------------------------------------------------------------- */

enum { FEW = 6 };

struct table {
	struct work w;
	struct candidate c[FEW], *list[FEW];
	struct job j[FEW];
	struct engine g;
	struct work *works[1];
	struct device d[2];
	struct slot slots[2 * LANES];
};

static void fill(struct table *t)
{
	memset(t, 0, sizeof *t);
	t->w = (struct work){ .last = NOT_JUDGED, .candidates = t->list, .n = FEW };
	t->w.study = (struct study){ .backend = "cuda", .search_cfg.candidates = FEW };
	t->works[0] = &t->w;
	t->g = (struct engine){ .works = t->works, .n_works = 1, .devices = t->d, .n_devices = 2 };
	t->d[0] = (struct device){ .name = "cuda:0", .kind = DEVICE_CUDA, .slots = t->slots, .n_slots = LANES };
	t->d[1] = (struct device){ .name = "cpu:1", .kind = DEVICE_CPU, .slots = t->slots + LANES, .n_slots = 1 };
	for (int i = 0; i < FEW; i++) {
		t->c[i] = (struct candidate){
			.work = &t->w, .number = i, .origin = ORIGIN_SEARCH, .jobs = &t->j[i], .n_jobs = 1
		};
		t->j[i] = (struct job){ .id = i + 1, .candidate = &t->c[i] };
		t->list[i] = &t->c[i];
	}
}

static struct job *take(struct table *t, int device, int slot)
{
	struct job *j = engine_pick(&t->g, &t->d[device], 0);

	if (j) {
		t->d[device].slots[slot].job = j;
		j->held = true;
	}
	return j;
}

static void suspects_run_alone(void **state)
{
	struct table t;

	(void)state;
	fill(&t);
	assert_ptr_equal(take(&t, 0, 0), &t.j[0]);
	t.j[3].suspect = true;
	assert_ptr_equal(take(&t, 0, 1), &t.j[1]); /* others are there: not now */
	assert_ptr_equal(take(&t, 0, 2), &t.j[2]);
	assert_ptr_equal(take(&t, 0, 3), &t.j[4]);
	for (int i = 0; i < LANES; i++)
		t.slots[i].job = NULL;
	assert_ptr_equal(take(&t, 0, 0), &t.j[3]); /* first, and alone */
	assert_null(take(&t, 0, 1));
	t.j[3].suspect = false; /* it is past the place */
	t.slots[0].cleared = true;
	assert_null(take(&t, 0, 1)); /* but it ends first: another suspect comes */
	t.slots[0].cleared = false;
	assert_ptr_equal(take(&t, 0, 1), &t.j[5]);
}

static void pins_choose_devices(void **state)
{
	struct table t;

	(void)state;
	fill(&t);
	t.c[1].device = "cpu";
	t.c[2].device = "cpu:1";
	t.c[4].device = "cuda:0";
	t.c[5].device = "cuda:7";
	assert_ptr_equal(take(&t, 1, 0), &t.j[1]);
	assert_ptr_equal(take(&t, 1, 0), &t.j[2]);
	assert_null(take(&t, 1, 0)); /* a study of cards: the rest is not for cores */
	assert_ptr_equal(take(&t, 0, 0), &t.j[0]);
	assert_ptr_equal(take(&t, 0, 1), &t.j[3]);
	assert_ptr_equal(take(&t, 0, 2), &t.j[4]);
	assert_null(take(&t, 0, 3));
	assert_true(work_waits(&t.w));
	t.j[5].held = true;
	assert_false(work_waits(&t.w));
}

/* Examples a second of a card that is fastest with `best` runs in flight, or flat from there on. */
static double rate_of(int open, int best, bool flat)
{
	return open <= best ? 1000.0 * open : flat ? 1000.0 * best : 1000.0 * best - 150.0 * (open - best);
}

static void climbing(void **state)
{
	(void)state;
	for (int most = 1; most <= 16; most *= 2)
		for (int best = 1; best <= 16; best++)
			for (int flat = 0; flat < 2; flat++) {
				struct climb c = { .open = most < 4 ? most : 4,
						   .most = most,
						   .step = most < 4 ? most : 4 };
				int top = best < most ? best : most;

				for (int i = 0; i < 100; i++) {
					climb_move(&c, rate_of(c.open, best, flat));
					assert_in_range(c.open, 1, most);
					if (i > 40 && abs(c.open - top) > 2)
						fail_msg("%d in flight of %d, where %d are fastest", c.open, most, top);
				}
			}
}

/* ---- pins, for whole --------------------------------------------------------------------------------- */

static struct graph *pinned(struct site *p, const char *device)
{
	return layers_of(p, "pinned",
			 arena_printf(p->a,
				      "{\"avgpool2d\": {\"size\": 4}}, \"flatten\", {\"dense\": {\"units\": 10}, "
				      "\"device\": \"%s\"}",
				      device));
}

static void pinned_models(void **state)
{
	struct site *p = *state;
	const struct study *y = study_of(p, "devices", two_slots(), NULL);
	struct engine_item item = { .graph = pinned(p, "cpu:0") };
	struct store_item got;
	struct store *s;
	struct err e = { 0 };
	int64_t run;

	assert_int_equal(train_items(p, p->path, y, "train", &item, 1, &run, NULL, NULL), 0);
	assert_int_equal(store_open(&s, p->path, STORE_READ, &e), 0);
	assert_int_equal(store_item_get(s, run, &got, p->a, &e), 0);
	assert_string_equal(got.device, "cpu:0");
	assert_non_null(strstr(got.candidate.proposal, "\"device\":\"cpu:0\""));
	store_close(s);

	item.graph = pinned(p, "cpu:77");
	assert_int_equal(train_items(p, p->path, y, "train", &item, 1, &run, NULL, &e), ERR_INVALID);
	assert_non_null(strstr(e.msg, "none among \"devices\""));
	item.graph = pinned(p, "cuda");
	assert_int_equal(train_items(p, p->path, y, "train", &item, 1, &run, NULL, &e), ERR_INVALID);
	item.graph = pinned(p, "abacus");
	assert_int_equal(train_items(p, p->path, y, "train", &item, 1, &run, NULL, &e), ERR_INVALID);
	assert_non_null(strstr(e.msg, "no device"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, site_setup, site_teardown)

int main(int argc, char **argv)
{
	int status = engine_test_main(argc, argv);
	const struct CMUnitTest tests[] = {
		TEST(many_give_the_bits_of_one),
		TEST(interrupted),
		TEST(a_crash_is_nobodys),
		TEST(killed_from_outside),
		TEST(pinned_models),
		cmocka_unit_test(suspects_run_alone),
		cmocka_unit_test(pins_choose_devices),
		cmocka_unit_test(climbing),
	};

	return status >= 0 ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
