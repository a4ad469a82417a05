/* cli/watch_frame.h - what `nab watch` shows of a store at one moment: studies, runs under way, queue, best, failures.
 */
#ifndef NAB_CLI_WATCH_FRAME_H
#define NAB_CLI_WATCH_FRAME_H

#include "report/metric.h"
#include "store/store.h"

struct arena;
struct json;
struct look;
struct str;

enum { WATCH_BEST = 3, WATCH_FAILED = 4, WATCH_QUEUED = 3 };

struct watch_study {
	struct store_study study;
	int64_t done, failed, total; /* runs that have ended; of these without success; in all as far as is known */
	double left;                 /* seconds until all are done, NAN: unknown */
};

struct watch_run {
	const struct store_item *item;
	const char *device;
	struct store_epoch *epoch;
	int n, epochs; /* done; wanted */
	double left;   /* seconds, NAN: unknown */
};

struct watch {
	const char *path; /* of the store */
	char holder[160]; /* "process 12 on host", "" if no coordinator is at work */
	bool finished;    /* all studies are */
	struct metrics metrics;
	struct watch_study *study;
	struct watch_run *run;
	int n_studies, n_runs;
	int64_t queued;
	const struct store_item *best[WATCH_BEST], *failure[WATCH_FAILED], *waiting[WATCH_QUEUED];
	int n_best, n_failures, n_waiting;
	double *best_so_far; /* after every run that was done, in the order in which they ended */
	int n_so_far;
	struct store_item *items; /* all runs of the studies */
	int n_items;
};

/* study NULL: those that are not finished, and the newest. Everything lives in a. */
int watch_read(struct watch *w, struct store *s, const char *study, struct arena *a, struct err *e);

void watch_frame(struct str *out, const struct watch *w, const struct look *look);
void watch_line(struct str *out, const struct watch *w);        /* the same in one plain line */
void watch_ended(struct str *out, const struct store_item *it); /* a line on a run that has ended */
struct json *watch_json(const struct watch *w);

#endif
