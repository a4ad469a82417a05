/* tests/unit/test_cuda_step.c - what frames a training step on a card: the batch, the loss, the gradient's norm, the
 * update. The batch is compared with train/batch.c bit for bit, the rest with train/loss.c and train/optim.c in
 * double. On the emulated plugin, or on the one that NAB_CUDA_PLUGIN names.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "tests/helper_cuda.h"
#include "tests/helper_data.h"
#include "tests/helper_layers.h"
#include "tests/helper_ok.h"
#include "train/batch.h"
#include "train/loss.h"
#include "train/optim.h"

static struct rng rng;

/* ---- GATHER ---------------------------------------------------------------------------------------------- */

struct packed { /* a data set as it lies in CUDA_DATA */
	unsigned char *bytes;
	int64_t n;
};

static int64_t pack(struct packed *p, const void *from, int64_t bytes)
{
	int64_t at = p->n;

	if (!from)
		return -1;
	memcpy(p->bytes + at, from, (size_t)bytes);
	p->n = (at + bytes + CUDA_ALIGN - 1) / CUDA_ALIGN * CUDA_ALIGN;
	return at;
}

/* Channels last, without padding. */
static void turn(const struct dataset *d, void *out)
{
	struct cuda_dims m = op_dims_of(&d->shape, 1);
	int64_t places = (int64_t)m.h * m.w, per = places * m.c;

	for (int64_t i = 0; i < d->n * per; i++) {
		int64_t to = i / per * per + i % per % places * m.c + i % per / places;

		if (d->u8)
			((uint8_t *)out)[to] = d->u8[i];
		else
			((float *)out)[to] = d->f32[i];
	}
}

static void pack_data(struct packed *p, struct cuda_op_gather *g, const struct dataset *d, const uint32_t *train,
		      int64_t n_train, struct arena *a)
{
	int64_t count = d->n * shape_count(&d->shape) * (d->u8 ? 1 : 4);
	void *turned = arena_alloc(a, (size_t)count);

	p->bytes = arena_alloc(a, (size_t)(count + d->n * 16 + n_train * 4 + d->channels * 8 + 10 * CUDA_ALIGN));
	turn(d, turned);
	g->data = pack(p, turned, count);
	g->bytes = d->u8 != NULL;
	g->label = pack(p, d->task == TASK_REGRESS ? NULL : d->label, d->n * 4);
	g->target = pack(p, d->target, d->n * 4);
	g->length = pack(p, d->length, d->n * 4);
	g->train = pack(p, train, n_train * 4);
	g->mean = pack(p, d->channels ? d->mean : NULL, d->channels * 4);
	g->std = pack(p, d->channels ? d->std : NULL, d->channels * 4);
	g->n_train = (uint32_t)n_train;
}

static void copy_augments(struct cuda_op_gather *g, const struct recipe *r, uint64_t seed)
{
	uint64_t seen[AUGMENT_COUNT] = { 0 };

	g->n_augment = r->n_augment;
	for (int i = 0; i < r->n_augment; i++) {
		const struct augment *from = &r->augment[i];
		uint64_t kind = (uint64_t)from->kind;
		struct philox_key key = philox_key(seed, PURPOSE_AUGMENT, kind + AUGMENT_COUNT * seen[kind]++);

		g->augment[i] =
		    (struct cuda_augment){ (int32_t)kind, from->pad, from->size, { key.k[0], key.k[1] }, from->p };
	}
}

struct gather_case {
	struct blobs blobs;
	struct augment augment[RECIPE_AUGMENTS];
	int n_augment, batch;
};

struct gather_run {
	const struct gather_case *c;
	struct dataset *d;
	struct batcher *batcher;
	struct recipe recipe;
	struct op_run op;
	struct batch want;
	uint32_t *train;
	int64_t n_train;
	uint64_t seed;
};

