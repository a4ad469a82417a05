/* tests/unit/test_space.c - draws, the chain, limits and their accounting, mistakes in space files, and REMAP's
 * statistics. */
#include <math.h>
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
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "space/draw.h"
#include "space/space.h"

/* Text with 'single quotes' as JSON. */
static struct json *json_of(const char *text)
{
	char *copy = mem_strdup(text);
	struct err e = { 0 };
	struct json *j;

	for (char *s = copy; *s; s++)
		*s = *s == '\'' ? '"' : *s;
	if (json_parse(&j, copy, strlen(copy), "test", &e) < 0)
		fail_msg("%s: %s in %s", e.where, e.msg, text);
	mem_free(copy);
	return j;
}

static const char *const dirs[] = { "configs/blocks" };
static const struct block_path lib = { dirs, 1 };

/* The space of a document; on mistakes NULL, with all of them in *why ("where: what; ..."). */
static struct space *space_of(struct arena *a, const struct json *doc, struct str *why)
{
	struct diag d = { 0 };
	struct json_in in = { doc, &d, NULL };
	struct space *s = NULL;
	int rc = space_read(&s, doc, NULL, &lib, a, &in);

	assert_int_equal(rc<0, d.errors> 0);
	for (int i = 0; i < d.n; i++)
		str_addf(why, "%s: %s; ", d.items[i].where, d.items[i].msg);
	diag_release(&d);
	return rc < 0 ? NULL : s;
}

static struct space *must_read(struct arena *a, const char *text)
{
	struct json *doc = json_of(text);
	struct str why = { 0 };
	struct space *s = space_of(a, doc, &why);

	if (!s)
		fail_msg("%s", str_get(&why));
	str_release(&why);
	json_free(doc);
	return s;
}

static struct space *load(struct arena *a, const char *path)
{
	struct diag d = { 0 };
	struct err e = { 0 };
	struct space *s;

