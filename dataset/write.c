/* dataset/write.c - see write.h. Files are written as streams: nothing is copied but one element at a time. */
#include "dataset/write.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/png.h"
#include "base/str.h"

enum writer { WRITER_IDX, WRITER_NPY, WRITER_PNG, WRITER_COUNT };
const char *const dataset_writers[] = { "idx", "npy", "png", NULL };

/* ---- which examples ------------------------------------------------------------------------------------- */

struct part { /* what becomes the training or the test files */
	const char *idx, *npy, *png;
	uint32_t *index;
	int64_t n;
};

/* Training and validation examples in their original order, or the test split. Caller frees index. */
static struct part take_part(const struct dataset *d, bool test)
{
	struct part p = { test ? "t10k" : "train", test ? "test_" : "", test ? "test" : "train", NULL, 0 };
	enum split from = test ? SPLIT_TEST : SPLIT_TRAIN;
	int64_t n[2] = { d->n_split[from], test ? 0 : d->n_split[SPLIT_VALIDATION] }, i = 0, j = 0;

	p.index = mem_new((size_t)(n[0] + n[1]) * sizeof *p.index + 1);
	while (i < n[0] || j < n[1]) {
		const uint32_t *a = d->split[from], *b = d->split[SPLIT_VALIDATION];

		p.index[p.n++] = j >= n[1] || (i < n[0] && a[i] < b[j]) ? a[i++] : b[j++];
	}
	return p;
}

/* ---- streams -------------------------------------------------------------------------------------------- */

static FILE *open_stream(const char *path, struct err *e)
{
	FILE *f = fopen(path, "wb");

	if (!f)
		ERR(e, ERR_RUNTIME, path, "cannot be written: %s", strerror(errno));
	return f;
}

static int close_stream(FILE *f, const char *path, struct err *e)
{
	bool bad = ferror(f);

	if (fclose(f) != 0 || bad)
		return ERR(e, ERR_RUNTIME, path, "cannot be written: %s", strerror(errno));
	return 0;
}

static void put_be32(FILE *f, uint32_t v)
{
	uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	fwrite(b, 1, 4, f);
}

static void put_le32(FILE *f, uint32_t v)
{
	uint8_t b[4] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };

	fwrite(b, 1, 4, f);
}

static void put_float(FILE *f, float x, bool big_endian)
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof bits);
	if (big_endian)
		put_be32(f, bits);
	else
		put_le32(f, bits);
}

static void put_examples(FILE *f, const struct dataset *d, const struct part *p, bool big_endian)
{
	int64_t per = shape_count(&d->shape);

	for (int64_t i = 0; i < p->n; i++) {
		int64_t at = (int64_t)p->index[i] * per;

		if (d->u8) {
			fwrite(d->u8 + at, 1, (size_t)per, f);
			continue;
		}
		for (int64_t k = 0; k < per; k++)
			put_float(f, d->f32[at + k], big_endian);
	}
}

/* ---- IDX ------------------------------------------------------------------------------------------------ */

/* One channel is left out of the dimensions, as MNIST has it. Returns their number. */
static int example_dims(const struct dataset *d, int dim[3])
{
	bool flat = d->shape.type == TENSOR_IMAGE && d->shape.d[0] == 1;
	int rank = shape_rank(&d->shape);

	for (int i = flat; i < rank; i++)
		dim[i - flat] = d->shape.d[i];
	return rank - flat;
}

