/* tests/unit/test_recipe.c - the recipe reads what it writes, says what is wrong, and follows PyTorch's schedules. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/recipe.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"

/* Reads `text` as a recipe; the messages, one a line, go to *said (may be NULL). */
static int read_text(struct recipe *r, const char *text, struct str *said)
{
	struct arena *a = arena_new();
	struct diag d = { 0 };
	struct json *j;
	int rc;

	assert_int_equal(json_parse(&j, text, strlen(text), "test", NULL), 0);
	rc = recipe_read(r, j, a, &(struct json_in){ .root = j, .diag = &d });
	for (int i = 0; said && i < d.n; i++)
		str_addf(said, "%s: %s\n", d.items[i].where, d.items[i].msg);
	assert_int_equal(rc<0, d.errors> 0);
	diag_release(&d);
	json_free(j);
	arena_free(a);
	return rc;
}

static void shorthand_is_made_explicit(void **state)
{
	struct recipe r;
	struct json *j;
	struct str text = { 0 };

	(void)state;
	assert_int_equal(read_text(&r,
				   "{\"epochs\": 3, \"optimizer\": \"sgd\", \"schedule\": {\"cosine\": {}},"
				   " \"augment\": [\"hflip\", {\"crop\": {\"pad\": 2}}]}",
				   NULL),
			 0);
	j = recipe_write(&r);
	json_print(&text, j);
	assert_string_equal(
	    str_get(&text),
	    "{\"epochs\":3,\"horizon\":0,\"batch\":128,"
	    "\"optimizer\":{\"sgd\":{\"lr\":0.1,\"momentum\":0.9,\"nesterov\":true,\"weight_decay\":0.0005}},"
	    "\"schedule\":{\"cosine\":{\"final\":0,\"warmup\":0}},\"loss\":\"cross-entropy\",\"label_smoothing\":0,"
	    "\"clip\":0,\"augment\":[{\"hflip\":{\"p\":0.5}},{\"crop\":{\"pad\":2}}],"
	    "\"early_stop\":{\"patience\":0,\"min_delta\":0,\"restore\":true},"
	    "\"fidelity\":{\"data\":1,\"image\":1,\"width\":1},\"precision\":\"fp32\"}");
	str_release(&text);
	json_free(j);
}

static double pick(struct rng *r, double low, double high)
{
	return low + (high - low) * rng_real(r);
}

static void random_optimizer(struct str *t, struct rng *r)
{
	switch (rng_below(r, 4)) {
	case 0:
		str_addf(t, "\"optimizer\":{\"sgd\":{\"lr\":%.17g,\"momentum\":%.17g,\"nesterov\":%s}}",
			 pick(r, 0.001, 1), pick(r, 0.1, 0.99), rng_below(r, 2) ? "true" : "false");
		return;
	case 1:
		str_addf(t, "\"optimizer\":{\"adam\":{\"beta2\":%.17g,\"eps\":%.17g}}", pick(r, 0.9, 0.999),
			 pick(r, 1e-10, 1e-3));
		return;
	case 2:
		str_addf(t, "\"optimizer\":{\"adamw\":{\"lr\":%.17g,\"weight_decay\":%.17g}}", pick(r, 1e-4, 0.1),
			 pick(r, 0, 1));
		return;
	}
	str_add(t, "\"optimizer\":\"adam\"");
}

static void random_schedule(struct str *t, struct rng *r)
{
	switch (rng_below(r, 4)) {
	case 0:
		str_addf(t, ",\"schedule\":{\"constant\":{\"warmup\":%.17g}}", pick(r, 0, 0.9));
		return;
	case 1:
		str_addf(t, ",\"schedule\":{\"step\":{\"gamma\":%.17g,\"every\":%.17g}}", pick(r, 0.1, 0.9),
			 pick(r, 0.1, 9));
		return;
	case 2:
		str_addf(t, ",\"schedule\":{\"cosine\":{\"final\":%.17g}}", pick(r, 0, 1));
		return;
	}
	str_addf(t, ",\"schedule\":{\"onecycle\":{\"rise\":%.17g,\"start\":%.17g}}", pick(r, 0, 1), pick(r, 0, 1));
}

