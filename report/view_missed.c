/* report/view_missed.c - the page: the examples that most models miss, and how many of each class there are: where data
 * are mislabelled or poor, it shows there (report/page/missed.js).
 */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "report/examples.h"
#include "report/gather.h"
#include "report/html.h"
#include "report/page.h"

static const char *const splits[] = { "train", "validation", "test" };

/* How many examples of a class a split has; NAN: the store does not say. */
static double count_of(const struct json *class, int split)
{
	return json_number(json_get(class, splits[split]));
}

static bool balance_known(const struct report *r)
{
	const struct json *first = json_first(json_get(r->info, "classes"));

	return r->classify && r->n_classes > 0 && !isnan(count_of(first, 0));
}

static void balance(struct str *out, const struct report *r)
{
	int c = 0;

	str_add(out, "<div class=\"part\"><h4>Classes</h4><table class=\"balance\"><thead><tr><th>class</th>");
	for (int s = 0; s < 3; s++)
		str_addf(out, "<th class=\"n\">%s</th>", splits[s]);
	str_add(out, "</tr></thead><tbody>");
	JSON_EACH(v, json_get(r->info, "classes")) {
		str_add(out, "<tr><td>");
		html_text(out, r->classes[c++]);
		str_add(out, "</td>");
		for (int s = 0; s < 3; s++) {
			str_add(out, "<td class=\"n\">");
			if (!isnan(count_of(v, s)))
				str_addf(out, "%.0f", count_of(v, s));
			str_add(out, "</td>");
		}
		str_add(out, "</tr>");
	}
	str_add(out, "</tbody></table></div>");
}

static void html(struct str *out, const struct page *p)
{
	const struct report *r = p->r;
	bool answers = r->examples && r->examples->runs > 0;

	if (!answers && !balance_known(r))
		return;
	str_add(out, "<p class=\"sub\">What nearly every model gets wrong is often labelled wrong, or drawn badly. ");
	if (!answers)
		str_add(out, "This store holds no answers of single examples.");
	else
		str_addf(out, "Counted over the validation answers of %d finished %s.", r->examples->runs,
			 r->examples->runs == 1 ? "run" : "runs");
	str_add(out, "</p><div id=\"missed-list\" class=\"js-only\" hidden></div><div id=\"balance\">");
	if (balance_known(r))
		balance(out, r);
	str_add(out, "</div>");
}

/* [[train, validation, test], ...] of every class, or null. */
static void data(struct str *out, const struct page *p)
{
	bool known = balance_known(p->r);
	int n = 0;

	str_add(out, known ? "{\"balance\":[" : "{\"balance\":null}");
	if (!known)
		return;
	JSON_EACH(v, json_get(p->r->info, "classes")) {
		str_add(out, n++ ? ",[" : "[");
		for (int s = 0; s < 3; s++) {
			str_add(out, s ? "," : "");
			if (isnan(count_of(v, s)))
				str_add(out, "null");
			else
				str_addf(out, "%.0f", count_of(v, s));
		}
		str_addc(out, ']');
	}
	str_add(out, "]}");
}

const struct page_view view_missed = { .id = "missed", .title = "Missed examples", .html = html, .data = data };
