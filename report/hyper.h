/* report/hyper.h - what the recipes of a report's models differ in. */
#ifndef NAB_REPORT_HYPER_H
#define NAB_REPORT_HYPER_H

struct arena;
struct report;

struct hyper {
	const char *name;   /* "optimizer", "optimizer.lr": an optimizer's rate is one, whatever the optimizer */
	const char **value; /* [rows of the report] as JSON; a list or an object as a text of it; NULL: has none */
};

/* In the order in which they stand in the recipes, at most 64; returns their number. Everything lives in a. */
int hyper_gather(struct hyper **out, const struct report *r, struct arena *a);

#endif
