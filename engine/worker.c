/* engine/worker.c - a worker: a process that trains runs on one device, one in each of its lanes.
 *
 * A lane is a thread with a backend of its own that trains one run after the other; the data sets are shared. The main
 * thread listens to the coordinator. The worker keeps data and backends from run to run and reads no database. What it
 * says: every epoch's record (also those of earlier attempts, which the checkpoint holds, with "earlier": the
 * coordinator may have died before it stored them), steps now and then, and a result. It ends when the coordinator
 * ends, and when the device is lost: then every backend in the process is of no use.
 *
 * A MESSAGE_RUN: run, attempt (64-bit), model, recipe, seed, dataset, identity (of the data, as hash text), backend,
 * threads, tune, memory, seconds, checkpoint (path), every and every_seconds (between checkpoints), weights (path to
 * write), and what it starts from, each optional: "continue": {"checkpoint":}, "inherit": {"model":, "weights":,
 * "edits":, "from": (in words)}, "pretrained": {"weights":, "digest":, "name":}.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "arch/model.h"
#include "arch/recipe.h"
#include "arch/weights.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/engine.h"
#include "engine/evaluation.h"
#include "engine/initial.h"
#include "engine/message.h"
#include "train/checkpoint.h"
#include "train/train.h"

enum { LANES = 256, STATUS_LOST = 3 };

struct order { /* a run that came and is not finished */
	struct order *next;
	struct json *job;
	bool taken; /* by a lane */
	atomic_bool stop;
};

struct data { /* a data set that was opened */
	struct data *next;
	char *key; /* its document */
	struct dataset *set;
	struct arena *arena;
	int users;
};

struct worker {
	struct channel channel; /* read by the main thread */
	pthread_mutex_t sending;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t came;  /* an order, or the end */
	struct order *orders; /* in the order in which they came */
	bool over;
	int n_lanes, most_lanes, idle;
	pthread_t lanes[LANES];
	pthread_mutex_t data_lock;
	struct data *data; /* guarded by data_lock, which is held while one is opened */
};

struct lane {
	struct worker *worker;
	const struct backend *backend;
	struct backend_ctx *ctx;
	struct str ctx_key; /* what ctx was made for */
	/* of the run in hand */
	struct order *order;
	const struct json *job;
	struct data *data;
	const char *start_code, *start_text; /* finding: where its first numbers come from; text NULL: from scratch */
	double file_bytes;                   /* of its checkpoint, about */
	double said;                         /* clock of the last step message */
};

static const double step_interval_s = 0.25;

/* ---- talking -------------------------------------------------------------------------------------------- */

/* A coordinator that has gone is noticed by the main thread. */
static void tell(struct worker *w, enum message_type type, struct json *body, const void *blob, size_t n)
{
	pthread_mutex_lock(&w->sending);
	message_send(w->channel.fd, type, body, blob, n, NULL);
	pthread_mutex_unlock(&w->sending);
}

static void say(struct lane *l, enum message_type type, struct json *body, const void *blob, size_t n)
{
	json_put(body, "run", json_i64(json_get_i64(l->job, "run")));
	json_put(body, "attempt", json_i64(json_get_i64(l->job, "attempt")));
	tell(l->worker, type, body, blob, n);
}

static int on_epoch(void *arg, const struct epoch_record *r)
{
	struct lane *l = arg;

	say(l, MESSAGE_EPOCH, epoch_write(r), NULL, 0);
	return atomic_load(&l->order->stop);
}

static bool stopped(void *arg)
{
	struct lane *l = arg;

	return atomic_load(&l->order->stop);
}

static void on_step(void *arg, int epoch, int64_t step, int64_t steps, double loss)
{
	struct lane *l = arg;
	double now = clock_mono();
	struct json *body;

	if (now - l->said < step_interval_s)
		return;
	l->said = now;
	body = json_object();
	json_put(body, "epoch", json_num(epoch));
	json_put(body, "step", json_i64(step));
	json_put(body, "steps", json_i64(steps));
	json_put(body, "loss", json_real(loss));
	say(l, MESSAGE_STEP, body, NULL, 0);
}

/* ---- what is kept from run to run ----------------------------------------------------------------------- */

