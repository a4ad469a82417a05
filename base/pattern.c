/* base/pattern.c - see pattern.h. A pattern becomes a program of a few instructions for a machine that is in many
 * states at once; a step of the machine takes one character.
 */
#include "base/pattern.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum { LONGEST = 1000, DEEPEST = 60 };

enum code { TAKE, TAKE_ANY, TAKE_SET, SPLIT, JUMP, AT_START, AT_END, FOUND };

struct step {
	enum code code;
	uint32_t c;     /* TAKE */
	int to, else_;  /* JUMP, SPLIT */
	int set, n_set; /* TAKE_SET: ranges[set .. set + n_set) */
	bool none_of;
};

struct range {
	uint32_t lo, hi;
};

struct pattern {
	struct step *steps;
	struct range *ranges;
	int n, n_ranges;
};

struct reader {
	const char *s;
	struct pattern *p;
	int depth;
	const char *why;
};

/* ---- characters ----------------------------------------------------------------------------------------- */

/* The character at *s, and past it. A byte that begins none counts alone, apart from all characters. */
static uint32_t take(const char **s)
{
	int n = str_utf8(*s);
	uint32_t c = n ? str_code_point(*s, n) : 0x110000u + (unsigned char)**s;

	*s += n ? n : 1;
	return c;
}

static void add_range(struct pattern *p, uint32_t lo, uint32_t hi)
{
	p->ranges[p->n_ranges++] = (struct range){ lo, hi };
}

/* \d \w \s and what is not them; false if the letter names no class. */
static bool add_class(struct pattern *p, char letter, bool *none_of)
{
	*none_of = isupper((unsigned char)letter);
	switch (tolower((unsigned char)letter)) {
	case 'w':
		add_range(p, 'a', 'z');
		add_range(p, 'A', 'Z');
		add_range(p, '_', '_');
		add_range(p, '0', '9');
		return true;
	case 'd':
		add_range(p, '0', '9');
		return true;
	case 's':
		add_range(p, ' ', ' ');
		add_range(p, '\t', '\r');
		return true;
	default:
		return false;
	}
}

/* ---- reading -------------------------------------------------------------------------------------------- */

static bool fail(struct reader *r, const char *why)
{
	r->why = r->why ? r->why : why;
	return false;
}

static struct step *put(struct reader *r, enum code code)
{
	struct step *t = &r->p->steps[r->p->n++];

	*t = (struct step){ .code = code };
	return t;
}

static bool alternatives(struct reader *r);

/* One member of [...]: a character, a range of them, or a class. */
static bool member(struct reader *r)
{
	bool none_of;
	uint32_t lo, hi;

	if (*r->s == '\\' && r->s[1] && add_class(r->p, r->s[1], &none_of)) {
		r->s += 2;
		return none_of ? fail(r, "\\D, \\W and \\S cannot stand in [...]") : true;
	}
	r->s += *r->s == '\\' && r->s[1];
	lo = hi = take(&r->s);
	if (*r->s == '-' && r->s[1] && r->s[1] != ']') {
		r->s++;
		r->s += *r->s == '\\' && r->s[1];
		hi = take(&r->s);
	}
	if (hi < lo)
		return fail(r, "a range in [...] is upside down");
	add_range(r->p, lo, hi);
	return true;
}

static bool set(struct reader *r)
{
	struct step *t = put(r, TAKE_SET);
	bool first = true;

	r->s++;
	t->set = r->p->n_ranges;
	t->none_of = *r->s == '^';
	r->s += t->none_of;
	for (; *r->s && (first || *r->s != ']'); first = false)
		if (!member(r))
			return false;
	if (!*r->s)
		return fail(r, "a [ has no ]");
	r->s++;
	t->n_set = r->p->n_ranges - t->set;
	return true;
}

static bool escaped(struct reader *r)
{
	struct step *t = put(r, TAKE_SET);

	r->s++;
	if (!*r->s)
		return fail(r, "it ends with a \\");
	if (isdigit((unsigned char)*r->s))
		return fail(r, "there are no back references");
	t->set = r->p->n_ranges;
	if (add_class(r->p, *r->s, &t->none_of)) {
		r->s++;
	} else if (isalpha((unsigned char)*r->s)) {
		return fail(r, "an unknown \\ and letter (there are \\d \\w \\s \\D \\W \\S)");
	} else {
		uint32_t c = take(&r->s);

		t->none_of = false;
		add_range(r->p, c, c);
	}
	t->n_set = r->p->n_ranges - t->set;
	return true;
}

static bool group(struct reader *r)
{
	if (++r->depth > DEEPEST)
		return fail(r, "groups are nested too deep");
	r->s++;
	if (!alternatives(r))
		return false;
	r->depth--;
	if (*r->s != ')')
		return fail(r, "a ( has no )");
	r->s++;
	return true;
}

static bool item(struct reader *r)
{
	switch (*r->s) {
	case '(':
		return group(r);
	case '[':
		return set(r);
	case '\\':
		return escaped(r);
	case '*':
	case '+':
	case '?':
		return fail(r, "*, + or ? has nothing before it");
	case '{':
		return fail(r, "there are no counts in braces (write \\{ for the character)");
	case '.':
	case '^':
	case '$':
		put(r, *r->s == '.' ? TAKE_ANY : *r->s == '^' ? AT_START : AT_END);
		r->s++;
		return true;
	default:
		put(r, TAKE);
		r->p->steps[r->p->n - 1].c = take(&r->s);
		return true;
	}
}

