/* arch/shape.c - see shape.h. */
#include "arch/shape.h"

#include <stdio.h>
#include <string.h>

const char *const tensor_type_names[] = { "image", "vector", "sequence", "tokens", NULL };

int shape_rank(const struct shape *s)
{
	static const int rank[] = { 3, 1, 2, 1 };

	return rank[s->type];
}

int64_t shape_count(const struct shape *s)
{
	int64_t n = 1;

	for (int i = 0; i < shape_rank(s); i++)
		if (__builtin_mul_overflow(n, (int64_t)s->d[i], &n))
			return INT64_MAX;
	return n;
}

bool shape_equal(const struct shape *a, const struct shape *b)
{
	return a->type == b->type && a->open == b->open && memcmp(a->d, b->d, sizeof a->d) == 0;
}

char *shape_text(char buf[48], const struct shape *s)
{
	int n = 0;

	for (int i = 0; i < shape_rank(s); i++) {
		bool time = (s->type == TENSOR_SEQUENCE && i == 1) || s->type == TENSOR_TOKENS;

		n += snprintf(buf + n, 48 - (size_t)n, "%s%s%d", i ? "x" : "", s->open && time ? "<=" : "", s->d[i]);
	}
	return buf;
}
