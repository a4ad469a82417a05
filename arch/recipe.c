/* arch/recipe.c - see recipe.h. The grammar is a set of option tables: one for the recipe itself and one per
 * optimizer, schedule and augmentation. */
#include "arch/recipe.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

static const struct opt sgd_opts[] = {
	OPT_REAL(struct optimizer, lr, 0.1, 1e-9, 100, "learning rate"),
	OPT_REAL(struct optimizer, momentum, 0.9, 0, 0.9999, "share of the last update that goes on"),
	OPT_BOOL(struct optimizer, nesterov, 1, "look ahead by the momentum (Nesterov)"),
	OPT_REAL(struct optimizer, weight_decay, 5e-4, 0, 10, "L2 penalty; never on norms and biases"), OPT_END
};

static const struct opt adam_opts[] = {
	OPT_REAL(struct optimizer, lr, 1e-3, 1e-9, 100, "learning rate"),
	OPT_REAL(struct optimizer, beta1, 0.9, 0, 0.9999, "decay of the mean of the gradients"),
	OPT_REAL(struct optimizer, beta2, 0.999, 0, 0.999999, "decay of the mean of their squares"),
	OPT_REAL(struct optimizer, eps, 1e-8, 1e-16, 1, "added to the root of the mean of squares"),
	OPT_REAL(struct optimizer, weight_decay, 0, 0, 10, "L2 penalty; never on norms and biases"),
	OPT_END
};

static const struct opt adamw_opts[] = {
	OPT_REAL(struct optimizer, lr, 1e-3, 1e-9, 100, "learning rate"),
	OPT_REAL(struct optimizer, beta1, 0.9, 0, 0.9999, "decay of the mean of the gradients"),
	OPT_REAL(struct optimizer, beta2, 0.999, 0, 0.999999, "decay of the mean of their squares"),
	OPT_REAL(struct optimizer, eps, 1e-8, 1e-16, 1, "added to the root of the mean of squares"),
	OPT_REAL(struct optimizer, weight_decay, 0.01, 0, 10, "decoupled decay; never on norms and biases"),
	OPT_END
};

static const struct opt_variant optimizers[OPTIMIZER_COUNT] = {
	[OPTIMIZER_SGD] = { "sgd", sgd_opts, "stochastic gradient descent with momentum" },
	[OPTIMIZER_ADAM] = { "adam", adam_opts, "Kingma and Ba 2015" },
	[OPTIMIZER_ADAMW] = { "adamw", adamw_opts, "Adam with decoupled decay (Loshchilov and Hutter 2019)" },
};

#define WARMUP OPT_REAL(struct schedule, warmup, 0, 0, 10000, "epochs of linear warm-up")

static const struct opt constant_opts[] = { WARMUP, OPT_END };

static const struct opt step_opts[] = {
	OPT_REAL(struct schedule, gamma, 0.1, 1e-6, 1, "factor on the rate"),
	OPT_REAL(struct schedule, every, 30, 1e-3, 100000, "epochs from one factor to the next"), WARMUP, OPT_END
};

static const struct opt cosine_opts[] = {
	OPT_REAL(struct schedule, final, 0, 0, 1, "share of the peak rate at the end"), WARMUP, OPT_END
};

static const struct opt onecycle_opts[] = {
	OPT_REAL(struct schedule, rise, 0.3, 0, 1, "share of the steps that rises"),
	OPT_REAL(struct schedule, start, 0.04, 0, 1, "share of the peak rate at the start"),
	OPT_REAL(struct schedule, final, 0, 0, 1, "share of the peak rate at the end"), OPT_END
};

static const struct opt_variant schedules[SCHEDULE_COUNT] = {
	[SCHEDULE_CONSTANT] = { "constant", constant_opts, "the rate as it is" },
	[SCHEDULE_STEP] = { "step", step_opts, "the rate falls by a factor every few epochs" },
	[SCHEDULE_COSINE] = { "cosine", cosine_opts, "half a cosine down (Loshchilov and Hutter 2017)" },
	[SCHEDULE_ONECYCLE] = { "onecycle", onecycle_opts, "up and down again (Smith and Topin 2018)" },
};

static const struct opt flip_opts[] = { OPT_REAL(struct augment, p, 0.5, 0, 1, "probability"), OPT_END };

static const struct opt crop_opts[] = { OPT_INT(struct augment, pad, 4, 1, 1024,
						"zero padding on each side before a random crop of the old size"),
					OPT_END };

