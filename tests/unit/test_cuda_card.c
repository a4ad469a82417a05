/* tests/unit/test_cuda_card.c - the plugin's cards, lanes and programs (train/cuda/card.c, exec.c) on a CUDA runtime
 * that is made up (tests/cuda/fake_cudart.h): copies through staging, runs as graphs, and every call that can fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/helper_skip.h"

#if __has_include(<cuda_runtime_api.h>)

#include "base/mem.h"
#include "tests/cuda/fake_cudart.h"
#include "train/cuda/card.c"
#include "train/cuda/exec.c"

/* ---- kernels and libraries: operation `node` of a program is put into the stream under its number ---------- */

static int put_op(cudaStream_t stream, const struct cuda_op *op, int bias)
{
	put(stream, (struct task){ .kind = TASK_OP, .value = op->node, .n = (size_t)bias, .ms = bias ? 0 : 2 });
	return 0;
}

int cuda_launch(const struct cuda_op *op, const struct launch *l)
{
	if (fails())
		return (int)fake.error;
	if (!l->load_only)
		return put_op(l->stream, op, 0);
	fake.loads++;
	return fake.captures; /* loading during a capture is an error */
}

int64_t cuda_scratch(const struct cuda_op *op)
{
	return op->kind == CUDA_OP_FILL ? -1 : op->node;
}

int64_t cuda_reserve(const struct cuda_op *op)
{
	return op->kind == CUDA_OP_POOL ? 7 : 0;
}

int cuda_bias_act(const struct cuda_op *op, const struct launch *l)
{
	return fails() ? (int)fake.error : put_op(l->stream, op, 1);
}

struct library_lane {
	cudaStream_t stream;
};

bool library_runs(enum cuda_op_kind kind)
{
	return kind == CUDA_OP_CONV || kind == CUDA_OP_DENSE;
}

static int library_fails(struct cuda_error *e)
{
	if (!fails())
		return 0;
	return card_fail(e, fake.sticky ? CUDA_LOST : CUDA_FAILED, "a library fails");
}

int library_open(struct library **out, int device, struct cuda_error *e)
{
	(void)device;
	if (library_fails(e) < 0)
		return -1;
	*out = thing(1);
	return 0;
}

void library_close(struct library *l)
{
	if (l)
		no_thing(l);
}

struct library *library_described(const char *description, struct cuda_error *e)
{
	(void)description, (void)e;
	return NULL;
}

int library_plan(struct library *l, struct cuda_op *op, bool tune, int64_t *scratch, struct cuda_error *e)
{
	(void)l, (void)tune;
	*scratch = 1000 + op->node;
	return library_fails(e);
}

void library_planned(void)
{
}

void library_describe(struct library *l, const struct cuda_op *op, char *buf, size_t size)
{
	(void)l;
	snprintf(buf, size, "engine %d", op->node);
}

bool library_leaves_bias(struct library *l, const struct cuda_op *op)
{
	(void)l;
	return op->kind == CUDA_OP_DENSE;
}

int library_lane_open(struct library_lane **out, struct library *l, cudaStream_t stream, struct cuda_error *e)
{
	(void)l;
	if (library_fails(e) < 0)
		return -1;
	*out = thing(sizeof **out);
	(*out)->stream = stream;
	return 0;
}

void library_lane_close(struct library_lane *lane)
{
	if (lane)
		no_thing(lane);
}

int library_run(struct library_lane *lane, const struct cuda_op *op, const uint64_t base[CUDA_BASES],
		struct cuda_error *e)
{
	(void)base;
	return library_fails(e) < 0 ? -1 : put_op(lane->stream, op, 0);
}

/* ---- a program ------------------------------------------------------------------------------------------ */

static const struct cuda_op program[] = {
	{ .kind = CUDA_OP_GATHER, .node = 0 },   { .kind = CUDA_OP_CONV, .node = 1 },
	{ .kind = CUDA_OP_POOL, .node = 2 },     { .kind = CUDA_OP_DENSE, .node = 3 }, /* its bias apart */
	{ .kind = CUDA_OP_OPTIMIZE, .node = 4 },
};
enum { OPS = 5, TASKS = 6 };
static const uint64_t base[CUDA_BASES];

