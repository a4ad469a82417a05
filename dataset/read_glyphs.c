/* dataset/read_glyphs.c - the embedded data set: ten characters drawn from strokes, so that the tool has something to
 * train on where no files are.
 *
 * A character is a list of strokes (lines, arcs, quadratic curves) in the unit square, y downwards. Each example bends
 * its strokes by a random affine map and a smooth random field (after Simard, Steinkraus, Platt: Best Practices for
 * Convolutional Neural Networks, 2003, who bend pixels), draws them with the distance to the stroke as anti-aliasing,
 * adds stray strokes, an uneven background and noise.
 *
 * Example i of a split is a function of (seed, split, i) alone. Only +, -, *, / and the square root are used, which
 * IEEE 754 rounds exactly, and a sine of our own: the bytes are the same on every machine.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/opt.h"
#include "base/rng.h"
#include "base/str.h"
#include "dataset/format.h"

struct cfg {
	int n_train, n_test, size;
	const char *seed;
	double difficulty;
};

static const struct opt opts[] = {
	OPT_INT(struct cfg, n_train, 6000, 10, 10000000, "training examples, those for validation included"),
	OPT_INT(struct cfg, n_test, 2000, 10, 10000000, "test examples"),
	OPT_INT(struct cfg, size, 28, 12, 128, "height and width in pixels"),
	OPT_STR(struct cfg, seed, "0", "seed of the examples, a whole number as text"),
	OPT_REAL(struct cfg, difficulty, 1, 0, 3, "strength of distortion, clutter and noise; 0: clean characters"),
	OPT_END
};

/* ---- the characters ------------------------------------------------------------------------------------- */

enum stroke_kind { STROKE_END, STROKE_LINE, STROKE_CURVE, STROKE_ARC };

struct stroke {
	enum stroke_kind kind;
	/* line: x0 y0 x1 y1; curve: start, control point, end; arc: centre, radii, from and to in turns, clockwise
	 * from the right */
	float v[6];
};

enum { GLYPHS = 10, STROKES = 6 };

static const char *const glyph_names[GLYPHS] = { "A", "B", "E", "F", "H", "K", "P", "R", "S", "8" };

static const struct stroke glyphs[GLYPHS][STROKES] = {
	{ { STROKE_LINE, { 0.5F, 0, 0.08F, 1 } },
	  { STROKE_LINE, { 0.5F, 0, 0.92F, 1 } },
	  { STROKE_LINE, { 0.24F, 0.64F, 0.76F, 0.64F } } },
	{ { STROKE_LINE, { 0.15F, 0, 0.15F, 1 } },
	  { STROKE_CURVE, { 0.15F, 0, 1.15F, 0.02F, 0.5F, 0.47F } },
	  { STROKE_LINE, { 0.15F, 0.47F, 0.5F, 0.47F } },
	  { STROKE_CURVE, { 0.5F, 0.47F, 1.35F, 0.98F, 0.15F, 1 } } },
	{ { STROKE_LINE, { 0.15F, 0, 0.15F, 1 } },
	  { STROKE_LINE, { 0.15F, 0, 0.85F, 0 } },
	  { STROKE_LINE, { 0.15F, 0.48F, 0.7F, 0.48F } },
	  { STROKE_LINE, { 0.15F, 1, 0.85F, 1 } } },
	{ { STROKE_LINE, { 0.15F, 0, 0.15F, 1 } },
	  { STROKE_LINE, { 0.15F, 0, 0.85F, 0 } },
	  { STROKE_LINE, { 0.15F, 0.48F, 0.7F, 0.48F } } },
	{ { STROKE_LINE, { 0.12F, 0, 0.12F, 1 } },
	  { STROKE_LINE, { 0.88F, 0, 0.88F, 1 } },
	  { STROKE_LINE, { 0.12F, 0.5F, 0.88F, 0.5F } } },
	{ { STROKE_LINE, { 0.15F, 0, 0.15F, 1 } },
	  { STROKE_LINE, { 0.85F, 0, 0.15F, 0.58F } },
	  { STROKE_LINE, { 0.38F, 0.4F, 0.88F, 1 } } },
	{ { STROKE_LINE, { 0.15F, 0, 0.15F, 1 } },
	  { STROKE_LINE, { 0.15F, 0, 0.5F, 0 } },
	  { STROKE_ARC, { 0.5F, 0.27F, 0.35F, 0.27F, -0.25F, 0.25F } },
	  { STROKE_LINE, { 0.5F, 0.54F, 0.15F, 0.54F } } },
	{ { STROKE_LINE, { 0.15F, 0, 0.15F, 1 } },
	  { STROKE_LINE, { 0.15F, 0, 0.5F, 0 } },
	  { STROKE_ARC, { 0.5F, 0.26F, 0.35F, 0.26F, -0.25F, 0.25F } },
	  { STROKE_LINE, { 0.5F, 0.52F, 0.15F, 0.52F } },
	  { STROKE_LINE, { 0.45F, 0.52F, 0.88F, 1 } } },
	{ { STROKE_ARC, { 0.5F, 0.25F, 0.36F, 0.25F, -0.92F, -0.25F } },
	  { STROKE_ARC, { 0.5F, 0.75F, 0.36F, 0.25F, -0.25F, 0.42F } } },
	{ { STROKE_ARC, { 0.5F, 0.24F, 0.3F, 0.24F, 0, 1 } }, { STROKE_ARC, { 0.5F, 0.74F, 0.37F, 0.26F, 0, 1 } } },
};