static const struct opt cutout_opts[] = { OPT_INT(struct augment, size, 8, 1, 4096,
						  "side of the square that is set to the mean"),
					  OPT_REAL(struct augment, p, 1, 0, 1, "probability"), OPT_END };

static const struct opt_variant augments[AUGMENT_COUNT] = {
	[AUGMENT_HFLIP] = { "hflip", flip_opts, "mirror left and right" },
	[AUGMENT_VFLIP] = { "vflip", flip_opts, "mirror top and bottom" },
	[AUGMENT_CROP] = { "crop", crop_opts, "pad and crop at a random place" },
	[AUGMENT_CUTOUT] = { "cutout", cutout_opts, "blank a random square (DeVries and Taylor 2017)" },
};

static const struct opt early_stop_opts[] = {
	OPT_INT(struct early_stop, patience, 0, 0, 100000, "epochs without improvement before it stops; 0: never"),
	OPT_REAL(struct early_stop, min_delta, 0, 0, 1e6, "a smaller gain of the validation loss does not count"),
	OPT_BOOL(struct early_stop, restore, 1, "go back to the weights of the best epoch"), OPT_END
};

static const struct opt fidelity_opts[] = {
	OPT_REAL(struct fidelity, data, 1, 1e-6, 1, "share of the training examples, stratified by class"),
	OPT_REAL(struct fidelity, image, 1, 0.05, 4, "scale of the image's sides"),
	OPT_REAL(struct fidelity, width, 1, 0.01, 16, "scale of all channel counts"), OPT_END
};

static const char *const loss_names[] = { "cross-entropy", "mse", NULL };
const char *const recipe_precisions[] = { "fp32", "bf16", "tf32", NULL };
_Static_assert(sizeof loss_names / sizeof *loss_names == LOSS_COUNT + 1, "a name per loss");
_Static_assert(sizeof recipe_precisions / sizeof *recipe_precisions == PRECISION_COUNT + 1, "a name per precision");

/* The recipe as its table sees it: plain ints for enums, and the parts that have a grammar of their own as JSON. */
struct raw {
	int epochs, horizon, batch;
	const struct json *optimizer, *schedule;
	int loss;
	double label_smoothing, clip;
	const struct json *augment;
	struct early_stop early_stop;
	struct fidelity fidelity;
	int precision;
};

static const struct opt recipe_opts[] = {
	OPT_INT(struct raw, epochs, 5, 1, 100000, "passes over the training examples"),
	OPT_INT(struct raw, horizon, 0, 0, 100000, "epochs that the schedule spans; 0: as many as epochs"),
	OPT_INT(struct raw, batch, 128, 1, 65536, "examples per step"),
	OPT_JSON(struct raw, optimizer, "sgd, adam or adamw (adamw)"),
	OPT_JSON(struct raw, schedule, "constant, step, cosine or onecycle (onecycle)"),
	OPT_ENUM(struct raw, loss, LOSS_CROSS_ENTROPY, loss_names, "what is minimised"),
	OPT_REAL(struct raw, label_smoothing, 0, 0, 0.9, "share of the target spread over all classes"),
	OPT_REAL(struct raw, clip, 0, 0, 1e6, "largest global norm of the gradient; 0: off"),
	OPT_JSON(struct raw, augment, "list of hflip, vflip, crop, cutout, applied in this order (none)"),
	OPT_GROUP(struct raw, early_stop, early_stop_opts, "stop when the validation loss no longer falls"),
	OPT_GROUP(struct raw, fidelity, fidelity_opts, "how much of the real thing a candidate gets"),
	OPT_ENUM(struct raw, precision, PRECISION_FP32, recipe_precisions,
		 "arithmetic of the backend; a study that does not say it trains in bf16 on cards"),
	OPT_END
};

static void set_optimizer(struct optimizer *o, enum optimizer_kind kind)
{
	memset(o, 0, sizeof *o);
	opt_defaults(o, optimizers[kind].opts);
	o->kind = kind;
}

static void set_schedule(struct schedule *s, enum schedule_kind kind)
{
	memset(s, 0, sizeof *s);
	opt_defaults(s, schedules[kind].opts);
	s->kind = kind;
}

void recipe_defaults(struct recipe *r)
{
	struct raw raw;

	opt_defaults(&raw, recipe_opts);
	memset(r, 0, sizeof *r);
	r->epochs = raw.epochs;
	r->batch = raw.batch;
	set_optimizer(&r->optimizer, OPTIMIZER_ADAMW);
	set_schedule(&r->schedule, SCHEDULE_ONECYCLE);
	opt_defaults(&r->early_stop, early_stop_opts);
	opt_defaults(&r->fidelity, fidelity_opts);
}

