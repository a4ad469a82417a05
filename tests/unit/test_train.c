/* tests/unit/test_train.c - whole runs on made-up data: they learn, resume with the same bits, end as they should. */
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
#include "base/log.h"
#include "base/mem.h"
#include "tests/helper_cuda.h"
#include "tests/helper_data.h"
#include "train/checkpoint.h"
#include "train/train.h"

#define CNN                                                                                                            \
	"{'input': [1,6,6], 'classes': 3, 'layers': [{'conv2d': {'filters': 4, 'kernel': 3, 'padding': 'same'}},"      \
	"'batchnorm', 'relu', {'maxpool2d': {'size': 2}}, {'dropout': {'rate': 0.2}}, 'flatten', {'dense': {'units': " \
	"3}}]}"

struct bench {
	struct arena *a;
	struct dataset *data;
	struct graph *g;
	struct recipe r;
	const struct backend *b;
	struct backend_ctx *ctx;
	struct run_spec spec;
	struct run_result out;
	struct weights *w;
	struct err e;
	struct epoch_record seen[64];
	int n_seen, stop_at;
	int kept[5];  /* epochs that the checkpoint held when one was told */
	double pause; /* seconds that a step callback takes */
	char path[64];
};

static int on_epoch(void *arg, const struct epoch_record *rec)
{
	struct bench *t = arg;

	t->seen[t->n_seen++] = *rec;
	return rec->epoch == t->stop_at;
}

static void on_step(void *arg, int epoch, int64_t step, int64_t steps, double loss)
{
	struct bench *t = arg;

	assert_true(epoch >= 1 && step >= 1 && step <= steps && isfinite(loss));
	if (t->pause > 0)
		usleep((useconds_t)(t->pause * 1e6));
}

/* Every backend but cuda works everywhere; that needs the emulated plugin or a card. */
static bool works(const struct backend *b)
{
	if (b->probe(NULL) == 0)
		return true;
	print_message("# skipped backend %s: it does not work here\n", b->name);
	return false;
}

static void start_with(struct bench *t, const char *backend, const char *model, struct blobs blobs)
{
	struct backend_conf conf = { .threads = 1 };

	memset(t, 0, sizeof *t);
	t->a = arena_new();
	t->data = blobs_new(&blobs, t->a);
	t->g = graph_of(t->a, model);
	t->b = backend_find(backend);
	assert_int_equal(t->b->open(&t->ctx, &conf, &t->e), 0);
	recipe_defaults(&t->r);
	t->r.batch = 10;
	t->r.epochs = 4;
	t->r.n_augment = 0;
	t->r.optimizer = (struct optimizer){ .kind = OPTIMIZER_SGD, .lr = 0.05, .momentum = 0.9 };
	t->r.loss = blobs.classes ? LOSS_CROSS_ENTROPY : LOSS_MSE;
	t->w = weights_new(t->g, NULL);
	t->spec = (struct run_spec){ .graph = t->g,
				     .recipe = &t->r,
				     .data = t->data,
				     .seed = 5,
				     .on_epoch = on_epoch,
				     .on_step = on_step,
				     .arg = t };
	snprintf(t->path, sizeof t->path, "/tmp/nab-test-train-%d.ckpt", (int)getpid());
	unlink(t->path);
}

static void start(struct bench *t, const char *backend)
{
	struct blobs b = {
		.shape = shape_image(1, 6, 6), .classes = 3, .n = { 60, 30, 15 }, .noise = 0.8, .bytes = true, .seed = 9
	};

	start_with(t, backend, CNN, b);
}

static int go(struct bench *t)
{
	run_result_release(&t->out);
	err_clear(&t->e);
	return train_run(t->b, t->ctx, &t->spec, &t->out, t->w, &t->e);
}

static void must(struct bench *t, enum run_status status)
{
	if (go(t) < 0)
		fail_msg("%s: %s", t->e.where, t->e.msg);
	if (t->out.status != status)
		fail_msg("%s: %s", run_status_names[t->out.status], t->out.reason);
}

static void stop(struct bench *t)
{
	unlink(t->path);
	run_result_release(&t->out);
	weights_free(t->w);
	t->b->close(t->ctx);
	arena_free(t->a);
}

