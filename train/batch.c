/* train/batch.c - see batch.h. What augmentations show of a picture: view.h. */
#include "train/batch.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "train/view.h"

struct batcher {
	const struct dataset *data;
	struct shape shape;  /* of the network's input */
	int64_t per_channel; /* values that share a mean (images, sequences); 1 for vectors */
	const uint8_t *u8;   /* the data set's examples, or resampled ones */
	const float *f32;
	void *own; /* resampled examples */
	size_t own_bytes;
	const uint32_t *train;
	uint32_t n_train;
	int batch;
	uint64_t seed;
	struct augment augment[RECIPE_AUGMENTS];
	struct philox_key key[RECIPE_AUGMENTS];
	int n_augment;
	float (*table)[256]; /* [channels] normalised value of every byte */
	struct arena *arena;
};

/* ---- batches ----------------------------------------------------------------------------------------------- */

size_t batch_bytes(const struct shape *shape, int cap)
{
	return (size_t)cap * ((size_t)shape_count(shape) * sizeof(float) + 4 * sizeof(float));
}

int batch_init(struct batch *b, const struct shape *shape, int cap, struct err *e)
{
	size_t n = (size_t)cap;

	*b = (struct batch){ .cap = cap, .bytes = batch_bytes(shape, cap) };
	b->x = block_new(b->bytes);
	if (!b->x)
		return ERR(e, ERR_RUNTIME, NULL, "out of memory for a batch of %d examples", cap);
	b->target = b->x + n * (size_t)shape_count(shape);
	b->label = (int32_t *)(b->target + n);
	b->length = b->label + n;
	b->sample = (uint32_t *)(b->length + n);
	return 0;
}

void batch_release(struct batch *b)
{
	block_free(b->x, b->bytes);
	*b = (struct batch){ 0 };
}

/* ---- image scale ------------------------------------------------------------------------------------------- */

static int scaled_side(int side, double scale)
{
	int s = (int)lround(side * scale);

	return s < 1 ? 1 : s;
}

struct shape batch_shape(const struct dataset *d, double image_scale)
{
	struct shape s = d->shape;

	if (s.type == TENSOR_IMAGE) {
		s.d[1] = scaled_side(s.d[1], image_scale);
		s.d[2] = scaled_side(s.d[2], image_scale);
	}
	return s;
}

/* Weights of one axis, [to][from]: the share of each source pixel in the area of a target pixel when the axis shrinks;
 * linear interpolation between pixel centres, clamped at the borders, when it grows. */
static double *axis_weights(struct arena *a, int from, int to)
{
	double *w = ARENA_ARRAY(a, double, (size_t)from *(size_t)to), ratio = (double)from / to;

	for (int o = 0; o < to; o++) {
		double *row = w + (size_t)o * (size_t)from;

		if (to <= from) {
			for (int i = 0; i < from; i++) {
				double lo = fmax(o * ratio, i), hi = fmin((o + 1) * ratio, i + 1);

				row[i] = hi > lo ? (hi - lo) / ratio : 0;
			}
		} else {
			double at = fmax((o + 0.5) * ratio - 0.5, 0);
			int i = (int)at, next = i + 1 < from ? i + 1 : i;

			row[i] += 1 - (at - i);
			row[next] += at - i;
		}
	}
	return w;
}

struct scaler {
	int fh, fw, th, tw;
	double *rows, *cols, *plane, *half; /* weights; one source plane; rows done: [th][fw] */
};

static void scale_plane(struct scaler *s, double *out /* [th][tw] */)
{
	for (int y = 0; y < s->th; y++)
		for (int x = 0; x < s->fw; x++) {
			double sum = 0;

			for (int i = 0; i < s->fh; i++)
				sum += s->rows[y * s->fh + i] * s->plane[i * s->fw + x];
			s->half[y * s->fw + x] = sum;
		}
	for (int y = 0; y < s->th; y++)
		for (int x = 0; x < s->tw; x++) {
			double sum = 0;

			for (int i = 0; i < s->fw; i++)
				sum += s->cols[x * s->fw + i] * s->half[y * s->fw + i];
			out[y * s->tw + x] = sum;
		}
}

