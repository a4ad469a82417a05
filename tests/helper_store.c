/* tests/helper_store.c - see helper_store.h. */
#include "tests/helper_store.h"
#include "tests/helper_ok.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/model.h"
#include "arch/recipe.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "mutate/ablate.h"
#include "mutate/vary.h"
#include "store/store.h"
#include "tests/helper_data.h"

enum { SLICES = 2, MOST_CLASSES = 256 };

struct maker {
	const struct made_store *m;
	struct store *s;
	struct arena *a, *scratch; /* scratch: of one candidate */
	struct rng r;
	int64_t study;
	int n; /* classes */
	/* The validation examples: their class, slices, and how hard each is for every model alike. */
	uint16_t *label, *predicted;
	uint8_t *member[SLICES];
	double *hard;
	struct graph *last; /* the last model of the search that has no parent, and its row */
	int64_t last_model;
};

struct made { /* what becomes a candidate */
	struct graph *graph;
	enum store_origin origin;
	int number;
	int64_t parent;
	const struct json *change;
	const char *label; /* NULL: by number */
};

static const char *const digits[] = { "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine" };
static const char *const drawings[] = { "aircraft carrier",
					"airplane",
					"alarm clock",
					"ambulance",
					"angel",
					"animal migration",
					"ant",
					"anvil",
					"apple",
					"arm",
					"asparagus",
					"axe",
					"backpack",
					"banana",
					"bandage",
					"barn",
					"baseball",
					"basket",
					"basketball",
					"bat",
					"bathtub",
					"beach",
					"bear",
					"beard",
					"bed",
					"bee",
					"belt",
					"bench",
					"bicycle",
					"binoculars",
					"bird",
					"birthday cake",
					"blackberry",
					"blueberry",
					"book",
					"boomerang",
					"bottlecap",
					"bowtie",
					"bracelet",
					"brain",
					"bread",
					"bridge",
					"broccoli",
					"broom",
					"bucket",
					"bulldozer",
					"bus",
					"bush",
					"butterfly",
					"cactus" };
static const char *const hostile_classes[] = { "<script>alert(1)</script>",
					       "\"><img src=x onerror=alert(1)>",
					       "</script><script>alert(2)</script>",
					       "' onmouseover='alert(3)",
					       "=cmd|' /C calc'!A0",
					       "<!-- <script>",
					       "]]>",
					       "a\tb\x1b[31mc",
					       "&lt;b&gt;\\u003c",
					       "`touch nab-was-here`" };
static const char *const slice_names[SLICES] = { "faint", "first-half" };
static const char *const hostile_slices[SLICES] = { "<b>faint</b>", "'\"><script>alert(7)</script>" };

/* ---- models --------------------------------------------------------------------------------------------- */

#define CONV "{'conv2d': {'filters': %d, 'kernel': %d, 'padding': 'same'}}, "
#define CBR  CONV "'batchnorm', 'relu'"
#define RESIDUAL                                                                                                  \
	"'residual': {'with': {'filters': 32, 'stride': 1}, 'layers': ["                                          \
	"{'conv2d': {'filters': '$filters', 'kernel': 3, 'stride': '$stride', 'padding': 'same'}}, 'batchnorm', " \
	"'relu', {'conv2d': {'filters': '$filters', 'kernel': 3, 'padding': 'same'}}, 'batchnorm', "              \
	"{'add': {'project': true}, 'from': ['prev', 'in']}, 'relu']}"
#define INCEPTION                                                                                                \
	"'unit': {'with': {'f': 8, 'k': 3}, 'layers': [{'conv2d': {'filters': '$f', 'kernel': '$k', 'padding': " \
	"'same'}}, 'batchnorm', 'relu']}, 'inception': {'with': {'f': 8}, 'layers': ["                           \
	"{'unit': {'f': '$f', 'k': 1}, 'id': 'a'}, {'unit': {'f': '$f', 'k': 3}, 'id': 'b', 'from': 'in'}, "     \
	"{'unit': {'f': '$f', 'k': 5}, 'id': 'c', 'from': 'in'}, {'concat': {}, 'from': ['a', 'b', 'c']}]}"

