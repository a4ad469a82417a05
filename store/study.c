/* store/study.c - data sets, studies, models. */
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/db.h"
#include "store/store.h"

const char *const study_state_names[] = { "open", "finished", "interrupted", NULL };

/* ---- data sets ------------------------------------------------------------------------------------------ */

int store_data_put(struct store *s, struct store_data *d, struct err *e)
{
	bool own;
	int rc = -1;

	if (db_enter(s, &own, e) < 0)
		return -1;
	TRY(db_number(s, &d->id, e, "SELECT id FROM data WHERE digest=? AND spec=?", "tt", d->digest, d->spec));
	if (!d->id) {
		TRY(db_run(s, e, "INSERT INTO data(digest,name,spec,info) VALUES(?,?,?,?)", "tttt", d->digest, d->name,
			   d->spec, d->info));
		d->id = db_last_id(s);
	}
	rc = 0;
out:
	return db_leave(s, own, rc, e);
}

static int found(const struct store *s, int rc, const char *what, int64_t id, struct err *e)
{
	if (rc == 0)
		return ERR(e, ERR_USAGE, store_path(s), "there is no %s %lld", what, (long long)id);
	return rc < 0 ? -1 : 0;
}

static int read_data(sqlite3_stmt *st, void *row, struct arena *a, struct err *e)
{
	struct store_data *d = row;

	(void)e;
	*d = (struct store_data){ db_int(st, 0), db_text(st, 1, a), db_text(st, 2, a), db_text(st, 3, a),
				  db_text(st, 4, a) };
	return 0;
}

int store_data_get(struct store *s, int64_t id, struct store_data *out, struct arena *a, struct err *e)
{
	sqlite3_stmt *st = db_query(s, e, "SELECT id,digest,name,spec,info FROM data WHERE id=?", "i", id);

	return found(s, db_one(s, st, read_data, out, a, e), "data set", id, e);
}

/* ---- studies -------------------------------------------------------------------------------------------- */

int store_study_add(struct store *s, struct store_study *y, struct err *e)
{
	y->created = clock_wall();
	if (db_run(s, e,
		   "INSERT INTO studies(name,kind,config,digest,space,data,state,search,env,created)"
		   " VALUES(?,?,?,?,?,?,?,?,?,?)",
		   "tttttktttd", y->name, y->kind, y->config, y->digest, y->space, y->data, study_state_names[y->state],
		   y->search, y->env, y->created) < 0)
		return -1;
	y->id = db_last_id(s);
	return 0;
}

#define STUDY_COLUMNS "id,name,kind,config,digest,space,data,state,search,env,created"

static int read_study(sqlite3_stmt *st, void *row, struct arena *a, struct err *e)
{
	struct store_study *y = row;
	int state = db_name(st, 7, study_state_names, STUDY_STATE_COUNT, e);

	if (state < 0)
		return -1;
	*y = (struct store_study){
		.id = db_int(st, 0),
		.name = db_text(st, 1, a),
		.kind = db_text(st, 2, a),
		.config = db_text(st, 3, a),
		.digest = db_text(st, 4, a),
		.space = db_text(st, 5, a),
		.data = db_int(st, 6),
		.state = (enum study_state)state,
		.search = db_text(st, 8, a),
		.env = db_text(st, 9, a),
		.created = db_real(st, 10),
	};
	return 0;
}

int store_study_find(struct store *s, const char *name, struct store_study *out, struct arena *a, struct err *e)
{
	sqlite3_stmt *st = db_query(s, e, "SELECT " STUDY_COLUMNS " FROM studies WHERE name=?", "t", name);

	return db_one(s, st, read_study, out, a, e);
}

int store_study_get(struct store *s, int64_t id, struct store_study *out, struct arena *a, struct err *e)
{
	sqlite3_stmt *st = db_query(s, e, "SELECT " STUDY_COLUMNS " FROM studies WHERE id=?", "i", id);

	return found(s, db_one(s, st, read_study, out, a, e), "study", id, e);
}

int store_studies(struct store *s, struct store_study **out, int *n, struct arena *a, struct err *e)
{
	sqlite3_stmt *st = db_query(s, e, "SELECT " STUDY_COLUMNS " FROM studies ORDER BY id", "");
	void *rows = NULL;
	int rc = db_list(s, st, read_study, sizeof **out, &rows, n, a, e);

	*out = rows;
	return rc;
}

int store_study_set_config(struct store *s, int64_t id, const char *config, struct err *e)
{
	return db_run(s, e, "UPDATE studies SET config=? WHERE id=?", "ti", config, id);
}

int store_study_set_state(struct store *s, int64_t id, enum study_state state, struct err *e)
{
	return db_run(s, e, "UPDATE studies SET state=? WHERE id=?", "ti", study_state_names[state], id);
}

int store_study_set_search(struct store *s, int64_t id, const char *search, struct err *e)
{
	return db_run(s, e, "UPDATE studies SET search=? WHERE id=?", "ti", search, id);
}

/* ---- models --------------------------------------------------------------------------------------------- */

int store_model_put(struct store *s, struct store_model *m, struct err *e)
{
	bool own;
	int rc = -1;

	if (db_enter(s, &own, e) < 0)
		return -1;
	TRY(db_number(s, &m->id, e, "SELECT id FROM models WHERE digest=?", "t", m->digest));
	if (!m->id) {
		TRY(db_run(s, e,
			   "INSERT INTO models(hash,digest,name,json,summary,params,macs,activations,weight_bytes,"
			   "train_bytes,depth,layers) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
			   "tttttiiiiinn", m->hash, m->digest, m->name, m->json, m->summary, m->params, m->macs,
			   m->activations, m->weight_bytes, m->train_bytes, m->depth, m->layers));
		m->id = db_last_id(s);
	}
	rc = 0;
out:
	return db_leave(s, own, rc, e);
}

static int read_model(sqlite3_stmt *st, void *row, struct arena *a, struct err *e)
{
	struct store_model *m = row;

	(void)e;
	*m = (struct store_model){
		.id = db_int(st, 0),
		.hash = db_text(st, 1, a),
		.digest = db_text(st, 2, a),
		.name = db_text(st, 3, a),
		.json = db_text(st, 4, a),
		.summary = db_text(st, 5, a),
		.params = db_int(st, 6),
		.macs = db_int(st, 7),
		.activations = db_int(st, 8),
		.weight_bytes = db_int(st, 9),
		.train_bytes = db_int(st, 10),
		.depth = (int)db_int(st, 11),
		.layers = (int)db_int(st, 12),
		.parent = db_int(st, 13),
		.change = db_text(st, 14, a),
	};
	return 0;
}

int store_model_get(struct store *s, int64_t id, struct store_model *out, struct arena *a, struct err *e)
{
	sqlite3_stmt *st =
	    db_query(s, e,
		     "SELECT m.id,m.hash,m.digest,m.name,m.json,m.summary,m.params,m.macs,m.activations,m.weight_bytes,"
		     "m.train_bytes,m.depth,m.layers,c.parent,c.change FROM models m LEFT JOIN candidates c ON c.id="
		     "(SELECT min(id) FROM candidates WHERE model=m.id AND parent IS NOT NULL) WHERE m.id=?",
		     "i", id);

	return found(s, db_one(s, st, read_model, out, a, e), "model", id, e);
}
