/* tests/unit/test_ablate.c - plans of ablations against shapes and counts worked out by hand, and over every shipped
 * model; controls; features of recipes; advice from made-up numbers. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "arch/recipe.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "mutate/ablate.h"
#include "report/advice.h"

static const char *const dirs[] = { "configs/blocks" };
static const struct block_path lib = { dirs, 1 };

static struct json *parse(const char *text)
{
	struct err e = { 0 };
	struct json *v;

	if (json_parse(&v, text, strlen(text), "test", &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	return v;
}

static struct graph *model(struct arena *a, const char *text)
{
	struct json *doc = parse(text);
	struct diag d = { 0 };
	struct json_in in = { doc, &d, NULL };
	struct graph *g = NULL;

	if (model_read(&g, doc, NULL, &lib, a, &in) < 0)
		fail_msg("%s: %s", d.items[0].where, d.items[0].msg);
	json_free(doc);
	diag_release(&d);
	return g;
}

static struct graph *shipped(struct arena *a, const char *path)
{
	struct diag d = { 0 };
	struct err e = { 0 };
	struct graph *g;

	if (model_load(&g, path, &lib, a, &d, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	diag_release(&d);
	return g;
}

static struct ablate_plan *plan(struct arena *a, const struct graph *g, const char *recipe, const struct ablate_opts *o)
{
	struct json *r = parse(recipe);
	struct ablate_plan *p = NULL;
	struct err e = { 0 };

	if (ablate_plan(&p, g, r, o, NULL, a, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	arena_defer(a, (void (*)(void *))json_free, r);
	return p;
}

static const struct ablate_child *child(const struct ablate_plan *p, const char *label)
{
	for (int i = 0; i < p->n; i++)
		if (strcmp(p->children[i].label, label) == 0)
			return &p->children[i];
	fail_msg("the plan has no %s", label);
	return NULL;
}

static int64_t params_of(const struct graph *g)
{
	struct cost c;

	assert_int_equal(graph_cost(g, &c, NULL), 0);
	return c.params;
}

static void has_shape(const struct graph *g, const char *id, int rank, int c, int h, int w)
{
	int at = graph_find(g, id);
	const int want[] = { c, h, w };

	if (at < 0)
		fail_msg("no layer %s", id);
	for (int i = 0; i < rank; i++)
		if (g->nodes[at].out[0].d[i] != want[i])
			fail_msg("%s: side %d is %d, expected %d", id, i, g->nodes[at].out[0].d[i], want[i]);
}

/* REMAP's example, without padding, as its networks are: 28 - 2 = 26, halved 13; 16 x 13 x 13 = 2704.
 *	parent      (9 + 1) 16 + (2704 + 1) 64 + (64 + 1) 10     = 160 + 173120 + 650
 *	no conv     28 halved 14: (196 + 1) 64 + 650             = 12608 + 650
 *	no pool     16 x 26 x 26 = 10816: 160 + 10817 x 64 + 650
 *	no dense    160 + 2705 x 10
 *	no relu     as the parent */
