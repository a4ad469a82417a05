/* mutate/op_unskip.c - {"unskip": "add_1", "input": 1}: a merge reads one tensor less; with one left it goes. What was
 * there only for the connection (a projection) goes with it.
 */
#include "arch/kinds.h"
#include "base/json.h"
#include "base/opt.h"
#include "mutate/draft.h"

struct cfg {
	int input;
};

static const struct opt opts[] = {
	OPT_INT(struct cfg, input, -1, -1, LAYER_INPUTS,
		"which of its inputs, from 0; -1: the shortest way, the shortcut"),
	OPT_END,
};

static int shortest(const struct draft *d, const struct dnode *n)
{
	int best = n->n_in - 1; /* of equal ones the last: shortcuts are written behind the main way */

	for (int j = n->n_in - 2; j >= 0; j--)
		if (draft_depth(d, n->in[j]) < draft_depth(d, n->in[best]))
			best = j;
	return best;
}

static int apply(struct draft *d, struct place at, const struct json *value, const void *cfg, struct err *e)
{
	struct dnode *n = &d->nodes[at.node];
	int k = ((const struct cfg *)cfg)->input;
	const char *name = draft_name(d, at.node);

	(void)value;
	if (layer_classes[n->kind]->family != FAMILY_MERGE)
		return draft_refuse(d, "%s merges nothing: unskip is for add, concat and multiply", name);
	if (k >= n->n_in)
		return ERR(e, ERR_INVALID, NULL, "%s has inputs 0 to %d, \"input\" is %d", name, n->n_in - 1, k);
	if (k < 0)
		k = shortest(d, n);
	draft_words(d, "removed the connection from %s to %s",
		    n->in[k].node < 0 ? "the input" : draft_name(d, n->in[k].node), name);
	if (n->n_in == 2) {
		draft_bypass(d, at.node, 1 - k);
		return 1;
	}
	for (int j = k; j + 1 < n->n_in; j++)
		n->in[j] = n->in[j + 1];
	n->n_in--;
	draft_prune(d);
	return 1;
}

static struct json *draw(const struct graph *g, struct place at, const struct mutate_env *env, struct rng *rng)
{
	const struct node *n = &g->nodes[at.node];
	struct json *edit;

	(void)env;
	if (layer_classes[n->kind]->family != FAMILY_MERGE || mutate_is_fixed(g, at.node, NULL))
		return NULL;
	edit = json_object();
	json_put(edit, "unskip", json_str(n->id));
	json_put(edit, "input", json_num(rng_below(rng, (uint32_t)n->n_in)));
	return edit;
}

const struct mutation mutation_unskip = {
	.name = "unskip",
	.help = "take a connection into an add, concat or multiply away",
	.at = MUTATE_LAYER,
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.draw = draw,
	.apply = apply,
};
