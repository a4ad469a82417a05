/* tests/unit/test_cuda_overlap.c - evaluation beside training (train/backend.h: evaluate_start) changes nothing: whole
 * runs give the records, checkpoints, weights and endings of runs without it, whatever ends them. On the emulated card,
 * or on the one that NAB_CUDA_PLUGIN names.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/helper_cuda.h"
#include "tests/helper_data.h"
#include "tests/helper_skip.h"
#include "train/backend_cuda_card.h"
#include "train/checkpoint.h"
#include "train/train.h"

enum { MOST_EPOCHS = 40 };

static const char model[] = "{'input': [1, 6, 6], 'classes': 3, 'layers': [{'conv2d': {'filters': 4, 'kernel': 3}},"
			    "'batchnorm', 'relu', {'dropout': {'rate': 0.2}}, 'flatten', {'dense': {'units': 3}}]}";

/* ---- backends that do as they are told ------------------------------------------------------------------ */

extern const struct backend backend_cuda;

static struct watch {                /* of the run under way */
	bool under_way;              /* an evaluation was started, and nothing of it is read */
	int evaluations, overlapped; /* overlapped: with steps in between */
	bool steps_between;
	int bad_evaluation;  /* this one gives logits that are not numbers; 0: none */
	int64_t diverges_at; /* the call that trains this step says so; 0: none */
} watch;

static void spoil(float *out)
{
	if (watch.evaluations == watch.bad_evaluation)
		out[0] = NAN;
}

static int watched_steps(struct net *net, int64_t first, int64_t n, struct step_stats *stats, struct err *e)
{
	int rc = backend_cuda.train_steps(net, first, n, stats, e);

	watch.steps_between |= watch.under_way;
	if (watch.diverges_at && first + n > watch.diverges_at)
		stats->diverged = true;
	return rc;
}

static int watched_evaluate(struct net *net, const uint32_t *index, int64_t n, float *out, struct err *e)
{
	int rc = backend_cuda.evaluate(net, index, n, out, e);

	watch.evaluations++;
	spoil(out);
	return rc;
}

static int watched_start(struct net *net, const uint32_t *index, int64_t n, struct err *e)
{
	watch.evaluations++;
	watch.under_way = true;
	watch.steps_between = false;
	return backend_cuda.evaluate_start(net, index, n, e);
}

static int watched_read(struct net *net, int64_t first, int64_t n, float *out, struct err *e)
{
	int rc = backend_cuda.evaluate_read(net, first, n, out, e);

	watch.overlapped += watch.under_way && watch.steps_between;
	watch.under_way = false;
	spoil(out);
	return rc;
}

/* The same but for the evaluation: with and without training beside it. */
static struct backend watched(bool overlaps)
{
	struct backend b = backend_cuda;

	b.plan_bytes = NULL; /* a run plans once, when its net is made */
	b.train_steps = watched_steps;
	b.evaluate = watched_evaluate;
	b.evaluate_start = overlaps ? watched_start : NULL;
	b.evaluate_read = overlaps ? watched_read : NULL;
	return b;
}

/* ---- a run and all that is seen of it ------------------------------------------------------------------- */

struct plan {
	int batch, epochs, n_val, patience;
	bool restore;
	double lr;
	int stop_at;   /* epoch after which the callback asks to stop; 0: none */
	int late_at;   /* epoch in whose callback time is up; 0: none */
	int every;     /* epochs between checkpoints */
	int bad_epoch; /* whose validation loss is not finite; 0: none */
	int64_t diverges_at;
};

struct seen {
	struct backend b;
	struct backend_ctx *ctx;
	struct arena *a;
	struct recipe r;
	struct run_spec spec;
	struct plan plan;
	struct run_result out;
	struct weights *w;
	struct epoch_record epochs[MOST_EPOCHS];
	int n;
	int overlapped;
	bool stops; /* while it waits */
	char path[64];
	struct err e;
};

static int epochs_kept(const char *path)
{
	struct checkpoint c;
	int n;

	if (!file_exists(path))
		return 0;
	assert_int_equal(checkpoint_load(&c, path, NULL), 0);
	n = c.n_epochs;
	checkpoint_release(&c);
	return n;
}

