/* tests/unit/test_mutate.c - edits of small models whose results were calculated by hand: shapes, parameters, ids,
 * words, repairs and refusals.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/kinds.h"
#include "arch/model.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/opt.h"
#include "base/rng.h"
#include "base/str.h"
#include "mutate/mutate.h"
#include "space/space.h"

static struct arena *arena;
static struct mutate_log log_of;
static char mistakes[2000]; /* of the last edit() that was wrong */

static const char *const dirs[] = { "configs/blocks" };
static const struct block_path lib = { dirs, 1 };

static struct json *parse(const char *text)
{
	struct json *v;
	struct err e = { 0 };

	if (json_parse(&v, text, strlen(text), "test", &e) < 0)
		fail_msg("%s in %s", e.msg, text);
	return v;
}

static struct graph *model(const char *text)
{
	struct json *doc = parse(text);
	struct diag d = { 0 };
	struct json_in in = { doc, &d, NULL };
	struct graph *g;

	if (model_read(&g, doc, NULL, &lib, arena, &in) < 0)
		fail_msg("%s: %s", d.items[0].where, d.items[0].msg);
	json_free(doc);
	return g;
}

static struct graph *load(const char *path)
{
	struct diag d = { 0 };
	struct err e = { 0 };
	struct graph *g;

	if (model_load(&g, path, &lib, arena, &d, &e) < 0)
		fail_msg("%s", e.msg);
	return g;
}

/* Applies edits: the child; NULL if refused (log_of.refusal) or wrong (mistakes). */
static struct graph *edit(const struct graph *g, const char *text)
{
	struct json *edits = parse(text);
	struct diag d = { 0 };
	struct json_in in = { edits, &d, NULL };
	struct hash128 before = graph_digest(g), after;
	struct graph *child;
	int rc = mutate_apply(&child, g, edits, NULL, &log_of, arena, &in), n = 0;

	mistakes[0] = 0;
	for (int i = 0; i < d.n; i++)
		n += snprintf(mistakes + n, sizeof mistakes - (size_t)n, "%s: %s\n", d.items[i].where, d.items[i].msg);
	assert_int_equal(rc<0, d.errors> 0);
	assert_int_equal(rc > 0, child != NULL);
	after = graph_digest(g);
	assert_memory_equal(&before, &after, sizeof before);
	diag_release(&d);
	json_free(edits);
	return child;
}

static struct graph *must(const struct graph *g, const char *text)
{
	struct graph *child = edit(g, text);

	if (!child)
		fail_msg("%s: %s%s", text, log_of.refusal ? log_of.refusal : "", mistakes);
	return child;
}

static int64_t params(const struct graph *g)
{
	struct cost c;

	assert_int_equal(graph_cost(g, &c, NULL), 0);
	return c.params;
}

/* What comes out of a layer: "16x28x28". */
static const char *out_of(const struct graph *g, const char *id)
{
	static char text[48];
	int i = graph_find(g, id);

	if (i < 0)
		fail_msg("%s is gone", id);
	return shape_text(text, &g->nodes[i].out[0]);
}

static void refuses(const struct graph *g, const char *text, const char *reason)
{
	if (edit(g, text))
		fail_msg("%s was not refused", text);
	assert_string_equal(mistakes, "");
	if (!strstr(log_of.refusal, reason))
		fail_msg("%s: '%s' does not say '%s'", text, log_of.refusal, reason);
}

static void is_wrong(const struct graph *g, const char *text, const char *part)
{
	if (edit(g, text))
		fail_msg("%s was taken", text);
	if (!strstr(mistakes, part))
		fail_msg("%s: '%s%s' does not say '%s'", text, mistakes, log_of.refusal ? log_of.refusal : "", part);
}

static void repaired(const char *part)
{
	for (int i = 0; i < log_of.n_repairs; i++)
		if (strstr(log_of.repairs[i], part))
			return;
	for (int i = 0; i < log_of.n_repairs; i++)
		print_message("repair: %s\n", log_of.repairs[i]);
	fail_msg("no repair says '%s'", part);
}

/* REMAP's example: conv3:16, relu, pool2, dense:64, relu, softmax; as logits, with the flatten written out; no padding,
 * as there. */
