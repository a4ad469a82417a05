/* tests/long/test_kill_engine.c - kill -9 of workers and of the coordinator at random moments of a search, and of an
 * ablation with inherited weights: no finished run is lost or doubled, and the final table equals that of an
 * undisturbed study; so does that of two slots, and of a second store. NAB_KILLS and NAB_CANDIDATES change the size (50
 * and 30). This program is the workers' binary, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "engine/engine.h"
#include "engine/study.h"
#include "store/store.h"
#include "tests/helper_files.h"

static char program[PATH_MAX];
static const char *backend;
static bool ablation; /* not a search: a model, and children of it by hand */

static const char document[] =
    "{ \"study\": \"kills\","
    "  \"dataset\": {\"format\": \"glyphs\", \"validation\": 0.2, \"options\": {\"n_train\": 600, \"n_test\": 40}},"
    "  \"space\": {\"name\": \"tiny\", \"states\": {\"hidden\": {\"dense\": {\"units\": {\"any\": [8, 12, 16, 24]}}},"
    "     \"act\": {\"any\": [\"relu\", \"tanh\", \"elu\"]}, \"drop\": {\"dropout\": {\"rate\": 0.2}}},"
    "     \"stem\": [{\"conv2d\": {\"filters\": 2, \"kernel\": 3, \"stride\": 2}}, \"batchnorm\", \"flatten\"],"
    "     \"start\": {\"hidden\": 1}, \"transitions\": {\"hidden\": {\"act\": 1}, \"drop\": {\"hidden\": 1},"
    "        \"act\": {\"hidden\": 1, \"drop\": 1, \"end\": 2}},"
    "     \"head\": [{\"dense\": {\"units\": \"$classes\"}}], \"limits\": {\"states\": {\"max\": 9}}},"
    "  \"baselines\": [{\"name\": \"linear\", \"input\": [1, 28, 28], \"classes\": 10,"
    "     \"layers\": [\"flatten\", {\"dense\": {\"units\": 10}}]}],"
    "  \"search\": {\"candidates\": 30, \"seed\": \"11\"},"
    "  \"train\": {\"epochs\": 4, \"batch\": 20, \"optimizer\": {\"adamw\": {\"lr\": {\"any\": [0.005, 0.01]}}},"
    "     \"augment\": [{\"crop\": {\"pad\": 2}}]},"
    "  \"limits\": {\"checkpoint_seconds\": 0} }"; /* what is resumed is to be there */

static int number(const char *variable, int otherwise)
{
	const char *v = getenv(variable);

	return v ? atoi(v) : otherwise;
}

static const char *const family[] = {
	/* a model, and what is left of it without one layer or another */
	"{'conv2d': {'filters': 2, 'kernel': 3, 'stride': 2}}, 'batchnorm', 'flatten', {'dense': {'units': 16}, 'id': "
	"'a'},"
	"'relu', {'dense': {'units': 16}, 'id': 'b'}, 'tanh', {'dense': {'units': 10}, 'id': 'head'}",
	"{'conv2d': {'filters': 2, 'kernel': 3, 'stride': 2}}, 'flatten', {'dense': {'units': 16}, 'id': 'a'},"
	"'relu', {'dense': {'units': 16}, 'id': 'b'}, 'tanh', {'dense': {'units': 10}, 'id': 'head'}",
	"{'conv2d': {'filters': 2, 'kernel': 3, 'stride': 2}}, 'batchnorm', 'flatten', {'dense': {'units': 16}, 'id': "
	"'a'},"
	"'relu', {'dense': {'units': 10}, 'id': 'head'}",
	"'flatten', {'dense': {'units': 16}, 'id': 'a'}, 'relu', {'dense': {'units': 16}, 'id': 'b'}, 'tanh',"
	"{'dense': {'units': 10}, 'id': 'head'}",
};

enum { RELATIVES = sizeof family / sizeof *family, MEMBERS = 1 + 2 * (RELATIVES - 1), REPLICATES = 2 };

static struct graph *relative(int k, struct arena *a)
{
	char *text =
	    arena_printf(a, "{'name': 'r%d', 'input': [1, 28, 28], 'classes': 10, 'layers': [%s]}", k, family[k]);
	struct json *doc = NULL;
	struct json_in in;
	struct graph *g;

