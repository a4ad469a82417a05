/* tests/helper_geometry.c - see helper_geometry.h. Boxes are sorted from left to right and compared while they overlap
 * in that direction: thousands of texts are judged in milliseconds.
 */
#include "tests/helper_geometry.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/canvas.h"

#define SLACK 0.02

struct boxes {
	struct geometry_box *v;
	int n, cap;
};

static void add_box(struct boxes *b, struct geometry_box box)
{
	GROW(b->v, b->n, b->cap);
	b->v[b->n++] = box;
}

static struct geometry_box text_box(const struct item *t)
{
	double w = text_width(t->text, &t->font), h = t->font.size;
	double x = t->x - (t->font.anchor == ANCHOR_MIDDLE ? w / 2 : t->font.anchor == ANCHOR_END ? w : 0);

	return (struct geometry_box){ x, t->y - 0.72 * h, x + w, t->y + 0.1 * h, t->text };
}

static void collect(const struct canvas *c, struct boxes *texts, struct boxes *chips)
{
	int n;
	const struct item *it = canvas_items(c, &n);

	for (int i = 0; i < n; i++) {
		const struct item *r = &it[i + 1];

		if (it[i].type == ITEM_TEXT)
			add_box(texts, text_box(&it[i]));
		if (i + 1 < n && it[i].type == ITEM_OPEN && it[i].class && strcmp(it[i].class, "chip") == 0 &&
		    r->type == ITEM_RECT)
			add_box(chips, (struct geometry_box){ r->x, r->y, r->x + r->w, r->y + r->h, it[i].key });
	}
}

int geometry_chips(const struct canvas *c, struct geometry_box **out)
{
	struct boxes texts = { 0 }, chips = { 0 };

	collect(c, &texts, &chips);
	mem_free(texts.v);
	*out = chips.v;
	return chips.n;
}

static int from_left(const void *a, const void *b)
{
	double d = ((const struct geometry_box *)a)->x0 - ((const struct geometry_box *)b)->x0;

	return d < 0 ? -1 : d > 0;
}

static const char *overlaps(struct boxes *b, const char *what, char *buf, size_t size)
{
	if (b->n)
		qsort(b->v, (size_t)b->n, sizeof *b->v, from_left);
	for (int i = 0; i < b->n; i++)
		for (int k = i + 1; k < b->n && b->v[k].x0 < b->v[i].x1 - SLACK; k++)
			if (b->v[k].y0 < b->v[i].y1 - SLACK && b->v[i].y0 < b->v[k].y1 - SLACK) {
				snprintf(buf, size, "%s \"%s\" at %.1f, %.1f lies over \"%s\" at %.1f, %.1f", what,
					 b->v[i].text ? b->v[i].text : "", b->v[i].x0, b->v[i].y0,
					 b->v[k].text ? b->v[k].text : "", b->v[k].x0, b->v[k].y0);
				return buf;
			}
	return NULL;
}

static bool on_paper(const struct canvas *c, double x, double y)
{
	return x >= -SLACK && y >= -SLACK && x <= canvas_width(c) + SLACK && y <= canvas_height(c) + SLACK;
}

static const char *outside(const struct canvas *c, const struct boxes *texts, char *buf, size_t size)
{
	int n;
	const struct item *it = canvas_items(c, &n);

	for (int i = 0; i < n; i++) {
		const struct item *t = &it[i];
		bool in = t->type != ITEM_RECT || (on_paper(c, t->x, t->y) && on_paper(c, t->x + t->w, t->y + t->h));

		if (t->type == ITEM_DISC)
			in = on_paper(c, t->x - t->w, t->y - t->w) && on_paper(c, t->x + t->w, t->y + t->w);
		for (int k = 0; in && k < t->n_points; k++)
			in = on_paper(c, t->point[k].x, t->point[k].y);
		if (!in) {
			snprintf(buf, size, "item %d (type %d) at %.1f, %.1f leaves the paper", i, (int)t->type, t->x,
				 t->y);
			return buf;
		}
	}
	for (int i = 0; i < texts->n; i++)
		if (!on_paper(c, texts->v[i].x0, texts->v[i].y0) || !on_paper(c, texts->v[i].x1, texts->v[i].y1)) {
			snprintf(buf, size, "\"%s\" sticks out at %.1f, %.1f", texts->v[i].text, texts->v[i].x0,
				 texts->v[i].y0);
			return buf;
		}
	return NULL;
}

