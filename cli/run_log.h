/* cli/run_log.h - what a study's "log" asks for, written while its runs train: joins the engine's events to export/.
 *
 * A log is brought up to date from the store whenever an epoch or a run has ended. What cannot be written is a warning,
 * said once, and never harms the search.
 */
#ifndef NAB_CLI_RUN_LOG_H
#define NAB_CLI_RUN_LOG_H

#include "engine/engine.h"
#include "engine/study.h"

struct run_log;

/* store: path of the store, if it is not the study's. NULL if the study asks for no log. */
struct run_log *run_log_new(const struct study *y, const char *store);
void run_log_event(struct run_log *l, const struct engine_event *v); /* accepts NULL, as the next */
void run_log_free(struct run_log *l);

#endif
