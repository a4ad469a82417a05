/* train/loop.c - see train.h. The run as a list of epochs: everything that is decided (the best epoch, when to stop) is
 * a function of their records, so that a run resumed from a checkpoint decides as the uninterrupted one does.
 */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arch/model.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "train/batch.h"
#include "train/checkpoint.h"
#include "train/findings.h"
#include "train/loss.h"
#include "train/metrics.h"
#include "train/train.h"

#define NO_VALUE ((double)NAN)

const char *const run_status_names[] = {
	[RUN_DONE] = "done",       [RUN_DIVERGED] = "diverged",     [RUN_OOM] = "oom",
	[RUN_TIMEOUT] = "timeout", [RUN_INFEASIBLE] = "infeasible", [RUN_STOPPED] = "stopped",
	[RUN_STATUS_COUNT] = NULL,
};

struct epoch {      /* one that is, or was, trained */
	int number; /* counted from 1; 0: none */
	struct step_stats sums;
	double seconds; /* that it took so far */
};

struct run {
	const struct backend *backend;
	const struct run_spec *spec;
	const struct recipe *recipe;
	const struct dataset *data;
	struct run_result *out;
	struct net *net;
	uint32_t *train; /* fidelity applied */
	int64_t n_train, per_epoch;
	struct hash128 id;
	struct epoch_record *epochs; /* [recipe->epochs] */
	int n;                       /* epochs done */
	struct epoch behind;         /* the one that is evaluated while the next one trains */
	int64_t some;                /* steps in a call */
	bool over;                   /* out->status is final */
	bool val_is_now;             /* out->val is of the net's present weights */
	double saved;                /* clock at the last checkpoint, or the start */
	double start, before;        /* clock at the start; seconds of earlier attempts */
	void *state, *best;          /* [state_bytes]; best: of the best epoch, NULL unless it is to be restored */
	int state_of;                /* epochs done in `state`; 0: nothing */
	size_t state_bytes;
};

/* ---- what the records say ----------------------------------------------------------------------------------- */

static bool is_better(const struct epoch_record *a, const struct epoch_record *b)
{
	return a->val_accuracy > b->val_accuracy || (a->val_accuracy == b->val_accuracy && a->val_loss < b->val_loss);
}

static int best_epoch(const struct run *r) /* counted from 1; 0: none */
{
	int best = 0;

	for (int i = 0; i < r->n; i++)
		if (!isnan(r->epochs[i].val_accuracy) && (!best || is_better(&r->epochs[i], &r->epochs[best - 1])))
			best = i + 1;
	return best;
}

/* Patience has run out: that many epochs in a row did not lower the validation loss by more than min_delta. */
static bool no_patience(const struct run *r)
{
	const struct early_stop *s = &r->recipe->early_stop;
	double best = INFINITY;
	int waited = 0;

	for (int i = 0; i < r->n; i++) {
		if (r->epochs[i].val_loss < best - s->min_delta) {
			best = r->epochs[i].val_loss;
			waited = 0;
		} else {
			waited++;
		}
	}
	return s->patience > 0 && waited >= s->patience;
}

static bool is_finished(const struct run *r)
{
	return r->n >= r->recipe->epochs || no_patience(r);
}

static struct trained trained(const struct run *r)
{
	return (struct trained){ r->backend, r->net, r->spec->graph, r->recipe, r->data };
}

static double seconds(const struct run *r)
{
	return r->before + clock_mono() - r->start;
}

