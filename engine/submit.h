/* engine/submit.h - handing work to the coordinator that holds a store. */
#ifndef NAB_ENGINE_SUBMIT_H
#define NAB_ENGINE_SUBMIT_H

#include <stdint.h>

#include "base/err.h"

struct engine_item;
struct study;

/* 0: taken, runs[n] being the first run of each item. 1: nobody holds the store any more. -1: ERR_BUSY if the holder
 * does not answer or takes no work, ERR_INVALID if the work is not acceptable. */
int submit_work(const char *store, const struct study *y, const char *kind, const struct engine_item *items, int n,
		int64_t *runs, struct err *e);

#endif