/* ---- random numbers and a sine -------------------------------------------------------------------------- */

struct draw { /* the numbers of one example, in order */
	struct philox_key key;
	uint32_t item, split, block, used;
	uint32_t word[4];
};

static uint32_t draw_u32(struct draw *d)
{
	if (d->used == 4 || d->block == 0) {
		philox4x32(d->word, d->key, d->block++, d->item, d->split, 0);
		d->used = 0;
	}
	return d->word[d->used++];
}

static float draw_in(struct draw *d, float lo, float hi)
{
	return lo + (hi - lo) * (float)(draw_u32(d) >> 8) * (1.0F / 16777216.0F);
}

/* sin(2 pi t): the Taylor series on a quarter turn, folded. Error below 1e-5. */
static float sin_turn(float t)
{
	float x, q;

	t -= floorf(t + 0.5F); /* -0.5 .. 0.5 */
	if (t > 0.25F)
		t = 0.5F - t;
	else if (t < -0.25F)
		t = -0.5F - t;
	x = t * 6.2831853F;
	q = x * x;
	return x * (1 - q / 6 * (1 - q / 20 * (1 - q / 42 * (1 - q / 72))));
}

static float cos_turn(float t)
{
	return sin_turn(t + 0.25F);
}

/* ---- one example ---------------------------------------------------------------------------------------- */

enum { WAVES = 3 };

struct warp { /* glyph coordinates to the picture's unit square */
	float a[2][2], shift[2];
	struct {
		float fx, fy, phase, amp[2];
	} wave[WAVES];
};

struct canvas {
	int size;
	float *cover; /* [size][size] of the strokes drawn so far, 0 .. 1 */
};

static void warp_draw(struct warp *w, struct draw *d, float hard)
{
	float turn = draw_in(d, -0.055F, 0.055F) * hard, shear = draw_in(d, -0.3F, 0.3F) * hard;
	float sx = 0.52F + draw_in(d, -0.13F, 0.13F) * hard, sy = 0.64F + draw_in(d, -0.14F, 0.1F) * hard;
	float c = cos_turn(turn), s = sin_turn(turn);

	w->a[0][0] = c * sx;
	w->a[0][1] = (c * shear - s) * sy;
	w->a[1][0] = s * sx;
	w->a[1][1] = (s * shear + c) * sy;
	for (int i = 0; i < 2; i++)
		w->shift[i] = 0.5F + draw_in(d, -0.1F, 0.1F) * hard;
	for (int i = 0; i < WAVES; i++) {
		w->wave[i].fx = draw_in(d, -1.6F, 1.6F);
		w->wave[i].fy = draw_in(d, -1.6F, 1.6F);
		w->wave[i].phase = draw_in(d, 0, 1);
		w->wave[i].amp[0] = draw_in(d, -0.05F, 0.05F) * hard;
		w->wave[i].amp[1] = draw_in(d, -0.05F, 0.05F) * hard;
	}
}

