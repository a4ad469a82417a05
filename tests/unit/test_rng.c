/* tests/unit/test_rng.c - generators against their published vectors; the permutation is one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"

/* pcg32-demo's first round with its fixed seeding (42, 54): pcg-c, test-high/expected/check-pcg32.out. */
static void pcg32_published(void **state)
{
	static const uint32_t expect[] = { 0xa15c02b7, 0x7b47f409, 0xba1d3330, 0x83d2f293, 0xbfa4784b, 0xcbed606e };
	struct rng r;

	(void)state;
	rng_init(&r, 42, 54);
	for (int i = 0; i < 6; i++)
		assert_int_equal(rng_u32(&r), expect[i]);
}

/* Random123, tests/kat_vectors, philox4x32 with 10 rounds. */
static void philox_published(void **state)
{
	static const struct {
		uint32_t c[4], k[2], out[4];
	} kat[] = {
		{ { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
		{ { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff },
		  { 0xffffffff, 0xffffffff },
		  { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
		{ { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
		  { 0xa4093822, 0x299f31d0 },
		  { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
	};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct philox_key key = { { kat[i].k[0], kat[i].k[1] } };
		uint32_t out[4];

		philox4x32(out, key, kat[i].c[0], kat[i].c[1], kat[i].c[2], kat[i].c[3]);
		assert_memory_equal(out, kat[i].out, sizeof out);
	}
}

static void permutation_is_bijective(void **state)
{
	static const uint32_t sizes[] = { 1, 2, 3, 5, 16, 17, 1000, 54321 };

	(void)state;
	for (int i = 0; i < 8; i++) {
		struct perm p;
		char *seen = mem_new(sizes[i]);
		uint32_t moved = 0;

		perm_init(&p, sizes[i], philox_key(7, PURPOSE_SHUFFLE, 0), 3);
		for (uint32_t k = 0; k < sizes[i]; k++) {
			uint32_t to = perm_at(&p, k);

			assert_true(to < sizes[i] && !seen[to]);
			seen[to] = 1;
			moved += to != k;
		}
		if (sizes[i] >= 16)
			assert_true(moved > sizes[i] / 2);
		mem_free(seen);
	}
}

static void below_is_uniform(void **state)
{
	struct rng r;
	int count[7] = { 0 };

	(void)state;
	rng_init(&r, 1, 1);
	for (int i = 0; i < 70000; i++)
		count[rng_below(&r, 7)]++;
	for (int i = 0; i < 7; i++)
		assert_in_range(count[i], 9600, 10400); /* 4 standard deviations: 4 * sqrt(70000 * 6 / 49) = 370 */
}

static void pick_follows_weights(void **state)
{
	static const double w[] = { 1, 0, 3 };
	static const double zero[] = { 0, 0 };
	struct rng r;
	int count[3] = { 0 };

	(void)state;
	rng_init(&r, 2, 9);
	for (int i = 0; i < 40000; i++)
		count[rng_pick(&r, w, 3)]++;
	assert_int_equal(count[1], 0);
	assert_in_range(count[0], 9600, 10400);
	assert_int_equal(rng_pick(&r, zero, 2), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pcg32_published),          cmocka_unit_test(philox_published),
		cmocka_unit_test(permutation_is_bijective), cmocka_unit_test(below_is_uniform),
		cmocka_unit_test(pick_follows_weights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
