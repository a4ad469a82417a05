/* report/gather.c - see gather.h. */
#include "report/gather.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/model.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/stats.h"
#include "base/str.h"
#include "report/escape.h"
#include "report/examples.h"
#include "report/snac.h"
#include "store/select.h"

enum { DEFAULT_TOP = 300 };

const char *const report_kind_names[] = { "search", "baseline", "ablation", "variation", "handcrafted", NULL };
static_assert(sizeof report_kind_names / sizeof *report_kind_names == KIND_COUNT + 1, "a name each");

/* ---- studies and data ----------------------------------------------------------------------------------- */

static int pick_studies(struct report *r, struct store *s, int64_t wanted, struct err *e)
{
	struct store_study *all, first;
	int n, kept = 0, at;

	if (store_studies(s, &all, &n, r->a, e) < 0)
		return -1;
	if (n == 0)
		return ERR(e, ERR_INVALID, store_path(s), "the store holds no study yet: `nab search` makes one");
	for (at = n - 1; wanted && at >= 0 && all[at].id != wanted; at--)
		;
	if (at < 0)
		return ERR(e, ERR_USAGE, store_path(s), "there is no study %lld", (long long)wanted);
	first = all[at];
	r->studies = ARENA_ARRAY(r->a, struct store_study, n);
	r->studies[kept++] = first;
	for (int i = n - 1; i >= 0 && !wanted; i--) {
		if (i != at && all[i].data == first.data)
			r->studies[kept++] = all[i];
		r->n_left_out += all[i].data != first.data;
	}
	r->n_studies = kept;
	return first.data ? store_data_get(s, first.data, &r->data, r->a, e) : 0;
}

static void free_json(void *j)
{
	json_free(j);
}

static void read_info(struct report *r)
{
	const struct json *classes, *task;
	int n = 0;

	r->classify = true;
	r->metric = metric_of_info(r->data.info);
	if (!r->data.info || json_parse(&r->info, r->data.info, strlen(r->data.info), "info", NULL) < 0)
		return;
	arena_defer(r->a, free_json, r->info);
	task = json_get(r->info, "task");
	r->classify = !task || !json_string(task) || strcmp(json_string(task), task_names[TASK_CLASSIFY]) == 0;
	classes = json_get(r->info, "classes");
	r->classes = ARENA_ARRAY(r->a, const char *, json_count(classes) + 1);
	JSON_EACH(c, classes) {
		const char *name = json_string(c) ? json_string(c) : json_string(json_get(c, "name"));

		r->classes[n++] = name ? name : "";
	}
	r->n_classes = n;
	if (json_type(json_get(json_get(r->info, "examples"), "validation")) == JSON_NUMBER)
		r->n_validation = (int64_t)json_number(json_get(json_get(r->info, "examples"), "validation"));
}

/* ---- slices ---------------------------------------------------------------------------------------------- */

/* What the examples are, to judge predictions by; without it what the runs said of slices has to do. */
static int read_truth(struct report *r, struct store *s, struct store_truth *t, struct err *e)
{
	int found = r->data.id ? store_truth_get(s, r->data.id, 1, t, r->a, e) : 0;

	if (found < 0)
		return -1;
	if (!found) {
		*t = (struct store_truth){ 0 };
		return 0;
	}
	r->examples = examples_new(t->label, t->n, r->n_classes, r->a);
	r->n_slices = t->n_slices;
	r->slices = ARENA_ARRAY(r->a, struct report_slice, t->n_slices + 1);
	for (int k = 0; k < t->n_slices; k++) {
		r->slices[k].name = t->slices[k].name;
		for (int64_t i = 0; i < t->n; i++)
			r->slices[k].n += t->slices[k].member[i] != 0;
	}
	return 0;
}

static int64_t right_in(const struct store_truth *t, int slice, const uint16_t *predicted)
{
	const uint8_t *member = t->slices[slice].member;
	int64_t right = 0;

	for (int64_t i = 0; i < t->n; i++)
		right += (member[i] != 0) & (predicted[i] == t->label[i]);
	return right;
}

