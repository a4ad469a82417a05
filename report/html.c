/* report/html.c - the page around the models. See html.h. */
#include "report/html.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"
#include "report/assets.h"
#include "report/canvas.h"
#include "report/escape.h"
#include "report/gather.h"
#include "report/plots.h"
#include "report/snac.h"

enum { MANY = 100 }; /* rows from which on the small charts go without tooltips */

#define DASH "\xe2\x80\x93"

/* ---- shared parts --------------------------------------------------------------------------------------- */

void html_text(struct str *out, const char *s)
{
	escape_xml(out, s);
}

void html_canvas(struct str *out, const struct canvas *c, const char *label)
{
	canvas_svg(out, c, &(struct svg_opts){ .theme = SVG_INLINE, .label = label });
}

void html_json(struct str *out, const char *json)
{
	struct json *v = NULL;
	struct str text = { 0 };

	str_add(out, "<pre>");
	if (json && json_parse(&v, json, strlen(json), "", NULL) == 0)
		json_pretty(&text, v);
	else
		str_add(&text, json ? json : "");
	html_text(out, str_get(&text));
	str_add(out, "</pre>");
	json_free(v);
	str_release(&text);
}

void html_percent(struct str *out, double share)
{
	if (!isnan(share))
		str_addf(out, "%.2f", 100 * share);
}

void html_seconds(struct str *out, double s)
{
	long t = lround(s);

	if (isnan(s))
		str_add(out, DASH);
	else if (s < 100)
		str_addf(out, "%.1f s", s);
	else if (t < 3600)
		str_addf(out, "%ld min %ld s", t / 60, t % 60);
	else
		str_addf(out, "%ld h %ld min", t / 3600, t / 60 % 60);
}

void html_tile(struct str *out, const char *key, const char *value, const char *detail)
{
	str_add(out, "<div class=\"tile card\"><div class=\"k\">");
	html_text(out, key);
	str_add(out, "</div><div class=\"v\">");
	html_text(out, value);
	str_add(out, "</div><div class=\"d\">");
	html_text(out, detail);
	str_add(out, "</div></div>");
}

/* ---- summary -------------------------------------------------------------------------------------------- */

static const struct report_row *best_baseline(const struct report *r)
{
	for (int i = 0; i < r->n_ranked; i++)
		if (r->rows[i].candidate->origin == ORIGIN_BASELINE)
			return &r->rows[i];
	return NULL;
}

/* Among the rows whose intervals reach that of the best: the smallest, and how many there are besides the best. */
static const struct report_row *smallest_equal(const struct report *r, int *n)
{
	const struct report_row *best = &r->rows[0], *small = best;

	*n = 0;
	for (int i = 1; i < r->n_ranked; i++) {
		if (r->rows[i].place_first != 1)
			continue;
		(*n)++;
		if (r->rows[i].params < small->params)
			small = &r->rows[i];
	}
	return small;
}

static void bold(struct str *out, const char *s)
{
	str_add(out, "<b>");
	html_text(out, s);
	str_add(out, "</b>");
}

static void lead_accuracy(struct str *out, const struct report *r, const struct report_row *w)
{
	str_addf(out, r->classify ? "%.2f %%" : "%.4g", (r->classify ? 100 : 1) * w->accuracy);
}

static void lead(struct str *out, const struct report *r)
{
	const struct report_row *best = &r->rows[0], *base = best_baseline(r), *small;
	char params[32];
	int equal;

	str_add(out, "<p class=\"lead\">");
	if (!r->n_ranked) {
		str_add(out, "No run of this study has finished with a result yet.</p>");
		return;
	}
	small = smallest_equal(r, &equal);
	bold(out, best->label);
	str_add(out, " leads with ");
	lead_accuracy(out, r, best);
	str_addf(out, " on the validation examples and %s parameters.", str_thousands(params, best->params));
	if (equal && r->by_accuracy && !isnan(best->low)) {
		str_addf(out, " %d other model%s cannot be told apart from it on %s examples", equal,
			 equal > 1 ? "s" : "", str_thousands(params, r->n_validation));
		if (small != best) {
			str_add(out, "; the smallest of them, ");
			bold(out, small->label);
			str_addf(out, ", has %s parameters (%.0f %% fewer)", str_thousands(params, small->params),
				 100 - 100 * (double)small->params / (double)(best->params ? best->params : 1));
		}
		str_add(out, ".");
	}
	if (base && base != best) {
		str_add(out, " The best baseline, ");
		bold(out, base->label);
		str_add(out, ", reaches ");
		lead_accuracy(out, r, base);
		str_addf(out, " with %s.", str_thousands(params, base->params));
	}
	str_add(out, "</p>");
}

