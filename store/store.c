/* store/store.c - opening, the writer's lock, transactions, copies, checks.
 *
 * The lock is an open-file-description lock on <store>.lock: the kernel drops it when its holder ends, however it
 * ends, and one can ask who holds it without taking it. While a writer is at work the lock file holds its process id
 * and host; a clean close empties it. A writer that finds text in it knows that the one before it crashed, and checks
 * the file before it goes on.
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/db.h"

enum { HOLDER_MAX = 128 };

/* ---- file systems --------------------------------------------------------------------------------------- */

const char *db_network_fs(long type)
{
	static const struct {
		uint32_t type;
		const char *name;
	} known[] = {
		{ 0x6969, "NFS" },      { 0x0bd00bd0, "Lustre" }, { 0x47504653, "GPFS" },   { 0x19830326, "BeeGFS" },
		{ 0xfe534d42, "SMB2" }, { 0xff534d42, "CIFS" },   { 0x00c36400, "CephFS" }, { 0x65735546, "FUSE" },
		{ 0x5346414f, "AFS" },  { 0x73757245, "Coda" },   { 0x517b, "SMB" },
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].type == (uint32_t)type)
			return known[i].name;
	return NULL;
}

/* WAL needs shared memory between processes and honest locks: network file systems have neither. */
static int refuse_network(const char *path, struct err *e)
{
	struct arena *a = arena_new();
	const char *dir = path_dir(a, path), *name;
	struct statfs fs;
	int rc = 0;

	if (statfs(dir[0] ? dir : ".", &fs) < 0)
		rc = ERR(e, ERR_RUNTIME, path, "its folder cannot be used: %s", strerror(errno));
	else if ((name = db_network_fs((long)fs.f_type)))
		rc = ERR(e, ERR_INVALID, path,
			 "lies on a network file system (%s), where a store would be damaged sooner or later: put it "
			 "on a local disk with --store",
			 name);
	arena_free(a);
	return rc;
}

/* ---- the writer's lock ---------------------------------------------------------------------------------- */

static char *lock_path(const char *path)
{
	struct str t = { 0 };

	str_addf(&t, "%s.lock", path);
	return str_detach(&t);
}

static void read_holder(int fd, char buf[HOLDER_MAX])
{
	ssize_t n = pread(fd, buf, HOLDER_MAX - 1, 0);

	buf[n > 0 ? n : 0] = 0;
	buf[strcspn(buf, "\n")] = 0;
}

bool store_holder(const char *path, char *buf, size_t size)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char *lock = lock_path(path), text[HOLDER_MAX];
	int fd = open(lock, O_RDWR | O_CLOEXEC);
	bool held = false;

	if (size)
		buf[0] = 0;
	if (fd >= 0 && fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK) {
		read_holder(fd, text);
		snprintf(buf, size, "%s", text[0] ? text : "another process");
		held = true;
	}
	if (fd >= 0)
		close(fd);
	mem_free(lock);
	return held;
}

static int write_holder(int fd, const char *path, struct err *e)
{
	char text[HOLDER_MAX], host[64] = "?";
	int n;

	gethostname(host, sizeof host - 1);
	n = snprintf(text, sizeof text, "process %d on %s\n", (int)getpid(), host);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
		return ERR(e, ERR_RUNTIME, path, "its lock file cannot be written: %s", strerror(errno));
	return 0;
}

static int take_lock(struct store *s, struct err *e)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char *lock = lock_path(s->path), text[HOLDER_MAX];
	int rc = -1;

	s->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (s->lock < 0) {
		ERR(e, ERR_RUNTIME, lock, "cannot be opened: %s", strerror(errno));
		goto out;
	}
	if (fcntl(s->lock, F_OFD_SETLK, &whole) < 0) {
		read_holder(s->lock, text);
		close(s->lock);
		s->lock = -1;
		ERR(e, ERR_BUSY, s->path, "is being written by %s: wait for it, or stop it",
		    text[0] ? text : "another process");
		goto out;
	}
	read_holder(s->lock, text);
	s->unclean = text[0] != 0;
	rc = write_holder(s->lock, s->path, e);
out:
	mem_free(lock);
	return rc;
}

