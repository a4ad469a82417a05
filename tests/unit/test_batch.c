/* tests/unit/test_batch.c - order, values and augmentation of batches: each against a naive computation, and the
 * statistics of the draws. */
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
#include "train/batch.h"

static struct batcher *batcher(const struct dataset *d, const struct recipe *r, uint64_t seed)
{
	struct batcher *b = NULL;
	struct shape s = batch_shape(d, r->fidelity.image);
	struct err e = { 0 };

	if (batcher_new(&b, d, r, &s, d->split[SPLIT_TRAIN], d->n_split[SPLIT_TRAIN], seed, &e) < 0)
		fail_msg("%s", e.msg);
	return b;
}

static struct recipe recipe_of(int batch)
{
	struct recipe r;

	recipe_defaults(&r);
	r.batch = batch;
	r.n_augment = 0;
	return r;
}

static void with(struct recipe *r, enum augment_kind kind, int pad, int size, double p)
{
	r->augment[r->n_augment++] = (struct augment){ .kind = kind, .pad = pad, .size = size, .p = p };
}

static struct dataset *images(struct arena *a, int64_t n, bool bytes)
{
	struct blobs b = {
		.shape = shape_image(3, 9, 7), .classes = 4, .n = { n, 10, 0 }, .noise = 1, .bytes = bytes, .seed = 3
	};

	return blobs_new(&b, a);
}

static void order_visits_all_once(void **state)
{
	struct arena *a = arena_new();
	struct dataset *d = images(a, 50, true);
	struct recipe r = recipe_of(8);
	struct batcher *b = batcher(d, &r, 1), *other = batcher(d, &r, 2);
	uint32_t first[48], second[48], foreign[48];

	(void)state;
	assert_int_equal(batcher_steps_per_epoch(b), 6);
	for (int epoch = 0; epoch < 2; epoch++) {
		char seen[50] = { 0 };

		for (int s = 0; s < 6; s++)
			batcher_order(b, epoch * 6 + s, (epoch ? second : first) + 8 * s);
		for (int i = 0; i < 48; i++) {
			assert_in_range((epoch ? second : first)[i], 0, 49);
			assert_int_equal(seen[(epoch ? second : first)[i]]++, 0);
		}
	}
	for (int s = 0; s < 6; s++)
		batcher_order(other, s, foreign + 8 * s);
	assert_memory_not_equal(first, second, sizeof first);
	assert_memory_not_equal(first, foreign, sizeof first);
	batcher_free(b);
	batcher_free(other);
	arena_free(a);
}

static void values_are_those_of_the_data_set(void **state)
{
	(void)state;
	for (int bytes = 0; bytes < 2; bytes++) {
		struct arena *a = arena_new();
		struct dataset *d = images(a, 20, bytes);
		struct recipe r = recipe_of(4);
		struct batcher *b = batcher(d, &r, 1);
		struct batch x;
		uint32_t index[3] = { 25, 0, 7 };

		assert_int_equal(batch_init(&x, &d->shape, 4, NULL), 0);
		batcher_gather(b, index, 3, &x);
		for (int i = 0; i < 3; i++) {
			int64_t per = 3 * 9 * 7, at = index[i] * per;

			assert_int_equal(x.label[i], d->label[index[i]]);
			for (int64_t k = 0; k < per; k++) {
				float raw = d->u8 ? (float)d->u8[at + k] : d->f32[at + k];

				assert_true(x.x[i * per + k] == (raw - d->mean[k / 63]) / d->std[k / 63]);
			}
		}
		batch_release(&x);
		batcher_free(b);
		arena_free(a);
	}
}

