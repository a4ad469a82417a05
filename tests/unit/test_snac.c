/* tests/unit/test_snac.c - what a SNAC shows: one chip per layer, folds that lose nothing, places that do not collide,
 * colours that can be told apart, well-formed SVG.
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
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "report/canvas.h"
#include "report/graph_view.h"
#include "report/snac.h"
#include "report/snac_label.h"
#include "tests/helper_data.h"
#include "tests/helper_geometry.h"
#include "tests/helper_xml.h"

#define RES                                                                                                         \
	"'res': {'with': {'f': 8, 's': 1}, 'layers': [{'conv2d': {'filters': '$f', 'kernel': 3, 'stride': '$s', "   \
	"'padding': 'same'}}, 'batchnorm', 'relu', {'conv2d': {'filters': '$f', 'kernel': 3, 'padding': 'same'}}, " \
	"{'add': {'project': true}, 'from': ['prev', 'in']}, 'relu']}"
#define INC                                                                                                      \
	"'cb': {'with': {'f': 4, 'k': 1}, 'layers': [{'conv2d': {'filters': '$f', 'kernel': '$k', 'padding': "   \
	"'same'}}, 'batchnorm', 'leaky_relu']}, 'inc': {'with': {'f': 4}, 'layers': [{'cb': {'f': '$f'}, 'id': " \
	"'a'}, {'cb': {'f': '$f', 'k': 3}, 'from': 'in', 'id': 'b'}, {'maxpool2d': {'size': 3, 'stride': 1, "    \
	"'padding': 1}, 'from': 'in'}, {'cb': {'f': '$f'}, 'id': 'p'}, {'concat': {}, 'from': ['a', 'b', 'p']}]}"

static const char *const models[] = {
	"{'input': [1, 8, 8], 'classes': 3, 'layers': ['flatten', {'dense': {'units': 3}}]}",
	"{'input': [3, 16, 16], 'classes': 4, 'layers': [{'conv2d': {'filters': 6, 'kernel': 5}}, 'tanh', "
	"{'avgpool2d': {'size': 2}}, {'conv2d': {'filters': 8, 'kernel': 3}}, 'sigmoid', {'maxpool2d': {'size': 2}}, "
	"'flatten', {'dense': {'units': 20}}, 'elu', {'dropout': {'rate': 0.3}}, 'relu6', {'dense': {'units': 4}}]}",
	"{'input': [1, 12, 12], 'classes': 3, 'blocks': {" RES "}, 'layers': [{'conv2d': {'filters': 8, 'kernel': 3, "
	"'padding': 'same'}}, {'res': {}, 'repeat': 4}, {'res': {'f': 12}, 'first': {'s': 2}, 'repeat': 3}, "
	"'globalavgpool', {'dense': {'units': 3}}]}",
	"{'input': [1, 12, 12], 'classes': 3, 'blocks': {" INC "}, 'layers': ['cb', {'inc': {}, 'repeat': 3}, "
	"'globalmaxpool', {'dense': {'units': 3}}]}",
	"{'input': {'type': 'tokens', 'shape': [9], 'open': true}, 'classes': 3, 'layers': [{'embedding': "
	"{'vocabulary': 30, 'features': 8}}, {'lstm': {'units': 6, 'bidirectional': true}}, {'gru': {'units': 5, "
	"'last': 'last'}}, {'dense': {'units': 3}}]}",
	"{'input': [20], 'classes': 3, 'layers': [{'dense': {'units': 20}}, 'relu', {'dense': {'units': 20}}, 'relu', "
	"{'dense': {'units': 20}}, 'relu', {'dense': {'units': 3}}]}",
	/* wide labels side by side */
	"{'input': [3, 300, 300], 'classes': 3, 'layers': [{'conv2d': {'filters': 1024, 'kernel': [11, 13], 'stride': "
	"1}}, "
	"{'conv2d': {'filters': 2048, 'kernel': [101, 103]}}, {'conv2d': {'filters': 1000, 'kernel': 11, 'stride': "
	"3}}, "
	"{'maxpool2d': {'size': [14, 12], 'stride': 10}}, {'dropout': {'rate': 0.125}}, {'dropout': {'rate': 0.0625}}, "
	"'globalavgpool', {'dense': {'units': 10000}}, {'dense': {'units': 65536}}, {'dense': {'units': 3}}]}",
};
enum { MODELS = sizeof models / sizeof *models };

