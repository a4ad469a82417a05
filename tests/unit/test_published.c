/* tests/unit/test_published.c - parameter counts that others have published, reproduced by our shapes and costs.
 *
 * REMAP (Cashman et al., TVCG 2020): the 100 models sampled for Quick, Draw! (28x28x1, ten classes), layers and counts
 * from the authors' public repository (Apache-2.0). The last dense layer is the classifier.
 * NAS-Bench-201 (Dong and Yang, ICLR 2020): rules and totals for all 15,625 encodings.
 * NAS-Bench-101 (Ying et al., ICML 2019): the Inception-like cell of its README has 2,694,282 parameters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/kinds.h"
#include "arch/model.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "space/space.h"
#include "tests/helper_data.h"
#include "tests/helper_files.h"
#include "tests/helper_skip.h"

/* ---- REMAP ---------------------------------------------------------------------------------------------- */

static const struct {
	int64_t params;
	const char *layers;
} remap[] = {
	{ 108330, "conv3:16 dense:10" },
	{ 91818, "conv3:16 conv1:32 sigmoid conv1:64 tanh conv3:16 sigmoid conv3:16 relu dropout:0.625 dense:10" },
	{ 144554, "conv5:64 relu conv3:32 relu conv1:128 pool5(max) dropout:0.375 conv1:128 dense:10" },
	{ 23722, "pool2(avg) conv1:16 sigmoid pool3(avg) dropout:0.875 conv3:128 sigmoid pool2(max) dense:10" },
	{ 457146, "conv5:16 tanh conv5:64 dense:16 dense:256 sigmoid dense:64 dense:10" },
	{ 119226, "dense:128 dense:128 sigmoid dropout:0.125 dense:16 sigmoid dropout:0.25 dense:10" },
	{ 46090, "pool3(avg) dense:256 tanh dropout:0.5 dense:10" },
	{ 24122,
	  "conv3:32 pool2(max) conv3:32 tanh pool3(avg) dense:16 dropout:0.125 dense:64 dropout:0.625 dense:10" },
	{ 5962, "pool3(max) conv5:32 pool3(avg) dense:10" },
	{ 1610, "pool3(max) pool5(max) conv3:16 dense:10" },
	{ 90554,
	  "conv5:64 pool3(avg) dropout:0.25 conv3:32 dropout:0.125 conv3:64 relu dense:16 dense:64 tanh dense:10" },
	{ 1546, "relu conv1:128 pool3(avg) pool2(avg) dropout:0.625 pool5(max) sigmoid dense:10" },
	{ 109226, "conv3:128 pool3(avg) relu pool3(max) conv1:32 sigmoid dense:128 sigmoid dropout:0.125 dense:10" },
	{ 859466, "conv1:16 conv3:32 tanh conv5:32 conv3:32 dense:64 dense:10" },
	{ 2330, "dropout:0.75 pool2(max) pool3(avg) dropout:0.75 conv1:16 pool5(max) dropout:0.75 dense:64 tanh "
		"dense:16 dense:10" },
	{ 37978, "pool2(avg) dense:128 tanh dense:16 tanh dense:64 relu dropout:0.25 dense:128 sigmoid dropout:0.75 "
		 "dense:10" },
	{ 7850, "dense:10" },
	{ 118346, "dropout:0.375 dense:128 dense:64 dense:128 relu dropout:0.75 dense:10" },
	{ 274250, "pool5(avg) conv3:32 pool5(avg) dense:256 tanh dense:256 dropout:0.75 dense:256 dense:256 dense:10" },
	{ 302682, "conv5:32 dense:16 relu dropout:0.875 dense:256 dense:10" },
	{ 104282, "dense:128 tanh dense:16 dense:64 tanh dropout:0.625 dense:10" },
	{ 12730, "dense:16 dropout:0.125 dense:10" },
	{ 37130, "conv3:16 pool5(max) dropout:0.25 pool5(avg) sigmoid conv1:16 dense:128 tanh dense:16 tanh "
		 "dropout:0.125 dense:64 dense:10" },
	{ 3018, "pool5(avg) pool2(avg) dropout:0.5 dense:64 dense:10" },
	{ 56490, "conv1:16 conv5:128 pool2(avg) sigmoid dropout:0.5 pool3(max) pool2(avg) dense:10" },
	{ 7850, "dense:10" },
	{ 89578,
	  "dense:64 dense:128 dense:64 dense:256 dropout:0.25 dense:16 relu dense:16 relu dense:64 sigmoid dense:10" },
	{ 19690, "pool5(avg) dense:16 tanh dense:128 dense:64 dropout:0.5 dense:16 dropout:0.375 dense:64 "
		 "dropout:0.125 dense:64 relu dropout:0.375 dense:10" },
	{ 101786,
	  "conv5:64 tanh conv3:128 pool5(avg) relu conv3:16 tanh conv1:64 relu pool5(max) conv1:64 relu dense:10" },
	{ 2330, "pool3(avg) pool2(max) pool5(avg) dense:16 dense:64 sigmoid dense:16 relu dropout:0.625 dense:10" },
	{ 12698, "pool5(avg) conv5:64 dropout:0.875 pool5(avg) tanh dense:16 tanh dropout:0.125 dense:256 "
		 "dropout:0.375 dense:10" },
	{ 7850, "dense:10" },
	{ 240682, "pool5(max) conv3:16 dense:128 dense:256 dense:10" },
	{ 433290, "conv3:64 dense:10" },
	{ 87338, "conv5:16 pool3(max) conv5:128 pool3(avg) dropout:0.25 pool2(avg) dropout:0.125 dense:256 tanh "
		 "dropout:0.875 dense:10" },
	{ 1970, "pool2(avg) sigmoid dense:10" },
	{ 9418, "pool5(avg) pool3(max) conv1:32 sigmoid conv1:128 tanh pool2(avg) dropout:0.25 dense:10" },
	{ 260, "pool3(max) relu pool5(max) relu dense:10" },
	{ 62650, "conv3:64 pool3(avg) conv5:32 relu conv1:16 dense:10" },
	{ 125482, "conv1:16 dense:10" },
	{ 33354, "conv1:16 pool5(avg) conv5:32 dropout:0.625 dense:10" },
	{ 216650, "conv3:32 dense:10" },
	{ 216650, "conv3:32 dense:10" },
	{ 23082, "conv3:32 tanh conv1:16 relu conv3:32 relu conv3:16 relu dropout:0.75 pool5(avg) tanh dense:10" },
	{ 36618,
	  "conv3:32 tanh pool2(avg) pool2(avg) pool3(max) conv1:64 sigmoid dropout:0.625 dense:128 relu dense:10" },
	{ 347482, "conv5:16 dropout:0.75 conv3:32 tanh conv3:16 relu conv1:64 dropout:0.625 pool5(max) conv5:128 "
		  "dense:64 tanh dense:10" },
	{ 638506, "conv5:16 relu conv3:128 dense:10" },
	{ 522042, "conv3:32 pool5(avg) dense:128 dense:128 dense:64 dense:16 tanh dense:10" },
	{ 433290, "conv3:64 sigmoid dense:10" },
	{ 501898, "conv1:64 dropout:0.875 dense:10" },
	{ 543978, "conv5:16 pool5(avg) conv3:128 dense:64 dropout:0.125 dense:10" },
	{ 433290, "conv3:64 sigmoid dense:10" },
	{ 7850, "dense:10" },
	{ 7850, "dense:10" },
	{ 657354, "conv5:32 conv3:128 dense:10" },
	{ 12730, "tanh dropout:0.5 dense:16 dropout:0.125 dense:10" },
	{ 20, "pool2(avg) pool3(avg) pool5(avg) dropout:0.5 dense:10" },
	{ 1610, "pool3(max) conv3:32 pool2(max) pool2(max) dense:10" },
	{ 7850, "dense:10" },
	{ 23210, "conv3:16 pool3(avg) dense:10" },
	{ 370314, "conv5:64 dense:10" },
	{ 104218,
	  "conv5:128 tanh conv3:64 tanh pool5(avg) dropout:0.375 conv3:32 tanh conv3:16 tanh dropout:0.25 dense:10" },
	{ 156554, "conv1:32 relu dropout:0.375 pool5(max) pool2(avg) dense:128 dense:64 relu dense:10" },
	{ 7850, "relu dense:10" },
	{ 216650, "conv3:32 dense:10" },
	{ 50890, "dense:64 dense:10" },
	{ 393514, "conv1:64 tanh conv5:128 conv1:32 dense:10" },
	{ 207722, "conv5:16 pool2(avg) conv1:64 pool3(avg) dense:128 dense:10" },
	{ 1970, "pool2(max) dense:10" },
	{ 10186, "pool2(max) pool3(avg) conv5:32 relu dropout:0.5 conv1:128 sigmoid dense:10" },
	{ 92586, "conv5:16 dense:10" },
	{ 7850, "dense:10" },
	{ 869322, "conv1:64 relu pool3(max) relu conv5:128 dense:64 dropout:0.875 dense:10" },
	{ 24314, "tanh dropout:0.25 conv3:32 tanh conv3:16 pool3(max) dropout:0.25 dense:10" },
	{ 28490,
	  "dropout:0.25 conv1:16 pool5(avg) conv1:64 pool5(avg) dropout:0.25 conv3:32 sigmoid dense:64 tanh dense:10" },
	{ 16650, "conv3:64 pool3(max) relu pool3(max) dense:10" },
	{ 412842, "conv5:16 pool5(max) dense:256 tanh dense:10" },
	{ 356330, "relu conv5:16 pool5(avg) conv5:128 dense:64 dense:128 dropout:0.25 dense:10" },
	{ 501898, "conv1:64 sigmoid dense:10" },
	{ 4714, "tanh dropout:0.75 conv1:16 pool5(max) pool5(avg) conv1:128 dropout:0.875 pool3(max) dense:16 dense:16 "
		"dense:10" },
	{ 86138, "conv5:64 conv1:16 pool5(avg) conv3:32 tanh dropout:0.25 pool5(max) dropout:0.25 conv1:128 dense:128 "
		 "dense:64 dense:10" },
	{ 20, "pool2(avg) pool3(max) pool5(max) dense:10" },
	{ 639450, "conv5:64 dense:16 sigmoid dropout:0.75 dense:64 relu dropout:0.125 dense:64 relu dense:256 "
		  "dropout:0.25 dense:64 dense:128 dropout:0.75 dense:10" },
	{ 593770, "pool2(max) conv1:16 tanh pool3(max) conv1:64 dense:256 tanh dropout:0.375 dense:10" },
	{ 12730, "dense:16 dense:10" },
	{ 722378, "conv3:32 dropout:0.25 conv5:128 dense:10" },
	{ 40890, "pool3(max) conv3:64 conv5:16 dropout:0.875 conv3:16 relu dense:16 dense:64 tanh dense:64 tanh "
		 "dropout:0.5 dense:10" },
	{ 501898, "conv1:64 dense:10" },
	{ 218618, "dropout:0.75 dense:256 relu dense:64 sigmoid dense:16 dense:10" },
	{ 185162, "conv5:32 dropout:0.125 dense:10" },
	{ 185290, "conv5:16 dropout:0.875 conv1:32 tanh dense:10" },
	{ 1700, "pool3(max) dropout:0.875 dense:10" },
	{ 178890, "conv1:16 conv3:16 dense:16 tanh dense:128 sigmoid dense:10" },
	{ 370314, "conv5:64 dense:10" },
	{ 102714, "dense:128 dense:16 sigmoid dense:10" },
	{ 7850, "dense:10" },
	{ 207402, "conv5:32 conv1:32 pool5(avg) dense:64 dropout:0.5 dense:10" },
	{ 149098, "pool5(avg) conv5:16 pool2(max) dense:256 dense:256 dropout:0.875 dense:64 dense:10" },
	{ 203530, "dense:256 sigmoid dense:10" },
	{ 21770, "conv3:128 pool5(max) pool5(avg) dense:10" },
};

