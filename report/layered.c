/* report/layered.c - see layered.h. */
#include "report/layered.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"

enum { SWEEPS = 8 };

/* What stands in a layer: a box, or the passage of a lane. */
struct item {
	int box;  /* -1: a passage */
	int lane; /* of a passage */
	double w, gap;
	double x;                /* middle */
	double key;              /* while ordering and placing: where it wants to be */
	int *up, *down;          /* neighbours: items of the layers above and below */
	double *up_at, *down_at; /* the neighbour's port less mine, from the middles */
	int n_up, n_down;
};

struct state {
	struct layered *l;
	struct item *items;
	int n_items, layers;
	int *first; /* of a layer in `order`; [layers] = n_items */
	int *order, *place;
	int *box_item, *lane_item; /* item of a box; of a lane's first passage */
};

/* ---- layers and lanes ------------------------------------------------------------------------------------ */

static int assign_layers(struct layered *l)
{
	int most = 0;

	for (int i = 0; i < l->n_boxes; i++)
		l->box[i].layer = 0;
	/* links are ordered by their ends, and boxes topologically: one pass is enough */
	for (int i = 0; i < l->n_links; i++) {
		struct lbox *to = &l->box[l->link[i].to];
		int at = l->box[l->link[i].from].layer + 1;

		to->layer = at > to->layer ? at : to->layer;
	}
	for (int i = 0; i < l->n_boxes; i++)
		if (!l->box[i].last)
			most = l->box[i].layer > most ? l->box[i].layer : most;
	for (int i = 0; i < l->n_boxes; i++)
		if (l->box[i].last)
			l->box[i].layer = most + 1;
	for (int i = 0; i < l->n_boxes; i++)
		most = l->box[i].layer > most ? l->box[i].layer : most;
	return most + 1;
}

static int by_end(const void *a, const void *b)
{
	const struct llink *x = a, *y = b;

	return x->to != y->to ? x->to - y->to : x->from != y->from ? x->from - y->from : x->tensor - y->tensor;
}

static int by_lane(const void *a, const void *b)
{
	const struct llink *x = *(const struct llink *const *)a, *y = *(const struct llink *const *)b;

	return x->from != y->from ? x->from - y->from : x->tensor != y->tensor ? x->tensor - y->tensor : x->to - y->to;
}

static void drop_equal(struct layered *l)
{
	int n = 0;

	qsort(l->link, (size_t)l->n_links, sizeof *l->link, by_end);
	for (int i = 0; i < l->n_links; i++)
		if (!i || by_end(&l->link[n - 1], &l->link[i]) != 0)
			l->link[n++] = l->link[i];
	l->n_links = n;
}

static int span_of(const struct layered *l, const struct llink *k)
{
	return l->box[k->to].layer - l->box[k->from].layer;
}

/* Cuts the longest links until the passages of the others (counted as if every link had its own) are few enough. */
static void cut_long(struct layered *l, int layers)
{
	int *count = ARENA_ARRAY(l->a, int, layers + 1), most = 0;
	int64_t passages = 0;

	for (int i = 0; i < l->n_links; i++)
		count[span_of(l, &l->link[i])]++;
	for (int span = 1; span < layers; span++) {
		passages += (int64_t)(span - 1) * count[span];
		if (l->passages_max && passages > l->passages_max)
			break;
		most = span;
	}
	l->cut_span = most;
	for (int i = 0; i < l->n_links; i++) {
		l->link[i].cut = span_of(l, &l->link[i]) > most;
		l->n_cut += l->link[i].cut;
	}
}

