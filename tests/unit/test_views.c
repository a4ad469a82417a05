/* tests/unit/test_views.c - what `nab show`, `nab watch --once` and `nab ls` print of stores made by hand: goldens in
 * tests/golden/views (NAB_GOLDEN=1 rewrites them), with and without UTF-8, narrow and wide; 50 classes; hostile names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/model.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "store/store.h"
#include "tests/helper_files.h"
#include "tests/helper_ok.h"
#include "tests/helper_store.h"

/* ---- running nab ---------------------------------------------------------------------------------------- */

/* stdout of the command in the folder of the store; env: more of the environment. */
static char *output(const char *dir, const char *env, const char *arguments, struct arena *a)
{
	char cwd[1000], *out, *line;
	int status;

	assert_non_null(getcwd(cwd, sizeof cwd));
	line = arena_printf(a, "cd '%s' && env -u NO_COLOR -u NAB_STORE %s '%s/nab' %s 2>&1 </dev/null", dir, env, cwd,
			    arguments);
	out = program_output(line, &status, a);
	if (status != 0)
		fail_msg("%s: %s", line, out);
	return out;
}

static void golden(const char *name, const char *text)
{
	char path[200], *want;

	snprintf(path, sizeof path, "tests/golden/views/%s", name);
	if (getenv("NAB_GOLDEN")) {
		OK(file_mkdirs("tests/golden/views", &bad));
		OK(file_write(path, text, strlen(text), &bad));
	}
	OK(file_read(&want, NULL, path, 1 << 20, false, &bad));
	assert_string_equal(text, want);
	mem_free(want);
}

/* ---- a store in which every number is fixed --------------------------------------------------------------- */

static int64_t put_data(struct store *s, int k, bool hostile)
{
	static const char *const evil[] = { "<script>alert(1)</script>", "\033[31mred\033[2J", "two\nlines",
					    "漢字漢字漢字漢字漢字", "$(reboot)" };
	struct json *info = json_object(), *list = json_put(info, "classes", json_array());
	struct store_data d = { .digest = "0123456789abcdef0123456789abcdef", .name = "made", .spec = "{}" };
	struct str text = { 0 };
	char name[40];

	for (int i = 0; i < k; i++) {
		snprintf(name, sizeof name, "class %c%d", 'a' + i % 26, i);
		json_put(json_push(list, json_object()), "name", json_str(hostile && i < 5 ? evil[i] : name));
	}
	json_print(&text, info);
	json_free(info);
	d.info = str_get(&text);
	OK(store_data_put(s, &d, &bad));
	str_release(&text);
	return d.id;
}

static int64_t put_candidate(struct store *s, int64_t study, int number, const char *label)
{
	static const char json[] =
	    "{\"input\":[1,28,28],\"classes\":10,\"layers\":[{\"conv2d\":{\"filters\":8,"
	    "\"kernel\":3,\"padding\":\"same\"}},\"relu\",{\"maxpool2d\":{\"size\":2}},\"flatten\",{"
	    "\"dropout\":{\"rate\":0.25}},{\"dense\":{\"units\":\"$classes\"}}]}";
	struct store_model m = { .hash = "5042ec9d729900000000000000000000",
				 .digest = "5042ec9d729900000000000000000001",
				 .json = json,
				 .summary = "conv2d 8, 3x3, relu, maxpool2d 2x2, flatten, dropout 0.25, dense 10",
				 .params = 15770,
				 .macs = 72128,
				 .depth = 6,
				 .layers = 6 };
	struct store_candidate c = {
		.study = study, .number = number, .label = label, .recipe = "{\"epochs\":12}", .proposal = "{}"
	};
	char key[40];

	OK(store_model_put(s, &m, &bad));
	snprintf(key, sizeof key, "%032d", number);
	c.key = key;
	c.model = m.id;
	OK(store_candidate_add(s, &c, &bad));
	return c.id;
}

static int64_t put_run(struct store *s, int64_t study, int number, const char *label)
{
	struct store_run r = { .candidate = put_candidate(s, study, number, label), .seed = 7 };
	char identity[40];

	snprintf(identity, sizeof identity, "%031d0", number);
	r.identity = identity;
	OK(store_run_add(s, &r, &bad));
	return r.id;
}

static void put_epochs(struct store *s, int64_t run, int n)
{
	for (int i = 1; i <= n; i++) {
		struct store_epoch v = { .epoch = i,
					 .steps = 100 * i,
					 .examples = 6400 * i,
					 .rate = 0.002 * (13 - i) / 12,
					 .train_loss = 2.0 / i,
					 .train_accuracy = 1 - 0.8 / i,
					 .val_loss = 2.0 / i + 0.02 * i,
					 .val_accuracy = 1 - 0.9 / i,
					 .grad_norm = i == 3 ? (double)NAN : 1.0 / i,
					 .seconds = 1.5 };

		OK(store_epoch_put(s, run, &v, &bad));
	}
}

