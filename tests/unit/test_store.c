/* tests/unit/test_store.c - what is written is read back, across reopening; who may open; what damage looks like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "store/db.h"
#include "store/store.h"
#include "tests/helper_files.h"
#include "tests/helper_ok.h"

struct place {
	const char *dir, *path;
	struct arena *a;
	struct rng r;
};

static int setup(void **state)
{
	struct place *p = mem_new(sizeof *p);

	p->a = arena_new();
	p->dir = temp_dir();
	p->path = arena_printf(p->a, "%s/a.db", p->dir);
	rng_init(&p->r, (uint64_t)time(NULL), (uint64_t)getpid());
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	arena_free(p->a);
	mem_free(p);
	return temp_teardown(state);
}

static struct store *open_ok(struct place *p, enum store_mode mode)
{
	struct store *s = NULL;
	struct err e = { 0 };

	if (store_open(&s, p->path, mode, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	return s;
}

static void refused(struct place *p, enum store_mode mode, enum err_code code, const char *part)
{
	struct store *s = NULL;
	struct err e = { 0 };

	assert_int_equal(store_open(&s, p->path, mode, &e), -1);
	assert_int_equal(e.code, code);
	if (!strstr(e.msg, part))
		fail_msg("\"%s\" does not say \"%s\"", e.msg, part);
}

static const char *word(struct place *p)
{
	return arena_printf(p->a, "w%08x", rng_u32(&p->r));
}

static int64_t add_study(struct place *p, struct store *s, const char *name)
{
	struct store_study y = {
		.name = name, .kind = "search", .config = "{\"a\":1}", .digest = word(p), .search = "{}", .env = "{}"
	};

	OK(store_study_add(s, &y, &bad));
	return y.id;
}

static int64_t add_model(struct place *p, struct store *s, const char *digest, const char *name)
{
	struct store_model m = { .hash = digest,
				 .digest = digest,
				 .name = name,
				 .json = "{}",
				 .summary = word(p),
				 .params = rng_below(&p->r, 1000),
				 .macs = rng_below(&p->r, 1000),
				 .depth = 3,
				 .layers = 4 };

	OK(store_model_put(s, &m, &bad));
	return m.id;
}

static struct store_candidate candidate(struct place *p, int64_t study, int64_t model, int64_t number)
{
	return (struct store_candidate){ .study = study,
					 .model = model,
					 .number = number,
					 .label = word(p),
					 .recipe = "{\"epochs\":1}",
					 .proposal = "{}",
					 .key = word(p) };
}

static int64_t add_run(struct place *p, struct store *s, int64_t study, int64_t number, uint64_t seed)
{
	int64_t model = add_model(p, s, word(p), NULL);
	struct store_candidate c = candidate(p, study, model, number);
	struct store_run r = { .seed = seed, .identity = word(p) };

	OK(store_candidate_add(s, &c, &bad));
	r.candidate = c.id;
	OK(store_run_add(s, &r, &bad));
	return r.id;
}

static struct store_result result(double score)
{
	return (struct store_result){ .state = STATE_DONE,
				      .epochs = 2,
				      .best_epoch = 1,
				      .best_accuracy = score,
				      .score = score,
				      .train_loss = 0.5,
				      .train_accuracy = 0.25,
				      .val_loss = 1 - score,
				      .val_accuracy = score,
				      .bytes = 77,
				      .seconds = 1.5 };
}

static void studies_come_back(void **state)
{
	struct place *p = *state;
	struct store *s = open_ok(p, STORE_CREATE);
	struct store_data d = { .digest = "dd", .name = "glyphs", .spec = "{\"n\":1}", .info = "{}" }, d2 = d, got;
	struct store_study y = { .name = "one",
				 .kind = "search",
				 .config = "{\"x\":1}",
				 .digest = "abc",
				 .space = "{\"s\":[]}",
				 .env = "{}" },
			   back, *all;
	int n;

	OK(store_data_put(s, &d, &bad));
	OK(store_data_put(s, &d2, &bad));
	assert_int_equal(d.id, d2.id);
	y.data = d.id;
	OK(store_study_add(s, &y, &bad));
	add_study(p, s, "two");
	OK(store_study_set_state(s, y.id, STUDY_INTERRUPTED, &bad));
	OK(store_study_set_search(s, y.id, "{\"rng\":\"7\"}", &bad));
	OK(store_study_set_config(s, y.id, "{\"x\":2}", &bad));
	store_close(s);

	s = open_ok(p, STORE_READ);
	assert_int_equal(store_study_find(s, "one", &back, p->a, NULL), 1);
	assert_string_equal(back.config, "{\"x\":2}");
	assert_string_equal(back.space, y.space);
	assert_string_equal(back.search, "{\"rng\":\"7\"}");
	assert_int_equal(back.state, STUDY_INTERRUPTED);
	assert_int_equal(back.data, d.id);
	assert_true(back.created > 1e9);
	assert_int_equal(store_study_find(s, "three", &back, p->a, NULL), 0);
	assert_int_equal(store_study_get(s, 99, &back, p->a, NULL), -1);
	OK(store_data_get(s, d.id, &got, p->a, &bad));
	assert_string_equal(got.spec, d.spec);
	OK(store_studies(s, &all, &n, p->a, &bad));
	assert_int_equal(n, 2);
	assert_string_equal(all[1].name, "two");
	store_close(s);
}

static void records_come_back(void **state)
{
	struct place *p = *state;
	struct store *s = open_ok(p, STORE_CREATE);
	uint64_t seed = UINT64_C(0xfedcba9876543210);
	int64_t run = add_run(p, s, add_study(p, s, "s"), 0, seed), confusion[9];
	uint16_t predicted[5] = { 0, 2, 1, 65535, 7 };
	struct store_epoch in[3], *out;
	struct store_evaluation v = { .split = 1,
				      .n = 5,
				      .classes = 3,
				      .accuracy = 0.25,
				      .top5 = (double)NAN,
				      .confusion = confusion,
				      .predicted = predicted,
				      .per_class = "[1]" },
				w;
	struct store_finding f = { "overfit", "since epoch 6", NULL }, *found;
	struct store_result r = result(0.75), q;
	struct store_run back;
	int n;

	for (int i = 0; i < 9; i++)
		confusion[i] = (int64_t)rng_u32(&p->r) << 20;
	for (int i = 0; i < 3; i++) {
		in[i] =
		    (struct store_epoch){ i + 1,           10 * i,          1000,
					  rng_real(&p->r), rng_real(&p->r), rng_real(&p->r),
					  rng_real(&p->r), rng_real(&p->r), i == 1 ? (double)NAN : rng_normal(&p->r),
					  rng_real(&p->r) };
		OK(store_epoch_put(s, run, &in[i], &bad));
	}
	in[0].train_loss = 1e-300;
	OK(store_epoch_put(s, run, &in[0], &bad)); /* a retried attempt says it again */
	OK(store_evaluation_put(s, run, &v, &bad));
	v.accuracy = 0.5;
	OK(store_evaluation_put(s, run, &v, &bad));
	OK(store_finding_add(s, run, &f, &bad));
	f.layer = "conv2d_1";
	OK(store_finding_add(s, run, &f, &bad));
	assert_int_equal(store_result_put(s, run, &r, NULL), 1);
	r.score = 0.1;
	assert_int_equal(store_result_put(s, run, &r, NULL), 0);
	store_close(s);

	s = open_ok(p, STORE_READ);
	OK(store_run_get(s, run, &back, p->a, &bad));
	assert_true(back.seed == seed);
	assert_int_equal(back.state, STATE_DONE);
	OK(store_epochs(s, run, &out, &n, p->a, &bad));
	assert_int_equal(n, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(out[i].epoch, in[i].epoch);
		assert_int_equal(out[i].steps, in[i].steps);
		assert_true(out[i].train_loss == in[i].train_loss && out[i].rate == in[i].rate);
		assert_true(out[i].seconds == in[i].seconds);
		assert_true(isnan(in[i].grad_norm) ? isnan(out[i].grad_norm) : out[i].grad_norm == in[i].grad_norm);
	}
	assert_int_equal(store_evaluation_get(s, run, 2, &w, p->a, NULL), 0);
	assert_int_equal(store_evaluation_get(s, run, 1, &w, p->a, NULL), 1);
	assert_memory_equal(w.confusion, confusion, sizeof confusion);
	assert_memory_equal(w.predicted, predicted, sizeof predicted);
	assert_true(w.accuracy == 0.5 && isnan(w.top5));
	OK(store_findings(s, run, &found, &n, p->a, &bad));
	assert_int_equal(n, 2);
	assert_null(found[0].layer);
	assert_string_equal(found[1].layer, "conv2d_1");
	OK(store_result_get(s, run, &q, p->a, &bad));
	assert_true(q.score == 0.75 && q.seconds == 1.5 && q.bytes == 77 && q.state == STATE_DONE);
	store_close(s);
}