static int on_epoch(void *arg, const struct epoch_record *rec)
{
	struct seen *s = arg;

	assert_int_equal(rec->epoch, s->n + 1);
	assert_false(s->stops);
	assert_true(epochs_kept(s->path) <= s->n); /* what the caller has not got is not kept either */
	s->epochs[s->n++] = *rec;
	if (rec->epoch == s->plan.late_at)
		s->spec.max_seconds = 1e-9;
	return rec->epoch == s->plan.stop_at;
}

static bool stopped(void *arg)
{
	return ((const struct seen *)arg)->stops;
}

static void on_step(void *arg, int epoch, int64_t step, int64_t steps, double loss)
{
	const struct seen *s = arg;

	assert_int_equal(epoch, s->n + 1); /* an epoch is told before the steps of the next one */
	assert_true(step >= 1 && step <= steps && isfinite(loss));
}

static void begin(struct seen *s, const struct plan *p, bool overlaps)
{
	struct blobs blobs = { .shape = shape_image(1, 6, 6),
			       .classes = 3,
			       .n = { 60, p->n_val, 0 },
			       .noise = 1.5,
			       .bytes = true,
			       .seed = 9 };
	struct backend_conf conf = { .threads = 1 };

	memset(s, 0, sizeof *s);
	s->a = arena_new();
	s->plan = *p;
	s->b = watched(overlaps);
	if (s->b.open(&s->ctx, &conf, &s->e) < 0)
		fail_msg("%s", s->e.msg);
	recipe_defaults(&s->r);
	s->r.batch = p->batch;
	s->r.epochs = p->epochs;
	s->r.n_augment = 0;
	s->r.precision = PRECISION_BF16;
	s->r.optimizer = (struct optimizer){ .kind = OPTIMIZER_SGD, .lr = p->lr, .momentum = 0.9 };
	s->r.clip = 1;
	s->r.early_stop = (struct early_stop){ .patience = p->patience, .restore = p->restore };
	s->spec = (struct run_spec){ .graph = graph_of(s->a, model),
				     .recipe = &s->r,
				     .data = blobs_new(&blobs, s->a),
				     .seed = 5,
				     .checkpoint = s->path,
				     .checkpoint_every = p->every,
				     .on_epoch = on_epoch,
				     .on_step = on_step,
				     .stopped = stopped,
				     .arg = s };
	s->w = weights_new(s->spec.graph, NULL);
	snprintf(s->path, sizeof s->path, "/tmp/nab-test-overlap-%d-%d.ckpt", (int)getpid(), overlaps);
	unlink(s->path);
}

static void go(struct seen *s)
{
	watch = (struct watch){ .bad_evaluation = s->plan.bad_epoch, .diverges_at = s->plan.diverges_at };
	s->n = epochs_kept(s->path);
	s->spec.max_seconds = 0;
	run_result_release(&s->out);
	memset(s->w->data, 0, (size_t)s->w->total * sizeof *s->w->data);
	if (train_run(&s->b, s->ctx, &s->spec, &s->out, s->w, &s->e) < 0)
		fail_msg("%s: %s", s->e.where, s->e.msg);
	s->overlapped = watch.overlapped;
}

static void end(struct seen *s)
{
	unlink(s->path);
	run_result_release(&s->out);
	weights_free(s->w);
	s->b.close(s->ctx);
	arena_free(s->a);
}

/* ---- the same ------------------------------------------------------------------------------------------- */

static void same_records(const struct epoch_record *a, const struct epoch_record *b, int n)
{
	for (int i = 0; i < n; i++) {
		struct epoch_record x = a[i], y = b[i];

		assert_true(x.seconds > 0 && y.seconds > 0);
		x.seconds = y.seconds = 0;
		assert_int_equal(x.epoch, y.epoch);
		assert_memory_equal(&x.steps, &y.steps, sizeof x - offsetof(struct epoch_record, steps));
	}
}