static void scale_all(struct batcher *b)
{
	const struct dataset *d = b->data;
	struct arena *a = arena_new();
	struct scaler s = { d->shape.d[1], d->shape.d[2], b->shape.d[1], b->shape.d[2], NULL, NULL, NULL, NULL };
	size_t from = (size_t)s.fh * (size_t)s.fw, to = (size_t)s.th * (size_t)s.tw;
	size_t planes = (size_t)d->n * (size_t)d->shape.d[0];
	double *out = ARENA_ARRAY(a, double, to);

	s.rows = axis_weights(a, s.fh, s.th);
	s.cols = axis_weights(a, s.fw, s.tw);
	s.plane = ARENA_ARRAY(a, double, from);
	s.half = ARENA_ARRAY(a, double, (size_t)s.th *(size_t)s.fw);
	for (size_t p = 0; p < planes; p++) {
		for (size_t i = 0; i < from; i++)
			s.plane[i] = d->u8 ? d->u8[p * from + i] : (double)d->f32[p * from + i];
		scale_plane(&s, out);
		for (size_t i = 0; i < to; i++)
			if (d->u8)
				((uint8_t *)b->own)[p * to + i] = (uint8_t)(out[i] + 0.5);
			else
				((float *)b->own)[p * to + i] = (float)out[i];
	}
	arena_free(a);
}

static size_t scaled_bytes(const struct dataset *d, const struct shape *shape)
{
	if (shape_equal(&d->shape, shape))
		return 0;
	return (size_t)d->n * (size_t)shape_count(shape) * (d->u8 ? 1 : sizeof(float));
}

/* ---- set-up ------------------------------------------------------------------------------------------------ */

static int check_shape(const struct dataset *d, const struct shape *shape, struct err *e)
{
	char want[48], have[48];
	struct shape longest = d->shape;

	longest.open = shape->open; /* a network for open sequences takes full ones as well */
	if (shape_equal(&longest, shape) ||
	    (shape->type == TENSOR_IMAGE && d->shape.type == TENSOR_IMAGE && shape->d[0] == d->shape.d[0]))
		return 0;
	return ERR(e, ERR_INVALID, NULL, "the network takes %s %s, but %s holds %s %s", tensor_type_names[shape->type],
		   shape_text(want, shape), d->name, tensor_type_names[d->shape.type], shape_text(have, &d->shape));
}

static int check_augment(const struct recipe *r, const struct shape *shape, struct err *e)
{
	if (!r->n_augment || shape->type == TENSOR_IMAGE)
		return 0;
	return ERR(e, ERR_INVALID, "augment",
		   "flips, crops and cut-outs need images, but the input is a %s: remove "
		   "\"augment\"",
		   tensor_type_names[shape->type]);
}

static void fill_table(struct batcher *b)
{
	const struct dataset *d = b->data;

	b->table = arena_alloc(b->arena, sizeof(float[256]) * (size_t)d->channels);
	for (int c = 0; c < d->channels; c++)
		for (int v = 0; v < 256; v++)
			b->table[c][v] = ((float)v - d->mean[c]) / d->std[c];
}

struct philox_key batch_order_key(uint64_t seed)
{
	return philox_key(seed, PURPOSE_SHUFFLE, 0);
}

/* One key per augmentation: of its kind and of how many of that kind stand before it. */
void batch_augment_keys(struct philox_key out[RECIPE_AUGMENTS], const struct recipe *r, uint64_t seed)
{
	uint64_t seen[AUGMENT_COUNT] = { 0 };

	for (int i = 0; i < r->n_augment; i++) {
		uint64_t kind = (uint64_t)r->augment[i].kind;

		out[i] = philox_key(seed, PURPOSE_AUGMENT, kind + AUGMENT_COUNT * seen[kind]++);
	}
}

static void take_augment(struct batcher *b, const struct recipe *r)
{
	b->n_augment = r->n_augment;
	memcpy(b->augment, r->augment, sizeof b->augment);
	batch_augment_keys(b->key, r, b->seed);
}

int64_t batcher_bytes(const struct dataset *d, const struct shape *shape)
{
	return (int64_t)(scaled_bytes(d, shape) + (d->u8 ? sizeof(float[256]) * (size_t)d->channels : 0));
}

int batcher_check(const struct dataset *d, const struct recipe *r, const struct shape *shape, int64_t n_train,
		  struct err *e)
{
	if (check_shape(d, shape, e) < 0 || check_augment(r, shape, e) < 0)
		return -1;
	if (n_train > 0 && n_train < r->batch)
		return ERR(e, ERR_INVALID, "batch",
			   "%d examples per batch, but only %lld to train on: use a smaller "
			   "batch",
			   r->batch, (long long)n_train);
	return 0;
}

