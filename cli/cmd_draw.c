/* cli/cmd_draw.c - nab draw: models as SNACs (one large, many in a table, upright, two compared) or as node-link views,
 * in the format of every file that is named, or as text.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/target.h"
#include "report/canvas.h"
#include "report/gather.h"
#include "report/graph_view.h"
#include "report/sheet.h"
#include "report/snac_diff.h"
#include "store/select.h"

enum { SIZE_AUTO, SIZE_FIRST }; /* then enum snac_size */
static const char *const sizes[] = { "auto", "small", "medium", "large", NULL };

enum { COLUMN = 6 }; /* pixels to a column of the terminal */

enum view { VIEW_SNAC, VIEW_GRAPH, VIEW_DOT };
static const char *const views[] = { "snac", "graph", "dot", NULL };

enum theme { THEME_AUTO, THEME_LIGHT, THEME_DARK };
static const char *const themes[] = { "auto", "light", "dark", NULL };

enum format { FORMAT_SVG, FORMAT_PDF, FORMAT_TIKZ, FORMAT_PNG, FORMAT_TEXT, FORMAT_DOT, FORMAT_COUNT };
static const struct format_info {
	const char *name, *ending;
} formats[FORMAT_COUNT] = {
	[FORMAT_SVG] = { "svg", ".svg" }, [FORMAT_PDF] = { "pdf", ".pdf" },   [FORMAT_TIKZ] = { "tikz", ".tex" },
	[FORMAT_PNG] = { "png", ".png" }, [FORMAT_TEXT] = { "text", ".txt" }, [FORMAT_DOT] = { "dot", ".dot" },
};

struct flags {
	const char *store, *study, *where, *sort, *against, *to;
	struct opt_strs output;
	int as, theme, size, limit, width;
	bool all, vertical, diff, unfold, legend;
};

static const struct opt flags[] = {
	OPT_STRS(struct flags, output, "file to write, its format by its ending; may be given several times (also -o)"),
	OPT_STR(struct flags, to, NULL, "the format, whatever the file's ending"),
	OPT_ENUM(struct flags, as, VIEW_SNAC, views,
		 "chips, or nodes and connections with the shapes on them, or the latter as text for Graphviz"),
	OPT_BOOL(struct flags, vertical, 0, "upright: first layer at the bottom, numbers below"),
	OPT_BOOL(struct flags, diff, 0,
		 "two models aligned layer by layer, what was added, removed and changed marked"),
	OPT_ENUM(struct flags, size, SIZE_AUTO, sizes, "of the chips; auto: large for one model, smaller for many"),
	OPT_BOOL(struct flags, unfold, 0, "draw every copy of repeated layers and blocks"),
	OPT_ENUM(struct flags, theme, THEME_AUTO, themes,
		 "colours; auto: in SVG that of the reader's system, else light"),
	OPT_INT(struct flags, width, 0, 0, 100000,
		"at most so many pixels (text: columns) wide where that can be done; 0: what suits"),
	OPT_BOOL(struct flags, legend, 1, "say what colours, symbols and sizes mean"),
	OPT_BOOL(struct flags, all, 0,
		 "every trained model of the store, best first (upright: in the order of the search)"),
	OPT_STR(struct flags, study, NULL, "every trained model of this study"),
	OPT_STR(struct flags, where, NULL, "every trained model for which this holds: 'acc > 0.9 and params < 100k'"),
	OPT_STR(struct flags, sort, NULL, "order of stored models: 'acc / log10(params)'; default: by score"),
	OPT_INT(struct flags, limit, 100, 1, 1000000, "of --all, --study and --where: the first so many"),
	OPT_STR(struct flags, against, NULL, "one of the models by its name: also the differences to it"),
	OPT_STORE(struct flags),
	OPT_END,
};

struct drawing {
	struct cli *c;
	struct sheet_model *models;
	int n, cap;
	bool searched; /* in the order of a search */
	bool related;  /* of two stored ones: one was made from the other */
	struct canvas *canvas;
};

/* ---- models --------------------------------------------------------------------------------------------- */

static void add_model(struct drawing *d, const struct graph *g, const char *name, double accuracy)
{
	GROW(d->models, d->n, d->cap);
	sheet_model_of(&d->models[d->n], g);
	if (name)
		d->models[d->n].name = name;
	d->models[d->n++].accuracy = accuracy;
}