static void gather_begin(struct gather_run *g, const struct gather_case *c, int elem)
{
	struct packed p = { 0 };
	struct philox_key key;
	struct cuda_dims x;

	*g = (struct gather_run){ .c = c, .seed = rng_u32(&rng) };
	op_begin(&g->op, CUDA_OP_GATHER, &rng);
	g->d = blobs_new(&c->blobs, g->op.arena);
	g->n_train = g->d->n_split[0] - 2; /* a part of the split, in another order */
	g->train = ARENA_ARRAY(g->op.arena, uint32_t, g->n_train);
	for (int64_t i = 0; i < g->n_train; i++)
		g->train[i] = g->d->split[0][(i * 7 + 3) % g->d->n_split[0]];
	g->recipe = (struct recipe){ .batch = c->batch, .n_augment = c->n_augment };
	memcpy(g->recipe.augment, c->augment, sizeof c->augment);
	OK(batcher_new(&g->batcher, g->d, &g->recipe, &g->d->shape, g->train, g->n_train, g->seed, &bad));
	OK(batch_init(&g->want, &g->d->shape, c->batch, &bad));
	pack_data(&p, &g->op.op.u.gather, g->d, g->train, g->n_train, g->op.arena);
	op_bytes(&g->op, CUDA_DATA, p.bytes, p.n, false);
	x = op_dims_of(&g->d->shape, c->batch);
	g->op.op.u.gather.x = x;
	key = philox_key(g->seed, PURPOSE_SHUFFLE, 0);
	memcpy(g->op.op.u.gather.shuffle_key, key.k, sizeof key.k);
	copy_augments(&g->op.op.u.gather, &g->recipe, g->seed);
	op_result(&g->op, 0, x.pitch == 1 ? CUDA_I32 : elem, x);
	op_flat(&g->op, 1, CUDA_I32, c->batch);
	op_flat(&g->op, 2, CUDA_F32, c->batch);
	op_flat(&g->op, 3, CUDA_I32, c->batch);
	op_flat(&g->op, 4, CUDA_I32, c->batch);
}

static void gather_end(struct gather_run *g)
{
	batch_release(&g->want);
	batcher_free(g->batcher);
	op_end(&g->op);
}

static void expect_batch(struct gather_run *g)
{
	struct cuda_dims x = g->op.op.u.gather.x;
	int64_t places = (int64_t)x.h * x.w, n = op_count(&x);
	double *want = ARENA_ARRAY(g->op.arena, double, n);
	bool steps = g->d->shape.type == TENSOR_SEQUENCE || g->d->shape.type == TENSOR_TOKENS;

	for (int64_t i = 0; i < n; i++) {
		int64_t c = i % x.pitch, place = i / x.pitch % places, e = i / x.pitch / places;

		if (c < x.c)
			want[i] = op_rounded(g->op.buf[0].elem, (double)g->want.x[(e * x.c + c) * places + place]);
	}
	op_expect_bits(&g->op, 0, want);
	for (int i = 0; i < x.n; i++) {
		assert_int_equal(op_got(&g->op, 1)[i], g->want.label[i]);
		assert_true(op_got(&g->op, 2)[i] == (double)g->want.target[i]);
		assert_int_equal(op_got(&g->op, 3)[i], steps ? g->want.length[i] : x.w);
		assert_int_equal(op_got(&g->op, 4)[i], g->want.sample[i]);
	}
}

static void gather_train(const struct gather_case *c, int elem, int64_t step)
{
	struct gather_run g;
	struct cuda_step steps[3] = { { 0 } };
	int64_t per;

	gather_begin(&g, c, elem);
	per = batcher_steps_per_epoch(g.batcher);
	steps[2].epoch = (uint32_t)(step / per);
	steps[2].position = (uint32_t)(step % per) * (uint32_t)c->batch;
	op_bytes(&g.op, CUDA_STEPS, steps, sizeof steps, false);
	g.op.control = (struct cuda_control){ .at = 2, .source = CUDA_TRAIN, .augment = 1, .drop = 1 };
	op_run(&g.op);
	batcher_step(g.batcher, step, &g.want);
	expect_batch(&g);
	gather_end(&g);
}

/* The second batch of a list that ends within it. */
static void gather_list(const struct gather_case *c, int elem)
{
	struct gather_run g;
	uint32_t list[512], index[256];
	int listed = c->batch + (c->batch + 1) / 2;

	gather_begin(&g, c, elem);
	for (int i = 0; i < listed; i++)
		list[i] = rng_below(&rng, (uint32_t)g.d->n);
	for (int i = 0; i < c->batch; i++)
		index[i] = list[c->batch + i < listed ? c->batch + i : 0];
	op_bytes(&g.op, CUDA_INDEX, list, listed * 4, false);
	g.op.control = (struct cuda_control){ .at = 1, .source = CUDA_LIST, .listed = listed };
	op_run(&g.op);
	batcher_gather(g.batcher, index, c->batch, &g.want);
	expect_batch(&g);
	gather_end(&g);
}

