/* store/cache.c - see cache.h. Every row carries a hash of what it says, so that damage that SQLite does not notice is
 * not taken for distances.
 */
#include "store/cache.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"
#include "store/db.h"

enum { CACHE_APPLICATION = 0x6e616263, CACHE_VERSION = 1, PLACE = 7 }; /* "nabc" */

static const char tables[] =
    "DROP TABLE IF EXISTS map; DROP TABLE IF EXISTS model;"
    "CREATE TABLE map(name TEXT PRIMARY KEY, generation INTEGER NOT NULL, stress REAL NOT NULL, n INTEGER NOT NULL,"
    " n_rows INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT;"
    "CREATE TABLE model(map TEXT NOT NULL, number INTEGER NOT NULL, key TEXT NOT NULL, place BLOB NOT NULL,"
    " sum INTEGER NOT NULL, distances BLOB, distances_sum INTEGER, PRIMARY KEY(map, number)) STRICT, WITHOUT ROWID";

struct cache {
	struct store s; /* the connection: never a store's */
};

const char *cache_path(const char *store, struct arena *a)
{
	return arena_printf(a, "%s.cache", store);
}

void cache_close(struct cache *c)
{
	if (!c)
		return;
	for (int i = 0; i < c->s.n; i++)
		sqlite3_finalize(c->s.statements[i].st);
	sqlite3_close_v2(c->s.db);
	mem_free(c->s.statements);
	mem_free(c->s.path);
	mem_free(c);
}

/* ---- opening -------------------------------------------------------------------------------------------- */

enum verdict { CACHE_GOOD, CACHE_DAMAGED, CACHE_NO_USE };

static enum verdict judge(struct store *s)
{
	int code = sqlite3_errcode(s->db) & 0xff;

	return code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? CACHE_DAMAGED : CACHE_NO_USE;
}

static bool pages_good(struct store *s)
{
	sqlite3_stmt *st = db_query(s, NULL, "PRAGMA quick_check(1)", "");
	bool good = st && db_next(s, st, NULL) == 1 && strcmp((const char *)sqlite3_column_text(st, 0), "ok") == 0;

	db_done(st);
	return good;
}

/* Makes the tables of a new file, or of one of another version. */
static int make_tables(struct store *s)
{
	char mark[96];
	bool own;
	int rc;

	snprintf(mark, sizeof mark, "PRAGMA application_id=%d; PRAGMA user_version=%d", CACHE_APPLICATION,
		 CACHE_VERSION);
	if (db_enter(s, &own, NULL) < 0)
		return -1;
	rc = db_exec(s, tables, NULL) < 0 || db_exec(s, mark, NULL) < 0 ? -1 : 0;
	return db_leave(s, own, rc, NULL);
}

static enum verdict open_file(struct store *s)
{
	int64_t mark, version, objects;

	if (sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK)
		return CACHE_NO_USE;
	sqlite3_busy_timeout(s->db, 5000);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	if (db_exec(s, "PRAGMA synchronous=OFF; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0", NULL) < 0 ||
	    db_number(s, &mark, NULL, "PRAGMA application_id", "") < 0 ||
	    db_number(s, &version, NULL, "PRAGMA user_version", "") < 0 ||
	    db_number(s, &objects, NULL, "SELECT count(*) FROM sqlite_schema", "") < 0)
		return judge(s);
	if (mark != CACHE_APPLICATION && (mark || objects))
		return CACHE_DAMAGED; /* of another program */
	if (!pages_good(s))
		return sqlite3_errcode(s->db) == SQLITE_BUSY ? CACHE_NO_USE : CACHE_DAMAGED;
	if (mark == CACHE_APPLICATION && version == CACHE_VERSION)
		return CACHE_GOOD;
	return make_tables(s) < 0 ? judge(s) : CACHE_GOOD;
}

static bool set_aside(const char *path)
{
	struct str to = { 0 };
	bool done;

	str_addf(&to, "%s.damaged", path);
	done = rename(path, to.s) == 0;
	str_release(&to);
	return done;
}