static const struct finding *find(const struct bench *t, const char *code)
{
	for (int i = 0; i < t->out.n_findings; i++)
		if (strcmp(t->out.findings[i].code, code) == 0)
			return &t->out.findings[i];
	return NULL;
}

/* Records but for the times. */
static void same_records(const struct epoch_record *a, const struct epoch_record *b, int n)
{
	for (int i = 0; i < n; i++) {
		struct epoch_record x = a[i], y = b[i];

		x.seconds = y.seconds = 0;
		assert_memory_equal(&x.steps, &y.steps, sizeof x - offsetof(struct epoch_record, steps));
		assert_int_equal(x.epoch, y.epoch);
	}
}

static void learns(void **state)
{
	struct bench t;

	(void)state;
	for (int i = 0; backends[i]; i++) {
		if (!works(backends[i]))
			continue;
		start(&t, backends[i]->name);
		t.r.augment[t.r.n_augment++] = (struct augment){ .kind = AUGMENT_CROP, .pad = 1 };
		t.r.label_smoothing = 0.05;
		t.r.clip = 5;
		t.r.schedule.kind = SCHEDULE_COSINE;
		t.r.epochs = 8;
		must(&t, RUN_DONE);
		assert_int_equal(t.out.epochs, 8);
		assert_int_equal(t.n_seen, 8);
		assert_int_equal(t.seen[7].steps, 6);
		assert_int_equal(t.seen[7].examples, 60);
		assert_true(t.out.val.accuracy > 0.8);
		assert_true(t.seen[7].train_loss < 0.6 * t.seen[0].train_loss);
		assert_true(t.seen[7].val_loss == t.out.val.loss && t.seen[7].val_accuracy == t.out.val.accuracy);
		assert_true(t.out.bytes > 0 && t.out.seconds > 0);
		assert_true(t.seen[7].rate == recipe_rate(&t.r, 47, 6));
		stop(&t);
	}
}

static void regression_learns(void **state)
{
	struct bench t;
	struct blobs b = { .shape = shape_vector(4), .n = { 60, 30, 0 }, .noise = 1, .seed = 1 };

	(void)state;
	start_with(&t, "ref",
		   "{'inputs': {'in': {'type': 'vector', 'shape': [4]}},"
		   "'outputs': {'out': {'task': 'regression', 'classes': 1}},"
		   "'layers': [{'dense': {'units': 8}}, 'tanh', {'dense': {'units': 1}}]}",
		   b);
	t.r.epochs = 30;
	must(&t, RUN_DONE);
	assert_true(t.out.val.accuracy > 0.8); /* of the variance */
	assert_null(t.out.val.confusion);
	t.r.loss = LOSS_CROSS_ENTROPY;
	assert_int_equal(go(&t), -1);
	assert_non_null(strstr(t.e.msg, "mse"));
	assert_true(t.seen[29].train_accuracy > 0.8);
	stop(&t);
}

static void open_sequences_learn(void **state)
{
	struct bench t;
	struct blobs b = { .shape = { TENSOR_TOKENS, true, { 7, 0, 0 } },
			   .classes = 3,
			   .n = { 120, 60, 0 },
			   .open = true,
			   .seed = 4 };

	(void)state;
	start_with(&t, "ref",
		   "{'inputs': {'in': {'type': 'tokens', 'shape': [7], 'open': true}}, 'classes': 3, 'layers': ["
		   "{'embedding': {'vocabulary': 8, 'features': 4}}, {'gru': {'units': 8, 'last': 'last'}},"
		   "{'dense': {'units': 3}}]}",
		   b);
	t.r.optimizer =
	    (struct optimizer){ .kind = OPTIMIZER_ADAM, .lr = 0.02, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8 };
	t.r.epochs = 12;
	must(&t, RUN_DONE);
	assert_true(t.out.val.accuracy > 0.6); /* many examples are a step or two long */
	stop(&t);
}