static const char *form(struct maker *k)
{
	int a = 6 + (int)rng_below(&k->r, 27), b = 12 + (int)rng_below(&k->r, 37), n = 1 + (int)rng_below(&k->r, 4);
	int kernel = 3 + 2 * (int)rng_below(&k->r, 2);

	switch (rng_below(&k->r, 4)) {
	case 0:
		return arena_printf(k->scratch,
				    "{'input': [1, 28, 28], 'classes': @, 'blocks': {" RESIDUAL "}, 'layers': [" CBR
				    ", {'residual': {'filters': %d}, 'first': {'stride': 2}, 'repeat': %d}, "
				    "'globalavgpool', {'dense': {'units': @}}]}",
				    a, kernel, b, n);
	case 1:
		return arena_printf(k->scratch,
				    "{'input': [1, 28, 28], 'classes': @, 'blocks': {" INCEPTION "}, 'layers': [" CBR
				    ", {'maxpool2d': {'size': 2}}, {'inception': {'f': %d}, 'repeat': %d}, "
				    "{'dropout': {'rate': 0.25}}, 'globalavgpool', {'dense': {'units': @}}]}",
				    a, kernel, b / 4 + 2, n);
	case 2:
		return arena_printf(k->scratch,
				    "{'input': [1, 28, 28], 'classes': @, 'layers': [" CBR
				    ", {'maxpool2d': {'size': 2}}, " CONV
				    "'batchnorm', 'silu', {'avgpool2d': {'size': 2}}, "
				    "'flatten', {'dropout': {'rate': 0.%d}}, {'dense': {'units': %d}}, 'tanh', "
				    "{'dense': {'units': @}}]}",
				    a, kernel, b, 3, 1 + n, 8 * (n + 1));
	default:
		return arena_printf(k->scratch,
				    "{'input': [1, 28, 28], 'classes': @, 'layers': ['flatten', "
				    "{'dense': {'units': %d}}, 'relu', {'dropout': {'rate': 0.5}}, "
				    "{'dense': {'units': %d}}, 'sigmoid', {'dense': {'units': @}}]}",
				    4 * a, 2 * b);
	}
}

static const char *const baseline_forms[] = {
	"{'name': 'lenet5', 'input': [1, 28, 28], 'classes': @, 'layers': ["
	"{'conv2d': {'filters': 6, 'kernel': 5, 'padding': 'same'}}, 'tanh', {'avgpool2d': {'size': 2}}, "
	"{'conv2d': {'filters': 16, 'kernel': 5}}, 'tanh', {'avgpool2d': {'size': 2}}, 'flatten', "
	"{'dense': {'units': 120}}, 'tanh', {'dense': {'units': 84}}, 'tanh', {'dense': {'units': @}}]}",
	"{'name': 'linear', 'input': [1, 28, 28], 'classes': @, 'layers': ['flatten', {'dense': {'units': @}}]}",
	"{'name': 'mlp', 'input': [1, 28, 28], 'classes': @, 'layers': ['flatten', {'dense': {'units': 128}}, "
	"'relu', {'dense': {'units': @}}]}",
};

/* @ is the number of classes. */
static struct graph *model_of(struct maker *k, struct arena *a, const char *text)
{
	struct str s = { 0 };
	struct graph *g;

	for (; *text; text++) {
		if (*text == '@')
			str_addf(&s, "%d", k->n);
		else
			str_addc(&s, *text);
	}
	g = graph_of(a, str_get(&s));
	str_release(&s);
	return g;
}

static struct store_model put_model(struct maker *k, struct graph *g)
{
	struct json *doc = model_write(g);
	struct str json = { 0 }, summary = { 0 };
	char *hash = arena_alloc(k->scratch, HASH_TEXT), *digest = arena_alloc(k->scratch, HASH_TEXT);
	struct store_model m;
	struct cost c;

