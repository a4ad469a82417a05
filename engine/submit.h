/* engine/submit.h - handing work to the coordinator that holds a store. */
#ifndef NAB_ENGINE_SUBMIT_H
#define NAB_ENGINE_SUBMIT_H

#include <stdint.h>

#include "base/err.h"

struct engine_item;
struct study;

/* runs[n]: the first run of each item. ERR_BUSY if nobody answers or takes it; ERR_INVALID if it is not acceptable. */
int submit_work(const char *store, const struct study *y, const char *kind, const struct engine_item *items, int n,
		int64_t *runs, struct err *e);

#endif
