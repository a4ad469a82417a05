/* base/png.c - see png.h. libpng reports errors by longjmp: everything that must survive it lives in struct reader or
 * struct writer, whose address does not change. */
#include "base/png.h"

#include <errno.h>
#include <png.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum { SIDE_MAX = 16384 };

struct reader {
	const uint8_t *data;
	size_t len, at;
	png_structp png;
	png_infop info;
	uint8_t *pixels; /* [height][width][channels] */
	png_bytep *rows;
	char why[120];
	bool no_memory;
};

static void on_error(png_structp png, png_const_charp text)
{
	struct reader *r = png_get_error_ptr(png);

	snprintf(r->why, sizeof r->why, "%s", text);
	png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
	(void)png;
	(void)text;
}

static void on_read(png_structp png, png_bytep to, size_t n)
{
	struct reader *r = png_get_io_ptr(png);

	if (n > r->len - r->at)
		png_error(png, "the file is truncated");
	memcpy(to, r->data + r->at, n);
	r->at += n;
}

static void ask_for_8_bits(struct reader *r, enum picture_color color)
{
	png_byte type = png_get_color_type(r->png, r->info);

	png_set_expand(r->png); /* palettes, low depths */
	png_set_scale_16(r->png);
	png_set_strip_alpha(r->png);
	if (color == PICTURE_GRAY && (type & PNG_COLOR_MASK_COLOR))
		png_set_rgb_to_gray(r->png, PNG_ERROR_ACTION_NONE, -1, -1);
	if (color == PICTURE_RGB && !(type & PNG_COLOR_MASK_COLOR))
		png_set_gray_to_rgb(r->png);
	png_set_interlace_handling(r->png);
	png_read_update_info(r->png, r->info);
}

/* Between setjmp and its return nothing but *r and *out changes. */
static int decode(struct picture *out, struct reader *r, enum picture_color color)
{
	size_t row;

	if (setjmp(png_jmpbuf(r->png)))
		return -1;
	png_set_user_limits(r->png, SIDE_MAX, SIDE_MAX);
	png_set_chunk_malloc_max(r->png, 8 << 20);
	png_set_read_fn(r->png, r, on_read);
	png_read_info(r->png, r->info);
	ask_for_8_bits(r, color);
	out->width = (int)png_get_image_width(r->png, r->info);
	out->height = (int)png_get_image_height(r->png, r->info);
	out->channels = png_get_channels(r->png, r->info);
	row = png_get_rowbytes(r->png, r->info);
	if (row != (size_t)out->width * (size_t)out->channels || (out->channels != 1 && out->channels != 3))
		png_error(r->png, "has an unusual layout of channels");
	r->pixels = block_new(row * (size_t)out->height);
	r->no_memory = !r->pixels;
	if (r->no_memory)
		png_error(r->png, "out of memory for the picture");
	r->rows = mem_new((size_t)out->height * sizeof *r->rows);
	for (int y = 0; y < out->height; y++)
		r->rows[y] = r->pixels + (size_t)y * row;
	png_read_image(r->png, r->rows);
	png_read_end(r->png, NULL);
	return 0;
}

/* to[c][pixel] = from[pixel][c] */
static void channels_first(uint8_t *to, const uint8_t *from, int channels, size_t pixels)
{
	for (int c = 0; c < channels; c++)
		for (size_t i = 0; i < pixels; i++)
			to[(size_t)c * pixels + i] = from[i * (size_t)channels + (size_t)c];
}

int picture_decode(struct picture *out, const void *png, size_t len, enum picture_color color, const char *name,
		   struct err *e)
{
	struct reader r = { .data = png, .len = len };
	int rc;

	memset(out, 0, sizeof *out);
	r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning);
	r.info = r.png ? png_create_info_struct(r.png) : NULL;
	if (!r.info) {
		png_destroy_read_struct(&r.png, NULL, NULL);
		return ERR(e, ERR_RUNTIME, name, "out of memory for the PNG decoder");
	}
	rc = decode(out, &r, color);
	if (rc == 0) {
		size_t pixels = (size_t)out->width * (size_t)out->height;

		out->data = block_new(pixels * (size_t)out->channels);
		if (out->data)
			channels_first(out->data, r.pixels, out->channels, pixels);
		else
			rc = ERR(e, ERR_RUNTIME, name, "out of memory for the picture");
	} else {
		ERR(e, r.no_memory ? ERR_RUNTIME : ERR_INVALID, name, "%s%s",
		    r.no_memory ? "" : "is no sound PNG: ", r.why);
	}
	png_destroy_read_struct(&r.png, &r.info, NULL);
	block_free(r.pixels, 0);
	mem_free(r.rows);
	return rc;
}

void picture_release(struct picture *p)
{
	if (!p)
		return;
	block_free(p->data, 0);
	memset(p, 0, sizeof *p);
}

struct writer {
	struct str *out;
	char why[120];
};

static void on_write_error(png_structp png, png_const_charp text)
{
	struct writer *w = png_get_error_ptr(png);

	snprintf(w->why, sizeof w->why, "%s", text);
	png_longjmp(png, 1);
}

static void on_write(png_structp png, png_bytep from, size_t n)
{
	struct writer *w = png_get_io_ptr(png);

	str_addn(w->out, (const char *)from, n);
}

static void on_flush(png_structp png)
{
	(void)png;
}

static int encode(png_structp png, png_infop info, struct writer *w, const struct picture *p, uint8_t *row)
{
	size_t plane = (size_t)p->height * (size_t)p->width;

	if (setjmp(png_jmpbuf(png)))
		return -1;
	png_set_write_fn(png, w, on_write, on_flush);
	png_set_IHDR(png, info, (png_uint_32)p->width, (png_uint_32)p->height, 8,
		     p->channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
		     PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	png_write_info(png, info);
	for (int y = 0; y < p->height; y++) {
		const uint8_t *from = p->data + (size_t)y * (size_t)p->width;

		for (int x = 0; x < p->width; x++)
			for (int c = 0; c < p->channels; c++)
				row[x * p->channels + c] = from[(size_t)c * plane + (size_t)x];
		png_write_row(png, row);
	}
	png_write_end(png, NULL);
	return 0;
}

int picture_encode(struct str *out, const struct picture *p, struct err *e)
{
	struct writer w = { .out = out };
	uint8_t *row = mem_new((size_t)p->width * (size_t)p->channels);
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &w, on_write_error, on_warning);
	png_infop info = png ? png_create_info_struct(png) : NULL;
	int rc = info ? encode(png, info, &w, p, row) : -1;

	png_destroy_write_struct(&png, &info);
	mem_free(row);
	return rc < 0 ? ERR(e, ERR_RUNTIME, NULL, "the picture cannot be encoded: %s", w.why) : 0;
}

int picture_write(const char *path, const struct picture *p, struct err *e)
{
	struct str png = { 0 };
	FILE *f = NULL;
	int rc = picture_encode(&png, p, e);

	if (rc == 0) {
		f = fopen(path, "wb");
		rc = f && fwrite(png.s, 1, png.len, f) == png.len ? 0 : -1;
	}
	if (f && fclose(f) != 0)
		rc = -1;
	str_release(&png);
	return rc < 0 ? ERR(e, ERR_RUNTIME, path, "cannot be written: %s", strerror(errno)) : 0;
}
