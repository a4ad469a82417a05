/* report/thumbs.h - small pictures of examples, for the page: images as they are (above 96 pixels, averaged down),
 * vectors and sequences as tiny drawings of their standardised values, tokens as text.
 */
#ifndef NAB_REPORT_THUMBS_H
#define NAB_REPORT_THUMBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { THUMBS_WHY = 480 };

struct dataset;
struct picture;
struct report;
struct str;

/* The data set of the report, from its stored specification, if it still is the one that was trained on. NULL: it is
 * not there, has changed, or (unless `any_size`) is too large to be opened for a few pictures; why says so. */
struct dataset *thumbs_open(const struct report *r, bool any_size, char why[THUMBS_WHY]);

/* Width, height and channels of a picture; false: examples of these data are shown as text. */
bool thumbs_size(const struct dataset *d, struct picture *size);
/* Draws example `index` of the data into to->data[channels][height][width], made for thumbs_size(). */
void thumbs_draw(const struct dataset *d, uint32_t index, struct picture *to);

/* A JSON object for nab.data.examples: {"width", "height", "channels", "columns", "per", "of": [...], "sheets": [PNG in
 * base64]} with as many of the validation examples order[0..n) as fit into `limit` bytes, or {"texts": {...}}. */
void thumbs_sheets(struct str *out, const struct dataset *d, const int64_t *order, int64_t n, size_t limit);

#endif