	if (space_load(&s, path, &lib, a, &d, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	diag_release(&d);
	return s;
}

static const struct space_target mnist = { { TENSOR_IMAGE, false, { 1, 28, 28 } }, TASK_CLASSIFY, 10 };
static const struct space_target cifar = { { TENSOR_IMAGE, false, { 3, 32, 32 } }, TASK_CLASSIFY, 10 };

/* ---- draws ---------------------------------------------------------------------------------------------- */

static void draws_are_counted(void **state)
{
	static const struct {
		const char *text;
		int64_t count;
	} cases[] = {
		{ "3", 1 },
		{ "{'a': [1, {'b': 2}]}", 1 },
		{ "{'any': [1, 2, 3]}", 3 },
		{ "{'a': {'any': [1, 2]}, 'b': {'any': [3, 4, 5]}}", 6 },
		{ "{'any': [{'x': {'any': [1, 2]}}, 'y', {'z': {'range': [1, 4]}}]}", 7 },
		{ "{'range': [1, 9]}", 9 },
		{ "{'range': [1, 9, 2]}", 5 },
		{ "{'range': [0.1, 0.5, 0.1]}", 5 },
		{ "{'range': [0.0001, 0.1, 'log', 10]}", 4 },
		{ "{'range': [0.1, 0.5]}", -1 },
		{ "{'range': [1, 9, 'real']}", -1 },
		{ "[{'range': [1, 1000000000]}, {'range': [1, 1000000000]}]", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct json *v = json_of(cases[i].text);

		assert_int_equal(draw_count(v), cases[i].count);
		json_free(v);
	}
}

static void every_value_once(void **state)
{
	struct json *v = json_of("{'a': {'any': [1, {'x': {'range': [1, 3]}}]}, 'b': {'range': [0.1, 0.3, 0.1]}}");
	struct str all = { 0 };

	(void)state;
	assert_int_equal(draw_count(v), 12);
	for (int64_t k = 0; k < 12; k++) {
		struct json *d = draw_nth(v, k);
		struct str one = { 0 };

		json_print(&one, d);
		assert_null(strstr(str_get(&all), str_get(&one)));
		str_addf(&all, "%s ", str_get(&one));
		str_release(&one);
		json_free(d);
	}
	assert_non_null(strstr(str_get(&all), "{\"a\":1,\"b\":0.1} {\"a\":1,\"b\":0.2} {\"a\":1,\"b\":0.3} "
					      "{\"a\":{\"x\":1},\"b\":0.1} "));
	str_release(&all);
	json_free(v);
}

static void ranges_are_uniform(void **state)
{
	struct json *whole = json_of("{'range': [1, 4]}"), *logs = json_of("{'range': [0.001, 0.1, 'log']}"),
		    *step = json_of("{'range': [0, 1, 0.25]}"),
		    *weighted = json_of("{'any': ['a', 'b'], 'weights': [1, 3]}");
	int count[4] = { 0 }, below = 0, steps[5] = { 0 }, b = 0;
	struct rng r;

	(void)state;
	rng_init(&r, 5, 1);
	for (int i = 0; i < 40000; i++) {
		struct json *d = draw_value(whole, &r);

		count[(int)json_number(d) - 1]++;
		json_free(d);
		d = draw_value(logs, &r);
		below += json_number(d) < 0.01;
		assert_true(json_number(d) >= 0.001 && json_number(d) <= 0.1);
		json_free(d);
		d = draw_value(step, &r);
		steps[(int)(json_number(d) * 4)]++;
		json_free(d);
		d = draw_value(weighted, &r);
		b += strcmp(json_string(d), "b") == 0;
		json_free(d);
	}
	for (int i = 0; i < 4; i++)
		assert_in_range(count[i], 9600, 10400); /* 4.6 standard deviations */
	for (int i = 0; i < 5; i++)
		assert_in_range(steps[i], 7600, 8400);
	assert_in_range(below, 19500, 20500);
	assert_in_range(b, 29600, 30400);
	json_free(whole);
	json_free(logs);
	json_free(step);
	json_free(weighted);
}

static void bad_draws_are_refused(void **state)
{
	static const char *const cases[] = {
		"{'any': []}",
		"{'any': 3}",
		"{'any': [1, 2], 'weights': [1]}",
		"{'any': [1, 2], 'weights': [0, 0]}",
		"{'any': [1, 2], 'weights': [1, -1]}",
		"{'any': [1], 'other': 2}",
		"{'range': [1]}",
		"{'range': [2, 1]}",
		"{'range': [0, 1, 'log']}",
		"{'range': [0, 1, 'linear']}",
		"{'range': [0, 1, 0.1, 0.2]}",
		"{'range': [0, 1, -1]}",
		"{'range': ['a', 1]}",
		"{'a': [{'any': [1, {'range': [3, 2]}]}]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct json *v = json_of(cases[i]);
		struct diag d = { 0 };
		struct json_in in = { v, &d, NULL };

		if (draw_check(v, &in) == 0)
			fail_msg("accepted: %s", cases[i]);
		assert_true(d.errors > 0);
		diag_release(&d);
		json_free(v);
	}
}

/* ---- REMAP's sampler ------------------------------------------------------------------------------------ */

enum { COUNT = 20000 };

struct tally {
	double rejected, mean, share[8], first_conv;
	int64_t p5, p50, p95;
};

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

enum { A, C, DR, AP, DE, MP, S };

static int remap_type(enum layer_kind kind)
{
	switch (layer_classes[kind]->family) {
	case FAMILY_CONV:
		return C;
	case FAMILY_DENSE:
		return DE;
	case FAMILY_DROPOUT:
		return DR;
	case FAMILY_ACTIVATION:
		return A;
	case FAMILY_POOL:
		return kind == LAYER_avgpool2d ? AP : MP;
	default:
		return -1; /* flatten is no layer of REMAP's */
	}
}

static struct tally run_remap(const struct space_target *t)
{
	struct arena *run = arena_new(), *a = arena_new();
	struct space *s = load(run, "configs/spaces/remap.json");
	int64_t *params = mem_new(COUNT * sizeof *params), layers = 0, types[8] = { 0 }, first = 0;
	struct space_stats st = { 0 };
	struct tally out = { 0 };
	struct rng r;

	rng_init(&r, 11, 3);
	for (int i = 0; i < COUNT; i++) {
		bool dense = false;
		struct graph *g;
		struct cost c;

		arena_reset(a);
		assert_int_equal(space_sample(&g, s, t, &r, a, &st, NULL), 0);
		assert_int_equal(graph_cost(g, &c, NULL), 0);
		assert_true(c.params <= 1000000);
		params[i] = c.params;
		for (int n = 0; n < g->n_nodes; n++) {
			int type = remap_type(g->nodes[n].kind);

			assert_false(dense && (type == C || type == AP || type == MP));
			dense |= type == DE;
			type = n == g->n_nodes - 1 ? S : type; /* the classifier */
			layers += type >= 0;
			types[type < 0 ? 7 : type]++;
		}
		first += remap_type(g->nodes[0].kind) == C;
	}
	assert_int_equal(st.accepted, COUNT);
	assert_int_equal(st.drawn - st.accepted, st.rejected[2 * LIMIT_PARAMS + 1]);
	qsort(params, COUNT, sizeof *params, by_size);
	out.rejected = (double)(st.drawn - st.accepted) / (double)st.drawn;
	out.mean = (double)layers / COUNT;
	for (int i = 0; i < 7; i++)
		out.share[i] = (double)types[i] / (double)layers;
	out.first_conv = (double)first / COUNT;
	out.p5 = params[COUNT / 20];
	out.p50 = params[COUNT / 2];
	out.p95 = params[COUNT * 19 / 20];
	mem_free(params);
	arena_free(run);
	arena_free(a);
	return out;
}

/* 2 % of the published value and three standard errors of 20,000 draws. */
static void near(const char *what, double got, double published, double error)
{
	double most = 0.02 * published + 3 * error;

	printf("# %s: %.4f, published %.4f\n", what, got, published);
	if (fabs(got - published) > most)
		fail_msg("%s is %g, not %g +- %g", what, got, published, most);
}

/* Statistics of REMAP's sampler, from simulations of the authors' code. That code forgets, when it draws a layer again
 * that did not fit, that a dense layer has occurred. This cannot matter here, and the numbers say so: what may follow a
 * dense layer always fits, so nothing is ever drawn again there (run_remap asserts that neither a convolution nor a
 * pooling layer follows a dense one, and dense, activation and dropout layers fit everywhere). */
static void remap_statistics(void **state)
{
	static const double share[] = {
		[A] = .193, [C] = .212, [DR] = .131, [AP] = .100, [DE] = .156, [MP] = .019, [S] = .189
	};
	static const char *const names[] = { "A", "C", "Dr", "AP", "De", "MP", "S" };
	struct tally t = run_remap(&mnist);

	(void)state;
	near("28x28: rejected", t.rejected, .174, sqrt(.174 * .826 / 24000));
	near("28x28: layers", t.mean, 5.28, 4.1 / sqrt(COUNT));
	for (int i = 0; i <= S; i++)
		near(names[i], t.share[i], share[i], sqrt(share[i] / (5.28 * COUNT)) * 1.5);
	near("first is a convolution", t.first_conv, .421, sqrt(.421 * .579 / COUNT));
	near("28x28: 5 % of the parameters", (double)t.p5, 1700, 20);
	near("28x28: median of the parameters", (double)t.p50, 92600, 1500);
	near("28x28: 95 % of the parameters", (double)t.p95, 741000, 5000);
	t = run_remap(&cifar);
	near("32x32: rejected", t.rejected, .221, sqrt(.221 * .779 / 25600));
	near("32x32: layers", t.mean, 5.32, 4.1 / sqrt(COUNT));
	near("32x32: 5 % of the parameters", (double)t.p5, 6800, 60);
	near("32x32: median of the parameters", (double)t.p50, 127000, 1800);
	near("32x32: 95 % of the parameters", (double)t.p95, 804000, 5000);
}

/* ---- compiled layers draw what the JSON says ------------------------------------------------------------ */

/* "repeat": 1 changes nothing but keeps an entry from being compiled. */
static struct json *slow_entry(const struct json *v)
{
	const struct json *any = json_get(v, "any");
	struct json *out = json_string(v) ? json_object() : json_copy(v), *list;

	if (any) {
		list = json_array();
		JSON_EACH(alt, any)
			json_push(list, slow_entry(alt));
		json_put(out, "any", list);
		return out;
	}
	if (json_string(v))
		json_put(out, json_string(v), json_object());
	json_put(out, "repeat", json_num(1));
	return out;
}

static struct json *slow_list(const struct json *v)
{
	struct json *out = json_array();

	if (json_type(v) != JSON_ARRAY)
		json_push(out, slow_entry(v));
	else
		JSON_EACH(one, v)
			json_push(out, slow_entry(one));
	return out;
}

static void slow_states(struct json *chain)
{
	struct json *states = json_object();

	JSON_EACH(v, json_get(chain, "states"))
		json_put(states, json_key(v), slow_list(v));
	json_put(chain, "states", states);
	json_put(chain, "head", slow_list(json_get(chain, "head")));
}

static void compiled_or_not(void **state)
{
	struct arena *run = arena_new(), *a = arena_new();
	struct space *fast = load(run, "configs/spaces/remap.json"), *slow;
	struct json *doc;
	struct str why = { 0 };
	struct rng x, y;

	(void)state;
	assert_int_equal(json_load(&doc, "configs/spaces/remap.json", NULL), 0);
	slow_states(doc);
	slow_states(json_mutable(json_mutable(doc, "after"), "dense"));
	slow = space_of(run, doc, &why);
	assert_string_equal(str_get(&why), "");
	rng_init(&x, 8, 1);
	y = x;
	for (int i = 0; i < 500; i++) {
		struct graph *g, *h;
		struct str one = { 0 }, two = { 0 };

		arena_reset(a);
		assert_int_equal(space_sample(&g, fast, &mnist, &x, a, NULL, NULL), 0);
		assert_int_equal(space_sample(&h, slow, &mnist, &y, a, NULL, NULL), 0);
		model_print(&one, g);
		model_print(&two, h);
		assert_string_equal(str_get(&one), str_get(&two));
		str_release(&one);
		str_release(&two);
	}
	json_free(doc);
	arena_free(run);
	arena_free(a);
}

/* ---- limits and accounting ------------------------------------------------------------------------------ */

#define CONV "'conv': { 'conv2d': { 'filters': { 'any': [4, 8, 16] }, 'kernel': { 'any': [3, 5] } } }"
#define HEAD "'head': ['globalavgpool', { 'dense': { 'units': '$classes' } }]"
#define CHAIN                                                                                              \
	"'start': { 'conv': 3, 'pool': 1 }, 'transitions': { 'conv': { 'conv': 2, 'pool': 1, 'end': 1 }, " \
	"'pool': { 'conv': 3, 'end': 1 } }"
#define SPACE(more) "{ 'states': { " CONV ", 'pool': { 'maxpool2d': { 'size': 2 } } }, " CHAIN ", " HEAD ", " more " }"

static int64_t quantity(const struct graph *g, enum space_limit l)
{
	struct cost c;

	assert_int_equal(graph_cost(g, &c, NULL), 0);
	switch (l) {
	case LIMIT_PARAMS:
		return c.params;
	case LIMIT_MACS:
		return c.macs;
	case LIMIT_ACTIVATIONS:
		return c.activations;
	case LIMIT_TRAIN_BYTES:
		return c.train_bytes;
	case LIMIT_LAYERS:
		return c.layers;
	case LIMIT_DEPTH:
		return c.depth;
	case LIMIT_STATES:
		return c.layers - 2; /* every state of the space above is one layer; the head has two */
	case LIMIT_COUNT:
		break;
	}
	return -1;
}

/* Draws with a limit are those draws without it that are within: same streams, so it can be compared one by one. */
static void limits_are_exact(void **state)
{
	static const char *const limits[LIMIT_COUNT] = {
		"'params': { 'min': 500, 'max': 4000 }",
		"'macs': { 'min': 20000, 'max': 900000 }",
		"'activations': { 'min': 3000, 'max': 20000 }",
		"'train_bytes': { 'min': 40000, 'max': 200000 }",
		"'states': { 'min': 2, 'max': 5 }",
		"'layers': { 'min': 4, 'max': 7 }",
		"'depth': { 'min': 4, 'max': 7 }",
	};
	static const int64_t bounds[LIMIT_COUNT][2] = { { 500, 4000 },     { 20000, 900000 }, { 3000, 20000 },
							{ 40000, 200000 }, { 2, 5 },          { 4, 7 },
							{ 4, 7 } };
	struct arena *a = arena_new();

	(void)state;
	for (int l = 0; l < LIMIT_COUNT; l++) {
		struct space *all = must_read(a, SPACE("'name': 'all'")), *some;
		struct space_stats st = { 0 };
		int64_t count[3] = { 0 };
		char text[1024];

		snprintf(text, sizeof text, SPACE("'limits': { %s }"), limits[l]);
		some = must_read(a, text);
		for (int i = 0; i < 400; i++) {
			struct rng x, y;
			enum space_cause cause = CAUSE_COUNT, *none = NULL;
			struct graph *g, *h;
			int64_t q;
			int within;

			rng_init(&x, 77, (uint64_t)i);
			y = x;
			assert_int_equal(space_draw(&g, all, &mnist, &x, a, NULL, none, NULL), 1);
			q = quantity(g, (enum space_limit)l);
			within = q < bounds[l][0] ? 0 : q > bounds[l][1] ? 2 : 1;
			count[within]++;
			assert_int_equal(space_draw(&h, some, &mnist, &y, a, &st, &cause, NULL), within == 1);
			if (within != 1)
				assert_int_equal(cause, 2 * l + within / 2);
			assert_int_equal(space_accepts(some, g, &cause, NULL), within == 1 || l == LIMIT_STATES);
		}
		assert_true(count[0] > 5 && count[1] > 5 && count[2] > 5); /* all three were seen */
		assert_int_equal(st.drawn, 400);
		assert_int_equal(st.accepted, count[1]);
		assert_int_equal(st.rejected[2 * l], count[0]);
		assert_int_equal(st.rejected[2 * l + 1], count[2]);
	}
	arena_free(a);
}

/* Every draw is accounted for, misfits by state. */
static void accounting_adds_up(void **state)
{
	static const char *const rules[] = { "redraw", "end", "reject" };
	struct space_target small = { shape_image(1, 9, 9), TASK_CLASSIFY, 3 };
	struct arena *a = arena_new();

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct space_stats st = { 0 };
		int64_t rejected = 0, misfits;
		struct space *s;
		struct json *out;
		char text[1024];
		struct rng r;

		snprintf(text, sizeof text, SPACE("'on_misfit': '%s', 'limits': { 'params': { 'max': 3000 } }"),
			 rules[i]);
		s = must_read(a, text);
		rng_init(&r, 4, 4);
		for (int k = 0; k < 300; k++) {
			struct graph *g;

			assert_int_equal(space_sample(&g, s, &small, &r, a, &st, NULL), 0);
		}
		for (int k = 0; k < CAUSE_COUNT; k++)
			rejected += st.rejected[k];
		assert_int_equal(st.accepted, 300);
		assert_int_equal(st.drawn, st.accepted + rejected);
		misfits = st.misfits[0] + st.misfits[1];
		assert_true(misfits > 20);
		assert_int_equal(st.rejected[CAUSE_MISFIT], i == 2 ? misfits : 0);
		assert_true(st.rejected[2 * LIMIT_PARAMS + 1] > 0);
		out = space_stats_write(&st, s);
		assert_int_equal(json_number(json_get(out, "drawn")), st.drawn);
		assert_int_equal(json_number(json_get(json_get(out, "rejected"), "params.max")),
				 st.rejected[2 * LIMIT_PARAMS + 1]);
		assert_int_equal(json_number(json_get(json_get(out, "misfits"), "conv")), st.misfits[0]);
		json_free(out);
	}
	arena_free(a);
}

static void infeasible(const char *text, const struct space_target *t, const char *part)
{
	struct arena *a = arena_new();
	struct space *s = must_read(a, text);
	struct err e = { 0 };
	struct graph *g;
	struct rng r;

	rng_init(&r, 1, 1);
	assert_int_equal(space_sample(&g, s, t, &r, a, NULL, &e), -1);
	assert_int_equal(e.code, ERR_INFEASIBLE);
	if (!strstr(e.msg, part))
		fail_msg("\"%s\" does not say \"%s\"", e.msg, part);
	arena_free(a);
}

static void impossible_spaces_say_why(void **state)
{
	struct space_target tiny = { shape_image(1, 2, 2), TASK_CLASSIFY, 10 };

	(void)state;
	infeasible(SPACE("'limits': { 'params': { 'max': 10 } }"), &mnist, "params.max 20,000");
	infeasible(SPACE("'limits': { 'macs': { 'min': 1000000000000 } }"), &mnist, "macs.min 20,000");
	infeasible(SPACE("'limits': { 'states': { 'max': 1 }, 'layers': { 'min': 6 } }"), &mnist, "layers.min");
	infeasible("{ 'states': { " CONV " }, 'start': { 'conv': 1 }, 'transitions': { 'conv': { 'end': 1 } }, " HEAD
		   " }",
		   &tiny, "does not fit a height of 2");
	infeasible("{ 'states': { " CONV " }, 'start': { 'conv': 1 }, 'transitions': { 'conv': { 'end': 1 } }, "
		   "'head': [{ 'dense': { 'units': '$classes' } }] }",
		   &mnist, "stem or head do not fit");
	infeasible(SPACE("'limits': { 'params': { 'max': 1, 'min': 2 } }"), &mnist,
		   "limits.params: min 2 exceeds max 1");
	infeasible("{ 'states': { " CONV " }, 'start': { 'conv': 1 }, 'transitions': { 'conv': { 'end': 1 } } }",
		   &mnist, "the output needs a vector of 10");
}

/* ---- mistakes ------------------------------------------------------------------------------------------- */

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *text, *part;
	} cases[] = {
		{ "{ 'state': {} }", "a space needs" },
		{ "[]", "must be an object" },
		{ SPACE("'limit': {}"), "limit: unknown key (did you mean \"limits\"?)" },
		{ SPACE("'limits': { 'param': { 'max': 1 } }"), "did you mean \"params\"" },
		{ SPACE("'limits': { 'params': { 'max': -1 } }"), "limits.params.max: must be a whole number" },
		{ SPACE("'on_misfit': 'retry'"), "on_misfit: must be one of \"redraw\", \"end\", \"reject\"" },
		{ SPACE("'fit': 'tight'"), "fit: must be one of" },
		{ SPACE("'use': 'none.json'"), "no block file \"none.json\"" },
		{ SPACE("'stem': ['conv2']"), "unknown layer or block \"conv2\" (did you mean \"conv2d\"?)" },
		{ SPACE("'stem': [{ 'conv2d': { 'filter': 3 } }]"), "did you mean \"filters\"" },
		{ SPACE("'stem': [{ 'conv2d': {} }]"), "conv2d needs \"filters\"" },
		{ SPACE("'stem': [{ 'conv2d': { 'filters': { 'any': [3, 'x'] } } }]"), "any[1]" },
		{ SPACE("'stem': [{ 'conv2d': { 'filters': { 'range': [0, 5] } } }]"), "must lie between 1 and 65536" },
		{ SPACE("'stem': [{ 'conv2d': { 'filters': { 'range': [1, 5, 0.5] } } }]"), "whole" },
		{ SPACE("'stem': [{ 'conv2d': { 'filters': '$width' } }]"), "unknown name \"$width\"" },
		{ SPACE("'use': 'residual.json', 'stem': [{ 'residual': { 'filter': 3 } }]"),
		  "did you mean \"filters\"" },
		{ SPACE("'with': { 'classes': 3 }"), "this name is taken" },
		{ SPACE("'after': { 'dense': {} }"), "no state of this name" },
		{ SPACE("'after': { 'conv': {} }"), "\"transitions\" is missing" },
		{ SPACE("'input': [1, 2, 3]"), "\"input\" and \"classes\" go together" },
		{ SPACE("'classes': 0, 'input': [1, 2, 3]"), "classes: must be" },
		{ "{ 'states': { " CONV " }, 'start': { 'con': 1 }, 'transitions': {} }", "did you mean \"conv\"" },
		{ "{ 'states': { " CONV " }, 'start': { 'conv': 1 }, 'transitions': {} }",
		  "nothing is said about what follows \"conv\"" },
		{ "{ 'states': { " CONV " }, 'start': { 'conv': 1 }, 'transitions': { 'conv': { 'conv': 1 } } }",
		  "no model ever ends" },
		{ "{ 'states': { " CONV " }, 'start': { 'conv': 1 }, 'transitions': { 'conv': { 'conv': -1 } } }",
		  "a weight must be" },
		{ "{ 'states': { " CONV " }, 'transitions': {} }", "\"start\"" },
		{ "{ 'states': { 'end': 'relu' }, 'start': { 'end': 1 }, 'transitions': {} }", "\"end\" cannot be" },
		{ "{ 'cell': { 'nodes': 3, 'edge': { 'any': ['relu'] } } }", "\"cell\" and \"stack\"" },
		{ "{ 'cell': { 'nodes': 1, 'edge': { 'any': ['relu'] } }, 'stack': ['cell'] }", "\"nodes\" must be" },
		{ "{ 'cell': { 'nodes': 3, 'edge': { 'any': ['relu'] } }, 'stack': ['relu'] }", "does not use" },
		{ "{ 'cell': { 'nodes': 3, 'edges': [[0, 1]], 'edge': { 'any': ['relu'] } }, 'stack': ['cell'] }",
		  "node 2 has no edge" },
		{ "{ 'cell': { 'nodes': 3, 'edges': [[1, 0]], 'edge': { 'any': ['relu'] } }, 'stack': ['cell'] }",
		  "must be [from, to]" },
		{ "{ 'cell': { 'nodes': 3, 'edge': 'relu' }, 'stack': ['cell'] }", "must be {\"any\": [...]}" },
		{ "{ 'layers': ['rellu'] }", "did you mean \"relu\"" },
		{ "{ 'layers': ['relu'], 'limits': { 'states': { 'max': 2 } } }", "only a Markov space" },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct json *doc = json_of(cases[i].text);
		struct str why = { 0 };

		if (space_of(a, doc, &why))
			fail_msg("accepted: %s", cases[i].text);
		if (!strstr(str_get(&why), cases[i].part))
			fail_msg("%s\nsays: %s\nnot: %s", cases[i].text, str_get(&why), cases[i].part);
		str_release(&why);
		json_free(doc);
	}
	arena_free(a);
}

