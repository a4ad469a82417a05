/* report/html.h - the page: one HTML file that needs nothing else. A Content-Security-Policy with the digests of its
 * own style and script forbids everything that is not in the file; all text of the store is escaped by context.
 */
#ifndef NAB_REPORT_HTML_H
#define NAB_REPORT_HTML_H

#include <stdint.h>

struct canvas;
struct metric;
struct page;
struct report;
struct report_row;
struct str;

void html_page(struct str *out, const struct page *p);

/* Members of the object that the script works on (nab.data): what it knows of every row. */
void html_rows(struct str *out, const struct page *p);
void html_chips(struct str *out, const struct page *p); /* their small charts: nab.chips(row) */

/* Shared by the views (report/page.h). */
void html_text(struct str *out, const char *s); /* escaped */
void html_bold(struct str *out, const char *s);
void html_canvas(struct str *out, const struct canvas *c, const char *label);
void html_json(struct str *out, const char *json); /* pretty, in <pre>; other text as it is */
void html_number(struct str *out, double v);       /* as JSON, 7 digits; null for what is not finite */
void html_percent(struct str *out, double share);  /* "91.23"; nothing for NAN */
void html_metric(struct str *out, const struct metric *m, double v); /* "91.23" or "0.912"; nothing for NAN */
void html_metric_range(struct str *out, const struct metric *m, double low, double high); /* "90.10-92.33"; as above */
void html_seconds(struct str *out, double s); /* "12.3 s", "4 min 10 s", "2 h 5 min" */
void html_tile(struct str *out, const char *key, const char *value, const char *detail);

#endif
