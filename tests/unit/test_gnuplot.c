/* tests/unit/test_gnuplot.c - the plots for papers: their scripts and data are goldens (NAB_GOLDEN=1 rewrites them),
 * their numbers are those of the report, and no text of a store is more than text to gnuplot or to who reads its
 * picture.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/compare.h"
#include "report/figure.h"
#include "report/gather.h"
#include "report/gnuplot.h"
#include "report/map.h"
#include "report/report.h"
#include "tests/helper_files.h"
#include "tests/helper_ok.h"
#include "tests/helper_skip.h"
#include "tests/helper_store.h"

struct bench {
	struct arena *a;
	const char *dir;
	struct store *s, *evil;
	struct report *r, *evil_report;
};

static void open_store(struct bench *b, const char *name, bool hostile, struct store **s, struct report **r)
{
	struct made_store m = { .study = "glyphs",
				.candidates = 9,
				.baselines = 2,
				.seeds = 3,
				.epochs = 5,
				.examples = 200,
				.n_classes = 4,
				.hostile = hostile,
				.seed = 3 };
	char *path = arena_printf(b->a, "%s/%s.db", b->dir, name);

	if (hostile)
		m.n_classes = 0; /* ten, with names to match */
	made_store_add(path, &m);
	m.study = "glyphs-ablate";
	m.kind = "ablate";
	m.baselines = 0;
	m.candidates = 4;
	m.seed = 5;
	made_store_add(path, &m);
	OK(store_open(s, path, STORE_READ, &bad));
	OK(report_gather(r, *s, &(struct gather_opts){ .top = 50 }, b->a, &bad));
}

static int setup(void **state)
{
	struct bench *b = mem_new(sizeof *b);

	b->dir = temp_dir();
	b->a = arena_new();
	open_store(b, "plain", false, &b->s, &b->r);
	open_store(b, "hostile", true, &b->evil, &b->evil_report);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	store_close(b->s);
	store_close(b->evil);
	arena_free(b->a);
	mem_free(b);
	return temp_teardown(state);
}

static char *slurp(struct bench *b, const char *path)
{
	char *text, *copy;

	OK(file_read(&text, NULL, path, 1 << 26, false, &bad));
	copy = arena_strdup(b->a, text);
	mem_free(text);
	return copy;
}

static char *written(struct bench *b, const char *name, const char *ending)
{
	return slurp(b, arena_printf(b->a, "%s/%s.%s", b->dir, name, ending));
}

static struct plot_request request(const struct bench *b)
{
	return (struct plot_request){ .report = b->r, .store = b->s };
}

static void plot(struct bench *b, const char *kind, const struct plot_request *q, const char *name)
{
	const char *why = "";
	int rc;

	err_clear(&bad);
	rc = gnuplot_write(gnuplot_find(kind), q, b->dir, name, &why, &bad);
	if (rc)
		fail_msg("%s: %s%s", kind, why, bad.msg);
}

/* ---- goldens -------------------------------------------------------------------------------------------- */

static void expect_golden(struct bench *b, const char *name, const char *ending)
{
	char *golden = arena_printf(b->a, "tests/golden/plots/%s.%s", name, ending), *text = written(b, name, ending);

	if (getenv("NAB_GOLDEN")) {
		OK(file_mkdirs("tests/golden/plots", &bad));
		OK(file_write(golden, text, strlen(text), &bad));
	}
	if (strcmp(slurp(b, golden), text) != 0)
		fail_msg("%s differs (NAB_GOLDEN=1 rewrites it):\n%s", golden, text);
}