static void nothing_is_left(void)
{
	assert_int_equal(fake.things, 0);
	assert_false(fake.captures);
	free(fake.ran.task);
	memset(&fake, 0, sizeof fake);
}

/* What ran is the program, `times` times; then it is forgotten. */
static void expect_runs(int times)
{
	static const int node[TASKS] = { 0, 1, 2, 3, 3, 4 }, bias[TASKS] = { 0, 0, 0, 0, 1, 0 };

	assert_int_equal(fake.ran.n, TASKS * times);
	for (int i = 0; i < fake.ran.n; i++) {
		assert_int_equal(fake.ran.task[i].value, node[i % TASKS]);
		assert_int_equal(fake.ran.task[i].n, bias[i % TASKS]);
	}
	fake.ran.n = 0;
}

static void open_lane(struct cuda_card **card, struct cuda_lane **lane)
{
	struct cuda_error e = { 0 };

	assert_int_equal(card_open(card, 0, &e), 0);
	assert_int_equal(lane_open(lane, *card, &e), 0);
}

static void close_lane(struct cuda_card *card, struct cuda_lane *lane)
{
	lane_close(lane);
	card_close(card);
	nothing_is_left();
}

static void copies_arrive_though_their_source_changes(void **state)
{
	static const int64_t sizes[] = { 0, 1, STAGING - 1, STAGING, STAGING + 1, 2 * STAGING, 5 * STAGING + 3 };
	enum { MOST = 5 * STAGING + 3 };
	unsigned char *from = mem_new(MOST), *to = mem_new(MOST);
	struct cuda_error e = { 0 };
	struct cuda_card *card;
	struct cuda_lane *lane;
	uint64_t device;

	(void)state;
	open_lane(&card, &lane);
	assert_int_equal(memory_alloc(card, MOST, &device, &e), 0);
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		for (int64_t i = 0; i < sizes[s]; i++)
			from[i] = (unsigned char)(i * 7 + (i >> 16) + (int64_t)s);
		assert_int_equal(lane_upload(lane, device, from, sizes[s], &e), 0);
		memset(from, 0, MOST);
		assert_int_equal(lane_download(lane, to, device, sizes[s], &e), 0);
		for (int64_t i = 0; i < sizes[s]; i++)
			if (to[i] != (unsigned char)(i * 7 + (i >> 16) + (int64_t)s))
				fail_msg("byte %lld of %lld", (long long)i, (long long)sizes[s]);
	}
	assert_int_equal(lane_fill(lane, device + 1, 9, 3, &e), 0);
	assert_int_equal(lane_download(lane, to, device, 5, &e), 0);
	assert_true(to[1] == 9 && to[3] == 9 && to[4] != 9);
	memory_release(card, device);
	memory_release(card, 0);
	close_lane(card, lane);
	mem_free(from);
	mem_free(to);
}

/* Each lane in turn waits for what the other one holds by then, and for nothing that comes later. */
static void a_lane_follows_another(void **state)
{
	struct cuda_error e = { 0 };
	struct cuda_card *card;
	struct cuda_lane *lane[2];
	uint64_t device;
	char text[5] = "";

	(void)state;
	for (int first = 0; first < 2; first++) {
		open_lane(&card, &lane[0]);
		assert_int_equal(lane_open(&lane[1], card, &e), 0);
		assert_int_equal(memory_alloc(card, 8, &device, &e), 0);
		assert_int_equal(lane_upload(lane[first], device, "abcdefgh", 8, &e), 0);
		assert_int_equal(lane_copy(lane[first], device, device + 4, 4, &e), 0);
		assert_int_equal(lane_follow(lane[!first], lane[first], &e), 0);
		assert_int_equal(lane_copy(lane[!first], device + 4, device, 2, &e), 0);
		assert_int_equal(lane_follow(lane[first], lane[!first], &e), 0);
		assert_int_equal(lane_fill(lane[first], device, 'x', 4, &e), 0);
		assert_int_equal(lane_download(lane[!first], text, device + 4, 4, &e), 0);
		assert_string_equal(text, "efgh");
		assert_int_equal(lane_download(lane[first], text, device, 4, &e), 0);
		assert_string_equal(text, "xxxx");
		lane_close(lane[1]);
		memory_release(card, device);
		close_lane(card, lane[0]);
	}
}

