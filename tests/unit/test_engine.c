/* tests/unit/test_engine.c - whole searches on a tiny data set, with real workers: this program is their binary.
 * The same table with one slot and two, resumed after an interruption, after kills of workers, and in another store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/engine.h"
#include "engine/study.h"
#include "store/store.h"
#include "tests/helper_engine.h"
#include "tests/helper_skip.h"

struct seen {
	int results, epochs, retries, candidates;
	int stop_after;   /* results after which the search is interrupted; 0: never */
	int kill_workers; /* so many attempts lose their worker at their first epoch */
	int signal;       /* by this signal */
	bool wait_work;   /* linger at every epoch until the run "net", which is handed over, begins */
	char *path;
};

static int worker_pid(const char *store, int64_t run)
{
	struct arena *a = arena_new();
	struct store_attempt *all;
	struct store *s;
	int n, pid = 0;

	if (store_open(&s, store, STORE_READ, NULL) == 0) {
		if (store_attempts(s, run, &all, &n, a, NULL) == 0 && n)
			pid = all[n - 1].pid;
		store_close(s);
	}
	arena_free(a);
	return pid;
}

static void on_event(void *arg, const struct engine_event *v)
{
	struct seen *seen = arg;

	seen->results += v->kind == ENGINE_RESULT;
	seen->epochs += v->kind == ENGINE_EPOCH;
	seen->retries += v->kind == ENGINE_RETRY;
	seen->candidates += v->kind == ENGINE_CANDIDATE;
	if (v->kind == ENGINE_RUN && v->label && strcmp(v->label, "net") == 0)
		seen->wait_work = false;
	if (v->kind == ENGINE_EPOCH && seen->wait_work)
		usleep(500000);
	if (v->kind == ENGINE_RESULT && seen->stop_after && seen->results == seen->stop_after)
		raise(SIGINT);
	if (v->kind == ENGINE_EPOCH && v->epoch == 1 && seen->kill_workers > 0) {
		seen->kill_workers--;
		kill(worker_pid(seen->path, v->run), seen->signal);
	}
}

static int search(struct site *p, const struct study *y, const char *store, struct seen *seen,
		  struct engine_outcome *out, struct err *e)
{
	struct engine_conf c = { .program = engine_program, .store = store, .on_event = on_event, .arg = seen };

	(void)p;
	seen->path = (char *)(uintptr_t)store;
	memset(e, 0, sizeof *e);
	return engine_search(y, &c, out, e);
}

#define SEARCH(y, store, seen)                                                           \
	do {                                                                             \
		struct engine_outcome o_;                                                \
		struct err e_;                                                           \
		if (search(p, y, store, seen, &o_, &e_) < 0)                             \
			fail_msg("%s:%d: %s: %s", __FILE__, __LINE__, e_.where, e_.msg); \
	} while (0)

/* The store's events as "kind kind ...". */
static const char *events_of(struct site *p, const char *path)
{
	const char *text = "";
	struct store_event *v;
	struct store *s;
	int n;

	assert_int_equal(store_open(&s, path, STORE_READ, NULL), 0);
	assert_int_equal(store_events(s, 1, 100, &v, &n, p->a, NULL), 0);
	for (int i = 0; i < n; i++)
		text = arena_printf(p->a, "%s%s%s", text, i ? " " : "", v[i].kind);
	store_close(s);
	return text;
}

