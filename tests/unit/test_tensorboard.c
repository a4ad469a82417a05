/* tests/unit/test_tensorboard.c - event files: an independent reader (tests/unit/tensorboard_read.py, plain Python)
 * finds what the store holds; files grow with the run, heal, and are the same in the end; hostile names stay names.
 * TensorBoard itself reads them where there is one: NAB_TENSORBOARD names a Python that has it.
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
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "arch/model.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "export/protobuf.h"
#include "export/tensorboard.h"
#include "export/tfrecord.h"
#include "store/store.h"
#include "tests/helper_files.h"
#include "tests/helper_ok.h"
#include "tests/helper_skip.h"
#include "tests/helper_store.h"

/* ---- the parts ------------------------------------------------------------------------------------------ */

static void checksums(void **state)
{
	unsigned char b[32];

	(void)state; /* RFC 3720, B.4 */
	assert_int_equal(crc32c("123456789", 9), 0xe3069283);
	memset(b, 0, sizeof b);
	assert_int_equal(crc32c(b, sizeof b), 0x8a9136aa);
	memset(b, 0xff, sizeof b);
	assert_int_equal(crc32c(b, sizeof b), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		b[i] = (unsigned char)i;
	assert_int_equal(crc32c(b, sizeof b), 0x46dd794e);
}

static void wire_format(void **state)
{
	struct str t = { 0 }, sub = { 0 };

	(void)state; /* the examples of the encoding's documentation */
	pb_int(&t, 1, 150);
	assert_memory_equal(t.s, "\x08\x96\x01", 3);
	str_clear(&t);
	pb_text(&t, 2, "testing");
	assert_memory_equal(t.s, "\x12\x07testing", 9);
	str_clear(&t);
	pb_int(&sub, 1, 150);
	pb_message(&t, 3, &sub);
	assert_memory_equal(t.s, "\x1a\x03\x08\x96\x01", 5);
	assert_int_equal(sub.len, 0);
	str_clear(&t);
	pb_int(&t, 1, -1);
	assert_int_equal(t.len, 11);
	assert_memory_equal(t.s, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11);
	str_clear(&t);
	pb_float(&t, 20, 1.5f);
	assert_memory_equal(t.s, "\xa5\x01\x00\x00\xc0\x3f", 6);
	str_clear(&t);
	pb_text(&t, 1, "a\xff\xc3\xa9");
	assert_memory_equal(t.s,
			    "\x0a\x04"
			    "a?\xc3\xa9",
			    6);
	str_release(&t);
	str_release(&sub);
}

/* ---- a store -------------------------------------------------------------------------------------------- */

static char *made(struct arena *a, bool hostile)
{
	struct made_store m = { .study = hostile ? "../../<b>\033[31m" : "fashion",
				.candidates = 9,
				.baselines = 2,
				.seeds = hostile ? 2 : 1,
				.epochs = 4,
				.examples = 500,
				.hostile = hostile,
				.unfinished = true,
				.seed = (uint64_t)time(NULL) };
	char *path = arena_printf(a, "%s/a.db", temp_dir());

	made_store_add(path, &m);
	return path;
}

static struct store *open_store(const char *path, enum store_mode mode)
{
	struct store *s;

	OK(store_open(&s, path, mode, &bad));
	return s;
}

/* What the reader prints of a file. */
static char *read_back(const char *file, struct arena *a)
{
	char *command = arena_printf(a, "/usr/bin/env python3 tests/unit/tensorboard_read.py '%s' 2>&1", file);
	int status;
	char *out = program_output(command, &status, a);

	if (status != 0)
		fail_msg("%s: %s", file, out);
	return out;
}

static void expect_line(const char *text, const char *line)
{
	const char *at = strstr(text, line);
	size_t n = strlen(line);

	while (at && !((at == text || at[-1] == '\n') && at[n] == '\n'))
		at = strstr(at + 1, line);
	if (!at)
		fail_msg("no line \"%s\" in:\n%s", line, text);
}

static void expect_scalar(const char *text, int step, const char *tag, double x, struct arena *a)
{
	float f = (float)x;
	uint32_t bits;

	memcpy(&bits, &f, sizeof bits);
	if (!isnan(x))
		expect_line(text, arena_printf(a, "scalar %d %s %08x", step, tag, bits));
}

static void expect_epochs(const char *text, struct store *s, int64_t run, struct arena *a)
{
	struct store_epoch *r;
	int n, lines = 0;

	OK(store_epochs(s, run, &r, &n, a, &bad));
	for (int i = 0; i < n; i++) {
		expect_scalar(text, r[i].epoch, "loss/train", r[i].train_loss, a);
		expect_scalar(text, r[i].epoch, "loss/validation", r[i].val_loss, a);
		expect_scalar(text, r[i].epoch, "accuracy/train", r[i].train_accuracy, a);
		expect_scalar(text, r[i].epoch, "accuracy/validation", r[i].val_accuracy, a);
		expect_scalar(text, r[i].epoch, "training/learning_rate", r[i].rate, a);
		expect_scalar(text, r[i].epoch, "training/gradient_norm", r[i].grad_norm, a);
		expect_scalar(text, r[i].epoch, "training/seconds_per_epoch", r[i].seconds, a);
	}
	for (const char *p = text; (p = strstr(p, " training/learning_rate ")); p++)
		lines++;
	assert_int_equal(lines, n); /* no step twice */
}

static void expect_model(const char *text, struct store *s, int64_t model, struct arena *a)
{
	struct diag d = { 0 };
	struct store_model m;
	struct json *doc;
	struct graph *g;
	int nodes = 0;

	OK(store_model_get(s, model, &m, a, &bad));
	OK(json_parse(&doc, m.json, strlen(m.json), "model", &bad));
	OK(model_read(&g, doc, NULL, NULL, a, &(struct json_in){ doc, &d, NULL }));
	for (const char *p = text; (p = strstr(p, "\nnode ")); p++)
		nodes++;
	assert_int_equal(nodes, g->n_nodes + g->n_inputs + g->n_outputs);
	for (int i = 0; i < g->n_nodes; i++) {
		struct str name = { 0 }; /* "__" parts blocks, '/' scopes: ids have no "__" of their own here */

		for (const char *c = g->nodes[i].id; *c; c++) {
			bool scope = c[0] == '_' && c[1] == '_';

			str_addc(&name, scope ? '/' : *c);
			c += scope;
		}
		if (!strstr(text,
			    arena_printf(a, "\nnode %s %s ", str_get(&name), layer_classes[g->nodes[i].kind]->name)))
			fail_msg("no node %s in:\n%s", str_get(&name), text);
		str_release(&name);
	}
	json_free(doc);
	diag_release(&d);
}

static void the_reader_finds_what_is_stored(void **state)
{
	struct arena *a = arena_new();
	struct store *s = open_store(made(a, false), STORE_READ);
	const char *dir = temp_dir();
	struct store_item *items;
	int n, ended = 0;

	(void)state;
	OK(store_list(s, &(struct store_query){ 0 }, &items, &n, a, &bad));
	for (int i = 0; i < n; i++) {
		const struct store_item *it = &items[i];
		struct str t = { 0 };
		char *path, *text;

		OK(tensorboard_write(s, it->run.id, dir, &bad));
		OK(tensorboard_events(&t, &path, s, it->run.id, dir, a, &bad));
		str_release(&t);
		text = read_back(path, a);
		expect_line(text, "version brain.Event:2");
		expect_epochs(text, s, it->run.id, a);
		expect_model(text, s, it->model, a);
		expect_line(text, arena_printf(a, "session start of fashion/%s", it->candidate.label));
		expect_line(text, arena_printf(a, "hparam model.parameters = %lld.0", (long long)it->params));
		if (it->result.reason)
			assert_non_null(strstr(text, it->result.reason));
		if (run_state_final(it->run.state)) {
			expect_line(text, it->run.state == STATE_DONE ? "session end 1" : "session end 2");
			expect_scalar(text, it->result.epochs, "result/accuracy", it->result.val_accuracy, a);
			ended++;
		} else {
			assert_null(strstr(text, "session end"));
		}
	}
	assert_in_range(ended, 1, n - 1);
	store_close(s);
	arena_free(a);
}

/* ---- growing -------------------------------------------------------------------------------------------- */

static struct store_epoch epoch(int k, struct rng *r)
{
	return (struct store_epoch){ .epoch = k,
				     .steps = 10 * k,
				     .examples = 100 * k,
				     .rate = rng_real(r),
				     .train_loss = rng_real(r),
				     .train_accuracy = rng_real(r),
				     .val_loss = rng_real(r),
				     .val_accuracy = rng_real(r),
				     .grad_norm = rng_real(r),
				     .seconds = rng_real(r) };
}

static char *file_now(const char *path, size_t *n, struct arena *a)
{
	char *text, *out;

	OK(file_read(&text, n, path, 1 << 26, false, &bad));
	out = arena_alloc(a, *n + 1);
	memcpy(out, text, *n);
	mem_free(text);
	return out;
}

static int64_t running(struct store *s, struct arena *a)
{
	struct store_item *items;
	int n;

	OK(store_list(s, &(struct store_query){ .states = 1u << STATE_RUNNING }, &items, &n, a, &bad));
	assert_in_range(n, 1, 1000);
	return items[0].run.id;
}

/* As during training: after every epoch the file is what it was, with more behind it. */
static void a_file_grows_with_its_run(void **state)
{
	struct arena *a = arena_new();
	struct store *s = open_store(made(a, false), STORE_WRITE);
	const char *dir = temp_dir();
	int64_t run = running(s, a);
	struct str all = { 0 };
	size_t n, before = 0;
	char *path, *now, *was = NULL;
	struct stat one, other;
	struct rng r;

	(void)state;
	rng_init(&r, (uint64_t)time(NULL), 3);
	for (int k = 10; k < 16; k++) {
		struct store_epoch row = epoch(k, &r);

		OK(store_epoch_put(s, run, &row, &bad));
		OK(tensorboard_write(s, run, dir, &bad));
		str_clear(&all);
		OK(tensorboard_events(&all, &path, s, run, dir, a, &bad));
		now = file_now(path, &n, a);
		assert_int_equal(n, all.len);
		assert_memory_equal(now, all.s, n);
		assert_true(n > before);
		if (was)
			assert_memory_equal(now, was, before);
		was = now;
		before = n;
		OK(store_epoch_put(s, run, &row, &bad)); /* resumed from a checkpoint: told again */
	}
	OK(store_result_put(
	    s, run, &(struct store_result){ .state = STATE_DONE, .epochs = 15, .score = 0.5, .seconds = 3 }, &bad));
	stat(path, &one);
	OK(tensorboard_write(s, run, dir, &bad));
	stat(path, &other);
	assert_int_equal(one.st_ino, other.st_ino); /* who follows the file sees what is new */
	assert_true(other.st_size > one.st_size);
	expect_line(read_back(path, a), "session end 1");
	str_release(&all);
	store_close(s);
	arena_free(a);
}

/* Killed while it was written, or something else under its name: the next time puts it right. */
static void a_broken_file_heals(void **state)
{
	struct arena *a = arena_new();
	struct store *s = open_store(made(a, false), STORE_READ);
	const char *dir = temp_dir();
	struct str all = { 0 };
	struct rng r;
	char *path;
	size_t n;

	(void)state;
	rng_init(&r, (uint64_t)time(NULL), 4);
	OK(tensorboard_events(&all, &path, s, 1, dir, a, &bad));
	OK(file_mkdirs(path_dir(a, path), &bad));
	for (int i = 0; i < 40; i++) {
		size_t keep = rng_below(&r, (uint32_t)all.len + 1);
		char *part = arena_alloc(a, all.len + 100), *now;

		memcpy(part, all.s, keep);
		if (i % 2 && keep)
			part[rng_below(&r, (uint32_t)keep)] ^= 1 << rng_below(&r, 8);
		OK(file_write(path, part, i == 7 ? all.len + 100 : keep, &bad));
		OK(tensorboard_write(s, 1, dir, &bad));
		now = file_now(path, &n, a);
		assert_int_equal(n, all.len);
		assert_memory_equal(now, all.s, n);
	}
	str_release(&all);
	store_close(s);
	arena_free(a);
}

static void unwritable_folders_are_an_error(void **state)
{
	struct arena *a = arena_new();
	struct store *s = open_store(made(a, false), STORE_READ);
	const char *file = temp_text(temp_dir(), "file", "");

	(void)state;
	err_clear(&bad);
	assert_int_equal(tensorboard_write(s, 1, file, &bad), -1);
	assert_int_equal(bad.code, ERR_RUNTIME);
	store_close(s);
	arena_free(a);
}

static void hostile_names_stay_names(void **state)
{
	struct arena *a = arena_new();
	struct store *s = open_store(made(a, true), STORE_READ);
	const char *dir = temp_dir();
	struct store_item *items;
	int n;

	(void)state;
	OK(store_list(s, &(struct store_query){ 0 }, &items, &n, a, &bad));
	for (int i = 0; i < n; i++) {
		struct str t = { 0 };
		char *path;

		OK(tensorboard_write(s, items[i].run.id, dir, &bad));
		OK(tensorboard_events(&t, &path, s, items[i].run.id, dir, a, &bad));
		assert_int_equal(strncmp(path, dir, strlen(dir)), 0);
		assert_null(strstr(path + strlen(dir), "/."));
		assert_int_equal(
		    strspn(path + strlen(dir), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/"),
		    strlen(path + strlen(dir)));
		for (int k = 0; k < i; k++) { /* nor do two runs share a file */
			struct str other = { 0 };
			char *theirs;

			OK(tensorboard_events(&other, &theirs, s, items[k].run.id, dir, a, &bad));
			assert_string_not_equal(path, theirs);
			str_release(&other);
		}
		if (i % 5 == 0)
			expect_line(read_back(path, a), "version brain.Event:2");
		str_release(&t);
	}
	store_close(s);
	arena_free(a);
}

/* ---- TensorBoard itself --------------------------------------------------------------------------------- */

static const char *python_with_tensorboard(void)
{
	static const char *const all[] = { "build/tensorboard/bin/python", "python3", "/usr/bin/python3" };
	const char *named = getenv("NAB_TENSORBOARD");
	char line[300];

	for (int i = 0; i < 3; i++) {
		snprintf(line, sizeof line, "%s -c 'import tensorboard' 2>/dev/null", named ? named : all[i]);
		if (system(line) == 0)
			return named ? named : all[i];
	}
	return NULL;
}

static void tensorboard_reads_them(void **state)
{
	const char *python = python_with_tensorboard(), *dir = temp_dir();
	struct arena *a;
	struct store *s;
	struct store_item *items;
	FILE *p;
	int n, lines = 0, epochs, hparams, nodes;
	char ordered[16];

	(void)state;
	if (!python)
		SKIP_BECAUSE("no Python with tensorboard (python3 -m venv build/tensorboard && "
			     "build/tensorboard/bin/pip install tensorboard)");
	a = arena_new();
	s = open_store(made(a, true), STORE_READ);
	OK(store_list(s, &(struct store_query){ 0 }, &items, &n, a, &bad));
	for (int i = 0; i < n; i++)
		OK(tensorboard_write(s, items[i].run.id, dir, &bad));
	p = popen(arena_printf(a, "%s tests/unit/tensorboard_real.py '%s' 2>/dev/null", python, dir), "r");
	assert_non_null(p);
	while (fscanf(p, "%d %d %d %15s", &epochs, &hparams, &nodes, ordered) == 4) {
		assert_in_range(epochs, 0, 4);
		assert_true(hparams >= 5 && nodes >= 3);
		assert_string_equal(ordered, "True");
		lines++;
	}
	assert_int_equal(pclose(p), 0);
	assert_int_equal(lines, n);
	store_close(s);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksums),
		cmocka_unit_test(wire_format),
		cmocka_unit_test(the_reader_finds_what_is_stored),
		cmocka_unit_test(a_file_grows_with_its_run),
		cmocka_unit_test(a_broken_file_heals),
		cmocka_unit_test(unwritable_folders_are_an_error),
		cmocka_unit_test(hostile_names_stay_names),
		cmocka_unit_test(tensorboard_reads_them),
	};

	return cmocka_run_group_tests(tests, NULL, temp_teardown);
}