static void scripts_and_data_are_goldens(void **state)
{
	struct bench *b = *state;
	struct plot_request q = request(b);
	int two[2] = { 0, 1 };

	for (int i = 0; gnuplot_plots[i]; i++) {
		const char *name = gnuplot_plots[i]->name;

		plot(b, name, &q, name);
		if (strcmp(name, "map") == 0) /* places come out of LAPACK: not the same on every machine */
			continue;
		expect_golden(b, name, "gp");
		expect_golden(b, name, "dat");
	}
	q.rows = two;
	q.n_rows = 2;
	q.loss = true;
	q.format = FIGURE_PDF;
	plot(b, "curves", &q, "loss");
	expect_golden(b, "loss", "gp");
	expect_golden(b, "loss", "dat");
	q.n_rows = 0;
	q.format = FIGURE_TEX;
	q.x = PLOT_SECONDS;
	q.width = 8.5;
	plot(b, "pareto", &q, "pareto-seconds");
	expect_golden(b, "pareto-seconds", "gp");
	expect_golden(b, "pareto-seconds", "dat");
}

/* ---- numbers -------------------------------------------------------------------------------------------- */

enum { MOST_ROWS = 4000, COLUMNS = 8 };

struct rows {
	double v[MOST_ROWS][COLUMNS];
	int n;
};

/* The numbers of a block of a data file, up to the first text of each row; rows that begin with one are left out. */
static void read_block(struct rows *out, const char *text, int index)
{
	int block = 0, blank = 0, seen = 0;

	out->n = 0;
	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		char *end;
		const char *s = line;
		int k = 0;

		if (*line == '\n') {
			blank++;
			continue;
		}
		if (blank >= 2 && seen)
			block++;
		blank = 0;
		seen = 1;
		if (*line == '#' || block != index)
			continue;
		for (; k < COLUMNS; k++, s = end) {
			out->v[out->n][k] = strtod(s, &end);
			if (end == s)
				break;
		}
		out->n += k > 0;
		assert_true(out->n < MOST_ROWS);
	}
}

static bool near(double a, double b)
{
	return fabs(a - b) <= 1e-6 * fmax(1, fabs(b));
}

static void pareto_is_the_front(void **state)
{
	struct bench *b = *state;
	struct plot_request q = request(b);
	struct rows *p = mem_new(sizeof *p), *base = mem_new(sizeof *p), *f = mem_new(sizeof *p);
	char *dat;

	plot(b, "pareto", &q, "front");
	dat = written(b, "front", "dat");
	read_block(p, dat, 0);
	read_block(base, dat, 1);
	read_block(f, dat, 2);
	assert_int_equal(p->n + base->n, b->r->n_ranked);
	assert_int_equal(base->n, 2);
	assert_true(f->n >= 2);
	for (int k = 0; k + 1 < f->n; k++) { /* the last corner is the right end */
		assert_true(f->v[k][0] < f->v[k + 1][0] && f->v[k][1] <= f->v[k + 1][1]);
		for (int i = 0; i < b->r->n_ranked; i++)
			assert_false((double)b->r->rows[i].params <= f->v[k][0] &&
				     100 * b->r->rows[i].accuracy > f->v[k][1] + 1e-5);
	}
	assert_true(near(f->v[f->n - 1][1], 100 * b->r->rows[0].accuracy));
	for (int k = 0; k < p->n; k++)
		assert_true(p->v[k][2] <= p->v[k][1] && p->v[k][1] <= p->v[k][3]);
	mem_free(p);
	mem_free(base);
	mem_free(f);
}

static void curves_are_means_over_seeds(void **state)
{
	struct bench *b = *state;
	struct plot_request q = request(b);
	struct rows *c = mem_new(sizeof *c);
	int row = 2;
	const struct report_row *w = &b->r->rows[row];

	q.rows = &row;
	q.n_rows = 1;
	plot(b, "curves", &q, "mean");
	read_block(c, written(b, "mean", "dat"), 0);
	assert_int_equal(c->n, 5);
	for (int e = 0; e < c->n; e++) {
		double sum = 0, low = 1, high = 0, train = 0;

		for (int i = 0; i < w->n_runs; i++) {
			assert_int_equal(w->runs[i].epochs[e].epoch, e + 1);
			sum += w->runs[i].epochs[e].val_accuracy;
			train += w->runs[i].epochs[e].train_accuracy;
			low = fmin(low, w->runs[i].epochs[e].val_accuracy);
			high = fmax(high, w->runs[i].epochs[e].val_accuracy);
		}
		assert_true(near(c->v[e][0], e + 1) && near(c->v[e][1], 100 * sum / w->n_runs));
		assert_true(near(c->v[e][2], 100 * low) && near(c->v[e][3], 100 * high));
		assert_true(near(c->v[e][4], 100 * train / w->n_runs));
	}
	mem_free(c);
}

