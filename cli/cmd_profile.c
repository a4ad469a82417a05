/* cli/cmd_profile.c - nab profile: time and memory of a training step, layer by layer and block by block. */
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "cli/target.h"
#include "engine/study.h"
#include "train/speed.h"

struct flags {
	const char *store, *data, *recipe, *backend;
	int threads, steps, in_flight;
	bool blocks;
};

static const struct opt flags[] = {
	OPT_STR(struct flags, store, NULL, "the store that holds the run"),
	OPT_STR(struct flags, data, NULL, "data set; default: that of the run's study, else glyphs"),
	OPT_STR(struct flags, recipe, NULL,
		"JSON file with a recipe (or a study); default: the run's, else the defaults"),
	OPT_STR(struct flags, backend, NULL, "cpu, cuda or ref"),
	OPT_INT(struct flags, threads, 1, 1, 1024, "threads"),
	OPT_INT(struct flags, steps, 20, 1, 100000, "training steps to measure"),
	OPT_INT(struct flags, in_flight, 0, 0, 256,
		"also train so many copies side by side, and say how fast, and how soon the first step was done"),
	OPT_BOOL(struct flags, blocks, 1, "also sum up by block"),
	OPT_END,
};

struct job {
	struct target target;
	struct dataset *data;
	struct recipe recipe;
	const struct backend *backend;
	struct backend_ctx *ctx;
	struct net *net;
	struct net_profile profile;
	struct speed speed;
};

/* The recipe of a file: its "train" object, or the whole, in the precision in which a study would train it. A recipe
 * with open choices cannot be profiled. */
static int load_recipe(struct cli *c, struct job *j, struct err *e)
{
	const struct flags *f = c->flags;
	enum precision usual = study_precision(strcmp(j->backend->name, "cuda") == 0 ? DEVICE_CUDA : DEVICE_CPU);
	struct json *doc = NULL;
	const struct json *train;
	struct diag d = { 0 };
	struct json_in in;
	int rc;

	recipe_defaults(&j->recipe);
	j->recipe.precision = usual;
	if (f->recipe) {
		if (cli_load_document(c, &doc, f->recipe, e) < 0)
			return -1;
	} else if (j->target.recipe) {
		if (json_parse(&doc, j->target.recipe, strlen(j->target.recipe), "recipe", e) < 0)
			return -1;
	} else {
		return 0;
	}
	in = (struct json_in){ doc, &d, NULL };
	train = json_get(doc, "train") ? json_get(doc, "train") : doc;
	rc = recipe_read(&j->recipe, train, c->arena, &in);
	if (!json_get(train, "precision"))
		j->recipe.precision = usual;
	json_free(doc);
	return cli_report(c, &d, f->recipe ? f->recipe : "recipe", e) < 0 ? -1 : rc;
}

static int measure(struct cli *c, struct job *j, struct err *e)
{
	const struct flags *f = c->flags;
	struct net_spec spec = { .graph = j->target.graph,
				 .recipe = &j->recipe,
				 .data = j->data,
				 .train = j->data->split[SPLIT_TRAIN],
				 .n_train = j->data->n_split[SPLIT_TRAIN],
				 .seed = 1 };
	struct backend_conf conf = { .threads = f->threads };
	struct weights *w;
	int rc;

	if (j->backend->supports(spec.graph, spec.recipe, e) < 0)
		return -1;
	/* before all else: its shapes must be new to the process */
	if (f->in_flight && speed_measure(&j->speed, j->backend, &conf, &spec, f->in_flight, 1, e) < 0)
		return -1;
	if (j->backend->net_create(&j->net, j->ctx, &spec, e) < 0)
		return -1;
	w = weights_new(spec.graph, e);
	if (!w)
		return -1;
	weights_init(w, spec.graph, 1);
	rc = j->backend->set_weights(j->net, w, e);
	weights_free(w);
	j->profile.layer = ARENA_ARRAY(c->arena, struct layer_time, spec.graph->n_nodes);
	return rc < 0 ? -1 : j->backend->profile(j->net, f->steps, &j->profile, e);
}

static double total_seconds(const struct job *j)
{
	double s = j->profile.optimizer_s + j->profile.input_s + j->profile.loss_s;

	for (int i = 0; i < j->target.graph->n_nodes; i++)
		s += j->profile.layer[i].forward_s + j->profile.layer[i].backward_s;
	return s;
}