static struct edge add(struct graph *g, enum layer_kind kind, const void *cfg, struct edge from)
{
	struct err e = { 0 };
	int node = graph_add(g, kind, cfg, &from, 1, NULL, &e);

	if (node < 0)
		fail_msg("%s: %s", layer_classes[kind]->name, e.msg);
	return (struct edge){ node, 0 };
}

static struct edge add_conv(struct graph *g, int kernel, int filters, struct edge from)
{
	struct conv2d c = { 0 };

	opt_defaults(&c, layer_classes[LAYER_conv2d]->opts);
	c.filters = filters;
	c.kernel = (struct opt_pair){ { kernel, kernel } };
	return add(g, LAYER_conv2d, &c, from);
}

static struct edge add_pool(struct graph *g, bool max, int size, struct edge from)
{
	enum layer_kind kind = max ? LAYER_maxpool2d : LAYER_avgpool2d;
	struct pool2d c = { 0 };

	opt_defaults(&c, layer_classes[kind]->opts);
	c.size = (struct opt_pair){ { size, size } };
	c.stride = (struct opt_pair){ { 2, 2 } };
	return add(g, kind, &c, from);
}

static struct edge add_dense(struct graph *g, int units, struct edge from)
{
	struct empty none = { 0 };
	struct dense c = { 0 };

