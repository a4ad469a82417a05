/* tests/unit/test_table.c - escaping by context, and one table printed four ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "report/escape.h"
#include "report/table.h"
#include "tests/helper_xml.h"

static void is(void (*escape)(struct str *, const char *), const char *in, const char *want)
{
	struct str out = { 0 };

	escape(&out, in);
	assert_string_equal(str_get(&out), want);
	str_release(&out);
}

static void escapes_by_context(void **state)
{
	(void)state;
	is(escape_xml, "<a b=\"c\" d='e'>&\n", "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;\n");
	is(escape_xml, NULL, "");
	is(escape_xml, "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5 \xf0\x9f\x98\x80",
	   "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5 \xf0\x9f\x98\x80");
	is(escape_xml, "a\xff\x1b[0m\xc0\x80", "a\xef\xbf\xbd\xef\xbf\xbd[0m\xef\xbf\xbd\xef\xbf\xbd");
	is(escape_xml, "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* a surrogate */
	is(escape_plain, "a\nb\xe2\x80\xae\x7f",
	   "a\xef\xbf\xbd"
	   "b\xef\xbf\xbd\xef\xbf\xbd");
	is(escape_markdown, "a|b*c_<i>`d`[x](y)#", "a\\|b\\*c\\_&lt;i&gt;\\`d\\`\\[x\\](y)#");
	is(escape_csv, "plain", "plain");
	is(escape_csv, "a,\"b\"", "\"a,\"\"b\"\"\"");
	is(escape_csv, "=1+2", "'=1+2");
	is(escape_csv, "@x,y", "\"'@x,y\"");
	is(escape_csv, "-3", "'-3");
	is(escape_latex,
	   "3\xc3\x97"
	   "3 \xe2\x80\xa6 \xe6\x97\xa5",
	   "3$\\times$3 \\ldots{} ?");
	is(escape_gnuplot, "it's `x`", "it''s `x`");
	is(escape_file, "../../etc/passwd", "etc-passwd");
	is(escape_file, "", "model");
	is(escape_file, "\xe6\x97\xa5\xe6\x9c\xac", "model");
}

/* Whatever bytes: the result is well-formed as a text and as an attribute, and one clean line. */
static void random_bytes_stay_harmless(void **state)
{
	struct rng r;
	char in[64];

	(void)state;
	rng_init(&r, (uint64_t)time(NULL), (uint64_t)getpid());
	for (int i = 0; i < 3000; i++) {
		static const char nasty[] = "<>&\"'=\n\x1b\x80\xe2\xf4\xc2|`\\";
		struct str doc = { 0 }, line = { 0 };
		int n = (int)rng_below(&r, sizeof in - 1);

		for (int k = 0; k < n; k++)
			in[k] =
			    rng_below(&r, 2) ? nasty[rng_below(&r, sizeof nasty - 1)] : (char)(1 + rng_below(&r, 255));
		in[n] = 0;
		str_add(&doc, "<a b=\"");
		escape_xml(&doc, in);
		str_add(&doc, "\">");
		escape_xml(&doc, in);
		str_add(&doc, "</a>");
		assert_null(xml_wrong(str_get(&doc), false, NULL));
		escape_plain(&line, in);
		for (size_t k = 0; k < line.len; k++)
			assert_true((unsigned char)line.s[k] >= 0x20);
		str_release(&doc);
		str_release(&line);
	}
}

static struct table *sample(struct arena *a)
{
	static const struct column columns[] = {
		{ .key = "name", .title = "model", .type = CELL_TEXT },
		{ .key = "hash", .title = "", .type = CELL_TEXT, .machine = true },
		{ .key = "acc", .title = "accuracy %", .type = CELL_METRIC },
		{ .key = "params", .title = "parameters", .type = CELL_WHOLE },
		{ .key = "none", .title = "never", .type = CELL_WHOLE },
		{ .key = "s", .title = "seconds", .type = CELL_SECONDS },
		{ .key = "rank", .title = "rank", .type = CELL_TEXT, .people = true },
	};
	struct table *t = table_new(a, columns, 7);

	table_row(t);
	table_put_text(t, "name", "=a|b");
	table_put_text(t, "hash", "ff");
	table_put(t, "acc", 0.912345);
	table_put(t, "params", 1234567);
	table_put(t, "s", 12.34);
	table_put_text(t, "rank", "1-2");
	table_row(t);
	table_put_text(t, "name",
		       "gr\xc3\xbc"
		       "n, x");
	table_put(t, "s", 123.4);
	table_note(t, "A note.");
	return t;
}

static void one_table_four_ways(void **state)
{
	struct arena *a = arena_new();
	struct table *t = sample(a);
	struct str out = { 0 };
	struct json *j;

	(void)state;
	table_text(&out, t, 0);
	assert_string_equal(str_get(&out), "model    accuracy %  parameters  seconds  rank\n"
					   "=a|b          91.23   1,234,567     12.3  1-2\n"
					   "gr\xc3\xbcn, x                              123\n"
					   "\nA note.\n");
	str_clear(&out);
	table_text(&out, t, 12);
	assert_string_equal(str_get(&out), "model    acc\n=a|b\ngr\xc3\xbcn, x\n\nA note.\n");
	str_clear(&out);
	table_markdown(&out, t);
	assert_string_equal(str_get(&out), "| model | accuracy % | parameters | seconds | rank |\n"
					   "| --- | ---: | ---: | ---: | --- |\n"
					   "| =a\\|b | 91.23 | 1,234,567 | 12.3 | 1-2 |\n"
					   "| gr\xc3\xbcn, x |  |  | 123 |  |\n"
					   "\nA note.\n");
	str_clear(&out);
	table_csv(&out, t);
	assert_string_equal(str_get(&out), "name,hash,acc,params,none,s\r\n"
					   "'=a|b,ff,0.912345,1234567,,12.34\r\n"
					   "\"gr\xc3\xbcn, x\",,,,,123.4\r\n");
	str_clear(&out);
	j = table_json(t);
	json_print(&out, j);
	assert_string_equal(str_get(&out),
			    "{\"rows\":[{\"name\":\"=a|b\",\"hash\":\"ff\",\"acc\":0.912345,\"params\":"
			    "1234567,\"none\":null,\"s\":12.34},{\"name\":\"gr\xc3\xbcn, x\",\"hash\":null,"
			    "\"acc\":null,\"params\":null,\"none\":null,\"s\":123.4}],\"notes\":[\"A note.\"]}");
	json_free(j);
	str_release(&out);
	arena_free(a);
}

/* Where one is to stand that JSON has not, the text is still JSON. */
static void numbers_that_json_lacks(void **state)
{
	const double numbers[] = { (double)NAN, INFINITY, -INFINITY, 0.5 };
	struct json *list = json_array();
	struct str out = { 0 };

	(void)state;
	for (int i = 0; i < 4; i++)
		json_push(list, json_num(numbers[i]));
	json_print(&out, list);
	assert_string_equal(str_get(&out), "[null,null,null,0.5]");
	json_free(list);
	str_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_that_json_lacks),
		cmocka_unit_test(escapes_by_context),
		cmocka_unit_test(random_bytes_stay_harmless),
		cmocka_unit_test(one_table_four_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
