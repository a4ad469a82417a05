/* cli/cmd_confirm.c - nab confirm: winners judged again, on seeds that had no part in choosing them, and then once on
 * the test split. What a search reports for its best model is too good on average, since it was chosen by that number.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/by_hand.h"
#include "cli/comparison.h"
#include "cli/test_split.h"

struct flags {
	const char *store, *output;
	int seeds, format;
	struct opt_strs devices;
	bool test, no_wait, retry_failed;
};

static const struct opt flags[] = {
	OPT_STORE(struct flags),
	OPT_INT(struct flags, seeds, 5, 1, 1000, "fresh seeds for every model"),
	OPT_BOOL(struct flags, test, 1, "evaluate the new runs on the test split, once"),
	OPT_ENUM(struct flags, format, TABLE_TEXT, table_format_names, "of the table"),
	OPT_STR(struct flags, output, NULL, "file for it (also -o)"),
	OPT_STRS(struct flags, devices, "device (cpu:0, cuda:0); may be repeated"),
	OPT_BOOL(struct flags, no_wait, 0, "hand the work to the running coordinator and return"),
	OPT_BOOL(struct flags, retry_failed, 0, "try runs again that ended failed, out of memory or timed out"),
	OPT_END,
};

struct confirmation {
	const char *label;
	struct comparison *search; /* row 0: as the search saw it; row 1: the fresh seeds */
	struct comparison *test;   /* the fresh seeds; NULL: the split was not read */
};

/* ---- what is confirmed ---------------------------------------------------------------------------------- */

static const char suffix[] = "-confirm";

static bool is_confirmation(const char *study)
{
	size_t n = strlen(study), m = strlen(suffix);

	return n > m && strcmp(study + n - m, suffix) == 0;
}

/* The run that the text names, the best one if several do: among those that were searched, not among confirmations,
 * whose runs have the same labels. */
static int find_chosen(struct cli *c, struct store *s, const char *text, int64_t *out, struct err *e)
{
	struct store_study *all;
	struct store_item item;
	double top = (double)NAN;
	int64_t run;
	int n;

	*out = 0;
	if (store_studies(s, &all, &n, c->arena, e) < 0 || store_resolve(s, text, 0, &run, e) < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		struct err none = { 0 };

		if (is_confirmation(all[i].name) || store_resolve(s, text, all[i].id, &run, &none) < 0)
			continue;
		if (store_item_get(s, run, &item, c->arena, e) < 0)
			return -1;
		if (is_confirmation(item.study) || (*out && !(item.result.score > top)))
			continue;
		*out = run;
		top = item.result.score;
	}
	return *out ? 0 : ERR(e, ERR_USAGE, text, "is a confirmation itself: name the model that was searched");
}

static int find_targets(struct cli *c, const char *store, struct target *t, struct err *e)
{
	struct store *s;
	int64_t run;
	int rc = -1;

	if (store_open(&s, store, STORE_READ, e) < 0)
		return -1;
	for (int i = 0; i < c->n_args; i++) {
		size_t n = strlen(c->args[i]);

		if (n > 5 && strcmp(c->args[i] + n - 5, ".json") == 0) {
			ERR(e, ERR_USAGE, c->args[i],
			    "only models of a store are confirmed: `nab train` puts a file's model there");
			goto out;
		}
		TRY(find_chosen(c, s, c->args[i], &run, e));
		TRY(cli_target(c, arena_printf(c->arena, "%lld", (long long)run), store, &t[i], e));
	}
	rc = 0;
out:
	store_close(s);
	return rc;
}

/* ---- seeds ---------------------------------------------------------------------------------------------- */

