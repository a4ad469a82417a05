/* tests/unit/test_report.c - reports of stores that were filled through the store's own calls: numbers against plain
 * recomputation, the page as markup, hostile names, files.
 *
 * With NAB_REPORT_KEEP=DIR the reports stay in DIR/plain, DIR/hostile, DIR/many, DIR/doodles and DIR/trials (browser
 * tests open them).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/sha256.h"
#include "base/stats.h"
#include "base/str.h"
#include "report/assets.h"
#include "report/chart.h"
#include "report/gather.h"
#include "report/gnuplot.h"
#include "report/html.h"
#include "report/page.h"
#include "report/plots.h"
#include "report/report.h"
#include "report/table.h"
#include "report/trials.h"
#include "tests/helper_files.h"
#include "tests/helper_ok.h"
#include "tests/helper_store.h"
#include "tests/helper_xml.h"

struct place {
	const char *dir;
	struct arena *a;
};

static const char *const clothes[] = { "t-shirt", "trouser", "pullover", "dress", "coat",
				       "sandal",  "shirt",   "sneaker",  "bag",   "ankle boot" };
static const struct made_store plain = { .study = "fashion-100k",
					 .candidates = 26,
					 .baselines = 3,
					 .seeds = 1,
					 .epochs = 8,
					 .examples = 6000,
					 .classes = clothes,
					 .seed = 11 };
static const struct made_store hostile = { .study = "<script>alert(0)</script>",
					   .candidates = 18,
					   .baselines = 1,
					   .seeds = 2,
					   .epochs = 3,
					   .examples = 500,
					   .hostile = true,
					   .unfinished = true,
					   .seed = 12 };
static const struct made_store doodles = { .study = "doodles",
					   .candidates = 300,
					   .baselines = 2,
					   .seeds = 1,
					   .epochs = 3,
					   .examples = 1000,
					   .n_classes = 50,
					   .seed = 13 };

#define MORE "and more and more and more, as much of it as no chart has room for, at no size of its letters, "

/* As many classes as drawings have, one of them with a name that no chart can hold. */
static const struct made_store many = { .study = "drawings",
					.candidates = 8,
					.baselines = 1,
					.seeds = 2,
					.epochs = 3,
					.examples = 2500,
					.n_classes = 50,
					.last_class = "a name of three hundred characters " MORE MORE MORE,
					.seed = 13 };

static int setup(void **state)
{
	struct place *p = mem_new(sizeof *p);
	const char *keep = getenv("NAB_REPORT_KEEP");

	p->dir = keep ? keep : temp_dir();
	p->a = arena_new();
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	arena_free(p->a);
	mem_free(p);
	return temp_teardown(state);
}

/* The store of this kind, made on first use, open for reading. */
static struct store *store_of(struct place *p, const char *name, const struct made_store *m)
{
	char *path = arena_printf(p->a, "%s/%s.db", p->dir, name);
	struct store *s = NULL;

	if (!file_exists(path))
		made_store_add(path, m);
	OK(store_open(&s, path, STORE_READ, &bad));
	return s;
}

static struct report *report_of(struct place *p, const char *name, const struct made_store *m, int top)
{
	struct store *s = store_of(p, name, m);
	struct gather_opts o = { .top = top };
	struct report *r;

	OK(report_gather(&r, s, &o, p->a, &bad));
	store_close(s);
	return r;
}

/* ---- numbers -------------------------------------------------------------------------------------------- */

static double accuracy_of(const struct report_run *u)
{
	return u->item.run.state == STATE_DONE ? u->item.result.val_accuracy : (double)NAN;
}

static void check_row(const struct report *r, const struct report_row *w)
{
	double v[8], mean, sd, low, high;

	for (int i = 0; i < w->n_runs; i++)
		v[i] = accuracy_of(&w->runs[i]);
	assert_int_equal(stats_mean(v, w->n_runs, &mean, &sd), w->n_done);
	if (!w->n_done) {
		assert_true(isnan(w->score) && isnan(w->accuracy) && w->place_first == 0 && !w->front);
		return;
	}
	assert_true(w->accuracy == mean && fabs(w->score - mean) < 1e-12);
	stats_interval(mean, w->n_done, r->spread, r->spread_df, r->n_validation, &low, &high);
	assert_true(w->low == low && w->high == high && low < mean && mean < high);
	assert_true(w->best_epoch_accuracy >= w->accuracy);
	assert_non_null(w->graph);
	for (int i = 0; i < w->n_runs; i++) { /* the matrix agrees with the accuracy */
		const struct store_evaluation *e = &w->runs[i].val;
		int64_t right = 0, n = 0;

		if (w->runs[i].item.run.state != STATE_DONE)
			continue;
		for (int c = 0; c < e->classes * e->classes; c++) {
			n += e->confusion[c];
			right += c % (e->classes + 1) == 0 ? e->confusion[c] : 0;
		}
		assert_true(fabs((double)right / (double)n - v[i]) < 1e-12);
	}
}

