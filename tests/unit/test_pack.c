/* tests/unit/test_pack.c - base64 against published vectors, and packed texts against zlib's own inflate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <zlib.h>

#include "base/mem.h"
#include "base/pack.h"
#include "base/rng.h"
#include "base/str.h"

static void base64_is_that_of_rfc_4648(void **state)
{
	static const char *const vectors[][2] = { { "", "" },
						  { "f", "Zg==" },
						  { "fo", "Zm8=" },
						  { "foo", "Zm9v" },
						  { "foob", "Zm9vYg==" },
						  { "fooba", "Zm9vYmE=" },
						  { "foobar", "Zm9vYmFy" },
						  { "\xfb\xff\xfe", "+//+" } };

	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		struct str out = { 0 };

		base64_add(&out, vectors[i][0], strlen(vectors[i][0]));
		assert_string_equal(str_get(&out), vectors[i][1]);
		str_release(&out);
	}
}

static int digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	return (int)(strchr(digits, c) - digits);
}

static size_t unbase64(uint8_t *to, const struct str *t)
{
	size_t n = 0;

	for (size_t i = 0; i + 3 < t->len; i += 4) {
		uint32_t v = 0;

		for (int k = 0; k < 4; k++)
			v = v << 6 | (t->s[i + (size_t)k] == '=' ? 0 : (uint32_t)digit(t->s[i + (size_t)k]));
		to[n++] = (uint8_t)(v >> 16);
		if (t->s[i + 2] != '=')
			to[n++] = (uint8_t)(v >> 8);
		if (t->s[i + 3] != '=')
			to[n++] = (uint8_t)v;
	}
	return n;
}

static void round_trip(struct rng *r, size_t n, int letters)
{
	char *text = mem_new(n + 1), *back = mem_new(n + 1);
	struct str packed = { 0 };
	z_stream z = { 0 };
	uint8_t *raw;

	for (size_t i = 0; i < n; i++)
		text[i] = (char)rng_below(r, (uint32_t)letters);
	pack_add(&packed, text, n);
	raw = mem_new(packed.len + 1);
	z.next_in = raw;
	z.avail_in = (uInt)unbase64(raw, &packed);
	z.next_out = (Bytef *)back;
	z.avail_out = (uInt)n + 1;
	assert_int_equal(inflateInit2(&z, -MAX_WBITS), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.total_out, n);
	assert_memory_equal(text, back, n);
	inflateEnd(&z);
	str_release(&packed);
	mem_free(raw);
	mem_free(text);
	mem_free(back);
}

static void what_is_packed_comes_back(void **state)
{
	struct rng r;

	(void)state;
	rng_init(&r, 4, 4);
	for (int i = 0; i < 60; i++)
		round_trip(&r, i < 4 ? (size_t)i : rng_below(&r, 60000), 1 + (int)rng_below(&r, 256));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(base64_is_that_of_rfc_4648),
					    cmocka_unit_test(what_is_packed_comes_back) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