static const char remap[] =
    "{\"input\": [1, 28, 28], \"classes\": 10, \"layers\": [{\"conv2d\": {\"filters\": 16, \"kernel\": 3}}, \"relu\", "
    "{\"maxpool2d\": {\"size\": 2}}, \"flatten\", {\"dense\": {\"units\": 64}}, \"relu\", {\"dense\": {\"units\": "
    "10}}]}";

/* 28 - 2 = 26, halved 13: 160 + (16 * 13 * 13 + 1) * 64 + 65 * 10. */
static void remaps_children(void **state)
{
	struct graph *g = model(remap), *c;

	(void)state;
	assert_int_equal(params(g), 160 + (2704 + 1) * 64 + 650);

	c = must(g, "{\"remove\": \"conv2d_1\"}"); /* 28 halved: 1 x 14 x 14 */
	assert_string_equal(out_of(c, "maxpool2d_1"), "1x14x14");
	assert_int_equal(params(c), (196 + 1) * 64 + 650);
	assert_string_equal(log_of.words, "removed conv2d_1");
	assert_int_equal(log_of.n_repairs, 1);
	assert_string_equal(log_of.repairs[0], "dense_1: 2704 -> 196 features");

	c = must(g, "{\"remove\": \"relu_1\"}");
	assert_int_equal(c->n_nodes, 6);
	assert_int_equal(graph_find(c, "relu_1"), -1);
	assert_int_equal(params(c), params(g));
	assert_int_equal(log_of.n_repairs, 0);

	c = must(g, "{\"remove\": \"maxpool2d_1\"}"); /* 16 x 26 x 26: more parameters than the parent */
	assert_string_equal(out_of(c, "flatten_1"), "10816");
	assert_int_equal(params(c), 160 + (10816 + 1) * 64 + 650);

	c = must(g, "{\"remove\": \"dense_1\"}"); /* the classifier sees the flattened image */
	assert_int_equal(params(c), 160 + (2704 + 1) * 10);
	assert_string_equal(log_of.repairs[0], "dense_2: 64 -> 2704 features");

	c = must(g, "{\"remove\": \"relu_2\"}");
	assert_int_equal(params(c), params(g));
	assert_string_equal(out_of(c, "dense_1"), "64");

	refuses(g, "{\"remove\": \"dense_2\"}", "dense_2 makes the output: it stays");
	refuses(g, "{\"remove\": \"flatten_1\"}", "dense_1 needs a vector: flatten_1 stays");
}

/* With "same" padding the sides stay 28 and the pool gives 14. */
static void padded(void **state)
{
	struct graph *g = model("{\"input\": [1, 28, 28], \"classes\": 10, \"layers\": [{\"conv2d\": {\"filters\": 16, "
				"\"padding\": \"same\"}}, \"relu\", {\"maxpool2d\": {\"size\": 2}}, \"flatten\", "
				"{\"dense\": {\"units\": 64}}, \"relu\", {\"dense\": {\"units\": 10}}]}");

	(void)state;
	assert_int_equal(params(g), 160 + (16 * 14 * 14 + 1) * 64 + 650);
	assert_int_equal(params(must(g, "{\"remove\": \"conv2d_1\"}")), (14 * 14 + 1) * 64 + 650);
	assert_int_equal(params(must(g, "{\"remove\": \"maxpool2d_1\"}")), 160 + (16 * 28 * 28 + 1) * 64 + 650);
	assert_int_equal(params(must(g, "{\"remove\": \"dense_1\"}")), 160 + (16 * 14 * 14 + 1) * 10);
}