static void tiles(struct str *out, const struct report *r)
{
	const struct report_row *best = r->n_ranked ? &r->rows[0] : NULL;
	struct str v = { 0 }, d = { 0 };
	char buf[32];

	str_add(out, "<div class=\"tiles\">");
	if (best) {
		str_addf(&v, r->classify ? "%.2f %%" : "%.4g", (r->classify ? 100 : 1) * best->accuracy);
		if (!isnan(best->low))
			str_addf(&d, "95 %% interval %.2f " DASH " %.2f", 100 * best->low, 100 * best->high);
		html_tile(out, r->classify ? "best validation accuracy" : "best validation metric", str_get(&v),
			  str_get(&d));
	}
	str_clear(&v);
	str_clear(&d);
	str_addf(&v, "%d", r->n_ranked);
	str_addf(&d, "of %d candidates, %d of them baselines", r->n_rows, r->n_baselines);
	html_tile(out, "models with a result", str_get(&v), str_get(&d));
	str_clear(&v);
	str_clear(&d);
	html_seconds(&v, r->train_seconds);
	str_addf(&d, "%s epochs in %d runs", str_thousands(buf, r->epochs), r->n_runs);
	html_tile(out, "training, summed up", str_get(&v), str_get(&d));
	str_clear(&v);
	str_clear(&d);
	html_seconds(&v, r->ended - r->started);
	html_tile(out, "wall clock", str_get(&v), "from the first start to the last end");
	str_clear(&v);
	str_addf(&v, "%d", r->test_reads);
	html_tile(out, "reads of the test split", str_get(&v),
		  r->test_reads ? "each one makes the next less honest" : "nothing was chosen by it");
	str_add(out, "</div>");
	str_release(&v);
	str_release(&d);
}

static void summary(struct str *out, const struct report *r)
{
	char day[32] = "", buf[32];

	clock_text(day, r->studies[0].created);
	str_add(out, "<section id=\"summary\"><h1>");
	html_text(out, r->studies[0].name);
	str_add(out, "</h1><p class=\"sub\">");
	if (r->data.name) {
		str_add(out, "trained on ");
		html_text(out, r->data.name);
		str_addf(out, ", judged on %s validation examples of %d classes \xc2\xb7 ",
			 str_thousands(buf, r->n_validation), r->n_classes);
	}
	html_text(out, r->studies[0].kind);
	str_addf(out, " begun %.10s", day);
	if (r->n_studies > 1)
		str_addf(out, " \xc2\xb7 with %d more studies on the same data", r->n_studies - 1);
	str_add(out, "</p>");
	lead(out, r);
	tiles(out, r);
	str_add(out, "</section>\n");
}

/* ---- leaderboard ---------------------------------------------------------------------------------------- */

struct head {
	const char *key, *title, *help;
	bool number, up; /* up: sorted upward at first */
};

static bool any_test(const struct report *r)
{
	for (int i = 0; i < r->n_ranked; i++)
		if (!isnan(r->rows[i].test_accuracy))
			return true;
	return false;
}

static void board_head(struct str *out, const struct report *r)
{
	static const struct head heads[] = {
		{ "rank", "rank", "places it may hold: models whose 95 % intervals overlap are not ordered", false,
		  true },
		{ "label", "model", "", false, true },
		{ NULL, "architecture", "one chip per layer; the legend stands with each model below", false, false },
		{ "accuracy", "accuracy %", "validation, last epoch; mean over seeds", true, false },
		{ NULL, "95 % interval",
		  "Wilson's over the examples, widened by the spread between seeds (pooled over all models)", false,
		  false },
		{ "params", "parameters", "trainable numbers", true, true },
		{ "macs", "multiply-adds", "per example, forward", true, true },
		{ "seconds", "seconds", "of training", true, true },
		{ "epochs", "epochs", "completed", true, true },
		{ "best", "best epoch %", "optimistic: the epoch was chosen by the examples it is judged on", true,
		  false },
		{ "test", "test %", "on the test split, read on purpose", true, false },
	};

	str_add(out, "<thead><tr>");
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		const struct head *h = &heads[i];

		if (h->key && strcmp(h->key, "test") == 0 && !any_test(r))
			continue;
		str_add(out, "<th");
		if (h->key)
			str_addf(out, " data-sort=\"%s\"%s", h->key, h->up ? " data-first=\"up\"" : "");
		str_addf(out, "%s title=\"%s\">%s</th>", h->number ? " class=\"n\"" : "", h->help, h->title);
		if (h->key && strcmp(h->key, "rank") == 0 && !r->by_accuracy)
			str_add(out,
				"<th class=\"n\" data-sort=\"score\" title=\"what the study ranks by\">score</th>");
	}
	str_add(out, "</tr></thead>");
}