static int write_idx(const struct dataset *d, const char *dir, const struct part *p, struct arena *a, struct err *e)
{
	int dim[3], rank = example_dims(d, dim);
	char *images, *labels;
	FILE *f;

	if (!d->label || d->classes > 256)
		return ERR(e, ERR_INVALID, d->name, "IDX files hold classification of at most 256 classes: use npy");
	images = path_join(a, dir, arena_printf(a, "%s-images-idx%d-%s", p->idx, rank + 1, d->u8 ? "ubyte" : "float"));
	labels = path_join(a, dir, arena_printf(a, "%s-labels-idx1-ubyte", p->idx));
	f = open_stream(images, e);
	if (!f)
		return -1;
	put_be32(f, (d->u8 ? 0x0800U : 0x0d00U) | (uint32_t)(rank + 1));
	put_be32(f, (uint32_t)p->n);
	for (int i = 0; i < rank; i++)
		put_be32(f, (uint32_t)dim[i]);
	put_examples(f, d, p, true);
	if (close_stream(f, images, e) < 0)
		return -1;
	f = open_stream(labels, e);
	if (!f)
		return -1;
	put_be32(f, 0x0801);
	put_be32(f, (uint32_t)p->n);
	for (int64_t i = 0; i < p->n; i++)
		fputc(d->label[p->index[i]], f);
	return close_stream(f, labels, e);
}

/* ---- NPY ------------------------------------------------------------------------------------------------ */

/* Version 1.0, padded so that the data start at a multiple of 64. */
static void put_npy_header(FILE *f, const char *descr, int64_t n, const int *dim, int rank)
{
	struct str h = { 0 };

	str_addf(&h, "{'descr': '%s', 'fortran_order': False, 'shape': (%" PRId64 ",", descr, n);
	for (int i = 0; i < rank; i++)
		str_addf(&h, "%s%d%s", i ? "" : " ", dim[i], i + 1 < rank ? ", " : "");
	str_add(&h, "), }");
	while ((10 + h.len + 1) % 64)
		str_addc(&h, ' ');
	str_addc(&h, '\n');
	fwrite("\x93NUMPY\x01\x00", 1, 8, f);
	fputc((int)(h.len & 255), f);
	fputc((int)(h.len >> 8), f);
	fwrite(h.s, 1, h.len, f);
	str_release(&h);
}

static int write_npy(const struct dataset *d, const char *dir, const struct part *p, struct arena *a, struct err *e)
{
	char *images = path_join(a, dir, arena_printf(a, "%simages.npy", p->npy));
	char *labels = path_join(a, dir, arena_printf(a, "%slabels.npy", p->npy));
	int dim[3], rank = example_dims(d, dim);
	FILE *f = open_stream(images, e);

	if (!f)
		return -1;
	put_npy_header(f, d->u8 ? "|u1" : "<f4", p->n, dim, rank);
	put_examples(f, d, p, false);
	if (close_stream(f, images, e) < 0)
		return -1;
	f = open_stream(labels, e);
	if (!f)
		return -1;
	put_npy_header(f, d->label ? "<i4" : "<f4", p->n, NULL, 0);
	for (int64_t i = 0; i < p->n; i++) {
		if (d->label)
			put_le32(f, (uint32_t)d->label[p->index[i]]);
		else
			put_float(f, d->target[p->index[i]], false);
	}
	return close_stream(f, labels, e);
}

/* ---- folders of PNG ------------------------------------------------------------------------------------- */

static char *class_folder(const struct dataset *d, int c, const char *dir, struct arena *a, struct err *e)
{
	char *name = arena_strdup(a, d->class_names[c]);

	for (char *s = name; *s; s++)
		if (*s == '/')
			*s = '-';
	if (name[0] == '.' || !name[0]) {
		ERR(e, ERR_INVALID, d->name, "class \"%s\" cannot be the name of a folder", name);
		return NULL;
	}
	return path_join(a, dir, name);
}

