/* cli/cmd_diff.c - nab diff: what differs between two models, and if they are runs, between the ways they were trained
 * and what came of it. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/comparison.h"
#include "cli/target.h"
#include "report/model_diff.h"

struct flags {
	const char *store;
	bool all;
};

static const struct opt flags[] = {
	OPT_STORE(struct flags),
	OPT_BOOL(struct flags, all, 0, "also the layers that are the same"),
	OPT_END,
};

struct sides {
	struct target t[2];
	struct store_study study[2];
	bool run[2], related;
	struct model_diff *model;
	struct json *recipe, *data, *conditions; /* lists of changes; NULL: not runs */
	struct comparison *metric;               /* NULL: not both trained, or on other data */
};

/* ---- reading -------------------------------------------------------------------------------------------- */

static struct json *parsed(struct cli *c, const char *text)
{
	struct json *doc = NULL;

	if (!text || json_parse(&doc, text, strlen(text), "stored", NULL) < 0)
		return NULL;
	arena_defer(c->arena, (void (*)(void *))json_free, doc);
	return doc;
}

static struct json *changes(struct cli *c, const struct json *old, const struct json *now)
{
	struct json *list = json_array();

	arena_defer(c->arena, (void (*)(void *))json_free, list);
	json_changes(list, "", old, now);
	return list;
}

static void put_seeds(struct cli *c, struct store *s, struct json *into, int64_t candidate)
{
	struct store_query q = { .candidate = candidate };
	struct json *list = json_put(into, "seeds", json_array());
	struct store_item *items;
	int n = 0;

	if (store_list(s, &q, &items, &n, c->arena, NULL) < 0)
		return;
	for (int i = 0; i < n; i++)
		json_push(list, json_str(arena_printf(c->arena, "%llu", (unsigned long long)items[i].run.seed)));
}

/* Where and how it was trained, but for recipe and data. */
static struct json *conditions(struct cli *c, struct store *s, const struct sides *d, int k)
{
	struct json *v = json_object(), *config = parsed(c, d->study[k].config), *env = parsed(c, d->study[k].env);
	static const char *const keys[] = { "objective", "limits" };

	arena_defer(c->arena, (void (*)(void *))json_free, v);
	json_put(v, "study", json_str(d->study[k].name));
	put_seeds(c, s, v, d->t[k].item.candidate.id);
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (json_get(config, keys[i]))
			json_put(v, keys[i], json_copy(json_get(config, keys[i])));
	JSON_EACH(x, env)
		json_put(v, json_key(x), json_copy(x));
	return v;
}

static int compare_metric(struct cli *c, struct store *s, struct sides *d, struct err *e)
{
	const int64_t both[] = { d->t[0].item.candidate.id, d->t[1].item.candidate.id };
	struct compare_opts o = { 0 };
	struct comparison *m;

	if (both[0] == both[1])
		return 0;
	if (compare_gather(&m, s, both, 2, &o, c->arena, e) < 0)
		return -1;
	if (m->rows[0].n_done && m->rows[1].n_done && !m->rows[1].other_data)
		d->metric = m;
	return 0;
}

static int read_runs(struct cli *c, struct sides *d, struct err *e)
{
	const struct flags *f = c->flags;
	struct json *spec[2];
	struct store *s;
	int rc = -1;

	if (cli_open_store(c, f->store, &s, e) < 0)
		return -1;
	for (int k = 0; k < 2; k++)
		TRY(store_study_get(s, d->t[k].item.candidate.study, &d->study[k], c->arena, e));
	TRY(target_related(s, &d->t[0], &d->t[1], &d->related, e));
	d->recipe = changes(c, parsed(c, d->t[0].recipe), parsed(c, d->t[1].recipe));
	for (int k = 0; k < 2; k++) {
		spec[k] = parsed(c, d->t[k].data_spec);
		if (spec[k] && d->t[k].data_digest)
			json_put(spec[k], "identity", json_str(d->t[k].data_digest));
	}
	d->data = changes(c, spec[0], spec[1]);
	d->conditions = changes(c, conditions(c, s, d, 0), conditions(c, s, d, 1));
	rc = compare_metric(c, s, d, e);
out:
	store_close(s);
	return rc;
}

/* ---- text ----------------------------------------------------------------------------------------------- */

static void add_value(struct str *out, const struct json *v)
{
	if (json_string(v))
		str_add(out, json_string(v));
	else if (v)
		json_print(out, v);
}

static void changes_text(struct str *out, const struct json *list, const char *sep)
{
	const char *between = "";

	JSON_EACH(v, list) {
		str_addf(out, "%s%s ", between, json_string(json_get(v, "key")));
		add_value(out, json_get(v, "old"));
		str_add(out, " -> ");
		add_value(out, json_get(v, "new"));
		between = sep;
	}
}

