/* base/err.h - one error struct, first cause wins; and a list of diagnostics for files with several mistakes.
 *
 * A function that can fail returns 0, or -1 after it has filled its last argument, `struct err *e`.
 * err_set() never allocates and never overwrites an earlier error; e may be NULL when the caller only
 * wants the verdict. The code is the exit status of the process (DESIGN.md section 5).
 *
 * A candidate network that diverges, runs out of memory or times out is *data* (a state in the store), not an err.
 */
#ifndef NAB_BASE_ERR_H
#define NAB_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

enum err_code {
	ERR_NONE = 0,
	ERR_RUNTIME = 1,      /* device missing, disk full, I/O: can be resumed */
	ERR_USAGE = 2,        /* wrong command line */
	ERR_INVALID = 3,      /* configuration, model, data or store not acceptable */
	ERR_LOST = 4,         /* finished, but runs were lost to infrastructure */
	ERR_INFEASIBLE = 5,   /* nothing feasible in the search space */
	ERR_BUSY = 75,        /* another coordinator holds the store */
	ERR_INTERRUPTED = 130 /* interrupted, can be resumed */
};

struct err {
	enum err_code code;
	const char *src; /* __FILE__ and __LINE__ of the first cause, shown with -v */
	int line;
	char where[160]; /* "a.json: search.candidates" or "a.json:12:7"; may be empty */
	char msg[480];   /* what is wrong and what to do */
};

#define ERR(e, code, where, ...) err_set(e, code, __FILE__, __LINE__, where, __VA_ARGS__) /* is -1 */
#define TRY(call)                 \
	do {                      \
		if ((call) < 0)   \
			goto out; \
	} while (0)

/* Fills *e unless it already holds an error; where may be NULL. Returns -1. */
int err_set(struct err *e, enum err_code code, const char *src, int line, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

/* Puts `prefix` (and ": ") before e->where, so that a caller can say in which file a part was wrong. */
void err_within(struct err *e, const char *prefix);

/* Forgets the error, for code that has dealt with it. */
void err_clear(struct err *e);

/* "where: msg" (or "msg") into buf. Returns buf. */
const char *err_text(const struct err *e, char *buf, size_t size);

/* Diagnostics: all mistakes of one file, printed together. Kept in the order in which they were added. */
enum diag_level { DIAG_ERROR, DIAG_WARNING };

struct diag_item {
	enum diag_level level;
	char *where; /* key path: "layers[2].conv2d.kernel" */
	char *msg;
};

struct diag {
	struct diag_item *items;
	int n, cap;
	int errors; /* items of level DIAG_ERROR */
};

void diag_release(struct diag *d); /* accepts a zeroed struct */
void diag_add(struct diag *d, enum diag_level level, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void diag_vadd(struct diag *d, enum diag_level level, const char *where, const char *fmt, va_list ap);

/* 0 if d holds no error; otherwise -1 with e set to the first one (and "and N more"), prefixed by `file` if not NULL.
 */
int diag_check(const struct diag *d, enum err_code code, const char *file, struct err *e);

#endif