/* From the predictions; without them from the accuracies that the run stored. */
static void count_slices(struct report *r, const struct store_truth *t, struct report_run *u,
			 const struct store_evaluation *v)
{
	struct json *told = NULL;

	if (!r->n_slices || v->n != t->n)
		return;
	u->slice_right = ARENA_ARRAY(r->a, int64_t, r->n_slices);
	if (!v->predicted && v->slices)
		json_parse(&told, v->slices, strlen(v->slices), "slices", NULL);
	for (int k = 0; k < r->n_slices; k++) {
		const struct json *share = json_get(told, r->slices[k].name);

		if (v->predicted)
			u->slice_right[k] = right_in(t, k, v->predicted);
		else if (json_type(share) == JSON_NUMBER)
			u->slice_right[k] = llround(json_number(share) * (double)r->slices[k].n);
		else
			u->slice_right[k] = -1;
	}
	json_free(told);
}

/* ---- rows ----------------------------------------------------------------------------------------------- */

static double mean_of(const struct report_row *w, size_t field)
{
	double sum = 0;
	int n = 0;

	for (int i = 0; i < w->n_runs; i++) {
		const struct store_result *q = &w->runs[i].item.result;
		double v;

		memcpy(&v, (const char *)q + field, sizeof v);
		if (w->runs[i].item.run.state == STATE_DONE && !isnan(v)) {
			sum += v;
			n++;
		}
	}
	return n ? sum / n : (double)NAN;
}

#define MEAN(w, field) mean_of(w, offsetof(struct store_result, field))

static void fill_means(struct report_row *w)
{
	double *accuracy = mem_new((size_t)(w->n_runs + 1) * sizeof *accuracy), mean;
	double epochs = 0, test = 0;
	int tested = 0;

	for (int i = 0; i < w->n_runs; i++) {
		const struct store_item *t = &w->runs[i].item;

		accuracy[i] = t->run.state == STATE_DONE ? t->result.val_accuracy : (double)NAN;
		if (t->run.state != STATE_DONE)
			continue;
		w->n_done++;
		epochs += t->result.epochs;
		if (!isnan(t->test_accuracy)) {
			test += t->test_accuracy;
			tested++;
		}
		if (!w->best || t->result.score > w->best->item.result.score)
			w->best = &w->runs[i];
	}
	stats_mean(accuracy, w->n_runs, &mean, &w->spread);
	mem_free(accuracy);
	w->score = MEAN(w, score);
	w->accuracy = mean;
	w->best_epoch_accuracy = MEAN(w, best_accuracy);
	w->train_accuracy = MEAN(w, train_accuracy);
	w->loss = MEAN(w, val_loss);
	w->seconds = MEAN(w, seconds);
	w->epochs = w->n_done ? epochs / w->n_done : (double)NAN;
	w->test_accuracy = tested ? test / tested : (double)NAN;
}

static void fill_state(struct report_row *w)
{
	const struct store_item *last = &w->runs[w->n_runs - 1].item;

	w->state = w->n_done ? STATE_DONE : last->run.state;
	w->reason = NULL;
	for (int i = 0; i < w->n_runs && !w->n_done; i++)
		if (w->runs[i].item.result.reason)
			w->reason = w->runs[i].item.result.reason;
}

static void fill_row(struct report *r, struct report_row *w, struct store_item *items, int n)
{
	const struct store_item *t = &items[0];
	struct str file = { 0 };

	*w = (struct report_row){ .candidate = &t->candidate,
				  .label = t->candidate.label,
				  .study = t->study,
				  .summary = t->summary,
				  .hash = t->model_hash,
				  .n_runs = n,
				  .params = t->params,
				  .macs = t->macs,
				  .weight_bytes = t->weight_bytes,
				  .depth = t->depth,
				  .layers = t->layers };
	w->runs = ARENA_ARRAY(r->a, struct report_run, n);
	for (int i = 0; i < n; i++)
		w->runs[i].item = items[i];
	escape_file(&file, w->label);
	snprintf(w->file, sizeof w->file, "%.48s-%lld", str_get(&file), (long long)w->candidate->id);
	str_release(&file);
	fill_means(w);
	fill_state(w);
	w->inherited = store_candidate_inherits(w->candidate);
	r->n_baselines += w->candidate->origin == ORIGIN_BASELINE;
	r->n_inherited += w->inherited;
}

static int by_candidate(const void *a, const void *b)
{
	const struct store_item *x = a, *y = b;

	if (x->candidate.id != y->candidate.id)
		return x->candidate.id < y->candidate.id ? -1 : 1;
	return x->run.replicate - y->run.replicate;
}

