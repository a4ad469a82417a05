/* train/metrics.c - see metrics.h. */
#include "train/metrics.h"

#include <math.h>

#include "base/mem.h"
#include "train/loss.h"

#define NO_VALUE ((double)NAN)

enum { CHUNK = 1024 }; /* examples whose logits are held at a time */

void evaluation_release(struct evaluation *v)
{
	mem_free(v->confusion);
	mem_free(v->predicted);
	*v = (struct evaluation){ 0 };
}

/* Rank of the label among the logits; of equal ones the lower index comes first. */
static int rank_of(const float *z, int n, int label)
{
	int before = 0;

	for (int c = 0; c < n; c++)
		before += z[c] > z[label] || (z[c] == z[label] && c < label);
	return before;
}

struct job { /* one evaluation under way */
	const struct trained *t;
	struct loss loss;
	struct evaluation *out;
	struct loss_sum sum;
	int64_t in_top5;
	float *z;       /* [CHUNK][width] */
	int32_t *label; /* [CHUNK] */
	float *target;  /* [CHUNK] */
};

static void count_classes(struct job *j, int64_t at, int64_t n)
{
	struct evaluation *v = j->out;
	const float *z = j->z;

	for (int64_t i = 0; i < n; i++, z += v->classes) {
		int guess = loss_argmax(z, v->classes);

		v->predicted[at + i] = (uint16_t)guess;
		v->confusion[(int64_t)j->label[i] * v->classes + guess]++;
		j->in_top5 += rank_of(z, v->classes, j->label[i]) < 5;
	}
}

