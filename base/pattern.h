/* base/pattern.h - regular expressions that take time in proportion to pattern and text, whatever they are.
 *
 *	. any character     [a-z_] one of, [^0-9] none of     \d \w \s digit, letter or digit or _, blank (\D \W \S:
 *not)
 *	* + ? any number, at least one, at most one of the item before     a|b one or the other     (...) groups
 *	^ $ the ends of the text     \ before another character: that character itself
 *
 * The search runs all ways through the pattern at once (Thompson, 1968): no backtracking, hence no counts in braces and
 *no back references, which are refused. Texts are UTF-8; a broken byte is a character of its own.
 */
#ifndef NAB_BASE_PATTERN_H
#define NAB_BASE_PATTERN_H

#include <stdbool.h>

struct arena;
struct pattern;

/* NULL with *why (static text) if it is none. Everything lives in a. */
struct pattern *pattern_read(const char *text, struct arena *a, const char **why);

bool pattern_found(const struct pattern *p, const char *text); /* anywhere in it */

#endif
