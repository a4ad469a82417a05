/* tests/unit/test_backend_ref.c - whole networks on the reference backend: gradients against differences, sharing and
 * freezing, exact state, refusals. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "tests/helper_data.h"
#include "train/backend.h"

struct bench {
	struct arena *a;
	struct dataset *data;
	struct graph *g;
	struct recipe r;
	struct backend_ctx *ctx;
	struct net *net;
	struct weights *w;
};

static const struct backend *const ref = &backend_ref;

static void open_net(struct bench *t, uint64_t seed)
{
	struct backend_conf conf = { .threads = 1 };
	struct net_spec spec = { .graph = t->g,
				 .recipe = &t->r,
				 .data = t->data,
				 .train = t->data->split[SPLIT_TRAIN],
				 .n_train = t->data->n_split[SPLIT_TRAIN],
				 .seed = seed };
	struct err e = { 0 };

	assert_int_equal(ref->open(&t->ctx, &conf, &e), 0);
	if (ref->net_create(&t->net, t->ctx, &spec, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	t->w = weights_new(t->g, &e);
	weights_init(t->w, t->g, seed);
	ref->set_weights(t->net, t->w, &e);
}

static void start(struct bench *t, const char *model, struct blobs blobs)
{
	memset(t, 0, sizeof *t);
	t->a = arena_new();
	t->data = blobs_new(&blobs, t->a);
	t->g = graph_of(t->a, model);
	recipe_defaults(&t->r);
	t->r.batch = 6;
	t->r.n_augment = 0;
	t->r.loss = blobs.classes ? LOSS_CROSS_ENTROPY : LOSS_MSE;
}

static void stop(struct bench *t)
{
	weights_free(t->w);
	ref->net_free(t->net);
	ref->close(t->ctx);
	arena_free(t->a);
}

static double loss_at(struct bench *t, const uint32_t *index, struct weights *grad)
{
	double loss = NAN;

	ref->set_weights(t->net, t->w, NULL);
	assert_int_equal(ref->gradients(t->net, index, 6, grad, &loss, NULL), 0);
	return loss;
}

/* A few coordinates of every tensor: (L(w + h) - L(w - h)) / 2h. */
static void check_gradients(struct bench *t)
{
	struct weights *grad = weights_new(t->g, NULL), *scrap = weights_new(t->g, NULL);
	uint32_t index[6] = { 3, 1, 4, 11, 5, 9 };
	struct rng r;

	rng_init(&r, 23, 5);
	loss_at(t, index, grad);
	for (int i = 0; i < t->w->n; i++) {
		const struct tensor *p = &t->w->tensors[i];

		for (int k = 0; k < 3; k++) {
			float *at = t->w->data + p->first + rng_below(&r, (uint32_t)p->count), was = *at;
			double got = (double)grad->data[at - t->w->data], up, down, want;
			volatile float more = was + 1e-3f, less = was - 1e-3f; /* the steps that floats allow */

			*at = more;
			up = loss_at(t, index, scrap);
			*at = less;
			down = loss_at(t, index, scrap);
			*at = was;
			want = (up - down) / ((double)more - (double)less);
			if (p->spec.role == PARAM_STAT || t->g->nodes[p->node].frozen)
				want = 0;
			if (fabs(got - want) > 2e-5 + 1e-3 * fabs(want))
				fail_msg("%s: %g instead of %g", p->name, got, want);
		}
	}
	weights_free(grad);
	weights_free(scrap);
}

static const struct blobs pictures = { .shape = { TENSOR_IMAGE, false, { 2, 6, 6 } },
				       .classes = 3,
				       .n = { 30, 12, 0 },
				       .noise = 0.7,
				       .bytes = true,
				       .seed = 2 };

#define CNN(rate)                                                                                                 \
	"{'input': [2,6,6], 'classes': 3, 'layers': [{'conv2d': {'filters': 4, 'kernel': 3, 'padding': 'same'}}," \
	"'batchnorm', 'tanh', {'id': 'skip', 'conv2d': {'filters': 4, 'kernel': 1}},"                             \
	"{'conv2d': {'filters': 4, 'kernel': 3, 'padding': 'same'}, 'frozen': true}, 'silu',"                     \
	"{'add': {}, 'from': ['prev', 'skip']}, {'dropout': {'rate': " rate                                       \
	"}}, 'globalavgpool', {'dense': {'units': 3}}]}"