static void rows_of_a_confusion_are_shares(void **state)
{
	struct bench *b = *state;
	struct plot_request q = request(b);
	struct rows *c = mem_new(sizeof *c);
	double sum[4] = { 0 }, right = 0, all = 0;

	plot(b, "confusion", &q, "shares");
	read_block(c, written(b, "shares", "dat"), 0);
	assert_int_equal(c->n, 16);
	for (int k = 0; k < c->n; k++) {
		sum[(int)c->v[k][1]] += c->v[k][2];
		all += c->v[k][3];
		right += c->v[k][0] == c->v[k][1] ? c->v[k][3] : 0;
	}
	for (int k = 0; k < 4; k++)
		assert_true(near(sum[k], 100));
	assert_true(near(right / all, b->r->rows[0].accuracy)); /* the best model, over its seeds */
	mem_free(c);
}

static void long_class_names_stand_above_their_title(void **state)
{
	struct bench *b = *state;
	struct plot_request q = request(b);
	const char *old = b->r->classes[1], *script, *at;
	double bottom, y;

	b->r->classes[1] = "Iris-versicolor Linnaeus";
	plot(b, "confusion", &q, "long");
	b->r->classes[1] = old;
	script = written(b, "long", "gp");
	at = strstr(script, "bmargin at screen ");
	assert_int_equal(sscanf(at, "bmargin at screen %lf", &bottom), 1);
	at = strstr(script, "'predicted class' at screen ");
	assert_int_equal(sscanf(at, "'predicted class' at screen %*f, screen %lf", &y), 1);
	assert_true(y < 0.2 * bottom);
}

static void progress_never_falls(void **state)
{
	struct bench *b = *state;
	struct plot_request q = request(b);
	struct rows *c = mem_new(sizeof *c);
	double best = 0;

	plot(b, "progress", &q, "rise");
	read_block(c, written(b, "rise", "dat"), 0);
	assert_int_equal(c->n, 9); /* also those that failed: they took time */
	for (int k = 0; k < c->n; k++) {
		assert_true(near(c->v[k][0], k + 1));
		assert_true(k == 0 || c->v[k][1] >= c->v[k - 1][1]);
		best = isnan(c->v[k][2]) ? best : fmax(best, c->v[k][2]);
		assert_true(best == 0 ? isnan(c->v[k][3]) : near(c->v[k][3], best));
	}
	mem_free(c);
}

/* Finished models stay on their axes; failed ones have no accuracy. */
static void failed_models_flatten_no_axis(void **state)
{
	struct bench *b = *state;
	struct plot_request q = request(b);
	struct rows *lines = mem_new(sizeof *lines), *failed = mem_new(sizeof *failed), *axes = mem_new(sizeof *axes);
	char *dat;
	double last, low = 1, high = 0;

	plot(b, "parallel", &q, "axes");
	dat = written(b, "axes", "dat");
	read_block(failed, dat, 0);
	read_block(lines, dat, 1);
	read_block(axes, dat, 3);
	last = axes->v[axes->n - 1][0];
	for (int k = 0; k < lines->n; k++) {
		assert_true(lines->v[k][1] >= 0 && lines->v[k][1] <= 1);
		if (lines->v[k][0] != last)
			continue;
		low = fmin(low, lines->v[k][1]);
		high = fmax(high, lines->v[k][1]);
	}
	assert_true(low == 0 && high == 1); /* the axis of accuracies is used in full */
	assert_true(failed->n > 0);
	for (int k = 0; k < failed->n; k++)
		assert_true(failed->v[k][0] != last && failed->v[k][1] >= -0.05 && failed->v[k][1] <= 1.05);
	mem_free(lines);
	mem_free(failed);
	mem_free(axes);
}

