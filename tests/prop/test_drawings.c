/* tests/prop/test_drawings.c - drawings judged by geometry: every shipped model and design, 200 models of every shipped
 * space, and random networks, in every size and layout. No two labels overlap, nothing leaves the paper, chips do not
 * lie over each other, connections on one track do not meet, and no line runs through a box.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/design.h"
#include "arch/model.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "report/canvas.h"
#include "report/graph_view.h"
#include "report/sheet.h"
#include "report/snac.h"
#include "report/snac_diff.h"
#include "report/snac_plan.h"
#include "space/space.h"
#include "tests/helper_files.h"
#include "tests/helper_geometry.h"
#include "tests/helper_graphs.h"

static const char *const dirs[] = { "configs/blocks" };
static const struct block_path lib = { dirs, 1 };

static void judge(const struct canvas *c, bool lines, const char *what, const char *how)
{
	char buf[400];
	const char *wrong = geometry_wrong(c, buf, sizeof buf);

	if (!wrong && lines)
		wrong = geometry_lines_wrong(c, buf, sizeof buf);
	if (wrong)
		fail_msg("%s, %s: %s", what, how, wrong);
}

/* Connections on one track keep apart. */
static void judge_tracks(const struct graph *g, bool unfold, const char *what)
{
	struct plan p;
	int *end;

	plan_graph(&p, g, unfold);
	end = mem_new((size_t)(p.tracks + 1) * sizeof *end);
	for (int c = 0; c < p.n_chips; c++) /* by their beginnings */
		for (int i = 0; i < p.n_bars; i++) {
			const struct bar *b = &p.bars[i];

			if (b->from != c)
				continue;
			if (end[b->track] > b->from)
				fail_msg("%s: two connections meet on track %d", what, b->track);
			end[b->track] = b->to;
		}
	mem_free(end);
	plan_release(&p);
}

static void judge_charts(const struct graph *g, struct rng *r, const char *what, struct arena *a)
{
	for (int k = 0; k < 2 * SNAC_SIZE_COUNT; k++) {
		struct snac_style style = { .size = (enum snac_size)(k / 2),
					    .vertical = k % 2,
					    .unfold = rng_u32(r) % 2,
					    .width = rng_u32(r) % 3 ? 0 : 150 + rng_u32(r) % 400 };
		char how[80];

		snprintf(how, sizeof how, "%s%s%s, width %g", snac_size_names[style.size],
			 style.vertical ? " upright" : "", style.unfold ? " unfolded" : "", style.width);
		judge(snac_draw(g, &style, a), false, what, how);
		style.silent = true;
		judge(snac_draw(g, &style, a), false, what, how);
	}
	judge_tracks(g, rng_u32(r) % 2, what);
}

/* The other one: what it is compared with. */
static void judge_all(const struct graph *g, const struct graph *other, struct rng *r, const char *what)
{
	struct arena *a = arena_new();
	struct graph_view_opts view = { "a name", rng_u32(r) % 2 };
	struct snac_diff_opts diff = {
		{ .size = (enum snac_size)(rng_u32(r) % SNAC_SIZE_COUNT), .unfold = rng_u32(r) % 2 },
		"one model",
		"a model with a name that is as long as this, which does not fit into any row of a chart",
		rng_u32(r) % 2
	};

	judge_charts(g, r, what, a);
	judge(graph_view_draw(g, &view, a), true, what, view.unfold ? "graph, unfolded" : "graph");
	if (other)
		judge(snac_diff_draw(model_diff(g, other, false, a), &diff, a), false, what, "difference");
	arena_free(a);
}

/* ---- where models come from ---------------------------------------------------------------------------- */

