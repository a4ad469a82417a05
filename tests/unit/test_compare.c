/* tests/unit/test_compare.c - comparisons against numbers worked out here, from stores whose predictions are planted;
 * what is said of them; the table in LaTeX; two models aligned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "report/compare.h"
#include "report/model_diff.h"
#include "store/store.h"
#include "tests/helper_data.h"
#include "tests/helper_files.h"
#include "tests/helper_ok.h"

enum { CLASSES = 4, N = 400, SEEDS = 5 };

struct place {
	const char *path;
	struct arena *a;
	struct rng r;
	struct store *s;
	int64_t data, study, model;
	uint16_t label[N];
	uint8_t right[SEEDS][N]; /* of the reference */
	int made;
};

static int setup(void **state)
{
	struct place *p = mem_new(sizeof *p);
	struct store_data d = { .digest = "d1", .name = "n", .spec = "{}", .info = "{}" };
	struct store_study y = { .name = "s", .kind = "ablate", .config = "{}", .digest = "x", .env = "{}" };
	struct store_model m = {
		.hash = "h", .digest = "m", .summary = "", .params = 1000, .macs = 5000, .json = "{}"
	};

	p->a = arena_new();
	p->path = arena_printf(p->a, "%s/a.db", temp_dir());
	rng_init(&p->r, (uint64_t)time(NULL), (uint64_t)getpid());
	OK(store_open(&p->s, p->path, STORE_CREATE, &bad));
	OK(store_begin(p->s, &bad)); /* one transaction for all: no waiting for the disk */
	OK(store_data_put(p->s, &d, &bad));
	p->data = y.data = d.id;
	OK(store_study_add(p->s, &y, &bad));
	p->study = y.id;
	OK(store_model_put(p->s, &m, &bad));
	p->model = m.id;
	for (int i = 0; i < N; i++)
		p->label[i] = (uint16_t)(i % CLASSES);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	store_rollback(p->s);
	store_close(p->s);
	arena_free(p->a);
	mem_free(p);
	return temp_teardown(state);
}

/* Labels, and two slices: the examples of class 0, and the first half. */
static void put_labels(struct place *p)
{
	static uint8_t zero[N], half[N];
	const struct store_slice slices[] = { { "zeros", zero }, { "half", half } };
	const struct store_truth t = { .split = 1, .n = N, .label = p->label, .slices = slices, .n_slices = 2 };

	for (int i = 0; i < N; i++) {
		zero[i] = p->label[i] == 0;
		half[i] = i < N / 2;
	}
	OK(store_truth_put(p->s, p->data, &t, &bad));
}

static void put_run(struct place *p, int64_t candidate, int replicate, uint64_t seed, const uint8_t *right)
{
	struct store_run r = { .candidate = candidate, .replicate = replicate, .seed = seed };
	struct store_result q = { .state = STATE_DONE, .epochs = 1, .seconds = 2 + replicate };
	struct store_evaluation v = { .split = 1, .n = N, .classes = CLASSES };
	uint16_t predicted[N];
	int hits = 0;

	for (int i = 0; i < N; i++) {
		predicted[i] = right[i] ? p->label[i] : (uint16_t)((p->label[i] + 1) % CLASSES);
		hits += right[i];
	}
	v.accuracy = (double)hits / N;
	v.predicted = predicted;
	r.identity = arena_printf(p->a, "%d", p->made++);
	OK(store_run_add(p->s, &r, &bad));
	OK(store_evaluation_put(p->s, r.id, &v, &bad));
	q.val_accuracy = q.score = v.accuracy;
	OK(store_result_put(p->s, r.id, &q, &bad));
}

static int64_t add_candidate(struct place *p, int64_t study, const char *label, const char *change)
{
	struct store_candidate c = { .study = study,
				     .model = p->model,
				     .origin = ORIGIN_USER,
				     .number = p->made,
				     .label = label,
				     .recipe = "{}",
				     .proposal = "{}",
				     .key = arena_printf(p->a, "k%d", p->made++),
				     .change = change };

	OK(store_candidate_add(p->s, &c, &bad));
	return c.id;
}

