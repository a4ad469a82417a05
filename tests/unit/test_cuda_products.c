/* tests/unit/test_cuda_products.c - what NVIDIA's libraries compute on a card, against the oracles of arch/layer_*.c:
 * convolutions, dense layers; and recurrent layers, which are our kernels. On the emulated plugin the first two are a
 * test of the emulation and of the kernel for bias and ReLU; on the one that NAB_CUDA_PLUGIN names, of how the
 * libraries are called.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/kinds.h"
#include "tests/helper_cuda.h"
#include "tests/helper_layers.h"

enum { CASES = 40 };

static struct rng rng;

/* ---- convolutions ---------------------------------------------------------------------------------------- */

static struct cuda_op_conv conv_of(const struct layer_case *c)
{
	const struct conv2d *o = c->cfg;
	struct cuda_op_conv v = { .x = op_dims_of(c->in_shape, c->batch),
				  .y = op_dims_of(c->out_shape, c->batch),
				  .kh = o->kernel.v[0],
				  .kw = o->kernel.v[1],
				  .groups = 1 };

	for (int k = 0; k < 2; k++) {
		v.stride[k] = o->stride.v[k];
		v.dilation[k] = o->dilation.v[k];
		v.before[k] = o->padding.side[k];
		v.after[k] = o->padding.side[k + 2];
	}
	return v;
}

/* Of a weight [k][c][kh][kw] the card's [k pitch][kh][kw][c pitch]. Its padding of whole filters is no padding of
 * channels: room for both. */
static struct cuda_dims filter_dims(const struct cuda_op_conv *v)
{
	return (struct cuda_dims){ v->y.c, v->kh, v->kw, v->x.c, v->x.pitch };
}

static double *filters(struct op_run *r, const struct cuda_op_conv *v, const double *w)
{
	struct cuda_dims d = filter_dims(v), wide = d;
	double *out;

	wide.n = v->y.pitch;
	out = ARENA_ARRAY(r->arena, double, op_count(&wide));
	memcpy(out, op_rows(r, &d, w), (size_t)op_count(&d) * sizeof *out);
	return out;
}

static void give_filters(struct op_run *r, int slot, int elem, const struct cuda_op_conv *v, double *w)
{
	struct cuda_dims d = filter_dims(v);

	for (int64_t i = 0; i < (int64_t)d.n * d.c * d.h * d.w; i++)
		w[i] = op_rounded(elem, w[i]);
	d.n = v->y.pitch;
	op_values(r, slot, elem, op_count(&d), filters(r, v, w));
	r->buf[slot].dims = d;
	op_base(r, slot, elem == CUDA_BF16 ? CUDA_PARAMS16 : CUDA_PARAMS);
}

static void conv_forward(struct layer_case *c, int elem, bool relu)
{
	bool bias = c->n_params > 1;
	struct op_run r;
	double *y;

	op_begin(&r, CUDA_OP_CONV, &rng);
	r.op.u.conv = conv_of(c);
	r.op.u.conv.act = relu ? CUDA_ACT_RELU : CUDA_ACT_NONE;
	op_give(&r, 0, elem, r.op.u.conv.x, c->in[0]);
	give_filters(&r, 1, elem, &r.op.u.conv, c->param[0]);
	if (bias) {
		op_give(&r, 2, elem, op_dims(1, 1, 1, r.op.u.conv.y.c), c->param[1]);
		op_base(&r, 2, r.buf[1].base);
	}
	op_result(&r, 3, elem, r.op.u.conv.y);
	op_run(&r);
	case_forward(c);
	y = op_rows(&r, &r.op.u.conv.y, c->out[0]);
	for (int64_t i = 0; i < op_count(&r.op.u.conv.y); i++)
		y[i] = relu && y[i] < 0 ? 0 : y[i];
	op_expect(&r, 3, y);
	op_end(&r);
}

static void conv_backward(struct layer_case *c, int elem)
{
	struct cuda_op_conv v = conv_of(c);
	struct cuda_dims w = filter_dims(&v);
	struct op_run x, k;

	w.n = v.y.pitch;
	op_begin(&x, CUDA_OP_CONV_DATA, &rng);
	op_begin(&k, CUDA_OP_CONV_WEIGHT, &rng);
	x.op.u.conv = k.op.u.conv = v;
	op_give(&x, 0, elem, v.y, c->dout[0]);
	give_filters(&x, 1, elem, &v, c->param[0]);
	op_result(&x, 2, elem, v.x);
	op_give(&k, 0, elem, v.x, c->in[0]);
	op_give(&k, 1, elem, v.y, c->dout[0]);
	op_result(&k, 2, elem, w);
	op_base(&k, 2, CUDA_GRADS);
	op_run(&x);
	op_run(&k);
	case_backward(c);
	op_expect(&x, 2, op_rows(&x, &v.x, c->din[0]));
	op_expect(&k, 2, filters(&k, &v, c->dparam[0]));
	op_end(&x);
	op_end(&k);
}

