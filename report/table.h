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
struct report;
struct str;
struct table;

enum cell_type {
	CELL_TEXT,
	CELL_WHOLE,  /* 1,234,567 */
	CELL_SHARE,  /* 0.9123 is shown as 91.23 (percent) */
	CELL_SECONDS /* 12.3 */
};

struct column {
	const char *key;   /* of CSV and JSON: "val_accuracy" */
	const char *title; /* for people: "accuracy %" */
	enum cell_type type;
	bool machine; /* only in CSV and JSON */
	bool people;  /* only in text and Markdown */
};

struct table *table_new(struct arena *a, const struct column *columns, int n);
void table_row(struct table *t); /* starts a row; cells are empty */
void table_put(struct table *t, const char *key, double v);
void table_put_text(struct table *t, const char *key, const char *text); /* copied */
void table_note(struct table *t, const char *note);                      /* below the table */

/* Columns without any value are left out of text and Markdown. width: text lines are cut there; 0: not. */
void table_text(struct str *out, const struct table *t, int width);
void table_markdown(struct str *out, const struct table *t);
void table_latex(struct str *out, const struct table *t); /* a tabular with booktabs rules; texts are escaped */
void table_csv(struct str *out, const struct table *t);   /* notes are left out */
struct json *table_json(const struct table *t);           /* {"rows": [...], "notes": [...]}; caller frees */

/* The leaderboard of a report, in its order. */
struct table *table_leaderboard(const struct report *r, struct arena *a);

#endif