/* ---- reading -------------------------------------------------------------------------------------------- */

static void read_optimizer(struct optimizer *o, const struct json *v, struct arena *a, const struct json_in *in)
{
	int kind;

	memset(o, 0, sizeof *o);
	kind = opt_variant_read(o, optimizers, OPTIMIZER_COUNT, v, a, in);
	if (kind < 0)
		return;
	o->kind = (enum optimizer_kind)kind;
	if (o->kind == OPTIMIZER_SGD && o->nesterov && o->momentum == 0) {
		const struct json *options = json_get(v, "sgd");

		/* Whoever turns momentum off without a word about Nesterov wants plain SGD. */
		if (json_get(options, "nesterov"))
			json_bad(in, v, "\"nesterov\" needs a momentum above 0");
		o->nesterov = false;
	}
}

static void read_schedule(struct schedule *s, const struct json *v, struct arena *a, const struct json_in *in)
{
	int kind;

	memset(s, 0, sizeof *s);
	kind = opt_variant_read(s, schedules, SCHEDULE_COUNT, v, a, in);
	if (kind >= 0)
		s->kind = (enum schedule_kind)kind;
}

static void read_augments(struct recipe *r, const struct json *v, struct arena *a, const struct json_in *in)
{
	if (json_type(v) != JSON_ARRAY) {
		json_bad(in, v, "must be a list such as [\"hflip\", {\"crop\": {\"pad\": 2}}], not %s",
			 json_type_name(json_type(v)));
		return;
	}
	if (json_count(v) > RECIPE_AUGMENTS) {
		json_bad(in, v, "must hold at most %d augmentations, has %d", RECIPE_AUGMENTS, json_count(v));
		return;
	}
	JSON_EACH(one, v) {
		struct augment *g = &r->augment[r->n_augment];
		int kind = opt_variant_read(g, augments, AUGMENT_COUNT, one, a, in);

		if (kind >= 0)
			g->kind = (enum augment_kind)kind;
		r->n_augment++;
	}
}

static void check_whole(const struct recipe *r, const struct json *object, const struct json_in *in)
{
	int horizon = r->horizon ? r->horizon : r->epochs;

	if (r->horizon && r->horizon < r->epochs)
		json_bad(in, json_get(object, "horizon"),
			 "must be 0 or at least \"epochs\" (%d): the schedule would end before the run does",
			 r->epochs);
	if (r->schedule.warmup > 0 && r->schedule.warmup >= horizon)
		json_bad(in, json_get(object, "schedule"), "a warm-up of %g epochs does not fit into %d epochs",
			 r->schedule.warmup, horizon);
	if (r->loss == LOSS_MSE && r->label_smoothing > 0)
		json_bad(in, json_get(object, "label_smoothing"), "goes with the loss \"cross-entropy\" only");
}

int recipe_read(struct recipe *r, const struct json *object, struct arena *a, const struct json_in *in)
{
	int before = in->diag->errors;
	struct raw raw;

	recipe_defaults(r);
	if (!object)
		return 0;
	if (json_type(object) != JSON_OBJECT)
		return json_bad(in, object, "must be an object, not %s", json_type_name(json_type(object)));
	memset(&raw, 0, sizeof raw);
	opt_read(&raw, recipe_opts, object, NULL, a, in);
	r->epochs = raw.epochs;
	r->horizon = raw.horizon;
	r->batch = raw.batch;
	r->loss = (enum loss_kind)raw.loss;
	r->label_smoothing = raw.label_smoothing;
	r->clip = raw.clip;
	r->early_stop.patience = raw.early_stop.patience;
	r->early_stop.min_delta = raw.early_stop.min_delta;
	r->early_stop.restore = raw.early_stop.restore;
	r->fidelity = raw.fidelity;
	r->precision = (enum precision)raw.precision;
	if (raw.optimizer)
		read_optimizer(&r->optimizer, raw.optimizer, a, in);
	if (raw.schedule)
		read_schedule(&r->schedule, raw.schedule, a, in);
	if (raw.augment)
		read_augments(r, raw.augment, a, in);
	if (in->diag->errors == before)
		check_whole(r, object, in);
	return in->diag->errors > before ? -1 : 0;
}

/* ---- writing -------------------------------------------------------------------------------------------- */

