/* cli/terminal.h - texts, bars and little curves in the cells of a terminal. Names are others' text: control characters
 * do not reach the terminal, wide letters count two cells. Without a UTF-8 locale everything is ASCII.
 */
#ifndef NAB_CLI_TERMINAL_H
#define NAB_CLI_TERMINAL_H

#include <stdbool.h>

struct str;

struct look {
	int width, height; /* of the screen; height 0: no limit */
	bool paint, utf8;
};

/* Of stdout: a terminal's size, else $COLUMNS, else 100; UTF-8 if LC_ALL, LC_CTYPE or LANG say so. */
struct look terminal_look(bool paint);

int cell_width(const char *text); /* in cells; escape sequences "\033[...m" take none */

/* `text` cleaned, cut (with "…" or "~") or filled with blanks to `width` cells; 0: neither. */
void cell_text(struct str *out, const char *text, int width, bool utf8);

/* A line of our own, perhaps with escape sequences, cut to `width` cells. */
void cell_cut(struct str *out, const char *line, int width);

/* `part` of a bar of `width` cells. */
void cell_bar(struct str *out, double part, int width, bool utf8);

/* Values as a curve of at most `width` cells, lowest to highest (means, where there are more values); unknown ones are
 * blanks. Returns the cells it took. */
int cell_spark(struct str *out, const double *value, int n, int width, bool utf8);

#endif