/* One lane for all links of a box with the same tensor; it reaches to the layer above its furthest end. */
static void make_lanes(struct layered *l)
{
	struct llink **sorted = ARENA_ARRAY(l->a, struct llink *, l->n_links + 1);
	struct lane *lane = NULL;

	l->lanes = ARENA_ARRAY(l->a, struct lane, l->n_links + 1);
	l->lane_of = ARENA_ARRAY(l->a, int, l->n_links + 1);
	for (int i = 0; i < l->n_links; i++)
		sorted[i] = &l->link[i];
	qsort(sorted, (size_t)l->n_links, sizeof *sorted, by_lane);
	for (int i = 0; i < l->n_links; i++) {
		const struct llink *k = sorted[i];
		int span = span_of(l, k);

		l->lane_of[k - l->link] = -1;
		if (k->cut)
			continue;
		if (!lane || lane->from != k->from || lane->tensor != k->tensor) {
			lane = &l->lanes[l->n_lanes++];
			*lane = (struct lane){ .from = k->from, .tensor = k->tensor };
		}
		lane->n_stops = span > lane->n_stops ? span : lane->n_stops;
		l->lane_of[k - l->link] = (int)(lane - l->lanes);
	}
	for (int i = 0; i < l->n_lanes; i++)
		l->lanes[i].stop = ARENA_ARRAY(l->a, struct lpoint, l->lanes[i].n_stops);
}

/* ---- items ------------------------------------------------------------------------------------------------ */

static void make_items(struct state *s)
{
	struct layered *l = s->l;
	int n = l->n_boxes, at = 0;

	for (int i = 0; i < l->n_lanes; i++)
		n += l->lanes[i].n_stops - 1;
	s->items = ARENA_ARRAY(l->a, struct item, n + 1);
	s->order = ARENA_ARRAY(l->a, int, n + 1);
	s->place = ARENA_ARRAY(l->a, int, n + 1);
	s->first = ARENA_ARRAY(l->a, int, s->layers + 2);
	s->box_item = ARENA_ARRAY(l->a, int, l->n_boxes + 1);
	s->lane_item = ARENA_ARRAY(l->a, int, l->n_lanes + 1);
	for (int i = 0; i < l->n_boxes; i++) {
		s->box_item[i] = at;
		s->items[at++] = (struct item){ .box = i, .w = l->box[i].w, .gap = l->gap_x };
	}
	for (int i = 0; i < l->n_lanes; i++) {
		s->lane_item[i] = at;
		for (int k = 1; k < l->lanes[i].n_stops; k++)
			s->items[at++] = (struct item){ .box = -1, .lane = i, .w = 1, .gap = l->lane_gap };
	}
	s->n_items = n;
}

static int layer_of(const struct state *s, int item)
{
	const struct item *t = &s->items[item];

	if (t->box >= 0)
		return s->l->box[t->box].layer;
	return s->l->box[s->l->lanes[t->lane].from].layer + 1 + item - s->lane_item[t->lane];
}

/* Boxes first in their order, so that what continues the main line stays left of what passes by. */
static void fill_layers(struct state *s)
{
	int *count = ARENA_ARRAY(s->l->a, int, s->layers + 1);

	for (int i = 0; i < s->n_items; i++)
		s->first[layer_of(s, i) + 1]++;
	for (int k = 0; k < s->layers; k++)
		s->first[k + 1] += s->first[k];
	for (int i = 0; i < s->n_items; i++) {
		int k = layer_of(s, i);

		s->place[i] = count[k]++;
		s->order[s->first[k] + s->place[i]] = i;
	}
}

struct joint { /* two items of neighbouring layers */
	int above, below;
	double above_at, below_at; /* ports, from the middles */
};

static int list_joints(const struct state *s, struct joint *out)
{
	const struct layered *l = s->l;
	int n = 0;

	for (int i = 0; i < l->n_lanes; i++)
		for (int k = 1; k < l->lanes[i].n_stops; k++) {
			int passage = s->lane_item[i] + k - 1;
			int from = k == 1 ? s->box_item[l->lanes[i].from] : passage - 1;

			out[n++] = (struct joint){ from, passage, 0, 0 };
		}
	for (int i = 0; i < l->n_links; i++) {
		const struct llink *k = &l->link[i];
		int lane = l->lane_of[i], span = span_of(l, k), from;

		if (k->cut)
			continue;
		from = span == 1 ? s->box_item[k->from] : s->lane_item[lane] + span - 2;

		out[n++] = (struct joint){ from, s->box_item[k->to], span == 1 ? k->out_at - l->box[k->from].w / 2 : 0,
					   k->in_at - l->box[k->to].w / 2 };
	}
	return n;
}

