/* report/advice.c - see advice.h. */
#include "report/advice.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

const char *const advice_kind_names[] = { "prune",  "duplicate", "drop",        "keep",
					  "unsure", "capacity",  "interaction", NULL };
_Static_assert(sizeof advice_kind_names / sizeof *advice_kind_names == ADVICE_KIND_COUNT + 1, "a name per kind");

static const double level = 0.05;

struct adviser {
	const struct comparison *c;
	const struct advice_row *rows;
	const struct advice_opts *o;
	struct arena *arena;
	struct advice *items;
	int n, cap;
};

static void add(struct adviser *v, enum advice_kind kind, const char *text, const char *command)
{
	GROW(v->items, v->n, v->cap);
	v->items[v->n++] = (struct advice){ kind, text, command };
}

static bool measured(const struct compare_row *r)
{
	return r->n_paired > 0 && !isnan(r->effect.mean);
}

static bool significant(const struct compare_row *r)
{
	return !isnan(r->p_holm) ? r->p_holm < level : r->effect.low > 0 || r->effect.high < 0;
}

/* Not one prediction differs, with any seed. */
static bool identical(const struct compare_row *r)
{
	const struct stats_effect *f = &r->effect;

	return f->mean == 0 && f->seed == 0 && f->example == 0 && f->rest == 0 && f->low >= -0.005 && f->high <= 0.005;
}

/* "-0.02 points (-0.31 to +0.27)" */
static const char *evidence(struct adviser *v, const struct stats_effect *f)
{
	const struct metric *m = v->c->metric;
	char mean[METRIC_TEXT], low[METRIC_TEXT], high[METRIC_TEXT];

	return arena_printf(v->arena, "%s%s (%s to %s)", metric_change(mean, m, f->mean), m->points,
			    metric_change(low, m, f->low), metric_change(high, m, f->high));
}

/* ", saves 4,640 parameters and 227,360 multiply-adds" */
static const char *sizes(struct adviser *v, const struct compare_row *r)
{
	int64_t params = v->c->rows[0].params - r->params, macs = v->c->rows[0].macs - r->macs;
	const char *verb = params < 0 ? "costs" : "saves", *other = macs < 0 ? "costs" : "saves";
	char a[32], b[32];

	if (!params && !macs)
		return "";
	str_thousands(a, llabs((long long)params));
	str_thousands(b, llabs((long long)macs));
	if (!params)
		return arena_printf(v->arena, ", %s %s multiply-adds", other, b);
	if (!macs)
		return arena_printf(v->arena, ", %s %s parameters", verb, a);
	return arena_printf(v->arena, ", %s %s parameters and %s%s%s multiply-adds", verb, a,
			    strcmp(verb, other) ? other : "", strcmp(verb, other) ? " " : "", b);
}

static const char *edit_command(struct adviser *v, const struct advice_row *row, const char *flag)
{
	struct str t = { 0 };
	const char *out;

	if (!row->n_removed || row->n_removed > 8)
		return NULL;
	str_addf(&t, "nab edit %s", v->o->model);
	for (int i = 0; i < row->n_removed; i++)
		str_addf(&t, " %s %s", flag, row->removed[i]);
	str_add(&t, " -o edited.json");
	out = arena_strdup(v->arena, str_get(&t));
	str_release(&t);
	return out;
}

/* Seeds after which the interval should be narrow enough, if the seeds go on to scatter as they did. */
static int more_seeds(const struct adviser *v, const struct compare_row *r)
{
	double half = (r->effect.high - r->effect.low) / 2, seeds = v->o->seeds;
	int most = 20, want;

	if (!(half > 0) || v->o->tolerance <= 0 || v->o->seeds < 2)
		return v->o->seeds < 5 ? 5 : 2 * v->o->seeds;
	want = (int)ceil(seeds * (half / v->o->tolerance) * (half / v->o->tolerance));
	if (want < v->o->seeds + 2)
		want = v->o->seeds + 2;
	return want > most ? most > v->o->seeds ? most : 2 * v->o->seeds : want;
}

static void advise_unsure(struct adviser *v, int i)
{
	const struct compare_row *r = &v->c->rows[i];
	const struct advice_row *row = &v->rows[i];
	int seeds = more_seeds(v, r);
	const char *verdict = v->o->seeds < 2      ? "cannot tell whether it matters from one seed"
			      : r->effect.high < 0 ? "seems to matter, not beyond doubt among so many comparisons"
						   : "cannot tell whether it matters";

	add(v, ADVICE_UNSURE, arena_printf(v->arena, "%s: %s: %s", row->name, evidence(v, &r->effect), verdict),
	    arena_printf(v->arena, "%s --by %s --only %s --seeds %d", v->o->again, row->by, row->name, seeds));
}