static void gather_raw(const struct gather_case *c, int elem)
{
	struct gather_run g;
	int64_t per, listed = 2 * c->batch;
	float *raw;

	gather_begin(&g, c, elem);
	per = shape_count(&g.d->shape);
	raw = ARENA_ARRAY(g.op.arena, float, listed *per);
	for (int64_t i = 0; i < listed * per; i++)
		raw[i] = g.d->shape.type == TENSOR_TOKENS ? (float)rng_below(&rng, 9) : (float)rng_normal(&rng);
	op_bytes(&g.op, CUDA_INDEX, raw, listed * per * 4, false);
	g.op.control = (struct cuda_control){ .at = 1, .source = CUDA_RAW, .listed = listed };
	op_run(&g.op);
	memcpy(g.want.x, raw + c->batch * per, (size_t)(c->batch * per) * sizeof *raw);
	for (int i = 0; i < c->batch; i++) {
		g.want.label[i] = 0;
		g.want.target[i] = 0;
		g.want.length[i] = g.op.op.u.gather.x.w;
		g.want.sample[i] = (uint32_t)(c->batch + i);
	}
	expect_batch(&g);
	gather_end(&g);
}

#define FLIP                                    \
	{                                       \
		.kind = AUGMENT_HFLIP, .p = 0.5 \
	}
static const struct gather_case gather_cases[] = {
	{ { .shape = { TENSOR_IMAGE, false, { 3, 8, 10 } }, .classes = 5, .n = { 60, 9, 9 }, .bytes = true },
	  { { 0 } },
	  0,
	  20 },
	{ { .shape = { TENSOR_IMAGE, false, { 1, 28, 28 } }, .classes = 3, .n = { 40, 9, 9 }, .bytes = true },
	  { FLIP, { .kind = AUGMENT_CROP, .pad = 4 }, { .kind = AUGMENT_CUTOUT, .size = 9, .p = 0.8 } },
	  3,
	  19 },
	{ { .shape = { TENSOR_IMAGE, false, { 11, 7, 5 } }, .classes = 0, .n = { 40, 9, 9 } },
	  { { .kind = AUGMENT_CUTOUT, .size = 2, .p = 1 },
	    { .kind = AUGMENT_VFLIP, .p = 0.5 },
	    { .kind = AUGMENT_CROP, .pad = 6 },
	    FLIP,
	    { .kind = AUGMENT_CROP, .pad = 1 },
	    { .kind = AUGMENT_CUTOUT, .size = 3, .p = 0.5 },
	    FLIP,
	    { .kind = AUGMENT_CUTOUT, .size = 3, .p = 0.5 } },
	  8,
	  7 },
	{ { .shape = { TENSOR_VECTOR, false, { 37 } }, .classes = 2, .n = { 30, 9, 9 } }, { { 0 } }, 0, 28 },
	{ { .shape = { TENSOR_VECTOR, false, { 8 } }, .classes = 0, .n = { 30, 9, 9 }, .bytes = true },
	  { { 0 } },
	  0,
	  1 },
	{ { .shape = { TENSOR_SEQUENCE, true, { 3, 21 } }, .classes = 4, .n = { 50, 9, 9 }, .open = true },
	  { { 0 } },
	  0,
	  12 },
	{ { .shape = { TENSOR_SEQUENCE, false, { 9, 300 } }, .classes = 4, .n = { 20, 9, 9 } }, { { 0 } }, 0, 5 },
	{ { .shape = { TENSOR_TOKENS, true, { 33 } }, .classes = 4, .n = { 50, 9, 9 }, .open = true },
	  { { 0 } },
	  0,
	  16 },
	{ { .shape = { TENSOR_TOKENS, false, { 600 } }, .classes = 4, .n = { 20, 9, 9 } }, { { 0 } }, 0, 3 },
};

static void test_gather(void **state)
{
	(void)state;
	cuda_test_plugin();
	for (size_t i = 0; i < sizeof gather_cases / sizeof *gather_cases; i++)
		for (int elem = CUDA_F32; elem <= CUDA_BF16; elem++) {
			for (int64_t step = 0; step < 9; step += 4)
				gather_train(&gather_cases[i], elem, step);
			gather_list(&gather_cases[i], elem);
			gather_raw(&gather_cases[i], elem);
		}
}

