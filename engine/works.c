/* engine/works.c - studies and their candidates, in the store and in memory.
 *
 * One transaction stores a proposal: model, candidate, its runs, and the position of the search. A result is another
 * (attempts.c). So a coordinator that dies at any moment leaves a store from which the next one goes on: it takes a new
 * search through the same asks and tells, and checks that the same proposals come out.
 */
#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arch/recipe.h"
#include "base/file.h"
#include "base/host.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "dataset/write.h"
#include "engine/evaluation.h"
#include "engine/initial.h"
#include "engine/internal.h"
#include "space/space.h"
#include "train/batch.h"
#include "train/train.h"

static char *printed(const struct json *v, struct arena *a)
{
	struct str t = { 0 };
	char *out;

	json_print(&t, v);
	out = arena_strdup(a, str_get(&t));
	str_release(&t);
	return out;
}

static char *hash_of(const char *text, struct arena *a)
{
	char hex[HASH_TEXT];

	return arena_strdup(a, hash_text(hex, hash128(text, strlen(text))));
}

/* ---- opening a study ------------------------------------------------------------------------------------ */

static struct json *describe_env(const struct study *y, enum device_kind kind)
{
	const char *backend = study_backend(y, kind);
	struct json *out = json_object();
	char text[256] = "", cpu[160];

	backend_find(backend)->describe(text, sizeof text);
	json_put(out, "nab", json_str(NAB_VERSION));
	json_put(out, "processor", json_str(host_processor(cpu, sizeof cpu)));
	json_put(out, "backend", json_str(backend));
	json_put(out, "about", json_str(text));
	json_put(out, "threads", json_num(y->threads));
	json_put(out, "tune", json_bool(y->tune));
	return out;
}

/* What models are made for: the data's shape, at the scale that the recipe asks for. */
static int read_target(struct work *w, const struct dataset *d, struct err *e)
{
	struct recipe r;

	if (study_recipe(&r, &w->study, w->arena, e) < 0)
		return -1;
	w->example = d->shape;
	w->search_ctx.target.input = batch_shape(d, r.fidelity.image);
	w->search_ctx.target.task = d->task;
	w->search_ctx.target.classes = d->task == TASK_REGRESS ? 1 : d->classes;
	return 0;
}

struct opening {
	struct work *w;
	const struct study *asked;
	const char *kind;
	struct store_data data;
	struct store_study row;
	bool resumed;
	struct store_truth truths[2]; /* of the validation and the test split */
	int n_truths;
};

static int read_data(struct opening *o, struct err *e)
{
	struct work *w = o->w;
	struct dataset *d;
	struct json *info;
	int rc = -1;

	if (dataset_open(&d, &o->asked->spec, e) < 0)
		return -1;
	TRY(read_target(w, d, e));
	info = dataset_info(d);
	w->data_identity = arena_strdup(w->arena, json_string(json_get(info, "identity")));
	o->data = (struct store_data){ .digest = w->data_identity,
				       .name = arena_strdup(w->arena, d->name),
				       .spec = printed(o->asked->dataset, w->arena),
				       .info = printed(info, w->arena) };
	json_free(info);
	for (enum split k = SPLIT_VALIDATION; k <= SPLIT_TEST; k++)
		o->n_truths += evaluation_truth(&o->truths[o->n_truths], d, k, w->arena);
	rc = 0;
out:
	dataset_close(d);
	return rc;
}

/* Labels are stored once; stores of older programs get theirs when a study is taken up again. */
static int truth_rows(struct engine *g, const struct opening *o, struct err *e)
{
	for (int i = 0; i < o->n_truths; i++) {
		struct store_truth there;
		int found = store_truth_get(g->store, o->row.data, o->truths[i].split, &there, o->w->arena, e);

		if (found < 0 || (!found && store_truth_put(g->store, o->row.data, &o->truths[i], e) < 0))
			return -1;
	}
	return 0;
}

static int study_rows(struct engine *g, void *arg, struct err *e)
{
	struct opening *o = arg;

	if (o->resumed) {
		if (truth_rows(g, o, e) < 0)
			return -1;
		if (store_study_set_config(g->store, o->row.id, o->row.config, e) < 0)
			return -1;
		return store_study_set_state(g->store, o->row.id, STUDY_OPEN, e);
	}
	if (store_data_put(g->store, &o->data, e) < 0)
		return -1;
	o->row.data = o->data.id;
	if (truth_rows(g, o, e) < 0)
		return -1;
	return store_study_add(g->store, &o->row, e);
}

/* The stored document, with today's budgets and places. */
static struct json *merged(const struct json *stored, const struct json *now)
{
	static const char *const free_keys[] = { "stop", "devices", "in_flight", "store", "limits" };
	struct json *out = json_copy(stored);

	for (size_t i = 0; i < sizeof free_keys / sizeof *free_keys; i++)
		json_put(out, free_keys[i], json_copy(json_get(now, free_keys[i])));
	json_put(json_mutable(out, "search"), "candidates", json_copy(json_get(json_get(now, "search"), "candidates")));
	json_put(json_mutable(out, "dataset"), "dir", json_copy(json_get(json_get(now, "dataset"), "dir")));
	if (!json_get(json_get(now, "dataset"), "dir"))
		json_drop(json_mutable(out, "dataset"), "dir");
	return out;
}

static int refuse_edited(const struct opening *o, const struct json *stored, struct err *e)
{
	struct str difference = { 0 };
	int rc = 0;

	study_difference(&difference, stored, o->asked->doc);
	if (difference.len)
		rc = ERR(e, ERR_INVALID, o->asked->study,
			 "is stored with another configuration; give the edited study another name:\n%s", difference.s);
	str_release(&difference);
	return rc;
}

