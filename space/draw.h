/* space/draw.h - conditional draws: JSON values with open places.
 *
 *	{"any": [a, b, c]}                     one of them, each as likely as the others
 *	{"any": [a, b], "weights": [3, 1]}     ... with these weights
 *	{"range": [low, high]}                 a number from low to high, both included: a whole one if both bounds are
 *	{"range": [low, high, "log"]}          ... its logarithm is uniform (low > 0)
 *	{"range": [low, high, "real"]}         ... not rounded although the bounds are whole
 *	{"range": [low, high, step]}           low, low + step, ...; with "log", low, low * step, ...
 *
 * They may stand anywhere, also inside an alternative: what is drawn there is drawn only when the alternative was
 * chosen. An object with the key "any" or "range" is always such a place: no layer, block or recipe key is called so.
 */
#ifndef NAB_SPACE_DRAW_H
#define NAB_SPACE_DRAW_H

#include <stdbool.h>
#include <stdint.h>

struct json;
struct json_in;
struct rng;

/* Checks every open place of v; mistakes go to `in`. Returns 0 or -1. The calls below need a checked value. */
int draw_check(const struct json *v, const struct json_in *in);

/* Whether v has an open place. */
bool draw_open(const struct json *v);

/* v with every open place drawn, in the order of the text (a new value, caller frees). */
struct json *draw_value(const struct json *v, struct rng *rng);

/* The number of values v can take, or -1 if it is not finite (a range of reals without a step) or exceeds 2^53.
 * Equal alternatives count as often as they are written. */
int64_t draw_count(const struct json *v);

/* The k-th value, 0 <= k < draw_count(v); the place that comes last in the text changes fastest. Caller frees. */
struct json *draw_nth(const struct json *v, int64_t k);

/* ---- one open place, for those who compile them ---- */

enum { DRAW_ALTERNATIVES = 1024 };

enum draw_kind { DRAW_FIXED, DRAW_ANY, DRAW_RANGE };

struct draw_range {
	double low, high, step; /* step 0: none */
	bool log, whole;
};

enum draw_kind draw_kind(const struct json *v);       /* of v itself, not of what is inside */
struct draw_range draw_range(const struct json *v);   /* v is a checked DRAW_RANGE */
int draw_pick(const struct json *v, struct rng *rng); /* v is a checked DRAW_ANY: the index of an alternative */
double draw_range_value(const struct draw_range *r, struct rng *rng);

#endif
