/* report/view_trials.c - the page: ablations and variations against their parents, with intervals. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "report/canvas.h"
#include "report/gather.h"
#include "report/html.h"
#include "report/page.h"
#include "report/trials.h"

#define MINUS "\xe2\x88\x92"
#define DASH  "\xe2\x80\x93"

enum { WIDTH = 170, HEIGHT = 16 };

static bool sure(const struct compare_row *w)
{
	return w->p_holm < 0.05;
}

/* Largest reach of an interval: the scale that all rows of a table share. */
static double reach_of(const struct comparison *c)
{
	double reach = 0.001;

	for (int i = 1; i < c->n_rows; i++)
		if (!isnan(c->rows[i].effect.mean))
			reach = fmax(reach, fmax(fabs(c->rows[i].effect.low), fabs(c->rows[i].effect.high)));
	return reach;
}

/* The difference with its interval about the parent's line. Open: not told apart from the parent. */
static void effect(struct str *out, const struct compare_row *w, double reach, struct arena *a)
{
	struct canvas *c = canvas_new(a, WIDTH, HEIGHT);
	double middle = WIDTH / 2.0, scale = (middle - 5) / reach, y = HEIGHT / 2.0;
	enum ink ink = sure(w) ? (w->effect.mean < 0 ? INK_LINE + 1 : INK_LINE) : INK_MUTED;
	struct item *disc;

	canvas_line(c, 0, y, WIDTH, y, (struct pen){ INK_GRID, 1, DASH_NONE });
	canvas_line(c, middle, 0, middle, HEIGHT, (struct pen){ INK_MUTED, 1, DASH_DASHED });
	if (!isnan(w->effect.mean)) {
		canvas_line(c, middle + w->effect.low * scale, y, middle + w->effect.high * scale, y,
			    (struct pen){ ink, 2.5, DASH_NONE });
		disc = canvas_disc(c, middle + w->effect.mean * scale, y, 3.5, sure(w) ? ink : INK_PAPER);
		disc->pen = (struct pen){ ink, 1.5, DASH_NONE };
	}
	html_canvas(out, c, NULL);
}

/* "+0.52" with the sign that is read as one. */
static void points(struct str *out, const struct metric *m, double v)
{
	str_add(out, v < 0 ? MINUS : "+");
	html_metric(out, m, fabs(v));
}

static void delta_cells(struct str *out, const struct metric *m, const struct compare_row *w, double reach,
			struct arena *a)
{
	if (isnan(w->effect.mean)) {
		str_add(out, "<td></td><td></td><td></td><td></td>");
		return;
	}
	str_addf(out, "<td class=\"n\"><span class=\"delta %s%s\">%s ", w->effect.mean > 0 ? "good" : "worse",
		 sure(w) ? " sure" : "", w->effect.mean < 0 ? "\xe2\x96\xbc" : "\xe2\x96\xb2");
	points(out, m, w->effect.mean);
	str_add(out, "</span></td><td class=\"n\">");
	points(out, m, w->effect.low);
	str_add(out, " to ");
	points(out, m, w->effect.high);
	str_add(out, "</td><td>");
	effect(out, w, reach, a);
	str_add(out, "</td><td class=\"n\">");
	if (!isnan(w->p_holm))
		str_addf(out,
			 w->p_holm < 0.001 ? "&lt;\xc2\xa0"
					     "0.001"
					   : "%.3f",
			 w->p_holm);
	str_add(out, "</td>");
}

static void params_cell(struct str *out, const struct compare_row *w, const struct compare_row *parent)
{
	int64_t more = w->params - parent->params;
	char buf[32];

	str_addf(out, "<td class=\"n\">%s", w->params ? str_thousands(buf, w->params) : "");
	if (w != parent && w->params && more)
		str_addf(out, "<div class=\"delta %s\">%s%s</div>", more < 0 ? "good" : "worse",
			 more < 0 ? "\xe2\x96\xbc " MINUS : "\xe2\x96\xb2 +",
			 str_thousands(buf, llabs((long long)more)));
	str_add(out, "</td>");
}