/* ---- LOGITS ---------------------------------------------------------------------------------------------- */

static void logits_case(int n, int width, int64_t at, int64_t listed, int elem)
{
	struct op_run r;
	struct cuda_dims d = op_dims(n, 1, 1, width);
	int64_t rows = listed + 3;
	float *out;
	double *z;

	op_begin(&r, CUDA_OP_LOGITS, &rng);
	z = op_tensor(&r, 0, elem, d);
	out = ARENA_ARRAY(r.arena, float, rows *width);
	memset(out, 0xff, (size_t)(rows * width) * sizeof *out);
	op_bytes(&r, CUDA_OUT, out, rows * width * 4, true);
	r.op.u.logits.z = d;
	r.control = (struct cuda_control){ .at = at, .listed = listed, .source = CUDA_LIST };
	op_run(&r);
	assert_int_equal(r.control.at, at + 1);
	memcpy(out, op_bytes_got(&r, CUDA_OUT), (size_t)(rows * width) * sizeof *out);
	for (int64_t row = 0; row < rows; row++)
		for (int c = 0; c < width; c++) {
			bool written = row >= at * n && row < (at + 1) * n && row < listed;

			if (written)
				assert_true((double)out[row * width + c] == z[(row - at * n) * d.pitch + c]);
			else
				assert_true(isnan(out[row * width + c]));
		}
	op_end(&r);
}

static void test_logits(void **state)
{
	(void)state;
	cuda_test_plugin();
	for (int elem = CUDA_F32; elem <= CUDA_BF16; elem++) {
		logits_case(1, 1, 0, 1, elem);
		logits_case(7, 10, 2, 20, elem); /* 6 rows are left */
		logits_case(128, 10, 1, 256, elem);
		logits_case(100, 257, 0, 100, elem);
	}
}

/* ---- LOSS ------------------------------------------------------------------------------------------------ */

struct loss_case {
	int n, width;
	enum loss_kind kind;
	bool regress, ends, evaluate; /* evaluate: no gradient */
	double smoothing;
};

static struct cuda_control busy(void)
{
	return (struct cuda_control){ .at = 3, .loss = 7.5, .norm = 2.25, .correct = 11, .examples = 100 };
}

/* Of terms that may cancel: errors are judged beside their sizes. */
static void expect_sums(const struct op_run *r, const double *sums, const double *terms)
{
	const struct op_buffer *dz = &r->buf[3];
	double size[2048] = { 0 };

	for (int64_t i = 0; i < dz->n; i++)
		size[i % dz->dims.pitch] += fabs(terms[i]);
	for (int c = 0; c < dz->dims.pitch; c++)
		assert_true(fabs(op_got(r, 4)[c] - sums[c]) <= 1e-6 * size[c] + 1e-30);
}

