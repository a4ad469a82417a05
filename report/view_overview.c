/* report/view_overview.c - the page: all models in one picture. Without a script: accuracy against what it costs. */
#include <math.h>

#include "base/json.h"
#include "base/str.h"
#include "report/gather.h"
#include "report/html.h"
#include "report/map.h"
#include "report/page.h"
#include "report/plots.h"

static void plots(struct str *out, const struct page *p)
{
	const struct report *r = p->r;

	if (!r->n_ranked)
		return;
	str_add(out,
		"<div class=\"live js-only\" hidden></div><div class=\"still\"><p class=\"sub\">The line joins the "
		"best at every cost (Pareto front); squares are baselines.</p>");
	for (int x = 0; x < PLOT_ORDER; x++) {
		str_add(out, "<div class=\"card pad plot\">");
		html_canvas(out, plot_merit(r, (enum plot_x)x, 820, 420), plot_x_titles[x]);
		str_add(out, "</div>");
	}
	str_add(out, "</div>\n");
}

/* ---- data ------------------------------------------------------------------------------------------------ */

/* Coordinates to five digits: finer than a pixel of any screen. */
static void coordinates(struct str *out, const char *key, const double *v, int n)
{
	str_addf(out, ",\"%s\":[", key);
	for (int i = 0; i < n; i++)
		str_addf(out, isfinite(v[i]) ? "%s%.5g" : "%snull", i ? "," : "", v[i]);
	str_addc(out, ']');
}

static void map_words(struct str *out, const struct map *m)
{
	struct str words = { 0 };

	str_addf(&words, "%s%sOn the map %s", m->note ? m->note : "", m->note ? " " : "",
		 m->stress < 0.1   ? "distances are close to the true ones."
		 : m->stress < 0.2 ? "distances are roughly the true ones."
				   : "two dimensions cannot show these distances well: do not believe a detail.");
	json_quote(out, str_get(&words));
	str_release(&words);
}

/* The maps of the models (report/map.h), which ask the store. One that cannot be made is left out: the page is more
 * than its maps. */
static void maps(struct str *out, const struct page *p)
{
	int n = 0;

	str_add(out, ",\n\"maps\":[");
	for (int k = 0; p->store && k < MAP_METRIC_COUNT; k++) {
		struct map *m;
		struct err e = { 0 };

		if (map_models(&m, p->r, (enum map_metric)k, p->cache, p->a, &e) < 0 || m->n_placed < 2)
			continue;
		str_addf(out, "%s{\"id\":\"%s\",\"title\":", n++ ? ",\n" : "", map_metric_names[k]);
		json_quote(out, map_metric_titles[k]);
		str_add(out, ",\"stress\":");
		html_number(out, m->stress);
		str_add(out, ",\"note\":");
		map_words(out, m);
		coordinates(out, "x", m->x, m->n);
		coordinates(out, "y", m->y, m->n);
		str_addc(out, '}');
	}
	str_addc(out, ']');
}

/* When a candidate was proposed: ids of the store only grow. */
static void ids(struct str *out, const struct report *r)
{
	str_add(out, "\"id\":[");
	for (int i = 0; i < r->n_rows; i++)
		str_addf(out, "%s%lld", i ? "," : "", (long long)r->rows[i].candidate->id);
	str_addc(out, ']');
}

static void data(struct str *out, const struct page *p)
{
	str_addc(out, '{');
	ids(out, p->r);
	maps(out, p);
	str_addc(out, '}');
}

const struct page_view view_overview = { .id = "overview", .title = "Overview", .html = plots, .data = data };
