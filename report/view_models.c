/* report/view_models.c - the page: every detail of a model, one at a time (report/page/models.js draws it). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/canvas.h"
#include "report/gather.h"
#include "report/html.h"
#include "report/model_pack.h"
#include "report/page.h"
#include "report/plots.h"
#include "report/snac.h"
#include "store/store.h"

enum { STILL = 3 }; /* models that are there without a script */

static void header(struct str *out, const struct report *r, const struct report_row *w)
{
	char place[32];

	str_add(out, "<header><h3>");
	html_text(out, w->label);
	str_add(out, "</h3>");
	if (w->candidate->origin == ORIGIN_BASELINE)
		str_add(out, "<span class=\"badge baseline\">baseline</span>");
	if (w->front)
		str_add(out, "<span class=\"badge front\">Pareto front</span>");
	if (w->place_first)
		str_addf(out, "<span class=\"dim\">rank %s of %d</span>", place_text(place, w, "\xe2\x80\x93"),
			 r->n_ranked);
	str_add(out, "<span class=\"dim mono\">");
	html_text(out, w->hash ? arena_printf(r->a, "%.12s", w->hash) : "");
	str_add(out, "</span></header>");
}

static void add_range(struct str *out, const struct report_row *w)
{
	if (isnan(w->low))
		return;
	str_addf(out, "95 %%: %.2f \xe2\x80\x93 %.2f", 100 * w->low, 100 * w->high);
}

static void tiles(struct str *out, const struct report *r, const struct report_row *w)
{
	struct str v = { 0 }, d = { 0 };
	char a[32], b[32], text[METRIC_TEXT];

	str_add(out, "<div class=\"tiles small\">");
	add_range(&d, w);
	html_tile(out, arena_printf(r->a, "validation %s", r->metric->name), metric_text(text, r->metric, w->accuracy),
		  str_get(&d));
	str_clear(&d);
	str_addf(&d, "%s bytes in fp32", str_thousands(b, w->weight_bytes));
	html_tile(out, "parameters", str_thousands(a, w->params), str_get(&d));
	str_clear(&d);
	str_addf(&d, "%d layers, depth %d", w->layers, w->depth);
	html_tile(out, "multiply-adds", str_thousands(a, w->macs), str_get(&d));
	str_clear(&v);
	str_clear(&d);
	html_seconds(&v, w->seconds);
	str_addf(&d, "%.3g epochs%s", w->epochs, w->n_done > 1 ? ", mean over seeds" : "");
	html_tile(out, "training", str_get(&v), str_get(&d));
	metric_text(text, r->metric, w->best_epoch_accuracy);
	html_tile(out, "best epoch", text[0] ? text : "\xe2\x80\x93", "optimistic: chosen afterwards");
	str_add(out, "</div>");
	str_release(&v);
	str_release(&d);
}

static void chart(struct str *out, const struct report *r, const struct report_row *w)
{
	struct snac_style style = { .size = SNAC_LARGE, .largest = r->largest, .width = 1200 };
	bool used[LAYER_KIND_COUNT] = { false };

	if (!w->graph) {
		str_add(out, "<p class=\"note\">This version of nab cannot read the stored model, so that there is no "
			     "chart of it.</p>");
		return;
	}
	snac_kinds(w->graph, used);
	str_add(out, "<div class=\"snac\">");
	html_canvas(out, snac_draw(w->graph, &style, r->a), w->summary);
	str_add(out, "</div><div class=\"legend\">");
	html_canvas(out, snac_legend(used, 1100, r->a), "legend of the chart");
	str_add(out, "</div>");
}

static void curves(struct str *out, const struct report *r, const struct report_row *w)
{
	str_add(out, "<div class=\"two\">");
	for (int k = 0; k < 2; k++) {
		enum plot_curve which = k ? CURVE_LOSS : CURVE_ACCURACY;

		str_add(out, "<div class=\"plot\">");
		html_canvas(out, plot_curves(r, w, which, 520, 260), k ? "loss over epochs" : "accuracy over epochs");
		str_add(out, "</div>");
	}
	str_add(out, "</div>");
}

