/* engine/worker.c - a worker: a process that trains runs one after the other on one device slot.
 *
 * It keeps the data set and the backend from run to run and reads no database. What it says: every epoch's record (also
 * those of earlier attempts, which the checkpoint holds: the coordinator may have died before it stored them), steps
 * now and then, and a result. It ends when the coordinator ends.
 *
 * A MESSAGE_RUN: run, attempt (64-bit), model, recipe, seed, dataset, identity (of the data, as hash text), backend,
 * threads, tune, memory, seconds, checkpoint (path), every (epochs between checkpoints), weights (path to write),
 * and what it starts from, each optional: "continue": {"checkpoint":}, "inherit": {"model":, "weights":, "edits":,
 * "from": (in words)}, "pretrained": {"weights":, "digest":, "name":}.
 */
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
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

struct worker {
	struct channel channel;
	const struct backend *backend;
	struct backend_ctx *ctx;
	struct str ctx_key, data_key; /* what ctx and data were made for */
	struct dataset *data;
	struct arena *data_arena;
	/* of the run in hand */
	const struct json *job;
	const char *start_code, *start_text; /* finding: where its first numbers come from; text NULL: from scratch */
	bool stop, gone;                     /* asked to stop; the coordinator has ended */
	double file_bytes;                   /* of its checkpoint, about */
	double said;                         /* clock of the last step message */
};

static const double step_interval_s = 0.25;

/* ---- listening while a run goes on ---------------------------------------------------------------------- */

/* The coordinator may say stop at any time; when it is gone there is nothing left to do. */
static void listen_for_stop(struct worker *w)
{
	struct message m;
	int rc = channel_fill(&w->channel, false);

	while (rc >= 0 && (rc = channel_next(&w->channel, &m)) == 1) {
		w->stop = w->stop || m.type == MESSAGE_STOP;
		message_release(&m);
	}
	w->gone = w->gone || rc < 0;
	w->stop = w->stop || w->gone;
}

static void say(struct worker *w, enum message_type type, struct json *body, const void *blob, size_t n)
{
	json_put(body, "run", json_i64(json_get_i64(w->job, "run")));
	json_put(body, "attempt", json_i64(json_get_i64(w->job, "attempt")));
	if (message_send(w->channel.fd, type, body, blob, n, NULL) < 0)
		w->gone = w->stop = true;
}

static int on_epoch(void *arg, const struct epoch_record *r)
{
	struct worker *w = arg;

	say(w, MESSAGE_EPOCH, epoch_write(r), NULL, 0);
	listen_for_stop(w);
	return w->stop;
}

