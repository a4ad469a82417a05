/* cli/cmd_ls.c - nab ls (the runs of a store) and nab status (how far its studies are). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/progress.h"
#include "cli/slice_score.h"
#include "cli/target.h"
#include "cli/terminal.h"
#include "report/metric.h"
#include "store/select.h"

struct flags {
	const char *store, *study, *slice, *where, *sort;
	int limit;
	bool reverse, failed, names;
};

static const struct opt ls_flags[] = {
	OPT_STORE(struct flags),
	OPT_STR(struct flags, study, NULL, "only this study"),
	OPT_STR(struct flags, where, NULL, "only runs for which this holds: 'acc > 0.9 and params < 100k'"),
	OPT_STR(
	    struct flags, sort, "score",
	    "a name or a calculation: 'acc / log10(params)'; largest first, but costs, times and losses least first"),
	OPT_STR(struct flags, slice, NULL,
		"accuracy on this named part of the validation examples, with its interval; best first"),
	OPT_BOOL(struct flags, reverse, 0, "the other way round"),
	OPT_BOOL(struct flags, failed, 0, "only runs that did not succeed, with the reason"),
	OPT_INT(struct flags, limit, 0, 0, 100000000, "at most so many lines; 0: all"),
	OPT_BOOL(struct flags, names, 0, "only list the names that --where and --sort know"),
	OPT_END,
};

/* A line of the list. */
struct shown {
	struct store_item item;
	struct slice_score slice; /* with --slice */
	const struct metric *metric;
};

static struct json *item_json(const struct shown *w, const char *slice)
{
	const struct store_item *it = &w->item;
	struct json *v = json_object();

	json_put(v, "run", json_num((double)it->run.id));
	json_put(v, "study", json_str(it->study));
	json_put(v, "label", json_str(it->candidate.label ? it->candidate.label : ""));
	json_put(v, "origin", json_str(store_origin_names[it->candidate.origin]));
	json_put(v, "number", json_num((double)it->candidate.number));
	json_put(v, "replicate", json_num(it->run.replicate));
	json_put(v, "state", json_str(run_state_names[it->run.state]));
	if (it->result.reason)
		json_put(v, "reason", json_str(it->result.reason));
	json_put(v, "score", json_num(it->result.score));
	json_put(v, "val_accuracy", json_num(it->result.val_accuracy));
	json_put(v, "val_loss", json_num(it->result.val_loss));
	json_put(v, "train_accuracy", json_num(it->result.train_accuracy));
	if (slice) {
		struct json *part = json_put(v, "slice", json_object());

		json_put(part, "name", json_str(slice));
		json_put(part, "n", json_num((double)w->slice.n));
		json_put(part, "accuracy", json_num(w->slice.accuracy));
		json_put(part, "low", json_num(w->slice.low));
		json_put(part, "high", json_num(w->slice.high));
	}
	json_put(v, "test_accuracy", json_num(it->test_accuracy));
	json_put(v, "best_accuracy", json_num(it->result.best_accuracy));
	json_put(v, "best_epoch", json_num(it->result.best_epoch));
	json_put(v, "epochs", json_num(it->result.epochs));
	json_put(v, "params", json_num((double)it->params));
	json_put(v, "macs", json_num((double)it->macs));
	json_put(v, "seconds", json_num(it->result.seconds));
	json_put(v, "attempts", json_num(it->attempts));
	json_put(v, "inherited", json_bool(store_candidate_inherits(&it->candidate)));
	json_put(v, "cached", json_bool(it->run.cached_from != 0));
	json_put(v, "surplus", json_bool(it->candidate.surplus));
	json_put(v, "hash", json_str(it->model_hash));
	json_put(v, "summary", json_str(it->summary));
	return v;
}

static void add_metric(struct str *t, const struct metric *m, double x)
{
	char buf[METRIC_TEXT];

	if (isnan(x))
		str_addf(t, " %8s", "-");
	else
		str_addf(t, m->share ? " %7s%%" : " %8s", metric_number(buf, m, x));
}