static void residual_blocks(void **state)
{
	struct graph *g = load("configs/models/resnet8.json"), *c;

	(void)state;
	c = must(g, "{\"remove\": \"residual_2\"}"); /* readers adapt: 16 channels arrive where 32 did */
	assert_int_equal(graph_find_group(c, "residual_2"), -1);
	assert_int_equal(c->n_groups, 2);
	repaired("residual_3__conv2d_1: 32 -> 16 input channels");
	assert_string_equal(out_of(c, "residual_3__add_1"), "64x16x16");
	/* less the block, and half of what the next one's convolutions read */
	assert_int_equal(params(c), params(g) - (4608 + 64 + 9216 + 64 + 512 + 64) - (18432 + 2048) / 2);
	assert_string_equal(c->groups[1].args, g->groups[2].args);

	c = must(g, "{\"remove\": \"residual_2__add_1\"}"); /* the skip connection and its projection */
	assert_int_equal(graph_find(c, "residual_2__conv2d_3"), -1);
	assert_int_equal(graph_find(c, "residual_2__batchnorm_3"), -1);
	assert_true(graph_find(c, "residual_2__batchnorm_2") >= 0);
	repaired("residual_2__conv2d_3 went too: nothing reads it any more");
	assert_string_equal(c->groups[1].args, "{}"); /* its inside is not what its arguments say */
	assert_string_equal(c->groups[1].block, "residual");
	assert_string_equal(c->groups[0].args, g->groups[0].args);

	c = must(g, "{\"remove\": \"residual_2__conv2d_1\"}"); /* the projection follows the main path */
	assert_string_equal(out_of(c, "residual_2__add_1"), "32x32x32");
	repaired("stride 2 -> 32 filters, stride 1, so that residual_2__add_1 fits");

	c = must(g, "{\"remove\": \"residual_2__conv2d_3\"}");
	repaired("inserted conv2d 1x1 16->32, stride 2, so that residual_2__add_1 fits");

	c = must(g, "{\"remove\": \"globalavgpool_1\"}");
	repaired("inserted flatten, so that dense_1 fits");
	assert_int_equal(params(c), params(g) - 650 + (64 * 8 * 8 + 1) * 10);
	refuses(g, "{\"remove\": \"dense_1\"}", "makes the output");
}

/* The main path of a block is gone: what is left of its sum is its input. */
static void twins(void **state)
{
	struct graph *g = model(
			 "{\"input\": [4, 8, 8], \"classes\": 2, \"layers\": [\"relu\", {\"conv2d\": {\"filters\": 4, "
			 "\"padding\": \"same\"}}, {\"add\": {}, \"from\": [\"prev\", \"relu_1\"]}, \"globalavgpool\", "
			 "{\"dense\": {\"units\": 2}}]}"),
		     *c = must(g, "{\"remove\": \"conv2d_1\"}");

	(void)state;
	assert_int_equal(c->n_nodes, 3);
	repaired("add_1 went too: its operands had become the same");
	c = must(g, "{\"remove\": \"add_1\"}");
	assert_int_equal(c->n_nodes, 4);
	assert_true(graph_find(c, "conv2d_1") >= 0);
}

static void windows(void **state)
{
	struct graph *g =
			 model("{\"input\": [1, 9, 9], \"classes\": 2, \"layers\": [{\"zeropad2d\": {\"padding\": 4}}, "
			       "{\"avgpool2d\": {\"size\": 3}}, {\"conv2d\": {\"filters\": 4, \"kernel\": 5}}, "
			       "\"globalavgpool\", {\"dense\": {\"units\": 2}}]}"),
		     *c = must(g, "{\"remove\": \"zeropad2d_1\"}"); /* 17: 5, 1; 9: 3, too small for a window of 5 */

	(void)state;
	repaired("conv2d_1: kernel 5 -> 3 on an input of 3");
	assert_string_equal(out_of(c, "conv2d_1"), "4x1x1");
	g = model(
	    "{\"input\": [1, 8, 8], \"classes\": 2, \"layers\": [{\"zeropad2d\": {\"padding\": 4}}, {\"maxpool2d\": "
	    "{\"size\": 4}}, {\"maxpool2d\": {\"size\": 3}}, \"flatten\", {\"dense\": {\"units\": 2}}]}");
	c = must(g, "{\"remove\": \"zeropad2d_1\"}"); /* 16: 4, 1; 8: 2, nothing for a window of 3 */
	repaired("maxpool2d_2 went too: it does not fit 1x2x2");
	assert_int_equal(graph_find(c, "maxpool2d_2"), -1);
	refuses(g, "{\"set\": \"maxpool2d_2\", \"options\": {\"size\": 5}}", "does not fit");
}

