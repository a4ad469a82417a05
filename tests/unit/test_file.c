/* Tests of base/file: what is written replaces files as a whole, and nothing else that bears the name. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/helper_files.h"

struct place {
	const char *dir;
	char a[64], b[64];
};

static int place_setup(void **state)
{
	struct place *p = mem_new(sizeof *p);

	p->dir = temp_dir();
	snprintf(p->a, sizeof p->a, "%s/a", p->dir);
	snprintf(p->b, sizeof p->b, "%s/b", p->dir);
	*state = p;
	return 0;
}

static int place_teardown(void **state)
{
	mem_free(*state);
	return temp_teardown(state);
}

static void assert_content(const char *path, const char *want)
{
	struct err e = { 0 };
	char *text;

	assert_int_equal(file_read(&text, NULL, path, 1000, false, &e), 0);
	assert_string_equal(text, want);
	mem_free(text);
}

static void test_a_file_is_replaced(void **state)
{
	struct place *p = *state;
	struct err e = { 0 };

	assert_int_equal(file_write(p->a, "longer than", 11, &e), 0);
	assert_int_equal(file_write(p->a, "this", 4, &e), 0);
	assert_content(p->a, "this");
}

static void test_a_link_stays_a_link(void **state)
{
	struct place *p = *state;
	struct err e = { 0 };
	struct stat s;

	assert_int_equal(file_write(p->a, "old", 3, &e), 0);
	assert_int_equal(symlink(p->a, p->b), 0);
	assert_int_equal(file_write(p->b, "new", 3, &e), 0);
	assert_int_equal(lstat(p->b, &s), 0);
	assert_true(S_ISLNK(s.st_mode));
	assert_content(p->a, "new");
}

/* as /dev/stdout, and /dev/full and /dev/null where the user may write to /dev */
static void test_what_is_no_file_is_written_to_and_not_replaced(void **state)
{
	struct place *p = *state;
	struct err e = { 0 };
	struct stat s;
	char got[8] = "";
	int reader;

	assert_int_equal(mkfifo(p->a, 0600), 0);
	reader = open(p->a, O_RDONLY | O_NONBLOCK);
	assert_true(reader >= 0);
	assert_int_equal(file_write(p->a, "text", 4, &e), 0);
	assert_int_equal(lstat(p->a, &s), 0);
	assert_true(S_ISFIFO(s.st_mode));
	assert_int_equal(read(reader, got, sizeof got), 4);
	assert_string_equal(got, "text");
	close(reader);
}

static void test_a_folder_is_refused(void **state)
{
	struct place *p = *state;
	struct err e = { 0 };

	assert_int_equal(file_write(p->dir, "x", 1, &e), -1);
	assert_non_null(strstr(e.msg, "Is a directory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_file_is_replaced, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(test_a_link_stays_a_link, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(test_what_is_no_file_is_written_to_and_not_replaced, place_setup,
						place_teardown),
		cmocka_unit_test_setup_teardown(test_a_folder_is_refused, place_setup, place_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
