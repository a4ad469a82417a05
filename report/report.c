/* report/report.c - gathers, then writes the files. See report.h. */
#include "report/report.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/canvas.h"
#include "report/escape.h"
#include "report/gather.h"
#include "report/gnuplot.h"
#include "report/html.h"
#include "report/page.h"
#include "report/snac.h"
#include "report/table.h"
#include "report/trials.h"
#include "store/cache.h"

static int put(const char *dir, const char *name, struct str *text, struct err *e)
{
	char path[4096];
	int rc;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	rc = file_write(path, str_get(text), text->len, e);
	str_release(text);
	return rc;
}

enum { A_PAGE = 24 }; /* rows of a table in LaTeX: one for a paper */

/* In every format that a file can have; `title` stands above the Markdown, `below` under it. */
static int write_table(const struct table *t, const char *title, const char *below, const char *dir, const char *name,
		       struct err *e)
{
	static const struct {
		enum table_format format;
		const char *ending;
	} files[] = { { TABLE_MARKDOWN, "md" }, { TABLE_LATEX, "tex" }, { TABLE_CSV, "csv" }, { TABLE_JSON, "json" } };
	struct str text = { 0 };
	char file[128];

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		if (files[i].format == TABLE_MARKDOWN) {
			str_add(&text, "# ");
			escape_markdown(&text, title);
			str_add(&text, "\n\n");
		}
		table_print(&text, files[i].format == TABLE_LATEX ? table_first(t, A_PAGE) : t, files[i].format, 0,
			    false);
		if (files[i].format == TABLE_MARKDOWN)
			str_add(&text, below);
		snprintf(file, sizeof file, "%s.%s", name, files[i].ending);
		if (put(dir, file, &text, e) < 0)
			return -1;
	}
	return 0;
}

static int write_tables(const struct report *r, const char *dir, struct err *e)
{
	return write_table(table_leaderboard(r, r->a), r->studies[0].name, "", dir, "leaderboard", e);
}

struct charts {
	const struct report_opts *o;
	const char *dir;
};

static int write_chart(const struct charts *to, const struct canvas *c, const char *label, const char *name,
		       struct err *e)
{
	struct svg_opts look = { .theme = SVG_AUTO, .paper = true, .label = label };
	struct str text = { 0 };
	char file[128], path[4096 + sizeof file];

	canvas_svg(&text, c, &look);
	snprintf(file, sizeof file, "%s.svg", name);
	if (put(to->dir, file, &text, e) < 0)
		return -1;
	if (to->o->pdf) {
		canvas_pdf(&text, c, &look);
		snprintf(file, sizeof file, "%s.pdf", name);
		if (put(to->dir, file, &text, e) < 0)
			return -1;
	}
	snprintf(path, sizeof path, "%s/%s.png", to->dir, name);
	return to->o->png ? canvas_png(c, path, 2, false, e) : 0;
}

static int write_charts(const struct report *r, const struct report_opts *o, struct err *e)
{
	struct snac_style style = { .size = SNAC_LARGE, .largest = r->largest };
	bool used[LAYER_KIND_COUNT] = { false };
	char dir[4096];
	struct charts to = { o, dir };

	snprintf(dir, sizeof dir, "%s/snac", o->dir);
	if (file_mkdirs(dir, e) < 0)
		return -1;
	for (int i = 0; i < r->n_rows; i++) {
		const struct report_row *w = &r->rows[i];

		if (!w->detailed || !w->graph)
			continue;
		snac_kinds(w->graph, used);
		if (write_chart(&to, snac_draw(w->graph, &style, r->a), w->label, w->file, e) < 0)
			return -1;
	}
	return write_chart(&to, snac_legend(used, 720, r->a), "legend", "legend", e);
}

static int write_trials(const struct page *p, const char *dir, struct err *e)
{
	for (int i = 0; i < p->n_trials; i++) {
		const struct trial *t = &p->trials[i];
		struct str below = { 0 };
		int rc;

		if (t->n_advice)
			str_add(&below, "\n**Advice**\n\n");
		advice_text(&below, t->advice, t->n_advice, "- ");
		rc = write_table(compare_table(t->c, p->a), t->c->title, str_get(&below), dir, t->file, e);
		str_release(&below);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int write_page(const struct page *p, const char *dir, struct err *e)
{
	struct str page = { 0 };

	html_page(&page, p);
	return put(dir, "index.html", &page, e);
}

/* The SVG last: the scripts that stay are those of its pictures. */
static int write_figures(const struct report *r, struct store *s, const struct report_opts *o, struct report_made *made,
			 struct err *e)
{
	const bool wanted[FIGURE_FORMAT_COUNT] = { [FIGURE_SVG] = true, [FIGURE_PDF] = o->pdf, [FIGURE_PNG] = o->png };
	struct plot_request q = { .report = r, .store = s, .cache = cache_path(store_path(s), r->a) };
	char dir[4096];

	if (o->no_figures)
		return 0;
	snprintf(dir, sizeof dir, "%s/figures", o->dir);
	for (int k = FIGURE_FORMAT_COUNT - 1; k >= 0; k--) {
		q.format = (enum figure_format)k;
		if (wanted[k] && gnuplot_figures(&q, dir, "gnuplot", made->note, sizeof made->note, e) < 0)
			return -1;
	}
	made->drawn = !made->note[0];
	return 0;
}

int report_write(struct store *s, const struct report_opts *o, struct report_made *made, struct err *e)
{
	struct arena *a = arena_new();
	struct gather_opts what = { .study = o->study,
				    .top = o->top,
				    .where = o->where,
				    .pins = o->pins,
				    .n_pins = o->n_pins,
				    .literature = o->literature };
	struct page page = { .store = s, .a = a, .images = o->images };
	struct trial *trials;
	struct report *r;
	int rc = -1;

	memset(made, 0, sizeof *made);
	TRY(report_gather(&r, s, &what, a, e));
	TRY(file_mkdirs(o->dir, e));
	TRY(write_tables(r, o->dir, e));
	TRY(write_charts(r, o, e));
	TRY(write_figures(r, s, o, made, e));
	page.r = r;
	page.cache = cache_path(store_path(s), a);
	TRY(trials_gather(&trials, &page.n_trials, r, s, a, e));
	page.trials = trials;
	TRY(write_trials(&page, o->dir, e));
	TRY(write_page(&page, o->dir, e)); /* last: who sees the page finds what it stands beside */
	snprintf(made->index, sizeof made->index, "%s/index.html", o->dir);
	made->models = r->n_rows;
	rc = 0;
out:
	arena_free(a);
	return rc;
}
