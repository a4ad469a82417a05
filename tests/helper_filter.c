/* tests/helper_filter.c - NAB_TEST=PATTERN ("test_conv*"): of every test program, only the tests whose names match. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

__attribute__((constructor)) static void filter(void)
{
	const char *pattern = getenv("NAB_TEST");

	if (pattern && pattern[0])
		cmocka_set_test_filter(pattern);
}