/* The reference: about 80 % right, with hard and easy examples. */
static int64_t add_reference(struct place *p)
{
	int64_t id = add_candidate(p, p->study, "parent", NULL);

	for (int s = 0; s < SEEDS; s++) {
		for (int i = 0; i < N; i++)
			p->right[s][i] = i % 5 == 0 ? rng_below(&p->r, 4) == 0 : rng_below(&p->r, 20) != 0;
		put_run(p, id, s, 100 + (uint64_t)s, p->right[s]);
	}
	return id;
}

/* A child whose run of each seed is the reference's with `loses` right answers taken and `wins` wrong ones given, among
 * the examples from..to. */
static void change_some(struct place *p, uint8_t *right, int count, bool take, int from, int to)
{
	for (int tries = 0; count > 0 && tries < 100000; tries++) {
		int i = from + (int)rng_below(&p->r, (uint32_t)(to - from));

		if (right[i] != take)
			continue;
		right[i] = !take;
		count--;
	}
}

static int64_t add_child(struct place *p, const char *label, int loses, int wins)
{
	int64_t id = add_candidate(p, p->study, label, "{\"words\":\"removed x\",\"unit\":\"x\"}");
	uint8_t right[N];

	for (int k = 0; k < SEEDS; k++) {
		int s = (k + 2) % SEEDS; /* replicates stand in another order: seeds decide what is a pair */

		memcpy(right, p->right[s], N);
		change_some(p, right, loses, true, 0, N);
		change_some(p, right, wins, false, 0, N);
		put_run(p, id, k, 100 + (uint64_t)s, right);
	}
	return id;
}

static struct comparison *gather(struct place *p, const int64_t *ids, int n, const struct compare_opts *o)
{
	struct comparison *c;

	OK(compare_gather(&c, p->s, ids, n, o, p->a, &bad));
	return c;
}

static bool noted(const struct comparison *c, const char *part)
{
	for (int i = 0; i < c->n_notes; i++)
		if (strstr(c->notes[i], part))
			return true;
	return false;
}

static void near(double v, double want)
{
	if (!(fabs(v - want) <= 1e-12 + 1e-9 * fabs(want)))
		fail_msg("%.17g, not %.17g", v, want);
}

/* ---- numbers -------------------------------------------------------------------------------------------- */

static void pairs_are_of_one_seed_and_example(void **state)
{
	struct place *p = *state;
	const struct compare_opts o = { 0 };
	int64_t ids[3];
	struct stats_effect want;
	struct comparison *c;
	signed char y[SEEDS][N];
	double d[SEEDS], mean, sd, pair_p[2];
	uint8_t right[N];

	put_labels(p);
	ids[0] = add_reference(p);
	ids[1] = add_candidate(p, p->study, "child", "{\"words\":\"removed x\",\"unit\":\"x\"}");
	for (int k = SEEDS - 1; k >= 0; k--) {
		for (int i = 0; i < N; i++) {
			right[i] = rng_below(&p->r, 8) ? p->right[k][i] : (uint8_t)rng_below(&p->r, 2);
			y[k][i] = (signed char)((int)right[i] - (int)p->right[k][i]);
		}
		put_run(p, ids[1], SEEDS - 1 - k, 100 + (uint64_t)k, right);
	}
	ids[2] = add_child(p, "other", 30, 25);
	c = gather(p, ids, 3, &o);
	assert_int_equal(c->n_examples, N);
	assert_int_equal(c->rows[1].n_paired, SEEDS);
	stats_crossed(&want, &y[0][0], SEEDS, N);
	near(c->rows[1].effect.mean, want.mean);
	near(c->rows[1].effect.low, want.low);
	near(c->rows[1].effect.high, want.high);
	near(c->rows[1].mcnemar, stats_mcnemar_seeds(&y[0][0], SEEDS, N));
	near(c->rows[1].accuracy - c->rows[0].accuracy, want.mean);
	for (int s = 0; s < SEEDS; s++) {
		d[s] = 0;
		for (int i = 0; i < N; i++)
			d[s] += (double)y[s][i] / N;
	}
	near(c->rows[1].wilcoxon, stats_wilcoxon(d, SEEDS));
	near(c->rows[1].wilcoxon_least, 0.0625);
	assert_int_equal(stats_mean(c->rows[0].per_seed, SEEDS, &mean, &sd), SEEDS);
	near(c->rows[0].accuracy, mean);
	near(c->rows[0].spread, sd);
	near(c->rows[0].seconds, 4);
	pair_p[0] = c->rows[1].p;
	pair_p[1] = c->rows[2].p;
	stats_holm(pair_p, 2);
	near(c->rows[1].p_holm, pair_p[0]);
	near(c->rows[2].p_holm, pair_p[1]);
	assert_true(isnan(c->rows[0].effect.mean) && isnan(c->rows[0].p_holm));
	assert_string_equal(c->rows[1].change, "removed x");
	assert_string_equal(c->rows[1].unit, "x");
	assert_true(noted(c, "cannot go below p = 0.0625 with 5 pairs"));
	assert_true(noted(c, "crossed t") && noted(c, "400 examples") && noted(c, "validation split"));
}

