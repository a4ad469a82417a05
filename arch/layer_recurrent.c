/* arch/layer_recurrent.c - rnn (Elman), gru (Cho et al. 2014, reset after the product), lstm (Hochreiter and
 * Schmidhuber 1997, with forget gates), one or both directions.
 */
#include <math.h>
#include <string.h>

#include "arch/kinds.h"
#include "arch/layer_common.h"
#include "base/mem.h"

enum cell { CELL_RNN, CELL_GRU, CELL_LSTM };

static const int gates_of[] = { [CELL_RNN] = 1, [CELL_GRU] = 3, [CELL_LSTM] = 4 };

static const char *const merge_names[] = { "concat", "add", NULL };
static const char *const last_names[] = { "sequence", "last", NULL };
static const char *const activation_names[] = { "tanh", "relu", NULL };

/* ---- shape, parameters, cost ---------------------------------------------------------------------------- */

#define RECURRENT_OPTS                                                                                           \
	OPT_INT(struct rnn, units, OPT_NEED, 1, 65536, "size of the hidden state"),                              \
	    OPT_BOOL(struct rnn, bidirectional, 0, "a second one reads the steps backwards"),                    \
	    OPT_ENUM(struct rnn, merge, 0, merge_names, "how two directions become one output"),                 \
	    OPT_ENUM(struct rnn, last, 0, last_names, "hand out every step, or the last one of each direction"), \
	    OPT_BOOL(struct rnn, bias, 1, "add biases (two per gate, as PyTorch does)")

static const struct opt rnn_opts[] = {
	RECURRENT_OPTS,
	OPT_ENUM(struct rnn, activation, 0, activation_names, "of the new state"),
	OPT_END,
};
static const struct opt gated_opts[] = { RECURRENT_OPTS, OPT_END };

static int recurrent_shape(const char *name, enum cell cell, const struct rnn *c, const struct shape *in,
			   struct shape *out, struct err *e)
{
	int directions = c->bidirectional ? 2 : 1, width = c->merge ? c->units : directions * c->units;

	if (in->type == TENSOR_IMAGE)
		return ERR(e, ERR_INVALID, NULL,
			   "%s needs a sequence, its input is an image: put \"reshape\" to [channels, steps] before it",
			   name);
	if (layer_need(name, in, 1U << TENSOR_SEQUENCE, e) < 0)
		return -1;
	out[0] = c->last ? shape_vector(width) : shape_sequence(width, in->d[1], in->open);
	out[1] = shape_vector(directions * c->units);
	if (cell == CELL_LSTM)
		out[2] = out[1];
	return 0;
}

static int recurrent_params(enum cell cell, const struct rnn *c, int channels, struct param_spec *out)
{
	static const char *const names[2][4] = {
		{ "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0" },
		{ "weight_ih_l0_reverse", "weight_hh_l0_reverse", "bias_ih_l0_reverse", "bias_hh_l0_reverse" },
	};
	int rows = gates_of[cell] * c->units, n = 0;

	for (int dir = 0; dir < (c->bidirectional ? 2 : 1); dir++)
		for (int i = 0; i < (c->bias ? 4 : 2); i++)
			out[n++] = (struct param_spec){ .name = names[dir][i],
							.role = i < 2 ? PARAM_WEIGHT : PARAM_BIAS,
							.init = INIT_TORCH,
							.rank = i < 2 ? 2 : 1,
							.d = { rows, i == 0   ? channels
								     : i == 1 ? c->units
									      : 0 },
							.fan_in = c->units,
							.fan_out = c->units };
	return n;
}

static int64_t recurrent_macs(enum cell cell, const struct rnn *c, const struct shape *in)
{
	int64_t n = layer_mul((int64_t)gates_of[cell] * c->units, (int64_t)in->d[0] + c->units);

	return layer_mul(layer_mul(n, in->d[1]), c->bidirectional ? 2 : 1);
}

/* ---- one example in one direction ----------------------------------------------------------------------- */

struct run {
	const struct layer_io *io;
	const struct rnn *c;
	enum cell cell;
	int n, dir;            /* example, direction */
	int steps;             /* valid ones */
	int channels, H, rows; /* rows = gates * H */
	double *h, *s;         /* [steps + 1][H] hidden and cell states, before step k at k */
	double *gate;          /* [steps][rows] after the nonlinearity */
	double *b;             /* [steps][rows] W_hh h + b_hh */
};

