/* engine/attempts.c - runs on slots: what is sent, what comes back, what a worker's end means.
 *
 * An end from outside (kill -9, a preempted node, the coordinator's own end) never counts against a run. A run that
 * ends its worker itself (a crash, silence, the system's out-of-memory killer, a lost card, a failure that the backend
 * reports) in the same epoch again and again has failed. Where several runs were in flight nobody knows which of them
 * it was: each is a suspect, and is tried alone until it is past the epoch in which it happened.
 */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/evaluation.h"
#include "engine/internal.h"

static const double disk_retry_s = 2;
static const char passed[] = "passed alone where its worker had ended";

/* ---- beginning ------------------------------------------------------------------------------------------ */

static struct json *parsed(const char *text)
{
	struct json *v = NULL;

	if (!text || json_parse(&v, text, strlen(text), "store", NULL) < 0)
		return json_null();
	return v;
}

/* Bytes of the machine, or of the control group that this process is in: a run that plans more is out of memory. The
 * number of slots does not matter here, so that it does not matter for results. A card's backend knows its own. */
static int64_t memory_there(void)
{
	int64_t all = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
	FILE *f = fopen("/sys/fs/cgroup/memory.max", "re");
	long long most = 0;

	if (f && fscanf(f, "%lld", &most) == 1 && most > 0 && most < all)
		all = most;
	if (f)
		fclose(f);
	return all;
}

static int run_body(struct json **out, struct engine *g, const struct job *t, enum device_kind kind, struct arena *a,
		    struct err *e)
{
	const struct candidate *c = t->candidate;
	const struct study *y = &c->work->study;
	struct json *body = json_object();
	struct store_model m;

	*out = body;
	if (store_model_get(g->store, c->model, &m, a, e) < 0)
		return -1;
	json_put(body, "run", json_i64(t->id));
	json_put(body, "model", parsed(m.json));
	json_put(body, "recipe", parsed(c->recipe));
	json_put(body, "seed", json_u64(t->seed));
	json_put(body, "dataset", json_copy(y->dataset));
	json_put(body, "identity", json_str(c->work->data_identity));
	json_put(body, "backend", json_str(study_backend(y, kind)));
	json_put(body, "threads", json_num(y->threads));
	json_put(body, "tune", json_bool(y->tune));
	json_put(body, "memory", json_i64(y->limits.memory || kind != DEVICE_CPU ? y->limits.memory : memory_there()));
	json_put(body, "seconds", json_num(y->limits.run_seconds));
	json_put(body, "checkpoint", json_str(file_of_run(g, t->id, FILE_CHECKPOINT, a)));
	json_put(body, "every", json_num(y->limits.checkpoint_every));
	json_put(body, "every_seconds", json_num(y->limits.checkpoint_seconds));
	json_put(body, "weights", json_str(file_of_run(g, t->id, FILE_WEIGHTS, a)));
	return 0;
}

static int begin_row(struct engine *g, void *arg, struct err *e)
{
	return store_attempt_begin(g->store, arg, e);
}

static struct engine_event event_of(enum engine_event_kind kind, const struct slot *s)
{
	const struct job *t = s->job;

	return (struct engine_event){
		.kind = kind,
		.slot = s->index,
		.device = s->device ? s->device->name : NULL,
		.run = t ? t->id : 0,
		.label = t ? t->candidate->label : NULL,
		.attempt = s->attempt.number,
		.epoch = s->epoch,
		.epochs = s->epochs,
		.step = s->step,
		.steps = s->steps,
		.loss = s->loss,
		.score = (double)NAN,
		.state = STATE_RUNNING,
		.task = t ? t->candidate->work->search_ctx.target.task : TASK_CLASSIFY,
	};
}

static struct store_result no_result(enum run_state state, const char *reason, int epochs)
{
	double none = (double)NAN;

	return (struct store_result){ .state = state,
				      .reason = reason,
				      .epochs = epochs,
				      .best_accuracy = none,
				      .score = none,
				      .train_loss = none,
				      .train_accuracy = none,
				      .val_loss = none,
				      .val_accuracy = none,
				      .seconds = none };
}

