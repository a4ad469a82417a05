/* space/draft.c - one model being drawn: layers appended with their limits watched.
 *
 * Plain layers go straight into the graph. Others are read from JSON, first into a scratch graph that has the current
 * tensor as its input: only what fits there is appended, so a misfit leaves the model as it was.
 */
#include <string.h>

#include "arch/kinds.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "space/internal.h"

void draft_begin(struct draft *d, const struct space *s, const struct space_target *t, struct rng *rng, struct arena *a,
		 struct space_stats *st)
{
	*d = (struct draft){ .s = s, .t = t, .rng = rng, .a = a, .st = st, .blocks = s->blocks };
	d->g = graph_new(a);
	d->last = (struct edge){ -1, 0 };
}

void draft_release(struct draft *d)
{
	json_free(d->vars);
	block_set_free(d->own_blocks);
}

int draft_reject(struct draft *d, enum space_cause cause)
{
	d->cause = cause;
	return 0;
}

static const struct json *draft_vars(struct draft *d)
{
	if (d->vars)
		return d->vars;
	d->vars = d->s->with ? draw_value(d->s->with, d->rng) : json_object();
	json_put(d->vars, "classes", json_num(d->t->classes));
	return d->vars;
}

/* ---- fit ------------------------------------------------------------------------------------------------ */

/* "fit": "strict": every window must be smaller than what it slides over. */
static bool window_is_smaller(enum layer_kind kind, const void *cfg, const struct shape *in)
{
	struct opt_pair k;

	switch (layer_classes[kind]->family) {
	case FAMILY_CONV:
		if (kind == LAYER_conv1d)
			return ((const struct conv1d *)cfg)->kernel < in->d[1];
		k = kind == LAYER_conv2d ? ((const struct conv2d *)cfg)->kernel
					 : ((const struct depthwise2d *)cfg)->kernel;
		return k.v[0] < in->d[1] && k.v[1] < in->d[2];
	case FAMILY_POOL:
		if (kind == LAYER_maxpool1d || kind == LAYER_avgpool1d)
			return ((const struct pool1d *)cfg)->size < in->d[1];
		if (kind != LAYER_maxpool2d && kind != LAYER_avgpool2d)
			return true;
		k = ((const struct pool2d *)cfg)->size;
		return k.v[0] < in->d[1] && k.v[1] < in->d[2];
	default:
		return true;
	}
}

static void explain(struct draft *d, const char *text)
{
	if (d->why)
		diag_add(d->why, DIAG_ERROR, "", "%s", text);
}

static bool fits_strictly(struct draft *d, enum layer_kind kind, const void *cfg, const struct shape *in)
{
	if (!d->s->strict || window_is_smaller(kind, cfg, in))
		return true;
	explain(d, "a window is as large as its input, and \"fit\" is \"strict\"");
	return false;
}

/* ---- plain layers --------------------------------------------------------------------------------------- */

struct step {
	enum layer_kind kind;
	_Alignas(16) char cfg[CFG_MAX];
};

static int add_step(struct draft *d, const struct step *p, struct err *e)
{
	int node;

	if (!fits_strictly(d, p->kind, p->cfg, graph_shape(d->g, d->last)))
		return 0;
	node = graph_add(d->g, p->kind, p->cfg, &d->last, 1, NULL, e);
	if (node < 0)
		return 0;
	d->last = (struct edge){ node, 0 };
	return 1;
}

/* Whether the chain of steps fits, without adding anything. */
static bool steps_fit(struct draft *d, const struct step *steps, int n, struct err *e)
{
	struct shape at = *graph_shape(d->g, d->last), out[LAYER_PORTS];
	_Alignas(16) char cfg[CFG_MAX];

	for (int i = 0; i < n; i++) {
		const struct layer_class *k = layer_classes[steps[i].kind];

		memcpy(cfg, steps[i].cfg, k->cfg_size);
		if (!fits_strictly(d, steps[i].kind, cfg, &at) || k->shape(cfg, &at, 1, out, e) < 0)
			return false;
		at = out[0];
	}
	return true;
}

static int append_plain(struct draft *d, const struct layers *l)
{
	struct step steps[PLACES_MAX];
	struct err why = { 0 }, *e = d->why ? &why : NULL;
	int rc = 1;

	for (int i = 0; i < l->n; i++)
		steps[i].kind = place_draw(&l->places[i], d->t->classes, steps[i].cfg, d->rng);
	if (l->n > 1 && !steps_fit(d, steps, l->n, e))
		rc = 0;
	for (int i = 0; rc && i < l->n; i++)
		rc = add_step(d, &steps[i], e);
	if (why.code)
		explain(d, why.msg);
	return rc;
}

