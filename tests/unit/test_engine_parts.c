/* tests/unit/test_engine_parts.c - parts of the engine without processes: study documents, messages, rules, scores. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "arch/recipe.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "engine/evaluation.h"
#include "engine/internal.h"
#include "engine/message.h"
#include "engine/study.h"
#include "train/backend.h"

/* ---- studies -------------------------------------------------------------------------------------------- */

static const char small[] =
    "{\"study\": \"s\", \"backend\": \"ref\", \"space\": {\"layers\": [\"flatten\", {\"dense\": {\"units\": {\"any\": "
    "[4, 8]}}}, \"relu\","
    " {\"dense\": {\"units\": \"$classes\"}}]},"
    " \"train\": {\"epochs\": {\"any\": [2, 3]}, \"optimizer\": {\"sgd\": {\"lr\": {\"range\": [0.1, 0.2]}}}}}";

static struct json *parse(const char *text)
{
	struct json *v = NULL;
	struct err e = { 0 };

	if (json_parse(&v, text, strlen(text), "test", &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	return v;
}

static int read_study(struct study *y, const struct json *doc, struct arena *a, struct diag *d)
{
	struct json_in in = { doc, d, NULL };

	return study_read(y, doc, NULL, NULL, true, a, &in);
}

/* What is rendered holds every key, and reads back as itself. */
static void rendering_is_complete(void **state)
{
	struct arena *a = arena_new();
	struct json *doc = parse(small), *again;
	struct str first = { 0 }, second = { 0 };
	struct diag d = { 0 };
	struct study y, z;
	struct recipe r;

	(void)state;
	if (read_study(&y, doc, a, &d) < 0)
		fail_msg("%s: %s", d.items[0].where, d.items[0].msg);
	for (const struct opt *o = study_opts; o->name; o++)
		if (!json_get(y.doc, o->name))
			fail_msg("%s is not rendered", o->name);
	assert_non_null(json_get(y.train, "schedule"));
	json_print(&first, y.doc);
	again = parse(first.s);
	assert_int_equal(read_study(&z, again, a, &d), 0);
	json_print(&second, z.doc);
	assert_string_equal(first.s, second.s);
	assert_int_equal(study_recipe(&r, &y, a, NULL), 0);
	assert_int_equal(r.epochs, 2);
	assert_true(r.optimizer.lr == 0.1);
	json_free(doc);
	json_free(again);
	str_release(&first);
	str_release(&second);
	arena_free(a);
}

/* All mistakes of a document are told in one go, each at its place. */
static void mistakes_are_collected(void **state)
{
	static const struct {
		const char *path, *value, *where, *part;
	} bad[] = {
		{ "sede", "\"1\"", "sede", "seed" },
		{ "study", "\"a b\"", "study", "letters" },
		{ "seed", "\"x\"", "seed", "digits" },
		{ "replicates", "0", "replicates", "between" },
		{ "objective", "\"speed\"", "objective", "balanced_accuracy" },
		{ "objective", "\"slice:cats\"", "objective", "no slice" },
		{ "backend", "\"gpu\"", "backend", "no backend" },
		{ "devices", "[\"cuda:0\"]", "devices", "no slot" },
		{ "devices", "[\"cpu:0\", \"cpu:0\"]", "devices", "twice" },
		{ "devices", "[\"tpu:0\"]", "devices", "no device" },
		{ "devices", "[\"cpu:GPU-1\"]", "devices", "no device" },
		{ "devices", "[\"cpu:0\", \"cuda:\"]", "devices", "no device" },
		{ "devices", "[\"cpu:0\", \"cuda:x\"]", "devices", "no device" },
		{ "in_flight", "300", "in_flight", "between" },
		{ "stop.accuracy", "1.5", "stop.accuracy", "between" },
		{ "train.epochs", "{\"any\": [3, 0]}", "train.epochs", "between" },
		{ "train.batsh", "5", "train.batsh", "batch" },
		{ "space", "\"no-such-file.json\"", "space", "no-such-file" },
		{ "baselines", "[\"no-model.json\"]", "baselines[0]", "no-model" },
		{ "dataset.format", "\"idxx\"", "dataset.format", "idx" },
		{ "search.strategy", "\"markof\"", "search.strategy", "markov" },
		{ "limits.max_disc", "5", "limits.max_disc", "max_disk" },
	};
	struct arena *a = arena_new();
	struct study y;
	struct diag d = { 0 };
	struct json *doc;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		bool found = false;

		doc = parse(small);
		assert_int_equal(json_set_path(doc, bad[i].path, bad[i].value, NULL), 0);
		if (read_study(&y, doc, a, &d) == 0)
			fail_msg("%s = %s was accepted", bad[i].path, bad[i].value);
		for (int k = 0; k < d.n; k++)
			found = found ||
				(strcmp(d.items[k].where, bad[i].where) == 0 && strstr(d.items[k].msg, bad[i].part));
		if (!found)
			fail_msg("%s = %s: said \"%s: %s\"", bad[i].path, bad[i].value, d.n ? d.items[0].where : "",
				 d.n ? d.items[0].msg : "nothing");
		diag_release(&d);
		json_free(doc);
	}
	doc = parse("{\"replicates\": 0, \"seed\": \"-\", \"unknown\": 1}");
	assert_int_equal(read_study(&y, doc, a, &d), -1);
	assert_true(d.errors >= 5); /* these three, and no name, no space */
	diag_release(&d);
	json_free(doc);
	arena_free(a);
}

/* A study whose devices are cards is for them, and in bf16, unless it says otherwise. */
static void cards_have_defaults(void **state)
{
	static const struct {
		const char *devices, *backend, *precision, *said;
	} cases[] = {
		{ "[]", "cpu", "fp32", NULL },
		{ "[\"cpu:0\"]", "cpu", "fp32", NULL },
		{ "[\"cpu:0\", \"cuda:0\"]", "cuda", "bf16", NULL },
		{ "[\"cuda:GPU-3f2a0000-0000-0000-0000-000000000000\"]", "cuda", "tf32", "\"tf32\"" },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; backend_find("cuda") && i < sizeof cases / sizeof *cases; i++) {
		struct json *doc = parse(small);
		struct diag d = { 0 };
		struct study y;

		json_drop(doc, "backend");
		assert_int_equal(json_set_path(doc, "devices", cases[i].devices, NULL), 0);
		if (cases[i].said)
			assert_int_equal(json_set_path(doc, "train.precision", cases[i].said, NULL), 0);
		if (read_study(&y, doc, a, &d) < 0)
			fail_msg("%s: %s", d.items[0].where, d.items[0].msg);
		assert_string_equal(y.backend, cases[i].backend);
		assert_string_equal(json_string(json_get(y.doc, "backend")), cases[i].backend);
		assert_string_equal(json_string(json_get(y.train, "precision")), cases[i].precision);
		json_free(doc);
	}
	arena_free(a);
}

static void what_may_change(void **state)
{
	static const struct {
		const char *path, *value;
		bool allowed;
	} edits[] = {
		{ "stop.seconds", "10", true },
		{ "search.candidates", "99", true },
		{ "devices", "[\"cpu:3\"]", true },
		{ "in_flight", "3", true },
		{ "store", "\"b.db\"", true },
		{ "limits.max_disk", "5", true },
		{ "limits.run_seconds", "5", false },
		{ "search.seed", "\"9\"", false },
		{ "train.batch", "9", false },
		{ "objective", "\"loss\"", false },
		{ "threads", "2", false },
		{ "seed", "\"2\"", false },
		{ "dataset.limit", "50", false },
		{ "space.layers[0]", "\"x\"", false },
		{ "baselines[0]", "{}", false },
	};
	struct arena *a = arena_new();
	struct json *doc = parse(small);
	struct diag d = { 0 };
	struct study y;

	(void)state;
	assert_int_equal(read_study(&y, doc, a, &d), 0);
	for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
		struct json *now = json_copy(y.doc);
		struct str difference = { 0 };

		if (strcmp(edits[i].path, "baselines[0]") == 0)
			json_push(json_mutable(now, "baselines"), json_object());
		else
			assert_int_equal(json_set_path(now, edits[i].path, edits[i].value, NULL), 0);
		study_difference(&difference, y.doc, now);
		if ((difference.len == 0) != edits[i].allowed)
			fail_msg("%s: \"%s\"", edits[i].path, str_get(&difference));
		str_release(&difference);
		json_free(now);
	}
	json_free(doc);
	arena_free(a);
}

