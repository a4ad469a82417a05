/* tests/unit/test_cuda_ops_b.c - operations of the CUDA backend against the oracles of arch/layer_*.c: norms, pools,
 * convolutions in groups, windows, forms, embeddings. On the emulated plugin, or on the one that NAB_CUDA_PLUGIN names.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/layer_common.h"
#include "tests/helper_cuda.h"
#include "tests/helper_layers.h"

static struct rng rng;

static int pick(int low, int high)
{
	return low + (int)rng_below(&rng, (uint32_t)(high - low + 1));
}

/* ---- the oracle's tensors and the card's ----------------------------------------------------------------- */

static struct cuda_dims dims_of(const struct shape *s, int batch)
{
	if (s->type == TENSOR_IMAGE)
		return op_dims(batch, s->d[1], s->d[2], s->d[0]);
	return s->type == TENSOR_SEQUENCE ? op_dims(batch, 1, s->d[1], s->d[0]) : op_dims(batch, 1, 1, s->d[0]);
}

/* Where element (n, c, place) of [n][c][h][w] lies in [n][h][w][pitch]. */
#define EACH_ELEMENT(d, from, to)                                                                \
	for (int64_t from = 0, to, count_ = (int64_t)(d)->h * (d)->w * (d)->c;                   \
	     from < count_ * (d)->n &&                                                           \
	     (to = (from / count_ * (count_ / (d)->c) + from % (count_ / (d)->c)) * (d)->pitch + \
		   from % count_ / (count_ / (d)->c)) >= 0;                                      \
	     from++)

/* t becomes an input; it is rounded, so that the oracle sees what the card sees. */
static void give(struct op_run *r, int slot, int elem, const struct cuda_dims *d, double *t)
{
	double *rows = op_tensor(r, slot, elem, *d);

	EACH_ELEMENT(d, from, to)
	{
		t[from] = op_rounded(elem, t[from]);
		rows[to] = t[from];
	}
}

static double *rows_of(struct op_run *r, const struct cuda_dims *d, const double *t)
{
	double *rows = ARENA_ARRAY(r->arena, double, op_count(d));

	EACH_ELEMENT(d, from, to)
	{
		rows[to] = t[from];
	}
	return rows;
}

static void give_vector(struct op_run *r, int slot, int elem, int c, double *t)
{
	struct cuda_dims d = op_dims(1, 1, 1, c);

	give(r, slot, elem, &d, t);
}

static void give_lengths(struct op_run *r, int slot, const struct layer_case *c)
{
	double length[64];

	for (int n = 0; c->length && n < c->batch; n++)
		length[n] = c->length[n];
	if (c->length)
		op_values(r, slot, CUDA_I32, c->batch, length);
}

/* Lengths from none to all, and zeros past the end of the inputs. */
static void redraw_lengths(struct layer_case *c)
{
	const struct shape *s = c->in_shape;
	int64_t count = shape_count(s), steps = s->d[s->type == TENSOR_SEQUENCE];

	for (int n = 0; c->length && n < c->batch; n++)
		c->length[n] = pick(0, (int)steps);
	for (int64_t i = 0; c->length && s->type == TENSOR_SEQUENCE && i < count * c->batch; i++)
		if (i % steps >= c->length[i / count])
			c->in[0][i] = 0;
}

/* Equal within what an element type can do: of the larger of the 2-norm of `want` and of numbers of size `floor`. */
static void expect(const struct op_run *r, int slot, const double *want, double floor)
{
	const double *got = op_got(r, slot);
	double error = 0, size = 0, tolerance = r->buf[slot].elem == CUDA_BF16 ? 1e-2 : 2e-5;
	int64_t n = r->buf[slot].n;

	for (int64_t i = 0; i < n; i++) {
		if (!isfinite(got[i]))
			op_fail(r, "buffer %d: element %lld is %g instead of %g", slot, (long long)i, got[i], want[i]);
		error += (got[i] - want[i]) * (got[i] - want[i]);
		size += want[i] * want[i];
	}
	size = fmax(sqrt(size), floor * sqrt((double)n));
	if (!(sqrt(error) <= tolerance * size))
		op_fail(r, "buffer %d: off by %g of %g", slot, sqrt(error), size);
}

/* ---- activations in double ------------------------------------------------------------------------------- */

static const struct act_row { /* of an operation, and the oracle's */
	enum cuda_act act;
	enum layer_kind kind;
	bool approximate;
} acts[] = {
	{ CUDA_ACT_RELU, LAYER_relu, false },
	{ CUDA_ACT_NONE, LAYER_relu, false },
	{ CUDA_ACT_RELU6, LAYER_relu6, false },
	{ CUDA_ACT_LEAKY_RELU, LAYER_leaky_relu, false },
	{ CUDA_ACT_ELU, LAYER_elu, false },
	{ CUDA_ACT_GELU, LAYER_gelu, false },
	{ CUDA_ACT_GELU_TANH, LAYER_gelu, true },
	{ CUDA_ACT_SILU, LAYER_silu, false },
	{ CUDA_ACT_HARD_SWISH, LAYER_hard_swish, false },
	{ CUDA_ACT_TANH, LAYER_tanh, false },
	{ CUDA_ACT_SIGMOID, LAYER_sigmoid, false },
};
enum { ACTS = sizeof acts / sizeof *acts };

/* y = act(x); g = dy * act'(x). Either may be NULL. */
static void act_oracle(const struct act_row *a, double alpha, int64_t n, const double *x, double *y, const double *dy,
		       double *g)
{
	struct leaky_relu slope = { alpha };
	struct elu elu = { alpha };
	struct gelu gelu = { a->approximate };
	struct shape s = shape_vector((int)n);
	struct layer_io io = { .batch = 1, .n_in = 1, .n_out = 1, .in_shape = &s, .out_shape = &s, .in = &x };

	io.cfg = a->kind == LAYER_elu ? (void *)&elu : a->kind == LAYER_gelu ? (void *)&gelu : (void *)&slope;
	io.out = &y;
	io.dout = &dy;
	io.din = &g;
	if (y && a->act == CUDA_ACT_NONE)
		memcpy(y, x, (size_t)n * sizeof *x);
	else if (y)
		layer_classes[a->kind]->forward(&io);
	if (!g)
		return;
	memset(g, 0, (size_t)n * sizeof *g);
	if (a->act == CUDA_ACT_NONE)
		memcpy(g, dy, (size_t)n * sizeof *g);
	else
		layer_classes[a->kind]->backward(&io);
}

