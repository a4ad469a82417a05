/* mutate/op_widen.c - {"widen": "conv2d_1", "to": 32}: more output channels, units or features.
 *
 * Net2Wider (Chen, Goodfellow, Shlens 2016): output i repeats output i * before / after of the parent's layer, so that
 * copies stand side by side: they stay in their groups, and means over channels stay what they were when `after` is a
 * multiple. Layers that sums and products join to it are widened with it.
 */
#include <math.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/opt.h"
#include "mutate/draft.h"
#include "mutate/width.h"

enum { WIDTH_MAX = 65536 };

struct cfg {
	int to;
	double by;
};

static const struct opt opts[] = {
	OPT_INT(struct cfg, to, 0, 0, WIDTH_MAX, "channels or units afterwards (or give \"by\")"),
	OPT_REAL(struct cfg, by, 0, 0, 64, "factor instead of a number, above 1"),
	OPT_END,
};

static int apply(struct draft *d, struct place at, const struct json *value, const void *cfg, struct err *e)
{
	const struct cfg *c = cfg;
	int n, *nodes, *from, *width = draft_width(d, at.node), was, to;

	(void)value;
	if ((c->to > 0) == (c->by > 0))
		return ERR(e, ERR_INVALID, NULL, "widen needs \"to\" or \"by\", one of them");
	nodes = width_tied(d, at.node, &n);
	if (!nodes)
		return 0;
	was = *width;
	to = c->to ? c->to : (int)lround(fmin(was * c->by, WIDTH_MAX));
	if (to <= was)
		return draft_refuse(d, "%s has %d %s already: %d is not wider", draft_name(d, at.node), was,
				    width_unit(d->nodes[at.node].kind), to);
	from = ARENA_ARRAY(d->arena, int, to);
	for (int i = 0; i < to; i++)
		from[i] = (int)((int64_t)i * was / to);
	draft_words(d, "widened %s from %d to %d %s", width_names(d, nodes, n), was, to,
		    width_unit(d->nodes[at.node].kind));
	return width_set(d, nodes, n, to, from);
}

static struct json *draw(const struct graph *g, struct place at, const struct mutate_env *env, struct rng *rng)
{
	static const double factors[] = { 1.25, 1.5, 2 };
	int groups, width = width_of(&g->nodes[at.node], &groups), to;
	struct json *edit;

	(void)env;
	to = (int)ceil(width * factors[rng_below(rng, 3)] / groups) * groups;
	if (!width || to > WIDTH_MAX || mutate_is_fixed(g, at.node, NULL))
		return NULL;
	edit = json_object();
	json_put(edit, "widen", json_str(g->nodes[at.node].id));
	json_put(edit, "to", json_num(to));
	return edit;
}

const struct mutation mutation_widen = {
	.name = "widen",
	.help = "give a layer more channels or units (and those that a sum joins to it)",
	.at = MUTATE_LAYER,
	.morph = true,
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.draw = draw,
	.apply = apply,
};