/* Makes room for an instruction before those from `at` on, which move. */
static struct step *insert(struct reader *r, int at)
{
	struct pattern *p = r->p;

	memmove(&p->steps[at + 1], &p->steps[at], (size_t)(p->n - at) * sizeof *p->steps);
	p->n++;
	for (int i = at + 1; i < p->n; i++) {
		struct step *t = &p->steps[i];

		t->to += t->to >= at && (t->code == SPLIT || t->code == JUMP);
		t->else_ += t->else_ >= at && t->code == SPLIT;
	}
	p->steps[at] = (struct step){ .code = SPLIT, .to = at + 1 };
	return &p->steps[at];
}

static void repeat(struct reader *r, int at, char sign)
{
	if (sign == '+') {
		struct step *t = put(r, SPLIT);

		t->to = at;
		t->else_ = r->p->n;
		return;
	}
	insert(r, at);
	if (sign == '*')
		put(r, JUMP)->to = at;
	r->p->steps[at].else_ = r->p->n;
}

static bool sequence(struct reader *r)
{
	while (*r->s && *r->s != '|' && *r->s != ')') {
		int at = r->p->n;

		if (!item(r))
			return false;
		for (; *r->s && strchr("*+?", *r->s); r->s++)
			repeat(r, at, *r->s);
	}
	return true;
}

/* a|b|c:  SPLIT a, next; a; JUMP end; SPLIT b, next; ... */
static bool alternatives(struct reader *r)
{
	int ends[LONGEST + 1], n = 0, at;

	for (;;) {
		at = r->p->n;
		if (!sequence(r))
			return false;
		if (*r->s != '|')
			break;
		r->s++;
		insert(r, at);
		ends[n++] = r->p->n;
		put(r, JUMP);
		r->p->steps[at].else_ = r->p->n;
	}
	for (int i = 0; i < n; i++)
		r->p->steps[ends[i]].to = r->p->n;
	return true;
}

struct pattern *pattern_read(const char *text, struct arena *a, const char **why)
{
	struct reader r = { .s = text, .p = ARENA_NEW(a, struct pattern) };
	size_t n = strlen(text);

	if (n > LONGEST) {
		*why = "it is longer than 1000 characters";
		return NULL;
	}
	/* no character gives more than two instructions or four ranges */
	r.p->steps = ARENA_ARRAY(a, struct step, 2 * n + 2);
	r.p->ranges = ARENA_ARRAY(a, struct range, 4 * n + 1);
	if (alternatives(&r) && *r.s == ')')
		fail(&r, "a ) has no (");
	*why = r.why;
	put(&r, FOUND);
	return r.why ? NULL : r.p;
}

/* ---- searching ------------------------------------------------------------------------------------------ */

struct states {
	int *list, n;
	int *mark; /* [steps] the round in which it was added */
};

struct search {
	const struct pattern *p;
	struct states now, next;
	int round; /* of the character that comes next */
	bool found;
};

static bool takes(const struct pattern *p, const struct step *t, uint32_t c)
{
	bool in = false;

	if (t->code != TAKE_SET)
		return t->code == TAKE_ANY || (t->code == TAKE && t->c == c);
	for (int i = 0; i < t->n_set && !in; i++)
		in = p->ranges[t->set + i].lo <= c && c <= p->ranges[t->set + i].hi;
	return in != t->none_of;
}

/* The states that `first` leads to without taking a character; each is added once a round, so that the list is also the
 * stack of what is still to be followed. */
static void follow(struct search *x, struct states *to, int first, bool start, bool end)
{
	int at = to->n;

#define ADD(i)                                   \
	do {                                     \
		if (to->mark[i] != x->round) {   \
			to->mark[i] = x->round;  \
			to->list[to->n++] = (i); \
		}                                \
	} while (0)
	ADD(first);
	for (; at < to->n; at++) {
		int i = to->list[at];
		const struct step *t = &x->p->steps[i];

		if (t->code == SPLIT)
			ADD(t->else_);
		if (t->code == SPLIT || t->code == JUMP)
			ADD(t->to);
		if ((t->code == AT_START && start) || (t->code == AT_END && end))
			ADD(i + 1);
		x->found |= t->code == FOUND;
	}
#undef ADD
}

bool pattern_found(const struct pattern *p, const char *text)
{
	int *memory = mem_new((size_t)p->n * 4 * sizeof *memory);
	struct search x = { .p = p,
			    .now = { memory, 0, memory + p->n },
			    .next = { memory + 2 * p->n, 0, memory + 3 * p->n },
			    .round = 1 };
	bool start = true;

	for (;;) {
		struct states swap = x.now;
		uint32_t c;

		follow(&x, &x.now, 0, start, !*text); /* a match may begin anywhere */
		if (x.found || !*text)
			break;
		start = false;
		c = take(&text);
		x.round++;
		x.next.n = 0;
		for (int i = 0; i < x.now.n; i++)
			if (takes(p, &p->steps[x.now.list[i]], c))
				follow(&x, &x.next, x.now.list[i] + 1, false, !*text);
		x.now = x.next;
		x.next = swap;
	}
	mem_free(memory);
	return x.found;
}
