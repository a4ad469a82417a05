/* tests/unit/test_model.c - models as JSON: expansion, costs, canonical print, messages, canonical hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/kinds.h"
#include "arch/model.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#define RESIDUAL                                                                                                      \
	"\"blocks\": { \"residual\": { \"with\": { \"filters\": 32, \"stride\": 1 }, \"layers\": ["                   \
	"{ \"conv2d\": { \"filters\": \"$filters\", \"kernel\": 3, \"stride\": \"$stride\", \"padding\": \"same\" } " \
	"},"                                                                                                          \
	"\"batchnorm\", \"relu\", { \"conv2d\": { \"filters\": \"$filters\", \"kernel\": 3, \"padding\": \"same\" } " \
	"},"                                                                                                          \
	"\"batchnorm\", { \"add\": { \"project\": true }, \"from\": [\"prev\", \"in\"] }, \"relu\" ] } }"

static const char small_res[] =
    "{ // the example of the design\n \"name\": \"small-res\", \"input\": [1, 28, 28], \"classes\": 10, " RESIDUAL ","
    "\"layers\": [ { \"conv2d\": { \"filters\": 16, \"kernel\": 3, \"padding\": \"same\" } }, \"batchnorm\", \"relu\","
    "{ \"residual\": { \"filters\": 16 } }, { \"residual\": { \"filters\": 32 }, \"first\": { \"stride\": 2 }, "
    "\"repeat\": 2 }, \"globalavgpool\", { \"dense\": { \"units\": \"$classes\" } } ] }";

static struct graph *read_model(const char *text, struct arena *a, struct diag *d)
{
	struct json *doc = NULL;
	struct graph *g = NULL;
	struct err e = { 0 };
	struct json_in in;

	if (json_parse(&doc, text, strlen(text), "test", &e) < 0) {
		diag_add(d, DIAG_ERROR, e.where, "%s", e.msg);
		return NULL;
	}
	in = (struct json_in){ doc, d, NULL };
	model_read(&g, doc, NULL, NULL, a, &in);
	json_free(doc);
	return g;
}

static struct graph *must_read(const char *text, struct arena *a)
{
	struct diag d = { 0 };
	struct graph *g = read_model(text, a, &d);

	if (d.n)
		print_message("%s: %s\n", d.items[0].where, d.items[0].msg);
	assert_non_null(g);
	diag_release(&d);
	return g;
}

static void expands_blocks(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = must_read(small_res, a);
	struct cost c;
	int project = graph_find(g, "residual_2__conv2d_3");

	(void)state;
	/* 3 + 7 + (7 + 2 projected) + 7 + 2 */
	assert_int_equal(g->n_nodes, 28);
	assert_int_equal(g->n_groups, 3);
	assert_true(project >= 0);
	assert_int_equal(((struct conv2d *)g->nodes[project].cfg)->stride.v[0], 2);
	assert_int_equal(g->nodes[project].out[0].d[1], 14);
	assert_string_equal(g->groups[1].block, "residual");
	assert_string_equal(g->groups[1].id, "residual_2");
	assert_int_equal(graph_cost(g, &c, NULL), 0);
	/* by hand: stem 16*9+16 + 32; block 1: 2 * (16*16*9 + 16 + 32); block 2: 32*16*9+32+64 + 32*32*9+32+64 +
	 * 32*16+64; block 3: 2 * (32*32*9 + 32 + 64); dense 320 + 10 */
	assert_int_equal(c.params, 192 + 2 * 2352 + (4704 + 9312 + 576) + 2 * 9312 + 330);
	/* multiply-adds by hand */
	assert_int_equal(c.macs, 784 * 144 + 2 * 784 * 2304 + 196 * (4608 + 9216 + 512) + 2 * 196 * 9216 + 320);
	arena_free(a);
}

