/* engine/files.c - checkpoints and weights: <store>.files/run-<id>.ckpt and .safetensors. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "engine/internal.h"

char *file_of_run(const struct engine *g, int64_t run, enum file_kind kind, struct arena *a)
{
	return arena_printf(a, "%s/run-%lld.%s", g->files, (long long)run,
			    kind == FILE_CHECKPOINT ? "ckpt" : "safetensors");
}

/* The less useful first: checkpoints of finished runs, then weights of runs that failed or score low. What a run needs
 * to go on or to start from, and the weights of the best one, are never deleted. */
static int by_use(const void *x, const void *y)
{
	const struct store_file *a = x, *b = y;
	double sa = isnan(a->score) ? (double)-INFINITY : a->score, sb = isnan(b->score) ? (double)-INFINITY : b->score;

	if (a->kind != b->kind)
		return a->kind == FILE_CHECKPOINT ? -1 : 1;
	if (sa != sb)
		return sa < sb ? -1 : 1;
	return a->run < b->run ? 1 : a->run > b->run ? -1 : 0;
}

static int drop_file(struct engine *g, void *arg, struct err *e)
{
	const struct store_file *f = arg;

	return store_file_drop(g->store, f->run, f->kind, e);
}

static bool among(const int64_t *list, int n, int64_t run)
{
	for (int i = 0; i < n; i++)
		if (list[i] == run)
			return true;
	return false;
}

int files_retain(struct engine *g, struct work *w, struct err *e)
{
	struct arena *a = arena_new();
	struct store_file *files;
	int64_t total = 0, *needed = NULL;
	int n, n_needed, rc = -1;

	if (w->study.limits.max_disk <= 0) {
		arena_free(a);
		return 0;
	}
	TRY(store_files(g->store, 0, &files, &n, a, e));
	TRY(origin_needed(&needed, &n_needed, g->store, a, e));
	qsort(files, (size_t)n, sizeof *files, by_use);
	for (int i = 0; i < n; i++)
		total += files[i].bytes;
	for (int i = 0; i + 1 < n && total > w->study.limits.max_disk; i++) {
		if (!run_state_final(files[i].state) || among(needed, n_needed, files[i].run))
			continue;
		TRY(engine_persist(g, drop_file, &files[i], e));
		unlink(file_of_run(g, files[i].run, files[i].kind, a));
		total -= files[i].bytes;
	}
	rc = 0;
out:
	mem_free(needed);
	arena_free(a);
	return rc;
}

int engine_weights_path(char **path, struct store *s, int64_t run, struct arena *a, struct err *e)
{
	struct store_file *files;
	struct store_run r;
	int n;

	for (int hops = 0; hops < 16; hops++) {
		if (store_run_get(s, run, &r, a, e) < 0 || store_files(s, run, &files, &n, a, e) < 0)
			return -1;
		for (int i = 0; i < n; i++) {
			if (files[i].kind != FILE_WEIGHTS)
				continue;
			*path = path_join(a, path_dir(a, store_path(s)), files[i].path);
			if (file_exists(*path))
				return 0;
		}
		if (!r.cached_from)
			break;
		run = r.cached_from;
	}
	return ERR(e, ERR_RUNTIME, store_path(s),
		   "the weights of run %lld were not kept: train it again, or raise limits.max_disk", (long long)run);
}