static void on_step(void *arg, int epoch, int64_t step, int64_t steps, double loss)
{
	struct worker *w = arg;
	double now = clock_mono();
	struct json *body;

	if (now - w->said < step_interval_s)
		return;
	w->said = now;
	body = json_object();
	json_put(body, "epoch", json_num(epoch));
	json_put(body, "step", json_i64(step));
	json_put(body, "steps", json_i64(steps));
	json_put(body, "loss", json_real(loss));
	say(w, MESSAGE_STEP, body, NULL, 0);
	listen_for_stop(w);
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

static void drop_data(struct worker *w)
{
	if (w->data)
		dataset_close(w->data);
	arena_free(w->data_arena);
	w->data = NULL;
	w->data_arena = NULL;
	str_release(&w->data_key);
}

static int open_data(struct worker *w, struct err *e)
{
	struct diag d = { 0 };
	struct dataset_spec spec;
	struct json_in in;
	struct json *doc;
	char hex[HASH_TEXT];
	const char *expect = json_string(json_get(w->job, "identity"));
	int rc;

	if (!w->data || !same_key(&w->data_key, json_get(w->job, "dataset"))) {
		drop_data(w);
		same_key(&w->data_key, json_get(w->job, "dataset"));
		w->data_arena = arena_new();
		doc = json_copy(json_get(w->job, "dataset"));
		arena_defer(w->data_arena, (void (*)(void *))json_free, doc);
		in = (struct json_in){ doc, &d, "dataset" };
		rc = dataset_spec_read(&spec, doc, NULL, w->data_arena, &in);
		if (rc < 0)
			diag_check(&d, ERR_INVALID, NULL, e);
		diag_release(&d);
		if (rc < 0 || dataset_open(&w->data, &spec, e) < 0)
			return -1;
	}
	if (!expect || strcmp(expect, hash_text(hex, w->data->identity)))
		return ERR(e, ERR_INVALID, w->data->name, "the data are not those that the study began with");
	return 0;
}

static int open_backend(struct worker *w, struct err *e)
{
	const char *name = json_string(json_get(w->job, "backend"));
	struct json *key = json_object();
	struct backend_conf conf = { .threads = (int)json_get_real(w->job, "threads"),
				     .tune = json_true(json_get(w->job, "tune")),
				     .most_bytes = json_get_i64(w->job, "memory") };
	bool same;

	json_put(key, "backend", json_str(name ? name : ""));
	json_put(key, "threads", json_num(conf.threads));
	json_put(key, "tune", json_bool(conf.tune));
	json_put(key, "memory", json_i64(conf.most_bytes));
	same = same_key(&w->ctx_key, key) && w->ctx;
	json_free(key);
	if (same)
		return 0;
	if (w->ctx)
		w->backend->close(w->ctx);
	w->ctx = NULL;
	w->backend = backend_find(name ? name : "");
	if (!w->backend)
		return ERR(e, ERR_INVALID, NULL, "there is no backend \"%s\"", name ? name : "");
	if (w->backend->probe(e) < 0)
		return -1;
	return w->backend->open(&w->ctx, &conf, e);
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
static void tell_earlier_epochs(struct worker *w, const char *path)
{
	struct checkpoint c;

	if (!path || !file_exists(path))
		return;
	if (checkpoint_load(&c, path, NULL) < 0) {
		unlink(path);
		return;
	}
	for (int i = 0; i < c.n_epochs; i++)
		say(w, MESSAGE_EPOCH, epoch_write(&c.epochs[i]), NULL, 0);
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

static int inherit(struct initial *out, struct worker *w, const struct graph *g, const struct json *from,
		   struct arena *a, struct err *e)
{
	const char *path = json_string(json_get(from, "weights")), *whose = json_string(json_get(from, "from"));
	struct initial_parent p = { .path = path ? path : "", .edits = json_get(from, "edits") };
	struct graph *parent;

	if (read_model(&parent, json_get(from, "model"), a, e) < 0)
		return -1;
	p.graph = parent;
	if (initial_inherit(out, g, &p, json_get_u64(w->job, "seed"), a, e) < 0)
		return -1;
	w->start_code = "inherited";
	w->start_text = arena_printf(a, "starts from %s: %s", whose ? whose : "its parent", out->text);
	return 0;
}

static int load_pretrained(struct initial *out, struct worker *w, const struct graph *g, const struct json *from,
			   struct arena *a, struct err *e)
{
	const char *path = json_string(json_get(from, "weights")), *name = json_string(json_get(from, "name"));
	const char *digest = json_string(json_get(from, "digest"));
	char hex[HASH_TEXT];

	if (initial_load(out, g, path ? path : "", json_get_u64(w->job, "seed"), NULL, e) < 0)
		return -1;
	if (!digest || strcmp(digest, hash_text(hex, out->digest)) != 0)
		return ERR(e, ERR_INVALID, path, "the weights are not those that the run was made for");
	w->start_code = "pretrained";
	w->start_text = arena_printf(a, "starts from %s: %s", name ? name : "a file", out->text);
	return 0;
}

/* The numbers that it starts from, if not its own. What cannot be had makes the run infeasible, never one from scratch:
 * 1, with the reason in `result`. */
static int first_numbers(struct weights **out, struct worker *w, const struct graph *g, struct run_result *result,
			 struct arena *a, struct err *e)
{
	const struct json *parent = json_get(w->job, "inherit"), *file = json_get(w->job, "pretrained");
	struct initial start = { 0 };
	struct err bad = { 0 };
	int rc = 0;

	w->start_text = NULL;
	if (parent)
		rc = inherit(&start, w, g, parent, a, &bad);
	else if (file)
		rc = load_pretrained(&start, w, g, file, a, &bad);
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

static void put_findings(struct json *body, const struct worker *w, const struct run_result *r, const struct graph *g)
{
	struct json *list = json_put(body, "findings", json_array());

	if (w->start_text) {
		struct json *one = json_push(list, json_object());

		json_put(one, "code", json_str(w->start_code));
		json_put(one, "text", json_str(w->start_text));
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

static void say_result(struct worker *w, const struct run_result *r, const struct graph *g, int64_t weight_bytes)
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
	put_findings(body, w, r, g);
	if (r->val.n) {
		json_put(body, "evaluation", evaluation_write(&r->val, w->data));
		evaluation_blob(&r->val, blob);
	} else {
		n = 0;
	}
	say(w, MESSAGE_RESULT, body, blob, n);
	mem_free(blob);
}

static int64_t file_size(const char *path)
{
	struct stat st;

	return path && stat(path, &st) == 0 ? st.st_size : 0;
}

static int train(struct worker *w, struct arena *a, struct err *e)
{
	const char *checkpoint = json_string(json_get(w->job, "checkpoint"));
	const char *weights = json_string(json_get(w->job, "weights"));
	struct run_result result = { 0 };
	struct weights *start = NULL, *final = NULL;
	struct recipe recipe;
	struct graph *g;
	struct run_spec spec;
	int rc = -1, refused;

	TRY(open_backend(w, e));
	TRY(read_model(&g, json_get(w->job, "model"), a, e));
	TRY(read_recipe(&recipe, json_get(w->job, "recipe"), a, e));
	copy_checkpoint(json_get(w->job, "continue"), checkpoint);
	tell_earlier_epochs(w, checkpoint);
	refused = first_numbers(&start, w, g, &result, a, e);
	TRY(refused);
	if (refused) {
		say_result(w, &result, g, 0);
		rc = 0;
		goto out;
	}
	final = weights_new(g, e);
	TRY(final ? 0 : -1);
	w->file_bytes = 4.0 * sizeof *final->data * (double) final->total; /* weights, two moments, the best epoch's */
	spec = (struct run_spec){
		.graph = g,
		.recipe = &recipe,
		.data = w->data,
		.seed = json_get_u64(w->job, "seed"),
		.start = start,
		.checkpoint = checkpoint,
		.checkpoint_every = (int)json_get_real(w->job, "every"),
		.max_seconds = json_get_real(w->job, "seconds"),
		.on_epoch = on_epoch,
		.on_step = on_step,
		.arg = w,
	};
	TRY(train_run(w->backend, w->ctx, &spec, &result, final, e));
	if (weights && result.status == RUN_DONE)
		TRY(weights_save(final, weights, NULL, e));
	say_result(w, &result, g, result.status == RUN_DONE ? file_size(weights) : 0);
	rc = 0;
out:
	weights_free(start);
	weights_free(final);
	run_result_release(&result);
	return rc;
}

/* Whether a failure is due to a full disk: too little left for a checkpoint where files are written. */
static bool is_disk_full(const struct worker *w)
{
	const char *path = json_string(json_get(w->job, "checkpoint"));
	struct arena *a = arena_new();
	struct statvfs fs;
	bool full = false;

	if (path && statvfs(path_dir(a, path), &fs) == 0)
		full = (double)fs.f_bavail * (double)fs.f_frsize < w->file_bytes + (1 << 20) ||
		       (fs.f_files && fs.f_favail == 0);
	arena_free(a);
	return full;
}

static void serve(struct worker *w, const struct json *job)
{
	struct arena *a = arena_new();
	struct err e = { 0 };
	bool wrong_data;

	w->job = job;
	w->stop = false;
	w->said = w->file_bytes = 0;
	wrong_data = open_data(w, &e) < 0;
	if (wrong_data || train(w, a, &e) < 0) {
		struct json *body = json_object();

		json_put(body, "data", json_bool(wrong_data));
		json_put(body, "code", json_num(e.code));
		json_put(body, "where", json_str(e.where));
		json_put(body, "text", json_str(e.msg));
		json_put(body, "disk", json_bool(is_disk_full(w)));
		say(w, MESSAGE_FAIL, body, NULL, 0);
	}
	w->job = NULL;
	arena_free(a);
}

/* ---- the process ---------------------------------------------------------------------------------------- */

/* Its slot's cores alone: slots do not disturb each other, and times are comparable. */
static void set_up(const struct json *body)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	JSON_EACH(v, json_get(body, "cores")) {
		double core = json_number(v);

		if (core >= 0 && core < CPU_SETSIZE)
			CPU_SET((int)core, &set);
	}
	if (CPU_COUNT(&set))
		sched_setaffinity(0, sizeof set, &set);
}

static int answer(struct worker *w, const struct message *m)
{
	struct json *body;

	switch (m->type) {
	case MESSAGE_SETUP:
		set_up(m->body);
		body = json_object();
		json_put(body, "pid", json_num((double)getpid()));
		return message_send(w->channel.fd, MESSAGE_READY, body, NULL, 0, NULL);
	case MESSAGE_RUN:
		serve(w, m->body);
		return w->gone ? -1 : 0;
	case MESSAGE_STOP: /* the run it was meant for has just ended */
		return 0;
	case MESSAGE_READY:
	case MESSAGE_STEP:
	case MESSAGE_EPOCH:
	case MESSAGE_RESULT:
	case MESSAGE_FAIL:
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
	struct worker w = { .channel = { .fd = fd } };
	struct message m;
	int rc = 1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_IGN); /* the coordinator decides */
	signal(SIGPIPE, SIG_IGN);
	while ((rc = channel_wait(&w.channel, &m, -1)) == 1) {
		int ok = answer(&w, &m);

		message_release(&m);
		if (ok < 0)
			break;
	}
	if (w.ctx)
		w.backend->close(w.ctx);
	drop_data(&w);
	str_release(&w.ctx_key);
	channel_release(&w.channel);
	return rc == 1;
}