static void drop_lock(struct store *s)
{
	if (s->lock < 0)
		return;
	if (ftruncate(s->lock, 0) < 0)
		s->unclean = true; /* the next writer will check the file: no harm */
	close(s->lock);
	s->lock = -1;
}

/* ---- opening -------------------------------------------------------------------------------------------- */

static int configure(struct store *s, bool writer, struct err *e)
{
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, 1 << 29);
	sqlite3_limit(s->db, SQLITE_LIMIT_SQL_LENGTH, 100000);
	sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 1); /* VACUUM INTO needs one */
	if (db_exec(s,
		    "PRAGMA foreign_keys=ON; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY",
		    e) < 0)
		return -1;
	if (writer)
		return db_exec(s,
			       "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=1000;"
			       "PRAGMA journal_size_limit=67108864",
			       e);
	return db_exec(s, "PRAGMA wal_autocheckpoint=0; PRAGMA query_only=ON", e);
}

/* An empty file is a new store; anything else must carry our mark. Asked in this order: where a store is made between
 * the two questions, it has its mark. */
static int check_mark(struct store *s, bool writer, bool *is_new, struct err *e)
{
	int64_t mark, objects;

	if (db_number(s, &objects, e, "SELECT count(*) FROM sqlite_schema", "") < 0 ||
	    db_number(s, &mark, e, "PRAGMA application_id", "") < 0)
		return -1;
	*is_new = !mark && !objects;
	if (*is_new && !writer)
		return ERR(e, ERR_INVALID, s->path, "is empty: nothing was recorded in it yet");
	if (*is_new || mark == DB_APPLICATION)
		return 0;
	return ERR(e, ERR_INVALID, s->path, "is an SQLite file of another program: name another file with --store");
}

/* The mark and all tables at once: a reader sees an empty file or the whole. */
static int make_tables(struct store *s, struct err *e)
{
	char pragma[64];
	bool own;
	int rc = -1;

	if (db_enter(s, &own, e) < 0)
		return -1;
	snprintf(pragma, sizeof pragma, "PRAGMA application_id=%d", DB_APPLICATION);
	TRY(db_exec(s, pragma, e));
	rc = db_migrate(s, db_steps, DB_VERSION, e);
out:
	return db_leave(s, own, rc, e);
}

static int check_pages(struct store *s, const char *pragma, struct err *e)
{
	sqlite3_stmt *st = db_query(s, e, pragma, "");
	int rc = st ? db_next(s, st, e) : -1;
	const char *text;

	if (rc <= 0)
		return rc;
	text = (const char *)sqlite3_column_text(st, 0);
	if (text && strcmp(text, "ok") == 0)
		rc = 0;
	else
		rc =
		    ERR(e, ERR_INVALID, s->path, "is damaged (%s): restore a backup, or name another file with --store",
			text ? text : "no answer");
	db_done(st);
	return rc;
}

static bool has_wal(const char *path)
{
	struct str t = { 0 };
	struct stat st;
	bool yes;

	str_addf(&t, "%s-wal", path);
	yes = stat(t.s, &st) == 0 && st.st_size > 0;
	str_release(&t);
	return yes;
}

/* In a folder where a reader may not write, SQLite cannot make its shared memory: without a write-ahead log the file
 * cannot change and may be read as it is. */
