/* tests/unit/test_python.c - lines break as Black breaks them; names are allowed ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "export/python.h"

static void lines_break_where_they_are_too_long(void **state)
{
	static const struct {
		const char *line, *comment, *becomes;
	} cases[] = {
		{ "x = f(a, b)", NULL, "    x = f(a, b)\n" },
		{ "x = f(a, b)", "16x28x28", "    x = f(a, b)  # 16x28x28\n" },
		{ "self.depthwise2d_1 = nn.Conv2d(2, 2, (3, 2), stride=3, padding=0, groups=2, bias=True)", NULL,
		  "    self.depthwise2d_1 = nn.Conv2d(\n"
		  "        2, 2, (3, 2), stride=3, padding=0, groups=2, bias=True\n"
		  "    )\n" },
		{ "value = function(\"a, (text\", [1, 2, 3, 4, 5], argument_with_a_long_name=1, another_one=2, "
		  "third=3, last=4)",
		  "note",
		  "    value = function(\n"
		  "        \"a, (text\",\n"
		  "        [1, 2, 3, 4, 5],\n"
		  "        argument_with_a_long_name=1,\n"
		  "        another_one=2,\n"
		  "        third=3,\n"
		  "        last=4,\n"
		  "    )  # note\n" },
		{ "NAMES = [\"first of them\", \"second of them\", \"third of them\", \"fourth of them\", \"last\"]",
		  NULL,
		  "    NAMES = [\n"
		  "        \"first of them\",\n"
		  "        \"second of them\",\n"
		  "        \"third of them\",\n"
		  "        \"fourth of them\",\n"
		  "        \"last\",\n"
		  "    ]\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct py p = { .indent = 1 };

		py_line(&p, cases[i].comment, "%s", cases[i].line);
		assert_string_equal(str_get(&p.text), cases[i].becomes);
		py_release(&p);
	}
}

static void names_are_allowed(void **state)
{
	static const char *const cases[][3] = {
		{ "conv2d_1", "conv2d_1", "Conv2d1" }, { "lambda", "lambda_", "Lambda" },
		{ "1st", "_1st", "Block1st" },         { "squeeze_excite", "squeeze_excite", "SqueezeExcite" },
		{ "a-b c", "a_b_c", "ABC" },           { "", "_", "Block" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str name = { 0 }, class = { 0 };

		py_name(&name, cases[i][0]);
		py_class_name(&class, cases[i][0]);
		assert_string_equal(str_get(&name), cases[i][1]);
		assert_string_equal(str_get(&class), cases[i][2]);
		assert_true(py_is_name(str_get(&name)) && py_is_name(str_get(&class)));
		str_release(&name);
		str_release(&class);
	}
	assert_false(py_is_name("None"));
	assert_false(py_is_name("a.b"));
}

static void prose_cannot_end_a_docstring(void **state)
{
	struct str out = { 0 };
	char number[40];

	(void)state;
	py_prose(&out, "a\n\"\"\"b\\n\"\"\"\"");
	assert_null(strstr(str_get(&out), "\"\"\""));
	assert_null(strchr(str_get(&out), '\n'));
	assert_non_null(strstr(str_get(&out), "b\\\\n"));
	str_release(&out);
	assert_string_equal(py_real(number, 3), "3.0");
	assert_string_equal(py_real(number, 1e-5), "1e-05");
	assert_string_equal(py_real(number, 0.25), "0.25");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_break_where_they_are_too_long),
		cmocka_unit_test(names_are_allowed),
		cmocka_unit_test(prose_cannot_end_a_docstring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