/* ---- BATCHNORM, GROUPNORM -------------------------------------------------------------------------------- */

struct norm_case {
	struct layer_case c;
	struct cuda_dims d;
	const struct act_row *act;
	int elem;
	bool affine, residual, dx, dparams, dresidual;
	double *more, *pre, *g; /* residual; before the activation; dy of that */
	int64_t n;
	struct cuda_op_norm op;
	struct layer_case pool; /* of op.pooled: what comes after the activation */
	int saves;              /* its saved places */
};

static void norm_case(struct norm_case *k, enum layer_kind kind, const void *cfg, struct shape s, int batch,
		      bool affine)
{
	struct layer_case *c = &k->c;

	case_of(c, kind, cfg, s, batch, &rng);
	redraw_lengths(c);
	k->elem = pick(CUDA_F32, CUDA_BF16);
	k->act = &acts[pick(0, 3) ? pick(0, 1) : pick(0, ACTS - 1)];
	k->affine = affine;
	k->residual = rng_below(&rng, 2);
	k->dx = pick(0, 4) > 0;
	k->dparams = pick(0, 4) > 0;
	k->dresidual = k->residual && pick(0, 3) > 0;
	k->d = dims_of(&s, batch);
	k->n = shape_count(&s) * batch;
	k->more = ARENA_ARRAY(c->arena, double, k->n);
	k->pre = ARENA_ARRAY(c->arena, double, k->n);
	k->g = ARENA_ARRAY(c->arena, double, k->n);
	for (int64_t i = 0; i < k->n; i++)
		k->more[i] =
		    k->residual && layer_valid(&c->io, &s, (int)(i / shape_count(&s)), i) ? rng_normal(&rng) : 0;
	k->op = (struct cuda_op_norm){ .x = k->d, .training = c->io.training, .act = (int32_t)k->act->act, .a = 0.25f };
}

static bool norm_counts(const struct norm_case *k, int64_t i)
{
	return layer_valid(&k->c.io, k->c.in_shape, (int)(i / shape_count(k->c.in_shape)), i);
}

/* Inputs common to both directions. params: of weight and bias. */
static void norm_inputs(struct norm_case *k, struct op_run *r, const struct cuda_dims *params)
{
	struct layer_case *c = &k->c;

	give(r, 0, k->elem, &k->d, c->in[0]);
	if (k->residual)
		give(r, 8, k->elem, &k->d, k->more);
	give_lengths(r, 7, c);
	r->op.u.norm = k->op;
	for (int i = 0; k->affine && i < 2; i++)
		give(r, 2 + i, CUDA_F32, params, c->param[i]);
}

/* y of the oracle's normalised values */
static double *norm_wanted(struct norm_case *k)
{
	struct layer_case *c = &k->c;

	case_forward(c);
	for (int64_t i = 0; i < k->n; i++)
		k->pre[i] = c->out[0][i] + k->more[i];
	act_oracle(k->act, 0.25, k->n, k->pre, c->out[0], NULL, NULL);
	for (int64_t i = 0; i < k->n; i++)
		c->out[0][i] = norm_counts(k, i) ? c->out[0][i] : 0;
	return c->out[0];
}

/* One more term of dy. */
static void give_more(struct norm_case *k, struct op_run *r, int slot)
{
	double *term = ARENA_ARRAY(k->c.arena, double, k->n);

	for (int64_t i = 0; i < k->n; i++)
		term[i] = rng_normal(&rng);
	give(r, slot, k->elem, &k->d, term);
	for (int64_t i = 0; i < k->n; i++)
		((double *)k->c.dout[0])[i] += term[i];
}

static void norm_gradients(struct norm_case *k, struct op_run *r, const struct cuda_dims *params, double floor)
{
	struct layer_case *c = &k->c;
	const double *g = k->g;

	if (k->op.pooled) {
		give(r, 1, k->elem, &k->op.pool.y, k->pool.dout[0]);
		case_backward(&k->pool);
		memcpy(c->dout[0], k->pool.din[0], (size_t)k->n * sizeof(double));
	} else {
		give(r, 1, k->elem, &k->d, c->dout[0]);
	}
	for (int i = 0, n = k->op.groups || k->op.pooled ? 0 : pick(0, CUDA_TERMS - 1); i < n; i++)
		give_more(k, r, 14 + i);
	act_oracle(k->act, 0.25, k->n, k->pre, NULL, c->dout[0], k->g);
	c->io.dout = &g;
	case_backward(c);
	if (k->dx)
		op_result(r, 10, k->elem, k->d);
	if (k->dresidual)
		op_result(r, 13, k->elem, k->d);
	for (int i = 0; k->dparams && k->affine && i < 2; i++) {
		op_result(r, 11 + i, CUDA_F32, *params);
		op_base(r, 11 + i, CUDA_GRADS);
	}
	op_run(r);
	if (k->dx)
		expect(r, 10, rows_of(r, &k->d, c->din[0]), floor);
	for (int64_t i = 0; i < k->n; i++)
		k->g[i] = norm_counts(k, i) ? k->g[i] : 0;
	if (k->dresidual)
		expect(r, 13, rows_of(r, &k->d, k->g), 0);
	for (int i = 0; k->dparams && k->affine && i < 2; i++)
		expect(r, 11 + i, rows_of(r, params, c->dparam[i]), 0.1);
}

typedef int64_t set_fn(const struct norm_case *k, int64_t i); /* to which set an element belongs */

/* Mean and 1 / sqrt(var + eps) of every set, 0 and 0 of an empty one; returns the smallest number of elements. */
static int64_t moments(const struct norm_case *k, set_fn *of, int64_t sets, double *mean, double *inv, int64_t step)
{
	int64_t *count = ARENA_ARRAY(k->c.arena, int64_t, sets), least = INT64_MAX;

	for (int64_t i = 0; i < k->n; i++)
		if (norm_counts(k, i)) {
			mean[of(k, i) * step] += k->c.in[0][i];
			count[of(k, i)]++;
		}
	for (int64_t s = 0; s < sets; s++)
		mean[s * step] /= count[s] ? (double)count[s] : 1;
	for (int64_t i = 0; i < k->n; i++)
		if (norm_counts(k, i))
			inv[of(k, i) * step] += pow(k->c.in[0][i] - mean[of(k, i) * step], 2);
	for (int64_t s = 0; s < sets; s++) {
		inv[s * step] = count[s] ? 1 / sqrt(inv[s * step] / (double)count[s] + 1e-5) : 0;
		least = count[s] && count[s] < least ? count[s] : least;
	}
	return least;
}