static void remaps_example(void **state)
{
	struct arena *a = arena_new();
	const struct graph *g =
	    model(a, "{\"name\": \"remap\", \"input\": [1, 28, 28], \"classes\": 10, \"layers\": ["
		     "{\"conv2d\": {\"filters\": 16, \"kernel\": 3}}, \"relu\", {\"maxpool2d\": {\"size\": 2}},"
		     "\"flatten\", {\"dense\": {\"units\": 64}}, \"relu\", {\"dense\": {\"units\": \"$classes\"}}]}");
	struct ablate_opts o = { .by = 1U << ABLATE_LAYER };
	struct ablate_plan *p = plan(a, g, "{}", &o);
	const struct ablate_child *c;

	(void)state;
	assert_int_equal(params_of(g), 160 + 173120 + 650);
	assert_int_equal(p->n, 7);
	assert_int_equal(p->n_trainable, 5);
	c = child(p, "without-conv2d_1");
	assert_int_equal(params_of(c->graph), 12608 + 650);
	has_shape(c->graph, "relu_1", 3, 1, 28, 28);
	has_shape(c->graph, "maxpool2d_1", 3, 1, 14, 14);
	has_shape(c->graph, "flatten_1", 1, 196, 0, 0);
	has_shape(c->graph, "dense_1", 1, 64, 0, 0);
	c = child(p, "without-maxpool2d_1");
	assert_int_equal(params_of(c->graph), 160 + 10817 * 64 + 650);
	has_shape(c->graph, "flatten_1", 1, 10816, 0, 0);
	c = child(p, "without-dense_1");
	assert_int_equal(params_of(c->graph), 160 + 27050);
	has_shape(c->graph, "relu_2", 1, 2704, 0, 0);
	has_shape(c->graph, "dense_2", 1, 10, 0, 0);
	assert_int_equal(params_of(child(p, "without-relu_1")->graph), 173930);
	assert_int_equal(params_of(child(p, "without-relu_2")->graph), 173930);
	assert_int_equal(child(p, "without-relu_2")->graph->n_nodes, 6);
	assert_non_null(child(p, "without-flatten_1")->log.refusal);
	assert_non_null(strstr(child(p, "without-dense_2")->log.refusal, "output"));
	arena_free(a);
}

/* ---- every shipped model ---------------------------------------------------------------------------------- */

static void reads_back(const struct graph *g, struct arena *a)
{
	struct str text = { 0 };
	struct graph *again;
	struct hash128 x = graph_hash(g), y;

	model_print(&text, g);
	again = model(a, str_get(&text));
	y = graph_hash(again);
	assert_true(x.lo == y.lo && x.hi == y.hi);
	str_release(&text);
}

static void sound(const struct ablate_plan *p, const struct graph *parent, struct arena *a)
{
	int trainable = 0;

	for (int i = 0; i < p->n; i++) {
		const struct ablate_child *c = &p->children[i];

		trainable += c->graph != NULL;
		assert_true((c->graph == NULL) == (c->log.refusal != NULL));
		assert_true(!c->log.refusal || *c->log.refusal);
		for (int k = 0; k < i; k++) {
			struct hash128 x, y;

			assert_string_not_equal(c->label, p->children[k].label);
			if (!c->graph || !p->children[k].graph || c->recipe || p->children[k].recipe)
				continue;
			x = graph_hash(c->graph);
			y = graph_hash(p->children[k].graph);
			assert_true(x.lo != y.lo || x.hi != y.hi || c->control_of >= 0);
		}
		if (!c->graph)
			continue;
		assert_true(c->log.words && *c->log.words);
		if (c->graph != parent)
			reads_back(c->graph, a);
		else
			assert_non_null(c->recipe);
		assert_int_equal(c->graph->outputs[0].classes, parent->outputs[0].classes);
	}
	assert_int_equal(trainable, p->n_trainable);
}

static void try_model(const char *path)
{
	struct arena *a = arena_new();
	const struct graph *g = shipped(a, path);
	struct hash128 before = graph_digest(g), after;
	struct ablate_opts o = { .by = (1U << ABLATE_BY_COUNT) - 1 };
	struct ablate_plan *p = plan(a, g, "{\"label_smoothing\": 0.1, \"augment\": [\"hflip\"]}", &o);

	assert_true(p->n_trainable > 0);
	sound(p, g, a);
	after = graph_digest(g);
	assert_true(before.lo == after.lo && before.hi == after.hi);
	arena_free(a);
}

static void every_shipped_model(void **state)
{
	DIR *d = opendir("configs/models");
	char path[400];
	int n = 0;

	(void)state;
	assert_non_null(d);
	for (struct dirent *f; (f = readdir(d));) {
		if (!strstr(f->d_name, ".json"))
			continue;
		snprintf(path, sizeof path, "configs/models/%s", f->d_name);
		try_model(path);
		n++;
	}
	closedir(d);
	assert_true(n >= 9);
}

/* ---- blocks, kinds, groups -------------------------------------------------------------------------------- */

