/* report/leaderboard.c - the leaderboard as a table: its columns, rows and footnotes. See table.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "report/gather.h"
#include "report/table.h"

static const struct column columns[] = {
	{ .key = "rank", .title = "rank", .type = CELL_TEXT, .people = true },
	{ .key = "rank_first", .title = "", .type = CELL_WHOLE, .machine = true },
	{ .key = "rank_last", .title = "", .type = CELL_WHOLE, .machine = true },
	{ .key = "study", .title = "study", .type = CELL_TEXT },
	{ .key = "name", .title = "model", .type = CELL_TEXT },
	{ .key = "model_hash", .title = "", .type = CELL_TEXT, .machine = true },
	{ .key = "origin", .title = "origin", .type = CELL_TEXT },
	{ .key = "status", .title = "status", .type = CELL_TEXT },
	{ .key = "score_text", .title = "score", .type = CELL_TEXT, .people = true },
	{ .key = "score", .title = "", .type = CELL_SECONDS, .machine = true },
	{ .key = "val_accuracy", .title = "" /* of the metric */, .type = CELL_METRIC },
	{ .key = "val_accuracy_sd", .title = "+- seeds", .type = CELL_METRIC },
	{ .key = "val_low", .title = "95% from", .type = CELL_METRIC },
	{ .key = "val_high", .title = "to", .type = CELL_METRIC },
	{ .key = "best_epoch_accuracy", .title = "best epoch (optimistic)", .type = CELL_METRIC },
	{ .key = "test_accuracy", .title = "" /* "test %" */, .type = CELL_METRIC },
	{ .key = "params", .title = "parameters", .type = CELL_WHOLE },
	{ .key = "macs", .title = "multiply-adds", .type = CELL_WHOLE },
	{ .key = "seconds", .title = "seconds", .type = CELL_SECONDS },
	{ .key = "epochs", .title = "epochs", .type = CELL_SECONDS, .machine = true },
	{ .key = "epochs_text", .title = "epochs", .type = CELL_TEXT, .people = true },
	{ .key = "seeds", .title = "", .type = CELL_WHOLE, .machine = true },
	{ .key = "reason", .title = "", .type = CELL_TEXT, .machine = true },
	{ .key = "architecture", .title = "architecture", .type = CELL_TEXT, .below = true },
};

static void put_row(struct table *t, const struct report *r, const struct report_row *w)
{
	char buf[40];

	table_row(t);
	table_put_text(t, "rank", place_text(buf, w, "-"));
	if (w->place_first) {
		table_put(t, "rank_first", w->place_first);
		table_put(t, "rank_last", w->place_last);
	}
	table_put_text(t, "study", r->n_studies > 1 ? w->study : NULL);
	table_put_text(t, "name", w->label);
	table_put_text(t, "model_hash", w->hash);
	table_put_text(t, "origin", w->inherited ? "inherited" : store_origin_names[w->candidate->origin]);
	table_put_text(t, "status", run_state_names[w->state]);
	table_put(t, "score", w->score);
	if (!r->by_accuracy && !isnan(w->score)) {
		snprintf(buf, sizeof buf, "%.4f", w->score);
		table_put_text(t, "score_text", buf);
	}
	table_put(t, "val_accuracy", w->accuracy);
	table_put(t, "val_accuracy_sd", w->spread);
	table_put(t, "val_low", w->low);
	table_put(t, "val_high", w->high);
	table_put(t, "best_epoch_accuracy", w->best_epoch_accuracy);
	table_put(t, "test_accuracy", w->test_accuracy);
	table_put(t, "params", (double)w->params);
	table_put(t, "macs", (double)w->macs);
	table_put(t, "seconds", w->seconds);
	table_put(t, "epochs", w->epochs);
	if (!isnan(w->epochs)) {
		snprintf(buf, sizeof buf, "%.3g", w->epochs);
		table_put_text(t, "epochs_text", buf);
	}
	table_put(t, "seeds", w->n_done);
	table_put_text(t, "reason", w->reason);
	table_put_text(t, "architecture", w->summary);
}

static void put_literature(struct table *t, const struct literature_row *w)
{
	struct str name = { 0 };

	str_addf(&name, "%s%s%s%s", w->name, w->note ? " (" : "", w->note ? w->note : "", w->note ? ")" : "");
	table_row(t);
	table_put_text(t, "name", str_get(&name));
	table_put_text(t, "origin", "literature");
	table_put(t, "test_accuracy", w->accuracy);
	table_put(t, "params", w->params);
	str_release(&name);
}

static void put_notes(struct table *t, const struct report *r)
{
	char note[400];

	if (r->by_accuracy && r->n_ranked && r->rows[0].place_last > 0 && !isnan(r->rows[0].low)) {
		snprintf(note, sizeof note,
			 "A rank such as 1-%d names the places a model may hold: models whose 95%% intervals overlap "
			 "are not ordered. Intervals: Wilson's over %lld validation examples%s.",
			 r->rows[0].place_last > 1 ? r->rows[0].place_last : 3, (long long)r->n_validation,
			 r->spread_df ? ", widened by the spread between seeds (pooled over all models)" : "");
		table_note(t, note);
	}
	if (!r->by_accuracy)
		table_note(t, arena_printf(r->a,
					   "Ranked by the study's score, which is not plain %s; no interval is known "
					   "for it, so that near ranks may be chance.",
					   r->metric->name));
	snprintf(note, sizeof note,
		 "%s is that of the last epoch (or of the restored one). The best epoch is chosen by the examples it "
		 "is judged on: optimistic.",
		 r->metric->share ? "Accuracy" : r->metric->name);
	table_note(t, note);
	if (r->n_inherited)
		table_note(t, "Origin \"inherited\": starts from the weights of a trained model; not ranked with those "
			      "trained from scratch.");
	if (r->literature.n)
		table_note(t,
			   "Origin \"literature\": as published, not re-checked, trained and judged otherwise; never "
			   "ranked with the runs of the store.");
	if (r->n_baselines)
		table_note(t, "Origin \"baseline\": given by the study for comparison, not found by the search.");
}

enum { N_COLUMNS = sizeof columns / sizeof *columns };

static const struct column *titled(const struct report *r, struct arena *a)
{
	struct column *all = ARENA_ARRAY(a, struct column, N_COLUMNS);

	memcpy(all, columns, sizeof columns);
	for (int i = 0; i < N_COLUMNS; i++) {
		if (strcmp(all[i].key, "val_accuracy") == 0)
			all[i].title = arena_printf(a, "%s%s", r->metric->name, r->metric->unit);
		if (strcmp(all[i].key, "test_accuracy") == 0)
			all[i].title = arena_printf(a, "test%s", r->metric->unit);
	}
	return all;
}

struct table *table_leaderboard(const struct report *r, struct arena *a)
{
	struct table *t = table_new(a, titled(r, a), N_COLUMNS);

	table_metric(t, r->metric);
	for (int i = 0; i < r->n_rows; i++)
		put_row(t, r, &r->rows[i]);
	for (int i = 0; i < r->literature.n; i++)
		put_literature(t, &r->literature.rows[i]);
	put_notes(t, r);
	return t;
}
