/* report/compare.c - see compare.h. Reads rows from the store, pairs their runs, asks base/stats.h, and says in notes
 * what the numbers are worth. */
#include "report/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/graph.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/gather.h"
#include "report/snac.h"

enum { VALIDATION = 1, TEST = 2 }; /* enum split of dataset/dataset.h */

static const double alpha = 0.05;
static const struct stats_effect unknown = {
	.mean = (double)NAN,
	.low = (double)NAN,
	.high = (double)NAN,
	.error = (double)NAN,
	.df = (double)NAN,
	.seed = (double)NAN,
	.example = (double)NAN,
	.rest = (double)NAN,
	.p = (double)NAN,
};

struct one { /* a finished run */
	uint64_t seed;
	double accuracy;
	const uint8_t *right; /* [n_examples] 1 if it predicts the label, or NULL */
};

struct arm { /* the finished runs of a row, by replicate */
	struct one *runs;
	int n;
};

struct reading {
	struct store *s;
	const struct compare_opts *o;
	struct arena *a;
	struct comparison *c;
	struct arm *arms;         /* [n_rows] */
	struct store_data data;   /* of row 0; id 0: none */
	struct store_truth truth; /* n 0: unknown */
	const uint8_t **members;  /* [n_slices] */
	double *spread;           /* pooled between seeds: [0] of all examples, [1 + k] of slice k */
	int *spread_df;
	const char **notes;
	int cap_notes;
};

static void note(struct reading *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void note(struct reading *k, const char *fmt, ...)
{
	struct str t = { 0 };
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&t, fmt, ap);
	va_end(ap);
	if (k->c->n_notes == k->cap_notes) {
		const char **more = ARENA_ARRAY(k->a, const char *, 2 * k->cap_notes + 8);

		if (k->c->n_notes)
			memcpy(more, k->c->notes, (size_t)k->c->n_notes * sizeof *more);
		k->c->notes = more;
		k->cap_notes = 2 * k->cap_notes + 8;
	}
	k->c->notes[k->c->n_notes++] = arena_strdup(k->a, str_get(&t));
	str_release(&t);
}

static const char *plural(int64_t n)
{
	return n == 1 ? "" : "s";
}

/* ---- reading -------------------------------------------------------------------------------------------- */

static void free_json(void *v)
{
	json_free(v);
}

static const struct json *parsed(struct reading *k, const char *text)
{
	struct json *doc = NULL;

	if (!text || json_parse(&doc, text, strlen(text), "change", NULL) < 0)
		return NULL;
	arena_defer(k->a, free_json, doc);
	return doc;
}

static const char *copied(struct reading *k, const struct json *v)
{
	return json_string(v) && *json_string(v) ? arena_strdup(k->a, json_string(v)) : NULL;
}

static int read_model(struct reading *k, struct compare_row *w, int64_t model, struct err *e)
{
	struct store_model m;
	struct str line = { 0 };
	struct graph *g;

	if (store_model_get(k->s, model, &m, k->a, e) < 0)
		return -1;
	w->params = m.params;
	w->macs = m.macs;
	g = gather_graph(&m, k->a);
	if (g) {
		snac_line(&line, g, false, 0);
		w->snac = arena_strdup(k->a, str_get(&line));
		str_release(&line);
	}
	return 0;
}

static int read_row(struct reading *k, int i, int64_t candidate, struct err *e)
{
	struct compare_row *w = &k->c->rows[i];
	struct store_candidate c;
	struct store_study y;
	struct store_data d = { 0 };
	const struct json *change;

	if (store_candidate_get(k->s, candidate, &c, k->a, e) < 0 || store_study_get(k->s, c.study, &y, k->a, e) < 0 ||
	    (y.data && store_data_get(k->s, y.data, &d, k->a, e) < 0))
		return -1;
	change = parsed(k, c.change);
	*w = (struct compare_row){ .candidate = candidate,
				   .label = c.label,
				   .study = y.name,
				   .change = copied(k, json_get(change, "words")),
				   .unit = copied(k, json_get(change, "unit")),
				   .control_of = copied(k, json_get(change, "control_of")),
				   .inherited = store_candidate_inherits(&c),
				   .effect = unknown };
	w->wilcoxon = w->wilcoxon_least = w->mcnemar = w->cliff = w->p = w->p_holm = (double)NAN;
	w->seconds = w->accuracy = w->low = w->high = w->spread = (double)NAN;
	if (i == 0) {
		k->data = d;
		k->c->metric = metric_of_info(d.info);
	}
	w->other_data = d.id != k->data.id && (!d.digest || !k->data.digest || strcmp(d.digest, k->data.digest) != 0);
	return read_model(k, w, c.model, e);
}

