/* tests/unit/test_morph.c - morphisms and inherited weights: whatever is said to keep the function keeps it, by the
 * double-precision oracle on random inputs and trained-like weights (random scales, shifts and running statistics).
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/kinds.h"
#include "arch/model.h"
#include "base/json.h"
#include "base/str.h"
#include "mutate/carry.h"
#include "space/space.h"
#include "tests/helper_graphs.h"
#include "tests/helper_layers.h"

enum { BATCH = 2 };

static const char *const dirs[] = { "configs/blocks" };
static const struct block_path lib = { dirs, 1 };

/* A shipped model, made smaller so that the oracle is quick. */
static struct graph *load(const char *name, double image, double width, struct arena *a)
{
	struct diag d = { 0 };
	struct err e = { 0 };
	struct graph *g;

	if (model_load(&g, arena_printf(a, "configs/models/%s.json", name), &lib, a, &d, &e) < 0 ||
	    graph_scale(&g, g, image, width, a, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	diag_release(&d);
	return g;
}

/* A model written out here: its "layers". */
static struct graph *model_of(const char *input, const char *layers, struct arena *a)
{
	const char *text =
	    arena_printf(a,
			 "{\"input\": %s, \"classes\": 5, \"use\": [\"residual.json\", \"squeeze_excite.json\"], "
			 "\"layers\": [%s, {\"dense\": {\"units\": 5}}]}",
			 input, layers);
	struct diag d = { 0 };
	struct err e = { 0 };
	struct json_in in = { NULL, &d, NULL };
	struct graph *g = NULL;
	struct json *doc;

	if (json_parse(&doc, text, strlen(text), "model", &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	in.root = doc;
	if (model_read(&g, doc, NULL, &lib, a, &in) < 0)
		fail_msg("%s: %s", d.items[0].where, d.items[0].msg);
	json_free(doc);
	diag_release(&d);
	return g;
}

/* ---- parent and child ----------------------------------------------------------------------------------- */

struct heir { /* of one list of edits */
	struct graph *child;
	struct weights *weights;
	struct carry_result result;
	struct mutate_log log;
	double apart; /* the largest difference of a logit, as a share of the largest logit */
};

static double distance(const struct graph *g, double **a, double **b)
{
	double most = 0, size = 1e-9;

	for (int k = 0; k < g->n_outputs; k++)
		for (int i = 0; i < BATCH * g->outputs[k].classes; i++) {
			most = fmax(most, fabs(a[k][i] - b[k][i]));
			size = fmax(size, fabs(a[k][i]));
			if (isnan(a[k][i]) != isnan(b[k][i]))
				return (double)INFINITY;
		}
	return most / size;
}

static double compare(const struct graph *parent, const struct weights *w, const struct graph *child,
		      const struct weights *v, struct arena *a, struct rng *r)
{
	const float *in[LAYER_INPUTS];

	for (int k = 0; k < parent->n_inputs; k++)
		in[k] = random_input(parent, k, BATCH, a, r);
	return distance(parent, oracle_logits(parent, w, in, BATCH, a), oracle_logits(child, v, in, BATCH, a));
}

/* Applies, inherits, compares. False if the edits were refused. */
static bool inherit(struct heir *h, const struct graph *g, const struct weights *w, const struct json *edits,
		    double noise, struct arena *a, struct rng *r)
{
	struct mutate_env env = { .weights = w };
	struct diag d = { 0 };
	struct json_in in = { edits, &d, NULL };
	struct err e = { 0 };
	int rc;

	*h = (struct heir){ 0 };
	rc = mutate_apply(&h->child, g, edits, &env, &h->log, a, &in);
	if (rc < 0)
		fail_msg("%s: %s", d.items[0].where, d.items[0].msg);
	if (rc == 0)
		return false;
	if (mutate_carry(&h->weights, h->child, g, w, h->log.edits, NULL, 7, noise, &h->result, a, &e) < 0)
		fail_msg("%s: %s (%s)", e.where, e.msg, h->log.words);
	h->apart = compare(g, w, h->child, h->weights, a, r);
	assert_true(h->result.preserves == !h->result.why);
	if (h->result.preserves && h->apart > 1e-5)
		fail_msg("%s: said to keep the function, apart by %g", h->log.words, h->apart);
	return true;
}

static void heir_release(struct heir *h)
{
	weights_free(h->weights);
}

static struct json *edits_of(const char *text)
{
	struct json *v = NULL;
	struct err e = { 0 };

	if (json_parse(&v, text, strlen(text), "edits", &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	return v;
}

/* why: NULL if the function is kept; else a part of the reason, and the child really differs. */
static void check(const struct graph *g, const char *text, const char *why)
{
	struct arena *a = arena_new();
	struct json *edits = edits_of(text);
	struct weights *w;
	struct heir h;
	struct rng r;

	rng_init(&r, test_seed(), hash64_text(text));
	w = random_weights(g, &r);
	if (!inherit(&h, g, w, edits, 0, a, &r))
		fail_msg("%s is refused: %s", text, h.log.refusal);
	if (!why && !h.result.preserves)
		fail_msg("%s does not keep the function: %s", text, h.result.why);
	if (why && (h.result.preserves || !strstr(h.result.why, why)))
		fail_msg("%s: \"%s\" instead of a reason with \"%s\"", text, h.result.why ? h.result.why : "kept", why);
	if (why && h.apart < 1e-4)
		fail_msg("%s: said to differ (%s), but does not: %g", text, h.result.why, h.apart);
	heir_release(&h);
	weights_free(w);
	json_free(edits);
	arena_free(a);
}

static void check_refused(const struct graph *g, const char *text, const char *why)
{
	struct arena *a = arena_new();
	struct json *edits = edits_of(text);
	struct diag d = { 0 };
	struct json_in in = { edits, &d, NULL };
	struct mutate_log log;
	struct graph *child;
	int rc = mutate_apply(&child, g, edits, NULL, &log, a, &in);
	const char *said = rc < 0 ? d.items[0].msg : rc == 0 ? log.refusal : "nothing: it was applied";

	if (rc > 0 || !strstr(said, why))
		fail_msg("%s: \"%s\" instead of \"%s\"", text, said, why);
	diag_release(&d);
	json_free(edits);
	arena_free(a);
}

/* ---- shipped models ------------------------------------------------------------------------------------- */

static void test_lenet(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = load("lenet5", 1, 1, a);

	(void)state;
	check(g, "{\"widen\": \"conv2d_1\", \"to\": 9}", NULL);
	check(g, "{\"widen\": \"conv2d_2\", \"by\": 1.5}", NULL); /* through the flatten */
	check(g, "{\"widen\": \"dense_1\", \"to\": 150}", NULL);
	check(g, "{\"deepen\": \"conv2d_2\"}", NULL);
	check(g, "{\"deepen\": \"dense_2\"}", NULL);
	check(g, "{\"enlarge\": \"conv2d_1\", \"kernel\": 7}", NULL);
	check(g, "{\"enlarge\": \"conv2d_2\", \"kernel\": [7, 6]}", NULL); /* not 'same' */
	check(g, "{\"skip\": \"relu_1\", \"to\": \"maxpool2d_1\"}", NULL); /* of another size: projected */
	check_refused(g, "{\"skip\": \"maxpool2d_1\", \"to\": \"conv2d_2\"}", "no stride takes 14x14 to 10x10");
	check(g, "{\"skip\": \"relu_1\", \"to\": \"maxpool2d_1\", \"merge\": \"concat\"}", NULL);
	check(g, "{\"skip\": \"relu_3\", \"to\": \"dense_2\"}", NULL); /* of another width: projected */
	check(g, "{\"branch\": \"conv2d_1\", \"with\": {\"conv2d\": {\"filters\": 6, \"padding\": \"same\"}}}", NULL);
	check(g, "{\"narrow\": \"dense_1\", \"to\": 60}", "dense_1");
	check(g, "{\"remove\": \"dense_2\"}", "dense_2 is gone");
	check_refused(g, "{\"widen\": \"dense_3\", \"to\": 20}", "output");
	check_refused(g, "{\"deepen\": \"dense_3\"}", "output");
	check_refused(g, "{\"deepen\": \"relu_1\"}", "identity");
	check_refused(g, "{\"widen\": \"relu_1\", \"to\": 20}", "no width");
	check_refused(g, "{\"widen\": \"conv2d_1\", \"to\": 6}", "not wider");
	check_refused(g, "{\"widen\": \"conv2d_1\"}", "\"to\" or \"by\"");
	check_refused(g, "{\"enlarge\": \"conv2d_1\", \"kernel\": 3}", "not larger");
	check_refused(g, "{\"skip\": \"relu_2\", \"to\": \"relu_1\"}", "does not come before");
	check_refused(g, "{\"skip\": \"relu_2\", \"to\": \"relu_9\"}", "relu_9");
	check_refused(g, "{\"skip\": \"relu_2\", \"to\": \"dense_1\"}", "type");
	check_refused(g, "{\"unskip\": \"relu_2\"}", "merges nothing");
	check_refused(g, "{\"narrow\": \"conv2d_1\", \"keep\": [0, 0]}", "twice");
	check_refused(g, "{\"narrow\": \"conv2d_1\", \"keep\": [6]}", "from 0 to 5");
	arena_free(a);
}

static void test_mlp(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = load("mlp", 0.5, 0.25, a);

	(void)state;
	check(g, "{\"widen\": \"dense_1\", \"to\": 100}", NULL);
	check(g, "{\"deepen\": \"dense_1\"}", NULL);
	check(g, "{\"remove\": \"dropout_1\"}", NULL); /* evaluation mode */
	check(g, "{\"skip\": \"dropout_1\", \"to\": \"dropout_2\", \"merge\": \"concat\"}", NULL);
	check(g, "{\"skip\": \"flatten_1\", \"to\": \"relu_2\"}", NULL);
	check(g,
	      "{\"branch\": \"dense_2\", \"with\": [{\"dense\": {\"units\": 8}}, \"relu\", {\"dense\": {\"units\": "
	      "32}}]}",
	      NULL);
	check(g, "{\"remove\": \"relu_1\"}", "relu_1 is gone");
	arena_free(a);
}

static void test_resnet(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = load("resnet8", 0.25, 0.5, a);

	(void)state;
	check(g, "{\"widen\": \"residual_1__conv2d_1\", \"to\": 11}", NULL);
	check(g, "{\"widen\": \"residual_1__conv2d_2\", \"to\": 11}", NULL); /* and the stem, joined by the sum */
	check(g, "{\"widen\": \"conv2d_1\", \"to\": 16}", NULL);
	check(g, "{\"widen\": \"residual_2__conv2d_2\", \"by\": 1.25}", NULL); /* and the projection */
	check(g, "{\"deepen\": \"residual_2__conv2d_1\"}", NULL);
	check(g, "{\"deepen\": \"residual_3__conv2d_2\"}", NULL);
	check(g, "{\"enlarge\": \"residual_2__conv2d_1\", \"kernel\": 5}", NULL);
	check(g, "{\"skip\": \"residual_1\", \"to\": \"residual_3\"}", NULL);
	check(g, "{\"skip\": \"relu_1\", \"to\": \"residual_1\", \"project\": true}", NULL);
	check(g, "{\"skip\": \"relu_1\", \"to\": \"residual_1\"}", "add_1 is new");
	check(g, "{\"skip\": \"residual_1\", \"to\": \"residual_2\", \"merge\": \"concat\"}", NULL);
	check(g,
	      "{\"branch\": \"residual_2\", \"with\": {\"conv2d\": {\"filters\": 16, \"stride\": 2, \"padding\": "
	      "\"same\"}}}",
	      NULL);
	check(g, "{\"branch\": \"residual_1\", \"with\": \"batchnorm\"}", NULL);
	check(g,
	      "{\"branch\": \"residual_3__conv2d_2\", \"with\": {\"maxpool2d\": {\"size\": 3, \"stride\": 1, "
	      "\"padding\": \"same\"}}}",
	      NULL);
	check(g, "{\"unskip\": \"residual_1__add_1\"}", "residual_1");
	check(g, "{\"remove\": \"residual_1\"}", "residual_1");
	check_refused(g, "{\"skip\": \"relu_1\", \"to\": \"residual_1__relu_1\"}", "same block");
	arena_free(a);
}

static void test_mobilenet(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = load("mobilenet-small", 0.25, 0.5, a);

	(void)state;
	check(g, "{\"widen\": \"mbconv_2__conv2d_1\", \"by\": 1.5}", NULL); /* through a depthwise convolution */
	check(g, "{\"widen\": \"mbconv_3__conv2d_2\", \"by\": 1.5}", NULL); /* and two sums behind it */
	check(g, "{\"deepen\": \"conv_bn_act_1__conv2d_1\"}", NULL);        /* relu6 */
	check(g, "{\"deepen\": \"mbconv_2__depthwise2d_1\"}", NULL);
	check(g, "{\"deepen\": \"mbconv_2__conv2d_2\"}", NULL);
	check(g, "{\"enlarge\": \"mbconv_2__depthwise2d_1\", \"kernel\": [3, 5]}", NULL);
	check(g, "{\"skip\": \"mbconv_1\", \"to\": \"mbconv_2\"}", NULL);
	check(g,
	      "{\"branch\": \"mbconv_2__depthwise2d_1\", \"with\": {\"conv2d\": {\"filters\": 32, \"stride\": 2, "
	      "\"kernel\": 1}}}",
	      NULL);
	check_refused(g, "{\"widen\": \"mbconv_2__depthwise2d_1\", \"to\": 100}", "no width");
	arena_free(a);
}

static void test_vgg(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = load("vgg-small", 0.5, 0.125, a);

	(void)state;
	check(g, "{\"widen\": \"conv_bn_act_6__conv2d_1\", \"by\": 1.5}", NULL);
	check(g, "{\"widen\": \"conv_bn_act_1__conv2d_1\", \"to\": 7}", NULL);
	check(g, "{\"deepen\": \"conv_bn_act_3__conv2d_1\"}", NULL);
	check(g, "{\"enlarge\": \"conv_bn_act_4__conv2d_1\", \"kernel\": 5}", NULL);
	check(g, "{\"skip\": \"conv_bn_act_2\", \"to\": \"conv_bn_act_3\", \"merge\": \"concat\"}", NULL);
	arena_free(a);
}

/* ---- other kinds ---------------------------------------------------------------------------------------- */

static void test_kinds(void **state)
{
	struct arena *a = arena_new();
	const char *image = "[3, 6, 6]", *steps = "{\"type\": \"sequence\", \"shape\": [3, 7]}";
	struct graph *g;

	(void)state;
	g = model_of(
	    image,
	    "{\"conv2d\": {\"filters\": 8, \"kernel\": 3, \"groups\": 1}}, \"relu\", {\"conv2d\": {\"filters\": 12, "
	    "\"kernel\": 3, \"groups\": 4}}, {\"groupnorm\": {\"groups\": 2}}, \"relu\", \"flatten\"",
	    a);
	check(g, "{\"widen\": \"conv2d_1\", \"to\": 12}", NULL); /* copies stay in their groups */
	check(g, "{\"widen\": \"conv2d_2\", \"to\": 24}", NULL); /* twice each: the norm's moments stay */
	check(g, "{\"widen\": \"conv2d_2\", \"to\": 16}", "normalises over other channels");
	check(g, "{\"deepen\": \"conv2d_2\"}", "groupnorm_2 is new");
	check_refused(g, "{\"widen\": \"conv2d_2\", \"to\": 18}", "divisible");
	g = model_of(
	    image,
	    "{\"conv2d\": {\"filters\": 4, \"kernel\": 1}}, \"layernorm\", \"gelu\", {\"conv2d\": {\"filters\": 4, "
	    "\"kernel\": 2, \"dilation\": 2, \"padding\": [1, 0, 1, 2]}}, \"sigmoid\", \"globalavgpool\"",
	    a);
	check(g, "{\"widen\": \"conv2d_1\", \"to\": 8}", NULL);
	check(g, "{\"widen\": \"conv2d_1\", \"to\": 6}", "normalises over other channels");
	check(g, "{\"deepen\": \"conv2d_2\"}", "sigmoid_2 is new");
	check(g, "{\"enlarge\": \"conv2d_2\", \"kernel\": [4, 3]}", NULL);
	check(g, "{\"enlarge\": \"conv2d_2\", \"kernel\": [2, 5]}", NULL);
	check(g, "{\"branch\": \"layernorm_1\", \"with\": \"sigmoid\"}", NULL);
	check(g,
	      "{\"branch\": \"conv2d_2\", \"with\": [{\"conv2d\": {\"filters\": 4, \"kernel\": 1}}, \"sigmoid\", "
	      "{\"avgpool2d\": {\"size\": 1}}]}",
	      NULL);
	g = model_of(image, "{\"se_residual\": {\"filters\": 8}}, {\"residual\": {\"filters\": 8}}, \"globalmaxpool\"",
		     a);
	check(g, "{\"widen\": \"se_residual_1__conv2d_2\", \"to\": 12}", NULL); /* with the gate's dense layer */
	check(g, "{\"widen\": \"se_residual_1__squeeze_excite_1__dense_1\", \"to\": 5}", NULL);
	check(g, "{\"deepen\": \"se_residual_1__squeeze_excite_1__dense_1\"}", NULL);
	check(g, "{\"unskip\": \"se_residual_1__squeeze_excite_1__multiply_1\", \"input\": 0}", "multiply_1 is gone");
	g = model_of(
	    steps,
	    "{\"conv1d\": {\"filters\": 4, \"padding\": \"same\"}}, \"relu\", {\"gru\": {\"units\": 3}}, {\"lstm\": "
	    "{\"units\": 4, \"bidirectional\": true}}, {\"rnn\": {\"units\": 5, \"last\": \"last\"}}",
	    a);
	check(g, "{\"widen\": \"conv1d_1\", \"to\": 7}", NULL);
	check(g, "{\"deepen\": \"conv1d_1\"}", NULL);
	check(g, "{\"enlarge\": \"conv1d_1\", \"kernel\": [1, 5]}", NULL);
	check(g, "{\"widen\": \"gru_1\", \"to\": 5}", NULL);
	check(g, "{\"widen\": \"lstm_1\", \"to\": 7}", NULL);
	check(g, "{\"widen\": \"rnn_1\", \"by\": 2}", NULL);
	check(g, "{\"skip\": \"relu_1\", \"to\": \"lstm_1\"}", NULL);
	check(g, "{\"narrow\": \"gru_1\", \"keep\": [0, 2]}", "gru_1");
	check_refused(g, "{\"deepen\": \"gru_1\"}", "identity");
	g = model_of("{\"type\": \"tokens\", \"shape\": [6]}",
		     "{\"embedding\": {\"vocabulary\": 5, \"features\": 4}}, {\"conv1d\": {\"filters\": 3}}, "
		     "\"globalavgpool\"",
		     a);
	check(g, "{\"widen\": \"embedding_1\", \"to\": 6}", NULL);
	arena_free(a);
}

/* Edits one after the other, each on what the ones before have made. */
static void test_lists(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = load("resnet8", 0.25, 0.5, a);

	(void)state;
	check(g,
	      "[{\"widen\": \"residual_1__conv2d_1\", \"to\": 11}, {\"widen\": \"residual_1__conv2d_1\", \"to\": 13}, "
	      "{\"enlarge\": \"residual_1__conv2d_1\", \"kernel\": 5}, {\"enlarge\": \"residual_1__conv2d_1\", "
	      "\"kernel\": 7}]",
	      NULL);
	check(g,
	      "[{\"deepen\": \"residual_2__conv2d_1\"}, {\"deepen\": \"residual_2__conv2d_4\"}, {\"widen\": "
	      "\"residual_2__conv2d_4\", \"by\": 1.5}, {\"enlarge\": \"residual_2__conv2d_4\", \"kernel\": 5}]",
	      NULL);
	check(g, "[{\"deepen\": \"residual_2__conv2d_3\"}, {\"widen\": \"residual_2__conv2d_3\", \"by\": 1.5}]", NULL);
	check(g,
	      "[{\"skip\": \"residual_1\", \"to\": \"residual_3\", \"merge\": \"concat\"}, {\"widen\": "
	      "\"residual_3__conv2d_2\", \"to\": 40}, {\"branch\": \"residual_2\", \"with\": {\"conv2d\": "
	      "{\"filters\": 16, \"kernel\": 1, \"stride\": 2}}}]",
	      NULL);
	check(g, "[{\"widen\": \"residual_1__conv2d_1\", \"to\": 11}, {\"remove\": \"residual_3\"}]", "residual_3");
	arena_free(a);
}

/* ---- what is inherited ---------------------------------------------------------------------------------- */

static const float *values(const struct weights *w, const char *name, int64_t *n)
{
	for (int i = 0; i < w->n; i++)
		if (strcmp(w->tensors[i].name, name) == 0) {
			*n = w->tensors[i].count;
			return w->data + w->tensors[i].first;
		}
	fail_msg("there is no %s", name);
	return NULL;
}

/* Net2Wider by hand: 2 -> 3 units repeat units 0, 0, 1; who reads them halves the copies. */
static void test_by_hand(void **state)
{
	struct arena *a = arena_new();
	struct graph *g =
	    model_of("{\"type\": \"vector\", \"shape\": [2]}", "{\"dense\": {\"units\": 2}}, \"relu\"", a);
	struct json *edits = edits_of("{\"widen\": \"dense_1\", \"to\": 3}");
	const float *was, *now;
	struct weights *w;
	struct heir h;
	struct rng r;
	int64_t n;

	(void)state;
	rng_init(&r, test_seed(), 1);
	w = random_weights(g, &r);
	assert_true(inherit(&h, g, w, edits, 0, a, &r));
	assert_int_equal(h.result.inherited, 4);
	assert_int_equal(h.result.drawn, 0);
	was = values(w, "dense_1.weight", &n);
	now = values(h.weights, "dense_1.weight", &n);
	assert_int_equal(n, 6);
	for (int i = 0; i < 6; i++)
		assert_true(now[i] == was[i < 4 ? i % 2 : i - 2]);
	was = values(w, "dense_2.weight", &n);
	now = values(h.weights, "dense_2.weight", &n);
	for (int u = 0; u < 5; u++) {
		assert_true(now[3 * u] == was[2 * u] / 2 && now[3 * u + 1] == was[2 * u] / 2);
		assert_true(now[3 * u + 2] == was[2 * u + 1]);
	}
	heir_release(&h);
	weights_free(w);
	json_free(edits);
	arena_free(a);
}

/* The filters of the largest magnitude stay, and who reads them keeps the columns; drawn edits say which. */
static void test_narrow(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = model_of("[1, 4, 4]", "{\"conv2d\": {\"filters\": 4, \"kernel\": 1}}, \"flatten\"", a);
	struct json *edits = edits_of("{\"narrow\": \"conv2d_1\", \"to\": 2}"), *drawn;
	struct mutate_env env = { 0 };
	struct weights *w;
	const float *was, *now;
	struct heir h;
	struct rng r;
	int64_t n;

	(void)state;
	rng_init(&r, test_seed(), 2);
	w = random_weights(g, &r);
	w->data[0] = 0.1F, w->data[1] = -3, w->data[2] = 0.2F, w->data[3] = 2;
	assert_true(inherit(&h, g, w, edits, 0, a, &r));
	now = values(h.weights, "conv2d_1.weight", &n);
	assert_true(n == 2 && now[0] == -3 && now[1] == 2);
	was = values(w, "dense_1.weight", &n);
	now = values(h.weights, "dense_1.weight", &n);
	assert_int_equal(n, 5 * 32);
	for (int i = 0; i < n; i++)
		assert_true(now[i] == was[i / 32 * 64 + (i % 32 < 16 ? 16 : 32) + i % 32]);
	assert_false(h.result.preserves);
	heir_release(&h);
	env.weights = w;
	drawn = NULL;
	while (!drawn || json_count(json_get(drawn, "keep")) != 2) {
		json_free(drawn);
		drawn = mutate_draw(mutation_find("narrow"), g, (struct place){ 0, -1 }, &env, &r);
		assert_non_null(drawn);
	}
	assert_true(json_number(json_first(json_get(drawn, "keep"))) == 1);
	json_free(drawn);
	weights_free(w);
	json_free(edits);
	arena_free(a);
}

/* Noise keeps the function nearly, tells copies apart, and is said. */
static void test_noise(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = load("vgg-small", 0.5, 0.125, a);
	struct json *widen = edits_of("{\"widen\": \"conv_bn_act_2__conv2d_1\", \"by\": 2}");
	struct json *deepen = edits_of("{\"deepen\": \"conv_bn_act_2__conv2d_1\"}");
	struct weights *w;
	struct heir h;
	struct rng r;

	(void)state;
	rng_init(&r, test_seed(), 3);
	w = random_weights(g, &r);
	assert_true(inherit(&h, g, w, widen, 0.001, a, &r));
	assert_false(h.result.preserves);
	assert_non_null(strstr(h.result.why, "noise"));
	assert_true(h.apart > 1e-6 && h.apart < 0.1);
	heir_release(&h);
	assert_true(inherit(&h, g, w, deepen, 0.001, a, &r)); /* no copies: nothing to tell apart */
	assert_true(h.result.preserves);
	heir_release(&h);
	weights_free(w);
	json_free(widen);
	json_free(deepen);
	arena_free(a);
}

/* What the parent does not give starts as in an untrained model of this seed. */
static void test_drawn(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = load("lenet5", 0.5, 1, a);
	struct json *edits =
	    edits_of("{\"insert\": {\"conv2d\": {\"filters\": 6, \"kernel\": 3, \"padding\": \"same\"}}, "
		     "\"after\": \"relu_1\"}");
	struct weights *w, *fresh;
	struct heir h;
	struct rng r;
	int same = 0;

	(void)state;
	rng_init(&r, test_seed(), 4);
	w = random_weights(g, &r);
	assert_true(inherit(&h, g, w, edits, 0, a, &r));
	fresh = weights_new(h.child, NULL);
	weights_init(fresh, h.child, 7);
	assert_int_equal(h.result.drawn, 2);
	assert_int_equal(h.result.inherited, w->n);
	for (int i = 0; i < fresh->n; i++)
		same += memcmp(fresh->data + fresh->tensors[i].first, h.weights->data + fresh->tensors[i].first,
			       (size_t)fresh->tensors[i].count * sizeof(float)) == 0;
	assert_int_equal(same, 2);
	weights_free(fresh);
	heir_release(&h);
	weights_free(w);
	json_free(edits);
	arena_free(a);
}

/* A child that other edits made, and edits that do not apply, are said to be so. */
static void test_wrong_child(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = load("lenet5", 0.5, 1, a), *other = load("mlp", 0.5, 0.25, a);
	struct json *edits = edits_of("{\"widen\": \"conv2d_1\", \"to\": 9}");
	struct json *none = edits_of("{\"widen\": \"conv2d_9\", \"to\": 9}");
	struct json *refused = edits_of("{\"widen\": \"conv2d_1\", \"to\": 2}");
	struct weights *w, *out;
	struct carry_result result;
	struct err e = { 0 };
	struct rng r;

	(void)state;
	rng_init(&r, test_seed(), 5);
	w = random_weights(g, &r);
	assert_int_equal(mutate_carry(&out, other, g, w, edits, NULL, 1, 0, &result, a, &e), -1);
	assert_non_null(strstr(e.msg, "do not make this model"));
	err_clear(&e);
	assert_int_equal(mutate_carry(&out, other, g, w, none, NULL, 1, 0, &result, a, &e), -1);
	assert_non_null(strstr(e.msg, "conv2d_9"));
	err_clear(&e);
	assert_int_equal(mutate_carry(&out, other, g, w, refused, NULL, 1, 0, &result, a, &e), -1);
	assert_non_null(strstr(e.msg, "not wider"));
	assert_null(out);
	weights_free(w);
	json_free(edits);
	json_free(none);
	json_free(refused);
	arena_free(a);
}

/* The mean and variance of max(x, 0) for x ~ N(b, w^2), summed over a fine grid. */
static void rectified_moments(double b, double w, double *mean, double *var)
{
	double sum = 0, square = 0, all = 0;

	for (int i = -40000; i <= 40000; i++) {
		double z = i / 4000.0, p = exp(-z * z / 2), x = fmax(b + w * z, 0);

		all += p;
		sum += p * x;
		square += p * x * x;
	}
	*mean = sum / all;
	*var = square / all - *mean * *mean;
}

/* The batch norm of a deepening layer knows what its channels are like: training starts near the parent's function,
 * not only evaluation. */
static void test_statistics(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = model_of(
	    "[2, 4, 4]", "{\"conv2d\": {\"filters\": 6, \"kernel\": 3}}, \"batchnorm\", \"relu\", \"flatten\"", a);
	struct json *edits = edits_of("{\"deepen\": \"conv2d_1\"}");
	const float *scale, *shift, *mean, *var, *new_scale, *new_shift;
	struct weights *w;
	struct heir h;
	struct rng r;
	int64_t n;

	(void)state;
	rng_init(&r, test_seed(), 6);
	w = random_weights(g, &r);
	assert_true(inherit(&h, g, w, edits, 0, a, &r) && h.result.preserves);
	scale = values(w, "batchnorm_1.weight", &n);
	shift = values(w, "batchnorm_1.bias", &n);
	new_scale = values(h.weights, "batchnorm_2.weight", &n);
	new_shift = values(h.weights, "batchnorm_2.bias", &n);
	mean = values(h.weights, "batchnorm_2.running_mean", &n);
	var = values(h.weights, "batchnorm_2.running_var", &n);
	assert_int_equal(n, 6);
	for (int c = 0; c < n; c++) {
		double m, v;

		rectified_moments((double)shift[c], fabs((double)scale[c]), &m, &v);
		assert_true(fabs((double)mean[c] - m) < 1e-4 && fabs((double)var[c] - fmax(v, 1e-3)) < 1e-4);
		assert_true(new_shift[c] == mean[c] &&
			    fabs((double)(new_scale[c] * new_scale[c] - var[c]) - 1e-5) < 1e-6);
	}
	heir_release(&h);
	weights_free(w);
	json_free(edits);
	arena_free(a);
}

/* ---- whatever can be drawn ------------------------------------------------------------------------------ */

struct tally {
	int tried, refused, kept, unsaid; /* unsaid: not said to keep the function, but does on these inputs */
};

static void count(struct tally *t, const struct graph *g, const struct weights *w, const struct json *edits,
		  struct arena *a, struct rng *r)
{
	struct heir h;

	t->tried++;
	if (!inherit(&h, g, w, edits, 0, a, r))
		t->refused++;
	else if (h.result.preserves)
		t->kept++;
	else
		t->unsaid += h.apart < 1e-7;
	heir_release(&h);
}

/* `n` drawn edits of one model; more than one only of morphisms, which leave the others their places. */
static void try_edits(struct tally *t, const struct graph *g, int n, struct rng *r)
{
	struct arena *a = arena_new();
	struct weights *w = random_weights(g, r);
	struct mutate_env env = { .weights = w };
	struct json *edits = json_array();
	int operators = 0;

	while (mutations[operators])
		operators++;
	for (int tries = 0; tries < 200 && json_count(edits) < n; tries++) {
		const struct mutation *m = mutations[rng_below(r, (uint32_t)operators)];
		int k = (int)rng_below(r, (uint32_t)(g->n_nodes + g->n_groups));
		struct place at = { k < g->n_nodes ? k : -1, k < g->n_nodes ? -1 : k - g->n_nodes };
		struct json *one = n == 1 || m->morph ? mutate_draw(m, g, at, &env, r) : NULL;

		if (one)
			json_push(edits, one);
	}
	if (json_count(edits))
		count(t, g, w, edits, a, r);
	json_free(edits);
	weights_free(w);
	arena_free(a);
}

static void report(const char *what, const struct tally *t)
{
	print_message("%s: %d tried, %d refused, %d kept the function, %d did without its being said\n", what, t->tried,
		      t->refused, t->kept, t->unsaid);
}

/* Every kind, blocks, shared layers, several inputs and outputs. */
static void test_random_graphs(void **state)
{
	struct arena *a = arena_new();
	struct tally one = { 0 }, several = { 0 };

	(void)state;
	for (int i = 0; i < 2500; i++) {
		const struct graph *g;
		struct rng r;

		rng_init(&r, test_seed(), 100 + (uint64_t)i);
		arena_reset(a);
		g = random_graph(a, &r);
		try_edits(&one, g, 1, &r);
		try_edits(&several, g, 3, &r);
	}
	report("one edit of a random graph", &one);
	report("three morphisms of a random graph", &several);
	assert_true(one.kept > 500 && several.kept > 500);
	assert_true(one.unsaid < one.tried / 10 && several.unsaid < several.tried / 10);
	arena_free(a);
}

/* Models as a search makes them, at a fraction of their width. */
static void test_space(void **state)
{
	struct arena *run = arena_new(), *a = arena_new();
	struct tally one = { 0 }, several = { 0 };
	struct space_target target;
	struct diag d = { 0 };
	struct err e = { 0 };
	struct space *s;

	(void)state;
	assert_int_equal(space_load(&s, "configs/spaces/blocks-100k.json", &lib, run, &d, &e), 0);
	assert_int_equal(space_own_target(s, &target), 0);
	for (int i = 0; i < 200; i++) {
		struct graph *g, *small;
		struct rng r;

		rng_init(&r, test_seed(), 9000 + (uint64_t)i);
		arena_reset(a);
		assert_int_equal(space_sample(&g, s, &target, &r, a, NULL, &e), 0);
		if (graph_scale(&small, g, 0.5, 0.5, a, NULL) < 0)
			continue;
		try_edits(&one, small, 1, &r);
		try_edits(&several, small, 3, &r);
	}
	report("one edit of a sampled model", &one);
	report("three morphisms of a sampled model", &several);
	assert_true(one.kept > 20 && several.kept > 20);
	diag_release(&d);
	arena_free(a);
	arena_free(run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lenet),      cmocka_unit_test(test_mlp),
		cmocka_unit_test(test_resnet),     cmocka_unit_test(test_mobilenet),
		cmocka_unit_test(test_vgg),        cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_lists),      cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_narrow),     cmocka_unit_test(test_noise),
		cmocka_unit_test(test_drawn),      cmocka_unit_test(test_wrong_child),
		cmocka_unit_test(test_statistics), cmocka_unit_test(test_random_graphs),
		cmocka_unit_test(test_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
