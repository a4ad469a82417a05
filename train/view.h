/* train/view.h - what augmentations show of a picture: one source for the processor and for cards, so that both see the
 * same pixels. Integers only; see train/batch.h for what is drawn.
 *
 * Flips and crops compose to one affine map of indices per axis with an interval outside of which everything is 0, and
 * cut-outs to rectangles in the final picture, so that a picture is read and written once whatever the recipe says.
 */
#ifndef NAB_TRAIN_VIEW_H
#define NAB_TRAIN_VIEW_H

#include "arch/recipe.h"
#include "base/philox.h"

struct view_axis { /* out[i] = in[sign * i + off] where lo <= i < hi, else 0 */
	int sign, off, lo, hi, size;
};

struct view_cut {
	int lo[2], hi[2]; /* rows, columns */
};

struct view { /* what of an example is seen, and where */
	struct view_axis axis[2];
	struct view_cut cut[RECIPE_AUGMENTS];
	int n_cuts;
};

PHILOX_FN void view_init(struct view *v, int h, int w)
{
	v->n_cuts = 0;
	for (int k = 0; k < 2; k++) {
		int size = k ? w : h;
		struct view_axis a = { 1, 0, 0, size, size };

		v->axis[k] = a;
	}
}

/* New index i shows what was at size - 1 - i. */
PHILOX_FN void view_flip(struct view *v, int k)
{
	struct view_axis *a = &v->axis[k];
	int lo = a->lo;

	a->off += a->sign * (a->size - 1);
	a->sign = -a->sign;
	a->lo = a->size - a->hi;
	a->hi = a->size - lo;
	for (int i = 0; i < v->n_cuts; i++) {
		int first = v->cut[i].lo[k];

		v->cut[i].lo[k] = a->size - v->cut[i].hi[k];
		v->cut[i].hi[k] = a->size - first;
	}
}

/* New index i shows what was at i + by. */
PHILOX_FN void view_shift(struct view *v, int k, int by)
{
	struct view_axis *a = &v->axis[k];

	a->off += a->sign * by;
	a->lo = a->lo - by > 0 ? a->lo - by : 0;
	a->hi = a->hi - by < a->size ? a->hi - by : a->size;
	for (int i = 0; i < v->n_cuts; i++) {
		v->cut[i].lo[k] -= by;
		v->cut[i].hi[k] -= by;
	}
}

PHILOX_FN int view_below(uint32_t u, int n) /* uniform in [0, n) up to 2^-32 n */
{
	return (int)(((uint64_t)u * (uint64_t)n) >> 32);
}

/* A square of `size` pixels a side with its centre at the fractions u[0], u[1] of the picture. */
PHILOX_FN void view_cut_out(struct view *v, int size, const uint32_t u[2])
{
	for (int k = 0; k < 2; k++) {
		int centre = view_below(u[k], v->axis[k].size);

		v->cut[v->n_cuts].lo[k] = centre - size / 2;
		v->cut[v->n_cuts].hi[k] = centre - size / 2 + size;
	}
	v->n_cuts++;
}

/* One augmentation of a recipe with the numbers drawn for it. */
PHILOX_FN void view_apply(struct view *v, int kind, int pad, int size, double p, const uint32_t u[4])
{
	bool hit = philox_real(u[0]) < p;

	switch (kind) {
	case AUGMENT_HFLIP:
		if (hit)
			view_flip(v, 1);
		break;
	case AUGMENT_VFLIP:
		if (hit)
			view_flip(v, 0);
		break;
	case AUGMENT_CROP:
		view_shift(v, 0, view_below(u[0], 2 * pad + 1) - pad);
		view_shift(v, 1, view_below(u[1], 2 * pad + 1) - pad);
		break;
	case AUGMENT_CUTOUT:
		if (hit)
			view_cut_out(v, size, u + 1);
		break;
	}
}

/* The place in the example that shows at (y, x): its index y * w + x, or -1 for what is 0. */
PHILOX_FN int view_source(const struct view *v, int y, int x)
{
	const struct view_axis *r = &v->axis[0], *c = &v->axis[1];

	if (y < r->lo || y >= r->hi || x < c->lo || x >= c->hi)
		return -1;
	for (int i = 0; i < v->n_cuts; i++)
		if (y >= v->cut[i].lo[0] && y < v->cut[i].hi[0] && x >= v->cut[i].lo[1] && x < v->cut[i].hi[1])
			return -1;
	return (r->sign * y + r->off) * c->size + c->sign * x + c->off;
}

#endif
