/* tests/unit/test_filter.c - conditions and sort keys: random expressions against a value computed while they are
 * written, unknown values, types, every message with its place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/filter.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"

static const struct filter_name names[] = {
	{ "acc", FILTER_NUMBER, "accuracy" },     { "accuracy", FILTER_NUMBER, NULL },
	{ "params", FILTER_NUMBER, "size" },      { "test", FILTER_NUMBER, "never known" },
	{ "label", FILTER_TEXT, "name" },         { "reason", FILTER_TEXT, "never known" },
	{ "cached", FILTER_CONDITION, "a flag" },
};
enum { NAMES = sizeof names / sizeof *names };

static const struct filter_value values[] = {
	{ 0.925, NULL },       { 0.925, NULL }, { 50000, NULL }, { (double)NAN, NULL }, { (double)NAN, "demo-12" },
	{ (double)NAN, NULL }, { 1, NULL },
};

static bool holds(const char *text)
{
	struct arena *a = arena_new();
	struct err e = { 0 };
	struct filter *f;
	bool yes;

	if (filter_read(&f, text, FILTER_WHERE, names, NAMES, "--where", a, &e) < 0)
		fail_msg("%s: %s: %s", text, e.where, e.msg);
	yes = filter_true(f, values);
	arena_free(a);
	return yes;
}

static double number(const char *text)
{
	struct arena *a = arena_new();
	struct err e = { 0 };
	struct filter *f;
	double v;

	if (filter_read(&f, text, FILTER_SORT, names, NAMES, "--sort", a, &e) < 0)
		fail_msg("%s: %s: %s", text, e.where, e.msg);
	v = filter_value(f, values).number;
	arena_free(a);
	return v;
}

static void what_users_write(void **state)
{
	static const char *const yes[] = {
		"acc > 0.9 and params < 1e5",
		"acc>90% and params<100k",
		"acc >= 0.925 and acc <= 0.925",
		"not acc < 0.9",
		"acc < 0.1 or params = 50k",
		"acc < 0.1 and acc > 0.5 or cached",
		"cached and (acc < 0.1 or acc > 0.5)",
		"label = 'demo-12'",
		"label == \"demo-12\"",
		"label != 'demo-1'",
		"label ~ '^demo-1[0-9]$'",
		"label !~ 'x'",
		"label ~ 'o-(1|2)'",
		"label < 'e'",
		"!(acc<0.9)&&cached",
		"acc < 0.1 || cached",
		"not not cached",
		"accuracy = acc",
		"known(acc) and not known(test)",
		"known(label) and not known(reason)",
		"-acc < -0.9",
		"acc/log10(params) > 0.19",
		"max(acc, 0.5, 0.99) = 0.99 and min(acc, 1) = acc",
		"abs(-3) = 3",
		"1 - 2 - 3 = -4",
		"8 / 2 / 2 = 2",
		"2 + 3 * 4 = 14",
		"(2 + 3) * 4 = 20",
		"log2(8) = 3 and sqrt(9) = 3 and ln(1) = 0",
		"1M = 1e6 and 2G = 2e9",
		"label ~ 'd[e{]mo'",
		"label ~ '[]d]emo'",
		"not (acc > 0.9 and label ~ 'demo-13')",
	};
	static const char *const no[] = {
		"acc < 0.9",
		"not cached",
		"label = 'demo'",
		"label ~ 'DEMO'",
		"label !~ 'demo'",
		"cached and acc < 0.5",
		/* unknown values make every comparison false */
		"test > 0",
		"test <= 0",
		"test = test",
		"test != 1",
		"reason = 'x'",
		"reason != 'x'",
		"reason ~ '.'",
		"reason !~ 'x'",
		"test * 0 = 0",
		"min(test, 1) = 1",
		"max(1, test) = 1",
		"acc / 0 > 0",
		"log10(0) < 1",
		"log10(-1) = 0",
		"sqrt(-1) = 0",
		"1e308 * 10 > 1",
		"known(test)",
	};

	(void)state;
	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
		if (!holds(yes[i]))
			fail_msg("should hold: %s", yes[i]);
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		if (holds(no[i]))
			fail_msg("should not hold: %s", no[i]);
	assert_true(fabs(number("acc / log10(params)") - 0.925 / log10(50000)) < 1e-15);
	assert_true(isnan(number("test")));
}

/* ---- mistakes ------------------------------------------------------------------------------------------- */