struct bench {
	struct arena *a;
	struct graph *g[MODELS];
	double largest;
};

static int setup(void **state)
{
	struct bench *b = mem_new(sizeof *b);

	b->a = arena_new();
	for (int i = 0; i < MODELS; i++) {
		b->g[i] = graph_of(b->a, models[i]);
		b->largest = fmax(b->largest, snac_largest(b->g[i]));
	}
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	arena_free(b->a);
	mem_free(b);
	return 0;
}

/* How many chips a drawing has; their boxes in *out, in the order of the drawing. */
static int chips_of(struct bench *b, const struct canvas *c, struct geometry_box **out)
{
	struct geometry_box *v;
	int n = geometry_chips(c, &v);

	*out = arena_alloc(b->a, (size_t)(n + 1) * sizeof **out);
	memcpy(*out, v, (size_t)n * sizeof *v);
	mem_free(v);
	return n;
}

static struct canvas *drawn(struct bench *b, int model, enum snac_size size, bool unfold)
{
	struct snac_style style = { .size = size, .largest = b->largest, .unfold = unfold };

	return snac_draw(b->g[model], &style, b->a);
}

static void unfolded_has_every_layer_once(void **state)
{
	struct bench *b = *state;
	struct geometry_box *box;

	for (int m = 0; m < MODELS; m++) {
		int n = chips_of(b, drawn(b, m, SNAC_MEDIUM, true), &box);

		assert_int_equal(n, b->g[m]->n_nodes + b->g[m]->n_inputs);
		for (int i = 0; i < n; i++)
			assert_int_equal(atoi(box[i].text), i < b->g[m]->n_inputs ? -1 - i : i - b->g[m]->n_inputs);
	}
}

/* What the line says is "]x4" as often as the folded chart lacks chips. */
static void folds_equal_copies(void **state)
{
	struct bench *b = *state;
	struct geometry_box *box;
	struct str line = { 0 };

	snac_line(&line, b->g[2], false, 0);
	assert_string_equal(str_get(&line), "C [C B R C + R]x4 C B R C C B + R [C B R C + R]x2 GA D");
	assert_int_equal(chips_of(b, drawn(b, 2, SNAC_SMALL, false), &box), 1 + b->g[2]->n_nodes - 3 * 6 - 6);
	str_clear(&line);
	snac_line(&line, b->g[5], false, 0);
	assert_string_equal(str_get(&line), "[D R]x3 D");
	str_clear(&line);
	snac_line(&line, b->g[3], false, 0); /* the first one reads fewer channels: another content */
	assert_string_equal(str_get(&line), "C B LR C B LR C B LR MP C B LR & [C B LR C B LR MP C B LR &]x2 GM D");
	str_clear(&line);
	snac_line(&line, b->g[3], false, 20);
	assert_true(line.len <= 20 && strcmp(line.s + line.len - 3, "...") == 0);
	str_clear(&line);
	snac_line(&line, b->g[0], true, 0);
	assert_non_null(strstr(str_get(&line), "\x1b["));
	str_release(&line);
}

static void check_places(const struct canvas *c, const char *what)
{
	char buf[400];
	const char *wrong = geometry_wrong(c, buf, sizeof buf);

	if (wrong)
		fail_msg("%s: %s", what, wrong);
}

static void nothing_collides(void **state)
{
	struct bench *b = *state;
	char what[64];

	for (int m = 0; m < MODELS; m++)
		for (int s = 0; s < SNAC_SIZE_COUNT; s++)
			for (int unfold = 0; unfold < 2; unfold++) {
				snprintf(what, sizeof what, "model %d %s%s", m, snac_size_names[s],
					 unfold ? " unfolded" : "");
				check_places(drawn(b, m, (enum snac_size)s, unfold), what);
			}
}

/* Heights grow with the tensor, on one scale; from low to twice that. */
static void height_is_size(void **state)
{
	struct bench *b = *state;
	struct geometry_box *box;
	double seen = 0;

	for (int m = 0; m < MODELS; m++) {
		struct canvas *c = drawn(b, m, SNAC_MEDIUM, true);
		int n = chips_of(b, c, &box), first = b->g[m]->n_inputs;

		for (int i = first; i < n; i++) {
			double t = (double)shape_count(&b->g[m]->nodes[i - first].out[0]), least = pow(16, 0.15);
			double share = (pow(fmax(t, 16), 0.15) - least) / (pow(b->largest, 0.15) - least);

			assert_true(fabs(box[i].y1 - box[i].y0 - 17 * (1 + share)) < 1e-6);
			seen = fmax(seen, box[i].y1 - box[i].y0);
		}
	}
	assert_true(fabs(seen - 34) < 1e-6);
}

