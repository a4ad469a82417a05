/* report/metric.h - the number that models are judged by, in the words of their task: for classes the accuracy, in per
 * cent; for a value to predict the coefficient of determination R2, a plain number. The store calls both "accuracy".
 */
#ifndef NAB_REPORT_METRIC_H
#define NAB_REPORT_METRIC_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/graph.h"

struct arena;
struct err;
struct store;

struct metric {
	const char *name;   /* "accuracy" or "R2" */
	const char *unit;   /* behind the number, and in titles behind the name: " %" or "" */
	const char *axis;   /* title of an axis: "accuracy, %" or "R2" */
	const char *points; /* behind a difference: " points" or "" */
	double scale;       /* a stored number times this is what is shown */
	int digits;
	bool share; /* of the examples: intervals over the examples make sense */
};

const struct metric *metric_of_task(enum task task);
const struct metric *metric_of_info(const char *info); /* JSON of stored data; NULL, or nothing said: accuracy */

enum { METRIC_TEXT = 40, METRIC_INTERVAL = 2 * METRIC_TEXT + 5 };

/* "91.25" or "0.913" into buf, "" for NAN; metric_text() with the unit; metric_change() is a difference, "+0.52". */
char *metric_number(char buf[METRIC_TEXT], const struct metric *m, double v);
char *metric_text(char buf[METRIC_TEXT], const struct metric *m, double v);
char *metric_change(char buf[METRIC_TEXT], const struct metric *m, double v);
/* "[90.19, 99.90]", of changes "[+0.10, +0.52]"; "" if a bound is NAN. */
char *metric_interval(char buf[METRIC_INTERVAL], const struct metric *m, double low, double high);
char *metric_change_interval(char buf[METRIC_INTERVAL], const struct metric *m, double low, double high);

/* Those of the studies of a store. */
struct metric_study {
	int64_t study;
	const struct metric *metric;
};
struct metrics {
	struct metric_study *of;
	int n;
};
int metrics_read(struct metrics *out, struct store *s, struct arena *a, struct err *e);
const struct metric *metric_of_study(const struct metrics *m, int64_t study);

#endif
