/* arch/design.h - well-known networks by name, written out for an input and a number of classes: `nab new`.
 *
 * A design is a file of configs/designs/: a model as a designer would write it, with comments, in which a text
 * "{{expression}}" stands for a number (expressions of block parameters, arch/expr.c; "wide" before one: times the
 * width multiplier, "wider": times the multiplier if that is above 1), and with lines that begin with "//:":
 *
 *	//: name resnet20 depth=20        a name it goes by, and values of its variables; several are a family
 *	//: help TEXT                     a line about it
 *	//: type image vector             what it can read
 *	//: input 3,32,32                 unless the user says otherwise
 *	//: classes 10
 *	//: depth 8 1202 layers: 6 n + 2  --depth: bounds, and what it counts
 *	//: default depth 2               of a variable that a name does not set
 *	//: multiple 8                    widths are rounded to multiples of it (but not below nine tenths)
 *	//: refuse CONDITION : TEXT       what it cannot be made for
 *	//: if CONDITION, else, end       lines that are left out
 *	//: outputs                       "classes", or "outputs" if the task is not classification
 *
 * A condition compares two expressions: "$side >= 32", "$type == image". Variables: name, input, classes, type, open,
 * channels, height, columns, side (the smaller of both), steps, and those of the name.
 */
#ifndef NAB_ARCH_DESIGN_H
#define NAB_ARCH_DESIGN_H

#include "arch/graph.h"

struct str;

struct design {
	const char *name, *help, *text; /* text: of the whole file */
	const char *values;             /* "depth=20 block=residual" */
	const char *types;              /* "image vector" */
	struct shape input;
	int classes, multiple;
	int depth, depth_min, depth_max; /* depth_max 0: it has none to choose */
	const char *depth_help;
};

struct design_use {
	const struct shape *input; /* NULL: the design's own */
	enum task task;
	int classes; /* 0: the design's own */
	int depth;   /* 0: the design's own */
	double width;
};

/* All designs of a folder by name, in the order of the files' names. */
int design_list(struct design **out, int *n, const char *dir, struct arena *a, struct err *e);

/* The text of a model file. ERR_INVALID if the design cannot be made for this, with the reason. */
int design_write(struct str *out, const struct design *d, const struct design_use *use, struct err *e);

/* "3,32,32" (an image), "12,29" (a sequence), "16" (a vector). */
int design_shape(struct shape *s, const char *text, struct err *e);

#endif