/* Same seed: same bits. Another seed: others. */
static void repeats(void **state)
{
	struct bench t, u;

	(void)state;
	for (int i = 0; backends[i]; i++) {
		if (!works(backends[i]))
			continue;
		start(&t, backends[i]->name);
		start(&u, backends[i]->name);
		must(&t, RUN_DONE);
		must(&u, RUN_DONE);
		same_records(t.seen, u.seen, 4);
		assert_memory_equal(t.w->data, u.w->data, sizeof(float) * (size_t)t.w->total);
		u.spec.seed = 6;
		must(&u, RUN_DONE);
		assert_memory_not_equal(t.w->data, u.w->data, sizeof(float) * (size_t)t.w->total);
		stop(&t);
		stop(&u);
	}
}

/* Stopped after epoch 2, resumed, against uninterrupted: records, weights, evaluation, findings. */
static void resumes_exactly(void **state)
{
	struct bench t, u;
	struct checkpoint c;

	(void)state;
	for (int i = 0; backends[i]; i++) {
		if (!works(backends[i]))
			continue;
		start(&t, backends[i]->name);
		start(&u, backends[i]->name);
		t.r.early_stop = u.r.early_stop = (struct early_stop){ .patience = 2, .restore = true };
		t.r.schedule.kind = u.r.schedule.kind = SCHEDULE_COSINE;
		t.r.epochs = u.r.epochs = 6;
		must(&t, RUN_DONE);
		u.spec.checkpoint = u.path;
		u.spec.checkpoint_every = 100; /* the stop writes one all the same */
		u.stop_at = 2;
		must(&u, RUN_STOPPED);
		assert_int_equal(u.out.epochs, 2);
		assert_int_equal(checkpoint_load(&c, u.path, NULL), 0);
		assert_non_null(strstr(u.out.reason, "2 of 6"));
		must(&u, RUN_DONE);
		assert_int_equal(u.n_seen, t.n_seen);
		same_records(t.seen, u.seen, t.n_seen);
		assert_memory_equal(t.w->data, u.w->data, sizeof(float) * (size_t)t.w->total);
		assert_memory_equal(t.out.val.predicted, u.out.val.predicted, sizeof(uint16_t) * 30);
		assert_int_equal(t.out.best_epoch, u.out.best_epoch);
		assert_int_equal(t.out.restored, u.out.restored);
		assert_int_equal(t.out.n_findings, u.out.n_findings);
		assert_true(u.out.seconds > c.seconds);
		must(&u, RUN_DONE); /* a finished run: nothing more to train */
		assert_int_equal(u.n_seen, t.n_seen);
		assert_memory_equal(t.w->data, u.w->data, sizeof(float) * (size_t)t.w->total);
		checkpoint_release(&c);
		stop(&t);
		stop(&u);
	}
}

static int note_epochs_kept(void *arg, const struct epoch_record *rec)
{
	struct bench *t = arg;
	struct checkpoint c;

	t->kept[rec->epoch - 1] = checkpoint_load(&c, t->path, NULL) == 0 ? c.n_epochs : 0;
	checkpoint_release(&c);
	return 0;
}

/* When an epoch is told its own checkpoint is still to come. */
static void checkpoints_when_due(void **state)
{
	static const struct {
		int every, kept[5];
		double seconds;
	} rows[] = { { 1, { 0, 1, 2, 3, 4 }, 0 },
		     { 2, { 0, 0, 2, 2, 4 }, 0 },
		     { 1, { 0, 0, 0, 0, 0 }, 1e6 },
		     { 3, { 0, 0, 0, 0, 0 }, 1e6 } };
	struct checkpoint c;
	struct bench t;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		start(&t, "cpu");
		t.r.epochs = 5;
		t.spec.checkpoint = t.path;
		t.spec.checkpoint_every = rows[i].every;
		t.spec.checkpoint_seconds = rows[i].seconds;
		t.spec.on_epoch = note_epochs_kept;
		must(&t, RUN_DONE);
		assert_memory_equal(t.kept, rows[i].kept, sizeof t.kept);
		assert_int_equal(checkpoint_load(&c, t.path, NULL), 0);
		assert_int_equal(c.n_epochs, 5);
		checkpoint_release(&c);
		stop(&t);
	}
}