	OK(graph_cost(g, &c, &bad));
	json_print(&json, doc);
	json_free(doc);
	graph_summary(&summary, g);
	m = (struct store_model){ .hash = hash_text(hash, graph_hash(g)),
				  .digest = hash_text(digest, graph_digest(g)),
				  .name = g->name,
				  .json = arena_strdup(k->scratch, str_get(&json)),
				  .summary = arena_strdup(k->scratch, str_get(&summary)),
				  .params = c.params,
				  .macs = c.macs,
				  .activations = c.activations,
				  .weight_bytes = c.weight_bytes,
				  .train_bytes = c.train_bytes,
				  .depth = c.depth,
				  .layers = c.layers };
	OK(store_model_put(k->s, &m, &bad));
	str_release(&json);
	str_release(&summary);
	return m;
}

/* Times of every layer, by its multiply-adds. */
static void put_profile(struct maker *k, const struct graph *g, int64_t model)
{
	struct store_layer_time *t = ARENA_ARRAY(k->scratch, struct store_layer_time, g->n_nodes);
	struct store_profile p = { .backend = "cpu fp32 1 thread", .batch = 128, .layer = t };
	struct cost c;

	for (int i = 0; i < g->n_nodes; i++) {
		const struct node *n = &g->nodes[i];

		t[p.n_layers] = (struct store_layer_time){ .layer = n->id, .kind = layer_classes[n->kind]->name };
		t[p.n_layers].forward_s = 2e-5 + 128 * (double)n->macs / 2e10;
		t[p.n_layers].backward_s = 2.1 * t[p.n_layers].forward_s;
		t[p.n_layers].bytes = 128 * 4 * shape_count(&n->out[0]);
		p.activation_bytes += t[p.n_layers++].bytes;
	}
	OK(graph_cost(g, &c, &bad));
	p.weight_bytes = p.gradient_bytes = 4 * c.params;
	p.moment_bytes = 2 * p.weight_bytes;
	p.workspace_bytes = 1 << 20;
	p.total_bytes = 4 * p.weight_bytes + p.activation_bytes + p.workspace_bytes;
	p.optimizer_s = 1e-4;
	p.loss_s = 3e-5;
	p.input_s = 2e-4;
	OK(store_profile_put(k->s, model, &p, &bad));
}

/* ---- runs ----------------------------------------------------------------------------------------------- */

static double noise(struct maker *k, double size)
{
	return size * (rng_real(&k->r) + rng_real(&k->r) - 1);
}

/* Where a model of this size ends: better with more parameters, up to a point. */
static double talent(struct maker *k, const struct store_model *m)
{
	double size = log10((double)m->params + 10), work = log10((double)m->macs + 10);

	return fmin(0.62 + 0.03 * size + 0.025 * work + noise(k, 0.02), 0.975);
}

static void put_epochs(struct maker *k, int64_t run, double top, int epochs, struct store_result *q)
{
	double speed = 0.6 + rng_real(&k->r);

	for (int i = 1; i <= epochs; i++) {
		double share = 1 - exp(-speed * i), over = fmax(0, i - 0.7 * epochs) * 0.012;
		struct store_epoch p = { .epoch = i, .steps = 421, .examples = 53888 };

		p.rate = 0.002 * (1 + cos(3.14159 * i / epochs)) / 2;
		p.train_accuracy = fmin(0.1 + (top - 0.09) * share + over, 0.999);
		p.val_accuracy = fmin(fmax(0.1 + (top - 0.1) * share + noise(k, 0.012), 0), 1);
		p.train_loss = 2.3 * (1 - share) + 1.9 * (1 - p.train_accuracy);
		p.val_loss = 2.3 * (1 - share) + 2.1 * (1 - top) + over;
		p.grad_norm = 3 * exp(-0.3 * i) + 0.2;
		p.seconds = 2.5 + rng_real(&k->r);
		q->seconds += p.seconds;
		if (p.val_accuracy > q->best_accuracy) {
			q->best_accuracy = p.val_accuracy;
			q->best_epoch = i;
		}
		q->train_loss = p.train_loss;
		q->train_accuracy = p.train_accuracy;
		q->val_loss = p.val_loss;
		q->val_accuracy = p.val_accuracy;
		q->epochs = i;
		OK(store_epoch_put(k->s, run, &p, &bad));
	}
}