/* The naive version: one operation after the other on a copy, with the draws as batch.h states them. */
static void augment_naively(float *x, const struct shape *s, const struct recipe *r, uint64_t seed, uint32_t sample,
			    uint32_t epoch)
{
	int h = s->d[1], w = s->d[2], seen[AUGMENT_COUNT] = { 0 };
	float old[3 * 9 * 7];

	for (int i = 0; i < r->n_augment; i++) {
		const struct augment *g = &r->augment[i];
		uint64_t id = (uint64_t)g->kind + AUGMENT_COUNT * (uint64_t)seen[g->kind]++;
		uint32_t u[4];
		int dy, dx;

		philox4x32(u, philox_key(seed, PURPOSE_AUGMENT, id), 0, sample, epoch, 0);
		if (g->kind != AUGMENT_CROP && !(u[0] / 4294967296.0 < g->p))
			continue;
		dy = (int)(u[0] / 4294967296.0 * (2 * g->pad + 1)) - g->pad;
		dx = (int)(u[1] / 4294967296.0 * (2 * g->pad + 1)) - g->pad;
		memcpy(old, x, sizeof old);
		for (int c = 0; c < 3; c++)
			for (int y = 0; y < h; y++)
				for (int k = 0; k < w; k++) {
					int cy = y - (int)(u[1] / 4294967296.0 * h) + g->size / 2;
					int cx = k - (int)(u[2] / 4294967296.0 * w) + g->size / 2;
					int sy = y, sx = k;
					bool cut = false;

					if (g->kind == AUGMENT_HFLIP)
						sx = w - 1 - k;
					if (g->kind == AUGMENT_VFLIP)
						sy = h - 1 - y;
					if (g->kind == AUGMENT_CROP)
						sy += dy, sx += dx;
					if (g->kind == AUGMENT_CUTOUT)
						cut = cy >= 0 && cy < g->size && cx >= 0 && cx < g->size;
					x[(c * h + y) * w + k] = cut || sy < 0 || sy >= h || sx < 0 || sx >= w
								     ? 0
								     : old[(c * h + sy) * w + sx];
				}
	}
}

static void random_augment(struct recipe *r, struct rng *g)
{
	r->n_augment = 0;
	for (int n = (int)rng_below(g, 5); n >= 0; n--) {
		enum augment_kind kind = (enum augment_kind)rng_below(g, AUGMENT_COUNT);

		with(r, kind, kind == AUGMENT_CROP ? 1 + (int)rng_below(g, 9) : 0,
		     kind == AUGMENT_CUTOUT ? 1 + (int)rng_below(g, 8) : 0, rng_real(g));
	}
}

static void augmentation_like_the_naive_one(void **state)
{
	struct arena *a = arena_new();
	struct dataset *sets[2] = { images(a, 30, true), images(a, 30, false) };
	struct rng g;

	(void)state;
	rng_init(&g, 17, 1);
	for (int round = 0; round < 60; round++) {
		const struct dataset *d = sets[round % 2];
		struct recipe r = recipe_of(6);
		struct batcher *b;
		struct batch got, plain;
		int64_t step = rng_below(&g, 20);

		random_augment(&r, &g);
		b = batcher(d, &r, 99);
		batch_init(&got, &d->shape, 6, NULL);
		batch_init(&plain, &d->shape, 6, NULL);
		batcher_step(b, step, &got);
		batcher_gather(b, got.sample, 6, &plain);
		for (int i = 0; i < 6; i++) {
			augment_naively(plain.x + 189 * i, &d->shape, &r, 99, got.sample[i], (uint32_t)(step / 5));
			assert_memory_equal(got.x + 189 * i, plain.x + 189 * i, 189 * sizeof(float));
		}
		batch_release(&got);
		batch_release(&plain);
		batcher_free(b);
	}
	arena_free(a);
}

/* What an example looks like in an epoch does not depend on the batch that it is in. */
static void independent_of_batch_size(void **state)
{
	struct arena *a = arena_new();
	struct dataset *d = images(a, 24, true);
	struct recipe small = recipe_of(4), large = recipe_of(12);
	struct batcher *s, *l;
	struct batch x, y;

	(void)state;
	with(&small, AUGMENT_CROP, 2, 0, 1);
	with(&small, AUGMENT_HFLIP, 0, 0, 0.5);
	memcpy(large.augment, small.augment, sizeof small.augment);
	large.n_augment = small.n_augment;
	s = batcher(d, &small, 5);
	l = batcher(d, &large, 5);
	batch_init(&x, &d->shape, 4, NULL);
	batch_init(&y, &d->shape, 12, NULL);
	for (int step = 0; step < 4; step++) { /* epochs 0 and 1 of `large` */
		batcher_step(l, step, &y);
		for (int k = 0; k < 3; k++) {
			batcher_step(s, 3 * step + k, &x);
			assert_memory_equal(x.sample, y.sample + 4 * k, sizeof(uint32_t) * 4);
			assert_memory_equal(x.x, y.x + 189 * 4 * k, sizeof(float) * 189 * 4);
		}
	}
	batch_release(&x);
	batch_release(&y);
	batcher_free(s);
	batcher_free(l);
	arena_free(a);
}

