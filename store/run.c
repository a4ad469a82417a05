/* store/run.c - candidates, their runs, results and attempts. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/db.h"
#include "store/store.h"

const char *const store_origin_names[] = { "search", "baseline", "user", NULL };
const char *const run_state_names[] = { "queued",  "running",    "done",   "diverged", "oom",
					"timeout", "infeasible", "failed", NULL };
const char *const attempt_state_names[] = { "running", "done", "stopped", "died", "lost", "failed", NULL };

static int found(const struct store *s, int rc, const char *what, int64_t id, struct err *e)
{
	if (rc == 0)
		return ERR(e, ERR_USAGE, store_path(s), "there is no %s %lld", what, (long long)id);
	return rc < 0 ? -1 : 0;
}

/* ---- candidates ----------------------------------------------------------------------------------------- */

int store_candidate_add(struct store *s, struct store_candidate *c, struct err *e)
{
	bool own;
	int rc = -1;

	if (db_enter(s, &own, e) < 0)
		return -1;
	TRY(db_number(s, &c->id, e, "SELECT id FROM candidates WHERE study=? AND key=?", "it", c->study, c->key));
	rc = c->id == 0;
	if (rc)
		rc = db_run(s, e,
			    "INSERT INTO candidates(study,model,origin,number,label,recipe,proposal,key,surplus,parent,"
			    "change,start_run,resumes) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
			    "iitittttnktkn", c->study, c->model, store_origin_names[c->origin], c->number, c->label,
			    c->recipe, c->proposal, c->key, (int)c->surplus, c->parent, c->change, c->start_run,
			    (int)c->resumes) < 0
			 ? -1
			 : 1;
	if (rc == 1)
		c->id = db_last_id(s);
out:
	return db_leave(s, own, rc, e);
}

bool store_candidate_inherits(const struct store_candidate *c)
{
	struct json *p = NULL;
	bool from;

	if (c->resumes || c->start_run)
		return !c->resumes;
	if (!c->proposal || json_parse(&p, c->proposal, strlen(c->proposal), "proposal", NULL) < 0)
		return false;
	from = json_get(p, "inherit_from") || json_get(p, "weights");
	json_free(p);
	return from;
}

#define CANDIDATE_COLUMNS \
	"id,study,model,origin,number,label,recipe,proposal,key,surplus,parent,change,start_run,resumes"

static int read_candidate(sqlite3_stmt *st, void *row, struct arena *a, struct err *e)
{
	struct store_candidate *c = row;
	int origin = db_name(st, 3, store_origin_names, ORIGIN_COUNT, e);

	if (origin < 0)
		return -1;
	*c = (struct store_candidate){
		.id = db_int(st, 0),
		.study = db_int(st, 1),
		.model = db_int(st, 2),
		.origin = (enum store_origin)origin,
		.number = db_int(st, 4),
		.label = db_text(st, 5, a),
		.recipe = db_text(st, 6, a),
		.proposal = db_text(st, 7, a),
		.key = db_text(st, 8, a),
		.surplus = db_int(st, 9) != 0,
		.parent = db_int(st, 10),
		.change = db_text(st, 11, a),
		.start_run = db_int(st, 12),
		.resumes = db_int(st, 13) != 0,
	};
	return 0;
}

int store_candidate_get(struct store *s, int64_t id, struct store_candidate *out, struct arena *a, struct err *e)
{
	sqlite3_stmt *st = db_query(s, e, "SELECT " CANDIDATE_COLUMNS " FROM candidates WHERE id=?", "i", id);

	return found(s, db_one(s, st, read_candidate, out, a, e), "candidate", id, e);
}

int store_candidates(struct store *s, int64_t study, struct store_candidate **out, int *n, struct arena *a,
		     struct err *e)
{
	sqlite3_stmt *st = db_query(
	    s, e, "SELECT " CANDIDATE_COLUMNS " FROM candidates WHERE study=? ORDER BY origin,number", "i", study);
	void *rows = NULL;
	int rc = db_list(s, st, read_candidate, sizeof **out, &rows, n, a, e);

