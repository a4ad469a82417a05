/* tests/unit/test_layers.c - the registry of layer kinds, their shape rules, and their oracles: analytic against
 * numerical gradients, and the rule for open sequences. `test_layers --dump N` writes N random cases of every kind as
 * JSON lines, which torch_layers.sh compares with PyTorch.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/opt.h"
#include "base/str.h"
#include "tests/helper_layers.h"

enum { CASES = 25 };

/* ---- the registry --------------------------------------------------------------------------------------- */

static void registry_is_complete(void **state)
{
	(void)state;
	for (int i = 0; i < LAYER_KIND_COUNT; i++) {
		const struct layer_class *c = layer_classes[i];

		assert_non_null(c->name);
		assert_true(c->help && c->help[0]);
		assert_in_range(strlen(c->symbol), 1, 2);
		assert_in_range(c->family, 0, FAMILY_COUNT - 1);
		assert_true(c->min_in >= 1 && c->min_in <= c->max_in && c->max_in <= LAYER_INPUTS);
		assert_non_null(c->opts);
		assert_null(opt_check(c->opts));
		assert_true(c->cfg_size > 0);
		assert_non_null(c->shape);
		if (i != LAYER_choice)
			assert_true(c->forward && c->backward);
		assert_int_equal(layer_find(c->name), i);
		for (int k = 0; k < i; k++) {
			assert_string_not_equal(c->name, layer_classes[k]->name);
			assert_string_not_equal(c->symbol, layer_classes[k]->symbol);
		}
	}
	assert_int_equal(layer_find("conv3d"), -1);
	assert_string_equal(layer_suggest("conv2"), "conv2d");
}

/* Every row of layers.def has its descriptor in one of the files, and no file has one without a row. */
static void rows_are_files(void **state)
{
	char line[256];
	int found = 0;
	FILE *f = popen("cat arch/layer_*.c", "r");

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		static const char *const heads[] = { "const struct layer_class layer_", "ACTIVATION(", "POOL(",
						     "GLOBAL(", "RECURRENT(" };

		for (size_t h = 0; h < sizeof heads / sizeof *heads; h++) {
			char *name = line + strlen(heads[h]);

			if (strncmp(line, heads[h], strlen(heads[h])) != 0)
				continue;
			name[strcspn(name, " ,")] = 0;
			assert_true(layer_find(name) >= 0);
			found++;
		}
	}
	pclose(f);
	assert_int_equal(found, LAYER_KIND_COUNT);
}

/* ---- shape rules on random cases ------------------------------------------------------------------------ */

static void shape_rule_is_idempotent(void **state)
{
	struct rng r;

	(void)state;
	rng_init(&r, test_seed(), 1);
	for (int i = 0; i < LAYER_KIND_COUNT * CASES; i++) {
		struct layer_case c;
		struct shape again[LAYER_PORTS] = { 0 };
		struct err e = { 0 };
		void *copy;

		if (i % LAYER_KIND_COUNT == LAYER_choice)
			continue;
		case_new(&c, (enum layer_kind)(i % LAYER_KIND_COUNT), &r);
		copy = arena_alloc(c.arena, c.class->cfg_size);
		memcpy(copy, c.cfg, c.class->cfg_size);
		assert_int_equal(c.class->shape(copy, c.in_shape, c.n_in, again, &e), 0);
		assert_memory_equal(copy, c.cfg, c.class->cfg_size);
		for (int p = 0; p < c.n_out; p++)
			assert_true(shape_equal(&again[p], &c.out_shape[p]));
		case_free(&c);
	}
}

/* ---- gradients ------------------------------------------------------------------------------------------ */

struct tally {
	long checked, skipped;
};

/* A five-point difference, with an error of order h^4. The third and fourth differences of a smooth function are nearly
 * zero; where one is not, a kink lies between the points, and the coordinate is counted and passed over. */
