/* store/db.c - see db.h. */
#include "store/db.h"
#include "store/store.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "store/store.h"

/* A quota or a limit on file sizes ends as an I/O error of a write: to the user it is the same as a full disk. */
static bool no_space(int code)
{
	return (code & 0xff) == SQLITE_FULL || code == SQLITE_IOERR_WRITE || code == SQLITE_IOERR_SHMSIZE ||
	       code == SQLITE_IOERR_FSYNC;
}

int db_fail(struct store *s, const char *doing, struct err *e)
{
	int extended = sqlite3_extended_errcode(s->db), code = extended & 0xff;

	s->disk_full = code == SQLITE_FULL || code == SQLITE_IOERR;
	if (no_space(extended))
		return ERR(e, ERR_RUNTIME, s->path,
			   "the disk is full or cannot be written: free some space; nothing stored is lost");
	if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
		return ERR(e, ERR_INVALID, s->path,
			   "is damaged or not a store (%s): restore a backup, or name another file with --store",
			   sqlite3_errmsg(s->db));
	if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
		return ERR(e, ERR_BUSY, s->path, "is in use by another program: try again when it has ended");
	if (code == SQLITE_IOERR)
		return ERR(e, ERR_RUNTIME, s->path, "%s failed: %s (%s)", doing, sqlite3_errmsg(s->db),
			   strerror(sqlite3_system_errno(s->db)));
	return ERR(e, ERR_RUNTIME, s->path, "%s failed: %s", doing, sqlite3_errmsg(s->db));
}

int db_exec(struct store *s, const char *sql, struct err *e)
{
	if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_fail(s, "a change", e);
	return 0;
}

static sqlite3_stmt *prepared(struct store *s, const char *sql, struct err *e)
{
	sqlite3_stmt *st = NULL;

	for (int i = 0; i < s->n; i++)
		if (s->statements[i].sql == sql)
			return s->statements[i].st;
	if (sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL) != SQLITE_OK) {
		db_fail(s, "preparing a query", e);
		return NULL;
	}
	GROW(s->statements, s->n, s->cap);
	s->statements[s->n++] = (struct db_statement){ sql, st };
	return st;
}

static int bind_real(sqlite3_stmt *st, int at, double v)
{
	return isnan(v) ? sqlite3_bind_null(st, at) : sqlite3_bind_double(st, at, v);
}

static int bind_id(sqlite3_stmt *st, int at, int64_t v)
{
	return v ? sqlite3_bind_int64(st, at, v) : sqlite3_bind_null(st, at);
}