static void ablation_is_the_comparison(void **state)
{
	struct bench *b = *state;
	struct plot_request q = request(b);
	struct rows *c = mem_new(sizeof *c), *doubt = mem_new(sizeof *c);
	struct store_candidate *all;
	struct store_study y;
	struct comparison *m;
	int64_t id[16];
	int n, found = 0;
	char *dat;

	plot(b, "ablation", &q, "units");
	dat = written(b, "units", "dat");
	read_block(c, dat, 0);
	read_block(doubt, dat, 1);
	OK(store_study_find(b->s, "glyphs-ablate", &y, b->a, &bad));
	OK(store_candidates(b->s, y.id, &all, &n, b->a, &bad));
	for (int i = 0; i < n; i++)
		id[i] = all[i].id;
	assert_true(id[0] == compare_reference(all, n));
	OK(compare_gather(&m, b->s, id, n, &(struct compare_opts){ 0 }, b->a, &bad));
	for (int i = 1; i < m->n_rows; i++)
		for (int k = 0; k < c->n + doubt->n; k++) {
			const double *v = k < c->n ? c->v[k] : doubt->v[k - c->n];
			const struct stats_effect *e = &m->rows[i].effect;

			found += near(v[0], 100 * e->mean) && near(v[1], 100 * e->low) && near(v[2], 100 * e->high);
		}
	assert_true(found >= n - 1);
	mem_free(c);
	mem_free(doubt);
}

static void map_has_every_model_once(void **state)
{
	struct bench *b = *state;
	struct plot_request q = request(b);
	struct rows *m = mem_new(sizeof *m), *base = mem_new(sizeof *m);
	char *dat;

	for (int k = 0; k < MAP_METRIC_COUNT; k++) {
		q.distance = k;
		plot(b, "map", &q, "places");
		dat = written(b, "places", "dat");
		read_block(m, dat, 0);
		read_block(base, dat, 1);
		assert_int_equal(m->n + base->n, b->r->n_ranked);
		for (int i = 0; i < m->n; i++)
			assert_true(m->v[i][0] > 0 && m->v[i][1] > 0 && m->v[i][2] >= 0.59 && m->v[i][2] <= 1.41);
	}
	mem_free(m);
	mem_free(base);
}

static void nothing_to_show_is_said(void **state)
{
	struct bench *b = *state;
	struct plot_request q = request(b);
	const char *why = NULL;

	q.store = NULL;
	assert_int_equal(gnuplot_write(gnuplot_find("ablation"), &q, b->dir, "none", &why, &bad), 1);
	assert_non_null(strstr(why, "nab ablate"));
	assert_false(file_exists(arena_printf(b->a, "%s/none.gp", b->dir)));
	err_clear(&bad);
	assert_int_equal(gnuplot_write(gnuplot_find("pareto"), &q, b->dir, "|touch x", &why, &bad), -1);
	assert_int_equal(bad.code, ERR_USAGE);
	assert_null(gnuplot_find("paret"));
}

/* ---- what others wrote ---------------------------------------------------------------------------------- */

static const char *const nasty[] = {
	"`touch pwned`",
	"$(touch pwned)",
	"'; system('touch pwned'); '",
	"\"; system(\"touch pwned\"); \"",
	"@pwned {/Symbol a}_b^c ~x",
	"line\nbreak\r\ttab \x1b[31m",
	"back\\slash \\n \\042 \\\\",
	"# comment NaN 1 2 3",
	"<script>alert(1)</script> &amp; &#65; ]]> <!--",
	"\\input{/etc/passwd} $x^2$ %d %s {",
	"\xff\xfe gr\xc3\xbc\xc3\x9f"
	"e",
};
enum { NASTY = sizeof nasty / sizeof *nasty };

