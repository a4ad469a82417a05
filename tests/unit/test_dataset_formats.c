/* tests/unit/test_dataset_formats.c - every reader on files made here, sound and broken, and on real data. */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/png.h"
#include "base/rng.h"
#include "dataset/dataset.h"
#include "tests/helper_files.h"
#include "tests/helper_open.h"
#include "tests/helper_skip.h"

static struct rng rng;

static void random_bytes(uint8_t *p, size_t n, uint32_t below)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)rng_below(&rng, below);
}

static void gzip_file(const char *path, const void *data, size_t len)
{
	gzFile z = gzopen(path, "wb");

	assert_int_equal(gzwrite(z, data, (unsigned)len), (int)len);
	gzclose(z);
}

/* ---- IDX ------------------------------------------------------------------------------------------------ */

enum { N = 40, H = 5, W = 3 };

/* Images and labels of one split, with the given dimensions in the headers. */
static void make_idx(const char *dir, const char *stem, uint8_t x[16 + N * H * W], uint8_t y[8 + N])
{
	uint8_t head[16] = { 0, 0, 8, 3, 0, 0, 0, N, 0, 0, 0, H, 0, 0, 0, W };
	char name[64];

	memcpy(x, head, 16);
	memcpy(y, head, 8);
	y[3] = 1;
	random_bytes(x + 16, N * H * W, 256);
	for (int i = 0; i < N; i++)
		y[8 + i] = (uint8_t)(i % 4);
	snprintf(name, sizeof name, "%s-images-idx3-ubyte", stem);
	temp_file(dir, name, x, 16 + N * H * W);
	snprintf(name, sizeof name, "%s-labels-idx1-ubyte", stem);
	temp_file(dir, name, y, 8 + N);
}

static void idx_sound(void **state)
{
	const char *dir = temp_dir();
	uint8_t x[16 + N * H * W], y[8 + N], tx[16 + N * H * W], ty[8 + N];
	struct dataset *d;
	char path[200];

	(void)state;
	make_idx(dir, "train", x, y);
	make_idx(dir, "t10k", tx, ty);
	snprintf(path, sizeof path, "%s/t10k-images-idx3-ubyte", dir);
	unlink(path);
	strcat(path, ".gz");
	gzip_file(path, tx, sizeof tx);
	temp_text(dir, "class_names.txt", "nought\none\r\ntwo\nthree\n\n");
	d = open_data("{\"format\": \"idx\", \"dir\": \"%s\"}", dir);
	assert_non_null(d);
	assert_int_equal(d->n_split[SPLIT_TEST], N);
	assert_int_equal(d->shape.d[0] * 10000 + d->shape.d[1] * 100 + d->shape.d[2], 10503);
	assert_memory_equal(d->u8, x + 16, N * H * W);
	assert_memory_equal(d->u8 + N * H * W, tx + 16, N * H * W);
	assert_int_equal(d->label[N + 6], 2);
	assert_int_equal(d->classes, 4);
	assert_string_equal(d->class_names[1], "one");
	dataset_close(d);
	d = open_data("{\"format\": \"idx\", \"dir\": \"%s\", \"options\": {\"names\": [\"a\", \"b\", \"c\", \"d\"]}}",
		      dir);
	assert_string_equal(d->class_names[3], "d");
	dataset_close(d);
	expect_invalid("names 2 classes, but the files hold label 3",
		       "{\"format\": \"idx\", \"dir\": \"%s\", \"options\": {\"names\": [\"a\", \"b\"]}}", dir);
	expect_invalid("same name \"a\"",
		       "{\"format\": \"idx\", \"dir\": \"%s\", \"options\": {\"names\": [\"a\", \"b\", \"a\", \"d\"]}}",
		       dir);
}

#define IDX_FAILS(part) expect_invalid(part, "{\"format\": \"idx\", \"dir\": \"%s\"}", dir)

