/* dataset/write.h - an open data set as files, as a picture and as a description (`nab data`). */
#ifndef NAB_DATASET_WRITE_H
#define NAB_DATASET_WRITE_H

#include "dataset/dataset.h"

struct json;
struct str;

extern const char *const dataset_writers[]; /* "idx", "npy", "png", NULL */

/* Writes files into `dir` (made if missing) that the format's reader reads back: training and validation examples, in
 * their order, as the training part, and the test split as the test part; class names with them. What a format cannot
 * hold (floats as pictures, regression as IDX) is an ERR_INVALID. In names of folders '/' becomes '-'. */
int dataset_write(const struct dataset *d, const char *format, const char *dir, struct err *e);

/* A contact sheet as PNG: a row per class, its first `per_class` examples of a split, each pixel `zoom` x `zoom`.
 * Images only; floats are scaled from their smallest to their largest value. */
int dataset_sheet(const struct dataset *d, enum split s, int per_class, int zoom, const char *path, struct err *e);

/* {"name", "shape", "type", "task", "examples": {"train": n, ...}, "classes": [{"name", "train", ...}], "slices",
 * "mean", "std", "digest", "identity"}. Caller frees with json_free(). */
struct json *dataset_info(const struct dataset *d);
void dataset_info_text(struct str *out, const struct dataset *d);

/* A class name fit for a terminal and for JSON: control characters and bytes that are no UTF-8 as \xNN. */
void dataset_name_text(struct str *out, const char *name);

#endif
