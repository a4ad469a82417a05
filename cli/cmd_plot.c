/* cli/cmd_plot.c - nab plot: one figure for a paper, drawn by gnuplot, with its script and data beside it. */
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/target.h"
#include "report/gather.h"
#include "report/gnuplot.h"
#include "report/map.h"
#include "store/cache.h"

static const char *const cost_names[] = { "params", "macs", "seconds", NULL }; /* as enum plot_x begins */
static const char *const curve_names[] = { "accuracy", "loss", NULL };

struct flags {
	const char *store, *study, *output, *where;
	int x, metric, distance;
	double width, height;
};

static const struct opt flags[] = {
	OPT_STORE(struct flags),
	OPT_STR(struct flags, study, NULL, "the study; default: the newest and all others on the same data"),
	OPT_STR(struct flags, output, NULL,
		"file (also -o): .svg, .pdf, .png, or .tex with a .pdf beside it; default: KIND.svg"),
	OPT_STR(struct flags, where, NULL, "only models with a run for which this holds, as in `nab ls --where`"),
	OPT_ENUM(struct flags, x, PLOT_PARAMS, cost_names, "pareto: against what"),
	OPT_ENUM(struct flags, metric, 0, curve_names, "curves: of what"),
	OPT_ENUM(struct flags, distance, MAP_STRUCTURE, map_metric_names, "map: by what models are near to each other"),
	OPT_REAL(struct flags, width, 0, 0, 100, "centimetres; 0: what suits the plot"),
	OPT_REAL(struct flags, height, 0, 0, 100, "centimetres; 0: what suits the plot"),
	OPT_END,
};

/* ---- what was asked for --------------------------------------------------------------------------------- */

