/* report/chart.h - data plots on a canvas: lines over epochs, points with intervals over a linear or logarithmic axis.
 */
#ifndef NAB_REPORT_CHART_H
#define NAB_REPORT_CHART_H

#include "report/canvas.h"

enum { AXIS_TICKS = 12 };

enum axis_unit { AXIS_PLAIN, AXIS_WHOLE /* no tick between whole numbers */, AXIS_SHARE /* 0.9 is shown as 90 % */ };

struct axis {
	const char *title;
	double low, high; /* low >= high: from the data, with a margin */
	bool log;         /* data must be positive; others are not drawn */
	enum axis_unit unit;
};

/* Round numbers (1, 2 or 5 times a power of ten; on a logarithmic axis powers of ten, with 2 and 5 where there is room)
 * within [low, high], at most `most` and at most AXIS_TICKS. Returns how many. */
int axis_ticks(double out[AXIS_TICKS], const struct axis *axis, int most);
/* A tick as text: "90 %", "0.02", "10k", "2M". */
char *axis_text(char buf[32], const struct axis *axis, double v);

struct series {
	const char *name;          /* in the legend; NULL: not named there */
	const struct point *point; /* NAN: a gap */
	int n;
	enum ink ink;
	enum dash dash;
	double width, opacity;
	bool steps; /* horizontal, then vertical */
};

struct mark {
	double x, y, low, high; /* low, high: interval of y, or NAN */
	enum ink ink;
	bool square, hollow;
	double radius;
	const char *key, *title; /* for scripts and as tooltip; may be NULL */
	const char *label;       /* written beside it if there is room, or NULL */
};

struct chart {
	const char *title; /* or NULL */
	double width, height;
	struct axis x, y;
	const struct series *series;
	int n_series;
	const struct mark *marks;
	int n_marks;
	struct arena *a;
};

struct canvas *chart_draw(const struct chart *c);

#endif