static int find_relation(struct drawing *d, const struct target *a, const struct target *b, struct err *e)
{
	const struct flags *f = d->c->flags;
	struct store *s;
	int rc;

	if (!a->item.run.id || !b->item.run.id)
		return 0;
	if (cli_open_store(d->c, f->store, &s, e) < 0)
		return -1;
	rc = target_related(s, a, b, &d->related, e);
	store_close(s);
	return rc;
}

static int named_models(struct drawing *d, struct err *e)
{
	const struct flags *f = d->c->flags;
	struct target *t = ARENA_ARRAY(d->c->arena, struct target, d->c->n_args + 1);

	for (int i = 0; i < d->c->n_args; i++) {
		bool scored;

		if (cli_target(d->c, d->c->args[i], f->store, &t[i], e) < 0)
			return -1;
		scored = t[i].item.run.id && run_state_final(t[i].item.run.state);
		add_model(d, t[i].graph, t[i].name, scored ? t[i].item.result.val_accuracy : (double)NAN);
	}
	return f->diff && d->c->n_args == 2 ? find_relation(d, &t[0], &t[1], e) : 0;
}

static int by_number(const void *a, const void *b)
{
	const struct store_item *x = a, *y = b;

	if (x->candidate.study != y->candidate.study)
		return x->candidate.study < y->candidate.study ? -1 : 1;
	if (x->candidate.origin != y->candidate.origin)
		return x->candidate.origin == ORIGIN_BASELINE ? -1 : y->candidate.origin == ORIGIN_BASELINE ? 1 : 0;
	return x->candidate.number < y->candidate.number ? -1 : x->candidate.number > y->candidate.number;
}

struct seeds { /* a candidate's finished runs */
	int n;
	double score, accuracy; /* sums */
};

static int64_t highest(const struct store_item *items, int n, bool run)
{
	int64_t most = 0;

	for (int i = 0; i < n; i++) {
		int64_t id = run ? items[i].run.id : items[i].candidate.id;

		most = id > most ? id : most;
	}
	return most;
}

/* Runs whose results were taken from another one that is listed go: they would stand there twice. */
static int drop_copies(struct store_item *items, int n)
{
	int64_t most = highest(items, n, true);
	bool *listed = mem_new((size_t)most + 1);
	int kept = 0;

	for (int i = 0; i < n; i++)
		listed[items[i].run.id] = true;
	for (int i = 0; i < n; i++) {
		int64_t from = items[i].run.cached_from;

		if (!from || from > most || !listed[from])
			items[kept++] = items[i];
	}
	mem_free(listed);
	return kept;
}

static int by_score(const void *a, const void *b)
{
	const struct store_item *x = a, *y = b;

	if (x->result.score != y->result.score)
		return x->result.score > y->result.score ? -1 : 1;
	return x->candidate.id < y->candidate.id ? -1 : x->candidate.id > y->candidate.id;
}

/* One item of every candidate, in the order of the first, with the means over its seeds. Returns how many. */
static int means_of_candidates(struct store_item *items, int n)
{
	struct seeds *sum = mem_new(((size_t)highest(items, n, false) + 1) * sizeof *sum);
	int kept = 0;

	for (int i = 0; i < n; i++) {
		struct seeds *of = &sum[items[i].candidate.id];

		of->score += items[i].result.score;
		of->accuracy += items[i].result.val_accuracy;
		if (of->n++ == 0)
			items[kept++] = items[i];
	}
	for (int i = 0; i < kept; i++) {
		const struct seeds *of = &sum[items[i].candidate.id];

		items[i].result.score = of->score / of->n;
		items[i].result.val_accuracy = of->accuracy / of->n;
	}
	mem_free(sum);
	return kept;
}

