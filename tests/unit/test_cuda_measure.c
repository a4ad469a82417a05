/* tests/unit/test_cuda_measure.c - timing engines on the card (train/cuda/measure.c), on a CUDA runtime that is made up
 * (tests/cuda/fake_cudart.h): the fastest one is found, one that fails is not taken, and nothing is left behind
 * whatever fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/helper_skip.h"

#if __has_include(<cublasLt.h>) && __has_include(<cudnn.h>)

#include <stdio.h>

#include "base/rng.h"
#include "tests/cuda/fake_cudart.h"
#include "train/cuda/measure.c"

int card_fail(struct cuda_error *e, enum cuda_status status, const char *fmt, ...)
{
	(void)fmt;
	e->status = status;
	return -1;
}

int library_lane_open(struct library_lane **out, struct library *l, cudaStream_t stream, struct cuda_error *e)
{
	if (fails())
		return card_fail(e, CUDA_FAILED, "no lane");
	*out = thing(sizeof **out);
	(*out)->library = l;
	(*out)->stream = stream;
	return 0;
}

void library_lane_close(struct library_lane *lane)
{
	if (lane)
		no_thing(lane);
}

/* ---- candidates: how long they take; a negative one fails ------------------------------------------------- */

enum { MOST = 8, WORKSPACE = 1000, BYTES = 300000 };

static void take(struct plan *p, const void *all, int i)
{
	snprintf(p->words, sizeof p->words, "%g", ((const double *)all)[i]);
}

static int64_t bytes(const struct cuda_op *op, int i)
{
	(void)op;
	return BYTES + i;
}

static uint8_t *at(const struct cuda_ref *r, const uint64_t base[CUDA_BASES])
{
	return (uint8_t *)(uintptr_t)(base[r->base] + (uint64_t)r->offset);
}

/* Every buffer is there, has its own room, and holds numbers. */
static int run_one(struct library_lane *lane, struct plan *p, const struct cuda_op *op, const uint64_t base[CUDA_BASES],
		   struct cuda_error *e)
{
	double ms = strtod(p->words, NULL);
	uint16_t zeros = 0, v;

	if (ms < 0 || fails())
		return card_fail(e, CUDA_FAILED, "does not run");
	assert_int_equal(op->buf[2].base, CUDA_NONE);
	memset(at(&op->scratch, base), 1, WORKSPACE);
	for (int i = 0; i < 4; i += 1 + (i == 1)) {
		work(NULL); /* what was filled is there */
		for (int k = 0; k < BYTES; k += 2) {
			memcpy(&v, at(&op->buf[i], base) + k, 2);
			zeros += v == 0;
		}
	}
	assert_int_equal(zeros, 0);
	put(lane->stream, (struct task){ .kind = TASK_OP, .ms = ms });
	return 0;
}

static const struct nvidia_part part = { .bytes = bytes, .run = run_one };

static struct cuda_op some_op(void)
{
	struct cuda_op op = { 0 };

	for (int i = 0; i < 4; i++)
		op.buf[i] = (struct cuda_ref){ .base = i == 2 ? CUDA_NONE : CUDA_PARAMS, .elem = CUDA_BF16 };
	return op;
}

static int fastest_of(const double *all, int n)
{
	struct cuda_op op = some_op();
	struct library l = { 0 };
	struct plan p = { 0 };

	return measure_fastest(&l, &part, &p, &op, WORKSPACE, take, all, n);
}

/* ---- tests ------------------------------------------------------------------------------------------------ */

static void fastest_is_found(void **state)
{
	struct rng rng;
	double all[MOST];
	int best;

	(void)state;
	rng_init(&rng, 7, 0);
	for (int round = 0; round < 20; round++) {
		int n = 2 + (int)rng_below(&rng, MOST - 1);

		best = 0;
		for (int i = 0; i < n; i++) {
			all[i] = 0.001 + rng_real(&rng);
			if (rng_below(&rng, 4) == 0)
				all[i] = -1;
			if (all[i] > 0 && (all[best] < 0 || all[i] < all[best]))
				best = i;
		}
		assert_int_equal(fastest_of(all, n), best);
		assert_int_equal(fake.things, 0);
	}
}

/* One candidate needs no clock. */
static void one_is_not_timed(void **state)
{
	double one = 3;
	int before = fake.graphs;

	(void)state;
	assert_int_equal(fastest_of(&one, 1), 0);
	assert_int_equal(fake.graphs, before);
}

/* The n-th call fails, for every n: a candidate is named all the same, and nothing stays. */
static void failures_leave_nothing(void **state)
{
	const double all[] = { 3, 1, 2 };
	long calls;

	(void)state;
	fake.calls = 0;
	assert_int_equal(fastest_of(all, 3), 1);
	calls = fake.calls;
	fake.error = cudaErrorMemoryAllocation;
	for (long k = 1; k <= calls; k++) {
		fake.calls = 0;
		fake.fail_at = k;
		assert_in_range(fastest_of(all, 3), 0, 2);
		assert_int_equal(fake.things, 0);
	}
	fake.fail_at = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fastest_is_found),
		cmocka_unit_test(one_is_not_timed),
		cmocka_unit_test(failures_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void measure(void **state)
{
	(void)state;
	SKIP_BECAUSE("CUDA's or cuDNN's headers are not here");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(measure) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