static void layer_rows(struct str *t, const struct job *j, double total)
{
	const struct graph *g = j->target.graph;
	struct str what = { 0 };

	str_addf(t, "%-34s %-38s %10s %10s %6s %10s\n", "layer", "what", "forward", "backward", "share", "memory");
	for (int i = 0; i < g->n_nodes; i++) {
		const struct layer_time *l = &j->profile.layer[i];

		str_clear(&what);
		node_summary(&what, g, i);
		if (l->fused_into != i) {
			str_addf(t, "%-34.34s %-38.38s in %s\n", g->nodes[i].id, str_get(&what),
				 g->nodes[l->fused_into].id);
			continue;
		}
		str_addf(t, "%-34.34s %-38.38s %8.3f ms %7.3f ms %5.1f%% %7.2f MiB\n", g->nodes[i].id, str_get(&what),
			 1e3 * l->forward_s, 1e3 * l->backward_s, 100 * (l->forward_s + l->backward_s) / total,
			 (double)l->bytes / 1048576);
	}
	str_release(&what);
}

static void block_rows(struct str *t, const struct job *j, double total)
{
	const struct graph *g = j->target.graph;

	if (g->n_groups)
		str_addf(t, "\n%-34s %-38s %10s %10s %6s %10s\n", "block", "what", "forward", "backward", "share",
			 "memory");
	for (int b = 0; b < g->n_groups; b++) {
		double fwd = 0, bwd = 0, bytes = 0;

		for (int i = g->groups[b].first; i < g->groups[b].first + g->groups[b].n; i++) {
			fwd += j->profile.layer[i].forward_s;
			bwd += j->profile.layer[i].backward_s;
			bytes += (double)j->profile.layer[i].bytes;
		}
		str_addf(t, "%-34.34s %-38.38s %8.3f ms %7.3f ms %5.1f%% %7.2f MiB\n", g->groups[b].id,
			 g->groups[b].block, 1e3 * fwd, 1e3 * bwd, 100 * (fwd + bwd) / total, bytes / 1048576);
	}
}

static void speed_rows(struct str *t, const struct job *j)
{
	const struct speed *s = &j->speed;

	str_addf(t, "first step done after %.1f ms, of a network whose shapes are known after %.1f ms\n",
		 1e3 * s->first_s, 1e3 * s->again_s);
	str_addf(t, "%d in flight: %.0f steps per second together, %.0f examples; %.2f processors busy\n", s->in_flight,
		 s->steps_per_s, s->steps_per_s * j->recipe.batch, s->processors);
}

static void print_text(struct cli *c, const struct job *j)
{
	const struct flags *f = c->flags;
	const struct net_profile *p = &j->profile;
	double total = total_seconds(j), mib = 1048576;
	char about[256];
	struct str t = { 0 };

	j->backend->describe(about, sizeof about);
	str_addf(&t, "%s: one training step of %d examples on %s, %d thread%s (%s)\n\n", j->target.name,
		 j->recipe.batch, j->backend->name, f->threads, f->threads > 1 ? "s" : "", about);
	layer_rows(&t, j, total);
	if (f->blocks)
		block_rows(&t, j, total);
	str_addf(&t, "\ninput %.3f ms, loss %.3f ms, optimizer %.3f ms; step %.3f ms, %.0f examples per second\n",
		 1e3 * p->input_s, 1e3 * p->loss_s, 1e3 * p->optimizer_s, 1e3 * total, j->recipe.batch / total);
	str_addf(&t,
		 "memory: weights %.2f MiB, gradients %.2f, moments %.2f, activations %.2f, workspace %.2f; total %.2f "
		 "MiB\n",
		 (double)p->weight_bytes / mib, (double)p->gradient_bytes / mib, (double)p->moment_bytes / mib,
		 (double)p->activation_bytes / mib, (double)p->workspace_bytes / mib, (double)p->total_bytes / mib);
	if (f->in_flight)
		speed_rows(&t, j);
	cli_print(&t);
	str_release(&t);
}