static const uint8_t *judged(const struct reading *k, const struct store_evaluation *v)
{
	uint8_t *right;

	if (!v->predicted || v->n != k->truth.n)
		return NULL;
	right = arena_alloc(k->a, (size_t)v->n);
	for (int64_t i = 0; i < v->n; i++)
		right[i] = v->predicted[i] == k->truth.label[i];
	return right;
}

/* 1: the run has numbers for the split. */
static int read_run(struct reading *k, const struct store_item *t, bool other_data, struct one *out, struct err *e)
{
	struct arena *scratch = arena_new();
	struct store_evaluation v;
	int found = store_evaluation_get(k->s, t->run.id, k->o->test ? TEST : VALIDATION, &v, scratch, e);

	*out = (struct one){ .seed = t->run.seed, .accuracy = found == 1 ? v.accuracy : t->result.val_accuracy };
	if (found == 1 && !other_data)
		out->right = judged(k, &v);
	if (found == 1 && !other_data && !k->c->n_examples)
		k->c->n_examples = v.n;
	arena_free(scratch);
	return found < 0 ? -1 : found == 1 || !k->o->test;
}

static const char *why_not(const struct reading *k, const struct store_item *items, int n)
{
	const struct store_item *last = &items[n - 1];

	for (int i = 0; i < n; i++)
		if (items[i].run.state == STATE_DONE)
			return "the test split was not read: see `nab test`";
	if (!last->result.reason)
		return run_state_names[last->run.state];
	return arena_printf(k->a, "%s: %s", run_state_names[last->run.state], last->result.reason);
}

static int by_replicate(const void *a, const void *b)
{
	const struct store_item *x = a, *y = b;

	return (x->run.replicate > y->run.replicate) - (x->run.replicate < y->run.replicate);
}

static int read_runs(struct reading *k, int i, struct err *e)
{
	struct compare_row *w = &k->c->rows[i];
	struct arm *arm = &k->arms[i];
	struct store_query q = { .candidate = w->candidate };
	struct store_item *items;
	double seconds = 0;
	int timed = 0;

	if (store_list(k->s, &q, &items, &w->n_runs, k->a, e) < 0)
		return -1;
	qsort(items, (size_t)w->n_runs, sizeof *items, by_replicate);
	arm->runs = ARENA_ARRAY(k->a, struct one, w->n_runs + 1);
	for (int r = 0; r < w->n_runs; r++) {
		int has =
		    items[r].run.state == STATE_DONE ? read_run(k, &items[r], w->other_data, &arm->runs[arm->n], e) : 0;

		if (has < 0)
			return -1;
		arm->n += has;
		if (has && !isnan(items[r].result.seconds)) {
			seconds += items[r].result.seconds;
			timed++;
		}
	}
	w->n_done = arm->n;
	w->seconds = timed ? seconds / timed : (double)NAN;
	w->state = arm->n ? "done" : w->n_runs ? why_not(k, items, w->n_runs) : "not run";
	return 0;
}

/* ---- slices --------------------------------------------------------------------------------------------- */

