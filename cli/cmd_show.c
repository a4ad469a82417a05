/* cli/cmd_show.c - nab show: everything that is known of one run. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/class_view.h"
#include "cli/progress.h"
#include "cli/target.h"
#include "cli/terminal.h"
#include "report/canvas.h"
#include "report/escape.h"
#include "report/metric.h"
#include "report/snac.h"

struct flags {
	const char *store;
	bool model, chart, epochs, confusion, classes;
};

static const struct opt flags[] = {
	OPT_STORE(struct flags),
	OPT_BOOL(struct flags, model, 0, "only the canonical model JSON"),
	OPT_BOOL(struct flags, chart, 1, "the chart of the architecture, where the terminal can show it"),
	OPT_BOOL(struct flags, epochs, 1, "the epochs"),
	OPT_BOOL(struct flags, confusion, 1, "the confusion matrix"),
	OPT_BOOL(struct flags, classes, 1, "a line a class"),
	OPT_END,
};

struct view {
	struct target target;
	struct store_epoch *epochs;
	int n_epochs;
	struct store_evaluation val;
	bool has_val;
	struct store_finding *findings;
	int n_findings;
	struct store_attempt *attempts;
	int n_attempts;
	struct store_data data;
	const struct metric *metric;
	struct class_view classes; /* k 0: there are none */
	int64_t lineage[64];
	int n_lineage;
};

/* Names from what is stored of the data; the numbers are borrowed. */
static void read_classes(struct view *v, struct arena *a)
{
	int k = v->has_val && v->val.confusion ? v->val.classes : 0, i = 0;
	const char **names = ARENA_ARRAY(a, const char *, k + 1);
	struct json *info = NULL;

	if (v->data.info)
		json_parse(&info, v->data.info, strlen(v->data.info), "info", NULL);
	JSON_EACH(c, json_get(info, "classes")) {
		const char *name = json_string(json_type(c) == JSON_OBJECT ? json_get(c, "name") : c);

		if (i < k)
			names[i++] = name ? arena_strdup(a, name) : NULL;
	}
	json_free(info);
	v->classes = (struct class_view){ k, v->val.confusion, names };
}

static int read_view(struct cli *c, struct store *s, struct view *v, struct err *e)
{
	struct store_study y;
	int64_t run = v->target.item.run.id;
	int found;

	if (store_epochs(s, run, &v->epochs, &v->n_epochs, c->arena, e) < 0 ||
	    store_findings(s, run, &v->findings, &v->n_findings, c->arena, e) < 0 ||
	    store_attempts(s, run, &v->attempts, &v->n_attempts, c->arena, e) < 0 ||
	    store_study_get(s, v->target.item.candidate.study, &y, c->arena, e) < 0)
		return -1;
	if (y.data && store_data_get(s, y.data, &v->data, c->arena, e) < 0)
		return -1;
	v->metric = metric_of_info(v->data.info);
	found = store_evaluation_get(s, run, SPLIT_VALIDATION, &v->val, c->arena, e);
	v->has_val = found > 0;
	read_classes(v, c->arena);
	v->n_lineage = store_lineage(s, v->target.item.model, v->lineage, 64, e);
	return found < 0 || v->n_lineage < 0 ? -1 : 0;
}

/* ---- text ----------------------------------------------------------------------------------------------- */

/* Others' text, on our terminal. */
static void put_text(struct str *t, const char *before, const char *text)
{
	str_add(t, before);
	cell_text(t, text, 0, true);
}

/* What it was made from and how: the words of its change, and what was repaired. */
static void lineage_lines(struct str *t, const struct view *v)
{
	const char *text = v->target.item.candidate.change;
	struct json *change = NULL;

	if (v->n_lineage < 2)
		return;
	if (text)
		json_parse(&change, text, strlen(text), "change", NULL);
	str_addf(t, "made from model %lld", (long long)v->lineage[1]);
	if (json_string(json_get(change, "words")))
		put_text(t, ": ", json_string(json_get(change, "words")));
	str_addc(t, '\n');
	JSON_EACH(r, json_get(change, "repairs")) {
		put_text(t, "  repaired: ", json_string(r));
		str_addc(t, '\n');
	}
	json_free(change);
}