static void idx_broken(void **state)
{
	const char *dir = temp_dir();
	uint8_t x[16 + N * H * W], y[8 + N];
	char path[200];

	(void)state;
	IDX_FAILS("holds no train-images-idx3-ubyte");
	make_idx(dir, "train", x, y);
	temp_file(dir, "train-images-idx3-ubyte", x, sizeof x - 1);
	IDX_FAILS("train-images-idx3-ubyte: is truncated");
	temp_file(dir, "train-images-idx3-ubyte", x, 9);
	IDX_FAILS("is truncated: 9 bytes");
	x[3] = 9;
	temp_file(dir, "train-images-idx3-ubyte", x, sizeof x);
	IDX_FAILS("has 9 dimensions");
	x[3] = 3;
	x[0] = 1;
	temp_file(dir, "train-images-idx3-ubyte", x, sizeof x);
	IDX_FAILS("wrong magic number");
	x[0] = 0;
	memset(x + 4, 255, 12);
	temp_file(dir, "train-images-idx3-ubyte", x, sizeof x);
	IDX_FAILS("more elements than any memory holds");
	memset(x + 4, 0, 12);
	temp_file(dir, "train-images-idx3-ubyte", x, 16);
	IDX_FAILS("holds 40 labels, but train-images-idx3-ubyte holds 0");
	make_idx(dir, "train", x, y);
	y[7] = N - 1;
	temp_file(dir, "train-labels-idx1-ubyte", y, sizeof y - 1);
	IDX_FAILS("holds 39 labels, but train-images-idx3-ubyte holds 40 examples");
	snprintf(path, sizeof path, "%s/train-labels-idx1-ubyte", dir);
	unlink(path);
	IDX_FAILS("no train-labels-idx1-ubyte");
}

static void idx_gzip_damage(void **state)
{
	const char *dir = temp_dir();
	uint8_t x[16 + N * H * W], y[8 + N];
	char path[200], *buf;
	size_t len;

	(void)state;
	make_idx(dir, "train", x, y);
	snprintf(path, sizeof path, "%s/train-images-idx3-ubyte", dir);
	unlink(path);
	strcat(path, ".gz");
	gzip_file(path, x, sizeof x);
	assert_int_equal(file_read(&buf, &len, path, 1 << 20, false, NULL), 0);
	temp_file(dir, "train-images-idx3-ubyte.gz", buf, len / 2);
	IDX_FAILS("train-images-idx3-ubyte.gz: ends too early");
	buf[len / 2] ^= 0x55;
	temp_file(dir, "train-images-idx3-ubyte.gz", buf, len);
	IDX_FAILS("train-images-idx3-ubyte.gz: cannot be read: the compressed data is damaged");
	mem_free(buf);
}

/* ---- CIFAR ---------------------------------------------------------------------------------------------- */

enum { CIFAR = 3072 };

static void cifar_ten(void **state)
{
	const char *dir = temp_dir();
	static uint8_t b[3][4 * (1 + CIFAR)];
	struct dataset *d;

	(void)state;
	for (int i = 0; i < 3; i++) {
		random_bytes(b[i], sizeof b[i], 256);
		for (int k = 0; k < 4; k++)
			b[i][k * (1 + CIFAR)] = (uint8_t)(i + k);
	}
	temp_file(dir, "data_batch_2.bin", b[0], sizeof b[0]);
	temp_file(dir, "data_batch_4.bin", b[1], sizeof b[1]);
	temp_file(dir, "test_batch.bin", b[2], sizeof b[2]);
	d = open_data("{\"format\": \"cifar\", \"dir\": \"%s\", \"validation\": 0}", dir);
	assert_non_null(d);
	assert_int_equal(d->n_split[SPLIT_TRAIN], 8);
	assert_int_equal(d->n_split[SPLIT_TEST], 4);
	assert_int_equal(d->classes, 10);
	for (int i = 0; i < 12; i++) {
		assert_int_equal(d->label[i], i / 4 + i % 4);
		assert_memory_equal(d->u8 + i * CIFAR, b[i / 4] + i % 4 * (1 + CIFAR) + 1, CIFAR);
	}
	assert_int_equal(d->channels, 3);
	dataset_close(d);
	temp_file(dir, "data_batch_4.bin", b[1], sizeof b[1] - 7);
	expect_invalid("data_batch_4.bin: holds 12285 bytes", "{\"format\": \"cifar\", \"dir\": \"%s\"}", dir);
	b[1][1 + CIFAR] = 10;
	temp_file(dir, "data_batch_4.bin", b[1], sizeof b[1]);
	expect_invalid("record 1 has label 10, must be below 10", "{\"format\": \"cifar\", \"dir\": \"%s\"}", dir);
	temp_text(dir, "batches.meta.txt", "a\nb\nc\n");
	expect_invalid("names 3 classes, must be 10", "{\"format\": \"cifar\", \"dir\": \"%s\"}", dir);
}