/* A bar of every layer that has parameters, the same length for the same number in all charts of a size. */
static void bars_say_parameters(void **state)
{
	struct bench *b = *state;
	char text[16];

	for (int m = 0; m < MODELS; m++) {
		const struct graph *g = b->g[m];
		int n, chip = -1, bars = 0, layers = 0;
		const struct item *it = canvas_items(drawn(b, m, SNAC_LARGE, true), &n);

		for (int i = 0; i < n; i++) {
			if (it[i].type == ITEM_OPEN && it[i].key)
				chip = atoi(it[i].key);
			if (chip < 0 || it[i].type != ITEM_RECT || it[i].fill != INK_MUTED)
				continue;
			bars++;
			assert_true(fabs(it[i].h - 4 * log10((double)g->nodes[chip].params)) < 1e-6);
			assert_string_equal(it[i + 1].text, label_count(text, g->nodes[chip].params));
		}
		for (int i = 0; i < g->n_nodes; i++)
			layers += g->nodes[i].params > 0;
		assert_int_equal(bars, layers);
	}
}

static void counts_are_short(void **state)
{
	static const struct {
		int64_t n;
		const char *text;
	} rows[] = { { 0, "0" },         { 7, "7" },          { 999, "999" },         { 1000, "1.0k" },
		     { 9949, "9.9k" },   { 9950, "10k" },     { 147456, "147k" },     { 999499, "999k" },
		     { 999500, "1.0M" }, { 3504872, "3.5M" }, { 1814073344, "1.8G" }, { INT64_MAX, "9.2E" } };
	char buf[16];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(label_count(buf, rows[i].n), rows[i].text);
}

/* Upright, the first layer is at the bottom, and chips are as wide as they are high in a row. */
static void upright_from_the_bottom(void **state)
{
	struct bench *b = *state;

	for (int m = 0; m < MODELS; m++) {
		struct snac_style style = { .size = SNAC_MEDIUM, .largest = b->largest, .vertical = true };
		struct geometry_box *row, *column;
		int n = chips_of(b, drawn(b, m, SNAC_MEDIUM, false), &row);

		assert_int_equal(chips_of(b, snac_draw(b->g[m], &style, b->a), &column), n);
		for (int i = 0; i < n; i++) {
			assert_true(fabs((column[i].x1 - column[i].x0) - (row[i].y1 - row[i].y0)) < 1e-6);
			assert_true(!i || column[i].y1 <= column[i - 1].y0 + 1e-6);
		}
	}
}

/* A network of n layers in which every second one also reads another one before it. */
static struct graph *wired(struct arena *a, int n)
{
	static const char zeros[256];
	const struct shape in = shape_vector(16);
	struct graph *g = graph_new(a);
	struct rng r;

	rng_init(&r, 3, 3);
	assert_int_equal(graph_input(g, "in", &in, NULL), 0);
	for (int i = 0; i < n; i++) {
		struct edge from[2] = { graph_last(g), { i > 2 ? (int)(rng_u32(&r) % (unsigned)(i - 1)) : -1, 0 } };
		bool add = i % 2 && i > 2;

		assert_true(graph_add(g, add ? LAYER_add : LAYER_relu, zeros, from, add ? 2 : 1, NULL, NULL) >= 0);
	}
	assert_int_equal(graph_output(g, "out", TASK_CLASSIFY, 16, graph_last(g), NULL), 0);
	assert_int_equal(graph_finish(g, NULL), 0);
	return g;
}

/* Items and points of paths: what is computed, stored and written. */
static long work(const struct canvas *c)
{
	int n;
	const struct item *it = canvas_items(c, &n);
	long sum = n;

	for (int i = 0; i < n; i++)
		sum += it[i].n_points;
	return sum;
}

