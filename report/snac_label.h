/* report/snac_label.h - what is written on and about a chip: symbol or glyph, sizes, tooltip. */
#ifndef NAB_REPORT_SNAC_LABEL_H
#define NAB_REPORT_SNAC_LABEL_H

#include "arch/graph.h"
#include "report/canvas.h"

struct plan;
struct chip;
struct str;

/* The symbol or glyph of a kind, centred; nothing if it is wider than `room`. */
void label_symbol(struct canvas *c, enum layer_kind kind, double cx, double cy, double font, double line, double room,
		  enum ink ink);

/* Two short texts, how wide and which window: "32", "3x3/2". false: the kind has none. */
bool label_sizes(char out[2][24], const struct node *n);

/* At most four characters: "937", "4.6k", "147k", "1.2M". */
char *label_count(char out[16], int64_t n);

void label_chip(struct str *out, const struct plan *p, const struct chip *c);
void label_plate(struct str *out, const struct plan *p, int plate);

#endif