static void profiles_files_events(void **state)
{
	struct place *p = *state;
	struct store *s = open_ok(p, STORE_CREATE);
	int64_t study = add_study(p, s, "s"), run = add_run(p, s, study, 0, 1), other = add_run(p, s, study, 1, 1);
	struct store_layer_time l[2] = { { "conv2d_1", "conv2d", 0.1, 0.2, 100, NULL },
					 { "relu_1", "relu", 0, 0, 0, "conv2d_1" } };
	struct store_profile pr = { .backend = "cpu fp32 1 thread",
				    .batch = 32,
				    .total_bytes = 5,
				    .layer = l,
				    .n_layers = 2 },
			     got;
	struct store_file *files;
	struct store_event *events;
	struct store_summary sum;
	int n;

	OK(store_profile_put(s, 1, &pr, &bad));
	pr.total_bytes = 6;
	OK(store_profile_put(s, 1, &pr, &bad));
	assert_int_equal(store_profile_get(s, 2, &got, p->a, NULL), 0);
	assert_int_equal(store_profile_get(s, 1, &got, p->a, NULL), 1);
	assert_int_equal(got.total_bytes, 6);
	assert_int_equal(got.n_layers, 2);
	assert_string_equal(got.layer[1].fused_into, "conv2d_1");
	OK(store_file_put(s, run, FILE_CHECKPOINT, "a.ckpt", 1000, &bad));
	OK(store_file_put(s, run, FILE_CHECKPOINT, "a.ckpt", 1500, &bad));
	OK(store_file_put(s, other, FILE_WEIGHTS, "b.safetensors", 10, &bad));
	OK(store_files(s, 0, &files, &n, p->a, &bad));
	assert_int_equal(n, 2);
	OK(store_summarize(s, study, &sum, &bad));
	assert_int_equal(sum.file_bytes, 1510);
	assert_int_equal(sum.runs[STATE_QUEUED], 2);
	assert_int_equal(sum.best_run, 0);
	OK(store_file_drop(s, run, FILE_CHECKPOINT, &bad));
	OK(store_files(s, run, &files, &n, p->a, &bad));
	assert_int_equal(n, 0);
	for (int i = 0; i < 5; i++) {
		struct store_event v = { .study = i % 2 ? study : 0, .kind = "note", .text = word(p) };

		OK(store_event_add(s, &v, &bad));
	}
	OK(store_events(s, 0, 3, &events, &n, p->a, &bad));
	assert_int_equal(n, 3);
	assert_true(events[0].id < events[2].id && events[2].id == 5);
	OK(store_test_read_add(s, run, "test", &bad));
	OK(store_test_reads(s, 0, &n, &bad));
	assert_int_equal(n, 1);
	OK(store_test_reads(s, other, &n, &bad));
	assert_int_equal(n, 0);
	store_close(s);
}

