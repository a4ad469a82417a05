/* train/optim.h - the optimizers on flat arrays, by PyTorch's update rules (torch.optim.SGD, Adam, AdamW), and gradient
 * clipping by the global norm (torch.nn.utils.clip_grad_norm_).
 *
 * With g the clipped gradient (plus weight_decay * w for sgd and adam where decay applies):
 *	sgd    b = g at the first step, else momentum * b + g;  w -= rate * b   (nesterov: w -= rate * (g + momentum *
 *b)) adam   m = beta1 * m + (1 - beta1) * g;  v = beta2 * v + (1 - beta2) * g^2; w -= rate / (1 - beta1^t) * m /
 *(sqrt(v) / sqrt(1 - beta2^t) + eps) adamw  w -= rate * weight_decay * w first, then adam without decay in g
 *
 * Moments start as zeros, which makes sgd's first step the general rule. One source gives the float version (plain
 * loops that the compiler vectorises) and the double version (the reference).
 */
#ifndef NAB_TRAIN_OPTIM_H
#define NAB_TRAIN_OPTIM_H

#include "arch/recipe.h"
#include "arch/weights.h"

struct arena;

struct optim_range { /* elements [first, first + count) of the flat arrays */
	int64_t first, count;
	bool decay;  /* weight decay applies */
	bool frozen; /* not trained: passed over, and not part of the norm */
};

struct optim_step { /* the scalars of one step */
	enum optimizer_kind kind;
	bool nesterov;
	double rate, scale; /* scale: multiplies the gradient (clipping, mean over devices) */
	double momentum, beta1, beta2, eps, weight_decay;
	double correct1, correct2; /* 1 - beta1^t; sqrt(1 - beta2^t) */
};

/* Moment arrays that the optimizer needs, each as long as the weights: 0 (sgd without momentum), 1 or 2. */
int optim_moments(const struct optimizer *o);

/* Scalars of step `step` (counted from 0) of the run, at learning rate `rate`. */
void optim_step_init(struct optim_step *s, const struct optimizer *o, double rate, int64_t step);

/* Ranges over weights' layout, neighbours of the same treatment joined: weight decay on PARAM_WEIGHT alone, PARAM_STAT
 * and tensors of frozen nodes frozen. Returns their number; *out lives in `a`. */
int optim_ranges(struct optim_range **out, const struct weights *w, const struct graph *g, struct arena *a);

/* Sum of squares over the ranges that are trained, summed in double in a fixed order. */
double optim_square_sum_f32(const float *grad, const struct optim_range *r, int n);
double optim_square_sum_f64(const double *grad, const struct optim_range *r, int n);

/* min(1, clip / (norm + 1e-6)), or 1 if clip is 0: for optim_step.scale. */
double optim_clip_scale(double norm, double clip);

/* m1, m2: moments (NULL where optim_moments() says that there is none). */
void optim_update_f32(const struct optim_step *s, float *w, const float *grad, float *m1, float *m2,
		      const struct optim_range *r, int n);
void optim_update_f64(const struct optim_step *s, double *w, const double *grad, double *m1, double *m2,
		      const struct optim_range *r, int n);

#endif