static void cifar_hundred(void **state)
{
	const char *dir = temp_dir();
	static uint8_t b[5 * (2 + CIFAR)];
	struct dataset *d;

	(void)state;
	for (int k = 0; k < 5; k++) {
		b[k * (2 + CIFAR)] = (uint8_t)(k + 15);
		b[k * (2 + CIFAR) + 1] = (uint8_t)(k + 95);
		b[k * (2 + CIFAR) + 2] = (uint8_t)k;
	}
	temp_file(dir, "train.bin", b, sizeof b);
	temp_file(dir, "test.bin", b, sizeof b);
	d = open_data("{\"format\": \"cifar\", \"dir\": \"%s\", \"validation\": 0}", dir);
	assert_int_equal(d->classes, 100);
	assert_int_equal(d->label[4], 99);
	assert_int_equal(d->u8[4 * CIFAR], 4);
	dataset_close(d);
	d = open_data("{\"format\": \"cifar\", \"dir\": \"%s\", \"options\": {\"labels\": \"coarse\"}}", dir);
	assert_int_equal(d->classes, 20);
	assert_int_equal(d->label[4], 19);
	dataset_close(d);
	b[0] = 20;
	temp_file(dir, "test.bin", b, sizeof b);
	expect_invalid("test.bin: record 0 has label 20",
		       "{\"format\": \"cifar\", \"dir\": \"%s\", \"options\": {\"labels\": \"coarse\"}}", dir);
	expect_invalid("holds neither", "{\"format\": \"cifar\", \"dir\": \"%s\"}", temp_dir());
}

/* ---- PNG ------------------------------------------------------------------------------------------------ */

static void make_png(const char *dir, const char *name, int channels, int h, int w, uint8_t *pixels)
{
	struct picture p = { channels, h, w, pixels };

	random_bytes(pixels, (size_t)(channels * h * w), 256);
	temp_text(dir, name, ""); /* makes the folder */
	assert_int_equal(picture_write(temp_text(dir, name, ""), &p, NULL), 0);
}

static void png_folders(void **state)
{
	const char *dir = temp_dir();
	uint8_t px[6][2 * 3 * 3];
	struct dataset *d;

	(void)state;
	make_png(dir, "cat/2.png", 3, 2, 3, px[1]);
	make_png(dir, "cat/1.PNG", 3, 2, 3, px[0]);
	make_png(dir, "ant/x.png", 3, 2, 3, px[2]);
	make_png(dir, "ant/y.png", 3, 2, 3, px[3]);
	temp_text(dir, "ant/notes.txt", "not a picture");
	temp_text(dir, ".hidden/z.png", "not looked at");
	d = open_data("{\"format\": \"png\", \"dir\": \"%s\", \"validation\": 0, \"test\": 0}", dir);
	assert_non_null(d);
	assert_int_equal(d->n, 4);
	assert_string_equal(d->class_names[0], "ant");
	assert_int_equal(d->label[0] * 8 + d->label[1] * 4 + d->label[2] * 2 + d->label[3], 3);
	assert_memory_equal(d->u8, px[2], 18);
	assert_memory_equal(d->u8 + 36, px[0], 18);
	dataset_close(d);
	d = open_data("{\"format\": \"png\", \"dir\": \"%s\", \"options\": {\"color\": \"gray\"}}", dir);
	assert_int_equal(d->shape.d[0], 1);
	dataset_close(d);
	make_png(dir, "cat/3.png", 1, 2, 3, px[4]);
	expect_invalid("cat/3.png: is a picture of 1x2x3, the first one of 3x2x3",
		       "{\"format\": \"png\", \"dir\": \"%s\"}", dir);
	d = open_data("{\"format\": \"png\", \"dir\": \"%s\", \"options\": {\"color\": \"rgb\"}}", dir);
	assert_int_equal(d->n, 5);
	dataset_close(d);
	make_png(dir, "cat/3.png", 3, 3, 3, px[4]);
	expect_invalid("cat/3.png", "{\"format\": \"png\", \"dir\": \"%s\"}", dir);
	temp_text(dir, "cat/3.png", "\x89PNG nonsense");
	expect_invalid("cat/3.png: is no sound PNG", "{\"format\": \"png\", \"dir\": \"%s\"}", dir);
}

static void png_with_split(void **state)
{
	const char *dir = temp_dir();
	uint8_t px[12];
	struct dataset *d;

	(void)state;
	make_png(dir, "train/b/1.png", 1, 3, 4, px);
	make_png(dir, "train/a/1.png", 1, 3, 4, px);
	make_png(dir, "test/b/1.png", 1, 3, 4, px);
	d = open_data("{\"format\": \"png\", \"dir\": \"%s\"}", dir);
	assert_non_null(d);
	assert_int_equal(d->n_split[SPLIT_TEST], 1);
	assert_int_equal(d->label[2], 1);
	assert_memory_equal(d->u8 + 24, px, 12);
	dataset_close(d);
	make_png(dir, "test/c/1.png", 1, 3, 4, px);
	expect_invalid("class folder \"c\", which the training part does not have",
		       "{\"format\": \"png\", \"dir\": \"%s\"}", dir);
	expect_invalid("cannot be opened as a folder", "{\"format\": \"png\", \"dir\": \"%s/none\"}", dir);
	expect_invalid("holds 0 class folders", "{\"format\": \"png\", \"dir\": \"%s\"}", temp_dir());
}

