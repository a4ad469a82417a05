/* tests/unit/test_draw.c - sheets of models, comparisons and node-link views: what they must show, that nothing which a
 * user names becomes markup, and the text for Graphviz.
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

#include "base/mem.h"
#include "base/str.h"
#include "report/canvas.h"
#include "report/graph_view.h"
#include "report/layered.h"
#include "report/sheet.h"
#include "report/snac_diff.h"
#include "tests/helper_data.h"
#include "tests/helper_geometry.h"
#include "tests/helper_xml.h"

#define OLD                                                                                                            \
	"{'input': [1, 12, 12], 'classes': 3, 'layers': [{'conv2d': {'filters': 8, 'kernel': 3, 'padding': 'same'}}, " \
	"'batchnorm', 'relu', {'conv2d': {'filters': 16, 'kernel': 3, 'padding': 'same'}}, 'relu', {'maxpool2d': "     \
	"{'size': 2}}, 'flatten', {'dense': {'units': 3}}]}"
/* no batchnorm, more filters, a dropout */
#define NEW                                                                                                            \
	"{'input': [1, 12, 12], 'classes': 3, 'layers': [{'conv2d': {'filters': 8, 'kernel': 3, 'padding': 'same'}}, " \
	"'relu', {'conv2d': {'filters': 24, 'kernel': 3, 'padding': 'same'}}, 'relu', {'maxpool2d': {'size': 2}}, "    \
	"'flatten', {'dropout': {'rate': 0.5}}, {'dense': {'units': 3}}]}"
#define BRANCHES                                                                                                     \
	"{'input': [2, 8, 8], 'classes': 3, 'blocks': {'both': {'layers': [{'conv2d': {'filters': 4, 'kernel': 1}, " \
	"'id': 'a'}, {'conv2d': {'filters': 4, 'kernel': 3, 'padding': 'same'}, 'from': 'in', 'id': 'b'}, "          \
	"{'concat': {}, 'from': ['a', 'b', 'in']}]}}, 'layers': ['both', {'both': {}, 'repeat': 2}, "                \
	"'globalavgpool', {'dense': {'units': 3}}]}"

static const char hostile[] = "<script>alert(1)</script>\"'&\x1b[31m\x07 \xe2\x80\xae$(rm) 'x'";

static int setup(void **state)
{
	*state = arena_new();
	return 0;
}

static int teardown(void **state)
{
	arena_free(*state);
	return 0;
}

static int count_text(const struct canvas *c, const char *text)
{
	int n, count = 0;
	const struct item *it = canvas_items(c, &n);

	for (int i = 0; i < n; i++)
		count += it[i].type == ITEM_TEXT && strcmp(it[i].text, text) == 0;
	return count;
}

static bool has_text(const struct canvas *c, const char *part)
{
	int n;
	const struct item *it = canvas_items(c, &n);

	for (int i = 0; i < n; i++)
		if (it[i].type == ITEM_TEXT && strstr(it[i].text, part))
			return true;
	return false;
}

static void well_placed(const struct canvas *c, bool lines)
{
	char buf[400];
	const char *wrong = geometry_wrong(c, buf, sizeof buf);

	wrong = !wrong && lines ? geometry_lines_wrong(c, buf, sizeof buf) : wrong;
	if (wrong)
		fail_msg("%s", wrong);
}

/* Not by colour alone: a sign and a number at the layer, and words below. */
static void difference_is_marked(void **state)
{
	struct arena *a = *state;
	const struct model_diff *d = model_diff(graph_of(a, OLD), graph_of(a, NEW), false, a);
	struct snac_diff_opts o = { .style = { .size = SNAC_LARGE }, .name_a = "old", .name_b = "new", .legend = true };
	struct canvas *c = snac_diff_draw(d, &o, a);

	assert_int_equal(d->count[DIFF_REMOVED], 1);
	assert_int_equal(d->count[DIFF_ADDED], 1);
	assert_int_equal(d->count[DIFF_CHANGED], 1);
	well_placed(c, false);
	/* once at the layer, once in the line of counts */
	assert_int_equal(count_text(c, "\xe2\x88\x92"), 2);
	assert_int_equal(count_text(c, "~"), 2);
	assert_true(has_text(c, "1 removed") && has_text(c, "1 added") && has_text(c, "1 changed"));
	assert_true(has_text(c, "filters 16 to 24"));
	assert_true(has_text(c, "batchnorm_1: removed"));
	assert_true(has_text(c, "dropout_1: added"));
	assert_true(has_text(c, "old") && has_text(c, "new"));
}