	*out = rows;
	return rc;
}

int store_candidate_set_surplus(struct store *s, int64_t id, bool surplus, struct err *e)
{
	return db_run(s, e, "UPDATE candidates SET surplus=? WHERE id=?", "ni", (int)surplus, id);
}

/* ---- runs ----------------------------------------------------------------------------------------------- */

int store_run_add(struct store *s, struct store_run *r, struct err *e)
{
	if (db_run(s, e, "INSERT INTO runs(candidate,replicate,seed,state,identity,cached_from) VALUES(?,?,?,?,?,?)",
		   "inittk", r->candidate, r->replicate, (int64_t)r->seed, run_state_names[r->state], r->identity,
		   r->cached_from) < 0)
		return -1;
	r->id = db_last_id(s);
	return 0;
}

#define RUN_COLUMNS "r.id,r.candidate,r.replicate,r.seed,r.state,r.identity,r.cached_from"

static int read_run(sqlite3_stmt *st, void *row, struct arena *a, struct err *e)
{
	struct store_run *r = row;
	int state = db_name(st, 4, run_state_names, STATE_COUNT, e);

	if (state < 0)
		return -1;
	*r = (struct store_run){ .id = db_int(st, 0),
				 .candidate = db_int(st, 1),
				 .replicate = (int)db_int(st, 2),
				 .seed = (uint64_t)db_int(st, 3),
				 .state = (enum run_state)state,
				 .identity = db_text(st, 5, a),
				 .cached_from = db_int(st, 6) };
	return 0;
}

int store_run_get(struct store *s, int64_t id, struct store_run *out, struct arena *a, struct err *e)
{
	sqlite3_stmt *st = db_query(s, e, "SELECT " RUN_COLUMNS " FROM runs r WHERE id=?", "i", id);

	return found(s, db_one(s, st, read_run, out, a, e), "run", id, e);
}

int store_runs(struct store *s, int64_t study, struct store_run **out, int *n, struct arena *a, struct err *e)
{
	sqlite3_stmt *st = db_query(s, e,
				    "SELECT " RUN_COLUMNS " FROM runs r JOIN candidates c ON c.id=r.candidate"
				    " WHERE c.study=? ORDER BY c.origin,c.number,r.replicate",
				    "i", study);
	void *rows = NULL;
	int rc = db_list(s, st, read_run, sizeof **out, &rows, n, a, e);

	*out = rows;
	return rc;
}

int store_run_set_state(struct store *s, int64_t id, enum run_state state, struct err *e)
{
	return db_run(s, e, "UPDATE runs SET state=? WHERE id=?", "ti", run_state_names[state], id);
}

int store_run_cached(struct store *s, const char *identity, int64_t *id, struct err *e)
{
	return db_number(s, id, e, "SELECT min(id) FROM runs WHERE identity=? AND state='done'", "t", identity);
}

