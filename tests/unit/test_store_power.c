/* tests/unit/test_store_power.c - the power fails at every possible moment of a short life of a store: nothing that
 * was acknowledged is lost, nothing is torn.
 *
 * A VFS of our own stands between SQLite and the disk. It remembers what stood where every write and truncation went,
 * until that file is synced. At the N-th write, truncation or sync it cuts the power: each 512-byte sector of each
 * unsynced change falls back to its old content with probability 1/2, newest change first, and the process ends. The
 * same with synchronous=NORMAL must lose acknowledged commits: that shows that the test can see a loss.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "store/db.h"
#include "store/store.h"
#include "tests/helper_files.h"

enum { SECTOR = 512, COMMITS = 6, CUT = 99 };

/* ---- the disk that loses power -------------------------------------------------------------------------- */

struct change {
	struct change *older;
	sqlite3_int64 at, size_before;
	int n;
	unsigned char *before; /* n bytes; zeros where the file ended */
};

struct disk_file {
	sqlite3_file base;
	sqlite3_file *real;
	struct change *unsynced;
	struct disk_file *next;
};

static struct {
	sqlite3_vfs vfs, *real;
	struct disk_file *files;
	long operations, cut_at;
	struct rng coin;
} disk;

static sqlite3_file *real_of(sqlite3_file *f)
{
	return ((struct disk_file *)f)->real;
}

static void fall_back(struct disk_file *f, const struct change *c)
{
	for (int k = 0; k < c->n; k += SECTOR) {
		int n = c->n - k < SECTOR ? c->n - k : SECTOR;

		if (rng_below(&disk.coin, 2))
			f->real->pMethods->xWrite(f->real, c->before + k, n, c->at + k);
	}
	if (rng_below(&disk.coin, 2))
		f->real->pMethods->xTruncate(f->real, c->size_before);
}

static void operation(void)
{
	if (++disk.operations != disk.cut_at)
		return;
	for (struct disk_file *f = disk.files; f; f = f->next)
		for (const struct change *c = f->unsynced; c; c = c->older)
			fall_back(f, c);
	_exit(CUT);
}

static void remember(struct disk_file *f, sqlite3_int64 at, int n)
{
	struct change *c = mem_new(sizeof *c);
	sqlite3_int64 size = 0;

	f->real->pMethods->xFileSize(f->real, &size);
	*c = (struct change){ f->unsynced, at, size, n, mem_new((size_t)n) };
	if (at < size)
		f->real->pMethods->xRead(f->real, c->before, size - at < n ? (int)(size - at) : n, at);
	f->unsynced = c;
}

static int disk_close(sqlite3_file *p)
{
	struct disk_file *f = (struct disk_file *)p, **at = &disk.files;

	while (*at && *at != f)
		at = &(*at)->next;
	if (*at)
		*at = f->next;
	return f->real->pMethods->xClose(f->real);
}

static int disk_read(sqlite3_file *f, void *buf, int n, sqlite3_int64 at)
{
	return real_of(f)->pMethods->xRead(real_of(f), buf, n, at);
}

static int disk_write(sqlite3_file *f, const void *buf, int n, sqlite3_int64 at)
{
	int rc;

	remember((struct disk_file *)f, at, n);
	rc = real_of(f)->pMethods->xWrite(real_of(f), buf, n, at);
	operation();
	return rc;
}

static int disk_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	sqlite3_int64 now = 0;
	int rc;

	real_of(f)->pMethods->xFileSize(real_of(f), &now);
	if (now > size)
		remember((struct disk_file *)f, size, (int)(now - size));
	rc = real_of(f)->pMethods->xTruncate(real_of(f), size);
	operation();
	return rc;
}

static int disk_sync(sqlite3_file *f, int flags)
{
	operation(); /* the power may fail before the sync has done its work */
	((struct disk_file *)f)->unsynced = NULL;
	return real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int disk_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return real_of(f)->pMethods->xFileSize(real_of(f), size);
}