static int bind_all(sqlite3_stmt *st, const char *types, va_list ap)
{
	int rc = SQLITE_OK;

	assert((int)strlen(types) == sqlite3_bind_parameter_count(st));
	for (int i = 1; *types && rc == SQLITE_OK; types++, i++) {
		const void *p;

		switch (*types) {
		case 'n':
			rc = sqlite3_bind_int(st, i, va_arg(ap, int));
			break;
		case 'i':
			rc = sqlite3_bind_int64(st, i, va_arg(ap, int64_t));
			break;
		case 'k':
			rc = bind_id(st, i, va_arg(ap, int64_t));
			break;
		case 'd':
			rc = bind_real(st, i, va_arg(ap, double));
			break;
		case 't':
			rc = sqlite3_bind_text(st, i, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
			break;
		case 'b':
			p = va_arg(ap, const void *);
			rc = sqlite3_bind_blob64(st, i, p, va_arg(ap, size_t), SQLITE_TRANSIENT);
			break;
		default:
			assert(!"a type letter of db_query()");
		}
	}
	return rc;
}

static sqlite3_stmt *query(struct store *s, struct err *e, const char *sql, const char *types, va_list ap)
{
	sqlite3_stmt *st = prepared(s, sql, e);

	if (!st)
		return NULL;
	assert(!sqlite3_stmt_busy(st));
	if (bind_all(st, types, ap) != SQLITE_OK) {
		db_fail(s, "binding a value", e);
		return NULL;
	}
	return st;
}

sqlite3_stmt *db_query(struct store *s, struct err *e, const char *sql, const char *types, ...)
{
	sqlite3_stmt *st;
	va_list ap;

	va_start(ap, types);
	st = query(s, e, sql, types, ap);
	va_end(ap);
	return st;
}

int db_next(struct store *s, sqlite3_stmt *st, struct err *e)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		db_fail(s, sqlite3_stmt_readonly(st) ? "reading" : "writing", e);
	db_done(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

void db_done(sqlite3_stmt *st)
{
	if (!st)
		return;
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
}

int db_run(struct store *s, struct err *e, const char *sql, const char *types, ...)
{
	sqlite3_stmt *st;
	va_list ap;

	va_start(ap, types);
	st = query(s, e, sql, types, ap);
	va_end(ap);
	return st ? db_next(s, st, e) : -1;
}

int db_number(struct store *s, int64_t *out, struct err *e, const char *sql, const char *types, ...)
{
	sqlite3_stmt *st;
	va_list ap;
	int rc;

	*out = 0;
	va_start(ap, types);
	st = query(s, e, sql, types, ap);
	va_end(ap);
	rc = st ? db_next(s, st, e) : -1;
	if (rc == 1) {
		*out = db_int(st, 0);
		db_done(st);
	}
	return rc < 0 ? -1 : 0;
}

int db_one(struct store *s, sqlite3_stmt *st, db_row *read, void *row, struct arena *a, struct err *e)
{
	int rc = st ? db_next(s, st, e) : -1;

	if (rc <= 0)
		return rc;
	rc = read(st, row, a, e) < 0 ? -1 : 1;
	db_done(st);
	return rc;
}

int db_list(struct store *s, sqlite3_stmt *st, db_row *read, size_t size, void **out, int *n, struct arena *a,
	    struct err *e)
{
	int cap = 8, rc;

	*n = 0;
	*out = arena_alloc(a, (size_t)cap * size);
	while ((rc = st ? db_next(s, st, e) : -1) == 1) {
		if (*n == cap) {
			void *more = arena_alloc(a, 2 * (size_t)cap * size);

			memcpy(more, *out, (size_t)cap * size);
			*out = more;
			cap *= 2;
		}
		if (read(st, (char *)*out + (size_t)*n * size, a, e) < 0) {
			db_done(st);
			return -1;
		}
		++*n;
	}
	return rc;
}

int64_t db_last_id(const struct store *s)
{
	return sqlite3_last_insert_rowid(s->db);
}

int64_t db_changes(const struct store *s)
{
	return sqlite3_changes64(s->db);
}

const char *db_text(sqlite3_stmt *st, int column, struct arena *a)
{
	const unsigned char *t = sqlite3_column_text(st, column);

	return t ? arena_strdup(a, (const char *)t) : NULL;
}

double db_real(sqlite3_stmt *st, int column)
{
	return sqlite3_column_type(st, column) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(st, column);
}

int64_t db_int(sqlite3_stmt *st, int column)
{
	return sqlite3_column_int64(st, column);
}

const void *db_blob(sqlite3_stmt *st, int column, size_t *size, struct arena *a)
{
	const void *p = sqlite3_column_blob(st, column);
	void *copy;

	*size = (size_t)sqlite3_column_bytes(st, column);
	if (!p)
		return NULL;
	copy = arena_alloc(a, *size);
	memcpy(copy, p, *size);
	return copy;
}

int db_name(sqlite3_stmt *st, int column, const char *const *names, int n, struct err *e)
{
	const char *t = (const char *)sqlite3_column_text(st, column);

	for (int i = 0; t && i < n; i++)
		if (strcmp(names[i], t) == 0)
			return i;
	return ERR(e, ERR_INVALID, NULL, "the store holds an unknown state \"%s\": it is damaged", t ? t : "NULL");
}

int db_enter(struct store *s, bool *own, struct err *e)
{
	*own = sqlite3_get_autocommit(s->db) != 0;
	return *own ? db_exec(s, "BEGIN IMMEDIATE", e) : 0;
}

int db_leave(struct store *s, bool own, int rc, struct err *e)
{
	if (!own)
		return rc;
	if (rc >= 0 && db_exec(s, "COMMIT", e) == 0)
		return rc;
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return -1;
}

const char *store_library(void)
{
	static char text[48];

	snprintf(text, sizeof text, "SQLite %s", sqlite3_libversion());
	return text;
}