static void prints_canonically(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = must_read(small_res, a), *again;
	struct str one = { 0 }, two = { 0 };
	struct hash128 h1, h2;

	(void)state;
	model_print(&one, g);
	again = must_read(str_get(&one), a);
	model_print(&two, again);
	assert_string_equal(str_get(&one), str_get(&two));
	h1 = graph_hash(g);
	h2 = graph_hash(again);
	assert_memory_equal(&h1, &h2, sizeof h1);
	h1 = graph_digest(g);
	h2 = graph_digest(again);
	assert_memory_equal(&h1, &h2, sizeof h1);
	/* three different expansions, two of the same block with the same width */
	assert_non_null(strstr(str_get(&one), "\"residual_3\""));
	assert_int_equal(again->n_groups, 3);
	assert_string_equal(again->groups[2].block, "residual");
	assert_non_null(strstr(again->groups[2].args, "\"filters\":32"));
	for (int i = 0; i < g->n_nodes; i++)
		assert_string_equal(g->nodes[i].id, again->nodes[i].id);
	str_release(&one);
	str_release(&two);
	arena_free(a);
}

static uint64_t hash_of(const char *layers, struct arena *a)
{
	struct str text = { 0 };
	struct graph *g;

	str_addf(&text,
		 "{\"input\": [3, 8, 8], \"classes\": 4, \"layers\": [%s, \"globalavgpool\", "
		 "{\"dense\": {\"units\": 4}}]}",
		 layers);
	g = must_read(str_get(&text), a);
	str_release(&text);
	return graph_hash(g).lo;
}

#define CONV(id, k)                                                                               \
	"{\"conv2d\": {\"filters\": 4, \"kernel\": " #k ", \"padding\": \"same\"}, \"id\": \"" id \
	"\", \"from\": \"in\"}"

static void hash_is_canonical(void **state)
{
	struct arena *a = arena_new();
	uint64_t x = hash_of(CONV("a", 3) "," CONV("b", 1) ", {\"add\": {}, \"from\": [\"a\", \"b\"]}", a);
	uint64_t y = hash_of(CONV("p", 1) "," CONV("q", 3) ", {\"add\": {}, \"from\": [\"p\", \"q\"]}", a);
	uint64_t c1 = hash_of(CONV("a", 3) "," CONV("b", 1) ", {\"concat\": {}, \"from\": [\"a\", \"b\"]}", a);
	uint64_t c2 = hash_of(CONV("a", 3) "," CONV("b", 1) ", {\"concat\": {}, \"from\": [\"b\", \"a\"]}", a);
	uint64_t twice = hash_of(CONV("a", 3) ", {\"add\": {}, \"from\": [\"a\", \"a\"]}", a);
	uint64_t copies = hash_of(CONV("a", 3) "," CONV("b", 3) ", {\"add\": {}, \"from\": [\"a\", \"b\"]}", a);
	uint64_t shared = hash_of(
	    CONV("a", 3) ", {\"conv2d\": {\"filters\": 4, \"kernel\": 3, \"padding\": \"same\"}, "
			 "\"id\": \"b\", \"from\": \"in\", \"share\": \"a\"}, {\"add\": {}, \"from\": [\"a\", \"b\"]}",
	    a);
	uint64_t dead = hash_of(CONV("a", 3) "," CONV("b", 1) ", {\"add\": {}, \"from\": [\"a\", \"a\"]}", a);

	(void)state;
	assert_true(x == y);   /* order of listing and of commuting operands */
	assert_true(c1 != c2); /* concat does not commute */
	assert_true(twice != copies && copies != shared && twice != shared);
	assert_true(dead != twice); /* dead branches count */
	arena_free(a);
}

static void expect_error(const char *text, const char *where, const char *what)
{
	struct arena *a = arena_new();
	struct diag d = { 0 };
	bool found = false;

	assert_null(read_model(text, a, &d));
	for (int i = 0; i < d.n; i++)
		found |= strstr(d.items[i].msg, what) && strcmp(d.items[i].where, where) == 0;
	if (!found)
		for (int i = 0; i < d.n; i++)
			print_message("got: %s | %s\n", d.items[i].where, d.items[i].msg);
	assert_true(found);
	diag_release(&d);
	arena_free(a);
}

#define M(layers) "{\"input\": [1, 8, 8], \"classes\": 2, \"layers\": [" layers "]}"
#define TAIL      ", \"globalavgpool\", {\"dense\": {\"units\": 2}}"