int batcher_new(struct batcher **out, const struct dataset *d, const struct recipe *r, const struct shape *shape,
		const uint32_t *train, int64_t n_train, uint64_t seed, struct err *e)
{
	struct batcher *b;
	struct arena *a;

	if (batcher_check(d, r, shape, n_train, e) < 0)
		return -1;
	a = arena_new();
	b = ARENA_NEW(a, struct batcher);
	*b = (struct batcher){ .data = d,
			       .shape = *shape,
			       .u8 = d->u8,
			       .f32 = d->f32,
			       .train = train,
			       .n_train = (uint32_t)n_train,
			       .batch = r->batch,
			       .seed = seed,
			       .arena = a };
	b->per_channel = d->channels > 0 ? shape_count(shape) / d->channels : 0;
	take_augment(b, r);
	if (d->u8)
		fill_table(b);
	b->own_bytes = shape->type == TENSOR_IMAGE ? scaled_bytes(d, shape) : 0;
	if (b->own_bytes) {
		b->own = block_new(b->own_bytes);
		if (!b->own) {
			batcher_free(b);
			return ERR(e, ERR_RUNTIME, NULL, "out of memory for the scaled images");
		}
		scale_all(b);
		b->u8 = d->u8 ? b->own : NULL;
		b->f32 = d->u8 ? NULL : b->own;
	}
	*out = b;
	return 0;
}

void batcher_free(struct batcher *b)
{
	if (!b)
		return;
	block_free(b->own, b->own_bytes);
	arena_free(b->arena);
}

void batcher_examples(const struct batcher *b, const uint8_t **u8, const float **f32)
{
	*u8 = b->u8;
	*f32 = b->f32;
}

/* ---- order ------------------------------------------------------------------------------------------------- */

int64_t batcher_steps_per_epoch(const struct batcher *b)
{
	return b->n_train / (uint32_t)b->batch;
}

void batcher_order(const struct batcher *b, int64_t step, uint32_t *out)
{
	int64_t per = batcher_steps_per_epoch(b);
	uint32_t first = (uint32_t)(step % per) * (uint32_t)b->batch;
	struct perm p;

	perm_init(&p, b->n_train, batch_order_key(b->seed), (uint32_t)(step / per));
	for (int i = 0; i < b->batch; i++)
		out[i] = b->train[perm_at(&p, first + (uint32_t)i)];
}

/* ---- augmentation ------------------------------------------------------------------------------------------ */

static void view_draw(struct view *v, const struct batcher *b, uint32_t sample, uint32_t epoch)
{
	view_init(v, b->shape.d[1], b->shape.d[2]);
	for (int i = 0; i < b->n_augment; i++) {
		const struct augment *g = &b->augment[i];
		uint32_t u[4];

		philox4x32(u, b->key[i], 0, sample, epoch, 0);
		view_apply(v, (int)g->kind, g->pad, g->size, g->p, u);
	}
}

/* ---- examples ---------------------------------------------------------------------------------------------- */

/* out[x] for lo <= x < hi from one row of the source, 0 elsewhere. */
static void copy_row(const struct batcher *b, const struct view_axis *a, int channel, size_t row, float *out)
{
	const float *table = b->table ? b->table[channel] : NULL;

	memset(out, 0, (size_t)a->size * sizeof *out);
	if (table) {
		const uint8_t *in = b->u8 + row;

		for (int x = a->lo; x < a->hi; x++)
			out[x] = table[in[a->sign * x + a->off]];
	} else {
		const float *in = b->f32 + row, mean = b->data->mean[channel], std = b->data->std[channel];

		for (int x = a->lo; x < a->hi; x++)
			out[x] = (in[a->sign * x + a->off] - mean) / std;
	}
}

static void cut_plane(const struct view *v, float *out)
{
	int h = v->axis[0].size, w = v->axis[1].size;

	for (int i = 0; i < v->n_cuts; i++) {
		const struct view_cut *c = &v->cut[i];
		int y0 = c->lo[0] > 0 ? c->lo[0] : 0, y1 = c->hi[0] < h ? c->hi[0] : h;
		int x0 = c->lo[1] > 0 ? c->lo[1] : 0, x1 = c->hi[1] < w ? c->hi[1] : w;

		for (int y = y0; y < y1 && x0 < x1; y++)
			memset(out + (size_t)y * (size_t)w + x0, 0, (size_t)(x1 - x0) * sizeof *out);
	}
}