static void warp_point(float out[2], const struct warp *w, float x, float y)
{
	float u = x - 0.5F, v = y - 0.5F;

	out[0] = w->a[0][0] * u + w->a[0][1] * v + w->shift[0];
	out[1] = w->a[1][0] * u + w->a[1][1] * v + w->shift[1];
	for (int i = 0; i < WAVES; i++) {
		float s = sin_turn(w->wave[i].fx * x + w->wave[i].fy * y + w->wave[i].phase);

		out[0] += w->wave[i].amp[0] * s;
		out[1] += w->wave[i].amp[1] * s;
	}
}

/* Distance of (x, y) to the segment from p to q, all in pixels. */
static float distance(float x, float y, const float p[2], const float q[2])
{
	float dx = q[0] - p[0], dy = q[1] - p[1], len = dx * dx + dy * dy, t;

	t = len > 0 ? ((x - p[0]) * dx + (y - p[1]) * dy) / len : 0;
	t = t < 0 ? 0 : t > 1 ? 1 : t;
	dx = p[0] + t * dx - x;
	dy = p[1] + t * dy - y;
	return sqrtf(dx * dx + dy * dy);
}

static int pixel(float x, int size)
{
	return x < 0 ? 0 : x > (float)(size - 1) ? size - 1 : (int)x;
}

/* cover = max(cover, ink * coverage), where coverage falls from 1 to 0 over one pixel at the edge of the stroke. */
static void canvas_segment(struct canvas *c, const float from[2], const float to[2], float radius, float ink)
{
	float n = (float)c->size, p[2] = { from[0] * n, from[1] * n }, q[2] = { to[0] * n, to[1] * n };
	float r = radius * n, reach = r + 1;
	int x0 = pixel(fminf(p[0], q[0]) - reach, c->size), x1 = pixel(fmaxf(p[0], q[0]) + reach, c->size);
	int y0 = pixel(fminf(p[1], q[1]) - reach, c->size), y1 = pixel(fmaxf(p[1], q[1]) + reach, c->size);

	for (int y = y0; y <= y1; y++) {
		for (int x = x0; x <= x1; x++) {
			float a = r + 0.5F - distance((float)x + 0.5F, (float)y + 0.5F, p, q);
			float *at = &c->cover[y * c->size + x];

			a = (a < 0 ? 0 : a > 1 ? 1 : a) * ink;
			if (a > *at)
				*at = a;
		}
	}
}

/* Point at t in [0, 1] of a stroke. */
static void stroke_point(float *x, float *y, const struct stroke *s, float t)
{
	const float *v = s->v;
	float turn, u = 1 - t;

	switch (s->kind) {
	case STROKE_LINE:
		*x = v[0] * u + v[2] * t;
		*y = v[1] * u + v[3] * t;
		break;
	case STROKE_CURVE:
		*x = v[0] * u * u + 2 * v[2] * u * t + v[4] * t * t;
		*y = v[1] * u * u + 2 * v[3] * u * t + v[5] * t * t;
		break;
	case STROKE_ARC:
		turn = v[4] * u + v[5] * t;
		*x = v[0] + v[2] * cos_turn(turn);
		*y = v[1] + v[3] * sin_turn(turn);
		break;
	case STROKE_END:
		break;
	}
}

static void canvas_stroke(struct canvas *c, const struct stroke *s, const struct warp *w, float radius, float ink)
{
	int pieces = s->kind == STROKE_LINE ? 4 : s->kind == STROKE_CURVE ? 8 : 12;
	float x = 0, y = 0, last[2], next[2];

	stroke_point(&x, &y, s, 0);
	warp_point(last, w, x, y);
	for (int i = 1; i <= pieces; i++) {
		stroke_point(&x, &y, s, (float)i / (float)pieces);
		warp_point(next, w, x, y);
		canvas_segment(c, last, next, radius, ink);
		memcpy(last, next, sizeof last);
	}
}

