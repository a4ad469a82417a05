/* store/schema.c - the tables, version by version. A released step is never changed: a change of the schema is a new
 * step. States are texts with CHECKs, so that a file explains itself in any SQLite shell.
 */
#include <stdio.h>

#include "base/file.h"
#include "base/mem.h"
#include "store/db.h"
#include "store/store.h"

static const char version_1[] =
    "CREATE TABLE data("
    " id INTEGER PRIMARY KEY, digest TEXT NOT NULL, name TEXT NOT NULL, spec TEXT NOT NULL, info TEXT NOT NULL,"
    " UNIQUE(digest, spec)) STRICT;"

    "CREATE TABLE studies("
    " id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, config TEXT NOT NULL,"
    " digest TEXT NOT NULL, space TEXT, data INTEGER REFERENCES data,"
    " state TEXT NOT NULL CHECK(state IN('open','finished','interrupted')),"
    " search TEXT, env TEXT, created REAL NOT NULL) STRICT;"

    "CREATE TABLE models("
    " id INTEGER PRIMARY KEY, hash TEXT NOT NULL, digest TEXT NOT NULL UNIQUE, name TEXT, json TEXT NOT NULL,"
    " summary TEXT NOT NULL, params INTEGER NOT NULL, macs INTEGER NOT NULL, activations INTEGER NOT NULL,"
    " weight_bytes INTEGER NOT NULL, train_bytes INTEGER NOT NULL, depth INTEGER NOT NULL,"
    " layers INTEGER NOT NULL) STRICT;"
    "CREATE INDEX models_hash ON models(hash);"

    "CREATE TABLE candidates("
    " id INTEGER PRIMARY KEY, study INTEGER NOT NULL REFERENCES studies, model INTEGER NOT NULL REFERENCES models,"
    " origin TEXT NOT NULL CHECK(origin IN('search','baseline','user')), number INTEGER NOT NULL,"
    " label TEXT NOT NULL, recipe TEXT NOT NULL, proposal TEXT NOT NULL, key TEXT NOT NULL,"
    " surplus INTEGER NOT NULL CHECK(surplus IN(0,1)), parent INTEGER REFERENCES models, change TEXT,"
    " start_run INTEGER REFERENCES runs, resumes INTEGER NOT NULL CHECK(resumes IN(0,1)),"
    " UNIQUE(study, origin, number), UNIQUE(study, key), UNIQUE(study, label)) STRICT;"
    "CREATE INDEX candidates_model ON candidates(model);"

    "CREATE TABLE runs("
    " id INTEGER PRIMARY KEY, candidate INTEGER NOT NULL REFERENCES candidates, replicate INTEGER NOT NULL,"
    " seed INTEGER NOT NULL, state TEXT NOT NULL CHECK(state IN"
    "('queued','running','done','diverged','oom','timeout','infeasible','failed')),"
    " identity TEXT NOT NULL, cached_from INTEGER REFERENCES runs,"
    " UNIQUE(candidate, replicate)) STRICT;"
    "CREATE INDEX runs_identity ON runs(identity);"
    "CREATE INDEX runs_state ON runs(state);"
    "CREATE TRIGGER runs_final BEFORE UPDATE OF state ON runs"
    " WHEN OLD.state NOT IN('queued','running') AND NOT"
    " (NEW.state = 'queued' AND OLD.state IN('failed','oom','timeout'))"
    " BEGIN SELECT RAISE(ABORT, 'a finished run keeps its state'); END;"

    "CREATE TABLE results("
    " run INTEGER PRIMARY KEY REFERENCES runs, reason TEXT, epochs INTEGER NOT NULL, best_epoch INTEGER NOT NULL,"
    " best_accuracy REAL, restored INTEGER NOT NULL CHECK(restored IN(0,1)), score REAL, train_loss REAL,"
    " train_accuracy REAL, val_loss REAL, val_accuracy REAL, bytes INTEGER NOT NULL) STRICT;"

    "CREATE TABLE attempts("
    " id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs, number INTEGER NOT NULL,"
    " state TEXT NOT NULL CHECK(state IN('running','done','stopped','died','lost','failed')),"
    " device TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL, started REAL NOT NULL, ended REAL,"
    " reason TEXT, epoch INTEGER NOT NULL, step INTEGER NOT NULL, UNIQUE(run, number)) STRICT;"
    "CREATE INDEX attempts_running ON attempts(state) WHERE state = 'running';"

    "CREATE TABLE epochs("
    " run INTEGER NOT NULL REFERENCES runs, epoch INTEGER NOT NULL, steps INTEGER NOT NULL,"
    " examples INTEGER NOT NULL, rate REAL, train_loss REAL, train_accuracy REAL, val_loss REAL,"
    " val_accuracy REAL, grad_norm REAL, PRIMARY KEY(run, epoch)) STRICT, WITHOUT ROWID;"

    /* epoch 0: the whole run */
    "CREATE TABLE times("
    " run INTEGER NOT NULL REFERENCES runs, epoch INTEGER NOT NULL, seconds REAL NOT NULL,"
    " PRIMARY KEY(run, epoch)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE evaluations("
    " id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs,"
    " split TEXT NOT NULL CHECK(split IN('train','validation','test')), n INTEGER NOT NULL,"
    " classes INTEGER NOT NULL, loss REAL, accuracy REAL, balanced_accuracy REAL, top5 REAL, f1_macro REAL,"
    " precision_macro REAL, recall_macro REAL, confusion BLOB, per_class TEXT, slices TEXT,"
    " UNIQUE(run, split)) STRICT;"

    "CREATE TABLE predictions("
    " evaluation INTEGER PRIMARY KEY REFERENCES evaluations ON DELETE CASCADE, predicted BLOB NOT NULL) STRICT;"

    "CREATE TABLE findings("
    " run INTEGER NOT NULL REFERENCES runs, number INTEGER NOT NULL, code TEXT NOT NULL, layer TEXT,"
    " text TEXT NOT NULL, PRIMARY KEY(run, number)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE profiles("
    " model INTEGER PRIMARY KEY REFERENCES models, backend TEXT NOT NULL, batch INTEGER NOT NULL, optimizer_s REAL,"
    " input_s REAL, loss_s REAL, weight_bytes INTEGER NOT NULL, gradient_bytes INTEGER NOT NULL,"
    " moment_bytes INTEGER NOT NULL, activation_bytes INTEGER NOT NULL, workspace_bytes INTEGER NOT NULL,"
    " total_bytes INTEGER NOT NULL) STRICT;"
    "CREATE TABLE layer_times("
    " model INTEGER NOT NULL REFERENCES profiles ON DELETE CASCADE, number INTEGER NOT NULL, layer TEXT NOT NULL,"
    " kind TEXT NOT NULL, forward_s REAL, backward_s REAL, bytes INTEGER NOT NULL, fused_into TEXT,"
    " PRIMARY KEY(model, number)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE test_reads("
    " id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs, time REAL NOT NULL, what TEXT NOT NULL) STRICT;"

    "CREATE TABLE files("
    " run INTEGER NOT NULL REFERENCES runs, kind TEXT NOT NULL CHECK(kind IN('checkpoint','weights')),"
    " path TEXT NOT NULL, bytes INTEGER NOT NULL, written REAL NOT NULL, PRIMARY KEY(run, kind)) STRICT,"
    " WITHOUT ROWID;"

    "CREATE TABLE events("
    " id INTEGER PRIMARY KEY, time REAL NOT NULL, study INTEGER REFERENCES studies,"
    " run INTEGER REFERENCES runs, kind TEXT NOT NULL, text TEXT NOT NULL) STRICT;";

