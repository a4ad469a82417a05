/* report/view_runs.c - the page: what the training noticed. */
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
	html_bold(out, t->code);
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

static void findings(struct str *out, const struct page *p)
{
	const struct report *r = p->r;
	struct told told[32];
	int n = 0;

	for (int i = 0; i < r->n_rows; i++)
		for (int k = 0; k < r->rows[i].n_runs; k++)
			for (int f = 0; f < r->rows[i].runs[k].n_findings; f++)
				collect(told, &n, 32, &r->rows[i].runs[k].findings[f], i);
	if (n == 0) {
		str_add(out, "<p class=\"sub\">Nothing was noticed in the runs.</p>\n");
		return;
	}
	str_add(out,
		"<p class=\"sub\">What the training noticed, and what may help.</p><div class=\"card scroll\"><table>"
		"<thead><tr><th>finding</th><th class=\"n\">models</th><th>for example</th><th>seen in</th></tr>"
		"</thead><tbody>");
	for (int i = 0; i < n; i++)
		told_row(out, r, &told[i]);
	str_add(out, "</tbody></table></div>\n");
}

const struct page_view view_findings = { .id = "findings", .title = "Findings", .html = findings };