/* The pooled spread: residuals of all seeds about the means of their candidates. */
static void check_spread(const struct report *r)
{
	double square = 0;
	int df = 0;

	for (int i = 0; i < r->n_rows; i++)
		for (int k = 0; k < r->rows[i].n_runs; k++) {
			double v = accuracy_of(&r->rows[i].runs[k]);

			if (isnan(v) || r->rows[i].n_done < 2)
				continue;
			square += (v - r->rows[i].accuracy) * (v - r->rows[i].accuracy);
			df += k > 0;
		}
	assert_int_equal(r->spread_df, df);
	assert_true(fabs(r->spread - (df ? sqrt(square / df) : 0)) < 1e-9);
}

/* Places by counting, as the words of the footnote say. */
static void check_places(const struct report *r)
{
	for (int i = 0; i < r->n_ranked; i++) {
		const struct report_row *w = &r->rows[i];
		int above = 0, below = 0;
		bool beaten = false;

		for (int k = 0; k < r->n_ranked; k++) {
			const struct report_row *o = &r->rows[k];

			above += o->low > w->high;
			below += o->high < w->low;
			beaten = beaten || (o->params <= w->params && o->accuracy >= w->accuracy &&
					    (o->params != w->params || o->accuracy != w->accuracy));
		}
		assert_int_equal(w->place_first, 1 + above);
		assert_int_equal(w->place_last, r->n_ranked - below);
		assert_int_equal(w->front, !beaten);
		assert_true(i == 0 || r->rows[i - 1].score >= w->score);
	}
}

static void numbers_are_right(void **state)
{
	struct place *p = *state;
	const struct made_store *all[] = { &plain, &hostile };

	for (int k = 0; k < 2; k++) {
		struct report *r = report_of(p, k ? "hostile" : "plain", all[k], 0);
		int failed = all[k]->candidates / 8 * all[k]->seeds, ranked = 0;

		assert_int_equal(r->n_rows, all[k]->candidates + all[k]->baselines);
		assert_int_equal(r->n_baselines, all[k]->baselines);
		assert_int_equal(r->failed, failed);
		assert_true(r->by_accuracy && r->classify);
		assert_int_equal(r->test_reads, 1);
		for (int i = 0; i < r->n_rows; i++) {
			check_row(r, &r->rows[i]);
			ranked += !isnan(r->rows[i].score);
		}
		assert_int_equal(r->n_ranked, ranked);
		check_places(r);
		check_spread(r);
	}
}

static void top_limits_details(void **state)
{
	struct report *r = report_of(*state, "plain", &plain, 4);
	int details = 0;

	for (int i = 0; i < r->n_rows; i++) {
		const struct report_row *w = &r->rows[i];

		details += w->detailed;
		assert_true(!w->detailed || i < 4 || w->candidate->origin == ORIGIN_BASELINE);
		assert_true(w->candidate->origin != ORIGIN_BASELINE || w->detailed);
		assert_int_equal(w->runs[0].n_epochs > 0, w->detailed);
	}
	assert_int_equal(r->n_detailed, details);
}

static void studies_on_the_same_data_stand_together(void **state)
{
	struct place *p = *state;
	struct made_store first = {
		.study = "one", .candidates = 5, .seeds = 1, .epochs = 2, .examples = 500, .seed = 1
	};
	struct made_store second = first, other = first;
	char *path = arena_printf(p->a, "%s/three.db", p->dir);
	struct gather_opts o = { 0 };
	struct store *s = NULL;
	struct report *r;

	second.study = "two";
	second.seed = 2;
	other.study = "else";
	other.examples = 700;
	other.classes = clothes; /* the same digest and specification: the same data, whatever it is called */
	made_store_add(path, &first);
	made_store_add(path, &second);
	made_store_add(path, &other);
	OK(store_open(&s, path, STORE_READ, &bad));
	OK(report_gather(&r, s, &o, p->a, &bad));
	assert_int_equal(r->n_studies, 3);
	assert_string_equal(r->studies[0].name, "else");
	assert_int_equal(r->n_rows, 15);
	o.study = 1;
	OK(report_gather(&r, s, &o, p->a, &bad));
	assert_int_equal(r->n_rows, 5);
	assert_string_equal(r->rows[0].study, "one");
	o.study = 99;
	err_clear(&bad);
	assert_int_equal(report_gather(&r, s, &o, p->a, &bad), -1);
	assert_int_equal(bad.code, ERR_USAGE);
	store_close(s);
}