static int check_same_data(struct engine *g, const struct opening *o, struct err *e)
{
	struct store_data d;

	if (store_data_get(g->store, o->row.data, &d, o->w->arena, e) < 0)
		return -1;
	if (strcmp(d.digest, o->w->data_identity) != 0)
		return ERR(e, ERR_INVALID, o->asked->study,
			   "began with other data (%s now differ): restore them, or give the study another name",
			   o->data.name);
	return 0;
}

/* Reads the document that decides: the stored one where there is one. */
static int settle_document(struct engine *g, struct opening *o, struct err *e)
{
	struct work *w = o->w;
	struct json *stored = NULL, *doc;
	struct diag d = { 0 };
	struct json_in in;
	int rc = -1;

	if (o->resumed) {
		TRY(json_parse(&stored, o->row.config, strlen(o->row.config), o->asked->study, e));
		TRY(refuse_edited(o, stored, e));
		TRY(check_same_data(g, o, e));
	}
	doc = stored ? merged(stored, o->asked->doc) : json_copy(o->asked->doc);
	arena_defer(w->arena, (void (*)(void *))json_free, doc);
	in = (struct json_in){ doc, &d, NULL };
	if (study_read(&w->study, doc, NULL, NULL, false, w->arena, &in) < 0) {
		diag_check(&d, ERR_INVALID, o->asked->study, e);
		goto out;
	}
	o->row.config = printed(w->study.doc, w->arena);
	rc = 0;
out:
	diag_release(&d);
	json_free(stored);
	return rc;
}

static int load_candidates(struct engine *g, struct work *w, struct err *e);

static void read_elapsed(struct opening *o)
{
	struct json *search = NULL;

	if (o->row.search && json_parse(&search, o->row.search, strlen(o->row.search), "search", NULL) == 0) {
		double s = json_get_real(search, "elapsed");

		o->w->elapsed = isnan(s) ? 0 : s;
	}
	json_free(search);
}

static int open_study(struct engine *g, struct opening *o, struct err *e)
{
	struct work *w = o->w;
	struct str fixed = { 0 };
	struct json *env;
	int rc = store_study_find(g->store, o->asked->study, &o->row, w->arena, e);

	if (rc < 0)
		return -1;
	o->resumed = rc == 1;
	if (o->resumed && strcmp(o->row.kind, o->kind) != 0)
		return ERR(e, ERR_INVALID, o->asked->study,
			   "is the name of a study of another kind (%s) in this store: give another name", o->row.kind);
	/* what is read of the study that was asked for is enough to know what the data are */
	w->study = *o->asked;
	if (read_data(o, e) < 0 || settle_document(g, o, e) < 0)
		return -1;
	env = describe_env(&w->study, study_kind(&w->study));
	w->env = printed(env, w->arena);
	json_free(env);
	if (!o->resumed) {
		study_fixed(&fixed, w->study.doc);
		o->row = (struct store_study){ .name = w->study.study,
					       .kind = o->kind,
					       .config = o->row.config,
					       .digest = hash_of(str_get(&fixed), w->arena),
					       .space = w->study.space ? printed(w->study.space, w->arena) : NULL,
					       .env = w->env };
		str_release(&fixed);
	}
	read_elapsed(o);
	if (engine_persist(g, study_rows, o, e) < 0)
		return -1;
	w->id = o->row.id;
	w->kind = arena_strdup(w->arena, o->kind);
	w->learns = strcmp(o->kind, "search") == 0 && w->study.search_cfg.strategy->lag > 0;
	return o->resumed ? load_candidates(g, w, e) : 0;
}

int work_open(struct work **out, struct engine *g, const struct study *y, const char *kind, struct err *e)
{
	struct work *w = mem_new(sizeof *w);
	struct opening o = { .w = w, .asked = y, .kind = kind };
	const char *text;

	w->arena = arena_new();
	w->proposals = arena_new();
	w->began = clock_mono();
	w->last = NOT_JUDGED;
	if (open_study(g, &o, e) < 0) {
		work_free(w);
		return -1;
	}
	text = !o.resumed ? "a new study" : w->n ? "resumed" : "taken up again";
	engine_remember(g, w->id, "started", text);
	engine_note(g, ENGINE_STARTED, "%s: %s", y->study, text);
	*out = w;
	return 0;
}

void work_free(struct work *w)
{
	if (!w)
		return;
	search_free(w->search);
	arena_free(w->proposals);
	arena_free(w->arena);
	mem_free(w->candidates);
	mem_free(w->by_number);
	mem_free(w);
}

/* ---- candidates in memory ------------------------------------------------------------------------------- */

static void keep_candidate(struct work *w, struct candidate *c)
{
	GROW(w->candidates, w->n, w->cap);
	w->candidates[w->n++] = c;
}

static struct candidate *candidate_from(struct work *w, const struct store_candidate *row)
{
	struct candidate *c = ARENA_NEW(w->arena, struct candidate);

	*c = (struct candidate){
		.id = row->id,
		.model = row->model,
		.number = row->number,
		.work = w,
		.origin = row->origin,
		.label = arena_strdup(w->arena, row->label),
		.recipe = arena_strdup(w->arena, row->recipe),
		.surplus = row->surplus,
		.start_run = row->start_run,
	};
	return c;
}

/* Whose runs the runs of c wait for, where they are of this work. */
static void link_parents(struct candidate *c)
{
	const struct work *w = c->work;

	for (int i = 0; c->start_run && i < w->n; i++) {
		struct candidate *p = w->candidates[i];

		if (p->n_jobs == 0 || p->jobs[0].id != c->start_run)
			continue;
		for (int k = 0; k < c->n_jobs; k++)
			c->jobs[k].parent = &p->jobs[c->paired && k < p->n_jobs ? k : 0];
	}
}

