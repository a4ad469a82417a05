/* base/filter.c - see filter.h. A text is read by recursive descent into a tree of typed nodes, which is then walked.
 */
#include "base/filter.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pattern.h"
#include "base/str.h"

enum { LONGEST = 2000, DEEPEST = 60, NAME = 64 };

enum op {
	OP_NUMBER,
	OP_TEXT,
	OP_NAME,
	OP_KNOWN,
	OP_OR,
	OP_AND,
	OP_NOT,
	OP_COMPARE,
	OP_MATCH,
	OP_ONE, /* a function of one number */
	OP_TWO  /* of two */
};

enum { LESS = 1, EQUAL = 2, MORE = 4, MATCH = 8, NO_MATCH = 16 }; /* what a comparison accepts */

struct node {
	enum op op;
	enum filter_type type;
	const struct node *a, *b;
	int name;
	unsigned accepts;
	double number;
	const char *text;
	double (*one)(double a);
	double (*two)(double a, double b); /* never called with an unknown number */
	const struct pattern *pattern;
};

struct filter {
	const struct node *root;
};

static const char *const type_names[] = {
	[FILTER_NUMBER] = "a number", [FILTER_TEXT] = "a text", [FILTER_CONDITION] = "a condition"
};

/* ---- reading -------------------------------------------------------------------------------------------- */

struct reader {
	const char *text, *s; /* whole, rest */
	const char *where;
	const struct filter_name *names;
	int n, depth;
	struct arena *arena;
	struct err *e;
};

static struct node *disjunction(struct reader *r);

static void say(struct reader *r, const char *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void say(struct reader *r, const char *at, const char *fmt, ...)
{
	char place[160], msg[480];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	snprintf(place, sizeof place, "%s, character %d", r->where, (int)(at - r->text) + 1);
	ERR(r->e, ERR_USAGE, place, "%s", msg);
}

static void blanks(struct reader *r)
{
	while (*r->s == ' ' || *r->s == '\t' || *r->s == '\n')
		r->s++;
}

static size_t word_length(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || s[n] == '_')
		n++;
	return n;
}

/* A token of signs, or a whole word. */
static bool accept(struct reader *r, const char *token)
{
	size_t n = strlen(token);

	blanks(r);
	if (strncmp(r->s, token, n) || (isalpha((unsigned char)*token) && word_length(r->s) != n))
		return false;
	r->s += n;
	return true;
}

static struct node *node(struct reader *r, enum op op, enum filter_type type, const struct node *a,
			 const struct node *b)
{
	struct node *v = ARENA_NEW(r->arena, struct node);

	*v = (struct node){ .op = op, .type = type, .a = a, .b = b };
	return v;
}

static bool want(struct reader *r, const char *at, const struct node *v, enum filter_type type, const char *by)
{
	if (v->type != type)
		say(r, at, "%s takes %s, but this is %s", by, type_names[type], type_names[v->type]);
	return v->type == type;
}

static struct node *number(struct reader *r)
{
	static const char units[] = "kMG%";
	static const double worth[] = { 1e3, 1e6, 1e9, 0.01 };
	struct node *v = node(r, OP_NUMBER, FILTER_NUMBER, NULL, NULL);
	const char *at = r->s, *unit;
	char *end;

	v->number = strtod(r->s, &end);
	r->s = end;
	unit = *r->s ? strchr(units, *r->s) : NULL;
	if (unit) {
		v->number *= worth[unit - units];
		r->s++;
	}
	if (word_length(r->s) || *r->s == '.' || !isfinite(v->number)) {
		say(r, at, "\"%.*s\" is not a number", (int)(r->s - at + (long)word_length(r->s)), at);
		return NULL;
	}
	return v;
}

static struct node *text(struct reader *r)
{
	struct node *v = node(r, OP_TEXT, FILTER_TEXT, NULL, NULL);
	const char *end = strchr(r->s + 1, *r->s);

	if (!end) {
		say(r, r->s, "the text that begins here has no closing %c", *r->s);
		return NULL;
	}
	v->text = arena_printf(r->arena, "%.*s", (int)(end - r->s - 1), r->s + 1);
	r->s = end + 1;
	return v;
}

static struct node *unknown(struct reader *r, const char *at, const char *word)
{
	const char **list = ARENA_ARRAY(r->arena, const char *, r->n + 1), *near;
	struct str all = { 0 };

	for (int i = 0; i < r->n; i++) {
		list[i] = r->names[i].name;
		if (r->names[i].help)
			str_addf(&all, "%s%s", all.len ? ", " : "", r->names[i].name);
	}
	near = str_nearest(word, list, r->n);
	if (near)
		say(r, at, "unknown name \"%s\" (did you mean \"%s\"?)", word, near);
	else
		say(r, at, "unknown name \"%s\" (texts stand in quotes); there is %s", word, str_get(&all));
	str_release(&all);
	return NULL;
}

