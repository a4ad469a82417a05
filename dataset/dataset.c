/* dataset/dataset.c - see dataset.h. Reads by the format's reader, then: chosen classes, limits, splits, statistics,
 * digests, slices. */
#include "dataset/dataset.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "dataset/format.h"
#include "dataset/metadata.h"
#include "dataset/strata.h"

const char *const split_names[] = { "train", "validation", "test", NULL };

#define FORMAT(name) &data_format_##name,
static const struct data_format *const formats[] = {
#include "dataset/formats.def"
};
#undef FORMAT
#define FORMAT(name) #name,
const char *const dataset_formats[] = {
#include "dataset/formats.def"
	NULL
};
#undef FORMAT
enum { N_FORMATS = sizeof formats / sizeof *formats };

const struct opt dataset_opts[] = {
	OPT_STR(struct dataset_spec, format, "glyphs", "how the data are stored: one of the formats of `nab data`"),
	OPT_STR(struct dataset_spec, dir, NULL, "folder of the files (csv: the training file)"),
	OPT_REAL(struct dataset_spec, validation, 0.1, 0, 0.9, "share of the training examples kept for validation"),
	OPT_REAL(struct dataset_spec, test, 0.2, 0, 0.9, "share of all examples for the test split, if data have none"),
	OPT_STR(struct dataset_spec, seed, "0", "seed of splits and limits, a whole number as text"),
	OPT_STRS(struct dataset_spec, classes, "names of the classes to use, in this order (default: all)"),
	OPT_LONG(struct dataset_spec, limit, 0, 0, 1e9, "use at most so many training and validation examples; 0: all"),
	OPT_LONG(struct dataset_spec, limit_test, 0, 0, 1e9, "use at most so many test examples; 0: all"),
	OPT_JSON(
	    struct dataset_spec, slices,
	    "named parts to report on: {\"pets\": [\"cat\", \"dog\"], \"old\": {\"column\": \"age\", \"from\": 65}}"),
	OPT_STR(struct dataset_spec, metadata, NULL,
		"table for slices by column, a row for every example (default: metadata.csv in dir; csv: its own)"),
	OPT_JSON(struct dataset_spec, options, "the format's own options"),
	OPT_END
};

/* The public struct comes first, so that a pointer to it is one to the holder. */
struct holder {
	struct dataset d;
	struct arena *arena;
	struct raw raw;
	uint32_t *index; /* the three splits, one after the other */
};

static const struct data_format *find_format(const char *name)
{
	for (int i = 0; i < N_FORMATS; i++)
		if (strcmp(formats[i]->name, name) == 0)
			return formats[i];
	return NULL;
}

const char *dataset_format_help(const char *format)
{
	const struct data_format *f = find_format(format);

	return f ? f->help : NULL;
}

const struct opt *dataset_format_opts(const char *format)
{
	const struct data_format *f = find_format(format);

	return f ? f->opts : NULL;
}

/* ---- the specification ---------------------------------------------------------------------------------- */

static int bad_format(const char *name, const struct json *v, const struct json_in *in)
{
	const char *near = str_nearest(name, dataset_formats, N_FORMATS);
	struct str all = { 0 };

	for (int i = 0; i < N_FORMATS; i++)
		str_addf(&all, "%s%s", i ? ", " : "", dataset_formats[i]);
	if (near)
		json_bad(in, v, "unknown data format \"%s\" (did you mean \"%s\"?)", name, near);
	else
		json_bad(in, v, "unknown data format \"%s\", must be one of %s", name, str_get(&all));
	str_release(&all);
	return -1;
}

static int check_slices(const struct json *slices, const struct json_in *in)
{
	int rc = 0;

	if (!slices)
		return 0;
	if (json_type(slices) != JSON_OBJECT)
		return json_bad(in, slices, "must be an object of lists of class names");
	JSON_EACH(s, slices) {
		if (json_type(s) == JSON_OBJECT) {
			rc = metadata_check(s, in) < 0 ? -1 : rc;
			continue;
		}
		if (json_type(s) != JSON_ARRAY || json_count(s) < 1) {
			rc = json_bad(in, s, "must be a list of at least one class name");
			continue;
		}
		JSON_EACH(c, s)
			if (!json_string(c))
				rc = json_bad(in, c, "must be the name of a class, not %s",
					      json_type_name(json_type(c)));
	}
	return rc;
}