/* How much better (in standard deviations) than on the whole a model is at a class, and at the first slice: its
 * family's taste and its own; the same for all its seeds. */
static void taste(struct maker *k, const struct store_model *m, double bias[MOST_CLASSES + 1])
{
	double family = strstr(m->summary, "conv") ? (strstr(m->summary, "[") ? 1.9 : 0.4) : 4.1;
	struct rng own;

	rng_init(&own, k->m->seed, 1000 + (uint64_t)m->id);
	for (int c = 0; c < k->n; c++)
		bias[c] = 0.35 * sin(2.1 * c) + 0.4 * sin(family * (c + 1)) + 0.2 * rng_normal(&own);
	bias[k->n] = -0.5 + 0.3 * sin(family) + 0.2 * rng_normal(&own);
}

/* What the model answers: right where the example is easier than the model is able; else mostly a near class. */
static int answer(struct maker *k, int64_t i, double able)
{
	int c = k->label[i], off = 0;

	if (0.8 * k->hard[i] + 0.6 * rng_normal(&k->r) < able || k->n < 2)
		return c;
	while (off < k->n - 2 && rng_below(&k->r, 2))
		off++;
	return (c + 1 + (6 + off * 3) % (k->n - 1)) % k->n; /* not the next one in the order of the data */
}

static const char *slice_text(struct maker *k)
{
	const char *const *names = k->m->hostile ? hostile_slices : slice_names;
	struct json *v = json_object();
	struct str text = { 0 };
	const char *out;

	for (int s = 0; s < SLICES; s++) {
		double n = 0, right = 0;

		for (int64_t i = 0; i < k->m->examples; i++) {
			n += k->member[s][i];
			right += k->member[s][i] && k->predicted[i] == k->label[i];
		}
		json_put(v, names[s], json_num(n > 0 ? right / n : 0));
	}
	json_print(&text, v);
	json_free(v);
	out = arena_strdup(k->scratch, str_get(&text));
	str_release(&text);
	return out;
}

/* Predictions whose accuracy is nearly q's, the matrix that counts them, and q's accuracy made to be exactly theirs. */
static void put_evaluation(struct maker *k, int64_t run, const struct store_model *m, struct store_result *q)
{
	int64_t *confusion = ARENA_ARRAY(k->scratch, int64_t, k->n * k->n), right = 0, n = k->m->examples;
	double recall = 0, bias[MOST_CLASSES + 1], able = log(q->val_accuracy / (1.0001 - q->val_accuracy)) / 1.7;
	struct store_evaluation v = { .split = 1, .n = n, .classes = k->n, .confusion = confusion };

	taste(k, m, bias);
	for (int64_t i = 0; i < n; i++) {
		int c = k->label[i], said = answer(k, i, able + bias[c] + (k->member[0][i] ? bias[k->n] : 0.1));

		k->predicted[i] = (uint16_t)said;
		confusion[c * k->n + said]++;
		right += said == c;
	}
	for (int c = 0; c < k->n; c++) {
		int64_t all = 0;

		for (int j = 0; j < k->n; j++)
			all += confusion[c * k->n + j];
		recall += all ? (double)confusion[c * k->n + c] / (double)all / k->n : 0;
	}
	q->val_accuracy = q->score = (double)right / (double)n;
	q->best_accuracy = fmax(q->best_accuracy, q->score);
	v.accuracy = q->val_accuracy;
	v.balanced_accuracy = v.recall_macro = v.f1_macro = v.precision_macro = recall;
	v.loss = q->val_loss;
	v.top5 = fmin(v.accuracy + 0.05, 1);
	v.predicted = k->m->bare ? NULL : k->predicted;
	v.slices = k->m->bare ? NULL : slice_text(k);
	OK(store_evaluation_put(k->s, run, &v, &bad));
}