static void blocks_and_repeats(void **state)
{
	struct arena *a = arena_new();
	const struct graph *six = shipped(a, "configs/models/residual-6.json");
	const struct graph *twenty = shipped(a, "configs/models/resnet20.json");
	struct ablate_opts o = { .by = 1U << ABLATE_BLOCK };
	struct ablate_plan *p = plan(a, six, "{}", &o);

	(void)state;
	assert_int_equal(p->n, 6);
	assert_int_equal(p->n_trainable, 6);
	/* without the last block the classifier reads 28 channels; the block itself is all else that goes */
	assert_int_equal(params_of(six) - params_of(child(p, "without-residual_6")->graph),
			 9 * 28 * 32 + 9 * 32 * 32 + 28 * 32 + 6 * 32 + 10 * (32 - 28));
	/* copies of one block cannot be told apart: the model without either is the same */
	p = plan(a, twenty, "{}", &o);
	assert_int_equal(p->n, 9);
	assert_non_null(strstr(child(p, "without-residual_2")->log.refusal, "without-residual_1"));
	arena_free(a);
}

static void groups_and_ranges(void **state)
{
	struct arena *a = arena_new();
	const struct graph *g = shipped(a, "configs/models/residual-6.json");
	const char *const groups[] = { "tail=residual_5..residual_6", "pools=maxpool2d_1,maxpool2d_2",
				       "inner=residual_1__conv2d_1..residual_2" };
	struct ablate_opts o = { .by = 1U << ABLATE_GROUP, .groups = groups, .n_groups = 3 };
	struct ablate_plan *p = plan(a, g, "{}", &o);
	const struct ablate_child *c = child(p, "without-tail");
	struct err e = { 0 };

	(void)state;
	assert_int_equal(json_count(c->log.edits), 2);
	assert_int_equal(graph_find_group(c->graph, "residual_6"), -1);
	assert_true(graph_find_group(c->graph, "residual_4") >= 0);
	has_shape(child(p, "without-pools")->graph, "residual_6__relu_2", 3, 32, 14, 14);
	assert_int_equal(json_count(child(p, "without-inner")->log.edits), 2); /* whole blocks */
	for (int i = 0; i < 5; i++) {
		static const char *const wrong[] = { "tail", "tail=", "=a", "t=residual_9",
						     "t=residual_6..residual_5" };
		struct ablate_opts bad = { .by = 1U << ABLATE_GROUP, .groups = &wrong[i], .n_groups = 1 };

		err_clear(&e);
		assert_int_equal(ablate_plan(&p, g, NULL, &bad, NULL, a, &e), -1);
		assert_int_equal(e.code, ERR_USAGE);
	}
	arena_free(a);
}

static int kinds(const struct graph *g, enum layer_kind kind)
{
	int n = 0;

	for (int i = 0; i < g->n_nodes; i++)
		n += g->nodes[i].kind == kind;
	return n;
}

static void features_of_a_graph(void **state)
{
	struct arena *a = arena_new();
	const struct graph *g = shipped(a, "configs/models/residual-6.json");
	struct ablate_opts o = { .by = 1U << ABLATE_FEATURE };
	struct ablate_plan *p = plan(a, g, "{\"schedule\": {\"constant\": {\"warmup\": 0}}}", &o);

	(void)state;
	assert_int_equal(p->n, 3);
	assert_int_equal(kinds(child(p, "without-batchnorm")->graph, LAYER_batchnorm), 0);
	assert_int_equal(kinds(child(p, "without-dropout")->graph, LAYER_dropout), 0);
	g = child(p, "without-skip")->graph;
	assert_int_equal(kinds(g, LAYER_add), 0);
	assert_int_equal(kinds(g, LAYER_conv2d), 13); /* the stem and two of each block: the projections went */
	arena_free(a);
}

