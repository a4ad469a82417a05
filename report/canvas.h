/* report/canvas.h - a display list: rectangles, paths, discs and texts in drawing order, and groups with a tooltip.
 *
 * Everything that draws (SNACs, charts) writes into a canvas; a back end turns the list into a file format and needs
 * nothing but the list (canvas_items) and the inks: SVG, PDF, TikZ, PNG, a terminal's cells. Units are CSS pixels, y
 * grows downward. Everything lives in the arena given to canvas_new().
 *
 * Colours are inks, not numbers: each has a value for light and one for dark paper.
 */
#ifndef NAB_REPORT_CANVAS_H
#define NAB_REPORT_CANVAS_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/layer.h"

struct arena;
struct canvas;
struct err;
struct str;

enum { INK_SERIES = 8 };

enum ink {
	INK_NONE,
	INK_PAPER, /* what is behind everything */
	INK_TEXT,
	INK_MUTED, /* secondary text, frames */
	INK_GRID,
	INK_CHIP_TEXT, /* on a chip: dark on both papers */
	INK_CHIP_EDGE,
	INK_ACCENT,                           /* what is selected or best */
	INK_FAMILY,                           /* + enum layer_family */
	INK_LINE = INK_FAMILY + FAMILY_COUNT, /* + number of a series, below INK_SERIES */
	INK_COUNT = INK_LINE + INK_SERIES
};

struct ink_value {
	const char *name;     /* "conv", "text": CSS variables and classes of the report are named after it */
	uint32_t light, dark; /* 0xrrggbb */
};
extern const struct ink_value inks[INK_COUNT];

enum dash { DASH_NONE, DASH_DOTTED, DASH_DASHED };

struct pen {
	enum ink ink; /* INK_NONE: nothing is drawn */
	double width;
	enum dash dash;
};

enum anchor { ANCHOR_START, ANCHOR_MIDDLE, ANCHOR_END };

struct font {
	double size;
	enum anchor anchor;
	bool bold, mono;
	enum ink ink;
};

enum item_type { ITEM_RECT, ITEM_PATH, ITEM_DISC, ITEM_TEXT, ITEM_OPEN, ITEM_CLOSE };

struct point {
	double x, y;
};

enum verb { VERB_MOVE, VERB_LINE, VERB_CURVE, VERB_CLOSE }; /* take 1, 1, 3, 0 points */

struct item {
	enum item_type type;
	double x, y, w, h;  /* rect; disc: centre and radius w; text: baseline point */
	double radius[4];   /* rect: top left, top right, bottom right, bottom left */
	struct pen side[4]; /* rect: top, right, bottom, left */
	enum ink fill;
	double opacity; /* 1: solid */
	struct pen pen; /* path, disc */
	enum verb *verb;
	struct point *point;
	int n_verbs, n_points;
	struct font font;
	const char *text;                /* text */
	const char *class, *key, *title; /* open; each may be NULL */
};

struct canvas *canvas_new(struct arena *a, double width, double height);
struct arena *canvas_arena(const struct canvas *c);
double canvas_width(const struct canvas *c);
double canvas_height(const struct canvas *c);
const struct item *canvas_items(const struct canvas *c, int *n);

/* The rectangle may be changed (sides, radii) until the next call. */
struct item *canvas_rect(struct canvas *c, double x, double y, double w, double h, enum ink fill);
void rect_round(struct item *rect, double radius);
void rect_frame(struct item *rect, struct pen pen);

void canvas_line(struct canvas *c, double x1, double y1, double x2, double y2, struct pen pen);
void canvas_polyline(struct canvas *c, const struct point *p, int n, struct pen pen);
struct item *canvas_disc(struct canvas *c, double x, double y, double radius, enum ink fill);
/* Text is copied; an empty or NULL text draws nothing. */
void canvas_text(struct canvas *c, double x, double y, struct font font, const char *text);
void canvas_textf(struct canvas *c, double x, double y, struct font font, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* Paths: canvas_path, then path_*, in order. */
struct item *canvas_path(struct canvas *c, enum ink fill, struct pen pen);
void path_move(struct canvas *c, double x, double y);
void path_line(struct canvas *c, double x, double y);
void path_curve(struct canvas *c, double x1, double y1, double x2, double y2, double x, double y);
void path_close(struct canvas *c);

/* Groups nest. class: word(s) for style sheets; key: what scripts find it by (data-key); title: its tooltip. */
void canvas_open(struct canvas *c, const char *class, const char *key, const char *title);
void canvas_close(struct canvas *c);

/* Width of a text in Helvetica's metrics (a close relative is what every system shows); mono: 0.6 em a character. */
double text_width(const char *text, const struct font *font);
/* `text`, shortened with an ellipsis to fit, in the arena of c. "" if not even three characters fit. */
const char *text_fit(struct canvas *c, const char *text, const struct font *font, double width);

enum svg_theme {
	SVG_LIGHT, /* colours as attributes: for any viewer */
	SVG_DARK,
	SVG_AUTO,  /* light, with a style sheet that follows the reader's system */
	SVG_INLINE /* inside a page that defines the classes f-NAME and s-NAME for every ink (canvas_css) */
};

struct svg_opts {
	enum svg_theme theme;
	bool paper;        /* fill the background */
	const char *label; /* what it shows, for screen readers and as title; may be NULL */
	const char *class; /* of the svg element, inline only; may be NULL */
};

void canvas_svg(struct str *out, const struct canvas *c, const struct svg_opts *o);

/* One page of PDF (report/pdf.c). Of the options, the theme (SVG_DARK, else light), paper and label are used. Helvetica
 * and Courier in WinAnsiEncoding: returns how many characters these lack and that are shown as '?'. */
int canvas_pdf(struct str *out, const struct canvas *c, const struct svg_opts *o);

/* A TikZ picture that is a document of its own as well as something to \input (report/tikz.c). Options as above. */
void canvas_tikz(struct str *out, const struct canvas *c, const struct svg_opts *o);

/* Character cells for a terminal (report/terminal.c), at most `columns` wide (0: as wide as is natural). colour: half
 * blocks in the 256 colours, else outlines of Braille dots, without any escape sequence. Texts stay texts. */
void canvas_terminal(struct str *out, const struct canvas *c, int columns, bool colour);

/* The SVG on its paper, light or dark, drawn by rsvg-convert (report/raster.c): `scale` pixels to a unit. ERR_RUNTIME:
 * that program is not there (says which package has it) or failed, or the file cannot be written. */
int canvas_png(const struct canvas *c, const char *path, double scale, bool dark, struct err *e);

/* Canvases packed for a script that replays them (report/page/core.js), a tenth of the size of SVG: without groups,
 * tooltips and classes, in quarters of a pixel; what items look like is told once. A canvas is a text of numbers
 * (packed.c): width, height, then items: look + 1, x, y (from the item before), and w h of a rect, r of a disc, the
 * text and a line feed, or what a path does (0 ends it; 1 move, 2 line, 3 curve, 4 close, 5 rect x y w h). */
struct packer;
struct packer *packer_new(struct arena *a);
void packer_add(struct packer *p, struct str *out, const struct canvas *c); /* appends a JSON string */
/* JSON: [[tag, fill, stroke, stroke width, dash, opacity, rx or font size, anchor, bold], ...]; inks by name or "". */
void packer_looks(struct str *out, const struct packer *p);

/* Style rules for SVG_INLINE: variables --NAME under :root for light and dark, and the classes that use them. */
void canvas_css(struct str *out);

#endif