static const char *set_command(struct adviser *v, const struct advice_row *row)
{
	return row->set ? arena_printf(v->arena, "nab train %s --set %s", v->o->model, row->set) : NULL;
}

/* A unit whose absence costs at most the tolerance, by the low end of its interval. */
static void advise_needless(struct adviser *v, int i)
{
	const struct compare_row *r = &v->c->rows[i];
	const struct advice_row *row = &v->rows[i];
	bool better = r->effect.low > 0 && significant(r);
	const char *what = better         ? "the model is better without it"
			   : identical(r) ? "no prediction changes: can go"
					  : "can go";

	if (row->kind == UNIT_LAYERS)
		add(v, ADVICE_PRUNE,
		    arena_printf(v->arena, "%s: %s without it%s: %s", row->name, evidence(v, &r->effect), sizes(v, r),
				 better                             ? what
				 : r->params > v->c->rows[0].params ? "does not help"
								    : what),
		    edit_command(v, row, "--remove"));
	else
		add(v, ADVICE_DROP,
		    arena_printf(v->arena, "%s: %s without it: %s", row->name, evidence(v, &r->effect),
				 better ? what : "does not help here"),
		    row->kind == UNIT_RECIPE ? set_command(v, row) : edit_command(v, row, "--remove"));
}

static void advise_needed(struct adviser *v, int i)
{
	const struct compare_row *r = &v->c->rows[i];

	add(v, ADVICE_KEEP,
	    arena_printf(v->arena, "%s: %s without it: keep it", v->rows[i].name, evidence(v, &r->effect)), NULL);
}

static bool single(const struct adviser *v, int i)
{
	return i > 0 && !v->rows[i].first && !v->rows[i].control_of && v->rows[i].name && measured(&v->c->rows[i]);
}

static void advise_single(struct adviser *v, int i)
{
	const struct compare_row *r = &v->c->rows[i];

	if (r->n_paired < 2 || (!r->effect.reliable && !identical(r)))
		advise_unsure(v, i);
	else if (r->effect.high < 0 && significant(r))
		advise_needed(v, i);
	else if (r->effect.low >= -v->o->tolerance)
		advise_needless(v, i);
	else
		advise_unsure(v, i);
}

/* Of the units whose loss is significant, the one that carries most accuracy per parameter. */
static void advise_duplicate(struct adviser *v)
{
	double most = 0;
	int best = 0;

	for (int i = 1; i < v->c->n_rows; i++) {
		const struct compare_row *r = &v->c->rows[i];
		double saved = (double)(v->c->rows[0].params - r->params), per;

		if (!single(v, i) || v->rows[i].kind != UNIT_LAYERS || v->rows[i].n_removed != 1 || saved <= 0 ||
		    r->n_paired < 2 || r->effect.high >= 0 || !significant(r))
			continue;
		per = -r->effect.mean / saved;
		if (per > most) {
			most = per;
			best = i;
		}
	}
	if (best)
		add(v, ADVICE_DUPLICATE,
		    arena_printf(v->arena,
				 "%s carries most: %s without it, %.3f%s per 1,000 parameters: a second one may pay",
				 v->rows[best].name, evidence(v, &v->c->rows[best].effect),
				 v->c->metric->scale * most * 1000, v->c->metric->points),
		    edit_command(v, &v->rows[best], "--duplicate"));
}

/* A control tells the unit from its size: if it is as good as the parent, the loss was one of capacity. */
static void advise_control(struct adviser *v, int i)
{
	const struct compare_row *r = &v->c->rows[i], *plain = &v->c->rows[v->rows[i].control_of];
	const char *name = v->rows[i].name;
	const char *says;

	if (!measured(r) || !measured(plain) || r->n_paired < 2 || !(plain->effect.high < 0))
		return;
	if (r->effect.high < 0 && significant(r))
		says = "still worse: it is the unit that counts, not its size";
	else if (r->effect.low >= -v->o->tolerance)
		says = "as good as the parent: what it brings is capacity";
	else
		return;
	add(v, ADVICE_CAPACITY,
	    arena_printf(v->arena, "%s: a model without it, but of the parent's size: %s: %s", name,
			 evidence(v, &r->effect), says),
	    NULL);
}

static void advise_pair(struct adviser *v, const struct advice_interaction *x)
{
	const struct advice_row *a = &v->rows[x->first], *b = &v->rows[x->second];
	bool worse = x->effect.mean < 0;

	if (!(x->p < level))
		return;
	add(v, ADVICE_PAIR,
	    arena_printf(v->arena, "%s and %s interact: %s %s than the sum of the two: %s", a->name, b->name,
			 evidence(v, &x->effect), worse ? "worse" : "better",
			 worse ? "each can stand in for the other" : "without one the other is worth less"),
	    NULL);
}

