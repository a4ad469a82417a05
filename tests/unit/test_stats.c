/* tests/unit/test_stats.c - intervals against published values, digests against NIST's vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "base/stats.h"

static void near(double a, double b, double most)
{
	if (!(fabs(a - b) <= most))
		fail_msg("%.6f is not %.6f", a, b);
}

/* Newcombe, Statistics in Medicine 17 (1998), table I, method 3. */
static void wilson_as_published(void **state)
{
	static const struct {
		int k, n;
		double low, high;
	} t[] = { { 81, 263, 0.2553, 0.3662 },
		  { 15, 148, 0.0624, 0.1605 },
		  { 0, 20, 0, 0.1611 },
		  { 1, 29, 0.0061, 0.1718 } };
	double low, high;

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		stats_wilson((double)t[i].k / t[i].n, t[i].n, &low, &high);
		near(low, t[i].low, 5e-5);
		near(high, t[i].high, 5e-5);
		stats_wilson(1 - (double)t[i].k / t[i].n, t[i].n, &low, &high); /* the mirror image */
		near(high, 1 - t[i].low, 5e-5);
		near(low, 1 - t[i].high, 5e-5);
	}
	stats_wilson(0.5, 0, &low, &high);
	assert_true(isnan(low) && isnan(high));
	stats_wilson((double)NAN, 10, &low, &high);
	assert_true(isnan(low));
	stats_wilson(1, 50, &low, &high);
	assert_true(high <= 1 && low < 1);
}

/* NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2. */
static void student_as_published(void **state)
{
	static const struct {
		int df;
		double t;
	} t[] = { { 1, 12.706 }, { 2, 4.303 },  { 5, 2.571 },  { 9, 2.262 },   { 12, 2.179 },
		  { 13, 2.160 }, { 20, 2.086 }, { 30, 2.042 }, { 100, 1.984 }, { 100000, 1.960 } };

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		near(stats_t95(t[i].df), t[i].t, 5.1e-4);
	for (int df = 2; df < 60; df++)
		assert_true(stats_t95(df) < stats_t95(df - 1));
	assert_true(isnan(stats_t95(0)));
}

static void means(void **state)
{
	double v[] = { 2, (double)NAN, 4, 4, 4, 5, 5, 7, 9 }, mean, sd;

	(void)state;
	assert_int_equal(stats_mean(v, 9, &mean, &sd), 8);
	near(mean, 5, 1e-12);
	near(sd, sqrt(32.0 / 7), 1e-12);
	assert_int_equal(stats_mean(v, 1, &mean, &sd), 1);
	assert_true(mean == 2 && isnan(sd));
	assert_int_equal(stats_mean(v + 1, 1, &mean, &sd), 0);
	assert_true(isnan(mean));
}

/* Seeds that agree leave the examples' interval; seeds that do not widen it, on both sides. */
static void intervals_hold_both_sources(void **state)
{
	double a, b, low, high;

	(void)state;
	stats_wilson(0.9, 1000, &a, &b);
	stats_interval(0.9, 1, 0.5, 0, 1000, &low, &high);
	assert_true(low == a && high == b);
	stats_interval(0.9, 3, 0, 2, 1000, &low, &high);
	near(low, a, 1e-9);
	near(high, b, 1e-9);
	stats_interval(0.9, 3, 0.02, 2, 1000, &low, &high);
	near(0.9 - low, hypot(0.9 - a, 4.3027 * 0.02 / sqrt(3)), 1e-6);
	near(high - 0.9, hypot(b - 0.9, 4.3027 * 0.02 / sqrt(3)), 1e-6);
	stats_interval((double)NAN, 3, 0.02, 2, 1000, &low, &high);
	assert_true(isnan(low) && isnan(high));
}

static void hex(char out[65], const void *data, size_t n)
{
	uint8_t d[SHA256_BYTES];

	sha256(data, n, d);
	for (int i = 0; i < SHA256_BYTES; i++)
		snprintf(out + 2 * i, 3, "%02x", d[i]);
}

/* NIST CSRC, examples with intermediate values for SHA-256, and the long one of FIPS 180-2, appendix B.3. */
static void sha256_as_published(void **state)
{
	static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	char out[65], *many = mem_new(1000000);

	(void)state;
	hex(out, "", 0);
	assert_string_equal(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	hex(out, "abc", 3);
	assert_string_equal(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	hex(out, two, strlen(two));
	assert_string_equal(out, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	memset(many, 'a', 1000000);
	hex(out, many, 1000000);
	assert_string_equal(out, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	mem_free(many);
}

static void sha256_base64_as_known(void **state)
{
	char out[SHA256_BASE64];

	(void)state;
	assert_string_equal(sha256_base64(out, "", 0), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
	assert_string_equal(sha256_base64(out, "abc", 3), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wilson_as_published),
		cmocka_unit_test(student_as_published),
		cmocka_unit_test(means),
		cmocka_unit_test(intervals_hold_both_sources),
		cmocka_unit_test(sha256_as_published),
		cmocka_unit_test(sha256_base64_as_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