	if (graph_shape(g, from)->type == TENSOR_IMAGE)
		from = add(g, LAYER_flatten, &none, from);
	opt_defaults(&c, layer_classes[LAYER_dense]->opts);
	c.units = units;
	return add(g, LAYER_dense, &c, from);
}

static struct edge add_remap(struct graph *g, const char *word, struct edge from)
{
	struct dropout drop = { 0 };
	struct empty none = { 0 };
	int kernel, n;

	if (sscanf(word, "conv%d:%d", &kernel, &n) == 2)
		return add_conv(g, kernel, n, from);
	if (sscanf(word, "pool%d", &n) == 1)
		return add_pool(g, strstr(word, "(max)") != NULL, n, from);
	if (sscanf(word, "dense:%d", &n) == 1)
		return add_dense(g, n, from);
	if (sscanf(word, "dropout:%lf", &drop.rate) == 1)
		return add(g, LAYER_dropout, &drop, from);
	assert_true(layer_find(word) >= 0);
	return add(g, (enum layer_kind)layer_find(word), &none, from);
}

static int64_t remap_params(struct arena *a, const char *layers)
{
	const struct shape input = shape_image(1, 28, 28);
	struct graph *g = graph_new(a);
	char text[256], *rest = text, *word;
	struct edge last = { -1, 0 };
	struct err e = { 0 };
	struct cost c;

	graph_input(g, "in", &input, NULL);
	snprintf(text, sizeof text, "%s", layers);
	while ((word = strsep(&rest, " ")))
		last = add_remap(g, word, last);
	graph_output(g, "out", TASK_CLASSIFY, 10, last, NULL);
	if (graph_finish(g, &e) < 0 || graph_cost(g, &c, &e) < 0)
		fail_msg("%s", e.msg);
	return c.params;
}

