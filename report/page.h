/* report/page.h - the page as a list of views: one file of C, one of script, one row in views.def each.
 *
 * A view is a section of the page. Its C part writes what can be read without a script (html) and what its script works
 * on (data, reachable as nab.data.ID); its script report/page/ID.js adds what moves. Views do not know each other: they
 * meet in the rows of the report, whose number is a model's name on the page, and in report/page/core.js (what is
 * chosen, judged, filtered, pinned).
 *
 * To add one: report/view_x.c with `const struct page_view view_x`, a row in views.def, report/page/x.js and, if it
 * needs one, report/page/x.css.
 */
#ifndef NAB_REPORT_PAGE_H
#define NAB_REPORT_PAGE_H

struct arena;
struct report;
struct store;
struct str;
struct trial;

struct page { /* what views may read */
	const struct report *r;
	struct store *store; /* open for reading, or NULL: then a view leaves out what it needs it for */
	const char *cache;   /* path of the cache file beside the store, or NULL */
	struct arena *a;
	int images;                 /* pictures of examples at most; below 0: some, if the data are not large */
	const struct trial *trials; /* [n_trials] ablations and variations (report/trials.h) */
	int n_trials;
};

struct page_view {
	const char *id;
	const char *title; /* heading and entry of the navigation; NULL: neither */
	/* The content of its section, escaped (report/html.h). A view that writes nothing has no section; NULL: the
	 * section is empty until its script has filled it, and hidden without one. */
	void (*html)(struct str *out, const struct page *p);
	/* One JSON value; texts by json_quote(). NULL: it has none. */
	void (*data)(struct str *out, const struct page *p);
};

#define VIEW(n) extern const struct page_view view_##n;
#include "report/views.def"
#undef VIEW

extern const struct page_view *const page_views[]; /* in their order, NULL-terminated */

#endif
