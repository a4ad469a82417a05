/* tests/unit/test_dataset.c - what all formats share: splits, limits, classes, slices, statistics, digests; glyphs. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/opt.h"
#include "dataset/dataset.h"
#include "dataset/strata.h"
#include "tests/helper_open.h"

static bool same_hash(struct hash128 a, struct hash128 b)
{
	return a.lo == b.lo && a.hi == b.hi;
}

static void tables_are_sound(void **state)
{
	(void)state;
	assert_null(opt_check(dataset_opts));
	for (int i = 0; dataset_formats[i]; i++) {
		assert_null(opt_check(dataset_format_opts(dataset_formats[i])));
		assert_non_null(dataset_format_help(dataset_formats[i]));
	}
	assert_null(dataset_format_opts("nothing"));
}

/* Every example is in exactly one split, in ascending order; every class has its share of each. */
static void splits_are_a_partition(void **state)
{
	struct dataset *d = open_data("{\"options\": {\"n_train\": 700, \"n_test\": 200}, \"validation\": 0.2}");
	uint8_t seen[900] = { 0 };

	(void)state;
	assert_non_null(d);
	assert_int_equal(d->n, 900);
	for (int s = 0; s < SPLIT_COUNT; s++) {
		for (int64_t i = 0; i < d->n_split[s]; i++) {
			assert_true(i == 0 || d->split[s][i] > d->split[s][i - 1]);
			assert_int_equal(seen[d->split[s][i]]++, 0);
			assert_int_equal(s == SPLIT_TEST, d->split[s][i] >= 700);
		}
	}
	assert_int_equal(d->n_split[0] + d->n_split[1] + d->n_split[2], 900);
	for (int c = 0; c < d->classes; c++) {
		assert_int_equal(dataset_count(d, SPLIT_TRAIN, c), 56);
		assert_int_equal(dataset_count(d, SPLIT_VALIDATION, c), 14);
		assert_int_equal(dataset_count(d, SPLIT_TEST, c), 20);
	}
	dataset_close(d);
}

static void seeds_decide_splits(void **state)
{
	static const char *const spec = "{\"options\": {\"n_train\": 300, \"n_test\": 10}, \"seed\": \"%d\"}";
	struct dataset *a = open_data(spec, 1), *b = open_data(spec, 1), *c = open_data(spec, 2);

	(void)state;
	assert_true(same_hash(a->digest, b->digest) && same_hash(a->identity, b->identity));
	assert_true(same_hash(a->digest, c->digest));
	assert_false(same_hash(a->identity, c->identity));
	assert_memory_equal(a->split[SPLIT_VALIDATION], b->split[SPLIT_VALIDATION], 30 * sizeof(uint32_t));
	assert_memory_not_equal(a->split[SPLIT_VALIDATION], c->split[SPLIT_VALIDATION], 30 * sizeof(uint32_t));
	dataset_close(a);
	dataset_close(b);
	dataset_close(c);
}

/* Bytes and splits are the same on every machine and in every version: this is what stores refer to. */
static void glyphs_are_pinned(void **state)
{
	struct dataset *d = open_data("{\"options\": {\"n_train\": 100, \"n_test\": 20}}");
	char text[HASH_TEXT];

	(void)state;
	assert_string_equal(hash_text(text, d->digest), "5b26bc044d3f523777274bd5314a29c8");
	assert_string_equal(hash_text(text, d->identity), "0584e869e8608682ef6fae97179caa58");
	dataset_close(d);
}

/* Example i is a function of seed, split and i alone. */
static void glyphs_are_keyed(void **state)
{
	struct dataset *few = open_data("{\"options\": {\"n_train\": 50, \"n_test\": 20}}");
	struct dataset *many = open_data("{\"options\": {\"n_train\": 90, \"n_test\": 30}}");
	struct dataset *other = open_data("{\"options\": {\"n_train\": 50, \"n_test\": 20, \"seed\": \"5\"}}");

	(void)state;
	assert_memory_equal(few->u8, many->u8, 50 * 784);
	assert_memory_equal(few->u8 + 50 * 784, many->u8 + 90 * 784, 20 * 784);
	assert_memory_not_equal(few->u8, few->u8 + 50 * 784, 784);
	assert_memory_not_equal(few->u8, other->u8, 784);
	assert_int_equal(few->label[13], 3);
	dataset_close(few);
	dataset_close(many);
	dataset_close(other);
}

/* Without distortion every example of a class is the same picture, and classes differ. */
static void glyphs_without_difficulty(void **state)
{
	struct dataset *d =
	    open_data("{\"options\": {\"n_train\": 40, \"n_test\": 10, \"size\": 20, \"difficulty\": 0}}");

	(void)state;
	assert_int_equal(d->shape.d[1], 20);
	for (int c = 0; c < 10; c++) {
		assert_memory_equal(d->u8 + c * 400, d->u8 + (c + 10) * 400, 400);
		for (int k = 0; k < c; k++)
			assert_memory_not_equal(d->u8 + c * 400, d->u8 + k * 400, 400);
	}
	dataset_close(d);
}