static int load_deaths(struct engine *g, struct job *t, struct arena *a, struct err *e)
{
	struct store_attempt *all;
	int n;

	if (store_attempts(g->store, t->id, &all, &n, a, e) < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		if (all[i].state == ATTEMPT_DIED || all[i].state == ATTEMPT_FAILED)
			job_died(t, all[i].epoch, INT_MAX);
		else if (all[i].state == ATTEMPT_STOPPED)
			t->deaths = 0;
		t->suspect =
		    all[i].state == ATTEMPT_DIED || (t->suspect && t->deaths > 0 && all[i].state == ATTEMPT_LOST);
	}
	return 0;
}

static int load_job(struct engine *g, struct candidate *c, const struct store_run *row, struct arena *a, struct err *e)
{
	struct job *t = &c->jobs[c->n_jobs++];
	struct store_result r;

	*t = (struct job){ .id = row->id,
			   .candidate = c,
			   .replicate = row->replicate,
			   .seed = row->seed,
			   .state = row->state,
			   .score = (double)NAN };
	if (!run_state_final(row->state))
		return load_deaths(g, t, a, e);
	if (!c->work->learns)
		unlink(file_of_run(g, t->id, FILE_CHECKPOINT, a)); /* a crash may have left it */
	if (store_result_get(g->store, t->id, &r, a, e) < 0)
		return -1;
	t->score = r.score;
	t->epochs = r.epochs;
	return 0;
}

static int retry_rows(struct engine *g, void *arg, struct err *e)
{
	const int64_t *run = arg;

	return store_run_retry(g->store, *run, e);
}

static bool may_be_retried(enum run_state s)
{
	return s == STATE_FAILED || s == STATE_OOM || s == STATE_TIMEOUT;
}

/* What was refused for its parent's sake waits for it again. */
static int retry_children(struct engine *g, struct candidate *c, struct err *e)
{
	for (int k = 0; k < c->n_jobs; k++) {
		struct job *t = &c->jobs[k];

		if (t->state != STATE_INFEASIBLE || !t->parent || run_state_final(t->parent->state))
			continue;
		if (engine_persist(g, retry_rows, &t->id, e) < 0)
			return -1;
		t->state = STATE_QUEUED;
		t->score = (double)NAN;
	}
	return 0;
}

/* A run that no device serves would wait for ever. */
static int check_place(const struct engine *g, const struct work *w, const char *label, const char *pin, struct err *e)
{
	for (int i = 0; i < g->n_devices; i++)
		if (device_serves(&g->devices[i], &w->study, pin))
			return 0;
	if (!pin)
		return ERR(e, ERR_INVALID, w->study.study,
			   "is for the backend \"%s\": there is no device for it at work", w->study.backend);
	return ERR(e, ERR_INVALID, label, "is made for the device \"%s\": there is none among \"devices\"", pin);
}

static int load_candidates(struct engine *g, struct work *w, struct err *e)
{
	struct arena *a = arena_new();
	struct store_candidate *rows;
	struct store_run *runs;
	int n, n_runs, at = 0, rc = -1;

	TRY(store_candidates(g->store, w->id, &rows, &n, a, e));
	TRY(store_runs(g->store, w->id, &runs, &n_runs, a, e));
	for (int i = 0; i < n; i++) {
		struct candidate *c = candidate_from(w, &rows[i]);
		struct origin o;
		int first = at;

		origin_read(&o, rows[i].proposal, a);
		c->paired = o.paired;
		c->device = o.device ? arena_strdup(w->arena, o.device) : NULL;

		while (at < n_runs && runs[at].candidate == c->id)
			at++;
		c->jobs = ARENA_ARRAY(w->arena, struct job, at - first + 1);
		for (int k = first; k < at; k++) {
			if (g->conf->retry_failed && may_be_retried(runs[k].state)) {
				TRY(engine_persist(g, retry_rows, &runs[k].id, e));
				runs[k].state = STATE_QUEUED;
			}
			TRY(load_job(g, c, &runs[k], a, e));
		}
		keep_candidate(w, c);
		if (!candidate_final(c))
			TRY(check_place(g, w, c->label, c->device, e));
	}
	for (int i = 0; i < w->n; i++) {
		link_parents(w->candidates[i]);
		if (g->conf->retry_failed)
			TRY(retry_children(g, w->candidates[i], e));
	}
	rc = 0;
out:
	arena_free(a);
	return rc;
}

/* ---- adding a candidate --------------------------------------------------------------------------------- */

struct adding {
	struct work *work;
	struct store_model model, made_from; /* made_from.digest NULL: of none that is to be stored with it */
	struct store_candidate row;
	int replicates;
	const struct candidate *from; /* replicate r starts from replicate r of it; NULL: none */
	bool edited;                  /* its weights are carried over by edits */
	const char *device;           /* see struct candidate */
	bool own_precision;           /* its recipe says it itself, not the study's */
	const char *how;              /* what else decides where its runs start: edits, the digest of a file; or "" */
	struct arena *scratch;        /* until it is stored */
	struct candidate *out;        /* NULL: its key is there already */
};

/* Everything that decides a run's bits. */
/* What the score of a run is, for its identity: a stored score is reused only where it means the same. */
static const char *judged_by(const struct work *w, struct arena *a)
{
	const char *objective = w->study.objective;
	const struct json *slices = json_get(w->study.dataset, "slices");

	if (strcmp(objective, "accuracy") == 0)
		return "";
	if (strncmp(objective, "slice:", 6) != 0 || !slices)
		return arena_printf(a, "|%s", objective);
	return arena_printf(a, "|%s|%s", objective, printed(slices, a));
}

