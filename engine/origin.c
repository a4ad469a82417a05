/* engine/origin.c - where runs start that do not start from scratch: with the weights of a parent run, as the
 * continuation of one, or with those of a file, which is kept beside the store.
 *
 * A run of a parent that is still to be trained waits for it (job.parent). One whose parent failed, or whose parent's
 * weights are gone, is infeasible: it never starts from scratch instead.
 */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/initial.h"
#include "engine/internal.h"

static const size_t largest_file = (size_t)1 << 40;

void origin_read(struct origin *o, const char *proposal, struct arena *a)
{
	struct json *doc = NULL;
	const struct json *file, *edits;

	*o = (struct origin){ .paired = true };
	if (json_parse(&doc, proposal, strlen(proposal), "proposal", NULL) < 0)
		return;
	file = json_get(doc, "weights");
	edits = json_get(doc, "edits");
	if (json_string(json_get(doc, "device")))
		o->device = arena_strdup(a, json_string(json_get(doc, "device")));
	o->paired = !json_get(json_get(doc, "inherit_from"), "replicate");
	if (edits) {
		o->edits = json_copy(edits);
		arena_defer(a, (void (*)(void *))json_free, o->edits);
	}
	if (file) {
		o->file = arena_strdup(a, json_string(json_get(file, "name")));
		o->digest = arena_strdup(a, json_string(json_get(file, "digest")));
	}
	json_free(doc);
}

/* ---- pretrained weights --------------------------------------------------------------------------------- */

static char *kept_path(const struct engine *g, const char *digest, struct arena *a)
{
	return arena_printf(a, "%s/pretrained-%s.safetensors", g->files, digest);
}

int origin_keep_file(struct engine *g, const char *path, const char *digest, struct err *e)
{
	struct arena *a = arena_new();
	char *to = kept_path(g, digest, a), *bytes = NULL;
	size_t n;
	int rc = 0;

	if (!file_exists(to)) {
		rc = file_read(&bytes, &n, path, largest_file, false, e);
		if (rc == 0)
			rc = file_write(to, bytes, n, e);
		mem_free(bytes);
	}
	arena_free(a);
	return rc;
}

/* ---- what a worker is told ------------------------------------------------------------------------------ */

enum { REFUSED, PUT };

struct telling {
	struct engine *engine;
	struct json *body;
	struct arena *arena;
	char *why;
	size_t size;
};

static struct json *parsed(const char *text)
{
	struct json *v = NULL;

	return json_parse(&v, text, strlen(text), "store", NULL) < 0 ? json_null() : v;
}

static int put_file(const struct telling *t, const struct origin *o)
{
	const char *path = kept_path(t->engine, o->digest, t->arena);
	struct json *v;

	if (!file_exists(path)) {
		snprintf(t->why, t->size, "the copy of %.80s beside the store is gone: give the file again", o->file);
		return REFUSED;
	}
	v = json_put(t->body, "pretrained", json_object());
	json_put(v, "weights", json_str(path));
	json_put(v, "digest", json_str(o->digest));
	json_put(v, "name", json_str(o->file));
	return PUT;
}

static const char *words_for(const struct store_item *parent, struct arena *a)
{
	return arena_printf(a, "%s (seed %llu)", parent->candidate.label, (unsigned long long)parent->run.seed);
}

static int put_inherited(const struct telling *t, const struct store_item *parent, const struct origin *o,
			 struct err *e)
{
	struct store_model m;
	struct json *v;
	char *weights;

	if (engine_weights_path(&weights, t->engine->store, parent->run.id, t->arena, NULL) < 0) {
		snprintf(t->why, t->size, "the weights of its parent, %.80s, were not kept: raise limits.max_disk",
			 words_for(parent, t->arena));
		return REFUSED;
	}
	if (store_model_get(t->engine->store, parent->model, &m, t->arena, e) < 0)
		return -1;
	v = json_put(t->body, "inherit", json_object());
	json_put(v, "model", parsed(m.json));
	json_put(v, "weights", json_str(weights));
	json_put(v, "from", json_str(words_for(parent, t->arena)));
	if (o->edits)
		json_put(v, "edits", json_copy(o->edits));
	return PUT;
}

