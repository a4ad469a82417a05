/* tests/unit/test_vary.c - operators on blocks against models written by hand, and drawing variations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/model.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "mutate/vary.h"
#include "space/space.h"

static const char *const dirs[] = { "configs/blocks" };
static const struct block_path lib = { dirs, 1 };

static struct json *parsed(struct arena *a, const char *text)
{
	struct json *v;
	struct err e = { 0 };

	if (json_parse(&v, text, strlen(text), "test", &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	arena_defer(a, (void (*)(void *))json_free, v);
	return v;
}

static struct graph *model(struct arena *a, const char *text)
{
	struct diag d = { 0 };
	struct json_in in = { parsed(a, text), &d, NULL };
	struct graph *g;

	if (model_read(&g, in.root, NULL, &lib, a, &in) < 0)
		fail_msg("%s: %s", d.items[0].where, d.items[0].msg);
	diag_release(&d);
	return g;
}

/* A residual network whose blocks are given. */
static struct graph *residual(struct arena *a, const char *blocks)
{
	return model(
	    a, arena_printf(a,
			    "{\"input\": [3, 16, 16], \"classes\": 10, \"use\": \"residual.json\", \"layers\": ["
			    "{\"conv2d\": {\"filters\": 16, \"kernel\": 3, \"padding\": \"same\"}}, \"relu\", %s, "
			    "\"globalavgpool\", {\"dense\": {\"units\": 10}}]}",
			    blocks));
}

static const char two_stages[] = "{\"residual\": {\"filters\": 16}}, {\"residual\": {\"filters\": 32, \"stride\": 2}}";

static int edited(struct graph **out, struct mutate_log *log, const struct graph *g, const char *edits, struct arena *a)
{
	struct json_in in = { parsed(a, edits), NULL, NULL };

	return mutate_apply(out, g, in.root, NULL, log, a, &in);
}

static void assert_same(const struct graph *x, const struct graph *y)
{
	struct hash128 h = graph_hash(x), k = graph_hash(y);

	if (h.lo == k.lo && h.hi == k.hi)
		return;
	struct str t = { 0 };
	graph_draw(&t, x);
	str_add(&t, "\nis not\n");
	graph_draw(&t, y);
	fail_msg("%s", str_get(&t));
}

/* The edits make of `g` the model that was written out by hand. */
static void becomes(const struct graph *g, const char *edits, const struct graph *want, struct arena *a)
{
	struct mutate_log log;
	struct graph *is;

	if (edited(&is, &log, g, edits, a) != 1)
		fail_msg("%s: %s", edits, log.refusal ? log.refusal : "wrong");
	assert_same(is, want);
}

static void duplicates_a_block(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = residual(a, two_stages), *is;
	struct mutate_log log;

	(void)state;
	becomes(g, "{\"duplicate\": \"residual_1\"}",
		residual(a, "{\"residual\": {\"filters\": 16}, \"repeat\": 2}, {\"residual\": {\"filters\": 32, "
			    "\"stride\": 2}}"),
		a);
	/* the second stage begins with a stride and a projection; its copy has neither */
	becomes(g, "{\"duplicate\": \"residual_2\"}",
		residual(a,
			 "{\"residual\": {\"filters\": 16}}, {\"residual\": {\"filters\": 32}, \"first\": {\"stride\": "
			 "2}, \"repeat\": 2}"),
		a);
	assert_int_equal(edited(&is, &log, g, "{\"duplicate\": \"residual_2\"}", a), 1);
	assert_string_equal(log.words, "duplicated residual_2");
	assert_int_equal(log.n_repairs, 1);
	assert_non_null(strstr(log.repairs[0], "stride 1"));
	for (int i = 0; i < g->n_nodes; i++) /* what was there is still there */
		assert_true(graph_find(is, g->nodes[i].id) >= 0);
	assert_int_equal(is->n_groups, 3);
	assert_string_equal(is->groups[2].id, "residual_3");
	assert_string_equal(is->groups[2].block, "residual");
	arena_free(a);
}

