/* tests/unit/test_pattern.c - regular expressions: examples, random ones against the C library's, patterns that blow up
 * others, mistakes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <regex.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/pattern.h"
#include "base/rng.h"
#include "base/str.h"

static bool found(const char *pattern, const char *text)
{
	struct arena *a = arena_new();
	const char *why;
	struct pattern *p = pattern_read(pattern, a, &why);
	bool yes;

	if (!p)
		fail_msg("%s: %s", pattern, why);
	yes = pattern_found(p, text);
	arena_free(a);
	return yes;
}

static void examples(void **state)
{
	static const char *const yes[][2] = {
		{ "", "" },
		{ "", "abc" },
		{ "b", "abc" },
		{ "^abc$", "abc" },
		{ "a.c", "xabcx" },
		{ "a.c", "a\xc3\xa9"
			 "c" },
		{ "[^a]", "\xc3\xa9" },
		{ "^.$", "\xe2\x82\xac" },
		{ "^[\xc3\xa0-\xc3\xbc]$", "\xc3\xa9" },
		{ "[]x]", "]" },
		{ "[^]x]", "y" },
		{ "[a-]", "-" },
		{ "\\.", "." },
		{ "\\d+\\s\\w", "12 x" },
		{ "^\\D$", "x" },
		{ "[\\d_]", "_" },
		{ "a|b|c", "c" },
		{ "^(a|bc)*$", "abcbca" },
		{ "^(|a)b", "b" },
		{ "(a*)*$", "b" },
		{ "^a?b+$", "bbb" },
		{ "x*", "" },
		{ "\\{2\\}", "{2}" },
		{ "^\xff$", "\xff" },
		{ "a\\|b", "a|b" },
		{ "(^a|b$)", "cb" },
		{ "$", "x" },
		{ "a**+?", "" },
	};
	static const char *const no[][2] = {
		{ "^b", "abc" },        { "b$", "abc" },  { "a.c", "ac" },  { "[^a]", "a" },      { "^(a|bc)+$", "ac" },
		{ "\\.", "x" },         { "\\d", "x" },   { "A", "a" },     { "a+", "" },         { "a$b", "a$b" },
		{ "^..$", "\xc3\xa9" }, { "\\W", "a_9" }, { "[a-c]", "d" }, { "(ab)+c", "abab" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
		if (!found(yes[i][0], yes[i][1]))
			fail_msg("%s is in \"%s\"", yes[i][0], yes[i][1]);
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		if (found(no[i][0], no[i][1]))
			fail_msg("%s is not in \"%s\"", no[i][0], no[i][1]);
}

static void write_pattern(struct rng *r, struct str *t, int depth)
{
	static const char *const atoms[] = { "a", "b", "c", ".", "[ab]", "[^a]", "[a-c]", "\\w" };

	for (int k = 0, n = 1 + (int)rng_below(r, 3); k < n; k++) {
		uint32_t form = rng_below(r, depth ? 5 : 2);

		if (form < 2) {
			str_add(t, atoms[rng_below(r, 8)]);
		} else {
			str_addc(t, '(');
			write_pattern(r, t, depth - 1);
			if (form == 2) {
				str_addc(t, '|');
				write_pattern(r, t, depth - 1);
			}
			str_addc(t, ')');
		}
		if (rng_below(r, 2))
			str_addc(t, "*+?"[rng_below(r, 3)]);
	}
}

static void random_ones_agree_with_the_library(void **state)
{
	uint64_t seed = (uint64_t)time(NULL);
	struct str t = { 0 };
	struct rng r;
	int yes = 0, all = 0;

	(void)state;
	rng_init(&r, seed, 2);
	for (int i = 0; i < 1500; i++) {
		regex_t re;

		str_clear(&t);
		str_add(&t, rng_below(&r, 3) ? "" : "^"); /* inside of groups the library itself errs */
		write_pattern(&r, &t, 2);
		str_add(&t, rng_below(&r, 3) ? "" : "$");
		assert_int_equal(regcomp(&re, str_get(&t), REG_EXTENDED | REG_NOSUB), 0);
		for (int k = 0; k < 8; k++) {
			char text[9] = { 0 };
			bool want;

			for (uint32_t n = rng_below(&r, 9), c = 0; c < n; c++)
				text[c] = "abcd"[rng_below(&r, 4)];
			want = regexec(&re, text, 0, NULL, 0) == 0;
			if (found(str_get(&t), text) != want)
				fail_msg("seed %llu: %s in \"%s\" is not %d", (unsigned long long)seed, str_get(&t),
					 text, want);
			yes += want;
			all++;
		}
		regfree(&re);
	}
	assert_in_range(yes, all / 20, all - all / 20);
	str_release(&t);
}

/* Patterns for which others need exponential time or memory. The test is that it ends. */
static void nothing_blows_up(void **state)
{
	struct str p = { 0 }, t = { 0 };

	(void)state;
	for (int i = 0; i < 5000; i++)
		str_addc(&t, 'a');
	str_add(&p, "(a+)+");
	for (int i = 0; i < 900; i++)
		str_addc(&p, '+');
	str_add(&p, "b$");
	assert_false(found(str_get(&p), str_get(&t)));
	str_clear(&p);
	for (int i = 0; i < 60; i++)
		str_addc(&p, '(');
	str_addc(&p, 'a');
	for (int i = 0; i < 60; i++)
		str_add(&p, "*)+");
	str_add(&p, "b");
	assert_false(found(str_get(&p), str_get(&t)));
	str_clear(&p);
	for (int i = 0; i < 100; i++)
		str_add(&p, "(a|aa)?");
	str_add(&p, "b");
	assert_false(found(str_get(&p), str_get(&t)));
	str_release(&p);
	str_release(&t);
}

static void mistakes(void **state)
{
	static const char *const bad[][2] = {
		{ "(", "( has no )" },      { "a)", ") has no (" },          { "[a", "[ has no ]" },
		{ "[b-a]", "upside down" }, { "*a", "nothing before" },      { "a|+", "nothing before" },
		{ "a\\", "ends with" },     { "(a)\\1", "back references" }, { "a{2}", "counts in braces" },
		{ "\\x", "unknown" },       { "[\\W]", "cannot stand" },     { "[]", "[ has no ]" },
	};
	struct arena *a = arena_new();
	struct str t = { 0 };
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_null(pattern_read(bad[i][0], a, &why));
		if (!strstr(why, bad[i][1]))
			fail_msg("%s: %s", bad[i][0], why);
	}
	for (int i = 0; i < 100; i++)
		str_addc(&t, '(');
	assert_null(pattern_read(str_get(&t), a, &why));
	assert_non_null(strstr(why, "too deep"));
	for (int i = 0; i < 1000; i++)
		str_addc(&t, 'a');
	assert_null(pattern_read(str_get(&t), a, &why));
	assert_non_null(strstr(why, "longer"));
	str_release(&t);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples),
		cmocka_unit_test(random_ones_agree_with_the_library),
		cmocka_unit_test(nothing_blows_up),
		cmocka_unit_test(mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
