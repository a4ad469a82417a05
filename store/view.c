/* store/view.c - joined views: the list of runs, names of runs, lineage, summaries. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/db.h"
#include "store/store.h"

const char *const store_order_names[] = { "id",     "number", "score",   "accuracy", "loss",
					  "params", "macs",   "seconds", "label",    NULL };

#define ITEM_SELECT                                                                                                    \
	"SELECT r.id,r.candidate,r.replicate,r.seed,r.state,r.identity,r.cached_from,"                                 \
	"c.study,c.model,c.origin,c.number,c.label,c.recipe,c.proposal,c.key,c.surplus,c.parent,c.change,"             \
	"c.start_run,c.resumes,"                                                                                       \
	"q.reason,q.epochs,q.best_epoch,q.best_accuracy,q.restored,q.score,q.train_loss,q.train_accuracy,"             \
	"q.val_loss,q.val_accuracy,q.bytes,t.seconds,"                                                                 \
	"m.params,m.macs,m.weight_bytes,m.train_bytes,m.depth,m.layers,y.name,m.hash,m.name,m.summary,"                \
	"v.balanced_accuracy,v.f1_macro,v.top5,x.accuracy,(SELECT min(started) FROM attempts WHERE run=r.id),(SELECT " \
	"max(ended) FROM attempts WHERE run=r.id),"                                                                    \
	"(SELECT count(*) FROM attempts WHERE run=r.id),"                                                              \
	"(SELECT device FROM attempts WHERE run=r.id ORDER BY number DESC LIMIT 1)"                                    \
	" FROM runs r JOIN candidates c ON c.id=r.candidate JOIN models m ON m.id=c.model"                             \
	" JOIN studies y ON y.id=c.study LEFT JOIN results q ON q.run=r.id"                                            \
	" LEFT JOIN times t ON t.run=r.id AND t.epoch=0"                                                               \
	" LEFT JOIN evaluations v ON v.run=r.id AND v.split='validation'"                                              \
	" LEFT JOIN evaluations x ON x.run=r.id AND x.split='test'"

/* The value to sort by, as an expression over the number of the order. */
#define ITEM_KEY                                                                                       \
	"CASE ?5 WHEN 0 THEN r.id WHEN 1 THEN c.number WHEN 2 THEN q.score WHEN 3 THEN q.val_accuracy" \
	" WHEN 4 THEN q.val_loss WHEN 5 THEN m.params WHEN 6 THEN m.macs WHEN 7 THEN t.seconds ELSE c.label END"

static int read_ids(sqlite3_stmt *st, struct store_item *i, struct arena *a, struct err *e)
{
	int state = db_name(st, 4, run_state_names, STATE_COUNT, e);
	int origin = db_name(st, 9, store_origin_names, ORIGIN_COUNT, e);

	if (state < 0 || origin < 0)
		return -1;
	i->run = (struct store_run){ .id = db_int(st, 0),
				     .candidate = db_int(st, 1),
				     .replicate = (int)db_int(st, 2),
				     .seed = (uint64_t)db_int(st, 3),
				     .state = (enum run_state)state,
				     .identity = db_text(st, 5, a),
				     .cached_from = db_int(st, 6) };
	i->candidate = (struct store_candidate){ .id = i->run.candidate,
						 .study = db_int(st, 7),
						 .model = db_int(st, 8),
						 .origin = (enum store_origin)origin,
						 .number = db_int(st, 10),
						 .label = db_text(st, 11, a),
						 .recipe = db_text(st, 12, a),
						 .proposal = db_text(st, 13, a),
						 .key = db_text(st, 14, a),
						 .surplus = db_int(st, 15) != 0,
						 .parent = db_int(st, 16),
						 .change = db_text(st, 17, a),
						 .start_run = db_int(st, 18),
						 .resumes = db_int(st, 19) != 0 };
	return 0;
}