static void loss_case(const struct loss_case *c, int elem, bool ties)
{
	struct op_run r;
	struct cuda_dims d = op_dims(c->n, 1, 1, c->width);
	struct loss l = { c->kind, c->regress ? TASK_REGRESS : TASK_CLASSIFY, c->width, c->smoothing, NULL };
	struct loss_sum sum = { 0 };
	double *z, *plain, *want;
	int32_t *label;
	float *target;

	op_begin(&r, CUDA_OP_LOSS, &rng);
	z = op_tensor(&r, 0, elem, d);
	label = ARENA_ARRAY(r.arena, int32_t, c->n);
	target = ARENA_ARRAY(r.arena, float, c->n);
	op_values(&r, 1, CUDA_I32, c->n, NULL);
	op_values(&r, 2, CUDA_F32, c->n, NULL);
	for (int i = 0; i < c->n; i++) {
		r.buf[1].value[i] = label[i] = (int32_t)rng_below(&rng, (uint32_t)c->width);
		target[i] = (float)r.buf[2].value[i];
	}
	plain = ARENA_ARRAY(r.arena, double, c->n * c->width);
	want = ARENA_ARRAY(r.arena, double, op_count(&d));
	l.row = ARENA_ARRAY(r.arena, double, c->width);
	for (int i = 0; i < c->n * c->width; i++) {
		double *v = &z[i / c->width * d.pitch + i % c->width];

		*v = ties ? (double)rng_below(&rng, 3) : op_rounded(elem, 4 * *v);
		plain[i] = *v;
	}
	if (!c->evaluate) {
		op_result(&r, 3, elem, d);
		op_result(&r, 4, CUDA_F32, op_dims(1, 1, 1, c->width));
		op_base(&r, 4, CUDA_GRADS);
	}
	r.op.u.loss = (struct cuda_op_loss){ d, c->kind == LOSS_MSE, c->regress, c->ends, c->smoothing };
	r.control = busy();
	op_run(&r);
	loss_f64(&l, plain, c->n, c->regress ? NULL : label, target, plain, &sum);
	for (int i = 0; i < c->n * c->width; i++)
		want[i / c->width * d.pitch + i % c->width] = plain[i];
	if (!c->evaluate) {
		double *sums = ARENA_ARRAY(r.arena, double, d.pitch);

		op_expect(&r, 3, want);
		for (int64_t i = 0; i < op_count(&d); i++)
			sums[i % d.pitch] += op_got(&r, 3)[i];
		expect_sums(&r, sums, want);
	}
	assert_true(fabs(r.control.step_loss - sum.loss) <= 1e-9 * fabs(sum.loss));
	assert_true(fabs(r.control.loss - 7.5 - sum.loss) <= 1e-9 * fabs(sum.loss));
	assert_int_equal(r.control.correct, 11 + sum.correct);
	assert_int_equal(r.control.examples, 100 + c->n);
	assert_int_equal(r.control.at, c->ends ? 4 : 3);
	assert_int_equal(r.control.diverged, 0);
	op_end(&r);
}

static void test_loss(void **state)
{
	static const struct loss_case cases[] = {
		{ 1, 1, LOSS_CROSS_ENTROPY, false, true, false, 0 },
		{ 128, 10, LOSS_CROSS_ENTROPY, false, false, false, 0.1 },
		{ 33, 2, LOSS_CROSS_ENTROPY, false, false, true, 0 },
		{ 300, 10, LOSS_CROSS_ENTROPY, false, false, false, 0 },
		{ 5, 1000, LOSS_CROSS_ENTROPY, false, true, false, 0.05 },
		{ 17, 33, LOSS_MSE, false, false, false, 0.1 },
		{ 64, 1, LOSS_MSE, true, false, false, 0 },
	};

	(void)state;
	cuda_test_plugin();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (int elem = CUDA_F32; elem <= CUDA_BF16; elem++)
			for (int ties = 0; ties < 2; ties++)
				loss_case(&cases[i], elem, ties);
}

/* A logit that is not finite gives a loss that is not; a step after one that diverged counts nowhere. */
static void test_loss_diverges(void **state)
{
	(void)state;
	cuda_test_plugin();
	for (int bad_logit = 0; bad_logit < 3; bad_logit++)
		for (int before = 0; before < 2; before++) {
			struct op_run r;
			struct cuda_dims d = op_dims(40, 1, 1, 10);

			op_begin(&r, CUDA_OP_LOSS, &rng);
			op_tensor(&r, 0, CUDA_F32, d)[5 * d.pitch + 3] =
			    (double[]){ (double)NAN, (double)INFINITY, 1 }[bad_logit];
			op_values(&r, 1, CUDA_I32, d.n, ARENA_ARRAY(r.arena, double, d.n));
			op_result(&r, 3, CUDA_F32, d);
			r.op.u.loss = (struct cuda_op_loss){ .z = d, .ends = 1 };
			r.control = busy();
			r.control.diverged = before;
			op_run(&r);
			assert_int_equal(isfinite(r.control.step_loss), bad_logit == 2);
			assert_int_equal(r.control.diverged, before || bad_logit < 2);
			if (before) {
				assert_true(r.control.loss == 7.5);
				assert_int_equal(r.control.examples, 100);
				assert_int_equal(r.control.correct, 11);
			}
			op_end(&r);
		}
}

/* ---- NORM_OF_GRADIENT, OPTIMIZE ------------------------------------------------------------------------------ */

struct tensors { /* of a network that has a few */
	int n;
	int64_t first[8], count[8], total;
	int elem[8];
	bool decay[8], frozen[8];
	struct cuda_chunk chunk[256];
	int n_chunks;
	float *grads; /* [total], as they lie in CUDA_GRADS; a bf16 gradient in the first half of its tensor */
	double *g;    /* [total] their values */
};

