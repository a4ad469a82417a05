/* tests/unit/test_dataset_write.c - what is written reads back the same; contact sheets; descriptions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/png.h"
#include "base/str.h"
#include "dataset/write.h"
#include "tests/helper_files.h"
#include "tests/helper_open.h"

static struct dataset *some_glyphs(void)
{
	return open_data("{\"validation\": 0.2, \"options\": {\"n_train\": 60, \"n_test\": 20, \"size\": 16}}");
}

/* Same examples and labels by position, same names, same splits. */
static void expect_same(const struct dataset *a, const struct dataset *b)
{
	assert_non_null(b);
	assert_int_equal(a->digest.lo, b->digest.lo);
	assert_int_equal(a->digest.hi, b->digest.hi);
	assert_int_equal(a->identity.lo, b->identity.lo);
}

static void idx_and_npy_keep_everything(void **state)
{
	static const char *const formats[] = { "idx", "npy" };
	struct dataset *d = some_glyphs();

	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *dir = temp_dir();
		struct dataset *back;

		assert_int_equal(dataset_write(d, formats[i], dir, NULL), 0);
		back = open_data("{\"format\": \"%s\", \"dir\": \"%s\", \"validation\": 0.2}", formats[i], dir);
		expect_same(d, back);
		dataset_close(back);
	}
	dataset_close(d);
}

/* Colors go through all three formats: PNG, then IDX of four dimensions, then NPY. */
static void colors_survive(void **state)
{
	const char *dir = temp_dir(), *second = temp_dir(), *third = temp_dir();
	uint8_t px[3 * 4 * 2];
	struct picture p = { 3, 4, 2, px };
	struct dataset *d, *back;
	char name[32];

	(void)state;
	for (int i = 0; i < 8; i++) {
		for (int k = 0; k < 24; k++)
			px[k] = (uint8_t)(i * 31 + k * 7);
		snprintf(name, sizeof name, "%c/%d.png", 'a' + i % 2, i);
		assert_int_equal(picture_write(temp_text(dir, name, ""), &p, NULL), 0);
	}
	d = open_data("{\"format\": \"png\", \"dir\": \"%s\", \"test\": 0}", dir);
	assert_non_null(d);
	assert_int_equal(dataset_write(d, "idx", second, NULL), 0);
	back = open_data("{\"format\": \"idx\", \"dir\": \"%s\", \"test\": 0}", second);
	expect_same(d, back);
	assert_int_equal(dataset_write(back, "npy", third, NULL), 0);
	dataset_close(back);
	back = open_data("{\"format\": \"npy\", \"dir\": \"%s\", \"test\": 0}", third);
	expect_same(d, back);
	dataset_close(back);
	dataset_close(d);
}

/* Classes come back in byte order, so that examples are compared class by class. */
static void png_keeps_every_picture(void **state)
{
	const char *dir = temp_dir();
	struct dataset *d = some_glyphs(), *back;
	int seen[2] = { 0 };

	(void)state;
	assert_int_equal(dataset_write(d, "png", dir, NULL), 0);
	back = open_data("{\"format\": \"png\", \"dir\": \"%s\", \"validation\": 0.2}", dir);
	assert_non_null(back);
	assert_int_equal(back->n_split[SPLIT_TEST], 20);
	assert_string_equal(back->class_names[0], "8");
	for (int64_t i = 0; i < back->n; i++) {
		if (back->label[i] != 0)
			continue;
		for (int64_t k = 9; k < 80; k += 10)
			seen[i >= 60] += memcmp(back->u8 + i * 256, d->u8 + k * 256, 256) == 0;
	}
	assert_int_equal(seen[0], 6);
	assert_int_equal(seen[1], 2);
	dataset_close(back);
	dataset_close(d);
}