static void repeats_a_block(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = residual(a, two_stages);

	(void)state;
	becomes(g, "{\"repeat\": \"residual_2\", \"times\": 4}",
		residual(a,
			 "{\"residual\": {\"filters\": 16}}, {\"residual\": {\"filters\": 32}, \"first\": {\"stride\": "
			 "2}, \"repeat\": 4}"),
		a);
	becomes(g, "[{\"duplicate\": \"residual_1\"}, {\"repeat\": \"residual_2\", \"times\": 2}]",
		residual(
		    a, "{\"residual\": {\"filters\": 16}, \"repeat\": 2}, {\"residual\": {\"filters\": 32}, \"first\": "
		       "{\"stride\": 2}, \"repeat\": 2}"),
		a);
	arena_free(a);
}

/* What an earlier edit has emptied cannot be copied. */
static void refuses_what_is_gone(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = model(a, "{\"input\": [8], \"classes\": 2, \"blocks\": {\"act\": {\"layers\": [\"relu\"]}, "
				   "\"b\": {\"layers\": [{\"dense\": {\"units\": 4}}, \"act\"]}}, \"layers\": [\"b\", "
				   "{\"dense\": {\"units\": 2}}]}"),
		     *is;
	struct mutate_log log;

	(void)state;
	assert_int_equal(
	    edited(&is, &log, g, "[{\"remove\": \"b_1__act_1__relu_1\"}, {\"duplicate\": \"b_1__act_1\"}]", a), 0);
	assert_non_null(strstr(log.refusal, "b_1__act_1"));
	arena_free(a);
}

/* An instance that was edited inside is copied as it is, but for its strides. */
static void duplicates_an_edited_block(void **state)
{
	static const char block[] =
	    "{\"input\": [3, 16, 16], \"classes\": 10, \"blocks\": {\"b\": {\"layers\": ["
	    "{\"conv2d\": {\"filters\": 8, \"kernel\": 3, \"stride\": 2, \"padding\": \"same\"}}, \"relu\", "
	    "\"batchnorm\"]}, "
	    "\"c\": {\"layers\": ["
	    "{\"conv2d\": {\"filters\": 8, \"kernel\": 3, \"stride\": %d, \"padding\": 1}}, \"batchnorm\"]}, "
	    "\"d\": {\"layers\": ["
	    "{\"conv2d\": {\"filters\": 8, \"kernel\": 3, \"stride\": 2, \"padding\": \"same\"}}, \"batchnorm\"]}}, "
	    "\"layers\": [%s, \"globalavgpool\", {\"dense\": {\"units\": 10}}]}";
	struct arena *a = arena_new();

	(void)state;
	becomes(model(a, arena_printf(a, block, 1, "\"b\"")),
		"[{\"remove\": \"b_1__relu_1\"}, {\"duplicate\": \"b_1\"}]",
		model(a, arena_printf(a, block, 1, "\"d\", \"c\"")), a);
	arena_free(a);
}

static void duplicates_a_layer(void **state)
{
	struct arena *a = arena_new();
	const char *head = "{\"input\": [1, 8, 8], \"classes\": 3, \"layers\": [",
		   *tail = "\"flatten\", {\"dense\": {\"units\": 3}}]}";
	struct graph *g = model(a, arena_printf(a, "%s{\"conv2d\": {\"filters\": 4, \"kernel\": 3, \"stride\": 2}}, %s",
						head, tail)),
		     *is;
	struct mutate_log log;

	(void)state;
	becomes(g, "{\"duplicate\": \"conv2d_1\"}",
		model(a, arena_printf(a,
				      "%s{\"conv2d\": {\"filters\": 4, \"kernel\": 3, \"stride\": 2}}, {\"conv2d\": "
				      "{\"filters\": 4, \"kernel\": 3, \"padding\": 1}}, %s",
				      head, tail)),
		a);
	assert_int_equal(edited(&is, &log, g, "{\"duplicate\": \"dense_1\"}", a), 0);
	assert_non_null(strstr(log.refusal, "dense_1"));
	arena_free(a);
}