static void check_coordinate(struct layer_case *c, double *x, double analytic, struct tally *t)
{
	const double h = 1e-4, at = *x;
	double f[5], numeric, third, fourth;

	for (int k = -2; k <= 2; k++) {
		*x = at + k * h;
		f[k + 2] = case_loss(c);
	}
	*x = at;
	numeric = (8 * (f[3] - f[1]) - (f[4] - f[0])) / (12 * h);
	third = f[4] - 2 * f[3] + 2 * f[1] - f[0];
	fourth = f[4] - 4 * f[3] + 6 * f[2] - 4 * f[1] + f[0];
	t->checked++;
	if (fabs(third) + fabs(fourth) > 1e-5 * h * (1 + fabs(numeric))) {
		t->skipped++;
		return;
	}
	if (!(fabs(numeric - analytic) <= 1e-7 + 1e-6 * fabs(numeric)))
		fail_msg("%s: analytic %.12g, numerical %.12g", c->class->name, analytic, numeric);
}

/* Backward adds: gradients start at some number, which must still be there. */
static void check_tensor(struct layer_case *c, double *x, const double *dx, double start, int64_t n, struct tally *t)
{
	for (int64_t i = 0; i < n; i++)
		check_coordinate(c, x + i, dx[i] - start, t);
}

static void fill(double *t, int64_t n, double v)
{
	for (int64_t i = 0; i < n; i++)
		t[i] = v;
}

static void check_gradients(struct layer_case *c, struct tally *t)
{
	const double start = 0.25;

	for (int i = 0; i < c->n_in; i++)
		fill(c->din[i], shape_count(&c->in_shape[i]) * c->batch, start);
	for (int i = 0; i < c->n_params; i++)
		if (c->dparam[i])
			fill(c->dparam[i], param_count(&c->spec[i]), start);
	case_forward(c);
	case_backward(c);
	for (int i = 0; i < c->n_in; i++)
		if (c->in_shape[i].type != TENSOR_TOKENS)
			check_tensor(c, c->in[i], c->din[i], start, shape_count(&c->in_shape[i]) * c->batch, t);
	for (int i = 0; i < c->n_params; i++)
		if (c->dparam[i])
			check_tensor(c, c->param[i], c->dparam[i], start, param_count(&c->spec[i]), t);
}

static void gradients_are_numerical(void **state)
{
	struct rng r;

	(void)state;
	rng_init(&r, test_seed(), 2);
	for (int k = 0; k < LAYER_KIND_COUNT; k++) {
		struct tally t = { 0 };

		for (int i = 0; layer_classes[k]->forward && i < CASES; i++) {
			struct layer_case c;

			case_new(&c, (enum layer_kind)k, &r);
			check_gradients(&c, &t);
			case_free(&c);
		}
		if (t.skipped * 50 > t.checked)
			fail_msg("%s: %ld of %ld coordinates lie at a kink", layer_classes[k]->name, t.skipped,
				 t.checked);
		assert_true(!layer_classes[k]->forward || t.checked > 0);
	}
}

/* Without readers, or without anyone who wants a gradient, backward leaves everything alone. */
static void backward_takes_absent_gradients(void **state)
{
	struct rng r;

	(void)state;
	rng_init(&r, test_seed(), 3);
	for (int i = 0; i < LAYER_KIND_COUNT * 4; i++) {
		struct layer_case c;
		const struct layer_class *class = layer_classes[i % LAYER_KIND_COUNT];

		if (!class->forward)
			continue;
		case_new(&c, (enum layer_kind)(i % LAYER_KIND_COUNT), &r);
		case_forward(&c);
		if (i / LAYER_KIND_COUNT % 2)
			memset(c.dout, 0, sizeof c.dout);
		else
			memset(c.dparam, 0, sizeof c.dparam);
		if (i / LAYER_KIND_COUNT / 2)
			memset(c.din, 0, sizeof c.din);
		case_backward(&c);
		for (int k = 0; k < c.n_in; k++)
			for (int64_t j = 0; !c.dout[0] && c.din[k] && j < shape_count(&c.in_shape[k]) * c.batch; j++)
				assert_true(c.din[k][j] == 0);
		case_free(&c);
	}
}