static void head_lines(struct str *t, const struct view *v)
{
	const struct store_item *it = &v->target.item;
	const struct metric *m = v->metric;
	char spent[32], params[32], macs[32], val[METRIC_TEXT], train[METRIC_TEXT];

	str_addf(t, "run %lld: ", (long long)it->run.id);
	put_text(t, "", v->target.name);
	str_addf(t, " (%s %lld of study ", store_origin_names[it->candidate.origin], (long long)it->candidate.number);
	put_text(t, "", it->study);
	str_addf(t, "), seed %llu, %s\n", (unsigned long long)it->run.seed, run_state_names[it->run.state]);
	if (it->result.reason) {
		put_text(t, "reason: ", it->result.reason);
		str_addc(t, '\n');
	}
	str_addf(t, "model %.12s, %s parameters, %s multiply-adds\n", it->model_hash, str_thousands(params, it->params),
		 str_thousands(macs, it->macs));
	lineage_lines(t, v);
	if (!run_state_final(it->run.state) || isnan(it->result.val_accuracy))
		return;
	str_addf(t, "validation %s %s, loss %.4f; training %s %s, loss %.4f; %d epoch%s in %s\n", m->name,
		 metric_text(val, m, it->result.val_accuracy), it->result.val_loss, m->name,
		 metric_text(train, m, it->result.train_accuracy), it->result.train_loss, it->result.epochs,
		 it->result.epochs == 1 ? "" : "s", progress_duration(spent, it->result.seconds));
	if (it->result.best_epoch)
		str_addf(t, "best epoch %d with %s (optimistic: chosen by this number)%s\n", it->result.best_epoch,
			 metric_text(val, m, it->result.best_accuracy),
			 it->result.restored ? "; its weights were restored" : "");
	if (!isnan(it->test_accuracy))
		str_addf(t, "test %s %s\n", m->name, metric_text(val, m, it->test_accuracy));
}

/* ---- curves --------------------------------------------------------------------------------------------- */

static double train_loss(const struct store_epoch *r)
{
	return r->train_loss;
}

static double val_loss(const struct store_epoch *r)
{
	return r->val_loss;
}

static double train_accuracy(const struct store_epoch *r)
{
	return r->train_accuracy;
}

static double val_accuracy(const struct store_epoch *r)
{
	return r->val_accuracy;
}

static double rate(const struct store_epoch *r)
{
	return r->rate;
}

static double grad_norm(const struct store_epoch *r)
{
	return r->grad_norm;
}

static const struct curve {
	const char *name, *format; /* format NULL: the metric, named after what it is of */
	double (*value)(const struct store_epoch *r);
} curves[] = { { "training loss", "%.4g", train_loss }, { "validation loss", "%.4g", val_loss },
	       { "training", NULL, train_accuracy },    { "validation", NULL, val_accuracy },
	       { "learning rate", "%.3g", rate },       { "gradient norm", "%.3g", grad_norm } };

static const char *curve_text(char buf[METRIC_TEXT], const struct curve *c, const struct metric *m, double x)
{
	if (!c->format)
		return metric_text(buf, m, x);
	snprintf(buf, METRIC_TEXT, c->format, x);
	return buf;
}

/* The first value, the curve, the last one. */
static void curve_line(struct str *t, const struct view *v, const struct curve *c, const struct look *look)
{
	double *x = mem_new((size_t)v->n_epochs * sizeof *x);
	char name[40], first[METRIC_TEXT], last[METRIC_TEXT];
	bool known = false;

	for (int i = 0; i < v->n_epochs; i++) {
		x[i] = c->value(&v->epochs[i]);
		known |= isfinite(x[i]);
	}
	if (known) {
		snprintf(name, sizeof name, "%s%s%s", c->name, c->format ? "" : " ", c->format ? "" : v->metric->name);
		str_addf(t, "%-19s %10s %s", name, curve_text(first, c, v->metric, x[0]),
			 cli_paint(look->paint, "\033[36m"));
		cell_spark(t, x, v->n_epochs, look->width - 44 > 10 ? look->width - 44 : 10, look->utf8);
		str_addf(t, "%s %s\n", cli_paint(look->paint, "\033[0m"),
			 curve_text(last, c, v->metric, x[v->n_epochs - 1]));
	}
	mem_free(x);
}

static void add_number(struct str *t, const char *format, int width, double x)
{
	if (isnan(x))
		str_addf(t, "%*s", width, "-");
	else
		str_addf(t, format, x);
}

