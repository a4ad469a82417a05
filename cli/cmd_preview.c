/* cli/cmd_preview.c - nab preview: what a study would train and what that will cost, without training anything.
 *
 * The first candidates are the real ones (for a strategy that learns from results: those that need none). A few steps
 * of each are timed with its real batch, then scaled: steps x epochs, and the evaluation after every epoch as forward
 * passes.
 */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/stats.h"
#include "base/str.h"
#include "cli/progress.h"
#include "cli/study_file.h"
#include "cli/target.h"
#include "search/search.h"

struct flags {
	int count, steps;
	bool measure;
};

static const struct opt flags[] = {
	OPT_INT(struct flags, count, 10, 1, 100000, "candidates to look at"),
	OPT_BOOL(struct flags, measure, 1, "time a few training steps of each"),
	OPT_INT(struct flags, steps, 3, 1, 1000, "steps to time"),
	OPT_END,
};

struct estimate {
	double seconds; /* of one run; NAN if not measured */
	int64_t bytes;
};

struct preview {
	struct cli *cli;
	struct study study;
	struct dataset *data;
	const struct backend *backend;
	struct backend_ctx *ctx;
	struct json *rows;
	int64_t seen, params_least, params_most;
	double seconds; /* sum over the candidates seen */
};

static int time_run(struct preview *p, const struct graph *g, const struct recipe *r, struct estimate *out,
		    struct err *e)
{
	const struct flags *f = p->cli->flags;
	int64_t n = (int64_t)((double)p->data->n_split[SPLIT_TRAIN] * r->fidelity.data);
	struct net_spec spec = { .graph = g, .recipe = r, .data = p->data, .seed = 1, .n_train = n };
	struct net_profile prof = { .layer = mem_new((size_t)g->n_nodes * sizeof *prof.layer) };
	double step, forward = 0, per_epoch;
	struct weights *w = NULL;
	struct net *net = NULL;
	int rc = -1;

	spec.train = p->data->split[SPLIT_TRAIN];
	TRY(p->backend->net_create(&net, p->ctx, &spec, e));
	w = weights_new(g, e);
	if (!w)
		goto out;
	weights_init(w, g, 1);
	TRY(p->backend->set_weights(net, w, e));
	TRY(p->backend->profile(net, f->steps, &prof, e));
	step = prof.optimizer_s + prof.input_s + prof.loss_s;
	for (int i = 0; i < g->n_nodes; i++) {
		step += prof.layer[i].forward_s + prof.layer[i].backward_s;
		forward += prof.layer[i].forward_s;
	}
	per_epoch = step * (double)(n / r->batch) + forward * (double)p->data->n_split[SPLIT_VALIDATION] / r->batch;
	out->seconds = per_epoch * r->epochs;
	out->bytes = prof.total_bytes;
	rc = 0;
out:
	if (net)
		p->backend->net_free(net);
	weights_free(w);
	mem_free(prof.layer);
	return rc;
}

static int read_recipe(struct preview *p, const struct json *json, struct recipe *r, struct err *e)
{
	struct diag d = { 0 };
	struct json_in in = { json, &d, "train" };
	int rc = recipe_read(r, json, p->cli->arena, &in);

	return cli_report(p->cli, &d, "study", e) < 0 ? -1 : rc;
}

static int add_row(struct preview *p, const char *label, const struct graph *g, const struct recipe *r, struct err *e)
{
	const struct flags *f = p->cli->flags;
	struct estimate est = { .seconds = (double)NAN };
	struct json *v = json_push(p->rows, json_object());
	struct str t = { 0 };
	struct err why = { 0 };
	struct cost cost;

	if (graph_cost(g, &cost, e) < 0)
		return -1;
	graph_summary(&t, g);
	json_put(v, "label", json_str(label));
	json_put(v, "params", json_num((double)cost.params));
	json_put(v, "macs", json_num((double)cost.macs));
	json_put(v, "summary", json_str(str_get(&t)));
	str_release(&t);
	if (p->backend->supports(g, r, &why) < 0)
		json_put(v, "refused", json_str(why.msg));
	else if (f->measure && time_run(p, g, r, &est, e) < 0)
		return -1;
	json_put(v, "seconds", json_num(est.seconds));
	json_put(v, "bytes", json_num((double)est.bytes));
	p->seconds += isnan(est.seconds) ? 0 : est.seconds;
	p->params_least = !p->seen || cost.params < p->params_least ? cost.params : p->params_least;
	p->params_most = cost.params > p->params_most ? cost.params : p->params_most;
	p->seen++;
	return 0;
}

