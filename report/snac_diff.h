/* report/snac_diff.h - two models as two rows of chips, aligned layer by layer: what was removed, added, changed and
 * reshaped is marked by a sign with a number in between (and a colour), and said in words below. Long runs of equal
 * layers are left out.
 */
#ifndef NAB_REPORT_SNAC_DIFF_H
#define NAB_REPORT_SNAC_DIFF_H

#include "report/model_diff.h"
#include "report/snac.h"

struct arena;
struct canvas;

struct snac_diff_opts {
	struct snac_style style;     /* size, and unfold: also draw long runs of equal layers */
	const char *name_a, *name_b; /* any text */
	bool legend;
};

struct canvas *snac_diff_draw(const struct model_diff *d, const struct snac_diff_opts *o, struct arena *a);

#endif
