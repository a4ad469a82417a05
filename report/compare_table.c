/* report/compare_table.c - a comparison as a table: its columns and rows. See compare.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "report/compare.h"

#define MACHINE(k, t)                                             \
	{                                                         \
		.key = k, .title = "", .type = t, .machine = true \
	}
#define SHOWN(k, name, y)                                                                              \
	{                                                                                              \
		.key = k, .title = name, .type = CELL_TEXT, .people = true, .right = true, .yields = y \
	}

/* Numbers for machines carry the keys; their texts for people end in "_text". */
static const struct column columns[] = {
	{ .key = "model_text", .title = "model", .type = CELL_TEXT, .people = true, .wrap = true },
	MACHINE("model", CELL_TEXT),
	MACHINE("study", CELL_TEXT),
	MACHINE("candidate", CELL_WHOLE),
	MACHINE("kind", CELL_TEXT),
	MACHINE("unit", CELL_TEXT),
	MACHINE("control_of", CELL_TEXT),
	MACHINE("state", CELL_TEXT),
	SHOWN("seeds_text", "seeds", 0),
	MACHINE("seeds", CELL_WHOLE),
	MACHINE("runs", CELL_WHOLE),
	MACHINE("paired", CELL_WHOLE),
	SHOWN("accuracy_text", "accuracy", 0),
	SHOWN("accuracy_interval", "95 %", 6),
	MACHINE("accuracy", CELL_METRIC),
	MACHINE("accuracy_low", CELL_METRIC),
	MACHINE("accuracy_high", CELL_METRIC),
	MACHINE("accuracy_sd", CELL_METRIC),
	MACHINE("best", CELL_WHOLE),
	SHOWN("delta_text", "delta", 0),
	SHOWN("delta_interval", "95 % of delta", 0),
	MACHINE("delta", CELL_METRIC),
	MACHINE("delta_low", CELL_METRIC),
	MACHINE("delta_high", CELL_METRIC),
	MACHINE("delta_error", CELL_METRIC),
	MACHINE("delta_df", CELL_SECONDS),
	MACHINE("delta_reliable", CELL_WHOLE),
	SHOWN("p_text", "p", 0),
	MACHINE("p", CELL_SECONDS),
	MACHINE("p_holm", CELL_SECONDS),
	SHOWN("params_text", "params", 1),
	SHOWN("macs_text", "m-adds", 2),
	SHOWN("seconds_text", "time", 3),
	MACHINE("params", CELL_WHOLE),
	MACHINE("delta_params", CELL_WHOLE),
	MACHINE("macs", CELL_WHOLE),
	MACHINE("delta_macs", CELL_WHOLE),
	MACHINE("seconds", CELL_SECONDS),
	MACHINE("delta_seconds", CELL_SECONDS),
	SHOWN("effect", "effect", 7),
	MACHINE("cliff_delta", CELL_SECONDS),
	SHOWN("wilcoxon_text", "Wilcoxon", 8),
	MACHINE("wilcoxon_p", CELL_SECONDS),
	MACHINE("wilcoxon_least_p", CELL_SECONDS),
	SHOWN("mcnemar_text", "McNemar", 9),
	MACHINE("mcnemar_p", CELL_SECONDS),
	{ .key = "trouble", .title = "state", .type = CELL_TEXT, .people = true, .below = true },
	{ .key = "change", .title = "change", .type = CELL_TEXT, .below = true },
	{ .key = "snac", .title = "architecture", .type = CELL_TEXT, .below = true },
};
enum { N_FIXED = sizeof columns / sizeof *columns };

/* Columns of one slice. */
static const struct {
	const char *key;
	enum cell_type type;
} slice_columns[] = {
	{ "n", CELL_WHOLE },
	{ "accuracy", CELL_METRIC },
	{ "accuracy_low", CELL_METRIC },
	{ "accuracy_high", CELL_METRIC },
	{ "delta", CELL_METRIC },
	{ "delta_low", CELL_METRIC },
	{ "delta_high", CELL_METRIC },
	{ "p_holm", CELL_SECONDS },
	{ "fell", CELL_WHOLE },
};
enum { N_SLICE = sizeof slice_columns / sizeof *slice_columns };

static const char *slice_key(struct arena *a, const char *slice, const char *key)
{
	return arena_printf(a, "slice:%s:%s", slice, key);
}

