/* tests/unit/test_search.c - the contract of ask and tell for every strategy, and what the core promises: purity, the
 * lag, novelty, the end. */
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/kinds.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "search/search.h"
#include "space/draw.h"

static struct json *json_of(const char *text)
{
	char *copy = mem_strdup(text);
	struct err e = { 0 };
	struct json *j;

	for (char *s = copy; *s; s++)
		*s = *s == '\'' ? '"' : *s;
	if (json_parse(&j, copy, strlen(copy), "test", &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	mem_free(copy);
	return j;
}

static const struct space_target mnist = { { TENSOR_IMAGE, false, { 1, 28, 28 } }, TASK_CLASSIFY, 10 };

/* 2 x 3 architectures. */
static const char *const small_space =
    "{ 'layers': ['flatten', { 'dense': { 'units': { 'any': [4, 8] } } }, { 'any': ['relu', 'tanh', 'gelu'] },"
    "  { 'dense': { 'units': '$classes' } }], 'limits': { 'params': { 'min': 1 } } }";
/* 2 x 2 recipes */
static const char *const recipe_text =
    "{ 'epochs': { 'any': [2, 3] }, 'optimizer': { 'adamw': { 'lr': { 'any': [0.001, 0.01] } } } }";

struct setting {
	struct arena *a;
	struct space *space;
	struct json *recipe;
	struct search_cfg cfg;
	struct search_ctx ctx;
};

static void setting_init(struct setting *s, const char *space, const char *recipe, const char *search)
{
	struct json *doc = json_of(space), *object = json_of(search);
	struct diag d = { 0 };
	struct json_in in = { doc, &d, NULL };

	*s = (struct setting){ .a = arena_new(), .recipe = recipe ? json_of(recipe) : NULL };
	assert_int_equal(space_read(&s->space, doc, NULL, NULL, s->a, &in), 0);
	in.root = object;
	assert_int_equal(search_cfg_read(&s->cfg, object, s->a, &in), 0);
	s->ctx = (struct search_ctx){ s->space, mnist, s->recipe };
	json_free(doc);
	json_free(object);
	diag_release(&d);
}

static void setting_release(struct setting *s)
{
	json_free(s->recipe);
	arena_free(s->a);
}

static struct search *start(const struct setting *s)
{
	struct search *out;
	struct err e = { 0 };

	if (search_new(&out, &s->cfg, &s->ctx, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	return out;
}

static bool same(struct hash128 a, struct hash128 b)
{
	return a.lo == b.lo && a.hi == b.hi;
}

/* ---- configuration -------------------------------------------------------------------------------------- */

static void the_registry_is_sound(void **state)
{
	(void)state;
	for (int i = 0; i < strategies_count(); i++) {
		const struct strategy *s = strategies[i];

		assert_true(s->name[0] && s->help[0] && s->opts && s->cfg_size && s->create && s->ask);
		assert_ptr_equal(strategy_find(s->name), s);
		assert_null(opt_check(s->opts));
		assert_int_equal(s->lag > 0, s->tell != NULL);
	}
	assert_null(strategy_find("none"));
}

static void configuration_is_read_and_written(void **state)
{
	struct setting s;
	struct json *out;

	(void)state;
	setting_init(&s, small_space, NULL,
		     "{ 'strategy': 'grid', 'candidates': 7, 'seed': '18446744073709551615', "
		     "'order': 'shuffled' }");
	assert_string_equal(s.cfg.strategy->name, "grid");
	assert_int_equal(s.cfg.candidates, 7);
	assert_true(s.cfg.seed == UINT64_MAX);
	out = search_cfg_write(&s.cfg);
	assert_string_equal(json_string(json_get(out, "strategy")), "grid");
	assert_string_equal(json_string(json_get(out, "seed")), "18446744073709551615");
	assert_string_equal(json_string(json_get(out, "order")), "shuffled");
	assert_int_equal(json_number(json_get(out, "first")), 0);
	json_free(out);
	setting_release(&s);
}

static void configuration_mistakes(void **state)
{
	static const char *const cases[][2] = {
		{ "{ 'strategy': 'gridd' }", "did you mean \"grid\"" },
		{ "{ 'strategy': 'simulated annealing' }", "must be one of: markov, grid" },
		{ "{ 'strategy': 'markov', 'order': 'text' }", "order: unknown key" },
		{ "{ 'candidate': 3 }", "did you mean \"candidates\"" },
		{ "{ 'seed': 'forty-two' }", "seed: must be a text of decimal digits" },
		{ "{ 'seed': 4.5 }", "seed" },
		{ "{ 'candidates': -1 }", "candidates" },
		{ "{ 'strategy': 'grid', 'order': 'random' }", "order" },
		{ "[1]", "must be an object" },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct json *object = json_of(cases[i][0]);
		struct diag d = { 0 };
		struct json_in in = { object, &d, NULL };
		struct search_cfg c;
		char text[400];

		assert_int_equal(search_cfg_read(&c, object, a, &in), -1);
		assert_int_equal(d.errors, 1);
		snprintf(text, sizeof text, "%s: %s", d.items[0].where, d.items[0].msg);
		if (!strstr(text, cases[i][1]))
			fail_msg("%s: %s", cases[i][0], text);
		diag_release(&d);
		json_free(object);
	}
	arena_free(a);
}

static int recipe_errors(const char *text)
{
	struct json *r = json_of(text);
	struct diag d = { 0 };
	struct json_in in = { r, &d, "train" };
	int rc = search_recipe_check(r, &in), n = d.errors;

	assert_int_equal(rc<0, n> 0);
	diag_release(&d);
	json_free(r);
	return n;
}

static void every_recipe_is_checked(void **state)
{
	(void)state;
	assert_int_equal(recipe_errors(recipe_text), 0);
	assert_int_equal(recipe_errors("{ 'optimizer': { 'any': [{ 'sgd': { 'lr': { 'range': [0.01, 0.5, 'log'] } } }, "
				       "'adamw'] } }"),
			 0);
	assert_int_equal(recipe_errors("{ 'epochs': { 'any': [2, 0] } }"), 1);
	assert_int_equal(recipe_errors("{ 'epochs': { 'range': [2] } }"), 1);
	assert_int_equal(recipe_errors("{ 'optimizer': { 'any': ['adamw', { 'sgd': { 'beta1': 0.9 } }] } }"), 1);
}

/* ---- every strategy ------------------------------------------------------------------------------------- */

/* Asks for everything, `n` at most; identities into ids. Returns the number. */
static int ask_all(struct search *s, struct hash128 *ids, int n)
{
	struct arena *a = arena_new();
	int k = 0;

	for (; k < n; k++) {
		struct proposal p;
		struct err e = { 0 };
		struct recipe r;
		int rc = search_ask(s, k, &p, a, &e);
		struct search_result told = { k, RESULT_DONE, sin(k), { 0 }, NULL };

		if (rc < 0)
			fail_msg("%s", e.msg);
		if (rc == 0)
			break;
		assert_int_equal(p.index, k);
		assert_non_null(p.graph);
		assert_true(p.graph->n_outputs == 1 && p.continue_from < k && p.inherit_from < k);
		assert_true(same(p.identity, proposal_identity(&p)));
		assert_false(p.recipe && draw_open(p.recipe));
		if (p.recipe) {
			struct diag d = { 0 };

			assert_int_equal(recipe_read(&r, p.recipe, a, &(struct json_in){ p.recipe, &d, NULL }), 0);
			diag_release(&d);
		}
		ids[k] = p.identity;
		search_tell(s, &told);
	}
	arena_free(a);
	return k;
}

/* Candidates are new, the same again for the same seed, others for another one. */
static void strategies_keep_the_contract(void **state)
{
	(void)state;
	for (int i = 0; i < strategies_count(); i++) {
		static const char *const seeds[] = { "5", "5", "6" };
		struct hash128 ids[3][24];
		int n[3];

		for (int j = 0; j < 3; j++) {
			struct setting s;
			struct search *search;
			char text[128];

			snprintf(text, sizeof text, "{ 'strategy': '%s', 'candidates': 0, 'seed': '%s' }",
				 strategies[i]->name, seeds[j]);
			setting_init(&s, small_space, recipe_text, text);
			search = start(&s);
			n[j] = ask_all(search, ids[j], 24);
			assert_true(n[j] >= 20); /* 24 exist: a random strategy may give up before the last */
			for (int k = 0; k < n[j]; k++)
				for (int l = 0; l < k; l++)
					assert_false(same(ids[j][k], ids[j][l]));
			search_free(search);
			setting_release(&s);
		}
		assert_int_equal(n[0], n[1]);
		assert_memory_equal(ids[0], ids[1], (size_t)n[0] * sizeof **ids);
		assert_true(strategies[i]->enumerates || memcmp(ids[0], ids[2], 20 * sizeof **ids));
	}
}

/* The space has 24 different candidates: all are found, and then the search says that there are no more. */
static void exhaustion_is_noticed(void **state)
{
	(void)state;
	for (int i = 0; i < strategies_count(); i++) {
		struct hash128 ids[40];
		struct setting s;
		struct search *search;
		char text[128];

		snprintf(text, sizeof text, "{ 'strategy': '%s', 'candidates': 0 }", strategies[i]->name);
		setting_init(&s, small_space, recipe_text, text);
		search = start(&s);
		assert_string_equal(search_note(search), "");
		assert_int_equal(ask_all(search, ids, 40), 24);
		assert_non_null(strstr(search_note(search), "exhausted"));
		assert_int_equal(search_stats(search)->accepted, 24);
		search_free(search);
		setting_release(&s);
	}
}

static void the_number_of_candidates_is_kept(void **state)
{
	struct hash128 ids[40];
	struct setting s;
	struct search *search;

	(void)state;
	setting_init(&s, small_space, recipe_text, "{ 'candidates': 6 }");
	search = start(&s);
	assert_int_equal(ask_all(search, ids, 40), 6);
	assert_non_null(strstr(search_note(search), "all 6 candidates"));
	search_free(search);
	setting_release(&s);
}

/* Candidate k of markov is a function of seed and k, and of novelty: telling results changes nothing. */
static void markov_ignores_results(void **state)
{
	struct hash128 ids[12];
	struct setting s;
	struct search *told, *silent;
	struct arena *a = arena_new();

	(void)state;
	setting_init(&s, small_space, recipe_text, "{ 'candidates': 12, 'lag': 3 }");
	told = start(&s);
	silent = start(&s);
	assert_int_equal(search_lag(silent), INT_MAX);
	ask_all(told, ids, 12);
	for (int k = 0; k < 12; k++) {
		struct proposal p;

		assert_true(search_ready(silent, k));
		assert_int_equal(search_ask(silent, k, &p, a, NULL), 1);
		assert_true(same(p.identity, ids[k]));
	}
	search_free(told);
	search_free(silent);
	setting_release(&s);
	arena_free(a);
}

/* ---- grid ----------------------------------------------------------------------------------------------- */

static void grid_goes_in_order(void **state)
{
	static const char *const searches[] = { "{ 'strategy': 'grid', 'candidates': 0, 'first': 4 }",
						"{ 'strategy': 'grid', 'candidates': 0, 'order': 'shuffled' }" };

	(void)state;
	for (int j = 0; j < 2; j++) {
		struct arena *a = arena_new();
		struct setting s;
		struct search *search;
		struct proposal p;
		int k = 0, ascending = 0, before = -1;

		setting_init(&s, small_space, recipe_text, searches[j]);
		search = start(&s);
		for (; search_ask(search, k, &p, a, NULL) == 1; k++) {
			int units = ((struct dense *)p.graph->nodes[1].cfg)->units, at;
			bool slow =
			    json_number(json_get(json_get(json_get(p.recipe, "optimizer"), "adamw"), "lr")) > 0.005;

			assert_int_equal(sscanf(p.note, "point %d of 24", &at), 1);
			assert_int_equal(units, at < 12 ? 4 : 8);
			assert_int_equal(json_number(json_get(p.recipe, "epochs")), at / 2 % 2 ? 3 : 2);
			assert_int_equal(slow, at % 2);
			if (j == 0)
				assert_int_equal(at, k + 4);
			ascending += at > before;
			before = at;
		}
		assert_int_equal(k, j == 0 ? 20 : 24);
		assert_int_equal(ascending == k, j == 0);
		search_free(search);
		setting_release(&s);
		arena_free(a);
	}
}

static void grid_refuses_what_has_no_end(void **state)
{
	static const char *const markov = "{ 'stem': ['flatten'], 'states': { 'd': { 'dense': { 'units': 4 } } }, "
					  "'start': { 'd': 1 }, 'transitions': { 'd': { 'd': 1, 'end': 1 } }, "
					  "'head': [{ 'dense': { 'units': '$classes' } }] }";
	static const char *const open = "{ 'optimizer': { 'adamw': { 'lr': { 'range': [0.1, 0.2] } } } }";
	struct search *search;
	struct setting s;
	struct err e = { 0 };

	(void)state;
	setting_init(&s, markov, NULL, "{ 'strategy': 'grid' }");
	assert_int_equal(search_new(&search, &s.cfg, &s.ctx, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_non_null(strstr(e.msg, "cannot be enumerated"));
	setting_release(&s);
	err_clear(&e);
	setting_init(&s, small_space, open, "{ 'strategy': 'grid' }");
	assert_int_equal(search_new(&search, &s.cfg, &s.ctx, &e), -1);
	assert_non_null(strstr(e.msg, "give ranges of reals a step"));
	setting_release(&s);
}

/* Nothing within the limits: an error that says which, from every strategy. */
static void infeasible_spaces(void **state)
{
	(void)state;
	for (int i = 0; i < strategies_count(); i++) {
		struct arena *a = arena_new();
		struct search *search;
		struct proposal p;
		struct setting s;
		struct err e = { 0 };
		char text[128];

		snprintf(text, sizeof text, "{ 'strategy': '%s' }", strategies[i]->name);
		setting_init(&s,
			     "{ 'layers': ['flatten', { 'dense': { 'units': '$classes' } }], "
			     "'limits': { 'params': { 'max': 100 } } }",
			     NULL, text);
		search = start(&s);
		assert_int_equal(search_ask(search, 0, &p, a, &e), -1);
		assert_int_equal(e.code, ERR_INFEASIBLE);
		if (!strstr(e.msg, "params.max"))
			fail_msg("%s: %s", strategies[i]->name, e.msg);
		search_free(search);
		setting_release(&s);
		arena_free(a);
	}
}

static void baselines_are_not_proposed(void **state)
{
	struct arena *a = arena_new();
	struct search *first, *second;
	struct proposal p, q;
	struct setting s;
	int n = 0;

	(void)state;
	setting_init(&s, small_space, NULL, "{ 'strategy': 'grid', 'candidates': 0 }");
	first = start(&s);
	second = start(&s);
	assert_int_equal(search_ask(first, 0, &p, a, NULL), 1);
	search_forbid(second, &p);
	while (search_ask(second, n, &q, a, NULL) == 1) {
		assert_false(same(q.identity, p.identity));
		n++;
	}
	assert_int_equal(n, 5);
	assert_int_equal(search_stats(second)->rejected[CAUSE_DUPLICATE], 1);
	search_free(first);
	search_free(second);
	setting_release(&s);
	arena_free(a);
}

/* ---- the lag -------------------------------------------------------------------------------------------- */

/* A strategy of this test: it proposes as many units as the sum of what it was told, and notes the order. */
struct probe {
	double sum;
	int told;
	const struct search_ctx *ctx;
};

static int probe_create(void **self, const struct search_cfg *cfg, const struct search_ctx *ctx,
			struct space_stats *stats, struct arena *a, struct err *e)
{
	struct probe *p = ARENA_NEW(a, struct probe);

	(void)cfg;
	(void)stats;
	(void)e;
	p->ctx = ctx;
	*self = p;
	return 0;
}

static int probe_ask(void *self, int k, int retry, struct proposal *out, struct arena *a, struct err *e)
{
	struct probe *p = self;
	enum space_cause cause;

	(void)e;
	assert_int_equal(retry, 0);
	out->note = arena_printf(a, "%d told, sum %g", p->told, p->sum);
	out->fidelity.epochs = k + 1; /* makes every candidate new */
	return space_nth(&out->graph, p->ctx->space, &p->ctx->target, 0, a, NULL, &cause, NULL);
}

static void probe_tell(void *self, const struct search_result *r)
{
	struct probe *p = self;

	assert_int_equal(r->index, p->told);
	p->told++;
	p->sum += r->score;
}

static const struct opt no_opts[] = { OPT_END };
static const struct strategy probe_strategy = { .name = "probe",
						.help = "for this test",
						.opts = no_opts,
						.cfg_size = 1,
						.lag = 1,
						.create = probe_create,
						.ask = probe_ask,
						.tell = probe_tell };

/* With lag 3, candidate k sees the results up to k - 3, in order, whatever the order and moment of telling. */
static void results_come_in_order_after_the_lag(void **state)
{
	static const int orders[3][9] = { { 0, 1, 2, 3, 4, 5, 6, 7, 8 },
					  { 2, 1, 0, 5, 3, 4, 8, 7, 6 },
					  { 1, 0, 2, 4, 5, 3, 7, 6, 8 } };
	char notes[3][10][64];

	(void)state;
	for (int o = 0; o < 3; o++) {
		struct arena *a = arena_new();
		struct search *search;
		struct setting s;
		int told = 0;

		setting_init(&s, small_space, NULL, "{ 'candidates': 0 }");
		s.cfg.strategy = &probe_strategy;
		s.cfg.lag = 3;
		search = start(&s);
		assert_int_equal(search_lag(search), 3);
		for (int k = 0; k < 10; k++) {
			struct proposal p;

			while (!search_ready(search, k)) {
				int i = orders[o][told++];
				struct search_result r = {
					i, i == 4 ? RESULT_FAILED : RESULT_DONE, i * i, { 0 }, NULL
				};

				assert_true(i < k);
				search_tell(search, &r);
			}
			assert_int_equal(search_ask(search, k, &p, a, NULL), 1);
			snprintf(notes[o][k], 64, "%s", p.note);
		}
		search_free(search);
		setting_release(&s);
		arena_free(a);
	}
	for (int k = 0; k < 10; k++) {
		char expect[64];
		int n = k < 3 ? 0 : k - 2, sum = 0;

		for (int i = 0; i < n; i++)
			sum += i * i;
		snprintf(expect, sizeof expect, "%d told, sum %d", n, sum);
		assert_string_equal(notes[0][k], expect);
		assert_string_equal(notes[1][k], expect);
		assert_string_equal(notes[2][k], expect);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_registry_is_sound),
		cmocka_unit_test(configuration_is_read_and_written),
		cmocka_unit_test(configuration_mistakes),
		cmocka_unit_test(every_recipe_is_checked),
		cmocka_unit_test(strategies_keep_the_contract),
		cmocka_unit_test(exhaustion_is_noticed),
		cmocka_unit_test(the_number_of_candidates_is_kept),
		cmocka_unit_test(markov_ignores_results),
		cmocka_unit_test(grid_goes_in_order),
		cmocka_unit_test(grid_refuses_what_has_no_end),
		cmocka_unit_test(infeasible_spaces),
		cmocka_unit_test(baselines_are_not_proposed),
		cmocka_unit_test(results_come_in_order_after_the_lag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