/* ---- NPY ------------------------------------------------------------------------------------------------ */

/* A file of version 1 with this header and these bytes. */
static void make_npy(const char *dir, const char *name, const char *header, const void *data, size_t len)
{
	uint8_t buf[4096] = "\x93NUMPY\x01";
	size_t n = strlen(header);

	buf[8] = (uint8_t)(n & 255);
	buf[9] = (uint8_t)(n >> 8);
	memcpy(buf + 10, header, n);
	memcpy(buf + 10 + n, data, len);
	temp_file(dir, name, buf, 10 + n + len);
}

static void npy_pairs(void **state)
{
	const char *dir = temp_dir();
	uint8_t x[24];
	int64_t y[4] = { 2, 0, 1, 0 };
	float tx[12], ty[2] = { 0.5F, -3 };
	struct dataset *d;

	(void)state;
	random_bytes(x, sizeof x, 256);
	make_npy(dir, "images.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (4, 6), }  \n", x, 24);
	make_npy(dir, "labels.npy", "{\"shape\": (4,), \"descr\": \"<i8\", \"fortran_order\": False}", y, 32);
	d = open_data("{\"format\": \"npy\", \"dir\": \"%s\", \"validation\": 0, \"test\": 0}", dir);
	assert_non_null(d);
	assert_int_equal(d->shape.type, TENSOR_VECTOR);
	assert_int_equal(d->channels, 6);
	assert_int_equal(d->classes, 3);
	assert_int_equal(d->label[0], 2);
	assert_memory_equal(d->u8, x, 24);
	dataset_close(d);
	d = open_data("{\"format\": \"npy\", \"dir\": \"%s\", \"options\": {\"shape\": [2, 3]}}", dir);
	assert_int_equal(d->shape.type, TENSOR_IMAGE);
	assert_int_equal(d->shape.d[2], 3);
	dataset_close(d);
	d = open_data(
	    "{\"format\": \"npy\", \"dir\": \"%s\", \"options\": {\"shape\": [3, 2], \"type\": \"sequence\"}}", dir);
	assert_int_equal(d->shape.type, TENSOR_SEQUENCE);
	assert_int_equal(d->channels, 3);
	dataset_close(d);
	d = open_data("{\"format\": \"npy\", \"dir\": \"%s\", \"options\": {\"type\": \"tokens\"}}", dir);
	assert_int_equal(d->shape.type, TENSOR_TOKENS);
	assert_true(d->mean[0] == 0 && d->std[0] == 1);
	dataset_close(d);
	expect_invalid("an example holds 6 values, the shape asked for 8",
		       "{\"format\": \"npy\", \"dir\": \"%s\", \"options\": {\"shape\": [2, 4]}}", dir);
	for (int i = 0; i < 12; i++)
		tx[i] = (float)rng_normal(&rng);
	make_npy(dir, "images.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2, 3), }", tx, 48);
	make_npy(dir, "labels.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", ty, 8);
	d = open_data("{\"format\": \"npy\", \"dir\": \"%s\", \"validation\": 0, \"test\": 0, \"options\": {\"task\": "
		      "\"regression\"}}",
		      dir);
	assert_non_null(d);
	assert_int_equal(d->task, TASK_REGRESS);
	assert_memory_equal(d->f32, tx, 48);
	assert_memory_equal(d->target, ty, 8);
	dataset_close(d);
	expect_invalid("labels.npy: label 0 is 0.5", "{\"format\": \"npy\", \"dir\": \"%s\"}", dir);
	tx[7] = NAN;
	make_npy(dir, "images.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2, 3), }", tx, 48);
	make_npy(dir, "labels.npy", "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }", y, 8);
	expect_invalid("example 1 holds a value that is not finite", "{\"format\": \"npy\", \"dir\": \"%s\"}", dir);
}

#define NPY_FAILS(part, header)                                                                     \
	do {                                                                                        \
		make_npy(dir, "images.npy", header, x, 24);                                         \
		expect_invalid("images.npy: " part, "{\"format\": \"npy\", \"dir\": \"%s\"}", dir); \
	} while (0)