/* A row that is still to be trained does not change how the others are judged. */
static void waiting_rows_are_left_alone(void **state)
{
	struct place *p = *state;
	int64_t ids[3] = { add_reference(p), add_child(p, "b", 40, 2), add_candidate(p, p->study, "waits", NULL) };
	struct comparison *c;

	put_labels(p);
	c = gather(p, ids, 3, &(struct compare_opts){ 0 });
	assert_int_equal(c->rows[2].n_done, 0);
	assert_true(isnan(c->rows[2].p) && isnan(c->rows[2].effect.mean));
	assert_true(noted(c, "crossed t"));
	assert_false(noted(c, "over seeds alone"));
}

static void bold_is_not_significantly_worse(void **state)
{
	struct place *p = *state;
	const struct compare_opts o = { 0 };
	int64_t ids[4];
	struct comparison *c;

	put_labels(p);
	ids[0] = add_reference(p);
	ids[1] = add_child(p, "useless", 20, 20); /* changes answers, not their number */
	ids[2] = add_child(p, "essential", 120, 0);
	ids[3] = add_child(p, "equal", 0, 0);
	c = gather(p, ids, 4, &o);
	assert_true(c->rows[0].best && c->rows[1].best && c->rows[3].best);
	assert_false(c->rows[2].best);
	assert_true(c->rows[1].effect.low <= 0 && c->rows[1].effect.high >= 0);
	assert_true(c->rows[2].effect.high < 0);
	assert_true(c->rows[2].p_holm < 0.05 && c->rows[1].p_holm > 0.05);
	assert_true(c->rows[2].p_holm >= c->rows[2].p);
	near(c->rows[3].effect.mean, 0);
	assert_true(noted(c, "Bold"));
}

static int64_t add_inherited(struct place *p, int64_t run)
{
	struct store_candidate c = { .study = p->study,
				     .model = p->model,
				     .origin = ORIGIN_USER,
				     .number = p->made,
				     .label = "heir",
				     .recipe = "{}",
				     .proposal = "{}",
				     .key = "heir",
				     .start_run = run };
	uint8_t right[N];

	p->made++;
	OK(store_candidate_add(p->s, &c, &bad));
	for (int s = 0; s < SEEDS; s++) {
		memcpy(right, p->right[s], N);
		change_some(p, right, 30, false, 0, N);
		put_run(p, c.id, s, 100 + (uint64_t)s, right);
	}
	return c.id;
}

