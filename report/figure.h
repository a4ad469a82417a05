/* report/figure.h - a gnuplot script with its data file, while it is written. Used by report/gnuplot_*.c alone.
 *
 * Safety: a script is made of our own words, numbers and the figure's own file name. What others wrote (names of
 * models, classes, units) stands in the data file as quoted fields, which gnuplot neither expands nor evaluates, and
 * enhanced text is off. Strings of the script are in single quotes, which gnuplot takes as they are.
 *
 * The data file consists of blocks, which the script calls "index 0", "index 1", ...
 */
#ifndef NAB_REPORT_FIGURE_H
#define NAB_REPORT_FIGURE_H

#include <stdbool.h>

#include "base/str.h"
#include "report/chart.h"
#include "report/gnuplot.h"

struct figure {
	struct str gp, dat;
	const char *name; /* of the files, without their endings: of [A-Za-z0-9._ -], made by us or checked */
	enum figure_format format;
	double width, height;            /* cm */
	double points;                   /* of the texts */
	double left, right, top, bottom; /* cm, margins of the plot area */
	double below;                    /* cm at the lower edge that belong to a legend */
	int blocks, rows;                /* rows: of the block that is open */
	const char *why;                 /* nothing was drawn: the reason, for people */
};

/* The first lines of the script; the size is the user's, else this one. Call it before anything else. */
void figure_begin(struct figure *f, const struct plot_request *q, double width, double height);
void figure_release(struct figure *f);

/* Where the plot area lies: by our own measure, since terminals guess the widths of texts, each in its own way. */
void figure_margins(struct figure *f, double left, double right, double top, double bottom);
/* Titles of the axes (NULL: none), along the lower and the left edge. */
void figure_titles(struct figure *f, const char *x, const char *y);
/* "set WHICH" with round numbers of the axis, as the charts of the page have them ("10k"). */
void figure_ticks(struct figure *f, const char *which, const struct axis *axis, int most);
/* The scale of colours at the right edge, as high as the plot area, with its title; it takes 2.7 cm.
 * low, high: of the data. */
void figure_colours(struct figure *f, const char *words, double low, double high);
/* The legend in one row above the plot area, or in a column at the right of it. */
void figure_key_above(struct figure *f);
void figure_key_beside(struct figure *f);
/* In a column from x, y cm down. */
void figure_key_at(struct figure *f, double x, double y);
/* Width of a text of `size` points in cm, with some to spare for fonts that are wider than Helvetica. */
double figure_text_width(const char *text, double size);
/* The data file's name in quotes. */
void figure_data(struct figure *f);
/* " lc rgb '#2f6db5'": of the series k, or of an ink. */
void figure_colour(struct figure *f, enum ink ink);
enum ink figure_series(int k);

/* Starts a block of the data; `columns` says what is in it. Returns its index. A block without rows gets one of NaN. */
int figure_block(struct figure *f, const char *columns);
void figure_value(struct figure *f, double v);
void figure_field(struct figure *f, const char *text); /* any text */
void figure_row(struct figure *f);                     /* ends it */
void figure_gap(struct figure *f);                     /* a blank line: lines are interrupted */
void figure_end(struct figure *f);                     /* after the last block */

/* A label, at most so many characters, in the arena. */
const char *figure_short(struct arena *a, const char *label, int most);

/* Places for labels beside points of the plot area (figure_margins), in cm from its lower left corner. */
struct figure_label {
	double x, y; /* the point; afterwards the centre of the label, NAN if there is no room for it */
	const char *text;
};
void figure_place(const struct figure *f, struct figure_label *label, int n, const struct point *mark, int n_marks);

#endif
