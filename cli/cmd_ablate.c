/* cli/cmd_ablate.c - nab ablate: one child per unit that can be removed, retrained like its parent, compared. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/ablate_print.h"
#include "cli/by_hand.h"

struct flags {
	struct by_hand hand;
	struct opt_strs by, group, only;
	const char *epochs, *output;
	int64_t max_params;
	double tolerance;
	int match, format;
	bool pairs, dry_run;
};

static const struct opt flags[] = {
	OPT_STRS(struct flags, by,
		 "units: layer, block, op, group, feature; several with commas (block if there are two, else layer)"),
	OPT_STRS(struct flags, group, "NAME=ID,ID or NAME=FIRST..LAST: layers that go together; may be repeated"),
	OPT_STRS(struct flags, only, "only these units: ids, kinds of layers, names of blocks, features"),
	OPT_BOOL(struct flags, pairs, 0, "also two units at a time, for interactions"),
	OPT_ENUM(struct flags, match, MATCH_NONE, ablate_match_names,
		 "also a control per child: widened until it has the parent's parameters or multiply-adds again"),
	OPT_STR(struct flags, epochs, NULL,
		"epochs, or actual: as many as the stored run really ran; default: as the recipe says"),
	OPT_LONG(struct flags, max_params, 0, 0, 1e15, "no child with more parameters; 0: any"),
	OPT_REAL(struct flags, tolerance, 0.005, 0, 1, "accuracy that may be given up for a smaller model, for advice"),
	OPT_BOOL(struct flags, dry_run, 0, "show the plan and what it costs, train nothing (also -n)"),
	OPT_ENUM(struct flags, format, TABLE_TEXT, table_format_names, "of the table"),
	OPT_STR(struct flags, output, NULL, "file for the table (also -o); default: standard output"),
	BY_HAND_SOURCES,
	BY_HAND_MACHINE,
	OPT_STR(struct by_hand, seed, NULL, "the first seed"),
	OPT_END,
};

struct job {
	struct cli *cli;
	const struct flags *f;
	struct target target;
	struct study study;
	struct ablate_opts opts;
	struct ablate_plan *plan;
	int *row; /* [plan->n] row of the comparison: the parent is 0 */
	int n_rows;
};

/* ---- flags ------------------------------------------------------------------------------------------------ */

static int read_by(struct job *j, struct err *e)
{
	struct opt_strs words = cli_split(&j->f->by, j->cli->arena);

	for (int i = 0; i < words.n; i++) {
		int k = 0;

		while (ablate_by_names[k] && strcmp(ablate_by_names[k], words.v[i]) != 0)
			k++;
		if (!ablate_by_names[k])
			return ERR(e, ERR_USAGE, "--by", "\"%s\" is none of layer, block, op, group, feature",
				   words.v[i]);
		j->opts.by |= 1U << k;
	}
	if (j->opts.by & 1U << ABLATE_GROUP && !j->f->group.n)
		return ERR(e, ERR_USAGE, "--by group", "say which with --group NAME=ID,ID or --group NAME=FIRST..LAST");
	if (j->f->group.n)
		j->opts.by |= 1U << ABLATE_GROUP;
	return 0;
}

static void default_by(struct job *j)
{
	const struct graph *g = j->target.graph;
	int outer = 0;

	for (int i = 0; i < g->n_groups; i++)
		outer += g->groups[i].parent < 0;
	if (!j->opts.by)
		j->opts.by = 1U << (outer >= 2 ? ABLATE_BLOCK : ABLATE_LAYER);
}

/* What the parent really ran: its schedule as it was, and no early stop. */
static int actual_epochs(struct job *j, struct by_hand *h, struct err *e)
{
	const struct target *t = &j->target;
	struct json *recipe;
	double horizon, epochs;

	if (!t->item.run.id || t->item.result.epochs < 1)
		return ERR(e, ERR_USAGE, "--epochs actual", "%s is not a finished run of a store", j->cli->args[0]);
	if (json_parse(&recipe, t->recipe, strlen(t->recipe), "recipe", e) < 0)
		return -1;
	horizon = json_number(json_get(recipe, "horizon"));
	epochs = json_number(json_get(recipe, "epochs"));
	json_free(recipe);
	h->epochs = t->item.result.epochs;
	cli_add_text(&j->cli->set,
		     arena_printf(j->cli->arena, "train.horizon=%d", (int)(horizon > 0 ? horizon : epochs)),
		     j->cli->arena);
	cli_add_text(&j->cli->set, "train.early_stop.patience=0", j->cli->arena);
	return 0;
}