/* The kind of device that a candidate is trained on. */
static enum device_kind kind_of(const struct adding *p)
{
	return p->device ? study_device_kind(p->device) : study_kind(&p->work->study);
}

static const char *env_of(const struct adding *p, struct arena *a)
{
	const struct study *y = &p->work->study;
	struct json *env;
	const char *text;

	if (kind_of(p) == study_kind(y))
		return p->work->env;
	env = describe_env(y, kind_of(p));
	text = printed(env, a);
	json_free(env);
	return text;
}

static char *identity_of(const struct adding *p, uint64_t seed, const char *start, struct arena *a)
{
	const struct work *w = p->work;
	char *text =
	    arena_printf(a, "%s|%s|%llu|%s|%s|%lld|%a|%s|%d%s", p->model.digest, p->row.recipe,
			 (unsigned long long)seed, w->data_identity, env_of(p, a), (long long)w->study.limits.memory,
			 w->study.limits.run_seconds, start, (int)p->row.resumes, judged_by(w, a));

	return hash_of(text, a);
}

/* What a replicate starts from, for its identity: that of its parent run, and how. "": from scratch. */
static int start_text(const char **out, struct engine *g, struct adding *p, int replicate, struct err *e)
{
	int64_t run = p->from && replicate < p->from->n_jobs ? p->from->jobs[replicate].id : p->row.start_run;
	struct store_run parent = { .identity = "" };

	if (run && store_run_get(g->store, run, &parent, p->scratch, e) < 0)
		return -1;
	*out = arena_printf(p->scratch, "%s%s", parent.identity, p->how ? p->how : "");
	return 0;
}

static int add_run(struct engine *g, struct adding *p, int replicate, struct err *e)
{
	struct work *w = p->work;
	struct candidate *c = p->out;
	struct job *t = &c->jobs[replicate];
	struct store_run row = { .candidate = c->id, .replicate = replicate };
	struct store_result r;
	const char *start;
	int64_t from = 0;

	if (start_text(&start, g, p, replicate, e) < 0)
		return -1;
	row.seed = w->study.seed0 + (uint64_t)replicate;
	row.identity = identity_of(p, row.seed, start, p->scratch);
	if (!g->conf->fresh_only && store_run_cached(g->store, row.identity, &from, e) < 0)
		return -1;
	if (store_run_add(g->store, &row, e) < 0)
		return -1;
	*t = (struct job){ .id = row.id, .candidate = c, .replicate = replicate, .seed = row.seed };
	t->score = (double)NAN;
	c->n_jobs = replicate + 1;
	if (!from)
		return 0;
	if (store_run_copy(g->store, row.id, from, e) < 0 || store_result_get(g->store, row.id, &r, p->scratch, e) < 0)
		return -1;
	t->state = r.state;
	t->score = r.score;
	t->epochs = r.epochs;
	return 0;
}

/* A user is told at once that the weights to start from are not there; a search learns it as a result. */
static int check_start(struct engine *g, const struct adding *p, struct err *e)
{
	char *path;

	if (p->row.origin == ORIGIN_SEARCH || !p->row.start_run || p->from || candidate_final(p->out))
		return 0;
	return engine_weights_path(&path, g->store, p->row.start_run, p->scratch, e);
}

static int search_position(struct engine *g, const struct work *w, struct err *e)
{
	struct json *v = json_object();
	struct str t = { 0 };
	int rc;

	json_put(v, "asked", json_num(w->n_asked));
	json_put(v, "elapsed", json_num(w->elapsed + clock_mono() - w->began));
	if (w->search && w->study.the_space)
		json_put(v, "stats", space_stats_write(search_stats(w->search), w->study.the_space));
	if (w->search && search_note(w->search)[0])
		json_put(v, "note", json_str(search_note(w->search)));
	json_print(&t, v);
	rc = store_study_set_search(g->store, w->id, t.s, e);
	json_free(v);
	str_release(&t);
	return rc;
}

static int candidate_rows(struct engine *g, void *arg, struct err *e)
{
	struct adding *p = arg;
	int rc;

	p->out = NULL;
	if (store_model_put(g->store, &p->model, e) < 0)
		return -1;
	p->row.model = p->model.id;
	if (p->made_from.digest) {
		if (store_model_put(g->store, &p->made_from, e) < 0)
			return -1;
		p->row.parent = p->made_from.id;
	}
	rc = store_candidate_add(g->store, &p->row, e);
	if (rc <= 0)
		return rc;
	p->out = candidate_from(p->work, &p->row);
	p->out->paired = p->from != NULL;
	p->out->device = p->device ? arena_strdup(p->work->arena, p->device) : NULL;
	p->out->jobs = ARENA_ARRAY(p->work->arena, struct job, p->replicates);
	for (int i = 0; i < p->replicates; i++)
		if (add_run(g, p, i, e) < 0)
			return -1;
	link_parents(p->out);
	if (check_start(g, p, e) < 0)
		return -1;
	return search_position(g, p->work, e);
}