static void test_conv(void **state)
{
	(void)state;
	cuda_test_plugin();
	for (int i = 0; i < CASES;) {
		struct layer_case c;

		case_new(&c, LAYER_conv2d, &rng);
		if (((const struct conv2d *)c.cfg)->groups == 1) {
			conv_forward(&c, i % 2, i / 2 % 2);
			conv_backward(&c, i % 2);
			i++;
		}
		case_free(&c);
	}
}

/* ---- dense ----------------------------------------------------------------------------------------------- */

/* A dense layer on a picture that was flattened is a convolution whose kernel is the picture. */
static void dense(int n, struct cuda_dims x, int units, int elem, bool relu)
{
	struct dense cfg = { .units = units, .bias = true };
	int features = x.c * x.h * x.w;
	struct shape in = shape_vector(features), out = shape_vector(units);
	struct cuda_dims y = op_dims(n, 1, 1, units);
	struct cuda_op_conv v = { .x = x, .y = y, .kh = x.h, .kw = x.w };
	struct arena *a = arena_new();
	double *xs = ARENA_ARRAY(a, double, n *features), *ys = ARENA_ARRAY(a, double, n *units);
	double *dx = ARENA_ARRAY(a, double, n *features), *dy = ARENA_ARRAY(a, double, n *units);
	double *param[2] = { ARENA_ARRAY(a, double, units *features), ARENA_ARRAY(a, double, units) };
	double *dparam[2] = { ARENA_ARRAY(a, double, units *features), ARENA_ARRAY(a, double, units) };
	struct layer_io io = { .cfg = &cfg,
			       .batch = n,
			       .in_shape = &in,
			       .out_shape = &out,
			       .in = (const double *const *)&xs,
			       .out = &ys,
			       .param = param,
			       .dout = (const double *const *)&dy,
			       .din = &dx,
			       .dparam = dparam };
	struct op_run f, d, w;

	for (int i = 0; i < n * features; i++)
		xs[i] = rng_normal(&rng);
	for (int i = 0; i < n * units; i++)
		dy[i] = rng_normal(&rng);
	for (int i = 0; i < units * features; i++)
		param[0][i] = rng_normal(&rng);
	for (int i = 0; i < units; i++)
		param[1][i] = rng_normal(&rng);
	op_begin(&f, CUDA_OP_DENSE, &rng);
	op_begin(&d, CUDA_OP_DENSE_DATA, &rng);
	op_begin(&w, CUDA_OP_DENSE_WEIGHT, &rng);
	f.op.u.dense = d.op.u.dense = w.op.u.dense = (struct cuda_op_dense){ .x = x, .y = y };
	f.op.u.dense.act = relu ? CUDA_ACT_RELU : CUDA_ACT_NONE;
	op_give(&f, 0, elem, x, xs);
	give_filters(&f, 1, elem, &v, param[0]);
	op_give(&f, 2, elem, op_dims(1, 1, 1, units), param[1]);
	op_base(&f, 2, f.buf[1].base);
	op_result(&f, 3, elem, y);
	op_give(&d, 0, elem, y, dy);
	give_filters(&d, 1, elem, &v, param[0]);
	op_result(&d, 2, elem, x);
	op_give(&w, 0, elem, x, xs);
	op_give(&w, 1, elem, y, dy);
	op_result(&w, 2, elem, d.buf[1].dims);
	op_base(&w, 2, CUDA_GRADS);
	op_run(&f);
	op_run(&d);
	op_run(&w);
	layer_classes[LAYER_dense]->forward(&io);
	layer_classes[LAYER_dense]->backward(&io);
	for (int i = 0; i < n * units; i++)
		ys[i] = relu && ys[i] < 0 ? 0 : ys[i];
	op_expect(&f, 3, op_rows(&f, &y, ys));
	op_expect(&d, 2, op_rows(&d, &x, dx));
	op_expect(&w, 2, filters(&w, &v, dparam[0]));
	op_end(&f);
	op_end(&d);
	op_end(&w);
	arena_free(a);
}