/* More epochs of the same horizon continue; another seed or recipe does not. */
static void continues_or_refuses(void **state)
{
	struct bench t, u;

	(void)state;
	start(&t, "ref");
	start(&u, "ref");
	t.r.horizon = u.r.horizon = 5;
	t.r.epochs = 5;
	u.r.epochs = 3;
	u.spec.checkpoint = u.path;
	must(&t, RUN_DONE);
	must(&u, RUN_DONE);
	u.r.epochs = 5;
	u.spec.from_epoch = 4;
	assert_int_equal(go(&u), -1);
	assert_non_null(strstr(u.e.msg, "holds 3 epochs"));
	u.spec.from_epoch = 3;
	must(&u, RUN_DONE);
	same_records(t.seen, u.seen, 5);
	u.spec.seed++;
	assert_int_equal(go(&u), -1);
	assert_int_equal(u.e.code, ERR_INVALID);
	assert_non_null(strstr(u.e.msg, "another run"));
	u.spec.seed--;
	u.r.epochs = 4;
	assert_int_equal(go(&u), -1);
	assert_non_null(strstr(u.e.msg, "stops at 4"));
	unlink(u.path);
	u.spec.from_epoch = 2;
	assert_int_equal(go(&u), -1);
	stop(&t);
	stop(&u);
}

static void corrupt_checkpoints(void **state)
{
	struct bench t;
	char *bytes;
	size_t n;

	(void)state;
	start(&t, "ref");
	t.spec.checkpoint = t.path;
	t.r.epochs = 1;
	must(&t, RUN_DONE);
	assert_int_equal(file_read(&bytes, &n, t.path, 1 << 24, false, NULL), 0);
	for (size_t k = 0; k < n; k += n / 40) {
		bytes[k] ^= 0x20;
		assert_int_equal(file_write(t.path, bytes, n, NULL), 0);
		assert_int_equal(go(&t), -1);
		assert_int_equal(t.e.code, ERR_INVALID);
		assert_string_equal(t.e.where, t.path);
		bytes[k] ^= 0x20;
		assert_int_equal(file_write(t.path, bytes, k, NULL), 0);
		assert_int_equal(go(&t), -1);
		assert_int_equal(t.e.code, ERR_INVALID);
	}
	mem_free(bytes);
	stop(&t);
}

static void diverges(void **state)
{
	struct bench t;

	(void)state;
	for (int i = 0; backends[i]; i++) {
		struct blobs b = { .shape = shape_vector(4), .n = { 60, 30, 0 }, .noise = 1, .seed = 1 };

		if (!works(backends[i]))
			continue;
		start_with(&t, backends[i]->name,
			   "{'inputs': {'in': {'type': 'vector', 'shape': [4]}},"
			   "'outputs': {'out': {'task': 'regression', 'classes': 1}},"
			   "'layers': [{'dense': {'units': 8}}, 'relu', {'dense': {'units': 1}}]}",
			   b);
		t.r.optimizer.lr = 1e30;
		must(&t, RUN_DIVERGED);
		assert_non_null(strstr(t.out.reason, "learning rate"));
		stop(&t);
	}
}

static void times_out(void **state)
{
	struct bench t;

	(void)state;
	start(&t, "ref");
	t.spec.max_seconds = 0.05;
	t.pause = 0.06;
	t.r.epochs = 40;
	must(&t, RUN_TIMEOUT);
	assert_int_equal(t.out.epochs, 0);
	assert_int_equal(t.out.val.n, 30);
	stop(&t);
}

/* The first epoch such that none of the three up to it has a lower loss than all before it. */
static int stops_after(const struct bench *t)
{
	for (int n = 4; n <= t->n_seen; n++) {
		double before = INFINITY, since = INFINITY;

		for (int i = 0; i < n; i++)
			if (i < n - 3)
				before = fmin(before, t->seen[i].val_loss);
			else
				since = fmin(since, t->seen[i].val_loss);
		if (since >= before)
			return n;
	}
	return -1;
}