/* What the table cannot say; also for specifications that were not read from JSON (root and values may be NULL). */
static int check_spec(const struct dataset_spec *s, const struct json *object, const struct json_in *in)
{
	const struct data_format *f = find_format(s->format ? s->format : "");
	uint64_t seed;
	int rc = 0;

	if (!f)
		return bad_format(s->format ? s->format : "", json_get(object, "format"), in);
	if (f->needs_dir && !s->dir)
		rc = json_bad(in, object, "format \"%s\" needs \"dir\", the folder of the files", f->name);
	if (!f->needs_dir && s->dir)
		rc =
		    json_bad(in, json_get(object, "dir"),
			     "format \"%s\" has no files: leave \"dir\" out, or name the format of the files", f->name);
	if (str_u64(&seed, s->seed) < 0)
		rc = json_bad(in, json_get(object, "seed"),
			      "must be a whole number of at most 64 bits, as text: \"42\"");
	if (s->options && json_type(s->options) != JSON_OBJECT)
		return json_bad(in, s->options, "must be an object with the options of format \"%s\"", f->name);
	if (check_slices(s->slices, in) < 0)
		rc = -1;
	return rc;
}

static int read_options(void *cfg, const struct data_format *f, const struct json *options, struct arena *a,
			const struct json_in *in)
{
	return opt_read(cfg, f->opts, options, NULL, a, in);
}

int dataset_spec_read(struct dataset_spec *s, const struct json *object, const char *base_dir, struct arena *a,
		      const struct json_in *in)
{
	const struct data_format *f;

	memset(s, 0, sizeof *s);
	if (object && json_type(object) != JSON_OBJECT)
		return json_bad(in, object, "must be an object: {\"format\": ..., \"dir\": ...}");
	if (opt_read(s, dataset_opts, object, NULL, a, in) < 0 || check_spec(s, object, in) < 0)
		return -1;
	if (s->dir)
		s->dir = path_join(a, base_dir, s->dir);
	if (s->metadata)
		s->metadata = path_join(a, base_dir, s->metadata);
	f = find_format(s->format);
	return read_options(arena_alloc(a, f->cfg_size), f, s->options, a, in);
}

/* ---- choosing examples ---------------------------------------------------------------------------------- */

/* Moves the kept examples of r together; keep[n_train + n_test]. */
static void raw_keep(struct raw *r, const uint8_t *keep)
{
	int64_t n = r->n_train + r->n_test, n_train = 0, to = 0;
	size_t bytes = raw_example_bytes(r);
	char *data = r->u8 ? (char *)r->u8 : (char *)r->f32;

	for (int64_t i = 0; i < n; i++) {
		if (!keep[i])
			continue;
		memmove(data + (size_t)to * bytes, data + (size_t)i * bytes, bytes);
		if (r->label)
			r->label[to] = r->label[i];
		if (r->target)
			r->target[to] = r->target[i];
		for (int w = 0; r->member && w < r->n_want; w++)
			r->member[w][to] = r->member[w][i];
		n_train += i < r->n_train;
		to++;
	}
	r->n_train = n_train;
	r->n_test = to - n_train;
}