static void put_findings(struct maker *k, int64_t run, const struct store_result *q)
{
	const struct store_finding list[] = {
		{ "overfit", "validation loss has risen since epoch 6: stop there, or add dropout or augmentation",
		  NULL },
		{ "still-improving", "the validation loss was still falling: more epochs would pay", NULL },
		{ "dead-units", "31 % of the units are zero for every example: lower the learning rate", "relu_1" },
		{ "<b onclick=alert(4)>code</b>", "<script>alert(5)</script> & \"quotes\"", "<i>layer</i>" },
	};

	if (q->epochs > 4 && rng_below(&k->r, 2))
		OK(store_finding_add(k->s, run, &list[rng_below(&k->r, 3)], &bad));
	if (k->m->hostile)
		OK(store_finding_add(k->s, run, &list[3], &bad));
}

static void put_failure(struct maker *k, int64_t run, int which)
{
	static const struct {
		enum run_state state;
		const char *reason;
	} ways[] = {
		{ STATE_DIVERGED, "the loss was not finite in epoch 2, step 133: lower the learning rate" },
		{ STATE_OOM, "needs 3,412 MiB, the slot has 2,048 MiB: lower the batch size" },
		{ STATE_TIMEOUT, "after 600 seconds and 3 of 10 epochs" },
		{ STATE_FAILED, "its worker died 3 times at step 842 (signal 11)" },
		{ STATE_INFEASIBLE, "backend cpu does not have \"choice\" (layer choice_1)" },
	};
	struct store_result q = { .state = ways[which % 5].state, .reason = ways[which % 5].reason };

	q.best_accuracy = q.score = q.train_loss = q.train_accuracy = q.val_loss = q.val_accuracy = (double)NAN;
	if (k->m->hostile)
		q.reason = "</td><script>alert(6)</script>\x1b]0;title\x07";
	q.seconds = 12;
	OK(store_result_put(k->s, run, &q, &bad));
}

static void put_run(struct maker *k, const struct store_candidate *c, const struct store_model *m, int replicate)
{
	struct store_run r = { .candidate = c->id, .replicate = replicate, .seed = 42 + (uint64_t)replicate };
	struct store_attempt t = { .device = replicate % 2 ? "cpu:1" : "cpu:0", .host = "bench", .pid = 4242 };
	struct store_result q = { .state = STATE_DONE };
	bool fails = c->origin == ORIGIN_SEARCH && c->number % 8 == 7;

	r.identity = arena_printf(k->scratch, "%08x%08x%08x%08x", rng_u32(&k->r), rng_u32(&k->r), rng_u32(&k->r),
				  rng_u32(&k->r));
	OK(store_run_add(k->s, &r, &bad));
	if (k->m->unfinished && c->origin == ORIGIN_SEARCH && c->number == k->m->candidates - 1)
		return;
	t.run = r.id;
	OK(store_attempt_begin(k->s, &t, &bad));
	if (k->m->unfinished && c->origin == ORIGIN_SEARCH && c->number == k->m->candidates - 2)
		return;
	if (!fails) {
		put_epochs(k, r.id, talent(k, m), k->m->epochs, &q);
		put_evaluation(k, r.id, m, &q);
		if (k->m->scored)
			q.score -= 1e-7 * (double)m->params;
		put_findings(k, r.id, &q);
		OK(store_result_put(k->s, r.id, &q, &bad));
	} else {
		put_failure(k, r.id, (int)c->number / 8);
	}
	OK(store_attempt_end(k->s, t.id, fails ? ATTEMPT_FAILED : ATTEMPT_DONE, q.epochs, 0, NULL, &bad));
}

/* ---- candidates ----------------------------------------------------------------------------------------- */

