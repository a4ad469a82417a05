/* base/opt.h - option tables: one row gives the JSON key, its type, bounds and default, --help, the JSON Schema, and
 * the canonical print.
 *
 *	struct cfg { int filters; double rate; };
 *	static const struct opt opts[] = {
 *		OPT_INT(struct cfg, filters, OPT_NEED, 1, 65536, "output channels"),
 *		OPT_REAL(struct cfg, rate, 0.5, 0, 1, "share of units dropped"),
 *		OPT_END
 *	};
 *
 * The key is the field's name. A row whose field has another C type does not compile. Texts and lists read from JSON
 * live in the arena given to opt_read(). A text may be given as a whole number: seeds. Structs filled by
 *opt_defaults()/opt_read() must be zeroed before, so that they can be compared byte by byte.
 */
#ifndef NAB_BASE_OPT_H
#define NAB_BASE_OPT_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct arena;
struct json;
struct json_in;
struct str;

enum { OPT_LIST_MAX = 8 };

struct opt_pair { /* JSON: 3 or [3, 5]; rows first */
	int v[2];
};

struct opt_pad {     /* JSON: "valid", "same", 1, [rows, columns] or [top, left, bottom, right] */
	int side[4]; /* top, left, bottom, right */
	int same;    /* 1: "same", still to be resolved by the layer, which then clears it */
};

struct opt_ints { /* JSON: [1, 2, 3] */
	int n;
	int v[OPT_LIST_MAX];
};

struct opt_strs { /* JSON: "a" or ["a", "b"] */
	int n;
	const char **v;
};

enum opt_type {
	OPT_T_END,
	OPT_T_INT,
	OPT_T_LONG,
	OPT_T_REAL,
	OPT_T_BOOL,
	OPT_T_STR,
	OPT_T_ENUM,
	OPT_T_PAIR,
	OPT_T_PAD,
	OPT_T_INTS,
	OPT_T_STRS,
	OPT_T_GROUP,
	OPT_T_JSON
};

struct opt {
	const char *name;
	enum opt_type type;
	size_t offset;
	double def, min, max;     /* numbers, pairs, lists (bounds of the elements); def NAN: must be given */
	const char *def_text;     /* texts and lists of texts: NULL if absent */
	const char *const *names; /* enums, NULL-terminated */
	const struct opt *group;  /* nested table */
	const char *help;
};

#define OPT_NEED           ((double)NAN)
#define OPT_FIELD(S, f, T) (offsetof(S, f) + 0 * sizeof(char[_Generic(((S *)0)->f, T : 1, default : -1)]))
#define OPT_INT(S, f, d, lo, hi, h)                                                 \
	{                                                                           \
#f, OPT_T_INT, OPT_FIELD(S, f, int), d, lo, hi, NULL, NULL, NULL, h \
	}
#define OPT_LONG(S, f, d, lo, hi, h)                                                     \
	{                                                                                \
#f, OPT_T_LONG, OPT_FIELD(S, f, int64_t), d, lo, hi, NULL, NULL, NULL, h \
	}
#define OPT_REAL(S, f, d, lo, hi, h)                                                    \
	{                                                                               \
#f, OPT_T_REAL, OPT_FIELD(S, f, double), d, lo, hi, NULL, NULL, NULL, h \
	}
#define OPT_BOOL(S, f, d, h)                                                        \
	{                                                                           \
#f, OPT_T_BOOL, OPT_FIELD(S, f, bool), d, 0, 1, NULL, NULL, NULL, h \
	}
#define OPT_STR(S, f, d, h)                                                             \
	{                                                                               \
#f, OPT_T_STR, OPT_FIELD(S, f, const char *), 0, 0, 0, d, NULL, NULL, h \
	}
#define OPT_ENUM(S, f, d, n, h)                                                 \
	{                                                                       \
#f, OPT_T_ENUM, OPT_FIELD(S, f, int), d, 0, 0, NULL, n, NULL, h \
	}
#define OPT_PAIR(S, f, d, lo, hi, h)                                                             \
	{                                                                                        \
#f, OPT_T_PAIR, OPT_FIELD(S, f, struct opt_pair), d, lo, hi, NULL, NULL, NULL, h \
	}
