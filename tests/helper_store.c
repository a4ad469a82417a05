/* tests/helper_store.c - see helper_store.h. */
#include "tests/helper_store.h"

#include <math.h>
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
#include "store/store.h"
#include "tests/helper_data.h"

enum { CLASSES = 10 };

static struct err bad;

#define OK(call)                                                                           \
	do {                                                                               \
		err_clear(&bad);                                                           \
		if ((call) < 0)                                                            \
			fail_msg("%s:%d: %s: %s", __FILE__, __LINE__, bad.where, bad.msg); \
	} while (0)

struct maker {
	const struct made_store *m;
	struct store *s;
	struct arena *a;
	struct rng r;
	int64_t study;
};

static const char *const digits[] = { "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine" };
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
	static const int wide[] = { 8, 12, 16, 24, 32, 48 };
	int a = wide[rng_below(&k->r, 4)], b = wide[1 + rng_below(&k->r, 5)], n = 1 + (int)rng_below(&k->r, 4);
	int kernel = 3 + 2 * (int)rng_below(&k->r, 2);

	switch (rng_below(&k->r, 4)) {
	case 0:
		return arena_printf(k->a,
				    "{'input': [1, 28, 28], 'classes': 10, 'blocks': {" RESIDUAL "}, 'layers': [" CBR
				    ", {'residual': {'filters': %d}, 'first': {'stride': 2}, 'repeat': %d}, "
				    "'globalavgpool', {'dense': {'units': 10}}]}",
				    a, kernel, b, n);
	case 1:
		return arena_printf(k->a,
				    "{'input': [1, 28, 28], 'classes': 10, 'blocks': {" INCEPTION "}, 'layers': [" CBR
				    ", {'maxpool2d': {'size': 2}}, {'inception': {'f': %d}, 'repeat': %d}, "
				    "{'dropout': {'rate': 0.25}}, 'globalavgpool', {'dense': {'units': 10}}]}",
				    a, kernel, b / 4 + 2, n);
	case 2:
		return arena_printf(k->a,
				    "{'input': [1, 28, 28], 'classes': 10, 'layers': [" CBR
				    ", {'maxpool2d': {'size': 2}}, " CONV
				    "'batchnorm', 'silu', {'avgpool2d': {'size': 2}}, "
				    "'flatten', {'dropout': {'rate': 0.%d}}, {'dense': {'units': %d}}, 'tanh', "
				    "{'dense': {'units': 10}}]}",
				    a, kernel, b, 3, 1 + n, 8 * (n + 1));
	default:
		return arena_printf(k->a,
				    "{'input': [1, 28, 28], 'classes': 10, 'layers': ['flatten', "
				    "{'dense': {'units': %d}}, 'relu', {'dropout': {'rate': 0.5}}, "
				    "{'dense': {'units': %d}}, 'sigmoid', {'dense': {'units': 10}}]}",
				    4 * a, 2 * b);
	}
}

static const char *const baseline_forms[] = {
	"{'name': 'lenet5', 'input': [1, 28, 28], 'classes': 10, 'layers': ["
	"{'conv2d': {'filters': 6, 'kernel': 5, 'padding': 'same'}}, 'tanh', {'avgpool2d': {'size': 2}}, "
	"{'conv2d': {'filters': 16, 'kernel': 5}}, 'tanh', {'avgpool2d': {'size': 2}}, 'flatten', "
	"{'dense': {'units': 120}}, 'tanh', {'dense': {'units': 84}}, 'tanh', {'dense': {'units': 10}}]}",
	"{'name': 'linear', 'input': [1, 28, 28], 'classes': 10, 'layers': ['flatten', {'dense': {'units': 10}}]}",
	"{'name': 'mlp', 'input': [1, 28, 28], 'classes': 10, 'layers': ['flatten', {'dense': {'units': 128}}, "
	"'relu', {'dense': {'units': 10}}]}",
};

static struct store_model put_model(struct maker *k, const char *text)
{
	struct graph *g = graph_of(k->a, text);
	struct json *doc = model_write(g);
	struct str json = { 0 }, summary = { 0 };
	char *hash = arena_alloc(k->a, HASH_TEXT), *digest = arena_alloc(k->a, HASH_TEXT);
	struct store_model m;
	struct cost c;