static void candidates_are_new_once(void **state)
{
	struct place *p = *state;
	struct store *s = open_ok(p, STORE_CREATE);
	int64_t study = add_study(p, s, "s"), model = add_model(p, s, "m1", NULL);
	struct store_candidate c = candidate(p, study, model, 0), again = candidate(p, study, model, 1);
	struct store_candidate far = candidate(p, 77, model, 2);
	struct store_run r = { .replicate = 0, .identity = "i" };
	struct err e = { 0 };

	assert_int_equal(store_candidate_add(s, &c, NULL), 1);
	again.key = c.key;
	assert_int_equal(store_candidate_add(s, &again, NULL), 0);
	assert_int_equal(again.id, c.id);
	assert_int_equal(store_candidate_add(s, &far, &e), -1); /* no such study */
	assert_false(store_disk_full(s));
	r.candidate = c.id;
	OK(store_run_add(s, &r, &bad));
	err_clear(&e);
	assert_int_equal(store_run_add(s, &r, &e), -1);
	store_close(s);
}

static void finished_runs_stay(void **state)
{
	struct place *p = *state;
	struct store *s = open_ok(p, STORE_CREATE);
	int64_t study = add_study(p, s, "s"), done = add_run(p, s, study, 0, 1), failed = add_run(p, s, study, 1, 1);
	struct store_result r = result(0.5);
	struct store_run back;
	struct err e = { 0 };

	OK(store_result_put(s, done, &r, &bad));
	assert_int_equal(store_run_set_state(s, done, STATE_QUEUED, &e), -1);
	assert_int_equal(store_run_retry(s, done, NULL), -1);
	r.state = STATE_FAILED;
	r.reason = "died at step 5";
	OK(store_result_put(s, failed, &r, &bad));
	OK(store_run_retry(s, failed, &bad));
	OK(store_run_get(s, failed, &back, p->a, &bad));
	assert_int_equal(back.state, STATE_QUEUED);
	assert_int_equal(store_result_put(s, failed, &r, NULL), 1);
	store_close(s);
}

static void attempts_are_recovered(void **state)
{
	struct place *p = *state;
	struct store *s = open_ok(p, STORE_CREATE);
	int64_t run = add_run(p, s, add_study(p, s, "s"), 0, 1);
	struct store_attempt t = { .run = run, .device = "cpu:0", .host = "h", .pid = 7 }, *all;
	struct store_run back;
	int n;

	OK(store_attempt_begin(s, &t, &bad));
	OK(store_attempt_end(s, t.id, ATTEMPT_DIED, 1, 55, "signal 9", &bad));
	OK(store_attempt_begin(s, &t, &bad));
	assert_int_equal(t.number, 2);
	store_close(s);
	s = open_ok(p, STORE_WRITE);
	OK(store_run_get(s, run, &back, p->a, &bad));
	assert_int_equal(back.state, STATE_RUNNING);
	assert_int_equal(store_recover(s, NULL), 1);
	OK(store_run_get(s, run, &back, p->a, &bad));
	assert_int_equal(back.state, STATE_QUEUED);
	OK(store_attempts(s, run, &all, &n, p->a, &bad));
	assert_int_equal(n, 2);
	assert_int_equal(all[0].state, ATTEMPT_DIED);
	assert_int_equal(all[0].step, 55);
	assert_int_equal(all[1].state, ATTEMPT_LOST);
	assert_false(isnan(all[1].ended));
	store_close(s);
}

