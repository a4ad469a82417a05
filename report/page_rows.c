/* report/page_rows.c - what the page's script knows of every row of the report: columns. See html.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/gather.h"
#include "report/html.h"
#include "report/hyper.h"
#include "report/page.h"

/* ---- a column: "key":[value, ...] ------------------------------------------------------------------------ */

/* Exactly: what is compared and ranked. */
static void put_exact(struct str *out, double v)
{
	char buf[32];

	if (isfinite(v) && v != trunc(v))
		str_add(out, str_real(buf, v));
	else
		html_number(out, v);
}

static void put_text(struct str *out, const char *s)
{
	if (s)
		json_quote(out, s);
	else
		str_add(out, "null");
}

/* "key": [what `of` says of each row] */
static void each_row(struct str *out, const struct report *r, const char *key,
		     void (*of)(struct str *out, const struct report *r, const struct report_row *w))
{
	str_addf(out, "\"%s\":[", key);
	for (int i = 0; i < r->n_rows; i++) {
		str_add(out, i ? "," : "");
		of(out, r, &r->rows[i]);
	}
	str_addc(out, ']');
}

#define COLUMN(key, type, put, expression)                                                         \
	static void put_##key(struct str *out, const struct report *r, const struct report_row *w) \
	{                                                                                          \
		(void)r;                                                                           \
		put(out, (type)(expression));                                                      \
	}                                                                                          \
	static void column_##key(struct str *out, const struct report *r)                          \
	{                                                                                          \
		each_row(out, r, #key, put_##key);                                                 \
	}

static double first_start(const struct report_row *w)
{
	double t = (double)NAN;

	for (int i = 0; i < w->n_runs; i++)
		if (!(w->runs[i].item.started >= t) && !isnan(w->runs[i].item.started))
			t = w->runs[i].item.started;
	return t;
}

static double last_end(const struct report_row *w)
{
	double t = (double)NAN;

	for (int i = 0; i < w->n_runs; i++)
		if (!(w->runs[i].item.ended <= t) && !isnan(w->runs[i].item.ended))
			t = w->runs[i].item.ended;
	return t;
}

/* Of one training step over all layers; NAN if it was not measured. */
static double step_seconds(const struct report_row *w, bool backward)
{
	double sum = 0;

	for (int i = 0; i < w->profile.n_layers && w->profiled; i++)
		sum += backward ? w->profile.layer[i].backward_s : w->profile.layer[i].forward_s;
	return w->profiled ? sum / (w->profile.batch ? w->profile.batch : 1) : (double)NAN;
}

static int study_of(const struct report *r, const struct report_row *w)
{
	for (int i = 0; i < r->n_studies; i++)
		if (r->studies[i].id == w->candidate->study)
			return i;
	return 0;
}

#define NUMBER(key, expression) COLUMN(key, double, html_number, expression)
#define EXACT(key, expression)  COLUMN(key, double, put_exact, expression)
#define TEXT(key, expression)   COLUMN(key, const char *, put_text, expression)

TEXT(label, w->label)
NUMBER(study, study_of(r, w))
TEXT(origin, store_origin_names[w->candidate->origin])
NUMBER(number, (double)w->candidate->number)
TEXT(state, run_state_names[w->state])
TEXT(reason, w->reason)
TEXT(hash, w->hash ? arena_printf(r->a, "%.12s", w->hash) : "")
TEXT(summary, w->summary ? w->summary : "")
NUMBER(first, w->place_first ? w->place_first : (double)NAN)
NUMBER(last, w->place_first ? w->place_last : (double)NAN)
EXACT(score, w->score)
EXACT(accuracy, w->accuracy)
NUMBER(low, w->low)
NUMBER(high, w->high)
NUMBER(spread, w->spread)
NUMBER(best, w->best_epoch_accuracy)
NUMBER(train, w->train_accuracy)
NUMBER(loss, w->loss)
NUMBER(test, w->test_accuracy)
NUMBER(params, (double)w->params)
NUMBER(macs, (double)w->macs)
NUMBER(bytes, (double)w->weight_bytes)
NUMBER(seconds, w->seconds)
NUMBER(epochs, w->epochs)
NUMBER(depth, w->depth)
NUMBER(layers, w->layers)
NUMBER(seeds, w->n_done)
NUMBER(inherited, w->inherited)
NUMBER(front, w->front)
NUMBER(detailed, w->detailed)
NUMBER(surplus, w->candidate->surplus)
TEXT(kind, report_kind_names[w->kind])
NUMBER(parent, w->parent >= 0 ? w->parent : (double)NAN)
TEXT(change, w->change)
EXACT(started, round(10 * first_start(w)) / 10)
EXACT(ended, round(10 * last_end(w)) / 10)
NUMBER(forward, step_seconds(w, false))
NUMBER(backward, step_seconds(w, true))

/* ---- right answers by class ------------------------------------------------------------------------------ */

/* Summed over the finished runs. */
static void right_of(struct str *out, const struct report *r, const struct report_row *w)
{
	if (!row_has_confusion(r, w)) {
		str_add(out, "null");
		return;
	}
	for (int c = 0; c < r->n_classes; c++) {
		int64_t sum = 0;

		for (int i = 0; i < w->n_runs; i++)
			if (w->runs[i].item.run.state == STATE_DONE)
				sum += w->runs[i].val.confusion[c * r->n_classes + c];
		str_add(out, c ? "," : "[");
		str_whole(out, sum);
	}
	str_addc(out, ']');
}

static void column_right(struct str *out, const struct report *r)
{
	each_row(out, r, "right", right_of);
}

/* ---- right answers by slice ------------------------------------------------------------------------------ */

/* Summed over the finished runs. */
static void slices_of(struct str *out, const struct report *r, const struct report_row *w)
{
	if (!row_has_slices(r, w)) {
		str_add(out, "null");
		return;
	}
	for (int k = 0; k < r->n_slices; k++) {
		int64_t sum = 0;

		for (int i = 0; i < w->n_runs; i++) {
			int64_t right = w->runs[i].item.run.state == STATE_DONE ? w->runs[i].slice_right[k] : 0;

			sum = sum < 0 || right < 0 ? -1 : sum + right;
		}
		str_add(out, k ? "," : "[");
		html_number(out, sum < 0 ? (double)NAN : (double)sum);
	}
	str_addc(out, ']');
}

static void column_slice_right(struct str *out, const struct report *r)
{
	each_row(out, r, "slice_right", slices_of);
}

/* Examples of each class among the validation examples, as any finished run saw them. */
static void class_sizes(struct str *out, const struct report *r)
{
	const struct report_row *w = NULL;
	const struct report_run *u = NULL;
	int n = r->n_classes;

	for (int i = 0; i < r->n_rows && !w; i++)
		if (row_has_confusion(r, &r->rows[i]))
			w = &r->rows[i];
	for (int i = 0; w && i < w->n_runs && !u; i++)
		if (w->runs[i].item.run.state == STATE_DONE)
			u = &w->runs[i];
	str_add(out, "\"class_n\":[");
	for (int c = 0; c < n; c++) {
		int64_t sum = 0;

		for (int k = 0; u && k < n; k++)
			sum += u->val.confusion[c * n + k];
		str_addf(out, "%s%lld", c ? "," : "", (long long)sum);
	}
	str_addc(out, ']');
}

/* ---- hyper-parameters ------------------------------------------------------------------------------------ */

/* Columns of what differs between the recipes: {"optimizer.lr": [0.1, ...], ...}. */
static void hyper(struct str *out, const struct report *r)
{
	struct arena *a = arena_new();
	struct hyper *k;
	int n = hyper_gather(&k, r, a);

	str_add(out, "\"hyper\":{");
	for (int i = 0; i < n; i++) {
		str_add(out, i ? ",\n" : "");
		json_quote(out, k[i].name);
		for (int j = 0; j < r->n_rows; j++)
			str_addf(out, "%s%s", j ? "," : ":[", k[i].value[j] ? k[i].value[j] : "null");
		str_addc(out, ']');
	}
	str_addc(out, '}');
	arena_free(a);
}

/* ---- all ------------------------------------------------------------------------------------------------- */

static void names(struct str *out, const struct report *r)
{
	str_add(out, "\"classes\":[");
	for (int c = 0; c < r->n_classes; c++) {
		str_add(out, c ? "," : "");
		json_quote(out, r->classes[c]);
	}
	str_add(out, "],\"studies\":[");
	for (int i = 0; i < r->n_studies; i++) {
		str_add(out, i ? "," : "");
		json_quote(out, r->studies[i].name);
	}
	str_add(out, "],");
	class_sizes(out, r);
	str_add(out, ",\"slices\":[");
	for (int i = 0; i < r->n_slices; i++) {
		str_add(out, i ? ",{\"name\":" : "{\"name\":");
		json_quote(out, r->slices[i].name);
		str_addf(out, ",\"n\":%lld}", (long long)r->slices[i].n);
	}
	str_addc(out, ']');
}

static void columns(struct str *out, const struct report *r)
{
	static void (*const list[])(struct str *, const struct report *) = {
		column_label,   column_study,    column_origin, column_number,      column_state,   column_reason,
		column_hash,    column_summary,  column_first,  column_last,        column_score,   column_accuracy,
		column_low,     column_high,     column_spread, column_best,        column_train,   column_loss,
		column_test,    column_params,   column_macs,   column_bytes,       column_seconds, column_epochs,
		column_depth,   column_layers,   column_seeds,  column_inherited,   column_front,   column_detailed,
		column_surplus, column_kind,     column_parent, column_change,      column_started, column_ended,
		column_forward, column_backward, column_right,  column_slice_right, hyper
	};

	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		str_add(out, i ? ",\n" : "");
		list[i](out, r);
	}
}

void html_rows(struct str *out, const struct page *p)
{
	const struct report *r = p->r;
	const struct metric *m = r->metric;
	int first = -1;

	for (int i = 0; i < r->n_rows && first < 0; i++)
		if (r->rows[i].detailed)
			first = i;
	str_add(out, "\"key\":");
	json_quote(out, r->studies[0].name);
	str_addf(out, ",\"n\":%d,\"ranked\":%d,\"first\":%d,\"classify\":%s,\"validation\":%lld,", r->n_rows,
		 r->n_ranked, first, r->classify ? "true" : "false", (long long)r->n_validation);
	str_addf(out, "\"metric\":{\"name\":\"%s\",\"unit\":\"%s\",\"points\":\"%s\",\"scale\":%g,\"digits\":%d},",
		 m->name, m->unit, m->points, m->scale, m->digits);
	names(out, r);
	str_add(out, ",\n\"rows\":{");
	columns(out, r);
	str_addc(out, '}');
}