/* The run that `item` starts from: of the same replicate, where they go in pairs. */
static int parent_of(struct store_item *out, const struct telling *t, const struct store_item *item,
		     const struct origin *o, struct err *e)
{
	struct store *s = t->engine->store;
	struct store_query q = { 0 };
	struct store_item *runs;
	int n;

	if (store_item_get(s, item->candidate.start_run, out, t->arena, e) < 0)
		return -1;
	if (!o->paired || out->run.replicate == item->run.replicate)
		return 0;
	q.candidate = out->candidate.id;
	if (store_list(s, &q, &runs, &n, t->arena, e) < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		if (runs[i].run.replicate != item->run.replicate)
			continue;
		*out = runs[i];
		return 0;
	}
	return ERR(e, ERR_RUNTIME, store_path(s), "run %lld has no parent of its replicate", (long long)item->run.id);
}

/* A continued run is told its parent's beginning as well: without the checkpoint it is trained from there. */
static int put_start(const struct telling *t, const struct store_item *item, struct err *e)
{
	struct store_item parent;
	struct origin o;

	origin_read(&o, item->candidate.proposal, t->arena);
	if (o.file)
		return put_file(t, &o);
	if (!item->candidate.start_run)
		return PUT;
	if (parent_of(&parent, t, item, &o, e) < 0)
		return -1;
	if (parent.run.state != STATE_DONE) {
		snprintf(t->why, t->size, "its parent, %.80s, ended %s", words_for(&parent, t->arena),
			 run_state_names[parent.run.state]);
		return REFUSED;
	}
	if (!item->candidate.resumes)
		return put_inherited(t, &parent, &o, e);
	if (!json_get(t->body, "continue")) {
		const char *path = file_of_run(t->engine, parent.run.id, FILE_CHECKPOINT, t->arena);

		json_put(json_put(t->body, "continue", json_object()), "checkpoint", json_str(path));
	}
	return put_start(t, &parent, e);
}

int origin_put(struct json *body, struct engine *g, const struct job *j, char *why, size_t size, struct err *e)
{
	struct telling t = { .engine = g, .body = body, .arena = arena_new(), .why = why, .size = size };
	struct store_item item;
	int rc = store_item_get(g->store, j->id, &item, t.arena, e);

	if (rc == 0)
		rc = put_start(&t, &item, e);
	arena_free(t.arena);
	return rc;
}

/* ---- retention ------------------------------------------------------------------------------------------ */

static int add_with_sources(struct store *s, int64_t **list, int *n, int *cap, int64_t run, struct arena *a,
			    struct err *e)
{
	struct store_run r = { .cached_from = run };

	do {
		GROW(*list, *n, *cap);
		(*list)[(*n)++] = r.cached_from;
		if (store_run_get(s, r.cached_from, &r, a, e) < 0)
			return -1;
	} while (r.cached_from);
	return 0;
}

int origin_needed(int64_t **list, int *n, struct store *s, struct arena *a, struct err *e)
{
	struct store_query waiting = { .states = 1U << STATE_QUEUED | 1U << STATE_RUNNING };
	struct store_item *runs, *parents, one;
	int64_t last = 0;
	int n_runs, n_parents, cap = 0;

	*list = NULL;
	*n = 0;
	if (store_list(s, &waiting, &runs, &n_runs, a, e) < 0)
		return -1;
	for (int i = 0; i < n_runs; i++) {
		int64_t start = runs[i].candidate.start_run;
		struct store_query q = { 0 };

		if (!start || start == last)
			continue;
		last = start;
		if (store_item_get(s, start, &one, a, e) < 0)
			return -1;
		q.candidate = one.candidate.id;
		if (store_list(s, &q, &parents, &n_parents, a, e) < 0)
			return -1;
		for (int k = 0; k < n_parents; k++)
			if (add_with_sources(s, list, n, &cap, parents[k].run.id, a, e) < 0)
				return -1;
	}
	return 0;
}
