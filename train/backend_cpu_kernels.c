/* train/backend_cpu_kernels.c - the loops of our own in the cpu backend: what oneDNN lacks, or does slower, or decides
 * otherwise at a kink than the oracle in arch/.
 *
 * Every kernel reads its operands from op->p (written first, then read) and its sizes from op->n; both are stated above
 * it. Elementwise kernels run over op->count floats in whatever layout; where channels are padded with zeros they keep
 * them zero, for f(0) = 0. The others want plain tensors. Work is split over threads by whole elements of the outer
 * loop, and every sum has a fixed order, so that results do not depend on timing.
 */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "train/backend_cpu.h"
#include "train/batch.h"
#include "train/loss.h"
#include "train/simd.h"

typedef void part_fn(const struct cpu_op *op, int64_t from, int64_t to);

/* body over [0, n) in one part per thread, with borders at multiples of `unit`. */
static void spread(const struct cpu_op *op, int64_t n, int64_t unit, part_fn *body)
{
	int64_t units = (n + unit - 1) / unit;
	int parts = op->threads < units ? op->threads : (int)units;

	if (parts <= 1) {
		body(op, 0, n);
		return;
	}
#pragma omp parallel for num_threads(parts) schedule(static)
	for (int i = 0; i < parts; i++) {
		int64_t from = units * i / parts * unit, to = units * (i + 1) / parts * unit;

		body(op, from, to < n ? to : n);
	}
}

static void spread_elements(const struct cpu_op *op, part_fn *body)
{
	spread(op, op->count, 4096, body);
}

/* ---- elementwise ---------------------------------------------------------------------------------------- */

/* p: out, in... (at least 2) */
SIMD static void sum_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	float *y = op->p[0];
	const float *a = op->p[1], *b = op->p[2];

	for (int64_t i = from; i < to; i++)
		y[i] = a[i] + b[i];
	for (int k = 3; k < op->n_bufs; k++) {
		const float *c = op->p[k];

		for (int64_t i = from; i < to; i++)
			y[i] += c[i];
	}
}

void k_sum(const struct cpu_op *op)
{
	spread_elements(op, sum_part);
}

SIMD static void sum_relu_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	float *y = op->p[0];
	const float *a = op->p[1], *b = op->p[2];

	if (op->n_bufs == 3) {
		for (int64_t i = from; i < to; i++) {
			float sum = a[i] + b[i];

			y[i] = sum > 0 ? sum : 0;
		}
		return;
	}
	sum_part(op, from, to);
	for (int64_t i = from; i < to; i++)
		y[i] = y[i] > 0 ? y[i] : 0;
}

void k_sum_relu(const struct cpu_op *op)
{
	spread_elements(op, sum_relu_part);
}

/* p: out, in. a: slope below 0 */
SIMD static void relu_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	float *y = op->p[0];
	const float *x = op->p[1];
	float slope = op->a;

	for (int64_t i = from; i < to; i++)
		y[i] = x[i] > 0 ? x[i] : slope * x[i];
}

void k_relu(const struct cpu_op *op)
{
	spread_elements(op, relu_part);
}

/* p: din, dout, out. a: slope below 0 (>= 0, so that out > 0 exactly where in > 0) */
SIMD static void relu_back_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	float *dx = op->p[0];
	const float *dy = op->p[1], *y = op->p[2];
	float slope = op->a;

	for (int64_t i = from; i < to; i++)
		dx[i] = dy[i] * (y[i] > 0 ? 1 : slope);
}

void k_relu_back(const struct cpu_op *op)
{
	spread_elements(op, relu_back_part);
}

/* p: out, in */
SIMD static void relu6_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	float *y = op->p[0];
	const float *x = op->p[1];

	for (int64_t i = from; i < to; i++) {
		float low = x[i] > 0 ? x[i] : 0;

		y[i] = low < 6 ? low : 6;
	}
}

void k_relu6(const struct cpu_op *op)
{
	spread_elements(op, relu6_part);
}

/* p: din, dout, out */
SIMD static void relu6_back_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	float *dx = op->p[0];
	const float *dy = op->p[1], *y = op->p[2];

	for (int64_t i = from; i < to; i++)
		dx[i] = dy[i] * (float)((y[i] > 0) & (y[i] < 6));
}

