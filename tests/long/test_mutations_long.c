/* tests/long/test_mutations_long.c - 100,000 random (model, operator, place) pairs: tests/prop/test_mutations.c at
 * length.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/helper_mutate.h"

static void pairs(void **state)
{
	(void)state;
	check_mutations(100000, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(pairs) };

	return cmocka_run_group_tests_name("mutations-long", tests, NULL, NULL);
}