static void add_metric(struct str *t, const struct metric *m, double x)
{
	char buf[METRIC_TEXT];

	if (isnan(x))
		str_addf(t, "%12s", "-");
	else
		str_addf(t, m->share ? " %10s%%" : " %11s", metric_number(buf, m, x));
}

static void epoch_lines(struct str *t, const struct view *v, const struct look *look)
{
	if (!v->n_epochs)
		return;
	str_addc(t, '\n');
	for (size_t i = 0; i < sizeof curves / sizeof *curves && v->n_epochs > 1; i++)
		curve_line(t, v, &curves[i], look);
	str_addf(t, "%s%5s %11s %11s %11s %11s %11s %10s\n", v->n_epochs > 1 ? "\n" : "", "epoch", "train loss",
		 v->metric->share ? "train acc" : "train R2", "val loss", v->metric->share ? "val acc" : "val R2",
		 "rate", "grad norm");
	for (int i = 0; i < v->n_epochs; i++) {
		const struct store_epoch *r = &v->epochs[i];

		str_addf(t, "%5d", r->epoch);
		add_number(t, " %11.4f", 12, r->train_loss);
		add_metric(t, v->metric, r->train_accuracy);
		add_number(t, " %11.4f", 12, r->val_loss);
		add_metric(t, v->metric, r->val_accuracy);
		add_number(t, " %11.3g", 12, r->rate);
		add_number(t, " %10.3g", 11, r->grad_norm);
		str_addc(t, '\n');
	}
}

/* The chart in colours, where the terminal is wide enough for it to be read. */
static bool chart(struct str *t, const struct graph *g, const struct look *look, struct arena *a)
{
	static const enum snac_size sizes[] = { SNAC_LARGE, SNAC_MEDIUM };
	struct str drawn = { 0 }, line = { 0 };
	bool fits = false;

	for (int i = 0; i < 2 && !fits && look->paint && look->utf8; i++) {
		struct canvas *c = snac_draw(g, &(struct snac_style){ .size = sizes[i] }, a);
		int widest = 0;

		if (canvas_width(c) > 20.0 * look->width) /* far too wide: not worth the drawing */
			continue;
		str_clear(&drawn);
		canvas_terminal(&drawn, c, 0, true);
		for (const char *s = str_get(&drawn); *s; s += *s == '\n') {
			size_t n = strcspn(s, "\n");

			str_clear(&line);
			str_addn(&line, s, n);
			widest = cell_width(str_get(&line)) > widest ? cell_width(str_get(&line)) : widest;
			s += n;
		}
		fits = widest <= look->width;
	}
	if (fits)
		str_add(t, str_get(&drawn));
	str_release(&drawn);
	str_release(&line);
	return fits;
}

/* Else its line of symbols. */
static void chart_lines(struct str *t, const struct view *v, const struct look *look, struct arena *a)
{
	if (!chart(t, v->target.graph, look, a))
		snac_line(t, v->target.graph, look->paint, 0);
	if (t->len && t->s[t->len - 1] != '\n')
		str_addc(t, '\n');
	str_addc(t, '\n');
}

static void tail_lines(struct str *t, const struct view *v)
{
	for (int i = 0; i < v->n_findings; i++) {
		str_addf(t, "%sfinding: %s%s", i ? "" : "\n", v->findings[i].layer ? v->findings[i].layer : "",
			 v->findings[i].layer ? ": " : "");
		put_text(t, "", v->findings[i].text);
		str_addc(t, '\n');
	}
	if (v->n_attempts > 1)
		str_add(t, "\nattempts\n");
	for (int i = 0; v->n_attempts > 1 && i < v->n_attempts; i++) {
		str_addf(t, "  %d on %s: %s%s", v->attempts[i].number, v->attempts[i].device,
			 attempt_state_names[v->attempts[i].state], v->attempts[i].reason ? ", " : "");
		put_text(t, "", v->attempts[i].reason);
		str_addc(t, '\n');
	}
}