/* ---- messages ------------------------------------------------------------------------------------------- */

static void messages_arrive(void **state)
{
	struct channel in;
	struct message m;
	struct rng r;
	char *blob = mem_new(70000);
	int pair[2];

	(void)state;
	rng_init(&r, (uint64_t)time(NULL), 5);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	in = (struct channel){ .fd = pair[1] };
	for (int i = 0; i < 20; i++) {
		size_t n = rng_below(&r, 70000);
		struct json *body = json_object();
		double loss = rng_normal(&r) * pow(10, rng_below(&r, 20));
		uint64_t seed = (uint64_t)rng_u32(&r) << 32 | rng_u32(&r);

		for (size_t k = 0; k < n; k++)
			blob[k] = (char)rng_u32(&r);
		json_put(body, "loss", json_real(loss));
		json_put(body, "seed", json_u64(seed));
		json_put(body, "run", json_i64(-(int64_t)(seed >> 1)));
		json_put(body, "none", json_real((double)NAN));
		assert_int_equal(message_send(pair[0], MESSAGE_EPOCH, body, blob, n, NULL), 0);
		assert_int_equal(channel_wait(&in, &m, 5), 1);
		assert_int_equal(m.type, MESSAGE_EPOCH);
		assert_int_equal(m.blob_len, n);
		assert_memory_equal(m.blob, blob, n);
		assert_true(json_get_real(m.body, "loss") == loss);
		assert_true(json_get_u64(m.body, "seed") == seed);
		assert_true(json_get_i64(m.body, "run") == -(int64_t)(seed >> 1));
		assert_true(isnan(json_get_real(m.body, "none")));
		message_release(&m);
	}
	assert_int_equal(channel_wait(&in, &m, 0.01), 0);
	assert_int_equal(write(pair[0], "this is no frame", 16), 16);
	assert_int_equal(channel_wait(&in, &m, 5), -1);
	close(pair[0]);
	channel_release(&in);
	mem_free(blob);
}