static bool same_key(struct str *key, const struct json *v)
{
	struct str now = { 0 };
	bool same;

	json_print(&now, v);
	same = key->s && strcmp(key->s, str_get(&now)) == 0;
	str_release(key);
	*key = now;
	return same;
}

static void free_data(struct data *d)
{
	if (d->set)
		dataset_close(d->set);
	arena_free(d->arena);
	mem_free(d->key);
	mem_free(d);
}

/* Closes those that nobody uses. */
static void drop_data(struct worker *w)
{
	for (struct data **at = &w->data; *at;) {
		struct data *d = *at;

		if (d->users) {
			at = &d->next;
			continue;
		}
		*at = d->next;
		free_data(d);
	}
}

static int load_data(struct data *d, const struct json *from, struct err *e)
{
	struct diag g = { 0 };
	struct dataset_spec spec;
	struct json *doc = json_copy(from);
	struct json_in in = { doc, &g, "dataset" };
	int rc;

	d->arena = arena_new();
	arena_defer(d->arena, (void (*)(void *))json_free, doc);
	rc = dataset_spec_read(&spec, doc, NULL, d->arena, &in);
	if (rc < 0)
		diag_check(&g, ERR_INVALID, NULL, e);
	diag_release(&g);
	return rc < 0 ? -1 : dataset_open(&d->set, &spec, e);
}

/* The data set of a document, opened if it is not there; the caller holds data_lock. */
static struct data *find_data(struct worker *w, const struct json *doc, struct err *e)
{
	struct str key = { 0 };
	struct data *d;

	json_print(&key, doc);
	for (d = w->data; d; d = d->next) {
		if (strcmp(d->key, key.s) == 0) {
			str_release(&key);
			return d;
		}
	}
	drop_data(w);
	d = mem_new(sizeof *d);
	d->key = str_detach(&key);
	if (load_data(d, doc, e) < 0) {
		free_data(d);
		return NULL;
	}
	d->next = w->data;
	w->data = d;
	return d;
}

static int open_data(struct lane *l, struct err *e)
{
	struct worker *w = l->worker;
	char hex[HASH_TEXT];
	const char *expect = json_string(json_get(l->job, "identity"));

	pthread_mutex_lock(&w->data_lock);
	l->data = find_data(w, json_get(l->job, "dataset"), e);
	if (l->data)
		l->data->users++;
	pthread_mutex_unlock(&w->data_lock);
	if (!l->data)
		return -1;
	if (!expect || strcmp(expect, hash_text(hex, l->data->set->identity)))
		return ERR(e, ERR_INVALID, l->data->set->name, "the data are not those that the study began with");
	return 0;
}

static void leave_data(struct lane *l)
{
	if (!l->data)
		return;
	pthread_mutex_lock(&l->worker->data_lock);
	l->data->users--;
	pthread_mutex_unlock(&l->worker->data_lock);
	l->data = NULL;
}

static int open_backend(struct lane *l, struct err *e)
{
	const char *name = json_string(json_get(l->job, "backend"));
	struct json *key = json_object();
	struct backend_conf conf = { .threads = (int)json_get_real(l->job, "threads"),
				     .tune = json_true(json_get(l->job, "tune")),
				     .most_bytes = json_get_i64(l->job, "memory") };
	bool same;

	json_put(key, "backend", json_str(name ? name : ""));
	json_put(key, "threads", json_num(conf.threads));
	json_put(key, "tune", json_bool(conf.tune));
	json_put(key, "memory", json_i64(conf.most_bytes));
	same = same_key(&l->ctx_key, key) && l->ctx;
	json_free(key);
	if (same)
		return 0;
	if (l->ctx)
		l->backend->close(l->ctx);
	l->ctx = NULL;
	l->backend = backend_find(name ? name : "");
	if (!l->backend)
		return ERR(e, ERR_INVALID, NULL, "there is no backend \"%s\"", name ? name : "");
	if (l->backend->probe(e) < 0)
		return -1;
	return l->backend->open(&l->ctx, &conf, e);
}

/* ---- a run ---------------------------------------------------------------------------------------------- */

