/* cli/cmd_test.c - nab test: the test split, read on purpose and recorded. */
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/target.h"
#include "engine/engine.h"
#include "train/train.h"

struct flags {
	const char *store, *backend;
	int threads;
};

static const struct opt flags[] = {
	OPT_STR(struct flags, store, NULL, "the store; default: $NAB_STORE, else the only *.db file here"),
	OPT_STR(struct flags, backend, NULL, "cpu or ref"),
	OPT_INT(struct flags, threads, 1, 1, 1024, "threads"),
	OPT_END,
};

/* The look and what was seen, in one transaction. */
static int record(struct cli *c, const struct target *t, const struct dataset *d, const struct evaluation *v,
		  int *reads, struct err *e)
{
	const struct flags *f = c->flags;
	struct store *s = NULL;
	const char *path;
	int rc = -1;

	if (cli_store_path(c, f->store, &path, e) < 0 || store_open(&s, path, STORE_WRITE, e) < 0)
		return -1;
	TRY(store_begin(s, e));
	TRY(store_test_read_add(s, t->item.run.id, "nab test", e));
	TRY(engine_store_evaluation(s, t->item.run.id, v, d, e));
	TRY(store_commit(s, e));
	rc = store_test_reads(s, 0, reads, e);
out:
	store_close(s);
	return rc;
}

static void print(struct cli *c, const struct target *t, const struct evaluation *v, int reads)
{
	struct json *doc;

	if (!c->json) {
		printf("%s: test accuracy %.2f %% of %lld examples, balanced %.2f %%, loss %.4f\n", t->name,
		       100 * v->accuracy, (long long)v->n, 100 * v->balanced_accuracy, v->loss);
		if (!c->quiet)
			fprintf(stderr,
				"the test split of this store has been read %d time%s; every look makes it a little "
				"less of a "
				"test\n",
				reads, reads == 1 ? "" : "s");
		return;
	}
	doc = json_object();
	json_put(doc, "run", json_num((double)t->item.run.id));
	json_put(doc, "label", json_str(t->name));
	json_put(doc, "n", json_num((double)v->n));
	json_put(doc, "accuracy", json_num(v->accuracy));
	json_put(doc, "balanced_accuracy", json_num(v->balanced_accuracy));
	json_put(doc, "loss", json_num(v->loss));
	json_put(doc, "test_reads", json_num(reads));
	cli_print_json(doc);
}

static int run(struct cli *c, struct err *e)
{
	const struct flags *f = c->flags;
	const struct backend *b = NULL;
	struct backend_ctx *ctx = NULL;
	struct dataset *d = NULL;
	struct weights *w = NULL;
	struct evaluation v = { 0 };
	struct target t;
	int rc = -1, reads;

	TRY(cli_target(c, c->args[0], f->store, &t, e));
	if (!t.item.run.id) {
		ERR(e, ERR_USAGE, NULL,
		    "only runs of a store are tested, so that it is recorded (`nab train` makes one)");
		goto out;
	}
	TRY(cli_target_data(c, &t, NULL, &d, e));
	if (!d->n_split[SPLIT_TEST]) {
		ERR(e, ERR_INVALID, d->name, "the data set has no test split");
		goto out;
	}
	TRY(cli_target_weights(&t, NULL, &w, e));
	TRY(cli_backend(f->backend, f->threads, &b, &ctx, e));
	TRY(train_evaluate(b, ctx, t.graph, w, d, SPLIT_TEST, &v, e));
	TRY(record(c, &t, d, &v, &reads, e));
	print(c, &t, &v, reads);
	rc = 0;
out:
	evaluation_release(&v);
	if (ctx)
		b->close(ctx);
	weights_free(w);
	dataset_close(d);
	return rc;
}

const struct command command_test = {
	.name = "test",
	.usage = "RUN [flags]",
	.help = "evaluate a run on the test split; recorded, and counted",
	.more = "  nab test best --store fashion.db",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