	for (char *p = text; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	if (json_parse(&doc, text, strlen(text), "model", NULL) < 0)
		return NULL;
	in = (struct json_in){ doc, NULL, NULL };
	if (model_read(&g, doc, NULL, NULL, a, &in) < 0)
		g = NULL;
	json_free(doc);
	return g;
}

/* The parent; every child from scratch, and from the parent's weights. */
static int ablate(const struct study *y, const struct engine_conf *c, struct engine_outcome *out, struct arena *a,
		  struct err *e)
{
	struct engine_item items[MEMBERS] = { { .graph = relative(0, a), .replicates = REPLICATES } };

	for (int i = 1; i < MEMBERS; i++)
		items[i] = (struct engine_item){ .graph = relative(1 + (i - 1) / 2, a),
						 .made_from = items[0].graph,
						 .label = arena_printf(a, "child-%d", i),
						 .replicates = REPLICATES,
						 .start_item = i % 2 };
	return engine_train(y, "ablate", items, MEMBERS, NULL, c, out, e);
}

/* Runs the study to its end (or its death). */
static int coordinate(const char *store, int slots)
{
	struct engine_conf c = { .program = program, .store = store };
	struct engine_outcome out;
	struct arena *a = arena_new();
	struct json *doc = NULL;
	struct diag d = { 0 };
	struct err e = { 0 };
	struct json_in in;
	struct study y;
	char text[600];
	cpu_set_t set;
	int rc = -1;

	TRY(json_parse(&doc, document, strlen(document), "test", &e));
	json_put(doc, "backend", json_str(backend));
	json_put(doc, "devices", json_array());
	if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) < slots)
		slots = CPU_COUNT(&set);
	for (int i = 0; i < slots; i++)
		json_push(json_mutable(doc, "devices"), json_str(arena_printf(a, "cpu:%d", i)));
	json_put(json_mutable(doc, "search"), "candidates", json_num(number("NAB_CANDIDATES", 30)));
	in = (struct json_in){ doc, &d, NULL };
	TRY(study_read(&y, doc, NULL, NULL, true, a, &in));
	rc = ablation ? ablate(&y, &c, &out, a, &e) : engine_search(&y, &c, &out, &e);
out:
	if (rc < 0)
		fprintf(stderr, "%s\n", err_text(&e, text, sizeof text));
	return rc;
}

static pid_t start(const char *store, int slots)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(coordinate(store, slots) < 0);
	return pid;
}

