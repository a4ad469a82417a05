/* cli/cmd_compare.c - nab compare: models of a store side by side, with differences to the first of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/comparison.h"
#include "cli/target.h"
#include "store/select.h"

enum sort { SORT_GIVEN, SORT_ACCURACY, SORT_PARAMS, SORT_MACS, SORT_TIME, SORT_NAME };
static const char *const sort_names[] = { "given", "accuracy", "params", "macs", "time", "name", NULL };

struct flags {
	const char *store, *study, *output, *where;
	int format, sort;
	struct opt_strs slice;
	bool test;
};

static const struct opt flags[] = {
	OPT_STORE(struct flags),
	OPT_STR(struct flags, study, NULL,
		"all of this study; the reference is the model named, else the parent of the others, else the first "
		"baseline"),
	OPT_STR(struct flags, where, NULL,
		"also all models for which this holds ('acc > 0.9', see `nab ls`); with --study only those of it"),
	OPT_ENUM(struct flags, format, TABLE_TEXT, table_format_names, "of the table"),
	OPT_STR(struct flags, output, NULL, "file for it (also -o)"),
	OPT_BOOL(struct flags, test, 0, "what was seen on the test split (`nab test`) instead of the validation split"),
	OPT_STRS(struct flags, slice, "a slice of the data to show and to test; may be repeated (default: all)"),
	OPT_ENUM(struct flags, sort, SORT_GIVEN, sort_names,
		 "order of the rows below the reference: best accuracy or least of the others first"),
	OPT_END,
};

struct list {
	int64_t *id;
	int n, cap;
};

static void add(struct list *l, int64_t id)
{
	for (int i = 0; i < l->n; i++)
		if (l->id[i] == id)
			return;
	GROW(l->id, l->n, l->cap);
	l->id[l->n++] = id;
}

static int add_named(struct cli *c, struct store *s, struct list *l, struct err *e)
{
	for (int i = 0; i < c->n_args; i++) {
		struct store_run r;
		int64_t run;

		if (store_resolve(s, c->args[i], 0, &run, e) < 0 || store_run_get(s, run, &r, c->arena, e) < 0)
			return -1;
		add(l, r.candidate);
	}
	return 0;
}

/* study 0: of all. */
static int add_chosen(struct cli *c, struct store *s, int64_t study, struct list *l, struct err *e)
{
	const struct flags *f = c->flags;
	struct store_query q = { .study = study, .order = ORDER_RUN };
	struct store_item *items;
	struct select *chosen;
	int n;

	if (select_read(&chosen, f->where, NULL, c->arena, e) < 0 || store_list(s, &q, &items, &n, c->arena, e) < 0 ||
	    select_apply(chosen, s, items, &n, false, e) < 0)
		return -1;
	for (int i = 0; i < n; i++)
		add(l, items[i].candidate.id);
	return 0;
}

static int add_study(struct cli *c, struct store *s, const char *name, struct list *l, struct err *e)
{
	const struct flags *f = c->flags;
	struct store_candidate *all;
	int64_t id;
	int n;

	if (cli_study_id(s, name, &id, c->arena, e) < 0 || store_candidates(s, id, &all, &n, c->arena, e) < 0)
		return -1;
	if (n && !l->n)
		add(l, compare_reference(all, n));
	if (f->where)
		return add_chosen(c, s, id, l, e);
	for (int i = 0; i < n; i++)
		add(l, all[i].id);
	return 0;
}

/* ---- order ---------------------------------------------------------------------------------------------- */

static double key_of(const struct compare_row *w, enum sort by)
{
	switch (by) {
	case SORT_ACCURACY:
		return -w->accuracy;
	case SORT_PARAMS:
		return (double)w->params;
	case SORT_MACS:
		return (double)w->macs;
	case SORT_TIME:
		return w->seconds;
	case SORT_GIVEN:
	case SORT_NAME:
		break;
	}
	return 0;
}

static bool comes_after(const struct compare_row *a, const struct compare_row *b, enum sort by)
{
	double x = key_of(a, by), y = key_of(b, by);

	if (by == SORT_NAME)
		return strcmp(a->label, b->label) > 0;
	return isnan(x) ? !isnan(y) : x > y;
}

/* Insertion: stable, and tables are short. */
static void sort_rows(struct comparison *m, enum sort by)
{
	for (int i = 2; i < m->n_rows && by != SORT_GIVEN; i++) {
		struct compare_row w = m->rows[i];
		int k = i;

		for (; k > 1 && comes_after(&m->rows[k - 1], &w, by); k--)
			m->rows[k] = m->rows[k - 1];
		m->rows[k] = w;
	}
}

/* ---- running -------------------------------------------------------------------------------------------- */

static int compare(struct cli *c, struct store *s, struct list *l, struct err *e)
{
	const struct flags *f = c->flags;
	struct compare_opts o = { .slices = f->slice.n ? f->slice.v : NULL, .n_slices = f->slice.n, .test = f->test };
	struct comparison *m;

	if (add_named(c, s, l, e) < 0 || (f->study && add_study(c, s, f->study, l, e) < 0) ||
	    (!f->study && f->where && add_chosen(c, s, 0, l, e) < 0))
		return -1;
	if (!l->n)
		return ERR(e, ERR_USAGE,
			   f->study   ? f->study
			   : f->where ? "--where"
				      : NULL,
			   f->study   ? "the study has no models yet"
			   : f->where ? "holds for no model of the store"
				      : "name models to compare, or a study with --study");
	o.title = f->study;
	if (compare_gather(&m, s, l->id, l->n, &o, c->arena, e) < 0)
		return -1;
	sort_rows(m, (enum sort)f->sort);
	return cli_print_comparison(c, m, (enum table_format)f->format, f->output, e);
}

static int run(struct cli *c, struct err *e)
{
	const struct flags *f = c->flags;
	struct list l = { 0 };
	struct store *s;
	int rc;

	if (cli_open_store(c, f->store, &s, e) < 0)
		return -1;
	rc = compare(c, s, &l, e);
	store_close(s);
	mem_free(l.id);
	return rc;
}

const struct command command_compare = {
	.name = "compare",
	.usage = "MODEL... [flags]",
	.help = "models of a store against the first of them: differences with intervals and tests",
	.more = "  nab compare lenet5 best --store fashion.db\n"
		"  nab compare --study resnet8-ablate --format latex -o ablation.tex\n"
		"  nab compare best 12 31 --slice cats-and-birds --test",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.max_args = -1,
	.run = run,
};
