/* arch/safetensors.h - named float arrays in one file: the safetensors format (F32 only), by its description in the
 * README of https://github.com/huggingface/safetensors:
 *
 *	8 bytes  n, the length of the header, little-endian
 *	n bytes  JSON, padded with blanks to a multiple of 8:
 *	         {"__metadata__": {text: text}, "name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]},
 *..} the rest the arrays, little-endian, C order; offsets count from here and leave no hole
 *
 * A reader trusts nothing: header of at most 100 MB, every size checked against the file, no holes, no overlaps.
 */
#ifndef NAB_ARCH_SAFETENSORS_H
#define NAB_ARCH_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct arena;
struct json;

enum { SAFETENSOR_DIMS = 8 };

struct safetensor {
	const char *name;
	int rank;
	int64_t d[SAFETENSOR_DIMS];
	float *data; /* the writer reads it, the reader fills it */
};

int64_t safetensor_count(const struct safetensor *t);

/* Writes t[0..n) in this order. meta: object of texts for __metadata__ (may be NULL); "format": "pt" is added. */
int safetensors_save(const char *path, const struct safetensor *t, int n, const struct json *meta, struct err *e);

/* Fills t[0..n), whose names and shapes are expected: a missing, further or ill-shaped one is an error (ERR_INVALID).
 * `name` is used in messages. On failure the data are undefined. */
int safetensors_parse(struct safetensor *t, int n, const char *bytes, size_t len, const char *name, struct err *e);
int safetensors_load(struct safetensor *t, int n, const char *path, struct err *e);

/* What a file of unknown contents holds: its arrays in the order of its header, in the arena; their data stand in
 * `bytes` (at any alignment). PyTorch's counters of batches ("num_batches_tracked", whole numbers) are passed over. */
struct safetensor_found {
	const char *name;
	int rank;
	int64_t d[SAFETENSOR_DIMS], count;
	const char *data; /* [count] floats */
};

int safetensors_list(struct safetensor_found **out, int *n, const char *bytes, size_t len, const char *name,
		     struct arena *a, struct err *e);

#endif
