/* report/snac_layout.h - where the parts of a SNAC lie, in coordinates of the chart itself: u along the row of chips,
 * v across it, 0 at the chips' centres, negative towards the connections, positive towards sizes, parameters and names.
 * A horizontal chart has u to the right and v down, a vertical one u up and v to the right; a mirrored one (the lower
 * row of a comparison) has its connections below. What is drawn goes through the functions below, so that it is
 * written once for all of them.
 *
 * Order: layout_begin, (places of chips changed by hand, layout_across), layout_paint, layout_release.
 */
#ifndef NAB_REPORT_SNAC_LAYOUT_H
#define NAB_REPORT_SNAC_LAYOUT_H

#include "report/canvas.h"
#include "report/snac.h"
#include "report/snac_plan.h"

struct snac_measures {        /* of a size of chart, in pixels */
	double chip, upright; /* length of a chip: in a row, in a column */
	double input, gap;
	double low;             /* size across of a chip with 16 elements; the highest is twice that */
	double pad;             /* of a plate */
	double label, column;   /* room for a plate's name: below a row, beside a column */
	double text, side_text; /* room for the sizes: below a row, beside a column */
	double decade;          /* of a parameter bar, for every factor of ten */
	double number;          /* room for the number of parameters */
	double track;           /* distance of connections */
	double font, small_font, line;
};

struct layout {
	struct plan p;
	struct snac_measures m;
	const struct snac_style *style;
	struct canvas *c; /* while painting */
	double x, y;      /* where u = v = 0 is */
	bool flip;        /* mirrored across the axis */
	double largest;
	double length, before, after; /* along; across, on either side of the axis */
	double tallest;               /* chip */
	double bars;                  /* room of the parameter bars */
	double top;                   /* v of the outermost plate */
	double names;                 /* room for a row (upright: a column) of names of plates */
	int rows;                     /* of names */
};

void layout_begin(struct layout *l, const struct graph *g, const struct snac_style *style);
/* Sizes across the axis, from the chips that are there. Called by layout_begin; again after changes. */
void layout_across(struct layout *l);
/* Paints with the chart's upper left corner at (x, y). */
void layout_paint(struct layout *l, struct canvas *c, double x, double y);
void layout_release(struct layout *l);

double layout_width(const struct layout *l);
double layout_height(const struct layout *l);

/* Whether a plate carries its name, or at least its number of copies. */
bool plate_named(const struct layout *l, const struct plate *b);
/* Between the edge of a plate's room and its frame. */
double plate_inset(const struct layout *l);

/* Where the inner sides of a chip's plates and its texts end: v of the part of the chart that carries names. */
double layout_under(const struct layout *l);

struct point layout_at(const struct layout *l, double u, double v);
/* The rectangle between two corners. */
struct item *layout_rect(const struct layout *l, double u0, double v0, double u1, double v1, enum ink fill);
/* A text centred on (u, v); in a column ANCHOR_START begins at v. */
void layout_text(const struct layout *l, double u, double v, struct font font, const char *text);

/* Pixels of the bar of so many parameters. */
double layout_params(const struct snac_measures *m, int64_t params);
extern const struct snac_measures snac_measures[SNAC_SIZE_COUNT];

#endif
