/* store/record.c - what runs saw: epochs, evaluations, findings, profiles; reads of the test split, files, events. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/db.h"
#include "store/store.h"

/* In the order of enum split of dataset/dataset.h, which this folder may not include. */
static const char *const splits[] = { "train", "validation", "test" };
static const char *const file_kinds[] = { "checkpoint", "weights" };

/* ---- epochs --------------------------------------------------------------------------------------------- */

int store_epoch_put(struct store *s, int64_t run, const struct store_epoch *r, struct err *e)
{
	bool own;
	int rc = -1;

	if (db_enter(s, &own, e) < 0)
		return -1;
	TRY(db_run(s, e, "INSERT OR REPLACE INTO epochs VALUES(?,?,?,?,?,?,?,?,?,?)", "iniidddddd", run, r->epoch,
		   r->steps, r->examples, r->rate, r->train_loss, r->train_accuracy, r->val_loss, r->val_accuracy,
		   r->grad_norm));
	TRY(db_run(s, e, "INSERT OR REPLACE INTO times VALUES(?,?,?)", "ind", run, r->epoch,
		   isnan(r->seconds) ? 0.0 : r->seconds));
	rc = 0;
out:
	return db_leave(s, own, rc, e);
}

static int read_epoch(sqlite3_stmt *st, void *row, struct arena *a, struct err *e)
{
	struct store_epoch *r = row;

	(void)a, (void)e;
	*r = (struct store_epoch){ (int)db_int(st, 0), db_int(st, 1),  db_int(st, 2),  db_real(st, 3), db_real(st, 4),
				   db_real(st, 5),     db_real(st, 6), db_real(st, 7), db_real(st, 8), db_real(st, 9) };
	return 0;
}

int store_epochs(struct store *s, int64_t run, struct store_epoch **out, int *n, struct arena *a, struct err *e)
{
	sqlite3_stmt *st =
	    db_query(s, e,
		     "SELECT e.epoch,steps,examples,rate,train_loss,train_accuracy,val_loss,val_accuracy,grad_norm,"
		     "seconds FROM epochs e LEFT JOIN times t ON t.run=e.run AND t.epoch=e.epoch"
		     " WHERE e.run=? ORDER BY e.epoch",
		     "i", run);
	void *rows = NULL;
	int rc = db_list(s, st, read_epoch, sizeof **out, &rows, n, a, e);

	*out = rows;
	return rc;
}

/* ---- evaluations ---------------------------------------------------------------------------------------- */

int store_evaluation_put(struct store *s, int64_t run, const struct store_evaluation *v, struct err *e)
{
	size_t cells = (size_t)v->classes * (size_t)v->classes * sizeof *v->confusion;
	bool own;
	int rc = -1;

	assert(v->split >= 0 && v->split < 3);
	if (db_enter(s, &own, e) < 0)
		return -1;
	TRY(db_run(s, e, "DELETE FROM evaluations WHERE run=? AND split=?", "it", run, splits[v->split]));
	TRY(db_run(s, e,
		   "INSERT INTO evaluations(run,split,n,classes,loss,accuracy,balanced_accuracy,top5,f1_macro,"
		   "precision_macro,recall_macro,confusion,per_class,slices) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
		   "itindddddddbtt", run, splits[v->split], v->n, v->classes, v->loss, v->accuracy,
		   v->balanced_accuracy, v->top5, v->f1_macro, v->precision_macro, v->recall_macro,
		   (const void *)v->confusion, cells, v->per_class, v->slices));
	if (v->predicted)
		TRY(db_run(s, e, "INSERT INTO predictions VALUES(?,?)", "ib", db_last_id(s), (const void *)v->predicted,
			   (size_t)v->n * sizeof *v->predicted));
	rc = 0;
out:
	return db_leave(s, own, rc, e);
}

static int read_evaluation(sqlite3_stmt *st, void *row, struct arena *a, struct err *e)
{
	struct store_evaluation *v = row;
	size_t cells, predicted;

	*v = (struct store_evaluation){
		.split = v->split,
		.n = db_int(st, 0),
		.classes = (int)db_int(st, 1),
		.loss = db_real(st, 2),
		.accuracy = db_real(st, 3),
		.balanced_accuracy = db_real(st, 4),
		.top5 = db_real(st, 5),
		.f1_macro = db_real(st, 6),
		.precision_macro = db_real(st, 7),
		.recall_macro = db_real(st, 8),
		.confusion = db_blob(st, 9, &cells, a),
		.per_class = db_text(st, 10, a),
		.slices = db_text(st, 11, a),
		.predicted = db_blob(st, 12, &predicted, a),
	};
	if ((v->confusion && cells != (size_t)v->classes * (size_t)v->classes * sizeof *v->confusion) ||
	    (v->predicted && predicted != (size_t)v->n * sizeof *v->predicted))
		return ERR(e, ERR_INVALID, NULL, "the store holds an evaluation of the wrong size: it is damaged");
	return 0;
}

