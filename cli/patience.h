/* cli/patience.h - commands that look at a store again and again until a signal ends them: signals are taken while they
 * wait and at no other time, so what they write is whole.
 */
#ifndef NAB_CLI_PATIENCE_H
#define NAB_CLI_PATIENCE_H

#include <signal.h>
#include <stdbool.h>

#include "base/err.h"

struct patience {
	sigset_t set, old;
};

/* From here on SIGINT, SIGTERM and SIGHUP wait; with screen also SIGTSTP, SIGCONT and SIGWINCH. */
void patience_begin(struct patience *p, bool screen);
int patience_wait(const struct patience *p, double seconds); /* the signal that came, or 0 when time is up */
void patience_end(const struct patience *p);

bool patience_ends(int sig);                /* a signal that ends the command */
int patience_ended(int sig, struct err *e); /* -1 with the exit status of one that was ended, without a text */

#endif
