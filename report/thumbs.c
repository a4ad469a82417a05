/* report/thumbs.c - see thumbs.h. */
#include "report/thumbs.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/pack.h"
#include "base/png.h"
#include "base/str.h"
#include "dataset/dataset.h"
#include "report/gather.h"

enum {
	SIDE_MAX = 96,
	DRAWING_WIDTH = 64,
	DRAWING_HEIGHT = 32,
	SHEET_COLUMNS = 16,
	SHEET_ROWS = 16,
	TOKENS_MAX = 40,
	DATA_BYTES = 512 << 20, /* in files: what opens in a few seconds */
	DATA_FILES = 60000
};

/* ---- opening -------------------------------------------------------------------------------------------- */

struct size {
	int64_t bytes, files;
};

static bool small_enough(const struct size *s)
{
	return s->bytes <= DATA_BYTES && s->files <= DATA_FILES;
}

/* Adds up what lies under a path; stops when that is too much. */
static void measure(struct size *s, const char *path, int depth)
{
	struct stat st;
	struct dirent *entry;
	DIR *dir;

	if (stat(path, &st) < 0 || !small_enough(s))
		return;
	s->files++;
	if (!S_ISDIR(st.st_mode)) {
		s->bytes += st.st_size;
		return;
	}
	dir = depth < 4 ? opendir(path) : NULL;
	while (dir && small_enough(s) && (entry = readdir(dir))) {
		struct str sub = { 0 };

		if (entry->d_name[0] == '.')
			continue;
		str_addf(&sub, "%s/%s", path, entry->d_name);
		measure(s, str_get(&sub), depth + 1);
		str_release(&sub);
	}
	if (dir)
		closedir(dir);
}

static struct dataset *open_spec(const struct report *r, const struct json *doc, bool any_size, char why[THUMBS_WHY])
{
	struct diag diag = { 0 };
	struct json_in in = { doc, &diag, NULL };
	struct dataset_spec spec;
	struct dataset *d = NULL;
	struct size size = { 0 };
	struct err e = { 0 };

	if (dataset_spec_read(&spec, doc, NULL, r->a, &in) < 0) {
		snprintf(why, THUMBS_WHY, "the stored specification of the data cannot be read by this version of nab");
		goto out;
	}
	spec.slices = NULL; /* not needed for pictures, and they may want further files */
	if (spec.dir)
		measure(&size, spec.dir, 0);
	if (!any_size && !small_enough(&size)) {
		snprintf(why, THUMBS_WHY, "the data are large; `nab report --images 2000` reads them nevertheless");
		goto out;
	}
	if (dataset_open(&d, &spec, &e) < 0)
		snprintf(why, THUMBS_WHY, "the data cannot be opened from here (%.200s: %.150s)", e.where, e.msg);
out:
	diag_release(&diag);
	return d;
}

struct dataset *thumbs_open(const struct report *r, bool any_size, char why[THUMBS_WHY])
{
	struct json *doc = NULL;
	struct dataset *d = NULL;
	char digest[HASH_TEXT];

	why[0] = 0;
	if (!r->data.spec || json_parse(&doc, r->data.spec, strlen(r->data.spec), "data", NULL) < 0) {
		snprintf(why, THUMBS_WHY, "the store does not say where the data are");
		return NULL;
	}
	d = open_spec(r, doc, any_size, why);
	if (d && strcmp(hash_text(digest, d->identity), r->data.digest) != 0) {
		snprintf(why, THUMBS_WHY, "the data have changed since they were trained on");
		dataset_close(d);
		d = NULL;
	}
	json_free(doc);
	return d;
}

/* ---- drawing -------------------------------------------------------------------------------------------- */

static int shrink_of(const struct dataset *d)
{
	int side = d->shape.d[1] > d->shape.d[2] ? d->shape.d[1] : d->shape.d[2];

	return (side + SIDE_MAX - 1) / SIDE_MAX;
}