static void gradients_of_a_cnn(void **state)
{
	struct bench t;

	(void)state;
	start(&t, CNN("0.5"), pictures);
	open_net(&t, 1);
	check_gradients(&t);
	stop(&t);
}

static void gradients_of_shared_layers(void **state)
{
	struct bench t;
	struct blobs b = { .shape = shape_vector(5), .n = { 30, 12, 0 }, .noise = 0.5 };

	(void)state;
	start(&t,
	      "{'inputs': {'in': {'type': 'vector', 'shape': [5]}},"
	      "'outputs': {'out': {'task': 'regression', 'classes': 1}}, 'layers': [{'id': 'a', 'dense': {'units': 5}},"
	      "'tanh', {'dense': {'units': 5}, 'share': 'a'}, 'tanh', {'dense': {'units': 1}}]}",
	      b);
	assert_int_equal(t.g->nodes[2].share, 0);
	open_net(&t, 1);
	check_gradients(&t);
	stop(&t);
}

static void gradients_of_open_sequences(void **state)
{
	static const char *const models[] = {
		"{'inputs': {'in': {'type': 'tokens', 'shape': [7], 'open': true}}, 'classes': 3, 'layers': ["
		"{'embedding': {'vocabulary': 8, 'features': 4}},"
		"{'lstm': {'units': 3, 'bidirectional': true, 'last': 'last'}}, {'dense': {'units': 3}}]}",
		"{'inputs': {'in': {'type': 'tokens', 'shape': [7], 'open': true}}, 'classes': 3, 'layers': ["
		"{'embedding': {'vocabulary': 8, 'features': 4}},"
		"{'gru': {'units': 3}}, 'globalavgpool', {'dense': {'units': 3}}]}",
	};
	struct blobs b = {
		.shape = { TENSOR_TOKENS, true, { 7, 0, 0 } }, .classes = 3, .n = { 30, 12, 0 }, .open = true
	};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct bench t;

		start(&t, models[i], b);
		open_net(&t, 1);
		check_gradients(&t);
		stop(&t);
	}
}

/* Neither do gradients move the running statistics, nor does dropout take part. */
static void gradients_leave_no_trace(void **state)
{
	struct bench t[2];
	struct weights *grad[2];
	uint32_t index[6] = { 3, 1, 4, 11, 5, 9 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		size_t bytes;
		char *before, *after;

		start(&t[i], i ? CNN("0") : CNN("0.5"), pictures);
		open_net(&t[i], 1);
		bytes = ref->state_bytes(t[i].net);
		before = arena_alloc(t[i].a, bytes);
		after = arena_alloc(t[i].a, bytes);
		grad[i] = weights_new(t[i].g, NULL);
		ref->save_state(t[i].net, before, NULL);
		ref->gradients(t[i].net, index, 6, grad[i], NULL, NULL);
		ref->save_state(t[i].net, after, NULL);
		assert_memory_equal(before, after, bytes);
	}
	assert_memory_equal(grad[0]->data, grad[1]->data, sizeof(float) * (size_t)grad[0]->total);
	for (int i = 0; i < 2; i++) {
		weights_free(grad[i]);
		stop(&t[i]);
	}
}

static void train(struct bench *t, int64_t first, int64_t n, struct step_stats *s)
{
	struct err e = { 0 };

	if (ref->train_steps(t->net, first, n, s, &e) < 0)
		fail_msg("%s", e.msg);
}

/* Dropout acts in training alone, anew in every epoch. */
static void dropout_acts(void **state)
{
	const char *models[] = { CNN("0.5"), CNN("0.5"), CNN("0") };
	double first[3], next[3], logit[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct bench t;
		struct step_stats s[2] = { { 0 } };
		uint32_t index = 7;
		float z[3];

		start(&t, models[i], pictures);
		t.data->n_split[SPLIT_TRAIN] = t.r.batch; /* one step an epoch, of the same examples */
		open_net(&t, 1);
		ref->evaluate(t.net, &index, 1, z, NULL);
		logit[i] = (double)z[0];
		train(&t, 0, 1, &s[0]);
		ref->set_weights(t.net, t.w, NULL);
		train(&t, 1, 1, &s[1]);
		first[i] = s[0].loss;
		next[i] = s[1].loss;
		stop(&t);
	}
	assert_true(logit[0] == logit[1] && logit[0] == logit[2]);
	assert_true(first[0] == first[1] && next[0] == next[1]);
	assert_true(fabs(first[0] - first[2]) > 1e-6 && fabs(first[0] - next[0]) > 1e-6);
	assert_true(fabs(first[2] - next[2]) < 1e-9); /* but for the order of the batch */
}

