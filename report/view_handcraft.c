/* report/view_handcraft.c - the page: an editor of models. Its script does everything; here stands what it starts from:
 * the program (wasm/), the models of the report, and what a model for this data reads and answers.
 */
#include <stdio.h>
#include <string.h>

#include "arch/model.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/pack.h"
#include "base/path.h"
#include "base/str.h"
#include "report/assets.h"
#include "report/gather.h"
#include "report/html.h"
#include "report/page.h"
#include "store/store.h"

static void put_json(struct str *out, struct json *v)
{
	json_print(out, v);
	json_free(v);
}

static void put_packed(struct str *out, const struct graph *g)
{
	struct str text = { 0 };

	put_json(&text, model_write(g));
	str_addc(out, '"');
	pack_add(out, str_get(&text), text.len);
	str_addc(out, '"');
	str_release(&text);
}

/* Every model once, packed, and which of them a row is. */
static void models(struct str *out, const struct report *r)
{
	struct str of = { 0 };
	struct hash128 *seen = mem_new(((size_t)r->n_rows + 1) * sizeof *seen);
	int n = 0;

	str_add(out, "\"models\":[");
	for (int i = 0; i < r->n_rows; i++) {
		const struct report_row *w = &r->rows[i];
		struct hash128 digest;
		int k = 0;

		if (!w->detailed || !w->graph)
			continue;
		digest = graph_digest(w->graph);
		while (k < n && (seen[k].lo != digest.lo || seen[k].hi != digest.hi))
			k++;
		str_addf(&of, "%s\"%d\":%d", of.len ? "," : "", i, k);
		if (k < n)
			continue;
		seen[n++] = digest;
		str_add(out, k ? ",\n" : "");
		put_packed(out, w->graph);
	}
	str_addf(out, "],\"of\":{%s}", str_get(&of));
	mem_free(seen);
	str_release(&of);
}

/* What a new model starts with: the input and the outputs of the models of the report. */
static void blank(struct str *out, const struct report *r)
{
	const struct graph *g = NULL;

	for (int i = 0; i < r->n_rows && !g; i++)
		g = r->rows[i].graph;
	if (!g) {
		str_add(out, "null");
		return;
	}
	str_add(out, "{\"input\":");
	put_json(out, model_write_input(&g->inputs[0].shape));
	str_addf(out, ",\"task\":\"%s\",\"classes\":%d}", task_names[g->outputs[0].task], g->outputs[0].classes);
}

static void data(struct str *out, const struct page *p)
{
	str_add(out, "{\"store\":");
	json_quote(out, p->store ? path_base(store_path(p->store)) : "STORE.db");
	str_add(out, ",\"blank\":");
	blank(out, p->r);
	str_addc(out, ',');
	models(out, p->r);
	str_addf(out, ",\n\"editor\":\"%s\"}", page_editor);
}

const struct page_view view_handcraft = { .id = "handcraft", .title = "Handcraft", .data = data };