static int fill_model(struct store_model *m, const struct graph *graph, struct arena *a, struct err *e)
{
	struct json *doc = model_write(graph);
	struct str summary = { 0 };
	char hex[HASH_TEXT];
	struct cost c;

	*m = (struct store_model){ .name = graph->name, .json = printed(doc, a) };
	json_free(doc);
	if (graph_cost(graph, &c, e) < 0)
		return -1;
	graph_summary(&summary, graph);
	m->summary = arena_strdup(a, str_get(&summary));
	str_release(&summary);
	m->hash = arena_strdup(a, hash_text(hex, graph_hash(graph)));
	m->digest = arena_strdup(a, hash_text(hex, graph_digest(graph)));
	m->params = c.params;
	m->macs = c.macs;
	m->activations = c.activations;
	m->weight_bytes = c.weight_bytes;
	m->train_bytes = c.train_bytes;
	m->depth = c.depth;
	m->layers = c.layers;
	return 0;
}

/* The complete recipe of a proposal, its fidelity included, as text; *scale gets that fidelity. What is pinned to
 * another kind of device than the study's has the precision of that kind. */
static int fill_recipe(struct adding *add, struct fidelity *scale, const struct json *given,
		       const struct proposal_fidelity *f, struct err *e)
{
	struct json *doc = given ? json_copy(given) : json_object(), *whole;
	struct diag d = { 0 };
	struct json_in in = { doc, &d, NULL };
	struct recipe r;
	int rc = recipe_read(&r, doc, add->scratch, &in);

	if (rc < 0)
		diag_check(&d, ERR_INVALID, "train", e);
	diag_release(&d);
	json_free(doc);
	if (rc < 0)
		return -1;
	if (kind_of(add) != study_kind(&add->work->study) && !add->own_precision)
		r.precision = study_precision(kind_of(add));
	if (f->epochs > 0) {
		r.horizon = r.horizon ? r.horizon : r.epochs;
		r.epochs = f->epochs;
	}
	r.fidelity.data *= f->data;
	r.fidelity.image *= f->image;
	r.fidelity.width *= f->width;
	*scale = r.fidelity;
	whole = recipe_write(&r);
	add->row.recipe = printed(whole, add->scratch);
	json_free(whole);
	return 0;
}

/* A model at a scale: what is stored and trained. A search draws for scaled images already. */
static int fill_scaled(struct store_model *m, const struct adding *add, const struct graph *graph,
		       const struct fidelity *scale, struct err *e)
{
	struct graph *scaled = (struct graph *)(uintptr_t)graph; /* only read */
	bool whole_images = shape_equal(&graph->inputs[0].shape, &add->work->example);

	if (scale->width != 1 || (scale->image != 1 && whole_images)) {
		if (graph_scale(&scaled, graph, whole_images ? scale->image : 1, scale->width, add->scratch, e) < 0) {
			err_within(e, "train.fidelity");
			return -1;
		}
	}
	return fill_model(m, scaled, add->scratch, e);
}

/* The recipe, and the model at the scale of its fidelity; the same for the model that it was made from, if given. */
static int fill_both(struct adding *add, const struct graph *graph, const struct graph *made_from,
		     const struct json *recipe, const struct proposal_fidelity *f, struct err *e)
{
	struct fidelity scale;

	if (fill_recipe(add, &scale, recipe, f, e) < 0)
		return -1;
	if (scale.width != 1 && add->edited)
		return ERR(e, ERR_INVALID, "train.fidelity.width",
			   "weights cannot be inherited at another width: what the edits say is meant for the whole "
			   "width");
	if (made_from && fill_scaled(&add->made_from, add, made_from, &scale, e) < 0)
		return -1;
	return fill_scaled(&add->model, add, graph, &scale, e);
}

/* Where a model is to be trained: what its layers say, all the same. */
static int find_pin(struct engine *g, struct adding *add, const struct graph *graph, const char *label, struct err *e)
{
	for (int i = 0; i < graph->n_nodes; i++) {
		const char *device = graph->nodes[i].device;

		if (!device)
			continue;
		if (study_device_kind(device) == DEVICE_KIND_COUNT)
			return ERR(e, ERR_INVALID, label,
				   "layer %s: \"%s\" is no device: write cpu, cuda, or one of "
				   "\"devices\"",
				   graph->nodes[i].id, device);
		if (add->device && strcmp(add->device, device) != 0)
			return ERR(e, ERR_INVALID, label, "is trained on one device: its layers name %s and %s",
				   add->device, device);
		add->device = device;
	}
	return check_place(g, add->work, label, add->device, e);
}

static const char *proposal_text(const struct proposal *p, const char *device, struct arena *a)
{
	struct json *v = json_object();
	char *text;

	if (device)
		json_put(v, "device", json_str(device));
	if (p->fidelity.epochs)
		json_put(v, "epochs", json_num(p->fidelity.epochs));
	if (p->fidelity.data != 1)
		json_put(v, "data", json_num(p->fidelity.data));
	if (p->fidelity.image != 1)
		json_put(v, "image", json_num(p->fidelity.image));
	if (p->fidelity.width != 1)
		json_put(v, "width", json_num(p->fidelity.width));
	if (p->continue_from >= 0)
		json_put(v, "continue_from", json_num(p->continue_from));
	if (p->inherit_from >= 0)
		json_put(v, "inherit_from", json_num(p->inherit_from));
	if (p->note)
		json_put(v, "note", json_str(p->note));
	text = printed(v, a);
	json_free(v);
	return text;
}

static const struct proposal plain = { .fidelity = { 0, 1, 1, 1 }, .continue_from = -1, .inherit_from = -1 };

/* ---- the search ----------------------------------------------------------------------------------------- */

static void know_number(struct work *w, struct candidate *c)
{
	GROW(w->by_number, w->n_asked, w->cap_asked);
	assert(c->number == w->n_asked);
	w->by_number[w->n_asked++] = c;
}

static void tell(struct work *w, struct candidate *c)
{
	double score = candidate_score(c);
	struct search_result r = { .index = (int)c->number,
				   .state = isnan(score) ? RESULT_FAILED : RESULT_DONE,
				   .score = score,
				   .cost = c->cost,
				   .proposal = c->proposal };

	search_tell(w->search, &r);
}

