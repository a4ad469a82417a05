/* mutate/op_replace.c - {"replace": id, "with": ENTRY}: new layers in the place of a layer or block.
 *
 * They read what it read first (of a merge: what removing it would leave), and what read it reads them. A merge in
 * the place of a merge joins the same operands.
 */
#include "base/json.h"
#include "base/opt.h"
#include "mutate/draft.h"
#include "mutate/fresh.h"

struct cfg {
	const struct json *with;
};

static const struct opt opts[] = {
	OPT_JSON(struct cfg, with, "the new layers: an entry of \"layers\", or a list of them"),
	OPT_END,
};

static int apply(struct draft *d, struct place at, const struct json *value, const void *cfg, struct err *e)
{
	const struct json *with = ((const struct cfg *)cfg)->with;

	(void)value;
	if (!with)
		return ERR(e, ERR_INVALID, "replace", "needs \"with\", the new layers");
	return draft_put_instead(d, at, with, e);
}

static struct json *draw(const struct graph *g, struct place at, const struct mutate_env *env, struct rng *rng)
{
	struct edge in = at.node >= 0 ? g->nodes[at.node].in[0] : g->groups[at.group].in[0];
	struct json *entry, *edit;

	if (at.node >= 0 && (mutate_is_fixed(g, at.node, NULL) || g->nodes[at.node].n_in > 1))
		return NULL;
	entry = fresh_layers(g, in, env, rng);
	if (!entry)
		return NULL;
	edit = json_object();
	json_put(edit, "replace", json_str(mutate_place_id(g, at)));
	json_put(edit, "with", entry);
	return edit;
}

const struct mutation mutation_replace = {
	.name = "replace",
	.help = "put new layers in the place of a layer or block",
	.at = MUTATE_LAYER | MUTATE_BLOCK,
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.draw = draw,
	.apply = apply,
};