static int write_png(const struct dataset *d, const char *dir, const struct part *p, struct arena *a, struct err *e)
{
	char *sub = path_join(a, dir, p->png), **folder;
	int64_t per = shape_count(&d->shape);
	struct arena *scratch;
	int rc = -1;

	if (!d->u8 || !d->label || d->shape.type != TENSOR_IMAGE || (d->shape.d[0] != 1 && d->shape.d[0] != 3))
		return ERR(e, ERR_INVALID, d->name, "only gray or RGB images of bytes can become PNG files: use npy");
	folder = ARENA_ARRAY(a, char *, d->classes);
	scratch = arena_new();
	for (int c = 0; c < d->classes; c++) {
		folder[c] = class_folder(d, c, sub, a, e);
		if (!folder[c])
			goto out;
		TRY(file_mkdirs(folder[c], e));
	}
	for (int64_t i = 0; i < p->n; i++) {
		int64_t at = (int64_t)p->index[i];
		struct picture pic = { d->shape.d[0], d->shape.d[1], d->shape.d[2], (uint8_t *)d->u8 + at * per };

		arena_reset(scratch);
		TRY(picture_write(
		    path_join(scratch, folder[d->label[at]], arena_printf(scratch, "%07" PRId64 ".png", at)), &pic, e));
	}
	rc = 0;
out:
	arena_free(scratch);
	return rc;
}

static int write_names(const struct dataset *d, const char *dir, struct arena *a, struct err *e)
{
	struct str text = { 0 };
	int rc = 0;

	for (int c = 0; c < d->classes; c++) {
		if (strpbrk(d->class_names[c], "\r\n"))
			rc = ERR(e, ERR_INVALID, d->name, "the name of class %d holds a line break", c);
		str_addf(&text, "%s\n", d->class_names[c]);
	}
	if (rc == 0)
		rc = file_write(path_join(a, dir, "class_names.txt"), str_get(&text), text.len, e);
	str_release(&text);
	return rc;
}

int dataset_write(const struct dataset *d, const char *format, const char *dir, struct err *e)
{
	static int (*const writers[])(const struct dataset *, const char *, const struct part *, struct arena *,
				      struct err *) = { write_idx, write_npy, write_png };
	struct part part[2] = { take_part(d, false), take_part(d, true) };
	struct arena *a = arena_new();
	int which = 0, rc = -1;

	while (dataset_writers[which] && strcmp(dataset_writers[which], format) != 0)
		which++;
	if (which == WRITER_COUNT) {
		ERR(e, ERR_USAGE, NULL, "data cannot be written as \"%s\": choose idx, npy or png", format);
		goto out;
	}
	TRY(file_mkdirs(dir, e));
	if (d->label && which != WRITER_PNG)
		TRY(write_names(d, dir, a, e));
	for (int i = 0; i < 2; i++)
		if (part[i].n)
			TRY(writers[which](d, dir, &part[i], a, e));
	rc = 0;
out:
	mem_free(part[0].index);
	mem_free(part[1].index);
	arena_free(a);
	return rc;
}

/* ---- the contact sheet ---------------------------------------------------------------------------------- */

enum { GAP = 1, SHEET_SIDE = 16384 };

struct sheet {
	struct picture pic;
	int zoom, cell_h, cell_w;
	double lo, scale; /* floats: byte = (value - lo) * scale */
};

static void float_range(struct sheet *t, const struct dataset *d)
{
	int64_t n = d->n * shape_count(&d->shape);
	double hi;

	t->lo = hi = (double)d->f32[0];
	for (int64_t i = 0; i < n; i++) {
		t->lo = (double)d->f32[i] < t->lo ? (double)d->f32[i] : t->lo;
		hi = (double)d->f32[i] > hi ? (double)d->f32[i] : hi;
	}
	t->scale = hi > t->lo ? 255 / (hi - t->lo) : 0;
}

static void place(struct sheet *t, const struct dataset *d, uint32_t index, int row, int column)
{
	int h = d->shape.d[1], w = d->shape.d[2];
	int64_t at = (int64_t)index * shape_count(&d->shape);

	for (int c = 0; c < t->pic.channels; c++) {
		for (int y = 0; y < h * t->zoom; y++) {
			int64_t line = (int64_t)c * t->pic.height + row * t->cell_h + GAP + y;
			uint8_t *to = t->pic.data + line * t->pic.width + column * t->cell_w + GAP;

			for (int x = 0; x < w * t->zoom; x++) {
				int64_t from = at + ((int64_t)c * h + y / t->zoom) * w + x / t->zoom;

				to[x] = d->u8 ? d->u8[from] : (uint8_t)(((double)d->f32[from] - t->lo) * t->scale);
			}
		}
	}
}