/* The recipe of a candidate of the search: batch, optimizer and rate vary. */
static const char *recipe_of(struct maker *k, enum store_origin origin)
{
	static const int batches[] = { 64, 128, 256 };
	struct json *v;
	struct str text = { 0 };
	const char *out;
	struct recipe r;

	recipe_defaults(&r);
	r.epochs = k->m->epochs;
	r.batch = 128;
	r.optimizer.lr = 0.002;
	if (origin == ORIGIN_SEARCH) {
		r.batch = batches[rng_below(&k->r, 3)];
		r.optimizer.kind = rng_below(&k->r, 3) ? OPTIMIZER_ADAMW : OPTIMIZER_SGD;
		r.optimizer.lr = round(1e6 * pow(10, -3.5 + 2 * rng_real(&k->r))) / 1e6;
		r.label_smoothing = rng_below(&k->r, 2) ? 0.1 : 0;
	}
	v = recipe_write(&r);
	json_print(&text, v);
	json_free(v);
	out = arena_strdup(k->scratch, str_get(&text));
	str_release(&text);
	return out;
}

static const char *change_text(struct maker *k, const struct json *change)
{
	struct str text = { 0 };
	const char *out;

	if (!change)
		return NULL;
	json_print(&text, change);
	out = arena_strdup(k->scratch, str_get(&text));
	str_release(&text);
	return out;
}

static int64_t put_candidate(struct maker *k, const struct made *w)
{
	struct store_model m = put_model(k, w->graph);
	struct store_candidate c = {
		.study = k->study, .model = m.id, .origin = w->origin, .number = w->number, .parent = w->parent
	};

	c.recipe = recipe_of(k, w->origin);
	c.change = change_text(k, w->change);
	c.proposal =
	    k->m->inherited && w->origin == ORIGIN_SEARCH && w->number % 2 ? "{\"weights\":\"x.safetensors\"}" : "{}";
	c.key = arena_printf(k->scratch, "%d-%d-%d", (int)k->study, (int)w->origin, w->number);
	if (w->label)
		c.label = w->label;
	else if (k->m->hostile)
		c.label = arena_printf(k->scratch, "%s %d", hostile_classes[w->number % 10], w->number);
	else
		c.label = arena_printf(k->scratch, "%s-%d", k->m->study, w->number + 1);
	OK(store_candidate_add(k->s, &c, &bad));
	for (int i = 0; i < k->m->seeds; i++)
		put_run(k, &c, &m, i);
	if (m.id % 3)
		put_profile(k, w->graph, m.id);
	return m.id;
}

/* Two of three candidates of the search are drawn anew, the third is a variation of the one before. */
static bool put_variation(struct maker *k, int number)
{
	struct vary_opts o = { .changes = 2, .seed = k->m->seed + (uint64_t)number, .tries = 20 };
	struct made w = { .origin = ORIGIN_SEARCH, .number = number, .parent = k->last_model };
	struct mutate_env env = { 0 };
	struct vary_stats st = { 0 };
	struct vary_child *child;
	struct json *change;
	struct cost c;
	int found;

	OK(vary_draw(&child, &found, 1, k->last, &o, NULL, 0, &env, &st, k->scratch, &bad));
	if (!found)
		return false;
	OK(graph_cost(child->graph, &c, &bad));
	if (c.params > 400000)
		return false;
	change = mutate_change(&child->log);
	w.graph = (struct graph *)child->graph;
	w.change = change;
	put_candidate(k, &w);
	json_free(change);
	return true;
}

static void put_searched(struct maker *k, int number)
{
	struct made w = { .origin = ORIGIN_SEARCH, .number = number };

	if (number % 3 == 2 && put_variation(k, number))
		return;
	arena_reset(k->a); /* the model before has no more children */
	k->last = w.graph = model_of(k, k->a, form(k));
	k->last_model = put_candidate(k, &w);
}

/* As `nab ablate` and `nab vary` store them: the parent, then its children. */
static void put_child(struct maker *k, const struct graph *g, const struct mutate_log *log, struct made *w,
		      const char *by, const char *unit)
{
	struct json *change = mutate_change(log);

	if (by)
		json_put(change, "by", json_str(by));
	if (unit)
		json_put(change, "unit", json_str(unit));
	w->graph = (struct graph *)g;
	w->change = change;
	w->number++;
	put_candidate(k, w);
	json_free(change);
}

