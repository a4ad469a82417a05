/* report/map.c - see map.h.
 *
 * A model is known by a key: the architecture's hash, or what decides its predictions. The cache keeps keys with their
 * places, and for the first MAP_WHOLE of them their distances. A model that the cache knows but the report does not
 * show is looked up in the store when a distance from it is needed.
 */
#include "report/map.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mds.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/gather.h"
#include "store/cache.h"

enum { METHOD = 1 }; /* of distances and layout: a change makes old caches useless */

/* Where a model's graph or predictions are found. */
struct source {
	char key[HASH_TEXT]; /* "": it has none */
	int64_t model, run;
	int64_t age;               /* of equal keys the first one counts */
	const struct graph *graph; /* may be NULL: in the store */
};

struct work {
	const struct report *r;
	enum map_metric metric;
	struct arena *a;
	char name[96];        /* of the map in the cache */
	struct source *row;   /* [r->n_rows] */
	struct source *known; /* by key, each once */
	int n_known;
	struct cached_map m;
	int *number; /* [m.n]: in d, or -1 */
	struct distances *d;
	double *tri;
	int64_t computed;
};

/* ---- keys ----------------------------------------------------------------------------------------------- */

static void predictions_key(char key[HASH_TEXT], const struct report *r, const struct store_item *t)
{
	struct hasher *h = hasher_new();
	double v[3] = { t->result.val_loss, t->result.val_accuracy, (double)r->n_validation };

	hasher_add(h, t->run.identity, strlen(t->run.identity));
	hasher_add(h, v, sizeof v);
	hasher_add(h, r->data.digest ? r->data.digest : "", r->data.digest ? strlen(r->data.digest) : 0);
	hash_text(key, hasher_done(h));
}

static struct source source_of(const struct report *r, enum map_metric metric, const struct store_item *t)
{
	struct source s = { .model = t->model, .run = t->run.id, .age = t->run.id };

	if (metric != MAP_PREDICTIONS)
		snprintf(s.key, sizeof s.key, "%s", t->model_hash ? t->model_hash : "");
	else if (t->run.state == STATE_DONE && t->run.identity)
		predictions_key(s.key, r, t);
	return s;
}

/* Of a row: its architecture, or its first finished seed. */
static struct source row_source(const struct report *r, enum map_metric metric, const struct report_row *w)
{
	struct source s = { .key = "" };

	for (int i = 0; i < w->n_runs && !s.key[0]; i++)
		s = source_of(r, metric, &w->runs[i].item);
	s.graph = w->graph;
	return s;
}

static int by_key(const void *a, const void *b)
{
	const struct source *x = a, *y = b;
	int order = strcmp(x->key, y->key);

	return order ? order : x->age < y->age ? -1 : x->age > y->age;
}

static int by_age(const void *a, const void *b)
{
	const struct source *x = a, *y = b;

	return x->age < y->age ? -1 : x->age > y->age;
}

/* Sorts by key and keeps the first of each. */
static int unique(struct source *s, int n)
{
	int kept = 0;

	if (n)
		qsort(s, (size_t)n, sizeof *s, by_key);
	for (int i = 0; i < n; i++)
		if (s[i].key[0] && (!kept || strcmp(s[kept - 1].key, s[i].key) != 0))
			s[kept++] = s[i];
	return kept;
}

