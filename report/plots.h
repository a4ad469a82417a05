/* report/plots.h - the data plots of a report, as canvases. */
#ifndef NAB_REPORT_PLOTS_H
#define NAB_REPORT_PLOTS_H

struct canvas;
struct report;
struct report_row;

enum plot_x { PLOT_PARAMS, PLOT_MACS, PLOT_SECONDS, PLOT_ORDER, PLOT_X_COUNT };
extern const char *const plot_x_names[]; /* "params", ...: for ids and files */
extern const char *const plot_x_titles[];

/* Accuracy of every ranked model against one of these, with the Pareto front of what costs less (order: the best so
 * far). Marks have the row's index as key. */
struct canvas *plot_merit(const struct report *r, enum plot_x x, double width, double height);

enum plot_curve { CURVE_ACCURACY, CURVE_LOSS };

/* Learning curves of a row: training dashed, validation solid, a thin line a seed. */
struct canvas *plot_curves(const struct report *r, const struct report_row *w, enum plot_curve which, double width,
			   double height);

/* A dot with its 95 % interval on a scale that all rows share. */
struct canvas *plot_whisker(const struct report *r, const struct report_row *w, double width, double height);

#endif
