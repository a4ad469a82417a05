/* tests/unit/test_png.c - pictures: round trip, conversions, limits, damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/png.h"
#include "base/rng.h"
#include "tests/helper_files.h"

static void written_reads_back(void **state)
{
	const char *path = temp_text(temp_dir(), "p.png", "");
	uint8_t px[3 * 7 * 5];
	struct rng r;

	(void)state;
	rng_init(&r, hash64_text(path), 0);
	for (int channels = 1; channels <= 3; channels += 2) {
		struct picture p = { channels, 7, 5, px }, q, gray;
		size_t len;
		char *buf;

		for (int i = 0; i < channels * 35; i++)
			px[i] = (uint8_t)rng_u32(&r);
		assert_int_equal(picture_write(path, &p, NULL), 0);
		assert_int_equal(file_read(&buf, &len, path, 1 << 16, false, NULL), 0);
		assert_int_equal(picture_decode(&q, buf, len, PICTURE_AS_IS, path, NULL), 0);
		assert_int_equal(q.channels * 100 + q.height * 10 + q.width, channels * 100 + 75);
		assert_memory_equal(q.data, px, (size_t)channels * 35);
		picture_release(&q);
		assert_int_equal(picture_decode(&q, buf, len, PICTURE_RGB, path, NULL), 0);
		assert_int_equal(q.channels, 3);
		assert_memory_equal(q.data + (channels == 1 ? 35 : 0), px, 35);
		assert_int_equal(picture_decode(&gray, buf, len, PICTURE_GRAY, path, NULL), 0);
		assert_int_equal(gray.channels, 1);
		for (int i = 0; i < 35; i++) /* luminance lies between the channels */
			assert_in_range(gray.data[i],
					q.data[i] < q.data[35 + i]
					    ? (q.data[i] < q.data[70 + i] ? q.data[i] : q.data[70 + i])
					: q.data[35 + i] < q.data[70 + i] ? q.data[35 + i]
									  : q.data[70 + i],
					255);
		picture_release(&gray);
		picture_release(&q);
		mem_free(buf);
	}
}

/* Every truncation, and every change of a byte, either fails cleanly or leaves the picture's size. */
static void damage_is_noticed(void **state)
{
	const char *path = temp_text(temp_dir(), "p.png", "");
	uint8_t px[48] = { 9, 8, 7 };
	struct picture p = { 1, 6, 8, px }, q;
	struct err e = { 0 };
	size_t len;
	char *buf;
	int failed = 0;

	(void)state;
	assert_int_equal(picture_write(path, &p, NULL), 0);
	assert_int_equal(file_read(&buf, &len, path, 1 << 16, false, NULL), 0);
	for (size_t n = 0; n < len; n++) {
		err_clear(&e);
		assert_int_equal(picture_decode(&q, buf, n, PICTURE_AS_IS, "cut.png", &e), -1);
		assert_int_equal(e.code, ERR_INVALID);
		assert_null(q.data);
	}
	for (size_t i = 0; i < len; i++) {
		buf[i] ^= 0x10;
		failed += picture_decode(&q, buf, len, PICTURE_AS_IS, "bad.png", NULL) < 0;
		assert_true(!q.data || (q.width == 8 && q.height == 6));
		picture_release(&q);
		buf[i] ^= 0x10;
	}
	assert_in_range(failed, (int)len / 2, len);
	mem_free(buf);
}

/* A header that announces a million by a million pixels must not be believed. */
static void huge_is_refused(void **state)
{
	size_t len;
	char *buf;
	struct picture q;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(file_read(&buf, &len, "tests/fuzz/corpus/png/huge", 1 << 16, false, NULL), 0);
	assert_int_equal(picture_decode(&q, buf, len, PICTURE_AS_IS, "huge.png", &e), -1);
	assert_non_null(strstr(e.msg, "is no sound PNG"));
	mem_free(buf);
}

static void cannot_be_written(void **state)
{
	uint8_t px[4] = { 0 };
	struct picture p = { 1, 2, 2, px };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(picture_write("/nowhere/at/all.png", &p, &e), -1);
	assert_int_equal(e.code, ERR_RUNTIME);
	err_clear(&e);
	assert_int_equal(picture_write("/dev/full", &p, &e), -1);
	assert_int_equal(e.code, ERR_RUNTIME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_reads_back),
		cmocka_unit_test(damage_is_noticed),
		cmocka_unit_test(huge_is_refused),
		cmocka_unit_test(cannot_be_written),
	};

	return cmocka_run_group_tests_name("png", tests, NULL, temp_teardown);
}
