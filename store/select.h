/* store/select.h - runs chosen and put in order by what users write: "acc > 0.9 and params < 100k", "acc /
 * log10(params)". The language is that of base/filter.h; the names are those of store/select.c (a column of
 * store_item each).
 */
#ifndef NAB_STORE_SELECT_H
#define NAB_STORE_SELECT_H

#include <stdbool.h>

#include "base/err.h"

struct arena;
struct store;
struct store_item;
struct str;

struct select;

/* where (NULL: all runs), sort (NULL: left in the order that they have); `flag` names are used in messages. ERR_USAGE:
 * a mistake, with its position. */
int select_read(struct select **out, const char *where, const char *sort, struct arena *a, struct err *e);

/* The condition alone, over the one run. */
int select_holds(const struct select *q, struct store *s, const struct store_item *it, bool *out, struct err *e);

/* Keeps those that the condition holds for, and sorts: scores and accuracies and whatever is calculated largest first,
 * costs, times and losses least first, texts by bytes; `reverse` the other way round; unknown values last; equal ones
 * as they were. items[0..*n) is changed in place. */
int select_apply(const struct select *q, struct store *s, struct store_item *items, int *n, bool reverse,
		 struct err *e);

void select_help(struct str *out);

#endif