static int ask_all(struct preview *p, struct err *e)
{
	const struct flags *f = p->cli->flags;
	const struct study *y = &p->study;
	struct search_ctx ctx = { y->the_space, { p->data->shape, p->data->task, p->data->classes }, y->train };
	struct search *s = NULL;
	int64_t most = y->search_cfg.candidates;
	int rc = -1, got;

	if (p->data->task == TASK_REGRESS)
		ctx.target.classes = 1;
	TRY(search_new(&s, &y->search_cfg, &ctx, e));
	for (int k = 0; k < f->count && (!most || k < most) && search_ready(s, k); k++) {
		struct proposal prop;
		struct recipe r;
		char label[32];

		got = search_ask(s, k, &prop, p->cli->arena, e);
		if (got < 0)
			goto out;
		if (!got)
			break;
		snprintf(label, sizeof label, "candidate %d", k);
		TRY(read_recipe(p, prop.recipe, &r, e));
		TRY(add_row(p, label, prop.graph, &r, e));
	}
	rc = 0;
out:
	search_free(s);
	return rc;
}

static void row_lines(struct str *t, const struct json *rows)
{
	char params[32], macs[32], time[32];

	str_addf(t, "%-24s %12s %14s %12s %9s  %s\n", "model", "parameters", "multiply-adds", "time", "memory",
		 "architecture");
	JSON_EACH(v, rows) {
		double s = json_number(json_get(v, "seconds"));

		str_addf(t, "%-24.24s %12s %14s %12s %6.0f MiB  %s%s%s\n", json_string(json_get(v, "label")),
			 str_thousands(params, (long long)json_number(json_get(v, "params"))),
			 str_thousands(macs, (long long)json_number(json_get(v, "macs"))),
			 isnan(s) ? "-" : progress_duration(time, s), json_number(json_get(v, "bytes")) / 1048576,
			 json_get(v, "refused") ? "CANNOT RUN: " : "",
			 json_get(v, "refused") ? json_string(json_get(v, "refused")) : "",
			 json_get(v, "refused") ? "" : json_string(json_get(v, "summary")));
	}
}

/* Total cost of the study, from the mean of what was looked at. */
static void total_line(struct str *t, const struct preview *p, int64_t runs, int slots, double total)
{
	char time[32], least[32], most[32];

	str_addf(t, "\n%lld runs on %d slot%s; parameters %s to %s", (long long)runs, slots, slots == 1 ? "" : "s",
		 str_thousands(least, p->params_least), str_thousands(most, p->params_most));
	if (p->seconds > 0)
		str_addf(t, "; about %s in all", progress_duration(time, total / slots));
	str_addc(t, '\n');
}

/* What is usual for small networks, before anything is known of these. */
static const double usual_spread = 0.005, usual_disagreement = 0.1;

static double detectable(const struct preview *p)
{
	return stats_detectable(p->study.replicates, p->data->n_split[SPLIT_VALIDATION], usual_spread,
				usual_disagreement);
}

static int seeds_for_a_point(const struct preview *p)
{
	return stats_seeds_needed(0.01, p->data->n_split[SPLIT_VALIDATION], usual_spread, usual_disagreement);
}

static struct json *seeds_json(const struct preview *p)
{
	struct json *v = json_object();
	double least = detectable(p);

	json_put(v, "seeds", json_num(p->study.replicates));
	json_put(v, "reliable_intervals", json_bool(p->study.replicates >= STATS_LEAST_SEEDS));
	json_put(v, "wilcoxon_least_p", json_num(stats_wilcoxon_least(p->study.replicates)));
	json_put(v, "detectable", json_num(least));
	json_put(v, "needed_for_one_point", seeds_for_a_point(p) ? json_num(seeds_for_a_point(p)) : json_null());
	return v;
}

