/* dataset/csv.h - a text table in memory (RFC 4180: quotes, doubled quotes, LF or CR LF; blanks around cells dropped).
 */
#ifndef NAB_DATASET_CSV_H
#define NAB_DATASET_CSV_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct table {
	char *text;     /* borrowed; cells are cut out of it */
	int64_t rows;   /* blank lines do not count */
	int columns;    /* of every row */
	uint32_t *cell; /* [rows][columns] offsets into text */
	uint32_t *line; /* [rows] line in the file, counted from 1 */
};

/* Cuts text[0 .. len), followed by a NUL byte, into cells in place. A row with another number of cells than the first,
 * an open quote, a NUL byte and an empty table are errors at name:line. */
int table_parse(struct table *t, char *text, size_t len, char delimiter, const char *name, struct err *e);
void table_release(struct table *t); /* not the text */

static inline const char *table_cell(const struct table *t, int64_t row, int column)
{
	return t->text + t->cell[row * t->columns + column];
}

/* A decimal number and nothing else: 0, or -1 ("nan", "inf" and hexadecimal are none). */
int cell_number(double *out, const char *cell);

#endif