struct cache *cache_open(const char *path, char *note, size_t size)
{
	struct cache *c = NULL;
	struct stat st;

	if (size)
		note[0] = 0;
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		snprintf(note, size, "%s is not a file: distances are not kept", path);
		return NULL;
	}
	for (int try = 0; try < 2; try++) {
		enum verdict v;

		c = mem_new(sizeof *c);
		c->s.path = mem_strdup(path);
		c->s.lock = -1;
		v = open_file(&c->s);
		if (v == CACHE_GOOD)
			return c;
		cache_close(c);
		if (v == CACHE_NO_USE || try || !set_aside(path))
			break;
		snprintf(note, size, "%s was damaged or of another program: it is now %s.damaged, and made anew", path,
			 path);
	}
	snprintf(note, size, "%s cannot be used: distances are not kept", path);
	return NULL;
}

/* ---- reading -------------------------------------------------------------------------------------------- */

static void pack(double v[PLACE], const struct cached_model *m)
{
	v[0] = m->base;
	v[1] = m->x;
	v[2] = m->y;
	v[3] = m->cx;
	v[4] = m->cy;
	v[5] = m->square;
	v[6] = 0;
}

/* SQLite's whole numbers are signed. */
static int64_t sum_of(const void *data, size_t n, const char *name, int number)
{
	return (int64_t)hash64(data, n, hash_mix(hash64_text(name), (uint64_t)number));
}

static int64_t map_sum(const char *name, const struct cached_map *m)
{
	double v[4] = { (double)m->generation, m->stress, m->n, m->n_rows };

	return sum_of(v, sizeof v, name, 0);
}

static int64_t model_sum(const char *name, int number, const struct cached_model *m, const double v[PLACE])
{
	struct {
		char key[HASH_TEXT + 7];
		double v[PLACE];
	} all;

	memset(&all, 0, sizeof all);
	memcpy(all.key, m->key, strlen(m->key));
	memcpy(all.v, v, sizeof all.v);
	return sum_of(&all, sizeof all, name, number);
}

static bool read_model(sqlite3_stmt *st, const char *name, struct cached_model *m, int number)
{
	const char *key = (const char *)sqlite3_column_text(st, 1);
	const void *place = sqlite3_column_blob(st, 2);
	double v[PLACE];

	if (db_int(st, 0) != number || !key || strlen(key) >= HASH_TEXT || !place ||
	    sqlite3_column_bytes(st, 2) != (int)sizeof v)
		return false;
	snprintf(m->key, sizeof m->key, "%s", key);
	memcpy(v, place, sizeof v);
	m->base = v[0] != 0;
	m->x = v[1];
	m->y = v[2];
	m->cx = v[3];
	m->cy = v[4];
	m->square = v[5];
	return db_int(st, 3) == model_sum(name, number, m, v);
}

static int read_head(struct store *s, const char *name, struct cached_map *m)
{
	sqlite3_stmt *st =
	    db_query(s, NULL, "SELECT generation, stress, n, n_rows, sum FROM map WHERE name=?", "t", name);
	int64_t sum;

	memset(m, 0, sizeof *m);
	if (!st || db_next(s, st, NULL) != 1)
		return -1;
	m->generation = db_int(st, 0);
	m->stress = sqlite3_column_double(st, 1);
	m->n = (int)db_int(st, 2);
	m->n_rows = (int)db_int(st, 3);
	sum = db_int(st, 4);
	db_done(st);
	return sum == map_sum(name, m) && m->n >= m->n_rows && m->n_rows >= 0 ? 0 : -1;
}

static int read_models(struct store *s, const char *name, struct cached_map *m, struct arena *a)
{
	sqlite3_stmt *st =
	    db_query(s, NULL, "SELECT number, key, place, sum FROM model WHERE map=? ORDER BY number", "t", name);
	int i = 0;

	m->model = ARENA_ARRAY(a, struct cached_model, m->n + 1);
	for (; st && i < m->n && db_next(s, st, NULL) == 1; i++)
		if (!read_model(st, name, &m->model[i], i))
			break;
	db_done(st);
	return i == m->n ? 0 : -1;
}