static void same_checkpoints(const struct seen *x, const struct seen *y)
{
	struct checkpoint a, b;

	assert_int_equal(file_exists(x->path), file_exists(y->path));
	if (!file_exists(x->path))
		return;
	assert_int_equal(checkpoint_load(&a, x->path, NULL), 0);
	assert_int_equal(checkpoint_load(&b, y->path, NULL), 0);
	assert_memory_equal(&a.run, &b.run, sizeof a.run);
	assert_int_equal(a.n_epochs, b.n_epochs);
	same_records(a.epochs, b.epochs, a.n_epochs);
	assert_int_equal(a.state_bytes, b.state_bytes);
	assert_memory_equal(a.state, b.state, a.state_bytes);
	assert_int_equal(a.best_bytes, b.best_bytes);
	if (a.best_bytes)
		assert_memory_equal(a.best, b.best, a.best_bytes);
	checkpoint_release(&a);
	checkpoint_release(&b);
}

static void same_results(const struct run_result *x, const struct run_result *y)
{
	assert_string_equal(run_status_names[x->status], run_status_names[y->status]);
	assert_string_equal(x->reason, y->reason);
	assert_int_equal(x->epochs, y->epochs);
	assert_int_equal(x->best_epoch, y->best_epoch);
	assert_memory_equal(&x->best_accuracy, &y->best_accuracy, sizeof x->best_accuracy);
	assert_int_equal(x->restored, y->restored);
	assert_int_equal(x->bytes, y->bytes);
	assert_int_equal(x->n_findings, y->n_findings);
	assert_int_equal(x->val.n, y->val.n);
	assert_memory_equal(&x->val.loss, &y->val.loss, sizeof x->val.loss);
	if (x->val.n)
		assert_memory_equal(x->val.predicted, y->val.predicted, (size_t)x->val.n * sizeof *x->val.predicted);
}

static void same(const struct seen *x, const struct seen *y)
{
	assert_int_equal(x->n, y->n);
	same_records(x->epochs, y->epochs, x->n);
	same_results(&x->out, &y->out);
	same_checkpoints(x, y);
	assert_memory_equal(x->w->data, y->w->data, (size_t)x->w->total * sizeof *x->w->data);
}

/* Runs by a plan, with and without overlap. */
static void both(struct seen *with, struct seen *without, const struct plan *p)
{
	begin(with, p, true);
	begin(without, p, false);
	go(with);
	go(without);
	same(with, without);
	assert_int_equal(without->overlapped, 0);
}

static void end_both(struct seen *with, struct seen *without)
{
	end(with);
	end(without);
}

/* ---- runs ----------------------------------------------------------------------------------------------- */

static void whole_runs(void **state)
{
	static const struct plan plans[] = {
		{ .batch = 10, .epochs = 4, .n_val = 30, .lr = 0.05 },
		{ .batch = 7, .epochs = 3, .n_val = 30, .lr = 0.05, .every = 2 }, /* 4 examples are left, and 2 */
		{ .batch = 7, .epochs = 3, .n_val = 1, .lr = 0.05 },
		{ .batch = 60, .epochs = 5, .n_val = 200, .lr = 0.05 }, /* a step is an epoch */
		{ .batch = 10, .epochs = 3, .n_val = 0, .lr = 0.05 },
		{ .batch = 10, .epochs = 1, .n_val = 30, .lr = 0.05 },
	};

	(void)state;
	cuda_test_plugin();
	for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
		struct seen with, without;

		both(&with, &without, &plans[i]);
		assert_int_equal(with.out.status, RUN_DONE);
		assert_int_equal(with.n, plans[i].epochs);
		assert_int_equal(with.overlapped, plans[i].n_val ? plans[i].epochs - 1 : 0);
		end_both(&with, &without);
	}
}

static void early_stops(void **state)
{
	(void)state;
	cuda_test_plugin();
	for (int patience = 1; patience <= 2; patience++) {
		struct plan p = { .batch = 10, .epochs = MOST_EPOCHS, .n_val = 30, .lr = 3, .patience = patience };
		struct seen with, without;

		p.restore = patience == 1;
		both(&with, &without, &p);
		assert_int_equal(with.out.status, RUN_DONE);
		assert_true(with.n < MOST_EPOCHS);
		assert_int_equal(with.overlapped, with.n); /* of the last one, too: the steps beside it were in vain */
		go(&with);                                 /* nothing more to do, and the same end */
		assert_int_equal(with.n, without.n);
		same_results(&with.out, &without.out);
		end_both(&with, &without);
	}
}