	OK(graph_cost(g, &c, &bad));
	json_print(&json, doc);
	json_free(doc);
	graph_summary(&summary, g);
	m = (struct store_model){ .hash = hash_text(hash, graph_hash(g)),
				  .digest = hash_text(digest, graph_digest(g)),
				  .name = g->name,
				  .json = arena_strdup(k->a, str_get(&json)),
				  .summary = arena_strdup(k->a, str_get(&summary)),
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

/* A confusion matrix whose accuracy is nearly q's, and q's accuracy made to be exactly the matrix's. */
static void put_evaluation(struct maker *k, int64_t run, struct store_result *q)
{
	int64_t confusion[CLASSES][CLASSES] = { { 0 } }, right = 0, each = k->m->examples / CLASSES;
	double recall = 0;
	struct store_evaluation v = { .split = 1, .n = each * CLASSES, .classes = CLASSES };

	for (int c = 0; c < CLASSES; c++) {
		double p = fmin(fmax(q->val_accuracy + 0.06 * sin(c * 2.1), 0), 1);
		int64_t good = llround(p * (double)each), rest = each - good;

		confusion[c][c] = good;
		for (int j = 1; j < CLASSES; j++) {
			int64_t part = j == CLASSES - 1 ? rest : rest / 2;

			confusion[c][(c + j * 3) % CLASSES] += part;
			rest -= part;
		}
		right += good;
		recall += (double)good / (double)each / CLASSES;
	}
	q->val_accuracy = q->score = (double)right / (double)v.n;
	q->best_accuracy = fmax(q->best_accuracy, q->score);
	v.accuracy = q->val_accuracy;
	v.balanced_accuracy = v.recall_macro = v.f1_macro = v.precision_macro = recall;
	v.loss = q->val_loss;
	v.top5 = fmin(v.accuracy + 0.05, 1);
	v.confusion = &confusion[0][0];
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
	struct store_attempt t = { .device = "cpu:0", .host = "bench", .pid = 4242 };
	struct store_result q = { .state = STATE_DONE };
	bool fails = c->origin == ORIGIN_SEARCH && c->number % 8 == 7;

	r.identity =
	    arena_printf(k->a, "%08x%08x%08x%08x", rng_u32(&k->r), rng_u32(&k->r), rng_u32(&k->r), rng_u32(&k->r));
	OK(store_run_add(k->s, &r, &bad));
	if (k->m->unfinished && c->origin == ORIGIN_SEARCH && c->number == k->m->candidates - 1)
		return;
	t.run = r.id;
	OK(store_attempt_begin(k->s, &t, &bad));
	if (k->m->unfinished && c->origin == ORIGIN_SEARCH && c->number == k->m->candidates - 2)
		return;
	t.run = r.id;
	if (!fails) {
		put_epochs(k, r.id, talent(k, m), k->m->epochs, &q);
		put_evaluation(k, r.id, &q);
		if (k->m->scored)
			q.score -= 1e-7 * (double)m->params;
		put_findings(k, r.id, &q);
		OK(store_result_put(k->s, r.id, &q, &bad));
	} else {
		put_failure(k, r.id, (int)c->number / 8);
	}
	OK(store_attempt_end(k->s, t.id, fails ? ATTEMPT_FAILED : ATTEMPT_DONE, q.epochs, 0, NULL, &bad));
}

static void put_candidate(struct maker *k, enum store_origin origin, int number, const char *text)
{
	struct store_model m = put_model(k, text);
	struct store_candidate c = { .study = k->study, .model = m.id, .origin = origin, .number = number };

	c.recipe = "{\"batch\":128,\"epochs\":10,\"optimizer\":{\"adamw\":{\"lr\":0.002}}}";
	c.proposal =
	    k->m->inherited && origin == ORIGIN_SEARCH && number % 2 ? "{\"weights\":\"x.safetensors\"}" : "{}";
	c.key = arena_printf(k->a, "%d-%d-%d", (int)k->study, (int)origin, number);
	if (origin == ORIGIN_BASELINE)
		c.label = m.name;
	else if (k->m->hostile)
		c.label = arena_printf(k->a, "%s %d", hostile_classes[number % CLASSES], number);
	else
		c.label = arena_printf(k->a, "%s-%d", k->m->study, number + 1);
	OK(store_candidate_add(k->s, &c, &bad));
	for (int i = 0; i < k->m->seeds; i++)
		put_run(k, &c, &m, i);
}

/* ---- study ---------------------------------------------------------------------------------------------- */

static int64_t put_data(struct maker *k)
{
	const char *const *names = k->m->hostile ? hostile_classes : k->m->classes ? k->m->classes : digits;
	struct json *info = json_object(), *list = json_put(info, "classes", json_array());
	struct json *count = json_put(info, "examples", json_object());
	struct store_data d = { .digest = "0123456789abcdef0123456789abcdef", .name = "fashion-mnist" };
	struct str text = { 0 };

	for (int c = 0; c < CLASSES; c++)
		json_put(json_push(list, json_object()), "name", json_str(names[c]));
	json_put(count, "train", json_num(54000));
	json_put(count, "validation", json_num((double)(k->m->examples / CLASSES * CLASSES)));
	json_put(count, "test", json_num(10000));
	json_put(info, "task", json_str("classification"));
	json_print(&text, info);
	json_free(info);
	d.spec = "{\"dir\":\"../data/fashion-mnist\",\"format\":\"idx\",\"seed\":\"1\",\"validation\":0.1}";
	d.info = str_get(&text);
	OK(store_data_put(k->s, &d, &bad));
	str_release(&text);
	return d.id;
}

static void put_study(struct maker *k)
{
	struct store_study y = { .name = k->m->study, .kind = "search", .digest = "d", .state = STUDY_FINISHED };

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
	struct store_layer_time layers[] = { { "conv2d_1", "conv2d", 0.002, 0.004, 4096, NULL },
					     { "batchnorm_1", "batchnorm", 0, 0, 0, "conv2d_1" } };
	struct store_profile p = { .backend = "cpu fp32 1 thread", .batch = 128, .layer = layers, .n_layers = 2 };
	int64_t run;
	struct store_item item;

	OK(store_resolve(k->s, "best", k->study, &run, &bad));
	OK(store_item_get(k->s, run, &item, k->a, &bad));
	OK(store_profile_put(k->s, item.model, &p, &bad));
	OK(store_test_read_add(k->s, run, "nab test best", &bad));
}

void made_store_add(const char *path, const struct made_store *m)
{
	struct maker k = { .m = m, .a = arena_new() };

	rng_init(&k.r, m->seed, 1);
	OK(store_open(&k.s, path, STORE_CREATE, &bad));
	OK(store_begin(k.s, &bad));
	put_study(&k);
	for (int i = 0; i < m->baselines; i++)
		put_candidate(&k, ORIGIN_BASELINE, i, baseline_forms[i]);
	for (int i = 0; i < m->candidates; i++)
		put_candidate(&k, ORIGIN_SEARCH, i, form(&k));
	if (m->candidates > 0)
		put_one_more(&k);
	OK(store_commit(k.s, &bad));
	store_close(k.s);
	arena_free(k.a);
}