/* ---- open sequences ------------------------------------------------------------------------------------- */

/* t [batch][s] with `more` further steps, zeros. */
static double *stretch(struct layer_case *c, const double *t, const struct shape *s, int more)
{
	int steps = s->d[s->type == TENSOR_SEQUENCE];
	int64_t rows = shape_count(s) * c->batch / steps;
	double *out = ARENA_ARRAY(c->arena, double, rows *(steps + more));

	for (int64_t i = 0; i < rows; i++)
		memcpy(out + i * (steps + more), t + i * steps, (size_t)steps * sizeof *t);
	return out;
}

static void assert_same_values(const char *name, const double *a, const double *b, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (!(fabs(a[i] - b[i]) <= 1e-12 * (1 + fabs(a[i]))))
			fail_msg("%s: an example depends on its padding: %g, %g", name, a[i], b[i]);
}

/* The same case, padded by `more` steps: outputs at the valid steps stay, the others are zero. */
static void compare_stretched(struct layer_case *c, int more)
{
	struct layer_case d = *c;

	for (int i = 0; i < c->n_in; i++) {
		d.in[i] = stretch(c, c->in[i], &c->in_shape[i], more);
		d.in_shape[i].d[c->in_shape[i].type == TENSOR_SEQUENCE] += more;
	}
	assert_int_equal(c->class->shape(d.cfg, d.in_shape, d.n_in, d.out_shape, NULL), 0);
	for (int p = 0; p < c->n_out; p++) {
		int64_t n = shape_count(&d.out_shape[p]) * d.batch;

		d.out[p] = ARENA_ARRAY(c->arena, double, n);
		fill(d.out[p], n, NAN);
	}
	d.io.in = (const double *const *)d.in;
	d.io.out = d.out;
	d.io.in_shape = d.in_shape;
	d.io.out_shape = d.out_shape;
	case_forward(c);
	case_forward(&d);
	for (int p = 0; p < c->n_out; p++) {
		const double *want = c->out_shape[p].open ? stretch(c, c->out[p], &c->out_shape[p], more) : c->out[p];

		assert_same_values(c->class->name, want, d.out[p], shape_count(&d.out_shape[p]) * d.batch);
	}
}

static void padding_does_not_count(void **state)
{
	struct rng r;
	int open = 0;

	(void)state;
	rng_init(&r, test_seed(), 4);
	for (int i = 0; i < LAYER_KIND_COUNT * CASES; i++) {
		struct layer_case c;
		enum layer_kind k = (enum layer_kind)(i % LAYER_KIND_COUNT);

		if (!layer_classes[k]->forward)
			continue;
		case_new(&c, k, &r);
		/* dropout numbers the elements of the padded example */
		if (c.length && !(k == LAYER_dropout && c.io.training)) {
			compare_stretched(&c, 3);
			open++;
		}
		case_free(&c);
	}
	assert_true(open > LAYER_KIND_COUNT);
}

/* ---- dropout and running statistics --------------------------------------------------------------------- */

static void dropout_follows_its_counter(void **state)
{
	struct rng r;
	long fallen = 0, total = 0;

	(void)state;
	rng_init(&r, test_seed(), 5);
	for (int k = 0; k < 300; k++) {
		struct layer_case c;
		int64_t count;

		case_new(&c, LAYER_dropout, &r);
		((struct dropout *)c.cfg)->rate = 0.25;
		c.io.training = true;
		c.io.length = NULL;
		count = shape_count(c.in_shape);
		case_forward(&c);
		for (int64_t i = 0; i < count * c.batch; i++) {
			uint32_t u[4];
			bool falls;

			philox4x32(u, c.io.key, (uint32_t)(i % count / 4), c.sample[i / count], c.io.epoch, 0);
			falls = philox_real(u[i % count % 4]) < 0.25;
			assert_true(c.out[0][i] == (falls ? 0 : c.in[0][i] / 0.75));
			fallen += falls;
			total++;
		}
		case_free(&c);
	}
	assert_true(fabs((double)fallen / (double)total - 0.25) < 5 * sqrt(0.25 * 0.75 / (double)total));
}

