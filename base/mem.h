/* base/mem.h - all host memory of the project.
 *
 * Two kinds of request, two kinds of failure:
 * - small things (texts, lists, graphs, arenas): these calls never return NULL. When the system refuses, they call
 *   the handler set with mem_on_oom(), which must not return (cli/ says "out of memory" and exits with status 1; the
 *   store is transactional, so nothing stored is lost and the run can be resumed). This keeps thousands of impossible
 *   error paths out of the code; `make check-fault` makes every n-th request fail to show that it holds.
 * - big blocks (tensors, data sets): block_new() returns NULL and the caller turns that into an error or into the
 *   run state "oom".
 *
 * An arena is a lifetime: run, candidate, step. Things in it are never freed singly.
 */
#ifndef NAB_BASE_MEM_H
#define NAB_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

void mem_on_oom(void (*handler)(void)); /* handler must not return; default: abort */
void mem_fail_at(long n);               /* tests: the n-th request from now on fails (0: never) */

void *mem_new(size_t bytes);             /* zeroed */
void *mem_resize(void *p, size_t bytes); /* like realloc; new bytes are undefined */
char *mem_strdup(const char *s);
void mem_free(void *p);

/* Appends room for one more element to a growing array: GROW(items, n, cap); items[n++] = ...; */
#define GROW(items, n, cap)                                                             \
	do {                                                                            \
		if ((n) == (cap)) {                                                     \
			(cap) = (cap) ? 2 * (cap) : 8;                                  \
			(items) = mem_resize((items), (size_t)(cap) * sizeof *(items)); \
		}                                                                       \
	} while (0)

struct arena; /* a growing block allocator */

struct arena *arena_new(void);
void arena_free(struct arena *a);                 /* accepts NULL */
void arena_reset(struct arena *a);                /* everything in it becomes invalid; memory is kept for reuse */
void *arena_alloc(struct arena *a, size_t bytes); /* zeroed, aligned to 16 */
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
size_t arena_bytes(const struct arena *a); /* reserved from the system */

/* Calls fn(arg) when the arena is reset or freed (latest first): for things in it that hold other memory. */
void arena_defer(struct arena *a, void (*fn)(void *arg), void *arg);

/* What was taken after the mark becomes invalid: for attempts that are thrown away. Marks nest. */
struct arena_mark {
	void *chunk, *defers;
	size_t used;
};
struct arena_mark arena_mark(const struct arena *a);
void arena_rewind(struct arena *a, struct arena_mark to);

#define ARENA_NEW(a, type)      ((type *)arena_alloc(a, sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_alloc(a, (size_t)(n) * sizeof(type)))

/* A big zeroed block, aligned to 64 bytes (to 2 MiB with huge pages asked for when it is large). NULL if refused. */
void *block_new(size_t bytes);
void block_free(void *p, size_t bytes);

#endif
