/* report/sheet.h - one or many models as one drawing: a row of chips each with their numbers, or (vertical) a column
 * each, standing on a common line, with the numbers under it. All charts of a sheet share their scales.
 */
#ifndef NAB_REPORT_SHEET_H
#define NAB_REPORT_SHEET_H

#include <stdbool.h>
#include <stdint.h>

#include "report/snac.h"

struct arena;
struct canvas;
struct str;
struct font;

struct sheet_model {
	const struct graph *graph;
	const char *name; /* any text: it is cleaned and shortened */
	double accuracy;  /* a share of 1; NAN: not known */
	int64_t params, macs;
};

struct sheet_opts {
	struct snac_style style; /* `largest` and `width` are found here if they are 0 */
	double width;            /* of the sheet, at most where that can be done; 0: 1400 */
	bool legend;
	bool searched; /* vertical: the models stand in the order of a search; the best so far is drawn above them */
	int against;   /* the model that differences are taken to; -1: none */
};

/* A model's accuracy, parameters and multiply-adds, its name from the graph. */
void sheet_model_of(struct sheet_model *out, const struct graph *g);

struct canvas *sheet_draw(const struct sheet_model *models, int n, const struct sheet_opts *o, struct arena *a);

/* A line of text each: name, numbers, layers in letters (snac_line), at most `columns` wide (0: any). */
void sheet_lines(struct str *out, const struct sheet_model *models, int n, bool colour, int columns);

/* A text for a drawing: without control characters, shortened to fit. */
const char *sheet_text(struct canvas *c, const char *text, const struct font *font, double width);

#endif