/* A block that went as a whole has one number and one line. */
static void blocks_go_as_one(void **state)
{
	struct arena *a = *state;
	const char *form =
	    "{'input': [4], 'classes': 3, 'blocks': {'bottle': {'layers': [{'dense': {'units': 2}}, "
	    "'relu', {'dense': {'units': 4}}]}}, 'layers': ['tanh', %s'sigmoid', {'dense': {'units': 3}}]}";
	struct graph *with = graph_of(a, arena_printf(a, form, "'bottle', ")),
		     *without = graph_of(a, arena_printf(a, form, ""));
	struct snac_diff_opts o = { .style = { .size = SNAC_LARGE }, .name_a = "a", .name_b = "b" };
	struct canvas *c = snac_diff_draw(model_diff(with, without, true, a), &o, a);

	assert_int_equal(count_text(c, "bottle_1: removed, bottle of 3 layers"), 1);
	assert_int_equal(count_text(c, "1"), 3); /* at its three layers */
	assert_int_equal(count_text(c, "\xe2\x88\x92"
				       "1"),
			 1);
	assert_int_equal(count_text(c, "\xe2\x88\x92"
				       "2"),
			 0);
}

/* Long runs of what is the same are left out, and counted. */
static void equal_runs_are_left_out(void **state)
{
	struct arena *a = *state;
	struct str text = { 0 };
	struct snac_diff_opts o = { .style = { .size = SNAC_MEDIUM }, .name_a = "a", .name_b = "b" };
	struct graph *g, *h;
	struct canvas *shortened, *all;

	str_add(&text, "{'input': [4], 'classes': 3, 'layers': [");
	for (int i = 0; i < 40; i++)
		str_addf(&text, "'%s', ", i % 2 ? "relu" : "tanh");
	g = graph_of(a, arena_printf(a, "%s{'dense': {'units': 3}}]}", text.s));
	h = graph_of(a, arena_printf(a, "%s'elu', {'dense': {'units': 3}}]}", text.s));
	str_release(&text);
	shortened = snac_diff_draw(model_diff(g, h, false, a), &o, a);
	o.style.unfold = true;
	all = snac_diff_draw(model_diff(g, h, false, a), &o, a);
	assert_int_equal(count_text(shortened, "36"), 1);
	assert_int_equal(count_text(shortened, "equal"), 1);
	assert_int_equal(count_text(all, "equal"), 0);
	well_placed(shortened, false);
	well_placed(all, false);
}

/* Arrow heads: three points, filled. */
static int tips(const struct canvas *c)
{
	int n, count = 0;
	const struct item *it = canvas_items(c, &n);

	for (int i = 0; i < n; i++)
		if (it[i].type == ITEM_PATH && it[i].fill == INK_MUTED)
			for (int k = 0; k < it[i].n_verbs; k++)
				count += it[i].verb[k] == VERB_CLOSE;
	return count;
}

/* Every arrow head points at the middle of a chip's upper side. */
static void tips_hit_chips(const struct canvas *c)
{
	struct geometry_box *box;
	int n, chips = geometry_chips(c, &box);
	const struct item *it = canvas_items(c, &n);

	for (int i = 0; i < n; i++)
		for (int k = 0; it[i].type == ITEM_PATH && it[i].fill == INK_MUTED && k < it[i].n_points; k += 3) {
			int hit = 0;

			for (int b = 0; b < chips; b++)
				hit += fabs((box[b].x0 + box[b].x1) / 2 - it[i].point[k].x) < 0.01 &&
				       fabs(box[b].y0 - it[i].point[k].y) < 0.01;
			assert_int_equal(hit, 1);
		}
	mem_free(box);
}