/* By kind, within one in the order of the rows. */
static int collect(struct advice *out, const struct adviser *v)
{
	int n = 0;

	for (int k = 0; k < ADVICE_KIND_COUNT; k++)
		for (int i = 0; i < v->n; i++)
			if ((int)v->items[i].kind == k)
				out[n++] = v->items[i];
	return n;
}

int advice_make(struct advice **out, const struct comparison *c, const struct advice_row *rows,
		const struct advice_opts *o, struct arena *a)
{
	struct adviser v = { .c = c, .rows = rows, .o = o, .arena = a };
	struct advice_interaction *pairs;
	int n = advice_interactions(&pairs, c, rows, a);

	for (int i = 1; i < c->n_rows; i++)
		if (single(&v, i))
			advise_single(&v, i);
	advise_duplicate(&v);
	for (int i = 1; i < c->n_rows; i++)
		if (rows[i].control_of)
			advise_control(&v, i);
	for (int i = 0; i < n; i++)
		advise_pair(&v, &pairs[i]);
	*out = ARENA_ARRAY(a, struct advice, v.n + 1);
	n = collect(*out, &v);
	mem_free(v.items);
	return n;
}

/* ---- interactions --------------------------------------------------------------------------------------- */

/* Contrast of one seed: (pair - parent) - (a - parent) - (b - parent). */
static double contrast(const struct comparison *c, const struct advice_interaction *x, int seed)
{
	return c->rows[x->row].per_seed[seed] - c->rows[x->first].per_seed[seed] - c->rows[x->second].per_seed[seed] +
	       c->rows[0].per_seed[seed];
}

/* Seeds are paired by their place: only where all of them are done. */
static bool complete(const struct comparison *c, int row)
{
	const struct compare_row *r = &c->rows[row];

	return r->n_done > 0 && r->n_done == r->n_runs && r->n_done == c->rows[0].n_done;
}

static void interact(struct advice_interaction *x, const struct comparison *c)
{
	double d[1000];
	int n = c->rows[0].n_done;

	x->pair = c->rows[x->row].effect.mean;
	x->sum = c->rows[x->first].effect.mean + c->rows[x->second].effect.mean;
	x->effect = (struct stats_effect){ .mean = (double)NAN, .low = (double)NAN, .high = (double)NAN };
	if (!complete(c, 0) || !complete(c, x->row) || !complete(c, x->first) || !complete(c, x->second) || n > 1000)
		return;
	for (int s = 0; s < n; s++)
		d[s] = contrast(c, x, s);
	stats_paired_t(&x->effect, d, n);
}

static void adjust(struct advice_interaction *x, int n, struct arena *a)
{
	double *p = ARENA_ARRAY(a, double, n + 1);

	for (int i = 0; i < n; i++)
		p[i] = isnan(x[i].effect.mean) ? (double)NAN : x[i].effect.p;
	stats_holm(p, n);
	for (int i = 0; i < n; i++)
		x[i].p = p[i];
}

int advice_interactions(struct advice_interaction **out, const struct comparison *c, const struct advice_row *rows,
			struct arena *a)
{
	int n = 0;

	*out = ARENA_ARRAY(a, struct advice_interaction, c->n_rows + 1);
	for (int i = 1; i < c->n_rows; i++) {
		struct advice_interaction *x = *out + n;

		if (!rows[i].first)
			continue;
		*x = (struct advice_interaction){ .row = i, .first = rows[i].first, .second = rows[i].second };
		interact(x, c);
		n++;
	}
	adjust(*out, n, a);
	return n;
}

/* ---- printing ------------------------------------------------------------------------------------------- */

void advice_text(struct str *out, const struct advice *v, int n, const char *bullet)
{
	for (int i = 0; i < n; i++) {
		str_addf(out, "%s%s\n", bullet, v[i].text);
		if (v[i].command)
			str_addf(out, "%*s%s\n", (int)strlen(bullet) + 2, "", v[i].command);
	}
}

struct json *advice_json(const struct advice *v, int n)
{
	struct json *list = json_array();

	for (int i = 0; i < n; i++) {
		struct json *one = json_push(list, json_object());

		json_put(one, "kind", json_str(advice_kind_names[v[i].kind]));
		json_put(one, "text", json_str(v[i].text));
		if (v[i].command)
			json_put(one, "command", json_str(v[i].command));
	}
	return list;
}
