/* report/outline.c - see outline.h. */
#include "report/outline.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define KAPPA 0.5522847498307936 /* 4/3 (sqrt 2 - 1): a quarter circle as a cubic curve, 0.03 % off at most */

static void add(struct outline *o, enum verb verb, int n, const struct point *p)
{
	o->own_verb[o->n_verbs++] = verb;
	for (int k = 0; k < n; k++)
		o->own_point[o->n_points++] = p[k];
}

/* From `a` to `b` round the corner c: a quarter of an ellipse. */
static void quarter(struct outline *o, struct point a, struct point c, struct point b)
{
	struct point p[3] = { { a.x + KAPPA * (c.x - a.x), a.y + KAPPA * (c.y - a.y) },
			      { b.x + KAPPA * (c.x - b.x), b.y + KAPPA * (c.y - b.y) },
			      b };

	add(o, VERB_CURVE, 3, p);
}

static void rectangle(struct outline *o, const struct item *i)
{
	/* clockwise from the top left corner; the corner, the way along which it is reached, and the way on */
	static const double in[4][2] = { { 0, -1 }, { 1, 0 }, { 0, 1 }, { -1, 0 } };
	const struct point corner[4] = {
		{ i->x, i->y }, { i->x + i->w, i->y }, { i->x + i->w, i->y + i->h }, { i->x, i->y + i->h }
	};

	for (int n = 0; n < 4; n++) {
		int k = (n + 1) % 4; /* the top left corner comes last: the path starts behind it */
		double r = fmax(i->radius[k], 0), rx = fmin(r, i->w / 2), ry = fmin(r, i->h / 2);
		struct point c = corner[k], a = { c.x - in[k][0] * rx, c.y - in[k][1] * ry };
		struct point b = { c.x + in[(k + 1) % 4][0] * rx, c.y + in[(k + 1) % 4][1] * ry };

		if (n == 0) {
			double r0 = fmin(fmax(i->radius[0], 0), i->w / 2);

			add(o, VERB_MOVE, 1, &(struct point){ i->x + r0, i->y });
		}
		add(o, VERB_LINE, 1, &a);
		if (r > 0)
			quarter(o, a, c, b);
	}
	add(o, VERB_CLOSE, 0, NULL);
}

static void circle(struct outline *o, const struct item *i)
{
	/* clockwise on the screen from the right, as SVG's circle */
	static const double way[5][2] = { { 1, 0 }, { 0, 1 }, { -1, 0 }, { 0, -1 }, { 1, 0 } };
	struct point p = { i->x + i->w, i->y };

	add(o, VERB_MOVE, 1, &p);
	for (int k = 0; k < 4; k++) {
		struct point to = { i->x + way[k + 1][0] * i->w, i->y + way[k + 1][1] * i->w };
		struct point c = { i->x + (way[k][0] + way[k + 1][0]) * i->w,
				   i->y + (way[k][1] + way[k + 1][1]) * i->w };

		quarter(o, p, c, to);
		p = to;
	}
	add(o, VERB_CLOSE, 0, NULL);
}

void outline_of(struct outline *o, const struct item *i)
{
	o->n_verbs = o->n_points = 0;
	o->verb = o->own_verb;
	o->point = o->own_point;
	if (i->type == ITEM_RECT && i->w > 0 && i->h > 0) {
		rectangle(o, i);
	} else if (i->type == ITEM_DISC && i->w > 0) {
		circle(o, i);
	} else if (i->type == ITEM_PATH && i->n_verbs && i->verb[0] == VERB_MOVE) {
		o->verb = i->verb;
		o->point = i->point;
		o->n_verbs = i->n_verbs;
		o->n_points = i->n_points;
	}
}

static bool same_pen(const struct pen *a, const struct pen *b)
{
	return a->ink == b->ink && (a->ink == INK_NONE || (a->width == b->width && a->dash == b->dash));
}

bool outline_uniform(const struct item *i)
{
	for (int k = 1; k < 4; k++)
		if (i->radius[k] != i->radius[0] || !same_pen(&i->side[k], &i->side[0]))
			return false;
	return true;
}

void outline_side(struct point ends[2], const struct item *i, int side)
{
	double x0 = i->x, y0 = i->y, x1 = i->x + i->w, y1 = i->y + i->h;
	const struct point line[4][2] = { { { x0, y0 }, { x1, y0 } },
					  { { x1, y0 }, { x1, y1 } },
					  { { x0, y1 }, { x1, y1 } },
					  { { x0, y0 }, { x0, y1 } } };

	ends[0] = line[side][0];
	ends[1] = line[side][1];
}

struct pen outline_pen(const struct item *i)
{
	if (i->type == ITEM_RECT)
		return outline_uniform(i) ? i->side[0] : (struct pen){ INK_NONE, 0, DASH_NONE };
	return i->pen;
}

static void curve(struct point a, const struct point p[3], double step, outline_line *line, void *arg)
{
	double way = hypot(p[0].x - a.x, p[0].y - a.y) + hypot(p[1].x - p[0].x, p[1].y - p[0].y) +
		     hypot(p[2].x - p[1].x, p[2].y - p[1].y);
	int n = way < 64 * step ? (int)ceil(way / step) : 64;
	struct point from = a;

	for (int k = 1; k <= n; k++) {
		double t = (double)k / n, s = 1 - t;
		double c[4] = { s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t };
		struct point to = { c[0] * a.x + c[1] * p[0].x + c[2] * p[1].x + c[3] * p[2].x,
				    c[0] * a.y + c[1] * p[0].y + c[2] * p[1].y + c[3] * p[2].y };

		line(arg, from, to, false);
		from = to;
	}
}

void outline_walk(const struct outline *o, double step, outline_line *line, void *arg)
{
	struct point start = { 0, 0 }, at = { 0, 0 };
	const struct point *p = o->point;

	for (int k = 0; k < o->n_verbs; k++)
		switch (o->verb[k]) {
		case VERB_MOVE:
			if (k)
				line(arg, at, start, true);
			start = at = *p++;
			break;
		case VERB_LINE:
			line(arg, at, *p, false);
			at = *p++;
			break;
		case VERB_CURVE:
			curve(at, p, step, line, arg);
			at = p[2];
			p += 3;
			break;
		case VERB_CLOSE:
			line(arg, at, start, false);
			at = start;
			break;
		}
	if (o->n_verbs)
		line(arg, at, start, true);
}

void outline_number(struct str *out, double v)
{
	char buf[32], *p = buf + sizeof buf;
	long n = lround(100 * (isfinite(v) ? fmin(fabs(v), 1e15) : 0)), whole = n / 100, part = n % 100;

	*--p = 0;
	if (part) {
		if (part % 10)
			*--p = (char)('0' + part % 10);
		*--p = (char)('0' + part / 10);
		*--p = '.';
	}
	do
		*--p = (char)('0' + whole % 10);
	while (whole /= 10);
	if (n && v < 0)
		*--p = '-';
	str_add(out, p);
}

void outline_rgb(double rgb[3], enum ink ink, bool dark)
{
	uint32_t v = dark ? inks[ink].dark : inks[ink].light;

	for (int k = 0; k < 3; k++)
		rgb[k] = (v >> (16 - 8 * k) & 255) / 255.0;
}