/* Candidates of which no run is chosen go, with all their runs. */
static int drop_others(const struct select *chosen, struct store *s, struct store_item *items, int *n, struct err *e)
{
	int kept = 0;

	for (int i = 0, k; i < *n; i = k) {
		bool any = false, holds;

		for (k = i; k < *n && items[k].candidate.id == items[i].candidate.id; k++) {
			if (select_holds(chosen, s, &items[k], &holds, e) < 0)
				return -1;
			any |= holds;
		}
		if (any)
			memmove(items + kept, items + i, (size_t)(k - i) * sizeof *items);
		kept += any ? k - i : 0;
	}
	*n = kept;
	return 0;
}

static int read_rows(struct report *r, struct store *s, int64_t study, const struct select *chosen, struct err *e)
{
	struct store_query q = { .study = study };
	struct store_item *items;
	struct report_row *rows;
	int n;

	if (store_list(s, &q, &items, &n, r->a, e) < 0)
		return -1;
	if (n)
		qsort(items, (size_t)n, sizeof *items, by_candidate);
	if (drop_others(chosen, s, items, &n, e) < 0)
		return -1;
	rows = ARENA_ARRAY(r->a, struct report_row, r->n_rows + n);
	if (r->n_rows)
		memcpy(rows, r->rows, (size_t)r->n_rows * sizeof *rows);
	r->rows = rows;
	r->n_runs += n;
	for (int i = 0, k; i < n; i = k) {
		for (k = i; k < n && items[k].candidate.id == items[i].candidate.id; k++) {
			bool failed = run_state_final(items[k].run.state) && items[k].run.state != STATE_DONE;

			r->failed += failed;
			if (!isnan(items[k].started) && !(items[k].started >= r->started))
				r->started = items[k].started;
			if (!isnan(items[k].ended) && !(items[k].ended <= r->ended))
				r->ended = items[k].ended;
		}
		fill_row(r, &rows[r->n_rows++], items + i, k - i);
	}
	return 0;
}

/* ---- where a model comes from ---------------------------------------------------------------------------- */

static enum report_kind kind_of(const struct report *r, const struct store_candidate *c)
{
	const char *kind = "";

	for (int i = 0; i < r->n_studies; i++)
		if (r->studies[i].id == c->study)
			kind = r->studies[i].kind;
	if (c->origin != ORIGIN_USER)
		return c->origin == ORIGIN_BASELINE ? KIND_BASELINE : KIND_SEARCH;
	if (strcmp(kind, "ablate") == 0)
		return KIND_ABLATION;
	return strcmp(kind, "vary") == 0 ? KIND_VARIATION : KIND_HANDCRAFTED;
}

static const char *words_of(const struct report *r, const char *change)
{
	struct json *v = NULL;
	const char *words = NULL;

	if (!change || json_parse(&v, change, strlen(change), "change", NULL) < 0)
		return NULL;
	if (json_string(json_get(v, "words")) && *json_string(json_get(v, "words")))
		words = arena_strdup(r->a, json_string(json_get(v, "words")));
	json_free(v);
	return words;
}

struct model_row {
	int64_t model, study;
	int row;
};

static int by_model(const void *a, const void *b)
{
	const struct model_row *x = a, *y = b;

	if (x->model != y->model)
		return x->model < y->model ? -1 : 1;
	if (x->study != y->study)
		return x->study < y->study ? -1 : 1;
	return x->row - y->row;
}