/* Stray strokes: curves as thick as the character's, somewhere. */
static void canvas_clutter(struct canvas *c, struct draw *d, float radius, float ink, float hard)
{
	static const struct warp plain = { .a = { { 1, 0 }, { 0, 1 } }, .shift = { 0.5F, 0.5F } };
	int n = (int)(draw_in(d, 0.5F, 3.5F) * hard);

	for (int i = 0; i < n; i++) {
		float x = draw_in(d, 0, 1), y = draw_in(d, 0, 1);
		struct stroke s = { STROKE_CURVE,
				    { x, y, x + draw_in(d, -0.25F, 0.25F), y + draw_in(d, -0.25F, 0.25F),
				      x + draw_in(d, -0.35F, 0.35F), y + draw_in(d, -0.35F, 0.35F) } };

		canvas_stroke(c, &s, &plain, radius * draw_in(d, 0.5F, 1), ink * draw_in(d, 0.4F, 0.9F));
	}
}

/* Background + slope, ink over it, noise: the sum of four bytes of one word is nearly normal (deviation 147.8). */
static void canvas_finish(const struct canvas *c, struct draw *d, float ink, float hard, uint8_t *out)
{
	float base = draw_in(d, 0, 0.25F) * hard, gx = draw_in(d, -0.2F, 0.2F) * hard,
	      gy = draw_in(d, -0.2F, 0.2F) * hard;
	float noise = draw_in(d, 0.03F, 0.17F) * hard;

	for (int y = 0; y < c->size; y++) {
		for (int x = 0; x < c->size; x++) {
			float u = (float)x / (float)c->size - 0.5F, v = (float)y / (float)c->size - 0.5F;
			float back = base + gx * u + gy * v, a = c->cover[y * c->size + x], value;
			uint32_t r = draw_u32(d);

			value = back * (1 - a) + ink * a;
			value +=
			    noise * ((float)((r & 255) + (r >> 8 & 255) + (r >> 16 & 255) + (r >> 24)) - 510) / 148;
			value = value * 255 + 0.5F;
			*out++ = value < 0 ? 0 : value > 255 ? 255 : (uint8_t)value;
		}
	}
}

static void draw_glyph(struct canvas *c, int glyph, struct draw *d, float hard, uint8_t *out)
{
	struct warp w;
	float radius, ink;

	memset(c->cover, 0, (size_t)c->size * (size_t)c->size * sizeof *c->cover);
	warp_draw(&w, d, hard);
	radius = 0.037F + draw_in(d, -0.016F, 0.016F) * hard;
	ink = 0.95F + draw_in(d, -0.4F, 0.05F) * hard;
	canvas_clutter(c, d, radius, 1, hard);
	for (const struct stroke *s = glyphs[glyph]; s->kind != STROKE_END; s++)
		canvas_stroke(c, s, &w, radius, 1);
	canvas_finish(c, d, ink < 0.3F ? 0.3F : ink, hard, out);
}

static int read_glyphs(struct raw *r, const char *dir, const void *cfg_, struct err *e)
{
	const struct cfg *cfg = cfg_;
	struct canvas c = { .size = cfg->size };
	uint64_t seed;

	(void)dir;
	if (str_u64(&seed, cfg->seed) < 0)
		return ERR(e, ERR_INVALID, "dataset.options.seed",
			   "must be a whole number of at most 64 bits, as text");
	r->shape = shape_image(1, cfg->size, cfg->size);
	r->task = TASK_CLASSIFY;
	r->n_train = cfg->n_train;
	r->n_test = cfg->n_test;
	r->classes = GLYPHS;
	r->class_names = ARENA_ARRAY(r->arena, const char *, GLYPHS);
	memcpy(r->class_names, glyph_names, sizeof glyph_names);
	if (raw_alloc(r, false, "glyphs", e) < 0)
		return -1;
	c.cover = mem_new((size_t)c.size * (size_t)c.size * sizeof *c.cover);
	for (int64_t i = 0; i < r->n_train + r->n_test; i++) {
		bool test = i >= r->n_train;
		struct draw d = { .key = philox_key(seed, PURPOSE_DATA, 0), .split = test };

		d.item = (uint32_t)(test ? i - r->n_train : i);
		r->label[i] = (int32_t)(d.item % GLYPHS);
		draw_glyph(&c, r->label[i], &d, (float)cfg->difficulty, r->u8 + i * c.size * c.size);
	}
	mem_free(c.cover);
	return 0;
}

const struct data_format data_format_glyphs = {
	.name = "glyphs",
	.help = "ten characters drawn by nab itself, no files needed",
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.read = read_glyphs,
};
