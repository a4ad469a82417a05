/* tests/helper_engine.h - whole studies on a tiny data set with real workers: the test's program is their binary, so
 * its main() begins with engine_test_main().
 */
#ifndef NAB_TESTS_HELPER_ENGINE_H
#define NAB_TESTS_HELPER_ENGINE_H

#include <stdint.h>

#include "base/err.h"
#include "engine/engine.h"
#include "engine/study.h"

extern char engine_program[]; /* absolute path of this program */

/* Serves as a worker if it was started as one: its exit status, else -1. */
int engine_test_main(int argc, char **argv);

struct site { /* a folder of its own, with a store in it */
	const char *dir, *path;
	struct arena *a;
};

int site_setup(void **state);
int site_teardown(void **state);

/* A study small enough that a run takes a fraction of a second ("tiny", backend ref, 6 candidates of 2 epochs, one
 * slot) with changes: pairs of path and JSON value, NULL at the end. */
struct study *study_of(struct site *p, ...);

/* Two slots as a JSON list, or one where the process may use one core only. */
const char *two_slots(void);

/* A model from JSON text, or from a list of layers for the data of study_of(). */
struct graph *model_of(struct site *p, const char *text);
struct graph *layers_of(struct site *p, const char *name, const char *layers);

/* The trajectory of a study; the store is checked on the way. */
char *table_of(struct site *p, const char *store, const char *study);

/* Process of the worker that has a run of the store in hand. */
int worker_of(struct site *p, const char *store, int64_t run);

/* engine_train() that must succeed (0), or fail: then its error code, with *e. */
int train_items(struct site *p, const char *store, const struct study *y, const char *kind,
		const struct engine_item *items, int n, int64_t *runs, struct engine_outcome *out, struct err *e);

#endif