static void lists_sort_and_filter(void **state)
{
	struct place *p = *state;
	struct store *s = open_ok(p, STORE_CREATE);
	int64_t one = add_study(p, s, "one"), two = add_study(p, s, "two"), run;
	struct store_query q = { .study = one, .order = ORDER_SCORE, .descending = true };
	struct store_item *items, item;
	int n;

	for (int i = 0; i < 20; i++) {
		struct store_result r = result(rng_real(&p->r));

		run = add_run(p, s, i % 4 ? one : two, i, 3);
		if (i % 5)
			OK(store_result_put(s, run, &r, &bad));
	}
	OK(store_list(s, &q, &items, &n, p->a, &bad));
	assert_int_equal(n, 15);
	for (int i = 1; i < n; i++)
		assert_true(isnan(items[i].result.score) || items[i - 1].result.score >= items[i].result.score);
	assert_int_equal(store_resolve(s, "best", one, &run, NULL), 0);
	assert_int_equal(run, items[0].run.id);
	assert_int_equal(store_resolve(s, items[3].candidate.label, 0, &run, NULL), 0);
	assert_int_equal(run, items[3].run.id);
	OK(store_item_get(s, run, &item, p->a, &bad));
	assert_string_equal(item.candidate.label, items[3].candidate.label);
	assert_string_equal(item.study, "one");
	assert_int_equal(store_resolve(s, "no-such-thing", 0, &run, NULL), -1);
	q = (struct store_query){ .states = 1u << STATE_QUEUED };
	OK(store_list(s, &q, &items, &n, p->a, &bad));
	assert_int_equal(n, 4);
	for (int o = 0; o < ORDER_COUNT; o++) {
		q = (struct store_query){ .order = (enum store_order)o, .limit = 7 };
		OK(store_list(s, &q, &items, &n, p->a, &bad));
		assert_int_equal(n, 7);
	}
	q = (struct store_query){ .order = ORDER_PARAMS };
	OK(store_list(s, &q, &items, &n, p->a, &bad));
	for (int i = 1; i < n; i++)
		assert_true(items[i - 1].params <= items[i].params);
	store_close(s);
}

static void hashes_and_lineage(void **state)
{
	struct place *p = *state;
	struct store *s = open_ok(p, STORE_CREATE);
	int64_t study = add_study(p, s, "s"), model[4], ids[8], run;
	const char *digest[4] = { "aaaa1111", "bbbb2222", "cccc3333", "dddd4444" };
	struct store_model m;

	for (int i = 0; i < 4; i++) {
		struct store_candidate c;
		struct store_run r = { .identity = word(p) };

		model[i] = add_model(p, s, digest[i], i == 0 ? "lenet" : NULL);
		c = candidate(p, study, model[i], i);
		c.parent = i ? model[i - 1] : model[3 - i];
		if (i == 0)
			c.parent = 0;
		c.change = i ? "{\"removed\":\"x\"}" : NULL;
		OK(store_candidate_add(s, &c, &bad));
		r.candidate = c.id;
		OK(store_run_add(s, &r, &bad));
	}
	assert_int_equal(store_lineage(s, model[3], ids, 8, NULL), 4);
	assert_int_equal(ids[3], model[0]);
	assert_int_equal(store_lineage(s, model[3], ids, 2, NULL), 2);
	OK(store_model_get(s, model[2], &m, p->a, &bad));
	assert_int_equal(m.parent, model[1]);
	assert_string_equal(m.change, "{\"removed\":\"x\"}");
	assert_int_equal(store_resolve(s, "cccc33", 0, &run, NULL), 0);
	assert_int_equal(run, 3);
	assert_int_equal(store_resolve(s, "lenet", 0, &run, NULL), 0);
	assert_int_equal(run, 1);
	assert_int_equal(store_resolve(s, "4", 0, &run, NULL), 0);
	assert_int_equal(run, 4);
	store_close(s);
}

/* Two studies with the same results have the same trajectory, whatever their ids, times and attempts. */
static void trajectories_compare(void **state)
{
	struct place *p = *state;
	struct store *s = open_ok(p, STORE_CREATE);
	int64_t study[3] = { add_study(p, s, "a"), add_study(p, s, "b"), add_study(p, s, "c") };
	struct str t[3] = { 0 };
	struct err e = { 0 };

	for (int k = 0; k < 3; k++) {
		for (int i = 0; i < 4; i++) {
			int at = k == 1 ? 3 - i : i; /* the second finishes in another order */
			struct store_candidate c = { .study = study[k],
						     .model = add_model(p, s, "same", NULL),
						     .number = at,
						     .label = arena_printf(p->a, "c%d", at),
						     .recipe = "{}",
						     .proposal = "{}",
						     .key = arena_printf(p->a, "k%d", at),
						     .surplus = false };
			struct store_run r = { .seed = (uint64_t)at, .identity = word(p) };
			struct store_result q = result(0.1 * at + (k == 2 && at == 3 ? 1e-16 : 0));
			struct store_epoch ep = { .epoch = 1, .train_loss = at / 3.0, .seconds = rng_real(&p->r) };

			q.seconds = rng_real(&p->r);
			OK(store_candidate_add(s, &c, &bad));
			r.candidate = c.id;
			OK(store_run_add(s, &r, &bad));
			OK(store_epoch_put(s, r.id, &ep, &bad));
			OK(store_result_put(s, r.id, &q, &bad));
		}
		OK(store_trajectory(s, study[k], &t[k], &bad));
	}
	assert_string_equal(t[0].s, t[1].s);
	assert_string_not_equal(t[0].s, t[2].s); /* one unit in the last place is seen */
	for (int k = 0; k < 3; k++)
		str_release(&t[k]);
	store_close(s);
	(void)e;
}

