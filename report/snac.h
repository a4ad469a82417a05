/* report/snac.h - SNACs, Sequential Neural Architecture Chips: one chip per layer, left = first layer.
 *
 * Encoding (after Cashman et al., REMAP, 2019): colour = family of the layer, letters or a glyph = kind (the symbols
 * are unique among the kinds), height = elements of its output on a power scale of exponent 0.15 that is common to all
 * charts drawn with the same `largest`, dropout has a dotted right border. What goes beyond that paper: a bar below
 * each chip grows by the same step for every factor of ten of its parameters (in all charts of a size), a block is one
 * plate, equal neighbours are folded into one plate with their number, connections that are not "from the one before"
 * run as bars above the chips, and two chips that follow each other without being connected stand apart.
 */
#ifndef NAB_REPORT_SNAC_H
#define NAB_REPORT_SNAC_H

#include <stdbool.h>

#include "arch/graph.h"

struct arena;
struct canvas;
struct str;

enum snac_size {
	SNAC_SMALL,  /* a row of a table: colours only */
	SNAC_MEDIUM, /* with symbols */
	SNAC_LARGE,  /* with symbols, sizes and names of blocks */
	SNAC_SIZE_COUNT
};
extern const char *const snac_size_names[]; /* "small", ... NULL-terminated */

struct snac_style {
	enum snac_size size;
	double largest; /* elements of the tensor that is drawn highest; 0: the largest of this graph */
	bool unfold;    /* draw every copy */
	bool silent;    /* no tooltips; small ones become a few paths: a tenth of the size */
	bool vertical;  /* first layer at the bottom */
	double width;   /* at most so wide where narrower chips (large: 25 pixels) can do it; 0: as wide as it gets */
};

/* The common scale for charts that stand side by side: max over calls of snac_largest(). */
double snac_largest(const struct graph *g);

struct canvas *snac_draw(const struct graph *g, const struct snac_style *style, struct arena *a);

/* The largest size in which a row is at most so wide, if need be with narrower chips; small if none is. */
enum snac_size snac_size_for(const struct graph *g, bool unfold, double width);

/* The kinds that occur, marked in used[LAYER_KIND_COUNT]; NULL graph: all. */
void snac_kinds(const struct graph *g, bool used[LAYER_KIND_COUNT]);
/* Symbol, colour and name of every used kind, in lines of at most `width`. */
struct canvas *snac_legend(const bool used[LAYER_KIND_COUNT], double width, struct arena *a);

/* One line for a terminal: "C B R MP [C B R C B + R]x2 GA D". colour: ANSI sequences, 256 colours. At most `width`
 * columns (0: any), cut with "...". */
void snac_line(struct str *out, const struct graph *g, bool colour, int width);

#endif