struct refusal {
	int64_t run;
	struct store_result result;
};

static int refusal_rows(struct engine *g, void *arg, struct err *e)
{
	struct refusal *r = arg;

	return store_result_put(g->store, r->run, &r->result, e);
}

/* A run that cannot be started ends without an attempt. */
static int refuse(struct engine *g, struct job *t, const char *why, struct err *e)
{
	struct refusal r = { t->id, no_result(STATE_INFEASIBLE, why, 0) };
	struct slot none = { .index = -1, .job = t, .loss = (double)NAN };
	struct engine_event v = event_of(ENGINE_RESULT, &none);

	if (engine_persist(g, refusal_rows, &r, e) < 0)
		return -1;
	t->state = v.state = STATE_INFEASIBLE;
	v.text = why;
	if (work_settle(g, t->candidate->work, t->candidate, e) < 0)
		return -1;
	engine_emit(g, v);
	return 0;
}

static void take_slot(struct engine *g, struct slot *s, struct job *t, const struct json *recipe, struct arena *a)
{
	double epochs = json_get_real(recipe, "epochs"), batch = json_get_real(recipe, "batch");

	t->state = STATE_RUNNING;
	t->held = true;
	s->had_checkpoint = file_exists(file_of_run(g, t->id, FILE_CHECKPOINT, a));
	s->epoch = 0;
	s->epochs = epochs >= 1 ? (int)epochs : 0;
	s->step = s->steps = 0;
	s->batch = batch >= 1 ? (int64_t)batch : 0;
	s->loss = (double)NAN;
	s->heard = 0;
	s->stopping = s->cleared = false;
	s->device->heard = clock_mono();
	s->device->oom_kills = oom_kills();
}

int attempt_begin(struct engine *g, struct slot *s, struct job *t, struct err *e)
{
	struct arena *a = arena_new();
	struct json *body = NULL;
	char why[240];
	int rc = -1, can;

	TRY(run_body(&body, g, t, s->device->kind, a, e));
	can = origin_put(body, g, t, why, sizeof why, e);
	TRY(can);
	if (!can) {
		rc = refuse(g, t, why, e) < 0 ? -1 : 1;
		goto out;
	}
	s->job = t;
	s->attempt = (struct store_attempt){
		.run = t->id, .device = s->device->name, .host = g->host, .pid = (int)s->device->pid
	};
	TRY(engine_persist(g, begin_row, &s->attempt, e));
	take_slot(g, s, t, json_get(body, "recipe"), a);
	json_put(body, "attempt", json_i64(s->attempt.id));
	/* a worker that has ended meanwhile is noticed when its socket is read */
	message_send(s->device->channel.fd, MESSAGE_RUN, body, NULL, 0, NULL);
	body = NULL;
	engine_emit(g, event_of(ENGINE_RUN, s));
	rc = 0;
out:
	json_free(body);
	arena_free(a);
	return rc;
}

/* ---- ending --------------------------------------------------------------------------------------------- */

struct ending { /* of an attempt, and of its run if it was the last one */
	struct slot *slot;
	enum attempt_state attempt;
	const char *reason;
	bool final;
	struct store_result result;
	/* of a result */
	const struct json *body;
	const struct store_evaluation *evaluation;
	struct arena *arena;
	int64_t weight_bytes;
};

static int put_findings(struct engine *g, const struct ending *end, struct err *e)
{
	JSON_EACH(v, json_get(end->body, "findings")) {
		struct store_finding f = { json_string(json_get(v, "code")), json_string(json_get(v, "text")),
					   json_string(json_get(v, "layer")) };

		if (f.code && f.text && store_finding_add(g->store, end->slot->job->id, &f, e) < 0)
			return -1;
	}
	return 0;
}

