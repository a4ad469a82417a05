/* report/view_leaderboard.c - the page: all ranked models in a table; those with inherited weights apart. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/canvas.h"
#include "report/gather.h"
#include "report/html.h"
#include "report/page.h"
#include "report/plots.h"
#include "report/snac.h"

enum { MANY = 100 }; /* rows from which on the small charts go without tooltips */

#define DASH "\xe2\x80\x93"

struct head {
	const char *key, *title, *help;
	bool number, up; /* up: sorted upward at first */
	bool fixed;      /* not sorted by */
	bool metric;     /* in the unit of the report's metric */
};

static bool any_test(const struct report *r)
{
	for (int i = 0; i < r->n_ranked; i++)
		if (!isnan(r->rows[i].test_accuracy))
			return true;
	return false;
}

static const struct head heads[] = {
	{ "rank", "rank", "places it may hold: models whose 95 % intervals overlap are not ordered", false, true, false,
	  false },
	{ "score", "score", "what the study ranks by", true, false, false, false },
	{ "label", "model", "", false, true, false, false },
	{ "chips", "architecture", "one chip per layer; the legend stands with each model below", false, false, true,
	  false },
	{ "accuracy", "", "validation, last epoch; mean over seeds", true, false, false, true },
	{ "interval", "95 % interval",
	  "Wilson's over the examples, widened by the spread between seeds (pooled over all models)", false, false,
	  true, false },
	{ "params", "parameters", "trainable numbers", true, true, false, false },
	{ "macs", "multiply-adds", "per example, forward", true, true, false, false },
	{ "seconds", "seconds", "of training", true, true, false, false },
	{ "epochs", "epochs", "completed", true, true, false, false },
	{ "best", "best epoch", "optimistic: the epoch was chosen by the examples it is judged on", true, false, false,
	  true },
	{ "test", "test", "on the test split, read on purpose", true, false, false, true },
};

static bool has_column(const struct report *r, const struct head *h)
{
	if (strcmp(h->key, "test") == 0)
		return any_test(r);
	return strcmp(h->key, "score") != 0 || !r->by_accuracy;
}

static void board_head(struct str *out, const struct report *r)
{
	str_add(out, "<thead><tr>");
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		const struct head *h = &heads[i];

		if (!has_column(r, h))
			continue;
		str_addf(out, "<th scope=\"col\" data-%s=\"%s\"%s%s title=\"%s\">%s%s</th>", h->fixed ? "key" : "sort",
			 h->key, h->up ? " data-first=\"up\"" : "", h->number ? " class=\"n\"" : "", h->help,
			 strcmp(h->key, "accuracy") == 0 ? r->metric->name : h->title,
			 h->metric ? r->metric->unit : "");
	}
	str_add(out, "</tr></thead>");
}

static void board_name(struct str *out, const struct report *r, int i)
{
	const struct report_row *w = &r->rows[i];

	str_add(out, "<td class=\"model-name\">");
	if (w->detailed)
		str_addf(out, "<button class=\"link\" data-choose=\"%d\">", i);
	html_text(out, w->label);
	str_add(out, w->detailed ? "</button>" : "");
	if (w->candidate->origin == ORIGIN_BASELINE)
		str_add(out, " <span class=\"badge baseline\">baseline</span>");
	if (w->front)
		str_add(out,
			" <span class=\"badge front\" title=\"no other model is as accurate with fewer parameters\">"
			"front</span>");
	if (w->candidate->surplus)
		str_add(out,
			" <span class=\"badge\" title=\"finished beyond what the study's targets asked for\">surplus"
			"</span>");
	if (r->n_studies > 1) {
		str_add(out, "<div class=\"dim\">");
		html_text(out, w->study);
		str_add(out, "</div>");
	}
	str_add(out, "</td>");
}

static void board_chart(struct str *out, const struct report *r, const struct report_row *w)
{
	struct snac_style style = { .size = SNAC_SMALL, .largest = r->largest, .width = 230 };

	style.silent = r->n_ranked > MANY;

	str_add(out, "<td class=\"a\">");
	if (w->graph)
		html_canvas(out, snac_draw(w->graph, &style, r->a), w->summary);
	str_add(out, "</td>");
}

static void board_row(struct str *out, const struct report *r, int i)
{
	const struct report_row *w = &r->rows[i];
	char place[32], params[32], macs[32], spread[METRIC_TEXT];

	str_addf(out, "<tr data-row=\"%d\"><td class=\"rank\">%s</td>", i, place_text(place, w, DASH));
	if (!r->by_accuracy)
		str_addf(out, "<td class=\"n\">%.4f</td>", w->score);
	board_name(out, r, i);
	board_chart(out, r, w);
	str_add(out, "<td class=\"n acc\"><b>");
	html_metric(out, r->metric, w->accuracy);
	str_add(out, "</b>");
	if (!isnan(w->spread))
		str_addf(out, "<div class=\"dim\">\xc2\xb1 %s</div>", metric_number(spread, r->metric, w->spread));
	str_add(out, "</td><td class=\"w\">");
	html_canvas(out, plot_whisker(r, w, 110, 14), NULL);
	if (!isnan(w->low)) {
		str_add(out, "<div class=\"dim\">");
		html_metric_range(out, r->metric, w->low, w->high);
		str_add(out, "</div>");
	}
	str_addf(out, "</td><td class=\"n\">%s</td><td class=\"n\">%s</td><td class=\"n\">",
		 str_thousands(params, w->params), str_thousands(macs, w->macs));
	if (!isnan(w->seconds))
		str_addf(out, "%.1f", w->seconds);
	str_addf(out, "</td><td class=\"n\">%.3g</td><td class=\"n dim\">", w->epochs);
	html_metric(out, r->metric, w->best_epoch_accuracy);
	str_add(out, "</td>");
	if (any_test(r)) {
		str_add(out, "<td class=\"n\">");
		html_metric(out, r->metric, w->test_accuracy);
		str_add(out, "</td>");
	}
	str_add(out, "</tr>\n");
}