static void runs_are_as_many_as_wanted(void **state)
{
	static const int times[] = { 1, 0, RUNS - 1, RUNS, RUNS + 1, 3 * RUNS + 2 };
	struct cuda_error e = { 0 };
	struct cuda_card *card;
	struct cuda_lane *lane;
	struct cuda_exec *x;

	(void)state;
	for (int graph = 0; graph < 2; graph++) {
		open_lane(&card, &lane);
		assert_int_equal(exec_new(&x, lane, program, OPS, base, 0, graph, &e), 0);
		assert_int_equal(lane_wait(lane, &e), 0);
		/* of a warm-up, only the libraries' operations: ours are the training state's */
		assert_int_equal(fake.loads, graph ? 3 : 0);
		assert_int_equal(fake.ran.n, graph ? 3 : 0);
		fake.ran.n = 0;
		for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
			fake.graphs = 0;
			assert_int_equal(exec_run(x, times[i], &e), 0);
			assert_int_equal(fake.ran.n, 0); /* nobody has waited */
			assert_int_equal(lane_wait(lane, &e), 0);
			expect_runs(times[i]);
			assert_int_equal(fake.graphs, graph ? times[i] / RUNS + times[i] % RUNS : 0);
		}
		exec_free(x);
		close_lane(card, lane);
	}
}

/* Steps that were captured are launches of graphs and nothing else: nothing is allocated, nobody waits. (A first long
 * call captures the longer graph.) */
static void steps_are_launches_and_nothing_else(void **state)
{
	struct cuda_error e = { 0 };
	struct cuda_card *card;
	struct cuda_lane *lane;
	struct cuda_exec *x;
	long calls, things;

	(void)state;
	open_lane(&card, &lane);
	assert_int_equal(exec_new(&x, lane, program, OPS, base, 0, 1, &e), 0);
	assert_int_equal(exec_run(x, RUNS, &e), 0);
	calls = fake.calls;
	things = fake.things;
	assert_int_equal(exec_run(x, 50 * RUNS + 3, &e), 0);
	assert_int_equal(fake.calls - calls, 1 /* which device */ + 50 + 3);
	assert_int_equal(fake.things, things);
	exec_free(x);
	close_lane(card, lane);
}

static void every_operation_has_its_time(void **state)
{
	struct cuda_error e = { 0 };
	struct cuda_card *card;
	struct cuda_lane *lane;
	struct cuda_exec *x;
	double seconds[OPS];

	(void)state;
	open_lane(&card, &lane);
	assert_int_equal(exec_new(&x, lane, program, OPS, base, 0, 0, &e), 0);
	assert_int_equal(exec_time(x, seconds, &e), 0);
	expect_runs(1);
	for (int i = 0; i < OPS; i++)
		assert_true(seconds[i] > 0.0019 && seconds[i] < 0.0021);
	exec_free(x);
	close_lane(card, lane);
}

