/* tests/helper_ok.h - calls that must succeed: OK(store_open(&s, path, STORE_READ, &bad)) fails the test with the call
 * and what it said. After cmocka.h.
 */
#ifndef NAB_TESTS_HELPER_OK_H
#define NAB_TESTS_HELPER_OK_H

#include "base/err.h"

static struct err bad; /* of the call inside OK() */

#define OK(call)                                                           \
	do {                                                               \
		err_clear(&bad);                                           \
		if ((call) < 0)                                            \
			fail_msg("%s: %s: %s", #call, bad.where, bad.msg); \
	} while (0)

#endif
