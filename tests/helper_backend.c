/* tests/helper_backend.c - see helper_backend.h. */
#include "tests/helper_backend.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/model.h"
#include "base/mem.h"
#include "base/rng.h"
#include "space/space.h"

void open_side(struct trial *t, struct side *s, const struct backend *b, int threads)
{
	struct backend_conf conf = { .threads = threads, .tune = t->tune };
	struct net_spec spec = { .graph = t->g,
				 .recipe = b == &backend_ref ? &t->r : &t->own_r,
				 .data = t->data,
				 .train = t->train,
				 .n_train = TRAIN,
				 .seed = 5 };
	struct err e = { 0 };

	t->own_r = t->r;
	t->own_r.precision = t->precision;
	s->b = b;
	assert_int_equal(b->open(&s->ctx, &conf, &e), 0);
	if (b->net_create(&s->net, s->ctx, &spec, &e) < 0)
		fail_msg("%s: %s: %s", b->name, e.where, e.msg);
	s->w = weights_new(t->g, &e);
	weights_init(s->w, t->g, 11);
	assert_int_equal(b->set_weights(s->net, s->w, &e), 0);
}

void close_side(struct side *s)
{
	if (!s->b)
		return;
	weights_free(s->w);
	s->b->net_free(s->net);
	s->b->close(s->ctx);
}

static struct dataset *some_data(struct arena *a, struct shape shape, uint64_t seed)
{
	struct blobs blobs = {
		.shape = shape, .classes = CLASSES, .n = { 16, 10, 0 }, .noise = 1, .open = shape.open, .seed = seed
	};

	return blobs_new(&blobs, a);
}

void trial_init(struct trial *t, const struct backend *b, struct shape shape, uint64_t seed)
{
	memset(t, 0, sizeof *t);
	t->backend = b;
	t->a = arena_new();
	t->loose = 1;
	t->data = some_data(t->a, shape, seed);
	for (int i = 0; i < TRAIN; i++)
		t->train[i] = t->data->split[SPLIT_TRAIN][15 - i];
	recipe_defaults(&t->r);
	t->r.batch = BATCH;
	t->r.n_augment = 0;
	t->r.optimizer.kind = OPTIMIZER_SGD; /* Adam would blow up the rounding of gradients that are zero */
	t->r.optimizer.lr = 0.02;
	t->r.optimizer.momentum = 0.9;
}

void trial_open(struct trial *t, int threads)
{
	open_side(t, &t->ref, &backend_ref, 1);
	open_side(t, &t->own, t->backend, threads);
}

void trial_free(struct trial *t)
{
	close_side(&t->ref);
	close_side(&t->own);
	arena_free(t->a);
}

/* Relative distance of x from y, with a floor for tensors that are (nearly) zero. */
double distance(const float *x, const float *y, int64_t n, double floor)
{
	double diff = 0, size = 0;

	for (int64_t i = 0; i < n; i++) {
		diff += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
		size += (double)y[i] * (double)y[i];
	}
	return sqrt(diff) / (sqrt(size) + floor * sqrt((double)n) + 1e-30);
}

static double root_mean_square(const struct weights *w)
{
	double sum = 0;

	for (int64_t i = 0; i < w->total; i++)
		sum += (double)w->data[i] * (double)w->data[i];
	return sqrt(sum / (double)(w->total ? w->total : 1));
}

/* A tensor's gradient is compared relative to itself or, if it is tiny (zero but for rounding), to the net's. */
static void assert_same(const struct weights *got, const struct weights *want, const char *what, double tolerance)
{
	double floor = 0.1 * root_mean_square(want);

	for (int i = 0; i < want->n; i++) {
		const struct tensor *t = want->tensors + i;
		double d = distance(got->data + t->first, want->data + t->first, t->count, floor);

		if (!(d <= tolerance))
			fail_msg("%s: %s differs by %.2e", what, t->name, d);
	}
}