static void join_items(struct state *s)
{
	struct joint *joints = ARENA_ARRAY(s->l->a, struct joint, s->n_items + s->l->n_links + 1);
	int n = list_joints(s, joints);

	for (int i = 0; i < n; i++) {
		s->items[joints[i].above].n_down++;
		s->items[joints[i].below].n_up++;
	}
	for (int i = 0; i < s->n_items; i++) {
		struct item *t = &s->items[i];

		t->up = ARENA_ARRAY(s->l->a, int, t->n_up + 1);
		t->up_at = ARENA_ARRAY(s->l->a, double, t->n_up + 1);
		t->down = ARENA_ARRAY(s->l->a, int, t->n_down + 1);
		t->down_at = ARENA_ARRAY(s->l->a, double, t->n_down + 1);
		t->n_up = t->n_down = 0;
	}
	for (int i = 0; i < n; i++) {
		struct item *a = &s->items[joints[i].above], *b = &s->items[joints[i].below];
		double shift = joints[i].above_at - joints[i].below_at;

		a->down_at[a->n_down] = -shift;
		a->down[a->n_down++] = joints[i].below;
		b->up_at[b->n_up] = shift;
		b->up[b->n_up++] = joints[i].above;
	}
}

/* ---- order within the layers ------------------------------------------------------------------------------ */

static _Thread_local const struct item *sorted_items;

static int by_key(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;
	double d = sorted_items[x].key - sorted_items[y].key;

	return d < 0 ? -1 : d > 0 ? 1 : x - y;
}

/* Mean place of the neighbours above (or below), as a share of their layer; its own place if it has none. */
static void key_of(struct state *s, struct item *t, bool up, double own)
{
	int n = up ? t->n_up : t->n_down, *of = up ? t->up : t->down;
	double sum = 0;

	for (int i = 0; i < n; i++)
		sum += s->items[of[i]].x;
	t->key = n ? sum / n : own;
}

static void order_layer(struct state *s, int layer, bool up)
{
	int first = s->first[layer], n = s->first[layer + 1] - first;

	for (int i = 0; i < n; i++)
		key_of(s, &s->items[s->order[first + i]], up, s->items[s->order[first + i]].x);
	sorted_items = s->items;
	qsort(s->order + first, (size_t)n, sizeof *s->order, by_key);
	for (int i = 0; i < n; i++)
		s->items[s->order[first + i]].x = (i + 0.5) / n;
}

static void order_items(struct state *s)
{
	for (int k = 0; k < s->layers; k++)
		for (int i = s->first[k]; i < s->first[k + 1]; i++)
			s->items[s->order[i]].x = (i - s->first[k] + 0.5) / (s->first[k + 1] - s->first[k]);
	for (int sweep = 0; sweep < SWEEPS; sweep++)
		for (int k = 1; k < s->layers; k++)
			order_layer(s, sweep % 2 ? s->layers - 1 - k : k, sweep % 2 == 0);
}

/* ---- places along the layers ------------------------------------------------------------------------------- */

static double separation(const struct item *a, const struct item *b)
{
	return a->w / 2 + b->w / 2 + fmax(a->gap, b->gap);
}

/* Least squares to the wishes `key` under x[i + 1] >= x[i] + separation: pools of neighbours that touch move as one. */
static void settle_layer(struct state *s, int layer, double *pool, double *weight, int *size)
{
	int first = s->first[layer], n = s->first[layer + 1] - first, pools = 0;
	double offset = 0;

	for (int i = 0; i < n; i++) {
		struct item *t = &s->items[s->order[first + i]];

		if (i)
			offset += separation(&s->items[s->order[first + i - 1]], t);
		pool[pools] = t->key - offset;
		weight[pools] = t->box < 0 ? 4 : 1 + t->n_up + t->n_down;
		size[pools++] = 1;
		while (pools > 1 && pool[pools - 2] >= pool[pools - 1]) {
			double w = weight[pools - 2] + weight[pools - 1];

			pool[pools - 2] =
			    (pool[pools - 2] * weight[pools - 2] + pool[pools - 1] * weight[pools - 1]) / w;
			weight[pools - 2] = w;
			size[pools - 2] += size[pools - 1];
			pools--;
		}
	}
	offset = 0;
	for (int p = 0, i = 0; p < pools; p++)
		for (int k = 0; k < size[p]; k++, i++) {
			struct item *t = &s->items[s->order[first + i]];

			if (i)
				offset += separation(&s->items[s->order[first + i - 1]], t);
			t->x = pool[p] + offset;
		}
}