static int read_stored(struct drawing *d, struct store *s, struct err *e)
{
	const struct flags *f = d->c->flags;
	struct store_query q = { .states = 1u << STATE_DONE, .order = ORDER_SCORE, .descending = true };
	struct store_item *items;
	struct select *chosen;
	int n;

	if (select_read(&chosen, f->where, f->sort, d->c->arena, e) < 0 ||
	    cli_study_id(s, f->study, &q.study, d->c->arena, e) < 0)
		return -1;
	if (store_list(s, &q, &items, &n, d->c->arena, e) < 0 || select_apply(chosen, s, items, &n, false, e) < 0)
		return -1;
	n = means_of_candidates(items, drop_copies(items, n));
	if (!f->sort && n)
		qsort(items, (size_t)n, sizeof *items, by_score);
	n = n < f->limit ? n : f->limit;
	if (f->vertical && !f->sort && n)
		qsort(items, (size_t)n, sizeof *items, by_number);
	for (int i = 0; i < n; i++) {
		struct store_model m;
		struct graph *g;

		if (store_model_get(s, items[i].model, &m, d->c->arena, e) < 0)
			return -1;
		g = gather_graph(&m, d->c->arena);
		if (!g) {
			log_msg(LOG_WARN, "%s: left out, this version of nab cannot read the stored model",
				items[i].candidate.label);
			continue;
		}
		add_model(d, g, items[i].candidate.label, items[i].result.val_accuracy);
	}
	d->searched = f->vertical && !f->sort;
	return 0;
}

static int stored_models(struct drawing *d, struct err *e)
{
	const struct flags *f = d->c->flags;
	struct store *s;
	int rc;

	if (cli_open_store(d->c, f->store, &s, e) < 0)
		return -1;
	rc = read_stored(d, s, e);
	store_close(s);
	return rc;
}

static int read_models(struct drawing *d, struct err *e)
{
	const struct flags *f = d->c->flags;

	bool stored = f->all || f->study || f->where || f->sort;

	if (!d->c->n_args && !stored)
		return ERR(e, ERR_USAGE, NULL, "name models, or --all, --study or --where for those of a store");
	if (named_models(d, e) < 0 || (stored && stored_models(d, e) < 0))
		return -1;
	if (!d->n)
		return ERR(e, ERR_INVALID, NULL, f->where ? "no finished run fits --where" : "no run has finished yet");
	return 0;
}

/* ---- the drawing ---------------------------------------------------------------------------------------- */

static int find_against(const struct drawing *d, int *out, struct err *e)
{
	const struct flags *f = d->c->flags;

	*out = -1;
	if (!f->against)
		return 0;
	for (int i = 0; i < d->n; i++)
		if (strcmp(d->models[i].name, f->against) == 0 ||
		    (i < d->c->n_args && strcmp(d->c->args[i], f->against) == 0)) {
			*out = i;
			return 0;
		}
	return ERR(e, ERR_USAGE, "--against", "\"%s\" is none of the models that are drawn", f->against);
}

/* Flags that say nothing together. */
static int check(const struct drawing *d, struct err *e)
{
	const struct flags *f = d->c->flags;

	if (f->diff && (f->as != VIEW_SNAC || f->vertical))
		return ERR(e, ERR_USAGE, "--diff", "compares rows of chips: not together with --vertical or --as");
	if (f->diff && d->n != 2)
		return ERR(e, ERR_USAGE, "--diff", "compares two models, not %d", d->n);
	if (f->as != VIEW_SNAC && f->vertical)
		return ERR(e, ERR_USAGE, "--vertical", "is for chips: not together with --as %s", views[f->as]);
	if (f->as != VIEW_SNAC && d->n != 1)
		return ERR(e, ERR_USAGE, "--as", "%s draws one model at a time, not %d", views[f->as], d->n);
	return 0;
}

/* The width of the terminal, or of what is piped on. */
static int columns(const struct flags *f)
{
	struct winsize size;

	if (f->width)
		return f->width;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 0;
}

/* Pixels for the terminal's columns, or those asked for. */
static double width_for(const struct drawing *d)
{
	const struct flags *f = d->c->flags;

	return f->output.n || f->as != VIEW_SNAC || f->diff ? f->width : columns(f) * COLUMN;
}

/* Large chips are for one model that fits, and for two that are short enough to be compared side by side. */
static enum snac_size size_for(const struct drawing *d, double width)
{
	const struct flags *f = d->c->flags;
	int layers = 0;

