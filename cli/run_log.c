/* cli/run_log.c - see run_log.h. */
#include "cli/run_log.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "export/tensorboard.h"
#include "store/store.h"

struct run_log {
	const char *path; /* of the store */
	struct str dir;
	bool warned;
};

struct run_log *run_log_new(const struct study *y, const char *store)
{
	struct run_log *l;

	if (!y->log.n) /* there is but one kind: study_read() sees to it */
		return NULL;
	l = mem_new(sizeof *l);
	l->path = store ? store : y->store;
	str_addf(&l->dir, "%s.tensorboard", l->path);
	return l;
}

void run_log_event(struct run_log *l, const struct engine_event *v)
{
	struct store *store = NULL;
	struct err e = { 0 };
	char text[640];
	int rc;

	if (!l || !v->run || (v->kind != ENGINE_RUN && v->kind != ENGINE_EPOCH && v->kind != ENGINE_RESULT))
		return;
	/* opened for every event: a reader that outlived the engine's writer would keep it from folding the store's log
	 * into the one file that people copy */
	rc = store_open(&store, l->path, STORE_READ, &e);
	if (!rc)
		rc = tensorboard_write(store, v->run, str_get(&l->dir), &e);
	store_close(store);
	if (!rc)
		return;
	if (!l->warned)
		log_msg(LOG_WARN, "no log is written for TensorBoard: %s (the search goes on)",
			err_text(&e, text, sizeof text));
	l->warned = true;
}

void run_log_free(struct run_log *l)
{
	if (!l)
		return;
	str_release(&l->dir);
	mem_free(l);
}