/* Every connection of the model arrives, at every layer, and every tensor's shape stands there. */
static void nodes_have_all_connections(void **state)
{
	struct arena *a = *state;
	const struct graph *g = graph_of(a, BRANCHES);
	struct canvas *c = graph_view_draw(g, &(struct graph_view_opts){ "branches", true }, a);
	struct geometry_box *boxes;
	int edges = 0, shapes = 0;
	char shape[48];

	for (int i = 0; i < g->n_nodes; i++)
		edges += g->nodes[i].n_in;
	well_placed(c, true);
	assert_int_equal(tips(c), edges);
	tips_hit_chips(c);
	assert_int_equal(geometry_chips(c, &boxes), g->n_nodes + 1);
	mem_free(boxes);
	for (int i = 0; i < g->n_nodes; i++)
		shapes += shape_equal(&g->nodes[i].out[0], &g->nodes[0].out[0]);
	assert_int_equal(count_text(c, shape_text(shape, &g->nodes[0].out[0])), shapes);
	assert_true(has_text(c, "both"));
	c = graph_view_draw(g, &(struct graph_view_opts){ "branches", false }, a); /* folds the equal copies, if any */
	well_placed(c, true);
}

/* A pair of boxes with a third beside a long connection: it gets a lane, or is cut and reported. */
static void long_connections(void **state)
{
	struct arena *a = *state;

	for (int most = 0; most < 2; most++) {
		struct lbox box[5];
		struct llink link[] = { { 0, 4, 0, 5, 5, false }, { 0, 1, 0, 5, 5, false }, { 1, 2, 1, 5, 5, false },
					{ 2, 3, 2, 5, 5, false }, { 3, 4, 3, 5, 5, false }, { 0, 1, 0, 5, 5, false } };
		struct layered l = { .a = a,
				     .box = box,
				     .link = link,
				     .n_boxes = 5,
				     .n_links = 6,
				     .gap_x = 10,
				     .gap_y = 10,
				     .lane_gap = 5,
				     .passages_max = most };

		for (int i = 0; i < 5; i++)
			box[i] = (struct lbox){ .w = 10, .h = 10 };
		layered_place(&l);
		assert_int_equal(l.n_links, 5); /* one was there twice */
		assert_int_equal(l.n_cut, most);
		assert_int_equal(l.cut_span, most ? 3 : 4);
		for (int i = 0; i < 5; i++)
			assert_int_equal(box[i].layer, i);
		for (int i = 1; i < 5; i++) /* a chain is straight */
			assert_true(fabs(box[i].x - box[1].x) < 20 && box[i].y > box[i - 1].y + 19.9);
	}
}

static void no_markup(const struct canvas *c)
{
	struct str svg = { 0 }, tex = { 0 }, text = { 0 };

	well_placed(c, false);
	canvas_svg(&svg, c, &(struct svg_opts){ .theme = SVG_AUTO, .label = hostile });
	assert_null(xml_wrong(str_get(&svg), false, NULL));
	assert_null(strstr(str_get(&svg), "<script"));
	assert_null(strchr(str_get(&svg), '\x1b'));
	canvas_tikz(&tex, c, &(struct svg_opts){ .theme = SVG_LIGHT });
	assert_null(strchr(str_get(&tex), '\x1b'));
	canvas_terminal(&text, c, 120, false);
	assert_null(strchr(str_get(&text), '\x1b'));
	assert_null(strchr(str_get(&text), '\x07'));
	str_release(&svg);
	str_release(&tex);
	str_release(&text);
}

