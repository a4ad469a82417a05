/* tests/unit/test_engine_start.c - where runs start: weights of a parent, of a file, continued runs; with real workers,
 * and train_run() in this process as the oracle.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/recipe.h"
#include "arch/weights.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/engine.h"
#include "engine/initial.h"
#include "engine/internal.h"
#include "mutate/carry.h"
#include "store/store.h"
#include "tests/helper_engine.h"
#include "train/batch.h"
#include "train/train.h"

#define STEM "{\"avgpool2d\": {\"size\": 4}}, \"flatten\""

static const char *const middle = STEM ", {\"dense\": {\"units\": 12}, \"id\": \"a\"}, \"relu\","
				       "{\"dense\": {\"units\": 10}, \"id\": \"head\"}";
static const char *const large = STEM ", {\"dense\": {\"units\": 12}, \"id\": \"a\"}, \"relu\","
				      "{\"dense\": {\"units\": 12}, \"id\": \"b\"}, \"tanh\","
				      "{\"dense\": {\"units\": 10}, \"id\": \"head\"}";

/* ---- looking into a store ------------------------------------------------------------------------------- */

static struct store *opened(const char *path)
{
	struct store *s;
	struct err e = { 0 };

	if (store_open(&s, path, STORE_READ, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	return s;
}

/* All replicates of the candidate that a run belongs to. */
static struct store_item *replicates(struct site *p, const char *path, int64_t run, int *n)
{
	struct store *s = opened(path);
	struct store_query q = { 0 };
	struct store_item *items, one;

	assert_int_equal(store_item_get(s, run, &one, p->a, NULL), 0);
	q.candidate = one.candidate.id;
	assert_int_equal(store_list(s, &q, &items, n, p->a, NULL), 0);
	store_close(s);
	return items;
}

static const char *finding(struct site *p, const char *path, int64_t run, const char *code)
{
	struct store *s = opened(path);
	struct store_finding *f;
	const char *text = NULL;
	int n;

	assert_int_equal(store_findings(s, run, &f, &n, p->a, NULL), 0);
	for (int i = 0; i < n; i++)
		if (strcmp(f[i].code, code) == 0)
			text = f[i].text;
	store_close(s);
	return text;
}

static struct weights *weights_of(struct site *p, const char *path, int64_t run, const struct graph *g)
{
	struct weights *w = weights_new(g, NULL);
	struct store *s = opened(path);
	struct err e = { 0 };
	char *file;

	if (engine_weights_path(&file, s, run, p->a, &e) < 0 || weights_load(w, file, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	store_close(s);
	return w;
}

static struct store_epoch first_epoch(struct site *p, const char *path, int64_t run)
{
	struct store *s = opened(path);
	struct store_epoch *rows;
	int n;

	assert_int_equal(store_epochs(s, run, &rows, &n, p->a, NULL), 0);
	assert_true(n > 0);
	store_close(s);
	return rows[0];
}

/* ---- the oracle: the same run in this process ----------------------------------------------------------- */

static struct weights *started(const struct graph *g, uint64_t seed)
{
	struct weights *w = weights_new(g, NULL);

	weights_init(w, g, seed);
	return w;
}

static void copy_tensor(struct weights *to, const char *name, const struct weights *from)
{
	for (int i = 0; i < to->n; i++)
		for (int k = 0; k < from->n; k++)
			if (strcmp(to->tensors[i].name, name) == 0 && strcmp(from->tensors[k].name, name) == 0)
				memcpy(to->data + to->tensors[i].first, from->data + from->tensors[k].first,
				       (size_t)to->tensors[i].count * sizeof(float));
}

/* Validation loss of the first epoch when g starts from these weights. */
static double loss_from(struct site *p, const struct study *y, const struct graph *g, const struct weights *start,
			uint64_t seed)
{
	struct backend_conf conf = { .threads = 1 };
	const struct backend *b = backend_find(y->backend);
	struct backend_ctx *ctx;
	struct run_result r = { 0 };
	struct recipe recipe;
	struct dataset *d;
	struct err e = { 0 };
	struct run_spec spec = { .graph = g, .recipe = &recipe, .seed = seed, .start = start };
	double loss;

	assert_int_equal(study_recipe(&recipe, y, p->a, &e), 0);
	recipe.epochs = 1;
	recipe.horizon = 2;
	assert_int_equal(dataset_open(&d, &y->spec, &e), 0);
	spec.data = d;
	assert_int_equal(b->open(&ctx, &conf, &e), 0);
	if (train_run(b, ctx, &spec, &r, NULL, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	loss = r.val.loss;
	run_result_release(&r);
	b->close(ctx);
	dataset_close(d);
	return loss;
}

/* ---- parents among the items ---------------------------------------------------------------------------- */

/* Replicate by replicate, child by child; the child of a child too; with one slot and with two. */
static void children_start_where_parents_end(void **state)
{
	struct site *p = *state;
	char *other = arena_printf(p->a, "%s/b.db", p->dir);
	struct graph *g[3] = { layers_of(p, "middle", middle), layers_of(p, "large", large),
			       layers_of(p, "large", large) };
	struct engine_item items[] = { { .graph = g[0] },
				       { .graph = g[1], .made_from = g[0], .start_item = 1 },
				       { .graph = g[2], .label = "grandchild", .start_item = 2 },
				       { .graph = g[1], .label = "scratch" } };
	const struct study *y = study_of(p, "study", "kin", "replicates", "2", NULL);
	struct store_item *runs[4];
	int64_t ids[4];
	int n;

	train_items(p, p->path, y, "vary", items, 4, ids, NULL, NULL);
	for (int i = 0; i < 4; i++) {
		runs[i] = replicates(p, p->path, ids[i], &n);
		assert_int_equal(n, 2);
	}
	assert_int_equal(runs[1][0].candidate.start_run, ids[0]);
	assert_string_equal(runs[1][0].candidate.proposal, "{\"inherit_from\":{\"label\":\"middle\"}}");
	for (int r = 0; r < 2; r++) {
		uint64_t seed = runs[0][r].run.seed;
		struct weights *parent = weights_of(p, p->path, runs[0][r].run.id, g[0]), *start = started(g[1], seed);
		double loss;

		assert_int_equal(seed, 1 + r);
		assert_int_equal(runs[1][r].run.seed, seed);
		loss = loss_from(p, y, g[1], start, seed);
		assert_true(first_epoch(p, p->path, runs[3][r].run.id).val_loss == loss);
		copy_tensor(start, "a.weight", parent);
		copy_tensor(start, "a.bias", parent);
		copy_tensor(start, "head.weight", parent);
		copy_tensor(start, "head.bias", parent);
		loss = loss_from(p, y, g[1], start, seed);
		assert_true(first_epoch(p, p->path, runs[1][r].run.id).val_loss == loss);
		assert_string_equal(finding(p, p->path, runs[1][r].run.id, "inherited"),
				    r ? "starts from middle (seed 2): 4 of 6 tensors"
				      : "starts from middle (seed 1): 4 of 6 tensors");
		weights_free(parent);
		parent = weights_of(p, p->path, runs[1][r].run.id, g[1]);
		loss = loss_from(p, y, g[2], parent, seed);
		assert_true(first_epoch(p, p->path, runs[2][r].run.id).val_loss == loss);
		assert_null(finding(p, p->path, runs[3][r].run.id, "inherited"));
		weights_free(parent);
		weights_free(start);
	}
	y = study_of(p, "study", "kin", "replicates", "2", "devices", two_slots(), NULL);
	train_items(p, other, y, "vary", items, 4, ids, NULL, NULL);
	assert_string_equal(table_of(p, other, "kin"), table_of(p, p->path, "kin"));
}

/* Inherited results are reused for the same inheritance alone; a parent that another study trained is not trained
 * again. */
static void reuse_knows_the_start(void **state)
{
	struct site *p = *state;
	struct graph *g[2] = { layers_of(p, "middle", middle), layers_of(p, "large", large) };
	struct engine_item items[] = { { .graph = g[0] }, { .graph = g[1], .start_item = 1 }, { .graph = g[1] } };
	int64_t first[3], again[3], mixed[3];
	int n;

	train_items(p, p->path, study_of(p, "study", "one", NULL), "train", items, 1, first, NULL, NULL);
	train_items(p, p->path, study_of(p, "study", "two", NULL), "vary", items, 2, again, NULL, NULL);
	assert_int_equal(replicates(p, p->path, again[0], &n)->run.cached_from, first[0]);
	assert_int_equal(replicates(p, p->path, again[1], &n)->run.cached_from, 0);
	assert_non_null(finding(p, p->path, again[1], "inherited")); /* from the numbers of the cached one */
	/* the same model from scratch is another candidate, and another result */
	train_items(p, p->path, study_of(p, "study", "two", NULL), "vary", items, 3, mixed, NULL, NULL);
	assert_true(mixed[0] == again[0] && mixed[1] == again[1] && mixed[2] != again[1]);
	train_items(p, p->path, study_of(p, "study", "three", NULL), "ablate", items, 3, first, NULL, NULL);
	for (int i = 0; i < 3; i++) {
		struct store_item *r = replicates(p, p->path, first[i], &n);

		assert_true(r->run.cached_from != 0);
		assert_int_equal(finding(p, p->path, first[i], "inherited") != NULL, i == 1);
	}
	assert_true(replicates(p, p->path, first[1], &n)->result.val_loss !=
		    replicates(p, p->path, first[2], &n)->result.val_loss);
}

/* Replicate r has the parent's seed, whatever its study's first one was; those that are there are reused. */
static void seeds_go_in_pairs(void **state)
{
	struct site *p = *state;
	struct engine_item items[] = { { .graph = layers_of(p, "middle", middle) },
				       { .graph = layers_of(p, "large", large) } };
	struct store_item *r[3];
	int64_t first, ids[2];
	int n;

	train_items(p, p->path, study_of(p, "study", "base", "seed", "\"40\"", "replicates", "2", NULL), "train", items,
		    1, &first, NULL, NULL);
	train_items(p, p->path, study_of(p, "study", "kin", "seed", "\"40\"", "replicates", "3", NULL), "ablate", items,
		    2, ids, NULL, NULL);
	r[0] = replicates(p, p->path, first, &n);
	r[1] = replicates(p, p->path, ids[0], &n);
	r[2] = replicates(p, p->path, ids[1], &n);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(r[1][i].run.seed, 40 + i);
		assert_int_equal(r[2][i].run.seed, 40 + i);
		assert_int_equal(r[1][i].run.cached_from, i < 2 ? r[0][i].run.id : 0);
		assert_int_equal(r[2][i].run.cached_from, 0);
	}
}

/* Where parent and child share layers they start with the same numbers, and they see the same batches. */
static void pairs_start_and_learn_alike(void **state)
{
	struct site *p = *state;
	struct graph *g[2] = { layers_of(p, "large", large), layers_of(p, "middle", middle) };
	struct engine_item items[] = { { .graph = g[0] }, { .graph = g[1], .made_from = g[0] } };
	const struct study *y = study_of(p, "study", "kin", NULL);
	struct store_item *r[2];
	struct weights *w[2];
	struct batcher *b[2];
	struct dataset *d;
	struct recipe recipe;
	uint32_t order[2][20];
	int64_t ids[2];
	int n, shared = 0;

	train_items(p, p->path, y, "ablate", items, 2, ids, NULL, NULL);
	assert_int_equal(study_recipe(&recipe, y, p->a, NULL), 0);
	assert_int_equal(dataset_open(&d, &y->spec, NULL), 0);
	for (int i = 0; i < 2; i++) {
		r[i] = replicates(p, p->path, ids[i], &n);
		w[i] = started(g[i], r[i]->run.seed); /* what the worker does: the loss says so */
		assert_true(first_epoch(p, p->path, ids[i]).val_loss == loss_from(p, y, g[i], w[i], r[i]->run.seed));
		assert_int_equal(batcher_new(&b[i], d, &recipe, &g[i]->inputs[0].shape, d->split[SPLIT_TRAIN],
					     d->n_split[SPLIT_TRAIN], r[i]->run.seed, NULL),
				 0);
	}
	for (int i = 0; i < w[1]->n; i++) {
		const struct tensor *t = &w[1]->tensors[i];

		for (int k = 0; k < w[0]->n; k++) {
			if (strcmp(w[0]->tensors[k].name, t->name) != 0)
				continue;
			assert_memory_equal(w[0]->data + w[0]->tensors[k].first, w[1]->data + t->first,
					    (size_t)t->count * sizeof(float));
			shared++;
		}
	}
	assert_int_equal(shared, 4);
	for (int64_t step = 0; step < 2 * batcher_steps_per_epoch(b[0]); step++) {
		batcher_order(b[0], step, order[0]);
		batcher_order(b[1], step, order[1]);
		assert_memory_equal(order[0], order[1], sizeof order[0]);
	}
	for (int i = 0; i < 2; i++) {
		weights_free(w[i]);
		batcher_free(b[i]);
	}
	dataset_close(d);
}

/* A parent that fails takes its children with it, however many generations; --retry tries all of them again. */
static void orphans_are_infeasible(void **state)
{
	struct site *p = *state;
	struct graph *g[2] = { layers_of(p, "middle", middle), layers_of(p, "large", large) };
	struct json *hot = json_object();
	struct engine_item items[] = { { .graph = g[0] },
				       { .graph = g[1], .start_item = 1 },
				       { .graph = g[1], .label = "grandchild", .start_item = 2 } };
	struct engine_conf c = { .program = engine_program, .store = p->path, .retry_failed = true };
	const struct study *y = study_of(p, "study", "kin", NULL);
	struct engine_outcome out;
	struct store_item *r;
	struct err e = { 0 };
	int64_t ids[3];
	int n;

	/* every step multiplies the weights by about -99 */
	json_put(hot, "epochs", json_num(40));
	assert_int_equal(json_set_path(hot, "optimizer", "{\"sgd\": {\"lr\": 100, \"weight_decay\": 1}}", NULL), 0);
	items[0].recipe = hot;
	train_items(p, p->path, y, "vary", items, 3, ids, &out, NULL);
	assert_int_equal(out.other, 3);
	r = replicates(p, p->path, ids[0], &n);
	assert_int_equal(r->run.state, STATE_DIVERGED);
	r = replicates(p, p->path, ids[1], &n);
	assert_int_equal(r->run.state, STATE_INFEASIBLE);
	assert_string_equal(r->result.reason, "its parent, middle (seed 1), ended diverged");
	assert_int_equal(r->attempts, 0);
	r = replicates(p, p->path, ids[2], &n);
	assert_string_equal(r->result.reason, "its parent, large (seed 1), ended infeasible");
	assert_int_equal(engine_train(y, "vary", items, 3, ids, &c, &out, &e),
			 0); /* diverged is no accident: as it was */
	assert_int_equal(out.other, 3);
	json_free(hot);
}

/* With the edits that made it a child starts as mutate_carry() says; they are part of what its runs are known by. */
static void carried_by_edits(void **state)
{
	struct site *p = *state;
	struct graph *g = layers_of(p, "middle", middle), *wide;
	struct mutate_env env = { 0 };
	struct carry_result r;
	struct mutate_log log;
	struct weights *parent, *start;
	struct diag d = { 0 };
	struct json *edits;
	struct json_in in;
	struct engine_item items[] = { { .graph = g }, { .start_item = 1 }, { .start_item = 1, .label = "by-name" } };
	const struct study *y = study_of(p, "study", "kin", NULL);
	const char *text = "[{\"widen\": \"a\", \"to\": 20}]";
	struct err e = { 0 };
	int64_t ids[3];

	assert_int_equal(json_parse(&edits, text, strlen(text), "edits", NULL), 0);
	in = (struct json_in){ edits, &d, NULL };
	assert_int_equal(mutate_apply(&wide, g, edits, &env, &log, p->a, &in), 1);
	items[1].graph = items[2].graph = wide;
	items[1].made_from = g;
	items[1].edits = log.edits;
	train_items(p, p->path, y, "vary", items, 3, ids, NULL, NULL);
	assert_true(ids[1] != ids[2]);
	parent = weights_of(p, p->path, ids[0], g);
	assert_int_equal(mutate_carry(&start, wide, g, parent, log.edits, &env, 1, INITIAL_NOISE, &r, p->a, &e), 0);
	assert_true(first_epoch(p, p->path, ids[1]).val_loss == loss_from(p, y, wide, start, 1));
	assert_true(first_epoch(p, p->path, ids[2]).val_loss != first_epoch(p, p->path, ids[1]).val_loss);
	assert_non_null(
	    strstr(finding(p, p->path, ids[1], "inherited"), "starts from middle (seed 1): 4 of 4 tensors"));
	weights_free(parent);
	weights_free(start);
	json_free(edits);
	diag_release(&d);
}

/* ---- a stored run as parent ----------------------------------------------------------------------------- */

static void stored_parents(void **state)
{
	struct site *p = *state;
	struct graph *g[2] = { layers_of(p, "middle", middle), layers_of(p, "large", large) };
	struct engine_item parent = { .graph = g[0] }, child = { .graph = g[1] };
	struct err e = { 0 };
	struct store *s;
	struct store_item *r;
	char *file;
	int64_t id, made;
	int n;

	train_items(p, p->path, study_of(p, "study", "one", NULL), "train", &parent, 1, &id, NULL, NULL);
	child.start_run = id;
	train_items(p, p->path, study_of(p, "study", "two", "replicates", "2", "seed", "\"7\"", NULL), "vary", &child,
		    1, &made, NULL, NULL);
	r = replicates(p, p->path, made, &n);
	assert_int_equal(n, 2);
	assert_string_equal(r->candidate.proposal,
			    "{\"inherit_from\":{\"label\":\"middle\",\"study\":\"one\",\"replicate\":0}}");
	for (int i = 0; i < 2; i++) { /* both from the one run */
		assert_int_equal(r[i].run.seed, 7 + i);
		assert_string_equal(finding(p, p->path, r[i].run.id, "inherited"),
				    "starts from middle (seed 1): 4 of 6 tensors");
	}
	s = opened(p->path);
	assert_int_equal(engine_weights_path(&file, s, id, p->a, &e), 0);
	store_close(s);
	assert_int_equal(unlink(file), 0);
	/* what is there already needs no weights; what is new does */
	train_items(p, p->path, study_of(p, "study", "two", "replicates", "2", "seed", "\"7\"", NULL), "vary", &child,
		    1, &id, NULL, NULL);
	assert_int_equal(id, made);
	assert_int_equal(train_items(p, p->path, study_of(p, "study", "four", "seed", "\"9\"", NULL), "vary", &child, 1,
				     &id, NULL, &e),
			 ERR_RUNTIME);
	assert_non_null(strstr(e.msg, "were not kept"));
	child.start_run = 4000;
	assert_int_equal(train_items(p, p->path, study_of(p, "study", "five", NULL), "vary", &child, 1, &id, NULL, &e),
			 ERR_USAGE);
}

/* Weights that a waiting child needs outlive every limit; those that nobody needs do not. */
static void retention_knows_children(void **state)
{
	struct site *p = *state;
	struct engine_item items[8] = { { .graph = layers_of(p, "middle", middle) } };
	struct engine_outcome out;
	struct store_summary sum;
	struct store *s;
	int64_t ids[8];

	for (int i = 1; i < 8; i++) /* the last one is the second child of the first */
		items[i] = (struct engine_item){ .graph = layers_of(p, "large", large),
						 .start_item = i < 7 ? i : 1,
						 .label = arena_printf(p->a, "child-%d", i) };
	items[7].graph = layers_of(p, "small", STEM ", {\"dense\": {\"units\": 10}, \"id\": \"head\"}");
	train_items(p, p->path, study_of(p, "study", "kin", "limits.max_disk", "1", NULL), "vary", items, 8, ids, &out,
		    NULL);
	assert_int_equal(out.done, 8);
	s = opened(p->path);
	assert_int_equal(store_summarize(s, 0, &sum, NULL), 0);
	assert_in_range(sum.file_bytes, 1, 20000); /* one of them is kept: the best */
	store_close(s);
}

/* ---- weights of a file ---------------------------------------------------------------------------------- */

static struct weights *made_file(const char *path, const struct graph *g, uint64_t seed)
{
	struct weights *w = started(g, seed);
	struct err e = { 0 };

	if (weights_save(w, path, NULL, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	return w;
}

static void pretrained_weights(void **state)
{
	struct site *p = *state;
	char *path = arena_printf(p->a, "%s/seven.safetensors", p->dir);
	char *whole = arena_printf(p->a, "%s/ten.safetensors", p->dir);
	struct graph *g = layers_of(p, "middle", middle);
	struct graph *seven =
	    model_of(p, arena_printf(p->a, "{\"input\": [1, 28, 28], \"classes\": 7, \"layers\": [" STEM
					   ", {\"dense\": {\"units\": 12}, \"id\": \"a\"}, \"relu\","
					   "{\"dense\": {\"units\": 7}, \"id\": \"head\"}]}"));
	struct engine_item items[] = { { .graph = g, .weights = path },
				       { .graph = g, .weights = whole },
				       { .graph = g } };
	const struct study *y = study_of(p, "study", "files", NULL);
	struct weights *from = made_file(path, seven, 99), *start = started(g, 1), *ten = made_file(whole, g, 77);
	int64_t ids[3], again[3];
	struct err e = { 0 };

	train_items(p, p->path, y, "train", items, 3, ids, NULL, NULL);
	assert_string_equal(
	    finding(p, p->path, ids[0], "pretrained"),
	    "starts from seven.safetensors: 2 of 4 tensors; a new head: head has 7 classes in the file, 10 here");
	assert_string_equal(finding(p, p->path, ids[1], "pretrained"), "starts from ten.safetensors: 4 of 4 tensors");
	assert_true(first_epoch(p, p->path, ids[2]).val_loss == loss_from(p, y, g, start, 1));
	copy_tensor(start, "a.weight", from);
	copy_tensor(start, "a.bias", from);
	assert_true(first_epoch(p, p->path, ids[0]).val_loss == loss_from(p, y, g, start, 1));
	assert_true(first_epoch(p, p->path, ids[1]).val_loss == loss_from(p, y, g, ten, 1));
	/* the same numbers by another name are the same; other numbers by the same name are not */
	assert_int_equal(rename(whole, arena_printf(p->a, "%s/x", p->dir)), 0);
	items[1].weights = arena_printf(p->a, "%s/x", p->dir);
	weights_free(made_file(path, seven, 98));
	train_items(p, p->path, y, "train", items, 3, again, NULL, NULL);
	assert_true(again[0] != ids[0] && again[1] == ids[1] && again[2] == ids[2]);
	items[0].weights = whole;
	assert_int_equal(train_items(p, p->path, y, "train", items, 1, again, NULL, &e), ERR_INVALID);
	assert_non_null(strstr(e.msg, "No such file"));
	weights_free(from);
	weights_free(start);
	weights_free(ten);
}

/* ---- interrupted, handed over --------------------------------------------------------------------------- */

static void interrupt(void *arg, const struct engine_event *v)
{
	int *left = arg;

	if (v->kind == ENGINE_RESULT && --*left == 0)
		raise(SIGINT);
}

static void interrupted_families(void **state)
{
	struct site *p = *state;
	char *cut = arena_printf(p->a, "%s/cut.db", p->dir);
	struct graph *g[2] = { layers_of(p, "middle", middle), layers_of(p, "large", large) };
	struct engine_item items[] = { { .graph = g[0] },
				       { .graph = g[1], .start_item = 1 },
				       { .graph = g[1], .label = "grandchild", .start_item = 2 } };
	const struct study *y = study_of(p, "study", "kin", "replicates", "2", NULL);
	struct engine_outcome out;
	int64_t ids[3];

	train_items(p, p->path, y, "vary", items, 3, ids, NULL, NULL);
	for (int after = 1; after < 6; after += 2) {
		int left = after;
		struct engine_conf c = { .program = engine_program, .store = cut, .on_event = interrupt, .arg = &left };
		struct err e = { 0 };

		assert_int_equal(engine_train(y, "vary", items, 3, ids, &c, &out, &e), -1);
		assert_int_equal(e.code, ERR_INTERRUPTED);
		train_items(p, cut, y, "vary", items, 3, ids, NULL, NULL);
		assert_string_equal(table_of(p, cut, "kin"), table_of(p, p->path, "kin"));
		assert_int_equal(unlink(cut), 0);
		assert_int_equal(system(arena_printf(p->a, "rm -rf '%s'*", cut)), 0);
	}
}

/* ---- a strategy that inherits and continues ------------------------------------------------------------- */

/* Candidate 0 from scratch for one epoch, 1 continues it, 2 inherits from 1, 3 inherits from 2, 4 continues 3. */
struct script {
	struct site *place;
};

static const struct {
	int from, epochs;
	bool continues, large;
} plot[] = { { -1, 1, false, false },
	     { 0, 2, true, false },
	     { 1, 1, false, true },
	     { 2, 1, false, false },
	     { 3, 2, true, false } };

static struct site *script_place;

static int script_create(void **self, const struct search_cfg *cfg, const struct search_ctx *ctx,
			 struct space_stats *stats, struct arena *a, struct err *e)
{
	(void)cfg;
	(void)ctx;
	(void)stats;
	(void)e;
	*self = ARENA_NEW(a, struct script);
	((struct script *)*self)->place = script_place;
	return 0;
}

static int script_ask(void *self, int k, int retry, struct proposal *out, struct arena *a, struct err *e)
{
	struct script *s = self;

	(void)e;
	if (retry || k >= (int)(sizeof plot / sizeof *plot))
		return 0;
	out->graph = layers_of(s->place, "net", plot[k].large ? large : middle);
	out->recipe = json_object();
	arena_defer(a, (void (*)(void *))json_free, out->recipe);
	json_set_path(out->recipe, "batch", "20", NULL);
	json_set_path(out->recipe, "epochs", "2", NULL);
	out->fidelity.epochs = plot[k].epochs;
	if (plot[k].continues)
		out->continue_from = plot[k].from;
	else
		out->inherit_from = plot[k].from;
	return 1;
}

static void script_tell(void *self, const struct search_result *r)
{
	(void)self;
	(void)r;
}

static const struct opt script_opts[] = { OPT_END };
static const struct strategy script = { .name = "script",
					.help = "a plot",
					.opts = script_opts,
					.lag = 1,
					.create = script_create,
					.ask = script_ask,
					.tell = script_tell };

/* engine_search() with that strategy; stops after `most` results (0: at its end). */
static void play(struct site *p, const char *store, int most, bool no_checkpoints)
{
	const struct study *y = study_of(p, "search.candidates", "5", "replicates", "2", NULL);
	struct engine_conf c = { .program = engine_program, .store = store, .on_event = interrupt, .arg = &most };
	struct err e = { 0 };
	struct engine g;
	struct work *w;

	script_place = p;
	assert_int_equal(engine_open(&g, y, &c, &e), 0);
	assert_int_equal(work_open(&w, &g, y, "search", &e), 0);
	g.works = mem_new(sizeof *g.works);
	g.works[g.n_works++] = w;
	w->study.search_cfg.strategy = &script;
	w->learns = true;
	if (no_checkpoints)
		assert_int_equal(system(arena_printf(p->a, "rm -f '%s'.files/*.ckpt", store)), 0);
	if (work_start_search(&g, w, &e) < 0 || engine_run(&g, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	engine_close(&g);
}

static void strategies_that_inherit(void **state)
{
	struct site *p = *state;
	struct store_query q = { 0 };
	struct store_epoch *parent, *child;
	struct store_item *items;
	struct store *s;
	int n, m;

	play(p, p->path, 0, false);
	s = opened(p->path);
	assert_int_equal(store_list(s, &q, &items, &n, p->a, NULL), 0);
	assert_int_equal(n, 10);
	for (int i = 0; i < n; i++) {
		const struct store_item *r = &items[i];
		int k = (int)r->candidate.number;

		assert_int_equal(r->run.state, STATE_DONE);
		assert_int_equal(r->result.epochs, plot[k].epochs);
		if (plot[k].from < 0)
			continue;
		assert_int_equal(r->candidate.start_run, items[2 * plot[k].from].run.id);
		assert_int_equal(r->candidate.resumes, plot[k].continues);
		assert_int_equal(
		    store_epochs(s, items[2 * plot[k].from + r->run.replicate].run.id, &parent, &m, p->a, NULL), 0);
		assert_int_equal(store_epochs(s, r->run.id, &child, &m, p->a, NULL), 0);
		/* continued: the parent's epoch, and another one; inherited: an epoch of its own */
		assert_int_equal(parent[0].val_loss == child[0].val_loss, plot[k].continues);
		/* the last one continues a run that inherited: it says so, checkpoint or not */
		assert_int_equal(finding(p, p->path, r->run.id, "inherited") != NULL, k >= 2);
	}
	store_close(s);
	for (int cut = 1; cut < 10; cut += 3) { /* interrupted, and without the checkpoints of the continued runs */
		char *other = arena_printf(p->a, "%s/cut%d.db", p->dir, cut);

		play(p, other, cut, false);
		play(p, other, 0, cut > 1);
		assert_string_equal(table_of(p, other, "tiny"), table_of(p, p->path, "tiny"));
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, site_setup, site_teardown)

int main(int argc, char **argv)
{
	int status = engine_test_main(argc, argv);
	const struct CMUnitTest tests[] = {
		TEST(children_start_where_parents_end),
		TEST(reuse_knows_the_start),
		TEST(seeds_go_in_pairs),
		TEST(pairs_start_and_learn_alike),
		TEST(carried_by_edits),
		TEST(orphans_are_infeasible),
		TEST(stored_parents),
		TEST(retention_knows_children),
		TEST(pretrained_weights),
		TEST(interrupted_families),
		TEST(strategies_that_inherit),
	};

	return status >= 0 ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