static void check_xml(struct bench *b, const char *name)
{
	char *command = arena_printf(b->a, "xmllint --noout --nonet '%s/%s.svg'", b->dir, name);

	if (program_there("xmllint") && system(command) != 0)
		fail_msg("%s.svg is not well-formed", name);
}

/* All of them as labels, tics and titles of a legend, drawn; the SVG's texts are what went in. */
static void labels_stay_labels(void **state)
{
	struct bench *b = *state;
	struct figure f = { .name = "nasty", .format = FIGURE_SVG };
	struct plot_request q = request(b);
	const char *svg;

	figure_begin(&f, &q, 14, 9);
	figure_block(&f, "labels");
	for (int i = 0; i < NASTY; i++) {
		figure_value(&f, i);
		figure_value(&f, i);
		figure_field(&f, nasty[i]);
		figure_row(&f);
	}
	for (int i = 0; i < NASTY; i++) {
		figure_block(&f, "a legend");
		figure_field(&f, nasty[i]);
		figure_row(&f);
		figure_value(&f, i);
		figure_row(&f);
	}
	figure_end(&f);
	str_add(&f.gp, "set key outside\nset macros\npwned = 'system(\"touch pwned\")'\n"
		       "plot 'nasty.dat' index 0 using 1:2:3 with labels notitle, '' index 0 using 1:2:ytic(3) with "
		       "points notitle");
	for (int i = 0; i < NASTY; i++)
		str_addf(&f.gp, ", '' index %d using 1 with points title columnheader(1)", i + 1);
	str_add(&f.gp, "\n");
	for (const char *s = str_get(&f.dat); *s; s++)
		assert_true(*s == '\n' || (unsigned char)*s >= 0x20);
	OK(file_write(arena_printf(b->a, "%s/nasty.gp", b->dir), f.gp.s, f.gp.len, &bad));
	OK(file_write(arena_printf(b->a, "%s/nasty.dat", b->dir), f.dat.s, f.dat.len, &bad));
	figure_release(&f);
	if (!program_there("gnuplot"))
		SKIP_BECAUSE("no gnuplot");
	OK(gnuplot_draw("gnuplot", b->dir, "nasty", FIGURE_SVG, &bad));
	assert_false(file_exists(arena_printf(b->a, "%s/pwned", b->dir)));
	svg = written(b, "nasty", "svg");
	check_xml(b, "nasty");
	assert_non_null(strstr(svg, ">`touch pwned`<"));
	assert_non_null(strstr(svg, ">$(touch pwned)<"));
	assert_non_null(strstr(svg, ">'; system('touch pwned'); '<"));
	assert_non_null(strstr(svg, ">\"; system(\"touch pwned\"); \"<"));
	assert_non_null(strstr(svg, ">@pwned {/Symbol a}_b^c ~x<"));
	assert_non_null(strstr(svg, ">back\\slash \\n \\042 \\\\<"));
	assert_non_null(strstr(svg, ">\\input{/etc/passwd} $x^2$ %d %s {<"));
}