int store_evaluation_get(struct store *s, int64_t run, int split, struct store_evaluation *out, struct arena *a,
			 struct err *e)
{
	sqlite3_stmt *st;

	assert(split >= 0 && split < 3);
	st = db_query(s, e,
		      "SELECT n,classes,loss,accuracy,balanced_accuracy,top5,f1_macro,precision_macro,recall_macro,"
		      "confusion,per_class,slices,predicted FROM evaluations LEFT JOIN predictions ON evaluation=id"
		      " WHERE run=? AND split=?",
		      "it", run, splits[split]);
	out->split = split;
	return db_one(s, st, read_evaluation, out, a, e);
}

/* ---- findings ------------------------------------------------------------------------------------------- */

int store_finding_add(struct store *s, int64_t run, const struct store_finding *f, struct err *e)
{
	return db_run(s, e,
		      "INSERT INTO findings(run,number,code,layer,text) VALUES(?1,"
		      "(SELECT count(*) FROM findings WHERE run=?1),?2,?3,?4)",
		      "ittt", run, f->code, f->layer, f->text);
}

static int read_finding(sqlite3_stmt *st, void *row, struct arena *a, struct err *e)
{
	(void)e;
	*(struct store_finding *)row =
	    (struct store_finding){ db_text(st, 0, a), db_text(st, 1, a), db_text(st, 2, a) };
	return 0;
}

int store_findings(struct store *s, int64_t run, struct store_finding **out, int *n, struct arena *a, struct err *e)
{
	sqlite3_stmt *st = db_query(s, e, "SELECT code,text,layer FROM findings WHERE run=? ORDER BY number", "i", run);
	void *rows = NULL;
	int rc = db_list(s, st, read_finding, sizeof **out, &rows, n, a, e);

	*out = rows;
	return rc;
}

/* ---- profiles ------------------------------------------------------------------------------------------- */

int store_profile_put(struct store *s, int64_t model, const struct store_profile *p, struct err *e)
{
	bool own;
	int rc = -1;

	if (db_enter(s, &own, e) < 0)
		return -1;
	TRY(db_run(s, e, "DELETE FROM profiles WHERE model=?", "i", model));
	TRY(db_run(s, e, "INSERT INTO profiles VALUES(?,?,?,?,?,?,?,?,?,?,?,?)", "itndddiiiiii", model, p->backend,
		   p->batch, p->optimizer_s, p->input_s, p->loss_s, p->weight_bytes, p->gradient_bytes, p->moment_bytes,
		   p->activation_bytes, p->workspace_bytes, p->total_bytes));
	for (int i = 0; i < p->n_layers; i++) {
		const struct store_layer_time *l = &p->layer[i];

		TRY(db_run(s, e, "INSERT INTO layer_times VALUES(?,?,?,?,?,?,?,?)", "inttddit", model, i, l->layer,
			   l->kind, l->forward_s, l->backward_s, l->bytes, l->fused_into));
	}
	rc = 0;
out:
	return db_leave(s, own, rc, e);
}

static int read_profile(sqlite3_stmt *st, void *row, struct arena *a, struct err *e)
{
	struct store_profile *p = row;

	(void)e;
	*p = (struct store_profile){
		.backend = db_text(st, 0, a),
		.batch = (int)db_int(st, 1),
		.optimizer_s = db_real(st, 2),
		.input_s = db_real(st, 3),
		.loss_s = db_real(st, 4),
		.weight_bytes = db_int(st, 5),
		.gradient_bytes = db_int(st, 6),
		.moment_bytes = db_int(st, 7),
		.activation_bytes = db_int(st, 8),
		.workspace_bytes = db_int(st, 9),
		.total_bytes = db_int(st, 10),
	};
	return 0;
}

static int read_layer_time(sqlite3_stmt *st, void *row, struct arena *a, struct err *e)
{
	(void)e;
	*(struct store_layer_time *)row =
	    (struct store_layer_time){ db_text(st, 0, a), db_text(st, 1, a), db_real(st, 2),
				       db_real(st, 3),    db_int(st, 4),     db_text(st, 5, a) };
	return 0;
}

int store_profile_get(struct store *s, int64_t model, struct store_profile *out, struct arena *a, struct err *e)
{
	sqlite3_stmt *st =
	    db_query(s, e,
		     "SELECT backend,batch,optimizer_s,input_s,loss_s,weight_bytes,gradient_bytes,moment_bytes,"
		     "activation_bytes,workspace_bytes,total_bytes FROM profiles WHERE model=?",
		     "i", model);
	int rc = db_one(s, st, read_profile, out, a, e);
	void *rows = NULL;

	if (rc <= 0)
		return rc;
	st = db_query(s, e,
		      "SELECT layer,kind,forward_s,backward_s,bytes,fused_into FROM layer_times WHERE model=?"
		      " ORDER BY number",
		      "i", model);
	rc = db_list(s, st, read_layer_time, sizeof *out->layer, &rows, &out->n_layers, a, e);
	out->layer = rows;
	return rc < 0 ? -1 : 1;
}