static void remap_counts(void **state)
{
	struct arena *a = arena_new();

	(void)state;
	assert_int_equal(sizeof remap / sizeof *remap, 100);
	for (int i = 0; i < 100; i++) {
		arena_reset(a);
		if (remap_params(a, remap[i].layers) != remap[i].params)
			fail_msg("model %d: %s", i, remap[i].layers);
	}
	arena_free(a);
}

/* The table above against the file it was made from, where that is there. */
static void remap_table(void **state)
{
	const char *path = real_data("remap/remap100.json");
	struct json *doc;
	int i = 0;

	(void)state;
	if (!path)
		SKIP_BECAUSE("the published table is not beside this checkout");
	assert_int_equal(json_load(&doc, path, NULL), 0);
	JSON_EACH(m, doc) {
		char text[256] = "";

		JSON_EACH(l, json_get(m, "layers"))
			snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", text[0] ? " " : "",
				 json_string(l));
		assert_string_equal(text, remap[i].layers);
		assert_int_equal(json_number(json_get(m, "params")), remap[i++].params);
	}
	assert_int_equal(i, 100);
	json_free(doc);
}

/* ---- NAS-Bench-201 -------------------------------------------------------------------------------------- */

enum { NONE, SKIP, CONV1, CONV3, POOL, OPS };

static struct space *nb201(struct arena *a)
{
	static const char *const dirs[] = { "configs/blocks" };
	static const struct block_path lib = { dirs, 1 };
	struct diag d = { 0 };
	struct err e = { 0 };
	struct space *s;
	char text[512];

	if (space_load(&s, "configs/spaces/nas-bench-201.json", &lib, a, &d, &e) < 0)
		fail_msg("%s", err_text(&e, text, sizeof text));
	diag_release(&d);
	return s;
}

static struct cost nb201_cost(const struct space *s, int64_t k, int classes, struct arena *a)
{
	struct space_target t = { shape_image(3, 32, 32), TASK_CLASSIFY, classes };
	enum space_cause cause;
	struct err e = { 0 };
	struct graph *g;
	struct cost c;

	arena_reset(a);
	if (space_nth(&g, s, &t, k, a, NULL, &cause, &e) != 1 || graph_cost(g, &c, &e) < 0)
		fail_msg("encoding %lld: %s", (long long)k, e.msg);
	return c;
}

