/* bench/bench_store.c - what recording costs: commits a second as the engine makes them, on a store in the working
 * directory (or the folder given), and how long the list of all runs takes then. Every commit is on the disk when it
 * returns.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/store.h"

enum { RUNS = 2000, EPOCHS = 5 };

static int propose(struct store *s, int64_t study, int i, int64_t *run, struct err *e)
{
	char text[48], json[3000];
	struct store_model m = { .hash = text, .digest = text, .json = json, .summary = "conv2d 16, relu, dense 10" };
	struct store_candidate c = {
		.study = study, .number = i, .label = text, .recipe = "{}", .proposal = "{}", .key = text
	};
	struct store_run r = { .identity = text };

	snprintf(text, sizeof text, "%031d", i);
	memset(json, 'x', sizeof json - 1);
	json[sizeof json - 1] = 0;
	if (store_begin(s, e) < 0 || store_model_put(s, &m, e) < 0)
		return -1;
	c.model = m.id;
	if (store_candidate_add(s, &c, e) < 0)
		return -1;
	r.candidate = c.id;
	if (store_run_add(s, &r, e) < 0 || store_commit(s, e) < 0)
		return -1;
	*run = r.id;
	return 0;
}

static int train(struct store *s, int64_t run, struct err *e)
{
	static uint16_t predicted[1000];
	static int64_t confusion[100];
	struct store_attempt a = { .run = run, .device = "cpu:0", .host = "here", .pid = 1 };
	struct store_evaluation v = {
		.split = 1, .n = 1000, .classes = 10, .confusion = confusion, .predicted = predicted
	};
	struct store_result q = { .state = STATE_DONE, .epochs = EPOCHS, .score = (double)(run % 997) / 997 };

	if (store_attempt_begin(s, &a, e) < 0)
		return -1;
	for (int i = 1; i <= EPOCHS; i++) {
		struct store_epoch row = { .epoch = i, .train_loss = 1.0 / i, .val_loss = 1.1 / i };

		if (store_epoch_put(s, run, &row, e) < 0)
			return -1;
	}
	if (store_begin(s, e) < 0 || store_evaluation_put(s, run, &v, e) < 0 ||
	    store_attempt_end(s, a.id, ATTEMPT_DONE, EPOCHS, 0, NULL, e) < 0 || store_result_put(s, run, &q, e) < 0)
		return -1;
	return store_commit(s, e);
}

static int bench(const char *path, struct err *e)
{
	struct store_study y = { .name = "bench", .kind = "search", .config = "{}", .digest = "d" };
	struct store_query all = { .order = ORDER_SCORE, .descending = true };
	struct arena *a = arena_new();
	struct store_item *items;
	struct store *s;
	double start, took;
	int64_t run;
	int n, rc = -1;

	TRY(store_open(&s, path, STORE_CREATE, e));
	TRY(store_study_add(s, &y, e));
	start = clock_mono();
	for (int i = 0; i < RUNS; i++) {
		TRY(propose(s, y.id, i, &run, e));
		TRY(train(s, run, e));
	}
	took = clock_mono() - start;
	printf("%-16s %9.3f ms a commit, %.2f ms a run of %d epochs\n", "store, commits",
	       1000 * took / RUNS / (EPOCHS + 3), 1000 * took / RUNS, EPOCHS);
	start = clock_mono();
	TRY(store_list(s, &all, &items, &n, a, e));
	printf("%-16s %9.3f ms for %d runs, sorted by score\n", "store, list", 1000 * (clock_mono() - start), n);
	store_close(s);
	rc = 0;
out:
	arena_free(a);
	return rc;
}

int main(int argc, char **argv)
{
	char dir[256], path[300], command[300], text[512];
	struct err e = { 0 };
	int rc;

	snprintf(dir, sizeof dir, "%s/nab-bench-XXXXXX", argc > 1 ? argv[1] : ".");
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof path, "%s/bench.db", dir);
	rc = bench(path, &e);
	if (rc < 0)
		fprintf(stderr, "%s\n", err_text(&e, text, sizeof text));
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	return system(command) != 0 || rc < 0;
}