static void early_stop_restores_the_best(void **state)
{
	struct bench t;
	double best = -1;
	int at = 0;

	(void)state;
	start(&t, "ref");
	t.r.optimizer.lr = 3; /* jumps about */
	t.r.clip = 1;
	t.r.epochs = 40;
	t.r.early_stop = (struct early_stop){ .patience = 3, .restore = true };
	must(&t, RUN_DONE);
	assert_true(t.out.epochs < 40);
	for (int i = 0; i < t.n_seen; i++)
		if (t.seen[i].val_accuracy > best ||
		    (t.seen[i].val_accuracy == best && t.seen[i].val_loss < t.seen[at - 1].val_loss)) {
			best = t.seen[i].val_accuracy;
			at = i + 1;
		}
	assert_int_equal(t.out.epochs, stops_after(&t));
	assert_int_equal(t.out.best_epoch, at);
	assert_int_equal(t.out.restored, at != t.out.epochs);
	assert_true(t.out.val.loss == t.seen[at - 1].val_loss && t.out.val.accuracy == best);
	stop(&t);
}

static void out_of_memory_and_infeasible(void **state)
{
	struct bench t;
	struct backend_conf small = { .threads = 1, .most_bytes = 5000 };

	(void)state;
	start(&t, "ref");
	t.b->close(t.ctx);
	t.b->open(&t.ctx, &small, NULL);
	must(&t, RUN_OOM);
	assert_non_null(strstr(t.out.reason, "5000"));
	assert_true(t.out.bytes > 5000); /* what it would have taken */
	t.r.precision = PRECISION_BF16;
	must(&t, RUN_INFEASIBLE);
	stop(&t);
}

static void fidelity(void **state)
{
	struct bench t;

	(void)state;
	start(&t, "ref");
	t.r.fidelity.data = 0.5;
	must(&t, RUN_DONE);
	assert_int_equal(t.seen[0].examples, 30);
	t.r.fidelity.data = 1;
	t.r.fidelity.image = 0.5;
	assert_int_equal(go(&t), -1);
	assert_non_null(strstr(t.e.msg, "1x3x3"));
	stop(&t);
}

static void half_size_images(void **state)
{
	struct bench t;
	struct blobs b = {
		.shape = shape_image(1, 6, 6), .classes = 3, .n = { 60, 30, 0 }, .noise = 0.3, .bytes = true, .seed = 9
	};

	(void)state;
	start_with(&t, "ref", "{'input': [1,3,3], 'classes': 3, 'layers': ['flatten', {'dense': {'units': 3}}]}", b);
	t.r.fidelity.image = 0.5;
	must(&t, RUN_DONE);
	assert_true(t.out.val.accuracy > 0.6);
	stop(&t);
}

static void wrong_data(void **state)
{
	struct bench t;
	struct blobs b = { .shape = shape_image(1, 6, 6), .classes = 4, .n = { 60, 0, 0 }, .bytes = true };

	(void)state;
	start_with(&t, "ref", CNN, b);
	assert_int_equal(go(&t), -1);
	assert_non_null(strstr(t.e.msg, "3 classes"));
	stop(&t);
	b.classes = 3;
	start_with(&t, "ref", CNN, b);
	must(&t, RUN_DONE); /* no validation examples */
	assert_true(isnan(t.seen[0].val_loss) && t.out.best_epoch == 0);
	t.r.early_stop.patience = 1;
	assert_int_equal(go(&t), -1);
	stop(&t);
}

/* train_evaluate() on the final weights says what the run said. */
static void evaluates(void **state)
{
	struct bench t;
	struct evaluation v;

	(void)state;
	start(&t, "ref");
	must(&t, RUN_DONE);
	assert_int_equal(train_evaluate(t.b, t.ctx, t.g, t.w, t.data, SPLIT_VALIDATION, &v, NULL), 0);
	assert_memory_equal(v.predicted, t.out.val.predicted, sizeof(uint16_t) * 30);
	assert_true(fabs(v.loss - t.out.val.loss) < 1e-6);
	evaluation_release(&v);
	assert_int_equal(train_evaluate(t.b, t.ctx, t.g, t.w, t.data, SPLIT_TEST, &v, NULL), 0);
	assert_int_equal(v.n, 15);
	evaluation_release(&v);
	stop(&t);
}

/* ---- findings ----------------------------------------------------------------------------------------------- */

