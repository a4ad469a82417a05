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

static int write_tables(const struct report *r, const char *dir, struct err *e)
{
	struct table *t = table_leaderboard(r, r->a);
	struct str text = { 0 };
	struct json *j;

	str_add(&text, "# ");
	escape_markdown(&text, r->studies[0].name);
	str_add(&text, "\n\n");
	table_markdown(&text, t);
	if (put(dir, "leaderboard.md", &text, e) < 0)
		return -1;
	table_csv(&text, t);
	if (put(dir, "leaderboard.csv", &text, e) < 0)
		return -1;
	j = table_json(t);
	json_pretty(&text, j);
	str_addc(&text, '\n');
	json_free(j);
	return put(dir, "leaderboard.json", &text, e);
}

static int write_chart(const struct canvas *c, const char *label, const char *dir, const char *name, struct err *e)
{
	struct str text = { 0 };
	char file[96];

	canvas_svg(&text, c, &(struct svg_opts){ .theme = SVG_AUTO, .paper = true, .label = label });
	snprintf(file, sizeof file, "%s.svg", name);
	return put(dir, file, &text, e);
}

static int write_charts(const struct report *r, const char *top, struct err *e)
{
	struct snac_style style = { .size = SNAC_LARGE, .largest = r->largest };
	bool used[LAYER_KIND_COUNT] = { false };
	char dir[4096];

	snprintf(dir, sizeof dir, "%s/snac", top);
	if (file_mkdirs(dir, e) < 0)
		return -1;
	for (int i = 0; i < r->n_rows; i++) {
		const struct report_row *w = &r->rows[i];

		if (!w->detailed || !w->graph)
			continue;
		snac_kinds(w->graph, used);
		if (write_chart(snac_draw(w->graph, &style, r->a), w->label, dir, w->file, e) < 0)
			return -1;
	}
	return write_chart(snac_legend(used, 720, r->a), "legend", dir, "legend", e);
}

static int write_trials(const struct page *p, const char *dir, struct err *e)
{
	for (int i = 0; i < p->n_trials; i++) {
		const struct trial *t = &p->trials[i];
		struct table *table = compare_table(t->c, p->a);
		struct str text = { 0 };
		char name[96];

		str_add(&text, "# ");
		escape_markdown(&text, t->c->title);
		str_add(&text, "\n\n");
		table_markdown(&text, table);
		if (t->n_advice)
			str_add(&text, "\n**Advice**\n\n");
		advice_text(&text, t->advice, t->n_advice, "- ");
		snprintf(name, sizeof name, "%s.md", t->file);
		if (put(dir, name, &text, e) < 0)
			return -1;
		table_csv(&text, table);
		snprintf(name, sizeof name, "%s.csv", t->file);
		if (put(dir, name, &text, e) < 0)
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

static int write_figures(const struct report *r, struct store *s, const struct report_opts *o, struct report_made *made,
			 struct err *e)
{
	struct plot_request q = {
		.report = r, .store = s, .cache = cache_path(store_path(s), r->a), .format = FIGURE_SVG
	};
	char dir[4096];

	if (o->no_figures)
		return 0;
	snprintf(dir, sizeof dir, "%s/figures", o->dir);
	if (gnuplot_figures(&q, dir, "gnuplot", made->note, sizeof made->note, e) < 0)
		return -1;
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
	TRY(write_charts(r, o->dir, e));
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