/* Of few elements, gradients cancel: errors are then judged beside the largest factor. */
static double floor_of(int64_t least, const double *inv, int64_t sets, int64_t step)
{
	double top = 0;

	for (int64_t s = 0; s < sets && least < 8; s++)
		top = fmax(top, inv[s * step]);
	return top;
}

static int64_t channel_of(const struct norm_case *k, int64_t i)
{
	return i / ((int64_t)k->d.h * k->d.w) % k->d.c;
}

static struct cuda_op_pool pool_op(const struct layer_case *c, const struct cuda_dims *x, const struct cuda_dims *y)
{
	bool max = c->kind == LAYER_maxpool2d || c->kind == LAYER_maxpool1d;
	struct cuda_op_pool o = { .x = *x, .y = *y, .max = max, .size = { 1, 1 }, .stride = { 1, 1 } };
	const struct pool2d *p = c->cfg;
	const struct pool1d *q = c->cfg;

	if (c->in_shape->type == TENSOR_IMAGE) {
		o.count_pad = p->count_pad;
		for (int i = 0; i < 2; i++) {
			o.size[i] = p->size.v[i], o.stride[i] = p->stride.v[i];
			o.before[i] = p->padding.side[i], o.after[i] = p->padding.side[i + 2];
		}
		return o;
	}
	o.count_pad = q->count_pad;
	o.size[1] = q->size, o.stride[1] = q->stride;
	o.before[1] = q->padding.side[1], o.after[1] = q->padding.side[3];
	return o;
}

/* A random pool of the results, but for vectors. */
static void draw_pool(struct norm_case *k, struct shape s, int batch)
{
	static const enum layer_kind kinds[] = { LAYER_maxpool2d,     LAYER_avgpool2d, LAYER_globalmaxpool,
						 LAYER_globalavgpool, LAYER_maxpool1d, LAYER_avgpool1d };
	bool line = s.type == TENSOR_SEQUENCE;
	enum layer_kind kind = kinds[line ? pick(2, 5) : pick(0, 3)];
	bool whole = kind == LAYER_globalmaxpool || kind == LAYER_globalavgpool, pad = rng_below(&rng, 2);
	struct pool2d two = { .ceil = rng_below(&rng, 2), .count_pad = rng_below(&rng, 2) };
	struct pool1d one = { .stride = 1, .padding = { .same = 1 }, .count_pad = two.count_pad };
	struct cuda_dims x = dims_of(&s, batch), y;
	struct empty none = { 0 };

	for (int i = 0; i < 2 && !line; i++) {
		two.size.v[i] = pick(1, s.d[1 + i] < 4 ? s.d[1 + i] : 4);
		two.stride.v[i] = pick(0, 2) ? two.size.v[i] : pick(1, 3);
		two.padding.side[i] = two.padding.side[i + 2] = pad ? two.size.v[i] / 2 : 0;
	}
	one.size = pick(1, 4);
	if (line && !s.open && one.size <= s.d[1] && pad)
		one = (struct pool1d){ .size = one.size, .stride = pick(1, 4), .ceil = two.ceil };
	case_of(&k->pool, kind, whole ? (void *)&none : line ? (void *)&one : (void *)&two, s, batch, &rng);
	for (int i = 0; i < batch && k->c.length; i++)
		k->pool.length[i] = k->c.length[i];
	y = dims_of(k->pool.out_shape, batch);
	k->op.pooled = whole ? CUDA_POOLED_WHOLE : CUDA_POOLED;
	k->op.pool = whole ? (struct cuda_op_pool){ .x = x, .y = y, .max = kind == LAYER_globalmaxpool }
			   : pool_op(&k->pool, &x, &y);
	k->saves = whole ? CUDA_I32 : OP_BYTE;
}

/* BATCHNORM's result, pooled or not, and the places of maxima. */
static void norm_results(struct norm_case *k, struct op_run *r)
{
	const struct cuda_op_pool *o = &k->op.pool;

	op_result(r, 1, k->elem, k->op.pooled ? o->y : k->d);
	if (k->op.pooled && o->max)
		op_flat(r, 9, k->saves, op_count(&o->y));
}

static void expect_norm_results(struct norm_case *k, struct op_run *r)
{
	double *want = norm_wanted(k);

	if (!k->op.pooled) {
		expect(r, 1, rows_of(r, &k->d, want), 0.01);
		return;
	}
	memcpy(k->pool.in[0], want, (size_t)k->n * sizeof *want);
	case_forward(&k->pool);
	expect(r, 1, rows_of(r, &k->op.pool.y, k->pool.out[0]), 0.01);
}

static void batchnorm(struct shape s, int batch)
{
	struct batchnorm cfg = { 1e-5, 0.1, rng_below(&rng, 2) };
	struct norm_case k;
	struct cuda_dims vector = op_dims(1, 1, 1, s.d[0]), two = vector;
	struct op_run r, b;
	double *stat[2], *saved, floor = 0;

	norm_case(&k, LAYER_batchnorm, &cfg, s, batch, cfg.affine);
	if (s.type != TENSOR_VECTOR && rng_below(&rng, 3))
		draw_pool(&k, s, batch);
	k.op.eps = cfg.eps, k.op.momentum = cfg.momentum;
	two.n = 2;
	saved = ARENA_ARRAY(k.c.arena, double, 2L * k.d.c);
	op_begin(&r, CUDA_OP_BATCHNORM, &rng);
	norm_inputs(&k, &r, &vector);
	norm_results(&k, &r);
	for (int i = 0; i < 2; i++) {
		stat[i] = k.c.param[(cfg.affine ? 2 : 0) + i];
		give_vector(&r, 4 + i, CUDA_F32, k.d.c, stat[i]);
		op_base(&r, 4 + i, CUDA_STATS);
		if (k.op.training)
			op_changes(&r, 4 + i);
	}
	if (k.op.training)
		op_result(&r, 6, CUDA_F32, two);
	op_run(&r);
	expect_norm_results(&k, &r);
	if (k.op.training) {
		int64_t least = moments(&k, channel_of, k.d.c, saved, saved + k.d.c, 1);

		floor = floor_of(least, saved + k.d.c, k.d.c, 1);
	}
	for (int i = 0; i < 2; i++)
		expect(&r, 4 + i, rows_of(&r, &vector, stat[i]), 0.01);
	if (k.op.training)
		expect(&r, 6, rows_of(&r, &two, saved), 0.01);
	op_begin(&b, CUDA_OP_BATCHNORM_BACK, &rng);
	norm_inputs(&k, &b, &vector);
	if (k.op.training)
		give(&b, 6, CUDA_F32, &two, saved);
	for (int i = 0; i < 2 && !k.op.training; i++)
		give_vector(&b, 4 + i, CUDA_F32, k.d.c, stat[i]);
	if (k.op.pooled && k.op.pool.max)
		op_values(&b, 9, k.saves, op_count(&k.op.pool.y), op_got(&r, 9));
	norm_gradients(&k, &b, &vector, floor);
	op_end(&b);
	op_end(&r);
	case_free(&k.c);
	if (k.op.pooled)
		case_free(&k.pool);
}

