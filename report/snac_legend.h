/* report/snac_legend.h - the key to SNACs, painted into another chart. */
#ifndef NAB_REPORT_SNAC_LEGEND_H
#define NAB_REPORT_SNAC_LEGEND_H

#include <stdbool.h>

#include "arch/layer.h"

struct canvas;

double legend_height(const bool used[LAYER_KIND_COUNT], double width);
void legend_paint(struct canvas *c, const bool used[LAYER_KIND_COUNT], double width, double x, double y);

#endif
