/* engine/engine.c - see engine.h: a coordinator's whole life, and handing over to another one. */
#include "engine/engine.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "engine/internal.h"
#include "engine/submit.h"

static int sum_up(struct engine *g, struct work *w, struct engine_outcome *out, struct err *e)
{
	struct store_summary s;

	if (store_summarize(g->store, w->id, &s, e) < 0)
		return -1;
	out->study = w->id;
	out->done = s.runs[STATE_DONE];
	out->lost = s.runs[STATE_FAILED];
	out->other = s.runs[STATE_DIVERGED] + s.runs[STATE_OOM] + s.runs[STATE_TIMEOUT] + s.runs[STATE_INFEASIBLE];
	out->best_run = s.best_run;
	out->best_score = s.best_score;
	out->signal = g->last_signal;
	snprintf(out->stopped, sizeof out->stopped, "%s", w->stopped);
	if (g->signals)
		return ERR(e, ERR_INTERRUPTED, NULL, "interrupted; run the same command again to go on");
	if (out->lost)
		return ERR(e, ERR_LOST, w->study.study,
			   "%lld runs failed again and again and were given up: see `nab ls`; --retry tries them again",
			   (long long)out->lost);
	return 0;
}

static void add_work(struct engine *g, struct work *w)
{
	g->works = mem_resize(g->works, (size_t)(g->n_works + 1) * sizeof *g->works);
	g->works[g->n_works++] = w;
}

int engine_search(const struct study *y, const struct engine_conf *c, struct engine_outcome *out, struct err *e)
{
	struct engine g;
	struct work *w;
	int rc = -1;

	*out = (struct engine_outcome){ .best_score = (double)NAN };
	TRY(engine_open(&g, y, c, e));
	TRY(work_open(&w, &g, y, "search", e));
	add_work(&g, w);
	TRY(work_start_search(&g, w, e));
	TRY(engine_run(&g, e));
	rc = sum_up(&g, w, out, e);
out:
	engine_close(&g);
	return rc;
}

/* ---- by hand -------------------------------------------------------------------------------------------- */

static int train_here(const struct study *y, const char *kind, const struct engine_item *items, int n, int64_t *runs,
		      const struct engine_conf *c, struct engine_outcome *out, struct err *e)
{
	struct engine g;
	struct work *w;
	int rc = -1;

	TRY(engine_open(&g, y, c, e));
	TRY(work_open(&w, &g, y, kind, e));
	add_work(&g, w);
	TRY(work_add_items(&g, w, items, n, runs, e));
	TRY(engine_run(&g, e));
	rc = sum_up(&g, w, out, e);
out:
	engine_close(&g);
	return rc;
}

/* How many of the candidates that these runs belong to are final, all replicates of them. */
static int count_final(struct store *s, const int64_t *runs, int n, struct err *e)
{
	struct arena *a = arena_new();
	int final = 0, rc = -1;

	for (int i = 0; i < n; i++) {
		struct store_query q = { 0 };
		struct store_item *items;
		struct store_run r;
		bool all = true;
		int m;

		TRY(store_run_get(s, runs[i], &r, a, e));
		q.candidate = r.candidate;
		TRY(store_list(s, &q, &items, &m, a, e));
		for (int k = 0; k < m; k++)
			all = all && run_state_final(items[k].run.state);
		final += all;
	}
	rc = final;
out:
	arena_free(a);
	return rc;
}

/* Follows the store until the runs are done: 1, or 0 if the coordinator has gone before. */
static int follow(const char *path, const int64_t *runs, int n, const struct engine_conf *c, struct err *e)
{
	struct store *s;
	char who[160];
	int final;

	if (store_open(&s, path, STORE_READ, e) < 0)
		return -1;
	for (;;) {
		bool held = store_holder(path, who, sizeof who);

		final = count_final(s, runs, n, e);
		if (final < 0 || final == n || !held)
			break;
		if (c->on_event) {
			struct engine_event v = { .kind = ENGINE_TICK, .slot = -1, .done = final, .total = n };

			v.score = v.eta = (double)NAN;
			c->on_event(c->arg, &v);
		}
		usleep(500000);
	}
	store_close(s);
	return final < 0 ? -1 : final == n;
}

static int best_of(const char *path, const int64_t *runs, int n, struct engine_outcome *out, struct err *e)
{
	struct arena *a = arena_new();
	struct store_item item;
	struct store *s = NULL;
	int rc = -1;

	TRY(store_open(&s, path, STORE_READ, e));
	for (int i = 0; i < n; i++) {
		TRY(store_item_get(s, runs[i], &item, a, e));
		out->study = item.candidate.study;
		out->done += item.run.state == STATE_DONE;
		out->lost += item.run.state == STATE_FAILED;
		if (!isnan(item.result.score) && !(item.result.score <= out->best_score)) {
			out->best_score = item.result.score;
			out->best_run = item.run.id;
		}
	}
	rc = 0;
out:
	store_close(s);
	arena_free(a);
	return rc;
}

int engine_train(const struct study *y, const char *kind, const struct engine_item *items, int n, int64_t *runs,
		 const struct engine_conf *c, struct engine_outcome *out, struct err *e)
{
	const char *path = c->store ? c->store : y->store;
	int64_t *ids = runs ? runs : mem_new((size_t)n * sizeof *ids);
	int rc = -1, followed;

	*out = (struct engine_outcome){ .best_score = (double)NAN };
	for (;;) {
		struct err here = { 0 };

		rc = train_here(y, kind, items, n, ids, c, out, &here);
		if (rc == 0 || here.code != ERR_BUSY) {
			if (rc < 0 && e && !e->code)
				*e = here;
			break;
		}
		rc = submit_work(path, y, kind, items, n, ids, e);
		if (rc == 1)
			continue;
		out->handed_over = rc == 0;
		if (rc < 0 || c->no_wait)
			break;
		followed = follow(path, ids, n, c, e);
		rc = followed < 0 ? -1 : 0;
		if (followed) /* else its coordinator has ended: this process becomes it */
			break;
	}
	if (rc == 0 && out->handed_over && !c->no_wait)
		rc = best_of(path, ids, n, out, e);
	if (!runs)
		mem_free(ids);
	return rc;
}