static void cached_results_are_copied(void **state)
{
	struct place *p = *state;
	struct store *s = open_ok(p, STORE_CREATE);
	int64_t from = add_run(p, s, add_study(p, s, "a"), 0, 1), to = add_run(p, s, add_study(p, s, "b"), 0, 1), id;
	int64_t confusion[4] = { 1, 2, 3, 4 };
	uint16_t predicted[10] = { 1 };
	struct store_evaluation v = { .split = 1,
				      .n = 10,
				      .classes = 2,
				      .confusion = confusion,
				      .predicted = predicted },
				w;
	struct store_epoch ep = { .epoch = 1, .train_loss = 0.5 }, *eps;
	struct store_result r = result(0.5), q;
	struct store_run run;
	int n;

	OK(store_run_get(s, from, &run, p->a, &bad));
	OK(store_run_cached(s, run.identity, &id, &bad));
	assert_int_equal(id, 0); /* not finished */
	OK(store_epoch_put(s, from, &ep, &bad));
	OK(store_evaluation_put(s, from, &v, &bad));
	v.split = 2;
	OK(store_evaluation_put(s, from, &v, &bad));
	OK(store_result_put(s, from, &r, &bad));
	OK(store_run_cached(s, run.identity, &id, &bad));
	assert_int_equal(id, from);
	OK(store_run_copy(s, to, from, &bad));
	OK(store_run_get(s, to, &run, p->a, &bad));
	assert_int_equal(run.cached_from, from);
	assert_int_equal(run.state, STATE_DONE);
	OK(store_result_get(s, to, &q, p->a, &bad));
	assert_true(q.score == 0.5);
	OK(store_epochs(s, to, &eps, &n, p->a, &bad));
	assert_int_equal(n, 1);
	assert_int_equal(store_evaluation_get(s, to, 1, &w, p->a, NULL), 1);
	assert_memory_equal(w.predicted, predicted, sizeof predicted);
	assert_int_equal(store_evaluation_get(s, to, 2, &w, p->a, NULL),
			 0); /* the test split stays where it was read */
	OK(store_check(s, &bad));
	store_close(s);
}

static void one_writer_many_readers(void **state)
{
	struct place *p = *state;
	struct store *s, *reader, *second;
	char who[128];

	refused(p, STORE_READ, ERR_INVALID, "no such store");
	refused(p, STORE_WRITE, ERR_INVALID, "no such store");
	assert_false(store_holder(p->path, who, sizeof who));
	s = open_ok(p, STORE_CREATE);
	refused(p, STORE_WRITE, ERR_BUSY, arena_printf(p->a, "process %d on ", (int)getpid()));
	assert_true(store_holder(p->path, who, sizeof who));
	assert_non_null(strstr(who, "process"));
	reader = open_ok(p, STORE_READ);
	second = open_ok(p, STORE_READ);
	add_study(p, s, "s");
	{
		struct store_study y, *all;
		struct err e = { 0 };
		int n;

		OK(store_studies(reader, &all, &n, p->a, &bad));
		assert_int_equal(n, 1);
		y = all[0];
		assert_int_equal(store_study_add(second, &y, &e), -1); /* readers cannot write */
	}
	store_close(reader);
	store_close(second);
	store_close(s);
	assert_false(store_holder(p->path, who, sizeof who));
	s = open_ok(p, STORE_WRITE);
	assert_false(store_was_unclean(s));
	store_close(s);
}

