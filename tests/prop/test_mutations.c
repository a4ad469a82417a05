/* tests/prop/test_mutations.c - random edits of random models: valid by construction, or refused, nothing touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/helper_mutate.h"

static void pairs(void **state)
{
	(void)state;
	check_mutations(2000, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(pairs) };

	return cmocka_run_group_tests_name("mutations", tests, NULL, NULL);
}