/* What the weights at the end had reached while they were trained. */
static int add_training(struct engine *g, struct ending *end, struct err *e)
{
	struct store_result *r = &end->result;
	int at = r->restored ? r->best_epoch : r->epochs, n;
	struct store_epoch *rows;

	r->train_loss = r->train_accuracy = (double)NAN;
	if (store_epochs(g->store, end->slot->job->id, &rows, &n, end->arena, e) < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		if (rows[i].epoch != at)
			continue;
		r->train_loss = rows[i].train_loss;
		r->train_accuracy = rows[i].train_accuracy;
	}
	return 0;
}

static int put_final(struct engine *g, struct ending *end, struct err *e)
{
	int64_t run = end->slot->job->id;
	const char *name;

	if (add_training(g, end, e) < 0 || put_findings(g, end, e) < 0)
		return -1;
	if (end->evaluation && store_evaluation_put(g->store, run, end->evaluation, e) < 0)
		return -1;
	if (end->weight_bytes) {
		name = file_of_run(g, run, FILE_WEIGHTS, end->arena);
		name = arena_printf(end->arena, "%s/%s", path_base(g->files), path_base(name));
		if (store_file_put(g->store, run, FILE_WEIGHTS, name, end->weight_bytes, e) < 0)
			return -1;
	}
	return store_result_put(g->store, run, &end->result, e);
}

static int end_rows(struct engine *g, void *arg, struct err *e)
{
	struct ending *end = arg;
	struct slot *s = end->slot;

	if (store_attempt_end(g->store, s->attempt.id, end->attempt, s->epoch, s->step, end->reason, e) < 0)
		return -1;
	return end->final ? put_final(g, end, e) : store_run_set_state(g->store, s->job->id, STATE_QUEUED, e);
}

static int drop_checkpoint_row(struct engine *g, void *arg, struct err *e)
{
	const int64_t *run = arg;

	return store_file_drop(g->store, *run, FILE_CHECKPOINT, e);
}

/* A finished run's checkpoint is of use only to a strategy that continues runs. */
static int drop_checkpoint(struct engine *g, struct job *t, struct err *e)
{
	struct arena *a = arena_new();
	int rc = engine_persist(g, drop_checkpoint_row, &t->id, e);

	if (rc == 0)
		unlink(file_of_run(g, t->id, FILE_CHECKPOINT, a));
	arena_free(a);
	return rc;
}

static int conclude(struct engine *g, struct ending *end, struct err *e)
{
	struct slot *s = end->slot;
	struct job *t = s->job;
	struct work *w = t->candidate->work;
	struct engine_event v;

	if (engine_persist(g, end_rows, end, e) < 0)
		return -1;
	t->held = false;
	t->state = end->final ? end->result.state : STATE_QUEUED;
	v = event_of(end->final ? ENGINE_RESULT : ENGINE_RETRY, s);
	v.text = end->final ? end->result.reason : end->reason;
	s->job = NULL;
	if (!end->final) {
		engine_emit(g, v);
		return 0;
	}
	t->score = end->result.score;
	t->epochs = end->result.epochs;
	v.state = t->state;
	v.score = t->score;
	v.epoch = t->epochs;
	if ((!w->search || !w->learns) && drop_checkpoint(g, t, e) < 0)
		return -1;
	if (work_settle(g, w, t->candidate, e) < 0 || files_retain(g, w, e) < 0)
		return -1;
	engine_emit(g, v);
	return 0;
}

/* ---- what workers say ----------------------------------------------------------------------------------- */

struct epoch_arg {
	const struct slot *slot;
	struct store_epoch row;
	char *path; /* of the checkpoint, as stored */
	int64_t bytes;
};

static int epoch_rows(struct engine *g, void *arg, struct err *e)
{
	struct epoch_arg *p = arg;

	if (store_epoch_put(g->store, p->slot->job->id, &p->row, e) < 0)
		return -1;
	if (!p->bytes)
		return 0;
	return store_file_put(g->store, p->slot->job->id, FILE_CHECKPOINT, p->path, p->bytes, e);
}