static void place_all(struct sheet *t, const struct dataset *d, enum split s, int per_class)
{
	int *placed = mem_new((size_t)d->classes * sizeof *placed);

	for (int64_t i = 0; i < d->n_split[s]; i++) {
		uint32_t index = d->split[s][i];
		int c = d->label ? d->label[index] : 0;

		if (placed[c] < per_class)
			place(t, d, index, c, placed[c]++);
	}
	mem_free(placed);
}

int dataset_sheet(const struct dataset *d, enum split s, int per_class, int zoom, const char *path, struct err *e)
{
	struct sheet t = { .zoom = zoom };
	int64_t height, width;
	size_t bytes;
	int rc;

	if (d->shape.type != TENSOR_IMAGE || (d->shape.d[0] != 1 && d->shape.d[0] != 3))
		return ERR(e, ERR_INVALID, d->name, "a contact sheet needs gray or RGB images");
	height = (int64_t)d->classes * ((int64_t)d->shape.d[1] * zoom + GAP) + GAP;
	width = (int64_t)per_class * ((int64_t)d->shape.d[2] * zoom + GAP) + GAP;
	if (per_class < 1 || zoom < 1 || height > SHEET_SIDE || width > SHEET_SIDE)
		return ERR(e, ERR_INVALID, d->name,
			   "the sheet would have %" PRId64 "x%" PRId64 " pixels, the limit is %d", width, height,
			   SHEET_SIDE);
	t.cell_h = d->shape.d[1] * zoom + GAP;
	t.cell_w = d->shape.d[2] * zoom + GAP;
	bytes = (size_t)d->shape.d[0] * (size_t)height * (size_t)width;
	t.pic = (struct picture){ d->shape.d[0], (int)height, (int)width, block_new(bytes) };
	if (!t.pic.data)
		return ERR(e, ERR_RUNTIME, path, "out of memory for the sheet");
	memset(t.pic.data, 255, bytes);
	if (d->f32)
		float_range(&t, d);
	place_all(&t, d, s, per_class);
	rc = picture_write(path, &t.pic, e);
	picture_release(&t.pic);
	return rc;
}

/* ---- the description ------------------------------------------------------------------------------------ */

void dataset_name_text(struct str *out, const char *name)
{
	for (const char *s = name; *s;) {
		const unsigned char *b = (const unsigned char *)s;
		int n = str_utf8(s);

		if (n == 0 || *b < 0x20 || *b == 0x7f || (*b == 0xc2 && b[1] < 0xa0)) {
			str_addf(out, "\\x%02x", *b);
			s++;
		} else {
			str_addn(out, s, (size_t)n);
			s += n;
		}
	}
}

static struct json *name_json(const char *name)
{
	struct str text = { 0 };
	struct json *j;

	dataset_name_text(&text, name);
	j = json_str(str_get(&text));
	str_release(&text);
	return j;
}

static struct json *counts_json(const int64_t count[SPLIT_COUNT], struct json *into)
{
	for (int s = 0; s < SPLIT_COUNT; s++)
		json_put(into, split_names[s], json_num((double)count[s]));
	return into;
}

/* count[class][split], counted in one go; caller frees. */
static int64_t (*count_all(const struct dataset *d))[SPLIT_COUNT]
{
	int64_t(*count)[SPLIT_COUNT] = mem_new((size_t)d->classes * sizeof *count);

	for (int s = 0; s < SPLIT_COUNT && d->label; s++)
		for (int64_t i = 0; i < d->n_split[s]; i++)
			count[d->label[d->split[s][i]]][s]++;
	return count;
}

static struct json *slices_json(const struct dataset *d)
{
	struct json *out = json_object();