static void changes_arguments(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = residual(a, two_stages), *is;
	struct mutate_log log;

	(void)state;
	becomes(g, "{\"arguments\": \"residual_2\", \"set\": {\"filters\": 24}}",
		residual(a, "{\"residual\": {\"filters\": 16}}, {\"residual\": {\"filters\": 24, \"stride\": 2}}"), a);
	/* with stride 1 and 16 filters the projection of the shortcut goes */
	becomes(g, "{\"arguments\": \"residual_2\", \"set\": {\"filters\": 16, \"stride\": 1}}",
		residual(a, "{\"residual\": {\"filters\": 16}, \"repeat\": 2}"), a);
	becomes(
	    g,
	    "[{\"arguments\": \"residual_1\", \"set\": {\"activation\": \"silu\"}}, {\"duplicate\": \"residual_1\"}]",
	    residual(a, "{\"residual\": {\"filters\": 16, \"activation\": \"silu\"}, \"repeat\": 2}, {\"residual\": "
			"{\"filters\": 32, \"stride\": 2}}"),
	    a);
	assert_int_equal(edited(&is, &log, g, "{\"arguments\": \"residual_2\", \"set\": {\"filters\": 24}}", a), 1);
	assert_string_equal(log.words, "set filters of residual_2 from 32 to 24");
	assert_int_equal(is->n_nodes, g->n_nodes);
	for (int i = 0; i < g->n_nodes; i++) /* the same ids at the same places */
		assert_string_equal(is->nodes[i].id, g->nodes[i].id);
	for (int i = 0; i < g->n_groups; i++)
		assert_string_equal(is->groups[i].id, g->groups[i].id);
	arena_free(a);
}

static void refuses_arguments(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = residual(a, two_stages), *is;
	struct mutate_log log;

	(void)state;
	assert_int_equal(edited(&is, &log, g, "{\"arguments\": \"residual_2\", \"set\": {\"filter\": 24}}", a), -1);
	assert_int_equal(edited(&is, &log, g, "{\"arguments\": \"residual_2\", \"set\": {}}", a), -1);
	assert_int_equal(edited(&is, &log, g, "{\"arguments\": \"residual_2\"}", a), -1);
	assert_int_equal(edited(&is, &log, g, "{\"arguments\": \"relu_1\", \"set\": {\"filters\": 24}}", a), -1);
	assert_int_equal(edited(&is, &log, g,
				"[{\"remove\": \"residual_2__relu_1\"}, {\"arguments\": \"residual_2\", \"set\": "
				"{\"filters\": 24}}]",
				a),
			 0);
	assert_non_null(strstr(log.refusal, "edited"));
	arena_free(a);
}

/* Arguments are drawn from what the space leaves open for them. */
static void draws_arguments_of_the_space(void **state)
{
	static const char doc[] =
	    "{\"name\": \"s\", \"input\": [3, 16, 16], \"classes\": 10, \"use\": \"residual.json\", "
	    "\"with\": {\"k\": {\"any\": [3, 5]}}, \"states\": {\"r\": {\"residual\": {\"filters\": {\"any\": [16, 40, "
	    "56]}, "
	    "\"kernel\": \"$k\"}}}, \"start\": {\"r\": 1}, \"transitions\": {\"r\": {\"end\": 1}}, "
	    "\"head\": [\"globalavgpool\", {\"dense\": {\"units\": \"$classes\"}}]}";
	struct arena *a = arena_new();
	struct graph *g = residual(a, two_stages);
	struct diag d = { 0 };
	struct json_in in = { parsed(a, doc), &d, NULL };
	struct mutate_env env = { 0 };
	struct space *s;
	struct rng rng;
	int filters[64] = { 0 }, kernels[16] = { 0 };

	(void)state;
	if (space_read(&s, in.root, NULL, &lib, a, &in) < 0)
		fail_msg("%s: %s", d.items[0].where, d.items[0].msg);
	env.space = s;
	rng_init(&rng, 3, 1);
	for (int i = 0; i < 400; i++) {
		struct json *edit = mutate_draw(mutation_find("arguments"), g, (struct place){ -1, 0 }, &env, &rng);
		const struct json *set = json_get(edit, "set");

		assert_int_equal(json_count(set), 1);
		if (json_get(set, "filters"))
			filters[(int)json_number(json_get(set, "filters"))]++;
		if (json_get(set, "kernel"))
			kernels[(int)json_number(json_get(set, "kernel"))]++;
		json_free(edit);
	}
	assert_int_equal(filters[16], 0); /* it has that already */
	assert_true(filters[40] > 20 && filters[56] > 20 && kernels[5] > 20);
	assert_int_equal(kernels[3], 0);
	arena_free(a);
}

