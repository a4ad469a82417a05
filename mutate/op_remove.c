/* mutate/op_remove.c - {"remove": "relu_1"}: takes a layer or a whole block instance out; what read it reads its input.
 *
 * Removing an add or a concat removes the connection: the longer operand stays, and what was only there for the others
 * goes with them. Of a product, the operand that the others are computed from stays (a gate is taken off).
 */
#include "base/json.h"
#include "base/opt.h"
#include "mutate/draft.h"

struct cfg {
	char unused;
};

static const struct opt opts[] = { OPT_END };

/* A flatten whose reader is a dense layer would only be put back. */
static int needs_vector(struct draft *d, int node)
{
	struct shape in;

	if (d->nodes[node].kind != LAYER_flatten || !draft_shape(d, d->nodes[node].in[0], &in) ||
	    in.type == TENSOR_VECTOR)
		return 1;
	for (int k = 0; k < d->n_order; k++) {
		const struct dnode *n = &d->nodes[d->order[k]];

		if (n->kind == LAYER_dense && n->in[0].node == node)
			return draft_refuse(d, "%s needs a vector: %s stays", draft_name(d, d->order[k]),
					    draft_name(d, node));
	}
	return 1;
}

static int remove_layer(struct draft *d, int node)
{
	const char *why;

	if (draft_is_fixed(d, node, &why))
		return draft_refuse(d, "%s %s", draft_name(d, node), why);
	for (int port = 1; port < LAYER_PORTS; port++)
		if (draft_readers(d, (struct edge){ node, port }))
			return draft_refuse(d, "%s: its state is read by others, nothing can stand for it",
					    draft_name(d, node));
	if (!needs_vector(d, node))
		return 0;
	draft_words(d, "removed %s", draft_name(d, node));
	draft_bypass(d, node, draft_main_operand(d, node));
	return 1;
}

static int apply(struct draft *d, struct place at, const struct json *value, const void *cfg, struct err *e)
{
	(void)cfg;
	(void)e;
	if (at.node >= 0)
		return remove_layer(d, at.node);
	draft_words(d, "removed %s", json_string(value));
	return draft_bypass_group(d, at.group);
}

static struct json *draw(const struct graph *g, struct place at, const struct mutate_env *env, struct rng *rng)
{
	struct json *edit;

	(void)env;
	(void)rng;
	if (at.node >= 0 && mutate_is_fixed(g, at.node, NULL))
		return NULL;
	edit = json_object();
	json_put(edit, "remove", json_str(mutate_place_id(g, at)));
	return edit;
}

const struct mutation mutation_remove = {
	.name = "remove",
	.help = "take a layer or a block out; what read it reads its input",
	.at = MUTATE_LAYER | MUTATE_BLOCK,
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.draw = draw,
	.apply = apply,
};