static void end(struct run *r, enum run_status status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void end(struct run *r, enum run_status status, const char *fmt, ...)
{
	va_list ap;

	r->over = true;
	r->out->status = status;
	va_start(ap, fmt);
	vsnprintf(r->out->reason, sizeof r->out->reason, fmt, ap);
	va_end(ap);
}

/* A failure of the backend: NET_OOM is a status, with the message as its reason, and NET_STOPPED is one. */
static int failed(struct run *r, int rc, struct err *e)
{
	char text[512];

	if (rc == NET_STOPPED) {
		end(r, RUN_STOPPED, "stopped on request while it waited for memory");
		return 0;
	}
	if (rc != NET_OOM)
		return -1;
	end(r, RUN_OOM, "%s", err_text(e, text, sizeof text));
	err_clear(e);
	return 0;
}

/* ---- before ------------------------------------------------------------------------------------------------- */

static int check_output(const struct graph_output *o, const struct dataset *d, struct err *e)
{
	if (o->task != d->task)
		return ERR(e, ERR_INVALID, o->name, "the network is made for %s, but %s is for %s", task_names[o->task],
			   d->name, task_names[d->task]);
	if (o->task == TASK_CLASSIFY && o->classes > UINT16_MAX)
		return ERR(e, ERR_INVALID, o->name, "%d classes: at most %d can be told apart", o->classes, UINT16_MAX);
	if (o->task == TASK_CLASSIFY && o->classes != d->classes)
		return ERR(e, ERR_INVALID, o->name, "the network tells %d classes apart, but %s has %d", o->classes,
			   d->name, d->classes);
	return 0;
}

static int check_recipe(const struct run *r, struct err *e)
{
	const struct fidelity *f = &r->recipe->fidelity;
	const struct shape *in = &r->spec->graph->inputs[0].shape;
	struct shape scaled = batch_shape(r->data, f->image);
	char want[48], have[48];

	if (in->type == TENSOR_IMAGE && scaled.type == TENSOR_IMAGE && !shape_equal(in, &scaled))
		return ERR(e, ERR_INVALID, "fidelity.image",
			   "the network takes %s, but at this scale the images are %s", shape_text(want, in),
			   shape_text(have, &scaled));
	if (r->recipe->early_stop.patience > 0 && !r->data->n_split[SPLIT_VALIDATION])
		return ERR(e, ERR_INVALID, "early_stop",
			   "%s has no validation examples to judge by: set \"validation\"", r->data->name);
	if (r->data->n_split[SPLIT_TRAIN] == 0)
		return ERR(e, ERR_INVALID, NULL, "%s has no training examples", r->data->name);
	return 0;
}

static void choose_examples(struct run *r)
{
	const struct dataset *d = r->data;

	r->n_train = d->n_split[SPLIT_TRAIN];
	r->train = mem_new((size_t)r->n_train * sizeof *r->train);
	if (r->recipe->fidelity.data < 1)
		r->n_train = dataset_part(d, r->recipe->fidelity.data, r->spec->seed, r->train);
	else
		memcpy(r->train, d->split[SPLIT_TRAIN], (size_t)r->n_train * sizeof *r->train);
}

/* Network, recipe but for where it stops, data, seed, backend, and the numbers it starts from if they are given. */
static struct hash128 identity(const struct run *r)
{
	struct recipe rest = *r->recipe;
	struct hash128 graph = graph_digest(r->spec->graph);
	struct hasher *h = hasher_new();
	struct str text = { 0 };
	struct json *doc;

	rest.horizon = rest.horizon ? rest.horizon : rest.epochs;
	rest.epochs = 1;
	doc = recipe_write(&rest);
	json_print(&text, doc);
	hasher_add(h, &graph, sizeof graph);
	hasher_add(h, text.s, text.len);
	hasher_add(h, &r->data->identity, sizeof r->data->identity);
	hasher_add(h, &r->spec->seed, sizeof r->spec->seed);
	hasher_add(h, r->backend->name, strlen(r->backend->name));
	if (r->spec->start)
		hasher_add(h, r->spec->start->data, (size_t)r->spec->start->total * sizeof *r->spec->start->data);
	json_free(doc);
	str_release(&text);
	return hasher_done(h);
}

/* 0: it is beyond counting. */
static int64_t wanted_bytes(const struct run *r, struct backend_ctx *ctx, const struct net_spec *n)
{
	int64_t bytes = r->backend->plan_bytes(ctx, n, NULL);

	return bytes > 0 ? bytes : 0;
}

static int make_net(struct run *r, struct backend_ctx *ctx, struct err *e)
{
	struct net_spec n = { .graph = r->spec->graph,
			      .recipe = r->recipe,
			      .data = r->data,
			      .train = r->train,
			      .n_train = r->n_train,
			      .seed = r->spec->seed,
			      .stopped = r->spec->stopped,
			      .arg = r->spec->arg };
	bool restore = r->recipe->early_stop.patience > 0 && r->recipe->early_stop.restore;
	int rc;

	rc = r->backend->net_create(&r->net, ctx, &n, e);
	if (rc < 0) {
		r->out->bytes = rc == NET_OOM ? wanted_bytes(r, ctx, &n) : 0;
		return failed(r, rc, e);
	}
	r->out->bytes = r->backend->net_bytes(r->net);
	r->state_bytes = r->backend->state_bytes(r->net);
	r->state = block_new(r->state_bytes);
	r->best = restore ? block_new(r->state_bytes) : NULL;
	if (!r->state || (restore && !r->best))
		end(r, RUN_OOM, "out of memory for a copy of the training state, %zu bytes", r->state_bytes);
	return 0;
}

static int first_weights(struct run *r, struct err *e)
{
	struct weights *w;
	int rc;

	if (r->spec->start)
		return r->backend->set_weights(r->net, r->spec->start, e);
	w = weights_new(r->spec->graph, e);
	if (!w)
		return -1;
	weights_init(w, r->spec->graph, r->spec->seed);
	rc = r->backend->set_weights(r->net, w, e);
	weights_free(w);
	return rc;
}

/* ---- checkpoints -------------------------------------------------------------------------------------------- */

/* The state after `epochs`, which is now. */
static int take_state(struct run *r, int epochs, struct err *e)
{
	if (r->state_of == epochs)
		return 0;
	if (r->backend->save_state(r->net, r->state, e) < 0)
		return -1;
	r->state_of = epochs;
	return 0;
}

static int save(struct run *r, struct err *e)
{
	struct checkpoint c = { .run = r->id,
				.seconds = seconds(r),
				.epochs = r->epochs,
				.n_epochs = r->n,
				.state = r->state,
				.state_bytes = r->state_bytes,
				.best = r->best,
				.best_bytes = r->best ? r->state_bytes : 0 };

	r->saved = clock_mono();
	if (take_state(r, r->n, e) < 0)
		return -1;
	return checkpoint_save(&c, r->spec->checkpoint, e);
}

static int fits(const struct run *r, const struct checkpoint *c, struct err *e)
{
	const char *path = r->spec->checkpoint;

	if (memcmp(&c->run, &r->id, sizeof r->id) != 0)
		return ERR(
		    e, ERR_INVALID, path,
		    "the checkpoint is of another run (network, recipe, data, seed or backend differ): delete it to "
		    "start again");
	if (c->n_epochs < r->spec->from_epoch)
		return ERR(e, ERR_INVALID, path, "the checkpoint holds %d epochs, %d are needed to continue",
			   c->n_epochs, r->spec->from_epoch);
	if (c->n_epochs > r->recipe->epochs)
		return ERR(e, ERR_INVALID, path, "the checkpoint holds %d epochs, the recipe stops at %d", c->n_epochs,
			   r->recipe->epochs);
	if (c->state_bytes != r->state_bytes || c->best_bytes != (r->best ? r->state_bytes : 0))
		return ERR(e, ERR_INVALID, path,
			   "the checkpoint is of another version of backend %s: delete it to "
			   "start again",
			   r->backend->name);
	return 0;
}

static int resume(struct run *r, struct err *e)
{
	struct checkpoint c;
	int rc = -1;

	if (checkpoint_load(&c, r->spec->checkpoint, e) < 0)
		return -1;
	TRY(fits(r, &c, e));
	TRY(r->backend->load_state(r->net, c.state, c.state_bytes, e));
	if (c.n_epochs)
		memcpy(r->epochs, c.epochs, (size_t)c.n_epochs * sizeof *c.epochs);
	if (r->best)
		memcpy(r->best, c.best, r->state_bytes);
	r->n = c.n_epochs;
	r->before = c.seconds;
	rc = 0;
out:
	checkpoint_release(&c);
	return rc;
}

static int begin(struct run *r, struct err *e)
{
	if (r->spec->checkpoint && file_exists(r->spec->checkpoint))
		return resume(r, e);
	if (r->spec->from_epoch > 0)
		return ERR(e, ERR_INVALID, r->spec->checkpoint, "no checkpoint to continue from after epoch %d",
			   r->spec->from_epoch);
	return first_weights(r, e);
}

/* ---- an epoch ----------------------------------------------------------------------------------------------- */

static bool out_of_time(const struct run *r)
{
	return r->spec->max_seconds > 0 && seconds(r) > r->spec->max_seconds;
}

static int evaluate(struct run *r, struct err *e)
{
	struct trained t = trained(r);

	r->val_is_now = true;
	return metrics_evaluate(&r->out->val, &t, SPLIT_VALIDATION, e);
}

static double train_accuracy(const struct run *r, const struct step_stats *s)
{
	if (r->data->task == TASK_REGRESS)
		return 1 -
		       s->loss / (double)s->examples / metrics_baseline(r->data, r->recipe->loss, r->train, r->n_train);
	return (double)s->correct / (double)s->examples;
}

static void record(struct run *r, const struct epoch *p)
{
	const struct step_stats *s = &p->sums;
	int64_t last = p->number * r->per_epoch - 1;

	assert(p->number == r->n + 1);
	r->epochs[r->n++] = (struct epoch_record){ .epoch = p->number,
						   .steps = r->per_epoch,
						   .examples = s->examples,
						   .rate = recipe_rate(r->recipe, last, r->per_epoch),
						   .train_loss = s->loss / (double)s->examples,
						   .train_accuracy = train_accuracy(r, s),
						   .val_loss = r->out->val.loss,
						   .val_accuracy = r->out->val.accuracy,
						   .grad_norm = s->grad_norm / (double)r->per_epoch,
						   .seconds = p->seconds };
}

static bool checkpoint_due(const struct run *r, bool stop)
{
	int every = r->spec->checkpoint_every > 0 ? r->spec->checkpoint_every : 1;

	if (!r->spec->checkpoint || stop || is_finished(r))
		return r->spec->checkpoint;
	return r->n % every == 0 && clock_mono() - r->saved >= r->spec->checkpoint_seconds;
}

/* The checkpoint comes after the callback: what a caller has not stored is done again rather than lost. */
static int report(struct run *r, struct err *e)
{
	bool stop = r->spec->on_epoch && r->spec->on_epoch(r->spec->arg, &r->epochs[r->n - 1]);

	if (r->best && best_epoch(r) == r->n) {
		if (take_state(r, r->n, e) < 0)
			return -1;
		memcpy(r->best, r->state, r->state_bytes);
	}
	if (checkpoint_due(r, stop) && save(r, e) < 0)
		return -1;
	if (stop && !is_finished(r))
		end(r, RUN_STOPPED, "stopped on request after epoch %d of %d", r->n, r->recipe->epochs);
	else if (!is_finished(r) && out_of_time(r))
		end(r, RUN_TIMEOUT, "out of time (%g s) after epoch %d of %d", r->spec->max_seconds, r->n,
		    r->recipe->epochs);
	return 0;
}

/* An epoch is done when its evaluation, which has been started, is. */
static int finish_epoch(struct run *r, struct epoch *p, struct err *e)
{
	struct trained t = trained(r);
	double began = clock_mono();

	if (metrics_finish(&r->out->val, &t, SPLIT_VALIDATION, e) < 0)
		return -1;
	if (r->out->val.n && !isfinite(r->out->val.loss)) {
		end(r, RUN_DIVERGED, "the validation loss was not finite after epoch %d: lower the learning rate",
		    p->number);
		return 0;
	}
	p->seconds += clock_mono() - began;
	record(r, p);
	return report(r, e);
}

/* The epoch before the one that trains. If the run ends with it the net goes back to where it was then. */
static int finish_behind(struct run *r, struct err *e)
{
	if (finish_epoch(r, &r->behind, e) < 0)
		return -1;
	r->behind.number = 0;
	if (!r->over && !is_finished(r))
		return 0;
	r->val_is_now = true;
	return r->backend->load_state(r->net, r->state, r->state_bytes, e);
}

/* Calls of about a quarter of a second. */
static void adapt(struct run *r, int64_t steps, double took)
{
	if (took < 0.125 && steps == r->some)
		r->some *= 2;
	else if (took > 0.5 && r->some > 1)
		r->some /= 2;
}

static void look_at_steps(struct run *r, const struct epoch *p, int64_t done)
{
	const struct step_stats *s = &p->sums;

	if (s->diverged)
		end(r, RUN_DIVERGED,
		    "loss or gradient were not finite in epoch %d: lower the learning rate, add warm-up, or clip the "
		    "gradient",
		    p->number);
	else if (done < r->per_epoch && out_of_time(r))
		end(r, RUN_TIMEOUT, "out of time (%g s) in epoch %d of %d", r->spec->max_seconds, p->number,
		    r->recipe->epochs);
	if (r->spec->on_step && !s->diverged)
		r->spec->on_step(r->spec->arg, p->number, done, r->per_epoch, s->loss / (double)s->examples);
}

static int train_epoch(struct run *r, struct epoch *p, struct err *e)
{
	int64_t first = (p->number - 1) * r->per_epoch, n;

	for (int64_t at = 0; at < r->per_epoch && !r->over; at += n) {
		double began = clock_mono(), took;
		int rc;

		n = r->per_epoch - at < r->some ? r->per_epoch - at : r->some;
		rc = r->backend->train_steps(r->net, first + at, n, &p->sums, e);
		if (rc < 0)
			return failed(r, rc, e);
		took = clock_mono() - began;
		p->seconds += took;
		adapt(r, n, took);
		if (r->behind.number && finish_behind(r, e) < 0)
			return -1;
		if (r->over || is_finished(r))
			return 0;
		look_at_steps(r, p, at + n);
	}
	return 0;
}

/* Evaluation runs beside the first steps of the next epoch, if there is one. What the net is now must be kept then: the
 * run may end with it. */
static int one_epoch(struct run *r, struct err *e)
{
	struct epoch p = { .number = r->n + 1 + (r->behind.number > 0) };
	struct trained t = trained(r);
	double began;

	r->val_is_now = false;
	if (train_epoch(r, &p, e) < 0)
		return -1;
	if (r->over || is_finished(r))
		return 0;
	began = clock_mono();
	if (metrics_start(&t, SPLIT_VALIDATION, e) < 0)
		return -1;
	if (r->backend->evaluate_start && p.number < r->recipe->epochs) {
		if (take_state(r, p.number, e) < 0)
			return -1;
		p.seconds += clock_mono() - began;
		r->behind = p;
		return 0;
	}
	p.seconds += clock_mono() - began;
	r->val_is_now = true;
	return finish_epoch(r, &p, e);
}

/* ---- after -------------------------------------------------------------------------------------------------- */

static int restore(struct run *r, struct err *e)
{
	if (!r->best || best_epoch(r) == r->n || best_epoch(r) == 0)
		return 0;
	r->out->restored = true;
	r->val_is_now = false;
	return r->backend->load_state(r->net, r->best, r->state_bytes, e);
}

static void find(struct run *r, const struct weights *w)
{
	const struct dataset *d = r->data;
	struct trained t = trained(r);
	bool enough = d->n_split[SPLIT_VALIDATION] >= r->recipe->batch;

	findings_history(r->out, r->epochs, r->n, metrics_baseline(d, r->recipe->loss, r->train, r->n_train));
	findings_gradients(r->out, &t, w, enough ? d->split[SPLIT_VALIDATION] : r->train,
			   enough ? d->n_split[SPLIT_VALIDATION] : r->n_train);
}

/* Weights that count, their evaluation, what there is to say. */
static int conclude(struct run *r, struct weights *final, struct err *e)
{
	struct weights *w = final ? NULL : weights_new(r->spec->graph, e);
	int rc = -1;

	if (!final && !w)
		return -1;
	if (!r->over)
		TRY(restore(r, e));
	if (!r->val_is_now)
		TRY(evaluate(r, e));
	TRY(r->backend->get_weights(r->net, final ? final : w, e));
	if (!r->over)
		find(r, final ? final : w);
	rc = 0;
out:
	weights_free(w);
	return rc;
}

static int run_all(struct run *r, struct backend_ctx *ctx, struct weights *final, struct err *e)
{
	choose_examples(r);
	r->id = identity(r);
	if (make_net(r, ctx, e) < 0)
		return -1;
	if (r->over)
		return 0;
	r->per_epoch = r->n_train / r->recipe->batch;
	r->some = 1;
	r->epochs = mem_new((size_t)r->recipe->epochs * sizeof *r->epochs);
	if (begin(r, e) < 0)
		return -1;
	while (!r->over && !is_finished(r))
		if (one_epoch(r, e) < 0)
			return -1;
	if (r->out->status == RUN_DIVERGED || r->out->status == RUN_OOM)
		return 0;
	return conclude(r, final, e);
}

int train_run(const struct backend *b, struct backend_ctx *ctx, const struct run_spec *spec, struct run_result *out,
	      struct weights *final, struct err *e)
{
	struct run r = { .backend = b, .spec = spec, .recipe = spec->recipe, .data = spec->data, .out = out };
	struct err why = { 0 };
	char text[512];
	int rc;

	r.start = r.saved = clock_mono();
	*out = (struct run_result){ .status = RUN_DONE, .best_accuracy = NO_VALUE };
	if (check_output(&spec->graph->outputs[0], spec->data, e) < 0 || check_recipe(&r, e) < 0 ||
	    loss_supports(spec->graph, spec->recipe, e) < 0)
		return -1;
	if (b->supports(spec->graph, spec->recipe, &why) < 0) {
		end(&r, RUN_INFEASIBLE, "%s", err_text(&why, text, sizeof text));
		return 0;
	}
	rc = run_all(&r, ctx, final, e);
	out->epochs = r.n;
	out->best_epoch = best_epoch(&r);
	if (out->best_epoch)
		out->best_accuracy = r.epochs[out->best_epoch - 1].val_accuracy;
	out->seconds = seconds(&r);
	b->net_free(r.net);
	block_free(r.state, r.state_bytes);
	block_free(r.best, r.state_bytes);
	mem_free(r.epochs);
	mem_free(r.train);
	if (rc < 0)
		run_result_release(out);
	return rc;
}

void run_result_release(struct run_result *r)
{
	evaluation_release(&r->val);
}

/* ---- evaluation of given weights ---------------------------------------------------------------------------- */

int train_evaluate(const struct backend *b, struct backend_ctx *ctx, const struct graph *g, const struct weights *w,
		   const struct dataset *d, enum split split, struct evaluation *out, struct err *e)
{
	struct recipe r;
	struct net_spec spec = { .graph = g, .recipe = &r, .data = d };
	struct trained t = { b, NULL, g, &r, d };
	struct net *net = NULL;
	int rc = -1;

	*out = (struct evaluation){ 0 };
	recipe_defaults(&r);
	r.n_augment = 0;
	r.loss = d->task == TASK_REGRESS ? LOSS_MSE : LOSS_CROSS_ENTROPY;
	if (check_output(&g->outputs[0], d, e) < 0 || b->supports(g, &r, e) < 0)
		return -1;
	if (b->net_create(&net, ctx, &spec, e) < 0)
		return -1;
	TRY(b->set_weights(net, w, e));
	t.net = net;
	TRY(metrics_evaluate(out, &t, split, e));
	rc = 0;
out:
	b->net_free(net);
	if (rc < 0)
		evaluation_release(out);
	return rc;
}