static double sigmoid(double x)
{
	return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

static int first_param(const struct run *r)
{
	return r->dir * (r->c->bias ? 4 : 2);
}

/* The time that a direction reads as its k-th. */
static int time_of(const struct run *r, int k)
{
	return r->dir ? r->steps - 1 - k : k;
}

/* Element 0 of time t of example n in a channels-first tensor; channels lie `steps of the tensor` apart. */
static int64_t at_time(const struct run *r, const struct shape *s, int t)
{
	return (int64_t)r->n * s->d[0] * s->d[1] + t;
}

/* out[row] = bias[row] + sum_i w[row][i] * x[i * stride] */
static void product(double *out, const double *w, const double *bias, const double *x, int64_t stride, int rows, int n)
{
	for (int row = 0; row < rows; row++) {
		out[row] = bias ? bias[row] : 0;
		for (int i = 0; i < n; i++)
			out[row] += w[(int64_t)row * n + i] * x[i * stride];
	}
}

/* Step k: from a and b to the gates and the next state. */
static void cell_forward(const struct run *r, int k, const double *a)
{
	int H = r->H;
	const double *b = r->b + (int64_t)k * r->rows, *h = r->h + (int64_t)k * H, *s = r->s + (int64_t)k * H;
	double *g = r->gate + (int64_t)k * r->rows, *h2 = r->h + (int64_t)(k + 1) * H,
	       *s2 = r->s + (int64_t)(k + 1) * H;

	for (int j = 0; j < H; j++) {
		switch (r->cell) {
		case CELL_RNN:
			h2[j] = g[j] = r->c->activation ? fmax(a[j] + b[j], 0) : tanh(a[j] + b[j]);
			break;
		case CELL_GRU:
			g[j] = sigmoid(a[j] + b[j]);
			g[H + j] = sigmoid(a[H + j] + b[H + j]);
			g[2 * H + j] = tanh(a[2 * H + j] + g[j] * b[2 * H + j]);
			h2[j] = (1 - g[H + j]) * g[2 * H + j] + g[H + j] * h[j];
			break;
		case CELL_LSTM:
			for (int q = 0; q < 4; q++)
				g[q * H + j] =
				    q == 2 ? tanh(a[q * H + j] + b[q * H + j]) : sigmoid(a[q * H + j] + b[q * H + j]);
			s2[j] = g[H + j] * s[j] + g[j] * g[2 * H + j];
			h2[j] = g[3 * H + j] * tanh(s2[j]);
			break;
		}
	}
}

/* Runs example n in direction dir; what it allocates lies in io->scratch. */
static struct run run_forward(const struct layer_io *io, enum cell cell, int n, int dir)
{
	const struct shape *in = io->in_shape;
	const struct rnn *c = io->cfg;
	struct run r = { .io = io, .c = c, .cell = cell, .n = n, .dir = dir, .steps = layer_steps(io, in, n) };
	double *const *p = io->param + first_param(&r), *a;

	r.channels = in->d[0];
	r.H = c->units;
	r.rows = gates_of[cell] * r.H;
	r.h = ARENA_ARRAY(io->scratch, double, (r.steps + 1) * r.H);
	r.s = ARENA_ARRAY(io->scratch, double, (r.steps + 1) * r.H);
	r.gate = ARENA_ARRAY(io->scratch, double, r.steps *r.rows + 1);
	r.b = ARENA_ARRAY(io->scratch, double, r.steps *r.rows + 1);
	a = ARENA_ARRAY(io->scratch, double, r.rows);
	for (int k = 0; k < r.steps; k++) {
		product(a, p[0], c->bias ? p[2] : NULL, io->in[0] + at_time(&r, in, time_of(&r, k)), in->d[1], r.rows,
			r.channels);
		product(r.b + (int64_t)k * r.rows, p[1], c->bias ? p[3] : NULL, r.h + (int64_t)k * r.H, 1, r.rows, r.H);
		cell_forward(&r, k, a);
	}
	return r;
}

/* Where unit 0 of this direction stands in a row of port 0: both directions share it when they are added. */
static int out_first(const struct run *r)
{
	return r->c->merge ? 0 : r->dir * r->H;
}

static void write_ports(const struct run *r)
{
	const struct shape *o = r->io->out_shape;
	const double *end = r->h + (int64_t)r->steps * r->H, *cell = r->s + (int64_t)r->steps * r->H;
	int64_t state = (int64_t)r->n * o[1].d[0] + r->dir * r->H;

	for (int j = 0; j < r->H; j++) {
		int u = out_first(r) + j;

		r->io->out[1][state + j] = end[j];
		if (r->cell == CELL_LSTM)
			r->io->out[2][state + j] = cell[j];
		if (r->c->last)
			r->io->out[0][(int64_t)r->n * o->d[0] + u] += end[j];
		for (int k = 0; !r->c->last && k < r->steps; k++)
			r->io->out[0][at_time(r, o, time_of(r, k)) + (int64_t)u * o->d[1]] +=
			    r->h[(int64_t)(k + 1) * r->H + j];
	}
}

static void recurrent_forward(const struct layer_io *io, enum cell cell)
{
	const struct rnn *c = io->cfg;

	memset(io->out[0], 0, (size_t)io->batch * (size_t)shape_count(io->out_shape) * sizeof(double));
	for (int n = 0; n < io->batch; n++)
		for (int dir = 0; dir < (c->bidirectional ? 2 : 1); dir++) {
			struct run r = run_forward(io, cell, n, dir);

			write_ports(&r);
		}
}

/* ---- backward through time ------------------------------------------------------------------------------ */

struct slope {         /* gradients at one step */
	double *h, *s; /* [H] of the states after it; cell_backward makes them those before it, W_hh's part apart */
	double *a, *b; /* [rows] */
};

/* Adds what the readers of the ports say about the state after step k. */
static void read_ports(const struct run *r, int k, const struct slope *d)
{
	const struct shape *o = r->io->out_shape;
	const double *const *dout = r->io->dout;
	int64_t state = (int64_t)r->n * o[1].d[0] + r->dir * r->H;
	bool end = k == r->steps - 1;

	for (int j = 0; j < r->H; j++) {
		int u = out_first(r) + j;

		if (dout[0] && !r->c->last)
			d->h[j] += dout[0][at_time(r, o, time_of(r, k)) + (int64_t)u * o->d[1]];
		if (dout[0] && r->c->last && end)
			d->h[j] += dout[0][(int64_t)r->n * o->d[0] + u];
		if (dout[1] && end)
			d->h[j] += dout[1][state + j];
		if (r->cell == CELL_LSTM && dout[2] && end)
			d->s[j] += dout[2][state + j];
	}
}

static void gru_step_backward(const struct run *r, int k, int j, const struct slope *d)
{
	int H = r->H;
	const double *g = r->gate + (int64_t)k * r->rows + j, *b = r->b + (int64_t)k * r->rows + j;
	double h = r->h[(int64_t)k * H + j], dh = d->h[j], rg = g[0], z = g[H], n = g[2 * H];
	double dn = dh * (1 - z) * (1 - n * n);

	d->a[j] = d->b[j] = dn * b[2 * H] * rg * (1 - rg);
	d->a[H + j] = d->b[H + j] = dh * (h - n) * z * (1 - z);
	d->a[2 * H + j] = dn;
	d->b[2 * H + j] = dn * rg;
	d->h[j] = dh * z;
}

static void lstm_step_backward(const struct run *r, int k, int j, const struct slope *d)
{
	int H = r->H;
	const double *gate = r->gate + (int64_t)k * r->rows + j;
	double i = gate[0], f = gate[H], g = gate[2 * H], o = gate[3 * H];
	double s = r->s[(int64_t)k * H + j], t = tanh(r->s[(int64_t)(k + 1) * H + j]);
	double ds = d->s[j] + d->h[j] * o * (1 - t * t);

	d->a[j] = ds * g * i * (1 - i);
	d->a[H + j] = ds * s * f * (1 - f);
	d->a[2 * H + j] = ds * i * (1 - g * g);
	d->a[3 * H + j] = d->h[j] * t * o * (1 - o);
	for (int q = 0; q < 4; q++)
		d->b[q * H + j] = d->a[q * H + j];
	d->s[j] = ds * f;
	d->h[j] = 0;
}

static void cell_backward(const struct run *r, int k, const struct slope *d)
{
	const double *g = r->gate + (int64_t)k * r->rows;

	for (int j = 0; j < r->H; j++) {
		switch (r->cell) {
		case CELL_RNN:
			d->a[j] = d->b[j] = d->h[j] * (r->c->activation ? g[j] > 0 : 1 - g[j] * g[j]);
			d->h[j] = 0;
			break;
		case CELL_GRU:
			gru_step_backward(r, k, j, d);
			break;
		case CELL_LSTM:
			lstm_step_backward(r, k, j, d);
			break;
		}
	}
}

/* The adjoint of product(): dx, dw and db may be NULL. */
static void product_backward(const double *d, const double *w, const double *x, int64_t stride, int rows, int n,
			     double *dx, double *dw, double *db)
{
	for (int row = 0; row < rows; row++) {
		if (db)
			db[row] += d[row];
		for (int i = 0; i < n; i++) {
			if (dw)
				dw[(int64_t)row * n + i] += d[row] * x[i * stride];
			if (dx)
				dx[i * stride] += d[row] * w[(int64_t)row * n + i];
		}
	}
}

static void run_backward(const struct run *r)
{
	const struct layer_io *io = r->io;
	const struct shape *in = io->in_shape;
	double *const *p = io->param + first_param(r), *const *dp = io->dparam + first_param(r);
	struct slope d = { ARENA_ARRAY(io->scratch, double, r->H), ARENA_ARRAY(io->scratch, double, r->H),
			   ARENA_ARRAY(io->scratch, double, r->rows), ARENA_ARRAY(io->scratch, double, r->rows) };

	for (int k = r->steps - 1; k >= 0; k--) {
		int64_t x = at_time(r, in, time_of(r, k));

		read_ports(r, k, &d);
		cell_backward(r, k, &d);
		product_backward(d.a, p[0], io->in[0] + x, in->d[1], r->rows, r->channels,
				 io->din[0] ? io->din[0] + x : NULL, dp[0], r->c->bias ? dp[2] : NULL);
		product_backward(d.b, p[1], r->h + (int64_t)k * r->H, 1, r->rows, r->H, d.h, dp[1],
				 r->c->bias ? dp[3] : NULL);
	}
}

static void recurrent_backward(const struct layer_io *io, enum cell cell)
{
	const struct rnn *c = io->cfg;

	for (int n = 0; n < io->batch; n++)
		for (int dir = 0; dir < (c->bidirectional ? 2 : 1); dir++) {
			struct run r = run_forward(io, cell, n, dir);

			run_backward(&r);
		}
}

/* ---- the three kinds ------------------------------------------------------------------------------------ */

static const char *const state_ports[] = { "out", "state", NULL };
static const char *const cell_ports[] = { "out", "state", "cell", NULL };

#define RECURRENT(kind, sym, text, which, options, port_names)                                                 \
	static int kind##_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e) \
	{                                                                                                      \
		(void)n_in;                                                                                    \
		return recurrent_shape(#kind, which, cfg, in, out, e);                                         \
	}                                                                                                      \
	static int kind##_params(const void *cfg, const struct shape *in, int n_in, struct param_spec *out)    \
	{                                                                                                      \
		(void)n_in;                                                                                    \
		return recurrent_params(which, cfg, in->d[0], out);                                            \
	}                                                                                                      \
	static int64_t kind##_macs(const void *cfg, const struct shape *in, int n_in, const struct shape *out) \
	{                                                                                                      \
		(void)n_in;                                                                                    \
		(void)out;                                                                                     \
		return recurrent_macs(which, cfg, in);                                                         \
	}                                                                                                      \
	static void kind##_forward(const struct layer_io *io)                                                  \
	{                                                                                                      \
		recurrent_forward(io, which);                                                                  \
	}                                                                                                      \
	static void kind##_backward(const struct layer_io *io)                                                 \
	{                                                                                                      \
		recurrent_backward(io, which);                                                                 \
	}                                                                                                      \
	const struct layer_class layer_##kind = {                                                              \
		.name = #kind,                                                                                 \
		.symbol = sym,                                                                                 \
		.help = text,                                                                                  \
		.family = FAMILY_RECURRENT,                                                                    \
		.min_in = 1,                                                                                   \
		.max_in = 1,                                                                                   \
		.opts = options,                                                                               \
		.cfg_size = sizeof(struct rnn),                                                                \
		.ports = port_names,                                                                           \
		.shape = kind##_shape,                                                                         \
		.params = kind##_params,                                                                       \
		.macs = kind##_macs,                                                                           \
		.forward = kind##_forward,                                                                     \
		.backward = kind##_backward,                                                                   \
	}

RECURRENT(rnn, "RN", "simple recurrent layer", CELL_RNN, rnn_opts, state_ports);
RECURRENT(gru, "G", "gated recurrent unit", CELL_GRU, gated_opts, state_ports);
RECURRENT(lstm, "LS", "long short-term memory", CELL_LSTM, gated_opts, cell_ports);
