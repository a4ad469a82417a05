/* arch/expr.c - values of block parameters: "$name", "$in.channels", and whole-number arithmetic on them.
 *
 *	expr = term {("+" | "-") term}     term = factor {("*" | "//" | "/" | "%") factor}
 *	factor = number | "$" name | ("max" | "min") "(" expr "," expr ")" | "(" expr ")" | "-" factor
 *
 * "/" must divide exactly, "//" rounds down. A text that is just "$name" stands for the parameter's value of any type.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/model.h"
#include "base/json.h"

enum { LONGEST = 200 };

struct parser {
	const char *s; /* rest */
	const struct scope *scope;
	char why[200]; /* first mistake */
};

static int64_t expr(struct parser *p);

static int64_t fail(struct parser *p, const char *fmt, const char *what)
{
	if (!p->why[0])
		snprintf(p->why, sizeof p->why, fmt, what);
	return 1;
}

static void blanks(struct parser *p)
{
	while (*p->s == ' ')
		p->s++;
}

static bool accept(struct parser *p, const char *token)
{
	blanks(p);
	if (strncmp(p->s, token, strlen(token)))
		return false;
	p->s += strlen(token);
	return true;
}

static size_t name_length(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || s[n] == '_' || (s[n] == '.' && isalpha((unsigned char)s[n + 1])))
		n++;
	return n;
}

static const struct json *scope_find(const struct scope *scope, const char *name)
{
	for (; scope; scope = scope->outer) {
		const struct json *v = json_get(scope->vars, name);

		if (v)
			return v;
	}
	return NULL;
}

/* "$in.height" and the like, from the innermost scope that knows its input. */
static bool input_value(const struct scope *scope, const char *name, int64_t *out)
{
	const struct shape *s = NULL;

	for (; scope && !s; scope = scope->outer)
		s = scope->in;
	if (!s)
		return false;
	if (strcmp(name, "in.channels") == 0 && s->type != TENSOR_VECTOR && s->type != TENSOR_TOKENS)
		*out = s->d[0];
	else if (strcmp(name, "in.features") == 0 && s->type == TENSOR_VECTOR)
		*out = s->d[0];
	else if (strcmp(name, "in.height") == 0 && s->type == TENSOR_IMAGE)
		*out = s->d[1];
	else if (strcmp(name, "in.width") == 0 && s->type == TENSOR_IMAGE)
		*out = s->d[2];
	else if (strcmp(name, "in.steps") == 0 && s->type == TENSOR_SEQUENCE)
		*out = s->d[1];
	else if (strcmp(name, "in.steps") == 0 && s->type == TENSOR_TOKENS)
		*out = s->d[0];
	else
		return false;
	return true;
}

static int64_t variable(struct parser *p)
{
	size_t n = name_length(p->s);
	const struct json *v;
	char name[64];
	int64_t x;

	snprintf(name, sizeof name, "%.*s", (int)n, p->s);
	p->s += n;
	if (input_value(p->scope, name, &x))
		return x;
	v = scope_find(p->scope, name);
	if (!v)
		return fail(p, "unknown parameter $%s", name);
	if (json_type(v) != JSON_NUMBER || json_number(v) != floor(json_number(v)))
		return fail(p, "$%s is not a whole number, so it cannot be calculated with", name);
	return (int64_t)json_number(v);
}

static int64_t of_two(struct parser *p, bool want_max)
{
	int64_t a = expr(p), b;

	if (!accept(p, ","))
		return fail(p, "a comma is missing before '%s'", p->s);
	b = expr(p);
	if (!accept(p, ")"))
		return fail(p, "a ')' is missing before '%s'", p->s);
	return (a > b) == want_max ? a : b;
}

static int64_t factor(struct parser *p)
{
	int64_t v;
	char *end;

	if (accept(p, "-")) {
		v = factor(p);
		return v == INT64_MIN ? fail(p, "the number is too large%s", "") : -v;
	}
	if (accept(p, "max("))
		return of_two(p, true);
	if (accept(p, "min("))
		return of_two(p, false);
	if (accept(p, "$"))
		return variable(p);
	if (accept(p, "(")) {
		v = expr(p);
		if (!accept(p, ")"))
			return fail(p, "a ')' is missing before '%s'", p->s);
		return v;
	}
	v = strtoll(p->s, &end, 10);
	if (end == p->s)
		return fail(p, "a number or $parameter is missing before '%s'", p->s);
	p->s = end;
	return v;
}

static int64_t divide(struct parser *p, int64_t a, int64_t b, char op)
{
	char text[80];

	if (b == 0 || (a == INT64_MIN && b == -1))
		return fail(p, "division by zero%s", "");
	if (op == '%')
		return a % b;
	if (op == '/' && a % b) {
		snprintf(text, sizeof text, "%lld / %lld", (long long)a, (long long)b);
		return fail(p, "%s is not a whole number: use // to round down", text);
	}
	return (a % b != 0 && (a < 0) != (b < 0)) ? a / b - 1 : a / b;
}

static int64_t term(struct parser *p)
{
	int64_t v = factor(p);

	while (!p->why[0]) {
		if (accept(p, "*")) {
			if (__builtin_mul_overflow(v, factor(p), &v))
				return fail(p, "the product is too large%s", "");
		} else if (accept(p, "//")) {
			v = divide(p, v, factor(p), 'f');
		} else if (accept(p, "/")) {
			v = divide(p, v, factor(p), '/');
		} else if (accept(p, "%")) {
			v = divide(p, v, factor(p), '%');
		} else {
			break;
		}
	}
	return v;
}

static int64_t expr(struct parser *p)
{
	int64_t v = term(p);

	while (!p->why[0]) {
		if (accept(p, "+")) {
			if (__builtin_add_overflow(v, term(p), &v))
				fail(p, "the sum is too large%s", "");
		} else if (accept(p, "-")) {
			if (__builtin_sub_overflow(v, term(p), &v))
				fail(p, "the difference is too large%s", "");
		} else {
			break;
		}
	}
	return v;
}

static struct json *eval_text(const struct json *v, const struct scope *scope, const struct json_in *in)
{
	const char *text = json_string(v);
	struct parser p = { .s = text, .scope = scope };
	int64_t value;

	if (!strchr(text, '$'))
		return json_str(text);
	if (strlen(text) > LONGEST) { /* also bounds the recursion */
		json_bad(in, v, "the expression is longer than %d characters", LONGEST);
		return NULL;
	}
	if (text[0] == '$' && text[1] && name_length(text + 1) == strlen(text + 1)) {
		const struct json *whole = scope_find(scope, text + 1);

		if (whole)
			return json_copy(whole);
	}
	value = expr(&p);
	blanks(&p);
	if (!p.why[0] && *p.s)
		fail(&p, "cannot understand '%s'", p.s);
	if (p.why[0]) {
		json_bad(in, v, "\"%s\": %s", text, p.why);
		return NULL;
	}
	return json_num((double)value);
}

struct json *scope_eval(const struct json *v, const struct scope *scope, const struct json_in *in)
{
	bool object = json_type(v) == JSON_OBJECT;
	struct json *out;

	if (json_type(v) == JSON_STRING)
		return eval_text(v, scope, in);
	if (!object && json_type(v) != JSON_ARRAY)
		return json_copy(v);
	out = object ? json_object() : json_array();
	JSON_EACH(c, v) {
		struct json *x = scope_eval(c, scope, in);

		if (!x) {
			json_free(out);
			return NULL;
		}
		if (object)
			json_put(out, json_key(c), x);
		else
			json_push(out, x);
	}
	return out;
}
