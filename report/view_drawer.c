/* report/view_drawer.c - the page: the models that the reader has pinned, side by side. Its script fills it. */
#include "base/json.h"
#include "base/str.h"
#include "report/gather.h"
#include "report/page.h"
#include "store/store.h"

/* For the commands that a reader may copy: the store as `nab report` was told it, and a run of each model, whose number
 * names it whatever it is called. */
static void data(struct str *out, const struct page *p)
{
	const struct report *r = p->r;

	str_add(out, "{\"store\":");
	if (p->store)
		json_quote(out, store_path(p->store));
	else
		str_add(out, "null");
	str_add(out, ",\"run\":[");
	for (int i = 0; i < r->n_rows; i++) {
		const struct report_run *u = r->rows[i].best ? r->rows[i].best : &r->rows[i].runs[0];

		str_addf(out, "%s%lld", i ? "," : "", (long long)u->item.run.id);
	}
	str_add(out, "]}");
}

const struct page_view view_drawer = { .id = "drawer", .title = "Compare", .data = data };