static struct table *make_table(const struct comparison *c, struct arena *a)
{
	int n = N_FIXED;
	struct column *all = ARENA_ARRAY(a, struct column, N_FIXED + c->n_slices * (N_SLICE + 1));

	memcpy(all, columns, sizeof columns);
	for (int i = 0; i < n; i++)
		if (strcmp(all[i].key, "accuracy_text") == 0)
			all[i].title = c->metric->name;
	for (int q = 0; q < c->n_slices; q++) {
		all[n++] = (struct column){ .key = slice_key(a, c->slices[q], "text"),
					    .title = arena_printf(a, "slice %s", c->slices[q]),
					    .type = CELL_TEXT,
					    .people = true,
					    .below = true };
		for (int i = 0; i < N_SLICE; i++)
			all[n++] = (struct column){ .key = slice_key(a, c->slices[q], slice_columns[i].key),
						    .title = "",
						    .type = slice_columns[i].type,
						    .machine = true };
	}
	return table_new(a, all, n);
}

/* ---- texts ---------------------------------------------------------------------------------------------- */

static void put_p(struct table *t, const char *key, double p)
{
	char buf[40];

	if (isnan(p))
		return;
	snprintf(buf, sizeof buf, p < 0.001 ? "<0.001" : p > 0.9995 ? "1" : "%.3f", p);
	table_put_text(t, key, buf);
}

/* The reference has the number itself, the others their difference in percent of it. */
static void put_change(struct table *t, const char *key, const char *absolute, double v, double reference, bool first)
{
	char buf[40];

	if (first || !(reference > 0)) {
		table_put_text(t, key, absolute);
		return;
	}
	if (isnan(v))
		return;
	snprintf(buf, sizeof buf, v == reference ? "=" : "%+.1f%%", 100 * (v / reference - 1));
	table_put_text(t, key, buf);
}

static void put_count_text(struct table *t, const char *key, int64_t v, int64_t reference, bool first)
{
	char buf[32];

	put_change(t, key, str_thousands(buf, v), (double)v, (double)reference, first);
}

static void put_model(struct table *t, const struct compare_row *w)
{
	struct str name = { 0 };
	char buf[40];

	str_addf(&name, "%s%s%s", w->label, w->inherited ? " (inherited)" : "", w->control_of ? " (control)" : "");
	table_put_text(t, "model_text", str_get(&name));
	str_release(&name);
	snprintf(buf, sizeof buf, w->n_done < w->n_runs ? "%d/%d" : "%d", w->n_done, w->n_runs);
	table_put_text(t, "seeds_text", buf);
	if (strcmp(w->state, "done") != 0)
		table_put_text(t, "trouble", w->state);
}

/* Whether there are seeds enough for Wilcoxon's test in any row; else the column is left out. */
static bool wilcoxon_speaks(const struct comparison *c)
{
	for (int i = 0; i < c->n_rows; i++)
		if (c->rows[i].wilcoxon_least <= 0.05)
			return true;
	return false;
}

static void put_texts(struct table *t, const struct comparison *c, int i)
{
	const struct compare_row *w = &c->rows[i], *first = &c->rows[0];
	const struct metric *m = c->metric;
	char buf[METRIC_TEXT], interval[METRIC_INTERVAL];

	put_model(t, w);
	table_put_text(t, "accuracy_text", metric_number(buf, m, w->accuracy));
	table_put_text(t, "accuracy_interval", metric_interval(interval, m, w->low, w->high));
	if (w->best)
		table_bold(t, "accuracy_text");
	table_put_text(t, "delta_text", metric_change(buf, m, w->effect.mean));
	table_put_text(t, "delta_interval", metric_change_interval(interval, m, w->effect.low, w->effect.high));
	put_p(t, "p_text", w->p_holm);
	put_count_text(t, "params_text", w->params, first->params, i == 0);
	put_count_text(t, "macs_text", w->macs, first->macs, i == 0);
	buf[0] = 0;
	if (!isnan(w->seconds))
		snprintf(buf, sizeof buf, w->seconds < 100 ? "%.1f s" : "%.0f s", w->seconds);
	put_change(t, "seconds_text", buf, w->seconds, first->seconds, i == 0);
	if (!isnan(w->cliff))
		table_put_text(t, "effect", stats_cliff_word(w->cliff));
	if (w->wilcoxon_least <= 0.05)
		put_p(t, "wilcoxon_text", w->wilcoxon);
	else if (!isnan(w->wilcoxon_least) && wilcoxon_speaks(c))
		table_put_text(t, "wilcoxon_text", "-");
	put_p(t, "mcnemar_text", w->mcnemar);
	table_put_text(t, "change", w->change);
	table_put_text(t, "snac", w->snac);
}

