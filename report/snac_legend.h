/* report/snac_legend.h - the key to SNACs, painted into another chart. */
#ifndef NAB_REPORT_SNAC_LEGEND_H
#define NAB_REPORT_SNAC_LEGEND_H

#include <stdbool.h>

#include "arch/layer.h"

struct canvas;

struct legend {
	bool used[LAYER_KIND_COUNT];
	bool copies, skips; /* there are folded copies; connections that reach over layers */
	bool upright;       /* the charts are columns */
};

double legend_height(const struct legend *l, double width);
void legend_paint(struct canvas *c, const struct legend *l, double width, double x, double y);

#endif
