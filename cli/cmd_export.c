/* cli/cmd_export.c - nab export: a model as code and weights of a framework, with a check of its logits. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/host.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "cli/target.h"
#include "export/export.h"
#include "store/select.h"

enum { CHECK_EXAMPLES = 8 };

struct flags {
	const char *store, *to, *output, *weights, *data, *where;
	bool all;
};

static const struct opt flags[] = {
	OPT_STR(struct flags, to, "pytorch", "the format: pytorch, tensorboard"),
	OPT_STR(struct flags, output, NULL, "folder; default: the model's name"),
	OPT_STR(struct flags, store, NULL, "the store that holds the run"),
	OPT_STR(struct flags, weights, NULL,
		"safetensors file; default: the run's, or fresh initial values for a model file"),
	OPT_STR(struct flags, data, NULL, "data set for the stored check inputs; default: the study's"),
	OPT_BOOL(struct flags, all, 0, "tensorboard: all runs of the store"),
	OPT_STR(struct flags, where, NULL, "tensorboard: all runs for which this holds: 'acc > 0.9'"),
	OPT_END,
};

struct job {
	struct export_job job;
	struct target target;
	struct dataset *data;
	struct weights *weights;
	struct recipe recipe;
	struct json *about;
	float *input, *logits;
	const float *input_list[1], *logits_list[1];
};

static int load_weights(struct cli *c, struct job *j, struct err *e)
{
	const struct flags *f = c->flags;

	if (f->weights || j->target.item.run.id)
		return cli_target_weights(&j->target, f->weights, &j->weights, e);
	j->weights = weights_new(j->target.graph, e);
	if (!j->weights)
		return -1;
	weights_init(j->weights, j->target.graph, 1);
	log_msg(LOG_WARN, "a model file has no weights: the export holds fresh initial values (seed 1)");
	return 0;
}

static int load_recipe(struct cli *c, struct job *j, struct err *e)
{
	struct diag d = { 0 };
	struct json_in in;
	struct json *doc;
	int rc;

	if (!j->target.recipe)
		return 0;
	if (json_parse(&doc, j->target.recipe, strlen(j->target.recipe), "recipe", e) < 0)
		return -1;
	in = (struct json_in){ doc, &d, NULL };
	rc = recipe_read(&j->recipe, doc, c->arena, &in);
	json_free(doc);
	if (cli_report(c, &d, "recipe", e) < 0 || rc < 0)
		return -1;
	j->job.recipe = &j->recipe;
	return 0;
}

/* Inputs as the network sees them: validation examples, or random numbers where there are none of its size. */
static void fill_inputs(struct job *j, int64_t per_example)
{
	const struct shape *in = &j->target.graph->inputs[0].shape;
	const struct dataset *d = j->data && shape_equal(&j->data->shape, in) ? j->data : NULL;
	struct rng r;

	rng_init(&r, 1, PURPOSE_DATA);
	for (int i = 0; i < CHECK_EXAMPLES; i++) {
		float *x = j->input + i * per_example;

		if (d && i < d->n_split[SPLIT_VALIDATION]) {
			dataset_example(d, d->split[SPLIT_VALIDATION][i], x);
			continue;
		}
		for (int64_t k = 0; k < per_example; k++)
			x[k] = in->type == TENSOR_TOKENS ? (float)(rng_u32(&r) % 2) : (float)rng_normal(&r);
	}
}

static int make_check(struct job *j, struct err *e)
{
	const struct graph *g = j->target.graph;
	const struct backend *b = NULL;
	struct backend_ctx *ctx = NULL;
	struct net *net = NULL;
	struct recipe plain;
	struct net_spec spec = { .graph = g, .recipe = &plain, .batch = CHECK_EXAMPLES, .seed = 1 };
	int64_t per_example = shape_count(&g->inputs[0].shape);
	int rc = -1;

	if (g->n_inputs != 1 || g->n_outputs != 1) {
		log_msg(LOG_WARN,
			"the model has several inputs or outputs: no check inputs are stored with the export");
		return 0;
	}
	recipe_defaults(&plain);
	j->input = mem_new((size_t)(CHECK_EXAMPLES * per_example) * sizeof(float));
	j->logits = mem_new((size_t)(CHECK_EXAMPLES * g->outputs[0].classes) * sizeof(float));
	fill_inputs(j, per_example);
	TRY(cli_backend("ref", 1, &b, &ctx, e));
	TRY(b->net_create(&net, ctx, &spec, e));
	TRY(b->set_weights(net, j->weights, e));
	TRY(b->forward_raw(net, j->input, CHECK_EXAMPLES, j->logits, e));
	j->input_list[0] = j->input;
	j->logits_list[0] = j->logits;
	j->job.examples = CHECK_EXAMPLES;
	j->job.input = j->input_list;
	j->job.logits = j->logits_list;
	rc = 0;
out:
	if (net)
		b->net_free(net);
	if (ctx)
		b->close(ctx);
	return rc;
}

static struct json *provenance(struct cli *c, const struct target *t)
{
	const struct store_item *it = &t->item;
	struct json *v = json_object();