static const char *colour_of(enum diff_kind kind)
{
	static const char *const codes[DIFF_KIND_COUNT] = {
		[DIFF_SAME] = "",
		[DIFF_CHANGED] = "\033[33m",
		[DIFF_RESHAPED] = "\033[36m",
		[DIFF_REMOVED] = "\033[31m",
		[DIFF_ADDED] = "\033[32m",
	};
	return codes[kind];
}

static void layer_text(struct str *out, const struct graph *g, int i)
{
	char shape[48], params[32];

	str_addf(out, "%-24s ", g->nodes[i].id);
	node_summary(out, g, i);
	str_addf(out, "  %s", shape_text(shape, &g->nodes[i].out[0]));
	if (g->nodes[i].params)
		str_addf(out, ", %s parameters", str_thousands(params, g->nodes[i].params));
}

static void pair_text(struct str *out, const struct model_diff *d, const struct diff_step *s)
{
	const struct node *x = &d->a->nodes[s->a], *y = &d->b->nodes[s->b];
	char old[48], now[48];

	str_addf(out, "%-24s ", x->id);
	if (strcmp(x->id, y->id) != 0)
		str_addf(out, "(now %s) ", y->id);
	str_addf(out, "%s: ", layer_classes[x->kind]->name);
	changes_text(out, s->options, ", ");
	if (s->reads_a)
		str_addf(out, "%sreads %s -> %s", s->options ? "; " : "", s->reads_a, s->reads_b);
	if (!shape_equal(&x->out[0], &y->out[0]))
		str_addf(out, "%s%s -> %s", s->options || s->reads_a ? "; " : "", shape_text(old, &x->out[0]),
			 shape_text(now, &y->out[0]));
	if (x->params != y->params)
		str_addf(out, "%s%s -> %s parameters",
			 s->options || s->reads_a || !shape_equal(&x->out[0], &y->out[0]) ? "; " : "",
			 str_thousands(old, x->params), str_thousands(now, y->params));
}

static void step_text(struct str *out, const struct cli *c, const struct model_diff *d, const struct diff_step *s)
{
	static const char marks[DIFF_KIND_COUNT] = {
		[DIFF_SAME] = ' ', [DIFF_CHANGED] = '~', [DIFF_RESHAPED] = '.', [DIFF_REMOVED] = '-', [DIFF_ADDED] = '+'
	};
	bool paint = c->paint_out && s->kind != DIFF_SAME;

	str_addf(out, "%s%c ", cli_paint(paint, colour_of(s->kind)), marks[s->kind]);
	if (s->kind == DIFF_REMOVED || s->kind == DIFF_SAME)
		layer_text(out, d->a, s->a);
	else if (s->kind == DIFF_ADDED)
		layer_text(out, d->b, s->b);
	else
		pair_text(out, d, s);
	str_addf(out, "%s\n", cli_paint(paint, "\033[0m"));
}

static void model_text(struct str *out, const struct cli *c, const struct model_diff *d)
{
	const struct flags *f = c->flags;
	int same = 0;

	for (int i = 0; i <= d->n; i++) {
		bool fold = i < d->n && d->steps[i].kind == DIFF_SAME && !f->all;

		if (!fold && same) {
			str_addf(out, "  ... %d layer%s the same\n", same, same == 1 ? "" : "s");
			same = 0;
		}
		same += fold;
		if (i < d->n && !fold)
			step_text(out, c, d, &d->steps[i]);
	}
}

static void side_text(struct str *out, const struct cli *c, const struct sides *d, int k)
{
	char params[32], macs[32];
	struct cost cost = { 0 };

	graph_cost(d->t[k].graph, &cost, NULL);
	str_addf(out, "%s%s %s%s: ", cli_paint(c->paint_out, colour_of(k ? DIFF_ADDED : DIFF_REMOVED)), k ? "+" : "-",
		 d->t[k].name ? d->t[k].name : "model", cli_paint(c->paint_out, "\033[0m"));
	if (d->t[k].item.run.id)
		str_addf(out, "run %lld of %s, ", (long long)d->t[k].item.run.id, d->t[k].item.study);
	str_addf(out, "%d layers, %s parameters, %s multiply-adds\n", cost.layers, str_thousands(params, cost.params),
		 str_thousands(macs, cost.macs));
}

static void list_text(struct str *out, const char *title, const struct json *list)
{
	if (!list)
		return;
	str_addf(out, "\n%s%s", title, json_count(list) ? ":\n  " : ": the same");
	changes_text(out, list, "\n  ");
	str_addc(out, '\n');
}