/* Batch norm of an open sequence is that of a batch of vectors: its valid steps. */
static void batchnorm_sees_valid_steps(struct layer_case *c)
{
	int steps = c->in_shape[0].d[1], channels = c->in_shape[0].d[0], rows = 0, stat = c->n_params - 2, row = 0;
	struct layer_io io = c->io;
	struct shape v = shape_vector(channels);
	double *in, *out, *param[LAYER_PARAMS];

	for (int n = 0; n < c->batch; n++)
		rows += c->length[n];
	in = ARENA_ARRAY(c->arena, double, rows *channels);
	out = ARENA_ARRAY(c->arena, double, rows *channels);
	for (int n = 0; n < c->batch; n++)
		for (int t = 0; t < c->length[n]; t++, row++)
			for (int k = 0; k < channels; k++)
				in[row * channels + k] = c->in[0][(n * channels + k) * steps + t];
	memcpy(param, c->param, sizeof param);
	for (int i = stat; i < stat + 2; i++) {
		param[i] = ARENA_ARRAY(c->arena, double, channels);
		memcpy(param[i], c->param[i], (size_t)channels * sizeof(double));
	}
	io.batch = rows;
	io.in = (const double *const[]){ in };
	io.out = (double *const[]){ out };
	io.param = param;
	io.in_shape = io.out_shape = &v;
	io.length = NULL;
	c->class->forward(&io);
	case_forward(c);
	row = 0;
	for (int n = 0; n < c->batch; n++)
		for (int t = 0; t < c->length[n]; t++, row++)
			for (int k = 0; k < channels; k++)
				assert_same_values("batchnorm", out + row * channels + k,
						   c->out[0] + (n * channels + k) * steps + t, 1);
	assert_same_values("running mean", param[stat], c->param[stat], channels);
	assert_same_values("running variance", param[stat + 1], c->param[stat + 1], channels);
}

static void batchnorm_takes_open_sequences(void **state)
{
	struct rng r;

	(void)state;
	rng_init(&r, test_seed(), 6);
	for (int done = 0; done < 20;) {
		struct layer_case c;

		case_new(&c, LAYER_batchnorm, &r);
		if (c.length) {
			batchnorm_sees_valid_steps(&c);
			done++;
		}
		case_free(&c);
	}
}

/* ---- what shape rules refuse ---------------------------------------------------------------------------- */

static const char *refusal(enum layer_kind kind, void *cfg, const struct shape *in, int n_in, struct err *e)
{
	struct shape out[LAYER_PORTS];

	memset(e, 0, sizeof *e);
	assert_int_equal(layer_classes[kind]->shape(cfg, in, n_in, out, e), -1);
	assert_int_equal(e->code, ERR_INVALID);
	return e->msg;
}

#define REFUSES(kind, cfg, text, ...)                                                             \
	do {                                                                                      \
		struct shape in_[] = { __VA_ARGS__ };                                             \
		struct err e_;                                                                    \
		const char *msg_ = refusal(kind, cfg, in_, (int)(sizeof in_ / sizeof *in_), &e_); \
		if (!strstr(msg_, text))                                                          \
			fail_msg("wanted \"%s\" in \"%s\"", text, msg_);                          \
	} while (0)

