/* report/assets.h - page.css and page.js, as they are, in the program. The Makefile knows what assets.o depends on. */
#ifndef NAB_REPORT_ASSETS_H
#define NAB_REPORT_ASSETS_H

extern const char page_css[]; /* texts, NUL-terminated */
extern const char page_js[];

#endif
