/* space/draw.c - see draw.h. */
#include "space/draw.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/rng.h"

static const int64_t COUNT_MAX = (int64_t)1 << 53;

enum draw_kind draw_kind(const struct json *v)
{
	if (json_get(v, "any"))
		return DRAW_ANY;
	return json_get(v, "range") ? DRAW_RANGE : DRAW_FIXED;
}

/* ---- checks --------------------------------------------------------------------------------------------- */

static int check_weights(const struct json *weights, int n, const struct json_in *in)
{
	double total = 0;

	if (json_type(weights) != JSON_ARRAY || json_count(weights) != n)
		return json_bad(in, weights, "must be a list of %d weights, one per alternative", n);
	JSON_EACH(w, weights) {
		if (json_type(w) != JSON_NUMBER || json_number(w) < 0)
			return json_bad(in, w, "must be a number of at least 0");
		total += json_number(w);
	}
	return total > 0 ? 0 : json_bad(in, weights, "needs a weight above 0");
}

static int check_any(const struct json *v, const struct json_in *in)
{
	static const char *const known[] = { "any", "weights" };
	const struct json *list = json_get(v, "any"), *weights = json_get(v, "weights");
	int rc = json_unknown(in, v, known, 2) ? -1 : 0;

	if (json_type(list) != JSON_ARRAY || !json_count(list))
		return json_bad(in, list, "must be a list of alternatives");
	if (json_count(list) > DRAW_ALTERNATIVES)
		return json_bad(in, list, "has more than %d alternatives", DRAW_ALTERNATIVES);
	if (weights && check_weights(weights, json_count(list), in) < 0)
		rc = -1;
	JSON_EACH(a, list)
		if (draw_check(a, in) < 0)
			rc = -1;
	return rc;
}

struct draw_range draw_range(const struct json *v)
{
	const struct json *at = json_first(json_get(v, "range"));
	struct draw_range r = { .low = json_number(at) };

	at = json_next(at);
	r.high = json_number(at);
	r.whole = r.low == floor(r.low) && r.high == floor(r.high);
	for (at = json_next(at); at; at = json_next(at)) {
		const char *word = json_string(at);

		if (!word) {
			r.step = json_number(at);
			r.whole = r.whole && r.step == floor(r.step);
		} else if (strcmp(word, "log") == 0) {
			r.log = true;
		} else {
			r.whole = false;
		}
	}
	return r;
}

static int check_range_words(const struct json *list, const struct json_in *in)
{
	int i = 0, steps = 0;

	JSON_EACH(at, list) {
		const char *word = json_string(at);

		if (i++ < 2 ? json_type(at) != JSON_NUMBER
			    : json_type(at) != JSON_NUMBER && (!word || (strcmp(word, "log") && strcmp(word, "real"))))
			return json_bad(in, at, i <= 2 ? "must be a number" : "must be \"log\", \"real\" or a step");
		steps += i > 2 && !word;
	}
	return steps > 1 ? json_bad(in, list, "has more than one step") : 0;
}

static int check_range(const struct json *v, const struct json_in *in)
{
	static const char *const known[] = { "range" };
	const struct json *list = json_get(v, "range");
	struct draw_range r;

	if (json_unknown(in, v, known, 1))
		return -1;
	if (json_type(list) != JSON_ARRAY || json_count(list) < 2 || json_count(list) > 5)
		return json_bad(in, list, "must be [low, high], optionally with \"log\", \"real\" or a step");
	if (check_range_words(list, in) < 0)
		return -1;
	r = draw_range(v);
	if (!(r.low <= r.high))
		return json_bad(in, list, "low must not exceed high");
	if (r.log && r.low <= 0)
		return json_bad(in, list, "a range with \"log\" must begin above 0");
	if (r.step != 0 && (r.log ? r.step <= 1 : r.step <= 0))
		return json_bad(in, list, "the step must be above %d", r.log ? 1 : 0);
	if (fabs(r.low) > 1e15 || fabs(r.high) > 1e15)
		return json_bad(in, list, "the bounds must be within 1e15");
	return 0;
}

int draw_check(const struct json *v, const struct json_in *in)
{
	int rc = 0;

	switch (draw_kind(v)) {
	case DRAW_ANY:
		return check_any(v, in);
	case DRAW_RANGE:
		return check_range(v, in);
	case DRAW_FIXED:
		break;
	}
	if (json_type(v) == JSON_ARRAY || json_type(v) == JSON_OBJECT)
		JSON_EACH(m, v)
			if (draw_check(m, in) < 0)
				rc = -1;
	return rc;
}

bool draw_open(const struct json *v)
{
	if (draw_kind(v) != DRAW_FIXED)
		return true;
	if (json_type(v) == JSON_ARRAY || json_type(v) == JSON_OBJECT)
		JSON_EACH(m, v)
			if (draw_open(m))
				return true;
	return false;
}

/* ---- drawing -------------------------------------------------------------------------------------------- */

static double snap(const struct draw_range *r, double x)
{
	x = r->whole ? round(x) : x;
	return x < r->low ? r->low : x > r->high ? r->high : x;
}