static bool suspects_wait(const struct engine *g)
{
	for (int i = 0; i < g->n_works; i++)
		for (int k = g->works[i]->settled; k < g->works[i]->n; k++) {
			const struct candidate *c = g->works[i]->candidates[k];

			for (int t = 0; t < c->n_jobs; t++)
				if (c->jobs[t].suspect && !c->jobs[t].held && !run_state_final(c->jobs[t].state))
					return true;
		}
	return false;
}

/* A suspect that is past the epoch in which it happened was not the cause. It makes way for the next one. */
static void clear(struct engine *g, struct slot *s)
{
	if (!s->job->suspect || s->epoch <= s->job->death_epoch)
		return;
	s->job->suspect = false;
	s->job->deaths = 0;
	if (s->stopping || !suspects_wait(g))
		return;
	s->cleared = true;
	slot_stop(s);
}

static int take_epoch(struct engine *g, struct slot *s, const struct message *m, struct err *e)
{
	struct arena *a = arena_new();
	char *file = file_of_run(g, s->job->id, FILE_CHECKPOINT, a);
	struct epoch_arg arg = { .slot = s };
	struct epoch_record r;
	struct engine_event v;
	struct stat st;
	int rc;

	epoch_read(&r, m->body);
	if (!json_true(json_get(m->body, "earlier")))
		s->device->examples += r.examples - s->step * s->batch;
	arg.row = epoch_row(&r);
	arg.path = arena_printf(a, "%s/%s", path_base(g->files), path_base(file));
	arg.bytes = stat(file, &st) == 0 ? st.st_size : 0;
	rc = engine_persist(g, epoch_rows, &arg, e);
	arena_free(a);
	if (rc < 0)
		return -1;
	s->epoch = r.epoch;
	s->step = 0;
	g->disk_since = 0;
	v = event_of(ENGINE_EPOCH, s);
	v.record = &r;
	engine_emit(g, v);
	clear(g, s);
	return 0;
}

static void take_step(struct engine *g, struct slot *s, const struct message *m)
{
	int64_t step = json_get_i64(m->body, "step");
	struct engine_event v;

	s->device->examples += (step - s->step) * s->batch;
	s->step = step;
	s->steps = json_get_i64(m->body, "steps");
	s->loss = json_get_real(m->body, "loss");
	v = event_of(ENGINE_STEP, s);
	v.epoch = (int)json_get_real(m->body, "epoch");
	engine_emit(g, v);
}

static int status_of(const char *name)
{
	for (int i = 0; name && i < RUN_STATUS_COUNT; i++)
		if (strcmp(run_status_names[i], name) == 0)
			return i;
	return -1;
}

static void read_result(struct ending *end, const struct message *m, enum run_status status)
{
	static const enum run_state states[RUN_STATUS_COUNT] = {
		[RUN_DONE] = STATE_DONE,       [RUN_DIVERGED] = STATE_DIVERGED,     [RUN_OOM] = STATE_OOM,
		[RUN_TIMEOUT] = STATE_TIMEOUT, [RUN_INFEASIBLE] = STATE_INFEASIBLE, [RUN_STOPPED] = STATE_QUEUED,
	};
	const char *reason = json_string(json_get(m->body, "reason"));

	end->result =
	    no_result(states[status], status == RUN_DONE ? NULL : reason, (int)json_get_real(m->body, "epochs"));
	end->result.best_epoch = (int)json_get_real(m->body, "best_epoch");
	end->result.best_accuracy = end->result.best_epoch ? json_get_real(m->body, "best_accuracy") : (double)NAN;
	end->result.restored = json_true(json_get(m->body, "restored"));
	end->result.bytes = json_get_i64(m->body, "bytes");
	end->result.seconds = json_get_real(m->body, "seconds");
	end->weight_bytes = json_get_i64(m->body, "weight_bytes");
}