/* Stopped after every epoch, each way, and resumed the other way: the bits of the uninterrupted run. */
static void stops_and_resumes(void **state)
{
	struct plan p = {
		.batch = 7, .epochs = 4, .n_val = 30, .lr = 0.3, .patience = 10, .restore = true, .every = 100
	};
	struct seen whole, with, without;
	struct backend other;

	(void)state;
	cuda_test_plugin();
	begin(&whole, &p, false);
	snprintf(whole.path, sizeof whole.path, "/tmp/nab-test-overlap-%d-whole.ckpt", (int)getpid());
	go(&whole);
	for (p.stop_at = 1; p.stop_at < p.epochs; p.stop_at++) {
		both(&with, &without, &p);
		assert_int_equal(with.out.status, RUN_STOPPED);
		assert_int_equal(with.out.epochs, p.stop_at);
		assert_int_equal(epochs_kept(with.path), p.stop_at);
		other = with.b;
		with.b = without.b;
		without.b = other;
		with.plan.stop_at = without.plan.stop_at = 0;
		go(&with);
		go(&without);
		same(&with, &without);
		same(&with, &whole);
		end_both(&with, &without);
	}
	end(&whole);
}

static void time_is_up(void **state)
{
	struct plan p = { .batch = 10, .epochs = 5, .n_val = 30, .lr = 0.05 };

	(void)state;
	cuda_test_plugin();
	for (p.late_at = 1; p.late_at < p.epochs; p.late_at++) {
		struct seen with, without;

		both(&with, &without, &p);
		assert_int_equal(with.out.status, RUN_TIMEOUT);
		assert_int_equal(with.out.epochs, p.late_at);
		assert_int_equal(with.overlapped, p.late_at);
		end_both(&with, &without);
	}
}

static void validation_diverges(void **state)
{
	struct plan p = { .batch = 10, .epochs = 4, .n_val = 30, .lr = 0.05 };

	(void)state;
	cuda_test_plugin();
	for (p.bad_epoch = 1; p.bad_epoch <= p.epochs; p.bad_epoch++) {
		struct seen with, without;

		both(&with, &without, &p);
		assert_int_equal(with.out.status, RUN_DIVERGED);
		assert_int_equal(with.out.epochs, p.bad_epoch - 1);
		assert_int_equal(epochs_kept(with.path), p.bad_epoch - 1);
		end_both(&with, &without);
	}
}

/* In the steps beside an evaluation, and in later ones: the epoch before is told and kept first. */
static void training_diverges(void **state)
{
	struct plan p = { .batch = 10, .epochs = 4, .n_val = 30, .lr = 0.05 };

	(void)state;
	cuda_test_plugin();
	for (p.diverges_at = 1; p.diverges_at < 24; p.diverges_at += 5) {
		struct seen with, without;

		both(&with, &without, &p);
		assert_int_equal(with.out.status, RUN_DIVERGED);
		assert_int_equal(with.out.epochs, p.diverges_at / 6);
		assert_int_equal(epochs_kept(with.path), p.diverges_at / 6);
		end_both(&with, &without);
	}
}

/* ---- the backend alone ---------------------------------------------------------------------------------- */

struct bench {
	struct arena *a;
	struct recipe r;
	struct net_spec spec;
	struct backend_ctx *ctx;
	struct net *net;
	struct weights *w;
	struct err e;
};

