/* train/loss.h - the losses: from plain logits [n][width] to the loss, the number of right answers and the gradient.
 *
 * Cross-entropy, with the target t = (1 - smoothing) * one-hot + smoothing / classes (PyTorch's CrossEntropyLoss):
 *
 *	L = -sum_c t_c * log softmax(z)_c                       dL/dz_c = softmax(z)_c - t_c
 *
 * Mean squared error, mean over the outputs (PyTorch's MSELoss), t the same one-hot vector, or the number to predict:
 *
 *	L = (1 / width) * sum_c (z_c - t_c)^2                   dL/dz_c = 2 * (z_c - t_c) / width
 *
 * Sums run over examples; the gradient is that of the mean over the n examples. All arithmetic is in double, whatever
 * the storage. The arg max of equal logits is the lowest index. Logits that are not finite give a loss that is not.
 */
#ifndef NAB_TRAIN_LOSS_H
#define NAB_TRAIN_LOSS_H

#include "arch/graph.h"
#include "arch/recipe.h"
#include "dataset/dataset.h"

struct arena;

struct loss {
	enum loss_kind kind;
	enum task task;
	int width;        /* logits per example */
	double smoothing; /* of training; evaluations set it to 0, so that losses compare across recipes */
	double *row;      /* [width] scratch: a struct loss serves one thread */
};

struct loss_sum {
	double loss;     /* sum over examples */
	int64_t correct; /* arg max = label; 0 for regression */
};

/* What a graph (its first output) and a recipe can be trained with; -1 with e: multi-label targets, cross-entropy
 * on numbers, several numbers per example. */
int loss_supports(const struct graph *g, const struct recipe *r, struct err *e);

/* smoothing: of the recipe; the scratch row lives in `a`. Call after loss_supports(). */
void loss_init(struct loss *l, const struct graph *g, const struct recipe *r, struct arena *a);

/* Adds to *sum. label[n] for classification, else target[n]; the other may be NULL. dlogits may be NULL (evaluation)
 * or be the same array as logits. */
void loss_f32(const struct loss *l, const float *logits, int64_t n, const int32_t *label, const float *target,
	      float *dlogits, struct loss_sum *sum);
void loss_f64(const struct loss *l, const double *logits, int64_t n, const int32_t *label, const float *target,
	      double *dlogits, struct loss_sum *sum);

/* Index of the largest of z[0..n), the lowest of equals. */
int loss_argmax(const float *z, int n);

#endif