static int take_result(struct engine *g, struct slot *s, const struct message *m, struct err *e)
{
	int status = status_of(json_string(json_get(m->body, "status")));
	struct ending end = { .slot = s, .attempt = ATTEMPT_DONE, .final = true, .body = m->body };
	const struct json *numbers = json_get(m->body, "evaluation");
	struct store_evaluation evaluation;
	int rc;

	if (status < 0)
		return ERR(e, ERR_RUNTIME, s->device->name, "its worker said something that makes no sense");
	end.arena = arena_new();
	read_result(&end, m, (enum run_status)status);
	if (status == RUN_STOPPED) {
		end.final = false;
		end.attempt = ATTEMPT_STOPPED;
		end.reason = s->cleared ? passed : "stopped on request";
	} else if (numbers && evaluation_read(&evaluation, numbers, m->blob, m->blob_len, end.arena) == 0) {
		end.evaluation = &evaluation;
		end.result.val_loss = evaluation.loss;
		end.result.val_accuracy = evaluation.accuracy;
		if (status == RUN_DONE)
			end.result.score = evaluation_score(&evaluation, s->job->candidate->work->study.objective);
	}
	if (end.final && !isnan(end.result.seconds)) {
		g->run_seconds += end.result.seconds;
		g->run_count++;
	}
	g->disk_since = 0;
	rc = conclude(g, &end, e);
	arena_free(end.arena);
	return rc;
}

/* What ended an attempt, where the run may be the cause of it. */
struct blame {
	enum attempt_state how;
	const char *reason;
	bool hopeless;  /* trying again is of no use */
	bool memory;    /* the system wanted for it */
	bool lost_card; /* what the checkpoint holds is sound */
	int others;     /* runs that may have been it just as well */
};

/* The run, or what it left behind, is at fault: counts it. With others nothing is final, and checkpoints stay. */
static int at_fault(struct engine *g, struct slot *s, const struct blame *b, struct err *e)
{
	struct job *t = s->job;
	struct ending end = { .slot = s, .attempt = b->how, .arena = arena_new() };
	bool failed = job_died(t, s->epoch, t->candidate->work->study.limits.attempts) || b->hopeless;
	int rc;

	end.reason = b->others ? arena_printf(end.arena, "%s, and %d other run%s", b->reason, b->others,
					      b->others == 1 ? "" : "s")
			       : b->reason;
	t->suspect = b->how == ATTEMPT_DIED && s->device->n_slots > 1;
	end.final = failed && !b->others;
	if (s->had_checkpoint && !b->others && !b->lost_card) { /* which may be what it stumbles over */
		unlink(file_of_run(g, t->id, FILE_CHECKPOINT, end.arena));
		end.final = end.final && !b->hopeless;
	}
	if (end.final) {
		const char *times =
		    arena_printf(end.arena, "%s (%d times in epoch %d)", b->reason, t->deaths, s->epoch + 1);

		end.result = no_result(b->memory ? STATE_OOM : STATE_FAILED, b->hopeless ? b->reason : times, s->epoch);
	}
	rc = conclude(g, &end, e);
	arena_free(end.arena);
	return rc;
}

static int not_at_fault(struct engine *g, struct slot *s, const char *reason, struct err *e)
{
	struct ending end = { .slot = s, .attempt = ATTEMPT_LOST, .reason = reason };

	return conclude(g, &end, e);
}

static int disk_is_full(struct engine *g, struct slot *s, struct err *e)
{
	double now = clock_mono(), most = s->job->candidate->work->study.limits.disk_wait;

	if (!g->disk_since) {
		g->disk_since = now;
		engine_note(g, ENGINE_PAUSED, "%s: the disk is full; waiting for space", g->files);
	}
	s->device->not_before = now + disk_retry_s;
	if (not_at_fault(g, s, "the disk is full", e) < 0)
		return -1;
	if (now - g->disk_since > most)
		return ERR(e, ERR_RUNTIME, g->files,
			   "the disk stays full: free some space and run the same command again to go on");
	return 0;
}