static int disk_lock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int disk_unlock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int disk_reserved(sqlite3_file *f, int *out)
{
	return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int disk_control(sqlite3_file *f, int op, void *arg)
{
	return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int disk_sector(sqlite3_file *f)
{
	(void)f;
	return SECTOR;
}

static int disk_traits(sqlite3_file *f)
{
	(void)f;
	return 0; /* promises nothing: torn sectors, writes in any order */
}

static int disk_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
}

static int disk_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}

static void disk_shm_barrier(sqlite3_file *f)
{
	real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int disk_shm_unmap(sqlite3_file *f, int delete)
{
	return real_of(f)->pMethods->xShmUnmap(real_of(f), delete);
}

static const sqlite3_io_methods disk_methods = {
	.iVersion = 2,
	.xClose = disk_close,
	.xRead = disk_read,
	.xWrite = disk_write,
	.xTruncate = disk_truncate,
	.xSync = disk_sync,
	.xFileSize = disk_size,
	.xLock = disk_lock,
	.xUnlock = disk_unlock,
	.xCheckReservedLock = disk_reserved,
	.xFileControl = disk_control,
	.xSectorSize = disk_sector,
	.xDeviceCharacteristics = disk_traits,
	.xShmMap = disk_shm_map,
	.xShmLock = disk_shm_lock,
	.xShmBarrier = disk_shm_barrier,
	.xShmUnmap = disk_shm_unmap,
};

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *p, int flags, int *out)
{
	struct disk_file *f = (struct disk_file *)p;
	int rc;

	(void)vfs;
	memset(f, 0, sizeof *f);
	f->real = (sqlite3_file *)(f + 1);
	rc = disk.real->xOpen(disk.real, name, f->real, flags, out);
	if (rc != SQLITE_OK)
		return rc;
	f->base.pMethods = &disk_methods;
	f->next = disk.files;
	disk.files = f;
	return SQLITE_OK;
}

static void plug_in(long cut_at, uint64_t seed)
{
	memset(&disk, 0, sizeof disk);
	disk.cut_at = cut_at;
	rng_init(&disk.coin, seed, (uint64_t)cut_at);
	disk.real = sqlite3_vfs_find(NULL);
	disk.vfs = *disk.real;
	disk.vfs.zName = "losing-power";
	disk.vfs.szOsFile = (int)sizeof(struct disk_file) + disk.real->szOsFile;
	disk.vfs.xOpen = disk_open;
	sqlite3_vfs_register(&disk.vfs, 1);
}

/* ---- a short life --------------------------------------------------------------------------------------- */

/* One candidate with its run and result: what the engine commits. */
static int commit_one(struct store *s, int64_t study, int i)
{
	char text[32], big[1500];
	struct store_candidate c = {
		.study = study, .number = i, .label = text, .recipe = big, .proposal = "{}", .key = text
	};
	struct store_model m = { .hash = text, .digest = text, .json = big, .summary = "x" };
	struct store_run r = { .identity = text };
	struct store_result q = { .state = STATE_DONE, .score = i };

	snprintf(text, sizeof text, "c%d", i);
	memset(big, 'a' + i % 26, sizeof big);
	big[sizeof big - 1] = 0;
	if (store_begin(s, NULL) < 0 || store_model_put(s, &m, NULL) < 0)
		return -1;
	c.model = m.id;
	if (store_candidate_add(s, &c, NULL) != 1)
		return -1;
	r.candidate = c.id;
	if (store_run_add(s, &r, NULL) < 0 || store_result_put(s, r.id, &q, NULL) != 1)
		return -1;
	return store_commit(s, NULL);
}

/* Child: ends with CUT at the cut, 0 when it came to the end, else 1. Acknowledges every commit with a byte. */
static void live(const char *path, const char *sync, int ack)
{
	struct store_study y = { .name = "s", .kind = "search", .config = "{}", .digest = "d" };
	struct store *s;

	if (store_open(&s, path, STORE_CREATE, NULL) < 0 || db_exec(s, sync, NULL) < 0 ||
	    db_exec(s, "PRAGMA wal_autocheckpoint=40", NULL) < 0 || store_study_add(s, &y, NULL) < 0)
		_exit(1);
	for (int i = 0; i < COMMITS; i++)
		if (commit_one(s, y.id, i) < 0 || write(ack, "+", 1) != 1)
			_exit(1);
	store_close(s);
	_exit(0);
}

