/* arch/safetensors.c - see safetensors.h. */
#include "arch/safetensors.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "arrays are written as they lie in memory");

enum { PREFIX = 8, HEADER_MAX = 100000000 };

static const int64_t HUGE_COUNT = INT64_MAX / 8;

int64_t safetensor_count(const struct safetensor *t)
{
	int64_t n = 1;

	for (int i = 0; i < t->rank; i++)
		n *= t->d[i];
	return n;
}

/* ---- writing -------------------------------------------------------------------------------------------- */

static struct json *write_meta(const struct json *meta)
{
	struct json *out = json_object();

	json_put(out, "format", json_str("pt"));
	JSON_EACH(v, meta) {
		if (json_string(v))
			json_put(out, json_key(v), json_str(json_string(v)));
	}
	return out;
}

static void write_header(struct str *out, const struct safetensor *t, int n, const struct json *meta)
{
	struct json *m = write_meta(meta);
	int64_t at = 0;

	str_add(out, "{\"__metadata__\":");
	json_print(out, m);
	json_free(m);
	for (int i = 0; i < n; i++) {
		int64_t bytes = safetensor_count(&t[i]) * (int64_t)sizeof(float);

		str_addc(out, ',');
		json_quote(out, t[i].name);
		str_add(out, ":{\"dtype\":\"F32\",\"shape\":[");
		for (int k = 0; k < t[i].rank; k++)
			str_addf(out, "%s%lld", k ? "," : "", (long long)t[i].d[k]);
		str_addf(out, "],\"data_offsets\":[%lld,%lld]}", (long long)at, (long long)(at + bytes));
		at += bytes;
	}
	str_addc(out, '}');
	while (out->len % 8)
		str_addc(out, ' ');
}

int safetensors_save(const char *path, const struct safetensor *t, int n, const struct json *meta, struct err *e)
{
	struct str header = { 0 };
	size_t bytes = 0, at;
	uint64_t length;
	char *all;
	int rc;

	write_header(&header, t, n, meta);
	for (int i = 0; i < n; i++)
		bytes += (size_t)safetensor_count(&t[i]) * sizeof(float);
	all = block_new(PREFIX + header.len + bytes);
	if (!all) {
		str_release(&header);
		return ERR(e, ERR_RUNTIME, path, "cannot be written: %zu bytes of memory were refused", bytes);
	}
	length = header.len;
	memcpy(all, &length, PREFIX);
	memcpy(all + PREFIX, header.s, header.len);
	at = PREFIX + header.len;
	for (int i = 0; i < n; i++) {
		size_t size = (size_t)safetensor_count(&t[i]) * sizeof(float);

		memcpy(all + at, t[i].data, size);
		at += size;
	}
	rc = file_write(path, all, at, e);
	block_free(all, PREFIX + header.len + bytes);
	str_release(&header);
	return rc;
}

/* ---- reading -------------------------------------------------------------------------------------------- */

struct span { /* where the data of an array lie */
	int64_t begin, end;
	const char *name;
};

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct safetensor *const *)a)->name, (*(const struct safetensor *const *)b)->name);
}

static int by_begin(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	return (x->end > y->end) - (x->end < y->end);
}

static int parse_header(struct json **out, const char **data, int64_t *data_len, const char *bytes, size_t len,
			const char *name, struct err *e)
{
	uint64_t n;

	if (len < PREFIX)
		return ERR(e, ERR_INVALID, name, "is not a safetensors file: it holds only %zu bytes", len);
	memcpy(&n, bytes, PREFIX);
	if (n > HEADER_MAX)
		return ERR(e, ERR_INVALID, name,
			   "is not a safetensors file: its header would hold %llu bytes (at most 100 MB are allowed)",
			   (unsigned long long)n);
	if (n > len - PREFIX)
		return ERR(e, ERR_INVALID, name,
			   "is truncated: the header has %llu bytes, the file holds only %zu of it",
			   (unsigned long long)n, len - PREFIX);
	if (n == 0 || bytes[PREFIX] != '{')
		return ERR(e, ERR_INVALID, name, "is not a safetensors file: its header does not begin with '{'");
	if (json_parse(out, bytes + PREFIX, (size_t)n, name, e) < 0)
		return -1;
	*data = bytes + PREFIX + n;
	*data_len = (int64_t)(len - PREFIX - (size_t)n);
	return 0;
}

static int check_meta(const struct json *meta, const char *name, struct err *e)
{
	if (json_type(meta) != JSON_OBJECT)
		return ERR(e, ERR_INVALID, name, "__metadata__ must be an object of texts");
	JSON_EACH(v, meta) {
		if (!json_string(v))
			return ERR(e, ERR_INVALID, name, "__metadata__ must be an object of texts; \"%s\" is %s",
				   json_key(v), json_type_name(json_type(v)));
	}
	return 0;
}

/* A whole number from 0 to 2^53, or -1. */
static int64_t whole(const struct json *v)
{
	double x = json_number(v);

	return x >= 0 && x <= 9007199254740992.0 && x == floor(x) ? (int64_t)x : -1;
}