static int open_immutable(struct store *s, struct err *e)
{
	struct str uri = { 0 };
	int rc;

	str_add(&uri, "file:");
	for (const char *p = s->path; *p; p++)
		str_addf(&uri, strchr("%?#", *p) ? "%%%02x" : "%c", (unsigned char)*p);
	str_add(&uri, "?immutable=1");
	sqlite3_close_v2(s->db);
	rc = sqlite3_open_v2(uri.s, &s->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
	str_release(&uri);
	if (rc != SQLITE_OK)
		return db_fail(s, "opening", e);
	s->immutable = true;
	return 0;
}

static int open_file(struct store *s, enum store_mode mode, struct err *e)
{
	int flags = SQLITE_OPEN_NOMUTEX | (mode == STORE_READ     ? SQLITE_OPEN_READONLY
					   : mode == STORE_CREATE ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
								  : SQLITE_OPEN_READWRITE);
	int rc;

	if (sqlite3_open_v2(s->path, &s->db, flags, NULL) != SQLITE_OK)
		return db_fail(s, "opening", e);
	/* From the first statement on: a program that dies or closes as we open leaves a lock of milliseconds. */
	sqlite3_busy_timeout(s->db, 10000);
	if (mode != STORE_READ)
		return 0;
	rc = sqlite3_exec(s->db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) & 0xff;
	if ((rc == SQLITE_CANTOPEN || rc == SQLITE_READONLY) && !has_wal(s->path))
		return open_immutable(s, e);
	return 0;
}

static int open_store(struct store *s, enum store_mode mode, struct err *e)
{
	bool writer = mode != STORE_READ, is_new;
	struct stat st;

	if (refuse_network(s->path, e) < 0)
		return -1;
	if (stat(s->path, &st) < 0 && mode != STORE_CREATE)
		return ERR(e, ERR_INVALID, s->path, "there is no such store: name it with --store, or start a search");
	if (writer && take_lock(s, e) < 0)
		return -1;
	s->unclean = s->unclean || (writer && has_wal(s->path));
	TRY(open_file(s, mode, e));
	TRY(check_mark(s, writer, &is_new, e));
	TRY(configure(s, writer, e));
	if (s->unclean)
		TRY(check_pages(s, "PRAGMA quick_check(1)", e));
	if (is_new)
		return make_tables(s, e);
	return writer ? db_migrate(s, db_steps, DB_VERSION, e) : db_readable(s, DB_VERSION, e);
out:
	return -1;
}

int store_open(struct store **out, const char *path, enum store_mode mode, struct err *e)
{
	struct store *s = mem_new(sizeof *s);

	s->path = mem_strdup(path);
	s->lock = -1;
	if (open_store(s, mode, e) < 0) {
		if (s->unclean && s->lock >= 0) { /* still to be checked: leave the mark */
			close(s->lock);
			s->lock = -1;
		}
		store_close(s);
		return -1;
	}
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	for (int i = 0; i < s->n; i++)
		sqlite3_finalize(s->statements[i].st);
	if (s->db && s->lock >= 0) {
		store_rollback(s);
		sqlite3_exec(s->db, "PRAGMA optimize", NULL, NULL, NULL);
	}
	sqlite3_close_v2(s->db);
	drop_lock(s);
	mem_free(s->statements);
	mem_free(s->path);
	mem_free(s);
}

const char *store_path(const struct store *s)
{
	return s->path;
}

bool store_disk_full(const struct store *s)
{
	return s->disk_full;
}

bool store_was_unclean(const struct store *s)
{
	return s->unclean;
}

/* ---- transactions, copies, checks ----------------------------------------------------------------------- */

int store_begin(struct store *s, struct err *e)
{
	return db_exec(s, "BEGIN IMMEDIATE", e);
}

int store_commit(struct store *s, struct err *e)
{
	return db_exec(s, "COMMIT", e);
}

void store_rollback(struct store *s)
{
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

int store_backup(struct store *s, const char *to, struct err *e)
{
	int rc;

	if (file_exists(to))
		return ERR(e, ERR_USAGE, to, "is there already: name a new file");
	/* A reader's connection counts the copy as writing. */
	if (s->lock < 0 && db_exec(s, "PRAGMA query_only=OFF", e) < 0)
		return -1;
	rc = db_run(s, e, "VACUUM INTO ?", "t", to);
	if (s->lock < 0)
		db_exec(s, "PRAGMA query_only=ON", NULL);
	if (rc < 0)
		unlink(to);
	return rc;
}

int store_check(struct store *s, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	if (check_pages(s, "PRAGMA integrity_check(1)", e) < 0)
		return -1;
	st = db_query(s, e, "PRAGMA foreign_key_check", "");
	rc = st ? db_next(s, st, e) : -1;
	if (rc <= 0)
		return rc;
	rc = ERR(e, ERR_INVALID, s->path, "is damaged (a row of %s refers to nothing): restore a backup",
		 (const char *)sqlite3_column_text(st, 0));
	db_done(st);
	return rc;
}
