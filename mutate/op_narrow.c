/* mutate/op_narrow.c - {"narrow": "conv2d_1", "to": 8, "keep": [0, 3, ...]}: fewer output channels, units or features.
 *
 * With weights at hand those of the largest magnitude stay (the sum of absolute weights of a filter; Li et al., Pruning
 * Filters for Efficient ConvNets, 2017), summed over the layers that sums and products join to it; without, the first.
 */
#include <math.h>
#include <stdlib.h>

#include "arch/kinds.h"
#include "arch/weights.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/opt.h"
#include "mutate/draft.h"
#include "mutate/width.h"

struct cfg {
	int to;
	double by;
	const struct json *keep;
};

static const struct opt opts[] = {
	OPT_INT(struct cfg, to, 0, 0, 65536, "channels or units afterwards (or give \"by\" or \"keep\")"),
	OPT_REAL(struct cfg, by, 0, 0, 1, "factor instead of a number, below 1"),
	OPT_JSON(struct cfg, keep, "list of the channels that stay, counted from 0"),
	OPT_END,
};

/* ---- which stay ----------------------------------------------------------------------------------------- */

/* Adds |w| of every output of a layer that was in the parent. Matrices of gates stand below each other; the features of
 * an embedding are columns. */
static void add_magnitudes(double *sum, int width, const struct dnode *n, const struct draft *d)
{
	const struct weights *w = d->env->weights;
	const struct tensor *t =
	    n->origin >= 0 && w->of_node[n->origin] >= 0 ? &w->tensors[w->of_node[n->origin]] : NULL;
	int groups, was = t ? width_of(&d->from->nodes[n->origin], &groups) : 0;
	int64_t block = t ? t->count / t->spec.d[0] : 0;
	double *size = mem_new((size_t)was * sizeof *size + 1);

	for (int64_t i = 0; t && i < t->count; i++) {
		int64_t of = n->kind == LAYER_embedding ? i % was : i / block % was;

		size[of] += fabs((double)w->data[t->first + i]);
	}
	for (int k = 0; t && k < width; k++)
		sum[k] += size[n->out_map ? n->out_map[k] : k];
	mem_free(size);
}

struct ranked {
	double size;
	int at;
};

static int larger_first(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->size != y->size)
		return x->size > y->size ? -1 : 1;
	return x->at - y->at;
}

