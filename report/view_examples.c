/* report/view_examples.c - the page: the validation examples, for the views that show some (report/page/examples.js).
 * It has data only: {"packed": what examples.js says, "shown": pictures or texts (report/thumbs.h), or null}.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/pack.h"
#include "base/str.h"
#include "dataset/dataset.h"
#include "report/examples.h"
#include "report/gather.h"
#include "report/page.h"
#include "report/thumbs.h"

enum {
	MOST_MISSED = 20000, /* examples that the list of the missed ones knows */
	PICTURES = 2000,     /* unless more are asked for */
	PICTURE_BYTES = 6 << 20,
	RECOGNISED = 8 /* pictures of each class that most models know */
};

/* ---- which ones get a picture ---------------------------------------------------------------------------- */

struct choice {
	const struct page *p;
	const struct examples *x;
	const int64_t *order; /* most missed first */
	bool *taken;          /* [n] */
	int64_t *list, n, most;
	int *cell; /* [classes][classes] chosen for this row and its cell */
	struct arena *scratch;
};

static void choose(struct choice *k, int64_t i)
{
	if (k->n < k->most && !k->taken[i]) {
		k->taken[i] = true;
		k->list[k->n++] = i;
	}
}

static void choose_recognised(struct choice *k)
{
	int *had = mem_new((size_t)(k->x->classes + 1) * sizeof *had);

	for (int64_t i = k->x->n - 1; i >= 0; i--) {
		int c = k->x->truth[k->order[i]];

		if (c < k->x->classes && had[c]++ < RECOGNISED)
			choose(k, k->order[i]);
	}
	mem_free(had);
}

/* At most `each` examples of every cell of the row's best run. */
static void choose_of_row(struct choice *k, const struct report_row *w, int each)
{
	struct store_evaluation v;
	int n = k->x->classes;

	arena_reset(k->scratch);
	if (!w->best || store_evaluation_get(k->p->store, w->best->item.run.id, 1, &v, k->scratch, NULL) != 1 ||
	    !v.predicted || v.n != k->x->n)
		return;
	memset(k->cell, 0, (size_t)n * (size_t)n * sizeof *k->cell);
	for (int64_t i = 0; i < v.n; i++) {
		int t = k->x->truth[i], p = v.predicted[i];

		if (t != p && t < n && p < n && k->cell[t * n + p]++ < each)
			choose(k, i);
	}
}

/* Some that nearly all miss, some that are known, then cell by cell of the best models, then whatever is missed. */
static void choose_all(struct choice *k)
{
	static const int each[] = { 1, 4, 16 };

	for (int64_t i = 0; i < k->x->n && k->n < k->most / 4; i++)
		choose(k, k->order[i]);
	choose_recognised(k);
	for (size_t round = 0; round < sizeof each / sizeof *each; round++)
		for (int i = 0; i < k->p->r->n_rows && k->n < k->most; i++)
			if (k->p->r->rows[i].detailed)
				choose_of_row(k, &k->p->r->rows[i], each[round]);
	for (int64_t i = 0; i < k->x->n; i++)
		choose(k, k->order[i]);
}

static int64_t chosen(int64_t **list, const struct page *p, const int64_t *order)
{
	const struct examples *x = p->r->examples;
	size_t cells = (size_t)x->classes * (size_t)x->classes;
	struct choice k = { .p = p, .x = x, .order = order, .most = p->images > 0 ? p->images : PICTURES };

	k.taken = mem_new((size_t)x->n + 1);
	k.list = ARENA_ARRAY(p->a, int64_t, x->n + 1);
	k.cell = mem_new((cells + 1) * sizeof *k.cell);
	k.scratch = arena_new();
	choose_all(&k);
	arena_free(k.scratch);
	mem_free(k.cell);
	mem_free(k.taken);
	*list = k.list;
	return k.n;
}

/* ---- what is known of them ------------------------------------------------------------------------------- */

static void truth(struct str *out, const struct examples *x)
{
	str_addf(out, "\"n\":%lld,\"runs\":%d,\"truth\":[", (long long)x->n, x->runs);
	for (int64_t i = 0; i < x->n; i++)
		str_addf(out, "%s%d", i ? "," : "", x->truth[i]);
	str_addc(out, ']');
}