static int read_epochs(struct job *j, struct by_hand *h, struct err *e)
{
	const char *text = j->f->epochs;
	char *end;
	long n;

	if (!text)
		return 0;
	if (strcmp(text, "actual") == 0)
		return actual_epochs(j, h, e);
	n = strtol(text, &end, 10);
	if (end == text || *end || n < 1 || n > 1000000)
		return ERR(e, ERR_USAGE, "--epochs", "must be a number of epochs or \"actual\", not \"%s\"", text);
	h->epochs = (int)n;
	return 0;
}

/* Conditions that differ are another study: its name tells them apart. */
static const char *study_name(const struct job *j, const struct by_hand *h)
{
	struct arena *a = j->cli->arena;
	const char *name = arena_printf(a, "%s-ablate", j->target.name ? j->target.name : "model");

	if (j->f->epochs)
		name = arena_printf(a, "%s-e%s", name, j->f->epochs);
	return h->seeds ? arena_printf(a, "%s-s%d", name, h->seeds) : name;
}

static int make_plan(struct job *j, struct err *e)
{
	struct opt_strs only = cli_split(&j->f->only, j->cli->arena);
	struct json *recipe = study_recipe_json(&j->study);
	struct mutate_env env = { 0 };
	int rc;

	j->opts.groups = j->f->group.v;
	j->opts.n_groups = j->f->group.n;
	j->opts.only = only.n ? only.v : NULL;
	j->opts.n_only = only.n;
	j->opts.pairs = j->f->pairs;
	j->opts.match = (enum ablate_match)j->f->match;
	j->opts.max_params = j->f->max_params;
	arena_defer(j->cli->arena, (void (*)(void *))json_free, recipe); /* the plan borrows its words */
	rc = ablate_plan(&j->plan, j->target.graph, recipe, &j->opts, &env, j->cli->arena, e);
	if (rc == 0 && !j->plan->n_trainable && !j->f->dry_run)
		return ERR(e, ERR_INFEASIBLE, j->target.name, "nothing of it can be removed (--dry-run says why)");
	return rc;
}

/* ---- what it costs ---------------------------------------------------------------------------------------- */

static double macs_of(const struct graph *g)
{
	struct cost c;

	return graph_cost(g, &c, NULL) < 0 ? 0 : (double)c.macs;
}

static struct ablate_bill bill_of(const struct job *j, const struct recipe *r)
{
	const struct target *t = &j->target;
	struct ablate_bill b = { .models = 1 + j->plan->n_trainable,
				 .seeds = j->study.replicates,
				 .slots = j->study.devices.n,
				 .seconds = (double)NAN };
	double parent = macs_of(t->graph), work = 1;

	if (!b.slots)
		b.slots = study_default_devices(j->study.threads, j->cli->arena).n;
	for (int i = 0; i < j->plan->n; i++)
		if (j->plan->children[i].graph && parent > 0)
			work += macs_of(j->plan->children[i].graph) / parent;
	b.measured = t->item.result.seconds;
	if (t->item.run.id && b.measured > 0 && t->item.result.epochs > 0)
		b.seconds = b.measured * r->epochs / t->item.result.epochs * work * b.seeds / b.slots;
	return b;
}

/* ---- training --------------------------------------------------------------------------------------------- */

static struct json *change_of(const struct job *j, const struct ablate_child *c)
{
	struct json *v = mutate_change(&c->log);

	json_put(v, "by", json_str(ablate_by_names[c->by]));
	json_put(v, "unit", json_str(c->unit));
	if (c->control_of >= 0)
		json_put(v, "control_of", json_str(j->plan->children[c->control_of].label));
	arena_defer(j->cli->arena, (void (*)(void *))json_free, v);
	return v;
}

static struct engine_item *make_items(struct job *j)
{
	struct engine_item *items = ARENA_ARRAY(j->cli->arena, struct engine_item, 1 + j->plan->n_trainable);

	j->row = ARENA_ARRAY(j->cli->arena, int, j->plan->n + 1);
	items[0] = (struct engine_item){ .graph = j->target.graph, .label = j->target.name };
	j->n_rows = 1;
	for (int i = 0; i < j->plan->n; i++) {
		const struct ablate_child *c = &j->plan->children[i];

		if (!c->graph)
			continue;
		items[j->n_rows] = (struct engine_item){
			.graph = c->graph, .recipe = c->recipe, .label = c->label, .change = change_of(j, c)
		};
		if (c->graph != j->target.graph)
			items[j->n_rows].made_from = j->target.graph;
		j->row[i] = j->n_rows++;
	}
	return items;
}

/* ---- the table -------------------------------------------------------------------------------------------- */

