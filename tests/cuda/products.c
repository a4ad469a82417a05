/* tests/cuda/products.c - see emulated.h: convolutions (groups 1) and dense layers, which cuDNN and cuBLASLt compute on
 * a card. A dense layer is a convolution whose kernel is as large as its input.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/emulated.h"

void *emulated_at(const struct launch *l, const struct cuda_ref *r)
{
	return r->base == CUDA_NONE ? NULL : (void *)(uintptr_t)(l->base[r->base] + (uint64_t)r->offset);
}

static double real_of_bf16(uint16_t h)
{
	uint32_t u = (uint32_t)h << 16;
	float f;

	memcpy(&f, &u, sizeof f);
	return (double)f;
}

static uint16_t bf16_of_real(double v)
{
	float f = (float)v;
	uint32_t u;

	memcpy(&u, &f, sizeof u);
	return f != f ? 0x7fff : (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

double *emulated_read(const struct launch *l, const struct cuda_ref *r, int64_t n)
{
	double *out = calloc((size_t)n + 1, sizeof *out);
	const void *p = emulated_at(l, r);

	for (int64_t i = 0; p && i < n; i++)
		out[i] = r->elem == CUDA_BF16 ? real_of_bf16(((const uint16_t *)p)[i]) : (double)((const float *)p)[i];
	return out;
}

void emulated_write(const struct launch *l, const struct cuda_ref *r, const double *from, int64_t n)
{
	void *p = emulated_at(l, r);

	for (int64_t i = 0; p && i < n; i++)
		if (r->elem == CUDA_BF16)
			((uint16_t *)p)[i] = bf16_of_real(from[i]);
		else
			((float *)p)[i] = (float)from[i];
}

/* ---- one geometry for all -------------------------------------------------------------------------------- */

struct product {
	struct cuda_dims x, y;
	int kh, kw, stride[2], dilation[2], before[2];
};

static struct product of_conv(const struct cuda_op *op)
{
	const struct cuda_op_conv *c = &op->u.conv;

	return (struct product){ .x = c->x,
				 .y = c->y,
				 .kh = c->kh,
				 .kw = c->kw,
				 .stride = { c->stride[0], c->stride[1] },
				 .dilation = { c->dilation[0], c->dilation[1] },
				 .before = { c->before[0], c->before[1] } };
}

static struct product of_dense(const struct cuda_op *op)
{
	const struct cuda_op_dense *d = &op->u.dense;

	return (struct product){
		.x = d->x, .y = d->y, .kh = d->x.h, .kw = d->x.w, .stride = { 1, 1 }, .dilation = { 1, 1 }
	};
}

static int64_t count(const struct cuda_dims *d)
{
	return (int64_t)d->n * d->h * d->w * d->pitch;
}

static int64_t weights(const struct product *p)
{
	return (int64_t)p->y.pitch * p->kh * p->kw * p->x.pitch;
}

typedef void tap(const struct product *p, double *x, double *w, double *y);

/* Calls f for every pair of an output position and a tap that lies in the picture: x, w (of filter 0) and y there. */
static void each_tap(const struct product *p, double *x, double *w, double *y, tap *f)
{
	for (int64_t o = 0; o < (int64_t)p->y.n * p->y.h * p->y.w; o++) {
		int64_t ox = o % p->y.w, oy = o / p->y.w % p->y.h, n = o / p->y.w / p->y.h;

		for (int t = 0; t < p->kh * p->kw; t++) {
			int64_t iy = oy * p->stride[0] - p->before[0] + t / p->kw * p->dilation[0];
			int64_t ix = ox * p->stride[1] - p->before[1] + t % p->kw * p->dilation[1];

			if (iy >= 0 && iy < p->x.h && ix >= 0 && ix < p->x.w)
				f(p, x + ((n * p->x.h + iy) * p->x.w + ix) * p->x.pitch, w + (int64_t)t * p->x.pitch,
				  y + o * p->y.pitch);
		}
	}
}

static int64_t filter(const struct product *p)
{
	return (int64_t)p->kh * p->kw * p->x.pitch;
}

static void tap_forward(const struct product *p, double *x, double *w, double *y)
{
	for (int k = 0; k < p->y.pitch; k++, w += filter(p)) {
		double sum = 0;

#pragma omp simd reduction(+ : sum)
		for (int c = 0; c < p->x.pitch; c++)
			sum += w[c] * x[c];
		y[k] += sum;
	}
}

static void tap_data(const struct product *p, double *dx, double *w, double *dy)
{
	for (int k = 0; k < p->y.pitch; k++, w += filter(p))
#pragma omp simd
		for (int c = 0; c < p->x.pitch; c++)
			dx[c] += dy[k] * w[c];
}

static void tap_weight(const struct product *p, double *x, double *dw, double *dy)
{
	for (int k = 0; k < p->y.pitch; k++, dw += filter(p))
#pragma omp simd
		for (int c = 0; c < p->x.pitch; c++)
			dw[c] += dy[k] * x[c];
}

static void forward(const struct product *p, const struct cuda_op *op, const struct launch *l)
{
	double *x = emulated_read(l, &op->buf[0], count(&p->x)), *w = emulated_read(l, &op->buf[1], weights(p));
	double *y = calloc((size_t)count(&p->y), sizeof *y);

	each_tap(p, x, w, y, tap_forward);
	emulated_write(l, &op->buf[3], y, count(&p->y));
	free(x);
	free(w);
	free(y);
}

static void data(const struct product *p, const struct cuda_op *op, const struct launch *l)
{
	double *dy = emulated_read(l, &op->buf[0], count(&p->y)), *w = emulated_read(l, &op->buf[1], weights(p));
	double *dx = calloc((size_t)count(&p->x), sizeof *dx);

	each_tap(p, dx, w, dy, tap_data);
	emulated_write(l, &op->buf[2], dx, count(&p->x));
	free(dy);
	free(w);
	free(dx);
}

static void weight(const struct product *p, const struct cuda_op *op, const struct launch *l)
{
	double *x = emulated_read(l, &op->buf[0], count(&p->x)), *dy = emulated_read(l, &op->buf[1], count(&p->y));
	double *dw = calloc((size_t)weights(p), sizeof *dw);

	each_tap(p, x, dw, dy, tap_weight);
	emulated_write(l, &op->buf[2], dw, weights(p));
	free(x);
	free(dy);
	free(dw);
}

#define PRODUCT(name, of, what)                                                \
	void emulated_##name(const struct cuda_op *op, const struct launch *l) \
	{                                                                      \
		struct product p = of(op);                                     \
                                                                               \
		what(&p, op, l);                                               \
	}
PRODUCT(conv, of_conv, forward)
PRODUCT(conv_data, of_conv, data)
PRODUCT(conv_weight, of_conv, weight)
PRODUCT(dense, of_dense, forward)
PRODUCT(dense_data, of_dense, data)
PRODUCT(dense_weight, of_dense, weight)