static void windows_must_fit(void **state)
{
	struct pool2d pool = { .size = { { 3, 3 } } };
	struct pool2d padded = { .size = { { 2, 2 } }, .padding = { .side = { 0, 2, 0, 0 } } };
	struct pool1d line = { .size = 2 };
	struct conv2d conv = {
		.filters = 1, .groups = 1, .kernel = { { 5, 5 } }, .stride = { { 1, 1 } }, .dilation = { { 1, 1 } }
	};

	(void)state;
	REFUSES(LAYER_maxpool2d, &pool, "does not fit a width of 2: use \"padding\": \"same\" or a size of at most 2",
		shape_image(1, 4, 2));
	REFUSES(LAYER_avgpool2d, &padded, "wholly in the padding: use at most 1", shape_image(1, 4, 4));
	REFUSES(LAYER_conv2d, &conv, "does not fit a height of 4: use \"padding\": \"same\" or a kernel of at most 4",
		shape_image(1, 4, 9));
	REFUSES(LAYER_maxpool1d, &line, "open time axis must keep its length", shape_sequence(2, 9, true));
	REFUSES(LAYER_maxpool2d, &pool, "maxpool2d needs an image, its input is a vector", shape_vector(9));
	REFUSES(LAYER_avgpool2d, &pool, "its input is a sequence: use \"avgpool1d\"", shape_sequence(2, 9, false));
	REFUSES(LAYER_conv2d, &conv, "its input is a sequence: use \"conv1d\"", shape_sequence(2, 9, false));
}

static void types_must_fit(void **state)
{
	struct dense dense = { .units = 3 };
	struct empty none = { 0 };
	struct rnn rnn = { .units = 2 };
	struct shape tokens = { TENSOR_TOKENS, false, { 5 } };

	(void)state;
	REFUSES(LAYER_dense, &dense, "its input is an image 1x2x3: put \"flatten\" or \"globalavgpool\" before it",
		shape_image(1, 2, 3));
	REFUSES(LAYER_dense, &dense, "\"globalavgpool\" or a recurrent layer", shape_sequence(4, 5, true));
	REFUSES(LAYER_relu, &none, "put \"embedding\" before it", tokens);
	REFUSES(LAYER_relu, &none, "relu needs an image, a vector or a sequence", tokens);
	REFUSES(LAYER_globalavgpool, &none, "leave it out", shape_vector(4));
	REFUSES(LAYER_flatten, &none, "open time axis", shape_sequence(4, 5, true));
	REFUSES(LAYER_lstm, &rnn, "put \"reshape\" to [channels, steps] before it", shape_image(1, 2, 3));
	REFUSES(LAYER_embedding, &none, "embedding needs tokens", shape_vector(4));
}

static void sizes_must_agree(void **state)
{
	struct empty none = { 0 };
	struct groupnorm group = { .groups = 4 };
	struct reshape three = { .shape = { 3, { 2, 3, 5 } } }, holes = { .shape = { 2, { -1, -1 } } };
	struct reshape nothing = { .shape = { 2, { 0, -1 } } };
	struct zero strided = { .stride = 2 };
	struct zeropad2d same = { .padding = { .same = 1 } };
	struct dropout all = { .rate = 1 };

	(void)state;
	REFUSES(LAYER_add, &none, "input 1 is image 2x3x4, input 2 is image 2x3x5: \"project\": true",
		shape_image(2, 3, 4), shape_image(2, 3, 5));
	REFUSES(LAYER_multiply, &none, "input 1 is vector 4, input 3 is vector 5", shape_vector(4), shape_vector(4),
		shape_vector(5));
	REFUSES(LAYER_concat, &none, "differ in channels only", shape_image(2, 3, 4), shape_image(2, 3, 5));
	REFUSES(LAYER_groupnorm, &group, "6 channels are not divisible into 4 groups", shape_image(6, 3, 4));
	REFUSES(LAYER_reshape, &three, "must hold the input's 24 elements (2x3x4)", shape_image(2, 3, 4));
	REFUSES(LAYER_reshape, &holes, "at most one -1", shape_vector(24));
	REFUSES(LAYER_reshape, &nothing, "no 0", shape_vector(24));
	REFUSES(LAYER_zero, &strided, "a vector needs \"stride\": 1", shape_vector(24));
	REFUSES(LAYER_zeropad2d, &same, "no meaning without a window", shape_image(2, 3, 4));
	REFUSES(LAYER_dropout, &all, "use less than 1", shape_vector(24));
}