	for (int i = 0; i < d->n_slices; i++) {
		struct json *list;

		if (d->slices[i].member) {
			int64_t n = 0;

			for (int64_t k = 0; k < d->n; k++)
				n += d->slices[i].member[k];
			json_put(json_put(out, d->slices[i].name, json_object()), "examples", json_num((double)n));
			continue;
		}
		list = json_put(out, d->slices[i].name, json_array());

		for (int k = 0; k < d->slices[i].n_classes; k++)
			json_push(list, name_json(d->class_names[d->slices[i].classes[k]]));
	}
	return out;
}

static struct json *floats_json(const float *v, int n)
{
	struct json *out = json_array();

	for (int i = 0; i < n; i++)
		json_push(out, json_num((double)v[i]));
	return out;
}

struct json *dataset_info(const struct dataset *d)
{
	struct json *out = json_object(), *shape = json_array(), *classes = json_array();
	int64_t(*count)[SPLIT_COUNT] = count_all(d);
	char text[HASH_TEXT];

	for (int i = 0; i < shape_rank(&d->shape); i++)
		json_push(shape, json_num(d->shape.d[i]));
	for (int c = 0; c < d->classes && d->label; c++) {
		struct json *j = json_push(classes, json_object());

		json_put(j, "name", name_json(d->class_names[c]));
		counts_json(count[c], j);
	}
	mem_free(count);
	json_put(out, "name", name_json(d->name));
	json_put(out, "type", json_str(tensor_type_names[d->shape.type]));
	json_put(out, "shape", shape);
	json_put(out, "task", json_str(task_names[d->task]));
	json_put(out, "examples", counts_json(d->n_split, json_object()));
	json_put(out, "classes", classes);
	json_put(out, "slices", slices_json(d));
	json_put(out, "mean", floats_json(d->mean, d->channels));
	json_put(out, "std", floats_json(d->std, d->channels));
	json_put(out, "digest", json_str(hash_text(text, d->digest)));
	json_put(out, "identity", json_str(hash_text(text, d->identity)));
	return out;
}

enum { TEXT_CHANNELS = 8 };

static void text_statistics(struct str *out, const char *what, const float *v, int n)
{
	str_addf(out, "%-11s", what);
	for (int i = 0; i < n && i < TEXT_CHANNELS; i++)
		str_addf(out, " %.5g", (double)v[i]);
	str_addf(out, n > TEXT_CHANNELS ? " ... (%d channels)\n" : "\n", n);
}

static void text_classes(struct str *out, const struct dataset *d)
{
	int64_t(*count)[SPLIT_COUNT] = count_all(d);

	str_addf(out, "\n%10s %10s %10s  class\n", split_names[0], split_names[1], split_names[2]);
	for (int c = 0; c < d->classes; c++) {
		str_addf(out, "%10" PRId64 " %10" PRId64 " %10" PRId64 "  ", count[c][0], count[c][1], count[c][2]);
		dataset_name_text(out, d->class_names[c]);
		str_addc(out, '\n');
	}
	mem_free(count);
}

void dataset_info_text(struct str *out, const struct dataset *d)
{
	char text[64];

	str_add(out, "data        ");
	dataset_name_text(out, d->name);
	str_addf(out, "\nexample     %s %s of %s\n", tensor_type_names[d->shape.type], shape_text(text, &d->shape),
		 d->u8 ? "bytes" : "floats");
	str_addf(out, "task        %s", task_names[d->task]);
	str_addf(out, d->label ? ", %d classes\n" : "\n", d->classes);
	str_addf(out, "examples   ");
	for (int s = 0; s < SPLIT_COUNT; s++)
		str_addf(out, " %s %s%s", str_thousands(text, d->n_split[s]), split_names[s],
			 s < SPLIT_TEST ? "," : "\n");
	text_statistics(out, "mean", d->mean, d->channels);
	text_statistics(out, "deviation", d->std, d->channels);
	str_addf(out, "digest      %s\n", hash_text(text, d->digest));
	if (d->label)
		text_classes(out, d);
}
