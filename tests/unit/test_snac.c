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
#include "report/snac.h"
#include "tests/helper_data.h"
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

struct box {
	double x0, y0, x1, y1;
	int node;
};

/* The chips of a canvas: the first rectangle of every group of class "chip". */
static int chips_of(const struct canvas *c, struct box *out, int most)
{
	int n, count = 0;
	const struct item *it = canvas_items(c, &n);

	for (int i = 0; i + 1 < n; i++)
		if (it[i].type == ITEM_OPEN && it[i].class && strcmp(it[i].class, "chip") == 0) {
			const struct item *r = &it[i + 1];

			assert_true(count < most && r->type == ITEM_RECT);
			out[count++] =
			    (struct box){ r->x, r->y, r->x + r->w, r->y + r->h, it[i].key ? atoi(it[i].key) : 0 };
		}
	return count;
}

static struct canvas *drawn(struct bench *b, int model, enum snac_size size, bool unfold)
{
	struct snac_style style = { .size = size, .largest = b->largest, .unfold = unfold };

	return snac_draw(b->g[model], &style, b->a);
}

static void unfolded_has_every_layer_once(void **state)
{
	struct bench *b = *state;
	struct box box[256];

	for (int m = 0; m < MODELS; m++) {
		int n = chips_of(drawn(b, m, SNAC_MEDIUM, true), box, 256);

		assert_int_equal(n, b->g[m]->n_nodes + b->g[m]->n_inputs);
		for (int i = 0; i < n; i++)
			assert_int_equal(box[i].node, i < b->g[m]->n_inputs ? -1 - i : i - b->g[m]->n_inputs);
	}
}

/* What the line says is "]x4" as often as the folded chart lacks chips. */
static void folds_equal_copies(void **state)
{
	struct bench *b = *state;
	struct box box[256];
	struct str line = { 0 };

	snac_line(&line, b->g[2], false, 0);
	assert_string_equal(str_get(&line), "C [C B R C + R]x4 C B R C C B + R [C B R C + R]x2 GA D");
	assert_int_equal(chips_of(drawn(b, 2, SNAC_SMALL, false), box, 256), 1 + b->g[2]->n_nodes - 3 * 6 - 6);
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

static bool inside(const struct box *b, const struct canvas *c)
{
	return b->x0 >= 0 && b->y0 >= 0 && b->x1 <= canvas_width(c) + 1e-6 && b->y1 <= canvas_height(c) + 1e-6;
}

static struct box text_box(const struct item *t)
{
	double w = text_width(t->text, &t->font);
	double x = t->x - (t->font.anchor == ANCHOR_MIDDLE ? w / 2 : t->font.anchor == ANCHOR_END ? w : 0);

	return (struct box){ x, t->y - 0.72 * t->font.size, x + w, t->y, 0 };
}

static bool overlap(const struct box *a, const struct box *b)
{
	return a->x0 < b->x1 - 0.01 && b->x0 < a->x1 - 0.01 && a->y0 < b->y1 - 0.01 && b->y0 < a->y1 - 0.01;
}

/* Everything lies on the paper; no two chips and no two texts overlap. */
static void check_places(const struct canvas *c, const char *what)
{
	struct box chip[256], text[512];
	int n, chips = chips_of(c, chip, 256), texts = 0;
	const struct item *it = canvas_items(c, &n);

	for (int i = 0; i < n; i++) {
		struct box r = { it[i].x, it[i].y, it[i].x + it[i].w, it[i].y + it[i].h, 0 };

		if (it[i].type == ITEM_RECT && !inside(&r, c))
			fail_msg("%s: a rectangle sticks out", what);
		for (int k = 0; k < it[i].n_points; k++)
			if (!inside(&(struct box){ it[i].point[k].x, it[i].point[k].y, it[i].point[k].x,
						   it[i].point[k].y, 0 },
				    c))
				fail_msg("%s: a path leaves the paper at %g, %g", what, it[i].point[k].x,
					 it[i].point[k].y);
		if (it[i].type != ITEM_TEXT)
			continue;
		assert_true(texts < 512);
		text[texts] = text_box(&it[i]);
		if (!inside(&text[texts], c))
			fail_msg("%s: \"%s\" sticks out", what, it[i].text);
		for (int k = 0; k < texts; k++)
			if (overlap(&text[texts], &text[k]))
				fail_msg("%s: \"%s\" lies over another text", what, it[i].text);
		texts++;
	}
	for (int i = 0; i < chips; i++)
		for (int k = 0; k < i; k++)
			if (overlap(&chip[i], &chip[k]))
				fail_msg("%s: chips %d and %d overlap", what, k, i);
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
	struct box box[256];
	double seen = 0;

	for (int m = 0; m < MODELS; m++) {
		struct canvas *c = drawn(b, m, SNAC_MEDIUM, true);
		int n = chips_of(c, box, 256), first = b->g[m]->n_inputs;

		for (int i = first; i < n; i++) {
			double t = (double)shape_count(&b->g[m]->nodes[i - first].out[0]), least = pow(16, 0.15);
			double share = (pow(fmax(t, 16), 0.15) - least) / (pow(b->largest, 0.15) - least);

			assert_true(fabs(box[i].y1 - box[i].y0 - 17 * (1 + share)) < 1e-6);
			seen = fmax(seen, box[i].y1 - box[i].y0);
		}
	}
	assert_true(fabs(seen - 34) < 1e-6);
}

static void fits_a_width(void **state)
{
	struct bench *b = *state;

	for (int m = 0; m < MODELS; m++) {
		struct snac_style style = { .size = SNAC_SMALL, .width = 130, .unfold = m != 2 && m != 3 };

		assert_true(canvas_width(snac_draw(b->g[m], &style, b->a)) <= 132);
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
			struct box box[256];
			const char *wrong;

			canvas_svg(&svg, c,
				   &(struct svg_opts){ .theme = themes[t], .paper = true, .label = "a <b> & \"c\"" });
			wrong = xml_wrong(str_get(&svg), false, &seen);
			if (wrong)
				fail_msg("model %d: %s", m, wrong);
			assert_true(titles >= chips_of(c, box, 256)); /* a tooltip on every chip */
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
					if (sqrt(d) < 9)
						fail_msg("%s and %s: %.1f (%d, dark %d)", p->name, q->name, sqrt(d),
							 kind, dark);
				}
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
		cmocka_unit_test(fits_a_width),
		cmocka_unit_test(svg_is_well_formed),
		cmocka_unit_test(legend_has_every_kind),
		cmocka_unit_test(colours_can_be_told_apart),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