static void overflow_is_refused(void **state)
{
	struct empty none = { 0 };
	struct upsample2d up = { .factor = { { 64, 1 } } };
	struct layernorm norm = { .affine = true };
	struct zeropad2d pad = { .padding = { .side = { 4096, 0, 0, 0 } } };
	struct shape huge = shape_image(SHAPE_DIM_MAX, SHAPE_DIM_MAX, SHAPE_DIM_MAX), out;
	struct rnn rnn = { .units = 65536, .bidirectional = true };
	struct shape series = shape_sequence(SHAPE_DIM_MAX, SHAPE_DIM_MAX, false);

	(void)state;
	REFUSES(LAYER_flatten, &none, "too large", huge);
	REFUSES(LAYER_layernorm, &norm, "too large", huge);
	REFUSES(LAYER_upsample2d, &up, "too large", huge);
	REFUSES(LAYER_zeropad2d, &pad, "too large", huge);
	REFUSES(LAYER_concat, &none, "too large", huge, huge);
	out = shape_vector(1);
	assert_true(layer_classes[LAYER_lstm]->macs(&rnn, &series, 1, &out) == -1);
}

/* ---- facts ---------------------------------------------------------------------------------------------- */

static void costs_are_counted(void **state)
{
	struct dense dense = { .units = 10, .bias = true };
	struct rnn lstm = { .units = 5, .bidirectional = true, .bias = true };
	struct shape v = shape_vector(7), s = shape_sequence(3, 4, true), out[LAYER_PORTS];
	struct param_spec p[LAYER_PARAMS];

	(void)state;
	assert_int_equal(layer_classes[LAYER_dense]->shape(&dense, &v, 1, out, NULL), 0);
	assert_int_equal(layer_classes[LAYER_dense]->macs(&dense, &v, 1, out), 70);
	assert_int_equal(layer_classes[LAYER_lstm]->shape(&lstm, &s, 1, out, NULL), 0);
	assert_int_equal(layer_classes[LAYER_lstm]->macs(&lstm, &s, 1, out), 2 * 4 * 4 * 5 * (3 + 5));
	assert_int_equal(layer_classes[LAYER_lstm]->params(&lstm, &s, 1, p), 8);
	assert_string_equal(p[6].name, "bias_ih_l0_reverse");
	assert_int_equal(p[0].fan_in, 5);
	assert_null(layer_classes[LAYER_relu]->macs);
}

static void choice_takes_the_largest(void **state)
{
	struct dense small = { .units = 4 }, large = { .units = 4, .bias = true };
	struct dense other = { .units = 5 };
	struct choice c = { .n = 3,
			    .items = { { LAYER_dense, &small }, { LAYER_dense, &large }, { LAYER_dense, &small } } };
	struct choice bad = { .n = 2, .items = { { LAYER_dense, &small }, { LAYER_dense, &other } } };
	struct choice nested = { .n = 1, .items = { { LAYER_choice, &c } } };
	struct choice many = { .n = 9 };
	struct shape v = shape_vector(7), out;
	struct param_spec p[LAYER_PARAMS];

	(void)state;
	for (int i = 0; i < many.n; i++)
		many.items[i] = c.items[1];
	assert_int_equal(layer_classes[LAYER_choice]->shape(&c, &v, 1, &out, NULL), 0);
	assert_int_equal(out.d[0], 4);
	assert_int_equal(layer_classes[LAYER_choice]->macs(&c, &v, 1, &out), 28);
	assert_int_equal(layer_classes[LAYER_choice]->params(&c, &v, 1, p), 4);
	assert_string_equal(p[2].name, "1.bias");
	assert_string_equal(p[3].name, "2.weight");
	REFUSES(LAYER_choice, &bad, "dense gives vector 4, dense gives vector 5", shape_vector(7));
	REFUSES(LAYER_choice, &nested, "cannot be a candidate", shape_vector(7));
	REFUSES(LAYER_choice, &many, "18 parameter tensors, the limit is 16", shape_vector(7));
}

/* ---- cases for PyTorch ---------------------------------------------------------------------------------- */