/* A picture whose pixels say where they come from: value = index. Then the batch shows the draws. */
static struct dataset *ramp(struct arena *a, int64_t n)
{
	struct blobs b = { .shape = shape_image(1, 11, 11), .classes = 2, .n = { n, 0, 0 }, .bytes = true };
	struct dataset *d = blobs_new(&b, a);
	uint8_t *u8 = ARENA_ARRAY(a, uint8_t, n * 121);
	float *mean = ARENA_ARRAY(a, float, 1), *std = ARENA_ARRAY(a, float, 1);

	for (int64_t i = 0; i < n * 121; i++)
		u8[i] = (uint8_t)(1 + i % 121);
	*std = 1;
	d->u8 = u8;
	d->mean = mean; /* 0 */
	d->std = std;
	return d;
}

static double chi_square(const int64_t *count, int n, double each)
{
	double sum = 0;

	for (int i = 0; i < n; i++)
		sum += ((double)count[i] - each) * ((double)count[i] - each) / each;
	return sum;
}

/* Centre pixel tells the offset; 25 cells: 99.9 % of chi-square with 24 degrees of freedom are below 51.2. */
static void crop_offsets_are_uniform(void **state)
{
	enum { N = 5000 };
	struct arena *a = arena_new();
	struct dataset *d = ramp(a, N);
	struct recipe r = recipe_of(N);
	struct batcher *b;
	struct batch x;
	int64_t count[25] = { 0 };

	(void)state;
	with(&r, AUGMENT_CROP, 2, 0, 1);
	b = batcher(d, &r, 8);
	batch_init(&x, &d->shape, N, NULL);
	batcher_step(b, 0, &x);
	for (int i = 0; i < N; i++) {
		int v = (int)x.x[121 * i + 5 * 11 + 5] - 1, dy = v / 11 - 5, dx = v % 11 - 5;

		assert_in_range(dy + 2, 0, 4);
		assert_in_range(dx + 2, 0, 4);
		count[(dy + 2) * 5 + dx + 2]++;
	}
	assert_true(chi_square(count, 25, N / 25.0) < 51.2);
	batch_release(&x);
	batcher_free(b);
	arena_free(a);
}

/* Rates of flips (5 standard deviations), the size of cut-outs, and that kinds do not move together. */
static void flip_and_cutout_rates(void **state)
{
	enum { N = 4000 };
	struct arena *a = arena_new();
	struct dataset *d = ramp(a, N);
	struct recipe r = recipe_of(N);
	struct batcher *b;
	struct batch x;
	int64_t both[4] = { 0 }, cut = 0, black = 0;

	(void)state;
	with(&r, AUGMENT_HFLIP, 0, 0, 0.5);
	with(&r, AUGMENT_VFLIP, 0, 0, 0.5);
	with(&r, AUGMENT_CUTOUT, 0, 3, 0.25);
	b = batcher(d, &r, 4);
	batch_init(&x, &d->shape, N, NULL);
	batcher_step(b, 0, &x);
	for (int i = 0; i < N; i++) {
		const float *at = x.x + 121 * i;
		int zeros = 0, rising = 0, down = 0;

		for (int k = 0; k < 121; k++)
			zeros += at[k] == 0;
		for (int k = 0; k < 10; k++) { /* most neighbours are not cut */
			rising += at[11 * k + 1] > at[11 * k];
			down += at[11 * (k + 1)] > at[11 * k];
		}
		both[(rising < 5) * 2 + (down < 5)]++;
		cut += zeros > 0;
		black += zeros;
	}
	assert_true(chi_square(both, 4, N / 4.0) < 16.3); /* 99.9 %, 3 degrees of freedom */
	assert_true(fabs((double)cut / N - 0.25) < 5 * sqrt(0.25 * 0.75 / N));
	/* a side of 3 around a centre uniform over 11: (9 * 3 + 2 * 2) / 11 on average */
	assert_true(fabs((double)black / (double)cut - (31 / 11.0) * (31 / 11.0)) < 0.2);
	batch_release(&x);
	batcher_free(b);
	arena_free(a);
}

static void training_values_are_standardised(void **state)
{
	struct arena *a = arena_new();
	struct dataset *d = images(a, 200, true);
	struct recipe r = recipe_of(200);
	struct batcher *b = batcher(d, &r, 1);
	struct batch x;
	double sum[3] = { 0 }, square[3] = { 0 };

	(void)state;
	batch_init(&x, &d->shape, 200, NULL);
	batcher_step(b, 0, &x);
	for (int i = 0; i < 200 * 189; i++) {
		sum[i / 63 % 3] += (double)x.x[i];
		square[i / 63 % 3] += (double)x.x[i] * (double)x.x[i];
	}
	for (int c = 0; c < 3; c++) {
		assert_true(fabs(sum[c] / (200 * 63)) < 0.01);
		assert_true(fabs(square[c] / (200 * 63) - 1) < 0.02);
	}
	batch_release(&x);
	batcher_free(b);
	arena_free(a);
}