static void missed(struct str *out, const struct examples *x, const int64_t *order)
{
	bool *keep = mem_new((size_t)x->n + 1);
	int64_t last = -1, n = 0;

	for (int64_t i = 0; i < x->n && i < MOST_MISSED; i++)
		keep[order[i]] = x->missed[order[i]] > 0;
	str_add(out, ",\"missed\":[");
	for (int64_t i = 0; i < x->n; i++) {
		uint32_t times;
		int c;

		if (!keep[i])
			continue;
		c = examples_taken(x, i, &times);
		str_addf(out, "%s%lld,%u,%d,%u", n++ ? "," : "", (long long)(i - last), x->missed[i], c, times);
		last = i;
	}
	str_addc(out, ']');
	mem_free(keep);
}

/* The numbers in the files are those in memory unless examples were left out before the split was made. */
static void source(struct str *out, const struct report *r, const struct dataset *d)
{
	const struct json *classes;
	struct json *spec = NULL;
	int64_t last = -1;
	bool whole = d && json_parse(&spec, r->data.spec, strlen(r->data.spec), "data", NULL) == 0;

	classes = json_get(spec, "classes");
	whole = whole && !json_count(classes) && !(json_number(json_get(spec, "limit")) > 0) &&
		!(json_number(json_get(spec, "limit_test")) > 0);
	str_add(out, ",\"source\":");
	if (!whole)
		str_add(out, "null");
	for (int64_t i = 0; whole && i < d->n_split[SPLIT_VALIDATION]; i++) {
		str_addf(out, "%c%lld", i ? ',' : '[', (long long)d->split[SPLIT_VALIDATION][i] - last);
		last = d->split[SPLIT_VALIDATION][i];
	}
	if (whole)
		str_addc(out, ']');
	json_free(spec);
}

static void slices(struct str *out, const struct page *p)
{
	struct store_truth t;

	str_add(out, ",\"slices\":{");
	if (p->store && store_truth_get(p->store, p->r->data.id, 1, &t, p->a, NULL) == 1)
		for (int s = 0; s < t.n_slices; s++) {
			int64_t last = -1;

			str_add(out, s ? "," : "");
			json_quote(out, t.slices[s].name);
			str_add(out, ":[");
			for (int64_t i = 0; i < t.n; i++)
				if (t.slices[s].member[i]) {
					str_addf(out, "%s%lld", last < 0 ? "" : ",", (long long)(i - last));
					last = i;
				}
			str_addc(out, ']');
		}
	str_addc(out, '}');
}

static void data(struct str *out, const struct page *p)
{
	const struct examples *x = p->r->examples;
	struct str text = { 0 }, shown = { 0 };
	struct dataset *d = NULL;
	char why[THUMBS_WHY] = "no pictures were asked for";
	int64_t *order, *list;

	if (!x || !p->store) {
		str_add(out, "null");
		return;
	}
	order = examples_order(x, p->a);
	if (p->images)
		d = thumbs_open(p->r, p->images > 0, why);
	if (d && d->n_split[SPLIT_VALIDATION] == x->n) {
		int64_t n = chosen(&list, p, order);

		thumbs_sheets(&shown, d, list, n, PICTURE_BYTES);
	}
	str_addc(&text, '{');
	truth(&text, x);
	missed(&text, x, order);
	source(&text, p->r, d);
	slices(&text, p);
	str_add(&text, ",\"why\":");
	json_quote(&text, why);
	str_addc(&text, '}');
	str_add(out, "{\"packed\":\"");
	pack_add(out, text.s, text.len);
	str_addf(out, "\",\n\"shown\":%s}", shown.len ? str_get(&shown) : "null");
	dataset_close(d);
	str_release(&text);
	str_release(&shown);
}

/* Other views show them. */
static void nothing(struct str *out, const struct page *p)
{
	(void)out;
	(void)p;
}

const struct page_view view_examples = { .id = "examples", .html = nothing, .data = data };