static int by_place(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* The `to` largest, as many of each group, in their order. */
static void pick_largest(int *keep, int to, const double *sum, int width, int groups)
{
	struct ranked *r = mem_new((size_t)width * sizeof *r);
	int n = 0, per = width / groups;

	for (int i = 0; i < width; i++)
		r[i] = (struct ranked){ sum[i], i };
	for (int g = 0; g < groups; g++) {
		qsort(r + g * per, (size_t)per, sizeof *r, larger_first);
		for (int i = 0; i < to / groups; i++)
			keep[n++] = r[g * per + i].at;
	}
	qsort(keep, (size_t)to, sizeof *keep, by_place);
	mem_free(r);
}

static int *largest(struct draft *d, const int *nodes, int n, int to)
{
	const struct dnode *first = &d->nodes[nodes[0]];
	int *keep = ARENA_ARRAY(d->arena, int, to), width = *draft_width(d, nodes[0]), groups = 1;
	double *sum = mem_new((size_t)width * sizeof *sum);

	if (first->kind == LAYER_conv2d)
		groups = ((const struct conv2d *)first->cfg)->groups;
	else if (first->kind == LAYER_conv1d)
		groups = ((const struct conv1d *)first->cfg)->groups;
	for (int i = 0; d->env->weights && i < n; i++)
		add_magnitudes(sum, width, &d->nodes[nodes[i]], d);
	pick_largest(keep, to, sum, width, to % groups ? 1 : groups);
	mem_free(sum);
	return keep;
}

static int *listed(struct draft *d, const struct json *list, int width, int *to, struct err *e)
{
	int n = json_count(list), *keep = ARENA_ARRAY(d->arena, int, n), k = 0;

	if (json_type(list) != JSON_ARRAY || n == 0 || (*to && *to != n)) {
		ERR(e, ERR_INVALID, NULL, "\"keep\" must list the channels that stay, as many as \"to\" says");
		return NULL;
	}
	JSON_EACH(v, list) {
		double at = json_number(v);

		if (!(at >= 0 && at < width) || at != floor(at)) {
			ERR(e, ERR_INVALID, NULL, "\"keep\": channels are counted from 0 to %d", width - 1);
			return NULL;
		}
		keep[k++] = (int)at;
	}
	qsort(keep, (size_t)n, sizeof *keep, by_place);
	for (int i = 1; i < n; i++)
		if (keep[i] == keep[i - 1]) {
			ERR(e, ERR_INVALID, NULL, "\"keep\" names channel %d twice", keep[i]);
			return NULL;
		}
	*to = n;
	return keep;
}

/* ---- the operator --------------------------------------------------------------------------------------- */

static int apply(struct draft *d, struct place at, const struct json *value, const void *cfg, struct err *e)
{
	const struct cfg *c = cfg;
	int n, *nodes, *keep = NULL, was, to = c->to;

	(void)value;
	if ((c->to > 0) + (c->by > 0) > 1 || !(c->to > 0 || c->by > 0 || c->keep))
		return ERR(e, ERR_INVALID, NULL, "narrow needs \"to\" or \"by\" (one of them) or \"keep\"");
	nodes = width_tied(d, at.node, &n);
	if (!nodes)
		return 0;
	was = *draft_width(d, at.node);
	if (c->by > 0)
		to = (int)lround(fmax(was * c->by, 1));
	if (c->keep) {
		keep = listed(d, c->keep, was, &to, e);
		if (!keep)
			return -1;
	}
	if (to >= was)
		return draft_refuse(d, "%s has %d %s: %d is not narrower", draft_name(d, at.node), was,
				    width_unit(d->nodes[at.node].kind), to);
	if (!keep)
		keep = largest(d, nodes, n, to);
	draft_words(d, "narrowed %s from %d to %d %s", width_names(d, nodes, n), was, to,
		    width_unit(d->nodes[at.node].kind));
	return width_set(d, nodes, n, to, keep);
}

/* The channels that apply() would keep. */
static struct json *keep_list(const struct graph *g, int node, int to, const struct mutate_env *env)
{
	struct arena *a = arena_new();
	struct mutate_log log = { .words = "" };
	struct draft *d = draft_new(g, env, &log, a);
	int n, *nodes = width_tied(d, node, &n), *keep = nodes ? largest(d, nodes, n, to) : NULL;
	struct json *list = keep ? json_array() : NULL;

	for (int i = 0; keep && i < to; i++)
		json_push(list, json_num(keep[i]));
	arena_free(a);
	return list;
}

static struct json *draw(const struct graph *g, struct place at, const struct mutate_env *env, struct rng *rng)
{
	static const double factors[] = { 0.25, 0.5, 0.75 };
	int groups, width = width_of(&g->nodes[at.node], &groups);
	int to = (int)(width * factors[rng_below(rng, 3)] / groups) * groups;
	struct json *edit, *keep;

	if (to < 1 || mutate_is_fixed(g, at.node, NULL))
		return NULL;
	edit = json_object();
	json_put(edit, "narrow", json_str(g->nodes[at.node].id));
	json_put(edit, "to", json_num(to));
	keep = env->weights ? keep_list(g, at.node, to, env) : NULL;
	if (keep)
		json_put(edit, "keep", keep);
	return edit;
}

const struct mutation mutation_narrow = {
	.name = "narrow",
	.help = "give a layer fewer channels or units; with weights the largest stay",
	.at = MUTATE_LAYER,
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.draw = draw,
	.apply = apply,
};
