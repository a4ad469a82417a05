/* tests/helper_open.h - opens a data set from the JSON text of its specification. */
#ifndef NAB_TESTS_HELPER_OPEN_H
#define NAB_TESTS_HELPER_OPEN_H

#include "dataset/dataset.h"

extern struct err open_err; /* of the last open_data() */

/* The printf-formatted specification, opened; NULL with open_err set when that fails. */
struct dataset *open_data(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Opening must fail with ERR_INVALID and a message ("where: what") that holds `part`. */
void expect_invalid(const char *part, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
