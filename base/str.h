/* base/str.h - a growing text. A zeroed struct is an empty text; s is always terminated once anything was added. */
#ifndef NAB_BASE_STR_H
#define NAB_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
	char *s;
	size_t len, cap;
};

void str_release(struct str *t);
void str_clear(struct str *t); /* keeps the memory */
void str_add(struct str *t, const char *s);
void str_addn(struct str *t, const char *s, size_t n); /* may hold NUL bytes */
void str_addc(struct str *t, char c);
void str_addf(struct str *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void str_whole(struct str *t, int64_t v);             /* as %lld, and much faster */
void str_add_bytes(struct str *t, uint64_t v, int n); /* n bytes of v, the least significant first */
void str_vaddf(struct str *t, const char *fmt, va_list ap);
const char *str_get(const struct str *t); /* "" when empty; borrowed until the next change */
char *str_detach(struct str *t);          /* caller frees with mem_free; t becomes empty */

/* The name among names[0..n) nearest to `word` within edit distance 2 (or a third of its length), or NULL. */
const char *str_nearest(const char *word, const char *const *names, int n);

/* Shortest decimal text that reads back as the same double ("0.1", "1e-05", "3"); into buf of at least 32 bytes. */
char *str_real(char *buf, double v);

/* A seed as it is written in configurations and flags: a decimal text of at most 64 bits ("42"). -1 if it is none. */
int str_u64(uint64_t *out, const char *s);

/* Bytes of the valid UTF-8 sequence at s (RFC 3629: no overlong forms, no surrogates; NUL is one byte), or 0. */
int str_utf8(const char *s);
/* The character that the valid sequence of n bytes at s stands for. */
uint32_t str_code_point(const char *s, int n);

/* "1,234,567"; into buf of at least 32 bytes. */
char *str_thousands(char *buf, long long v);

#endif