static void print_text(struct cli *c, const struct view *v)
{
	const struct look look = terminal_look(c->paint_out);
	const struct flags *f = c->flags;
	struct str t = { 0 }, file = { 0 };

	head_lines(&t, v);
	str_addc(&t, '\n');
	if (f->chart)
		chart_lines(&t, v, &look, c->arena);
	graph_draw(&t, v->target.graph);
	if (f->epochs)
		epoch_lines(&t, v, &look);
	if (f->confusion && v->classes.k) {
		str_addc(&t, '\n');
		class_matrix(&t, &v->classes, &look);
	}
	if (f->classes && v->classes.k) {
		str_addc(&t, '\n');
		class_bars(&t, &v->classes, &look);
	}
	tail_lines(&t, v);
	cli_print(&t);
	str_release(&t);
	escape_file(&file, v->target.name);
	cli_next(c, "nab export %lld --to pytorch -o %s/", (long long)v->target.item.run.id, str_get(&file));
	str_release(&file);
}

/* ---- JSON ----------------------------------------------------------------------------------------------- */

static void print_json(const struct view *v)
{
	const struct store_item *it = &v->target.item;
	struct json *doc = json_object(), *list, *row, *recipe = NULL, *change = NULL;

	json_put(doc, "run", json_num((double)it->run.id));
	json_put(doc, "study", json_str(it->study));
	json_put(doc, "label", json_str(v->target.name));
	json_put(doc, "state", json_str(run_state_names[it->run.state]));
	if (it->result.reason)
		json_put(doc, "reason", json_str(it->result.reason));
	if (v->n_lineage > 1)
		json_put(doc, "parent_model", json_num((double)v->lineage[1]));
	if (it->candidate.change &&
	    json_parse(&change, it->candidate.change, strlen(it->candidate.change), "change", NULL) == 0)
		json_put(doc, "change", change);
	json_put(doc, "score", json_num(it->result.score));
	json_put(doc, "val_accuracy", json_num(it->result.val_accuracy));
	json_put(doc, "val_loss", json_num(it->result.val_loss));
	json_put(doc, "test_accuracy", json_num(it->test_accuracy));
	list = json_put(doc, "epochs", json_array());
	for (int i = 0; i < v->n_epochs; i++) {
		const struct store_epoch *r = &v->epochs[i];

		row = json_push(list, json_object());
		json_put(row, "epoch", json_num(r->epoch));
		json_put(row, "train_loss", json_num(r->train_loss));
		json_put(row, "train_accuracy", json_num(r->train_accuracy));
		json_put(row, "val_loss", json_num(r->val_loss));
		json_put(row, "val_accuracy", json_num(r->val_accuracy));
		json_put(row, "rate", json_num(r->rate));
		json_put(row, "grad_norm", json_num(r->grad_norm));
		json_put(row, "seconds", json_num(r->seconds));
	}
	if (v->classes.k)
		class_json(doc, &v->classes);
	list = json_put(doc, "findings", json_array());
	for (int i = 0; i < v->n_findings; i++) {
		row = json_push(list, json_object());
		json_put(row, "code", json_str(v->findings[i].code));
		json_put(row, "layer", v->findings[i].layer ? json_str(v->findings[i].layer) : json_null());
		json_put(row, "text", json_str(v->findings[i].text));
	}
	if (v->target.recipe && json_parse(&recipe, v->target.recipe, strlen(v->target.recipe), "recipe", NULL) == 0)
		json_put(doc, "recipe", recipe);
	json_put(doc, "model", model_write(v->target.graph));
	cli_print_json(doc);
}

static int run(struct cli *c, struct err *e)
{
	const struct flags *f = c->flags;
	struct view v = { 0 };
	struct store *s = NULL;
	struct str t = { 0 };
	int rc;

	if (cli_target(c, c->args[0], f->store, &v.target, e) < 0)
		return -1;
	if (f->model || !v.target.item.run.id) {
		model_print(&t, v.target.graph);
		cli_print(&t);
		str_release(&t);
		return 0;
	}
	if (cli_open_store(c, f->store, &s, e) < 0)
		return -1;
	rc = read_view(c, s, &v, e);
	store_close(s);
	if (rc < 0)
		return -1;
	if (c->json)
		print_json(&v);
	else
		print_text(c, &v);
	return 0;
}

const struct command command_show = {
	.name = "show",
	.usage = "RUN [flags]",
	.help = "everything that is known of one run: chart, layers, curves, confusion, classes, findings",
	.more = "  nab show best --store fashion.db\n  nab show 12 --model > model.json",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
