/* report/view_progress.c - the page: how the search went, candidate by candidate and second by second. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "report/gather.h"
#include "report/html.h"
#include "report/page.h"
#include "report/plots.h"

static int searched(const struct report *r)
{
	int n = 0;

	for (int i = 0; i < r->n_ranked; i++)
		n += r->rows[i].candidate->origin == ORIGIN_SEARCH;
	return n;
}

static void plot(struct str *out, const struct page *p)
{
	if (searched(p->r) < 2)
		return;
	str_add(out, "<div class=\"live js-only\" hidden></div><div class=\"still card pad plot\">");
	html_canvas(out, plot_merit(p->r, PLOT_ORDER, 820, 420), plot_x_titles[PLOT_ORDER]);
	str_add(out, "</div>\n");
}

/* Seconds of training over all of a candidate's runs, failed ones too. */
static double device_seconds(const struct report_row *w)
{
	double sum = 0;

	for (int i = 0; i < w->n_runs; i++) {
		const struct store_item *t = &w->runs[i].item;

		if (!isnan(t->result.seconds) && !t->run.cached_from)
			sum += t->result.seconds;
	}
	return sum;
}

/* What its study asks for: {"accuracy": 0.95, "seconds": 3600}, 0 or absent: no such target. */
static void targets(struct str *out, const struct report *r)
{
	static const char *const keys[] = { "accuracy", "seconds" };
	struct json *config = NULL;
	const char *text = r->studies[0].config;

	if (text && json_parse(&config, text, strlen(text), "config", NULL) < 0)
		config = NULL;
	for (int i = 0; i < 2; i++) {
		const struct json *v = config ? json_get(json_get(config, "stop"), keys[i]) : NULL;
		bool known = v && json_type(v) == JSON_NUMBER && json_number(v) > 0;

		str_addf(out, "\"%s\":", keys[i]);
		html_number(out, known ? json_number(v) : (double)NAN);
		str_addc(out, ',');
	}
	json_free(config);
}

static void data(struct str *out, const struct page *p)
{
	const struct report *r = p->r;

	str_addc(out, '{');
	targets(out, r);
	str_add(out, "\"device\":[");
	for (int i = 0; i < r->n_rows; i++) {
		str_add(out, i ? "," : "");
		html_number(out, device_seconds(&r->rows[i]));
	}
	str_add(out, "]}");
}

const struct page_view view_progress = { .id = "progress", .title = "Progress", .html = plot, .data = data };