/* ---- vary ------------------------------------------------------------------------------------------------ */

static const struct vary_opts plain = { .changes = 3, .seed = 7, .tries = 200 };

static int draw(struct vary_child **out, int n, const struct graph *g, const struct vary_opts *o, struct arena *a,
		struct err *e)
{
	struct vary_stats st;
	int found = -1;

	memset(e, 0, sizeof *e);
	if (vary_draw(out, &found, n, g, o, NULL, 0, NULL, &st, a, e) < 0)
		return -1;
	assert_true(st.drawn == found + st.refused + st.beyond + st.duplicates);
	return found;
}

static void same_model(const struct graph *x, const struct graph *y)
{
	struct hash128 h = graph_digest(x), k = graph_digest(y);

	assert_true(h.lo == k.lo && h.hi == k.hi);
}

/* Child n is the same however many are asked for; no two are equal; each does what its log says. */
static void draws_distinct_children(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = residual(a, two_stages), *again;
	struct vary_child *few, *many;
	struct mutate_log log;
	struct err e;

	(void)state;
	assert_int_equal(draw(&few, 4, g, &plain, a, &e), 4);
	assert_int_equal(draw(&many, 20, g, &plain, a, &e), 20);
	for (int i = 0; i < 4; i++)
		same_model(few[i].graph, many[i].graph);
	for (int i = 0; i < 20; i++) {
		struct hash128 h = graph_hash(many[i].graph), k = graph_hash(g);
		struct json_in in = { many[i].log.edits, NULL, NULL };

		assert_false(h.lo == k.lo && h.hi == k.hi);
		for (int j = 0; j < i; j++) {
			k = graph_hash(many[j].graph);
			assert_false(h.lo == k.lo && h.hi == k.hi);
		}
		assert_in_range(json_count(many[i].log.edits), 1, 3);
		assert_int_equal(mutate_apply(&again, g, many[i].log.edits, NULL, &log, a, &in), 1);
		same_model(again, many[i].graph);
		assert_string_equal(many[i].label, arena_printf(a, "v%d", i + 1));
	}
	arena_free(a);
}

/* Edits that meet in one variation: each expects what the others have left, also layers out of order in between. */
static void draws_many_changes_at_once(void **state)
{
	struct arena *a = arena_new();
	struct vary_opts o = plain;
	struct vary_child *all;
	struct diag d = { 0 };
	struct graph *g;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(model_load(&g, "configs/models/mobilenet-small.json", &lib, a, &d, &e), 0);
	o.changes = 5;
	o.seed = 1;
	assert_int_equal(draw(&all, 200, g, &o, a, &e), 200);
	diag_release(&d);
	arena_free(a);
}

static void other_seeds_draw_others(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = residual(a, two_stages);
	struct vary_opts o = plain;
	struct vary_child *one, *two;
	struct err e;
	int equal = 0;

	(void)state;
	assert_int_equal(draw(&one, 8, g, &o, a, &e), 8);
	o.seed = 8;
	assert_int_equal(draw(&two, 8, g, &o, a, &e), 8);
	for (int i = 0; i < 8; i++) {
		struct hash128 h = graph_hash(one[i].graph), k = graph_hash(two[i].graph);

		equal += h.lo == k.lo && h.hi == k.hi;
	}
	assert_true(equal < 8);
	arena_free(a);
}