static void print_json(const struct job *j)
{
	const struct graph *g = j->target.graph;
	struct json *doc = json_object(), *rows = json_array();

	json_put(doc, "model", json_str(j->target.name));
	json_put(doc, "backend", json_str(j->backend->name));
	json_put(doc, "batch", json_num(j->recipe.batch));
	json_put(doc, "precision", json_str(recipe_precisions[j->recipe.precision]));
	json_put(doc, "step_seconds", json_num(total_seconds(j)));
	json_put(doc, "optimizer_seconds", json_num(j->profile.optimizer_s));
	json_put(doc, "input_seconds", json_num(j->profile.input_s));
	json_put(doc, "loss_seconds", json_num(j->profile.loss_s));
	json_put(doc, "total_bytes", json_num((double)j->profile.total_bytes));
	if (j->speed.in_flight > 0) {
		json_put(doc, "first_step_seconds", json_num(j->speed.first_s));
		json_put(doc, "known_first_step_seconds", json_num(j->speed.again_s));
		json_put(doc, "in_flight", json_num(j->speed.in_flight));
		json_put(doc, "steps_per_second", json_num(j->speed.steps_per_s));
		json_put(doc, "processors", json_num(j->speed.processors));
	}
	for (int i = 0; i < g->n_nodes; i++) {
		const struct layer_time *l = &j->profile.layer[i];
		struct json *v = json_push(rows, json_object());

		json_put(v, "id", json_str(g->nodes[i].id));
		json_put(v, "kind", json_str(layer_classes[g->nodes[i].kind]->name));
		json_put(v, "forward_seconds", json_num(l->forward_s));
		json_put(v, "backward_seconds", json_num(l->backward_s));
		json_put(v, "macs", json_num((double)g->nodes[i].macs));
		json_put(v, "bytes", json_num((double)l->bytes));
		json_put(v, "fused_into", json_str(g->nodes[l->fused_into].id));
	}
	json_put(doc, "layers", rows);
	cli_print_json(doc);
}

/* A run's profile is kept with its model, for the report. A store in use is left alone: the numbers are printed anyway.
 */
static int keep(struct cli *c, const struct job *j, struct err *e)
{
	const struct flags *f = c->flags;
	const struct graph *g = j->target.graph;
	const struct net_profile *p = &j->profile;
	struct store_layer_time *rows = ARENA_ARRAY(c->arena, struct store_layer_time, g->n_nodes);
	struct store_profile row = { .backend = arena_printf(c->arena, "%s %s %d thread%s", j->backend->name,
							     recipe_precisions[j->recipe.precision], f->threads,
							     f->threads > 1 ? "s" : ""),
				     .batch = j->recipe.batch,
				     .optimizer_s = p->optimizer_s,
				     .input_s = p->input_s,
				     .loss_s = p->loss_s,
				     .weight_bytes = p->weight_bytes,
				     .gradient_bytes = p->gradient_bytes,
				     .moment_bytes = p->moment_bytes,
				     .activation_bytes = p->activation_bytes,
				     .workspace_bytes = p->workspace_bytes,
				     .total_bytes = p->total_bytes,
				     .layer = rows,
				     .n_layers = g->n_nodes };
	struct err busy = { 0 };
	struct store *s = NULL;
	const char *path;
	int rc;

	for (int i = 0; i < g->n_nodes; i++) {
		const struct layer_time *l = &p->layer[i];

		rows[i] =
		    (struct store_layer_time){ g->nodes[i].id, layer_classes[g->nodes[i].kind]->name,
					       l->forward_s,   l->backward_s,
					       l->bytes,       l->fused_into == i ? NULL : g->nodes[l->fused_into].id };
	}
	if (cli_store_path(c, f->store, &path, e) < 0)
		return -1;
	if (store_open(&s, path, STORE_WRITE, &busy) < 0) {
		log_msg(LOG_WARN, "the profile is not recorded: %s", busy.msg);
		return 0;
	}
	rc = store_profile_put(s, j->target.item.model, &row, e);
	store_close(s);
	return rc;
}

static int run(struct cli *c, struct err *e)
{
	const struct flags *f = c->flags;
	struct job j = { 0 };
	int rc = -1;

	TRY(cli_target(c, c->args[0], f->store, &j.target, e));
	TRY(cli_target_data(c, &j.target, f->data || j.target.data_spec ? f->data : "glyphs", &j.data, e));
	TRY(cli_backend(f->backend, f->threads, &j.backend, &j.ctx, e));
	TRY(load_recipe(c, &j, e));
	TRY(measure(c, &j, e));
	if (c->json)
		print_json(&j);
	else
		print_text(c, &j);
	rc = j.target.item.run.id ? keep(c, &j, e) : 0;
out:
	if (j.net)
		j.backend->net_free(j.net);
	if (j.ctx)
		j.backend->close(j.ctx);
	dataset_close(j.data);
	return rc;
}

const struct command command_profile = {
	.name = "profile",
	.usage = "MODEL [flags]",
	.help = "time and memory of a training step, by layer and by block",
	.more = "  nab profile configs/models/resnet8.json --data cifar:data/cifar-10\n"
		"  nab profile best --store fashion.db --steps 100\n"
		"  nab profile my.json --backend cuda --in-flight 16",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