/* Names of models are any text; 300 characters of them, too. */
static void names_stay_text(void **state)
{
	struct arena *a = *state;
	char *lengthy = arena_alloc(a, 301);
	struct graph *g[2] = { graph_of(a, OLD), graph_of(a, NEW) };
	struct sheet_model rows[3];
	struct snac_diff_opts diff = { .style = { .size = SNAC_MEDIUM }, .name_a = hostile, .name_b = lengthy };
	struct sheet_opts o = { .style = { .size = SNAC_SMALL }, .legend = true, .searched = true, .against = 0 };

	memset(lengthy, 'W', 300);
	for (int i = 0; i < 3; i++) {
		sheet_model_of(&rows[i], g[i % 2]);
		rows[i].name = i == 0 ? hostile : i == 1 ? lengthy : NULL;
		rows[i].accuracy = 0.25 * i;
	}
	for (int i = 0; i < 4; i++) {
		o.style.vertical = i % 2;
		no_markup(sheet_draw(rows, i < 2 ? 3 : 1, &o, a));
		no_markup(graph_view_draw(g[0], &(struct graph_view_opts){ i % 2 ? hostile : lengthy, false }, a));
	}
	no_markup(snac_diff_draw(model_diff(g[0], g[1], false, a), &diff, a));
}

/* The numbers of a table, and what they are compared with. */
static void tables_have_numbers(void **state)
{
	struct arena *a = *state;
	struct graph *g[2] = { graph_of(a, OLD), graph_of(a, NEW) };
	struct sheet_opts o = { .style = { .size = SNAC_SMALL }, .against = 0 };
	struct sheet_model rows[2];
	struct canvas *c;
	char text[32];

	for (int i = 0; i < 2; i++) {
		sheet_model_of(&rows[i], g[i]);
		rows[i].name = i ? "run-12" : "run-3";
		rows[i].accuracy = i ? 0.875 : 0.9;
	}
	c = sheet_draw(rows, 2, &o, a);
	assert_true(has_text(c, "90.00 %") && has_text(c, "87.50 %") &&
		    has_text(c, "\xe2\x88\x92"
				"2.50"));
	assert_true(has_text(c, str_thousands(text, rows[0].params)) &&
		    has_text(c, str_thousands(text, rows[1].params)));
	assert_true(has_text(c, arena_printf(a, "+%s", str_thousands(text, rows[1].params - rows[0].params))));
	o.style.vertical = o.searched = true;
	c = sheet_draw(rows, 2, &o, a);
	assert_true(has_text(c, "run-") && has_text(c, "12") && has_text(c, "90.0") && has_text(c, "87.5"));
	assert_true(has_text(c, "best so far") && !has_text(c, "mean of 7")); /* of two there is no mean */
	assert_true(canvas_height(c) > canvas_width(c) / 2);
}

/* Braces and quotes of the text balance, every connection is there, names cannot end a string. */
static void graphviz_text(void **state)
{
	struct arena *a = *state;
	const struct graph *g = graph_of(a, BRANCHES);
	struct str out = { 0 };
	int depth = 0, arrows = 0, edges = 0;
	bool inside = false;

	graph_view_dot(&out, g, &(struct graph_view_opts){ "a \"b\" \\ } -> {\x1b", true });
	for (const char *s = out.s; *s; s++) {
		assert_true(*s != '\x1b');
		if (inside && *s == '\\') {
			s++;
			continue;
		}
		inside = inside != (*s == '"');
		depth += !inside && *s == '{';
		depth -= !inside && *s == '}';
		arrows += !inside && s[0] == '-' && s[1] == '>';
		assert_true(depth >= 0);
	}
	for (int i = 0; i < g->n_nodes; i++)
		edges += g->nodes[i].n_in;
	assert_true(depth == 0 && !inside);
	assert_int_equal(arrows, edges);
	assert_non_null(strstr(out.s, "subgraph cluster_"));
	str_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(difference_is_marked), cmocka_unit_test(equal_runs_are_left_out),
		cmocka_unit_test(blocks_go_as_one),     cmocka_unit_test(nodes_have_all_connections),
		cmocka_unit_test(long_connections),     cmocka_unit_test(names_stay_text),
		cmocka_unit_test(tables_have_numbers),  cmocka_unit_test(graphviz_text),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
