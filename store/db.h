/* store/db.h - private to store/ and its tests: the connection, statements with bound values, migrations.
 *
 * SQL texts are constants of the program; every value is bound. Statements are prepared once per connection and found
 * again by the address of their text.
 */
#ifndef NAB_STORE_DB_H
#define NAB_STORE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct arena;

struct db_statement {
	const char *sql;
	sqlite3_stmt *st;
};

struct store {
	sqlite3 *db;
	char *path;
	int lock; /* descriptor of the lock file, -1 for readers */
	bool disk_full, unclean, immutable;
	struct db_statement *statements;
	int n, cap;
};

/* Runs SQL that takes no values (PRAGMA, schema, transactions). */
int db_exec(struct store *s, const char *sql, struct err *e);

/* A statement with its values bound, ready for db_next(); NULL with e. types, one letter a value: n int, i int64_t,
 * k id (int64_t; 0 is NULL), d double (NAN is NULL), t text (may be NULL), b blob (pointer, size_t; NULL is NULL). */
sqlite3_stmt *db_query(struct store *s, struct err *e, const char *sql, const char *types, ...);

/* 1: a row is there; 0: no more; -1 with e. After 0 and -1 the statement is reset. */
int db_next(struct store *s, sqlite3_stmt *st, struct err *e);
void db_done(sqlite3_stmt *st); /* resets before the last row was read; accepts NULL */

/* Runs a statement that gives no rows. */
int db_run(struct store *s, struct err *e, const char *sql, const char *types, ...);
/* The first column of the first row as a whole number; 0 when there is no row or it is NULL. */
int db_number(struct store *s, int64_t *out, struct err *e, const char *sql, const char *types, ...);

/* Reads the current row into a struct; -1 with e if it makes no sense. */
typedef int db_row(sqlite3_stmt *st, void *row, struct arena *a, struct err *e);
/* One row, or none: 1, 0, -1. st may be NULL (then e is set already). */
int db_one(struct store *s, sqlite3_stmt *st, db_row *read, void *row, struct arena *a, struct err *e);
/* All rows as an array of structs of `size` bytes in the arena; *n their number. */
int db_list(struct store *s, sqlite3_stmt *st, db_row *read, size_t size, void **out, int *n, struct arena *a,
	    struct err *e);

int64_t db_last_id(const struct store *s);
int64_t db_changes(const struct store *s);

const char *db_text(sqlite3_stmt *st, int column, struct arena *a); /* NULL for NULL */
double db_real(sqlite3_stmt *st, int column);                       /* NAN for NULL */
int64_t db_int(sqlite3_stmt *st, int column);                       /* 0 for NULL */
/* A copy of a blob and its size; NULL for NULL. */
const void *db_blob(sqlite3_stmt *st, int column, size_t *size, struct arena *a);
/* Index of a text in names[0..n); an unknown one is damage: -1 with e. */
int db_name(sqlite3_stmt *st, int column, const char *const *names, int n, struct err *e);

/* Several statements that belong together: opens a transaction unless the caller has one. */
int db_enter(struct store *s, bool *own, struct err *e);
int db_leave(struct store *s, bool own, int rc, struct err *e); /* commits if rc >= 0; returns rc or -1 */

/* Fills e (and s->disk_full) from the connection's last failure. Returns -1. */
int db_fail(struct store *s, const char *doing, struct err *e);

/* Migrations: step i leads from version i to i + 1. */
struct db_step {
	const char *sql;
};

enum { DB_APPLICATION = 0x6e616221, DB_VERSION = 2 }; /* "nab!" */
extern const struct db_step db_steps[DB_VERSION];

/* Brings the file to version n. Each step is one transaction, unless the caller has one; a file that holds data is
 * copied first, to <path>.v<version>.backup. A newer file is refused. */
int db_migrate(struct store *s, const struct db_step *steps, int n, struct err *e);

/* For readers, which cannot migrate: -1 with e unless the file has version n. */
int db_readable(struct store *s, int n, struct err *e);

/* Name of a file system on which a store cannot live (f_type of statfs), or NULL. */
const char *db_network_fs(long type);

#endif