bool thumbs_size(const struct dataset *d, struct picture *size)
{
	const struct shape *s = &d->shape;
	int k;

	*size = (struct picture){ .channels = 1, .width = DRAWING_WIDTH, .height = DRAWING_HEIGHT };
	switch (s->type) {
	case TENSOR_IMAGE:
		k = shrink_of(d);
		size->channels = s->d[0] >= 3 ? 3 : 1;
		size->height = (s->d[1] + k - 1) / k;
		size->width = (s->d[2] + k - 1) / k;
		return true;
	case TENSOR_SEQUENCE:
		if (s->d[0] > 1) { /* a row of the picture for every channel, or two */
			size->height = s->d[0] > SIDE_MAX ? SIDE_MAX : s->d[0];
			while (size->height < DRAWING_HEIGHT / 2)
				size->height *= 2;
		}
		return true;
	case TENSOR_VECTOR:
		return true;
	case TENSOR_TOKENS:
	case TENSOR_TYPE_COUNT:
		break;
	}
	return false;
}

static uint8_t byte_of(double v)
{
	return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : lround(v));
}

/* A value as a grey level; pictures that are kept as bytes are what they are. */
static double level(const struct dataset *d, int64_t at, int channel)
{
	return d->u8 ? d->u8[at] : 128 + 50 * (double)((d->f32[at] - d->mean[channel]) / d->std[channel]);
}

static void draw_image(const struct dataset *d, uint32_t index, struct picture *to)
{
	int h = d->shape.d[1], w = d->shape.d[2], k = shrink_of(d);
	int64_t first = (int64_t)index * shape_count(&d->shape);

	for (int c = 0; c < to->channels; c++)
		for (int y = 0; y < to->height; y++)
			for (int x = 0; x < to->width; x++) {
				double sum = 0;
				int n = 0;

				for (int v = y * k; v < (y + 1) * k && v < h; v++)
					for (int u = x * k; u < (x + 1) * k && u < w; u++, n++)
						sum += level(d, first + ((int64_t)c * h + v) * w + u, c);
				to->data[(c * to->height + y) * to->width + x] = byte_of(sum / n);
			}
}

/* Bars from the middle line, 2.5 standard deviations to either end; mean over what shares a column. */
static void draw_bars(const float *v, int n, struct picture *to)
{
	int w = to->width, h = to->height;

	memset(to->data, 250, (size_t)(w * h));
	for (int x = 0; x < w; x++) {
		int a = x * n / w, b = (x + 1) * n / w;
		double sum = 0;
		int top, bottom, y;

		b = b > a ? b : a + 1;
		for (int i = a; i < b; i++)
			sum += (double)v[i];
		y = (int)lround((h - 1) / 2.0 * (1 - fmax(-1, fmin(1, sum / (b - a) / 2.5))));
		top = y < h / 2 ? y : h / 2;
		bottom = y < h / 2 ? h / 2 : y;
		for (y = top; y <= bottom; y++)
			to->data[y * w + x] = 60;
	}
}

static void draw_heat(const float *v, int channels, int steps, int valid, struct picture *to)
{
	memset(to->data, 255, (size_t)(to->width * to->height));
	for (int y = 0; y < to->height; y++)
		for (int x = 0; x < to->width; x++) {
			int c = y * channels / to->height, t = x * valid / to->width;

			to->data[y * to->width + x] = byte_of(128 + 50 * (double)v[c * steps + t]);
		}
}

void thumbs_draw(const struct dataset *d, uint32_t index, struct picture *to)
{
	const struct shape *s = &d->shape;
	float *v;
	int valid = d->length ? d->length[index] : s->d[1];

	if (s->type == TENSOR_IMAGE) {
		draw_image(d, index, to);
		return;
	}
	v = mem_new((size_t)shape_count(s) * sizeof *v);
	dataset_example(d, index, v);
	if (s->type == TENSOR_VECTOR)
		draw_bars(v, s->d[0], to);
	else if (s->d[0] == 1)
		draw_bars(v, valid > 0 ? valid : 1, to);
	else
		draw_heat(v, s->d[0], s->d[1], valid > 0 ? valid : 1, to);
	mem_free(v);
}