static void random_recipe(struct str *t, struct rng *r)
{
	static const char *const augments[] = { "\"hflip\"", "{\"vflip\":{\"p\":0.25}}", "{\"crop\":{\"pad\":3}}",
						"{\"cutout\":{\"size\":5,\"p\":0.1}}", "\"cutout\"" };
	int n = (int)rng_below(r, RECIPE_AUGMENTS + 1), epochs = 1 + (int)rng_below(r, 50);

	str_addc(t, '{');
	random_optimizer(t, r);
	random_schedule(t, r);
	str_addf(t, ",\"epochs\":%d,\"horizon\":%d,\"batch\":%u,\"label_smoothing\":%.17g,\"clip\":%.17g", epochs,
		 rng_below(r, 2) ? epochs + 3 : 0, 1 + rng_below(r, 512), pick(r, 0, 0.5), pick(r, 0, 5));
	str_addf(t, ",\"early_stop\":{\"patience\":%u,\"restore\":%s},\"fidelity\":{\"data\":%.17g},\"augment\":[",
		 rng_below(r, 10), rng_below(r, 2) ? "true" : "false", pick(r, 0.1, 1));
	for (int i = 0; i < n; i++)
		str_addf(t, "%s%s", i ? "," : "", augments[rng_below(r, 5)]);
	str_add(t, "],\"precision\":\"bf16\"}");
}

static void reading_what_was_written_gives_the_same(void **state)
{
	struct rng rng;

	(void)state;
	rng_init(&rng, 11, 1);
	for (int i = 0; i < 500; i++) {
		struct str text = { 0 }, once = { 0 };
		struct recipe r, again;
		struct json *j;

		random_recipe(&text, &rng);
		assert_int_equal(read_text(&r, str_get(&text), NULL), 0);
		j = recipe_write(&r);
		json_print(&once, j);
		json_free(j);
		assert_int_equal(read_text(&again, str_get(&once), NULL), 0);
		assert_memory_equal(&r, &again, sizeof r);
		str_release(&text);
		str_release(&once);
	}
}

static void defaults_are_what_an_empty_object_gives(void **state)
{
	struct recipe a, b;

	(void)state;
	recipe_defaults(&a);
	assert_int_equal(read_text(&b, "{}", NULL), 0);
	assert_memory_equal(&a, &b, sizeof a);
}