static struct json *numbers(const double *t, int64_t n)
{
	struct json *out = json_array();

	for (int64_t i = 0; i < n; i++)
		json_push(out, json_num(t[i]));
	return out;
}

static struct json *dims(const int *d, int n)
{
	struct json *out = json_array();

	for (int i = 0; i < n; i++)
		json_push(out, json_num(d[i]));
	return out;
}

static struct json *tensor(const struct shape *s, int batch, const double *t, const double *dt)
{
	struct json *o = json_object();

	json_put(o, "type", json_str(tensor_type_names[s->type]));
	json_put(o, "shape", dims(s->d, shape_rank(s)));
	json_put(o, "value", numbers(t, shape_count(s) * batch));
	json_put(o, "grad", numbers(dt, shape_count(s) * batch));
	return o;
}

static struct json *param(const struct param_spec *p, const double *before, const double *after, const double *dw)
{
	struct json *o = json_object();

	json_put(o, "name", json_str(p->name));
	json_put(o, "shape", dims(p->d, p->rank));
	json_put(o, "value", numbers(before, param_count(p)));
	json_put(o, "after", numbers(after, param_count(p)));
	if (dw)
		json_put(o, "grad", numbers(dw, param_count(p)));
	return o;
}

static void dump_case(struct layer_case *c)
{
	struct json *o = json_object(), *list;
	double *before[LAYER_PARAMS];
	struct str text = { 0 };

	for (int i = 0; i < c->n_params; i++) {
		before[i] = ARENA_ARRAY(c->arena, double, param_count(&c->spec[i]));
		memcpy(before[i], c->param[i], (size_t)param_count(&c->spec[i]) * sizeof(double));
	}
	case_forward(c);
	case_backward(c);
	json_put(o, "kind", json_str(c->class->name));
	json_put(o, "batch", json_num(c->batch));
	json_put(o, "training", json_bool(c->io.training));
	json_put(o, "options", opt_write(c->cfg, c->class->opts));
	if (c->length)
		json_put(o, "length", dims(c->length, c->batch));
	list = json_put(o, "in", json_array());
	for (int i = 0; i < c->n_in; i++)
		json_push(list, tensor(&c->in_shape[i], c->batch, c->in[i], c->din[i]));
	list = json_put(o, "out", json_array());
	for (int i = 0; i < c->n_out; i++)
		json_push(list, tensor(&c->out_shape[i], c->batch, c->out[i], c->dout[i]));
	list = json_put(o, "params", json_array());
	for (int i = 0; i < c->n_params; i++)
		json_push(list, param(&c->spec[i], before[i], c->param[i], c->dparam[i]));
	json_print(&text, o);
	puts(str_get(&text));
	str_release(&text);
	json_free(o);
}

static int dump(int cases)
{
	struct rng r;

	rng_init(&r, test_seed(), 9);
	for (int k = 0; k < LAYER_KIND_COUNT; k++)
		for (int i = 0; layer_classes[k]->forward && i < cases; i++) {
			struct layer_case c;

			case_new(&c, (enum layer_kind)k, &r);
			dump_case(&c);
			case_free(&c);
		}
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registry_is_complete),
		cmocka_unit_test(rows_are_files),
		cmocka_unit_test(shape_rule_is_idempotent),
		cmocka_unit_test(gradients_are_numerical),
		cmocka_unit_test(backward_takes_absent_gradients),
		cmocka_unit_test(padding_does_not_count),
		cmocka_unit_test(dropout_follows_its_counter),
		cmocka_unit_test(batchnorm_takes_open_sequences),
		cmocka_unit_test(windows_must_fit),
		cmocka_unit_test(types_must_fit),
		cmocka_unit_test(sizes_must_agree),
		cmocka_unit_test(overflow_is_refused),
		cmocka_unit_test(costs_are_counted),
		cmocka_unit_test(choice_takes_the_largest),
	};

	if (argc == 3 && strcmp(argv[1], "--dump") == 0)
		return dump(atoi(argv[2]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