static int read_model(struct graph **out, const struct json *doc, struct arena *a, struct err *e)
{
	struct diag d = { 0 };
	struct json_in in = { doc, &d, NULL };
	int rc = model_read(out, doc, NULL, NULL, a, &in);

	if (rc < 0 && d.errors)
		diag_check(&d, ERR_INVALID, "model", e);
	else if (rc < 0)
		ERR(e, ERR_INVALID, "model", "cannot be read");
	diag_release(&d);
	return rc;
}

static int read_recipe(struct recipe *r, const struct json *doc, struct arena *a, struct err *e)
{
	struct diag d = { 0 };
	struct json_in in = { doc, &d, NULL };
	int rc = recipe_read(r, doc, a, &in);

	if (rc < 0)
		diag_check(&d, ERR_INVALID, "recipe", e);
	diag_release(&d);
	return rc;
}

/* Tells again what the checkpoint knows. A checkpoint that is damaged is of no use: the run starts afresh. */
static void tell_earlier_epochs(struct lane *l, const char *path)
{
	struct checkpoint c;

	if (!path || !file_exists(path))
		return;
	if (checkpoint_load(&c, path, NULL) < 0) {
		unlink(path);
		return;
	}
	for (int i = 0; i < c.n_epochs; i++) {
		struct json *body = epoch_write(&c.epochs[i]);

		json_put(body, "earlier", json_bool(true));
		say(l, MESSAGE_EPOCH, body, NULL, 0);
	}
	checkpoint_release(&c);
}

/* A run that continues another one starts from a copy of its checkpoint. If that was not kept it trains from the start,
 * which gives the same bits. */
static void copy_checkpoint(const struct json *from, const char *to)
{
	const char *path = json_string(json_get(from, "checkpoint"));
	char *bytes;
	size_t n;

	if (!path || !to || file_exists(to) || file_read(&bytes, &n, path, SIZE_MAX / 4, false, NULL) < 0)
		return;
	file_write(to, bytes, n, NULL);
	mem_free(bytes);
}

static int inherit(struct initial *out, struct lane *l, const struct graph *g, const struct json *from, struct arena *a,
		   struct err *e)
{
	const char *path = json_string(json_get(from, "weights")), *whose = json_string(json_get(from, "from"));
	struct initial_parent p = { .path = path ? path : "", .edits = json_get(from, "edits") };
	struct graph *parent;

	if (read_model(&parent, json_get(from, "model"), a, e) < 0)
		return -1;
	p.graph = parent;
	if (initial_inherit(out, g, &p, json_get_u64(l->job, "seed"), a, e) < 0)
		return -1;
	l->start_code = "inherited";
	l->start_text = arena_printf(a, "starts from %s: %s", whose ? whose : "its parent", out->text);
	return 0;
}

static int load_pretrained(struct initial *out, struct lane *l, const struct graph *g, const struct json *from,
			   struct arena *a, struct err *e)
{
	const char *path = json_string(json_get(from, "weights")), *name = json_string(json_get(from, "name"));
	const char *digest = json_string(json_get(from, "digest"));
	char hex[HASH_TEXT];

	if (initial_load(out, g, path ? path : "", json_get_u64(l->job, "seed"), NULL, e) < 0)
		return -1;
	if (!digest || strcmp(digest, hash_text(hex, out->digest)) != 0)
		return ERR(e, ERR_INVALID, path, "the weights are not those that the run was made for");
	l->start_code = "pretrained";
	l->start_text = arena_printf(a, "starts from %s: %s", name ? name : "a file", out->text);
	return 0;
}

/* The numbers that it starts from, if not its own. What cannot be had makes the run infeasible, never one from scratch:
 * 1, with the reason in `result`. */
static int first_numbers(struct weights **out, struct lane *l, const struct graph *g, struct run_result *result,
			 struct arena *a, struct err *e)
{
	const struct json *parent = json_get(l->job, "inherit"), *file = json_get(l->job, "pretrained");
	struct initial start = { 0 };
	struct err bad = { 0 };
	int rc = 0;

	l->start_text = NULL;
	if (parent)
		rc = inherit(&start, l, g, parent, a, &bad);
	else if (file)
		rc = load_pretrained(&start, l, g, file, a, &bad);
	if (rc == 0) {
		*out = start.weights;
		return 0;
	}
	weights_free(start.weights);
	if (bad.code != ERR_INVALID) {
		*e = bad;
		return -1;
	}
	result->status = RUN_INFEASIBLE;
	err_text(&bad, result->reason, sizeof result->reason);
	return 1;
}