/* What starts from trained weights is better for that, and takes nothing from those that do not. */
static void kinds_are_ranked_apart(void **state)
{
	struct place *p = *state;
	const struct compare_opts o = { 0 };
	int64_t ids[3];
	struct comparison *c;
	struct str text = { 0 };

	put_labels(p);
	ids[0] = add_reference(p);
	ids[1] = add_child(p, "child", 60, 0);
	ids[2] = add_inherited(p, 1);
	c = gather(p, ids, 3, &o);
	assert_true(c->rows[2].inherited && !c->rows[0].inherited);
	assert_true(c->rows[2].accuracy > c->rows[0].accuracy);
	assert_true(c->rows[0].best);
	assert_false(c->rows[1].best);
	assert_false(c->rows[2].best); /* alone of its kind: there is nothing to be better than */
	table_text(&text, compare_table(c, p->a), 0);
	assert_non_null(strstr(str_get(&text), "heir (inherited)"));
	assert_true(noted(c, "never ranked together"));
	str_release(&text);
}

/* ---- what is missing ------------------------------------------------------------------------------------ */

static void without_labels_seeds_alone_count(void **state)
{
	struct place *p = *state;
	const struct compare_opts o = { 0 };
	static const char *const names[] = { "zeros" };
	const struct compare_opts sliced = { .slices = names, .n_slices = 1 };
	struct stats_effect want;
	struct comparison *c;
	double d[SEEDS];
	int64_t ids[2];

	ids[0] = add_reference(p);
	ids[1] = add_child(p, "child", 22, 3);
	c = gather(p, ids, 2, &o);
	for (int s = 0; s < SEEDS; s++)
		d[s] = -19.0 / N;
	stats_paired_t(&want, d, SEEDS);
	near(c->rows[1].effect.mean, want.mean);
	assert_true(isnan(c->rows[1].mcnemar));
	assert_string_equal(c->primary, "paired t (seeds)");
	assert_true(noted(c, "does not hold the labels"));
	assert_int_equal(compare_gather(&c, p->s, ids, 2, &sliced, p->a, &bad), -1);
	assert_int_equal(bad.code, ERR_USAGE);
}

static void other_data_and_seeds(void **state)
{
	struct place *p = *state;
	const struct compare_opts o = { 0 };
	struct store_data d = { .digest = "d2", .name = "n", .spec = "{}", .info = "{}" };
	struct store_study y = { .name = "t", .kind = "train", .config = "{}", .digest = "x", .env = "{}" };
	struct comparison *c;
	int64_t ids[5];

	put_labels(p);
	ids[0] = add_reference(p);
	OK(store_data_put(p->s, &d, &bad));
	y.data = d.id;
	OK(store_study_add(p->s, &y, &bad));
	ids[1] = add_candidate(p, y.id, "stranger", NULL);
	put_run(p, ids[1], 0, 100, p->right[0]);
	ids[2] = add_candidate(p, p->study, "later", NULL);
	put_run(p, ids[2], 0, 7, p->right[1]);
	put_run(p, ids[2], 1, 8, p->right[2]);
	ids[3] = add_candidate(p, p->study, "waits", NULL);
	ids[4] = add_candidate(p, p->study, "once", NULL);
	put_run(p, ids[4], 0, 103, p->right[0]);
	c = gather(p, ids, 5, &o);
	assert_true(c->rows[1].other_data && isnan(c->rows[1].effect.mean) && !c->rows[1].best);
	assert_int_equal(c->rows[1].n_done, 1);
	assert_true(c->rows[2].in_order);
	assert_int_equal(c->rows[2].n_paired, 2);
	assert_true(isnan(c->rows[3].accuracy));
	assert_string_equal(c->rows[3].state, "not run");
	assert_int_equal(c->rows[4].n_paired, 1);
	assert_false(c->rows[4].effect.reliable);
	assert_true(noted(c, "other data") && noted(c, "paired in their order"));
	assert_true(noted(c, "Do not rely on"));
}