const char *geometry_wrong(const struct canvas *c, char *buf, size_t size)
{
	struct boxes texts = { 0 }, chips = { 0 };
	const char *wrong;

	collect(c, &texts, &chips);
	wrong = outside(c, &texts, buf, size);
	wrong = wrong ? wrong : overlaps(&texts, "text", buf, size);
	wrong = wrong ? wrong : overlaps(&chips, "chip", buf, size);
	mem_free(texts.v);
	mem_free(chips.v);
	return wrong;
}

/* ---- lines ---------------------------------------------------------------------------------------------- */

static void sample(struct boxes *out, struct point a, struct point b, struct point p, struct point q)
{
	for (int i = 1; i < 16; i++) {
		double t = i / 16.0, s = 1 - t;
		double x = s * s * s * a.x + 3 * s * s * t * b.x + 3 * s * t * t * p.x + t * t * t * q.x;
		double y = s * s * s * a.y + 3 * s * s * t * b.y + 3 * s * t * t * p.y + t * t * t * q.y;

		add_box(out, (struct geometry_box){ x, y, x, y, NULL });
	}
}

/* Points along all lines that are drawn. */
static void sample_lines(const struct canvas *c, struct boxes *out)
{
	int n;
	const struct item *it = canvas_items(c, &n);

	for (int i = 0; i < n; i++) {
		const struct point *p = it[i].point;
		struct point at = { 0, 0 };

		if (it[i].type != ITEM_PATH || it[i].pen.ink == INK_NONE || it[i].fill != INK_NONE)
			continue;
		for (int k = 0; k < it[i].n_verbs; k++) {
			if (it[i].verb[k] == VERB_LINE)
				sample(out, at, at, *p, *p);
			if (it[i].verb[k] == VERB_CURVE)
				sample(out, at, p[0], p[1], p[2]);
			if (it[i].verb[k] == VERB_CLOSE)
				continue;
			p += it[i].verb[k] == VERB_CURVE ? 3 : 1;
			at = p[-1];
		}
	}
}

static const char *crosses(const struct boxes *points, struct boxes *boxes, double inner, char *buf, size_t size)
{
	int first = 0;

	if (boxes->n)
		qsort(boxes->v, (size_t)boxes->n, sizeof *boxes->v, from_left);
	for (int i = 0; i < boxes->n; i++) {
		const struct geometry_box *b = &boxes->v[i];

		while (first < points->n && points->v[first].x0 <= b->x0)
			first++;
		for (int k = first; k < points->n && points->v[k].x0 < b->x1 - inner; k++) {
			const struct geometry_box *p = &points->v[k];

			if (p->x0 > b->x0 + inner && p->y0 > b->y0 + inner && p->y0 < b->y1 - inner) {
				snprintf(buf, size, "a line runs through \"%s\" at %.1f, %.1f",
					 b->text ? b->text : "a chip", p->x0, p->y0);
				return buf;
			}
		}
	}
	return NULL;
}

const char *geometry_lines_wrong(const struct canvas *c, char *buf, size_t size)
{
	struct boxes texts = { 0 }, chips = { 0 }, points = { 0 };
	const char *wrong;

	collect(c, &texts, &chips);
	sample_lines(c, &points);
	if (points.n)
		qsort(points.v, (size_t)points.n, sizeof *points.v, from_left);
	wrong = crosses(&points, &texts, 0.3, buf, size);
	wrong = wrong ? wrong : crosses(&points, &chips, 1, buf, size);
	mem_free(texts.v);
	mem_free(chips.v);
	mem_free(points.v);
	return wrong;
}