/* Labels of the examples (16 bits each) and who is in which slice (a byte each), in the order of the split. */
static const char version_2[] =
    "CREATE TABLE truths("
    " data INTEGER NOT NULL REFERENCES data, split TEXT NOT NULL CHECK(split IN('train','validation','test')),"
    " n INTEGER NOT NULL, labels BLOB NOT NULL, PRIMARY KEY(data, split)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE members("
    " data INTEGER NOT NULL, split TEXT NOT NULL, number INTEGER NOT NULL, slice TEXT NOT NULL,"
    " member BLOB NOT NULL, PRIMARY KEY(data, split, number), UNIQUE(data, split, slice),"
    " FOREIGN KEY(data, split) REFERENCES truths ON DELETE CASCADE) STRICT, WITHOUT ROWID;";

const struct db_step db_steps[DB_VERSION] = { { version_1 }, { version_2 } };

static int apply(struct store *s, const struct db_step *step, int version, struct err *e)
{
	char pragma[64];
	bool own;
	int rc = -1;

	if (db_enter(s, &own, e) < 0)
		return -1;
	TRY(db_exec(s, step->sql, e));
	snprintf(pragma, sizeof pragma, "PRAGMA user_version=%d", version);
	TRY(db_exec(s, pragma, e));
	rc = 0;
out:
	return db_leave(s, own, rc, e);
}

static int keep_copy(struct store *s, int version, struct err *e)
{
	struct arena *a = arena_new();
	char *to = arena_printf(a, "%s.v%d.backup", s->path, version);
	int rc;

	/* A copy that is there is of an earlier try at this very step: the file has not changed since. */
	rc = file_exists(to) ? 0 : store_backup(s, to, e);
	arena_free(a);
	return rc;
}

static int newer(struct store *s, int version, int n, struct err *e)
{
	return ERR(e, ERR_INVALID, s->path,
		   "was written by a newer nab (store version %d, this one reads up to %d): update nab, or name "
		   "another file with --store",
		   version, n);
}

int db_readable(struct store *s, int n, struct err *e)
{
	int64_t version;

	if (db_number(s, &version, e, "PRAGMA user_version", "") < 0)
		return -1;
	if (version > n)
		return newer(s, (int)version, n, e);
	if (version < n)
		return ERR(e, ERR_INVALID, s->path,
			   "was written by an older nab (store version %d of %d): any command that writes to it, such "
			   "as the search it belongs to, brings it up to date",
			   (int)version, n);
	return 0;
}

int db_migrate(struct store *s, const struct db_step *steps, int n, struct err *e)
{
	int64_t version;

	if (db_number(s, &version, e, "PRAGMA user_version", "") < 0)
		return -1;
	if (version > n)
		return newer(s, (int)version, n, e);
	if (version > 0 && version < n && keep_copy(s, (int)version, e) < 0)
		return -1;
	for (int v = (int)version; v < n; v++)
		if (apply(s, &steps[v], v + 1, e) < 0)
			return -1;
	return 0;
}
