/* arch/otmann_parts.h - private to the files of otmann.h: labels, and models as they are compared. */
#ifndef NAB_ARCH_OTMANN_PARTS_H
#define NAB_ARCH_OTMANN_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/otmann.h"

enum { OTMANN_GROUPS = 4, OTMANN_LENGTHS = 3 * OTMANN_GROUPS };

enum label_type {
	LABEL_IP,
	LABEL_OP,
	LABEL_DECISION,
	LABEL_CONV,  /* side, stride, dilation, grouping */
	LABEL_RES,   /* side: a published residual layer */
	LABEL_POOL,  /* side (0: global); average 0 or 1 */
	LABEL_DENSE, /* fully connected */
	LABEL_RECTIFIER,
	LABEL_SIGMOID, /* saturating activations */
	LABEL_ACTIVATION,
	LABEL_NORM,
	LABEL_MERGE,
	LABEL_RECURRENT,
	LABEL_DROPOUT,
	LABEL_RESHAPE,
	LABEL_OTHER, /* matches its own name alone */
	LABEL_TYPE_COUNT
};

struct label {
	enum label_type type;
	const char *text; /* equal texts and numbers: the same label */
	int dims;         /* 1 or 2: of windows */
	double side, stride, dilation, rate;
	int grouping;   /* convolutions: 0 full, 1 grouped, 2 depthwise */
	int average;    /* pooling */
	int directions; /* recurrent */
};

/* What tells the presets apart, beside what a graph becomes. */
struct preset {
	int groups;
	double dense; /* share of in * out that a dense layer weighs */
	bool (*member)(const struct label *l, int group);
	double (*mismatch)(const struct label *x, const struct label *y); /* of two labels of one family, times nu */
};
extern const struct preset otmann_presets[OTMANN_PRESET_COUNT];

/* Labels of different families never match. */
uint64_t label_family(const struct label *l);
bool label_equal(const struct label *x, const struct label *y);
/* The label of a published preset's text. */
struct label label_read(const char *text, enum otmann_preset p);

/* Layers of one label at one place, which need not be told apart. */
struct supply {
	uint64_t family;
	const struct label *label;
	double mass;
	double to_ip[OTMANN_LENGTHS], to_op[OTMANN_LENGTHS];
};

struct otmann {
	const struct preset *preset;
	double total;
	double *masses; /* of each layer */
	struct label *labels;
	int n_layers;
	struct supply *supplies; /* by family */
	int n_supplies;
};

/* Fills what comparisons need of a model with labels and masses; layers and edges stand in any order. ERR_INVALID for a
 * cycle. */
int otmann_finish(struct otmann *m, const struct otmann_edge *edges, int n_edges, struct arena *a, struct err *e);

#endif
