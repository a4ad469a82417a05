/* store/trajectory.c - the final table of a study as text, for byte-by-byte comparison.
 *
 * Left out: ids, times, attempts, files, where a result was cached from, and candidates that are surplus (how far a
 * search ran ahead of its targets depends on the number of slots). Numbers are printed so that they read back as the
 * same double: equal texts mean equal bits.
 */
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/db.h"
#include "store/store.h"

static void put_text(struct str *out, const char *name, const char *v)
{
	str_addf(out, " %s=%s", name, v ? v : "-");
}

static void put_real(struct str *out, const char *name, double v)
{
	char buf[32];

	put_text(out, name, isnan(v) ? NULL : str_real(buf, v));
}

static void put_bytes(struct str *out, const char *name, const void *v, size_t n)
{
	char buf[HASH_TEXT];

	put_text(out, name, v ? hash_text(buf, hash128(v, n)) : NULL);
}

static int put_epochs(struct store *s, int64_t run, struct str *out, struct arena *a, struct err *e)
{
	struct store_epoch *p;
	int n;

	if (store_epochs(s, run, &p, &n, a, e) < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		str_addf(out, "  epoch %d steps=%lld examples=%lld", p[i].epoch, (long long)p[i].steps,
			 (long long)p[i].examples);
		put_real(out, "rate", p[i].rate);
		put_real(out, "train_loss", p[i].train_loss);
		put_real(out, "train_accuracy", p[i].train_accuracy);
		put_real(out, "val_loss", p[i].val_loss);
		put_real(out, "val_accuracy", p[i].val_accuracy);
		put_real(out, "grad_norm", p[i].grad_norm);
		str_addc(out, '\n');
	}
	return 0;
}

static int put_evaluation(struct store *s, int64_t run, int split, struct str *out, struct arena *a, struct err *e)
{
	struct store_evaluation v;
	int rc = store_evaluation_get(s, run, split, &v, a, e);

	if (rc <= 0)
		return rc;
	str_addf(out, "  evaluation %d n=%lld", split, (long long)v.n);
	put_real(out, "loss", v.loss);
	put_real(out, "accuracy", v.accuracy);
	put_real(out, "balanced", v.balanced_accuracy);
	put_real(out, "top5", v.top5);
	put_real(out, "f1", v.f1_macro);
	put_bytes(out, "confusion", v.confusion, (size_t)v.classes * (size_t)v.classes * sizeof *v.confusion);
	put_bytes(out, "predicted", v.predicted, (size_t)v.n * sizeof *v.predicted);
	put_text(out, "per_class", v.per_class);
	put_text(out, "slices", v.slices);
	str_addc(out, '\n');
	return 0;
}

static int put_findings(struct store *s, int64_t run, struct str *out, struct arena *a, struct err *e)
{
	struct store_finding *f;
	int n;

	if (store_findings(s, run, &f, &n, a, e) < 0)
		return -1;
	for (int i = 0; i < n; i++)
		str_addf(out, "  finding %s %s: %s\n", f[i].code, f[i].layer ? f[i].layer : "-", f[i].text);
	return 0;
}

static void put_result(struct str *out, const struct store_item *i)
{
	const struct store_result *r = &i->result;

	str_addf(out, " run %d seed=%llu %s", i->run.replicate, (unsigned long long)i->run.seed,
		 run_state_names[i->run.state]);
	if (!run_state_final(i->run.state)) {
		str_addc(out, '\n');
		return;
	}
	str_addf(out, " epochs=%d best_epoch=%d restored=%d bytes=%lld", r->epochs, r->best_epoch, (int)r->restored,
		 (long long)r->bytes);
	put_real(out, "score", r->score);
	put_real(out, "best_accuracy", r->best_accuracy);
	put_real(out, "train_loss", r->train_loss);
	put_real(out, "train_accuracy", r->train_accuracy);
	put_real(out, "val_loss", r->val_loss);
	put_real(out, "val_accuracy", r->val_accuracy);
	/* why a worker died is an accident of the machine; the other reasons are the run's own */
	put_text(out, "reason", i->run.state == STATE_FAILED ? NULL : r->reason);
	str_addc(out, '\n');
}

static int put_run(struct store *s, const struct store_item *i, struct str *out, struct arena *a, struct err *e)
{
	put_result(out, i);
	if (!run_state_final(i->run.state))
		return 0;
	if (put_epochs(s, i->run.id, out, a, e) < 0 || put_evaluation(s, i->run.id, 1, out, a, e) < 0)
		return -1;
	return put_findings(s, i->run.id, out, a, e);
}

static int put_runs(struct store *s, int64_t candidate, struct str *out, struct arena *a, struct err *e)
{
	for (int64_t run = 0, replicate = 0;; replicate++) {
		struct store_item item;

		if (db_number(s, &run, e, "SELECT id FROM runs WHERE candidate=? AND replicate=?", "ii", candidate,
			      replicate) < 0)
			return -1;
		if (!run)
			return 0;
		if (store_item_get(s, run, &item, a, e) < 0 || put_run(s, &item, out, a, e) < 0)
			return -1;
	}
}

static int put_candidate(struct store *s, const struct store_candidate *c, struct str *out, struct arena *a,
			 struct err *e)
{
	struct store_model m;

	if (store_model_get(s, c->model, &m, a, e) < 0)
		return -1;
	str_addf(out, "candidate %s %lld", store_origin_names[c->origin], (long long)c->number);
	put_text(out, "label", c->label);
	put_text(out, "model", m.digest);
	put_text(out, "hash", m.hash);
	put_text(out, "key", c->key);
	put_text(out, "recipe", c->recipe);
	put_text(out, "proposal", c->proposal);
	put_text(out, "change", c->change);
	str_addc(out, '\n');
	return put_runs(s, c->id, out, a, e);
}

int store_trajectory(struct store *s, int64_t study, struct str *out, struct err *e)
{
	struct arena *a = arena_new(), *each = arena_new();
	struct store_candidate *c;
	int n, rc = -1;

	TRY(store_candidates(s, study, &c, &n, a, e));
	for (int i = 0; i < n; i++) {
		arena_reset(each);
		if (!c[i].surplus)
			TRY(put_candidate(s, &c[i], out, each, e));
	}
	rc = 0;
out:
	arena_free(each);
	arena_free(a);
	return rc;
}