/* Twice the layers are about twice the work, and 2,000 layers with a thousand long connections can be drawn. */
static void large_networks(void **state)
{
	struct bench *b = *state;
	struct snac_style style = { .size = SNAC_SMALL, .unfold = true };
	struct graph_view_opts view = { "large", true };
	long chips[2], nodes[2];
	char buf[400];

	for (int k = 0; k < 2; k++) {
		const struct graph *g = wired(b->a, 1000 * (k + 1));
		struct canvas *c = snac_draw(g, &style, b->a), *v = graph_view_draw(g, &view, b->a);

		assert_null(geometry_wrong(c, buf, sizeof buf));
		assert_null(geometry_wrong(v, buf, sizeof buf));
		chips[k] = work(c);
		nodes[k] = work(v);
	}
	assert_true(chips[1] < 2.1 * (double)chips[0]);
	assert_true(nodes[1] < 2.1 * (double)nodes[0]);
}

/* Without tooltips a small chart is a few paths, whatever its length. */
static void small_ones_are_cheap(void **state)
{
	struct bench *b = *state;
	struct snac_style style = { .size = SNAC_SMALL, .silent = true, .unfold = true };
	int n;

	canvas_items(snac_draw(wired(b->a, 500), &style, b->a), &n);
	assert_true(n <= 6);
}

static void fits_a_width(void **state)
{
	struct bench *b = *state;

	for (int m = 0; m < MODELS; m++) {
		struct snac_style style = { .size = SNAC_SMALL, .width = 130, .unfold = m != 2 && m != 3 };

		assert_true(canvas_width(snac_draw(b->g[m], &style, b->a)) <= 132);
	}
}

/* The size that is chosen for a width is the largest that fits. */
static void size_for_a_width(void **state)
{
	struct bench *b = *state;

	for (int m = 0; m < MODELS; m++)
		for (double width = 20; width < 2000; width *= 1.3) {
			enum snac_size size = snac_size_for(b->g[m], false, width);

			for (int k = 0; k < SNAC_SIZE_COUNT; k++) {
				struct snac_style style = { .size = (enum snac_size)k, .width = width };
				double drawn_width = canvas_width(snac_draw(b->g[m], &style, b->a)); /* rounded up */

				if (k <= (int)size ? drawn_width > ceil(width) + 1 && k > SNAC_SMALL
						   : drawn_width <= floor(width))
					fail_msg("model %d, width %g: size %d was chosen, %d is %g wide", m, width,
						 (int)size, k, drawn_width);
			}
		}
}

static void count_titles(void *arg, const char *name)
{
	*(int *)arg += strcmp(name, "title") == 0;
}

static void svg_is_well_formed(void **state)
{
	static const enum svg_theme themes[] = { SVG_LIGHT, SVG_DARK, SVG_AUTO, SVG_INLINE };
	struct bench *b = *state;

	for (int m = 0; m < MODELS; m++)
		for (int t = 0; t < 4; t++) {
			struct str svg = { 0 };
			int titles = 0;
			struct xml_seen seen = { count_titles, NULL, &titles };
			struct canvas *c = drawn(b, m, SNAC_LARGE, false);
			struct geometry_box *box;
			const char *wrong;

			canvas_svg(&svg, c,
				   &(struct svg_opts){ .theme = themes[t], .paper = true, .label = "a <b> & \"c\"" });
			wrong = xml_wrong(str_get(&svg), false, &seen);
			if (wrong)
				fail_msg("model %d: %s", m, wrong);
			assert_true(titles >= chips_of(b, c, &box)); /* a tooltip on every chip */
			str_release(&svg);
		}
}

static void legend_has_every_kind(void **state)
{
	struct bench *b = *state;
	bool used[LAYER_KIND_COUNT] = { false };
	struct canvas *c;
	struct str svg = { 0 };

	snac_kinds(NULL, used);
	c = snac_legend(used, 640, b->a);
	check_places(c, "legend");
	canvas_svg(&svg, c, &(struct svg_opts){ .theme = SVG_LIGHT });
	assert_null(xml_wrong(str_get(&svg), false, NULL));
	for (int k = 0; k < LAYER_KIND_COUNT; k++) {
		char want[64];

		snprintf(want, sizeof want, ">%s</text>", layer_classes[k]->name);
		assert_non_null(strstr(str_get(&svg), want));
	}
	str_release(&svg);
}