static void a_slice_may_fall_while_the_total_rises(void **state)
{
	struct place *p = *state;
	static const char *const one[] = { "half" };
	const struct compare_opts all = { 0 }, named = { .slices = one, .n_slices = 1 };
	struct str text = { 0 };
	struct comparison *c;
	int64_t ids[2];
	uint8_t right[N];

	put_labels(p);
	ids[0] = add_reference(p);
	ids[1] = add_candidate(p, p->study, "trade", NULL);
	for (int s = 0; s < SEEDS; s++) {
		memcpy(right, p->right[s], N);
		for (int i = 0; i < N; i++) /* class 0 is lost to a third, everything else is right */
			right[i] = p->label[i] ? 1 : right[i] && i % 3;
		put_run(p, ids[1], s, 100 + (uint64_t)s, right);
	}
	c = gather(p, ids, 2, &all);
	assert_int_equal(c->n_slices, 2);
	assert_true(c->rows[1].effect.mean > 0);
	assert_string_equal(c->rows[1].slices[0].name, "zeros");
	assert_int_equal(c->rows[1].slices[0].n, N / CLASSES);
	assert_true(c->rows[1].slices[0].fell);
	assert_false(c->rows[1].slices[1].fell);
	assert_true(c->rows[1].slices[0].p < 0.05 && c->rows[1].slices[0].effect.high < 0);
	table_text(&text, compare_table(c, p->a), 100);
	assert_non_null(strstr(str_get(&text), "] !\n"));
	assert_true(noted(c, "fell significantly"));
	c = gather(p, ids, 2, &named);
	assert_int_equal(c->n_slices, 1);
	assert_string_equal(c->rows[0].slices[0].name, "half");
	str_release(&text);
}

/* ---- the table ------------------------------------------------------------------------------------------ */

/* Columns of a row of LaTeX: unescaped ampersands, spans counted. */
static int latex_columns(const char *line)
{
	const char *span = strstr(line, "\\multicolumn{");
	int n = 1;

	for (const char *s = line; *s; s++)
		n += *s == '&' && (s == line || s[-1] != '\\');
	return span ? n + atoi(span + strlen("\\multicolumn{")) - 1 : n;
}

/* Braces close, environments nest, all rows of the tabular have its columns, no special stands bare. */
static void check_latex(char *doc)
{
	int depth = 0, columns = -1, rows = 0;
	const char *bare = "#$^~_";

	for (const char *s = doc; *s; s++) {
		bool escaped = s > doc && s[-1] == '\\';

		depth += *s == '{' && !escaped;
		depth -= *s == '}' && !escaped;
		assert_true(depth >= 0);
		assert_true((unsigned char)*s >= 0x20 || *s == '\n');
		if (*s == '$' && !escaped && strncmp(s, "$-$", 3) && strncmp(s, "$<$", 3) && strncmp(s, "$>$", 3) &&
		    strncmp(s, "$|$", 3) && strncmp(s - 2, "$-$", 3) && strncmp(s - 2, "$<$", 3) &&
		    strncmp(s - 2, "$>$", 3) && strncmp(s - 2, "$|$", 3))
			fail_msg("bare $: %.40s", s);
		if (strchr(bare + 2, *s) && !escaped)
			fail_msg("bare %c: %.40s", *s, s);
		if (*s == '#' && !escaped)
			fail_msg("bare #: %.40s", s);
	}
	assert_int_equal(depth, 0);
	for (char *line = strtok(doc, "\n"); line; line = strtok(NULL, "\n")) {
		size_t n = strlen(line);

		if (n < 3 || strcmp(line + n - 3, " \\\\") != 0)
			continue;
		if (columns < 0)
			columns = latex_columns(line);
		if (latex_columns(line) != columns)
			fail_msg("%d columns, not %d: %s", latex_columns(line), columns, line);
		rows++;
	}
	assert_true(rows > 3);
}