int store_run_copy(struct store *s, int64_t to, int64_t from, struct err *e)
{
	static const char *const copies[] = {
		"INSERT INTO results SELECT ?1,reason,epochs,best_epoch,best_accuracy,restored,score,train_loss,"
		"train_accuracy,val_loss,val_accuracy,bytes FROM results WHERE run=?2",
		"INSERT INTO epochs SELECT ?1,epoch,steps,examples,rate,train_loss,train_accuracy,val_loss,"
		"val_accuracy,grad_norm FROM epochs WHERE run=?2",
		"INSERT INTO times SELECT ?1,epoch,seconds FROM times WHERE run=?2",
		"INSERT INTO findings SELECT ?1,number,code,layer,text FROM findings WHERE run=?2",
		"INSERT INTO evaluations(run,split,n,classes,loss,accuracy,balanced_accuracy,top5,f1_macro,"
		"precision_macro,recall_macro,confusion,per_class,slices) SELECT ?1,split,n,classes,loss,accuracy,"
		"balanced_accuracy,top5,f1_macro,precision_macro,recall_macro,confusion,per_class,slices"
		" FROM evaluations WHERE run=?2 AND split<>'test'",
		"INSERT INTO predictions SELECT e.id,p.predicted FROM evaluations e"
		" JOIN evaluations o ON o.run=?2 AND o.split=e.split JOIN predictions p ON p.evaluation=o.id"
		" WHERE e.run=?1",
		"UPDATE runs SET cached_from=?2 WHERE id=?1",
		"UPDATE runs SET state=(SELECT state FROM runs WHERE id=?2) WHERE id=?1",
	};
	bool own;
	int rc = -1;

	if (db_enter(s, &own, e) < 0)
		return -1;
	for (size_t i = 0; i < sizeof copies / sizeof copies[0]; i++)
		TRY(db_run(s, e, copies[i], "ii", to, from));
	rc = 0;
out:
	return db_leave(s, own, rc, e);
}

int store_run_retry(struct store *s, int64_t id, struct err *e)
{
	static const char *const forget[] = {
		"UPDATE runs SET state='queued' WHERE id=?",
		"DELETE FROM results WHERE run=?",
		"DELETE FROM findings WHERE run=?",
	};
	bool own;
	int rc = -1;

	if (db_enter(s, &own, e) < 0)
		return -1;
	for (size_t i = 0; i < sizeof forget / sizeof forget[0]; i++)
		TRY(db_run(s, e, forget[i], "i", id));
	rc = 0;
out:
	return db_leave(s, own, rc, e);
}

/* ---- results -------------------------------------------------------------------------------------------- */

int store_result_put(struct store *s, int64_t run, const struct store_result *r, struct err *e)
{
	int64_t there;
	bool own;
	int rc = -1;

	if (db_enter(s, &own, e) < 0)
		return -1;
	TRY(db_number(s, &there, e, "SELECT count(*) FROM results WHERE run=?", "i", run));
	if (there) {
		rc = 0;
		goto out;
	}
	TRY(db_run(s, e,
		   "INSERT INTO results(run,reason,epochs,best_epoch,best_accuracy,restored,score,train_loss,"
		   "train_accuracy,val_loss,val_accuracy,bytes) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
		   "itnndndddddi", run, r->reason, r->epochs, r->best_epoch, r->best_accuracy, (int)r->restored,
		   r->score, r->train_loss, r->train_accuracy, r->val_loss, r->val_accuracy, r->bytes));
	TRY(db_run(s, e, "INSERT OR REPLACE INTO times(run,epoch,seconds) VALUES(?,0,?)", "id", run,
		   isnan(r->seconds) ? 0.0 : r->seconds));
	TRY(store_run_set_state(s, run, r->state, e));
	rc = 1;
out:
	return db_leave(s, own, rc, e);
}

static int read_result(sqlite3_stmt *st, void *row, struct arena *a, struct err *e)
{
	struct store_result *r = row;
	int state = db_name(st, 0, run_state_names, STATE_COUNT, e);

	if (state < 0)
		return -1;
	*r = (struct store_result){
		.state = (enum run_state)state,
		.reason = db_text(st, 1, a),
		.epochs = (int)db_int(st, 2),
		.best_epoch = (int)db_int(st, 3),
		.best_accuracy = db_real(st, 4),
		.restored = db_int(st, 5) != 0,
		.score = db_real(st, 6),
		.train_loss = db_real(st, 7),
		.train_accuracy = db_real(st, 8),
		.val_loss = db_real(st, 9),
		.val_accuracy = db_real(st, 10),
		.bytes = db_int(st, 11),
		.seconds = db_real(st, 12),
	};
	return 0;
}