/* The lock dies with its holder, and the next writer knows that it crashed. */
static void killed_writer(void **state)
{
	struct place *p = *state;
	struct store *s;
	struct store_study *all;
	int fd[2], status, n;
	char byte;
	pid_t child;

	assert_int_equal(pipe(fd), 0);
	child = fork();
	if (child == 0) {
		s = open_ok(p, STORE_CREATE);
		add_study(p, s, "kept");
		OK(store_begin(s, &bad));
		add_study(p, s, "not committed");
		if (write(fd[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(fd[0], &byte, 1), 1);
	refused(p, STORE_WRITE, ERR_BUSY, "process");
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	s = open_ok(p, STORE_WRITE);
	assert_true(store_was_unclean(s));
	OK(store_studies(s, &all, &n, p->a, &bad));
	assert_int_equal(n, 1);
	assert_string_equal(all[0].name, "kept");
	store_close(s);
	close(fd[0]);
	close(fd[1]);
}

/* A program that dies or closes holds the whole file for moments: who opens then waits, reader or writer. */
static void short_locks_are_waited_for(void **state)
{
	const enum store_mode modes[] = { STORE_READ, STORE_WRITE };
	struct place *p = *state;
	int fd[2], status;
	sqlite3 *db;
	char byte;
	pid_t child;

	store_close(open_ok(p, STORE_CREATE));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe(fd), 0);
		child = fork();
		if (child == 0) {
			if (sqlite3_open(p->path, &db) != SQLITE_OK ||
			    sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE", NULL, NULL, NULL) ||
			    write(fd[1], "x", 1) != 1)
				_exit(1);
			usleep(200000);
			_exit(0);
		}
		assert_int_equal(read(fd[0], &byte, 1), 1);
		store_close(open_ok(p, modes[i]));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		close(fd[0]);
		close(fd[1]);
	}
}

/* ---- who opens a store while another makes it ------------------------------------------------------------ */

/* At each statement of the connections watched, or before one of them, the other side opens the store. */
static struct {
	const char *path;
	enum store_mode mode; /* of the other side */
	int only;             /* at this statement, counted from 0; -1: at each */
	int statements, opened, empty;
	struct err wrong; /* the other side's error, where there should be none */
	bool inside;
} meeting;

static int meet(unsigned what, void *context, void *statement, void *text)
{
	struct store *s = NULL;
	struct err e = { 0 };

	(void)what, (void)context, (void)statement, (void)text;
	if (meeting.inside || (meeting.only >= 0 && meeting.statements++ != meeting.only))
		return 0;
	meeting.inside = true;
	if (store_open(&s, meeting.path, meeting.mode, &e) == 0) {
		meeting.opened++;
		store_close(s);
	} else if (strstr(e.msg, "nothing was recorded in it yet")) {
		meeting.empty++;
	} else {
		meeting.wrong = e;
	}
	meeting.inside = false;
	return 0;
}

static int watch_connection(sqlite3 *db, const char **error, const struct sqlite3_api_routines *api)
{
	(void)error, (void)api;
	if (!meeting.inside)
		sqlite3_trace_v2(db, SQLITE_TRACE_STMT, meet, NULL);
	return SQLITE_OK;
}

static int open_watched(struct place *p, enum store_mode mode, enum store_mode other, int only, struct err *e)
{
	struct store *s = NULL;
	int rc;

	memset(&meeting, 0, sizeof meeting);
	meeting.path = p->path;
	meeting.mode = other;
	meeting.only = only;
	sqlite3_auto_extension((void (*)(void))watch_connection);
	rc = store_open(&s, p->path, mode, e);
	sqlite3_reset_auto_extension();
	store_close(s);
	if (meeting.wrong.code)
		fail_msg("the other side: %s", meeting.wrong.msg);
	return rc;
}

/* A store is made as a whole: at no moment of it does a reader see a part. */
static void readers_of_a_store_being_made(void **state)
{
	struct place *p = *state;

	OK(open_watched(p, STORE_CREATE, STORE_READ, -1, &bad));
	assert_true(meeting.empty > 3 && meeting.opened > 0);
}

/* And whatever a reader has asked already when the store is made, its answers agree. */
static void store_made_beside_a_reader(void **state)
{
	struct place *p = *state;
	struct err e = { 0 };
	int at = 0;

	do {
		char *command = arena_printf(p->a, "rm -f '%s'*", p->path);

		assert_int_equal(system(command), 0);
		OK(file_write(p->path, "", 0, &bad));
		err_clear(&e);
		if (open_watched(p, STORE_READ, STORE_CREATE, at, &e) < 0 && !strstr(e.msg, "nothing was recorded"))
			fail_msg("made at statement %d: %s", at, e.msg);
	} while (meeting.statements > at++);
	assert_true(at > 2);
}

static void wrong_files_are_refused(void **state)
{
	struct place *p = *state;
	struct store *s;
	sqlite3 *db;
	struct err e = { 0 };

	assert_int_equal(file_write(p->path, "this is not a database, but long enough to be one..", 51, &e), 0);
	refused(p, STORE_READ, ERR_INVALID, "not a store");
	refused(p, STORE_CREATE, ERR_INVALID, "not a store");
	unlink(p->path);

	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE t(x)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	refused(p, STORE_CREATE, ERR_INVALID, "another program");
	unlink(p->path);

	assert_int_equal(file_write(p->path, "", 0, &e), 0);
	refused(p, STORE_READ, ERR_INVALID, "empty");
	s = open_ok(p, STORE_CREATE);
	OK(db_exec(s, "PRAGMA user_version=99", &bad));
	store_close(s);
	refused(p, STORE_READ, ERR_INVALID, "newer nab");
	refused(p, STORE_WRITE, ERR_INVALID, "newer nab");
}

/* Pages overwritten with noise after a crash: found at opening, or by the full check; never taken for data. */
static void damage_is_found(void **state)
{
	struct place *p = *state;
	struct store *s = open_ok(p, STORE_CREATE);
	int64_t study = add_study(p, s, "s");
	unsigned char noise[3000];
	struct err e = { 0 };
	char lock[128];
	int fd;

	for (int i = 0; i < 200; i++)
		add_run(p, s, study, i, 1);
	store_close(s);
	fd = open(p->path, O_RDWR | O_CLOEXEC);
	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (unsigned char)rng_u32(&p->r);
	for (off_t at = 4096; at < lseek(fd, 0, SEEK_END) - 4096; at += 8192)
		assert_int_equal(pwrite(fd, noise, sizeof noise, at), (ssize_t)sizeof noise);
	close(fd);
	snprintf(lock, sizeof lock, "%s.lock", p->path);
	assert_int_equal(file_write(lock, "process 1 on nowhere\n", 21, &e), 0);
	refused(p, STORE_WRITE, ERR_INVALID, "damaged");
	refused(p, STORE_WRITE, ERR_INVALID, "damaged"); /* the mark of the crash is kept */
}

static void flip_bytes(struct place *p, const char *path, int many)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	off_t size = lseek(fd, 0, SEEK_END);

	for (int i = 0; i < many; i++) {
		unsigned char byte = (unsigned char)rng_u32(&p->r);

		assert_int_equal(pwrite(fd, &byte, 1, (off_t)rng_below(&p->r, (uint32_t)size)), 1);
	}
	close(fd);
}

