/* mutate/op_insert.c - {"insert": ENTRY, "after": id} and {"insert": ENTRY, "before": id}: new layers on an edge.
 *
 * After a layer or block, everything that read it reads the last new layer; before one, only its main (first) input
 * goes through the new layers. An entry may read more with "from": ids beside it, "prev" being that edge.
 */
#include "base/json.h"
#include "base/opt.h"
#include "mutate/draft.h"
#include "mutate/fresh.h"

struct cfg {
	const char *after, *before;
};

static const struct opt opts[] = {
	OPT_STR(struct cfg, after, NULL, "layer or block behind which the new layers stand"),
	OPT_STR(struct cfg, before, NULL, "layer or block whose first input goes through the new layers"),
	OPT_END,
};

static int apply(struct draft *d, struct place at, const struct json *value, const void *cfg, struct err *e)
{
	const struct cfg *c = cfg;

	if (!c->after == !c->before)
		return ERR(e, ERR_INVALID, "insert",
			   "needs either \"after\" or \"before\", the id of a layer or block");
	if (draft_find(d, &at, c->after ? c->after : c->before, e) < 0)
		return -1;
	return c->after ? draft_put_after(d, at, value, e) : draft_put_before(d, at, value, e);
}

static bool is_output(const struct graph *g, struct edge at)
{
	for (int k = 0; k < g->n_outputs; k++)
		if (g->outputs[k].from.node == at.node && g->outputs[k].from.port == at.port)
			return true;
	return false;
}

static struct json *draw(const struct graph *g, struct place at, const struct mutate_env *env, struct rng *rng)
{
	struct edge out = at.node >= 0 ? (struct edge){ at.node, 0 } : g->groups[at.group].out[0];
	struct json *entry = is_output(g, out) ? NULL : fresh_layers(g, out, env, rng), *edit;

	if (!entry)
		return NULL;
	edit = json_object();
	json_put(edit, "insert", entry);
	json_put(edit, "after", json_str(mutate_place_id(g, at)));
	return edit;
}

const struct mutation mutation_insert = {
	.name = "insert",
	.help = "put new layers behind or before a layer or block",
	.at = MUTATE_LAYER | MUTATE_BLOCK,
	.entry = true,
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.draw = draw,
	.apply = apply,
};
