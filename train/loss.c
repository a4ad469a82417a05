/* train/loss.c - see loss.h. One row at a time in double; the two storage types differ in how a row is fetched. */
#include "train/loss.h"

#include <assert.h>
#include <math.h>

#include "base/mem.h"

int loss_supports(const struct graph *g, const struct recipe *r, struct err *e)
{
	const struct graph_output *out = &g->outputs[0];

	switch (out->task) {
	case TASK_MULTILABEL:
		return ERR(e, ERR_INVALID, out->name, "multi-label outputs cannot be trained: use classification");
	case TASK_REGRESS:
		if (r->loss != LOSS_MSE)
			return ERR(e, ERR_INVALID, out->name, "regression needs \"loss\": \"mse\"");
		if (out->classes != 1)
			return ERR(e, ERR_INVALID, out->name, "regression predicts 1 number per example, not %d",
				   out->classes);
		return 0;
	case TASK_CLASSIFY:
	case TASK_COUNT:
		break;
	}
	return 0;
}

void loss_init(struct loss *l, const struct graph *g, const struct recipe *r, struct arena *a)
{
	const struct graph_output *out = &g->outputs[0];

	*l = (struct loss){ .kind = r->loss,
			    .task = out->task,
			    .width = out->classes,
			    .smoothing = r->label_smoothing,
			    .row = ARENA_ARRAY(a, double, out->classes) };
}

static int argmax_row(const double *z, int n)
{
	int best = 0;

	for (int c = 1; c < n; c++)
		if (z[c] > z[best])
			best = c;
	return best;
}

int loss_argmax(const float *z, int n)
{
	int best = 0;

	for (int c = 1; c < n; c++)
		if (z[c] > z[best])
			best = c;
	return best;
}

static double target_of(const struct loss *l, int c, int32_t label, double number)
{
	if (l->task == TASK_REGRESS)
		return number;
	return (c == label ? 1 - l->smoothing : 0) + l->smoothing / l->width;
}

/* L = log sum_c exp(z_c) - sum_c t_c * z_c, with the largest logit taken out of both. Replaces z by the gradient. */
static double cross_entropy_row(const struct loss *l, double *z, int32_t label)
{
	double top = z[argmax_row(z, l->width)], sum = 0, dot = 0;

	for (int c = 0; c < l->width; c++) {
		dot += target_of(l, c, label, 0) * (z[c] - top);
		z[c] = exp(z[c] - top);
		sum += z[c];
	}
	for (int c = 0; c < l->width; c++)
		z[c] = z[c] / sum - target_of(l, c, label, 0);
	return log(sum) - dot;
}

static double squared_error_row(const struct loss *l, double *z, int32_t label, double number)
{
	double sum = 0;

	for (int c = 0; c < l->width; c++) {
		double d = z[c] - target_of(l, c, label, number);

		sum += d * d;
		z[c] = 2 * d / l->width;
	}
	return sum / l->width;
}

/* Adds one example; row: logits, replaced by the gradient of this example's loss. */
static void add_row(const struct loss *l, double *row, int32_t label, double number, struct loss_sum *sum)
{
	if (l->task != TASK_REGRESS)
		sum->correct += argmax_row(row, l->width) == label;
	switch (l->kind) {
	case LOSS_CROSS_ENTROPY:
		sum->loss += cross_entropy_row(l, row, label);
		return;
	case LOSS_MSE:
		sum->loss += squared_error_row(l, row, label, number);
		return;
	case LOSS_COUNT:
		break;
	}
	assert(0);
}

#define LOSS_OF(name, T)                                                                                       \
	void name(const struct loss *l, const T *logits, int64_t n, const int32_t *label, const float *target, \
		  T *dlogits, struct loss_sum *sum)                                                            \
	{                                                                                                      \
		for (int64_t i = 0; i < n; i++) {                                                              \
			for (int c = 0; c < l->width; c++)                                                     \
				l->row[c] = (double)logits[i * l->width + c];                                  \
			add_row(l, l->row, label ? label[i] : 0, target ? (double)target[i] : 0, sum);         \
			for (int c = 0; dlogits && c < l->width; c++)                                          \
				dlogits[i * l->width + c] = (T)(l->row[c] / (double)n);                        \
		}                                                                                              \
	}

LOSS_OF(loss_f32, float)
LOSS_OF(loss_f64, double)