/* Bytes changed at random: an error or what is still there, never a crash or an endless loop. */
static void random_damage(void **state)
{
	struct place *p = *state;
	struct store *s = open_ok(p, STORE_CREATE);
	int64_t study = add_study(p, s, "s");
	char *whole, *hurt = arena_printf(p->a, "%s/hurt.db", p->dir);
	int failures = 0;
	size_t size;

	for (int i = 0; i < 30; i++) {
		int64_t run = add_run(p, s, study, i, 1);
		struct store_result r = result(0.5);
		struct store_epoch ep = { .epoch = 1, .train_loss = 0.5 };

		OK(store_epoch_put(s, run, &ep, &bad));
		OK(store_result_put(s, run, &r, &bad));
	}
	store_close(s);
	OK(file_read(&whole, &size, p->path, 1 << 24, false, &bad));
	for (int round = 0; round < 30; round++) {
		struct arena *a = arena_new();
		struct store_query q = { .order = ORDER_SCORE };
		struct store_summary sum;
		struct store_item *items;
		struct str text = { 0 };
		struct err e = { 0 };
		int n;

		OK(file_write(hurt, whole, size, &bad));
		flip_bytes(p, hurt, 1 << rng_below(&p->r, 10));
		if (store_open(&s, hurt, STORE_READ, &e) < 0) {
			failures++;
		} else {
			failures += store_list(s, &q, &items, &n, a, &e) < 0 ||
				    store_summarize(s, study, &sum, &e) < 0 ||
				    store_trajectory(s, study, &text, &e) < 0 || store_check(s, &e) < 0;
			store_close(s);
		}
		str_release(&text);
		arena_free(a);
	}
	assert_true(failures > 5);
	mem_free(whole);
}

static void migrations_keep_a_copy(void **state)
{
	static const struct db_step steps[4] = {
		{ "SELECT 1" },
		{ "SELECT 2" },
		{ "CREATE TABLE extra(x INTEGER) STRICT; INSERT INTO extra VALUES(5)" },
		{ "CREATE TABLE more(x INTEGER) STRICT; CREATE TABLE extra(x INTEGER)" }, /* fails half-way */
	};
	struct place *p = *state;
	struct store *s = open_ok(p, STORE_CREATE), *copy;
	char *backup = arena_printf(p->a, "%s.v2.backup", p->path);
	struct err e = { 0 };
	int64_t n;

	add_study(p, s, "old");
	OK(db_migrate(s, steps, 3, &bad));
	assert_true(file_exists(backup));
	OK(db_number(s, &n, &e, "SELECT x FROM extra", ""));
	assert_int_equal(n, 5);
	OK(db_number(s, &n, &e, "PRAGMA user_version", ""));
	assert_int_equal(n, 3);
	assert_int_equal(db_migrate(s, steps, 4, &e), -1);
	OK(db_number(s, &n, &e, "PRAGMA user_version", "")); /* the failed step left nothing behind */
	assert_int_equal(n, 3);
	OK(db_number(s, &n, &e, "SELECT count(*) FROM sqlite_schema WHERE name='more'", ""));
	assert_int_equal(n, 0);
	store_close(s);
	OK(store_open(&copy, backup, STORE_READ, &bad));
	OK(db_number(copy, &n, &e, "SELECT count(*) FROM studies WHERE name='old'", ""));
	assert_int_equal(n, 1);
	store_close(copy);
}

static void copies_are_stores(void **state)
{
	struct place *p = *state;
	struct store *s = open_ok(p, STORE_CREATE), *r, *copy;
	char *to = arena_printf(p->a, "%s/copy's.db", p->dir);
	struct err e = { 0 };
	int64_t n;

	add_study(p, s, "s");
	r = open_ok(p, STORE_READ);
	OK(store_backup(r, to, &bad)); /* a reader may copy while the writer is there */
	assert_int_equal(store_backup(s, to, &e), -1);
	assert_int_equal(e.code, ERR_USAGE);
	OK(store_open(&copy, to, STORE_WRITE, &bad));
	OK(db_number(copy, &n, &e, "SELECT count(*) FROM studies", ""));
	assert_int_equal(n, 1);
	OK(store_check(copy, &bad));
	store_close(copy);
	store_close(r);
	store_close(s);
}

/* A limit on file sizes stands in for a full disk: writes fail, say so, lose nothing, and go on when there is room. */
static void full_disk(void **state)
{
	struct place *p = *state;
	struct store *s = open_ok(p, STORE_CREATE);
	struct rlimit old, small;
	struct err e = { 0 };
	char *big = mem_new(20001);
	int64_t there;
	int acked = 0;

	signal(SIGXFSZ, SIG_IGN);
	memset(big, 'x', 20000);
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = 1 << 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (int i = 0; i < 500; i++) {
		struct store_event v = { .kind = "note", .text = big };

		if (store_event_add(s, &v, &e) < 0)
			break;
		acked++;
	}
	assert_true(acked > 0 && acked < 500);
	assert_int_equal(e.code, ERR_RUNTIME);
	if (!strstr(e.msg, "disk is full"))
		fail_msg("%s", e.msg);
	assert_true(store_disk_full(s));
	setrlimit(RLIMIT_FSIZE, &old);
	OK(db_number(s, &there, &e, "SELECT count(*) FROM events", ""));
	assert_int_equal(there, acked);
	add_study(p, s, "after");
	OK(store_check(s, &bad));
	store_close(s);
	mem_free(big);
}