static void put_children(struct maker *k, bool ablate)
{
	struct made w = { .origin = ORIGIN_USER, .label = "parent" };
	struct mutate_env env = { 0 };
	struct graph *g = model_of(k, k->a, form(k));

	w.graph = g;
	w.parent = put_candidate(k, &w);
	if (ablate) {
		struct ablate_opts o = { .by = 1U << ABLATE_LAYER };
		struct ablate_plan *p;

		OK(ablate_plan(&p, g, NULL, &o, &env, k->a, &bad));
		for (int i = 0; i < p->n && w.number < k->m->candidates; i++) {
			w.label = p->children[i].label;
			if (p->children[i].graph)
				put_child(k, p->children[i].graph, &p->children[i].log, &w, "layer",
					  p->children[i].unit);
		}
	} else {
		struct vary_opts o = { .changes = 2, .seed = k->m->seed, .tries = 100 };
		struct vary_stats st = { 0 };
		struct vary_child *child;
		int found;

		OK(vary_draw(&child, &found, k->m->candidates, g, &o, NULL, 0, &env, &st, k->a, &bad));
		for (int i = 0; i < found; i++) {
			w.label = arena_printf(k->a, "parent-%s", child[i].label);
			put_child(k, child[i].graph, &child[i].log, &w, NULL, NULL);
		}
	}
}

/* ---- study ---------------------------------------------------------------------------------------------- */

static void make_examples(struct maker *k)
{
	int64_t n = k->m->examples;
	struct rng r;

	rng_init(&r, 7, 7); /* the same data for every study of a store */
	k->label = mem_new((size_t)n * sizeof *k->label);
	k->predicted = mem_new((size_t)n * sizeof *k->predicted);
	k->hard = mem_new((size_t)n * sizeof *k->hard);
	for (int s = 0; s < SLICES; s++)
		k->member[s] = mem_new((size_t)n);
	for (int64_t i = 0; i < n; i++) {
		int c = (int)(i % k->n);

		k->label[i] = (uint16_t)(c == k->n - 1 && i / k->n % 2 ? 0 : c); /* the last class is rare */
		k->hard[i] = rng_normal(&r);
		k->member[0][i] = rng_below(&r, 4) == 0;
		k->member[1][i] = k->label[i] < k->n / 2;
	}
}

static void drop_examples(struct maker *k)
{
	mem_free(k->label);
	mem_free(k->predicted);
	mem_free(k->hard);
	for (int s = 0; s < SLICES; s++)
		mem_free(k->member[s]);
}

static void put_truth(struct maker *k, int64_t data)
{
	const char *const *names = k->m->hostile ? hostile_slices : slice_names;
	struct store_slice slices[SLICES];
	struct store_truth t = { .split = 1, .n = k->m->examples, .label = k->label, .slices = slices, .n_slices = 2 };

	for (int s = 0; s < SLICES; s++)
		slices[s] = (struct store_slice){ names[s], k->member[s] };
	OK(store_truth_put(k->s, data, &t, &bad));
}

static const char *class_name(const struct maker *k, int c)
{
	if (k->m->last_class && c == k->n - 1)
		return k->m->last_class;
	if (k->m->classes)
		return k->m->classes[c];
	if (k->n <= 10)
		return k->m->hostile ? hostile_classes[c] : digits[c];
	return c < 50 ? drawings[c] : arena_printf(k->scratch, "class %d", c);
}