static void latex_is_well_formed(void **state)
{
	static const char *const hostile[] = { "a_b & c%", "{$x^2$}~\\input{/etc/passwd}", "[*] #1 <x>|\"y\"",
					       "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5\xff\x1b[0m --- `" };
	struct place *p = *state;
	const struct compare_opts o = { 0 };
	struct str text = { 0 };
	int64_t ids[5];

	put_labels(p);
	ids[0] = add_reference(p);
	for (int i = 0; i < 4; i++)
		ids[i + 1] = add_child(p, hostile[i], 10 * i, 3);
	table_latex(&text, compare_table(gather(p, ids, 5, &o), p->a));
	assert_non_null(strstr(str_get(&text), "\\toprule"));
	assert_non_null(strstr(str_get(&text), "a\\_b \\& c\\%"));
	assert_non_null(strstr(str_get(&text), "\\textbf{"));
	assert_null(strstr(str_get(&text), "\\input"));
	check_latex(text.s);
	str_release(&text);
}

static void text_fits_a_terminal(void **state)
{
	struct place *p = *state;
	const struct compare_opts o = { 0 };
	struct str text = { 0 };
	struct comparison *c;
	struct table *t;
	int64_t ids[2];

	put_labels(p);
	ids[0] = add_reference(p);
	ids[1] = add_child(p, "without-a-block-that-has-a-rather-long-name-and-some-more", 40, 2);
	c = gather(p, ids, 2, &o);
	t = compare_table(c, p->a);
	for (int width = 60; width <= 200; width += 20) {
		int at = 0;

		str_clear(&text);
		table_text_in(&text, t, width, true);
		for (const char *s = str_get(&text); *s; s++) {
			if (*s == '\x1b')
				s = strchr(s, 'm') + 1;
			at = *s == '\n' ? 0 : at + (((unsigned char)*s & 0xc0) != 0x80);
			assert_true(at <= width);
		}
		assert_non_null(strstr(str_get(&text), "\x1b[1m"));
		assert_non_null(strstr(str_get(&text), "more")); /* wrapped, not cut */
	}
	assert_non_null(strstr(str_get(&text), "McNemar"));
	str_release(&text);
}

/* ---- two models ----------------------------------------------------------------------------------------- */

#define HEAD    "{'input': [1, 12, 12], 'classes': 4, 'layers': ["
#define TAIL    "'flatten', {'dense': {'units': 4}}]}"
#define CONV(f) "{'conv2d': {'filters': " #f ", 'kernel': 3, 'padding': 'same'}}, 'relu', "

static const struct diff_step *step_of(const struct model_diff *d, enum diff_kind kind)
{
	for (int i = 0; i < d->n; i++)
		if (d->steps[i].kind == kind)
			return &d->steps[i];
	return NULL;
}

static void models_are_aligned(void **state)
{
	struct place *p = *state;
	const struct graph *a = graph_of(p->a, HEAD CONV(8) CONV(16) CONV(24) TAIL);
	const struct graph *less = graph_of(p->a, HEAD CONV(16) CONV(24) TAIL);
	const struct graph *wide = graph_of(p->a, HEAD CONV(8) CONV(20) CONV(24) TAIL);
	struct model_diff *d = model_diff(a, a, false, p->a);
	const struct diff_step *s;

	assert_int_equal(d->count[DIFF_SAME], a->n_nodes);
	assert_int_equal(d->n, a->n_nodes);
	/* ids only count layers here: what was conv2d_2 is conv2d_1 now */
	d = model_diff(a, less, false, p->a);
	assert_int_equal(d->count[DIFF_REMOVED], 2);
	assert_int_equal(d->count[DIFF_ADDED] + d->count[DIFF_CHANGED], 0);
	assert_int_equal(d->steps[0].a, 0);
	assert_int_equal(d->steps[0].kind, DIFF_REMOVED);
	assert_int_equal(d->count[DIFF_RESHAPED], 1); /* it reads 1 channel instead of 8 */
	/* ... but where ids were kept, they decide */
	d = model_diff(a, less, true, p->a);
	assert_int_equal(d->steps[0].kind, DIFF_CHANGED);
	assert_string_equal(less->nodes[d->steps[0].b].id, "conv2d_1");
	/* one option */
	d = model_diff(a, wide, true, p->a);
	assert_int_equal(d->count[DIFF_CHANGED], 1);
	assert_int_equal(d->count[DIFF_ADDED] + d->count[DIFF_REMOVED], 0);
	s = step_of(d, DIFF_CHANGED);
	assert_int_equal(json_count(s->options), 1);
	assert_string_equal(json_string(json_get(json_first(s->options), "key")), "filters");
	assert_true(json_number(json_get(json_first(s->options), "old")) == 16);
	assert_true(json_number(json_get(json_first(s->options), "new")) == 20);
	assert_null(s->reads_a);
	/* and turned round */
	d = model_diff(less, a, false, p->a);
	assert_int_equal(d->count[DIFF_ADDED], 2);
}

