/* base/err.c - see err.h. */
#include "base/err.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

int err_set(struct err *e, enum err_code code, const char *src, int line, const char *where, const char *fmt, ...)
{
	va_list ap;

	if (!e || e->code)
		return -1;
	e->code = code;
	e->src = src;
	e->line = line;
	snprintf(e->where, sizeof e->where, "%s", where ? where : "");
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	return -1;
}

void err_within(struct err *e, const char *prefix)
{
	char old[sizeof e->where];

	if (!e || !e->code)
		return;
	memcpy(old, e->where, sizeof old);
	snprintf(e->where, sizeof e->where, old[0] ? "%s: %s" : "%s%s", prefix, old);
}

void err_clear(struct err *e)
{
	if (e)
		memset(e, 0, sizeof *e);
}

const char *err_text(const struct err *e, char *buf, size_t size)
{
	snprintf(buf, size, e->where[0] ? "%s: %s" : "%s%s", e->where, e->msg);
	return buf;
}

void diag_release(struct diag *d)
{
	if (!d)
		return;
	for (int i = 0; i < d->n; i++) {
		mem_free(d->items[i].where);
		mem_free(d->items[i].msg);
	}
	mem_free(d->items);
	memset(d, 0, sizeof *d);
}

void diag_vadd(struct diag *d, enum diag_level level, const char *where, const char *fmt, va_list ap)
{
	char msg[320];

	vsnprintf(msg, sizeof msg, fmt, ap);
	if (d->n == d->cap) {
		d->cap = d->cap ? 2 * d->cap : 8;
		d->items = mem_resize(d->items, (size_t)d->cap * sizeof *d->items);
	}
	d->items[d->n++] = (struct diag_item){ level, mem_strdup(where ? where : ""), mem_strdup(msg) };
	d->errors += level == DIAG_ERROR;
}

void diag_add(struct diag *d, enum diag_level level, const char *where, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_vadd(d, level, where, fmt, ap);
	va_end(ap);
}

int diag_check(const struct diag *d, enum err_code code, const char *file, struct err *e)
{
	char where[160];

	if (!d->errors)
		return 0;
	for (int i = 0; i < d->n; i++) {
		const struct diag_item *it = &d->items[i];

		if (it->level != DIAG_ERROR)
			continue;
		snprintf(where, sizeof where, "%s%s%s", file ? file : "", file && it->where[0] ? ": " : "", it->where);
		if (d->errors > 1)
			return ERR(e, code, where, "%s (and %d more)", it->msg, d->errors - 1);
		return ERR(e, code, where, "%s", it->msg);
	}
	return 0;
}
