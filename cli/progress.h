/* cli/progress.h - what a running batch looks like: a redrawn line per slot on a terminal, sparse plain lines
 * otherwise. */
#ifndef NAB_CLI_PROGRESS_H
#define NAB_CLI_PROGRESS_H

#include "cli/cli.h"
#include "engine/engine.h"

struct study;

struct progress;

/* Of the study (whose logs are written, too) in the store at this path; NULL: the study's own. */
struct progress *progress_new(const struct cli *c, const struct study *y, const char *store);
void progress_free(struct progress *p);                     /* leaves the terminal on a fresh line; accepts NULL */
void progress_event(void *p, const struct engine_event *v); /* an engine_conf.on_event */

/* "1 h 05 min", "3 min 20 s", "4.2 s"; into buf of 32 bytes. */
char *progress_duration(char *buf, double seconds);

#endif
