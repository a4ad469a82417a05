/* engine/persist.c - transactions that wait for a full disk: nothing that a worker has reported is dropped, and
 * nothing new is started meanwhile (this process waits; its workers wait for it, or train on).
 */
#include <poll.h>

#include "base/log.h"
#include "engine/internal.h"

static const int retry_ms = 1000;

static int try_once(struct engine *g, persist_fn *fn, void *arg, struct err *e)
{
	if (store_begin(g->store, e) == 0 && fn(g, arg, e) >= 0 && store_commit(g->store, e) == 0)
		return 0;
	store_rollback(g->store);
	return -1;
}

static double patience(const struct engine *g)
{
	double most = 0;

	for (int i = 0; i < g->n_works; i++)
		if (g->works[i]->study.limits.disk_wait > most)
			most = g->works[i]->study.limits.disk_wait;
	return most;
}

int engine_persist(struct engine *g, persist_fn *fn, void *arg, struct err *e)
{
	double since = clock_mono();
	bool paused = false;
	struct err bad = { 0 };

	while (try_once(g, fn, arg, &bad) < 0) {
		if (!store_disk_full(g->store) || g->signals > 1 || clock_mono() - since > patience(g)) {
			if (e && !e->code)
				*e = bad;
			return -1;
		}
		if (!paused)
			engine_note(g, ENGINE_PAUSED, "%s; waiting, no run is started", bad.msg);
		paused = true;
		err_clear(&bad);
		poll(NULL, 0, retry_ms);
		engine_listen(g);
	}
	if (paused)
		engine_note(g, ENGINE_RESUMED, "there is space on the disk again");
	return 0;
}