/* ---- numbers -------------------------------------------------------------------------------------------- */

static void put_about(struct table *t, const struct compare_row *w)
{
	table_put_text(t, "model", w->label);
	table_put_text(t, "study", w->study);
	table_put(t, "candidate", (double)w->candidate);
	table_put_text(t, "kind", w->inherited ? "inherited" : "scratch");
	table_put_text(t, "unit", w->unit);
	table_put_text(t, "control_of", w->control_of);
	table_put_text(t, "state", w->state);
	table_put(t, "seeds", w->n_done);
	table_put(t, "runs", w->n_runs);
	table_put(t, "paired", w->n_paired);
}

static void put_numbers(struct table *t, const struct comparison *c, int i)
{
	const struct compare_row *w = &c->rows[i], *first = &c->rows[0];

	put_about(t, w);
	table_put(t, "accuracy", w->accuracy);
	table_put(t, "accuracy_low", w->low);
	table_put(t, "accuracy_high", w->high);
	table_put(t, "accuracy_sd", w->spread);
	table_put(t, "best", w->best);
	table_put(t, "delta", w->effect.mean);
	table_put(t, "delta_low", w->effect.low);
	table_put(t, "delta_high", w->effect.high);
	table_put(t, "delta_error", w->effect.error);
	table_put(t, "delta_df", w->effect.df);
	if (!isnan(w->effect.mean))
		table_put(t, "delta_reliable", w->effect.reliable);
	table_put(t, "p", w->p);
	table_put(t, "p_holm", w->p_holm);
	table_put(t, "params", (double)w->params);
	table_put(t, "delta_params", (double)(w->params - first->params));
	table_put(t, "macs", (double)w->macs);
	table_put(t, "delta_macs", (double)(w->macs - first->macs));
	table_put(t, "seconds", w->seconds);
	table_put(t, "delta_seconds", w->seconds - first->seconds);
	table_put(t, "cliff_delta", w->cliff);
	table_put(t, "wilcoxon_p", w->wilcoxon);
	table_put(t, "wilcoxon_least_p", w->wilcoxon_least);
	table_put(t, "mcnemar_p", w->mcnemar);
}

/* "legs (24): 81.20 [70.12, 88.90], -3.10 [-8.00, +1.80]", "!" if it fell. */
static void put_slice(struct table *t, const struct compare_slice *q, struct arena *a)
{
	const double v[N_SLICE] = { (double)q->n,  q->accuracy,    q->low, q->high, q->effect.mean,
				    q->effect.low, q->effect.high, q->p,   q->fell };
	struct str text = { 0 };

	for (int i = 0; i < N_SLICE; i++)
		table_put(t, slice_key(a, q->name, slice_columns[i].key), v[i]);
	if (isnan(q->accuracy))
		return;
	str_addf(&text, "%s (%lld): %.2f [%.2f, %.2f]", q->name, (long long)q->n, 100 * q->accuracy, 100 * q->low,
		 100 * q->high);
	if (!isnan(q->effect.mean))
		str_addf(&text, ", %+.2f [%+.2f, %+.2f]%s", 100 * q->effect.mean, 100 * q->effect.low,
			 100 * q->effect.high, q->fell ? " !" : "");
	table_put_text(t, slice_key(a, q->name, "text"), str_get(&text));
	str_release(&text);
}

/* A model that there is not: an ablation's unit that cannot be removed. */
static void put_absent(struct table *t, const struct compare_row *w)
{
	table_put_text(t, "model_text", w->label);
	table_put_text(t, "trouble", w->state);
	table_put_text(t, "model", w->label);
	table_put_text(t, "unit", w->unit);
	table_put_text(t, "state", w->state);
}

struct table *compare_table(const struct comparison *c, struct arena *a)
{
	struct table *t = make_table(c, a);

	for (int i = 0; i < c->n_rows; i++) {
		table_row(t);
		if (!c->rows[i].candidate) {
			put_absent(t, &c->rows[i]);
			continue;
		}
		put_texts(t, c, i);
		put_numbers(t, c, i);
		for (int q = 0; q < c->n_slices; q++)
			put_slice(t, &c->rows[i].slices[q], a);
	}
	for (int i = 0; i < c->n_notes; i++)
		table_note(t, c->notes[i]);
	return t;
}