static void a_search_is_a_function(void **state)
{
	struct site *p = *state;
	char *other = arena_printf(p->a, "%s/b.db", p->dir), *cut = arena_printf(p->a, "%s/c.db", p->dir);
	struct seen one = { 0 }, two = { 0 }, first = { .stop_after = 2 }, rest = { 0 }, again = { 0 };
	struct engine_outcome out;
	struct err e;
	char *expect;

	SEARCH(study_of(p, NULL), p->path, &one);
	assert_int_equal(one.results, 6);
	assert_int_equal(one.candidates, 6);
	assert_int_equal(one.epochs, 12);
	expect = table_of(p, p->path, "tiny");
	assert_non_null(strstr(expect, " done "));
	assert_null(strstr(expect, " queued"));

	SEARCH(study_of(p, "devices", two_slots(), NULL), other, &two);
	assert_string_equal(table_of(p, other, "tiny"), expect);

	assert_int_equal(search(p, study_of(p, NULL), cut, &first, &out, &e), -1);
	assert_int_equal(e.code, ERR_INTERRUPTED);
	assert_int_equal(out.signal, SIGINT);
	assert_true(first.results < 6);
	SEARCH(study_of(p, NULL), cut, &rest);
	assert_int_equal(first.results + rest.results, 6);
	assert_string_equal(table_of(p, cut, "tiny"), expect);
	assert_string_equal(events_of(p, p->path), "started finished");
	assert_string_equal(events_of(p, cut), "started note interrupted started finished");

	SEARCH(study_of(p, NULL), p->path, &again); /* nothing is left to do */
	assert_int_equal(again.results, 0);
	assert_string_equal(table_of(p, p->path, "tiny"), expect);
}

static void killed_workers(void **state)
{
	struct site *p = *state;
	char *killed = arena_printf(p->a, "%s/k.db", p->dir), *failed = arena_printf(p->a, "%s/f.db", p->dir);
	struct seen calm = { 0 }, kills = { .kill_workers = 5, .signal = SIGKILL },
		    crash = { .kill_workers = 1, .signal = SIGSEGV };
	const struct study *y = study_of(p, "search.candidates", "3", "train.epochs", "40", NULL);
	struct engine_outcome out;
	struct err e;

	SEARCH(y, p->path, &calm);
	SEARCH(y, killed, &kills);            /* from outside: five times are not too many for three runs */
	assert_in_range(kills.retries, 1, 5); /* a kill may come after the last epoch */
	assert_string_equal(table_of(p, killed, "tiny"), table_of(p, p->path, "tiny"));

	/* by its own fault: with one attempt it is given up */
	y = study_of(p, "search.candidates", "1", "limits.attempts", "1", "train.epochs", "80", NULL);
	assert_int_equal(search(p, y, failed, &crash, &out, &e), -1);
	assert_int_equal(e.code, ERR_LOST);
	assert_int_equal(out.lost, 1);
	assert_non_null(strstr(table_of(p, failed, "tiny"), " failed "));
	{
		struct engine_conf c = { .program = engine_program, .store = failed, .retry_failed = true };

		memset(&e, 0, sizeof e);
		assert_int_equal(engine_search(y, &c, &out, &e), 0);
		assert_int_equal(out.done, 1);
	}
}

/* A worker that says nothing any more is ended, and its run goes on elsewhere. */
static void silent_workers(void **state)
{
	struct site *p = *state;
	char *hurt = arena_printf(p->a, "%s/h.db", p->dir);
	struct seen calm = { 0 }, seen = { .kill_workers = 1, .signal = SIGSTOP };
	const struct study *y =
	    study_of(p, "search.candidates", "2", "limits.silence", "2", "train.epochs", "40", NULL);

	SEARCH(y, p->path, &calm);
	SEARCH(y, hurt, &seen);
	assert_int_equal(seen.retries, 1);
	assert_string_equal(table_of(p, hurt, "tiny"), table_of(p, p->path, "tiny"));
}

static void no_workers(void **state)
{
	struct site *p = *state;
	const struct study *y = study_of(p, NULL);
	struct engine_conf c = { .program = "/no/such/program", .store = p->path };
	struct engine_outcome out;
	struct err e = { 0 };

	assert_int_equal(engine_search(y, &c, &out, &e), -1);
	assert_int_equal(e.code, ERR_RUNTIME);
	assert_non_null(strstr(e.msg, "cannot be started"));
	c.program = "/bin/false"; /* starts, and ends at once */
	memset(&e, 0, sizeof e);
	assert_int_equal(engine_search(y, &c, &out, &e), -1);
	assert_non_null(strstr(e.msg, "before it was ready"));
}

static void another_coordinator(void **state)
{
	struct site *p = *state;
	struct engine_outcome out;
	struct seen seen = { 0 };
	struct store *s;
	struct err e = { 0 };

	assert_int_equal(store_open(&s, p->path, STORE_CREATE, &e), 0);
	assert_int_equal(search(p, study_of(p, NULL), p->path, &seen, &out, &e), -1);
	assert_int_equal(e.code, ERR_BUSY);
	assert_non_null(strstr(e.msg, "process"));
	store_close(s);
}