static void bench_open(struct bench *t, const char *json, struct blobs blobs, enum precision precision)
{
	struct backend_conf conf = { .threads = 1 };

	memset(t, 0, sizeof *t);
	t->a = arena_new();
	recipe_defaults(&t->r);
	t->r.batch = 12;
	t->r.n_augment = 0;
	t->r.precision = precision;
	t->r.optimizer = (struct optimizer){ .kind = OPTIMIZER_SGD, .lr = 0.1, .momentum = 0.9 };
	t->spec.graph = graph_of(t->a, json);
	t->spec.recipe = &t->r;
	t->spec.data = blobs_new(&blobs, t->a);
	t->spec.train = t->spec.data->split[SPLIT_TRAIN];
	t->spec.n_train = t->spec.data->n_split[SPLIT_TRAIN];
	t->w = weights_new(t->spec.graph, NULL);
	weights_init(t->w, t->spec.graph, 1);
	assert_int_equal(backend_cuda.open(&t->ctx, &conf, &t->e), 0);
	assert_int_equal(backend_cuda.net_create(&t->net, t->ctx, &t->spec, &t->e), 0);
	assert_int_equal(backend_cuda.set_weights(t->net, t->w, &t->e), 0);
}

static void bench_close(struct bench *t)
{
	backend_cuda.net_free(t->net);
	backend_cuda.close(t->ctx);
	weights_free(t->w);
	arena_free(t->a);
}

static void steps(struct bench *t, int64_t first, int64_t n)
{
	struct step_stats stats = { 0 };

	assert_int_equal(backend_cuda.train_steps(t->net, first, n, &stats, &t->e), 0);
	assert_false(stats.diverged);
}

/* Evaluates beside training, read in parts that do not divide anything, and before it; both must be the same, round
 * after round. */
static void logits_are_of_the_weights_before(struct bench *t, int rounds, int64_t part)
{
	const uint32_t *index = t->spec.data->split[SPLIT_VALIDATION];
	int64_t n = t->spec.data->n_split[SPLIT_VALIDATION], width = t->spec.graph->outputs[0].classes;
	float *before = mem_new((size_t)(n * width) * sizeof *before);
	float *beside = mem_new((size_t)(n * width) * sizeof *beside);

	for (int i = 0; i < rounds; i++) {
		memset(beside, 0, (size_t)(n * width) * sizeof *beside);
		assert_int_equal(backend_cuda.evaluate(t->net, index, n, before, &t->e), 0);
		assert_int_equal(backend_cuda.evaluate_start(t->net, index, n, &t->e), 0);
		steps(t, 3 * i, 3);
		for (int64_t at = 0; at < n; at += part)
			assert_int_equal(backend_cuda.evaluate_read(t->net, at, n - at < part ? n - at : part,
								    beside + at * width, &t->e),
					 0);
		assert_memory_equal(beside, before, (size_t)(n * width) * sizeof *before);
	}
	mem_free(before);
	mem_free(beside);
}

static void a_snapshot_is_evaluated(void **state)
{
	struct blobs blobs = {
		.shape = shape_image(1, 6, 6), .classes = 3, .n = { 60, 50, 0 }, .noise = 1, .bytes = true, .seed = 2
	};
	struct bench t;

	(void)state;
	cuda_test_plugin();
	for (int p = 0; p < 2; p++) {
		bench_open(&t, model, blobs, p ? PRECISION_BF16 : PRECISION_FP32);
		logits_are_of_the_weights_before(&t, 12, 17);
		bench_close(&t);
	}
}

/* More logits than are kept on the card at once. */
static void many_logits_come_in_pieces(void **state)
{
	struct blobs blobs = { .shape = shape_vector(2), .classes = 1000, .n = { 24, 4300, 0 }, .noise = 1, .seed = 2 };
	struct bench t;

	(void)state;
	cuda_test_plugin();
	bench_open(&t,
		   "{'inputs': {'in': {'type': 'vector', 'shape': [2]}}, 'classes': 1000, 'layers': ["
		   "{'dense': {'units': 1000}}]}",
		   blobs, PRECISION_FP32);
	logits_are_of_the_weights_before(&t, 1, 999);
	bench_close(&t);
}