static void says_what_is_wrong(void **state)
{
	(void)state;
	expect_error(M("{\"conv2d\": {\"filters\": 4, \"kernal\": 3}}" TAIL), "layers[0].conv2d.kernal",
		     "did you mean \"kernel\"?");
	expect_error(M("\"conv2\"" TAIL), "layers[0]", "did you mean \"conv2d\"?");
	expect_error(M("{\"conv2d\": {\"filters\": 0}}" TAIL), "layers[0].conv2d.filters",
		     "between 1 and 65536, got 0");
	expect_error(M("{\"conv2d\": {}}" TAIL), "layers[0].conv2d", "\"filters\" is missing");
	expect_error(M("{\"conv2d\": {\"filters\": 4, \"kernel\": 9}}" TAIL), "layers[0]",
		     "does not fit a height of 8: use \"padding\": \"same\" or a kernel of at most 8");
	expect_error(M("{\"add\": {}, \"id\": \"a\", \"from\": [\"prev\", \"b\"]}, {\"relu\": {}, \"id\": \"b\"}" TAIL),
		     "layers[0].from[1]", "form a cycle");
	expect_error(
	    M("{\"add\": {}, \"from\": [\"prev\", \"b\"]}, {\"relu\": {}, \"id\": \"b\", \"from\": \"in\"}" TAIL),
	    "layers[0].from[1]", "comes later");
	expect_error(M("{\"relu\": {}, \"from\": \"nothing\"}" TAIL), "layers[0].from", "no layer, block or input");
	expect_error(M("{\"relu\": {}, \"id\": \"a\"}, {\"relu\": {}, \"from\": \"a:state\"}" TAIL), "layers[1].from",
		     "has no output \"state\"");
	expect_error(M("{\"relu\": {}, \"id\": \"a\"}, {\"relu\": {}, \"id\": \"a\"}" TAIL), "layers[1]",
		     "given twice");
	expect_error(M("{\"relu\": {}, \"tanh\": {}}" TAIL), "layers[0].tanh", "holds one layer");
	expect_error(M("\"relu\""), "layers", "needs a vector of 2, but the last layer gives an image 1x8x8");
	expect_error(M("{\"relu\": {}, \"repeat\": 0}" TAIL), "layers[0].repeat", "between 1 and 1000");
	expect_error(M("{\"conv2d\": {\"filters\": \"$width\"}}" TAIL), "layers[0].conv2d.filters",
		     "unknown parameter $width");
	expect_error(M("{\"conv2d\": {\"filters\": \"$classes/3\"}}" TAIL), "layers[0].conv2d.filters",
		     "2 / 3 is not a whole");
	/* several mistakes at once, also after a layer that does not fit */
	expect_error(M("{\"conv2d\": {\"filters\": 4, \"kernel\": 9}}, {\"dense\": {\"unit\": 4}}"),
		     "layers[1].dense.unit", "did you mean \"units\"?");
}

static void block_errors(void **state)
{
	struct arena *a = arena_new();
	struct diag d = { 0 };

	(void)state;
	assert_null(read_model("{\"input\": [1, 8, 8], \"classes\": 2, \"blocks\": {\"b\": {\"layers\": [\"b\"]}}, "
			       "\"layers\": [\"b\"]}",
			       a, &d));
	assert_true(d.errors >= 1);
	assert_non_null(strstr(d.items[0].msg, "does \"b\" use itself?"));
	diag_release(&d);
	assert_null(read_model(
	    "{\"input\": [1, 8, 8], \"classes\": 2, \"blocks\": {\"b\": {\"with\": {\"f\": null}, \"layers\": "
	    "[{\"conv2d\": {\"filters\": \"$f\", \"kernel\": 9}}]}}, \"layers\": [{\"b\": {\"f\": 2}}]}",
	    a, &d));
	assert_non_null(strstr(d.items[0].where, "layers[0] -> b.layers[0]"));
	diag_release(&d);
	arena_free(a);
}

