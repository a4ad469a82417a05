/* tests/unit/test_cuda_exec.c - memory, copies and programs through the CUDA plugin's functions (train/cuda/abi.h): on
 * the emulated plugin, and on a card in `make gpu-check`. What a program does does not depend on whether it is a graph,
 * on how many runs are asked for at once, or on what else the card does.
 */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/helper_cuda.h"

enum { ROWS = 64, WIDTH = 40, FLOATS = ROWS * WIDTH, OPS = 4, LANES = 4 };
enum { X, Y, HALF, Z, ACC, BUFFERS }; /* each FLOATS; behind them the weights, then the scratch */
enum { WEIGHTS = BUFFERS * FLOATS * 4, WEIGHT_BYTES = (WIDTH * WIDTH * 4 + CUDA_ALIGN - 1) / CUDA_ALIGN * CUDA_ALIGN };

#define GOOD(call)                                           \
	do {                                                 \
		struct cuda_error bad = { 0 };               \
		if ((call) < 0)                              \
			fail_msg("%s: %s", #call, bad.text); \
	} while (0)

static const struct cuda_plugin *plugin;
static struct cuda_card *card;

static void open_card(void)
{
	plugin = cuda_test_plugin();
	if (!card)
		GOOD(plugin->card_open(&card, 0, &bad));
}

/* ---- a program with a state: x = (x + y) / 2, acc += x . w^T ---------------------------------------------- */

struct machine {
	struct cuda_lane *lane;
	struct cuda_exec *exec;
	struct cuda_op op[OPS];
	uint64_t slab, control;
	float state[BUFFERS][FLOATS], weights[WIDTH][WIDTH];
};

static struct cuda_ref ref(int buffer)
{
	return (struct cuda_ref){ CUDA_SLAB, CUDA_F32, (int64_t)buffer * FLOATS * 4 };
}

static struct cuda_op map_op(int kind, int out, int a, int b)
{
	struct cuda_op op = { .kind = kind, .node = -1, .n_bufs = 3, .buf = { ref(out), ref(a), ref(b) } };

	op.u.map.x = op_dims(ROWS, 1, 1, WIDTH);
	op.u.map.k = 2;
	return op;
}

static struct cuda_op dense_op(void)
{
	struct cuda_op op = {
		.kind = CUDA_OP_DENSE, .node = -1, .n_bufs = 4, .buf = { ref(X), ref(0), { 0 }, ref(Z) }
	};

	op.buf[1].offset = WEIGHTS;
	op.u.dense.x = op.u.dense.y = op_dims(ROWS, 1, 1, WIDTH);
	op.u.dense.math = CUDA_STRICT;
	return op;
}

static void draw(float *out, int n, struct rng *rng)
{
	for (int i = 0; i < n; i++)
		out[i] = (float)rng_normal(rng);
}

static void machine_open(struct machine *m, uint64_t seed, bool graph)
{
	uint64_t base[CUDA_BASES] = { 0 };
	int64_t scratch[OPS], reserve[OPS], bytes = 0;
	struct rng rng;

	memset(m, 0, sizeof *m);
	rng_init(&rng, seed, 0);
	draw(m->state[X], FLOATS, &rng);
	draw(m->state[Y], FLOATS, &rng);
	draw(m->weights[0], WIDTH * WIDTH, &rng);
	for (int i = 0; i < FLOATS; i++)
		m->state[HALF][i] = 0.5F;
	m->op[0] = map_op(CUDA_OP_SUM, X, X, Y);
	m->op[1] = map_op(CUDA_OP_PRODUCT, X, X, HALF);
	m->op[2] = dense_op();
	m->op[3] = map_op(CUDA_OP_SUM, ACC, ACC, Z);
	GOOD(plugin->plan(card, NULL, m->op, OPS, 0, scratch, reserve, &bad));
	for (int i = 0; i < OPS; i++) {
		m->op[i].scratch = (struct cuda_ref){ CUDA_SLAB, 0, WEIGHTS + WEIGHT_BYTES };
		bytes = scratch[i] > bytes ? scratch[i] : bytes;
	}
	GOOD(plugin->lane_open(&m->lane, card, &bad));
	GOOD(plugin->alloc(card, WEIGHTS + WEIGHT_BYTES + bytes, &m->slab, &bad));
	GOOD(plugin->alloc(card, sizeof(struct cuda_control), &m->control, &bad));
	GOOD(plugin->fill(m->lane, m->slab, 0, WEIGHTS + WEIGHT_BYTES + bytes, &bad));
	GOOD(plugin->fill(m->lane, m->control, 0, sizeof(struct cuda_control), &bad));
	GOOD(plugin->upload(m->lane, m->slab + WEIGHTS, m->weights, sizeof m->weights, &bad));
	GOOD(plugin->upload(m->lane, m->slab, m->state, sizeof m->state, &bad));
	base[CUDA_SLAB] = m->slab;
	GOOD(plugin->exec_new(&m->exec, m->lane, m->op, OPS, base, m->control, graph, &bad));
}

static void machine_run(struct machine *m, int times)
{
	GOOD(plugin->exec_run(m->exec, times, &bad));
	GOOD(plugin->wait(m->lane, &bad));
	GOOD(plugin->download(m->lane, m->state, m->slab, sizeof m->state, &bad));
}

static void machine_close(struct machine *m)
{
	plugin->exec_free(m->exec);
	plugin->release(card, m->slab);
	plugin->release(card, m->control);
	plugin->lane_close(m->lane);
}

/* The same on the host: x bit for bit, acc in double. */
static void expect(const struct machine *got, const struct machine *start, int times)
{
	static float x[FLOATS];
	static double acc[FLOATS];
	double error = 0, size = 0;

	memcpy(x, start->state[X], sizeof x);
	memset(acc, 0, sizeof acc);
	for (int t = 0; t < times; t++) {
		for (int i = 0; i < FLOATS; i++)
			x[i] = (x[i] + start->state[Y][i]) * 0.5F;
		for (int i = 0; i < FLOATS; i++)
			for (int k = 0; k < WIDTH; k++)
				acc[i] += (double)x[i / WIDTH * WIDTH + k] * (double)start->weights[i % WIDTH][k];
	}
	assert_memory_equal(got->state[X], x, sizeof x);
	for (int i = 0; i < FLOATS; i++) {
		error += pow((double)got->state[ACC][i] - acc[i], 2);
		size += acc[i] * acc[i];
	}
	if (!(sqrt(error) <= 1e-5 * sqrt(size)))
		fail_msg("%d runs: error %g of %g", times, sqrt(error), sqrt(size));
}

static void graphs_and_single_launches_give_the_same_bits(void **state)
{
	static const int calls[][4] = { { 1 }, { 16 }, { 37 }, { 5, 20, 12 }, { 17, 0, 1, 32 } };
	static struct machine eager, graph, start;

	(void)state;
	open_card();
	for (size_t c = 0; c < sizeof calls / sizeof *calls; c++) {
		int times = 0;

		machine_open(&eager, 7 + c, false);
		machine_open(&graph, 7 + c, true);
		start = graph;
		for (int i = 0; i < 4; i++) {
			machine_run(&graph, calls[c][i]);
			times += calls[c][i];
		}
		machine_run(&eager, times);
		expect(&graph, &start, times);
		assert_memory_equal(eager.state, graph.state, sizeof eager.state);
		machine_close(&eager);
		machine_close(&graph);
	}
}

static void *run_many(void *m)
{
	for (int i = 0; i < 10; i++)
		machine_run(m, 19);
	return NULL;
}

static void lanes_side_by_side_give_the_bits_of_one_alone(void **state)
{
	static struct machine alone[LANES], together[LANES];
	pthread_t thread[LANES];

	(void)state;
	open_card();
	for (int i = 0; i < LANES; i++) {
		machine_open(&alone[i], (uint64_t)i, true);
		run_many(&alone[i]);
		machine_close(&alone[i]);
		machine_open(&together[i], (uint64_t)i, true);
	}
	for (int i = 0; i < LANES; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, run_many, &together[i]), 0);
	for (int i = 0; i < LANES; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < LANES; i++) {
		assert_memory_equal(alone[i].state, together[i].state, sizeof alone[i].state);
		machine_close(&together[i]);
	}
}