static void mistakes_are_named(void **state)
{
	static const char *const cases[][2] = {
		{ "{\"epoch\": 3}", "epoch: unknown key (did you mean \"epochs\"?)\n" },
		{ "{\"epochs\": 0}", "epochs: must be between 1 and 100000, got 0\n" },
		{ "{\"epochs\": \"3\"}", "epochs: must be a whole number, not a string\n" },
		{ "{\"optimizer\": \"adamww\"}", "optimizer: unknown name \"adamww\" (did you mean \"adamw\"?)\n" },
		{ "{\"optimizer\": \"lion\"}",
		  "optimizer: unknown name \"lion\": must be one of \"sgd\", \"adam\", \"adamw\"\n" },
		{ "{\"optimizer\": {\"sgd\": {\"momentun\": 0.9}}}",
		  "optimizer.sgd.momentun: unknown key (did you mean \"momentum\"?)\n" },
		{ "{\"optimizer\": {\"adam\": {\"nesterov\": true}}}", "optimizer.adam.nesterov: unknown key\n" },
		{ "{\"optimizer\": {\"sgd\": {}, \"adam\": {}}}",
		  "optimizer: must be a name or an object of one name with its options: {\"name\": {...}}\n" },
		{ "{\"optimizer\": {\"sgd\": 0.1}}", "optimizer.sgd: must be an object of options, not a number\n" },
		{ "{\"optimizer\": {\"sgd\": {\"momentum\": 0, \"nesterov\": true}}}",
		  "optimizer: \"nesterov\" needs a momentum above 0\n" },
		{ "{\"augment\": \"hflip\"}",
		  "augment: must be a list such as [\"hflip\", {\"crop\": {\"pad\": 2}}], not a string\n" },
		{ "{\"augment\": [\"hflip\", {\"crop\": {\"pad\": 0}}]}",
		  "augment[1].crop.pad: must be between 1 and 1024, got 0\n" },
		{ "{\"epochs\": 9, \"horizon\": 5}",
		  "horizon: must be 0 or at least \"epochs\" (9): the schedule would end before the run does\n" },
		{ "{\"schedule\": {\"cosine\": {\"warmup\": 5}}}",
		  "schedule: a warm-up of 5 epochs does not fit into 5 epochs\n" },
		{ "{\"loss\": \"mse\", \"label_smoothing\": 0.1}",
		  "label_smoothing: goes with the loss \"cross-entropy\" only\n" },
		{ "{\"batch\": 0, \"clip\": -1}", "batch: must be between 1 and 65536, got 0\n"
						  "clip: must be between 0 and 1000000, got -1\n" },
		{ "[]", ": must be an object, not an array\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str said = { 0 };
		struct recipe r;

		assert_int_equal(read_text(&r, cases[i][0], &said), -1);
		assert_string_equal(str_get(&said), cases[i][1]);
		str_release(&said);
	}
}

/* The rates of torch.optim.lr_scheduler (PyTorch 1.13.1, float64), 20 steps with step() after each:
 * OneCycleLR(max_lr=0.01, total_steps=20, pct_start=0.3, div_factor=25, final_div_factor=1e4),
 * CosineAnnealingLR(T_max=20, eta_min=0.0005) from 0.05, StepLR(step_size=6, gamma=0.1) from 0.1. */
static const double torch_onecycle[20] = {
	0.00039999999999999931,
	0.0013167184270002508,
	0.0037167184270002519,
	0.0066832815729997476,
	0.009083281572999747,
	0.01,
	0.009874640062350875,
	0.0095048463201347373,
	0.0089091617757104998,
	0.0081174565394976309,
	0.007169430017913008,
	0.0061126202193628925,
	0.00500002,
	0.0038874197806371079,
	0.0028306099820869924,
	0.0018825834605023699,
	0.0010908782242895004,
	0.00049519367986526283,
	0.00012539993764912555,
	4.0000000000000001e-08,
};
static const double torch_cosine[20] = {
	0.050000000000000003,  0.04969528642972966,   0.048788648778305056,  0.047302411473662105,
	0.045273170610779956,  0.042750892834367053,  0.039797684994238712,  0.036486264868553782,
	0.032898170610779952,  0.029121753009745718,  0.025250000000000002,  0.021378246990254295,
	0.017601829389220055,  0.01401373513144622,   0.010702315005761295,  0.0077491071656329517,
	0.0052268293892200543, 0.0031975885263378977, 0.0017113512216949502, 0.00080471357027034297,
};

static void expect_rates(const char *text, int64_t per_epoch, const double *expect)
{
	struct recipe r;

	assert_int_equal(read_text(&r, text, NULL), 0);
	for (int k = 0; k < 20; k++)
		assert_true(fabs(recipe_rate(&r, k, per_epoch) - expect[k]) <= 1e-15 + 1e-12 * expect[k]);
}

static void schedules_are_pytorchs(void **state)
{
	double step[20];

	(void)state;
	expect_rates("{\"epochs\": 5, \"optimizer\": {\"adamw\": {\"lr\": 0.01}}, "
		     "\"schedule\": {\"onecycle\": {\"rise\": 0.3, \"start\": 0.04, \"final\": 4e-6}}}",
		     4, torch_onecycle);
	expect_rates("{\"epochs\": 2, \"horizon\": 10, \"optimizer\": {\"adamw\": {\"lr\": 0.05}}, "
		     "\"schedule\": {\"cosine\": {\"final\": 0.01}}}",
		     2, torch_cosine);
	for (int k = 0; k < 20; k++)
		step[k] = 0.1 * pow(0.1, k / 6);
	expect_rates("{\"epochs\": 20, \"optimizer\": {\"sgd\": {\"lr\": 0.1}}, "
		     "\"schedule\": {\"step\": {\"gamma\": 0.1, \"every\": 3}}}",
		     2, step);
}

static void warm_up_is_linear(void **state)
{
	struct recipe r;

	(void)state;
	assert_int_equal(read_text(&r,
				   "{\"epochs\": 4, \"optimizer\": {\"sgd\": {\"lr\": 1}}, "
				   "\"schedule\": {\"cosine\": {\"warmup\": 1}}}",
				   NULL),
			 0);
	for (int k = 0; k < 10; k++)
		assert_true(fabs(recipe_rate(&r, k, 10) - (k + 1) / 10.0) < 1e-12);
	assert_true(recipe_rate(&r, 10, 10) == 1); /* and the cosine begins where the warm-up ends */
	assert_true(fabs(recipe_rate(&r, 25, 10) - 0.5) < 1e-12);
	assert_true(fabs(recipe_rate(&r, 40, 10)) < 1e-12);
	assert_true(fabs(recipe_rate(&r, 4000, 10)) < 1e-12);
}

static void schema_describes_every_key(void **state)
{
	struct json *schema = recipe_schema(), *whole;
	const struct json *props = json_get(schema, "properties");
	struct recipe r;

	(void)state;
	recipe_defaults(&r);
	whole = recipe_write(&r);
	JSON_EACH(v, whole) {
		const struct json *p = json_get(props, json_key(v));

		assert_non_null(p);
		assert_true(json_string(json_get(p, "description"))[0]);
	}
	assert_int_equal(json_count(props), json_count(whole));
	json_free(whole);
	json_free(schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shorthand_is_made_explicit),
		cmocka_unit_test(reading_what_was_written_gives_the_same),
		cmocka_unit_test(defaults_are_what_an_empty_object_gives),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(schedules_are_pytorchs),
		cmocka_unit_test(warm_up_is_linear),
		cmocka_unit_test(schema_describes_every_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