/* "|nor_conv_1x1~0|+|none~0|skip_connect~1|+|..." as the index of our enumeration: the edges come in the same order. */
static int64_t encoding(const char *text)
{
	static const char *const names[OPS] = { "none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3",
						"avg_pool_3x3" };
	int64_t k = 0;

	for (const char *s = strchr(text, '|'); s && s[1]; s = strchr(s + 1, '|')) {
		for (int op = 0; op < OPS; op++)
			if (strncmp(s + 1, names[op], strlen(names[op])) == 0 && s[1 + strlen(names[op])] == '~')
				k = k * OPS + op;
	}
	return k;
}

/* Rows of a published log (NASLib's run logs): parameters and multiply-adds. The log counts the ten additions of the
 * classifier's bias as well; our multiply-adds leave biases out everywhere. */
static void nb201_rows(void **state)
{
	static const struct {
		const char *arch;
		int64_t params, macs;
	} rows[] = {
		{ "|nor_conv_1x1~0|+|none~0|skip_connect~1|+|nor_conv_3x3~0|none~1|none~2|", 344346, 47104650 },
		{ "|none~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|nor_conv_3x3~0|skip_connect~1|skip_connect~2|", 587386,
		  82494090 },
		{ "|nor_conv_1x1~0|+|none~0|avg_pool_3x3~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|", 129306, 15647370 },
		{ "|skip_connect~0|+|nor_conv_1x1~0|nor_conv_1x1~1|+|nor_conv_1x1~0|avg_pool_3x3~1|skip_connect~2|",
		  157306, 19579530 },
		{ "|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|skip_connect~0|nor_conv_1x1~1|none~2|", 372346, 51036810 },
		{ "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|none~2|", 802426,
		  113951370 },
		{ "|avg_pool_3x3~0|+|skip_connect~0|avg_pool_3x3~1|+|avg_pool_3x3~0|none~1|none~2|", 73306, 7783050 },
		{ "|skip_connect~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|none~0|none~1|skip_connect~2|", 101306, 11715210 },
		{ "|skip_connect~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|avg_pool_3x3~2|",
		  344346, 47104650 },
		{ "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|none~2|", 559386, 78561930 },
	};
	struct arena *run = arena_new(), *a = arena_new();
	struct space *s = nb201(run);

	(void)state;
	for (int i = 0; i < 10; i++) {
		struct cost c = nb201_cost(s, encoding(rows[i].arch), 10, a);

		assert_int_equal(c.params, rows[i].params);
		assert_int_equal(c.macs + 10, rows[i].macs);
	}
	arena_free(run);
	arena_free(a);
}

/* Three 3x3 convolutions, for the classes of CIFAR-10, CIFAR-100 and ImageNet16-120. */
static void nb201_classes(void **state)
{
	struct arena *run = arena_new(), *a = arena_new();
	struct space *s = nb201(run);
	int64_t k = encoding("|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|none~2|");

	(void)state;
	assert_int_equal(nb201_cost(s, k, 10, a).params, 802426);
	assert_int_equal(nb201_cost(s, k, 100, a).params, 808276);
	assert_int_equal(nb201_cost(s, k, 120, a).params, 809576);
	arena_free(run);
	arena_free(a);
}

static int64_t nb201_rule(int64_t k)
{
	int n[OPS] = { 0 };

	for (int e = 0; e < 6; e++, k /= OPS)
		n[k % OPS]++;
	return 73306 + 28000 * n[CONV1] + 243040 * n[CONV3];
}

/* params = 73,306 + 28,000 n(1x1) + 243,040 n(3x3); MFLOPs = 7.78305 + 3.93216 n(1x1) + 35.38944 n(3x3). */
static void nb201_all(void **state)
{
	struct arena *run = arena_new(), *a = arena_new();
	struct space *s = nb201(run);

	(void)state;
	assert_int_equal(space_count(s), 15625);
	for (int64_t k = 0; k < 15625; k++) {
		struct cost c = nb201_cost(s, k, 10, a);
		int n[OPS] = { 0 };

		for (int64_t rest = k, e = 0; e < 6; e++, rest /= OPS)
			n[rest % OPS]++;
		assert_int_equal(c.params, nb201_rule(k));
		assert_int_equal(c.macs + 10, 7783050 + 3932160LL * n[CONV1] + 35389440LL * n[CONV3]);
	}
	arena_free(run);
	arena_free(a);
}

