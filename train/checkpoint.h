/* train/checkpoint.h - what a run needs to go on as if it had never stopped: the records of its epochs, the backend's
 * state, and the state of the best epoch when early stopping wants it back.
 *
 * File (little-endian): "NABCKPT1", version, number of epochs, identity of the run, sizes, seconds; the records; the
 * states; a 128-bit hash of all that. A reader refuses everything else, and never trusts a length.
 */
#ifndef NAB_TRAIN_CHECKPOINT_H
#define NAB_TRAIN_CHECKPOINT_H

#include "base/hash.h"
#include "train/train.h"

struct checkpoint {
	struct hash128 run; /* identity: network, recipe, data, seed, backend */
	double seconds;     /* so far, earlier attempts included */
	struct epoch_record *epochs;
	int n_epochs;
	const void *state, *best; /* best: NULL if there is none */
	size_t state_bytes, best_bytes;
	char *own; /* what a loaded checkpoint points into */
};

/* Atomic: a reader sees the old file or the new one. */
int checkpoint_save(const struct checkpoint *c, const char *path, struct err *e);
/* ERR_INVALID if it is corrupt or of another version; c is then empty. */
int checkpoint_load(struct checkpoint *c, const char *path, struct err *e);
/* The same from bytes, which are borrowed. name: for messages. */
int checkpoint_parse(struct checkpoint *c, const void *bytes, size_t n, const char *name, struct err *e);
void checkpoint_release(struct checkpoint *c); /* of a loaded or parsed one */

#endif