static void findings(struct str *out, const struct report_row *w)
{
	const char *open = "<h4>Findings</h4><ul class=\"find\">";
	int n = 0;

	for (int i = 0; i < w->n_runs; i++)
		for (int k = 0; k < w->runs[i].n_findings; k++) {
			const struct store_finding *f = &w->runs[i].findings[k];

			str_addf(out, "%s<li><b>", n++ ? "" : open);
			html_text(out, f->code);
			str_add(out, "</b> ");
			html_text(out, f->text);
			if (f->layer) {
				str_add(out, " <code>");
				html_text(out, f->layer);
				str_add(out, "</code>");
			}
			if (w->n_runs > 1)
				str_addf(out, " <span class=\"dim\">(seed %llu)</span>",
					 (unsigned long long)w->runs[i].item.run.seed);
			str_add(out, "</li>");
		}
	str_add(out, n ? "</ul>" : "");
}

static const struct store_layer_time *time_of(const struct report_row *w, const char *id)
{
	for (int i = 0; w->profiled && i < w->profile.n_layers; i++)
		if (strcmp(w->profile.layer[i].layer, id) == 0)
			return &w->profile.layer[i];
	return NULL;
}

static void layer_row(struct str *out, const struct report_row *w, int i)
{
	const struct node *n = &w->graph->nodes[i];
	const struct store_layer_time *t = time_of(w, n->id);
	struct str words = { 0 };
	char shape[48], params[32], macs[32];

	node_summary(&words, w->graph, i);
	str_add(out, "<tr><td>");
	html_text(out, n->id);
	str_add(out, "</td><td>");
	html_text(out, str_get(&words));
	str_addf(out, "</td><td class=\"n\">%s</td><td class=\"n\">%s</td><td class=\"n\">%s</td>",
		 shape_text(shape, &n->out[0]), n->params ? str_thousands(params, n->params) : "",
		 n->macs ? str_thousands(macs, n->macs) : "");
	if (w->profiled && t && t->fused_into) {
		str_add(out, "<td class=\"n dim\" colspan=\"2\">in ");
		html_text(out, t->fused_into);
		str_add(out, "</td>");
	} else if (w->profiled && t) {
		str_addf(out, "<td class=\"n\">%.3f</td><td class=\"n\">%.3f</td>", 1e3 * t->forward_s,
			 1e3 * t->backward_s);
	} else if (w->profiled) {
		str_add(out, "<td></td><td></td>");
	}
	str_add(out, "</tr>");
	str_release(&words);
}

static void layers(struct str *out, const struct report_row *w)
{
	if (!w->graph)
		return;
	str_add(out, "<details><summary>Layers</summary><div class=\"scroll\"><table class=\"layers\"><thead><tr><th>"
		     "layer</th><th>what</th><th class=\"n\">output</th><th class=\"n\">parameters</th>"
		     "<th class=\"n\">multiply-adds</th>");
	if (w->profiled)
		str_add(out, "<th class=\"n\">forward ms</th><th class=\"n\">backward ms</th>");
	str_add(out, "</tr></thead><tbody>");
	for (int i = 0; i < w->graph->n_nodes; i++)
		layer_row(out, w, i);
	str_add(out, "</tbody></table></div>");
	if (w->profiled) {
		str_addf(out, "<p class=\"note\">Times of one step with %d examples: ", w->profile.batch);
		html_text(out, w->profile.backend);
		str_add(out, ".</p>");
	}
	str_add(out, "</details>");
}