static void nb201_table(void **state)
{
	const char *path = real_data("nas-bench-201/nb201.csv");
	struct arena *run = arena_new(), *a = arena_new();
	struct space *s = nb201(run);
	char *text, *rest, *line;
	int rows = 0;

	(void)state;
	if (!path) {
		arena_free(run);
		arena_free(a);
		SKIP_BECAUSE("the published table is not beside this checkout");
	}
	assert_int_equal(file_read(&text, NULL, path, 16 << 20, false, NULL), 0);
	rest = text;
	strsep(&rest, "\n");
	while ((line = strsep(&rest, "\n")) && line[0]) {
		char *arch, *at = line;
		int64_t k;

		for (int i = 0; i < 7; i++)
			strsep(&at, ",");
		arch = strsep(&at, ",");
		k = encoding(arch);
		assert_int_equal(nb201_rule(k), atoll(at));
		if (rows++ % 25 == 0)
			assert_int_equal(nb201_cost(s, k, 10, a).params, atoll(at));
	}
	assert_int_equal(rows, 15625);
	mem_free(text);
	arena_free(run);
	arena_free(a);
}

/* ---- NAS-Bench-101 -------------------------------------------------------------------------------------- */

/* Stem of 128 filters, three stacks of three cells, halved between them. Every operation is convolution, batch norm,
 * ReLU; the cell's input reaches a vertex through a 1x1 of that vertex's width; the output joins four vertices of a
 * quarter of the width each. */
static const char *const nb101 =
    "{'input': [3, 32, 32], 'classes': 10, 'use': 'conv_bn_act.json', 'blocks': { 'cell': { 'with': { 'width': null },"
    " 'layers': ["
    "  { 'conv_bn_act': { 'filters': '$width/4', 'kernel': 1 }, 'id': 'p1', 'from': 'in' },"
    "  { 'conv_bn_act': { 'filters': '$width/4', 'kernel': 1 }, 'id': 'v1' },"
    "  { 'conv_bn_act': { 'filters': '$width/4', 'kernel': 1 }, 'id': 'p2', 'from': 'in' },"
    "  { 'conv_bn_act': { 'filters': '$width/4', 'kernel': 3 }, 'id': 'v2' },"
    "  { 'conv_bn_act': { 'filters': '$width/4', 'kernel': 1 }, 'id': 'p3', 'from': 'in' },"
    "  { 'conv_bn_act': { 'filters': '$width/4', 'kernel': 3 }, 'id': 'v3' },"
    "  { 'conv_bn_act': { 'filters': '$width/4', 'kernel': 3 }, 'id': 'v4' },"
    "  { 'conv_bn_act': { 'filters': '$width/4', 'kernel': 1 }, 'id': 'p5', 'from': 'in' },"
    "  { 'maxpool2d': { 'size': 3, 'stride': 1, 'padding': 'same' }, 'id': 'v5' },"
    "  { 'concat': {}, 'from': ['v1', 'v2', 'v4', 'v5'] } ] } },"
    " 'layers': [ { 'conv_bn_act': { 'filters': 128 } },"
    "  { 'cell': { 'width': 128 }, 'repeat': 3 }, { 'maxpool2d': { 'size': 2 } },"
    "  { 'cell': { 'width': 256 }, 'repeat': 3 }, { 'maxpool2d': { 'size': 2 } },"
    "  { 'cell': { 'width': 512 }, 'repeat': 3 }, 'globalavgpool', { 'dense': { 'units': '$classes' } } ] }";

static void nb101_example(void **state)
{
	static const char *const dirs[] = { "configs/blocks" };
	static const struct block_path lib = { dirs, 1 };
	struct arena *a = arena_new();
	struct json_in in = { 0 };
	struct json *doc;
	struct graph *g;
	struct cost c;
	char text[2048];

	(void)state;
	snprintf(text, sizeof text, "%s", nb101);
	for (char *s = text; *s; s++)
		*s = *s == '\'' ? '"' : *s;
	assert_int_equal(json_parse(&doc, text, strlen(text), "cell", NULL), 0);
	in.root = doc;
	assert_int_equal(model_read(&g, doc, NULL, &lib, a, &in), 0);
	assert_int_equal(graph_cost(g, &c, NULL), 0);
	assert_int_equal(c.params, 2694282);
	json_free(doc);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remap_counts),  cmocka_unit_test(remap_table), cmocka_unit_test(nb201_rows),
		cmocka_unit_test(nb201_classes), cmocka_unit_test(nb201_all),   cmocka_unit_test(nb201_table),
		cmocka_unit_test(nb101_example),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