static void slice_cells(struct str *t, const struct slice_score *v)
{
	if (v->n) /* there are slices of classes alone */
		str_addf(t, " %7.2f%% [%6.2f, %6.2f]", 100 * v->accuracy, 100 * v->low, 100 * v->high);
	else
		str_addf(t, " %8s %16s", "-", "");
}

static void item_line(struct str *t, const struct shown *w, const struct flags *f)
{
	const struct store_item *it = &w->item;
	char params[32], macs[32], spent[32];
	bool final = run_state_final(it->run.state);

	str_addf(t, "%5lld  ", (long long)it->run.id);
	cell_text(t, it->candidate.label, 24, true);
	str_addf(t, " %-10s", run_state_names[it->run.state]);
	if (f->failed) {
		str_addc(t, ' ');
		cell_text(t, it->result.reason, 0, true);
		str_addc(t, '\n');
		return;
	}
	add_metric(t, w->metric, final ? it->result.val_accuracy : (double)NAN);
	if (f->slice)
		slice_cells(t, &w->slice);
	else
		add_metric(t, w->metric, final ? it->result.best_accuracy : (double)NAN);
	str_addf(t, " %12s %14s %4d %13s  %s", str_thousands(params, it->params), str_thousands(macs, it->macs),
		 it->result.epochs,
		 final && !isnan(it->result.seconds) ? progress_duration(spent, it->result.seconds) : "-",
		 it->candidate.origin == ORIGIN_BASELINE    ? "[baseline] "
		 : store_candidate_inherits(&it->candidate) ? "[inherited] "
							    : "");
	cell_text(t, it->summary, 0, true);
	str_addc(t, '\n');
}

/* Best first, unknown ones last, in the order that they had. */
static int by_slice(const void *a, const void *b)
{
	const struct shown *x = *(const struct shown *const *)a, *y = *(const struct shown *const *)b;
	bool no_x = isnan(x->slice.accuracy), no_y = isnan(y->slice.accuracy);

	if (no_x != no_y)
		return no_x ? 1 : -1;
	if (!no_x && x->slice.accuracy != y->slice.accuracy)
		return x->slice.accuracy < y->slice.accuracy ? 1 : -1;
	return x < y ? -1 : x > y;
}

/* The runs in the order in which they are listed. */
static int gather(struct cli *c, struct store *s, struct shown ***out, int *n, struct err *e)
{
	const struct flags *f = c->flags;
	struct store_query q = { .order = ORDER_NUMBER };
	struct slice_score *scores;
	struct store_item *items;
	struct metrics metrics;
	struct select *chosen;
	struct shown *all;

	if (select_read(&chosen, f->where, f->sort, c->arena, e) < 0 ||
	    cli_study_id(s, f->study, &q.study, c->arena, e) < 0)
		return -1;
	for (int i = STATE_DIVERGED; f->failed && i < STATE_COUNT; i++)
		q.states |= 1u << i;
	if (store_list(s, &q, &items, n, c->arena, e) < 0 || select_apply(chosen, s, items, n, f->reverse, e) < 0 ||
	    metrics_read(&metrics, s, c->arena, e) < 0)
		return -1;
	if (!f->slice && f->limit && *n > f->limit)
		*n = f->limit;
	scores = ARENA_ARRAY(c->arena, struct slice_score, *n + 1);
	if (f->slice && slice_scores(scores, s, f->slice, items, *n, c->arena, e) < 0)
		return -1;
	all = ARENA_ARRAY(c->arena, struct shown, *n + 1);
	*out = ARENA_ARRAY(c->arena, struct shown *, *n + 1);
	for (int i = 0; i < *n; i++) {
		all[i] = (struct shown){ items[i], scores[i], metric_of_study(&metrics, items[i].candidate.study) };
		(*out)[i] = &all[i];
	}
	if (f->slice)
		qsort(*out, (size_t)*n, sizeof **out, by_slice);
	if (f->slice && f->limit && *n > f->limit)
		*n = f->limit;
	return 0;
}

