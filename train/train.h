/* train/train.h - one run: trains a graph by a recipe on a data set with one seed, epoch by epoch, and says what it
 * saw.
 *
 * The caller gets every epoch through a callback (it stores it, and may ask to stop), and the result at the end. Where
 * the backend evaluates beside training, the first steps of the next epoch have then been done, too: if the run ends
 * here they are undone, so that nothing but the time tells the difference. A run
 * that diverges, runs out of memory or out of time ends with that status: data, not an error. Recipe, network and data
 * that cannot belong together are an error.
 *
 * A run resumed from its checkpoint gives the bits of an uninterrupted one. Epochs after the checkpoint was written are
 * then reported again, with the same numbers. A run may also be continued to more epochs: with the same recipe but for
 * `epochs`, and a horizon that is given or the same.
 *
 * fidelity: data chooses a part of the training examples by the run's seed; image must be the scale of the network's
 * input; width is not looked at: the network that is handed over has it already (graph_scale). Early stopping looks at
 * the validation loss; with early_stop.restore the run ends with the weights of best_epoch, whether it stopped early or
 * not.
 */
#ifndef NAB_TRAIN_TRAIN_H
#define NAB_TRAIN_TRAIN_H

#include "train/backend.h"

enum run_status {
	RUN_DONE,
	RUN_DIVERGED,
	RUN_OOM,
	RUN_TIMEOUT,
	RUN_INFEASIBLE, /* the backend cannot run it */
	RUN_STOPPED,    /* on request: what was reached is in the checkpoint */
	RUN_STATUS_COUNT
};
extern const char *const run_status_names[];

struct epoch_record {
	int epoch; /* counted from 1 */
	int64_t steps, examples;
	double rate; /* learning rate of the last step */
	double train_loss, train_accuracy;
	double val_loss, val_accuracy; /* accuracy: the metric of the task */
	double grad_norm;
	double seconds; /* of this epoch: training, and what evaluation took beyond training that it ran beside */
};

/* Regression: accuracy is the coefficient of determination, 1 - loss / variance; the figures of classes are NAN and
 * the arrays NULL. Without examples every figure is NAN. Means over classes: train/metrics.h. */
struct evaluation {
	enum split split;
	int64_t n;
	int classes;
	double loss, accuracy, balanced_accuracy, top5;
	double f1_macro, precision_macro, recall_macro;
	int64_t *confusion;  /* [classes][classes], rows true, columns predicted */
	uint16_t *predicted; /* [n] predicted class, in the order of the split */
};

struct finding {          /* something worth saying, with a suggestion */
	const char *code; /* "overfit", "dead-units", "vanishing", "exploding", "not-learning", "still-improving" */
	int node;         /* layer concerned, or -1 */
	char text[240];   /* "validation loss has risen since epoch 6: stop there or add dropout" */
};

enum { RUN_FINDINGS = 16 };

struct run_result {
	enum run_status status;
	char reason[240]; /* unless done */
	int epochs;       /* completed */
	int best_epoch;   /* by validation accuracy, then loss; 0: none; optimistic, recorded as such */
	double best_accuracy;
	bool restored; /* early_stop.restore: the weights and val are those of best_epoch */
	struct evaluation
	    val; /* of the final weights (diverged: of the last epoch before); arrays owned by the result */
	struct finding findings[RUN_FINDINGS];
	int n_findings;
	double seconds; /* of the whole run, earlier attempts included */
	int64_t bytes;  /* planned memory */
};

struct run_spec {
	const struct graph *graph;
	const struct recipe *recipe;
	const struct dataset *data;
	uint64_t seed;
	const struct weights *start; /* initial weights, or NULL: weights_init(seed) */
	const char *checkpoint;      /* path: written after epochs, resumed from when it is there; NULL: none */
	int checkpoint_every;        /* epochs; 0: every epoch */
	double checkpoint_seconds;   /* less time after the last one none is written, but at the end and at a stop */
	int from_epoch;              /* continue: the checkpoint must be there and hold at least so many epochs */
	double max_seconds;          /* wall clock; 0: no limit */
	int (*on_epoch)(void *arg, const struct epoch_record *rec); /* nonzero: stop after this epoch; may be NULL */
	void (*on_step)(void *arg, int epoch, int64_t step, int64_t steps, double loss); /* progress; may be NULL */
	bool (*stopped)(void *arg); /* asked while it waits for memory: true ends it as stopped; may be NULL */
	void *arg;
};

/* Runs it. `final` (may be NULL) gets the final weights, unless the run diverged or ran out of memory. -1 with e: what
 * was asked for is wrong (ERR_INVALID: also a checkpoint that is corrupt or of another run), or the machine failed. */
int train_run(const struct backend *b, struct backend_ctx *ctx, const struct run_spec *spec, struct run_result *out,
	      struct weights *final, struct err *e);
void run_result_release(struct run_result *r);

/* Evaluates weights on a split. Caller releases. */
int train_evaluate(const struct backend *b, struct backend_ctx *ctx, const struct graph *g, const struct weights *w,
		   const struct dataset *d, enum split split, struct evaluation *out, struct err *e);
void evaluation_release(struct evaluation *v);

/* Accuracy over the examples of a slice of d (may be NULL for a slice by class). n: their number. */
double evaluation_slice(const struct evaluation *v, const struct dataset *d, const struct slice *s, int64_t *n);

#endif