static void tensors_new(struct tensors *t, struct arena *a, bool bf16)
{
	static const int64_t counts[] = { 1, 5000, 31, 2048, 2049, 8, 4096, 700 };
	int64_t span = bf16 ? 61 : CUDA_CHUNK; /* small ones: more than there are blocks */

	*t = (struct tensors){ .n = 8 };
	for (int i = 0; i < t->n; i++) {
		t->first[i] = t->total;
		t->count[i] = counts[i];
		t->elem[i] = bf16 && i % 2 ? CUDA_BF16 : CUDA_F32;
		t->decay[i] = i % 3 != 2;
		t->frozen[i] = i == 4;
		t->total += (counts[i] + 63) / 64 * 64;
		for (int64_t at = 0; at < counts[i] && !t->frozen[i]; at += span)
			t->chunk[t->n_chunks++] = (struct cuda_chunk){
				.first = t->first[i] + at,
				.grad = t->first[i] * 4 + at * (t->elem[i] == CUDA_BF16 ? 2 : 4),
				.count = (int32_t)(counts[i] - at < span ? counts[i] - at : span),
				.decay = t->decay[i],
				.elem = t->elem[i],
			};
	}
	t->grads = ARENA_ARRAY(a, float, t->total);
	t->g = ARENA_ARRAY(a, double, t->total);
	memset(t->grads, 0xff, (size_t)t->total * sizeof *t->grads); /* what is frozen or padding is not read */
	for (int i = 0; i < t->n; i++)
		for (int64_t k = 0; k < t->count[i]; k++) {
			double v = op_rounded(t->elem[i], rng_normal(&rng));
			float f = (float)v;
			uint32_t u;

			memcpy(&u, &f, sizeof u);
			if (t->elem[i] == CUDA_BF16)
				((uint16_t *)(t->grads + t->first[i]))[k] = (uint16_t)(u >> 16);
			else
				t->grads[t->first[i] + k] = f;
			t->g[t->first[i] + k] = v;
		}
}

static double square_sum(const struct tensors *t)
{
	double sum = 0;

	for (int i = 0; i < t->n; i++)
		for (int64_t k = 0; k < t->count[i] && !t->frozen[i]; k++)
			sum += t->g[t->first[i] + k] * t->g[t->first[i] + k];
	return sum;
}

static void norm_begin(struct op_run *r, struct tensors *t, bool bf16, double clip)
{
	op_begin(r, CUDA_OP_NORM_OF_GRADIENT, &rng);
	tensors_new(t, r->arena, bf16);
	op_bytes(r, CUDA_GRADS, t->grads, t->total * 4, false);
	op_bytes(r, CUDA_CHUNKS, t->chunk, t->n_chunks * (int64_t)sizeof *t->chunk, false);
	r->op.u.update = (struct cuda_op_update){ .n_chunks = t->n_chunks, .clip = clip };
	r->control = busy();
	r->control.step_loss = 1.5;
}

static void test_norm(void **state)
{
	(void)state;
	cuda_test_plugin();
	for (int bf16 = 0; bf16 < 2; bf16++)
		for (int clip = 0; clip < 3; clip++) {
			struct tensors t;
			struct op_run r;
			double norm;

			norm_begin(&r, &t, bf16, clip == 2 ? 1e6 : clip);
			norm = sqrt(square_sum(&t));
			op_run(&r);
			assert_true(fabs(r.control.step_norm - norm) <= 1e-12 * norm);
			assert_true(fabs(r.control.norm - 2.25 - norm) <= 1e-12 * norm);
			assert_true(fabs(r.control.scale - optim_clip_scale(norm, clip == 2 ? 1e6 : clip)) <= 1e-12);
			assert_int_equal(r.control.diverged, 0);
			assert_int_equal(r.control.at, 3);
			op_end(&r);
		}
}

static void test_norm_diverges(void **state)
{
	(void)state;
	cuda_test_plugin();
	for (int how = 0; how < 3; how++) { /* a gradient, the loss, a step before */
		struct tensors t;
		struct op_run r;

		norm_begin(&r, &t, false, 1);
		if (how == 0)
			((float *)r.memory[CUDA_GRADS].bytes)[t.first[1] + 4321] = INFINITY;
		if (how == 1)
			r.control.step_loss = (double)NAN;
		r.control.diverged = how == 2;
		op_run(&r);
		assert_int_equal(r.control.diverged, 1);
		assert_int_equal(isfinite(r.control.norm), how == 2);
		assert_true(how != 2 || r.control.norm == 2.25);
		op_end(&r);
	}
}