/* "val" alone where some predict classes and others values: their cells tell. */
static const char *metric_title(struct shown *const *all, int n)
{
	for (int i = 1; i < n; i++)
		if (all[i]->metric != all[0]->metric)
			return "val";
	return n && !all[0]->metric->share ? "val R2" : "val acc";
}

static void print_list(struct cli *c, struct shown *const *all, int n)
{
	const struct flags *f = c->flags;
	struct str t = { 0 };
	int64_t most = 0;

	if (n && !f->failed)
		str_addf(&t,
			 f->slice ? "%5s  %-24s %-10s %8s %25s %12s %14s %4s %13s  %s\n"
				  : "%5s  %-24s %-10s %8s %8s %12s %14s %4s %13s  %s\n",
			 "run", "label", "state", metric_title(all, n), f->slice ? f->slice : "best*", "parameters",
			 "multiply-adds", "ep", "time", "architecture");
	for (int i = 0; i < n; i++) {
		item_line(&t, all[i], f);
		most = all[i]->slice.n > most ? all[i]->slice.n : most;
	}
	cli_print(&t);
	str_release(&t);
	if (n && f->slice && !c->quiet)
		fprintf(stderr, "%s: %lld validation examples; in brackets the 95 %% interval over examples\n",
			f->slice, (long long)most);
	else if (n && !f->failed && !c->quiet)
		fputs("* of the best epoch: optimistic, since it was chosen by this number\n", stderr);
	if (!n && !c->quiet)
		fputs("no runs\n", stderr);
}

static int list(struct cli *c, struct store *s, struct err *e)
{
	const struct flags *f = c->flags;
	struct shown **all;
	struct json *doc;
	int n;

	if (gather(c, s, &all, &n, e) < 0)
		return -1;
	if (!c->json) {
		print_list(c, all, n);
		return 0;
	}
	doc = json_array();
	for (int i = 0; i < n; i++)
		json_push(doc, item_json(all[i], f->slice));
	cli_print_json(doc);
	return 0;
}

static int run_ls(struct cli *c, struct err *e)
{
	const struct flags *f = c->flags;
	struct store *s;
	struct str t = { 0 };
	int rc;

	if (f->names) {
		select_help(&t);
		cli_print(&t);
		str_release(&t);
		return 0;
	}
	if (cli_open_store(c, f->store, &s, e) < 0)
		return -1;
	rc = list(c, s, e);
	store_close(s);
	return rc;
}

const struct command command_ls = {
	.name = "ls",
	.usage = "[flags]",
	.help = "list the runs of a store",
	.more = "  nab ls --store fashion.db --sort params\n"
		"  nab ls --where 'acc > 0.9 and params < 100k' --sort 'acc / log10(params)'\n"
		"  nab ls --where \"origin = 'search' and label ~ '-1[0-9]$'\"\n"
		"  nab ls --failed\n  nab ls --slice cats-and-birds --limit 5\n\n"
		"The language of --where and --sort: docs/filters.md; `nab ls --names` lists what it can ask.",
	.flags = ls_flags,
	.flags_size = sizeof(struct flags),
	.max_args = 0,
	.run = run_ls,
};

/* ---- status --------------------------------------------------------------------------------------------- */

static const struct opt status_flags[] = {
	OPT_STORE(struct flags),
	OPT_END,
};

static struct json *study_json(const struct store_study *y, const struct store_summary *m)
{
	struct json *v = json_object(), *runs = json_object();

