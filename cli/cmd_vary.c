/* cli/cmd_vary.c - nab vary: random variations of a model, trained like it, compared with it. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/by_hand.h"
#include "cli/comparison.h"
#include "mutate/vary.h"
#include "report/snac.h"
#include "space/space.h"

struct flags {
	struct by_hand hand;
	struct opt_strs ops, layers;
	const char *allow, *space, *seed, *output;
	int64_t max_params, max_macs;
	int count, changes, format;
	bool inherit, dry_run;
};

enum { TRIES = 1000 };

static const struct opt flags[] = {
	OPT_INT(struct flags, count, 5, 1, 10000, "variations"),
	OPT_INT(struct flags, changes, 3, 1, 100, "of one variation, at most; each number is as likely as the others"),
	OPT_STRS(struct flags, ops, "operators to draw from: a,b or several times; default: all"),
	OPT_STRS(struct flags, layers, "ids or ranges (conv2d_1..relu_3) of layers and blocks that may be changed"),
	OPT_STR(struct flags, allow, NULL,
		"JSON file: which operators a layer or block allows, {\"conv2d_1\": [\"widen\"], \"dense_1\": []}; "
		"\"*\": all others"),
	OPT_LONG(struct flags, max_params, 0, 0, 1e15, "no variation with more parameters; 0: as the space says"),
	OPT_LONG(struct flags, max_macs, 0, 0, 1e15, "the same for multiply-adds"),
	OPT_STR(struct flags, space, NULL,
		"search space that new layers are drawn from and whose limits hold; default: that of the stored run"),
	OPT_STR(struct flags, seed, "1", "of the draws; training has the seeds of the parent"),
	OPT_BOOL(struct flags, inherit, 0, "variations start from the parent's trained weights, not from scratch"),
	OPT_BOOL(struct flags, dry_run, 0, "draw and show, train nothing (also -n)"),
	OPT_STR(struct flags, output, NULL, "folder that the variations are written to, as model files (also -o)"),
	OPT_ENUM(struct flags, format, TABLE_TEXT, table_format_names, "text, markdown, latex, csv or json"),
	BY_HAND_FLAGS,
	OPT_END,
};

struct varied {
	struct cli *cli;
	const struct flags *f;
	struct by_hand hand;
	struct target parent;
	struct study study;
	struct vary_opts opts;
	struct mutate_env env;
	struct vary_stats stats;
	struct vary_child *children;
	const char **labels; /* "resnet8-v1" */
	int n;
};

/* ---- what is asked for ---------------------------------------------------------------------------------- */

static int read_space(struct varied *v, struct err *e)
{
	struct cli *c = v->cli;
	struct json *config = NULL;
	struct diag d = { 0 };
	struct space *s = NULL;
	struct json_in in;
	int rc = 0;

	if (v->f->space) {
		rc = space_load(&s, v->f->space, &c->lib, c->arena, &d, e);
	} else if (v->parent.config &&
		   json_parse(&config, v->parent.config, strlen(v->parent.config), "study", e) < 0) {
		return -1;
	} else if (json_get(config, "space")) {
		in = (struct json_in){ json_get(config, "space"), &d, NULL };
		rc = space_read(&s, in.root, NULL, &c->lib, c->arena, &in);
	}
	rc = cli_report(c, &d, v->f->space ? v->f->space : "space of the stored study", e) < 0 ? -1 : rc;
	json_free(config);
	v->env.space = s;
	return rc;
}

static int read_allow(struct varied *v, struct err *e)
{
	struct json *allow;

	if (!v->f->allow)
		return 0;
	if (json_load(&allow, v->f->allow, e) < 0)
		return -1;
	arena_defer(v->cli->arena, (void (*)(void *))json_free, allow);
	v->opts.allow = allow;
	return 0;
}

static int read_opts(struct varied *v, struct err *e)
{
	const struct flags *f = v->f;
	struct opt_strs ops = cli_split(&f->ops, v->cli->arena), layers = cli_split(&f->layers, v->cli->arena);

	v->opts = (struct vary_opts){ .changes = f->changes,
				      .ops = ops.n ? ops.v : NULL,
				      .n_ops = ops.n,
				      .layers = layers.n ? layers.v : NULL,
				      .n_layers = layers.n,
				      .max_params = f->max_params,
				      .max_macs = f->max_macs,
				      .tries = TRIES };
	if (str_u64(&v->opts.seed, f->seed) < 0)
		return ERR(e, ERR_USAGE, "--seed", "must be a whole number, not \"%s\"", f->seed);
	if (read_allow(v, e) < 0 || read_space(v, e) < 0)
		return -1;
	return by_hand_open_recipe(v->cli, &v->hand, &v->opts.recipe, e);
}