/* A proposal's graph is needed later only by strategies that learn. */
static void remember_proposal(struct work *w, struct candidate *c, const struct proposal *p)
{
	struct err e = { 0 };

	graph_cost(p->graph, &c->cost, &e);
	if (w->learns) {
		c->proposal = ARENA_NEW(w->arena, struct proposal);
		*c->proposal = *p;
	} else {
		arena_reset(w->proposals);
	}
}

static void forbid_baselines(struct work *w)
{
	struct proposal p = plain;

	p.recipe = study_recipe_json(&w->study);
	for (int i = 0; i < w->study.n_models; i++) {
		p.graph = w->study.models[i];
		search_forbid(w->search, &p);
	}
	json_free(p.recipe);
}

static int add_by_hand(struct engine *g, struct work *w, enum store_origin origin, const struct engine_item *item,
		       const struct candidate *from, struct candidate **out, struct err *e);

static int add_baselines(struct engine *g, struct work *w, struct err *e)
{
	for (int i = 0; i < w->study.n_models; i++) {
		struct engine_item item = { .graph = w->study.models[i] };
		struct candidate *c;

		if (add_by_hand(g, w, ORIGIN_BASELINE, &item, NULL, &c, e) < 0)
			return -1;
	}
	return 0;
}

static int by_number(struct work *w, struct candidate **out)
{
	int n = 0;

	for (int i = 0; i < w->n; i++)
		if (w->candidates[i]->origin == ORIGIN_SEARCH)
			out[n++] = w->candidates[i];
	return n;
}

/* Takes the new search through what was asked and told before. */
static int replay(struct engine *g, struct work *w, struct err *e)
{
	struct candidate **stored = ARENA_ARRAY(w->arena, struct candidate *, w->n + 1);
	int n = by_number(w, stored), rc;
	char hex[HASH_TEXT];

	for (int k = 0; k < n; k++) {
		struct store_candidate row;
		struct proposal p;

		rc = search_ready(w->search, k) ? search_ask(w->search, k, &p, w->proposals, e) : 0;
		if (rc < 0)
			return -1;
		if (store_candidate_get(g->store, stored[k]->id, &row, w->proposals, e) < 0)
			return -1;
		if (rc == 0 && w->study.search_cfg.candidates && k >= w->study.search_cfg.candidates)
			break; /* the budget was lowered since: what is there stays, the search ends here */
		if (rc == 0 || strcmp(row.key, hash_text(hex, p.identity)) != 0)
			return ERR(e, ERR_INVALID, w->study.study,
				   "candidate %d does not come out as it is stored: this nab draws differently from "
				   "the one that began the study; begin a new one",
				   k);
		know_number(w, stored[k]);
		remember_proposal(w, stored[k], &p);
		if (candidate_final(stored[k]))
			tell(w, stored[k]);
	}
	return 0;
}

static int surplus_rows(struct engine *g, void *arg, struct err *e)
{
	struct work *w = arg;

	for (int i = 0; i < w->n; i++) {
		struct candidate *c = w->candidates[i];

		if (c->surplus != work_is_surplus(w, c) &&
		    store_candidate_set_surplus(g->store, c->id, !c->surplus, e) < 0)
			return -1;
	}
	return 0;
}

static int judge(struct engine *g, struct work *w, bool first, struct err *e)
{
	int before = w->last;

	work_judge(w);
	if (w->last == before && !first)
		return 0;
	if (engine_persist(g, surplus_rows, w, e) < 0)
		return -1;
	for (int i = 0; i < w->n; i++)
		w->candidates[i]->surplus = work_is_surplus(w, w->candidates[i]);
	return 0;
}

int work_start_search(struct engine *g, struct work *w, struct err *e)
{
	w->search_ctx.space = w->study.the_space;
	w->search_ctx.recipe = w->study.train;
	if (search_new(&w->search, &w->study.search_cfg, &w->search_ctx, e) < 0)
		return -1;
	if (w->learns && g->n_slots > search_lag(w->search))
		engine_note(g, ENGINE_NOTE, "search.lag is %d: of %d slots some will wait", search_lag(w->search),
			    g->n_slots);
	forbid_baselines(w);
	if (add_baselines(g, w, e) < 0 || replay(g, w, e) < 0)
		return -1;
	return judge(g, w, true, e);
}

static void name_parent(struct adding *add, const struct work *w, const struct proposal *p)
{
	int from = p->continue_from >= 0 ? p->continue_from : p->inherit_from;

	if (from < 0 || from >= w->n_asked)
		return;
	add->from = w->by_number[from];
	add->row.start_run = add->from->jobs[0].id;
	add->row.resumes = p->continue_from >= 0;
	add->row.parent = add->from->model;
}

static int store_proposal(struct adding *add, struct engine *g, struct proposal *p, struct err *e)
{
	struct work *w = add->work;
	char hex[HASH_TEXT];

	add->row = (struct store_candidate){ .study = w->id, .origin = ORIGIN_SEARCH, .number = w->n_asked };
	add->row.label = arena_printf(add->scratch, "%s-%d", w->study.study, w->n_asked);
	add->row.key = arena_strdup(add->scratch, hash_text(hex, p->identity));
	if (find_pin(g, add, p->graph, add->row.label, e) < 0)
		return -1;
	add->row.proposal = proposal_text(p, add->device, add->scratch);
	name_parent(add, w, p);
	if (fill_both(add, p->graph, NULL, p->recipe, &p->fidelity, e) < 0 ||
	    engine_persist(g, candidate_rows, add, e) < 0)
		return -1;
	if (!add->out)
		return ERR(e, ERR_INVALID, w->study.study,
			   "candidate %d is stored under another number: the store was changed by hand", w->n_asked);
	return 0;
}