static void npy_broken(void **state)
{
	const char *dir = temp_dir();
	uint8_t x[32] = { 0 };

	(void)state;
	make_npy(dir, "labels.npy", "{'descr': '<i8', 'fortran_order': False, 'shape': (4,), }", x, 32);
	NPY_FAILS("its header announces 35 elements", "{'descr': '|u1', 'fortran_order': False, 'shape': (5, 7), }");
	NPY_FAILS("has a header that cannot be used: arrays must be in C order",
		  "{'descr': '|u1', 'fortran_order': True, 'shape': (4, 6), }");
	NPY_FAILS("has a header that cannot be used: the type must be",
		  "{'descr': '>u2', 'fortran_order': False, 'shape': (4, 3), }");
	NPY_FAILS("has a header that cannot be used: an unknown key", "{'desc': '|u1', 'shape': (4, 6), }");
	NPY_FAILS("has a header that cannot be used: a key comes twice", "{'shape': (4, 6), 'shape': (4, 6), }");
	NPY_FAILS("has a header that cannot be used: the shape must", "{'shape': (24), 'descr': '|u1'}");
	NPY_FAILS("has a header that cannot be used: the shape must", "{'shape': (), 'descr': '|u1'}");
	NPY_FAILS("has a header that cannot be used: the shape must", "{'shape': (1, 1, 1, 1, 24), 'descr': '|u1'}");
	NPY_FAILS("has a header that cannot be used: the shape must", "{'shape': (99999999999999999999, 1), }");
	NPY_FAILS("has a header that cannot be used: descr, fortran_order and shape", "{'shape': (4, 6)}");
	NPY_FAILS("has a header that cannot be used: text after it",
		  "{'descr': '|u1', 'fortran_order': False, 'shape': (4, 6), } x");
	NPY_FAILS("announces more elements", "{'descr': '|u1', 'fortran_order': False, 'shape': "
					     "(4611686018427387904, 8), }");
	temp_file(dir, "images.npy", "\x93NUMPY\x01\x00\xff\xff{'", 12);
	expect_invalid("images.npy: is truncated", "{\"format\": \"npy\", \"dir\": \"%s\"}", dir);
	temp_text(dir, "images.npy", "something else");
	expect_invalid("images.npy: is no NPY file", "{\"format\": \"npy\", \"dir\": \"%s\"}", dir);
	NPY_FAILS("its header announces 0 elements", "{'descr': '|u1', 'fortran_order': False, 'shape': (0, 6), }");
	make_npy(dir, "images.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 8), }", x, 24);
	expect_invalid("labels.npy: must hold one label for each of the 3", "{\"format\": \"npy\", \"dir\": \"%s\"}",
		       dir);
}

/* One file per class, as Quick, Draw! has it. */
static void npy_per_class(void **state)
{
	const char *dir = temp_dir();
	uint8_t cat[5 * 4], bee[3 * 4];
	struct dataset *d;

	(void)state;
	random_bytes(cat, sizeof cat, 256);
	random_bytes(bee, sizeof bee, 256);
	make_npy(dir, "cat.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (5, 4), }", cat, sizeof cat);
	expect_invalid("nor at least two files", "{\"format\": \"npy\", \"dir\": \"%s\"}", dir);
	make_npy(dir, "bee.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4), }", bee, sizeof bee);
	d = open_data("{\"format\": \"npy\", \"dir\": \"%s\", \"options\": {\"shape\": [2, 2], \"per_class\": 4}}",
		      dir);
	assert_non_null(d);
	assert_int_equal(d->n, 7);
	assert_string_equal(d->class_names[0], "bee");
	assert_memory_equal(d->u8, bee, 12);
	assert_memory_equal(d->u8 + 12, cat, 16);
	assert_int_equal(d->label[2] * 2 + d->label[3], 1);
	dataset_close(d);
	make_npy(dir, "dog.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2), }", cat, 4);
	expect_invalid("dog.npy: its examples have another shape", "{\"format\": \"npy\", \"dir\": \"%s\"}", dir);
}

/* ---- CSV ------------------------------------------------------------------------------------------------ */