void compare_gradients(struct trial *t, const char *what)
{
	const uint32_t *index = t->data->split[SPLIT_TRAIN];
	double loss[2] = { 0 };
	struct err e = { 0 };

	assert_int_equal(t->ref.b->gradients(t->ref.net, index, BATCH, t->ref.w, &loss[0], &e), 0);
	if (t->own.b->gradients(t->own.net, index, BATCH, t->own.w, &loss[1], &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	if (!(fabs(loss[0] - loss[1]) <= t->loose * 1e-4 * (1 + fabs(loss[0]))))
		fail_msg("%s: loss %g instead of %g", what, loss[1], loss[0]);
	assert_same(t->own.w, t->ref.w, what, t->loose * 1e-4);
}

/* Two steps with dropout, then logits of the other split (which does not fill its last batch). */
void compare_training(struct trial *t, const char *what)
{
	float out[2][10 * CLASSES] = { 0 };
	struct step_stats stats[2] = { 0 };
	struct side *side[2] = { &t->ref, &t->own };
	struct err e = { 0 };

	for (int k = 0; k < 2; k++) {
		assert_int_equal(side[k]->b->train_steps(side[k]->net, 0, 2, &stats[k], &e), 0);
		assert_int_equal(side[k]->b->get_weights(side[k]->net, side[k]->w, &e), 0);
		assert_int_equal(side[k]->b->evaluate(side[k]->net, t->data->split[SPLIT_VALIDATION], 10, out[k], &e),
				 0);
	}
	assert_false(stats[1].diverged);
	assert_int_equal(stats[0].examples, stats[1].examples);
	if (!(fabs(stats[0].loss - stats[1].loss) <= t->loose * 1e-3 * (1 + fabs(stats[0].loss))))
		fail_msg("%s: training loss %g instead of %g", what, stats[1].loss, stats[0].loss);
	if (!(distance(out[1], out[0], 10 * CLASSES, 1e-2) <= t->loose * 2e-3))
		fail_msg("%s: logits differ by %.2e", what, distance(out[1], out[0], 10 * CLASSES, 1e-2));
}

/* ---- every kind ----------------------------------------------------------------------------------------- */

/* A layer with weights before the tested one, so that the gradient of its input shows. Tokens come as they are. */
static struct edge add_before(struct graph *g, const struct shape *s)
{
	union {
		struct conv2d image;
		struct conv1d line;
		struct dense vector;
	} cfg;
	struct edge in = { -1, 0 };
	enum layer_kind kind = s->type == TENSOR_IMAGE      ? LAYER_conv2d
			       : s->type == TENSOR_SEQUENCE ? LAYER_conv1d
							    : LAYER_dense;

	if (s->type == TENSOR_TOKENS)
		return in;
	memset(&cfg, 0, sizeof cfg);
	opt_defaults(&cfg, layer_classes[kind]->opts);
	if (kind == LAYER_conv2d) {
		cfg.image.filters = s->d[0];
		cfg.image.kernel = (struct opt_pair){ { 1, 1 } };
	} else if (kind == LAYER_conv1d) {
		cfg.line.filters = s->d[0];
		cfg.line.kernel = 1;
	} else {
		cfg.vector.units = s->d[0];
	}
	return (struct edge){ graph_add(g, kind, &cfg, &in, 1, NULL, NULL), 0 };
}

static void add_head(struct graph *g)
{
	struct dense dense;
	struct empty none = { 0 };
	struct edge last = graph_last(g);
	struct err e = { 0 };

	if (graph_shape(g, last)->type != TENSOR_VECTOR) {
		graph_add(g, graph_shape(g, last)->open ? LAYER_globalavgpool : LAYER_flatten, &none, &last, 1, NULL,
			  &e);
		last = graph_last(g);
	}
	memset(&dense, 0, sizeof dense);
	opt_defaults(&dense, layer_classes[LAYER_dense]->opts);
	dense.units = CLASSES;
	dense.init = INIT_TORCH;
	graph_add(g, LAYER_dense, &dense, &last, 1, NULL, &e);
	graph_output(g, "out", TASK_CLASSIFY, CLASSES, graph_last(g), &e);
	if (graph_finish(g, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
}

/* Inputs of several shapes (concat) come from one input by layers of several widths. */
static struct graph *graph_around(struct arena *a, const struct layer_case *c)
{
	struct graph *g = graph_new(a);
	struct edge in[LAYER_INPUTS];
	struct err e = { 0 };

	graph_input(g, "in", c->in_shape, &e);
	for (int k = 0; k < c->n_in; k++)
		in[k] = add_before(g, c->in_shape + k);
	if (c->kind == LAYER_embedding)
		((struct embedding *)c->cfg)->vocabulary = 8; /* the data's */
	if (graph_add(g, c->kind, c->cfg, in, c->n_in, "tested", &e) < 0)
		fail_msg("%s", e.msg);
	add_head(g);
	return g;
}

void try_kind_at(const struct backend *b, enum layer_kind kind, bool (*takes)(const struct layer_case *c),
		 struct rng *r, int round, enum precision precision, double loose)
{
	struct layer_case c;
	struct trial t;
	char what[80];

	do {
		case_new(&c, kind, r);
		if (takes(&c))
			break;
		case_free(&c);
	} while (true);
	snprintf(what, sizeof what, "%s, case %d", layer_classes[kind]->name, round);
	trial_init(&t, b, c.in_shape[0], (uint64_t)round);
	t.precision = precision;
	t.loose = loose;
	t.g = graph_around(t.a, &c);
	trial_open(&t, round % 6 == 5 ? 2 : 1);
	compare_gradients(&t, what);
	compare_training(&t, what);
	trial_free(&t);
	case_free(&c);
}

void try_kind(const struct backend *b, enum layer_kind kind, bool (*takes)(const struct layer_case *c), struct rng *r,
	      int round)
{
	try_kind_at(b, kind, takes, r, round, PRECISION_FP32, 1);
}

/* ---- whole networks ------------------------------------------------------------------------------------- */

enum { ENDS_MAX = 40 };

/* A random layer on a random end, or a merge of ends of one shape; the shape rules refuse what does not fit. */
static void grow(struct graph *g, struct rng *r, struct edge *ends, int *n)
{
	static const enum layer_kind kinds[] = { LAYER_conv2d,    LAYER_conv2d,    LAYER_conv2d,    LAYER_depthwise2d,
						 LAYER_maxpool2d, LAYER_avgpool2d, LAYER_batchnorm, LAYER_layernorm,
						 LAYER_relu,      LAYER_relu,      LAYER_silu,      LAYER_tanh,
						 LAYER_gelu,      LAYER_dropout,   LAYER_identity,  LAYER_zero,
						 LAYER_add,       LAYER_multiply,  LAYER_concat,    LAYER_softmax,
						 LAYER_sigmoid,   LAYER_elu,       LAYER_hard_swish };
	enum layer_kind kind = kinds[rng_below(r, sizeof kinds / sizeof *kinds)];
	const struct layer_class *class = layer_classes[kind];
	struct edge in[LAYER_INPUTS];
	int n_in = 1 + (class->max_in > 1 ? (int)rng_below(r, 3) : 0), node;
	void *cfg = mem_new(class->cfg_size);

	for (const struct opt *o = class->opts; o->name; o++)
		random_option(cfg, o, r);
	if (kind == LAYER_conv2d)
		((struct conv2d *)cfg)->filters = 1 + (int)rng_below(r, 40);
	for (int k = 0; k < n_in; k++)
		in[k] = ends[rng_below(r, (uint32_t)*n)];
	node = n_in < class->min_in ? -1 : graph_add(g, kind, cfg, in, n_in, NULL, NULL);
	if (node >= 0)
		ends[(*n)++] = (struct edge){ node, 0 };
	mem_free(cfg);
}

struct graph *random_net(struct arena *a, struct rng *r, struct shape shape)
{
	struct graph *g = graph_new(a);
	struct edge ends[ENDS_MAX] = { { -1, 0 } }, last[3];
	struct empty none = { 0 };
	int n = 1;

	graph_input(g, "in", &shape, NULL);
	for (int tries = 0; n < 14 && tries < 200; tries++)
		grow(g, r, ends, &n);
	for (int k = 0; k < 3; k++) {
		struct edge from = ends[n - 1 - (k < n ? k : 0)];
		bool flat = graph_shape(g, from)->type == TENSOR_VECTOR;

		last[k] = flat ? from : (struct edge){ graph_add(g, LAYER_flatten, &none, &from, 1, NULL, NULL), 0 };
	}
	graph_add(g, LAYER_concat, &none, last, 3, NULL, NULL);
	add_head(g);
	return g;
}

void try_random_nets(const struct backend *b, int n)
{
	struct rng r;

	rng_init(&r, test_seed(), 2);
	for (int i = 0; i < n; i++) {
		struct shape shape =
		    shape_image(1 + (int)rng_below(&r, 4), 3 + (int)rng_below(&r, 8), 3 + (int)rng_below(&r, 8));
		struct trial t;
		char what[40];

		snprintf(what, sizeof what, "random net %d", i);
		trial_init(&t, b, shape, (uint64_t)i);
		t.g = random_net(t.a, &r, shape);
		t.tune = i % 6 == 4;
		trial_open(&t, i % 6 == 5 ? 2 : 1);
		compare_gradients(&t, what);
		compare_training(&t, what);
		trial_free(&t);
	}
}

/* ---- networks of the shipped spaces --------------------------------------------------------------------- */

/* Deep networks flip a relu now and then where both sides round differently, which moves some gradients by more than
 * rounding: nearly all tensors agree closely, and none is off by much. */
static void compare_deep(struct trial *t, const char *what)
{
	const uint32_t *index = t->data->split[SPLIT_TRAIN], *others = t->data->split[SPLIT_VALIDATION];
	float out[2][10 * CLASSES];
	double loss[2] = { 0 }, floor;
	struct err e = { 0 };
	int close = 0;

	assert_int_equal(t->ref.b->evaluate(t->ref.net, others, 10, out[0], &e), 0);
	assert_int_equal(t->own.b->evaluate(t->own.net, others, 10, out[1], &e), 0);
	if (!(distance(out[1], out[0], 10 * CLASSES, 1e-2) <= 1e-4))
		fail_msg("%s: logits differ by %.2e", what, distance(out[1], out[0], 10 * CLASSES, 1e-2));
	assert_int_equal(t->ref.b->gradients(t->ref.net, index, BATCH, t->ref.w, &loss[0], &e), 0);
	assert_int_equal(t->own.b->gradients(t->own.net, index, BATCH, t->own.w, &loss[1], &e), 0);
	assert_true(fabs(loss[0] - loss[1]) <= 1e-4 * (1 + fabs(loss[0])));
	floor = 0.1 * root_mean_square(t->ref.w);
	for (int i = 0; i < t->ref.w->n; i++) {
		const struct tensor *x = t->ref.w->tensors + i;
		double d = distance(t->own.w->data + x->first, t->ref.w->data + x->first, x->count, floor);

		close += d <= 1e-3;
		if (!(d <= 0.1))
			fail_msg("%s: the gradient of %s differs by %.2e", what, x->name, d);
	}
	if (10 * close < 9 * t->ref.w->n)
		fail_msg("%s: only %d of %d gradients agree", what, close, t->ref.w->n);
}

void try_spaces(const struct backend *b)
{
	static const struct {
		const char *path;
		int channels, side, n;
	} shipped[] = {
		{ "configs/spaces/remap.json", 1, 16, 8 },
		{ "configs/spaces/blocks-100k.json", 1, 16, 8 },
		{ "configs/spaces/mlp.json", 1, 12, 8 },
		{ "configs/spaces/nas-bench-201.json", 3, 8, 3 },
	};
	static const char *const dirs[] = { "configs/blocks" };
	struct block_path lib = { dirs, 1 };

	for (size_t k = 0; k < sizeof shipped / sizeof *shipped; k++) {
		struct space_target target = { shape_image(shipped[k].channels, shipped[k].side, shipped[k].side),
					       TASK_CLASSIFY, CLASSES };
		struct arena *a = arena_new();
		struct diag d = { 0 };
		struct err e = { 0 };
		struct space *s;

		assert_int_equal(space_load(&s, shipped[k].path, &lib, a, &d, &e), 0);
		for (int i = 0; i < shipped[k].n; i++) {
			struct trial t;
			struct rng r;
			char what[80];

			snprintf(what, sizeof what, "%s, draw %d", shipped[k].path, i);
			rng_init(&r, test_seed(), (uint64_t)i);
			trial_init(&t, b, target.input, (uint64_t)i);
			assert_int_equal(space_sample(&t.g, s, &target, &r, t.a, NULL, &e), 0);
			trial_open(&t, 1);
			compare_deep(&t, what);
			trial_free(&t);
		}
		diag_release(&d);
		arena_free(a);
	}
}

/* ---- one network in many situations --------------------------------------------------------------------- */

static const char *const small_net =
    "{'input': [3, 8, 8], 'classes': 3, 'layers': ["
    "{'conv2d': {'filters': 17, 'kernel': 3, 'padding': 'same'}}, 'batchnorm', 'relu', 'maxpool2d',"
    "{'dropout': {'rate': 0.3}}, {'conv2d': {'filters': 32, 'kernel': 3, 'padding': 'same'}}, 'relu',"
    "{'dropout': {'rate': 0.1}}, 'flatten', {'dense': {'units': 20}}, 'relu', {'dropout': {'rate': 0.5}},"
    "{'dense': {'units': 3}}]}";

void small_trial(struct trial *t, const struct backend *b)
{
	trial_init(t, b, shape_image(3, 8, 8), 3);
	t->g = graph_of(t->a, small_net);
	t->r.n_augment = 1;
	t->r.augment[0] = (struct augment){ .kind = AUGMENT_CROP, .pad = 1 };
	t->r.optimizer = (struct optimizer){
		.kind = OPTIMIZER_ADAMW, .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.01
	};
}

void side_steps(struct side *s, int64_t first, int64_t n)
{
	struct step_stats stats = { 0 };
	struct err e = { 0 };

	if (s->b->train_steps(s->net, first, n, &stats, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	assert_int_equal(stats.examples, n * BATCH);
	assert_true(stats.loss > 0 && stats.grad_norm > 0);
}

void *side_state(struct side *s, size_t *bytes)
{
	struct err e = { 0 };
	void *state;

	*bytes = s->b->state_bytes(s->net);
	state = mem_new(*bytes);
	assert_int_equal(s->b->save_state(s->net, state, &e), 0);
	return state;
}

void try_repeats_and_resumes(const struct backend *b, int threads)
{
	struct side first = { 0 }, again = { 0 }, later = { 0 };
	struct trial t;
	struct err e = { 0 };
	size_t bytes, other;
	void *whole, *same, *half, *end;

	small_trial(&t, b);
	open_side(&t, &first, b, threads);
	open_side(&t, &again, b, threads);
	open_side(&t, &later, b, threads);
	side_steps(&first, 0, 6);
	whole = side_state(&first, &bytes);
	side_steps(&again, 0, 6);
	same = side_state(&again, &other);
	assert_int_equal(bytes, other);
	assert_memory_equal(whole, same, bytes);

	assert_int_equal(again.b->set_weights(again.net, again.w, &e), 0); /* forgets the moments, too */
	side_steps(&again, 0, 2);
	half = side_state(&again, &other);
	assert_int_equal(later.b->load_state(later.net, half, other, &e), 0);
	side_steps(&later, 2, 4);
	end = side_state(&later, &other);
	assert_memory_equal(whole, end, bytes);
	assert_int_equal(later.b->load_state(later.net, half, other - 1, &e), -1);

	mem_free(whole);
	mem_free(same);
	mem_free(half);
	mem_free(end);
	close_side(&first);
	close_side(&again);
	close_side(&later);
	trial_free(&t);
}

void try_raw_inputs(const struct backend *b)
{
	struct backend_conf conf = { .threads = 1 };
	struct trial t;
	struct net_spec spec;
	struct backend_ctx *ctx;
	struct net *net;
	struct err e = { 0 };
	float in[7 * 3 * 8 * 8], out[2][7 * CLASSES];

	small_trial(&t, b);
	trial_open(&t, 1);
	for (int i = 0; i < 7; i++)
		dataset_example(t.data, (uint32_t)i, in + i * 3 * 8 * 8);
	assert_int_equal(t.ref.b->forward_raw(t.ref.net, in, 7, out[0], &e), 0);
	assert_int_equal(t.own.b->forward_raw(t.own.net, in, 7, out[1], &e), 0);
	assert_true(distance(out[1], out[0], 7 * CLASSES, 0) < 1e-5);

	spec = (struct net_spec){ .graph = t.g, .recipe = &t.r, .batch = 3 };
	assert_int_equal(b->open(&ctx, &conf, &e), 0);
	assert_int_equal(b->net_create(&net, ctx, &spec, &e), 0);
	assert_int_equal(b->set_weights(net, t.own.w, &e), 0);
	memset(out[1], 0, sizeof out[1]);
	assert_int_equal(b->forward_raw(net, in, 7, out[1], &e), 0);
	assert_true(distance(out[1], out[0], 7 * CLASSES, 0) < 1e-5);
	b->net_free(net);
	b->close(ctx);
	trial_free(&t);
}

void compare_model(const struct backend *b, const char *model, struct shape shape, const char *what)
{
	struct trial t;

	trial_init(&t, b, shape, 9);
	t.g = graph_of(t.a, model);
	trial_open(&t, 1);
	compare_gradients(&t, what);
	compare_training(&t, what);
	trial_free(&t);
}

void try_sharing_and_freezing(const struct backend *b)
{
	compare_model(b,
		      "{'input': [3, 6, 6], 'classes': 3, 'layers': ["
		      "{'conv2d': {'filters': 3, 'kernel': 3, 'padding': 'same'}, 'id': 'c'}, 'tanh',"
		      "{'conv2d': {'filters': 3, 'kernel': 3, 'padding': 'same'}, 'share': 'c'},"
		      "{'add': {}, 'from': ['prev', 'c']}, 'globalavgpool', {'dense': {'units': 3}}]}",
		      shape_image(3, 6, 6), "shared convolution");
	compare_model(
	    b,
	    "{'input': [4, 3, 3], 'classes': 3, 'layers': ["
	    "{'conv2d': {'filters': 16, 'kernel': 1}, 'frozen': true}, {'batchnorm': {}, 'frozen': true}, 'relu',"
	    "{'conv2d': {'filters': 4, 'kernel': 1}}, 'batchnorm', {'conv2d': {'filters': 4, 'kernel': 1},"
	    " 'frozen': true}, 'flatten', {'dense': {'units': 36}, 'id': 'd'}, 'tanh',"
	    "{'dense': {'units': 36}, 'share': 'd'}, {'dense': {'units': 3}}]}",
	    shape_image(4, 3, 3), "frozen layers, shared dense");
	compare_model(b,
		      "{'input': [3, 8, 8], 'classes': 3, 'layers': ["
		      "{'conv2d': {'filters': 8, 'kernel': 3}}, {'batchnorm': {}, 'frozen': true, 'id': 'n'}, 'relu',"
		      "{'conv2d': {'filters': 8, 'kernel': 3}}, {'batchnorm': {}, 'share': 'n'}, 'relu',"
		      "{'conv2d': {'filters': 8, 'kernel': 1}}, {'batchnorm': {'affine': false}, 'frozen': true},"
		      "'globalavgpool', {'batchnorm': {}, 'frozen': true}, {'dense': {'units': 3}}]}",
		      shape_image(3, 8, 8), "frozen norms, with and without a relu, shared, of a vector");
	compare_model(b,
		      "{'input': [3, 6, 6], 'classes': 3, 'layers': ["
		      "{'conv2d': {'filters': 20, 'kernel': 3}, 'id': 'c'}, {'batchnorm': {}, 'id': 'dead'},"
		      "{'globalavgpool': {}, 'from': ['c']}, 'batchnorm', {'dense': {'units': 3}}]}",
		      shape_image(3, 6, 6), "dead branch, normalised vector");
}

void try_profile(const struct backend *b)
{
	struct layer_time layer[32];
	struct net_profile p = { .layer = layer };
	struct backend_conf conf = { .threads = 1 };
	struct trial t;
	struct net_spec spec;
	struct backend_ctx *ctx;
	struct err e = { 0 };
	double sum = 0;

	small_trial(&t, b);
	open_side(&t, &t.own, b, 1);
	assert_int_equal(t.own.b->profile(t.own.net, 3, &p, &e), 0);
	assert_int_equal(b->net_bytes(t.own.net), p.total_bytes);
	for (int i = 0; i < t.g->n_nodes; i++)
		sum += layer[i].forward_s + layer[i].backward_s;
	assert_true(sum > 0 && p.optimizer_s > 0 && p.input_s > 0 && p.loss_s > 0);
	assert_int_equal(layer[2].fused_into, 1); /* relu into the batch norm before it */
	assert_int_equal(layer[0].fused_into, 0);
	assert_true(layer[2].forward_s == 0 && layer[0].bytes > 0);
	assert_true(p.total_bytes >=
		    p.weight_bytes + p.gradient_bytes + p.moment_bytes + p.activation_bytes + p.workspace_bytes);

	spec = (struct net_spec){ .graph = t.g, .recipe = &t.r, .data = t.data, .train = t.train, .n_train = TRAIN };
	assert_int_equal(b->open(&ctx, &conf, &e), 0);
	assert_int_equal(b->plan_bytes(ctx, &spec, &e), p.total_bytes);
	b->close(ctx);
	trial_free(&t);
}
