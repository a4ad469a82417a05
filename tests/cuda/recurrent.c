/* tests/cuda/recurrent.c - see emulated.h: whole recurrent layers in double, one example and one direction at a time,
 * by the formulas of arch/layer_recurrent.c (PyTorch's). The backward runs the forward again.
 */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/emulated.h"

enum { RNN, GRU, LSTM, PATTERN = 0x5c };

struct layer { /* everything as doubles */
	const struct cuda_op_recurrent *o;
	int H, gates, rows, directions;
	double *x, *out, *state, *cell;     /* of the forward */
	double *dx, *dout, *dstate, *dcell; /* of the backward */
	double *w[8], *dw[8];               /* weight_ih, weight_hh, bias_ih, bias_hh; then of the reverse */
	int64_t n_w[8];
	const int32_t *length;
};

struct run { /* one example in one direction */
	struct layer *y;
	int n, dir, steps;
	double *h, *s;    /* [steps + 1][H] */
	double *gate, *b; /* [steps][rows] after the nonlinearity; W_hh h + b_hh */
};

static double sigmoid(double x)
{
	return 1 / (1 + exp(-x));
}

static int vector_pitch(const struct layer *y)
{
	return cuda_pitch(y->directions * y->H);
}

static int time_of(const struct run *r, int k)
{
	return r->dir ? r->steps - 1 - k : k;
}

static int64_t x_at(const struct run *r, int k)
{
	const struct cuda_dims *d = &r->y->o->x;

	return ((int64_t)r->n * d->w + time_of(r, k)) * d->pitch;
}

/* Unit 0 of this direction in the output of step k, or in the one of the example. */
static int64_t out_at(const struct run *r, int k)
{
	const struct cuda_dims *d = &r->y->o->y;
	int64_t row = r->y->o->last ? r->n : (int64_t)r->n * d->w + time_of(r, k);

	return row * d->pitch + (r->y->o->merge ? 0 : r->dir * r->y->H);
}

static int64_t state_at(const struct run *r)
{
	return (int64_t)r->n * vector_pitch(r->y) + r->dir * r->y->H;
}

static double row_product(const double *w, const double *bias, const double *x, int row, int n)
{
	double sum = bias ? bias[row] : 0;

	for (int i = 0; i < n; i++)
		sum += w[(int64_t)row * n + i] * x[i];
	return sum;
}

static void cell_forward(const struct run *r, int k, const double *a)
{
	int H = r->y->H;
	const double *b = r->b + k * r->y->rows, *h = r->h + k * H, *s = r->s + k * H;
	double *g = r->gate + k * r->y->rows, *h2 = r->h + (k + 1) * H, *s2 = r->s + (k + 1) * H;

	for (int j = 0; j < H; j++)
		if (r->y->o->cell == RNN) {
			g[j] = a[j] + b[j];
			h2[j] = g[j] = r->y->o->relu ? fmax(g[j], 0) : tanh(g[j]);
		} else if (r->y->o->cell == GRU) {
			g[j] = sigmoid(a[j] + b[j]);
			g[H + j] = sigmoid(a[H + j] + b[H + j]);
			g[2 * H + j] = tanh(a[2 * H + j] + g[j] * b[2 * H + j]);
			h2[j] = (1 - g[H + j]) * g[2 * H + j] + g[H + j] * h[j];
		} else {
			for (int q = 0; q < 4; q++)
				g[q * H + j] =
				    q == 2 ? tanh(a[q * H + j] + b[q * H + j]) : sigmoid(a[q * H + j] + b[q * H + j]);
			s2[j] = g[H + j] * s[j] + g[j] * g[2 * H + j];
			h2[j] = g[3 * H + j] * tanh(s2[j]);
		}
}

static double *zeros(int64_t n)
{
	return calloc((size_t)n + 1, sizeof(double));
}

static void run_open(struct run *r, struct layer *y, int n, int dir)
{
	int steps = y->length ? y->length[n] : y->o->x.w;

	*r = (struct run){ y,
			   n,
			   dir,
			   steps,
			   zeros((steps + 1) * y->H),
			   zeros((steps + 1) * y->H),
			   zeros(steps * y->rows),
			   zeros(steps * y->rows) };
	for (int k = 0; k < steps; k++) {
		double *a = zeros(y->rows), *const *w = y->w + 4 * dir;

		for (int i = 0; i < y->rows; i++) {
			a[i] = row_product(w[0], w[2], y->x + x_at(r, k), i, y->o->x.c);
			r->b[k * y->rows + i] = row_product(w[1], w[3], r->h + k * y->H, i, y->H);
		}
		cell_forward(r, k, a);
		free(a);
	}
}