static struct shape norm_shape(int i)
{
	switch (i % 4) {
	case 0:
		return shape_vector(pick(1, 40));
	case 1:
		return shape_sequence(pick(1, 20), pick(1, 12), true);
	case 2:
		return shape_sequence(pick(1, 70), pick(1, 12), false);
	default:
		return shape_image(pick(1, 40), pick(1, 7), pick(1, 7));
	}
}

static void test_batchnorm(void **state)
{
	(void)state;
	cuda_test_plugin();
	for (int i = 0; i < 60; i++)
		batchnorm(norm_shape(i), pick(1, 9));
	for (int i = 0; i < 6; i++) { /* rows in several parts; many channels; lengths among parts */
		batchnorm(shape_image(pick(17, 24), 20, 19), 8);
		batchnorm(shape_image(8, 40, 40), 6);
		batchnorm(shape_vector(600), 5);
		batchnorm(shape_sequence(pick(1, 12), 290, true), 20);
	}
	for (int i = 0; i < 3; i++) { /* tiles of channels and parts of rows; more parts than rows at a time */
		batchnorm(shape_image(83, 28, 30), 4);
		batchnorm(shape_image(61, 47, 48), 4);
	}
}

/* A mean of ten thousand deviations: sums of squares would leave no digit of the variance. */
static void test_large_means(void **state)
{
	(void)state;
	cuda_test_plugin();
	for (int kind = 0; kind < 4; kind++) {
		struct cuda_dims d = op_dims(kind % 2 ? 2 : 40, 16, 12, 8);
		int64_t set = kind / 2 ? (int64_t)d.h * d.w * d.c : 0, n = op_count(&d);
		struct op_run r;
		double *x, *y, zero[8] = { 0 };

		op_begin(&r, kind / 2 ? CUDA_OP_GROUPNORM : CUDA_OP_BATCHNORM, &rng);
		x = op_tensor(&r, 0, CUDA_F32, d);
		for (int64_t i = 0; i < n; i++)
			x[i] = 10000 + x[i];
		op_round(&r, 0);
		op_result(&r, 1, CUDA_F32, d);
		for (int i = 4; i < 6 && !set; i++) {
			op_values(&r, i, CUDA_F32, 8, zero);
			op_changes(&r, i);
		}
		op_flat(&r, 6, CUDA_F32, set ? 2 * d.n : 16);
		r.op.u.norm = (struct cuda_op_norm){ .x = d, .training = 1, .groups = 1, .eps = 1e-5, .momentum = 0.1 };
		op_run(&r);
		y = ARENA_ARRAY(r.arena, double, n);
		for (int64_t i = 0; i < n; i++) {
			int64_t first = set ? i / set * set : i % 8, step = set ? 1 : 8, count = set ? set : n / 8;
			double mean = 0, var = 0;

			if (i >= 200)
				break;
			for (int64_t j = 0; j < count; j++)
				mean += x[first + j * step] / (double)count;
			for (int64_t j = 0; j < count; j++)
				var += pow(x[first + j * step] - mean, 2) / (double)count;
			y[i] = (x[i] - mean) / sqrt(var + 1e-5);
			if (fabs(op_got(&r, 1)[i] - y[i]) > 2e-3)
				op_fail(&r, "%g instead of %g", op_got(&r, 1)[i], y[i]);
		}
		op_end(&r);
	}
}

static int64_t set_of(const struct norm_case *k, int64_t i)
{
	int64_t places = (int64_t)k->d.h * k->d.w, n = i / (places * k->d.c);

	if (k->op.steps)
		return n * places + i % places;
	return n * k->op.groups + i / places % k->d.c / (k->d.c / k->op.groups);
}

static void groupnorm(enum layer_kind kind, struct shape s, int batch, int groups)
{
	struct groupnorm group = { groups, 1e-5, rng_below(&rng, 2) };
	struct layernorm layer = { 1e-5, group.affine };
	bool whole = kind == LAYER_layernorm && s.type == TENSOR_IMAGE;
	struct cuda_dims params = whole ? dims_of(&s, 1) : op_dims(1, 1, 1, s.d[0]);
	int64_t sets;
	struct norm_case k;
	struct op_run r, b;
	double *saved, floor;

	norm_case(&k, kind, kind == LAYER_groupnorm ? (void *)&group : (void *)&layer, s, batch, group.affine);
	k.op.eps = 1e-5, k.op.groups = groups, k.op.whole = whole;
	k.op.steps = kind == LAYER_layernorm && s.type == TENSOR_SEQUENCE;
	sets = (int64_t)batch * (k.op.steps ? k.d.w : groups);
	saved = ARENA_ARRAY(k.c.arena, double, 2 * sets);
	op_begin(&r, CUDA_OP_GROUPNORM, &rng);
	norm_inputs(&k, &r, &params);
	floor = floor_of(moments(&k, set_of, sets, saved, saved + 1, 2), saved + 1, sets, 2);
	op_result(&r, 1, k.elem, k.d);
	op_flat(&r, 6, CUDA_F32, 2 * sets);
	op_run(&r);
	expect(&r, 1, rows_of(&r, &k.d, norm_wanted(&k)), 0.01);
	expect(&r, 6, saved, 0.01);
	op_begin(&b, CUDA_OP_GROUPNORM_BACK, &rng);
	norm_inputs(&k, &b, &params);
	op_values(&b, 6, CUDA_F32, 2 * sets, saved);
	norm_gradients(&k, &b, &params, floor);
	op_end(&b);
	op_end(&r);
	case_free(&k.c);
}