/* What an edit acts on. */
static const char *target_of(const struct json *edit)
{
	JSON_EACH(v, edit)
		if (mutation_find(json_key(v)) && json_string(v))
			return json_string(v);
	return json_string(json_get(edit, "after"));
}

static void keeps_to_the_layers_and_operators(void **state)
{
	const char *ops[] = { "duplicate", "remove" }, *layers[] = { "residual_2", "relu_1" };
	struct arena *a = arena_new();
	struct graph *g = residual(a, two_stages);
	struct vary_opts o = plain;
	struct vary_child *all;
	struct err e;
	int n;

	(void)state;
	o.ops = ops;
	o.n_ops = 2;
	o.layers = layers;
	o.n_layers = 2;
	n = draw(&all, 50, g, &o, a, &e);
	assert_true(n > 3);
	for (int i = 0; i < n; i++)
		JSON_EACH(edit, all[i].log.edits) {
			const char *id = target_of(edit);

			assert_true(strcmp(id, "relu_1") == 0 || strncmp(id, "residual_2", 10) == 0);
			assert_true(json_get(edit, "duplicate") || json_get(edit, "remove"));
		}
	arena_free(a);
}

static void keeps_to_what_is_allowed(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = residual(a, two_stages);
	struct vary_opts o = plain;
	struct vary_child *all;
	struct err e;
	int n, inner = 0;

	(void)state;
	o.allow =
	    parsed(a, "{\"residual_1\": [], \"residual_2\": [\"duplicate\"], \"residual_2__relu_1\": [\"remove\"], "
		      "\"*\": [\"remove\"]}");
	n = draw(&all, 50, g, &o, a, &e);
	assert_true(n > 3);
	for (int i = 0; i < n; i++)
		JSON_EACH(edit, all[i].log.edits) {
			const char *id = target_of(edit);
			bool second = strncmp(id, "residual_2", 10) == 0, relu = strcmp(id, "residual_2__relu_1") == 0;

			assert_true(strncmp(id, "residual_1", 10) != 0);
			assert_true(json_get(edit, second && !relu ? "duplicate" : "remove"));
			inner += relu;
		}
	assert_true(inner > 0);
	arena_free(a);
}

static void keeps_within_the_limits(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = residual(a, two_stages);
	struct vary_opts o = plain;
	struct vary_child *all;
	struct cost was, c;
	struct err e;
	int n;

	(void)state;
	assert_int_equal(graph_cost(g, &was, &e), 0);
	o.max_params = was.params;
	o.max_macs = was.macs - 1;
	n = draw(&all, 20, g, &o, a, &e);
	assert_true(n > 2);
	for (int i = 0; i < n; i++) {
		assert_int_equal(graph_cost(all[i].graph, &c, &e), 0);
		assert_true(c.params <= was.params && c.macs < was.macs);
	}
	arena_free(a);
}

/* One layer and one operator: one child, then nothing more. */
static void says_when_nothing_is_left(void **state)
{
	const char *ops[] = { "remove" }, *layers[] = { "relu_1" };
	struct arena *a = arena_new();
	struct graph *g = residual(a, two_stages);
	struct vary_opts o = plain;
	struct vary_child *all;
	struct hash128 known;
	struct vary_stats st;
	struct err e;
	int found;

	(void)state;
	o.ops = ops;
	o.n_ops = o.n_layers = 1;
	o.layers = layers;
	assert_int_equal(draw(&all, 5, g, &o, a, &e), 1);
	known = graph_hash(all[0].graph);
	assert_int_equal(vary_draw(&all, &found, 5, g, &o, &known, 1, NULL, &st, a, &e), 0);
	assert_int_equal(found, 0);
	assert_int_equal(st.duplicates, o.tries);
	arena_free(a);
}