static void run_close(struct run *r)
{
	free(r->h);
	free(r->s);
	free(r->gate);
	free(r->b);
}

static void write_ports(const struct run *r)
{
	struct layer *y = r->y;
	int H = y->H;

	for (int j = 0; j < H; j++) {
		y->state[state_at(r) + j] = r->h[r->steps * H + j];
		y->cell[state_at(r) + j] = r->s[r->steps * H + j];
		if (y->o->last)
			y->out[out_at(r, 0) + j] += r->h[r->steps * H + j];
		for (int k = 0; !y->o->last && k < r->steps; k++)
			y->out[out_at(r, k) + j] += r->h[(k + 1) * H + j];
	}
}

/* ---- backward -------------------------------------------------------------------------------------------- */

static void read_ports(const struct run *r, int k, double *dh, double *ds)
{
	struct layer *y = r->y;
	bool end = k == r->steps - 1;

	for (int j = 0; j < y->H; j++) {
		if (!y->o->last || end)
			dh[j] += y->dout[out_at(r, k) + j];
		if (end) {
			dh[j] += y->dstate[state_at(r) + j];
			ds[j] += y->dcell[state_at(r) + j];
		}
	}
}

/* From the gradients of the states after step k to those before it (W_hh's part apart), and of a and b. */
static void cell_backward(const struct run *r, int k, double *dh, double *ds, double *a, double *b)
{
	int H = r->y->H;
	const double *g = r->gate + k * r->y->rows, *h = r->h + k * H, *s = r->s + k * H, *hh = r->b + k * r->y->rows;

	for (int j = 0; j < H; j++)
		if (r->y->o->cell == RNN) {
			a[j] = b[j] = dh[j] * (r->y->o->relu ? g[j] > 0 : 1 - g[j] * g[j]);
			dh[j] = 0;
		} else if (r->y->o->cell == GRU) {
			double z = g[H + j], c = g[2 * H + j], dn = dh[j] * (1 - z) * (1 - c * c);

			a[j] = b[j] = dn * hh[2 * H + j] * g[j] * (1 - g[j]);
			a[H + j] = b[H + j] = dh[j] * (h[j] - c) * z * (1 - z);
			a[2 * H + j] = dn;
			b[2 * H + j] = dn * g[j];
			dh[j] *= z;
		} else {
			double i = g[j], f = g[H + j], c = g[2 * H + j], o = g[3 * H + j];
			double t = tanh(r->s[(k + 1) * H + j]), d = ds[j] + dh[j] * o * (1 - t * t);

			a[j] = b[j] = d * c * i * (1 - i);
			a[H + j] = b[H + j] = d * s[j] * f * (1 - f);
			a[2 * H + j] = b[2 * H + j] = d * i * (1 - c * c);
			a[3 * H + j] = b[3 * H + j] = dh[j] * t * o * (1 - o);
			ds[j] = d * f;
			dh[j] = 0;
		}
}

static void product_back(const double *d, const double *w, const double *x, int rows, int n, double *dx, double *dw,
			 double *db)
{
	for (int row = 0; row < rows; row++) {
		db[row] += d[row];
		for (int i = 0; i < n; i++) {
			dw[(int64_t)row * n + i] += d[row] * x[i];
			dx[i] += d[row] * w[(int64_t)row * n + i];
		}
	}
}

static void run_backward(const struct run *r)
{
	struct layer *y = r->y;
	double *dh = zeros(y->H), *ds = zeros(y->H), *a = zeros(y->rows), *b = zeros(y->rows);
	double *const *w = y->w + 4 * r->dir, *const *dw = y->dw + 4 * r->dir;

	for (int k = r->steps - 1; k >= 0; k--) {
		read_ports(r, k, dh, ds);
		cell_backward(r, k, dh, ds, a, b);
		product_back(a, w[0], y->x + x_at(r, k), y->rows, y->o->x.c, y->dx + x_at(r, k), dw[0], dw[2]);
		product_back(b, w[1], r->h + k * y->H, y->rows, y->H, dh, dw[1], dw[3]);
	}
	free(dh);
	free(ds);
	free(a);
	free(b);
}