/* Rows that are mostly right, with neighbours taken for each other; the last class has no examples. */
static void put_evaluation(struct store *s, int64_t run, int k)
{
	int64_t *m = mem_new((size_t)(k * k) * sizeof *m);
	struct store_evaluation v = { .split = 1, .classes = k, .confusion = m, .accuracy = 0.9 };

	for (int i = 0; i < k - 1; i++)
		for (int j = 0; j < k; j++) {
			int far = abs(i - j);

			m[i * k + j] = far == 0 ? 200 - 3 * i % 150 : far == 1 ? 7 * i % 23 : (i * j) % 11 == 3;
			v.n += m[i * k + j];
		}
	OK(store_evaluation_put(s, run, &v, &bad));
	mem_free(m);
}

static void finish(struct store *s, int64_t run, enum run_state state, const char *reason, double score)
{
	struct store_result q = { .state = state,
				  .reason = reason,
				  .epochs = state == STATE_DONE ? 12 : 2,
				  .best_epoch = state == STATE_DONE ? 12 : 0,
				  .best_accuracy = score,
				  .score = score,
				  .train_loss = 0.1667,
				  .train_accuracy = 0.9333,
				  .val_loss = 0.4067,
				  .val_accuracy = score,
				  .seconds = 18 };

	if (state != STATE_DONE)
		q.score = q.val_accuracy = q.train_accuracy = q.train_loss = q.val_loss = q.best_accuracy = (double)NAN;
	OK(store_result_put(s, run, &q, &bad));
}

static int64_t begin(struct store *s, int64_t run, const char *device)
{
	struct store_attempt t = { .run = run, .device = device, .host = "bench", .pid = 1 };

	OK(store_attempt_begin(s, &t, &bad));
	return t.id;
}

/* Two done, one diverged, two under way, two queued; returns its folder. */
static const char *make(int k, bool hostile)
{
	static const char *const names[] = { "net-1", "net-2", "net-3", "net-4", "net-5", "net-6", "net-7" };
	static const char *const evil[] = { "<b>\033[31m", "\033]0;title\007",
					    "net\n-3",     "漢字漢字漢字漢字漢字漢字漢字漢字",
					    "../../etc/x", "net \xff 6",
					    "$(reboot)" };
	struct store_study y = { .name = hostile ? "\033[2J<i>" : "hand-made",
				 .kind = "search",
				 .config = "{\"search\":{\"candidates\":9},\"baselines\":[1],\"replicates\":1}",
				 .digest = "d",
				 .env = "{}" };
	const char *dir = temp_dir();
	char path[200];
	struct store *s;
	int64_t run[7];

	snprintf(path, sizeof path, "%s/made.db", dir);
	OK(store_open(&s, path, STORE_CREATE, &bad));
	OK(store_begin(s, &bad));
	y.data = put_data(s, k, hostile);
	OK(store_study_add(s, &y, &bad));
	for (int i = 0; i < 7; i++)
		run[i] = put_run(s, y.id, i, hostile ? evil[i] : names[i]);
	for (int i = 0; i < 2; i++) {
		int64_t t = begin(s, run[i], "cpu:0");

		put_epochs(s, run[i], 12);
		put_evaluation(s, run[i], k);
		OK(store_finding_add(s, run[i],
				     &(struct store_finding){ .code = "overfit",
							      .layer = "dense_1",
							      .text = hostile ? "\033[31m<u>" : "it learns by heart" },
				     &bad));
		finish(s, run[i], STATE_DONE, NULL, i ? 0.925 : 0.91);
		OK(store_attempt_end(s, t, ATTEMPT_DONE, 12, 1200, NULL, &bad));
	}
	begin(s, run[2], "cpu:1");
	finish(s, run[2], STATE_DIVERGED, hostile ? "\033[31mnot\na number" : "the loss is not a number", 0);
	begin(s, run[3], "cpu:10");
	put_epochs(s, run[3], 4);
	begin(s, run[4], "cpu:2");
	OK(store_commit(s, &bad));
	store_close(s);
	return dir;
}

/* ---- tests ---------------------------------------------------------------------------------------------- */

#define UTF8  "LC_ALL=C.UTF-8 COLUMNS=100"
#define ASCII "LC_ALL=C COLUMNS=100"

static void a_run_as_text(void **state)
{
	struct arena *a = arena_new();
	const char *dir = make(10, false);

	(void)state;
	golden("show-utf8", output(dir, UTF8, "show net-2 --quiet", a));
	golden("show-ascii", output(dir, ASCII, "show net-2 --quiet", a));
	golden("show-colour", output(dir, UTF8, "show net-2 --quiet --color always --no-epochs --no-chart", a));
	golden("show-narrow", output(dir, "LC_ALL=C COLUMNS=45", "show net-2 --quiet --no-epochs --no-chart", a));
	golden("show-running", output(dir, UTF8, "show net-4 --quiet", a));
	golden("show-diverged", output(dir, UTF8, "show net-3 --quiet --no-chart", a));
	arena_free(a);
}

