/* train/backend_cuda_card.h - what all contexts of a process on one card have in common: the opened card, a budget of
 * its memory, and the data sets that lie there.
 *
 * A lease is the memory of one net and its hold on a data set. What it takes is known before, so that leases never
 * exceed the budget: one that fits the card, but not now, waits until others are given back (first come, first served);
 * one that never fits is refused. Data sets stay, for the next net, until their memory is wanted.
 *
 * All functions may be called by any thread; a lane belongs to the thread that calls.
 */
#ifndef NAB_TRAIN_BACKEND_CUDA_CARD_H
#define NAB_TRAIN_BACKEND_CUDA_CARD_H

#include <stdbool.h>

#include "arch/recipe.h"
#include "base/err.h"
#include "dataset/dataset.h"
#include "train/cuda/abi.h"

struct cuda_common;

struct cuda_data { /* a data set on the card: where its parts lie, in bytes from `address`; -1: there is none */
	uint64_t address;
	int64_t data, label, target, length, mean, std;
	bool bytes; /* uint8 examples; else float */
};

struct cuda_lease {
	struct cuda_common *common;
	uint64_t address;
	int64_t bytes;
	const struct cuda_data *data; /* NULL: without */
};

/* Opens the plugin and the card, once in a process: they stay. */
int cuda_common_open(struct cuda_common **out, int device, struct err *e);
const struct cuda_plugin *cuda_common_plugin(const struct cuda_common *c);
struct cuda_card *cuda_common_card(const struct cuda_common *c);
bool cuda_common_lost(struct cuda_common *c);

/* Turns a failure of the plugin into e: NET_OOM if memory was short, else -1. Remembers that the card is lost. */
int cuda_failed(struct cuda_common *c, const struct cuda_error *failure, struct err *e);

struct cuda_patience {
	bool (*stopped)(void *arg); /* asked now and then: whether to wait no longer; NULL: no end */
	void *arg;
};

/* `bytes` of the card, and the data set (may be NULL) at the scale of `shape`. patience: waits until memory is free,
 * which must not depend on the caller; NULL: it does not wait. NET_OOM with e: numbers; NET_STOPPED. */
int cuda_lease_take(struct cuda_lease *out, struct cuda_common *c, struct cuda_lane *lane, int64_t bytes,
		    const struct cuda_patience *patience, const struct dataset *data, const struct recipe *r,
		    const struct shape *shape, struct err *e);
void cuda_lease_give(struct cuda_lease *l);

/* Bytes that leases and data sets may take together, and that are taken. */
void cuda_common_budget(struct cuda_common *c, int64_t *all, int64_t *taken);

#endif
