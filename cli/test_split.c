/* cli/test_split.c - see test_split.h. */
#include "cli/test_split.h"

#include "engine/engine.h"

static int record(struct cli *c, const struct target *t, const char *store, const char *what, const struct dataset *d,
		  const struct evaluation *v, int *reads, struct err *e)
{
	struct store *s = NULL;
	const char *path;
	int rc = -1;

	if (cli_store_path(c, store, &path, e) < 0 || store_open(&s, path, STORE_WRITE, e) < 0)
		return -1;
	TRY(store_begin(s, e));
	TRY(store_test_read_add(s, t->item.run.id, what, e));
	TRY(engine_store_evaluation(s, t->item.run.id, v, d, e));
	TRY(store_commit(s, e));
	rc = store_test_reads(s, 0, reads, e);
out:
	store_close(s);
	return rc;
}

int cli_read_test_split(struct cli *c, const struct target *t, const char *store, const char *backend, int threads,
			const char *what, struct evaluation *v, int *reads, struct err *e)
{
	const struct backend *b = NULL;
	struct backend_ctx *ctx = NULL;
	struct dataset *d = NULL;
	struct weights *w = NULL;
	int rc = -1;

	TRY(cli_target_data(c, t, NULL, &d, e));
	if (!d->n_split[SPLIT_TEST]) {
		ERR(e, ERR_INVALID, d->name, "the data set has no test split");
		goto out;
	}
	TRY(cli_target_weights(t, NULL, &w, e));
	TRY(cli_backend(backend, threads, &b, &ctx, e));
	TRY(train_evaluate(b, ctx, t->graph, w, d, SPLIT_TEST, v, e));
	rc = record(c, t, store, what, d, v, reads, e);
out:
	if (ctx)
		b->close(ctx);
	weights_free(w);
	dataset_close(d);
	return rc;
}
