/* base/png.h - pictures as bytes, channels first, from and to PNG (ISO/IEC 15948); the only home of png.h. */
#ifndef NAB_BASE_PNG_H
#define NAB_BASE_PNG_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct str;

struct picture {
	int channels, height, width; /* channels: 1 (gray) or 3 (RGB) */
	uint8_t *data;               /* [channels][height][width], freed by picture_release() */
};

enum picture_color { PICTURE_AS_IS, PICTURE_GRAY, PICTURE_RGB };

/* Decodes a PNG in memory. Palettes and low bit depths are expanded, 16 bits scaled to 8, transparency dropped. What is
 * wider or higher than 16384, or damaged, is an ERR_INVALID at `name`. PICTURE_GRAY and PICTURE_RGB convert. */
int picture_decode(struct picture *out, const void *png, size_t len, enum picture_color color, const char *name,
		   struct err *e);
void picture_release(struct picture *p); /* accepts a zeroed struct */

/* Appends data[channels][height][width] as an 8-bit PNG. */
int picture_encode(struct str *out, const struct picture *p, struct err *e);
/* The same into a file. */
int picture_write(const char *path, const struct picture *p, struct err *e);

#endif