void k_relu6_back(const struct cpu_op *op)
{
	spread_elements(op, relu6_back_part);
}

/* p: out, in */
SIMD static void hard_swish_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	float *y = op->p[0];
	const float *x = op->p[1];

	for (int64_t i = from; i < to; i++) {
		float up = x[i] + 3, low = up > 0 ? up : 0;

		y[i] = x[i] * (low < 6 ? low : 6) / 6;
	}
}

void k_hard_swish(const struct cpu_op *op)
{
	spread_elements(op, hard_swish_part);
}

/* p: din, dout, in */
SIMD static void hard_swish_back_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	float *dx = op->p[0];
	const float *dy = op->p[1], *x = op->p[2];

	for (int64_t i = from; i < to; i++) {
		float inner = x[i] > 3 ? 1 : x[i] / 3 + 0.5F;

		dx[i] = dy[i] * (x[i] > -3 ? inner : 0);
	}
}

void k_hard_swish_back(const struct cpu_op *op)
{
	spread_elements(op, hard_swish_back_part);
}

/* p: out */
static void zero_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	memset(op->p[0] + from, 0, (size_t)(to - from) * sizeof(float));
}

void k_zero(const struct cpu_op *op)
{
	spread_elements(op, zero_part);
}

/* p: out, factor... */
SIMD static void product_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	float *y = op->p[0];

	if (op->n_bufs == 2) {
		memmove(y + from, op->p[1] + from, (size_t)(to - from) * sizeof(float));
		return;
	}
	for (int64_t i = from; i < to; i++)
		y[i] = op->p[1][i] * op->p[2][i];
	for (int k = 3; k < op->n_bufs; k++) {
		const float *c = op->p[k];

		for (int64_t i = from; i < to; i++)
			y[i] *= c[i];
	}
}

void k_product(const struct cpu_op *op)
{
	spread_elements(op, product_part);
}

/* ---- dropout -------------------------------------------------------------------------------------------- */

enum { LANES = 64 }; /* blocks of Philox at a time: several vectors, which keeps the multipliers busy */

/* out[word][lane] = word of philox4x32(key, block[lane], item, epoch, 0): the rounds of base/rng.c, lane by lane.
 * Inlined into SIMD functions, so that it is compiled for their vectors. */
static inline __attribute__((always_inline)) void philox_lanes(uint32_t out[4][LANES], struct philox_key key,
							       const uint32_t *block, uint32_t item, uint32_t epoch)
{
	uint32_t c0[LANES], c1[LANES], c2[LANES], c3[LANES];

	for (int i = 0; i < LANES; i++) {
		c0[i] = block[i];
		c1[i] = item;
		c2[i] = epoch;
		c3[i] = 0;
	}
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < LANES; i++) {
			uint64_t p0 = (uint64_t)0xD2511F53U * c0[i], p1 = (uint64_t)0xCD9E8D57U * c2[i];

			c0[i] = (uint32_t)(p1 >> 32) ^ c1[i] ^ key.k[0];
			c2[i] = (uint32_t)(p0 >> 32) ^ c3[i] ^ key.k[1];
			c1[i] = (uint32_t)p1;
			c3[i] = (uint32_t)p0;
		}
		key.k[0] += 0x9E3779B9U;
		key.k[1] += 0xBB67AE85U;
	}
	for (int i = 0; i < LANES; i++) {
		out[0][i] = c0[i];
		out[1][i] = c1[i];
		out[2][i] = c2[i];
		out[3][i] = c3[i];
	}
}

/* An element falls iff u * 2^-32 < rate, that is iff u < ceil(rate * 2^32), which is at least 1 for a rate > 0. */
static uint32_t last_fallen(double rate)
{
	double limit = ceil(rate * 4294967296.0);

	return limit > 4294967295.0 ? UINT32_MAX : (uint32_t)limit - 1;
}

struct drop { /* sizes of one tensor: op->n */
	int64_t units, block, inner, stride;
	uint32_t limit;
};

static struct drop drop_of(const struct cpu_op *op)
{
	return (struct drop){ op->n[1], op->n[2], op->n[3], op->n[4], last_fallen(op->rate) };
}