static int add_proposal(struct engine *g, struct work *w, struct proposal *p, struct err *e)
{
	struct adding add = { .work = w, .replicates = w->study.replicates, .scratch = arena_new() };
	struct engine_event v = { .kind = ENGINE_CANDIDATE, .slot = -1, .score = (double)NAN };
	int rc = -1;

	TRY(store_proposal(&add, g, p, e));
	keep_candidate(w, add.out);
	know_number(w, add.out);
	remember_proposal(w, add.out, p);
	v.label = add.out->label;
	v.text = add.model.summary;
	engine_emit(g, v);
	rc = candidate_final(add.out) ? work_settle(g, w, add.out, e) : 0;
out:
	arena_free(add.scratch);
	return rc;
}

int work_ask(struct engine *g, struct work *w, struct err *e)
{
	int64_t most = w->study.search_cfg.candidates;
	struct err bad = { 0 };
	struct proposal p;
	int rc;

	if (!w->search || w->exhausted || w->last != NOT_JUDGED || (most > 0 && w->n_asked >= most) ||
	    !search_ready(w->search, w->n_asked))
		return 0;
	rc = search_ask(w->search, w->n_asked, &p, w->proposals, &bad);
	/* when nothing more is found, what was found before is still brought to its end */
	if (rc == 0 || (rc < 0 && bad.code == ERR_INFEASIBLE && w->n_asked > 0)) {
		w->exhausted = true;
		snprintf(w->stopped, sizeof w->stopped, "%.150s", rc ? bad.msg : search_note(w->search));
		return 0;
	}
	if (rc < 0) {
		*e = bad;
		return -1;
	}
	return add_proposal(g, w, &p, e) < 0 ? -1 : 1;
}

/* ---- work by hand --------------------------------------------------------------------------------------- */

static bool label_taken(const struct work *w, const char *label)
{
	for (int i = 0; i < w->n; i++)
		if (strcmp(w->candidates[i]->label, label) == 0)
			return true;
	return false;
}

static const char *free_label(const struct work *w, const char *label)
{
	const char *out = arena_strdup(w->arena, label);

	for (int i = 2; label_taken(w, out); i++)
		out = arena_printf(w->arena, "%s-%d", label, i);
	return out;
}

static int64_t next_number(const struct work *w, enum store_origin origin)
{
	int64_t n = 0;

	for (int i = 0; i < w->n; i++)
		n += w->candidates[i]->origin == origin;
	return n;
}

static struct candidate *with_id(const struct work *w, int64_t id)
{
	for (int i = 0; i < w->n; i++)
		if (w->candidates[i]->id == id)
			return w->candidates[i];
	return NULL;
}

/* {"label": of the parent, "study": if it is another one, "replicate": unless the runs go in pairs} */
static struct json *inherited(const char *label, const char *study, int replicate)
{
	struct json *v = json_object();

	json_put(v, "label", json_str(label));
	if (study)
		json_put(v, "study", json_str(study));
	if (replicate >= 0)
		json_put(v, "replicate", json_num(replicate));
	return v;
}

static int start_from_run(struct engine *g, struct adding *add, const struct engine_item *item, struct json *proposal,
			  struct err *e)
{
	struct store_item parent;
	bool other;

	if (store_item_get(g->store, item->start_run, &parent, add->scratch, e) < 0)
		return -1;
	if (parent.run.state != STATE_DONE)
		return ERR(e, ERR_INVALID, parent.candidate.label,
			   "run %lld is %s: only the weights of a run that is done can be inherited",
			   (long long)item->start_run, run_state_names[parent.run.state]);
	other = parent.candidate.study != add->work->id;
	add->row.start_run = item->start_run;
	json_put(proposal, "inherit_from",
		 inherited(parent.candidate.label, other ? parent.study : NULL, parent.run.replicate));
	return 0;
}

static int start_from_item(struct adding *add, const struct candidate *from, struct json *proposal, struct err *e)
{
	if (add->replicates > from->n_jobs)
		return ERR(e, ERR_INVALID, from->label,
			   "has %d runs, too few for a model of %d runs that inherits from it run by run", from->n_jobs,
			   add->replicates);
	add->from = from;
	add->row.start_run = from->jobs[0].id;
	json_put(proposal, "inherit_from", inherited(from->label, NULL, -1));
	return 0;
}

/* Weights of a file are checked before anything is stored. */
static int start_from_file(struct engine *g, struct adding *add, const struct engine_item *item, struct json *proposal,
			   struct err *e)
{
	char hex[HASH_TEXT];
	struct initial start;
	struct json *v;
	int rc = initial_load(&start, item->graph, item->weights, add->work->study.seed0, NULL, e);

	weights_free(start.weights);
	if (rc < 0)
		return -1;
	hash_text(hex, start.digest);
	v = json_put(proposal, "weights", json_object());
	json_put(v, "name", json_str(path_base(item->weights)));
	json_put(v, "digest", json_str(hex));
	add->how = arena_printf(add->scratch, "file:%s", hex);
	return origin_keep_file(g, item->weights, hex, e);
}