static void csv_mixed(void **state)
{
	static const float want[4][4] = { { 1, 0, 1, 10 }, { 2, 1, 0, 20 }, { 1.5F, 0, 1, 0 }, { 1.5F, 0, 0, -5 } };
	const char *dir = temp_dir();
	const char *file = temp_text(dir, "a.csv",
				     "size,color,\"kind, of\",weight\r\n"
				     "1, red ,no,10\r\n\r\n"
				     "2,\"blue\",yes,20\r\n"
				     "?,red,no,0e0\n"
				     ",?,no,-5\n");
	struct dataset *d;

	(void)state;
	d = open_data("{\"format\": \"csv\", \"dir\": \"%s\", \"validation\": 0, \"test\": 0, \"options\": {\"label\": "
		      "\"kind, of\"}}",
		      file);
	assert_non_null(d);
	assert_int_equal(d->n, 4);
	assert_int_equal(d->shape.d[0], 4); /* size, blue, red, weight */
	assert_memory_equal(d->f32, want, sizeof want);
	assert_string_equal(d->class_names[0], "no");
	assert_int_equal(d->label[1], 1);
	dataset_close(d);
	d = open_data("{\"format\": \"csv\", \"dir\": \"%s\", \"options\": {\"label\": \"2\", \"drop\": [\"color\", "
		      "\"-1\"]}}",
		      file);
	assert_int_equal(d->shape.d[0], 1);
	dataset_close(d);
	d = open_data("{\"format\": \"csv\", \"dir\": \"%s\", \"options\": {\"task\": \"regression\", \"categorical\": "
		      "\"size\"}}",
		      file);
	assert_int_equal(d->task, TASK_REGRESS);
	assert_int_equal(d->shape.d[0], 6);
	assert_true(d->target[1] == 20 && d->target[3] == -5);
	dataset_close(d);
	expect_invalid("there is no column \"colour\"",
		       "{\"format\": \"csv\", \"dir\": \"%s\", \"options\": {\"label\": \"colour\"}}", file);
	expect_invalid("\"-1\" is the label", "{\"format\": \"csv\", \"dir\": \"%s\", \"options\": {\"drop\": \"-1\"}}",
		       file);
}

/* Classes in numeric order; a test file whose labels end in a dot; new categories are all zeros. */
/* Members of a slice among the examples of all splits, as a text of marks in the order of the files. */
static const char *marks_of(const struct dataset *d, int slice)
{
	static char out[64];

	for (int64_t i = 0; i < d->n; i++)
		out[i] = slice_has(&d->slices[slice], d, (uint32_t)i) ? 'x' : '.';
	out[d->n] = 0;
	return out;
}

#define SLICED                                                                                                      \
	"\"slices\": {\"night\": {\"column\": \"light\", \"is\": [\"dusk\", \"night\"]}, \"b\": [\"b\"], \"mid\": " \
	"{\"column\": \"age\", \"from\": 20, \"to\": 40}}"

static void slices_by_a_column(void **state)
{
	const char *dir = temp_dir();
	const char *file =
	    temp_text(dir, "a.csv", "age,light,y\n10,day,a\n20,dusk,b\n30,night,a\n40,day,b\n41,dusk,c\n?,night,a\n");
	struct dataset *d;

	(void)state;
	d = open_data("{\"format\": \"csv\", \"dir\": \"%s\", \"validation\": 0, \"test\": 0, \"options\": "
		      "{\"header\": \"yes\", \"drop\": "
		      "\"light\"}, " SLICED "}",
		      file);
	assert_int_equal(d->n_slices, 3);
	assert_string_equal(d->slices[0].name, "night");
	assert_string_equal(marks_of(d, 0), ".xx.xx");
	assert_string_equal(marks_of(d, 1), ".x.x..");
	assert_string_equal(marks_of(d, 2), ".xxx..");
	assert_int_equal(d->shape.d[0], 1); /* a dropped column is no feature */
	dataset_close(d);
	d = open_data("{\"format\": \"csv\", \"dir\": \"%s\", \"validation\": 0, \"test\": 0, \"classes\": [\"a\", "
		      "\"b\"], \"options\": {\"header\": \"yes\"}, " SLICED "}",
		      file);
	assert_string_equal(marks_of(d, 0), ".xx.x"); /* examples left out take their marks with them */
	assert_string_equal(marks_of(d, 2), ".xxx.");
	dataset_close(d);
	expect_invalid("there is no column \"lamp\"",
		       "{\"format\": \"csv\", \"dir\": \"%s\", \"options\": {\"header\": \"yes\"}, \"slices\": {\"n\": "
		       "{\"column\": \"lamp\", \"is\": "
		       "\"x\"}}}",
		       file);
	expect_invalid("no example belongs to \"n\"",
		       "{\"format\": \"csv\", \"dir\": \"%s\", \"options\": {\"header\": \"yes\"}, \"slices\": {\"n\": "
		       "{\"column\": \"light\", \"is\": "
		       "\"x\"}}}",
		       file);
}