static void put_tokens(struct str *out, const struct dataset *d, uint32_t index)
{
	int64_t per = shape_count(&d->shape), n = d->length ? d->length[index] : per;

	for (int64_t i = 0; i < n && i < TOKENS_MAX; i++)
		str_addf(out, "%s%.0f", i ? " " : "",
			 d->u8 ? (double)d->u8[index * per + i] : (double)d->f32[index * per + i]);
	if (n > TOKENS_MAX)
		str_add(out, " \xe2\x80\xa6");
}

/* ---- sheets --------------------------------------------------------------------------------------------- */

static void paste(const struct picture *sheet, const struct picture *one, int column, int row)
{
	for (int c = 0; c < one->channels; c++)
		for (int y = 0; y < one->height; y++)
			memcpy(sheet->data +
				   ((size_t)c * (size_t)sheet->height + (size_t)(row * one->height + y)) *
				       (size_t)sheet->width +
				   (size_t)column * (size_t)one->width,
			       one->data + ((size_t)c * (size_t)one->height + (size_t)y) * (size_t)one->width,
			       (size_t)one->width);
}

/* The sheet of order[0..n) as a PNG; false if it cannot be made. */
static bool sheet(struct str *png, const struct dataset *d, const struct picture *size, const int64_t *order, int64_t n)
{
	struct picture all = *size, one = *size;
	bool ok;

	all.width *= SHEET_COLUMNS;
	all.height *= (int)((n + SHEET_COLUMNS - 1) / SHEET_COLUMNS);
	all.data = mem_new((size_t)all.width * (size_t)all.height * (size_t)all.channels);
	one.data = mem_new((size_t)one.width * (size_t)one.height * (size_t)one.channels);
	for (int i = 0; i < n; i++) {
		thumbs_draw(d, d->split[SPLIT_VALIDATION][order[i]], &one);
		paste(&all, &one, i % SHEET_COLUMNS, i / SHEET_COLUMNS);
	}
	ok = picture_encode(png, &all, NULL) == 0;
	mem_free(all.data);
	mem_free(one.data);
	return ok;
}

static void texts(struct str *out, const struct dataset *d, const int64_t *order, int64_t n, size_t limit)
{
	size_t start = out->len;

	str_add(out, "{\"texts\":{");
	for (int64_t i = 0; i < n && out->len - start < limit; i++) {
		struct str one = { 0 };

		put_tokens(&one, d, d->split[SPLIT_VALIDATION][order[i]]);
		str_addf(out, "%s\"%lld\":", i ? "," : "", (long long)order[i]);
		json_quote(out, str_get(&one));
		str_release(&one);
	}
	str_add(out, "}}");
}

void thumbs_sheets(struct str *out, const struct dataset *d, const int64_t *order, int64_t n, size_t limit)
{
	struct picture size;
	struct str sheets = { 0 };
	int64_t per = SHEET_COLUMNS * SHEET_ROWS, done = 0;

	if (!thumbs_size(d, &size)) {
		texts(out, d, order, n, limit);
		return;
	}
	while (done < n) {
		int64_t part = n - done < per ? n - done : per;
		struct str png = { 0 };
		bool fits = sheet(&png, d, &size, order + done, part) && sheets.len + png.len / 3 * 4 <= limit;

		if (fits) {
			str_add(&sheets, done ? ",\"" : "\"");
			base64_add(&sheets, png.s, png.len);
			str_addc(&sheets, '"');
			done += part;
		}
		str_release(&png);
		if (!fits)
			break;
	}
	str_addf(out, "{\"width\":%d,\"height\":%d,\"channels\":%d,\"columns\":%d,\"per\":%lld,\"of\":[", size.width,
		 size.height, size.channels, SHEET_COLUMNS, (long long)per);
	for (int64_t i = 0; i < done; i++)
		str_addf(out, "%s%lld", i ? "," : "", (long long)order[i]);
	str_addf(out, "],\"sheets\":[%s]}", str_get(&sheets));
	str_release(&sheets);
}