static void test_groupnorm(void **state)
{
	(void)state;
	cuda_test_plugin();
	for (int i = 0; i < 24; i++) {
		int groups = pick(1, 5), each = i % 3 ? pick(1, 5) : 8 * pick(1, 3);

		groupnorm(LAYER_layernorm, norm_shape(i), pick(1, 5), 1);
		groupnorm(LAYER_groupnorm, shape_image(groups * each, pick(1, 6), pick(1, 6)), pick(1, 4), groups);
		groupnorm(LAYER_groupnorm, shape_sequence(groups * each, pick(1, 9), false), pick(1, 4), groups);
	}
	for (int i = 0; i < 3; i++) { /* sets for whole blocks, rows in several parts */
		groupnorm(LAYER_groupnorm, shape_image(24, 21, 19), 4, i ? 3 : 4);
		groupnorm(LAYER_layernorm, shape_image(11, 14, 13), 3, 1);
		groupnorm(LAYER_layernorm, shape_sequence(20, 120, true), 24, 1);
		groupnorm(LAYER_layernorm, shape_vector(3001), 2, 1);
	}
}

/* ---- POOL, GLOBALPOOL ------------------------------------------------------------------------------------ */

/* Whole numbers: windows with ties. */
static void make_ties(struct layer_case *c)
{
	int64_t n = shape_count(c->in_shape) * c->batch;

	for (int64_t i = 0; i < n; i++)
		c->in[0][i] = round(c->in[0][i]);
}

/* Results of a relu at dy's places: the oracle's dy becomes 0 where they are. */
static void undo_relu(struct op_run *r, int slot, int elem, const struct cuda_dims *d, struct layer_case *c)
{
	int64_t n = shape_count(c->out_shape) * c->batch;
	double *relu = ARENA_ARRAY(r->arena, double, n);

	for (int64_t i = 0; i < n; i++)
		relu[i] = fmax(rng_normal(&rng), 0);
	give(r, slot, elem, d, relu);
	for (int64_t i = 0; i < n; i++)
		((double *)c->dout[0])[i] *= relu[i] > 0;
}

/* BIAS_GRADIENT through the same pool: from the inputs of its backward, and the oracle's result. */
static void pool_bias(struct layer_case *c, struct op_run *back, const struct cuda_op_pool *o, enum cuda_pooled how,
		      int saves)
{
	int elem = back->buf[1].elem;
	double *g = rows_of(back, &o->x, c->din[0]), *sums = ARENA_ARRAY(back->arena, double, o->x.pitch);
	struct cuda_dims db = op_dims(1, 1, 1, o->x.c);
	struct op_run r;

	op_begin(&r, CUDA_OP_BIAS_GRADIENT, &rng);
	op_values(&r, 0, elem, op_count(&o->y), back->buf[1].value);
	op_result(&r, 1, CUDA_F32, db);
	op_base(&r, 1, CUDA_GRADS);
	if (back->buf[4].base)
		op_values(&r, 2, elem, op_count(&o->y), back->buf[4].value);
	op_result(&r, 3, elem, o->x);
	if (o->max)
		op_values(&r, 4, saves, op_count(&o->y), back->buf[0].value);
	r.op.u.bias = (struct cuda_op_bias){ .x = o->x, .pooled = (int32_t)how, .pool = *o };
	for (int64_t i = 0; i < op_count(&o->x); i++)
		sums[i % o->x.pitch] += g[i];
	op_run(&r);
	expect(&r, 3, g, 0);
	expect(&r, 1, sums, 0.1);
	op_end(&r);
}

static void pool(struct layer_case *c)
{
	struct cuda_dims x = dims_of(c->in_shape, c->batch), y = dims_of(c->out_shape, c->batch);
	struct cuda_op_pool o = pool_op(c, &x, &y);
	int elem = pick(CUDA_F32, CUDA_BF16), saves = o.size[0] * o.size[1] > 255 ? CUDA_I32 : OP_BYTE;
	struct op_run r, b;

	redraw_lengths(c);
	if (rng_below(&rng, 2))
		make_ties(c);
	op_begin(&r, CUDA_OP_POOL, &rng);
	give(&r, 0, elem, &x, c->in[0]);
	op_result(&r, 1, elem, y);
	if (o.max)
		op_flat(&r, 2, saves, op_count(&y));
	give_lengths(&r, 3, c);
	r.op.u.pool = o;
	op_run(&r);
	case_forward(c);
	expect(&r, 1, rows_of(&r, &y, c->out[0]), 0);
	op_begin(&b, CUDA_OP_POOL_BACK, &rng);
	if (o.max)
		op_values(&b, 0, saves, op_count(&y), op_got(&r, 2));
	give(&b, 1, elem, &y, c->dout[0]);
	if (rng_below(&rng, 2))
		undo_relu(&b, 4, elem, &y, c);
	op_result(&b, 2, elem, x);
	give_lengths(&b, 3, c);
	b.op.u.pool = o;
	case_backward(c);
	op_run(&b);
	expect(&b, 2, rows_of(&b, &x, c->din[0]), 0);
	if (!c->length)
		pool_bias(c, &b, &o, CUDA_POOLED, saves);
	op_end(&b);
	op_end(&r);
}

static void test_pool(void **state)
{
	static const enum layer_kind kinds[] = { LAYER_maxpool2d, LAYER_avgpool2d, LAYER_maxpool1d, LAYER_avgpool1d };
	struct pool2d wide = { .size = { { 17, 16 } }, .stride = { { 3, 2 } }, .padding = { .side = { 4, 3, 5, 2 } } };
	struct pool2d bytes = { .size = { { 15, 17 } }, .stride = { { 2, 1 } }, .padding = { .side = { 7, 8, 7, 8 } } };
	struct pool2d usual = { .size = { { 3, 3 } }, .stride = { { 2, 2 } }, .padding = { .side = { 1, 1, 1, 1 } } };
	struct layer_case c;

	(void)state;
	cuda_test_plugin();
	for (int i = 0; i < 200; i++) {
		case_new(&c, kinds[i % 4], &rng);
		pool(&c);
		case_free(&c);
	}
	for (int i = 0; i < 6; i++) {
		case_of(&c, kinds[i % 2], i < 2 ? &wide : i < 4 ? &bytes : &usual, shape_image(11, 21, 19), 3, &rng);
		pool(&c);
		case_free(&c);
	}
	for (int i = 0; i < 40; i++) {
		struct pool1d open = {
			.size = pick(1, 6), .stride = 1, .padding = { .same = 1 }, .count_pad = i / 2 % 2
		};

		case_of(&c, kinds[2 + i % 2], &open, shape_sequence(pick(1, 12), pick(1, 9), true), pick(1, 5), &rng);
		pool(&c);
		case_free(&c);
	}
}