/* None is worse than the best beyond doubt: then it is no distinction. */
static bool everyone(const struct comparison *c)
{
	for (int i = 0; i < c->n_rows; i++)
		if (!c->rows[i].best && !isnan(c->rows[i].accuracy))
			return false;
	return true;
}

static void row(struct str *out, const struct comparison *c, int i, double reach, struct arena *a)
{
	const struct compare_row *w = &c->rows[i];

	str_addf(out, "<tr%s><td class=\"model-name\">", i ? "" : " class=\"parent\"");
	html_bold(out, w->label);
	if (w->inherited)
		str_add(out, " <span class=\"badge\">inherited weights</span>");
	if (w->best && !everyone(c))
		str_add(out, " <span class=\"badge front\" title=\"not significantly worse than the best (5 %, "
			     "Holm)\">best or near</span>");
	str_add(out, "<div class=\"dim\">");
	html_text(out, i == 0 ? "the parent" : w->change ? w->change : w->control_of ? w->control_of : "");
	str_add(out, "</div></td><td class=\"n\">");
	html_metric(out, c->metric, w->accuracy);
	if (!isnan(w->low)) {
		str_add(out, "<div class=\"dim\">");
		html_metric_range(out, c->metric, w->low, w->high);
		str_add(out, "</div>");
	}
	str_add(out, "</td>");
	delta_cells(out, c->metric, w, reach, a);
	params_cell(out, w, &c->rows[0]);
	str_addf(out, "<td class=\"n\">%d</td><td class=\"reason\">", w->n_done);
	if (w->n_done < w->n_runs || !w->n_done)
		html_text(out, w->state);
	str_add(out, "</td></tr>\n");
}

static void advice(struct str *out, const struct trial *t)
{
	if (!t->n_advice)
		return;
	str_add(out, "<h4>What it lets one say</h4><ul class=\"advice\">");
	for (int i = 0; i < t->n_advice; i++) {
		str_add(out, "<li>");
		html_text(out, t->advice[i].text);
		if (t->advice[i].command) {
			str_add(out, "<br><code>");
			html_text(out, t->advice[i].command);
			str_add(out, "</code>");
		}
		str_add(out, "</li>");
	}
	str_add(out, "</ul>");
}

static void trial(struct str *out, const struct trial *t, struct arena *a)
{
	double reach = reach_of(t->c);

	str_add(out, "<h3>");
	html_text(out, t->c->title);
	str_add(out, "</h3><div class=\"card scroll\" tabindex=\"0\" role=\"region\" aria-label=\"");
	html_text(out, t->c->title);
	str_addf(out,
		 "\"><table class=\"trial\"><thead><tr><th scope=\"col\">model</th><th scope=\"col\" "
		 "class=\"n\">%s%s</th><th scope=\"col\" class=\"n\">difference</th><th scope=\"col\" "
		 "class=\"n\">95 %% interval</th><th scope=\"col\"><span class=\"sr\">interval, drawn</span></th>"
		 "<th scope=\"col\" class=\"n\" title=\"adjusted for the number of rows (Holm)\">p</th><th "
		 "scope=\"col\" class=\"n\">parameters</th><th scope=\"col\" class=\"n\">seeds</th><th "
		 "scope=\"col\"></th></tr></thead><tbody>\n",
		 t->c->metric->name, t->c->metric->unit);
	for (int i = 0; i < t->c->n_rows; i++)
		row(out, t->c, i, reach, a);
	str_add(out, "</tbody></table></div>");
	advice(out, t);
	for (int i = 0; i < t->c->n_notes; i++) {
		str_add(out, "<p class=\"note\">");
		html_text(out, t->c->notes[i]);
		str_add(out, "</p>");
	}
}

static void trials(struct str *out, const struct page *p)
{
	if (!p->n_trials)
		return;
	str_addf(out,
		 "<p class=\"sub\">Against the parent, in %s, paired by seed and example. Filled: told apart from the "
		 "parent "
		 "(p below 0.05 after correction for the number of rows); open: not.</p>",
		 p->r->metric->share ? "points of accuracy" : p->r->metric->name);
	for (int i = 0; i < p->n_trials; i++)
		trial(out, &p->trials[i], p->a);
}

const struct page_view view_trials = { .id = "trials", .title = "Ablations and variations", .html = trials };