static void plans_say_scratch_reserve_and_engines(void **state)
{
	struct cuda_op ops[OPS];
	int64_t scratch[OPS], reserve[OPS], bytes = 0;
	struct cuda_error e = { 0 };
	struct cuda_card *card;
	char *text;

	(void)state;
	memcpy(ops, program, sizeof ops);
	assert_int_equal(card_open(&card, 0, &e), 0);
	assert_int_equal(exec_plan(card, NULL, ops, OPS, 0, scratch, reserve, &e), 0);
	for (int i = 0; i < OPS; i++) {
		assert_int_equal(scratch[i], library_runs(ops[i].kind) ? 1000 + i : i);
		assert_int_equal(reserve[i], ops[i].kind == CUDA_OP_POOL ? 7 : 0);
	}
	text = exec_describe(card, ops, OPS);
	assert_string_equal(text, "engine 1\nengine 3\n");
	free(text);
	assert_null(exec_describe(card, ops, 1));
	assert_null(exec_describe(NULL, ops, OPS));
	ops[2].kind = CUDA_OP_FILL;
	assert_int_equal(exec_plan(card, NULL, ops, OPS, 0, scratch, reserve, &e), -1);
	assert_int_equal(e.status, CUDA_UNSUPPORTED);
	assert_int_equal(e.op, 2);
	assert_int_equal(memory_free(card, &bytes, &e), 0);
	assert_int_equal(bytes, 1000 + 300 - 100);
	card_close(card);
	nothing_is_left();
}

/* ---- failures ------------------------------------------------------------------------------------------- */

/* Everything a user of the plugin does, up to the first failure. -1 with e. */
static int use(struct cuda_error *e)
{
	struct cuda_card *card = NULL;
	struct cuda_lane *lane = NULL, *other = NULL;
	struct cuda_exec *x = NULL;
	struct cuda_op ops[OPS];
	int64_t scratch[OPS], reserve[OPS], bytes;
	double seconds[OPS];
	uint64_t device = 0;
	char text[8] = "";
	int rc;

	memcpy(ops, program, sizeof ops);
	rc = card_open(&card, 0, e) < 0 || memory_free(card, &bytes, e) < 0 || memory_alloc(card, 8, &device, e) < 0 ||
	     lane_open(&lane, card, e) < 0 || lane_upload(lane, device, "1234567", 8, e) < 0 ||
	     exec_plan(card, NULL, ops, OPS, 0, scratch, reserve, e) < 0 ||
	     exec_new(&x, lane, ops, OPS, base, 0, 1, e) < 0 || exec_run(x, RUNS + 1, e) < 0 ||
	     exec_time(x, seconds, e) < 0 || lane_fill(lane, device, '0', 1, e) < 0 || lane_open(&other, card, e) < 0 ||
	     lane_follow(other, lane, e) < 0 || lane_copy(other, device + 1, device, 1, e) < 0 ||
	     lane_follow(lane, other, e) < 0 || lane_download(lane, text, device, 8, e) < 0 || lane_wait(lane, e) < 0;
	if (!rc)
		assert_string_equal(text, "0034567");
	exec_free(x);
	lane_close(other);
	lane_close(lane); /* waits, so that nothing uses the memory any more */
	memory_release(card, device);
	card_close(card);
	return -rc;
}

static void use_with_failures(cudaError_t error, bool sticky, bool no_pool, enum cuda_status want)
{
	struct cuda_error e = { .status = -1 };
	long calls;

	fake.no_pool = no_pool;
	assert_int_equal(use(&e), 0);
	calls = fake.calls;
	nothing_is_left();
	assert_true(calls > 50);
	for (long n = 1; n <= calls; n++) {
		fake.fail_at = n;
		fake.error = error;
		fake.sticky = sticky;
		fake.no_pool = no_pool;
		e = (struct cuda_error){ .status = -1 };
		if (use(&e) < 0) { /* the last calls are those of closing: nobody is told */
			if (strcmp(e.text, "a library fails"))
				assert_int_equal(e.status, want);
			assert_true(e.text[0] && e.op >= -1 && e.op < OPS);
		} else {
			assert_true(n > calls - 13);
		}
		if (sticky && fake.things) { /* the process ends: what a lost card holds is not given back */
			fake.things = 0;
			fake.captures = false;
		}
		nothing_is_left();
	}
}