static const struct mistake {
	const char *text, *where, *says;
} mistakes[] = {
	{ "", "character 1", "missing at the end" },
	{ "acc >", "character 6", "missing at the end" },
	{ "acc > 0.9 and", "character 14", "missing at the end" },
	{ "acc > 0.9 params < 3", "character 11", "joined by and, or" },
	{ "prams < 3", "character 1", "did you mean \"params\"?" },
	{ "acc > 0.9 and quux", "character 15", "there is acc, params, test, label, reason, cached" },
	{ "label = demo", "character 9", "texts stand in quotes" },
	{ "label = 'demo", "character 9", "no closing '" },
	{ "acc = 'x'", "character 7", "a number cannot be compared with a text" },
	{ "label > 3", "character 9", "a text cannot be compared with a number" },
	{ "acc ~ 'x'", "character 1", "takes a text" },
	{ "label ~ label", "character 9", "regular expression in quotes" },
	{ "label ~ '('", "character 9", "not a regular expression: a ( has no )" },
	{ "label ~ '(a)\\1'", "character 9", "there are no back references" },
	{ "label ~ 'a{2,3}'", "character 9", "no counts in braces" },
	{ "acc", "character 1", "a condition is wanted" },
	{ "acc and cached", "character 1", "and takes a condition, but this is a number" },
	{ "cached or label", "character 11", "or takes a condition, but this is a text" },
	{ "not acc", "character 5", "not takes a condition" },
	{ "cached > 1", "character 1", "this is a condition" },
	{ "0.1 < acc < 0.9", "character 11", "joined by and, or" },
	{ "label + 1 > 2", "character 1", "+ takes a number, but this is a text" },
	{ "1 * label > 2", "character 5", "* takes a number" },
	{ "-label > 2", "character 2", "- takes a number" },
	{ "log10(label) > 2", "character 7", "log10 takes a number" },
	{ "log10 acc > 2", "character 7", "\"(\" is missing" },
	{ "log10(acc > 2", "character 11", "\")\" is missing" },
	{ "log10(acc, 2) > 2", "character 10", "\")\" is missing" },
	{ "min(acc) > 2", "character 8", "at least two numbers" },
	{ "(acc > 2", "character 9", "\")\" is missing" },
	{ "acc > 2)", "character 8", "does not belong here" },
	{ "acc > 3x", "character 7", "\"3x\" is not a number" },
	{ "acc > 1e999", "character 7", "is not a number" },
	{ "acc > 1.2.3", "character 7", "is not a number" },
	{ "acc > $3", "character 7", "not '$'" },
	{ "acc > \033[31m", "character 7", "not '?'" },
	{ "known(3) and cached", "character 7", "unknown name \"3\"" },
	{ "known(acc + 1)", "character 11", "\")\" is missing" },
};

static void mistakes_are_placed(void **state)
{
	struct arena *a = arena_new();
	struct filter *f;

	(void)state;
	for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
		const struct mistake *m = &mistakes[i];
		struct err e = { 0 };

		if (filter_read(&f, m->text, FILTER_WHERE, names, NAMES, "--where", a, &e) == 0)
			fail_msg("accepted: %s", m->text);
		assert_int_equal(e.code, ERR_USAGE);
		if (!strstr(e.where, m->where) || !strstr(e.msg, m->says) || strchr(e.msg, 033))
			fail_msg("%s: %s: %s", m->text, e.where, e.msg);
	}
	arena_free(a);
}

static void depth_and_length_end_somewhere(void **state)
{
	struct arena *a = arena_new();
	struct str t = { 0 };
	struct filter *f;
	struct err e = { 0 };

	(void)state;
	for (int i = 0; i < 500; i++)
		str_addc(&t, '(');
	assert_int_equal(filter_read(&f, str_get(&t), FILTER_WHERE, names, NAMES, "--where", a, &e), -1);
	assert_non_null(strstr(e.msg, "nested"));
	str_clear(&t);
	for (int i = 0; i < 500; i++)
		str_add(&t, "!");
	err_clear(&e);
	assert_int_equal(filter_read(&f, str_get(&t), FILTER_WHERE, names, NAMES, "--where", a, &e), -1);
	assert_non_null(strstr(e.msg, "nested"));
	str_clear(&t);
	for (int i = 0; i < 120; i++)
		str_add(&t, "acc > 0 and ");
	str_add(&t, "cached");
	assert_true(holds(str_get(&t))); /* long, not deep */
	for (int i = 0; i < 600; i++)
		str_add(&t, " and cached");
	err_clear(&e);
	assert_int_equal(filter_read(&f, str_get(&t), FILTER_WHERE, names, NAMES, "--where", a, &e), -1);
	assert_non_null(strstr(e.msg, "longer than"));
	str_release(&t);
	arena_free(a);
}