static void the_other_end_is_gone(void **state)
{
	struct channel in;
	struct message m;
	struct err e = { 0 };
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(message_send(pair[0], MESSAGE_STOP, json_object(), NULL, 0, NULL), 0);
	close(pair[0]);
	in = (struct channel){ .fd = pair[1] };
	assert_int_equal(channel_wait(&in, &m, 5), 1); /* what was said before is heard */
	message_release(&m);
	assert_int_equal(channel_wait(&in, &m, 5), -1);
	assert_int_equal(message_send(pair[1], MESSAGE_STOP, json_object(), NULL, 0, &e), -1);
	assert_int_equal(e.code, ERR_RUNTIME);
	channel_release(&in);
}

/* ---- rules ---------------------------------------------------------------------------------------------- */

enum { MOST = 40 };

struct table { /* a work with candidates of one run each */
	struct work w;
	struct candidate c[MOST], *list[MOST], *numbers[MOST];
	struct job j[MOST];
	struct engine g;
	struct work *works[1];
	struct device device;
	struct slot slots[3];
};

static void fill(struct table *t, int baselines, int candidates)
{
	memset(t, 0, sizeof *t);
	t->w.last = NOT_JUDGED;
	t->w.study.objective = "accuracy";
	t->w.study.backend = "cpu";
	t->device = (struct device){ .name = "cpu:0", .kind = DEVICE_CPU, .slots = t->slots, .n_slots = 1 };
	t->w.study.replicates = 1;
	t->w.candidates = t->list;
	t->w.by_number = t->numbers;
	t->works[0] = &t->w;
	t->g.works = t->works;
	t->g.n_works = 1;
	for (int i = 0; i < baselines + candidates; i++) {
		bool base = i < baselines;

		t->c[i] = (struct candidate){ .work = &t->w,
					      .number = base ? i : i - baselines,
					      .origin = base ? ORIGIN_BASELINE : ORIGIN_SEARCH,
					      .label = "x",
					      .jobs = &t->j[i],
					      .n_jobs = 1 };
		t->j[i] = (struct job){ .id = i + 1, .candidate = &t->c[i], .score = (double)NAN };
		t->list[t->w.n++] = &t->c[i];
		if (!base)
			t->numbers[t->w.n_asked++] = &t->c[i];
	}
	t->w.study.search_cfg.candidates = candidates;
}