static void tell_file(struct str *t, const char *path)
{
	char *text = NULL;
	size_t n = 0;

	if (path && file_read(&text, &n, path, SIZE_MAX, false, NULL) == 0)
		str_addn(t, text, n);
	mem_free(text);
	str_addc(t, '|');
}

/* What decides which variations are drawn and how they are trained is part of the study's name where it is not the
 * default: so other draws are another study, and the same command goes on with its own. */
static const char *study_name(const struct varied *v)
{
	const struct flags *f = v->f;
	const struct by_hand *h = &v->hand;
	const char *name = arena_printf(v->cli->arena, "%s-vary", v->parent.name);
	struct str t = { 0 };
	char hex[HASH_TEXT];

	for (const struct opt *o = flags; o->name; o++) {
		static const char *const apart[] = { "count", "output", "dry_run", "format",  "store",
						     "name",  "study",  "devices", "no_wait", "retry_failed" };
		struct json *value, *usual;
		struct flags defaults = { 0 };
		bool about = true;

		for (size_t i = 0; i < sizeof apart / sizeof *apart; i++)
			about = about && strcmp(o->name, apart[i]) != 0;
		opt_defaults(&defaults, flags);
		value = opt_write_value(f, o);
		usual = opt_write_value(&defaults, o);
		if (about && value && !json_equal(value, usual)) {
			str_addf(&t, "%s=", o->name);
			json_print(&t, value);
		}
		json_free(value);
		json_free(usual);
	}
	for (int i = 0; i < v->cli->set.n; i++)
		str_addf(&t, "%s|", v->cli->set.v[i]);
	if (f->allow || f->space || h->recipe) {
		tell_file(&t, f->allow);
		tell_file(&t, f->space);
		tell_file(&t, h->recipe);
	}
	if (t.len)
		name = arena_printf(v->cli->arena, "%s-%.6s", name, hash_text(hex, hash128(t.s, t.len)));
	str_release(&t);
	return name;
}

/* ---- drawing -------------------------------------------------------------------------------------------- */

static int nothing_found(const struct varied *v, struct err *e)
{
	const struct vary_stats *s = &v->stats;

	if (!s->drawn)
		return ERR(e, ERR_INFEASIBLE, v->parent.name, "no operator may act on any of these layers");
	return ERR(e, ERR_INFEASIBLE, v->parent.name,
		   "no variation was found: of %lld draws %lld could not be done, %lld were beyond the limits, %lld "
		   "were the model itself",
		   (long long)s->drawn, (long long)s->refused, (long long)s->beyond, (long long)s->duplicates);
}

static int draw(struct varied *v, struct err *e)
{
	struct arena *a = v->cli->arena;
	char tries[32];

	if (vary_draw(&v->children, &v->n, v->f->count, v->parent.graph, &v->opts, NULL, 0, &v->env, &v->stats, a, e) <
	    0)
		return -1;
	if (!v->n)
		return nothing_found(v, e);
	if (v->n < v->f->count)
		log_msg(LOG_WARN,
			"only %d distinct variation%s found within these limits: %s draws in a row brought no new one",
			v->n, v->n == 1 ? " was" : "s were", str_thousands(tries, TRIES));
	v->labels = ARENA_ARRAY(a, const char *, v->n);
	for (int i = 0; i < v->n; i++)
		v->labels[i] = arena_printf(a, "%s-%s", v->parent.name, v->children[i].label);
	return 0;
}

/* ---- showing -------------------------------------------------------------------------------------------- */

static void add_size(struct str *t, const char *what, int64_t was, int64_t now)
{
	char text[32];

	str_addf(t, "%s %s", str_thousands(text, now), what);
	if (was)
		str_addf(t, " (%+.1f %%)", 100 * ((double)now / (double)was - 1));
}

static void add_model(struct str *t, const struct varied *v, const struct graph *g, const struct cost *was)
{
	struct cost c = { 0 };

	graph_cost(g, &c, NULL);
	str_add(t, "    ");
	add_size(t, "parameters", was ? was->params : 0, c.params);
	str_add(t, ", ");
	add_size(t, "multiply-adds", was ? was->macs : 0, c.macs);
	str_add(t, "\n    ");
	snac_line(t, g, v->cli->paint_out, 0);
	str_addc(t, '\n');
}