static struct node *name(struct reader *r)
{
	size_t n = word_length(r->s);
	const char *at = r->s;
	struct node *v;
	char word[NAME];

	snprintf(word, sizeof word, "%.*s", (int)n, r->s);
	for (int i = 0; i < r->n; i++) {
		if (n >= sizeof word || strcmp(r->names[i].name, word))
			continue;
		r->s += n;
		v = node(r, OP_NAME, r->names[i].type, NULL, NULL);
		v->name = i;
		return v;
	}
	return unknown(r, at, word);
}

static bool expect(struct reader *r, const char *token, const char *what)
{
	if (accept(r, token))
		return true;
	say(r, r->s, "\"%s\" is missing %s", token, what);
	return false;
}

/* "known" "(" name ")" */
static struct node *known(struct reader *r)
{
	struct node *asked, *v;

	if (!expect(r, "(", "after known"))
		return NULL;
	blanks(r);
	asked = name(r);
	if (!asked || !expect(r, ")", "after the name"))
		return NULL;
	v = node(r, OP_KNOWN, FILTER_CONDITION, asked, NULL);
	v->name = asked->name;
	return v;
}

static struct node *sum(struct reader *r);

static const struct function {
	const char *name;
	double (*one)(double a);
	double (*two)(double a, double b);
} functions[] = { { "log10", log10, NULL }, { "log2", log2, NULL }, { "ln", log, NULL },  { "sqrt", sqrt, NULL },
		  { "abs", fabs, NULL },    { "min", NULL, fmin },  { "max", NULL, fmax } };

static struct node *of_one(struct reader *r, double (*one)(double a), const struct node *a)
{
	struct node *v = node(r, OP_ONE, FILTER_NUMBER, a, NULL);

	v->one = one;
	return v;
}

static struct node *of_two(struct reader *r, double (*two)(double a, double b), const struct node *a,
			   const struct node *b)
{
	struct node *v = node(r, OP_TWO, FILTER_NUMBER, a, b);

	v->two = two;
	return v;
}

/* Its arguments; several become a chain of pairs. */
static struct node *call(struct reader *r, const struct function *f)
{
	struct node *all = NULL;
	int n = 0;

	if (!expect(r, "(", "after the function's name"))
		return NULL;
	do {
		const char *at = (blanks(r), r->s);
		struct node *v = sum(r);

		if (!v || !want(r, at, v, FILTER_NUMBER, f->name))
			return NULL;
		all = n++ ? of_two(r, f->two, all, v) : v;
	} while (f->two && accept(r, ","));
	if (f->two && n < 2) {
		say(r, r->s, "%s takes at least two numbers, with commas between them", f->name);
		return NULL;
	}
	if (!expect(r, ")", "after the function's arguments"))
		return NULL;
	return f->two ? all : of_one(r, f->one, all);
}

/* A function, known(), or a name. */
static struct node *word(struct reader *r)
{
	size_t n = word_length(r->s);

	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
		if (strlen(functions[i].name) == n && strncmp(functions[i].name, r->s, n) == 0) {
			r->s += n;
			return call(r, &functions[i]);
		}
	return accept(r, "known") ? known(r) : name(r);
}

static struct node *primary(struct reader *r)
{
	struct node *v;

	blanks(r);
	if (*r->s == '\'' || *r->s == '"')
		return text(r);
	if (isdigit((unsigned char)*r->s) || *r->s == '.')
		return number(r);
	if (isalpha((unsigned char)*r->s) || *r->s == '_')
		return word(r);
	if (!accept(r, "(")) {
		if (*r->s)
			say(r, r->s, "a name, a number, a text in quotes or \"(\" is expected, not '%.1s'",
			    (unsigned char)*r->s < 0x80 && isprint((unsigned char)*r->s) ? r->s : "?");
		else
			say(r, r->s, "something is missing at the end");
		return NULL;
	}
	v = disjunction(r);
	return v && expect(r, ")", "that closes the parenthesis") ? v : NULL;
}

/* Everything that nests passes here or in negation(). */
static bool deeper(struct reader *r)
{
	if (++r->depth <= DEEPEST)
		return true;
	say(r, r->s, "nested more than %d deep", DEEPEST);
	return false;
}

static double negative(double a)
{
	return -a;
}

static struct node *sign(struct reader *r)
{
	struct node *v = NULL;
	const char *at;

	if (!deeper(r))
		return NULL;
	if (!accept(r, "-")) {
		v = primary(r);
	} else {
		blanks(r);
		at = r->s;
		v = sign(r);
		v = v && want(r, at, v, FILTER_NUMBER, "-") ? of_one(r, negative, v) : NULL;
	}
	r->depth--;
	return v;
}