/* keep[i] of one example in plain order: 64 blocks of 4 units at a time. */
SIMD static void keep_plain(uint8_t *keep, const struct drop *d, struct philox_key key, uint32_t sample, uint32_t epoch)
{
	uint32_t word[4][LANES], block[LANES];
	uint8_t fresh[4 * LANES];

	for (int64_t i = 0; i < d->units; i += 4 * LANES) {
		int64_t n = d->units - i < 4 * LANES ? d->units - i : 4 * LANES;

		for (int k = 0; k < LANES; k++)
			block[k] = (uint32_t)(i / 4) + (uint32_t)k;
		philox_lanes(word, key, block, sample, epoch);
		for (int k = 0; k < LANES; k++)
			for (int w = 0; w < 4; w++)
				fresh[4 * k + w] = word[w][k] > d->limit;
		memcpy(keep + i, fresh, (size_t)n);
	}
}

enum { BLOCK = 16, GROUPS = LANES / BLOCK };

/* keep of one example in [C/16][inner][16], inner a multiple of 4: unit c * inner + x. Lanes are the 16 channels of a
 * block at GROUPS neighbouring quadruples of positions; the words are the positions of a quadruple. */
SIMD static void keep_sixteen(uint8_t *keep, const struct drop *d, struct philox_key key, uint32_t sample,
			      uint32_t epoch)
{
	uint32_t word[4][LANES], block[LANES], quads = (uint32_t)(d->inner / 4);

	for (int64_t first = 0; first * d->inner < d->stride; first += BLOCK)
		for (uint32_t q = 0; q < quads; q += GROUPS) {
			uint8_t *to = keep + first * d->inner + (int64_t)q * 4 * BLOCK;
			int groups = quads - q < GROUPS ? (int)(quads - q) : GROUPS;

			for (int k = 0; k < LANES; k++)
				block[k] = ((uint32_t)first + (uint32_t)k % BLOCK) * quads + q + (uint32_t)k / BLOCK;
			philox_lanes(word, key, block, sample, epoch);
			for (int g = 0; g < groups; g++)
				for (int w = 0; w < 4; w++)
					for (int c = 0; c < BLOCK; c++)
						*to++ = word[w][g * BLOCK + c] > d->limit;
		}
}

/* The same for any block of channels and any size: of every 4 words, one is used. */
SIMD static void keep_blocked(uint8_t *keep, const struct drop *d, struct philox_key key, uint32_t sample,
			      uint32_t epoch)
{
	uint32_t word[4][LANES], unit[LANES], block[LANES];

	for (int64_t i = 0; i < d->stride; i += LANES) {
		int64_t n = d->stride - i < LANES ? d->stride - i : LANES;

		for (int k = 0; k < LANES; k++) {
			int64_t at = i + k, row = at / d->block, c = row / d->inner * d->block + at % d->block;

			unit[k] = (uint32_t)(c * d->inner + row % d->inner);
			block[k] = unit[k] / 4;
		}
		philox_lanes(word, key, block, sample, epoch);
		for (int64_t k = 0; k < n; k++)
			keep[i + k] = word[unit[k] % 4][k] > d->limit;
	}
}

SIMD static void apply_keep(float *y, const float *x, const uint8_t *keep, int64_t n, float scale)
{
	for (int64_t i = 0; i < n; i++)
		y[i] = keep[i] ? x[i] * scale : 0;
}

static void dropout_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	struct drop d = drop_of(op);
	const struct batch *batch = op->now->batch;

	for (int64_t s = from; s < to; s++) {
		uint8_t *keep = (uint8_t *)op->p[2] + s * d.stride;

		if (d.block == 1)
			keep_plain(keep, &d, op->key, batch->sample[s], op->now->epoch);
		else if (d.block == BLOCK && d.inner % 4 == 0)
			keep_sixteen(keep, &d, op->key, batch->sample[s], op->now->epoch);
		else
			keep_blocked(keep, &d, op->key, batch->sample[s], op->now->epoch);
		apply_keep(op->p[0] + s * d.stride, op->p[1] + s * d.stride, keep, d.stride, op->a);
	}
}