static int find_slice(const struct reading *k, const char *name, struct err *e)
{
	const char **names = ARENA_ARRAY(k->a, const char *, k->truth.n_slices + 1), *near;

	for (int i = 0; i < k->truth.n_slices; i++) {
		names[i] = k->truth.slices[i].name;
		if (strcmp(names[i], name) == 0)
			return i;
	}
	if (!k->truth.n)
		return ERR(e, ERR_USAGE, "slice",
			   "the store does not hold the labels of the data (it is of an older nab): run a command that "
			   "trains in it again, such as its search");
	near = str_nearest(name, names, k->truth.n_slices);
	return ERR(e, ERR_USAGE, "slice", "the data have no slice \"%s\"%s%s%s: name it in dataset.slices of the study",
		   name, near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
}

static int pick_slices(struct reading *k, struct err *e)
{
	struct comparison *c = k->c;
	bool all = !k->o->slices;
	const char **names;

	c->n_slices = all ? k->truth.n_slices : k->o->n_slices;
	c->slices = names = ARENA_ARRAY(k->a, const char *, c->n_slices + 1);
	k->members = ARENA_ARRAY(k->a, const uint8_t *, c->n_slices + 1);
	k->spread = ARENA_ARRAY(k->a, double, c->n_slices + 1);
	k->spread_df = ARENA_ARRAY(k->a, int, c->n_slices + 1);
	for (int i = 0; i < c->n_slices; i++) {
		int at = all ? i : find_slice(k, k->o->slices[i], e);

		if (at < 0)
			return -1;
		names[i] = k->truth.slices[at].name;
		k->members[i] = k->truth.slices[at].member;
	}
	for (int r = 0; r < c->n_rows; r++)
		c->rows[r].slices = ARENA_ARRAY(k->a, struct compare_slice, c->n_slices + 1);
	return 0;
}

static int64_t count_members(const struct reading *k, const uint8_t *member)
{
	int64_t n = 0;

	for (int64_t i = 0; i < k->truth.n; i++)
		n += !member || member[i];
	return n;
}

/* ---- accuracies ----------------------------------------------------------------------------------------- */

static double accuracy_in(const struct reading *k, const struct one *r, const uint8_t *member)
{
	int64_t n = 0, right = 0;

	if (!member)
		return r->accuracy;
	for (int64_t i = 0; r->right && i < k->truth.n; i++)
		if (member[i]) {
			right += r->right[i];
			n++;
		}
	return n ? (double)right / (double)n : (double)NAN;
}

/* Accuracies of an arm in a slice (member NULL: of all examples) into out[n]; their mean and deviation. */
static void measure(const struct reading *k, const struct arm *arm, const uint8_t *member, double *out, double *mean,
		    double *sd)
{
	for (int i = 0; i < arm->n; i++)
		out[i] = accuracy_in(k, &arm->runs[i], member);
	stats_mean(out, arm->n, mean, sd);
}

/* As in report/gather.c: a few seeds say little about one row's spread, so that of all rows is pooled. */
static void pool(struct reading *k, int at, const double *sd)
{
	double square = 0;

	for (int i = 0; i < k->c->n_rows; i++)
		if (!isnan(sd[i])) {
			square += sd[i] * sd[i] * (k->arms[i].n - 1);
			k->spread_df[at] += k->arms[i].n - 1;
		}
	k->spread[at] = k->spread_df[at] ? sqrt(square / k->spread_df[at]) : 0;
}

static void fill_accuracies(struct reading *k)
{
	double *sd = ARENA_ARRAY(k->a, double, k->c->n_rows);

	for (int i = 0; i < k->c->n_rows; i++) {
		struct compare_row *w = &k->c->rows[i];

		w->per_seed = ARENA_ARRAY(k->a, double, k->arms[i].n + 1);
		w->seed = ARENA_ARRAY(k->a, uint64_t, k->arms[i].n + 1);
		for (int r = 0; r < k->arms[i].n; r++)
			w->seed[r] = k->arms[i].runs[r].seed;
		measure(k, &k->arms[i], NULL, w->per_seed, &w->accuracy, &w->spread);
		sd[i] = w->spread;
	}
	pool(k, 0, sd);
	for (int i = 0; i < k->c->n_rows && k->c->metric->share; i++) {
		struct compare_row *w = &k->c->rows[i];

		stats_interval(w->accuracy, w->n_done, k->spread[0], k->spread_df[0], k->c->n_examples, &w->low,
			       &w->high);
	}
}

static void fill_slice_accuracies(struct reading *k, int slice)
{
	double *sd = ARENA_ARRAY(k->a, double, k->c->n_rows);
	int64_t n = count_members(k, k->members[slice]);

	for (int i = 0; i < k->c->n_rows; i++) {
		struct compare_slice *q = &k->c->rows[i].slices[slice];
		double *each = ARENA_ARRAY(k->a, double, k->arms[i].n + 1);

		*q = (struct compare_slice){ .name = k->c->slices[slice], .n = n, .effect = unknown };
		q->p = q->low = q->high = (double)NAN;
		measure(k, &k->arms[i], k->members[slice], each, &q->accuracy, &sd[i]);
	}
	pool(k, 1 + slice, sd);
	for (int i = 0; i < k->c->n_rows; i++) {
		struct compare_slice *q = &k->c->rows[i].slices[slice];

		stats_interval(q->accuracy, k->arms[i].n, k->spread[1 + slice], k->spread_df[1 + slice], n, &q->low,
			       &q->high);
	}
}

/* ---- differences ---------------------------------------------------------------------------------------- */

struct pairs {
	const struct one **x, **y; /* [n] */
	int n;
	bool in_order;
};

static void pair_runs(struct pairs *p, const struct arm *x, const struct arm *y, struct arena *a)
{
	*p = (struct pairs){ .x = ARENA_ARRAY(a, const struct one *, x->n + 1),
			     .y = ARENA_ARRAY(a, const struct one *, x->n + 1) };
	for (int i = 0; i < x->n; i++)
		for (int j = 0; j < y->n; j++)
			if (x->runs[i].seed == y->runs[j].seed) {
				p->x[p->n] = &x->runs[i];
				p->y[p->n++] = &y->runs[j];
				break;
			}
	p->in_order = !p->n && x->n && y->n;
	for (int i = 0; p->in_order && i < x->n && i < y->n; i++) {
		p->x[p->n] = &x->runs[i];
		p->y[p->n++] = &y->runs[i];
	}
}

/* d[s][i] = right_x - right_y for the members; NULL if predictions are missing. Caller frees. */
static signed char *differences(const struct reading *k, const struct pairs *p, const uint8_t *member, int64_t n)
{
	signed char *d, *at;

	for (int s = 0; s < p->n; s++)
		if (!p->x[s]->right || !p->y[s]->right)
			return NULL;
	if (p->n < 1 || n < 1)
		return NULL;
	at = d = mem_new((size_t)p->n * (size_t)n);
	for (int s = 0; s < p->n; s++)
		for (int64_t i = 0; i < k->truth.n; i++)
			if (!member || member[i])
				*at++ = (signed char)((int)p->x[s]->right[i] - (int)p->y[s]->right[i]);
	return d;
}

/* Accuracy of the x less that of the y; mcnemar may be NULL. Returns whether examples counted. */
static bool effect_of(const struct reading *k, const struct pairs *p, const uint8_t *member, struct stats_effect *out,
		      double *mcnemar)
{
	int64_t n = count_members(k, member);
	signed char *y = differences(k, p, member, n);

	*out = unknown;
	if (y) {
		stats_crossed(out, y, p->n, n);
		if (mcnemar)
			*mcnemar = stats_mcnemar_seeds(y, p->n, n);
	} else if (p->n && !member) {
		double *d = mem_new((size_t)p->n * sizeof *d);

		for (int s = 0; s < p->n; s++)
			d[s] = p->x[s]->accuracy - p->y[s]->accuracy;
		stats_paired_t(out, d, p->n);
		mem_free(d);
	}
	mem_free(y);
	return y != NULL;
}

static void fill_row_effect(struct reading *k, int i, bool *crossed)
{
	struct compare_row *w = &k->c->rows[i], *first = &k->c->rows[0];
	struct pairs p;
	double *d;

	if (w->other_data)
		return;
	pair_runs(&p, &k->arms[i], &k->arms[0], k->a);
	w->n_paired = p.n;
	w->in_order = p.in_order;
	if (!effect_of(k, &p, NULL, &w->effect, &w->mcnemar) && p.n) /* a row that has not run yet says nothing */
		*crossed = false;
	w->p = w->p_holm = w->effect.p;
	if (p.n > 1)
		w->cliff = stats_cliff(w->per_seed, w->n_done, first->per_seed, first->n_done);
	d = ARENA_ARRAY(k->a, double, p.n + 1);
	for (int s = 0; s < p.n; s++)
		d[s] = p.x[s]->accuracy - p.y[s]->accuracy;
	w->wilcoxon_least = p.n ? stats_wilcoxon_least(p.n) : (double)NAN;
	w->wilcoxon = p.n ? stats_wilcoxon(d, p.n) : (double)NAN;
	for (int q = 0; q < k->c->n_slices; q++) {
		struct compare_slice *v = &w->slices[q];

		effect_of(k, &p, k->members[q], &v->effect, NULL);
		v->p = v->effect.p;
	}
}

static void adjust_rows(struct comparison *c)
{
	double *p = mem_new((size_t)c->n_rows * sizeof *p);

	for (int i = 0; i < c->n_rows; i++)
		p[i] = c->rows[i].p;
	stats_holm(p, c->n_rows);
	for (int i = 0; i < c->n_rows; i++)
		c->rows[i].p_holm = p[i];
	mem_free(p);
}

static void adjust_slices(struct comparison *c)
{
	int n = c->n_rows * c->n_slices;
	double *p = mem_new((size_t)n * sizeof *p + 1);

	for (int i = 0; i < n; i++)
		p[i] = c->rows[i / c->n_slices].slices[i % c->n_slices].p;
	stats_holm(p, n);
	for (int i = 0; i < n; i++) {
		struct compare_slice *q = &c->rows[i / c->n_slices].slices[i % c->n_slices];

		q->p = p[i];
		q->fell = p[i] < alpha && q->effect.mean < 0;
	}
	mem_free(p);
}

/* ---- the best ------------------------------------------------------------------------------------------- */

static bool ranked(const struct compare_row *w, bool inherited)
{
	return w->n_done && !w->other_data && w->inherited == inherited && !isnan(w->accuracy);
}

/* Rows of a kind that cannot be told from its best one; returns how many of them could be tested at all. */
static int mark_best(struct reading *k, bool inherited)
{
	struct comparison *c = k->c;
	double *p = ARENA_ARRAY(k->a, double, c->n_rows);
	int best = -1, tested = 0, rows = 0;

	for (int i = 0; i < c->n_rows; i++)
		if (ranked(&c->rows[i], inherited)) {
			best = best < 0 || c->rows[i].accuracy > c->rows[best].accuracy ? i : best;
			rows++;
		}
	for (int i = 0; i < c->n_rows; i++) {
		struct stats_effect less;
		struct pairs pairs;

		p[i] = (double)NAN;
		if (i == best || !ranked(&c->rows[i], inherited))
			continue;
		pair_runs(&pairs, &k->arms[i], &k->arms[best], k->a);
		effect_of(k, &pairs, NULL, &less, NULL);
		p[i] = less.p;
		tested += !isnan(p[i]);
	}
	stats_holm(p, c->n_rows);
	for (int i = 0; i < c->n_rows && rows > 1 && tested; i++)
		c->rows[i].best = i == best || p[i] >= alpha;
	return rows > 1 ? tested : -1;
}

/* ---- notes ---------------------------------------------------------------------------------------------- */

struct tally {
	int compared, in_order, other_data, inherited, controls, fell;
	int least_pairs, most_pairs;
};

static struct tally count_rows(const struct comparison *c)
{
	struct tally t = { 0 };

	for (int i = 0; i < c->n_rows; i++) {
		const struct compare_row *w = &c->rows[i];
		bool compared = !isnan(w->effect.mean);

		t.compared += compared;
		t.in_order += w->in_order;
		t.other_data += w->other_data;
		t.inherited += w->inherited;
		t.controls += w->control_of != NULL;
		for (int q = 0; q < c->n_slices; q++)
			t.fell += w->slices[q].fell;
		if (compared && (!t.least_pairs || w->n_paired < t.least_pairs))
			t.least_pairs = w->n_paired;
		if (compared && w->n_paired > t.most_pairs)
			t.most_pairs = w->n_paired;
	}
	return t;
}

static void note_numbers(struct reading *k, const struct tally *t, bool crossed)
{
	const struct comparison *c = k->c;
	const char *name = c->metric->share ? "Accuracy in %" : c->metric->name;
	char seeds[40], n[32];

	if (t->least_pairs == t->most_pairs)
		snprintf(seeds, sizeof seeds, "%d seed%s", t->most_pairs, plural(t->most_pairs));
	else
		snprintf(seeds, sizeof seeds, "%d to %d seeds", t->least_pairs, t->most_pairs);
	if (c->n_examples)
		note(k, "%s on the %s split (%s examples), mean over seeds%s.", name, c->split,
		     str_thousands(n, c->n_examples), c->metric->share ? ", with 95 % interval" : "");
	else
		note(k, "%s on the %s split, mean over seeds.", name, c->split);
	if (!t->compared)
		return;
	note(k,
	     "Delta: difference to %s%s, paired by seed (%s)%s, with 95 %% interval. p: %s, two-sided, adjusted "
	     "(Holm) for %d comparison%s.",
	     c->rows[0].label, c->metric->share ? " in points" : "", seeds, crossed ? " and example" : "", c->primary,
	     t->compared, plural(t->compared));
	if (!crossed)
		note(k, "%s: the intervals are over seeds alone, for these %s examples.",
		     k->truth.n ? "Not every run has stored predictions"
				: "The store does not hold the labels of the data (an older nab, or no classes)",
		     c->split);
}

/* Why intervals are not to be relied on: every reason once, with the number of rows. */
static void note_doubts(struct reading *k)
{
	const struct comparison *c = k->c;

	for (int i = 1; i < c->n_rows; i++) {
		const char *doubt = c->rows[i].effect.doubt;
		bool said = !doubt;
		int n = 0;

		for (int j = 1; j < c->n_rows; j++) {
			bool same = doubt && c->rows[j].effect.doubt && strcmp(c->rows[j].effect.doubt, doubt) == 0;

			said = said || (same && j < i);
			n += same;
		}
		if (!said)
			note(k, "Do not rely on the interval%s of %d row%s: %s.", plural(n), n, plural(n), doubt);
	}
}

static void note_weakness(struct reading *k, const struct tally *t)
{
	double least = t->most_pairs ? stats_wilcoxon_least(t->most_pairs) : 0;

	if (t->most_pairs == 1)
		note(k, "One seed: intervals and p are over examples alone; they say nothing about other seeds. Repeat "
			"with --seeds 3 or more.");
	else
		note_doubts(k);
	if (t->compared && least > alpha)
		note(k, "Wilcoxon's exact test over seeds cannot go below p = %.3g with %d pair%s: left out.", least,
		     t->most_pairs, plural(t->most_pairs));
	if (t->in_order)
		note(k,
		     "%d row%s no seed in common with %s: runs are paired in their order, which is valid but weaker.",
		     t->in_order, t->in_order == 1 ? " has" : "s have", k->c->rows[0].label);
	if (t->other_data)
		note(k, "%d row%s trained on other data (or another split): not compared.", t->other_data,
		     t->other_data == 1 ? " was" : "s were");
}

static void note_reading(struct reading *k, const struct tally *t, bool bold)
{
	if (bold)
		note(k, "Bold (*): not significantly worse than the best%s (5 %%, Holm).",
		     t->inherited ? " of its kind" : "");
	if (t->inherited)
		note(k,
		     "(inherited): starts from trained weights; never ranked together with rows trained from scratch.");
	if (t->controls)
		note(k, "(control): widened until it is as large as %s again, so that capacity is not what differs.",
		     k->c->rows[0].label);
	if (t->fell)
		note(k, "!: the slice fell significantly (5 %%, Holm over rows and slices), whatever the total did.");
	if (k->o->test)
		note(k, "Test split: every look makes it a little less of a test.");
}

/* ---- all ------------------------------------------------------------------------------------------------ */

static int read_all(struct reading *k, const int64_t *candidates, struct err *e)
{
	for (int i = 0; i < k->c->n_rows; i++)
		if (read_row(k, i, candidates[i], e) < 0)
			return -1;
	if (k->data.id && store_truth_get(k->s, k->data.id, k->o->test ? TEST : VALIDATION, &k->truth, k->a, e) < 0)
		return -1;
	k->c->n_examples = k->truth.n;
	for (int i = 0; i < k->c->n_rows; i++)
		if (read_runs(k, i, e) < 0)
			return -1;
	return pick_slices(k, e);
}

static void compute(struct reading *k)
{
	struct comparison *c = k->c;
	bool crossed = true, bold;
	struct tally t;

	fill_accuracies(k);
	for (int q = 0; q < c->n_slices; q++)
		fill_slice_accuracies(k, q);
	for (int i = 1; i < c->n_rows; i++)
		fill_row_effect(k, i, &crossed);
	adjust_rows(c);
	if (c->n_slices)
		adjust_slices(c);
	bold = mark_best(k, false) > 0;
	bold = mark_best(k, true) > 0 || bold;
	c->primary = crossed ? "crossed t (seeds and examples)" : "paired t (seeds)";
	t = count_rows(c);
	note_numbers(k, &t, crossed);
	note_weakness(k, &t);
	note_reading(k, &t, bold);
}

int compare_gather(struct comparison **out, struct store *s, const int64_t *candidates, int n,
		   const struct compare_opts *o, struct arena *a, struct err *e)
{
	struct comparison *c = ARENA_NEW(a, struct comparison);
	struct reading k = { .s = s, .o = o, .a = a, .c = c };

	c->title = o->title;
	c->split = o->test ? "test" : "validation";
	c->n_rows = n;
	c->rows = ARENA_ARRAY(a, struct compare_row, n + 1);
	k.arms = ARENA_ARRAY(a, struct arm, n + 1);
	*out = c;
	if (read_all(&k, candidates, e) < 0)
		return -1;
	compute(&k);
	return 0;
}

int64_t compare_reference(const struct store_candidate *all, int n)
{
	int64_t baseline = 0;

	for (int i = 0; i < n; i++) {
		for (int k = 0; k < n && !all[i].change; k++)
			if (k != i && all[k].parent == all[i].model)
				return all[i].id;
		if (!baseline && all[i].origin == ORIGIN_BASELINE)
			baseline = all[i].id;
	}
	return baseline ? baseline : all[0].id;
}