struct masters { /* arrays of one index */
	float *w, *m1, *m2;
	uint16_t *copy;
};

static float *random_floats(struct arena *a, int64_t n, bool positive)
{
	float *out = ARENA_ARRAY(a, float, n);

	for (int64_t i = 0; i < n; i++)
		out[i] = (float)(positive ? fabs(rng_normal(&rng)) : rng_normal(&rng));
	return out;
}

/* What optim.c makes of the same in double. */
static void expect_update(const struct op_run *r, const struct tensors *t, const struct optimizer *o, double scale,
			  const struct masters *from)
{
	const float *w = op_bytes_got(r, CUDA_PARAMS);
	const uint16_t *copy = r->op.u.update.copies ? op_bytes_got(r, CUDA_PARAMS16) : NULL;
	double *want = ARENA_ARRAY(r->arena, double, t->total), *m1 = ARENA_ARRAY(r->arena, double, t->total);
	double *m2 = ARENA_ARRAY(r->arena, double, t->total), error = 0, size = 0;
	struct optim_range range[8];
	struct optim_step s;

	for (int i = 0; i < t->n; i++)
		range[i] = (struct optim_range){ t->first[i], t->count[i], t->decay[i], t->frozen[i] };
	for (int64_t i = 0; i < t->total; i++) {
		want[i] = (double)from->w[i];
		m1[i] = (double)from->m1[i];
		m2[i] = (double)from->m2[i];
	}
	optim_step_init(&s, o, 0.05, 4);
	s.scale = scale;
	optim_update_f64(&s, want, t->g, optim_moments(o) > 0 ? m1 : NULL, optim_moments(o) > 1 ? m2 : NULL, range,
			 t->n);
	for (int i = 0; i < t->n; i++)
		for (int64_t k = t->first[i]; k < t->first[i] + t->count[i]; k++) {
			error += (want[k] - (double)w[k]) * (want[k] - (double)w[k]);
			size += (want[k] - (double)from->w[k]) * (want[k] - (double)from->w[k]);
			if (t->frozen[i])
				assert_true(w[k] == from->w[k]);
			else if (copy) {
				uint32_t u = (uint32_t)copy[k] << 16;
				float f;

				memcpy(&f, &u, sizeof f);
				assert_true((double)f == op_rounded(CUDA_BF16, (double)w[k]));
			}
		}
	assert_true(size > 0);
	assert_true(sqrt(error) <= 1e-5 * sqrt(size));
}

static void update_begin(struct op_run *r, struct tensors *t, const struct optimizer *o, bool bf16, struct masters *m)
{
	struct cuda_step steps[4] = { { 0 } };
	struct optim_step s;

	op_begin(r, CUDA_OP_OPTIMIZE, &rng);
	tensors_new(t, r->arena, bf16);
	*m = (struct masters){ random_floats(r->arena, t->total, false), random_floats(r->arena, t->total, false),
			       random_floats(r->arena, t->total, true), ARENA_ARRAY(r->arena, uint16_t, t->total) };
	optim_step_init(&s, o, 0.05, 4);
	steps[3] = (struct cuda_step){ .rate = s.rate,
				       .correct1 = s.correct1,
				       .correct2 = s.correct2,
				       .momentum = s.momentum,
				       .beta1 = s.beta1,
				       .beta2 = s.beta2,
				       .eps = s.eps,
				       .weight_decay = s.weight_decay };
	op_bytes(r, CUDA_GRADS, t->grads, t->total * 4, false);
	op_bytes(r, CUDA_CHUNKS, t->chunk, t->n_chunks * (int64_t)sizeof *t->chunk, false);
	op_bytes(r, CUDA_STEPS, steps, sizeof steps, false);
	op_bytes(r, CUDA_PARAMS, m->w, t->total * 4, true);
	if (optim_moments(o) > 0)
		op_bytes(r, CUDA_MOMENT1, m->m1, t->total * 4, true);
	if (optim_moments(o) > 1)
		op_bytes(r, CUDA_MOMENT2, m->m2, t->total * 4, true);
	if (bf16)
		op_bytes(r, CUDA_PARAMS16, m->copy, t->total * 2, true);
	r->op.u.update = (struct cuda_op_update){ .kind = (int32_t)o->kind,
						  .nesterov = o->nesterov,
						  .copies = bf16,
						  .n_chunks = t->n_chunks,
						  .moments = optim_moments(o) };
	r->control = busy();
	r->control.step_loss = 1.5;
}