/* p: out, in, keep (a byte per element). n: examples, units of an example, block of channels (1: plain), positions per
 * channel, floats per example. a: 1 / (1 - rate). key, rate */
void k_dropout(const struct cpu_op *op)
{
	spread(op, op->n[0], 1, dropout_part);
}

static void dropout_back_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	apply_keep(op->p[0] + from, op->p[1] + from, (const uint8_t *)op->p[2] + from, to - from, op->a);
}

/* p: din, dout, keep. a: 1 / (1 - rate) */
void k_dropout_back(const struct cpu_op *op)
{
	spread_elements(op, dropout_back_part);
}

/* ---- softmax -------------------------------------------------------------------------------------------- */

/* y_c = exp(x_c - max) / sum over the channels, at each position */
static void softmax_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	int64_t channels = op->n[1], inner = op->n[2];

	for (int64_t at = from; at < to; at++) {
		int64_t first = at / inner * channels * inner + at % inner;
		const float *x = op->p[1] + first;
		float *y = op->p[0] + first, top = -INFINITY, sum = 0;

		for (int64_t c = 0; c < channels; c++)
			top = fmaxf(top, x[c * inner]);
		for (int64_t c = 0; c < channels; c++)
			sum += y[c * inner] = expf(x[c * inner] - top);
		for (int64_t c = 0; c < channels; c++)
			y[c * inner] /= sum;
	}
}

/* p: out, in. n: examples * positions, channels, positions */
void k_softmax(const struct cpu_op *op)
{
	spread(op, op->n[0], 1, softmax_part);
}

/* dx_c = y_c * (dy_c - sum_k y_k * dy_k) */
static void softmax_back_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	int64_t channels = op->n[1], inner = op->n[2];

	for (int64_t at = from; at < to; at++) {
		int64_t first = at / inner * channels * inner + at % inner;
		const float *dy = op->p[1] + first, *y = op->p[2] + first;
		float *dx = op->p[0] + first, dot = 0;

		for (int64_t c = 0; c < channels; c++)
			dot += y[c * inner] * dy[c * inner];
		for (int64_t c = 0; c < channels; c++)
			dx[c * inner] = y[c * inner] * (dy[c * inner] - dot);
	}
}

/* p: din, dout, out. n: as k_softmax */
void k_softmax_back(const struct cpu_op *op)
{
	spread(op, op->n[0], 1, softmax_back_part);
}

/* ---- normalisation within an example: layernorm, groupnorm ---------------------------------------------- */

struct slab {                              /* one set of elements that are normalised together */
	int64_t first, count, step;        /* elements first + j * step, 0 <= j < count */
	int64_t scale_first, scale_repeat; /* scale and shift of element j: scale_first + j / scale_repeat */
};

static struct slab slab_at(const struct cpu_op *op, int64_t q)
{
	const int64_t *n = op->n;

	return (struct slab){ q / n[1] * n[2] + q % n[1] * n[3], n[4], n[5], q % n[1] * n[6], n[7] };
}

static void norm_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	bool affine = op->n_bufs > 3;

	for (int64_t q = from; q < to; q++) {
		struct slab s = slab_at(op, q);
		const float *x = op->p[1] + s.first;
		float *y = op->p[0] + s.first, *stat = op->p[2] + 2 * q;
		double sum = 0, square = 0, mean;

		for (int64_t j = 0; j < s.count; j++)
			sum += (double)x[j * s.step];
		mean = sum / (double)s.count;
		for (int64_t j = 0; j < s.count; j++) {
			double d = (double)x[j * s.step] - mean;

			square += d * d;
		}
		stat[0] = (float)mean;
		stat[1] = (float)(1 / sqrt(square / (double)s.count + op->rate));
		for (int64_t j = 0; j < s.count; j++) {
			int64_t k = s.scale_first + j / s.scale_repeat;
			float hat = (x[j * s.step] - stat[0]) * stat[1];

			y[j * s.step] = affine ? hat * op->p[3][k] + op->p[4][k] : hat;
		}
	}
}

/* p: out, in, (mean, 1 / deviation) per slab, scale and shift (or neither). rate: eps. n: slabs; slabs per example,
 * floats per example, distance of slabs; elements of a slab, their distance; scales per slab, elements per scale */
