/* cli/cmd_show.c - nab show: everything that is known of one run. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/progress.h"
#include "cli/target.h"

struct flags {
	const char *store;
	bool model, epochs, confusion;
};

static const struct opt flags[] = {
	OPT_STR(struct flags, store, NULL, "the store; default: $NAB_STORE, else the only *.db file here"),
	OPT_BOOL(struct flags, model, 0, "only the canonical model JSON"),
	OPT_BOOL(struct flags, epochs, 1, "the epochs"),
	OPT_BOOL(struct flags, confusion, 1, "the confusion matrix"),
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
	int64_t lineage[64];
	int n_lineage;
};

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
	found = store_evaluation_get(s, run, SPLIT_VALIDATION, &v->val, c->arena, e);
	v->has_val = found > 0;
	v->n_lineage = store_lineage(s, v->target.item.model, v->lineage, 64, e);
	return found < 0 || v->n_lineage < 0 ? -1 : 0;
}

/* ---- text ----------------------------------------------------------------------------------------------- */

/* Eight heights, from the smallest to the largest value. */
static void sparkline(struct str *t, const struct store_epoch *r, int n, double (*value)(const struct store_epoch *))
{
	static const char *const bars[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	double lo = INFINITY, hi = -INFINITY;

	for (int i = 0; i < n; i++) {
		lo = fmin(lo, value(&r[i]));
		hi = fmax(hi, value(&r[i]));
	}
	for (int i = 0; i < n; i++) {
		double x = value(&r[i]);

		str_add(t, isnan(x) ? " " : bars[hi > lo ? (int)(7.99 * (x - lo) / (hi - lo)) : 0]);
	}
}

static double train_loss(const struct store_epoch *r)
{
	return r->train_loss;
}

static double val_accuracy(const struct store_epoch *r)
{
	return r->val_accuracy;
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
		str_addf(t, ": %s", json_string(json_get(change, "words")));
	str_addc(t, '\n');
	JSON_EACH(r, json_get(change, "repairs"))
		str_addf(t, "  repaired: %s\n", json_string(r) ? json_string(r) : "");
	json_free(change);
}

static void head_lines(struct str *t, const struct view *v)
{
	const struct store_item *it = &v->target.item;
	char spent[32], params[32], macs[32];

	str_addf(t, "run %lld: %s (%s %lld of study %s), seed %llu, %s\n", (long long)it->run.id, v->target.name,
		 store_origin_names[it->candidate.origin], (long long)it->candidate.number, it->study,
		 (unsigned long long)it->run.seed, run_state_names[it->run.state]);
	if (it->result.reason)
		str_addf(t, "reason: %s\n", it->result.reason);
	str_addf(t, "model %.12s, %s parameters, %s multiply-adds\n", it->model_hash, str_thousands(params, it->params),
		 str_thousands(macs, it->macs));
	lineage_lines(t, v);
	if (!run_state_final(it->run.state) || isnan(it->result.val_accuracy))
		return;
	str_addf(t, "validation accuracy %.2f %%, loss %.4f; training accuracy %.2f %%, loss %.4f; %d epoch%s in %s\n",
		 100 * it->result.val_accuracy, it->result.val_loss, 100 * it->result.train_accuracy,
		 it->result.train_loss, it->result.epochs, it->result.epochs == 1 ? "" : "s",
		 progress_duration(spent, it->result.seconds));
	if (it->result.best_epoch)
		str_addf(t, "best epoch %d with %.2f %% (optimistic: chosen by this number)%s\n", it->result.best_epoch,
			 100 * it->result.best_accuracy, it->result.restored ? "; its weights were restored" : "");
	if (!isnan(it->test_accuracy))
		str_addf(t, "test accuracy %.2f %%\n", 100 * it->test_accuracy);
}

static void epoch_lines(struct str *t, const struct view *v)
{
	if (!v->n_epochs)
		return;
	str_add(t, "\ntraining loss        ");
	sparkline(t, v->epochs, v->n_epochs, train_loss);
	str_add(t, "\nvalidation accuracy  ");
	sparkline(t, v->epochs, v->n_epochs, val_accuracy);
	str_addf(t, "\n\n%5s %11s %11s %11s %11s %11s %10s\n", "epoch", "train loss", "train acc", "val loss",
		 "val acc", "rate", "grad norm");
	for (int i = 0; i < v->n_epochs; i++) {
		const struct store_epoch *r = &v->epochs[i];

		str_addf(t, "%5d %11.4f %10.2f%% %11.4f %10.2f%% %11.3g %10.3g\n", r->epoch, r->train_loss,
			 100 * r->train_accuracy, r->val_loss, 100 * r->val_accuracy, r->rate, r->grad_norm);
	}
}

static void confusion_lines(struct str *t, const struct view *v)
{
	struct json *info = NULL;
	const struct json *names;
	int k = v->val.classes;

	if (!v->has_val || !v->val.confusion || k > 26)
		return;
	if (v->data.info)
		json_parse(&info, v->data.info, strlen(v->data.info), "info", NULL);
	names = json_get(info, "classes");
	str_addf(t, "\nconfusion matrix (rows: true class, columns: predicted)\n%-16s", "");
	for (int j = 0; j < k; j++)
		str_addf(t, " %5d", j);
	str_addc(t, '\n');
	for (int i = 0; i < k; i++) {
		const struct json *name = json_first(names);
		int64_t n = 0;

		for (int j = 0; name && j < i; j++)
			name = json_next(name);
		if (json_type(name) == JSON_OBJECT)
			name = json_get(name, "name");
		str_addf(t, "%2d %-13.13s", i, json_string(name) ? json_string(name) : "");
		for (int j = 0; j < k; j++) {
			int64_t x = v->val.confusion[i * k + j];

			n += x;
			if (x)
				str_addf(t, " %5lld", (long long)x);
			else
				str_addf(t, " %5s", ".");
		}
		str_addf(t, "  %5.1f %%\n", n ? 100.0 * (double)v->val.confusion[i * k + i] / (double)n : 0.0);
	}
	json_free(info);
}

static void tail_lines(struct str *t, const struct view *v)
{
	for (int i = 0; i < v->n_findings; i++)
		str_addf(t, "%sfinding: %s%s%s\n", i ? "" : "\n", v->findings[i].layer ? v->findings[i].layer : "",
			 v->findings[i].layer ? ": " : "", v->findings[i].text);
	if (v->n_attempts > 1)
		str_add(t, "\nattempts\n");
	for (int i = 0; v->n_attempts > 1 && i < v->n_attempts; i++)
		str_addf(t, "  %d on %s: %s%s%s\n", v->attempts[i].number, v->attempts[i].device,
			 attempt_state_names[v->attempts[i].state], v->attempts[i].reason ? ", " : "",
			 v->attempts[i].reason ? v->attempts[i].reason : "");
}

static void print_text(struct cli *c, const struct view *v)
{
	const struct flags *f = c->flags;
	struct str t = { 0 };

	head_lines(&t, v);
	str_addc(&t, '\n');
	graph_draw(&t, v->target.graph);
	if (f->epochs)
		epoch_lines(&t, v);
	if (f->confusion)
		confusion_lines(&t, v);
	tail_lines(&t, v);
	cli_print(&t);
	str_release(&t);
	cli_next(c, "nab export %lld --to pytorch -o %s/", (long long)v->target.item.run.id, v->target.name);
}

/* ---- JSON ----------------------------------------------------------------------------------------------- */

static void put_number(struct json *v, const char *key, double x)
{
	json_put(v, key, isnan(x) ? json_null() : json_num(x));
}

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
	put_number(doc, "score", it->result.score);
	put_number(doc, "val_accuracy", it->result.val_accuracy);
	put_number(doc, "val_loss", it->result.val_loss);
	put_number(doc, "test_accuracy", it->test_accuracy);
	list = json_put(doc, "epochs", json_array());
	for (int i = 0; i < v->n_epochs; i++) {
		const struct store_epoch *r = &v->epochs[i];

		row = json_push(list, json_object());
		json_put(row, "epoch", json_num(r->epoch));
		put_number(row, "train_loss", r->train_loss);
		put_number(row, "train_accuracy", r->train_accuracy);
		put_number(row, "val_loss", r->val_loss);
		put_number(row, "val_accuracy", r->val_accuracy);
		put_number(row, "rate", r->rate);
		put_number(row, "grad_norm", r->grad_norm);
		put_number(row, "seconds", r->seconds);
	}
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
	.help = "everything that is known of one run: layers, epochs, confusion, findings",
	.more = "  nab show best --store fashion.db\n  nab show 12 --model > model.json",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