static void kinds_of_layers(void **state)
{
	struct arena *a = arena_new();
	const struct graph *g = shipped(a, "configs/models/mlp.json");
	const char *const only[] = { "dense", "relu" };
	struct ablate_opts o = { .by = 1U << ABLATE_OP, .only = only, .n_only = 2 };
	struct ablate_plan *p = plan(a, g, "{}", &o);
	const struct graph *linear = child(p, "without-dense")->graph;

	(void)state;
	assert_int_equal(p->n, 2);
	assert_int_equal(kinds(linear, LAYER_dense), 1);
	assert_int_equal(params_of(linear), 785 * 10);
	assert_int_equal(kinds(child(p, "without-relu")->graph, LAYER_relu), 0);
	arena_free(a);
}

static void limits_and_only(void **state)
{
	struct arena *a = arena_new();
	const struct graph *g = shipped(a, "configs/models/lenet5.json");
	const char *const only[] = { "maxpool2d" }, *const wrong[] = { "maxpool2d_3" };
	struct ablate_opts o = { .by = 1U << ABLATE_LAYER, .only = only, .n_only = 1, .max_params = params_of(g) };
	struct ablate_plan *p = plan(a, g, "{}", &o);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(p->n, 2);
	assert_int_equal(p->n_trainable, 0); /* without a pool the first dense layer grows */
	assert_non_null(strstr(p->children[0].log.refusal, "allowed"));
	o.only = wrong;
	assert_int_equal(ablate_plan(&p, g, NULL, &o, NULL, a, &e), -1);
	assert_non_null(strstr(e.msg, "maxpool2d_"));
	arena_free(a);
}

/* ---- recipes ---------------------------------------------------------------------------------------------- */

static const char *recipe =
    "{\"label_smoothing\": 0.1, \"clip\": 1, \"augment\": [\"hflip\", {\"crop\": {\"pad\": 2}}],"
    "\"optimizer\": {\"sgd\": {\"lr\": 0.1, \"weight_decay\": 0.001}},"
    "\"early_stop\": {\"patience\": 3, \"min_delta\": 0.01}}";

/* The parent's recipe, complete, with a child's overrides, as the engine puts them together. */
static struct recipe child_recipe(const struct ablate_child *c, const struct json *whole, struct arena *a)
{
	struct json *doc = json_copy(whole);
	struct diag d = { 0 };
	struct json_in in = { doc, &d, NULL };
	struct recipe r;

	JSON_EACH(v, c->recipe)
		json_put(doc, json_key(v), json_copy(v));
	if (recipe_read(&r, doc, a, &in) < 0)
		fail_msg("%s: %s: %s", c->label, d.items[0].where, d.items[0].msg);
	diag_release(&d);
	json_free(doc);
	return r;
}

