/* train/findings.h - what is worth saying about a finished run, each with a suggestion. The rules, on purpose few and
 * coarse, so that what is said can be relied on:
 *
 *	overfit          the validation loss ends 5 % above its minimum, reached at least 2 epochs before, while the
 *	                 training loss went down
 *	not-learning     the last training loss is not below 99 % of what a constant prediction achieves
 *	                 (metrics_baseline(); ln(classes) for balanced classes)
 *	still-improving  of at least 3 epochs the last has the lowest validation loss, by 2 % over the two before
 *	dead-units       at least 5 % of the units before a relu or relu6 get exactly no gradient from any of the
 *examples looked at (whole batches of the validation split, 1024 examples at most) vanishing        gradient over
 *weight (norms) of a layer is below 1e-4 of that of the last layer; the worst is named exploding        the same, above
 *1e3
 */
#ifndef NAB_TRAIN_FINDINGS_H
#define NAB_TRAIN_FINDINGS_H

#include "train/metrics.h"
#include "train/train.h"

/* From the epochs alone. baseline: of the training examples. */
void findings_history(struct run_result *out, const struct epoch_record *epochs, int n, double baseline);

/* From gradients of the net's present weights, which w holds, over whole batches of index[0..n). Says nothing if the
 * backend offers no gradients or fails. */
void findings_gradients(struct run_result *out, const struct trained *t, const struct weights *w, const uint32_t *index,
			int64_t n);

#endif