static void new_wiring_is_a_change(void **state)
{
	struct place *p = *state;
	const struct graph *a =
	    graph_of(p->a, HEAD
		     "{'conv2d': {'filters': 1, 'kernel': 3, 'padding': 'same'}, 'id': 'x'}, {'relu': {}, 'id': 'y'}, "
		     "{'add': {}, 'from': ['x', 'y']}, " TAIL);
	const struct graph *b =
	    graph_of(p->a, HEAD
		     "{'conv2d': {'filters': 1, 'kernel': 3, 'padding': 'same'}, 'id': 'x'}, {'relu': {}, 'id': 'y'}, "
		     "{'add': {}, 'from': ['in', 'y']}, " TAIL);
	struct model_diff *d = model_diff(a, b, true, p->a);
	const struct diff_step *s = step_of(d, DIFF_CHANGED);

	assert_int_equal(d->count[DIFF_CHANGED], 1);
	assert_string_equal(s->reads_a, "x, y");
	assert_string_equal(s->reads_b, "in, y");
}

/* Whatever is aligned: every layer of both once, in order, pairs of one kind. */
static void alignments_are_whole(void **state)
{
	static const char *const parts[] = { CONV(8),         CONV(16),   "'relu', ",
					     "'batchnorm', ", "'tanh', ", "{'dropout': {'rate': 0.5}}, " };
	struct place *p = *state;

	for (int round = 0; round < 200; round++) {
		const struct graph *g[2];
		struct model_diff *d;
		int at[2] = { 0, 0 };

		for (int k = 0; k < 2; k++) {
			struct str t = { 0 };

			str_add(&t, HEAD);
			for (int n = (int)rng_below(&p->r, 8); n > 0; n--)
				str_add(&t, parts[rng_below(&p->r, 6)]);
			str_add(&t, TAIL);
			g[k] = graph_of(p->a, str_get(&t));
			str_release(&t);
		}
		d = model_diff(g[0], g[1], rng_below(&p->r, 2) != 0, p->a);
		for (int i = 0; i < d->n; i++) {
			const struct diff_step *s = &d->steps[i];

			if (s->a >= 0)
				assert_int_equal(s->a, at[0]++);
			if (s->b >= 0)
				assert_int_equal(s->b, at[1]++);
			if (s->a >= 0 && s->b >= 0)
				assert_int_equal(g[0]->nodes[s->a].kind, g[1]->nodes[s->b].kind);
		}
		assert_int_equal(at[0], g[0]->n_nodes);
		assert_int_equal(at[1], g[1]->n_nodes);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pairs_are_of_one_seed_and_example),
		TEST(waiting_rows_are_left_alone),
		TEST(bold_is_not_significantly_worse),
		TEST(kinds_are_ranked_apart),
		TEST(without_labels_seeds_alone_count),
		TEST(other_data_and_seeds),
		TEST(a_slice_may_fall_while_the_total_rises),
		TEST(latex_is_well_formed),
		TEST(text_fits_a_terminal),
		TEST(models_are_aligned),
		TEST(new_wiring_is_a_change),
		TEST(alignments_are_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
