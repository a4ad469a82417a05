/* tests/unit/test_checkpoint.c - what is written reads back; lengths that lie are refused even where the checksum is
 * right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "train/checkpoint.h"

static struct epoch_record records[3] = {
	{ 1, 6, 60, 0.1, 1.5, 0.5, 1.4, 0.6, 2.5, 0.01 },
	{ 2, 6, 60, 0.2, 1.25, 0.75, 1.125, 0.625, 3.5, 0.02 },
	{ 3, 6, 60, 0.3, 1, 0.875, 1, 0.75, 4.5, 0.03 },
};
static char path[64];

static void write_one(size_t state, size_t best)
{
	struct checkpoint c = { .run = { 7, 8 },
				.seconds = 12.5,
				.epochs = records,
				.n_epochs = 3,
				.state = "state",
				.best = "best!",
				.state_bytes = state,
				.best_bytes = best };

	snprintf(path, sizeof path, "/tmp/nab-checkpoint-%d", (int)getpid());
	assert_int_equal(checkpoint_save(&c, path, NULL), 0);
}

static void round_trip(void **state)
{
	struct checkpoint c;

	(void)state;
	write_one(5, 4);
	assert_int_equal(checkpoint_load(&c, path, NULL), 0);
	assert_true(c.run.lo == 7 && c.run.hi == 8 && c.seconds == 12.5);
	assert_int_equal(c.n_epochs, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(c.epochs[i].epoch, i + 1);
		assert_memory_equal(&c.epochs[i].steps, &records[i].steps,
				    sizeof records[i] - offsetof(struct epoch_record, steps));
	}
	assert_int_equal(c.state_bytes, 5);
	assert_memory_equal(c.state, "state", 5);
	assert_memory_equal(c.best, "best", 4);
	checkpoint_release(&c);
	write_one(5, 0);
	assert_int_equal(checkpoint_load(&c, path, NULL), 0);
	assert_null(c.best);
	checkpoint_release(&c);
	unlink(path);
	assert_int_equal(checkpoint_load(&c, path, NULL), -1);
}

static void lengths_that_lie(void **state)
{
	static const struct {
		int at;
		uint64_t value;
	} lies[] = { { 32, 6 }, { 32, UINT64_MAX }, { 40, 0 }, { 40, 5 }, { 40, UINT64_MAX - 200 } };
	char *bytes;
	size_t n;

	(void)state;
	write_one(5, 4);
	assert_int_equal(file_read(&bytes, &n, path, 1 << 20, false, NULL), 0);
	unlink(path);
	for (int i = 0; i < 7; i++) {
		char *copy = mem_new(n);
		uint32_t epochs = i == 5 ? 4 : UINT32_MAX;
		struct hash128 h;
		struct checkpoint c;
		struct err e = { 0 };

		memcpy(copy, bytes, n);
		if (i < 5)
			memcpy(copy + lies[i].at, &lies[i].value, 8);
		else
			memcpy(copy + 12, &epochs, 4);
		h = hash128(copy, n - sizeof h);
		memcpy(copy + n - sizeof h, &h, sizeof h);
		assert_int_equal(checkpoint_parse(&c, copy, n, "lie", &e), -1);
		assert_int_equal(e.code, ERR_INVALID);
		mem_free(copy);
	}
	mem_free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(lengths_that_lie),
	};

	return cmocka_run_group_tests_name("checkpoint", tests, NULL, NULL);
}