#define OPT_PAD(S, f, h)                                                                        \
	{                                                                                       \
#f, OPT_T_PAD, OPT_FIELD(S, f, struct opt_pad), 0, 0, 4096, NULL, NULL, NULL, h \
	}
#define OPT_INTS(S, f, d, lo, hi, h)                                                             \
	{                                                                                        \
#f, OPT_T_INTS, OPT_FIELD(S, f, struct opt_ints), d, lo, hi, NULL, NULL, NULL, h \
	}
#define OPT_STRS(S, f, h)                                                                      \
	{                                                                                      \
#f, OPT_T_STRS, OPT_FIELD(S, f, struct opt_strs), 0, 0, 0, NULL, NULL, NULL, h \
	}
#define OPT_GROUP(S, f, table, h)                                              \
	{                                                                      \
#f, OPT_T_GROUP, offsetof(S, f), 0, 0, 0, NULL, NULL, table, h \
	}
/* A part that has its own grammar: the value is kept as it is (borrowed from the document), NULL if absent. */
#define OPT_JSON(S, f, h)                                                                          \
	{                                                                                          \
#f, OPT_T_JSON, OPT_FIELD(S, f, const struct json *), 0, 0, 0, NULL, NULL, NULL, h \
	}
#define OPT_END                                                     \
	{                                                           \
		NULL, OPT_T_END, 0, 0, 0, 0, NULL, NULL, NULL, NULL \
	}

/* Fills every field with its default (needed numbers: 0). */
void opt_defaults(void *cfg, const struct opt *opts);

/* Defaults, then the members of `object` (NULL: none). Unknown, ill-typed, out-of-range and missing keys are added to
 * in->diag. Returns 0, or -1 if there was any. Keys in `reserved` (NULL-terminated, may be NULL) are passed over. */
int opt_read(void *cfg, const struct opt *opts, const struct json *object, const char *const *reserved, struct arena *a,
	     const struct json_in *in);

/* Reads one value into one field. */
int opt_read_value(void *cfg, const struct opt *o, const struct json *v, struct arena *a, const struct json_in *in);

/* Every field as JSON, in table order. Absent texts and JSON parts are left out. */
struct json *opt_write(const void *cfg, const struct opt *opts);
struct json *opt_write_value(const void *cfg, const struct opt *o); /* NULL if absent */

/* A 64-bit hash of the fields that differ from their defaults, by name: adding a row keeps old hashes. Number-like
 * types and enums only (layer and recipe tables). */
uint64_t opt_hash(const void *cfg, const struct opt *opts, uint64_t seed);

/* A variant: a value that is a name, or an object of that one name with its options: "adamw",
 * {"adamw": {"lr": 0.01}}. */
struct opt_variant {
	const char *name;
	const struct opt *opts; /* never NULL */
	const char *help;
};

/* Reads a variant of variants[0..n): the options of the one named go into cfg, which must be zeroed before. Returns its
 * index, or -1 with messages in `in`. */
int opt_variant_read(void *cfg, const struct opt_variant *variants, int n, const struct json *v, struct arena *a,
		     const struct json_in *in);
struct json *opt_variant_write(const void *cfg, const struct opt_variant *variant); /* {"adamw": {all options}} */
struct json *opt_variant_schema(const struct opt_variant *variants, int n);
void opt_variant_help(struct str *out, const struct opt_variant *variants, int n, const char *prefix);

const struct opt *opt_find(const struct opt *opts, const char *name); /* NULL if there is none */

/* Help text, a line an option; names are prefixed ("train."), groups are listed recursively. */
void opt_help(struct str *out, const struct opt *opts, const char *prefix);

/* JSON Schema (draft-07) of an object with these keys. extra: further properties (an object; taken over), or NULL. */
struct json *opt_schema(const struct opt *opts, struct json *extra);

/* Checks a table: unique names, help set, defaults within bounds. Returns NULL or what is wrong (static text). */
const char *opt_check(const struct opt *opts);

#endif