static void board_notes(struct str *out, const struct report *r)
{
	str_add(out, "<p class=\"note\">");
	if (r->by_accuracy && r->n_ranked && !isnan(r->rows[0].low))
		str_addf(out,
			 "A rank such as 1" DASH "%d names the places a model may hold: models whose 95 %% intervals "
			 "overlap are not ordered. ",
			 r->rows[0].place_last > 1 ? r->rows[0].place_last : 3);
	if (!r->by_accuracy)
		str_add(out,
			"Ranked by the study's score, which is not plain accuracy; no interval is known for it, so "
			"that near ranks may be chance. ");
	str_add(out, "Charts: one chip per layer, colour = family, height = size of the output on one scale for all "
		     "models, dotted frame = repeated block, bars above = skip connections and branches.</p>");
}

/* Results of others stand apart and say so. */
static void literature(struct str *out, const struct literature *v)
{
	char buf[32];

	if (!v->n)
		return;
	str_add(out, "<h3>Literature");
	if (v->name) {
		str_add(out, ": ");
		html_text(out, v->name);
	}
	str_add(out, "</h3><p class=\"sub\">As published, not re-checked");
	if (v->source) {
		str_add(out, " (");
		html_text(out, v->source);
		str_addc(out, ')');
	}
	str_add(out, "; trained and judged otherwise, so never ranked with the runs above.</p><div class=\"card "
		     "scroll\"><table id=\"literature\"><thead><tr><th scope=\"col\">result</th><th scope=\"col\" "
		     "class=\"n\">test accuracy %</th><th scope=\"col\" class=\"n\">parameters</th><th scope=\"col\" "
		     "class=\"n\">GPU-days</th></tr></thead><tbody>\n");
	for (int i = 0; i < v->n; i++) {
		const struct literature_row *w = &v->rows[i];

		str_add(out, "<tr><td>");
		html_text(out, w->name);
		str_add(out, " <span class=\"badge\">literature</span>");
		if (w->note) {
			str_add(out, " <span class=\"dim\">");
			html_text(out, w->note);
			str_add(out, "</span>");
		}
		str_add(out, "</td><td class=\"n\">");
		html_percent(out, w->accuracy);
		str_addf(out, "</td><td class=\"n\">%s</td><td class=\"n\">",
			 isnan(w->params) ? "" : str_thousands(buf, llround(w->params)));
		if (!isnan(w->gpu_days))
			str_addf(out, "%g", w->gpu_days);
		str_add(out, "</td></tr>\n");
	}
	str_add(out, "</tbody></table></div>");
}

/* Detailed rows are written out; the script makes the others when they are looked at. */
static void board(struct str *out, const struct page *p)
{
	const struct report *r = p->r;
	int compact = 0;

	str_add(out, "<p class=\"sub\">Choose a model for its details.<span class=\"js-only noprint\" hidden> Choose a "
		     "column to sort by it; the star pins a model.</span></p><div class=\"bar js-only noprint\" "
		     "id=\"board-bar\" hidden></div><div class=\"card scroll\" tabindex=\"0\" role=\"region\" "
		     "aria-label=\"Leaderboard\"><table id=\"board\">");
	board_head(out, r);
	str_add(out, "<tbody>\n");
	for (int i = 0; i < r->n_ranked; i++) {
		if (r->rows[i].detailed)
			board_row(out, r, i);
		compact += !r->rows[i].detailed;
	}
	str_add(out, "</tbody></table></div><div class=\"bar js-only noprint\" id=\"board-pages\" hidden></div>");
	if (compact)
		str_addf(out,
			 "<noscript><p class=\"note\">%d more models are shown by the page's script, and in "
			 "leaderboard.csv.</p></noscript>",
			 compact);
	board_notes(out, r);
	literature(out, &r->literature);
}

/* Models that start from trained weights had more training than the others: they stand apart. */
static void heirs(struct str *out, const struct page *p)
{
	const struct report *r = p->r;

	char params[32], macs[32];

	if (!r->n_inherited)
		return;
	str_addf(
	    out,
	    "<p class=\"sub\">These models start from the weights of a trained model. They are not ranked with those "
	    "trained from scratch.</p><div class=\"card scroll\"><table><thead><tr><th>model</th><th>architecture</th>"
	    "<th class=\"n\">%s%s</th><th>95 %% interval</th><th class=\"n\">parameters</th><th "
	    "class=\"n\">multiply-adds</th></tr></thead><tbody>\n",
	    r->metric->name, r->metric->unit);
	for (int i = r->n_ranked; i < r->n_rows; i++) {
		const struct report_row *w = &r->rows[i];

		if (!w->inherited || isnan(w->accuracy))
			continue;
		str_add(out, "<tr>");
		board_name(out, r, i);
		board_chart(out, r, w);
		str_add(out, "<td class=\"n\">");
		html_metric(out, r->metric, w->accuracy);
		str_add(out, "</td><td>");
		html_metric_range(out, r->metric, w->low, w->high);
		str_addf(out, "</td><td class=\"n\">%s</td><td class=\"n\">%s</td></tr>\n",
			 str_thousands(params, w->params), str_thousands(macs, w->macs));
	}
	str_add(out, "</tbody></table></div>\n");
}

const struct page_view view_leaderboard = { .id = "leaderboard", .title = "Leaderboard", .html = board };
const struct page_view view_inherited = { .id = "inherited", .title = "Inherited weights", .html = heirs };
