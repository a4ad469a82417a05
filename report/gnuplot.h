/* report/gnuplot.h - plots for papers: gnuplot scripts with their data beside them, for who wants to restyle them, and
 * gnuplot itself, run when it is there. `nab plot` and the figures/ of a report are made here.
 *
 * A plot is a file report/gnuplot_x.c and a row in report/gnuplot_plots.def. What it may write into a script: see
 * report/figure.h.
 */
#ifndef NAB_REPORT_GNUPLOT_H
#define NAB_REPORT_GNUPLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "report/plots.h"

struct figure;
struct report;
struct store;

enum figure_format { FIGURE_SVG, FIGURE_PDF, FIGURE_PNG, FIGURE_TEX, FIGURE_FORMAT_COUNT };
extern const char *const figure_format_names[]; /* "svg", ... : endings of files. NULL-terminated */

struct plot_request {
	const struct report *report;
	struct store *store; /* what the report was gathered from, open for reading; NULL: no ablation */
	const char *cache;   /* of distances, or NULL */
	const int *rows;     /* models asked for, as rows of the report */
	int n_rows;          /* 0: the plot chooses */
	int64_t study;       /* asked for by name, or 0 */
	enum plot_x x;       /* pareto: PLOT_PARAMS, PLOT_MACS or PLOT_SECONDS */
	bool loss;           /* curves: of the loss instead of the accuracy */
	int distance;        /* map: enum map_metric */
	enum figure_format format;
	double width, height; /* cm; 0: what suits the plot */
};

struct gnuplot_plot {
	const char *name;
	const char *help;
	int most; /* models that it takes: 0 none */
	/* 1: nothing to show, f->why says it; 0: written; -1: e. */
	int (*write)(struct figure *f, const struct plot_request *q, struct err *e);
};

#define PLOT(n) extern const struct gnuplot_plot gnuplot_##n;
#include "report/gnuplot_plots.def"
#undef PLOT

extern const struct gnuplot_plot *const gnuplot_plots[]; /* NULL-terminated */
const struct gnuplot_plot *gnuplot_find(const char *name);

/* Writes dir/name.gp and dir/name.dat. name: of [A-Za-z0-9._ -] and no '-' or '.' in front (else ERR_USAGE: gnuplot
 * gives other names a meaning). 1: there is nothing to show, and `why` (may be NULL) says so; 0 written; -1: e. */
int gnuplot_write(const struct gnuplot_plot *p, const struct plot_request *q, const char *dir, const char *name,
		  const char **why, struct err *e);
/* Runs `program` ("gnuplot") over dir/name.gp. ERR_RUNTIME: it is not there (the message names the package and what was
 * written nevertheless), or it failed. */
int gnuplot_draw(const char *program, const char *dir, const char *name, enum figure_format format, struct err *e);

/* The figures of a report: every plot that has something to show, as SVG. Without the program only scripts and data;
 * the reason (one line) is in note then, and it is no failure. Returns how many were drawn, or -1. */
int gnuplot_figures(const struct plot_request *q, const char *dir, const char *program, char *note, size_t size,
		    struct err *e);

#endif
