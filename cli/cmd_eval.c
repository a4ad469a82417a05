/* cli/cmd_eval.c - nab eval and nab predict: a model with weights on data, without recording anything. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/target.h"
#include "dataset/write.h"
#include "report/metric.h"
#include "train/train.h"

struct flags {
	const char *store, *data, *weights, *backend, *output;
	int split, threads;
};

static const struct opt flags[] = {
	OPT_STR(struct flags, store, NULL, "the store that holds the run"),
	OPT_STR(struct flags, data, NULL, "data set; default: that of the run's study"),
	OPT_STR(struct flags, weights, NULL, "safetensors file; default: the run's final weights"),
	OPT_ENUM(struct flags, split, SPLIT_VALIDATION, split_names,
		 "which part (the test part is read by `nab test` alone)"),
	OPT_STR(struct flags, backend, NULL, "cpu, cuda or ref"),
	OPT_INT(struct flags, threads, 1, 1, 1024, "threads"),
	OPT_STR(struct flags, output, NULL, "predict: CSV file; default: standard output"),
	OPT_END,
};

struct job {
	struct target target;
	struct dataset *data;
	struct weights *weights;
	const struct backend *backend;
	struct backend_ctx *ctx;
	struct evaluation result;
};

static void job_release(struct job *j)
{
	evaluation_release(&j->result);
	if (j->ctx)
		j->backend->close(j->ctx);
	weights_free(j->weights);
	dataset_close(j->data);
}

static int evaluate(struct cli *c, struct job *j, struct err *e)
{
	const struct flags *f = c->flags;

	if (f->split == SPLIT_TEST)
		return ERR(e, ERR_USAGE, "--split", "the test part is read by `nab test` alone, which records it");
	if (cli_target(c, c->args[0], f->store, &j->target, e) < 0 ||
	    cli_target_data(c, &j->target, f->data, &j->data, e) < 0 ||
	    cli_target_weights(&j->target, f->weights, &j->weights, e) < 0 ||
	    cli_backend(f->backend, f->threads, &j->backend, &j->ctx, e) < 0)
		return -1;
	return train_evaluate(j->backend, j->ctx, j->target.graph, j->weights, j->data, (enum split)f->split,
			      &j->result, e);
}

static double number(double v)
{
	return isnan(v) ? 0 : v;
}

static void print_json(const struct job *j)
{
	const struct evaluation *v = &j->result;
	struct json *doc = json_object(), *rows = json_array();

	json_put(doc, "model", json_str(j->target.name));
	json_put(doc, "split", json_str(split_names[v->split]));
	json_put(doc, "n", json_num((double)v->n));
	json_put(doc, "loss", json_num(number(v->loss)));
	json_put(doc, "accuracy", json_num(number(v->accuracy)));
	json_put(doc, "balanced_accuracy", json_num(number(v->balanced_accuracy)));
	json_put(doc, "top5", json_num(number(v->top5)));
	json_put(doc, "f1_macro", json_num(number(v->f1_macro)));
	for (int i = 0; v->confusion && i < v->classes; i++) {
		struct json *row = json_push(rows, json_array());

		for (int k = 0; k < v->classes; k++)
			json_push(row, json_num((double)v->confusion[i * v->classes + k]));
	}
	json_put(doc, "confusion", rows);
	cli_print_json(doc);
}

static void print_text(const struct job *j)
{
	const struct evaluation *v = &j->result;
	const struct dataset *d = j->data;
	const struct metric *m = metric_of_task(d->task);
	char text[METRIC_TEXT];
	struct str t = { 0 };

	str_addf(&t, "%s on %lld %s examples of %s\n", j->target.name, (long long)v->n, split_names[v->split], d->name);
	str_addf(&t, "loss %.4f", v->loss);
	if (!v->confusion)
		str_addf(&t, ", %s %s", m->name, metric_text(text, m, v->accuracy));
	else
		str_addf(&t, ", accuracy %.2f %%, balanced %.2f %%, macro F1 %.4f", 100 * v->accuracy,
			 100 * v->balanced_accuracy, v->f1_macro);
	str_addc(&t, '\n');
	for (int i = 0; v->confusion && i < v->classes && v->classes <= 40; i++) {
		int64_t n = 0;

		for (int k = 0; k < v->classes; k++)
			n += v->confusion[i * v->classes + k];
		str_add(&t, "  ");
		dataset_name_text(&t, d->class_names[i]);
		str_addf(&t, ": %.2f %% of %lld\n",
			 n ? 100.0 * (double)v->confusion[i * v->classes + i] / (double)n : 0.0, (long long)n);
	}
	cli_print(&t);
	str_release(&t);
}

static int run_eval(struct cli *c, struct err *e)
{
	struct job j = { 0 };
	int rc = evaluate(c, &j, e);

	if (rc == 0 && c->json)
		print_json(&j);
	else if (rc == 0)
		print_text(&j);
	job_release(&j);
	return rc;
}

/* index of the example, true class, predicted class */
static int write_predictions(struct cli *c, const struct job *j, struct err *e)
{
	const struct flags *f = c->flags;
	const struct dataset *d = j->data;
	struct str t = { 0 };
	int rc = 0;

	str_add(&t, "example,true,predicted\n");
	for (int64_t i = 0; i < j->result.n; i++) {
		uint32_t at = d->split[f->split][i];

		str_addf(&t, "%u,%d,%d\n", at, d->label[at], j->result.predicted[i]);
	}
	if (f->output)
		rc = file_write(f->output, str_get(&t), t.len, e);
	else
		cli_print(&t);
	str_release(&t);
	return rc;
}

static int run_predict(struct cli *c, struct err *e)
{
	struct job j = { 0 };
	int rc = evaluate(c, &j, e);

	if (rc == 0 && !j.result.predicted)
		rc = ERR(e, ERR_INVALID, j.target.name, "only classifications have predicted classes");
	if (rc == 0)
		rc = write_predictions(c, &j, e);
	job_release(&j);
	return rc;
}

const struct command command_eval = {
	.name = "eval",
	.usage = "MODEL [flags]",
	.help = "evaluate a stored run, or a model file with weights, on data",
	.more = "  nab eval best --store fashion.db\n"
		"  nab eval lenet5.json --weights lenet5.safetensors --data idx:data/mnist",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.min_args = 1,
	.max_args = 1,
	.run = run_eval,
};

const struct command command_predict = {
	.name = "predict",
	.usage = "MODEL [flags]",
	.help = "the predicted class of every example, as CSV",
	.more = "  nab predict best --store fashion.db --output predictions.csv",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.min_args = 1,
	.max_args = 1,
	.run = run_predict,
};