static void what_is_asked_is_known(void **state)
{
	struct arena *a = arena_new();
	struct filter *f;

	(void)state;
	assert_int_equal(filter_read(&f, "log10(acc) * 2", FILTER_SORT, names, NAMES, "--sort", a, NULL), 0);
	assert_true(filter_uses(f, 0));
	assert_false(filter_uses(f, 2));
	assert_int_equal(filter_only(f), -1);
	assert_int_equal(filter_result(f), FILTER_NUMBER);
	assert_int_equal(filter_read(&f, "label", FILTER_SORT, names, NAMES, "--sort", a, NULL), 0);
	assert_int_equal(filter_only(f), 4);
	assert_string_equal(filter_value(f, values).text, "demo-12");
	assert_int_equal(filter_read(&f, "known(test)", FILTER_WHERE, names, NAMES, "--where", a, NULL), 0);
	assert_true(filter_uses(f, 3));
	assert_int_equal(filter_read(&f, "acc > 1", FILTER_SORT, names, NAMES, "--sort", a, NULL), -1);
	arena_free(a);
}

/* ---- random ones ---------------------------------------------------------------------------------------- */

static double random_number(struct rng *r, struct str *t, int depth)
{
	double x, y;
	int k = depth ? (int)rng_below(r, 9) : (int)rng_below(r, 3);

	if (k < 2) {
		x = (double)rng_below(r, 100) / 4;
		str_addf(t, "%.2f", x);
		return x;
	}
	if (k == 2) {
		k = (int)rng_below(r, 4); /* of which the last is unknown */
		str_add(t, names[k].name);
		return values[k].number;
	}
	if (k == 3) {
		str_add(t, "abs(");
		x = random_number(r, t, depth - 1);
		str_addc(t, ')');
		return fabs(x);
	}
	if (k == 4) {
		str_add(t, "max(");
		x = random_number(r, t, depth - 1);
		str_addc(t, ',');
		y = random_number(r, t, depth - 1);
		str_addc(t, ')');
		return isnan(x) || isnan(y) ? (double)NAN : x > y ? x : y;
	}
	str_addc(t, '(');
	x = random_number(r, t, depth - 1);
	str_addf(t, " %c ", "+-*/"[k - 5]);
	y = random_number(r, t, depth - 1);
	str_addc(t, ')');
	x = k == 5 ? x + y : k == 6 ? x - y : k == 7 ? x * y : x / y;
	return isfinite(x) ? x : (double)NAN;
}

static bool random_condition(struct rng *r, struct str *t, int depth)
{
	static const char *const signs[] = { "<", "<=", ">", ">=", "=", "!=" };
	int k = depth ? (int)rng_below(r, 5) : 0;
	double x, y;
	bool p, q;

	if (k < 2) {
		k = (int)rng_below(r, 6);
		x = random_number(r, t, 2);
		str_addf(t, " %s ", signs[k]);
		y = random_number(r, t, 2);
		if (isnan(x) || isnan(y))
			return false;
		return k == 0 ? x < y : k == 1 ? x <= y : k == 2 ? x > y : k == 3 ? x >= y : k == 4 ? x == y : x != y;
	}
	str_add(t, k == 2 ? "not (" : "(");
	p = random_condition(r, t, depth - 1);
	if (k == 2) {
		str_addc(t, ')');
		return !p;
	}
	str_add(t, k == 3 ? " and " : " or ");
	q = random_condition(r, t, depth - 1);
	str_addc(t, ')');
	return k == 3 ? p && q : p || q;
}

static void random_ones_agree(void **state)
{
	uint64_t seed = (uint64_t)time(NULL);
	struct str t = { 0 };
	struct rng r;
	int yes = 0;

	(void)state;
	rng_init(&r, seed, 1);
	for (int i = 0; i < 3000; i++) {
		bool want;

		str_clear(&t);
		want = random_condition(&r, &t, 4);
		yes += want;
		if (t.len < 1900 && holds(str_get(&t)) != want)
			fail_msg("seed %llu: %s is not %d", (unsigned long long)seed, str_get(&t), want);
	}
	assert_in_range(yes, 500, 2500);
	str_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_users_write),
		cmocka_unit_test(mistakes_are_placed),
		cmocka_unit_test(depth_and_length_end_somewhere),
		cmocka_unit_test(what_is_asked_is_known),
		cmocka_unit_test(random_ones_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