static void finds_overfitting(void **state)
{
	struct bench t;
	struct blobs b = { .shape = shape_vector(20), .classes = 3, .n = { 20, 30, 0 }, .noise = 4, .seed = 2 };

	(void)state;
	start_with(&t, "ref",
		   "{'inputs': {'in': {'type': 'vector', 'shape': [20]}}, 'classes': 3, 'layers': ["
		   "{'dense': {'units': 30}}, 'relu', {'dense': {'units': 3}}]}",
		   b);
	t.r.epochs = 30;
	t.r.schedule.kind = SCHEDULE_CONSTANT;
	must(&t, RUN_DONE);
	assert_non_null(find(&t, "overfit"));
	assert_null(find(&t, "not-learning"));
	assert_null(find(&t, "dead-units"));
	stop(&t);
}

static void finds_dead_units_and_no_learning(void **state)
{
	struct bench t;
	const struct finding *f;
	struct weights *start_at;

	(void)state;
	start(&t, "ref");
	t.r.optimizer = (struct optimizer){ .kind = OPTIMIZER_SGD, .lr = 1e-9 };
	t.r.schedule.kind = SCHEDULE_CONSTANT;
	t.r.epochs = 1;
	start_at = weights_new(t.g, NULL);
	weights_init(start_at, t.g, 1);
	for (int i = 0; i < start_at->n; i++) /* two of four channels far below zero */
		if (strcmp(start_at->tensors[i].name, "batchnorm_1.bias") == 0)
			start_at->data[start_at->tensors[i].first] = start_at->data[start_at->tensors[i].first + 2] =
			    -50;
	for (int64_t k = start_at->tensors[start_at->n - 2].first; k < start_at->total; k++)
		start_at->data[k] *= 1e-3f; /* dense_1: logits near 0 */
	t.spec.start = start_at;
	must(&t, RUN_DONE);
	f = find(&t, "dead-units");
	assert_non_null(f);
	assert_string_equal(t.g->nodes[f->node].id, "relu_1");
	assert_non_null(strstr(f->text, "2 of 4"));
	assert_non_null(find(&t, "not-learning"));
	weights_free(start_at);
	stop(&t);
}

static void finds_vanishing_gradients(void **state)
{
	struct bench t;
	struct blobs b = { .shape = shape_vector(8), .classes = 3, .n = { 60, 30, 0 }, .noise = 1, .seed = 2 };

	(void)state;
	start_with(&t, "ref",
		   "{'inputs': {'in': {'type': 'vector', 'shape': [8]}}, 'classes': 3, 'layers': ["
		   "{'dense': {'units': 8}}, 'sigmoid', {'dense': {'units': 8}}, 'sigmoid', {'dense': {'units': 8}}, "
		   "'sigmoid',"
		   "{'dense': {'units': 8}}, 'sigmoid', {'dense': {'units': 8}}, 'sigmoid', {'dense': {'units': 8}}, "
		   "'sigmoid',"
		   "{'dense': {'units': 8}}, 'sigmoid', {'dense': {'units': 8}}, 'sigmoid', {'dense': {'units': 3}}]}",
		   b);
	t.r.epochs = 1;
	must(&t, RUN_DONE);
	assert_non_null(find(&t, "vanishing"));
	stop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(learns),
		cmocka_unit_test(regression_learns),
		cmocka_unit_test(open_sequences_learn),
		cmocka_unit_test(repeats),
		cmocka_unit_test(resumes_exactly),
		cmocka_unit_test(checkpoints_when_due),
		cmocka_unit_test(continues_or_refuses),
		cmocka_unit_test(corrupt_checkpoints),
		cmocka_unit_test(diverges),
		cmocka_unit_test(times_out),
		cmocka_unit_test(early_stop_restores_the_best),
		cmocka_unit_test(out_of_memory_and_infeasible),
		cmocka_unit_test(fidelity),
		cmocka_unit_test(half_size_images),
		cmocka_unit_test(wrong_data),
		cmocka_unit_test(evaluates),
		cmocka_unit_test(finds_overfitting),
		cmocka_unit_test(finds_dead_units_and_no_learning),
		cmocka_unit_test(finds_vanishing_gradients),
	};

	cuda_test_choose();
	return cmocka_run_group_tests_name("train", tests, NULL, NULL);
}
