/* cli/cmd_test.c - nab test: the test split, read on purpose and recorded. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/test_split.h"
#include "report/metric.h"

struct flags {
	const char *store, *backend;
	int threads;
};

static const struct opt flags[] = {
	OPT_STORE(struct flags),
	OPT_STR(struct flags, backend, NULL, "cpu, cuda or ref"),
	OPT_INT(struct flags, threads, 1, 1, 1024, "threads"),
	OPT_END,
};

static void print(struct cli *c, const struct target *t, const struct evaluation *v, int reads)
{
	struct json *doc;

	if (!c->json) {
		const struct metric *m = metric_of_task(t->graph->outputs[0].task);
		char text[METRIC_TEXT];

		printf("%s: test %s %s of %lld examples", t->name, m->name, metric_text(text, m, v->accuracy),
		       (long long)v->n);
		if (!isnan(v->balanced_accuracy))
			printf(", balanced %s", metric_text(text, m, v->balanced_accuracy));
		printf(", loss %.4f\n", v->loss);
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
	struct evaluation v = { 0 };
	struct target t;
	int rc, reads;

	if (cli_target(c, c->args[0], f->store, &t, e) < 0)
		return -1;
	if (!t.item.run.id)
		return ERR(e, ERR_USAGE, NULL,
			   "only runs of a store are tested, so that it is recorded (`nab train` makes one)");
	rc = cli_read_test_split(c, &t, f->store, f->backend, f->threads, "nab test", &v, &reads, e);
	if (rc == 0)
		print(c, &t, &v, reads);
	evaluation_release(&v);
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