/* ---- reads of the test split, files, events ------------------------------------------------------------- */

int store_test_read_add(struct store *s, int64_t run, const char *what, struct err *e)
{
	return db_run(s, e, "INSERT INTO test_reads(run,time,what) VALUES(?,?,?)", "idt", run, clock_wall(), what);
}

int store_test_reads(struct store *s, int64_t run, int *n, struct err *e)
{
	int64_t count;

	if (db_number(s, &count, e, "SELECT count(*) FROM test_reads WHERE ?1=0 OR run=?1", "i", run) < 0)
		return -1;
	*n = (int)count;
	return 0;
}

static int read_test_read(sqlite3_stmt *st, void *row, struct arena *a, struct err *e)
{
	struct store_test_read *r = row;

	(void)e;
	r->run = db_int(st, 0);
	r->time = db_real(st, 1);
	r->what = db_text(st, 2, a);
	return 0;
}

int store_test_read_list(struct store *s, int64_t study, struct store_test_read **out, int *n, struct arena *a,
			 struct err *e)
{
	sqlite3_stmt *st = db_query(s, e,
				    "SELECT t.run,t.time,t.what FROM test_reads t JOIN runs r ON r.id=t.run"
				    " JOIN candidates c ON c.id=r.candidate WHERE ?1=0 OR c.study=?1 ORDER BY t.id",
				    "i", study);
	void *rows = NULL;
	int rc = db_list(s, st, read_test_read, sizeof **out, &rows, n, a, e);

	*out = rows;
	return rc;
}

int store_file_put(struct store *s, int64_t run, enum file_kind kind, const char *path, int64_t bytes, struct err *e)
{
	return db_run(s, e, "INSERT OR REPLACE INTO files(run,kind,path,bytes,written) VALUES(?,?,?,?,?)", "ittid", run,
		      file_kinds[kind], path, bytes, clock_wall());
}

int store_file_drop(struct store *s, int64_t run, enum file_kind kind, struct err *e)
{
	return db_run(s, e, "DELETE FROM files WHERE run=? AND kind=?", "it", run, file_kinds[kind]);
}

static int read_file(sqlite3_stmt *st, void *row, struct arena *a, struct err *e)
{
	struct store_file *f = row;
	int kind = db_name(st, 1, file_kinds, FILE_KIND_COUNT, e);
	int state = db_name(st, 6, run_state_names, STATE_COUNT, e);

	if (kind < 0 || state < 0)
		return -1;
	*f = (struct store_file){ db_int(st, 0),  (enum file_kind)kind, db_text(st, 2, a),    db_int(st, 3),
				  db_real(st, 4), db_real(st, 5),       (enum run_state)state };
	return 0;
}

int store_files(struct store *s, int64_t run, struct store_file **out, int *n, struct arena *a, struct err *e)
{
	sqlite3_stmt *st = db_query(s, e,
				    "SELECT f.run,kind,path,f.bytes,written,score,state FROM files f JOIN runs r"
				    " ON r.id=f.run LEFT JOIN results q ON q.run=f.run WHERE ?1=0 OR f.run=?1"
				    " ORDER BY written,f.run,kind",
				    "i", run);
	void *rows = NULL;
	int rc = db_list(s, st, read_file, sizeof **out, &rows, n, a, e);

	*out = rows;
	return rc;
}

int store_event_add(struct store *s, const struct store_event *v, struct err *e)
{
	return db_run(s, e, "INSERT INTO events(time,study,run,kind,text) VALUES(?,?,?,?,?)", "dkktt", clock_wall(),
		      v->study, v->run, v->kind, v->text);
}

static int read_event(sqlite3_stmt *st, void *row, struct arena *a, struct err *e)
{
	(void)e;
	*(struct store_event *)row = (struct store_event){ db_int(st, 0),  db_int(st, 1),     db_int(st, 2),
							   db_real(st, 3), db_text(st, 4, a), db_text(st, 5, a) };
	return 0;
}

int store_events(struct store *s, int64_t study, int most, struct store_event **out, int *n, struct arena *a,
		 struct err *e)
{
	sqlite3_stmt *st = db_query(s, e,
				    "SELECT id,study,run,time,kind,text FROM (SELECT * FROM events"
				    " WHERE ?1=0 OR study=?1 OR study IS NULL ORDER BY id DESC LIMIT ?2) ORDER BY id",
				    "in", study, most);
	void *rows = NULL;
	int rc = db_list(s, st, read_event, sizeof **out, &rows, n, a, e);

	*out = rows;
	return rc;
}
