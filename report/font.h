/* report/font.h - characters and how wide they are, for every back end of the canvas: Helvetica, Helvetica-Bold and
 * Courier in Adobe's font metrics (Core 14 AFM), in the characters of PDF's WinAnsiEncoding (code page 1252).
 */
#ifndef NAB_REPORT_FONT_H
#define NAB_REPORT_FONT_H

#include <stdbool.h>

struct font;
struct str;

/* The WinAnsi code (32 .. 255) of a character, or -1 if it has none. */
int font_code(unsigned unicode);
/* Advance width of a code in 1/1000 em. */
int font_advance(int code, bool bold, bool mono);

/* The text in WinAnsi codes; a character that has none becomes '?'. Returns how many did. */
int font_encode(struct str *out, const char *text);
/* Width of such a text. */
double font_width(const char *encoded, const struct font *f);

/* Columns that a terminal gives to a character: 2 to those of East Asia and most pictographs, 0 to combining marks. */
int font_columns(unsigned unicode);

#endif