static void put_findings(struct json *body, const struct lane *l, const struct run_result *r, const struct graph *g)
{
	struct json *list = json_put(body, "findings", json_array());

	if (l->start_text) {
		struct json *one = json_push(list, json_object());

		json_put(one, "code", json_str(l->start_code));
		json_put(one, "text", json_str(l->start_text));
	}
	for (int i = 0; i < r->n_findings; i++) {
		const struct finding *f = &r->findings[i];
		struct json *one = json_push(list, json_object());

		json_put(one, "code", json_str(f->code));
		json_put(one, "text", json_str(f->text));
		if (f->node >= 0 && f->node < g->n_nodes)
			json_put(one, "layer", json_str(g->nodes[f->node].id));
	}
}

static void say_result(struct lane *l, const struct run_result *r, const struct graph *g, int64_t weight_bytes)
{
	struct json *body = json_object();
	size_t n = evaluation_blob_size(&r->val);
	char *blob = mem_new(n + 1);

	json_put(body, "status", json_str(run_status_names[r->status]));
	json_put(body, "reason", json_str(r->status == RUN_DONE ? "" : r->reason));
	json_put(body, "epochs", json_num(r->epochs));
	json_put(body, "best_epoch", json_num(r->best_epoch));
	json_put(body, "best_accuracy", json_real(r->best_accuracy));
	json_put(body, "restored", json_bool(r->restored));
	json_put(body, "bytes", json_i64(r->bytes));
	json_put(body, "seconds", json_real(r->seconds));
	json_put(body, "weight_bytes", json_i64(weight_bytes));
	put_findings(body, l, r, g);
	if (r->val.n) {
		json_put(body, "evaluation", evaluation_write(&r->val, l->data->set));
		evaluation_blob(&r->val, blob);
	} else {
		n = 0;
	}
	say(l, MESSAGE_RESULT, body, blob, n);
	mem_free(blob);
}

static int64_t file_size(const char *path)
{
	struct stat st;

	return path && stat(path, &st) == 0 ? st.st_size : 0;
}

/* Weights beyond this machine's memory end the run, not the worker. */
static int room_for_weights(struct weights **out, const struct graph *g, struct run_result *r, struct err *e)
{
	*out = weights_new(g, e);
	if (*out)
		return 0;
	r->status = RUN_OOM;
	err_text(e, r->reason, sizeof r->reason);
	err_clear(e);
	return 1;
}

static int train(struct lane *l, struct arena *a, struct err *e)
{
	const char *checkpoint = json_string(json_get(l->job, "checkpoint"));
	const char *weights = json_string(json_get(l->job, "weights"));
	struct run_result result = { 0 };
	struct weights *start = NULL, *final = NULL;
	struct recipe recipe;
	struct graph *g;
	struct run_spec spec;
	int rc = -1, refused;

	TRY(open_backend(l, e));
	TRY(read_model(&g, json_get(l->job, "model"), a, e));
	TRY(read_recipe(&recipe, json_get(l->job, "recipe"), a, e));
	copy_checkpoint(json_get(l->job, "continue"), checkpoint);
	tell_earlier_epochs(l, checkpoint);
	refused = first_numbers(&start, l, g, &result, a, e);
	TRY(refused);
	if (refused || room_for_weights(&final, g, &result, e)) {
		say_result(l, &result, g, 0);
		rc = 0;
		goto out;
	}
	l->file_bytes = 4.0 * sizeof *final->data * (double) final->total; /* weights, two moments, the best epoch's */
	spec = (struct run_spec){
		.graph = g,
		.recipe = &recipe,
		.data = l->data->set,
		.seed = json_get_u64(l->job, "seed"),
		.start = start,
		.checkpoint = checkpoint,
		.checkpoint_every = (int)json_get_real(l->job, "every"),
		.checkpoint_seconds = json_get_real(l->job, "every_seconds"),
		.max_seconds = json_get_real(l->job, "seconds"),
		.on_epoch = on_epoch,
		.on_step = on_step,
		.stopped = stopped,
		.arg = l,
	};
	TRY(train_run(l->backend, l->ctx, &spec, &result, final, e));
	if (weights && result.status == RUN_DONE)
		TRY(weights_save(final, weights, NULL, e));
	say_result(l, &result, g, result.status == RUN_DONE ? file_size(weights) : 0);
	rc = 0;
out:
	weights_free(start);
	weights_free(final);
	run_result_release(&result);
	return rc;
}