struct json *recipe_write(const struct recipe *r)
{
	struct json *optimizer = opt_variant_write(&r->optimizer, &optimizers[r->optimizer.kind]);
	struct json *schedule = opt_variant_write(&r->schedule, &schedules[r->schedule.kind]);
	struct json *list = json_array(), *out;
	struct raw raw = {
		.epochs = r->epochs,
		.horizon = r->horizon,
		.batch = r->batch,
		.optimizer = optimizer,
		.schedule = schedule,
		.loss = (int)r->loss,
		.label_smoothing = r->label_smoothing,
		.clip = r->clip,
		.augment = list,
		.early_stop = r->early_stop,
		.fidelity = r->fidelity,
		.precision = (int)r->precision,
	};

	for (int i = 0; i < r->n_augment; i++)
		json_push(list, opt_variant_write(&r->augment[i], &augments[r->augment[i].kind]));
	out = opt_write(&raw, recipe_opts);
	json_free(optimizer);
	json_free(schedule);
	json_free(list);
	return out;
}

static void describe(struct json *props, const char *key, struct json *schema)
{
	const char *help = opt_find(recipe_opts, key)->help;

	json_put(schema, "description", json_str(help));
	json_put(props, key, schema);
}

struct json *recipe_schema(void)
{
	struct json *s = opt_schema(recipe_opts, NULL), *props = json_mutable(s, "properties");
	struct json *list = json_object();

	describe(props, "optimizer", opt_variant_schema(optimizers, OPTIMIZER_COUNT));
	describe(props, "schedule", opt_variant_schema(schedules, SCHEDULE_COUNT));
	json_put(list, "type", json_str("array"));
	json_put(list, "items", opt_variant_schema(augments, AUGMENT_COUNT));
	json_put(list, "maxItems", json_num(RECIPE_AUGMENTS));
	describe(props, "augment", list);
	return s;
}

void recipe_help(struct str *out)
{
	opt_help(out, recipe_opts, "");
	opt_variant_help(out, optimizers, OPTIMIZER_COUNT, "optimizer.");
	opt_variant_help(out, schedules, SCHEDULE_COUNT, "schedule.");
	opt_variant_help(out, augments, AUGMENT_COUNT, "augment.");
}

/* ---- learning rate -------------------------------------------------------------------------------------- */

/* From a at share 0 to b at share 1 along half a cosine. */
static double anneal(double a, double b, double share)
{
	share = share < 0 ? 0 : share > 1 ? 1 : share;
	return b + (a - b) / 2 * (1 + cos(3.14159265358979323846 * share));
}

/* PyTorch's OneCycleLR with cosine annealing on both sides. With N steps and the peak at step p = rise N - 1:
 * start -> 1 over steps 0 .. p, then 1 -> final over steps p .. N - 1. */
static double onecycle(const struct schedule *s, double step, double n)
{
	double peak = s->rise * n - 1;

	if (step <= peak && peak > 0)
		return anneal(s->start, 1, step / peak);
	return n - 1 > peak ? anneal(1, s->final, (step - peak) / (n - 1 - peak)) : 1;
}

/* With k the step, E the steps of an epoch, N = horizon E the steps of the schedule and W = warmup E:
 *
 *	constant  1
 *	step      gamma ^ floor(k / (every E))
 *	cosine    final + (1 - final) (1 + cos(pi (k - W) / (N - W))) / 2     (PyTorch's CosineAnnealingLR if W = 0)
 *	onecycle  see onecycle()
 *
 * all but onecycle times min(1, (k + 1) / W), so that the first step of a warm-up is not lost. After N steps the rate
 * stays what it was at the end. */
double recipe_rate(const struct recipe *r, int64_t step, int64_t steps_per_epoch)
{
	const struct schedule *s = &r->schedule;
	double per = (double)steps_per_epoch, k = (double)step;
	double n = (r->horizon ? r->horizon : r->epochs) * per, w = s->warmup * per;
	double warm = w > 0 && k + 1 < w ? (k + 1) / w : 1;

	assert(steps_per_epoch > 0 && step >= 0);
	switch (s->kind) {
	case SCHEDULE_CONSTANT:
		return r->optimizer.lr * warm;
	case SCHEDULE_STEP:
		return r->optimizer.lr * warm * pow(s->gamma, floor(k / (s->every * per)));
	case SCHEDULE_COSINE:
		return r->optimizer.lr * warm * anneal(1, s->final, k < w ? 0 : (k - w) / (n - w));
	case SCHEDULE_ONECYCLE:
		return r->optimizer.lr * onecycle(s, k, n);
	case SCHEDULE_COUNT:
		break;
	}
	return 0;
}