static void shape_words(struct str *out, const struct json *shape)
{
	struct str text = { 0 };

	json_print(&text, shape);
	str_addf(out, "%.60s", str_get(&text));
	str_release(&text);
}

static int wrong_shape(const struct safetensor *t, const struct json *shape, const char *name, struct err *e)
{
	struct str found = { 0 }, want = { 0 };

	shape_words(&found, shape);
	for (int i = 0; i < t->rank; i++)
		str_addf(&want, "%s%lld", i ? "," : "", (long long)t->d[i]);
	ERR(e, ERR_INVALID, name, "\"%s\" has the shape %s, but the model needs [%s]", t->name, str_get(&found),
	    str_get(&want));
	str_release(&found);
	str_release(&want);
	return -1;
}

static int check_shape(const struct safetensor *t, const struct json *shape, const char *name, struct err *e)
{
	int i = 0;

	if (json_type(shape) != JSON_ARRAY || json_count(shape) != t->rank)
		return wrong_shape(t, shape, name, e);
	JSON_EACH(v, shape) {
		if (whole(v) != t->d[i++])
			return wrong_shape(t, shape, name, e);
	}
	return 0;
}

/* The span of an entry in whole bytes, `want` of them. */
static int check_span(struct span *span, const struct json *offsets, int64_t want, int64_t data_len, const char *name,
		      struct err *e)
{
	span->begin = whole(json_first(offsets));
	span->end = whole(json_next(json_first(offsets)));
	if (span->begin < 0 || span->end < span->begin || span->end > data_len)
		return ERR(e, ERR_INVALID, name, "the data of \"%s\" lie outside the file (it is truncated or damaged)",
			   span->name);
	if (want >= 0 && span->end - span->begin != want)
		return ERR(e, ERR_INVALID, name, "the data of \"%s\" hold %lld bytes, its shape needs %lld", span->name,
			   (long long)(span->end - span->begin), (long long)want);
	return 0;
}

/* An entry {dtype, shape, data_offsets}. */
static int check_form(const struct json *v, const char *tensor, const char *name, struct err *e)
{
	const struct json *dtype = json_get(v, "dtype"), *offsets = json_get(v, "data_offsets");

	if (json_type(v) != JSON_OBJECT || json_count(v) != 3 || !json_string(dtype) || !json_get(v, "shape") ||
	    json_type(offsets) != JSON_ARRAY || json_count(offsets) != 2)
		return ERR(e, ERR_INVALID, name, "the header entry of \"%s\" is not {dtype, shape, data_offsets}",
			   tensor);
	return 0;
}

static int check_f32(const struct json *v, const char *tensor, const char *name, struct err *e)
{
	const char *dtype = json_string(json_get(v, "dtype"));

	if (strcmp(dtype, "F32") != 0)
		return ERR(e, ERR_INVALID, name, "\"%s\" is stored as %.20s; only F32 is read: convert it first",
			   tensor, dtype);
	return 0;
}

/* Checks one entry of the header and says where its data lie. */
static int check_entry(struct span *span, const struct safetensor *t, const struct json *v, int64_t data_len,
		       const char *name, struct err *e)
{
	if (check_form(v, t->name, name, e) < 0 || check_f32(v, t->name, name, e) < 0 ||
	    check_shape(t, json_get(v, "shape"), name, e) < 0)
		return -1;
	span->name = t->name;
	return check_span(span, json_get(v, "data_offsets"), safetensor_count(t) * (int64_t)sizeof(float), data_len,
			  name, e);
}

static int check_layout(struct span *spans, int n, int64_t data_len, const char *name, struct err *e)
{
	int64_t at = 0;

	qsort(spans, (size_t)n, sizeof *spans, by_begin);
	for (int i = 0; i < n; i++) {
		if (spans[i].begin != at)
			return ERR(e, ERR_INVALID, name, "the data of \"%s\" begin at byte %lld, expected %lld: %s",
				   spans[i].name, (long long)spans[i].begin, (long long)at,
				   spans[i].begin < at ? "two arrays overlap" : "there is a hole");
		at = spans[i].end;
	}
	if (at != data_len)
		return ERR(e, ERR_INVALID, name, "%lld bytes follow the last array", (long long)(data_len - at));
	return 0;
}