static void try_model(const char *path)
{
	struct arena *a = arena_new();
	struct diag d = { 0 };
	struct err e = { 0 };
	struct graph *g;
	struct rng r;

	if (model_load(&g, path, &lib, a, &d, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	rng_init(&r, 7, 1);
	judge_all(g, g, &r, path);
	diag_release(&d);
	arena_free(a);
}

enum { SAMPLES = 200, ROWS = 30 };

static void judge_sheets(struct sheet_model *models, int n, const char *what)
{
	struct arena *a = arena_new();

	for (int k = 0; k < 2 * SNAC_SIZE_COUNT; k++) {
		struct sheet_opts o = { .style = { .size = (enum snac_size)(k / 2), .vertical = k % 2 },
					.legend = k < 4,
					.searched = true,
					.against = k % 3 - 1 };

		for (int i = 0; i < n; i++)
			models[i].accuracy = i % 5 == 3 || k == 2 ? (double)NAN : 0.5 + 0.01 * (i * 7 % 31);
		judge(sheet_draw(models, n, &o, a), false, what, k % 2 ? "upright sheet" : "sheet");
		judge(sheet_draw(models, 1, &o, a), false, what, "sheet of one");
	}
	arena_free(a);
}

static void try_space(const char *path)
{
	struct arena *run = arena_new();
	struct sheet_model rows[ROWS];
	struct space_target t;
	struct diag d = { 0 };
	struct err e = { 0 };
	struct space *s;
	struct graph *before = NULL;

	if (space_load(&s, path, &lib, run, &d, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	assert_int_equal(space_own_target(s, &t), 0);
	for (int i = 0; i < SAMPLES; i++) {
		struct graph *g;
		struct rng r;
		char what[400];

		rng_init(&r, 2027, (uint64_t)i);
		if (space_sample(&g, s, &t, &r, run, NULL, &e) < 0)
			fail_msg("%s: %s", path, e.msg);
		snprintf(what, sizeof what, "%s %d", path, i);
		judge_all(g, i % 4 ? NULL : before, &r, what);
		if (i < ROWS) {
			sheet_model_of(&rows[i], g);
			rows[i].name = arena_printf(run, i == 4 ? "<script>alert(%d)</script>\x1b[31m" : "space-%d", i);
		}
		before = g;
	}
	judge_sheets(rows, ROWS, path);
	diag_release(&d);
	arena_free(run);
}

static void shipped_models(void **state)
{
	(void)state;
	assert_true(each_json("configs/models", try_model) >= 7);
}

static void shipped_spaces(void **state)
{
	(void)state;
	assert_true(each_json("configs/spaces", try_space) >= 4);
}

static void try_design(const struct design *d, const struct design_use *use, struct graph **before, struct arena *a)
{
	struct str text = { 0 };
	struct diag diag = { 0 };
	struct json *doc = NULL;
	struct graph *g;
	struct rng r;

	if (design_write(&text, d, use, NULL) == 0) {
		assert_int_equal(json_parse(&doc, str_get(&text), text.len, d->name, NULL), 0);
		assert_int_equal(model_read(&g, doc, NULL, &lib, a, &(struct json_in){ doc, &diag, NULL }), 0);
		rng_init(&r, 11, (uint64_t)g->n_nodes);
		judge_all(g, *before, &r, d->name);
		*before = g;
	}
	diag_release(&diag);
	json_free(doc);
	str_release(&text);
}

static void shipped_designs(void **state)
{
	static const char *const inputs[] = { "1,28,28", "3,224,224", "3,100", "7" };
	struct arena *a = arena_new();
	struct graph *before = NULL;
	struct design *d;
	int n;

	(void)state;
	assert_int_equal(design_list(&d, &n, "configs/designs", a, NULL), 0);
	for (int i = 0; i < n; i++)
		for (size_t k = 0; k < sizeof inputs / sizeof *inputs; k++) {
			struct design_use use = { NULL, TASK_CLASSIFY, 10, 0, 0.5 };
			struct shape in;

			assert_int_equal(design_shape(&in, inputs[k], NULL), 0);
			use.input = &in;
			try_design(&d[i], &use, &before, a);
		}
	arena_free(a);
}

static void random_networks(void **state)
{
	struct arena *a = arena_new();
	struct graph *before = NULL;
	struct rng r;

	(void)state;
	rng_init(&r, 99, 1);
	for (int i = 0; i < 300; i++) {
		struct graph *g = random_graph(a, &r);
		char what[40];

		snprintf(what, sizeof what, "random network %d", i);
		judge_all(g, before, &r, what);
		before = g;
	}
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shipped_models),
		cmocka_unit_test(shipped_designs),
		cmocka_unit_test(random_networks),
		cmocka_unit_test(shipped_spaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