/* The first entry that is not before (model, study). */
static int find_model(const struct model_row *list, int n, int64_t model, int64_t study)
{
	struct model_row key = { model, study, -1 };
	int lo = 0, hi = n;

	while (lo < hi) {
		int mid = (lo + hi) / 2;

		if (by_model(&list[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* A parent is a model; the row meant is that of the same study, else any. */
static void fill_parents(struct report *r)
{
	struct model_row *list = mem_new((size_t)(r->n_rows + 1) * sizeof *list);

	for (int i = 0; i < r->n_rows; i++)
		list[i] = (struct model_row){ r->rows[i].candidate->model, r->rows[i].candidate->study, i };
	qsort(list, (size_t)r->n_rows, sizeof *list, by_model);
	for (int i = 0; i < r->n_rows; i++) {
		struct report_row *w = &r->rows[i];
		int64_t parent = w->candidate->parent;
		int at = find_model(list, r->n_rows, parent, w->candidate->study);

		w->kind = kind_of(r, w->candidate);
		w->change = words_of(r, w->candidate->change);
		w->parent = -1;
		if (!parent)
			continue;
		if (at == r->n_rows || list[at].model != parent)
			at = find_model(list, r->n_rows, parent, 0);
		if (at < r->n_rows && list[at].model == parent && list[at].row != i)
			w->parent = list[at].row;
	}
	mem_free(list);
}

/* ---- order, intervals, ranks ---------------------------------------------------------------------------- */

static bool is_ranked(const struct report_row *w)
{
	return !isnan(w->score) && !w->inherited;
}

static int by_merit(const void *a, const void *b)
{
	const struct report_row *x = a, *y = b;
	bool rx = !isnan(x->score), ry = !isnan(y->score);

	if (is_ranked(x) != is_ranked(y))
		return is_ranked(x) ? -1 : 1;
	if (rx != ry)
		return rx ? -1 : 1;
	if (rx && x->score != y->score)
		return x->score > y->score ? -1 : 1;
	if (rx && x->params != y->params)
		return x->params < y->params ? -1 : 1;
	return x->candidate->id < y->candidate->id ? -1 : x->candidate->id > y->candidate->id;
}

/* The standard deviation between seeds, pooled over all candidates: a few seeds of one say little about it, but the
 * candidates of a study resemble each other. Returns its degrees of freedom. */
static int pool_spread(const struct report *r, double *sd)
{
	double square = 0;
	int df = 0;

	for (int i = 0; i < r->n_rows; i++) {
		const struct report_row *w = &r->rows[i];

		if (isnan(w->spread))
			continue;
		square += w->spread * w->spread * (w->n_done - 1);
		df += w->n_done - 1;
	}
	*sd = df ? sqrt(square / df) : 0;
	return df;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* How many of v[0..n) (ascending) are below x. */
static int count_below(const double *v, int n, double x)
{
	int lo = 0, hi = n;

	while (lo < hi) {
		int mid = (lo + hi) / 2;

		if (v[mid] < x)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Places that a row may hold: those of the rows whose intervals lie wholly above come before it, those wholly below
 * after it. */
static void fill_places(struct report *r)
{
	int n = r->n_ranked;
	double *low = mem_new((size_t)(n + 1) * sizeof *low), *high = mem_new((size_t)(n + 1) * sizeof *high);
	bool known = r->by_accuracy;

	for (int i = 0; i < n; i++) {
		low[i] = -r->rows[i].low;
		high[i] = r->rows[i].high;
		known = known && !isnan(low[i]);
	}
	qsort(low, (size_t)n, sizeof *low, by_value);
	qsort(high, (size_t)n, sizeof *high, by_value);
	for (int i = 0; i < n; i++) {
		struct report_row *w = &r->rows[i];

		w->place_first = known ? 1 + count_below(low, n, -w->high) : i + 1;
		w->place_last = known ? n - count_below(high, n, w->low) : i + 1;
	}
	mem_free(low);
	mem_free(high);
}

static void fill_front(struct report *r)
{
	for (int i = 0; i < r->n_ranked; i++) {
		struct report_row *w = &r->rows[i];

		w->front = !isnan(w->accuracy);
		for (int k = 0; k < r->n_ranked && w->front; k++) {
			const struct report_row *o = &r->rows[k];

			if (o->params <= w->params && o->accuracy >= w->accuracy &&
			    (o->params < w->params || o->accuracy > w->accuracy))
				w->front = false;
		}
	}
}

static int check_pins(const struct report *r, const struct gather_opts *o, struct err *e)
{
	for (int i = 0; i < o->n_pins; i++) {
		int k = 0;

		while (k < r->n_rows && strcmp(r->rows[k].label, o->pins[i]) != 0)
			k++;
		if (k == r->n_rows)
			return ERR(e, ERR_USAGE, "--pin",
				   "no model of the report is called \"%s\" (`nab ls` lists them)", o->pins[i]);
	}
	return 0;
}

static bool is_pinned(const struct report_row *w, const struct gather_opts *o)
{
	int i = 0;

	while (i < o->n_pins && strcmp(w->label, o->pins[i]) != 0)
		i++;
	return i < o->n_pins;
}

static void rank(struct report *r, const struct gather_opts *o)
{
	int detailed = 0, top = o->top > 0 ? o->top : DEFAULT_TOP;

	r->spread_df = pool_spread(r, &r->spread);
	if (r->n_rows)
		qsort(r->rows, (size_t)r->n_rows, sizeof *r->rows, by_merit);
	r->by_accuracy = true;
	for (int i = 0; i < r->n_rows; i++) {
		struct report_row *w = &r->rows[i];

		w->low = w->high = (double)NAN;
		if (r->classify)
			stats_interval(w->accuracy, w->n_done, r->spread, r->spread_df, r->n_validation, &w->low,
				       &w->high);
		r->n_ranked += is_ranked(w);
		if (!isnan(w->score) && fabs(w->score - w->accuracy) > 1e-9)
			r->by_accuracy = false;
		w->detailed =
		    is_ranked(w) && (detailed < top || w->candidate->origin == ORIGIN_BASELINE || is_pinned(w, o));
		detailed += w->detailed;
	}
	r->n_detailed = detailed;
	fill_places(r);
	fill_front(r);
}

/* ---- details -------------------------------------------------------------------------------------------- */

struct graph *gather_graph(const struct store_model *m, struct arena *a)
{
	struct graph *g = NULL;
	struct json *doc = NULL;
	struct diag d = { 0 };

	if (m->json && json_parse(&doc, m->json, strlen(m->json), "model", NULL) == 0) {
		struct json_in in = { doc, &d, NULL };

		if (model_read(&g, doc, NULL, NULL, a, &in) < 0)
			g = NULL; /* of a newer program: the row stands without its chart */
	}
	diag_release(&d);
	json_free(doc);
	return g;
}

struct known { /* what is known of a model, for all rows that have it */
	bool read;
	struct graph *graph;
	struct store_profile profile;
	bool profiled;
};

static int read_model(struct report *r, struct store *s, struct known *k, int64_t model, struct err *e)
{
	struct store_model m;
	int found;

	if (store_model_get(s, model, &m, r->a, e) < 0)
		return -1;
	k->graph = gather_graph(&m, r->a);
	if (k->graph)
		r->largest = fmax(r->largest, snac_largest(k->graph));
	found = store_profile_get(s, m.id, &k->profile, r->a, e);
	k->profiled = found == 1;
	k->read = true;
	return found < 0 ? -1 : 0;
}

static int read_details(struct report *r, struct store *s, struct report_row *w, struct known *k, struct err *e)
{
	if (!k->read && read_model(r, s, k, w->candidate->model, e) < 0)
		return -1;
	w->graph = k->graph;
	w->profile = k->profile;
	w->profiled = k->profiled;
	for (int i = 0; i < w->n_runs; i++) {
		struct report_run *u = &w->runs[i];
		int64_t id = u->item.run.id;

		if (store_findings(s, id, &u->findings, &u->n_findings, r->a, e) < 0)
			return -1;
		if (w->detailed && store_epochs(s, id, &u->epochs, &u->n_epochs, r->a, e) < 0)
			return -1;
	}
	return 0;
}

static int read_all_details(struct report *r, struct store *s, struct err *e)
{
	int64_t largest = 0;
	struct known *known;
	int rc = -1;

	for (int i = 0; i < r->n_rows; i++)
		if (r->rows[i].candidate->model > largest)
			largest = r->rows[i].candidate->model;
	known = mem_new((size_t)(largest + 1) * sizeof *known);
	for (int i = 0; i < r->n_rows; i++)
		TRY(read_details(r, s, &r->rows[i], &known[r->rows[i].candidate->model], e));
	rc = 0;
out:
	mem_free(known);
	return rc;
}

/* Confusion matrices and slices; the predictions of each example are let go. */
static int read_evaluation(struct report *r, struct store *s, const struct store_truth *t, struct report_run *u,
			   struct arena *scratch, struct err *e)
{
	struct store_evaluation v;
	int found;
	size_t bytes;
	int64_t *copy;

	arena_reset(scratch);
	found = store_evaluation_get(s, u->item.run.id, 1, &v, scratch, e);
	if (found <= 0)
		return found;
	bytes = (size_t)v.classes * (size_t)v.classes * sizeof *copy;
	copy = v.confusion ? arena_alloc(r->a, bytes) : NULL;
	if (copy)
		memcpy(copy, v.confusion, bytes);
	count_slices(r, t, u, &v);
	examples_count(r->examples, v.predicted, v.n);
	u->val = v;
	u->val.confusion = copy;
	u->val.predicted = NULL;
	u->val.per_class = u->val.slices = NULL;
	if (!r->n_validation)
		r->n_validation = v.n;
	return 0;
}

static int read_evaluations(struct report *r, struct store *s, struct err *e)
{
	struct arena *scratch = arena_new();
	struct store_truth truth;
	int rc = -1;

	TRY(read_truth(r, s, &truth, e));
	for (int i = 0; i < r->n_rows; i++)
		for (int k = 0; k < r->rows[i].n_runs; k++)
			if (r->rows[i].runs[k].item.run.state == STATE_DONE)
				TRY(read_evaluation(r, s, &truth, &r->rows[i].runs[k], scratch, e));
	rc = 0;
out:
	arena_free(scratch);
	return rc;
}

static int read_sums(struct report *r, struct store *s, int64_t study, struct err *e)
{
	struct store_summary sum;

	if (store_summarize(s, study, &sum, e) < 0)
		return -1;
	r->epochs += sum.epochs;
	r->train_seconds += sum.seconds;
	r->test_reads += sum.test_reads;
	return 0;
}

/* Of the runs that were chosen, not of the whole study. */
static void sum_chosen(struct report *r)
{
	r->epochs = 0;
	r->train_seconds = 0;
	for (int i = 0; i < r->n_rows; i++)
		for (int k = 0; k < r->rows[i].n_runs; k++) {
			const struct store_item *t = &r->rows[i].runs[k].item;

			if (t->run.cached_from || !run_state_final(t->run.state))
				continue;
			r->epochs += t->result.epochs;
			r->train_seconds += isfinite(t->result.seconds) ? t->result.seconds : 0;
		}
}

int report_gather(struct report **out, struct store *s, const struct gather_opts *o, struct arena *a, struct err *e)
{
	struct report *r = ARENA_NEW(a, struct report);
	struct select *chosen;

	r->a = a;
	r->store = s;
	r->started = r->ended = NAN;
	r->limited = o->where != NULL;
	*out = r;
	if (o->literature && literature_read(&r->literature, o->literature, a, e) < 0)
		return -1;
	if (select_read(&chosen, o->where, NULL, a, e) < 0 || pick_studies(r, s, o->study, e) < 0)
		return -1;
	read_info(r);
	for (int i = 0; i < r->n_studies; i++)
		if (read_rows(r, s, r->studies[i].id, chosen, e) < 0 || read_sums(r, s, r->studies[i].id, e) < 0)
			return -1;
	if (r->limited)
		sum_chosen(r);
	report_drop_copies(r);
	if (read_evaluations(r, s, e) < 0)
		return -1;
	if (check_pins(r, o, e) < 0)
		return -1;
	rank(r, o);
	fill_parents(r);
	return read_all_details(r, s, e);
}

/* ---- what is known of a row ------------------------------------------------------------------------------ */

bool row_has_confusion(const struct report *r, const struct report_row *w)
{
	bool known = w->n_done > 0 && r->n_classes > 0;

	for (int i = 0; i < w->n_runs; i++)
		if (w->runs[i].item.run.state == STATE_DONE)
			known = known && w->runs[i].val.confusion && w->runs[i].val.classes == r->n_classes;
	return known;
}

bool row_has_slices(const struct report *r, const struct report_row *w)
{
	bool known = w->n_done > 0 && r->n_slices > 0;

	for (int i = 0; i < w->n_runs; i++)
		if (w->runs[i].item.run.state == STATE_DONE)
			known = known && w->runs[i].slice_right;
	return known;
}

char *place_text(char buf[32], const struct report_row *r, const char *dash)
{
	if (!r->place_first)
		buf[0] = 0;
	else if (r->place_first == r->place_last)
		snprintf(buf, 32, "%d", r->place_first);
	else
		snprintf(buf, 32, "%d%s%d", r->place_first, dash, r->place_last);
	return buf;
}