static int read_item(sqlite3_stmt *st, void *row, struct arena *a, struct err *e)
{
	struct store_item *i = row;

	if (read_ids(st, i, a, e) < 0)
		return -1;
	i->result = (struct store_result){ .state = i->run.state,
					   .reason = db_text(st, 20, a),
					   .epochs = (int)db_int(st, 21),
					   .best_epoch = (int)db_int(st, 22),
					   .best_accuracy = db_real(st, 23),
					   .restored = db_int(st, 24) != 0,
					   .score = db_real(st, 25),
					   .train_loss = db_real(st, 26),
					   .train_accuracy = db_real(st, 27),
					   .val_loss = db_real(st, 28),
					   .val_accuracy = db_real(st, 29),
					   .bytes = db_int(st, 30),
					   .seconds = db_real(st, 31) };
	i->model = i->candidate.model;
	i->params = db_int(st, 32);
	i->macs = db_int(st, 33);
	i->weight_bytes = db_int(st, 34);
	i->train_bytes = db_int(st, 35);
	i->depth = (int)db_int(st, 36);
	i->layers = (int)db_int(st, 37);
	i->study = db_text(st, 38, a);
	i->model_hash = db_text(st, 39, a);
	i->model_name = db_text(st, 40, a);
	i->summary = db_text(st, 41, a);
	i->balanced_accuracy = db_real(st, 42);
	i->f1_macro = db_real(st, 43);
	i->top5 = db_real(st, 44);
	i->test_accuracy = db_real(st, 45);
	i->started = db_real(st, 46);
	i->ended = db_real(st, 47);
	i->attempts = (int)db_int(st, 48);
	i->device = db_text(st, 49, a);
	return 0;
}

/* A run's state as a bit, in the order of enum run_state. */
#define STATE_BIT                                                                                                 \
	"(1 << CASE r.state WHEN 'queued' THEN 0 WHEN 'running' THEN 1 WHEN 'done' THEN 2 WHEN 'diverged' THEN 3" \
	" WHEN 'oom' THEN 4 WHEN 'timeout' THEN 5 WHEN 'infeasible' THEN 6 ELSE 7 END)"

int store_list(struct store *s, const struct store_query *q, struct store_item **out, int *n, struct arena *a,
	       struct err *e)
{
	static const char sql[] =
	    ITEM_SELECT " WHERE (?1=0 OR c.study=?1) AND (?2=0 OR c.id=?2) AND (?3=0 OR c.model=?3)"
			" AND (?4=0 OR ?4 & " STATE_BIT ")"
			" ORDER BY " ITEM_KEY " IS NULL, CASE WHEN ?6 THEN " ITEM_KEY " END DESC,"
			" CASE WHEN NOT ?6 THEN " ITEM_KEY " END, c.origin, c.number, r.id LIMIT ?7";
	sqlite3_stmt *st = db_query(s, e, sql, "iiinnnn", q->study, q->candidate, q->model, (int)q->states,
				    (int)q->order, (int)q->descending, q->limit ? q->limit : -1);
	void *rows = NULL;
	int rc = db_list(s, st, read_item, sizeof **out, &rows, n, a, e);

	*out = rows;
	return rc;
}

int store_item_get(struct store *s, int64_t run, struct store_item *out, struct arena *a, struct err *e)
{
	sqlite3_stmt *st = db_query(s, e, ITEM_SELECT " WHERE r.id=?", "i", run);
	int rc = db_one(s, st, read_item, out, a, e);

	if (rc == 0)
		return ERR(e, ERR_USAGE, store_path(s), "there is no run %lld: `nab ls` lists them", (long long)run);
	return rc < 0 ? -1 : 0;
}

/* ---- names of runs -------------------------------------------------------------------------------------- */

/* The best finished run first; among unfinished ones the oldest. */
#define BY_SCORE " ORDER BY q.score IS NULL, q.score DESC, r.id LIMIT 1"
#define RUN_OF                                                                                        \
	"SELECT r.id FROM runs r JOIN candidates c ON c.id=r.candidate JOIN models m ON m.id=c.model" \
	" LEFT JOIN results q ON q.run=r.id WHERE (?1=0 OR c.study=?1)"

static bool is_number(const char *t)
{
	return t[0] && strlen(t) < 18 && strspn(t, "0123456789") == strlen(t);
}

static bool is_hash(const char *t)
{
	size_t n = strlen(t);

	return n >= 6 && n <= 32 && strspn(t, "0123456789abcdef") == n;
}

static int best_run(struct store *s, int64_t study, int64_t *run, struct err *e)
{
	if (db_number(s, run, e, RUN_OF " AND q.score IS NOT NULL" BY_SCORE, "i", study) < 0)
		return -1;
	if (!*run)
		return ERR(e, ERR_USAGE, store_path(s), "no run has a score yet: `nab ls` lists all runs");
	return 0;
}

int store_resolve(struct store *s, const char *text, int64_t study, int64_t *run, struct err *e)
{
	*run = 0;
	if (strcmp(text, "best") == 0)
		return best_run(s, study, run, e);
	if (is_number(text) &&
	    db_number(s, run, e, "SELECT id FROM runs WHERE id=?", "i", (int64_t)strtoll(text, NULL, 10)) < 0)
		return -1;
	if (!*run && db_number(s, run, e, RUN_OF " AND c.label=?2" BY_SCORE, "it", study, text) < 0)
		return -1;
	if (!*run && db_number(s, run, e, RUN_OF " AND m.name=?2" BY_SCORE, "it", study, text) < 0)
		return -1;
	if (!*run && is_hash(text) &&
	    db_number(s, run, e, RUN_OF " AND substr(m.hash,1,length(?2))=?2" BY_SCORE, "it", study, text) < 0)
		return -1;
	if (!*run)
		return ERR(e, ERR_USAGE, store_path(s),
			   "there is no run or model \"%s\": give a run's number, \"best\", a name, or the start of a "
			   "model's hash (`nab ls` lists them)",
			   text);
	return 0;
}

