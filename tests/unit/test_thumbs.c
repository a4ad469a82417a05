/* tests/unit/test_thumbs.c - pictures of examples: pixels, sheets, drawings of other data, data that are not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/png.h"
#include "base/rng.h"
#include "base/str.h"
#include "dataset/dataset.h"
#include "report/gather.h"
#include "report/thumbs.h"

static const float zero[4] = { 0 }, one[4] = { 1, 1, 1, 1 };

/* n examples of random bytes (or, with floats, of standard normal numbers); all of them are validation examples. */
static struct dataset random_data(struct rng *r, struct arena *a, struct shape shape, int64_t n, bool floats)
{
	struct dataset d = { .name = "random", .shape = shape, .n = n, .mean = zero, .std = one, .channels = 1 };
	int64_t all = n * shape_count(&shape);
	uint8_t *u8 = ARENA_ARRAY(a, uint8_t, all);
	float *f32 = ARENA_ARRAY(a, float, all);
	uint32_t *split = ARENA_ARRAY(a, uint32_t, n);

	for (int64_t i = 0; i < all; i++) {
		u8[i] = (uint8_t)rng_below(r, 256);
		f32[i] = (float)rng_normal(r);
	}
	for (int64_t i = 0; i < n; i++)
		split[i] = (uint32_t)i;
	if (floats)
		d.f32 = f32;
	else
		d.u8 = u8;
	d.split[SPLIT_VALIDATION] = split;
	d.n_split[SPLIT_VALIDATION] = n;
	if (shape.type == TENSOR_IMAGE || shape.type == TENSOR_SEQUENCE)
		d.channels = shape.d[0];
	return d;
}

static int value_of(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	return (int)(strchr(digits, c) - digits);
}

static struct picture sheet_of(const char *text)
{
	size_t n = strlen(text), len = 0;
	uint8_t *png = mem_new(n + 1);
	struct picture p;
	struct err e = { 0 };

	for (size_t i = 0; i + 3 < n; i += 4) {
		uint32_t v = 0;

		for (size_t k = 0; k < 4; k++)
			v = v << 6 | (text[i + k] == '=' ? 0 : (uint32_t)value_of(text[i + k]));
		png[len++] = (uint8_t)(v >> 16);
		png[len++] = (uint8_t)(v >> 8);
		png[len++] = (uint8_t)v;
	}
	assert_int_equal(picture_decode(&p, png, len, PICTURE_AS_IS, "sheet", &e), 0);
	mem_free(png);
	return p;
}

/* The sheets hold, pixel by pixel, the examples they say they hold. */
static void check_sheets(struct rng *r, struct arena *a, struct shape shape, int64_t n)
{
	struct dataset d = random_data(r, a, shape, n, false);
	int64_t *order = ARENA_ARRAY(a, int64_t, n);
	struct str text = { 0 };
	struct json *j = NULL;
	const struct json *of, *sheet;
	int64_t k = 0, pixels = (int64_t)shape.d[1] * shape.d[2];

	for (int64_t i = 0; i < n; i++)
		order[i] = n - 1 - i;
	thumbs_sheets(&text, &d, order, n, 64 << 20);
	assert_int_equal(json_parse(&j, text.s, text.len, "sheets", NULL), 0);
	assert_int_equal(json_count(json_get(j, "of")), n);
	of = json_first(json_get(j, "of"));
	for (sheet = json_first(json_get(j, "sheets")); sheet; sheet = json_next(sheet)) {
		struct picture p = sheet_of(json_string(sheet));

		for (int i = 0; i < (int)json_number(json_get(j, "per")) && k < n; i++, k++, of = json_next(of)) {
			const uint8_t *is = d.u8 + (int64_t)json_number(of) * shape.d[0] * pixels;

			for (int c = 0; c < p.channels; c++)
				for (int y = 0; y < shape.d[1]; y++)
					assert_memory_equal(
					    p.data +
						((size_t)c * (size_t)p.height + (size_t)(i / 16 * shape.d[1] + y)) *
						    (size_t)p.width +
						(size_t)(i % 16 * shape.d[2]),
					    is + c * pixels + y * shape.d[2], (size_t)shape.d[2]);
		}
		picture_release(&p);
	}
	assert_int_equal(k, n);
	json_free(j);
	str_release(&text);
}

static void images_are_what_they_are(void **state)
{
	struct arena *a = arena_new();
	struct rng r;

	(void)state;
	rng_init(&r, 2, 2);
	check_sheets(&r, a, shape_image(1, 28, 28), 300);
	check_sheets(&r, a, shape_image(3, 32, 32), 17);
	check_sheets(&r, a, shape_image(1, 8, 8), 1);
	check_sheets(&r, a, shape_image(3, 96, 60), 3);
	arena_free(a);
}

static void large_images_are_averaged(void **state)
{
	struct arena *a = arena_new();
	struct dataset d;
	struct picture p;
	struct rng r;

	(void)state;
	rng_init(&r, 3, 3);
	d = random_data(&r, a, shape_image(3, 200, 150), 1, false);
	assert_true(thumbs_size(&d, &p));
	assert_true(p.height == 67 && p.width == 50 && p.channels == 3);
	p.data = mem_new((size_t)(67 * 50 * 3));
	thumbs_draw(&d, 0, &p);
	for (int c = 0; c < 3; c++)
		for (int y = 0; y < 66; y++)
			for (int x = 0; x < 50; x++) {
				double sum = 0;

				for (int i = 0; i < 9; i++)
					sum += d.u8[(c * 200 + y * 3 + i / 3) * 150 + x * 3 + i % 3];
				assert_true(fabs(sum / 9 - p.data[(c * 67 + y) * 50 + x]) <= 0.5001);
			}
	mem_free(p.data);
	arena_free(a);
}