static void groups_follow(void **state)
{
	struct graph *g = model(
			 "{\"input\": [3, 8, 8], \"classes\": 2, \"layers\": [{\"conv2d\": {\"filters\": 16}}, "
			 "{\"groupnorm\": {\"groups\": 8}}, {\"conv2d\": {\"filters\": 12, \"groups\": 4, \"padding\": "
			 "\"same\"}}, \"globalavgpool\", {\"dense\": {\"units\": 2}}]}"),
		     *c = must(g, "{\"set\": \"conv2d_1\", \"options\": {\"filters\": 6}}");

	(void)state;
	repaired("groupnorm_1: 8 -> 2 groups");
	repaired("conv2d_2: 4 -> 2 groups");
	assert_string_equal(log_of.words, "conv2d_1: filters 16 -> 6");
	assert_int_equal(((const struct conv2d *)c->nodes[2].cfg)->groups, 2);
	refuses(g, "{\"set\": \"conv2d_1\", \"options\": {\"filters\": 16}}", "changes nothing");
	refuses(g, "{\"set\": \"dense_1\", \"options\": {\"units\": 3}}", "dense_1 makes the output");
	is_wrong(g, "{\"set\": \"conv2d_1\", \"options\": {\"filter\": 6}}", "did you mean \"filters\"?");
	is_wrong(g, "{\"set\": \"conv2d_1\", \"options\": {\"filters\": 0}}", "conv2d_1.filters");
	is_wrong(g, "{\"set\": \"conv2d_1\"}", "needs \"options\"");
}

/* A kernel takes its padding along where it kept the size. */
static void kernels(void **state)
{
	struct graph *g = load("configs/models/resnet8.json"),
		     *c = must(g, "{\"set\": \"conv2d_1\", \"options\": {\"kernel\": 5}}");

	(void)state;
	assert_string_equal(out_of(c, "conv2d_1"), "16x32x32");
	assert_int_equal(log_of.n_repairs, 0);
}

static void shared(void **state)
{
	struct graph
	    *g = model("{\"input\": [4, 8, 8], \"classes\": 2, \"layers\": [{\"conv2d\": {\"filters\": 4, "
		       "\"padding\": \"same\"}, \"id\": \"a\"}, {\"conv2d\": {\"filters\": 8}, \"id\": \"m\"}, "
		       "{\"conv2d\": {\"filters\": 4}, \"id\": \"n\"}, {\"conv2d\": {\"filters\": 4, \"padding\": "
		       "\"same\"}, \"id\": \"b\", \"share\": \"a\"}, \"globalavgpool\", {\"dense\": {\"units\": 2}}]}"),
	    *c = must(g, "{\"remove\": \"n\"}"); /* b sees 8 channels now */

	(void)state;
	repaired("b has parameters of its own: those of a do not fit it any more");
	assert_int_equal(c->nodes[graph_find(c, "b")].share, -1);
	c = must(g, "{\"remove\": \"a\"}"); /* b owns them from now on */
	assert_int_equal(c->nodes[graph_find(c, "b")].share, -1);
	assert_true(c->nodes[graph_find(c, "b")].params > 0);
	c = must(g, "{\"insert\": \"relu\", \"after\": \"m\"}");
	assert_int_equal(c->nodes[graph_find(c, "b")].share, graph_find(c, "a"));
}