/* Area and linear weights keep a constant picture and a half-size mean; a ramp stays a ramp inside. */
static void image_scale(void **state)
{
	struct arena *a = arena_new();
	struct blobs spec = { .shape = shape_image(1, 4, 6), .classes = 2, .n = { 2, 0, 0 } };
	struct dataset *d = blobs_new(&spec, a);
	float *x = ARENA_ARRAY(a, float, 48), *mean = ARENA_ARRAY(a, float, 1), *std = ARENA_ARRAY(a, float, 1);
	struct recipe r = recipe_of(2);
	uint32_t index[1] = { 1 };

	(void)state;
	for (int i = 0; i < 48; i++)
		x[i] = (float)(i % 6);
	*std = 1;
	d->f32 = x;
	d->mean = mean;
	d->std = std;
	for (int up = 0; up < 2; up++) {
		struct shape s = batch_shape(d, up ? 2 : 0.5);
		struct batcher *b = NULL;
		struct batch out;

		assert_int_equal(s.d[1], up ? 8 : 2);
		assert_int_equal(s.d[2], up ? 12 : 3);
		assert_int_equal(batcher_new(&b, d, &r, &s, d->split[0], 2, 0, NULL), 0);
		batch_init(&out, &s, 2, NULL);
		batcher_gather(b, index, 1, &out);
		for (int y = 0; y < s.d[1]; y++)
			for (int k = 0; k < s.d[2]; k++) {
				double want = up ? fmin(fmax((k + 0.5) / 2 - 0.5, 0), 5) : 2 * k + 0.5;

				assert_true(fabs((double)out.x[y * s.d[2] + k] - want) < 1e-6);
			}
		batch_release(&out);
		batcher_free(b);
	}
	arena_free(a);
}

static void open_sequences(void **state)
{
	struct arena *a = arena_new();
	struct blobs spec = {
		.shape = shape_sequence(2, 6, true), .classes = 2, .n = { 12, 0, 0 }, .noise = 1, .open = true
	};
	struct dataset *d = blobs_new(&spec, a);
	struct recipe r = recipe_of(12);
	struct batcher *b = batcher(d, &r, 1);
	struct batch x;

	(void)state;
	batch_init(&x, &d->shape, 12, NULL);
	batcher_step(b, 0, &x);
	for (int i = 0; i < 12; i++) {
		assert_int_equal(x.length[i], d->length[x.sample[i]]);
		for (int k = 0; k < 12; k++)
			assert_int_equal(x.x[12 * i + k] == 0, k % 6 >= x.length[i]);
	}
	batch_release(&x);
	batcher_free(b);
	arena_free(a);
}

static void refusals(void **state)
{
	struct arena *a = arena_new();
	struct dataset *d = images(a, 20, true);
	struct blobs spec = { .shape = shape_vector(5), .classes = 2, .n = { 20, 0, 0 } };
	struct dataset *v = blobs_new(&spec, a);
	struct recipe r = recipe_of(21);
	struct batcher *b = NULL;
	struct shape other = shape_image(1, 9, 7);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(batcher_new(&b, d, &r, &d->shape, d->split[0], 20, 0, &e), -1);
	assert_non_null(strstr(e.msg, "21"));
	err_clear(&e);
	r.batch = 5;
	assert_int_equal(batcher_new(&b, d, &r, &other, d->split[0], 20, 0, &e), -1);
	assert_non_null(strstr(e.msg, "1x9x7"));
	err_clear(&e);
	with(&r, AUGMENT_HFLIP, 0, 0, 1);
	assert_int_equal(batcher_new(&b, v, &r, &v->shape, v->split[0], 20, 0, &e), -1);
	assert_non_null(strstr(e.msg, "vector"));
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_visits_all_once),
		cmocka_unit_test(values_are_those_of_the_data_set),
		cmocka_unit_test(augmentation_like_the_naive_one),
		cmocka_unit_test(independent_of_batch_size),
		cmocka_unit_test(crop_offsets_are_uniform),
		cmocka_unit_test(flip_and_cutout_rates),
		cmocka_unit_test(training_values_are_standardised),
		cmocka_unit_test(image_scale),
		cmocka_unit_test(open_sequences),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