/* ---- the layer ------------------------------------------------------------------------------------------- */

static int64_t count(const struct cuda_dims *d)
{
	return (int64_t)d->n * d->h * d->w * d->pitch;
}

static struct cuda_dims out_dims(const struct cuda_op_recurrent *o)
{
	struct cuda_dims d = o->y;

	if (o->last)
		d.h = d.w = 1;
	return d;
}

static void layer_open(struct layer *y, const struct cuda_op *op, const struct launch *l)
{
	const struct cuda_op_recurrent *o = &op->u.recurrent;
	struct cuda_dims d = out_dims(o);
	int64_t states;

	*y = (struct layer){ .o = o, .H = o->units, .gates = o->cell == RNN ? 1 : o->cell == GRU ? 3 : 4 };
	y->rows = y->gates * y->H;
	y->directions = o->bidirectional ? 2 : 1;
	y->length = emulated_at(l, &op->buf[1]);
	y->x = emulated_read(l, &op->buf[0], count(&o->x));
	states = (int64_t)o->x.n * vector_pitch(y);
	y->out = zeros(count(&d));
	y->state = zeros(states);
	y->cell = zeros(states);
	for (int i = 0; i < 8; i++) {
		y->n_w[i] = y->rows * (i % 4 == 0 ? o->x.c : i % 4 == 1 ? y->H : 1);
		y->w[i] = emulated_read(l, &op->buf[7 + i], i < 4 * y->directions ? y->n_w[i] : 0);
		y->dw[i] = zeros(y->n_w[i]);
	}
	y->dx = zeros(count(&o->x));
	if (op->kind == CUDA_OP_RECURRENT_BACK) {
		y->dout = emulated_read(l, &op->buf[3], count(&d));
		y->dstate = emulated_read(l, &op->buf[4], states);
		y->dcell = emulated_read(l, &op->buf[15], states);
	}
}

static void layer_close(struct layer *y)
{
	double *all[] = { y->x, y->out, y->state, y->cell, y->dx, y->dout, y->dstate, y->dcell };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		free(all[i]);
	for (int i = 0; i < 8; i++) {
		free(y->w[i]);
		free(y->dw[i]);
	}
}

static void each_run(struct layer *y, void (*f)(const struct run *))
{
	for (int n = 0; n < y->o->x.n; n++)
		for (int dir = 0; dir < y->directions; dir++) {
			struct run r;

			run_open(&r, y, n, dir);
			f(&r);
			run_close(&r);
		}
}

int64_t emulated_reserve(const struct cuda_op *op)
{
	return 256 + (int64_t)op->u.recurrent.x.n * op->u.recurrent.x.w * op->u.recurrent.units;
}

int emulated_recurrent(const struct cuda_op *op, const struct launch *l)
{
	struct cuda_dims d = out_dims(&op->u.recurrent);
	void *reserve = emulated_at(l, &op->buf[5]);
	struct layer y;

	layer_open(&y, op, l);
	each_run(&y, write_ports);
	emulated_write(l, &op->buf[2], y.out, count(&d));
	emulated_write(l, &op->buf[3], y.state, (int64_t)d.n * vector_pitch(&y));
	emulated_write(l, &op->buf[4], y.cell, (int64_t)d.n * vector_pitch(&y));
	if (reserve)
		memset(reserve, PATTERN, (size_t)emulated_reserve(op));
	layer_close(&y);
	return 0;
}

int emulated_recurrent_back(const struct cuda_op *op, const struct launch *l)
{
	const unsigned char *reserve = emulated_at(l, &op->buf[5]);
	struct layer y;

	for (int64_t i = 0; i < emulated_reserve(op); i++)
		if (!reserve || reserve[i] != PATTERN)
			return -1;
	layer_open(&y, op, l);
	each_run(&y, run_backward);
	emulated_write(l, &op->buf[16], y.dx, count(&op->u.recurrent.x));
	for (int i = 0; i < 4 * y.directions; i++) {
		struct cuda_ref r = { CUDA_GRADS, CUDA_F32, op->u.recurrent.grads[i] };

		if (op->buf[17].base != CUDA_NONE && r.offset >= 0)
			emulated_write(l, &r, y.dw[i], y.n_w[i]);
	}
	layer_close(&y);
	return 0;
}