static void test_dense(void **state)
{
	(void)state;
	cuda_test_plugin();
	for (int elem = CUDA_F32; elem <= CUDA_BF16; elem++) {
		dense(1, op_dims(1, 1, 1, 1), 1, elem, false);
		dense(32, op_dims(32, 1, 1, 64), 10, elem, false);
		dense(7, op_dims(7, 3, 5, 11), 33, elem, true);
		dense(128, op_dims(128, 1, 1, 256), 64, elem, true);
	}
}

/* ---- recurrent layers ------------------------------------------------------------------------------------ */

enum { X, LENGTH, OUT, STATE, CELL, RESERVE, PARAMS = 7, DCELL = 15, DX, DPARAMS, OLD_STATE, OLD_CELL };
enum { DOUT = STATE, DSTATE = CELL }; /* of the backward */

static int place_of(const struct rnn *c, int k)
{
	return c->bias ? k : k / 2 * 4 + k % 2;
}

static struct cuda_op_recurrent recurrent_of(const struct layer_case *c, bool training)
{
	const struct rnn *o = c->cfg;

	return (struct cuda_op_recurrent){ .x = op_dims_of(c->in_shape, c->batch),
					   .y = op_dims_of(c->out_shape, c->batch),
					   .cell = c->kind == LAYER_rnn   ? 0
						   : c->kind == LAYER_gru ? 1
									  : 2,
					   .units = o->units,
					   .bidirectional = o->bidirectional,
					   .merge = o->merge,
					   .last = o->last,
					   .relu = c->kind == LAYER_rnn && o->activation,
					   .bias = o->bias,
					   .training = training };
}

static void give_layer(struct op_run *r, struct layer_case *c, int elem, const struct cuda_op_recurrent *op)
{
	double length[128];
	struct cuda_op plan = { .kind = CUDA_OP_RECURRENT, .u.recurrent = *op };

	op_give(r, X, elem, op->x, c->in[0]);
	for (int n = 0; c->length && n < c->batch; n++)
		length[n] = c->length[n];
	if (c->length)
		op_values(r, LENGTH, CUDA_I32, c->batch, length);
	plan.buf[X].elem = elem;
	if (op->training)
		op_flat(r, RESERVE, OP_BYTE, op_reserve(&plan));
	for (int k = 0; k < c->n_params; k++) {
		int64_t n = param_count(&c->spec[k]);
		double *rounded = op_values(r, PARAMS + place_of(c->cfg, k), elem, n, c->param[k]);

		memcpy(c->param[k], rounded, (size_t)n * sizeof *rounded);
		op_base(r, PARAMS + place_of(c->cfg, k), elem == CUDA_BF16 ? CUDA_PARAMS16 : CUDA_PARAMS);
	}
}

static void recurrent_forward(struct layer_case *c, int elem, bool training)
{
	struct op_run r;

	op_begin(&r, CUDA_OP_RECURRENT, &rng);
	r.op.u.recurrent = recurrent_of(c, training);
	give_layer(&r, c, elem, &r.op.u.recurrent);
	for (int k = 0; k < c->n_out; k++)
		op_result(&r, OUT + k, elem, op_dims_of(&c->out_shape[k], c->batch));
	op_run(&r);
	case_forward(c);
	for (int k = 0; k < c->n_out; k++)
		op_expect(&r, OUT + k, op_rows(&r, &r.buf[OUT + k].dims, c->out[k]));
	op_end(&r);
}

/* The forward leaves its outputs in OUT, OLD_STATE and OLD_CELL. */
static void put_before(struct op_run *r, const struct layer_case *c, int elem)
{
	r->has_before = true;
	r->before = (struct cuda_op){ .kind = CUDA_OP_RECURRENT, .u.recurrent = r->op.u.recurrent };
	for (int i = 0; i < CUDA_REFS; i++)
		if (i == X || i == LENGTH || i == OUT || i == RESERVE || (i >= PARAMS && i < DCELL))
			r->before_slot[i] = r->buf[i].base == CUDA_NONE ? 0 : i + 1;
	op_result(r, OUT, elem, r->op.u.recurrent.y);
	r->before_slot[OUT] = OUT + 1;
	for (int k = 1; k < c->n_out; k++) {
		op_result(r, OLD_STATE + k - 1, elem, op_dims_of(&c->out_shape[k], c->batch));
		r->before_slot[STATE + k - 1] = OLD_STATE + k;
	}
}

