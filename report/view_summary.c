/* report/view_summary.c - the page: what was found, in a few sentences and numbers. */
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

#define DASH "\xe2\x80\x93"

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

static void lead_accuracy(struct str *out, const struct report *r, const struct report_row *w)
{
	char text[METRIC_TEXT];

	str_add(out, metric_text(text, r->metric, w->accuracy));
}

static void lead(struct str *out, const struct report *r)
{
	const struct report_row *best = &r->rows[0], *base = best_baseline(r), *small;
	char params[32];
	int equal;

	str_add(out, "<p class=\"lead\">");
	if (!r->n_ranked) {
		str_add(out, r->limited ? "No model with a result fits the condition of this report.</p>"
					: "No run of this study has finished with a result yet.</p>");
		return;
	}
	small = smallest_equal(r, &equal);
	html_bold(out, best->label);
	str_add(out, " leads with ");
	lead_accuracy(out, r, best);
	str_addf(out, " on the validation examples and %s parameters.", str_thousands(params, best->params));
	if (equal && r->by_accuracy && !isnan(best->low)) {
		str_addf(out, " %d other model%s cannot be told apart from it on %s examples", equal,
			 equal > 1 ? "s" : "", str_thousands(params, r->n_validation));
		if (small != best) {
			str_add(out, "; the smallest of them, ");
			html_bold(out, small->label);
			str_addf(out, ", has %s parameters (%.0f %% fewer)", str_thousands(params, small->params),
				 100 - 100 * (double)small->params / (double)(best->params ? best->params : 1));
		}
		str_add(out, ".");
	}
	if (base && base != best) {
		str_add(out, " The best baseline, ");
		html_bold(out, base->label);
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
	char buf[32], text[METRIC_TEXT];

	str_add(out, "<div class=\"tiles\">");
	if (best) {
		if (!isnan(best->low))
			str_addf(&d, "95 %% interval %.2f " DASH " %.2f", 100 * best->low, 100 * best->high);
		html_tile(out, arena_printf(r->a, "best validation %s", r->metric->name),
			  metric_text(text, r->metric, best->accuracy), str_get(&d));
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
static void summary(struct str *out, const struct page *p)
{
	const struct report *r = p->r;
	char day[32] = "", buf[32];

	clock_text(day, r->studies[0].created);
	str_add(out, "<h1>");
	html_text(out, r->studies[0].name);
	str_add(out, "</h1><p class=\"sub\">");
	if (r->data.name) {
		str_add(out, "trained on ");
		html_text(out, r->data.name);
		str_addf(out, ", judged on %s validation examples", str_thousands(buf, r->n_validation));
		if (r->n_classes)
			str_addf(out, " of %d classes", r->n_classes);
		str_add(out, " \xc2\xb7 ");
	}
	html_text(out, r->studies[0].kind);
	str_addf(out, " begun %.10s", day);
	if (r->n_studies > 1)
		str_addf(out, " \xc2\xb7 with %d more studies on the same data", r->n_studies - 1);
	str_add(out, "</p>");
	lead(out, r);
	tiles(out, r);
}

const struct page_view view_summary = { .id = "summary", .html = summary };
