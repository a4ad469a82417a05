/* base/log.h - messages by how often they occur, and the clocks. Nothing below cli/ writes to a terminal: it hands
 * messages to the sink that cli/ has set (none: they are dropped). */
#ifndef NAB_BASE_LOG_H
#define NAB_BASE_LOG_H

#include <stdint.h>

enum log_level {
	LOG_WARN,  /* the user should know */
	LOG_RUN,   /* once per command */
	LOG_TRIAL, /* once per candidate or run */
	LOG_EPOCH,
	LOG_STEP
};

void log_sink(void (*sink)(enum log_level level, const char *text), enum log_level most);
void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

double clock_mono(void);                     /* seconds on a clock that only goes forward */
double clock_wall(void);                     /* seconds since 1970 */
char *clock_text(char buf[32], double wall); /* "2026-03-01T12:34:56Z" */

#endif
