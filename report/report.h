/* report/report.h - what a store holds, written for people: one offline HTML file, tables, charts.
 *
 *	DIR/index.html        everything, in one file without network, opened from file://
 *	DIR/leaderboard.md .tex .csv .json            the table
 *	DIR/ablation-STUDY-N.md ..., variation-...    what an ablation or a variation came to, likewise
 *	DIR/snac/NAME.svg     a chart of each model's architecture, and legend.svg
 *	DIR/figures/          learning curves and accuracy against size: gnuplot scripts, their data, and pictures
 *
 * Reads the store, never writes to it.
 */
#ifndef NAB_REPORT_REPORT_H
#define NAB_REPORT_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct store;

struct report_opts {
	const char *dir;         /* made if it is not there; files in it are replaced */
	int64_t study;           /* 0: the newest one and all others on the same data */
	int top;                 /* models with charts and details, best first, baselines in any case; 0: 300 */
	const char *const *pins; /* [n_pins] labels of models that have them in any case */
	int n_pins;
	const char *literature; /* results of others beside one's own (report/literature.h); NULL: none */
	int images; /* pictures of examples on the page; 0: none; below 0: up to 2,000, if the data are not large */
	const char *where; /* only candidates with a run for which this holds (store/select.h); NULL: all */
	bool no_figures;   /* skip figures/ */
	bool pdf, png;     /* charts and figures also as these */
};

struct report_made {
	char index[4096]; /* path of the HTML file */
	int models;       /* rows of the leaderboard */
	bool drawn;       /* gnuplot was there and drew the figures */
	char note[240];   /* why not, in one line; "" if it did or was not asked to */
};

/* ERR_USAGE if the study is not there, ERR_INVALID if the store is empty, ERR_RUNTIME if a file cannot be written. */
int report_write(struct store *s, const struct report_opts *o, struct report_made *made, struct err *e);

#endif