/* Whether a failure is due to a full disk: too little left for a checkpoint where files are written. */
static bool is_disk_full(const struct lane *l)
{
	const char *path = json_string(json_get(l->job, "checkpoint"));
	struct arena *a = arena_new();
	struct statvfs fs;
	bool full = false;

	if (path && statvfs(path_dir(a, path), &fs) == 0)
		full = (double)fs.f_bavail * (double)fs.f_frsize < l->file_bytes + (1 << 20) ||
		       (fs.f_files && fs.f_favail == 0);
	arena_free(a);
	return full;
}

/* What is in flight in this process cannot be saved: the coordinator tries it again with another one. */
static void end_if_lost(struct lane *l, const struct err *e)
{
	struct json *body;
	char text[512];

	if (!l->ctx || !l->backend->lost || !l->backend->lost(l->ctx))
		return;
	body = json_object();
	json_put(body, "text", json_str(err_text(e, text, sizeof text)));
	tell(l->worker, MESSAGE_LOST, body, NULL, 0);
	_exit(STATUS_LOST);
}

static void serve(struct lane *l, struct order *t)
{
	struct arena *a = arena_new();
	struct err e = { 0 };
	bool wrong_data;

	l->order = t;
	l->job = t->job;
	l->said = l->file_bytes = 0;
	wrong_data = open_data(l, &e) < 0;
	if (wrong_data || train(l, a, &e) < 0) {
		struct json *body = json_object();

		end_if_lost(l, &e);
		json_put(body, "data", json_bool(wrong_data));
		json_put(body, "code", json_num(e.code));
		json_put(body, "where", json_str(e.where));
		json_put(body, "text", json_str(e.msg));
		json_put(body, "disk", json_bool(is_disk_full(l)));
		say(l, MESSAGE_FAIL, body, NULL, 0);
	}
	leave_data(l);
	l->order = NULL;
	l->job = NULL;
	arena_free(a);
}

/* ---- lanes ---------------------------------------------------------------------------------------------- */

/* The next order that nobody has; NULL at the end. */
static struct order *take_order(struct worker *w)
{
	struct order *t = NULL;

	pthread_mutex_lock(&w->lock);
	w->idle++;
	for (;;) {
		for (t = w->orders; t && t->taken; t = t->next)
			;
		if (t || w->over)
			break;
		pthread_cond_wait(&w->came, &w->lock);
	}
	w->idle--;
	if (t)
		t->taken = true;
	pthread_mutex_unlock(&w->lock);
	return t;
}

static void drop_order(struct worker *w, struct order *t)
{
	struct order **at = &w->orders;

	pthread_mutex_lock(&w->lock);
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	pthread_mutex_unlock(&w->lock);
	json_free(t->job);
	mem_free(t);
}

static void *run_lane(void *arg)
{
	struct lane l = { .worker = arg };
	struct order *t;

	while ((t = take_order(l.worker))) {
		serve(&l, t);
		drop_order(l.worker, t);
	}
	if (l.ctx)
		l.backend->close(l.ctx);
	str_release(&l.ctx_key);
	return NULL;
}

/* A lane is made when an order finds none that is idle. */
static int add_order(struct worker *w, struct message *m)
{
	struct order *t = mem_new(sizeof *t), **at = &w->orders;
	int waiting = 1, rc = 0;

	t->job = m->body;
	m->body = NULL;
	pthread_mutex_lock(&w->lock);
	for (; *at; at = &(*at)->next)
		waiting += !(*at)->taken;
	*at = t;
	if (waiting > w->idle && w->n_lanes < w->most_lanes)
		rc = pthread_create(&w->lanes[w->n_lanes], NULL, run_lane, w) == 0 ? 1 : -1;
	if (rc == 1)
		w->n_lanes++;
	pthread_cond_signal(&w->came);
	pthread_mutex_unlock(&w->lock);
	return rc < 0 && w->n_lanes == 0 ? -1 : 0;
}