static void network_file_systems(void **state)
{
	(void)state;
	assert_string_equal(db_network_fs(0x6969), "NFS");
	assert_string_equal(db_network_fs((long)(int)0xff534d42), "CIFS"); /* sign-extended on some machines */
	assert_null(db_network_fs(0xef53));                                /* ext4 */
	assert_null(db_network_fs(0x01021994));                            /* tmpfs */
}

static int64_t add_data(struct place *p, struct store *s)
{
	struct store_data d = { .digest = word(p), .name = "n", .spec = "{}", .info = "{}" };

	OK(store_data_put(s, &d, &bad));
	return d.id;
}

static void labels_come_back(void **state)
{
	enum { N = 37 };
	struct place *p = *state;
	struct store *s = open_ok(p, STORE_CREATE);
	uint16_t label[N];
	uint8_t even[N], none[N] = { 0 };
	const struct store_slice slices[] = { { "z even", even }, { "a none", none } };
	struct store_truth t = { .split = 2, .n = N, .label = label, .slices = slices, .n_slices = 2 }, got;
	int64_t data = add_data(p, s), other = add_data(p, s);
	struct err e = { 0 };

	for (int i = 0; i < N; i++) {
		label[i] = (uint16_t)rng_below(&p->r, 65535);
		even[i] = i % 2 == 0;
	}
	OK(store_truth_put(s, data, &t, &bad));
	label[5] ^= 1;
	OK(store_truth_put(s, data, &t, &bad)); /* replaces */
	store_close(s);
	s = open_ok(p, STORE_WRITE);
	assert_int_equal(store_truth_get(s, data, 2, &got, p->a, &bad), 1);
	assert_int_equal(got.n, N);
	assert_memory_equal(got.label, label, sizeof label);
	assert_int_equal(got.n_slices, 2);
	assert_string_equal(got.slices[0].name, "z even"); /* in the order given */
	assert_memory_equal(got.slices[0].member, even, N);
	assert_memory_equal(got.slices[1].member, none, N);
	assert_int_equal(store_truth_get(s, data, 1, &got, p->a, &bad), 0);
	assert_int_equal(store_truth_get(s, other, 2, &got, p->a, &bad), 0);
	OK(db_exec(s, "UPDATE members SET member=x'00' WHERE number=1", &bad));
	assert_int_equal(store_truth_get(s, data, 2, &got, p->a, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	store_close(s);
}

/* A store of the first version, as an older nab left it: a writer brings it up to date, nothing is lost. */
static void first_version_is_brought_up_to_date(void **state)
{
	struct place *p = *state;
	struct store *s = open_ok(p, STORE_CREATE);
	struct store_truth t;
	struct store_study y;

	add_study(p, s, "old");
	OK(db_exec(s, "DROP TABLE members; DROP TABLE truths; PRAGMA user_version=1", &bad));
	store_close(s);
	refused(p, STORE_READ, ERR_INVALID, "older nab");
	s = open_ok(p, STORE_WRITE);
	assert_true(file_exists(arena_printf(p->a, "%s.v1.backup", p->path)));
	assert_int_equal(store_study_find(s, "old", &y, p->a, &bad), 1);
	assert_int_equal(store_truth_get(s, 1, 1, &t, p->a, &bad), 0);
	store_close(s);
}

static void settings_hold(void **state)
{
	static const struct {
		const char *sql;
		int64_t value;
	} expect[] = {
		{ "PRAGMA synchronous", 2 },
		{ "PRAGMA foreign_keys", 1 },
		{ "PRAGMA trusted_schema", 0 },
		{ "PRAGMA cell_size_check", 1 },
		{ "PRAGMA mmap_size", 0 },
		{ "PRAGMA busy_timeout", 10000 },
		{ "PRAGMA user_version", DB_VERSION },
		{ "PRAGMA application_id", DB_APPLICATION },
		{ "SELECT count(*) FROM sqlite_schema WHERE type='table' AND sql NOT LIKE '%STRICT%'", 0 },
	};
	struct place *p = *state;
	struct store *s = open_ok(p, STORE_CREATE);
	struct err e = { 0 };
	int64_t v;

	for (size_t i = 0; i < sizeof expect / sizeof expect[0]; i++) {
		OK(db_number(s, &v, &e, expect[i].sql, ""));
		if (v != expect[i].value)
			fail_msg("%s is %lld", expect[i].sql, (long long)v);
	}
	store_close(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(studies_come_back),
		TEST(records_come_back),
		TEST(profiles_files_events),
		TEST(candidates_are_new_once),
		TEST(finished_runs_stay),
		TEST(attempts_are_recovered),
		TEST(lists_sort_and_filter),
		TEST(hashes_and_lineage),
		TEST(trajectories_compare),
		TEST(cached_results_are_copied),
		TEST(one_writer_many_readers),
		TEST(killed_writer),
		TEST(readers_of_a_store_being_made),
		TEST(store_made_beside_a_reader),
		TEST(wrong_files_are_refused),
		TEST(damage_is_found),
		TEST(random_damage),
		TEST(migrations_keep_a_copy),
		TEST(copies_are_stores),
		TEST(full_disk),
		TEST(network_file_systems),
		TEST(settings_hold),
		TEST(labels_come_back),
		TEST(first_version_is_brought_up_to_date),
		TEST(short_locks_are_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