static void frozen_and_statistics(void **state)
{
	struct bench t;
	struct weights *after;
	struct step_stats s = { 0 };

	(void)state;
	start(&t, CNN("0.5"), pictures);
	open_net(&t, 1);
	after = weights_new(t.g, NULL);
	train(&t, 0, 3, &s);
	ref->get_weights(t.net, after, NULL);
	for (int i = 0; i < t.w->n; i++) {
		const struct tensor *p = &t.w->tensors[i];
		bool same = memcmp(after->data + p->first, t.w->data + p->first, sizeof(float) * (size_t)p->count) == 0;

		assert_int_equal(same, t.g->nodes[p->node].frozen);
	}
	assert_int_equal(s.examples, 18);
	assert_true(s.loss > 0 && s.grad_norm > 0 && !s.diverged);
	weights_free(after);
	stop(&t);
}

/* A frozen batch norm computes with its running statistics and keeps them, training or not. */
static void frozen_norms(void **state)
{
	static const char text[] =
	    "{'input': [2,6,6], 'classes': 3, 'layers': ["
	    "{'conv2d': {'filters': 4, 'kernel': 3}}, {'batchnorm': {}, 'frozen': true, 'id': 'n'},"
	    "'tanh', {'conv2d': {'filters': 4, 'kernel': 1}}, {'batchnorm': {}, 'share': 'n'},"
	    "'globalavgpool', {'dense': {'units': 3}}]}";
	struct bench t;
	struct weights *after;
	struct step_stats s = { 0 };
	struct rng r;

	(void)state;
	start(&t, text, pictures);
	open_net(&t, 1);
	rng_init(&r, 8, 15);
	for (int i = 0; i < t.w->n; i++) /* statistics that no batch has */
		for (int64_t k = 0; t.w->tensors[i].spec.role == PARAM_STAT && k < t.w->tensors[i].count; k++)
			t.w->data[t.w->tensors[i].first + k] = (float)(0.5 + rng_real(&r));
	check_gradients(&t);
	after = weights_new(t.g, NULL);
	ref->set_weights(t.net, t.w, NULL);
	train(&t, 0, 3, &s);
	ref->get_weights(t.net, after, NULL);
	for (int i = 0; i < t.w->n; i++) {
		const struct tensor *p = &t.w->tensors[i];
		bool same = memcmp(after->data + p->first, t.w->data + p->first, sizeof(float) * (size_t)p->count) == 0;

		assert_int_equal(same, t.g->nodes[p->node].frozen);
	}
	weights_free(after);
	stop(&t);
}

/* 5 steps, or 2, save, spoil, load, 3: the same bits. */
static void state_is_exact(void **state)
{
	struct bench t, u;
	struct step_stats s = { 0 }, v = { 0 };
	size_t bytes;
	char *one, *two;

	(void)state;
	for (int kind = 0; kind < OPTIMIZER_COUNT; kind++) {
		struct optimizer o = { .kind = (enum optimizer_kind)kind,
				       .lr = 0.01,
				       .momentum = 0.9,
				       .beta1 = 0.9,
				       .beta2 = 0.99,
				       .eps = 1e-8 };

		s = v = (struct step_stats){ 0 };
		start(&t, CNN("0.5"), pictures);
		start(&u, CNN("0.5"), pictures);
		t.r.optimizer = u.r.optimizer = o;
		open_net(&t, 1);
		open_net(&u, 1);
		bytes = ref->state_bytes(t.net);
		one = mem_new(bytes);
		two = mem_new(bytes);
		train(&t, 0, 5, &s);
		ref->save_state(t.net, one, NULL);
		train(&u, 0, 2, &v);
		ref->save_state(u.net, two, NULL);
		train(&u, 2, 2, &(struct step_stats){ 0 });
		assert_int_equal(ref->load_state(u.net, two, bytes, NULL), 0);
		train(&u, 2, 3, &v);
		ref->save_state(u.net, two, NULL);
		assert_memory_equal(one, two, bytes);
		assert_memory_equal(&s.loss, &v.loss, sizeof s.loss);
		assert_memory_equal(&s.grad_norm, &v.grad_norm, sizeof s.loss);
		assert_int_equal(ref->load_state(u.net, two, bytes - 8, NULL), -1);
		mem_free(one);
		mem_free(two);
		stop(&t);
		stop(&u);
	}
}

