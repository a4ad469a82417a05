/* report/assets.h - the style sheets and scripts of report/page/, as they are, in the program, in the order in which
 * they stand on the page. The Makefile knows what assets.o depends on; tests/unit/test_report.c, that none is
 * forgotten.
 */
#ifndef NAB_REPORT_ASSETS_H
#define NAB_REPORT_ASSETS_H

extern const char *const page_styles[]; /* texts; NULL-terminated */
extern const char *const page_scripts[];
extern const char *const page_asset_files[]; /* paths of all of them, for the test; NULL-terminated */

/* The editor of models (wasm/) in WebAssembly, gzipped, in base64; "" if it could not be built. */
extern const char page_editor[];

#endif