/* A study whose only candidate takes its results from another one: the model is ranked once. */
static void copies_are_shown_once(void **state)
{
	struct place *p = *state;
	struct made_store m = {
		.study = "first", .candidates = 5, .seeds = 2, .epochs = 2, .examples = 500, .seed = 6
	};
	char *path = arena_printf(p->a, "%s/copies.db", p->dir);
	struct gather_opts o = { 0 };
	struct store *s = NULL;
	struct store_study first, y;
	struct store_candidate *c, copy;
	struct store_run *runs;
	struct report *r;
	int n, ranked;

	made_store_add(path, &m);
	OK(store_open(&s, path, STORE_CREATE, &bad));
	OK(report_gather(&r, s, &o, p->a, &bad));
	ranked = r->n_ranked;
	OK(store_study_get(s, 1, &first, p->a, &bad));
	OK(store_candidates(s, 1, &c, &n, p->a, &bad));
	OK(store_runs(s, 1, &runs, &n, p->a, &bad));
	y = first;
	y.name = "again";
	OK(store_study_add(s, &y, &bad));
	copy = c[0];
	copy.study = y.id;
	OK(store_candidate_add(s, &copy, &bad));
	for (int i = 0; i < 2; i++) {
		struct store_run u = {
			.candidate = copy.id, .replicate = i, .seed = runs[i].seed, .identity = runs[i].identity
		};

		assert_int_equal(runs[i].candidate, c[0].id);
		OK(store_run_add(s, &u, &bad));
		OK(store_run_copy(s, u.id, runs[i].id, &bad));
	}
	OK(report_gather(&r, s, &o, p->a, &bad));
	assert_int_equal(r->n_studies, 2);
	assert_int_equal(r->n_copies, 1);
	assert_int_equal(r->n_ranked, ranked);
	check_places(r);
	o.study = y.id; /* on its own it is no copy of anything that is shown */
	OK(report_gather(&r, s, &o, p->a, &bad));
	assert_int_equal(r->n_copies, 0);
	assert_int_equal(r->n_ranked, 1);
	store_close(s);
}

static void empty_store_is_refused(void **state)
{
	struct place *p = *state;
	char *path = arena_printf(p->a, "%s/empty.db", p->dir);
	struct report_made made;
	struct report_opts o = { .dir = arena_printf(p->a, "%s/empty", p->dir) };
	struct store *s = NULL;

	OK(store_open(&s, path, STORE_CREATE, &bad));
	err_clear(&bad);
	assert_int_equal(report_write(s, &o, &made, &bad), -1);
	assert_int_equal(bad.code, ERR_INVALID);
	assert_false(file_exists(o.dir));
	store_close(s);
}

/* A study that ranks by something else: no interval is claimed for it. */
static void other_scores_rank_without_intervals(void **state)
{
	struct made_store m = { .study = "lean",
				.candidates = 12,
				.baselines = 1,
				.seeds = 1,
				.epochs = 2,
				.examples = 500,
				.scored = true,
				.seed = 5 };
	struct report *r = report_of(*state, "lean", &m, 0);
	struct str text = { 0 };

	assert_false(r->by_accuracy);
	for (int i = 0; i < r->n_ranked; i++) {
		assert_int_equal(r->rows[i].place_first, i + 1);
		assert_int_equal(r->rows[i].place_last, i + 1);
		assert_true(i == 0 || r->rows[i].score <= r->rows[i - 1].score);
	}
	html_page(&text, &(struct page){ .r = r, .a = r->a });
	assert_null(xml_wrong(str_get(&text), true, NULL));
	assert_non_null(strstr(str_get(&text), "data-sort=\"score\""));
	assert_null(strstr(str_get(&text), "cannot be told apart"));
	str_clear(&text);
	table_markdown(&text, table_leaderboard(r, r->a));
	assert_non_null(strstr(str_get(&text), "no interval is known for it"));
	assert_non_null(strstr(str_get(&text), "| score |"));
	str_release(&text);
}

/* They had more training: shown, but not among those trained from scratch. */
static void inherited_weights_are_not_ranked(void **state)
{
	struct made_store m = { .study = "heirs",
				.candidates = 12,
				.baselines = 1,
				.seeds = 2,
				.epochs = 2,
				.examples = 500,
				.inherited = true,
				.seed = 9 };
	struct report *r = report_of(*state, "heirs", &m, 0);
	struct str text = { 0 };

	assert_int_equal(r->n_inherited, 6);
	assert_true(r->n_ranked >= 6);
	for (int i = 0; i < r->n_rows; i++) {
		assert_int_equal(r->rows[i].inherited,
				 r->rows[i].candidate->origin == ORIGIN_SEARCH && r->rows[i].candidate->number % 2);
		assert_int_equal(i < r->n_ranked, !r->rows[i].inherited && !isnan(r->rows[i].score));
		assert_true(i < r->n_ranked || r->rows[i].place_first == 0);
	}
	check_places(r);
	table_markdown(&text, table_leaderboard(r, r->a));
	assert_non_null(strstr(str_get(&text), "| inherited |"));
	assert_non_null(strstr(str_get(&text), "not ranked with those trained from scratch"));
	str_clear(&text);
	html_page(&text, &(struct page){ .r = r, .a = r->a });
	assert_null(xml_wrong(str_get(&text), true, NULL));
	assert_non_null(strstr(str_get(&text), "id=\"inherited\""));
	str_release(&text);
}