static void advises(void **state)
{
	struct arena *a = arena_new();
	struct diag d = { 0 };
	struct str all = { 0 };

	(void)state;
	graph_lint(
	    must_read(
		M("{\"conv2d\": {\"filters\": 32}, \"id\": \"c\"}, \"batchnorm\", \"relu\", {\"tanh\": {}, \"id\": "
		  "\"unused\"}, {\"relu\": {}, \"from\": \"relu_1\"}, \"flatten\", {\"dense\": {\"units\": 64}, "
		  "\"id\": \"big\"}, {\"dense\": {\"units\": 2}}, \"softmax\""),
		a),
	    &d);
	for (int i = 0; i < d.n; i++)
		str_addf(&all, "%s: %s\n", d.items[i].where, d.items[i].msg);
	assert_int_equal(d.errors, 0);
	assert_non_null(strstr(str_get(&all), "c: its bias has no effect"));
	assert_non_null(strstr(str_get(&all), "unused: no output depends on it"));
	assert_non_null(strstr(str_get(&all), "follows another activation"));
	assert_non_null(strstr(str_get(&all), "big: 99 % of the parameters"));
	assert_non_null(strstr(str_get(&all), "dense_1: no activation stands between it and big"));
	assert_non_null(strstr(str_get(&all), "softmax_1: models end in logits"));
	str_release(&all);
	diag_release(&d);
	arena_free(a);
}

static void draws(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = must_read(small_res, a);
	struct str s = { 0 };

	(void)state;
	graph_summary(&s, g);
	assert_string_equal(str_get(&s), "conv2d 16, 3x3, pad 1, batchnorm, relu, residual(16, 1), residual(32, 2), "
					 "residual(32, 1), globalavgpool, dense 10");
	str_clear(&s);
	graph_draw(&s, g);
	assert_non_null(strstr(str_get(&s), "residual_2"));
	str_release(&s);
	arena_free(a);
}

static void scales(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = must_read(small_res, a), *same, *half;
	struct hash128 h1 = graph_digest(g), h2;
	struct cost c;

	(void)state;
	assert_int_equal(graph_scale(&same, g, 1, 1, a, NULL), 0);
	h2 = graph_digest(same);
	assert_memory_equal(&h1, &h2, sizeof h1);
	assert_int_equal(graph_scale(&half, g, 0.5, 0.5, a, NULL), 0);
	assert_int_equal(half->inputs[0].shape.d[1], 14);
	assert_int_equal(half->nodes[0].out[0].d[0], 8);
	assert_int_equal(half->outputs[0].classes, 10);
	assert_int_equal(graph_cost(half, &c, NULL), 0);
	/* by hand, as in expands_blocks with 8 and 16 channels */
	assert_int_equal(c.params, (72 + 8 + 16) + 2 * (576 + 8 + 16) + (1152 + 16 + 32 + 2304 + 16 + 32 + 128 + 32) +
				       2 * (2304 + 16 + 32) + 170);
	arena_free(a);
}

/* What does not fit leaves what stands before it; a document without a sound frame leaves nothing. */
static void reads_in_part(void **state)
{
	static const struct {
		const char *text;
		int nodes; /* -1: none can be read */
		bool whole;
	} cases[] = {
		{ "{\"input\": [1, 8, 8], \"classes\": 3, \"layers\": [\"relu\", \"flatten\"]}", 2, true },
		{ "{\"input\": [1, 8, 8], \"layers\": [\"relu\", {\"conv2d\": {\"filters\": 2, \"kernel\": 9}}, "
		  "\"relu\"]}",
		  1, false },
		{ "{\"input\": [1, 8, 8], " RESIDUAL ", \"layers\": [{\"residual\": {\"filters\": 2}}, \"relo\"]}", 9,
		  false },
		{ "{\"input\": [1, 8, 8], \"layers\": []}", 0, false },
		{ "{\"input\": [0], \"layers\": [\"relu\"]}", -1, false },
		{ "[]", -1, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena *a = arena_new();
		struct json *doc;
		struct graph *g;
		bool whole;

		assert_int_equal(json_parse(&doc, cases[i].text, strlen(cases[i].text), "test", NULL), 0);
		g = model_read_part(doc, NULL, a, &whole);
		assert_int_equal(g ? g->n_nodes : -1, cases[i].nodes);
		if (g)
			assert_int_equal(whole, cases[i].whole);
		json_free(doc);
		arena_free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expands_blocks),
		cmocka_unit_test(reads_in_part),
		cmocka_unit_test(prints_canonically),
		cmocka_unit_test(hash_is_canonical),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(block_errors),
		cmocka_unit_test(advises),
		cmocka_unit_test(draws),
		cmocka_unit_test(scales),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