static void add_child(struct str *t, const struct varied *v, int i, const struct cost *was)
{
	const struct vary_child *c = &v->children[i];

	str_addf(t, "\n%s  %s\n", v->labels[i], c->log.words);
	for (int k = 0; k < c->log.n_repairs; k++)
		str_addf(t, "    repaired: %s\n", c->log.repairs[k]);
	add_model(t, v, c->graph, was);
}

static struct json *child_json(const struct varied *v, int i)
{
	const struct vary_child *c = &v->children[i];
	struct json *out = json_object();
	struct str snac = { 0 };
	struct cost cost = { 0 };

	graph_cost(c->graph, &cost, NULL);
	snac_line(&snac, c->graph, false, 0);
	json_put(out, "label", json_str(v->labels[i]));
	json_put(out, "change", mutate_change(&c->log));
	json_put(out, "recipe", c->recipe ? json_copy(c->recipe) : json_null());
	json_put(out, "params", json_num((double)cost.params));
	json_put(out, "macs", json_num((double)cost.macs));
	json_put(out, "snac", json_str(str_get(&snac)));
	str_release(&snac);
	return out;
}

static void show_json(const struct varied *v)
{
	struct json *out = json_object(), *list = json_array(), *drawn = json_object();

	for (int i = 0; i < v->n; i++)
		json_push(list, child_json(v, i));
	json_put(drawn, "draws", json_num((double)v->stats.drawn));
	json_put(drawn, "refused", json_num((double)v->stats.refused));
	json_put(drawn, "beyond_limits", json_num((double)v->stats.beyond));
	json_put(drawn, "duplicates", json_num((double)v->stats.duplicates));
	json_put(out, "parent", json_str(v->parent.name));
	json_put(out, "study", json_str(v->study.study));
	json_put(out, "variations", list);
	json_put(out, "exhausted", json_bool(v->n < v->f->count));
	json_put(out, "draws", drawn);
	cli_print_json(out);
}

static void show(const struct varied *v)
{
	struct cost was = { 0 };
	struct str t = { 0 };

	if (v->cli->json || v->f->format == TABLE_JSON) {
		show_json(v);
		return;
	}
	graph_cost(v->parent.graph, &was, NULL);
	str_addf(&t, "%s\n", v->parent.name);
	add_model(&t, v, v->parent.graph, NULL);
	for (int i = 0; i < v->n; i++)
		add_child(&t, v, i, &was);
	cli_print(&t);
	str_release(&t);
}

/* The model under its own name. */
static const struct graph *named(const struct varied *v, int i)
{
	struct graph *g = ARENA_NEW(v->cli->arena, struct graph);

	*g = *v->children[i].graph;
	g->name = v->labels[i];
	return g;
}

static int write_models(const struct varied *v, struct err *e)
{
	if (file_mkdirs(v->f->output, e) < 0)
		return -1;
	for (int i = 0; i < v->n; i++) {
		const char *file = arena_printf(v->cli->arena, "%s/%s.json", v->f->output, v->labels[i]);
		struct str t = { 0 };
		int rc;

		model_print(&t, named(v, i));
		rc = file_write(file, t.s, t.len, e);
		str_release(&t);
		if (rc < 0)
			return -1;
	}
	log_msg(LOG_RUN, "%d model file%s written to %s", v->n, v->n == 1 ? " was" : "s were", v->f->output);
	return 0;
}

/* ---- training ------------------------------------------------------------------------------------------- */

static struct engine_item *items_of(const struct varied *v)
{
	struct engine_item *items = ARENA_ARRAY(v->cli->arena, struct engine_item, v->n + 1);

	items[0] = (struct engine_item){ .graph = v->parent.graph, .label = v->parent.name };
	for (int i = 0; i < v->n; i++) {
		const struct vary_child *c = &v->children[i];
		struct json *change = mutate_change(&c->log);

		arena_defer(v->cli->arena, (void (*)(void *))json_free, change);
		items[i + 1] = (struct engine_item){ .graph = named(v, i),
						     .recipe = c->recipe,
						     .label = v->labels[i],
						     .made_from = v->parent.graph,
						     .change = change,
						     .start_item = v->f->inherit ? 1 : 0,
						     .edits = v->f->inherit ? c->log.edits : NULL };
	}
	return items;
}