/* A study that has only begun: no ranks, no plots, but a page. */
static void nothing_finished_yet(void **state)
{
	struct place *p = *state;
	struct made_store m = { .study = "young", .seeds = 1, .epochs = 2, .examples = 500, .seed = 3 };
	struct report *r = report_of(p, "young", &m, 0);
	struct str page = { 0 };

	assert_int_equal(r->n_ranked, 0);
	html_page(&page, &(struct page){ .r = r, .a = r->a });
	assert_null(xml_wrong(str_get(&page), true, NULL));
	assert_non_null(strstr(str_get(&page), "No run of this study has finished"));
	str_release(&page);
}

/* ---- page ----------------------------------------------------------------------------------------------- */

struct census {
	int scripts, styles, handlers, links, images;
	char csp[512];
	bool is_csp;
};

static void see_element(void *arg, const char *name)
{
	struct census *c = arg;

	c->scripts += strcmp(name, "script") == 0;
	c->styles += strcmp(name, "style") == 0;
	c->images += strcmp(name, "img") == 0 || strcmp(name, "iframe") == 0 || strcmp(name, "link") == 0;
}

static void see_attribute(void *arg, const char *name, const char *value)
{
	struct census *c = arg;

	c->handlers += strncmp(name, "on", 2) == 0 || strcmp(name, "style") == 0;
	c->links += strcmp(name, "src") == 0 || (strcmp(name, "href") == 0 && value[0] != '#');
	if (strcmp(name, "content") == 0 && c->is_csp)
		snprintf(c->csp, sizeof c->csp, "%s", value);
	c->is_csp = strcmp(name, "http-equiv") == 0 && strcmp(value, "Content-Security-Policy") == 0;
}

/* The content of the nth element that starts with `open` (such as "<script>"), up to `close`. */
static char *content_of(struct arena *a, const char *page, const char *open, const char *close)
{
	const char *s = strstr(page, open), *end;

	assert_non_null(s);
	s += strlen(open);
	end = strstr(s, close);
	assert_non_null(end);
	return arena_printf(a, "%.*s", (int)(end - s), s);
}

static void check_policy(struct arena *a, const char *page, const char *policy)
{
	char digest[SHA256_BASE64];
	char *style = content_of(a, page, "<style>", "</style>"),
	     *script = content_of(a, page, "<script>", "</script>");

	assert_non_null(strstr(policy, "default-src &#39;none&#39;") ? policy : strstr(policy, "default-src 'none'"));
	assert_non_null(strstr(policy, sha256_base64(digest, style, strlen(style))));
	assert_non_null(strstr(policy, sha256_base64(digest, script, strlen(script))));
	assert_null(strstr(policy, "unsafe-inline"));
	assert_null(strstr(policy, "'unsafe-eval'")); /* 'wasm-unsafe-eval' only lets WebAssembly be compiled */
}

static void pages_hold_only_our_own_markup(void **state)
{
	struct place *p = *state;
	const struct made_store *all[] = { &plain, &hostile };

	for (int k = 0; k < 2; k++) {
		struct report *r = report_of(p, k ? "hostile" : "plain", all[k], 0);
		struct census c = { 0 };
		struct xml_seen seen = { see_element, see_attribute, &c };
		struct str page = { 0 };
		const char *wrong;

		html_page(&page, &(struct page){ .r = r, .a = r->a });
		wrong = xml_wrong(str_get(&page), true, &seen);
		if (wrong)
			fail_msg("%s", wrong);
		assert_int_equal(c.scripts, 2); /* the data and the one script */
		assert_int_equal(c.styles, 1);
		assert_int_equal(c.handlers + c.links + c.images, 0);
		check_policy(p->a, str_get(&page), c.csp);
		assert_null(strstr(str_get(&page), "http://"));
		assert_null(strstr(str_get(&page), "https://"));
		str_release(&page);
	}
}