static int64_t put_data(struct maker *k)
{
	struct json *info = json_object(), *list = json_put(info, "classes", json_array());
	struct json *count = json_put(info, "examples", json_object());
	struct store_data d = { .digest = "0123456789abcdef0123456789abcdef",
				.name = k->n > 10 ? "quickdraw-50" : "fashion-mnist" };
	struct str text = { 0 };

	for (int c = 0; c < k->n; c++) {
		struct json *one = json_push(list, json_object());
		int n = 0;

		for (int64_t i = 0; i < k->m->examples; i++)
			n += k->label[i] == c;
		json_put(one, "name", json_str(class_name(k, c)));
		json_put(one, "train", json_num(9 * n));
		json_put(one, "validation", json_num(n));
		json_put(one, "test", json_num(10000.0 / k->n));
	}
	json_put(count, "train", json_num(54000));
	json_put(count, "validation", json_num((double)k->m->examples));
	json_put(count, "test", json_num(10000));
	json_put(info, "task", json_str("classification"));
	json_print(&text, info);
	json_free(info);
	d.spec = "{\"dir\":\"../data/fashion-mnist\",\"format\":\"idx\",\"seed\":\"1\",\"validation\":0.1}";
	d.info = str_get(&text);
	OK(store_data_put(k->s, &d, &bad));
	str_release(&text);
	if (!k->m->bare)
		put_truth(k, d.id);
	return d.id;
}

static void put_study(struct maker *k)
{
	struct store_study y = { .name = k->m->study, .digest = "d", .state = STUDY_FINISHED };

	y.kind = k->m->kind ? k->m->kind : "search";
	y.config = "{\"study\":\"fashion-100k\",\"dataset\":{\"format\":\"idx\",\"validation\":0.1},\"search\":{"
		   "\"strategy\":\"markov\",\"candidates\":24,\"seed\":\"42\",\"lag\":4},\"train\":{\"epochs\":10,"
		   "\"batch\":128,\"optimizer\":{\"adamw\":{\"lr\":0.002,\"weight_decay\":0.01}},\"schedule\":"
		   "\"onecycle\",\"augment\":[\"hflip\",{\"crop\":{\"pad\":2}}]},\"limits\":{\"params\":{\"max\":"
		   "100000}},\"devices\":[\"cpu:0\",\"cpu:1\"]}";
	y.env = "{\"nab\":\"0.1.0\",\"backend\":\"cpu\",\"precision\":\"fp32\",\"threads\":1,\"processor\":"
		"\"AMD EPYC 7B13\",\"onednn\":\"2.6.3\",\"sqlite\":\"3.40.1\"}";
	y.search = "{\"asked\":24,\"rejected\":{\"params\":61,\"misfit\":9}}";
	y.data = put_data(k);
	OK(store_study_add(k->s, &y, &bad));
	k->study = y.id;
}

static void put_one_more(struct maker *k)
{
	struct store_event v = { .study = k->study, .kind = "finished", .text = "all candidates have ended" };
	int64_t run;

	OK(store_resolve(k->s, "best", k->study, &run, &bad));
	OK(store_test_read_add(k->s, run, "nab test best", &bad));
	if (k->m->hostile)
		v.text = "<script>alert(8)</script>\x1b[31m";
	OK(store_event_add(k->s, &v, &bad));
}

static void put_candidates(struct maker *k)
{
	for (int i = 0; i < k->m->baselines; i++) {
		struct made w = { .origin = ORIGIN_BASELINE, .number = i };

		w.graph = model_of(k, k->scratch, baseline_forms[i]);
		w.label = w.graph->name;
		put_candidate(k, &w);
	}
	if (k->m->kind && strcmp(k->m->kind, "search") != 0) {
		put_children(k, strcmp(k->m->kind, "ablate") == 0);
		return;
	}
	for (int i = 0; i < k->m->candidates; i++) {
		put_searched(k, i);
		arena_reset(k->scratch);
	}
}

void made_store_add(const char *path, const struct made_store *m)
{
	struct maker k = { .m = m, .a = arena_new(), .scratch = arena_new(), .n = m->n_classes ? m->n_classes : 10 };

	rng_init(&k.r, m->seed, 1);
	make_examples(&k);
	OK(store_open(&k.s, path, STORE_CREATE, &bad));
	OK(store_begin(k.s, &bad));
	put_study(&k);
	put_candidates(&k);
	if (m->candidates > 0)
		put_one_more(&k);
	OK(store_commit(k.s, &bad));
	store_close(k.s);
	drop_examples(&k);
	arena_free(k.scratch);
	arena_free(k.a);
}