/* Means and deviations against two-pass sums; an example as training sees it has them taken off. */
static void statistics_match_their_definition(void **state)
{
	struct dataset *d = open_data("{\"options\": {\"n_train\": 200, \"n_test\": 50}}");
	double sum = 0, square = 0, n = (double)d->n_split[SPLIT_TRAIN] * 784;
	float x[784];

	(void)state;
	for (int64_t i = 0; i < d->n_split[SPLIT_TRAIN]; i++)
		for (int k = 0; k < 784; k++)
			sum += d->u8[d->split[SPLIT_TRAIN][i] * 784 + k];
	for (int64_t i = 0; i < d->n_split[SPLIT_TRAIN]; i++)
		for (int k = 0; k < 784; k++)
			square += pow(d->u8[d->split[SPLIT_TRAIN][i] * 784 + k] - sum / n, 2);
	assert_int_equal(d->channels, 1);
	assert_true(fabs((double)d->mean[0] - sum / n) < 1e-4);
	assert_true(fabs((double)d->std[0] - sqrt(square / n)) < 1e-4);
	dataset_example(d, 7, x);
	for (int k = 0; k < 784; k++)
		assert_true(fabs((double)x[k] - (d->u8[7 * 784 + k] - sum / n) / sqrt(square / n)) < 1e-5);
	dataset_close(d);
}

static void classes_are_chosen_in_order(void **state)
{
	struct dataset *all = open_data("{\"options\": {\"n_train\": 100, \"n_test\": 50}}");
	struct dataset *d = open_data("{\"classes\": [\"S\", \"A\"], \"options\": {\"n_train\": 100, \"n_test\": 50}}");

	(void)state;
	assert_int_equal(d->classes, 2);
	assert_string_equal(d->class_names[0], "S");
	assert_int_equal(d->n, 30);
	for (int64_t i = 0; i < d->n; i++) { /* A is example 0, 10, ..., S is 8, 18, ... */
		int64_t from = i / 2 * 10 + (i % 2 ? 8 : 0);

		assert_int_equal(d->label[i], i % 2 ? 0 : 1);
		assert_memory_equal(d->u8 + i * 784, all->u8 + from * 784, 784);
	}
	assert_false(same_hash(all->digest, d->digest));
	dataset_close(all);
	dataset_close(d);
	expect_invalid("there is no class \"Z\"", "{\"classes\": [\"A\", \"Z\"]}");
	expect_invalid("\"A\" is chosen twice", "{\"classes\": [\"A\", \"A\"]}");
}

static void limits_are_stratified(void **state)
{
	struct dataset *d =
	    open_data("{\"limit\": 95, \"limit_test\": 25, \"options\": {\"n_train\": 500, \"n_test\": 100}}");

	(void)state;
	assert_int_equal(d->n_split[SPLIT_TRAIN] + d->n_split[SPLIT_VALIDATION], 95);
	assert_int_equal(d->n_split[SPLIT_TEST], 25);
	for (int c = 0; c < 10; c++) {
		int64_t n = dataset_count(d, SPLIT_TRAIN, c) + dataset_count(d, SPLIT_VALIDATION, c);

		assert_in_range(n, 9, 10);
		assert_int_equal(dataset_count(d, SPLIT_VALIDATION, c), 1);
		assert_in_range(dataset_count(d, SPLIT_TEST, c), 2, 3);
	}
	dataset_close(d);
}

static void slices_are_lists_of_classes(void **state)
{
	struct dataset *d = open_data("{\"slices\": {\"legs\": [\"R\", \"K\"], \"one\": [\"8\"]}}");

	(void)state;
	assert_int_equal(d->n_slices, 2);
	assert_string_equal(d->slices[0].name, "legs");
	assert_int_equal(d->slices[0].n_classes, 2);
	assert_int_equal(d->slices[0].classes[0], 7);
	assert_int_equal(d->slices[0].classes[1], 5);
	assert_int_equal(d->slices[1].classes[0], 9);
	dataset_close(d);
	expect_invalid("slices.legs: there is no class \"k\"", "{\"slices\": {\"legs\": [\"k\"]}}");
	expect_invalid("slices.legs[1]", "{\"slices\": {\"legs\": [\"K\", 5]}}");
	expect_invalid("slices.legs", "{\"slices\": {\"legs\": []}}");
}