static void test_optimize(void **state)
{
	static const struct optimizer kinds[] = {
		{ .kind = OPTIMIZER_SGD, .weight_decay = 0.01 },
		{ .kind = OPTIMIZER_SGD, .momentum = 0.9, .weight_decay = 0.01 },
		{ .kind = OPTIMIZER_SGD, .momentum = 0.9, .nesterov = true },
		{ .kind = OPTIMIZER_ADAM, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.1 },
		{ .kind = OPTIMIZER_ADAMW, .beta1 = 0.8, .beta2 = 0.99, .eps = 1e-6, .weight_decay = 0.1 },
	};

	(void)state;
	cuda_test_plugin();
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		for (int bf16 = 0; bf16 < 2; bf16++) {
			struct tensors t;
			struct masters m;
			struct op_run r;
			double norm;

			update_begin(&r, &t, &kinds[i], bf16, &m);
			r.op.u.update.clip = bf16; /* the norm is known, or found on the way */
			r.control.scale = 0.25;
			norm = bf16 ? 0 : sqrt(square_sum(&t));
			op_run(&r);
			assert_int_equal(r.control.at, 4);
			assert_true(fabs(r.control.norm - 2.25 - norm) <= 1e-12 * norm);
			assert_true(fabs(r.control.step_norm - norm) <= 1e-12 * norm);
			assert_int_equal(r.control.diverged, 0);
			expect_update(&r, &t, &kinds[i], bf16 ? 0.25 : 1, &m);
			op_end(&r);
		}
}

/* Without a norm before it, it finds out by itself. */
static void test_optimize_diverges(void **state)
{
	static const struct optimizer sgd = { .kind = OPTIMIZER_SGD, .momentum = 0.9 };

	(void)state;
	cuda_test_plugin();
	for (int how = 0; how < 2; how++) { /* a gradient, the loss */
		struct tensors t;
		struct masters m;
		struct op_run r;

		update_begin(&r, &t, &sgd, false, &m);
		if (how == 0)
			((float *)r.memory[CUDA_GRADS].bytes)[t.first[1] + 4321] = INFINITY;
		else
			r.control.step_loss = (double)NAN;
		op_run(&r);
		assert_int_equal(r.control.diverged, 1);
		assert_false(isfinite(r.control.norm));
		assert_int_equal(r.control.at, 4);
		if (how == 1)
			assert_memory_equal(op_bytes_got(&r, CUDA_PARAMS), m.w, (size_t)t.total * 4);
		op_end(&r);
	}
}

/* After a step that diverged nothing changes any more. */
static void test_optimize_stops(void **state)
{
	static const struct optimizer adam = { .kind = OPTIMIZER_ADAM, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8 };
	struct tensors t;
	struct masters m;
	struct op_run r;

	(void)state;
	cuda_test_plugin();
	update_begin(&r, &t, &adam, false, &m);
	r.control.scale = 1;
	r.control.diverged = 1;
	op_run(&r);
	assert_memory_equal(op_bytes_got(&r, CUDA_PARAMS), m.w, (size_t)t.total * 4);
	assert_memory_equal(op_bytes_got(&r, CUDA_MOMENT2), m.m2, (size_t)t.total * 4);
	assert_int_equal(r.control.at, 4);
	op_end(&r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gather),         cmocka_unit_test(test_logits),
		cmocka_unit_test(test_loss),           cmocka_unit_test(test_loss_diverges),
		cmocka_unit_test(test_norm),           cmocka_unit_test(test_norm_diverges),
		cmocka_unit_test(test_optimize),       cmocka_unit_test(test_optimize_diverges),
		cmocka_unit_test(test_optimize_stops),
	};

	rng_init(&rng, test_seed(), 78);
	return cmocka_run_group_tests_name("cuda_step", tests, NULL, NULL);
}