	for (int i = 0; i < d->n; i++)
		layers = d->models[i].graph->n_nodes > layers ? d->models[i].graph->n_nodes : layers;
	if (f->size != SIZE_AUTO)
		return (enum snac_size)(f->size - SIZE_FIRST);
	if (f->diff)
		return layers <= 40 ? SNAC_LARGE : SNAC_MEDIUM;
	if (d->n == 1) /* a terminal makes the best of a large one */
		return width > 0 && !f->vertical && f->output.n ? snac_size_for(d->models[0].graph, f->unfold, width)
								: SNAC_LARGE;
	/* Short models have room for symbols, however many they are. */
	return (d->n <= 12 || layers <= 24) && !f->vertical ? SNAC_MEDIUM : SNAC_SMALL;
}

static struct canvas *draw_diff(struct drawing *d, const struct snac_style *style)
{
	const struct flags *f = d->c->flags;
	const struct model_diff *m = model_diff(d->models[0].graph, d->models[1].graph, d->related, d->c->arena);
	struct snac_diff_opts o = { *style, d->models[0].name, d->models[1].name, f->legend };

	return snac_diff_draw(m, &o, d->c->arena);
}

static int draw(struct drawing *d, struct err *e)
{
	const struct flags *f = d->c->flags;
	struct sheet_opts o = {
		.style = { .size = size_for(d, width_for(d)), .unfold = f->unfold, .vertical = f->vertical },
		.width = d->n == 1 ? 0 : width_for(d),
		.legend = f->legend,
		.searched = d->searched
	};
	struct graph_view_opts g = { d->models[0].name, f->unfold };

	if (find_against(d, &o.against, e) < 0)
		return -1;
	o.style.width = d->n == 1 ? width_for(d) : 0;
	if (f->diff)
		d->canvas = draw_diff(d, &o.style);
	else if (f->as == VIEW_SNAC)
		d->canvas = sheet_draw(d->models, d->n, &o, d->c->arena);
	else
		d->canvas = graph_view_draw(d->models[0].graph, &g, d->c->arena);
	return 0;
}

/* ---- formats -------------------------------------------------------------------------------------------- */

