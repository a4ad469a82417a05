/* dataset/dataset.h - a data set in memory: examples, labels, splits, slices, statistics.
 *
 * A specification is the "dataset" object of a study: {"format": "idx", "dir": ..., "validation": 0.1, ...}; formats
 * are rows of dataset/formats.def, and docs/data.md is their manual. Features are kept as they come: uint8 for
 * pictures, float for the rest; what training sees is (value - mean) / std per channel, with statistics of the training
 * split.
 */
#ifndef NAB_DATASET_DATASET_H
#define NAB_DATASET_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/graph.h"
#include "arch/shape.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/opt.h"

struct json;
struct json_in;
struct arena;

enum split { SPLIT_TRAIN, SPLIT_VALIDATION, SPLIT_TEST, SPLIT_COUNT };
extern const char *const split_names[]; /* "train", "validation", "test" */

struct dataset_spec {
	const char *format;      /* "idx", "cifar", "png", "npy", "csv", "glyphs" */
	const char *dir;         /* folder (or file, for csv), relative to the study; NULL for glyphs */
	double validation;       /* share of the training examples, stratified by class; 0: none, the split is empty */
	double test;             /* share of all examples, only where the data come without a test split */
	const char *seed;        /* of the split: belongs to the data set */
	struct opt_strs classes; /* only these, by name, in this order; empty: all */
	int64_t limit;           /* at most so many training examples, those for validation included; 0: all */
	int64_t limit_test;      /* both limits are stratified by class */
	const struct json *slices;  /* {"cats-and-birds": ["cat", "bird"], "night": {"column": ...}} or NULL */
	const char *metadata;       /* table for slices by column, or NULL: metadata.csv in dir; csv: its own columns */
	const struct json *options; /* of the format: its own table, e.g. csv's columns; or NULL */
};

extern const struct opt dataset_opts[]; /* over struct dataset_spec */

struct slice {
	const char *name;
	int n_classes;
	const int *classes;    /* indices */
	const uint8_t *member; /* [n] of the data set: who belongs to it, by a column of metadata; NULL: by class */
};

struct dataset {
	const char *name;   /* of the format and folder, for messages */
	struct shape shape; /* of one example */
	enum task task;
	int classes;
	const char *const *class_names;     /* [classes] */
	int64_t n;                          /* examples of all splits together */
	const uint8_t *u8;                  /* [n][...shape] (images: channels first), or NULL */
	const float *f32;                   /* [n][...shape], or NULL; exactly one of the two is set */
	const int32_t *label;               /* [n], 0 .. classes - 1 */
	const float *target;                /* [n], for regression; else NULL */
	const int32_t *length;              /* [n] valid steps of open sequences, or NULL */
	const uint32_t *split[SPLIT_COUNT]; /* indices into the examples, ascending by original position */
	int64_t n_split[SPLIT_COUNT];
	const struct slice *slices;
	int n_slices;
	int channels;            /* entries of mean and std: image channels, vector features, sequence channels */
	const float *mean, *std; /* [channels] in raw units, of the training split; std is never 0 */
	struct hash128 digest;   /* of the raw examples, labels and class names, before splitting */
	struct hash128 identity; /* of the digest and the splits: equal if and only if training sees the same */
};

/* Formats, for help and completion: NULL-terminated names, one line about each, and the table of its own options. */
extern const char *const dataset_formats[];
const char *dataset_format_help(const char *format);
const struct opt *dataset_format_opts(const char *format); /* NULL if there is no such format */

/* Loads everything into memory. Mistakes in the specification or the files: ERR_INVALID with file and what to do. */
int dataset_open(struct dataset **out, const struct dataset_spec *spec, struct err *e);
void dataset_close(struct dataset *d);

/* Reads a specification, that of the format's own options included; dir is made relative to `base_dir`. Mistakes go to
 * in->diag. The struct borrows `object` (slices, options), which must outlive it. */
int dataset_spec_read(struct dataset_spec *s, const struct json *object, const char *base_dir, struct arena *a,
		      const struct json_in *in);

/* One example as training sees it, without augmentation: out[...shape]. */
void dataset_example(const struct dataset *d, uint32_t index, float *out);

/* Whether the example belongs to a slice. */
bool slice_has(const struct slice *s, const struct dataset *d, uint32_t index);

/* Number of examples of a class in a split. */
int64_t dataset_count(const struct dataset *d, enum split s, int class_index);

/* A stratified part of the training split: `share` of every class (at least one each), a function of the seed and the
 * class alone, and a smaller share is a subset of a larger one. Writes indices (ascending) into out[n_split[TRAIN]],
 * returns their number. */
int64_t dataset_part(const struct dataset *d, double share, uint64_t seed, uint32_t *out);

#endif
