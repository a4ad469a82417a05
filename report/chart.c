/* report/chart.c - see chart.h. */
#include "report/chart.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* ---- axes ----------------------------------------------------------------------------------------------- */

static int log_ticks(double out[AXIS_TICKS], const struct axis *x, int most)
{
	static const double fine[] = { 1, 2, 5 }, coarse[] = { 1 };
	int first = (int)floor(log10(x->low)), last = (int)ceil(log10(x->high));

	for (int every = 0;; every++) { /* 0: 1, 2, 5; n: each n-th power of ten */
		const double *digit = every ? coarse : fine;
		int n = 0, digits = every ? 1 : 3;

		for (int p = first; p <= last; p += every ? every : 1)
			for (int d = 0; d < digits; d++) {
				double v = digit[d] * pow(10, p);

				if (v < x->low * (1 - 1e-9) || v > x->high * (1 + 1e-9))
					continue;
				if (n < AXIS_TICKS)
					out[n] = v;
				n++;
			}
		if (n <= most && n <= AXIS_TICKS)
			return n;
	}
}

int axis_ticks(double out[AXIS_TICKS], const struct axis *x, int most)
{
	static const double nice[] = { 1, 2, 5 };
	double span = x->high - x->low;

	if (!(span > 0) || !isfinite(span) || most < 1)
		return 0;
	most = most < AXIS_TICKS ? most : AXIS_TICKS;
	if (x->log && x->low > 0) {
		int n = log_ticks(out, x, most);

		if (n > 1)
			return n;
	}
	for (int p = (int)floor(log10(span / most)); p < 400; p++)
		for (int d = 0; d < 3; d++) {
			double step = nice[d] * pow(10, p), first = ceil(x->low / step - 1e-9);
			int n = (int)(floor(x->high / step + 1e-9) - first) + 1;

			if (n > most || (x->unit == AXIS_WHOLE && step < 1))
				continue;
			for (int i = 0; i < n; i++)
				out[i] = (first + i) * step;
			return n;
		}
	return 0;
}

char *axis_text(char buf[32], const struct axis *x, double v)
{
	static const char *const unit[] = { "", "k", "M", "G", "T" };
	int k = 0;

	if (fabs(v) < 1e-12)
		v = 0;
	if (x->unit == AXIS_SHARE) {
		snprintf(buf, 32, "%.6g %%", 100 * v);
		return buf;
	}
	while (fabs(v) >= 999.999 && k < 4) {
		v /= 1000;
		k++;
	}
	snprintf(buf, 32, "%.6g%s", v, unit[k]);
	return buf;
}

static void stretch(double *low, double *high, const struct axis *x, double v)
{
	if (isnan(v) || isinf(v) || (x->log && v <= 0))
		return;
	*low = fmin(*low, v);
	*high = fmax(*high, v);
}

/* The range of the data with a margin of 4 %. */
static void fit(struct axis *x, double low, double high)
{
	double margin;

	if (x->low < x->high)
		return;
	if (low > high) {
		low = x->log ? 1 : 0;
		high = x->log ? 10 : 1;
	}
	if (x->log) {
		margin = fmax(0.04 * log10(high / low), 0.05);
		x->low = low / pow(10, margin);
		x->high = high * pow(10, margin);
		return;
	}
	margin = high > low ? 0.04 * (high - low) : fmax(fabs(high) * 0.05, 0.005);
	x->low = low - margin;
	x->high = high + margin;
	if (x->unit == AXIS_SHARE) {
		x->low = fmax(x->low, -0.005);
		x->high = fmin(x->high, 1.005);
	}
}

/* ---- plot ----------------------------------------------------------------------------------------------- */

struct plot {
	const struct chart *chart;
	struct axis x, y;
	struct canvas *c;
	double left, top, right, bottom; /* of the frame */
};

static const struct font tick_font = { 10.5, ANCHOR_MIDDLE, false, false, INK_MUTED };

static double at(const struct axis *x, double v, double from, double to)
{
	double share = x->log ? log(v / x->low) / log(x->high / x->low) : (v - x->low) / (x->high - x->low);

	return from + share * (to - from);
}

static double px(const struct plot *p, double v)
{
	return at(&p->x, v, p->left, p->right);
}

static double py(const struct plot *p, double v)
{
	return at(&p->y, v, p->bottom, p->top);
}