static void globalpool(enum layer_kind kind, struct shape s, int batch)
{
	struct empty none = { 0 };
	struct layer_case c;
	struct cuda_dims x = dims_of(&s, batch), y = op_dims(batch, 1, 1, s.d[0]);
	struct cuda_op_pool o = { .x = x, .y = y, .max = kind == LAYER_globalmaxpool };
	int elem = pick(CUDA_F32, CUDA_BF16);
	struct op_run r, b;

	case_of(&c, kind, &none, s, batch, &rng);
	redraw_lengths(&c);
	if (rng_below(&rng, 2))
		make_ties(&c);
	op_begin(&r, CUDA_OP_GLOBALPOOL, &rng);
	give(&r, 0, elem, &x, c.in[0]);
	op_result(&r, 1, elem, y);
	if (o.max)
		op_flat(&r, 2, CUDA_I32, op_count(&y));
	give_lengths(&r, 3, &c);
	r.op.u.pool = o;
	op_run(&r);
	case_forward(&c);
	expect(&r, 1, rows_of(&r, &y, c.out[0]), 0);
	op_begin(&b, CUDA_OP_GLOBALPOOL_BACK, &rng);
	if (o.max)
		op_values(&b, 0, CUDA_I32, op_count(&y), op_got(&r, 2));
	give(&b, 1, elem, &y, c.dout[0]);
	if (rng_below(&rng, 2))
		undo_relu(&b, 4, elem, &y, &c);
	op_result(&b, 2, elem, x);
	give_lengths(&b, 3, &c);
	b.op.u.pool = o;
	op_run(&b);
	case_backward(&c);
	expect(&b, 2, rows_of(&b, &x, c.din[0]), 0);
	if (!c.length)
		pool_bias(&c, &b, &o, CUDA_POOLED_WHOLE, CUDA_I32);
	op_end(&b);
	op_end(&r);
	case_free(&c);
}

static void test_globalpool(void **state)
{
	(void)state;
	cuda_test_plugin();
	for (int i = 0; i < 40; i++) {
		enum layer_kind kind = i % 2 ? LAYER_globalmaxpool : LAYER_globalavgpool;

		globalpool(kind, shape_image(pick(1, 90), pick(1, 9), pick(1, 9)), pick(1, 5));
		globalpool(kind, shape_sequence(pick(1, 30), pick(1, 70), i % 4 < 2), pick(1, 9));
	}
}

/* ---- GROUPED --------------------------------------------------------------------------------------------- */

/* The oracle's weights [k][c][taps] in the order of the card, [k][taps][c], or back. */
static void exchange_weights(double *to, const double *from, int k, int taps, int c, bool back)
{
	for (int o = 0; o < k; o++)
		for (int t = 0; t < taps; t++)
			for (int i = 0; i < c; i++) {
				int card = (o * taps + t) * c + i, oracle = (o * c + i) * taps + t;

				to[back ? oracle : card] = from[back ? card : oracle];
			}
}

static struct cuda_op_conv conv_op(const struct conv2d *v, const struct cuda_dims *x, const struct cuda_dims *y)
{
	struct cuda_op_conv o = { .x = *x, .y = *y, .kh = v->kernel.v[0], .kw = v->kernel.v[1], .groups = v->groups };

	for (int i = 0; i < 2; i++) {
		o.stride[i] = v->stride.v[i], o.dilation[i] = v->dilation.v[i];
		o.before[i] = v->padding.side[i], o.after[i] = v->padding.side[i + 2];
	}
	return o;
}

struct grouped {
	struct layer_case c;
	struct cuda_op_conv o;
	struct act_row act;
	int elem, taps, per;
	int64_t n, weights;
	double *w, *g; /* weights as the card has them; dy before the activation */
};

static void grouped_forward(struct grouped *k)
{
	struct layer_case *c = &k->c;
	struct op_run r;

	op_begin(&r, CUDA_OP_GROUPED, &rng);
	give(&r, 0, k->elem, &k->o.x, c->in[0]);
	op_values(&r, 1, k->elem, k->weights, k->w);
	if (c->n_params > 1)
		give_vector(&r, 2, k->elem, k->o.y.c, c->param[1]);
	op_result(&r, 3, k->elem, k->o.y);
	r.op.u.conv = k->o;
	r.op.u.conv.act = (int32_t)k->act.act;
	case_forward(c);
	act_oracle(&k->act, 0, k->n, c->out[0], c->out[0], NULL, NULL);
	op_run(&r);
	expect(&r, 3, rows_of(&r, &k->o.y, c->out[0]), 0.01);
	op_end(&r);
}

static void grouped_backward(struct grouped *k)
{
	struct layer_case *c = &k->c;
	int grad = k->elem == CUDA_BF16 && rng_below(&rng, 2) ? CUDA_BF16 : CUDA_F32;
	struct op_run r, w;
	double *want = ARENA_ARRAY(c->arena, double, k->weights);

	op_begin(&r, CUDA_OP_GROUPED_DATA, &rng);
	op_begin(&w, CUDA_OP_GROUPED_WEIGHT, &rng);
	give(&r, 0, k->elem, &k->o.y, c->dout[0]);
	op_values(&r, 1, k->elem, k->weights, k->w);
	op_result(&r, 2, k->elem, k->o.x);
	r.op.u.conv = w.op.u.conv = k->o;
	give(&w, 0, k->elem, &k->o.x, c->in[0]);
	give(&w, 1, k->elem, &k->o.y, c->dout[0]);
	op_flat(&w, 2, grad, k->weights);
	op_base(&w, 2, CUDA_GRADS);
	case_backward(c);
	exchange_weights(want, c->dparam[0], k->o.y.c, k->taps, k->per, false);
	op_run(&r);
	op_run(&w);
	expect(&r, 2, rows_of(&r, &k->o.x, c->din[0]), 0.01);
	expect(&w, 2, want, 0.01);
	op_end(&r);
	op_end(&w);
}