static int format_named(const char *name, int *out, struct err *e)
{
	const char *names[FORMAT_COUNT], *near;

	for (int i = 0; i < FORMAT_COUNT; i++) {
		names[i] = formats[i].name;
		if (strcmp(name, names[i]) == 0) {
			*out = i;
			return 0;
		}
	}
	near = str_nearest(name, names, FORMAT_COUNT);
	return ERR(e, ERR_USAGE, "--to", "unknown format \"%s\"%s%s%s: svg, pdf, tikz, png, text or dot", name,
		   near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

static int format_of(const struct flags *f, const char *path, int *out, struct err *e)
{
	const char *dot = strrchr(path_base(path), '.');

	if (f->to)
		return format_named(f->to, out, e);
	if (f->as == VIEW_DOT) {
		*out = FORMAT_DOT;
		return 0;
	}
	for (*out = 0; *out < FORMAT_COUNT; ++*out)
		if (dot && strcmp(dot, formats[*out].ending) == 0)
			return 0;
	return ERR(e, ERR_USAGE, path,
		   "its ending names no format (.svg, .pdf, .tex, .png, .txt, .dot); say it with --to");
}

static void render(const struct drawing *d, enum format format, bool colour, struct str *out)
{
	const struct flags *f = d->c->flags;
	struct svg_opts o = { .theme = f->theme == THEME_DARK    ? SVG_DARK
				       : f->theme == THEME_LIGHT ? SVG_LIGHT
								 : SVG_AUTO,
			      .paper = true,
			      .label = d->n == 1 ? d->models[0].name : "architectures" };
	int lost;

	switch (format) {
	case FORMAT_SVG:
		canvas_svg(out, d->canvas, &o);
		break;
	case FORMAT_PDF:
		lost = canvas_pdf(out, d->canvas, &o);
		if (lost)
			log_msg(LOG_WARN, "%d characters that the standard fonts of PDF lack are shown as \"?\"", lost);
		break;
	case FORMAT_TIKZ:
		canvas_tikz(out, d->canvas, &o);
		break;
	case FORMAT_TEXT:
		if (d->n > 1 && f->as == VIEW_SNAC && !f->vertical && !f->diff)
			sheet_lines(out, d->models, d->n, colour, columns(f));
		else
			canvas_terminal(out, d->canvas, columns(f), colour);
		break;
	case FORMAT_DOT:
		graph_view_dot(out, d->models[0].graph, &(struct graph_view_opts){ d->models[0].name, f->unfold });
		break;
	case FORMAT_PNG:
	case FORMAT_COUNT:
		break;
	}
}

static int write_file(const struct drawing *d, const char *path, struct err *e)
{
	const struct flags *f = d->c->flags;
	struct str text = { 0 };
	int format, rc;

	if (format_of(f, path, &format, e) < 0)
		return -1;
	if (format == FORMAT_DOT && d->n != 1)
		return ERR(e, ERR_USAGE, path, "Graphviz text is of one model, not %d", d->n);
	if (format == FORMAT_PNG)
		return canvas_png(d->canvas, path, 2, f->theme == THEME_DARK, e);
	render(d, (enum format)format, false, &text);
	rc = file_write(path, str_get(&text), text.len, e);
	str_release(&text);
	return rc;
}

static int print(const struct drawing *d, struct err *e)
{
	const struct flags *f = d->c->flags;
	int format = f->as == VIEW_DOT ? FORMAT_DOT : FORMAT_TEXT;
	struct str text = { 0 };

	if (f->to && format_named(f->to, &format, e) < 0)
		return -1;
	if (format == FORMAT_PNG || (format == FORMAT_PDF && isatty(STDOUT_FILENO)))
		return ERR(e, ERR_USAGE, "--to", "%s is not for a terminal: name a file with -o", formats[format].name);
	if (format == FORMAT_DOT && d->n != 1)
		return ERR(e, ERR_USAGE, "--to", "Graphviz text is of one model, not %d", d->n);
	render(d, (enum format)format, d->c->paint_out, &text);
	fwrite(str_get(&text), 1, text.len, stdout);
	str_release(&text);
	return 0;
}

static void print_json(const struct drawing *d)
{
	const struct flags *f = d->c->flags;
	struct json *doc = json_object(), *list = json_put(doc, "models", json_array());

	for (int i = 0; i < d->n; i++) {
		struct json *v = json_push(list, json_object());

		json_put(v, "name", json_str(d->models[i].name));
		json_put(v, "val_accuracy", json_num(d->models[i].accuracy));
		json_put(v, "params", json_num((double)d->models[i].params));
		json_put(v, "macs", json_num((double)d->models[i].macs));
	}
	list = json_put(doc, "files", json_array());
	for (int i = 0; i < f->output.n; i++)
		json_push(list, json_str(f->output.v[i]));
	json_put(doc, "width", json_num(canvas_width(d->canvas)));
	json_put(doc, "height", json_num(canvas_height(d->canvas)));
	cli_print_json(doc);
}

static int run(struct cli *c, struct err *e)
{
	const struct flags *f = c->flags;
	struct drawing d = { .c = c };
	int rc = -1, format;

	for (int i = 0; i < f->output.n; i++)
		TRY(format_of(f, f->output.v[i], &format, e));
	TRY(read_models(&d, e));
	TRY(check(&d, e));
	TRY(draw(&d, e));
	for (int i = 0; i < f->output.n; i++)
		TRY(write_file(&d, f->output.v[i], e));
	if (c->json)
		print_json(&d);
	else if (!f->output.n)
		TRY(print(&d, e));
	rc = 0;
out:
	mem_free(d.models);
	return rc;
}

const struct command command_draw = {
	.name = "draw",
	.usage = "[MODEL...] [flags]",
	.help = "draw models: layers as chips, many in a table, two compared, or nodes and connections",
	.more = "  nab draw lenet5.json                          in the terminal\n"
		"  nab draw best --store fashion.db -o best.svg -o best.pdf\n"
		"  nab draw --all --limit 30 --store fashion.db -o models.svg\n"
		"  nab draw --where 'params < 50k' --sort acc --store fashion.db -o small.pdf\n"
		"  nab draw --all --vertical --store fashion.db -o search.svg\n"
		"  nab draw lenet5 best --diff --store fashion.db -o diff.svg\n"
		"  nab draw resnet8.json --as graph -o resnet8.svg\n"
		"Formats by ending: .svg .pdf .tex (TikZ) .png (needs rsvg-convert) .txt .dot (Graphviz).",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.min_args = 0,
	.max_args = -1,
	.run = run,
};
