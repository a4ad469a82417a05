/* train/batch.h - examples as the network sees them: order, normalisation, augmentation, image scale.
 *
 * Order: epoch k (counted from 0) visits train[perm_at(0)], train[perm_at(1)], ... with a permutation keyed by
 * (seed, PURPOSE_SHUFFLE, 0) and tweaked by k; step s of the run takes the positions
 * (s % steps_per_epoch) * batch + [0, batch) of epoch s / steps_per_epoch. What is left at the end of an epoch is not
 * visited in it.
 *
 * Values: (raw - mean[c]) / std[c] in float, the bits of dataset_example(); steps of a sequence beyond its length are
 *0; tokens are whole numbers, unchanged.
 *
 * Augmentation (images; training only) is a function of (seed, kind, sample, epoch) alone, thus independent of batch
 * size, order and backend: key (seed, PURPOSE_AUGMENT, kind + AUGMENT_COUNT * how many of that kind came before),
 * counter (0, sample, epoch, 0). Applied in the order of the recipe:
 *	hflip, vflip   mirrored if u0 < p
 *	crop           moved by whole pixels, dy and dx uniform in -pad .. pad (u0, u1). What comes in from outside is 0
 *	               AFTER normalisation, that is the mean value of the channel (not black)
 *	cutout         if u0 < p, a square of `size` pixels a side is set to 0 (again the mean). Its centre is uniform
 *over the picture (u1, u2), so it may stick out (DeVries and Taylor 2017)
 *
 * Image scale: if the network's input is smaller or larger than the pictures, all of them are resampled once, at the
 * start: by area where an axis shrinks, bilinearly (half-pixel centres) where it grows.
 */
#ifndef NAB_TRAIN_BATCH_H
#define NAB_TRAIN_BATCH_H

#include "arch/recipe.h"
#include "base/rng.h"
#include "dataset/dataset.h"

struct batcher;

struct batch { /* room for `cap` examples; all arrays belong to the batch */
	int cap, n;
	float *x;         /* [n][...shape] channels first */
	int32_t *label;   /* [n]; zeros for regression */
	float *target;    /* [n]; zeros for classification */
	int32_t *length;  /* [n]: valid steps (all steps where the data set has no lengths) */
	uint32_t *sample; /* [n] index in the data set */
	size_t bytes;
};

/* -1 with e if memory is short. */
int batch_init(struct batch *b, const struct shape *shape, int cap, struct err *e);
void batch_release(struct batch *b);
size_t batch_bytes(const struct shape *shape, int cap);

/* Shape of an example when the sides of images are scaled (rounded, at least 1). */
struct shape batch_shape(const struct dataset *d, double image_scale);

/* shape: input of the network. train[0..n_train) is borrowed. -1 with e if data and network do not fit, if an
 * augmentation does not apply, or if an epoch would have no full batch. */
int batcher_new(struct batcher **out, const struct dataset *d, const struct recipe *r, const struct shape *shape,
		const uint32_t *train, int64_t n_train, uint64_t seed, struct err *e);
void batcher_free(struct batcher *b);

/* The checks of batcher_new() alone. */
int batcher_check(const struct dataset *d, const struct recipe *r, const struct shape *shape, int64_t n_train,
		  struct err *e);
/* The examples that it reads, [n][...shape]: one of the two is not NULL. */
void batcher_examples(const struct batcher *b, const uint8_t **u8, const float **f32);
/* Keys of the random numbers: of the order, and of each augmentation of the recipe. */
struct philox_key batch_order_key(uint64_t seed);
void batch_augment_keys(struct philox_key out[RECIPE_AUGMENTS], const struct recipe *r, uint64_t seed);

int64_t batcher_bytes(const struct dataset *d, const struct shape *shape); /* what batcher_new takes, about */

int64_t batcher_steps_per_epoch(const struct batcher *b);

/* Indices of the examples of a training step, in order: out[recipe.batch]. */
void batcher_order(const struct batcher *b, int64_t step, uint32_t *out);

/* A training batch: recipe.batch examples (out->cap at least that), augmented. */
void batcher_step(const struct batcher *b, int64_t step, struct batch *out);

/* Examples index[0..n), n <= out->cap, without augmentation. */
void batcher_gather(const struct batcher *b, const uint32_t *index, int n, struct batch *out);

#endif