static void grouped(const struct conv2d *v, int channels, int h, int w, int batch)
{
	struct grouped k;
	double *rounded;

	case_of(&k.c, LAYER_conv2d, v, shape_image(channels, h, w), batch, &rng);
	k.elem = pick(CUDA_F32, CUDA_BF16);
	k.o = conv_op(k.c.cfg, &(struct cuda_dims){ 0 }, &(struct cuda_dims){ 0 });
	k.o.x = dims_of(k.c.in_shape, batch);
	k.o.y = dims_of(k.c.out_shape, batch);
	k.act = acts[pick(0, 1)];
	k.taps = k.o.kh * k.o.kw;
	k.per = channels / v->groups;
	k.n = shape_count(k.c.out_shape) * batch;
	k.weights = (int64_t)v->filters * k.taps * k.per;
	k.w = ARENA_ARRAY(k.c.arena, double, k.weights);
	rounded = k.c.param[0];
	for (int64_t i = 0; i < k.weights; i++)
		rounded[i] = op_rounded(k.elem, rounded[i]);
	exchange_weights(k.w, rounded, v->filters, k.taps, k.per, false);
	grouped_forward(&k);
	grouped_backward(&k);
	case_free(&k.c);
}

static void random_grouped(bool depthwise)
{
	int groups = pick(depthwise ? 1 : 2, depthwise ? 20 : 5), per = depthwise ? 1 : pick(1, 10);
	struct conv2d v = { .filters = groups * pick(1, depthwise ? 3 : 10),
			    .groups = groups,
			    .kernel = { { pick(1, 4), pick(1, 4) } },
			    .stride = { { pick(1, 4), pick(1, 4) } },
			    .dilation = { { pick(1, 2), pick(1, 2) } },
			    .bias = rng_below(&rng, 2) };

	for (int i = 0; i < 4; i++)
		v.padding.side[i] = pick(0, 2);
	grouped(&v, groups * per, pick(7, 11), pick(7, 11), pick(1, 3));
}

static void test_grouped(void **state)
{
	struct conv2d many = {
		.filters = 34, .groups = 2, .kernel = { { 3, 3 } }, .stride = { { 1, 1 } }, .dilation = { { 1, 1 } }
	};
	struct conv2d huge = {
		.filters = 48, .groups = 48, .kernel = { { 17, 17 } }, .stride = { { 1, 1 } }, .dilation = { { 1, 1 } }
	};
	struct conv2d deep = {
		.filters = 24, .groups = 24, .kernel = { { 3, 3 } }, .stride = { { 1, 1 } }, .dilation = { { 1, 1 } }
	};
	struct conv2d wide = {
		.filters = 20, .groups = 5, .kernel = { { 3, 3 } }, .stride = { { 1, 1 } }, .dilation = { { 1, 1 } }
	};

	(void)state;
	cuda_test_plugin();
	for (int i = 0; i < 60; i++)
		random_grouped(i % 2);
	for (int i = 0; i < 4; i++)
		deep.padding.side[i] = wide.padding.side[i] = 1;
	for (int i = 0; i < 2; i++) {
		grouped(&many, 80, 6, 5, 2);   /* more weights of a channel than a block keeps */
		grouped(&huge, 48, 18, 19, 1); /* a depthwise kernel that no block can keep */
		grouped(&deep, 24, 26, 25, 5); /* rows in several parts */
		grouped(&wide, 40, 17, 40, 5);
	}
}

/* ---- PAD, UPSAMPLE --------------------------------------------------------------------------------------- */

static void window(struct layer_case *c, enum cuda_op_kind forward, enum cuda_op_kind back,
		   const struct cuda_op_window *o)
{
	int elem = pick(CUDA_F32, CUDA_BF16);
	struct op_run r, b;

	op_begin(&r, forward, &rng);
	give(&r, 0, elem, &o->x, c->in[0]);
	op_result(&r, 1, elem, o->y);
	r.op.u.window = *o;
	case_forward(c);
	op_run(&r);
	expect(&r, 1, rows_of(&r, &o->y, c->out[0]), 0);
	op_begin(&b, back, &rng);
	give(&b, 0, elem, &o->y, c->dout[0]);
	op_result(&b, 1, elem, o->x);
	b.op.u.window = *o;
	case_backward(c);
	op_run(&b);
	expect(&b, 1, rows_of(&b, &o->x, c->din[0]), 0);
	op_end(&b);
	op_end(&r);
}

static void pad(struct layer_case *c)
{
	const struct zeropad2d *p = c->cfg;
	struct cuda_op_window o = { .x = dims_of(c->in_shape, c->batch), .y = dims_of(c->out_shape, c->batch) };

	for (int k = 0; k < 2; k++)
		o.before[k] = p->padding.side[k], o.after[k] = p->padding.side[k + 2];
	window(c, CUDA_OP_PAD, CUDA_OP_PAD_BACK, &o);
}

static void upsample(struct layer_case *c)
{
	const struct upsample2d *p = c->cfg;
	struct cuda_op_window o = { .x = dims_of(c->in_shape, c->batch),
				    .y = dims_of(c->out_shape, c->batch),
				    .factor = { p->factor.v[0], p->factor.v[1] },
				    .mode = p->mode };

	window(c, CUDA_OP_UPSAMPLE, CUDA_OP_UPSAMPLE_BACK, &o);
}

static void test_window(void **state)
{
	struct zeropad2d one = { .padding = { .side = { 1, 0, 0, 1 } } };
	struct layer_case c;

	(void)state;
	cuda_test_plugin();
	case_of(&c, LAYER_zeropad2d, &one, shape_image(2, 9000, 1), 2, &rng); /* more rows than a grid has at once */
	pad(&c);
	case_free(&c);
	for (int i = 0; i < 80; i++) {
		case_new(&c, i % 2 ? LAYER_zeropad2d : LAYER_upsample2d, &rng);
		if (i % 2)
			pad(&c);
		else
			upsample(&c);
		case_free(&c);
	}
}

/* ---- REORDER, CHANNELS ----------------------------------------------------------------------------------- */