/* Left to right: part {sign part}, all numbers. */
static struct node *chain(struct reader *r, struct node *(*part)(struct reader *r), const char *const signs[2],
			  double (*const two[2])(double, double))
{
	const char *at = (blanks(r), r->s), *next;
	struct node *v = part(r), *w;

	while (v) {
		int k = accept(r, signs[0]) ? 0 : accept(r, signs[1]) ? 1 : -1;

		if (k < 0)
			break;
		blanks(r);
		next = r->s;
		if (!want(r, at, v, FILTER_NUMBER, signs[k]))
			return NULL;
		w = part(r);
		if (!w || !want(r, next, w, FILTER_NUMBER, signs[k]))
			return NULL;
		v = of_two(r, two[k], v, w);
	}
	return v;
}

static double times(double a, double b)
{
	return a * b;
}

static double over(double a, double b)
{
	return a / b;
}

static double plus(double a, double b)
{
	return a + b;
}

static double minus(double a, double b)
{
	return a - b;
}

static struct node *term(struct reader *r)
{
	return chain(r, sign, (const char *const[]){ "*", "/" }, (double (*const[])(double, double)){ times, over });
}

static struct node *sum(struct reader *r)
{
	return chain(r, term, (const char *const[]){ "+", "-" }, (double (*const[])(double, double)){ plus, minus });
}

static struct node *match(struct reader *r, const char *at, unsigned accepts, const struct node *a,
			  const struct node *b)
{
	struct node *v = node(r, OP_MATCH, FILTER_CONDITION, a, NULL);
	const char *why;

	if (b->op != OP_TEXT) {
		say(r, at, "behind ~ stands a regular expression in quotes");
		return NULL;
	}
	v->pattern = pattern_read(b->text, r->arena, &why);
	v->accepts = accepts;
	if (!v->pattern)
		say(r, at, "not a regular expression: %s", why);
	return v->pattern ? v : NULL;
}

static const struct sign {
	const char *text;
	unsigned accepts;
} signs[] = { /* the longer ones first */
	      { "<=", LESS | EQUAL }, { "<", LESS },         { ">=", MORE | EQUAL }, { ">", MORE }, { "==", EQUAL },
	      { "=", EQUAL },         { "!=", LESS | MORE }, { "!~", NO_MATCH },     { "~", MATCH }
};
enum { SIGNS = sizeof signs / sizeof *signs };

static struct node *comparison(struct reader *r)
{
	const char *at = (blanks(r), r->s), *next;
	struct node *a = sum(r), *b, *v;
	int k = 0;

	while (a && k < SIGNS && !accept(r, signs[k].text))
		k++;
	if (!a || k == SIGNS)
		return a;
	blanks(r);
	next = r->s;
	b = sum(r);
	if (!b)
		return NULL;
	if (a->type == FILTER_CONDITION || b->type == FILTER_CONDITION) {
		say(r, a->type == FILTER_CONDITION ? at : next,
		    "%s compares numbers or texts, but this is a condition (join conditions by and, or)",
		    signs[k].text);
		return NULL;
	}
	if (signs[k].accepts & (MATCH | NO_MATCH)) {
		if (!want(r, at, a, FILTER_TEXT, signs[k].text) || !want(r, next, b, FILTER_TEXT, signs[k].text))
			return NULL;
		return match(r, next, signs[k].accepts, a, b);
	}
	if (a->type != b->type) {
		say(r, next, "%s cannot be compared with %s", type_names[a->type], type_names[b->type]);
		return NULL;
	}
	v = node(r, OP_COMPARE, FILTER_CONDITION, a, b);
	v->accepts = signs[k].accepts;
	return v;
}

static struct node *negation(struct reader *r)
{
	const char *at;
	struct node *v;

	if (!accept(r, "not") && !accept(r, "!"))
		return comparison(r);
	if (!deeper(r))
		return NULL;
	blanks(r);
	at = r->s;
	v = negation(r);
	r->depth--;
	return v && want(r, at, v, FILTER_CONDITION, "not") ? node(r, OP_NOT, FILTER_CONDITION, v, NULL) : NULL;
}

static struct node *joined(struct reader *r, struct node *(*part)(struct reader *r), const char *word_,
			   const char *sign_, enum op op)
{
	const char *at = (blanks(r), r->s), *next;
	struct node *v = part(r), *w;

	while (v && (accept(r, word_) || accept(r, sign_))) {
		blanks(r);
		next = r->s;
		if (!want(r, at, v, FILTER_CONDITION, word_))
			return NULL;
		w = part(r);
		if (!w || !want(r, next, w, FILTER_CONDITION, word_))
			return NULL;
		v = node(r, op, FILTER_CONDITION, v, w);
	}
	return v;
}

static struct node *conjunction(struct reader *r)
{
	return joined(r, negation, "and", "&&", OP_AND);
}

