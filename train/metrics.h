/* train/metrics.h - the figures of an evaluation, from logits. */
#ifndef NAB_TRAIN_METRICS_H
#define NAB_TRAIN_METRICS_H

#include "train/train.h"

struct trained { /* a net and what it was made from */
	const struct backend *backend;
	struct net *net;
	const struct graph *graph;
	const struct recipe *recipe;
	const struct dataset *data;
};

/* Evaluates the net's weights on a split into *out (released first; must be zeroed or an earlier one). The loss is
 * that of the recipe's kind, without label smoothing. -1 with e: the backend failed. */
int metrics_evaluate(struct evaluation *out, const struct trained *t, enum split split, struct err *e);

/* The same in two parts. metrics_start() fixes the weights, and what backend.h says of evaluate_start() holds until
 * metrics_finish() with the same split; a backend without it does everything in the second part. */
int metrics_start(const struct trained *t, enum split split, struct err *e);
int metrics_finish(struct evaluation *out, const struct trained *t, enum split split, struct err *e);

/* What a constant prediction achieves on the examples index[0..n): the entropy of the classes for cross-entropy, the
 * variance around the mean target for squared errors. */
double metrics_baseline(const struct dataset *d, enum loss_kind loss, const uint32_t *index, int64_t n);

/* Fills the derived figures (balanced accuracy, macro precision, recall, F1) from v->confusion. Means are over the
 * classes that occur: recall over those among the labels; precision and F1 over those among labels or predictions,
 * where a class that is never predicted has precision 0. */
void metrics_derive(struct evaluation *v);

#endif