static void fifty_classes(void **state)
{
	struct arena *a = arena_new();
	const char *dir = make(50, false);

	(void)state;
	golden("classes-50-utf8",
	       output(dir, "LC_ALL=C.UTF-8 COLUMNS=140", "show net-2 --quiet --no-epochs --no-chart", a));
	golden("classes-50-ascii",
	       output(dir, "LC_ALL=C COLUMNS=130", "show net-2 --quiet --no-epochs --no-chart --no-classes", a));
	golden("classes-50-narrow", output(dir, UTF8, "show net-2 --quiet --no-epochs --no-chart --no-classes", a));
	golden("classes-50-wide-colour",
	       output(dir, "LC_ALL=C.UTF-8 COLUMNS=140",
		      "show net-2 --quiet --no-epochs --no-chart --no-classes --color always", a));
	arena_free(a);
}

static void many_classes_fold(void **state)
{
	struct arena *a = arena_new();
	const char *dir = make(80, false);

	(void)state;
	golden("classes-80", output(dir, UTF8, "show net-2 --quiet --no-epochs --no-chart", a));
	arena_free(a);
}

static void a_search_as_text(void **state)
{
	struct arena *a = arena_new();
	const char *dir = make(10, false);

	(void)state;
	golden("watch-utf8", output(dir, "LC_ALL=C.UTF-8 COLUMNS=140", "watch --once", a));
	golden("watch-ascii", output(dir, "LC_ALL=C COLUMNS=80", "watch --once", a));
	golden("watch-colour", output(dir, UTF8, "watch --once --color always", a));
	golden("watch-plain", output(dir, ASCII, "watch", a)); /* no coordinator: over at once */
	golden("watch-json", output(dir, ASCII, "watch --json", a));
	arena_free(a);
}

/* No control character but the line's end, and what is shown is what the name was. */
static void plain(const char *text, bool colour)
{
	for (const char *c = text; *c; c++) {
		size_t n = *c == '\033' && colour ? strspn(c + 1, "[0123456789;") : 0;

		if (n && c[n + 1] == 'm')
			c += n + 1;
		else if ((unsigned char)*c < 0x20 && *c != '\n')
			fail_msg("character %d in:\n%s", *c, text);
	}
}

static void hostile_names_stay_text(void **state)
{
	static const char *const commands[] = { "show 1", "show 2",      "show 3", "watch --once",    "watch",
						"ls",     "ls --failed", "status", "ls --sort label", "show 2 --json" };
	struct arena *a = arena_new();
	const char *dir = make(10, true), *text;

	(void)state;
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		plain(output(dir, UTF8, commands[i], a), false);
		plain(output(dir, ASCII, commands[i], a), false);
		plain(output(dir, UTF8, arena_printf(a, "%s --color always", commands[i]), a), true);
	}
	text = output(dir, UTF8, "show 2 --quiet", a);
	assert_non_null(strstr(text, "<script>alert"));
	assert_non_null(strstr(text, "漢字漢字漢字… ")); /* two cells each */
	text = output(dir, ASCII, "show 2 --quiet --no-chart", a);
	for (const char *c = text; *c; c++)
		assert_true((unsigned char)*c < 0x80 || strstr(text, "\xef\xbf\xbd")); /* heads keep their letters */
	arena_free(a);
}

/* The numbers of the matrix, from its JSON, against the store's. */
static void json_tells_the_classes(void **state)
{
	struct arena *a = arena_new();
	const char *text = output(make(10, false), UTF8, "show net-2 --json", a);
	const struct json *first, *row;
	struct json *doc;

	(void)state;
	OK(json_parse(&doc, text, strlen(text), "show", &bad));
	assert_int_equal(json_count(json_get(doc, "classes")), 10);
	assert_int_equal(json_count(json_get(doc, "confusion")), 10);
	first = json_next(json_first(json_get(doc, "classes"))); /* class 1: 200 - 3, neighbours 7, and (j % 11 == 3) */
	row = json_next(json_first(json_get(doc, "confusion")));
	assert_string_equal(json_string(json_get(first, "name")), "class b1");
	assert_true(json_number(json_get(first, "n")) == 197 + 7 + 7 + 1);
	assert_true(fabs(json_number(json_get(first, "recall")) - 197.0 / 212) < 1e-12);
	assert_true(json_number(json_next(json_first(row))) == 197);
	json_free(doc);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_as_text),           cmocka_unit_test(fifty_classes),
		cmocka_unit_test(many_classes_fold),       cmocka_unit_test(a_search_as_text),
		cmocka_unit_test(hostile_names_stay_text), cmocka_unit_test(json_tells_the_classes),
	};

	return cmocka_run_group_tests(tests, NULL, temp_teardown);
}