static int compare(const struct varied *v, const int64_t *runs, struct comparison **out, struct err *e)
{
	struct arena *a = v->cli->arena;
	int64_t *candidates = ARENA_ARRAY(a, int64_t, v->n + 1);
	struct compare_opts o = { .title = arena_printf(a, "variations of %s", v->parent.name) };
	struct store *s = NULL;
	int rc = -1;

	TRY(store_open(&s, v->study.store, STORE_READ, e));
	for (int i = 0; i <= v->n; i++) {
		struct store_run r;

		TRY(store_run_get(s, runs[i], &r, a, e));
		candidates[i] = r.candidate;
	}
	rc = compare_gather(out, s, candidates, v->n + 1, &o, a, e);
out:
	store_close(s);
	return rc;
}

/* The next step from here: the child that is better with some certainty, else other draws. */
static void say_next(const struct varied *v, const struct comparison *m, const int64_t *runs)
{
	int best = 0;
	const char *store = v->study.store;

	for (int i = 1; i < m->n_rows; i++)
		if (m->rows[i].accuracy > m->rows[best].accuracy)
			best = i;
	if (best > 0 && m->rows[best].inherited) { /* it had the parent's training and its own */
		cli_next(v->cli,
			 "the same without --inherit: whether a variation is the better design, not only longer "
			 "trained");
		return;
	}
	if (best > 0 && m->rows[best].effect.low > 0) {
		cli_next(v->cli, "nab vary %lld --store %s   (%s is better than %s)", (long long)runs[best], store,
			 m->rows[best].label, m->rows[0].label);
		return;
	}
	if (best > 0 && m->rows[best].n_done < 5)
		cli_next(v->cli,
			 "the same with --seeds %d: no variation is better beyond doubt; %s (run %lld) comes nearest",
			 m->rows[best].n_done < 3 ? 3 : 10, m->rows[best].label, (long long)runs[best]);
	else
		cli_next(v->cli, "the same with --seed %llu: other variations", (unsigned long long)(v->opts.seed + 1));
}

static int train(const struct varied *v, struct err *e)
{
	struct engine_item *items = items_of(v);
	int64_t *runs = ARENA_ARRAY(v->cli->arena, int64_t, v->n + 1);
	struct engine_outcome out = { 0 };
	struct comparison *m;

	if (by_hand_train(v->cli, &v->hand, &v->study, "vary", items, v->n + 1, runs, &out, e) < 0) {
		if (out.signal && strcmp(v->cli->args[0], "best") == 0)
			cli_next(v->cli, "the same with %lld in place of \"best\", which may be another run by then",
				 (long long)v->parent.item.run.id);
		return -1;
	}
	if (out.handed_over && v->hand.no_wait) {
		if (v->cli->json)
			cli_outcome(v->cli, v->study.store, &out);
		else
			printf("%d models were handed to the coordinator of %s, in study %s\n", v->n + 1,
			       v->study.store, v->study.study);
		cli_next(v->cli, "nab status --store %s; the same without --no-wait shows the comparison",
			 v->study.store);
		return 0;
	}
	if (compare(v, runs, &m, e) < 0 ||
	    cli_print_comparison(v->cli, m, (enum table_format)v->f->format, NULL, e) < 0)
		return -1;
	say_next(v, m, runs);
	return by_hand_lost(&out, e);
}

static int run(struct cli *c, struct err *e)
{
	const struct flags *f = c->flags;
	struct varied v = { .cli = c, .f = f, .hand = f->hand };

	v.hand.keep_open = true;
	if (by_hand_target(c, &v.hand, c->args[0], &v.parent, e) < 0 || read_opts(&v, e) < 0)
		return -1;
	if (by_hand_study(c, &v.hand, &v.parent, "vary", study_name(&v), &v.study, e) < 0 || draw(&v, e) < 0)
		return -1;
	if (f->output && write_models(&v, e) < 0)
		return -1;
	if (!f->dry_run)
		return train(&v, e);
	show(&v);
	cli_next(c, "the same without --dry-run trains these and their parent, in study %s of %s", v.study.study,
		 v.study.store);
	return 0;
}

const struct command command_vary = {
	.name = "vary",
	.usage = "MODEL [flags]",
	.help = "train random variations of a model (a file, a stored run, or \"best\") and compare them with it",
	.more =
	    "  nab vary best --store fashion.db --count 10\n"
	    "  nab vary configs/models/lenet5.json --ops widen,narrow --layers conv2d_1..flatten_1 --max-params 50000\n"
	    "  nab vary 17 --store fashion.db --inherit --epochs 3\n"
	    "  nab vary best --dry-run\n"
	    "\n"
	    "Variations are trained under the conditions of the stored run, with its seeds; its own results are "
	    "reused.\n"
	    "The same command again goes on where it was interrupted; a higher --count adds to what is there. While a\n"
	    "search writes to the store, the work joins its queue.",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