static void features_of_a_recipe(void **state)
{
	struct arena *a = arena_new();
	const struct graph *g = shipped(a, "configs/models/vgg-small.json");
	struct ablate_opts o = { .by = 1U << ABLATE_FEATURE };
	struct json *given = parse(recipe), *whole;
	struct diag d = { 0 };
	struct json_in in = { given, &d, NULL };
	struct ablate_plan *p;
	struct recipe r, parent;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(recipe_read(&parent, given, a, &in), 0);
	whole = recipe_write(&parent);
	if (ablate_plan(&p, g, whole, &o, NULL, a, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(p->n, 8); /* batchnorm, dropout and six of the recipe */
	r = child_recipe(child(p, "without-augmentation"), whole, a);
	assert_int_equal(r.n_augment, 0);
	assert_true(r.label_smoothing == 0.1);
	assert_non_null(strstr(child(p, "without-augmentation")->log.words, "hflip, crop"));
	r = child_recipe(child(p, "without-weight_decay"), whole, a);
	assert_true(r.optimizer.weight_decay == 0 && r.optimizer.lr == 0.1 && r.optimizer.kind == OPTIMIZER_SGD);
	r = child_recipe(child(p, "without-label_smoothing"), whole, a);
	assert_true(r.label_smoothing == 0 && r.clip == 1);
	r = child_recipe(child(p, "without-clip"), whole, a);
	assert_true(r.clip == 0 && r.label_smoothing == 0.1);
	r = child_recipe(child(p, "without-schedule"), whole, a);
	assert_int_equal(r.schedule.kind, SCHEDULE_CONSTANT);
	r = child_recipe(child(p, "without-early_stop"), whole, a);
	assert_int_equal(r.early_stop.patience, 0);
	assert_true(r.early_stop.min_delta == 0.01);
	assert_ptr_equal(child(p, "without-clip")->graph, g);
	json_free(given);
	json_free(whole);
	arena_free(a);
}

/* ---- pairs and controls ----------------------------------------------------------------------------------- */

static void pairs(void **state)
{
	struct arena *a = arena_new();
	const struct graph *g = shipped(a, "configs/models/residual-6.json");
	struct ablate_opts o = { .by = 1U << ABLATE_BLOCK | 1U << ABLATE_FEATURE, .pairs = true };
	struct ablate_plan *p = plan(a, g, "{\"label_smoothing\": 0.1, \"schedule\": \"constant\"}", &o);
	const struct ablate_child *c = child(p, "without-residual_1+residual_4");
	int singles = 6 + 4, n = 0;

	(void)state;
	assert_int_equal(child(p, "without-residual_1")->first, -1);
	assert_string_equal(p->children[c->first].label, "without-residual_1");
	assert_string_equal(p->children[c->second].label, "without-residual_4");
	assert_int_equal(graph_find_group(c->graph, "residual_1"), -1);
	assert_int_equal(graph_find_group(c->graph, "residual_4"), -1);
	for (int i = 0; i < p->n; i++)
		n += p->children[i].first >= 0;
	/* all but those of a block with the norms or the skip connections that lie in it */
	assert_int_equal(n, singles * (singles - 1) / 2 - 2 * 6);
	c = child(p, "without-residual_2+label_smoothing");
	assert_non_null(c->recipe);
	assert_int_equal(graph_find_group(c->graph, "residual_2"), -1);
	arena_free(a);
}

static void matched(const char *path, enum ablate_match match)
{
	struct arena *a = arena_new();
	const struct graph *g = shipped(a, path);
	struct ablate_opts o = { .by = 1U << ABLATE_BLOCK | 1U << ABLATE_LAYER, .match = match };
	struct ablate_plan *p;
	struct cost want, got;
	int n = 0;

	if (g->n_groups)
		o.by = 1U << ABLATE_BLOCK;
	p = plan(a, g, "{}", &o);
	assert_int_equal(graph_cost(g, &want, NULL), 0);
	for (int i = 0; i < p->n; i++) {
		const struct ablate_child *c = &p->children[i];

		if (c->control_of < 0 || !c->graph)
			continue;
		n++;
		assert_int_equal(graph_cost(c->graph, &got, NULL), 0);
		if (match == MATCH_PARAMS)
			assert_true(llabs(got.params - want.params) <= want.params / 50);
		else
			assert_true(llabs(got.macs - want.macs) <= want.macs / 50);
		assert_int_equal(c->graph->n_nodes, p->children[c->control_of].graph->n_nodes);
		reads_back(c->graph, a);
	}
	for (int i = 0; !n && i < p->n; i++)
		if (p->children[i].control_of >= 0)
			fail_msg("%s: %s: %s", path, p->children[i].label, p->children[i].log.refusal);
	assert_true(n > 0);
	arena_free(a);
}

static void controls_are_as_large_as_the_parent(void **state)
{
	(void)state;
	matched("configs/models/residual-6.json", MATCH_PARAMS);
	matched("configs/models/residual-6.json", MATCH_MACS);
	matched("configs/models/lenet5.json", MATCH_PARAMS);
	matched("configs/models/mlp.json", MATCH_PARAMS);
	matched("configs/models/resnet20.json", MATCH_PARAMS);
	matched("configs/models/mobilenet-small.json", MATCH_PARAMS);
}

/* ---- advice ----------------------------------------------------------------------------------------------- */

static struct compare_row row(const char *label, int64_t params, double mean, double half)
{
	struct compare_row r = {
		.label = label, .params = params, .macs = 100 * params, .n_runs = 3, .n_done = 3, .n_paired = 3
	};

	r.effect = (struct stats_effect){
		.mean = mean, .low = mean - half, .high = mean + half, .rest = 0.01, .reliable = true
	};
	r.p_holm = fabs(mean) > half ? 0.01 : 0.9;
	return r;
}

static const struct advice *about(const struct advice *v, int n, enum advice_kind kind, const char *name)
{
	for (int i = 0; i < n; i++)
		if (v[i].kind == kind && strncmp(v[i].text, name, strlen(name)) == 0)
			return &v[i];
	return NULL;
}

static void advice_says_what_the_interval_holds(void **state)
{
	static const char *const ids[] = { "residual_1", "residual_2", "residual_3", "residual_4" };
	struct arena *a = arena_new();
	struct compare_row rows[] = {
		row("parent", 50000, 0, 0),           row("a", 45360, -0.0002, 0.0029),
		row("b", 40000, -0.03, 0.01),         row("c", 30000, -0.04, 0.01),
		row("d", 48000, -0.01, 0.02),         row("e", 50000, 0.006, 0.003),
		row("matched", 50000, -0.001, 0.002), row("refused", 0, (double)NAN, (double)NAN)
	};
	struct comparison c = { .metric = metric_of_task(TASK_CLASSIFY), .rows = rows, .n_rows = 8 };
	struct advice_row what[8] = {
		[1] = { .by = "block", .name = "residual_1", .removed = &ids[0], .n_removed = 1 },
		[2] = { .by = "block", .name = "residual_2", .removed = &ids[1], .n_removed = 1 },
		[3] = { .by = "block", .name = "residual_3", .removed = &ids[2], .n_removed = 1 },
		[4] = { .by = "block", .name = "residual_4", .removed = &ids[3], .n_removed = 1 },
		[5] = { .kind = UNIT_RECIPE, .by = "feature", .name = "clip", .set = "train.clip=0" },
		[6] = { .by = "block", .name = "residual_2", .control_of = 2 },
	};
	struct advice_opts o = { "m.json", "nab ablate m.json", 0.005, 3 };
	struct advice *v;
	const struct advice *one;
	int n;

	(void)state;
	rows[7].n_paired = 0;
	n = advice_make(&v, &c, what, &o, a);
	one = about(v, n, ADVICE_PRUNE, "residual_1");
	assert_non_null(one);
	assert_string_equal(one->text, "residual_1: -0.02 points (-0.31 to +0.27) without it, saves 4,640 parameters "
				       "and 464,000 multiply-adds: can go");
	assert_string_equal(one->command, "nab edit m.json --remove residual_1 -o edited.json");
	assert_non_null(about(v, n, ADVICE_KEEP, "residual_2"));
	assert_non_null(about(v, n, ADVICE_KEEP, "residual_3"));
	/* 3 points for 10,000 parameters beat 4 for 20,000 */
	one = about(v, n, ADVICE_DUPLICATE, "residual_2");
	assert_non_null(one);
	assert_string_equal(one->command, "nab edit m.json --duplicate residual_2 -o edited.json");
	one = about(v, n, ADVICE_UNSURE, "residual_4");
	assert_non_null(one);
	assert_string_equal(one->command, "nab ablate m.json --by block --only residual_4 --seeds 20");
	one = about(v, n, ADVICE_DROP, "clip");
	assert_non_null(strstr(one->text, "better without it"));
	assert_string_equal(one->command, "nab train m.json --set train.clip=0");
	assert_non_null(strstr(about(v, n, ADVICE_CAPACITY, "residual_2")->text, "capacity"));
	assert_int_equal(n, 7);
	arena_free(a);
}

static void one_seed_decides_nothing(void **state)
{
	static const char *const id = "a";
	struct arena *a = arena_new();
	struct compare_row rows[] = { row("parent", 50000, 0, 0), row("x", 45360, -0.0002, 0.001) };
	struct comparison c = { .metric = metric_of_task(TASK_CLASSIFY), .rows = rows, .n_rows = 2 };
	struct advice_row what[2] = { [1] = { .by = "block", .name = "a", .removed = &id, .n_removed = 1 } };
	struct advice_opts o = { "m.json", "nab ablate m.json", 0.005, 1 };
	struct advice *v;

	(void)state;
	rows[1].n_paired = rows[1].n_runs = rows[1].n_done = 1;
	assert_int_equal(advice_make(&v, &c, what, &o, a), 1);
	assert_int_equal(v[0].kind, ADVICE_UNSURE);
	assert_non_null(strstr(v[0].command, "--seeds 5"));
	arena_free(a);
}

/* Too few examples differ for an interval; but none at all is as clear as can be. */
static void doing_nothing_is_clear(void **state)
{
	static const char *const id = "a";
	struct arena *a = arena_new();
	struct compare_row rows[] = { row("parent", 50000, 0, 0), row("x", 45360, 0, 0.0005),
				      row("y", 45360, 0, 0.0005) };
	struct comparison c = { .metric = metric_of_task(TASK_CLASSIFY), .rows = rows, .n_rows = 3 };
	struct advice_row what[3] = { [1] = { .by = "block", .name = "a", .removed = &id, .n_removed = 1 },
				      [2] = { .by = "block", .name = "b", .removed = &id, .n_removed = 1 } };
	struct advice_opts o = { "m.json", "nab ablate m.json", 0.005, 3 };
	struct advice *v;

	(void)state;
	rows[1].effect.reliable = rows[2].effect.reliable = false;
	rows[1].effect.rest = 0;
	assert_int_equal(advice_make(&v, &c, what, &o, a), 2);
	assert_int_equal(v[0].kind, ADVICE_PRUNE);
	assert_non_null(strstr(v[0].text, "no prediction changes"));
	assert_int_equal(v[1].kind, ADVICE_UNSURE);
	arena_free(a);
}

/* Parent 0.9, each of the two alone 0.89, both 0.80: 8 points beyond the sum, whatever the seeds add. */
static void interactions_are_contrasts(void **state)
{
	struct arena *a = arena_new();
	double parent[] = { 0.90, 0.91, 0.89 }, one[] = { 0.89, 0.90, 0.88 }, two[] = { 0.89, 0.901, 0.879 },
	       both[] = { 0.80, 0.81, 0.79 };
	struct compare_row rows[] = { row("p", 9, 0, 0), row("x", 8, -0.01, 0.001), row("y", 8, -0.01, 0.001),
				      row("xy", 7, -0.1, 0.001) };
	struct comparison c = { .metric = metric_of_task(TASK_CLASSIFY), .rows = rows, .n_rows = 4 };
	struct advice_row what[4] = {
		[1] = { .name = "x" }, [2] = { .name = "y" }, [3] = { .name = "x+y", .first = 1, .second = 2 }
	};
	struct advice_interaction *x;

	(void)state;
	rows[0].per_seed = parent;
	rows[1].per_seed = one;
	rows[2].per_seed = two;
	rows[3].per_seed = both;
	assert_int_equal(advice_interactions(&x, &c, what, a), 1);
	assert_true(fabs(x->sum + 0.02) < 1e-12 && fabs(x->pair + 0.1) < 1e-12);
	assert_true(fabs(x->effect.mean + 0.08) < 1e-9);
	assert_true(x->effect.high < -0.07 && x->effect.low > -0.09);
	assert_true(x->p < 0.001);
	rows[3].n_done = 2; /* a seed is missing: no contrast */
	advice_interactions(&x, &c, what, a);
	assert_true(isnan(x->effect.mean));
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remaps_example),
		cmocka_unit_test(every_shipped_model),
		cmocka_unit_test(blocks_and_repeats),
		cmocka_unit_test(groups_and_ranges),
		cmocka_unit_test(features_of_a_graph),
		cmocka_unit_test(kinds_of_layers),
		cmocka_unit_test(limits_and_only),
		cmocka_unit_test(features_of_a_recipe),
		cmocka_unit_test(pairs),
		cmocka_unit_test(controls_are_as_large_as_the_parent),
		cmocka_unit_test(advice_says_what_the_interval_holds),
		cmocka_unit_test(one_seed_decides_nothing),
		cmocka_unit_test(doing_nothing_is_clear),
		cmocka_unit_test(interactions_are_contrasts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