static void recurrent_backward(struct layer_case *c, int elem)
{
	struct op_run r;
	int64_t bytes = 0;
	unsigned char *poison;

	op_begin(&r, CUDA_OP_RECURRENT_BACK, &rng);
	r.op.u.recurrent = recurrent_of(c, true);
	give_layer(&r, c, elem, &r.op.u.recurrent);
	op_give(&r, DOUT, elem, r.op.u.recurrent.y, c->dout[0]);
	op_give(&r, DSTATE, elem, op_dims_of(&c->out_shape[1], c->batch), c->dout[1]);
	if (c->n_out > 2)
		op_give(&r, DCELL, elem, op_dims_of(&c->out_shape[2], c->batch), c->dout[2]);
	op_result(&r, DX, elem, r.op.u.recurrent.x);
	for (int k = 0; k < 8; k++)
		r.op.u.recurrent.grads[k] = -1;
	for (int k = 0; k < c->n_params; k++) {
		r.op.u.recurrent.grads[place_of(c->cfg, k)] = bytes;
		bytes += (param_count(&c->spec[k]) * 4 + 255) / 256 * 256;
	}
	poison = arena_alloc(r.arena, (size_t)bytes);
	memset(poison, 0xff, (size_t)bytes);
	op_bytes(&r, CUDA_GRADS, poison, bytes, true);
	put_before(&r, c, elem);
	op_flat(&r, DPARAMS, CUDA_F32, 1); /* names the base; where they lie stands in grads */
	op_base(&r, DPARAMS, CUDA_GRADS);
	op_run(&r);
	case_forward(c);
	case_backward(c);
	op_expect_within(&r, DX, op_rows(&r, &r.op.u.recurrent.x, c->din[0]), elem == CUDA_BF16 ? 2e-2 : 1e-5);
	for (int k = 0; k < c->n_params; k++) {
		const float *got = (const float *)((const char *)op_bytes_got(&r, CUDA_GRADS) +
						   r.op.u.recurrent.grads[place_of(c->cfg, k)]);
		double error = 0, size = 0;

		for (int64_t i = 0; i < param_count(&c->spec[k]); i++) {
			error += ((double)got[i] - c->dparam[k][i]) * ((double)got[i] - c->dparam[k][i]);
			size += c->dparam[k][i] * c->dparam[k][i];
		}
		assert_true(sqrt(error) <= (elem == CUDA_BF16 ? 2e-2 : 1e-5) * sqrt(size));
	}
	op_end(&r);
}

static const enum layer_kind recurrent_kinds[] = { LAYER_rnn, LAYER_gru, LAYER_lstm };

static void recurrent(struct layer_case *c, int elem)
{
	recurrent_forward(c, elem, false);
	recurrent_forward(c, elem, true);
	recurrent_backward(c, elem);
	case_free(c);
}

static void test_recurrent(void **state)
{
	(void)state;
	cuda_test_plugin();
	for (int i = 0; i < CASES; i++) {
		struct layer_case c;

		case_new(&c, recurrent_kinds[i % 3], &rng);
		recurrent(&c, i / 3 % 2);
	}
}

/* More than a tile of everything, several examples in a block, sums in several parts. */
static void test_large_recurrent(void **state)
{
	static const struct rnn layers[] = {
		{ .units = 40, .bidirectional = true, .bias = true },
		{ .units = 5, .bidirectional = true, .merge = 1, .bias = true },
		{ .units = 260, .last = 1, .bias = true },
		{ .units = 66 },
	};
	static const int sizes[][3] = {
		{ 67, 9, 60 }, { 3, 33, 40 }, { 10, 3, 9 }, { 130, 4, 9 }
	}; /* channels, steps, batch */

	(void)state;
	cuda_test_plugin();
	for (int i = 0; i < 12; i++) {
		const int *size = sizes[i / 3];
		struct layer_case c;

		case_of(&c, recurrent_kinds[i % 3], &layers[i / 3], shape_sequence(size[0], size[1], i / 3 != 3),
			size[2], &rng);
		recurrent(&c, i / 3 % 2 ? CUDA_BF16 : CUDA_F32);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conv),
		cmocka_unit_test(test_dense),
		cmocka_unit_test(test_recurrent),
		cmocka_unit_test(test_large_recurrent),
	};

	rng_init(&rng, test_seed(), 79);
	return cmocka_run_group_tests_name("cuda_products", tests, NULL, NULL);
}