static void whole(const char *store, int slots)
{
	int status;
	pid_t pid = start(store, slots);

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static char *table(const char *store)
{
	struct arena *a = arena_new();
	struct str t = { 0 };
	struct store_study y;
	struct err e = { 0 };
	struct store *s;

	if (store_open(&s, store, STORE_READ, &e) < 0 || store_study_find(s, "kills", &y, a, &e) != 1 ||
	    store_trajectory(s, y.id, &t, &e) < 0 || store_check(s, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	store_close(s);
	arena_free(a);
	return str_detach(&t);
}

/* One of the children of a process, at random; 0 if it has none. */
static pid_t some_child(pid_t parent, struct rng *r)
{
	char path[64], text[4096];
	int pids[64], n = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
	f = fopen(path, "re");
	if (!f)
		return 0;
	text[fread(text, 1, sizeof text - 1, f)] = 0;
	fclose(f);
	for (char *p = strtok(text, " "); p && n < 64; p = strtok(NULL, " "))
		pids[n++] = atoi(p);
	return n ? pids[rng_below(r, (uint32_t)n)] : 0;
}

struct kills {
	int coordinators, workers, most_done;
};

/* The number of finished runs; 0 while there is no store, or not yet a whole one. */
static int finished(const char *store)
{
	struct store_summary sum;
	struct err e = { 0 };
	struct store *s;

	if (store_open(&s, store, STORE_READ, &e) < 0) {
		if (e.code != ERR_INVALID)
			fail_msg("%s: %s", e.where, e.msg);
		return 0;
	}
	if (store_summarize(s, 0, &sum, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	store_close(s);
	return (int)sum.runs[STATE_DONE];
}

/* A child to kill; the first one is waited for, on however slow a machine. */
static pid_t victim(pid_t coordinator, const struct kills *k, struct rng *r)
{
	pid_t child = 0;

	if (k->coordinators == 0) /* the first to die is a coordinator, the second a worker, then either */
		return 0;
	if (k->workers && !rng_below(r, 3))
		return 0;
	for (int i = 0; i == 0 || (k->workers == 0 && child == 0 && i < 10000); i++) {
		child = some_child(coordinator, r);
		if (child == 0)
			usleep(1000);
	}
	return child;
}

/* Kills at random moments until `kills` are spent, then lets the search come to its end. `pace`: mean seconds between.
 */
static struct kills disturbed(const char *store, int slots, int kills, double pace, struct rng *r)
{
	struct kills k = { 0 };
	pid_t pid = start(store, slots), child;
	int status, done;

	while (kills > 0) {
		usleep((useconds_t)(1e6 * pace * 2 * rng_real(r)));
		if (waitpid(pid, &status, WNOHANG) == pid) { /* it came to its end before */
			assert_int_equal(status, 0);
			return k;
		}
		done = finished(store);
		assert_true(done >= k.most_done); /* a finished run stays finished */
		k.most_done = done;
		kills--;
		child = victim(pid, &k, r);
		if (child > 0) {
			kill(child, SIGKILL);
			k.workers++;
			continue;
		}
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		k.coordinators++;
		pid = start(store, slots);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return k;
}

static void no_run_twice(const char *store, int expect)
{
	struct arena *a = arena_new();
	struct store_query q = { 0 };
	struct store_item *items;
	struct err e = { 0 };
	struct store *s;
	int n;

	assert_int_equal(store_open(&s, store, STORE_READ, &e), 0);
	assert_int_equal(store_list(s, &q, &items, &n, a, &e), 0);
	assert_int_equal(n, expect);
	for (int i = 0; i < n; i++)
		assert_int_equal(items[i].run.state, STATE_DONE);
	store_close(s);
	arena_free(a);
}

static void kills_leave_no_trace(void)
{
	int runs = ablation ? MEMBERS * REPLICATES : number("NAB_CANDIDATES", 30) + 1, kills = number("NAB_KILLS", 50);
	const char *dir = temp_dir();
	char one[80], two[80], hurt[80];
	double took;
	struct kills k;
	struct rng r;
	char *calm, *other;

	rng_init(&r, (uint64_t)time(NULL), (uint64_t)getpid());
	snprintf(one, sizeof one, "%s/one.db", dir);
	snprintf(two, sizeof two, "%s/two.db", dir);
	snprintf(hurt, sizeof hurt, "%s/hurt.db", dir);

	took = clock_mono();
	whole(one, 1);
	took = clock_mono() - took;
	calm = table(one);
	no_run_twice(one, runs);
	whole(two, 2);
	other = table(two);
	assert_string_equal(other, calm); /* two slots, a second store */
	mem_free(other);

	k = disturbed(hurt, 2, kills, took / kills, &r);
	print_message("# %d coordinators and %d workers killed\n", k.coordinators, k.workers);
	assert_true(k.coordinators > 0 && k.workers > 0);
	no_run_twice(hurt, runs);
	other = table(hurt);
	assert_string_equal(other, calm);
	mem_free(other);
	mem_free(calm);
	temp_clean();
}

static void on_the_cpu_backend(void **state)
{
	(void)state;
	backend = "cpu";
	kills_leave_no_trace();
}

static void on_the_reference(void **state)
{
	(void)state;
	backend = "ref";
	kills_leave_no_trace();
}

static void of_an_ablation(void **state)
{
	(void)state;
	backend = "cpu";
	ablation = true;
	kills_leave_no_trace();
	ablation = false;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(on_the_cpu_backend), cmocka_unit_test(on_the_reference),
					    cmocka_unit_test(of_an_ablation) };

	if (argc > 1 && strcmp(argv[1], "worker") == 0)
		return engine_worker_main(3);
	if (!realpath("/proc/self/exe", program))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