/* The first seed of the confirmation: its own if it has begun, else one above all that the store has used. */
static int fresh_seed(struct cli *c, struct store *s, const char *study, const char **out, struct err *e)
{
	struct store_query q = { 0 };
	struct store_study y;
	struct store_item *items;
	uint64_t top = 0;
	int n, found = store_study_find(s, study, &y, c->arena, e);
	struct json *config;

	if (found < 0)
		return -1;
	if (found) {
		if (json_parse(&config, y.config, strlen(y.config), study, e) < 0)
			return -1;
		*out = arena_strdup(c->arena, json_string(json_get(config, "seed")));
		json_free(config);
		return 0;
	}
	if (store_list(s, &q, &items, &n, c->arena, e) < 0)
		return -1;
	for (int i = 0; i < n; i++)
		top = items[i].run.seed > top ? items[i].run.seed : top;
	*out = arena_printf(c->arena, "%" PRIu64, top + 1);
	return 0;
}

static int check_targets(const struct target *t, int n, struct err *e)
{
	for (int i = 0; i < n; i++) {
		/* fresh seeds cannot repeat that: its parent has no runs of them */
		if (store_candidate_inherits(&t[i].item.candidate))
			return ERR(e, ERR_INVALID, t[i].name,
				   "starts from trained weights, which fresh seeds do not have: judge the design from "
				   "scratch (`nab train %lld --name NAME --seeds N`) and confirm that",
				   (long long)t[i].item.run.id);
		if (strcmp(t[i].data_digest ? t[i].data_digest : "", t[0].data_digest ? t[0].data_digest : "") != 0)
			return ERR(e, ERR_USAGE, t[i].name, "was trained on other data than %s: confirm it by itself",
				   t[0].name);
		for (int k = 0; k < i; k++)
			if (t[k].item.candidate.id == t[i].item.candidate.id)
				return ERR(e, ERR_USAGE, t[i].name, "is named twice");
	}
	return 0;
}

/* ---- training ------------------------------------------------------------------------------------------- */

/* Trains the models on the fresh seeds; *handed: nothing is done yet, another coordinator has the work. */
static int train(struct cli *c, const struct target *t, const char *store, int64_t *candidates, bool *handed,
		 struct err *e)
{
	const struct flags *f = c->flags;
	char *name = arena_printf(c->arena, "%s%s", t->item.study, suffix);
	struct by_hand hand = { .store = store, .seeds = 1, .devices = f->devices, .no_wait = f->no_wait };
	struct engine_item *items = ARENA_ARRAY(c->arena, struct engine_item, c->n_args);
	int64_t *runs = ARENA_ARRAY(c->arena, int64_t, c->n_args);
	struct engine_outcome out = { 0 };
	struct store *s = NULL;
	struct study y;
	int rc = -1;

	hand.retry_failed = f->retry_failed;
	hand.name = name;
	TRY(store_open(&s, store, STORE_READ, e));
	TRY(fresh_seed(c, s, name, &hand.seed, e));
	store_close(s);
	s = NULL;
	TRY(by_hand_study(c, &hand, t, "confirm", name, &y, e));
	for (int i = 0; i < c->n_args; i++) {
		struct json *recipe = NULL;

		TRY(json_parse(&recipe, t[i].recipe, strlen(t[i].recipe), "recipe", e));
		arena_defer(c->arena, (void (*)(void *))json_free, recipe);
		if (json_get(recipe, "fidelity")) /* the stored model has that width already */
			json_put(json_mutable(recipe, "fidelity"), "width", json_num(1));
		items[i] = (struct engine_item){
			.graph = t[i].graph, .recipe = recipe, .label = t[i].name, .replicates = f->seeds
		};
	}
	TRY(by_hand_train(c, &hand, &y, "train", items, c->n_args, runs, &out, e));
	*handed = out.handed_over && f->no_wait;
	TRY(store_open(&s, store, STORE_READ, e));
	for (int i = 0; i < c->n_args; i++) {
		struct store_run r;

		TRY(store_run_get(s, runs[i], &r, c->arena, e));
		candidates[i] = r.candidate;
	}
	rc = by_hand_lost(&out, e);
out:
	store_close(s);
	return rc;
}

/* ---- the test split ------------------------------------------------------------------------------------- */