/* ---- cells, templates, "with" --------------------------------------------------------------------------- */

static void encodings_are_enumerated(void **state)
{
	struct arena *a = arena_new();
	struct space *s =
	    must_read(a, "{ 'cell': { 'nodes': 3, 'merge': 'concat', 'edges': [[0, 1], [0, 2], [1, 2]],"
			 "  'edge': { 'any': ['relu', 'tanh', { 'dropout': { 'rate': { 'any': [0.1, 0.2] } } }] } },"
			 "  'stack': [{ 'conv2d': { 'filters': { 'any': [2, 3] } } }, 'cell', "
			 "  'globalavgpool', { 'dense': { 'units': '$classes' } }] }");
	struct hash128 seen[128];

	(void)state;
	assert_int_equal(space_count(s), 2 * 4 * 4 * 4);
	for (int k = 0; k < 128; k++) {
		enum space_cause cause;
		struct graph *g;
		struct err e = { 0 };

		if (space_nth(&g, s, &mnist, k, a, NULL, &cause, &e) != 1)
			fail_msg("%d: %s %s", k, space_cause_name(cause), e.msg);
		seen[k] = graph_hash(g);
		for (int j = 0; j < k; j++)
			assert_false(seen[j].lo == seen[k].lo && seen[j].hi == seen[k].hi);
		assert_int_equal(((struct conv2d *)g->nodes[0].cfg)->filters, k < 64 ? 2 : 3);
		assert_int_equal(g->nodes[1].kind, k / 16 % 4 == 0   ? LAYER_relu
						   : k / 16 % 4 == 1 ? LAYER_tanh
								     : LAYER_dropout);
	}
	arena_free(a);
}