static int class_find(const char *name, const char *const *names, int n, const char *where, struct err *e)
{
	const char *near;

	for (int i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	near = str_nearest(name, names, n);
	return ERR(e, ERR_INVALID, where, "there is no class \"%s\"%s%s%s; the data have %d, the first is \"%s\"", name,
		   near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "", n, names[0]);
}

static int choose_classes(struct raw *r, const struct opt_strs *want, const char *where, struct err *e)
{
	int64_t n = r->n_train + r->n_test;
	int *to = mem_new((size_t)r->classes * sizeof *to), rc = -1;
	const char **names = ARENA_ARRAY(r->arena, const char *, want->n);
	uint8_t *keep = mem_new((size_t)n);

	if (r->task != TASK_CLASSIFY) {
		ERR(e, ERR_INVALID, where, "classes can only be chosen for classification");
		goto out;
	}
	for (int i = 0; i < want->n; i++) {
		int c = class_find(want->v[i], r->class_names, r->classes, where, e);

		if (c < 0)
			goto out;
		if (to[c]) {
			ERR(e, ERR_INVALID, where, "class \"%s\" is chosen twice", want->v[i]);
			goto out;
		}
		to[c] = i + 1;
		names[i] = r->class_names[c];
	}
	for (int64_t i = 0; i < n; i++) {
		keep[i] = to[r->label[i]] > 0;
		r->label[i] = to[r->label[i]] - 1;
	}
	r->class_names = names;
	r->classes = want->n;
	raw_keep(r, keep);
	rc = 0;
out:
	mem_free(to);
	mem_free(keep);
	return rc;
}

static struct strata raw_strata(const struct raw *r, int64_t from, int64_t n)
{
	return (struct strata){ r->label, r->label ? r->classes : 1, r->class_names, NULL, from, n };
}

static void apply_limits(struct raw *r, int64_t limit, int64_t limit_test, uint64_t seed)
{
	int64_t n = r->n_train + r->n_test, part[2] = { r->n_train, r->n_test }, most[2] = { limit, limit_test };
	int classes = r->label ? r->classes : 1;
	int64_t *count = mem_new((size_t)classes * 2 * sizeof *count), *quota = count + classes;
	uint8_t *keep = mem_new((size_t)n);

	memset(keep, 1, (size_t)n);
	for (int i = 0; i < 2; i++) {
		struct strata s = raw_strata(r, i ? r->n_train : 0, part[i]);

		if (!most[i] || part[i] <= most[i])
			continue;
		strata_count(&s, count);
		strata_limit(quota, count, classes, most[i]);
		strata_choose(&s, quota, seed, PURPOSE_SUBSET, (uint32_t)i, keep + s.from);
	}
	raw_keep(r, keep);
	mem_free(count);
	mem_free(keep);
}

/* ---- splits --------------------------------------------------------------------------------------------- */

enum { TWEAK_VALIDATION = 0, TWEAK_TEST = 1 };

/* Moves `share` of every class among the examples marked `from` to the mark `to`, but leaves one of each. */
static void mark_share(const struct raw *r, uint8_t *mark, int64_t n, enum split to, double share, uint64_t seed)
{
	struct strata s = raw_strata(r, 0, 0);
	int64_t *count = mem_new((size_t)s.classes * 2 * sizeof *count), *quota = count + s.classes;
	uint32_t *index = mem_new((size_t)n * sizeof *index + 1);
	uint8_t *chosen = mem_new((size_t)n + 1);

	for (int64_t i = 0; i < n; i++)
		if (mark[i] == SPLIT_TRAIN)
			index[s.n++] = (uint32_t)i;
	s.index = index;
	strata_count(&s, count);
	strata_share(quota, count, s.classes, share, 1, 1);
	strata_choose(&s, quota, seed, PURPOSE_SPLIT, to == SPLIT_TEST ? TWEAK_TEST : TWEAK_VALIDATION, chosen);
	for (int64_t i = 0; i < s.n; i++)
		if (chosen[i])
			mark[index[i]] = (uint8_t)to;
	mem_free(count);
	mem_free(index);
	mem_free(chosen);
}

static int make_splits(struct holder *h, const struct dataset_spec *spec, uint64_t seed, struct err *e)
{
	const struct raw *r = &h->raw;
	int64_t n = r->n_train + r->n_test, at = 0;
	uint8_t *mark = mem_new((size_t)n + 1);

	for (int64_t i = r->n_train; i < n; i++)
		mark[i] = SPLIT_TEST;
	if (r->n_test == 0 && spec->test > 0)
		mark_share(r, mark, n, SPLIT_TEST, spec->test, seed);
	if (spec->validation > 0)
		mark_share(r, mark, n, SPLIT_VALIDATION, spec->validation, seed);
	h->index = block_new((size_t)n * sizeof *h->index + 1);
	if (!h->index) {
		mem_free(mark);
		return ERR(e, ERR_RUNTIME, h->d.name, "out of memory for the splits");
	}
	for (int s = 0; s < SPLIT_COUNT; s++) {
		int64_t from = at;

		for (int64_t i = 0; i < n; i++)
			if (mark[i] == s)
				h->index[at++] = (uint32_t)i;
		h->d.split[s] = h->index + from;
		h->d.n_split[s] = at - from;
	}
	mem_free(mark);
	if (h->d.n_split[SPLIT_TRAIN] == 0)
		return ERR(e, ERR_INVALID, h->d.name, "no training examples are left: check classes and limit");
	return 0;
}

int64_t dataset_part(const struct dataset *d, double share, uint64_t seed, uint32_t *out)
{
	struct strata s = { d->label, d->label ? d->classes : 1, d->class_names, d->split[SPLIT_TRAIN],
			    0,        d->n_split[SPLIT_TRAIN] };
	int64_t *count = mem_new((size_t)s.classes * 2 * sizeof *count), *quota = count + s.classes, n = 0;
	uint8_t *chosen = mem_new((size_t)s.n + 1);

	strata_count(&s, count);
	strata_share(quota, count, s.classes, share, 1, 0);
	strata_choose(&s, quota, seed, PURPOSE_SUBSET, 2, chosen);
	for (int64_t i = 0; i < s.n; i++)
		if (chosen[i])
			out[n++] = s.index[i];
	mem_free(count);
	mem_free(chosen);
	return n;
}

int64_t dataset_count(const struct dataset *d, enum split s, int class_index)
{
	int64_t n = 0;

	for (int64_t i = 0; d->label && i < d->n_split[s]; i++)
		n += d->label[d->split[s][i]] == class_index;
	return n;
}

/* ---- statistics ----------------------------------------------------------------------------------------- */

/* Values of one channel that lie together in an example: pixels, steps, or a single feature. */
static int64_t channel_run(const struct dataset *d)
{
	return shape_count(&d->shape) / d->channels;
}

/* Sums of bytes are exact: at most 2^31 examples of 2^24 values of 2^16 fit 64 bits only with care, so squares are
 * gathered per example and added in double, which is exact up to 2^53 and beyond that good to 1e-16. */
static void sums_u8(const struct dataset *d, double *sum, double *square)
{
	int64_t run = channel_run(d);

	for (int64_t i = 0; i < d->n_split[SPLIT_TRAIN]; i++) {
		const uint8_t *p = d->u8 + (int64_t)d->split[SPLIT_TRAIN][i] * run * d->channels;

		for (int c = 0; c < d->channels; c++, p += run) {
			uint64_t s = 0, q = 0;

			for (int64_t k = 0; k < run; k++) {
				s += p[k];
				q += (uint32_t)p[k] * p[k];
			}
			sum[c] += (double)s;
			square[c] += (double)q;
		}
	}
}

/* Adds sum (x - shift[c])^power over the training split. */
static void moments_f32(const struct dataset *d, const double *shift, int power, double *sum)
{
	int64_t run = channel_run(d);

	for (int64_t i = 0; i < d->n_split[SPLIT_TRAIN]; i++) {
		const float *p = d->f32 + (int64_t)d->split[SPLIT_TRAIN][i] * run * d->channels;

		for (int c = 0; c < d->channels; c++, p += run) {
			for (int64_t k = 0; k < run; k++) {
				double x = (double)p[k] - shift[c];

				sum[c] += power == 2 ? x * x : x;
			}
		}
	}
}

/* mean and variance (of the population) per channel; a channel that never changes gets 1 as its deviation. */
static void measure(struct holder *h)
{
	struct dataset *d = &h->d;
	bool by_channel = d->shape.type == TENSOR_IMAGE || d->shape.type == TENSOR_SEQUENCE;
	double *sum, *square, n;
	float *mean, *std;

	d->channels = d->shape.type == TENSOR_TOKENS                 ? 1
		      : by_channel || d->shape.type == TENSOR_VECTOR ? d->shape.d[0]
								     : 1;
	mean = ARENA_ARRAY(h->arena, float, d->channels);
	std = ARENA_ARRAY(h->arena, float, d->channels);
	sum = mem_new((size_t)d->channels * 2 * sizeof *sum);
	square = sum + d->channels;
	n = (double)d->n_split[SPLIT_TRAIN] * (double)channel_run(d);
	if (d->u8) {
		sums_u8(d, sum, square);
		for (int c = 0; c < d->channels; c++) {
			sum[c] /= n;
			square[c] = square[c] / n - sum[c] * sum[c];
		}
	} else {
		double *zero = mem_new((size_t)d->channels * sizeof *zero);

		moments_f32(d, zero, 1, sum);
		for (int c = 0; c < d->channels; c++)
			sum[c] /= n;
		moments_f32(d, sum, 2, square);
		for (int c = 0; c < d->channels; c++)
			square[c] /= n;
		mem_free(zero);
	}
	for (int c = 0; c < d->channels; c++) {
		bool tokens = d->shape.type == TENSOR_TOKENS;

		mean[c] = tokens ? 0 : (float)sum[c];
		std[c] = (float)sqrt(square[c] > 0 ? square[c] : 0);
		if (tokens || !(std[c] > 1e-6F * fabsf(mean[c])) || !(std[c] > 1e-30F))
			std[c] = 1;
	}
	d->mean = mean;
	d->std = std;
	mem_free(sum);
}

void dataset_example(const struct dataset *d, uint32_t index, float *out)
{
	int64_t run = channel_run(d), at = (int64_t)index * run * d->channels;

	for (int c = 0; c < d->channels; c++)
		for (int64_t k = 0; k < run; k++, at++)
			*out++ = ((d->u8 ? (float)d->u8[at] : d->f32[at]) - d->mean[c]) / d->std[c];
}

/* ---- digests, slices ------------------------------------------------------------------------------------ */

static void make_digests(struct dataset *d)
{
	int64_t per = shape_count(&d->shape);
	struct hasher *h = hasher_new();
	int head[] = { d->shape.type, d->shape.d[0], d->shape.d[1], d->shape.d[2], d->task, d->classes };

	hasher_add(h, head, sizeof head);
	for (int c = 0; c < d->classes && d->class_names; c++)
		hasher_add(h, d->class_names[c], strlen(d->class_names[c]) + 1);
	hasher_add(h, d->u8 ? (const void *)d->u8 : (const void *)d->f32,
		   (size_t)(d->n * per) * (d->u8 ? 1 : sizeof(float)));
	hasher_add(h, d->label ? (const void *)d->label : (const void *)d->target, (size_t)d->n * 4);
	d->digest = hasher_done(h);
	h = hasher_new();
	hasher_add(h, &d->digest, sizeof d->digest);
	for (int s = 0; s < SPLIT_COUNT; s++) {
		hasher_add(h, &d->n_split[s], sizeof d->n_split[s]);
		hasher_add(h, d->split[s], (size_t)d->n_split[s] * sizeof(uint32_t));
	}
	d->identity = hasher_done(h);
}

static int make_slices(struct holder *h, const struct json *json, struct err *e)
{
	struct slice *s;
	int n = 0, by_column = 0;

	if (!json)
		return 0;
	if (h->d.task != TASK_CLASSIFY)
		return ERR(e, ERR_INVALID, h->d.name, "slices are for classification: these data are for regression");
	s = ARENA_ARRAY(h->arena, struct slice, json_count(json) + 1);
	JSON_EACH(v, json) {
		int *classes = ARENA_ARRAY(h->arena, int, json_count(v) + 1), k = 0;
		char where[160];

		if (json_type(v) == JSON_OBJECT) {
			s[n++] = (struct slice){ .name = arena_strdup(h->arena, json_key(v)),
						 .member = h->raw.member[by_column++] };
			continue;
		}
		snprintf(where, sizeof where, "slices.%s", json_key(v));
		JSON_EACH(c, v) {
			classes[k] = class_find(json_string(c), h->d.class_names, h->d.classes, where, e);
			if (classes[k++] < 0)
				return -1;
		}
		s[n++] = (struct slice){ arena_strdup(h->arena, json_key(v)), k, classes, NULL };
	}
	h->d.slices = s;
	h->d.n_slices = n;
	return 0;
}

bool slice_has(const struct slice *s, const struct dataset *d, uint32_t index)
{
	if (s->member)
		return s->member[index];
	for (int i = 0; i < s->n_classes; i++)
		if (d->label[index] == s->classes[i])
			return true;
	return false;
}

static void warn_of_empty_classes(const struct dataset *d)
{
	int64_t *count = mem_new((size_t)d->classes * sizeof *count);
	struct strata s = { d->label, d->classes, d->class_names, d->split[SPLIT_TRAIN], 0, d->n_split[SPLIT_TRAIN] };

	strata_count(&s, count);
	for (int c = 0; c < d->classes; c++)
		if (count[c] == 0)
			log_msg(LOG_WARN, "%s: class \"%s\" has no training example", d->name, d->class_names[c]);
	mem_free(count);
}

/* ---- opening -------------------------------------------------------------------------------------------- */

static int load(struct holder *h, const struct dataset_spec *spec, struct err *e)
{
	const struct data_format *f = find_format(spec->format ? spec->format : "");
	struct diag diag = { 0 };
	struct json_in in = { spec->options, &diag, NULL };
	void *cfg = arena_alloc(h->arena, f ? f->cfg_size : 1);
	int rc;

	h->raw.arena = h->arena;
	if (check_spec(spec, NULL, &in) == 0)
		read_options(cfg, f, spec->options, h->arena, &in);
	rc = diag_check(&diag, ERR_INVALID, "dataset", e);
	diag_release(&diag);
	if (rc < 0)
		return -1;
	h->d.name = spec->dir ? arena_printf(h->arena, "%s %s", f->name, spec->dir) : arena_strdup(h->arena, f->name);
	metadata_want(&h->raw, spec->slices);
	return f->read(&h->raw, spec->dir, cfg, e) < 0 ? -1 : metadata_read(&h->raw, spec, e);
}

static int check_floats(const struct holder *h, struct err *e)
{
	int64_t per = shape_count(&h->raw.shape), n = (h->raw.n_train + h->raw.n_test) * per;

	for (int64_t i = 0; h->raw.f32 && i < n; i++)
		if (!isfinite(h->raw.f32[i]))
			return ERR(e, ERR_INVALID, h->d.name, "example %" PRId64 " holds a value that is not finite",
				   i / per);
	for (int64_t i = 0; h->raw.target && i < h->raw.n_train + h->raw.n_test; i++)
		if (!isfinite(h->raw.target[i]))
			return ERR(e, ERR_INVALID, h->d.name, "the target of example %" PRId64 " is not finite", i);
	return 0;
}

static void publish(struct holder *h)
{
	struct dataset *d = &h->d;
	const struct raw *r = &h->raw;

	d->shape = r->shape;
	d->task = r->task;
	d->classes = r->classes;
	d->class_names = r->class_names;
	d->n = r->n_train + r->n_test;
	d->u8 = r->u8;
	d->f32 = r->f32;
	d->label = r->label;
	d->target = r->target;
}

int dataset_open(struct dataset **out, const struct dataset_spec *spec, struct err *e)
{
	struct holder *h = mem_new(sizeof *h);
	uint64_t seed;
	int rc = -1;

	h->arena = arena_new();
	TRY(load(h, spec, e));
	TRY(str_u64(&seed, spec->seed));
	TRY(check_floats(h, e));
	if (spec->classes.n > 0)
		TRY(choose_classes(&h->raw, &spec->classes, h->d.name, e));
	apply_limits(&h->raw, spec->limit, spec->limit_test, seed);
	publish(h);
	TRY(make_splits(h, spec, seed, e));
	if (h->d.label)
		warn_of_empty_classes(&h->d);
	measure(h);
	make_digests(&h->d);
	TRY(make_slices(h, spec->slices, e));
	*out = &h->d;
	rc = 0;
out:
	if (rc < 0)
		dataset_close(&h->d);
	return rc;
}

void dataset_close(struct dataset *d)
{
	struct holder *h = (struct holder *)d;

	if (!h)
		return;
	raw_release(&h->raw);
	block_free(h->index, 0);
	arena_free(h->arena);
	mem_free(h);
}