static void finish(struct job *j, double score)
{
	j->state = isnan(score) ? STATE_DIVERGED : STATE_DONE;
	j->score = score;
	j->epochs = 2;
}

/* Where a target is met does not depend on the order in which runs finish. */
static void targets_are_judged_in_order(void **state)
{
	struct table t;
	struct rng r;

	(void)state;
	rng_init(&r, (uint64_t)time(NULL), 6);
	for (int round = 0; round < 200; round++) {
		double score[20];
		int order[20], expect = NOT_JUDGED;

		fill(&t, 1, 20);
		t.w.study.stop.accuracy = 0.9;
		for (int i = 0; i < 20; i++) {
			score[i] = rng_below(&r, 5) ? rng_real(&r) : (double)NAN;
			order[i] = i;
			if (expect == NOT_JUDGED && score[i] >= 0.9)
				expect = i;
		}
		for (int i = 19; i > 0; i--) {
			int k = (int)rng_below(&r, (uint32_t)i + 1), swap = order[i];

			order[i] = order[k];
			order[k] = swap;
		}
		for (int i = 0; i < 20; i++) {
			finish(t.numbers[order[i]]->jobs, score[order[i]]);
			work_judge(&t.w);
			if (t.w.last != NOT_JUDGED)
				assert_int_equal(t.w.last, expect);
		}
		assert_int_equal(t.w.last, expect);
		for (int i = 0; i < 20; i++)
			assert_int_equal(work_is_surplus(&t.w, t.numbers[i]), expect != NOT_JUDGED && i > expect);
		assert_false(work_is_surplus(&t.w, t.list[0]));
	}
}

static void epochs_are_counted_in_order(void **state)
{
	struct table t;

	(void)state;
	fill(&t, 0, 5);
	t.w.study.stop.epochs = 5;
	finish(&t.j[4], 0.5);
	finish(&t.j[1], 0.5);
	finish(&t.j[2], 0.5);
	assert_int_equal(work_judge(&t.w), 0);
	finish(&t.j[0], 0.5);
	assert_int_equal(work_judge(&t.w), 3);
	assert_int_equal(t.w.last, 2);
	assert_int_equal(work_wanted(&t.w), 3);
}

