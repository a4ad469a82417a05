/* report/view_cost.c - the page: accuracy against what it costs. */
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

static void plots(struct str *out, const struct page *p)
{
	const struct report *r = p->r;
	static const char *const words[] = { "parameters", "multiply-adds", "seconds", "search order" };

	if (!r->n_ranked)
		return;
	str_add(out, "<p class=\"sub\">The line joins the best at every "
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
		"js-only\" id=\"hover\" hidden></aside></div>\n");
}

const struct page_view view_cost = { .id = "cost", .title = "Accuracy against cost", .html = plots };
