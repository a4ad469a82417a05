/* report/trials.c - see trials.h. */
#include "report/trials.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/escape.h"
#include "report/gather.h"

/* What a stored change says of an ablation's unit; texts copied. */
static void read_unit(struct advice_row *out, const char *change, struct arena *a)
{
	struct json *v = NULL;
	const struct json *by;
	const char **ids;

	if (!change || json_parse(&v, change, strlen(change), "change", NULL) < 0)
		return;
	by = json_get(v, "by");
	out->by = json_string(by) ? arena_strdup(a, json_string(by)) : "layer";
	out->kind = strcmp(out->by, "feature") == 0 ? UNIT_FEATURE : UNIT_LAYERS;
	out->name = json_string(json_get(v, "unit")) ? arena_strdup(a, json_string(json_get(v, "unit"))) : "";
	ids = ARENA_ARRAY(a, const char *, json_count(json_get(v, "edits")) + 1);
	JSON_EACH(edit, json_get(v, "edits"))
		if (json_string(json_get(edit, "remove")))
			ids[out->n_removed++] = arena_strdup(a, json_string(json_get(edit, "remove")));
	out->removed = ids;
	json_free(v);
}

static void make_advice(struct trial *t, struct store *s, struct store_candidate *const *c, struct arena *a)
{
	struct advice_row *rows = ARENA_ARRAY(a, struct advice_row, t->c->n_rows);
	struct advice_opts o = { .tolerance = 0.005, .seeds = t->c->rows[0].n_done };

	for (int i = 0; i < t->c->n_rows; i++) {
		const char *of = t->c->rows[i].control_of;

		read_unit(&rows[i], c[i]->change, a);
		for (int k = 1; of && k < t->c->n_rows; k++)
			if (strcmp(t->c->rows[k].label, of) == 0)
				rows[i].control_of = k;
	}
	o.model = arena_printf(a, "%s --store %s", t->c->rows[0].label, store_path(s));
	o.again = arena_printf(a, "nab ablate %s", o.model);
	t->n_advice = advice_make(&t->advice, t->c, rows, &o, a);
}

/* The first of the study is the parent; whatever was made from its model is compared with it. */
static int one(struct trial *t, const struct store_study *y, struct store *s, struct arena *a, struct err *e)
{
	struct compare_opts o = { 0 };
	struct store_candidate *all, **kept;
	struct str file = { 0 };
	int64_t *ids;
	int n, k = 0;

	if (store_candidates(s, y->id, &all, &n, a, e) < 0)
		return -1;
	ids = ARENA_ARRAY(a, int64_t, n + 1);
	kept = ARENA_ARRAY(a, struct store_candidate *, n + 1);
	for (int i = 0; i < n; i++)
		if (k == 0 || all[i].parent == kept[0]->model || all[i].model == kept[0]->model) {
			kept[k] = &all[i];
			ids[k++] = all[i].id;
		}
	if (k < 2)
		return 0;
	t->study = y->name;
	t->ablation = strcmp(y->kind, "ablate") == 0;
	o.title = arena_printf(a, "%s of %s", t->ablation ? "ablation" : "variations", kept[0]->label);
	escape_file(&file, y->name);
	snprintf(t->file, sizeof t->file, "%s-%.48s-%lld", t->ablation ? "ablation" : "variation", str_get(&file),
		 (long long)y->id);
	str_release(&file);
	if (compare_gather(&t->c, s, ids, k, &o, a, e) < 0)
		return -1;
	if (t->ablation)
		make_advice(t, s, kept, a);
	return 1;
}

int trials_gather(struct trial **out, int *n, const struct report *r, struct store *s, struct arena *a, struct err *e)
{
	*out = ARENA_ARRAY(a, struct trial, r->n_studies);
	*n = 0;
	for (int i = 0; i < r->n_studies; i++) {
		const struct store_study *y = &r->studies[i];
		int made;

		if (strcmp(y->kind, "ablate") != 0 && strcmp(y->kind, "vary") != 0)
			continue;
		made = one(&(*out)[*n], y, s, a, e);
		if (made < 0)
			return -1;
		*n += made;
	}
	return 0;
}