/* The data for the script are JSON, and names come back as they were. */
static void data_survive_the_page(void **state)
{
	struct place *p = *state;
	struct report *r = report_of(p, "hostile", &hostile, 0);
	struct str page = { 0 };
	struct json *j = NULL;
	const struct json *label, *params, *accuracy;
	char *text;
	int i = 0;

	html_page(&page, &(struct page){ .r = r, .a = r->a });
	text = content_of(p->a, str_get(&page), "<script type=\"application/json\" id=\"data\">", "</script>");
	assert_null(strchr(text, '<'));
	OK(json_parse(&j, text, strlen(text), "data", &bad));
	JSON_EACH(c, json_get(j, "classes"))
		assert_string_equal(json_string(c), r->classes[i++]);
	assert_int_equal(i, r->n_classes);
	i = 0;
	label = json_first(json_get(json_get(j, "rows"), "label"));
	params = json_first(json_get(json_get(j, "rows"), "params"));
	accuracy = json_first(json_get(json_get(j, "rows"), "accuracy"));
	for (; label; label = json_next(label), params = json_next(params), accuracy = json_next(accuracy), i++) {
		assert_string_equal(json_string(label), r->rows[i].label);
		assert_int_equal((int64_t)json_number(params), r->rows[i].params);
		if (!isnan(r->rows[i].accuracy))
			assert_true(json_number(accuracy) == r->rows[i].accuracy);
		else
			assert_int_equal(json_type(accuracy), JSON_NULL);
	}
	assert_int_equal(i, r->n_rows);
	json_free(j);
	str_release(&page);
}

static void no_asset_is_forgotten(void **state)
{
	DIR *d = opendir("report/page");
	struct dirent *f;

	(void)state;
	assert_non_null(d);
	while ((f = readdir(d))) {
		bool found = f->d_name[0] == '.';

		for (int i = 0; page_asset_files[i] && !found; i++)
			found = strcmp(strrchr(page_asset_files[i], '/') + 1, f->d_name) == 0;
		if (!found)
			fail_msg("report/page/%s has no row in report/assets.c", f->d_name);
	}
	closedir(d);
}

/* ---- charts --------------------------------------------------------------------------------------------- */

static void ticks_are_round(void **state)
{
	struct rng g;

	(void)state;
	rng_init(&g, (uint64_t)time(NULL), (uint64_t)getpid());
	for (int i = 0; i < 4000; i++) {
		double scale = pow(10, 12 * rng_real(&g) - 6), tick[AXIS_TICKS];
		int most = 2 + (int)rng_below(&g, 10), n;
		struct axis x = { .low = scale * rng_real(&g), .log = i % 2 };

		x.low = x.log ? fmax(x.low, scale * 1e-3) : x.low - scale / 2;
		x.high = x.low + scale * (0.05 + rng_real(&g) * (i % 4 == 1 ? 1000 : 1));
		n = axis_ticks(tick, &x, most);
		assert_true(n <= most && n >= (most >= 4 ? 1 : 0));
		for (int k = 0; k < n; k++) {
			double digits = tick[k] == 0 ? 1 : fabs(tick[k]) / pow(10, floor(log10(fabs(tick[k])) + 1e-9));

			assert_true(tick[k] >= x.low - 1e-9 * scale && tick[k] <= x.high * (1 + 1e-9) + 1e-9 * scale);
			assert_true(k == 0 || tick[k] > tick[k - 1]);
			assert_true(fabs(digits * 1000 - round(digits * 1000)) < 1e-4);
		}
	}
}

static void check_paper(const struct canvas *c, const char *what)
{
	int n;
	const struct item *it = canvas_items(c, &n);

	for (int i = 0; i < n; i++) {
		for (int k = 0; k < it[i].n_points; k++)
			if (!(it[i].point[k].x >= 0 && it[i].point[k].x <= canvas_width(c) + 1 &&
			      it[i].point[k].y >= 0 && it[i].point[k].y <= canvas_height(c) + 1))
				fail_msg("%s: %g, %g is not on the paper", what, it[i].point[k].x, it[i].point[k].y);
		for (int k = 0; k < i && it[i].type == ITEM_TEXT; k++) {
			double w = text_width(it[i].text, &it[i].font) / 2, v;

			if (it[k].type != ITEM_TEXT || fabs(it[k].y - it[i].y) > 7)
				continue;
			v = text_width(it[k].text, &it[k].font) / 2;
			if (it[i].font.anchor == it[k].font.anchor && fabs(it[k].x - it[i].x) < (w + v) * 0.999 &&
			    it[i].font.anchor == ANCHOR_MIDDLE)
				fail_msg("%s: \"%s\" lies over \"%s\"", what, it[i].text, it[k].text);
		}
	}
}