/* A name of "with" is drawn once: the same everywhere in a model, and different between models. */
static void with_is_drawn_once(void **state)
{
	struct arena *a = arena_new();
	struct space *s =
	    must_read(a, "{ 'with': { 'act': { 'any': ['relu', 'tanh'] }, 'n': { 'range': [3, 9] } },"
			 " 'stem': ['flatten'], 'states': { 'd': [{ 'dense': { 'units': '$n' } }, '$act'] },"
			 " 'start': { 'd': 1 }, 'transitions': { 'd': { 'd': 2, 'end': 1 } },"
			 " 'head': [{ 'dense': { 'units': '$classes' } }] }");
	int kinds[2] = { 0 }, units[10] = { 0 };
	struct rng r;

	(void)state;
	rng_init(&r, 3, 1);
	for (int i = 0; i < 200; i++) {
		struct graph *g;
		int n;

		assert_int_equal(space_sample(&g, s, &mnist, &r, a, NULL, NULL), 0);
		n = ((struct dense *)g->nodes[1].cfg)->units;
		units[n]++;
		kinds[g->nodes[2].kind == LAYER_tanh]++;
		for (int k = 1; k + 1 < g->n_nodes; k += 2) {
			assert_int_equal(((struct dense *)g->nodes[k].cfg)->units, n);
			assert_int_equal(g->nodes[k + 1].kind, g->nodes[2].kind);
		}
	}
	assert_true(kinds[0] > 60 && kinds[1] > 60);
	for (int i = 3; i <= 9; i++)
		assert_true(units[i] > 8);
	arena_free(a);
}