/* Whatever the shape, everything that is drawn stays on the paper (the sanitizer sees the rest), and is not blank. */
static void other_data_are_drawn(void **state)
{
	const struct shape shapes[] = { shape_vector(4),
					shape_vector(64),
					shape_vector(500),
					shape_sequence(1, 30, false),
					shape_sequence(12, 29, true),
					shape_sequence(200, 5, false),
					shape_image(2, 9, 300) };
	struct arena *a = arena_new();
	struct rng r;

	(void)state;
	rng_init(&r, 5, 5);
	for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
		struct dataset d = random_data(&r, a, shapes[k], 1, true);
		int32_t length = shapes[k].open ? 7 : 0;
		int least = 255, most = 0;
		struct picture p;

		d.mean = ARENA_ARRAY(a, float, 500);
		d.std = ARENA_ARRAY(a, float, 500);
		for (int i = 0; i < 500; i++)
			((float *)(uintptr_t)d.std)[i] = 1;
		d.channels = shapes[k].d[0];
		d.length = length ? &length : NULL;
		assert_true(thumbs_size(&d, &p));
		assert_true(p.width <= 100 && p.height <= 96 && p.channels == 1);
		p.data = mem_new((size_t)(p.width * p.height));
		thumbs_draw(&d, 0, &p);
		for (int i = 0; i < p.width * p.height; i++) {
			least = p.data[i] < least ? p.data[i] : least;
			most = p.data[i] > most ? p.data[i] : most;
		}
		assert_true(most - least > 60);
		mem_free(p.data);
	}
	arena_free(a);
}

static void tokens_are_text(void **state)
{
	const float tokens[] = { 3, 1, 4, 1, 5 };
	const uint32_t split[] = { 0 };
	const int32_t length[] = { 4 };
	struct dataset d = { .shape = { TENSOR_TOKENS, true, { 5, 0, 0 } }, .f32 = tokens, .n = 1, .length = length };
	const int64_t order[] = { 0 };
	struct picture p;
	struct str out = { 0 };

	(void)state;
	d.split[SPLIT_VALIDATION] = split;
	d.n_split[SPLIT_VALIDATION] = 1;
	assert_false(thumbs_size(&d, &p));
	thumbs_sheets(&out, &d, order, 1, 1000);
	assert_string_equal(str_get(&out), "{\"texts\":{\"0\":\"3 1 4 1\"}}");
	str_release(&out);
}

static void sheets_keep_the_limit(void **state)
{
	struct arena *a = arena_new();
	struct rng r;
	struct dataset d;
	int64_t order[1000];
	struct str out = { 0 };
	struct json *j = NULL;

	(void)state;
	rng_init(&r, 6, 6);
	d = random_data(&r, a, shape_image(3, 32, 32), 1000, false);
	for (int i = 0; i < 1000; i++)
		order[i] = i;
	thumbs_sheets(&out, &d, order, 1000, 2 << 20);
	assert_true(out.len < (2 << 20) + 8000);
	assert_int_equal(json_parse(&j, out.s, out.len, "sheets", NULL), 0);
	assert_int_equal(json_count(json_get(j, "sheets")), 1); /* noise: 786 KB a sheet, and a third more in base64 */
	assert_int_equal(json_count(json_get(j, "of")), 256);
	json_free(j);
	str_release(&out);
	arena_free(a);
}

/* ---- opening -------------------------------------------------------------------------------------------- */

static void only_the_same_data_are_opened(void **state)
{
	struct arena *a = arena_new();
	struct report r = { .a = a };
	char why[THUMBS_WHY], digest[HASH_TEXT];
	struct dataset *d;

	(void)state;
	assert_null(thumbs_open(&r, false, why));
	assert_true(why[0]);
	r.data.spec = "{\"format\":\"glyphs\",\"validation\":0.2,\"limit\":500}";
	r.data.digest = "0123456789abcdef0123456789abcdef";
	assert_null(thumbs_open(&r, false, why));
	assert_non_null(strstr(why, "changed"));
	{
		struct dataset_spec spec = {
			.format = "glyphs", .validation = 0.2, .test = 0.2, .seed = "0", .limit = 500
		};
		struct err e = { 0 };

		assert_int_equal(dataset_open(&d, &spec, &e), 0);
		r.data.digest = hash_text(digest, d->identity);
		dataset_close(d);
	}
	d = thumbs_open(&r, false, why);
	assert_non_null(d);
	assert_string_equal(why, "");
	dataset_close(d);
	r.data.spec = "{\"format\":\"idx\",\"dir\":\"/nowhere/at/all\"}";
	assert_null(thumbs_open(&r, false, why));
	assert_non_null(strstr(why, "/nowhere/at/all"));
	r.data.spec = "{\"format\":\"of tomorrow\"}";
	assert_null(thumbs_open(&r, false, why));
	assert_non_null(strstr(why, "this version"));
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_are_what_they_are), cmocka_unit_test(large_images_are_averaged),
		cmocka_unit_test(other_data_are_drawn),     cmocka_unit_test(tokens_are_text),
		cmocka_unit_test(sheets_keep_the_limit),    cmocka_unit_test(only_the_same_data_are_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
