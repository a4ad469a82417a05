/* arch/recipe.h - how a model is trained, as data. Every key may be given as a choice ({"any": [...]}) or a range
 * ({"range": [low, high, "log"]}) in a study; space/ resolves those before recipe_read(). All values are explicit in
 * what recipe_write() prints.
 */
#ifndef NAB_ARCH_RECIPE_H
#define NAB_ARCH_RECIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/opt.h"

struct arena;
struct json;
struct json_in;

enum optimizer_kind { OPTIMIZER_SGD, OPTIMIZER_ADAM, OPTIMIZER_ADAMW, OPTIMIZER_COUNT };
enum schedule_kind { SCHEDULE_CONSTANT, SCHEDULE_STEP, SCHEDULE_COSINE, SCHEDULE_ONECYCLE, SCHEDULE_COUNT };
enum loss_kind { LOSS_CROSS_ENTROPY, LOSS_MSE, LOSS_COUNT };
enum augment_kind { AUGMENT_HFLIP, AUGMENT_VFLIP, AUGMENT_CROP, AUGMENT_CUTOUT, AUGMENT_COUNT };
enum precision { PRECISION_FP32, PRECISION_BF16, PRECISION_TF32, PRECISION_COUNT };
enum { RECIPE_AUGMENTS = 8 };

struct optimizer { /* {"sgd": {"lr":, "momentum":, "nesterov":, "weight_decay":}} */
	enum optimizer_kind kind;
	double lr;
	double momentum;          /* sgd */
	bool nesterov;            /* sgd */
	double beta1, beta2, eps; /* adam, adamw (PyTorch's update rules) */
	double weight_decay;      /* sgd, adam: L2 added to the gradient; adamw: decoupled. Never on norms and biases */
};

struct schedule { /* multiplies the learning rate at every step */
	enum schedule_kind kind;
	double warmup; /* epochs of linear warm-up from 0 (all but onecycle) */
	double gamma;  /* step: factor */
	double every;  /* step: epochs between factors */
	double final;  /* cosine, onecycle: share of the peak rate at the end */
	double rise;   /* onecycle: share of the horizon that rises */
	double start;  /* onecycle: share of the peak rate at the start */
};

struct augment {
	enum augment_kind kind;
	int pad;  /* crop: zero padding on each side before a random crop of the old size */
	int size; /* cutout: side of the square set to the mean */
	double p; /* flips, cutout: probability */
};

struct early_stop {
	int patience;     /* epochs without improvement; 0: off */
	double min_delta; /* of the validation loss */
	bool restore;     /* go back to the best epoch's weights; the score is then that epoch's */
};

struct fidelity {     /* how much of the real thing a candidate gets */
	double data;  /* share of the training examples, stratified by class */
	double image; /* scale of the image's sides */
	double width; /* scale of all channel counts */
};

struct recipe {
	int epochs;  /* where a run stops */
	int horizon; /* epochs that the schedule spans; 0: epochs */
	int batch;   /* examples per step; an incomplete last batch of an epoch is dropped */
	struct optimizer optimizer;
	struct schedule schedule;
	enum loss_kind loss;
	double label_smoothing;
	double clip; /* largest global norm of the gradient; 0: off */
	struct augment augment[RECIPE_AUGMENTS];
	int n_augment;
	struct early_stop early_stop;
	struct fidelity fidelity;
	enum precision precision;
};

extern const char *const recipe_precisions[]; /* [PRECISION_COUNT], then NULL */

void recipe_defaults(struct recipe *r);
/* `object` may be NULL: defaults. Mistakes go to `in`; -1 if there were any. */
int recipe_read(struct recipe *r, const struct json *object, struct arena *a, const struct json_in *in);
struct json *recipe_write(const struct recipe *r); /* canonical and complete; caller frees */
struct json *recipe_schema(void);
void recipe_help(struct str *out);

/* Learning rate of a step. step counts from 0; steps_per_epoch > 0. */
double recipe_rate(const struct recipe *r, int64_t step, int64_t steps_per_epoch);

#endif