static void board_name(struct str *out, const struct report *r, int i)
{
	const struct report_row *w = &r->rows[i];

	str_add(out, "<td>");
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
	char place[32], params[32], macs[32];

	str_addf(out, "<tr data-row=\"%d\"><td>%s</td>", i, place_text(place, w, DASH));
	if (!r->by_accuracy)
		str_addf(out, "<td class=\"n\">%.4f</td>", w->score);
	board_name(out, r, i);
	board_chart(out, r, w);
	str_add(out, "<td class=\"n\"><b class=\"acc\">");
	html_percent(out, w->accuracy);
	str_add(out, "</b>");
	if (!isnan(w->spread))
		str_addf(out, "<div class=\"dim pm\">\xc2\xb1 %.2f</div>", 100 * w->spread);
	str_add(out, "</td><td class=\"w\">");
	html_canvas(out, plot_whisker(r, w, 110, 14), NULL);
	if (!isnan(w->low))
		str_addf(out, "<div class=\"dim range\">%.2f" DASH "%.2f</div>", 100 * w->low, 100 * w->high);
	str_addf(out, "</td><td class=\"n\">%s</td><td class=\"n\">%s</td><td class=\"n\">",
		 str_thousands(params, w->params), str_thousands(macs, w->macs));
	if (!isnan(w->seconds))
		str_addf(out, "%.1f", w->seconds);
	str_addf(out, "</td><td class=\"n\">%.3g</td><td class=\"n dim\">", w->epochs);
	html_percent(out, w->best_epoch_accuracy);
	str_add(out, "</td>");
	if (any_test(r)) {
		str_add(out, "<td class=\"n\">");
		html_percent(out, w->test_accuracy);
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

static void board(struct str *out, const struct report *r)
{
	str_add(out, "<section id=\"leaderboard\"><h2>Leaderboard</h2><p class=\"sub\">Choose a model for its details; "
		     "choose a column to sort by it.</p><div class=\"js-only noprint\" hidden>");
	str_addf(out,
		 "<div class=\"bar\"%s><span class=\"k\">judge by these classes only</span><div class=\"chips\" "
		 "id=\"classes\"></div></div>",
		 r->n_classes && r->n_classes <= 100 ? "" : " hidden");
	str_add(
	    out,
	    "<div class=\"bar\"><label class=\"k\" for=\"limit\">at most</label><input id=\"limit\" type=\"number\" "
	    "min=\"0\" step=\"1000\" placeholder=\"any number of\"><span class=\"k\">parameters \xc2\xb7 <span "
	    "id=\"shown\"></span></span></div></div>");
	str_add(out, "<div class=\"card scroll\"><table id=\"board\">");
	board_head(out, r);
	str_add(out, "<tbody>\n");
	for (int i = 0; i < r->n_ranked; i++)
		board_row(out, r, i);
	str_add(out, "</tbody></table></div>");
	board_notes(out, r);
	str_add(out, "</section>\n");
}

/* Models that start from trained weights had more training than the others: they stand apart. */
static void heirs(struct str *out, const struct report *r)
{
	char params[32], macs[32];

	if (!r->n_inherited)
		return;
	str_add(out, "<section id=\"inherited\"><h2>Inherited weights</h2><p class=\"sub\">These models start from the "
		     "weights of a trained model. They are not ranked with those trained from scratch.</p><div "
		     "class=\"card scroll\"><table><thead><tr><th>model</th><th>architecture</th><th "
		     "class=\"n\">accuracy %</th><th>95 % interval</th><th class=\"n\">parameters</th><th "
		     "class=\"n\">multiply-adds</th></tr></thead><tbody>\n");
	for (int i = r->n_ranked; i < r->n_rows; i++) {
		const struct report_row *w = &r->rows[i];

		if (!w->inherited || isnan(w->accuracy))
			continue;
		str_add(out, "<tr>");
		board_name(out, r, i);
		board_chart(out, r, w);
		str_add(out, "<td class=\"n\">");
		html_percent(out, w->accuracy);
		str_add(out, "</td><td>");
		if (!isnan(w->low))
			str_addf(out, "%.2f" DASH "%.2f", 100 * w->low, 100 * w->high);
		str_addf(out, "</td><td class=\"n\">%s</td><td class=\"n\">%s</td></tr>\n",
			 str_thousands(params, w->params), str_thousands(macs, w->macs));
	}
	str_add(out, "</tbody></table></div></section>\n");
}

/* ---- plots, models -------------------------------------------------------------------------------------- */

static void plots(struct str *out, const struct report *r)
{
	static const char *const words[] = { "parameters", "multiply-adds", "seconds", "search order" };

	if (!r->n_ranked)
		return;
	str_add(out,
		"<section id=\"size\"><h2>Accuracy against cost</h2><p class=\"sub\">The line joins the best at every "
		"cost (Pareto front); in search order, the best so far.</p><div class=\"split\"><div class=\"card "
		"pad plot\"><div class=\"bar js-only noprint\" hidden>");
	for (int x = 0; x < PLOT_X_COUNT; x++)
		str_addf(out, "<button data-plot=\"%s\" aria-pressed=\"false\">%s</button>", plot_x_names[x], words[x]);
	str_add(out, "</div>");
	for (int x = 0; x < PLOT_X_COUNT; x++) {
		str_addf(out, "<div id=\"plot-%s\">", plot_x_names[x]);
		html_canvas(out, plot_merit(r, (enum plot_x)x, 820, 420), plot_x_titles[x]);
		str_add(out, "</div>");
	}
	str_add(out,
		"<div><span class=\"key\"><i></i>search</span><span class=\"key base\"><i></i>baseline</span><span "
		"class=\"key line\"><i></i>front</span></div></div><aside class=\"card pad hovercard noprint "
		"js-only\" id=\"hover\" hidden></aside></div></section>\n");
}

static void models(struct str *out, const struct report *r)
{
	if (!r->n_detailed)
		return;
	str_add(out,
		"<section id=\"models\"><h2>Models</h2><div class=\"bar js-only noprint\" hidden><label class=\"k\" "
		"for=\"pick\">model</label><select id=\"pick\">");
	for (int i = 0; i < r->n_ranked; i++) {
		if (!r->rows[i].detailed)
			continue;
		str_addf(out, "<option value=\"%d\">", i);
		html_text(out, r->rows[i].label);
		str_addf(out, " (%.2f %%)</option>", 100 * r->rows[i].accuracy);
	}
	str_add(out, "</select></div>\n");
	for (int i = 0; i < r->n_ranked; i++)
		if (r->rows[i].detailed)
			html_model(out, r, i);
	if (r->n_detailed < r->n_ranked)
		str_addf(out, "<p class=\"note\">Details of the best %d of %d models; --top shows more.</p>",
			 r->n_detailed, r->n_ranked);
	str_add(out, "</section>\n");
}

/* ---- findings, failures --------------------------------------------------------------------------------- */

struct told { /* findings of one code */
	const char *code, *text;
	int n, last, rows[8], n_rows; /* last: row that it was seen in last */
};

static void collect(struct told *told, int *n, int most, const struct store_finding *f, int row)
{
	int i = 0;

	while (i < *n && strcmp(told[i].code, f->code))
		i++;
	if (i == most)
		return;
	if (i == *n)
		told[(*n)++] = (struct told){ .code = f->code, .text = f->text };
	if (told[i].n && told[i].last == row) /* another seed of it */
		return;
	told[i].last = row;
	told[i].n++;
	if (told[i].n_rows < 8)
		told[i].rows[told[i].n_rows++] = row;
}

static void told_row(struct str *out, const struct report *r, const struct told *t)
{
	str_add(out, "<tr><td class=\"name\">");
	bold(out, t->code);
	str_addf(out, "</td><td class=\"n\">%d</td><td class=\"reason\">", t->n);
	html_text(out, t->text);
	str_add(out, "</td><td>");
	for (int i = 0; i < t->n_rows; i++) {
		const struct report_row *w = &r->rows[t->rows[i]];

		str_add(out, i ? ", " : "");
		if (w->detailed)
			str_addf(out, "<button class=\"link\" data-choose=\"%d\">", t->rows[i]);
		html_text(out, w->label);
		str_add(out, w->detailed ? "</button>" : "");
	}
	str_add(out, t->n > t->n_rows ? ", \xe2\x80\xa6</td></tr>" : "</td></tr>");
}

static void findings(struct str *out, const struct report *r)
{
	struct told told[32];
	int n = 0;

	for (int i = 0; i < r->n_rows; i++)
		for (int k = 0; k < r->rows[i].n_runs; k++)
			for (int f = 0; f < r->rows[i].runs[k].n_findings; f++)
				collect(told, &n, 32, &r->rows[i].runs[k].findings[f], i);
	str_add(out, "<section id=\"findings\"><h2>Findings</h2>");
	if (n == 0) {
		str_add(out, "<p class=\"sub\">Nothing was noticed in the runs.</p></section>\n");
		return;
	}
	str_add(out,
		"<p class=\"sub\">What the training noticed, and what may help.</p><div class=\"card scroll\"><table>"
		"<thead><tr><th>finding</th><th class=\"n\">models</th><th>for example</th><th>seen in</th></tr>"
		"</thead><tbody>");
	for (int i = 0; i < n; i++)
		told_row(out, r, &told[i]);
	str_add(out, "</tbody></table></div></section>\n");
}

static void failure_row(struct str *out, const struct report_row *w, const struct store_item *t)
{
	char params[32];

	str_add(out, "<tr><td class=\"name\">");
	html_text(out, w->label);
	str_addf(out, "</td><td><span class=\"badge%s\">%s</span></td><td class=\"n\">%llu</td><td class=\"reason\">",
		 run_state_final(t->run.state) ? " bad" : "", run_state_names[t->run.state],
		 (unsigned long long)t->run.seed);
	html_text(out, t->result.reason);
	str_addf(out, "</td><td class=\"n\">%d</td><td class=\"n\">%s</td><td class=\"reason dim\">", t->attempts,
		 str_thousands(params, w->params));
	html_text(out, w->summary);
	str_add(out, "</td></tr>\n");
}

static void failures(struct str *out, const struct report *r)
{
	int n = 0;

	str_add(out, "<section id=\"failures\"><h2>Runs without a result</h2>");
	for (int i = 0; i < r->n_rows; i++)
		for (int k = 0; k < r->rows[i].n_runs; k++) {
			const struct store_item *t = &r->rows[i].runs[k].item;

			if (t->run.state == STATE_DONE)
				continue;
			if (n++ == 0)
				str_add(out,
					"<p class=\"sub\">What ended them, and what would help.</p>"
					"<div class=\"card scroll\"><table><thead><tr><th>model</th><th>status</th>"
					"<th class=\"n\">seed</th><th>reason</th><th class=\"n\">attempts</th><th "
					"class=\"n\">parameters</th><th>architecture</th></tr></thead><tbody>\n");
			failure_row(out, &r->rows[i], t);
		}
	str_add(out, n ? "</tbody></table></div></section>\n"
		       : "<p class=\"sub\">None: every run ended with a result.</p></section>\n");
}

/* ---- study, provenance ---------------------------------------------------------------------------------- */

static void pair(struct str *out, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	str_add(out, "<dt>");
	html_text(out, key);
	str_add(out, "</dt><dd>");
	html_text(out, value);
	str_add(out, "</dd>");
}

static void env_pairs(struct str *out, const char *env)
{
	struct json *v = NULL;
	struct str text = { 0 };

	if (!env || json_parse(&v, env, strlen(env), "env", NULL) < 0)
		return;
	JSON_EACH(m, v) {
		str_clear(&text);
		if (json_string(m))
			str_add(&text, json_string(m));
		else
			json_print(&text, m);
		pair(out, json_key(m) ? json_key(m) : "", str_get(&text));
	}
	json_free(v);
	str_release(&text);
}

static void seeds_pair(struct str *out, const struct report *r)
{
	struct str text = { 0 };
	uint64_t seen[64];
	int n = 0;

	for (int i = 0; i < r->n_rows; i++)
		for (int k = 0; k < r->rows[i].n_runs; k++) {
			uint64_t seed = r->rows[i].runs[k].item.run.seed;
			int j = 0;

			while (j < n && seen[j] != seed)
				j++;
			if (j < n || n == 64)
				continue;
			seen[n++] = seed;
			if (n <= 12)
				str_addf(&text, "%s%llu", n > 1 ? ", " : "", (unsigned long long)seed);
		}
	if (n > 12)
		str_add(&text, ", \xe2\x80\xa6");
	pair(out, "replicate seeds", str_get(&text));
	str_release(&text);
}

static void provenance(struct str *out, const struct report *r)
{
	const struct store_study *y = &r->studies[0];
	char buf[40];

	str_add(out, "<section id=\"provenance\"><h2>Provenance</h2><div class=\"card pad\"><dl>");
	pair(out, "study", y->name);
	pair(out, "kind", y->kind);
	pair(out, "state", study_state_names[y->state]);
	pair(out, "begun", clock_text(buf, y->created));
	if (!isnan(r->started))
		pair(out, "first start", clock_text(buf, r->started));
	if (!isnan(r->ended))
		pair(out, "last end", clock_text(buf, r->ended));
	pair(out, "data set", r->data.name);
	pair(out, "data digest", r->data.digest);
	pair(out, "study digest", y->digest);
	seeds_pair(out, r);
	env_pairs(out, y->env);
	snprintf(buf, sizeof buf, "%d time%s", r->test_reads, r->test_reads == 1 ? "" : "s");
	pair(out, "test split read", buf);
	if (r->n_left_out) {
		snprintf(buf, sizeof buf, "%d", r->n_left_out);
		pair(out, "studies on other data, not shown", buf);
	}
	str_add(out, "</dl></div></section>\n");
}

static void study_part(struct str *out, const char *title, const char *json, bool open)
{
	if (!json || !*json)
		return;
	str_addf(out, "<details%s><summary>%s</summary>", open ? " open" : "", title);
	html_json(out, json);
	str_add(out, "</details>");
}

static void study(struct str *out, const struct report *r)
{
	str_add(out,
		"<section id=\"study\"><h2>Configuration</h2><p class=\"sub\">As it was stored, with every default "
		"written out.</p>");
	for (int i = 0; i < r->n_studies; i++) {
		const struct store_study *y = &r->studies[i];

		str_add(out, "<div class=\"card pad\"><b>");
		html_text(out, y->name);
		str_add(out, "</b>");
		study_part(out, "Study", y->config, i == 0);
		study_part(out, "Search space", y->space, false);
		study_part(out, "Search at its end", y->search, false);
		if (i == 0) {
			study_part(out, "Data specification", r->data.spec, false);
			study_part(out, "Data", r->data.info, false);
		}
		str_add(out, "</div>");
	}
	str_add(out, "</section>\n");
}

/* ---- page ----------------------------------------------------------------------------------------------- */

static void head(struct str *out, const struct report *r, const struct str *style)
{
	char css[SHA256_BASE64], js[SHA256_BASE64];

	sha256_base64(css, style->s, style->len);
	sha256_base64(js, page_js, strlen(page_js));
	str_add(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
	str_addf(out,
		 "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-%s'; "
		 "script-src 'sha256-%s'; base-uri 'none'; form-action 'none'\">\n",
		 css, js);
	str_add(out,
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" "
		"content=\"no-referrer\">\n<title>");
	html_text(out, r->studies[0].name);
	str_addf(out, " \xc2\xb7 nab report</title>\n<style>%s</style>\n</head>\n<body>\n", str_get(style));
	str_add(
	    out,
	    "<nav class=\"top\"><div><b>nab</b><a href=\"#leaderboard\">Leaderboard</a><a href=\"#size\">Cost</a><a "
	    "href=\"#models\">Models</a><a href=\"#findings\">Findings</a><a href=\"#failures\">Failures</a><a "
	    "href=\"#study\">Configuration</a><a href=\"#provenance\">Provenance</a><span class=\"space\"></span>"
	    "<button id=\"theme\" class=\"js-only\" hidden>light / dark</button></div></nav>\n<main>\n");
}

void html_page(struct str *out, const struct report *r)
{
	struct str style = { 0 };

	canvas_css(&style);
	str_add(&style, page_css);
	head(out, r, &style);
	summary(out, r);
	board(out, r);
	heirs(out, r);
	plots(out, r);
	models(out, r);
	findings(out, r);
	failures(out, r);
	study(out, r);
	provenance(out, r);
	str_add(
	    out,
	    "<footer>Made by nab, Neural Architecture Bench. This file needs no network and sends nothing.</footer>\n"
	    "</main>\n<script type=\"application/json\" id=\"data\">");
	html_data(out, r);
	str_addf(out, "</script>\n<script>%s</script>\n</body>\n</html>\n", page_js);
	str_release(&style);
}
