/* engine/evaluation.h - results on their way: from training, through a message, into the store. */
#ifndef NAB_ENGINE_EVALUATION_H
#define NAB_ENGINE_EVALUATION_H

#include "store/store.h"
#include "train/train.h"

struct arena;
struct json;

struct json *
evaluation_per_class(const struct evaluation *v); /* [{"precision":, "recall":, "f1":, "n":}]; caller frees */
struct json *evaluation_slices(const struct evaluation *v, const struct dataset *d); /* {name: accuracy} or NULL */

/* Numbers of an evaluation as an object; the arrays travel as a blob of evaluation_blob_size() bytes. */
struct json *evaluation_write(const struct evaluation *v, const struct dataset *d);
size_t evaluation_blob_size(const struct evaluation *v);
void evaluation_blob(const struct evaluation *v, char *out);
/* -1 if body and blob do not belong together. Arrays and texts live in the arena. */
int evaluation_read(struct store_evaluation *out, const struct json *body, const char *blob, size_t blob_len,
		    struct arena *a);

struct json *epoch_write(const struct epoch_record *r);
void epoch_read(struct epoch_record *r, const struct json *body);
struct store_epoch epoch_row(const struct epoch_record *r);

/* What the examples of a split are, for the store; false for data without labels. Lives in the arena. */
bool evaluation_truth(struct store_truth *out, const struct dataset *d, enum split split, struct arena *a);

/* What a study ranks by, larger is better; NAN if it is unknown. objective: as in a study. */
double evaluation_score(const struct store_evaluation *v, const char *objective);

#endif