static int list_runs(struct cli *c, const char *store, int64_t candidate, struct store_item **items, int *n,
		     struct err *e)
{
	struct store_query q = { .candidate = candidate, .states = 1u << STATE_DONE };
	struct store *s;
	int rc;

	if (store_open(&s, store, STORE_READ, e) < 0)
		return -1;
	rc = store_list(s, &q, items, n, c->arena, e);
	store_close(s);
	return rc;
}

/* Runs that have a number of the test split already keep it. */
static int test(struct cli *c, const char *store, int64_t candidate, struct err *e)
{
	struct store_item *items;
	int n;

	if (list_runs(c, store, candidate, &items, &n, e) < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		struct evaluation v = { 0 };
		struct target t;
		int reads, rc;

		if (!isnan(items[i].test_accuracy))
			continue;
		if (cli_target(c, arena_printf(c->arena, "%lld", (long long)items[i].run.id), store, &t, e) < 0)
			return -1;
		rc = cli_read_test_split(c, &t, store, NULL, 1, "nab confirm", &v, &reads, e);
		evaluation_release(&v);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* ---- what came out -------------------------------------------------------------------------------------- */

static const struct column columns[] = {
	{ .key = "model", .title = "model", .type = CELL_TEXT, .wrap = true },
	{ .key = "search_seeds", .title = "", .type = CELL_WHOLE, .machine = true },
	{ .key = "search_accuracy", .title = "search", .type = CELL_METRIC },
	{ .key = "seeds", .title = "fresh seeds", .type = CELL_WHOLE },
	{ .key = "accuracy", .title = "confirmed", .type = CELL_METRIC },
	{ .key = "interval", .title = "95 %", .type = CELL_TEXT, .people = true, .right = true },
	{ .key = "accuracy_low", .title = "", .type = CELL_METRIC, .machine = true },
	{ .key = "accuracy_high", .title = "", .type = CELL_METRIC, .machine = true },
	{ .key = "change_text", .title = "difference", .type = CELL_TEXT, .people = true, .right = true },
	{ .key = "change", .title = "", .type = CELL_METRIC, .machine = true },
	{ .key = "test_accuracy", .title = "test", .type = CELL_METRIC },
	{ .key = "test_interval", .title = "95 % of test", .type = CELL_TEXT, .people = true, .right = true },
	{ .key = "test_low", .title = "", .type = CELL_METRIC, .machine = true },
	{ .key = "test_high", .title = "", .type = CELL_METRIC, .machine = true },
	{ .key = "params", .title = "params", .type = CELL_WHOLE, .yields = 1 },
};

static void put_row(struct table *t, const struct confirmation *q)
{
	const struct compare_row *before = &q->search->rows[0], *now = &q->search->rows[1];
	double change = now->accuracy - before->accuracy;
	const struct metric *m = q->search->metric;
	char text[METRIC_TEXT], interval[METRIC_INTERVAL];

	table_row(t);
	table_put_text(t, "model", q->label);
	table_put(t, "search_seeds", before->n_done);
	table_put(t, "search_accuracy", before->accuracy);
	table_put(t, "seeds", now->n_done);
	table_put(t, "accuracy", now->accuracy);
	table_put(t, "accuracy_low", now->low);
	table_put(t, "accuracy_high", now->high);
	table_put_text(t, "interval", metric_interval(interval, m, now->low, now->high));
	table_put(t, "change", change);
	table_put_text(t, "change_text", metric_change(text, m, change));
	table_put(t, "params", (double)now->params);
	if (!q->test || !q->test->rows[0].n_done)
		return;
	table_put(t, "test_accuracy", q->test->rows[0].accuracy);
	table_put(t, "test_low", q->test->rows[0].low);
	table_put(t, "test_high", q->test->rows[0].high);
	table_put_text(t, "test_interval", metric_interval(interval, m, q->test->rows[0].low, q->test->rows[0].high));
}

static void put_notes(struct cli *c, struct table *t, const struct confirmation *all, int n, int reads)
{
	const struct metric *m = all[0].search->metric;
	int chosen = all[0].search->rows[0].n_done;

	table_note(t, arena_printf(c->arena,
				   "%s. \"search\": the number that the model was chosen by, on the validation split; "
				   "optimistic for winners. \"confirmed\": the same split, seeds that had no part in "
				   "the choice.",
				   m->share ? "Accuracy in %" : m->name));
	if (n == 1)
		table_note(t, arena_printf(c->arena, "The search had %d seed%s.", chosen, chosen == 1 ? "" : "s"));
	for (int i = 0; i < n && m->share; i++)
		if (all[i].search->rows[1].n_done == 1) {
			table_note(t, "One fresh seed: the interval is over examples alone.");
			break;
		}
	if (all[0].test)
		table_note(t, arena_printf(c->arena,
					   "\"test\": each new run was evaluated once; the test split of this store "
					   "has been read %d time%s. Quote this number.",
					   reads, reads == 1 ? "" : "s"));
}

static int gather(struct cli *c, struct store *s, const struct target *t, int64_t fresh, struct confirmation *out,
		  struct err *e)
{
	const struct flags *f = c->flags;
	const int64_t both[] = { t->item.candidate.id, fresh };
	struct compare_opts o = { 0 };

	out->label = t->name;
	if (compare_gather(&out->search, s, both, 2, &o, c->arena, e) < 0)
		return -1;
	o.test = true;
	return f->test ? compare_gather(&out->test, s, &fresh, 1, &o, c->arena, e) : 0;
}

static int print(struct cli *c, const char *store, const struct target *t, const int64_t *fresh, struct err *e)
{
	const struct flags *f = c->flags;
	struct confirmation *all = ARENA_ARRAY(c->arena, struct confirmation, c->n_args);
	struct table *table = table_new(c->arena, columns, (int)(sizeof columns / sizeof *columns));
	struct str text = { 0 };
	struct store *s;
	int reads, rc = -1;

	if (store_open(&s, store, STORE_READ, e) < 0)
		return -1;
	for (int i = 0; i < c->n_args; i++) {
		TRY(gather(c, s, &t[i], fresh[i], &all[i], e));
		put_row(table, &all[i]);
	}
	table_metric(table, all[0].search->metric); /* models of one data set */
	TRY(store_test_reads(s, 0, &reads, e));
	put_notes(c, table, all, c->n_args, reads);
	table_print(&text, table, c->json ? TABLE_JSON : (enum table_format)f->format, f->output ? 0 : cli_width(),
		    !f->output && c->paint_out);
	if (f->output)
		TRY(file_write(f->output, str_get(&text), text.len, e));
	else
		fputs(str_get(&text), stdout);
	rc = 0;
out:
	store_close(s);
	str_release(&text);
	return rc;
}

static int run(struct cli *c, struct err *e)
{
	const struct flags *f = c->flags;
	struct target *t = ARENA_ARRAY(c->arena, struct target, c->n_args);
	int64_t *fresh = ARENA_ARRAY(c->arena, int64_t, c->n_args);
	const char *store;
	bool handed;

	if (cli_store_path(c, f->store, &store, e) < 0)
		return -1;
	if (find_targets(c, store, t, e) < 0)
		return -1;
	if (check_targets(t, c->n_args, e) < 0 || train(c, t, store, fresh, &handed, e) < 0)
		return -1;
	if (handed)
		return 0;
	for (int i = 0; f->test && i < c->n_args; i++)
		if (test(c, store, fresh[i], e) < 0)
			return -1;
	return print(c, store, t, fresh, e);
}

const struct command command_confirm = {
	.name = "confirm",
	.usage = "MODEL... [flags]",
	.help = "judge winners again: fresh seeds, then once the test split",
	.more = "  nab confirm best --store fashion.db --seeds 5\n"
		"The runs are kept in the store, in the study <study>-confirm. Running it again goes on with them, and "
		"does "
		"not read the test split again.",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