static void slices_by_a_table_beside(void **state)
{
	const char *dir = temp_dir();
	const char *file = temp_text(dir, "m.csv",
				     "light\nday\nnight\nday\nnight\nday\nnight\nday\nnight\nday\nnight\n"
				     "day\nnight\nday\nnight\nday\nnight\nday\nnight\nday\nnight\n");

	(void)state;
	expect_invalid("holds a header and 20 rows, but there are 50 examples",
		       "{\"options\": {\"n_train\": 30, \"n_test\": 20}, \"metadata\": \"%s\", \"slices\": {\"n\": "
		       "{\"column\": \"light\", \"is\": \"night\"}}}",
		       file);
	expect_invalid("did you mean \"light\"?",
		       "{\"options\": {\"n_train\": 10, \"n_test\": 10}, \"metadata\": \"%s\", \"slices\": {\"n\": "
		       "{\"column\": \"ligth\", \"is\": \"night\"}}}",
		       file);
	expect_invalid("dataset.metadata", "{\"slices\": {\"n\": {\"column\": \"light\", \"is\": \"night\"}}}");
	expect_invalid("slices.n: must say what belongs", "{\"slices\": {\"n\": {\"column\": \"light\"}}}");
	expect_invalid("slices.n.from: cannot stand beside",
		       "{\"slices\": {\"n\": {\"column\": \"light\", \"is\": \"a\", \"from\": 1}}}");
}

static void csv_with_test_file(void **state)
{
	const char *dir = temp_dir();
	const char *file = temp_text(dir, "tr.csv", "1;a;10\n2;b;9\n3;a;10\n4;b;2\n5;b;2\n6;b;9\n");
	struct dataset *d;

	(void)state;
	temp_text(dir, "te.csv", "7;b;9.\n8;zzz;2\n");
	d = open_data(
	    "{\"format\": \"csv\", \"dir\": \"%s\", \"options\": {\"delimiter\": \";\", \"test\": \"te.csv\"}}", file);
	assert_non_null(d);
	assert_int_equal(d->n_split[SPLIT_TEST], 2);
	assert_string_equal(d->class_names[0], "2");
	assert_string_equal(d->class_names[2], "10");
	assert_int_equal(d->label[0], 2);
	assert_int_equal(d->label[6], 1);
	assert_int_equal(d->label[7], 0);
	assert_true(d->f32[7 * 3] == 8 && d->f32[7 * 3 + 1] == 0 && d->f32[7 * 3 + 2] == 0);
	dataset_close(d);
	temp_text(dir, "te.csv", "7;b;9.\n8;a;11\n");
	expect_invalid(
	    "te.csv:2: column 2 (\"11\") is a class that the training file does not have",
	    "{\"format\": \"csv\", \"dir\": \"%s\", \"options\": {\"delimiter\": \";\", \"test\": \"te.csv\"}}", file);
	temp_text(dir, "te.csv", "x;b;9\n");
	expect_invalid(
	    "te.csv:1: column 0 (\"x\") must be a number",
	    "{\"format\": \"csv\", \"dir\": \"%s\", \"options\": {\"delimiter\": \";\", \"test\": \"te.csv\"}}", file);
}

#define CSV_FAILS(part, text) \
	expect_invalid(part, "{\"format\": \"csv\", \"dir\": \"%s\", \"test\": 0}", temp_text(dir, "x.csv", text))

static void csv_broken(void **state)
{
	const char *dir = temp_dir();

	(void)state;
	CSV_FAILS("x.csv: is empty", "\n \r\n");
	CSV_FAILS("x.csv:2: has 3 columns, the first row has 2", "1,a\n1,2,b\n");
	CSV_FAILS("x.csv:1: a quote is opened and never closed", "1,\"a\n2,b\n");
	CSV_FAILS("x.csv:2: there is text after a closing quote", "1,a\n2,\"b\"c\n");
	CSV_FAILS("x.csv:3: column 1 (\"?\") is the label and must not be missing", "1,a\n2,b\n3,?\n");
	CSV_FAILS("holds no value in any row", "?,1,a\n?,2,b\n");
	CSV_FAILS("no column beside the label", "a\nb\n");
	expect_invalid("NUL byte", "{\"format\": \"csv\", \"dir\": \"%s\"}", temp_file(dir, "x.csv", "1,\0,2\n", 6));
	expect_invalid("cannot be opened", "{\"format\": \"csv\", \"dir\": \"%s/none.csv\"}", dir);
	expect_invalid("is a directory", "{\"format\": \"csv\", \"dir\": \"%s\"}", dir);
	expect_invalid("options.shape: holds 4 values, a row of x.csv has 3",
		       "{\"format\": \"csv\", \"dir\": \"%s\", \"options\": {\"shape\": [2, 2]}}",
		       temp_text(dir, "x.csv", "1,2,3,a\n1,2,3,b\n"));
	expect_invalid("delimiter", "{\"format\": \"csv\", \"dir\": \"%s\", \"options\": {\"delimiter\": \"::\"}}",
		       temp_text(dir, "x.csv", "1,2,3,a\n1,2,3,b\n"));
}