/* Matches the header with what is expected and fills the arrays. sorted: t by name; seen: one flag per t. */
static int read_entries(struct safetensor *t, int n, const struct safetensor **sorted, struct span *spans,
			const struct json *header, const char *data, int64_t data_len, const char *name, struct err *e)
{
	int found = 0;

	JSON_EACH(v, header) {
		struct safetensor key = { .name = json_key(v) };
		const struct safetensor *pkey = &key, **hit;

		if (strcmp(key.name, "__metadata__") == 0) {
			if (check_meta(v, name, e) < 0)
				return -1;
			continue;
		}
		hit = n ? bsearch(&pkey, sorted, (size_t)n, sizeof *sorted, by_name) : NULL;
		if (!hit)
			return ERR(e, ERR_INVALID, name, "holds \"%.100s\", which the model does not have", key.name);
		if (check_entry(&spans[*hit - t], *hit, v, data_len, name, e) < 0)
			return -1;
		found++;
	}
	for (int i = 0; found < n && i < n; i++)
		if (!spans[i].name)
			return ERR(e, ERR_INVALID, name, "lacks \"%s\" (%d of %d arrays are missing)", t[i].name,
				   n - found, n);
	for (int i = 0; i < n; i++)
		memcpy(t[i].data, data + spans[i].begin, (size_t)(spans[i].end - spans[i].begin));
	return check_layout(spans, n, data_len, name, e);
}

int safetensors_parse(struct safetensor *t, int n, const char *bytes, size_t len, const char *name, struct err *e)
{
	const struct safetensor **sorted;
	struct json *header = NULL;
	struct span *spans;
	const char *data = NULL;
	int64_t data_len = 0;
	int rc;

	if (parse_header(&header, &data, &data_len, bytes, len, name, e) < 0)
		return -1;
	sorted = mem_new((size_t)n * sizeof(struct safetensor *));
	spans = mem_new((size_t)n * sizeof *spans);
	for (int i = 0; i < n; i++)
		sorted[i] = &t[i];
	qsort(sorted, (size_t)n, sizeof(struct safetensor *), by_name);
	rc = read_entries(t, n, sorted, spans, header, data, data_len, name, e);
	mem_free(sorted);
	mem_free(spans);
	json_free(header);
	return rc;
}

int safetensors_load(struct safetensor *t, int n, const char *path, struct err *e)
{
	size_t limit = PREFIX + HEADER_MAX, len;
	char *bytes;
	int rc;

	for (int i = 0; i < n; i++)
		limit += (size_t)safetensor_count(&t[i]) * sizeof(float);
	if (file_read(&bytes, &len, path, limit, false, e) < 0)
		return -1;
	rc = safetensors_parse(t, n, bytes, len, path, e);
	mem_free(bytes);
	return rc;
}

/* ---- files of unknown contents -------------------------------------------------------------------------- */

static int read_shape(struct safetensor_found *t, const struct json *shape, const char *name, struct err *e)
{
	t->count = 1;
	if (json_type(shape) != JSON_ARRAY || json_count(shape) > SAFETENSOR_DIMS)
		return ERR(e, ERR_INVALID, name, "\"%s\" has no shape of at most %d sizes", t->name, SAFETENSOR_DIMS);
	JSON_EACH(v, shape) {
		int64_t d = whole(v);

		if (d < 0 || (d && t->count > HUGE_COUNT / d))
			return ERR(e, ERR_INVALID, name, "\"%s\" has a shape that makes no sense", t->name);
		t->d[t->rank++] = d;
		t->count *= d;
	}
	return 0;
}

static bool is_counter(const char *name)
{
	static const char tail[] = "num_batches_tracked";
	size_t n = strlen(name), m = sizeof tail - 1;

	return n >= m && strcmp(name + n - m, tail) == 0;
}

static int list_entry(struct safetensor_found *t, struct span *span, const struct json *v, const char *data,
		      int64_t data_len, const char *name, struct err *e)
{
	bool counter = is_counter(t->name);
	int64_t want;

	span->name = t->name;
	if (check_form(v, t->name, name, e) < 0 || (!counter && check_f32(v, t->name, name, e) < 0) ||
	    read_shape(t, json_get(v, "shape"), name, e) < 0)
		return -1;
	want = counter ? -1 : t->count * (int64_t)sizeof(float);
	if (check_span(span, json_get(v, "data_offsets"), want, data_len, name, e) < 0)
		return -1;
	t->data = data + span->begin;
	return !counter;
}

int safetensors_list(struct safetensor_found **out, int *n, const char *bytes, size_t len, const char *name,
		     struct arena *a, struct err *e)
{
	struct json *header = NULL;
	struct span *spans = NULL;
	const char *data = NULL;
	int64_t data_len = 0;
	int found = 0, rc = -1;

	*n = 0;
	if (parse_header(&header, &data, &data_len, bytes, len, name, e) < 0)
		return -1;
	*out = ARENA_ARRAY(a, struct safetensor_found, json_count(header) + 1);
	spans = mem_new((size_t)(json_count(header) + 1) * sizeof *spans);
	JSON_EACH(v, header) {
		struct safetensor_found *t = &(*out)[*n];
		int listed;

		if (strcmp(json_key(v), "__metadata__") == 0) {
			TRY(check_meta(v, name, e));
			continue;
		}
		*t = (struct safetensor_found){ .name = arena_strdup(a, json_key(v)) };
		listed = list_entry(t, &spans[found++], v, data, data_len, name, e);
		TRY(listed);
		*n += listed;
	}
	rc = check_layout(spans, found, data_len, name, e);
out:
	mem_free(spans);
	json_free(header);
	return rc;
}