/* Vienot, Brettel and Mollon 1999: what a dichromat sees, in linear RGB; kind 0: everybody, 1: protan, 2: deutan. */
static void seen_by(int kind, uint32_t rgb, double lab[3])
{
	static const double m[3][9] = { { 1, 0, 0, 0, 1, 0, 0, 0, 1 },
					{ 0.11238, 0.88762, 0, 0.11238, 0.88762, 0, 0.00401, -0.00401, 1 },
					{ 0.29275, 0.70725, 0, 0.29275, 0.70725, 0, -0.02234, 0.02234, 1 } };
	double lin[3], v[3], xyz[3], f[3];

	for (int i = 0; i < 3; i++) {
		double c = (double)(rgb >> (16 - 8 * i) & 255) / 255;

		lin[i] = c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
	}
	for (int i = 0; i < 3; i++)
		v[i] = fmax(m[kind][3 * i] * lin[0] + m[kind][3 * i + 1] * lin[1] + m[kind][3 * i + 2] * lin[2], 0);
	xyz[0] = (0.4124 * v[0] + 0.3576 * v[1] + 0.1805 * v[2]) / 0.9505;
	xyz[1] = 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2];
	xyz[2] = (0.0193 * v[0] + 0.1192 * v[1] + 0.9505 * v[2]) / 1.089;
	for (int i = 0; i < 3; i++)
		f[i] = xyz[i] > 0.008856 ? cbrt(xyz[i]) : 7.787 * xyz[i] + 16.0 / 116;
	lab[0] = 116 * f[1] - 16;
	lab[1] = 500 * (f[0] - f[1]);
	lab[2] = 200 * (f[1] - f[2]);
}

static double luminance(uint32_t rgb)
{
	double lab[3], f;

	seen_by(0, rgb, lab);
	f = (lab[0] + 16) / 116;
	return f > 0.2069 ? f * f * f : (f - 16.0 / 116) / 7.787;
}

static double contrast(uint32_t a, uint32_t b)
{
	double x = luminance(a), y = luminance(b);

	return (fmax(x, y) + 0.05) / (fmin(x, y) + 0.05);
}

/* Families stay apart for red-green blind readers, and texts are readable (WCAG 2.1: 4.5). */
static void colours_can_be_told_apart(void **state)
{
	double least = INFINITY;

	(void)state;
	for (int dark = 0; dark < 2; dark++)
		for (int kind = 0; kind < 3; kind++)
			for (int i = 0; i < FAMILY_COUNT; i++)
				for (int k = 0; k < i; k++) {
					const struct ink_value *p = &inks[INK_FAMILY + i], *q = &inks[INK_FAMILY + k];
					double a[3], b[3], d = 0;

					seen_by(kind, dark ? p->dark : p->light, a);
					seen_by(kind, dark ? q->dark : q->light, b);
					for (int j = 0; j < 3; j++)
						d += (a[j] - b[j]) * (a[j] - b[j]);
					least = fmin(least, sqrt(d));
					if (sqrt(d) < 15)
						fail_msg("%s and %s: %.1f (%d, dark %d)", p->name, q->name, sqrt(d),
							 kind, dark);
				}
	print_message("# the nearest two colours differ by %.1f (CIE 1976), for protanopia and deuteranopia, too\n",
		      least);
	for (int i = 0; i < FAMILY_COUNT; i++) {
		assert_true(contrast(inks[INK_FAMILY + i].light, inks[INK_CHIP_TEXT].light) >= 4.5);
		assert_true(contrast(inks[INK_FAMILY + i].dark, inks[INK_CHIP_TEXT].dark) >= 4.5);
	}
	for (int i = INK_TEXT; i <= INK_MUTED; i++) {
		assert_true(contrast(inks[i].light, inks[INK_PAPER].light) >= 4.5);
		assert_true(contrast(inks[i].dark, inks[INK_PAPER].dark) >= 4.5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unfolded_has_every_layer_once),
		cmocka_unit_test(folds_equal_copies),
		cmocka_unit_test(nothing_collides),
		cmocka_unit_test(height_is_size),
		cmocka_unit_test(bars_say_parameters),
		cmocka_unit_test(counts_are_short),
		cmocka_unit_test(upright_from_the_bottom),
		cmocka_unit_test(large_networks),
		cmocka_unit_test(small_ones_are_cheap),
		cmocka_unit_test(fits_a_width),
		cmocka_unit_test(size_for_a_width),
		cmocka_unit_test(svg_is_well_formed),
		cmocka_unit_test(legend_has_every_kind),
		cmocka_unit_test(colours_can_be_told_apart),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
