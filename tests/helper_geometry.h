/* tests/helper_geometry.h - a judge of drawings by their geometry: what sticks out, what lies over what. */
#ifndef NAB_TESTS_HELPER_GEOMETRY_H
#define NAB_TESTS_HELPER_GEOMETRY_H

#include <stddef.h>

struct canvas;

struct geometry_box {
	double x0, y0, x1, y1;
	const char *text; /* of a text; of a chip its key, or NULL */
};

/* NULL if everything lies on the paper, no two texts overlap (as measured by text_width, from the top of a capital to
 * just below the baseline), and no two chips do (the first rectangle of every group of class "chip"). Else what is
 * wrong, in buf; returns buf. */
const char *geometry_wrong(const struct canvas *c, char *buf, size_t size);

/* Also: no line runs through a chip or a text. For drawings whose chips carry no line glyphs. */
const char *geometry_lines_wrong(const struct canvas *c, char *buf, size_t size);

/* The boxes of the chips; returns their number. Free with mem_free. */
int geometry_chips(const struct canvas *c, struct geometry_box **out);

#endif