static void every_operation_takes_time(void **state)
{
	static struct machine m, start;
	double seconds[OPS];

	(void)state;
	open_card();
	machine_open(&m, 3, false);
	start = m;
	GOOD(plugin->exec_time(m.exec, seconds, &bad));
	machine_run(&m, 0);
	expect(&m, &start, 1);
	for (int i = 0; i < OPS; i++)
		assert_true(seconds[i] >= 0 && seconds[i] < 60);
	machine_close(&m);
}

/* ---- memory --------------------------------------------------------------------------------------------- */

static void memory_is_taken_and_given_back(void **state)
{
	enum { MANY = 64 << 20 };
	int64_t before, during, after;
	struct cuda_error e = { 0 };
	uint64_t a, b;

	(void)state;
	open_card();
	GOOD(plugin->alloc(card, MANY, &a, &bad)); /* so that the card's pool has begun */
	plugin->release(card, a);
	GOOD(plugin->memory_free(card, &before, &bad));
	GOOD(plugin->alloc(card, MANY, &a, &bad));
	assert_int_equal(a % CUDA_ALIGN, 0);
	GOOD(plugin->memory_free(card, &during, &bad));
	assert_true(before - during >= MANY);
	assert_int_equal(plugin->alloc(card, (int64_t)1 << 45, &b, &e), -1);
	assert_int_equal(e.status, CUDA_NO_MEMORY);
	plugin->release(card, a);
	GOOD(plugin->memory_free(card, &after, &bad)); /* and the card lives on */
	assert_true(after >= during + MANY);
}

