/* store/truth.c - what the examples of a split are: labels and slices, kept once per data set, so that stored
 * predictions can be judged example by example without the data. */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "store/db.h"
#include "store/store.h"

static const char *const splits[] = { "train", "validation", "test" };

int store_truth_put(struct store *s, int64_t data, const struct store_truth *t, struct err *e)
{
	bool own;
	int rc = -1;

	assert(t->split >= 0 && t->split < 3);
	if (db_enter(s, &own, e) < 0)
		return -1;
	TRY(db_run(s, e, "DELETE FROM truths WHERE data=? AND split=?", "it", data, splits[t->split]));
	TRY(db_run(s, e, "INSERT INTO truths(data,split,n,labels) VALUES(?,?,?,?)", "itib", data, splits[t->split],
		   t->n, (const void *)t->label, (size_t)t->n * sizeof *t->label));
	for (int i = 0; i < t->n_slices; i++)
		TRY(db_run(s, e, "INSERT INTO members(data,split,number,slice,member) VALUES(?,?,?,?,?)", "itntb", data,
			   splits[t->split], i, t->slices[i].name, (const void *)t->slices[i].member, (size_t)t->n));
	rc = 0;
out:
	return db_leave(s, own, rc, e);
}

static int damaged(struct err *e)
{
	return ERR(e, ERR_INVALID, NULL, "the store holds labels of the wrong number: it is damaged");
}

static int read_truth(sqlite3_stmt *st, void *row, struct arena *a, struct err *e)
{
	struct store_truth *t = row;
	size_t bytes;

	t->n = db_int(st, 0);
	t->label = db_blob(st, 1, &bytes, a);
	return t->n < 1 || bytes != (size_t)t->n * sizeof *t->label ? damaged(e) : 0;
}

struct member_row {
	struct store_slice slice;
	size_t bytes;
};

static int read_member(sqlite3_stmt *st, void *row, struct arena *a, struct err *e)
{
	struct member_row *r = row;

	(void)e;
	r->slice.name = db_text(st, 0, a);
	r->slice.member = db_blob(st, 1, &r->bytes, a);
	return 0;
}

static int read_slices(struct store *s, int64_t data, struct store_truth *t, struct arena *a, struct err *e)
{
	sqlite3_stmt *st = db_query(s, e, "SELECT slice,member FROM members WHERE data=? AND split=? ORDER BY number",
				    "it", data, splits[t->split]);
	struct member_row *rows;
	struct store_slice *slices;
	void *list = NULL;

	if (db_list(s, st, read_member, sizeof *rows, &list, &t->n_slices, a, e) < 0)
		return -1;
	rows = list;
	slices = ARENA_ARRAY(a, struct store_slice, t->n_slices + 1);
	for (int i = 0; i < t->n_slices; i++) {
		if (rows[i].bytes != (size_t)t->n)
			return damaged(e);
		slices[i] = rows[i].slice;
	}
	t->slices = slices;
	return 0;
}

int store_truth_get(struct store *s, int64_t data, int split, struct store_truth *out, struct arena *a, struct err *e)
{
	sqlite3_stmt *st;
	int found;

	assert(split >= 0 && split < 3);
	*out = (struct store_truth){ .split = split };
	st = db_query(s, e, "SELECT n,labels FROM truths WHERE data=? AND split=?", "it", data, splits[split]);
	found = db_one(s, st, read_truth, out, a, e);
	if (found <= 0)
		return found;
	return read_slices(s, data, out, a, e) < 0 ? -1 : 1;
}