/* ---- a full disk: a small file system of its own -------------------------------------------------------- */

static int disk_size(const char *dir, const char *size, bool first)
{
	return mount("none", dir, "tmpfs", first ? 0 : MS_REMOUNT, size);
}

/* 0 as expected; 77 if this system lets nobody mount; else what went wrong. */
static int on_a_small_disk(struct site *p, const char *expect, bool patient)
{
	const struct study *y = study_of(p, "limits.disk_wait", patient ? "60" : "1", NULL);
	char *dir = arena_printf(p->a, "%s/disk", p->dir), *store = arena_printf(p->a, "%s/disk/a.db", p->dir);
	struct seen seen = { 0 };
	struct engine_outcome out;
	struct err e = { 0 };

	if (file_mkdirs(dir, &e) < 0 || (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || disk_size(dir, "size=420k", true) < 0)
		return 77;
	if (patient && fork() == 0) {
		usleep(2500000);
		_exit(disk_size(dir, "size=20m", false) < 0);
	}
	if (!patient) {
		if (search(p, y, store, &seen, &out, &e) == 0 || e.code != ERR_RUNTIME || !strstr(e.msg, "disk") ||
		    !seen.epochs)
			return 2;
		if (disk_size(dir, "size=20m", false) < 0)
			return 3;
	}
	if (search(p, y, store, &seen, &out, &e) < 0) {
		print_error("%s: %s\n", e.where, e.msg);
		return 4;
	}
	return strcmp(table_of(p, store, "tiny"), expect) ? 5 : 0;
}

static void full_disks(void **state)
{
	struct site *p = *state;
	struct seen calm = { 0 };
	const char *expect;

	SEARCH(study_of(p, NULL), p->path, &calm);
	expect = table_of(p, p->path, "tiny");
	for (int patient = 0; patient < 2; patient++) {
		int status;
		pid_t child = fork();

		if (child == 0)
			_exit(on_a_small_disk(p, expect, patient));
		assert_int_equal(waitpid(child, &status, 0), child);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
			SKIP_BECAUSE("no small file system can be mounted here");
		assert_int_equal(status, 0);
	}
}

static void targets_and_budgets(void **state)
{
	struct site *p = *state;
	char *epochs = arena_printf(p->a, "%s/e.db", p->dir), *seconds = arena_printf(p->a, "%s/s.db", p->dir);
	struct seen seen = { 0 }, more = { 0 }, few = { 0 }, none = { 0 };
	struct engine_outcome out;
	struct err e;
	char *all;

	/* every candidate reaches it: the first one ends the search, the others are surplus */
	assert_int_equal(
	    search(p, study_of(p, "stop.accuracy", "0.001", "search.candidates", "2000", "devices", two_slots(), NULL),
		   p->path, &seen, &out, &e),
	    0);
	assert_non_null(strstr(out.stopped, "tiny-0"));
	assert_true(seen.candidates < 2000); /* however slow the slot of the first one is */
	all = table_of(p, p->path, "tiny");
	assert_non_null(strstr(all, "search 0"));
	assert_null(strstr(all, "search 1"));
	/* the target is taken back: the search goes on where it was */
	assert_int_equal(search(p, study_of(p, "search.candidates", "4", NULL), p->path, &more, &out, &e), 0);
	all = table_of(p, p->path, "tiny");
	assert_non_null(strstr(all, "search 3"));
	assert_null(strstr(all, "search 4"));

	assert_int_equal(search(p, study_of(p, "stop.epochs", "5", NULL), epochs, &few, &out, &e), 0);
	assert_int_equal(few.results, 3);
	assert_int_equal(search(p, study_of(p, "stop.seconds", "0.000001", NULL), seconds, &none, &out, &e), 0);
	assert_int_equal(none.results, 0);
	assert_non_null(strstr(out.stopped, "seconds"));
}

static void edited_studies(void **state)
{
	struct site *p = *state;
	struct seen seen = { 0 };
	struct engine_outcome out;
	struct err e;

	SEARCH(study_of(p, "search.candidates", "1", NULL), p->path, &seen);
	assert_int_equal(search(p, study_of(p, "train.batch", "10", NULL), p->path, &seen, &out, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_non_null(strstr(e.msg, "train.batch: 20 is now 10"));
	assert_int_equal(search(p, study_of(p, "search.seed", "\"4\"", NULL), p->path, &seen, &out, &e), -1);
	assert_non_null(strstr(e.msg, "search.seed"));
	assert_int_equal(search(p, study_of(p, "dataset.options.n_train", "230", NULL), p->path, &seen, &out, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	/* slots and budgets may change */
	SEARCH(study_of(p, "search.candidates", "2", "devices", two_slots(), "limits.attempts", "5", NULL), p->path,
	       &seen);
	assert_int_equal(seen.results, 2);
	assert_int_equal(search(p, study_of(p, "devices", "[\"cpu:4000\"]", NULL), p->path, &seen, &out, &e), -1);
	assert_int_equal(e.code, ERR_RUNTIME);
}

static const char *const lenet = "{\"name\": \"net\", \"input\": [1, 28, 28], \"classes\": 10, \"layers\": "
				 "[{\"avgpool2d\": {\"size\": 4}}, \"flatten\", {\"dense\": {\"units\": 10}}]}";

/* Baselines come first; replicates have their own seeds; results of other studies are reused. */
static void baselines_replicates_cache(void **state)
{
	struct site *p = *state;
	char *list = arena_printf(p->a, "[%s]", lenet);
	struct store_item *items;
	struct seen seen = { 0 }, cached = { 0 };
	struct engine_outcome out;
	struct store *s;
	struct err e;
	int n;

	SEARCH(study_of(p, "baselines", list, "replicates", "2", "search.candidates", "2", NULL), p->path, &seen);
	assert_int_equal(seen.results, 6);
	assert_int_equal(
	    search(p,
		   study_of(p, "study", "other", "baselines", list, "replicates", "2", "search.candidates", "2", NULL),
		   p->path, &cached, &out, &e),
	    0);
	assert_int_equal(cached.results, 0);
	assert_int_equal(out.done, 6);
	assert_int_equal(store_open(&s, p->path, STORE_READ, &e), 0);
	assert_int_equal(store_list(s, &(struct store_query){ 0 }, &items, &n, p->a, &e), 0);
	assert_int_equal(n, 12);
	assert_int_equal(items[0].candidate.origin, ORIGIN_BASELINE);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(items[i + 6].run.cached_from, items[i].run.id);
		assert_true(items[i + 6].result.score == items[i].result.score);
	}
	assert_true(items[0].run.seed == 1 && items[1].run.seed == 2);
	assert_true(items[0].result.train_loss != items[1].result.train_loss);
	for (int i = 0; i < n; i++) {
		char *path;

		assert_false(isnan(items[i].result.score));
		assert_true(items[i].result.score == items[i].result.val_accuracy);
		assert_int_equal(engine_weights_path(&path, s, items[i].run.id, p->a, &e), 0);
	}
	store_close(s);
}

/* A stored score is not reused by a study that judges by something else. */
static void other_objectives(void **state)
{
	struct site *p = *state;
	struct seen seen = { 0 }, other = { 0 };
	struct store_item *items;
	struct store *s;
	struct err e;
	int n;

	SEARCH(study_of(p, "search.candidates", "2", NULL), p->path, &seen);
	SEARCH(study_of(p, "search.candidates", "2", "study", "other", "objective", "loss", NULL), p->path, &other);
	assert_int_equal(other.results, 2);
	assert_int_equal(store_open(&s, p->path, STORE_READ, &e), 0);
	assert_int_equal(store_list(s, &(struct store_query){ 0 }, &items, &n, p->a, &e), 0);
	assert_int_equal(n, 4);
	for (int i = 0; i < 2; i++) {
		assert_true(items[i].result.score == items[i].result.val_accuracy);
		assert_true(items[i + 2].result.score == -items[i + 2].result.val_loss);
	}
	store_close(s);
}

/* 4 TB of weights: that is the run's end, at its first attempt. */
static void weights_beyond_memory(void **state)
{
	static const char huge[] =
	    "{\"name\": \"huge\", \"input\": [1, 28, 28], \"classes\": 10, \"layers\": [\"flatten\","
	    " {\"dense\": {\"units\": 1000000}}, {\"dense\": {\"units\": 1000000}}, {\"dense\": {\"units\": 10}}]}";
	struct site *p = *state;
	struct engine_item item = { .graph = model_of(p, huge) };
	struct engine_conf c = { .program = engine_program, .store = p->path };
	struct engine_outcome out;
	struct store_item row;
	struct err e = { 0 };
	struct store *s;
	int64_t run;

#ifdef __SANITIZE_ADDRESS__
	SKIP_BECAUSE("the address sanitizer ends a process that asks for so much");
#endif
	if (engine_train(study_of(p, "study", "by-hand", NULL), "train", &item, 1, &run, &c, &out, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	assert_int_equal(store_open(&s, p->path, STORE_READ, &e), 0);
	assert_int_equal(store_item_get(s, run, &row, p->a, &e), 0);
	assert_int_equal(row.run.state, STATE_OOM);
	assert_int_equal(row.attempts, 1);
	assert_non_null(strstr(row.result.reason, "memory for the weights"));
	store_close(s);
}

static void trained_by_hand(void **state)
{
	struct site *p = *state;
	struct engine_item items[2] = { { .graph = model_of(p, lenet) },
					{ .graph = model_of(p, lenet), .label = "short" } };
	struct engine_conf c = { .program = engine_program, .store = p->path };
	const struct study *y = study_of(p, "study", "by-hand", NULL);
	struct json *recipe = json_object();
	struct engine_outcome out;
	int64_t runs[2], second[1];
	struct err e = { 0 };

	json_put(recipe, "epochs", json_num(1));
	items[1].recipe = recipe;
	if (engine_train(y, "train", items, 2, runs, &c, &out, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	assert_int_equal(out.done, 2);
	assert_true(runs[0] != runs[1]);
	assert_int_equal(engine_train(y, "train", items, 1, second, &c, &out, &e), 0);
	assert_int_equal(second[0], runs[0]); /* the same again is not trained again */
	json_free(recipe);
}

static const char *const deeper = "{\"name\": \"deeper\", \"input\": [1, 28, 28], \"classes\": 10, \"layers\": "
				  "[{\"avgpool2d\": {\"size\": 4}}, \"flatten\", {\"dense\": {\"units\": 12}}, "
				  "\"relu\", {\"dense\": {\"units\": 10}}]}";

/* The run's model was made from the model of this name, with this change. */
static void assert_made_from(struct site *p, int64_t run, const char *name, const char *change)
{
	struct store_item item;
	struct store_model m;
	struct store *s;
	int64_t line[4];
	struct err e = { 0 };

	assert_int_equal(store_open(&s, p->path, STORE_READ, &e), 0);
	assert_int_equal(store_item_get(s, run, &item, p->a, &e), 0);
	assert_int_equal(store_lineage(s, item.model, line, 4, &e), 2);
	assert_int_equal(line[0], item.model);
	assert_int_equal(line[1], item.candidate.parent);
	assert_int_equal(store_model_get(s, line[1], &m, p->a, &e), 0);
	assert_string_equal(m.name, name);
	assert_string_equal(item.candidate.change, change);
	store_close(s);
}

/* The model that a candidate was made from is stored with it, trained or not. */
static void families(void **state)
{
	struct site *p = *state;
	struct engine_item items[2] = { { .graph = model_of(p, lenet) },
					{ .graph = model_of(p, deeper), .made_from = model_of(p, lenet) } };
	struct engine_conf c = { .program = engine_program, .store = p->path };
	struct json *change = json_object();
	struct engine_outcome out;
	int64_t runs[2], alone[1];
	struct err e = { 0 };

	json_put(change, "words", json_str("a hidden layer more"));
	items[1].change = change;
	if (engine_train(study_of(p, "study", "child", NULL), "vary", items + 1, 1, alone, &c, &out, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	assert_made_from(p, alone[0], "net", "{\"words\":\"a hidden layer more\"}");
	assert_int_equal(engine_train(study_of(p, "study", "both", NULL), "ablate", items, 2, runs, &c, &out, &e), 0);
	assert_made_from(p, runs[1], "net", "{\"words\":\"a hidden layer more\"}");
	json_free(change);
}

/* The run inherited the weights of the other one. */
static void assert_started_from(struct site *p, int64_t run, int64_t parent)
{
	struct store_finding *f;
	struct store_item item;
	struct store *s;
	struct err e = { 0 };
	int n;

	assert_int_equal(store_open(&s, p->path, STORE_READ, &e), 0);
	assert_int_equal(store_item_get(s, run, &item, p->a, &e), 0);
	assert_int_equal(item.candidate.start_run, parent);
	assert_int_equal(item.run.state, STATE_DONE);
	assert_int_equal(store_findings(s, run, &f, &n, p->a, &e), 0);
	assert_true(n > 0 && strcmp(f[0].code, "inherited") == 0);
	store_close(s);
}

static void *train_beside(void *arg)
{
	struct site *p = arg;
	struct json *change = json_object();
	struct engine_item items[2] = {
		{ .graph = model_of(p, lenet), .made_from = model_of(p, deeper), .change = change, .label = "net" },
		{ .graph = model_of(p, deeper), .start_item = 1 },
	};
	struct engine_conf c = { .program = engine_program, .store = p->path };
	const struct study *y = study_of(p, "study", "by-hand", NULL);
	static struct engine_outcome out;
	struct err e = { 0 };
	int64_t runs[2];
	char who[100];

	while (!store_holder(p->path, who, sizeof who))
		usleep(1000);
	if (engine_train(y, "train", items, 2, runs, &c, &out, &e) < 0) {
		print_error("%s: %s\n", e.where, e.msg);
		return NULL;
	}
	assert_made_from(p, runs[0], "deeper", "{}");
	assert_started_from(p, runs[1], runs[0]);
	json_free(change);
	return &out;
}

/* Work is handed to the coordinator that holds the store; the search's table does not change by it. */
static void handed_over(void **state)
{
	struct site *p = *state;
	char *alone = arena_printf(p->a, "%s/alone.db", p->dir);
	struct seen seen = { .wait_work = true }, calm = { 0 };
	const struct study *y = study_of(p, "train.epochs", "6", NULL);
	int status;
	pid_t child;

	SEARCH(y, alone, &calm);
	child = fork();
	if (child == 0) {
		const struct engine_outcome *out = train_beside(p);

		_exit(!out || !out->handed_over || out->done != 2);
	}
	SEARCH(y, p->path, &seen);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(seen.results, 8);
	assert_string_equal(table_of(p, p->path, "tiny"), table_of(p, alone, "tiny"));
}

static void retention(void **state)
{
	struct site *p = *state;
	struct store_summary sum;
	struct seen seen = { 0 };
	struct store *s;
	struct err e = { 0 };
	char *path;

	SEARCH(study_of(p, "limits.max_disk", "6000", NULL), p->path, &seen);
	assert_int_equal(store_open(&s, p->path, STORE_READ, &e), 0);
	assert_int_equal(store_summarize(s, 0, &sum, &e), 0);
	assert_true(sum.file_bytes > 0 && sum.file_bytes <= 6000);
	assert_int_equal(engine_weights_path(&path, s, sum.best_run, p->a, &e), 0);
	store_close(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, site_setup, site_teardown)

int main(int argc, char **argv)
{
	int status = engine_test_main(argc, argv);
	const struct CMUnitTest tests[] = {
		TEST(a_search_is_a_function),
		TEST(killed_workers),
		TEST(targets_and_budgets),
		TEST(edited_studies),
		TEST(other_objectives),
		TEST(trained_by_hand),
		TEST(families),
		TEST(handed_over),
		TEST(baselines_replicates_cache),
		TEST(weights_beyond_memory),
		TEST(retention),
		TEST(silent_workers),
		TEST(no_workers),
		TEST(another_coordinator),
		TEST(full_disks),
	};

	return status >= 0 ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
