/* tests/helper_data.c - see helper_data.h. */
#include "tests/helper_data.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/model.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"

static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l" };

static void fill_example(const struct blobs *b, const float *pattern, float *x, int64_t per, struct rng *r)
{
	for (int64_t i = 0; i < per; i++) {
		double v = (double)pattern[i] + b->noise * rng_normal(r);

		if (b->bytes)
			v = v < -4 ? 0 : v > 4 ? 255 : (double)(int)(127.5 + v * 31.75);
		if (b->shape.type == TENSOR_TOKENS)
			v = rng_below(r, 4) ? (double)pattern[i] : rng_below(r, 8);
		x[i] = (float)v;
	}
}

static void make_patterns(const struct blobs *b, float *pattern, int64_t n, struct rng *r)
{
	for (int64_t i = 0; i < n; i++)
		pattern[i] = b->shape.type == TENSOR_TOKENS ? (float)rng_below(r, 8) : (float)rng_normal(r);
}

static void make_splits(struct dataset *d, const struct blobs *b, struct arena *a)
{
	uint32_t next = 0;

	for (int s = 0; s < SPLIT_COUNT; s++) {
		uint32_t *index = ARENA_ARRAY(a, uint32_t, b->n[s] + 1);

		d->n_split[s] = b->n[s];
		d->split[s] = index;
		for (int64_t i = 0; i < b->n[s]; i++)
			index[i] = next++;
	}
}

static int steps_of(const struct shape *s)
{
	return s->type == TENSOR_SEQUENCE ? s->d[1] : s->d[0];
}

/* Statistics of the training split by channel; 0 and 1 for tokens, which have none. */
static void measure(struct dataset *d, const float *x, int64_t n, struct arena *a)
{
	int64_t per = shape_count(&d->shape), run = d->channels ? per / d->channels : 0;
	float *mean = ARENA_ARRAY(a, float, d->channels + 1), *std = ARENA_ARRAY(a, float, d->channels + 1);

	for (int c = 0; c < d->channels; c++) {
		double sum = 0, square = 0;

		for (int64_t i = 0; i < n; i++)
			for (int64_t k = 0; k < run; k++) {
				double v = (double)x[i * per + c * run + k];

				sum += v;
				square += v * v;
			}
		mean[c] = (float)(sum / (double)(n * run));
		std[c] = (float)__builtin_sqrt(square / (double)(n * run) - (double)mean[c] * (double)mean[c] + 1e-9);
	}
	d->mean = mean;
	d->std = std;
}

static void make_examples(struct dataset *d, const struct blobs *b, struct arena *a)
{
	int64_t per = shape_count(&b->shape);
	int classes = b->classes ? b->classes : 1;
	float *x = ARENA_ARRAY(a, float, d->n *per), *pattern = ARENA_ARRAY(a, float, classes *per);
	float *target = ARENA_ARRAY(a, float, d->n);
	int32_t *label = ARENA_ARRAY(a, int32_t, d->n), *length = ARENA_ARRAY(a, int32_t, d->n);
	uint8_t *u8 = ARENA_ARRAY(a, uint8_t, d->n * per);
	struct rng r;

	rng_init(&r, b->seed, PURPOSE_DATA);
	make_patterns(b, pattern, classes * per, &r);
	for (int64_t i = 0; i < d->n; i++) {
		float *at = x + i * per;

		label[i] = (int32_t)(i % classes);
		length[i] = 1 + (int32_t)rng_below(&r, (uint32_t)steps_of(&b->shape));
		fill_example(b, pattern + label[i] * per, at, per, &r);
		for (int64_t k = 0; k < per && !b->classes; k++)
			target[i] += at[k] * pattern[k] / (float)per;
	}
	measure(d, x, b->n[SPLIT_TRAIN], a);
	for (int64_t i = 0; i < d->n * per && b->bytes; i++)
		u8[i] = (uint8_t)x[i];
	d->f32 = b->bytes ? NULL : x;
	d->u8 = b->bytes ? u8 : NULL;
	d->label = b->classes ? label : NULL;
	d->target = b->classes ? NULL : target;
	d->length = b->open ? length : NULL;
}

struct dataset *blobs_new(const struct blobs *b, struct arena *a)
{
	struct dataset *d = ARENA_NEW(a, struct dataset);

	d->name = "blobs";
	d->shape = b->shape;
	d->shape.open = b->open;
	d->task = b->classes ? TASK_CLASSIFY : TASK_REGRESS;
	d->classes = b->classes;
	d->class_names = names;
	d->n = b->n[SPLIT_TRAIN] + b->n[SPLIT_VALIDATION] + b->n[SPLIT_TEST];
	d->channels = b->shape.type == TENSOR_TOKENS ? 0 : b->shape.d[0];
	make_examples(d, b, a);
	make_splits(d, b, a);
	d->digest = hash128(d->f32 ? (const void *)d->f32 : d->u8, (size_t)(d->n * shape_count(&d->shape)));
	d->identity = d->digest;
	return d;
}

struct graph *graph_of(struct arena *a, const char *json)
{
	struct graph *g = NULL;
	struct json *doc = NULL;
	struct diag diag = { 0 };
	struct err e = { 0 };
	char *text = arena_strdup(a, json);

	for (char *p = text; *p; p++)
		if (*p == '\'')
			*p = '"';
	if (json_parse(&doc, text, strlen(text), "model", &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	struct json_in in = { doc, &diag, NULL };
	if (model_read(&g, doc, NULL, NULL, a, &in) < 0)
		fail_msg("%s: %s", diag.n ? diag.items[0].where : "", diag.n ? diag.items[0].msg : "?");
	json_free(doc);
	diag_release(&diag);
	return g;
}