int store_result_get(struct store *s, int64_t run, struct store_result *out, struct arena *a, struct err *e)
{
	sqlite3_stmt *st = db_query(
	    s, e,
	    "SELECT r.state,q.reason,q.epochs,q.best_epoch,q.best_accuracy,q.restored,q.score,q.train_loss,"
	    "q.train_accuracy,q.val_loss,q.val_accuracy,q.bytes,t.seconds FROM results q JOIN runs r ON r.id=q.run"
	    " LEFT JOIN times t ON t.run=q.run AND t.epoch=0 WHERE q.run=?",
	    "i", run);

	return found(s, db_one(s, st, read_result, out, a, e), "result of run", run, e);
}

/* ---- attempts ------------------------------------------------------------------------------------------- */

int store_attempt_begin(struct store *s, struct store_attempt *a, struct err *e)
{
	int64_t number;
	bool own;
	int rc = -1;

	if (db_enter(s, &own, e) < 0)
		return -1;
	TRY(db_number(s, &number, e, "SELECT max(number) FROM attempts WHERE run=?", "i", a->run));
	a->number = (int)number + 1;
	a->state = ATTEMPT_RUNNING;
	a->started = clock_wall();
	a->ended = (double)NAN;
	TRY(db_run(s, e,
		   "INSERT INTO attempts(run,number,state,device,host,pid,started,epoch,step)"
		   " VALUES(?,?,'running',?,?,?,?,0,0)",
		   "inttnd", a->run, a->number, a->device, a->host, a->pid, a->started));
	a->id = db_last_id(s);
	TRY(store_run_set_state(s, a->run, STATE_RUNNING, e));
	rc = 0;
out:
	return db_leave(s, own, rc, e);
}

int store_attempt_end(struct store *s, int64_t id, enum attempt_state state, int epoch, int64_t step,
		      const char *reason, struct err *e)
{
	return db_run(s, e, "UPDATE attempts SET state=?,ended=?,epoch=?,step=?,reason=? WHERE id=?", "tdniti",
		      attempt_state_names[state], clock_wall(), epoch, step, reason, id);
}

static int read_attempt(sqlite3_stmt *st, void *row, struct arena *a, struct err *e)
{
	struct store_attempt *t = row;
	int state = db_name(st, 3, attempt_state_names, ATTEMPT_STATE_COUNT, e);

	if (state < 0)
		return -1;
	*t = (struct store_attempt){
		.id = db_int(st, 0),
		.run = db_int(st, 1),
		.number = (int)db_int(st, 2),
		.state = (enum attempt_state)state,
		.device = db_text(st, 4, a),
		.host = db_text(st, 5, a),
		.pid = (int)db_int(st, 6),
		.started = db_real(st, 7),
		.ended = db_real(st, 8),
		.reason = db_text(st, 9, a),
		.epoch = (int)db_int(st, 10),
		.step = db_int(st, 11),
	};
	return 0;
}

int store_attempts(struct store *s, int64_t run, struct store_attempt **out, int *n, struct arena *a, struct err *e)
{
	sqlite3_stmt *st =
	    db_query(s, e,
		     "SELECT id,run,number,state,device,host,pid,started,ended,reason,epoch,step FROM attempts"
		     " WHERE run=? ORDER BY number",
		     "i", run);
	void *rows = NULL;
	int rc = db_list(s, st, read_attempt, sizeof **out, &rows, n, a, e);

	*out = rows;
	return rc;
}

int store_recover(struct store *s, struct err *e)
{
	bool own;
	int lost, rc = -1;

	if (db_enter(s, &own, e) < 0)
		return -1;
	TRY(db_run(s, e,
		   "UPDATE attempts SET state='lost',ended=?,reason='the coordinator ended' WHERE state='running'", "d",
		   clock_wall()));
	lost = (int)db_changes(s);
	TRY(db_run(s, e, "UPDATE runs SET state='queued' WHERE state='running'", ""));
	rc = lost;
out:
	return db_leave(s, own, rc, e);
}
