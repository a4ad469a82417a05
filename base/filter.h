/* base/filter.h - conditions and sort keys over named values, as users write them: acc > 0.9 and params < 100k.
 *
 *	condition  = conjunction {"or" conjunction}            conjunction = negation {"and" negation}
 *	negation   = "not" negation | comparison               comparison  = sum [("<" | "<=" | ">" | ">=" | "=" | "!="
 *|
 *	                                                                           "~" | "!~") sum]
 *	sum        = term {("+" | "-") term}                   term        = sign {("*" | "/") sign}
 *	sign       = "-" sign | primary
 *	primary    = number | text | name | function "(" sum {"," sum} ")" | "known" "(" name ")" | "(" condition ")"
 *
 * Numbers may end in k, M, G (1e3, 1e6, 1e9) or % (0.01). Texts stand in single or double quotes. "==", "&&", "||" and
 * "!" are taken as well. Functions: log10, log2, ln, sqrt, abs, min, max. Between texts stand = and != (exactly equal),
 * < and > (by bytes) and ~ and !~: the text on the left holds a match of the regular expression (base/pattern.h) on the
 * right, which is written out there.
 *
 * Everything has a type, number, text or condition, checked when the filter is read: nothing fails later. A value may
 * be unknown; a number calculated from an unknown one, by zero division or outside a function's domain is unknown too;
 *a comparison with an unknown value is false, "!=" and "!~" included ("not" then makes it true; known(x) asks).
 *
 * Filters are safe to take from anyone: no loops, no memory beyond the arena, text and depth limited.
 */
#ifndef NAB_BASE_FILTER_H
#define NAB_BASE_FILTER_H

#include <stdbool.h>

#include "base/err.h"

struct arena;
struct filter;
struct str;

enum filter_type { FILTER_NUMBER, FILTER_TEXT, FILTER_CONDITION, FILTER_TYPE_COUNT };

struct filter_name {
	const char *name;
	enum filter_type type;
	const char *help; /* NULL: another spelling, not listed in messages */
};

/* Of one name: `number` (NAN: unknown; conditions: 0 is false), or `text` (NULL: unknown). */
struct filter_value {
	double number;
	const char *text;
};

enum filter_use { FILTER_WHERE, FILTER_SORT }; /* a condition; a number or a text */

/* Reads `text` over names[0..n), which must outlive the filter. `where` is what messages call the text ("--where").
 * ERR_USAGE: the mistake with its position and, for a name, what there is. */
int filter_read(struct filter **out, const char *text, enum filter_use use, const struct filter_name *names, int n,
		const char *where, struct arena *a, struct err *e);

bool filter_uses(const struct filter *f, int name); /* does its value depend on names[name] */
int filter_only(const struct filter *f);            /* index of the name that is all of it, or -1 */
enum filter_type filter_result(const struct filter *f);

/* values[0..n) in the order of the names; those that the filter does not use are not looked at. */
bool filter_true(const struct filter *f, const struct filter_value *values);
struct filter_value filter_value(const struct filter *f, const struct filter_value *values);

/* The names with their help, a line each. */
void filter_help(struct str *out, const struct filter_name *names, int n);

#endif