/* ---- real data ------------------------------------------------------------------------------------------ */

static void check_real(struct dataset *d, int classes, int64_t train, int64_t test, int64_t features)
{
	assert_non_null(d);
	assert_int_equal(d->classes, classes);
	assert_int_equal(d->n_split[SPLIT_TRAIN] + d->n_split[SPLIT_VALIDATION], train);
	assert_int_equal(d->n_split[SPLIT_TEST], test);
	assert_int_equal(shape_count(&d->shape), features);
	dataset_close(d);
}

/* Mean and deviation of Fashion-MNIST's training pictures, in units of 255, are widely quoted as 0.2860 and 0.3530. */
static void real_fashion_mnist(void **state)
{
	struct dataset *d;

	(void)state;
	if (!real_data("fashion-mnist/train-images-idx3-ubyte.gz"))
		SKIP_BECAUSE("the real data set is not beside this checkout");
	d = open_data("{\"format\": \"idx\", \"dir\": \"../shared/data/fashion-mnist\", \"validation\": 0}");
	assert_non_null(d);
	assert_int_equal(dataset_count(d, SPLIT_TRAIN, 9), 6000);
	assert_true(d->mean[0] / 255 > 0.28595F && d->mean[0] / 255 < 0.28605F);
	assert_true(d->std[0] / 255 > 0.35295F && d->std[0] / 255 < 0.35305F);
	check_real(d, 10, 60000, 10000, 784);
}

static void real_cifar_10(void **state)
{
	struct dataset *d;

	(void)state;
	if (!real_data("cifar-10/data_batch_1.bin.gz"))
		SKIP_BECAUSE("the real data set is not beside this checkout");
	d = open_data("{\"format\": \"cifar\", \"dir\": \"../shared/data/cifar-10\"}");
	assert_non_null(d);
	assert_string_equal(d->class_names[3], "cat");
	assert_int_equal(dataset_count(d, SPLIT_TEST, 3), 1000);
	check_real(d, 10, 20000, 10000, 3072);
}

static void real_tables(void **state)
{
	(void)state;
	if (!real_data("adult/adult-train.csv"))
		SKIP_BECAUSE("the real data set is not beside this checkout");
	check_real(open_data("{\"format\": \"csv\", \"dir\": \"../shared/data/adult/adult-train.csv\", \"options\": "
			     "{\"test\": \"adult-test.csv\"}}"),
		   2, 32561, 16281, 105);
	check_real(open_data("{\"format\": \"csv\", \"dir\": \"../shared/data/optdigits/optdigits_tra_noheader.csv\", "
			     "\"options\": {\"test\": \"optdigits_tes_noheader.csv\", \"shape\": [8, 8]}}"),
		   10, 3823, 1797, 64);
	check_real(open_data("{\"format\": \"csv\", \"dir\": \"../shared/data/iris/iris.csv\"}"), 3, 120, 30, 4);
	check_real(open_data("{\"format\": \"csv\", \"dir\": \"../shared/data/wine/wine.csv\", \"test\": 0}"), 3, 178,
		   0, 13);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(idx_sound),
		cmocka_unit_test(idx_broken),
		cmocka_unit_test(idx_gzip_damage),
		cmocka_unit_test(cifar_ten),
		cmocka_unit_test(cifar_hundred),
		cmocka_unit_test(png_folders),
		cmocka_unit_test(png_with_split),
		cmocka_unit_test(npy_pairs),
		cmocka_unit_test(npy_broken),
		cmocka_unit_test(npy_per_class),
		cmocka_unit_test(csv_mixed),
		cmocka_unit_test(slices_by_a_column),
		cmocka_unit_test(slices_by_a_table_beside),
		cmocka_unit_test(csv_with_test_file),
		cmocka_unit_test(csv_broken),
		cmocka_unit_test(real_fashion_mnist),
		cmocka_unit_test(real_cifar_10),
		cmocka_unit_test(real_tables),
	};
	uint64_t seed = hash64_text(temp_dir());

	print_message("# seed %" PRIu64 "\n", seed);
	rng_init(&rng, seed, 1);
	return cmocka_run_group_tests_name("dataset formats", tests, NULL, temp_teardown);
}