static void put_image(const struct batcher *b, uint32_t sample, const struct view *v, float *out)
{
	const struct view_axis *rows = &v->axis[0], *cols = &v->axis[1];
	size_t h = (size_t)rows->size, w = (size_t)cols->size, channels = (size_t)b->shape.d[0];

	for (size_t c = 0; c < channels; c++) {
		float *plane = out + c * h * w;

		for (int y = 0; y < rows->size; y++) {
			size_t from = (size_t)(rows->sign * y + rows->off);

			if (y < rows->lo || y >= rows->hi)
				memset(plane + (size_t)y * w, 0, w * sizeof *plane);
			else
				copy_row(b, cols, (int)c, ((sample * channels + c) * h + from) * w,
					 plane + (size_t)y * w);
		}
		cut_plane(v, plane);
	}
}

/* Vectors, sequences, tokens; and images that are seen as they are. */
static void put_plain(const struct batcher *b, uint32_t sample, float *out)
{
	int64_t count = shape_count(&b->shape), per = b->per_channel;
	size_t at = (size_t)sample * (size_t)count;

	if (!per) {
		for (int64_t i = 0; i < count; i++)
			out[i] = b->u8 ? (float)b->u8[at + (size_t)i] : b->f32[at + (size_t)i];
		return;
	}
	if (per == 1) {
		const float *mean = b->data->mean, *std = b->data->std;

		for (int64_t i = 0; i < count; i++)
			out[i] =
			    b->u8 ? b->table[i][b->u8[at + (size_t)i]] : (b->f32[at + (size_t)i] - mean[i]) / std[i];
		return;
	}
	for (int64_t i = 0, c = 0; i < count; i += per, c++) {
		struct view_axis all = { 1, 0, 0, (int)per, (int)per };

		copy_row(b, &all, (int)c, at + (size_t)i, out + i);
	}
}

static int steps_of(const struct batcher *b)
{
	return b->shape.type == TENSOR_SEQUENCE ? b->shape.d[1] : b->shape.type == TENSOR_TOKENS ? b->shape.d[0] : 0;
}

/* Steps beyond the length say nothing: 0. */
static void blank_tail(const struct batcher *b, int length, float *out)
{
	int steps = steps_of(b), rows = b->shape.type == TENSOR_SEQUENCE ? b->shape.d[0] : 1;

	for (int r = 0; length < steps && r < rows; r++)
		memset(out + (size_t)r * (size_t)steps + length, 0, (size_t)(steps - length) * sizeof *out);
}

static void put_targets(const struct batcher *b, uint32_t sample, int i, struct batch *out)
{
	const struct dataset *d = b->data;

	out->sample[i] = sample;
	out->label[i] = d->task == TASK_REGRESS || !d->label ? 0 : d->label[sample];
	out->target[i] = d->target ? d->target[sample] : 0;
	out->length[i] = d->length ? d->length[sample] : steps_of(b);
}

void batcher_step(const struct batcher *b, int64_t step, struct batch *out)
{
	int64_t count = shape_count(&b->shape);
	uint32_t epoch = (uint32_t)(step / batcher_steps_per_epoch(b));

	assert(out->cap >= b->batch);
	out->n = b->batch;
	batcher_order(b, step, out->sample);
	for (int i = 0; i < b->batch; i++) {
		uint32_t sample = out->sample[i];
		float *x = out->x + i * count;
		struct view v;

		put_targets(b, sample, i, out);
		if (b->n_augment) {
			view_draw(&v, b, sample, epoch);
			put_image(b, sample, &v, x);
			continue;
		}
		put_plain(b, sample, x);
		blank_tail(b, out->length[i], x);
	}
}

void batcher_gather(const struct batcher *b, const uint32_t *index, int n, struct batch *out)
{
	int64_t count = shape_count(&b->shape);

	assert(n <= out->cap);
	out->n = n;
	for (int i = 0; i < n; i++) {
		float *x = out->x + i * count;

		put_targets(b, index[i], i, out);
		put_plain(b, index[i], x);
		blank_tail(b, out->length[i], x);
	}
}