/* The i-th value of a stepped (or whole) range. */
static double range_at(const struct draw_range *r, int64_t i)
{
	double x, scale;

	if (r->step == 0)
		return r->low + (double)i;
	x = r->log ? r->low * pow(r->step, (double)i) : r->low + r->step * (double)i;
	scale = x != 0 ? pow(10, 12 - floor(log10(fabs(x)))) : 1; /* 12 digits, so that 0.1 + 2 * 0.1 is 0.3 */
	return snap(r, isfinite(scale) && scale > 0 ? round(x * scale) / scale : x);
}

/* Values of a range, or -1 if they are not finitely many. */
static int64_t range_count(const struct draw_range *r)
{
	double n;

	if (r->step == 0)
		n = r->low == r->high ? 1 : r->whole ? r->high - r->low + 1 : -1;
	else if (r->log)
		n = floor(log(r->high / r->low) / log(r->step) + 1e-9) + 1;
	else
		n = floor((r->high - r->low) / r->step + 1e-9) + 1;
	return n > (double)COUNT_MAX ? -1 : (int64_t)n;
}

double draw_range_value(const struct draw_range *r, struct rng *rng)
{
	double u;

	if (r->step != 0) {
		int64_t n = range_count(r);

		return range_at(r, (int64_t)(rng_real(rng) * (double)n));
	}
	u = rng_real(rng);
	if (r->log && r->whole) /* every whole number owns [x - 1/2, x + 1/2) on the logarithmic axis */
		return snap(r, exp(log(r->low - 0.5) + u * (log(r->high + 0.5) - log(r->low - 0.5))));
	if (r->log)
		return snap(r, exp(log(r->low) + u * (log(r->high) - log(r->low))));
	if (r->whole)
		return r->low + floor(u * (r->high - r->low + 1));
	return r->low + u * (r->high - r->low);
}

int draw_pick(const struct json *v, struct rng *rng)
{
	const struct json *weights = json_get(v, "weights");
	double w[DRAW_ALTERNATIVES];
	int n = 0;

	if (!weights)
		return (int)rng_below(rng, (uint32_t)json_count(json_get(v, "any")));
	JSON_EACH(at, weights)
		w[n++] = json_number(at);
	return rng_pick(rng, w, n);
}

static const struct json *child(const struct json *list, int64_t i)
{
	const struct json *at = json_first(list);

	while (i-- > 0)
		at = json_next(at);
	return at;
}

struct json *draw_value(const struct json *v, struct rng *rng)
{
	struct json *out;
	struct draw_range r;

	switch (draw_kind(v)) {
	case DRAW_ANY:
		return draw_value(child(json_get(v, "any"), draw_pick(v, rng)), rng);
	case DRAW_RANGE:
		r = draw_range(v);
		return json_num(draw_range_value(&r, rng));
	case DRAW_FIXED:
		break;
	}
	if (!draw_open(v))
		return json_copy(v);
	out = json_type(v) == JSON_ARRAY ? json_array() : json_object();
	JSON_EACH(m, v) {
		if (json_key(m))
			json_put(out, json_key(m), draw_value(m, rng));
		else
			json_push(out, draw_value(m, rng));
	}
	return out;
}

/* ---- counting ------------------------------------------------------------------------------------------- */

int64_t draw_count(const struct json *v)
{
	enum draw_kind kind = draw_kind(v);
	int64_t n = kind == DRAW_ANY ? 0 : 1;
	struct draw_range r;

	if (kind == DRAW_RANGE) {
		r = draw_range(v);
		return range_count(&r);
	}
	if (kind == DRAW_FIXED && json_type(v) != JSON_ARRAY && json_type(v) != JSON_OBJECT)
		return 1;
	JSON_EACH(m, kind == DRAW_ANY ? json_get(v, "any") : v) {
		int64_t part = draw_count(m);

		if (part < 0 || (kind == DRAW_ANY ? n > COUNT_MAX - part : n > COUNT_MAX / part))
			return -1;
		n = kind == DRAW_ANY ? n + part : n * part;
	}
	return n;
}

static struct json *nth_of_members(const struct json *v, int64_t k)
{
	struct json *out = json_type(v) == JSON_ARRAY ? json_array() : json_object();
	int64_t below = draw_count(v); /* combinations of what has not been written yet */

	JSON_EACH(m, v) {
		struct json *part;

		below /= draw_count(m);
		part = draw_nth(m, k / below);
		k %= below;
		if (json_key(m))
			json_put(out, json_key(m), part);
		else
			json_push(out, part);
	}
	return out;
}

struct json *draw_nth(const struct json *v, int64_t k)
{
	struct draw_range r;

	assert(k >= 0);
	switch (draw_kind(v)) {
	case DRAW_ANY:
		JSON_EACH(a, json_get(v, "any")) {
			int64_t n = draw_count(a);

			if (k < n)
				return draw_nth(a, k);
			k -= n;
		}
		assert(!"k is too large");
		return NULL;
	case DRAW_RANGE:
		r = draw_range(v);
		return json_num(range_at(&r, k));
	case DRAW_FIXED:
		break;
	}
	return draw_open(v) ? nth_of_members(v, k) : json_copy(v);
}
