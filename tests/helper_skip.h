/* tests/helper_skip.h - a skipped test says why; tests/run.sh puts the reason beside its name. After cmocka.h. */
#ifndef NAB_TESTS_HELPER_SKIP_H
#define NAB_TESTS_HELPER_SKIP_H

#define SKIP_BECAUSE(why)                                           \
	do {                                                        \
		print_message("# skipped %s: %s\n", __func__, why); \
		skip();                                             \
	} while (0)

#endif
