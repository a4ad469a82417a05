/* mutate/op_prepend.c - {"prepend": id, "with": ENTRY}: new layers between a layer or block and its first input, drawn
 * for what stands before it (REMAP's "add").
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
		return ERR(e, ERR_INVALID, "prepend", "needs \"with\", the new layers");
	return draft_put_before(d, at, with, e);
}

static struct json *draw(const struct graph *g, struct place at, const struct mutate_env *env, struct rng *rng)
{
	struct edge in = at.node >= 0 ? g->nodes[at.node].in[0] : g->groups[at.group].in[0];
	struct json *entry = fresh_layers(g, in, env, rng), *edit;

	if (!entry)
		return NULL;
	edit = json_object();
	json_put(edit, "prepend", json_str(mutate_place_id(g, at)));
	json_put(edit, "with", entry);
	return edit;
}

const struct mutation mutation_prepend = {
	.name = "prepend",
	.help = "put new layers before a layer or block, on its first input",
	.at = MUTATE_LAYER | MUTATE_BLOCK,
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.draw = draw,
	.apply = apply,
};