static void draws_recipes(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = residual(a, two_stages);
	struct vary_opts o = plain;
	struct vary_child *all;
	struct err e;
	int batches[2] = { 0 };

	(void)state;
	o.recipe =
	    parsed(a, "{\"batch\": {\"any\": [32, 64]}, \"optimizer\": {\"sgd\": {\"lr\": {\"range\": [0.1, 0.2]}}}}");
	assert_int_equal(draw(&all, 20, g, &o, a, &e), 20);
	for (int i = 0; i < 20; i++) {
		double batch = json_number(json_get(all[i].recipe, "batch"));
		double lr = json_number(json_get(json_get(json_get(all[i].recipe, "optimizer"), "sgd"), "lr"));

		assert_true((batch == 32 || batch == 64) && lr >= 0.1 && lr <= 0.2);
		assert_non_null(strstr(all[i].log.words, "; recipe: batch "));
		assert_non_null(strstr(all[i].log.words, "optimizer.sgd.lr 0.1"));
		batches[batch == 64]++;
	}
	assert_true(batches[0] > 0 && batches[1] > 0);
	arena_free(a);
}

static void refused(const struct graph *g, const struct vary_opts *o, const char *where, const char *part,
		    struct arena *a)
{
	struct vary_child *all;
	struct err e;

	assert_int_equal(draw(&all, 1, g, o, a, &e), -1);
	assert_string_equal(e.where, where);
	if (!strstr(e.msg, part))
		fail_msg("\"%s\" does not say \"%s\"", e.msg, part);
}

static void says_what_is_wrong(void **state)
{
	struct arena *a = arena_new();
	struct graph *g = residual(a, two_stages);
	const char *text;
	struct vary_opts o = plain;

	(void)state;
	o.ops = o.layers = &text;
	o.n_ops = 1;
	text = "remov";
	refused(g, &o, "--ops", "did you mean \"remove\"?", a);
	o.n_ops = 0;
	o.ops = NULL;
	o.n_layers = 1;
	text = "residual2";
	refused(g, &o, "--layers", "did you mean \"residual_2\"?", a);
	text = "residual_2..conv2d_1";
	refused(g, &o, "--layers", "write \"conv2d_1..residual_2\"", a);
	o.layers = NULL;
	o.allow = parsed(a, "{\"conv2d_7\": []}");
	refused(g, &o, "--allow", "did you mean \"conv2d_1\"?", a);
	o.allow = parsed(a, "{\"conv2d_1\": \"remove\"}");
	refused(g, &o, "--allow", "list of operators", a);
	o.allow = parsed(a, "{\"conv2d_1\": [\"remove\", \"duplicat\"]}");
	refused(g, &o, "--allow", "did you mean \"duplicate\"?", a);
	o.allow = parsed(a, "[]");
	refused(g, &o, "--allow", "must be an object", a);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(duplicates_a_block),        cmocka_unit_test(repeats_a_block),
		cmocka_unit_test(refuses_what_is_gone),      cmocka_unit_test(duplicates_an_edited_block),
		cmocka_unit_test(duplicates_a_layer),        cmocka_unit_test(changes_arguments),
		cmocka_unit_test(refuses_arguments),         cmocka_unit_test(draws_arguments_of_the_space),
		cmocka_unit_test(draws_distinct_children),   cmocka_unit_test(draws_many_changes_at_once),
		cmocka_unit_test(other_seeds_draw_others),   cmocka_unit_test(keeps_to_the_layers_and_operators),
		cmocka_unit_test(keeps_to_what_is_allowed),  cmocka_unit_test(keeps_within_the_limits),
		cmocka_unit_test(says_when_nothing_is_left), cmocka_unit_test(draws_recipes),
		cmocka_unit_test(says_what_is_wrong),
	};

	return cmocka_run_group_tests_name("vary", tests, NULL, NULL);
}
