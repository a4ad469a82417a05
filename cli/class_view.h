/* cli/class_view.h - what a classifier confuses, for a terminal: the matrix, the worst confusions, a bar a class. */
#ifndef NAB_CLI_CLASS_VIEW_H
#define NAB_CLI_CLASS_VIEW_H

#include <stdint.h>

struct json;
struct look;
struct str;

struct class_view {
	int k;
	const int64_t *confusion; /* [k][k], rows true */
	const char *const *names; /* [k] others' texts; an entry may be NULL */
};

/* Numbers where the screen is wide enough, else shades (two cells a class), else nothing: then, and with shades, the
 * worst confusions. */
void class_matrix(struct str *out, const struct class_view *v, const struct look *look);

/* A line a class: share found (recall) as a bar, precision, F1, examples. Many classes: the weakest. */
void class_bars(struct str *out, const struct class_view *v, const struct look *look);

/* {"classes": [{name, n, recall, precision, f1}], "confusion": [[...]]}, put into doc. */
void class_json(struct json *doc, const struct class_view *v);

#endif
