/* report/page_chips.c - the small chart of every row's architecture, packed for the page's script. See html.h. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "report/canvas.h"
#include "report/gather.h"
#include "report/html.h"
#include "report/page.h"
#include "report/snac.h"

static void chart(struct str *out, struct packer *p, const struct report *r, const struct report_row *w,
		  struct arena *scratch)
{
	struct snac_style style = { .size = SNAC_SMALL, .largest = r->largest, .width = 230, .silent = true };

	if (w->graph)
		packer_add(p, out, snac_draw(w->graph, &style, scratch));
	else
		str_add(out, "null");
}

static int64_t largest_id(const struct report *r)
{
	int64_t most = 0;

	for (int i = 0; i < r->n_rows; i++)
		if (r->rows[i].candidate->model > most)
			most = r->rows[i].candidate->model;
	return most;
}

/* Equal models share a chart: "of" has its number for every row. */
void html_chips(struct str *out, const struct page *p)
{
	const struct report *r = p->r;
	struct arena *scratch = arena_new(), *a = arena_new();
	struct packer *packer = packer_new(a);
	int *number = ARENA_ARRAY(a, int, largest_id(r) + 1), n = 0; /* by model, from 1 */
	struct str of = { 0 };

	str_add(out, "\"chips\":{\"list\":[");
	for (int i = 0; i < r->n_rows; i++) {
		int *k = &number[r->rows[i].candidate->model];

		if (!*k) {
			arena_reset(scratch);
			str_add(out, n ? ",\n" : "");
			chart(out, packer, r, &r->rows[i], scratch);
			*k = ++n;
		}
		str_addf(&of, "%s%d", i ? "," : "", *k - 1);
	}
	str_addf(out, "],\n\"of\":[%s],\n\"looks\":", str_get(&of));
	packer_looks(out, packer);
	str_addc(out, '}');
	str_release(&of);
	arena_free(scratch);
	arena_free(a);
}
