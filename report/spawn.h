/* report/spawn.h - another program, run without a shell: its arguments are never interpreted. */
#ifndef NAB_REPORT_SPAWN_H
#define NAB_REPORT_SPAWN_H

/* Runs argv[0], looked for in $PATH, in the folder `dir` (NULL: here) and waits for it. in, out: file descriptors for
 * its standard input and output, or -1 for /dev/null; what it says on standard error is dropped. Returns its exit
 * status, 128 + the number of the signal that ended it, or -1 with errno: it could not be started. */
int spawn_run(const char *const *argv, const char *dir, int in, int out);

#endif
