/* report/escape.h - text that others chose (names, messages, hosts), put where it can do no harm: one function for each
 * context. All append to `out`. Control characters and broken UTF-8 become U+FFFD everywhere, so that no terminal, XML
 * reader or spreadsheet sees them; NULL is the empty text.
 */
#ifndef NAB_REPORT_ESCAPE_H
#define NAB_REPORT_ESCAPE_H

struct str;

/* The next character of *s, U+FFFD for what is replaced; 0 at the end. */
unsigned escape_char(const char **s);

void escape_plain(struct str *out, const char *s);    /* one line of text for terminals and file contents */
void escape_xml(struct str *out, const char *s);      /* text or a quoted attribute of HTML or SVG; newlines stay */
void escape_markdown(struct str *out, const char *s); /* a cell of a Markdown table: nothing is markup */
/* Text of LaTeX, safe as the start of a table's cell; what plain pdflatex does not know becomes '?',
 * but for a few symbols (multiplication sign, arrows, dashes, dots). */
void escape_latex(struct str *out, const char *s);
void escape_csv(struct str *out, const char *s);     /* a cell of RFC 4180; one that a spreadsheet would take for a
							formula (= + - @ tab) gets a leading ' */
void escape_gnuplot(struct str *out, const char *s); /* inside a single-quoted string of gnuplot, with "noenhanced" */

/* [A-Za-z0-9_-] of the text, other runs as one '-', at most 48 characters, never empty: for names of files. */
void escape_file(struct str *out, const char *s);

#endif