static void the_queue_has_an_order(void **state)
{
	struct table t;
	struct job *j;

	(void)state;
	fill(&t, 2, 3);
	t.c[4].origin = ORIGIN_USER; /* the last one by hand */
	for (int i = 0; i < 5; i++) {
		static const int64_t expect[] = { 1, 2, 5, 3, 4 };

		j = engine_pick(&t.g, &t.device, 0);
		assert_non_null(j);
		assert_int_equal(j->id, expect[i]);
		j->held = true;
	}
	assert_null(engine_pick(&t.g, &t.device, 0));
	t.j[2].held = false; /* its worker was killed: it comes back */
	assert_ptr_equal(engine_pick(&t.g, &t.device, 0), &t.j[2]);
	t.w.study.stop.seconds = 10;
	assert_ptr_equal(engine_pick(&t.g, &t.device, 9), &t.j[2]);
	assert_null(engine_pick(&t.g, &t.device, 11));
	assert_false(work_finished(&t.w, 11)); /* others are held */
}

static void deaths_are_counted_by_place(void **state)
{
	struct job j = { 0 };

	(void)state;
	assert_false(job_died(&j, 3, 3));
	assert_false(job_died(&j, 3, 3));
	assert_false(job_died(&j, 4, 3)); /* it came further: counted anew */
	assert_false(job_died(&j, 4, 3));
	assert_true(job_died(&j, 4, 3));
}

/* ---- evaluations ---------------------------------------------------------------------------------------- */

static void evaluations_travel(void **state)
{
	int64_t confusion[9] = { 5, 1, 0, 2, 6, 0, 0, 0, 0 };
	uint16_t predicted[14] = { 1, 2, 0 };
	struct evaluation v = { .split = SPLIT_VALIDATION,
				.n = 14,
				.classes = 3,
				.loss = 0.1,
				.accuracy = 11 / 14.0,
				.balanced_accuracy = 0.25,
				.top5 = 1,
				.f1_macro = 0.5,
				.confusion = confusion,
				.predicted = predicted };
	int which[] = { 0, 2 };
	struct slice slice = { "ends", 2, which, NULL };
	struct dataset d = { .n_slices = 1, .slices = &slice };
	struct arena *a = arena_new();
	struct json *body = evaluation_write(&v, &d), *classes = NULL;
	size_t n = evaluation_blob_size(&v);
	char *blob = arena_alloc(a, n);
	struct store_evaluation out;
	int64_t of;

	(void)state;
	evaluation_blob(&v, blob);
	assert_int_equal(evaluation_read(&out, body, blob, n, a), 0);
	assert_int_equal(evaluation_read(&out, body, blob, n - 1, a), -1);
	assert_int_equal(evaluation_read(&out, body, blob, n, a), 0);
	assert_memory_equal(out.confusion, confusion, sizeof confusion);
	assert_memory_equal(out.predicted, predicted, sizeof predicted);
	assert_true(out.loss == 0.1 && out.accuracy == 11 / 14.0);
	assert_true(evaluation_score(&out, "accuracy") == 11 / 14.0);
	assert_true(evaluation_score(&out, "loss") == -0.1);
	assert_true(evaluation_score(&out, "balanced_accuracy") == 0.25);
	assert_true(evaluation_score(&out, "slice:ends") == evaluation_slice(&v, &d, &slice, &of));
	assert_true(isnan(evaluation_score(&out, "slice:none")));
	classes = parse(out.per_class);
	assert_int_equal(json_count(classes), 3);
	assert_true(json_get_real(json_first(classes), "precision") == 5.0 / 7);
	assert_true(json_get_real(json_first(classes), "recall") == 5.0 / 6);
	assert_true(json_get_real(json_first(classes), "f1") == 10.0 / 13);
	json_free(classes);
	json_free(body);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rendering_is_complete),
		cmocka_unit_test(mistakes_are_collected),
		cmocka_unit_test(cards_have_defaults),
		cmocka_unit_test(what_may_change),
		cmocka_unit_test(messages_arrive),
		cmocka_unit_test(the_other_end_is_gone),
		cmocka_unit_test(targets_are_judged_in_order),
		cmocka_unit_test(epochs_are_counted_in_order),
		cmocka_unit_test(the_queue_has_an_order),
		cmocka_unit_test(deaths_are_counted_by_place),
		cmocka_unit_test(evaluations_travel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