void k_norm(const struct cpu_op *op)
{
	spread(op, op->n[0], 1, norm_part);
}

/* With g = dy * scale and h the normalised x: dx = (g - mean(g) - h * mean(g * h)) / deviation */
static void norm_back_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	const float *scale = op->n_bufs > 4 ? op->p[4] : NULL;

	for (int64_t q = from; q < to; q++) {
		struct slab s = slab_at(op, q);
		const float *dy = op->p[1] + s.first, *x = op->p[2] + s.first, *stat = op->p[3] + 2 * q;
		float *dx = op->p[0] + s.first, mean_g, mean_gh;
		double sum_g = 0, sum_gh = 0;

		for (int64_t j = 0; j < s.count; j++) {
			float g = dy[j * s.step] * (scale ? scale[s.scale_first + j / s.scale_repeat] : 1);

			sum_g += (double)g;
			sum_gh += (double)g * (double)((x[j * s.step] - stat[0]) * stat[1]);
		}
		mean_g = (float)(sum_g / (double)s.count);
		mean_gh = (float)(sum_gh / (double)s.count);
		for (int64_t j = 0; j < s.count; j++) {
			float g = dy[j * s.step] * (scale ? scale[s.scale_first + j / s.scale_repeat] : 1);
			float hat = (x[j * s.step] - stat[0]) * stat[1];

			dx[j * s.step] = (g - mean_g - hat * mean_gh) * stat[1];
		}
	}
}

/* p: din, dout, in, stats, scale (or none). n: as k_norm */
void k_norm_back(const struct cpu_op *op)
{
	spread(op, op->n[0], 1, norm_back_part);
}

/* p: dscale, dshift, dout, in, stats. n: as k_norm; [8]: scales in all. One thread, so that the order of the sums is
 * fixed. */
void k_norm_params(const struct cpu_op *op)
{
	float *dscale = op->p[0], *dshift = op->p[1];

	memset(dscale, 0, (size_t)op->n[8] * sizeof *dscale);
	memset(dshift, 0, (size_t)op->n[8] * sizeof *dshift);
	for (int64_t q = 0; q < op->n[0]; q++) {
		struct slab s = slab_at(op, q);
		const float *dy = op->p[2] + s.first, *x = op->p[3] + s.first, *stat = op->p[4] + 2 * q;

		for (int64_t j = 0; j < s.count; j++) {
			int64_t k = s.scale_first + j / s.scale_repeat;

			dscale[k] += dy[j * s.step] * (x[j * s.step] - stat[0]) * stat[1];
			dshift[k] += dy[j * s.step];
		}
	}
}

/* p: running, of the batch. a: momentum; b: factor of the batch's (n / (n - 1) for the variance) */
void k_track(const struct cpu_op *op)
{
	float *running = op->p[0];
	const float *now = op->p[1];

	for (int64_t i = 0; i < op->count; i++)
		running[i] = (1 - op->a) * running[i] + op->a * op->b * now[i];
}

/* ---- over planes ---------------------------------------------------------------------------------------- */

static int64_t first_max(const float *x, int64_t n)
{
	int64_t best = 0;

	for (int64_t i = 1; i < n; i++)
		if (x[i] > x[best])
			best = i;
	return best;
}

static void global_max_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	for (int64_t i = from; i < to; i++) {
		const float *x = op->p[1] + i * op->n[1];

		op->p[0][i] = x[first_max(x, op->n[1])];
	}
}

/* p: out, in. n: planes, positions of a plane */
void k_global_max(const struct cpu_op *op)
{
	spread(op, op->n[0], 1, global_max_part);
}

static void global_max_back_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	for (int64_t i = from; i < to; i++) {
		float *dx = op->p[0] + i * op->n[1];

		memset(dx, 0, (size_t)op->n[1] * sizeof *dx);
		dx[first_max(op->p[2] + i * op->n[1], op->n[1])] = op->p[1][i];
	}
}

/* p: din, dout, in. n: planes, positions of a plane */
void k_global_max_back(const struct cpu_op *op)
{
	spread(op, op->n[0], 1, global_max_back_part);
}

struct window {
	int64_t y0, y1, x0, x1;
	float share; /* 1 / divisor */
};