int store_lineage(struct store *s, int64_t model, int64_t *ids, int most, struct err *e)
{
	int n = 0;

	while (model && n < most) {
		for (int i = 0; i < n; i++)
			if (ids[i] == model) /* a child that was changed back: stop where it closes */
				return n;
		ids[n++] = model;
		if (db_number(s, &model, e,
			      "SELECT parent FROM candidates WHERE model=? AND parent IS NOT NULL ORDER BY id LIMIT 1",
			      "i", model) < 0)
			return -1;
	}
	return n;
}

/* ---- summaries ------------------------------------------------------------------------------------------ */

static int count_states(struct store *s, int64_t study, struct store_summary *out, struct err *e)
{
	sqlite3_stmt *st = db_query(s, e,
				    "SELECT r.state,count(*) FROM runs r JOIN candidates c ON c.id=r.candidate"
				    " WHERE ?1=0 OR c.study=?1 GROUP BY r.state",
				    "i", study);
	int rc;

	while ((rc = st ? db_next(s, st, e) : -1) == 1) {
		int state = db_name(st, 0, run_state_names, STATE_COUNT, e);

		if (state < 0) {
			db_done(st);
			return -1;
		}
		out->runs[state] = db_int(st, 1);
	}
	return rc;
}

static int sum_up(struct store *s, int64_t study, struct store_summary *out, struct err *e)
{
	sqlite3_stmt *st = db_query(
	    s, e,
	    "SELECT (SELECT count(*) FROM candidates WHERE ?1=0 OR study=?1),"
	    "(SELECT count(*) FROM candidates WHERE surplus AND (?1=0 OR study=?1)),"
	    "(SELECT count(*) FROM epochs p JOIN runs r ON r.id=p.run JOIN candidates c ON c.id=r.candidate"
	    " WHERE r.cached_from IS NULL AND (?1=0 OR c.study=?1)),"
	    "(SELECT total(seconds) FROM times t JOIN runs r ON r.id=t.run JOIN candidates c ON c.id=r.candidate"
	    " WHERE t.epoch=0 AND r.cached_from IS NULL AND (?1=0 OR c.study=?1)),"
	    "(SELECT total(bytes) FROM files f JOIN runs r ON r.id=f.run JOIN candidates c ON c.id=r.candidate"
	    " WHERE ?1=0 OR c.study=?1),"
	    "(SELECT count(*) FROM test_reads t JOIN runs r ON r.id=t.run JOIN candidates c ON c.id=r.candidate"
	    " WHERE ?1=0 OR c.study=?1),"
	    "(SELECT page_count*page_size FROM pragma_page_count,pragma_page_size)",
	    "i", study);

	if (!st || db_next(s, st, e) != 1)
		return -1;
	out->candidates = db_int(st, 0);
	out->surplus = db_int(st, 1);
	out->epochs = db_int(st, 2);
	out->seconds = db_real(st, 3);
	out->file_bytes = (int64_t)db_real(st, 4);
	out->test_reads = (int)db_int(st, 5);
	out->store_bytes = db_int(st, 6);
	db_done(st);
	return 0;
}

int store_summarize(struct store *s, int64_t study, struct store_summary *out, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	memset(out, 0, sizeof *out);
	out->best_score = (double)NAN;
	if (count_states(s, study, out, e) < 0 || sum_up(s, study, out, e) < 0)
		return -1;
	st = db_query(s, e,
		      "SELECT r.id,q.score FROM results q JOIN runs r ON r.id=q.run JOIN candidates c"
		      " ON c.id=r.candidate WHERE q.score IS NOT NULL AND (?1=0 OR c.study=?1) AND NOT c.surplus"
		      " ORDER BY q.score DESC,r.id LIMIT 1",
		      "i", study);
	rc = st ? db_next(s, st, e) : -1;
	if (rc == 1) {
		out->best_run = db_int(st, 0);
		out->best_score = db_real(st, 1);
		db_done(st);
	}
	return rc < 0 ? -1 : 0;
}

int store_version(struct store *s, int64_t *out, struct err *e)
{
	return db_number(s, out, e, "PRAGMA data_version", "");
}