/* ---- layers from JSON ----------------------------------------------------------------------------------- */

static bool nodes_fit_strictly(struct draft *d, const struct graph *g)
{
	for (int i = 0; d->s->strict && i < g->n_nodes; i++)
		if (!fits_strictly(d, g->nodes[i].kind, g->nodes[i].cfg, graph_shape(g, g->nodes[i].in[0])))
			return false;
	return true;
}

static int read_entries(struct draft *d, struct graph *g, struct edge *last, const struct json *entries)
{
	struct json_in in = { entries, d->why, NULL };

	JSON_EACH(entry, entries) {
		const struct shape *at = graph_shape(g, *last);
		struct scope scope = { NULL, draft_vars(d), at };

		if (model_append(g, entry, d->blocks, &scope, last, &in) < 0)
			return -1;
	}
	return 0;
}

static bool trial_fits(struct draft *d, const struct json *entries)
{
	struct arena_mark mark = arena_mark(d->a);
	struct graph *trial = graph_new(d->a);
	struct edge last = { -1, 0 };
	bool fits;

	graph_input(trial, "in", graph_shape(d->g, d->last), NULL);
	fits = read_entries(d, trial, &last, entries) == 0 && nodes_fit_strictly(d, trial);
	arena_rewind(d->a, mark);
	return fits;
}

int draft_entries(struct draft *d, const struct json *entries, bool whole)
{
	if (!whole && !trial_fits(d, entries))
		return 0;
	if (read_entries(d, d->g, &d->last, entries) == 0)
		return !whole || nodes_fit_strictly(d, d->g);
	d->broken = true; /* half of it is there: a misfit, or too many layers, or an id given twice */
	return 0;
}

int draft_append(struct draft *d, const struct layers *l)
{
	struct json *drawn;
	int rc;

	if (l->places)
		return append_plain(d, l);
	draft_vars(d); /* "with" is drawn before anything that may use it */
	drawn = draw_value(l->entries, d->rng);
	rc = draft_entries(d, drawn, d->s->form != SPACE_MARKOV);
	json_free(drawn);
	return rc;
}

/* ---- limits --------------------------------------------------------------------------------------------- */

static bool add_sum(struct draft *d, enum space_limit l, int64_t v)
{
	return !__builtin_add_overflow(d->sum[l], v, &d->sum[l]);
}

bool draft_within(struct draft *d)
{
	for (; d->counted < d->g->n_nodes; d->counted++) {
		const struct node *n = &d->g->nodes[d->counted];
		bool ok = add_sum(d, LIMIT_PARAMS, n->params) && add_sum(d, LIMIT_MACS, n->macs);

		for (int i = 0; i < n->n_out; i++)
			ok = ok && add_sum(d, LIMIT_ACTIVATIONS, shape_count(&n->out[i]));
		if (!ok)
			return draft_reject(d, CAUSE_SIZE);
	}
	d->sum[LIMIT_LAYERS] = d->g->n_nodes;
	for (int i = 0; i < LIMIT_COUNT; i++)
		if (d->sum[i] > d->s->limits[i].max)
			return draft_reject(d, (enum space_cause)(2 * i + 1));
	return true;
}

int draft_finish(struct draft *d, struct graph **out)
{
	struct err why = { 0 };
	struct cost c;

	if (!draft_within(d))
		return 0;
	if (d->s->limited_cost) {
		if (graph_cost(d->g, &c, NULL) < 0)
			return draft_reject(d, CAUSE_SIZE);
		d->sum[LIMIT_TRAIN_BYTES] = c.train_bytes;
		d->sum[LIMIT_DEPTH] = c.depth;
		if (!draft_within(d))
			return 0;
	}
	for (int i = 0; i < LIMIT_COUNT; i++)
		if (d->sum[i] < d->s->limits[i].min)
			return draft_reject(d, (enum space_cause)(2 * i));
	if (graph_output(d->g, "out", d->t->task, d->t->classes, d->last, NULL) < 0 ||
	    graph_finish(d->g, d->why ? &why : NULL) < 0) {
		explain(d, why.msg);
		return draft_reject(d, CAUSE_HEAD);
	}
	*out = d->g;
	return 1;
}