static void inserts(void **state)
{
	struct graph *g = model(remap), *c;

	(void)state;
	c = must(g, "{\"insert\": {\"conv2d\": {\"filters\": 8, \"kernel\": 1}}, \"after\": \"relu_1\"}");
	assert_string_equal(log_of.words, "inserted conv2d_2 (filters 8, kernel 1) after relu_1");
	assert_string_equal(out_of(c, "maxpool2d_1"), "8x13x13");
	assert_int_equal(params(c), 160 + 17 * 8 + (8 * 169 + 1) * 64 + 650);
	c = must(g, "{\"insert\": [\"batchnorm\", {\"dropout\": {\"rate\": 0.25}}], \"before\": \"dense_2\"}");
	assert_string_equal(log_of.words, "inserted batchnorm_1, dropout_1 (rate 0.25) before dense_2");
	assert_int_equal(c->n_nodes, 9);
	c = must(g, "{\"prepend\": \"dense_2\", \"with\": {\"dense\": {\"units\": 32}}}");
	assert_int_equal(params(c), 160 + 2705 * 64 + 65 * 32 + 330);
	assert_int_equal(c->nodes[c->n_nodes - 1].in[0].node, graph_find(c, "dense_3"));
	c = must(g, "{\"insert\": {\"add\": {}, \"from\": [\"prev\", \"conv2d_1\"]}, \"after\": \"relu_1\"}");
	assert_int_equal(c->nodes[graph_find(c, "add_1")].in[1].node, graph_find(c, "conv2d_1"));
	c = must(g, "{\"insert\": {\"dropout\": {}, \"id\": \"drop\"}, \"after\": \"relu_2\"}");
	assert_true(graph_find(c, "drop") >= 0);

	refuses(g, "{\"insert\": \"relu\", \"after\": \"dense_2\"}", "dense_2 is the output");
	refuses(g, "{\"insert\": {\"conv2d\": {\"filters\": 4}}, \"after\": \"dense_1\"}", "conv2d needs an image");
	is_wrong(g, "{\"insert\": \"relu\"}", "either \"after\" or \"before\"");
	is_wrong(g, "{\"insert\": \"rellu\", \"after\": \"relu_1\"}", "did you mean \"relu\"?");
	is_wrong(g, "{\"insert\": \"relu\", \"after\": \"relu_3\"}", "did you mean \"relu_");
	is_wrong(g, "{\"insert\": {\"relu\": {}, \"id\": \"relu_2\"}, \"after\": \"relu_1\"}", "is taken");
	is_wrong(g, "{\"insert\": {\"conv2d\": {\"filtrs\": 2}}, \"after\": \"relu_1\"}", "filtrs");
}

static void replaces(void **state)
{
	struct graph *g = model(remap), *c, *res = load("configs/models/resnet8.json");

	(void)state;
	c = must(g, "{\"replace\": \"maxpool2d_1\", \"with\": {\"avgpool2d\": {\"size\": 2}}}");
	assert_string_equal(log_of.words, "replaced maxpool2d_1 by avgpool2d_1");
	assert_int_equal(params(c), params(g));
	assert_int_equal(graph_find(c, "maxpool2d_1"), -1);
	c = must(g, "{\"reparameterize\": \"relu_1\", \"option\": \"activation\", \"value\": \"tanh\"}");
	assert_true(graph_find(c, "tanh_1") >= 0);
	refuses(g, "{\"replace\": \"relu_1\", \"with\": \"relu\"}", "changes nothing");
	refuses(g, "{\"replace\": \"dense_2\", \"with\": {\"dense\": {\"units\": 5}}}", "makes the output");
	is_wrong(g, "{\"replace\": \"relu_1\"}", "needs \"with\"");

	c = must(res, "{\"replace\": \"residual_2\", \"with\": \"maxpool2d\"}");
	assert_string_equal(out_of(c, "maxpool2d_1"), "16x16x16");
	c = must(res, "{\"replace\": \"residual_2__add_1\", \"with\": \"concat\"}");
	assert_string_equal(out_of(c, "residual_2__relu_2"), "64x16x16");
	repaired("residual_3__conv2d_1: 32 -> 64 input channels");
}

static void swaps(void **state)
{
	struct graph *g = model(remap), *c, *res = load("configs/models/resnet8.json");

	(void)state;
	c = must(g, "{\"swap\": \"relu_1\", \"with\": \"maxpool2d_1\"}");
	assert_string_equal(log_of.words, "swapped relu_1 and maxpool2d_1");
	assert_string_equal(c->nodes[1].id, "maxpool2d_1");
	assert_string_equal(c->nodes[2].id, "relu_1");
	assert_int_equal(params(c), params(g));
	refuses(g, "{\"swap\": \"relu_1\", \"with\": \"flatten_1\"}", "makes something else of its input");
	refuses(g, "{\"swap\": \"conv2d_1\", \"with\": \"maxpool2d_1\"}", "not its neighbour");
	c = must(res, "{\"swap\": \"residual_1\", \"with\": \"residual_2\"}"); /* 16, 32 -> 32, 16 */
	assert_string_equal(out_of(c, "residual_2__relu_2"), "32x16x16");
	assert_string_equal(out_of(c, "residual_1__relu_2"), "16x16x16");
	assert_string_equal(c->groups[0].id, "residual_2");
}