static void raw_is_evaluate(void **state)
{
	struct bench t;
	uint32_t index[13];
	float x[13 * 72], a[13 * 3], b[13 * 3];

	(void)state;
	start(&t, CNN("0.5"), pictures);
	open_net(&t, 1);
	train(&t, 0, 3, &(struct step_stats){ 0 });
	for (uint32_t i = 0; i < 13; i++) {
		index[i] = 2 * i;
		for (int k = 0; k < 72; k++)
			x[i * 72 + (uint32_t)k] =
			    ((float)t.data->u8[144 * i + (uint32_t)k] - t.data->mean[k / 36]) / t.data->std[k / 36];
	}
	assert_int_equal(ref->evaluate(t.net, index, 13, a, NULL), 0);
	assert_int_equal(ref->forward_raw(t.net, x, 13, b, NULL), 0);
	assert_memory_equal(a, b, sizeof a);
	stop(&t);
}

static void profile_adds_up(void **state)
{
	struct bench t;
	struct layer_time layer[16];
	struct net_profile p = { .layer = layer };
	struct net_spec spec;
	int64_t bytes = 0;

	(void)state;
	start(&t, CNN("0.5"), pictures);
	open_net(&t, 1);
	assert_int_equal(ref->profile(t.net, 2, &p, NULL), 0);
	for (int i = 0; i < t.g->n_nodes; i++) {
		assert_true(layer[i].forward_s >= 0 && layer[i].fused_into == i);
		bytes += layer[i].bytes;
	}
	assert_int_equal(bytes, p.activation_bytes);
	spec = (struct net_spec){ .graph = t.g, .recipe = &t.r, .data = t.data };
	assert_int_equal(p.total_bytes, ref->plan_bytes(t.ctx, &spec, NULL));
	stop(&t);
}

static void refusals(void **state)
{
	struct backend_conf conf = { .most_bytes = 1000 };
	struct bench t;
	struct net *net = NULL;
	struct err e = { 0 };

	(void)state;
	start(&t, CNN("0.5"), pictures);
	struct net_spec spec = { .graph = t.g, .recipe = &t.r, .data = t.data };

	assert_int_equal(ref->open(&t.ctx, &conf, NULL), 0);
	assert_int_equal(ref->net_create(&net, t.ctx, &spec, &e), NET_OOM);
	assert_non_null(strstr(e.msg, "1000"));
	err_clear(&e);
	t.r.precision = PRECISION_BF16;
	assert_int_equal(ref->net_create(&net, t.ctx, &spec, &e), -1);
	assert_non_null(strstr(e.msg, "fp32"));
	stop(&t);
}

static void table(void **state)
{
	(void)state;
	for (int i = 0; backends[i]; i++) {
		const struct backend *b = backends[i];

		assert_ptr_equal(backend_find(b->name), b);
		assert_non_null(b->help);
		assert_true(b->probe && b->describe && b->open && b->close && b->supports && b->plan_bytes);
		assert_true(b->net_create && b->net_free && b->net_bytes && b->set_weights && b->get_weights &&
			    b->train_steps);
		assert_true(b->evaluate && b->forward_raw && b->state_bytes && b->save_state && b->load_state);
		assert_true(b->profile != NULL);
		assert_true(!b->evaluate_start == !b->evaluate_read);
	}
	assert_null(backend_find("abacus"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gradients_of_a_cnn),
		cmocka_unit_test(gradients_of_shared_layers),
		cmocka_unit_test(gradients_of_open_sequences),
		cmocka_unit_test(gradients_leave_no_trace),
		cmocka_unit_test(dropout_acts),
		cmocka_unit_test(frozen_and_statistics),
		cmocka_unit_test(frozen_norms),
		cmocka_unit_test(state_is_exact),
		cmocka_unit_test(raw_is_evaluate),
		cmocka_unit_test(profile_adds_up),
		cmocka_unit_test(refusals),
		cmocka_unit_test(table),
	};

	return cmocka_run_group_tests_name("backend_ref", tests, NULL, NULL);
}