static double ratio(int64_t part, int64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

void metrics_derive(struct evaluation *v)
{
	double recall = 0, precision = 0, f1 = 0;
	int occur = 0, seen = 0;

	for (int c = 0; c < v->classes; c++) {
		int64_t row = 0, column = 0, hit = v->confusion[(int64_t)c * v->classes + c];

		for (int k = 0; k < v->classes; k++) {
			row += v->confusion[(int64_t)c * v->classes + k];
			column += v->confusion[(int64_t)k * v->classes + c];
		}
		occur += row > 0;
		seen += row + column > 0;
		recall += ratio(hit, row);
		precision += ratio(hit, column);
		f1 += ratio(2 * hit, row + column);
	}
	v->balanced_accuracy = occur ? recall / occur : NO_VALUE;
	v->recall_macro = v->balanced_accuracy;
	v->precision_macro = seen ? precision / seen : NO_VALUE;
	v->f1_macro = seen ? f1 / seen : NO_VALUE;
}

static double variance(const float *target, const uint32_t *index, int64_t n)
{
	double mean = 0, sum = 0;

	for (int64_t i = 0; i < n; i++)
		mean += (double)target[index[i]] / (double)n;
	for (int64_t i = 0; i < n; i++) {
		double d = (double)target[index[i]] - mean;

		sum += d * d;
	}
	return n ? sum / (double)n : 0;
}

double metrics_baseline(const struct dataset *d, enum loss_kind loss, const uint32_t *index, int64_t n)
{
	int64_t *count;
	double sum = 0;

	if (d->task == TASK_REGRESS)
		return variance(d->target, index, n);
	count = mem_new((size_t)d->classes * sizeof *count);
	for (int64_t i = 0; i < n; i++)
		count[d->label[index[i]]]++;
	for (int c = 0; c < d->classes; c++) {
		double p = ratio(count[c], n);

		if (loss == LOSS_MSE)
			sum += p * (1 - p) / d->classes;
		else if (p > 0)
			sum -= p * log(p);
	}
	mem_free(count);
	return sum;
}

static int logits(struct job *j, const uint32_t *index, int64_t at, int64_t n, struct err *e)
{
	const struct backend *b = j->t->backend;

	return b->evaluate_start ? b->evaluate_read(j->t->net, at, n, j->z, e)
				 : b->evaluate(j->t->net, index, n, j->z, e);
}

/* n examples from `at`: logits, loss, counts. */
static int add_chunk(struct job *j, int64_t at, int64_t n, struct err *e)
{
	const struct dataset *d = j->t->data;
	const uint32_t *index = d->split[j->out->split] + at;

	if (logits(j, index, at, n, e) < 0)
		return -1;
	for (int64_t i = 0; i < n; i++) {
		j->label[i] = d->label ? d->label[index[i]] : 0;
		j->target[i] = d->target ? d->target[index[i]] : 0;
	}
	loss_f32(&j->loss, j->z, n, j->label, j->target, NULL, &j->sum);
	if (j->out->confusion)
		count_classes(j, at, n);
	return 0;
}

static void start(struct evaluation *v, const struct trained *t, enum split split)
{
	size_t c = (size_t)t->graph->outputs[0].classes;

	evaluation_release(v);
	v->split = split;
	v->n = t->data->n_split[split];
	if (t->data->task == TASK_REGRESS)
		return;
	v->classes = (int)c;
	v->confusion = mem_new(c * c * sizeof *v->confusion);
	v->predicted = mem_new((size_t)v->n * sizeof *v->predicted);
}

static void finish(struct job *j)
{
	struct evaluation *v = j->out;
	double n = (double)v->n;

	v->balanced_accuracy = v->top5 = v->f1_macro = v->precision_macro = v->recall_macro = NO_VALUE;
	v->loss = v->n ? j->sum.loss / n : NO_VALUE;
	if (!v->confusion) {
		v->accuracy =
		    v->n ? 1 - v->loss / variance(j->t->data->target, j->t->data->split[v->split], v->n) : NO_VALUE;
		return;
	}
	v->accuracy = v->n ? (double)j->sum.correct / n : NO_VALUE;
	v->top5 = v->n ? (double)j->in_top5 / n : NO_VALUE;
	metrics_derive(v);
}

int metrics_start(const struct trained *t, enum split split, struct err *e)
{
	int64_t n = t->data->n_split[split];

	return t->backend->evaluate_start && n > 0 ? t->backend->evaluate_start(t->net, t->data->split[split], n, e)
						   : 0;
}

int metrics_finish(struct evaluation *out, const struct trained *t, enum split split, struct err *e)
{
	struct arena *a = arena_new();
	struct job j = { .t = t, .out = out };
	int rc = -1;

	loss_init(&j.loss, t->graph, t->recipe, a);
	j.loss.smoothing = 0;
	j.z = ARENA_ARRAY(a, float, (int64_t)CHUNK *j.loss.width);
	j.label = ARENA_ARRAY(a, int32_t, CHUNK);
	j.target = ARENA_ARRAY(a, float, CHUNK);
	start(out, t, split);
	for (int64_t at = 0; at < out->n; at += CHUNK)
		TRY(add_chunk(&j, at, out->n - at < CHUNK ? out->n - at : CHUNK, e));
	finish(&j);
	rc = 0;
out:
	arena_free(a);
	return rc;
}

int metrics_evaluate(struct evaluation *out, const struct trained *t, enum split split, struct err *e)
{
	return metrics_start(t, split, e) < 0 ? -1 : metrics_finish(out, t, split, e);
}

double evaluation_slice(const struct evaluation *v, const struct dataset *d, const struct slice *s, int64_t *n)
{
	int64_t hits = 0, all = 0;

	for (int64_t i = 0; s->member && v->predicted && i < v->n; i++) {
		uint32_t index = d->split[v->split][i];

		all += s->member[index];
		hits += s->member[index] && v->predicted[i] == d->label[index];
	}

	for (int i = 0; i < s->n_classes; i++) {
		int c = s->classes[i];

		hits += v->confusion[(int64_t)c * v->classes + c];
		for (int k = 0; k < v->classes; k++)
			all += v->confusion[(int64_t)c * v->classes + k];
	}
	if (n)
		*n = all;
	return all ? (double)hits / (double)all : NO_VALUE;
}
