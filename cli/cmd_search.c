/* cli/cmd_search.c - nab search (run or resume a study), nab preview (the same without training), nab worker. */
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/progress.h"
#include "cli/study_file.h"
#include "engine/engine.h"

struct flags {
	const char *store;
	int64_t max_disk;
	bool retry_failed, fresh;
};

static const struct opt search_flags[] = {
	OPT_STR(struct flags, store, NULL, "file for the results; default: the study's"),
	OPT_LONG(struct flags, max_disk, 0, 0, 9007199254740991,
		 "bytes that checkpoints and weights may take, the least useful go first; 0: as the study says"),
	OPT_BOOL(struct flags, retry_failed, 0, "try runs again that ended failed, out of memory or timed out"),
	OPT_BOOL(struct flags, fresh, 0, "do not reuse results of the same identity from other studies"),
	OPT_END,
};

void cli_outcome(const struct cli *c, const char *store, const struct engine_outcome *o)
{
	struct json *v;

	if (c->json) {
		v = json_object();
		json_put(v, "store", json_str(store));
		json_put(v, "done", json_num((double)o->done));
		json_put(v, "other", json_num((double)o->other));
		json_put(v, "lost", json_num((double)o->lost));
		json_put(v, "best_run", json_num((double)o->best_run));
		json_put(v, "best_score", o->best_run ? json_num(o->best_score) : json_null());
		json_put(v, "stopped", json_str(o->stopped));
		json_put(v, "handed_over", json_bool(o->handed_over));
		cli_print_json(v);
		return;
	}
	printf("%s: %lld run%s done", store, (long long)o->done, o->done == 1 ? "" : "s");
	if (o->other)
		printf(", %lld ended otherwise", (long long)o->other);
	if (o->lost)
		printf(", %lld lost", (long long)o->lost);
	if (o->best_run)
		printf("; best is run %lld with a score of %.4f", (long long)o->best_run, o->best_score);
	printf("%s%s\n", o->stopped[0] ? "; ended by: " : "", o->stopped);
	cli_next(c, "nab report --store %s -o report/", store);
}

static int run_search(struct cli *c, struct err *e)
{
	const struct flags *f = c->flags;
	struct engine_outcome out = { 0 };
	struct engine_conf conf = { .program = c->program,
				    .store = f->store,
				    .fresh_only = f->fresh,
				    .retry_failed = f->retry_failed,
				    .on_event = progress_event };
	struct study y;
	int rc;

	if (f->max_disk)
		cli_add_text(&c->set, arena_printf(c->arena, "limits.max_disk=%lld", (long long)f->max_disk), c->arena);
	if (cli_load_study(c, c->args[0], true, &y, e) < 0 || cli_check_cards(&y, e) < 0)
		return -1;
	conf.arg = progress_new(c, &y, f->store);
	rc = engine_search(&y, &conf, &out, e);
	progress_free(conf.arg);
	if (rc < 0 && e->code == ERR_INTERRUPTED && out.signal)
		e->code = (enum err_code)(128 + out.signal);
	if (rc < 0)
		return -1;
	cli_outcome(c, f->store ? f->store : y.store, &out);
	if (out.lost)
		return ERR(e, ERR_LOST, NULL,
			   "%lld runs were lost to the machine (`nab ls --store %s` shows why; "
			   "--retry-failed tries them again)",
			   (long long)out.lost, f->store ? f->store : y.store);
	return 0;
}

const struct command command_search = {
	.name = "search",
	.usage = "STUDY.json [flags]",
	.help = "sample architectures, train them, record everything; run it again to resume",
	.more = "  nab search configs/demo.json\n"
		"  nab search my-study.json --set search.candidates=50 --set train.epochs=10",
	.flags = search_flags,
	.flags_size = sizeof(struct flags),
	.min_args = 1,
	.max_args = 1,
	.run = run_search,
};

enum { WORKER_SOCKET = 3 }; /* where the coordinator puts it */

static int run_worker(struct cli *c, struct err *e)
{
	int status = engine_worker_main(WORKER_SOCKET);

	(void)c;
	return status ? ERR(e, ERR_RUNTIME, NULL, "the worker ended with status %d", status) : 0;
}

const struct command command_worker = {
	.name = "worker",
	.usage = "",
	.help = "trains runs for a coordinator, which starts it with a socket as file 3",
	.max_args = 0,
	.hidden = true,
	.run = run_worker,
};