struct outcome {
	int status, acked, kept;
	bool damaged;
};

static void inspect(const char *path, struct outcome *o)
{
	struct store *s;
	struct err e = { 0 };
	int64_t kept = 0, whole = 0;

	if (store_open(&s, path, STORE_CREATE, &e) < 0) {
		o->damaged = true;
		return;
	}
	if (store_check(s, &e) < 0 || db_number(s, &kept, &e, "SELECT count(*) FROM candidates", "") < 0 ||
	    db_number(s, &whole, &e,
		      "SELECT count(*) FROM candidates c JOIN models m ON m.id=c.model JOIN runs r ON r.candidate=c.id"
		      " JOIN results q ON q.run=r.id WHERE c.number=q.score AND length(m.json)=1499",
		      "") < 0 ||
	    kept != whole)
		o->damaged = true;
	o->kept = (int)kept;
	store_close(s);
}

/* fresh: the power may also fail while the store is made; else it is there already. */
static struct outcome cut(const char *dir, const char *sync, long at, bool fresh, uint64_t seed)
{
	struct outcome o = { 0 };
	char path[128], shm[160], command[300], buf[COMMITS];
	int ack[2];
	pid_t child;
	ssize_t n;

	snprintf(path, sizeof path, "%s/p.db", dir);
	snprintf(command, sizeof command, "rm -f '%s'*; [ %d = 1 ] || cp '%s/made.db' '%s'", path, (int)fresh, dir,
		 path);
	assert_int_equal(system(command), 0);
	assert_int_equal(pipe(ack), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(ack[0]);
		plug_in(at, seed);
		live(path, sync, ack[1]);
	}
	close(ack[1]);
	while ((n = read(ack[0], buf, sizeof buf)) > 0)
		o.acked += (int)n;
	close(ack[0]);
	assert_int_equal(waitpid(child, &o.status, 0), child);
	o.status = WIFEXITED(o.status) ? WEXITSTATUS(o.status) : -1;
	assert_true(o.status == CUT || o.status == 0);
	snprintf(shm, sizeof shm, "%s-shm", path); /* memory: gone with the power */
	unlink(shm);
	inspect(path, &o);
	return o;
}

struct tally {
	int cuts, lost, damaged;
};

static struct tally cut_everywhere(const char *sync, bool fresh, long stride, uint64_t seed)
{
	const char *dir = temp_dir();
	char made[96];
	struct outcome o = { .status = CUT };
	struct tally t = { 0 };
	struct store *s;

	snprintf(made, sizeof made, "%s/made.db", dir);
	assert_int_equal(store_open(&s, made, STORE_CREATE, NULL), 0);
	store_close(s);
	for (long at = 1; o.status == CUT; at += stride) {
		o = cut(dir, sync, at, fresh, seed);
		t.cuts += o.status == CUT;
		t.damaged += o.damaged;
		t.lost += !o.damaged && o.kept < o.acked;
		assert_true(o.damaged || o.kept <= o.acked + 1);
	}
	temp_clean();
	return t;
}

static void full_loses_nothing(void **state)
{
	struct tally t = cut_everywhere("PRAGMA synchronous=FULL", false, 1, 1);

	(void)state;
	assert_true(t.cuts > 100);
	assert_int_equal(t.lost, 0);
	assert_int_equal(t.damaged, 0);
}

static void a_store_in_the_making(void **state)
{
	struct tally t = cut_everywhere("PRAGMA synchronous=FULL", true, 9, 3);

	(void)state;
	assert_true(t.cuts > 20);
	assert_int_equal(t.lost, 0);
	assert_int_equal(t.damaged, 0);
}

static void normal_is_seen_to_lose(void **state)
{
	struct tally t = cut_everywhere("PRAGMA synchronous=NORMAL", false, 3, 2);

	(void)state;
	assert_true(t.lost > 0);
	assert_int_equal(t.damaged, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_loses_nothing),
		cmocka_unit_test(a_store_in_the_making),
		cmocka_unit_test(normal_is_seen_to_lose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