/* A template: its draws are exactly its points. */
static void templates_are_sampled(void **state)
{
	struct arena *a = arena_new();
	struct space *s =
	    must_read(a, "{ 'with': { 'n': { 'any': [2, 3] } }, 'layers': [{ 'conv2d': { 'filters': '$n' }, "
			 "'repeat': { 'any': [1, 2] } }, { 'any': ['relu', 'elu', 'gelu'] }, 'globalavgpool', "
			 "{ 'dense': { 'units': '$classes' } }] }");
	struct hash128 all[12];
	int hits[12] = { 0 };
	struct rng r;

	(void)state;
	assert_int_equal(space_count(s), 12);
	for (int k = 0; k < 12; k++) {
		struct graph *g;

		assert_int_equal(space_nth(&g, s, &mnist, k, a, NULL, NULL, NULL), 1);
		all[k] = graph_hash(g);
	}
	rng_init(&r, 9, 1);
	for (int i = 0; i < 1200; i++) {
		struct hash128 h;
		struct graph *g;
		int k = 0;

		assert_int_equal(space_sample(&g, s, &mnist, &r, a, NULL, NULL), 0);
		h = graph_hash(g);
		while (k < 12 && (all[k].lo != h.lo || all[k].hi != h.hi))
			k++;
		assert_true(k < 12);
		hits[k]++;
	}
	for (int k = 0; k < 12; k++)
		assert_in_range(hits[k], 60, 140); /* 4 standard deviations of 100 */
	arena_free(a);
}