static int gather(struct job *j, const int64_t *runs, struct comparison **out, struct err *e)
{
	struct compare_opts o = { .title = arena_printf(j->cli->arena, "ablation of %s", j->target.name) };
	int64_t *candidates = ARENA_ARRAY(j->cli->arena, int64_t, j->n_rows);
	struct store *s = NULL;
	struct store_run run;
	int rc = -1;

	TRY(store_open(&s, j->study.store, STORE_READ, e));
	for (int i = 0; i < j->n_rows; i++) {
		TRY(store_run_get(s, runs[i], &run, j->cli->arena, e));
		candidates[i] = run.candidate;
	}
	rc = compare_gather(out, s, candidates, j->n_rows, &o, j->cli->arena, e);
out:
	store_close(s);
	return rc;
}

static struct compare_row refused_row(const struct job *j, const struct ablate_child *c)
{
	struct compare_row r = { .label = c->label, .unit = c->unit };

	r.effect.mean = r.effect.low = r.effect.high = (double)NAN;
	r.seconds = r.accuracy = r.low = r.high = r.spread = (double)NAN;
	r.wilcoxon = r.wilcoxon_least = r.mcnemar = r.cliff = r.p = r.p_holm = (double)NAN;
	r.state = arena_printf(j->cli->arena, "cannot be removed: %s", c->log.refusal);
	return r;
}

static bool refused_unit(const struct ablate_child *c)
{
	return !c->graph;
}

/* The refused units follow the rows that were trained. */
static void add_refused(struct job *j, struct comparison *c)
{
	struct compare_row *rows = ARENA_ARRAY(j->cli->arena, struct compare_row, 1 + j->plan->n);

	memcpy(rows, c->rows, (size_t)c->n_rows * sizeof *rows);
	for (int i = 0; i < j->plan->n; i++) {
		const struct ablate_child *child = &j->plan->children[i];

		if (refused_unit(child)) {
			rows[c->n_rows++] = refused_row(j, child);
			continue;
		}
		rows[j->row[i]].unit = child->unit;
		rows[j->row[i]].change = child->log.words;
		if (child->control_of >= 0)
			rows[j->row[i]].control_of = j->plan->children[child->control_of].label;
	}
	c->rows = rows;
}

/* The one place where `now` differs from `old`, as key and value: "train.optimizer.adamw.weight_decay=0". */
static void difference(struct str *out, const struct json *old, const struct json *now)
{
	JSON_EACH(v, now) {
		const struct json *was = json_get(old, json_key(v));

		if (json_equal(was, v))
			continue;
		str_addf(out, ".%s", json_key(v));
		if (json_type(v) == JSON_OBJECT && json_first(v) && json_get(was, json_key(json_first(v)))) {
			difference(out, was, v);
		} else {
			str_addc(out, '=');
			json_print(out, v);
		}
		return;
	}
}

static const char *set_text(const struct job *j, const struct json *recipe)
{
	struct json *old = study_recipe_json(&j->study);
	struct str t = { 0 };
	const char *out;

	difference(&t, old, recipe);
	out = arena_printf(j->cli->arena, strpbrk(str_get(&t), "{[\"") ? "'train%s'" : "train%s", str_get(&t));
	str_release(&t);
	json_free(old);
	return out;
}

static void removed_ids(const struct job *j, const struct ablate_child *c, struct advice_row *row)
{
	const char **ids = ARENA_ARRAY(j->cli->arena, const char *, json_count(c->log.edits) + 1);

	JSON_EACH(edit, c->log.edits)
		if (json_string(json_get(edit, "remove")))
			ids[row->n_removed++] = json_string(json_get(edit, "remove"));
	row->removed = ids;
}

static struct advice_row *advice_rows(const struct job *j, int n)
{
	struct advice_row *rows = ARENA_ARRAY(j->cli->arena, struct advice_row, n + 1);

	for (int i = 0; i < j->plan->n; i++) {
		const struct ablate_child *c = &j->plan->children[i];
		struct advice_row *row = &rows[j->row[i]];

		if (refused_unit(c))
			continue;
		row->kind = c->recipe ? UNIT_RECIPE : c->by == ABLATE_FEATURE ? UNIT_FEATURE : UNIT_LAYERS;
		row->by = ablate_by_names[c->by];
		row->name = c->unit;
		removed_ids(j, c, row);
		row->set = c->recipe && c->first < 0 ? set_text(j, c->recipe) : NULL;
		row->first = c->first >= 0 ? j->row[c->first] : 0;
		row->second = c->second >= 0 ? j->row[c->second] : 0;
		row->control_of = c->control_of >= 0 ? j->row[c->control_of] : 0;
	}
	return rows;
}