static struct node *disjunction(struct reader *r)
{
	return joined(r, conjunction, "or", "||", OP_OR);
}

int filter_read(struct filter **out, const char *text_, enum filter_use use, const struct filter_name *names, int n,
		const char *where, struct arena *a, struct err *e)
{
	struct reader r = { text_, text_, where, names, n, 0, a, e };
	struct filter *f;
	struct node *root;

	if (strlen(text_) > LONGEST)
		return ERR(e, ERR_USAGE, where, "longer than %d characters", LONGEST);
	root = disjunction(&r);
	if (!root)
		return -1;
	blanks(&r);
	if (*r.s) {
		say(&r, r.s, "\"%.20s\" does not belong here: conditions are joined by and, or", r.s);
		return -1;
	}
	if ((use == FILTER_WHERE) != (root->type == FILTER_CONDITION)) {
		say(&r, text_,
		    use == FILTER_WHERE ? "a condition is wanted, such as acc > 0.9, but this is %s"
					: "a number or a text to sort by is wanted, but this is %s",
		    type_names[root->type]);
		return -1;
	}
	f = ARENA_NEW(a, struct filter);
	f->root = root;
	*out = f;
	return 0;
}

/* ---- asking --------------------------------------------------------------------------------------------- */

static bool node_uses(const struct node *v, int name)
{
	return v && (((v->op == OP_NAME || v->op == OP_KNOWN) && v->name == name) || node_uses(v->a, name) ||
		     node_uses(v->b, name));
}

bool filter_uses(const struct filter *f, int name)
{
	return node_uses(f->root, name);
}

int filter_only(const struct filter *f)
{
	return f->root->op == OP_NAME ? f->root->name : -1;
}

enum filter_type filter_result(const struct filter *f)
{
	return f->root->type;
}

static double calculated(const struct node *v, const struct filter_value *x);

static const char *text_of(const struct node *v, const struct filter_value *x)
{
	return v->op == OP_TEXT ? v->text : x[v->name].text;
}

/* LESS, EQUAL or MORE as the left is that of the right; 0 if one of them is unknown. */
static unsigned compared(const struct node *v, const struct filter_value *x)
{
	double a, b;

	if (v->a->type == FILTER_TEXT) {
		const char *s = text_of(v->a, x), *t = text_of(v->b, x);
		int c = s && t ? strcmp(s, t) : 0;

		return !s || !t ? 0 : c < 0 ? LESS : c > 0 ? MORE : EQUAL;
	}
	a = calculated(v->a, x);
	b = calculated(v->b, x);
	return isnan(a) || isnan(b) ? 0 : a < b ? LESS : a > b ? MORE : EQUAL;
}

static bool matches(const struct node *v, const struct filter_value *x)
{
	const char *s = text_of(v->a, x);

	return s && v->accepts == (pattern_found(v->pattern, s) ? MATCH : NO_MATCH);
}

static bool holds(const struct node *v, const struct filter_value *x)
{
	switch (v->op) {
	case OP_OR:
		return holds(v->a, x) || holds(v->b, x);
	case OP_AND:
		return holds(v->a, x) && holds(v->b, x);
	case OP_NOT:
		return !holds(v->a, x);
	case OP_NAME:
		return x[v->name].number > 0;
	case OP_KNOWN:
		return v->a->type == FILTER_TEXT ? x[v->name].text != NULL : !isnan(x[v->name].number);
	case OP_COMPARE:
		return v->accepts & compared(v, x);
	case OP_MATCH:
		return matches(v, x);
	case OP_NUMBER:
	case OP_TEXT:
	case OP_ONE:
	case OP_TWO:
		break;
	}
	assert(!"a condition");
	return false;
}

static double calculated(const struct node *v, const struct filter_value *x)
{
	double a, b, y;

	if (v->op == OP_NUMBER)
		return v->number;
	if (v->op == OP_NAME)
		return x[v->name].number;
	a = calculated(v->a, x);
	if (v->op == OP_ONE)
		return isfinite(y = v->one(a)) ? y : (double)NAN;
	b = calculated(v->b, x);
	if (isnan(a) || isnan(b))
		return (double)NAN; /* fmin() and fmax() would pass over it */
	return isfinite(y = v->two(a, b)) ? y : (double)NAN;
}

bool filter_true(const struct filter *f, const struct filter_value *values)
{
	return holds(f->root, values);
}

struct filter_value filter_value(const struct filter *f, const struct filter_value *values)
{
	if (f->root->type == FILTER_TEXT)
		return (struct filter_value){ (double)NAN, text_of(f->root, values) };
	return (struct filter_value){ calculated(f->root, values), NULL };
}

void filter_help(struct str *out, const struct filter_name *names, int n)
{
	for (int i = 0; i < n; i++)
		if (names[i].help)
			str_addf(out, "  %-18s %s\n", names[i].name, names[i].help);
}