/* Later edits may name what earlier ones made; words and canonical edits follow the order. */
static void lists(void **state)
{
	struct graph *g = model(remap), *c;
	struct str t = { 0 };

	(void)state;
	c = must(
	    g, "[{\"insert\": {\"dense\": {\"units\": 32}}, \"after\": \"relu_2\"}, {\"insert\": \"relu\", \"after\": "
	       "\"dense_3\"}, {\"remove\": \"relu_1\"}]");
	assert_string_equal(log_of.words,
			    "inserted dense_3 (units 32) after relu_2; inserted relu_3 after dense_3; removed relu_1");
	assert_int_equal(params(c), 160 + 2705 * 64 + 65 * 32 + 330);
	json_print(&t, log_of.edits);
	assert_string_equal(str_get(&t), "[{\"insert\":{\"dense\":{\"units\":32}},\"after\":\"relu_2\"},{\"insert\":"
					 "\"relu\",\"after\":\"dense_3\"},{\"remove\":\"relu_1\"}]");
	str_release(&t);
	refuses(g, "[{\"remove\": \"relu_1\"}, {\"remove\": \"dense_2\"}]",
		"edit 2 (remove): dense_2 makes the output");
	is_wrong(g, "[{\"remove\": \"relu_1\"}, {\"remove\": \"relu_1\"}]", "an earlier edit removed it");
	refuses(g, "[{\"insert\": \"relu\", \"after\": \"conv2d_1\"}, {\"remove\": \"relu_3\"}]", "changes nothing");
}

/* Every mistake of a list at once. */
static void mistakes_together(void **state)
{
	struct graph *g = model(remap);

	(void)state;
	is_wrong(g, "[{\"remov\": \"relu_1\"}, {\"remove\": 3}, {\"remove\": \"relu_9\"}, 5]",
		 "\"remov\" is not an operator");
	assert_non_null(strstr(mistakes, "(did you mean \"remove\"?)"));
	assert_non_null(strstr(mistakes, "[1].remove: must be the id of a layer or block"));
	assert_non_null(strstr(mistakes, "an edit is an object"));
	is_wrong(g, "[{\"remove\": \"relu_9\"}, {\"remove\": \"rleu_1\"}]", "\"relu_9\"");
	assert_non_null(strstr(mistakes, "\"rleu_1\" (did you mean \"relu_1\"?)"));
	is_wrong(g, "[]", "holds no edit");
	is_wrong(g, "{\"remove\": \"relu_1\", \"depth\": 2}", "depth");
}

/* What a study stores of a change. */
static void change_document(void **state)
{
	struct graph *g = model(remap);
	struct json *v;
	struct str t = { 0 };

	(void)state;
	must(g, "{\"remove\": \"conv2d_1\"}");
	v = mutate_change(&log_of);
	json_print(&t, v);
	assert_string_equal(str_get(&t), "{\"edits\":[{\"remove\":\"conv2d_1\"}],\"words\":\"removed conv2d_1\","
					 "\"repairs\":[\"dense_1: 2704 -> 196 features\"]}");
	str_release(&t);
	json_free(v);
}

/* An inserted block comes from the model's own definitions; the child embeds it and reads back. */
static void own_blocks(void **state)
{
	struct graph *g = load("configs/models/resnet8.json"),
		     *c = must(g, "{\"insert\": {\"residual\": {\"filters\": 24}}, \"after\": \"residual_1\"}");
	int b = graph_find_group(c, "residual_4");

	(void)state;
	assert_string_equal(log_of.words, "inserted residual_4 after residual_1");
	assert_true(b >= 0);
	assert_non_null(strstr(c->groups[b].args, "\"filters\":24"));
	assert_string_equal(out_of(c, "residual_4__relu_2"), "24x32x32");
	assert_string_equal(out_of(c, "residual_2__relu_2"), "32x16x16");
}

/* ---- draws ---------------------------------------------------------------------------------------------- */

/* The first layer has the start of the chain before it, not the last layer; a softmax is never drawn; the classifier
 * is only prepended to. */