static const char *model_words(const struct job *j)
{
	const char *arg = j->cli->args[0];

	if (!j->target.item.run.id)
		return arg;
	return arena_printf(j->cli->arena, "%s --store %s", arg, j->target.store);
}

/* The command that asks the same with other seeds or units. */
static const char *again_words(const struct job *j)
{
	const struct flags *f = j->f;
	struct str t = { 0 };
	const char *out;

	str_addf(&t, "nab ablate %s", j->cli->args[0]);
	if (f->hand.store || j->target.item.run.id)
		str_addf(&t, " --store %s", j->study.store);
	if (f->hand.study)
		str_addf(&t, " --study %s", f->hand.study);
	if (f->hand.data)
		str_addf(&t, " --data %s", f->hand.data);
	if (f->hand.recipe)
		str_addf(&t, " --recipe %s", f->hand.recipe);
	if (f->epochs)
		str_addf(&t, " --epochs %s", f->epochs);
	for (int i = 0; i < f->group.n; i++)
		str_addf(&t, " --group %s", f->group.v[i]);
	out = arena_strdup(j->cli->arena, str_get(&t));
	str_release(&t);
	return out;
}

static int print_result(struct job *j, const int64_t *runs, struct str *out, struct err *e)
{
	struct advice_opts o = { .model = model_words(j),
				 .again = again_words(j),
				 .tolerance = j->f->tolerance,
				 .seeds = j->study.replicates };
	struct comparison *c;

	if (gather(j, runs, &c, e) < 0)
		return -1;
	add_refused(j, c);
	ablate_print_result(out, j->cli, c, advice_rows(j, c->n_rows), &o, (enum table_format)j->f->format,
			    j->f->output != NULL);
	return 0;
}

static int emit(const struct job *j, const struct str *text, struct err *e)
{
	if (j->f->output)
		return file_write(j->f->output, str_get(text), text->len, e);
	cli_print(text);
	return 0;
}

static int train_and_print(struct job *j, const struct by_hand *h, struct str *text, struct err *e)
{
	struct engine_item *items = make_items(j);
	int64_t *runs = ARENA_ARRAY(j->cli->arena, int64_t, j->n_rows);
	struct engine_outcome out = { 0 };

	if (by_hand_train(j->cli, h, &j->study, "ablate", items, j->n_rows, runs, &out, e) < 0)
		return -1;
	if (out.handed_over && h->no_wait) {
		log_msg(LOG_RUN, "handed to the coordinator of %s; the same command prints the table when it is done",
			j->study.store);
		return 0;
	}
	if (print_result(j, runs, text, e) < 0 || emit(j, text, e) < 0)
		return -1;
	cli_next(j->cli, "nab report --store %s -o report/", j->study.store);
	return by_hand_lost(&out, e);
}

static int run(struct cli *c, struct err *e)
{
	struct flags *f = c->flags;
	struct job j = { .cli = c, .f = f };
	struct ablate_bill bill;
	struct str text = { 0 };
	struct recipe r;
	int rc = -1;

	if (c->json)
		f->format = TABLE_JSON;
	TRY(read_by(&j, e));
	TRY(by_hand_target(c, &f->hand, c->args[0], &j.target, e));
	default_by(&j);
	TRY(read_epochs(&j, &f->hand, e));
	TRY(by_hand_study(c, &f->hand, &j.target, "ablate", study_name(&j, &f->hand), &j.study, e));
	TRY(make_plan(&j, e));
	TRY(study_recipe(&r, &j.study, c->arena, e));
	bill = bill_of(&j, &r);
	if (f->dry_run) {
		ablate_print_plan(&text, c, j.plan, j.target.graph, &bill, (enum table_format)f->format,
				  f->output != NULL);
		TRY(emit(&j, &text, e));
		rc = 0;
		goto out;
	}
	ablate_bill_line(&text, &bill);
	log_msg(LOG_RUN, "%s", str_get(&text));
	str_clear(&text);
	rc = train_and_print(&j, &f->hand, &text, e);
out:
	str_release(&text);
	return rc;
}

const struct command command_ablate = {
	.name = "ablate",
	.usage = "MODEL [flags]",
	.help = "what each part of a model is worth: one child per part, retrained without it, compared",
	.more =
	    "MODEL is a run of a store (best, a number, a label) or a model file. Every child is trained from scratch\n"
	    "with its parent's recipe and seeds. Running the command again resumes it.\n\n"
	    "  nab ablate best --store fashion.db\n"
	    "  nab ablate my.json --data idx:data/mnist --by block,feature --seeds 3 --format latex -o table.tex\n"
	    "  nab ablate best --by layer --only conv2d --dry-run\n"
	    "  nab ablate my.json --group tail=residual_5..dense_1 --match params",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