static const struct source *find(const struct source *s, int n, const char *key)
{
	int lo = 0, hi = n;

	while (lo < hi) {
		int mid = (lo + hi) / 2, order = strcmp(s[mid].key, key);

		if (order == 0)
			return &s[mid];
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* ---- graphs and predictions ----------------------------------------------------------------------------- */

/* Adds a model to the distances. Its number there, -1 if there is nothing to compare, -2 with e. */
static int add_graph(struct work *w, const struct source *s, struct arena *scratch, struct err *e)
{
	const struct graph *g = s->graph;
	struct store_model m;
	int at;

	if (!g && store_model_get(w->r->store, s->model, &m, scratch, e) < 0)
		return -2;
	g = g ? g : gather_graph(&m, scratch);
	if (!g)
		return -1;
	at = distances_add_graph(w->d, g, e);
	return at < 0 ? -2 : at;
}

static int add_predictions(struct work *w, const struct source *s, struct arena *scratch, struct err *e)
{
	struct store_evaluation v;
	int found = store_evaluation_get(w->r->store, s->run, 1, &v, scratch, e), at;

	if (found < 0)
		return -2;
	if (!found || !v.predicted || v.n != w->r->n_validation || v.n < 1)
		return -1;
	at = distances_add_predictions(w->d, v.predicted, v.n, e);
	return at < 0 ? -2 : at;
}

static int add(struct work *w, const struct source *s, struct err *e)
{
	struct arena *scratch = arena_new();
	int at = w->metric == MAP_PREDICTIONS ? add_predictions(w, s, scratch, e) : add_graph(w, s, scratch, e);

	arena_free(scratch);
	return at;
}

/* All models of the store, for those that the cache knows and the report does not show. */
static int know_all(struct work *w, struct err *e)
{
	struct store_query q = { 0 };
	struct store_item *items;
	int n;

	if (store_list(w->r->store, &q, &items, &n, w->a, e) < 0)
		return -1;
	w->known = ARENA_ARRAY(w->a, struct source, n + 1);
	for (int i = 0; i < n; i++)
		w->known[i] = source_of(w->r, w->metric, &items[i]);
	w->n_known = unique(w->known, n);
	return 0;
}

/* Makes the kept models i with need[i] (NULL: all) ready for comparison. 0 if one cannot be had any more. */
static int load_kept(struct work *w, int n, bool (*need)(const struct cached_model *), struct err *e)
{
	bool all = false;

	for (int i = 0; i < n; i++) {
		const struct source *s;

		if (w->number[i] >= 0 || (need && !need(&w->m.model[i])))
			continue;
		s = find(w->known, w->n_known, w->m.model[i].key);
		if (!s && !all) {
			if (know_all(w, e) < 0)
				return -1;
			all = true;
			s = find(w->known, w->n_known, w->m.model[i].key);
		}
		w->number[i] = s ? add(w, s, e) : -1;
		if (w->number[i] == -2)
			return -1;
		if (w->number[i] < 0)
			return 0;
	}
	return 1;
}

/* ---- new models ----------------------------------------------------------------------------------------- */

/* Appends the models of the report that the cache does not know, oldest first. Returns their number, or -1. */
static int append_new(struct work *w, struct err *e)
{
	struct source *fresh = ARENA_ARRAY(w->a, struct source, w->n_known + 1), *kept;
	struct cached_model *more = ARENA_ARRAY(w->a, struct cached_model, w->m.n + w->n_known + 1);
	int *number = ARENA_ARRAY(w->a, int, w->m.n + w->n_known + 1), n = 0, before = w->m.n;

	kept = ARENA_ARRAY(w->a, struct source, before + 1);
	for (int i = 0; i < before; i++) {
		memcpy(kept[i].key, w->m.model[i].key, sizeof kept[i].key);
		number[i] = -1;
	}
	if (before) {
		memcpy(more, w->m.model, (size_t)before * sizeof *more);
		qsort(kept, (size_t)before, sizeof *kept, by_key);
	}
	for (int i = 0; i < w->n_known; i++)
		if (!find(kept, before, w->known[i].key))
			fresh[n++] = w->known[i];
	if (n)
		qsort(fresh, (size_t)n, sizeof *fresh, by_age);
	w->m.model = more;
	w->number = number;
	for (int i = 0; i < n; i++) {
		int at = add(w, &fresh[i], e);

		if (at == -2)
			return -1;
		if (at < 0)
			continue; /* nothing to compare: it stays without a place */
		number[w->m.n] = at;
		more[w->m.n] = (struct cached_model){ .x = NAN, .y = NAN };
		memcpy(more[w->m.n++].key, fresh[i].key, sizeof fresh[i].key);
	}
	return w->m.n - before;
}

/* ---- layout --------------------------------------------------------------------------------------------- */

static int count_base(const struct cached_map *m)
{
	int n = 0;

	for (int i = 0; i < m->n; i++)
		n += m->model[i].base;
	return n;
}

static bool in_base(const struct cached_model *m)
{
	return m->base;
}

/* The points of the models list[0..n) as they were: those that had one, with its number in the list. */
static int old_points(const struct work *w, const int *list, int n, double (*old)[2], int *which)
{
	int found = 0;

	for (int i = 0; i < n; i++)
		if (!isnan(w->m.model[list[i]].x)) {
			old[found][0] = w->m.model[list[i]].x;
			old[found][1] = w->m.model[list[i]].y;
			which[found++] = i;
		}
	return found;
}

/* Turns a new layout x[n] so that what had a place moves little. */
static void keep_in_place(const struct work *w, const int *list, double (*x)[2], int n)
{
	double(*old)[2] = mem_new((size_t)(n + 1) * sizeof *old), (*now)[2] = mem_new((size_t)(n + 1) * sizeof *now);
	int *which = mem_new((size_t)(n + 1) * sizeof *which), found = old_points(w, list, n, old, which);

	for (int i = 0; i < found; i++)
		memcpy(now[i], x[which[i]], sizeof now[i]);
	if (found > 1)
		mds_align(now, (const double(*)[2])old, found, x, n);
	mem_free(which);
	mem_free(now);
	mem_free(old);
}

/* Lays out the models list[0..n) of which d[n * n] are the distances. */
static int lay_out(struct work *w, const int *list, const double *d, int n, struct err *e)
{
	double(*x)[2] = mem_new((size_t)(n + 1) * sizeof *x), (*c)[2] = mem_new((size_t)(n + 1) * sizeof *c);
	double *squares = mem_new((size_t)(n + 1) * sizeof *squares), raw = 0;
	int rc = mds_map(x, c, d, n, &raw, e);

	if (rc == 0) {
		keep_in_place(w, list, x, n);
		mds_squares(squares, d, n);
		w->m.stress = mds_stress1(raw, d, n);
		for (int i = 0; i < w->m.n; i++)
			w->m.model[i].base = false;
	}
	for (int i = 0; i < n && rc == 0; i++) {
		struct cached_model *p = &w->m.model[list[i]];

		p->base = true;
		p->x = x[i][0];
		p->y = x[i][1];
		p->cx = c[i][0];
		p->cy = c[i][1];
		p->square = squares[i];
	}
	mem_free(squares);
	mem_free(c);
	mem_free(x);
	return rc;
}

/* What new models are placed by: the base as it lies there. */
struct frame {
	int n, *list;
	double (*x)[2], (*y)[2], *squares, *to;
	struct mds_base base;
	double move[3][2]; /* where the classical solution's (0, 0), (1, 0) and (0, 1) are on the map */
};

static void frame_init(struct frame *f, const struct work *w)
{
	double(*c)[2] = mem_new((size_t)(w->m.n + 1) * sizeof *c);

	memset(f, 0, sizeof *f);
	f->list = ARENA_ARRAY(w->a, int, w->m.n + 1);
	f->x = arena_alloc(w->a, (size_t)(w->m.n + 1) * sizeof *f->x);
	f->y = arena_alloc(w->a, (size_t)(w->m.n + 1) * sizeof *f->y);
	f->squares = ARENA_ARRAY(w->a, double, w->m.n + 1);
	f->to = ARENA_ARRAY(w->a, double, w->m.n + 1);
	for (int i = 0; i < w->m.n; i++) {
		const struct cached_model *p = &w->m.model[i];

		if (!p->base)
			continue;
		f->x[f->n][0] = p->x;
		f->x[f->n][1] = p->y;
		c[f->n][0] = f->y[f->n][0] = p->cx;
		c[f->n][1] = f->y[f->n][1] = p->cy;
		f->squares[f->n] = p->square;
		f->list[f->n++] = i;
	}
	mds_base(&f->base, (const double(*)[2])f->y, f->squares, f->n);
	f->move[1][0] = f->move[2][1] = 1;
	mds_align(c, (const double(*)[2])f->x, f->n, f->move, 3);
	mem_free(c);
}

/* Gower's point, brought from the classical solution to the map, then settled among the points there. */
static void place(const struct frame *f, struct cached_model *m, const double *to)
{
	double c[2], point[2];

	mds_place(c, &f->base, to);
	for (int k = 0; k < 2; k++)
		point[k] =
		    f->move[0][k] + c[0] * (f->move[1][k] - f->move[0][k]) + c[1] * (f->move[2][k] - f->move[0][k]);
	mds_settle(point, (const double(*)[2])f->x, to, f->n);
	m->x = point[0];
	m->y = point[1];
}

static void place_from(struct work *w, int from)
{
	struct frame f;

	frame_init(&f, w);
	for (int i = from; i < w->m.n; i++) {
		for (int k = 0; k < f.n && w->tri; k++)
			f.to[k] = triangle_get(w->tri, i, f.list[k]);
		if (!w->tri) {
			int *number = mem_new((size_t)(f.n + 1) * sizeof *number);

			for (int k = 0; k < f.n; k++)
				number[k] = w->number[f.list[k]];
			distances_from(w->d, f.to, w->number[i], number, f.n);
			w->computed += f.n;
			mem_free(number);
		}
		place(&f, &w->m.model[i], f.to);
	}
}

/* ---- up to MAP_WHOLE models: all distances -------------------------------------------------------------- */

static int lay_out_all(struct work *w, struct err *e)
{
	int n = w->m.n, *list = ARENA_ARRAY(w->a, int, n + 1), rc;
	size_t bytes = (size_t)n * (size_t)n * sizeof(double);
	double *d = block_new(bytes);

	if (!d)
		return ERR(e, ERR_RUNTIME, NULL, "there is no memory for a map of %d models", n);
	for (int i = 0; i < n; i++) {
		list[i] = i;
		for (int k = 0; k < n; k++)
			d[(size_t)i * (size_t)n + (size_t)k] = triangle_get(w->tri, i, k);
	}
	rc = lay_out(w, list, d, n, e);
	block_free(d, bytes);
	return rc;
}

/* 1: done; 0: what was kept is of no use; -1: e. */
static int update_whole(struct work *w, struct cache *c, int before, bool again, struct err *e)
{
	int loaded = load_kept(w, before, NULL, e);

	if (loaded <= 0)
		return loaded;
	w->tri = ARENA_ARRAY(w->a, double, triangle_at(w->m.n, 0) + 1);
	w->m.n_rows = before;
	if (!cache_distances(c, w->name, &w->m, w->tri))
		return 0;
	distances_rows(w->d, w->tri, w->number, before, w->m.n);
	w->computed += triangle_at(w->m.n, 0) - triangle_at(before, 0);
	w->m.n_rows = w->m.n;
	if (again && lay_out_all(w, e) < 0)
		return -1;
	if (!again)
		place_from(w, before);
	cache_write(c, w->name, &w->m, again ? 0 : before, w->tri, again ? 0 : before);
	return 1;
}

/* ---- beyond: landmarks ---------------------------------------------------------------------------------- */

/* Landmark k is the model farthest from those before it; far[k * n + i]: its distance from model i. Returns their
 * number: fewer than asked for if all others are at distance 0. */
static int pick_landmarks(struct work *w, int *list, double *far, int most)
{
	int n = w->m.n, next = 0, found = 0;
	double *nearest = mem_new((size_t)n * sizeof *nearest);

	for (int i = 0; i < n; i++)
		nearest[i] = INFINITY;
	while (found < most && nearest[next] > 0) {
		double *to = far + (size_t)found * (size_t)n;

		list[found++] = next;
		distances_from(w->d, to, w->number[next], w->number, n);
		w->computed += n - found;
		nearest[next] = 0;
		for (int i = 0; i < n; i++)
			nearest[i] = fmin(nearest[i], to[i]);
		next = 0;
		for (int i = 1; i < n; i++)
			next = nearest[i] > nearest[next] ? i : next;
	}
	mem_free(nearest);
	return found;
}

/* The landmarks come first, in their order: their distances are what is kept. was[i]: the number of model i before. */
static void landmarks_first(struct work *w, const int *list, int found, int *was)
{
	struct cached_model *m = ARENA_ARRAY(w->a, struct cached_model, w->m.n);
	bool *taken = ARENA_ARRAY(w->a, bool, w->m.n);
	int n = found;

	for (int i = 0; i < found; i++) {
		was[i] = list[i];
		taken[list[i]] = true;
	}
	for (int i = 0; i < w->m.n; i++)
		if (!taken[i])
			was[n++] = i;
	for (int i = 0; i < n; i++)
		m[i] = w->m.model[was[i]];
	w->m.model = m;
	w->m.n_rows = found;
}

static int lay_out_landmarks(struct work *w, const double *far, const int *was, struct err *e)
{
	int found = w->m.n_rows, *list = ARENA_ARRAY(w->a, int, found), rc;
	size_t n = (size_t)w->m.n;
	double *d = mem_new((size_t)found * (size_t)found * sizeof *d);
	struct frame f;

	w->tri = ARENA_ARRAY(w->a, double, triangle_at(found, 0) + 1);
	for (int i = 0; i < found; i++) {
		list[i] = i;
		for (int k = 0; k < i; k++) {
			double v = far[(size_t)k * n + (size_t)was[i]];

			w->tri[triangle_at(i, k)] = d[i * found + k] = d[k * found + i] = v;
		}
	}
	rc = lay_out(w, list, d, found, e);
	mem_free(d);
	if (rc < 0)
		return -1;
	frame_init(&f, w);
	for (int i = found; i < w->m.n; i++) {
		for (int k = 0; k < found; k++)
			f.to[k] = far[(size_t)k * n + (size_t)was[i]];
		place(&f, &w->m.model[i], f.to);
	}
	return 0;
}

static int update_far_again(struct work *w, struct cache *c, int before, struct err *e)
{
	int most = MAP_SETTLED, loaded = load_kept(w, before, NULL, e), *list, *was, rc;
	size_t bytes = (size_t)most * (size_t)w->m.n * sizeof(double);
	double *far;

	if (loaded <= 0)
		return loaded;
	far = block_new(bytes);
	if (!far)
		return ERR(e, ERR_RUNTIME, NULL, "there is no memory for a map of %d models", w->m.n);
	list = ARENA_ARRAY(w->a, int, most);
	was = ARENA_ARRAY(w->a, int, w->m.n);
	landmarks_first(w, list, pick_landmarks(w, list, far, most), was);
	rc = lay_out_landmarks(w, far, was, e);
	block_free(far, bytes);
	if (rc < 0)
		return -1;
	cache_write(c, w->name, &w->m, 0, w->tri, 0);
	return 1;
}

static int update_far(struct work *w, struct cache *c, int before, bool again, struct err *e)
{
	int loaded;

	if (again)
		return update_far_again(w, c, before, e);
	loaded = load_kept(w, before, in_base, e);
	if (loaded <= 0)
		return loaded;
	place_from(w, before);
	cache_write(c, w->name, &w->m, before, NULL, w->m.n_rows);
	return 1;
}

/* ---- the map -------------------------------------------------------------------------------------------- */

static int update(struct work *w, struct cache *c, struct err *e)
{
	struct distance_opts o = { .metric = w->metric };
	int before = w->m.n, base = count_base(&w->m), fresh;
	bool again;

	w->d = distances_new(&o, w->a);
	fresh = append_new(w, e);
	if (fresh < 0)
		return -1;
	if (fresh == 0)
		return 1;
	again = base < MAP_SETTLED && w->m.n > 2 * base;
	return w->m.n <= MAP_WHOLE ? update_whole(w, c, before, again, e) : update_far(w, c, before, again, e);
}

/* Brings the kept map up to date; one that cannot be continued is forgotten. */
static int bring_up(struct work *w, struct cache *c, struct err *e)
{
	struct source *mine = w->known;
	int n_mine = w->n_known, rc;

	cache_read(c, w->name, &w->m, w->a);
	rc = update(w, c, e);
	if (rc != 0)
		return rc;
	w->known = mine;
	w->n_known = n_mine;
	w->m = (struct cached_map){ .generation = w->m.generation };
	w->tri = NULL;
	rc = update(w, c, e);
	assert(rc != 0);
	return rc;
}

static const char *describe(const struct work *w, const struct map *m, const char *trouble)
{
	struct str t = { 0 };
	const char *out;

	if (w->metric == MAP_STRUCTURE)
		str_add(&t, "Near: built alike (OTMANN distance, normalised, preset nab).");
	else if (w->metric == MAP_LAYERS)
		str_add(&t, "Near: few layers to insert, delete or exchange for another kind.");
	else
		str_addf(
		    &t,
		    "Near: the same classes for most of the %lld validation examples, by the first finished seed of "
		    "each model. (REMAP used its test set for this.)",
		    (long long)w->r->n_validation);
	if (m->n_placed > m->n_landmarks)
		str_addf(&t, " %d of %d models were laid out together, the others placed among them.", m->n_landmarks,
			 m->n_placed);
	if (m->n_placed < m->n)
		str_addf(&t, " %d of %d models have no place: %s.", m->n - m->n_placed, m->n,
			 w->metric == MAP_PREDICTIONS ? "there are no predictions of theirs" : "they cannot be read");
	if (m->n_placed)
		str_addf(&t, " Stress %.2f.", m->stress);
	if (trouble[0])
		str_addf(&t, " Note: %s.", trouble);
	out = arena_strdup(w->a, str_get(&t));
	str_release(&t);
	return out;
}

static void hand_out(struct work *w, struct map *m)
{
	struct source *place = mem_new((size_t)(w->m.n + 1) * sizeof *place);

	for (int i = 0; i < w->m.n; i++) {
		memcpy(place[i].key, w->m.model[i].key, sizeof place[i].key);
		place[i].age = i;
	}
	if (w->m.n)
		qsort(place, (size_t)w->m.n, sizeof *place, by_key);
	for (int i = 0; i < m->n; i++) {
		const struct source *s = w->row[i].key[0] ? find(place, w->m.n, w->row[i].key) : NULL;
		const struct cached_model *p = s ? &w->m.model[s->age] : NULL;

		m->x[i] = p ? p->x : (double)NAN;
		m->y[i] = p ? p->y : (double)NAN;
		m->n_placed += p != NULL;
		m->n_landmarks += p && p->base;
	}
	mem_free(place);
}

int map_models(struct map **out, const struct report *r, enum map_metric metric, const char *cache, struct arena *a,
	       struct err *e)
{
	struct work w = { .r = r, .metric = metric, .a = a };
	struct map *m = ARENA_NEW(a, struct map);
	char trouble[240] = "";
	struct cache *c = cache ? cache_open(cache, trouble, sizeof trouble) : NULL;
	int rc;

	snprintf(w.name, sizeof w.name, "%s %d", map_metric_names[metric], METHOD);
	if (metric == MAP_PREDICTIONS)
		snprintf(w.name + strlen(w.name), sizeof w.name - strlen(w.name), " %.40s",
			 r->data.digest ? r->data.digest : "");
	w.row = ARENA_ARRAY(a, struct source, r->n_rows + 1);
	w.known = ARENA_ARRAY(a, struct source, r->n_rows + 1);
	for (int i = 0; i < r->n_rows; i++)
		w.known[i] = w.row[i] = row_source(r, metric, &r->rows[i]);
	w.n_known = unique(w.known, r->n_rows);
	rc = bring_up(&w, c, e);
	cache_close(c);
	if (rc < 0)
		return -1;
	*m = (struct map){ .metric = metric,
			   .n = r->n_rows,
			   .x = ARENA_ARRAY(a, double, r->n_rows + 1),
			   .y = ARENA_ARRAY(a, double, r->n_rows + 1),
			   .stress = w.m.stress,
			   .computed = w.computed };
	hand_out(&w, m);
	m->note = describe(&w, m, trouble);
	*out = m;
	return 0;
}