static void judged_text(struct str *out, const struct sides *d)
{
	const struct comparison *m = d->metric;
	char from[METRIC_TEXT], to[METRIC_TEXT], interval[METRIC_INTERVAL];
	const struct compare_row *b;

	if (!m) {
		if (d->run[0] && d->run[1])
			str_addf(out,
				 "\nvalidation %s: not compared (one of them did not finish, they saw other data, or "
				 "they are one)\n",
				 metric_of_task(d->model->a->outputs[0].task)->name);
		return;
	}
	b = &m->rows[1];
	str_addf(out, "\nvalidation %s: %s -> %s", m->metric->name, metric_number(from, m->metric, m->rows[0].accuracy),
		 metric_text(to, m->metric, b->accuracy));
	if (!isnan(b->effect.low))
		str_addf(out, ", difference %s, 95 %% interval %s", metric_change(to, m->metric, b->effect.mean),
			 metric_change_interval(interval, m->metric, b->effect.low, b->effect.high));
	str_addf(out, " (%d pair%s of seeds%s)\n", b->n_paired, b->n_paired == 1 ? "" : "s",
		 b->in_order ? ", none in common: paired in their order" : "");
	if (b->effect.doubt)
		str_addf(out, "  do not rely on the interval: %s\n", b->effect.doubt);
}

static void print_text(struct cli *c, const struct sides *d)
{
	struct str out = { 0 };
	const int *n = d->model->count;

	side_text(&out, c, d, 0);
	side_text(&out, c, d, 1);
	str_addf(&out, "\nlayers: %d the same, %d changed, %d reshaped, %d removed, %d added\n", n[DIFF_SAME],
		 n[DIFF_CHANGED], n[DIFF_RESHAPED], n[DIFF_REMOVED], n[DIFF_ADDED]);
	model_text(&out, c, d->model);
	list_text(&out, "recipe", d->recipe);
	list_text(&out, "data", d->data);
	list_text(&out, "conditions", d->conditions);
	judged_text(&out, d);
	cli_print(&out);
	str_release(&out);
}

/* ---- JSON ----------------------------------------------------------------------------------------------- */

static void put_layer(struct json *step, const char *key, const struct graph *g, int i)
{
	struct json *v;
	char shape[48];

	if (i < 0)
		return;
	v = json_put(step, key, json_object());
	json_put(v, "id", json_str(g->nodes[i].id));
	json_put(v, "kind", json_str(layer_classes[g->nodes[i].kind]->name));
	json_put(v, "shape", json_str(shape_text(shape, &g->nodes[i].out[0])));
	json_put(v, "params", json_num((double)g->nodes[i].params));
}

static struct json *layers_json(const struct model_diff *d)
{
	struct json *out = json_array();

	for (int i = 0; i < d->n; i++) {
		const struct diff_step *s = &d->steps[i];
		struct json *v = json_push(out, json_object());

		json_put(v, "status", json_str(diff_kind_names[s->kind]));
		put_layer(v, "old", d->a, s->a);
		put_layer(v, "new", d->b, s->b);
		if (s->options)
			json_put(v, "options", json_copy(s->options));
		if (s->reads_a) {
			json_put(v, "old_reads", json_str(s->reads_a));
			json_put(v, "new_reads", json_str(s->reads_b));
		}
	}
	return out;
}

static struct json *metric_json(const struct comparison *m)
{
	const struct compare_row *a = &m->rows[0], *b = &m->rows[1];
	struct json *v = json_object();

	json_put(v, "split", json_str(m->split));
	json_put(v, "old", json_num(a->accuracy));
	json_put(v, "new", json_num(b->accuracy));
	json_put(v, "difference", json_num(b->effect.mean));
	json_put(v, "low", json_num(b->effect.low));
	json_put(v, "high", json_num(b->effect.high));
	json_put(v, "p", json_num(b->effect.p));
	json_put(v, "pairs", json_num(b->n_paired));
	json_put(v, "reliable", json_bool(b->effect.reliable));
	return v;
}

static void print_json(const struct sides *d)
{
	struct json *out = json_object();

	json_put(out, "layers", layers_json(d->model));
	json_put(out, "recipe", d->recipe ? json_copy(d->recipe) : json_null());
	json_put(out, "data", d->data ? json_copy(d->data) : json_null());
	json_put(out, "conditions", d->conditions ? json_copy(d->conditions) : json_null());
	json_put(out, "metric", d->metric ? metric_json(d->metric) : json_null());
	cli_print_json(out);
}

static int run(struct cli *c, struct err *e)
{
	const struct flags *f = c->flags;
	struct sides d = { 0 };

	for (int k = 0; k < 2; k++) {
		if (cli_target(c, c->args[k], f->store, &d.t[k], e) < 0)
			return -1;
		d.run[k] = d.t[k].item.run.id != 0;
	}
	if (d.run[0] && d.run[1] && read_runs(c, &d, e) < 0)
		return -1;
	d.model = model_diff(d.t[0].graph, d.t[1].graph, d.related, c->arena);
	if (c->json)
		print_json(&d);
	else
		print_text(c, &d);
	return 0;
}

const struct command command_diff = {
	.name = "diff",
	.usage = "A B [flags]",
	.help = "what differs between two models or runs: layers, recipe, data, conditions, accuracy",
	.more = "  nab diff lenet5 best --store fashion.db\n"
		"  nab diff a.json b.json\n"
		"Marks: - removed, + added, ~ changed, . the same layer at another size.",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.min_args = 2,
	.max_args = 2,
	.run = run,
};