enum { H = 1, W, OUT_H, OUT_W, SIZE_H, SIZE_W, STEP_H, STEP_W, TOP, LEFT, BOTTOM, RIGHT }; /* in op->n */

static int64_t span(const int64_t *n, int64_t at, int axis, int64_t *from, int64_t *to)
{
	int64_t size = n[H + axis], first = at * n[STEP_H + axis] - n[TOP + axis], last = first + n[SIZE_H + axis];
	int64_t padded = size + n[BOTTOM + axis];

	*from = first < 0 ? 0 : first;
	*to = last > size ? size : last;
	return (last > padded ? padded : last) - first;
}

static struct window window_at(const int64_t *n, int64_t y, int64_t x)
{
	struct window w;
	int64_t rows = span(n, y, 0, &w.y0, &w.y1), columns = span(n, x, 1, &w.x0, &w.x1);

	w.share = 1 / (float)(rows * columns);
	return w;
}

static void avg_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	const int64_t *n = op->n;

	for (int64_t plane = from; plane < to; plane++) {
		const float *x = op->p[1] + plane * n[H] * n[W];
		float *y = op->p[0] + plane * n[OUT_H] * n[OUT_W];

		for (int64_t i = 0; i < n[OUT_H] * n[OUT_W]; i++) {
			struct window w = window_at(n, i / n[OUT_W], i % n[OUT_W]);
			float sum = 0;

			for (int64_t r = w.y0; r < w.y1; r++)
				for (int64_t c = w.x0; c < w.x1; c++)
					sum += x[r * n[W] + c];
			y[i] = sum * w.share;
		}
	}
}

/* Averages whose divisor counts padding, but not what lies beyond it.
 * p: out, in. n: planes, then the enum above */
void k_avg(const struct cpu_op *op)
{
	spread(op, op->n[0], 1, avg_part);
}

static void avg_back_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	const int64_t *n = op->n;

	for (int64_t plane = from; plane < to; plane++) {
		float *dx = op->p[0] + plane * n[H] * n[W];
		const float *dy = op->p[1] + plane * n[OUT_H] * n[OUT_W];

		memset(dx, 0, (size_t)(n[H] * n[W]) * sizeof *dx);
		for (int64_t i = 0; i < n[OUT_H] * n[OUT_W]; i++) {
			struct window w = window_at(n, i / n[OUT_W], i % n[OUT_W]);

			for (int64_t r = w.y0; r < w.y1; r++)
				for (int64_t c = w.x0; c < w.x1; c++)
					dx[r * n[W] + c] += dy[i] * w.share;
		}
	}
}

/* p: din, dout. n: as k_avg */
void k_avg_back(const struct cpu_op *op)
{
	spread(op, op->n[0], 1, avg_back_part);
}

static void pad_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	const int64_t *n = op->n;

	for (int64_t plane = from; plane < to; plane++) {
		const float *x = op->p[1] + plane * n[H] * n[W];
		float *y = op->p[0] + plane * n[OUT_H] * n[OUT_W];

		memset(y, 0, (size_t)(n[OUT_H] * n[OUT_W]) * sizeof *y);
		for (int64_t r = 0; r < n[H]; r++)
			memcpy(y + (r + n[TOP]) * n[OUT_W] + n[LEFT], x + r * n[W], (size_t)n[W] * sizeof *y);
	}
}

/* p: out, in. n: planes; H, W, OUT_H, OUT_W, TOP, LEFT */
void k_pad(const struct cpu_op *op)
{
	spread(op, op->n[0], 1, pad_part);
}

static void pad_back_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	const int64_t *n = op->n;

	for (int64_t plane = from; plane < to; plane++) {
		float *dx = op->p[0] + plane * n[H] * n[W];
		const float *dy = op->p[1] + plane * n[OUT_H] * n[OUT_W];

		for (int64_t r = 0; r < n[H]; r++)
			memcpy(dx + r * n[W], dy + (r + n[TOP]) * n[OUT_W] + n[LEFT], (size_t)n[W] * sizeof *dx);
	}
}

/* p: din, dout. n: as k_pad */
void k_pad_back(const struct cpu_op *op)
{
	spread(op, op->n[0], 1, pad_back_part);
}