	json_put(v, "study", json_str(y->name));
	json_put(v, "kind", json_str(y->kind));
	json_put(v, "state", json_str(study_state_names[y->state]));
	json_put(v, "candidates", json_num((double)m->candidates));
	for (int i = 0; i < STATE_COUNT; i++)
		json_put(runs, run_state_names[i], json_num((double)m->runs[i]));
	json_put(v, "runs", runs);
	json_put(v, "epochs", json_num((double)m->epochs));
	json_put(v, "training_seconds", json_num(m->seconds));
	json_put(v, "best_score", json_num(m->best_score));
	json_put(v, "best_run", json_num((double)m->best_run));
	return v;
}

static void study_lines(struct str *t, const struct store_study *y, const struct store_summary *m)
{
	char spent[32], when[32];

	cell_text(t, y->name, 0, true);
	str_addf(t, " (%s, %s, since %s)\n", y->kind, study_state_names[y->state], clock_text(when, y->created));
	str_addf(t, "  %lld candidate%s;", (long long)m->candidates, m->candidates == 1 ? "" : "s");
	for (int i = 0; i < STATE_COUNT; i++)
		if (m->runs[i])
			str_addf(t, " %lld %s", (long long)m->runs[i], run_state_names[i]);
	str_addf(t, "; %lld epoch%s in %s\n", (long long)m->epochs, m->epochs == 1 ? "" : "s",
		 progress_duration(spent, m->seconds));
	if (m->best_run)
		str_addf(t, "  best: run %lld with %.4f\n", (long long)m->best_run, m->best_score);
}

/* Why nothing moves, if nothing does. */
static void waiting_line(struct str *t, const struct store_summary *m, bool held, const char *holder)
{
	if (held)
		str_addf(t, "in use by %s\n", holder);
	else if (m->runs[STATE_QUEUED] + m->runs[STATE_RUNNING])
		str_addf(t, "%lld runs wait because no coordinator is running: `nab search` the study again to go on\n",
			 (long long)(m->runs[STATE_QUEUED] + m->runs[STATE_RUNNING]));
}

static int status(struct cli *c, struct store *s, struct err *e)
{
	struct json *doc = json_object(), *studies = json_put(doc, "studies", json_array());
	struct store_summary all, m;
	struct store_study *y;
	char holder[160];
	struct str t = { 0 };
	bool held = store_holder(store_path(s), holder, sizeof holder);
	int n, rc = -1;

	TRY(store_studies(s, &y, &n, c->arena, e));
	TRY(store_summarize(s, 0, &all, e));
	for (int i = 0; i < n; i++) {
		TRY(store_summarize(s, y[i].id, &m, e));
		json_push(studies, study_json(&y[i], &m));
		study_lines(&t, &y[i], &m);
	}
	json_put(doc, "store", json_str(store_path(s)));
	json_put(doc, "holder", held ? json_str(holder) : json_null());
	json_put(doc, "store_bytes", json_num((double)all.store_bytes));
	json_put(doc, "file_bytes", json_num((double)all.file_bytes));
	json_put(doc, "test_reads", json_num(all.test_reads));
	waiting_line(&t, &all, held, holder);
	str_addf(&t, "%s: %.1f MiB, checkpoints and weights %.1f MiB; the test split was read %d time%s\n",
		 store_path(s), (double)all.store_bytes / 1048576, (double)all.file_bytes / 1048576, all.test_reads,
		 all.test_reads == 1 ? "" : "s");
	if (c->json)
		cli_print_json(json_copy(doc));
	else
		cli_print(&t);
	rc = 0;
out:
	str_release(&t);
	json_free(doc);
	return rc;
}

static int run_status(struct cli *c, struct err *e)
{
	const struct flags *f = c->flags;
	struct store *s;
	int rc;

	if (cli_open_store(c, f->store, &s, e) < 0)
		return -1;
	rc = status(c, s, e);
	store_close(s);
	return rc;
}

const struct command command_status = {
	.name = "status",
	.usage = "[flags]",
	.help = "how far the studies of a store are, and what they wait for",
	.flags = status_flags,
	.flags_size = sizeof(struct flags),
	.max_args = 0,
	.run = run_status,
};
