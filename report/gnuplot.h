/* report/gnuplot.h - the data plots as gnuplot scripts with their data beside them, for who wants to restyle them for
 * paper; and gnuplot itself, run when it is there.
 *
 * No text from the store enters a script: scripts name only files whose names are made here, in single quotes. Labels
 * stand in data files, which gnuplot does not evaluate.
 */
#ifndef NAB_REPORT_GNUPLOT_H
#define NAB_REPORT_GNUPLOT_H

#include <stddef.h>

#include "base/err.h"

struct report;

/* Writes dir/accuracy-params.{gp,dat}, accuracy-macs, search-order, and curves-NAME for the best models. */
int gnuplot_write(const struct report *r, const char *dir, struct err *e);

/* Runs `program` ("gnuplot") over what gnuplot_write() wrote: .svg beside each .gp. 1: drawn; 0: not, and why (one
 * line) in note: it is no failure of the report. */
int gnuplot_draw(const struct report *r, const char *dir, const char *program, char *note, size_t size);

#endif