static bool inside(const struct axis *x, double v)
{
	return v >= x->low && v <= x->high;
}

static void set_ranges(struct plot *p)
{
	const struct chart *c = p->chart;
	double xl = INFINITY, xh = -xl, yl = xl, yh = -xl;

	for (int i = 0; i < c->n_series; i++)
		for (int k = 0; k < c->series[i].n; k++) {
			stretch(&xl, &xh, &c->x, c->series[i].point[k].x);
			stretch(&yl, &yh, &c->y, c->series[i].point[k].y);
		}
	for (int i = 0; i < c->n_marks; i++) {
		stretch(&xl, &xh, &c->x, c->marks[i].x);
		stretch(&yl, &yh, &c->y, c->marks[i].y);
		stretch(&yl, &yh, &c->y, c->marks[i].low);
		stretch(&yl, &yh, &c->y, c->marks[i].high);
	}
	fit(&p->x, xl, xh);
	fit(&p->y, yl, yh);
}

static void draw_axes(struct plot *p)
{
	double tick[AXIS_TICKS];
	struct font right = tick_font;
	struct pen grid = { INK_GRID, 1, DASH_NONE };
	char text[32];
	int n = axis_ticks(tick, &p->y, (int)((p->bottom - p->top) / 34) + 1);

	right.anchor = ANCHOR_END;
	for (int i = 0; i < n; i++) {
		double y = round(py(p, tick[i])) + 0.5;

		canvas_line(p->c, p->left, y, p->right, y, grid);
		canvas_text(p->c, p->left - 6, y + 3.5, right, axis_text(text, &p->y, tick[i]));
	}
	n = axis_ticks(tick, &p->x, (int)((p->right - p->left) / 56) + 1);
	for (int i = 0; i < n; i++) {
		double x = round(px(p, tick[i])) + 0.5;

		canvas_line(p->c, x, p->bottom, x, p->bottom + 4, (struct pen){ INK_MUTED, 1, DASH_NONE });
		canvas_text(p->c, x, p->bottom + 16, tick_font, axis_text(text, &p->x, tick[i]));
	}
	canvas_line(p->c, p->left, p->bottom + 0.5, p->right, p->bottom + 0.5, (struct pen){ INK_MUTED, 1, DASH_NONE });
	canvas_text(p->c, (p->left + p->right) / 2, p->bottom + 32, tick_font, p->x.title);
}

static void draw_series(struct plot *p, const struct series *s)
{
	struct point last = { (double)NAN, (double)NAN };
	bool open = false;
	struct item *path = NULL;

	for (int i = 0; i < s->n; i++) {
		struct point v = s->point[i];

		if (!inside(&p->x, v.x) || !inside(&p->y, v.y)) {
			open = false;
			continue;
		}
		if (!path) {
			path = canvas_path(p->c, INK_NONE, (struct pen){ s->ink, s->width, s->dash });
			path->opacity = s->opacity > 0 ? s->opacity : 1;
		}
		if (open && s->steps)
			path_line(p->c, px(p, v.x), py(p, last.y));
		if (open)
			path_line(p->c, px(p, v.x), py(p, v.y));
		else
			path_move(p->c, px(p, v.x), py(p, v.y));
		last = v;
		open = true;
	}
	if (path && s->n == 1) /* a run of one epoch has no line */
		canvas_disc(p->c, px(p, last.x), py(p, last.y), 1.5 + s->width, s->ink);
}

static void draw_mark(struct plot *p, const struct mark *m)
{
	double x, y, r = m->radius > 0 ? m->radius : 4;
	struct pen edge = { m->hollow ? m->ink : INK_PAPER, m->hollow ? 1.6 : 1, DASH_NONE };
	struct item *i;

	if (!inside(&p->x, m->x) || !inside(&p->y, m->y))
		return;
	x = px(p, m->x);
	y = py(p, m->y);
	canvas_open(p->c, "mark", m->key, m->title);
	if (!isnan(m->low) && !isnan(m->high)) {
		canvas_path(p->c, INK_NONE, (struct pen){ m->ink, 1.2, DASH_NONE })->opacity = 0.4;
		path_move(p->c, x, py(p, fmax(m->low, p->y.low)));
		path_line(p->c, x, py(p, fmin(m->high, p->y.high)));
	}
	if (m->square) {
		i = canvas_rect(p->c, x - r, y - r, 2 * r, 2 * r, m->hollow ? INK_PAPER : m->ink);
		rect_frame(i, edge);
	} else {
		i = canvas_disc(p->c, x, y, r, m->hollow ? INK_PAPER : m->ink);
		i->pen = edge;
	}
	canvas_close(p->c);
}

