/* base/pack.h - bytes as text that may stand in a page: base64 (RFC 4648), and deflated (RFC 1951) before that. */
#ifndef NAB_BASE_PACK_H
#define NAB_BASE_PACK_H

#include <stddef.h>

struct str;

void base64_add(struct str *out, const void *data, size_t n);

/* The raw deflate stream of data[0..n) in base64: a fifth to a tenth of a page's JSON and SVG. */
void pack_add(struct str *out, const void *data, size_t n);

#endif
