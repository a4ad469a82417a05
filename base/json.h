/* base/json.h - strict JSON over cJSON (the only place that includes cJSON.h).
 *
 * What the wrapper adds: line and column for syntax errors; // and block comments; duplicate keys, numbers that
 * overflow and integers that a double cannot hold are refused; key paths ("layers[2].conv2d.kernel") for semantic
 * errors; case-sensitive look-ups; printing that gives the same text for the same value.
 *
 * A struct json is one value. Parsed trees and trees made here are owned by whoever got them and freed with
 * json_free(root); values inside are borrowed. All functions accept NULL values and then answer "absent".
 */
#ifndef NAB_BASE_JSON_H
#define NAB_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct str;
struct json;

enum json_type { JSON_ABSENT, JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* name is used in messages ("study.json"). */
int json_parse(struct json **out, const char *text, size_t len, const char *name, struct err *e);
int json_load(struct json **out, const char *path, struct err *e);
void json_free(struct json *root);

enum json_type json_type(const struct json *v);
const char *json_type_name(enum json_type t);                            /* "a number", "an object" ... for messages */
const struct json *json_get(const struct json *object, const char *key); /* NULL if absent */
const struct json *json_first(const struct json *container);
const struct json *json_next(const struct json *v);
int json_count(const struct json *container);
const char *json_key(const struct json *v);    /* the key of a member; NULL in arrays */
const char *json_string(const struct json *v); /* NULL unless a string */
double json_number(const struct json *v);      /* NAN unless a number */
bool json_true(const struct json *v);
bool json_equal(const struct json *a, const struct json *b); /* order of keys does not matter */

/* for (const struct json *v = json_first(list); v; v = json_next(v)) */
#define JSON_EACH(v, container) for (const struct json *v = json_first(container); v; v = json_next(v))

/* Building. json_put/json_push take ownership of `value` and return it. json_put replaces an existing key. */
struct json *json_object(void);
struct json *json_array(void);
struct json *json_str(const char *s);
struct json *json_num(double v); /* null if it is not finite: JSON has no such numbers */
struct json *json_bool(bool v);
struct json *json_null(void);
struct json *json_copy(const struct json *v);
struct json *json_put(struct json *object, const char *key, struct json *value);
struct json *json_push(struct json *array, struct json *value);
void json_drop(struct json *object, const char *key);
struct json *json_mutable(struct json *object, const char *key); /* member for change, NULL if absent */

/* Sets root."a.b.c" (dots separate keys, "a[2]" or "a.2" an element), making objects on the way. text is read as JSON
 * when it is valid JSON, else it is a string. For --set. */
int json_set_path(struct json *root, const char *path, const char *text, struct err *e);

/* The path of v inside root: "a.b[1].c", "" for the root, "?" if it is not inside. Returns buf. */
char *json_path(const struct json *root, const struct json *v, char *buf, size_t size);

/* Compact: one line, no blanks. Pretty: 2 blanks of indent, short containers on one line, no final newline. */
void json_print(struct str *out, const struct json *v);
void json_pretty(struct str *out, const struct json *v);
/* For people: a text without quotes, a fraction to three digits (a rate drawn as 0.17557935083617954 is 0.176). */
void json_brief(struct str *out, const struct json *v);
void json_quote(struct str *out, const char *s); /* s as a JSON string; '<' as \u003c so that it may stand in HTML */

/* Reading a document: where mistakes go. */
struct json_in {
	const struct json *root;
	struct diag *diag;
	const char *at; /* put before every path ("layers[2]"), or NULL */
};

/* Adds an error at v's path; always returns -1. With in NULL or in->diag NULL nothing is recorded. */
int json_bad(const struct json_in *in, const struct json *v, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Reports keys of `object` that are not in known[0..n), with a suggestion. Returns the number of unknown keys. */
int json_unknown(const struct json_in *in, const struct json *object, const char *const *known, int n);

#endif