static void plots_stay_on_the_paper(void **state)
{
	struct place *p = *state;
	struct report *r = report_of(p, "plain", &plain, 0);

	for (int x = 0; x < PLOT_X_COUNT; x++) {
		struct str svg = { 0 };
		struct canvas *c = plot_merit(r, (enum plot_x)x, 700, 400);

		check_paper(c, plot_x_names[x]);
		canvas_svg(&svg, c, &(struct svg_opts){ .theme = SVG_AUTO });
		assert_null(xml_wrong(str_get(&svg), false, NULL));
		str_release(&svg);
	}
	for (int i = 0; i < r->n_ranked; i++) {
		check_paper(plot_curves(r, &r->rows[i], CURVE_LOSS, 500, 250), "loss");
		check_paper(plot_curves(r, &r->rows[i], CURVE_ACCURACY, 500, 250), "accuracy");
		check_paper(plot_whisker(r, &r->rows[i], 100, 14), "whisker");
	}
}

/* ---- files ---------------------------------------------------------------------------------------------- */

static char *slurp(struct place *p, const char *dir, const char *name)
{
	char *text, *copy;

	OK(file_read(&text, NULL, arena_printf(p->a, "%s/%s", dir, name), 64 << 20, false, &bad));
	copy = arena_strdup(p->a, text);
	mem_free(text);
	return copy;
}

static void check_svgs(struct place *p, const char *dir, int least)
{
	DIR *d = opendir(dir);
	struct dirent *f;
	int n = 0;

	assert_non_null(d);
	while ((f = readdir(d))) {
		const char *wrong;

		if (!strstr(f->d_name, ".svg"))
			continue;
		wrong = xml_wrong(slurp(p, dir, f->d_name), false, NULL);
		if (wrong)
			fail_msg("%s: %s", f->d_name, wrong);
		n++;
	}
	closedir(d);
	assert_true(n >= least);
}

/* Every cell of the CSV that a spreadsheet could run starts with a quote. */
static void check_csv(const char *csv)
{
	bool quoted = false, start = true;

	for (; *csv; csv++) {
		if (start && *csv != '"')
			assert_null(strchr("=+@", *csv));
		if (start && *csv == '"' && csv[1])
			assert_null(strchr("=+@", csv[1]));
		start = false;
		if (*csv == '"')
			quoted = !quoted;
		else if (!quoted)
			start = *csv == ',' || *csv == '\n';
	}
	assert_false(quoted);
}

static void write_one(struct place *p, const char *name, const struct made_store *m, int charts)
{
	struct store *s = store_of(p, name, m);
	struct report_opts o = { .dir = arena_printf(p->a, "%s/%s", p->dir, name) };
	struct report_made made, again;
	const char *first;
	struct json *j = NULL;
	char *text;

	OK(report_write(s, &o, &made, &bad));
	first = slurp(p, o.dir, "index.html");
	o.no_figures = true;
	OK(report_write(s, &o, &again, &bad)); /* the same store: the same bytes */
	assert_string_equal(slurp(p, o.dir, "index.html"), first);
	assert_true(!again.drawn && !again.note[0]);
	assert_int_equal(made.models, m->candidates + m->baselines);
	assert_true(file_exists(made.index));
	assert_true(made.drawn || made.note[0]);
	check_svgs(p, arena_printf(p->a, "%s/snac", o.dir), charts);
	check_csv(slurp(p, o.dir, "leaderboard.csv"));
	assert_int_equal(strstr(slurp(p, o.dir, "leaderboard.tex"), "The first 24 of ") != NULL, made.models > 24);
	text = slurp(p, o.dir, "leaderboard.json");
	OK(json_parse(&j, text, strlen(text), "leaderboard.json", &bad));
	assert_int_equal(json_count(json_get(j, "rows")), made.models);
	json_free(j);
	text = slurp(p, o.dir, "leaderboard.md");
	assert_null(strchr(text, '<'));
	store_close(s);
}

static void writes_all_files(void **state)
{
	write_one(*state, "plain", &plain, 24);
	write_one(*state, "hostile", &hostile, 10);
	write_one(*state, "many", &many, 5);
	assert_false(file_exists("nab-was-here"));
}