static int find_plot(struct cli *c, const struct gnuplot_plot **out, struct err *e)
{
	const char *names[32], *near;
	int n = 0;

	*out = gnuplot_find(c->args[0]);
	if (*out)
		return 0;
	for (; gnuplot_plots[n]; n++)
		names[n] = gnuplot_plots[n]->name;
	near = str_nearest(c->args[0], names, n);
	return ERR(e, ERR_USAGE, NULL, "there is no plot \"%s\"%s%s%s (`nab plot --help` lists them)", c->args[0],
		   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* "folder/name.svg" in its three parts. */
struct place {
	const char *dir, *name;
	enum figure_format format;
};

static int read_place(struct cli *c, const struct gnuplot_plot *p, struct place *out, struct err *e)
{
	const struct flags *f = c->flags;
	const char *path = f->output ? f->output : arena_printf(c->arena, "%s.svg", p->name);
	const char *base = path_base(path), *dot = strrchr(base, '.');

	out->dir = path_dir(c->arena, path);
	out->name = arena_printf(c->arena, "%.*s", dot ? (int)(dot - base) : (int)strlen(base), base);
	for (int k = 0; dot && figure_format_names[k]; k++)
		if (strcmp(dot + 1, figure_format_names[k]) == 0) {
			out->format = (enum figure_format)k;
			return 0;
		}
	return ERR(e, ERR_USAGE, path, "the ending says the format: .svg, .pdf, .png or .tex");
}

static int row_of(const struct report *r, int64_t candidate)
{
	for (int i = 0; i < r->n_rows; i++)
		if (r->rows[i].candidate->id == candidate)
			return i;
	return -1;
}

static int read_models(struct cli *c, struct store *s, const struct gnuplot_plot *p, struct plot_request *q,
		       struct err *e)
{
	int *rows = ARENA_ARRAY(c->arena, int, c->n_args);

	if (c->n_args - 1 > p->most && p->most == 0)
		return ERR(e, ERR_USAGE, c->args[1], "`nab plot %s` takes no models", p->name);
	if (c->n_args - 1 > p->most)
		return ERR(e, ERR_USAGE, c->args[p->most + 1],
			   "`nab plot %s` takes %d model%s at most: more cannot be told "
			   "apart in one figure",
			   p->name, p->most, p->most == 1 ? "" : "s");
	for (int i = 1; i < c->n_args; i++) {
		struct store_run run;
		int64_t id;
		int row;

		if (store_resolve(s, c->args[i], q->study, &id, e) < 0 || store_run_get(s, id, &run, c->arena, e) < 0)
			return -1;
		row = row_of(q->report, run.candidate);
		if (row < 0)
			return ERR(
			    e, ERR_USAGE, c->args[i],
			    "is not among the models of this figure: they are of one data set (--study chooses it)%s",
			    ((const struct flags *)c->flags)->where ? " and of --where" : "");
		rows[q->n_rows++] = row;
	}
	q->rows = rows;
	return 0;
}

/* ---- doing it ------------------------------------------------------------------------------------------- */

static int say(struct cli *c, const struct place *at)
{
	const char *base = arena_printf(c->arena, "%s%s%s", at->dir, *at->dir ? "/" : "", at->name);
	struct json *v;

	if (!c->json) {
		printf("%s.%s\n", base, figure_format_names[at->format]);
		cli_next(c, "change %s.gp and draw again: %s%s%sgnuplot %s.gp", base, *at->dir ? "cd " : "", at->dir,
			 *at->dir ? " && " : "", at->name);
		return 0;
	}
	v = json_object();
	json_put(v, "picture", json_str(arena_printf(c->arena, "%s.%s", base, figure_format_names[at->format])));
	json_put(v, "script", json_str(arena_printf(c->arena, "%s.gp", base)));
	json_put(v, "data", json_str(arena_printf(c->arena, "%s.dat", base)));
	cli_print_json(v);
	return 0;
}

static int plot(struct cli *c, struct store *s, const struct gnuplot_plot *p, const struct place *at, struct err *e)
{
	const struct flags *f = c->flags;
	struct plot_request q = { .store = s,
				  .cache = cache_path(store_path(s), c->arena),
				  .x = (enum plot_x)f->x,
				  .loss = f->metric == 1,
				  .distance = f->distance,
				  .format = at->format,
				  .width = f->width,
				  .height = f->height };
	/* curves may be asked of any model, however low it ranks */
	struct gather_opts what = { .top = c->n_args > 1 && p == &gnuplot_curves ? 1 << 30 : 0, .where = f->where };
	const char *why = NULL;
	struct report *r;
	int rc;

	if (cli_study_id(s, f->study, &q.study, c->arena, e) < 0)
		return -1;
	what.study = q.study;
	if (report_gather(&r, s, &what, c->arena, e) < 0)
		return -1;
	q.report = r;
	if (read_models(c, s, p, &q, e) < 0 || (*at->dir && file_mkdirs(at->dir, e) < 0))
		return -1;
	rc = gnuplot_write(p, &q, at->dir, at->name, &why, e);
	if (rc < 0)
		return -1;
	if (rc > 0)
		return ERR(e, ERR_INVALID, store_path(s), "nothing to plot: %s", why);
	return gnuplot_draw("gnuplot", at->dir, at->name, at->format, e);
}

static int run(struct cli *c, struct err *e)
{
	const struct flags *f = c->flags;
	const struct gnuplot_plot *p;
	struct store *s = NULL;
	struct place at = { 0 };
	int rc;

	if ((f->width > 0 && f->width < 5) || (f->height > 0 && f->height < 4))
		return ERR(e, ERR_USAGE, f->width > 0 && f->width < 5 ? "--width" : "--height",
			   "a figure needs 5 cm by 4 cm at least");
	if (find_plot(c, &p, e) < 0 || read_place(c, p, &at, e) < 0 || cli_open_store(c, f->store, &s, e) < 0)
		return -1;
	rc = plot(c, s, p, &at, e);
	store_close(s);
	return rc < 0 ? -1 : say(c, &at);
}

const struct command command_plot = {
	.name = "plot",
	.usage = "KIND [MODEL...] [flags]",
	.help = "one figure for a paper, drawn by gnuplot; its script and data stay beside it",
	.more =
	    "KIND is one of\n"
	    "  curves     learning curves, mean and range over seeds: validation solid, training dashed (--metric)\n"
	    "  pareto     accuracy with 95 % intervals against parameters, multiply-adds or training time (--x)\n"
	    "  map        models near to those they resemble (--distance); darker: more accurate, larger: more "
	    "parameters\n"
	    "  parallel   parallel coordinates: hyper-parameters and sizes of every model, coloured by accuracy\n"
	    "  confusion  confusion matrix of a model, summed over its seeds; rows are the true classes\n"
	    "  progress   the best so far against candidates and against device time\n"
	    "  ablation   change of the accuracy when a part is left out, with 95 % intervals\n"
	    "MODEL is what `nab show` takes; without one the plot shows all of them, or the best. The report's folder\n"
	    "figures/ holds the same plots.\n\n"
	    "  nab plot pareto --store fashion.db -o pareto.pdf\n"
	    "  nab plot curves best lenet5 --metric loss -o loss.tex\n"
	    "  nab plot ablation resnet8 --width 8.5",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