/* What a mutation asks: next states by their weights, and their layers. */
static void the_chain_is_open_to_mutations(void **state)
{
	struct arena *a = arena_new();
	struct space *s = load(a, "configs/spaces/remap.json");
	int conv = space_state(s, "conv"), dense = space_state(s, "dense"), act = space_state(s, "activation");
	int after_conv[SPACE_STATES_MAX + 1] = { 0 }, chain;
	struct rng r;

	(void)state;
	assert_int_equal(space_state(s, "none"), -1);
	assert_int_equal(space_chain(s, 0, conv), 0);
	chain = space_chain(s, 0, dense);
	assert_int_equal(chain, 1);
	assert_int_equal(space_chain(s, chain, act), 1);
	rng_init(&r, 2, 2);
	for (int i = 0; i < 8000; i++) {
		int next = space_next(s, 0, conv, &r), later = space_next(s, chain, act, &r);

		after_conv[next == SPACE_END ? SPACE_STATES_MAX : next]++;
		assert_int_not_equal(later, conv);
		assert_int_not_equal(space_next(s, 0, SPACE_START, &r), -3);
	}
	assert_in_range(after_conv[act], 2800, 3200); /* 3 of 8 */
	assert_in_range(after_conv[conv], 880, 1120); /* 1 of 8 */
	assert_in_range(after_conv[SPACE_STATES_MAX], 880, 1120);
	for (int i = 0; i < space_states(s); i++) {
		struct json *first = space_state_draw(s, 0, i, &r), *later = space_state_draw(s, 1, i, &r);

		assert_false(draw_open(first));
		assert_int_equal(json_count(first), i == dense ? 2 : 1);
		assert_int_equal(json_count(later), 1);
		json_free(first);
		json_free(later);
	}
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(draws_are_counted),         cmocka_unit_test(every_value_once),
		cmocka_unit_test(ranges_are_uniform),        cmocka_unit_test(bad_draws_are_refused),
		cmocka_unit_test(remap_statistics),          cmocka_unit_test(compiled_or_not),
		cmocka_unit_test(limits_are_exact),          cmocka_unit_test(accounting_adds_up),
		cmocka_unit_test(impossible_spaces_say_why), cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(encodings_are_enumerated),  cmocka_unit_test(with_is_drawn_once),
		cmocka_unit_test(templates_are_sampled),     cmocka_unit_test(the_chain_is_open_to_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