/* More models than are written out: those are in the data alone; pinned ones are written out. */
static void many_models_are_compact(void **state)
{
	struct place *p = *state;
	struct store *s = store_of(p, "doodles", &doodles);
	const char *pins[] = { "doodles-2", "doodles-291" };
	struct report_opts o = { .dir = arena_printf(p->a, "%s/doodles", p->dir),
				 .top = 20,
				 .pins = pins,
				 .n_pins = 2,
				 .no_figures = true };
	struct gather_opts what = { .top = 20, .pins = pins, .n_pins = 2 };
	struct report_made made;
	struct report *r;
	const char *page;
	int rows = 0, detailed = 0;

	OK(report_write(s, &o, &made, &bad));
	OK(report_gather(&r, s, &what, p->a, &bad));
	for (int i = 0; i < r->n_rows; i++) {
		detailed += r->rows[i].detailed;
		if (strcmp(r->rows[i].label, pins[0]) == 0 || strcmp(r->rows[i].label, pins[1]) == 0)
			assert_true(r->rows[i].detailed);
	}
	assert_true(detailed >= 22 && detailed <= 24);
	page = slurp(p, o.dir, "index.html");
	for (const char *at = page; (at = strstr(at, "<tr data-row=")); at++)
		rows++;
	assert_int_equal(rows, detailed);
	pins[1] = "doodles-9999";
	err_clear(&bad);
	assert_int_equal(report_write(s, &o, &made, &bad), -1);
	assert_int_equal(bad.code, ERR_USAGE);
	store_close(s);
}

/* A search, an ablation and a variation of one data set, beside what others have published. */
static struct store *store_of_trials(struct place *p)
{
	struct made_store m = { .study = "searched",
				.candidates = 6,
				.seeds = 1,
				.epochs = 3,
				.examples = 1500,
				.classes = clothes,
				.seed = 21 };
	char *path = arena_printf(p->a, "%s/trials.db", p->dir);
	struct store *s = NULL;

	if (!file_exists(path)) {
		made_store_add(path, &m);
		m.seeds = 3;
		m.kind = "ablate";
		m.study = "parent-ablate";
		m.seed = 22;
		made_store_add(path, &m);
		m.kind = "vary";
		m.study = "parent-vary";
		made_store_add(path, &m);
	}
	OK(store_open(&s, path, STORE_READ, &bad));
	return s;
}

static const struct report_row *row_called(const struct report *r, const char *label, const char *study)
{
	for (int i = 0; i < r->n_rows; i++)
		if (strcmp(r->rows[i].label, label) == 0 && strcmp(r->rows[i].study, study) == 0)
			return &r->rows[i];
	fail_msg("no row %s", label);
	return NULL;
}

static void check_trial(const struct report *r, const struct trial *t)
{
	const struct report_row *parent = row_called(r, t->c->rows[0].label, t->study);

	assert_string_equal(t->c->rows[0].label, "parent");
	for (int i = 1; i < t->c->n_rows; i++) {
		const struct compare_row *c = &t->c->rows[i];
		const struct report_row *w = row_called(r, c->label, t->study);

		assert_true(fabs(c->effect.mean - (w->accuracy - parent->accuracy)) < 1e-9);
		assert_true(c->effect.low <= c->effect.mean && c->effect.mean <= c->effect.high);
		assert_int_equal(c->params, w->params);
		assert_int_equal(w->kind, t->ablation ? KIND_ABLATION : KIND_VARIATION);
		assert_ptr_equal(&r->rows[w->parent], parent);
		assert_string_equal(w->change, c->change);
	}
}

static void trials_stand_against_their_parents(void **state)
{
	struct place *p = *state;
	struct store *s = store_of_trials(p);
	struct report_opts o = { .dir = arena_printf(p->a, "%s/trials", p->dir), .literature = "cifar-10" };
	struct report_made made;
	struct gather_opts what = { 0 };
	struct report *r;
	struct trial *t;
	const char *wrong;
	int n;

	o.no_figures = true;
	OK(report_write(s, &o, &made, &bad));
	wrong = xml_wrong(slurp(p, o.dir, "index.html"), true, NULL);
	if (wrong)
		fail_msg("%s", wrong);
	OK(report_gather(&r, s, &what, p->a, &bad));
	OK(trials_gather(&t, &n, r, s, p->a, &bad));
	assert_int_equal(n, 2);
	for (int i = 0; i < n; i++) {
		check_trial(r, &t[i]);
		assert_int_equal(t[i].n_advice > 0, t[i].ablation);
		check_csv(slurp(p, o.dir, arena_printf(p->a, "%s.csv", t[i].file)));
		assert_non_null(strstr(slurp(p, o.dir, arena_printf(p->a, "%s.md", t[i].file)), "| parent |"));
	}
	assert_non_null(strstr(slurp(p, o.dir, "leaderboard.csv"), "literature"));
	assert_non_null(strstr(slurp(p, o.dir, "leaderboard.md"), "never ranked with the runs of the store"));
	assert_non_null(strstr(slurp(p, o.dir, "index.html"), "As published, not re-checked"));
	store_close(s);
}