struct tap { /* an output coordinate is (1 - t) * in[i] + t * in[j] */
	int64_t i, j;
	float t;
};

/* Nearest: i = o / factor. Bilinear with half-pixel centres: (o + 0.5) / factor - 0.5, not below 0. */
static struct tap tap_at(int64_t o, int64_t factor, int64_t size, bool bilinear)
{
	float at = ((float)o + 0.5F) / (float)factor - 0.5F;
	struct tap t = { o / factor, o / factor, 0 };

	if (!bilinear)
		return t;
	at = at < 0 ? 0 : at;
	t.i = (int64_t)at;
	t.j = t.i + 1 < size ? t.i + 1 : t.i;
	t.t = at - (float)t.i;
	return t;
}

static void upsample_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	const int64_t *n = op->n;
	bool smooth = op->a > 0;

	for (int64_t plane = from; plane < to; plane++) {
		const float *x = op->p[1] + plane * n[H] * n[W];
		float *y = op->p[0] + plane * n[OUT_H] * n[OUT_W];

		for (int64_t r = 0; r < n[OUT_H]; r++) {
			struct tap v = tap_at(r, n[SIZE_H], n[H], smooth);

			for (int64_t c = 0; c < n[OUT_W]; c++) {
				struct tap h = tap_at(c, n[SIZE_W], n[W], smooth);
				const float *up = x + v.i * n[W], *down = x + v.j * n[W];
				float a = (1 - h.t) * up[h.i] + h.t * up[h.j];
				float b = (1 - h.t) * down[h.i] + h.t * down[h.j];

				y[r * n[OUT_W] + c] = (1 - v.t) * a + v.t * b;
			}
		}
	}
}

/* p: out, in. n: planes; H, W, OUT_H, OUT_W, SIZE_H, SIZE_W: the factors. a: 1 bilinear, 0 nearest */
void k_upsample(const struct cpu_op *op)
{
	spread(op, op->n[0], 1, upsample_part);
}

static void upsample_back_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	const int64_t *n = op->n;
	bool smooth = op->a > 0;

	for (int64_t plane = from; plane < to; plane++) {
		float *dx = op->p[0] + plane * n[H] * n[W];
		const float *dy = op->p[1] + plane * n[OUT_H] * n[OUT_W];

		memset(dx, 0, (size_t)(n[H] * n[W]) * sizeof *dx);
		for (int64_t r = 0; r < n[OUT_H]; r++) {
			struct tap v = tap_at(r, n[SIZE_H], n[H], smooth);

			for (int64_t c = 0; c < n[OUT_W]; c++) {
				struct tap h = tap_at(c, n[SIZE_W], n[W], smooth);
				float d = dy[r * n[OUT_W] + c];

				dx[v.i * n[W] + h.i] += (1 - v.t) * (1 - h.t) * d;
				dx[v.i * n[W] + h.j] += (1 - v.t) * h.t * d;
				dx[v.j * n[W] + h.i] += v.t * (1 - h.t) * d;
				dx[v.j * n[W] + h.j] += v.t * h.t * d;
			}
		}
	}
}

/* p: din, dout. n, a: as k_upsample */
void k_upsample_back(const struct cpu_op *op)
{
	spread(op, op->n[0], 1, upsample_back_part);
}

/* ---- moving --------------------------------------------------------------------------------------------- */

static void copy_part(const struct cpu_op *op, int64_t from, int64_t to)
{
	const int64_t *n = op->n;

	for (int64_t s = from; s < to; s++)
		memcpy(op->p[0] + s * n[1] + n[2], op->p[1] + s * n[3] + n[4], (size_t)n[5] * sizeof(float));
}

/* p: out, in. n: examples; floats per example and first float of the output, the same of the input; floats to copy */
void k_copy_part(const struct cpu_op *op)
{
	spread(op, op->n[0], 1, copy_part);
}

/* ---- loss ----------------------------------------------------------------------------------------------- */

/* p: dlogits, logits, both plain */
void k_loss(const struct cpu_op *op)
{
	const struct cpu_now *now = op->now;

	loss_f32(now->loss, op->p[1], op->n[0], now->batch->label, now->batch->target, op->p[0], now->sum);
}
