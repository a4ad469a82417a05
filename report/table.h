/* report/table.h - a table once, printed five ways: aligned text, Markdown, LaTeX, CSV, JSON.
 *
 * Cells hold values, not text: text and Markdown round them for people, CSV and JSON give them in full. NAN and NULL
 * are empty cells. Everything lives in the arena of the table.
 */
#ifndef NAB_REPORT_TABLE_H
#define NAB_REPORT_TABLE_H

#include <stdbool.h>

struct arena;
struct json;
struct metric;
struct report;
struct str;
struct table;

enum cell_type {
	CELL_TEXT,
	CELL_WHOLE,   /* 1,234,567 */
	CELL_METRIC,  /* 0.9123 is shown as 91.23 (percent), or as table_metric() says */
	CELL_SECONDS, /* 12.3 */
	CELL_REAL     /* 0.1235, 18548.4: about four digits */
};

struct column {
	const char *key;   /* of CSV and JSON: "val_accuracy" */
	const char *title; /* for people: "accuracy %" */
	enum cell_type type;
	bool machine; /* only in CSV and JSON */
	bool people;  /* only in text, Markdown and LaTeX */
	bool wrap;    /* texts may be broken over several lines where the table is too wide */
	bool below;   /* in text and LaTeX: on a line of its own below the row */
	bool right;   /* texts that are numbers: set flush right */
	int yields;   /* left out of text that is too wide, highest first; 0: stays */
};

struct table *table_new(struct arena *a, const struct column *columns, int n);
void table_metric(struct table *t, const struct metric *m); /* what cells of a metric hold; else: accuracies */
void table_row(struct table *t);                            /* starts a row; cells are empty */
void table_put(struct table *t, const char *key, double v);
void table_put_text(struct table *t, const char *key, const char *text); /* copied */
void table_bold(struct table *t, const char *key);                       /* the cell of the last row stands out */
void table_note(struct table *t, const char *note);                      /* below the table */

/* The first n rows, with a note if there are more; it shares the texts and the arena of t. */
struct table *table_first(const struct table *t, int n);

/* Columns without any value are left out of text, Markdown and LaTeX. width: in text, columns that may yield are left
 * out and texts that may wrap are wrapped until the lines fit; what is still longer is cut. 0: any width. colour: bold
 * cells by ANSI sequences; else they get a star. */
void table_text(struct str *out, const struct table *t, int width);
void table_text_in(struct str *out, const struct table *t, int width, bool colour);
void table_markdown(struct str *out, const struct table *t);
/* A tabular with booktabs rules, made smaller where it is wider than the page, and the notes below it; to stand in a
 * table environment. */
void table_latex(struct str *out, const struct table *t);
void table_csv(struct str *out, const struct table *t); /* notes are left out */
struct json *table_json(const struct table *t);         /* {"rows": [...], "notes": [...]}; caller frees */

enum table_format { TABLE_TEXT, TABLE_MARKDOWN, TABLE_LATEX, TABLE_CSV, TABLE_JSON, TABLE_FORMAT_COUNT };
extern const char *const table_format_names[]; /* "text", "markdown", "latex", "csv", "json", NULL */

/* In the format given; width and colour are those of text. JSON is pretty, all end with a newline. */
void table_print(struct str *out, const struct table *t, enum table_format format, int width, bool colour);

/* The leaderboard of a report, in its order. */
struct table *table_leaderboard(const struct report *r, struct arena *a);

#endif