/* Where the runs of an item start: into the row, its proposal and what its runs are known by. */
static int fill_start(struct engine *g, struct adding *add, const struct engine_item *item,
		      const struct candidate *from, struct err *e)
{
	struct json *proposal = json_object();
	char noise[32];
	int rc = 0;

	if (!!item->start_run + !!from + !!item->weights > 1)
		rc = ERR(e, ERR_INVALID, item->label, "a model can start from one place only");
	else if (item->weights)
		rc = start_from_file(g, add, item, proposal, e);
	else if (item->start_run)
		rc = start_from_run(g, add, item, proposal, e);
	else if (from)
		rc = start_from_item(add, from, proposal, e);
	if (add->device)
		json_put(proposal, "device", json_str(add->device));
	if (rc == 0 && item->edits && add->row.start_run) {
		add->edited = true;
		json_put(proposal, "edits", json_copy(item->edits));
		json_put(proposal, "noise", json_num(INITIAL_NOISE));
		add->how = arena_printf(add->scratch, "|%s|%s", printed(item->edits, add->scratch),
					str_real(noise, INITIAL_NOISE));
	}
	add->row.proposal = printed(proposal, add->scratch);
	json_free(proposal);
	return rc;
}

/* What is new: the model with its recipe, and where it starts. */
static int fill_key(struct engine *g, struct adding *add, const struct proposal *p, struct err *e)
{
	const char *start;
	char hex[HASH_TEXT];

	add->row.key = arena_strdup(add->scratch, hash_text(hex, proposal_identity(p)));
	if (start_text(&start, g, add, 0, e) < 0)
		return -1;
	if (start[0])
		add->row.key = hash_of(arena_printf(add->scratch, "%s|%s", hex, start), add->scratch);
	return 0;
}

/* Adds a model; from: the candidate that it inherits from run by run, or NULL. *out is the candidate (an older one if
 * it is there already). */
static int add_by_hand(struct engine *g, struct work *w, enum store_origin origin, const struct engine_item *item,
		       const struct candidate *from, struct candidate **out, struct err *e)
{
	struct adding add = { .work = w, .scratch = arena_new() };
	const char *label = item->label ? item->label : item->graph->name ? item->graph->name : "model";
	struct json *recipe = study_recipe_json(&w->study);
	struct proposal p = plain;
	int rc = -1;

	JSON_EACH(v, item->recipe)
		json_put(recipe, json_key(v), json_copy(v));
	add.replicates = item->replicates ? item->replicates : w->study.replicates;
	add.row.study = w->id;
	add.row.origin = origin;
	add.own_precision = json_get(item->recipe, "precision") != NULL;
	TRY(find_pin(g, &add, item->graph, label, e));
	TRY(fill_start(g, &add, item, from, e));
	TRY(fill_both(&add, item->graph, item->made_from, recipe, &p.fidelity, e));
	p.graph = (struct graph *)(uintptr_t)item->graph; /* only read */
	p.recipe = recipe;
	TRY(fill_key(g, &add, &p, e));
	add.row.number = next_number(w, origin);
	add.row.label = free_label(w, label);
	add.row.change = item->change ? printed(item->change, add.scratch) : NULL;
	TRY(engine_persist(g, candidate_rows, &add, e));
	if (add.out)
		keep_candidate(w, add.out);
	*out = add.out ? add.out : with_id(w, add.row.id);
	rc = *out ? 0 : ERR(e, ERR_RUNTIME, w->study.study, "a candidate of the study is not in memory");
out:
	json_free(recipe);
	arena_free(add.scratch);
	return rc;
}

int work_add_items(struct engine *g, struct work *w, const struct engine_item *items, int n, int64_t *runs,
		   struct err *e)
{
	struct candidate **made = mem_new((size_t)(n + 1) * sizeof *made);
	int rc = -1;

	for (int i = 0; i < n; i++) {
		int from = items[i].start_item;

		if (from < 0 || from > i) {
			ERR(e, ERR_INVALID, items[i].label, "a model inherits from one that comes before it");
			goto out;
		}
		TRY(add_by_hand(g, w, ORIGIN_USER, &items[i], from ? made[from - 1] : NULL, &made[i], e));
		runs[i] = made[i]->jobs[0].id;
	}
	rc = 0;
out:
	mem_free(made);
	return rc;
}

/* ---- results -------------------------------------------------------------------------------------------- */

static int position_row(struct engine *g, void *arg, struct err *e)
{
	return search_position(g, arg, e);
}

int work_settle(struct engine *g, struct work *w, struct candidate *c, struct err *e)
{
	if (!candidate_final(c))
		return 0;
	if (w->search && c->origin == ORIGIN_SEARCH)
		tell(w, c);
	if (engine_persist(g, position_row, w, e) < 0)
		return -1;
	return w->search ? judge(g, w, false, e) : 0;
}

struct finish_arg {
	struct work *work;
	enum study_state state;
};

static int finish_rows(struct engine *g, void *arg, struct err *e)
{
	struct finish_arg *p = arg;

	if (search_position(g, p->work, e) < 0)
		return -1;
	return store_study_set_state(g->store, p->work->id, p->state, e);
}

int work_finish(struct engine *g, struct work *w, bool interrupted, struct err *e)
{
	struct finish_arg arg = { w, interrupted ? STUDY_INTERRUPTED : STUDY_FINISHED };

	if (!interrupted && !w->stopped[0]) {
		if (!work_in_time(w, clock_mono()))
			snprintf(w->stopped, sizeof w->stopped, "%g seconds are over", w->study.stop.seconds);
		else if (w->search)
			snprintf(w->stopped, sizeof w->stopped, "%d candidates", w->n_asked);
	}
	if (engine_persist(g, finish_rows, &arg, e) < 0)
		return -1;
	engine_remember(g, w->id, interrupted ? "interrupted" : "finished",
			interrupted     ? "it can be resumed"
			: w->stopped[0] ? w->stopped
					: "all runs have ended");
	return 0;
}