	json_put(v, "tool", json_str("nab " NAB_VERSION));
	if (!it->run.id)
		return v;
	json_put(v, "run", json_str(arena_printf(c->arena, "%lld of study %s", (long long)it->run.id, it->study)));
	json_put(v, "label", json_str(t->name));
	json_put(v, "seed", json_str(arena_printf(c->arena, "%llu", (unsigned long long)it->run.seed)));
	if (t->data_digest)
		json_put(v, "data", json_str(t->data_digest));
	if (!isnan(it->result.val_accuracy))
		json_put(v, "validation accuracy",
			 json_str(arena_printf(c->arena, "%.4f after %d epochs", it->result.val_accuracy,
					       it->result.epochs)));
	return v;
}

static int export_model(struct cli *c, const struct exporter *x, struct job *j, struct err *e)
{
	const struct flags *f = c->flags;

	if (c->n_args != 1 || f->all || f->where)
		return ERR(e, ERR_USAGE, NULL, "--to %s exports one model: nab export MODEL --to %s", x->name, x->name);
	if (cli_target(c, c->args[0], f->store, &j->target, e) < 0)
		return -1;
	if ((f->data || j->target.data_spec) && cli_target_data(c, &j->target, f->data, &j->data, e) < 0)
		return -1;
	if (load_weights(c, j, e) < 0 || load_recipe(c, j, e) < 0 || make_check(j, e) < 0)
		return -1;
	j->about = provenance(c, &j->target);
	j->job.graph = j->target.graph;
	j->job.weights = j->weights;
	j->job.provenance = j->about;
	if (j->data) {
		j->job.mean = j->data->mean;
		j->job.std = j->data->std;
		j->job.channels = j->data->channels;
		j->job.class_names = j->data->task == TASK_CLASSIFY ? j->data->class_names : NULL;
	}
	j->job.dir = f->output ? f->output : j->target.name;
	if (x->run(&j->job, e) < 0)
		return -1;
	printf("%s\n", j->job.dir);
	if (j->job.examples)
		cli_next(c, "python3 %s/model.py --check", j->job.dir);
	return 0;
}

static int run_model(struct cli *c, const struct exporter *x, struct err *e)
{
	struct job j = { 0 };
	int rc = export_model(c, x, &j, e);

	json_free(j.about);
	mem_free(j.input);
	mem_free(j.logits);
	weights_free(j.weights);
	dataset_close(j.data);
	return rc;
}

/* ---- stored runs ---------------------------------------------------------------------------------------- */

/* Those that were named, and with --all or --where the others; a run is written once. */
static int pick_runs(struct cli *c, struct store *s, int64_t **runs, int *n, struct err *e)
{
	const struct flags *f = c->flags;
	struct store_item *items = NULL;
	struct select *chosen;
	int all = 0;

	*n = 0;
	if (select_read(&chosen, f->where, NULL, c->arena, e) < 0)
		return -1;
	if ((f->all || f->where) && (store_list(s, &(struct store_query){ 0 }, &items, &all, c->arena, e) < 0 ||
				     select_apply(chosen, s, items, &all, false, e) < 0))
		return -1;
	*runs = ARENA_ARRAY(c->arena, int64_t, c->n_args + all + 1);
	for (int i = 0; i < c->n_args; i++)
		if (store_resolve(s, c->args[i], 0, &(*runs)[(*n)++], e) < 0)
			return -1;
	for (int i = 0; i < all; i++)
		(*runs)[(*n)++] = items[i].run.id;
	return 0;
}

static int export_runs(struct cli *c, const struct exporter *x, struct store *s, struct err *e)
{
	const struct flags *f = c->flags;
	const char *dir = f->output ? f->output : x->name;
	int64_t *runs;
	int n;

	if (pick_runs(c, s, &runs, &n, e) < 0)
		return -1;
	for (int i = 0; i < n; i++)
		if (x->stored(s, runs[i], dir, e) < 0)
			return -1;
	if (n)
		printf("%s\n", dir);
	else if (!c->quiet)
		fputs("no runs\n", stderr);
	if (n)
		cli_next(c, "%s --logdir %s", x->name, dir);
	return 0;
}

static int run_stored(struct cli *c, const struct exporter *x, struct err *e)
{
	const struct flags *f = c->flags;
	struct store *s;
	int rc;

	if (!c->n_args && !f->all && !f->where)
		return ERR(e, ERR_USAGE, NULL, "name the runs, or give --all or --where");
	if (f->weights || f->data)
		return ERR(e, ERR_USAGE, f->weights ? "--weights" : "--data", "--to %s takes what is stored", x->name);
	if (cli_open_store(c, f->store, &s, e) < 0)
		return -1;
	rc = export_runs(c, x, s, e);
	store_close(s);
	return rc;
}

static int run(struct cli *c, struct err *e)
{
	const struct flags *f = c->flags;
	const struct exporter *x = exporter_find(f->to, e);

	if (!x)
		return -1;
	return x->stored ? run_stored(c, x, e) : run_model(c, x, e);
}

const struct command command_export = {
	.name = "export",
	.usage = "MODEL... [flags]",
	.help = "write a model as readable code of a framework, or stored runs for TensorBoard",
	.more = "  nab export best --store fashion.db --to pytorch -o best/\n"
		"  python3 best/model.py --check\n"
		"  nab export --all --to tensorboard -o logs/\n"
		"  tensorboard --logdir logs/",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.max_args = -1,
	.run = run,
};