static void literature_is_checked(void **state)
{
	static const struct {
		const char *text, *wrong;
	} bads[] = {
		{ "[]", "rows" },
		{ "{\"rows\": [{\"error\": 3}]}", "rows[0]: must be an object with a \"name\"" },
		{ "{\"rows\": [{\"name\": \"a\"}, {\"name\": \"b\", \"eror\": 3}]}", "rows[1]: \"eror\"" },
		{ "{\"rows\": [{\"name\": \"a\", \"accuracy\": 96.3}]}", "a share of 1" },
	};
	struct place *p = *state;
	char *path = arena_printf(p->a, "%s/papers.json", p->dir);
	const char *good = "{\"rows\":[{\"name\":\"<b>x</b>\",\"error\":4.5,\"params\":1e6,\"note\":\"n\"}]}";
	struct literature v;

	for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
		OK(file_write(path, bads[i].text, strlen(bads[i].text), &bad));
		err_clear(&bad);
		assert_int_equal(literature_read(&v, path, p->a, &bad), -1);
		assert_int_equal(bad.code, ERR_INVALID);
		assert_non_null(strstr(bad.msg, bads[i].wrong));
	}
	OK(file_write(path, good, strlen(good), &bad));
	OK(literature_read(&v, path, p->a, &bad));
	assert_int_equal(v.n, 1);
	assert_true(fabs(v.rows[0].accuracy - 0.955) < 1e-12 && isnan(v.rows[0].gpu_days));
	for (int i = 0; literature_names[i]; i++) {
		OK(literature_read(&v, literature_names[i], p->a, &bad));
		assert_true(v.n >= 10 && v.name && v.source);
	}
}

/* Tables in all their formats, charts as PDF where they are asked for. */
static void tables_and_charts_in_other_formats(void **state)
{
	struct place *p = *state;
	struct made_store m = {
		.study = "formats", .candidates = 3, .seeds = 1, .epochs = 2, .examples = 200, .seed = 21
	};
	struct report_opts o = { .dir = arena_printf(p->a, "%s/formats", p->dir), .no_figures = true, .pdf = true };
	struct store *s = store_of(p, "formats", &m);
	struct report_made made;
	const char *text;

	OK(report_write(s, &o, &made, &bad));
	store_close(s);
	text = slurp(p, o.dir, "leaderboard.tex");
	assert_non_null(strstr(text, "\\toprule"));
	assert_non_null(strstr(text, "\\bottomrule"));
	assert_memory_equal(slurp(p, o.dir, "snac/legend.pdf"), "%PDF-1.", 7);
	assert_memory_equal(slurp(p, o.dir, "snac/legend.svg"), "<svg", 4);
}

static void figures_without_gnuplot(void **state)
{
	struct place *p = *state;
	struct report *r = report_of(p, "hostile", &hostile, 0);
	char *dir = arena_printf(p->a, "%s/figures", p->dir), note[240];
	struct plot_request q = { .report = r };

	assert_int_equal(gnuplot_figures(&q, dir, "no-such-gnuplot", note, sizeof note, &bad), 0);
	assert_non_null(strstr(note, "no-such-gnuplot is not installed"));
	assert_int_equal(gnuplot_figures(&q, dir, "false", note, sizeof note, &bad), 0);
	assert_non_null(strstr(note, "status 1"));
	assert_non_null(slurp(p, dir, "pareto-params.gp"));
	assert_non_null(slurp(p, dir, "pareto-params.dat"));
}

static void unwritable_folder_is_an_error(void **state)
{
	struct place *p = *state;
	struct store *s = store_of(p, "plain", &plain);
	struct report_opts o = { .dir = arena_printf(p->a, "%s/plain.db/report", p->dir) };
	struct report_made made;

	err_clear(&bad);
	assert_int_equal(report_write(s, &o, &made, &bad), -1);
	assert_int_equal(bad.code, ERR_RUNTIME);
	store_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_right),
		cmocka_unit_test(top_limits_details),
		cmocka_unit_test(studies_on_the_same_data_stand_together),
		cmocka_unit_test(copies_are_shown_once),
		cmocka_unit_test(empty_store_is_refused),
		cmocka_unit_test(other_scores_rank_without_intervals),
		cmocka_unit_test(inherited_weights_are_not_ranked),
		cmocka_unit_test(nothing_finished_yet),
		cmocka_unit_test(pages_hold_only_our_own_markup),
		cmocka_unit_test(data_survive_the_page),
		cmocka_unit_test(no_asset_is_forgotten),
		cmocka_unit_test(ticks_are_round),
		cmocka_unit_test(plots_stay_on_the_paper),
		cmocka_unit_test(writes_all_files),
		cmocka_unit_test(many_models_are_compact),
		cmocka_unit_test(trials_stand_against_their_parents),
		cmocka_unit_test(literature_is_checked),
		cmocka_unit_test(tables_and_charts_in_other_formats),
		cmocka_unit_test(figures_without_gnuplot),
		cmocka_unit_test(unwritable_folder_is_an_error),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
