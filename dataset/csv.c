/* dataset/csv.c - see csv.h. */
#include "dataset/csv.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct cursor {
	char *s, *end;
	uint32_t line;
	char delimiter;
	const char *name;
	struct err *e;
};

static int bad(const struct cursor *c, uint32_t line, const char *what)
{
	char where[160];

	snprintf(where, sizeof where, "%s:%" PRIu32, c->name, line);
	return ERR(c->e, ERR_INVALID, where, "%s", what);
}

static int is_blank(const struct cursor *c, char x)
{
	return (x == ' ' || x == '\t') && x != c->delimiter;
}

/* A quoted cell, after its opening quote; "" stands for one quote. Leaves the cursor behind the closing one. */
static int quoted(struct cursor *c, char **end)
{
	uint32_t line = c->line;
	char *to = c->s;

	for (; c->s < c->end; c->s++) {
		if (*c->s == '"' && c->s[1] != '"')
			break;
		if (*c->s == '"')
			c->s++;
		c->line += *c->s == '\n';
		*to++ = *c->s;
	}
	if (c->s >= c->end)
		return bad(c, line, "a quote is opened and never closed");
	c->s++;
	*end = to;
	while (c->s < c->end && is_blank(c, *c->s))
		c->s++;
	if (c->s < c->end && *c->s != c->delimiter && *c->s != '\n' && *c->s != '\r')
		return bad(c, c->line, "there is text after a closing quote");
	return 0;
}

/* One cell; *last: it ends its row. The NUL that ends it is written over what separates it from the next. */
static int cell(struct cursor *c, char **start, int *last)
{
	char *end = c->s;

	while (c->s < c->end && is_blank(c, *c->s))
		c->s++;
	if (c->s < c->end && *c->s == '"') {
		*start = ++c->s;
		if (quoted(c, &end) < 0)
			return -1;
	} else {
		*start = c->s;
		while (c->s < c->end && *c->s != c->delimiter && *c->s != '\n')
			c->s++;
		end = c->s;
		while (end > *start && (is_blank(c, end[-1]) || end[-1] == '\r'))
			end--;
	}
	if (c->s < c->end && *c->s == '\r')
		c->s++;
	*last = c->s >= c->end || *c->s != c->delimiter;
	if (*last && c->s < c->end && *c->s != '\n')
		return bad(c, c->line, "a carriage return stands alone");
	c->line += *last;
	c->s++;
	*end = 0;
	return 0;
}

static int skip_blank_lines(struct cursor *c)
{
	for (;;) {
		char *s = c->s;

		while (s < c->end && (is_blank(c, *s) || *s == '\r'))
			s++;
		if (s < c->end && *s != '\n')
			return 1;
		if (s >= c->end)
			return 0;
		c->s = s + 1;
		c->line++;
	}
}

static int row(struct table *t, struct cursor *c, size_t *n, size_t *cap)
{
	uint32_t line = c->line;
	int last = 0, columns = 0;
	char *start;

	while (!last) {
		if (cell(c, &start, &last) < 0)
			return -1;
		GROW(t->cell, *n, *cap);
		t->cell[(*n)++] = (uint32_t)(start - t->text);
		if (++columns > 1 << 20)
			return bad(c, line, "has more than a million columns");
	}
	if (t->rows == 0)
		t->columns = columns;
	if (columns != t->columns) {
		char what[80];

		snprintf(what, sizeof what, "has %d columns, the first row has %d", columns, t->columns);
		return bad(c, line, what);
	}
	return 0;
}

int table_parse(struct table *t, char *text, size_t len, char delimiter, const char *name, struct err *e)
{
	struct cursor c = { text, text + len, 1, delimiter, name, e };
	size_t n = 0, cap = 0, lines_cap = 0;

	memset(t, 0, sizeof *t);
	t->text = text;
	if (len >= UINT32_MAX)
		return ERR(e, ERR_INVALID, name, "holds 4 GiB or more, too much for a text table");
	if (memchr(text, 0, len))
		return ERR(e, ERR_INVALID, name, "holds a NUL byte: this is no text table");
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) /* byte-order mark */
		c.s += 3;
	while (skip_blank_lines(&c)) {
		uint32_t line = c.line;

		if (row(t, &c, &n, &cap) < 0) {
			table_release(t);
			return -1;
		}
		GROW(t->line, (size_t)t->rows, lines_cap);
		t->line[t->rows++] = line;
	}
	if (t->rows == 0)
		return ERR(e, ERR_INVALID, name, "is empty");
	return 0;
}

void table_release(struct table *t)
{
	mem_free(t->cell);
	mem_free(t->line);
	memset(t, 0, sizeof *t);
}

int cell_number(double *out, const char *s)
{
	char *end;

	if (!*s || s[strspn(s, "0123456789+-.eE")])
		return -1;
	*out = strtod(s, &end);
	return *end || !isfinite(*out) ? -1 : 0;
}