static void draws(void **state)
{
	struct graph *g = model(remap);
	struct diag d = { 0 };
	struct err e = { 0 };
	struct mutate_env env = { 0 };
	struct space *s;
	struct rng r;

	(void)state;
	assert_int_equal(space_load(&s, "configs/spaces/remap.json", &lib, arena, &d, &e), 0);
	env.space = s;
	rng_init(&r, 3, 1);
	for (int i = 0; i < 3000; i++) {
		struct place at = { (int)rng_below(&r, (uint32_t)g->n_nodes), -1 };
		const struct mutation *m = mutations[rng_below(&r, 5)];
		struct json *v = mutate_draw(m, g, at, &env, &r);
		struct str t = { 0 };

		json_print(&t, v);
		assert_null(strstr(str_get(&t), "softmax"));
		if (v && at.node == g->n_nodes - 1)
			assert_true(strcmp(m->name, "prepend") == 0);
		str_release(&t);
		json_free(v);
	}
}

/* Behind a pool REMAP's chain never has another kind of pool (maxpool2d), behind a dropout no activation. */
static void draws_follow_the_chain(void **state)
{
	struct graph *g =
	    model("{\"input\": [1, 28, 28], \"classes\": 10, \"layers\": [{\"conv2d\": {\"filters\": 16}}, "
		  "{\"dropout\": {}}, \"globalavgpool\", {\"dense\": {\"units\": 10}}]}");
	struct diag d = { 0 };
	struct err e = { 0 };
	struct mutate_env env = { 0 };
	int conv = 0, pool = 0, other = 0;
	struct space *s;
	struct rng r;

	(void)state;
	assert_int_equal(space_load(&s, "configs/spaces/remap.json", &lib, arena, &d, &e), 0);
	env.space = s;
	rng_init(&r, 4, 1);
	for (int i = 0; i < 600; i++) {
		struct json *v = mutate_draw(mutation_find("prepend"), g,
					     (struct place){ graph_find(g, "globalavgpool_1"), -1 }, &env, &r);
		const struct json *with = json_get(v, "with");

		conv += json_get(with, "conv2d") != NULL;
		pool += json_get(with, "avgpool2d") != NULL;
		other += !json_get(with, "conv2d") && !json_get(with, "avgpool2d");
		json_free(v);
	}
	/* conv 2, avgpool 1, dense 1 (another type of tensor: drawn again), end 1 (drawn again) */
	assert_int_equal(other, 0);
	assert_true(conv > 350 && conv < 450 && pool > 150 && pool < 250);
}

/* ---- the registry --------------------------------------------------------------------------------------- */

static void registry(void **state)
{
	struct json *schema = mutate_schema();
	struct str help = { 0 };
	int n = 0;

	(void)state;
	mutate_help(&help);
	for (; mutations[n]; n++) {
		const struct mutation *m = mutations[n];

		assert_ptr_equal(mutation_find(m->name), m);
		assert_true(m->help && m->help[0] && m->at && m->opts && m->cfg_size && m->apply);
		assert_null(opt_check(m->opts));
		assert_int_equal(layer_find(m->name), -1);
		assert_non_null(strstr(str_get(&help), m->name));
		assert_non_null(strstr(str_get(&help), m->help));
	}
	assert_null(mutation_find("nothing"));
	assert_int_equal(json_count(json_get(json_get(schema, "items"), "anyOf")), n);
	json_free(schema);
	str_release(&help);
}

static int fresh(void **state)
{
	(void)state;
	arena_reset(arena);
	return 0;
}

#define TEST(f) cmocka_unit_test_teardown(f, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(remaps_children),
		TEST(padded),
		TEST(residual_blocks),
		TEST(twins),
		TEST(windows),
		TEST(groups_follow),
		TEST(kernels),
		TEST(shared),
		TEST(inserts),
		TEST(replaces),
		TEST(swaps),
		TEST(lists),
		TEST(mistakes_together),
		TEST(change_document),
		TEST(own_blocks),
		TEST(draws),
		TEST(draws_follow_the_chain),
		TEST(registry),
	};
	int rc;

	arena = arena_new();
	rc = cmocka_run_group_tests_name("mutate", tests, NULL, NULL);
	arena_free(arena);
	return rc;
}