struct box {
	double x0, y0, x1, y1;
};

static bool overlap(const struct box *a, const struct box *b)
{
	return a->x0 < b->x1 && b->x0 < a->x1 && a->y0 < b->y1 && b->y0 < a->y1;
}

/* Labels go above, beside or below their mark, where nothing stands yet; otherwise they are left out. */
static void draw_labels(struct plot *p)
{
	const struct chart *c = p->chart;
	struct box *taken = mem_new((size_t)(2 * c->n_marks + 1) * sizeof *taken);
	int n = 0;
	struct font f = { 10.5, ANCHOR_START, false, false, INK_TEXT };

	for (int i = 0; i < c->n_marks; i++)
		if (inside(&p->x, c->marks[i].x) && inside(&p->y, c->marks[i].y)) {
			double x = px(p, c->marks[i].x), y = py(p, c->marks[i].y), r = 5;

			taken[n++] = (struct box){ x - r, y - r, x + r, y + r };
		}
	for (int i = 0; i < c->n_marks; i++) {
		const struct mark *m = &c->marks[i];
		const char *text = m->label ? text_fit(p->c, m->label, &f, 110) : "";
		double w = text_width(text, &f) * 1.1, x, y;

		if (!*text || !inside(&p->x, m->x) || !inside(&p->y, m->y))
			continue;
		x = px(p, m->x);
		y = py(p, m->y);
		for (int side = 0; side < 6; side++) { /* above left, above, above right, below right, left, right */
			static const double dx[] = { -3, 0, 5, 5, -7, 7 }, dy[] = { -7, -9, -7, 14, 3.5, 3.5 };
			static const double shift[] = { 1, 0.5, 0, 0, 1, 0 };
			double left = x + dx[side] - shift[side] * w, base = y + dy[side];
			struct box b = { left, base - 9, left + w, base + 3 };
			bool free_place = b.x0 >= p->left && b.x1 <= p->right && b.y0 >= p->top && b.y1 <= p->bottom;

			for (int k = 0; k < n && free_place; k++)
				free_place = !overlap(&b, &taken[k]);
			if (!free_place)
				continue;
			canvas_text(p->c, left, base, f, text);
			taken[n++] = b;
			break;
		}
	}
	mem_free(taken);
}

static void draw_legend(struct plot *p)
{
	const struct chart *c = p->chart;
	struct font f = { 11, ANCHOR_START, false, false, INK_TEXT };
	double x = p->left, y = c->title ? 32 : 12;

	for (int i = 0; i < c->n_series; i++) {
		const struct series *s = &c->series[i];

		if (!s->name)
			continue;
		canvas_line(p->c, x, y - 4, x + 18, y - 4, (struct pen){ s->ink, 2, s->dash });
		canvas_text(p->c, x + 23, y, f, s->name);
		x += 23 + text_width(s->name, &f) * 1.1 + 16;
	}
}

static bool has_legend(const struct chart *c)
{
	for (int i = 0; i < c->n_series; i++)
		if (c->series[i].name)
			return true;
	return false;
}

struct canvas *chart_draw(const struct chart *c)
{
	struct plot p = { .chart = c, .x = c->x, .y = c->y };
	struct font title = { 12.5, ANCHOR_START, true, false, INK_TEXT };
	struct font side = tick_font;

	p.c = canvas_new(c->a, c->width, c->height);
	p.left = 52;
	p.right = c->width - 12;
	p.top = 10 + (c->title ? 18 : 0) + (has_legend(c) ? 20 : 0) + (c->y.title ? 14 : 0);
	p.bottom = c->height - 24 - (c->x.title ? 16 : 0);
	set_ranges(&p);
	canvas_text(p.c, 6, 15, title, c->title);
	side.anchor = ANCHOR_START;
	canvas_text(p.c, 6, p.top - 9, side, c->y.title);
	draw_axes(&p);
	for (int i = 0; i < c->n_series; i++)
		draw_series(&p, &c->series[i]);
	for (int i = 0; i < c->n_marks; i++)
		draw_mark(&p, &c->marks[i]);
	draw_labels(&p);
	draw_legend(&p);
	return p.c;
}