/* A smaller part is a subset of a larger one; every class keeps its share and at least one example. */
static void parts_are_nested(void **state)
{
	struct dataset *d = open_data("{\"options\": {\"n_train\": 400, \"n_test\": 10}}");
	uint32_t small[400], large[400];
	int64_t n_small = dataset_part(d, 0.25, 3, small), n_large = dataset_part(d, 0.5, 3, large);
	int count[10] = { 0 };

	(void)state;
	assert_int_equal(n_small, 90);
	assert_int_equal(n_large, 180);
	for (int64_t i = 0, j = 0; i < n_small; i++) {
		while (j < n_large && large[j] < small[i])
			j++;
		assert_true(j < n_large && large[j] == small[i]);
		count[d->label[small[i]]]++;
	}
	for (int c = 0; c < 10; c++)
		assert_int_equal(count[c], 9);
	assert_int_equal(dataset_part(d, 1, 3, large), 360);
	assert_memory_equal(large, d->split[SPLIT_TRAIN], 360 * sizeof *large);
	assert_int_equal(dataset_part(d, 1e-9, 3, small), 10);
	dataset_part(d, 0.25, 4, large);
	assert_int_equal(dataset_part(d, 0.25, 3, small), 90);
	assert_memory_not_equal(small, large, 90 * sizeof *large);
	dataset_close(d);
}

static void no_validation_when_not_wanted(void **state)
{
	struct dataset *d = open_data("{\"validation\": 0, \"options\": {\"n_train\": 30, \"n_test\": 10}}");

	(void)state;
	assert_int_equal(d->n_split[SPLIT_TRAIN], 30);
	assert_int_equal(d->n_split[SPLIT_VALIDATION], 0);
	dataset_close(d);
}

static void wrong_specifications(void **state)
{
	(void)state;
	expect_invalid("did you mean \"cifar\"", "{\"format\": \"cifr\"}");
	expect_invalid("must be one of", "{\"format\": \"qqqqqqq\"}");
	expect_invalid("needs \"dir\"", "{\"format\": \"idx\"}");
	expect_invalid("has no files", "{\"dir\": \"x\"}");
	expect_invalid("seed", "{\"seed\": \"-1\"}");
	expect_invalid("seed", "{\"seed\": \"18446744073709551616\"}");
	expect_invalid("validation", "{\"validation\": 1}");
	expect_invalid("did you mean \"n_train\"", "{\"options\": {\"n_trian\": 5}}");
	expect_invalid("options.seed", "{\"options\": {\"seed\": \"x\"}}");
	expect_invalid("options", "{\"options\": []}");
}

/* Specifications that were not read from JSON are checked as well. */
static void specifications_made_in_code(void **state)
{
	struct dataset_spec spec = { 0 };
	struct dataset *d = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(dataset_open(&d, &spec, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	opt_defaults(&spec, dataset_opts);
	spec.format = "idx";
	err_clear(&e);
	assert_int_equal(dataset_open(&d, &spec, &e), -1);
	assert_non_null(strstr(e.msg, "needs \"dir\""));
	spec.format = "glyphs";
	assert_int_equal(dataset_open(&d, &spec, NULL), 0);
	assert_int_equal(d->n, 8000);
	dataset_close(d);
}

/* Largest remainders: quotas add up to the limit, differ from the due by less than one, and no class goes empty while
 * there is enough. */
static void quotas_add_up(void **state)
{
	struct rng r;

	(void)state;
	rng_init(&r, 7, 7);
	for (int trial = 0; trial < 500; trial++) {
		int classes = 1 + (int)rng_below(&r, 12), total = 0, sum = 0;
		int64_t count[12], quota[12], limit;

		for (int c = 0; c < classes; c++)
			total += (int)(count[c] = rng_below(&r, 3) ? rng_below(&r, 100) : rng_below(&r, 3));
		limit = 1 + rng_below(&r, 200);
		strata_limit(quota, count, classes, limit);
		for (int c = 0; c < classes; c++) {
			assert_in_range(quota[c], 0, count[c]);
			assert_true(limit < classes || count[c] == 0 || quota[c] > 0);
			sum += (int)quota[c];
		}
		assert_int_equal(sum, limit < total ? limit : total);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_are_sound),
		cmocka_unit_test(splits_are_a_partition),
		cmocka_unit_test(seeds_decide_splits),
		cmocka_unit_test(glyphs_are_pinned),
		cmocka_unit_test(glyphs_are_keyed),
		cmocka_unit_test(glyphs_without_difficulty),
		cmocka_unit_test(statistics_match_their_definition),
		cmocka_unit_test(classes_are_chosen_in_order),
		cmocka_unit_test(limits_are_stratified),
		cmocka_unit_test(slices_are_lists_of_classes),
		cmocka_unit_test(parts_are_nested),
		cmocka_unit_test(no_validation_when_not_wanted),
		cmocka_unit_test(wrong_specifications),
		cmocka_unit_test(specifications_made_in_code),
		cmocka_unit_test(quotas_add_up),
	};

	return cmocka_run_group_tests_name("dataset", tests, NULL, NULL);
}