void cache_read(struct cache *c, const char *name, struct cached_map *out, struct arena *a)
{
	int64_t generation;

	memset(out, 0, sizeof *out);
	if (!c || db_exec(&c->s, "BEGIN", NULL) < 0)
		return;
	if (read_head(&c->s, name, out) < 0 || read_models(&c->s, name, out, a) < 0) {
		generation = out->generation; /* so that it may be replaced */
		memset(out, 0, sizeof *out);
		out->generation = generation;
	}
	db_exec(&c->s, "COMMIT", NULL);
}

bool cache_distances(struct cache *c, const char *name, const struct cached_map *m, double *tri)
{
	sqlite3_stmt *st;
	int i = 0;

	if (!c)
		return m->n_rows == 0;
	st =
	    db_query(&c->s, NULL,
		     "SELECT distances, distances_sum FROM model WHERE map=? AND distances IS NOT NULL ORDER BY number",
		     "t", name);
	for (; st && i < m->n_rows && db_next(&c->s, st, NULL) == 1; i++) {
		const void *row = sqlite3_column_blob(st, 0);
		size_t bytes = (size_t)i * sizeof *tri;

		if ((size_t)sqlite3_column_bytes(st, 0) != bytes ||
		    db_int(st, 1) != sum_of(row, bytes, m->model[i].key, i))
			break;
		if (bytes)
			memcpy(tri + (int64_t)i * (i - 1) / 2, row, bytes);
	}
	db_done(st);
	return i == m->n_rows;
}

/* ---- writing -------------------------------------------------------------------------------------------- */

static int write_model(struct store *s, const char *name, int number, const struct cached_model *m)
{
	double v[PLACE];

	pack(v, m);
	return db_run(s, NULL,
		      "INSERT INTO model(map, number, key, place, sum) VALUES(?,?,?,?,?)"
		      " ON CONFLICT DO UPDATE SET key=excluded.key, place=excluded.place, sum=excluded.sum",
		      "tntbi", name, number, m->key, (const void *)v, sizeof v, model_sum(name, number, m, v));
}

static int write_row(struct store *s, const char *name, int number, const struct cached_model *m, const double *tri)
{
	const double *row = tri + (int64_t)number * (number - 1) / 2;
	size_t bytes = (size_t)number * sizeof *row;

	return db_run(s, NULL, "UPDATE model SET distances=?, distances_sum=? WHERE map=? AND number=?", "bitn",
		      number ? (const void *)row : (const void *)"", bytes, sum_of(row, bytes, m->key, number), name,
		      number);
}

static int write_all(struct store *s, const char *name, const struct cached_map *m, int from, const double *tri,
		     int from_row)
{
	if (!from && db_run(s, NULL, "DELETE FROM model WHERE map=?", "t", name) < 0)
		return -1;
	for (int i = from; i < m->n; i++)
		if (write_model(s, name, i, &m->model[i]) < 0)
			return -1;
	for (int i = from_row; i < m->n_rows; i++)
		if (write_row(s, name, i, &m->model[i], tri) < 0)
			return -1;
	return db_run(s, NULL,
		      "INSERT OR REPLACE INTO map(name, generation, stress, n, n_rows, sum) VALUES(?,?,?,?,?,?)",
		      "tidnni", name, m->generation, m->stress, m->n, m->n_rows, map_sum(name, m));
}

bool cache_write(struct cache *c, const char *name, struct cached_map *m, int from, const double *tri, int from_row)
{
	int64_t is;
	bool own;
	int rc;

	assert(from > 0 || from_row == 0);
	if (!c || db_enter(&c->s, &own, NULL) < 0)
		return false;
	m->generation++;
	rc = db_number(&c->s, &is, NULL, "SELECT generation FROM map WHERE name=?", "t", name);
	if (rc == 0 && is != m->generation - 1)
		rc = -1;
	if (rc == 0)
		rc = write_all(&c->s, name, m, from, tri, from_row);
	if (db_leave(&c->s, own, rc, NULL) == 0)
		return true;
	m->generation--;
	return false;
}