static void runs(struct str *out, const struct metric *m, const struct report_row *w)
{
	str_addf(out,
		 "<details><summary>Runs and recipe</summary><div class=\"scroll\"><table class=\"layers\"><thead>"
		 "<tr><th>run</th><th class=\"n\">seed</th><th>status</th><th class=\"n\">score</th>"
		 "<th class=\"n\">train%s</th><th class=\"n\">validation%s</th><th class=\"n\">epochs</th>"
		 "<th class=\"n\">best epoch</th><th class=\"n\">seconds</th><th class=\"n\">attempts</th></tr>"
		 "</thead><tbody>",
		 m->unit, m->unit);
	for (int i = 0; i < w->n_runs; i++) {
		const struct store_item *t = &w->runs[i].item;
		bool done = t->run.state == STATE_DONE;

		str_addf(out, "<tr><td>%lld</td><td class=\"n\">%llu</td><td>%s%s</td><td class=\"n\">",
			 (long long)t->run.id, (unsigned long long)t->run.seed, run_state_names[t->run.state],
			 t->run.cached_from ? " (cached)" : "");
		if (done)
			str_addf(out, "%.4f", t->result.score);
		str_add(out, "</td><td class=\"n\">");
		html_metric(out, m, done ? t->result.train_accuracy : (double)NAN);
		str_add(out, "</td><td class=\"n\">");
		html_metric(out, m, done ? t->result.val_accuracy : (double)NAN);
		str_addf(out, "</td><td class=\"n\">%d</td><td class=\"n\">%d</td><td class=\"n\">", t->result.epochs,
			 t->result.best_epoch);
		if (!isnan(t->result.seconds))
			str_addf(out, "%.1f", t->result.seconds);
		str_addf(out, "</td><td class=\"n\">%d</td></tr>", t->attempts);
	}
	str_add(out, "</tbody></table></div>");
	html_json(out, w->candidate->recipe);
	if (w->candidate->change) {
		str_add(out, "<h4>Changed from its parent</h4>");
		html_json(out, w->candidate->change);
	}
	str_add(out, "</details>");
}

static void model(struct str *out, const struct report *r, int row)
{
	const struct report_row *w = &r->rows[row];

	str_add(out, "<article class=\"model card pad\">");
	header(out, r, w);
	str_add(out, "<p class=\"note\">");
	html_text(out, w->summary);
	str_add(out, "</p>");
	tiles(out, r, w);
	chart(out, r, w);
	curves(out, r, w);
	findings(out, w);
	layers(out, w);
	runs(out, r->metric, w);
	str_add(out, "</article>\n");
}

/* Without a script, and on paper without one, the best few are all there is to see. */
static void models(struct str *out, const struct page *p)
{
	const struct report *r = p->r;
	int shown = 0;

	if (!r->n_detailed)
		return;
	str_add(out, "<div id=\"inspect\" class=\"js-only\" hidden></div>\n<div class=\"still\">");
	for (int i = 0; i < r->n_rows && shown < STILL; i++)
		if (r->rows[i].detailed) {
			model(out, r, i);
			shown++;
		}
	if (shown < r->n_rows)
		str_addf(out,
			 "<p class=\"note\">The best %d of %d models; where scripts run, every one can be chosen.</p>",
			 shown, r->n_rows);
	str_add(out, "</div>");
}

/* ---- data ----------------------------------------------------------------------------------------------- */

/* Of every row the best run, else the last: what commands may call the model by. */
static void all_runs(struct str *out, const struct report *r)
{
	str_add(out, "\"run\":[");
	for (int i = 0; i < r->n_rows; i++) {
		const struct report_row *w = &r->rows[i];
		const struct report_run *u = w->best ? w->best : &w->runs[w->n_runs - 1];

		str_addf(out, "%s%lld", i ? "," : "", (long long)u->item.run.id);
	}
	str_addc(out, ']');
}

static void data(struct str *out, const struct page *p)
{
	const struct report *r = p->r;
	struct model_packer *k = model_packer_new(p);
	int n = 0;

	str_add(out, "{\"store\":");
	json_quote(out, p->store ? store_path(p->store) : "nab.db");
	str_add(out, ",\n");
	all_runs(out, r);
	str_add(out, ",\n\"rows\":{");
	for (int i = 0; i < r->n_rows; i++)
		if (r->rows[i].detailed) {
			str_addf(out, "%s\"%d\":\"", n++ ? ",\n" : "", i);
			model_pack(out, k, i);
			str_addc(out, '"');
		}
	str_add(out, "}}");
	model_packer_free(k);
}

const struct page_view view_models = { .id = "models", .title = "Models", .html = models, .data = data };
