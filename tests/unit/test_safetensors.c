/* tests/unit/test_safetensors.c - what is written reads back bit for bit; every kind of damage is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "arch/safetensors.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"

static char path[64];

static int make_path(void **state)
{
	(void)state;
	snprintf(path, sizeof path, "/tmp/nab-test-%d.safetensors", (int)getpid());
	return 0;
}

static int drop_path(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static void random_arrays(struct safetensor *t, int n, struct arena *a, struct rng *r)
{
	for (int i = 0; i < n; i++) {
		t[i] = (struct safetensor){ .rank = (int)rng_below(r, 5) };
		t[i].name = arena_printf(a, "block_%u.conv%d.weight", rng_u32(r), i);
		for (int k = 0; k < t[i].rank; k++)
			t[i].d[k] = 1 + rng_below(r, 5);
		t[i].data = ARENA_ARRAY(a, float, safetensor_count(&t[i]));
		for (int64_t k = 0; k < safetensor_count(&t[i]); k++)
			t[i].data[k] = (float)rng_normal(r);
	}
}

static void written_arrays_read_back_in_any_order(void **state)
{
	struct rng r;

	(void)state;
	rng_init(&r, 5, 5);
	for (int round = 0; round < 50; round++) {
		struct arena *a = arena_new();
		struct safetensor t[20], back[20];
		struct err e = { 0 };
		int n = (int)rng_below(&r, 21);

		random_arrays(t, n, a, &r);
		assert_int_equal(safetensors_save(path, t, n, NULL, &e), 0);
		for (int i = 0; i < n; i++) {
			back[i] = t[n - 1 - i];
			back[i].data = ARENA_ARRAY(a, float, safetensor_count(&back[i]));
		}
		assert_int_equal(safetensors_load(back, n, path, &e), 0);
		for (int i = 0; i < n; i++)
			assert_memory_equal(back[i].data, t[n - 1 - i].data,
					    (size_t)safetensor_count(&back[i]) * sizeof(float));
		arena_free(a);
	}
}

static void layout_follows_the_format(void **state)
{
	float x[2] = { 1, 2 };
	struct safetensor t = { "a.bias", 1, { 2 }, x };
	struct json *meta = json_object();
	static const char header[] = "{\"__metadata__\":{\"format\":\"pt\",\"run\":\"r \\\"7\\\"\"},"
				     "\"a.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
	uint64_t n;
	char *bytes;
	size_t len;

	(void)state;
	json_put(meta, "run", json_str("r \"7\""));
	assert_int_equal(safetensors_save(path, &t, 1, meta, NULL), 0);
	assert_int_equal(file_read(&bytes, &len, path, 1 << 20, false, NULL), 0);
	memcpy(&n, bytes, 8);
	assert_int_equal(n % 8, 0);
	assert_in_range(n, strlen(header), strlen(header) + 7);
	assert_memory_equal(bytes + 8, header, strlen(header));
	for (size_t i = strlen(header); i < n; i++)
		assert_int_equal(bytes[8 + i], ' ');
	assert_int_equal(len, 8 + n + 8);
	assert_memory_equal(bytes + 8 + n, x, 8);
	mem_free(bytes);
	json_free(meta);
}

/* A file of this header and `data_len` zero bytes, parsed as arrays a [2] and b [1][3]. */
static const char *verdict(const char *header, size_t data_len, struct err *e)
{
	float a[2], b[3];
	struct safetensor t[2] = { { "a", 1, { 2 }, a }, { "b", 2, { 1, 3 }, b } };
	struct str file = { 0 };
	uint64_t n = strlen(header);

	*e = (struct err){ 0 };
	str_addn(&file, (const char *)&n, 8);
	str_add(&file, header);
	for (size_t i = 0; i < data_len; i++)
		str_addc(&file, 0);
	safetensors_parse(t, 2, file.s, file.len, "w", e);
	str_release(&file);
	return e->code ? e->msg : "accepted";
}

#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"
#define B "\"b\":{\"dtype\":\"F32\",\"shape\":[1,3],\"data_offsets\":[8,20]}"

static void damage_is_named(void **state)
{
	static const struct {
		const char *header;
		size_t data;
		const char *says;
	} cases[] = {
		{ "{" A "," B "}", 20, "accepted" },
		{ "{" B "," A "}   ", 20, "accepted" },
		{ "{\"__metadata__\":{\"x\":\"y\"}," A "," B "}", 20, "accepted" },
		{ "{" A "," B "}", 19, "the data of \"b\" lie outside the file (it is truncated or damaged)" },
		{ "{" A "," B "}", 21, "1 bytes follow the last array" },
		{ "{" A "}", 8, "lacks \"b\" (1 of 2 arrays are missing)" },
		{ "{" A "," A "," B "}", 20, "the key is given twice" },
		{ "{" A "," B ",\"c\":{}}", 20, "holds \"c\", which the model does not have" },
		{ "{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}," B "}", 20,
		  "\"a\" is stored as F16; only F32 is read: convert it first" },
		{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]}," B "}", 20,
		  "\"a\" has the shape [3], but the model needs [2]" },
		{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]}," B "}", 20,
		  "\"a\" has the shape [2,1], but the model needs [2]" },
		{ "{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[1,3],\"data_offsets\":[4,16]}}", 16,
		  "the data of \"b\" begin at byte 4, expected 8: two arrays overlap" },
		{ "{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[1,3],\"data_offsets\":[12,24]}}", 24,
		  "the data of \"b\" begin at byte 12, expected 8: there is a hole" },
		{ "{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[1,3],\"data_offsets\":[8,16]}}", 16,
		  "the data of \"b\" hold 8 bytes, its shape needs 12" },
		{ "{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[1,3],\"data_offsets\":[20,8]}}", 20,
		  "the data of \"b\" lie outside the file (it is truncated or damaged)" },
		{ "{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[1,3],\"data_offsets\":[-8,4]}}", 20,
		  "the data of \"b\" lie outside the file (it is truncated or damaged)" },
		{ "{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[1,3]}}", 20,
		  "the header entry of \"b\" is not {dtype, shape, data_offsets}" },
		{ "{" A "," B ",\"__metadata__\":{\"x\":3}}", 20,
		  "__metadata__ must be an object of texts; \"x\" is a number" },
		{ " {}", 0, "is not a safetensors file: its header does not begin with '{'" },
		{ "", 0, "is not a safetensors file: its header does not begin with '{'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err e;

		assert_string_equal(verdict(cases[i].header, cases[i].data, &e), cases[i].says);
		assert_int_equal(e.code, strcmp(cases[i].says, "accepted") ? ERR_INVALID : ERR_NONE);
	}
}

static void sizes_are_not_trusted(void **state)
{
	static const uint64_t lengths[] = { 100, 100000000, 100000001, UINT64_MAX, UINT64_MAX - 7 };
	char file[16] = { 0 };

	(void)state;
	memset(file + 8, '{', 8);
	for (size_t i = 0; i < 5; i++) {
		struct err e = { 0 };

		memcpy(file, &lengths[i], 8);
		assert_int_equal(safetensors_parse(NULL, 0, file, 16, "w", &e), -1);
		assert_non_null(strstr(e.msg, lengths[i] > 100000000 ? "at most 100 MB" : "is truncated"));
	}
	assert_int_equal(safetensors_parse(NULL, 0, file, 7, "w", NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_arrays_read_back_in_any_order),
		cmocka_unit_test(layout_follows_the_format),
		cmocka_unit_test(damage_is_named),
		cmocka_unit_test(sizes_are_not_trusted),
	};

	return cmocka_run_group_tests(tests, make_path, drop_path);
}