enum { UP = 1, DOWN = 2 };

static void wish(struct state *s, struct item *t, int sides)
{
	double sum = 0;
	int n = 0;

	for (int i = 0; (sides & UP) && i < t->n_up; i++, n++)
		sum += s->items[t->up[i]].x + t->up_at[i];
	for (int i = 0; (sides & DOWN) && i < t->n_down; i++, n++)
		sum += s->items[t->down[i]].x + t->down_at[i];
	t->key = n ? sum / n : t->x;
}

/* Down and up in turn, then towards all neighbours, at last once more down: so chains are straight. */
static void place_items(struct state *s)
{
	double *pool = ARENA_ARRAY(s->l->a, double, s->n_items + 1),
	       *weight = ARENA_ARRAY(s->l->a, double, s->n_items + 1);
	int *size = ARENA_ARRAY(s->l->a, int, s->n_items + 1);

	for (int i = 0; i < s->n_items; i++)
		s->items[i].x = 0;
	for (int sweep = 0; sweep <= 2 * SWEEPS; sweep++)
		for (int k = 0; k < s->layers; k++) {
			int sides = sweep == 2 * SWEEPS ? UP : sweep >= SWEEPS ? UP | DOWN : sweep % 2 ? DOWN : UP;
			int layer = sweep % 2 == 0 ? k : s->layers - 1 - k;

			for (int i = s->first[layer]; i < s->first[layer + 1]; i++)
				wish(s, &s->items[s->order[i]], sides);
			settle_layer(s, layer, pool, weight, size);
		}
}

/* ---- results ----------------------------------------------------------------------------------------------- */

static void place_boxes(struct state *s, double *top, double *bottom)
{
	struct layered *l = s->l;
	double least = INFINITY, most = -INFINITY, y = 0;

	for (int i = 0; i < s->n_items; i++) {
		least = fmin(least, s->items[i].x - s->items[i].w / 2);
		most = fmax(most, s->items[i].x + s->items[i].w / 2);
	}
	for (int k = 0; k < s->layers; k++) {
		double h = 0;

		for (int i = s->first[k]; i < s->first[k + 1]; i++)
			if (s->items[s->order[i]].box >= 0)
				h = fmax(h, l->box[s->items[s->order[i]].box].h);
		top[k] = y;
		bottom[k] = y + h;
		y += h + l->gap_y;
	}
	for (int i = 0; i < s->n_items; i++)
		s->items[i].x -= least;
	for (int i = 0; i < l->n_boxes; i++) {
		l->box[i].x = s->items[s->box_item[i]].x - l->box[i].w / 2;
		l->box[i].y = top[l->box[i].layer];
	}
	l->width = most - least;
	l->height = y - l->gap_y;
}

static void place_lanes(struct state *s, const double *top, const double *bottom)
{
	struct layered *l = s->l;

	for (int i = 0; i < l->n_links; i++) {
		const struct lbox *from = &l->box[l->link[i].from];

		if (!l->link[i].cut)
			l->lanes[l->lane_of[i]].stop[0] =
			    (struct lpoint){ from->x + l->link[i].out_at, from->y + from->h, bottom[from->layer] };
	}
	for (int i = 0; i < l->n_lanes; i++)
		for (int k = 1; k < l->lanes[i].n_stops; k++) {
			int layer = l->box[l->lanes[i].from].layer + k;

			l->lanes[i].stop[k] =
			    (struct lpoint){ s->items[s->lane_item[i] + k - 1].x, top[layer], bottom[layer] };
		}
}

void layered_place(struct layered *l)
{
	struct state s = { .l = l };
	double *top, *bottom;

	drop_equal(l);
	s.layers = assign_layers(l);
	cut_long(l, s.layers);
	make_lanes(l);
	make_items(&s);
	fill_layers(&s);
	join_items(&s);
	order_items(&s);
	place_items(&s);
	top = ARENA_ARRAY(l->a, double, s.layers + 1);
	bottom = ARENA_ARRAY(l->a, double, s.layers + 1);
	place_boxes(&s, top, bottom);
	place_lanes(&s, top, bottom);
}