static void tables_become_arrays(void **state)
{
	const char *dir = temp_dir();
	const char *file = temp_text(dir, "t.csv", "1,2.5,7\n3,4,8\n5,6,9\n-1,2,3\n");
	struct dataset *d =
	    open_data("{\"format\": \"csv\", \"dir\": \"%s\", \"options\": {\"task\": \"regression\"}}", file);
	struct dataset *back;
	struct err e = { 0 };

	(void)state;
	assert_non_null(d);
	assert_int_equal(dataset_write(d, "idx", dir, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_int_equal(dataset_write(d, "jpeg", dir, NULL), -1);
	assert_int_equal(dataset_write(d, "npy", dir, NULL), 0);
	back = open_data("{\"format\": \"npy\", \"dir\": \"%s\", \"validation\": 0, \"options\": {\"task\": "
			 "\"regression\"}}",
			 dir);
	assert_non_null(back);
	assert_int_equal(back->n, d->n);
	assert_int_equal(back->n_split[SPLIT_TEST], d->n_split[SPLIT_TEST]);
	for (int64_t i = 0; i < back->n_split[SPLIT_TEST]; i++)
		assert_memory_equal(back->f32 + 2 * back->split[SPLIT_TEST][i], d->f32 + 2 * d->split[SPLIT_TEST][i],
				    8);
	dataset_close(back);
	dataset_close(d);
	d = open_data("{\"format\": \"csv\", \"dir\": \"%s\", \"test\": 0}",
		      temp_text(dir, "c.csv", "1,2,a\n3,4,b\n5,6,b\n"));
	assert_int_equal(dataset_write(d, "png", dir, NULL), -1);
	assert_int_equal(dataset_write(d, "idx", dir, NULL), 0);
	back = open_data("{\"format\": \"idx\", \"dir\": \"%s\", \"test\": 0}", dir);
	expect_same(d, back);
	dataset_close(back);
	dataset_close(d);
}

static void sheet_shows_the_first_of_each_class(void **state)
{
	const char *path = temp_text(temp_dir(), "sheet.png", "");
	struct dataset *d = some_glyphs();
	struct picture p;
	size_t len;
	char *buf;

	(void)state;
	assert_int_equal(dataset_sheet(d, SPLIT_TEST, 2, 3, path, NULL), 0);
	assert_int_equal(file_read(&buf, &len, path, 1 << 20, false, NULL), 0);
	assert_int_equal(picture_decode(&p, buf, len, PICTURE_AS_IS, path, NULL), 0);
	assert_int_equal(p.width, 2 * 49 + 1);
	assert_int_equal(p.height, 10 * 49 + 1);
	for (int y = 0; y < 48; y++) /* row 4, column 1: the second test example of class 4, "H" */
		for (int x = 0; x < 48; x++)
			assert_int_equal(p.data[(4 * 49 + 1 + y) * p.width + 50 + x],
					 d->u8[74 * 256 + y / 3 * 16 + x / 3]);
	picture_release(&p);
	mem_free(buf);
	assert_int_equal(dataset_sheet(d, SPLIT_TEST, 100000, 3, path, NULL), -1);
	dataset_close(d);
}

static void descriptions_count_everything(void **state)
{
	struct dataset *d = some_glyphs();
	struct json *j = dataset_info(d);
	struct str text = { 0 };
	const struct json *a;

	(void)state;
	a = json_first(json_get(j, "classes"));
	assert_string_equal(json_string(json_get(a, "name")), "A");
	assert_true(json_number(json_get(a, "train")) == 5 && json_number(json_get(a, "validation")) == 1);
	assert_true(json_number(json_get(json_get(j, "examples"), "test")) == 20);
	assert_int_equal(json_count(json_get(j, "mean")), 1);
	assert_int_equal(strlen(json_string(json_get(j, "digest"))), 32);
	dataset_info_text(&text, d);
	assert_non_null(strstr(text.s, "image 1x16x16 of bytes"));
	assert_non_null(strstr(text.s, "50 train, 10 validation"));
	str_release(&text);
	json_free(j);
	dataset_close(d);
}

static void names_are_made_safe(void **state)
{
	struct str t = { 0 };

	(void)state;
	dataset_name_text(&t, "a\x1b[31m\xc3\xa9\xff\xc0\xaf\xed\xa0\x80\xc2\x9b\x7f");
	assert_string_equal(t.s, "a\\x1b[31m\xc3\xa9\\xff\\xc0\\xaf\\xed\\xa0\\x80\\xc2\\x9b\\x7f");
	str_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(idx_and_npy_keep_everything),
		cmocka_unit_test(colors_survive),
		cmocka_unit_test(png_keeps_every_picture),
		cmocka_unit_test(tables_become_arrays),
		cmocka_unit_test(sheet_shows_the_first_of_each_class),
		cmocka_unit_test(descriptions_count_everything),
		cmocka_unit_test(names_are_made_safe),
	};

	return cmocka_run_group_tests_name("dataset writing", tests, NULL, temp_teardown);
}