/* No name of the store is in a script; everything can be drawn, and is sound. */
static void hostile_stores_make_harmless_plots(void **state)
{
	struct bench *b = *state;
	struct plot_request q = { .report = b->evil_report, .store = b->evil };
	const struct report *r = b->evil_report;

	for (int k = 0; k < FIGURE_FORMAT_COUNT; k++)
		for (int i = 0; gnuplot_plots[i]; i++) {
			const char *name = arena_printf(b->a, "evil-%s-%d", gnuplot_plots[i]->name, k), *gp;

			q.format = (enum figure_format)k;
			plot(b, gnuplot_plots[i]->name, &q, name);
			gp = written(b, name, "gp");
			assert_null(strpbrk(gp, "`\"@"));
			assert_null(strstr(gp, "$("));
			assert_null(strstr(gp, "script>"));
			for (int c = 0; c < r->n_classes; c++)
				assert_null(strstr(gp, r->classes[c]));
			for (int w = 0; w < r->n_rows; w++)
				if (strpbrk(r->rows[w].label, "<>&=`'"))
					assert_null(strstr(gp, r->rows[w].label));
			if (!program_there("gnuplot"))
				continue;
			OK(gnuplot_draw("gnuplot", b->dir, name, q.format, &bad));
			if (q.format == FIGURE_SVG)
				check_xml(b, name);
			assert_false(file_exists(arena_printf(b->a, "%s/nab-was-here", b->dir)));
		}
	assert_false(file_exists("nab-was-here"));
}

static void without_gnuplot_it_says_so(void **state)
{
	struct bench *b = *state;
	struct plot_request q = request(b);

	plot(b, "pareto", &q, "alone");
	err_clear(&bad);
	assert_int_equal(gnuplot_draw("no-such-gnuplot", b->dir, "alone", FIGURE_SVG, &bad), -1);
	assert_int_equal(bad.code, ERR_RUNTIME);
	assert_non_null(strstr(bad.msg, "gnuplot-nox"));
	assert_non_null(strstr(bad.msg, "alone.gp"));
	assert_non_null(strstr(bad.msg, "were written"));
}

/* ---- labels --------------------------------------------------------------------------------------------- */

/* Labels overlap neither each other nor marks, and stay inside. */
static void placed_labels_are_apart(void **state)
{
	struct figure_label l[40];
	struct point mark[40];
	struct figure f = { .width = 15, .height = 9, .left = 2, .right = 1, .top = 1, .bottom = 1, .points = 9 };
	int placed = 0;

	(void)state;
	for (int i = 0; i < 40; i++) {
		mark[i] = (struct point){ fmod(i * 0.618, 1) * 12, fmod(i * 0.382 + 0.1, 1) * 7 };
		l[i] = (struct figure_label){ mark[i].x, mark[i].y, i % 2 ? "a-model-of-some-length" : "m" };
	}
	figure_place(&f, l, 40, mark, 40);
	for (int i = 0; i < 40; i++) {
		double w = figure_text_width(l[i].text, 9) / 2;

		if (isnan(l[i].x))
			continue;
		placed++;
		assert_true(l[i].x - w >= 0 && l[i].x + w <= 12 && l[i].y >= 0 && l[i].y <= 7);
		for (int k = 0; k < 40; k++) {
			if (k < i && !isnan(l[k].x))
				assert_true(fabs(l[i].y - l[k].y) > 0.3 ||
					    fabs(l[i].x - l[k].x) > w + figure_text_width(l[k].text, 9) / 2 - 1e-9);
			assert_true(fabs(l[i].y - mark[k].y) > 0.2 || fabs(l[i].x - mark[k].x) > w);
		}
	}
	assert_true(placed > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scripts_and_data_are_goldens),
		cmocka_unit_test(pareto_is_the_front),
		cmocka_unit_test(curves_are_means_over_seeds),
		cmocka_unit_test(rows_of_a_confusion_are_shares),
		cmocka_unit_test(long_class_names_stand_above_their_title),
		cmocka_unit_test(progress_never_falls),
		cmocka_unit_test(failed_models_flatten_no_axis),
		cmocka_unit_test(ablation_is_the_comparison),
		cmocka_unit_test(map_has_every_model_once),
		cmocka_unit_test(nothing_to_show_is_said),
		cmocka_unit_test(labels_stay_labels),
		cmocka_unit_test(hostile_stores_make_harmless_plots),
		cmocka_unit_test(without_gnuplot_it_says_so),
		cmocka_unit_test(placed_labels_are_apart),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