/* A net that is given up in the middle of it leaves nothing running. */
static void abandoned(void **state)
{
	struct blobs blobs = { .shape = shape_image(1, 6, 6), .classes = 3, .n = { 60, 50, 0 }, .noise = 1, .seed = 2 };
	struct bench t;

	(void)state;
	cuda_test_plugin();
	bench_open(&t, model, blobs, PRECISION_BF16);
	assert_int_equal(backend_cuda.evaluate_start(t.net, t.spec.data->split[SPLIT_VALIDATION], 50, &t.e), 0);
	steps(&t, 0, 2);
	bench_close(&t);
}

/* What a net says that it takes is what it takes, the part for evaluation included. */
static void memory_is_as_planned(void **state)
{
	struct blobs blobs = { .shape = shape_image(1, 6, 6), .classes = 3, .n = { 60, 50, 0 }, .noise = 1, .seed = 2 };
	struct bench t;
	struct cuda_common *card;
	int64_t all, with, without, trains, only_evaluates;

	(void)state;
	cuda_test_plugin();
	bench_open(&t, model, blobs, PRECISION_BF16);
	assert_int_equal(cuda_common_open(&card, 0, &t.e), 0);
	trains = backend_cuda.net_bytes(t.net);
	assert_int_equal(backend_cuda.plan_bytes(t.ctx, &t.spec, &t.e), trains);
	cuda_common_budget(card, &all, &with);
	backend_cuda.net_free(t.net);
	cuda_common_budget(card, &all, &without);
	assert_int_equal(with - without, trains);
	t.spec.train = NULL;
	t.spec.n_train = 0;
	only_evaluates = backend_cuda.plan_bytes(t.ctx, &t.spec, &t.e);
	assert_true(only_evaluates > 0 && only_evaluates < trains);
	assert_int_equal(backend_cuda.net_create(&t.net, t.ctx, &t.spec, &t.e), 0);
	assert_int_equal(backend_cuda.net_bytes(t.net), only_evaluates);
	bench_close(&t);
}

/* A run that waits for memory, which another net has, ends when it is asked to; its checkpoint is as it was. */
static void stopped_while_it_waits(void **state)
{
	struct blobs blobs = { .shape = shape_image(1, 6, 6), .classes = 3, .n = { 60, 30, 0 }, .noise = 1, .seed = 2 };
	struct plan p = { .batch = 10, .epochs = 3, .n_val = 30, .lr = 0.05, .stop_at = 2 };
	struct cuda_common *card;
	struct cuda_lease rest = { 0 };
	int64_t all, taken;
	struct shape shape = shape_image(1, 6, 6);
	struct seen with, without;
	struct bench t;

	(void)state;
	cuda_test_plugin();
	if (!cuda_test_emulated())
		SKIP_BECAUSE("a real card is not filled up");
	both(&with, &without, &p);
	bench_open(&t, model, blobs, PRECISION_BF16);
	assert_int_equal(cuda_common_open(&card, 0, &t.e), 0);
	cuda_common_budget(card, &all, &taken);
	assert_int_equal(cuda_lease_take(&rest, card, NULL, all - taken, NULL, NULL, NULL, &shape, &t.e), 0);
	with.stops = true;
	with.plan.stop_at = 0;
	go(&with);
	assert_int_equal(with.out.status, RUN_STOPPED);
	assert_non_null(strstr(with.out.reason, "waited for memory"));
	assert_int_equal(with.out.epochs, 0);
	same_checkpoints(&with, &without);
	cuda_lease_give(&rest);
	bench_close(&t);
	with.stops = false;
	without.plan.stop_at = 0;
	go(&with);
	go(&without);
	same(&with, &without);
	end_both(&with, &without);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_runs),
		cmocka_unit_test(early_stops),
		cmocka_unit_test(stops_and_resumes),
		cmocka_unit_test(time_is_up),
		cmocka_unit_test(validation_diverges),
		cmocka_unit_test(training_diverges),
		cmocka_unit_test(a_snapshot_is_evaluated),
		cmocka_unit_test(many_logits_come_in_pieces),
		cmocka_unit_test(abandoned),
		cmocka_unit_test(memory_is_as_planned),
		cmocka_unit_test(stopped_while_it_waits),
	};

	return cmocka_run_group_tests_name("cuda_overlap", tests, NULL, NULL);
}
