/* base/mem.c - see mem.h. Arena: a list of chunks, the newest first; reset keeps the largest chunk. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CHUNK_BYTES = 64 << 10, ALIGN = 16, HUGE_PAGE = 2 << 20 };

static void (*oom_handler)(void) = abort;
static long fail_countdown;

void mem_on_oom(void (*handler)(void))
{
	oom_handler = handler;
}

void mem_fail_at(long n)
{
	fail_countdown = n;
}

static int must_fail(void)
{
	return fail_countdown > 0 && --fail_countdown == 0;
}

static void *checked(void *p)
{
	if (!p) {
		oom_handler();
		abort();
	}
	return p;
}

void *mem_new(size_t bytes)
{
	return checked(must_fail() ? NULL : calloc(1, bytes ? bytes : 1));
}

void *mem_resize(void *p, size_t bytes)
{
	return checked(must_fail() ? NULL : realloc(p, bytes ? bytes : 1));
}

char *mem_strdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(mem_new(n), s, n);
}

void mem_free(void *p)
{
	free(p);
}

struct chunk {
	struct chunk *next;
	size_t used, size; /* bytes of data[] */
	_Alignas(ALIGN) char data[];
};

struct defer {
	struct defer *next;
	void (*fn)(void *arg);
	void *arg;
};

struct arena {
	struct chunk *head;
	struct defer *defers; /* latest first; they lie in the arena */
	size_t reserved;
};

struct arena *arena_new(void)
{
	return mem_new(sizeof(struct arena));
}

void arena_defer(struct arena *a, void (*fn)(void *arg), void *arg)
{
	struct defer *d = ARENA_NEW(a, struct defer);

	*d = (struct defer){ a->defers, fn, arg };
	a->defers = d;
}

static void run_defers(struct arena *a, const struct defer *until)
{
	while (a->defers != until) {
		struct defer *d = a->defers;

		a->defers = d->next;
		d->fn(d->arg);
	}
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	run_defers(a, NULL);
	for (struct chunk *c = a->head, *next; c; c = next) {
		next = c->next;
		mem_free(c);
	}
	mem_free(a);
}

void arena_reset(struct arena *a)
{
	struct chunk *keep = a->head;

	if (!keep)
		return;
	run_defers(a, NULL);
	for (struct chunk *c = keep->next, *next; c; c = next) {
		next = c->next;
		if (c->size > keep->size) {
			struct chunk *smaller = keep;

			keep = c;
			c = smaller;
		}
		mem_free(c);
	}
	keep->next = NULL;
	keep->used = 0;
	a->head = keep;
	a->reserved = keep->size;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
	struct chunk *c = a->head;
	void *p;

	bytes = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (!c || c->size - c->used < bytes) {
		size_t size = bytes > CHUNK_BYTES / 4 ? bytes + CHUNK_BYTES : CHUNK_BYTES;

		c = checked(must_fail() ? NULL : malloc(sizeof *c + size));
		*c = (struct chunk){ .next = a->head, .size = size };
		a->head = c;
		a->reserved += size;
	}
	p = c->data + c->used;
	c->used += bytes;
	return memset(p, 0, bytes);
}

char *arena_strdup(struct arena *a, const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(arena_alloc(a, n), s, n);
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *p;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = arena_alloc(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p;
}

size_t arena_bytes(const struct arena *a)
{
	return a->reserved;
}

struct arena_mark arena_mark(const struct arena *a)
{
	return (struct arena_mark){ a->head, a->defers, a->head ? a->head->used : 0 };
}

void arena_rewind(struct arena *a, struct arena_mark to)
{
	run_defers(a, to.defers);
	while (a->head != to.chunk) {
		struct chunk *c = a->head;

		/* an arena that was empty keeps a chunk, so that attempt after attempt asks the system for nothing */
		if (!to.chunk && !c->next) {
			c->used = 0;
			return;
		}
		a->head = c->next;
		a->reserved -= c->size;
		mem_free(c);
	}
	if (a->head)
		a->head->used = to.used;
}

static size_t block_size(size_t bytes)
{
	size_t unit = bytes >= HUGE_PAGE ? HUGE_PAGE : 4096;

	return (bytes + unit - 1) & ~(unit - 1);
}

void *block_new(size_t bytes)
{
	size_t size = block_size(bytes);
	void *p;

	if (size < bytes || must_fail())
		return NULL;
	p = aligned_alloc(size >= HUGE_PAGE ? HUGE_PAGE : 64, size);
	if (!p)
		return NULL;
	if (size >= HUGE_PAGE)
		madvise(p, size, MADV_HUGEPAGE);
	return memset(p, 0, size);
}

void block_free(void *p, size_t bytes)
{
	(void)bytes;
	free(p);
}
