/* arch/retarget.h - the same design for another data set: input, head, reductions of size and widths adapted. */
#ifndef NAB_ARCH_RETARGET_H
#define NAB_ARCH_RETARGET_H

#include "arch/graph.h"

struct retarget {
	struct shape input;
	enum task task;     /* of the output */
	int classes;        /* its width */
	double width;       /* multiplier on channels and units; with max_params: at most this */
	int64_t max_params; /* narrowed until it has no more; 0: no limit */
};

struct retarget_log {
	const char **lines; /* what was changed, in words */
	int n;
	double width; /* the multiplier that was taken */
};

/* The new model in arena a. Larger inputs are reduced more at the start (a stride, a pooling, then poolings between
 * stages), for smaller ones the first reductions are left out, so that the map before the head stays comparable;
 * windows that do not fit are padded or made smaller; merges are kept consistent. ERR_INVALID with the reason if it
 * cannot be: several inputs or outputs, layers that read another type of input, a limit that no width meets. */
int graph_retarget(struct graph **out, struct retarget_log *log, const struct graph *g, const struct retarget *to,
		   struct arena *a, struct err *e);

#endif
