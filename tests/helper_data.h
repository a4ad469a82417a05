/* tests/helper_data.h - small data sets made up on the spot, and the networks that fit them. */
#ifndef NAB_TESTS_HELPER_DATA_H
#define NAB_TESTS_HELPER_DATA_H

#include "arch/graph.h"
#include "dataset/dataset.h"

struct arena;

struct blobs {
	struct shape shape;
	int classes; /* 0: regression; the target is a linear function of the example plus a little noise */
	int64_t n[SPLIT_COUNT];
	double noise; /* standard deviation around a class's pattern, whose values are of size 1 */
	bool bytes;   /* uint8 instead of float */
	bool open;    /* examples of different lengths (sequences, tokens) */
	uint64_t seed;
};

/* Classes are patterns, examples are patterns with noise; labels take turns. Everything lives in `a`. Splits stand one
 * after the other: 0 .. n[0] are training examples, and so on. */
struct dataset *blobs_new(const struct blobs *b, struct arena *a);

/* Reads a model from JSON text ('single quotes' count as double ones); the test fails with the message if it is wrong.
 * arena `a` owns it. */
struct graph *graph_of(struct arena *a, const char *json);

#endif