static void stop_order(struct worker *w, int64_t attempt)
{
	pthread_mutex_lock(&w->lock);
	for (struct order *t = w->orders; t; t = t->next)
		if (json_get_i64(t->job, "attempt") == attempt)
			atomic_store(&t->stop, true);
	pthread_mutex_unlock(&w->lock);
}

/* Runs that are under way end at their epoch, with a checkpoint. */
static void end_lanes(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	w->over = true;
	for (struct order *t = w->orders; t; t = t->next)
		atomic_store(&t->stop, true);
	pthread_cond_broadcast(&w->came);
	pthread_mutex_unlock(&w->lock);
	for (int i = 0; i < w->n_lanes; i++)
		pthread_join(w->lanes[i], NULL);
}

/* ---- the process ---------------------------------------------------------------------------------------- */

/* Its device's cores alone: devices do not disturb each other, and times are comparable. */
static void take_cores(const struct json *list)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	JSON_EACH(v, list) {
		double core = json_number(v);

		if (core >= 0 && core < CPU_SETSIZE)
			CPU_SET((int)core, &set);
	}
	if (CPU_COUNT(&set))
		sched_setaffinity(0, sizeof set, &set);
}

/* A card that does not answer is told here, and not by run after run that fails. */
static int probe(struct worker *w, const char *name)
{
	const struct backend *b = name ? backend_find(name) : NULL;
	struct json *body;
	struct err e = { 0 };
	char text[512];

	if (!name || (b && b->probe(&e) == 0))
		return 0;
	body = json_object();
	json_put(body, "text", json_str(b ? err_text(&e, text, sizeof text) : "there is no such backend"));
	tell(w, MESSAGE_LOST, body, NULL, 0);
	return -1;
}

static int set_up(struct worker *w, const struct json *setup)
{
	double lanes = json_get_real(setup, "lanes");
	struct json *body;

	take_cores(json_get(setup, "cores"));
	w->most_lanes = lanes >= 1 && lanes <= LANES ? (int)lanes : 1;
	if (probe(w, json_string(json_get(setup, "probe"))) < 0)
		return -1;
	body = json_object();
	json_put(body, "pid", json_num((double)getpid()));
	tell(w, MESSAGE_READY, body, NULL, 0);
	return 0;
}

static int answer(struct worker *w, struct message *m)
{
	switch (m->type) {
	case MESSAGE_SETUP:
		return set_up(w, m->body);
	case MESSAGE_RUN:
		return add_order(w, m);
	case MESSAGE_STOP:
		stop_order(w, json_get_i64(m->body, "attempt"));
		return 0;
	case MESSAGE_READY:
	case MESSAGE_STEP:
	case MESSAGE_EPOCH:
	case MESSAGE_RESULT:
	case MESSAGE_FAIL:
	case MESSAGE_LOST:
	case MESSAGE_SUBMIT:
	case MESSAGE_ACCEPTED:
	case MESSAGE_REFUSED:
	case MESSAGE_COUNT:
		break;
	}
	return -1;
}

int engine_worker_main(int fd)
{
	struct worker w = { .channel = { .fd = fd }, .most_lanes = 1 };
	struct message m;
	int rc = 1;

	pthread_mutex_init(&w.sending, NULL);
	pthread_mutex_init(&w.lock, NULL);
	pthread_mutex_init(&w.data_lock, NULL);
	pthread_cond_init(&w.came, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_IGN); /* the coordinator decides */
	signal(SIGPIPE, SIG_IGN);
	while ((rc = channel_wait(&w.channel, &m, -1)) == 1) {
		int ok = answer(&w, &m);

		message_release(&m);
		if (ok < 0)
			break;
	}
	end_lanes(&w);
	drop_data(&w);
	channel_release(&w.channel);
	pthread_cond_destroy(&w.came);
	pthread_mutex_destroy(&w.data_lock);
	pthread_mutex_destroy(&w.lock);
	pthread_mutex_destroy(&w.sending);
	return rc == 1;
}
