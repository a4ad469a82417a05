/* cli/test_split.h - the test split, read on purpose: `nab test` and `nab confirm`. Every look is recorded. */
#ifndef NAB_CLI_TEST_SPLIT_H
#define NAB_CLI_TEST_SPLIT_H

#include "cli/target.h"
#include "train/train.h"

/* Opens the data set of a stored run and evaluates its weights on the test split; the look and what was seen are stored
 * in one transaction. what: for the record ("nab test"). reads: how often the split of this store was read by now.
 * Caller releases *v. */
int cli_read_test_split(struct cli *c, const struct target *t, const char *store, const char *backend, int threads,
			const char *what, struct evaluation *v, int *reads, struct err *e);

#endif