static void every_call_may_fail(void **state)
{
	(void)state;
	use_with_failures(cudaErrorInvalidValue, false, false, CUDA_FAILED);
	use_with_failures(cudaErrorMemoryAllocation, false, false, CUDA_NO_MEMORY);
	use_with_failures(cudaErrorMemoryAllocation, false, true, CUDA_NO_MEMORY);
}

static void a_card_that_is_gone_stays_so(void **state)
{
	struct cuda_error e = { 0 };
	struct cuda_card *card;
	struct cuda_lane *lane;
	int64_t bytes;

	(void)state;
	use_with_failures(cudaErrorIllegalAddress, true, false, CUDA_LOST);
	open_lane(&card, &lane);
	fake.fail_at = fake.calls + 2; /* the first is cudaSetDevice() */
	fake.error = cudaErrorLaunchFailure;
	assert_int_equal(lane_wait(lane, &e), -1);
	assert_int_equal(e.status, CUDA_LOST);
	/* though the runtime would go on, the card does not */
	assert_int_equal(lane_wait(lane, &e), -1);
	assert_int_equal(e.status, CUDA_LOST);
	assert_non_null(strstr(e.text, "cuda:0 was lost"));
	assert_int_equal(memory_free(card, &bytes, &e), -1);
	assert_int_equal(e.status, CUDA_LOST);
	close_lane(card, lane);
}

/* An error that card.c has no name for: the context's own answer to another call decides. */
static void an_unknown_error_is_asked_after(void **state)
{
	struct cuda_error e = { 0 };
	struct cuda_card *card;
	struct cuda_lane *lane;

	(void)state;
	for (int sticky = 0; sticky < 2; sticky++) {
		open_lane(&card, &lane);
		fake.fail_at = fake.calls + 2;
		fake.error = (cudaError_t)12345;
		fake.sticky = sticky;
		assert_int_equal(lane_wait(lane, &e), -1);
		assert_int_equal(e.status, sticky ? CUDA_LOST : CUDA_FAILED);
		fake.gone = false;
		close_lane(card, lane);
	}
}

static void a_failure_in_a_capture_is_the_one_told(void **state)
{
	struct cuda_error e = { 0 };
	struct cuda_card *card;
	struct cuda_lane *lane;
	struct cuda_exec *x;

	(void)state;
	open_lane(&card, &lane);
	assert_int_equal(exec_new(&x, lane, program, OPS, base, 0, 1, &e), 0);
	fake.fail_at = fake.calls + 6; /* after cudaSetDevice, cudaStreamBeginCapture and three operations */
	fake.error = cudaErrorInvalidValue;
	assert_int_equal(exec_run(x, RUNS, &e), -1);
	assert_string_equal(e.text, "a library fails");
	assert_int_equal(e.op, 3);
	assert_false(fake.captures);
	fake.fail_at = 0;
	fake.ran.n = 0;
	assert_int_equal(exec_run(x, RUNS, &e), 0); /* it works the next time */
	assert_int_equal(lane_wait(lane, &e), 0);
	assert_int_equal(fake.ran.n, 3 + RUNS * TASKS); /* 3: the warm-up, for which nobody had waited */
	exec_free(x);
	close_lane(card, lane);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_arrive_though_their_source_changes),
		cmocka_unit_test(a_lane_follows_another),
		cmocka_unit_test(runs_are_as_many_as_wanted),
		cmocka_unit_test(steps_are_launches_and_nothing_else),
		cmocka_unit_test(every_operation_has_its_time),
		cmocka_unit_test(plans_say_scratch_reserve_and_engines),
		cmocka_unit_test(every_call_may_fail),
		cmocka_unit_test(a_card_that_is_gone_stays_so),
		cmocka_unit_test(an_unknown_error_is_asked_after),
		cmocka_unit_test(a_failure_in_a_capture_is_the_one_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void cards_on_a_runtime_that_is_made_up(void **state)
{
	(void)state;
	SKIP_BECAUSE("CUDA's headers are not here");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(cards_on_a_runtime_that_is_made_up) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