static int take_failure(struct engine *g, struct slot *s, const struct message *m, struct err *e)
{
	const char *where = json_string(json_get(m->body, "where")), *text = json_string(json_get(m->body, "text"));
	struct blame blame = { .how = ATTEMPT_FAILED, .hopeless = json_get_real(m->body, "code") == ERR_INVALID };
	char reason[400];

	snprintf(reason, sizeof reason, "%s%s%s", where ? where : "", where && where[0] ? ": " : "",
		 text ? text : "the backend failed");
	if (json_true(json_get(m->body, "data"))) {
		not_at_fault(g, s, reason, NULL);
		return ERR(e, ERR_INVALID, where, "%s", text ? text : "the data cannot be read");
	}
	if (json_true(json_get(m->body, "disk")))
		return disk_is_full(g, s, e);
	blame.reason = reason;
	return at_fault(g, s, &blame, e);
}

/* What a worker says about its device and not about a run: it is ready, or is going to end. */
static void take_word(struct device *d, const struct message *m)
{
	const char *text = json_string(json_get(m->body, "text"));

	if (m->type == MESSAGE_READY && d->state == DEVICE_STARTING) {
		d->state = DEVICE_UP;
		d->early_deaths = 0;
	} else if (m->type == MESSAGE_LOST) {
		snprintf(d->why, sizeof d->why, "%s", text ? text : "the device is lost");
	}
}

static struct slot *slot_of(const struct device *d, int64_t attempt)
{
	for (int i = 0; i < d->n_slots; i++)
		if (d->slots[i].job && d->slots[i].attempt.id == attempt)
			return &d->slots[i];
	return NULL;
}

int attempt_message(struct engine *g, struct device *d, struct message *m, struct err *e)
{
	struct slot *s = slot_of(d, json_get_i64(m->body, "attempt"));

	d->heard = clock_mono();
	if (!s) {
		take_word(d, m);
		return 0;
	}
	s->heard = d->heard;
	if (m->type == MESSAGE_STEP)
		take_step(g, s, m);
	else if (m->type == MESSAGE_EPOCH)
		return take_epoch(g, s, m, e);
	else if (m->type == MESSAGE_RESULT)
		return take_result(g, s, m, e);
	else if (m->type == MESSAGE_FAIL)
		return take_failure(g, s, m, e);
	return 0;
}

/* ---- a worker's end ------------------------------------------------------------------------------------- */

static bool from_outside(int status)
{
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	return sig == SIGKILL || sig == SIGTERM || sig == SIGHUP || sig == SIGINT;
}

static void describe_end(char *buf, size_t size, int status)
{
	if (WIFSIGNALED(status))
		snprintf(buf, size, "its worker was ended by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(buf, size, "its worker ended with status %d", WEXITSTATUS(status));
}

/* Who is to blame for a worker's end. false: nobody here. */
static bool find_blame(struct blame *b, const struct device *d, int status, const char *text)
{
	*b = (struct blame){ .how = ATTEMPT_DIED, .reason = text, .others = device_busy(d) - 1 };
	if (d->silent) {
		b->reason = "no word from its worker for too long";
	} else if (d->why[0]) {
		b->reason = d->why;
		b->lost_card = true;
	} else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && oom_kills() > d->oom_kills) {
		b->reason = "the system ended it for want of memory";
		b->memory = true;
	} else {
		return !from_outside(status);
	}
	return true;
}

int attempts_lost(struct engine *g, struct device *d, struct err *e)
{
	bool early = d->state == DEVICE_STARTING, blamed;
	int status = device_reap(d);
	struct blame blame;
	char text[200];

	describe_end(text, sizeof text, status);
	if (early)
		d->early_deaths++;
	d->not_before = clock_mono() + (d->early_deaths ? 0.05 * (1 << d->early_deaths) : 0);
	d->since = 0;
	if (device_busy(d) == 0)
		engine_note(g, ENGINE_NOTE, "%s: %s", d->name, text);
	blamed = find_blame(&blame, d, status, text);
	for (int i = 0; i < d->n_slots; i++) {
		struct slot *s = &d->slots[i];

		if (s->job && (blamed ? at_fault(g, s, &blame, e) : not_at_fault(g, s, text, e)) < 0)
			return -1;
	}
	return 0;
}