/* What so many seeds can show of a difference between two models, and what they cannot. */
static void seed_lines(struct str *t, const struct preview *p)
{
	int seeds = p->study.replicates, needed = seeds_for_a_point(p);
	char n[32];

	if (p->data->task != TASK_CLASSIFY)
		return;
	str_thousands(n, (long long)p->data->n_split[SPLIT_VALIDATION]);
	if (seeds < 2)
		str_addf(t, "1 seed: cannot tell a better model from a lucky seed; ");
	else
		str_addf(t,
			 "%d seeds on %s validation examples: likely to show a difference of %.1f points between two "
			 "models; ",
			 seeds, n, 100 * detectable(p));
	if (needed)
		str_addf(t, "1 point needs %d seeds", needed);
	else
		str_addf(t, "1 point needs more than %s validation examples, whatever the seeds", n);
	str_addf(
	    t,
	    "\n  (80 %% likely at 5 %%, if they disagree on %.0f %% of the examples and differ by %.1f points more or "
	    "less from seed to seed)\n",
	    100 * usual_disagreement, 100 * usual_spread);
	if (seeds == 2)
		str_addf(t, "  intervals from 2 seeds are not reliable: take %d or more\n", STATS_LEAST_SEEDS);
	if (seeds > 1 && stats_wilcoxon_least(seeds) > 0.05)
		str_addf(t, "  with %d seeds the exact two-sided Wilcoxon test cannot go below p = %.4g\n", seeds,
			 stats_wilcoxon_least(seeds));
}

static void print(struct preview *p)
{
	const struct study *y = &p->study;
	int64_t candidates = y->search_cfg.candidates ? y->search_cfg.candidates : p->seen;
	int64_t runs = (candidates + y->n_models) * y->replicates;
	int slots = y->devices.n ? y->devices.n : study_default_devices(y->threads, p->cli->arena).n;
	double total = p->seen ? p->seconds / (double)p->seen * (double)runs : 0;
	struct str t = { 0 };
	struct json *doc;

	if (p->cli->json) {
		doc = json_object();
		json_put(doc, "study", json_str(y->study));
		json_put(doc, "runs", json_num((double)runs));
		json_put(doc, "slots", json_num(slots));
		json_put(doc, "seconds", json_num(total / slots));
		if (p->data->task == TASK_CLASSIFY)
			json_put(doc, "seeds", seeds_json(p));
		json_put(doc, "models", json_copy(p->rows));
		cli_print_json(doc);
		return;
	}
	row_lines(&t, p->rows);
	total_line(&t, p, runs, slots, total);
	seed_lines(&t, p);
	cli_print(&t);
	str_release(&t);
	cli_next(p->cli, "nab search %s", p->cli->args[0]);
}

static int run(struct cli *c, struct err *e)
{
	struct preview p = { .cli = c, .rows = json_array() };
	struct recipe r;
	int rc = -1;

	TRY(cli_load_study(c, c->args[0], true, &p.study, e));
	TRY(dataset_open(&p.data, &p.study.spec, e));
	TRY(cli_backend(p.study.backend, p.study.threads, &p.backend, &p.ctx, e));
	TRY(study_recipe(&r, &p.study, c->arena, e));
	for (int i = 0; i < p.study.n_models; i++)
		TRY(add_row(&p, p.study.models[i]->name ? p.study.models[i]->name : "baseline", p.study.models[i], &r,
			    e));
	TRY(ask_all(&p, e));
	print(&p);
	rc = 0;
out:
	if (p.ctx)
		p.backend->close(p.ctx);
	dataset_close(p.data);
	json_free(p.rows);
	return rc;
}

const struct command command_preview = {
	.name = "preview",
	.usage = "STUDY.json [flags]",
	.help = "what a study would train and what it will cost, without training",
	.more = "  nab preview configs/fashion-mnist.json --count 20",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