static void copies_of_any_size_arrive(void **state)
{
	static const int64_t sizes[] = { 0, 1, 255, 4096, (2 << 20) - 1, 2 << 20, (2 << 20) + 1, (9 << 20) + 5 };
	enum { MOST = (9 << 20) + 5 };
	unsigned char *from = mem_new(MOST), *to = mem_new(MOST);
	struct cuda_lane *lane;
	uint64_t memory;

	(void)state;
	open_card();
	GOOD(plugin->lane_open(&lane, card, &bad));
	GOOD(plugin->alloc(card, MOST, &memory, &bad));
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		for (int64_t i = 0; i < sizes[s]; i++)
			from[i] = (unsigned char)(i * 31 + (i >> 13) + (int64_t)s);
		GOOD(plugin->fill(lane, memory, 0x5a, MOST, &bad));
		GOOD(plugin->upload(lane, memory, from, sizes[s], &bad));
		memset(from, 0, MOST); /* it may be changed */
		GOOD(plugin->download(lane, to, memory, MOST, &bad));
		for (int64_t i = 0; i < MOST; i++)
			if (to[i] != (i < sizes[s] ? (unsigned char)(i * 31 + (i >> 13) + (int64_t)s) : 0x5a))
				fail_msg("byte %lld of %lld", (long long)i, (long long)sizes[s]);
	}
	plugin->release(card, memory);
	plugin->lane_close(lane);
	mem_free(from);
	mem_free(to);
}

/* One lane goes on with its program while another one reads a copy of what it had reached: round after round, and the
 * host waits only for the reader. */
static void a_lane_follows_another(void **state)
{
	enum { ROUNDS = 12, RUNS = 3, STATE = BUFFERS * FLOATS * 4 };
	static struct machine m, start;
	struct cuda_lane *reader;
	uint64_t copy;

	(void)state;
	open_card();
	machine_open(&m, 11, true);
	start = m;
	GOOD(plugin->lane_open(&reader, card, &bad));
	GOOD(plugin->alloc(card, STATE, &copy, &bad));
	for (int i = 1; i <= ROUNDS; i++) {
		GOOD(plugin->exec_run(m.exec, RUNS, &bad));
		GOOD(plugin->copy(m.lane, copy, m.slab, STATE, &bad));
		GOOD(plugin->follow(reader, m.lane, &bad));
		GOOD(plugin->exec_run(m.exec, RUNS, &bad));
		GOOD(plugin->download(reader, m.state, copy, STATE, &bad));
		expect(&m, &start, (2 * i - 1) * RUNS);
	}
	GOOD(plugin->wait(m.lane, &bad));
	plugin->lane_close(reader);
	plugin->release(card, copy);
	machine_close(&m);
}

static void a_card_that_is_not_there_is_refused(void **state)
{
	struct cuda_error e = { 0 };
	struct cuda_card *none = NULL;

	(void)state;
	open_card();
	assert_int_equal(plugin->card_open(&none, 1000, &e), -1);
	assert_null(none);
	assert_int_equal(e.status, CUDA_FAILED);
	assert_true(e.text[0]);
}

static int close_card(void **state)
{
	(void)state;
	if (card)
		plugin->card_close(card);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(graphs_and_single_launches_give_the_same_bits),
		cmocka_unit_test(lanes_side_by_side_give_the_bits_of_one_alone),
		cmocka_unit_test(every_operation_takes_time),
		cmocka_unit_test(memory_is_taken_and_given_back),
		cmocka_unit_test(copies_of_any_size_arrive),
		cmocka_unit_test(a_lane_follows_another),
		cmocka_unit_test(a_card_that_is_not_there_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, close_card);
}