static void reorder(struct cuda_dims in, struct cuda_dims out)
{
	int64_t n = (int64_t)in.n * in.h * in.w * in.c;
	int elem = pick(CUDA_F32, CUDA_BF16);
	struct op_run r;
	double *t;

	op_begin(&r, CUDA_OP_REORDER, &rng);
	t = ARENA_ARRAY(r.arena, double, n);
	for (int64_t i = 0; i < n; i++)
		t[i] = rng_normal(&rng);
	give(&r, 0, elem, &in, t);
	op_result(&r, 1, elem, out);
	r.op.u.order = (struct cuda_op_order){ in, out };
	op_run(&r);
	op_expect_bits(&r, 1, rows_of(&r, &out, t));
	op_end(&r);
}

static void test_reorder(void **state)
{
	(void)state;
	cuda_test_plugin();
	for (int i = 0; i < 60; i++) {
		int f[4], n = pick(1, 4);

		for (int k = 0; k < 4; k++)
			f[k] = pick(1, 5);
		reorder(op_dims(n, f[0] * f[1], f[2], f[3]), op_dims(n, f[2], f[3] * f[0], f[1]));
		reorder(op_dims(n, f[0], f[1], f[2] * f[3]), op_dims(n, 1, 1, f[0] * f[1] * f[2] * f[3]));
		reorder(op_dims(n, 1, 1, f[0] * f[1] * f[2]), op_dims(n, 1, f[0], f[1] * f[2]));
	}
}

/* Slices that together are the whole of an output, as concat has them. */
static void test_channels(void **state)
{
	(void)state;
	cuda_test_plugin();
	for (int i = 0; i < 120; i++) {
		int unit = i % 3 ? 1 : 8, from = unit * pick(0, 3),
		    count = unit * pick(1, 3) + (i % 6 ? 0 : pick(0, 7));
		int to = unit * pick(0, 2), last = i % 2 || i % 6 == 0, elem = pick(CUDA_F32, CUDA_BF16);
		struct cuda_dims in = op_dims(pick(1, 3), pick(1, 4), pick(1, 4), from + count + pick(0, 9)), out = in;
		struct op_run r;
		double *x, *y, *want;

		out.c = to + count + (last ? 0 : pick(0, 9));
		out.pitch = cuda_pitch(out.c);
		op_begin(&r, CUDA_OP_CHANNELS, &rng);
		x = op_tensor(&r, 0, elem, in);
		y = op_tensor(&r, 1, elem, out);
		if (last) /* nobody else writes the padding */
			for (int64_t k = 0; k < op_count(&out); k++)
				y[k] = k % out.pitch < out.c ? y[k] : 7;
		op_changes(&r, 1);
		want = ARENA_ARRAY(r.arena, double, op_count(&out));
		for (int64_t k = 0; k < op_count(&out); k++) {
			int c = (int)(k % out.pitch);

			want[k] = c >= out.c ? 0 : y[k];
			if (c >= to && c < to + count)
				want[k] = x[k / out.pitch * in.pitch + from + c - to];
		}
		r.op.u.slice = (struct cuda_op_slice){ in, out, from, to, count, last };
		op_run(&r);
		op_expect_bits(&r, 1, want);
		op_end(&r);
	}
}

/* ---- EMBED ----------------------------------------------------------------------------------------------- */

/* hot: the share of places with the token 1 */
static void embed(int batch, int steps, int vocabulary, int features, double hot)
{
	struct embedding cfg = { vocabulary, features };
	struct shape s = { TENSOR_TOKENS, rng_below(&rng, 2), { steps, 0, 0 } };
	struct layer_case c;
	struct cuda_dims y = op_dims(batch, 1, steps, features), table = op_dims(1, 1, vocabulary, features);
	int elem = pick(CUDA_F32, CUDA_BF16);
	struct op_run r, b;
	double *weight, *want;

	case_of(&c, LAYER_embedding, &cfg, s, batch, &rng);
	redraw_lengths(&c);
	for (int64_t i = 0; i < (int64_t)batch * steps; i++)
		if (vocabulary > 1 && rng_real(&rng) < hot)
			c.in[0][i] = 1;
	op_begin(&r, CUDA_OP_EMBED, &rng);
	op_values(&r, 0, CUDA_I32, (int64_t)batch * steps, c.in[0]);
	weight = op_tensor(&r, 1, elem, table);
	for (int64_t i = 0; i < (int64_t)vocabulary * features; i++) {
		c.param[0][i] = op_rounded(elem, c.param[0][i]);
		weight[i / features * table.pitch + i % features] = c.param[0][i];
	}
	op_result(&r, 2, elem, y);
	give_lengths(&r, 3, &c);
	r.op.u.embed = (struct cuda_op_embed){ .y = y, .vocabulary = vocabulary };
	case_forward(&c);
	op_run(&r);
	op_expect_bits(&r, 2, rows_of(&r, &y, c.out[0]));
	op_begin(&b, CUDA_OP_EMBED_BACK, &rng);
	op_values(&b, 0, CUDA_I32, (int64_t)batch * steps, c.in[0]);
	give(&b, 1, elem, &y, c.dout[0]);
	op_result(&b, 2, CUDA_F32, table);
	op_base(&b, 2, CUDA_GRADS);
	give_lengths(&b, 3, &c);
	b.op.u.embed = r.op.u.embed;
	case_backward(&c);
	want = ARENA_ARRAY(b.arena, double, op_count(&table));
	for (int64_t i = 0; i < (int64_t)vocabulary * features; i++)
		want[i / features * table.pitch + i % features] = c.dparam[0][i];
	op_run(&b);
	expect(&b, 2, want, 0);
	op_end(&b);
	op_end(&r);
	case_free(&c);
}

static void test_embed(void **state)
{
	(void)state;
	cuda_test_plugin();
	for (int i = 0; i < 30; i++)
		embed(pick(1, 5), pick(1, 20), pick(1, 40), pick(1, 90), 0.2);
	embed(3, 1000, 50, 12, 0.6); /* keys of two tiles */
	embed(7, 900, 3, 20, 0.5);
	embed(5, 1900, 700, 5, 0.1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batchnorm), cmocka_unit_test(test_large_means), cmocka_unit_test(test_groupnorm),
		cmocka_unit_test(test_pool),      cmocka_unit_test(test_globalpool),  cmocka_unit_test(test_grouped),
		cmocka_unit_test(test_window),    cmocka_unit_test(test_reorder),     cmocka_unit_test(test_channels),
		cmocka_unit_test(test_embed),
	};

	rng_init(&rng, test_seed(), 78);
	return cmocka_run_group_tests_name("cuda_ops_b", tests, NULL, NULL);
}
